// SPDX-License-Identifier: GPL-2.0-only
/*
 * Large pages of stage 2: as large as the host's mapping, the alignment and the slot allow; they follow
 * the host's collapses and splits; and they are not executable where that is asked for.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "kselftest_harness.h"
#include "hostmem.h"

#define SIZE		HM_SIZE
#define PAGES		HM_PAGES
#define LARGE_PAGES	(LARGE / PAGE)
#define NR_LARGE	(SIZE / LARGE)
#define GIB		(1ull << 30)

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE	25
#endif

FIXTURE(huge)
{
	struct test_vm vm;
	struct test_vcpu *v;
	uint8_t *mem;
	size_t size;
};

FIXTURE_SETUP(huge)
{
	vm_create(&self->vm, TEST_IRQCHIP_NONE);
	self->v = vcpu_create(&self->vm, 0);
	vcpu_start(self->v, hm_guest);
}

FIXTURE_TEARDOWN(huge)
{
	vm_destroy(&self->vm);
	if (self->mem)
		munmap(self->mem, self->size);
}

#define STAT(name)	kvm_stat(self->vm.fd, name)

/* Large pages of stage 2 beside those of the program's image and page tables. */
static int64_t other_2m;

static bool map_thp(FIXTURE_DATA(huge) *self)
{
	self->size = SIZE;
	self->mem = hm_map(SIZE, true);
	hm_fill(self->mem, 0, PAGES);
	other_2m = kvm_stat(self->vm.fd, "pages_2m");
	return host_smaps(self->mem, "AnonHugePages") == (long)(SIZE / 1024);
}

#define NEED_THP()								\
do {										\
	if (!map_thp(self))							\
		SKIP(return, "the host gives no large pages");			\
} while (0)

#define LARGE_NOW()	(STAT("pages_2m") - other_2m)

TEST_F(huge, as_the_host_maps_it)
{
	NEED_THP();
	ASSERT_EQ(0, vm_set_region(&self->vm, SLOT_FREE, GPA_FREE, SIZE, self->mem, 0));
	hm_work(self->v, 0, PAGES, true);
	EXPECT_EQ((int64_t)NR_LARGE, LARGE_NOW());
	/* Small there, small here; the others stay. */
	ASSERT_EQ(0, mprotect(self->mem + LARGE + PAGE, PAGE, PROT_READ));
	hm_work(self->v, 0, PAGES, false);
	EXPECT_EQ((int64_t)NR_LARGE - 1, LARGE_NOW());
	ASSERT_EQ(0, mprotect(self->mem + LARGE + PAGE, PAGE, PROT_READ | PROT_WRITE));
	hm_work(self->v, 0, PAGES, true);
	EXPECT_EQ((int64_t)NR_LARGE - 1, LARGE_NOW());
	EXPECT_EQ(0, hm_wrong(self->mem, 0, PAGES));
}

/* A part is dropped: the host splits its page; collapsed again, it is large for the guest too. */
TEST_F(huge, split_and_collapse)
{
	int64_t faults;
	int round;

	NEED_THP();
	if (!on_keel() && host_is_intel())
		SKIP(return, "with stock KVM on VT-x it stays small; why is not known");
	ASSERT_EQ(0, vm_set_region(&self->vm, SLOT_FREE, GPA_FREE, SIZE, self->mem, 0));
	hm_work(self->v, 0, PAGES, true);
	for (round = 0; round < 3; round++) {
		uint64_t first = (1 + round) * LARGE_PAGES + 77;

		ASSERT_EQ(0, madvise(self->mem + first * PAGE, PAGE, MADV_DONTNEED));
		hm_tag[first] = 0;
		hm_work(self->v, 0, PAGES, true);
		EXPECT_EQ((int64_t)NR_LARGE - 1, LARGE_NOW());
		if (madvise(self->mem + (1 + round) * LARGE, LARGE, MADV_COLLAPSE))
			SKIP(return, "no MADV_COLLAPSE");
		faults = kvm_stat(self->v->fd, "pf_taken");
		hm_work(self->v, 0, PAGES, true);
		EXPECT_EQ((int64_t)NR_LARGE, LARGE_NOW());
		/* One fault for the large page, or one more for its write. */
		EXPECT_GE(faults + 4, kvm_stat(self->v->fd, "pf_taken"));
		EXPECT_EQ(0, hm_wrong(self->mem, 0, PAGES));
	}
}

