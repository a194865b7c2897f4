// SPDX-License-Identifier: GPL-2.0-only
/* Memory slots: rules, changes under a running guest, read-only slots, dirty log, host mappings that change. */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include "kselftest_harness.h"
#include "testvm.h"

#define PAGE	4096ull
#define FREE	(*(volatile uint64_t *)GPA_FREE)

FIXTURE(slots)
{
	struct test_vm vm;
	struct test_vcpu *vcpu;
	uint8_t *mem;		/* 64 pages, not yet a slot */
};

FIXTURE_SETUP(slots)
{
	vm_create(&self->vm, TEST_IRQCHIP_NONE);
	self->vcpu = vcpu_create(&self->vm, 0);
	self->mem = mmap(NULL, 64 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			 -1, 0);
	ASSERT_NE(MAP_FAILED, self->mem);
}

FIXTURE_TEARDOWN(slots)
{
	vm_destroy(&self->vm);
	munmap(self->mem, 64 * PAGE);
}

#define REGION(slot, gpa, pages, off, flags) \
	vm_set_region(&self->vm, slot, gpa, (pages) * PAGE, self->mem + (off), flags)

TEST_F(slots, errors)
{
	EXPECT_ERR(EINVAL, vm_set_region(&self->vm, 2, GPA_FREE, 100, self->mem, 0));
	EXPECT_ERR(EINVAL, REGION(2, GPA_FREE + 1, 1, 0, 0));
	EXPECT_ERR(EINVAL, REGION(2, GPA_FREE, 1, 1, 0));
	EXPECT_ERR(EINVAL, REGION(2, GPA_FREE, 1, 0, 1 << 5));
	EXPECT_ERR(EINVAL, REGION(32764, GPA_FREE, 1, 0, 0));
	EXPECT_ERR(EINVAL, REGION(2 | 7 << 16, GPA_FREE, 1, 0, 0));
	if (kvm_cap(self->vm.fd, KVM_CAP_MULTI_ADDRESS_SPACE) < 2)
		EXPECT_ERR(EINVAL, REGION(2 | 1 << 16, GPA_FREE, 1, 0, 0));
	EXPECT_ERR(EINVAL, REGION(2, GPA_FREE, 0, 0, 0));	/* nothing to delete */
	EXPECT_ERR(EINVAL, REGION(2, ~0ull - PAGE + 1, 2, 0, 0));

	EXPECT_EQ(0, REGION(2, GPA_FREE, 16, 0, 0));
	EXPECT_EQ(0, REGION(2, GPA_FREE, 16, 0, 0));			/* the same again */
	EXPECT_ERR(EINVAL, REGION(2, GPA_FREE, 17, 0, 0));
	EXPECT_ERR(EINVAL, REGION(2, GPA_FREE, 16, PAGE, 0));
	EXPECT_ERR(EINVAL, REGION(2, GPA_FREE, 16, 0, KVM_MEM_READONLY));
	EXPECT_ERR(EEXIST, REGION(3, GPA_FREE + 15 * PAGE, 2, 0, 0));
	EXPECT_EQ(0, REGION(3, GPA_FREE + 16 * PAGE, 2, 0, 0));
	EXPECT_ERR(EEXIST, REGION(2, GPA_FREE + PAGE, 16, 0, 0));	/* move onto slot 3 */
	EXPECT_EQ(0, REGION(2, GPA_FREE, 0, 0, 0));
	EXPECT_EQ(0, REGION(3, GPA_FREE + 15 * PAGE, 2, 0, 0));	/* move */
	EXPECT_EQ(0, REGION(3, 0, 0, 0, 0));
}

TEST_F(slots, highest_slot_number)
{
	EXPECT_EQ(32764, kvm_cap(self->vm.fd, KVM_CAP_NR_MEMSLOTS));
	EXPECT_EQ(0, REGION(32763, GPA_FREE, 1, 0, 0));
	EXPECT_EQ(0, REGION(32763, GPA_FREE, 0, 0, 0));
}

