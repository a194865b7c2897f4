// SPDX-License-Identifier: GPL-2.0-only
/*
 * A guest that does whatever it likes: random instructions, MSRs, control and debug registers, ports,
 * device memory, APIC registers, page and descriptor tables, in every mode and at every privilege level.
 * A program is some dozen pieces of code (lib/fuzz_code.c); whatever a piece raises, the next one follows.
 * When a program has gone astray the vCPU gets its registers anew.
 *
 *	fuzz_guest [--seed N] [--cases N | --seconds N] [--threads N]
 *
 * A case is a VM with some programs; its seed is printed, and a case of one vCPU repeats (--cases 1), but
 * for the moments at which timers ring. --threads: vCPUs of each. Wrong is: an exit that does not go with
 * the VM's configuration or is not documented, a KVM_RUN that fails, a vCPU that does not take registers
 * or does not run a simple program afterwards. The rest is for the kernel log.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include "fuzz_code.h"
#include "testvm.h"

#define PAGE		4096u
#define RAM		AT_EDGE
#define PROGRAMS	12
#define PIECES		48
#define MAX_EXITS	150	/* of a program */
#define MAX_KICKS	4
#define KICK_MS		10
#define MAX_VCPUS	2

#define AT_COUNTER	0x600
#define AT_LIMIT	0x604
#define AT_ENTRIES	0xc00	/* of each piece: CS, SS, RFLAGS, RSP */
#define AT_DISPATCH	0x1000	/* for 16, 32 and 64 bits, 0x200 apart */
#define AT_TSS32	0x2800
#define AT_TSS64	0x2900
#define AT_TASK		0x2a00
#define AT_CODE		0x8000
#define PORT_DONE	0xf4

#define K32	0x08
#define KDATA	0x10
#define U32	0x1b
#define UDATA	0x23
#define K64	0x28
#define U64	0x33
#define TSS64	0x40
#define TSS32	0x50

/* Page tables, from AT_TABLES on. */
enum { PML4, PDPT, PD_LOW, PD_HIGH, PT_LOW, PD_PSE, PDPT_PAE };
#define TABLE(n)	(AT_TABLES + (n) * PAGE)

enum mode { REAL, UNREAL, PROT, PROT_PAGED, PROT_PAE, LONG, NR_MODES };

/*
 * Every interrupt and exception lands in one of these: the next piece is entered by IRET, with the
 * segments and flags of its table entry.
 */
__asm__(".text\n"
	".globl dispatch_16, dispatch_32, dispatch_64, dispatch_end\n"
	".code16\ndispatch_16:\n"
	"xorw %ax, %ax; movw %ax, %ds; movw %ax, %ss; movw $0x7ff0, %sp\n"
	"movw 0x600, %bx; incw %bx; movw %bx, 0x600; cmpw 0x604, %bx; jae 9f\n"
	"movw %bx, %dx; shlw $6, %dx; addw $0x8000, %dx; shlw $4, %bx\n"
	"pushw 0xc08(%bx); pushw $0; pushw %dx; iretw\n"
	"9: outb %al, $0xf4; jmp 9b\n"
	".code32\ndispatch_32:\n"
	"movw $0x10, %ax; movw %ax, %ss; movl $0x7ff0, %esp\n"
	"movw $0x23, %ax; movw %ax, %ds; movw %ax, %es\n"
	"movl 0x600, %ecx; incl %ecx; movl %ecx, 0x600; cmpl 0x604, %ecx; jae 9f\n"
	"movl %ecx, %edx; shll $6, %edx; addl $0x8000, %edx; shll $4, %ecx\n"
	"testl $0x20000, 0xc08(%ecx); jz 1f; pushl $0; pushl $0; pushl $0; pushl $0; jmp 2f\n"
	"1: testl $3, 0xc00(%ecx); jz 3f\n"
	"2: pushl 0xc04(%ecx); pushl 0xc0c(%ecx)\n"
	"3: pushl 0xc08(%ecx); pushl 0xc00(%ecx); pushl %edx; iretl\n"
	"9: outb %al, $0xf4; jmp 9b\n"
	".code64\ndispatch_64:\n"
	"movl $0x7ff0, %esp; movw $0x23, %ax; movw %ax, %ds; movw %ax, %es\n"
	"movl 0x600, %ecx; incl %ecx; movl %ecx, 0x600; cmpl 0x604, %ecx; jae 9f\n"
	"movl %ecx, %edx; shll $6, %edx; addl $0x8000, %edx; shll $4, %ecx\n"
	"movl 0xc04(%rcx), %eax; pushq %rax; movl 0xc0c(%rcx), %eax; pushq %rax\n"
	"movl 0xc08(%rcx), %eax; pushq %rax; movl 0xc00(%rcx), %eax; pushq %rax\n"
	"pushq %rdx; iretq\n"
	"9: outb %al, $0xf4; jmp 9b\n"
	"dispatch_end:\n");
