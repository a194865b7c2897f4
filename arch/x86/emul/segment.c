// SPDX-License-Identifier: GPL-2.0-only
/* Descriptors, and the instructions that load, store and inspect segments. */
#include "internal.h"

#define SEL_TI		4u
#define SEL_NULL(sel)	(!((sel) & 0xfffc))

/* Fields of a descriptor's high word. */
#define HI_TYPE(d)	((d)->hi >> 8 & 15)
#define HI_S(d)		((d)->hi >> 12 & 1)
#define HI_DPL(d)	((d)->hi >> 13 & 3)
#define HI_P(d)		((d)->hi >> 15 & 1)
#define HI_L(d)		((d)->hi >> 21 & 1)
#define HI_DB(d)	((d)->hi >> 22 & 1)

static u16 sel_error(u16 sel)
{
	return sel & 0xfffc;
}

/* Base and limit of the table that @sel points into. False: there is none. */
static bool desc_table(struct emul_ctxt *c, u16 sel, u64 *base, u32 *limit)
{
	const struct emul_seg *ldt;
	struct emul_dt dt = { 0 };

	if (sel & SEL_TI) {
		ldt = emul_seg(c, EMUL_LDTR);
		if ((ldt->ar & EMUL_AR_UNUSABLE) || !(ldt->ar & EMUL_AR_P))
			return false;
		*base = ldt->base;
		*limit = ldt->limit;
		return true;
	}
	c->ops->get_gdt(c, &dt);
	*base = dt.base;
	*limit = dt.limit;
	return true;
}

/* Reads the descriptor of @sel; a selector beyond its table is @vector(sel). */
int emul_read_desc(struct emul_ctxt *c, u16 sel, u8 vector, struct emul_desc *d)
{
	u32 limit, index = sel & 0xfff8, w[2];
	u64 base;
	int ret;

	*d = (struct emul_desc){ 0 };
	if (!desc_table(c, sel, &base, &limit) || index + 7 > limit)
		return emul_exc(c, vector, true, sel_error(sel));
	d->la = base + index;
	ret = emul_sys_read(c, d->la, w, sizeof(w));
	d->lo = w[0];
	d->hi = w[1];
	return ret;
}

/* LDT and TSS descriptors have 16 bytes in long mode (SDM 3A 9.2.3). */
static int read_sys_desc(struct emul_ctxt *c, u16 sel, u8 vector, struct emul_desc *d)
{
	u32 limit, w[2];
	u64 base;
	int ret = emul_read_desc(c, sel, vector, d);

	if (ret || !emul_long_mode(c))
		return ret;
	if (!desc_table(c, sel, &base, &limit) || (sel & 0xfff8u) + 15 > limit)
		return emul_exc(c, vector, true, sel_error(sel));
	ret = emul_sys_read(c, d->la + 8, w, sizeof(w));
	if (ret)
		return ret;
	if (w[1] & 0x1f00)
		return emul_exc(c, vector, true, sel_error(sel));
	d->hi2 = w[0];
	return EMUL_OK;
}

void emul_desc_to_seg(const struct emul_desc *d, u16 sel, struct emul_seg *seg)
{
	u32 limit = (d->lo & 0xffff) | (d->hi & 0xf0000);

	seg->sel = sel;
	seg->base = (d->lo >> 16) | (d->hi & 0xff) << 16 | (d->hi & 0xff000000u);
	seg->base |= (u64)d->hi2 << 32;
	seg->ar = d->hi >> 8 & 0xf0ff;
	seg->limit = (seg->ar & EMUL_AR_G) ? limit << 12 | 0xfff : limit;
}

/* Sets the accessed bit of a code or data descriptor, in memory and in *@d. */
int emul_desc_accessed(struct emul_ctxt *c, struct emul_desc *d)
{
	u64 old = (u64)d->hi << 32 | d->lo;
	int ret;

	if (d->hi & 0x100)
		return EMUL_OK;
	d->hi |= 0x100;
	ret = emul_sys_cmpxchg(c, d->la, old, old | 0x100ull << 32);
	/* Somebody rewrites the descriptor right now: what was read still counts. */
	return ret == EMUL_RETRY ? EMUL_OK : ret;
}

