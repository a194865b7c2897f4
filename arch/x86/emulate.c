// SPDX-License-Identifier: GPL-2.0-only
/*
 * Running one guest instruction in the emulator, and what follows from its
 * result: events, an exit to userspace and its completion.
 */
#include <linux/build_bug.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <asm/processor-flags.h>
#include "virt/compat/compat.h"
#include "virt/compat/guest_context.h"
#include "arch/x86/x86.h"
#include "arch/x86/trace.h"

/* The emulator works on the vCPU's registers in place. */
static_assert(offsetof(struct x86_regs, gpr) == offsetof(struct emul_regs, gpr));
static_assert(offsetof(struct x86_regs, rip) == offsetof(struct emul_regs, rip));
static_assert(offsetof(struct x86_regs, rflags) == offsetof(struct emul_regs, rflags));

#define ST_EMUL	(ST_RIP | ST_RSP | ST_RFLAGS)

static verdict_t run_insn(struct x86_vcpu *vcpu);
static verdict_t give_posted(struct x86_vcpu *vcpu);

enum emul_mode emulate_mode(struct x86_vcpu *vcpu)
{
	const struct x86_regs *r = st_read(vcpu, ST_CR | ST_EFER | ST_CS | ST_RFLAGS);

	if (!(r->cr0 & X86_CR0_PE))
		return EMUL_REAL;
	if (r->rflags & X86_EFLAGS_VM)
		return EMUL_VM86;
	if ((r->efer & EFER_LMA) && (r->seg[S_CS].attr & SEG_L))
		return EMUL_PROT64;
	return r->seg[S_CS].attr & SEG_DB ? EMUL_PROT32 : EMUL_PROT16;
}

/* Where there is no note: the way of the instruction's bytes through the emulator's eyes. */
static int fetch_insn_length(struct x86_vcpu *vcpu)
{
	u32 access = GW_FETCH | (st_read(vcpu, ST_CS)->cpl == 3 ? GW_USER : 0);
	struct virt_fault f;
	u8 buf[EMUL_INSN_MAX];
	int n, len;

	n = vcpu_fetch_virt(vcpu, linear_rip(vcpu), buf, sizeof(buf), access, &f);
	if (n <= 0)
		return 0;
	len = emul_insn_length(buf, n, emulate_mode(vcpu));
	return max(len, 0);
}

int emulate_insn_length(struct x86_vcpu *vcpu)
{
	struct insn_note *n = insn_note_at_rip(vcpu);

	if (unlikely(!n))
		return fetch_insn_length(vcpu);
	if (unlikely(!n->len))
		n->len = max(emul_insn_length(n->bytes, EMUL_INSN_MAX, EMUL_PROT64), 0);
	return n->len;
}

static struct emul_state *alloc_state(struct x86_vcpu *vcpu)
{
	struct emul_state *e = kzalloc(sizeof(*e), GFP_KERNEL_ACCOUNT);

	if (!e)
		return NULL;
	e->c.ops = &emulate_ops;
	e->c.priv = vcpu;
	e->c.regs = (struct emul_regs *)&vcpu->regs;
	e->c.io_buf = vcpu->v.pio_data;
	e->c.io_buf_len = PAGE_SIZE;
	vcpu->emul.state = e;
	return e;
}

static struct emul_ctxt *emul_begin(struct x86_vcpu *vcpu)
{
	struct emul_state *e = vcpu->emul.state ?: alloc_state(vcpu);
	struct emul_ctxt *c;

	if (unlikely(!e))
		return NULL;
	e->nr_posted = 0;
	e->next_posted = 0;
	e->io_after = false;
	e->trap_after = false;
	c = &e->c;
	st_read(vcpu, ST_EMUL);
	c->mode = emulate_mode(vcpu);
	c->cpl = st_read(vcpu, ST_CS)->cpl;
	c->va_bits = st_read(vcpu, ST_CR)->cr4 & X86_CR4_LA57 ? 57 : 48;
	c->model = vcpu->cpuid.zero_out_of_range ? EMUL_SYSCALL_LEGACY : EMUL_SYSENTER_LONG;
	emul_init(c);
	return c;
}

