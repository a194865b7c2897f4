// SPDX-License-Identifier: GPL-2.0-only
/* Exits that end in the kernel: the guest's loop is all there is. */
#include "bench.h"

static inline void op_cpuid(void)
{
	uint32_t a = 0, b, c = 0, d;

	guest_cpuid(&a, &b, &c, &d);
}

/* Set before the guest starts, which shares this memory. */
static bool intel;

static inline void op_hypercall(void)
{
	if (intel)
		__asm__ volatile("vmcall" : : "a" (100) : "memory");
	else
		__asm__ volatile("vmmcall" : : "a" (100) : "memory");
}

static inline void op_cr4(void)
{
	uint64_t v;

	__asm__ volatile("mov %%cr4, %0; xor $0x80, %0; mov %0, %%cr4" : "=r" (v) : : "memory");
}

static inline void op_self_ipi(void)
{
	mmio_write(LAPIC_ICR, 0x40000 | VEC);
}

/* The NOP: in QEMU the shadow of the host's STI lasts into the guest, and STI there sets none of its own. */
static inline void op_hlt_pending(void)
{
	guest_cli();
	op_self_ipi();
	__asm__ volatile("nop");
	guest_sti_hlt();
}

static inline void op_eoi(void)
{
	mmio_write(LAPIC_EOI, 0);
}

GUEST_LOOP(cpuid_loop, op_cpuid())
GUEST_LOOP(rdmsr_pat, (void)guest_rdmsr(0x277))
GUEST_LOOP(wrmsr_pat, guest_wrmsr(0x277, 0x0007040600070406))
GUEST_LOOP(rdmsr_adjust, (void)guest_rdmsr(0x3b))
GUEST_LOOP(wrmsr_adjust, guest_wrmsr(0x3b, 0))
GUEST_LOOP(rdmsr_apicbase, (void)guest_rdmsr(0x1b))
GUEST_LOOP(cr4, op_cr4())
GUEST_LOOP(in_pic, (void)guest_inb(0x21))
GUEST_LOOP(out_pic, guest_outb(0x21, 0xff))
GUEST_LOOP(in_pit, (void)guest_inb(0x40))
GUEST_LOOP(ioapic_read, (void)mmio_read(IOAPIC + 0x10))
GUEST_LOOP(ioapic_write, mmio_write(IOAPIC, 1))
GUEST_LOOP(lapic_read, (void)mmio_read(LAPIC + 0x30))
GUEST_LOOP(lapic_write, mmio_write(LAPIC + 0x3e0, 0xb))
GUEST_LOOP(eoi, op_eoi())
GUEST_LOOP(hypercall, op_hypercall())

#define GUEST_IRQ_LOOP(fn, body)					\
static void fn##_(void);						\
static void fn(void)							\
{									\
	lapic_enable();							\
	guest_sti();							\
	fn##_();							\
}									\
GUEST_LOOP(fn##_, body)

GUEST_IRQ_LOOP(self_ipi, op_self_ipi())
GUEST_IRQ_LOOP(hlt_pending, op_hlt_pending())

static void in_kernel(const struct path *p)
{
	struct test_vm vm;
	struct test_vcpu *v;

	intel = host_is_intel();
	kvm_irq_handler();
	vm_create(&vm, TEST_IRQCHIP_FULL);
	if (p->guest == in_pit)
		must(ioctl(vm.fd, KVM_CREATE_PIT2, &(struct kvm_pit_config){ 0 }));
	v = vcpu_create(&vm, 0);
	vcpu_start(v, p->guest);
	vcpu_expect(v, MSG_DONE);
	bench_report(p, bench_n);
	vm_destroy(&vm);
}

const struct path exit_paths[] = {
	{ "cpuid", P_STRAIGHT, in_kernel, cpuid_loop },
	{ "rdmsr-cached", P_STRAIGHT, in_kernel, rdmsr_pat },
	{ "wrmsr-cached", P_STRAIGHT, in_kernel, wrmsr_pat },
	{ "rdmsr-emulated", P_STRAIGHT, in_kernel, rdmsr_adjust },
	{ "wrmsr-emulated", P_STRAIGHT, in_kernel, wrmsr_adjust },
	{ "rdmsr-apicbase", P_STRAIGHT, in_kernel, rdmsr_apicbase },
	{ "mov-cr4", P_STRAIGHT, in_kernel, cr4 },
	{ "in-pic", P_STRAIGHT, in_kernel, in_pic },
	{ "out-pic", P_STRAIGHT, in_kernel, out_pic },
	{ "in-pit", P_STRAIGHT, in_kernel, in_pit },
	{ "mmio-ioapic-read", P_STRAIGHT, in_kernel, ioapic_read },
	{ "mmio-ioapic-write", P_STRAIGHT, in_kernel, ioapic_write },
	{ "mmio-lapic-read", P_STRAIGHT, in_kernel, lapic_read },
	{ "mmio-lapic-write", P_STRAIGHT, in_kernel, lapic_write },
	{ "eoi", P_STRAIGHT, in_kernel, eoi },
	{ "self-ipi", P_STRAIGHT, in_kernel, self_ipi },
	{ "hlt-pending", P_STRAIGHT, in_kernel, hlt_pending },
	{ "hypercall", P_STRAIGHT, in_kernel, hypercall },
	{ }
};
