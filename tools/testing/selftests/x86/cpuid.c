// SPDX-License-Identifier: GPL-2.0-only
/* CPUID: the offered table, setting one, what is computed at run time, and when it can no longer change. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "kselftest_harness.h"
#include "testvm.h"

#define PV_UNHALT	7	/* bit of leaf 0x40000001 */

struct table { struct kvm_cpuid2 c; struct kvm_cpuid_entry2 e[300]; };

FIXTURE(cpuid)
{
	struct test_vm vm;
	struct test_vcpu *v;
	struct table t;
};

FIXTURE_SETUP(cpuid)
{
	vm_create(&self->vm, TEST_IRQCHIP_FULL);
	self->v = vcpu_create(&self->vm, 0);
	self->t.c.nent = 256;
	ASSERT_EQ(0, ioctl(self->vm.kvm, KVM_GET_SUPPORTED_CPUID, &self->t));
}

FIXTURE_TEARDOWN(cpuid)
{
	vm_destroy(&self->vm);
}

static struct kvm_cpuid_entry2 *leaf(struct table *t, uint32_t function, uint32_t index)
{
	unsigned int i;

	for (i = 0; i < t->c.nent; i++)
		if (t->e[i].function == function && t->e[i].index == index)
			return &t->e[i];
	return NULL;
}

TEST_F(cpuid, room)
{
	uint32_t n = self->t.c.nent, i;
	struct table t;

	EXPECT_LT(n, 80);	/* old clients bring room for 80 entries and no more */
	for (i = 0; i < n; i++) {
		memset(&t, 0, sizeof(t));
		t.c.nent = i;
		EXPECT_ERR(E2BIG, ioctl(self->vm.kvm, KVM_GET_SUPPORTED_CPUID, &t));
	}
	memset(&t, 0xee, sizeof(t));
	t.c.nent = n;
	EXPECT_EQ(0, ioctl(self->vm.kvm, KVM_GET_SUPPORTED_CPUID, &t));
	EXPECT_EQ(n, t.c.nent);
	EXPECT_EQ(0xeeeeeeee, t.e[n].function);
	EXPECT_EQ(0, memcmp(t.e, self->t.e, n * sizeof(t.e[0])));
	/* More than the largest table: taken as the largest. */
	memset(&t, 0xee, sizeof(t));
	t.c.nent = ~0u;
	EXPECT_EQ(0, ioctl(self->vm.kvm, KVM_GET_SUPPORTED_CPUID, &t));
	EXPECT_EQ(n, t.c.nent);
}

TEST_F(cpuid, no_leaf_twice)
{
	struct kvm_cpuid_entry2 *e = self->t.e;
	unsigned int i, j;

	for (i = 0; i < self->t.c.nent; i++) {
		for (j = 0; j < i; j++)
			EXPECT_FALSE(e[i].function == e[j].function && e[i].index == e[j].index);
		EXPECT_EQ(0, e[i].padding[0] | e[i].padding[1] | e[i].padding[2]);
		/* What has one sub-leaf only says so. */
		if (!(e[i].flags & KVM_CPUID_FLAG_SIGNIFCANT_INDEX))
			EXPECT_EQ(0, e[i].index);
	}
}

TEST_F(cpuid, what_clients_look_for)
{
	struct kvm_cpuid_entry2 *e;

	e = leaf(&self->t, 0x40000000, 0);
	ASSERT_NE(NULL, e);
	EXPECT_EQ(0, memcmp(&e->ebx, "KVMKVMKVM\0\0\0", 12));
	EXPECT_GE(e->eax, 0x40000001);
	e = leaf(&self->t, 0x40000001, 0);
	ASSERT_NE(NULL, e);
	EXPECT_TRUE(e->eax & 1 << 3);			/* CLOCKSOURCE2 */
	e = leaf(&self->t, 1, 0);
	ASSERT_NE(NULL, e);
	EXPECT_TRUE(e->ecx & 1 << 21);			/* x2APIC */
	EXPECT_FALSE(e->ecx & 1 << 3);			/* MONITOR is never native */
	EXPECT_TRUE(e->edx & 1 << 9);			/* APIC */
	e = leaf(&self->t, 0x80000001, 0);
	ASSERT_NE(NULL, e);
	EXPECT_TRUE(e->edx & 1 << 29);			/* long mode */
	e = leaf(&self->t, 0x80000008, 0);
	ASSERT_NE(NULL, e);
	EXPECT_GE(e->eax & 0xff, 36);
	ASSERT_NE(NULL, leaf(&self->t, 7, 0));
}