void emulate_vcpu_destroy(struct x86_vcpu *vcpu)
{
	kfree(vcpu->emul.state);
	vcpu->emul.state = NULL;
}

verdict_t emulate_failed(struct x86_vcpu *vcpu)
{
	struct kvm_run *run = vcpu->v.run;
	const struct emul_ctxt *c = vcpu->emul.state ? &vcpu->emul.state->c : NULL;

	if (vcpu->emul.after_ud ||
	    (st_read(vcpu, ST_CS)->cpl == 3 && !vcpu_vm(vcpu)->exit_on_emul_failure)) {
		keel_raise_ud(vcpu);
		return VERDICT_RESUME;
	}
	run->exit_reason = KVM_EXIT_INTERNAL_ERROR;
	memset(&run->emulation_failure, 0, sizeof(run->emulation_failure));
	run->emulation_failure.suberror = KVM_INTERNAL_ERROR_EMULATION;
	if (c && c->insn.nr_bytes) {
		run->emulation_failure.ndata = 3;
		run->emulation_failure.flags =
			KVM_INTERNAL_ERROR_EMULATION_FLAG_INSTRUCTION_BYTES;
		run->emulation_failure.insn_size = c->insn.nr_bytes;
		memset(run->emulation_failure.insn_bytes, 0x90, EMUL_INSN_MAX);
		memcpy(run->emulation_failure.insn_bytes, c->insn.bytes, c->insn.nr_bytes);
	}
	return VERDICT_USER;
}

static verdict_t inject_fault(struct x86_vcpu *vcpu, const struct emul_exception *e)
{
	switch (e->vector) {
	case 14:
		keel_raise_pf(vcpu, e->error, e->cr2);
		break;
	case 1:
		if (debug_wants_db(&vcpu->debug))
			return debug_exit(vcpu, 1, e->dr6);
		keel_raise_db(vcpu, e->dr6);
		break;
	default:
		if (e->has_error)
			keel_raise_err(vcpu, e->vector, e->error);
		else
			keel_raise(vcpu, e->vector);
	}
	return VERDICT_RESUME;
}

static void inject_soft(struct x86_vcpu *vcpu, const struct emul_ctxt *c)
{
	switch (c->out.inject) {
	case EMUL_INJ_SOFT_INT:
		event_soft_int(vcpu, c->out.vector, c->insn.len);
		break;
	case EMUL_INJ_SOFT_EXC:
		event_raise_soft(vcpu, c->out.vector, c->insn.len);
		break;
	case EMUL_INJ_PRIV_EXC:
		keel_raise_db(vcpu, 0);
		break;
	}
}

/* The last of an instruction: what the CPU looks at behind it. */
static verdict_t after_insn(struct x86_vcpu *vcpu)
{
	const struct emul_ctxt *c = &vcpu->emul.state->c;

	if (c->out.halt)
		return exit_halt(vcpu);
	if (c->out.single_step || debug_single_step(&vcpu->debug))
		return debug_single_step_trap(vcpu);
	return VERDICT_RESUME;
}

/* The instruction is architecturally done, but for the stores that userspace gets. */
static verdict_t insn_done(struct x86_vcpu *vcpu)
{
	struct emul_state *e = vcpu->emul.state;
	struct emul_ctxt *c = &e->c;
	struct x86_regs *r = st_overwrite(vcpu, ST_EMUL);
	bool behind;

	if (!c->out.partial) {
		st_read(vcpu, ST_SHADOW);
		if (r->int_shadow != c->out.shadow)
			st_write(vcpu, ST_SHADOW)->int_shadow = c->out.shadow;
		/* IF, TF or the TPR may have changed: look at events again. */
		vcpu->ev.check = true;
		if (c->out.unmask_nmi)
			vendor_call(set_nmi_masked)(vcpu, false);
		if (c->out.inject)
			inject_soft(vcpu, c);
	}
	/* TF traps behind each iteration of a string instruction. */
	behind = !c->out.partial || c->out.single_step;
	if (e->nr_posted) {
		e->trap_after = behind;
		return give_posted(vcpu);
	}
	return behind ? after_insn(vcpu) : VERDICT_RESUME;
}

