// SPDX-License-Identifier: GPL-2.0-only
/* A vCPU's state through the ioctls: what is set is read back, is what the guest sees, and nonsense is refused. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "kselftest_harness.h"
#include "testvm.h"

FIXTURE(state)
{
	struct test_vm vm;
	struct test_vcpu *v;
};

FIXTURE_SETUP(state)
{
	memset(guest_handlers, 0, sizeof(guest_handlers));
	vm_create(&self->vm, TEST_IRQCHIP_NONE);
	self->v = vcpu_create(&self->vm, 0);
}

FIXTURE_TEARDOWN(state)
{
	vm_destroy(&self->vm);
}

static void guest_nothing(void)
{
	for (;;)
		guest_sync(0);
}

#define GUARD	64

/* Two calls into differently filled buffers: the same bytes, and none behind the end. */
static int same_bytes(int fd, unsigned long nr, size_t size, uint32_t head)
{
	uint8_t *a = malloc(size + GUARD), *b = malloc(size + GUARD);
	int ret = 0, i;

	memset(a, 0xa5, size + GUARD);
	memset(b, 0x5a, size + GUARD);
	if (head != ~0u) {
		memcpy(a, &head, 4);
		memcpy(b, &head, 4);
	}
	if (ioctl(fd, nr, a) || ioctl(fd, nr, b))
		ret = -errno;
	else if (memcmp(a, b, size))
		ret = 1;
	for (i = 0; i < GUARD; i++)
		if (a[size + i] != 0xa5 || b[size + i] != 0x5a)
			ret = 2;
	free(a);
	free(b);
	return ret;
}

static const struct { char name[12]; unsigned long nr; size_t size; } gets[] = {
	{ "REGS", KVM_GET_REGS, sizeof(struct kvm_regs) },
	{ "SREGS", KVM_GET_SREGS, sizeof(struct kvm_sregs) },
	{ "SREGS2", KVM_GET_SREGS2, sizeof(struct kvm_sregs2) },
	{ "FPU", KVM_GET_FPU, sizeof(struct kvm_fpu) },
	{ "XSAVE", KVM_GET_XSAVE, 4096 },
	{ "XCRS", KVM_GET_XCRS, sizeof(struct kvm_xcrs) },
	{ "DEBUGREGS", KVM_GET_DEBUGREGS, sizeof(struct kvm_debugregs) },
	{ "MP_STATE", KVM_GET_MP_STATE, sizeof(struct kvm_mp_state) },
	{ "VCPU_EVENTS", KVM_GET_VCPU_EVENTS, sizeof(struct kvm_vcpu_events) },
};

TEST_F(state, output_is_written_whole)
{
	int xsave2 = kvm_cap(self->vm.fd, KVM_CAP_XSAVE2), i;

	vcpu_start(self->v, guest_nothing);
	vcpu_expect(self->v, MSG_SYNC);
	for (i = 0; i < sizeof(gets) / sizeof(gets[0]); i++)
		EXPECT_EQ(0, same_bytes(self->v->fd, gets[i].nr, gets[i].size, ~0u))
			TH_LOG("KVM_GET_%.12s", gets[i].name);
	EXPECT_EQ(0, same_bytes(self->v->fd, KVM_GET_XSAVE2, xsave2, ~0u));
}

TEST(output_of_the_irqchip_is_written_whole)
{
	struct kvm_pit_config pit = {};
	struct test_vcpu *v;
	struct test_vm vm;
	uint32_t chip;

	vm_create(&vm, TEST_IRQCHIP_FULL);
	ASSERT_EQ(0, ioctl(vm.fd, KVM_CREATE_PIT2, &pit));
	v = vcpu_create(&vm, 0);
	EXPECT_EQ(0, same_bytes(v->fd, KVM_GET_LAPIC, sizeof(struct kvm_lapic_state), ~0u));
	EXPECT_EQ(0, same_bytes(vm.fd, KVM_GET_PIT2, sizeof(struct kvm_pit_state2), ~0u));
	for (chip = 0; chip < 3; chip++) {
		struct kvm_irqchip a = { .chip_id = chip }, b = { .chip_id = chip };

		memset(&b.chip, 0xff, sizeof(b.chip));
		ASSERT_EQ(0, ioctl(vm.fd, KVM_GET_IRQCHIP, &a));
		ASSERT_EQ(0, ioctl(vm.fd, KVM_GET_IRQCHIP, &b));
		/* A PIC's state is shorter than the union; that rest is the caller's. */
		EXPECT_EQ(0, memcmp(&a.chip, &b.chip, chip < 2 ? sizeof(a.chip.pic) :
							 sizeof(a.chip.ioapic)));
	}
	vm_destroy(&vm);
}

