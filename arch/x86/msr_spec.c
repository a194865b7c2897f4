// SPDX-License-Identifier: GPL-2.0-only
/* MSRs of speculation control. Unknown bits would fault in the host: features decide. */
#include <asm/msr-index.h>
#include <asm/nospec-branch.h>
#include "virt/compat/compat.h"
#include "virt/compat/compat_x86.h"
#include "arch/x86/x86.h"
#include "arch/x86/msr_table.h"

#define SPEC_IPRED_RRSBA	GENMASK_ULL(6, 3)
#define SPEC_PSFD		BIT_ULL(7)
#define SPEC_BHI_DIS_S		BIT_ULL(10)
#define PRED_SBPB		BIT_ULL(7)

/* The bits of SPEC_CTRL that go with features, as @has() tells. */
#define spec_ctrl_bits(has)								\
	((has(X86_FEATURE_SPEC_CTRL) || has(X86_FEATURE_AMD_IBRS) ? SPEC_CTRL_IBRS : 0) |	\
	 (has(X86_FEATURE_SPEC_CTRL) || has(X86_FEATURE_INTEL_STIBP) ||			\
	  has(X86_FEATURE_AMD_STIBP) ? SPEC_CTRL_STIBP : 0) |				\
	 (has(X86_FEATURE_SPEC_CTRL_SSBD) || has(X86_FEATURE_AMD_SSBD) ?			\
	  SPEC_CTRL_SSBD : 0) |								\
	 (has(CPUID_8000_0008_EBX * 32 + 28) || has(CPUID_W_7_2_EDX * 32 + 0) ?		\
	  SPEC_PSFD : 0) |								\
	 (has(CPUID_W_7_2_EDX * 32 + 1) || has(CPUID_W_7_2_EDX * 32 + 2) ?		\
	  SPEC_IPRED_RRSBA : 0) |							\
	 (has(CPUID_W_7_2_EDX * 32 + 4) ? SPEC_BHI_DIS_S : 0))

static u64 spec_ctrl_guest_bits(struct x86_vcpu *vcpu)
{
#define HAS(f)	guest_has(vcpu, f)
	return spec_ctrl_bits(HAS);
#undef HAS
}

static u64 spec_ctrl_host_bits(void)
{
	return spec_ctrl_bits(keel_cpu_has);
}

bool msr_has_spec_ctrl(void)
{
	return spec_ctrl_host_bits();
}

int msr_spec_ctrl_get(struct x86_vcpu *vcpu, const struct msr_row *row, u32 index, u64 *val,
		      bool host)
{
	*val = vcpu->msr.spec_ctrl;
	return host ? !msr_has_spec_ctrl() : !spec_ctrl_guest_bits(vcpu);
}

int msr_spec_ctrl_set(struct x86_vcpu *vcpu, const struct msr_row *row, u32 index, u64 val,
		      bool host)
{
	u64 may = host ? spec_ctrl_host_bits() : spec_ctrl_guest_bits(vcpu);

	if (!may || (val & ~may))
		return 1;
	vcpu->msr.spec_ctrl = val;
	return 0;
}

int msr_pred_cmd_set(struct x86_vcpu *vcpu, const struct msr_row *row, u32 index, u64 val,
		     bool host)
{
	u64 may = 0;

	if (keel_cpu_has(X86_FEATURE_SPEC_CTRL) || keel_cpu_has(X86_FEATURE_AMD_IBPB)) {
		if (host || guest_has(vcpu, X86_FEATURE_SPEC_CTRL) ||
		    guest_has(vcpu, X86_FEATURE_AMD_IBPB))
			may |= PRED_CMD_IBPB;
	}
	if (keel_cpu_has(CPUID_8000_0021_EAX * 32 + 27) &&
	    (host || guest_has(vcpu, CPUID_8000_0021_EAX * 32 + 27)))
		may |= PRED_SBPB;
	if (!may || (val & ~may))
		return 1;
	if (val && !host)
		wrmsrq(MSR_IA32_PRED_CMD, val);
	return 0;
}

/*
 * A first write says that this guest uses them, at every system call or context switch of its own: no
 * more exits. The barrier is a command, without state to switch.
 */
void msr_spec_written(struct x86_vcpu *vcpu, u32 index)
{
	struct vcpu_msrs *m = &vcpu->msr;

	if (index == MSR_IA32_SPEC_CTRL && !m->spec_pass && m->spec_ctrl)
		m->spec_pass = true;
	else if (index == MSR_IA32_PRED_CMD && !m->ibpb_pass && boot_cpu_has(X86_FEATURE_IBPB) &&
		 (guest_has(vcpu, X86_FEATURE_SPEC_CTRL) || guest_has(vcpu, X86_FEATURE_AMD_IBPB)))
		m->ibpb_pass = true;
	else
		return;
	vendor_call(update_intercepts)(vcpu);
}

int msr_flush_cmd_set(struct x86_vcpu *vcpu, const struct msr_row *row, u32 index, u64 val,
		      bool host)
{
	if (!keel_cpu_has(X86_FEATURE_FLUSH_L1D) || (val & ~(u64)L1D_FLUSH) ||
	    (!host && !guest_has(vcpu, X86_FEATURE_FLUSH_L1D)))
		return 1;
	if (val && !host)
		wrmsrq(MSR_IA32_FLUSH_CMD, val);
	return 0;
}

int msr_arch_cap_get(struct x86_vcpu *vcpu, const struct msr_row *row, u32 index, u64 *val,
		     bool host)
{
	*val = vcpu->msr.arch_capabilities;
	return !host && !guest_has(vcpu, X86_FEATURE_ARCH_CAPABILITIES);
}
