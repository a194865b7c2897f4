// SPDX-License-Identifier: GPL-2.0-only
/* Integer arithmetic and logic, with exact flags. */
#include "internal.h"

void emul_set_status(struct emul_ctxt *c, u64 flags)
{
	c->w.rflags = (c->w.rflags & ~(u64)FL_STATUS) | flags;
}

static u64 msb(u64 v, u32 bytes)
{
	return v >> (bytes * 8 - 1) & 1;
}

/* SF, ZF and PF of a result. */
static u64 szp(u64 r, u32 bytes)
{
	u32 low = (u8)r;
	u64 f = 0;

	low ^= low >> 4;
	if (!(0x6996 >> (low & 15) & 1))
		f |= FL_PF;
	if (!(r & emul_mask(bytes)))
		f |= FL_ZF;
	if (msb(r, bytes))
		f |= FL_SF;
	return f;
}

u64 emul_add_flags(u64 a, u64 b, u64 cin, u32 bytes, u64 *flags)
{
	u64 r = (a + b + cin) & emul_mask(bytes), f = szp(r, bytes);

	if (msb((a & b) | ((a | b) & ~r), bytes))
		f |= FL_CF;
	if (msb((a ^ r) & (b ^ r), bytes))
		f |= FL_OF;
	*flags = f | ((a ^ b ^ r) & FL_AF);
	return r;
}

u64 emul_sub_flags(u64 a, u64 b, u64 bin, u32 bytes, u64 *flags)
{
	u64 r = (a - b - bin) & emul_mask(bytes), f = szp(r, bytes);

	if (msb((~a & b) | (~(a ^ b) & r), bytes))
		f |= FL_CF;
	if (msb((a ^ b) & (a ^ r), bytes))
		f |= FL_OF;
	*flags = f | ((a ^ b ^ r) & FL_AF);
	return r;
}

/* Condition code of Jcc, SETcc and CMOVcc (SDM 1 app. B). */
bool emul_cond(u64 f, u8 cc)
{
	bool sf = f & FL_SF, of = f & FL_OF, r;

	switch (cc >> 1 & 7) {
	case 0:
		r = of;
		break;
	case 1:
		r = f & FL_CF;
		break;
	case 2:
		r = f & FL_ZF;
		break;
	case 3:
		r = f & (FL_CF | FL_ZF);
		break;
	case 4:
		r = sf;
		break;
	case 5:
		r = f & FL_PF;
		break;
	case 6:
		r = sf != of;
		break;
	default:
		r = (f & FL_ZF) || sf != of;
		break;
	}
	return r != (cc & 1);
}

static int add(struct emul_ctxt *c, u64 cin)
{
	u64 f;

	c->dst = emul_add_flags(c->dst, c->src, cin, c->bytes, &f);
	emul_set_status(c, f);
	return EMUL_OK;
}

static int sub(struct emul_ctxt *c, u64 bin)
{
	u64 f;

	c->dst = emul_sub_flags(c->dst, c->src, bin, c->bytes, &f);
	emul_set_status(c, f);
	return EMUL_OK;
}

static int logic(struct emul_ctxt *c, u64 r)
{
	c->dst = r;
	emul_set_status(c, szp(r, c->bytes));
	return EMUL_OK;
}

int em_add(struct emul_ctxt *c)
{
	return add(c, 0);
}

int em_adc(struct emul_ctxt *c)
{
	return add(c, c->w.rflags & FL_CF);
}

int em_sub(struct emul_ctxt *c)
{
	return sub(c, 0);
}

int em_sbb(struct emul_ctxt *c)
{
	return sub(c, c->w.rflags & FL_CF);
}

int em_cmp(struct emul_ctxt *c)
{
	return sub(c, 0);
}

int em_or(struct emul_ctxt *c)
{
	return logic(c, c->dst | c->src);
}

int em_and(struct emul_ctxt *c)
{
	return logic(c, c->dst & c->src);
}

int em_xor(struct emul_ctxt *c)
{
	return logic(c, c->dst ^ c->src);
}

int em_test(struct emul_ctxt *c)
{
	return logic(c, c->dst & c->src);
}

/* INC and DEC leave CF. */
int em_inc(struct emul_ctxt *c)
{
	u64 f, cf = c->w.rflags & FL_CF;

	c->dst = emul_add_flags(c->dst, 1, 0, c->bytes, &f);
	emul_set_status(c, (f & ~(u64)FL_CF) | cf);
	return EMUL_OK;
}

int em_dec(struct emul_ctxt *c)
{
	u64 f, cf = c->w.rflags & FL_CF;

	c->dst = emul_sub_flags(c->dst, 1, 0, c->bytes, &f);
	emul_set_status(c, (f & ~(u64)FL_CF) | cf);
	return EMUL_OK;
}