extern const char dispatch_16[], dispatch_32[], dispatch_64[], dispatch_end[];

static struct totals {
	uint64_t programs, finished, pieces, exits[64], interrupted, shutdown_modes[NR_MODES];
} *totals;

struct guest {
	int kvm, vm;
	uint8_t *mem;
	enum test_irqchip chip;
	enum mode mode;
	bool user_msr, stepped, tcg, logged;
	unsigned int nr_vcpus;
	int vcpu[MAX_VCPUS];
	struct kvm_run *run[MAX_VCPUS];
	volatile bool stop;
	char bad[160];		/* what was wrong */
};

static struct fuzz_msrs msrs;
static struct kvm_sregs reset_sregs;

static void complain(struct guest *g, const char *what, long a, long b)
{
	if (!g->bad[0])
		snprintf(g->bad, sizeof(g->bad), "%s (%ld, %ld)", what, a, b);
	g->stop = true;
}

/* ---- the guest's memory ---- */

static void put(struct guest *g, uint32_t at, uint64_t v)
{
	memcpy(g->mem + at, &v, 8);
}

static void put_tables(struct guest *g)
{
	unsigned int i;

	memset(g->mem + AT_TABLES, 0, NR_TABLES * PAGE);
	put(g, TABLE(PML4), TABLE(PDPT) | 7);
	put(g, TABLE(PDPT), TABLE(PD_LOW) | 7);
	put(g, TABLE(PDPT) + 24, TABLE(PD_HIGH) | 7);
	put(g, TABLE(PDPT_PAE), TABLE(PD_LOW) | 1);
	put(g, TABLE(PDPT_PAE) + 24, TABLE(PD_HIGH) | 1);
	put(g, TABLE(PD_LOW), TABLE(PT_LOW) | 7);
	for (i = 0; i < 512; i++) {
		put(g, TABLE(PT_LOW) + 8 * i, i * PAGE | 7);
		if (i)
			put(g, TABLE(PD_LOW) + 8 * i, (uint64_t)i << 21 | 0x87);
		put(g, TABLE(PD_HIGH) + 8 * i, 0xc0000000 | (uint64_t)i << 21 | 0x87);
	}
	for (i = 0; i < 1024; i++) {
		uint32_t pde = i << 22 | 0x87;

		memcpy(g->mem + TABLE(PD_PSE) + 4 * i, &pde, 4);
	}
}

static uint64_t gate(uint32_t to, uint16_t sel, uint8_t type)
{
	return (to & 0xffff) | (uint64_t)sel << 16 | (uint64_t)type << 40 |
	       (uint64_t)(to >> 16) << 48;
}

static void put_descriptors(struct guest *g)
{
	static const uint64_t gdt[] = {
		0, 0x00cf9b000000ffff, 0x00cf93000000ffff, 0x00cffb000000ffff, 0x00cff3000000ffff,
		0x00af9b000000ffff, 0x00affb000000ffff, 0x00009b000000ffff,
		0x00008b0000000067 | (uint64_t)AT_TSS64 << 16, 0,
		0x00008b0000000067 | (uint64_t)AT_TSS32 << 16, 0,
		0x0000890000000067 | (uint64_t)AT_TASK << 16, 0,
	};
	uint32_t tss[26] = { [1] = 0x7ff0, [2] = KDATA }, i;

	/*
	 * QEMU's CPU ends the emulator when TR is busy in a change of stacks outside long mode. It is,
	 * after a task switch: there are no tasks then.
	 */
	memset(g->mem + AT_GDT, 0, 0x800);
	memcpy(g->mem + AT_GDT, gdt, g->tcg ? 0x40 : sizeof(gdt));
	put(g, AT_GDT + 0x68, gate(AT_DISPATCH + 0x200, K32, 0xec));
	memcpy(g->mem + AT_TSS32, tss, sizeof(tss));
	tss[7] = g->mode == PROT_PAE ? TABLE(PDPT_PAE) : TABLE(PD_PSE);
	tss[8] = AT_DISPATCH + 0x200;
	tss[9] = 2;
	tss[14] = 0x7ff0;
	tss[18] = tss[20] = tss[21] = tss[22] = tss[23] = KDATA;
	tss[19] = K32;
	memcpy(g->mem + AT_TASK, tss, sizeof(tss));
	memset(g->mem + AT_TSS64, 0, 0x68);
	put(g, AT_TSS64 + 4, 0x7ff0);
	for (i = 0; i < 256; i++) {
		uint32_t real = AT_DISPATCH;

		memcpy(g->mem + 4 * i, &real, 4);
		put(g, AT_IDT + 16 * i, gate(AT_DISPATCH + 0x400, K64, 0xee));
		put(g, AT_IDT + 16 * i + 8, 0);
		put(g, AT_IDT + 0x1000 + 8 * i, gate(AT_DISPATCH + 0x200, K32, 0xee));
	}
	put(g, AT_IDT + 0x1000 + 8 * 0x90, gate(0, 0x60, 0xe5));	/* a task gate */
}

