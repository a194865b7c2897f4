// SPDX-License-Identifier: GPL-2.0-only
/*
 * Differential test: the same bytes on the real CPU and in the emulator, with random
 * registers, flags and memory, for instructions that need no privilege. Flags that the
 * manuals leave undefined are not compared.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include "guest.h"
#include "../unit.h"

#define AREA		0x20000ul	/* the same linear addresses natively and emulated */
#define AREA_SIZE	0x40000ul
#define N_CODE		(AREA + 0x1000)
#define N_STACK		(AREA + 0x9000)
#define N_DATA		(AREA + 0x20000)
#define N_MID		(N_DATA + 0x8000)
#define DATA_SIZE	0x10000u

#define CF 1u
#define PF 4u
#define AF 0x10u
#define ZF 0x40u
#define SF 0x80u
#define DF 0x400u
#define OF 0x800u
#define ALL (CF | PF | AF | ZF | SF | OF)

/* Named from the assembly below. Order: the hardware's. */
u64 nat_gpr[16], nat_flags, nat_host_sp, nat_target;
void nat_run(void);
void nat_back(void);

asm(".text\n"
    ".globl nat_run\n"
    "nat_run:\n"
    "	push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15\n"
    "	mov %rsp, nat_host_sp(%rip)\n"
    "	pushq nat_flags(%rip)\n"
    "	mov nat_gpr+0(%rip), %rax; mov nat_gpr+8(%rip), %rcx\n"
    "	mov nat_gpr+16(%rip), %rdx; mov nat_gpr+24(%rip), %rbx\n"
    "	mov nat_gpr+40(%rip), %rbp; mov nat_gpr+48(%rip), %rsi\n"
    "	mov nat_gpr+56(%rip), %rdi; mov nat_gpr+64(%rip), %r8\n"
    "	mov nat_gpr+72(%rip), %r9; mov nat_gpr+80(%rip), %r10\n"
    "	mov nat_gpr+88(%rip), %r11; mov nat_gpr+96(%rip), %r12\n"
    "	mov nat_gpr+104(%rip), %r13; mov nat_gpr+112(%rip), %r14\n"
    "	mov nat_gpr+120(%rip), %r15\n"
    "	popfq\n"
    "	mov nat_gpr+32(%rip), %rsp\n"
    "	jmp *nat_target(%rip)\n"
    ".globl nat_back\n"
    "nat_back:\n"
    "	mov %rsp, nat_gpr+32(%rip)\n"
    "	mov nat_host_sp(%rip), %rsp\n"
    "	pushfq; popq nat_flags(%rip)\n"
    "	cld\n"
    "	mov %rax, nat_gpr+0(%rip); mov %rcx, nat_gpr+8(%rip)\n"
    "	mov %rdx, nat_gpr+16(%rip); mov %rbx, nat_gpr+24(%rip)\n"
    "	mov %rbp, nat_gpr+40(%rip); mov %rsi, nat_gpr+48(%rip)\n"
    "	mov %rdi, nat_gpr+56(%rip); mov %r8, nat_gpr+64(%rip)\n"
    "	mov %r9, nat_gpr+72(%rip); mov %r10, nat_gpr+80(%rip)\n"
    "	mov %r11, nat_gpr+88(%rip); mov %r12, nat_gpr+96(%rip)\n"
    "	mov %r13, nat_gpr+104(%rip); mov %r14, nat_gpr+112(%rip)\n"
    "	mov %r15, nat_gpr+120(%rip)\n"
    "	pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx\n"
    "	ret\n");

enum {
	M = 1,			/* has ModRM */
	MEMONLY = 2,
	IB = 8, IZ = 16,	/* immediates */
	SMALL = 32,		/* small register values: bit offsets */
	LOCKABLE = 64,
	NO66 = 128,
	STR = 256,		/* RSI, RDI, RCX set up for a string instruction */
	STACKOP = 512,		/* SP points to the stack area */
	NOW = 1024,		/* no REX.W */
	DIVIDE = 2048,
	COUNT1 = 4096,		/* OF only compared for a masked count of 1 in CL or imm */
};

