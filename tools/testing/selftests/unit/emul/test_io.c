// SPDX-License-Identifier: GPL-2.0-only
/*
 * Devices: each access reaches the device exactly once and in order, wherever it is
 * served, however it is cut, and whatever changes while userspace has it.
 */
#include <stdlib.h>
#include "guest.h"
#include "../unit.h"

#define L EMUL_PROT64
#define P EMUL_PROT32
#define R EMUL_REAL

#define MMIO	0x50000u	/* linear: two pages of the userspace device */
#define KERN	0x60000u	/* two pages of the kernel's device */

static void fresh(struct guest *g, enum emul_mode mode)
{
	guest_reset(g, mode, 0);
	guest_map(g, MMIO, MMIO_USER);
	guest_map(g, MMIO + 0x1000, MMIO_USER + 0x1000);
	guest_map(g, KERN, MMIO_KERNEL);
	guest_map(g, KERN + 0x1000, MMIO_KERNEL + 0x1000);
	g->regs.gpr[EMUL_RBX] = MMIO;
}

static bool ev(const struct guest *g, u32 i, bool write, u64 addr, u32 size, u64 data)
{
	const struct g_event *e = &g->ev[i];
	u64 m = size == 8 ? ~0ull : (1ull << (size * 8)) - 1;

	if (i < g->nr_ev && e->write == write && e->addr == addr && e->size == size &&
	    (e->data & m) == (data & m))
		return true;
	printf("# event %u of %u: write %d addr %llx size %u data %llx\n", i, g->nr_ev, e->write,
	       (unsigned long long)e->addr, e->size, (unsigned long long)e->data);
	return false;
}

#define U(x) (MMIO_USER + (x))

static void test_plain(struct guest *g)
{
	unit_case("loads and stores");
	fresh(g, L);
	ok(guest_run(g, "\x8b\x03", 2) == EMUL_OK, "mov eax,[mmio]");
	ok(g->regs.gpr[0] == 0x01010101 && g->nr_ev == 1 && ev(g, 0, false, U(0), 4, 0x01010101),
	   "load");
	ok(guest_run(g, "\x48\x89\x43\x08", 4) == EMUL_OK && g->nr_ev == 2, "mov [mmio+8],rax");
	ok(ev(g, 1, true, U(8), 8, 0x01010101), "store");
	ok(guest_run(g, "\x0f\xb6\x4b\x03", 4) == EMUL_OK && g->regs.gpr[1] == 2, "movzx");
	ok(ev(g, 2, false, U(3), 1, 2), "one byte");
	ok(guest_run(g, "\xff\x33", 2) == EMUL_OK && g->nr_ev == 4, "push [mmio]");
	ok(guest_ld(g, STACK - 8, 8) == 0x0303030303030303, "pushed");
	g->regs.gpr[EMUL_RSP] = DATA;
	guest_st(g, DATA, 0x55, 8);
	ok(guest_run(g, "\x8f\x03", 2) == EMUL_OK && ev(g, 4, true, U(0), 8, 0x55), "pop [mmio]");
	ok(g->exits == 5, "exits %u", g->exits);
}

static void test_rmw(struct guest *g)
{
	unit_case("read-modify-write");
	fresh(g, L);
	g->regs.gpr[0] = 0x10;
	ok(guest_run(g, "\x01\x03", 2) == EMUL_OK, "add [mmio],eax");
	ok(g->nr_ev == 2 && ev(g, 0, false, U(0), 4, 0x01010101) && ev(g, 1, true, U(0), 4,
	   0x01010111),
	   "one read, one write");
	ok(guest_run(g, "\xf0\x0f\xba\x2b\x1f", 5) == EMUL_OK && g->nr_ev == 4, "lock bts");
	ok(ev(g, 3, true, U(0), 4, 0x82020202), "bit set");
	g->regs.gpr[0] = 0x1234;
	ok(guest_run(g, "\x87\x03", 2) == EMUL_OK && g->regs.gpr[0] == 0x03030303, "xchg");
	ok(ev(g, 5, true, U(0), 4, 0x1234), "xchg wrote");
	g->regs.gpr[0] = 0x04040404;
	g->regs.gpr[1] = 0x99;
	ok(guest_run(g, "\xf0\x0f\xb1\x0b", 4) == EMUL_OK && (g->regs.rflags & 0x40), "cmpxchg");
	ok(ev(g, 7, true, U(0), 4, 0x99), "cmpxchg wrote");
	ok(guest_run(g, "\xf0\x0f\xc7\x0b", 4) == EMUL_OK && g->nr_ev == 10, "cmpxchg8b");
	ok(ev(g, 8, false, U(0), 8, 0x0505050505050505) &&
	   ev(g, 9, true, U(0), 8, 0x0505050505050505), "written back");
	g->nr_ev = 0;
	g->regs.gpr[EMUL_RBX] = KERN;
	g->exits = 0;
	ok(guest_run(g, "\x83\x23\xf0", 3) == EMUL_OK && g->nr_ev == 2 && !g->exits,
	   "kernel device: no exit");
}