/* gpa and hva differ in the bits below 2 MiB: no large page, whatever the host has. */
TEST_F(huge, alignment)
{
	NEED_THP();
	ASSERT_EQ(0, vm_set_region(&self->vm, SLOT_FREE, GPA_FREE, SIZE - LARGE, self->mem + PAGE,
				   0));
	hm_fill(self->mem + PAGE, 0, PAGES - LARGE_PAGES);
	hm_work(self->v, 0, PAGES - LARGE_PAGES, true);
	EXPECT_EQ(0, LARGE_NOW());
	EXPECT_EQ(0, hm_wrong(self->mem + PAGE, 0, PAGES - LARGE_PAGES));
}

/* A slot that begins and ends inside large pages: those two stay small. */
TEST_F(huge, edges_of_the_slot)
{
	const uint64_t off = 100;

	NEED_THP();
	ASSERT_EQ(0, vm_set_region(&self->vm, SLOT_FREE, GPA_FREE + off * PAGE,
				   SIZE - 2 * off * PAGE, self->mem + off * PAGE, 0));
	hm_work(self->v, off, PAGES - 2 * off, true);
	EXPECT_EQ((int64_t)NR_LARGE - 2, LARGE_NOW());
	EXPECT_EQ(0, hm_wrong(self->mem, off, PAGES - 2 * off));
}

TEST_F(huge, two_slots_share_a_large_page)
{
	NEED_THP();
	ASSERT_EQ(0, vm_set_region(&self->vm, 2, GPA_FREE, LARGE + LARGE / 2, self->mem, 0));
	ASSERT_EQ(0, vm_set_region(&self->vm, 3, GPA_FREE + LARGE + LARGE / 2,
				   SIZE - LARGE - LARGE / 2, self->mem + LARGE + LARGE / 2,
				   KVM_MEM_READONLY));
	hm_work(self->v, 0, PAGES, false);
	EXPECT_EQ((int64_t)NR_LARGE - 1, LARGE_NOW());
	hm_work(self->v, 0, LARGE_PAGES + LARGE_PAGES / 2, true);
	hm_work(self->v, 0, PAGES, false);
}

/* A slot that held a part of a large page makes room for one that holds all of it. */
TEST_F(huge, where_small_pages_were)
{
	NEED_THP();
	ASSERT_EQ(0, vm_set_region(&self->vm, SLOT_FREE, GPA_FREE, LARGE / 2, self->mem, 0));
	hm_work(self->v, 0, LARGE_PAGES / 2, true);
	EXPECT_EQ(0, LARGE_NOW());
	ASSERT_EQ(0, vm_set_region(&self->vm, SLOT_FREE, GPA_FREE, 0, self->mem, 0));
	ASSERT_EQ(0, vm_set_region(&self->vm, SLOT_FREE, GPA_FREE, SIZE, self->mem, 0));
	hm_work(self->v, 0, PAGES, true);
	EXPECT_EQ((int64_t)NR_LARGE, LARGE_NOW());
	EXPECT_EQ(0, hm_wrong(self->mem, 0, PAGES));
}

/* ---- hugetlbfs ---- */

static bool map_hugetlb(FIXTURE_DATA(huge) *self, size_t size, int order)
{
	char path[96], n[16];

	snprintf(path, sizeof(path), "/sys/kernel/mm/hugepages/hugepages-%lukB/nr_hugepages",
		 (1ul << order) / 1024);
	snprintf(n, sizeof(n), "%lu", size >> order);
	if (host_read(path) < (long)(size >> order))
		host_write(path, n);
	self->size = size;
	self->mem = mmap(NULL, size, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | order << MAP_HUGE_SHIFT, -1, 0);
	if (self->mem == MAP_FAILED)
		self->mem = NULL;
	other_2m = kvm_stat(self->vm.fd, "pages_2m");
	return self->mem;
}

