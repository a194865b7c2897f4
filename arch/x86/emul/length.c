// SPDX-License-Identifier: GPL-2.0-only
/*
 * The shape of every opcode: has it a ModRM byte, and which immediate. Used by the
 * decoder, and by itself for the length of an instruction (SDM 2A 2, APM 3 1.2).
 */
#include "internal.h"

#define M	L_MODRM
#define MB	(L_MODRM | L_IB)
#define MZ	(L_MODRM | L_IZ)
#define N64	L_NO64
#define PF	L_PREFIX
#define XX	L_BAD

const u8 emul_len_1b[256] = {
	/* 00 */ M, M, M, M, L_IB, L_IZ, N64, N64, M, M, M, M, L_IB, L_IZ, N64, PF,
	/* 10 */ M, M, M, M, L_IB, L_IZ, N64, N64, M, M, M, M, L_IB, L_IZ, N64, N64,
	/* 20 */ M, M, M, M, L_IB, L_IZ, PF, N64, M, M, M, M, L_IB, L_IZ, PF, N64,
	/* 30 */ M, M, M, M, L_IB, L_IZ, PF, N64, M, M, M, M, L_IB, L_IZ, PF, N64,
	/* 40 */ 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
	/* 50 */ 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
	/* 60 */ N64, N64, M | N64, M, PF, PF, PF, PF, L_IZ, MZ, L_IB, MB, 0, 0, 0, 0,
	/* 70 */ L_IB, L_IB, L_IB, L_IB, L_IB, L_IB, L_IB, L_IB,
	/* 78 */ L_IB, L_IB, L_IB, L_IB, L_IB, L_IB, L_IB, L_IB,
	/* 80 */ MB, MZ, MB | N64, MB, M, M, M, M, M, M, M, M, M, M, M, M,
	/* 90 */ 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, L_FAR | N64, 0, 0, 0, 0, 0,
	/* a0 */ L_MOFFS, L_MOFFS, L_MOFFS, L_MOFFS, 0, 0, 0, 0,
	/* a8 */ L_IB, L_IZ, 0, 0, 0, 0, 0, 0,
	/* b0 */ L_IB, L_IB, L_IB, L_IB, L_IB, L_IB, L_IB, L_IB,
	/* b8 */ L_IV, L_IV, L_IV, L_IV, L_IV, L_IV, L_IV, L_IV,
	/* c0 */ MB, MB, L_IW, 0, M | N64, M | N64, MB, MZ,
	/* c8 */ L_ENTER, 0, L_IW, 0, 0, L_IB, N64, 0,
	/* d0 */ M, M, M, M, L_IB | N64, L_IB | N64, N64, 0, M, M, M, M, M, M, M, M,
	/* e0 */ L_IB, L_IB, L_IB, L_IB, L_IB, L_IB, L_IB, L_IB,
	/* e8 */ L_JZ, L_JZ, L_FAR | N64, L_IB, 0, 0, 0, 0,
	/* f0 */ PF, 0, PF, PF, 0, 0, M | L_GRP3B, M | L_GRP3V, 0, 0, 0, 0, 0, 0, M, M,
};

#define JZ	L_JZ

