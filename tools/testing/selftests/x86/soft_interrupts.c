// SPDX-License-Identifier: GPL-2.0-only
/*
 * INT n, INT3 and INT1 in the emulator, and INT1 (F1h) on the CPU.
 *
 * Nobody asks the emulator for an INT outside real mode; but an access to device memory is emulated, and the
 * instruction is read from memory for that. Here the guest's TLB still has another page for its code than
 * its page tables say: the CPU runs a store to device memory, the emulator finds an INT at that address. Not
 * on a CPU that hands over the bytes of the instruction with the exit (APM 2 15.8.4).
 */
#include <errno.h>
#include <string.h>
#include "kselftest_harness.h"
#include "hostmem.h"

/* In the slot, each a page of the guest's too: */
#define TABLE		GPA_FREE		/* maps the 2 MiB from GPA_FREE on */
#define OLD_PAGE	(GPA_FREE + 1 * PAGE)	/* the store */
#define NEW_PAGE	(GPA_FREE + 2 * PAGE)	/* the INT */
#define TRAMPOLINE	(GPA_FREE + 3 * PAGE)
#define USER_STACK	(GPA_FREE + 5 * PAGE)	/* its end */
#define SLOT_SIZE	(8 * PAGE)
/* Addresses of the guest alone: */
#define CODE		(GPA_FREE + 8 * PAGE)	/* OLD_PAGE or NEW_PAGE */
#define DEVICE		(GPA_FREE + 9 * PAGE)	/* GPA_MMIO */

#define ENTRY_OF_CODE	((volatile uint64_t *)(TABLE + 8 * 8))
#define USER_CS		0x23
#define USER_SS		0x1b

/*
 * RSI: the code; RDX, RCX: its entry of the page table and what is written there, after the TLB was filled by
 * running a RET of the same page. R8: at CPL 3, so there is no way back but an interrupt.
 */
__asm__(".text\n.globl trampoline, trampoline_end\ntrampoline:\n"
	"leaq 0x800(%rsi), %rax; call *%rax\n"
	"movq %rcx, (%rdx); call *%rsi\n"
	"testq %r8, %r8; jz 1f; int $0x70\n1: ret\n"
	"trampoline_end:\n");
extern const char trampoline[], trampoline_end[], user_back[];

static struct { uint64_t vector, rip, cs, error; } seen[8];
static volatile uint64_t nr_seen, insn_len, raise_tpr, at_user, flags;
static uint64_t kernel_rsp __attribute__((used));		/* run_trampoline() names it */
static uint8_t kernel_stack[8192] __attribute__((aligned(16)));

static void note(struct guest_frame *f)
{
	unsigned int i = nr_seen++;

	if (i < 8) {
		seen[i].vector = f->vector;
		seen[i].rip = f->rip;
		seen[i].cs = f->cs;
		seen[i].error = f->error;
	}
	if (f->vector == 13)
		f->rip = CODE + insn_len;
	if (f->vector == 0x44)
		guest_wrmsr(0x80b, 0);
	if (f->vector == 0x60 && raise_tpr)
		__asm__ volatile("mov %0, %%cr8" : : "r" (0ull));
}

static void back_to_kernel(struct guest_frame *f)
{
	f->rip = (uintptr_t)user_back;
	f->cs = 0x08;
	f->ss = 0x10;
	f->rsp = kernel_rsp;
	f->rflags = 2;
}

/* One copy, for its label. */
static __attribute__((noinline)) void run_trampoline(void)
{
	if (!at_user) {
		__asm__ volatile("xorl %%r8d, %%r8d; pushq %[flags]; popfq; call *%[t]; cli" : :
				 [t] "r" (TRAMPOLINE), "S" (CODE), "d" (ENTRY_OF_CODE),
				 "c" (NEW_PAGE | 7), "b" (DEVICE), [flags] "r" (flags)
				 : "rax", "r8", "memory", "cc");
		return;
	}
	__asm__ volatile("movl $1, %%r8d; pushq %%rbp; movq %%rsp, kernel_rsp\n\t"
			 "pushq $0x1b; pushq %[stack]; pushq $2; pushq $0x23; pushq %[t]; iretq\n\t"
			 ".globl user_back\nuser_back: popq %%rbp" : :
			 [t] "r" (TRAMPOLINE), [stack] "r" (USER_STACK), "S" (CODE),
			 "d" (ENTRY_OF_CODE), "c" (NEW_PAGE | 7), "b" (DEVICE)
			 : "rax", "r8", "memory", "cc");
}

