// SPDX-License-Identifier: GPL-2.0-only
/* State that VMMs read and write: each ioctl by itself, on a vCPU that has run. */
#include "bench.h"

static struct test_vm vm;
static struct test_vcpu *vcpu;

static union {
	struct kvm_regs regs;
	struct kvm_sregs sregs;
	struct kvm_sregs2 sregs2;
	struct kvm_fpu fpu;
	struct kvm_xcrs xcrs;
	struct kvm_debugregs debugregs;
	struct kvm_mp_state mp_state;
	struct kvm_vcpu_events events;
	struct kvm_lapic_state lapic;
	struct kvm_irqchip irqchip;
	struct kvm_pit_state2 pit;
	struct kvm_clock_data clock;
	struct kvm_translation translation;
	struct kvm_cpuid2 cpuid;
	uint8_t xsave[16384];
} u __attribute__((aligned(64)));

static struct {
	struct kvm_msrs m;
	struct kvm_msr_entry e[256];
} msrs;

static void guest_once(void)
{
	for (;;)
		guest_outb(0x80, 0);
}

static void open_vm(void)
{
	vm_create(&vm, TEST_IRQCHIP_FULL);
	vcpu = vcpu_create(&vm, 0);
	vcpu_start(vcpu, guest_once);
	must(ioctl(vcpu->fd, KVM_RUN, 0));
}

/* @set with what @get gave, if there is a @get. */
static void repeat(const struct path *p, int fd, unsigned long set, unsigned long get, void *arg)
{
	uint64_t i;

	if (get)
		must(ioctl(fd, get, arg));
	for (i = 0; i < 16; i++)
		must(ioctl(fd, set, arg));
	bench_begin();
	for (i = 0; i < bench_n; i++)
		ioctl(fd, set, arg);
	bench_end();
	bench_report(p, bench_n);
	vm_destroy(&vm);
}

#define GET(fn, nr)							\
static void get_##fn(const struct path *p)				\
{									\
	open_vm();							\
	repeat(p, vcpu->fd, nr, 0, &u);					\
}
#define GET_SET(fn, get_nr, set_nr)					\
GET(fn, get_nr)								\
static void set_##fn(const struct path *p)				\
{									\
	open_vm();							\
	repeat(p, vcpu->fd, set_nr, get_nr, &u);			\
}

GET_SET(regs, KVM_GET_REGS, KVM_SET_REGS)
GET_SET(sregs, KVM_GET_SREGS, KVM_SET_SREGS)
GET_SET(sregs2, KVM_GET_SREGS2, KVM_SET_SREGS2)
GET_SET(fpu, KVM_GET_FPU, KVM_SET_FPU)
GET_SET(xsave, KVM_GET_XSAVE, KVM_SET_XSAVE)
GET(xsave2, KVM_GET_XSAVE2)
GET_SET(xcrs, KVM_GET_XCRS, KVM_SET_XCRS)
GET_SET(debugregs, KVM_GET_DEBUGREGS, KVM_SET_DEBUGREGS)
GET_SET(mp_state, KVM_GET_MP_STATE, KVM_SET_MP_STATE)
GET_SET(events, KVM_GET_VCPU_EVENTS, KVM_SET_VCPU_EVENTS)
GET_SET(lapic, KVM_GET_LAPIC, KVM_SET_LAPIC)

#define VM_GET_SET(fn, get_nr, set_nr, prepare)				\
static void get_##fn(const struct path *p)				\
{									\
	open_vm();							\
	prepare;							\
	repeat(p, vm.fd, get_nr, 0, &u);				\
}									\
static void set_##fn(const struct path *p)				\
{									\
	open_vm();							\
	prepare;							\
	repeat(p, vm.fd, set_nr, get_nr, &u);				\
}

VM_GET_SET(pic, KVM_GET_IRQCHIP, KVM_SET_IRQCHIP, u.irqchip.chip_id = 0)
VM_GET_SET(ioapic, KVM_GET_IRQCHIP, KVM_SET_IRQCHIP, u.irqchip.chip_id = 2)

static void with_pit(void)
{
	struct kvm_pit_config c = { 0 };

	must(ioctl(vm.fd, KVM_CREATE_PIT2, &c));
}

VM_GET_SET(pit, KVM_GET_PIT2, KVM_SET_PIT2, with_pit())

static void get_clock(const struct path *p)
{
	open_vm();
	repeat(p, vm.fd, KVM_GET_CLOCK, 0, &u);
}

