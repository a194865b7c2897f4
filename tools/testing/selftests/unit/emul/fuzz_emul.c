// SPDX-License-Identifier: GPL-2.0-only
/*
 * Any bytes, in any mode, with any registers, on a machine with holes and devices:
 * the emulator must end, stay within its memory, and leave nothing behind a fault.
 */
#include <stdio.h>
#include <stdlib.h>
#include "guest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct guest *g;
static const u8 *in;
static size_t left;

static u8 byte(void)
{
	if (!left)
		return 0;
	left--;
	return *in++;
}

static u64 word(void)
{
	u64 v = 0;
	u32 i;

	for (i = 0; i < 8; i++)
		v = v << 8 | byte();
	return v;
}

/* Mostly addresses that are there, else anything. */
static u64 value(void)
{
	u8 k = byte();

	switch (k & 7) {
	case 0:
		return word();
	case 1:
		return 0x800000000000ull - (byte() & 15);
	case 2:
		return 0x50000 + (k >> 3) * 0x1ff;	/* the user device and around */
	case 3:
		return 0x60000 - 8 + (k >> 3);		/* the kernel device */
	default:
		return 0x10000 + (u64)k * 0x111;
	}
}

static bool is_string(const struct emul_insn *i)
{
	return i->map == EMUL_MAP_1B && ((i->opcode >= 0x6c && i->opcode <= 0x6f) ||
					 (i->opcode >= 0xa4 && i->opcode <= 0xaf));
}

static void die(const char *why, const u8 *code)
{
	u32 i;

	fprintf(stderr, "%s: mode %u cpl %u:", why, g->c.mode, g->c.cpl);
	for (i = 0; i < 15; i++)
		fprintf(stderr, " %02x", code[i]);
	fprintf(stderr, "\n");
	abort();
}

#define GDT	0x30000u
#define IDT	0x31000u
#define TSS	0x32000u
#define LDT	0x34000u

/* Descriptors that make sense, by index: what they are and how far they reach. */
static const u64 gdt[] = {
	0,
	0x00cf9b000000ffffull,		/* 1: code, 32 bits */
	0x00af9b000000ffffull,		/* 2: code, 64 bits */
	0x00cf93000000ffffull,		/* 3: data */
	0x00cf91000000ffffull,		/* 4: read-only */
	0x00cf9f000000ffffull,		/* 5: conforming code */
	0x0000890320000067ull,		/* 6: a free TSS, and 7 as its upper half */
	0,
	0x0000810330000067ull,		/* 8: of the 286 */
	0x00008203400000ffull,		/* 9: LDT, and 10 */
	0,
	0x00008c0000081000ull,		/* 11: call gate to 1, and 12 */
	0,
	0x0000850000300000ull,		/* 13: task gate to 6 */
	0x00cf1b000000ffffull,		/* 14: not present */
	0x00cf97000000ffffull,		/* 15: expands down */
	0x00cffb000000ffffull,		/* 16: user code, 32 bits */
	0x00cff3000000ffffull,		/* 17: user data */
	0x00affb000000ffffull,		/* 18: user code, 64 bits */
	0x00008b020000006full,		/* 19: the current task's, busy */
	0,
	0x00009b000000ffffull,		/* 21: code, 16 bits */
	0x000093000000ffffull,		/* 22: data, 16 bits */
	0x0000e40000084000ull,		/* 23: call gate of the 286, for users */
};

/* Selectors for registers and task states: an entry of the table, in the right ring or not. */
static u16 selector(void)
{
	u8 b = byte();

	return (b & 31) << 3 | (b >> 5 & 3) | (b & 0x80 ? 4 : 0);
}

static void task_state(u32 at, bool wide)
{
	u32 i;

	for (i = 0; i < (wide ? 104u : 44u); i += 4)
		guest_st(g, at + i, 0x5000 + 0x40 * i, 4);
	guest_st(g, at + (wide ? 0x24 : 0x10), byte() << 8 | 2, 4);
	for (i = 0; i < (wide ? 7u : 4u); i++)
		guest_st(g, at + (wide ? 0x48 + 4 * i : 0x22 + 2 * i), selector(), 2);
}

