// SPDX-License-Identifier: GPL-2.0-only
/*
 * Order rules: what each ioctl answers without interrupt controller, with a split one, with a full one;
 * before there is a vCPU, when there is one, and while it runs. A row is a call and its six answers.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include "kselftest_harness.h"
#include "testvm.h"

#define OLD(err)	-(err)	/* or 0: KVM 6.1 let it pass */
#define ANY	1000

static struct test_vm vm;

/* ---- calls on the VM ---- */

static long vm_cap(long cap, uint64_t arg)
{
	struct kvm_enable_cap c = { .cap = cap, .args = { arg } };

	return ioctl(vm.fd, KVM_ENABLE_CAP, &c);
}

/* A capability that is younger than some kernels' KVM. */
static long young_cap(long cap, uint64_t arg)
{
	if (kvm_cap(vm.fd, cap))
		return vm_cap(cap, arg);
	errno = ENOTSUP;
	return -1;
}

static long bus_cycles(void) { return young_cap(KVM_CAP_X86_APIC_BUS_CYCLES_NS, 10); }
static long bus_cycles_none(void) { return young_cap(KVM_CAP_X86_APIC_BUS_CYCLES_NS, 0); }
static long bus_cycles_long(void) { return young_cap(KVM_CAP_X86_APIC_BUS_CYCLES_NS, 1ull << 40); }
static long emulation_exit(void) { return young_cap(KVM_CAP_EXIT_ON_EMULATION_FAILURE, 1); }
static long emulation_exit_bad(void) { return young_cap(KVM_CAP_EXIT_ON_EMULATION_FAILURE, 2); }
static long nx_off(void) { return young_cap(KVM_CAP_VM_DISABLE_NX_HUGE_PAGES, 0); }
static long nx_off_bad(void) { return young_cap(KVM_CAP_VM_DISABLE_NX_HUGE_PAGES, 1); }
static long quirks(void) { return young_cap(KVM_CAP_DISABLE_QUIRKS2, KVM_X86_QUIRK_FIX_HYPERCALL_INSN); }
static long quirks_bad(void) { return young_cap(KVM_CAP_DISABLE_QUIRKS2, 1ull << 40); }
static long create_irqchip(void) { return ioctl(vm.fd, KVM_CREATE_IRQCHIP, 0); }
static long split_irqchip(void) { return vm_cap(KVM_CAP_SPLIT_IRQCHIP, 24); }
static long split_too_big(void) { return vm_cap(KVM_CAP_SPLIT_IRQCHIP, 4097); }
static long x2apic_api(void) { return vm_cap(KVM_CAP_X2APIC_API, 3); }
static long x2apic_api_bad(void) { return vm_cap(KVM_CAP_X2APIC_API, 4); }
static long disable_exits(void) { return vm_cap(KVM_CAP_X86_DISABLE_EXITS, 2); }
static long max_vcpu_id(void) { return vm_cap(KVM_CAP_MAX_VCPU_ID, 8); }
static long max_vcpu_id_bad(void) { return vm_cap(KVM_CAP_MAX_VCPU_ID, 1 << 20); }
static long payload(void) { return vm_cap(KVM_CAP_EXCEPTION_PAYLOAD, 1); }
static long triple_fault(void) { return vm_cap(KVM_CAP_X86_TRIPLE_FAULT_EVENT, 1); }
static long user_msr(void) { return vm_cap(KVM_CAP_X86_USER_SPACE_MSR, 7); }
static long user_msr_bad(void) { return vm_cap(KVM_CAP_X86_USER_SPACE_MSR, 1 << 20); }
static long halt_poll(void) { return vm_cap(KVM_CAP_HALT_POLL, 1000); }
static long manual_protect(void) { return vm_cap(KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2, 3); }
static long manual_protect_bad(void) { return vm_cap(KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2, 2); }
static long no_cap(void) { return vm_cap(9999, 0); }

