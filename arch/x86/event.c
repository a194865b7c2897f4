// SPDX-License-Identifier: GPL-2.0-only
/*
 * Exceptions, NMIs and interrupts: what is pending, what may be delivered
 * now, and in which order (SDM 3 6.9, APM 2 8.5).
 */
#include <linux/bits.h>
#include <linux/string.h>
#include <asm/processor-flags.h>
#include "virt/compat/compat.h"
#include "arch/x86/x86.h"
#include "arch/x86/trace.h"

enum exc_class { EXC_BENIGN, EXC_CONTRIBUTORY, EXC_PAGE_FAULT };

#define VEC_DB	1
#define VEC_NMI	2
#define VEC_DF	8
#define VEC_PF	14

/* SDM 3 table 6-4: #DE, #TS, #NP, #SS, #GP (and #CP) are contributory. */
static enum exc_class exception_class(u8 vector)
{
	if (vector == VEC_PF)
		return EXC_PAGE_FAULT;
	if (vector < 32 && BIT(vector) & (BIT(0) | BIT(10) | BIT(11) | BIT(12) | BIT(13) | BIT(21)))
		return EXC_CONTRIBUTORY;
	return EXC_BENIGN;
}

/* Trap class: #BP, #OF, and #DB, whose RF the CPU decides. */
static bool exception_is_fault(u8 vector)
{
	return vector < 32 && !(BIT(vector) & (BIT(1) | BIT(2) | BIT(3) | BIT(4) | BIT(18)));
}

static void set_exception(struct x86_vcpu *vcpu, const struct x86_exception *e)
{
	vcpu->ev.exc = *e;
	vcpu->ev.check = true;
}

/* A second exception on top of the first: double fault, triple fault or the newer one (SDM 3 table 6-5). */
static void merge_exception(struct x86_vcpu *vcpu, const struct x86_exception *e)
{
	struct x86_exception df = { .pending = true, .vector = VEC_DF, .has_error = true };
	u8 first = vcpu->ev.exc.vector;
	enum exc_class c1 = exception_class(first), c2 = exception_class(e->vector);

	if (first == VEC_DF) {
		vcpu->ev.exc = (struct x86_exception){};
		vcpu->ev.triple_fault = true;
		vcpu->ev.check = true;
		return;
	}
	if ((c1 == EXC_CONTRIBUTORY && c2 == EXC_CONTRIBUTORY) ||
	    (c1 == EXC_PAGE_FAULT && c2 != EXC_BENIGN))
		set_exception(vcpu, &df);
	else
		set_exception(vcpu, e);
}

static void raise(struct x86_vcpu *vcpu, const struct x86_exception *e)
{
	if (vcpu->ev.exc.pending || vcpu->ev.exc.injected)
		merge_exception(vcpu, e);
	else
		set_exception(vcpu, e);
}

void keel_raise(struct x86_vcpu *vcpu, u8 vector)
{
	raise(vcpu, &(struct x86_exception){ .pending = true, .vector = vector });
}
KEEL_EXPORT(keel_raise);

void keel_raise_err(struct x86_vcpu *vcpu, u8 vector, u32 error_code)
{
	raise(vcpu, &(struct x86_exception){ .pending = true, .vector = vector,
					     .has_error = true, .error_code = error_code });
}
KEEL_EXPORT(keel_raise_err);

void keel_raise_pf(struct x86_vcpu *vcpu, u32 error_code, u64 cr2)
{
	raise(vcpu, &(struct x86_exception){ .pending = true, .vector = VEC_PF,
					     .has_error = true, .error_code = error_code,
					     .has_payload = true, .payload = cr2 });
}
KEEL_EXPORT(keel_raise_pf);

void keel_raise_db(struct x86_vcpu *vcpu, u64 dr6_bits)
{
	raise(vcpu, &(struct x86_exception){ .pending = true, .vector = VEC_DB,
					     .has_payload = true, .payload = dr6_bits });
}
KEEL_EXPORT(keel_raise_db);

void event_raise_soft(struct x86_vcpu *vcpu, u8 vector, u8 insn_len)
{
	vcpu->ev.insn_len = insn_len;
	raise(vcpu, &(struct x86_exception){ .pending = true, .vector = vector, .soft = true });
}

