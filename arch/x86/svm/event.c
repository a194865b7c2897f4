// SPDX-License-Identifier: GPL-2.0-only
/*
 * Events on their way into the guest: injection through EVENTINJ, deliveries that an
 * exit cut short, windows, and NMI blocking, which the CPU does not keep for a guest.
 */
#include <linux/smp.h>
#include <trace/events/ipi.h>
#include <asm/processor-flags.h>
#include "virt/compat/compat.h"
#include "arch/x86/svm/svm.h"

#define VEC_DB		1
#define VEC_BP		3
#define VEC_OF		4
#define VEC_PF		14

#define DR6_STEP	(1u << 14)
#define DR6_CAUSES	0xe00fu		/* BT, BS, BD, B3-B0 */

/* #DF, #TS, #NP, #SS, #GP, #PF, #AC, #CP, #SX push an error code (APM 2 8.2). */
#define HAS_ERROR	(BIT(8) | BIT(10) | BIT(11) | BIT(12) | BIT(13) | BIT(14) | BIT(17) | \
			 BIT(21) | BIT(30))

/* ---- injection ---- */

/*
 * INT3, INTO and INT n push the RIP behind the instruction. With NRIP save
 * the CPU takes it from next_rip and keeps RIP for a fault of the delivery; without, RIP itself has
 * to point behind it (APM 2 15.20). RIP is behind the instruction already
 * if its length is known, otherwise it points to an instruction without prefixes.
 */
static void prepare_soft(struct svm_vcpu *svm, const struct x86_event *ev)
{
	u64 rip = svm->x.regs.rip;	/* known since the last exit */

	svm->soft.active = true;
	svm->soft.vector = ev->vector;
	if (ev->insn_len) {
		svm->soft.start = rip - ev->insn_len;
		svm->soft.next = rip;
	} else {
		svm->soft.start = rip;
		svm->soft.next = rip + (ev->type == EVT_SOFT_INT ? 2 : 1);
	}
}

static u32 inj_type(const struct x86_event *ev)
{
	switch (ev->type) {
	case EVT_NMI:
		return INJ_NMI;
	case EVT_INTERRUPT:
		return INJ_INTR;
	case EVT_SOFT_INT:
		return INJ_SOFT_INT;
	default:
		return INJ_EXCEPTION;
	}
}

/* Vectors 3 and 4 as exceptions are what INT3 and INTO raise (APM 2 15.20). */
static bool is_soft(const struct x86_event *ev)
{
	return ev->type == EVT_SOFT_INT || ev->type == EVT_SOFT_EXCEPTION ||
	       (ev->type == EVT_EXCEPTION && (ev->vector == VEC_BP || ev->vector == VEC_OF));
}

void svm_inject(struct x86_vcpu *vcpu, const struct x86_event *ev)
{
	struct svm_vcpu *svm = to_svm(vcpu);
	struct svm_vmcb_control *c = &svm->vmcb->control;

	svm->soft.active = false;
	if (ev->type == EVT_NONE) {
		c->event_inj = 0;
		return;
	}
	c->event_inj = INJ_VALID | inj_type(ev) | ev->vector | (ev->has_error ? INJ_HAS_ERROR : 0);
	c->event_inj_error = ev->error_code;
	if (unlikely(is_soft(ev)))
		prepare_soft(svm, ev);
}

void svm_irq_window(struct x86_vcpu *vcpu, bool on)
{
	struct svm_vcpu *svm = to_svm(vcpu);
	struct svm_vmcb_control *c = &svm->vmcb->control;

	if (svm->irq_window == on)
		return;
	svm->irq_window = on;
	/* A virtual interrupt of the highest priority, only to be intercepted (APM 2 15.21.4). */
	if (on)
		c->int_ctl |= V_IRQ | V_IGN_TPR | V_INTR_PRIO_MAX;
	else
		c->int_ctl &= ~(V_IRQ | V_IGN_TPR | V_INTR_PRIO_MAX);
	c->int_vector = 0;
	svm_touch(svm, CLEAN_INTR);
	svm_apply_intercepts(svm);
}

