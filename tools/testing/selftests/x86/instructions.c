// SPDX-License-Identifier: GPL-2.0-only
/*
 * Each instruction that a hypervisor intercepts, or had better intercept, in each mode and at both ends
 * of the privilege levels: whether it runs, raises an exception (and which error code), or exits.
 *
 * The guest has nothing but the instruction. Every vector of its descriptor table leads to a stub of its
 * own, an OUT: where that exits tells the vector. Behind the instruction stands INT 81h.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "kselftest_harness.h"
#include "testvm.h"

#define PAGE		4096u
#define CODE		0x1000
#define GDT		0x2000
#define TSS		0x2100		/* as long as a 64-bit one; 0x68 bytes */
#define IDT		0x3000
#define STUBS		0x5000		/* four bytes for each vector */
#define STACK		0x7000
#define USER_STACK	0x8000
#define DATA		0x9000		/* what registers point to */
#define TABLES		0x10000
#define MEMORY		0x20000
#define MMIO		0x100000	/* mapped, and nothing there */
#define STUB_PORT	0xf4
#define RAN		0x81

/* What may come out: a vector, or one of these. */
#define EXIT_HLT	0x100
#define EXIT_IO		0x101
#define EXIT_OTHER	0x200		/* and the exit reason */
#define ANY		-1		/* CPUs differ, or the emulated one is known to be wrong */
#define UD_OR_GP	-2		/* which of two faults comes first differs; EFER.SVME is on, too */
#define UD		6
#define GP		13

enum mode { REAL, VM86, PROT_0, PROT_3, COMPAT_0, COMPAT_3, LONG_0, LONG_3, NR_MODES };

static const char *const mode_names[] = {
	"real mode", "virtual 8086", "32 bits CPL 0", "32 bits CPL 3", "compatibility CPL 0",
	"compatibility CPL 3", "64 bits CPL 0", "64 bits CPL 3",
};

/* For whom a row is. */
enum { ALL, AMD, INTEL, NO64, ONLY64, NOT_TCG, NOT_NESTED };

struct row {
	const char *name;
	uint8_t code[12];
	uint8_t len;
	uint8_t whose;
	int real, vm86, kernel, user;
	uint64_t rax, rcx, rdx;
};

#define CODE_(...)		{ __VA_ARGS__ }, sizeof((uint8_t[]){ __VA_ARGS__ })
/* Not there for the guest, wherever it is. */
#define NEVER(n, ...)		{ n, CODE_(__VA_ARGS__), ALL, UD, UD, UD, UD, .rax = 0 }
#define SVM(n, ...)		{ n, CODE_(__VA_ARGS__), NOT_NESTED, UD, UD_OR_GP, UD, UD_OR_GP, .rax = 0 }
#define PRIV(n, ...)		{ n, CODE_(__VA_ARGS__), ALL, UD, UD_OR_GP, UD, UD_OR_GP, .rax = 0 }
#define ROW(n, w, r, v, k, u, ...)	{ n, CODE_(__VA_ARGS__), w, r, v, k, u, .rax = 0 }

