// SPDX-License-Identifier: GPL-2.0-only
/*
 * A 16-bit TSS in TR on the way into long mode. Intel's CPUs do not let a guest go there (SDM 2B, MOV to
 * control registers: #GP), and VM entries want a 64-bit one; AMD's do not look (APM 2 14.6.2).
 */
#include <errno.h>
#include <string.h>
#include "kselftest_harness.h"
#include "testvm.h"

#define SIZE		0x20000
#define CODE		0x1000
#define GDT		0x2000
#define IDT		0x3000
#define TSS		0x2800
#define TABLES		0x4000
#define STACK		0x9000

#define CODE32		0x08
#define DATA		0x10
#define CODE64		0x18
#define SEL_TSS		0x20

#define IN_LONG_MODE	0x64
#define FAULTED		0x0d

__asm__(".text\n.globl tss16_code, tss16_code_end, tss16_long, tss16_fault\n.code32\ntss16_code:\n"
	"movl $0x20, %eax; ltr %ax\n"
	"movl %cr4, %eax; orl $0x20, %eax; movl %eax, %cr4\n"
	"movl $0x4000, %eax; movl %eax, %cr3\n"
	"movl $0xc0000080, %ecx; rdmsr; orl $0x100, %eax; wrmsr\n"
	"movl %cr0, %eax; orl $0x80000000, %eax; movl %eax, %cr0\n"
	"ljmp $0x18, $(1f - tss16_code + 0x1000)\n"
	".code64\n1:\ntss16_long: movl $0x64, %eax; outl %eax, $0x10; jmp 1b\n"
	".code32\ntss16_fault: movl $0xd, %eax; outl %eax, $0x10; jmp tss16_fault\n"
	"tss16_code_end:\n.code64");
extern const char tss16_code[], tss16_code_end[], tss16_long[], tss16_fault[];

FIXTURE(tss16)
{
	struct test_vm vm;
	struct test_vcpu *v;
	uint8_t *mem;
	struct kvm_sregs first;
};

static void put(uint8_t *mem, uint32_t at, uint64_t val)
{
	memcpy(mem + at, &val, 8);
}

static void put_tables(uint8_t *mem)
{
	uint32_t fault = CODE + (tss16_fault - tss16_code);

	put(mem, GDT + CODE32, 0x00cf9b000000ffff);
	put(mem, GDT + DATA, 0x00cf93000000ffff);
	put(mem, GDT + CODE64, 0x00af9b000000ffff);
	put(mem, GDT + SEL_TSS, 0x000081000000002b | (uint64_t)TSS << 16);
	put(mem, IDT + 13 * 8, (uint64_t)fault | CODE32 << 16 | 0x8eull << 40);
	put(mem, TABLES, (TABLES + 0x1000) | 3);
	put(mem, TABLES + 0x1000, (TABLES + 0x2000) | 3);
	put(mem, TABLES + 0x2000, 0x83);
}

static void start(FIXTURE_DATA(tss16) *self)
{
	struct kvm_regs r = { .rip = CODE, .rflags = 2, .rsp = STACK };

	put_tables(self->mem);
	ioctl(self->v->fd, KVM_SET_SREGS, &self->first);
	ioctl(self->v->fd, KVM_SET_REGS, &r);
}

FIXTURE_SETUP(tss16)
{
	struct kvm_sregs *s = &self->first;

	vm_create(&self->vm, TEST_IRQCHIP_NONE);
	self->v = vcpu_create(&self->vm, 0);
	self->mem = vm_add_memory(&self->vm, SLOT_FREE, 0, SIZE, 0);
	memcpy(self->mem + CODE, tss16_code, tss16_code_end - tss16_code);
	ASSERT_EQ(0, ioctl(self->v->fd, KVM_GET_SREGS, s));
	s->cr0 = 0x11;
	s->cs = flat_segment(CODE32, 0xb, 32);
	s->ds = s->es = s->fs = s->gs = s->ss = flat_segment(DATA, 3, 32);
	s->gdt = (struct kvm_dtable){ .base = GDT, .limit = 5 * 8 - 1 };
	s->idt = (struct kvm_dtable){ .base = IDT, .limit = 14 * 8 - 1 };
	start(self);
}

FIXTURE_TEARDOWN(tss16)
{
	vm_destroy(&self->vm);
}

/* What the guest says, or the exit reason above all of it. */
static uint32_t tell(FIXTURE_DATA(tss16) *self)
{
	struct kvm_run *run = self->v->run;
	uint32_t val = 0;

	if (ioctl(self->v->fd, KVM_RUN, 0))
		return 0x10000 + errno;
	if (run->exit_reason != KVM_EXIT_IO || run->io.size != 4)
		return 0x1000 + run->exit_reason;
	memcpy(&val, (uint8_t *)run + run->io.data_offset, 4);
	return val;
}

TEST_F(tss16, of_the_guest)
{
	struct kvm_sregs s;
	uint32_t said = tell(self);

	EXPECT_TRUE(said == IN_LONG_MODE || (host_is_intel() && said == FAULTED)) TH_LOG("%#x", said);
	ASSERT_EQ(0, ioctl(self->v->fd, KVM_GET_SREGS, &s));
	EXPECT_EQ(SEL_TSS, s.tr.selector);
	EXPECT_EQ(TSS, s.tr.base);
	EXPECT_EQ(said == IN_LONG_MODE ? 0x500 : 0x100, s.efer);
	/* And again. */
	EXPECT_EQ(said, tell(self));
}

/* 64-bit code with a TSS of @type. */
static int set_long(FIXTURE_DATA(tss16) *self, uint8_t type)
{
	struct kvm_regs r = { .rip = CODE + (tss16_long - tss16_code), .rflags = 2, .rsp = STACK };
	struct kvm_sregs s = self->first;

	s.cr0 |= 0x80000000;
	s.cr3 = TABLES;
	s.cr4 |= 0x20;
	s.efer = 0x500;
	s.cs = flat_segment(CODE64, 0xb, 32);
	s.cs.db = 0;
	s.cs.l = 1;
	s.tr = (struct kvm_segment){ .base = TSS, .limit = 0x67, .selector = SEL_TSS, .type = type,
				     .present = 1 };
	return ioctl(self->v->fd, KVM_SET_SREGS, &s) ?: ioctl(self->v->fd, KVM_SET_REGS, &r);
}

/* Loaded with such a TSS, available or busy: refused at once, at entry, or it runs. */
TEST_F(tss16, of_userspace)
{
	struct kvm_sregs s;
	uint32_t said;
	int type;

	for (type = 1; type <= 3; type += 2) {
		if (set_long(self, type)) {
			EXPECT_EQ(EINVAL, errno);
			continue;
		}
		said = tell(self);
		EXPECT_TRUE(said == IN_LONG_MODE ||
			    (host_is_intel() && said == 0x1000 + KVM_EXIT_FAIL_ENTRY))
			TH_LOG("type %d: %#x", type, said);
		/* Saved and loaded again, it is the same. */
		ASSERT_EQ(0, ioctl(self->v->fd, KVM_GET_SREGS, &s));
		EXPECT_EQ(TSS, s.tr.base);
		ASSERT_EQ(0, ioctl(self->v->fd, KVM_SET_SREGS, &s));
		EXPECT_EQ(said, tell(self));
	}
	/* The vCPU is none the worse for it. */
	ASSERT_EQ(0, set_long(self, 0xb));
	EXPECT_EQ(IN_LONG_MODE, tell(self));
}

TEST_HARNESS_MAIN