static long create_pit2(void)
{
	struct kvm_pit_config c = {};

	return ioctl(vm.fd, KVM_CREATE_PIT2, &c);
}

static long second_pit2(void)
{
	create_pit2();
	return create_pit2();
}

static long get_pit2(void)
{
	struct kvm_pit_state2 s;

	return ioctl(vm.fd, KVM_GET_PIT2, &s);
}

static long set_pit2(void)
{
	struct kvm_pit_state2 s = {};

	return ioctl(vm.fd, KVM_SET_PIT2, &s);
}

static long reinject(void)
{
	struct kvm_reinject_control c = {};

	return ioctl(vm.fd, KVM_REINJECT_CONTROL, &c);
}

static long get_chip(uint32_t id)
{
	struct kvm_irqchip c = { .chip_id = id };

	return ioctl(vm.fd, KVM_GET_IRQCHIP, &c);
}

static long get_ioapic(void) { return get_chip(2); }
static long get_chip_bad(void) { return get_chip(3); }

static long set_pic(void)
{
	struct kvm_irqchip c = { .chip_id = 0 };

	return ioctl(vm.fd, KVM_SET_IRQCHIP, &c);
}

static long irq_line(void)
{
	struct kvm_irq_level l = { .irq = 9 };

	return ioctl(vm.fd, KVM_IRQ_LINE, &l);
}

static long irq_line_status(void)
{
	struct kvm_irq_level l = { .irq = 9 };

	return ioctl(vm.fd, KVM_IRQ_LINE_STATUS, &l);
}

static long routing(uint32_t nr, uint32_t n, uint32_t gsi, uint32_t type, uint32_t flags)
{
	struct { struct kvm_irq_routing head; struct kvm_irq_routing_entry e; } r = {
		.head = { .nr = n, .flags = nr },
		.e = { .gsi = gsi, .type = type, .flags = flags },
	};

	r.e.u.msi.address_lo = 0xfee00000;
	r.e.u.msi.data = 0x31;
	return ioctl(vm.fd, KVM_SET_GSI_ROUTING, &r);
}

static long no_routes(void) { return routing(0, 0, 0, 0, 0); }
static long route_msi(void) { return routing(0, 1, 4095, KVM_IRQ_ROUTING_MSI, 0); }
static long route_far(void) { return routing(0, 1, 4096, KVM_IRQ_ROUTING_MSI, 0); }
static long route_type(void) { return routing(0, 1, 1, 77, 0); }
static long route_flag(void) { return routing(0, 1, 1, KVM_IRQ_ROUTING_MSI, 4); }
static long table_flag(void) { return routing(1, 0, 0, 0, 0); }
static long table_long(void) { return routing(0, 4097, 0, 0, 0); }

static long signal_msi_bad(void)
{
	struct kvm_msi m = { .flags = 2 };

	return ioctl(vm.fd, KVM_SIGNAL_MSI, &m);
}

static long irqfd(uint32_t flags, bool good)
{
	int fd = eventfd(0, EFD_CLOEXEC), resample = eventfd(0, EFD_CLOEXEC), err;
	struct kvm_irqfd i = { .fd = good ? fd : 900, .gsi = 5, .flags = flags,
			       .resamplefd = resample };
	long ret = ioctl(vm.fd, KVM_IRQFD, &i);

	err = errno;
	close(fd);
	close(resample);
	errno = err;
	return ret;
}

static long irqfd_assign(void) { return irqfd(0, true); }
static long irqfd_not_open(void) { return irqfd(0, false); }
static long irqfd_flag(void) { return irqfd(8, true); }
static long irqfd_resample(void) { return irqfd(KVM_IRQFD_FLAG_RESAMPLE, true); }
static long irqfd_unknown(void) { return irqfd(KVM_IRQFD_FLAG_DEASSIGN, true); }

