// SPDX-License-Identifier: GPL-2.0-only
/*
 * Save, restore into a new VM, save again: the same bytes, for everything that QEMU's migration
 * stream holds; and the guest goes on in the new VM where it was in the old one.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>
#include "kselftest_harness.h"
#include "testvm.h"

#define MAX_MSRS	300
#define MAX_XSAVE	16384
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
	struct kvm_sregs2 sregs2;
	struct kvm_fpu fpu;
	uint8_t xsave[MAX_XSAVE];
	int tsc_khz;
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
static bool xcrs, sregs2, xsave2;

/* A guest may use the timer's deadline mode, which KVM_GET_SUPPORTED_CPUID leaves to a capability. */
static void allow_deadline(struct test_vm *vm, struct test_vcpu *vcpu)
{
	struct kvm_cpuid2 *c = supported_cpuid(vm->kvm);
	unsigned int i;

	for (i = 0; i < c->nent; i++)
		if (c->entries[i].function == 1)
			c->entries[i].ecx |= 1 << 24;
	ioctl(vcpu->fd, KVM_SET_CPUID2, c);
}

static void make_vm(struct test_vm *vm)
{
	struct kvm_pit_config pit = {};
	int i;

	vm_create(vm, TEST_IRQCHIP_FULL);
	ioctl(vm->fd, KVM_CREATE_PIT2, &pit);
	for (i = 0; i < 2; i++)
		allow_deadline(vm, vcpu_create(vm, i));
	xcrs = kvm_cap(vm->fd, KVM_CAP_XCRS);
	sregs2 = kvm_cap(vm->fd, KVM_CAP_SREGS2);
	xsave2 = kvm_cap(vm->fd, KVM_CAP_XSAVE2);
}

/* After make_vm(). */
static void list_msrs(struct __test_metadata *_metadata, struct test_vm *vm)
{
	list.h.nmsrs = MAX_MSRS;
	ASSERT_EQ(0, ioctl(vm->kvm, KVM_GET_MSR_INDEX_LIST, &list));
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
	if (xsave2)
		CALL(fd, KVM_GET_XSAVE2, s->xsave);
	else
		CALL(fd, KVM_GET_XSAVE, s->xsave);
	CALL(fd, KVM_GET_FPU, &s->fpu);
	if (xcrs)
		CALL(fd, KVM_GET_XCRS, &s->xcrs);
	CALL(fd, KVM_GET_SREGS, &s->sregs);
	if (sregs2)
		CALL(fd, KVM_GET_SREGS2, &s->sregs2);
	s->tsc_khz = ioctl(fd, KVM_GET_TSC_KHZ, 0);
	for (i = 0; i < list.h.nmsrs; i++)
		s->has_msr[i] = get_msr(fd, list.index[i], &s->msr[i]) == 1;
	CALL(fd, KVM_GET_LAPIC, &s->lapic);
	CALL(fd, KVM_GET_DEBUGREGS, &s->dr);
}

