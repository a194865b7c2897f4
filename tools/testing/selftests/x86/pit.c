// SPDX-License-Identifier: GPL-2.0-only
/* The in-kernel PIT: creation, ticks at the rate that was asked for, reading counters back, port 0x61, its state. */
#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "kselftest_harness.h"
#include "testvm.h"

#define LAPIC(reg)	(*(volatile uint32_t *)(0xfee00000ull + (reg)))
#define IOAPIC_SEL	(*(volatile uint32_t *)0xfec00000ull)
#define IOAPIC_WIN	(*(volatile uint32_t *)0xfec00010ull)
#define PIT_HZ		1193182ull
#define MS		1000000ull	/* in ns */

static volatile uint64_t ticks, divisor, rounds;

FIXTURE(pit)
{
	struct test_vm vm;
	struct test_vcpu *v;
	struct kvm_pit_config config;
};

FIXTURE_VARIANT(pit)
{
	uint32_t flags;
	int vcpus;
};

FIXTURE_VARIANT_ADD(pit, plain)
{
	.flags = 0,
};

FIXTURE_VARIANT_ADD(pit, speaker)
{
	.flags = KVM_PIT_SPEAKER_DUMMY,
};

/* More than a tick is offered to with interrupts off. */
FIXTURE_VARIANT_ADD(pit, many_vcpus)
{
	.vcpus = 20,
};

FIXTURE_SETUP(pit)
{
	int i, fd;

	ticks = 0;
	rounds = 0;
	memset(guest_handlers, 0, sizeof(guest_handlers));
	vm_create(&self->vm, TEST_IRQCHIP_FULL);
	self->config = (struct kvm_pit_config){ .flags = variant->flags };
	ASSERT_EQ(0, ioctl(self->vm.fd, KVM_CREATE_PIT2, &self->config));
	self->v = vcpu_create(&self->vm, 0);
	for (i = 1; i < variant->vcpus; i++) {
		fd = ioctl(self->vm.fd, KVM_CREATE_VCPU, i);
		ASSERT_LE(0, fd);
		close(fd);
	}
}

FIXTURE_TEARDOWN(pit)
{
	vm_destroy(&self->vm);
}

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 * MS + t.tv_nsec;
}

static void pic_tick(struct guest_frame *f)
{
	ticks++;
	guest_outb(0x20, 0x20);
}

static void apic_tick(struct guest_frame *f)
{
	ticks++;
	LAPIC(0xb0) = 0;
}

static void program(unsigned int mode, unsigned int count)
{
	guest_outb(0x43, 0x30 | mode << 1);
	guest_outb(0x40, count & 0xff);
	guest_outb(0x40, count >> 8);
}

static void pic_to_guest(void)
{
	guest_handlers[0x20] = pic_tick;
	guest_outb(0x20, 0x11);
	guest_outb(0x21, 0x20);
	guest_outb(0x21, 4);
	guest_outb(0x21, 1);
	guest_outb(0x21, 0xfe);
	LAPIC(0xf0) = 0x1ff;
	LAPIC(0x350) = 0x700;		/* LVT0: ExtINT */
}

/* Takes the ticks that wait, and each that its predecessor's end lets through. */
static void take_ticks(void)
{
	uint64_t before;

	do {
		before = ticks;
		__asm__ volatile("sti; nop; cli" : : : "memory");
	} while (ticks != before);
}

static void guest_pic_ticks(void)
{
	pic_to_guest();
	do {
		program(2, divisor);
		ticks = 0;
		guest_sync(0);
		while (ticks < 50)
			guest_sti_hlt();
		guest_cli();
		guest_sync(ticks);
	} while (rounds);
	/* Mode 0 ticks once. Its control word stops the counter. */
	guest_outb(0x43, 0x30);
	take_ticks();
	guest_outb(0x40, divisor & 0xff);
	ticks = 0;
	guest_outb(0x40, divisor >> 8);
	while (!ticks)
		guest_sti_hlt();
	guest_cli();
	guest_sync(ticks);
	guest_done();
}

/* Fifty periods last fifty periods; more only as far as this host is slow, and it is not in all of some rounds. */
TEST_F(pit, ticks_through_the_pic)
{
	uint64_t before, t;

	divisor = PIT_HZ / 200;		/* 5 ms */
	rounds = 5;
	vcpu_start(self->v, guest_pic_ticks);
	do {
		rounds--;
		before = now();
		vcpu_expect(self->v, MSG_SYNC);
		t = now();
		EXPECT_LE(50, vcpu_expect(self->v, MSG_SYNC));
		EXPECT_GE(now() - before, 49 * 5 * MS);
		t = now() - t;
		if (t <= 4 * 50 * 5 * MS)
			rounds = 0;
	} while (rounds);
	EXPECT_LE(t, 4 * 50 * 5 * MS);
	EXPECT_EQ(1, vcpu_expect(self->v, MSG_SYNC));
	vcpu_expect(self->v, MSG_DONE);
}

static void guest_owed_ticks(void)
{
	pic_to_guest();
	program(2, PIT_HZ / 1000);
	guest_sync(0);
	program(0, PIT_HZ / 20);
	guest_sync(0);
	ticks = 0;
	take_ticks();
	guest_sync(ticks);
	guest_done();
}

