// SPDX-License-Identifier: GPL-2.0-only
/*
 * Differential test: one instruction of any kind, single-stepped on the real CPU in a sandbox of
 * its own addresses and in the emulator, in 64-bit and in 32-bit code. Compared are general and
 * vector registers, flags, RIP, memory, and for a fault its vector, error code and address.
 *
 * The emulator goes first: what it would let touch memory outside of the sandbox does not run
 * natively. Left out are instructions whose result is the machine's (CPUID, RDTSC, descriptor tables)
 * and those that would take this process apart (system calls, FS and GS, MOV to SS, which holds
 * the single step back).
 */
#define _GNU_SOURCE
#include <cpuid.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>
#include "guest.h"
#include "../unit.h"

#define AREA		0x20000u	/* the same linear addresses natively and emulated */
#define PAGES		16u
#define PAGE		4096u
#define HOLE		(AREA + 14 * PAGE)	/* nothing there */
#define RDONLY		(AREA + 13 * PAGE)
#define N_CODE		(AREA + 0x100)
#define N_STACK		(AREA + 8 * PAGE)
#define SIZE		(PAGES * PAGE)

#define CF 1u
#define PF 4u
#define AF 0x10u
#define ZF 0x40u
#define SF 0x80u
#define TF 0x100u
#define DF 0x400u
#define OF 0x800u
#define ALL (CF | PF | AF | ZF | SF | OF)

#define USER32_CS	0x23
#define USER_DS		0x2b
#define USER_CS		0x33

struct outcome {
	bool fault;
	u8 vector;
	u32 error;
	u64 cr2, gpr[16], rip, flags, mmx[8];
	u16 cs;
	u8 vec[16][32] __attribute__((aligned(32)));
};

static struct guest *g;
static u8 code[16];
static bool mode64, have_ymm;
static u8 image[SIZE] __attribute__((aligned(4096)));

/* ---- random ---- */

static u64 seed = 0x2545f4914f6cdd1d;

static u64 rnd(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed * 0x9e3779b97f4a7c15ull >> 8;
}

static u64 value(void)
{
	static const u64 special[] = {
		0, 1, 2, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 0x7fffffff, 0x80000000,
		0xffffffff, 0x7fffffffffffffff, 0x8000000000000000, ~0ull, 0x0f, 0x10,
	};

	switch (rnd() % 8) {
	case 0:
		return rnd() << 8;
	case 1:
	case 2:
		return special[rnd() % ARRAY_SIZE(special)];
	case 3:
		return HOLE - 8 + rnd() % 16;
	case 4:
		return RDONLY + rnd() % PAGE;
	default:
		return AREA + PAGE + rnd() % (12 * PAGE);
	}
}

/* ---- one instruction ---- */

static u32 at;

static void emit(u8 b)
{
	if (at < sizeof(code))
		code[at++] = b;
}

/* ModRM and what may follow: small displacements, any immediate. */
static void tail(void)
{
	emit(rnd());
	emit(rnd());
	emit(rnd() % 3 ? 0 : rnd() & 3);
	emit(0);
	emit(0);
	while (at < sizeof(code))
		emit(rnd() % 3 ? rnd() : 0);
}

static void prefixes(void)
{
	static const u8 segs[] = { 0x26, 0x2e, 0x36, 0x3e };

	if (rnd() % 4 == 0)
		emit(0x66);
	if (rnd() % 12 == 0)
		emit(0x67);
	if (rnd() % 6 == 0)
		emit(rnd() & 1 ? 0xf2 : 0xf3);
	if (rnd() % 16 == 0)
		emit(0xf0);
	if (rnd() % 12 == 0)
		emit(segs[rnd() & 3]);
}

static void vex(void)
{
	static const u8 ops[] = {
		0x10, 0x11, 0x12, 0x13, 0x16, 0x17, 0x28, 0x29, 0x2b, 0x6e, 0x6f, 0x7e, 0x7f, 0xd6, 0xe7,
		0xf0,
	};
	bool three = mode64 && rnd() & 1;

	/* vvvv is 1111 as a rule: these have no third operand. */
	emit(three ? 0xc4 : 0xc5);
	if (three)
		emit(0xe1 ^ (rnd() & 1 ? 0 : rnd() & 0xe0));
	emit((three ? 0x78 : 0xf8) ^ (rnd() % 8 ? rnd() & 7 : rnd()));
	emit(ops[rnd() % sizeof(ops)]);
}

