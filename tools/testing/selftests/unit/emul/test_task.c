// SPDX-License-Identifier: GPL-2.0-only
/* Hardware task switches. */
#include <stdlib.h>
#include "guest.h"
#include "../unit.h"

#define P EMUL_PROT32
#define GDT 0x30000u
#define OLD 0x20000u
#define NEW 0x21000u
#define FAULT_RIP 0x1232u

static void desc(struct guest *g, u16 sel, u32 base, u32 limit, u8 access, u8 flags)
{
	guest_st(g, GDT + sel, (limit & 0xffff) | base << 16, 4);
	guest_st(g, GDT + sel + 4, (base >> 16 & 0xff) | access << 8 | (limit & 0xf0000) |
		 flags << 20 | (base & 0xff000000), 4);
}

static void fresh(struct guest *g, u8 new_access)
{
	u32 i;

	guest_reset(g, P, 0);
	desc(g, 0x10, 0, 0xfffff, 0x9b, 0xc);
	desc(g, 0x18, 0, 0xfffff, 0x93, 0xc);
	desc(g, 0x20, 0, 0xfffff, 0xfb, 0xc);
	desc(g, 0x28, 0, 0xfffff, 0xf3, 0xc);
	desc(g, 0x40, OLD, 0x67, 0x8b, 0);
	desc(g, 0x50, NEW, 0x67, new_access, 0);
	g->seg[EMUL_TR] = (struct emul_seg){ .sel = 0x40, .base = OLD, .limit = 0x67, .ar = 0x8b };
	for (i = 0; i < 8; i++)
		g->regs.gpr[i] = 0x1000 + i;
	g->regs.rip = 0x1234;
	g->regs.rflags = 0x202;
	guest_st(g, NEW + 0x1c, 0x77000, 4);		/* CR3 */
	guest_st(g, NEW + 0x20, 0x5000, 4);		/* EIP */
	guest_st(g, NEW + 0x24, 0x2, 4);		/* EFLAGS */
	for (i = 0; i < 8; i++)
		guest_st(g, NEW + 0x28 + 4 * i, 0x9000 + i * 0x10, 4);
	for (i = 0; i < 6; i++)
		guest_st(g, NEW + 0x48 + 4 * i, i == EMUL_CS ? 0x23 : 0x2b, 4);
}

static int go(struct guest *g, enum emul_task_reason why, bool has_error)
{
	return emul_task_switch(&g->c, 0x50, why, FAULT_RIP, has_error, 0xabcd);
}

static void test_switch(struct guest *g)
{
	unit_case("JMP");
	fresh(g, 0x89);
	ok(go(g, EMUL_TASK_JMP, false) == EMUL_OK, "vector %d error %x", g->c.exc.vector,
	   g->c.exc.error);
	ok(guest_ld(g, OLD + 0x20, 4) == 0x1234 && guest_ld(g, OLD + 0x24, 4) == 0x202 &&
	   guest_ld(g, OLD + 0x28, 4) == 0x1000 && guest_ld(g, OLD + 0x44, 4) == 0x1007 &&
	   guest_ld(g, OLD + 0x4c, 2) == 0x10, "old state saved");
	ok(g->regs.rip == 0x5000 && g->regs.rflags == 2 && g->regs.gpr[7] == 0x9070,
	   "new state loaded");
	ok(g->cr[3] == 0x77000 && (g->cr[0] & 8), "CR3 and TS");
	ok(g->seg[EMUL_CS].sel == 0x23 && g->seg[EMUL_SS].sel == 0x2b && g->c.cpl == 3, "ring 3");
	ok(g->seg[EMUL_TR].sel == 0x50 && g->seg[EMUL_TR].ar == 0x8b, "TR");
	ok(guest_ld(g, GDT + 0x45, 1) == 0x89 && guest_ld(g, GDT + 0x55, 1) == 0x8b, "busy bits");

	unit_case("CALL and return");
	fresh(g, 0x89);
	ok(go(g, EMUL_TASK_CALL, false) == EMUL_OK && (g->regs.rflags & 0x4000), "NT");
	ok(guest_ld(g, NEW, 2) == 0x40 && guest_ld(g, GDT + 0x45, 1) == 0x8b,
	   "link; the old stays busy");
	ok(emul_task_switch(&g->c, 0x40, EMUL_TASK_IRET, FAULT_RIP, false, 0) == EMUL_OK, "back: %d %x",
	   g->c.exc.vector, g->c.exc.error);
	ok(g->regs.rip == 0x1234 && g->regs.gpr[0] == 0x1000 && g->c.cpl == 0, "where it was");
	ok(guest_ld(g, GDT + 0x55, 1) == 0x89 && !(guest_ld(g, NEW + 0x24, 4) & 0x4000),
	   "not nested");

	unit_case("task gate with error code");
	fresh(g, 0x89);
	ok(go(g, EMUL_TASK_GATE, true) == EMUL_OK && g->regs.gpr[EMUL_RSP] == 0x9040 - 4 &&
	   guest_ld(g, 0x9040 - 4, 4) == 0xabcd, "pushed");
}

