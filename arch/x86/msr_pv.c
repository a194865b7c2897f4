// SPDX-License-Identifier: GPL-2.0-only
/* MSRs of KVM's paravirtual interface (Documentation/virt/kvm/x86/msr.rst). */
#include <uapi/asm/kvm_para.h>
#include "virt/compat/compat.h"
#include "arch/x86/x86.h"
#include "arch/x86/msr_table.h"

static bool pv_allowed(struct x86_vcpu *vcpu, unsigned int feature, bool host)
{
	return host || !vcpu->msr.enforce_pv || (vcpu->cpuid.kvm_features & BIT(feature));
}

static bool is_old_clock_msr(u32 index)
{
	return index == MSR_KVM_WALL_CLOCK || index == MSR_KVM_SYSTEM_TIME;
}

static bool clock_allowed(struct x86_vcpu *vcpu, u32 index, bool host)
{
	return pv_allowed(vcpu, is_old_clock_msr(index) ? KVM_FEATURE_CLOCKSOURCE :
			  KVM_FEATURE_CLOCKSOURCE2, host);
}

int msr_wall_clock_get(struct x86_vcpu *vcpu, const struct msr_row *row, u32 index, u64 *val,
		       bool host)
{
	*val = READ_ONCE(vcpu_vm(vcpu)->clock.wall);
	return !clock_allowed(vcpu, index, host);
}

int msr_wall_clock_set(struct x86_vcpu *vcpu, const struct msr_row *row, u32 index, u64 val,
		       bool host)
{
	return clock_allowed(vcpu, index, host) ? pvclock_wall_write(vcpu, val) : 1;
}

int msr_system_time_get(struct x86_vcpu *vcpu, const struct msr_row *row, u32 index, u64 *val,
			bool host)
{
	*val = vcpu->clock.msr;
	return !clock_allowed(vcpu, index, host);
}

int msr_system_time_set(struct x86_vcpu *vcpu, const struct msr_row *row, u32 index, u64 val,
			bool host)
{
	if (!clock_allowed(vcpu, index, host))
		return 1;
	return pvclock_msr_write(vcpu, val, is_old_clock_msr(index), host);
}

int msr_steal_get(struct x86_vcpu *vcpu, const struct msr_row *row, u32 index, u64 *val, bool host)
{
	*val = vcpu->clock.steal_msr;
	return !pv_allowed(vcpu, KVM_FEATURE_STEAL_TIME, host);
}

int msr_steal_set(struct x86_vcpu *vcpu, const struct msr_row *row, u32 index, u64 val, bool host)
{
	if (!pv_allowed(vcpu, KVM_FEATURE_STEAL_TIME, host))
		return 1;
	return pvclock_steal_write(vcpu, val, host);
}

int msr_async_pf_get(struct x86_vcpu *vcpu, const struct msr_row *row, u32 index, u64 *val,
		     bool host)
{
	*val = vcpu->msr.async_pf;
	return !pv_allowed(vcpu, KVM_FEATURE_ASYNC_PF, host);
}

int msr_async_pf_set(struct x86_vcpu *vcpu, const struct msr_row *row, u32 index, u64 val,
		     bool host)
{
	if (!pv_allowed(vcpu, KVM_FEATURE_ASYNC_PF, host))
		return 1;
	/* Bit 3, delivery by interrupt, is not offered; without it nothing is delivered (msr.rst). */
	if (val && !irqchip_lapic_in_kernel(vcpu_vm(vcpu)))
		return 1;
	return msr_field_set(vcpu, row, index, val, host);
}

int msr_pv_eoi_get(struct x86_vcpu *vcpu, const struct msr_row *row, u32 index, u64 *val, bool host)
{
	*val = vcpu->msr.pv_eoi;
	return !pv_allowed(vcpu, KVM_FEATURE_PV_EOI, host);
}

int msr_pv_eoi_set(struct x86_vcpu *vcpu, const struct msr_row *row, u32 index, u64 val, bool host)
{
	if (!pv_allowed(vcpu, KVM_FEATURE_PV_EOI, host))
		return 1;
	return irqchip_pv_eoi_set(vcpu, val);
}