struct insn {
	const char *name;
	u8 op[4];
	u8 n;			/* bytes of op */
	s8 reg;			/* ModRM reg, or -1: any */
	u32 flags;
	u32 undef;		/* undefined flags */
};

#define ALU(nm, base)							\
	{ nm " rm8,r8", { base }, 1, -1, M | LOCKABLE, 0 },		\
	{ nm " rm,r", { base + 1 }, 1, -1, M | LOCKABLE, 0 },		\
	{ nm " r8,rm8", { base + 2 }, 1, -1, M, 0 },			\
	{ nm " r,rm", { base + 3 }, 1, -1, M, 0 },			\
	{ nm " al,ib", { base + 4 }, 1, -1, IB, 0 },			\
	{ nm " ax,iz", { base + 5 }, 1, -1, IZ, 0 },			\
	{ nm " rm8,ib", { 0x80 }, 1, base >> 3, M | IB | LOCKABLE, 0 },	\
	{ nm " rm,iz", { 0x81 }, 1, base >> 3, M | IZ | LOCKABLE, 0 },	\
	{ nm " rm,ib", { 0x83 }, 1, base >> 3, M | IB | LOCKABLE, 0 }
#define LOGIC(nm, base)							\
	{ nm " rm8,r8", { base }, 1, -1, M | LOCKABLE, AF },		\
	{ nm " rm,r", { base + 1 }, 1, -1, M | LOCKABLE, AF },		\
	{ nm " r,rm", { base + 3 }, 1, -1, M, AF },			\
	{ nm " ax,iz", { base + 5 }, 1, -1, IZ, AF },			\
	{ nm " rm,ib", { 0x83 }, 1, base >> 3, M | IB | LOCKABLE, AF }
#define SHIFT(nm, r, undef)						\
	{ nm " rm8,1", { 0xd0 }, 1, r, M, undef },			\
	{ nm " rm,1", { 0xd1 }, 1, r, M, undef },			\
	{ nm " rm8,cl", { 0xd2 }, 1, r, M | COUNT1, undef },		\
	{ nm " rm,cl", { 0xd3 }, 1, r, M | COUNT1, undef },		\
	{ nm " rm8,ib", { 0xc0 }, 1, r, M | IB | COUNT1, undef },	\
	{ nm " rm,ib", { 0xc1 }, 1, r, M | IB | COUNT1, undef }
#define CC(nm, i)							\
	{ "set" nm, { 0x0f, 0x90 + i }, 2, -1, M, 0 },			\
	{ "cmov" nm, { 0x0f, 0x40 + i }, 2, -1, M, 0 }