TEST_F(huge, hugetlb_2m)
{
	int round;

	if (!map_hugetlb(self, SIZE, 21))
		SKIP(return, "no pages of hugetlbfs");
	hm_fill(self->mem, 0, PAGES);
	ASSERT_EQ(0, vm_set_region(&self->vm, SLOT_FREE, GPA_FREE, SIZE, self->mem, 0));
	for (round = 0; round < 2; round++) {
		hm_work(self->v, 0, PAGES, true);
		EXPECT_EQ((int64_t)NR_LARGE, LARGE_NOW());
		ASSERT_EQ(0, madvise(self->mem + LARGE, LARGE, MADV_DONTNEED));
		memset((void *)(hm_tag + LARGE_PAGES), 0, LARGE_PAGES * sizeof(hm_tag[0]));
		EXPECT_EQ((int64_t)NR_LARGE - 1, LARGE_NOW());
	}
	hm_work(self->v, 0, PAGES, true);
	EXPECT_EQ(0, hm_wrong(self->mem, 0, PAGES));
}

/* GPA_FREE is 3 GiB, and the guest's own tables end at 4. */
TEST_F(huge, hugetlb_1g)
{
	int64_t before;

	if (!map_hugetlb(self, GIB, 30))
		SKIP(return, "no page of 1 GiB");
	hm_fill(self->mem, 0, PAGES);
	before = STAT("pages_1g");
	ASSERT_EQ(0, vm_set_region(&self->vm, SLOT_FREE, GPA_FREE, GIB, self->mem, 0));
	hm_work(self->v, 0, PAGES, true);
	EXPECT_EQ(before + 1, STAT("pages_1g"));
	EXPECT_EQ(0, LARGE_NOW());
	EXPECT_EQ(0, hm_wrong(self->mem, 0, PAGES));
	/* A log makes it small, its end makes it whole. */
	ASSERT_EQ(0, vm_set_region(&self->vm, SLOT_FREE, GPA_FREE, GIB, self->mem,
				   KVM_MEM_LOG_DIRTY_PAGES));
	hm_work(self->v, 0, PAGES, true);
	EXPECT_EQ(before, STAT("pages_1g"));
	ASSERT_EQ(0, vm_set_region(&self->vm, SLOT_FREE, GPA_FREE, GIB, self->mem, 0));
	hm_work(self->v, 0, PAGES, true);
	EXPECT_EQ(0, hm_wrong(self->mem, 0, PAGES));
	if (on_keel())
		EXPECT_EQ(before + 1, STAT("pages_1g"));
}

/* ---- executable large pages (iTLB multihit) ---- */

#define PARAM		"/sys/module/kvm/parameters/"

static volatile uint64_t exec_page;

/* Data and code in the same memory: calls the page's second word, which holds RET. */
static void guest_exec(void)
{
	for (;;) {
		((void (*)(void))(GPA_FREE + exec_page * PAGE + 8))();
		guest_sync(exec_page);
	}
}

static void exec_in(FIXTURE_DATA(huge) *self, uint64_t page)
{
	self->mem[page * PAGE + 8] = 0xc3;
	exec_page = page;
	vcpu_start(self->v, guest_exec);
	vcpu_expect(self->v, MSG_SYNC);
	vcpu_start(self->v, hm_guest);
}

/* The value as it was, given back at the end. */
static char nx_before;

static bool nx_set(const char *to)
{
	FILE *f = fopen(PARAM "nx_huge_pages", "r");

	if (f) {
		nx_before = fgetc(f);
		fclose(f);
	}
	return f && !host_write(PARAM "nx_huge_pages", to);
}

static void nx_reset(void)
{
	host_write(PARAM "nx_huge_pages", nx_before == 'Y' ? "force" : "off");
}

