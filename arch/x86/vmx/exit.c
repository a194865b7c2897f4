// SPDX-License-Identifier: GPL-2.0-only
/*
 * An exit is a row: which data it comes with, and what turns them into the arguments of a generic handler
 * (SDM 3D appendix C). Every reason that a guest can cause by itself has one (CVE-2014-3645, -3646); what
 * is not in the table was not asked for by any control.
 */
#include <linux/kernel.h>
#include <linux/nospec.h>
#include "virt/compat/compat.h"
#include "virt/compat/virt_ownership.h"
#include "arch/x86/vmx/vmx.h"

/* Reasons that <asm/vmx.h> of older kernels has no names for. */
#define REASON_GETSEC		11
#define REASON_RSM		17
#define REASON_LOADIWKEY	69
#define REASON_SEAMCALL		76
#define REASON_TDCALL		77
#define REASON_RDMSR_IMM	84
#define REASON_WRMSRNS_IMM	85

struct exit_row {
	verdict_t	(*fn)(struct x86_vcpu *vcpu);
	u8		has;	/* EXIT_* */
};

/* The host has dealt with it, or does so when interrupts come on. */
static verdict_t exit_nothing(struct x86_vcpu *vcpu)
{
	return VERDICT_RESUME;
}

static verdict_t exit_io(struct x86_vcpu *vcpu)
{
	u64 q = vcpu->exit.info1;	/* SDM 3C table 28-5 */
	struct x86_io io = {
		.port	= q >> 16,
		.size	= (q & 7) + 1,
		.in	= q & BIT(3),
		.string	= q & BIT(4),
		.rep	= q & BIT(5),
	};

	return keel_exit_io(vcpu, &io);
}

static verdict_t exit_invlpg(struct x86_vcpu *vcpu)
{
	return keel_exit_invlpg(vcpu, vcpu->exit.info1);
}

/* A lock holder may have been scheduled out; the longer that lasts the wider the window. */
static verdict_t exit_pause(struct x86_vcpu *vcpu)
{
	struct vmx_vcpu *vmx = to_vmx(vcpu);

	if (vmx_caps.ple && vmx_ple_grow > 1 && vmx->ple_window < vmx_ple_max) {
		vmx->ple_window = min_t(u64, (u64)vmx->ple_window * vmx_ple_grow, vmx_ple_max);
		vmcs_write(PLE_WINDOW, vmx->ple_window);
	}
	return keel_exit_pause(vcpu);
}

