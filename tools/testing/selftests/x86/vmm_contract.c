// SPDX-License-Identifier: GPL-2.0-only
/* What VMMs rely on and no other program asserts: kvm_run after every return, CR8, parameters. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "kselftest_harness.h"
#include "testvm.h"

static volatile uint64_t cr8_seen;

static void guest_with_cr8(void)
{
	for (;;) {
		__asm__ volatile("mov %%cr8, %0" : "=r" (cr8_seen));
		__asm__ volatile("mov %0, %%cr8" : : "r" (5ul));
		guest_sti();
		guest_sync(1);
		guest_cli();
		guest_sync(2);
	}
}

FIXTURE(contract)
{
	struct test_vm vm;
	struct test_vcpu *v;
};

FIXTURE_VARIANT(contract)
{
	enum test_irqchip chip;
};

FIXTURE_VARIANT_ADD(contract, none) { TEST_IRQCHIP_NONE };
FIXTURE_VARIANT_ADD(contract, split) { TEST_IRQCHIP_SPLIT };
FIXTURE_VARIANT_ADD(contract, full) { TEST_IRQCHIP_FULL };

FIXTURE_SETUP(contract)
{
	memset(guest_handlers, 0, sizeof(guest_handlers));
	vm_create(&self->vm, variant->chip);
	self->v = vcpu_create(&self->vm, 0);
}

FIXTURE_TEARDOWN(contract)
{
	vm_destroy(&self->vm);
}

/* A return with nothing done, but for the completion of what was pending. */
static void return_at_once(struct __test_metadata *_metadata, struct test_vcpu *v)
{
	struct kvm_run *run = v->run;

	run->if_flag = 0x55;
	run->cr8 = 5;
	run->apic_base = 0;
	run->immediate_exit = 1;
	ASSERT_ERR(EINTR, ioctl(v->fd, KVM_RUN, 0));
	run->immediate_exit = 0;
}

TEST_F(contract, kvm_run_after_every_return)
{
	struct kvm_run *run = self->v->run;

	vcpu_start(self->v, guest_with_cr8);
	run->apic_base = 0;
	EXPECT_EQ(1, vcpu_expect(self->v, MSG_SYNC));
	EXPECT_EQ(1, run->if_flag);
	EXPECT_EQ(5, run->cr8);
	EXPECT_EQ(0xfee00900, run->apic_base);
	EXPECT_EQ(0, run->flags);
	return_at_once(_metadata, self->v);
	EXPECT_EQ(1, run->if_flag);
	EXPECT_EQ(5, run->cr8);
	EXPECT_EQ(0xfee00900, run->apic_base);

	EXPECT_EQ(2, vcpu_expect(self->v, MSG_SYNC));
	EXPECT_EQ(0, run->if_flag);
	/* With a PIC in the kernel userspace never has to wait. */
	if (variant->chip == TEST_IRQCHIP_NONE)
		EXPECT_EQ(0, run->ready_for_interrupt_injection);
	return_at_once(_metadata, self->v);
	EXPECT_EQ(0, run->if_flag);
}

/* The TPR of a local APIC in userspace comes with each entry; one in the kernel keeps its own. */
TEST_F(contract, cr8_on_entry)
{
	struct kvm_run *run = self->v->run;

	vcpu_start(self->v, guest_with_cr8);
	run->cr8 = 3;
	vcpu_expect(self->v, MSG_SYNC);
	EXPECT_EQ(variant->chip == TEST_IRQCHIP_NONE ? 3 : 0, cr8_seen);
	EXPECT_EQ(5, run->cr8);
}

/* An interrupt of a PIC in userspace: one at a time. */
TEST_F(contract, one_external_interrupt)
{
	struct kvm_interrupt irq = { .irq = 0x40 };

	if (variant->chip == TEST_IRQCHIP_FULL) {
		EXPECT_ERR(ENXIO, ioctl(self->v->fd, KVM_INTERRUPT, &irq));
		return;
	}
	ASSERT_EQ(0, ioctl(self->v->fd, KVM_INTERRUPT, &irq));
	if (variant->chip == TEST_IRQCHIP_SPLIT)
		EXPECT_ERR(EEXIST, ioctl(self->v->fd, KVM_INTERRUPT, &irq));
}