static const struct row rows[] = {
	/* AMD-V and VT-x are not offered: APM 2 15.4, SDM 3C 24.7. */
	SVM("vmrun", 0x0f, 0x01, 0xd8), SVM("vmload", 0x0f, 0x01, 0xda),
	SVM("vmsave", 0x0f, 0x01, 0xdb), SVM("stgi", 0x0f, 0x01, 0xdc),
	SVM("clgi", 0x0f, 0x01, 0xdd), SVM("skinit", 0x0f, 0x01, 0xde),
	SVM("invlpga", 0x0f, 0x01, 0xdf), NEVER("vmlaunch", 0x0f, 0x01, 0xc2),
	NEVER("vmresume", 0x0f, 0x01, 0xc3), NEVER("vmxoff", 0x0f, 0x01, 0xc4),
	NEVER("vmfunc", 0x0f, 0x01, 0xd4), NEVER("vmxon", 0xf3, 0x0f, 0xc7, 0x33),
	NEVER("vmptrld", 0x0f, 0xc7, 0x33), NEVER("vmptrst", 0x0f, 0xc7, 0x3b),
	NEVER("vmclear", 0x66, 0x0f, 0xc7, 0x33), NEVER("vmread", 0x0f, 0x78, 0xc1),
	NEVER("vmwrite", 0x0f, 0x79, 0xc1), NEVER("invept", 0x66, 0x0f, 0x38, 0x80, 0x03),
	NEVER("invvpid", 0x66, 0x0f, 0x38, 0x81, 0x03),
	/* Nor is any of these. */
	NEVER("rsm", 0x0f, 0xaa), NEVER("getsec", 0x0f, 0x37), NEVER("pconfig", 0x0f, 0x01, 0xc5),
	NEVER("encls", 0x0f, 0x01, 0xcf), NEVER("enclu", 0x0f, 0x01, 0xd7),
	NEVER("rdpru", 0x0f, 0x01, 0xfd), PRIV("xsetbv without CR4.OSXSAVE", 0x0f, 0x01, 0xd1),
	NEVER("xgetbv without CR4.OSXSAVE", 0x0f, 0x01, 0xd0),
	NEVER("rdpkru without CR4.PKE", 0x0f, 0x01, 0xee),
	NEVER("syscall without EFER.SCE", 0x0f, 0x05), NEVER("ud2", 0x0f, 0x0b),
	NEVER("ud1", 0x0f, 0xb9, 0xc0), NEVER("ud0", 0x0f, 0xff, 0xc0),
	/* The hypercall of this CPU goes through everywhere; only CPL 0 gets more than EPERM. */
	ROW("vmmcall", AMD, RAN, RAN, RAN, RAN, 0x0f, 0x01, 0xd9),
	ROW("vmcall", INTEL, RAN, RAN, RAN, RAN, 0x0f, 0x01, 0xc1),
	ROW("cpuid", ALL, RAN, RAN, RAN, RAN, 0x0f, 0xa2),
	ROW("hlt", ALL, EXIT_HLT, GP, EXIT_HLT, GP, 0xf4),
	ROW("invd", ALL, RAN, GP, RAN, GP, 0x0f, 0x08),
	ROW("wbinvd", ALL, RAN, GP, RAN, GP, 0x0f, 0x09),
	ROW("invlpg", ALL, RAN, GP, RAN, GP, 0x0f, 0x01, 0x3b),
	ROW("clts", ALL, RAN, GP, RAN, GP, 0x0f, 0x06),
	ROW("pause", ALL, RAN, RAN, RAN, RAN, 0xf3, 0x90),
	ROW("rdtsc", ALL, RAN, RAN, RAN, RAN, 0x0f, 0x31),
	ROW("smsw", ALL, RAN, RAN, RAN, RAN, 0x0f, 0x01, 0xe0),
	{ "lmsw", CODE_(0x0f, 0x01, 0xf0), ALL, RAN, GP, RAN, GP, .rax = 0 },
	{ "rdmsr of the TSC", CODE_(0x0f, 0x32), ALL, RAN, GP, RAN, GP, .rcx = 0x10 },
	{ "rdmsr of nothing", CODE_(0x0f, 0x32), ALL, GP, GP, GP, GP, .rcx = 0x12345678 },
	{ "wrmsr of the TSC", CODE_(0x0f, 0x30), ALL, RAN, GP, RAN, GP, .rcx = 0x10 },
	{ "wrmsr of nothing", CODE_(0x0f, 0x30), ALL, GP, GP, GP, GP, .rcx = 0x12345678 },
	{ "wrmsr of EFER, a reserved bit", CODE_(0x0f, 0x30), ALL, GP, GP, GP, GP,
	  .rcx = 0xc0000080, .rdx = 0x100 },
	{ "rdpmc of nothing", CODE_(0x0f, 0x33), ALL, GP, GP, GP, GP, .rcx = 0x12345678 },
	{ "mov from cr0", CODE_(0x0f, 0x20, 0xc2), ALL, RAN, GP, RAN, GP, .rax = 0 },
	{ "mov from cr3", CODE_(0x0f, 0x20, 0xda), ALL, RAN, GP, RAN, GP, .rax = 0 },
	{ "mov from cr4", CODE_(0x0f, 0x20, 0xe2), ALL, RAN, GP, RAN, GP, .rax = 0 },
	{ "mov to cr2", CODE_(0x0f, 0x22, 0xd0), ALL, RAN, GP, RAN, GP, .rax = 0 },
	{ "mov to cr0, NW without CD", CODE_(0x0f, 0x22, 0xc0), ALL, GP, GP, GP, GP,
	  .rax = 0xa0000011 },
	{ "mov to cr4, reserved bit", CODE_(0x0f, 0x22, 0xe0), ALL, GP, GP, GP, GP,
	  .rax = 0x80000020 },
	{ "mov to cr1", CODE_(0x0f, 0x22, 0xc8), ALL, UD, ANY, UD, ANY, .rax = 0 },
	{ "mov to cr8", CODE_(0x44, 0x0f, 0x22, 0xc0), ONLY64, 0, 0, RAN, GP, .rax = 3 },
	{ "mov to cr8, reserved bit", CODE_(0x44, 0x0f, 0x22, 0xc0), ONLY64, 0, 0, GP, GP,
	  .rax = 0x10 },
	{ "mov from dr0", CODE_(0x0f, 0x21, 0xc0), ALL, RAN, GP, RAN, GP, .rax = 0 },
	{ "mov to dr7", CODE_(0x0f, 0x23, 0xf8), ALL, RAN, GP, RAN, GP, .rax = 0x400 },
	{ "mov to dr7, high half", CODE_(0x0f, 0x23, 0xf8), ONLY64, 0, 0, GP, GP,
	  .rax = 0x100000400 },
	ROW("lgdt", ALL, RAN, GP, RAN, GP, 0x0f, 0x01, 0x13),
	ROW("lidt", ALL, RAN, GP, RAN, GP, 0x0f, 0x01, 0x1b),
	ROW("sgdt", ALL, RAN, RAN, RAN, RAN, 0x0f, 0x01, 0x03),
	ROW("sidt", ALL, RAN, RAN, RAN, RAN, 0x0f, 0x01, 0x0b),
	{ "lldt", CODE_(0x0f, 0x00, 0xd1), ALL, UD, UD, RAN, GP, .rax = 0 },
	{ "ltr of null", CODE_(0x0f, 0x00, 0xd9), NOT_TCG, UD, UD, GP, GP, .rax = 0 },
	ROW("sldt", ALL, UD, UD, RAN, RAN, 0x0f, 0x00, 0xc0),
	ROW("str", ALL, UD, UD, RAN, RAN, 0x0f, 0x00, 0xc8),
	{ "verr", CODE_(0x0f, 0x00, 0xe1), ALL, UD, UD, RAN, RAN, .rax = 0 },
	/* In virtual 8086 mode IOPL is 3, or INT 81h would not come through. */
	ROW("cli", ALL, RAN, RAN, RAN, GP, 0xfa), ROW("sti", ALL, RAN, RAN, RAN, GP, 0xfb),
	ROW("in", ALL, EXIT_IO, GP, EXIT_IO, GP, 0xe4, 0x80),
	ROW("out to the delay port", ALL, EXIT_IO, GP, EXIT_IO, GP, 0xe6, 0x80),
	ROW("int 30h", ALL, 0x30, 0x30, 0x30, 0x30, 0xcd, 0x30),
	ROW("int3", ALL, 3, 3, 3, 3, 0xcc), ROW("icebp", NOT_TCG, 1, 1, 1, 1, 0xf1),
	ROW("into", ONLY64, 0, 0, UD, UD, 0xce),
	ROW("monitor", ALL, RAN, ANY, RAN, ANY, 0x0f, 0x01, 0xc8),
	{ "mwait", CODE_(0x0f, 0x01, 0xc9), ALL, RAN, ANY, RAN, ANY, .rax = 0 },
	ROW("sysexit", NO64, GP, GP, GP, GP, 0x0f, 0x35),	/* SYSENTER_CS is 0 */
	ROW("sysenter", NO64, GP, GP, GP, GP, 0x0f, 0x34),
	ROW("sysret without EFER.SCE", ONLY64, 0, 0, UD, UD, 0x48, 0x0f, 0x07),
	ROW("swapgs", ONLY64, 0, 0, RAN, GP, 0x0f, 0x01, 0xf8),
	{ "lock without memory", CODE_(0xf0, 0x01, 0xc8), ALL, UD, UD, UD, UD, .rax = 0 },
};