TEST_F(cpuid, emulated)
{
	struct table t = {};

	t.c.nent = 0;
	EXPECT_ERR(E2BIG, ioctl(self->vm.kvm, KVM_GET_EMULATED_CPUID, &t));
	t.c.nent = 256;
	memset(t.e, 0xee, sizeof(t.e));
	memset(t.e, 0, 256 * sizeof(t.e[0]));
	ASSERT_EQ(0, ioctl(self->vm.kvm, KVM_GET_EMULATED_CPUID, &t));
	EXPECT_GT(t.c.nent, 0);
	EXPECT_LT(t.c.nent, 256);
}

TEST_F(cpuid, set_and_get)
{
	struct table a = {}, b = {};
	unsigned int i;
	int fd = self->v->fd;

	for (i = 0; i < 4; i++)
		a.e[i] = (struct kvm_cpuid_entry2){
			.function = i, .eax = 3, .ebx = 0x1000 + i, .ecx = i, .edx = 7,
		};
	a.c.nent = 4;
	ASSERT_EQ(0, ioctl(fd, KVM_SET_CPUID2, &a));
	b.c.nent = 3;
	EXPECT_ERR(E2BIG, ioctl(fd, KVM_GET_CPUID2, &b));
	EXPECT_EQ(3, b.c.nent);				/* the kernel's selftests want it so */
	b.c.nent = 10;
	memset(b.e, 0x33, sizeof(b.e));
	ASSERT_EQ(0, ioctl(fd, KVM_GET_CPUID2, &b));
	EXPECT_TRUE(b.c.nent == 4 || !on_keel());
	EXPECT_EQ(0x1002, b.e[2].ebx);
	EXPECT_EQ(0x33333333, b.e[4].eax);
	/* An empty table, and one that is too big. */
	a.c.nent = 0;
	EXPECT_EQ(0, ioctl(fd, KVM_SET_CPUID2, &a));
	a.c.nent = 257;
	EXPECT_ERR(E2BIG, ioctl(fd, KVM_SET_CPUID2, &a));
	a.c.nent = ~0u;
	EXPECT_ERR(E2BIG, ioctl(fd, KVM_SET_CPUID2, &a));
	/* Linear addresses have 48 or 57 bits. */
	leaf(&self->t, 0x80000008, 0)->eax = 39 | 36 << 8;
	EXPECT_ERR(EINVAL, ioctl(fd, KVM_SET_CPUID2, &self->t));
}

TEST_F(cpuid, old_form)
{
	struct { struct kvm_cpuid c; struct kvm_cpuid_entry e[2]; } a = {
		.c.nent = 2, .e = { { .function = 0, .eax = 1, .ebx = 0x1234 },
				    { .function = 1, .eax = 0x600 } },
	};
	struct table b = {};

	ASSERT_EQ(0, ioctl(self->v->fd, KVM_SET_CPUID, &a));
	b.c.nent = 10;
	ASSERT_EQ(0, ioctl(self->v->fd, KVM_GET_CPUID2, &b));
	EXPECT_TRUE(b.c.nent == 2 || !on_keel());
	EXPECT_EQ(0x1234, b.e[0].ebx);
	EXPECT_EQ(0, b.e[0].index);
	a.c.nent = 257;
	EXPECT_ERR(E2BIG, ioctl(self->v->fd, KVM_SET_CPUID, &a));
}

static volatile struct { uint32_t a, b, c, d; } regs;

static void guest_asks(void)
{
	for (;;) {
		uint32_t a = regs.a, b, c = regs.c, d;

		guest_cpuid(&a, &b, &c, &d);
		regs.a = a;
		regs.b = b;
		regs.c = c;
		regs.d = d;
		guest_sync(0);
	}
}

static void ask(struct test_vcpu *v, uint32_t function, uint32_t index)
{
	regs.a = function;
	regs.c = index;
	vcpu_expect(v, MSG_SYNC);
}

TEST_F(cpuid, what_the_guest_sees)
{
	struct kvm_cpuid_entry2 *e;
	unsigned int i;

	vcpu_start(self->v, guest_asks);
	for (i = 0; i < self->t.c.nent; i++) {
		e = &self->t.e[i];
		/* Computed at run time, or by the vendor's hand at set time. */
		if (e->function == 1 || e->function == 0xd || e->function == 7 ||
		    e->function == 0x40000001 || e->function == 0x80000001)
			continue;
		ask(self->v, e->function, e->index);
		EXPECT_TRUE(regs.a == e->eax && regs.b == e->ebx && regs.c == e->ecx &&
			    regs.d == e->edx) TH_LOG("leaf %#x.%u", e->function, e->index);
	}
}