static long ioeventfd(uint32_t flags, uint32_t len, uint64_t addr)
{
	int fd = eventfd(0, EFD_CLOEXEC), err;
	struct kvm_ioeventfd i = { .addr = addr, .len = len, .fd = fd, .flags = flags };
	long ret = ioctl(vm.fd, KVM_IOEVENTFD, &i);

	err = errno;
	close(fd);
	errno = err;
	return ret;
}

static long ioeventfd_any(void) { return ioeventfd(0, 0, GPA_MMIO); }
static long ioeventfd_port(void) { return ioeventfd(KVM_IOEVENTFD_FLAG_PIO, 2, 0x500); }
static long ioeventfd_len(void) { return ioeventfd(0, 3, GPA_MMIO); }
static long ioeventfd_flag(void) { return ioeventfd(32, 4, GPA_MMIO); }
static long ioeventfd_wrap(void) { return ioeventfd(0, 8, -4ull); }
static long ioeventfd_match(void) { return ioeventfd(KVM_IOEVENTFD_FLAG_DATAMATCH, 0, GPA_MMIO); }
static long ioeventfd_none(void) { return ioeventfd(KVM_IOEVENTFD_FLAG_DEASSIGN, 4, GPA_MMIO); }

static long coalesced(void)
{
	struct kvm_coalesced_mmio_zone z = { .addr = GPA_MMIO, .size = 8 };

	return ioctl(vm.fd, KVM_REGISTER_COALESCED_MMIO, &z);
}

static long coalesced_none(void)
{
	struct kvm_coalesced_mmio_zone z = { .addr = GPA_MMIO + 64, .size = 8 };

	return ioctl(vm.fd, KVM_UNREGISTER_COALESCED_MMIO, &z);
}

static long tss_addr(void) { return ioctl(vm.fd, KVM_SET_TSS_ADDR, 0xfeffd000ul); }
static long tss_addr_bad(void) { return ioctl(vm.fd, KVM_SET_TSS_ADDR, 0xffffe000ul); }

static long identity_map(void)
{
	uint64_t addr = 0xfeffc000;

	return ioctl(vm.fd, KVM_SET_IDENTITY_MAP_ADDR, &addr);
}

static long boot_cpu_far(void) { return ioctl(vm.fd, KVM_SET_BOOT_CPU_ID, 1ul << 20); }
static long mmu_pages(void) { return ioctl(vm.fd, KVM_SET_NR_MMU_PAGES, 64ul); }
static long mmu_pages_few(void) { return ioctl(vm.fd, KVM_SET_NR_MMU_PAGES, 63ul); }

static long max_below_boot_cpu(void)
{
	ioctl(vm.fd, KVM_SET_BOOT_CPU_ID, 4ul);
	return vm_cap(KVM_CAP_MAX_VCPU_ID, 2);
}

static long max_twice(void)
{
	vm_cap(KVM_CAP_MAX_VCPU_ID, 8);
	return vm_cap(KVM_CAP_MAX_VCPU_ID, 9);
}

static long boot_cpu(void) { return ioctl(vm.fd, KVM_SET_BOOT_CPU_ID, 0); }
static long vm_get_khz(void) { return ioctl(vm.fd, KVM_GET_TSC_KHZ, 0); }
static long vcpu_again(void) { vcpu_create(&vm, 1); return ioctl(vm.fd, KVM_CREATE_VCPU, 1); }
static long vcpu_far(void) { return ioctl(vm.fd, KVM_CREATE_VCPU, 1ul << 20); }

static long get_clock(void)
{
	struct kvm_clock_data c;

	return ioctl(vm.fd, KVM_GET_CLOCK, &c);
}

static long set_clock(void)
{
	struct kvm_clock_data c = { .clock = 10 };

	return ioctl(vm.fd, KVM_SET_CLOCK, &c);
}

static long set_clock_flag(void)
{
	struct kvm_clock_data c = { .clock = 10, .flags = 1 << 20 };

	return ioctl(vm.fd, KVM_SET_CLOCK, &c);
}

