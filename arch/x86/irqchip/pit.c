// SPDX-License-Identifier: GPL-2.0-only
/* 8254 timer. */
#include "pit.h"

#define NSEC	1000000000ull

/* read_state, write_state, rw_mode, count_latched */
enum { RW_NONE, RW_LSB, RW_MSB, RW_WORD0, RW_WORD1 };

static u64 ticks_to_ns(u64 ticks)
{
	return mul_u64_u64_div_u64(ticks, NSEC, PIT_HZ);
}

static u64 elapsed_ticks(struct pit *pit, const struct pit_channel *c)
{
	u64 now = pit_in_now(pit), start = c->s.count_load_time;

	if (c->stopped)
		return mul_u64_u64_div_u64(c->stopped_ns, PIT_HZ, NSEC);
	return now > start ? mul_u64_u64_div_u64(now - start, PIT_HZ, NSEC) : 0;
}

static u16 to_bcd(u32 v)
{
	return v / 1000 % 10 << 12 | v / 100 % 10 << 8 | v / 10 % 10 << 4 | v % 10;
}

static u32 from_bcd(u16 v)
{
	return (v >> 12) % 10 * 1000 + (v >> 8 & 15) % 10 * 100 + (v >> 4 & 15) % 10 * 10 +
	       (v & 15) % 10;
}

/* The counting element as the guest reads it. */
static u16 read_count(struct pit *pit, const struct pit_channel *c)
{
	u32 wrap = c->s.bcd ? 10000 : 0x10000, val;
	u64 d = elapsed_ticks(pit, c);

	switch (c->s.mode) {
	case 2:
		val = c->s.count - d % c->s.count;
		break;
	case 3:		/* counts down by two, twice a period */
		val = c->s.count - 2 * d % c->s.count;
		break;
	default:	/* goes on below 0 */
		val = (c->s.count + wrap - d % wrap) % wrap;
	}
	return c->s.bcd ? to_bcd(val % wrap) : val;
}

static bool output(struct pit *pit, const struct pit_channel *c)
{
	u64 d = elapsed_ticks(pit, c);
	u32 count = c->s.count;

	switch (c->s.mode) {
	case 0:
	case 1:
		return d >= count;
	case 2:
		return !c->s.gate || d % count != count - 1;
	case 3:
		return !c->s.gate || d % count < (count + 1) / 2;
	default:
		return d != count;
	}
}

/* ---- channel 0 drives the interrupt ---- */

void pit_reset_reinject(struct pit *pit)
{
	pit->pending = 0;
	pit->waiting = false;
}

static void start_timer(struct pit *pit)
{
	const struct pit_channel *c = &pit->ch[0];
	u64 ns = ticks_to_ns(c->s.count);

	/* Ticks that the count of before still owes nobody waits for any more. */
	pit_reset_reinject(pit);
	pit->period = 0;
	/* The HPET has taken over; mode 5 waits for a gate that is wired high. */
	if ((pit->flags & KVM_PIT_FLAGS_HPET_LEGACY) || c->unprogrammed || c->s.mode == 5) {
		pit->deadline = 0;
		pit_out_timer(pit, 0);
		return;
	}
	if (c->s.mode == 2 || c->s.mode == 3) {
		ns = max_t(u64, ns, pit->min_period_ns);
		pit->period = ns;
	}
	pit->deadline = pit_in_now(pit) + ns;
	pit_out_timer(pit, pit->deadline);
}

static void stop_timer(struct pit *pit)
{
	pit->deadline = 0;
	pit->period = 0;
	pit_out_timer(pit, 0);
}

static void inject(struct pit *pit)
{
	if (!pit->reinject) {
		pit_out_irq(pit);
		return;
	}
	if (pit->waiting || !pit->pending)
		return;
	pit->pending--;
	pit->waiting = true;
	/* Nobody takes it, so nobody will acknowledge it: the tick is lost, not owed. */
	if (pit_out_irq(pit) < 0)
		pit->waiting = false;
}

void pit_fire(struct pit *pit)
{
	u64 now = pit_in_now(pit), ticks = 1;

	if (!pit->deadline)
		return;
	if (now < pit->deadline) {
		pit_out_timer(pit, pit->deadline);
		return;
	}
	if (pit->period) {
		ticks += div64_u64(now - pit->deadline, pit->period);
		pit->deadline += ticks * pit->period;
	} else {
		pit->deadline = 0;
	}
	if (pit->reinject)
		pit->pending = min_t(u64, pit->pending + ticks, PIT_MAX_PENDING);
	inject(pit);
	if (pit->deadline)
		pit_out_timer(pit, pit->deadline);
}