static const struct insn insns[] = {
	ALU("add", 0x00), ALU("adc", 0x10), ALU("sbb", 0x18), ALU("sub", 0x28),
	LOGIC("or", 0x08), LOGIC("and", 0x20), LOGIC("xor", 0x30),
	{ "cmp rm,r", { 0x39 }, 1, -1, M, 0 }, { "cmp r,rm", { 0x3b }, 1, -1, M, 0 },
	{ "cmp rm8,r8", { 0x38 }, 1, -1, M, 0 }, { "cmp rm,ib", { 0x83 }, 1, 7, M | IB, 0 },
	{ "test rm8,r8", { 0x84 }, 1, -1, M, AF }, { "test rm,r", { 0x85 }, 1, -1, M, AF },
	{ "test rm8,ib", { 0xf6 }, 1, 0, M | IB, AF }, { "test rm,iz", { 0xf7 }, 1, 1, M | IZ, AF },
	{ "test al", { 0xa8 }, 1, -1, IB, AF }, { "test ax", { 0xa9 }, 1, -1, IZ, AF },
	SHIFT("rol", 0, 0), SHIFT("ror", 1, 0), SHIFT("rcl", 2, 0), SHIFT("rcr", 3, 0),
	SHIFT("shl", 4, AF), SHIFT("shr", 5, AF), SHIFT("sar", 7, AF),
	{ "shld ib", { 0x0f, 0xa4 }, 2, -1, M | IB | COUNT1 | NO66, AF },
	{ "shld cl", { 0x0f, 0xa5 }, 2, -1, M | COUNT1 | NO66, AF },
	{ "shrd ib", { 0x0f, 0xac }, 2, -1, M | IB | COUNT1 | NO66, AF },
	{ "shrd cl", { 0x0f, 0xad }, 2, -1, M | COUNT1 | NO66, AF },
	{ "inc8", { 0xfe }, 1, 0, M | LOCKABLE, 0 }, { "inc", { 0xff }, 1, 0, M | LOCKABLE, 0 },
	{ "dec8", { 0xfe }, 1, 1, M | LOCKABLE, 0 }, { "dec", { 0xff }, 1, 1, M | LOCKABLE, 0 },
	{ "not8", { 0xf6 }, 1, 2, M | LOCKABLE, 0 }, { "not", { 0xf7 }, 1, 2, M | LOCKABLE, 0 },
	{ "neg8", { 0xf6 }, 1, 3, M | LOCKABLE, 0 }, { "neg", { 0xf7 }, 1, 3, M | LOCKABLE, 0 },
	{ "mul8", { 0xf6 }, 1, 4, M, SF | ZF | AF | PF }, { "mul", { 0xf7 }, 1, 4, M,
	  SF | ZF | AF | PF },
	{ "imul8", { 0xf6 }, 1, 5, M, SF | ZF | AF | PF }, { "imul", { 0xf7 }, 1, 5, M,
	  SF | ZF | AF | PF },
	{ "div8", { 0xf6 }, 1, 6, M | DIVIDE, ALL }, { "div", { 0xf7 }, 1, 6, M | DIVIDE, ALL },
	{ "idiv8", { 0xf6 }, 1, 7, M | DIVIDE, ALL }, { "idiv", { 0xf7 }, 1, 7, M | DIVIDE, ALL },
	{ "imul2", { 0x0f, 0xaf }, 2, -1, M, SF | ZF | AF | PF },
	{ "imul3 ib", { 0x6b }, 1, -1, M | IB, SF | ZF | AF | PF },
	{ "imul3 iz", { 0x69 }, 1, -1, M | IZ, SF | ZF | AF | PF },
	{ "mov rm8,r8", { 0x88 }, 1, -1, M, 0 }, { "mov rm,r", { 0x89 }, 1, -1, M, 0 },
	{ "mov r8,rm8", { 0x8a }, 1, -1, M, 0 }, { "mov r,rm", { 0x8b }, 1, -1, M, 0 },
	{ "mov rm8,ib", { 0xc6 }, 1, 0, M | IB, 0 }, { "mov rm,iz", { 0xc7 }, 1, 0, M | IZ, 0 },
	{ "mov r8,ib", { 0xb3 }, 1, -1, IB, 0 }, { "mov ah,ib", { 0xb4 }, 1, -1, IB, 0 },
	{ "xchg8", { 0x86 }, 1, -1, M | LOCKABLE, 0 }, { "xchg", { 0x87 }, 1, -1, M | LOCKABLE, 0 },
	{ "nop/xchg", { 0x90 }, 1, -1, 0, 0 }, { "xchg ax,dx", { 0x92 }, 1, -1, 0, 0 },
	{ "movzx8", { 0x0f, 0xb6 }, 2, -1, M, 0 }, { "movzx16", { 0x0f, 0xb7 }, 2, -1, M, 0 },
	{ "movsx8", { 0x0f, 0xbe }, 2, -1, M, 0 }, { "movsx16", { 0x0f, 0xbf }, 2, -1, M, 0 },
	{ "movsxd", { 0x63 }, 1, -1, M | NO66, 0 }, { "lea", { 0x8d }, 1, -1, M | MEMONLY, 0 },
	{ "bt r", { 0x0f, 0xa3 }, 2, -1, M | SMALL, OF | SF | AF | PF },
	{ "bts r", { 0x0f, 0xab }, 2, -1, M | SMALL | LOCKABLE, OF | SF | AF | PF },
	{ "btr r", { 0x0f, 0xb3 }, 2, -1, M | SMALL | LOCKABLE, OF | SF | AF | PF },
	{ "btc r", { 0x0f, 0xbb }, 2, -1, M | SMALL | LOCKABLE, OF | SF | AF | PF },
	{ "bt ib", { 0x0f, 0xba }, 2, 4, M | IB, OF | SF | AF | PF },
	{ "bts ib", { 0x0f, 0xba }, 2, 5, M | IB | LOCKABLE, OF | SF | AF | PF },
	{ "btr ib", { 0x0f, 0xba }, 2, 6, M | IB | LOCKABLE, OF | SF | AF | PF },
	{ "btc ib", { 0x0f, 0xba }, 2, 7, M | IB | LOCKABLE, OF | SF | AF | PF },
	{ "bsf", { 0x0f, 0xbc }, 2, -1, M, ALL & ~ZF }, { "bsr", { 0x0f, 0xbd }, 2, -1, M,
	  ALL & ~ZF },
	{ "bswap", { 0x0f, 0xcb }, 2, -1, NO66, 0 },
	{ "xadd8", { 0x0f, 0xc0 }, 2, -1, M | LOCKABLE, 0 }, { "xadd", { 0x0f, 0xc1 }, 2, -1,
	  M | LOCKABLE, 0 },
	{ "cmpxchg8", { 0x0f, 0xb0 }, 2, -1, M | LOCKABLE, 0 },
	{ "cmpxchg", { 0x0f, 0xb1 }, 2, -1, M | LOCKABLE, 0 },
	{ "cmpxchg8b", { 0x0f, 0xc7 }, 2, 1, M | MEMONLY | NO66 | NOW | LOCKABLE, 0 },
	{ "cbw", { 0x98 }, 1, -1, 0, 0 }, { "cwd", { 0x99 }, 1, -1, 0, 0 },
	{ "lahf", { 0x9f }, 1, -1, 0, 0 }, { "sahf", { 0x9e }, 1, -1, 0, 0 },
	{ "clc", { 0xf8 }, 1, -1, 0, 0 }, { "stc", { 0xf9 }, 1, -1, 0, 0 }, { "cmc", { 0xf5 }, 1,
	  -1, 0, 0 },
	{ "cld", { 0xfc }, 1, -1, 0, 0 }, { "std", { 0xfd }, 1, -1, 0, 0 },
	{ "movs8", { 0xa4 }, 1, -1, STR, 0 }, { "movs", { 0xa5 }, 1, -1, STR, 0 },
	{ "cmps8", { 0xa6 }, 1, -1, STR, 0 }, { "cmps", { 0xa7 }, 1, -1, STR, 0 },
	{ "stos8", { 0xaa }, 1, -1, STR, 0 }, { "stos", { 0xab }, 1, -1, STR, 0 },
	{ "lods8", { 0xac }, 1, -1, STR, 0 }, { "lods", { 0xad }, 1, -1, STR, 0 },
	{ "scas8", { 0xae }, 1, -1, STR, 0 }, { "scas", { 0xaf }, 1, -1, STR, 0 },
	{ "push r", { 0x53 }, 1, -1, STACKOP, 0 }, { "push rsp", { 0x54 }, 1, -1, STACKOP | NO66,
	  0 },
	{ "pop r", { 0x5b }, 1, -1, STACKOP, 0 }, { "push ib", { 0x6a }, 1, -1, STACKOP | IB, 0 },
	{ "push iz", { 0x68 }, 1, -1, STACKOP | IZ, 0 }, { "push rm", { 0xff }, 1, 6, M | STACKOP,
	  0 },
	{ "pop rm", { 0x8f }, 1, 0, M | STACKOP, 0 }, { "pushf", { 0x9c }, 1, -1, STACKOP, 0 },
	{ "enter0", { 0xc8, 0x20, 0, 0 }, 4, -1, STACKOP | NO66, 0 },
	{ "enter1", { 0xc8, 0x20, 0, 1 }, 4, -1, STACKOP | NO66, 0 },
	CC("o", 0), CC("no", 1), CC("c", 2), CC("nc", 3), CC("z", 4), CC("nz", 5), CC("be", 6),
	CC("nbe", 7), CC("s", 8), CC("ns", 9), CC("p", 10), CC("np", 11), CC("l", 12), CC("nl", 13),
	CC("le", 14), CC("nle", 15),
};

