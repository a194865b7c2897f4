// SPDX-License-Identifier: GPL-2.0-only
/* Around a guest entry: what has to be in place before it and is picked up after it. Interrupts off. */
#include <asm/msr-index.h>
#include <asm/perf_event.h>
#include <asm/special_insns.h>
#include <asm/trapnr.h>
#include "virt/compat/compat.h"
#include "virt/compat/compat_x86.h"
#include "virt/compat/host_event.h"
#include "arch/x86/vmx/vmx.h"

static_assert(offsetof(struct vmx_entry, host_rsp) == ENTRY_RSP);
static_assert(offsetof(struct vmx_entry, spec) == ENTRY_SPEC);
static_assert(offsetof(struct vmx_entry, launched) == ENTRY_LAUNCHED);
static_assert(FIELD_HOST_RSP == HOST_RSP);

#define VAPIC_TPR	0x80

/* ---- before ---- */

/* Not by WRMSR: an NMI of the counters before the entry would turn on again what the guest must not have. */
static void prepare_perf_global(struct vmx_vcpu *vmx, const struct perf_guest_switch_msr *m)
{
	if (unlikely(vmx->perf_guest != m->guest)) {
		vmx->perf_guest = m->guest;
		vmcs_write(GUEST_IA32_PERF_GLOBAL_CTRL, m->guest);
	}
	if (unlikely(vmx->perf_host != m->host)) {
		vmx->perf_host = m->host;
		vmcs_write(HOST_IA32_PERF_GLOBAL_CTRL, m->host);
	}
}

/*
 * The host's precise sampling writes to addresses of the host, which a guest must not be
 * sampled with; the host says what has to differ meanwhile. Nothing does unless perf is at work.
 */
static void switch_perf(struct vmx_vcpu *vmx, bool to_guest)
{
	struct perf_guest_switch_msr *m;
	/* Where perf has no PMU it says nothing of the number. */
	int i, nr = 0;

	m = perf_guest_get_msrs(&nr, NULL);
	for (i = 0; i < nr; i++) {
		if (vmx_caps.perf_atomic && m[i].msr == MSR_CORE_PERF_GLOBAL_CTRL) {
			if (to_guest)
				prepare_perf_global(vmx, &m[i]);
		} else if (unlikely(m[i].host != m[i].guest)) {
			wrmsrq(m[i].msr, to_guest ? m[i].guest : m[i].host);
		}
	}
}

static void prepare_spec_ctrl(struct vmx_vcpu *vmx)
{
	vmx->entry.spec.guest = vmx->x.msr.spec_ctrl & vmx_caps.spec_ctrl_bits;
	vmx->entry.spec.host = spec_ctrl_current();
	vmx->entry.spec.save = vmx->x.msr.spec_pass;
}

/* With a virtual-APIC page CR8 is bits 7:4 of the TPR in it (SDM 3C 30.3). */
static void prepare_tpr(struct vmx_vcpu *vmx)
{
	u8 tpr = keel_get_cr8(&vmx->x) << 4;

	if (vmx->tpr == tpr)
		return;
	vmx->tpr = tpr;
	WRITE_ONCE(*(u32 *)(vmx->vapic + VAPIC_TPR), tpr);
}

/* RIP of a software event is that of its instruction; the length leads behind it (SDM 3C 27.2.1.3). */
static void prepare_soft(struct vmx_vcpu *vmx)
{
	u64 rip = vmx->x.regs.rip - vmx->soft_len;

	vmcs_write(GUEST_RIP, is_64bit_code(&vmx->x) ? rip : (u32)rip);
	vmx->soft_len = 0;
}

void vmx_prepare(struct x86_vcpu *vcpu)
{
	struct vmx_vcpu *vmx = to_vmx(vcpu);

	vmx_host_enter(vmx);
	vmx_tlb_prepare(vmx);
	if (unlikely(vmx->soft_len))
		prepare_soft(vmx);
	if (vmx->apicv)
		vmx_apicv_prepare(vmx);
	else if (vmx_caps.tpr_shadow)
		prepare_tpr(vmx);
	if (unlikely(vmx->pat != vcpu->msr.pat)) {
		vmx->pat = vcpu->msr.pat;
		vmcs_write(GUEST_IA32_PAT, vmx->pat);
	}
	if (unlikely(vcpu->debug.lent))
		set_debugreg(vmx->dr6, 6);
	if (vmx_caps.spec_ctrl)
		prepare_spec_ctrl(vmx);
	if (vmx_caps.perf)
		switch_perf(vmx, true);
	if (vmx_caps.timer)
		vmx_timer_prepare(vmx);
	vmx_mitigate_entry(vmx);
	vmx->entry.launched = vmx->vmcs.launched;
}

/* ---- the entry ---- */

/*
 * An NMI that ended the guest has blocked further ones: the host handles it now, and its IRET lets them in.
 * Part of noinstr code, hence no counters (KEEL_GCOV).
 */
static __always_inline __no_profile void exit_intr_info(struct vmx_vcpu *vmx)
{
	bool ok;

	vmx->exit_intr = vmcs_read_raw(VM_EXIT_INTR_INFO, &ok);
	if ((vmx->exit_intr & (INTR_INFO_VALID_MASK | INTR_INFO_INTR_TYPE_MASK)) ==
	    (INTR_INFO_VALID_MASK | INTR_TYPE_NMI_INTR))
		keel_host_nmi();
}

