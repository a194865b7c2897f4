// SPDX-License-Identifier: GPL-2.0-only
/*
 * The dirty log as a bitmap, in its details: what KVM_CLEAR_DIRTY_LOG takes and leaves, what the kernel's own
 * writes do, what a failed copy loses (nothing). That no write of a running guest is lost is what
 * memory_stress and storm are about.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include "kselftest_harness.h"
#include "hostmem.h"

#define PAGES	500ull			/* the last word of the log is not full */
#define SIZE	(PAGES * PAGE)
#define WORDS	8

FIXTURE(log)
{
	struct test_vm vm;
	struct test_vcpu *v;
	uint8_t *mem;
	uint64_t bits[WORDS];
};

FIXTURE_SETUP(log)
{
	vm_create(&self->vm, TEST_IRQCHIP_NONE);
	self->v = vcpu_create(&self->vm, 0);
	self->mem = hm_map(SIZE, false);
	ASSERT_NE(NULL, self->mem);
	hm_fill(self->mem, 0, PAGES);
	ASSERT_EQ(0, vm_set_region(&self->vm, SLOT_FREE, GPA_FREE, SIZE, self->mem,
				   KVM_MEM_LOG_DIRTY_PAGES));
	vcpu_start(self->v, hm_guest);
}

FIXTURE_TEARDOWN(log)
{
	vm_destroy(&self->vm);
	munmap(self->mem, SIZE);
}

static int manual(struct test_vm *vm, uint64_t arg)
{
	struct kvm_enable_cap cap = { .cap = KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2, .args = { arg } };

	return ioctl(vm->fd, KVM_ENABLE_CAP, &cap);
}

static int get_log(struct test_vm *vm, uint64_t *bits)
{
	struct kvm_dirty_log log = { .slot = SLOT_FREE, .dirty_bitmap = bits };

	return ioctl(vm->fd, KVM_GET_DIRTY_LOG, &log);
}

static int clear_log(struct test_vm *vm, uint64_t first, uint32_t n, uint64_t *bits)
{
	struct kvm_clear_dirty_log c = {
		.slot = SLOT_FREE, .first_page = first, .num_pages = n, .dirty_bitmap = bits,
	};

	return ioctl(vm->fd, KVM_CLEAR_DIRTY_LOG, &c);
}

static bool bit(const uint64_t *bits, uint64_t i)
{
	return bits[i / 64] >> i % 64 & 1;
}

/* Exactly the pages [first, first + n) with the step @step are in the log, and nothing behind its end. */
static uint64_t log_wrong(const uint64_t *bits, uint64_t first, uint64_t n, uint64_t step)
{
	uint64_t i, bad = 0;

	for (i = 0; i < WORDS * 64; i++) {
		bool want = i >= first && (i - first) % step == 0 && (i - first) / step < n;

		bad += bit(bits, i) != want;
	}
	return bad;
}

