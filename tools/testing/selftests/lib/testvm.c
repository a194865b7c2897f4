// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "testvm.h"

#define PAGE		4096ull
#define KSFT_SKIP	4

extern char __executable_start[], _end[];
extern char guest_stubs[];

guest_handler guest_handlers[256];
uint64_t guest_fixup, guest_error, guest_cr2, guest_fault_rip;
int64_t guest_vector;

static uint8_t stacks[TEST_MAX_VCPUS][GUEST_STACK] __attribute__((aligned(4096)));
static struct { uint64_t lo, hi; } idt[256] __attribute__((aligned(4096)));
/* null, code64, data, user data, user code64, then a TSS (two entries) for each vCPU */
static uint64_t gdt[5 + 2 * TEST_MAX_VCPUS] __attribute__((aligned(16)));
static uint8_t tss[TEST_MAX_VCPUS][104] __attribute__((aligned(16)));

#define SEL_CODE	0x08
#define SEL_DATA	0x10
#define SEL_TSS(n)	(0x28 + 16 * (n))

#define die(...)							\
do {									\
	fprintf(stderr, "# %s:%d: ", __FILE__, __LINE__);		\
	fprintf(stderr, __VA_ARGS__);					\
	fprintf(stderr, ": %s\n", strerror(errno));			\
	exit(1);							\
} while (0)

/* Called by guest.S, in the guest. */
void guest_event(struct guest_frame *f);
void guest_event(struct guest_frame *f)
{
	if (guest_handlers[f->vector]) {
		guest_handlers[f->vector](f);
		return;
	}
	if (guest_fixup) {
		guest_vector = f->vector;
		guest_error = f->error;
		guest_fault_rip = f->rip;
		if (f->vector == 14)
			__asm__ volatile("mov %%cr2, %0" : "=r" (guest_cr2));
		f->rip = guest_fixup;
		return;
	}
	guest_error = f->error;
	guest_fault_rip = f->rip;
	guest_say(MSG_FAIL, f->vector | 0xee000000);
}

int open_kvm(void)
{
	int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);

	if (fd < 0) {
		printf("1..0 # SKIP no /dev/kvm\n");
		exit(KSFT_SKIP);
	}
	return fd;
}

int kvm_cap(int fd, long cap)
{
	return ioctl(fd, KVM_CHECK_EXTENSION, cap);
}

int vm_set_region(struct test_vm *vm, unsigned int slot, uint64_t gpa, size_t size, void *hva,
		  unsigned int flags)
{
	struct kvm_userspace_memory_region r = {
		.slot = slot, .flags = flags, .guest_phys_addr = gpa,
		.memory_size = size, .userspace_addr = (uintptr_t)hva,
	};

	return ioctl(vm->fd, KVM_SET_USER_MEMORY_REGION, &r);
}

void *vm_add_memory(struct test_vm *vm, unsigned int slot, uint64_t gpa, size_t size,
		    unsigned int flags)
{
	void *hva = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (hva == MAP_FAILED || vm_set_region(vm, slot, gpa, size, hva, flags))
		die("memory slot %u", slot);
	return hva;
}

static void build_tables(struct test_vm *vm)
{
	uint64_t *t = vm->tables, i;

	/* PML4, PDPT, four page directories; everything supervisor, writable, executable. */
	t[0] = (GPA_TABLES + PAGE) | 3;
	for (i = 0; i < 4; i++)
		t[512 + i] = (GPA_TABLES + (2 + i) * PAGE) | 3;
	for (i = 0; i < 2048; i++)
		t[1024 + i] = i << 21 | 0x83;
}

