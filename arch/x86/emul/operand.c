// SPDX-License-Identifier: GPL-2.0-only
/*
 * Operands: registers, effective addresses, and the read - compute - write frame
 * around most handlers.
 */
#include "internal.h"

/* Without REX, byte registers 4-7 are AH, CH, DH, BH. */
static bool is_high_byte(const struct emul_ctxt *c, u8 reg, u32 bytes)
{
	return bytes == 1 && !c->insn.rex && reg >= 4 && reg < 8;
}

u64 emul_get_gpr(const struct emul_ctxt *c, u8 reg, u32 bytes)
{
	if (is_high_byte(c, reg, bytes))
		return (u8)(c->w.gpr[reg & 3] >> 8);
	return c->w.gpr[reg & 15] & emul_mask(bytes);
}

void emul_set_reg(struct emul_ctxt *c, u8 reg, u64 val, u32 bytes)
{
	u64 *r = &c->w.gpr[reg & 15];

	if (bytes == 8)
		*r = val;
	else if (bytes == 4)
		*r = (u32)val;		/* 32-bit results clear the upper half */
	else
		*r = (*r & ~emul_mask(bytes)) | (val & emul_mask(bytes));
}

void emul_set_gpr(struct emul_ctxt *c, u8 reg, u64 val, u32 bytes)
{
	u64 *r = &c->w.gpr[reg & 3];

	if (is_high_byte(c, reg, bytes))
		*r = (*r & ~0xff00ull) | (val & 0xff) << 8;
	else
		emul_set_reg(c, reg, val, bytes);
}

u64 emul_next_rip(const struct emul_ctxt *c)
{
	u64 rip = c->regs->rip + c->insn.len;

	return emul_is64(c) ? rip : (u32)rip;
}

static u64 ea16(const struct emul_insn *i, const u64 *g)
{
	switch (i->modrm & 7) {
	case 0:
		return g[EMUL_RBX] + g[EMUL_RSI];
	case 1:
		return g[EMUL_RBX] + g[EMUL_RDI];
	case 2:
		return g[EMUL_RBP] + g[EMUL_RSI];
	case 3:
		return g[EMUL_RBP] + g[EMUL_RDI];
	case 4:
		return g[EMUL_RSI];
	case 5:
		return g[EMUL_RDI];
	case 6:
		return i->mod ? g[EMUL_RBP] : 0;
	default:
		return g[EMUL_RBX];
	}
}

static u64 ea32(const struct emul_insn *i, const u64 *g, u64 next_rip)
{
	u8 base, index;
	u64 ea = 0;

	if (!i->has_sib) {
		if (i->rip_rel)
			return next_rip;
		if (i->mod == 0 && (i->modrm & 7) == 5)
			return 0;
		return g[i->rm & 15];
	}
	base = (i->sib & 7) | (i->rex & 1) << 3;
	index = (i->sib >> 3 & 7) | (i->rex & 2) << 2;
	if ((base & 7) != 5 || i->mod)
		ea = g[base];
	if (index != 4)
		ea += g[index] << (i->sib >> 6);
	return ea;
}

u64 emul_insn_ea(const struct emul_insn *i, const u64 *gpr, u64 next_rip)
{
	u64 ea;

	if (!i->has_modrm)
		ea = i->imm;
	else if (i->ad_bytes == 2)
		ea = ea16(i, gpr) + i->disp;
	else
		ea = ea32(i, gpr, next_rip) + i->disp;
	return ea & emul_mask(i->ad_bytes);
}

/* The offset that the ModRM memory operand names, from the working registers. */
u64 emul_ea(struct emul_ctxt *c)
{
	return emul_insn_ea(&c->insn, c->w.gpr, emul_next_rip(c));
}

int emul_read_rm(struct emul_ctxt *c, u32 bytes, u64 *val)
{
	*val = 0;
	if (c->insn.has_mem)
		return emul_read(c, c->insn.seg, c->ea, val, bytes);
	*val = emul_get_gpr(c, c->insn.rm, bytes);
	return EMUL_OK;
}

int emul_write_rm(struct emul_ctxt *c, u32 bytes, u64 val)
{
	if (c->insn.has_mem)
		return emul_write(c, c->insn.seg, c->ea, &val, bytes);
	emul_set_gpr(c, c->insn.rm, val, bytes);
	return EMUL_OK;
}

