// SPDX-License-Identifier: GPL-2.0-only
/* Feature MSRs: what the host's CPU is, as far as guests may know (KVM_CAP_GET_MSR_FEATURES). */
#include <asm/msr-index.h>
#include "virt/compat/compat.h"
#include "virt/compat/compat_x86.h"
#include "arch/x86/x86.h"
#include "arch/x86/msr_table.h"

#define ARCH_CAP_OFFERED						\
	(ARCH_CAP_RDCL_NO | ARCH_CAP_IBRS_ALL | ARCH_CAP_RSBA |	\
	 ARCH_CAP_SKIP_VMENTRY_L1DFLUSH | ARCH_CAP_SSB_NO | ARCH_CAP_MDS_NO |		\
	 ARCH_CAP_PSCHANGE_MC_NO | ARCH_CAP_TAA_NO | ARCH_CAP_SBDR_SSDP_NO |		\
	 ARCH_CAP_FBSDP_NO | ARCH_CAP_PSDP_NO | ARCH_CAP_FB_CLEAR | ARCH_CAP_RRSBA |	\
	 ARCH_CAP_BHI_NO | ARCH_CAP_PBRSB_NO | ARCH_CAP_GDS_NO | ARCH_CAP_RFDS_NO |	\
	 ARCH_CAP_RFDS_CLEAR)

const u32 msr_features[] = {
	MSR_IA32_UCODE_REV,
	MSR_IA32_ARCH_CAPABILITIES,
	MSR_IA32_PERF_CAPABILITIES,
	MSR_AMD64_DE_CFG,
};
const unsigned int msr_features_count = ARRAY_SIZE(msr_features);

/* Faults that the CPU does not have, and those that the host works around for its guests. */
u64 msr_arch_capabilities(void)
{
	u64 cap = 0;

	if (boot_cpu_has(X86_FEATURE_ARCH_CAPABILITIES))
		rdmsrq(MSR_IA32_ARCH_CAPABILITIES, cap);
	cap &= ARCH_CAP_OFFERED;
	if (!boot_cpu_has_bug(X86_BUG_CPU_MELTDOWN))
		cap |= ARCH_CAP_RDCL_NO;
	if (!boot_cpu_has_bug(X86_BUG_SPEC_STORE_BYPASS))
		cap |= ARCH_CAP_SSB_NO;
	if (!boot_cpu_has_bug(X86_BUG_MDS))
		cap |= ARCH_CAP_MDS_NO;
	if (!boot_cpu_has_bug(X86_BUG_L1TF))
		cap |= ARCH_CAP_SKIP_VMENTRY_L1DFLUSH;
	if (!boot_cpu_has_bug(X86_BUG_ITLB_MULTIHIT))
		cap |= ARCH_CAP_PSCHANGE_MC_NO;
	if (!boot_cpu_has(X86_FEATURE_RTM))
		cap &= ~(u64)ARCH_CAP_TAA_NO;
	else if (!boot_cpu_has_bug(X86_BUG_TAA))
		cap |= ARCH_CAP_TAA_NO;
	return cap;
}

int msr_feature_get(u32 index, u64 *val)
{
	*val = 0;
	switch (index) {
	case MSR_IA32_UCODE_REV:
		return rdmsrq_safe(index, val) ? 1 : 0;
	case MSR_IA32_ARCH_CAPABILITIES:
		*val = msr_arch_capabilities();
		return 0;
	case MSR_IA32_PERF_CAPABILITIES:	/* of a PMU that is not there */
		return 0;
	case MSR_AMD64_DE_CFG:
		*val = msr_de_cfg_supported();
		return 0;
	default:
		return vendor_call(get_msr_feature)(index, val);
	}
}