void emul_load_real_seg(struct emul_ctxt *c, enum emul_sreg s, u16 sel)
{
	struct emul_seg seg = *emul_seg(c, s);

	seg.sel = sel;
	seg.base = (u32)sel << 4;
	if (c->mode == EMUL_VM86) {
		seg.limit = 0xffff;
		seg.ar = 0xf3;		/* DPL 3, writable data, accessed (SDM 3B 21.2) */
	}
	seg.ar &= ~EMUL_AR_UNUSABLE;
	emul_put_seg(c, s, &seg);
}

static int load_null(struct emul_ctxt *c, enum emul_sreg s, u16 sel, u8 cpl, u8 vector)
{
	struct emul_seg seg = { .sel = sel, .ar = EMUL_AR_UNUSABLE };

	if (s == EMUL_SS) {
		/* Only 64-bit code below CPL 3 may have no stack segment (SDM 2B MOV). */
		if (!emul_is64(c) || cpl == 3 || (sel & 3) != cpl)
			return emul_exc(c, vector, true, 0);
		/* CPL is SS.DPL: a null SS must carry it too. */
		seg.limit = 0xffffffff;
		seg.ar |= EMUL_AR_G | EMUL_AR_DB | EMUL_AR_P | EMUL_AR_S | 3 |
			  (u32)cpl << EMUL_AR_DPL_SHIFT;
	}
	emul_put_seg(c, s, &seg);
	return EMUL_OK;
}

static bool data_type_ok(enum emul_sreg s, const struct emul_desc *d, u16 sel, u8 cpl)
{
	u32 type = HI_TYPE(d), rpl = sel & 3, dpl = HI_DPL(d);

	if (!HI_S(d))
		return false;
	if (s == EMUL_SS)
		return rpl == cpl && dpl == cpl && (type & 0xa) == 2;
	if ((type & 0xa) == 8)		/* execute-only */
		return false;
	if ((type & 0xc) == 0xc)	/* conforming code */
		return true;
	return rpl <= dpl && cpl <= dpl;
}

int emul_load_data_seg(struct emul_ctxt *c, enum emul_sreg s, u16 sel, u8 cpl, u8 vector)
{
	struct emul_desc d;
	struct emul_seg seg = { 0 };
	int ret;

	if (!emul_is_prot(c)) {
		emul_load_real_seg(c, s, sel);
		return EMUL_OK;
	}
	if (SEL_NULL(sel))
		return load_null(c, s, sel, cpl, vector);
	ret = emul_read_desc(c, sel, vector, &d);
	if (ret)
		return ret;
	if (!data_type_ok(s, &d, sel, cpl))
		return emul_exc(c, vector, true, sel_error(sel));
	if (!HI_P(&d))
		return emul_exc(c, s == EMUL_SS ? VEC_SS : VEC_NP, true, sel_error(sel));
	ret = emul_desc_accessed(c, &d);
	if (ret)
		return ret;
	emul_desc_to_seg(&d, sel, &seg);
	emul_put_seg(c, s, &seg);
	return EMUL_OK;
}

/*
 * Checks and reads a code segment for a far transfer, without loading it. @level: the
 * CPL (jump, call) or the selector's RPL (return, task switch: @is_ret).
 */
int emul_code_seg(struct emul_ctxt *c, u16 sel, u8 level, bool is_ret, u8 vector,
		  struct emul_seg *seg)
{
	struct emul_desc d;
	u32 type;
	int ret;