static void guest_read_loop(void)
{
	for (;;)
		guest_sync(FREE);
}

TEST_F(slots, add_delete_move)
{
	struct test_vcpu *v = self->vcpu;

	*(uint64_t *)self->mem = 1;
	*(uint64_t *)(self->mem + 32 * PAGE) = 2;
	ASSERT_EQ(0, REGION(2, GPA_FREE, 1, 0, 0));
	vcpu_start(v, guest_read_loop);
	EXPECT_EQ(1, vcpu_expect(v, MSG_SYNC));
	*(uint64_t *)self->mem = 5;
	EXPECT_EQ(5, vcpu_expect(v, MSG_SYNC));
	ASSERT_EQ(0, REGION(2, GPA_FREE, 0, 0, 0));
	ASSERT_EQ(MSG_NONE, vcpu_run(v, NULL));
	EXPECT_EQ(KVM_EXIT_MMIO, v->run->exit_reason);
	EXPECT_EQ(GPA_FREE, v->run->mmio.phys_addr);
	memset(v->run->mmio.data, 0x77, 8);
	EXPECT_EQ(0x7777777777777777, vcpu_expect(v, MSG_SYNC));
	ASSERT_EQ(0, REGION(2, GPA_FREE + 4 * PAGE, 1, 32 * PAGE, 0));
	ASSERT_EQ(0, REGION(2, GPA_FREE, 1, 32 * PAGE, 0));		/* move */
	EXPECT_EQ(2, vcpu_expect(v, MSG_SYNC));
}

static void guest_write_ro(void)
{
	guest_sync(FREE);
	FREE = 99;
	guest_sync(FREE);
	guest_done();
}

TEST_F(slots, read_only)
{
	struct test_vcpu *v = self->vcpu;

	*(uint64_t *)self->mem = 7;
	ASSERT_EQ(0, REGION(2, GPA_FREE, 1, 0, KVM_MEM_READONLY));
	vcpu_start(v, guest_write_ro);
	EXPECT_EQ(7, vcpu_expect(v, MSG_SYNC));
	ASSERT_EQ(MSG_NONE, vcpu_run(v, NULL));
	EXPECT_EQ(KVM_EXIT_MMIO, v->run->exit_reason);
	EXPECT_EQ(1, v->run->mmio.is_write);
	EXPECT_EQ(99, *(uint64_t *)v->run->mmio.data);
	EXPECT_EQ(7, vcpu_expect(v, MSG_SYNC));
	EXPECT_EQ(7, *(uint64_t *)self->mem);
}

static volatile uint64_t touch_page, touch_write;

static void guest_touch(void)
{
	for (;;) {
		volatile uint8_t *p = (void *)(GPA_FREE + touch_page * PAGE);

		if (touch_write)
			*p = 1;
		else
			(void)*p;
		guest_sync(*p);
	}
}

static uint64_t dirty(struct test_vm *vm, int *ret)
{
	uint64_t bits = ~0ull;
	struct kvm_dirty_log log = { .slot = 2, .dirty_bitmap = &bits };

	*ret = ioctl(vm->fd, KVM_GET_DIRTY_LOG, &log);
	return bits;
}

static void touch(struct test_vcpu *v, unsigned int page, bool write)
{
	touch_page = page;
	touch_write = write;
	vcpu_expect(v, MSG_SYNC);
}