static void guest_stale_code(void)
{
	guest_wrmsr(0x1b, guest_rdmsr(0x1b) | 1 << 10);
	guest_wrmsr(0x80f, 0x1ff);
	for (;;) {
		guest_sync(0);
		if (raise_tpr)
			__asm__ volatile("mov %0, %%cr8" : : "r" (15ull));
		*ENTRY_OF_CODE = OLD_PAGE | 7;
		__asm__ volatile("invlpg (%0)" : : "r" (CODE) : "memory");
		run_trampoline();
		__asm__ volatile("sti; nop; nop; cli" : : : "memory");
		guest_sync(1);
	}
}

/* The same without an APIC. */
static void guest_stale_code_alone(void)
{
	for (;;) {
		guest_sync(0);
		*ENTRY_OF_CODE = OLD_PAGE | 7;
		__asm__ volatile("invlpg (%0)" : : "r" (CODE) : "memory");
		run_trampoline();
		__asm__ volatile("sti; nop; nop; cli" : : : "memory");
		guest_sync(1);
	}
}

FIXTURE(soft)
{
	struct test_vm vm;
	struct test_vcpu *v;
	uint8_t *mem;
	uint64_t *idt;
};

static void map_region(struct test_vm *vm, uint8_t *mem)
{
	uint64_t *t = (uint64_t *)mem;
	unsigned int i;

	vm->tables[0] |= 4;
	vm->tables[512 + (GPA_FREE >> 30)] |= 4;
	vm->tables[1024 + (GPA_FREE >> 21)] = TABLE | 7;
	for (i = 0; i < 8; i++)
		t[i] = (GPA_FREE + i * PAGE) | 7;
	t[9] = GPA_MMIO | 7;
	memset(mem + PAGE, 0xc3, 2 * PAGE);
	memcpy(mem + PAGE, "\x89\x03", 2);	/* mov %eax, (%rbx); and RET all over */
	memcpy(mem + 3 * PAGE, trampoline, trampoline_end - trampoline);
}

static void create(FIXTURE_DATA(soft) *self, enum test_irqchip irqchip)
{
	uint64_t top = (uintptr_t)kernel_stack + sizeof(kernel_stack);
	struct kvm_sregs s;

	memset(guest_handlers, 0, sizeof(guest_handlers));
	guest_handlers[1] = guest_handlers[3] = guest_handlers[6] = guest_handlers[13] = note;
	guest_handlers[0x44] = guest_handlers[0x60] = note;
	guest_handlers[0x70] = back_to_kernel;
	nr_seen = raise_tpr = at_user = 0;
	flags = 2;
	vm_create(&self->vm, irqchip);
	self->v = vcpu_create(&self->vm, 0);
	self->mem = vm_add_memory(&self->vm, SLOT_FREE, GPA_FREE, SLOT_SIZE, 0);
	map_region(&self->vm, self->mem);
	vcpu_start(self->v, irqchip ? guest_stale_code : guest_stale_code_alone);
	ioctl(self->v->fd, KVM_GET_SREGS, &s);
	/* What comes from CPL 3 has a stack of its own. */
	memcpy((void *)(uintptr_t)(s.tr.base + 4), &top, 8);
	self->idt = (uint64_t *)(uintptr_t)s.idt.base;
	self->idt[2 * 0x70] |= 3ull << 45;
}

FIXTURE_SETUP(soft)
{
	self->vm.fd = -1;
}

FIXTURE_TEARDOWN(soft)
{
	if (self->vm.fd >= 0)
		vm_destroy(&self->vm);
}

/* The gate of @vector; the table is shared by all tests of a program, and each is a process of its own. */
static void gate_dpl(FIXTURE_DATA(soft) *self, unsigned int vector, uint64_t dpl)
{
	self->idt[2 * vector] = (self->idt[2 * vector] & ~(3ull << 45)) | dpl << 45;
}

enum reached { EMULATED, NOT_EMULATED, DEVICE_SEEN };

/* Let the guest run @insn in the emulator. @before: is called with the guest stopped, interrupts off. */
static enum reached emulate(FIXTURE_DATA(soft) *self, const char *insn, unsigned int len,
			    void (*before)(FIXTURE_DATA(soft) *self))
{
	int64_t count;
	int i;

	memset(self->mem + 2 * PAGE, 0xc3, PAGE);
	memcpy(self->mem + 2 * PAGE, insn, len);
	insn_len = len;
	/* Whatever empties the TLB at the wrong moment, the INT runs on the CPU then. */
	for (i = 0; i < 50; i++) {
		vcpu_expect(self->v, MSG_SYNC);
		nr_seen = 0;
		memset(seen, 0, sizeof(seen));
		count = kvm_stat(self->v->fd, "insn_emulation");
		if (before)
			before(self);
		if (vcpu_run(self->v, NULL) != MSG_SYNC)
			return DEVICE_SEEN;
		if (kvm_stat(self->v->fd, "insn_emulation") > count)
			return EMULATED;
	}
	return NOT_EMULATED;
}