static void rip_back(struct x86_vcpu *vcpu, u8 len)
{
	struct x86_regs *r = st_write(vcpu, ST_RIP);
	u64 rip = r->rip - len;

	r->rip = is_64bit_code(vcpu) ? rip : (u32)rip;
}

void event_soft_int(struct x86_vcpu *vcpu, u8 vector, u8 insn_len)
{
	/* The place is taken by an interrupt that waits: the instruction runs again behind it. */
	if (unlikely(vcpu->ev.irq.injected)) {
		rip_back(vcpu, insn_len);
		return;
	}
	vcpu->ev.irq.injected = true;
	vcpu->ev.irq.soft = true;
	vcpu->ev.irq.vector = vector;
	vcpu->ev.irq.insn_len = insn_len;
	vcpu->ev.check = true;
}

void event_unwind_soft(struct x86_vcpu *vcpu)
{
	struct x86_events *e = &vcpu->ev;
	u8 len = 0;

	if (e->irq.injected && e->irq.soft) {
		len = e->irq.insn_len;
		e->irq.injected = !len;
	} else if (e->exc.soft && (e->exc.pending || e->exc.injected)) {
		len = e->insn_len;
		if (len)
			e->exc = (struct x86_exception){};
	}
	if (unlikely(len))
		rip_back(vcpu, len);
}

/* KVM_INTERRUPT without an in-kernel APIC, and ExtINT of a split one: waits until the guest takes interrupts. */
void event_queue_user_irq(struct x86_vcpu *vcpu, u8 vector)
{
	vcpu->ev.irq.injected = true;
	vcpu->ev.irq.queued = true;
	vcpu->ev.irq.soft = false;
	vcpu->ev.irq.vector = vector;
	vcpu->ev.check = true;
}

void keel_event_cut_short(struct x86_vcpu *vcpu, const struct x86_event *ev)
{
	struct x86_events *e = &vcpu->ev;

	keel_event_delivered(vcpu);
	vcpu->exit.event_cut_short = true;
	e->check = true;
	e->insn_len = ev->insn_len;
	switch (ev->type) {
	case EVT_EXCEPTION:
	case EVT_SOFT_EXCEPTION:
		e->exc = (struct x86_exception){
			.injected = true, .vector = ev->vector, .has_error = ev->has_error,
			.error_code = ev->error_code, .soft = ev->type == EVT_SOFT_EXCEPTION,
		};
		break;
	case EVT_SOFT_INT:
	case EVT_INTERRUPT:
		e->irq.injected = true;
		e->irq.queued = false;
		e->irq.soft = ev->type == EVT_SOFT_INT;
		e->irq.vector = ev->vector;
		e->irq.insn_len = ev->insn_len;
		break;
	case EVT_NMI:
		e->nmi.injected = true;
		vendor_call(set_nmi_masked)(vcpu, false);
		break;
	}
}
KEEL_EXPORT(keel_event_cut_short);

void keel_event_delivered(struct x86_vcpu *vcpu)
{
	struct x86_events *e = &vcpu->ev;

	e->exc.injected = false;
	e->nmi.injected = false;
	/* One from userspace that still waits was not given to the hardware. */
	if (!e->irq.queued)
		e->irq.injected = false;
	e->armed = false;
}
KEEL_EXPORT(keel_event_delivered);

void vcpu_queue_nmi(struct x86_vcpu *vcpu)
{
	atomic_inc(&vcpu->ev.nmi.queued);
	vcpu_request(&vcpu->v, REQ_NMI);
	vcpu_kick(&vcpu->v);
}

/* REQ_NMI: at most two NMIs are kept, one in service and one latched (SDM 3 6.7.1). */
void event_collect_nmis(struct x86_vcpu *vcpu)
{
	unsigned int limit = vendor_call(nmi_masked)(vcpu) || vcpu->ev.nmi.injected ? 1 : 2;
	unsigned int n = atomic_xchg(&vcpu->ev.nmi.queued, 0);

	vcpu->ev.nmi.pending = min(vcpu->ev.nmi.pending + n, limit);
	vcpu->ev.check = true;
}

