// SPDX-License-Identifier: GPL-2.0-only
/*
 * Local APIC timer (SDM 3 11.5.4). The bus clock is 1 GHz unless userspace chose another one, so that
 * a tick of divisor 1 is a nanosecond. The current count is never stored: it follows
 * from the deadline, whatever happened in between.
 *
 * Whoever changes the timer cancels it first; the callback is then not running.
 */
#include "lapic.h"

/* Far enough for any guest, and no sum with a clock value overflows. */
#define FOREVER_NS	BIT_ULL(61)
/* A TSC deadline that comes early by less than this has come. */
#define TSC_SLACK_NS	1000

static u32 ns_to_count(const struct lapic *a, u64 ns)
{
	u8 shift = a->timer.shift;

	if (unlikely(a->bus_ns != LAPIC_BUS_NS))
		ns = div64_u64(ns + a->bus_ns - 1, a->bus_ns);
	/* Rounded up: a count is visible until its last tick is over. */
	return (ns + (1ull << shift) - 1) >> shift;
}

static u64 count_to_ns(const struct lapic *a, u32 count)
{
	return ((u64)count << a->timer.shift) * a->bus_ns;
}

static u8 lvtt_mode(const struct lapic *a)
{
	u8 mode = lapic_get(a, LAPIC_LVT_TIMER) >> 17 & 3;

	/* 3 is reserved; 2 exists only where CPUID says so. */
	if (mode == 3 || (mode == LVTT_DEADLINE && !a->tsc_deadline_offered))
		return LVTT_ONESHOT;
	return mode;
}

/* Divide configuration: bits 3, 1, 0; 111 is 1, else 2 << n. */
static u8 tdcr_shift(const struct lapic *a)
{
	u32 v = lapic_get(a, LAPIC_TDCR);

	return ((v & 3) + ((v >> 1) & 4) + 1) & 7;
}

static void arm(struct lapic *a, u64 deadline)
{
	a->timer.deadline = deadline;
	lapic_out_timer(a, deadline);
}

static void disarm(struct lapic *a)
{
	/* First stop the callback, which writes the same fields. */
	lapic_out_timer(a, 0);
	a->timer.deadline = 0;
	a->timer.tsc_deadline = 0;
}

static u64 clamped_period(const struct lapic *a)
{
	u64 ns = count_to_ns(a, lapic_get(a, LAPIC_TMICT));

	return ns ? max_t(u64, ns, a->min_period_ns) : 0;
}

/* When the periodic timer whose tick was due at @deadline ticks next. O(1) after any pause. */
static u64 next_tick(u64 deadline, u64 period, u64 now)
{
	if (now < deadline)
		return deadline;
	if (likely(now - deadline < period))
		return deadline + period;
	return deadline + period * (div64_u64(now - deadline, period) + 1);
}

void lapic_timer_reset(struct lapic *a)
{
	disarm(a);
	a->timer.period = 0;
	a->timer.mode = lvtt_mode(a);
	a->timer.shift = tdcr_shift(a);
}

/* Count down from @count, which is TMICT or what is left of it. */
static void start(struct lapic *a, u32 count)
{
	struct lapic_timer *t = &a->timer;
	u64 ns = count_to_ns(a, count);

	t->period = t->mode == LVTT_PERIODIC ? clamped_period(a) : 0;
	if (!count)
		return;
	if (t->period && count == lapic_get(a, LAPIC_TMICT))
		ns = t->period;
	arm(a, lapic_in_now(a) + ns);
}

void lapic_timer_write_tmict(struct lapic *a, u32 count)
{
	/* SDM 3 11.5.4.1: ignored in TSC-deadline mode. */
	if (a->timer.mode == LVTT_DEADLINE)
		return;
	disarm(a);
	lapic_put(a, LAPIC_TMICT, count);
	start(a, count);
}

/* Remaining time until the next tick as if the timer had ticked punctually. */
static u64 remaining_ns(struct lapic *a)
{
	struct lapic_timer *t = &a->timer;
	u64 deadline = READ_ONCE(t->deadline);
	u64 now;

	if (!deadline)
		return 0;
	now = lapic_in_now(a);
	if (now < deadline)
		return deadline - now;
	return t->period ? next_tick(deadline, t->period, now) - now : 0;
}

u32 lapic_timer_tmcct(struct lapic *a)
{
	u64 ns;

	if (a->timer.mode == LVTT_DEADLINE)
		return 0;
	ns = min_t(u64, remaining_ns(a), count_to_ns(a, lapic_get(a, LAPIC_TMICT)));
	return ns_to_count(a, ns);
}