static long msr_filter(void)
{
	static struct kvm_msr_filter f;

	memset(&f, 0, sizeof(f));
	return ioctl(vm.fd, KVM_X86_SET_MSR_FILTER, &f);
}

static long msr_filter_flag(void)
{
	static struct kvm_msr_filter f;

	memset(&f, 0, sizeof(f));
	f.flags = 2;
	return ioctl(vm.fd, KVM_X86_SET_MSR_FILTER, &f);
}

static long dirty_log(uint32_t slot)
{
	static uint64_t bits[4096];
	struct kvm_dirty_log l = { .slot = slot, .dirty_bitmap = bits };

	return ioctl(vm.fd, KVM_GET_DIRTY_LOG, &l);
}

static long dirty_log_off(void) { return dirty_log(SLOT_TABLES); }
static long dirty_log_none(void) { return dirty_log(77); }
static long dirty_log_far(void) { return dirty_log(40000); }
static long slot_far(void) { return vm_set_region(&vm, 40000, GPA_FREE, 4096, 0, 0); }
static long slot_none(void) { return vm_set_region(&vm, 77, GPA_FREE, 0, 0, 0); }
static long slot_over(void) { return vm_set_region(&vm, 77, GPA_TABLES, 4096, &vm, 0); }

static long slot_overlap(void)
{
	return vm_set_region(&vm, 77, GPA_TABLES, 4096, (void *)0x10000000, 0);
}

static long slot_flag(void)
{
	return vm_set_region(&vm, 77, GPA_FREE, 4096, (void *)0x10000000, 1 << 9);
}

static long slot_wraps(void)
{
	return vm_set_region(&vm, 77, -4096ull, 8192, (void *)0x10000000, 0);
}

static long slot_kernel(void)
{
	return vm_set_region(&vm, 77, GPA_FREE, 4096, (void *)0xffff800000000000, 0);
}

static long stats(void)
{
	int fd = ioctl(vm.fd, KVM_GET_STATS_FD, 0);

	if (fd >= 0)
		close(fd);
	return fd;
}

/* ---- calls on the vCPU ---- */

static int vcpu(void) { return vm.vcpu[0].fd; }

static long get_lapic(void)
{
	struct kvm_lapic_state s;

	return ioctl(vcpu(), KVM_GET_LAPIC, &s);
}

static long set_lapic(void)
{
	struct kvm_lapic_state s = {};

	if (ioctl(vcpu(), KVM_GET_LAPIC, &s))
		return ioctl(vcpu(), KVM_SET_LAPIC, &s);
	return ioctl(vcpu(), KVM_SET_LAPIC, &s);
}

static long vapic_off(void)
{
	struct kvm_vapic_addr a = {};

	return ioctl(vcpu(), KVM_SET_VAPIC_ADDR, &a);
}

static long tpr_access(void)
{
	struct kvm_tpr_access_ctl c = { .enabled = 1 };

	return ioctl(vcpu(), KVM_TPR_ACCESS_REPORTING, &c);
}

static long interrupt(uint32_t vector)
{
	struct kvm_interrupt i = { .irq = vector };

	return ioctl(vcpu(), KVM_INTERRUPT, &i);
}

static long interrupt_one(void) { return interrupt(0x31); }
static long interrupt_far(void) { return interrupt(256); }

static long mp_state(uint32_t state)
{
	struct kvm_mp_state s = { state };

	return ioctl(vcpu(), KVM_SET_MP_STATE, &s);
}

