// SPDX-License-Identifier: GPL-2.0-only
/*
 * Debug registers of the guest, and userspace's debugging of it.
 *
 * DR6 of the hardware block stays at its reset value while the guest runs, so that after a
 * #DB it shows what caused that one; the guest's DR6 is in vcpu->debug alone, but while the
 * registers are lent to the guest.
 */
#include <linux/percpu.h>
#include <asm/hw_breakpoint.h>
#include <asm/processor-flags.h>
#include "virt/compat/compat.h"
#include "arch/x86/x86.h"

/* SDM 3 17.2.3, 17.2.4; without RTM and bus-lock detection. */
#define DR6_FIXED	0xffff0ff0ull
#define DR6_WRITABLE	0x0000e00full
#define DR6_BITS	0x0000e00full
#define DR6_TRAPS	0x0000000full
#define DR7_FIXED	0x00000400ull
#define DR7_WRITABLE	0xffff23ffull
#define DR7_ENABLES	0x000000ffull
#define DR7_GENERAL	0x00002000ull	/* GD */
#define DR6_ACCESS	0x00002000ull	/* BD */
#define DR6_STEP	0x00004000ull	/* BS */

/* The effective DR7 may have changed. */
static void update_dr7(struct x86_vcpu *vcpu)
{
	struct vcpu_debug *d = &vcpu->debug;
	u64 dr7 = debug_effective_dr7(d);

	d->armed = dr7 & DR7_ENABLES;
	vendor_call(set_dr7)(vcpu, dr7);
}

void debug_vcpu_reset(struct x86_vcpu *vcpu)
{
	struct vcpu_debug *d = &vcpu->debug;

	memset(d->db, 0, sizeof(d->db));
	d->dr6 = DR6_FIXED;
	d->dr7 = DR7_FIXED;
	vendor_call(set_dr6)(vcpu, DR6_FIXED);
	update_dr7(vcpu);
}

/* ---- around the entry ---- */

void __debug_load_guest(struct x86_vcpu *vcpu)
{
	const struct vcpu_debug *d = &vcpu->debug;
	const u64 *db = (d->control & KVM_GUESTDBG_USE_HW_BP) ? d->user_db : d->db;

	/* The host's breakpoints off first: they must not fire at the guest's addresses. */
	set_debugreg(0UL, 7);
	if (!d->armed && !d->lent)
		return;
	set_debugreg(db[0], 0);
	set_debugreg(db[1], 1);
	set_debugreg(db[2], 2);
	set_debugreg(db[3], 3);
}

bool debug_lend(struct x86_vcpu *vcpu)
{
	struct vcpu_debug *d = &vcpu->debug;

	if (d->control || d->dr7 & DR7_GENERAL)
		return false;
	d->lent = true;
	vendor_call(set_dr6)(vcpu, d->dr6);
	vendor_call(update_intercepts)(vcpu);
	return true;
}

void __debug_take_back(struct x86_vcpu *vcpu)
{
	struct vcpu_debug *d = &vcpu->debug;

	get_debugreg(d->db[0], 0);
	get_debugreg(d->db[1], 1);
	get_debugreg(d->db[2], 2);
	get_debugreg(d->db[3], 3);
	vendor_call(sync_debug_regs)(vcpu);
	d->lent = false;
	d->armed = d->dr7 & DR7_ENABLES;
	/* Not here: recomputing may sleep. */
	vcpu_request(&vcpu->v, REQ_INTERCEPTS);
}

void __debug_load_host(void)
{
	hw_breakpoint_restore();
}

void __debug_prepare_entry(struct x86_vcpu *vcpu)
{
	struct x86_regs *r = st_write(vcpu, ST_RFLAGS | ST_RIP);

	r->rflags |= X86_EFLAGS_TF;
}

u64 debug_rflags(struct x86_vcpu *vcpu, u64 rflags)
{
	return debug_single_step(&vcpu->debug) ? rflags & ~(u64)X86_EFLAGS_TF : rflags;
}

/* ---- the guest's accesses ---- */

bool debug_check_dr_access(struct x86_vcpu *vcpu, int dr, verdict_t *v)
{
	struct vcpu_debug *d = &vcpu->debug;

	*v = VERDICT_RESUME;
	if (st_read(vcpu, ST_SEG)->cpl) {
		keel_raise_gp(vcpu);
		return true;
	}
	if ((dr == 4 || dr == 5) && (st_read(vcpu, ST_CR)->cr4 & X86_CR4_DE)) {
		keel_raise_ud(vcpu);
		return true;
	}
	if (debug_effective_dr7(d) & DR7_GENERAL) {
		*v = debug_exception(vcpu, DB_VECTOR, DR6_ACCESS);
		return true;
	}
	return false;
}

u64 debug_get_dr(struct x86_vcpu *vcpu, int dr)
{
	const struct vcpu_debug *d = &vcpu->debug;

	if (dr < 4)
		return d->db[dr & 3];
	return dr == 4 || dr == 6 ? d->dr6 : d->dr7;
}

int debug_set_dr(struct x86_vcpu *vcpu, int dr, u64 val)
{
	struct vcpu_debug *d = &vcpu->debug;

	if (dr < 4) {
		d->db[dr & 3] = val;
		return 0;
	}
	if (val >> 32)
		return 1;
	if (dr == 4 || dr == 6) {
		d->dr6 = (val & DR6_WRITABLE) | DR6_FIXED;
	} else {
		d->dr7 = (val & DR7_WRITABLE) | DR7_FIXED;
		update_dr7(vcpu);
	}
	return 0;
}

/* ---- #DB and #BP ---- */

