// SPDX-License-Identifier: GPL-2.0-only
/* Local APIC timer: modes, orders, pauses, extreme values, storms. */
#include "unit.h"
#include "machine.h"

#define HOUR	3600000000000ull
#define LVT(mode) ((u32)(mode) << 17 | 0x31)

static u64 tsc(void)
{
	return lapic_in_tsc(lapic(0));
}

static void check_oneshot(u32 bus_ns)
{
	struct lapic *a;
	u32 i;

	unit_case(bus_ns == LAPIC_BUS_NS ? "one-shot" : "one-shot, another bus clock");
	machine_init(1, NULL, true);
	a = lapic(0);
	a->bus_ns = bus_ns;
	for (i = 0; i < 8; i++) {
		static const u8 shift[8] = { 1, 2, 3, 4, 5, 6, 7, 0 };
		u64 ns = (1000ull << shift[i]) * bus_ns;

		x1_write(a, LAPIC_TDCR, (i & 3) | (i & 4) << 1);
		x1_write(a, LAPIC_LVT_TIMER, LVT(LVTT_ONESHOT));
		x1_write(a, LAPIC_TMICT, 1000);
		ok(x1_read(a, LAPIC_TMCCT) == 1000, "full");
		machine_run(ns / 4);
		ok(x1_read(a, LAPIC_TMCCT) == 750, "three quarters: %u", x1_read(a, LAPIC_TMCCT));
		machine_run(ns * 3 / 4 - 1);
		ok(x1_read(a, LAPIC_TMCCT) == 1 && lapic_pending(a) < 0, "almost");
		machine_run(1);
		ok(x1_read(a, LAPIC_TMCCT) == 0 && take(a) == 0x31, "now");
		ok(machine_run(ns * 10) == 0 && take(a) < 0, "once");
	}
	x1_write(a, LAPIC_TMICT, 1000);
	x1_write(a, LAPIC_TMICT, 0);
	ok(!m.cpu[0].timer && machine_run(HOUR) == 0, "0 stops it");
	machine_free();
}

/* The slowest bus, the largest divisor and count: a long time, and no overflow. */
static void check_slowest(void)
{
	struct lapic *a;

	unit_case("the longest count");
	machine_init(1, NULL, true);
	a = lapic(0);
	a->bus_ns = LAPIC_MAX_BUS_NS;
	x1_write(a, LAPIC_TDCR, 0xa);
	x1_write(a, LAPIC_LVT_TIMER, LVT(LVTT_PERIODIC));
	x1_write(a, LAPIC_TMICT, ~0u);
	ok(x1_read(a, LAPIC_TMCCT) == ~0u, "full");
	ok(machine_run(HOUR) == 0 && take(a) < 0, "not in an hour");
	ok(x1_read(a, LAPIC_TMCCT) == ~0u - HOUR / (128ull * LAPIC_MAX_BUS_NS), "%u",
	   x1_read(a, LAPIC_TMCCT));
	machine_free();
}

static void check_periodic(void)
{
	struct lapic *a;
	u32 i;

	unit_case("periodic, and a pause of an hour");
	machine_init(1, NULL, true);
	a = lapic(0);
	x1_write(a, LAPIC_TDCR, 0xb);
	x1_write(a, LAPIC_LVT_TIMER, LVT(LVTT_PERIODIC));
	x1_write(a, LAPIC_TMICT, 1000000);
	for (i = 0; i < 100; i++) {
		ok(machine_run(1000000) == 1 && take(a) == 0x31, "tick");
		ok(x1_read(a, LAPIC_TMCCT) == 1000000, "%u", x1_read(a, LAPIC_TMCCT));
	}
	machine_run(250000);
	ok(machine_pause(HOUR) == 1, "one callback makes up for the hour");
	ok(take(a) == 0x31 && take(a) < 0, "one interrupt");
	ok(x1_read(a, LAPIC_TMCCT) == 750000, "and the phase is kept: %u", x1_read(a, LAPIC_TMCCT));
	ok(machine_run(750000) == 1, "next on the grid");
	/* The count is right even while the callback is late. */
	m.now += 5 * 1000000 + 400000;
	ok(x1_read(a, LAPIC_TMCCT) == 600000, "late: %u", x1_read(a, LAPIC_TMCCT));
	machine_free();
}

