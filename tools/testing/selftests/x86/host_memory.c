// SPDX-License-Identifier: GPL-2.0-only
/*
 * What Linux does to the VMM's memory by the VMM's own calls, and by itself: the guest's data is what
 * the VMM's would be, and only what changed has to fault again.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "kselftest_harness.h"
#include "hostmem.h"

/*
 * Two blocks of 2 MiB. What the host changes lies in the first: some changes (those that split a mapping)
 * it tells for the whole of the 2 MiB around them. The second is what must be spared.
 */
#define BLOCK	512ull
#define PAGES	(2 * BLOCK)
#define SIZE	(PAGES * PAGE)

FIXTURE(host)
{
	struct test_vm vm;
	struct test_vcpu *v;
	uint8_t *mem;
};

/* The guest has written all pages, and has nothing to fault on any more. */
static void warm(FIXTURE_DATA(host) *self)
{
	hm_work(self->v, 0, PAGES, true);
	hm_work(self->v, 0, PAGES, true);
}

FIXTURE_SETUP(host)
{
	vm_create(&self->vm, TEST_IRQCHIP_NONE);
	self->v = vcpu_create(&self->vm, 0);
	self->mem = hm_map(SIZE, false);
	ASSERT_NE(NULL, self->mem);
	hm_fill(self->mem, 0, PAGES);
	ASSERT_EQ(0, vm_set_region(&self->vm, SLOT_FREE, GPA_FREE, SIZE, self->mem, 0));
	vcpu_start(self->v, hm_guest);
	warm(self);
}

FIXTURE_TEARDOWN(host)
{
	vm_destroy(&self->vm);
	munmap(self->mem, SIZE);
}

#define FAULTS()	kvm_stat(self->v->fd, "pf_taken")

/*
 * The guest goes over all pages. In the changed block it faults at least @min times and at most @max; in
 * the other not at all, but for two that the program's image may take.
 */
#define EXPECT_FAULTS(min, max)						\
do {									\
	int64_t f0_ = FAULTS(), f1_, f2_;				\
									\
	hm_work(self->v, BLOCK, BLOCK, true);				\
	f1_ = FAULTS();							\
	hm_work(self->v, 0, BLOCK, true);				\
	f2_ = FAULTS();							\
	EXPECT_GE(2, f1_ - f0_);					\
	EXPECT_LE((int64_t)(min), f2_ - f1_);				\
	EXPECT_GE((int64_t)(max), f2_ - f1_);				\
	EXPECT_EQ(0, hm_wrong(self->mem, 0, PAGES));			\
} while (0)

/* Of one page: read (the zero page), write, and once more where another CPU's copy was in the way. */
#define EACH(n)		(3 * (n))

TEST_F(host, nothing_changes)
{
	EXPECT_FAULTS(0, 0);
}

/* Pages are dropped: zeroes there, and only there. */
static void dropped(uint64_t first, uint64_t n)
{
	uint64_t i;

	for (i = first; i < first + n; i++)
		hm_tag[i] = 0;
}

TEST_F(host, dontneed)
{
	ASSERT_EQ(0, madvise(self->mem + 7 * PAGE, PAGE, MADV_DONTNEED));
	dropped(7, 1);
	EXPECT_FAULTS(1, EACH(1));
	ASSERT_EQ(0, madvise(self->mem + 100 * PAGE, 50 * PAGE, MADV_DONTNEED));
	dropped(100, 50);
	EXPECT_FAULTS(50, EACH(50));
	ASSERT_EQ(0, madvise(self->mem, SIZE / 2, MADV_DONTNEED));
	dropped(0, BLOCK);
	EXPECT_FAULTS(BLOCK, EACH(BLOCK));
	EXPECT_FAULTS(0, 0);
}

/* Advice that changes no data and takes no page. */
TEST_F(host, other_advice)
{
	static const int advice[] = { MADV_NORMAL, MADV_RANDOM, MADV_SEQUENTIAL, MADV_WILLNEED,
				      MADV_COLD, MADV_DONTFORK, MADV_DOFORK, MADV_DONTDUMP,
				      MADV_DODUMP, MADV_KEEPONFORK, MADV_UNMERGEABLE };
	unsigned int i;

	for (i = 0; i < sizeof(advice) / sizeof(advice[0]); i++) {
		ASSERT_EQ(0, madvise(self->mem + 64 * PAGE, 64 * PAGE, advice[i]));
		EXPECT_FAULTS(0, BLOCK);
	}
}

/*
 * Freed lazily: a page may go until it is written again, and must not go after that. The guest's
 * write has to count as one for the host, though the page stayed where it was.
 */
