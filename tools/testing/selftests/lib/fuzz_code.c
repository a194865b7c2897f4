// SPDX-License-Identifier: GPL-2.0-only
/* Random guest programs: instructions that exit, with operands that mostly lead somewhere. */
#include "fuzz_code.h"

#define NR(a)	(sizeof(a) / sizeof((a)[0]))

struct gen {
	struct rng *r;
	const struct fuzz_msrs *msrs;
	uint8_t *p, *end;
	unsigned int bits;
};

enum { AX, CX, DX, BX, SP, BP, SI, DI };

static void byte(struct gen *g, uint8_t b)
{
	if (g->p < g->end)
		*g->p++ = b;
}

static void bytes(struct gen *g, const char *s, unsigned int n)
{
	while (n--)
		byte(g, *s++);
}

/* Opcodes of one, two, three bytes: a string without zeros in it. */
#define OP(g, s)	bytes(g, s, sizeof(s) - 1)

static void number(struct gen *g, uint64_t v, unsigned int size)
{
	while (size--) {
		byte(g, v);
		v >>= 8;
	}
}

/* MOV of a whole register; in 16-bit code the lower half of one. */
static void mov(struct gen *g, int reg, uint64_t v)
{
	if (g->bits == 16)
		byte(g, 0x66);
	if (g->bits == 64)
		byte(g, 0x48);
	byte(g, 0xb8 + reg);
	number(g, v, g->bits == 64 ? 8 : 4);
}

static uint64_t address(struct gen *g)
{
	static const uint32_t at[] = {
		AT_SCRATCH, AT_HOLE, AT_HOLE + 0xffc, AT_ROM, AT_ROM - 2, AT_EDGE - 3, AT_EDGE,
		0xd0000000, 0xfec00000, 0xfec00010, 0xfee00000, 0xfee00300, 0xfffffffc, 0,
	};
	uint64_t base = at[below(g->r, NR(at))];

	switch (below(g->r, 8)) {
	case 0:
		return odd_value(g->r);
	case 1:
		return AT_TABLES + 8 * below(g->r, 512 * NR_TABLES);
	case 2:
		return 0xfee00000 + 16 * below(g->r, 64);
	default:
		return base + (one_in(g->r, 4) ? below(g->r, 64) : 0);
	}
}

static void prefixes(struct gen *g)
{
	static const uint8_t some[] = {
		0x66, 0x67, 0xf2, 0xf3, 0xf0, 0x2e, 0x36, 0x3e, 0x26, 0x64, 0x65,
	};

	while (one_in(g->r, 4))
		byte(g, some[below(g->r, NR(some))]);
	if (g->bits == 64 && one_in(g->r, 3))
		byte(g, 0x40 | below(g->r, 16));
}

/* ---- kinds of pieces ---- */

static void noise(struct gen *g)
{
	unsigned int n = 1 + below(g->r, 20);

	while (n--)
		byte(g, rnd(g->r));
}

/* Any opcode of the first two maps with registers that point somewhere. */
static void any_opcode(struct gen *g)
{
	unsigned int n = 8;

	mov(g, BX, address(g));
	mov(g, SI, address(g));
	mov(g, DI, address(g));
	mov(g, CX, one_in(g->r, 2) ? below(g->r, 40) : odd_value(g->r));
	prefixes(g);
	if (one_in(g->r, 2))
		byte(g, 0x0f);
	byte(g, rnd(g->r));
	/* (%rbx) or anything. */
	byte(g, one_in(g->r, 2) ? (rnd(g->r) & 0x38) | BX : rnd(g->r));
	while (n--)
		byte(g, rnd(g->r));
}

static uint32_t msr_index(struct gen *g)
{
	static const uint32_t more[] = {
		0x10, 0x1b, 0x3b, 0x48, 0x49, 0x8b, 0xc1, 0xe7, 0xfe, 0x10a, 0x122, 0x140, 0x174, 0x175,
		0x176, 0x179, 0x17a, 0x1a0, 0x1d9, 0x200, 0x20f, 0x277, 0x2ff, 0x38d, 0x38f, 0x400,
		0x480, 0x491, 0x600, 0x6e0, 0x802, 0x808, 0x80b, 0x80f, 0x828, 0x830, 0x832, 0x838,
		0x83e, 0x83f, 0xda0, 0xc0000080, 0xc0000081, 0xc0000084, 0xc0000100, 0xc0000102,
		0xc0000103, 0xc0000104, 0xc0010000, 0xc0010015, 0xc001001f, 0xc0010055, 0xc0010112,
		0xc0010114, 0xc0010115, 0xc0010117, 0xc001011f, 0xc0011020, 0xc0011029, 0x40000000,
		0x40000021, 0x11, 0x12, 0x4b564d00, 0x4b564d01, 0x4b564d02, 0x4b564d03, 0x4b564d04,
		0x4b564d05, 0x4b564d06, 0x4b564d07, 0x4b564d08,
	};

	switch (below(g->r, 4)) {
	case 0:
		return g->msrs->nr ? g->msrs->index[below(g->r, g->msrs->nr)] : 0x10;
	case 1:
		return 0x800 + below(g->r, 64);
	case 2:
		return one_in(g->r, 4) ? rnd(g->r) : odd_value(g->r);
	default:
		return more[below(g->r, NR(more))] + (one_in(g->r, 8) ? below(g->r, 4) : 0);
	}
}

