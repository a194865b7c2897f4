// SPDX-License-Identifier: GPL-2.0-only
/* Paravirtual EOI: an interrupt ended in guest memory, and what userspace sees of it meanwhile. */
#include <errno.h>
#include <string.h>
#include "kselftest_harness.h"
#include "testvm.h"

#define LAPIC(reg)	(*(volatile uint32_t *)(0xfee00000ull + (reg)))
#define MSR_PV_EOI	0x4b564d04
#define LOW		0x41
#define HIGH		0x61
#define ROUNDS		50

static volatile uint32_t word __attribute__((aligned(64)));
static volatile uint64_t taken[256], silent, with_msr, stay_away;

/* The guest's part of the protocol: one instruction reads and clears the bit. */
static bool end_in_memory(void)
{
	bool was;

	__asm__ volatile("btrl $0, %1" : "=@ccc" (was), "+m" (word) : : "memory");
	return was;
}

static void handler(struct guest_frame *f)
{
	taken[f->vector]++;
	if (stay_away == f->vector)
		guest_sync(word);
	if (with_msr && end_in_memory())
		silent++;
	else
		LAPIC(0xb0) = 0;
}

static void self_ipi(uint8_t vector)
{
	LAPIC(0x300) = 0x40000 | vector;
}

static bool in_service(uint8_t vector)
{
	return LAPIC(0x100 + (vector >> 5) * 0x10) & 1u << (vector & 31);
}

static void guest_setup(void)
{
	LAPIC(0xf0) = 0x1ff;
	guest_handlers[LOW] = guest_handlers[HIGH] = handler;
	guest_wrmsr(MSR_PV_EOI, (uint64_t)&word | 1);
	guest_sti();
}

FIXTURE(pv_eoi)
{
	struct test_vm vm;
	struct test_vcpu *vcpu;
};

FIXTURE_SETUP(pv_eoi)
{
	memset((void *)taken, 0, sizeof(taken));
	memset(guest_handlers, 0, sizeof(guest_handlers));
	word = silent = stay_away = 0;
	with_msr = 1;
	vm_create(&self->vm, TEST_IRQCHIP_SPLIT);
	self->vcpu = vcpu_create(&self->vm, 0);
}

FIXTURE_TEARDOWN(pv_eoi)
{
	vm_destroy(&self->vm);
}

static void guest_rounds(void)
{
	int i;

	guest_setup();
	for (i = 0; i < ROUNDS; i++) {
		self_ipi(LOW);
		guest_assert(taken[LOW] == i + 1);
		guest_assert(!in_service(LOW));
	}
	guest_done();
}

TEST_F(pv_eoi, offered)
{
	EXPECT_TRUE(cpuid_reg(self->vm.kvm, 0x40000001, 0, 0) & 1 << 6);
}

/* Interrupts end without an exit, but where the host took the permission back; the APIC never shows it. */
TEST_F(pv_eoi, ends_in_memory)
{
	vcpu_start(self->vcpu, guest_rounds);
	vcpu_expect(self->vcpu, MSG_DONE);
	EXPECT_EQ(ROUNDS, taken[LOW]);
	EXPECT_GT(silent, 0);
	EXPECT_EQ(0, word & 1);
}

/* A guest may enable it and go on with the register. */
TEST_F(pv_eoi, unused)
{
	with_msr = 0;
	vcpu_start(self->vcpu, guest_rounds);
	vcpu_expect(self->vcpu, MSG_DONE);
	EXPECT_EQ(ROUNDS, taken[LOW]);
}

static void guest_two(void)
{
	guest_setup();
	guest_cli();
	self_ipi(LOW);
	self_ipi(HIGH);
	guest_sti();
	guest_pause();
	guest_assert(taken[HIGH] == 1 && taken[LOW] == 1);
	guest_assert(!in_service(HIGH) && !in_service(LOW));
	guest_done();
}

/* While another one waits the end has to be seen at once: it is written to the register. */
TEST_F(pv_eoi, another_waits)
{
	vcpu_start(self->vcpu, guest_two);
	vcpu_expect(self->vcpu, MSG_DONE);
	EXPECT_LE(silent, 1);
}

/* The end of the inner one must not be taken for that of the outer. */
static void nesting_handler(struct guest_frame *f)
{
	taken[f->vector]++;
	guest_sti();
	self_ipi(HIGH);
	guest_assert(taken[HIGH] == taken[LOW]);
	guest_assert(in_service(LOW) && !in_service(HIGH));
	guest_cli();
	if (end_in_memory())
		silent++;
	else
		LAPIC(0xb0) = 0;
}

static void guest_nested(void)
{
	int i;

	guest_setup();
	guest_handlers[LOW] = nesting_handler;
	for (i = 0; i < ROUNDS; i++) {
		self_ipi(LOW);
		guest_assert(taken[LOW] == i + 1);
		guest_assert(!in_service(LOW));
	}
	guest_done();
}