TEST_F(cpuid, out_of_range)
{
	uint32_t top = self->t.e[0].eax;

	if (host_is_intel())
		SKIP(return, "Intel's CPUs answer with the highest basic leaf");
	ASSERT_EQ(0, self->t.e[0].function);
	vcpu_start(self->v, guest_asks);
	ask(self->v, top + 1, 0);
	EXPECT_EQ(0, regs.a | regs.b | regs.c | regs.d);
	ask(self->v, 0x8fffffff, 0);
	EXPECT_EQ(0, regs.a | regs.b | regs.c | regs.d);
	ask(self->v, 0x50000000, 0);
	EXPECT_EQ(0, regs.a | regs.b | regs.c | regs.d);
	/* A sub-leaf that is not there. */
	ask(self->v, 7, 100);
	EXPECT_EQ(0, regs.a | regs.b | regs.c | regs.d);
}

/* What a sub-leaf above the last of topology says: type 0, the level, and the APIC ID. */
TEST_F(cpuid, topology_beyond_the_last_level)
{
	struct table t = {};
	unsigned int i;

	for (i = 0; i < self->t.c.nent; i++)
		if (self->t.e[i].function != 0xb && self->t.e[i].function != 0x1f)
			t.e[t.c.nent++] = self->t.e[i];
	if (t.e[0].eax < 0xb)
		SKIP(return, "leaf 0xb is out of range");
	for (i = 0; i < 2; i++)
		t.e[t.c.nent++] = (struct kvm_cpuid_entry2){
			.function = 0xb, .index = i, .flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX,
			.eax = 1, .ebx = 2, .ecx = (i + 1) << 8 | i, .edx = 9,
		};
	ASSERT_EQ(0, ioctl(self->v->fd, KVM_SET_CPUID2, &t));
	vcpu_start(self->v, guest_asks);
	ask(self->v, 0xb, 0);
	EXPECT_EQ(0x100, regs.c);
	EXPECT_EQ(9, regs.d);
	ask(self->v, 0xb, 0x1234);
	EXPECT_EQ(0, regs.a);
	EXPECT_EQ(0, regs.b);
	EXPECT_EQ(0x34, regs.c);
	EXPECT_EQ(9, regs.d);
}

static bool osxsave(void)
{
	uint32_t a = 1, b, c = 0, d;

	guest_cpuid(&a, &b, &c, &d);
	return c & 1 << 27;
}

static void guest_osxsave(void)
{
	uint32_t a, b, c, d, unused;
	uint64_t cr4;

	guest_assert(!osxsave());
	__asm__ volatile("mov %%cr4, %0; or %1, %0; mov %0, %%cr4"
			 : "=&r" (cr4) : "i" (1 << 18));
	guest_assert(osxsave());
	/* x87 must be on; there is one register, 0. */
	guest_assert(guest_try("xsetbv", : : "a" (2), "d" (0), "c" (0) : "r11", "memory") == 13);
	guest_assert(guest_try("xsetbv", : : "a" (1), "d" (0), "c" (1) : "r11", "memory") == 13);
	for (b = 0; b < 2; b++) {
		__asm__ volatile("xgetbv" : "=a" (a), "=d" (d) : "c" (0));
		guest_sync(a | (uint64_t)d << 32);
		a = 0xd;
		c = 0;
		guest_cpuid(&a, &d, &c, &unused);
		guest_sync((uint64_t)c << 32 | d);
	}
	__asm__ volatile("mov %0, %%cr4" : : "r" (cr4 & ~(1ull << 18)));
	guest_assert(!osxsave());
	guest_assert(guest_try("xsetbv", : : "a" (1), "d" (0), "c" (0) : "r11", "memory") == 6);
	guest_done();
}

/*
 * OSXSAVE in leaf 1 follows CR4; the size in EBX of leaf 0xD follows XCR0, that in ECX does not.
 * XCR0 is set from outside: QEMU's TCG does not intercept XSETBV, so KVM does not see the guest's.
 */
