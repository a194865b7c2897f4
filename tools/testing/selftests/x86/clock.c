// SPDX-License-Identifier: GPL-2.0-only
/* kvmclock and the TSC: the pages in the guest, KVM_GET/SET_CLOCK, offsets, and that no vCPU sees time go back. */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "kselftest_harness.h"
#include "testvm.h"

#define MSR_WALL_CLOCK	0x4b564d00
#define MSR_SYSTEM_TIME	0x4b564d01
#define MSR_TSC		0x10
#define MSR_TSC_ADJUST	0x3b

#define SECOND		1000000000ull

/* The layouts of Documentation/virt/kvm/x86/msr.rst. */
struct time_page {
	uint32_t version, pad0;
	uint64_t tsc, system_time;
	uint32_t mul;
	int8_t shift;
	uint8_t flags, pad[2];
};

struct wall_page { uint32_t version, sec, nsec; };

#define TSC_STABLE	1
#define GUEST_STOPPED	2

static struct { volatile struct time_page p; uint8_t fill[32]; } pages[2] __attribute__((aligned(64)));
static volatile struct wall_page wall;

static uint64_t read_clock(volatile struct time_page *p)
{
	uint64_t delta, base;
	uint32_t v, mul;
	int shift;

	do {
		v = p->version;
		__asm__ volatile("" : : : "memory");
		delta = guest_rdtsc() - p->tsc;
		base = p->system_time;
		mul = p->mul;
		shift = p->shift;
		__asm__ volatile("" : : : "memory");
	} while ((v & 1) || v != p->version);
	delta = shift < 0 ? delta >> -shift : delta << shift;
	return base + (uint64_t)(((unsigned __int128)delta * mul) >> 32);
}

static uint64_t now(clockid_t id)
{
	struct timespec t;

	clock_gettime(id, &t);
	return t.tv_sec * SECOND + t.tv_nsec;
}

static bool host_uses_tsc(void)
{
	FILE *f = fopen("/sys/devices/system/clocksource/clocksource0/current_clocksource", "r");
	char s[32] = "";

	if (f) {
		if (!fgets(s, sizeof(s), f))
			s[0] = 0;
		fclose(f);
	}
	return !strcmp(s, "tsc\n");
}

FIXTURE(clock)
{
	struct test_vm vm;
	struct test_vcpu *v;
};

FIXTURE_SETUP(clock)
{
	memset(pages, 0, sizeof(pages));
	vm_create(&self->vm, TEST_IRQCHIP_FULL);
	self->v = vcpu_create(&self->vm, 0);
}

FIXTURE_TEARDOWN(clock)
{
	vm_destroy(&self->vm);
}

static void guest_clock(void)
{
	uint64_t last = 0, t;
	int i;

	guest_wrmsr(MSR_SYSTEM_TIME, (uintptr_t)&pages[0].p | 1);
	for (;;) {
		for (i = 0; i < 200; i++) {
			t = read_clock(&pages[0].p);
			guest_assert(t >= last);
			last = t;
		}
		guest_sync(t);
	}
}

TEST_F(clock, page)
{
	volatile struct time_page *p = &pages[0].p;

	vcpu_start(self->v, guest_clock);
	EXPECT_NE(0, vcpu_expect(self->v, MSG_SYNC));
	EXPECT_EQ(0, p->version & 1);
	EXPECT_NE(0, p->version);
	EXPECT_NE(0, p->mul);
	EXPECT_EQ(0, p->flags & ~TSC_STABLE);
	EXPECT_EQ(host_uses_tsc(), p->flags & TSC_STABLE);
	EXPECT_EQ(0, *(uint64_t *)pages[0].fill);	/* nothing is written behind the page */
}

/* The guest's clock runs as the host's does, and is what KVM_GET_CLOCK says. */
TEST_F(clock, rate)
{
	struct kvm_clock_data c = {};
	uint64_t g0, g1, h0, h1, before, guest;

	vcpu_start(self->v, guest_clock);
	vcpu_expect(self->v, MSG_SYNC);
	h0 = now(CLOCK_MONOTONIC);
	g0 = vcpu_expect(self->v, MSG_SYNC);
	usleep(500000);
	h1 = now(CLOCK_MONOTONIC);
	g1 = vcpu_expect(self->v, MSG_SYNC);
	/* What runs between the two looks is 2 % of half a second, and much in an emulated host. */
	EXPECT_GT(g1 - g0, (h1 - h0) / 100 * 90);
	EXPECT_LT(g1 - g0, (h1 - h0) / 100 * 130 + SECOND / 10);

	ASSERT_EQ(0, ioctl(self->vm.fd, KVM_GET_CLOCK, &c));
	before = c.clock;
	guest = vcpu_expect(self->v, MSG_SYNC);
	ASSERT_EQ(0, ioctl(self->vm.fd, KVM_GET_CLOCK, &c));
	/* A microsecond for two ways to compute the same. */
	EXPECT_GE(guest + 1000, before);
	EXPECT_LE(guest, c.clock + 1000);
	EXPECT_EQ(0, c.flags & ~kvm_cap(self->vm.fd, KVM_CAP_ADJUST_CLOCK));
	EXPECT_EQ(host_uses_tsc(), !!(c.flags & KVM_CLOCK_TSC_STABLE));
	if (c.flags & KVM_CLOCK_REALTIME)
		EXPECT_LT(now(CLOCK_REALTIME) - c.realtime, SECOND);
	if (c.flags & KVM_CLOCK_HOST_TSC)
		EXPECT_GT(guest_rdtsc(), c.host_tsc);
}