/* The counter goes on from where it is; only its rate or what happens at 0 changes. */
static void recount(struct lapic *a, u8 mode, u8 shift)
{
	u32 count;

	lapic_out_timer(a, 0);
	count = lapic_timer_tmcct(a);
	a->timer.deadline = 0;
	a->timer.mode = mode;
	a->timer.shift = shift;
	start(a, count);
}

void lapic_timer_write_lvt(struct lapic *a)
{
	u8 old = a->timer.mode;
	u8 mode = lvtt_mode(a);

	if (mode == old)
		return;
	if (mode != LVTT_DEADLINE && old != LVTT_DEADLINE) {
		recount(a, mode, a->timer.shift);
		return;
	}
	/* SDM 3 11.5.4.1: into and out of TSC-deadline mode disarms. */
	disarm(a);
	a->timer.period = 0;
	a->timer.mode = mode;
	lapic_put(a, LAPIC_TMICT, 0);
}

void lapic_timer_write_tdcr(struct lapic *a)
{
	u8 shift = tdcr_shift(a);

	if (shift == a->timer.shift)
		return;
	if (a->timer.mode == LVTT_DEADLINE)
		a->timer.shift = shift;
	else
		recount(a, a->timer.mode, shift);
}

void lapic_timer_restore(struct lapic *a)
{
	u32 count;

	lapic_timer_reset(a);
	if (a->timer.mode == LVTT_DEADLINE)
		return;
	count = min_t(u32, lapic_get(a, LAPIC_TMCCT), lapic_get(a, LAPIC_TMICT));
	if (!count && lapic_get(a, LAPIC_TMICT)) {
		/* A periodic timer never rests at 0. Of a one-shot one QEMU gives the initial count only: over now. */
		if (a->timer.mode == LVTT_PERIODIC)
			count = lapic_get(a, LAPIC_TMICT);
		else
			lapic_local_deliver(a, LAPIC_LVT_TIMER);
	}
	start(a, count);
}

/* At least 1; "for ever" for what no clock will see. */
static u64 tsc_to_ns(struct lapic *a, u64 ticks)
{
	return min_t(u64, lapic_in_tsc_to_ns(a, ticks), FOREVER_NS - 1) + 1;
}

static bool tsc_reached(struct lapic *a, u64 *ns)
{
	u64 tsc = lapic_in_tsc(a);

	if (tsc >= a->timer.tsc_deadline)
		return true;
	*ns = tsc_to_ns(a, a->timer.tsc_deadline - tsc);
	return false;
}

static void deadline_expired(struct lapic *a)
{
	WRITE_ONCE(a->timer.deadline, 0);
	WRITE_ONCE(a->timer.tsc_deadline, 0);
	lapic_local_deliver(a, LAPIC_LVT_TIMER);
}

static void arm_tsc(struct lapic *a)
{
	u64 ns;

	if (tsc_reached(a, &ns))
		deadline_expired(a);
	else
		arm(a, lapic_in_now(a) + ns);
}

u64 lapic_timer_get_deadline(struct lapic *a)
{
	return a->timer.mode == LVTT_DEADLINE ? READ_ONCE(a->timer.tsc_deadline) : 0;
}

void lapic_timer_set_deadline(struct lapic *a, u64 tsc)
{
	if (a->timer.mode != LVTT_DEADLINE || a->mode == LAPIC_OFF)
		return;
	disarm(a);
	if (!tsc)
		return;
	a->timer.tsc_deadline = tsc;
	arm_tsc(a);
}

void lapic_timer_tsc_changed(struct lapic *a)
{
	u64 tsc;

	if (a->timer.mode != LVTT_DEADLINE || !READ_ONCE(a->timer.deadline))
		return;
	lapic_out_timer(a, 0);
	tsc = a->timer.tsc_deadline;
	a->timer.deadline = 0;
	if (tsc)
		arm_tsc(a);
}

u64 lapic_timer_fire(struct lapic *a)
{
	struct lapic_timer *t = &a->timer;
	u64 now = lapic_in_now(a), next = 0, ns;

	if (t->mode == LVTT_DEADLINE) {
		if (!t->tsc_deadline)
			return 0;
		/* The two clocks drift apart: what is left now is a small part of what was. */
		if (!tsc_reached(a, &ns) && ns > TSC_SLACK_NS) {
			WRITE_ONCE(t->deadline, now + ns);
			return now + ns;
		}
		deadline_expired(a);
		return 0;
	}
	if (t->period)
		next = next_tick(t->deadline, t->period, now);
	/* Only now: a reader of TMCCT that follows the interrupt sees the next tick. */
	WRITE_ONCE(t->deadline, next);
	lapic_local_deliver(a, LAPIC_LVT_TIMER);
	return next;
}