static void make_insn(void)
{
	static const u8 moves[] = {
		0x10, 0x11, 0x12, 0x13, 0x16, 0x17, 0x28, 0x29, 0x2b, 0x6e, 0x6f, 0x7e, 0x7f, 0xd6, 0xe7,
		0xf0, 0xc3, 0xb8, 0xbc, 0xbd, 0xc7,
	};
	u32 kind = rnd() % 20;

	at = 0;
	if (kind == 19) {
		vex();
		tail();
		return;
	}
	prefixes();
	if (mode64 && rnd() & 1)
		emit(0x40 | (rnd() & 15));
	if (kind < 10) {
		emit(rnd());
	} else if (kind < 12) {
		emit((rnd() & 1 ? 0xa4 : 0xaa) + rnd() % 6);
	} else if (kind < 16) {
		emit(0x0f);
		emit(rnd());
	} else if (kind < 18) {
		emit(0x0f);
		emit(moves[rnd() % sizeof(moves)]);
	} else {
		emit(0x0f);
		emit(0x38);
		emit(rnd() & 1 ? 0xf0 + (rnd() & 1) : 0x2a);
	}
	tail();
}

static bool near_branch(const struct emul_insn *i)
{
	u8 op = i->opcode, reg = i->modrm >> 3 & 7;

	if (i->map == EMUL_MAP_0F)
		return op >> 4 == 8;
	return i->map == EMUL_MAP_1B &&
	       (op >> 4 == 7 || (op >= 0xe0 && op <= 0xe3) || op == 0xe8 || op == 0xe9 || op == 0xeb ||
		op == 0xc2 || op == 0xc3 || (op == 0xff && (reg == 2 || reg == 4)));
}

/* See the head of this file. */
static bool left_out(const struct emul_insn *i)
{
	u8 op = i->opcode, reg = i->modrm >> 3 & 7;

	if (i->seg_override && i->seg >= EMUL_FS)
		return true;
	/* Near branches with 66: AMD truncates RIP in 64-bit code, Intel knows no such size. */
	if (mode64 && i->opsize && near_branch(i))
		return true;
	if (i->map == EMUL_MAP_1B) {
		/* AMD takes the condition of LOOPcc from a REP prefix; no manual has it. */
		if ((op == 0xe0 || op == 0xe1) && i->rep)
			return true;
		/* Far pointers of 10 bytes are Intel's; AMD ignores REX.W. */
		if (op == 0xff && i->rex & 8 && (reg == 3 || reg == 5))
			return true;
		if (op == 0x8e)
			return reg == 2 || reg >= 4;
		if (op == 0x17 || (op >= 0xcc && op <= 0xce) || op == 0xf1 || op == 0x63)
			return op != 0x63 || !mode64;	/* ARPL asks nobody, but MOVSXD shares its byte */
		return op == 0x9b;
	}
	if (i->map != EMUL_MAP_0F)
		return false;
	switch (op) {
	case 0x00 ... 0x03:
	case 0x05:
	case 0x07:
	case 0x31:
	case 0x33:
	case 0x34:
	case 0x35:
	case 0xa1:
	case 0xa2:
	case 0xa9:
	case 0xb2:
	case 0xb4:
	case 0xb5:
		return true;
	case 0xae:
		return reg < 2 || i->mod == 3;
	case 0xc7:
	case 0x0d:		/* PREFETCH of a register: a NOP, or #UD on AMD */
		return i->mod == 3;
	default:
		return false;
	}
}