#define NR_ROWS	(sizeof(rows) / sizeof(rows[0]))

FIXTURE(insns)
{
	struct test_vm vm;
	struct test_vcpu *v;
	uint8_t *mem;
	struct kvm_sregs reset;
};

static void put(uint8_t *at, uint64_t v)
{
	memcpy(at, &v, 8);
}

static uint64_t gate(uint32_t to, uint16_t sel)
{
	return (to & 0xffff) | (uint64_t)sel << 16 | 0xeeull << 40 | (uint64_t)(to >> 16) << 48;
}

static void put_tables(uint8_t *t)
{
	put(t, (TABLES + PAGE) | 7);
	put(t + PAGE, (TABLES + 2 * PAGE) | 7);
	put(t + 2 * PAGE, 0x87);
	/* The same for 32 bits without PAE. */
	put(t + 3 * PAGE, 0x87);
}

/* Descriptors: code and data of both levels, 32 bits and 64, and a TSS. */
static void put_descriptors(uint8_t *mem, enum mode mode)
{
	static const uint64_t gdt[] = {
		0, 0x00cf9b000000ffff, 0x00cf93000000ffff, 0x00cffb000000ffff, 0x00cff3000000ffff,
		0x00af9b000000ffff, 0x00affb000000ffff,
		0x00008b0000000067 | (uint64_t)TSS << 16, 0,
	};
	bool wide = mode >= COMPAT_0;
	unsigned int i;

	memcpy(mem + GDT, gdt, sizeof(gdt));
	memset(mem + TSS, 0, 0x68);
	put(mem + TSS + 4, STACK | (wide ? 0 : 0x1000000000));	/* RSP0, or ESP0 and SS0 = 10h */
	mem[TSS + 0x66] = 0x68;		/* no I/O bitmap */
	for (i = 0; i < 256; i++) {
		uint32_t stub = STUBS + 4 * i;

		mem[stub] = 0xe6;
		mem[stub + 1] = STUB_PORT;
		if (mode == REAL) {
			memcpy(mem + 4 * i, &stub, 4);
		} else if (wide) {
			put(mem + IDT + 16 * i, gate(stub, 0x28));
			put(mem + IDT + 16 * i + 8, 0);
		} else {
			put(mem + IDT + 8 * i, gate(stub, 0x08));
		}
	}
}

