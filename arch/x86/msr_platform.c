// SPDX-License-Identifier: GPL-2.0-only
/* MSRs of models and platforms, as far as guests look at them. */
#include <asm/msr-index.h>
#include "virt/compat/compat.h"
#include "arch/x86/x86.h"
#include "arch/x86/msr_table.h"

/* Of HWCR: caches, FFDIS, MONITOR at CPL > 0 */
#define HWCR_IGNORED		(BIT_ULL(3) | BIT_ULL(6) | BIT_ULL(8))
#define CPUID_FAULT		BIT_ULL(31)	/* PLATFORM_INFO: CPUID faulting exists */
#define CPUID_FAULT_ON		BIT_ULL(0)	/* MISC_FEATURES_ENABLES */

int msr_ucode_get(struct x86_vcpu *vcpu, const struct msr_row *row, u32 index, u64 *val, bool host)
{
	*val = vcpu->msr.ucode_rev;
	return 0;
}

/* Guests write 0 here before they read the revision (SDM 3 10.11.7.1). */
int msr_ucode_set(struct x86_vcpu *vcpu, const struct msr_row *row, u32 index, u64 val, bool host)
{
	if (host)
		vcpu->msr.ucode_rev = val;
	return 0;
}

/* A PMU that is not there is capable of nothing. */
int msr_perf_cap_get(struct x86_vcpu *vcpu, const struct msr_row *row, u32 index, u64 *val,
		     bool host)
{
	*val = 0;
	return !host && !guest_has(vcpu, X86_FEATURE_PDCM);
}

int msr_perf_cap_set(struct x86_vcpu *vcpu, const struct msr_row *row, u32 index, u64 val,
		     bool host)
{
	return !host || val;
}

int msr_platform_info_get(struct x86_vcpu *vcpu, const struct msr_row *row, u32 index, u64 *val,
			  bool host)
{
	*val = vcpu->msr.platform_info;
	return !host && vcpu_vm(vcpu)->msr_filter.no_platform_info;
}

int msr_platform_info_set(struct x86_vcpu *vcpu, const struct msr_row *row, u32 index, u64 val,
			  bool host)
{
	if (!host || (!(val & CPUID_FAULT) && (vcpu->msr.misc_features & CPUID_FAULT_ON)))
		return 1;
	vcpu->msr.platform_info = val;
	return 0;
}

int msr_misc_features_set(struct x86_vcpu *vcpu, const struct msr_row *row, u32 index, u64 val,
			  bool host)
{
	if (val & ~CPUID_FAULT_ON)
		return 1;
	if ((val & CPUID_FAULT_ON) && !(vcpu->msr.platform_info & CPUID_FAULT))
		return 1;
	vcpu->msr.misc_features = val;
	return 0;
}

int msr_misc_enable_set(struct x86_vcpu *vcpu, const struct msr_row *row, u32 index, u64 val,
			bool host)
{
	vcpu->msr.misc_enable = val;
	cpuid_runtime_changed(&vcpu->cpuid);
	return 0;
}

/* There is no window for configuration space: it can only be switched off. */
int msr_mmio_conf_set(struct x86_vcpu *vcpu, const struct msr_row *row, u32 index, u64 val,
		      bool host)
{
	return val != 0;
}

int msr_hwcr_set(struct x86_vcpu *vcpu, const struct msr_row *row, u32 index, u64 val, bool host)
{
	return msr_field_set(vcpu, row, index, val & ~HWCR_IGNORED, host);
}

bool msr_has_osvw(void)
{
	return keel_cpu_has(X86_FEATURE_OSVW);
}

int msr_osvw_get(struct x86_vcpu *vcpu, const struct msr_row *row, u32 index, u64 *val, bool host)
{
	*val = *msr_field(vcpu, row);
	return !host && !guest_has(vcpu, X86_FEATURE_OSVW);
}

u64 msr_de_cfg_supported(void)
{
	return boot_cpu_has(X86_FEATURE_LFENCE_RDTSC) ? MSR_AMD64_DE_CFG_LFENCE_SERIALIZE : 0;
}

int msr_de_cfg_set(struct x86_vcpu *vcpu, const struct msr_row *row, u32 index, u64 val, bool host)
{
	if (val & ~msr_de_cfg_supported())
		return 1;
	vcpu->msr.de_cfg = val;
	return 0;
}