/* What became of an interrupt: delivered, or not at all. */
TEST_F(contract, status_of_a_line)
{
	struct kvm_irq_level line = { .irq = 20, .level = 1 };
	struct kvm_irqchip chip = { .chip_id = KVM_IRQCHIP_IOAPIC };
	struct kvm_lapic_state lapic;

	if (variant->chip != TEST_IRQCHIP_FULL)
		return;
	/* After reset all pins are masked. */
	ASSERT_EQ(0, ioctl(self->vm.fd, KVM_IRQ_LINE_STATUS, &line));
	EXPECT_GE(0, (int32_t)line.status);
	/* The answer took the number's place. */
	line = (struct kvm_irq_level){ .irq = 20, .level = 0 };
	ASSERT_EQ(0, ioctl(self->vm.fd, KVM_IRQ_LINE_STATUS, &line));
	/* Software-enable the local APIC; vector 45h for the pin. */
	ASSERT_EQ(0, ioctl(self->v->fd, KVM_GET_LAPIC, &lapic));
	*(uint32_t *)(lapic.regs + 0xf0) = 0x1ff;
	ASSERT_EQ(0, ioctl(self->v->fd, KVM_SET_LAPIC, &lapic));
	ASSERT_EQ(0, ioctl(self->vm.fd, KVM_GET_IRQCHIP, &chip));
	chip.chip.ioapic.redirtbl[20].bits = 0x45;
	chip.chip.ioapic.irr = 0;
	ASSERT_EQ(0, ioctl(self->vm.fd, KVM_SET_IRQCHIP, &chip));
	line = (struct kvm_irq_level){ .irq = 20, .level = 1 };
	ASSERT_EQ(0, ioctl(self->vm.fd, KVM_IRQ_LINE_STATUS, &line));
	EXPECT_LT(0, (int32_t)line.status);
}

/* No file goes over to another program, and each is one of ours by its own. */
TEST_F(contract, files_close_on_exec)
{
	int stats = ioctl(self->vm.fd, KVM_GET_STATS_FD, NULL);

	EXPECT_EQ(FD_CLOEXEC, fcntl(self->vm.fd, F_GETFD));
	EXPECT_EQ(FD_CLOEXEC, fcntl(self->v->fd, F_GETFD));
	ASSERT_LE(0, stats);
	EXPECT_EQ(FD_CLOEXEC, fcntl(stats, F_GETFD));
	close(stats);
}

/* The kernel's selftests, kvm-unit-tests and libvirt look at these. */
TEST(parameters)
{
	static const char *const names[] = {
		"kvm/parameters/force_emulation_prefix", "kvm/parameters/enable_pmu",
		"kvm/parameters/eager_page_split", "kvm/parameters/tdp_mmu",
		"kvm/parameters/nx_huge_pages", "kvm/parameters/ignore_msrs",
		"kvm/parameters/enable_vmware_backdoor",
	};
	static const char *const intel[] = {
		"kvm_intel/parameters/ept", "kvm_intel/parameters/unrestricted_guest",
		"kvm_intel/parameters/nested",
	};
	static const char *const amd[] = {
		"kvm_amd/parameters/npt", "kvm_amd/parameters/avic", "kvm_amd/parameters/nested",
	};
	unsigned int i, n = 3;
	char path[128];

	for (i = 0; i < sizeof(names) / sizeof(names[0]) + n; i++) {
		unsigned int k = i - sizeof(names) / sizeof(names[0]);

		snprintf(path, sizeof(path), "/sys/module/%s",
			 k >= n ? names[i] : host_is_intel() ? intel[k] : amd[k]);
		EXPECT_EQ(0, access(path, R_OK)) TH_LOG("%s", path);
	}
}

TEST_HARNESS_MAIN