const u8 emul_len_0f[256] = {
	/* 00 */ M, M, M, M, XX, 0, 0, 0, 0, 0, XX, 0, XX, M, 0, MB,
	/* 10 */ M, M, M, M, M, M, M, M, M, M, M, M, M, M, M, M,
	/* 20 */ M, M, M, M, XX, XX, XX, XX, M, M, M, M, M, M, M, M,
	/* 30 */ 0, 0, 0, 0, 0, 0, XX, 0, PF, XX, PF, XX, XX, XX, XX, XX,
	/* 40 */ M, M, M, M, M, M, M, M, M, M, M, M, M, M, M, M,
	/* 50 */ M, M, M, M, M, M, M, M, M, M, M, M, M, M, M, M,
	/* 60 */ M, M, M, M, M, M, M, M, M, M, M, M, M, M, M, M,
	/* 70 */ MB, MB, MB, MB, M, M, M, 0, M, M, XX, XX, M, M, M, M,
	/* 80 */ JZ, JZ, JZ, JZ, JZ, JZ, JZ, JZ, JZ, JZ, JZ, JZ, JZ, JZ, JZ, JZ,
	/* 90 */ M, M, M, M, M, M, M, M, M, M, M, M, M, M, M, M,
	/* a0 */ 0, 0, 0, M, MB, M, XX, XX, 0, 0, 0, M, MB, M, M, M,
	/* b0 */ M, M, M, M, M, M, M, M, M, M, MB, M, M, M, M, M,
	/* c0 */ M, M, MB, M, MB, MB, MB, M, 0, 0, 0, 0, 0, 0, 0, 0,
	/* d0 */ M, M, M, M, M, M, M, M, M, M, M, M, M, M, M, M,
	/* e0 */ M, M, M, M, M, M, M, M, M, M, M, M, M, M, M, M,
	/* f0 */ M, M, M, M, M, M, M, M, M, M, M, M, M, M, M, M,
};

struct cursor {
	const u8 *b;
	u32 nr, at;
	u8 op_bytes, ad_bytes;
	bool is64, legacy_ok;
	u8 pp66;		/* 66h or a mandatory F2 was seen, for EXTRQ/INSERTQ */
};

/* Bytes of SIB and displacement behind the ModRM byte at b[at]; -1: not enough bytes. */
static int mem_bytes(const struct cursor *k)
{
	u8 modrm = k->b[k->at], mod = modrm >> 6, rm = modrm & 7;

	if (mod == 3)
		return 0;
	if (k->ad_bytes == 2) {
		if (mod == 0)
			return rm == 6 ? 2 : 0;
		return mod;
	}
	if (rm == 4) {
		if (k->at + 1 >= k->nr)
			return -1;
		if (mod == 0)
			return (k->b[k->at + 1] & 7) == 5 ? 5 : 1;
		return mod == 1 ? 2 : 5;
	}
	if (mod == 0)
		return rm == 5 ? 4 : 0;
	return mod == 1 ? 1 : 4;
}

static u32 imm_bytes(const struct cursor *k, u8 kind, u8 modrm)
{
	u32 z = k->op_bytes == 2 ? 2 : 4;

	switch (kind) {
	case L_IB:
		return 1;
	case L_IW:
		return 2;
	case L_IZ:
		return z;
	case L_IV:
		return k->op_bytes;
	case L_MOFFS:
		return k->ad_bytes;
	case L_FAR:
		return z + 2;
	case L_ENTER:
		return 3;
	case L_GRP3B:
		return (modrm & 0x30) ? 0 : 1;
	case L_GRP3V:
		return (modrm & 0x30) ? 0 : z;
	case L_JZ:
		return k->is64 ? 4 : z;
	default:
		return 0;
	}
}

/* The rest of the instruction behind its opcode, whose shape is @attr. */
static int tail(struct cursor *k, u8 attr, u32 extra)
{
	u8 modrm = 0;
	int n;

	if (attr & L_MODRM) {
		if (k->at >= k->nr)
			return 0;
		modrm = k->b[k->at];
		n = mem_bytes(k);
		if (n < 0)
			return 0;
		k->at += 1 + n;
	}
	k->at += imm_bytes(k, attr & L_KIND, modrm) + extra;
	return k->at <= k->nr ? (int)k->at : 0;
}

static int opcode_0f(struct cursor *k)
{
	u8 op, attr;

	if (k->at >= k->nr)
		return 0;
	op = k->b[k->at++];
	if (op == 0x38 || op == 0x3a) {
		if (k->at++ >= k->nr)
			return 0;
		return tail(k, op == 0x38 ? M : MB, 0);
	}
	/* MOV to and from CR and DR takes every ModRM as a register form. */
	if (op >= 0x20 && op <= 0x23)
		return k->at < k->nr ? (int)k->at + 1 : 0;
	if (op == 0x78 && k->pp66)		/* EXTRQ, INSERTQ: two bytes (APM 4) */
		return tail(k, M, 2);
	attr = emul_len_0f[op];
	if ((attr & L_KIND) == L_BAD)
		return -1;
	return tail(k, attr, 0);
}

