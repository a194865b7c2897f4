// SPDX-License-Identifier: GPL-2.0-only
/*
 * Faults: the right one, and nothing changed by it. Privileges, limits, canonical
 * addresses, the 15-byte limit, LOCK, undefined and unimplemented opcodes.
 */
#include <stdlib.h>
#include "guest.h"
#include "../unit.h"

#define R EMUL_REAL
#define V EMUL_VM86
#define S EMUL_PROT16
#define P EMUL_PROT32
#define L EMUL_PROT64

#define UD 6
#define GP 13
#define SS 12
#define PF 14
#define DE 0
#define FINE -1
#define NOT_EMULATED -2

struct row {
	const char *name;
	enum emul_mode mode;
	u8 cpl;
	s16 want;		/* vector, or FINE, or NOT_EMULATED */
	u8 n;
	u8 code[15];
};

static const struct row rows[] = {
	/* LOCK */
	{ "lock mov", L, 0, UD, 3, { 0xf0, 0x89, 0x03 } },
	{ "lock add reg", L, 0, UD, 3, { 0xf0, 0x01, 0xc3 } },
	{ "lock add r,m", L, 0, UD, 3, { 0xf0, 0x03, 0x03 } },
	{ "lock cmp", L, 0, UD, 3, { 0xf0, 0x39, 0x03 } },
	{ "lock bt", L, 0, UD, 4, { 0xf0, 0x0f, 0xa3, 0x03 } },
	{ "lock nop", L, 0, UD, 2, { 0xf0, 0x90 } },
	{ "lock add m", L, 0, FINE, 3, { 0xf0, 0x01, 0x03 } },
	{ "lock bts m,ib", L, 0, FINE, 5, { 0xf0, 0x0f, 0xba, 0x2b, 1 } },
	/* opcodes of a mode */
	{ "daa in 64", L, 0, UD, 1, { 0x27 } },
	{ "pusha in 64", L, 0, UD, 1, { 0x60 } },
	{ "push es in 64", L, 0, UD, 1, { 0x06 } },
	{ "82 in 64", L, 0, UD, 3, { 0x82, 0xc0, 1 } },
	{ "82 in 32", P, 0, FINE, 3, { 0x82, 0xc0, 1 } },
	{ "salc in 64", L, 0, UD, 1, { 0xd6 } },
	{ "into in 64", L, 0, UD, 1, { 0xce } },
	{ "jmp far in 64", L, 0, UD, 7, { 0xea, 0, 0, 0, 0, 0, 0 } },
	{ "arpl in real", R, 0, UD, 2, { 0x63, 0xc0 } },
	{ "arpl in vm86", V, 3, UD, 2, { 0x63, 0xc0 } },
	{ "lar in real", R, 0, UD, 3, { 0x0f, 0x02, 0xc0 } },
	{ "sldt in real", R, 0, UD, 3, { 0x0f, 0x00, 0xc0 } },
	{ "verr in vm86", V, 3, UD, 3, { 0x0f, 0x00, 0xe0 } },
	{ "swapgs in 32", P, 0, UD, 3, { 0x0f, 0x01, 0xf8 } },
	/* not defined, not emulated */
	{ "ud2", L, 0, UD, 2, { 0x0f, 0x0b } },
	{ "ud1", L, 0, UD, 3, { 0x0f, 0xb9, 0xc0 } },
	{ "0f 04", L, 0, UD, 2, { 0x0f, 0x04 } },
	{ "fe /7", L, 0, UD, 2, { 0xfe, 0xf8 } },
	{ "ff /7", L, 0, UD, 2, { 0xff, 0xf8 } },
	{ "8f /4", L, 0, UD, 2, { 0x8f, 0x20 } },
	{ "c6 /1", L, 0, UD, 3, { 0xc6, 0x48, 0 } },
	{ "lea reg", L, 0, UD, 2, { 0x8d, 0xc0 } },
	{ "lgdt reg form", L, 0, NOT_EMULATED, 3, { 0x0f, 0x01, 0xd4 } },
	{ "mov cs", L, 0, UD, 2, { 0x8e, 0xc8 } },
	{ "mov sreg 6", L, 0, UD, 2, { 0x8e, 0xf0 } },
	{ "mov r,sreg 7", L, 0, UD, 2, { 0x8c, 0xf8 } },
	{ "mov cr1", L, 0, UD, 3, { 0x0f, 0x20, 0xc8 } },
	{ "mov cr5 at CPL 3", L, 3, UD, 3, { 0x0f, 0x20, 0xe8 } },
	{ "cmpxchg8b reg", L, 0, UD, 3, { 0x0f, 0xc7, 0xc8 } },
	{ "0f 38 0c", L, 0, UD, 4, { 0x0f, 0x38, 0x0c, 0xc0 } },
	{ "0f 3a 00", L, 0, UD, 5, { 0x0f, 0x3a, 0x00, 0xc0, 0 } },
	{ "movbe reg", L, 0, UD, 4, { 0x0f, 0x38, 0xf0, 0xc0 } },
	{ "x87", L, 0, NOT_EMULATED, 2, { 0xd9, 0x03 } },
	{ "pshufb", L, 0, NOT_EMULATED, 4, { 0x0f, 0x38, 0x00, 0xc0 } },
	{ "evex", L, 0, NOT_EMULATED, 7, { 0x62, 0xf1, 0x7c, 0x48, 0x29, 0x43, 1 } },
	{ "rsm", L, 0, NOT_EMULATED, 2, { 0x0f, 0xaa } },
	{ "vmcall", L, 0, NOT_EMULATED, 3, { 0x0f, 0x01, 0xc1 } },
	{ "vex with lock", L, 0, UD, 5, { 0xf0, 0xc5, 0xf8, 0x10, 0x03 } },
	{ "vex with 66", L, 0, UD, 5, { 0x66, 0xc5, 0xf8, 0x10, 0x03 } },
	{ "vex vvvv", L, 0, UD, 4, { 0xc5, 0xb8, 0x10, 0x03 } },
	/* privileges */
	{ "hlt", L, 3, GP, 1, { 0xf4 } }, { "hlt vm86", V, 3, GP, 1, { 0xf4 } },
	{ "rdmsr", L, 3, GP, 2, { 0x0f, 0x32 } }, { "wrmsr", L, 3, GP, 2, { 0x0f, 0x30 } },
	{ "mov cr0", L, 3, GP, 3, { 0x0f, 0x20, 0xc0 } }, { "mov dr0", P, 3, GP, 3, { 0x0f, 0x21,
	  0xc0 } },
	{ "clts", L, 1, GP, 2, { 0x0f, 0x06 } }, { "lmsw", P, 3, GP, 3, { 0x0f, 0x01, 0xf0 } },
	{ "lgdt", P, 3, GP, 3, { 0x0f, 0x01, 0x13 } }, { "lldt", P, 3, GP, 3, { 0x0f, 0x00,
	  0xd0 } },
	{ "ltr", P, 3, GP, 3, { 0x0f, 0x00, 0xd8 } }, { "invlpg", L, 3, GP, 3, { 0x0f, 0x01,
	  0x3b } },
	{ "wbinvd", L, 3, GP, 2, { 0x0f, 0x09 } }, { "invd", L, 3, GP, 2, { 0x0f, 0x08 } },
	{ "swapgs", L, 3, GP, 3, { 0x0f, 0x01, 0xf8 } }, { "xsetbv", L, 3, GP, 3, { 0x0f, 0x01,
	  0xd1 } },
	{ "sysret", L, 3, GP, 2, { 0x0f, 0x07 } }, { "sysexit", L, 3, GP, 2, { 0x0f, 0x35 } },
	{ "rdpmc", L, 3, GP, 2, { 0x0f, 0x33 } }, { "clac", L, 3, UD, 3, { 0x0f, 0x01, 0xca } },
	{ "cli", L, 3, GP, 1, { 0xfa } }, { "sti", P, 3, GP, 1, { 0xfb } },
	{ "cli vm86", V, 3, GP, 1, { 0xfa } }, { "pushf vm86", V, 3, GP, 1, { 0x9c } },
	{ "popf vm86", V, 3, GP, 1, { 0x9d } }, { "int vm86", V, 3, GP, 2, { 0xcd, 0x10 } },
	{ "iret vm86", V, 3, GP, 1, { 0xcf } },
	{ "in", L, 3, GP, 1, { 0xec } }, { "out", L, 3, GP, 1, { 0xee } },
	{ "ins", L, 3, GP, 1, { 0x6c } }, { "rep outs", P, 3, GP, 2, { 0xf3, 0x6f } },
	{ "in vm86", V, 3, GP, 1, { 0xec } },
	{ "div by zero", L, 0, DE, 2, { 0xf7, 0xf6 } },
	{ "aam 0", P, 0, DE, 2, { 0xd4, 0 } },
	/* INT n is delivered by the caller. */
	{ "int vm86 is not int3", V, 3, FINE, 1, { 0xcc } },
};

