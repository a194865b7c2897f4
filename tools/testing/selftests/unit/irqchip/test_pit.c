// SPDX-License-Identifier: GPL-2.0-only
/* 8254: modes, access forms, latches, lost ticks, gate and speaker, extreme states. */
#include "unit.h"
#include "machine.h"

#define T (&m.pit)
#define SECOND	1000000000ull
#define HOUR	(3600 * SECOND)

static void program(u32 ch, u32 mode, u16 count)
{
	pit_write(T, 0x43, ch << 6 | 3 << 4 | mode << 1);
	pit_write(T, 0x40 + ch, count & 0xff);
	pit_write(T, 0x40 + ch, count >> 8);
}

static u16 word(u32 ch)
{
	u16 v = pit_read(T, 0x40 + ch);

	return v | pit_read(T, 0x40 + ch) << 8;
}

static u64 ticks(u64 n)
{
	return (n * SECOND + PIT_HZ - 1) / PIT_HZ;
}

static void check_counters(void)
{
	u32 mode;

	unit_case("counters");
	for (mode = 0; mode < 6; mode++) {
		machine_init(1, NULL, true);
		program(1, mode, 1000);
		ok(word(1) == 1000, "mode %u: full", mode);
		m.now += ticks(100);
		ok(word(1) == (mode == 3 ? 800 : 900), "mode %u: %u", mode, word(1));
		m.now += ticks(950);
		switch (mode) {
		case 2:
			ok(word(1) == 950, "reloads: %u", word(1));
			break;
		case 3:
			ok(word(1) == 900, "reloads: %u", word(1));
			break;
		default:
			ok(word(1) == (u16)-50, "goes on below 0: %u", word(1));
		}
		machine_free();
	}
	machine_init(1, NULL, true);
	program(1, 2, 0);
	ok(word(1) == 0, "0 is 65536");
	m.now += ticks(1);
	ok(word(1) == 65535, "%u", word(1));
	pit_write(T, 0x43, 1 << 6 | 3 << 4 | 2 << 1 | 1);
	pit_write(T, 0x41, 0x00);
	pit_write(T, 0x41, 0x10);
	m.now += ticks(1);
	ok(word(1) == 0x0999, "BCD: %x", word(1));
	machine_free();
}

static void check_access_forms(void)
{
	unit_case("access forms, latches, read-back");
	machine_init(1, NULL, true);
	pit_write(T, 0x43, 1 << 6 | 1 << 4 | 2 << 1);
	pit_write(T, 0x41, 0x80);
	ok(pit_read(T, 0x41) == 0x80 && pit_read(T, 0x41) == 0x80, "low byte only");
	pit_write(T, 0x43, 1 << 6 | 2 << 4 | 2 << 1);
	pit_write(T, 0x41, 0x12);
	ok(pit_read(T, 0x41) == 0x12, "high byte only");
	program(1, 2, 0x1234);
	pit_write(T, 0x43, 1 << 6);
	m.now += ticks(300);
	pit_write(T, 0x43, 1 << 6);
	ok(word(1) == 0x1234, "the first latch counts");
	ok(word(1) == 0x1234 - 300, "then live again");
	pit_write(T, 0x43, 0xc0 | 1 << 2);
	ok(pit_read(T, 0x41) == (1 << 7 | 3 << 4 | 2 << 1), "status first");
	ok(word(1) == 0x1234 - 300, "then the count");
	pit_write(T, 0x43, 1 << 6 | 3 << 4 | 3 << 1);
	pit_write(T, 0x43, 0xe0 | 1 << 2);
	ok(pit_read(T, 0x41) & 1 << 6, "null count");
	ok(pit_read(T, 0x43) == 0, "control word");
	machine_free();
}