static void test_crossing(struct guest *g)
{
	unit_case("page crossings and wide accesses");
	/* RAM then device: store */
	fresh(g, L);
	g->regs.gpr[EMUL_RBX] = MMIO - 3;
	g->regs.gpr[0] = 0x1122334455667788;
	ok(guest_run(g, "\x48\x89\x03", 3) == EMUL_OK && g->nr_ev == 1, "store, RAM and device");
	ok(guest_ld(g, MMIO - 3, 3) == 0x667788 && ev(g, 0, true, U(0), 5, 0x1122334455),
	   "both parts");
	/* RMW over the same boundary: the RAM half must not be added to twice */
	fresh(g, L);
	g->regs.gpr[EMUL_RBX] = MMIO - 4;
	guest_st(g, MMIO - 4, 0xffffffff, 4);
	g->regs.gpr[0] = 1;
	ok(guest_run(g, "\x48\x01\x03", 3) == EMUL_OK && g->nr_ev == 2, "add");
	ok(guest_ld(g, MMIO - 4, 4) == 0 && ev(g, 1, true, U(0), 4, 0x01010102),
	   "carry into the device");
	/* device then RAM, load */
	fresh(g, L);
	g->pt[(MMIO >> 12) + 1].gpa = 0x70000;
	guest_st(g, 0x70000, 0xaabbccdd, 4);
	g->regs.gpr[EMUL_RBX] = MMIO + 0xffc;
	ok(guest_run(g, "\x48\x8b\x03", 3) == EMUL_OK && g->nr_ev == 1, "load, device and RAM");
	ok(g->regs.gpr[0] == 0xaabbccdd01010101, "%llx", (unsigned long long)g->regs.gpr[0]);
	/* two device pages */
	fresh(g, L);
	g->regs.gpr[EMUL_RBX] = MMIO + 0xfff;
	g->regs.gpr[0] = 0xaabbccdd;
	ok(guest_run(g, "\x31\x03", 2) == EMUL_OK && g->nr_ev == 4 && g->exits == 4, "xor");
	ok(ev(g, 0, false, U(0xfff), 1, 1) && ev(g, 1, false, U(0x1000), 3, 0x020202), "reads");
	ok(ev(g, 2, true, U(0xfff), 1, 0xdc) && ev(g, 3, true, U(0x1000), 3, 0xa8b9ce), "writes");
	/* kernel device, then userspace: the kernel's is not asked again at re-execution */
	fresh(g, L);
	g->pt[(MMIO >> 12) - 1].gpa = MMIO_KERNEL;
	g->regs.gpr[EMUL_RBX] = MMIO - 4;
	ok(guest_run(g, "\x48\xf7\x1b", 3) == EMUL_OK && g->nr_ev == 4 && g->exits == 2, "neg");
	ok(g->ev[0].kernel && !g->ev[1].kernel && g->ev[2].kernel && !g->ev[3].kernel, "order");
	/* 32 bytes, unaligned, over the page */
	fresh(g, L);
	memset(g->vec[0], 0x77, 32);
	g->regs.gpr[EMUL_RBX] = MMIO + 0xff3;
	ok(guest_run(g, "\xc5\xfe\x7f\x03", 4) == EMUL_OK && g->nr_ev == 5, "vmovdqu ymm: %u",
	   g->nr_ev);
	ok(ev(g, 0, true, U(0xff3), 8, 0x7777777777777777) && ev(g, 1, true, U(0xffb), 5,
	   0x7777777777) &&
	   ev(g, 2, true, U(0x1000), 8, 0x7777777777777777) && ev(g, 4, true, U(0x1010), 3,
	   0x777777),
	   "fragments");
	fresh(g, L);
	ok(guest_run(g, "\x0f\x10\x0b", 3) == EMUL_OK && g->nr_ev == 2, "movups load");
	ok(g->vec[1][0] == 1 && g->vec[1][15] == 2, "both halves");
	/* far pointer, pusha and enter on a device */
	fresh(g, P);
	g->regs.gpr[EMUL_RSP] = MMIO + 0x20;
	ok(guest_run(g, "\x60", 1) == EMUL_OK && g->nr_ev == 8 && g->exits == 8, "pusha");
	ok(g->regs.gpr[EMUL_RSP] == MMIO, "sp");
	/* a page that is not there is found before the device is touched */
	fresh(g, L);
	g->pt[(MMIO >> 12) + 1].present = false;
	g->regs.gpr[EMUL_RBX] = MMIO + 0xfff;
	ok(guest_run(g, "\x89\x03", 2) == EMUL_FAULT && !g->nr_ev, "fault first");
	ok(g->c.exc.cr2 == MMIO + 0x1000, "cr2");
}

