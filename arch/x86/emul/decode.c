// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fetch and decode: bytes to struct emul_insn, and the opcode's row (SDM 2A 2,
 * APM 3 1).
 */
#include "internal.h"

#define PAGE_BYTES	4096u

/* Makes at least one more byte of code available. */
static int fetch_more(struct emul_ctxt *c)
{
	struct emul_insn *i = &c->insn;
	u64 off = c->w.rip + i->nr_bytes, la, gpa;
	u32 n = EMUL_INSN_MAX - i->nr_bytes;
	const struct emul_seg *cs;
	int ret;

	if (emul_is64(c)) {
		la = off;
		if (!emul_canonical(c, la))
			return emul_gp0(c);
	} else {
		off = (u32)off;
		cs = emul_seg(c, EMUL_CS);
		if (off > cs->limit)
			return emul_gp0(c);
		n = min_t(u64, n, (u64)cs->limit - off + 1);
		la = (u32)(cs->base + off);
	}
	n = min_t(u32, n, PAGE_BYTES - (u32)(la & (PAGE_BYTES - 1)));
	ret = emul_translate(c, la, EMUL_ACC_FETCH | (c->cpl == 3 ? EMUL_ACC_USER : 0), &gpa);
	if (ret)
		return ret;
	ret = c->ops->read_phys(c, gpa, i->bytes + i->nr_bytes, n);
	if (ret)
		return ret == EMUL_IO_NEEDED ? EMUL_UNHANDLEABLE : ret;
	i->nr_bytes += n;
	return EMUL_OK;
}

/* The next @n bytes of the instruction, little endian, zero-extended. */
static int next(struct emul_ctxt *c, u32 n, u64 *val)
{
	struct emul_insn *i = &c->insn;
	int ret;

	if (i->len + n > EMUL_INSN_MAX)
		return emul_gp0(c);
	while (i->nr_bytes < i->len + n) {
		ret = fetch_more(c);
		if (ret)
			return ret;
	}
	*val = 0;
	memcpy(val, i->bytes + i->len, n);
	i->len += n;
	return EMUL_OK;
}

static int next8(struct emul_ctxt *c, u8 *val)
{
	struct emul_insn *i = &c->insn;
	u64 v = 0;
	int ret;

	if (likely(i->len < i->nr_bytes)) {
		*val = i->bytes[i->len++];
		return EMUL_OK;
	}
	ret = next(c, 1, &v);
	*val = v;
	return ret;
}

static int next_signed(struct emul_ctxt *c, u32 n, u64 *val)
{
	int ret = next(c, n, val);

	if (!ret)
		*val = emul_sext(*val, n);
	return ret;
}

static int override_seg(struct emul_insn *i, enum emul_sreg s, bool is64)
{
	/* CS, DS, ES and SS overrides are ignored in 64-bit mode. */
	if (is64 && s < EMUL_FS)
		return 0;
	i->seg = s;
	i->seg_override = true;
	return 0;
}

/* One legacy prefix into @i. False: not a prefix. */
static bool legacy_prefix(struct emul_ctxt *c, u8 b)
{
	struct emul_insn *i = &c->insn;
	bool is64 = emul_is64(c);

	switch (b) {
	case 0x26:
	case 0x2e:
	case 0x36:
	case 0x3e:
		override_seg(i, (b >> 3) & 3, is64);
		return true;
	case 0x64:
	case 0x65:
		override_seg(i, b - 0x60, is64);
		return true;
	case 0x66:
		i->opsize = true;
		return true;
	case 0x67:
		if (is64)
			i->ad_bytes = 4;
		else
			i->ad_bytes = c->mode == EMUL_PROT32 ? 2 : 4;
		return true;
	case 0xf0:
		i->lock = true;
		return true;
	case 0xf2:
	case 0xf3:
		i->rep = b;
		return true;
	default:
		return false;
	}
}

static int prefixes(struct emul_ctxt *c)
{
	struct emul_insn *i = &c->insn;
	u8 b, def;
	int ret;

	i->ad_bytes = emul_is64(c) ? 8 : c->mode == EMUL_PROT32 ? 4 : 2;
	i->seg = EMUL_DS;
	for (;;) {
		ret = next8(c, &b);
		if (ret)
			return ret;
		if (legacy_prefix(c, b)) {
			i->rex = 0;	/* counts only right before the opcode */
			continue;
		}
		if (!emul_is64(c) || (b & 0xf0) != 0x40)
			break;
		i->rex = b;
	}
	i->opcode = b;
	def = c->mode >= EMUL_PROT32 ? 4 : 2;
	i->op_bytes = i->opsize ? 6 - def : def;
	if (i->rex & 8)
		i->op_bytes = 8;
	return EMUL_OK;
}

