// SPDX-License-Identifier: GPL-2.0-only
/* Shifts, rotates, and bit instructions. dst: the value, src: the count or bit number. */
#include "internal.h"

static u32 bits(const struct emul_ctxt *c)
{
	return c->bytes * 8;
}

static u64 top(const struct emul_ctxt *c, u64 v)
{
	return v >> (bits(c) - 1) & 1;
}

static u32 count_of(const struct emul_ctxt *c)
{
	return c->src & (c->bytes == 8 ? 63 : 31);
}

static void set_cf_of(struct emul_ctxt *c, bool cf, bool of)
{
	c->w.rflags &= ~(u64)(FL_CF | FL_OF);
	c->w.rflags |= (cf ? FL_CF : 0) | (of ? FL_OF : 0);
}

/* All status flags of a shift; AF is undefined and cleared. */
static int shifted(struct emul_ctxt *c, u64 r, bool cf, bool of)
{
	u64 f;

	r &= emul_mask(c->bytes);
	emul_add_flags(r, 0, 0, c->bytes, &f);
	emul_set_status(c, (f & (FL_SF | FL_ZF | FL_PF)) | (cf ? FL_CF : 0) | (of ? FL_OF : 0));
	c->dst = r;
	return EMUL_OK;
}

int em_rol(struct emul_ctxt *c)
{
	u32 n = count_of(c), k = n % bits(c);
	u64 d = c->dst;

	if (!n)
		return EMUL_OK;
	if (k)
		d = (d << k | d >> (bits(c) - k)) & emul_mask(c->bytes);
	set_cf_of(c, d & 1, top(c, d) ^ (d & 1));
	c->dst = d;
	return EMUL_OK;
}

int em_ror(struct emul_ctxt *c)
{
	u32 n = count_of(c), k = n % bits(c);
	u64 d = c->dst;

	if (!n)
		return EMUL_OK;
	if (k)
		d = (d >> k | d << (bits(c) - k)) & emul_mask(c->bytes);
	set_cf_of(c, top(c, d), top(c, d) ^ top(c, d << 1 & emul_mask(c->bytes)));
	c->dst = d;
	return EMUL_OK;
}

int em_rcl(struct emul_ctxt *c)
{
	u32 n = count_of(c) % (bits(c) + 1), k;
	u64 d = c->dst, cf = c->w.rflags & FL_CF, t;

	if (!n)
		return EMUL_OK;
	for (k = 0; k < n; k++) {
		t = top(c, d);
		d = (d << 1 | cf) & emul_mask(c->bytes);
		cf = t;
	}
	set_cf_of(c, cf, top(c, d) ^ cf);
	c->dst = d;
	return EMUL_OK;
}

int em_rcr(struct emul_ctxt *c)
{
	u32 n = count_of(c) % (bits(c) + 1), k;
	u64 d = c->dst, cf = c->w.rflags & FL_CF, t;

	if (!n)
		return EMUL_OK;
	for (k = 0; k < n; k++) {
		t = d & 1;
		d = d >> 1 | cf << (bits(c) - 1);
		cf = t;
	}
	set_cf_of(c, cf, top(c, d) ^ top(c, d << 1 & emul_mask(c->bytes)));
	c->dst = d;
	return EMUL_OK;
}

int em_shl(struct emul_ctxt *c)
{
	u32 n = count_of(c);
	u64 r, cf;

	if (!n)
		return EMUL_OK;
	r = c->dst << n;
	cf = c->bytes == 8 ? c->dst >> (64 - n) & 1 : r >> bits(c) & 1;
	return shifted(c, r, cf, top(c, r) ^ cf);
}

int em_shr(struct emul_ctxt *c)
{
	u32 n = count_of(c);

	if (!n)
		return EMUL_OK;
	/* OF is defined for a count of one; CPUs give it the formula for that always. */
	return shifted(c, c->dst >> n, c->dst >> (n - 1) & 1, n == 1 && top(c, c->dst));
}

int em_sar(struct emul_ctxt *c)
{
	u32 n = count_of(c);
	s64 d = (s64)emul_sext(c->dst, c->bytes);

	if (!n)
		return EMUL_OK;
	return shifted(c, (u64)(d >> n), d >> (n - 1) & 1, false);
}

/* SHLD and SHRD by immediate or CL. src is the register that supplies bits. */
static u32 double_count(const struct emul_ctxt *c)
{
	u64 n = (c->insn.opcode & 1) ? c->w.gpr[EMUL_RCX] : c->insn.imm;

	return n & (c->bytes == 8 ? 63 : 31);
}