static long mp_runnable(void) { return mp_state(KVM_MP_STATE_RUNNABLE); }
static long mp_halted(void) { return mp_state(KVM_MP_STATE_HALTED); }
static long mp_init(void) { return mp_state(KVM_MP_STATE_INIT_RECEIVED); }
static long mp_sipi(void) { return mp_state(KVM_MP_STATE_SIPI_RECEIVED); }
static long mp_bad(void) { return mp_state(77); }
static long nmi(void) { return ioctl(vcpu(), KVM_NMI, 0); }
static long clock_ctrl(void) { return ioctl(vcpu(), KVM_KVMCLOCK_CTRL, 0); }
static long get_khz(void) { return ioctl(vcpu(), KVM_GET_TSC_KHZ, 0); }
static long run_arg(void) { return ioctl(vcpu(), KVM_RUN, 1); }
static long mask_off(void) { return ioctl(vcpu(), KVM_SET_SIGNAL_MASK, NULL); }

static long mask_len(void)
{
	struct { struct kvm_signal_mask m; uint64_t set; } m = { .m.len = 4 };

	return ioctl(vcpu(), KVM_SET_SIGNAL_MASK, &m);
}

static long mce_banks(void)
{
	uint64_t cap = 1 << 24 | 10;

	return ioctl(vcpu(), KVM_X86_SETUP_MCE, &cap);
}

static long mce_too_many(void)
{
	uint64_t cap = 255;

	return ioctl(vcpu(), KVM_X86_SETUP_MCE, &cap);
}

static long vcpu_cap(void)
{
	struct kvm_enable_cap c = { .cap = KVM_CAP_ENFORCE_PV_FEATURE_CPUID, .args = { 1 } };

	return ioctl(vcpu(), KVM_ENABLE_CAP, &c);
}

static long vcpu_cap_bad(void)
{
	struct kvm_enable_cap c = { .cap = KVM_CAP_SPLIT_IRQCHIP, .args = { 24 } };

	return ioctl(vcpu(), KVM_ENABLE_CAP, &c);
}

static long tsc_attr(uint64_t attr)
{
	struct kvm_device_attr a = { .group = KVM_VCPU_TSC_CTRL, .attr = attr };

	return ioctl(vcpu(), KVM_HAS_DEVICE_ATTR, &a);
}

static long has_offset(void) { return tsc_attr(KVM_VCPU_TSC_OFFSET); }
static long has_nothing(void) { return tsc_attr(9); }

static long events_flag(void)
{
	struct kvm_vcpu_events e = { .flags = 1u << 31 };

	return ioctl(vcpu(), KVM_SET_VCPU_EVENTS, &e);
}

static long events_vector(void)
{
	struct kvm_vcpu_events e = { .exception = { .injected = 1, .nr = 32 } };

	return ioctl(vcpu(), KVM_SET_VCPU_EVENTS, &e);
}

static long debugregs_flag(void)
{
	struct kvm_debugregs d = { .flags = 1 };

	return ioctl(vcpu(), KVM_SET_DEBUGREGS, &d);
}

static long debugregs_high(void)
{
	struct kvm_debugregs d = { .dr7 = 1ull << 32 };

	return ioctl(vcpu(), KVM_SET_DEBUGREGS, &d);
}

static long xcr_index(void)
{
	struct kvm_xcrs x = { .nr_xcrs = KVM_MAX_XCRS + 1 };

	return ioctl(vcpu(), KVM_SET_XCRS, &x);
}

static long xcr_flag(void)
{
	struct kvm_xcrs x = { .flags = 1 };

	return ioctl(vcpu(), KVM_SET_XCRS, &x);
}

static long xcr0(uint64_t val)
{
	struct kvm_xcrs x = { .nr_xcrs = 1, .xcrs = { { .xcr = 0, .value = val } } };

	return ioctl(vcpu(), KVM_SET_XCRS, &x);
}

static long xcr0_zero(void) { return xcr0(0); }
static long xcr0_wild(void) { return xcr0(1ull << 60 | 1); }

static long sregs(uint64_t cr0, uint64_t cr4, uint64_t efer)
{
	struct kvm_sregs s;

	ioctl(vcpu(), KVM_GET_SREGS, &s);
	s.cr0 |= cr0;
	s.cr4 |= cr4;
	s.efer |= efer;
	return ioctl(vcpu(), KVM_SET_SREGS, &s);
}