TEST_F(clock, set)
{
	struct kvm_clock_data c = { .clock = 10 };
	uint64_t t;

	vcpu_start(self->v, guest_clock);
	vcpu_expect(self->v, MSG_SYNC);
	/* The guest sees the leap: its own check for monotony is over. */
	c.clock = 1000 * SECOND;
	ASSERT_EQ(0, ioctl(self->vm.fd, KVM_SET_CLOCK, &c));
	t = vcpu_expect(self->v, MSG_SYNC);
	EXPECT_GE(t, 1000 * SECOND);
	EXPECT_LT(t, 1005 * SECOND);

	c.clock = 10;
	ASSERT_EQ(0, ioctl(self->vm.fd, KVM_SET_CLOCK, &c));
	ASSERT_EQ(0, ioctl(self->vm.fd, KVM_GET_CLOCK, &c));
	EXPECT_GE(c.clock, 10);
	EXPECT_LT(c.clock, 5 * SECOND);
	c.flags = 1 << 7;
	EXPECT_ERR(EINVAL, ioctl(self->vm.fd, KVM_SET_CLOCK, &c));
	if (kvm_cap(self->vm.fd, KVM_CAP_ADJUST_CLOCK) & KVM_CLOCK_REALTIME) {
		/* The time since is added: as if saved ten seconds ago. */
		memset(&c, 0, sizeof(c));
		c.clock = 100 * SECOND;
		c.flags = KVM_CLOCK_REALTIME;
		c.realtime = now(CLOCK_REALTIME) - 10 * SECOND;
		ASSERT_EQ(0, ioctl(self->vm.fd, KVM_SET_CLOCK, &c));
		ASSERT_EQ(0, ioctl(self->vm.fd, KVM_GET_CLOCK, &c));
		EXPECT_GE(c.clock, 109 * SECOND);
		EXPECT_LT(c.clock, 115 * SECOND);
	}
}

/* A clock that was set before the guest turns its page on. */
TEST_F(clock, set_before_use)
{
	struct kvm_clock_data c = { .clock = 5000 * SECOND };
	uint64_t t;

	ASSERT_EQ(0, ioctl(self->vm.fd, KVM_SET_CLOCK, &c));
	vcpu_start(self->v, guest_clock);
	t = vcpu_expect(self->v, MSG_SYNC);
	EXPECT_GE(t, 5000 * SECOND);
	EXPECT_LT(t, 5010 * SECOND);
}

TEST_F(clock, stopped_flag)
{
	EXPECT_ERR(EINVAL, ioctl(self->v->fd, KVM_KVMCLOCK_CTRL, 0));
	vcpu_start(self->v, guest_clock);
	vcpu_expect(self->v, MSG_SYNC);
	EXPECT_EQ(0, pages[0].p.flags & GUEST_STOPPED);
	ASSERT_EQ(0, ioctl(self->v->fd, KVM_KVMCLOCK_CTRL, 0));
	vcpu_expect(self->v, MSG_SYNC);
	EXPECT_EQ(GUEST_STOPPED, pages[0].p.flags & GUEST_STOPPED);
	/* The guest clears it; it does not come back. */
	pages[0].p.flags &= ~GUEST_STOPPED;
	vcpu_expect(self->v, MSG_SYNC);
	EXPECT_EQ(0, pages[0].p.flags & GUEST_STOPPED);
}

static void guest_wall(void)
{
	guest_wrmsr(MSR_SYSTEM_TIME, (uintptr_t)&pages[0].p | 1);
	guest_wrmsr(MSR_WALL_CLOCK, (uintptr_t)&wall);
	guest_sync(read_clock(&pages[0].p));
	guest_wrmsr(MSR_SYSTEM_TIME, 0);
	for (;;)
		guest_sync(0);
}