void pit_acked(struct pit *pit)
{
	pit->waiting = false;
	if (pit->reinject)
		inject(pit);
}

/* ---- registers ---- */

/* In modes 0 and 4 the gate only holds the counter; in the others it starts it or has no say. */
static bool held_by_gate(const struct pit_channel *c)
{
	return !c->s.gate && (c->s.mode == 0 || c->s.mode == 4);
}

static void load(struct pit *pit, unsigned int n, u16 val)
{
	struct pit_channel *c = &pit->ch[n];

	c->s.count = c->s.bcd ? from_bcd(val) : val;
	if (!c->s.count)
		c->s.count = c->s.bcd ? 10000 : 0x10000;
	c->s.count_load_time = pit_in_now(pit);
	c->stopped = held_by_gate(c);
	c->stopped_ns = 0;
	c->null_count = false;
	c->unprogrammed = false;
	if (n == 0)
		start_timer(pit);
}

static void latch_count(struct pit *pit, struct pit_channel *c)
{
	/* A second latch before the first was read changes nothing. */
	if (c->s.count_latched)
		return;
	c->s.latched_count = read_count(pit, c);
	c->s.count_latched = c->s.rw_mode;
}

static void latch_status(struct pit *pit, struct pit_channel *c)
{
	if (c->s.status_latched)
		return;
	c->s.status = output(pit, c) << 7 | c->null_count << 6 | (c->s.rw_mode & 3) << 4 |
		      c->s.mode << 1 | c->s.bcd;
	c->s.status_latched = 1;
}

static void write_control(struct pit *pit, u8 val)
{
	unsigned int n = val >> 6, access = val >> 4 & 3;
	struct pit_channel *c;

	if (n == 3) {		/* read-back command: bits of the channels, latches active low */
		for (n = 0; n < 3; n++) {
			if (!(val & BIT(n + 1)))
				continue;
			if (!(val & BIT(5)))
				latch_count(pit, &pit->ch[n]);
			if (!(val & BIT(4)))
				latch_status(pit, &pit->ch[n]);
		}
		return;
	}
	c = &pit->ch[array_index_nospec(n, 3)];
	if (!access) {
		latch_count(pit, c);
		return;
	}
	c->s.rw_mode = access;
	c->s.read_state = access;
	c->s.write_state = access;
	c->s.mode = val >> 1 & 7;
	if (c->s.mode > 5)	/* x10 and x11: bit 2 is not looked at */
		c->s.mode -= 4;
	c->s.bcd = val & 1;
	c->s.count_latched = 0;
	c->s.status_latched = 0;
	c->null_count = true;
	c->unprogrammed = false;
	c->stopped = false;
	/* The count kept from before must fit the new base. */
	if (c->s.bcd)
		c->s.count = min_t(u32, c->s.count, 10000);
	if (n == 0)
		stop_timer(pit);
}

void pit_write(struct pit *pit, u16 port, u8 val)
{
	unsigned int n = port & 3;
	struct kvm_pit_channel_state *s;

	if (n == 3) {
		write_control(pit, val);
		return;
	}
	n = array_index_nospec(n, 3);
	s = &pit->ch[n].s;
	switch (s->write_state) {
	case RW_MSB:
		load(pit, n, val << 8);
		break;
	case RW_WORD0:
		s->write_latch = val;
		s->write_state = RW_WORD1;
		break;
	case RW_WORD1:
		s->write_state = RW_WORD0;
		load(pit, n, s->write_latch | val << 8);
		break;
	default:
		load(pit, n, val);
	}
}

static u8 read_latched(struct kvm_pit_channel_state *s)
{
	switch (s->count_latched) {
	case RW_MSB:
		s->count_latched = 0;
		return s->latched_count >> 8;
	case RW_WORD0:
		s->count_latched = RW_MSB;
		return s->latched_count;
	default:
		s->count_latched = 0;
		return s->latched_count;
	}
}

u8 pit_read(struct pit *pit, u16 port)
{
	unsigned int n = port & 3;
	struct pit_channel *c;

	if (n == 3)
		return 0;	/* the control word cannot be read */
	c = &pit->ch[array_index_nospec(n, 3)];
	if (c->s.status_latched) {
		c->s.status_latched = 0;
		return c->s.status;
	}
	if (c->s.count_latched)
		return read_latched(&c->s);
	switch (c->s.read_state) {
	case RW_MSB:
		return read_count(pit, c) >> 8;
	case RW_WORD0:
		c->s.read_state = RW_WORD1;
		return read_count(pit, c);
	case RW_WORD1:
		c->s.read_state = RW_WORD0;
		return read_count(pit, c) >> 8;
	default:
		return read_count(pit, c);
	}
}

