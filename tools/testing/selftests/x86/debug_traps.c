// SPDX-License-Identifier: GPL-2.0-only
/* What #DB leaves in DR6 and DR7, by its cause; the guest's view and KVM_GET_DEBUGREGS. */
#include <errno.h>
#include <string.h>
#include "kselftest_harness.h"
#include "testvm.h"

#define DR6_CLEAN	0xffff0ff0ull
#define B0		1u
#define B3		8u
#define BD		(1u << 13)
#define BS		(1u << 14)
#define CAUSES		(B0 | 2 | 4 | B3 | BD | BS)
#define DR7_CLEAN	0x400ull
#define DR7_GD		(1u << 13)
#define DR7_WRITES_0	0xd0402ull		/* 4 bytes at DR0, global */
#define TF		0x100ull
#define RF		0x10000ull

FIXTURE(traps)
{
	struct test_vm vm;
	struct test_vcpu *v;
};

static volatile uint64_t count, dr6, dr7, rip, rflags;
static volatile uint32_t watched;

#define SET_DR(n, val)	__asm__ volatile("mov %0, %%dr" #n : : "r" ((uint64_t)(val)) : "memory")
#define GET_DR(n)	({ uint64_t v_; __asm__ volatile("mov %%dr" #n ", %0" : "=r" (v_)); v_; })

static void on_db(struct guest_frame *f)
{
	count++;
	dr7 = GET_DR(7);
	dr6 = GET_DR(6);
	rip = f->rip;
	rflags = f->rflags;
	f->rflags &= ~TF;
	f->rflags |= RF;
}

FIXTURE_SETUP(traps)
{
	memset(guest_handlers, 0, sizeof(guest_handlers));
	guest_handlers[1] = on_db;
	count = 0;
	vm_create(&self->vm, TEST_IRQCHIP_NONE);
	self->v = vcpu_create(&self->vm, 0);
}

FIXTURE_TEARDOWN(traps)
{
	vm_destroy(&self->vm);
}

/* DR6 as userspace sees it, with the guest stopped in a message. */
static uint64_t saved_dr6(struct test_vcpu *v)
{
	struct kvm_debugregs d = {};

	return ioctl(v->fd, KVM_GET_DEBUGREGS, &d) ? 0 : d.dr6;
}

#define STEP_OVER(insns, label)								\
	__asm__ volatile("pushf; orq $0x100, (%%rsp); popf\n\t" insns "\n\t"		\
			 ".globl " label "\n" label ": nop"				\
			 : : [w] "m" (watched) : "rax", "rbx", "rcx", "rdx", "memory", "cc")
extern const char stepped_plain[], stepped_exit[], stepped_write[];

static void guest_steps(void)
{
	SET_DR(6, DR6_CLEAN);
	STEP_OVER("nop", "stepped_plain");
	guest_sync(count);
	/* Over one that exits, with causes of old in DR6: BD is not cleared by the CPU. */
	SET_DR(6, DR6_CLEAN | BD);
	STEP_OVER("xorl %%eax, %%eax; cpuid", "stepped_exit");
	guest_sync(count);
	SET_DR(6, DR6_CLEAN);
	guest_sync(GET_DR(6));
}

TEST_F(traps, single_step)
{
	vcpu_start(self->v, guest_steps);
	EXPECT_EQ(1, vcpu_expect(self->v, MSG_SYNC));
	EXPECT_EQ((uintptr_t)stepped_plain, rip);
	EXPECT_EQ(DR6_CLEAN | BS, dr6);
	EXPECT_EQ(DR7_CLEAN, dr7);
	EXPECT_EQ(DR6_CLEAN | BS, saved_dr6(self->v));
	EXPECT_EQ(2, vcpu_expect(self->v, MSG_SYNC));
	EXPECT_EQ(DR6_CLEAN | BS | BD, dr6);
	EXPECT_EQ(DR6_CLEAN | BS | BD, saved_dr6(self->v));
	EXPECT_EQ(DR6_CLEAN, vcpu_expect(self->v, MSG_SYNC));
	EXPECT_EQ(DR6_CLEAN, saved_dr6(self->v));
}

extern const char guarded[], guarded_read[];

/* DR7.GD holds at the first access behind an exit, too, where a hypervisor might lend the registers. */
static void guest_guarded(void)
{
	SET_DR(6, DR6_CLEAN | BS);
	SET_DR(7, DR7_CLEAN | DR7_GD);
	guest_sync(0);
	__asm__ volatile(".globl guarded\nguarded: mov %0, %%dr3" : : "r" (0x1234ull));
	guest_sync(count);
	SET_DR(7, DR7_CLEAN | DR7_GD);
	guest_sync(0);
	__asm__ volatile(".globl guarded_read\nguarded_read: mov %%dr3, %%rax" : : : "rax");
	guest_sync(count);
}