/* Runs one row and checks that a fault left no trace. */
static void run_row(struct guest *g, const struct row *t)
{
	static u8 before[G_RAM];
	struct emul_regs regs;
	struct emul_seg seg[EMUL_NR_SEGS];
	int ret;

	guest_reset(g, t->mode, t->cpl);
	g->regs.gpr[EMUL_RBX] = 0x5000;
	guest_st(g, 0x20000 + 102, 0x68, 2);	/* no I/O bitmap */
	guest_st(g, g->idt.base + 8 * 3 + 4, 0xee00, 4);	/* INT3 of everybody */
	guest_put(g, CODE, t->code, t->n);
	regs = g->regs;
	memcpy(seg, g->seg, sizeof(seg));
	memcpy(before, g->ram, G_RAM);
	ret = guest_go(g);
	if (t->want == FINE) {
		ok(ret == EMUL_OK, "%s: result %d vector %d", t->name, ret, g->c.exc.vector);
		return;
	}
	if (t->want == NOT_EMULATED)
		ok(ret == EMUL_UNHANDLEABLE && g->c.insn.len == t->n, "%s: result %d, len %u",
		   t->name,
		   ret, g->c.insn.len);
	else
		ok(ret == EMUL_FAULT && g->c.exc.vector == t->want, "%s: result %d vector %d",
		   t->name,
		   ret, g->c.exc.vector);
	ok(g->c.exc.has_error == (ret == EMUL_FAULT && (g->c.exc.vector >= 8)), "%s: error code",
	   t->name);
	ok(!memcmp(&regs, &g->regs, sizeof(regs)), "%s: registers changed", t->name);
	ok(!memcmp(seg, g->seg, sizeof(seg)), "%s: segments changed", t->name);
	ok(!memcmp(before, g->ram, G_RAM), "%s: memory changed", t->name);
}

