// SPDX-License-Identifier: GPL-2.0-only
/* The x86 ioctls of a VM fd, and KVM_ENABLE_CAP on it. */
#include <linux/capability.h>
#include "virt/compat/compat.h"
#include "arch/x86/x86.h"
#include "arch/x86/state.h"

#define SHADOW_PAGES_MIN	64

/* Real mode runs in hardware: nothing is ever put at these addresses. */
static long set_tss_addr(struct ioctl_ctx *c)
{
	if (c->arg > (u32)(-3 * PAGE_SIZE))
		return -EINVAL;
	to_x86_vm(c->vm)->tss_addr = c->arg;
	return 0;
}

static long set_identity_map_addr(struct ioctl_ctx *c)
{
	if (c->vm->created_vcpus)
		return -EINVAL;
	to_x86_vm(c->vm)->identity_map_addr = *(u64 *)c->data;
	return 0;
}

static long set_boot_cpu_id(struct ioctl_ctx *c)
{
	if (c->vm->created_vcpus)
		return -EBUSY;
	if (c->arg > c->vm->max_vcpu_id)
		return -EINVAL;
	to_x86_vm(c->vm)->boot_cpu_id = c->arg;
	return 0;
}

static long get_clock(struct ioctl_ctx *c)
{
	pvclock_get(to_x86_vm(c->vm), c->data);
	return 0;
}

static long set_clock(struct ioctl_ctx *c)
{
	return pvclock_set(to_x86_vm(c->vm), c->data);
}

static long get_tsc_khz(struct ioctl_ctx *c)
{
	return READ_ONCE(to_x86_vm(c->vm)->tsc.khz);
}

static long set_tsc_khz(struct ioctl_ctx *c)
{
	if (c->arg > U32_MAX || c->vm->created_vcpus)
		return -EINVAL;
	return tsc_vm_set_khz(to_x86_vm(c->vm), c->arg);
}

/*
 * A limit on shadow pages, of which there are none with nested paging: it is always kept. api.rst
 * has the least value that is taken.
 */
static long set_nr_mmu_pages(struct ioctl_ctx *c)
{
	if (c->arg > U32_MAX || c->arg < SHADOW_PAGES_MIN)
		return -EINVAL;
	to_x86_vm(c->vm)->nr_mmu_pages = c->arg;
	return 0;
}

static long get_nr_mmu_pages(struct ioctl_ctx *c)
{
	return to_x86_vm(c->vm)->nr_mmu_pages;
}

static const struct ioctl_row vm_state_ioctls_rows[] = {
	{ KVM_SET_NR_MMU_PAGES,		IOC_RAW | IOC_VM_LOCK, set_nr_mmu_pages },
	{ KVM_GET_NR_MMU_PAGES,		IOC_RAW, get_nr_mmu_pages },
	{ KVM_SET_TSS_ADDR,		IOC_RAW | IOC_VM_LOCK, set_tss_addr },
	{ KVM_SET_IDENTITY_MAP_ADDR,	IOC_VM_LOCK, set_identity_map_addr },
	{ KVM_SET_BOOT_CPU_ID,		IOC_RAW | IOC_VM_LOCK, set_boot_cpu_id },
	{ KVM_GET_CLOCK,		0, get_clock },
	{ KVM_SET_CLOCK,		0, set_clock },
	{ KVM_GET_TSC_KHZ,		IOC_RAW, get_tsc_khz },
	{ KVM_SET_TSC_KHZ,		IOC_RAW | IOC_VM_LOCK, set_tsc_khz },
};
IOCTL_TABLE(vm_state_ioctls);

const struct ioctl_table *const arch_vm_ioctls[] = {
	&vm_state_ioctls,
	&msr_vm_ioctls,
	&irqchip_vm_ioctls,
	&irqchip_pit_ioctls,
	NULL,
};

const struct ioctl_table *const arch_vm_compat_ioctls[] = {
	&msr_vm_compat_ioctls,
	NULL
};

/* ---- KVM_ENABLE_CAP ---- */

#define QUIRKS_KNOWN	(KVM_X86_QUIRK_LINT0_REENABLED | KVM_X86_QUIRK_CD_NW_CLEARED |	\
			 KVM_X86_QUIRK_LAPIC_MMIO_HOLE | KVM_X86_QUIRK_OUT_7E_INC_RIP |	\
			 KVM_X86_QUIRK_MISC_ENABLE_NO_MWAIT |			\
			 KVM_X86_QUIRK_FIX_HYPERCALL_INSN |			\
			 KVM_X86_QUIRK_MWAIT_NEVER_UD_FAULTS | KVM_X86_QUIRK_SLOT_ZAP_ALL)

u32 x86_quirks_supported(void)
{
	return QUIRKS_KNOWN;
}

static long enable_disable_quirks(struct x86_vm *vm, u64 arg)
{
	WRITE_ONCE(vm->disabled_quirks, arg & QUIRKS_KNOWN);
	vm_request_all(&vm->vm, REQ_INTERCEPTS, false);
	return 0;
}

static long enable_disable_quirks2(struct x86_vm *vm, u64 arg)
{
	return arg & ~(u64)QUIRKS_KNOWN ? -EINVAL : enable_disable_quirks(vm, arg);
}

static long enable_split_irqchip(struct x86_vm *vm, u64 arg)
{
	return arg > U32_MAX ? -EINVAL : irqchip_create_split(vm, arg);
}