/* VEX prefix @first (C4, C5) was taken; reads the rest and the opcode (SDM 2A 2.3.5). */
static int vex_prefix(struct emul_ctxt *c, u8 first)
{
	static const u8 rep[4] = { 0, 0, 0xf3, 0xf2 };
	struct emul_insn *i = &c->insn;
	u8 p1, p2;
	int ret;

	/* A legacy prefix that VEX replaces makes it undefined. */
	if (i->lock || i->opsize || i->rep || i->rex)
		return emul_ud(c);
	ret = next8(c, &p1);
	if (ret)
		return ret;
	p2 = p1;
	i->map = EMUL_MAP_0F;
	i->vex = 2;
	i->rex = 0x40 | ((p1 & 0x80) ? 0 : 4);
	if (first == 0xc4) {
		ret = next8(c, &p2);
		if (ret)
			return ret;
		i->vex = 3;
		i->map = p1 & 0x1f;
		i->rex = 0x40 | (~p1 >> 5 & 7);
		i->vex_w = p2 >> 7;
		if (i->map == EMUL_MAP_1B || i->map > EMUL_MAP_0F3A)
			return emul_ud(c);
	}
	if (!emul_is64(c))
		i->rex = 0x40;
	i->vex_v = ~p2 >> 3 & (emul_is64(c) ? 15 : 7);
	i->vex_l = p2 >> 2 & 1;
	i->vex_pp = p2 & 3;
	i->rep = rep[i->vex_pp];
	i->opsize = i->vex_pp == 1;
	i->op_bytes = i->vex_w && emul_is64(c) ? 8 : 4;
	return next8(c, &i->opcode);
}

/* C4, C5, 62 and 8F: is this the start of a wide prefix? Needs the next byte. */
static int is_wide_prefix(struct emul_ctxt *c, bool *yes)
{
	struct emul_insn *i = &c->insn;
	u8 b;
	int ret = next8(c, &b);

	if (ret)
		return ret;
	i->len--;
	if (i->opcode == 0x8f)
		*yes = (b & 0x1f) >= 8;
	else
		*yes = emul_is64(c) || ((b & 0xc0) == 0xc0 && emul_is_prot(c));
	return EMUL_OK;
}

static int wide_prefix(struct emul_ctxt *c)
{
	struct emul_insn *i = &c->insn;
	bool wide;
	int ret, n;

	ret = is_wide_prefix(c, &wide);
	if (ret || !wide)
		return ret;
	if (i->opcode == 0xc4 || i->opcode == 0xc5)
		return vex_prefix(c, i->opcode);
	/* EVEX and XOP are not emulated: only measured. The longest is fetched if it can be. */
	while (i->nr_bytes < EMUL_INSN_MAX && fetch_more(c) == EMUL_OK)
		;
	n = emul_insn_length(i->bytes, i->nr_bytes, c->mode);
	if (n < 0)
		return emul_ud(c);
	i->len = n ? n : i->nr_bytes;
	return EMUL_UNHANDLEABLE;
}

static int opcode(struct emul_ctxt *c)
{
	struct emul_insn *i = &c->insn;
	int ret;

	if (i->opcode == 0x62 || i->opcode == 0x8f || i->opcode == 0xc4 || i->opcode == 0xc5)
		return wide_prefix(c);
	if (i->opcode != 0x0f)
		return EMUL_OK;
	i->map = EMUL_MAP_0F;
	ret = next8(c, &i->opcode);
	if (ret || (i->opcode != 0x38 && i->opcode != 0x3a))
		return ret;
	i->map = i->opcode == 0x38 ? EMUL_MAP_0F38 : EMUL_MAP_0F3A;
	return next8(c, &i->opcode);
}