static const struct insn feature_insns[] = {
	{ "popcnt", { 0xf3, 0x0f, 0xb8 }, 3, -1, M, 0 },
	{ "tzcnt", { 0xf3, 0x0f, 0xbc }, 3, -1, M, OF | SF | AF | PF },
	{ "lzcnt", { 0xf3, 0x0f, 0xbd }, 3, -1, M, OF | SF | AF | PF },
	{ "movbe r,m", { 0x0f, 0x38, 0xf0 }, 3, -1, M | MEMONLY, 0 },
	{ "movbe m,r", { 0x0f, 0x38, 0xf1 }, 3, -1, M | MEMONLY, 0 },
};

static u64 seed = 0x1234567;

static u64 rnd(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

/* Values where carries, signs and widths turn over are as likely as any other. */
static u64 value(void)
{
	static const u64 special[] = {
		0, 1, 2, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 0x7fffffff, 0x80000000,
		0xffffffff, 0x7fffffffffffffff, 0x8000000000000000, ~0ull, 0x0f, 0x10,
	};

	return rnd() & 1 ? rnd() : special[rnd() % ARRAY_SIZE(special)];
}

static sigjmp_buf fpe;

static void on_fpe(int sig)
{
	siglongjmp(fpe, 1);
}

static u8 code[32];
static u32 code_len;
static u64 start[16];
static u32 start_flags;

static void emit(u8 b)
{
	code[code_len++] = b;
}

/* A memory operand near N_MID in one of several encodings. */
static void emit_mem(u8 reg, u8 *rex)
{
	static const u8 bases[] = { 3, 6, 7, 9, 11, 14 };
	u8 b = bases[rnd() % sizeof(bases)], idx;
	u64 at = N_MID + rnd() % 64;
	s32 disp;

	reg &= 7;
	switch (rnd() % 3) {
	case 0:			/* [disp32] */
		emit(reg << 3 | 4);
		emit(0x25);
		disp = at;
		memcpy(code + code_len, &disp, 4);
		code_len += 4;
		break;
	case 1:			/* [base + disp8] */
		emit(0x40 | reg << 3 | (b & 7));
		disp = (s8)rnd();
		emit(disp);
		start[b] = at - disp;
		*rex |= b >> 3;
		break;
	default:		/* [base + index * scale + disp32] */
		idx = b == 3 ? 10 : 3;
		disp = (s16)rnd();
		start[idx] = rnd() & 0xff;
		start[b] = at - disp - (start[idx] << 2);
		emit(0x80 | reg << 3 | 4);
		emit(2 << 6 | (idx & 7) << 3 | (b & 7));
		memcpy(code + code_len, &disp, 4);
		code_len += 4;
		*rex |= b >> 3 | (idx >> 3) << 1;
		break;
	}
}

/* The REX bits that the address needs, in a prefix that is there or is squeezed in. Returns the REX. */
static u8 merge_rex(bool there, u8 at, u8 extra)
{
	if (there) {
		code[at] |= extra;
		return code[at];
	}
	for (at = 0; code[at] == 0x66 || code[at] == 0xf0 || code[at] == 0xf3 || code[at] == 0xf2; at++)
		;
	memmove(code + at + 1, code + at, code_len - at);
	code[at] = 0x40 | extra;
	code_len++;
	return code[at];
}

/* A prefix or none, and where it reads, writes, and how often. */
static void begin_string(void)
{
	u32 i = rnd() % 3;

	if (i)
		emit(i == 1 ? 0xf3 : 0xf2);
	start[6] = N_MID + (rnd() & 0x7f);
	start[7] = N_MID + 0x1000 + (rnd() & 0x7f);
	start[1] = rnd() % 40;
}

/* The flags that an instance of @t defines. code[] is complete. */
static u32 defined_flags(const struct insn *t, u8 rex, bool p66)
{
	u32 mask = (ALL | DF) & ~t->undef, cnt;

	if (!(t->flags & COUNT1))
		return mask;
	cnt = (t->flags & IB) ? code[code_len - 1] : start[1];
	cnt &= (rex & 8) ? 63 : 31;
	/* A count of zero changes no flags, not even undefined ones. */
	if (!cnt)
		return ALL | DF;
	if (cnt != 1)
		mask &= ~OF;
	/* CF is undefined when the count reaches the width (SHL and friends). */
	if (cnt >= 8 && !(t->op[0] & 1) && t->n == 1 && t->reg >= 4)
		mask &= ~CF;
	if (cnt >= 16 && p66 && !(rex & 8) && t->reg >= 4)
		mask &= ~CF;
	return mask;
}

/* Fills code[] and start[] for one random instance. Returns the mask of flags to compare. */
static u32 build(const struct insn *t)
{
	u8 rex = 0, reg = t->reg >= 0 ? (u8)t->reg : rnd() & 15, rm = rnd() & 15;
	u8 skip = 0, rex_at = 0;
	bool mem = (t->flags & M) && ((t->flags & MEMONLY) || (rnd() & 1)), p66, use_rex;
	u32 i, n;

	for (i = 0; i < 16; i++)
		start[i] = t->flags & SMALL ? rnd() & 0x3fff : value();
	/* DIV: quotients that fit, half of the time */
	if ((t->flags & DIVIDE) && (rnd() & 1))
		start[2] = (rnd() & 1) ? 0 : (s64)start[0] >> 63;
	start_flags = 0x202 | (rnd() & (ALL | ((t->flags & STR) ? DF : 0)));
	code_len = 0;
	p66 = !(t->flags & NO66) && rnd() % 4 == 0;
	if (p66)
		emit(0x66);
	if ((t->flags & LOCKABLE) && mem && (rnd() & 1))
		emit(0xf0);
	if (t->flags & STR)
		begin_string();
	if (t->n == 3 && t->op[0] == 0xf3) {
		emit(0xf3);
		skip = 1;
	}
	use_rex = rnd() & 1;
	if (use_rex) {
		rex = 0x40 | ((t->flags & NOW) ? 0 : (rnd() & 8));
		if (t->reg < 0)
			rex |= (reg >> 3) << 2;
		if ((t->flags & M) && !mem)
			rex |= rm >> 3;
		rex_at = code_len;
		emit(rex);
	}
	for (i = skip; i < t->n; i++)
		emit(t->op[i]);
	if (mem) {
		u8 extra = 0;

		emit_mem(reg, &extra);
		if (extra)
			rex = merge_rex(use_rex, rex_at, extra);
	} else if (t->flags & M) {
		emit(0xc0 | (reg & 7) << 3 | (rm & 7));
	}
	n = (rex & 8) || !p66 ? 4 : 2;
	if (t->flags & IB)
		emit(rnd());
	if (t->flags & IZ)
		for (i = 0; i < n; i++)
			emit(rnd() & 1 ? rnd() : 0xff * (rnd() & 1));
	if (t->flags & STACKOP)
		start[4] = N_STACK - 0x800 + (rnd() & 0xf8);
	if (t->flags & STACKOP && t->op[0] == 0xc8)
		start[5] = start[4] + 0x80;
	return defined_flags(t, rex, p66);
}

static u8 mem0[DATA_SIZE], mem1[DATA_SIZE];

/* True if the CPU raised #DE. */
static bool run_native(void)
{
	u8 *page = (u8 *)N_CODE;
	u64 back = (u64)nat_back;

	memcpy(page, code, code_len);
	memcpy(page + code_len, "\xff\x25\x00\x00\x00\x00", 6);
	memcpy(page + code_len + 6, &back, 8);
	memcpy(nat_gpr, start, sizeof(start));
	nat_flags = start_flags;
	nat_target = N_CODE;
	if (sigsetjmp(fpe, 1))
		return true;
	nat_run();
	return false;
}

static void dump(const struct insn *t)
{
	u32 i;

	printf("# %s:", t->name);
	for (i = 0; i < code_len; i++)
		printf(" %02x", code[i]);
	printf("  flags %x", start_flags);
	for (i = 0; i < 16; i++)
		printf(" %llx", (unsigned long long)start[i]);
	printf("\n");
}

static u8 stack0[0x2000];

static void one(struct guest *g, const struct insn *t)
{
	u32 mask = build(t), i;
	bool de, bad = false;
	int ret;

	for (i = 0; i < DATA_SIZE; i += 8) {
		u64 v = (i > 0x7f00 && i < 0x9200) ? value() : 0;

		memcpy(mem0 + i, &v, 8);
	}
	for (i = 0; i < sizeof(stack0); i++)
		stack0[i] = i * 7;
	memcpy((void *)N_DATA, mem0, DATA_SIZE);
	memcpy((void *)(N_STACK - 0x1000), stack0, sizeof(stack0));
	de = run_native();

	guest_reset(g, EMUL_PROT64, 3);
	memcpy(g->regs.gpr, start, sizeof(start));
	g->regs.rflags = start_flags;
	g->regs.rip = N_CODE;
	guest_put(g, N_DATA, mem0, DATA_SIZE);
	guest_put(g, N_STACK - 0x1000, stack0, sizeof(stack0));
	ret = guest_run(g, code, code_len);
	if (de) {
		if (!ok(ret == EMUL_FAULT && g->c.exc.vector == 0, "%s: no #DE (%d)", t->name, ret))
			dump(t);
		return;
	}
	if (!ok(ret == EMUL_OK, "%s: result %d vector %d", t->name, ret, g->c.exc.vector)) {
		dump(t);
		return;
	}
	for (i = 0; i < 16; i++)
		bad |= !ok(g->regs.gpr[i] == nat_gpr[i], "%s: gpr %u: %llx, CPU has %llx", t->name,
		   i,
			   (unsigned long long)g->regs.gpr[i], (unsigned long long)nat_gpr[i]);
	bad |= !ok(!((g->regs.rflags ^ nat_flags) & mask), "%s: flags %llx, CPU has %llx, mask %x",
		   t->name, (unsigned long long)g->regs.rflags, (unsigned long long)nat_flags,
		   mask);
	bad |= !ok(g->regs.rip == N_CODE + code_len, "%s: rip", t->name);
	guest_get(g, N_DATA, mem1, DATA_SIZE);
	bad |= !ok(!memcmp(mem1, (void *)N_DATA, DATA_SIZE), "%s: memory", t->name);
	if (t->flags & STACKOP && t->op[0] != 0x9c) {
		bad |= !ok(!memcmp(g->ram + N_STACK - 0x1000, (void *)(N_STACK - 0x1000), 0x1000),
			   "%s: stack", t->name);
	}
	if (bad)
		dump(t);
}

static void all(struct guest *g, const struct insn *t, u32 n, u32 rounds)
{
	u32 i, k;

	for (i = 0; i < n; i++) {
		unit_case(t[i].name);
		for (k = 0; k < rounds; k++)
			one(g, &t[i]);
	}
}

int main(void)
{
	static u8 alt[65536];
	stack_t ss = { .ss_sp = alt, .ss_size = sizeof(alt) };
	struct sigaction sa = { .sa_handler = on_fpe, .sa_flags = SA_ONSTACK | SA_NODEFER };
	struct guest *g = guest_new();
	const char *env = getenv("NATIVE_ROUNDS");
	u32 rounds = env ? atoi(env) : 150;
	void *p = mmap((void *)AREA, AREA_SIZE, PROT_READ | PROT_WRITE | PROT_EXEC,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	if (p != (void *)AREA) {
		printf("1..0 # SKIP no executable memory at %lx\n", AREA);
		return UNIT_SKIP;
	}
	sigaltstack(&ss, NULL);
	sigaction(SIGFPE, &sa, NULL);
	all(g, insns, ARRAY_SIZE(insns), rounds);
	__builtin_cpu_init();
	if (__builtin_cpu_supports("popcnt") && __builtin_cpu_supports("bmi") &&
	    __builtin_cpu_supports("avx2"))
		all(g, feature_insns, ARRAY_SIZE(feature_insns), rounds);
	guest_free(g);
	return unit_done();
}
