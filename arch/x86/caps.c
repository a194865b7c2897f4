// SPDX-License-Identifier: GPL-2.0-only
/* KVM_CHECK_EXTENSION: what x86 answers. Only what works is here; everything else is 0. */
#include <linux/nospec.h>
#include "virt/compat/compat.h"
#include "arch/x86/x86.h"
#include "arch/x86/state.h"

static long always(struct x86_vm *vm)
{
	return 1;
}

static long has_xsave(struct x86_vm *vm)
{
	return keel_host_xcr0 != 0;
}

static long xsave2_size(struct x86_vm *vm)
{
	return xstate_uabi_size();
}

static long mce_banks(struct x86_vm *vm)
{
	return MCE_BANKS;
}

static long adjust_clock(struct x86_vm *vm)
{
	return pvclock_flags_supported();
}

static long sync_regs(struct x86_vm *vm)
{
	return KVM_SYNC_X86_VALID_FIELDS;
}

static long x2apic_api(struct x86_vm *vm)
{
	return KVM_X2APIC_API_USE_32BIT_IDS | KVM_X2APIC_API_DISABLE_BROADCAST_QUIRK;
}

static long disable_exits(struct x86_vm *vm)
{
	return x86_disable_exits_supported();
}

static long disable_quirks2(struct x86_vm *vm)
{
	return x86_quirks_supported();
}

static long tsc_control(struct x86_vm *vm)
{
	return keel_vendor.caps.tsc_scaling;
}

static long steal_time(struct x86_vm *vm)
{
	return steal_supported();
}

static long guest_debug2(struct x86_vm *vm)
{
	return KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_SINGLESTEP | KVM_GUESTDBG_USE_SW_BP |
	       KVM_GUESTDBG_USE_HW_BP | KVM_GUESTDBG_INJECT_DB | KVM_GUESTDBG_INJECT_BP |
	       KVM_GUESTDBG_BLOCKIRQ;
}

static long vm_types(struct x86_vm *vm)
{
	return BIT(KVM_X86_DEFAULT_VM);
}

/* The default, whatever a VM has. */
static long apic_bus_ns(struct x86_vm *vm)
{
	return LAPIC_BUS_NS;
}

/* By number. @vm is NULL on the system fd. */
static long (*const x86_caps[])(struct x86_vm *vm) = {
	[KVM_CAP_HLT]				= always,
	[KVM_CAP_MMU_SHADOW_CACHE_CONTROL]	= always,
	[KVM_CAP_SET_TSS_ADDR]			= always,
	[KVM_CAP_SET_IDENTITY_MAP_ADDR]		= always,
	[KVM_CAP_EXT_CPUID]			= always,
	[KVM_CAP_EXT_EMUL_CPUID]		= always,
	[KVM_CAP_CLOCKSOURCE]			= always,
	[KVM_CAP_NOP_IO_DELAY]			= always,
	[KVM_CAP_MP_STATE]			= always,
	[KVM_CAP_USER_NMI]			= always,
	[KVM_CAP_VCPU_EVENTS]			= always,
	[KVM_CAP_DEBUGREGS]			= always,
	[KVM_CAP_X86_ROBUST_SINGLESTEP]		= always,
	[KVM_CAP_LAST_CPU]			= always,
	[KVM_CAP_MEMORY_FAULT_INFO]		= always,
	[KVM_CAP_PRE_FAULT_MEMORY]		= always,
	[KVM_CAP_IOAPIC_POLARITY_IGNORED]	= always,
	[KVM_CAP_STEAL_TIME]			= steal_time,
	[KVM_CAP_SET_BOOT_CPU_ID]		= always,
	[KVM_CAP_GET_TSC_KHZ]			= always,
	[KVM_CAP_KVMCLOCK_CTRL]			= always,
	[KVM_CAP_GET_MSR_FEATURES]		= always,
	[KVM_CAP_MSR_PLATFORM_INFO]		= always,
	[KVM_CAP_EXCEPTION_PAYLOAD]		= always,
	[KVM_CAP_X86_TRIPLE_FAULT_EVENT]	= always,
	[KVM_CAP_SET_GUEST_DEBUG]		= always,
	[KVM_CAP_X86_USER_SPACE_MSR]		= always,
	[KVM_CAP_X86_MSR_FILTER]		= always,
	[KVM_CAP_SREGS2]			= always,
	[KVM_CAP_VCPU_ATTRIBUTES]		= always,
	[KVM_CAP_SYS_ATTRIBUTES]		= always,
	[KVM_CAP_ENFORCE_PV_FEATURE_CPUID]	= always,
	[KVM_CAP_DISABLE_QUIRKS]		= always,
	[KVM_CAP_IRQCHIP]			= always,
	[KVM_CAP_SPLIT_IRQCHIP]			= always,
	[KVM_CAP_PIT]				= always,
	[KVM_CAP_PIT2]				= always,
	[KVM_CAP_PIT_STATE2]			= always,
	[KVM_CAP_REINJECT_CONTROL]		= always,
	[KVM_CAP_IRQ_INJECT_STATUS]		= always,
	[KVM_CAP_VAPIC]				= always,
	[KVM_CAP_TSC_DEADLINE_TIMER]		= always,
	[KVM_CAP_EXIT_ON_EMULATION_FAILURE]	= always,
	[KVM_CAP_VM_DISABLE_NX_HUGE_PAGES]	= always,
	[KVM_CAP_X86_APIC_BUS_CYCLES_NS]	= apic_bus_ns,
	[KVM_CAP_XSAVE]				= always,
	[KVM_CAP_XCRS]				= has_xsave,
	[KVM_CAP_XSAVE2]			= xsave2_size,
	[KVM_CAP_MCE]				= mce_banks,
	[KVM_CAP_ADJUST_CLOCK]			= adjust_clock,
	[KVM_CAP_SYNC_REGS]			= sync_regs,
	[KVM_CAP_X2APIC_API]			= x2apic_api,
	[KVM_CAP_X86_DISABLE_EXITS]		= disable_exits,
	[KVM_CAP_DISABLE_QUIRKS2]		= disable_quirks2,
	[KVM_CAP_TSC_CONTROL]			= tsc_control,
	[KVM_CAP_VM_TSC_CONTROL]		= tsc_control,
	[KVM_CAP_SET_GUEST_DEBUG2]		= guest_debug2,
	[KVM_CAP_VM_TYPES]			= vm_types,
};

long arch_check_extension(struct vm *vm, long cap)
{
	long (*value)(struct x86_vm *vm);

	if ((unsigned long)cap >= ARRAY_SIZE(x86_caps))
		return 0;
	value = x86_caps[array_index_nospec(cap, ARRAY_SIZE(x86_caps))];
	if (!value)
		return 0;
	/* The usual answer needs no indirect call. */
	return value == always ? 1 : value(vm ? to_x86_vm(vm) : NULL);
}
