// SPDX-License-Identifier: GPL-2.0-only
/* Much memory, many slots: all of them work, and cost page tables only for what is touched. */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "kselftest_harness.h"
#include "hostmem.h"

#define GIB		(1ull << 30)
#define HIGH		(4 * GIB)	/* above it the guest's tables are made by the test */

FIXTURE(scale)
{
	struct test_vm vm;
	struct test_vcpu *v;
};

FIXTURE_SETUP(scale)
{
	uint64_t i;

	vm_create(&self->vm, TEST_IRQCHIP_NONE);
	/* Identity from 4 GiB to 1 TiB, by pages of 1 GiB: the rest of the one PDPT, and another. */
	for (i = 4; i < 512; i++)
		self->vm.tables[512 + i] = i << 30 | 0x83;
	self->vm.tables[1] = (GPA_TABLES + 6 * PAGE) | 3;
	for (i = 0; i < 512; i++)
		self->vm.tables[6 * 512 + i] = (512 + i) << 30 | 0x83;
	self->v = vcpu_create(&self->vm, 0);
}

FIXTURE_TEARDOWN(scale)
{
	vm_destroy(&self->vm);
}

/* ---- as many slots as there may be ---- */

#define NR_SLOTS	32764ull
#define GAP		2		/* pages from slot to slot: no two touch each other */

static volatile uint64_t look_first, look_step, look_n;

/* Each slot says its number. */
static void guest_look(void)
{
	for (;;) {
		uint64_t i, n;

		for (i = 0, n = look_first; i < look_n; i++, n += look_step) {
			volatile uint64_t *p = (void *)(HIGH + n * GAP * PAGE);

			if (p[0] != n)
				guest_say(MSG_FAIL, n);
			p[1] = n + 7;
		}
		guest_sync(i);
	}
}

static void look(struct test_vcpu *v, uint64_t first, uint64_t n, uint64_t step)
{
	look_first = first;
	look_n = n;
	look_step = step;
	vcpu_expect(v, MSG_SYNC);
}

TEST_F_TIMEOUT(scale, all_slots, 600)
{
	uint64_t nr = kvm_cap(self->vm.fd, KVM_CAP_NR_MEMSLOTS), i;
	uint8_t *mem = hm_map(NR_SLOTS * PAGE, false);
	int64_t tables;

	ASSERT_EQ(NR_SLOTS, nr);
	ASSERT_NE(NULL, mem);
	/* Slots 0 and 1 are the program's and the tables'. */
	for (i = 2; i < nr; i++)
		ASSERT_EQ(0, vm_set_region(&self->vm, i, HIGH + i * GAP * PAGE, PAGE, mem + i * PAGE,
					   0));
	EXPECT_ERR(EINVAL, vm_set_region(&self->vm, nr, HIGH, PAGE, mem, 0));
	EXPECT_ERR(EEXIST, vm_set_region(&self->vm, 9, HIGH + 10 * GAP * PAGE, PAGE, mem + 9 * PAGE,
					 0));
	for (i = 2; i < nr; i += 101)
		*(uint64_t *)(mem + i * PAGE) = i;
	vcpu_start(self->v, guest_look);
	look(self->v, 2, nr / 101, 101);
	for (i = 2; i < 2 + nr / 101 * 101; i += 101)
		ASSERT_EQ(i + 7, *(uint64_t *)(mem + i * PAGE + 8));
	/* The host takes one page from the middle: the one slot's, and no other's. */
	tables = kvm_stat(self->v->fd, "pf_taken");
	i = 2 + 101 * 100;
	ASSERT_EQ(0, madvise(mem + i * PAGE, PAGE, MADV_DONTNEED));
	*(uint64_t *)(mem + i * PAGE) = i;
	look(self->v, 2, nr / 101, 101);
	EXPECT_GE(tables + 5, kvm_stat(self->v->fd, "pf_taken"));
	/* Every third goes, the others are there. */
	for (i = 2; i < nr; i += 303)
		ASSERT_EQ(0, vm_set_region(&self->vm, i, 0, 0, mem, 0));
	look(self->v, 2 + 101, nr / 303, 303);
	munmap(mem, NR_SLOTS * PAGE);
}

/* ---- a large guest that uses little ---- */

#define SPARSE		(1024 * GIB - HIGH)	/* 1 TiB with what is below */
#define TOUCHED		64ull

static volatile uint64_t sparse_round;