static long sregs_as_is(void) { return sregs(0, 0, 0); }
static long sregs_cr4(void) { return sregs(0, 1ull << 30, 0); }
static long sregs_efer(void) { return sregs(0, 0, 1ull << 40); }
static long sregs_cr0(void) { return sregs(1ull << 40, 0, 0); }
static long sregs_long(void) { return sregs(0x80000001, 0, 0x500); }	/* LMA without PAE */

static long xsave_wild(void)
{
	static struct kvm_xsave x;

	memset(&x, 0, sizeof(x));
	x.region[128] = x.region[129] = ~0;		/* XSTATE_BV */
	return ioctl(vcpu(), KVM_SET_XSAVE, &x);
}

static long cpuid_long(void)
{
	struct kvm_cpuid2 c = { .nent = 257 };

	return ioctl(vcpu(), KVM_SET_CPUID2, &c);
}

static long cpuid_room(void)
{
	struct kvm_cpuid2 c = { .nent = 0 };

	return ioctl(vcpu(), KVM_GET_CPUID2, &c);
}

static long msrs_long(void)
{
	struct kvm_msrs m = { .nmsrs = 256 };

	return ioctl(vcpu(), KVM_GET_MSRS, &m);
}

static long guest_debug_none(void)
{
	struct kvm_guest_debug d = {};

	return ioctl(vcpu(), KVM_SET_GUEST_DEBUG, &d);
}

static long vcpu_stats(void)
{
	int fd = ioctl(vcpu(), KVM_GET_STATS_FD, 0);

	if (fd >= 0)
		close(fd);
	return fd;
}

/* ---- the tables ---- */

struct row {
	const char *name;
	long (*call)(void);
	int want[3][2];		/* by irqchip; without and with a vCPU: 0 or the errno */
};

#define ALL(f, e)		{ #f, f, { { e, e }, { e, e }, { e, e } } }
#define ORDER(f, e, e1)		{ #f, f, { { e, e1 }, { e, e1 }, { e, e1 } } }
#define CHIPS(f, n, s, u)	{ #f, f, { { n, n }, { s, s }, { u, u } } }