TEST_F(state, regs)
{
	struct kvm_regs a, b;
	int i;

	for (i = 0; i < 16; i++)
		((uint64_t *)&a)[i] = 0x1111111111111111ull * i + 1;
	a.rip = 0xffffffff81000000;
	a.rflags = 0xcd7;
	ASSERT_EQ(0, ioctl(self->v->fd, KVM_SET_REGS, &a));
	ASSERT_EQ(0, ioctl(self->v->fd, KVM_GET_REGS, &b));
	EXPECT_EQ(0, memcmp(&a, &b, sizeof(a)));
	/* Bit 1 of RFLAGS is always 1. */
	a.rflags = 0;
	ASSERT_EQ(0, ioctl(self->v->fd, KVM_SET_REGS, &a));
	ASSERT_EQ(0, ioctl(self->v->fd, KVM_GET_REGS, &b));
	EXPECT_EQ(2, b.rflags);
}

TEST_F(state, sregs)
{
	struct kvm_sregs a, b;
	struct kvm_sregs2 c;

	vcpu_start(self->v, guest_nothing);
	vcpu_expect(self->v, MSG_SYNC);
	ASSERT_EQ(0, ioctl(self->v->fd, KVM_GET_SREGS, &a));
	a.fs.base = 0x7f1234567000;
	a.gs.base = 0xffff888012345000;
	a.cr2 = 0x123456789abc;
	a.cr8 = 5;
	a.idt.limit = 0x7ff;
	ASSERT_EQ(0, ioctl(self->v->fd, KVM_SET_SREGS, &a));
	ASSERT_EQ(0, ioctl(self->v->fd, KVM_GET_SREGS, &b));
	EXPECT_EQ(0, memcmp(&a, &b, sizeof(a)));
	ASSERT_EQ(0, ioctl(self->v->fd, KVM_GET_SREGS2, &c));
	EXPECT_EQ(0, memcmp(&a, &c, offsetof(struct kvm_sregs, interrupt_bitmap)));
	EXPECT_EQ(0, c.flags);
	ASSERT_EQ(0, ioctl(self->v->fd, KVM_SET_SREGS2, &c));
	c.flags = 1 << 7;
	EXPECT_ERR(EINVAL, ioctl(self->v->fd, KVM_SET_SREGS2, &c));
	vcpu_expect(self->v, MSG_SYNC);
}

TEST_F(state, reset_values)
{
	struct kvm_sregs s;
	struct kvm_regs r;

	ASSERT_EQ(0, ioctl(self->v->fd, KVM_GET_SREGS, &s));
	ASSERT_EQ(0, ioctl(self->v->fd, KVM_GET_REGS, &r));
	EXPECT_EQ(0xfff0, r.rip);
	EXPECT_EQ(2, r.rflags);
	EXPECT_EQ(0xf000, s.cs.selector);
	EXPECT_EQ(0xffff0000, s.cs.base);
	EXPECT_EQ(0xffff, s.cs.limit);
	EXPECT_EQ(0x60000010, s.cr0);
	EXPECT_EQ(0, s.cr4);
	EXPECT_EQ(0, s.efer);
	EXPECT_EQ(0xffff, s.gdt.limit);
	EXPECT_EQ(0xffff, s.idt.limit);
	EXPECT_EQ(0xfee00900, s.apic_base);
}

#define BAD_SREGS(field, val)							\
do {										\
	struct kvm_sregs t_ = s;						\
	t_.field = (val);							\
	EXPECT_ERR(EINVAL, ioctl(self->v->fd, KVM_SET_SREGS, &t_));		\
} while (0)

