// SPDX-License-Identifier: GPL-2.0-only
/* Decimal adjust instructions (SDM 2A AAA ff.). Not in 64-bit mode. */
#include "internal.h"

/* SF, ZF, PF of AL beside the given CF, AF. */
static void set_al(struct emul_ctxt *c, u8 al, u64 cf_af)
{
	u64 f;

	emul_add_flags(al, 0, 0, 1, &f);
	emul_set_reg(c, EMUL_RAX, al, 1);
	emul_set_status(c, (f & (FL_SF | FL_ZF | FL_PF)) | cf_af);
}

static int ascii_adjust(struct emul_ctxt *c, int sign)
{
	u16 ax = c->w.gpr[EMUL_RAX];
	bool adjust = (ax & 15) > 9 || (c->w.rflags & FL_AF);

	if (adjust)
		ax += sign * 0x106;
	emul_set_reg(c, EMUL_RAX, ax, 2);
	set_al(c, ax & 15, adjust ? FL_CF | FL_AF : 0);
	return EMUL_OK;
}

int em_aaa(struct emul_ctxt *c)
{
	return ascii_adjust(c, 1);
}

int em_aas(struct emul_ctxt *c)
{
	return ascii_adjust(c, -1);
}

static int decimal_adjust(struct emul_ctxt *c, int sign)
{
	u8 old = c->w.gpr[EMUL_RAX], al = old;
	bool cf = c->w.rflags & FL_CF;
	u64 f = 0;

	if ((old & 15) > 9 || (c->w.rflags & FL_AF)) {
		al += sign * 6;
		f |= FL_AF;
		if (cf || (sign < 0 && old < 6) || (sign > 0 && old > 0xf9))
			f |= FL_CF;
	}
	if (old > 0x99 || cf) {
		al += sign * 0x60;
		f |= FL_CF;
	} else if (sign > 0) {
		f &= ~(u64)FL_CF;
	}
	set_al(c, al, f);
	return EMUL_OK;
}

int em_daa(struct emul_ctxt *c)
{
	return decimal_adjust(c, 1);
}

int em_das(struct emul_ctxt *c)
{
	return decimal_adjust(c, -1);
}

int em_aam(struct emul_ctxt *c)
{
	u8 al = c->w.gpr[EMUL_RAX], base = c->insn.imm;

	if (!base)
		return emul_exc(c, VEC_DE, false, 0);
	emul_set_reg(c, EMUL_RAX, (al / base) << 8, 2);
	set_al(c, al % base, 0);
	return EMUL_OK;
}

int em_aad(struct emul_ctxt *c)
{
	u16 ax = c->w.gpr[EMUL_RAX];

	emul_set_reg(c, EMUL_RAX, 0, 2);
	set_al(c, (u8)ax + (ax >> 8) * (u8)c->insn.imm, 0);
	return EMUL_OK;
}