static unsigned int piece_bits(struct guest *g, struct rng *r, uint32_t entry[4])
{
	bool user = one_in(r, 3);

	entry[1] = user ? UDATA : KDATA;
	entry[2] = 2 | (one_in(r, 3) ? rnd(r) & 0x257fd5 : one_in(r, 2) ? 0x3200 : 0);
	entry[3] = user ? 0x6ff0 : 0x7fc0;
	entry[0] = user ? U32 : K32;
	switch (g->mode) {
	case REAL:
	case UNREAL:
		return 16;
	case LONG:
		if (one_in(r, 4))
			return 32;
		entry[0] = user ? U64 : K64;
		return 64;
	default:
		if (!one_in(r, 5))
			return 32;
		entry[0] = entry[1] = 0;		/* virtual 8086 mode */
		entry[2] |= 0x20000;
		return 16;
	}
}

static void put_program(struct guest *g, struct rng *r)
{
	uint32_t entry[4], i;

	memset(g->mem, 0, 0x1000);
	memcpy(g->mem + AT_DISPATCH, dispatch_16, dispatch_32 - dispatch_16);
	memcpy(g->mem + AT_DISPATCH + 0x200, dispatch_32, dispatch_64 - dispatch_32);
	memcpy(g->mem + AT_DISPATCH + 0x400, dispatch_64, dispatch_end - dispatch_64);
	put_descriptors(g);
	put_tables(g);
	for (i = 0; i < PIECES; i++) {
		unsigned int bits = piece_bits(g, r, entry);

		memcpy(g->mem + AT_ENTRIES + 16 * i, entry, 16);
		fuzz_piece(r, g->mem + AT_CODE + PIECE_SIZE * i, bits, &msrs);
	}
	put(g, AT_COUNTER, (uint64_t)PIECES << 32 | 0xffffffff);
}

/* ---- registers ---- */

static struct kvm_segment segment(uint16_t sel, uint8_t type, unsigned int bits)
{
	return (struct kvm_segment){
		.limit = 0xffffffff, .selector = sel, .type = type, .present = 1, .s = 1, .g = 1,
		.dpl = sel & 3, .l = bits == 64, .db = bits == 32,
	};
}

static void system_segments(struct kvm_sregs *s, enum mode mode, bool tcg)
{
	s->tr = (struct kvm_segment){ .base = mode == LONG ? AT_TSS64 : AT_TSS32, .limit = 0x67,
				      .selector = mode == LONG ? TSS64 : TSS32, .type = tcg ? 9 : 0xb,
				      .present = 1 };
	s->ldt = (struct kvm_segment){ .unusable = 1 };
	s->gdt = (struct kvm_dtable){ .base = AT_GDT, .limit = 0x7f };
	s->idt = (struct kvm_dtable){ .base = mode == LONG ? AT_IDT : AT_IDT + 0x1000,
				      .limit = mode == LONG ? 0xfff : 0x7ff };
}

