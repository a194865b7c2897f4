// SPDX-License-Identifier: GPL-2.0-only
/* Near control transfers, conditions, software interrupts, and single flags. */
#include "internal.h"

int em_jmp_rel(struct emul_ctxt *c)
{
	return emul_branch(c, emul_next_rip(c) + c->insn.imm, c->insn.op_bytes);
}

int em_jcc(struct emul_ctxt *c)
{
	return emul_cond(c->w.rflags, c->insn.opcode & 15) ? em_jmp_rel(c) : EMUL_OK;
}

int em_jmp_rm(struct emul_ctxt *c)
{
	return emul_branch(c, c->src, c->insn.op_bytes);
}

/* The target is checked before the push: a faulting call leaves the stack alone. */
static int call(struct emul_ctxt *c, u64 target)
{
	int ret = emul_branch(c, target, c->insn.op_bytes);

	return ret ? ret : emul_push(c, emul_next_rip(c), c->insn.op_bytes);
}

int em_call_rel(struct emul_ctxt *c)
{
	return call(c, emul_next_rip(c) + c->insn.imm);
}

int em_call_rm(struct emul_ctxt *c)
{
	return call(c, c->src);
}

/* C3, and C2 with the bytes of arguments to drop. */
int em_ret(struct emul_ctxt *c)
{
	u64 rip;
	int ret = emul_pop(c, &rip, c->insn.op_bytes);

	if (ret)
		return ret;
	emul_add_sp(c, c->insn.imm & 0xffff);
	return emul_branch(c, rip, c->insn.op_bytes);
}

/* LOOPNE (E0), LOOPE (E1), LOOP (E2): the address size is that of the counter. */
int em_loop(struct emul_ctxt *c)
{
	u32 ad = c->insn.ad_bytes;
	u64 n = (c->w.gpr[EMUL_RCX] - 1) & emul_mask(ad);
	bool zf = c->w.rflags & FL_ZF;

	emul_set_reg(c, EMUL_RCX, n, ad);
	if (!n || (c->insn.opcode == 0xe0 && zf) || (c->insn.opcode == 0xe1 && !zf))
		return EMUL_OK;
	return em_jmp_rel(c);
}

int em_jcxz(struct emul_ctxt *c)
{
	return c->w.gpr[EMUL_RCX] & emul_mask(c->insn.ad_bytes) ? EMUL_OK : em_jmp_rel(c);
}

int em_setcc(struct emul_ctxt *c)
{
	c->dst = emul_cond(c->w.rflags, c->insn.opcode & 15);
	return EMUL_OK;
}

/* The destination is always written: a 32-bit form clears the upper half either way. */
int em_cmov(struct emul_ctxt *c)
{
	if (emul_cond(c->w.rflags, c->insn.opcode & 15))
		c->dst = c->src;
	return EMUL_OK;
}

static int inject(struct emul_ctxt *c, enum emul_inject how, u8 vector)
{
	c->out.inject = how;
	c->out.vector = vector;
	c->step = STEP_NEVER;
	return EMUL_OK;
}

/*
 * Above CPL 0 the gate must admit the instruction (SDM 3A 6.12.1.2). Whoever delivers it looks as well, but a CPU
 * without NRIP save then reports the fault behind the instruction.
 */
static int inject_soft(struct emul_ctxt *c, enum emul_inject how, u8 vector)
{
	u32 size = emul_long_mode(c) ? 16 : 8, at = vector * size, hi = 0;
	struct emul_dt dt = { 0 };
	int ret;

	if (!c->cpl)
		return inject(c, how, vector);
	c->ops->get_idt(c, &dt);
	if (at + size - 1 > dt.limit)
		return emul_exc(c, VEC_GP, true, vector << 3 | 2);
	ret = emul_sys_read(c, dt.base + at + 4, &hi, sizeof(hi));
	if (ret)
		return ret;
	if ((hi >> 13 & 3) < c->cpl)
		return emul_exc(c, VEC_GP, true, vector << 3 | 2);
	return inject(c, how, vector);
}

int em_int(struct emul_ctxt *c)
{
	if (c->mode == EMUL_VM86 && emul_iopl(c) < 3) {
		/* With VME a bitmap in the TSS may redirect it (SDM 3B 21.3). */
		if (c->ops->get_cr(c, 4) & CR4_VME)
			return EMUL_UNHANDLEABLE;
		return emul_gp0(c);
	}
	return inject_soft(c, EMUL_INJ_SOFT_INT, c->insn.imm);
}

int em_int3(struct emul_ctxt *c)
{
	return inject_soft(c, EMUL_INJ_SOFT_EXC, VEC_BP);
}

int em_into(struct emul_ctxt *c)
{
	return c->w.rflags & FL_OF ? inject_soft(c, EMUL_INJ_SOFT_EXC, VEC_OF) : EMUL_OK;
}

int em_int1(struct emul_ctxt *c)
{
	return inject(c, EMUL_INJ_PRIV_EXC, VEC_DB);
}

int em_bound(struct emul_ctxt *c)
{
	u32 n = c->insn.op_bytes;
	u64 lo = 0, hi = 0;
	u8 b[8];
	s64 v;
	int ret = emul_read(c, c->insn.seg, c->ea, b, n * 2);

	if (ret)
		return ret;
	memcpy(&lo, b, n);
	memcpy(&hi, b + n, n);
	v = (s64)emul_sext(c->src, n);
	if (v < (s64)emul_sext(lo, n) || v > (s64)emul_sext(hi, n))
		return emul_exc(c, VEC_BR, false, 0);
	return EMUL_OK;
}

int em_ud(struct emul_ctxt *c)
{
	return emul_ud(c);
}

int em_hlt(struct emul_ctxt *c)
{
	c->out.halt = true;
	return EMUL_OK;
}

int em_clc(struct emul_ctxt *c)
{
	c->w.rflags &= ~(u64)FL_CF;
	return EMUL_OK;
}

int em_stc(struct emul_ctxt *c)
{
	c->w.rflags |= FL_CF;
	return EMUL_OK;
}

int em_cmc(struct emul_ctxt *c)
{
	c->w.rflags ^= FL_CF;
	return EMUL_OK;
}

int em_cld(struct emul_ctxt *c)
{
	c->w.rflags &= ~(u64)FL_DF;
	return EMUL_OK;
}

int em_std(struct emul_ctxt *c)
{
	c->w.rflags |= FL_DF;
	return EMUL_OK;
}

/* May this code change IF? The virtual interrupt flag (VME, PVI) is not emulated. */
static int check_if(struct emul_ctxt *c)
{
	u64 virt = c->mode == EMUL_VM86 ? CR4_VME : CR4_PVI;

	if (c->mode == EMUL_REAL || c->cpl <= emul_iopl(c))
		return EMUL_OK;
	if (c->cpl == 3 && (c->ops->get_cr(c, 4) & virt))
		return EMUL_UNHANDLEABLE;
	return emul_gp0(c);
}

int em_cli(struct emul_ctxt *c)
{
	int ret = check_if(c);

	if (!ret)
		c->w.rflags &= ~(u64)FL_IF;
	return ret;
}

int em_sti(struct emul_ctxt *c)
{
	int ret = check_if(c);

	if (ret)
		return ret;
	if (!(c->w.rflags & FL_IF))
		c->out.shadow |= EMUL_SHADOW_STI;
	c->w.rflags |= FL_IF;
	return EMUL_OK;
}

int em_salc(struct emul_ctxt *c)
{
	emul_set_reg(c, EMUL_RAX, c->w.rflags & FL_CF ? 0xff : 0, 1);
	return EMUL_OK;
}
