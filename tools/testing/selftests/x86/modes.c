// SPDX-License-Identifier: GPL-2.0-only
/*
 * The modes of old: 16-bit real mode, 32-bit protected mode with and without paging, the ways between
 * them, tasks. Instructions on device memory come out there as they do on memory.
 */
#include <errno.h>
#include <string.h>
#include "kselftest_harness.h"
#include "testvm.h"

#define LOW_SIZE	0xa0000		/* memory; device memory follows */
#define RAM		0x90000
#define DEV		0xa0000
#define AREA		0x400
#define CODE		0x1000
#define LOG		0x80100
#define LOG_SIZE	0x200

/* ---- real mode: BX = the segment of the area under test. Results go to 0x80100 on. ---- */

#define LOGW	"movw %ax, (%si); addw $2, %si\n"
#define LOGL	"movl %eax, (%si); addl $4, %esi\n"

__asm__(".text\n.globl real_code, real_code_end\n.code16\nreal_code:\n"
	"cld; movw $0x8000, %ax; movw %ax, %ds; movw %bx, %es; movw %bx, %fs\n"
	"movl $0x100, %esi\n"
	"movw $0x1234, %ax; movw %ax, %es:0x10; movb %es:0x11, %al\n" LOGW
	"movl $0xdeadbeef, %es:0x20; movl %es:0x1e, %eax\n" LOGL
	"movw $0x5a5a, %ax; xchgw %ax, %es:0x20\n" LOGW
	"addw $0x1111, %es:0x20; pushfw; popw %ax; andw $0x8d5, %ax\n" LOGW
	"sbbw %ax, %es:0x22; pushfw; popw %ax; andw $0x8d5, %ax\n" LOGW
	"orb $0x80, %es:0x21; andb $0xf0, %es:0x22; xorw $0xffff, %es:0x20\n"
	"incb %es:0x20; decw %es:0x22; negw %es:0x24; notl %es:0x28; shlw $3, %es:0x2a\n"
	"movw $0x30, %di; movw $5, %cx; movw $0xabcd, %ax; rep stosw; movw %di, %ax\n" LOGW
	"movw %cx, %ax\n" LOGW
	/* memory to it, it to itself, and what is read from it */
	"movw %si, %bp; xorw %si, %si; movw $0x40, %di; movw $9, %cx; rep movsb\n"
	"movw $0x40, %si; movw $0x60, %di; movw $4, %cx; rep movsw %es:(%si), %es:(%di)\n"
	"movw $0x62, %si; lodsw %es:(%si); movw %bp, %si\n" LOGW
	/* 32-bit addresses, several registers in one */
	"movl $0x50, %edx; movl %eax, %es:(%edx); movl %es:4(%edx,%edx), %eax\n" LOGL
	"movw $0x10, %bx; movw $0x12, %di; movw %ax, %es:2(%bx,%di); movb %es:(%bx,%di), %al\n" LOGW
	"pushw %es:0x20; popw %ax\n" LOGW
	"pushw $0x77; popw %es:0x24; pushl %es:0x40; popl %eax\n" LOGL
	"movw %es:0x20, %ax; movw $0x4321, %cx; cmpxchgw %cx, %es:0x20; sete %al\n" LOGW
	"movw $7, %ax; xaddw %ax, %es:0x20\n" LOGW
	"btsw $3, %es:0x28; setc %al\n" LOGW
	"les %fs:0x20, %di; movw %es, %ax\n" LOGW
	"movw %di, %ax\n" LOGW
	"movw %fs, %ax; movw %ax, %es; movw $0x30, %di; movw $0xffff, %ax; movw $8, %cx\n"
	"repne scasb; movw %cx, %ax\n" LOGW
	"cmpw $0x1234, %es:0x10; sete %al\n" LOGW
	"movw $0x13, %di; std; movw $3, %cx; rep stosb; cld; movw %di, %ax\n" LOGW
	"imulw $5, %es:0x10, %ax\n" LOGW
	"hlt\nreal_code_end:\n.code64");
extern const char real_code[], real_code_end[];

/*
 * ---- protected mode: EBX = the linear address of the area. Entered from real mode by LMSW and a far
 * jump, left by MOV to CR0 and another. The GDT is at 0x2000, its pointer at 0x2100. ----
 */

