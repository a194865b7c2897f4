// SPDX-License-Identifier: GPL-2.0-only
/* MSRs that are registers of the CPU: TSC, EFER, the system call MSRs, segment bases, PAT, XSS. */
#include <asm/msr-index.h>
#include "virt/compat/compat.h"
#include "arch/x86/x86.h"
#include "arch/x86/msr_table.h"

/* Canonical for the widest linear addresses of this guest: bases do not follow CR4.LA57. */
static bool canonical(struct x86_vcpu *vcpu, u64 addr)
{
	unsigned int shift = 64 - vcpu->cpuid.vaddr_bits;

	return (u64)((s64)(addr << shift) >> shift) == addr;
}

int msr_tsc_get(struct x86_vcpu *vcpu, const struct msr_row *row, u32 index, u64 *val, bool host)
{
	*val = guest_tsc_now(vcpu);
	return 0;
}

int msr_tsc_set(struct x86_vcpu *vcpu, const struct msr_row *row, u32 index, u64 val, bool host)
{
	tsc_write(vcpu, val, host);
	return 0;
}

int msr_tsc_adjust_get(struct x86_vcpu *vcpu, const struct msr_row *row, u32 index, u64 *val,
		       bool host)
{
	*val = vcpu->tsc.adjust;
	return !host && !guest_has(vcpu, X86_FEATURE_TSC_ADJUST);
}

int msr_tsc_adjust_set(struct x86_vcpu *vcpu, const struct msr_row *row, u32 index, u64 val,
		       bool host)
{
	if (!host && !guest_has(vcpu, X86_FEATURE_TSC_ADJUST))
		return 1;
	tsc_adjust_write(vcpu, val, host);
	return 0;
}

int msr_apic_base_get(struct x86_vcpu *vcpu, const struct msr_row *row, u32 index, u64 *val,
		      bool host)
{
	*val = irqchip_apic_base(vcpu);
	return 0;
}

int msr_apic_base_set(struct x86_vcpu *vcpu, const struct msr_row *row, u32 index, u64 val,
		      bool host)
{
	return irqchip_set_apic_base(vcpu, val, host);
}

int msr_efer_get(struct x86_vcpu *vcpu, const struct msr_row *row, u32 index, u64 *val, bool host)
{
	*val = st_read(vcpu, ST_EFER)->efer;
	return 0;
}

int msr_efer_set(struct x86_vcpu *vcpu, const struct msr_row *row, u32 index, u64 val, bool host)
{
	return keel_set_efer(vcpu, val, host);
}

int msr_syscall_get(struct x86_vcpu *vcpu, const struct msr_row *row, u32 index, u64 *val,
		    bool host)
{
	const struct x86_regs *r = st_read(vcpu, ST_SYSCALL);

	switch (index) {
	case MSR_IA32_SYSENTER_CS:
		*val = r->sysenter_cs;
		break;
	case MSR_IA32_SYSENTER_ESP:
		*val = r->sysenter_esp;
		break;
	case MSR_IA32_SYSENTER_EIP:
		*val = r->sysenter_eip;
		break;
	case MSR_STAR:
		*val = r->star;
		break;
	case MSR_LSTAR:
		*val = r->lstar;
		break;
	case MSR_CSTAR:
		*val = r->cstar;
		break;
	case MSR_SYSCALL_MASK:
		*val = r->sfmask;
		break;
	case MSR_KERNEL_GS_BASE:
		*val = r->kernel_gs_base;
		break;
	default:
		return 1;
	}
	return 0;
}

/* The hardware would fault on a non-canonical value when it loads it, in the host (CVE-2014-3610). */
int msr_syscall_set(struct x86_vcpu *vcpu, const struct msr_row *row, u32 index, u64 val, bool host)
{
	struct x86_regs *r = st_write(vcpu, ST_SYSCALL);

	switch (index) {
	case MSR_IA32_SYSENTER_CS:
		r->sysenter_cs = val;
		return 0;
	case MSR_STAR:
		r->star = val;
		return 0;
	case MSR_SYSCALL_MASK:
		r->sfmask = val;
		return 0;
	default:
		break;
	}
	if (!canonical(vcpu, val))
		return 1;
	switch (index) {
	case MSR_IA32_SYSENTER_ESP:
		r->sysenter_esp = val;
		break;
	case MSR_IA32_SYSENTER_EIP:
		r->sysenter_eip = val;
		break;
	case MSR_LSTAR:
		r->lstar = val;
		break;
	case MSR_CSTAR:
		r->cstar = val;
		break;
	case MSR_KERNEL_GS_BASE:
		r->kernel_gs_base = val;
		break;
	default:
		return 1;
	}
	return 0;
}

int msr_seg_base_get(struct x86_vcpu *vcpu, const struct msr_row *row, u32 index, u64 *val,
		     bool host)
{
	*val = st_read(vcpu, ST_SEG)->seg[index == MSR_FS_BASE ? S_FS : S_GS].base;
	return 0;
}

int msr_seg_base_set(struct x86_vcpu *vcpu, const struct msr_row *row, u32 index, u64 val,
		     bool host)
{
	if (!canonical(vcpu, val))
		return 1;
	st_write(vcpu, ST_SEG)->seg[index == MSR_FS_BASE ? S_FS : S_GS].base = val;
	return 0;
}

bool msr_has_tsc_aux(void)
{
	return keel_cpu_has(X86_FEATURE_RDTSCP) || keel_cpu_has(X86_FEATURE_RDPID);
}

int msr_tsc_aux_set(struct x86_vcpu *vcpu, const struct msr_row *row, u32 index, u64 val, bool host)
{
	if (!msr_has_tsc_aux() || (!host && !guest_has(vcpu, X86_FEATURE_RDTSCP) &&
			       !guest_has(vcpu, X86_FEATURE_RDPID)))
		return 1;
	return msr_field_set(vcpu, row, index, val, host);
}

int msr_pat_set(struct x86_vcpu *vcpu, const struct msr_row *row, u32 index, u64 val, bool host)
{
	if (!pat_valid(val))
		return 1;
	vcpu->msr.pat = val;
	return 0;
}

int msr_xss_get(struct x86_vcpu *vcpu, const struct msr_row *row, u32 index, u64 *val, bool host)
{
	*val = vcpu->fpu.xss;
	return !host && !guest_has(vcpu, X86_FEATURE_XSAVES);
}

int msr_xss_row_set(struct x86_vcpu *vcpu, const struct msr_row *row, u32 index, u64 val, bool host)
{
	return xss_set(vcpu, val, host);
}

bool msr_has_xsaves(void)
{
	return keel_cpu_has(X86_FEATURE_XSAVES);
}