static void mode_sregs(struct kvm_sregs *s, enum mode mode, bool tcg)
{
	*s = reset_sregs;
	if (mode == REAL || mode == UNREAL) {
		s->cs.base = s->cs.selector = 0;
		if (mode == UNREAL)
			s->ds.limit = s->es.limit = s->fs.limit = 0xffffffff;
		return;
	}
	s->cr0 = 0x11 | (mode == PROT ? 0 : 0x80010000);
	s->cr3 = mode == LONG ? TABLE(PML4) : mode == PROT_PAE ? TABLE(PDPT_PAE) : TABLE(PD_PSE);
	s->cr4 = 0x610 | (mode == LONG || mode == PROT_PAE ? 0x20 : 0);
	s->efer = mode == LONG ? 0xd01 : 0;
	s->cs = segment(mode == LONG ? K64 : K32, 0xb, mode == LONG ? 64 : 32);
	s->ss = s->ds = s->es = s->fs = s->gs = segment(KDATA, 3, 32);
	system_segments(s, mode, tcg);
}

static void set_or_complain(struct guest *g, int fd, unsigned long cmd, void *p, const char *what)
{
	if (ioctl(fd, cmd, p))
		complain(g, what, errno, g->mode);
}

/* As after reset, but for the mode; what the guest did to its MSRs stays. */
static void put_registers(struct guest *g, int fd, struct rng *r)
{
	static const unsigned int at[] = { 0, 0, 0x200, 0x200, 0x200, 0x400 };
	struct kvm_mp_state mp = { KVM_MP_STATE_RUNNABLE };
	struct kvm_vcpu_events e = {};
	struct kvm_debugregs d = {};
	struct kvm_regs regs = {};
	struct kvm_sregs s;
	unsigned int i;

	for (i = 0; i < sizeof(regs) / 8; i++)
		((uint64_t *)&regs)[i] = odd_value(r);
	regs.rip = AT_DISPATCH + at[g->mode];
	regs.rflags = 2;
	regs.rsp = 0x7ff0;
	mode_sregs(&s, g->mode, g->tcg);
	set_or_complain(g, fd, KVM_SET_MP_STATE, &mp, "KVM_SET_MP_STATE");
	set_or_complain(g, fd, KVM_SET_SREGS, &s, "KVM_SET_SREGS");
	set_or_complain(g, fd, KVM_SET_REGS, &regs, "KVM_SET_REGS");
	set_or_complain(g, fd, KVM_SET_DEBUGREGS, &d, "KVM_SET_DEBUGREGS");
	set_or_complain(g, fd, KVM_SET_VCPU_EVENTS, &e, "KVM_SET_VCPU_EVENTS");
}

/* ---- exits ---- */

enum verdict { GO_ON, END };

/* What a VM of this kind can end a KVM_RUN with. */
static bool documented(struct guest *g, struct kvm_run *run)
{
	switch (run->exit_reason) {
	case KVM_EXIT_IO:
	case KVM_EXIT_MMIO:
	case KVM_EXIT_SHUTDOWN:
	case KVM_EXIT_TPR_ACCESS:
		return true;
	case KVM_EXIT_INTERNAL_ERROR:
		/* Nothing that a guest does exits in a way that nobody expected. */
		return run->internal.suberror == KVM_INTERNAL_ERROR_EMULATION ||
		       run->internal.suberror == KVM_INTERNAL_ERROR_DELIVERY_EV;
	case KVM_EXIT_HLT:
	case KVM_EXIT_SET_TPR:
		return g->chip == TEST_IRQCHIP_NONE;
	case KVM_EXIT_IRQ_WINDOW_OPEN:
		return g->chip != TEST_IRQCHIP_FULL;
	case KVM_EXIT_IOAPIC_EOI:
		return g->chip == TEST_IRQCHIP_SPLIT;
	case KVM_EXIT_X86_RDMSR:
	case KVM_EXIT_X86_WRMSR:
		return g->user_msr;
	case KVM_EXIT_DEBUG:
		return g->stepped;
	case KVM_EXIT_FAIL_ENTRY:
		/* QEMU's CPU lets the guest load what its VMRUN then refuses. */
		return g->tcg;
	default:
		return false;
	}
}

static enum verdict serve(struct guest *g, struct kvm_run *run, struct rng *r)
{
	uint64_t v = odd_value(r);
	uint32_t at;

