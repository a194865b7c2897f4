// SPDX-License-Identifier: GPL-2.0-only
/* Guest memory that the host merges with other memory of the same contents (KSM). */
#define _GNU_SOURCE
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "kselftest_harness.h"
#include "hostmem.h"

#define PAGES	512ull
#define SIZE	(PAGES * PAGE)
#define VMS	2
#define KSM	"/sys/kernel/mm/ksm/"

FIXTURE(ksm)
{
	struct test_vm vm[VMS];
	struct test_vcpu *v[VMS];
	uint8_t *mem[VMS];
	bool on;
};

/* Both VMs have the same pages, and no two pages of one VM are alike. */
FIXTURE_SETUP(ksm)
{
	int i;

	self->on = !host_write(KSM "pages_to_scan", "4000") &&
		   !host_write(KSM "sleep_millisecs", "1") && !host_write(KSM "run", "1");
	if (!self->on)
		SKIP(return, "no KSM");
	for (i = 0; i < VMS; i++) {
		vm_create(&self->vm[i], TEST_IRQCHIP_NONE);
		self->v[i] = vcpu_create(&self->vm[i], i);
		self->mem[i] = hm_map(SIZE, false);
		ASSERT_NE(NULL, self->mem[i]);
		hm_fill(self->mem[i], 0, PAGES);
		ASSERT_EQ(0, vm_set_region(&self->vm[i], SLOT_FREE, GPA_FREE, SIZE, self->mem[i],
					   0));
		vcpu_start(self->v[i], hm_guest);
		/* Mapped for the guest, writable: merging takes the right to write. */
		hm_work(self->v[i], 0, PAGES, false);
		ASSERT_EQ(0, madvise(self->mem[i], SIZE, MADV_MERGEABLE));
	}
}

FIXTURE_TEARDOWN(ksm)
{
	int i;

	host_write(KSM "run", "2");	/* merges are undone */
	for (i = 0; i < VMS && self->on; i++) {
		vm_destroy(&self->vm[i]);
		munmap(self->mem[i], SIZE);
	}
}

/* ksmd goes at its own pace: until so many pages are shared, or no hope is left. */
static long wait_sharing(long want)
{
	long n = 0;
	int i;

	for (i = 0; i < 3000 && n < want; i++) {
		usleep(20000);
		n = host_read(KSM "pages_sharing");
	}
	return n;
}

/* The frames behind the same page of the two VMs are one. */
static uint64_t merged(FIXTURE_DATA(ksm) *self)
{
	uint64_t i, n = 0;

	for (i = 0; i < PAGES; i++) {
		uint64_t a = PM_PFN(host_pagemap(self->mem[0] + i * PAGE));

		n += a && a == PM_PFN(host_pagemap(self->mem[1] + i * PAGE));
	}
	return n;
}

static void tags_of_fill(void)
{
	static uint8_t scratch[SIZE];

	hm_fill(scratch, 0, PAGES);
}

TEST_F_TIMEOUT(ksm, merged_and_broken, 300)
{
	uint64_t before;

	ASSERT_LE((long)PAGES * 9 / 10, wait_sharing(PAGES * 9 / 10));
	before = merged(self);
	EXPECT_LE(PAGES * 9 / 10, before);
	/* Reading keeps the pages shared. */
	hm_work(self->v[0], 0, PAGES, false);
	hm_work(self->v[1], 0, PAGES, false);
	EXPECT_LE(before, merged(self));
	/* The one VM writes half of them: the other's are as they were. */
	host_write(KSM "run", "0");
	hm_work(self->v[0], 0, PAGES / 2, true);
	EXPECT_GE(PAGES / 2, merged(self));
	EXPECT_EQ(0, hm_wrong(self->mem[0], 0, PAGES));
	/* The account is one VM's: the other still has what hm_fill() wrote. */
	tags_of_fill();
	EXPECT_EQ(0, hm_wrong(self->mem[1], 0, PAGES));
	hm_work(self->v[1], 0, PAGES, true);
	EXPECT_EQ(0, hm_wrong(self->mem[1], 0, PAGES));
}

/* The merging goes on while a guest writes: no write is lost. */
TEST_F_TIMEOUT(ksm, merging_while_the_guest_writes, 300)
{
	int i;

	ASSERT_LT(0, wait_sharing(1));
	for (i = 0; i < 200; i++)
		hm_work(self->v[0], i % 8 * 64, 64, i & 1);
	hm_work(self->v[0], 0, PAGES, true);
	EXPECT_EQ(0, hm_wrong(self->mem[0], 0, PAGES));
}

TEST_HARNESS_MAIN
