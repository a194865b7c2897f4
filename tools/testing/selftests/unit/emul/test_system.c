// SPDX-License-Identifier: GPL-2.0-only
/* Segment loads, far transfers, fast system calls, control registers, interrupts' flags. */
#include <stdlib.h>
#include "guest.h"
#include "../unit.h"

#define R EMUL_REAL
#define V EMUL_VM86
#define S EMUL_PROT16
#define P EMUL_PROT32
#define L EMUL_PROT64

#define GDT 0x30000u

/* Descriptor words: base, limit, access byte, flags nibble (G, D, L). */
static void desc(struct guest *g, u16 sel, u32 base, u32 limit, u8 access, u8 flags)
{
	u32 lo = (limit & 0xffff) | base << 16;
	u32 hi = (base >> 16 & 0xff) | access << 8 | (limit & 0xf0000) | flags << 20 |
		 (base & 0xff000000);

	guest_st(g, GDT + (sel & ~7), lo, 4);
	guest_st(g, GDT + (sel & ~7) + 4, hi, 4);
}

static void fresh(struct guest *g, enum emul_mode mode, u8 cpl)
{
	guest_reset(g, mode, cpl);
	desc(g, 0x10, 0, 0xfffff, 0x9b, mode == L ? 0xa : 0xc);	/* code 0 */
	desc(g, 0x18, 0, 0xfffff, 0x93, 0xc);			/* data 0 */
	desc(g, 0x20, 0, 0xfffff, 0xfb, mode == L ? 0xa : 0xc);	/* code 3 */
	desc(g, 0x28, 0, 0xfffff, 0xf3, 0xc);			/* data 3 */
	desc(g, 0x30, 0x1000, 0xfff, 0x92, 0x4);		/* data, not accessed */
	desc(g, 0x38, 0, 0xffff, 0x9a, 0x0);			/* 16-bit code */
	desc(g, 0x40, 0x20000, 0x67, 0x8b, 0);			/* busy TSS */
	desc(g, 0x48, 0, 0xfffff, 0x13, 0xc);			/* data, not present */
	desc(g, 0x50, 0x21000, 0x67, 0x89, 0);			/* available TSS */
	desc(g, 0x60, 0x22000, 0xff, 0x82, 0);			/* LDT */
	desc(g, 0x70, 0, 0xfffff, 0xfb, 0xc);			/* 32-bit code 3 */
	desc(g, 0x78, 0, 0xfffff, 0xf2, 0xc);			/* data 3, not accessed */
	g->regs.gpr[EMUL_RBX] = DATA;
}

static int fault(struct guest *g, const void *code, u32 n)
{
	return guest_run(g, code, n) == EMUL_FAULT ? g->c.exc.vector : -1;
}

static bool err(const struct guest *g, u32 e)
{
	return g->c.exc.has_error && g->c.exc.error == e;
}

