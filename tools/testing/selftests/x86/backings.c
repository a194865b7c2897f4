// SPDX-License-Identifier: GPL-2.0-only
/* What guest memory may be made of: anonymous, files of all kinds, device mappings. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include "kselftest_harness.h"
#include "hostmem.h"

#define PAGES	512ull
#define SIZE	(PAGES * PAGE)

FIXTURE(backing)
{
	struct test_vm vm;
	struct test_vcpu *v;
	uint8_t *mem;
	int fd;
};

FIXTURE_SETUP(backing)
{
	vm_create(&self->vm, TEST_IRQCHIP_NONE);
	self->v = vcpu_create(&self->vm, 0);
	self->fd = -1;
	self->mem = MAP_FAILED;
	vcpu_start(self->v, hm_guest);
}

FIXTURE_TEARDOWN(backing)
{
	vm_destroy(&self->vm);
	if (self->mem != MAP_FAILED)
		munmap(self->mem, SIZE);
	if (self->fd >= 0)
		close(self->fd);
}

static bool map_file(FIXTURE_DATA(backing) *self, int prot, int flags)
{
	self->mem = mmap(NULL, SIZE, prot, flags, self->fd, 0);
	return self->mem != MAP_FAILED &&
	       !vm_set_region(&self->vm, SLOT_FREE, GPA_FREE, SIZE, self->mem, 0);
}

/* What the file has at the start of its pages: how many are not as they should be. */
static uint64_t file_wrong(int fd)
{
	uint64_t i, val, bad = 0;

	for (i = 0; i < PAGES; i++)
		bad += pread(fd, &val, 8, i * PAGE) != 8 || val != hm_tag[i];
	return bad;
}

static void file_fill(int fd)
{
	uint64_t i;

	for (i = 0; i < PAGES; i++) {
		hm_tag[i] = 0xf11e000000000000ull | i << 24;
		if (pwrite(fd, (void *)&hm_tag[i], 8, i * PAGE) != 8)
			abort();
	}
}

/* Written by the guest and by the file's calls, in both directions, with holes punched. */
static void shared_file(struct __test_metadata *_metadata, FIXTURE_DATA(backing) *self)
{
	ASSERT_EQ(0, ftruncate(self->fd, SIZE));
	file_fill(self->fd);
	ASSERT_TRUE(map_file(self, PROT_READ | PROT_WRITE, MAP_SHARED));
	hm_work(self->v, 0, PAGES, true);
	EXPECT_EQ(0, file_wrong(self->fd));
	file_fill(self->fd);
	hm_work(self->v, 0, PAGES, false);
	hm_work(self->v, 0, PAGES, true);
	EXPECT_EQ(0, file_wrong(self->fd));
	ASSERT_EQ(0, fallocate(self->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 100 * PAGE,
			       20 * PAGE));
	memset((void *)(hm_tag + 100), 0, 20 * sizeof(hm_tag[0]));
	hm_work(self->v, 0, PAGES, true);
	EXPECT_EQ(0, file_wrong(self->fd));
	/* The same by the mapping's call. */
	ASSERT_EQ(0, madvise(self->mem + 300 * PAGE, 7 * PAGE, MADV_REMOVE));
	memset((void *)(hm_tag + 300), 0, 7 * sizeof(hm_tag[0]));
	hm_work(self->v, 0, PAGES, true);
	EXPECT_EQ(0, file_wrong(self->fd));
	/* Dropped from the mapping only: the file has the data, and the guest's writes. */
	ASSERT_EQ(0, madvise(self->mem, SIZE, MADV_DONTNEED));
	hm_work(self->v, 0, PAGES, true);
	EXPECT_EQ(0, file_wrong(self->fd));
}

TEST_F(backing, memfd)
{
	self->fd = memfd_create("shared", 0);
	ASSERT_LE(0, self->fd);
	shared_file(_metadata, self);
}

TEST_F(backing, tmpfs)
{
	self->fd = open("/dev/shm", O_TMPFILE | O_RDWR, 0600);
	ASSERT_LE(0, self->fd);
	shared_file(_metadata, self);
}