TEST_F(log, clear_errors)
{
	struct kvm_clear_dirty_log c = { .num_pages = 64, .dirty_bitmap = self->bits };

	ASSERT_EQ(0, manual(&self->vm, KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE));
	EXPECT_ERR(EINVAL, clear_log(&self->vm, 1, 64, self->bits));
	EXPECT_ERR(EINVAL, clear_log(&self->vm, 0, 65, self->bits));
	EXPECT_ERR(EINVAL, clear_log(&self->vm, 0, 512, self->bits));
	EXPECT_ERR(EINVAL, clear_log(&self->vm, 512, 64, self->bits));
	EXPECT_ERR(EINVAL, clear_log(&self->vm, 448, 64, self->bits));
	EXPECT_ERR(EINVAL, clear_log(&self->vm, ~63ull, 64, self->bits));
	EXPECT_ERR(EFAULT, clear_log(&self->vm, 0, 64, NULL));
	EXPECT_EQ(0, clear_log(&self->vm, 448, 52, self->bits));
	EXPECT_EQ(0, clear_log(&self->vm, 0, PAGES, self->bits));
	c.slot = SLOT_TABLES;
	EXPECT_ERR(ENOENT, ioctl(self->vm.fd, KVM_CLEAR_DIRTY_LOG, &c));
	c.slot = 77;
	EXPECT_ERR(ENOENT, ioctl(self->vm.fd, KVM_CLEAR_DIRTY_LOG, &c));
	c.slot = 0xffff;
	EXPECT_ERR(EINVAL, ioctl(self->vm.fd, KVM_CLEAR_DIRTY_LOG, &c));
	c.slot = 9 << 16 | SLOT_FREE;
	EXPECT_ERR(EINVAL, ioctl(self->vm.fd, KVM_CLEAR_DIRTY_LOG, &c));
	/* The other address space is that of system management mode, which Keel has not. */
	c.slot = 1 << 16 | SLOT_FREE;
	EXPECT_ERR(on_keel() ? EINVAL : ENOENT, ioctl(self->vm.fd, KVM_CLEAR_DIRTY_LOG, &c));
}

TEST_F(log, get_errors)
{
	struct kvm_dirty_log l = { .slot = SLOT_FREE, .dirty_bitmap = NULL };

	EXPECT_ERR(EFAULT, ioctl(self->vm.fd, KVM_GET_DIRTY_LOG, &l));
	l.dirty_bitmap = self->bits;
	l.slot = SLOT_TABLES;
	EXPECT_ERR(ENOENT, ioctl(self->vm.fd, KVM_GET_DIRTY_LOG, &l));
	l.slot = 77;
	EXPECT_ERR(ENOENT, ioctl(self->vm.fd, KVM_GET_DIRTY_LOG, &l));
	l.slot = 0xffff;
	EXPECT_ERR(EINVAL, ioctl(self->vm.fd, KVM_GET_DIRTY_LOG, &l));
	l.slot = 9 << 16 | SLOT_FREE;
	EXPECT_ERR(EINVAL, ioctl(self->vm.fd, KVM_GET_DIRTY_LOG, &l));
	l.slot = 1 << 16 | SLOT_FREE;
	EXPECT_ERR(on_keel() ? EINVAL : ENOENT, ioctl(self->vm.fd, KVM_GET_DIRTY_LOG, &l));
}

TEST_F(log, manual_protect_is_a_set_of_flags)
{
	EXPECT_ERR(EINVAL, manual(&self->vm, 4));
	EXPECT_ERR(EINVAL, manual(&self->vm, KVM_DIRTY_LOG_INITIALLY_SET));
	EXPECT_EQ(0, manual(&self->vm, KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE));
	EXPECT_EQ(0, manual(&self->vm, 0));
	EXPECT_EQ(0, manual(&self->vm, KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE |
				       KVM_DIRTY_LOG_INITIALLY_SET));
}

/* Read and cleared in one: each write once. */
TEST_F(log, get)
{
	int i;

	/* The first access that maps a page marks it, even if it is a read. */
	hm_work(self->v, 0, PAGES, false);
	ASSERT_EQ(0, get_log(&self->vm, self->bits));
	EXPECT_EQ(0, log_wrong(self->bits, 0, PAGES, 1));
	for (i = 0; i < 3; i++) {
		hm_step = 3;
		hm_work(self->v, i, 100, true);
		hm_step = 1;
		hm_work(self->v, 0, PAGES, false);	/* reads leave no mark */
		ASSERT_EQ(0, get_log(&self->vm, self->bits));
		EXPECT_EQ(0, log_wrong(self->bits, i, 100, 3));
		ASSERT_EQ(0, get_log(&self->vm, self->bits));
		EXPECT_EQ(0, log_wrong(self->bits, 0, 0, 1));
	}
	hm_work(self->v, 0, PAGES, true);
	ASSERT_EQ(0, get_log(&self->vm, self->bits));
	EXPECT_EQ(0, log_wrong(self->bits, 0, PAGES, 1));
}