static const struct kvm_segment vm86_segment = {
	.limit = 0xffff, .type = 3, .present = 1, .s = 1, .dpl = 3,
};

static void mode_sregs(const struct kvm_sregs *reset, struct kvm_sregs *s, enum mode mode)
{
	bool wide = mode >= COMPAT_0, user = mode == PROT_3 || mode == COMPAT_3 || mode == LONG_3;
	bool code64 = mode == LONG_0 || mode == LONG_3;

	*s = *reset;
	s->cs.base = s->cs.selector = 0;
	if (mode == REAL)
		return;
	s->cr0 = 0x80000011;
	s->cr3 = wide ? TABLES : TABLES + 3 * PAGE;
	s->cr4 = wide ? 0x20 : 0x10;
	s->efer = wide ? 0x500 : 0;
	s->cs = flat_segment((code64 ? 0x28 : 0x08) + (user ? (code64 ? 0x0b : 0x13) : 0), 0xb,
			code64 ? 64 : 32);
	s->ss = s->ds = s->es = s->fs = s->gs = flat_segment(user ? 0x23 : 0x10, 3, 32);
	if (mode == VM86)
		s->cs = s->ss = s->ds = s->es = s->fs = s->gs = vm86_segment;
	/* QEMU's CPU ends the emulator when it finds the TSS busy in a change of stacks. */
	s->tr = (struct kvm_segment){ .base = TSS, .limit = 0x67, .selector = 0x38,
				      .type = under_tcg() ? 9 : 0xb, .present = 1 };
	s->ldt = (struct kvm_segment){ .unusable = 1 };
	s->gdt = (struct kvm_dtable){ .base = GDT, .limit = 9 * 8 - 1 };
	s->idt = (struct kvm_dtable){ .base = IDT, .limit = wide ? 0xfff : 0x7ff };
}

/*
 * The descriptor tables as they are, for LGDT and LIDT. (%rbx) of 64- and 32-bit code is (%bp,%di) in
 * 16-bit code.
 */
static void put_operand(uint8_t *mem, const struct kvm_sregs *s, bool idt)
{
	uint16_t limit = idt ? s->idt.limit : s->gdt.limit;
	uint64_t base = idt ? s->idt.base : s->gdt.base;

	memset(mem + DATA, 0, 64);
	memcpy(mem + DATA, &limit, 2);
	memcpy(mem + DATA + 2, &base, 8);
}