static void swap_code(struct guest *g)
{
	memset(g->ram + CODE, 0xf4, 16);
	g->pt[MMIO >> 12].gpa = 0x70000;
	g->pt[STACK >> 12].present = false;
}

/* While userspace has the access, another vCPU rewrites code, page tables and memory. */
static void test_swap(struct guest *g)
{
	unit_case("the world changes during the exit");
	fresh(g, L);
	g->on_exit = swap_code;
	g->regs.gpr[0] = 0x10;
	ok(guest_run(g, "\x01\x03", 2) == EMUL_OK && g->regs.rip == CODE + 2, "add goes on");
	ok(g->nr_ev == 2 && ev(g, 1, true, U(0), 4, 0x01010111), "the same device is written");
	ok(guest_ld(g, 0x70000, 4) == 0, "not what the page table says now");
	fresh(g, L);
	g->on_exit = swap_code;
	g->regs.gpr[EMUL_RBX] = MMIO + 0xffe;
	ok(guest_run(g, "\x89\x03", 2) == EMUL_OK && g->nr_ev == 2, "second fragment");
	ok(ev(g, 1, true, U(0x1000), 2, 0), "as translated at first");
}

static void test_no_double_check(struct guest *g)
{
	unit_case("intercept hook");
	fresh(g, L);
	g->denied = true;
	ok(guest_run(g, "\x8b\x03", 2) == EMUL_INTERCEPTED && !g->nr_ev, "mov");
	ok(guest_run(g, "\xec", 1) == EMUL_INTERCEPTED && !g->nr_ev, "in");
	g->denied = false;
	emul_init(&g->c);
	ok(emul_decode(&g->c, (const u8 *)"\x8b\x03", 2) == EMUL_OK, "decode");
	ok(emul_execute(&g->c) == EMUL_IO_NEEDED, "needs userspace");
	g->denied = true;		/* L1 changes its mind too late */
	memset(g->c.io.data, 0x42, 4);
	emul_io_done(&g->c);
	ok(emul_execute(&g->c) == EMUL_OK && g->regs.gpr[0] == 0x42424242, "not asked again");
	/* dropped by the caller */
	g->denied = false;
	emul_init(&g->c);
	ok(emul_decode(&g->c, (const u8 *)"\x8b\x03", 2) == EMUL_OK &&
	   emul_execute(&g->c) == EMUL_IO_NEEDED, "pending");
	emul_init(&g->c);
	ok(emul_execute(&g->c) == EMUL_UNHANDLEABLE, "nothing decoded, nothing done");
}