/* Pages mapped ahead of any access: the guest's first writes to them are in the log all the same. */
TEST_F(log, mapped_ahead)
{
	struct kvm_pre_fault_memory m = { .gpa = GPA_FREE, .size = SIZE };
	int i, ret;

	if (!kvm_cap(self->vm.fd, KVM_CAP_PRE_FAULT_MEMORY))
		SKIP(return, "no KVM_PRE_FAULT_MEMORY");
	do {
		ret = ioctl(self->v->fd, KVM_PRE_FAULT_MEMORY, &m);
	} while ((!ret && m.size) || (ret < 0 && errno == EINTR));
	ASSERT_EQ(0, ret);
	hm_step = 7;
	hm_work(self->v, 5, 50, true);
	ASSERT_EQ(0, get_log(&self->vm, self->bits));
	for (i = 0; i < 50; i++)
		EXPECT_TRUE(bit(self->bits, 5 + i * 7));
	/* Now that the mark was taken, exactly the next ones. */
	hm_work(self->v, 6, 50, true);
	ASSERT_EQ(0, get_log(&self->vm, self->bits));
	EXPECT_EQ(0, log_wrong(self->bits, 6, 50, 7));
	hm_step = 1;
}

/* Only the bits that userspace names are cleared, and only those pages are protected. */
TEST_F(log, clear)
{
	int64_t faults;
	uint64_t i;

	ASSERT_EQ(0, manual(&self->vm, KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE));
	hm_work(self->v, 0, PAGES, true);
	ASSERT_EQ(0, get_log(&self->vm, self->bits));
	EXPECT_EQ(0, log_wrong(self->bits, 0, PAGES, 1));
	memset(self->bits, 0, sizeof(self->bits));
	for (i = 0; i < PAGES; i += 5)
		self->bits[i / 64] |= 1ull << i % 64;
	ASSERT_EQ(0, clear_log(&self->vm, 0, PAGES, self->bits));
	ASSERT_EQ(0, get_log(&self->vm, self->bits));
	for (i = 0; i < PAGES; i++)
		ASSERT_EQ(i % 5 != 0, bit(self->bits, i));
	faults = kvm_stat(self->v->fd, "pf_taken");
	hm_work(self->v, 0, PAGES, true);
	faults = kvm_stat(self->v->fd, "pf_taken") - faults;
	EXPECT_LE(100, faults);
	EXPECT_GE(100 + 2, faults);
	ASSERT_EQ(0, get_log(&self->vm, self->bits));
	EXPECT_EQ(0, log_wrong(self->bits, 0, PAGES, 1));
	/* A part in the middle, by a bitmap of its own. */
	memset(self->bits, 0xff, sizeof(self->bits));
	ASSERT_EQ(0, clear_log(&self->vm, 128, 64, self->bits));
	ASSERT_EQ(0, get_log(&self->vm, self->bits));
	for (i = 0; i < PAGES; i++)
		ASSERT_EQ(i < 128 || i >= 192, bit(self->bits, i));
	/* To the end: the last word has bits of no page, which mean nothing. */
	memset(self->bits, 0xff, sizeof(self->bits));
	ASSERT_EQ(0, clear_log(&self->vm, 448, PAGES - 448, self->bits));
	ASSERT_EQ(0, get_log(&self->vm, self->bits));
	EXPECT_EQ(0, self->bits[WORDS - 1]);
	EXPECT_EQ(~0ull, self->bits[6]);
}

