// SPDX-License-Identifier: GPL-2.0-only
/*
 * Instructions on device memory, in 64-bit mode. Each is executed twice with the same registers: on
 * memory, by the CPU, and on MMIO that the test serves from an array. Registers, flags and content
 * must come out alike.
 */
#include <errno.h>
#include <string.h>
#include "kselftest_harness.h"
#include "testvm.h"

#define PAGE	4096
#define AREA	(3 * PAGE)

enum { RAX, RCX, RDX, RBX, RSI, RDI, FLAGS, R8, NR_REGS };

struct state {
	uint64_t r[NR_REGS];
	uint64_t xmm[4];		/* XMM0, XMM1 */
};

#define CF	0x001
#define AF	0x010
#define ZF	0x040
#define DF	0x400
#define OF	0x800
#define ALL	0x8d5
#define LOGIC	(ALL & ~AF)		/* AF is undefined */
#define SHIFT	(ALL & ~AF & ~OF)	/* OF too, for counts other than 1 */
#define BITS	CF
#define DST	1			/* RDI: what this is about. RSI: plain memory */
#define SRC	2			/* the other way round */
#define BOTH	3

struct op {
	const char *name;
	void (*fn)(void);
	uint32_t flags;			/* those that the instruction defines */
	uint32_t where;			/* which of RDI and RSI lead into the area under test */
	uint64_t offset;		/* into the area; 0x100 by default */
	uint64_t rcx;			/* 3 by default */
	uint64_t rflags;		/* before */
	bool zero;			/* RCX is 0, and nothing is accessed */
};