static void test_string(struct guest *g)
{
	u32 i;

	unit_case("string instructions on devices");
	fresh(g, L);
	for (i = 0; i < 64; i++)
		g->ram[DATA + i] = i;
	g->regs.gpr[EMUL_RSI] = DATA;
	g->regs.gpr[EMUL_RDI] = MMIO;
	g->regs.gpr[EMUL_RCX] = 5;
	ok(guest_run(g, "\xf3\xa5", 2) == EMUL_OK && g->nr_ev == 5, "rep movsd to the device");
	for (i = 0; i < 5; i++)
		ok(ev(g, i, true, U(4 * i), 4, 0x03020100 + 0x04040404 * i), "element %u", i);
	ok(!g->regs.gpr[EMUL_RCX] && g->regs.gpr[EMUL_RSI] == DATA + 20 &&
	   g->regs.gpr[EMUL_RDI] == MMIO + 20 && g->regs.rip == CODE + 2, "registers");
	/* device to device */
	fresh(g, L);
	g->regs.gpr[EMUL_RSI] = MMIO;
	g->regs.gpr[EMUL_RDI] = MMIO + 0x800;
	g->regs.gpr[EMUL_RCX] = 3;
	ok(guest_run(g, "\xf3\xa4", 2) == EMUL_OK && g->nr_ev == 6, "rep movsb");
	ok(ev(g, 4, false, U(2), 1, 3) && ev(g, 5, true, U(0x802), 1, 3), "third element");
	/* a fault in the middle: what was done is done, and the rest is not */
	fresh(g, L);
	g->pt[(MMIO >> 12) + 1].present = false;
	g->regs.gpr[EMUL_RDI] = MMIO + 0xff8;
	g->regs.gpr[EMUL_RCX] = 4;
	g->regs.gpr[0] = 0x55;
	ok(guest_run(g, "\xf3\xab", 2) == EMUL_FAULT && g->c.exc.cr2 == MMIO + 0x1000, "rep stosd");
	ok(g->nr_ev == 2 && g->regs.gpr[EMUL_RCX] == 2 && g->regs.gpr[EMUL_RDI] == MMIO + 0x1000 &&
	   g->regs.rip == CODE, "partial progress");
	g->pt[(MMIO >> 12) + 1].present = true;
	ok(guest_go(g) == EMUL_OK && g->nr_ev == 4 && !g->regs.gpr[EMUL_RCX], "the rest");
	/* DF, lods, scas, cmps */
	fresh(g, L);
	g->regs.rflags |= 0x400;
	g->regs.gpr[EMUL_RSI] = MMIO + 8;
	ok(guest_run(g, "\xad", 1) == EMUL_OK && g->regs.gpr[EMUL_RSI] == MMIO + 4, "lodsd down");
	fresh(g, L);
	g->regs.gpr[EMUL_RDI] = MMIO;
	g->regs.gpr[EMUL_RCX] = 100;
	g->regs.gpr[0] = 7;
	ok(guest_run(g, "\xf2\xae", 2) == EMUL_OK && g->nr_ev == 7, "repne scasb ends on equal");
	ok(g->regs.gpr[EMUL_RCX] == 93 && (g->regs.rflags & 0x40), "count and ZF");
	fresh(g, L);
	memset(g->ram + DATA, 1, 3);
	g->regs.gpr[EMUL_RSI] = DATA;
	g->regs.gpr[EMUL_RDI] = MMIO;
	g->regs.gpr[EMUL_RCX] = 10;
	ok(guest_run(g, "\xf3\xa6", 2) == EMUL_OK && g->nr_ev == 2 && g->regs.gpr[EMUL_RCX] == 8,
	   "repe cmpsb ends on unequal");
	fresh(g, L);
	g->regs.gpr[EMUL_RCX] = 0;
	g->regs.gpr[EMUL_RDI] = 0x800000000000;
	ok(guest_run(g, "\xf3\xaa", 2) == EMUL_OK && !g->nr_ev, "count zero touches nothing");
	/* 32-bit count in 64-bit code */
	fresh(g, L);
	g->regs.gpr[EMUL_RCX] = 0x100000002;
	g->regs.gpr[EMUL_RDI] = MMIO;
	ok(guest_run(g, "\x67\xf3\xaa", 3) == EMUL_OK && g->nr_ev == 2, "ecx");
}