/* Flags that the manuals leave undefined, of an instruction that was executed. */
static u32 undefined(const struct emul_insn *i, u8 cl)
{
	u8 op = i->opcode, reg = i->modrm >> 3 & 7;
	bool byte = !(op & 1);
	u32 n, width;

	if (i->map == EMUL_MAP_0F) {
		switch (op) {
		case 0xa3:
		case 0xab:
		case 0xb3:
		case 0xbb:
		case 0xba:
			return OF | SF | AF | PF;
		case 0xa4:
		case 0xa5:
		case 0xac:
		case 0xad:
			n = (op & 1 ? cl : i->imm) & (i->op_bytes == 8 ? 63 : 31);
			return n == 0 ? 0 : n == 1 ? AF : AF | OF;
		case 0xaf:
			return SF | ZF | AF | PF;
		case 0xbc:
		case 0xbd:
			return i->rep == 0xf3 ? OF | SF | AF | PF : ALL & ~ZF;
		}
		return 0;
	}
	if (i->map != EMUL_MAP_1B)
		return 0;
	switch (op) {
	case 0x08 ... 0x0d:
	case 0x20 ... 0x25:
	case 0x30 ... 0x35:
	case 0x84:
	case 0x85:
	case 0xa8:
	case 0xa9:
		return AF;
	case 0x80 ... 0x83:
		return reg == 1 || reg == 4 || reg == 6 ? AF : 0;
	case 0x27:
	case 0x2f:
		return OF;
	case 0x37:
	case 0x3f:
		return OF | SF | ZF | PF;
	case 0xd4:
	case 0xd5:
		return OF | AF | CF;
	case 0x69:
	case 0x6b:
		return SF | ZF | AF | PF;
	case 0xf6:
	case 0xf7:
		return reg < 2 ? AF : reg == 4 || reg == 5 ? SF | ZF | AF | PF : reg > 5 ? ALL : 0;
	case 0xc0:
	case 0xc1:
	case 0xd0 ... 0xd3:
		width = byte ? 8 : i->op_bytes * 8;
		n = (op < 0xd0 ? i->imm : op < 0xd2 ? 1 : cl) & (width == 64 ? 63 : 31);
		if (!n)
			return 0;
		return (n != 1 ? OF : 0) | (reg >= 4 ? AF : 0) | (reg >= 4 && n >= width ? CF : 0);
	}
	return 0;
}

/* Destinations that the manuals leave undefined. */
static bool undefined_result(const struct emul_insn *i, u8 cl)
{
	if (i->map != EMUL_MAP_0F)
		return false;
	/* SHLD and SHRD of 16 bits by more than 16. */
	if ((i->opcode & 0xf6) == 0xa4 && i->op_bytes == 2)
		return ((i->opcode & 1 ? cl : i->imm) & 31) > 16;
	/* BSWAP of 16 bits. */
	return i->opcode >= 0xc8 && i->opcode <= 0xcf && i->op_bytes == 2;
}

/* ---- natively ---- */

static struct outcome start, cpu;
static ucontext_t home;
static u8 home_fp[8192];
static size_t fp_size;
static volatile bool running;
static bool repeats;
static u32 steps;

static const int greg[16] = {
	REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI, REG_R8, REG_R9, REG_R10,
	REG_R11, REG_R12, REG_R13, REG_R14, REG_R15,
};

static u8 *ymm_high(ucontext_t *uc, int n)
{
	return (u8 *)uc->uc_mcontext.fpregs + 576 + 16 * n;
}

static void load(ucontext_t *uc)
{
	struct _libc_fpstate *fp = uc->uc_mcontext.fpregs;
	int i;

	for (i = 0; i < 16; i++) {
		uc->uc_mcontext.gregs[greg[i]] = start.gpr[i];
		memcpy(&fp->_xmm[i], start.vec[i], 16);
		if (have_ymm)
			memcpy(ymm_high(uc, i), start.vec[i] + 16, 16);
	}
	for (i = 0; i < 8; i++)
		memcpy(&fp->_st[i], &start.mmx[i], 8);
	if (have_ymm)
		*(u64 *)((u8 *)fp + 512) |= 7;
	uc->uc_mcontext.gregs[REG_RIP] = start.rip;
	uc->uc_mcontext.gregs[REG_EFL] = start.flags;
	uc->uc_mcontext.gregs[REG_CSGSFS] = (uc->uc_mcontext.gregs[REG_CSGSFS] & ~0xffffll) | start.cs;
}

