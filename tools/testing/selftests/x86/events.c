// SPDX-License-Identifier: GPL-2.0-only
/* Exceptions with their error codes, NMI and its blocking, interrupt windows, debug exceptions, KVM_*_VCPU_EVENTS. */
#include <errno.h>
#include <string.h>
#include "kselftest_harness.h"
#include "testvm.h"

FIXTURE(events)
{
	struct test_vm vm;
	struct test_vcpu *vcpu;
};

FIXTURE_SETUP(events)
{
	memset(guest_handlers, 0, sizeof(guest_handlers));
	vm_create(&self->vm, TEST_IRQCHIP_NONE);
	self->vcpu = vcpu_create(&self->vm, 0);
}

FIXTURE_TEARDOWN(events)
{
	vm_destroy(&self->vm);
}

static volatile uint64_t hits[256], hit_rip, hit_flags;

static void count_hit(struct guest_frame *f)
{
	hits[f->vector]++;
	hit_rip = f->rip;
	hit_flags = f->rflags;
}

static void guest_exceptions(void)
{
	guest_assert(guest_try("ud2", : : : "r11", "memory") == 6);
	guest_assert(guest_try("xorl %%edx, %%edx; movl $1, %%eax; xorl %%ecx, %%ecx; divl %%ecx",
			       : : : "r11", "rax", "rcx", "rdx", "memory") == 0);
	guest_assert(guest_try("movl $0x4b564dff, %%ecx; rdmsr",
			       : : : "r11", "rax", "rcx", "rdx", "memory") == 13);
	guest_assert(guest_error == 0);
	guest_assert(guest_try("movw $0x1234, %%ax; movw %%ax, %%ds",
			       : : : "r11", "rax", "memory") == 13);
	guest_assert(guest_error == 0x1234);
	/* Not mapped by the guest: a plain #PF that nobody intercepts. */
	guest_assert(guest_try("movabs $0x7000000000, %%rax; movb $1, (%%rax)",
			       : : : "r11", "rax", "memory") == 14);
	guest_assert(guest_error == 2 && guest_cr2 == 0x7000000000);
	guest_assert(guest_try("movabs $0x8000000000000000, %%rax; movb $1, (%%rax)",
			       : : : "r11", "rax", "memory") == 13);
	/* CR4: a reserved bit. */
	guest_assert(guest_try("movq %%cr4, %%rax; btsq $31, %%rax; movq %%rax, %%cr4",
			       : : : "r11", "rax", "memory") == 13);
	/* CR0: PG without PE. */
	guest_assert(guest_try("movq %%cr0, %%rax; andq $~1, %%rax; movq %%rax, %%cr0",
			       : : : "r11", "rax", "memory") == 13);
	guest_done();
}

TEST_F(events, exceptions)
{
	vcpu_start(self->vcpu, guest_exceptions);
	vcpu_expect(self->vcpu, MSG_DONE);
}

static void guest_high_cr4(void)
{
	guest_assert(guest_try("movq %%cr4, %%rax; btsq $63, %%rax; movq %%rax, %%cr4",
			       : : : "r11", "rax", "memory") == 13);
	guest_done();
}

/*
 * Bits 63:32 of CR4 are reserved and must be zero (APM 2 3.1.3). Where the CPU has no decode
 * assists, the kernel's own KVM drops them instead.
 */
TEST_F(events, cr4_upper_half)
{
	if (!on_keel() && !host_is_intel())
		SKIP(return, "known to differ from the manual");
	vcpu_start(self->vcpu, guest_high_cr4);
	vcpu_expect(self->vcpu, MSG_DONE);
}

static void guest_int3(void)
{
	guest_handlers[3] = count_hit;
	guest_handlers[0x80] = count_hit;
	__asm__ volatile("int3; 1: movq $1b, %%rax" : : : "rax");
	guest_assert(hits[3] == 1);
	__asm__ volatile("int $0x80");
	guest_assert(hits[0x80] == 1);
	guest_done();
}