int em_not(struct emul_ctxt *c)
{
	c->dst = ~c->dst & emul_mask(c->bytes);
	return EMUL_OK;
}

int em_neg(struct emul_ctxt *c)
{
	u64 f;

	c->dst = emul_sub_flags(0, c->dst, 0, c->bytes, &f);
	emul_set_status(c, f);
	return EMUL_OK;
}

/* Stores a double-width product or quotient and remainder: AX, or xDX:xAX. */
static void set_wide(struct emul_ctxt *c, u64 lo, u64 hi)
{
	if (c->bytes == 1) {
		emul_set_reg(c, EMUL_RAX, (lo & 0xff) | (hi & 0xff) << 8, 2);
		return;
	}
	emul_set_reg(c, EMUL_RAX, lo, c->bytes);
	emul_set_reg(c, EMUL_RDX, hi, c->bytes);
}

/* CF and OF of a multiplication; the others are undefined and stay. */
static void set_mul_flags(struct emul_ctxt *c, bool over)
{
	c->w.rflags &= ~(u64)(FL_CF | FL_OF);
	if (over)
		c->w.rflags |= FL_CF | FL_OF;
}

/* The half of a product above the operand size. */
static u64 mul_high(u64 a, u64 b, u32 bytes)
{
	if (bytes < 8)
		return a * b >> (bytes * 8);
	return (u64)(((unsigned __int128)a * b) >> 64);
}

/* The same of sign-extended operands. */
static u64 imul_high(u64 a, u64 b, u32 bytes)
{
	if (bytes < 8)
		return (u64)((s64)(a * b) >> (bytes * 8));
	return (u64)(((__int128)(s64)a * (s64)b) >> 64);
}

int em_mul(struct emul_ctxt *c)
{
	u64 a = c->w.gpr[EMUL_RAX] & emul_mask(c->bytes);
	u64 hi = mul_high(a, c->dst, c->bytes);

	set_wide(c, a * c->dst, hi);
	set_mul_flags(c, hi);
	return EMUL_OK;
}

/* Signed product of two operands: low half. Sets CF and OF if it does not hold all. */
static u64 imul(struct emul_ctxt *c, u64 x, u64 y, u64 *hi)
{
	u64 a = emul_sext(x, c->bytes), b = emul_sext(y, c->bytes), lo = a * b;

	*hi = imul_high(a, b, c->bytes);
	set_mul_flags(c, *hi != (u64)((s64)emul_sext(lo, c->bytes) >> 63));
	return lo & emul_mask(c->bytes);
}

int em_imul(struct emul_ctxt *c)
{
	u64 hi, lo = imul(c, c->w.gpr[EMUL_RAX], c->dst, &hi);

	set_wide(c, lo, hi);
	return EMUL_OK;
}

int em_imul2(struct emul_ctxt *c)
{
	u64 hi;

	c->dst = imul(c, c->dst, c->src, &hi);
	return EMUL_OK;
}

int em_imul3(struct emul_ctxt *c)
{
	u64 hi;

	c->dst = imul(c, c->src, c->insn.imm, &hi);
	return EMUL_OK;
}

/* hi:lo / d; hi < d was checked, so that the CPU's DIV cannot fault. */
static u64 div128(u64 hi, u64 lo, u64 d, u64 *rem)
{
	u64 q;

	asm("divq %4" : "=a" (q), "=d" (*rem) : "0" (lo), "1" (hi), "rm" (d) : "cc");
	return q;
}

static void get_dividend(struct emul_ctxt *c, u64 *lo, u64 *hi)
{
	u64 m = emul_mask(c->bytes);

	*lo = c->w.gpr[EMUL_RAX] & m;
	*hi = c->bytes == 1 ? (u8)(c->w.gpr[EMUL_RAX] >> 8) : c->w.gpr[EMUL_RDX] & m;
}

int em_div(struct emul_ctxt *c)
{
	u64 lo, hi, q, r, v;

	get_dividend(c, &lo, &hi);
	if (hi >= c->dst)	/* also: division by zero */
		return emul_exc(c, VEC_DE, false, 0);
	if (c->bytes == 8) {
		q = div128(hi, lo, c->dst, &r);
	} else {
		v = hi << (c->bytes * 8) | lo;
		q = v / c->dst;
		r = v % c->dst;
	}
	set_wide(c, q, r);
	return EMUL_OK;
}

