// SPDX-License-Identifier: GPL-2.0-only
/* Data movement between registers, memory and the stack. */
#include "internal.h"

int em_nop(struct emul_ctxt *c)
{
	c->no_writeback = true;
	return EMUL_OK;
}

/* No cache is modelled; but the address is checked as that of a load (SDM 2A, CLFLUSH). */
int em_clflush(struct emul_ctxt *c)
{
	return emul_probe(c, c->insn.seg, c->ea, false);
}

int em_mov(struct emul_ctxt *c)
{
	c->dst = c->src;
	return EMUL_OK;
}

int em_movsx8(struct emul_ctxt *c)
{
	c->dst = emul_sext(c->src, 1);
	return EMUL_OK;
}

int em_movsx16(struct emul_ctxt *c)
{
	c->dst = emul_sext(c->src, 2);
	return EMUL_OK;
}

int em_movsx32(struct emul_ctxt *c)
{
	c->dst = emul_sext(c->src, 4);
	return EMUL_OK;
}

/* r/m with reg, and (90-97) the accumulator with an opcode register. */
int em_xchg(struct emul_ctxt *c)
{
	u64 t = c->dst;

	c->dst = c->src;
	if (c->insn.has_modrm)
		emul_set_gpr(c, c->insn.reg, t, c->bytes);
	else
		emul_set_reg(c, EMUL_RAX, t, c->bytes);
	return EMUL_OK;
}

/* 90 is NOP and PAUSE unless REX.B makes it XCHG R8, rAX. */
int em_nop_xchg(struct emul_ctxt *c)
{
	return (c->insn.rex & 1) ? em_xchg(c) : em_nop(c);
}

int em_lea(struct emul_ctxt *c)
{
	c->dst = c->ea;
	return EMUL_OK;
}

int em_xlat(struct emul_ctxt *c)
{
	u64 off = (c->w.gpr[EMUL_RBX] + (u8)c->w.gpr[EMUL_RAX]) & emul_mask(c->insn.ad_bytes);
	u8 v;
	int ret = emul_read(c, c->insn.seg, off, &v, 1);

	if (!ret)
		emul_set_reg(c, EMUL_RAX, v, 1);
	return ret;
}

int em_push(struct emul_ctxt *c)
{
	return emul_push(c, c->src, c->bytes);
}

/* The destination is written after SP has moved: POP RSP gets the popped value. */
int em_pop(struct emul_ctxt *c)
{
	return emul_pop(c, &c->dst, c->bytes);
}

/* The address of POP m is computed with the SP after the pop (SDM 2B POP). */
int em_pop_rm(struct emul_ctxt *c)
{
	u64 v;
	int ret = emul_pop(c, &v, c->bytes);

	if (ret)
		return ret;
	if (c->insn.has_mem)
		c->ea = emul_ea(c);
	return emul_write_rm(c, c->bytes, v);
}

int em_pusha(struct emul_ctxt *c)
{
	u64 sp = c->w.gpr[EMUL_RSP];
	int r, ret = EMUL_OK;

	for (r = EMUL_RAX; r <= EMUL_RDI && !ret; r++)
		ret = emul_push(c, r == EMUL_RSP ? sp : c->w.gpr[r], c->bytes);
	return ret;
}

int em_popa(struct emul_ctxt *c)
{
	int r, ret;
	u64 v;

	for (r = EMUL_RDI; r >= EMUL_RAX; r--) {
		ret = emul_pop(c, &v, c->bytes);
		if (ret)
			return ret;
		if (r != EMUL_RSP)
			emul_set_reg(c, r, v, c->bytes);
	}
	return EMUL_OK;
}

/* Virtual-8086 tasks below IOPL 3 trap on flag instructions; VME would virtualise them. */
static int check_v86(struct emul_ctxt *c)
{
	if (c->mode != EMUL_VM86 || emul_iopl(c) == 3)
		return EMUL_OK;
	if (c->ops->get_cr(c, 4) & CR4_VME)
		return EMUL_UNHANDLEABLE;
	return emul_gp0(c);
}

int em_pushf(struct emul_ctxt *c)
{
	int ret = check_v86(c);

	return ret ? ret : emul_push(c, c->w.rflags & ~(u64)(FL_VM | FL_RF), c->bytes);
}

int em_popf(struct emul_ctxt *c)
{
	u64 v, change = FL_STATUS | FL_TF | FL_DF | FL_NT | FL_AC | FL_ID;
	int ret = check_v86(c);

	if (!ret)
		ret = emul_pop(c, &v, c->bytes);
	if (ret)
		return ret;
	if (c->mode == EMUL_REAL || c->cpl <= emul_iopl(c))
		change |= FL_IF;
	if (c->cpl == 0)
		change |= FL_IOPL;
	if (c->bytes == 2)
		change &= 0xffff;
	c->w.rflags = (c->w.rflags & ~change) | (v & change);
	return EMUL_OK;
}

int em_lahf(struct emul_ctxt *c)
{
	u64 f = (c->w.rflags & 0xff & FL_ALL) | FL_FIXED;

	c->w.gpr[EMUL_RAX] = (c->w.gpr[EMUL_RAX] & ~0xff00ull) | f << 8;
	return EMUL_OK;
}

int em_sahf(struct emul_ctxt *c)
{
	const u64 m = FL_STATUS & 0xff;

	c->w.rflags = (c->w.rflags & ~m) | (c->w.gpr[EMUL_RAX] >> 8 & m);
	return EMUL_OK;
}

int em_enter(struct emul_ctxt *c)
{
	u32 level = c->insn.imm2 & 31, n;
	u64 frame, bp = c->w.gpr[EMUL_RBP], m = emul_stack_mask(c), v;
	int ret;

	ret = emul_push(c, bp, c->bytes);
	if (ret)
		return ret;
	frame = c->w.gpr[EMUL_RSP];
	for (n = 1; n < level; n++) {
		bp -= c->bytes;
		v = 0;
		ret = emul_read(c, EMUL_SS, bp & m, &v, c->bytes);
		if (!ret)
			ret = emul_push(c, v, c->bytes);
		if (ret)
			return ret;
	}
	if (level) {
		ret = emul_push(c, frame, c->bytes);
		if (ret)
			return ret;
	}
	emul_set_reg(c, EMUL_RBP, frame, c->bytes);
	emul_add_sp(c, -(s64)(c->insn.imm & 0xffff));
	/* SDM 2A, ENTER: it faults where a write by the final stack pointer would. */
	return emul_probe(c, EMUL_SS, c->w.gpr[EMUL_RSP] & m, true);
}

int em_leave(struct emul_ctxt *c)
{
	u64 m = emul_stack_mask(c), v;
	int ret;

	c->w.gpr[EMUL_RSP] = (c->w.gpr[EMUL_RSP] & ~m) | (c->w.gpr[EMUL_RBP] & m);
	ret = emul_pop(c, &v, c->bytes);
	if (!ret)
		emul_set_reg(c, EMUL_RBP, v, c->bytes);
	return ret;
}