verdict_t svm_exit_vintr(struct x86_vcpu *vcpu)
{
	return keel_exit_irq_window(vcpu);
}

/* ---- NMI ---- */

/*
 * After an NMI the next is held back until IRET has completed. IRET is intercepted while one is in
 * service; the exit comes before IRET runs, so it is run again without the intercept, and
 * NMIs are free when RIP has moved. If one waits, that is made to exit at once by
 * single-stepping; so is the instruction in an interrupt shadow.
 */
bool svm_nmi_masked(struct x86_vcpu *vcpu)
{
	return to_svm(vcpu)->nmi.masked;
}

void svm_set_nmi_masked(struct x86_vcpu *vcpu, bool masked)
{
	struct svm_vcpu *svm = to_svm(vcpu);

	svm->nmi.masked = masked;
	svm->nmi.iret_seen = false;
	svm_apply_intercepts(svm);
}

void svm_nmi_window(struct x86_vcpu *vcpu, bool on)
{
	struct svm_nmi *n = &to_svm(vcpu)->nmi;

	n->window = on;
	n->active |= on;
}

verdict_t svm_exit_iret(struct x86_vcpu *vcpu)
{
	struct svm_vcpu *svm = to_svm(vcpu);

	svm->nmi.active = true;
	svm->nmi.iret_seen = true;
	svm->nmi.iret_rip = svm->vmcb->save.rip;
	svm_apply_intercepts(svm);
	return VERDICT_RESUME;
}

static void arm_nmi_window(struct svm_vcpu *svm)
{
	struct svm_vmcb *vmcb = svm->vmcb;

	if (svm->nmi.masked && !svm->nmi.iret_seen)
		return;		/* the IRET intercept comes first */
	if (vmcb->control.event_inj & INJ_VALID) {
		/*
		 * TF would be pushed with the flags of the event before it. An interrupt that
		 * is pending at VMRUN ends the guest after the injection instead.
		 */
		smp_send_reschedule(smp_processor_id());
		return;
	}
	svm->nmi.stepping = true;
	svm->nmi.guest_tf = vmcb->save.rflags & X86_EFLAGS_TF;
	svm->nmi.step_rip = vmcb->save.rip;
	vmcb->save.rflags |= X86_EFLAGS_TF;
}

/*
 * Take our TF out again; @moved: the instruction was completed. IRET has then loaded the guest's own flags;
 * with any other instruction TF is what it was before.
 */
static void end_step(struct svm_vcpu *svm, bool moved)
{
	svm->nmi.stepping = false;
	svm->nmi.stepped = true;
	if (!svm->nmi.guest_tf && !(svm->nmi.iret_seen && moved))
		svm->vmcb->save.rflags &= ~(u64)X86_EFLAGS_TF;
}

static void nmi_exited(struct svm_vcpu *svm)
{
	struct svm_nmi *n = &svm->nmi;
	u64 rip = svm->vmcb->save.rip;
	bool trapped = svm->vmcb->control.exit_code == SVM_EXIT_EXCP_BASE + VEC_DB;

	n->stepped = false;
	if (n->stepping)
		end_step(svm, trapped || rip != n->step_rip);
	/* A step trap behind an IRET to itself counts too. */
	if (n->iret_seen && (rip != n->iret_rip || (n->stepped && trapped))) {
		n->masked = false;
		n->iret_seen = false;
	}
	if (n->window && !n->masked) {
		/* Look again; who still waits asks for a window again. */
		n->window = false;
		svm->x.ev.check = true;
	}
	n->active = n->window || n->iret_seen || n->stepped;
}

/* ---- around an entry ---- */

void svm_events_prepare(struct svm_vcpu *svm)
{
	struct svm_vmcb *vmcb = svm->vmcb;

	if (svm->soft.active) {
		vmcb->control.next_rip = svm->soft.next;
		vmcb->save.rip = svm_caps.nrips ? svm->soft.start : svm->soft.next;
	}
	if (svm->nmi.window)
		arm_nmi_window(svm);
}