/* A kernel thread that takes split pages back. */
static bool nx_thread(void)
{
	DIR *d = opendir("/proc");
	struct dirent *e;
	bool found = false;

	while (d && (e = readdir(d))) {
		char path[300], name[32] = "";
		FILE *f;

		snprintf(path, sizeof(path), "/proc/%s/comm", e->d_name);
		f = fopen(path, "r");
		if (!f)
			continue;
		if (fgets(name, sizeof(name), f) && !strncmp(name, "kvm-nx-lpage", 12))
			found = true;
		fclose(f);
	}
	if (d)
		closedir(d);
	return found;
}

TEST_F_TIMEOUT(huge, not_executable, 120)
{
	int i;

	NEED_THP();
	if (!nx_set("force"))
		SKIP(return, "no parameter nx_huge_pages");
	host_write(PARAM "nx_huge_pages_recovery_ratio", "0");
	ASSERT_EQ(0, vm_set_region(&self->vm, SLOT_FREE, GPA_FREE, SIZE, self->mem, 0));
	hm_work(self->v, 0, PAGES, true);
	EXPECT_EQ((int64_t)NR_LARGE, LARGE_NOW());
	other_2m = STAT("pages_2m") - LARGE_NOW();
	/* One large page is executed: that one is split, data accesses keep the others. */
	exec_in(self, LARGE_PAGES + 5);
	EXPECT_EQ((int64_t)NR_LARGE - 1, LARGE_NOW());
	EXPECT_LE(1, STAT("nx_lpage_splits"));
	hm_work(self->v, 0, PAGES, true);
	EXPECT_EQ((int64_t)NR_LARGE - 1, LARGE_NOW());
	exec_in(self, LARGE_PAGES + 6);
	EXPECT_EQ((int64_t)NR_LARGE - 1, LARGE_NOW());
	if (on_keel())
		EXPECT_FALSE(nx_thread());

	/* All are taken back, and data accesses make a large page of it again. */
	host_write(PARAM "nx_huge_pages_recovery_period_ms", "100");
	ASSERT_EQ(0, host_write(PARAM "nx_huge_pages_recovery_ratio", "1"));
	exec_in(self, 3 * LARGE_PAGES);
	for (i = 0; i < 600 && STAT("nx_lpage_splits"); i++)
		usleep(100000);
	EXPECT_EQ(0, STAT("nx_lpage_splits"));
	hm_work(self->v, 0, PAGES, true);
	EXPECT_EQ((int64_t)NR_LARGE, LARGE_NOW());
	EXPECT_EQ(0, hm_wrong(self->mem, 0, PAGES));
	host_write(PARAM "nx_huge_pages_recovery_ratio", "60");
	host_write(PARAM "nx_huge_pages_recovery_period_ms", "0");
	nx_reset();
}

/* Switched off under the guest: large pages are executable at once, and back. */
TEST_F_TIMEOUT(huge, executable_when_off, 120)
{
	NEED_THP();
	if (!nx_set("off"))
		SKIP(return, "no parameter nx_huge_pages");
	ASSERT_EQ(0, vm_set_region(&self->vm, SLOT_FREE, GPA_FREE, SIZE, self->mem, 0));
	hm_work(self->v, 0, PAGES, true);
	exec_in(self, LARGE_PAGES + 5);
	EXPECT_EQ((int64_t)NR_LARGE, LARGE_NOW());
	EXPECT_EQ(0, STAT("nx_lpage_splits"));
	ASSERT_EQ(0, host_write(PARAM "nx_huge_pages", "force"));
	hm_work(self->v, 0, PAGES, true);
	exec_in(self, LARGE_PAGES + 5);
	EXPECT_LE(1, STAT("nx_lpage_splits"));
	EXPECT_EQ(0, hm_wrong(self->mem, 0, PAGES));
	EXPECT_EQ(-1, host_write(PARAM "nx_huge_pages", "perhaps"));
	nx_reset();
}

TEST_HARNESS_MAIN