static void test_limits(struct guest *g)
{
	unit_case("long loops stop in between");
	fresh(g, L);
	g->regs.gpr[EMUL_RCX] = 1000;
	g->regs.gpr[EMUL_RDI] = KERN;
	ok(guest_run(g, "\xf3\xaa", 2) == EMUL_OK && g->c.out.partial, "bounded");
	ok(g->regs.rip == CODE && (g->regs.rflags & 0x10000) &&
	   g->regs.gpr[EMUL_RCX] == 1000 - g->nr_ev,
	   "RF set, RIP stays");
	fresh(g, L);
	g->yield = true;
	g->regs.gpr[EMUL_RCX] = 10;
	g->regs.gpr[EMUL_RDI] = MMIO;
	ok(guest_run(g, "\xf3\xaa", 2) == EMUL_OK && g->c.out.partial && g->nr_ev == 1, "yield");
	fresh(g, L);
	g->regs.rflags |= 0x100;
	g->regs.gpr[EMUL_RCX] = 10;
	g->regs.gpr[EMUL_RDI] = MMIO;
	ok(guest_run(g, "\xf3\xaa", 2) == EMUL_OK && g->c.out.single_step && g->nr_ev == 1, "TF");
}

static void test_ports(struct guest *g)
{
	u32 i;

	unit_case("port I/O");
	fresh(g, L);
	g->regs.gpr[0] = ~0ull;
	ok(guest_run(g, "\xe4\x60", 2) == EMUL_OK && g->regs.gpr[0] == 0xffffffffffffff01,
	   "in al,60h");
	ok(guest_run(g, "\xe5\x60", 2) == EMUL_OK && g->regs.gpr[0] == 0x02020202, "in eax,60h");
	ok(guest_run(g, "\xe6\x40", 2) == EMUL_OK && g->ev[2].kernel && g->ev[2].data == 2,
	   "out 40h,al");
	g->regs.gpr[EMUL_RDX] = 0x1f7;
	ok(guest_run(g, "\x66\xef", 2) == EMUL_OK && ev(g, 3, true, 0x1f7, 2, 0x0202), "out dx,ax");
	ok(g->exits == 3, "exits");
	/* batches */
	fresh(g, L);
	g->regs.gpr[EMUL_RDX] = 0x1f0;
	g->regs.gpr[EMUL_RDI] = DATA + 0xf00;
	g->regs.gpr[EMUL_RCX] = 256;
	ok(guest_run(g, "\x66\xf3\x6d", 3) == EMUL_OK, "rep insw");
	ok(g->nr_ev == 2 && g->exits == 2 && g->ev[0].count == 128 && g->ev[1].count == 128,
	   "one exit per page: %u, %u", g->nr_ev, g->ev[0].count);
	ok(guest_ld(g, DATA + 0xffe, 2) == 0x0101 && guest_ld(g, DATA + 0x1000, 2) == 0x0202 &&
	   guest_ld(g, DATA + 0x10fe, 2) == 0x0202 && guest_ld(g, DATA + 0x1100, 2) == 0, "data");
	ok(!g->regs.gpr[EMUL_RCX] && g->regs.gpr[EMUL_RDI] == DATA + 0x1100, "registers");
	fresh(g, L);
	for (i = 0; i < 16; i++)
		g->ram[DATA + i] = 0x10 + i;
	g->regs.gpr[EMUL_RDX] = 0x1f0;
	g->regs.gpr[EMUL_RSI] = DATA;
	g->regs.gpr[EMUL_RCX] = 8;
	ok(guest_run(g, "\x66\xf3\x6f", 3) == EMUL_OK && g->nr_ev == 1 && g->ev[0].count == 8,
	   "rep outsw");
	ok(!memcmp(g->io_buf, g->ram + DATA, 16), "data in the buffer");
	/* without batches */
	fresh(g, L);
	g->no_ram_batch = true;
	g->regs.gpr[EMUL_RDX] = 0x1f0;
	g->regs.gpr[EMUL_RDI] = DATA;
	g->regs.gpr[EMUL_RCX] = 4;
	ok(guest_run(g, "\xf3\x6c", 2) == EMUL_OK && g->nr_ev == 4 && g->ev[0].count == 1,
	   "singles");
	ok(guest_ld(g, DATA, 4) == 0x04030201, "data");
	/* the destination is checked before the port is read */
	fresh(g, L);
	g->pt[DATA >> 12].writable = false;
	g->regs.gpr[EMUL_RDX] = 0x1f0;
	g->regs.gpr[EMUL_RDI] = DATA;
	g->regs.gpr[EMUL_RCX] = 4;
	ok(guest_run(g, "\xf3\x6c", 2) == EMUL_FAULT && !g->nr_ev, "nothing read from the port");
	/* to a device; DF */
	fresh(g, L);
	g->regs.gpr[EMUL_RDX] = 0x1f0;
	g->regs.gpr[EMUL_RDI] = MMIO;
	g->regs.gpr[EMUL_RCX] = 2;
	ok(guest_run(g, "\xf3\x6c", 2) == EMUL_OK && g->nr_ev == 4, "port to device");
	ok(ev(g, 0, false, 0x1f0, 1, 1) && ev(g, 1, true, U(0), 1, 1) && ev(g, 3, true, U(1), 1,
	   2), "order");
	fresh(g, L);
	g->regs.rflags |= 0x400;
	g->regs.gpr[EMUL_RDX] = 0x40;
	g->regs.gpr[EMUL_RDI] = DATA + 8;
	g->regs.gpr[EMUL_RCX] = 3;
	ok(guest_run(g, "\xf3\x6d", 2) == EMUL_OK && g->nr_ev == 3 && guest_ld(g, DATA,
	   4) == 0x03030303,
	   "down");
	/* real mode, segment override, 16-bit count */
	fresh(g, R);
	g->seg[EMUL_ES].base = 0x6000;
	g->ram[0x6010] = 0x66;
	g->regs.gpr[EMUL_RSI] = 0x10;
	g->regs.gpr[EMUL_RDX] = 0x3f8;
	ok(guest_run(g, "\x26\x6e", 2) == EMUL_OK && ev(g, 0, true, 0x3f8, 1, 0x66), "es: outsb");
}