#define EMULATE(insn, before)							\
do {										\
	enum reached r_ = emulate(self, insn, sizeof(insn) - 1, before);	\
	if (r_ == NOT_EMULATED)							\
		SKIP(return, "nothing stays in this CPU's TLB");		\
	if (r_ == DEVICE_SEEN && self->v->run->exit_reason == KVM_EXIT_MMIO)	\
		SKIP(return, "this CPU tells the instruction's bytes");		\
	ASSERT_EQ(EMULATED, r_)							\
		TH_LOG("exit %u", self->v->run->exit_reason);			\
} while (0)

#define NEEDS_EMULATION()							\
do {										\
	if (!on_keel())								\
		SKIP(return, "the kernel's own KVM emulates INT in real mode only");	\
} while (0)

#define EXPECT_SEEN(i, v, r, c, e)						\
do {										\
	EXPECT_EQ(v, seen[i].vector);						\
	EXPECT_EQ(r, seen[i].rip);						\
	EXPECT_EQ(c, seen[i].cs);						\
	EXPECT_EQ(e, seen[i].error);						\
} while (0)

/* Above CPL 0 an INT n or INT3 needs a gate that lets it; INT1 does not (SDM 2A, INT). */
TEST_F(soft, emulated_at_each_level)
{
	NEEDS_EMULATION();
	create(self, TEST_IRQCHIP_FULL);
	EMULATE("\xcd\x60", NULL);
	ASSERT_EQ(1, nr_seen);
	EXPECT_SEEN(0, 0x60, CODE + 2, 0x08, 0);
	EMULATE("\xcc", NULL);
	ASSERT_EQ(1, nr_seen);
	EXPECT_SEEN(0, 3, CODE + 1, 0x08, 0);
	EMULATE("\xf1", NULL);
	ASSERT_EQ(1, nr_seen);
	EXPECT_SEEN(0, 1, CODE + 1, 0x08, 0);

	at_user = 1;
	gate_dpl(self, 0x60, 3);
	EMULATE("\xcd\x60", NULL);
	ASSERT_EQ(1, nr_seen);
	EXPECT_SEEN(0, 0x60, CODE + 2, USER_CS, 0);
	gate_dpl(self, 3, 3);
	EMULATE("\xcc", NULL);
	ASSERT_EQ(1, nr_seen);
	EXPECT_SEEN(0, 3, CODE + 1, USER_CS, 0);
	EMULATE("\xf1", NULL);
	ASSERT_EQ(1, nr_seen);
	EXPECT_SEEN(0, 1, CODE + 1, USER_CS, 0);
}

/*
 * The error code names the gate, and RIP is at the instruction. Twice: the first delivery may meet memory that is not
 * mapped yet, and what is cut short runs again on the CPU.
 */
TEST_F(soft, emulated_without_the_right)
{
	int i;

	NEEDS_EMULATION();
	create(self, TEST_IRQCHIP_FULL);
	at_user = 1;
	gate_dpl(self, 0x60, 0);
	gate_dpl(self, 3, 0);
	for (i = 0; i < 2; i++) {
		EMULATE("\xcd\x60", NULL);
		ASSERT_EQ(1, nr_seen);
		EXPECT_SEEN(0, 13, CODE, USER_CS, 0x60 << 3 | 2);
		EMULATE("\xcc", NULL);
		ASSERT_EQ(1, nr_seen);
		EXPECT_SEEN(0, 13, CODE, USER_CS, 3 << 3 | 2);
	}
}

static void send_msi(FIXTURE_DATA(soft) *self)
{
	struct kvm_msi msi = { .address_lo = 0xfee00000, .data = 0x44 };

	ioctl(self->vm.fd, KVM_SIGNAL_MSI, &msi);
}

/* An interrupt waits in the APIC for IF; the instruction's own comes first. */
TEST_F(soft, emulated_while_an_interrupt_waits)
{
	NEEDS_EMULATION();
	create(self, TEST_IRQCHIP_FULL);
	EMULATE("\xcd\x60", send_msi);
	ASSERT_EQ(2, nr_seen);
	EXPECT_SEEN(0, 0x60, CODE + 2, 0x08, 0);
	EXPECT_EQ(0x44, seen[1].vector);
	/* The same at CPL 3. */
	at_user = 1;
	gate_dpl(self, 0x60, 3);
	EMULATE("\xcd\x60", send_msi);
	ASSERT_EQ(2, nr_seen);
	EXPECT_SEEN(0, 0x60, CODE + 2, USER_CS, 0);
	EXPECT_EQ(0x44, seen[1].vector);
}

