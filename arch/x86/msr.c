// SPDX-License-Identifier: GPL-2.0-only
/* Reading and writing MSRs: from the guest, through the filter, and from userspace. */
#include <linux/moduleparam.h>
#include <linux/slab.h>
#include <asm/msr-index.h>
#include "virt/compat/compat.h"
#include "arch/x86/x86.h"
#include "arch/x86/msr_table.h"
#include "arch/x86/trace.h"

#define X2APIC_FIRST	0x800
#define X2APIC_LAST	0x8ff

static bool ignore_msrs;
module_param(ignore_msrs, bool, 0644);
MODULE_PARM_DESC(ignore_msrs, "Unknown MSRs read 0 and ignore writes instead of #GP");

static bool report_ignored_msrs = true;
module_param(report_ignored_msrs, bool, 0644);
MODULE_PARM_DESC(report_ignored_msrs, "Log each MSR access that ignore_msrs let pass");

static bool is_apic_msr(u32 index)
{
	return (index >= X2APIC_FIRST && index <= X2APIC_LAST) || index == MSR_IA32_TSC_DEADLINE;
}

static int unknown_msr(u32 index, bool write, u64 val)
{
	if (!ignore_msrs)
		return MSR_UNKNOWN;
	if (report_ignored_msrs)
		pr_info_ratelimited("kvm: ignored %s: %#x data %#llx\n",
				    write ? "wrmsr" : "rdmsr", index, val);
	return 0;
}

int msr_read(struct x86_vcpu *vcpu, u32 index, u64 *val, bool host)
{
	const struct msr_row *row;

	*val = 0;
	if (is_apic_msr(index))
		return irqchip_msr_read(vcpu, index, val, host);
	row = msr_find(index);
	if (row)
		return row->get ? row->get(vcpu, row, index, val, host) : 0;
	if (!vendor_call(get_msr)(vcpu, index, val))
		return 0;
	*val = 0;
	return vendor_call(has_msr)(index) ? 1 : unknown_msr(index, false, 0);
}

int msr_write(struct x86_vcpu *vcpu, u32 index, u64 val, bool host)
{
	const struct msr_row *row;

	if (is_apic_msr(index))
		return irqchip_msr_write(vcpu, index, val, host);
	row = msr_find(index);
	if (row)
		return row->set ? row->set(vcpu, row, index, val, host) : 0;
	if (!vendor_call(set_msr)(vcpu, index, val, host))
		return 0;
	return vendor_call(has_msr)(index) ? 1 : unknown_msr(index, true, val);
}

int msr_guest_read(struct x86_vcpu *vcpu, u32 index, u64 *val)
{
	if (unlikely(msr_filtered(vcpu)) && !msr_allowed(vcpu, index, KVM_MSR_FILTER_READ))
		return MSR_FILTERED;
	return msr_read(vcpu, index, val, false);
}

int msr_guest_write(struct x86_vcpu *vcpu, u32 index, u64 val)
{
	if (unlikely(msr_filtered(vcpu)) && !msr_allowed(vcpu, index, KVM_MSR_FILTER_WRITE))
		return MSR_FILTERED;
	return msr_write(vcpu, index, val, false);
}

bool msr_fast_write(struct x86_vcpu *vcpu, u32 index, u64 val)
{
	if (!is_apic_msr(index) || unlikely(msr_filtered(vcpu)))
		return false;
	return irqchip_fast_msr_write(vcpu, index, val);
}

/* ---- exits to userspace ---- */

/* Userspace has answered; the instruction ends. Its answer is read once. */
static verdict_t complete_exit(struct x86_vcpu *vcpu, bool write)
{
	struct kvm_run *run = vcpu->v.run;
	u64 val = READ_ONCE(run->msr.data);
	verdict_t v;

	/* The registers were replaced meanwhile: there is nothing to end. */
	if (st_read(vcpu, ST_RIP)->rip != vcpu->msr.exit_rip)
		return VERDICT_RESUME;
	if (READ_ONCE(run->msr.error)) {
		keel_raise_gp(vcpu);
		return VERDICT_RESUME;
	}
	if (!write) {
		vcpu->regs.gpr[R_RAX] = (u32)val;
		vcpu->regs.gpr[R_RDX] = val >> 32;
	}
	keel_skip_insn(vcpu, &v);
	return v;
}

static verdict_t complete_read(struct x86_vcpu *vcpu)
{
	return complete_exit(vcpu, false);
}

static verdict_t complete_write(struct x86_vcpu *vcpu)
{
	return complete_exit(vcpu, true);
}

static u32 exit_reason_of(int ret)
{
	switch (ret) {
	case MSR_FILTERED:
		return KVM_MSR_EXIT_REASON_FILTER;
	case MSR_UNKNOWN:
		return KVM_MSR_EXIT_REASON_UNKNOWN;
	default:
		return KVM_MSR_EXIT_REASON_INVAL;
	}
}

verdict_t msr_access_failed(struct x86_vcpu *vcpu, u32 index, u64 val, bool write, int ret)
{
	u32 reason = exit_reason_of(ret);
	struct kvm_run *run = vcpu->v.run;

	trace_kvm_msr(write, index, val, true);
	if (!(READ_ONCE(vcpu_vm(vcpu)->user_msr_mask) & reason)) {
		keel_raise_gp(vcpu);
		return VERDICT_RESUME;
	}
	run->exit_reason = write ? KVM_EXIT_X86_WRMSR : KVM_EXIT_X86_RDMSR;
	run->msr.error = 0;
	memset(run->msr.pad, 0, sizeof(run->msr.pad));
	run->msr.reason = reason;
	run->msr.index = index;
	run->msr.data = write ? val : 0;
	vcpu->msr.exit_rip = st_read(vcpu, ST_RIP)->rip;
	vcpu->complete = write ? complete_write : complete_read;
	return VERDICT_USER;
}

/* ---- lifetimes ---- */

#define PAT_RESET	0x0007040600070406ull	/* SDM 3 12.12.4 */
#define UCODE_REV	0x101000065ull	/* a revision in each half: guests read one or the other */

int msr_vcpu_init(struct x86_vcpu *vcpu)
{
	struct vcpu_msrs *m = &vcpu->msr;

	m->mce = kcalloc(MCE_BANKS, 4 * sizeof(u64), GFP_KERNEL_ACCOUNT);
	if (!m->mce)
		return -ENOMEM;
	m->mcg_cap = MCE_BANKS;
	m->arch_capabilities = msr_arch_capabilities();
	m->platform_info = BIT_ULL(31);
	m->ucode_rev = UCODE_REV;
	m->de_cfg = msr_de_cfg_supported();
	return 0;
}

void msr_vcpu_destroy(struct x86_vcpu *vcpu)
{
	kfree(vcpu->msr.mce);
	vcpu->msr.mce = NULL;
}

void msr_vcpu_reset(struct x86_vcpu *vcpu, bool init)
{
	struct vcpu_msrs *m = &vcpu->msr;

	/* INIT keeps MTRRs, PAT and machine checks (SDM 3 table 9-1). */
	m->spec_ctrl = 0;
	m->misc_features = 0;
	m->debugctl = 0;
	m->async_pf = 0;
	m->pv_eoi = 0;
	if (init)
		return;
	m->pat = PAT_RESET;
	m->misc_enable = MSR_IA32_MISC_ENABLE_FAST_STRING | MSR_IA32_MISC_ENABLE_BTS_UNAVAIL |
			 MSR_IA32_MISC_ENABLE_PEBS_UNAVAIL;
	m->tsc_aux = 0;
	m->spec_pass = false;
	m->ibpb_pass = false;
}
