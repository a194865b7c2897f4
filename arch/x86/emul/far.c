// SPDX-License-Identifier: GPL-2.0-only
/*
 * Far transfers without gates: JMP, CALL, RET, IRET (SDM 3A 6.8, 7.3). A gate or a task
 * in the way is reported as not emulated: hardware runs those itself.
 */
#include "internal.h"

#define SEL_NULL(sel)	(!((sel) & 0xfffc))

static bool is_long_code(struct emul_ctxt *c, const struct emul_seg *cs)
{
	return (cs->ar & EMUL_AR_L) && emul_long_mode(c);
}

/* Makes cs:rip the place to go on, if rip is a possible one there. */
static int set_cs_rip(struct emul_ctxt *c, const struct emul_seg *cs, u64 rip)
{
	bool lng = is_long_code(c, cs);

	if (!lng)
		rip = (u32)rip;
	if (lng ? !emul_canonical(c, rip) : rip > cs->limit)
		return emul_gp0(c);
	emul_put_seg(c, EMUL_CS, cs);
	c->w.rip = rip;
	c->rip_set = true;
	return EMUL_OK;
}

static int real_target(struct emul_ctxt *c, u16 sel, u64 rip)
{
	emul_load_real_seg(c, EMUL_CS, sel);
	if ((u32)rip > emul_seg(c, EMUL_CS)->limit)
		return emul_gp0(c);
	c->w.rip = (u32)rip;
	c->rip_set = true;
	return EMUL_OK;
}

static int far_target(struct emul_ctxt *c, u16 sel, u64 rip)
{
	struct emul_seg cs = { 0 };
	int ret;

	rip &= emul_mask(c->insn.op_bytes);
	if (!emul_is_prot(c))
		return real_target(c, sel, rip);
	ret = emul_code_seg(c, sel, c->cpl, false, VEC_GP, &cs);
	return ret ? ret : set_cs_rip(c, &cs, rip);
}

static int call_far(struct emul_ctxt *c, u16 sel, u64 rip)
{
	u16 old = emul_seg(c, EMUL_CS)->sel;
	int ret;

	/* Pushes first: they go by the old mode. Registers are a copy until commit. */
	ret = emul_push(c, old, c->insn.op_bytes);
	if (!ret)
		ret = emul_push(c, emul_next_rip(c), c->insn.op_bytes);
	return ret ? ret : far_target(c, sel, rip);
}

static int read_pointer(struct emul_ctxt *c, u16 *sel, u64 *off)
{
	u32 n = c->insn.op_bytes;
	u8 b[10];
	int ret = emul_read(c, c->insn.seg, c->ea, b, n + 2);

	if (ret)
		return ret;
	*off = 0;
	memcpy(off, b, n);
	memcpy(sel, b + n, 2);
	return EMUL_OK;
}

int em_jmp_far(struct emul_ctxt *c)
{
	return far_target(c, c->insn.imm2, c->insn.imm);
}

int em_call_far(struct emul_ctxt *c)
{
	return call_far(c, c->insn.imm2, c->insn.imm);
}

int em_jmp_far_m(struct emul_ctxt *c)
{
	u16 sel;
	u64 off;
	int ret = read_pointer(c, &sel, &off);

	return ret ? ret : far_target(c, sel, off);
}

int em_call_far_m(struct emul_ctxt *c)
{
	u16 sel;
	u64 off;
	int ret = read_pointer(c, &sel, &off);

	return ret ? ret : call_far(c, sel, off);
}

/* After a return to an outer ring: drop data segments it may not have (SDM 2B RET). */
static void drop_segments(struct emul_ctxt *c, u8 cpl)
{
	static const u8 segs[] = { EMUL_ES, EMUL_DS, EMUL_FS, EMUL_GS };
	struct emul_seg null = { .ar = EMUL_AR_UNUSABLE };
	const struct emul_seg *s;
	u32 i;

	for (i = 0; i < ARRAY_SIZE(segs); i++) {
		s = emul_seg(c, segs[i]);
		if ((s->ar & 0xc) == 0xc && (s->ar & EMUL_AR_S))
			continue;	/* conforming code */
		if (!(s->ar & EMUL_AR_UNUSABLE) && (s->ar & EMUL_AR_P) &&
		    ((s->ar & EMUL_AR_DPL) >> EMUL_AR_DPL_SHIFT) < cpl)
			emul_put_seg(c, segs[i], &null);
	}
}

/* SS:RSP popped by a return. The old mode was used for the pops, the new CS is loaded. */
static int outer_stack(struct emul_ctxt *c, u16 sel, u64 rsp, u8 cpl, bool to64, s64 drop)
{
	const struct emul_seg *ss;
	int ret;

	if (SEL_NULL(sel) && !to64)
		return emul_gp0(c);
	ret = emul_load_data_seg(c, EMUL_SS, sel, cpl, VEC_GP);
	if (ret)
		return ret;
	ss = emul_seg(c, EMUL_SS);
	if (to64)
		c->w.gpr[EMUL_RSP] = rsp + drop;
	else
		emul_set_reg(c, EMUL_RSP, rsp + drop, (ss->ar & EMUL_AR_DB) ? 4 : 2);
	return EMUL_OK;
}