TEST_F(events, software_interrupts)
{
	memset((void *)hits, 0, sizeof(hits));
	vcpu_start(self->vcpu, guest_int3);
	vcpu_expect(self->vcpu, MSG_DONE);
}

static void guest_nmi_handler(struct guest_frame *f)
{
	hits[2]++;
	guest_sync(hits[2]);	/* a second NMI comes now and must wait for our IRET */
}

static void guest_nmi(void)
{
	guest_handlers[2] = guest_nmi_handler;
	guest_sync(100);
	while (hits[2] < 2)
		guest_pause();
	guest_done();
}

TEST_F(events, nmi_blocking)
{
	struct test_vcpu *v = self->vcpu;
	struct kvm_vcpu_events e;

	memset((void *)hits, 0, sizeof(hits));
	vcpu_start(v, guest_nmi);
	vcpu_expect(v, MSG_SYNC);
	ASSERT_EQ(0, ioctl(v->fd, KVM_NMI, 0));
	EXPECT_EQ(1, vcpu_expect(v, MSG_SYNC));
	ASSERT_EQ(0, ioctl(v->fd, KVM_GET_VCPU_EVENTS, &e));
	EXPECT_EQ(1, e.nmi.masked);
	EXPECT_EQ(0, e.nmi.pending);
	ASSERT_EQ(0, ioctl(v->fd, KVM_NMI, 0));
	ASSERT_EQ(0, ioctl(v->fd, KVM_GET_VCPU_EVENTS, &e));
	EXPECT_EQ(1, e.nmi.pending);
	EXPECT_EQ(2, vcpu_expect(v, MSG_SYNC));
	vcpu_expect(v, MSG_DONE);
	ASSERT_EQ(0, ioctl(v->fd, KVM_GET_VCPU_EVENTS, &e));
	EXPECT_EQ(0, e.nmi.masked);
}

static void guest_window(void)
{
	guest_handlers[0x44] = count_hit;
	guest_sync(1);
	guest_sti();
	while (!hits[0x44])
		guest_pause();
	guest_cli();
	guest_done();
}

TEST_F(events, interrupt_window)
{
	struct kvm_interrupt irq = { .irq = 0x44 };
	struct test_vcpu *v = self->vcpu;

	memset((void *)hits, 0, sizeof(hits));
	vcpu_start(v, guest_window);
	vcpu_expect(v, MSG_SYNC);
	EXPECT_EQ(0, v->run->if_flag);
	EXPECT_EQ(0, v->run->ready_for_interrupt_injection);
	v->run->request_interrupt_window = 1;
	ASSERT_EQ(MSG_NONE, vcpu_run(v, NULL));
	ASSERT_EQ(KVM_EXIT_IRQ_WINDOW_OPEN, v->run->exit_reason);
	EXPECT_EQ(1, v->run->ready_for_interrupt_injection);
	v->run->request_interrupt_window = 0;
	ASSERT_EQ(0, ioctl(v->fd, KVM_INTERRUPT, &irq));
	vcpu_expect(v, MSG_DONE);
	EXPECT_EQ(1, hits[0x44]);
	irq.irq = 256;
	EXPECT_EQ(-1, ioctl(v->fd, KVM_INTERRUPT, &irq));
	EXPECT_EQ(EINVAL, errno);
}

static void guest_short_window(void)
{
	guest_sync(1);
	__asm__ volatile("sti; nop; cli");
	guest_sync(2);
}

/* A window that is wanted only when the guest is about to go on, and that is open for one instruction. */
TEST_F(events, short_interrupt_window)
{
	struct test_vcpu *v = self->vcpu;

	vcpu_start(v, guest_short_window);
	EXPECT_EQ(1, vcpu_expect(v, MSG_SYNC));
	v->run->request_interrupt_window = 1;
	ASSERT_EQ(MSG_NONE, vcpu_run(v, NULL));
	EXPECT_EQ(KVM_EXIT_IRQ_WINDOW_OPEN, v->run->exit_reason);
	v->run->request_interrupt_window = 0;
	EXPECT_EQ(2, vcpu_expect(v, MSG_SYNC));
}