TEST_F(state, invalid_sregs)
{
	uint32_t phys = cpuid_reg(self->vm.kvm, 0x80000008, 0, 0) & 0xff;
	struct kvm_sregs s, after;

	vcpu_start(self->v, guest_nothing);
	vcpu_expect(self->v, MSG_SYNC);
	ASSERT_EQ(0, ioctl(self->v->fd, KVM_GET_SREGS, &s));
	BAD_SREGS(cr4, s.cr4 | 1u << 31);
	BAD_SREGS(cr4, s.cr4 | 1ull << 63);
	BAD_SREGS(cr4, s.cr4 & ~0x20ull);		/* long mode without PAE */
	BAD_SREGS(efer, s.efer & ~0x400ull);		/* LME and PG, but no LMA */
	BAD_SREGS(efer, s.efer & ~0x100ull);		/* LMA without LME */
	BAD_SREGS(cr3, s.cr3 | 1ull << phys);
	BAD_SREGS(apic_base, s.apic_base | 1ull << phys);
	ASSERT_EQ(0, ioctl(self->v->fd, KVM_GET_SREGS, &after));
	EXPECT_EQ(0, memcmp(&s, &after, sizeof(s)));
	vcpu_expect(self->v, MSG_SYNC);
}

/* A bit of CR4 needs the feature in the guest's CPUID. */
TEST_F(state, sregs_follow_cpuid)
{
	struct kvm_cpuid2 *c = supported_cpuid(self->vm.kvm);
	struct kvm_sregs s;
	unsigned int i;

	ASSERT_EQ(0, ioctl(self->v->fd, KVM_GET_SREGS, &s));
	if (!(cpuid_reg(self->vm.kvm, 7, 0, 1) & 1 << 7))
		SKIP(return, "no SMEP");
	s.cr4 |= 1 << 20;
	EXPECT_EQ(0, ioctl(self->v->fd, KVM_SET_SREGS, &s));
	s.cr4 = 0;
	EXPECT_EQ(0, ioctl(self->v->fd, KVM_SET_SREGS, &s));
	for (i = 0; i < c->nent; i++)
		if (c->entries[i].function == 7 && !c->entries[i].index)
			c->entries[i].ebx &= ~(1u << 7);
	ASSERT_EQ(0, ioctl(self->v->fd, KVM_SET_CPUID2, c));
	s.cr4 |= 1 << 20;
	EXPECT_ERR(EINVAL, ioctl(self->v->fd, KVM_SET_SREGS, &s));
}

/* OSXSAVE on a CPU without XSAVE is refused, and so is what would be loaded if it were there (CVE-2012-4461). */
TEST_F(state, osxsave_without_xsave)
{
	struct kvm_cpuid2 *c = supported_cpuid(self->vm.kvm);
	struct kvm_xcrs x = { .nr_xcrs = 1, .xcrs = { { .value = 7 } } };
	struct kvm_sregs s;
	unsigned int i;

	for (i = 0; i < c->nent; i++) {
		if (c->entries[i].function == 1)
			c->entries[i].ecx &= ~(3u << 26);
		if (c->entries[i].function == 0xd)
			memset(&c->entries[i].eax, 0, 4 * sizeof(c->entries[i].eax));
	}
	ASSERT_EQ(0, ioctl(self->v->fd, KVM_SET_CPUID2, c));
	vcpu_start(self->v, guest_nothing);
	ASSERT_EQ(0, ioctl(self->v->fd, KVM_GET_SREGS, &s));
	s.cr4 |= 1 << 18;
	EXPECT_ERR(EINVAL, ioctl(self->v->fd, KVM_SET_SREGS, &s));
	EXPECT_ERR(EINVAL, ioctl(self->v->fd, KVM_SET_XCRS, &x));
	vcpu_expect(self->v, MSG_SYNC);
}

static volatile uint64_t irq_hits;

static void irq_handler(struct guest_frame *f)
{
	irq_hits++;
}