/* Userspace may have replaced the state meanwhile: then what waits for it is forgotten. */
static bool state_replaced(struct x86_vcpu *vcpu)
{
	return linear_rip(vcpu) != vcpu->emul.rip;
}

/* Userspace has done its part of a port or MMIO access. */
static verdict_t complete_io(struct x86_vcpu *vcpu)
{
	struct emul_ctxt *c = &vcpu->emul.state->c;
	struct kvm_run *run = vcpu->v.run;
	u32 len = c->io.size * c->io.count;

	if (state_replaced(vcpu)) {
		emul_init(c);
		return VERDICT_RESUME;
	}
	if (!c->io.write) {
		if (!c->io.pio)
			memcpy(c->io.data, run->mmio.data, len);
		else if (c->io.data != vcpu->v.pio_data)
			memcpy(c->io.data, vcpu->v.pio_data, len);
	}
	st_read(vcpu, ST_EMUL);
	emul_io_done(c);
	return run_insn(vcpu);
}

verdict_t exit_fill_mmio(struct x86_vcpu *vcpu, gpa_t gpa, const void *data, u32 len, bool write)
{
	struct kvm_run *run = vcpu->v.run;

	run->exit_reason = KVM_EXIT_MMIO;
	run->mmio.phys_addr = gpa;
	run->mmio.len = len;
	run->mmio.is_write = write;
	memset(run->mmio.data, 0, sizeof(run->mmio.data));
	if (write)
		memcpy(run->mmio.data, data, len);
	return VERDICT_USER;
}

static verdict_t to_userspace(struct x86_vcpu *vcpu)
{
	struct emul_ctxt *c = &vcpu->emul.state->c;
	u32 len = c->io.size * c->io.count;

	vcpu->emul.rip = linear_rip(vcpu);
	vcpu->complete = complete_io;
	if (!c->io.pio)
		return exit_fill_mmio(vcpu, c->io.addr, c->io.data, len, c->io.write);
	exit_fill_io(vcpu, !c->io.write, c->io.addr, c->io.size, c->io.count);
	if (c->io.data != vcpu->v.pio_data)
		memcpy(vcpu->v.pio_data, c->io.data, len);
	return VERDICT_USER;
}

/* ---- stores for userspace ---- */

bool emulate_writes_posted(const struct x86_vcpu *vcpu)
{
	return vcpu->emul.state->nr_posted;
}

bool emulate_post_write(struct x86_vcpu *vcpu, gpa_t gpa, const void *buf, u32 len)
{
	struct emul_state *e = vcpu->emul.state;
	struct emul_posted *p = &e->posted[e->nr_posted];

	if (e->nr_posted >= ARRAY_SIZE(e->posted))
		return false;
	p->gpa = gpa;
	p->len = len;
	memcpy(&p->data, buf, len);
	e->nr_posted++;
	return true;
}

bool emulate_loop_wanted(struct x86_vcpu *vcpu)
{
	u64 timer = vcpu->apic.countdown_tsc;

	return vcpu->ev.check || vcpu_has_requests(&vcpu->v) || keel_xfer_work_pending() ||
	       READ_ONCE(vcpu->v.run->immediate_exit) || (timer && rdtsc() >= timer) ||
	       event_user_window_open(vcpu);
}