void debug_apply_db(struct x86_vcpu *vcpu, u64 dr6)
{
	struct vcpu_debug *d = &vcpu->debug;

	/* B0-B3 tell of this one; the rest is sticky. */
	d->dr6 = (d->dr6 & ~DR6_TRAPS) | (dr6 & DR6_BITS);
	if (d->dr7 & DR7_GENERAL) {
		d->dr7 &= ~DR7_GENERAL;
		update_dr7(vcpu);
	}
}

verdict_t debug_exit(struct x86_vcpu *vcpu, u8 vector, u64 dr6)
{
	const struct x86_regs *r = st_read(vcpu, ST_RIP | ST_SEG);
	struct kvm_run *run = vcpu->v.run;

	run->exit_reason = KVM_EXIT_DEBUG;
	run->debug.arch.exception = vector;
	run->debug.arch.pad = 0;
	run->debug.arch.pc = r->seg[S_CS].base + r->rip;
	run->debug.arch.dr6 = dr6 | DR6_FIXED;
	run->debug.arch.dr7 = debug_effective_dr7(&vcpu->debug);
	return VERDICT_USER;
}

verdict_t debug_exception(struct x86_vcpu *vcpu, u8 vector, u64 dr6)
{
	if (vector == DB_VECTOR) {
		vendor_call(set_dr6)(vcpu, DR6_FIXED);
		if (debug_wants_db(&vcpu->debug))
			return debug_exit(vcpu, DB_VECTOR, dr6 & DR6_BITS);
		keel_raise_db(vcpu, dr6 & DR6_BITS);
		return VERDICT_RESUME;
	}
	if (debug_wants_bp(&vcpu->debug))
		return debug_exit(vcpu, BP_VECTOR, 0);
	/* The exit came before INT3 had run: it is a trap for the guest, RIP behind it. */
	st_write(vcpu, ST_RIP)->rip++;
	event_raise_soft(vcpu, BP_VECTOR, 1);
	return VERDICT_RESUME;
}

verdict_t debug_single_step_trap(struct x86_vcpu *vcpu)
{
	if (debug_single_step(&vcpu->debug))
		return debug_exit(vcpu, DB_VECTOR, DR6_STEP);
	keel_raise_db(vcpu, DR6_STEP);
	return VERDICT_RESUME;
}

/* ---- ioctls ---- */

static long inject_for_user(struct x86_vcpu *vcpu, u32 control)
{
	if (!(control & (KVM_GUESTDBG_INJECT_DB | KVM_GUESTDBG_INJECT_BP)))
		return 0;
	if (vcpu->ev.exc.pending || vcpu->ev.exc.injected)
		return -EBUSY;
	if (control & KVM_GUESTDBG_INJECT_DB)
		keel_raise(vcpu, DB_VECTOR);
	else
		keel_raise(vcpu, BP_VECTOR);
	return 0;
}

/* Lent, and a signal came before the entry: what is changed now must not be taken for the guest's afterwards. */
static void debug_unlend(struct x86_vcpu *vcpu)
{
	if (!vcpu->debug.lent)
		return;
	vcpu->debug.lent = false;
	vendor_call(set_dr6)(vcpu, DR6_FIXED);
	vendor_call(update_intercepts)(vcpu);
}

static long set_guest_debug(struct ioctl_ctx *c)
{
	struct x86_vcpu *vcpu = to_x86(c->vcpu);
	const struct kvm_guest_debug *g = c->data;
	struct vcpu_debug *d = &vcpu->debug;
	u32 control = g->control & KVM_GUESTDBG_ENABLE ? g->control : 0;
	long ret = inject_for_user(vcpu, g->control);
	int i;

	if (ret)
		return ret;
	debug_unlend(vcpu);
	/* The TF that we set goes with the single step. */
	if (debug_single_step(d))
		st_write(vcpu, ST_RFLAGS)->rflags &= ~(u64)X86_EFLAGS_TF;
	d->control = control;
	if (control & KVM_GUESTDBG_USE_HW_BP) {
		for (i = 0; i < 4; i++)
			d->user_db[i] = g->arch.debugreg[i];
		d->user_dr7 = (g->arch.debugreg[7] & DR7_WRITABLE) | DR7_FIXED;
	}
	update_dr7(vcpu);
	vendor_call(update_intercepts)(vcpu);
	vcpu->ev.check = true;
	return 0;
}

static long get_debugregs(struct ioctl_ctx *c)
{
	const struct vcpu_debug *d = &to_x86(c->vcpu)->debug;
	struct kvm_debugregs *k = c->data;

	memcpy(k->db, d->db, sizeof(k->db));
	k->dr6 = d->dr6;
	k->dr7 = d->dr7;
	return 0;
}

static long set_debugregs(struct ioctl_ctx *c)
{
	struct x86_vcpu *vcpu = to_x86(c->vcpu);
	struct vcpu_debug *d = &vcpu->debug;
	const struct kvm_debugregs *k = c->data;

	if (k->flags || k->dr6 >> 32 || k->dr7 >> 32)
		return -EINVAL;
	debug_unlend(vcpu);
	memcpy(d->db, k->db, sizeof(d->db));
	debug_set_dr(vcpu, 6, k->dr6);
	debug_set_dr(vcpu, 7, k->dr7);
	return 0;
}

static const struct ioctl_row debug_vcpu_ioctls_rows[] = {
	{ KVM_SET_GUEST_DEBUG,	IOC_VCPU, set_guest_debug },
	{ KVM_GET_DEBUGREGS,	IOC_VCPU_NOLOAD, get_debugregs },
	{ KVM_SET_DEBUGREGS,	IOC_VCPU_STATE, set_debugregs },
};
IOCTL_TABLE(debug_vcpu_ioctls);
