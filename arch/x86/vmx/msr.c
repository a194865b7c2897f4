// SPDX-License-Identifier: GPL-2.0-only
/* MSRs that only VT-x knows, and those that the guest may use without an exit after the first. */
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

/*
 * A first write of SPEC_CTRL or PRED_CMD says that this guest uses them, at every system call or
 * context switch of its own: no more exits for them.
 */
static void note_use(struct vmx_vcpu *vmx, u32 index)
{
	if (index == MSR_IA32_SPEC_CTRL && !vmx->spec_pass && vmx->x.msr.spec_ctrl &&
	    vmx_caps.spec_ctrl) {
		vmx->spec_pass = true;
		vmx->entry.spec.save = 1;
		vmx_update_intercepts(&vmx->x);
	} else if (index == MSR_IA32_PRED_CMD && !vmx->ibpb_pass &&
		   guest_has(&vmx->x, X86_FEATURE_SPEC_CTRL) && boot_cpu_has(X86_FEATURE_IBPB)) {
		vmx->ibpb_pass = true;
		vmx_update_intercepts(&vmx->x);
	}
}

verdict_t vmx_exit_wrmsr(struct x86_vcpu *vcpu)
{
	u32 index = vcpu->regs.gpr[R_RCX];
	verdict_t v = keel_exit_wrmsr(vcpu);

	if (unlikely(index == MSR_IA32_SPEC_CTRL || index == MSR_IA32_PRED_CMD))
		note_use(to_vmx(vcpu), index);
	return v;
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