/* In QEMU's order: sregs, MSRs before events, the deadline after the APIC whose mode it needs. */
static void restore_vcpu(struct __test_metadata *_metadata, int fd, struct vcpu_state *s)
{
	unsigned int i;

	EXPECT_EQ(s->tsc_khz, ioctl(fd, KVM_GET_TSC_KHZ, 0));
	if (sregs2)
		CALL(fd, KVM_SET_SREGS2, &s->sregs2);
	else
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
	for (i = 0; i < list.h.nmsrs; i++) {
		if (s->has_msr[i] && list.index[i] == MSR_DEADLINE)
			EXPECT_EQ(1, set_msr(fd, MSR_DEADLINE, s->msr[i]));
	}
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

/*
 * All TSCs go on from where the first one's was when it was saved, or later: the others are taken for attempts to
 * synchronise with it, and may have been saved later than they are restored behind it.
 */
static uint64_t tsc_of(const struct vcpu_state *s)
{
	uint32_t i;

	for (i = 0; i < list.h.nmsrs; i++)
		if (list.index[i] == MSR_TSC)
			return s->msr[i];
	return 0;
}

static void compare_vcpu(struct __test_metadata *_metadata, struct vcpu_state *a,
			 struct vcpu_state *b, uint64_t tsc)
{
	unsigned int i;

	SAME(regs);
	SAME(sregs);
	SAME(sregs2);
	SAME(fpu);
	SAME(xsave);
	SAME(xcrs);
	SAME(events);
	SAME(mp);
	SAME(dr);
	/* The timer's current count runs. */
	memset(a->lapic.regs + 0x390, 0, 4);
	memset(b->lapic.regs + 0x390, 0, 4);
	/* Stock computes the PPR when it is needed. */
	if (!on_keel()) {
		memset(a->lapic.regs + 0xa0, 0, 4);
		memset(b->lapic.regs + 0xa0, 0, 4);
	}
	for (i = 0; i < sizeof(a->lapic.regs); i += 16)
		EXPECT_EQ(0, memcmp(a->lapic.regs + i, b->lapic.regs + i, 16))
			TH_LOG("APIC register %x", i);
	for (i = 0; i < list.h.nmsrs; i++) {
		EXPECT_EQ(a->has_msr[i], b->has_msr[i]) TH_LOG("MSR %x", list.index[i]);
		/* Stock takes a value within a second of a new vCPU's for an attempt to synchronise. */
		if (list.index[i] == MSR_TSC && on_keel())
			EXPECT_LE(tsc, b->msr[i]);
		if (compared(list.index[i]))
			EXPECT_EQ(a->msr[i], b->msr[i]) TH_LOG("MSR %x", list.index[i]);
	}
}

static void compare(struct __test_metadata *_metadata, struct machine_state *a,
		    struct machine_state *b)
{
	int i;

	for (i = 0; i < 2; i++)
		compare_vcpu(_metadata, &a->vcpu[i], &b->vcpu[i], tsc_of(&a->vcpu[0]));
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
	list_msrs(_metadata, &a);
	if (xsave2)
		ASSERT_GE(MAX_XSAVE, ioctl(a.fd, KVM_CHECK_EXTENSION, KVM_CAP_XSAVE2));
	vcpu_start(&a.vcpu[0], guest_travels);
	EXPECT_EQ(1, vcpu_expect(&a.vcpu[0], MSG_SYNC));
	vcpu_complete(&a.vcpu[0]);
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

/* ---- what is on its way when the guest is saved ---- */

/* The guest, which has just synchronised, goes over into a new VM. */
static void travel(struct __test_metadata *_metadata, struct test_vm *vm)
{
	struct test_vm b;

	vcpu_complete(&vm->vcpu[0]);
	save(_metadata, vm, &before);
	make_vm(&b);
	restore(_metadata, &b, &before);
	save(_metadata, &b, &after);
	vm_destroy(vm);
	*vm = b;
}

static void start(struct __test_metadata *_metadata, struct test_vm *vm, void (*fn)(void))
{
	make_vm(vm);
	list_msrs(_metadata, vm);
	vcpu_start(&vm->vcpu[0], fn);
	vcpu_expect(&vm->vcpu[0], MSG_SYNC);
}

#define TIMER		0x40
#define COUNT		400000000u		/* ns: long enough to be saved meanwhile */

static volatile uint64_t ticks, deadline, tsc_khz;

static void on_tick(struct guest_frame *f)
{
	ticks++;
	if (deadline)
		guest_assert(guest_rdtsc() >= deadline);
	APIC_REG(0xb0) = 0;
}

/* A timer of @mode runs, half of its first period is over. */
static void arm(uint32_t mode)
{
	ticks = 0;
	APIC_REG(0xf0) = 0x1ff;
	APIC_REG(0x3e0) = 0xb;
	APIC_REG(0x320) = TIMER | mode << 17;
	APIC_REG(0x380) = COUNT;
	while (APIC_REG(0x390) > COUNT / 2)
		guest_pause();
}

static void guest_one_shot(void)
{
	arm(0);
	guest_sync(1);
	guest_assert(!ticks && APIC_REG(0x390) <= COUNT / 2);
	while (!ticks)
		guest_sti_hlt();
	guest_cli();
	guest_assert(APIC_REG(0x390) == 0);
	guest_sync(2);
	/* It does not come again. */
	guest_assert(ticks == 1 && APIC_REG(0x390) == 0);
	guest_done();
}

/* What was left of the count is left, and once it has fired it stays so. */
TEST(one_shot_timer)
{
	struct test_vm vm;

	guest_handlers[TIMER] = on_tick;
	start(_metadata, &vm, guest_one_shot);
	travel(_metadata, &vm);
	vcpu_expect(&vm.vcpu[0], MSG_SYNC);
	travel(_metadata, &vm);
	vcpu_expect(&vm.vcpu[0], MSG_DONE);
	vm_destroy(&vm);
}

static void guest_periodic(void)
{
	uint64_t end;

	arm(1);
	for (end = 2; end < 5; end++) {
		guest_sync(end);
		while (ticks < end)
			guest_sti_hlt();
		guest_cli();
		guest_assert(APIC_REG(0x380) == COUNT);
	}
	guest_done();
}

TEST(periodic_timer)
{
	struct test_vm vm;
	int i;

	guest_handlers[TIMER] = on_tick;
	start(_metadata, &vm, guest_periodic);
	for (i = 0; i < 3; i++) {
		travel(_metadata, &vm);
		if (i < 2)
			vcpu_expect(&vm.vcpu[0], MSG_SYNC);
	}
	vcpu_expect(&vm.vcpu[0], MSG_DONE);
	vm_destroy(&vm);
}

static void guest_deadline(void)
{
	uint64_t left;

	ticks = 0;
	APIC_REG(0xf0) = 0x1ff;
	APIC_REG(0x320) = TIMER | 2 << 17;
	deadline = guest_rdtsc() + 500000000;
	guest_wrmsr(MSR_DEADLINE, deadline);
	guest_sync(1);
	/* Read first: it may come meanwhile, and wait. */
	left = guest_rdmsr(MSR_DEADLINE);
	guest_assert(left == deadline || (!left && guest_rdtsc() >= deadline));
	while (!ticks)
		guest_sti_hlt();
	guest_cli();
	guest_assert(guest_rdmsr(MSR_DEADLINE) == 0);
	guest_sync(2);
	guest_assert(guest_rdmsr(MSR_DEADLINE) == 0 && ticks == 1);
	guest_done();
}

/* The deadline is one of the guest's TSC, which went along. */
TEST(deadline_timer)
{
	struct test_vm vm;

	guest_handlers[TIMER] = on_tick;
	start(_metadata, &vm, guest_deadline);
	travel(_metadata, &vm);
	vcpu_expect(&vm.vcpu[0], MSG_SYNC);
	travel(_metadata, &vm);
	vcpu_expect(&vm.vcpu[0], MSG_DONE);
	deadline = 0;
	vm_destroy(&vm);
}

/* ---- interrupts in service, and others that wait ---- */

#define LOW	0x41
#define MIDDLE	0x51
#define HIGH	0x61

static volatile unsigned int order;

static void on_low(struct guest_frame *f)
{
	guest_assert(order == 3);
	order = 4;
	APIC_REG(0xb0) = 0;
}

static void on_high(struct guest_frame *f)
{
	guest_assert(order == 1);
	order = 2;
	APIC_REG(0xb0) = 0;
}

/* In service when the guest is saved, with one above and one below it pending. */
static void on_middle(struct guest_frame *f)
{
	guest_assert(order == 0);
	APIC_REG(0x300) = 0x40000 | HIGH;
	APIC_REG(0x300) = 0x40000 | LOW;
	guest_sync(1);
	order = 1;
	guest_sti();
	while (order < 2)
		guest_pause();
	guest_cli();
	order = 3;
	APIC_REG(0xb0) = 0;
}

static void guest_nested_irqs(void)
{
	APIC_REG(0xf0) = 0x1ff;
	APIC_REG(0x300) = 0x40000 | MIDDLE;
	guest_sti();
	while (order < 4)
		guest_pause();
	guest_cli();
	guest_done();
}

static bool bit(const struct kvm_lapic_state *l, unsigned int base, unsigned int vector)
{
	return l->regs[base + vector / 32 * 16 + vector % 32 / 8] >> vector % 8 & 1;
}

TEST(in_service_and_requested)
{
	struct test_vm vm;

	order = 0;
	guest_handlers[LOW] = on_low;
	guest_handlers[MIDDLE] = on_middle;
	guest_handlers[HIGH] = on_high;
	start(_metadata, &vm, guest_nested_irqs);
	travel(_metadata, &vm);
	compare(_metadata, &before, &after);
	EXPECT_TRUE(bit(&after.vcpu[0].lapic, 0x100, MIDDLE));
	EXPECT_TRUE(bit(&after.vcpu[0].lapic, 0x200, LOW) && bit(&after.vcpu[0].lapic, 0x200, HIGH));
	vcpu_expect(&vm.vcpu[0], MSG_DONE);
	vm_destroy(&vm);
}

/* ---- a level that is up, before its EOI ---- */

#define LEVEL	0x55
#define PIN	5

static volatile unsigned int levels;

static void on_level(struct guest_frame *f)
{
	levels++;
	guest_sync(levels);
	APIC_REG(0xb0) = 0;
}

static void guest_level(void)
{
	APIC_REG(0xf0) = 0x1ff;
	guest_outb(0x21, 0xff);
	guest_outb(0xa1, 0xff);
	*(volatile uint32_t *)0xfec00000 = 0x10 + 2 * PIN;
	*(volatile uint32_t *)0xfec00010 = LEVEL | 1 << 15;
	guest_sti();
	guest_sync(0);
	while (levels < 2)
		guest_pause();
	guest_sync(3);
	guest_cli();
	guest_done();
}

TEST(level_before_eoi)
{
	struct kvm_irq_level up = { .irq = PIN, .level = 1 }, down = { .irq = PIN };
	struct test_vm vm;

	levels = 0;
	guest_handlers[LEVEL] = on_level;
	start(_metadata, &vm, guest_level);
	ASSERT_EQ(0, ioctl(vm.fd, KVM_IRQ_LINE, &up));
	EXPECT_EQ(1, vcpu_expect(&vm.vcpu[0], MSG_SYNC));
	travel(_metadata, &vm);
	compare(_metadata, &before, &after);
	EXPECT_TRUE(!!after.chip[2].chip.ioapic.redirtbl[PIN].fields.remote_irr);
	/* Still up: it comes again after the EOI. A VMM's device says what its line is. */
	ASSERT_EQ(0, ioctl(vm.fd, KVM_IRQ_LINE, &up));
	EXPECT_EQ(2, vcpu_expect(&vm.vcpu[0], MSG_SYNC));
	travel(_metadata, &vm);
	ASSERT_EQ(0, ioctl(vm.fd, KVM_IRQ_LINE, &down));
	EXPECT_EQ(3, vcpu_expect(&vm.vcpu[0], MSG_SYNC));
	vcpu_expect(&vm.vcpu[0], MSG_DONE);
	EXPECT_EQ(2, levels);
	vm_destroy(&vm);
}

/* ---- an NMI in its handler, another that waits for the first one's IRET ---- */

static volatile unsigned int nmis;

static void on_nested_nmi(struct guest_frame *f)
{
	if (++nmis == 1) {
		guest_sync(2);
		guest_assert(nmis == 1);
	}
}

static void guest_nmi(void)
{
	guest_sync(1);
	while (nmis < 2)
		guest_pause();
	guest_done();
}

TEST(nmi_in_its_handler)
{
	struct test_vm vm;

	nmis = 0;
	guest_handlers[2] = on_nested_nmi;
	start(_metadata, &vm, guest_nmi);
	ASSERT_EQ(0, ioctl(vm.vcpu[0].fd, KVM_NMI, 0));
	EXPECT_EQ(2, vcpu_expect(&vm.vcpu[0], MSG_SYNC));
	ASSERT_EQ(0, ioctl(vm.vcpu[0].fd, KVM_NMI, 0));
	travel(_metadata, &vm);
	compare(_metadata, &before, &after);
	EXPECT_TRUE(after.vcpu[0].events.nmi.masked && after.vcpu[0].events.nmi.pending);
	vcpu_expect(&vm.vcpu[0], MSG_DONE);
	EXPECT_EQ(2, nmis);
	vm_destroy(&vm);
}

/* ---- clocks ---- */

static void guest_waits(void)
{
	uint64_t end;

	APIC_REG(0xf0) = 0x1ff;
	guest_sync(1);
	/* Twice the longest period of the PIT; an interrupt has no handler and ends the test. */
	end = guest_rdtsc() + tsc_khz * 120;
	guest_sti();
	while (guest_rdtsc() < end)
		guest_pause();
	guest_cli();
	guest_done();
}

/* A PIT that nobody has programmed since reset does not tick, and does not start to by moving. */
TEST(idle_pit)
{
	struct test_vm vm;

	make_vm(&vm);
	tsc_khz = ioctl(vm.vcpu[0].fd, KVM_GET_TSC_KHZ, 0);
	vm_destroy(&vm);
	start(_metadata, &vm, guest_waits);
	travel(_metadata, &vm);
	compare(_metadata, &before, &after);
	vcpu_expect(&vm.vcpu[0], MSG_DONE);
	vm_destroy(&vm);
}

static void guest_clocks(void)
{
	for (;;)
		guest_sync(guest_rdtsc());
}

/* The TSC and the VM's clock go on from where they were, again and again. */
TEST(clocks_go_on)
{
	uint64_t tsc, last = 0, clock = 0;
	struct test_vm vm;
	int i;

	start(_metadata, &vm, guest_clocks);
	/* Stock takes a value within a second of a new vCPU's for an attempt to synchronise. */
	usleep(on_keel() ? 0 : 1200000);
	for (i = 0; i < 5; i++) {
		tsc = vcpu_expect(&vm.vcpu[0], MSG_SYNC);
		EXPECT_LT(last, tsc);
		last = tsc;
		travel(_metadata, &vm);
		EXPECT_LE(clock, before.clock.clock);
		EXPECT_LE(before.clock.clock, after.clock.clock);
		clock = after.clock.clock;
	}
	EXPECT_LT(last, vcpu_expect(&vm.vcpu[0], MSG_SYNC));
	vm_destroy(&vm);
}

TEST_HARNESS_MAIN
