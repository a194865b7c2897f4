// SPDX-License-Identifier: GPL-2.0-only
/*
 * The local APIC's timer in guests that never halt: hardware may count for it then. It must not be
 * early, must come while the guest spins, be in the state that userspace reads, and go with the state that
 * userspace writes. And TSCs of another rate than the host's.
 */
#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "kselftest_harness.h"
#include "testvm.h"

#define LAPIC(reg)	(*(volatile uint32_t *)(0xfee00000ull + (reg)))
#define LVTT		0x320
#define TMICT		0x380
#define TMCCT		0x390
#define VECTOR		0x40
#define PERIODIC	(1 << 17)
#define DEADLINE	(2 << 17)
#define MSR_TSC		0x10
#define MSR_DEADLINE	0x6e0

static volatile uint64_t count, when, limit, khz;

static void on_timer(struct guest_frame *f)
{
	when = guest_rdtsc();
	count++;
	LAPIC(0xb0) = 0;
}

static void timer_on(uint32_t mode)
{
	guest_handlers[VECTOR] = on_timer;
	LAPIC(0xf0) = 0x1ff;
	LAPIC(0x3e0) = 0xb;			/* a tick is a nanosecond */
	LAPIC(LVTT) = VECTOR | mode;
	count = 0;
}

/* Without an exit of its own; @n interrupts, or until @limit. */
static void spin(uint64_t n)
{
	guest_sti();
	while (count < n && guest_rdtsc() < limit)
		;
	guest_cli();
}

FIXTURE(timer)
{
	struct test_vm vm;
	struct test_vcpu *v;
};

FIXTURE_SETUP(timer)
{
	struct kvm_cpuid2 *c;
	unsigned int i;

	memset(guest_handlers, 0, sizeof(guest_handlers));
	limit = ~0ull;
	vm_create(&self->vm, TEST_IRQCHIP_FULL);
	self->v = vcpu_create(&self->vm, 0);
	c = supported_cpuid(self->vm.kvm);
	for (i = 0; i < c->nent; i++)
		if (c->entries[i].function == 1)
			c->entries[i].ecx |= 1 << 24;	/* TSC deadline: by the capability */
	ASSERT_EQ(0, ioctl(self->v->fd, KVM_SET_CPUID2, c));
	khz = ioctl(self->v->fd, KVM_GET_TSC_KHZ, 0);
	ASSERT_LT(1000, khz);
}

FIXTURE_TEARDOWN(timer)
{
	vm_destroy(&self->vm);
}

static void guest_modes(void)
{
	uint64_t t, i;

	timer_on(0);
	t = guest_rdtsc();
	LAPIC(TMICT) = 2000000;
	spin(1);
	/* A clock of the host and the TSC differ by less than a percent. */
	guest_assert(when - t >= khz * 2 / 100 * 99);
	guest_assert(LAPIC(TMCCT) == 0);
	timer_on(PERIODIC);
	t = guest_rdtsc();
	LAPIC(TMICT) = 1000000;
	spin(10);
	guest_assert(when - t >= khz * 10 / 100 * 99);
	LAPIC(TMICT) = 0;
	guest_sync(count);
	timer_on(DEADLINE);
	for (i = 1; i <= 20; i++) {
		t = guest_rdtsc() + khz * i / 10;
		guest_wrmsr(MSR_DEADLINE, t);
		spin(i);
		guest_assert(when >= t - khz / 500);	/* as close as 2 us counts as there */
		guest_assert(guest_rdmsr(MSR_DEADLINE) == 0);
	}
	/* Taken back, and moved: from so far away that a slow host does not get there between two WRMSRs. */
	limit = guest_rdtsc() + khz * 310;
	guest_wrmsr(MSR_DEADLINE, limit - khz * 10);
	guest_wrmsr(MSR_DEADLINE, 0);
	spin(21);
	guest_assert(count == 20);
	limit = ~0ull;
	t = guest_rdtsc() + khz * 310;
	guest_wrmsr(MSR_DEADLINE, t - khz * 10);
	guest_wrmsr(MSR_DEADLINE, t);
	spin(21);
	guest_assert(when >= t - khz / 500);
	guest_done();
}