static void wrmsr(struct gen *g, uint32_t index, uint64_t v)
{
	mov(g, CX, index);
	mov(g, AX, (uint32_t)v);
	mov(g, DX, v >> 32);
	OP(g, "\x0f\x30");
}

static void msr(struct gen *g)
{
	uint64_t v = odd_value(g->r);

	if (one_in(g->r, 2))
		v = address(g) | below(g->r, 4);
	if (one_in(g->r, 3)) {
		mov(g, CX, msr_index(g));
		OP(g, "\x0f\x32");
	} else {
		wrmsr(g, msr_index(g), v);
	}
}

/* The modes of the APIC, and what lies behind each. */
static void x2apic(struct gen *g)
{
	wrmsr(g, 0x1b, 0xfee00000 | below(g->r, 4) << 10 | below(g->r, 2) << 8);
	mov(g, CX, 0x800 + below(g->r, 64));
	mov(g, AX, one_in(g->r, 2) ? below(g->r, 0x10000) : odd_value(g->r));
	OP(g, "\x0f\x30");
	OP(g, "\x0f\x32");
}

static void control_register(struct gen *g)
{
	int cr = below(g->r, 9), op = below(g->r, 6);

	/* MOV from it, one bit changed, MOV to it. */
	if (op < 3) {
		if (g->bits == 64 && cr == 8)
			byte(g, 0x44);
		OP(g, "\x0f\x20");
		byte(g, 0xc0 | (cr & 7) << 3);
		if (g->bits == 64)
			byte(g, 0x48);
		OP(g, "\x0f\xba");
		byte(g, 0xf8);				/* BTC */
		byte(g, one_in(g->r, 8) ? below(g->r, 64) : below(g->r, 24));
	} else {
		mov(g, AX, odd_value(g->r));
	}
	if (g->bits == 64 && cr == 8)
		byte(g, 0x44);
	OP(g, "\x0f\x22");
	byte(g, 0xc0 | (cr & 7) << 3);
}

static void debug_register(struct gen *g)
{
	mov(g, AX, one_in(g->r, 2) ? address(g) : odd_value(g->r));
	byte(g, 0x0f);
	byte(g, one_in(g->r, 3) ? 0x21 : 0x23);
	byte(g, 0xc0 | below(g->r, 8) << 3);
	if (one_in(g->r, 2)) {
		mov(g, AX, rnd(g->r) & 0xffff27ff);
		OP(g, "\x0f\x23\xf8");			/* DR7 */
	}
}

/* Instructions that a hypervisor looks at, without their operands. */
static void privileged(struct gen *g)
{
	static const char *const ops[] = {
		"\x0f\xa2", "\xf4", "\xfb\xf4", "\xf3\x90", "\x0f\x31", "\x0f\x33", "\x0f\x08",
		"\x0f\x09", "\x0f\x06", "\x0f\xaa", "\x0f\x01\xf9", "\x0f\x01\xc1", "\x0f\x01\xd9",
		"\x0f\x01\xc8", "\x0f\x01\xc9", "\x0f\x01\xc2", "\x0f\x01\xc3", "\x0f\x01\xc4",
		"\x0f\x01\xd8", "\x0f\x01\xda", "\x0f\x01\xdb", "\x0f\x01\xdc", "\x0f\x01\xdd",
		"\x0f\x01\xde", "\x0f\x01\xdf", "\x0f\x01\xd4", "\x0f\x01\xd5", "\x0f\x01\xd6",
		"\x0f\x01\xca", "\x0f\x01\xcb", "\x0f\x01\xee", "\x0f\x01\xef", "\x0f\x01\xf8",
		"\x0f\x01\xfa", "\x0f\x01\xfb", "\x0f\x01\xfd", "\x0f\x05", "\x0f\x07", "\x0f\x34",
		"\x0f\x35", "\xcc", "\xf1", "\xce", "\xcf", "\x9c", "\x9d", "\xfa", "\xfb", "\xcb",
		"\xf3\x0f\x09", "\x0f\x37", "\x0f\x0b", "\x0f\xff", "\x0f\xb9", "\x9b", "\xdb\xe3",
		"\x66\x0f\x38\x80\x03", "\x66\x0f\x38\x81\x03", "\x66\x0f\x38\x82\x03",
		"\x0f\x78\xc1", "\x0f\x79\xc1", "\x0f\xc7\x33", "\x66\x0f\xc7\x33", "\xf3\x0f\xc7\x33",
		"\x0f\xc7\x3b", "\x0f\xc7\xf0", "\x0f\xc7\xf8", "\xf3\x0f\xc7\xf8",
	};
	const char *s = ops[below(g->r, NR(ops))];

	mov(g, AX, odd_value(g->r));
	mov(g, CX, one_in(g->r, 2) ? 0 : odd_value(g->r));
	mov(g, BX, address(g));
	bytes(g, s, strlen(s));
}