TEST_F(host, free)
{
	uint64_t i;

	ASSERT_EQ(0, madvise(self->mem + 128 * PAGE, 128 * PAGE, MADV_FREE));
	for (i = 128; i < 256; i++)
		hm_maybe[i] = 1;
	/* 128 to 191 are the guest's again. */
	hm_work(self->v, 128, 64, false);
	hm_work(self->v, 128, 64, true);
	hm_work(self->v, 0, 128, true);
	/* Reclaimed now: without swap, what is dirty stays. */
	madvise(self->mem, SIZE, MADV_PAGEOUT);
	EXPECT_EQ(0, hm_wrong(self->mem, 128, 64));
	hm_work(self->v, 0, PAGES, false);
	/* Those that are gone say 0 from now on. */
	for (i = 192; i < 256; i++) {
		hm_tag[i] = *(volatile uint64_t *)(self->mem + i * PAGE);
		hm_maybe[i] = 0;
	}
	warm(self);
	EXPECT_FAULTS(0, 0);
}

/* ---- protection, moves, holes ---- */

TEST_F(host, mprotect)
{
	uint8_t *p = self->mem + 32 * PAGE;
	int64_t before;

	/* Rights that are the same again: nothing faults. Less and more: those pages only. */
	ASSERT_EQ(0, mprotect(p, 32 * PAGE, PROT_READ | PROT_WRITE));
	EXPECT_FAULTS(0, 0);
	ASSERT_EQ(0, mprotect(p, 32 * PAGE, PROT_READ));
	before = FAULTS();
	hm_work(self->v, BLOCK, BLOCK, false);
	EXPECT_GE(2, FAULTS() - before);
	hm_work(self->v, 0, BLOCK, false);
	hm_first = 40;
	hm_count = 1;
	hm_write = true;
	EXPECT_ERR(EFAULT, ioctl(self->v->fd, KVM_RUN, 0));
	ASSERT_EQ(0, mprotect(p, 32 * PAGE, PROT_READ | PROT_WRITE));
	vcpu_expect(self->v, MSG_SYNC);
	EXPECT_FAULTS(0, 2 * BLOCK);
	EXPECT_FAULTS(0, 0);
}

TEST_F(host, mremap)
{
	uint8_t *p = self->mem + 200 * PAGE, *other = hm_map(LARGE, false);
	uint64_t *word = (uint64_t *)other;

	ASSERT_NE(NULL, other);
	/* Other memory in the place of two pages; where they went, the guest's data is. */
	word[0] = 0xabc;
	word[512] = 0xdef;
	ASSERT_EQ(other + LARGE / 2,
		  mremap(p, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, other + LARGE / 2));
	EXPECT_EQ(hm_tag[200], *(uint64_t *)(other + LARGE / 2));
	EXPECT_EQ(hm_tag[201], *(uint64_t *)(other + LARGE / 2 + PAGE));
	hm_first = 200;
	hm_count = 1;
	EXPECT_ERR(EFAULT, ioctl(self->v->fd, KVM_RUN, 0));
	ASSERT_EQ(p, mremap(other, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, p));
	hm_tag[200] = 0xabc;
	hm_tag[201] = 0xdef;
	vcpu_expect(self->v, MSG_SYNC);
	EXPECT_FAULTS(0, 2 * BLOCK);
	/* And back: what the guest wrote meanwhile is not there. */
	ASSERT_EQ(p, mremap(other + LARGE / 2, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
			    p));
	hm_tag[200] = *(uint64_t *)p;
	hm_tag[201] = *(uint64_t *)(p + PAGE);
	EXPECT_FAULTS(1, 2 * BLOCK);
	munmap(other, LARGE);
}