static void test_bad(struct guest *g)
{
	struct emul_regs regs;

	unit_case("faults before the switch leave the old task");
	fresh(g, 0x8b);
	regs = g->regs;
	ok(go(g, EMUL_TASK_JMP, false) == EMUL_FAULT && g->c.exc.vector == 13 &&
	   g->c.exc.error == 0x50,
	   "busy");
	fresh(g, 0x09);
	ok(go(g, EMUL_TASK_JMP, false) == EMUL_FAULT && g->c.exc.vector == 11, "not present");
	fresh(g, 0x89);
	ok(go(g, EMUL_TASK_IRET, false) == EMUL_FAULT && g->c.exc.vector == 10,
	   "return to a task not busy");
	desc(g, 0x50, NEW, 0x66, 0x89, 0);
	ok(go(g, EMUL_TASK_JMP, false) == EMUL_FAULT && g->c.exc.vector == 10, "too short");
	fresh(g, 0x89);
	g->pt[NEW >> 12].present = false;
	ok(go(g, EMUL_TASK_JMP, false) == EMUL_FAULT && g->c.exc.vector == 14, "TSS not mapped");
	ok(g->regs.rip == FAULT_RIP, "at the instruction");
	regs.rip = FAULT_RIP;
	ok(!memcmp(&regs, &g->regs, sizeof(regs)) && g->seg[EMUL_TR].sel == 0x40 &&
	   guest_ld(g, GDT + 0x45, 1) == 0x8b, "nothing changed");
	fresh(g, 0x89);
	g->pt[NEW >> 12].gpa = MMIO_USER;
	ok(go(g, EMUL_TASK_JMP, false) == EMUL_UNHANDLEABLE, "TSS on a device");
	fresh(g, 0x89);
	g->race = true;
	ok(go(g, EMUL_TASK_JMP, false) == EMUL_UNHANDLEABLE && guest_ld(g, GDT + 0x45, 1) == 0x8b &&
	   guest_ld(g, GDT + 0x55, 1) == 0x89, "others are faster, always: busy bits stay");
	g->race = false;

	unit_case("privileges are the CPU's to check");
	fresh(g, 0x89);
	g->c.cpl = 3;
	ok(go(g, EMUL_TASK_JMP, false) == EMUL_OK, "a gate of ring 3 to a TSS of ring 0");

	unit_case("faults after it belong to the new task");
	fresh(g, 0x89);
	guest_st(g, NEW + 0x50, 0x18, 4);		/* SS with DPL 0 */
	ok(go(g, EMUL_TASK_JMP, false) == EMUL_FAULT && g->c.exc.vector == 10 &&
	   g->c.exc.error == 0x18,
	   "bad SS");
	ok(g->regs.rip == 0x5000 && g->seg[EMUL_TR].sel == 0x50 && g->c.cpl == 3,
	   "in the new task");
	fresh(g, 0x89);
	guest_st(g, NEW + 0x64, 1, 2);
	ok(go(g, EMUL_TASK_JMP, false) == EMUL_FAULT && g->c.exc.vector == 1 &&
	   g->c.exc.dr6 == 0x8000 &&
	   g->regs.rip == 0x5000, "debug trap bit");
	fresh(g, 0x89);
	g->dr[7] = 0x7ff;
	ok(go(g, EMUL_TASK_JMP, false) == EMUL_OK && g->dr[7] == 0x6aa, "local breakpoints go");
	fresh(g, 0x89);
	g->pt[0x9000 >> 12].present = false;
	ok(go(g, EMUL_TASK_GATE, true) == EMUL_FAULT && g->c.exc.vector == 14 &&
	   g->regs.gpr[EMUL_RSP] == 0x9040, "no room for the error code: ESP stays");
	g->pt[0x9000 >> 12].present = true;
}

static void test_kinds(struct guest *g)
{
	u32 i;

	unit_case("virtual-8086 task");
	fresh(g, 0x89);
	guest_st(g, NEW + 0x24, 0x20002, 4);
	for (i = 0; i < 6; i++)
		guest_st(g, NEW + 0x48 + 4 * i, 0x1000 + i, 4);
	ok(go(g, EMUL_TASK_JMP, false) == EMUL_OK && g->c.mode == EMUL_VM86 && g->c.cpl == 3,
	   "switch");
	ok(g->seg[EMUL_CS].base == 0x10010 && g->seg[EMUL_GS].ar == 0xf3, "segments");

	unit_case("16-bit task");
	fresh(g, 0x81);
	desc(g, 0x50, NEW, 0x2b, 0x81, 0);
	guest_st(g, NEW + 0x0e, 0x5000, 2);
	guest_st(g, NEW + 0x10, 2, 2);
	for (i = 0; i < 8; i++)
		guest_st(g, NEW + 0x12 + 2 * i, 0x9000 + i, 2);
	for (i = 0; i < 4; i++)
		guest_st(g, NEW + 0x22 + 2 * i, i == EMUL_CS ? 0x10 : 0x18, 2);
	guest_st(g, NEW + 0x2a, 0, 2);
	ok(go(g, EMUL_TASK_JMP, false) == EMUL_OK, "switch: %d %x", g->c.exc.vector,
	   g->c.exc.error);
	ok(g->regs.rip == 0x5000 && (u16)g->regs.gpr[7] == 0x9007 && g->seg[EMUL_CS].sel == 0x10 &&
	   g->cr[3] == 0, "state; CR3 stays");
}

int main(void)
{
	struct guest *g = guest_new();

	test_switch(g);
	test_bad(g);
	test_kinds(g);
	guest_free(g);
	return unit_done();
}