static int fault(struct guest *g, const void *code, u32 n)
{
	struct emul_regs regs;
	int ret;

	regs = g->regs;
	ret = guest_run(g, code, n);
	ok(memcmp(&regs, &g->regs, sizeof(regs)) == 0 || ret == EMUL_OK, "registers changed");
	return ret == EMUL_FAULT ? g->c.exc.vector : -1;
}

static void test_length_limit(struct guest *g)
{
	u8 code[16];

	unit_case("15 bytes");
	memset(code, 0x66, sizeof(code));
	code[14] = 0x90;
	guest_reset(g, L, 0);
	ok(guest_run(g, code, 15) == EMUL_OK && g->regs.rip == CODE + 15, "15 bytes are allowed");
	code[14] = 0x66;
	code[15] = 0x90;
	guest_reset(g, L, 0);
	ok(fault(g, code, 16) == GP, "16 are #GP");
	/* The tail of an instruction counts, too: 11 prefixes and 05 iz. */
	memset(code, 0x2e, sizeof(code));
	code[11] = 0x05;
	guest_reset(g, P, 0);
	ok(fault(g, code, 16) == GP, "immediate beyond 15");
}

static void test_fetch(struct guest *g)
{
	int v;

	unit_case("instruction fetch");
	guest_reset(g, L, 0);
	g->regs.rip = 0x1ffe;
	g->pt[2].present = false;
	/* mov eax, [rbx] fits the page: the next one is not touched. */
	g->regs.gpr[EMUL_RBX] = DATA;
	ok(guest_run(g, "\x8b\x03", 2) == EMUL_OK, "ends with the page");
	g->regs.rip = 0x1fff;
	v = fault(g, "\x8b", 1);
	ok(v == PF && g->c.exc.cr2 == 0x2000 && g->c.exc.error == 16,
	   "crosses: #PF at the next page");
	guest_reset(g, L, 3);
	g->pt[1].user = false;
	v = fault(g, "\x90", 1);
	ok(v == PF && g->c.exc.error == 0x15, "supervisor code at CPL 3: %x", g->c.exc.error);
	guest_reset(g, L, 0);
	g->pt[1].nx = true;
	ok(fault(g, "\x90", 1) == PF && g->c.exc.error == 0x11, "NX");
	guest_reset(g, P, 0);
	g->seg[EMUL_CS].limit = CODE + 1;
	ok(guest_run(g, "\x8b\xc3", 2) == EMUL_OK, "within the CS limit");
	guest_reset(g, P, 0);
	g->seg[EMUL_CS].limit = CODE;
	ok(fault(g, "\x8b\xc3", 2) == GP, "beyond the CS limit");
	/* What decode assists provide is used, and the rest fetched. */
	guest_reset(g, L, 0);
	guest_put(g, CODE, "\xb8\x01\x02\x03\x04", 5);
	emul_init(&g->c);
	ok(emul_decode(&g->c, (const u8 *)"\xb8\x01", 2) == EMUL_OK && g->c.insn.len == 5,
	   "partial bytes");
	ok(emul_execute(&g->c) == EMUL_OK && g->regs.gpr[0] == 0x04030201, "right value");
	emul_init(&g->c);
	g->translations = 0;
	ok(emul_decode(&g->c, (const u8 *)"\xb8\x01\x02\x03\x04", 5) == EMUL_OK &&
	   g->translations == 0, "all bytes given: no fetch");
}