	switch (run->exit_reason) {
	case KVM_EXIT_IO:
		if (run->io.port == PORT_DONE) {
			__atomic_fetch_add(&totals->finished, 1, __ATOMIC_RELAXED);
			return END;
		}
		at = run->io.data_offset;
		if (at < sizeof(*run) || at + run->io.size * run->io.count > 2 * PAGE) {
			complain(g, "KVM_EXIT_IO with its data outside", at, run->io.count);
			return END;
		}
		if (run->io.direction == KVM_EXIT_IO_IN)
			memset((uint8_t *)run + at, v, run->io.size * run->io.count);
		return GO_ON;
	case KVM_EXIT_MMIO:
		if (!run->mmio.len || run->mmio.len > 8) {
			complain(g, "KVM_EXIT_MMIO of a length", run->mmio.len, run->mmio.is_write);
			return END;
		}
		if (!run->mmio.is_write)
			memcpy(run->mmio.data, &v, 8);
		return GO_ON;
	case KVM_EXIT_X86_RDMSR:
	case KVM_EXIT_X86_WRMSR:
		run->msr.error = v & 1;
		run->msr.data = v;
		return GO_ON;
	case KVM_EXIT_SHUTDOWN:
		__atomic_fetch_add(&totals->shutdown_modes[g->mode], 1, __ATOMIC_RELAXED);
		return END;
	case KVM_EXIT_INTERNAL_ERROR:
	case KVM_EXIT_FAIL_ENTRY:
		return END;
	default:
		return GO_ON;
	}
}

/* What else happens to a guest: interrupts of all sorts, memory that is taken away. */
static void disturb(struct guest *g, int fd, struct kvm_run *run, struct rng *r)
{
	struct kvm_msi msi = { .address_lo = 0xfee00000 | (rnd(r) & 0xffffc), .data = rnd(r) & 0xcfff };
	struct kvm_interrupt irq = { .irq = below(r, 256) };
	struct kvm_irq_level line = { .irq = below(r, 24), .level = below(r, 2) };
	static uint64_t bits[RAM / PAGE / 64];
	struct kvm_dirty_log log = { .dirty_bitmap = bits };

	run->request_interrupt_window = one_in(r, 16);
	run->cr8 = one_in(r, 4) ? below(r, 16) : 0;
	switch (below(r, 24)) {
	case 0:
		ioctl(fd, KVM_NMI, 0);
		break;
	case 1:
		ioctl(fd, KVM_INTERRUPT, &irq);
		break;
	case 2:
		ioctl(g->vm, KVM_IRQ_LINE, &line);
		break;
	case 3:
		ioctl(g->vm, KVM_SIGNAL_MSI, &msi);
		break;
	case 4:
		if (g->logged)
			ioctl(g->vm, KVM_GET_DIRTY_LOG, &log);
		break;
	case 5:
		madvise(g->mem + AT_SCRATCH, PAGE, MADV_DONTNEED);
		break;
	}
}

static void run_program(struct guest *g, unsigned int n, struct rng *r)
{
	struct kvm_run *run = g->run[n];
	unsigned int exits = 0, kicks = 0;

	while (exits < MAX_EXITS && kicks < MAX_KICKS && !g->stop) {
		if (ioctl(g->vcpu[n], KVM_RUN, 0)) {
			if (errno != EINTR && errno != EAGAIN) {
				complain(g, "KVM_RUN failed", errno, run->exit_reason);
				return;
			}
			__atomic_fetch_add(&totals->interrupted, 1, __ATOMIC_RELAXED);
			kicks++;
			continue;
		}
		exits++;
		__atomic_fetch_add(&totals->exits[run->exit_reason % 64], 1, __ATOMIC_RELAXED);
		if (!documented(g, run)) {
			complain(g, "exit", run->exit_reason, run->internal.suberror);
			return;
		}
		if (serve(g, run, r) == END)
			return;
		disturb(g, g->vcpu[n], run, r);
	}
}

/* ---- a case ---- */

static void *second_vcpu(void *arg)
{
	struct guest *g = arg;
	struct rng r = { (uintptr_t)g->mem };

	fuzz_kick_me(KICK_MS);
	while (!g->stop) {
		run_program(g, 1, &r);
		if (one_in(&r, 4) && !g->stop)
			put_registers(g, g->vcpu[1], &r);
	}
	return NULL;
}

static struct kvm_cpuid2 *guest_cpuid_table(struct guest *g)
{
	struct kvm_cpuid2 *c = supported_cpuid(g->kvm);
	unsigned int i;

	/* XSETBV does not exit in QEMU's emulation: the guest would set the host's XCR0. */
	for (i = 0; g->tcg && i < c->nent; i++)
		if (c->entries[i].function == 1)
			c->entries[i].ecx &= ~(1u << 26);
	return c;
}