/* LGDT, LIDT, LMSW, INVLPG, SLDT, LTR, VERR and their like, on memory and registers. */
static void system_group(struct gen *g)
{
	mov(g, BX, one_in(g->r, 2) ? AT_SCRATCH : address(g));
	mov(g, AX, one_in(g->r, 2) ? 8 * below(g->r, 16) : odd_value(g->r));
	if (one_in(g->r, 2)) {
		/* A pointer for LGDT that may do. */
		OP(g, "\x66\xc7\x03");
		number(g, one_in(g->r, 2) ? 0xfff : odd_value(g->r), 2);
	}
	byte(g, 0x0f);
	byte(g, one_in(g->r, 3) ? 0x00 : 0x01);
	byte(g, (one_in(g->r, 2) ? BX : 0xc0 | AX) | below(g->r, 8) << 3);
}

/* Far jumps and calls: to tasks, through gates, into other code segments; loads of segment registers. */
static void segments(struct gen *g)
{
	uint16_t sel = one_in(g->r, 6) ? rnd(g->r) : 8 * below(g->r, 16) + below(g->r, 4);

	switch (below(g->r, 5)) {
	case 0:
	case 1:
		byte(g, one_in(g->r, 2) ? 0xea : 0x9a);
		number(g, 0x8000 + PIECE_SIZE * below(g->r, 48), g->bits == 16 ? 2 : 4);
		number(g, sel, 2);
		break;
	case 2:
		byte(g, 0xcd);
		byte(g, one_in(g->r, 2) ? 0x90 : rnd(g->r));
		break;
	case 3:
		mov(g, AX, sel);
		byte(g, 0x8e);
		byte(g, 0xc0 | below(g->r, 6) << 3);
		break;
	default:
		mov(g, BX, AT_SCRATCH);
		OP(g, "\xc7\x43");
		byte(g, 4);
		number(g, sel, g->bits == 16 ? 2 : 4);
		byte(g, 0xff);
		byte(g, one_in(g->r, 2) ? 0x2b : 0x1b);		/* LJMP, LCALL (%ebx) */
	}
}

static void port(struct gen *g)
{
	static const uint16_t ports[] = {
		0x20, 0x21, 0xa0, 0xa1, 0x40, 0x41, 0x42, 0x43, 0x61, 0x80, 0x92, 0x4d0, 0x4d1, 0x3f8,
		0x60, 0x64, 0x70, 0x71, 0xcf8, 0xcfc, 0x7e, 0xed, 0xfffe, 0xffff, 0xf0,
	};
	uint16_t n = one_in(g->r, 4) ? rnd(g->r) : ports[below(g->r, NR(ports))];
	static const uint8_t in_out[] = { 0xe4, 0xe5, 0xe6, 0xe7, 0xec, 0xed, 0xee, 0xef };
	unsigned int i, many = 1 + below(g->r, 3);

	mov(g, DX, n);
	if (one_in(g->r, 3)) {
		mov(g, SI, address(g));
		mov(g, DI, address(g));
		mov(g, CX, one_in(g->r, 8) ? odd_value(g->r) : below(g->r, 600));
		prefixes(g);
		byte(g, one_in(g->r, 4) ? 0xf2 : 0xf3);
		byte(g, 0x6c + below(g->r, 4));
		return;
	}
	for (i = 0; i < many; i++) {
		uint8_t op = in_out[below(g->r, 8)];

		mov(g, AX, odd_value(g->r));
		if (one_in(g->r, 4))
			byte(g, 0x66);
		byte(g, op);
		if (op < 0xe8)
			byte(g, n);
	}
}