#define set_tpr(v) __asm__ volatile("mov %0, %%cr8" : : "r" ((uint64_t)(v)))

static void guest_tpr(void)
{
	set_tpr(9);
	guest_sync(1);
	set_tpr(5);
	guest_sync(2);
	set_tpr(5);
	guest_sync(3);
	set_tpr(0);
	guest_done();
}

/* Without an in-kernel APIC userspace hears of each TPR that was lowered, the first time round as well. */
TEST_F(events, lowered_tpr)
{
	struct test_vcpu *v = self->vcpu;

	vcpu_start(v, guest_tpr);
	EXPECT_EQ(1, vcpu_expect(v, MSG_SYNC));
	EXPECT_EQ(9, v->run->cr8);
	ASSERT_EQ(MSG_NONE, vcpu_run(v, NULL));
	EXPECT_EQ(KVM_EXIT_SET_TPR, v->run->exit_reason);
	EXPECT_EQ(5, v->run->cr8);
	EXPECT_EQ(2, vcpu_expect(v, MSG_SYNC));
	EXPECT_EQ(3, vcpu_expect(v, MSG_SYNC));
	ASSERT_EQ(MSG_NONE, vcpu_run(v, NULL));
	EXPECT_EQ(KVM_EXIT_SET_TPR, v->run->exit_reason);
	EXPECT_EQ(0, v->run->cr8);
	vcpu_expect(v, MSG_DONE);
}

static volatile uint64_t db_count, db_dr6;

static void guest_db(struct guest_frame *f)
{
	uint64_t dr6;

	__asm__ volatile("mov %%dr6, %0" : "=r" (dr6));
	db_dr6 = dr6;
	__asm__ volatile("mov %0, %%dr6" : : "r" (0xffff0ff0ull));
	hit_rip = f->rip;
	if (++db_count >= 4)
		f->rflags &= ~0x100ull;
}

static volatile uint32_t watched;

static void guest_steps(void)
{
	uint32_t a = 0, b, c = 0, d;

	guest_handlers[1] = guest_db;
	/* Single steps: over plain instructions and over one that exits. */
	__asm__ volatile("pushf; orq $0x100, (%%rsp); popf; nop; cpuid; nop; nop; nop"
			 : "+a" (a), "=b" (b), "+c" (c), "=d" (d) : : "memory");
	guest_assert(db_count == 4);
	guest_assert(db_dr6 & 1 << 14);
	guest_done();
}

TEST_F(events, guest_single_step)
{
	db_count = 0;
	vcpu_start(self->vcpu, guest_steps);
	vcpu_expect(self->vcpu, MSG_DONE);
}

static void guest_data_breakpoint(void)
{
	guest_handlers[1] = guest_db;
	__asm__ volatile("mov %0, %%dr0" : : "r" (&watched));
	__asm__ volatile("mov %0, %%dr7" : : "r" (0xd0402ull));
	watched = 1;
	guest_assert(db_count == 1);
	guest_assert((db_dr6 & 0xf) == 1);
	__asm__ volatile("mov %0, %%dr7" : : "r" (0x400ull));
	watched = 2;
	guest_assert(db_count == 1);
	guest_done();
}

TEST_F(events, guest_debug_registers)
{
	struct kvm_debugregs dr;

	/* It arms a breakpoint in MOV to DR7 alone, not in VMRUN: no use where that MOV exits. */
	if (under_tcg() && on_keel())
		SKIP(return, "QEMU's emulation of VMRUN arms no breakpoint");
	db_count = 0;
	vcpu_start(self->vcpu, guest_data_breakpoint);
	vcpu_expect(self->vcpu, MSG_DONE);
	ASSERT_EQ(0, ioctl(self->vcpu->fd, KVM_GET_DEBUGREGS, &dr));
	EXPECT_EQ((uintptr_t)&watched, dr.db[0]);
	EXPECT_EQ(0x400, dr.dr7);
}