static void test_mov_sreg(struct guest *g)
{
	unit_case("mov to and from segment registers");
	fresh(g, P, 0);
	g->regs.gpr[0] = 0x30;
	ok(guest_run(g, "\x8e\xd8", 2) == EMUL_OK, "mov ds");
	ok(g->seg[EMUL_DS].sel == 0x30 && g->seg[EMUL_DS].base == 0x1000 &&
	   g->seg[EMUL_DS].limit == 0xfff && g->seg[EMUL_DS].ar == 0x4093, "loaded, accessed: %x",
	   g->seg[EMUL_DS].ar);
	ok(guest_ld(g, GDT + 0x35, 1) == 0x93, "accessed bit in memory");
	fresh(g, P, 0);
	g->regs.gpr[0] = 0x18;
	ok(guest_run(g, "\x8e\xd0", 2) == EMUL_OK && g->c.out.shadow == EMUL_SHADOW_MOV_SS,
	   "mov ss");
	ok(g->seg[EMUL_SS].limit == 0xffffffff, "granularity");
	g->regs.rflags |= 0x100;
	ok(guest_run(g, "\x8e\xd0", 2) == EMUL_OK && !g->c.out.single_step, "no #DB after mov ss");
	ok(guest_run(g, "\x8e\xd8", 2) == EMUL_OK && g->c.out.single_step && !g->c.out.shadow,
	   "#DB after mov ds");
	ok(guest_run(g, "\x8c\xd8", 2) == EMUL_OK && g->regs.gpr[0] == 0x18, "mov eax,ds");
	/* faults */
	fresh(g, P, 0);
	g->regs.gpr[0] = 0x48;
	ok(fault(g, "\x8e\xd8", 2) == 11 && err(g, 0x48), "not present: #NP");
	ok(fault(g, "\x8e\xd0", 2) == 12 && err(g, 0x48), "SS: #SS");
	g->regs.gpr[0] = 0x2b;
	ok(fault(g, "\x8e\xd0", 2) == 13 && err(g, 0x28), "SS with the wrong DPL");
	g->regs.gpr[0] = 0x10;
	ok(fault(g, "\x8e\xd0", 2) == 13, "SS with code");
	g->regs.gpr[0] = 0x40;
	ok(fault(g, "\x8e\xd8", 2) == 13 && err(g, 0x40), "system descriptor");
	g->regs.gpr[0] = 0x2000;
	ok(fault(g, "\x8e\xd8", 2) == 13 && err(g, 0x2000), "beyond the GDT");
	g->regs.gpr[0] = 0x0c;
	ok(fault(g, "\x8e\xd8", 2) == 13 && err(g, 0x0c), "no LDT");
	g->regs.gpr[0] = 0;
	ok(fault(g, "\x8e\xd0", 2) == 13 && err(g, 0), "null SS");
	ok(guest_run(g, "\x8e\xd8", 2) == EMUL_OK && (g->seg[EMUL_DS].ar & EMUL_AR_UNUSABLE),
	   "null DS");
	fresh(g, P, 3);
	g->regs.gpr[0] = 0x1b;
	ok(fault(g, "\x8e\xd8", 2) == 13, "DPL 0 data at CPL 3");
	/* 64-bit: a null SS is allowed below CPL 3, with RPL = CPL, and keeps the CPL */
	fresh(g, L, 0);
	g->regs.gpr[0] = 0;
	ok(guest_run(g, "\x8e\xd0", 2) == EMUL_OK && (g->seg[EMUL_SS].ar & EMUL_AR_UNUSABLE) &&
	   !(g->seg[EMUL_SS].ar & EMUL_AR_DPL) && g->c.cpl == 0, "null SS in 64-bit mode");
	fresh(g, L, 3);
	g->regs.gpr[0] = 3;
	ok(fault(g, "\x8e\xd0", 2) == 13 && err(g, 0), "not at CPL 3");
	fresh(g, L, 1);
	g->regs.gpr[0] = 0;
	ok(fault(g, "\x8e\xd0", 2) == 13, "not with another RPL");
	/* real and virtual-8086 mode */
	fresh(g, R, 0);
	g->seg[EMUL_DS].limit = 0xffffffff;
	g->regs.gpr[0] = 0x1234;
	ok(guest_run(g, "\x8e\xd8", 2) == EMUL_OK && g->seg[EMUL_DS].base == 0x12340 &&
	   g->seg[EMUL_DS].limit == 0xffffffff, "real mode keeps the limit");
	fresh(g, V, 3);
	g->regs.gpr[0] = 0x1234;
	ok(guest_run(g, "\x8e\xd8", 2) == EMUL_OK && g->seg[EMUL_DS].ar == 0xf3, "vm86");
	/* store: 16 bits to memory, the operand size to a register */
	fresh(g, L, 0);
	guest_st(g, DATA, ~0ull, 8);
	ok(guest_run(g, "\x48\x8c\x1b", 3) == EMUL_OK && guest_ld(g, DATA,
	   8) == 0xffffffffffff0018, "to m");
	/* lds, push, pop */
	fresh(g, P, 0);
	guest_st(g, DATA, 0x3012345678, 6);
	ok(guest_run(g, "\xc5\x0b", 2) == EMUL_OK && g->regs.gpr[1] == 0x12345678 &&
	   g->seg[EMUL_DS].sel == 0x30, "lds");
	fresh(g, P, 0);
	guest_st(g, STACK, 0x18, 4);
	ok(guest_run(g, "\x17", 1) == EMUL_OK && g->c.out.shadow == EMUL_SHADOW_MOV_SS &&
	   g->regs.gpr[EMUL_RSP] == STACK + 4, "pop ss");
	ok(guest_run(g, "\x0f\xa8", 2) == EMUL_OK && guest_ld(g, STACK, 4) == 0x18, "push gs");
}

