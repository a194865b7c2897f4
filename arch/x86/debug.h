/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Debug registers and KVM_SET_GUEST_DEBUG. Accesses of the guest to debug
 * registers always exit; DR0-3 are in the hardware only while a breakpoint is armed.
 */
#ifndef KEEL_X86_DEBUG_H
#define KEEL_X86_DEBUG_H

#include <linux/types.h>
#include <keel/verdict.h>
#include <asm/debugreg.h>
#include <uapi/keel/kvm.h>

struct x86_vcpu;

struct vcpu_debug {
	u64	db[4];		/* as the guest wrote them */
	u64	dr6, dr7;
	u32	control;	/* KVM_GUESTDBG_* of KVM_SET_GUEST_DEBUG, 0 when off */
	u64	user_db[4];	/* userspace's breakpoints, with USE_HW_BP */
	u64	user_dr7;
	bool	armed;		/* a breakpoint is enabled in the effective DR7: load DR0-3 */
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
 * MOV to and from DRn as the guest does it: 0; 1: an exception was raised (#UD for DR4/5 with CR4.DE,
 * #GP for high bits, #DB for DR7.GD); 2: it is userspace's #DB, return debug_exit().
 * The caller has checked CPL 0.
 */
#define DEBUG_TO_USER	2
int debug_dr_write(struct x86_vcpu *vcpu, int dr, u64 val);
int debug_dr_read(struct x86_vcpu *vcpu, int dr, u64 *val);

/* Fill kvm_run.debug and return VERDICT_USER. @vector 1 or 3; @dr6: bits of this #DB. */
verdict_t debug_exit(struct x86_vcpu *vcpu, u8 vector, u64 dr6);

/* Interrupts on, before the dirty state is flushed: TF for userspace's single step. */
void __debug_prepare_entry(struct x86_vcpu *vcpu);
#define debug_prepare_entry(vcpu)					\
do {									\
	if (unlikely((vcpu)->debug.control & KVM_GUESTDBG_SINGLESTEP))	\
		__debug_prepare_entry(vcpu);				\
} while (0)

/* Around each entry, interrupts off. The hardware leaves DR7 disabled after an exit. */
void __debug_load_guest(struct x86_vcpu *vcpu);
void __debug_load_host(void);
#define debug_load_guest(vcpu)						\
do {									\
	if (unlikely((vcpu)->debug.armed || hw_breakpoint_active()))	\
		__debug_load_guest(vcpu);				\
} while (0)
#define debug_put_guest(vcpu)						\
do {									\
	if (unlikely(hw_breakpoint_active()))				\
		__debug_load_host();					\
} while (0)

/* RFLAGS as guest and userspace see it: without userspace's TF. */
u64 debug_rflags(struct x86_vcpu *vcpu, u64 rflags);

extern const struct ioctl_table debug_vcpu_ioctls;	/* SET_GUEST_DEBUG, GET/SET_DEBUGREGS */

#endif