int em_shld(struct emul_ctxt *c)
{
	u32 n = double_count(c), w = bits(c);
	u64 r, cf;

	if (!n)
		return EMUL_OK;
	if (n > w) {		/* 16-bit only; undefined: go on with dst again */
		n -= w;
		r = c->src << n | c->dst >> (w - n);
		cf = c->src >> (w - n) & 1;
	} else {
		r = (n == 64 ? 0 : c->dst << n) | (n == w ? c->src : c->src >> (w - n));
		cf = c->dst >> (w - n) & 1;
	}
	r &= emul_mask(c->bytes);
	return shifted(c, r, cf, top(c, r) ^ top(c, c->dst));
}

int em_shrd(struct emul_ctxt *c)
{
	u32 n = double_count(c), w = bits(c);
	u64 r, cf;

	if (!n)
		return EMUL_OK;
	if (n > w) {
		n -= w;
		r = c->src >> n | c->dst << (w - n);
		cf = c->src >> (n - 1) & 1;
	} else {
		r = c->dst >> n | (n == w ? c->src : c->src << (w - n));
		cf = c->dst >> (n - 1) & 1;
	}
	r &= emul_mask(c->bytes);
	return shifted(c, r, cf, top(c, r) ^ top(c, c->dst));
}

/* The bit under test as a mask; sets CF to it. */
static u64 test_bit_cf(struct emul_ctxt *c)
{
	u64 m = 1ull << (c->src & (bits(c) - 1));

	c->w.rflags &= ~(u64)FL_CF;
	if (c->dst & m)
		c->w.rflags |= FL_CF;
	return m;
}

int em_bt(struct emul_ctxt *c)
{
	test_bit_cf(c);
	return EMUL_OK;
}

int em_bts(struct emul_ctxt *c)
{
	c->dst |= test_bit_cf(c);
	return EMUL_OK;
}

int em_btr(struct emul_ctxt *c)
{
	c->dst &= ~test_bit_cf(c);
	return EMUL_OK;
}

int em_btc(struct emul_ctxt *c)
{
	c->dst ^= test_bit_cf(c);
	return EMUL_OK;
}

/* BSF and BSR of zero set ZF and leave the destination (documented by AMD, done by all). */
static int bit_scan(struct emul_ctxt *c, u32 result)
{
	c->w.rflags &= ~(u64)FL_ZF;
	if (!c->src) {
		c->w.rflags |= FL_ZF;
		c->no_writeback = true;
	}
	c->dst = result;
	return EMUL_OK;
}

int em_bsf(struct emul_ctxt *c)
{
	return bit_scan(c, c->src ? __builtin_ctzll(c->src) : 0);
}

int em_bsr(struct emul_ctxt *c)
{
	return bit_scan(c, c->src ? 63 - __builtin_clzll(c->src) : 0);
}

static int count_zeros(struct emul_ctxt *c, u32 n)
{
	c->w.rflags &= ~(u64)(FL_CF | FL_ZF);
	if (!c->src)
		c->w.rflags |= FL_CF;
	if (!n)
		c->w.rflags |= FL_ZF;
	c->dst = n;
	return EMUL_OK;
}

static bool has_cpuid(struct emul_ctxt *c, u32 leaf, bool in_ebx, u32 bit)
{
	u32 eax = leaf, ebx = 0, ecx = 0, edx = 0;

	c->ops->cpuid(c, &eax, &ebx, &ecx, &edx);
	return (in_ebx ? ebx : ecx) >> bit & 1;
}

/* On a CPU without BMI1 the prefix means nothing, and this is BSF. */
int em_tzcnt(struct emul_ctxt *c)
{
	if (!has_cpuid(c, 7, true, 3))
		return em_bsf(c);
	return count_zeros(c, c->src ? (u32)__builtin_ctzll(c->src) : bits(c));
}

int em_lzcnt(struct emul_ctxt *c)
{
	if (!has_cpuid(c, 0x80000001, false, 5))
		return em_bsr(c);
	return count_zeros(c, c->src ? (u32)__builtin_clzll(c->src) - (64 - bits(c)) : bits(c));
}

int em_popcnt(struct emul_ctxt *c)
{
	u64 v = c->src;
	u32 n;

	for (n = 0; v; n++)
		v &= v - 1;
	emul_set_status(c, c->src ? 0 : FL_ZF);
	c->dst = n;
	return EMUL_OK;
}
