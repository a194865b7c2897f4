// SPDX-License-Identifier: GPL-2.0-only
/* Guest memory that is swapped out, and what the host knows of its use. The swap space is a zram. */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "kselftest_harness.h"
#include "hostmem.h"

#define PAGES	1024ull
#define SIZE	(PAGES * PAGE)

FIXTURE(swap)
{
	struct test_vm vm;
	struct test_vcpu *v;
	uint8_t *mem;
};

FIXTURE_SETUP(swap)
{
	if (!host_swap_on(64))
		SKIP(return, "no swap space on a zram");
	vm_create(&self->vm, TEST_IRQCHIP_NONE);
	self->v = vcpu_create(&self->vm, 0);
	self->mem = hm_map(SIZE, false);
	ASSERT_NE(NULL, self->mem);
	hm_fill(self->mem, 0, PAGES);
	ASSERT_EQ(0, vm_set_region(&self->vm, SLOT_FREE, GPA_FREE, SIZE, self->mem, 0));
	vcpu_start(self->v, hm_guest);
	hm_work(self->v, 0, PAGES, true);
}

FIXTURE_TEARDOWN(swap)
{
	if (!self->mem)
		return;
	vm_destroy(&self->vm);
	munmap(self->mem, SIZE);
	host_swap_off();
}

static uint64_t swapped(const uint8_t *mem, uint64_t first, uint64_t n)
{
	return host_pages_with(mem + first * PAGE, n, PM_SWAPPED);
}

#define FAULTS()	kvm_stat(self->v->fd, "pf_taken")

/* Linux 6.1 keeps what was used lately, also by a guest, until it is asked again. */
static uint64_t page_out(uint8_t *mem, uint64_t first, uint64_t n)
{
	int i;

	for (i = 0; i < 4 && swapped(mem, first, n) < n * 9 / 10; i++)
		madvise(mem + first * PAGE, n * PAGE, MADV_PAGEOUT);
	return swapped(mem, first, n);
}

/* Out with all of it, by the VMM's own wish; the guest brings it back. */
TEST_F(swap, out_and_in)
{
	int round;

	for (round = 0; round < 3; round++) {
		ASSERT_LT(PAGES * 9 / 10, page_out(self->mem, 0, PAGES));
		hm_work(self->v, 0, PAGES, round & 1);
		EXPECT_EQ(0, hm_wrong(self->mem, 0, PAGES));
		hm_work(self->v, 0, PAGES, true);
	}
	EXPECT_EQ(0, hm_wrong(self->mem, 0, PAGES));
}

/* A part is swapped out: the guest's accesses to the rest do not fault. */
TEST_F(swap, only_the_part)
{
	int64_t before;

	ASSERT_LT(230, page_out(self->mem, 512, 256));
	before = FAULTS();
	hm_work(self->v, 0, 512, true);
	hm_work(self->v, 768, PAGES - 768, true);
	EXPECT_GE(2, FAULTS() - before);
	hm_work(self->v, 512, 256, true);
	EXPECT_LE(200, FAULTS() - before);
	EXPECT_EQ(0, hm_wrong(self->mem, 0, PAGES));
}

/* A swapped page that the guest only reads stays clean, and one that it writes is saved again. */
TEST_F(swap, read_write_again)
{
	int i;

	for (i = 0; i < 4; i++) {
		ASSERT_LT(57, page_out(self->mem, 0, 64));
		hm_work(self->v, 0, 64, false);
		ASSERT_LT(57, page_out(self->mem, 0, 64));
		hm_work(self->v, 0, 64, true);
	}
	ASSERT_LT(57, page_out(self->mem, 0, 64));
	hm_work(self->v, 0, 64, false);
	EXPECT_EQ(0, hm_wrong(self->mem, 0, PAGES));
}

TEST_F(swap, swapoff)
{
	ASSERT_LT(PAGES * 9 / 10, page_out(self->mem, 0, PAGES));
	hm_work(self->v, 0, 100, true);
	host_swap_off();
	EXPECT_EQ(0, swapped(self->mem, 0, PAGES));
	hm_work(self->v, 0, PAGES, true);
	EXPECT_EQ(0, hm_wrong(self->mem, 0, PAGES));
}

/* ---- ageing: reclaim takes what the guest does not use ---- */

#define HOT	512ull
#define ALL	HM_PAGES

TEST_F(swap, reclaim_spares_what_the_guest_uses)
{
	uint64_t hot = 0, cold = 0;
	uint8_t *mem;
	int i;

	if (!host_group_enter() || access(HOST_GROUP "/memory.reclaim", W_OK))
		SKIP(return, "no cgroup with memory.reclaim");
	/* Charged to the group from the start. */
	mem = hm_map(HM_SIZE, false);
	ASSERT_NE(NULL, mem);
	ASSERT_EQ(0, vm_set_region(&self->vm, SLOT_FREE, 0, 0, self->mem, 0));
	hm_fill(mem, 0, ALL);
	ASSERT_EQ(0, vm_set_region(&self->vm, SLOT_FREE, GPA_FREE, HM_SIZE, mem, 0));
	hm_work(self->v, 0, ALL, true);
	/*
	 * A little at a time, half of all at most, and the guest goes on using its first quarter. The
	 * host's own page table says nothing of that: it has to ask.
	 */
	for (i = 0; i < 64 && swapped(mem, 0, ALL) < ALL / 2; i++) {
		hm_work(self->v, 0, HOT, true);
		host_write(HOST_GROUP "/memory.reclaim", "256K");
	}
	hot = swapped(mem, 0, HOT);
	cold = swapped(mem, HOT, ALL - HOT);
	TH_LOG("swapped: %lu of %llu used pages, %lu of %llu others", hot, HOT, cold, ALL - HOT);
	EXPECT_LT(ALL / 8, cold);
	/* A used page is spared, but for a few, in proportion. */
	EXPECT_LT(hot * 3 * (ALL - HOT), cold * HOT);
	hm_work(self->v, 0, ALL, true);
	EXPECT_EQ(0, hm_wrong(mem, 0, ALL));
	host_group_leave();
	ASSERT_EQ(0, vm_set_region(&self->vm, SLOT_FREE, 0, 0, mem, 0));
	munmap(mem, HM_SIZE);
}

TEST_HARNESS_MAIN