TEST_F(pv_eoi, nested)
{
	vcpu_start(self->vcpu, guest_nested);
	vcpu_expect(self->vcpu, MSG_DONE);
	EXPECT_EQ(ROUNDS, taken[HIGH]);
}

static uint32_t isr_of(struct test_vcpu *v, uint8_t vector)
{
	struct kvm_lapic_state s;

	if (ioctl(v->fd, KVM_GET_LAPIC, &s))
		return ~0;
	return *(uint32_t *)(s.regs + 0x100 + (vector >> 5) * 0x10) & 1u << (vector & 31);
}

/* Outside KVM_RUN the permission is taken back: what is saved then needs no memory to be complete. */
TEST_F(pv_eoi, userspace_sees_a_plain_apic)
{
	stay_away = LOW;
	vcpu_start(self->vcpu, guest_rounds);
	vcpu_expect(self->vcpu, MSG_SYNC);
	EXPECT_EQ(0, word & 1);
	EXPECT_NE(0, isr_of(self->vcpu, LOW));
	stay_away = 0;
	vcpu_expect(self->vcpu, MSG_DONE);
	EXPECT_EQ(ROUNDS, taken[LOW]);
	EXPECT_EQ(0, isr_of(self->vcpu, LOW));
}

static void guest_level(void)
{
	guest_setup();
	guest_sync(0);
	guest_pause();
	guest_assert(taken[LOW] == 1);
	guest_done();
}

/* The end of a level-triggered interrupt goes to the I/O APIC: never in memory. */
TEST_F(pv_eoi, level)
{
	struct kvm_msi msi = { .address_lo = 0xfee00000, .data = 0xc000 | LOW };

	vcpu_start(self->vcpu, guest_level);
	vcpu_expect(self->vcpu, MSG_SYNC);
	EXPECT_LE(1, ioctl(self->vm.fd, KVM_SIGNAL_MSI, &msi));
	vcpu_expect(self->vcpu, MSG_DONE);
	EXPECT_EQ(0, silent);
}

static void guest_lose_memory(void)
{
	guest_setup();
	guest_wrmsr(MSR_PV_EOI, GPA_FREE | 1);
	guest_sync(0);
	with_msr = 0;
	self_ipi(LOW);
	guest_assert(taken[LOW] == 1 && !in_service(LOW));
	guest_done();
}

/* The page goes away under it: no harm, the register still works. */
TEST_F(pv_eoi, slot_deleted)
{
	void *p = vm_add_memory(&self->vm, SLOT_FREE, GPA_FREE, 4096, 0);

	vcpu_start(self->vcpu, guest_lose_memory);
	vcpu_expect(self->vcpu, MSG_SYNC);
	ASSERT_EQ(0, vm_set_region(&self->vm, SLOT_FREE, GPA_FREE, 0, p, 0));
	vcpu_expect(self->vcpu, MSG_DONE);
}

TEST_F(pv_eoi, values)
{
	struct test_vcpu *v = self->vcpu;
	uint64_t val;

	EXPECT_EQ(1, set_msr(v->fd, MSR_PV_EOI, (uint64_t)&word | 1));
	EXPECT_EQ(1, get_msr(v->fd, MSR_PV_EOI, &val));
	EXPECT_EQ((uint64_t)&word | 1, val);
	EXPECT_EQ(1, set_msr(v->fd, MSR_PV_EOI, 0));
	EXPECT_EQ(0, set_msr(v->fd, MSR_PV_EOI, (uint64_t)&word | 3));
	EXPECT_EQ(0, set_msr(v->fd, MSR_PV_EOI, 2));
	/* Enabled, where no memory is. */
	EXPECT_EQ(0, set_msr(v->fd, MSR_PV_EOI, GPA_MMIO | 1));
	EXPECT_EQ(0, set_msr(v->fd, MSR_PV_EOI, ~2ull));
	/* The last word of a page. */
	vm_add_memory(&self->vm, SLOT_FREE, GPA_FREE, 4096, 0);
	EXPECT_EQ(1, set_msr(v->fd, MSR_PV_EOI, (GPA_FREE + 4092) | 1));
}

/* Where the local APIC is userspace's, as with QEMU's irqchip=off: the guest may set it, all the same. */
TEST(userspace_apic)
{
	struct test_vcpu *v;
	struct test_vm vm;

	vm_create(&vm, TEST_IRQCHIP_NONE);
	v = vcpu_create(&vm, 0);
	EXPECT_EQ(1, set_msr(v->fd, MSR_PV_EOI, (uint64_t)&word | 1));
	EXPECT_EQ(1, set_msr(v->fd, MSR_PV_EOI, 0));
	vm_destroy(&vm);
}

TEST_HARNESS_MAIN