static const struct row vm_rows[] = {
	{ "create_irqchip", create_irqchip, { { 0, EINVAL }, { EEXIST, EEXIST }, { EEXIST, EEXIST } } },
	{ "split_irqchip", split_irqchip, { { 0, EEXIST }, { EEXIST, EEXIST }, { EEXIST, EEXIST } } },
	ALL(split_too_big, EINVAL), ALL(x2apic_api, 0), ALL(x2apic_api_bad, EINVAL),
	ALL(disable_exits, 0), ORDER(max_vcpu_id, 0, EINVAL),
	ALL(max_vcpu_id_bad, EINVAL), ALL(payload, 0), ALL(triple_fault, 0), ALL(user_msr, 0),
	ALL(user_msr_bad, EINVAL), ALL(halt_poll, 0), ALL(manual_protect, 0),
	ALL(manual_protect_bad, EINVAL), ALL(no_cap, EINVAL),
	CHIPS(create_pit2, OLD(ENOENT), OLD(ENOENT), 0), CHIPS(second_pit2, ANY, ANY, EEXIST),
	ALL(get_pit2, ENXIO), ALL(set_pit2, ENXIO), ALL(reinject, ENXIO),
	CHIPS(get_ioapic, ENXIO, ENXIO, 0), CHIPS(get_chip_bad, ENXIO, ENXIO, EINVAL),
	CHIPS(set_pic, ENXIO, ENXIO, 0), CHIPS(irq_line, ENXIO, 0, 0),
	CHIPS(irq_line_status, ENXIO, 0, 0), CHIPS(no_routes, EINVAL, 0, 0),
	CHIPS(route_msi, EINVAL, 0, 0), ALL(route_far, EINVAL), ALL(route_type, EINVAL),
	ALL(route_flag, EINVAL), ALL(table_flag, EINVAL), ALL(table_long, EINVAL),
	ALL(signal_msi_bad, EINVAL), CHIPS(irqfd_assign, EINVAL, 0, 0),
	CHIPS(irqfd_not_open, EINVAL, EBADF, EBADF), ALL(irqfd_flag, EINVAL),
	CHIPS(irqfd_resample, EINVAL, EINVAL, 0), ALL(irqfd_unknown, 0),
	ALL(ioeventfd_any, 0), ALL(ioeventfd_port, 0), ALL(ioeventfd_len, EINVAL),
	ALL(ioeventfd_flag, EINVAL), ALL(ioeventfd_wrap, EINVAL), ALL(ioeventfd_match, EINVAL),
	ALL(ioeventfd_none, ENOENT), ALL(coalesced, 0), ALL(coalesced_none, 0), ALL(tss_addr, 0),
	ALL(tss_addr_bad, EINVAL), ORDER(identity_map, 0, EINVAL), ORDER(boot_cpu, 0, EBUSY),
	ORDER(boot_cpu_far, OLD(EINVAL), EBUSY), ALL(mmu_pages, 0), ALL(mmu_pages_few, EINVAL),
	ORDER(max_below_boot_cpu, OLD(EINVAL), EINVAL), ALL(max_twice, EINVAL),
	ALL(vm_get_khz, 0), ALL(vcpu_again, EEXIST), ALL(vcpu_far, EINVAL), ALL(get_clock, 0),
	ALL(set_clock, 0), ALL(set_clock_flag, EINVAL), ALL(msr_filter, 0),
	ALL(msr_filter_flag, EINVAL), ALL(dirty_log_off, ENOENT), ALL(dirty_log_none, ENOENT),
	ALL(dirty_log_far, EINVAL), ALL(slot_far, EINVAL), ALL(slot_none, EINVAL),
	ALL(slot_over, EINVAL), ALL(slot_overlap, EEXIST), ALL(slot_flag, EINVAL),
	{ "bus_cycles", bus_cycles, { { ENXIO, ANY }, { 0, EINVAL }, { 0, EINVAL } } },
	CHIPS(bus_cycles_none, ANY, EINVAL, EINVAL), CHIPS(bus_cycles_long, ANY, EINVAL, EINVAL),
	ALL(emulation_exit, 0), ALL(emulation_exit_bad, EINVAL), ORDER(nx_off, 0, EINVAL),
	ALL(nx_off_bad, EINVAL), ALL(quirks, 0), ALL(quirks_bad, EINVAL),
	ALL(slot_wraps, EINVAL), ALL(slot_kernel, EINVAL), ALL(stats, 0),
};

static const struct row vcpu_rows[] = {
	CHIPS(get_lapic, EINVAL, 0, 0), CHIPS(set_lapic, EINVAL, 0, 0),
	CHIPS(vapic_off, EINVAL, 0, 0), ALL(tpr_access, 0), CHIPS(interrupt_one, 0, 0, ENXIO),
	ALL(interrupt_far, EINVAL), ALL(mp_runnable, 0), CHIPS(mp_halted, EINVAL, 0, 0),
	CHIPS(mp_init, EINVAL, 0, 0), CHIPS(mp_sipi, EINVAL, 0, 0), ALL(mp_bad, EINVAL),
	ALL(nmi, 0), ALL(clock_ctrl, EINVAL), ALL(get_khz, 0), ALL(run_arg, EINVAL),
	ALL(mask_off, 0), ALL(mask_len, EINVAL), ALL(mce_banks, 0), ALL(mce_too_many, EINVAL),
	ALL(vcpu_cap, 0), ALL(vcpu_cap_bad, EINVAL), ALL(has_offset, 0), ALL(has_nothing, ENXIO),
	ALL(events_flag, EINVAL), ALL(events_vector, EINVAL), ALL(debugregs_flag, EINVAL),
	ALL(debugregs_high, EINVAL), ALL(xcr_index, EINVAL), ALL(xcr_flag, EINVAL),
	ALL(xcr0_zero, EINVAL), ALL(xcr0_wild, EINVAL), ALL(sregs_as_is, 0),
	ALL(sregs_cr4, EINVAL), ALL(sregs_efer, OLD(EINVAL)), ALL(sregs_cr0, EINVAL),
	ALL(sregs_long, EINVAL), ALL(xsave_wild, EINVAL), ALL(cpuid_long, E2BIG),
	ALL(cpuid_room, E2BIG), ALL(msrs_long, E2BIG), ALL(guest_debug_none, 0),
	ALL(vcpu_stats, 0),
};

