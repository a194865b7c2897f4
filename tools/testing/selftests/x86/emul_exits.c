// SPDX-License-Identifier: GPL-2.0-only
/* Instructions on device memory that do not end with one exit: what userspace changes or asks meanwhile. */
#include <errno.h>
#include <string.h>
#include "kselftest_harness.h"
#include "testvm.h"

#define VEC_DB	1
#define VEC_MF	16
#define TF	0x100ull
#define CR0_NE	0x20

FIXTURE(exits)
{
	struct test_vm vm;
	struct test_vcpu *v;
};

FIXTURE_SETUP(exits)
{
	memset(guest_handlers, 0, sizeof(guest_handlers));
	vm_create(&self->vm, TEST_IRQCHIP_NONE);
	self->v = vcpu_create(&self->vm, 0);
}

FIXTURE_TEARDOWN(exits)
{
	vm_destroy(&self->vm);
}

/* ---- MMX ---- */

static void guest_mmx(void)
{
	uint64_t cr0;

	__asm__ volatile("mov %%cr0, %0" : "=r" (cr0));
	__asm__ volatile("mov %0, %%cr0" : : "r" ((cr0 & ~0xcull) | CR0_NE));
	__asm__ volatile("fninit");
	guest_sync(guest_try("movq (%%rbx), %%mm0", : : "b" (GPA_MMIO) : "rax", "r11", "memory"));
	__asm__ volatile("fnclex");
	guest_sync(guest_try("movq (%%rbx), %%mm0", : : "b" (GPA_MMIO) : "rax", "r11", "memory"));
	__asm__ volatile("emms");
	guest_done();
}

/* MMX waits for x87 exceptions: one that userspace brings is the guest's, and not the host's. */
TEST_F(exits, mmx_behind_an_x87_exception)
{
	struct kvm_fpu fpu;

	if (!on_keel() && host_is_intel())
		SKIP(return, "with stock KVM on VT-x the guest gets no #MF; why is not known");
	vcpu_start(self->v, guest_mmx);
	EXPECT_EQ(MSG_NONE, vcpu_run(self->v, NULL));
	ASSERT_EQ(KVM_EXIT_MMIO, self->v->run->exit_reason);
	ASSERT_EQ(8, self->v->run->mmio.len);
	ASSERT_EQ(0, ioctl(self->v->fd, KVM_GET_FPU, &fpu));
	fpu.fcw = 0x37e;		/* invalid operation is not masked ... */
	fpu.fsw = 0x8081;		/* ... and has happened */
	ASSERT_EQ(0, ioctl(self->v->fd, KVM_SET_FPU, &fpu));
	memset(self->v->run->mmio.data, 0x55, 8);
	EXPECT_EQ(VEC_MF, vcpu_expect(self->v, MSG_SYNC));
	/* Stock KVM has the device's answer to the first load still, and takes it for this one's. */
	if (on_keel()) {
		EXPECT_EQ(MSG_NONE, vcpu_run(self->v, NULL));
		ASSERT_EQ(KVM_EXIT_MMIO, self->v->run->exit_reason);
	}
	EXPECT_EQ((uint64_t)-1, vcpu_expect(self->v, MSG_SYNC));
	vcpu_expect(self->v, MSG_DONE);
}

/* ---- strings ---- */

#define COUNT	10

static volatile uint64_t left, steps;

static void guest_stos(void)
{
	uint64_t n = COUNT, to = GPA_MMIO;

	__asm__ volatile("rep stosb" : "+c" (n), "+D" (to) : "a" (0x5a) : "memory");
	left = n;
	guest_done();
}

/* Userspace may want the state between two elements: what it got is done, the next has not begun. */
TEST_F(exits, string_stops_for_userspace)
{
	struct kvm_run *run = self->v->run;
	struct kvm_regs r;
	int i;

	vcpu_start(self->v, guest_stos);
	for (i = 0; i < COUNT; i++) {
		EXPECT_EQ(MSG_NONE, vcpu_run(self->v, NULL));
		ASSERT_EQ(KVM_EXIT_MMIO, run->exit_reason);
		EXPECT_EQ(GPA_MMIO + i, run->mmio.phys_addr);
		vcpu_complete(self->v);
		ASSERT_EQ(0, ioctl(self->v->fd, KVM_GET_REGS, &r));
		EXPECT_EQ(COUNT - i - 1, r.rcx);
		EXPECT_EQ(GPA_MMIO + i + 1, r.rdi);
	}
	vcpu_expect(self->v, MSG_DONE);
	EXPECT_EQ(0, left);
}

static void on_step(struct guest_frame *f)
{
	steps++;
}

static void guest_stos_stepped(void)
{
	uint64_t n = COUNT, to = GPA_MMIO;

	guest_handlers[VEC_DB] = on_step;
	/* The POPF and what follows the string: one trap behind each of the next three instructions and elements. */
	__asm__ volatile("pushfq; orq %3, (%%rsp); popfq\n\t"
			 "rep stosb\n\t"
			 "pushfq; andq %4, (%%rsp); popfq"
			 : "+c" (n), "+D" (to) : "a" (0x5a), "i" (TF), "i" (~TF) : "memory");
	guest_sync(steps);
	guest_done();
}

/* TF traps behind each element. */
TEST_F(exits, string_in_single_steps)
{
	uint64_t seen = 0;
	int stores = 0;

	steps = 0;
	vcpu_start(self->v, guest_stos_stepped);
	while (vcpu_run(self->v, &seen) == MSG_NONE && self->v->run->exit_reason == KVM_EXIT_MMIO)
		stores++;
	EXPECT_EQ(COUNT, stores);
	/* Behind each element, PUSHFQ and ANDQ; POPFQ ends it, with a trap of its own. Stock: behind the last element. */
	EXPECT_EQ((on_keel() ? COUNT : 1) + 3, seen);
}

TEST_HARNESS_MAIN
