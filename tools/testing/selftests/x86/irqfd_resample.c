// SPDX-License-Identifier: GPL-2.0-only
/* irqfds with a resampler, by each way of an EOI; and many irqfds. */
#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>
#include "kselftest_harness.h"
#include "testvm.h"

#define PIN		20
#define VECTOR		0x40
#define OTHER_VECTOR	0x41
#define NR		3

static uint64_t drain(int fd)
{
	uint64_t v = 0;

	return read(fd, &v, sizeof(v)) == sizeof(v) ? v : 0;
}

static int irqfd(struct test_vm *vm, int fd, uint32_t gsi, uint32_t flags, int resample)
{
	struct kvm_irqfd e = { .fd = fd, .gsi = gsi, .flags = flags, .resamplefd = resample };

	return ioctl(vm->fd, KVM_IRQFD, &e);
}

static volatile uint64_t hits, other_hits;
static volatile bool by_msr;

static void apic_write(unsigned int reg, uint32_t val)
{
	if (by_msr)
		guest_wrmsr(0x800 + (reg >> 4), val);
	else
		*(volatile uint32_t *)(0xfee00000ull + reg) = val;
}

static void on_irq(struct guest_frame *f)
{
	if (f->vector == VECTOR)
		hits++;
	else
		other_hits++;
	apic_write(0xb0, 0);
	/* One for each halt, even if the line is still up. */
	f->rflags &= ~0x200ull;
}

static void ioapic_write(unsigned int reg, uint32_t val)
{
	*(volatile uint32_t *)0xfec00000ull = reg;
	*(volatile uint32_t *)0xfec00010ull = val;
}

/* Interrupts are only taken in the halt, so none is lost between a look and it. */
static void guest_level(void)
{
	if (by_msr)
		guest_wrmsr(0x1b, guest_rdmsr(0x1b) | 1 << 10);
	apic_write(0xf0, 0x1ff);
	ioapic_write(0x10 + 2 * PIN + 1, 0);
	ioapic_write(0x10 + 2 * PIN, VECTOR | 1 << 15);
	guest_sync(0);
	for (;;) {
		guest_sti_hlt();
		guest_cli();
		guest_sync(hits);
	}
}

FIXTURE(resample)
{
	struct test_vm vm;
	struct test_vcpu *v;
	int fd[NR], told[NR];
};

FIXTURE_VARIANT(resample)
{
	bool by_msr;
};

FIXTURE_VARIANT_ADD(resample, xapic) { .by_msr = false };
FIXTURE_VARIANT_ADD(resample, x2apic) { .by_msr = true };

FIXTURE_SETUP(resample)
{
	int i;

	memset(guest_handlers, 0, sizeof(guest_handlers));
	guest_handlers[VECTOR] = guest_handlers[OTHER_VECTOR] = on_irq;
	hits = other_hits = 0;
	by_msr = variant->by_msr;
	for (i = 0; i < NR; i++) {
		self->fd[i] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
		self->told[i] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	}
	vm_create(&self->vm, TEST_IRQCHIP_FULL);
	self->v = vcpu_create(&self->vm, 0);
	vcpu_start(self->v, guest_level);
	vcpu_expect(self->v, MSG_SYNC);
}

FIXTURE_TEARDOWN(resample)
{
	int i;

	vm_destroy(&self->vm);
	for (i = 0; i < NR; i++) {
		close(self->fd[i]);
		close(self->told[i]);
	}
}

static bool line_is_down(struct test_vm *vm)
{
	struct kvm_irqchip chip = { .chip_id = KVM_IRQCHIP_IOAPIC };

	if (ioctl(vm->fd, KVM_GET_IRQCHIP, &chip))
		return false;
	return !(chip.chip.ioapic.irr & 1 << PIN) &&
	       !chip.chip.ioapic.redirtbl[PIN].fields.remote_irr;
}

/* What an irqfd with a resampler raises may come a little later, from a worker. */
static bool line_comes_up(struct test_vm *vm)
{
	struct kvm_irqchip chip = { .chip_id = KVM_IRQCHIP_IOAPIC };
	int i;

	for (i = 0; i < 10000; i++) {
		if (ioctl(vm->fd, KVM_GET_IRQCHIP, &chip))
			return false;
		if (chip.chip.ioapic.irr & 1 << PIN)
			return true;
		usleep(1000);
	}
	return false;
}

TEST_F(resample, told_at_eoi)
{
	uint64_t i;

	ASSERT_EQ(0, irqfd(&self->vm, self->fd[0], PIN, KVM_IRQFD_FLAG_RESAMPLE, self->told[0]));
	for (i = 1; i < 20; i++) {
		EXPECT_TRUE(line_is_down(&self->vm));
		EXPECT_EQ(0, drain(self->told[0]));
		eventfd_write(self->fd[0], 1);
		EXPECT_EQ(i, vcpu_expect(self->v, MSG_SYNC));
		EXPECT_EQ(1, drain(self->told[0]));
	}
	EXPECT_TRUE(line_is_down(&self->vm));
}