static const struct exit_row rows[] = {
	[EXIT_REASON_EXCEPTION_NMI]	= { vmx_exit_exception, EXIT_QUAL | EXIT_EVENT },
	[EXIT_REASON_EXTERNAL_INTERRUPT] = { exit_nothing },
	[EXIT_REASON_TRIPLE_FAULT]	= { keel_exit_shutdown },
	[EXIT_REASON_INIT_SIGNAL]	= { keel_exit_init },
	[EXIT_REASON_SIPI_SIGNAL]	= { keel_exit_init },
	[EXIT_REASON_INTERRUPT_WINDOW]	= { vmx_exit_irq_window },
	[EXIT_REASON_NMI_WINDOW]	= { vmx_exit_nmi_window },
	[EXIT_REASON_MONITOR_TRAP_FLAG]	= { vmx_exit_nmi_window },
	[EXIT_REASON_TASK_SWITCH]	= { vmx_exit_task_switch, EXIT_QUAL | EXIT_LEN | EXIT_EVENT },
	[EXIT_REASON_CPUID]		= { keel_exit_cpuid, EXIT_LEN },
	[REASON_GETSEC]			= { keel_exit_ud, EXIT_LEN },
	[EXIT_REASON_HLT]		= { keel_exit_hlt, EXIT_LEN },
	[EXIT_REASON_INVD]		= { keel_exit_wbinvd, EXIT_LEN },
	[EXIT_REASON_INVLPG]		= { exit_invlpg, EXIT_QUAL | EXIT_LEN },
	[EXIT_REASON_RDPMC]		= { keel_exit_rdpmc, EXIT_LEN },
	[EXIT_REASON_RDTSC]		= { keel_exit_rdtsc, EXIT_LEN },
	[REASON_RSM]			= { keel_exit_emulate, EXIT_LEN },
	[EXIT_REASON_VMCALL]		= { keel_exit_hypercall, EXIT_LEN },
	[EXIT_REASON_VMCLEAR]		= { keel_exit_ud },
	[EXIT_REASON_VMLAUNCH]		= { keel_exit_ud },
	[EXIT_REASON_VMPTRLD]		= { keel_exit_ud },
	[EXIT_REASON_VMPTRST]		= { keel_exit_ud },
	[EXIT_REASON_VMREAD]		= { keel_exit_ud },
	[EXIT_REASON_VMRESUME]		= { keel_exit_ud },
	[EXIT_REASON_VMWRITE]		= { keel_exit_ud },
	[EXIT_REASON_VMOFF]		= { keel_exit_ud },
	[EXIT_REASON_VMON]		= { keel_exit_ud },
	[EXIT_REASON_CR_ACCESS]		= { vmx_exit_cr, EXIT_QUAL | EXIT_LEN },
	[EXIT_REASON_DR_ACCESS]		= { vmx_exit_dr, EXIT_QUAL | EXIT_LEN },
	[EXIT_REASON_IO_INSTRUCTION]	= { exit_io, EXIT_QUAL | EXIT_LEN },
	[EXIT_REASON_MSR_READ]		= { keel_exit_rdmsr, EXIT_LEN },
	[EXIT_REASON_MSR_WRITE]		= { keel_exit_wrmsr, EXIT_LEN },
	[EXIT_REASON_MWAIT_INSTRUCTION]	= { keel_exit_monitor, EXIT_LEN },
	[EXIT_REASON_MONITOR_INSTRUCTION] = { keel_exit_monitor, EXIT_LEN },
	[EXIT_REASON_PAUSE_INSTRUCTION]	= { exit_pause, EXIT_LEN },
	[EXIT_REASON_MCE_DURING_VMENTRY] = { exit_nothing },
	[EXIT_REASON_TPR_BELOW_THRESHOLD] = { keel_exit_irq_window },
	[EXIT_REASON_APIC_ACCESS]	= { vmx_exit_apic_access, EXIT_QUAL | EXIT_EVENT },
	[EXIT_REASON_EOI_INDUCED]	= { vmx_exit_eoi, EXIT_QUAL },
	[EXIT_REASON_EPT_VIOLATION]	= { vmx_exit_ept_violation, EXIT_QUAL | EXIT_EVENT },
	[EXIT_REASON_EPT_MISCONFIG]	= { keel_exit_unknown, EXIT_EVENT },
	[EXIT_REASON_INVEPT]		= { keel_exit_ud },
	[EXIT_REASON_RDTSCP]		= { keel_exit_rdtscp, EXIT_LEN },
	[EXIT_REASON_PREEMPTION_TIMER]	= { exit_nothing },
	[EXIT_REASON_INVVPID]		= { keel_exit_ud },
	[EXIT_REASON_WBINVD]		= { keel_exit_wbinvd, EXIT_LEN },
	[EXIT_REASON_XSETBV]		= { keel_exit_xsetbv, EXIT_LEN },
	[EXIT_REASON_RDRAND]		= { keel_exit_ud },
	[EXIT_REASON_INVPCID]		= { keel_exit_ud },
	[EXIT_REASON_VMFUNC]		= { keel_exit_ud },
	[EXIT_REASON_ENCLS]		= { keel_exit_ud },
	[EXIT_REASON_RDSEED]		= { keel_exit_ud },
	[EXIT_REASON_APIC_WRITE]	= { vmx_exit_apic_write, EXIT_QUAL },
	[EXIT_REASON_PML_FULL]		= { vmx_exit_pml_full, EXIT_QUAL | EXIT_EVENT },
	[EXIT_REASON_XSAVES]		= { keel_exit_ud },
	[EXIT_REASON_XRSTORS]		= { keel_exit_ud },
	[EXIT_REASON_UMWAIT]		= { keel_exit_ud },
	[EXIT_REASON_TPAUSE]		= { keel_exit_ud },
	[REASON_LOADIWKEY]		= { keel_exit_ud },
	[REASON_SEAMCALL]		= { keel_exit_ud },
	[REASON_TDCALL]			= { keel_exit_ud },
	[REASON_RDMSR_IMM]		= { keel_exit_ud },
	[REASON_WRMSRNS_IMM]		= { keel_exit_ud },
};

