// SPDX-License-Identifier: GPL-2.0-only
/*
 * TSC ticks per operation on the paths that a guest and a VMM use most. In an emulator
 * whose TSC counts executed instructions (QEMU with -icount shift=0) these are
 * instructions. Prints one "path ticks" per line; tools/bench/run compares two KVMs.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "testvm.h"

static uint64_t N = 2000;	/* repetitions */

static uint64_t ticks;		/* of the guest's loop */

#define GUEST_LOOP(name, body)						\
static void loop_##name(void)						\
{									\
	uint64_t i, t;							\
									\
	for (i = 0; i < 16; i++)					\
		body;							\
	t = guest_rdtsc();						\
	for (i = 0; i < N; i++)						\
		body;							\
	ticks = guest_rdtsc() - t;					\
	guest_done();							\
}

static inline void op_cpuid(void)
{
	uint32_t a = 0, b, c = 0, d;

	guest_cpuid(&a, &b, &c, &d);
}

static inline void op_mmio_read(uint64_t gpa)
{
	(void)*(volatile uint32_t *)gpa;
}

static inline void op_vmcall(void)
{
	__asm__ volatile("vmmcall" : : "a" (100) : "memory");
}

GUEST_LOOP(cpuid_leaf, op_cpuid())
GUEST_LOOP(pic, (void)guest_inb(0x21))
GUEST_LOOP(rdmsr, (void)guest_rdmsr(0x3b))
GUEST_LOOP(ioapic, op_mmio_read(0xfec00010))
GUEST_LOOP(lapic, op_mmio_read(0xfee00030))
GUEST_LOOP(hypercall, op_vmcall())

static void guest_out(void)
{
	for (;;)
		guest_outb(0x80, 0);
}

static void guest_in(void)
{
	for (;;)
		(void)guest_inb(0x80);
}

static void guest_mmio_write(void)
{
	for (;;)
		*(volatile uint32_t *)GPA_MMIO = 1;
}

static void guest_mmio_read(void)
{
	for (;;)
		op_mmio_read(GPA_MMIO);
}

static void report(const char *path, uint64_t total, uint64_t n)
{
	printf("%s %lu\n", path, total / n);
	fflush(stdout);
}

static void in_kernel(const char *path, void (*fn)(void))
{
	struct test_vm vm;
	struct test_vcpu *v;

	vm_create(&vm, TEST_IRQCHIP_FULL);
	v = vcpu_create(&vm, 0);
	vcpu_start(v, fn);
	vcpu_expect(v, MSG_DONE);
	report(path, ticks, N);
	vm_destroy(&vm);
}

static void to_user(const char *path, void (*fn)(void))
{
	struct test_vm vm;
	struct test_vcpu *v;
	uint64_t t, i;

	vm_create(&vm, TEST_IRQCHIP_FULL);
	v = vcpu_create(&vm, 0);
	vcpu_start(v, fn);
	for (i = 0; i < 16; i++)
		ioctl(v->fd, KVM_RUN, 0);
	t = guest_rdtsc();
	for (i = 0; i < N; i++)
		ioctl(v->fd, KVM_RUN, 0);
	report(path, guest_rdtsc() - t, N);
	vm_destroy(&vm);
}

static void guest_once(void)
{
	for (;;)
		guest_outb(0x80, 0);
}

static void lifecycle(const char *path, void (*fn)(void))
{
	uint64_t t, total = 0, n = N / 100, i;
	struct test_vm vm;

	for (i = 0; i < n + 8; i++) {
		t = guest_rdtsc();
		vm_create(&vm, TEST_IRQCHIP_FULL);
		vcpu_start(vcpu_create(&vm, 0), guest_once);
		ioctl(vm.vcpu[0].fd, KVM_RUN, 0);
		vm_destroy(&vm);
		if (i >= 8)
			total += guest_rdtsc() - t;
	}
	report(path, total, n);
}

#define TOUCH_PAGES	4096

static void guest_touch(void)
{
	uint64_t i, t;

	t = guest_rdtsc();
	for (i = 0; i < TOUCH_PAGES; i++)
		*(volatile uint8_t *)(GPA_FREE + i * 4096) = 1;
	ticks = guest_rdtsc() - t;
	guest_done();
}

static void first_touch(const char *path, void (*fn)(void))
{
	struct test_vm vm;
	struct test_vcpu *v;
	uint8_t *mem;

	vm_create(&vm, TEST_IRQCHIP_NONE);
	v = vcpu_create(&vm, 0);
	mem = mmap(NULL, TOUCH_PAGES * 4096, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	madvise(mem, TOUCH_PAGES * 4096, MADV_NOHUGEPAGE);
	memset(mem, 1, TOUCH_PAGES * 4096);
	vm_set_region(&vm, SLOT_FREE, GPA_FREE, TOUCH_PAGES * 4096, mem, 0);
	vcpu_start(v, guest_touch);
	vcpu_expect(v, MSG_DONE);
	report(path, ticks, TOUCH_PAGES);
	vm_destroy(&vm);
}

static const struct path {
	const char *name;
	void (*measure)(const char *name, void (*guest)(void));
	void (*guest)(void);
	bool amd_only;
} paths[] = {
	{ "cpuid", in_kernel, loop_cpuid_leaf },
	{ "in-pic", in_kernel, loop_pic },
	{ "rdmsr-tsc-adjust", in_kernel, loop_rdmsr },
	{ "mmio-ioapic", in_kernel, loop_ioapic },
	{ "mmio-lapic", in_kernel, loop_lapic },
	{ "hypercall", in_kernel, loop_hypercall, true },
	{ "out-user", to_user, guest_out },
	{ "in-user", to_user, guest_in },
	{ "mmio-write-user", to_user, guest_mmio_write },
	{ "mmio-read-user", to_user, guest_mmio_read },
	{ "vm-create-run-destroy", lifecycle },
	{ "first-touch-4k", first_touch },
};

/* bench [PATH [REPETITIONS]] */
int main(int argc, char **argv)
{
	unsigned int i;

	if (argc > 2)
		N = strtoul(argv[2], NULL, 0);
	for (i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		if (argc > 1 && strcmp(argv[1], paths[i].name))
			continue;
		if (!paths[i].amd_only || !host_is_intel())
			paths[i].measure(paths[i].name, paths[i].guest);
	}
	return 0;
}