/* IF is set and the TPR holds it back, until the handler lowers that: it comes behind the handler's IRET. */
TEST_F(soft, emulated_above_the_tpr)
{
	NEEDS_EMULATION();
	create(self, TEST_IRQCHIP_FULL);
	raise_tpr = 1;
	flags = 0x202;
	EMULATE("\xcd\x60", send_msi);
	ASSERT_EQ(2, nr_seen);
	EXPECT_SEEN(0, 0x60, CODE + 2, 0x08, 0);
	EXPECT_SEEN(1, 0x44, CODE + 2, 0x08, 0);
}

static void queue_irq(FIXTURE_DATA(soft) *self)
{
	struct kvm_interrupt irq = { .irq = 0x44 };

	ioctl(self->v->fd, KVM_INTERRUPT, &irq);
}

static void note_only(struct guest_frame *f)
{
	seen[nr_seen++ & 7].vector = f->vector;
}

/* Userspace queued one for a guest that takes none yet: the place of the instruction's own is taken. */
TEST_F(soft, emulated_while_one_is_queued)
{
	NEEDS_EMULATION();
	create(self, TEST_IRQCHIP_NONE);
	guest_handlers[0x44] = note_only;
	EMULATE("\xcd\x60", queue_irq);
	ASSERT_EQ(2, nr_seen);
	EXPECT_SEEN(0, 0x60, CODE + 2, 0x08, 0);
	EXPECT_EQ(0x44, seen[1].vector);
}

/* --- INT1 on the CPU --- */

static volatile uint64_t dr6_seen;

static void note_db(struct guest_frame *f)
{
	uint64_t dr6;

	__asm__ volatile("mov %%dr6, %0" : "=r" (dr6));
	dr6_seen = dr6;
	note(f);
}

#define INT1(name, before)							\
	__asm__ volatile(before ".byte 0xf1\n.globl " name "\n" name ": nop" : : : "rax", "memory")
extern const char int1_plain[], int1_sti[], int1_ss[];

static void guest_int1(void)
{
	__asm__ volatile("mov %0, %%dr6" : : "r" (0xffff0ff0ull));
	INT1("int1_plain", "");
	guest_sync(0);
	INT1("int1_sti", "sti\n");
	guest_cli();
	guest_sync(1);
	INT1("int1_ss", "movl %%ss, %%eax\nmovl %%eax, %%ss\n");
	guest_sync(2);
	/* At CPL 3, whatever the gate's DPL. */
	run_trampoline();
	guest_sync(3);
}

TEST_F(soft, int1)
{
	if (under_tcg())
		SKIP(return, "the emulator takes it for no instruction");
	create(self, TEST_IRQCHIP_NONE);
	guest_handlers[1] = note_db;
	/* No stale code here: the page is the one it was all along. */
	memcpy(self->mem + 2 * PAGE, "\xf1", 1);
	((uint64_t *)self->mem)[8] = NEW_PAGE | 7;
	vcpu_start(self->v, guest_int1);
	nr_seen = 0;
	EXPECT_EQ(0, vcpu_expect(self->v, MSG_SYNC));
	EXPECT_EQ(1, nr_seen);
	EXPECT_SEEN(0, 1, (uintptr_t)int1_plain, 0x08, 0);
	/* It tells no cause. */
	EXPECT_EQ(0, dr6_seen & 0xe00f);
	EXPECT_EQ(1, vcpu_expect(self->v, MSG_SYNC));
	EXPECT_EQ(2, nr_seen);
	EXPECT_SEEN(1, 1, (uintptr_t)int1_sti, 0x08, 0);
	EXPECT_EQ(2, vcpu_expect(self->v, MSG_SYNC));
	EXPECT_EQ(3, nr_seen);
	EXPECT_SEEN(2, 1, (uintptr_t)int1_ss, 0x08, 0);
	at_user = 1;
	EXPECT_EQ(3, vcpu_expect(self->v, MSG_SYNC));
	EXPECT_EQ(4, nr_seen);
	EXPECT_SEEN(3, 1, CODE + 1, USER_CS, 0);
	EXPECT_EQ(0, dr6_seen & 0xe00f);
}

TEST_HARNESS_MAIN