static void add_vcpu(struct guest *g, struct rng *r)
{
	unsigned int n = g->nr_vcpus++;
	struct kvm_guest_debug d = { .control = KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_SINGLESTEP };

	g->vcpu[n] = ioctl(g->vm, KVM_CREATE_VCPU, (long)n);
	g->run[n] = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, g->vcpu[n], 0);
	if (g->run[n] == MAP_FAILED || ioctl(g->vcpu[n], KVM_SET_CPUID2, guest_cpuid_table(g)))
		complain(g, "vCPU", errno, n);
	if (!n)
		ioctl(g->vcpu[n], KVM_GET_SREGS, &reset_sregs);
	if (g->stepped && ioctl(g->vcpu[n], KVM_SET_GUEST_DEBUG, &d))
		complain(g, "KVM_SET_GUEST_DEBUG", errno, n);
}

static void add_slot(struct guest *g, uint32_t slot, uint64_t at, size_t size, uint32_t flags)
{
	struct kvm_userspace_memory_region m = {
		.slot = slot, .guest_phys_addr = at, .memory_size = size,
		.userspace_addr = (uintptr_t)g->mem + at, .flags = flags,
	};

	if (ioctl(g->vm, KVM_SET_USER_MEMORY_REGION, &m))
		complain(g, "slot", errno, slot);
}

