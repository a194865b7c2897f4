// SPDX-License-Identifier: GPL-2.0-only
/* Around a guest entry: what has to be in place before it and is picked up after it. Interrupts off. */
#include <asm/asm.h>
#include <asm/trapnr.h>
#include "virt/compat/compat.h"
#include "virt/compat/compat_x86.h"
#include "arch/x86/host_ldt.h"
#include "arch/x86/svm/svm.h"

static_assert(offsetof(struct svm_entry, vmcb_pa) == ENTRY_VMCB);
static_assert(offsetof(struct svm_entry, host_pa) == ENTRY_HOST);
static_assert(offsetof(struct svm_entry, spec) == ENTRY_SPEC);

/* ---- once per load: the host's part ---- */

/*
 * An ASID of this CPU that was ours some time ago may hold what was flushed elsewhere since, and the
 * CPU may hold a stale copy of the VMCB (APM 2 15.15.4). Here and not in load(), which may
 * interrupt a change of the clean bits.
 */
static void moved_cpu(struct svm_vcpu *svm)
{
	svm->asid_gen = 0;
	svm->vmcb->control.clean = 0;
	svm->last_cpu = smp_processor_id();
}

/* The vCPU was off the CPU: what pause exits have grown starts anew, or shrinks. */
static void shrink_pause_filter(struct svm_vcpu *svm)
{
	struct svm_vmcb_control *c = &svm->vmcb->control;
	u16 count = c->pause_filter_count;

	if (likely(!svm_caps.pause_filter || count <= svm_ple_count))
		return;
	count = svm_ple_shrink ? count / svm_ple_shrink : 0;
	c->pause_filter_count = max_t(u16, count, svm_ple_count);
	svm_touch(svm, CLEAN_INTERCEPTS);
}

/*
 * FS, GS, TR, LDTR, KERNEL_GS_BASE and the system-call MSRs as they are now: they stay so until this task
 * is scheduled out, but for the LDT. #UD if SVM was taken away meanwhile: then the entry fails too.
 */
static void save_host(struct svm_vcpu *svm)
{
	struct svm_cpu *cpu = this_cpu_ptr(&svm_cpu);

	if (svm->last_cpu != smp_processor_id())
		moved_cpu(svm);
	shrink_pause_filter(svm);
	asm volatile("1: vmsave %%rax\n"
		     "2:\n"
		     _ASM_EXTABLE(1b, 2b)
		     : : "a" (cpu->host_pa) : "memory");
	svm->host_had_ldt = keel_task_has_ldt();
	svm->entry.host_pa = cpu->host_pa;
	svm->tsc_aux = cpu->tsc_aux;
	if (svm_caps.tsc_ratio && cpu->tsc_ratio != svm->tsc_ratio) {
		wrmsrq(MSR_AMD64_TSC_RATIO, svm->tsc_ratio);
		cpu->tsc_ratio = svm->tsc_ratio;
	}
	svm->host_saved = true;
}

/*
 * TSC_RATIO counts in guests only (APM 2 15.30.5), so it stays; user mode reads TSC_AUX. Each VMLOAD of the host brought
 * back the LDT of save_host().
 */
void svm_put(struct x86_vcpu *vcpu)
{
	struct svm_vcpu *svm = to_svm(vcpu);

	if (!svm->host_saved)
		return;
	svm->host_saved = false;
	if (svm->tsc_aux != this_cpu_read(svm_cpu.tsc_aux))
		wrmsrq(MSR_TSC_AUX, this_cpu_read(svm_cpu.tsc_aux));
	if (unlikely(svm->host_had_ldt || keel_task_has_ldt()))
		keel_reload_ldt();
}

/* ---- each entry ---- */

static void prepare_spec_ctrl(struct svm_vcpu *svm)
{
	u64 guest = svm->x.msr.spec_ctrl & svm_caps.spec_ctrl_bits;

	if (svm_caps.v_spec_ctrl) {
		svm->vmcb->save.spec_ctrl = guest;
		return;
	}
	svm->entry.spec.guest = guest;
	svm->entry.spec.save = svm->x.msr.spec_pass;
	svm->entry.spec.host = spec_ctrl_current();
}

static void exited_spec_ctrl(struct svm_vcpu *svm)
{
	if (svm->x.msr.spec_pass)
		svm->x.msr.spec_ctrl = svm_caps.v_spec_ctrl ? svm->vmcb->save.spec_ctrl :
							       svm->entry.spec.guest;
}

static void prepare_tpr(struct svm_vcpu *svm)
{
	struct svm_vmcb_control *c = &svm->vmcb->control;
	u8 tpr = keel_get_cr8(&svm->x);

	if (tpr != (c->int_ctl & V_TPR)) {
		c->int_ctl = (c->int_ctl & ~V_TPR) | tpr;
		svm_touch(svm, CLEAN_INTR);
	}
	svm->tpr = tpr;
}