#define CODE32	0x08
#define DATA32	0x10
#define TASK1	0x18
#define TASK2	0x20
#define CODE16	0x28
#define DATA16	0x30
#define RESULT	0x600

#define AT(label)	"(" label " - pm_code + 0x1000)"

__asm__(".text\n.globl pm_code, pm_code_end\n.code16\npm_code:\n"
	"cld; xorw %ax, %ax; movw %ax, %ds; lgdtl 0x2100\n"
	"smsw %ax; movw %ax, 0x600; orw $1, %ax; lmsw %ax\n"
	"ljmpl $8, $" AT("1f") "\n"
	".code32\n1: movw $0x10, %ax; movw %ax, %ds; movw %ax, %es; movw %ax, %ss\n"
	"movl $0x7000, %esp; movl $0x80100, %esi; movl %ebx, %edi\n"
	"call pm_ops\n"
	/* LMSW cannot leave protected mode; it can set TS. */
	"movw $8, %ax; lmsw %ax; movl %cr0, %eax; movl %eax, 0x604\n"
	"clts; smsw %eax; movl %eax, 0x608\n"
	/* The same with 4 MiB pages. */
	"movl $0x83, 0x4000; movl $0x4000, %eax; movl %eax, %cr3\n"
	"movl %cr4, %eax; orl $0x10, %eax; movl %eax, %cr4\n"
	"movl %cr0, %eax; orl $0x80000000, %eax; movl %eax, %cr0\n"
	"movl %ebx, %edi; addl $0x200, %edi; call pm_ops\n"
	"movl 0x4000, %eax; movl %eax, 0x60c\n"
	"movl %cr0, %eax; andl $0x7fffffff, %eax; movl %eax, %cr0\n"
	/* Back by way of a 16-bit segment. */
	"ljmp $0x28, $" AT("2f") "\n"
	".code16\n2: movw $0x30, %ax; movw %ax, %ds; movw %ax, %es; movw %ax, %ss\n"
	"movl %cr0, %eax; andb $0xfe, %al; movl %eax, %cr0; ljmp $0, $" AT("3f") "\n"
	"3: xorw %ax, %ax; movw %ax, %ds; movw %ax, %ss; movw $0x600d, 0x610; hlt\n"
	".code32\npm_ops:\n"
	"movl $0x11223344, (%edi); movw 1(%edi), %ax; movl %eax, (%esi); addl $4, %esi\n"
	"movl $0x40, %ecx; movl %ecx, 4(%edi,%ecx,2); addl %ecx, 4(%edi,%ecx,2)\n"
	"pushl (%edi); popl 8(%edi); lock xaddl %ecx, 8(%edi); movl %ecx, (%esi); addl $4, %esi\n"
	"pushl %edi; pushl %esi; addl $0x20, %edi; movl $0x80000, %esi; movl $6, %ecx\n"
	"rep movsl; popl %esi; movl %edi, %eax; popl %edi\n"
	"subl %edi, %eax; movl %eax, (%esi); addl $4, %esi\n"
	"movl $" AT("4f") ", 0x10(%edi); call *0x10(%edi); movl %eax, (%esi); addl $4, %esi\n"
	"movw $0x5566, %ax; addr16 movw %ax, 0x620; movb $3, %cl; rorl %cl, (%edi)\n"
	"movzwl 0x22(%edi), %eax; movl %eax, (%esi); addl $4, %esi\n"
	"incl (%edi); bsfl (%edi), %eax; movl %eax, (%esi); addl $4, %esi; ret\n"
	"4: movl $0xca11, %eax; ret\n"
	"pm_code_end:\n.code64");
extern const char pm_code[], pm_code_end[];

/*
 * ---- tasks: a jump to another and back, a call and the IRET that ends it. TSS 1 is at 0x3000,
 * TSS 2 at 0x3100; what the second sees goes to 0x600. ----
 */
#define TSS1	0x3000
#define TSS2	0x3100