static void make_guest(struct guest *g, struct rng *r, unsigned int vcpus)
{
	struct kvm_enable_cap split = { .cap = KVM_CAP_SPLIT_IRQCHIP, .args = { 24 } };
	struct kvm_enable_cap msr = { .cap = KVM_CAP_X86_USER_SPACE_MSR, .args = { 7 } };
	struct kvm_pit_config pit = { .flags = below(r, 2) };

	g->kvm = open_kvm();
	g->tcg = under_tcg();
	g->chip = below(r, 3);
	g->user_msr = one_in(r, 5);
	g->stepped = one_in(r, 8);
	g->logged = one_in(r, 3);
	g->vm = ioctl(g->kvm, KVM_CREATE_VM, 0);
	if (g->chip == TEST_IRQCHIP_FULL) {
		ioctl(g->vm, KVM_CREATE_IRQCHIP, 0);
		if (one_in(r, 2))
			ioctl(g->vm, KVM_CREATE_PIT2, &pit);
	}
	if (g->chip == TEST_IRQCHIP_SPLIT)
		ioctl(g->vm, KVM_ENABLE_CAP, &split);
	if (g->user_msr)
		ioctl(g->vm, KVM_ENABLE_CAP, &msr);
	g->mem = mmap(NULL, RAM, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	add_slot(g, 0, 0, AT_HOLE, g->logged ? KVM_MEM_LOG_DIRTY_PAGES : 0);
	add_slot(g, 1, AT_ROM, 0x100000 - AT_ROM, KVM_MEM_READONLY);
	add_slot(g, 2, 0x100000, RAM - 0x100000, 0);
	while (vcpus--)
		add_vcpu(g, r);
}

/* An INIT that was sent before waits for the next KVM_RUN, which starts with a reset then. */
static bool was_reset(struct guest *g)
{
	struct kvm_regs regs;
	struct kvm_sregs s;

	return !ioctl(g->vcpu[0], KVM_GET_REGS, &regs) && !ioctl(g->vcpu[0], KVM_GET_SREGS, &s) &&
	       regs.rip == 0xfff0 && s.cs.base == 0xffff0000;
}

/* It still is a vCPU: a plain program runs as it should. */
static void still_runs(struct guest *g, struct rng *r)
{
	static const uint8_t code[] = { 0xb8, 0x34, 0x12, 0x90, 0xe7, PORT_DONE, 0xf4 };
	struct kvm_guest_debug off = {};
	struct kvm_run *run = g->run[0];
	unsigned int tries, resets = 0;

	g->mode = REAL;
	put_descriptors(g);
	memcpy(g->mem + AT_DISPATCH, code, sizeof(code));
	ioctl(g->vcpu[0], KVM_SET_GUEST_DEBUG, &off);
	put_registers(g, g->vcpu[0], r);
	run->request_interrupt_window = 0;
	for (tries = 0; tries < 1000 && !g->bad[0]; tries++) {
		if (ioctl(g->vcpu[0], KVM_RUN, 0)) {
			if (errno != EINTR)
				complain(g, "KVM_RUN afterwards", errno, 0);
		} else if (run->exit_reason == KVM_EXIT_IO && run->io.port == PORT_DONE &&
			   *(uint16_t *)((uint8_t *)run + run->io.data_offset) == 0x1234) {
			return;
		} else if (was_reset(g) && !resets++) {
			put_registers(g, g->vcpu[0], r);
		} else if (run->exit_reason != KVM_EXIT_IOAPIC_EOI) {
			complain(g, "exit of a plain program", run->exit_reason,
				 run->internal.suberror);
		}
	}
	complain(g, "a plain program does not end", tries, 0);
}

static void case_child(uint64_t seed, unsigned int vcpus)
{
	struct guest g = {};
	struct rng r = { seed };
	pthread_t thread;
	unsigned int i;

	make_guest(&g, &r, vcpus);
	fuzz_kick_me(KICK_MS);
	if (vcpus > 1 && !g.bad[0])
		pthread_create(&thread, NULL, second_vcpu, &g);
	for (i = 0; i < PROGRAMS && !g.stop; i++) {
		g.mode = below(&r, NR_MODES);
		put_program(&g, &r);
		put_registers(&g, g.vcpu[0], &r);
		run_program(&g, 0, &r);
		totals->programs++;
		totals->pieces += *(uint16_t *)(g.mem + AT_COUNTER) % (PIECES + 1);
	}
	g.stop = true;
	if (vcpus > 1 && !g.bad[0])
		pthread_join(thread, NULL);
	if (!g.bad[0])
		still_runs(&g, &r);
	if (g.bad[0])
		printf("# seed %#llx, irqchip %d, mode %d: %s\n", (unsigned long long)seed, g.chip,
		       g.mode, g.bad);
	fflush(stdout);
	_exit(g.bad[0] != 0);
}

static bool case_run(uint64_t seed, unsigned int vcpus)
{
	int status = 0;
	pid_t pid = fork();

	if (!pid)
		case_child(seed, vcpus);
	if (pid < 0)
		return false;
	waitpid(pid, &status, 0);
	if (status)
		printf("# the process of seed %#llx ended with status %#x\n",
		       (unsigned long long)seed, status);
	return !status;
}

static void report(void)
{
	unsigned int i;

	printf("# %llu programs, %llu to their end, %llu pieces; KVM_RUN interrupted %llu times\n",
	       (unsigned long long)totals->programs, (unsigned long long)totals->finished,
	       (unsigned long long)totals->pieces, (unsigned long long)totals->interrupted);
	printf("# exits:");
	for (i = 0; i < 64; i++)
		if (totals->exits[i])
			printf(" %u:%llu", i, (unsigned long long)totals->exits[i]);
	printf("\n# shutdowns by mode:");
	for (i = 0; i < NR_MODES; i++)
		printf(" %llu", (unsigned long long)totals->shutdown_modes[i]);
	printf("\n");
}

static void list_msrs(void)
{
	static struct { struct kvm_msr_list l; uint32_t room[256]; } list = { .l.nmsrs = 256 };
	int kvm = open_kvm();

	if (!ioctl(kvm, KVM_GET_MSR_INDEX_LIST, &list.l)) {
		msrs.nr = list.l.nmsrs;
		memcpy(msrs.index, list.l.indices, msrs.nr * 4);
	}
	close(kvm);
}

int main(int argc, char **argv)
{
	struct fuzz_options o = { .seed = 1, .cases = 240 };
	uint64_t end, n = 0, bad = 0;

	fuzz_arguments(&o, argc, argv);
	list_msrs();
	setvbuf(stdout, NULL, _IOLBF, 0);
	totals = fuzz_shared(sizeof(*totals));
	end = fuzz_ms() + o.seconds * 1000ull;
	printf("TAP version 13\n1..1\n");
	while (bad < 10 && (o.seconds ? fuzz_ms() < end : n < o.cases)) {
		uint64_t seed = o.seed + n++;
		unsigned int vcpus = o.threads ? o.threads : seed % 4 ? 1 : 2;

		if (n % 100 == 1)
			printf("# seed %#llx\n", (unsigned long long)seed);
		bad += !case_run(seed, vcpus < MAX_VCPUS ? vcpus : MAX_VCPUS);
	}
	report();
	printf("%sok 1 - %llu guests\n", bad ? "not " : "", (unsigned long long)n);
	return bad != 0;
}