static void save(ucontext_t *uc)
{
	struct _libc_fpstate *fp = uc->uc_mcontext.fpregs;
	int i;

	for (i = 0; i < 16; i++) {
		cpu.gpr[i] = uc->uc_mcontext.gregs[greg[i]];
		memcpy(cpu.vec[i], &fp->_xmm[i], 16);
		if (have_ymm && *(u64 *)((u8 *)fp + 512) & 4)
			memcpy(cpu.vec[i] + 16, ymm_high(uc, i), 16);
		else
			memset(cpu.vec[i] + 16, 0, 16);
	}
	for (i = 0; i < 8; i++)
		memcpy(&cpu.mmx[i], &fp->_st[i], 8);
	cpu.rip = uc->uc_mcontext.gregs[REG_RIP];
	cpu.flags = uc->uc_mcontext.gregs[REG_EFL];
	cpu.cs = uc->uc_mcontext.gregs[REG_CSGSFS];
}

static void on_signal(int sig, siginfo_t *info, void *p)
{
	ucontext_t *uc = p;
	u32 trap = uc->uc_mcontext.gregs[REG_TRAPNO];

	if (sig == SIGUSR1) {		/* on the way out */
		home = *uc;
		memcpy(home_fp, uc->uc_mcontext.fpregs, fp_size);
		load(uc);
		running = true;
		return;
	}
	/* A fault of our own. */
	if (!running) {
		signal(sig, SIG_DFL);
		return;
	}
	save(uc);
	/* An iteration of a string instruction is a step too. */
	if (trap == 1 && repeats && cpu.rip == start.rip && ++steps < 70000)
		return;
	cpu.fault = trap != 1 && trap != 3;
	cpu.vector = trap;
	cpu.error = uc->uc_mcontext.gregs[REG_ERR];
	cpu.cr2 = uc->uc_mcontext.gregs[REG_CR2];
	if (trap == 3)		/* the step was lost: IRET and POPF took TF away */
		cpu.rip--;
	memcpy(uc->uc_mcontext.gregs, home.uc_mcontext.gregs, sizeof(home.uc_mcontext.gregs));
	memcpy(uc->uc_mcontext.fpregs, home_fp, fp_size);
	running = false;
}

static void run_native(void)
{
	steps = 0;
	memset(&cpu, 0, sizeof(cpu));
	__asm__ volatile("mov %0, %%ds; mov %0, %%es" : : "r" (USER_DS));
	syscall(SYS_kill, getpid(), SIGUSR1);
	__asm__ volatile("mov %0, %%ds; mov %0, %%es" : : "r" (0));
}

/* ---- emulated ---- */

/* What Linux has in its GDT for every process, and no LDT. */
static void put_gdt(void)
{
	static const u64 gdt[] = {
		0, 0x00cf9b000000ffff, 0x00af9b000000ffff, 0x00cf93000000ffff, 0x00cffb000000ffff,
		0x00cff3000000ffff, 0x00affb000000ffff,
	};

	guest_put(g, 0x80000, gdt, sizeof(gdt));
	g->gdt = (struct emul_dt){ .base = 0x80000, .limit = 127 };
}

static bool is_string(const struct emul_insn *i)
{
	return i->map == EMUL_MAP_1B && ((i->opcode >= 0xa4 && i->opcode <= 0xa7) ||
					 (i->opcode >= 0xaa && i->opcode <= 0xaf));
}