static void build_descriptors(void)
{
	unsigned int i;

	gdt[1] = 0x00af9b000000ffffull;
	gdt[2] = 0x00cf93000000ffffull;
	gdt[3] = 0x00cff3000000ffffull;
	gdt[4] = 0x00affb000000ffffull;
	for (i = 0; i < TEST_MAX_VCPUS; i++) {
		uint64_t base = (uintptr_t)tss[i], top = (uintptr_t)stacks[i] + GUEST_STACK - 4096;

		memcpy(&tss[i][4], &top, 8);
		gdt[5 + 2 * i] = 103 | (base & 0xffffff) << 16 | 0x89ull << 40 |
				 (base >> 24 & 0xff) << 56;
		gdt[6 + 2 * i] = base >> 32;
	}
	for (i = 0; i < 256; i++) {
		uint64_t h = (uintptr_t)guest_stubs + 16 * i;

		idt[i].lo = (h & 0xffff) | (uint64_t)SEL_CODE << 16 | 0x8eull << 40 |
			    (h >> 16 & 0xffff) << 48;
		idt[i].hi = h >> 32;
	}
}

static void map_image(struct test_vm *vm, bool on)
{
	uintptr_t start = (uintptr_t)__executable_start & ~(PAGE - 1);
	uintptr_t end = ((uintptr_t)_end + PAGE - 1) & ~(PAGE - 1);

	if (vm_set_region(vm, SLOT_IMAGE, start, on ? end - start : 0, (void *)start, 0))
		die("slot of the program's image");
	if (vm->tables && vm_set_region(vm, SLOT_TABLES, GPA_TABLES, on ? 16 * PAGE : 0,
					vm->tables, 0))
		die("slot of the page tables");
}

void vm_take_slots(struct test_vm *vm)
{
	map_image(vm, false);
}

void vm_give_slots(struct test_vm *vm)
{
	map_image(vm, true);
}