/* A guest that missed ticks gets them later, but not once it has given the counter something else to do. */
TEST_F(pit, owed_ticks_end_with_the_count)
{
	uint64_t n;

	vcpu_start(self->v, guest_owed_ticks);
	vcpu_expect(self->v, MSG_SYNC);
	usleep(50000);
	vcpu_expect(self->v, MSG_SYNC);
	usleep(200000);
	/* One that was in the PIC already, and the one of the new count. */
	n = vcpu_expect(self->v, MSG_SYNC);
	EXPECT_LE(1, n);
	EXPECT_GE(2, n);
	vcpu_expect(self->v, MSG_DONE);
}

static void guest_ioapic_ticks(void)
{
	guest_handlers[0x30] = apic_tick;
	guest_outb(0x21, 0xff);
	guest_outb(0xa1, 0xff);
	LAPIC(0xf0) = 0x1ff;
	/* KVM's default table leads GSI 0 to pin 0; QEMU and kvmtool change that to 2. */
	IOAPIC_SEL = 0x10;
	IOAPIC_WIN = 0x30;
	IOAPIC_SEL = 0x14;
	IOAPIC_WIN = 0x30;
	program(2, divisor);
	while (ticks < 10)
		guest_sti_hlt();
	guest_cli();
	guest_sync(ticks);
	/* The square wave interrupts at the same rate. */
	program(3, divisor);
	ticks = 0;
	while (ticks < 10)
		guest_sti_hlt();
	guest_cli();
	guest_done();
}

TEST_F(pit, ticks_through_the_ioapic)
{
	divisor = PIT_HZ / 500;
	vcpu_start(self->v, guest_ioapic_ticks);
	EXPECT_LE(10, vcpu_expect(self->v, MSG_SYNC));
	vcpu_expect(self->v, MSG_DONE);
}

static unsigned int latched(unsigned int channel)
{
	unsigned int lo;

	guest_outb(0x43, channel << 6);
	lo = guest_inb(0x40 + channel);
	return lo | guest_inb(0x40 + channel) << 8;
}

static void guest_readback(void)
{
	unsigned int a, b, lo, status;

	program(2, 0xf000);
	a = latched(0);
	guest_assert(a <= 0xf000);
	do {
		b = latched(0);
	} while (b == a);
	guest_assert(b <= 0xf000);
	/* Read back: status of channel 0, then its count. */
	guest_outb(0x43, 0xc2);
	status = guest_inb(0x40);
	guest_assert((status & 0x3f) == 0x34);		/* both bytes, mode 2, binary */
	lo = guest_inb(0x40);
	guest_assert((lo | guest_inb(0x40) << 8) <= 0xf000);
	/* One byte at a time. */
	guest_outb(0x43, 0x14);
	guest_outb(0x40, 0x80);
	guest_outb(0x43, 0xe2);
	guest_assert((guest_inb(0x40) & 0x3f) == 0x14);
	guest_assert(guest_inb(0x40) <= 0x80);
	guest_done();
}

TEST_F(pit, reading_the_counters)
{
	vcpu_start(self->v, guest_readback);
	vcpu_expect(self->v, MSG_DONE);
}

static void guest_speaker(void)
{
	unsigned int v, i, seen = 0;

	v = guest_inb(0x61);
	guest_outb(0x61, (v & ~2) | 1);			/* gate of channel 2 on, speaker off */
	guest_assert((guest_inb(0x61) & 3) == 1);
	/* Channel 2 in mode 0: its output, bit 5, rises at the end. */
	guest_outb(0x43, 0xb0);
	guest_outb(0x42, 0xa9);
	guest_outb(0x42, 0x04);				/* 1 ms */
	while (!(guest_inb(0x61) & 0x20))
		guest_pause();
	/* The refresh clock toggles. */
	for (i = 0; i < 100000 && seen != 3; i++)
		seen |= guest_inb(0x61) & 0x10 ? 1 : 2;
	guest_assert(seen == 3);
	guest_done();
}

TEST_F(pit, port_61)
{
	vcpu_start(self->v, guest_speaker);
	if (variant->flags) {
		vcpu_expect(self->v, MSG_DONE);
		return;
	}
	ASSERT_EQ(MSG_NONE, vcpu_run(self->v, NULL));
	EXPECT_EQ(KVM_EXIT_IO, self->v->run->exit_reason);
	EXPECT_EQ(0x61, self->v->run->io.port);
}

static void guest_program(void)
{
	program(2, 0x1234);
	guest_outb(0x43, 0x74);		/* channel 1 */
	guest_outb(0x41, 0);
	guest_outb(0x41, 0);		/* 0 stands for 65536 */
	guest_outb(0x43, 0xb6);		/* channel 2 */
	guest_outb(0x42, 0xcd);
	guest_sync(0);
	guest_outb(0x42, 0xab);
	guest_done();
}