static void test_probe(struct guest *g)
{
	unit_case("lar, lsl, verr, verw");
	fresh(g, P, 0);
	g->regs.gpr[1] = 0x30;
	ok(guest_run(g, "\x0f\x02\xc1", 3) == EMUL_OK && g->regs.gpr[0] == 0x409200 &&
	   (g->regs.rflags & 0x40), "lar %llx", (unsigned long long)g->regs.gpr[0]);
	ok(guest_run(g, "\x0f\x03\xc1", 3) == EMUL_OK && g->regs.gpr[0] == 0xfff, "lsl");
	g->regs.gpr[1] = 0x18;
	ok(guest_run(g, "\x0f\x03\xc1", 3) == EMUL_OK && g->regs.gpr[0] == 0xffffffff, "lsl 4G");
	g->regs.gpr[1] = 0x2000;
	ok(guest_run(g, "\x0f\x02\xc1", 3) == EMUL_OK && !(g->regs.rflags & 0x40) &&
	   g->regs.gpr[0] == 0xffffffff, "a bad selector is no fault");
	g->regs.gpr[1] = 0x10;
	ok(guest_run(g, "\x0f\x00\xe1", 3) == EMUL_OK && (g->regs.rflags & 0x40), "verr code");
	ok(guest_run(g, "\x0f\x00\xe9", 3) == EMUL_OK && !(g->regs.rflags & 0x40), "verw code");
	g->regs.gpr[1] = 0x28;
	ok(guest_run(g, "\x0f\x00\xe9", 3) == EMUL_OK && (g->regs.rflags & 0x40), "verw data");
}

static void test_tables(struct guest *g)
{
	unit_case("descriptor tables, LDTR, TR, UMIP");
	fresh(g, L, 0);
	guest_st(g, DATA, 0x1ff, 2);
	guest_st(g, DATA + 2, 0xffff800000031000, 8);
	ok(guest_run(g, "\x0f\x01\x13", 3) == EMUL_OK && g->gdt.limit == 0x1ff &&
	   g->gdt.base == 0xffff800000031000, "lgdt");
	ok(guest_run(g, "\x0f\x01\x43\x20", 4) == EMUL_OK &&
	   guest_ld(g, DATA + 0x22, 8) == 0xffff800000031000, "sgdt");
	guest_st(g, DATA + 2, 0x800000000000, 8);
	ok(fault(g, "\x0f\x01\x1b", 3) == 13 && g->idt.base == 0x31000, "lidt non-canonical");
	fresh(g, S, 0);
	guest_st(g, 0x6000, 0x12345678ffffull, 8);
	g->regs.gpr[EMUL_RBX] = 0x6000;
	ok(guest_run(g, "\x0f\x01\x17", 3) == EMUL_OK && g->gdt.base == 0x345678, "24-bit base");
	ok(guest_run(g, "\x66\x0f\x01\x1f", 4) == EMUL_OK && g->idt.base == 0x12345678,
	   "32-bit base");
	fresh(g, P, 0);
	g->regs.gpr[0] = 0x60;
	ok(guest_run(g, "\x0f\x00\xd0", 3) == EMUL_OK && g->seg[EMUL_LDTR].base == 0x22000, "lldt");
	g->regs.gpr[0] = 0x50;
	ok(fault(g, "\x0f\x00\xd0", 3) == 13 && err(g, 0x50), "lldt of a TSS");
	ok(guest_run(g, "\x0f\x00\xd8", 3) == EMUL_OK && g->seg[EMUL_TR].ar == 0x8b &&
	   guest_ld(g, GDT + 0x55, 1) == 0x8b, "ltr marks it busy");
	ok(fault(g, "\x0f\x00\xd8", 3) == 13, "ltr of a busy TSS");
	ok(guest_run(g, "\x0f\x00\xc8", 3) == EMUL_OK && g->regs.gpr[0] == 0x50, "str");
	g->regs.gpr[0] = 0;
	ok(fault(g, "\x0f\x00\xd8", 3) == 13 && err(g, 0), "ltr null");
	/* 16-byte descriptors in long mode */
	fresh(g, L, 0);
	guest_st(g, GDT + 0x58, 0xffff8000, 4);
	guest_st(g, GDT + 0x5c, 0, 4);
	g->regs.gpr[0] = 0x50;
	ok(guest_run(g, "\x0f\x00\xd8", 3) == EMUL_OK && g->seg[EMUL_TR].base == 0xffff800000021000,
	   "ltr in long mode");
	fresh(g, L, 0);
	guest_st(g, GDT + 0x5c, 0x900, 4);
	g->regs.gpr[0] = 0x50;
	ok(fault(g, "\x0f\x00\xd8", 3) == 13 && err(g, 0x50), "upper half has a type");
	fresh(g, L, 3);
	g->cr[4] |= 0x800;
	ok(fault(g, "\x0f\x01\x03", 3) == 13, "sgdt");
	ok(fault(g, "\x0f\x01\x0b", 3) == 13, "sidt");
	ok(fault(g, "\x0f\x00\xc0", 3) == 13, "sldt");
	ok(fault(g, "\x0f\x00\xc8", 3) == 13, "str");
	ok(fault(g, "\x0f\x01\xe0", 3) == 13, "smsw");
	g->cr[4] = 0;
	ok(guest_run(g, "\x0f\x01\xe0", 3) == EMUL_OK && g->regs.gpr[0] == 0x80000011,
	   "smsw without UMIP");
}