/* The guest's writes are the file's: written back, and read from the disk again. */
TEST_F(backing, file_on_a_disk)
{
	char dir[] = "/tmp/backing-XXXXXX", cmd[512];
	int round;

	ASSERT_NE(NULL, mkdtemp(dir));
	/* A file system with write-back, on a disk that is a file. */
	snprintf(cmd, sizeof(cmd),
		 "cd %s && truncate -s 16M disk && mkfs.ext4 -q disk && mkdir mnt && "
		 "modprobe -q ext4; modprobe -q loop; mount -o loop disk mnt", dir);
	if (system(cmd))
		SKIP(return, "no ext4 on a loop device");
	snprintf(cmd, sizeof(cmd), "%s/mnt", dir);
	self->fd = open(cmd, O_TMPFILE | O_RDWR, 0600);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, ftruncate(self->fd, SIZE));
	file_fill(self->fd);
	ASSERT_TRUE(map_file(self, PROT_READ | PROT_WRITE, MAP_SHARED));
	for (round = 0; round < 4; round++) {
		/* Write-back protects the page: the next write of the guest must be seen. */
		hm_work(self->v, 0, PAGES, true);
		ASSERT_EQ(0, fsync(self->fd));
		hm_work(self->v, 0, PAGES / 2, true);
		ASSERT_EQ(0, fsync(self->fd));
		/* Out of the page cache: what comes back is what was on the disk. */
		madvise(self->mem, SIZE, MADV_DONTNEED);
		posix_fadvise(self->fd, 0, 0, POSIX_FADV_DONTNEED);
		EXPECT_EQ(0, file_wrong(self->fd));
		hm_work(self->v, 0, PAGES, false);
	}
	vm_set_region(&self->vm, SLOT_FREE, 0, 0, self->mem, 0);
	munmap(self->mem, SIZE);
	self->mem = MAP_FAILED;
	close(self->fd);
	self->fd = -1;
	snprintf(cmd, sizeof(cmd), "umount %s/mnt && rm -r %s", dir, dir);
	EXPECT_EQ(0, system(cmd));
}

/* The guest's writes stay in the VMM. */
TEST_F(backing, private_file)
{
	uint64_t i;

	self->fd = memfd_create("private", 0);
	ASSERT_EQ(0, ftruncate(self->fd, SIZE));
	file_fill(self->fd);
	ASSERT_TRUE(map_file(self, PROT_READ | PROT_WRITE, MAP_PRIVATE));
	hm_work(self->v, 0, PAGES, false);
	EXPECT_EQ(0, file_wrong(self->fd));
	hm_work(self->v, 0, PAGES / 2, true);
	EXPECT_EQ(PAGES / 2, file_wrong(self->fd));
	EXPECT_EQ(0, hm_wrong(self->mem, 0, PAGES));
	/* Dropped: the file's data again. */
	ASSERT_EQ(0, madvise(self->mem, SIZE, MADV_DONTNEED));
	for (i = 0; i < PAGES; i++)
		hm_tag[i] = 0xf11e000000000000ull | i << 24;
	hm_work(self->v, 0, PAGES, true);
	EXPECT_EQ(0, hm_wrong(self->mem, 0, PAGES));
}

/* Many zeroes are one page until they are written. */
TEST_F(backing, zero_page)
{
	self->mem = hm_map(SIZE, false);
	ASSERT_NE(NULL, self->mem);
	memset((void *)hm_tag, 0, PAGES * sizeof(hm_tag[0]));
	ASSERT_EQ(0, vm_set_region(&self->vm, SLOT_FREE, GPA_FREE, SIZE, self->mem, 0));
	hm_work(self->v, 0, PAGES, false);
	hm_work(self->v, 7, 1, true);
	hm_work(self->v, 0, PAGES, false);
	hm_work(self->v, 0, PAGES, true);
	EXPECT_EQ(0, hm_wrong(self->mem, 0, PAGES));
}

/* The mapping allows no writes: reads go, writes fail, also by the emulator and by a log's end. */
TEST_F(backing, read_only_mapping)
{
	self->fd = memfd_create("ro", 0);
	ASSERT_EQ(0, ftruncate(self->fd, SIZE));
	file_fill(self->fd);
	ASSERT_TRUE(map_file(self, PROT_READ, MAP_SHARED));
	hm_work(self->v, 0, PAGES, false);
	hm_first = 3;
	hm_count = 1;
	hm_write = true;
	EXPECT_ERR(EFAULT, ioctl(self->v->fd, KVM_RUN, 0));
	EXPECT_EQ(0xf11e000000000000ull | 3 << 24, *(uint64_t *)(self->mem + 3 * PAGE));
	ASSERT_EQ(0, mprotect(self->mem, SIZE, PROT_READ | PROT_WRITE));
	/* The write that failed is done now. */
	vcpu_expect(self->v, MSG_SYNC);
	hm_work(self->v, 0, PAGES, true);
	EXPECT_EQ(0, file_wrong(self->fd));
}

/* ---- device mappings (VM_PFNMAP) ---- */