	if (SEL_NULL(sel))
		return emul_exc(c, vector, true, 0);
	ret = emul_read_desc(c, sel, vector, &d);
	if (ret)
		return ret;
	type = HI_TYPE(&d);
	if (!HI_S(&d) && !is_ret) {
		/* Call gates, task gates, TSSs. Long mode has but 64-bit call gates. */
		if (type == 0xc || (!emul_long_mode(c) && (type == 1 || type == 4 ||
							   type == 5 || type == 9)))
			return EMUL_UNHANDLEABLE;
	}
	if (!HI_S(&d) || !(type & 8))
		return emul_exc(c, vector, true, sel_error(sel));
	if (type & 4) {
		if (HI_DPL(&d) > level)
			return emul_exc(c, vector, true, sel_error(sel));
	} else if (HI_DPL(&d) != level || (!is_ret && (sel & 3) > level)) {
		return emul_exc(c, vector, true, sel_error(sel));
	}
	if (HI_L(&d) && HI_DB(&d) && emul_long_mode(c))
		return emul_exc(c, vector, true, sel_error(sel));
	if (!HI_P(&d))
		return emul_exc(c, VEC_NP, true, sel_error(sel));
	ret = emul_desc_accessed(c, &d);
	if (!ret)
		emul_desc_to_seg(&d, (sel & ~3u) | level, seg);
	return ret;
}

static u8 sreg_of(const struct emul_ctxt *c)
{
	return c->insn.modrm >> 3 & 7;
}

int em_mov_from_sreg(struct emul_ctxt *c)
{
	u8 s = sreg_of(c);

	if (s > EMUL_GS)
		return emul_ud(c);
	return emul_write_rm(c, c->insn.has_mem ? 2 : c->insn.op_bytes, emul_seg(c, s)->sel);
}

static int load_sreg(struct emul_ctxt *c, u8 s, u16 sel)
{
	int ret = emul_load_data_seg(c, s, sel, c->cpl, VEC_GP);

	/* No interrupt and no #DB between MOV SS and the load of SP (SDM 3A 6.8.3). */
	if (!ret && s == EMUL_SS) {
		c->out.shadow |= EMUL_SHADOW_MOV_SS;
		c->step = STEP_NEVER;
	}
	return ret;
}

int em_mov_to_sreg(struct emul_ctxt *c)
{
	u8 s = sreg_of(c);

	if (s > EMUL_GS || s == EMUL_CS)
		return emul_ud(c);
	return load_sreg(c, s, c->src);
}

/* Segment register of PUSH and POP: 06-1F, and 0F A0-A9 for FS and GS. */
static u8 opcode_sreg(const struct emul_ctxt *c)
{
	if (c->insn.map == EMUL_MAP_0F)
		return (c->insn.opcode & 8) ? EMUL_GS : EMUL_FS;
	return c->insn.opcode >> 3 & 3;
}

int em_push_sreg(struct emul_ctxt *c)
{
	return emul_push(c, emul_seg(c, opcode_sreg(c))->sel, c->insn.op_bytes);
}

int em_pop_sreg(struct emul_ctxt *c)
{
	u64 v;
	int ret = emul_pop(c, &v, c->insn.op_bytes);

	return ret ? ret : load_sreg(c, opcode_sreg(c), v);
}

/* LES (C4), LDS (C5), LSS, LFS, LGS (0F B2, B4, B5) */
int em_lxs(struct emul_ctxt *c)
{
	u32 n = c->insn.op_bytes;
	u8 b[10], s;
	u64 off = 0;
	u16 sel;
	int ret;

	if (c->insn.map == EMUL_MAP_1B)
		s = c->insn.opcode == 0xc4 ? EMUL_ES : EMUL_DS;
	else
		s = c->insn.opcode & 7;
	ret = emul_read(c, c->insn.seg, c->ea, b, n + 2);
	if (ret)
		return ret;
	memcpy(&off, b, n);
	memcpy(&sel, b + n, 2);
	ret = emul_load_data_seg(c, s, sel, c->cpl, VEC_GP);
	if (!ret)
		emul_set_reg(c, c->insn.reg, off, n);
	return ret;
}

static void set_zf(struct emul_ctxt *c, bool zf)
{
	c->w.rflags &= ~(u64)FL_ZF;
	if (zf)
		c->w.rflags |= FL_ZF;
}

int em_arpl(struct emul_ctxt *c)
{
	bool below = (c->dst & 3) < (c->src & 3);

	set_zf(c, below);
	if (below)
		c->dst = (c->dst & ~3ull) | (c->src & 3);
	else
		c->no_writeback = true;
	return EMUL_OK;
}