static bool nothing_half_done(struct x86_vcpu *vcpu)
{
	const struct x86_events *e = &vcpu->ev;

	return !e->exc.pending && !e->exc.injected && !e->nmi.injected && !e->irq.injected;
}

bool event_irq_allowed(struct x86_vcpu *vcpu)
{
	const struct x86_regs *r = st_read(vcpu, ST_RFLAGS | ST_SHADOW);

	return (r->rflags & X86_EFLAGS_IF) && !r->int_shadow &&
	       !(vcpu->debug.control & KVM_GUESTDBG_BLOCKIRQ);
}

bool event_nmi_allowed(struct x86_vcpu *vcpu)
{
	return !vendor_call(nmi_masked)(vcpu) &&
	       !(st_read(vcpu, ST_SHADOW)->int_shadow & SHADOW_MOV_SS) &&
	       !st_read(vcpu, ST_SHADOW)->int_shadow;
}

/* KVM_INTERRUPT may be called now: kvm_run.ready_for_interrupt_injection. */
bool event_ready_for_user_irq(struct x86_vcpu *vcpu)
{
	return nothing_half_done(vcpu) && event_irq_allowed(vcpu);
}

/* CR2 or DR6 take their values when the exception is delivered, not when it is raised. */
void event_apply_payload(struct x86_vcpu *vcpu)
{
	struct x86_exception *e = &vcpu->ev.exc;

	if (!e->has_payload)
		return;
	if (e->vector == VEC_PF)
		st_write(vcpu, ST_CR)->cr2 = e->payload;
	else if (e->vector == VEC_DB)
		debug_apply_db(vcpu, e->payload);
	e->has_payload = false;
	e->payload = 0;
}

static void inject_exception(struct x86_vcpu *vcpu)
{
	struct x86_exception *e = &vcpu->ev.exc;
	struct x86_event ev = {
		.type = e->soft ? EVT_SOFT_EXCEPTION : EVT_EXCEPTION,
		.vector = e->vector,
		.has_error = e->has_error && is_protmode(vcpu),
		.error_code = e->error_code,
		.insn_len = e->soft ? vcpu->ev.insn_len : 0,
	};

	trace_kvm_inj_exception(ev.vector, ev.has_error, ev.error_code, e->injected);
	vendor_call(inject)(vcpu, &ev);
	vcpu->ev.armed = true;
}

static void inject_simple(struct x86_vcpu *vcpu, u8 type, u8 vector, u8 len)
{
	struct x86_event ev = { .type = type, .vector = vector, .insn_len = len };

	vendor_call(inject)(vcpu, &ev);
	vcpu->ev.armed = true;
}

static void deliver_pending_exception(struct x86_vcpu *vcpu)
{
	struct x86_exception *e = &vcpu->ev.exc;

	event_apply_payload(vcpu);
	/* The image pushed by a fault has RF set (SDM 3 17.3.1.1). */
	if (exception_is_fault(e->vector))
		st_write(vcpu, ST_RFLAGS)->rflags |= X86_EFLAGS_RF;
	e->pending = false;
	e->injected = true;
	inject_exception(vcpu);
}

/*
 * An exception came out of the delivery of an interrupt. Given again first, that would meet it again; so the
 * exception goes, and the interrupt waits for the guest to take interrupts. What an instruction delivers comes
 * back with the instruction.
 */
static void put_off(struct x86_vcpu *vcpu)
{
	struct x86_events *e = &vcpu->ev;

	if (e->nmi.injected) {
		e->nmi.injected = false;
		e->nmi.pending = min(e->nmi.pending + 1, 2);
		vendor_call(set_nmi_masked)(vcpu, false);
	} else if (e->irq.injected && !e->irq.soft) {
		e->irq.queued = true;
	}
}

