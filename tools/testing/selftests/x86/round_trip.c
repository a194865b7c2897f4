// SPDX-License-Identifier: GPL-2.0-only
/*
 * Save, restore into a new VM, save again: the same bytes, for everything that QEMU's migration
 * stream holds; and the guest goes on in the new VM where it was in the old one.
 */
#include <errno.h>
#include <string.h>
#include "kselftest_harness.h"
#include "testvm.h"

#define MAX_MSRS	300
#define APIC		0xfee00000ull
#define APIC_REG(r)	(*(volatile uint32_t *)(APIC + (r)))
#define VECTOR		0x51

#define MSR_TSC		0x10
#define MSR_LSTAR	0xc0000082
#define MSR_SYSENTER_EIP 0x176
#define MSR_DEADLINE	0x6e0
#define MSR_KVMCLOCK	0x4b564d01
#define MSR_STEAL	0x4b564d03

struct msr_buf {
	struct kvm_msrs h;
	struct kvm_msr_entry e[MAX_MSRS];
};

struct vcpu_state {
	struct kvm_regs regs;
	struct kvm_sregs sregs;
	struct kvm_fpu fpu;
	uint8_t xsave[4096];
	struct kvm_xcrs xcrs;
	struct kvm_vcpu_events events;
	struct kvm_mp_state mp;
	struct kvm_lapic_state lapic;
	struct kvm_debugregs dr;
	uint64_t msr[MAX_MSRS];
	bool has_msr[MAX_MSRS];
};

struct machine_state {
	struct vcpu_state vcpu[2];
	struct kvm_irqchip chip[3];
	struct kvm_pit_state2 pit;
	struct kvm_clock_data clock;
};

static struct {
	struct kvm_msr_list h;
	uint32_t index[MAX_MSRS];
} list;
static bool xcrs;

static void make_vm(struct test_vm *vm)
{
	struct kvm_pit_config pit = {};
	int i;

	vm_create(vm, TEST_IRQCHIP_FULL);
	ioctl(vm->fd, KVM_CREATE_PIT2, &pit);
	for (i = 0; i < 2; i++)
		vcpu_create(vm, i);
}

/* Of time, of the host, or of interfaces that only the kernel's own has (Hyper-V). */
static bool compared(uint32_t msr)
{
	return msr != MSR_TSC && msr != MSR_DEADLINE && (msr < 0x40000000 || msr > 0x400001ff);
}

static void call(struct __test_metadata *_metadata, int fd, unsigned long nr, void *arg,
		 const char *name)
{
	ASSERT_EQ(0, ioctl(fd, nr, arg))
		TH_LOG("%s", name);
}

#define CALL(fd, nr, arg) call(_metadata, fd, nr, arg, #nr)

static void save_vcpu(struct __test_metadata *_metadata, int fd, struct vcpu_state *s)
{
	unsigned int i;

	memset(s, 0, sizeof(*s));
	CALL(fd, KVM_GET_VCPU_EVENTS, &s->events);
	CALL(fd, KVM_GET_MP_STATE, &s->mp);
	CALL(fd, KVM_GET_REGS, &s->regs);
	CALL(fd, KVM_GET_XSAVE, s->xsave);
	CALL(fd, KVM_GET_FPU, &s->fpu);
	if (xcrs)
		CALL(fd, KVM_GET_XCRS, &s->xcrs);
	CALL(fd, KVM_GET_SREGS, &s->sregs);
	for (i = 0; i < list.h.nmsrs; i++)
		s->has_msr[i] = get_msr(fd, list.index[i], &s->msr[i]) == 1;
	CALL(fd, KVM_GET_LAPIC, &s->lapic);
	CALL(fd, KVM_GET_DEBUGREGS, &s->dr);
}

/* In QEMU's order. */
static void restore_vcpu(struct __test_metadata *_metadata, int fd, struct vcpu_state *s)
{
	unsigned int i;

	CALL(fd, KVM_SET_SREGS, &s->sregs);
	CALL(fd, KVM_SET_REGS, &s->regs);
	CALL(fd, KVM_SET_XSAVE, s->xsave);
	if (xcrs)
		CALL(fd, KVM_SET_XCRS, &s->xcrs);
	for (i = 0; i < list.h.nmsrs; i++) {
		if (s->has_msr[i] && list.index[i] != MSR_DEADLINE)
			set_msr(fd, list.index[i], s->msr[i]);
	}
	CALL(fd, KVM_SET_VCPU_EVENTS, &s->events);
	CALL(fd, KVM_SET_MP_STATE, &s->mp);
	CALL(fd, KVM_SET_LAPIC, &s->lapic);
	CALL(fd, KVM_SET_DEBUGREGS, &s->dr);
}