/*
 * The descriptor of the selector in src for LAR, LSL, VERR, VERW: *ok tells if there
 * is one and this CPL may see it; a bad selector is no fault.
 */
static int probe_desc(struct emul_ctxt *c, u16 sel, struct emul_desc *d, bool *ok)
{
	bool conforming;
	int ret;

	*ok = false;
	if (SEL_NULL(sel))
		return EMUL_OK;
	ret = emul_read_desc(c, sel, VEC_GP, d);
	if (ret == EMUL_FAULT && c->exc.vector == VEC_GP)
		return EMUL_OK;
	if (ret)
		return ret;
	conforming = HI_S(d) && (HI_TYPE(d) & 0xc) == 0xc;
	*ok = conforming || (HI_DPL(d) >= c->cpl && HI_DPL(d) >= (sel & 3u));
	return EMUL_OK;
}

/* System types that LAR and LSL accept, as masks over the type (SDM 2A LAR, LSL). */
static bool sys_type_ok(struct emul_ctxt *c, const struct emul_desc *d, u32 legacy, u32 lng)
{
	return HI_S(d) || ((emul_long_mode(c) ? lng : legacy) >> HI_TYPE(d) & 1);
}

int em_lar(struct emul_ctxt *c)
{
	struct emul_desc d;
	bool ok;
	int ret = probe_desc(c, c->src, &d, &ok);

	if (ret)
		return ret;
	ok = ok && sys_type_ok(c, &d, 0x1a3e, 0x1a04);
	set_zf(c, ok);
	c->no_writeback = !ok;
	if (ok)
		c->dst = d.hi & 0x00f0ff00 & emul_mask(c->bytes);
	return EMUL_OK;
}

int em_lsl(struct emul_ctxt *c)
{
	struct emul_desc d;
	struct emul_seg seg = { 0 };
	bool ok;
	int ret = probe_desc(c, c->src, &d, &ok);

	if (ret)
		return ret;
	ok = ok && sys_type_ok(c, &d, 0x0a0e, 0x0a04);
	set_zf(c, ok);
	c->no_writeback = !ok;
	if (ok) {
		emul_desc_to_seg(&d, 0, &seg);
		c->dst = seg.limit & emul_mask(c->bytes);
	}
	return EMUL_OK;
}

static int verify(struct emul_ctxt *c, bool write)
{
	struct emul_desc d;
	u32 type;
	bool ok;
	int ret = probe_desc(c, c->src, &d, &ok);

	if (ret)
		return ret;
	if (ok) {
		type = HI_TYPE(&d);
		if (write)
			ok = HI_S(&d) && (type & 0xa) == 2;
		else
			ok = HI_S(&d) && (type & 0xa) != 8;
	}
	set_zf(c, ok);
	return EMUL_OK;
}

int em_verr(struct emul_ctxt *c)
{
	return verify(c, false);
}

int em_verw(struct emul_ctxt *c)
{
	return verify(c, true);
}

/* SGDT, SIDT, SLDT, STR and SMSW fault above CPL 0 under UMIP (SDM 3A 2.5). */
int emul_check_umip(struct emul_ctxt *c)
{
	if (c->cpl && (c->ops->get_cr(c, 4) & CR4_UMIP))
		return emul_gp0(c);
	return EMUL_OK;
}

static int store_selector(struct emul_ctxt *c, enum emul_sreg s)
{
	int ret = emul_check_umip(c);

	if (ret)
		return ret;
	return emul_write_rm(c, c->insn.has_mem ? 2 : c->insn.op_bytes, emul_seg(c, s)->sel);
}

int em_sldt(struct emul_ctxt *c)
{
	return store_selector(c, EMUL_LDTR);
}

int em_str(struct emul_ctxt *c)
{
	return store_selector(c, EMUL_TR);
}