#define OP_N(n, insn, f, w, ...) \
	{ .name = insn, .fn = op_##n, .flags = f, .where = w, __VA_ARGS__ },
#define ASM_N(n, insn, ...)						\
	__asm__(".text\nop_" #n ": " insn "\n\tcld\n\tret");		\
	void op_##n(void);

#define MOVES(X)								\
	X(m1, "movb %al, (%rdi)", ALL, DST)						\
	X(m2, "movw %ax, (%rdi)", ALL, DST)						\
	X(m3, "movl %eax, (%rdi)", ALL, DST)						\
	X(m4, "movq %rax, (%rdi)", ALL, DST)						\
	X(m5, "movb %ah, 3(%rdi)", ALL, DST)						\
	X(m6, "movb %r8b, (%rdi,%rcx,4)", ALL, DST)					\
	X(m7, "movb $0x5a, (%rdi)", ALL, DST)						\
	X(m8, "movw $0x5aa5, (%rdi)", ALL, DST)						\
	X(m9, "movl $0x12345678, (%rdi)", ALL, DST)					\
	X(m10, "movq $-2, (%rdi)", ALL, DST)						\
	X(m11, "movb (%rdi), %al", ALL, DST)						\
	X(m12, "movw (%rdi), %ax", ALL, DST)						\
	X(m13, "movl (%rdi), %eax", ALL, DST)						\
	X(m14, "movq (%rdi), %r8", ALL, DST)						\
	X(m15, "movb 1(%rdi), %dh", ALL, DST)						\
	X(m16, "movzbl (%rdi), %eax", ALL, DST)						\
	X(m17, "movzwq (%rdi), %rax", ALL, DST)						\
	X(m18, "movsbw 2(%rdi), %ax", ALL, DST)						\
	X(m19, "movsbq 2(%rdi), %rax", ALL, DST)					\
	X(m20, "movswl (%rdi), %eax", ALL, DST)						\
	X(m21, "movslq (%rdi), %rax", ALL, DST)						\
	X(m22, "xchgb %al, (%rdi)", ALL, DST)						\
	X(m23, "xchgw %ax, (%rdi)", ALL, DST)						\
	X(m24, "xchgl %eax, (%rdi)", ALL, DST)						\
	X(m25, "xchgq %rax, (%rdi)", ALL, DST)						\
	X(m26, "movnti %rax, (%rdi)", ALL, DST)						\
	X(m27, "pushq (%rdi); popq %rax", ALL, DST)					\
	X(m28, "pushq %rax; popq (%rdi)", ALL, DST)					\
	X(m29, "addr32 movl %eax, (%edi)", ALL, DST)					\
	X(m30, "movl %eax, %gs:(%rdi)", ALL, DST)					\
	X(m31, "cmovzl (%rdi), %eax", ALL, DST)						\
	X(m32, "cmovnzq (%rdi), %rax", ALL, DST)					\
	X(m33, "setc (%rdi)", ALL, DST)							\
	X(m34, "movbel (%rdi), %eax", ALL, DST)						\
	X(m35, "movbeq %rax, (%rdi)", ALL, DST)

#define ARITHMETIC(X)								\
	X(a1, "addb %al, (%rdi)", ALL, DST)						\
	X(a2, "addw %ax, (%rdi)", ALL, DST)						\
	X(a3, "addl %eax, (%rdi)", ALL, DST)						\
	X(a4, "addq %rax, (%rdi)", ALL, DST)						\
	X(a5, "addq $-1, (%rdi)", ALL, DST)						\
	X(a6, "addl $0x7fffffff, (%rdi)", ALL, DST)					\
	X(a7, "addl (%rdi), %eax", ALL, DST)						\
	X(a8, "adcl %eax, (%rdi)", ALL, DST, .rflags = CF)				\
	X(a9, "sbbq %rax, (%rdi)", ALL, DST, .rflags = CF)				\
	X(a10, "subw $0x1234, (%rdi)", ALL, DST)					\
	X(a11, "subl (%rdi), %eax", ALL, DST)						\
	X(a12, "cmpl %eax, (%rdi)", ALL, DST)						\
	X(a13, "cmpb $0x50, (%rdi)", ALL, DST)						\
	X(a14, "cmpq (%rdi), %rax", ALL, DST)						\
	X(a15, "incl (%rdi)", ALL, DST, .rflags = CF)					\
	X(a16, "decq (%rdi)", ALL, DST)							\
	X(a17, "negl (%rdi)", ALL, DST)							\
	X(a18, "notl (%rdi)", ALL, DST)							\
	X(a19, "andl %eax, (%rdi)", LOGIC, DST)						\
	X(a20, "orq $0x10, (%rdi)", LOGIC, DST)						\
	X(a21, "xorw %ax, (%rdi)", LOGIC, DST)						\
	X(a22, "testb $1, (%rdi)", LOGIC, DST)						\
	X(a23, "testl %eax, (%rdi)", LOGIC, DST)					\
	X(a24, "lock addl %eax, (%rdi)", ALL, DST)					\
	X(a25, "lock orb $0x80, (%rdi)", LOGIC, DST)					\
	X(a26, "lock incq (%rdi)", ALL, DST)						\
	X(a27, "xaddl %eax, (%rdi)", ALL, DST)						\
	X(a28, "lock xaddq %rax, (%rdi)", ALL, DST)					\
	X(a29, "cmpxchgl %ecx, (%rdi)", ALL, DST)					\
	X(a30, "movl (%rsi), %eax; lock cmpxchgl %ecx, (%rdi)", ALL, DST)		\
	X(a31, "movq (%rsi), %rax; cmpxchgq %rcx, (%rdi)", ALL, DST)			\
	X(a32, "cmpxchgb %cl, (%rdi)", ALL, DST)					\
	X(a33, "lock cmpxchg8b (%rdi)", ZF, DST)					\
	X(a34, "movl (%rsi), %eax; movl 4(%rsi), %edx; lock cmpxchg8b (%rdi)", ZF, DST)	\
	X(a35, "btl $5, (%rdi)", BITS, DST)						\
	X(a36, "lock btsl $7, (%rdi)", BITS, DST)					\
	X(a37, "btrq %rcx, (%rdi)", BITS, DST, .rcx = 100)				\
	X(a38, "btcl %ecx, (%rdi)", BITS, DST, .rcx = -100ull)				\
	X(a39, "shll (%rdi)", LOGIC, DST)						\
	X(a40, "shrb $3, (%rdi)", SHIFT, DST)						\
	X(a41, "sarq %cl, (%rdi)", SHIFT, DST)						\
	X(a42, "roll %cl, (%rdi)", CF, DST)						\
	X(a43, "rcrw $1, (%rdi)", CF | OF, DST, .rflags = CF)				\
	X(a44, "shldl $4, %eax, (%rdi)", SHIFT, DST)					\
	X(a45, "shrdq %cl, %rax, (%rdi)", SHIFT, DST)					\
	X(a46, "mull (%rdi)", CF | OF, DST)						\
	X(a47, "imulq (%rdi)", CF | OF, DST)						\
	X(a48, "imull (%rdi), %eax", CF | OF, DST)					\
	X(a49, "imull $7, (%rdi), %eax", CF | OF, DST)					\
	X(a50, "xorl %edx, %edx; divl (%rdi)", 0, DST)					\
	X(a51, "movl $1000, %eax; cltd; idivb (%rdi)", 0, DST)

#define STRINGS(X)								\
	X(s1, "stosb", ALL, DST)							\
	X(s2, "rep stosb", ALL, DST)							\
	X(s3, "rep stosw", ALL, DST)							\
	X(s4, "rep stosl", ALL, DST)							\
	X(s5, "rep stosq", ALL, DST, .rcx = 20)						\
	X(s6, "std; rep stosw", ALL, DST)						\
	X(s7, "movsb", ALL, DST)							\
	X(s8, "rep movsb", ALL, DST, .rcx = 17)						\
	X(s9, "rep movsl", ALL, DST, .rcx = 9)						\
	X(s10, "rep movsq", ALL, DST)							\
	X(s11, "rep movsb", ALL, SRC, .rcx = 17)					\
	X(s12, "rep movsw", ALL, SRC)							\
	X(s13, "rep movsq", ALL, SRC)							\
	X(s14, "rep movsl", ALL, BOTH)							\
	X(s15, "std; rep movsb", ALL, DST)						\
	X(s16, "rep movsb", ALL, DST, .zero = true)					\
	X(s17, "rep stosl", ALL, DST, .zero = true)					\
	X(s18, "lodsb", ALL, SRC)							\
	X(s19, "lodsq", ALL, SRC)							\
	X(s20, "rep lodsw", ALL, SRC)							\
	X(s21, "scasb", ALL, DST)							\
	X(s22, "repne scasb", ALL, DST, .rcx = 30)					\
	X(s23, "repe scasl", ALL, DST)							\
	X(s24, "repe cmpsb", ALL, DST, .rcx = 30)					\
	X(s25, "repne cmpsw", ALL, SRC)							\
	X(s26, "cmpsl", ALL, SRC)							\
	X(s27, "addr32 rep stosb", ALL, DST)

#define CROSSING(X)								\
	X(c1, "movw %ax, (%rdi)", ALL, DST, .offset = PAGE - 1)				\
	X(c2, "movl %eax, (%rdi)", ALL, DST, .offset = PAGE - 1)			\
	X(c3, "movq %rax, (%rdi)", ALL, DST, .offset = PAGE - 3)			\
	X(c4, "movl (%rdi), %eax", ALL, DST, .offset = PAGE - 2)			\
	X(c5, "movq (%rdi), %rax", ALL, DST, .offset = PAGE - 7)			\
	X(c6, "addl %eax, (%rdi)", ALL, DST, .offset = PAGE - 2)			\
	X(c7, "xchgq %rax, (%rdi)", ALL, DST, .offset = PAGE - 4)			\
	X(c8, "rep movsb", ALL, DST, .offset = PAGE - 5, .rcx = 11)			\
	X(c9, "rep movsl", ALL, SRC, .offset = PAGE - 6)				\
	X(c10, "rep stosq", ALL, DST, .offset = PAGE - 12)				\
	X(c11, "movups %xmm0, (%rdi)", ALL, DST, .offset = PAGE - 9)			\
	X(c12, "movups (%rdi), %xmm1", ALL, DST, .offset = PAGE - 9)			\
	X(c13, "movq %rax, (%rdi)", ALL, DST, .offset = 0x105)

#define SSE(X)									\
	X(x1, "movups %xmm0, (%rdi)", ALL, DST)						\
	X(x2, "movaps %xmm0, (%rdi)", ALL, DST)						\
	X(x3, "movdqa %xmm0, (%rdi)", ALL, DST)						\
	X(x4, "movdqu (%rdi), %xmm1", ALL, DST)						\
	X(x5, "movaps (%rdi), %xmm1", ALL, DST)						\
	X(x6, "movupd %xmm0, 1(%rdi)", ALL, DST)					\
	X(x7, "movntdq %xmm0, (%rdi)", ALL, DST)					\
	X(x8, "movntps %xmm0, (%rdi)", ALL, DST)

#define EVERY(X) MOVES(X) ARITHMETIC(X) STRINGS(X) CROSSING(X) SSE(X)

EVERY(ASM_N)
static const struct op ops[] = { EVERY(OP_N) };

/* void call_op(fn, struct state *): all registers from and to the struct */
__asm__(".text\ncall_op:\n"
	"pushq %rbx; pushq %rbp; pushq %r12; pushq %r13; pushq %rsi\n"
	"movq %rdi, %r11; movq %rsi, %r10\n"
	"movdqu 64(%r10), %xmm0; movdqu 80(%r10), %xmm1\n"
	"movq 0(%r10), %rax; movq 8(%r10), %rcx; movq 16(%r10), %rdx; movq 24(%r10), %rbx\n"
	"movq 32(%r10), %rsi; movq 40(%r10), %rdi; movq 56(%r10), %r8\n"
	"pushq 48(%r10); popfq\n"
	"call *%r11\n"
	"pushfq; popq %r11; popq %r10\n"
	"movq %rax, 0(%r10); movq %rcx, 8(%r10); movq %rdx, 16(%r10); movq %rbx, 24(%r10)\n"
	"movq %rsi, 32(%r10); movq %rdi, 40(%r10); movq %r11, 48(%r10); movq %r8, 56(%r10)\n"
	"movdqu %xmm0, 64(%r10); movdqu %xmm1, 80(%r10)\n"
	"popq %r13; popq %r12; popq %rbp; popq %rbx; ret");
void call_op(void (*fn)(void), struct state *s);

static uint8_t ram[AREA] __attribute__((aligned(PAGE)));
static uint8_t other[AREA] __attribute__((aligned(PAGE)));	/* the side that is always memory */
static uint8_t dev[AREA];
static struct state in, out;
static volatile unsigned int cursor, served;

static void guest_ops(void)
{
	for (;;) {
		out = in;
		call_op(ops[cursor].fn, &out);
		guest_sync(cursor);
	}
}

static void fill(uint8_t *p)
{
	unsigned int i;

	for (i = 0; i < AREA; i++)
		p[i] = i * 7 + (i >> 8) * 3 + 0x13;
}

static bool serve(struct kvm_run *run)
{
	uint64_t at = run->mmio.phys_addr - GPA_MMIO;

	if (at >= AREA || run->mmio.len > 8 || at + run->mmio.len > AREA)
		return false;
	served++;
	if (run->mmio.is_write)
		memcpy(dev + at, run->mmio.data, run->mmio.len);
	else
		memcpy(run->mmio.data, dev + at, run->mmio.len);
	return true;
}

/* 0, or the exit reason that was not expected. Results are relative to @base. */
static int run_op(struct test_vcpu *v, const struct op *op, uint64_t base, struct state *s)
{
	uint64_t off = op->offset ?: 0x100;
	enum guest_msg msg;

	fill(other);
	memset(&in, 0, sizeof(in));
	in.r[RAX] = 0x1122334455667788;
	in.r[RBX] = 0x8877665544332211;
	in.r[RCX] = op->zero ? 0 : op->rcx ?: 3;
	in.r[RDX] = 0x99aabbcc00ddeeff;
	in.r[R8] = 0xf0e0d0c0b0a09080;
	in.r[RDI] = (op->where & DST ? base : (uintptr_t)other) + off;
	in.r[RSI] = (op->where & SRC ? base : (uintptr_t)other) + off + (op->where == BOTH) * 0x80;
	in.r[FLAGS] = op->rflags | 2;
	served = 0;
	memset(in.xmm, 0xab, sizeof(in.xmm));
	in.xmm[0] = 0x0102030405060708;
	while ((msg = vcpu_run(v, NULL)) == MSG_NONE)
		if (v->run->exit_reason != KVM_EXIT_MMIO || !serve(v->run))
			return v->run->exit_reason ?: -1;
	if (msg != MSG_SYNC)
		return -1;		/* an exception */
	*s = out;
	s->r[RDI] -= op->where & DST ? base : 0;
	s->r[RSI] -= op->where & SRC ? base : 0;
	s->r[FLAGS] &= op->flags;
	return 0;
}

FIXTURE(emulation)
{
	struct test_vm vm;
	struct test_vcpu *v;
};

FIXTURE_SETUP(emulation)
{
	memset(guest_handlers, 0, sizeof(guest_handlers));
	vm_create(&self->vm, TEST_IRQCHIP_NONE);
	self->v = vcpu_create(&self->vm, 0);
}

FIXTURE_TEARDOWN(emulation)
{
	vm_destroy(&self->vm);
}

static bool cpu_has(const struct op *op)
{
	uint32_t a = 1, b, c = 0, d;

	__asm__("cpuid" : "+a" (a), "=b" (b), "+c" (c), "=d" (d));
	return strncmp(op->name, "movbe", 5) || c & 1u << 22;
}

static void compare(struct __test_metadata *_metadata, struct test_vcpu *v, const struct op *op)
{
	struct state a, b;
	int ret, i;

	cursor = op - ops;
	fill(ram);
	fill(dev);
	ASSERT_EQ(0, run_op(v, op, (uintptr_t)ram, &a));
	ret = run_op(v, op, GPA_MMIO, &b);
	EXPECT_EQ(0, ret) TH_LOG("%s: exit %d, suberror %u", op->name, ret, v->run->internal.suberror);
	if (ret) {
		vcpu_start(v, guest_ops);
		return;
	}
	EXPECT_EQ(op->zero, !served) TH_LOG("%s: accesses", op->name);
	for (i = 0; i < NR_REGS; i++)
		EXPECT_EQ(a.r[i], b.r[i]) TH_LOG("%s: register %d", op->name, i);
	EXPECT_EQ(0, memcmp(a.xmm, b.xmm, sizeof(a.xmm))) TH_LOG("%s: xmm", op->name);
	EXPECT_EQ(0, memcmp(ram, dev, AREA)) TH_LOG("%s: content", op->name);
}

#define COUNT(n, ...) + 1
enum {
	END_MOVES = 0 MOVES(COUNT),
	END_ARITHMETIC = END_MOVES ARITHMETIC(COUNT),
	END_STRINGS = END_ARITHMETIC STRINGS(COUNT),
	END_CROSSING = END_STRINGS CROSSING(COUNT),
	END_SSE = END_CROSSING SSE(COUNT),
};

#define FAMILY(name, first, end)				\
TEST_F(emulation, name)						\
{								\
	unsigned int i;						\
								\
	vcpu_start(self->v, guest_ops);				\
	for (i = first; i < end; i++)				\
		if (cpu_has(&ops[i]))				\
			compare(_metadata, self->v, &ops[i]);	\
}

FAMILY(moves, 0, END_MOVES)
FAMILY(arithmetic, END_MOVES, END_ARITHMETIC)
FAMILY(strings, END_ARITHMETIC, END_STRINGS)
FAMILY(page_crossing, END_STRINGS, END_CROSSING)
FAMILY(sse, END_CROSSING, END_SSE)

TEST_HARNESS_MAIN