TEST_F(host, munmap)
{
	uint8_t *p = self->mem + 300 * PAGE;

	ASSERT_EQ(0, munmap(p, 3 * PAGE));
	/* The rest is as before. */
	hm_work(self->v, 0, 300, true);
	hm_work(self->v, 303, PAGES - 303, true);
	hm_first = 301;
	hm_count = 1;
	EXPECT_ERR(EFAULT, ioctl(self->v->fd, KVM_RUN, 0));
	ASSERT_EQ(p, mmap(p, 3 * PAGE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
	dropped(300, 3);
	vcpu_expect(self->v, MSG_SYNC);
	EXPECT_FAULTS(2, 2 * BLOCK);
}

/* ---- fork: copy on write, both ways ---- */

static int child(uint8_t *mem, int from, int to)
{
	uint64_t then[PAGES], i, bad = 0;
	char c = 0;

	for (i = 0; i < PAGES; i++)
		then[i] = *(uint64_t *)(mem + i * PAGE);
	if (write(to, &c, 1) != 1 || read(from, &c, 1) != 1)
		return 1;
	/* The guest has written since: not here. */
	for (i = 0; i < PAGES; i++)
		bad += then[i] != *(uint64_t *)(mem + i * PAGE);
	memset(mem, 0xcc, SIZE);
	return bad ? 2 : 0;
}

TEST_F(host, fork)
{
	int up[2], down[2], status;
	char c = 0;
	pid_t pid;

	ASSERT_EQ(0, pipe(up));
	ASSERT_EQ(0, pipe(down));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid)
		_exit(child(self->mem, down[0], up[1]));
	ASSERT_EQ(1, read(up[0], &c, 1));
	/* The stack and the image are copied too, so count by the pages' own. */
	hm_work(self->v, 0, PAGES, true);
	hm_work(self->v, 0, PAGES, true);
	ASSERT_EQ(1, write(down[1], &c, 1));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_TRUE(WIFEXITED(status));
	EXPECT_EQ(0, WEXITSTATUS(status));
	hm_work(self->v, 0, PAGES, true);
	EXPECT_FAULTS(0, 0);
}

/* A child that only reads, while the guest writes; then the only owner writes in place again. */
TEST_F(host, fork_and_read)
{
	int64_t before;
	int status, i;
	pid_t pid;

	for (i = 0; i < 5; i++) {
		pid = fork();
		ASSERT_LE(0, pid);
		if (!pid)
			_exit(hm_wrong(self->mem, 0, PAGES) ? 1 : 0);
		ASSERT_EQ(pid, waitpid(pid, &status, 0));
		EXPECT_EQ(0, status);
		before = FAULTS();
		hm_work(self->v, 0, PAGES, true);
		EXPECT_LE((int64_t)PAGES, FAULTS() - before);
		EXPECT_EQ(0, hm_wrong(self->mem, 0, PAGES));
	}
}

/* ---- pages that move ---- */

#define MADV_SOFT_OFFLINE_	101

static uint64_t frame_of(const uint8_t *mem, uint64_t page)
{
	return PM_PFN(host_pagemap(mem + page * PAGE));
}

/* The host moves a page's contents to another page, and never uses the old one again. */
TEST_F(host, migrated)
{
	static uint64_t was[BLOCK];
	uint64_t i, moved = 0;

	for (i = 0; i < BLOCK; i += 16) {
		was[i] = frame_of(self->mem, i);
		if (madvise(self->mem + i * PAGE, PAGE, MADV_SOFT_OFFLINE_))
			SKIP(return, "no MADV_SOFT_OFFLINE");
		hm_work(self->v, i, 1, true);
		moved += was[i] != frame_of(self->mem, i);
	}
	EXPECT_EQ(BLOCK / 16, moved);
	EXPECT_FAULTS(0, EACH(BLOCK / 16));
}

/* Every other page of much memory is free, and the host puts together what it can, the guest's or others'. */
#define MUCH	(64ull << 20)

TEST_F(host, compaction)
{
	/* Compaction fills the top of memory from its bottom: what comes before and after ours makes room on both sides. */
	uint8_t *below = hm_map(MUCH, false), *much = hm_map(MUCH, false), *above = hm_map(MUCH, false);
	uint64_t i;
	long done;

	ASSERT_NE(NULL, below);
	ASSERT_NE(NULL, much);
	ASSERT_NE(NULL, above);
	memset(below, 1, MUCH);
	memset(much, 1, MUCH);
	memset(above, 1, MUCH);
	munmap(below, MUCH);
	munmap(above, MUCH);
	hm_fill(much, 0, PAGES);
	ASSERT_EQ(0, vm_set_region(&self->vm, SLOT_FREE, 0, 0, much, 0));
	ASSERT_EQ(0, vm_set_region(&self->vm, SLOT_FREE, GPA_FREE, SIZE, much, 0));
	hm_step = 2;
	hm_work(self->v, 0, BLOCK, true);
	for (i = 0; i < MUCH; i += 2 * PAGE)
		madvise(much + i + PAGE, PAGE, MADV_DONTNEED);
	done = host_field("/proc/vmstat", "pgmigrate_success");
	if (host_write("/proc/sys/vm/compact_memory", "1"))
		SKIP(return, "no compaction");
	EXPECT_LT(done, host_field("/proc/vmstat", "pgmigrate_success"));
	hm_work(self->v, 0, BLOCK, true);
	hm_work(self->v, 0, BLOCK, false);
	hm_step = 1;
	ASSERT_EQ(0, vm_set_region(&self->vm, SLOT_FREE, 0, 0, much, 0));
	munmap(much, MUCH);
}

/* The VMM's whole address space goes while a vCPU's fd lives on in a child: nothing is mapped there. */
TEST_F(host, another_process)
{
	int status;
	pid_t pid = fork();

	ASSERT_LE(0, pid);
	if (!pid)
		_exit(ioctl(self->v->fd, KVM_RUN, 0) == -1 && errno == EIO ? 0 : 1);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	hm_work(self->v, 0, PAGES, true);
}

TEST_HARNESS_MAIN