void vm_create(struct test_vm *vm, enum test_irqchip irqchip)
{
	struct kvm_enable_cap split = { .cap = KVM_CAP_SPLIT_IRQCHIP, .args = { 24 } };

	memset(vm, 0, sizeof(*vm));
	vm->kvm = open_kvm();
	vm->fd = ioctl(vm->kvm, KVM_CREATE_VM, 0);
	if (vm->fd < 0)
		die("KVM_CREATE_VM");
	vm->run_size = ioctl(vm->kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
	if (ioctl(vm->fd, KVM_SET_TSS_ADDR, 0xfffbd000ul))
		die("KVM_SET_TSS_ADDR");
	if (irqchip == TEST_IRQCHIP_FULL && ioctl(vm->fd, KVM_CREATE_IRQCHIP, 0))
		die("KVM_CREATE_IRQCHIP");
	if (irqchip == TEST_IRQCHIP_SPLIT && ioctl(vm->fd, KVM_ENABLE_CAP, &split))
		die("KVM_CAP_SPLIT_IRQCHIP");
	map_image(vm, true);
	vm->tables = vm_add_memory(vm, SLOT_TABLES, GPA_TABLES, 16 * PAGE, 0);
	build_tables(vm);
	build_descriptors();
}

void vm_destroy(struct test_vm *vm)
{
	unsigned int i;

	for (i = 0; i < vm->nr_vcpus; i++) {
		munmap(vm->vcpu[i].run, vm->run_size);
		close(vm->vcpu[i].fd);
	}
	munmap(vm->tables, 16 * PAGE);
	close(vm->fd);
	close(vm->kvm);
}

struct kvm_cpuid2 *supported_cpuid(int kvm)
{
	static union {
		struct kvm_cpuid2 c;
		uint8_t room[sizeof(struct kvm_cpuid2) + 256 * sizeof(struct kvm_cpuid_entry2)];
	} u;

	u.c.nent = 256;
	if (ioctl(kvm, KVM_GET_SUPPORTED_CPUID, &u.c))
		die("KVM_GET_SUPPORTED_CPUID");
	return &u.c;
}

uint32_t cpuid_reg(int kvm, uint32_t function, uint32_t index, int reg)
{
	struct kvm_cpuid2 *c = supported_cpuid(kvm);
	unsigned int i;

	for (i = 0; i < c->nent; i++)
		if (c->entries[i].function == function && c->entries[i].index == index)
			return (&c->entries[i].eax)[reg];
	return 0;
}

bool host_is_intel(void)
{
	uint32_t a = 0, b, c = 0, d;

	guest_cpuid(&a, &b, &c, &d);
	return b == 0x756e6547;
}

bool on_keel(void)
{
	FILE *f = fopen("/sys/module/kvm/version", "r");
	char s[64] = "";
	bool keel;

	if (!f)
		return false;
	keel = fgets(s, sizeof(s), f) && strstr(s, "Keel");
	fclose(f);
	return keel;
}

bool under_tcg(void)
{
	uint32_t a = 0x40000000, b, c = 0, d;

	guest_cpuid(&a, &b, &c, &d);
	return b == 0x54474354;		/* "TCGT" */
}

struct test_vcpu *vcpu_create(struct test_vm *vm, unsigned int id)
{
	struct test_vcpu *v = &vm->vcpu[vm->nr_vcpus];

	if (vm->nr_vcpus == TEST_MAX_VCPUS)
		die("too many vCPUs");
	v->id = id;
	v->fd = ioctl(vm->fd, KVM_CREATE_VCPU, (long)id);
	if (v->fd < 0)
		die("KVM_CREATE_VCPU %u", id);
	v->run = mmap(NULL, vm->run_size, PROT_READ | PROT_WRITE, MAP_SHARED, v->fd, 0);
	if (v->run == MAP_FAILED)
		die("mmap of a vCPU");
	if (ioctl(v->fd, KVM_SET_CPUID2, supported_cpuid(vm->kvm)))
		die("KVM_SET_CPUID2");
	vm->nr_vcpus++;
	return v;
}

struct kvm_segment flat_segment(uint16_t sel, uint8_t type, unsigned int bits)
{
	return (struct kvm_segment){
		.limit = 0xffffffff, .selector = sel, .type = type, .present = 1, .s = 1, .g = 1,
		.dpl = sel & 3, .l = bits == 64, .db = bits == 32,
	};
}

static void touch(volatile void *p, size_t size)
{
	volatile uint8_t *b = p;
	size_t i;

	for (i = 0; i < size; i += PAGE)
		b[i] = b[i];
	b[size - 1] = b[size - 1];
}

/* No stage-2 fault in the middle of a delivery: an emulator may not survive it (testing.rst). */
static void prefault(struct test_vcpu *vcpu)
{
	uintptr_t start = (uintptr_t)__executable_start & ~(PAGE - 1);
	struct kvm_pre_fault_memory m = {
		.gpa = start, .size = (((uintptr_t)_end + PAGE - 1) & ~(PAGE - 1)) - start,
	};

	touch(stacks, sizeof(stacks));
	touch(tss, sizeof(tss));
	touch(gdt, sizeof(gdt));
	touch(idt, sizeof(idt));
	if (ioctl(vcpu->fd, KVM_PRE_FAULT_MEMORY, &m))
		die("KVM_PRE_FAULT_MEMORY");
}

void vcpu_start(struct test_vcpu *vcpu, void (*fn)(void))
{
	unsigned int n = vcpu->id % TEST_MAX_VCPUS;
	struct kvm_regs r = {
		.rip = (uintptr_t)fn, .rflags = 2,
		/* As after a call: 8 below a multiple of 16. */
		.rsp = (uintptr_t)stacks[n] + GUEST_STACK - 4096 - 8 - 64,
	};
	struct kvm_sregs s;

	if (ioctl(vcpu->fd, KVM_GET_SREGS, &s))
		die("KVM_GET_SREGS");
	s.cr0 = 0x80010033;		/* PG WP NE ET MP PE */
	s.cr3 = GPA_TABLES;
	s.cr4 = 0x6b0 & ~0x90;		/* PAE OSFXSR OSXMMEXCPT */
	s.efer = 0xd01;			/* NXE LMA LME SCE */
	s.cs = flat_segment(SEL_CODE, 0xb, 64);
	s.ss = s.ds = s.es = s.fs = s.gs = flat_segment(SEL_DATA, 3, 32);
	s.tr = (struct kvm_segment){ .base = (uintptr_t)tss[n], .limit = 103,
				     .selector = SEL_TSS(n), .type = 0xb, .present = 1 };
	s.ldt = (struct kvm_segment){ .unusable = 1 };
	s.gdt.base = (uintptr_t)gdt;
	s.gdt.limit = sizeof(gdt) - 1;
	s.idt.base = (uintptr_t)idt;
	s.idt.limit = sizeof(idt) - 1;
	if (ioctl(vcpu->fd, KVM_SET_SREGS, &s))
		die("KVM_SET_SREGS");
	if (ioctl(vcpu->fd, KVM_SET_REGS, &r))
		die("KVM_SET_REGS");
	if (getenv("GUEST_PREFAULT"))
		prefault(vcpu);
}

void vcpu_start_real(struct test_vcpu *vcpu, uint16_t ip)
{
	struct kvm_regs r = { .rip = ip, .rflags = 2, .rsp = 0x7000 };
	struct kvm_sregs s;

	if (ioctl(vcpu->fd, KVM_GET_SREGS, &s))
		die("KVM_GET_SREGS");
	s.cs.base = 0;
	s.cs.selector = 0;
	if (ioctl(vcpu->fd, KVM_SET_SREGS, &s))
		die("KVM_SET_SREGS");
	if (ioctl(vcpu->fd, KVM_SET_REGS, &r))
		die("KVM_SET_REGS");
}

enum guest_msg vcpu_run(struct test_vcpu *vcpu, uint64_t *arg)
{
	struct kvm_regs r;
	int ret;

	do {
		ret = ioctl(vcpu->fd, KVM_RUN, 0);
	} while (ret < 0 && (errno == EINTR || errno == EAGAIN));
	if (ret < 0)
		die("KVM_RUN");
	if (vcpu->run->exit_reason != KVM_EXIT_IO || vcpu->run->io.port != GUEST_PORT)
		return MSG_NONE;
	if (ioctl(vcpu->fd, KVM_GET_REGS, &r))
		die("KVM_GET_REGS");
	if (arg)
		*arg = r.rdi;
	return (uint32_t)r.rax;
}

void vcpu_complete(struct test_vcpu *vcpu)
{
	vcpu->run->immediate_exit = 1;
	if (!ioctl(vcpu->fd, KVM_RUN, 0) || errno != EINTR)
		die("KVM_RUN with immediate_exit");
	vcpu->run->immediate_exit = 0;
}

uint64_t vcpu_expect(struct test_vcpu *vcpu, enum guest_msg want)
{
	uint64_t arg = 0;
	enum guest_msg got = vcpu_run(vcpu, &arg);

	if (got == want)
		return arg;
	errno = 0;
	if (got == MSG_FAIL && (arg & 0xff000000) == 0xee000000)
		die("guest took exception %lu at %#lx, error %#lx", arg & 0xff, guest_fault_rip,
		    guest_error);
	if (got == MSG_FAIL)
		die("guest assertion failed in line %lu", arg);
	die("wanted message %d, got %d (argument %#lx, exit reason %u, suberror %u)", want, got, arg,
	    vcpu->run->exit_reason, vcpu->run->internal.suberror);
}

int64_t get_msr(int vcpu_fd, uint32_t index, uint64_t *val)
{
	struct { struct kvm_msrs m; struct kvm_msr_entry e; } b = {
		.m.nmsrs = 1, .e.index = index,
	};
	int ret = ioctl(vcpu_fd, KVM_GET_MSRS, &b);

	*val = b.e.data;
	return ret;
}

int64_t set_msr(int vcpu_fd, uint32_t index, uint64_t val)
{
	struct { struct kvm_msrs m; struct kvm_msr_entry e; } b = {
		.m.nmsrs = 1, .e.index = index, .e.data = val,
	};

	return ioctl(vcpu_fd, KVM_SET_MSRS, &b);
}