/* Access to memory at an address that means something, by instructions of every shape. */
static void memory(struct gen *g)
{
	static const char *const ops[] = {
		"\x88", "\x89", "\x8a", "\x8b", "\x01", "\x29", "\x31", "\x09", "\x21", "\x11", "\x39",
		"\x85", "\x86", "\x87", "\xc6", "\xc7", "\x80", "\x81", "\x83", "\xd1", "\xd3", "\xf6",
		"\xf7", "\xfe", "\xff", "\x8f", "\x0f\xb0", "\x0f\xb1", "\x0f\xc0", "\x0f\xc1",
		"\x0f\xb6", "\x0f\xb7", "\x0f\xbe", "\x0f\xab", "\x0f\xb3", "\x0f\xbb", "\x0f\xba",
		"\x0f\xc7", "\x0f\xc3", "\x0f\x6f", "\x0f\x7f", "\x0f\x10", "\x0f\x11", "\x0f\x28",
		"\x0f\x29", "\x66\x0f\x6f", "\xf3\x0f\x6f", "\x0f\xae", "\x0f\x18", "\xd9", "\xdd",
		"\xdf", "\x0f\x38\xf0", "\x0f\x38\xf1", "\x0f\x40", "\x63", "\x69", "\xc4", "\x62",
	};
	const char *s = ops[below(g->r, NR(ops))];

	mov(g, BX, address(g));
	mov(g, AX, odd_value(g->r));
	if (g->bits == 16)
		byte(g, 0x67);		/* the address is 32 bits wide */
	prefixes(g);
	bytes(g, s, strlen(s));
	byte(g, BX | below(g->r, 8) << 3);
	number(g, rnd(g->r), 4);
}

static void string(struct gen *g)
{
	static const uint8_t ops[] = { 0xa4, 0xa5, 0xa6, 0xa7, 0xaa, 0xab, 0xac, 0xad, 0xae, 0xaf };

	mov(g, SI, address(g));
	mov(g, DI, address(g));
	mov(g, CX, one_in(g->r, 6) ? odd_value(g->r) : below(g->r, 24));
	if (one_in(g->r, 4))
		byte(g, 0xfd);
	if (g->bits == 16)
		byte(g, 0x67);
	prefixes(g);
	byte(g, one_in(g->r, 2) ? 0xf3 : 0xf2);
	byte(g, ops[below(g->r, NR(ops))]);
}

/* IOAPIC: a register is chosen and written. */
static void ioapic(struct gen *g)
{
	mov(g, BX, 0xfec00000);
	mov(g, AX, one_in(g->r, 8) ? rnd(g->r) : below(g->r, 0x40));
	if (g->bits == 16)
		OP(g, "\x67\x66");
	OP(g, "\x89\x03");
	mov(g, AX, one_in(g->r, 2) ? rnd(g->r) & 0x1afff : odd_value(g->r));
	if (g->bits == 16)
		OP(g, "\x67\x66");
	OP(g, "\x89\x43\x10");
}

/* The guest's own tables change under it: a bit, an entry, then a flush and an access. */
static void scribble(struct gen *g)
{
	uint64_t what = one_in(g->r, 3) ? AT_GDT + 8 * below(g->r, 16) :
			one_in(g->r, 3) ? AT_IDT + 8 * below(g->r, 1024) :
			AT_TABLES + 8 * below(g->r, 512 * NR_TABLES);

	mov(g, BX, what);
	if (g->bits == 16)
		byte(g, 0x67);
	switch (below(g->r, 3)) {
	case 0:
		OP(g, "\x0f\xba\x3b");		/* BTC $n, (%ebx) */
		byte(g, below(g->r, 32));
		break;
	case 1:
		OP(g, "\x80\x33");		/* XORB */
		byte(g, 1 << below(g->r, 8));
		break;
	default:
		mov(g, AX, odd_value(g->r));
		OP(g, "\x89\x03");
	}
	if (one_in(g->r, 2)) {
		OP(g, "\x0f\x20\xd8\x0f\x22\xd8");	/* CR3 */
	} else {
		mov(g, BX, address(g));
		OP(g, "\x0f\x01\x3b");			/* INVLPG */
	}
	mov(g, BX, address(g));
	OP(g, "\x8b\x03");
}

static void flags(struct gen *g)
{
	byte(g, 0x68);
	number(g, (rnd(g->r) & 0x3f7fd7) | 2, g->bits == 16 ? 2 : 4);
	byte(g, 0x9d);
	noise(g);
}

void fuzz_piece(struct rng *r, uint8_t piece[PIECE_SIZE], unsigned int bits,
		const struct fuzz_msrs *msrs)
{
	static void (*const kinds[])(struct gen *g) = {
		noise, any_opcode, any_opcode, msr, msr, msr, x2apic, control_register,
		debug_register, privileged, privileged, privileged, system_group, segments, port, port,
		memory, memory, memory, memory, string, string, ioapic, scribble, flags,
	};
	struct gen g = {
		.r = r, .msrs = msrs, .p = piece, .end = piece + PIECE_SIZE - 2, .bits = bits,
	};

	memset(piece, 0x90, PIECE_SIZE);
	kinds[below(r, NR(kinds))](&g);
	*g.p++ = 0xcd;
	*g.p = PIECE_END;
}