/* The ROM of the BIOS, which /dev/mem maps by frame: no page of the host's memory management. */
TEST_F(backing, pfnmap)
{
	const uint64_t rom = 0xf0000;
	int64_t before;
	uint64_t i;

	self->fd = open("/dev/mem", O_RDONLY);
	if (self->fd < 0)
		SKIP(return, "no /dev/mem");
	self->mem = mmap(NULL, 16 * PAGE, PROT_READ, MAP_SHARED, self->fd, rom);
	if (self->mem == MAP_FAILED)
		SKIP(return, "/dev/mem maps no ROM");
	for (i = 0; i < 16; i++)
		hm_tag[i] = *(volatile uint64_t *)(self->mem + i * PAGE);
	ASSERT_EQ(0, vm_set_region(&self->vm, SLOT_FREE, GPA_FREE, 16 * PAGE, self->mem, 0));
	hm_work(self->v, 0, 16, false);
	before = kvm_stat(self->v->fd, "pf_taken");
	hm_work(self->v, 0, 16, false);
	EXPECT_GE(before + 2, kvm_stat(self->v->fd, "pf_taken"));
	hm_first = 1;
	hm_count = 1;
	hm_write = true;
	/* Not writable: as for any mapping. Stock KVM takes this one kind for a device. */
	if (on_keel()) {
		EXPECT_ERR(EFAULT, ioctl(self->v->fd, KVM_RUN, 0));
	} else {
		EXPECT_EQ(MSG_NONE, vcpu_run(self->v, NULL));
		EXPECT_EQ(KVM_EXIT_MMIO, self->v->run->exit_reason);
		vcpu_expect(self->v, MSG_SYNC);
	}
	/* Nothing is allowed: nothing is read either, though the frames are there. */
	ASSERT_EQ(0, mprotect(self->mem, 16 * PAGE, PROT_NONE));
	hm_write = false;
	if (on_keel())
		EXPECT_ERR(EFAULT, ioctl(self->v->fd, KVM_RUN, 0));
	ASSERT_EQ(0, mprotect(self->mem, 16 * PAGE, PROT_READ));
	/* The mapping goes: so does the guest's. */
	ASSERT_EQ(0, munmap(self->mem, 16 * PAGE));
	self->mem = MAP_FAILED;
	EXPECT_ERR(EFAULT, ioctl(self->v->fd, KVM_RUN, 0));
}

/* ---- a page that is broken in hardware ---- */

static volatile int sigbus_code;
static void *volatile sigbus_addr;

static void on_sigbus(int sig, siginfo_t *si, void *ctx)
{
	sigbus_code = si->si_code;
	sigbus_addr = si->si_addr;
}

TEST_F(backing, poisoned_page)
{
	struct sigaction sa = { .sa_sigaction = on_sigbus, .sa_flags = SA_SIGINFO };
	uint8_t *p;

	sigaction(SIGBUS, &sa, NULL);
	self->mem = hm_map(SIZE, false);
	hm_fill(self->mem, 0, PAGES);
	ASSERT_EQ(0, vm_set_region(&self->vm, SLOT_FREE, GPA_FREE, SIZE, self->mem, 0));
	hm_work(self->v, 0, PAGES, true);
	p = self->mem + 55 * PAGE;
	sigbus_code = 0;
	if (madvise(p, PAGE, MADV_HWPOISON))
		SKIP(return, "no MADV_HWPOISON");
	/* The others are as they were. */
	hm_work(self->v, 0, 55, true);
	hm_work(self->v, 56, PAGES - 56, true);
	sigbus_code = 0;
	hm_first = 55;
	hm_count = 1;
	hm_write = false;
	/* KVM_RUN ends with the signal, or with the fault after it. */
	EXPECT_EQ(-1, ioctl(self->v->fd, KVM_RUN, 0));
	EXPECT_EQ(BUS_MCEERR_AR, sigbus_code);
	EXPECT_EQ((void *)p, sigbus_addr);
	/* The VMM puts another page in its place, and the guest runs on. */
	ASSERT_EQ(p, mmap(p, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
			  -1, 0));
	hm_tag[55] = 0;
	vcpu_expect(self->v, MSG_SYNC);
	hm_work(self->v, 0, PAGES, true);
	EXPECT_EQ(0, hm_wrong(self->mem, 0, PAGES));
}

/* ---- one mapping in several slots, several mappings of one page ---- */

TEST_F(backing, aliases)
{
	uint64_t i;

	self->mem = hm_map(SIZE, false);
	hm_fill(self->mem, 0, PAGES);
	/* The upper half of the guest's area is the lower half again. */
	ASSERT_EQ(0, vm_set_region(&self->vm, 2, GPA_FREE, SIZE / 2, self->mem, 0));
	ASSERT_EQ(0, vm_set_region(&self->vm, 3, GPA_FREE + SIZE / 2, SIZE / 2, self->mem, 0));
	hm_work(self->v, 0, PAGES / 2, true);
	for (i = 0; i < PAGES / 2; i++)
		hm_tag[PAGES / 2 + i] = hm_tag[i];
	hm_work(self->v, PAGES / 2, PAGES / 2, true);
	for (i = 0; i < PAGES / 2; i++)
		hm_tag[i] = hm_tag[PAGES / 2 + i];
	hm_work(self->v, 0, PAGES / 2, false);
	/* Dropped: it goes from both. */
	ASSERT_EQ(0, madvise(self->mem + 9 * PAGE, 5 * PAGE, MADV_DONTNEED));
	for (i = 9; i < 14; i++)
		hm_tag[i] = hm_tag[PAGES / 2 + i] = 0;
	hm_work(self->v, 0, PAGES, false);
}

TEST_HARNESS_MAIN