/* Whoever raised it: the line is one for all, and so is its fall. */
TEST_F(resample, all_of_one_gsi)
{
	uint64_t n = 0, told;
	int i, j;

	for (i = 0; i < NR; i++)
		ASSERT_EQ(0, irqfd(&self->vm, self->fd[i], PIN, KVM_IRQFD_FLAG_RESAMPLE,
				   self->told[i]));
	for (i = 0; i < NR; i++) {
		eventfd_write(self->fd[i], 1);
		EXPECT_EQ(++n, vcpu_expect(self->v, MSG_SYNC));
		for (j = 0; j < NR; j++)
			EXPECT_EQ(1, drain(self->told[j]));
		EXPECT_TRUE(line_is_down(&self->vm));
	}
	/* Two at once are one interrupt, unless the second one's worker comes behind the guest's EOI. */
	eventfd_write(self->fd[0], 1);
	eventfd_write(self->fd[2], 1);
	usleep(20000);
	EXPECT_EQ(++n, vcpu_expect(self->v, MSG_SYNC));
	if (!line_is_down(&self->vm))
		EXPECT_EQ(++n, vcpu_expect(self->v, MSG_SYNC));
	for (j = 0; j < NR; j++) {
		told = drain(self->told[j]);
		EXPECT_LE(1, told);
		EXPECT_GE(2, told);
	}
	EXPECT_TRUE(line_is_down(&self->vm));
	/* Who has gone is not told. */
	ASSERT_EQ(0, irqfd(&self->vm, self->fd[1], PIN, KVM_IRQFD_FLAG_DEASSIGN, 0));
	eventfd_write(self->fd[2], 1);
	EXPECT_EQ(++n, vcpu_expect(self->v, MSG_SYNC));
	for (j = 0; j < NR; j++)
		EXPECT_EQ(j != 1, drain(self->told[j]));
}

/* The EOI of an interrupt that did not come through the I/O APIC is nobody's business. */
TEST_F(resample, not_at_other_eois)
{
	struct kvm_msi msi = { .address_lo = 0xfee00000, .data = OTHER_VECTOR };
	int i;

	ASSERT_EQ(0, irqfd(&self->vm, self->fd[0], PIN, KVM_IRQFD_FLAG_RESAMPLE, self->told[0]));
	for (i = 1; i < 5; i++) {
		EXPECT_LT(0, ioctl(self->vm.fd, KVM_SIGNAL_MSI, &msi));
		EXPECT_EQ(0, vcpu_expect(self->v, MSG_SYNC));
		EXPECT_EQ(i, other_hits);
		EXPECT_EQ(0, drain(self->told[0]));
	}
	eventfd_write(self->fd[0], 1);
	EXPECT_EQ(1, vcpu_expect(self->v, MSG_SYNC));
	EXPECT_EQ(1, drain(self->told[0]));
}

/* A device that userspace has on the same pin keeps the line up. */
TEST_F(resample, beside_a_line_of_userspace)
{
	struct kvm_irq_level level = { .irq = PIN, .level = 1 };

	ASSERT_EQ(0, irqfd(&self->vm, self->fd[0], PIN, KVM_IRQFD_FLAG_RESAMPLE, self->told[0]));
	eventfd_write(self->fd[0], 1);
	ASSERT_EQ(0, ioctl(self->vm.fd, KVM_IRQ_LINE, &level));
	EXPECT_EQ(1, vcpu_expect(self->v, MSG_SYNC));
	EXPECT_EQ(1, drain(self->told[0]));
	/* It comes again, and everybody is asked again. */
	EXPECT_EQ(2, vcpu_expect(self->v, MSG_SYNC));
	EXPECT_EQ(1, drain(self->told[0]));
	level.level = 0;
	ASSERT_EQ(0, ioctl(self->vm.fd, KVM_IRQ_LINE, &level));
	/* One more may have been accepted before the line fell; then it is quiet. */
	eventfd_write(self->fd[0], 1);
	EXPECT_TRUE(line_comes_up(&self->vm));
	EXPECT_LE(3, vcpu_expect(self->v, MSG_SYNC));
	EXPECT_LE(1, drain(self->told[0]));
	EXPECT_TRUE(line_is_down(&self->vm));
}

/* --- many --- */

#define MANY	1200

static int many[MANY];

TEST(more_than_a_thousand)
{
	struct rlimit r = { MANY + 100, MANY + 100 };
	struct test_vm vm;
	int i;

	if (setrlimit(RLIMIT_NOFILE, &r))
		SKIP(return, "not so many files");
	vm_create(&vm, TEST_IRQCHIP_FULL);
	vcpu_create(&vm, 0);
	for (i = 0; i < MANY; i++) {
		many[i] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
		ASSERT_LE(0, many[i]);
		ASSERT_EQ(0, irqfd(&vm, many[i], i % 24, 0, 0)) TH_LOG("at %d", i);
	}
	for (i = 0; i < MANY; i += 97)
		EXPECT_ERR(EBUSY, irqfd(&vm, many[i], i % 24, 0, 0));
	/* Each is listened to; nobody's value stays. */
	for (i = 0; i < MANY; i++) {
		eventfd_write(many[i], 1);
		ASSERT_EQ(0, drain(many[i])) TH_LOG("at %d", i);
	}
	for (i = 0; i < MANY; i++)
		ASSERT_EQ(0, irqfd(&vm, many[i], i % 24, KVM_IRQFD_FLAG_DEASSIGN, 0));
	for (i = 0; i < MANY; i++) {
		eventfd_write(many[i], 1);
		ASSERT_EQ(1, drain(many[i])) TH_LOG("at %d", i);
	}
	/* Once more, for the VM to let go of. */
	for (i = 0; i < MANY; i++)
		ASSERT_EQ(0, irqfd(&vm, many[i], i % 24, 0, 0)) TH_LOG("at %d", i);
	vm_destroy(&vm);
	for (i = 0; i < MANY; i++) {
		eventfd_write(many[i], 1);
		ASSERT_EQ(1, drain(many[i])) TH_LOG("at %d", i);
		close(many[i]);
	}
}

TEST_HARNESS_MAIN