static void tables(void)
{
	u32 i, n;

	for (i = 0; i < sizeof(gdt) / sizeof(gdt[0]); i++)
		guest_st(g, GDT + 8 * i, gdt[i], 8);
	for (i = 0; i < 16; i++)
		guest_st(g, LDT + 8 * i, gdt[i], 8);
	n = byte() % 12;
	for (i = 0; i < n; i++) {
		u32 at = byte() * 8 % 256, b = byte();

		guest_st(g, (b & 0x80 ? LDT : GDT) + at + (b & 7), byte(), 1);
	}
	if (byte() & 1) {
		task_state(TSS, true);
		task_state(TSS + 0x1000, false);
	}
	g->gdt.limit = byte() & 1 ? 0xff : byte();
	if (byte() & 1)
		g->seg[EMUL_LDTR] = (struct emul_seg){ .sel = 9 << 3, .base = LDT, .limit = 0xff,
						       .ar = 0x82 };
	g->seg[EMUL_TR].sel = 19 << 3;
	for (i = 0; i < 16; i++)
		guest_st(g, IDT + 16 * i, 0x00008e0000081000ull | (u64)byte() << 40, 8);
}

static void setup(void)
{
	enum emul_mode mode = byte() % 5;
	u8 cpl = mode == EMUL_REAL ? 0 : byte() & 3, holes = byte();
	u32 i;

	guest_reset(g, mode, cpl);
	guest_map(g, 0x50000, MMIO_USER);
	guest_map(g, 0x51000, MMIO_USER + 0x1000);
	guest_map(g, 0x60000, MMIO_KERNEL);
	guest_map(g, 0x61000, MMIO_KERNEL + 0x1000);
	if (holes & 1)
		g->pt[0x51].present = false;
	if (holes & 2)
		g->pt[0x11].writable = false;
	if (holes & 4)
		g->pt[0x12].user = false;
	g->no_ram_batch = holes & 8;
	g->race = holes & 16;
	g->yield = holes & 32;
	if (holes & 64)
		tables();
	for (i = 0; i < 16; i++)
		g->regs.gpr[i] = value();
	g->regs.gpr[EMUL_RCX] &= byte() & 1 ? 0xff : ~0ull;
	if (holes & 128) {		/* a far pointer or a frame to return to */
		guest_st(g, 0x10000, value(), 4);
		guest_st(g, 0x10004, selector(), 2);
		g->regs.gpr[EMUL_RSP] = STACK - 64;
		for (i = 0; i < 5; i++)
			guest_st(g, STACK - 64 + 8 * i, i & 1 ? selector() : value(), 8);
		g->regs.gpr[byte() & 15] = selector();
	}
	g->regs.rflags |= word() & 0x3dcdd5;
	if (mode == EMUL_VM86)
		g->regs.rflags |= 0x20000;
	else
		g->regs.rflags &= ~0x20000ull;
	if (byte() & 1)
		g->cr[4] = word() & 0x50f0f;
	g->sysenter[0] = byte() << 3;
	g->lstar = value();
	g->star = word();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct emul_regs before;
	struct emul_seg segs[EMUL_NR_SEGS];
	u8 code[15];
	u32 i;
	int ret, len;
	bool task;

	if (!g)
		g = guest_new();
	in = data;
	left = size;
	task = byte() % 16 == 1;
	for (i = 0; i < sizeof(code); i++)
		code[i] = byte();
	setup();
	if (task) {
		u8 b = byte();

		emul_task_switch(&g->c, selector(), b >> 1 & 3, g->regs.rip, b & 8, 0);
		return 0;
	}
	before = g->regs;
	memcpy(segs, g->seg, sizeof(segs));
	len = emul_insn_length(code, sizeof(code), g->c.mode);
	ret = guest_run(g, code, sizeof(code));
	/* guest_go() gives up after so many exits: a long REP on a device. */
	if (ret < EMUL_OK || ret > EMUL_INTERCEPTED ||
	    (ret == EMUL_IO_NEEDED && !is_string(&g->c.insn)))
		die("impossible result", code);
	if ((ret == EMUL_OK || ret == EMUL_UNHANDLEABLE) && g->c.insn.op && len != g->c.insn.len)
		die("length differs", code);
	if (ret == EMUL_OK && g->c.mode == EMUL_PROT64 && (s64)(g->regs.rip << 16) >> 16 !=
	    (s64)g->regs.rip && !(g->c.insn.map == EMUL_MAP_0F && g->c.insn.opcode == 0x05) &&
	    !(g->c.insn.map == EMUL_MAP_0F && g->c.insn.opcode == 0x34))
		die("non-canonical RIP", code);
	if (ret != EMUL_OK && !is_string(&g->c.insn) &&
	    (memcmp(&before, &g->regs, sizeof(before)) || memcmp(segs, g->seg, sizeof(segs))))
		die("half-done state", code);
	if (ret != EMUL_OK && g->regs.rip != before.rip)
		die("RIP moved", code);
	return 0;
}