TEST_F(clock, wall_clock_and_off)
{
	struct kvm_clock_data c = { .clock = 77 };
	uint64_t boot, t;
	uint32_t version;

	memset((void *)&wall, 0, sizeof(wall));
	vcpu_start(self->v, guest_wall);
	t = vcpu_expect(self->v, MSG_SYNC);
	EXPECT_EQ(0, wall.version & 1);
	EXPECT_NE(0, wall.version);
	EXPECT_LT(wall.nsec, SECOND);
	boot = wall.sec * SECOND + wall.nsec;
	EXPECT_LT(now(CLOCK_REALTIME) - boot - t, 5 * SECOND);
	/* Turned off: nobody writes there any more. */
	vcpu_expect(self->v, MSG_SYNC);
	version = pages[0].p.version;
	ASSERT_EQ(0, ioctl(self->vm.fd, KVM_SET_CLOCK, &c));
	vcpu_expect(self->v, MSG_SYNC);
	EXPECT_EQ(version, pages[0].p.version);
}

/* ---- TSC ---- */

static void guest_tsc(void)
{
	for (;;)
		guest_sync(guest_rdtsc());
}

static void guest_tsc_adjust(void)
{
	uint64_t t, adjust;

	guest_assert(guest_rdmsr(MSR_TSC_ADJUST) == 0);
	t = guest_rdtsc();
	guest_wrmsr(MSR_TSC_ADJUST, 1ull << 50);
	guest_assert(guest_rdtsc() - t >= 1ull << 50);
	guest_assert(guest_rdtsc() - t < (1ull << 50) + (1ull << 40));
	guest_wrmsr(MSR_TSC_ADJUST, 0);
	guest_assert(guest_rdtsc() - t < 1ull << 40);
	/* A write to the TSC moves TSC_ADJUST by the same amount. */
	t = guest_rdtsc();
	guest_wrmsr(MSR_TSC, t + (1ull << 45));
	guest_assert(guest_rdtsc() - t >= 1ull << 45);
	adjust = guest_rdmsr(MSR_TSC_ADJUST);
	guest_assert(adjust <= 1ull << 45 && adjust > (1ull << 45) - (1ull << 40));
	guest_assert(guest_rdmsr(MSR_TSC) >= t + (1ull << 45));
	guest_done();
}

TEST_F(clock, tsc_adjust)
{
	vcpu_start(self->v, guest_tsc_adjust);
	vcpu_expect(self->v, MSG_DONE);
}

static int tsc_offset(int fd, unsigned long nr, uint64_t *val)
{
	struct kvm_device_attr a = {
		.group = KVM_VCPU_TSC_CTRL, .attr = KVM_VCPU_TSC_OFFSET, .addr = (uintptr_t)val,
	};

	return ioctl(fd, nr, &a);
}

TEST_F(clock, tsc_offset)
{
	uint64_t val = 0, back = 0, t, u;
	struct kvm_device_attr bad = { .group = 9 };
	int fd = self->v->fd;

	ASSERT_EQ(0, tsc_offset(fd, KVM_HAS_DEVICE_ATTR, NULL));
	EXPECT_ERR(ENXIO, ioctl(fd, KVM_HAS_DEVICE_ATTR, &bad));
	EXPECT_ERR(ENXIO, ioctl(fd, KVM_SET_DEVICE_ATTR, &bad));
	ASSERT_EQ(0, tsc_offset(fd, KVM_GET_DEVICE_ATTR, &val));
	vcpu_start(self->v, guest_tsc);
	t = vcpu_expect(self->v, MSG_SYNC);
	val += 1ull << 48;
	ASSERT_EQ(0, tsc_offset(fd, KVM_SET_DEVICE_ATTR, &val));
	ASSERT_EQ(0, tsc_offset(fd, KVM_GET_DEVICE_ATTR, &back));
	EXPECT_EQ(val, back);
	u = vcpu_expect(self->v, MSG_SYNC);
	EXPECT_GE(u - t, 1ull << 48);
	EXPECT_LT(u - t, (1ull << 48) + (1ull << 42));
	EXPECT_ERR(EFAULT, tsc_offset(fd, KVM_SET_DEVICE_ATTR, (void *)8));
}

TEST_F(clock, tsc_of_the_host)
{
	uint64_t val, t;

	EXPECT_GT(ioctl(self->v->fd, KVM_GET_TSC_KHZ, 0), 1000);
	ASSERT_EQ(1, set_msr(self->v->fd, MSR_TSC, 1ull << 60));
	ASSERT_EQ(1, get_msr(self->v->fd, MSR_TSC, &val));
	EXPECT_GE(val, 1ull << 60);
	EXPECT_LT(val, (1ull << 60) + (1ull << 42));
	vcpu_start(self->v, guest_tsc);
	t = vcpu_expect(self->v, MSG_SYNC);
	EXPECT_GE(t, val);
	EXPECT_LT(t, val + (1ull << 42));
	/* Setting does not move TSC_ADJUST: that is for the guest's own writes. */
	ASSERT_EQ(1, get_msr(self->v->fd, MSR_TSC_ADJUST, &val));
	EXPECT_EQ(0, val);
}