/* The first time round the instruction runs when the handler is back: it clears GD. */
TEST_F(traps, general_detect)
{
	struct kvm_debugregs d;

	/* Where the hypervisor leaves it to the CPU. */
	if (under_tcg() && !on_keel())
		SKIP(return, "QEMU's CPU knows no DR7.GD");
	vcpu_start(self->v, guest_guarded);
	EXPECT_EQ(0, vcpu_expect(self->v, MSG_SYNC));
	ASSERT_EQ(0, ioctl(self->v->fd, KVM_GET_DEBUGREGS, &d));
	EXPECT_EQ(DR7_CLEAN | DR7_GD, d.dr7);
	EXPECT_EQ(0, count);
	EXPECT_EQ(1, vcpu_expect(self->v, MSG_SYNC));
	EXPECT_EQ((uintptr_t)guarded, rip);
	EXPECT_EQ(DR6_CLEAN | BD | BS, dr6);
	EXPECT_EQ(DR7_CLEAN, dr7);
	ASSERT_EQ(0, ioctl(self->v->fd, KVM_GET_DEBUGREGS, &d));
	EXPECT_EQ(0x1234, d.db[3]);
	EXPECT_EQ(DR6_CLEAN | BD | BS, d.dr6);
	EXPECT_EQ(DR7_CLEAN, d.dr7);
	EXPECT_EQ(0, vcpu_expect(self->v, MSG_SYNC));
	EXPECT_EQ(2, vcpu_expect(self->v, MSG_SYNC));
	EXPECT_EQ((uintptr_t)guarded_read, rip);
}

static void guest_watches(void)
{
	SET_DR(6, DR6_CLEAN | BD);
	SET_DR(0, &watched);
	SET_DR(7, DR7_WRITES_0);
	guest_sync(0);
	watched = 1;
	guest_sync(count);
	/* Both at once: one #DB that tells both. */
	SET_DR(6, DR6_CLEAN);
	STEP_OVER("movl $2, %[w]", "stepped_write");
	guest_sync(count);
	SET_DR(7, DR7_CLEAN);
	SET_DR(6, DR6_CLEAN);
	watched = 3;
	guest_sync(count);
}

TEST_F(traps, data_breakpoint)
{
	if (under_tcg())
		SKIP(return, "QEMU's emulation of VMRUN arms no breakpoint");
	vcpu_start(self->v, guest_watches);
	EXPECT_EQ(0, vcpu_expect(self->v, MSG_SYNC));
	EXPECT_EQ(1, vcpu_expect(self->v, MSG_SYNC));
	EXPECT_EQ(B0 | BD, dr6 & CAUSES);
	EXPECT_EQ(dr6, saved_dr6(self->v));
	EXPECT_EQ(2, vcpu_expect(self->v, MSG_SYNC));
	EXPECT_EQ((uintptr_t)stepped_write, rip);
	EXPECT_EQ(B0 | BS, dr6 & CAUSES);
	EXPECT_EQ(2, vcpu_expect(self->v, MSG_SYNC));
}

extern const char breakpoint[];

static void guest_breakpoint(void)
{
	SET_DR(6, DR6_CLEAN | BS);
	SET_DR(3, breakpoint);
	SET_DR(7, DR7_CLEAN | 0x80);
	guest_sync(0);
	__asm__ volatile("nop\n.globl breakpoint\nbreakpoint: nop");
	guest_sync(count);
}

/*
 * A fault: RIP at the instruction, and what was in DR6 is kept. RF in the flags that are pushed is for the handler to
 * set, unlike with all other faults (SDM 3B 17.3.1.1).
 */
TEST_F(traps, instruction_breakpoint)
{
	if (under_tcg())
		SKIP(return, "QEMU's emulation of VMRUN arms no breakpoint");
	vcpu_start(self->v, guest_breakpoint);
	EXPECT_EQ(0, vcpu_expect(self->v, MSG_SYNC));
	EXPECT_EQ(1, vcpu_expect(self->v, MSG_SYNC));
	EXPECT_EQ((uintptr_t)breakpoint, rip);
	if (host_is_intel())
		EXPECT_EQ(0, rflags & RF);
	EXPECT_EQ(B3 | BS, dr6 & CAUSES);
	EXPECT_EQ(dr6, saved_dr6(self->v));
}

TEST_HARNESS_MAIN