/* The part that RET and IRET share once everything is popped. */
static int return_to(struct emul_ctxt *c, u16 cs_sel, u64 rip, bool stack, u16 ss_sel, u64 rsp,
		     s64 drop)
{
	struct emul_seg cs = { 0 };
	u8 cpl = cs_sel & 3;
	bool outer = cpl > c->cpl;
	int ret;

	ret = emul_code_seg(c, cs_sel, cpl, true, VEC_GP, &cs);
	if (!ret)
		ret = set_cs_rip(c, &cs, rip);
	if (ret)
		return ret;
	if (stack) {
		ret = outer_stack(c, ss_sel, rsp, cpl, is_long_code(c, &cs), drop);
		if (ret)
			return ret;
	}
	if (outer)
		drop_segments(c, cpl);
	return EMUL_OK;
}

int em_retf(struct emul_ctxt *c)
{
	u32 n = c->insn.op_bytes;
	u16 drop = c->insn.imm;
	u64 rip, cs, rsp = 0, ss = 0;
	bool outer;
	int ret;

	ret = emul_pop(c, &rip, n);
	if (!ret)
		ret = emul_pop(c, &cs, n);
	if (ret)
		return ret;
	emul_add_sp(c, drop);
	if (!emul_is_prot(c))
		return real_target(c, cs, rip);
	if ((cs & 3) < c->cpl)
		return emul_exc(c, VEC_GP, true, cs & 0xfffc);
	outer = (cs & 3) > c->cpl;
	if (outer) {
		ret = emul_pop(c, &rsp, n);
		if (!ret)
			ret = emul_pop(c, &ss, n);
		if (ret)
			return ret;
	}
	return return_to(c, cs, rip, outer, ss, rsp, drop);
}

/* Which flags IRET may change here, with the privileges of before (SDM 2A IRET). */
static void iret_flags(struct emul_ctxt *c, u64 v)
{
	u64 change = FL_STATUS | FL_TF | FL_DF | FL_NT;

	if (c->insn.op_bytes != 2)
		change |= FL_RF | FL_AC | FL_ID;
	if (c->mode == EMUL_REAL || c->cpl <= emul_iopl(c))
		change |= FL_IF;
	if (c->cpl == 0) {
		change |= FL_IOPL;
		if (c->insn.op_bytes != 2)
			change |= FL_VIF | FL_VIP;
	}
	c->w.rflags = (c->w.rflags & ~change) | (v & change);
	c->keep_rf = true;
	c->out.unmask_nmi = true;
}

static int iret_real(struct emul_ctxt *c)
{
	u32 n = c->insn.op_bytes;
	u64 rip, cs, fl;
	int ret;

	if (c->mode == EMUL_VM86 && emul_iopl(c) < 3) {
		if (c->ops->get_cr(c, 4) & CR4_VME)
			return EMUL_UNHANDLEABLE;
		return emul_gp0(c);
	}
	ret = emul_pop(c, &rip, n);
	if (!ret)
		ret = emul_pop(c, &cs, n);
	if (!ret)
		ret = emul_pop(c, &fl, n);
	if (!ret)
		ret = real_target(c, cs, rip);
	if (!ret)
		iret_flags(c, fl);
	return ret;
}

/* To a virtual-8086 task: ESP, SS, ES, DS, FS, GS follow on the stack. */
static int iret_to_vm86(struct emul_ctxt *c, u64 rip, u16 cs, u64 fl)
{
	static const u8 order[] = { EMUL_SS, EMUL_ES, EMUL_DS, EMUL_FS, EMUL_GS };
	u64 sel[ARRAY_SIZE(order)], rsp;
	u8 mode = c->mode;
	u32 i;
	int ret;

	ret = emul_pop(c, &rsp, 4);
	for (i = 0; i < ARRAY_SIZE(order) && !ret; i++)
		ret = emul_pop(c, &sel[i], 4);
	if (ret)
		return ret;
	if ((rip & 0xffffffff) > 0xffff)
		return emul_gp0(c);
	iret_flags(c, fl);
	c->w.rflags |= FL_VM;
	c->mode = EMUL_VM86;		/* for the segment loads only */
	emul_load_real_seg(c, EMUL_CS, cs);
	for (i = 0; i < ARRAY_SIZE(order); i++)
		emul_load_real_seg(c, order[i], sel[i]);
	c->mode = mode;
	c->w.gpr[EMUL_RSP] = (u32)rsp;
	c->w.rip = (u16)rip;
	c->rip_set = true;
	return EMUL_OK;
}

int em_iret(struct emul_ctxt *c)
{
	u32 n = c->insn.op_bytes;
	u64 rip, cs, fl, rsp = 0, ss = 0;
	bool stack;
	int ret;

	if (!emul_is_prot(c))
		return iret_real(c);
	if (c->w.rflags & FL_NT)	/* return from a nested task; long mode has none */
		return emul_long_mode(c) ? emul_gp0(c) : EMUL_UNHANDLEABLE;
	ret = emul_pop(c, &rip, n);
	if (!ret)
		ret = emul_pop(c, &cs, n);
	if (!ret)
		ret = emul_pop(c, &fl, n);
	if (ret)
		return ret;
	if ((fl & FL_VM) && n == 4 && c->cpl == 0 && !emul_long_mode(c))
		return iret_to_vm86(c, rip, cs, fl);
	if ((cs & 3) < c->cpl)
		return emul_exc(c, VEC_GP, true, cs & 0xfffc);
	stack = emul_is64(c) || (cs & 3) > c->cpl;
	if (stack) {
		ret = emul_pop(c, &rsp, n);
		if (!ret)
			ret = emul_pop(c, &ss, n);
		if (ret)
			return ret;
	}
	ret = return_to(c, cs, rip, stack, ss, rsp, 0);
	if (!ret)
		iret_flags(c, fl);
	return ret;
}