noinstr void vmx_enter(struct x86_vcpu *vcpu)
{
	struct vmx_vcpu *vmx = to_vmx(vcpu);
	bool ok;

	if (vmx->cr2 != native_read_cr2())
		native_write_cr2(vmx->cr2);
	vmx->vmenter = vmx_vmenter(vcpu->regs.gpr, &vmx->entry);
	vmx->cr2 = native_read_cr2();
	if (unlikely(vmx->vmenter != VMENTER_EXITED))
		return;
	vmx->exit_reason = vmcs_read_raw(VM_EXIT_REASON, &ok);
	/* Bits between the reason and "entry failed" tell of circumstances (SDM 3C 25.9.1). */
	if ((vmx->exit_reason & (VMX_EXIT_REASONS_FAILED_VMENTRY | 0xffff)) == EXIT_REASON_EXCEPTION_NMI)
		exit_intr_info(vmx);
}

/* ---- after ---- */

static void exited_spec_ctrl(struct vmx_vcpu *vmx)
{
	if (vmx->x.msr.spec_pass)
		vmx->x.msr.spec_ctrl = vmx->entry.spec.guest;
}

/* The event that was to be injected stays with event.c of the generic side: it decides again. */
static void entry_failed(struct vmx_vcpu *vmx)
{
	struct x86_vcpu *vcpu = &vmx->x;

	vcpu->exit.reason = 0xffffffff;
	vcpu->exit.entry_failed = true;
	vcpu->ev.check = true;
}

void vmx_exited(struct x86_vcpu *vcpu)
{
	struct vmx_vcpu *vmx = to_vmx(vcpu);
	struct x86_exit *e = &vcpu->exit;
	u8 has;

	vmx->intr_state_known = false;
	if (vmx_caps.perf)
		switch_perf(vmx, false);
	if (vmx_caps.spec_ctrl)
		exited_spec_ctrl(vmx);
	/* The next entry may come before the registers are taken back. */
	if (unlikely(vcpu->debug.lent))
		get_debugreg(vmx->dr6, 6);
	if (unlikely(vmx->host.debugctl))
		wrmsrq(MSR_IA32_DEBUGCTLMSR, vmx->host.debugctl);

	if (unlikely(vmx->vmenter != VMENTER_EXITED ||
		     vmx->exit_reason & VMX_EXIT_REASONS_FAILED_VMENTRY)) {
		entry_failed(vmx);
		return;
	}
	vmx->vmcs.launched = 1;
	e->entry_failed = false;
	e->reason = vmx->exit_reason & 0xffff;
	has = vmx_exit_has(e->reason);
	if (has & EXIT_QUAL)
		e->info1 = vmcs_read(EXIT_QUALIFICATION);
	if (has & EXIT_LEN)
		e->insn_len = vmcs_read32(VM_EXIT_INSTRUCTION_LEN);
	vmx->vectoring = has & EXIT_EVENT ? vmcs_read32(IDT_VECTORING_INFO_FIELD) : 0;
	vcpu->regs.rip = vmcs_read(GUEST_RIP);
	if (unlikely(vmx->ctl[VC_CPU2] & SECONDARY_EXEC_ENABLE_PML))
		vmx_pml_empty(vmx);
	/* EFER cannot change without an exit, and the guest's PG is ours. */
	vcpu->known |= ST_RIP | ST_EFER;
	if (vcpu->ev.armed || vmx->vectoring & VECTORING_INFO_VALID_MASK)
		vmx_events_exited(vmx);
	if (vmx->apicv) {
		vmx_apicv_exited(vmx);
	} else if (vmx_caps.tpr_shadow) {
		u8 tpr = READ_ONCE(vmx->vapic[VAPIC_TPR]);

		if (tpr != vmx->tpr) {
			vmx->tpr = tpr;
			keel_set_cr8(vcpu, tpr >> 4);
		}
	}
}

/* WRMSR of x2APIC commands and the TSC deadline, and what the deadline has asked for. */
bool vmx_fast_exit(struct x86_vcpu *vcpu)
{
	switch (vcpu->exit.reason) {
	case EXIT_REASON_MSR_WRITE:
		return keel_fast_wrmsr(vcpu);
	case EXIT_REASON_PREEMPTION_TIMER:
		keel_guest_timer(vcpu);
		return true;
	default:
		return false;
	}
}

/* The exit acknowledges the interrupt only where posted interrupts are in use. Without VMX nothing is valid. */
static void host_interrupt(void)
{
	u32 info = vmcs_read32(VM_EXIT_INTR_INFO);

	if (info & INTR_INFO_VALID_MASK)
		keel_host_interrupt(info & INTR_INFO_VECTOR_MASK);
}

/*
 * An interrupt that ended the guest is still pending, as a rule; an NMI was handled right behind the exit. A
 * machine check is different: the exit consumed it.
 */
void vmx_host_events(struct x86_vcpu *vcpu)
{
	struct vmx_vcpu *vmx = to_vmx(vcpu);
	u32 reason = vmx->exit_reason & 0xffff;

	if (unlikely(vmx->vmenter != VMENTER_EXITED))
		return;
	if (unlikely(reason == EXIT_REASON_MCE_DURING_VMENTRY ||
		     (reason == EXIT_REASON_EXCEPTION_NMI &&
		      (vmx->exit_intr & (INTR_INFO_VALID_MASK | INTR_INFO_INTR_TYPE_MASK |
					 INTR_INFO_VECTOR_MASK)) ==
		      (INTR_INFO_VALID_MASK | INTR_TYPE_HARD_EXCEPTION | X86_TRAP_MC))))
		keel_host_machine_check();
	else if (vmx_caps.posted && reason == EXIT_REASON_EXTERNAL_INTERRUPT)
		host_interrupt();
}