#define NR(a)	(sizeof(a) / sizeof((a)[0]))

static const char *const chips[] = { "no irqchip", "split", "full" };

static void judge(struct __test_metadata *_metadata, const struct row *r, int chip, bool has_vcpu,
		  const char *state)
{
	int want = r->want[chip][has_vcpu], got;

	errno = 0;
	got = r->call() < 0 ? errno : 0;
	if (want == ANY || (got == ENOTSUP && !on_keel()))
		return;
	if (want < 0)
		want = got ? -want : 0;
	EXPECT_EQ(want, got) TH_LOG("%s: %s, %s", r->name, chips[chip], state);
}

FIXTURE(order)
{
	int unused;
};

FIXTURE_VARIANT(order)
{
	enum test_irqchip chip;
};

FIXTURE_VARIANT_ADD(order, none) { TEST_IRQCHIP_NONE };
FIXTURE_VARIANT_ADD(order, split) { TEST_IRQCHIP_SPLIT };
FIXTURE_VARIANT_ADD(order, full) { TEST_IRQCHIP_FULL };

FIXTURE_SETUP(order)
{
}

FIXTURE_TEARDOWN(order)
{
}

TEST_F(order, no_vcpu)
{
	unsigned int i;

	for (i = 0; i < NR(vm_rows); i++) {
		vm_create(&vm, variant->chip);
		judge(_metadata, &vm_rows[i], variant->chip, false, "no vCPU");
		vm_destroy(&vm);
	}
}

TEST_F(order, a_vcpu)
{
	unsigned int i;

	for (i = 0; i < NR(vm_rows); i++) {
		vm_create(&vm, variant->chip);
		vcpu_create(&vm, 0);
		judge(_metadata, &vm_rows[i], variant->chip, true, "a vCPU");
		vm_destroy(&vm);
	}
	for (i = 0; i < NR(vcpu_rows); i++) {
		vm_create(&vm, variant->chip);
		vcpu_create(&vm, 0);
		judge(_metadata, &vcpu_rows[i], variant->chip, true, "a vCPU");
		vm_destroy(&vm);
	}
}

static volatile bool running, stop;

static void guest_spin(void)
{
	running = true;
	while (!stop)
		guest_pause();
	guest_done();
}

static void *runner(void *arg)
{
	vcpu_run(&vm.vcpu[0], NULL);
	return NULL;
}

/* The vCPU is in KVM_RUN all the time: none of these waits for it. */
TEST_F(order, a_running_vcpu)
{
	pthread_t thread;
	unsigned int i;

	for (i = 0; i < NR(vm_rows); i++) {
		vm_create(&vm, variant->chip);
		vcpu_start(vcpu_create(&vm, 0), guest_spin);
		running = stop = false;
		ASSERT_EQ(0, pthread_create(&thread, NULL, runner, NULL));
		while (!running)
			sched_yield();
		judge(_metadata, &vm_rows[i], variant->chip, true, "a running vCPU");
		stop = true;
		pthread_join(thread, NULL);
		vm_destroy(&vm);
	}
}

TEST_HARNESS_MAIN