static void check_channel0(void)
{
	u32 n;

	unit_case("channel 0: periodic and one-shot");
	machine_init(1, NULL, true);
	program(0, 2, 11932);
	T->reinject = false;
	n = machine_run(SECOND);
	ok(n >= 99 && n <= 101 && m.pit_irqs == n, "100 Hz: %u", n);
	ok(machine_pause(HOUR) == 1, "one callback after an hour");
	program(0, 0, 1193);
	m.pit_irqs = 0;
	ok(machine_run(SECOND) == 1 && m.pit_irqs == 1, "mode 0: once");
	program(0, 5, 1193);
	ok(machine_run(SECOND) == 0, "mode 5 waits for its gate");
	program(0, 3, 1193);
	pit_write(T, 0x43, 0x30);
	ok(machine_run(SECOND) == 0, "a control word stops the counter");
	for (n = 0; n < 300; n++) {
		u32 c;

		program(0, 2 + (n & 1), n);
		c = machine_run(SECOND / 10);
		ok(c <= 501, "count %u: %u callbacks in 100 ms", n, c);
	}
	machine_free();
}

static void check_reinject(void)
{
	u32 n;

	unit_case("lost ticks are made up for, or not");
	machine_init(1, NULL, true);
	program(0, 2, 11932);
	machine_run(SECOND);
	ok(m.pit_irqs == 1, "the next tick waits for the EOI: %u", m.pit_irqs);
	for (n = 0; n < 200 && (T->waiting || T->pending); n++)
		pit_acked(T);
	ok(m.pit_irqs >= 99 && m.pit_irqs <= 101, "all of them: %u", m.pit_irqs);
	machine_pause(10 * SECOND);
	ok(T->pending >= 998 && T->pending <= 1001, "a pause too: %u", T->pending);
	pit_reset_reinject(T);
	ok(T->pending == 0 && !T->waiting, "forgiven");
	m.pit_irqs = 0;
	m.pit_irq_result = -1;
	machine_run(SECOND);
	ok(m.pit_irqs >= 99, "masked: every tick is tried");
	ok(T->pending == 0 && !T->waiting, "and none is owed");
	m.pit_irq_result = 1;
	T->reinject = false;
	m.pit_irqs = 0;
	machine_run(SECOND);
	ok(m.pit_irqs >= 99, "discard: every tick, EOI or not");
	pit_acked(T);
	T->reinject = true;
	machine_pause(1000000 * SECOND);
	ok(T->pending <= PIT_MAX_PENDING, "bounded");
	machine_free();
}

static void check_speaker(void)
{
	unit_case("port 0x61");
	machine_init(1, NULL, true);
	pit_speaker_write(T, 0);
	program(2, 0, 1000);
	ok((pit_speaker_read(T) & 0x2f) == 0, "gate low, output low");
	m.now += ticks(500);
	ok(word(2) == 1000, "the counter stands: %u", word(2));
	pit_speaker_write(T, 3);
	m.now += ticks(400);
	ok(word(2) == 600, "runs: %u", word(2));
	pit_speaker_write(T, 0);
	m.now += ticks(10000);
	ok(word(2) == 600, "stands again: %u", word(2));
	pit_speaker_write(T, 1);
	m.now += ticks(601);
	ok(pit_speaker_read(T) & 0x20, "output high");
	ok((pit_speaker_read(T) & 3) == 1, "gate and speaker bits");
	pit_speaker_write(T, 0);
	program(2, 3, 1000);
	ok(pit_speaker_read(T) & 0x20, "mode 3 with the gate low: high");
	pit_speaker_write(T, 1);
	m.now += ticks(700);
	ok(!(pit_speaker_read(T) & 0x20), "second half: low");
	m.now += ticks(500);
	ok(pit_speaker_read(T) & 0x20, "first half: high");
	machine_free();
}