static void test_segments(struct guest *g)
{
	unit_case("segment limits and types");
	guest_reset(g, P, 0);
	g->regs.gpr[EMUL_RBX] = 0x4ffd;
	g->seg[EMUL_DS].limit = 0x4fff;
	ok(fault(g, "\x8b\x03", 2) == GP, "last byte beyond the limit");
	g->regs.gpr[EMUL_RBX] = 0x4ffc;
	ok(guest_run(g, "\x8b\x03", 2) == EMUL_OK, "just inside");
	guest_reset(g, P, 0);
	g->seg[EMUL_SS].limit = 0x4fff;
	g->regs.gpr[EMUL_RBP] = 0x5000;
	ok(fault(g, "\x8b\x45\x00", 3) == SS, "EBP: #SS");
	ok(fault(g, "\x50", 1) == SS, "push beyond the limit");
	guest_reset(g, P, 0);
	g->seg[EMUL_DS].ar = 0x91;		/* read-only */
	g->regs.gpr[EMUL_RBX] = DATA;
	ok(fault(g, "\x89\x03", 2) == GP, "write to read-only data");
	ok(guest_run(g, "\x8b\x03", 2) == EMUL_OK, "read");
	g->seg[EMUL_DS].ar = 0x99;		/* execute-only */
	g->regs.rip = CODE;
	ok(fault(g, "\x8b\x03", 2) == GP, "read of execute-only code");
	ok(fault(g, "\x2e\x89\x03", 3) == GP, "write through CS");
	g->seg[EMUL_DS].ar = EMUL_AR_UNUSABLE;
	ok(fault(g, "\x8b\x03", 2) == GP, "null selector");
	/* expand-down, 16 bits: valid from limit + 1 to 0xffff */
	guest_reset(g, P, 0);
	g->seg[EMUL_DS].ar = 0x97;
	g->seg[EMUL_DS].limit = 0x4fff;
	g->regs.gpr[EMUL_RBX] = 0x5000;
	ok(guest_run(g, "\x8b\x03", 2) == EMUL_OK, "expand-down: above");
	g->regs.rip = CODE;
	g->regs.gpr[EMUL_RBX] = 0x4fff;
	ok(fault(g, "\x8b\x03", 2) == GP, "expand-down: below");
	g->regs.gpr[EMUL_RBX] = 0xfffd;
	ok(fault(g, "\x8b\x03", 2) == GP, "expand-down: top");
	guest_reset(g, R, 0);
	g->regs.gpr[EMUL_RBX] = 0xffff;
	ok(fault(g, "\x8b\x07", 2) == GP, "real mode: word at ffff");
	g->regs.gpr[EMUL_RBX] = 0xfffe;
	ok(guest_run(g, "\x8b\x07", 2) == EMUL_OK, "word at fffe");
}

