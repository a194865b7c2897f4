// SPDX-License-Identifier: GPL-2.0-only
/* Debug registers of the guest, and userspace debugging it with KVM_SET_GUEST_DEBUG. */
#include <linux/hw_breakpoint.h>
#include <linux/kernel.h>
#include <linux/nospec.h>
#include <linux/string.h>
#include <asm/debugreg.h>
#include <asm/processor-flags.h>
#include "virt/compat/compat.h"
#include "arch/x86/x86.h"

#define VEC_DB		1
#define VEC_BP		3

/* SDM 3 17.2.3, 17.2.4: bits that read as one, and those that software may change. */
#define DR6_ONES	0xffff0ff0ull
#define DR6_WRITABLE	0xe00full		/* BT, BS, BD, B3-B0 */
#define DR6_BD_BIT	(1ull << 13)
#define DR6_BS_BIT	(1ull << 14)
#define DR7_ONES	0x400ull
#define DR7_WRITABLE	0xffff2bffull
#define DR7_GD_BIT	(1ull << 13)
#define DR7_ENABLE	0xffull

/* Something that the effective DR7 follows from has changed. */
static void dr7_changed(struct x86_vcpu *vcpu)
{
	struct vcpu_debug *d = &vcpu->debug;
	u64 dr7 = debug_effective_dr7(d);

	d->armed = dr7 & DR7_ENABLE;
	vendor_call(set_dr7)(vcpu, dr7);
}

void debug_vcpu_reset(struct x86_vcpu *vcpu)
{
	struct vcpu_debug *d = &vcpu->debug;

	memset(d->db, 0, sizeof(d->db));
	d->dr6 = DR6_ONES;
	d->dr7 = DR7_ONES;
	dr7_changed(vcpu);
	vendor_call(set_dr6)(vcpu, d->dr6);
}

/* ---- the guest's MOV DRn ---- */

bool debug_check_dr_access(struct x86_vcpu *vcpu, int dr, verdict_t *v)
{
	struct vcpu_debug *d = &vcpu->debug;

	*v = VERDICT_RESUME;
	if (dr > 7 || ((dr == 4 || dr == 5) && st_read(vcpu, ST_CR)->cr4 & X86_CR4_DE)) {
		keel_raise_ud(vcpu);
		return true;
	}
	if (st_read(vcpu, ST_CS)->cpl) {
		keel_raise_gp(vcpu);
		return true;
	}
	if (!(debug_effective_dr7(d) & DR7_GD_BIT))
		return false;
	if (debug_wants_db(d))
		*v = debug_exit(vcpu, VEC_DB, DR6_BD_BIT);
	else
		keel_raise_db(vcpu, DR6_BD_BIT);
	return true;
}

u64 debug_get_dr(struct x86_vcpu *vcpu, int dr)
{
	const struct vcpu_debug *d = &vcpu->debug;

	if (dr < 4)
		return d->db[array_index_nospec(dr, ARRAY_SIZE(d->db))];
	return dr & 1 ? d->dr7 : d->dr6;
}

int debug_set_dr(struct x86_vcpu *vcpu, int dr, u64 val)
{
	struct vcpu_debug *d = &vcpu->debug;

	if (dr < 4) {
		d->db[array_index_nospec(dr, ARRAY_SIZE(d->db))] = val;
		return 0;
	}
	if (val >> 32)
		return 1;
	if (dr & 1) {
		d->dr7 = (val & DR7_WRITABLE) | DR7_ONES;
		dr7_changed(vcpu);
	} else {
		d->dr6 = (val & DR6_WRITABLE) | DR6_ONES;
		vendor_call(set_dr6)(vcpu, d->dr6);
	}
	return 0;
}

/* ---- debug exceptions ---- */

void debug_apply_db(struct x86_vcpu *vcpu, u64 dr6)
{
	struct vcpu_debug *d = &vcpu->debug;

	/* The breakpoint bits are of this #DB alone, the others are sticky. */
	d->dr6 = (d->dr6 & ~0xfull) | (dr6 & DR6_WRITABLE) | DR6_ONES;
	vendor_call(set_dr6)(vcpu, d->dr6);
	if (d->dr7 & DR7_GD_BIT) {
		d->dr7 &= ~DR7_GD_BIT;
		dr7_changed(vcpu);
	}
}

verdict_t debug_exit(struct x86_vcpu *vcpu, u8 vector, u64 dr6)
{
	struct kvm_run *run = vcpu->v.run;

	run->exit_reason = KVM_EXIT_DEBUG;
	memset(&run->debug, 0, sizeof(run->debug));
	run->debug.arch.exception = vector;
	run->debug.arch.pc = linear_rip(vcpu);
	if (vector == VEC_DB) {
		run->debug.arch.dr6 = (dr6 & DR6_WRITABLE) | DR6_ONES;
		run->debug.arch.dr7 = debug_effective_dr7(&vcpu->debug);
	}
	return VERDICT_USER;
}

