// SPDX-License-Identifier: GPL-2.0-only
/*
 * The 8254: control words, counts, reads, the gate, time that goes on or jumps, states that
 * userspace sets. Counts stay in range, a latched count stays, interrupts stay bounded.
 */
#include "unit/irqchip/machine.h"
#include "input.h"

static void check(void)
{
	int n;

	for (n = 0; n < 3; n++) {
		const struct pit_channel *c = &m.pit.ch[n];

		must(c->s.count >= 1 && c->s.count <= (c->s.bcd ? 10000 : 65536));
		must(c->s.mode <= 5 && c->s.bcd <= 1 && c->s.gate <= 1);
	}
	must(m.pit.pending <= PIT_MAX_PENDING);
	must(!m.pit.period || m.pit.period >= m.pit.min_period_ns);
	must(!m.pit.period || m.pit.deadline);
	must(!(m.pit.flags & KVM_PIT_FLAGS_HPET_LEGACY) || !m.pit.deadline);
}

/* Latch, and read what was latched: later it is the same. */
static void latch(int n, u64 ns)
{
	struct kvm_pit_channel_state *s = &m.pit.ch[n].s;
	u16 val;
	u8 lo, hi = 0;

	pit_write(&m.pit, 0x43, n << 6);
	if (!s->count_latched || s->status_latched)
		return;
	val = s->latched_count;
	m.now += ns;
	pit_write(&m.pit, 0x43, n << 6);
	must(s->latched_count == val);
	if (s->count_latched != 3)
		return;
	lo = pit_read(&m.pit, 0x40 + n);
	hi = pit_read(&m.pit, 0x40 + n);
	must((lo | hi << 8) == val && !s->count_latched);
}

/* A count read as a word, by the datasheet's limits. */
static void count(int n)
{
	const struct kvm_pit_channel_state *s = &m.pit.ch[n].s;
	u32 val;
	u8 lo;

	if (s->status_latched || s->count_latched || s->read_state != 3)
		return;
	lo = pit_read(&m.pit, 0x40 + n);
	val = lo | pit_read(&m.pit, 0x40 + n) << 8;
	if (s->bcd) {
		must((val & 15) < 10 && (val >> 4 & 15) < 10 && (val >> 8 & 15) < 10 && val >> 12 < 10);
		return;
	}
	if (s->mode == 2)
		must(val <= s->count && (val || s->count == 65536));
	if (s->mode == 3)
		must(val <= s->count);
}

static void state(struct input *in)
{
	struct kvm_pit_state2 s, t;
	u32 i, n = get(in, 1) % 12;

	pit_get_state(&m.pit, &s);
	for (i = 0; i < n; i++)
		((u8 *)&s)[get(in, 1) % sizeof(s)] = get(in, 1);
	pit_set_state(&m.pit, &s);
	pit_get_state(&m.pit, &t);
	must(t.flags == (s.flags & 3));
}

static void run(u64 ns)
{
	u32 irqs = m.pit_irqs;

	/* No faster than the shortest period, whatever the guest asked for. */
	must(machine_run(ns % 5000000) <= 5000000 / 200000 + 1);
	must(machine_pause(ns << 10) <= 1);
	must(m.pit_irqs - irqs <= 5000000 / 200000 + 2);
}

static void one(struct input *in, u8 op)
{
	switch (op >> 4) {
	case 0 ... 3:
		pit_write(&m.pit, 0x40 + op % 4, get(in, 1));
		break;
	case 4:
		pit_write(&m.pit, 0x43, get(in, 1));
		pit_write(&m.pit, 0x40 + op % 3, get(in, 1));
		pit_write(&m.pit, 0x40 + op % 3, get(in, 1));
		break;
	case 5:
	case 6:
		pit_read(&m.pit, 0x40 + op % 4);
		break;
	case 7:
		count(op % 3);
		break;
	case 8:
		latch(op % 3, get(in, 4));
		break;
	case 9:
		pit_speaker_write(&m.pit, get(in, 1));
		pit_speaker_read(&m.pit);
		break;
	case 10:
		pit_acked(&m.pit);
		break;
	case 11:
		m.pit_irq_result = (int)(op & 3) - 1;
		m.pit.reinject = op & 4;
		pit_reset_reinject(&m.pit);
		break;
	case 12:
		state(in);
		break;
	case 13:
		pit_fire(&m.pit);	/* too early, or not at all */
		break;
	default:
		run(get(in, 5));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, data + size };

	machine_init(1, NULL, true);
	while (more(&in)) {
		one(&in, get(&in, 1));
		check();
	}
	machine_free();
	return 0;
}