static void test_canonical(struct guest *g)
{
	unit_case("canonical addresses");
	guest_reset(g, L, 0);
	g->regs.gpr[EMUL_RBX] = 0x800000000000;
	ok(fault(g, "\x8b\x03", 2) == GP, "DS: #GP");
	g->regs.gpr[EMUL_RBP] = 0x800000000000;
	ok(fault(g, "\x8b\x45\x00", 3) == SS, "RBP: #SS");
	g->regs.gpr[EMUL_RSP] = 0x800000000004;
	ok(fault(g, "\x50", 1) == SS, "push");
	g->regs.gpr[EMUL_RBX] = 0x7ffffffffffd;
	ok(fault(g, "\x8b\x03", 2) == GP, "last byte in the hole");
	ok(fault(g, "\xff\xe3", 2) != -1 || g->regs.rip == 0x7ffffffffffd, "jmp below the hole");
	guest_reset(g, L, 0);
	g->regs.gpr[EMUL_RBX] = 0x800000000000;
	ok(fault(g, "\xff\xe3", 2) == GP, "jmp r");
	ok(fault(g, "\xff\xd3", 2) == GP && g->regs.gpr[EMUL_RSP] == STACK, "call r");
	guest_st(g, STACK, 0x800000000000, 8);
	ok(fault(g, "\xc3", 1) == GP && g->regs.gpr[EMUL_RSP] == STACK, "ret");
	g->c.va_bits = 57;
	ok(guest_run(g, "\xc3", 1) == EMUL_OK, "is canonical with LA57");
	guest_reset(g, P, 0);
	g->seg[EMUL_CS].limit = 0x7fff;
	g->regs.gpr[EMUL_RBX] = 0x8000;
	ok(fault(g, "\xff\xe3", 2) == GP, "jmp beyond the CS limit");
	guest_reset(g, L, 0);
	g->regs.rip = 0x7ffffffffff0;
	g->regs.gpr[EMUL_RBX] = DATA;
	emul_init(&g->c);
	ok(emul_decode(&g->c, (const u8 *)"\xeb\x7f", 2) == EMUL_OK &&
	   emul_execute(&g->c) == EMUL_FAULT && g->c.exc.vector == GP, "jmp rel into the hole");
}

/* Addresses that are checked although nothing is read or written there: found by test_step. */
static void test_probes(struct guest *g)
{
	unit_case("checked without an access");
	guest_reset(g, L, 3);
	g->pt[6].present = false;
	g->pt[5].writable = false;
	ok(fault(g, "\xc8\x00\x18\x00", 4) == PF && g->c.exc.cr2 == 0x67f8 &&
	   g->c.exc.error == 6, "ENTER, where the new stack pointer leads: cr2 %llx",
	   (unsigned long long)g->c.exc.cr2);
	ok(fault(g, "\xc8\x00\x28\x00", 4) == PF && g->c.exc.cr2 == 0x57f8 &&
	   g->c.exc.error == 7, "ENTER, read-only there");
	ok(guest_run(g, "\xc8\x00\x08\x00", 4) == EMUL_OK, "ENTER within the page");
	guest_reset(g, L, 3);
	g->pt[0x10].present = false;
	g->regs.gpr[EMUL_RBX] = DATA + 5;
	ok(fault(g, "\x0f\xae\x3b", 3) == PF && g->c.exc.cr2 == DATA + 5 && g->c.exc.error == 4,
	   "CLFLUSH");
	ok(fault(g, "\x66\x0f\xae\x3b", 4) == PF, "CLFLUSHOPT");
	ok(fault(g, "\x66\x0f\xae\x33", 4) == PF, "CLWB");
	g->regs.gpr[EMUL_RBX] = 0x1234567812345678;
	ok(fault(g, "\x0f\xae\x3b", 3) == GP, "CLFLUSH, not canonical");
	ok(fault(g, "\x8e\x0b", 2) == UD, "MOV to CS: before its operand is looked at");
	ok(fault(g, "\x8e\x33", 2) == UD, "MOV to the seventh segment register");
}