TEST_F(timer, modes_in_a_loop)
{
	vcpu_start(self->v, guest_modes);
	EXPECT_LE(10, vcpu_expect(self->v, MSG_SYNC));
	vcpu_expect(self->v, MSG_DONE);
}

static void guest_armed(void)
{
	timer_on(0);
	LAPIC(TMICT) = 2000000;
	guest_sync(1);
	spin(1);
	guest_done();
}

static int irr_has(struct kvm_lapic_state *s)
{
	return s->regs[0x200 + VECTOR / 32 * 16 + VECTOR % 32 / 8] >> (VECTOR % 8) & 1;
}

/* It expires while userspace has the vCPU: that is in the state, and not lost with it. */
TEST_F(timer, expires_outside)
{
	struct kvm_lapic_state s;
	uint32_t left;

	vcpu_start(self->v, guest_armed);
	vcpu_expect(self->v, MSG_SYNC);
	usleep(20000);
	ASSERT_EQ(0, ioctl(self->v->fd, KVM_GET_LAPIC, &s));
	memcpy(&left, s.regs + TMCCT, sizeof(left));
	EXPECT_EQ(0, left);
	/* It expired: Linux' own KVM keeps that beside the APIC's state until the next entry. */
	if (!on_keel())
		SKIP(return, "the kernel's own KVM does not show an expired timer here");
	EXPECT_TRUE(irr_has(&s));
	ASSERT_EQ(0, ioctl(self->v->fd, KVM_SET_LAPIC, &s));
	vcpu_expect(self->v, MSG_DONE);
	EXPECT_EQ(1, count);
}

static void guest_disarmed(void)
{
	timer_on(0);
	guest_sync(0);
	LAPIC(TMICT) = 3000000;
	guest_sync(1);
	limit = guest_rdtsc() + khz * 20;
	spin(1);
	guest_sync(count);
	limit = ~0ull;
	LAPIC(TMICT) = 1000000;
	guest_sync(2);
	spin(1);
	guest_done();
}

/* QEMU's state of an APIC has the initial count, and 0 where the current one is: the timer is over. */
TEST_F(timer, set_lapic_without_the_current_count)
{
	struct kvm_lapic_state s;
	uint32_t none = 0, count0 = 100000000;

	vcpu_start(self->v, guest_armed);
	vcpu_expect(self->v, MSG_SYNC);
	ASSERT_EQ(0, ioctl(self->v->fd, KVM_GET_LAPIC, &s));
	memset(s.regs + 0x200, 0, 0x80);	/* IRR: it may have expired */
	memcpy(s.regs + TMICT, &count0, sizeof(count0));
	memcpy(s.regs + TMCCT, &none, sizeof(none));
	ASSERT_EQ(0, ioctl(self->v->fd, KVM_SET_LAPIC, &s));
	vcpu_expect(self->v, MSG_DONE);
	EXPECT_EQ(1, count);
}

/* State without an armed timer disarms what was armed (CVE-2022-48765); the same state arms it again. */
TEST_F(timer, set_lapic)
{
	struct kvm_lapic_state idle, s;

	vcpu_start(self->v, guest_disarmed);
	vcpu_expect(self->v, MSG_SYNC);
	ASSERT_EQ(0, ioctl(self->v->fd, KVM_GET_LAPIC, &idle));
	vcpu_expect(self->v, MSG_SYNC);
	ASSERT_EQ(0, ioctl(self->v->fd, KVM_SET_LAPIC, &idle));
	EXPECT_EQ(0, vcpu_expect(self->v, MSG_SYNC));
	vcpu_expect(self->v, MSG_SYNC);
	ASSERT_EQ(0, ioctl(self->v->fd, KVM_GET_LAPIC, &s));
	ASSERT_EQ(0, ioctl(self->v->fd, KVM_SET_LAPIC, &s));
	vcpu_expect(self->v, MSG_DONE);
	EXPECT_EQ(1, count);
}