TEST_F(pit, state)
{
	struct kvm_pit_state2 s, t;
	struct kvm_pit_state old;

	vcpu_start(self->v, guest_program);
	vcpu_expect(self->v, MSG_SYNC);
	ASSERT_EQ(0, ioctl(self->vm.fd, KVM_GET_PIT2, &s));
	EXPECT_EQ(0x1234, s.channels[0].count);
	EXPECT_EQ(2, s.channels[0].mode);
	EXPECT_EQ(3, s.channels[0].rw_mode);
	EXPECT_EQ(1, s.channels[0].gate);
	EXPECT_EQ(0x10000, s.channels[1].count);
	EXPECT_EQ(3, s.channels[2].mode);
	EXPECT_EQ(0, s.flags);
	/* In the middle of a two-byte write the rest is still understood after a restore. */
	ASSERT_EQ(0, ioctl(self->vm.fd, KVM_SET_PIT2, &s));
	vcpu_expect(self->v, MSG_DONE);
	ASSERT_EQ(0, ioctl(self->vm.fd, KVM_GET_PIT2, &t));
	EXPECT_EQ(0xabcd, t.channels[2].count);
	EXPECT_EQ(0x1234, t.channels[0].count);
	ASSERT_EQ(0, ioctl(self->vm.fd, KVM_GET_PIT, &old));
	EXPECT_EQ(0xabcd, old.channels[2].count);
	EXPECT_EQ(0, ioctl(self->vm.fd, KVM_SET_PIT, &old));
}

/* Counts that no 8254 can hold. */
TEST_F(pit, absurd_state)
{
	static const uint32_t counts[] = { 0, 1, 2, 0x10000, 0x10001, ~0u };
	struct kvm_pit_state2 s;
	unsigned int i, mode;

	ASSERT_EQ(0, ioctl(self->vm.fd, KVM_GET_PIT2, &s));
	for (i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
		for (mode = 0; mode < 256; mode += i ? 51 : 1) {
			s.channels[0].count = counts[i];
			s.channels[0].mode = mode;
			s.channels[0].rw_mode = mode;
			s.channels[0].read_state = s.channels[0].write_state = mode;
			s.channels[0].count_load_time = (int64_t)counts[i] << 32;
			s.channels[1] = s.channels[2] = s.channels[0];
			ioctl(self->vm.fd, KVM_SET_PIT2, &s);
			ioctl(self->vm.fd, KVM_GET_PIT2, &s);
		}
	memset(&s, 0xff, sizeof(s));
	ioctl(self->vm.fd, KVM_SET_PIT2, &s);
	divisor = PIT_HZ / 500;
	memset(&s, 0, sizeof(s));
	ASSERT_EQ(0, ioctl(self->vm.fd, KVM_SET_PIT2, &s));
	/* And it still works. */
	vcpu_start(self->v, guest_readback);
	vcpu_expect(self->v, MSG_DONE);
}

/* With the HPET in its place, channel 0 is silent. */
TEST_F(pit, hpet_takes_over)
{
	struct kvm_pit_state2 s;

	ASSERT_EQ(0, ioctl(self->vm.fd, KVM_GET_PIT2, &s));
	s.flags = KVM_PIT_FLAGS_HPET_LEGACY;
	ASSERT_EQ(0, ioctl(self->vm.fd, KVM_SET_PIT2, &s));
	ASSERT_EQ(0, ioctl(self->vm.fd, KVM_GET_PIT2, &s));
	EXPECT_EQ(KVM_PIT_FLAGS_HPET_LEGACY, s.flags);
	s.flags = 0;
	ASSERT_EQ(0, ioctl(self->vm.fd, KVM_SET_PIT2, &s));
	ASSERT_EQ(0, ioctl(self->vm.fd, KVM_GET_PIT2, &s));
	EXPECT_EQ(0, s.flags);
}

TEST(without_a_pit)
{
	struct kvm_reinject_control r = {};
	struct kvm_pit_state2 s = {};
	struct test_vm vm;

	vm_create(&vm, TEST_IRQCHIP_FULL);
	EXPECT_ERR(ENXIO, ioctl(vm.fd, KVM_GET_PIT2, &s));
	EXPECT_ERR(ENXIO, ioctl(vm.fd, KVM_SET_PIT2, &s));
	EXPECT_ERR(ENXIO, ioctl(vm.fd, KVM_REINJECT_CONTROL, &r));
	vm_destroy(&vm);
}

TEST_F(pit, reinject_control)
{
	struct kvm_reinject_control r = {};

	EXPECT_EQ(0, ioctl(self->vm.fd, KVM_REINJECT_CONTROL, &r));
	r.pit_reinject = 1;
	EXPECT_EQ(0, ioctl(self->vm.fd, KVM_REINJECT_CONTROL, &r));
	r.pit_reinject = 0;
	EXPECT_EQ(0, ioctl(self->vm.fd, KVM_REINJECT_CONTROL, &r));
	divisor = PIT_HZ / 200;
	vcpu_start(self->v, guest_pic_ticks);
	vcpu_expect(self->v, MSG_SYNC);
	EXPECT_LE(50, vcpu_expect(self->v, MSG_SYNC));
}

TEST_HARNESS_MAIN