/* Equal values that are written soon after one another mean: in step. */
TEST_F(clock, tsc_writes_synchronise)
{
	struct test_vcpu *w = vcpu_create(&self->vm, 1);
	uint64_t a = 0, b = 0;

	ASSERT_EQ(1, set_msr(self->v->fd, MSR_TSC, 1ull << 55));
	usleep(20000);
	ASSERT_EQ(1, set_msr(w->fd, MSR_TSC, 1ull << 55));
	ASSERT_EQ(0, tsc_offset(self->v->fd, KVM_GET_DEVICE_ATTR, &a));
	ASSERT_EQ(0, tsc_offset(w->fd, KVM_GET_DEVICE_ATTR, &b));
	EXPECT_EQ(a, b);
	/* So are those of a reset. */
	ASSERT_EQ(1, set_msr(self->v->fd, MSR_TSC, 0));
	ASSERT_EQ(1, set_msr(w->fd, MSR_TSC, 0));
	ASSERT_EQ(0, tsc_offset(self->v->fd, KVM_GET_DEVICE_ATTR, &a));
	ASSERT_EQ(0, tsc_offset(w->fd, KVM_GET_DEVICE_ATTR, &b));
	EXPECT_EQ(a, b);
}

/* A VMM that restores vCPU by vCPU gives the frequency before each TSC: they are in step all the same. */
TEST_F(clock, frequency_between_tsc_writes)
{
	struct test_vcpu *w = vcpu_create(&self->vm, 1);
	int khz = ioctl(self->v->fd, KVM_GET_TSC_KHZ, 0);
	uint64_t a = 0, b = 0;

	/* Within what needs no scaling. */
	ASSERT_EQ(0, ioctl(self->v->fd, KVM_SET_TSC_KHZ, khz - 1));
	ASSERT_EQ(1, set_msr(self->v->fd, MSR_TSC, 1ull << 50));
	ASSERT_EQ(0, ioctl(w->fd, KVM_SET_TSC_KHZ, khz - 1));
	ASSERT_EQ(1, set_msr(w->fd, MSR_TSC, (1ull << 50) + 1000));
	ASSERT_EQ(0, tsc_offset(self->v->fd, KVM_GET_DEVICE_ATTR, &a));
	ASSERT_EQ(0, tsc_offset(w->fd, KVM_GET_DEVICE_ATTR, &b));
	EXPECT_EQ(a, b);
	/* A frequency that comes behind its TSC leaves that what it is. */
	ASSERT_EQ(0, ioctl(w->fd, KVM_SET_TSC_KHZ, khz));
	ASSERT_EQ(1, get_msr(w->fd, MSR_TSC, &b));
	EXPECT_LE(1ull << 50, b);
}

/* ---- two vCPUs ---- */

static volatile uint64_t last_time, warps, turns, which;

static void guest_warp(void)
{
	uint64_t me = __atomic_fetch_add(&which, 1, __ATOMIC_SEQ_CST), t;

	guest_wrmsr(MSR_SYSTEM_TIME, (uintptr_t)&pages[me].p | 1);
	while (turns < 150) {
		if (turns % 2 != me) {
			guest_pause();
			continue;
		}
		t = read_clock(&pages[me].p);
		if (t < last_time)
			warps++;
		last_time = t;
		turns++;
	}
	guest_done();
}

static void *run(void *p)
{
	return (void *)(uintptr_t)vcpu_run(p, NULL);
}

TEST_F(clock, no_step_back_between_vcpus)
{
	struct test_vcpu *w = vcpu_create(&self->vm, 1);
	struct kvm_mp_state mp = { KVM_MP_STATE_RUNNABLE };
	pthread_t t;
	void *msg;

	last_time = warps = turns = which = 0;
	ASSERT_EQ(0, ioctl(w->fd, KVM_SET_MP_STATE, &mp));
	vcpu_start(self->v, guest_warp);
	vcpu_start(w, guest_warp);
	pthread_create(&t, NULL, run, w);
	vcpu_expect(self->v, MSG_DONE);
	pthread_join(t, &msg);
	EXPECT_EQ((void *)MSG_DONE, msg);
	EXPECT_LE(150, turns);		/* the other may have been past the loop's condition */
	EXPECT_EQ(0, warps);
}

TEST_HARNESS_MAIN