int emul_load_ldt(struct emul_ctxt *c, u16 sel, u8 vector)
{
	struct emul_seg seg = { .sel = sel, .ar = EMUL_AR_UNUSABLE };
	struct emul_desc d;
	int ret;

	if (SEL_NULL(sel)) {
		emul_put_seg(c, EMUL_LDTR, &seg);
		return EMUL_OK;
	}
	if (sel & SEL_TI)
		return emul_exc(c, vector, true, sel_error(sel));
	ret = read_sys_desc(c, sel, vector, &d);
	if (ret)
		return ret;
	if (HI_S(&d) || HI_TYPE(&d) != 2)
		return emul_exc(c, vector, true, sel_error(sel));
	if (!HI_P(&d))
		return emul_exc(c, vector == VEC_TS ? VEC_TS : VEC_NP, true, sel_error(sel));
	emul_desc_to_seg(&d, sel, &seg);
	if (emul_long_mode(c) && !emul_canonical(c, seg.base))
		return emul_exc(c, vector, true, sel_error(sel));
	emul_put_seg(c, EMUL_LDTR, &seg);
	return EMUL_OK;
}

int em_lldt(struct emul_ctxt *c)
{
	return emul_load_ldt(c, c->src, VEC_GP);
}

int em_ltr(struct emul_ctxt *c)
{
	struct emul_seg seg = { 0 };
	struct emul_desc d;
	u16 sel = c->src;
	u64 raw;
	u32 type;
	int ret;

	if (SEL_NULL(sel))
		return emul_gp0(c);
	if (sel & SEL_TI)
		return emul_exc(c, VEC_GP, true, sel_error(sel));
	ret = read_sys_desc(c, sel, VEC_GP, &d);
	if (ret)
		return ret;
	type = HI_TYPE(&d);
	if (HI_S(&d) || (type != 9 && (type != 1 || emul_long_mode(c))))
		return emul_exc(c, VEC_GP, true, sel_error(sel));
	if (!HI_P(&d))
		return emul_exc(c, VEC_NP, true, sel_error(sel));
	raw = (u64)d.hi << 32 | d.lo;
	d.hi |= 0x200;			/* busy */
	emul_desc_to_seg(&d, sel, &seg);
	if (emul_long_mode(c) && !emul_canonical(c, seg.base))
		return emul_exc(c, VEC_GP, true, sel_error(sel));
	ret = emul_sys_cmpxchg(c, d.la, raw, raw | 0x200ull << 32);
	if (!ret)
		emul_put_seg(c, EMUL_TR, &seg);
	return ret;
}

static int store_dt(struct emul_ctxt *c, const struct emul_dt *dt)
{
	u8 b[10] = { 0 };

	memcpy(b, &dt->limit, 2);
	memcpy(b + 2, &dt->base, 8);
	return emul_write(c, c->insn.seg, c->ea, b, emul_is64(c) ? 10 : 6);
}

int em_sgdt(struct emul_ctxt *c)
{
	struct emul_dt dt = { 0 };
	int ret = emul_check_umip(c);

	if (ret)
		return ret;
	c->ops->get_gdt(c, &dt);
	return store_dt(c, &dt);
}

int em_sidt(struct emul_ctxt *c)
{
	struct emul_dt dt = { 0 };
	int ret = emul_check_umip(c);

	if (ret)
		return ret;
	c->ops->get_idt(c, &dt);
	return store_dt(c, &dt);
}

static int load_dt(struct emul_ctxt *c, struct emul_dt *dt)
{
	u32 n = emul_is64(c) ? 8 : 4;
	u8 b[10];
	int ret = emul_read(c, c->insn.seg, c->ea, b, n + 2);

	if (ret)
		return ret;
	*dt = (struct emul_dt){ 0 };
	memcpy(&dt->limit, b, 2);
	memcpy(&dt->base, b + 2, n);
	if (!emul_is64(c) && c->insn.op_bytes == 2)
		dt->base &= 0xffffff;
	return emul_is64(c) && !emul_canonical(c, dt->base) ? emul_gp0(c) : EMUL_OK;
}

int em_lgdt(struct emul_ctxt *c)
{
	struct emul_dt dt;
	int ret = load_dt(c, &dt);

	if (!ret)
		c->ops->set_gdt(c, &dt);
	return ret;
}

int em_lidt(struct emul_ctxt *c)
{
	struct emul_dt dt;
	int ret = load_dt(c, &dt);

	if (!ret)
		c->ops->set_idt(c, &dt);
	return ret;
}