/* The store given last is done; what comes behind it? */
static verdict_t complete_posted(struct x86_vcpu *vcpu)
{
	struct emul_state *e = vcpu->emul.state;

	if (state_replaced(vcpu)) {
		emul_init(&e->c);
		return VERDICT_RESUME;
	}
	if (e->next_posted < e->nr_posted)
		return give_posted(vcpu);
	e->nr_posted = 0;
	e->next_posted = 0;
	if (e->io_after) {
		e->io_after = false;
		return to_userspace(vcpu);
	}
	if (e->trap_after)
		return after_insn(vcpu);
	/* A string instruction goes on without a detour through the guest, unless somebody waits for that. */
	if (emulate_loop_wanted(vcpu))
		return VERDICT_RESUME;
	st_read(vcpu, ST_EMUL);
	return run_insn(vcpu);
}

static verdict_t give_posted(struct x86_vcpu *vcpu)
{
	struct emul_state *e = vcpu->emul.state;
	const struct emul_posted *p = &e->posted[e->next_posted++];

	vcpu->emul.rip = linear_rip(vcpu);
	vcpu->complete = complete_posted;
	return exit_fill_mmio(vcpu, p->gpa, &p->data, p->len, true);
}

static verdict_t act_on(struct x86_vcpu *vcpu, int result)
{
	switch (result) {
	case EMUL_OK:
		return insn_done(vcpu);
	case EMUL_FAULT:
		return inject_fault(vcpu, &vcpu->emul.state->c.exc);
	case EMUL_IO_NEEDED:
		/* A string instruction may have committed iterations already. */
		st_overwrite(vcpu, ST_EMUL);
		if (!vcpu->emul.state->nr_posted)
			return to_userspace(vcpu);
		vcpu->emul.state->io_after = true;
		return give_posted(vcpu);
	case EMUL_RETRY:
		return VERDICT_RESUME;
	default:
		return emulate_failed(vcpu);
	}
}

static verdict_t run_insn(struct x86_vcpu *vcpu)
{
	int result = emul_execute(&vcpu->emul.state->c);

	/* Iterations of a string instruction stay done when a later one faults. */
	if (result == EMUL_FAULT)
		st_overwrite(vcpu, ST_EMUL);
	return act_on(vcpu, result);
}

/* Decode, or take over what was decoded the last time. */
static int decode(struct emul_ctxt *c, struct insn_note *n, const u8 *bytes, int nr)
{
	int result;

	if (!n)
		return emul_decode(c, bytes, nr);
	if (n->decoded) {
		c->insn = n->insn;
		return EMUL_OK;
	}
	result = emul_decode(c, n->bytes, EMUL_INSN_MAX);
	n->insn = c->insn;
	n->decoded = result == EMUL_OK;
	return result;
}

verdict_t emulate_insn(struct x86_vcpu *vcpu, struct insn_note *n, const u8 *bytes, int nr)
{
	struct emul_ctxt *c = emul_begin(vcpu);
	int result;

	if (!c)
		return -ENOMEM;
	vcpu->v.stats.insn_emulation++;
	result = decode(c, n, bytes, nr);
	trace_kvm_emulate_insn(vcpu->regs.rip, st_read(vcpu, ST_CS)->seg[S_CS].base,
			       c->insn.nr_bytes, c->insn.bytes, c->mode, result != EMUL_OK);
	if (unlikely(result != EMUL_OK)) {
		vcpu->v.stats.insn_emulation_fail += result == EMUL_UNHANDLEABLE;
		return act_on(vcpu, result);
	}
	return run_insn(vcpu);
}

verdict_t emulate_task_switch(struct x86_vcpu *vcpu, const struct x86_task_switch *ts, u64 fault_rip)
{
	struct emul_ctxt *c = emul_begin(vcpu);
	int result;

	if (!c)
		return -ENOMEM;
	result = emul_task_switch(c, ts->selector, ts->reason, fault_rip, ts->has_error, ts->err);
	st_overwrite(vcpu, ST_EMUL);
	if (result == EMUL_OK) {
		vcpu->ev.check = true;
		return VERDICT_RESUME;
	}
	return result == EMUL_FAULT ? inject_fault(vcpu, &c->exc) : emulate_failed(vcpu);
}