static void translate(const struct path *p)
{
	open_vm();
	u.translation.linear_address = (uintptr_t)guest_once;
	repeat(p, vcpu->fd, KVM_TRANSLATE, 0, &u);
}

static void get_one_msr(const struct path *p)
{
	open_vm();
	msrs.m.nmsrs = 1;
	msrs.e[0].index = 0x277;
	repeat(p, vcpu->fd, KVM_GET_MSRS, 0, &msrs);
}

static void set_one_msr(const struct path *p)
{
	open_vm();
	msrs.m.nmsrs = 1;
	msrs.e[0].index = 0x277;
	repeat(p, vcpu->fd, KVM_SET_MSRS, KVM_GET_MSRS, &msrs);
}

/* What every VMM saves of each vCPU, known to both sides of a comparison. */
static const uint32_t saved[] = {
	0x10, 0x1b, 0x3b, 0x174, 0x175, 0x176, 0x1a0, 0x277, 0x2ff, 0xc0000080, 0xc0000081,
	0xc0000082, 0xc0000083, 0xc0000084, 0xc0000102, 0xc0000103, 0x4b564d00, 0x4b564d01,
	0x4b564d03,
};

static void fill_saved(void)
{
	unsigned int i;

	msrs.m.nmsrs = sizeof(saved) / sizeof(saved[0]);
	for (i = 0; i < msrs.m.nmsrs; i++)
		msrs.e[i].index = saved[i];
}

static void get_saved_msrs(const struct path *p)
{
	open_vm();
	fill_saved();
	repeat(p, vcpu->fd, KVM_GET_MSRS, 0, &msrs);
}

static void get_cpuid(const struct path *p)
{
	open_vm();
	u.cpuid.nent = 256;
	repeat(p, vcpu->fd, KVM_GET_CPUID2, 0, &u);
}

/* Before the first run: afterwards it only compares. */
static void set_cpuid(const struct path *p)
{
	vm_create(&vm, TEST_IRQCHIP_FULL);
	vcpu = vcpu_create(&vm, 0);
	repeat(p, vcpu->fd, KVM_SET_CPUID2, 0, supported_cpuid(vm.kvm));
}

static void supported(const struct path *p)
{
	open_vm();
	repeat(p, vm.kvm, KVM_GET_SUPPORTED_CPUID, 0, supported_cpuid(vm.kvm));
}

static void check_extension(const struct path *p)
{
	uint64_t i;

	open_vm();
	bench_begin();
	for (i = 0; i < bench_n; i++)
		ioctl(vm.fd, KVM_CHECK_EXTENSION, KVM_CAP_IRQCHIP);
	bench_end();
	bench_report(p, bench_n);
	vm_destroy(&vm);
}

#define PAIR(name, fn)							\
	{ "get-" name, P_STRAIGHT, get_##fn },				\
	{ "set-" name, P_STRAIGHT, set_##fn }
/* Those that need memory of their own for the copy. */
#define PAIR_ALLOC(name, fn)						\
	{ "get-" name, P_ALLOCATES, get_##fn },				\
	{ "set-" name, P_ALLOCATES, set_##fn }

const struct path state_paths[] = {
	PAIR("regs", regs),
	PAIR("sregs", sregs),
	PAIR("sregs2", sregs2),
	PAIR_ALLOC("fpu", fpu),
	PAIR_ALLOC("xsave", xsave),
	{ "get-xsave2", P_ALLOCATES, get_xsave2 },
	PAIR("xcrs", xcrs),
	PAIR("debugregs", debugregs),
	PAIR("mp-state", mp_state),
	PAIR("vcpu-events", events),
	PAIR_ALLOC("lapic", lapic),
	PAIR_ALLOC("pic", pic),
	PAIR_ALLOC("ioapic", ioapic),
	PAIR("pit2", pit),
	{ "get-clock", P_STRAIGHT, get_clock },
	{ "translate", P_STRAIGHT, translate },
	{ "get-msr", P_ALLOCATES, get_one_msr },
	{ "set-msr", P_ALLOCATES, set_one_msr },
	{ "get-msrs-saved", P_ALLOCATES, get_saved_msrs },
	{ "get-cpuid2", P_STRAIGHT, get_cpuid },
	{ "set-cpuid2", P_ALLOCATES, set_cpuid },
	{ "get-supported-cpuid", P_ALLOCATES, supported },
	{ "check-extension", P_STRAIGHT, check_extension },
	{ }
};