/* An interrupt that was under way goes with SREGS and is delivered on the next entry. */
TEST_F(state, interrupt_bitmap)
{
	struct kvm_sregs s;
	struct kvm_regs r;

	irq_hits = 0;
	guest_handlers[0x45] = irq_handler;
	vcpu_start(self->v, guest_nothing);
	ASSERT_EQ(0, ioctl(self->v->fd, KVM_GET_REGS, &r));
	r.rflags |= 0x200;
	ASSERT_EQ(0, ioctl(self->v->fd, KVM_SET_REGS, &r));
	ASSERT_EQ(0, ioctl(self->v->fd, KVM_GET_SREGS, &s));
	s.interrupt_bitmap[1] = 1ull << 5;
	ASSERT_EQ(0, ioctl(self->v->fd, KVM_SET_SREGS, &s));
	memset(s.interrupt_bitmap, 0, sizeof(s.interrupt_bitmap));
	ASSERT_EQ(0, ioctl(self->v->fd, KVM_GET_SREGS, &s));
	EXPECT_EQ(1ull << 5, s.interrupt_bitmap[1]);
	vcpu_expect(self->v, MSG_SYNC);
	EXPECT_EQ(1, irq_hits);
	ASSERT_EQ(0, ioctl(self->v->fd, KVM_GET_SREGS, &s));
	EXPECT_EQ(0, s.interrupt_bitmap[1]);
}

static uint64_t xmm_seen[2], xmm_new[2] = { 0x1122334455667788, 0x99aabbccddeeff00 };
static uint16_t fcw_seen;

static void guest_fpu(void)
{
	__asm__ volatile("fninit; fldpi; fstp %st(0); movdqu %xmm0, %xmm3; pcmpeqb %xmm3, %xmm3");
	guest_sync(0);
	__asm__ volatile("movdqu %%xmm3, %0; fnstcw %1; movdqu %2, %%xmm4; fld1"
			 : "=m" (xmm_seen), "=m" (fcw_seen) : "m" (xmm_new));
	guest_done();
}

TEST_F(state, fpu)
{
	static const uint8_t one[10] = { 0, 0, 0, 0, 0, 0, 0, 0x80, 0xff, 0x3f };
	struct kvm_fpu f;

	/*
	 * The guest has used its FPU: stock KVM does not mark what KVM_SET_FPU sets as in use, so
	 * that it is lost in a state that was still the initial one.
	 */
	vcpu_start(self->v, guest_fpu);
	vcpu_expect(self->v, MSG_SYNC);
	ASSERT_EQ(0, ioctl(self->v->fd, KVM_GET_FPU, &f));
	EXPECT_EQ(0x37f, f.fcw);
	EXPECT_EQ(0xff, f.xmm[3][15]);
	f.fcw = 0x27f;
	f.ftwx = 0;
	memset(f.xmm[3], 0x3c, 16);
	ASSERT_EQ(0, ioctl(self->v->fd, KVM_SET_FPU, &f));
	vcpu_expect(self->v, MSG_DONE);
	EXPECT_EQ(0x27f, fcw_seen);
	EXPECT_EQ(0x3c3c3c3c3c3c3c3c, xmm_seen[0]);
	EXPECT_EQ(0x3c3c3c3c3c3c3c3c, xmm_seen[1]);
	ASSERT_EQ(0, ioctl(self->v->fd, KVM_GET_FPU, &f));
	EXPECT_EQ(0, memcmp(f.xmm[4], xmm_new, 16));
	EXPECT_EQ(0x80, f.ftwx);
	EXPECT_EQ(0, memcmp(f.fpr[0], one, 10));
}