void svm_prepare(struct x86_vcpu *vcpu)
{
	struct svm_vcpu *svm = to_svm(vcpu);
	struct svm_vmcb_save *s = &svm->vmcb->save;

	if (unlikely(!svm->host_saved))
		save_host(svm);
	svm_asid_prepare(svm);
	if (unlikely(svm->nmi.active || svm->soft.active))
		svm_events_prepare(svm);
	prepare_tpr(svm);
	if (unlikely(s->g_pat != vcpu->msr.pat)) {
		s->g_pat = vcpu->msr.pat;
		svm_touch(svm, CLEAN_NP);
	}
	if (unlikely(svm->tsc_aux != vcpu->msr.tsc_aux) && svm->uses_tsc_aux) {
		svm->tsc_aux = vcpu->msr.tsc_aux;
		wrmsrq(MSR_TSC_AUX, svm->tsc_aux);
	}
	if (svm_caps.spec_ctrl)
		prepare_spec_ctrl(svm);
	if (unlikely(svm_caps.virt_ssbd))
		keel_virt_ssbd_set_guest(svm->virt_spec_ctrl);
}

noinstr void svm_enter(struct x86_vcpu *vcpu)
{
	struct svm_vcpu *svm = to_svm(vcpu);

	svm->vmcb->save.rax = vcpu->regs.gpr[R_RAX];
	svm->no_svm = svm_vmrun(vcpu->regs.gpr, &svm->entry);
	vcpu->regs.gpr[R_RAX] = svm->vmcb->save.rax;
}

/* What nearly every handler asks for; EFER cannot change without an exit. */
static void fetch_common(struct svm_vcpu *svm)
{
	const struct svm_vmcb_save *s = &svm->vmcb->save;
	struct x86_regs *r = &svm->x.regs;

	r->rip = s->rip;
	r->rflags = s->rflags;
	r->gpr[R_RSP] = s->rsp;
	r->int_shadow = svm->vmcb->control.int_state & INT_STATE_SHADOW ?
			SHADOW_STI | SHADOW_MOV_SS : 0;
	svm_fetch_cs(svm);
	svm->x.known |= ST_RIP | ST_RFLAGS | ST_RSP | ST_SHADOW | ST_EFER | ST_CS;
}

/*
 * The event that was to be injected stays with event.c: it decides again. QEMU's emulation
 * stores the host's registers in the block of a refused guest, and clears int_ctl: without
 * V_INTR_MASKING the next guest would hold back the host's interrupts. Nothing there is believed.
 */
static void entry_failed(struct x86_vcpu *vcpu)
{
	struct svm_vcpu *svm = to_svm(vcpu);

	svm->vmcb->control.int_ctl |= V_INTR_MASKING;
	svm->vmcb->control.clean = 0;
	svm_asid_entry_failed(svm);
	vcpu->exit.reason = VMCB_EXIT_INVALID;
	vcpu->exit.entry_failed = true;
	vcpu->ev.check = true;
}

void svm_exited(struct x86_vcpu *vcpu)
{
	struct svm_vcpu *svm = to_svm(vcpu);
	struct svm_vmcb_control *c = &svm->vmcb->control;
	struct x86_exit *e = &vcpu->exit;

	if (svm_caps.spec_ctrl)
		exited_spec_ctrl(svm);
	if (unlikely(svm_caps.virt_ssbd))
		keel_virt_ssbd_restore_host(svm->virt_spec_ctrl);

	e->reason = c->exit_code;
	e->info1 = c->exit_info1;
	e->info2 = c->exit_info2;
	if (svm_caps.nrips)
		e->next_rip = c->next_rip;
	if (unlikely(svm->no_svm || e->reason == VMCB_EXIT_INVALID)) {
		entry_failed(vcpu);
		return;
	}
	c->tlb_control = VMCB_TLB_NOTHING;
	c->clean = svm_caps.clean_mask;
	e->entry_failed = false;
	if (svm->nmi.active || vcpu->ev.armed || c->exit_int_info & INJ_VALID)
		svm_events_exited(svm);
	fetch_common(svm);
	if ((c->int_ctl & V_TPR) != svm->tpr)
		keel_set_cr8(vcpu, c->int_ctl & V_TPR);
}

/* WRMSR alone is worth it: x2APIC commands and the TSC deadline. */
bool svm_fast_exit(struct x86_vcpu *vcpu)
{
	return vcpu->exit.reason == SVM_EXIT_MSR && vcpu->exit.info1 == 1 &&
	       keel_fast_wrmsr(vcpu);
}

/*
 * Interrupts and NMIs that ended the guest are still pending: an NMI was taken at STGI,
 * an interrupt comes when the caller enables them. A machine check is different: the intercept
 * consumed it (APM 2 15.12.18).
 */
void svm_host_events(struct x86_vcpu *vcpu)
{
	if (unlikely(vcpu->exit.reason == SVM_EXIT_EXCP_BASE + X86_TRAP_MC))
		keel_host_machine_check();
	/* The causes are in the VMCB; no exit takes them out of the register, and the host wants that clean. */
	if (unlikely(vcpu->exit.reason == SVM_EXIT_EXCP_BASE + X86_TRAP_DB))
		set_debugreg(DR6_RESERVED, 6);
}