static void test_paging(struct guest *g)
{
	u8 v[8];

	unit_case("page faults");
	guest_reset(g, L, 0);
	g->pt[0x11].present = false;
	g->regs.gpr[EMUL_RBX] = 0x10ffe;
	g->regs.gpr[EMUL_RAX] = 0x11223344;
	ok(fault(g, "\x89\x03", 2) == PF && g->c.exc.cr2 == 0x11000 && g->c.exc.error == 2,
	   "store into the next page: cr2 %llx", (unsigned long long)g->c.exc.cr2);
	guest_get(g, 0x10ffe, v, 2);
	ok(!v[0] && !v[1], "first page untouched");
	g->pt[0x11].present = true;
	g->pt[0x11].writable = false;
	ok(fault(g, "\x01\x03", 2) == PF && g->c.exc.error == 3,
	   "rmw: write access from the start");
	ok(guest_run(g, "\x3b\x03", 2) == EMUL_OK, "cmp only reads");
	guest_reset(g, L, 3);
	g->pt[0x10].user = false;
	g->regs.gpr[EMUL_RBX] = DATA;
	ok(fault(g, "\x8b\x03", 2) == PF && g->c.exc.error == 5, "user access");
	/* xadd must not change its register when memory faults */
	guest_reset(g, L, 0);
	g->pt[0x10].writable = false;
	g->regs.gpr[EMUL_RBX] = DATA;
	ok(fault(g, "\x0f\xc1\x03", 3) == PF, "xadd");
	ok(fault(g, "\x87\x03", 2) == PF, "xchg");
	ok(fault(g, "\x0f\xb1\x0b", 3) == PF, "cmpxchg");
	/* push [mem] */
	guest_reset(g, L, 0);
	g->pt[7].writable = false;
	g->regs.gpr[EMUL_RBX] = DATA;
	ok(fault(g, "\xff\x33", 2) == PF && g->regs.gpr[EMUL_RSP] == STACK, "push [m]");
}

static void test_ac(struct guest *g)
{
	unit_case("alignment check");
	guest_reset(g, L, 3);
	g->regs.gpr[EMUL_RBX] = DATA + 1;
	g->regs.rflags |= 0x40000;
	ok(guest_run(g, "\x8b\x03", 2) == EMUL_OK, "without CR0.AM");
	g->cr[0] |= 0x40000;
	ok(fault(g, "\x8b\x03", 2) == 17, "#AC");
	g->c.cpl = 0;
	ok(guest_run(g, "\x8b\x03", 2) == EMUL_OK, "not at CPL 0");
	guest_reset(g, L, 0);
	g->regs.gpr[EMUL_RBX] = DATA + 8;
	ok(fault(g, "\xf0\x48\x0f\xc7\x0b", 5) == GP, "cmpxchg16b unaligned");
	g->seg[EMUL_FS].base = 8;
	ok(fault(g, "\x64\xf0\x48\x0f\xc7\x0b", 6) != GP, "the sum is aligned");
	g->seg[EMUL_FS].base = 0;
	g->cpuid_faults = true;
	ok(fault(g, "\x0f\xa2", 2) == GP, "CPUID, where it is to fault");
	g->cpuid_faults = false;
}

static void test_io_bitmap(struct guest *g)
{
	unit_case("I/O permission bitmap");
	guest_reset(g, P, 3);
	g->seg[EMUL_TR].limit = 0x67 + 0x20;
	guest_st(g, 0x20000 + 102, 0x68, 2);
	g->regs.gpr[EMUL_RDX] = 0x40;
	ok(guest_run(g, "\xec", 1) == EMUL_OK, "port allowed");
	guest_st(g, 0x20000 + 0x68 + 8, 2, 1);		/* port 0x41 */
	ok(fault(g, "\xed", 1) == GP, "four ports, the second denied");
	ok(guest_run(g, "\xec", 1) == EMUL_OK, "one port");
	g->regs.gpr[EMUL_RDX] = 0x47;
	guest_st(g, 0x20000 + 0x68 + 9, 1, 1);		/* port 0x48 */
	ok(fault(g, "\x66\xed", 2) == GP, "straddles a byte");
	g->regs.gpr[EMUL_RDX] = 0xf8;			/* its second byte is beyond the limit */
	ok(fault(g, "\xec", 1) == GP, "beyond the TSS limit");
	g->regs.rflags |= 0x3000;
	ok(guest_run(g, "\xec", 1) == EMUL_OK, "IOPL 3");
	guest_reset(g, V, 3);
	g->regs.rflags |= 0x3000;
	guest_st(g, 0x20000 + 102, 0x68, 2);
	g->regs.gpr[EMUL_RDX] = 0x40;
	ok(fault(g, "\xec", 1) == GP, "vm86 ignores IOPL");
	guest_reset(g, P, 3);
	g->seg[EMUL_TR].ar = 0x83;
	ok(fault(g, "\xec", 1) == GP, "16-bit TSS");
}

int main(void)
{
	struct guest *g = guest_new();
	u32 i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		unit_case(rows[i].name);
		run_row(g, &rows[i]);
	}
	test_length_limit(g);
	test_fetch(g);
	test_segments(g);
	test_canonical(g);
	test_probes(g);
	test_paging(g);
	test_ac(g);
	test_io_bitmap(g);
	guest_free(g);
	return unit_done();
}