TEST_F(slots, dirty_log)
{
	struct test_vcpu *v = self->vcpu;
	int ret;

	ASSERT_EQ(0, REGION(2, GPA_FREE, 64, 0, 0));
	vcpu_start(v, guest_touch);
	touch(v, 3, true);
	dirty(&self->vm, &ret);
	EXPECT_EQ(-1, ret);
	EXPECT_EQ(ENOENT, errno);

	ASSERT_EQ(0, REGION(2, GPA_FREE, 64, 0, KVM_MEM_LOG_DIRTY_PAGES));
	EXPECT_EQ(0, dirty(&self->vm, &ret));
	EXPECT_EQ(0, ret);
	touch(v, 3, true);
	touch(v, 4, false);
	touch(v, 63, true);
	EXPECT_EQ(1ull << 3 | 1ull << 63, dirty(&self->vm, &ret));
	EXPECT_EQ(0, dirty(&self->vm, &ret));
	touch(v, 3, true);
	touch(v, 4, true);
	EXPECT_EQ(1ull << 3 | 1ull << 4, dirty(&self->vm, &ret));
	ASSERT_EQ(0, REGION(2, GPA_FREE, 64, 0, 0));
	touch(v, 5, true);
	ASSERT_EQ(0, REGION(2, GPA_FREE, 64, 0, KVM_MEM_LOG_DIRTY_PAGES));
	EXPECT_EQ(0, dirty(&self->vm, &ret));
}

TEST_F(slots, clear_dirty_log)
{
	struct kvm_enable_cap cap = { .cap = KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2, .args = { 1 } };
	uint64_t bits = 1ull << 9;
	struct kvm_clear_dirty_log clear = { .slot = 2, .num_pages = 64, .dirty_bitmap = &bits };
	struct test_vcpu *v = self->vcpu;
	int ret;

	ASSERT_EQ(3, kvm_cap(self->vm.fd, KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2));
	ASSERT_EQ(0, ioctl(self->vm.fd, KVM_ENABLE_CAP, &cap));
	ASSERT_EQ(0, REGION(2, GPA_FREE, 64, 0, KVM_MEM_LOG_DIRTY_PAGES));
	vcpu_start(v, guest_touch);
	touch(v, 8, true);
	touch(v, 9, true);
	EXPECT_EQ(3ull << 8, dirty(&self->vm, &ret));
	EXPECT_EQ(3ull << 8, dirty(&self->vm, &ret));		/* not cleared by being read */
	EXPECT_EQ(0, ioctl(self->vm.fd, KVM_CLEAR_DIRTY_LOG, &clear));
	EXPECT_EQ(1ull << 8, dirty(&self->vm, &ret));
	touch(v, 9, true);
	EXPECT_EQ(3ull << 8, dirty(&self->vm, &ret));
	clear.first_page = 1;
	EXPECT_ERR(EINVAL, ioctl(self->vm.fd, KVM_CLEAR_DIRTY_LOG, &clear));
}

/* The VMM changes its mapping; the guest sees what the VMM sees. */
TEST_F(slots, host_mapping_changes)
{
	struct test_vcpu *v = self->vcpu;
	uint8_t *other = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			      -1, 0);

	*(uint64_t *)self->mem = 11;
	ASSERT_EQ(0, REGION(2, GPA_FREE, 64, 0, 0));
	vcpu_start(v, guest_read_loop);
	EXPECT_EQ(11, vcpu_expect(v, MSG_SYNC));
	ASSERT_EQ(0, madvise(self->mem, PAGE, MADV_DONTNEED));
	EXPECT_EQ(0, vcpu_expect(v, MSG_SYNC));
	*(uint64_t *)self->mem = 12;
	EXPECT_EQ(12, vcpu_expect(v, MSG_SYNC));
	*(uint64_t *)other = 13;
	ASSERT_EQ(self->mem, mremap(other, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, self->mem));
	EXPECT_EQ(13, vcpu_expect(v, MSG_SYNC));
}

/* A page that the VMM does not give is -EFAULT, and the VMM can mend that and go on. */
TEST_F(slots, unmappable_page)
{
	struct test_vcpu *v = self->vcpu;

	*(uint64_t *)self->mem = 21;
	ASSERT_EQ(0, REGION(2, GPA_FREE, 64, 0, 0));
	vcpu_start(v, guest_read_loop);
	EXPECT_EQ(21, vcpu_expect(v, MSG_SYNC));
	ASSERT_EQ(0, mprotect(self->mem, PAGE, PROT_NONE));
	EXPECT_ERR(EFAULT, ioctl(v->fd, KVM_RUN, 0));
	ASSERT_EQ(0, mprotect(self->mem, PAGE, PROT_READ | PROT_WRITE));
	EXPECT_EQ(21, vcpu_expect(v, MSG_SYNC));
}