int emul_branch(struct emul_ctxt *c, u64 rip, u32 bytes)
{
	if (emul_is64(c)) {
		if (!emul_canonical(c, rip))
			return emul_gp0(c);
	} else {
		rip &= bytes == 2 ? 0xffff : 0xffffffff;
		if (rip > emul_seg(c, EMUL_CS)->limit)
			return emul_gp0(c);
	}
	c->w.rip = rip;
	c->rip_set = true;
	return EMUL_OK;
}

static u8 opreg(const struct emul_insn *i)
{
	return (i->opcode & 7) | (i->rex & 1) << 3;
}

static int fetch_operand(struct emul_ctxt *c, u8 kind, u32 bytes, bool rmw, u64 *val)
{
	const struct emul_insn *i = &c->insn;

	*val = 0;
	switch (kind) {
	case O_RM:
	case O_MOFFS:
		if (rmw && i->has_mem)
			return emul_read_rmw(c, i->seg, c->ea, val, bytes);
		return emul_read_rm(c, bytes, val);
	case O_RM8:
		return emul_read_rm(c, 1, val);
	case O_RM16:
		return emul_read_rm(c, 2, val);
	case O_RM32:
		return emul_read_rm(c, 4, val);
	case O_REG:
		*val = emul_get_gpr(c, i->reg, bytes);
		return EMUL_OK;
	case O_ACC:
		*val = c->w.gpr[EMUL_RAX] & emul_mask(bytes);
		return EMUL_OK;
	case O_OPREG:
		*val = emul_get_gpr(c, opreg(i), bytes);
		return EMUL_OK;
	case O_IMM:
		*val = i->imm & emul_mask(bytes);
		return EMUL_OK;
	case O_ONE:
		*val = 1;
		return EMUL_OK;
	case O_CL:
		*val = (u8)c->w.gpr[EMUL_RCX];
		return EMUL_OK;
	default:
		return EMUL_OK;
	}
}

static int store_operand(struct emul_ctxt *c, const struct emul_opcode *op)
{
	const struct emul_insn *i = &c->insn;

	switch (op->dst) {
	case O_RM:
	case O_MOFFS:
		if (i->has_mem && (i->lock || (op->flags & F_XCHG)))
			return emul_write_locked(c, i->seg, c->ea, &c->dst_orig, &c->dst,
						 c->bytes);
		return emul_write_rm(c, c->bytes, c->dst);
	case O_REG:
		emul_set_gpr(c, i->reg, c->dst, c->bytes);
		return EMUL_OK;
	case O_ACC:
		emul_set_reg(c, EMUL_RAX, c->dst, c->bytes);
		return EMUL_OK;
	case O_OPREG:
		emul_set_gpr(c, opreg(i), c->dst, c->bytes);
		return EMUL_OK;
	default:
		return EMUL_OK;
	}
}

/* BT and its kin with a register offset reach beyond the operand (SDM 2A BT). */
static void move_bit_base(struct emul_ctxt *c)
{
	u32 shift = c->bytes == 2 ? 4 : c->bytes == 4 ? 5 : 6;
	s64 off = (s64)emul_sext(c->src, c->bytes) >> shift;

	c->ea = (c->ea + (u64)off * c->bytes) & emul_mask(c->insn.ad_bytes);
}

int emul_run_operands(struct emul_ctxt *c, const struct emul_opcode *op)
{
	bool writes = op->dst && !(op->flags & F_NOWRITE);
	int ret;

	c->bytes = (op->flags & F_BYTE) ? 1 : (op->flags & F_WORD) ? 2 : c->insn.op_bytes;
	if (c->insn.has_mem)
		c->ea = emul_ea(c);
	ret = fetch_operand(c, op->src, c->bytes, false, &c->src);
	if (ret)
		return ret;
	if ((op->flags & F_BITOFF) && c->insn.has_mem)
		move_bit_base(c);
	c->dst = 0;
	if (!(op->flags & F_MOV)) {
		ret = fetch_operand(c, op->dst, c->bytes, writes, &c->dst);
		if (ret)
			return ret;
	}
	c->dst_orig = c->dst;
	ret = op->fn(c);
	if (ret || !writes || c->no_writeback)
		return ret;
	return store_operand(c, op);
}