static u8 shape(const struct emul_insn *i)
{
	u8 attr;

	switch (i->map) {
	case EMUL_MAP_1B:
		return emul_len_1b[i->opcode];
	case EMUL_MAP_0F:
		attr = emul_len_0f[i->opcode];
		/* EXTRQ, INSERTQ: two byte immediates (APM 4). */
		if (i->opcode == 0x78 && !i->vex && (i->opsize || i->rep == 0xf2))
			return L_MODRM | L_IW;
		if (i->vex && i->opcode != 0x77)
			return (attr & L_KIND) == L_IB ? L_MODRM | L_IB : L_MODRM;
		return attr;
	case EMUL_MAP_0F38:
		return L_MODRM;
	default:
		return L_MODRM | L_IB;
	}
}

static int displacement(struct emul_ctxt *c, u32 bytes)
{
	u64 v = 0;
	int ret = bytes ? next_signed(c, bytes, &v) : EMUL_OK;

	c->insn.disp = (s64)v;
	return ret;
}

static int modrm16(struct emul_ctxt *c)
{
	struct emul_insn *i = &c->insn;
	u8 rm = i->modrm & 7;

	if (!i->seg_override && (rm == 2 || rm == 3 || (rm == 6 && i->mod)))
		i->seg = EMUL_SS;
	if (i->mod == 0)
		return displacement(c, rm == 6 ? 2 : 0);
	return displacement(c, i->mod);
}

static int modrm32(struct emul_ctxt *c)
{
	struct emul_insn *i = &c->insn;
	u8 base = i->modrm & 7;
	int ret;

	if (base == 4) {
		i->has_sib = true;
		ret = next8(c, &i->sib);
		if (ret)
			return ret;
		base = i->sib & 7;
	}
	/* RSP and RBP as base imply SS; R12 and R13 do not. */
	if (!i->seg_override && !(i->rex & 1) && (base == 4 || (base == 5 && i->mod)))
		i->seg = EMUL_SS;
	if (i->mod == 0) {
		i->rip_rel = base == 5 && !i->has_sib && emul_is64(c);
		return displacement(c, base == 5 ? 4 : 0);
	}
	return displacement(c, i->mod == 1 ? 1 : 4);
}

static int modrm(struct emul_ctxt *c)
{
	struct emul_insn *i = &c->insn;
	int ret;

	ret = next8(c, &i->modrm);
	if (ret)
		return ret;
	i->has_modrm = true;
	i->mod = i->modrm >> 6;
	i->reg = (i->modrm >> 3 & 7) | (i->rex & 4) << 1;
	i->rm = (i->modrm & 7) | (i->rex & 1) << 3;
	/* MOV to and from CR and DR: always the register form. */
	if (i->map == EMUL_MAP_0F && !i->vex && i->opcode >= 0x20 && i->opcode <= 0x23)
		i->mod = 3;
	if (i->mod == 3)
		return EMUL_OK;
	i->has_mem = true;
	return i->ad_bytes == 2 ? modrm16(c) : modrm32(c);
}

static int immediate(struct emul_ctxt *c, u8 kind)
{
	struct emul_insn *i = &c->insn;
	u32 z = i->op_bytes == 2 ? 2 : 4;
	int ret;

	switch (kind) {
	case L_GRP3B:
		return (i->modrm & 0x30) ? EMUL_OK : next_signed(c, 1, &i->imm);
	case L_GRP3V:
		return (i->modrm & 0x30) ? EMUL_OK : next_signed(c, z, &i->imm);
	case L_IB:
		return next_signed(c, 1, &i->imm);
	case L_IW:
		return next(c, 2, &i->imm);
	case L_IZ:
		return next_signed(c, z, &i->imm);
	case L_JZ:
		return next_signed(c, emul_is64(c) ? 4 : z, &i->imm);
	case L_IV:
		return next(c, i->op_bytes, &i->imm);
	case L_MOFFS:
		i->has_mem = true;
		return next(c, i->ad_bytes, &i->imm);
	case L_FAR:
		ret = next(c, z, &i->imm);
		return ret ? ret : next(c, 2, &i->imm2);
	case L_ENTER:
		ret = next(c, 2, &i->imm);
		return ret ? ret : next(c, 1, &i->imm2);
	default:
		return EMUL_OK;
	}
}

static const struct emul_opcode *first_row(const struct emul_insn *i, bool is64)
{
	switch (i->map) {
	case EMUL_MAP_1B:
		if (i->opcode == 0x63 && is64)
			return &emul_movsxd;
		return &emul_map_1b[i->opcode];
	case EMUL_MAP_0F:
		return &emul_map_0f[i->opcode];
	case EMUL_MAP_0F38:
		return emul_row_0f38(i->opcode);
	default:
		return emul_row_0f3a(i->opcode);
	}
}

