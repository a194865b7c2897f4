// SPDX-License-Identifier: GPL-2.0-only
/*
 * Local APICs that send to each other: any register access in any mode, any base, timers, states
 * that userspace sets. Priorities and pending vectors are computed a second time, bit by bit.
 */
#include "unit/irqchip/machine.h"
#include "input.h"

#define NR	6

static const u32 ids[NR] = { 0, 1, 2, 7, 0x13, 300 };	/* 300: no xAPIC can address it */

static bool bit_of(const struct lapic *a, u32 reg, int vec)
{
	return lapic_get(a, reg + vec / 32 * 16) >> vec % 32 & 1;
}

static int highest(const struct lapic *a, u32 reg)
{
	int vec;

	for (vec = 255; vec >= 0; vec--)
		if (bit_of(a, reg, vec))
			return vec;
	return -1;
}

/* SDM 3 11.8.3.1, told anew. */
static u8 priority(const struct lapic *a)
{
	int isr = highest(a, LAPIC_ISR);
	u8 tpr = lapic_get(a, LAPIC_TPR);

	if (isr < 0 || tpr >> 4 >= isr >> 4)
		return tpr;
	return isr & 0xf0;
}

static void check_timer(struct lapic *a, const struct cpu *c)
{
	u32 lvtt = lapic_get(a, LAPIC_LVT_TIMER), now = lapic_timer_tmcct(a);

	must(now <= lapic_get(a, LAPIC_TMICT));
	must(!(c->timer >> 63));
	if ((lvtt >> 17 & 3) != 2)
		must(!a->timer.tsc_deadline);
	if (a->timer.period)
		must(a->timer.period >= a->min_period_ns);
}

static void check(struct lapic *a, const struct cpu *c)
{
	int vec = highest(a, LAPIC_IRR), w;
	bool due;

	for (w = 0; w < 8; w++) {
		if (lapic_get(a, LAPIC_IRR + w * 16))
			must(a->irr_words >> w & 1);
		must(!!lapic_get(a, LAPIC_ISR + w * 16) == (a->isr_words >> w & 1));
	}
	must(lapic_highest_irr(a) == vec);
	must(lapic_highest_isr(a) == highest(a, LAPIC_ISR));
	must(lapic_get(a, LAPIC_PPR) == priority(a));
	due = vec >= 0 && a->mode != LAPIC_OFF && vec >> 4 > priority(a) >> 4;
	must(lapic_pending(a) == (due ? vec : -1));
	must(a->mode == (!(a->base & APIC_BASE_EN) ? LAPIC_OFF :
			 a->base & APIC_BASE_EXTD ? LAPIC_X2APIC : LAPIC_XAPIC));
	must(!a->sw_enabled || a->mode != LAPIC_OFF);
	check_timer(a, c);
}

/* What was read can be written, and is what is read then. */
static void round_trip(struct lapic *a)
{
	struct kvm_lapic_state s, t;

	lapic_get_state(a, &s);
	must(!lapic_set_state(a, &s));
	lapic_get_state(a, &t);
	/* The count goes through nanoseconds. */
	memset(s.regs + LAPIC_TMCCT, 0, 4);
	memset(t.regs + LAPIC_TMCCT, 0, 4);
	must(!memcmp(&s, &t, sizeof(s)));
}

static void set_state(struct lapic *a, struct input *in)
{
	struct kvm_lapic_state s;
	u32 i, n = get(in, 1) % 16;

	lapic_get_state(a, &s);
	for (i = 0; i < n; i++)
		s.regs[get(in, 2) % sizeof(s.regs)] = get(in, 1);
	lapic_set_state(a, &s);
}

static void message(struct lapic *a, struct input *in)
{
	u8 f = get(in, 1);
	struct apic_msg msg = {
		.dest = get(in, f & 0x80 ? 4 : 1), .vector = get(in, 1), .mode = get(in, 1) & 7,
		.shorthand = f & 3, .logical = f & 4, .level = f & 8, .assert = f & 16,
		.x2apic_src = f & 32,
	};
	struct lapic *src = f & 64 || msg.shorthand ? a : NULL;
	int ret = lapic_deliver(&m.domain, m.map, src, &msg);

	must(ret >= -1 && ret <= NR);
	lapic_dest_in_use(&m.domain, m.map, &msg);
}

