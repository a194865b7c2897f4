// SPDX-License-Identifier: GPL-2.0-only
/* Instructions on device memory that end badly: page faults half way, memory's edge, what nobody emulates. */
#include <errno.h>
#include <string.h>
#include "kselftest_harness.h"
#include "testvm.h"

#define PAGE	4096
#define HOLE	(GPA_MMIO + 0x200000)		/* the guest's page tables end here */

static uint8_t buf[64] __attribute__((aligned(64)));
static volatile uint64_t rcx, rsi, rdi, stage;

FIXTURE(faults)
{
	struct test_vm vm;
	struct test_vcpu *v;
	uint8_t *mem;			/* one page at GPA_FREE */
};

FIXTURE_SETUP(faults)
{
	memset(guest_handlers, 0, sizeof(guest_handlers));
	memset(buf, 0x5c, sizeof(buf));
	vm_create(&self->vm, TEST_IRQCHIP_NONE);
	self->v = vcpu_create(&self->vm, 0);
	self->mem = vm_add_memory(&self->vm, SLOT_FREE, GPA_FREE, PAGE, 0);
	self->vm.tables[1024 + (HOLE >> 21)] = 0;
}

FIXTURE_TEARDOWN(faults)
{
	vm_destroy(&self->vm);
}

/* One access, at @addr; a read gets @val. */
#define MMIO(addr, n, write, val)						\
do {										\
	uint64_t val_ = (val);							\
	ASSERT_EQ(0, ioctl(self->v->fd, KVM_RUN, 0));				\
	ASSERT_EQ(KVM_EXIT_MMIO, self->v->run->exit_reason);			\
	ASSERT_EQ(addr, self->v->run->mmio.phys_addr);				\
	ASSERT_EQ(n, self->v->run->mmio.len);					\
	ASSERT_EQ(write, self->v->run->mmio.is_write);				\
	if (write) {								\
		EXPECT_EQ(0, memcmp(self->v->run->mmio.data, &val_, n));	\
	} else {								\
		memcpy(self->v->run->mmio.data, &val_, n);			\
	}									\
} while (0)

/* @insn with the registers given; what it left in them, and how it ended. */
#define STRING_OP(insn, c, s, d)						\
({										\
	uint64_t c_ = (c), s_ = (uint64_t)(s), d_ = (uint64_t)(d);		\
	int64_t v_;								\
	guest_vector = -1;							\
	__asm__ volatile("movabs $1f, %%r11\n\tmovq %%r11, guest_fixup\n\t"	\
			 insn "\n1:\tmovq $0, guest_fixup"			\
			 : "+c" (c_), "+S" (s_), "+D" (d_)			\
			 : "a" (0x1122334455667788), "d" (0x1000)		\
			 : "r11", "memory", "cc");				\
	v_ = guest_vector;							\
	rcx = c_;								\
	rsi = s_;								\
	rdi = d_;								\
	v_;									\
})

static void guest_string_faults(void)
{
	uint64_t src = (uintptr_t)buf;

	/* Six bytes fit. */
	guest_assert(STRING_OP("rep movsb", 10, src, HOLE - 6) == 14);
	guest_assert(rcx == 4 && rdi == HOLE && rsi == src + 6);
	guest_assert(guest_cr2 == HOLE && guest_error == 2);
	guest_sync(1);
	/* The second element does not fit: nothing of it is written. */
	guest_assert(STRING_OP("rep stosl", 5, src, HOLE - 6) == 14);
	guest_assert(rcx == 4 && rdi == HOLE - 2);
	guest_assert(guest_cr2 == HOLE && guest_error == 2);
	guest_sync(2);
	/* Reading. */
	guest_assert(STRING_OP("rep movsw", 5, HOLE - 4, src) == 14);
	guest_assert(rcx == 3 && rsi == HOLE && rdi == src + 4);
	guest_assert(guest_cr2 == HOLE && guest_error == 0);
	guest_sync(3);
	/* The source is device memory and the destination is not there: the read has happened or not. */
	guest_assert(STRING_OP("rep movsb", 5, GPA_MMIO, HOLE) == 14);
	guest_assert(rcx == 5 && rsi == GPA_MMIO && rdi == HOLE);
	guest_assert(guest_cr2 == HOLE && guest_error == 2);
	guest_sync(4);
	guest_assert(STRING_OP("std; rep stosb; cld", 3, src, 0x8000000000000000) == 13);
	guest_assert(rcx == 3);
	__asm__ volatile("cld");
	guest_done();
}