/* What must go first: events cut short, then the pending exception. True if one took the slot. */
static bool inject_first(struct x86_vcpu *vcpu)
{
	struct x86_events *e = &vcpu->ev;

	if (unlikely(e->exc.pending && !e->exc.injected))
		put_off(vcpu);
	if (e->exc.injected) {
		inject_exception(vcpu);
	} else if (e->nmi.injected) {
		vendor_call(set_nmi_masked)(vcpu, true);
		inject_simple(vcpu, EVT_NMI, VEC_NMI, 0);
	} else if (e->irq.injected && !e->irq.queued) {
		inject_simple(vcpu, e->irq.soft ? EVT_SOFT_INT : EVT_INTERRUPT, e->irq.vector,
			      e->irq.soft ? e->irq.insn_len : 0);
	} else if (e->exc.pending) {
		deliver_pending_exception(vcpu);
	} else {
		return false;
	}
	return true;
}

/* By a debugger. Then no window is wanted either: it would open at once, for ever. */
static bool held_back(const struct x86_vcpu *vcpu)
{
	return vcpu->debug.control & KVM_GUESTDBG_BLOCKIRQ;
}

static bool inject_nmi(struct x86_vcpu *vcpu, bool slot_free)
{
	struct x86_events *e = &vcpu->ev;
	bool done = false;

	if (!e->nmi.pending || held_back(vcpu))
		return false;
	if (slot_free && event_nmi_allowed(vcpu)) {
		e->nmi.pending--;
		e->nmi.injected = true;
		vcpu->v.stats.nmi_injections++;
		vendor_call(set_nmi_masked)(vcpu, true);
		inject_simple(vcpu, EVT_NMI, VEC_NMI, 0);
		done = true;
	}
	if (e->nmi.pending)
		vendor_call(nmi_window)(vcpu, true);
	return done;
}

static void inject_irq(struct x86_vcpu *vcpu, bool slot_free)
{
	struct x86_events *e = &vcpu->ev;
	bool waiting = e->irq.queued || irqchip_irq_to_inject(vcpu);

	if (waiting && slot_free && event_irq_allowed(vcpu)) {
		int vector = e->irq.queued ? e->irq.vector : irqchip_irq_ack(vcpu);

		if (vector >= 0) {
			e->irq.injected = true;
			e->irq.queued = false;
			e->irq.soft = false;
			e->irq.vector = vector;
			vcpu->v.stats.irq_injections++;
			trace_kvm_inj_virq(vector, false, false);
			inject_simple(vcpu, EVT_INTERRUPT, vector, 0);
		}
		waiting = irqchip_irq_to_inject(vcpu);
	}
	waiting |= event_user_wants_window(vcpu);
	waiting &= !held_back(vcpu);
	if (waiting != e->irq_window) {
		e->irq_window = waiting;
		vendor_call(irq_window)(vcpu, waiting);
	}
}

void event_inject(struct x86_vcpu *vcpu)
{
	struct x86_events *e = &vcpu->ev;
	bool slot_free;

	e->check = false;
	/* An event given to the hardware before an entry that was called off is decided anew. */
	if (e->armed) {
		vendor_call(inject)(vcpu, &(struct x86_event){ .type = EVT_NONE });
		e->armed = false;
	}
	slot_free = !inject_first(vcpu);
	if (inject_nmi(vcpu, slot_free))
		slot_free = false;
	inject_irq(vcpu, slot_free);
	irqchip_update_cr8_intercept(vcpu);
}

bool event_user_wants_window(struct x86_vcpu *vcpu)
{
	return READ_ONCE(vcpu->v.run->request_interrupt_window) && irqchip_takes_user_irq(vcpu);
}

bool event_user_window_open(struct x86_vcpu *vcpu)
{
	return unlikely(event_user_wants_window(vcpu)) && event_ready_for_user_irq(vcpu);
}

bool event_pending(struct x86_vcpu *vcpu)
{
	const struct x86_events *e = &vcpu->ev;

	if (e->exc.pending || e->exc.injected || e->triple_fault)
		return true;
	if (atomic_read(&e->nmi.queued))
		return true;
	if (e->nmi.pending && !vendor_call(nmi_masked)(vcpu))
		return true;
	return event_irq_wakes(vcpu);
}

/* An interrupt ends HLT only if IF is set; one queued by userspace always does. */
bool event_irq_wakes(struct x86_vcpu *vcpu)
{
	if (vcpu->ev.irq.injected)
		return true;
	return irqchip_irq_pending(vcpu) && READ_ONCE(vcpu->ev.halt_if);
}