__asm__(".text\n.globl task_code, task_code_end, task_2\n.code32\ntask_code:\n"
	"movw $0x18, %ax; ltr %ax; movl $0x1111, %ebp\n"
	"ljmp $0x20, $0\n"
	"movl %ebp, 0x620; pushfl; popl 0x624; str 0x628\n"
	"lcall $0x20, $0\n"
	"movl %ebp, 0x630; pushfl; popl 0x634; str 0x638; movl %cr0, %eax; movl %eax, 0x63c; hlt\n"
	"task_2: movl %ebp, 0x600; pushfl; popl 0x604; str 0x608; movw 0x3100, %ax; movw %ax, 0x60a\n"
	"ljmp $0x18, $0\n"
	"incl %ebp; movl %ebp, 0x610; pushfl; popl 0x614; str 0x618; movw 0x3100, %ax\n"
	"movw %ax, 0x61a; iret; hlt\n"
	"task_code_end:\n.code64");
extern const char task_code[], task_code_end[], task_2[];

FIXTURE(modes)
{
	struct test_vm vm;
	struct test_vcpu *v;
	uint8_t *low, dev[AREA];
};

FIXTURE_SETUP(modes)
{
	vm_create(&self->vm, TEST_IRQCHIP_NONE);
	self->v = vcpu_create(&self->vm, 0);
	self->low = vm_add_memory(&self->vm, SLOT_FREE, 0, LOW_SIZE, 0);
}

FIXTURE_TEARDOWN(modes)
{
	vm_destroy(&self->vm);
}

static void fill(uint8_t *p, unsigned int n)
{
	while (n--)
		p[n] = n * 5 + 0x21;
}

static void put_gdt(uint8_t *low)
{
	const uint64_t gdt[] = {
		0, 0x00cf9b000000ffff, 0x00cf93000000ffff,
		0x0000890000000067 | TSS1 << 16, 0x0000890000000067 | TSS2 << 16,
		0x00009b000000ffff, 0x000093000000ffff,
	};
	const struct { uint16_t limit; uint32_t base; } __attribute__((packed)) ptr = {
		sizeof(gdt) - 1, 0x2000,
	};

	memcpy(low + 0x2000, gdt, sizeof(gdt));
	memcpy(low + 0x2100, &ptr, sizeof(ptr));
}

/* Serve device memory until HLT; the number of accesses. */
static unsigned int run_to_hlt(struct __test_metadata *_metadata, struct test_vcpu *v, uint8_t *dev)
{
	struct kvm_run *r = v->run;
	unsigned int n = 0;

	for (;;) {
		ASSERT_EQ(0, ioctl(v->fd, KVM_RUN, 0));
		if (r->exit_reason == KVM_EXIT_HLT)
			return n;
		ASSERT_EQ(KVM_EXIT_MMIO, r->exit_reason)
			TH_LOG("suberror %u", r->internal.suberror);
		ASSERT_LE(DEV, r->mmio.phys_addr);
		ASSERT_GE(DEV + AREA, r->mmio.phys_addr + r->mmio.len);
		if (r->mmio.is_write)
			memcpy(dev + r->mmio.phys_addr - DEV, r->mmio.data, r->mmio.len);
		else
			memcpy(r->mmio.data, dev + r->mmio.phys_addr - DEV, r->mmio.len);
		n++;
	}
}

static void start(struct test_vcpu *v, uint8_t *low, const char *code, const char *end, uint64_t rbx)
{
	struct kvm_regs r = { .rip = CODE, .rflags = 2, .rsp = 0x7000, .rbx = rbx };

	memcpy(low + CODE, code, end - code);
	vcpu_start_real(v, CODE);
	ioctl(v->fd, KVM_SET_REGS, &r);
}

TEST_F(modes, real_mode)
{
	uint8_t log[LOG_SIZE];

	fill(self->low + 0x80000, 0x100);
	fill(self->low + RAM, AREA);
	fill(self->dev, AREA);
	start(self->v, self->low, real_code, real_code_end, RAM >> 4);
	EXPECT_EQ(0, run_to_hlt(_metadata, self->v, self->dev));
	memcpy(log, self->low + LOG, LOG_SIZE);
	memset(self->low + LOG, 0, LOG_SIZE);

	start(self->v, self->low, real_code, real_code_end, DEV >> 4);
	EXPECT_LT(60, run_to_hlt(_metadata, self->v, self->dev));
	EXPECT_EQ(0, memcmp(log, self->low + LOG, LOG_SIZE));
	EXPECT_EQ(0, memcmp(self->low + RAM, self->dev, AREA));
	EXPECT_EQ(0x12, log[0]);
}