TEST_F(faults, string_instructions)
{
	int i;

	vcpu_start(self->v, guest_string_faults);
	for (i = 0; i < 6; i++)
		MMIO(HOLE - 6 + i, 1, 1, 0x5c);
	EXPECT_EQ(1, vcpu_expect(self->v, MSG_SYNC));
	MMIO(HOLE - 6, 4, 1, 0x55667788);
	EXPECT_EQ(2, vcpu_expect(self->v, MSG_SYNC));
	MMIO(HOLE - 4, 2, 0, 0x2211);
	MMIO(HOLE - 2, 2, 0, 0x4433);
	EXPECT_EQ(3, vcpu_expect(self->v, MSG_SYNC));
	EXPECT_EQ(0x44332211, *(uint32_t *)buf);
	while (vcpu_run(self->v, NULL) == MSG_NONE) {
		ASSERT_EQ(KVM_EXIT_MMIO, self->v->run->exit_reason);
		ASSERT_EQ(0, self->v->run->mmio.is_write);
	}
	vcpu_expect(self->v, MSG_DONE);
}

static void guest_port_faults(void)
{
	guest_assert(STRING_OP("rep insb", 10, 0, HOLE - PAGE) == -1 || rcx < 10);
	guest_sync(1);
	guest_assert(STRING_OP("rep outsb", 10, HOLE, 0) == 14);
	guest_assert(rcx == 10 && rsi == HOLE && guest_error == 0);
	guest_assert(STRING_OP("rep insb", 10, 0, HOLE) == 14);
	guest_assert(rcx == 10 && rdi == HOLE && guest_error == 2);
	guest_done();
}

/*
 * Port to memory that is not there. Whether the port was read before the fault is not told by the
 * manuals: what counts is that registers and fault are right.
 */
TEST_F(faults, string_port_io)
{
	struct kvm_run *r = self->v->run;
	enum guest_msg m;
	unsigned int in = 0;

	vcpu_start(self->v, guest_port_faults);
	while ((m = vcpu_run(self->v, NULL)) != MSG_DONE) {
		if (m == MSG_SYNC)
			continue;
		ASSERT_EQ(MSG_NONE, m) TH_LOG("vector %ld rcx %lu", guest_vector, rcx);
		if (r->exit_reason == KVM_EXIT_IO) {
			ASSERT_EQ(0x1000, r->io.port);
			ASSERT_EQ(KVM_EXIT_IO_IN, r->io.direction);
			memset((uint8_t *)r + r->io.data_offset, 0x40 + in, r->io.count);
			in += r->io.count;
			continue;
		}
		ASSERT_EQ(KVM_EXIT_MMIO, r->exit_reason);
		EXPECT_EQ(1, r->mmio.is_write);
		EXPECT_LE(HOLE - PAGE, r->mmio.phys_addr);
	}
	EXPECT_LE(10, in);
}

static void guest_edge(void)
{
	uint64_t end = GPA_FREE + PAGE, v;

	/* Half in memory, half behind it. */
	*(volatile uint32_t *)(end - 2) = 0x11223344;
	guest_sync(1);
	guest_assert(*(volatile uint32_t *)(end - 2) == 0x77883344);
	__asm__ volatile("movq -3(%1), %0" : "=r" (v) : "r" (end));
	guest_sync(v);
	__asm__ volatile("lock addl $0x10001, -2(%0)" : : "r" (end) : "memory");
	guest_done();
}

TEST_F(faults, edge_of_memory)
{
	uint64_t end = GPA_FREE + PAGE;

	vcpu_start(self->v, guest_edge);
	MMIO(end, 2, 1, 0x1122);
	EXPECT_EQ(1, vcpu_expect(self->v, MSG_SYNC));
	EXPECT_EQ(0x3344, *(uint16_t *)(self->mem + PAGE - 2));
	MMIO(end, 2, 0, 0x7788);
	MMIO(end, 5, 0, 0x0102030405);
	EXPECT_EQ(0x0102030405334400, vcpu_expect(self->v, MSG_SYNC));
	MMIO(end, 2, 0, 0x00ff);
	MMIO(end, 2, 1, 0x0100);
	vcpu_expect(self->v, MSG_DONE);
	EXPECT_EQ(0x3345, *(uint16_t *)(self->mem + PAGE - 2));
}

static void guest_x87(void)
{
	__asm__ volatile("fldl (%0)" : : "r" (GPA_MMIO));
	guest_done();
}