static void save(struct __test_metadata *_metadata, struct test_vm *vm, struct machine_state *s)
{
	int i;

	memset(s, 0, sizeof(*s));
	CALL(vm->fd, KVM_GET_CLOCK, &s->clock);
	for (i = 0; i < 3; i++) {
		s->chip[i].chip_id = i;
		CALL(vm->fd, KVM_GET_IRQCHIP, &s->chip[i]);
	}
	CALL(vm->fd, KVM_GET_PIT2, &s->pit);
	for (i = 0; i < 2; i++)
		save_vcpu(_metadata, vm->vcpu[i].fd, &s->vcpu[i]);
}

static void restore(struct __test_metadata *_metadata, struct test_vm *vm, struct machine_state *s)
{
	struct kvm_clock_data clock = { .clock = s->clock.clock };
	int i;

	for (i = 0; i < 2; i++)
		restore_vcpu(_metadata, vm->vcpu[i].fd, &s->vcpu[i]);
	for (i = 0; i < 3; i++)
		CALL(vm->fd, KVM_SET_IRQCHIP, &s->chip[i]);
	CALL(vm->fd, KVM_SET_PIT2, &s->pit);
	CALL(vm->fd, KVM_SET_CLOCK, &clock);
}

static void same(struct __test_metadata *_metadata, const void *a, const void *b, size_t size,
		 const char *name)
{
	EXPECT_EQ(0, memcmp(a, b, size))
		TH_LOG("%s differs", name);
}

#define SAME(member) same(_metadata, &a->member, &b->member, sizeof(a->member), #member)

static void compare_vcpu(struct __test_metadata *_metadata, struct vcpu_state *a,
			 struct vcpu_state *b)
{
	unsigned int i;

	SAME(regs);
	SAME(sregs);
	SAME(fpu);
	SAME(xsave);
	SAME(xcrs);
	SAME(events);
	SAME(mp);
	SAME(dr);
	/* The timer's current count runs. */
	memset(a->lapic.regs + 0x390, 0, 4);
	memset(b->lapic.regs + 0x390, 0, 4);
	SAME(lapic);
	for (i = 0; i < list.h.nmsrs; i++) {
		EXPECT_EQ(a->has_msr[i], b->has_msr[i]) TH_LOG("MSR %x", list.index[i]);
		/* Stock takes a value within a second of a new vCPU's for an attempt to synchronise. */
		if (list.index[i] == MSR_TSC && on_keel())
			EXPECT_LE(a->msr[i], b->msr[i]);
		if (compared(list.index[i]))
			EXPECT_EQ(a->msr[i], b->msr[i]) TH_LOG("MSR %x", list.index[i]);
	}
}

static void compare(struct __test_metadata *_metadata, struct machine_state *a,
		    struct machine_state *b)
{
	int i;

	for (i = 0; i < 2; i++)
		compare_vcpu(_metadata, &a->vcpu[i], &b->vcpu[i]);
	for (i = 0; i < 3; i++)
		SAME(chip[i]);
	for (i = 0; i < 3; i++)
		a->pit.channels[i].count_load_time = b->pit.channels[i].count_load_time = 0;
	SAME(pit);
	EXPECT_LE(a->clock.clock, b->clock.clock);
}

/* ---- the guest ---- */

static volatile uint64_t got_irq, got_nmi;
static uint8_t fx[512] __attribute__((aligned(16)));
static uint8_t fx_later[512] __attribute__((aligned(16)));
static uint8_t pv_page[4096] __attribute__((aligned(4096)));

static void on_irq(struct guest_frame *f)
{
	got_irq++;
	APIC_REG(0xb0) = 0;
}

static void on_nmi(struct guest_frame *f)
{
	got_nmi++;
}