/*
 * Two slots of 1 MiB become one of 4 MiB on huge pages: what was mapped small leaves a table
 * where a large page would now fit.
 */
TEST_F(slots, large_page_over_small_ones)
{
	const size_t mb = 1 << 20;
	struct test_vcpu *v = self->vcpu;
	uint8_t *area = mmap(NULL, 8 * mb, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			     -1, 0);
	uint8_t *mem = (uint8_t *)(((uintptr_t)area + 2 * mb - 1) & ~(2 * mb - 1));
	unsigned int i;

	ASSERT_NE(MAP_FAILED, area);
	madvise(area, 8 * mb, MADV_HUGEPAGE);
	memset(area, 1, 8 * mb);
	vcpu_start(v, guest_touch);
	ASSERT_EQ(0, vm_set_region(&self->vm, 2, GPA_FREE, mb, mem, 0));
	ASSERT_EQ(0, vm_set_region(&self->vm, 3, GPA_FREE + mb, mb, mem + mb, 0));
	touch(v, 0, true);
	touch(v, 256, true);
	ASSERT_EQ(0, vm_set_region(&self->vm, 3, GPA_FREE + mb, 0, mem + mb, 0));
	ASSERT_EQ(0, vm_set_region(&self->vm, 2, GPA_FREE, 0, mem, 0));
	ASSERT_EQ(0, vm_set_region(&self->vm, 2, GPA_FREE, 4 * mb, mem, 0));
	for (i = 0; i < 1024; i += 3) {
		mem[i * PAGE] = 0;
		touch(v, i, true);
		ASSERT_EQ(1, mem[i * PAGE]);
	}
	munmap(area, 8 * mb);
}

static volatile uint64_t storm_stop, storm_reads;

/* Interrupts on, though none come: see flush.c. */
static void guest_storm(void)
{
	uint64_t v;

	guest_sti();
	while (!storm_stop) {
		v = FREE;
		guest_assert(v == 31 || v == ~0ull);
		storm_reads++;
	}
	guest_done();
}

static void *storm(void *p)
{
	struct test_vcpu *v = p;
	uint64_t arg = 0;
	enum guest_msg m;

	while ((m = vcpu_run(v, &arg)) == MSG_NONE) {
		if (v->run->exit_reason != KVM_EXIT_MMIO)
			return (void *)(uintptr_t)v->run->exit_reason;
		memset(v->run->mmio.data, 0xff, 8);
	}
	return m == MSG_DONE ? NULL : (void *)1000;
}

/* Slots come and go under a running guest: memory or MMIO, never anything else. */
TEST_F(slots, changes_under_a_running_guest)
{
	pthread_t t;
	void *ret;
	int i;

	*(uint64_t *)self->mem = 31;
	*(uint64_t *)(self->mem + 8 * PAGE) = 31;
	ASSERT_EQ(0, REGION(2, GPA_FREE, 16, 0, 0));
	vcpu_start(self->vcpu, guest_storm);
	storm_stop = 0;
	pthread_create(&t, NULL, storm, self->vcpu);
	for (i = 0; i < 200; i++) {
		ASSERT_EQ(0, REGION(2, GPA_FREE, 16, 0, KVM_MEM_LOG_DIRTY_PAGES));
		ASSERT_EQ(0, REGION(2, GPA_FREE, 16, 0, 0));
		ASSERT_EQ(0, REGION(2, GPA_FREE - 8 * PAGE, 16, 0, 0));
		ASSERT_EQ(0, REGION(2, GPA_FREE, 16, 0, 0));
		ASSERT_EQ(0, REGION(2, 0, 0, 0, 0));
		ASSERT_EQ(0, REGION(2, GPA_FREE, 16, 0, 0));
	}
	storm_stop = 1;
	pthread_join(t, &ret);
	EXPECT_EQ(NULL, ret);
	EXPECT_GT(storm_reads, 0);
}

TEST_HARNESS_MAIN
