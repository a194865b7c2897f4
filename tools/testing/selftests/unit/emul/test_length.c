// SPDX-License-Identifier: GPL-2.0-only
/* emul_insn_length() against known encodings, and against the full decoder. */
#include <stdlib.h>
#include "guest.h"
#include "../unit.h"

struct known {
	enum emul_mode mode;
	int len;		/* expected result */
	u8 n;
	u8 b[15];
};

#define R EMUL_REAL
#define P EMUL_PROT32
#define L EMUL_PROT64

static const struct known known[] = {
	{ L, 2, 2, { 0x0f, 0xa2 } },				/* cpuid */
	{ L, 1, 1, { 0xf4 } },					/* hlt */
	{ L, 2, 2, { 0x0f, 0x32 } },				/* rdmsr */
	{ L, 3, 3, { 0x0f, 0x01, 0xd9 } },			/* vmmcall */
	{ L, 3, 3, { 0x0f, 0x20, 0xc0 } },			/* mov rax, cr0 */
	{ L, 4, 4, { 0x44, 0x0f, 0x22, 0xc0 } },		/* mov cr8, rax */
	{ L, 3, 3, { 0x0f, 0x22,
	  0x04 } },			/* mov cr: ModRM is a register form */
	{ L, 2, 2, { 0xe4, 0x60 } },				/* in al, 0x60 */
	{ L, 1, 1, { 0xec } },
	{ R, 2, 2, { 0x66, 0xed } },
	{ L, 2, 2, { 0xf3, 0x6c } },				/* rep insb */
	{ L, 2, 2, { 0xf3, 0x90 } },				/* pause */
	{ L, 8, 8, { 0x48, 0x8b, 0x04, 0x25, 1, 2, 3, 4 } },	/* mov rax, [abs] */
	{ L, 10, 10, { 0x48, 0xb8, 1, 2, 3, 4, 5, 6, 7, 8 } },	/* mov rax, imm64 */
	{ L, 5, 5, { 0xb8, 1, 2, 3, 4 } },
	{ R, 3, 3, { 0xb8, 1, 2 } },
	{ L, 9, 9, { 0xa1, 1, 2, 3, 4, 5, 6, 7, 8 } },		/* mov eax, moffs64 */
	{ L, 6, 6, { 0x67, 0xa1, 1, 2, 3, 4 } },
	{ P, 5, 5, { 0xa1, 1, 2, 3, 4 } },
	{ R, 4, 4, { 0x89, 0x87, 1, 2 } },			/* mov [bx+d16], ax */
	{ R, 4, 4, { 0x89, 0x06, 1, 2 } },			/* mov [d16], ax */
	{ R, 2, 2, { 0x89, 0x04 } },				/* mov [si], ax */
	{ P, 3, 3, { 0x89, 0x04, 0x24 } },			/* mov [esp], eax */
	{ P, 7, 7, { 0x89, 0x04, 0x25, 1, 2, 3, 4 } },
	{ L, 6, 6, { 0x89, 0x05, 1, 2, 3, 4 } },		/* mov [rip+d32], eax */
	{ L, 6, 6, { 0xc7, 0x00, 1, 2, 3, 4 } },		/* mov dword [rax], imm */
	{ L, 5, 5, { 0x66, 0xc7, 0x00, 1, 2 } },
	{ L, 3, 3, { 0xf6, 0x00, 1 } },				/* test byte [rax], ib */
	{ L, 2, 2, { 0xf6, 0x10 } },				/* not byte [rax] */
	{ L, 6, 6, { 0xf7, 0xc0, 1, 2, 3, 4 } },
	{ L, 4, 4, { 0xc8, 1, 0, 0 } },				/* enter */
	{ P, 7, 7, { 0xea, 1, 2, 3, 4, 5, 6 } },		/* jmp far */
	{ R, 5, 5, { 0xea, 1, 2, 3, 4 } },
	{ L, -1, 7, { 0xea, 1, 2, 3, 4, 5, 6 } },
	{ L, 5, 5, { 0xe8, 1, 2, 3, 4 } },
	{ R, 3, 3, { 0xe8, 1, 2 } },
	{ L, 6, 6, { 0x0f, 0x84, 1, 2, 3, 4 } },
	{ L, 5, 5, { 0xc5, 0xf8, 0x29, 0x04, 0x24 } },		/* vmovaps [rsp], xmm0 */
	{ L, 4, 4, { 0xc5, 0xfd, 0x7f, 0x00 } },		/* vmovdqa [rax], ymm0 */
	{ L, 6, 6, { 0xc4, 0xe3, 0x7d, 0x19, 0xc0, 0x01 } },	/* vextractf128 */
	{ L, 3, 3, { 0xc5, 0xf8, 0x77 } },			/* vzeroupper */
	{ L, 7, 7, { 0x62, 0xf1, 0x7c, 0x48, 0x29, 0x40, 0x01 } },	/* vmovaps [rax+64], zmm0 */
	{ P, 2, 2, { 0xc5, 0x00 } },				/* lds eax, [eax] */
	{ P, 2, 2, { 0x62, 0x00 } },				/* bound */
	{ L, 4, 4, { 0x0f, 0x38, 0xf0, 0x00 } },		/* movbe */
	{ L, 5, 5, { 0x0f, 0x3a, 0x0f, 0xc0, 0x01 } },		/* palignr */
	{ L, 3, 3, { 0x0f, 0x18, 0x00 } },			/* prefetch */
	{ L, -1, 2, { 0x0f, 0x04 } },
	{ L, -1, 1, { 0x06 } },
	{ L, 0, 1, { 0x0f } },					/* too few bytes */
	{ L, 0, 0, { 0 } },
	{ L, 0, 15, { 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66,
		      0x66, 0x66, 0x66 } },			/* 15 prefixes: never an end */
	{ L, 15, 15, { 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66,
		       0x66, 0x66, 0x90 } },
	{ L, 6, 6, { 0x66, 0x0f, 0x78, 0xc0, 1, 2 } },		/* extrq */
	{ L, 2, 2, { 0x0f, 0x0b } },				/* ud2 */
};

