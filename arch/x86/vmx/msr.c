// SPDX-License-Identifier: GPL-2.0-only
/* MSRs that only VT-x knows. */
#include <asm/msr-index.h>
#include "virt/compat/compat.h"
#include "virt/compat/compat_x86.h"
#include "arch/x86/vmx/vmx.h"

/* No guest gets VMX: none of its MSRs exists. */
int vmx_get_msr(struct x86_vcpu *vcpu, u32 index, u64 *val)
{
	return 1;
}

int vmx_set_msr(struct x86_vcpu *vcpu, u32 index, u64 val, bool host)
{
	return 1;
}

bool vmx_has_msr(u32 index)
{
	return false;
}

int vmx_get_msr_feature(u32 index, u64 *val)
{
	return 1;
}

/* Instructions that a control has to allow are no guest's where the control is missing. */
void vmx_adjust_caps(void)
{
	cpuid_cap_set(X86_FEATURE_VMX, false);
	if (!(vmx_caps.cpu2_may & SECONDARY_EXEC_ENABLE_RDTSCP)) {
		cpuid_cap_set(X86_FEATURE_RDTSCP, false);
		cpuid_cap_set(X86_FEATURE_RDPID, false);
	}
	if (!(vmx_caps.cpu2_may & SECONDARY_EXEC_ENABLE_INVPCID))
		cpuid_cap_set(X86_FEATURE_INVPCID, false);
	if (!(vmx_caps.cpu2_may & VMX_XSAVES))
		cpuid_cap_set(X86_FEATURE_XSAVES, false);
}
