// SPDX-License-Identifier: GPL-2.0-only
/* MSRs that only AMD-V knows. */
#include <asm/msr-index.h>
#include "virt/compat/compat.h"
#include "virt/compat/compat_x86.h"
#include "arch/x86/svm/svm.h"

#define VM_CR_LOCK	BIT_ULL(3)
#define VM_CR_SVMDIS	BIT_ULL(4)

static bool offers_virt_ssbd(struct x86_vcpu *vcpu, bool host)
{
	return svm_caps.virt_ssbd && (host || guest_has(vcpu, X86_FEATURE_VIRT_SSBD));
}

int svm_get_msr(struct x86_vcpu *vcpu, u32 index, u64 *val)
{
	*val = 0;
	switch (index) {
	case MSR_VM_CR:
		/* As a firmware that switched SVM off for good. */
		*val = VM_CR_SVMDIS | VM_CR_LOCK;
		return 0;
	case MSR_VM_HSAVE_PA:
	case MSR_IA32_LASTBRANCHFROMIP:
	case MSR_IA32_LASTBRANCHTOIP:
	case MSR_IA32_LASTINTFROMIP:
	case MSR_IA32_LASTINTTOIP:
		return 0;
	case MSR_AMD64_VIRT_SPEC_CTRL:
		if (!offers_virt_ssbd(vcpu, true))
			return 1;
		*val = to_svm(vcpu)->virt_spec_ctrl;
		return 0;
	default:
		return 1;
	}
}

int svm_set_msr(struct x86_vcpu *vcpu, u32 index, u64 val, bool host)
{
	switch (index) {
	case MSR_VM_CR:
		return host ? val != (VM_CR_SVMDIS | VM_CR_LOCK) : 1;
	case MSR_VM_HSAVE_PA:
		return val != 0;
	case MSR_AMD64_VIRT_SPEC_CTRL:
		if (!offers_virt_ssbd(vcpu, host) || val & ~(u64)SPEC_CTRL_SSBD)
			return 1;
		to_svm(vcpu)->virt_spec_ctrl = val;
		return 0;
	default:
		return 1;
	}
}

bool svm_has_msr(u32 index)
{
	switch (index) {
	case MSR_VM_CR:
	case MSR_VM_HSAVE_PA:
		return true;
	case MSR_AMD64_VIRT_SPEC_CTRL:
		return svm_caps.virt_ssbd;
	default:
		return false;
	}
}

int svm_get_msr_feature(u32 index, u64 *val)
{
	return 1;
}

/* No guest gets SVM yet. Of SSBD by way of LS_CFG it sees a virtual MSR. */
void svm_adjust_caps(void)
{
	cpuid_cap_set(X86_FEATURE_SVM, false);
	if (svm_caps.virt_ssbd)
		cpuid_cap_set(X86_FEATURE_VIRT_SSBD, true);
}