TEST_F(state, xsave)
{
	int size = kvm_cap(self->vm.fd, KVM_CAP_XSAVE2);
	struct kvm_xsave *a = calloc(1, size), *b = calloc(1, size);
	uint8_t *p = (uint8_t *)a;
	uint64_t bv;

	vcpu_start(self->v, guest_fpu);
	vcpu_expect(self->v, MSG_SYNC);
	ASSERT_EQ(0, ioctl(self->v->fd, KVM_GET_XSAVE2, a));
	memset(p + 160 + 3 * 16, 0x4d, 16);		/* XMM3 */
	memcpy(&bv, p + 512, 8);
	bv |= 3;
	if (cpuid_reg(self->vm.kvm, 0xd, 0, 0) & 4) {
		bv |= 4;
		memset(p + 576 + 3 * 16, 0x4e, 16);	/* the upper half of YMM3 */
	}
	memcpy(p + 512, &bv, 8);
	ASSERT_EQ(0, ioctl(self->v->fd, KVM_SET_XSAVE, a));
	ASSERT_EQ(0, ioctl(self->v->fd, KVM_GET_XSAVE2, b));
	EXPECT_EQ(0, memcmp(a->region + 40, b->region + 40, 256));
	if (bv & 4)
		EXPECT_EQ(0, memcmp(p + 576, (uint8_t *)b + 576, 256));
	EXPECT_EQ(bv, *(uint64_t *)((uint8_t *)b + 512) | 1);
	vcpu_expect(self->v, MSG_DONE);
	EXPECT_EQ(0x4d4d4d4d4d4d4d4d, xmm_seen[0]);

	memset(a, 0, size);
	memset(b, 0, size);
	ASSERT_EQ(0, ioctl(self->v->fd, KVM_GET_XSAVE, a));
	ASSERT_EQ(0, ioctl(self->v->fd, KVM_GET_XSAVE2, b));
	EXPECT_EQ(0, memcmp(a, b, 4096));
	/* A component that does not exist; reserved bits of MXCSR. */
	bv = 1ull << 62;
	memcpy(p + 512, &bv, 8);
	EXPECT_ERR(EINVAL, ioctl(self->v->fd, KVM_SET_XSAVE, a));
	memcpy(a, b, size);
	p[27] = 0xff;
	EXPECT_ERR(EINVAL, ioctl(self->v->fd, KVM_SET_XSAVE, a));
	free(a);
	free(b);
}

#define BAD_XCRS(field, val)							\
do {										\
	struct kvm_xcrs t_ = x;							\
	t_.field = (val);							\
	EXPECT_ERR(EINVAL, ioctl(self->v->fd, KVM_SET_XCRS, &t_));		\
} while (0)

TEST_F(state, xcrs)
{
	struct kvm_xcrs x;

	ASSERT_EQ(0, ioctl(self->v->fd, KVM_GET_XCRS, &x));
	EXPECT_EQ(1, x.nr_xcrs);
	EXPECT_EQ(0, x.flags);
	EXPECT_EQ(0, x.xcrs[0].xcr);
	EXPECT_EQ(1, x.xcrs[0].value);
	x.xcrs[0].value = 3;
	ASSERT_EQ(0, ioctl(self->v->fd, KVM_SET_XCRS, &x));
	memset(&x, 0, sizeof(x));
	ASSERT_EQ(0, ioctl(self->v->fd, KVM_GET_XCRS, &x));
	EXPECT_EQ(3, x.xcrs[0].value);
	BAD_XCRS(nr_xcrs, KVM_MAX_XCRS + 1);
	BAD_XCRS(flags, 1);
	BAD_XCRS(xcrs[0].value, 0);
	BAD_XCRS(xcrs[0].value, 5);		/* AVX without SSE */
	BAD_XCRS(xcrs[0].value, 1ull << 63 | 3);
	ASSERT_EQ(0, ioctl(self->v->fd, KVM_GET_XCRS, &x));
	EXPECT_EQ(3, x.xcrs[0].value);
}

TEST_F(state, debugregs)
{
	struct kvm_debugregs a = {
		.db = { 0x1000, 0x2000, 0xffff800000000000, 0x4000 },
		.dr6 = 0xffff0ff1, .dr7 = 0x401,
	}, b;

	ASSERT_EQ(0, ioctl(self->v->fd, KVM_SET_DEBUGREGS, &a));
	ASSERT_EQ(0, ioctl(self->v->fd, KVM_GET_DEBUGREGS, &b));
	EXPECT_EQ(0, memcmp(&a, &b, sizeof(a)));
	b.flags = 1;
	EXPECT_ERR(EINVAL, ioctl(self->v->fd, KVM_SET_DEBUGREGS, &b));
	b = a;
	b.dr6 |= 1ull << 40;
	EXPECT_ERR(EINVAL, ioctl(self->v->fd, KVM_SET_DEBUGREGS, &b));
	b = a;
	b.dr7 |= 1ull << 40;
	EXPECT_ERR(EINVAL, ioctl(self->v->fd, KVM_SET_DEBUGREGS, &b));
}