static void test_far(struct guest *g)
{
	unit_case("far jumps, calls and returns");
	fresh(g, R, 0);
	ok(guest_run(g, "\xea\x00\x01\x00\x20", 5) == EMUL_OK && g->seg[EMUL_CS].base == 0x20000 &&
	   g->regs.rip == 0x100, "jmp far, real mode");
	fresh(g, R, 0);
	ok(guest_run(g, "\x9a\x00\x01\x00\x20", 5) == EMUL_OK && guest_ld(g, STACK - 4,
	   4) == CODE + 5,
	   "call far");
	guest_put(g, 0x20100, "\xcb", 1);
	ok(guest_go(g) == EMUL_OK && g->regs.rip == CODE + 5 && g->seg[EMUL_CS].base == 0 &&
	   g->regs.gpr[EMUL_RSP] == STACK, "retf");
	/* the jump that enters protected mode */
	fresh(g, S, 0);
	g->seg[EMUL_CS] = (struct emul_seg){ .sel = 0, .base = 0, .limit = 0xffff, .ar = 0x93 };
	ok(guest_run(g, "\x66\xea\x00\x20\x00\x00\x10\x00", 8) == EMUL_OK &&
	   g->seg[EMUL_CS].sel == 0x10 && g->seg[EMUL_CS].ar == 0xc09b && g->regs.rip == 0x2000,
	   "jmp 0x10:0x2000");
	fresh(g, P, 0);
	ok(fault(g, "\xea\x00\x20\x00\x00\x18\x00", 7) == 13 && err(g, 0x18), "to data");
	ok(fault(g, "\xea\x00\x20\x00\x00\x20\x00", 7) == 13 && err(g, 0x20), "to an outer ring");
	ok(fault(g, "\xea\x00\x20\x00\x00\x00\x00", 7) == 13 && err(g, 0), "to null");
	ok(fault(g, "\xea\x00\x20\x01\x00\x38\x00", 7) == 13 && err(g, 0), "beyond the limit");
	ok(g->seg[EMUL_CS].sel == 0x10 && g->regs.rip == CODE, "nothing loaded");
	ok(guest_run(g, "\xea\x00\x20\x00\x00\x50\x00", 7) == EMUL_UNHANDLEABLE,
	   "TSS: a task switch");
	/* non-canonical targets of far jumps (m16:64) */
	fresh(g, L, 0);
	guest_st(g, DATA, 0x800000000000, 8);
	guest_st(g, DATA + 8, 0x10, 2);
	ok(fault(g, "\x48\xff\x2b", 3) == 13 && g->regs.rip == CODE, "jmp far m16:64");
	ok(fault(g, "\x48\xff\x1b", 3) == 13 && g->regs.gpr[EMUL_RSP] == STACK, "call far m16:64");
	guest_st(g, STACK, 0x800000000000, 8);
	guest_st(g, STACK + 8, 0x10, 8);
	ok(fault(g, "\x48\xcb", 2) == 13 && g->regs.gpr[EMUL_RSP] == STACK, "retf");
	/* long mode to compatibility mode */
	fresh(g, L, 0);
	guest_st(g, DATA, 0x3800002000ull, 6);
	desc(g, 0x38, 0, 0xfffff, 0x9b, 0xc);
	ok(guest_run(g, "\xff\x2b", 2) == EMUL_OK && g->seg[EMUL_CS].sel == 0x38 &&
	   g->regs.rip == 0x2000,
	   "to compatibility mode");
	/* retf to ring 3: the stack changes, inner data segments are dropped */
	fresh(g, P, 0);
	guest_st(g, STACK, 0x4000, 4);
	guest_st(g, STACK + 4, 0x23, 4);
	guest_st(g, STACK + 8 + 4, 0x9000, 4);
	guest_st(g, STACK + 12 + 4, 0x2b, 4);
	g->seg[EMUL_ES].sel = 0x2b;
	g->seg[EMUL_ES].ar = 0xc0f3;
	ok(guest_run(g, "\xca\x04\x00", 3) == EMUL_OK && g->regs.rip == 0x4000, "retf 4");
	ok(g->seg[EMUL_CS].sel == 0x23 && g->seg[EMUL_SS].sel == 0x2b && g->c.cpl == 3, "ring 3");
	ok(g->regs.gpr[EMUL_RSP] == 0x9004, "outer stack, arguments dropped");
	ok((g->seg[EMUL_DS].ar & EMUL_AR_UNUSABLE) && g->seg[EMUL_ES].sel == 0x2b,
	   "DS dropped, ES stays");
	fresh(g, P, 3);
	guest_st(g, STACK, 0x4000, 4);
	guest_st(g, STACK + 4, 0x10, 4);
	ok(fault(g, "\xcb", 1) == 13 && err(g, 0x10), "to an inner ring");
}

