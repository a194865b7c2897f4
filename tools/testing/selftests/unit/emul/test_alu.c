// SPDX-License-Identifier: GPL-2.0-only
/* Bytes and what they must do, in 16, 32 and 64-bit code. */
#include <stdlib.h>
#include "guest.h"
#include "../unit.h"

#define A EMUL_RAX
#define C EMUL_RCX
#define D EMUL_RDX
#define B EMUL_RBX
#define SP EMUL_RSP
#define BP EMUL_RBP
#define SI EMUL_RSI
#define DI EMUL_RDI

#define R EMUL_REAL
#define V EMUL_VM86
#define S EMUL_PROT16
#define P EMUL_PROT32
#define L EMUL_PROT64

struct set {
	u8 reg;
	u64 val;
	bool yes;
};

struct row {
	const char *name;
	enum emul_mode mode;
	u8 code[15];
	u8 n;
	struct set in[4];
	u64 mem_in;		/* 8 bytes at DATA (16-bit modes: 0x6000) */
	struct set out[3];
	u64 mem_out;
	u32 fl_in, fl_out, fl_mask;
	u64 rip;		/* 0: behind the instruction */
	u8 cpl;
};

#define X(r, v) { r, v, true }
#define FL 0x8d5u

static const struct row rows[] = {
	/* Operand and address sizes. [bx] in 16-bit code, DS base 0 */
	{ "mov ax,[bx] 16", R, { 0x8b, 0x07 }, 2, { X(B, 0x6000), X(A, ~0ull) }, 0x1234, { X(A,
	  0xffffffffffff1234) }, 0x1234 },
	{ "mov eax,[bx] 66", R, { 0x66, 0x8b, 0x07 }, 3, { X(B, 0x6000) }, 0x12345678, { X(A,
	  0x12345678) }, 0x12345678 },
	{ "mov eax,[ebx] 66 67", R, { 0x66, 0x67, 0x8b, 0x03 }, 4, { X(B, 0x6000) }, 0x12345678,
	  { X(A, 0x12345678) }, 0x12345678 },
	{ "mov [bx+si-1],al", R, { 0x88, 0x40, 0xff }, 3, { X(B, 0x5000), X(SI, 0x1001), X(A,
	  0x77) }, 0, { X(A, 0x77) }, 0x77 },
	{ "mov [bp+di+2] wraps", S, { 0x89, 0x83, 0, 0x10 }, 4, { X(BP, 0xf000), X(DI, 0x6000),
	  X(A, 0xbeef) }, 0, { X(A, 0xbeef) }, 0xbeef },
	{ "mov ax,moffs", R, { 0xa1, 0, 0x60 }, 3, { X(A, 0) }, 0x5678, { X(A, 0x5678) }, 0x5678 },
	{ "mov moffs,al 32", P, { 0xa2, 0, 0, 1, 0 }, 5, { X(A, 0x99) }, 0, { X(A, 0x99) }, 0x99 },
	{ "mov rax,moffs64", L, { 0x48, 0xa1, 0, 0, 1, 0, 0, 0, 0, 0 }, 10, { X(A, 0) },
	  0x1122334455667788, { X(A, 0x1122334455667788) }, 0x1122334455667788 },
	{ "mov eax,moffs32", L, { 0x67, 0xa1, 0, 0, 1, 0 }, 6, { X(A, ~0ull) }, 0x1122334455667788,
	  { X(A, 0x55667788) }, 0x1122334455667788 },
	{ "mov [rip+d]", L, { 0x89, 0x05, 0xfa, 0xef, 0, 0 }, 6, { X(A, 0x31337) }, 0, { X(A,
	  0x31337) }, 0x31337 },
	{ "mov [rip+d],imm", L, { 0xc7, 0x05, 0xf6, 0xef, 0, 0, 1, 2, 3, 4 }, 10, { X(A, 0) }, 0,
	  { X(A, 0) }, 0x04030201 },
	{ "mov [r13]", L, { 0x49, 0x89, 0x45, 0 }, 4, { X(13, DATA), X(A, 0x5) }, 0, { X(A, 5) },
	  5 },
	{ "mov [r12+r13*8]", L, { 0x4b, 0x89, 0x04, 0xec }, 4, { X(12, DATA - 0x80), X(13, 0x10),
	  X(A, 6) }, 0, { X(A, 6) }, 6 },
	{ "mov [ebx] 67 in 64", L, { 0x67, 0x89, 0x03 }, 3, { X(B, 0xdead00010000), X(A, 7) }, 0,
	  { X(A, 7) }, 7 },
	{ "high byte without REX", L, { 0x88, 0x23 }, 2, { X(B, DATA), X(A, 0xaabb) }, 0, { X(A,
	  0xaabb) }, 0xaa },
	{ "spl with REX", L, { 0x40, 0x88, 0x23 }, 3, { X(B, DATA), X(A, 0xaabb), X(SP, 0x55) }, 0,
	  { X(A, 0xaabb) }, 0x55 },
	{ "mov [m],imm32 sign-extended", L, { 0x48, 0xc7, 0x03, 0xff, 0xff, 0xff, 0xff }, 7, { X(B,
	  DATA) }, 0, { X(B, DATA) }, ~0ull },
	{ "movzx", L, { 0x0f, 0xb6, 0x03 }, 3, { X(B, DATA), X(A, ~0ull) }, 0x80, { X(A, 0x80) },
	  0x80 },
	{ "movsx", L, { 0x48, 0x0f, 0xbe, 0x03 }, 4, { X(B, DATA) }, 0x80, { X(A,
	  0xffffffffffffff80) }, 0x80 },
	{ "movsxd", L, { 0x48, 0x63, 0x03 }, 3, { X(B, DATA) }, 0x80000000, { X(A,
	  0xffffffff80000000) }, 0x80000000 },
	{ "movnti", L, { 0x48, 0x0f, 0xc3, 0x03 }, 4, { X(B, DATA), X(A, 0x1234567890) }, 0, { X(A,
	  0x1234567890) }, 0x1234567890 },
	{ "movbe store", L, { 0x0f, 0x38, 0xf1, 0x03 }, 4, { X(B, DATA), X(A, 0x11223344) }, 0,
	  { X(A, 0x11223344) }, 0x44332211 },
	{ "fs segment base is added", L, { 0x64, 0x89, 0x03 }, 3, { X(B, DATA - 0x100), X(A, 3) },
	  0, { X(A, 3) }, 3 },
	/* RMW and flags */
	{ "add [m],r", L, { 0x01, 0x03 }, 2, { X(B, DATA), X(A, 1) }, 0xffffffff, { X(A, 1) }, 0,
	  0, 0x55, FL },
	{ "lock or", P, { 0xf0, 0x83, 0x0b, 0x80 }, 4, { X(B, DATA) }, 1, { X(B, DATA) },
	  0xffffff81, 0, 0x84, FL & ~0x10u },
	{ "lock cmpxchg equal", L, { 0xf0, 0x48, 0x0f, 0xb1, 0x0b }, 5, { X(B, DATA), X(A, 5), X(C,
	  9) }, 5, { X(A, 5) }, 9, 0, 0x44, FL },
	{ "cmpxchg unequal", L, { 0x0f, 0xb1, 0x0b }, 3, { X(B, DATA), X(A, 5), X(C, 9) }, 6,
	  { X(A, 6) }, 6, 0, 0x95, FL },
	{ "cmpxchg8b", P, { 0xf0, 0x0f, 0xc7, 0x0f }, 4,
	  { X(DI, DATA), X(A, 0x55667788), X(D, 0x11223344), X(C, 1) },
	  0x1122334455667788, { X(A, 0x55667788) }, 0x100000000, 0, 0x40, 0x40 },
	{ "xchg is locked anyway", L, { 0x87, 0x03 }, 2, { X(B, DATA), X(A, 1) }, 2, { X(A, 2) },
	  1 },
	{ "bts beyond the operand", L, { 0x0f, 0xab, 0x03 }, 3, { X(B, DATA - 4), X(A, 33) }, 0,
	  { X(A, 33) }, 2, 1, 0, 1 },
	{ "bt negative offset", L, { 0x48, 0x0f, 0xa3, 0x03 }, 4, { X(B, DATA + 8), X(A, -64) }, 1,
	  { X(A, -64) }, 1, 0, 1, 1 },
	{ "not leaves flags", L, { 0xf7, 0x13 }, 2, { X(B, DATA) }, 0, { X(B, DATA) }, 0xffffffff,
	  FL, FL, FL },
	/* 32-bit only */
	{ "inc eax 40", P, { 0x40 }, 1, { X(A, 0xffffffff) }, 0, { X(A, 0) }, 0, 1, 0x55, FL },
	{ "dec ax 48", S, { 0x48 }, 1, { X(A, 0x10000) }, 0, { X(A, 0x1ffff) }, 0, 0, 0x94, FL },
	{ "aam", P, { 0xd4, 0x0a }, 2, { X(A, 0x1163) }, 0, { X(A, 0x0909) }, 0, 0, 0x04, 0xc4 },
	{ "aad", P, { 0xd5, 0x0a }, 2, { X(A, 0x0909) }, 0, { X(A, 0x63) }, 0, 0, 0x04, 0xc4 },
	{ "aaa", P, { 0x37 }, 1, { X(A, 0x0f) }, 0, { X(A, 0x105) }, 0, 0, 0x11, 0x11 },
	{ "aas", P, { 0x3f }, 1, { X(A, 0x20f) }, 0, { X(A, 0x109) }, 0, 0, 0x11, 0x11 },
	{ "daa", P, { 0x27 }, 1, { X(A, 0xae) }, 0, { X(A, 0x14) }, 0, 0, 0x15, FL & ~0x800u },
	{ "das", P, { 0x2f }, 1, { X(A, 0xee) }, 0, { X(A, 0x88) }, 0, 0x10, 0x95, FL & ~0x800u },
	{ "salc", P, { 0xd6 }, 1, { X(A, 0) }, 0, { X(A, 0xff) }, 0, 1, 1, 1 },
	{ "xlat", R, { 0xd7 }, 1, { X(B, 0x5ffe), X(A, 2) }, 0x41, { X(A, 0x41) }, 0x41 },
	{ "arpl", P, { 0x63, 0xc8 }, 2, { X(A, 0xffff0008), X(C, 3) }, 0, { X(A, 0xffff000b) }, 0,
	  0, 0x40, 0x40 },
	/* control */
	{ "jmp short 16 wraps", S, { 0xeb, 0x80 }, 2, { X(A, 0) }, 0, { X(A, 0) }, 0, 0, 0, 0,
	  CODE - 0x7e },
	{ "jz taken", L, { 0x74, 0x10 }, 2, { X(A, 0) }, 0, { X(A, 0) }, 0, 0x40, 0x40, 0x40,
	  CODE + 0x12 },
	{ "jz not taken", L, { 0x0f, 0x84, 0, 0, 1, 0 }, 6, { X(A, 0) }, 0, { X(A, 0) }, 0 },
	{ "jmp r 16-bit operand", S, { 0xff, 0xe0 }, 2, { X(A, 0x12344444) }, 0, { X(A,
	  0x12344444) }, 0, 0, 0, 0, 0x4444 },
	{ "call rel", L, { 0xe8, 0, 0, 0, 1 }, 5, { X(SP, DATA + 8) }, 0, { X(SP, DATA) },
	  CODE + 5, 0, 0, 0, CODE + 0x1000005 },
	{ "ret", L, { 0xc3 }, 1, { X(SP, DATA) }, 0x1234, { X(SP, DATA + 8) }, 0x1234, 0, 0, 0,
	  0x1234 },
	{ "ret imm", P, { 0xc2, 8, 0 }, 3, { X(SP, DATA) }, 0x1234, { X(SP, DATA + 12) }, 0x1234,
	  0, 0, 0, 0x1234 },
	{ "loop cx", R, { 0xe2, 0x10 }, 2, { X(C, 0x10001) }, 0, { X(C, 0x10000) }, 0 },
	{ "loop ecx", R, { 0x67, 0xe2, 0x10 }, 3, { X(C, 0x10001) }, 0, { X(C, 0x10000) }, 0, 0, 0,
	  0, CODE + 0x13 },
	{ "jrcxz", L, { 0xe3, 0x10 }, 2, { X(C, 0x100000000) }, 0, { X(A, 0) }, 0 },
	{ "jecxz", L, { 0x67, 0xe3, 0x10 }, 3, { X(C, 0x100000000) }, 0, { X(A, 0) }, 0, 0, 0, 0,
	  CODE + 0x13 },
	/* stack widths */
	{ "push 64", L, { 0x50 }, 1, { X(SP, DATA + 8), X(A, 0x1122334455667788) }, 0, { X(SP,
	  DATA) }, 0x1122334455667788 },
	{ "push 16 in 64", L, { 0x66, 0x50 }, 2, { X(SP, DATA + 2), X(A, 0x7788) }, 0, { X(SP,
	  DATA) }, 0x7788 },
	{ "push imm8 sign", P, { 0x6a, 0xff }, 2, { X(SP, DATA + 4) }, 0, { X(SP, DATA) },
	  0xffffffff },
	{ "pop [m] uses new SP", L, { 0x8f, 0x44, 0x24, 0xf8 }, 4, { X(SP, DATA) }, 0x99, { X(SP,
	  DATA + 8) }, 0x99 },
	{ "leave", L, { 0xc9 }, 1, { X(BP, DATA), X(SP, 0x999) }, 0x4321, { X(BP, 0x4321), X(SP,
	  DATA + 8) }, 0x4321 },
	{ "sp wraps at 64K", R, { 0x50 }, 1, { X(SP, 0xabcd0000), X(A, 0x1) }, 0, { X(SP,
	  0xabcdfffe) }, 0 },
	{ "popf cannot raise IOPL at CPL 3", L, { 0x9d }, 1, { X(SP, DATA) }, 0x3202, { X(SP,
	  DATA + 8) }, 0x3202, 0x2, 0x2, 0x3202, 0, 3 },
	{ "lahf", P, { 0x9f }, 1, { X(A, 0) }, 0, { X(A, 0xd700) }, 0, 0xd5, 0xd5, 0xd5 },
	{ "cpuid", L, { 0x0f, 0xa2 }, 2, { X(A, 0xffffffff00000005) }, 0, { X(A, 6), X(B, 2), X(D,
	  4) }, 0 },
	{ "rdtsc", L, { 0x0f, 0x31 }, 2, { X(A, ~0ull) }, 0, { X(A, 0x55667788), X(D,
	  0x11223344) }, 0 },
	{ "endbr64", L, { 0xf3, 0x0f, 0x1e, 0xfa }, 4, { X(A, 1) }, 0, { X(A, 1) }, 0 },
	{ "long nop", L, { 0x66, 0x0f, 0x1f, 0x44, 0, 0 }, 6, { X(A, 1) }, 0, { X(A, 1) }, 0 },
	{ "prefetch", L, { 0x0f, 0x18, 0x08 }, 3, { X(A, 1) }, 0, { X(A, 1) }, 0 },
	{ "nop does not clear the upper half", L, { 0x90 }, 1, { X(A, ~0ull) }, 0, { X(A, ~0ull) },
	  0 },
	{ "les", R, { 0xc4, 0x07 }, 2, { X(B, 0x6000) }, 0x20001234, { X(A, 0x1234) }, 0x20001234 },
};