/* Which row of a prefix table: F2 and F3 win over 66 (SDM 2A 2.1.2). */
static u32 prefix_index(const struct emul_insn *i)
{
	if (i->rep)
		return i->rep == 0xf3 ? 2 : 3;
	return i->opsize ? 1 : 0;
}

static const struct emul_opcode *find_row(const struct emul_insn *i, bool is64)
{
	const struct emul_opcode *op = first_row(i, is64);
	u32 depth;

	for (depth = 0; depth < 5 && op && (op->flags & T_ANY); depth++) {
		u32 n;

		if (op->flags & T_REG)
			n = array_index_nospec(i->modrm >> 3 & 7, 8);
		else if (op->flags & T_MOD)
			n = i->mod == 3;
		else if (op->flags & T_RM)
			n = array_index_nospec(i->modrm & 7, 8);
		else
			n = array_index_nospec(prefix_index(i), 4);
		op = &op->table[n];
	}
	return op && (op->flags & T_ANY) ? NULL : op;
}

/* #UD conditions that the encoding and the mode alone decide. */
static int check_row(struct emul_ctxt *c, const struct emul_opcode *op)
{
	struct emul_insn *i = &c->insn;
	bool vex_row = op && (op->flags & (F_VEX | F_VEXONLY));

	if (!op || (!op->fn && !(op->flags & F_UNIMPL))) {
		/* VEX space is mostly arithmetic on vectors: defined, not emulated. */
		return i->vex ? EMUL_UNHANDLEABLE : emul_ud(c);
	}
	if (i->vex && !vex_row)
		return EMUL_UNHANDLEABLE;
	if ((op->flags & F_VEXONLY) && !i->vex)
		return emul_ud(c);
	if ((op->flags & F_NO64) && emul_is64(c))
		return emul_ud(c);
	if ((op->flags & F_ONLY64) && !emul_is64(c))
		return emul_ud(c);
	if ((op->flags & F_PROT) && !emul_is_prot(c))
		return emul_ud(c);
	if ((op->flags & F_MEM) && !i->has_mem)
		return emul_ud(c);
	if (i->lock && (!(op->flags & F_LOCK) || !i->has_mem || op->dst == O_REG))
		return emul_ud(c);
	if (op->flags & F_UNIMPL)
		return EMUL_UNHANDLEABLE;
	if (emul_is64(c)) {
		if (op->flags & F_NEAR)
			i->op_bytes = 8;
		else if ((op->flags & F_STACK) && i->op_bytes == 4)
			i->op_bytes = 8;
	}
	return EMUL_OK;
}

int emul_decode(struct emul_ctxt *c, const u8 *bytes, u32 nr)
{
	struct emul_insn *i = &c->insn;
	const struct emul_opcode *op;
	u8 attr;
	int ret;

	c->w = *c->regs;
	if (!emul_is64(c))
		c->w.rip = (u32)c->w.rip;
	if (bytes && nr) {
		i->nr_bytes = min_t(u32, nr, EMUL_INSN_MAX);
		memcpy(i->bytes, bytes, i->nr_bytes);
	}
	ret = prefixes(c);
	if (!ret)
		ret = opcode(c);
	if (ret)
		return ret;
	attr = shape(i);
	if ((attr & L_KIND) == L_BAD || (emul_is64(c) && (attr & L_NO64) && !i->vex))
		return emul_ud(c);
	if (attr & L_MODRM) {
		ret = modrm(c);
		if (ret)
			return ret;
	}
	ret = immediate(c, attr & L_KIND);
	if (ret)
		return ret;
	op = find_row(i, emul_is64(c));
	ret = check_row(c, op);
	if (!ret)
		i->op = op;
	return ret;
}

bool emul_io_operand(const struct emul_ctxt *c, u16 *port, u32 *size, bool *in)
{
	const struct emul_insn *i = &c->insn;
	u8 op = i->opcode;

	if (i->map != EMUL_MAP_1B)
		return false;
	if (op >= 0xe4 && op <= 0xe7)
		*port = (u8)i->imm;
	else if ((op >= 0xec && op <= 0xef) || (op >= 0x6c && op <= 0x6f))
		*port = (u16)c->regs->gpr[EMUL_RDX];
	else
		return false;
	*in = !(op & 2);
	*size = !(op & 1) ? 1 : i->op_bytes == 2 ? 2 : 4;
	return true;
}
