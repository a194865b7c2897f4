/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Debug registers and KVM_SET_GUEST_DEBUG. The first access of the guest to a debug register
 * exits, then it has them until the next exit. DR0-3 are in the hardware only then, and while a
 * breakpoint is armed.
 */
#ifndef KEEL_X86_DEBUG_H
#define KEEL_X86_DEBUG_H

#include <linux/types.h>
#include <keel/verdict.h>
#include <linux/percpu.h>
#include <linux/thread_info.h>
#include <asm/debugreg.h>
#include <uapi/keel/kvm.h>

struct x86_vcpu;
struct ioctl_table;

struct vcpu_debug {
	u64	db[4];		/* as the guest wrote them */
	u64	dr6, dr7;
	u32	control;	/* KVM_GUESTDBG_* of KVM_SET_GUEST_DEBUG, 0 when off */
	u64	user_db[4];	/* userspace's breakpoints, with USE_HW_BP */
	u64	user_dr7;
	bool	armed;		/* a breakpoint is enabled in the effective DR7: load DR0-3 */
	bool	lent;		/* the guest works on the hardware's until the next exit */
};

void debug_vcpu_reset(struct x86_vcpu *vcpu);

/* The DR7 the hardware runs with: the guest's, or userspace's. */
static inline u64 debug_effective_dr7(const struct vcpu_debug *d)
{
	return (d->control & KVM_GUESTDBG_USE_HW_BP) ? d->user_dr7 : d->dr7;
}

static inline bool debug_single_step(const struct vcpu_debug *d)
{
	return d->control & KVM_GUESTDBG_SINGLESTEP;
}

/* Does userspace debug with this, so that the exception is its? */
static inline bool debug_wants_db(const struct vcpu_debug *d)
{
	return d->control & (KVM_GUESTDBG_SINGLESTEP | KVM_GUESTDBG_USE_HW_BP);
}

static inline bool debug_wants_bp(const struct vcpu_debug *d)
{
	return d->control & KVM_GUESTDBG_USE_SW_BP;
}

/*
 * MOV to and from DRn as the guest does it. check: true if the access does not take place, with the
 * verdict in *@v: #UD (DR4/5 with CR4.DE), #GP (not CPL 0), #DB (DR7.GD), which may be userspace's.
 * DR4/5 are DR6/7 otherwise. set: 0, or 1: #GP (high bits of DR6/7).
 */
bool debug_check_dr_access(struct x86_vcpu *vcpu, int dr, verdict_t *v);
u64 debug_get_dr(struct x86_vcpu *vcpu, int dr);
int debug_set_dr(struct x86_vcpu *vcpu, int dr, u64 val);

/* An intercepted #DB or #BP: userspace's, or given to the guest. @dr6: what caused the #DB. */
verdict_t debug_exception(struct x86_vcpu *vcpu, u8 vector, u64 dr6);
/* An instruction was completed by software while RFLAGS.TF was set; RIP is behind it. */
verdict_t debug_single_step_trap(struct x86_vcpu *vcpu);
/* A #DB is delivered to the guest: DR6 and DR7 as the CPU leaves them (SDM 3 17.2.3). */
void debug_apply_db(struct x86_vcpu *vcpu, u64 dr6);

/* Fill kvm_run.debug and return VERDICT_USER. @vector 1 or 3; @dr6: bits of this #DB. */
verdict_t debug_exit(struct x86_vcpu *vcpu, u8 vector, u64 dr6);

/* Interrupts on, before the dirty state is flushed: TF for userspace's single step. */
void __debug_prepare_entry(struct x86_vcpu *vcpu);
#define debug_prepare_entry(vcpu)					\
do {									\
	if (unlikely((vcpu)->debug.control & KVM_GUESTDBG_SINGLESTEP))	\
		__debug_prepare_entry(vcpu);				\
} while (0)

/*
 * The guest accesses a debug register that nobody else has a use for: true if it is to run the
 * instruction itself. It then has all of them until the next exit: who uses one uses many.
 */
bool debug_lend(struct x86_vcpu *vcpu);

/* Around each entry, interrupts off. The hardware leaves DR7 disabled after an exit. */
void __debug_load_guest(struct x86_vcpu *vcpu);
void __debug_take_back(struct x86_vcpu *vcpu);
void __debug_load_host(void);
#define debug_load_guest(vcpu)						\
do {									\
	if (unlikely((vcpu)->debug.armed || (vcpu)->debug.lent ||	\
		     hw_breakpoint_active()))				\
		__debug_load_guest(vcpu);				\
} while (0)
#define debug_put_guest(vcpu)						\
do {									\
	if (unlikely((vcpu)->debug.lent))				\
		__debug_take_back(vcpu);				\
	if (unlikely(hw_breakpoint_active()))				\
		__debug_load_host();					\
} while (0)

/* RFLAGS as guest and userspace see it: without userspace's TF. */
u64 debug_rflags(struct x86_vcpu *vcpu, u64 rflags);

extern const struct ioctl_table debug_vcpu_ioctls;	/* SET_GUEST_DEBUG, GET/SET_DEBUGREGS */

#endif