static void run_row(struct guest *g, const struct row *t)
{
	bool small = t->mode == R || t->mode == V || t->mode == S;
	u64 data = small ? 0x6000 : DATA, v, want;
	u32 i;
	int ret;

	guest_reset(g, t->mode, t->cpl);
	if (t->code[0] == 0x64)
		g->seg[EMUL_FS].base = 0x100;
	for (i = 0; i < 4; i++)
		if (t->in[i].yes)
			g->regs.gpr[t->in[i].reg] = t->in[i].val;
	g->regs.rflags |= t->fl_in;
	guest_st(g, data, t->mem_in, 8);
	ret = guest_run(g, t->code, t->n);
	ok(ret == EMUL_OK, "%s: result %d vector %d", t->name, ret, g->c.exc.vector);
	if (ret)
		return;
	for (i = 0; i < 3; i++)
		if (t->out[i].yes)
			ok(g->regs.gpr[t->out[i].reg] == t->out[i].val, "%s: gpr %u is %llx",
			   t->name,
			   t->out[i].reg, (unsigned long long)g->regs.gpr[t->out[i].reg]);
	v = guest_ld(g, data, 8);
	ok(v == t->mem_out, "%s: memory is %llx", t->name, (unsigned long long)v);
	ok((g->regs.rflags & t->fl_mask) == t->fl_out, "%s: flags %llx", t->name,
	   (unsigned long long)g->regs.rflags);
	want = t->rip ? t->rip : CODE + t->n;
	ok(g->regs.rip == want, "%s: rip %llx", t->name, (unsigned long long)g->regs.rip);
}