extern char step_start[], step_end[];
static void guest_step(void)
{
	__asm__ volatile(".globl step_start\nstep_start: nop; nop; xorl %%eax, %%eax; xorl %%ecx, %%ecx; cpuid\n"
			 ".globl step_end\nstep_end: nop" : : : "rax", "rbx", "rcx", "rdx");
	guest_done();
}

TEST_F(events, userspace_single_step)
{
	struct kvm_guest_debug dbg = { .control = KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_SINGLESTEP };
	struct test_vcpu *v = self->vcpu;
	uint64_t last = 0;
	int steps = 0;

	vcpu_start(v, guest_step);
	ASSERT_EQ(0, ioctl(v->fd, KVM_SET_GUEST_DEBUG, &dbg));
	while (last != (uintptr_t)step_end && steps++ < 40) {
		ASSERT_EQ(0, ioctl(v->fd, KVM_RUN, 0));
		ASSERT_EQ(KVM_EXIT_DEBUG, v->run->exit_reason);
		EXPECT_EQ(1, v->run->debug.arch.exception);
		EXPECT_TRUE(v->run->debug.arch.dr6 & 1 << 14);
		EXPECT_GT(v->run->debug.arch.pc, last);
		last = v->run->debug.arch.pc;
	}
	EXPECT_EQ((uintptr_t)step_end, last);
	dbg.control = 0;
	ASSERT_EQ(0, ioctl(v->fd, KVM_SET_GUEST_DEBUG, &dbg));
	vcpu_expect(v, MSG_DONE);
}

static void guest_watched(void)
{
	watched = 77;
	guest_done();
}

TEST_F(events, userspace_breakpoints)
{
	struct kvm_guest_debug dbg = {
		.control = KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_USE_HW_BP,
		.arch.debugreg = { (uintptr_t)&watched, 0, 0, 0, 0, 0, 0, 0xd0402 },
	};
	struct test_vcpu *v = self->vcpu;

	if (under_tcg())
		SKIP(return, "QEMU's emulation of VMRUN arms no breakpoint");
	vcpu_start(v, guest_watched);
	ASSERT_EQ(0, ioctl(v->fd, KVM_SET_GUEST_DEBUG, &dbg));
	ASSERT_EQ(0, ioctl(v->fd, KVM_RUN, 0));
	ASSERT_EQ(KVM_EXIT_DEBUG, v->run->exit_reason);
	EXPECT_EQ(77, watched);
	EXPECT_EQ(1, v->run->debug.arch.dr6 & 0xf);
	memset(&dbg, 0, sizeof(dbg));
	ASSERT_EQ(0, ioctl(v->fd, KVM_SET_GUEST_DEBUG, &dbg));
	vcpu_expect(v, MSG_DONE);
}

static void guest_wait_exception(void)
{
	guest_handlers[13] = count_hit;
	guest_sync(1);
	guest_sync(2);
	guest_done();
}

TEST_F(events, injected_by_userspace)
{
	struct kvm_vcpu_events e;
	struct test_vcpu *v = self->vcpu;

	memset((void *)hits, 0, sizeof(hits));
	vcpu_start(v, guest_wait_exception);
	vcpu_expect(v, MSG_SYNC);
	vcpu_complete(v);
	ASSERT_EQ(0, ioctl(v->fd, KVM_GET_VCPU_EVENTS, &e));
	e.exception.injected = 1;
	e.exception.nr = 13;
	e.exception.has_error_code = 1;
	e.exception.error_code = 0x18;
	ASSERT_EQ(0, ioctl(v->fd, KVM_SET_VCPU_EVENTS, &e));
	EXPECT_EQ(2, vcpu_expect(v, MSG_SYNC));
	EXPECT_EQ(1, hits[13]);
	e.exception.nr = 2;
	EXPECT_EQ(-1, ioctl(v->fd, KVM_SET_VCPU_EVENTS, &e));
	EXPECT_EQ(EINVAL, errno);
	e.exception.nr = 13;
	e.flags = 1u << 31;
	EXPECT_EQ(-1, ioctl(v->fd, KVM_SET_VCPU_EVENTS, &e));
	EXPECT_EQ(EINVAL, errno);
}

TEST_HARNESS_MAIN