static int outcome(struct test_vcpu *v)
{
	struct kvm_run *run = v->run;
	struct kvm_regs regs;
	int ret;

	do {
		ret = ioctl(v->fd, KVM_RUN, 0);
	} while (ret && errno == EINTR);
	if (ret)
		return EXIT_OTHER + 0x1000 + errno;
	if (run->exit_reason == KVM_EXIT_HLT)
		return EXIT_HLT;
	if (run->exit_reason != KVM_EXIT_IO)
		return EXIT_OTHER + run->exit_reason;
	if (run->io.port != STUB_PORT) {
		/* Its completion goes with this program, not with the next. */
		run->immediate_exit = 1;
		ioctl(v->fd, KVM_RUN, 0);
		run->immediate_exit = 0;
		return EXIT_IO;
	}
	ioctl(v->fd, KVM_GET_REGS, &regs);
	return (regs.rip - STUBS) / 4;
}

static int want(const struct row *r, enum mode mode)
{
	switch (mode) {
	case REAL:
		return r->real;
	case VM86:
		return r->vm86;
	case PROT_0:
	case COMPAT_0:
	case LONG_0:
		return r->kernel;
	default:
		return r->user;
	}
}

static bool applies(const struct row *r, enum mode mode)
{
	bool code64 = mode == LONG_0 || mode == LONG_3, wide = mode >= COMPAT_0;

	switch (r->whose) {
	case NOT_NESTED:
		return on_keel();	/* which offers neither AMD-V nor VT-x to guests */
	case AMD:
		return !host_is_intel();
	case INTEL:
		return host_is_intel();
	case NO64:
		return !wide;		/* AMD has neither in long mode */
	case ONLY64:
		return code64;
	case NOT_TCG:
		return !under_tcg();	/* which is wrong there */
	default:
		return true;
	}
}

FIXTURE_SETUP(insns)
{
	vm_create(&self->vm, TEST_IRQCHIP_NONE);
	self->v = vcpu_create(&self->vm, 0);
	self->mem = vm_add_memory(&self->vm, SLOT_FREE, 0, MEMORY, 0);
	put_tables(self->mem + TABLES);
	ASSERT_EQ(0, ioctl(self->v->fd, KVM_GET_SREGS, &self->reset));
}

FIXTURE_TEARDOWN(insns)
{
	vm_destroy(&self->vm);
}

FIXTURE_VARIANT(insns)
{
	enum mode mode;
};

FIXTURE_VARIANT_ADD(insns, real) { REAL };
FIXTURE_VARIANT_ADD(insns, vm86) { VM86 };
FIXTURE_VARIANT_ADD(insns, prot_0) { PROT_0 };
FIXTURE_VARIANT_ADD(insns, prot_3) { PROT_3 };
FIXTURE_VARIANT_ADD(insns, compat_0) { COMPAT_0 };
FIXTURE_VARIANT_ADD(insns, compat_3) { COMPAT_3 };
FIXTURE_VARIANT_ADD(insns, long_0) { LONG_0 };
FIXTURE_VARIANT_ADD(insns, long_3) { LONG_3 };

static bool is_user(enum mode mode)
{
	return mode == VM86 || mode == PROT_3 || mode == COMPAT_3 || mode == LONG_3;
}

static void registers(struct kvm_regs *r, enum mode mode)
{
	*r = (struct kvm_regs){
		.rip = CODE, .rflags = mode == VM86 ? 0x23002 : 2, .rbx = DATA, .rbp = DATA,
		.rsi = DATA + 0x100, .rsp = (is_user(mode) ? USER_STACK : STACK) - 64,
	};
}

/* @code, and INT 81h behind it: what comes out. */
static int run_code(FIXTURE_DATA(insns) *self, enum mode mode, const uint8_t *code, unsigned int len,
		    const struct kvm_regs *regs)
{
	struct kvm_vcpu_events none = {};
	struct kvm_sregs s;

	mode_sregs(&self->reset, &s, mode);
	put_descriptors(self->mem, mode);
	put_operand(self->mem, &s, code[2] == 0x1b);
	memset(self->mem + CODE, 0x90, 32);
	memcpy(self->mem + CODE, code, len);
	self->mem[CODE + len] = 0xcd;
	self->mem[CODE + len + 1] = RAN;
	if (ioctl(self->v->fd, KVM_SET_SREGS, &s) || ioctl(self->v->fd, KVM_SET_REGS, regs) ||
	    ioctl(self->v->fd, KVM_SET_VCPU_EVENTS, &none))
		return EXIT_OTHER + 0x2000;
	return outcome(self->v);
}