/* Every value of AL, CF and AF through the decimal adjusts, by the manual's own words. */
static void test_decimal(struct guest *g)
{
	u32 al, f;

	unit_case("daa and das, all inputs");
	for (al = 0; al < 256; al++) {
		for (f = 0; f < 4; f++) {
			bool cf = f & 1, af = f & 2, ncf = false, naf = false;
			u8 a = al;

			if ((a & 15) > 9 || af) {
				ncf = cf || a + 6 > 255;
				a += 6;
				naf = true;
			}
			if (al > 0x99 || cf) {
				a += 0x60;
				ncf = true;
			} else {
				ncf = false;
			}
			guest_reset(g, P, 0);
			g->regs.gpr[A] = al;
			g->regs.rflags |= (cf ? 1 : 0) | (af ? 0x10 : 0);
			ok(guest_run(g, "\x27", 1) == EMUL_OK, "daa");
			ok((u8)g->regs.gpr[A] == a && !!(g->regs.rflags & 1) == ncf &&
			   !!(g->regs.rflags & 0x10) == naf, "daa %x %x", al, f);

			a = al;
			naf = false;
			ncf = false;
			if ((a & 15) > 9 || af) {
				ncf = cf || a < 6;
				a -= 6;
				naf = true;
			}
			if (al > 0x99 || cf) {
				a -= 0x60;
				ncf = true;
			}
			guest_reset(g, P, 0);
			g->regs.gpr[A] = al;
			g->regs.rflags |= (cf ? 1 : 0) | (af ? 0x10 : 0);
			ok(guest_run(g, "\x2f", 1) == EMUL_OK, "das");
			ok((u8)g->regs.gpr[A] == a && !!(g->regs.rflags & 1) == ncf &&
			   !!(g->regs.rflags & 0x10) == naf, "das %x %x", al, f);
		}
	}
}