TEST_F(modes, protected_mode_and_back)
{
	uint8_t log[LOG_SIZE];
	uint32_t result[8];

	put_gdt(self->low);
	fill(self->low + 0x80000, 0x100);
	fill(self->low + RAM, AREA);
	fill(self->dev, AREA);
	start(self->v, self->low, pm_code, pm_code_end, RAM);
	EXPECT_EQ(0, run_to_hlt(_metadata, self->v, self->dev));
	memcpy(log, self->low + LOG, LOG_SIZE);
	memset(self->low + LOG, 0, LOG_SIZE);
	memset(self->low + RESULT, 0, 0x20);

	start(self->v, self->low, pm_code, pm_code_end, DEV);
	EXPECT_LT(30, run_to_hlt(_metadata, self->v, self->dev));
	EXPECT_EQ(0, memcmp(log, self->low + LOG, LOG_SIZE));
	EXPECT_EQ(0, memcmp(self->low + RAM, self->dev, AREA));
	memcpy(result, self->low + RESULT, sizeof(result));
	EXPECT_EQ(0, result[0] & 1);			/* SMSW before */
	EXPECT_EQ(9, result[1] & 0xf);			/* PE stays, TS is set */
	EXPECT_EQ(1, result[2] & 0xf);
	EXPECT_EQ(0xe3, result[3] & 0xff);		/* accessed and dirty */
	EXPECT_EQ(0x600d, result[4]);
}

static void put_tss(uint8_t *low, uint32_t at, uint32_t eip, uint32_t esp, uint32_t ebp)
{
	uint32_t tss[26] = {};

	tss[8] = eip;
	tss[9] = 2;
	tss[14] = esp;
	tss[15] = ebp;
	tss[18] = tss[20] = tss[21] = tss[22] = tss[23] = DATA32;
	tss[19] = CODE32;
	tss[25] = 104 << 16;
	memcpy(low + at, tss, sizeof(tss));
}

static void start_tasks(struct test_vcpu *v, uint8_t *low)
{
	struct kvm_sregs s;

	put_gdt(low);
	put_tss(low, TSS1, 0, 0, 0);
	put_tss(low, TSS2, CODE + (task_2 - task_code), 0x6000, 0x2222);
	start(v, low, task_code, task_code_end, 0);
	ioctl(v->fd, KVM_GET_SREGS, &s);
	s.cr0 |= 1;
	s.cs = flat_segment(CODE32, 0xb, 32);
	s.ds = s.es = s.fs = s.gs = s.ss = flat_segment(DATA32, 3, 32);
	s.gdt.base = 0x2000;
	s.gdt.limit = 7 * 8 - 1;
	ioctl(v->fd, KVM_SET_SREGS, &s);
}

TEST_F(modes, tasks)
{
	struct kvm_sregs s;
	uint32_t r[16];

	start_tasks(self->v, self->low);
	EXPECT_EQ(0, run_to_hlt(_metadata, self->v, self->dev));
	memcpy(r, self->low + RESULT, sizeof(r));
	EXPECT_EQ(0x2222, r[0]);			/* from its TSS */
	EXPECT_EQ(0, r[1] & 0x4000);			/* a jump nests nothing */
	EXPECT_EQ(TASK2, r[2] & 0xffff);
	EXPECT_EQ(0, r[2] >> 16);
	EXPECT_EQ(0x1111, r[8]);			/* back in the first */
	EXPECT_EQ(TASK1, r[10] & 0xffff);
	EXPECT_EQ(0x2223, r[4]);			/* the second goes on where it was */
	EXPECT_EQ(0x4000, r[5] & 0x4000);		/* called: NT */
	EXPECT_EQ(TASK2 | TASK1 << 16, r[6]);		/* and the link back */
	EXPECT_EQ(0x1111, r[12]);
	EXPECT_EQ(0, r[13] & 0x4000);
	EXPECT_EQ(TASK1, r[14] & 0xffff);
	/* Each switch sets TS (APM 2 12.4.1, SDM 3A 7.3); with stock KVM on AMD-V it does not. */
	EXPECT_EQ(on_keel() || host_is_intel() ? 8 : 0, r[15] & 8);
	/* The descriptors tell who is busy. */
	EXPECT_EQ(0x8b, self->low[0x2000 + TASK1 + 5]);
	EXPECT_EQ(0x89, self->low[0x2000 + TASK2 + 5]);
	ASSERT_EQ(0, ioctl(self->v->fd, KVM_GET_SREGS, &s));
	EXPECT_EQ(TASK1, s.tr.selector);
	EXPECT_EQ(TSS1, s.tr.base);
}