static void registers(struct lapic *a, struct input *in, u8 op)
{
	u8 data[16];
	u64 val;
	u32 reg;

	/* The page is there in xAPIC mode only: the owner looks (irqchip_mmio_write()). */
	switch (a->mode == LAPIC_XAPIC ? op & 1 : 2 + (op & 1)) {
	case 0:
		val = get(in, 4);
		reg = get(in, 1) << 4;
		lapic_mmio_write(a, reg, 4, &val);
		break;
	case 1:
		reg = get(in, 2) & 0xfff;
		lapic_mmio_read(a, reg, 1 << (reg >> 12 & 3), data);
		lapic_mmio_write(a, get(in, 2) & 0xfff, 1 << get(in, 1) % 4, &(u64){ get(in, 8) });
		break;
	case 2:
		reg = 0x800 + get(in, 1);
		must(lapic_msr_write(a, reg, get(in, op & 0x80 ? 8 : 4)) <= 1);
		break;
	default:
		val = 0;
		if (lapic_msr_read(a, 0x800 + get(in, 1), &val))
			must(!val);
	}
}

static void modes(struct lapic *a, struct input *in, u8 op)
{
	u64 base = a->base;

	if (op & 1)
		base = APIC_BASE_DEFAULT | (a->base & 0x100) | (u64)get(in, 1) << 4;
	else
		base ^= get(in, 2) & 0xf00;
	if (lapic_set_base(a, base, 0x2ff, op & 2))
		return;
	if (a->mode == LAPIC_X2APIC)
		must(lapic_get(a, LAPIC_ID) == a->id);
}

static void one(struct lapic *a, struct input *in, u8 op)
{
	int vec;

	switch (op >> 3 & 15) {
	case 0 ... 5:
		registers(a, in, op);
		break;
	case 6:
		modes(a, in, op);
		break;
	case 7:
		message(a, in);
		break;
	case 8:
		vec = lapic_pending(a);
		must(lapic_ack(a) == vec);
		break;
	case 9:
		lapic_eoi(a);
		break;
	case 10:
		lapic_set_tpr(a, get(in, 1));
		break;
	case 11:
		lapic_timer_set_deadline(a, get(in, op & 1 ? 8 : 3) + lapic_in_tsc(a) * (op >> 1 & 1));
		break;
	case 12:
		set_state(a, in);
		break;
	case 13:
		round_trip(a);
		break;
	case 14:
		if (op & 1) {
			lapic_reset(a, op & 2, op & 4, true);
		} else {
			m.tsc_offset += (s64)get(in, 5);
			lapic_timer_tsc_changed(a);
		}
		break;
	default:
		vec = machine_run(get(in, 5) % 3000000);
		must(vec < NR * 40);
		must(machine_pause(get(in, 5) << 8) < NR * 4);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, data + size };
	u8 conf = get(&in, 1);
	u32 i;

	machine_init(NR, ids, true);
	m.domain.x2apic_format = conf & 1;
	m.domain.broadcast_quirk = conf & 2;
	for (i = 0; i < NR; i++) {
		struct lapic *a = lapic(i);

		a->nr_lvt = conf & 4 ? 7 : 6;
		a->eoi_suppress_offered = conf & 8;
		a->eoi_suppress_works = conf & 16;
		a->tsc_deadline_offered = !(conf & 32);
		lapic_set_version(a);
		if (conf >> 6 == 1 || (conf >> 6 == 2 && i & 1))
			to_x2apic(a);
	}
	while (more(&in)) {
		u8 who = get(&in, 1) % NR;

		one(lapic(who), &in, get(&in, 1));
		for (i = 0; i < NR; i++)
			check(lapic(i), &m.cpu[i]);
	}
	machine_free();
	return 0;
}
