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
	for (i = 0; i < 16; i++)
		g->regs.gpr[i] = value();
	g->regs.gpr[EMUL_RCX] &= byte() & 1 ? 0xff : ~0ull;
	g->regs.rflags |= word() & 0x3dcdd5;
	if (mode == EMUL_VM86)
		g->regs.rflags |= 0x20000;
	else
		g->regs.rflags &= ~0x20000ull;
	g->cr[4] = word() & 0x50f0f;
	g->sysenter[0] = byte() << 3;
	g->lstar = word();
	g->star = word();
	for (i = 0; i < 16; i++)
		guest_st(g, 0x30000 + 8 * i, word(), 8);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct emul_regs before;
	struct emul_seg segs[EMUL_NR_SEGS];
	u8 code[15];
	u32 i;
	int ret, len;

	if (!g)
		g = guest_new();
	in = data;
	left = size;
	for (i = 0; i < sizeof(code); i++)
		code[i] = byte();
	setup();
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
	if (byte() & 1)
		emul_task_switch(&g->c, byte() << 3, byte() & 1 ? byte() : -1, byte() & 3,
		   byte() & 1, 0);
	return 0;
}