/* A bitmap that cannot be written: what could not be told stays dirty. */
TEST_F(log, failed_copy_loses_nothing)
{
	uint64_t *edge = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			      -1, 0);

	if (!on_keel())
		SKIP(return, "stock KVM has cleared the log before it copies it");
	hm_work(self->v, 0, PAGES, true);
	munmap((uint8_t *)edge + PAGE, PAGE);
	EXPECT_ERR(EFAULT, get_log(&self->vm, NULL));
	EXPECT_ERR(EFAULT, get_log(&self->vm, edge + 512 - 3));
	ASSERT_EQ(0, get_log(&self->vm, self->bits));
	EXPECT_EQ(0, log_wrong(self->bits, 0, PAGES, 1));
	/* And the pages are protected: the next write is seen. */
	hm_work(self->v, 0, PAGES, true);
	ASSERT_EQ(0, get_log(&self->vm, self->bits));
	EXPECT_EQ(0, log_wrong(self->bits, 0, PAGES, 1));
	munmap(edge, PAGE);
}

TEST_F(log, initially_set)
{
	int64_t faults;

	ASSERT_EQ(0, vm_set_region(&self->vm, SLOT_FREE, GPA_FREE, SIZE, self->mem, 0));
	ASSERT_EQ(0, manual(&self->vm, KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE |
				       KVM_DIRTY_LOG_INITIALLY_SET));
	hm_work(self->v, 0, PAGES, true);
	hm_work(self->v, 0, PAGES, true);
	ASSERT_EQ(0, vm_set_region(&self->vm, SLOT_FREE, GPA_FREE, SIZE, self->mem,
				   KVM_MEM_LOG_DIRTY_PAGES));
	ASSERT_EQ(0, get_log(&self->vm, self->bits));
	EXPECT_EQ(0, log_wrong(self->bits, 0, PAGES, 1));
	/* Nothing is protected before its bit is cleared. */
	faults = kvm_stat(self->v->fd, "pf_taken");
	hm_work(self->v, 0, PAGES, true);
	EXPECT_GE(2, kvm_stat(self->v->fd, "pf_taken") - faults);
	ASSERT_EQ(0, clear_log(&self->vm, 0, PAGES, self->bits));
	ASSERT_EQ(0, get_log(&self->vm, self->bits));
	EXPECT_EQ(0, log_wrong(self->bits, 0, 0, 1));
	hm_work(self->v, 100, 1, true);
	ASSERT_EQ(0, get_log(&self->vm, self->bits));
	EXPECT_EQ(0, log_wrong(self->bits, 100, 1, 1));
}

/* A slot that moves takes its log along. */
TEST_F(log, move)
{
	hm_work(self->v, 7, 9, true);
	ASSERT_EQ(0, vm_set_region(&self->vm, SLOT_FREE, GPA_FREE + SIZE, SIZE, self->mem,
				   KVM_MEM_LOG_DIRTY_PAGES));
	ASSERT_EQ(0, vm_set_region(&self->vm, SLOT_FREE, GPA_FREE, SIZE, self->mem,
				   KVM_MEM_LOG_DIRTY_PAGES));
	ASSERT_EQ(0, get_log(&self->vm, self->bits));
	EXPECT_EQ(0, log_wrong(self->bits, 7, 9, 1));
	hm_work(self->v, 7, 10, true);
	ASSERT_EQ(0, get_log(&self->vm, self->bits));
	EXPECT_EQ(0, log_wrong(self->bits, 7, 10, 1));
}

/* What the host drops and the guest writes again is dirty; what the host drops alone is the host's affair. */
TEST_F(log, dropped_by_the_host)
{
	hm_work(self->v, 0, PAGES, true);
	ASSERT_EQ(0, get_log(&self->vm, self->bits));
	ASSERT_EQ(0, madvise(self->mem + 40 * PAGE, 10 * PAGE, MADV_DONTNEED));
	memset((void *)(hm_tag + 40), 0, 10 * sizeof(hm_tag[0]));
	hm_work(self->v, 0, PAGES, false);
	ASSERT_EQ(0, get_log(&self->vm, self->bits));
	EXPECT_EQ(0, log_wrong(self->bits, 0, 0, 1));
	hm_work(self->v, 45, 20, true);
	ASSERT_EQ(0, get_log(&self->vm, self->bits));
	EXPECT_EQ(0, log_wrong(self->bits, 45, 20, 1));
}