static u64 seed = 88172645463325252ull;

static u64 rnd(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

static void test_known(void)
{
	u32 i;

	unit_case("known lengths");
	for (i = 0; i < ARRAY_SIZE(known); i++) {
		const struct known *k = &known[i];
		int n = emul_insn_length(k->b, k->n, k->mode);

		ok(k->len < 0 ? n < 0 : n == k->len, "case %u (%02x %02x): %d, expected %d", i,
		   k->b[0], k->b[1], n, k->len);
	}
}

/* Whatever the decoder accepts must have the same length here. */
static void test_random(struct guest *g)
{
	static const enum emul_mode modes[] = { EMUL_REAL, EMUL_PROT16, EMUL_PROT32, EMUL_PROT64 };
	u8 b[15];
	u32 i, k;
	int n, ret;

	unit_case("decoder and length agree");
	guest_reset(g, EMUL_PROT64, 0);
	for (i = 0; i < 400000; i++) {
		for (k = 0; k < sizeof(b); k++)
			b[k] = rnd() >> 16;
		if (i & 1)
			b[0] = 0x0f;
		if (i % 8 == 2)
			b[0] = 0x66;
		g->c.mode = modes[rnd() % 4];
		g->seg[EMUL_CS].limit = 0xffffffff;
		emul_init(&g->c);
		ret = emul_decode(&g->c, b, sizeof(b));
		n = emul_insn_length(b, sizeof(b), g->c.mode);
		if (ret == EMUL_OK || (ret == EMUL_UNHANDLEABLE && n > 0))
			ok(n == g->c.insn.len, "%02x %02x %02x %02x mode %u: %d, decoder %u", b[0],
			   b[1],
			   b[2], b[3], g->c.mode, n, g->c.insn.len);
		/* Truncated by a byte it must ask for more, not make something up. */
		if (n > 1)
			ok(emul_insn_length(b, n - 1, g->c.mode) == 0, "%02x %02x truncated", b[0],
			   b[1]);
	}
}

int main(void)
{
	struct guest *g = guest_new();

	test_known();
	test_random(g);
	guest_free(g);
	return unit_done();
}