/* At CPL 3 the check of the bitmap must not upset the replay, nor be skipped. */
static void test_ports_cpl3(struct guest *g)
{
	unit_case("port I/O through the bitmap");
	fresh(g, L);
	g->c.cpl = 3;
	g->seg[EMUL_TR].limit = 0x67 + 0x200;
	guest_st(g, 0x20000 + 102, 0x68, 2);
	g->regs.gpr[EMUL_RDX] = 0x1f0;
	g->regs.gpr[EMUL_RDI] = DATA;
	g->regs.gpr[EMUL_RCX] = 4;
	g->no_ram_batch = true;
	ok(guest_run(g, "\xf3\x6c", 2) == EMUL_OK && g->nr_ev == 4, "rep insb: %u events",
	   g->nr_ev);
	ok(guest_ld(g, DATA, 4) == 0x04030201, "data");
	g->nr_ev = 0;
	ok(guest_run(g, "\xec", 1) == EMUL_OK && g->nr_ev == 1, "in");
	/* a TSS in a device: refused, not forgotten */
	g->seg[EMUL_TR].base = MMIO;
	g->nr_ev = 0;
	ok(guest_run(g, "\xec", 1) == EMUL_UNHANDLEABLE && !g->nr_ev, "TSS on a device");
}

static void test_race(struct guest *g)
{
	struct emul_regs before;

	unit_case("locked access that loses its race");
	fresh(g, L);
	g->regs.gpr[EMUL_RBX] = DATA;
	g->race = true;
	before = g->regs;
	ok(guest_run(g, "\xf0\x01\x03", 3) == EMUL_RETRY, "lock add");
	ok(!memcmp(&before, &g->regs, sizeof(before)), "nothing changed");
	ok(guest_run(g, "\x01\x03", 2) == EMUL_OK, "no lock, no race");
	ok(guest_run(g, "\x87\x03", 2) == EMUL_RETRY, "xchg is locked");
}

/* Code in a device cannot be fetched; FXSAVE on a device is not emulated. */
static void test_refused(struct guest *g)
{
	unit_case("refused on devices");
	fresh(g, L);
	g->regs.rip = MMIO;
	ok(guest_go(g) == EMUL_UNHANDLEABLE && !g->nr_ev, "fetch");
	fresh(g, L);
	ok(guest_run(g, "\x0f\xae\x03", 3) == EMUL_UNHANDLEABLE && !g->nr_ev, "fxsave");
}

int main(void)
{
	struct guest *g = guest_new();

	test_plain(g);
	test_rmw(g);
	test_crossing(g);
	test_swap(g);
	test_no_double_check(g);
	test_string(g);
	test_limits(g);
	test_ports(g);
	test_ports_cpl3(g);
	test_race(g);
	test_refused(g);
	guest_free(g);
	return unit_done();
}