static long enable_x2apic_api(struct x86_vm *vm, u64 arg)
{
	if (arg & ~(KVM_X2APIC_API_USE_32BIT_IDS | KVM_X2APIC_API_DISABLE_BROADCAST_QUIRK))
		return -EINVAL;
	if (arg & KVM_X2APIC_API_USE_32BIT_IDS)
		vm->x2apic_format = true;
	if (arg & KVM_X2APIC_API_DISABLE_BROADCAST_QUIRK)
		vm->x2apic_broadcast_off = true;
	irqchip_api_changed(vm);
	return 0;
}

u32 x86_disable_exits_supported(void)
{
	u32 mask = KVM_X86_DISABLE_EXITS_HLT | KVM_X86_DISABLE_EXITS_PAUSE;

	/* MWAIT in a guest: only if its wake-ups are sound and the timer does not stop. */
	if (boot_cpu_has(X86_FEATURE_MWAIT) && boot_cpu_has(X86_FEATURE_ARAT) &&
	    !boot_cpu_has_bug(X86_BUG_MONITOR))
		mask |= KVM_X86_DISABLE_EXITS_MWAIT;
	return mask;
}

static long enable_disable_exits(struct x86_vm *vm, u64 arg)
{
	if (arg & ~(u64)x86_disable_exits_supported())
		return -EINVAL;
	WRITE_ONCE(vm->disabled_exits, vm->disabled_exits | arg);
	vm_request_all(&vm->vm, REQ_INTERCEPTS, false);
	return 0;
}

static long enable_exception_payload(struct x86_vm *vm, u64 arg)
{
	vm->exception_payload = arg;
	return 0;
}

static long enable_triple_fault_event(struct x86_vm *vm, u64 arg)
{
	vm->triple_fault_event = arg;
	return 0;
}

static long enable_user_msr(struct x86_vm *vm, u64 arg)
{
	if (arg & ~(u64)KVM_MSR_EXIT_REASON_VALID_MASK)
		return -EINVAL;
	vm->user_msr_mask = arg;
	return 0;
}

static long enable_platform_info(struct x86_vm *vm, u64 arg)
{
	vm->msr_filter.no_platform_info = !arg;
	return 0;
}

static long enable_max_vcpu_id(struct x86_vm *vm, u64 arg)
{
	if (!arg || arg > KEEL_MAX_VCPU_ID || arg < vm->boot_cpu_id || vm->vm.created_vcpus)
		return -EINVAL;
	/* Once. */
	if (vm->max_vcpu_id_set && arg != vm->vm.max_vcpu_id)
		return -EINVAL;
	vm->max_vcpu_id_set = true;
	vm->vm.max_vcpu_id = arg;
	return 0;
}

static long enable_exit_on_emul_failure(struct x86_vm *vm, u64 arg)
{
	if (arg > 1)
		return -EINVAL;
	WRITE_ONCE(vm->exit_on_emul_failure, arg);
	return 0;
}

/* For who trusts the guest with the host's life: api.rst asks for the right to reboot the host. */
static long enable_nx_huge_off(struct x86_vm *vm, u64 arg)
{
	if (!capable(CAP_SYS_BOOT))
		return -EPERM;
	if (arg || vm->vm.created_vcpus)
		return -EINVAL;
	vm->mmu.nx_huge_off = true;
	return 0;
}

static long enable_apic_bus_ns(struct x86_vm *vm, u64 arg)
{
	return irqchip_set_bus_ns(vm, arg);
}

static const struct {
	u32	cap;
	long	(*fn)(struct x86_vm *vm, u64 arg);	/* vm->lock held */
} vm_caps[] = {
	{ KVM_CAP_DISABLE_QUIRKS,		enable_disable_quirks },
	{ KVM_CAP_DISABLE_QUIRKS2,		enable_disable_quirks2 },
	{ KVM_CAP_SPLIT_IRQCHIP,		enable_split_irqchip },
	{ KVM_CAP_X2APIC_API,			enable_x2apic_api },
	{ KVM_CAP_X86_DISABLE_EXITS,		enable_disable_exits },
	{ KVM_CAP_EXCEPTION_PAYLOAD,		enable_exception_payload },
	{ KVM_CAP_X86_TRIPLE_FAULT_EVENT,	enable_triple_fault_event },
	{ KVM_CAP_X86_USER_SPACE_MSR,		enable_user_msr },
	{ KVM_CAP_MSR_PLATFORM_INFO,		enable_platform_info },
	{ KVM_CAP_MAX_VCPU_ID,			enable_max_vcpu_id },
	{ KVM_CAP_EXIT_ON_EMULATION_FAILURE,	enable_exit_on_emul_failure },
	{ KVM_CAP_VM_DISABLE_NX_HUGE_PAGES,	enable_nx_huge_off },
	{ KVM_CAP_X86_APIC_BUS_CYCLES_NS,	enable_apic_bus_ns },
};

long arch_vm_enable_cap(struct vm *v, const struct kvm_enable_cap *cap)
{
	struct x86_vm *vm = to_x86_vm(v);
	unsigned int i;
	long ret;

	if (cap->flags)
		return -EINVAL;
	for (i = 0; i < ARRAY_SIZE(vm_caps); i++) {
		if (vm_caps[i].cap != cap->cap)
			continue;
		mutex_lock(&v->lock);
		ret = vm_caps[i].fn(vm, cap->args[0]);
		mutex_unlock(&v->lock);
		return ret;
	}
	return -EINVAL;
}