TEST_F(state, translate)
{
	struct kvm_translation t = { .linear_address = (uintptr_t)&irq_hits };

	vcpu_start(self->v, guest_nothing);
	ASSERT_EQ(0, ioctl(self->v->fd, KVM_TRANSLATE, &t));
	EXPECT_EQ(1, t.valid);
	EXPECT_EQ((uintptr_t)&irq_hits, t.physical_address);
	t.linear_address = 0x7000000000;
	ASSERT_EQ(0, ioctl(self->v->fd, KVM_TRANSLATE, &t));
	EXPECT_EQ(0, t.valid);
}

/* As after reset: every address is its own, but what means "none". */
TEST_F(state, translate_without_paging)
{
	struct kvm_translation t = { .linear_address = 0xffffffff };

	ASSERT_EQ(0, ioctl(self->v->fd, KVM_TRANSLATE, &t));
	EXPECT_EQ(1, t.valid);
	EXPECT_EQ(0xffffffff, t.physical_address);
	t.linear_address = ~0ull;
	ASSERT_EQ(0, ioctl(self->v->fd, KVM_TRANSLATE, &t));
	EXPECT_EQ(0, t.valid);
}

static int mp_state(int fd, int set)
{
	struct kvm_mp_state mp = { .mp_state = set };

	if (set >= 0)
		return ioctl(fd, KVM_SET_MP_STATE, &mp);
	return ioctl(fd, KVM_GET_MP_STATE, &mp) ?: (int)mp.mp_state;
}

TEST_F(state, mp_state_without_apic)
{
	int fd = self->v->fd;

	EXPECT_EQ(KVM_MP_STATE_RUNNABLE, mp_state(fd, -1));
	EXPECT_EQ(0, mp_state(fd, KVM_MP_STATE_RUNNABLE));
	EXPECT_ERR(EINVAL, mp_state(fd, KVM_MP_STATE_UNINITIALIZED));
	EXPECT_ERR(EINVAL, mp_state(fd, KVM_MP_STATE_INIT_RECEIVED));
	EXPECT_ERR(EINVAL, mp_state(fd, KVM_MP_STATE_SIPI_RECEIVED));
	EXPECT_ERR(EINVAL, mp_state(fd, 99));
}

TEST(mp_state_with_apic)
{
	struct kvm_vcpu_events e;
	struct test_vm vm;
	int bsp, ap;

	vm_create(&vm, TEST_IRQCHIP_FULL);
	bsp = vcpu_create(&vm, 0)->fd;
	ap = vcpu_create(&vm, 1)->fd;
	EXPECT_EQ(KVM_MP_STATE_RUNNABLE, mp_state(bsp, -1));
	EXPECT_EQ(KVM_MP_STATE_UNINITIALIZED, mp_state(ap, -1));
	EXPECT_EQ(0, mp_state(bsp, KVM_MP_STATE_HALTED));
	EXPECT_EQ(KVM_MP_STATE_HALTED, mp_state(bsp, -1));
	EXPECT_EQ(0, mp_state(ap, KVM_MP_STATE_INIT_RECEIVED));
	EXPECT_EQ(KVM_MP_STATE_INIT_RECEIVED, mp_state(ap, -1));
	ASSERT_EQ(0, ioctl(ap, KVM_GET_VCPU_EVENTS, &e));
	e.flags = KVM_VCPUEVENT_VALID_SIPI_VECTOR;
	e.sipi_vector = 0x12;
	ASSERT_EQ(0, ioctl(ap, KVM_SET_VCPU_EVENTS, &e));
	/* Becomes "waiting for SIPI" with one pending, and reading it takes that. */
	EXPECT_EQ(0, mp_state(ap, KVM_MP_STATE_SIPI_RECEIVED));
	EXPECT_EQ(KVM_MP_STATE_RUNNABLE, mp_state(ap, -1));
	EXPECT_ERR(EINVAL, mp_state(ap, 99));
	vm_destroy(&vm);
}

TEST_HARNESS_MAIN