u8 vmx_exit_has(u32 reason)
{
	/* Of the unknown all may be of interest. */
	if (unlikely(reason >= ARRAY_SIZE(rows)))
		return EXIT_QUAL | EXIT_EVENT;
	return rows[array_index_nospec(reason, ARRAY_SIZE(rows))].has;
}

/*
 * VMfail leaves an error number, a failure while loading the guest's state an exit reason with bit 31. A machine check
 * is not the guest's fault.
 */
static verdict_t exit_entry_failed(struct x86_vcpu *vcpu)
{
	struct vmx_vcpu *vmx = to_vmx(vcpu);

	if (keel_virt_is_rebooting() || vmx->vmenter == VMENTER_NO_VMX)
		return -EIO;
	if (vmx->vmenter == VMENTER_FAILED)
		return keel_exit_entry_failed(vcpu, vmcs_read32(VM_INSTRUCTION_ERROR));
	if ((vmx->exit_reason & 0xffff) == EXIT_REASON_MCE_DURING_VMENTRY)
		return VERDICT_RESUME;
	return keel_exit_entry_failed(vcpu, vmx->exit_reason);
}

verdict_t vmx_handle_exit(struct x86_vcpu *vcpu)
{
	u32 reason = vcpu->exit.reason;
	const struct exit_row *row;

	/* The most frequent ones need no indirect call. What reads memory of others brings it into L1. */
	switch (reason) {
	case EXIT_REASON_EPT_VIOLATION:
		to_vmx(vcpu)->l1d_dirty = true;
		return vmx_exit_ept_violation(vcpu);
	case EXIT_REASON_MSR_WRITE:
		return keel_exit_wrmsr(vcpu);
	case EXIT_REASON_IO_INSTRUCTION:
		to_vmx(vcpu)->l1d_dirty = true;
		return exit_io(vcpu);
	case EXIT_REASON_HLT:
		return keel_exit_hlt(vcpu);
	case EXIT_REASON_CPUID:
		return keel_exit_cpuid(vcpu);
	case EXIT_REASON_EXTERNAL_INTERRUPT:
		return VERDICT_RESUME;
	}
	if (unlikely(vcpu->exit.entry_failed))
		return exit_entry_failed(vcpu);
	to_vmx(vcpu)->l1d_dirty = true;
	if (unlikely(reason >= ARRAY_SIZE(rows)))
		return keel_exit_unknown(vcpu);
	row = &rows[array_index_nospec(reason, ARRAY_SIZE(rows))];
	return likely(row->fn) ? row->fn(vcpu) : keel_exit_unknown(vcpu);
}

/* The hardware gives none. */
int vmx_insn_bytes(struct x86_vcpu *vcpu, u8 buf[15])
{
	return 0;
}

void vmx_exit_info(struct x86_vcpu *vcpu, u64 *reason, u64 *info1, u64 *info2, u32 *intr,
		   u32 *err)
{
	struct vmx_vcpu *vmx = to_vmx(vcpu);

	*reason = vmx->exit_reason;
	*info1 = vmcs_read(EXIT_QUALIFICATION);
	*info2 = vmx->vectoring;
	*intr = vmcs_read32(VM_EXIT_INTR_INFO);
	*err = *intr & INTR_INFO_VALID_MASK && *intr & INTR_INFO_DELIVER_CODE_MASK ?
	       vmcs_read32(VM_EXIT_INTR_ERROR_CODE) : 0;
}