/* FAULTS 11: any state, zero counts first of all. */
static void check_states(void)
{
	static const s64 times[] = { 0, 1, -1, 1ll << 62, -(1ll << 62), 0x7fffffffffffffffll,
				     -0x7fffffffffffffffll - 1 };
	struct kvm_pit_state2 s, t;
	u32 i, k, n;

	unit_case("KVM_SET_PIT2 with anything");
	machine_init(1, NULL, true);
	memset(&s, 0, sizeof(s));
	for (i = 0; i < 8; i++) {
		s.channels[0].mode = i;
		s.channels[1].mode = i;
		s.channels[2].mode = i;
		pit_set_state(T, &s);
		for (k = 0; k < 20; k++) {
			m.now += ticks(9999);
			word(0);
			word(1);
			word(2);
			pit_speaker_read(T);
			pit_write(T, 0x43, 0xc0 | 0xe);
		}
		ok(machine_run(SECOND / 10) <= 501, "no storm");
	}
	for (i = 0; i < 20000; i++) {
		for (k = 0; k < sizeof(s); k++)
			((u8 *)&s)[k] = rnd();
		for (k = 0; k < 3; k++) {
			if (rnd() & 1)
				s.channels[k].count = rnd() & 1 ? 0 : rnd() & 1 ? 1 : 2;
			if (rnd() & 1)
				s.channels[k].count_load_time = times[rnd() % 7];
		}
		pit_set_state(T, &s);
		pit_get_state(T, &t);
		ok(!(t.flags & ~3) && !t.reserved[0], "flags");
		n = machine_run(10000000);
		ok(n <= 52, "%u callbacks in 10 ms", n);
		word(0);
		word(1);
		word(2);
		pit_speaker_read(T);
		pit_speaker_write(T, rnd());
		if (rnd() & 1)
			pit_acked(T);
	}
	/* Nobody has programmed it: it is silent, moved or not, until somebody does. */
	pit_init(T);
	pit_get_state(T, &s);
	ok(machine_run(SECOND) == 0, "silent after reset");
	pit_set_state(T, &s);
	ok(machine_run(SECOND) == 0, "silent after a move");
	pit_get_state(T, &t);
	ok(t.channels[0].mode == PIT_MODE_NONE && t.channels[2].mode == PIT_MODE_NONE, "kept");
	program(0, 2, 1000);
	ok(machine_run(SECOND) > 0, "ticks");
	/* The HPET has taken over. */
	memset(&s, 0, sizeof(s));
	s.channels[0].mode = 2;
	s.channels[0].count = 1000;
	s.flags = KVM_PIT_FLAGS_HPET_LEGACY;
	pit_set_state(T, &s);
	ok(machine_run(SECOND) == 0, "no ticks");
	program(0, 2, 1000);
	ok(machine_run(SECOND) == 0, "not after a new count either");
	pit_get_state(T, &s);
	ok(s.flags == KVM_PIT_FLAGS_HPET_LEGACY && s.channels[0].count == 1000, "kept");
	s.flags = 0;
	pit_set_state(T, &s);
	ok(machine_run(SECOND) > 0, "back");
	machine_free();
}

static void check_fuzz(void)
{
	u32 i, n;

	unit_case("random ports");
	machine_init(1, NULL, true);
	for (i = 0; i < 500000; i++) {
		switch (rnd() % 6) {
		case 0:
		case 1:
			pit_write(T, 0x40 + rnd() % 4, rnd());
			break;
		case 2:
			pit_read(T, 0x40 + rnd() % 4);
			break;
		case 3:
			pit_speaker_write(T, rnd());
			break;
		case 4:
			pit_speaker_read(T);
			break;
		default:
			if (rnd() % 64)
				m.now += rnd() % 100000;
			else if (rnd() % 8)
				machine_run(1000000);
			else
				n = machine_pause(HOUR), ok(n <= 2, "%u", n);
			if (rnd() & 1)
				pit_acked(T);
		}
	}
	ok(true, "done");
	machine_free();
}

int main(void)
{
	check_counters();
	check_access_forms();
	check_channel0();
	check_reinject();
	check_speaker();
	check_states();
	check_fuzz();
	return unit_done();
}