int em_idiv(struct emul_ctxt *c)
{
	u64 lo, hi, d = emul_sext(c->dst, c->bytes), q, r, top;
	bool neg, dneg = d >> 63;

	get_dividend(c, &lo, &hi);
	if (c->bytes < 8) {
		lo = emul_sext(hi << (c->bytes * 8) | lo, c->bytes * 2);
		hi = (u64)((s64)lo >> 63);
	}
	neg = hi >> 63;
	if (neg) {		/* |dividend| */
		lo = -lo;
		hi = ~hi + !lo;
	}
	if (dneg)
		d = -d;
	if (hi >= d)
		return emul_exc(c, VEC_DE, false, 0);
	q = div128(hi, lo, d, &r);
	top = 1ull << (c->bytes * 8 - 1);
	if (q > top - (neg == dneg))
		return emul_exc(c, VEC_DE, false, 0);
	set_wide(c, neg != dneg ? -q : q, neg ? -r : r);
	return EMUL_OK;
}

static u64 swap_bytes(u64 v, u32 bytes)
{
	return __builtin_bswap64(v) >> (64 - bytes * 8);
}

int em_bswap(struct emul_ctxt *c)
{
	/* With 16-bit operands the result is undefined; CPUs give zero. */
	c->dst = c->bytes == 2 ? 0 : swap_bytes(c->dst, c->bytes);
	return EMUL_OK;
}

int em_movbe(struct emul_ctxt *c)
{
	c->dst = swap_bytes(c->src, c->bytes);
	return EMUL_OK;
}

/* CBW, CWDE, CDQE */
int em_cbw(struct emul_ctxt *c)
{
	emul_set_reg(c, EMUL_RAX, emul_sext(c->w.gpr[EMUL_RAX], c->bytes / 2), c->bytes);
	return EMUL_OK;
}

/* CWD, CDQ, CQO */
int em_cwd(struct emul_ctxt *c)
{
	s64 a = (s64)emul_sext(c->w.gpr[EMUL_RAX], c->bytes);

	emul_set_reg(c, EMUL_RDX, (u64)(a >> 63), c->bytes);
	return EMUL_OK;
}

int em_xadd(struct emul_ctxt *c)
{
	u64 old = c->dst;

	em_add(c);
	emul_set_gpr(c, c->insn.reg, old, c->bytes);
	return EMUL_OK;
}

/* Memory is written in either case: back what it held when unequal (SDM 2A CMPXCHG). */
int em_cmpxchg(struct emul_ctxt *c)
{
	u64 f, acc = c->w.gpr[EMUL_RAX] & emul_mask(c->bytes);

	emul_sub_flags(acc, c->dst, 0, c->bytes, &f);
	emul_set_status(c, f);
	if (acc == c->dst) {
		c->dst = c->src;
	} else {
		emul_set_reg(c, EMUL_RAX, c->dst, c->bytes);
		c->no_writeback = !c->insn.has_mem;
	}
	return EMUL_OK;
}

/* CMPXCHG8B, and CMPXCHG16B with REX.W. */
int em_cmpxchg8b(struct emul_ctxt *c)
{
	u32 half = c->insn.op_bytes == 8 ? 8 : 4;
	u64 m = emul_mask(half), *g = c->w.gpr;
	u64 old[2] = { 0, 0 }, cur[2] = { 0, 0 }, new[2], la;
	u8 mem[16], val[16];
	int ret;

	if (half == 8) {
		ret = emul_linear(c, c->insn.seg, c->ea, 16, true, &la);
		if (!ret && (la & 15))
			ret = emul_gp0(c);
		if (ret)
			return ret;
	}
	ret = emul_read_rmw(c, c->insn.seg, c->ea, mem, half * 2);
	if (ret)
		return ret;
	memcpy(&cur[0], mem, half);
	memcpy(&cur[1], mem + half, half);
	old[0] = g[EMUL_RAX] & m;
	old[1] = g[EMUL_RDX] & m;
	if (cur[0] == old[0] && cur[1] == old[1]) {
		new[0] = g[EMUL_RBX] & m;
		new[1] = g[EMUL_RCX] & m;
		c->w.rflags |= FL_ZF;
	} else {
		new[0] = cur[0];
		new[1] = cur[1];
		emul_set_reg(c, EMUL_RAX, cur[0], half);
		emul_set_reg(c, EMUL_RDX, cur[1], half);
		c->w.rflags &= ~(u64)FL_ZF;
	}
	memcpy(val, &new[0], half);
	memcpy(val + half, &new[1], half);
	if (c->insn.lock)
		return emul_write_locked(c, c->insn.seg, c->ea, mem, val, half * 2);
	return emul_write(c, c->insn.seg, c->ea, val, half * 2);
}