TEST_F(cpuid, computed_at_run_time)
{
	struct kvm_cpuid_entry2 *e = leaf(&self->t, 0xd, 0);
	struct kvm_xcrs x = { .nr_xcrs = 1 };
	uint64_t sizes;

	if (!e)
		SKIP(return, "no XSAVE");
	vcpu_start(self->v, guest_osxsave);
	EXPECT_EQ(1, vcpu_expect(self->v, MSG_SYNC));
	sizes = vcpu_expect(self->v, MSG_SYNC);
	EXPECT_EQ(576, (uint32_t)sizes);
	EXPECT_EQ(e->ecx, sizes >> 32);
	x.xcrs[0].value = e->eax | (uint64_t)e->edx << 32;
	ASSERT_EQ(0, ioctl(self->v->fd, KVM_SET_XCRS, &x));
	EXPECT_EQ(x.xcrs[0].value, vcpu_expect(self->v, MSG_SYNC));
	sizes = vcpu_expect(self->v, MSG_SYNC);
	EXPECT_EQ(e->ecx, (uint32_t)sizes);
	EXPECT_EQ(e->ecx, sizes >> 32);
	vcpu_expect(self->v, MSG_DONE);
}

/* The APIC bit follows the enable bit of APIC_BASE. */
TEST_F(cpuid, apic_bit)
{
	struct kvm_sregs s;

	vcpu_start(self->v, guest_asks);
	ask(self->v, 1, 0);
	EXPECT_TRUE(regs.d & 1 << 9);
	ASSERT_EQ(0, ioctl(self->v->fd, KVM_GET_SREGS, &s));
	s.apic_base &= ~0x800ull;
	ASSERT_EQ(0, ioctl(self->v->fd, KVM_SET_SREGS, &s));
	ask(self->v, 1, 0);
	EXPECT_FALSE(regs.d & 1 << 9);
}

TEST_F(cpuid, frozen_by_the_first_run)
{
	struct table t = self->t;

	ASSERT_EQ(0, ioctl(self->v->fd, KVM_SET_CPUID2, &self->t));
	vcpu_start(self->v, guest_asks);
	ask(self->v, 0, 0);
	EXPECT_EQ(0, ioctl(self->v->fd, KVM_SET_CPUID2, &self->t));
	t.e[0].ebx ^= 1;
	EXPECT_ERR(EINVAL, ioctl(self->v->fd, KVM_SET_CPUID2, &t));
	t = self->t;
	t.c.nent--;
	EXPECT_ERR(EINVAL, ioctl(self->v->fd, KVM_SET_CPUID2, &t));
	ask(self->v, 0, 0);
	EXPECT_EQ(self->t.e[0].ebx, regs.b);
}

/* KVM_CAP_X86_DISABLE_EXITS takes KVM_FEATURE_PV_UNHALT from the guest, and nothing from a table without KVM's leaves. */
TEST(halt_without_exit)
{
	struct kvm_enable_cap cap = { .cap = KVM_CAP_X86_DISABLE_EXITS, .args = { KVM_X86_DISABLE_EXITS_HLT } };
	struct table t = { .c.nent = 256 }, own;
	struct kvm_cpuid_entry2 *e;
	struct test_vcpu *v;
	struct test_vm vm;
	unsigned int i, kvm_leaves;

	for (kvm_leaves = 0; kvm_leaves < 2; kvm_leaves++) {
		vm_create(&vm, TEST_IRQCHIP_FULL);
		if (!(kvm_cap(vm.fd, KVM_CAP_X86_DISABLE_EXITS) & KVM_X86_DISABLE_EXITS_HLT))
			SKIP(return, "HLT always exits");
		ASSERT_EQ(0, ioctl(vm.fd, KVM_ENABLE_CAP, &cap));
		v = vcpu_create(&vm, 0);
		t.c.nent = 256;
		ASSERT_EQ(0, ioctl(vm.kvm, KVM_GET_SUPPORTED_CPUID, &t));
		memset(&own, 0, sizeof(own));
		for (i = 0; i < t.c.nent; i++)
			if (kvm_leaves || t.e[i].function >> 8 != 0x400000)
				own.e[own.c.nent++] = t.e[i];
		e = leaf(&own, 1, 0);
		ASSERT_NE(NULL, e);
		e->eax |= 1 << PV_UNHALT;	/* there a part of the model */
		ASSERT_EQ(0, ioctl(v->fd, KVM_SET_CPUID2, &own));
		vcpu_start(v, guest_asks);
		ask(v, 1, 0);
		EXPECT_EQ(e->eax, regs.a);
		if (kvm_leaves) {
			ask(v, 0x40000001, 0);
			EXPECT_NE(0, regs.a);
			EXPECT_FALSE(regs.a & 1 << PV_UNHALT);
		}
		EXPECT_EQ(0, ioctl(v->fd, KVM_SET_CPUID2, &own));
		vm_destroy(&vm);
	}
}

TEST_HARNESS_MAIN