static void check_storm(void)
{
	struct lapic *a;
	u32 count, n;

	unit_case("no storm from short periods");
	for (count = 1; count < 200000; count = count * 3 + 1) {
		machine_init(1, NULL, true);
		a = lapic(0);
		x1_write(a, LAPIC_TDCR, 0xb);
		x1_write(a, LAPIC_LVT_TIMER, LVT(LVTT_PERIODIC));
		x1_write(a, LAPIC_TMICT, count);
		ok(x1_read(a, LAPIC_TMCCT) <= count, "TMCCT never above TMICT");
		n = machine_run(1000000000);
		ok(n <= 5000, "period %u: %u callbacks a second", count, n);
		ok(x1_read(a, LAPIC_TMCCT) <= count, "TMCCT never above TMICT");
		machine_free();
	}
	/* Nor by switching modes with a short count. */
	machine_init(1, NULL, true);
	a = lapic(0);
	x1_write(a, LAPIC_TDCR, 0xb);
	x1_write(a, LAPIC_TMICT, 1);
	x1_write(a, LAPIC_LVT_TIMER, LVT(LVTT_PERIODIC));
	n = machine_run(1000000000);
	ok(n <= 5002, "%u", n);
	x1_write(a, LAPIC_TDCR, 0);
	n = machine_run(1000000000);
	ok(n <= 5002, "%u", n);
	machine_free();
}

static void check_mode_changes(void)
{
	struct lapic *a;

	unit_case("LVTT mode changes");
	machine_init(1, NULL, true);
	a = lapic(0);
	x1_write(a, LAPIC_TDCR, 0xb);
	x1_write(a, LAPIC_LVT_TIMER, LVT(LVTT_ONESHOT));
	x1_write(a, LAPIC_TMICT, 1000000);
	machine_run(400000);
	x1_write(a, LAPIC_LVT_TIMER, LVT(LVTT_PERIODIC));
	ok(x1_read(a, LAPIC_TMCCT) == 600000, "counts on: %u", x1_read(a, LAPIC_TMCCT));
	ok(machine_run(600000) == 1 && machine_run(3000000) == 3, "and reloads");
	machine_run(100000);
	x1_write(a, LAPIC_LVT_TIMER, LVT(LVTT_ONESHOT));
	ok(x1_read(a, LAPIC_TMCCT) == 900000, "counts on");
	ok(machine_run(HOUR) == 1 && x1_read(a, LAPIC_TMCCT) == 0, "and stops");
	x1_write(a, LAPIC_LVT_TIMER, LVT(LVTT_PERIODIC));
	ok(x1_read(a, LAPIC_TMCCT) == 0 && machine_run(HOUR) == 0, "stays at 0");
	x1_write(a, LAPIC_TMICT, 1000000);
	machine_run(500000);
	x1_write(a, LAPIC_TDCR, 0);
	ok(x1_read(a, LAPIC_TMCCT) == 500000, "divisor: count stays");
	machine_run(500000);
	ok(x1_read(a, LAPIC_TMCCT) == 250000, "rate changes");
	x1_write(a, LAPIC_LVT_TIMER, LVT(LVTT_DEADLINE));
	ok(!m.cpu[0].timer && x1_read(a, LAPIC_TMICT) == 0, "disarmed");
	x1_write(a, LAPIC_TMICT, 77);
	ok(!m.cpu[0].timer && x1_read(a, LAPIC_TMICT) == 0, "TMICT is ignored");
	lapic_timer_set_deadline(a, tsc() + 3000);
	ok(m.cpu[0].timer, "armed");
	x1_write(a, LAPIC_LVT_TIMER, LVT(LVTT_ONESHOT));
	ok(!m.cpu[0].timer && lapic_timer_get_deadline(a) == 0, "disarmed");
	lapic_timer_set_deadline(a, tsc() + 3000);
	ok(!m.cpu[0].timer && lapic_timer_get_deadline(a) == 0, "ignored in another mode");
	machine_free();
}

static void check_deadline(void)
{
	struct lapic *a;
	u64 d;

	unit_case("TSC deadline");
	machine_init(1, NULL, true);
	a = lapic(0);
	x1_write(a, LAPIC_LVT_TIMER, LVT(LVTT_DEADLINE));
	d = tsc() + TSC_KHZ * 5;
	lapic_timer_set_deadline(a, d);
	ok(lapic_timer_get_deadline(a) == d && x1_read(a, LAPIC_TMCCT) == 0, "armed");
	machine_run(4999000);
	ok(lapic_pending(a) < 0, "not yet");
	machine_run(2000);
	ok(take(a) == 0x31 && lapic_timer_get_deadline(a) == 0, "fired");
	lapic_timer_set_deadline(a, tsc());
	ok(take(a) == 0x31 && !m.cpu[0].timer, "in the past: at once");
	lapic_timer_set_deadline(a, 1);
	ok(take(a) == 0x31, "1");
	lapic_timer_set_deadline(a, tsc() + 100);
	lapic_timer_set_deadline(a, 0);
	ok(machine_run(HOUR) == 0 && take(a) < 0, "0 disarms");
	lapic_timer_set_deadline(a, ~0ull);
	ok(m.cpu[0].timer > m.now + HOUR && m.cpu[0].timer < 1ull << 63, "U64_MAX: far away");
	ok(machine_run(1000 * HOUR) == 0, "does not come");
	/* The guest's TSC goes back while the timer runs. */
	lapic_timer_set_deadline(a, tsc() + TSC_KHZ);
	m.tsc_offset -= TSC_KHZ * 10;
	ok(machine_run(2000000) == 1 && take(a) < 0, "too early: armed again");
	machine_run(20000000);
	ok(take(a) == 0x31, "in time");
	/* It jumps ahead. */
	lapic_timer_set_deadline(a, tsc() + TSC_KHZ * 1000);
	m.tsc_offset += TSC_KHZ * 2000;
	lapic_timer_tsc_changed(a);
	ok(take(a) == 0x31, "at once");
	machine_free();
}