static void frame(struct guest *g, u32 n, u64 a, u64 b, u64 c, u64 d, u64 e)
{
	u64 v[5] = { a, b, c, d, e };
	u32 i;

	for (i = 0; i < 5; i++)
		guest_st(g, STACK + i * n, v[i], n);
}

static void test_iret(struct guest *g)
{
	unit_case("iret");
	fresh(g, R, 0);
	frame(g, 2, 0x100, 0x2000, 0x3296, 0, 0);
	ok(guest_run(g, "\xcf", 1) == EMUL_OK && g->regs.rip == 0x100 &&
	   g->seg[EMUL_CS].base == 0x20000 &&
	   (g->regs.rflags & 0xffff) == 0x3296 && g->c.out.unmask_nmi, "real mode");
	fresh(g, L, 0);
	frame(g, 8, 0x401000, 0x23, 0x10202, 0x7ffff000, 0x2b);
	ok(guest_run(g, "\x48\xcf", 2) == EMUL_OK && g->regs.rip == 0x401000 && g->c.cpl == 3,
	   "to ring 3");
	ok(g->regs.gpr[EMUL_RSP] == 0x7ffff000 && g->regs.rflags == 0x10202,
	   "RSP, and RF is loaded");
	fresh(g, L, 0);
	frame(g, 8, 0x2000, 0x10, 0x202, 0x7000, 0x18);
	ok(guest_run(g, "\x48\xcf", 2) == EMUL_OK && g->regs.gpr[EMUL_RSP] == 0x7000 &&
	   g->c.cpl == 0,
	   "same ring: SS:RSP are popped, too");
	fresh(g, L, 0);
	frame(g, 8, 0x2000, 0x10, 0x202, 0x7000, 0);
	ok(guest_run(g, "\x48\xcf", 2) == EMUL_OK && (g->seg[EMUL_SS].ar & EMUL_AR_UNUSABLE),
	   "null SS");
	frame(g, 8, 0x800000000000, 0x23, 0x202, 0x7000, 0x2b);
	g->regs.gpr[EMUL_RSP] = STACK;
	ok(fault(g, "\x48\xcf", 2) == 13 && g->regs.gpr[EMUL_RSP] == STACK && g->c.cpl == 0 &&
	   g->seg[EMUL_CS].sel == 0x10, "non-canonical RIP: nothing changed");
	frame(g, 8, 0x2000, 0x73, 0x202, 0x7000, 0);
	ok(fault(g, "\x48\xcf", 2) == 13, "null SS for a 32-bit segment");
	g->regs.rflags |= 0x4000;
	frame(g, 8, 0x2000, 0x10, 0x202, 0x7000, 0x18);
	ok(fault(g, "\x48\xcf", 2) == 13, "NT in long mode");
	fresh(g, P, 0);
	g->regs.rflags |= 0x4000;
	ok(guest_run(g, "\xcf", 1) == EMUL_UNHANDLEABLE, "NT: task return");
	/* CPL 3 cannot give itself IOPL or IF */
	fresh(g, P, 3);
	frame(g, 4, 0x2000, 0x23, 0x3202, 0, 0);
	ok(guest_run(g, "\xcf", 1) == EMUL_OK && (g->regs.rflags & 0x3200) == 0, "flags at CPL 3");
	/* to virtual-8086 mode */
	fresh(g, P, 0);
	frame(g, 4, 0x100, 0x2000, 0x20202, 0x8888, 0x3000);
	guest_st(g, STACK + 20, 0x4000, 4);
	guest_st(g, STACK + 24, 0x5000, 4);
	guest_st(g, STACK + 28, 0x6000, 4);
	guest_st(g, STACK + 32, 0x7000, 4);
	ok(guest_run(g, "\xcf", 1) == EMUL_OK && (g->regs.rflags & 0x20000) && g->c.cpl == 3,
	   "to vm86");
	ok(g->seg[EMUL_CS].base == 0x20000 && g->seg[EMUL_SS].base == 0x30000 &&
	   g->seg[EMUL_ES].base == 0x40000 && g->seg[EMUL_DS].base == 0x50000 &&
	   g->seg[EMUL_GS].base == 0x70000 && g->seg[EMUL_GS].ar == 0xf3, "segments");
}