verdict_t debug_exception(struct x86_vcpu *vcpu, u8 vector, u64 dr6)
{
	if (vector == VEC_BP) {
		if (debug_wants_bp(&vcpu->debug))
			return debug_exit(vcpu, VEC_BP, 0);
		return keel_exit_emulate(vcpu);
	}
	if (debug_wants_db(&vcpu->debug))
		return debug_exit(vcpu, VEC_DB, dr6);
	keel_raise_db(vcpu, dr6);
	return VERDICT_RESUME;
}

verdict_t debug_single_step_trap(struct x86_vcpu *vcpu)
{
	if (debug_single_step(&vcpu->debug))
		return debug_exit(vcpu, VEC_DB, DR6_BS_BIT);
	keel_raise_db(vcpu, DR6_BS_BIT);
	return VERDICT_RESUME;
}

/* ---- around entries ---- */

void __debug_prepare_entry(struct x86_vcpu *vcpu)
{
	if (!(st_read(vcpu, ST_RFLAGS)->rflags & X86_EFLAGS_TF))
		st_write(vcpu, ST_RFLAGS)->rflags |= X86_EFLAGS_TF;
}

u64 debug_rflags(struct x86_vcpu *vcpu, u64 rflags)
{
	return debug_single_step(&vcpu->debug) ? rflags & ~(u64)X86_EFLAGS_TF : rflags;
}

void __debug_load_guest(struct x86_vcpu *vcpu)
{
	const struct vcpu_debug *d = &vcpu->debug;
	const u64 *db = d->control & KVM_GUESTDBG_USE_HW_BP ? d->user_db : d->db;

	/* The host's breakpoints must not fire between here and the entry. */
	set_debugreg(0, 7);
	if (!d->armed)
		return;
	set_debugreg(db[0], 0);
	set_debugreg(db[1], 1);
	set_debugreg(db[2], 2);
	set_debugreg(db[3], 3);
}

void __debug_load_host(void)
{
	hw_breakpoint_restore();
}

/* ---- ioctls ---- */

#define GUESTDBG_INJECT	(KVM_GUESTDBG_INJECT_DB | KVM_GUESTDBG_INJECT_BP)

static int inject_requested(struct x86_vcpu *vcpu, u32 control)
{
	if (!(control & GUESTDBG_INJECT))
		return 0;
	if (vcpu->ev.exc.pending || vcpu->ev.exc.injected)
		return -EBUSY;
	if (control & KVM_GUESTDBG_INJECT_DB)
		keel_raise(vcpu, VEC_DB);
	else
		keel_raise(vcpu, VEC_BP);
	return 0;
}

static long set_guest_debug(struct ioctl_ctx *c)
{
	struct x86_vcpu *vcpu = to_x86(c->vcpu);
	const struct kvm_guest_debug *dbg = c->data;
	struct vcpu_debug *d = &vcpu->debug;
	bool stepped = debug_single_step(d);
	int ret = inject_requested(vcpu, dbg->control);

	if (ret)
		return ret;
	d->control = dbg->control & KVM_GUESTDBG_ENABLE ? dbg->control : 0;
	if (d->control & KVM_GUESTDBG_USE_HW_BP) {
		memcpy(d->user_db, dbg->arch.debugreg, sizeof(d->user_db));
		d->user_dr7 = (dbg->arch.debugreg[7] & DR7_WRITABLE) | DR7_ONES;
	}
	if (stepped && !debug_single_step(d))
		st_write(vcpu, ST_RFLAGS)->rflags &= ~(u64)X86_EFLAGS_TF;
	dr7_changed(vcpu);
	vendor_call(update_intercepts)(vcpu);
	vcpu->ev.check = true;
	return 0;
}

static long get_debugregs(struct ioctl_ctx *c)
{
	const struct vcpu_debug *d = &to_x86(c->vcpu)->debug;
	struct kvm_debugregs *r = c->data;

	memcpy(r->db, d->db, sizeof(r->db));
	r->dr6 = d->dr6;
	r->dr7 = d->dr7;
	return 0;
}

static long set_debugregs(struct ioctl_ctx *c)
{
	struct x86_vcpu *vcpu = to_x86(c->vcpu);
	const struct kvm_debugregs *r = c->data;
	struct vcpu_debug *d = &vcpu->debug;

	if (r->flags || r->dr6 >> 32 || r->dr7 >> 32)
		return -EINVAL;
	memcpy(d->db, r->db, sizeof(d->db));
	d->dr6 = (r->dr6 & DR6_WRITABLE) | DR6_ONES;
	d->dr7 = (r->dr7 & DR7_WRITABLE) | DR7_ONES;
	dr7_changed(vcpu);
	vendor_call(set_dr6)(vcpu, d->dr6);
	return 0;
}

static const struct ioctl_row debug_vcpu_ioctls_rows[] = {
	{ KVM_SET_GUEST_DEBUG, IOC_VCPU, set_guest_debug },
	{ KVM_GET_DEBUGREGS, IOC_VCPU, get_debugregs },
	{ KVM_SET_DEBUGREGS, IOC_VCPU, set_debugregs },
};
IOCTL_TABLE(debug_vcpu_ioctls);