/* ---- a TSC of another rate ---- */

static void guest_count(void)
{
	for (;;)
		guest_sync(guest_rdtsc());
}

static uint64_t user_tsc(struct test_vcpu *v)
{
	uint64_t val = 0;

	if (get_msr(v->fd, MSR_TSC, &val) != 1)
		return 0;
	return val;
}

/* What the guest reads lies between two looks of userspace, and its rate is that asked for. */
static void check_rate(struct __test_metadata *_metadata, struct test_vcpu *v, uint64_t want,
		       uint64_t host)
{
	uint64_t a, g, b, first = 0, first_host[2] = {}, h0, h1;
	int i;

	for (i = 0; i < 20; i++) {
		h0 = guest_rdtsc();
		a = user_tsc(v);
		g = vcpu_expect(v, MSG_SYNC);
		b = user_tsc(v);
		h1 = guest_rdtsc();
		EXPECT_LE(a, g);
		EXPECT_LE(g, b);
		if (!i) {
			first = g;
			first_host[0] = h0;
			first_host[1] = h1;
			usleep(100000);
			continue;
		}
		/* A millionth more or less: the rate is in kHz. */
		EXPECT_GE(g - first, (h0 - first_host[1]) / 1000 * want / host * 999);
		EXPECT_LE(g - first, (h1 - first_host[0] + 1000) / 1000 * want / host * 1002);
	}
}

TEST_F(timer, tsc_scaling)
{
	uint64_t host = khz, before, after;

	if (kvm_cap(self->vm.fd, KVM_CAP_TSC_CONTROL) <= 0) {
		if (on_keel()) {
			EXPECT_ERR(EINVAL, ioctl(self->v->fd, KVM_SET_TSC_KHZ, host * 2));
			EXPECT_ERR(EINVAL, ioctl(self->v->fd, KVM_SET_TSC_KHZ, host / 2));
		}
		SKIP(return, "no TSC scaling");
	}
	vcpu_start(self->v, guest_count);
	check_rate(_metadata, self->v, host, host);
	ASSERT_EQ(0, ioctl(self->v->fd, KVM_SET_TSC_KHZ, host * 3));
	EXPECT_EQ(host * 3, ioctl(self->v->fd, KVM_GET_TSC_KHZ, 0));
	check_rate(_metadata, self->v, host * 3, host);
	/* The count goes on from where it is when the rate changes. */
	if (on_keel()) {
		before = user_tsc(self->v);
		ASSERT_EQ(0, ioctl(self->v->fd, KVM_SET_TSC_KHZ, host / 7));
		after = user_tsc(self->v);
		EXPECT_LE(before, after);
		EXPECT_LE(after - before, host * 3000);		/* a second */
	} else {
		ASSERT_EQ(0, ioctl(self->v->fd, KVM_SET_TSC_KHZ, host / 7));
	}
	EXPECT_EQ(host / 7, ioctl(self->v->fd, KVM_GET_TSC_KHZ, 0));
	check_rate(_metadata, self->v, host / 7, host);
	/* The largest counts lose nothing in the multiplication. */
	ASSERT_EQ(1, set_msr(self->v->fd, MSR_TSC, 1ull << 62));
	check_rate(_metadata, self->v, host / 7, host);
}

TEST_F(timer, deadline_of_a_scaled_tsc)
{
	if (kvm_cap(self->vm.fd, KVM_CAP_TSC_CONTROL) <= 0)
		SKIP(return, "no TSC scaling");
	khz *= 2;
	ASSERT_EQ(0, ioctl(self->v->fd, KVM_SET_TSC_KHZ, khz));
	vcpu_start(self->v, guest_modes);
	EXPECT_LE(10, vcpu_expect(self->v, MSG_SYNC));
	vcpu_expect(self->v, MSG_DONE);
}

TEST_HARNESS_MAIN