static void test_syscall(struct guest *g)
{
	unit_case("syscall, sysret");
	fresh(g, L, 3);
	g->star = 0x0023001000001234ull;
	g->lstar = 0xffff800000002000;
	g->cstar = 0xffff800000003000;
	g->fmask = 0x300;
	g->regs.rflags = 0x10302;
	ok(guest_run(g, "\x0f\x05", 2) == EMUL_OK && g->regs.rip == g->lstar && g->c.cpl == 0,
	   "syscall");
	ok(g->regs.gpr[EMUL_RCX] == CODE + 2 && g->regs.gpr[EMUL_R11] == 0x302 &&
	   g->regs.rflags == 2,
	   "RCX, R11, RFLAGS");
	ok(g->seg[EMUL_CS].sel == 0x10 && (g->seg[EMUL_CS].ar & EMUL_AR_L) &&
	   g->seg[EMUL_SS].sel == 0x18,
	   "segments");
	ok(!g->c.out.single_step, "TF was masked: no #DB in the kernel");
	g->regs.rip = CODE;
	ok(guest_run(g, "\x48\x0f\x07", 3) == EMUL_OK && g->regs.rip == CODE + 2 && g->c.cpl == 3,
	   "sysret");
	ok(g->seg[EMUL_CS].sel == 0x33 && g->seg[EMUL_SS].sel == 0x2b && g->c.out.single_step,
	   "segments, and TF traps as if SYSCALL had just ended");
	fresh(g, L, 0);
	g->regs.gpr[EMUL_RCX] = 0x800000000000;
	ok(fault(g, "\x48\x0f\x07", 3) == 13 && g->c.cpl == 0, "sysret to a non-canonical RIP");
	g->efer &= ~1ull;
	ok(fault(g, "\x0f\x05", 2) == 6 && fault(g, "\x48\x0f\x07", 3) == 6, "without EFER.SCE");
	/* which modes have it depends on the CPU model */
	fresh(g, P, 3);
	g->efer = 0x501;
	g->star = 0x0023001000001234ull;
	g->cstar = 0xffff800000003000;
	ok(guest_run(g, "\x0f\x05", 2) == EMUL_OK && g->regs.rip == g->cstar, "compatibility mode");
	fresh(g, P, 3);
	g->star = 0x0023001000001234ull;
	g->efer = 1;
	ok(guest_run(g, "\x0f\x05", 2) == EMUL_OK && g->regs.rip == 0x1234 &&
	   g->seg[EMUL_CS].ar == 0xc09b, "legacy mode");
	fresh(g, P, 3);
	g->c.model = 0;
	ok(fault(g, "\x0f\x05", 2) == 6, "not on every CPU");
	fresh(g, R, 0);
	ok(fault(g, "\x0f\x05", 2) == 6, "not in real mode");

	unit_case("sysenter, sysexit");
	fresh(g, P, 3);
	ok(fault(g, "\x0f\x34", 2) == 13 && g->c.cpl == 3,
	   "SYSENTER_CS not set up: #GP, not ring 0");
	ok(fault(g, "\x0f\x35", 2) == 13, "sysexit");
	g->sysenter[0] = 0x10;
	g->sysenter[1] = 0x7000;
	g->sysenter[2] = 0x2000;
	g->regs.rflags |= 0x200;
	ok(fault(g, "\x0f\x35", 2) == 13 && err(g, 0), "sysexit at CPL 3");
	ok(guest_run(g, "\x0f\x34", 2) == EMUL_OK && g->c.cpl == 0 && g->regs.rip == 0x2000 &&
	   g->regs.gpr[EMUL_RSP] == 0x7000 && !(g->regs.rflags & 0x200), "sysenter");
	g->regs.gpr[EMUL_RDX] = 0x4000;
	g->regs.gpr[EMUL_RCX] = 0x9000;
	ok(guest_run(g, "\x0f\x35", 2) == EMUL_OK && g->c.cpl == 3 && g->seg[EMUL_CS].sel == 0x23 &&
	   g->seg[EMUL_SS].sel == 0x2b && g->regs.rip == 0x4000, "sysexit");
	fresh(g, L, 3);
	g->sysenter[0] = 0x10;
	g->c.model = 0;
	ok(fault(g, "\x0f\x34", 2) == 6, "sysenter in long mode, CPU without it");
	fresh(g, R, 0);
	g->sysenter[0] = 0x10;
	ok(fault(g, "\x0f\x34", 2) == 13, "sysenter in real mode");
	fresh(g, L, 0);
	g->sysenter[0] = 0x10;
	g->regs.gpr[EMUL_RDX] = 0x800000000000;
	ok(fault(g, "\x48\x0f\x35", 3) == 13, "sysexit to a non-canonical RIP");
}