/* A debugger that steps sees the first instruction of the other task, and leaves no TF in the first one's state. */
TEST_F(modes, tasks_in_single_steps)
{
	struct kvm_guest_debug dbg = { .control = KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_SINGLESTEP };
	const uint64_t there = CODE + (task_2 - task_code);
	int steps = 0, seen = 0;
	uint32_t flags, ebp;

	if (under_tcg())
		SKIP(return, "the emulator switches tasks itself, with the TF that is set to step");
	start_tasks(self->v, self->low);
	ASSERT_EQ(0, ioctl(self->v->fd, KVM_SET_GUEST_DEBUG, &dbg));
	while (steps++ < 100) {
		ASSERT_EQ(0, ioctl(self->v->fd, KVM_RUN, 0));
		if (self->v->run->exit_reason != KVM_EXIT_DEBUG)
			break;
		if (self->v->run->debug.arch.pc == there && !seen++) {
			memcpy(&flags, self->low + TSS1 + 0x24, sizeof(flags));
			EXPECT_EQ(2, flags);
		}
	}
	EXPECT_EQ(KVM_EXIT_HLT, self->v->run->exit_reason);
	EXPECT_EQ(1, seen);
	memcpy(&ebp, self->low + RESULT + 0x30, sizeof(ebp));
	EXPECT_EQ(0x1111, ebp);
}

/* Interrupts of all kinds through the table at 0. */
static const uint8_t irq_loop[] = {
	0xfb,				/* sti */
	0xcd, 0x60,			/* int 0x60 */
	0xcc,				/* int3 */
	0x0f, 0x0b,			/* ud2: its handler skips it */
	0xf4,				/* hlt */
};
static const uint8_t irq_handlers[] = {
	0xff, 0x06, 0x00, 0x07, 0xcf,			/* 1800: inc word [700]; iret */
	0x55, 0x89, 0xe5, 0x83, 0x46, 0x02, 0x02,	/* 1805: push bp; mov bp,sp; add word [bp+2],2 */
	0x5d, 0xff, 0x06, 0x02, 0x07, 0xcf,		/* pop bp; inc word [702]; iret */
	0xff, 0x06, 0x04, 0x07, 0xf4, 0xcf,		/* 1812: inc word [704]; hlt; iret */
};

TEST_F(modes, interrupts_in_real_mode)
{
	struct kvm_interrupt irq = { .irq = 0x70 };
	struct kvm_regs r;

	memcpy(self->low + 0x1800, irq_handlers, sizeof(irq_handlers));
	((uint32_t *)self->low)[0x60] = 0x1800;
	((uint32_t *)self->low)[3] = 0x1800;
	((uint32_t *)self->low)[6] = 0x1805;
	((uint32_t *)self->low)[0x70] = 0x1812;
	start(self->v, self->low, (const char *)irq_loop, (const char *)irq_loop + sizeof(irq_loop), 0);
	self->v->run->request_interrupt_window = 1;
	ASSERT_EQ(0, ioctl(self->v->fd, KVM_RUN, 0));
	ASSERT_EQ(KVM_EXIT_IRQ_WINDOW_OPEN, self->v->run->exit_reason);
	self->v->run->request_interrupt_window = 0;
	ASSERT_EQ(0, ioctl(self->v->fd, KVM_INTERRUPT, &irq));
	ASSERT_EQ(0, ioctl(self->v->fd, KVM_RUN, 0));
	ASSERT_EQ(KVM_EXIT_HLT, self->v->run->exit_reason);
	EXPECT_EQ(1, *(uint16_t *)(self->low + 0x704));
	ASSERT_EQ(0, ioctl(self->v->fd, KVM_RUN, 0));
	ASSERT_EQ(KVM_EXIT_HLT, self->v->run->exit_reason);
	ASSERT_EQ(0, ioctl(self->v->fd, KVM_GET_REGS, &r));
	EXPECT_EQ(CODE + sizeof(irq_loop), r.rip);
	EXPECT_EQ(2, *(uint16_t *)(self->low + 0x700));
	EXPECT_EQ(1, *(uint16_t *)(self->low + 0x702));
	EXPECT_EQ(0x7000, r.rsp);
}

TEST_HARNESS_MAIN
