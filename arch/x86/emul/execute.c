// SPDX-License-Identifier: GPL-2.0-only
/*
 * One attempt at an instruction: start from the vCPU's state, run the handler on
 * a copy, commit when it succeeded.
 */
#include "internal.h"

void emul_init(struct emul_ctxt *c)
{
	memset(&c->insn, 0, sizeof(c->insn));
	memset(&c->out, 0, sizeof(c->out));
	memset(&c->exc, 0, sizeof(c->exc));
	memset(&c->io, 0, sizeof(c->io));
	memset(c->tlb, 0, sizeof(c->tlb));
	c->tlb_next = 0;
	c->seg_valid = 0;
	c->seg_dirty = 0;
	c->resumed = false;
	c->log_wait = 0;
	emul_log_reset(c);
}

static void begin(struct emul_ctxt *c)
{
	c->w = *c->regs;
	c->out = (struct emul_out){ 0 };
	/* The write half of an RMW goes where its read half went, even after userspace. */
	if (!c->resumed)
		memset(c->tlb, 0, sizeof(c->tlb));
	c->seg_valid = 0;
	c->seg_dirty = 0;
	c->log_pos = 0;
	c->rip_set = false;
	c->keep_rf = false;
	c->step = STEP_OLD;
	c->no_writeback = false;
}

static void commit(struct emul_ctxt *c, bool tf)
{
	u32 s;

	if (c->out.partial) {
		/* Still at this instruction: no breakpoint on it again (SDM 3B 18.3.1.1). */
		c->w.rip = c->regs->rip;
		c->w.rflags |= FL_RF;
	} else {
		if (!c->rip_set)
			c->w.rip = emul_next_rip(c);
		if (!c->keep_rf)
			c->w.rflags &= ~(u64)FL_RF;
	}
	if (c->step == STEP_NEW)
		tf = c->w.rflags & FL_TF;
	else if (c->step == STEP_NEVER)
		tf = false;
	c->out.single_step = tf;
	*c->regs = c->w;
	for (s = 0; s < EMUL_NR_SEGS; s++) {
		if (c->seg_dirty & (1u << s))
			c->ops->set_seg(c, s, &c->segs[s]);
	}
	if (c->seg_dirty & (1u << EMUL_SS))
		c->cpl = (c->segs[EMUL_SS].ar & EMUL_AR_DPL) >> EMUL_AR_DPL_SHIFT;
	c->seg_dirty = 0;
}

int emul_execute(struct emul_ctxt *c)
{
	const struct emul_opcode *op = c->insn.op;
	bool tf = c->regs->rflags & FL_TF;
	int ret = EMUL_OK;

	if (!op)
		return EMUL_UNHANDLEABLE;
	begin(c);
	if ((op->flags & F_CPL0) && c->cpl)
		ret = emul_gp0(c);
	if (!ret && !c->resumed && c->ops->intercept && !(op->flags & F_PORT))
		ret = c->ops->intercept(c);
	if (!ret)
		ret = emul_run_operands(c, op);
	if (ret == EMUL_IO_NEEDED) {
		c->resumed = true;
		return ret;
	}
	c->resumed = false;
	emul_log_reset(c);
	if (!ret)
		commit(c, tf);
	return ret;
}