static void test_registers(struct guest *g)
{
	unit_case("control, debug and model-specific registers");
	fresh(g, L, 0);
	g->cr[4] = 0x123;
	ok(guest_run(g, "\x0f\x20\xe0", 3) == EMUL_OK && g->regs.gpr[0] == 0x123, "mov rax,cr4");
	g->regs.gpr[0] = 0x55000;
	ok(guest_run(g, "\x0f\x22\xd8", 3) == EMUL_OK && g->cr[3] == 0x55000, "mov cr3,rax");
	g->regs.gpr[0] = 5;
	ok(guest_run(g, "\x44\x0f\x22\xc0", 4) == EMUL_OK && g->cr[8] == 5, "mov cr8,rax");
	ok(guest_run(g, "\x0f\x06", 2) == EMUL_OK && !(g->cr[0] & 8), "clts");
	g->cr[0] = 0x80000011;
	g->regs.gpr[0] = 0xfff8;
	ok(guest_run(g, "\x0f\x01\xf0", 3) == EMUL_OK && g->cr[0] == 0x80000019,
	   "lmsw cannot clear PE");
	/* debug registers */
	fresh(g, L, 0);
	g->regs.gpr[0] = 0x1000;
	ok(guest_run(g, "\x0f\x23\xc0", 3) == EMUL_OK && g->dr[0] == 0x1000, "mov dr0,rax");
	g->dr[6] = 0xffff0ff0;
	ok(guest_run(g, "\x0f\x21\xe0", 3) == EMUL_OK && g->regs.gpr[0] == 0xffff0ff0,
	   "dr4 is dr6");
	g->cr[4] |= 8;
	ok(fault(g, "\x0f\x21\xe0", 3) == 6, "dr4 with CR4.DE");
	g->regs.gpr[0] = 0x100000000;
	ok(fault(g, "\x0f\x23\xf8", 3) == 13, "dr7, upper half");
	g->dr[7] = 0x2000;
	ok(fault(g, "\x0f\x21\xc0", 3) == 1 && g->c.exc.dr6 == 0x2000 && !g->c.exc.has_error,
	   "DR7.GD");
	/* MSRs, TSC */
	fresh(g, L, 0);
	g->regs.gpr[EMUL_RCX] = 0x1234;
	g->regs.gpr[0] = 0xffffffff11223344;
	g->regs.gpr[EMUL_RDX] = 0x55667788;
	ok(guest_run(g, "\x0f\x30", 2) == EMUL_OK && g->other_msr == 0x5566778811223344, "wrmsr");
	ok(guest_run(g, "\x0f\x32", 2) == EMUL_OK && g->regs.gpr[0] == 0x11223344, "rdmsr");
	g->regs.gpr[EMUL_RCX] = 0x9999;
	ok(fault(g, "\x0f\x32", 2) == 13, "no such MSR");
	g->tsc_aux = 7;
	ok(guest_run(g, "\x0f\x01\xf9", 3) == EMUL_OK && g->regs.gpr[EMUL_RCX] == 7, "rdtscp");
	ok(guest_run(g, "\xf3\x0f\xc7\xf8", 4) == EMUL_OK && g->regs.gpr[0] == 7, "rdpid");
	g->c.cpl = 3;
	g->cr[4] |= 4;
	ok(fault(g, "\x0f\x31", 2) == 13, "rdtsc with CR4.TSD");
	fresh(g, L, 0);
	g->kgs = 0xffff800000001000;
	g->seg[EMUL_GS].base = 0x7000;
	ok(guest_run(g, "\x0f\x01\xf8", 3) == EMUL_OK &&
	   g->seg[EMUL_GS].base == 0xffff800000001000 &&
	   g->kgs == 0x7000, "swapgs");
	ok(fault(g, "\xf3\x0f\xae\xc0", 4) == 6, "rdfsbase without CR4.FSGSBASE");
	g->cr[4] |= 0x10000;
	g->regs.gpr[0] = 0x1234;
	ok(guest_run(g, "\xf3\x48\x0f\xae\xd8", 5) == EMUL_OK && g->seg[EMUL_GS].base == 0x1234,
	   "wrgsbase");
	ok(guest_run(g, "\x0f\x01\x3b", 3) == EMUL_OK && g->nr_ev == 1 && g->ev[0].addr == DATA,
	   "invlpg");
	g->regs.gpr[EMUL_RCX] = 0;
	ok(guest_run(g, "\x0f\x01\xd0", 3) == EMUL_OK && g->regs.gpr[0] == 7, "xgetbv");
}