static void test_pusha(struct guest *g)
{
	u32 i;

	unit_case("pusha, popa");
	guest_reset(g, P, 0);
	for (i = 0; i < 8; i++)
		g->regs.gpr[i] = 0x100 + i;
	g->regs.gpr[SP] = DATA + 0x20;
	ok(guest_run(g, "\x60", 1) == EMUL_OK, "pusha");
	ok(g->regs.gpr[SP] == DATA, "sp");
	for (i = 0; i < 8; i++)
		ok(guest_ld(g, DATA + 4 * i, 4) == (i == 3 ? DATA + 0x20 : 0x107 - i), "slot %u",
		   i);
	for (i = 0; i < 8; i++)
		if (i != SP)
			g->regs.gpr[i] = 0;
	ok(guest_run(g, "\x61", 1) == EMUL_OK, "popa");
	for (i = 0; i < 8; i++)
		ok(g->regs.gpr[i] == (i == SP ? DATA + 0x20 : 0x100 + i), "gpr %u", i);
}

static void test_simd(struct guest *g)
{
	u8 want[32];
	u32 i;

	unit_case("SSE, AVX and MMX moves");
	guest_reset(g, L, 0);
	g->regs.gpr[B] = DATA;
	for (i = 0; i < 64; i++)
		g->ram[DATA + i] = i;
	memset(g->vec[1], 0xee, 32);
	memset(want, 0xee, 32);
	memcpy(want, g->ram + DATA, 16);
	ok(guest_run(g, "\x66\x0f\x6f\x0b", 4) == EMUL_OK, "movdqa xmm1,[rbx]");
	ok(!memcmp(g->vec[1], want, 32), "upper half stays");
	ok(guest_run(g, "\xc5\xf9\x6f\x0b", 4) == EMUL_OK, "vmovdqa xmm1,[rbx]");
	memset(want + 16, 0, 16);
	ok(!memcmp(g->vec[1], want, 32), "upper half cleared");
	ok(guest_run(g, "\xc5\xfe\x6f\x4b\x01", 5) == EMUL_OK, "vmovdqu ymm1,[rbx+1]");
	ok(!memcmp(g->vec[1], g->ram + DATA + 1, 32), "32 bytes");
	ok(guest_run(g, "\x66\x0f\x6f\x4b\x01", 5) == EMUL_FAULT && g->c.exc.vector == 13,
	   "movdqa unaligned");
	ok(guest_run(g, "\x44\x0f\x11\x7b\x20", 5) == EMUL_OK, "movups [rbx+32],xmm15");
	ok(!memcmp(g->ram + DATA + 32, g->vec[15], 16), "stored");
	ok(guest_run(g, "\xf3\x0f\x7e\x13", 4) == EMUL_OK, "movq xmm2,[rbx]");
	ok(!memcmp(g->vec[2], g->ram + DATA, 8) && !g->vec[2][8], "zero extended");
	g->regs.gpr[A] = 0x1122334455667788;
	ok(guest_run(g, "\x66\x48\x0f\x6e\xd8", 5) == EMUL_OK, "movq xmm3,rax");
	ok(!memcmp(g->vec[3], &g->regs.gpr[A], 8), "from gpr");
	ok(guest_run(g, "\x66\x0f\xd6\x1b", 4) == EMUL_OK, "movq [rbx],xmm3");
	ok(guest_ld(g, DATA, 8) == 0x1122334455667788, "to memory");
	ok(guest_run(g, "\x0f\x6f\x03", 3) == EMUL_OK, "movq mm0,[rbx]");
	ok(g->mmx[0] == 0x1122334455667788, "mmx");
	g->mf = true;
	g->mmx[0] = 5;
	ok(guest_run(g, "\x0f\x6f\x03", 3) == EMUL_FAULT && g->c.exc.vector == 16 &&
	   !g->c.exc.has_error && g->mmx[0] == 5, "movq mm0,[rbx] behind an x87 exception");
	ok(guest_run(g, "\x0f\x7f\x03", 3) == EMUL_FAULT && g->c.exc.vector == 16, "movq [rbx],mm0");
	ok(guest_run(g, "\x9b", 1) == EMUL_FAULT && g->c.exc.vector == 16, "wait");
	ok(guest_run(g, "\x0f\x10\x03", 3) == EMUL_OK, "movups does not wait");
	g->mf = false;
	ok(guest_run(g, "\xf3\x0f\x10\xca", 4) == EMUL_OK, "movss xmm1,xmm2");
	ok(guest_run(g, "\x0f\x16\x0b", 3) == EMUL_OK, "movhps xmm1,[rbx]");
	ok(!memcmp(g->vec[1] + 8, g->ram + DATA, 8), "high half");
	ok(guest_run(g, "\x0f\xae\x03", 3) == EMUL_OK, "fxsave [rbx]");
	ok(g->ram[DATA] == 0x5a && g->ram[DATA + 415] == 0x5a && g->ram[DATA + 416] == 0,
	   "416 bytes");
	ok(guest_run(g, "\x0f\x58\xc1", 3) == EMUL_UNHANDLEABLE, "addps");
	ok(guest_run(g, "\xc5\xf0\x58\xc1", 4) == EMUL_UNHANDLEABLE, "vaddps");
	g->cr[0] |= 8;
	ok(guest_run(g, "\x0f\x10\x0b", 3) == EMUL_FAULT && g->c.exc.vector == 7, "#NM under TS");
	g->cr[4] = 0;
	ok(guest_run(g, "\x0f\x10\x0b", 3) == EMUL_FAULT && g->c.exc.vector == 6, "#UD: no OSFXSR");
	ok(guest_run(g, "\xc5\xf8\x10\x0b", 4) == EMUL_FAULT && g->c.exc.vector == 6, "no OSXSAVE");
}

int main(void)
{
	struct guest *g = guest_new();
	u32 i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		unit_case(rows[i].name);
		run_row(g, &rows[i]);
	}
	test_decimal(g);
	test_pusha(g);
	test_simd(g);
	guest_free(g);
	return unit_done();
}