/* VEX (C4, C5), EVEX (62) and XOP (8F); b[at] is behind the first prefix byte. */
static int opcode_vex(struct cursor *k, u8 first)
{
	u8 map = 1, op, attr;
	u32 skip = first == 0xc5 ? 1 : first == 0x62 ? 3 : 2;

	if (k->at + skip >= k->nr)
		return 0;
	if (first == 0x62)
		map = k->b[k->at] & 7;
	else if (first != 0xc5)
		map = k->b[k->at] & 0x1f;
	k->at += skip;
	op = k->b[k->at++];
	switch (map) {
	case 1:
		attr = emul_len_0f[op];
		if ((attr & L_KIND) == L_IB)
			attr = MB;
		else
			attr = op == 0x77 && first != 0x62 ? 0 : M;
		return tail(k, attr, 0);
	case 2:
	case 9:
		return tail(k, M, 0);
	case 3:
	case 8:
		return tail(k, MB, 0);
	case 5:
	case 6:
		return first == 0x62 ? tail(k, M, 0) : -1;
	case 10:
		return tail(k, M, 4);
	default:
		return -1;
	}
}

/* C4, C5, 62: a wide prefix in 64-bit mode, elsewhere if ModRM would name a register. */
static bool is_vex(const struct cursor *k, u8 op)
{
	if (op == 0x8f)
		return (k->b[k->at] & 0x1f) >= 8;
	if (op != 0xc4 && op != 0xc5 && op != 0x62)
		return false;
	return k->is64 || (k->legacy_ok && (k->b[k->at] & 0xc0) == 0xc0);
}

/* Prefixes and REX. Returns the opcode byte, < 0 when bytes run out. */
static int prefixes(struct cursor *k)
{
	u8 op, rex = 0;
	bool op16 = k->op_bytes == 2, flip = false;

	for (;;) {
		if (k->at >= k->nr)
			return -1;
		op = k->b[k->at++];
		if (op == 0x66) {
			flip = true;
			k->pp66 = 1;
		} else if (op == 0x67) {
			/* Repeats do not toggle. */
			k->ad_bytes = k->is64 ? 4 : op16 ? 4 : 2;
		} else if (op == 0xf2) {
			k->pp66 = 1;
		} else if (k->is64 && (op & 0xf0) == 0x40) {
			rex = op;
			continue;
		} else if (op == 0x0f || (emul_len_1b[op] & L_KIND) != L_PREFIX) {
			break;
		}
		rex = 0;		/* REX counts only right before the opcode */
	}
	if (flip)
		k->op_bytes = op16 ? 4 : 2;
	if (rex & 8)
		k->op_bytes = 8;
	return op;
}

int emul_insn_length(const u8 *bytes, u32 nr, enum emul_mode mode)
{
	bool is16 = mode != EMUL_PROT32 && mode != EMUL_PROT64;
	struct cursor k = {
		.b = bytes,
		.nr = nr < EMUL_INSN_MAX ? nr : EMUL_INSN_MAX,
		.op_bytes = is16 ? 2 : 4,
		.ad_bytes = mode == EMUL_PROT64 ? 8 : is16 ? 2 : 4,
		.is64 = mode == EMUL_PROT64,
		.legacy_ok = mode >= EMUL_PROT16,
	};
	int op;
	u8 attr;

	/* CPUID, RDMSR, WRMSR, RDTSC...: nearly all that is ever skipped. */
	if (nr >= 2 && bytes[0] == 0x0f && !emul_len_0f[bytes[1]])
		return 2;
	op = prefixes(&k);
	if (op < 0)
		return 0;
	if (op == 0x0f)
		return opcode_0f(&k);
	if (op == 0x8f || op == 0x62 || op == 0xc4 || op == 0xc5) {
		if (k.at >= k.nr)
			return 0;
		if (is_vex(&k, op))
			return opcode_vex(&k, op);
	}
	attr = emul_len_1b[op];
	if (k.is64 && (attr & L_NO64))
		return -1;
	return tail(&k, attr, 0);
}