static int run_emulated(void)
{
	u32 i, n;
	int ret;

	guest_reset(g, mode64 ? EMUL_PROT64 : EMUL_PROT32, 3);
	for (i = 0; i < G_PAGES; i++)
		g->pt[i].present = i >= AREA / PAGE && i < AREA / PAGE + PAGES && i != HOLE / PAGE;
	g->pt[RDONLY / PAGE].writable = false;
	/* For the CPU itself, as the kernel's: no user may touch it. */
	g->pt[0x80].present = true;
	g->pt[0x80].user = false;
	put_gdt();
	guest_put(g, AREA, image, SIZE);
	memcpy(g->regs.gpr, start.gpr, sizeof(start.gpr));
	memcpy(g->vec, start.vec, sizeof(start.vec));
	memcpy(g->mmx, start.mmx, sizeof(start.mmx));
	g->regs.rflags = start.flags;
	g->regs.rip = start.rip;
	for (i = 0; i < EMUL_NR_SEGS; i++)
		if (i == EMUL_CS)
			g->seg[i].sel = start.cs;
		else if (i == EMUL_DS || i == EMUL_ES || i == EMUL_SS)
			g->seg[i].sel = USER_DS;
		else if (i == EMUL_FS || i == EMUL_GS)
			g->seg[i] = (struct emul_seg){ .ar = EMUL_AR_UNUSABLE };
	/* REP commits what it has done, and goes on when it is entered again. */
	for (n = 0; n < 70000; n++) {
		ret = guest_go(g);
		if (ret != EMUL_OK || !g->c.insn.rep || !is_string(&g->c.insn) ||
		    g->regs.rip != start.rip)
			break;
	}
	return ret;
}

/* ---- the comparison ---- */

static bool is_far_call(const struct emul_insn *i)
{
	return i->map == EMUL_MAP_1B &&
	       (i->opcode == 0x9a || (i->opcode == 0xff && (i->modrm >> 3 & 7) == 3));
}

/* In which order the words of a far frame are written, read, and its selectors checked. */
static bool order_is_free(const struct emul_insn *i)
{
	return is_far_call(i) || (i->map == EMUL_MAP_1B && (i->opcode == 0xca || i->opcode == 0xcb ||
							    i->opcode == 0xcf));
}

static void dump(void)
{
	u32 i;

	printf("# %u bits:", mode64 ? 64 : 32);
	for (i = 0; i < g->c.insn.len || i < 6; i++)
		printf(" %02x", code[i]);
	printf("  flags %llx", (unsigned long long)start.flags);
	for (i = 0; i < 16; i++)
		printf(" %llx", (unsigned long long)start.gpr[i]);
	printf("\n");
}

static bool same_fault(int ret)
{
	const struct emul_exception *e = &g->c.exc;

	if (!ok(cpu.fault == (ret == EMUL_FAULT), "the CPU: %s %u, emulated: %d %u",
		cpu.fault ? "fault" : "fine", cpu.vector, ret, e->vector))
		return false;
	if (!cpu.fault)
		return true;
	if ((cpu.vector == 14 || e->vector == 14) && order_is_free(&g->c.insn))
		return true;
	/* CALL to a target that is not canonical, with no stack to push to. */
	if (cpu.vector == 14 && e->vector == 13 && near_branch(&g->c.insn))
		return true;
	/* Neither canonical nor aligned: no manual says which of the two comes first. */
	if (e->vector == 12 && cpu.vector == 13 && g->c.insn.map != EMUL_MAP_1B)
		return true;
	return ok(e->vector == cpu.vector, "vector %u, the CPU has %u", e->vector, cpu.vector) &&
	       ok(!e->has_error || e->error == cpu.error, "vector %u error %x, the CPU has %x",
		  e->vector, e->error, cpu.error) &&
	       ok(e->vector != 14 || e->cr2 == cpu.cr2, "CR2 %llx, the CPU has %llx",
		  (unsigned long long)e->cr2, (unsigned long long)cpu.cr2);
}

