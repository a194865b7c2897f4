/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Events: exceptions, NMI, SMI and external interrupts have one queue and one
 * priority function (SDM 3 6.9, APM 2 8.5). Vendors inject what it says and
 * report what an exit cut short.
 */
#ifndef KEEL_X86_EVENT_H
#define KEEL_X86_EVENT_H

#include <linux/types.h>

struct x86_vcpu;
struct kvm_vcpu_events;

enum x86_event_type {
	EVT_NONE,
	EVT_EXCEPTION,		/* hardware exception, fault or trap class */
	EVT_SOFT_EXCEPTION,	/* INT3, INTO: RIP after the instruction is pushed */
	EVT_SOFT_INT,		/* INT n */
	EVT_INTERRUPT,
	EVT_NMI,
};

struct x86_event {
	u8	type;
	u8	vector;
	bool	has_error;
	u32	error_code;
	u8	insn_len;	/* soft events: length of the INT instruction, 0 unknown */
};

struct x86_exception {
	bool	pending;	/* not delivered, DR6/CR2 not yet written */
	bool	injected;	/* given to the hardware, or cut short and to be given again */
	u8	vector;
	bool	has_error;
	bool	has_payload;
	bool	soft;
	u32	error_code;
	u64	payload;	/* CR2 for #PF, DR6 bits for #DB */
};

struct x86_events {
	struct x86_exception	exc;
	struct {
		bool	injected;
		bool	queued;		/* from userspace: waits until the guest takes interrupts */
		bool	soft;
		u8	vector;
		u8	insn_len;
	} irq;
	struct {
		bool	injected;
		bool	masked;		/* until IRET; the vendor may hold the truth: nmi_masked() op */
		u8	pending;	/* [own thread] 0..2 */
		atomic_t queued;	/* from any thread, moved to pending by REQ_NMI */
	} nmi;
	bool	triple_fault;
	bool	check;		/* event_inject() has something to look at */
	bool	armed;		/* the vendor's inject() was called since the last exit */
	bool	irq_window;	/* the vendor was asked for an interrupt window */
	bool	halt_if;	/* RFLAGS.IF when the vCPU halted, for other threads */
	u8	insn_len;	/* of the instruction behind a soft exception */
};

/*
 * Raise an exception in the guest at the next entry; contributory ones merge
 * into #DF and triple fault (SDM 3 6.15). Own thread only. RIP must already point where it
 * has to: at the instruction for faults, after it for traps.
 */
void keel_raise(struct x86_vcpu *vcpu, u8 vector);
void keel_raise_err(struct x86_vcpu *vcpu, u8 vector, u32 error_code);
void keel_raise_pf(struct x86_vcpu *vcpu, u32 error_code, u64 cr2);
void keel_raise_db(struct x86_vcpu *vcpu, u64 dr6_bits);

static inline void keel_raise_gp(struct x86_vcpu *vcpu)
{
	keel_raise_err(vcpu, 13, 0);
}

static inline void keel_raise_ud(struct x86_vcpu *vcpu)
{
	keel_raise(vcpu, 6);
}

/* The exit cut the delivery of @ev short: it goes first at the next entry. Vendors call it once per exit. */
void keel_event_cut_short(struct x86_vcpu *vcpu, const struct x86_event *ev);
/* Nothing was cut short: what had been injected is delivered. */
void keel_event_delivered(struct x86_vcpu *vcpu);

/* Queue an NMI. Any thread. */
void vcpu_queue_nmi(struct x86_vcpu *vcpu);

void event_collect_nmis(struct x86_vcpu *vcpu);		/* REQ_NMI */
/* INT3, INTO (soft exceptions) and INT n of the emulator; RIP is behind the instruction. */
void event_raise_soft(struct x86_vcpu *vcpu, u8 vector, u8 insn_len);
void event_soft_int(struct x86_vcpu *vcpu, u8 vector, u8 insn_len);
/*
 * Before userspace reads the state, which has no room for such an event: where the length of its instruction is
 * known, that runs again instead.
 */
void event_unwind_soft(struct x86_vcpu *vcpu);
void event_queue_user_irq(struct x86_vcpu *vcpu, u8 vector);

/* Before entry, interrupts on, if ev.check: inject the winner and ask for windows. */
void event_inject(struct x86_vcpu *vcpu);
bool event_pending(struct x86_vcpu *vcpu);	/* something wakes this vCPU from halt; any thread */
bool event_irq_wakes(struct x86_vcpu *vcpu);
bool event_irq_allowed(struct x86_vcpu *vcpu);	/* IF and interrupt shadow */
bool event_nmi_allowed(struct x86_vcpu *vcpu);
bool event_ready_for_user_irq(struct x86_vcpu *vcpu);
bool event_user_wants_window(struct x86_vcpu *vcpu);
/* ... and may: the guest takes interrupts. */
bool event_user_window_open(struct x86_vcpu *vcpu);
/* Write the payload of the pending exception to CR2 or DR6 now. */
void event_apply_payload(struct x86_vcpu *vcpu);

/* KVM_GET/SET_VCPU_EVENTS. -EINVAL as api.rst says, nothing changed then. */
void event_get(struct x86_vcpu *vcpu, struct kvm_vcpu_events *e);
int event_set(struct x86_vcpu *vcpu, const struct kvm_vcpu_events *e);

#endif
