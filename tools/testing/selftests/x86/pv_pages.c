// SPDX-License-Identifier: GPL-2.0-only
/* kvmclock's page and that of steal time: what is written there, and what when their memory goes away. */
#include <errno.h>
#include <string.h>
#include "kselftest_harness.h"
#include "testvm.h"

#define PAGE		4096ull
#define PAGES		4
#define MSR_CLOCK	0x4b564d01
#define MSR_STEAL	0x4b564d03
#define CLOCK_AT	0
#define STEAL_AT	PAGE

struct steal_time {
	uint64_t steal;
	uint32_t version, flags;
	uint8_t preempted, pad[47];
};

FIXTURE(pv_pages)
{
	struct test_vm vm;
	struct test_vcpu *v;
	uint8_t *mem;
	bool steal;
};

FIXTURE_SETUP(pv_pages)
{
	memset(guest_handlers, 0, sizeof(guest_handlers));
	vm_create(&self->vm, TEST_IRQCHIP_FULL);
	self->v = vcpu_create(&self->vm, 0);
	self->mem = vm_add_memory(&self->vm, SLOT_FREE, GPA_FREE, PAGES * PAGE, 0);
	self->steal = cpuid_reg(self->vm.kvm, 0x40000001, 0, 0) & 1 << 5;
}

FIXTURE_TEARDOWN(pv_pages)
{
	vm_destroy(&self->vm);
}

static void guest_syncs(void)
{
	for (;;)
		guest_sync(0);
}

/* Its vCPU runs, whatever a KVM that the guest came from has left there. */
TEST_F(pv_pages, steal_time_of_a_running_vcpu)
{
	volatile struct steal_time *st = (void *)(self->mem + STEAL_AT);

	if (!self->steal)
		SKIP(return, "no steal time");
	st->preempted = 1;
	st->steal = 1000;
	vcpu_start(self->v, guest_syncs);
	ASSERT_EQ(1, set_msr(self->v->fd, MSR_STEAL, (GPA_FREE + STEAL_AT) | 1));
	vcpu_expect(self->v, MSG_SYNC);
	EXPECT_EQ(0, st->preempted);
	EXPECT_NE(0, st->version);
	EXPECT_EQ(0, st->version & 1);
	EXPECT_GE(st->steal, 1000);
}

/* The pages' slot is deleted while they are in use: nobody writes to that memory any more. */
TEST_F(pv_pages, slot_deleted)
{
	struct kvm_clock_data now;
	uint8_t *other = NULL;
	unsigned int i;

	vcpu_start(self->v, guest_syncs);
	ASSERT_EQ(1, set_msr(self->v->fd, MSR_CLOCK, (GPA_FREE + CLOCK_AT) | 1));
	if (self->steal)
		ASSERT_EQ(1, set_msr(self->v->fd, MSR_STEAL, (GPA_FREE + STEAL_AT) | 1));
	vcpu_expect(self->v, MSG_SYNC);
	EXPECT_NE(0, self->mem[CLOCK_AT]);		/* the version */

	ASSERT_EQ(0, vm_set_region(&self->vm, SLOT_FREE, GPA_FREE, 0, self->mem, 0));
	memset(self->mem, 0xee, PAGES * PAGE);
	for (i = 0; i < 3; i++) {
		if (i == 1)	/* elsewhere, with other memory */
			other = vm_add_memory(&self->vm, SLOT_FREE, GPA_FREE + 16 * PAGE, PAGES * PAGE, 0);
		if (i == 2) {	/* there, with other memory */
			ASSERT_EQ(0, vm_set_region(&self->vm, SLOT_FREE, GPA_FREE + 16 * PAGE, 0, other, 0));
			other = vm_add_memory(&self->vm, SLOT_FREE, GPA_FREE, PAGES * PAGE, 0);
		}
		ASSERT_EQ(0, ioctl(self->vm.fd, KVM_GET_CLOCK, &now));
		now.flags = 0;
		ASSERT_EQ(0, ioctl(self->vm.fd, KVM_SET_CLOCK, &now));
		if (self->steal)
			ASSERT_EQ(1, set_msr(self->v->fd, MSR_STEAL, (GPA_FREE + STEAL_AT) | 1));
		vcpu_expect(self->v, MSG_SYNC);
	}
	EXPECT_NE(0, other[CLOCK_AT]);
	for (i = 0; i < PAGES * PAGE; i++)
		if (self->mem[i] != 0xee)
			break;
	EXPECT_EQ(PAGES * PAGE, i);
}

TEST_HARNESS_MAIN