static bool same_state(u32 undef, bool fault)
{
	u64 mask = mode64 ? ~0ull : 0xffffffff;
	u32 i, n = mode64 ? 16 : 8;
	bool good = true;

	/* POPA that faults half way has loaded some registers on AMD; it is restarted anyway. */
	if (fault && g->c.insn.map == EMUL_MAP_1B && g->c.insn.opcode == 0x61)
		n = 0;
	for (i = 0; i < n; i++)
		good &= ok(!((g->regs.gpr[i] ^ cpu.gpr[i]) & mask), "register %u: %llx, the CPU has %llx",
			   i, (unsigned long long)g->regs.gpr[i], (unsigned long long)cpu.gpr[i]);
	good &= ok(!((g->regs.rflags ^ cpu.flags) & (ALL | DF) & ~undef),
		   "flags %llx, the CPU has %llx, undefined %x", (unsigned long long)g->regs.rflags,
		   (unsigned long long)cpu.flags, undef);
	good &= ok(g->regs.rip == cpu.rip, "RIP %llx, the CPU has %llx",
		   (unsigned long long)g->regs.rip, (unsigned long long)cpu.rip);
	good &= ok(g->seg[EMUL_CS].sel == cpu.cs, "CS %x, the CPU has %x", g->seg[EMUL_CS].sel, cpu.cs);
	for (i = 0; i < n; i++)
		good &= ok(!memcmp(g->vec[i], cpu.vec[i], have_ymm ? 32 : 16), "vector register %u", i);
	good &= ok(!memcmp(g->mmx, cpu.mmx, sizeof(cpu.mmx)), "MMX");
	/* A far CALL that faults may have pushed already: RSP says that nothing happened. */
	if (fault && is_far_call(&g->c.insn))
		return good;
	good &= ok(!memcmp(g->ram + AREA, (void *)(u64)AREA, HOLE - AREA) &&
		   !memcmp(g->ram + HOLE + PAGE, (void *)(u64)(HOLE + PAGE), PAGE), "memory");
	return good;
}

/* True if the pair may be compared: both stay in the sandbox. */
static bool comparable(int ret)
{
	const struct emul_insn *i = &g->c.insn;
	u64 kept = 0x244000;		/* AC, NT and ID would stay with us */

	if (!i->op || ret == EMUL_UNHANDLEABLE || ret > EMUL_UNHANDLEABLE || left_out(i))
		return false;
	if (ret == EMUL_FAULT && g->c.exc.vector == 14 &&
	    (g->c.exc.cr2 < AREA || g->c.exc.cr2 >= AREA + SIZE))
		return false;
	if (ret == EMUL_OK && g->regs.rflags & kept)
		return false;
	/* Code that overwrites itself: what was prefetched is the CPU's own business. */
	if (memcmp(g->ram + N_CODE, code, sizeof(code)))
		return false;
	return !undefined_result(i, start.gpr[EMUL_RCX]);
}

static u32 compared, faults, seen_1b[256], seen_0f[256];

/* A frame to return to, of one width or another. */
static void make_frame(void)
{
	static const u16 sels[] = { USER_CS, USER32_CS, USER_CS, USER32_CS, USER_DS, 0, 0x10, 0x1b };
	u64 frame[5] = {
		N_CODE + 0x200 + (rnd() & 63), sels[rnd() % 8], 0x202 | (rnd() & ALL),
		N_STACK + (rnd() & 0x78), rnd() % 8 ? USER_DS : sels[rnd() % 8],
	};
	u32 width = rnd() % 3 ? (mode64 ? 8 : 4) : (rnd() & 1 ? 4 : 2), i;
	u64 sp = start.gpr[EMUL_RSP] - AREA;

	for (i = 0; i < 5 && sp >= PAGE && sp < RDONLY - AREA - 64; i++)
		memcpy(image + sp + i * width, &frame[i], width);
}