static void test_events(struct guest *g)
{
	unit_case("interrupt flag, halt, software interrupts");
	fresh(g, L, 0);
	ok(guest_run(g, "\xfb", 1) == EMUL_OK && (g->regs.rflags & 0x200) &&
	   g->c.out.shadow == EMUL_SHADOW_STI, "sti");
	ok(guest_run(g, "\xfb", 1) == EMUL_OK && !g->c.out.shadow, "sti with IF set: no shadow");
	ok(guest_run(g, "\xfa", 1) == EMUL_OK && !(g->regs.rflags & 0x200), "cli");
	ok(guest_run(g, "\xf4", 1) == EMUL_OK && g->c.out.halt, "hlt");
	ok(guest_run(g, "\x90", 1) == EMUL_OK && !g->c.out.halt, "only then");
	g->regs.rflags |= 0x100;
	ok(guest_run(g, "\xcd\x80", 2) == EMUL_OK && g->c.out.inject == EMUL_INJ_SOFT_INT &&
	   g->c.out.vector == 0x80 && !g->c.out.single_step, "int 80h");
	ok(guest_run(g, "\xcc", 1) == EMUL_OK && g->c.out.inject == EMUL_INJ_SOFT_EXC &&
	   g->c.out.vector == 3, "int3");
	ok(guest_run(g, "\xf1", 1) == EMUL_OK && g->c.out.inject == EMUL_INJ_PRIV_EXC &&
	   g->c.out.vector == 1, "int1");
	fresh(g, L, 3);
	ok(fault(g, "\xcd\x80", 2) == 13 && g->c.exc.error == (0x80 << 3 | 2), "int 80h, gate of CPL 0");
	ok(fault(g, "\xcc", 1) == 13 && g->c.exc.error == (3 << 3 | 2), "int3, gate of CPL 0");
	ok(guest_run(g, "\xf1", 1) == EMUL_OK && g->c.out.inject == EMUL_INJ_PRIV_EXC,
	   "int1, gate of CPL 0");
	guest_st(g, g->idt.base + 16 * 0x80 + 4, 0xee00, 4);
	ok(guest_run(g, "\xcd\x80", 2) == EMUL_OK && g->c.out.inject == EMUL_INJ_SOFT_INT,
	   "int 80h, gate of CPL 3");
	g->idt.limit = 16 * 0x80 + 14;
	ok(fault(g, "\xcd\x80", 2) == 13 && g->c.exc.error == (0x80 << 3 | 2), "int 80h, no gate");
	fresh(g, P, 0);
	ok(guest_run(g, "\xce", 1) == EMUL_OK && !g->c.out.inject, "into without OF");
	g->regs.rflags |= 0x800;
	ok(guest_run(g, "\xce", 1) == EMUL_OK && g->c.out.vector == 4, "into with OF");
	g->regs.rflags |= 0x10000;
	ok(guest_run(g, "\x90", 1) == EMUL_OK && !(g->regs.rflags & 0x10000), "RF is cleared");
	fresh(g, P, 3);
	g->regs.rflags |= 0x3000;
	ok(guest_run(g, "\xfb", 1) == EMUL_OK, "sti with IOPL 3");
	guest_st(g, DATA, 5, 4);
	guest_st(g, DATA + 4, 10, 4);
	g->regs.gpr[0] = 7;
	ok(guest_run(g, "\x62\x03", 2) == EMUL_OK, "bound");
	g->regs.gpr[0] = 11;
	ok(fault(g, "\x62\x03", 2) == 5, "out of bounds");
}

int main(void)
{
	struct guest *g = guest_new();

	test_mov_sreg(g);
	test_probe(g);
	test_tables(g);
	test_far(g);
	test_iret(g);
	test_syscall(g);
	test_registers(g);
	test_events(g);
	guest_free(g);
	return unit_done();
}