static void guest_sparse(void)
{
	for (;;) {
		uint64_t i;

		/* Far from each other: no two share a table of small pages. */
		for (i = 0; i < TOUCHED; i++) {
			volatile uint64_t *p = (void *)(HIGH + i * (SPARSE / TOUCHED) + 4096 * i);

			guest_assert(*p == (sparse_round ? i + sparse_round - 1 : 0));
			*p = i + sparse_round;
		}
		guest_sync(i);
	}
}

/* Tables of the root and the program; and those of a VM that has ended may still be on their way out. */
#define SOME_TABLES	40

/* Page tables of this machine that are neither the kernel's nor a process': KiB, or -1. */
static long stage2_kib(void)
{
	return host_field("/proc/meminfo", "SecPageTables");
}

TEST_F(scale, sparse_guest)
{
	uint8_t *mem = mmap(NULL, SPARSE, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	long before = stage2_kib(), with;

	if ((cpuid_reg(self->vm.kvm, 0x80000008, 0, 0) & 0xff) < 40)
		SKIP(return, "this CPU addresses less than 1 TiB");
	ASSERT_NE(MAP_FAILED, mem);
	madvise(mem, SPARSE, MADV_NOHUGEPAGE);
	ASSERT_EQ(0, vm_set_region(&self->vm, SLOT_FREE, HIGH, SPARSE, mem, 0));
	vcpu_start(self->v, guest_sparse);
	vcpu_expect(self->v, MSG_SYNC);
	sparse_round = 1;
	vcpu_expect(self->v, MSG_SYNC);
	with = stage2_kib();
	if (before >= 0) {
		/* Two tables a page (2 MiB, 1 GiB). */
		EXPECT_LE(before + (long)((2 * TOUCHED - SOME_TABLES) * 4), with);
		EXPECT_GE(before + (long)((2 * TOUCHED + SOME_TABLES) * 4), with);
	}
	/* The whole range goes at once, and so do its tables. */
	ASSERT_EQ(0, madvise(mem, SPARSE, MADV_DONTNEED));
	sparse_round = 0;
	vcpu_expect(self->v, MSG_SYNC);
	ASSERT_EQ(0, vm_set_region(&self->vm, SLOT_FREE, 0, 0, mem, 0));
	munmap(mem, SPARSE);
}

/* ---- what page tables cost is the VMM's, and is shown ---- */

static volatile uint64_t many_pages;

/* One byte in each 2 MiB: a table each. */
static void guest_touch_tables(void)
{
	for (;;) {
		uint64_t i;

		for (i = 0; i < many_pages; i++)
			*(volatile uint8_t *)(HIGH + i * LARGE) = 1;
		guest_sync(i);
	}
}

TEST_F(scale, tables_are_charged)
{
	const uint64_t tables = 512;
	long before, with, meminfo = stage2_kib();
	uint8_t *mem;
	uint64_t i;

	if (meminfo < 0)
		SKIP(return, "this kernel does not count such tables");
	if (!host_group_enter())
		SKIP(return, "no cgroup with memory");
	/* 16 MiB of the host's, 64 times: 1 GiB of the guest's. */
	mem = hm_map(16 << 20, false);
	for (i = 0; i < 64; i++)
		ASSERT_EQ(0, vm_set_region(&self->vm, SLOT_FREE + i, HIGH + (i * 16 << 20),
					   16 << 20, mem, 0));
	before = host_field(HOST_GROUP "/memory.stat", "sec_pagetables");
	ASSERT_LE(0, before);
	many_pages = tables;
	vcpu_start(self->v, guest_touch_tables);
	vcpu_expect(self->v, MSG_SYNC);
	with = host_field(HOST_GROUP "/memory.stat", "sec_pagetables");
	EXPECT_LE(before + (long)((tables - SOME_TABLES) * PAGE), with);
	EXPECT_GE(before + (long)((tables + SOME_TABLES) * PAGE), with);
	for (i = 0; i < 64; i++)
		ASSERT_EQ(0, vm_set_region(&self->vm, SLOT_FREE + i, 0, 0, mem, 0));
	/* Freed by work, soon. */
	for (i = 0; i < 200 && host_field(HOST_GROUP "/memory.stat", "sec_pagetables") >
		    before + (long)(SOME_TABLES * PAGE); i++)
		usleep(50000);
	EXPECT_GE(before + (long)(SOME_TABLES * PAGE),
		  host_field(HOST_GROUP "/memory.stat", "sec_pagetables"));
	host_group_leave();
	munmap(mem, 16 << 20);
}

TEST_HARNESS_MAIN