/* ---- channel 2: gate and speaker ---- */

static void set_gate(struct pit *pit, struct pit_channel *c, bool gate)
{
	u64 now = pit_in_now(pit);

	if (c->s.gate == gate)
		return;
	c->s.gate = gate;
	if (held_by_gate(c)) {
		c->stopped_ns = now - min_t(u64, now, c->s.count_load_time);
		c->stopped = true;
	} else if (c->stopped) {
		c->s.count_load_time = now - min_t(u64, now, c->stopped_ns);
		c->stopped = false;
	} else if (gate && c->s.mode != 0 && c->s.mode != 4) {
		c->s.count_load_time = now;
	}
}

u8 pit_speaker_read(struct pit *pit)
{
	/* Bit 4 toggles with every refresh of the memory, 15 us. */
	u8 refresh = div64_u64(pit_in_now(pit), 15085) & 1;

	return pit->speaker_on << 1 | (pit->ch[2].s.gate & 1) | output(pit, &pit->ch[2]) << 5 |
	       refresh << 4;
}

void pit_speaker_write(struct pit *pit, u8 val)
{
	pit->speaker_on = val >> 1 & 1;
	set_gate(pit, &pit->ch[2], val & 1);
}

/* ---- state ---- */

void pit_init(struct pit *pit)
{
	unsigned int n;

	memset(pit, 0, sizeof(*pit));
	pit->reinject = true;
	for (n = 0; n < 3; n++) {
		pit->ch[n].s.mode = 3;
		pit->ch[n].s.gate = n != 2;
		pit->ch[n].s.count = 0x10000;
		pit->ch[n].s.count_load_time = pit_in_now(pit);
		pit->ch[n].null_count = true;
		pit->ch[n].unprogrammed = true;
	}
}

void pit_get_state(struct pit *pit, struct kvm_pit_state2 *s)
{
	unsigned int n;

	memset(s, 0, sizeof(*s));
	for (n = 0; n < 3; n++) {
		s->channels[n] = pit->ch[n].s;
		if (pit->ch[n].unprogrammed)
			s->channels[n].mode = PIT_MODE_NONE;
		/* A held counter has run for as long as it had when it was stopped. */
		if (pit->ch[n].stopped)
			s->channels[n].count_load_time = pit_in_now(pit) - pit->ch[n].stopped_ns;
	}
	s->flags = pit->flags & KVM_PIT_FLAGS_HPET_LEGACY;
	if (pit->speaker_on)
		s->flags |= KVM_PIT_FLAGS_SPEAKER_DATA_ON;
}

static void set_channel(struct pit *pit, struct pit_channel *c,
			const struct kvm_pit_channel_state *s)
{
	u64 now = pit_in_now(pit);

	c->s = *s;
	c->unprogrammed = s->mode == PIT_MODE_NONE;
	c->s.mode &= 7;
	if (c->s.mode > 5)
		c->s.mode -= 4;
	c->s.bcd = !!s->bcd;
	c->s.gate = !!s->gate;
	c->s.rw_mode &= 3;
	if (!c->s.count || c->s.count > (c->s.bcd ? 10000 : 0x10000))
		c->s.count = c->s.bcd ? 10000 : 0x10000;
	if (s->count_load_time < 0 || (u64)s->count_load_time > now)
		c->s.count_load_time = now;
	c->null_count = c->unprogrammed;
	c->stopped = held_by_gate(c);
	c->stopped_ns = c->stopped ? now - c->s.count_load_time : 0;
}

void pit_set_state(struct pit *pit, const struct kvm_pit_state2 *s)
{
	unsigned int n;

	for (n = 0; n < 3; n++)
		set_channel(pit, &pit->ch[n], &s->channels[n]);
	pit->flags = s->flags & KVM_PIT_FLAGS_HPET_LEGACY;
	pit->speaker_on = s->flags & KVM_PIT_FLAGS_SPEAKER_DATA_ON;
	/* Channel 0 starts afresh: the time of its load may be of another host's clock. */
	pit->ch[0].s.count_load_time = pit_in_now(pit);
	pit->ch[0].stopped = false;
	start_timer(pit);
}