/* What is not emulated is reported, with the instruction. */
TEST_F(faults, not_emulated)
{
	static const uint8_t modrm_dd[] = { 0xdd };
	struct kvm_run *r = self->v->run;

	vcpu_start(self->v, guest_x87);
	ASSERT_EQ(0, ioctl(self->v->fd, KVM_RUN, 0));
	if (r->exit_reason == KVM_EXIT_MMIO) {
		EXPECT_EQ(GPA_MMIO, r->mmio.phys_addr);
		EXPECT_EQ(8, r->mmio.len);
		return;
	}
	ASSERT_EQ(KVM_EXIT_INTERNAL_ERROR, r->exit_reason);
	EXPECT_EQ(KVM_INTERNAL_ERROR_EMULATION, r->emulation_failure.suberror);
	if (!r->emulation_failure.ndata ||
	    !(r->emulation_failure.flags & KVM_INTERNAL_ERROR_EMULATION_FLAG_INSTRUCTION_BYTES))
		return;
	EXPECT_LE(r->emulation_failure.insn_size, 15);
	EXPECT_EQ(modrm_dd[0], r->emulation_failure.insn_bytes[0]);
}

static void guest_write_protected(void)
{
	uint64_t *pde = (uint64_t *)(GPA_TABLES + 8 * (1024 + (GPA_MMIO >> 21)));

	*pde &= ~2ull;
	__asm__ volatile("invlpg (%0)" : : "r" (GPA_MMIO) : "memory");
	guest_assert(guest_try("movl $1, (%%rdi)", : : "D" (GPA_MMIO) : "r11", "memory") == 14);
	guest_assert(guest_error == 3 && guest_cr2 == GPA_MMIO);
	guest_assert(guest_try("cmpl $1, (%%rdi)", : : "D" (GPA_MMIO) : "r11", "memory") == -1);
	guest_assert(guest_try("rep stosb", : : "D" (GPA_MMIO), "c" (4ull) : "r11", "memory") == 14);
	guest_sync(1);
	/* Without CR0.WP the supervisor may. */
	__asm__ volatile("mov %%cr0, %%rax; btr $16, %%rax; mov %%rax, %%cr0" : : : "rax");
	*(volatile uint8_t *)GPA_MMIO = 7;
	guest_done();
}

TEST_F(faults, read_only_page_of_the_guest)
{
	vcpu_start(self->v, guest_write_protected);
	MMIO(GPA_MMIO, 4, 0, 1);
	EXPECT_EQ(1, vcpu_expect(self->v, MSG_SYNC));
	MMIO(GPA_MMIO, 1, 1, 7);
	vcpu_expect(self->v, MSG_DONE);
}

static void guest_divide(void)
{
	guest_assert(guest_try("xorl %%edx, %%edx; movl $5, %%eax; divl (%%rdi)",
			       : : "D" (GPA_MMIO) : "r11", "rax", "rdx", "memory") == 0);
	guest_assert(guest_try("movaps 4(%%rdi), %%xmm0",
			       : : "D" (GPA_MMIO) : "r11", "memory") == 13);
	guest_assert(guest_error == 0);
	/* A stack that is not canonical; a lock prefix that does not belong there. */
	guest_assert(guest_try("movl %%eax, (%%rdi)", : : "D" (0x8000000000000000)
			       : "r11", "memory") == 13);
	guest_assert(guest_try(".byte 0xf0; movl %%eax, (%%rdi)", : : "D" (GPA_MMIO)
			       : "r11", "memory") == 6);
	guest_done();
}

TEST_F(faults, exceptions_of_the_instruction)
{
	vcpu_start(self->v, guest_divide);
	MMIO(GPA_MMIO, 4, 0, 0);
	vcpu_expect(self->v, MSG_DONE);
}

/* Code fetched from device memory cannot be run. */
static void guest_jump_into_mmio(void)
{
	((void (*)(void))GPA_MMIO)();
	guest_done();
}

TEST_F(faults, code_in_device_memory)
{
	vcpu_start(self->v, guest_jump_into_mmio);
	ASSERT_EQ(0, ioctl(self->v->fd, KVM_RUN, 0));
	EXPECT_EQ(KVM_EXIT_INTERNAL_ERROR, self->v->run->exit_reason);
	EXPECT_EQ(KVM_INTERNAL_ERROR_EMULATION, self->v->run->internal.suberror);
}

TEST_HARNESS_MAIN