static void set_up(void)
{
	uint64_t dr = 0x123450;
	unsigned int i;

	guest_wrmsr(MSR_LSTAR, 0xffffffff81000000ull);
	guest_wrmsr(MSR_SYSENTER_EIP, 0xffffffff82000000ull);
	guest_wrmsr(MSR_KVMCLOCK, (uintptr_t)pv_page | 1);
	guest_wrmsr(MSR_STEAL, ((uintptr_t)pv_page + 64) | 1);
	__asm__ volatile("mov %0, %%dr0; mov %0, %%dr3" : : "r" (dr));
	__asm__ volatile("fninit; fldpi; fxsave %0" : "=m" (fx));
	for (i = 0; i < 16 * 16; i++)
		fx[160 + i] = 7 * i + 1;
	__asm__ volatile("fxrstor %0" : : "m" (fx));

	APIC_REG(0xf0) = 0x1ff;			/* enabled */
	APIC_REG(0x80) = 0x20;			/* TPR */
	APIC_REG(0x3e0) = 0xb;			/* divide by 1 */
	APIC_REG(0x320) = 0x20000 | 0x60;	/* periodic, and so slow that it never comes */
	APIC_REG(0x380) = 0xffffffff;
	APIC_REG(0x300) = 0x40000 | VECTOR;	/* to itself: pending, IF is clear */

	guest_outb(0x20, 0x11);			/* PIC: vectors 0x30, all masked but one */
	guest_outb(0x21, 0x30);
	guest_outb(0x21, 0x04);
	guest_outb(0x21, 0x01);
	guest_outb(0x21, 0xfd);
	guest_outb(0x43, 0x34);			/* PIT channel 0: rate generator */
	guest_outb(0x40, 0x00);
	guest_outb(0x40, 0x80);
	*(volatile uint32_t *)0xfec00000 = 0x10 + 2 * 5;	/* IOAPIC pin 5, masked */
	*(volatile uint32_t *)0xfec00010 = 0x1a945;
}

static void guest_travels(void)
{
	uint64_t dr0, dr3;
	unsigned int i;

	set_up();
	guest_sync(1);

	/* From here on in another VM. */
	__asm__ volatile("fxsave %0" : "=m" (fx_later));
	for (i = 0; i < 16 * 16; i++)
		guest_assert(fx_later[160 + i] == fx[160 + i]);
	__asm__ volatile("mov %%dr0, %0; mov %%dr3, %1" : "=r" (dr0), "=r" (dr3));
	guest_assert(dr0 == 0x123450 && dr3 == 0x123450);
	guest_assert(guest_rdmsr(MSR_LSTAR) == 0xffffffff81000000ull);
	guest_assert(guest_rdmsr(MSR_KVMCLOCK) == ((uintptr_t)pv_page | 1));
	guest_assert(APIC_REG(0x80) == 0x20);
	guest_assert(!got_irq);
	guest_assert(got_nmi == 1);
	guest_sti();
	while (!got_irq)
		guest_pause();
	guest_assert(got_irq == 1);
	guest_done();
}

static struct machine_state before, after;

TEST(same_bytes)
{
	struct test_vm a, b;

	guest_handlers[VECTOR] = on_irq;
	guest_handlers[2] = on_nmi;
	make_vm(&a);
	list.h.nmsrs = MAX_MSRS;
	ASSERT_EQ(0, ioctl(a.kvm, KVM_GET_MSR_INDEX_LIST, &list));
	xcrs = kvm_cap(a.fd, KVM_CAP_XCRS);
	vcpu_start(&a.vcpu[0], guest_travels);
	EXPECT_EQ(1, vcpu_expect(&a.vcpu[0], MSG_SYNC));
	/* Finish the OUT that told us, as a VMM does before it saves. */
	a.vcpu[0].run->immediate_exit = 1;
	EXPECT_ERR(EINTR, ioctl(a.vcpu[0].fd, KVM_RUN, 0));
	ASSERT_EQ(0, ioctl(a.vcpu[0].fd, KVM_NMI, 0));

	save(_metadata, &a, &before);
	make_vm(&b);
	restore(_metadata, &b, &before);
	save(_metadata, &b, &after);
	compare(_metadata, &before, &after);

	vm_destroy(&a);
	vcpu_expect(&b.vcpu[0], MSG_DONE);
	vm_destroy(&b);
}

/* Each of the states that a vCPU can be in. */
TEST(mp_states)
{
	static const uint32_t states[] = { KVM_MP_STATE_RUNNABLE, KVM_MP_STATE_UNINITIALIZED,
					   KVM_MP_STATE_INIT_RECEIVED, KVM_MP_STATE_HALTED };
	struct test_vm a, b;
	unsigned int i;

	make_vm(&a);
	list.h.nmsrs = 0;
	for (i = 0; i < 4; i++) {
		struct kvm_mp_state mp = { .mp_state = states[i] };

		ASSERT_EQ(0, ioctl(a.vcpu[1].fd, KVM_SET_MP_STATE, &mp));
		save(_metadata, &a, &before);
		EXPECT_EQ(states[i], before.vcpu[1].mp.mp_state);
		make_vm(&b);
		restore(_metadata, &b, &before);
		save(_metadata, &b, &after);
		compare(_metadata, &before, &after);
		vm_destroy(&b);
	}
	vm_destroy(&a);
}

TEST_HARNESS_MAIN