/*
 * A software interrupt of the guest's own leaves RIP at its instruction, which then just runs
 * again; of an injected one, RIP is put back there for the same.
 */
static void cut_short_soft(struct svm_vcpu *svm, u8 vector)
{
	u64 injected_at = svm_caps.nrips ? svm->soft.start : svm->soft.next;

	if (svm->soft.active && svm->soft.vector == vector && svm->vmcb->save.rip == injected_at)
		svm->vmcb->save.rip = svm->soft.start;
}

/* What exit_int_info holds (APM 2 15.7.2). True if it was an event that has to be given again. */
static bool decode_cut_short(struct svm_vcpu *svm, struct x86_event *ev)
{
	const struct svm_vmcb_control *c = &svm->vmcb->control;
	u32 info = c->exit_int_info;

	*ev = (struct x86_event){ .vector = info & INJ_VECTOR };
	switch (info & INJ_TYPE) {
	case INJ_INTR:
		ev->type = EVT_INTERRUPT;
		return true;
	case INJ_NMI:
		ev->type = EVT_NMI;
		return true;
	case INJ_EXCEPTION:
		if (ev->vector == VEC_BP || ev->vector == VEC_OF)
			break;
		ev->type = EVT_EXCEPTION;
		ev->has_error = info & INJ_HAS_ERROR;
		ev->error_code = c->exit_int_error;
		return true;
	case INJ_SOFT_INT:
		break;
	default:
		return false;
	}
	cut_short_soft(svm, ev->vector);
	return false;
}

void svm_events_exited(struct svm_vcpu *svm)
{
	struct svm_vmcb_control *c = &svm->vmcb->control;
	struct x86_vcpu *vcpu = &svm->x;
	bool valid = c->exit_int_info & INJ_VALID;
	struct x86_event ev;

	if (svm->nmi.active)
		nmi_exited(svm);

	c->event_inj = 0;
	if (unlikely(valid) && decode_cut_short(svm, &ev))
		keel_event_cut_short(vcpu, &ev);
	else if (vcpu->ev.armed)
		keel_event_delivered(vcpu);
	vcpu->exit.event_cut_short = valid;
	svm->soft.active = false;
}

void svm_events_reset(struct svm_vcpu *svm)
{
	svm->nmi = (struct svm_nmi){};
	svm->soft = (struct svm_soft){};
	svm->vmcb->control.event_inj = 0;
	svm->vmcb->control.exit_int_info = 0;
}

/* ---- intercepted exceptions ---- */

/*
 * DR6 in the VMCB is clean at each entry, so it holds the causes of this #DB alone (APM 2 15.12.2). A step of
 * ours ends here unless the guest or userspace is owed the same trap.
 */
static verdict_t exit_db(struct svm_vcpu *svm)
{
	u64 causes = svm->vmcb->save.dr6 & DR6_CAUSES;

	svm->vmcb->save.dr6 = DR6_RESERVED;
	svm_touch(svm, CLEAN_DR);
	if (svm->nmi.stepped && !svm->nmi.guest_tf) {
		causes &= ~(u64)DR6_STEP;
		if (!causes)
			return keel_exit_nmi_window(&svm->x);
	}
	return keel_exit_exception(&svm->x, VEC_DB, false, 0, causes);
}

verdict_t svm_exit_exception(struct x86_vcpu *vcpu)
{
	struct svm_vcpu *svm = to_svm(vcpu);
	u8 vector = (vcpu->exit.reason - SVM_EXIT_EXCP_BASE) & 0x1f;

	if (vector == VEC_DB)
		return exit_db(svm);
	return keel_exit_exception(vcpu, vector, HAS_ERROR & BIT(vector), vcpu->exit.info1,
				   vector == VEC_PF ? vcpu->exit.info2 : 0);
}