TEST_F(insns, each)
{
	enum mode mode = variant->mode;
	struct kvm_regs regs;
	unsigned int i;

	for (i = 0; i < NR_ROWS; i++) {
		const struct row *r = &rows[i];
		int got, wanted = want(r, mode);

		if (!applies(r, mode))
			continue;
		registers(&regs, mode);
		regs.rax = r->rax;
		regs.rcx = r->rcx;
		regs.rdx = r->rdx;
		/* LMSW says what is so already. */
		if (mode != REAL && !strcmp(r->name, "lmsw"))
			regs.rax = 1;
		got = run_code(self, mode, r->code, r->len, &regs);
		if (wanted == ANY || (wanted == UD_OR_GP && (got == UD || got == GP)))
			continue;
		EXPECT_EQ(wanted, got) TH_LOG("%s, %s", r->name, mode_names[mode]);
	}
}

static long vm_cap(int vm, long cap, uint64_t arg)
{
	struct kvm_enable_cap c = { .cap = cap, .args = { arg } };

	return ioctl(vm, KVM_ENABLE_CAP, &c);
}

/*
 * The other vendor's hypercall is served, and becomes this one's where the guest can write; with the
 * quirk off it is what it is to this CPU.
 */
TEST_F(insns, hypercall_of_the_other_vendor)
{
	static const uint8_t vmcall[] = { 0x0f, 0x01, 0xc1 }, vmmcall[] = { 0x0f, 0x01, 0xd9 };
	const uint8_t *ours = host_is_intel() ? vmcall : vmmcall;
	const uint8_t *other = host_is_intel() ? vmmcall : vmcall;
	struct kvm_regs regs;

	/* Above CPL 0 the other one is #GP in stock KVM, and this one is EPERM; on VT-x it is #UD in real mode. */
	if (!on_keel() && (is_user(variant->mode) || (host_is_intel() && variant->mode == REAL)))
		return;
	registers(&regs, variant->mode);
	regs.rax = 0x1234;		/* no such call */
	ASSERT_EQ(RAN, run_code(self, variant->mode, other, 3, &regs));
	EXPECT_EQ(0, memcmp(self->mem + CODE, ours, 3));
	ASSERT_EQ(0, ioctl(self->v->fd, KVM_GET_REGS, &regs));
	EXPECT_EQ(is_user(variant->mode) ? -1 : -1000, (int32_t)regs.rax);

	ASSERT_EQ(0, vm_cap(self->vm.fd, KVM_CAP_DISABLE_QUIRKS2, KVM_X86_QUIRK_FIX_HYPERCALL_INSN));
	registers(&regs, variant->mode);
	EXPECT_EQ(UD, run_code(self, variant->mode, other, 3, &regs));
	EXPECT_EQ(0, memcmp(self->mem + CODE, other, 3));
	EXPECT_EQ(RAN, run_code(self, variant->mode, ours, 3, &regs));
}

/* What nobody emulates, on device memory: the program's fault, or userspace wants to know of it. */
TEST_F(insns, not_emulated)
{
	static const uint8_t fld[] = { 0xd9, 0x03, 0x90 };
	struct kvm_run *run = self->v->run;
	struct kvm_regs regs;
	int got;

	if (variant->mode == REAL || variant->mode == VM86)
		return;
	registers(&regs, variant->mode);
	regs.rbx = MMIO;
	got = run_code(self, variant->mode, fld, sizeof(fld), &regs);
	EXPECT_EQ(is_user(variant->mode) ? UD : EXIT_OTHER + KVM_EXIT_INTERNAL_ERROR, got);
	EXPECT_ERR(EINVAL, vm_cap(self->vm.fd, KVM_CAP_EXIT_ON_EMULATION_FAILURE, 2));
	ASSERT_EQ(0, vm_cap(self->vm.fd, KVM_CAP_EXIT_ON_EMULATION_FAILURE, 1));
	got = run_code(self, variant->mode, fld, sizeof(fld), &regs);
	ASSERT_EQ(EXIT_OTHER + KVM_EXIT_INTERNAL_ERROR, got);
	EXPECT_EQ(KVM_INTERNAL_ERROR_EMULATION, run->emulation_failure.suberror);
	ASSERT_LE(3, run->emulation_failure.ndata);
	ASSERT_EQ(KVM_INTERNAL_ERROR_EMULATION_FLAG_INSTRUCTION_BYTES, run->emulation_failure.flags);
	ASSERT_LE(2, run->emulation_failure.insn_size);
	EXPECT_EQ(0, memcmp(run->emulation_failure.insn_bytes, fld, 2));
}

TEST_HARNESS_MAIN
