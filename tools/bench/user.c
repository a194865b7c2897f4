// SPDX-License-Identifier: GPL-2.0-only
/* Exits to userspace and back: KVM_RUN, nothing done between, KVM_RUN. */
#include "bench.h"

#define STRING_BYTES	64

static uint8_t buf[4096] __attribute__((aligned(4096)));

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

static void guest_outs(void)
{
	for (;;) {
		uint64_t n = STRING_BYTES;
		const void *from = buf;

		__asm__ volatile("rep outsb" : "+S" (from), "+c" (n) : "d" (0x80) : "memory");
	}
}

static void guest_ins(void)
{
	for (;;) {
		uint64_t n = STRING_BYTES;
		void *to = buf;

		__asm__ volatile("rep insb" : "+D" (to), "+c" (n) : "d" (0x80) : "memory");
	}
}

static void guest_write(void)
{
	for (;;)
		mmio_write(GPA_MMIO, 1);
}

static void guest_read(void)
{
	for (;;)
		(void)mmio_read(GPA_MMIO);
}

static void run_n(const struct path *p, struct test_vcpu *v)
{
	uint64_t i;

	for (i = 0; i < 16; i++)
		must(ioctl(v->fd, KVM_RUN, 0));
	bench_begin();
	for (i = 0; i < bench_n; i++)
		ioctl(v->fd, KVM_RUN, 0);
	bench_end();
	bench_report(p, bench_n);
}

static void to_user(const struct path *p)
{
	struct test_vm vm;
	struct test_vcpu *v;

	vm_create(&vm, TEST_IRQCHIP_FULL);
	v = vcpu_create(&vm, 0);
	vcpu_start(v, p->guest);
	run_n(p, v);
	vm_destroy(&vm);
}

/* All register sets out on each exit. */
static void sync_out(const struct path *p)
{
	struct test_vm vm;
	struct test_vcpu *v;

	vm_create(&vm, TEST_IRQCHIP_FULL);
	v = vcpu_create(&vm, 0);
	vcpu_start(v, p->guest);
	v->run->kvm_valid_regs = KVM_SYNC_X86_VALID_FIELDS;
	run_n(p, v);
	vm_destroy(&vm);
}

/* ... and the general ones in with each entry. */
static void sync_in_out(const struct path *p)
{
	struct test_vm vm;
	struct test_vcpu *v;
	uint64_t i;

	vm_create(&vm, TEST_IRQCHIP_FULL);
	v = vcpu_create(&vm, 0);
	vcpu_start(v, p->guest);
	v->run->kvm_valid_regs = KVM_SYNC_X86_VALID_FIELDS;
	for (i = 0; i < 16; i++)
		must(ioctl(v->fd, KVM_RUN, 0));
	bench_begin();
	for (i = 0; i < bench_n; i++) {
		v->run->kvm_dirty_regs = KVM_SYNC_X86_REGS;
		ioctl(v->fd, KVM_RUN, 0);
	}
	bench_end();
	bench_report(p, bench_n);
	vm_destroy(&vm);
}

GUEST_LOOP(guest_coalesced, mmio_write(GPA_MMIO, 1))

/* The ring is full after some 170 stores: then the guest exits and userspace empties it. */
static void coalesced(const struct path *p)
{
	struct kvm_coalesced_mmio_zone zone = { .addr = GPA_MMIO, .size = 4096 };
	struct kvm_coalesced_mmio_ring *ring;
	struct test_vm vm;
	struct test_vcpu *v;

	vm_create(&vm, TEST_IRQCHIP_FULL);
	must(ioctl(vm.fd, KVM_REGISTER_COALESCED_MMIO, &zone));
	v = vcpu_create(&vm, 0);
	ring = (void *)((char *)v->run + 4096 * kvm_cap(vm.kvm, KVM_CAP_COALESCED_MMIO));
	vcpu_start(v, p->guest);
	do {
		must(ioctl(v->fd, KVM_RUN, 0));
		ring->first = ring->last;
	} while (v->run->exit_reason == KVM_EXIT_MMIO);
	bench_report(p, bench_n);
	vm_destroy(&vm);
}

const struct path user_paths[] = {
	{ "out-user", P_STRAIGHT, to_user, guest_out },
	{ "in-user", P_STRAIGHT, to_user, guest_in },
	{ "outs-user", P_STRAIGHT, to_user, guest_outs },
	{ "ins-user", P_STRAIGHT, to_user, guest_ins },
	{ "mmio-write-user", P_STRAIGHT, to_user, guest_write },
	{ "mmio-read-user", P_STRAIGHT, to_user, guest_read },
	{ "coalesced-mmio", P_STRAIGHT, coalesced, guest_coalesced },
	{ "sync-regs-out", P_STRAIGHT, sync_out, guest_out },
	{ "sync-regs-in-out", P_STRAIGHT, sync_in_out, guest_out },
	{ }
};