/* Each order of LVTT mode and TMICT and deadline, each with values that hurt. */
static void check_orders(void)
{
	static const u32 counts[] = { 0, 1, 2, 1000, 0x7fffffff, 0x80000000, ~0u };
	static const u64 deadlines[] = { 0, 1, 1ull << 32, 1ull << 62, 1ull << 63, ~0ull - 1, ~0ull };
	struct lapic *a;
	u32 i, n;

	unit_case("random orders of LVTT, TMICT, TDCR, deadline, pauses");
	for (i = 0; i < 20000; i++) {
		if (i % 100 == 0) {
			if (i)
				machine_free();
			machine_init(1, NULL, true);
		}
		a = lapic(0);
		switch (rnd() % 8) {
		case 0:
			x1_write(a, LAPIC_LVT_TIMER, (rnd() % 4) << 17 | (rnd() & 1) << 16 | 0x31);
			break;
		case 1:
			x1_write(a, LAPIC_TMICT, counts[rnd() % 7]);
			break;
		case 2:
			x1_write(a, LAPIC_TDCR, rnd());
			break;
		case 3:
			lapic_timer_set_deadline(a, deadlines[rnd() % 7]);
			break;
		case 4:
			m.tsc_offset = rnd64();
			lapic_timer_tsc_changed(a);
			break;
		case 5:
			n = machine_pause(rnd64() % HOUR);
			ok(n <= 2, "%u callbacks after a pause", n);
			break;
		case 6:
			n = machine_run(10000000);
			ok(n <= 60, "%u callbacks in 10 ms", n);
			break;
		default:
			a->tsc_deadline_offered = rnd() & 1;
		}
		ok(x1_read(a, LAPIC_TMCCT) <= x1_read(a, LAPIC_TMICT), "TMCCT %u TMICT %u",
		   x1_read(a, LAPIC_TMCCT), x1_read(a, LAPIC_TMICT));
		ok(m.cpu[0].timer < 1ull << 63, "a time that ktime holds");
		take(a);
	}
	machine_free();
}

static void check_restore(void)
{
	struct kvm_lapic_state s = {};
	struct lapic *a;
	u32 mode, n;

	unit_case("restore under each mode");
	for (mode = 0; mode < 3; mode++) {
		machine_init(1, NULL, true);
		a = lapic(0);
		x1_write(a, LAPIC_LVT_TIMER, LVT(LVTT_PERIODIC));
		x1_write(a, LAPIC_TMICT, 1000000);
		lapic_get_state(a, &s);
		*(u32 *)(s.regs + LAPIC_LVT_TIMER) = LVT(mode);
		*(u32 *)(s.regs + LAPIC_TMICT) = 500000;
		*(u32 *)(s.regs + LAPIC_TMCCT) = ~0u;
		x1_write(a, LAPIC_LVT_TIMER, LVT(LVTT_DEADLINE));
		lapic_timer_set_deadline(a, tsc() + 1000);
		lapic_set_state(a, &s);
		ok(lapic_timer_get_deadline(a) == 0, "no deadline is left");
		n = machine_run(10000000);
		if (mode == LVTT_ONESHOT)
			ok(n == 1, "once");
		else if (mode == LVTT_PERIODIC)
			ok(n >= 9 && n <= 10, "%u", n);
		else
			ok(n == 0, "not");
		machine_free();
	}
}

int main(void)
{
	check_oneshot(LAPIC_BUS_NS);
	check_oneshot(40);
	check_oneshot(LAPIC_MAX_BUS_NS);
	check_slowest();
	check_periodic();
	check_storm();
	check_mode_changes();
	check_deadline();
	check_orders();
	check_restore();
	return unit_done();
}