static void one(void)
{
	u32 i, undef;
	int ret;

	make_insn();
	for (i = 0; i < 16; i++)
		start.gpr[i] = mode64 ? value() : (u32)value();
	start.gpr[EMUL_RSP] = rnd() % 12 ? N_STACK + (rnd() & 0xf8) : start.gpr[EMUL_RSP];
	if (rnd() & 1)
		start.gpr[EMUL_RCX] = rnd() % 70;
	start.flags = 0x202 | TF | (rnd() & (ALL | DF));
	start.rip = N_CODE;
	start.cs = mode64 ? USER_CS : USER32_CS;
	for (i = 0; i < sizeof(start.vec); i += 8)
		*(u64 *)&start.vec[i / 32][i % 32] = have_ymm || i % 32 < 16 ? rnd() : 0;
	for (i = 0; i < 8; i++)
		start.mmx[i] = rnd();
	for (i = 0; i < 64; i++)
		*(u64 *)(image + PAGE + (rnd() % (12 * PAGE) & ~7u)) = value();
	make_frame();
	memset(image, 0xcc, PAGE);
	memcpy(image + N_CODE - AREA, code, sizeof(code));

	ret = run_emulated();
	if (!comparable(ret))
		return;
	memcpy((void *)(u64)AREA, image, RDONLY - AREA);
	memcpy((void *)(u64)(AREA + 15 * PAGE), image + 15 * PAGE, PAGE);
	repeats = g->c.insn.rep && is_string(&g->c.insn);
	undef = ret == EMUL_OK ? undefined(&g->c.insn, start.gpr[EMUL_RCX]) : 0;
	run_native();
	if (cpu.vector == 17)		/* the host forbids split locks */
		return;
	compared++;
	faults += cpu.fault;
	if (g->c.insn.map == EMUL_MAP_1B)
		seen_1b[g->c.insn.opcode] += !cpu.fault;
	if (g->c.insn.map == EMUL_MAP_0F)
		seen_0f[g->c.insn.opcode] += !cpu.fault;
	if (!same_fault(ret) || !same_state(undef, ret == EMUL_FAULT))
		dump();
}

static bool sandbox(void)
{
	static const int sigs[] = { SIGUSR1, SIGTRAP, SIGSEGV, SIGILL, SIGFPE, SIGBUS };
	struct sigaction sa = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_ONSTACK };
	stack_t ss = { .ss_size = 1 << 18 };
	u32 a, b, c, d, i;
	void *p = mmap((void *)(u64)AREA, SIZE, PROT_READ | PROT_WRITE | PROT_EXEC,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	if (p != (void *)(u64)AREA)
		return false;
	for (i = 0; i < SIZE; i += 8)
		*(u64 *)(image + i) = value();
	memset(image + HOLE - AREA, 0, PAGE);
	memcpy(p, image, SIZE);
	memset((void *)(u64)HOLE, 0, PAGE);
	mprotect((void *)(u64)RDONLY, PAGE, PROT_READ | PROT_EXEC);
	mprotect((void *)(u64)HOLE, PAGE, PROT_NONE);
	have_ymm = __builtin_cpu_supports("avx");
	fp_size = 512;
	if (have_ymm && __get_cpuid_count(13, 0, &a, &b, &c, &d))
		fp_size = 832;
	ss.ss_sp = malloc(ss.ss_size);
	sigaltstack(&ss, NULL);
	sigfillset(&sa.sa_mask);
	for (i = 0; i < ARRAY_SIZE(sigs); i++) {
		sigdelset(&sa.sa_mask, sigs[i]);
		sigaction(sigs[i], &sa, NULL);
	}
	return true;
}

static u32 count(const u32 *seen)
{
	u32 i, n = 0;

	for (i = 0; i < 256; i++)
		n += !!seen[i];
	return n;
}

int main(void)
{
	const char *env = getenv("STEP_ROUNDS");
	u32 rounds = env ? atoi(env) : 25000, i;

	__builtin_cpu_init();
	if (!__builtin_cpu_is("amd")) {
		printf("1..0 # SKIP where the manuals leave a choice, only AMD's is known here\n");
		return UNIT_SKIP;
	}
	g = guest_new();
	if (!sandbox()) {
		printf("1..0 # SKIP no memory at %x\n", AREA);
		return UNIT_SKIP;
	}
	for (mode64 = true;; mode64 = false) {
		unit_case(mode64 ? "64-bit code" : "32-bit code");
		compared = faults = 0;
		memset(seen_1b, 0, sizeof(seen_1b));
		memset(seen_0f, 0, sizeof(seen_0f));
		for (i = 0; i < rounds; i++)
			one();
		printf("# %u instructions compared, %u faulted; %u one-byte and %u two-byte opcodes ran\n",
		       compared, faults, count(seen_1b), count(seen_0f));
		ok(compared > rounds / 8, "most were not comparable: %u", compared);
		if (!mode64)
			break;
	}
	guest_free(g);
	return unit_done();
}