/* ---- writes of the kernel's ---- */

#define MSR_WALL	0x4b564d00
#define MSR_CLOCK	0x4b564d01
#define MSR_STEAL	0x4b564d03

static void guest_idle(void)
{
	for (;;)
		guest_sync(0);
}

#define EXPECT_ONLY(page)							\
do {										\
	ASSERT_EQ(0, get_log(&self->vm, self->bits));				\
	EXPECT_EQ(0, log_wrong(self->bits, page, 1, 1));			\
} while (0)

TEST_F(log, wall_clock)
{
	int i;

	for (i = 0; i < 3; i++) {
		ASSERT_EQ(1, set_msr(self->v->fd, MSR_WALL, GPA_FREE + (3 + i) * PAGE + 64));
		EXPECT_ONLY(3 + i);
	}
}

TEST_F(log, system_time)
{
	int i;

	vcpu_start(self->v, guest_idle);
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(1, set_msr(self->v->fd, MSR_CLOCK, (GPA_FREE + (20 + i) * PAGE + 64) | 1));
		vcpu_expect(self->v, MSG_SYNC);
		EXPECT_ONLY(20 + i);
	}
	EXPECT_NE(0, *(uint32_t *)(self->mem + 20 * PAGE + 64));
	ASSERT_EQ(1, set_msr(self->v->fd, MSR_CLOCK, 0));
}

TEST_F(log, steal_time)
{
	if (!(cpuid_reg(self->vm.kvm, 0x40000001, 0, 0) & 1 << 5))
		SKIP(return, "no steal time");
	vcpu_start(self->v, guest_idle);
	ASSERT_EQ(1, set_msr(self->v->fd, MSR_STEAL, (GPA_FREE + 33 * PAGE + 64) | 1));
	vcpu_expect(self->v, MSG_SYNC);
	EXPECT_ONLY(33);
	ASSERT_EQ(1, set_msr(self->v->fd, MSR_STEAL, 0));
}

/* The emulator's: a string from device memory, and one from a port. */
static void guest_strings(void)
{
	for (;;) {
		const void *from = (void *)GPA_MMIO;
		void *to = (void *)(GPA_FREE + 50 * PAGE - 4);
		uint64_t n = 1;

		__asm__ volatile("rep movsq" : "+S" (from), "+D" (to), "+c" (n) : : "memory");
		guest_sync(1);
		to = (void *)(GPA_FREE + 60 * PAGE);
		n = 4;
		__asm__ volatile("rep insb" : "+D" (to), "+c" (n) : "d" (0x70) : "memory");
		guest_sync(2);
	}
}

TEST_F(log, emulated_writes)
{
	struct kvm_run *run = self->v->run;
	uint8_t *data;
	int i;

	vcpu_start(self->v, guest_strings);
	for (i = 0; i < 3; i++) {
		/* Over the edge of two pages. */
		ASSERT_EQ(MSG_NONE, vcpu_run(self->v, NULL));
		ASSERT_EQ(KVM_EXIT_MMIO, run->exit_reason);
		memset(run->mmio.data, 0x11 * (i + 1), 8);
		EXPECT_EQ(1, vcpu_expect(self->v, MSG_SYNC));
		EXPECT_EQ(0x11 * (i + 1), self->mem[50 * PAGE]);
		ASSERT_EQ(0, get_log(&self->vm, self->bits));
		EXPECT_EQ(0, log_wrong(self->bits, 49, 2, 1));

		while (vcpu_run(self->v, NULL) == MSG_NONE) {
			ASSERT_EQ(KVM_EXIT_IO, run->exit_reason);
			data = (uint8_t *)run + run->io.data_offset;
			memset(data, 0x20 + i, run->io.count * run->io.size);
		}
		EXPECT_EQ(0x20 + i, self->mem[60 * PAGE + 3]);
		EXPECT_ONLY(60);
	}
}

TEST_HARNESS_MAIN
