// SPDX-License-Identifier: GPL-2.0-only
/* Messages between APICs: every way to name a destination, the map against the definition. */
#include "unit.h"
#include "machine.h"

static u32 irqs(u32 n)
{
	u32 v = m.cpu[n].irqs;

	m.cpu[n].irqs = 0;
	while (take(lapic(n)) >= 0)
		;
	return v;
}

static u32 irq_set(void)
{
	u32 i, set = 0;

	for (i = 0; i < m.nr && i < 32; i++)
		set |= (irqs(i) ? 1u : 0) << i;
	return set;
}

static void icr(u32 from, u32 dest, u32 low)
{
	x1_write(lapic(from), LAPIC_ICR2, dest << 24);
	x1_write(lapic(from), LAPIC_ICR, low);
}

static void check_xapic(void)
{
	u32 i;

	unit_case("xAPIC destinations");
	machine_init(4, NULL, true);
	icr(0, 2, 0x40);
	ok(irq_set() == 1 << 2, "physical");
	icr(0, 9, 0x40);
	ok(irq_set() == 0, "nobody");
	icr(0, 0xff, 0x40);
	ok(irq_set() == 0xf, "broadcast");
	icr(1, 0, 0x40 | SHORTHAND_SELF << 18);
	ok(irq_set() == 1 << 1, "self");
	icr(1, 0, 0x40 | SHORTHAND_ALL << 18);
	ok(irq_set() == 0xf, "all");
	icr(1, 0, 0x40 | SHORTHAND_OTHERS << 18);
	ok(irq_set() == 0xd, "others");
	for (i = 0; i < 4; i++)
		x1_write(lapic(i), LAPIC_LDR, 1u << (24 + i));
	icr(0, 0x5, 0x40 | ICR_LOGICAL);
	ok(irq_set() == 0x5, "flat");
	for (i = 0; i < 4; i++) {
		x1_write(lapic(i), LAPIC_DFR, 0);
		x1_write(lapic(i), LAPIC_LDR, (i / 2) << 28 | 1u << (24 + i % 2));
	}
	icr(0, 0x13, 0x40 | ICR_LOGICAL);
	ok(irq_set() == 0xc, "cluster 1");
	icr(0, 0x02, 0x40 | ICR_LOGICAL);
	ok(irq_set() == 0x2, "cluster 0");
	icr(0, 0xff, 0x40 | ICR_LOGICAL);
	ok(irq_set() == 0xf, "all clusters");
	/* Flat and cluster at once: the map cannot tell, the answer is right all the same. */
	x1_write(lapic(0), LAPIC_DFR, ~0u);
	x1_write(lapic(0), LAPIC_LDR, 0x13u << 24);
	ok(m.map->logical_kind == LOGICAL_MIXED, "mixed");
	icr(1, 0x11, 0x40 | ICR_LOGICAL);
	ok(irq_set() == 0x5, "both ways of reading it");
	machine_free();
}

static void check_x2apic(void)
{
	u32 ids[20], i;

	unit_case("x2APIC destinations");
	for (i = 0; i < 20; i++)
		ids[i] = i < 18 ? i : 0x100 + i;
	machine_init(20, ids, true);
	for (i = 0; i < 20; i++)
		to_x2apic(lapic(i));
	ok(m.map->logical_kind == LOGICAL_X2APIC && m.map->phys_unique, "map");
	lapic_msr_write(lapic(0), 0x830, 0x40 | (u64)0x113 << 32);
	ok(irq_set() == 1u << 19, "physical above 255");
	lapic_msr_write(lapic(0), 0x830, 0x40 | (u64)X2APIC_BROADCAST << 32);
	ok(irq_set() == 0xfffff, "broadcast");
	lapic_msr_write(lapic(0), 0x830, 0x40 | (u64)0xff << 32);
	ok(irq_set() == 0, "0xff is an id");
	lapic_msr_write(lapic(0), 0x830, 0x40 | ICR_LOGICAL | (u64)(1 << 16 | 3) << 32);
	ok(irq_set() == 3u << 16, "cluster 1");
	lapic_msr_write(lapic(0), 0x830, 0x40 | ICR_LOGICAL | (u64)0xffff0001 << 32);
	ok(irq_set() == 0, "a cluster that is far away");
	lapic_msr_write(lapic(3), 0x83f, 0x41);
	ok(irq_set() == 1u << 3, "self IPI");
	machine_free();
}

static void check_modes(void)
{
	u32 mode;

	unit_case("delivery modes");
	machine_init(3, NULL, true);
	for (mode = 0; mode < 8; mode++) {
		struct cpu o = m.cpu[1];

		icr(0, 1, mode << 8 | 0x42 | ICR_LEVEL_ASSERT);
		ok((irqs(1) != o.irqs) == (mode < 2), "interrupt for %u", mode);
		ok(m.cpu[1].nmis - o.nmis == (mode == DM_NMI), "NMI");
		ok(m.cpu[1].inits - o.inits == (mode == DM_INIT), "INIT");
		ok(m.cpu[1].sipis - o.sipis == (mode == DM_SIPI), "SIPI");
	}
	ok(m.cpu[1].sipi_vector == 0x42, "start page");
	icr(0, 1, DM_INIT << 8 | ICR_TRIGGER_LEVEL);
	ok(m.cpu[1].inits == 1, "a de-assert is no INIT");
	icr(0, 0, DM_INIT << 8 | ICR_LEVEL_ASSERT | SHORTHAND_OTHERS << 18);
	ok(m.cpu[0].inits == 0 && m.cpu[1].inits == 2 && m.cpu[2].inits == 1, "INIT to others");
	/* A disabled APIC takes INIT, NMI and SIPI, but no interrupt. */
	x1_write(lapic(2), LAPIC_SVR, 0xff);
	icr(0, 2, DM_NMI << 8);
	icr(0, 2, 0x55);
	ok(m.cpu[2].nmis == 1 && m.cpu[2].irqs == 0, "disabled by software");
	lapic_set_base(lapic(2), APIC_BASE_DEFAULT, 0, true);
	icr(0, 2, DM_NMI << 8);
	ok(m.cpu[2].nmis == 1, "off");
	machine_free();
}

static void check_lowest(void)
{
	u32 i, n[4] = {};

	unit_case("lowest priority takes turns");
	machine_init(4, NULL, true);
	for (i = 0; i < 4; i++)
		x1_write(lapic(i), LAPIC_LDR, 1u << (24 + i));
	for (i = 0; i < 400; i++) {
		u32 k, set;

		icr(0, 0xd, DM_LOWEST << 8 | 0x60 | ICR_LOGICAL);
		set = irq_set();
		ok(set && !(set & (set - 1)), "exactly one: %x", set);
		for (k = 0; k < 4; k++)
			n[k] += set >> k & 1;
	}
	ok(n[0] > 100 && !n[1] && n[2] > 100 && n[3] > 100, "%u %u %u %u", n[0], n[1], n[2], n[3]);
	x1_write(lapic(2), LAPIC_SVR, 0xff);
	for (i = 0; i < 10; i++) {
		icr(0, 0x5, DM_LOWEST << 8 | 0x60 | ICR_LOGICAL);
		ok(irq_set() == 1, "past the disabled one");
	}
	icr(0, 0, DM_LOWEST << 8 | 0x60 | SHORTHAND_OTHERS << 18);
	i = irq_set();
	ok(i == 2 || i == 8, "one of the others: %x", i);
	machine_free();
}

/* What a message should do, by asking each APIC. */
static u32 expected(const struct apic_msg *msg, struct lapic *src)
{
	u32 i, set = 0;

	for (i = 0; i < m.nr; i++) {
		struct lapic *a = lapic(i);

		if (a->mode == LAPIC_OFF || !a->sw_enabled)
			continue;
		if (msg->shorthand == SHORTHAND_SELF && a != src)
			continue;
		if (msg->shorthand == SHORTHAND_OTHERS && a == src)
			continue;
		if (!msg->shorthand && !lapic_match(&m.domain, a, msg))
			continue;
		set |= 1u << i;
	}
	return set;
}

static void move(struct lapic *a)
{
	/* The first three have MMIO only. */
	switch (rnd() % (a->mode == LAPIC_XAPIC ? 6 : 3) + (a->mode == LAPIC_XAPIC ? 0 : 3)) {
	case 0:
		x1_write(a, LAPIC_LDR, rnd());
		break;
	case 1:
		x1_write(a, LAPIC_DFR, rnd() & 1 ? ~0u : rnd() & 1 ? 0 : rnd());
		break;
	case 2:
		x1_write(a, LAPIC_ID, rnd() % 24 << 24);
		break;
	case 3:
		lapic_set_base(a, APIC_BASE_DEFAULT | APIC_BASE_EN | (rnd() & APIC_BASE_EXTD), 0, true);
		break;
	case 4:
		if (rnd() % 4 == 0)
			lapic_set_base(a, APIC_BASE_DEFAULT, 0, true);
		break;
	default:
		x1_write(a, LAPIC_SVR, rnd() & 1 ? 0x1ff : 0xff);
	}
}

static void check_map_fuzz(void)
{
	u32 ids[12], i, n, got, want;

	unit_case("the map against the definition, ids and modes at random");
	for (n = 0; n < 400; n++) {
		for (i = 0; i < 12; i++)
			ids[i] = n & 1 ? i : i * 41 + 3;
		machine_init(12, ids, true);
		m.domain.broadcast_quirk = n & 2;
		for (i = 0; i < 12; i++) {
			if (n & 4)
				to_x2apic(lapic(i));
			else
				x1_write(lapic(i), LAPIC_LDR, 1u << (24 + i % 8));
		}
		for (i = 0; i < 300; i++) {
			struct apic_msg msg = {
				.dest = rnd() & 1 ? rnd() % 32 : rnd() & 1 ? rnd() & 0xff :
					rnd() & 3 ? rnd() % 0x200 | (rnd() % 40) << 16 : ~0u,
				.vector = 0x20 + rnd() % 0xe0,
				.shorthand = rnd() & 7 ? 0 : rnd() & 3,
				.logical = rnd() & 1,
				.x2apic_src = rnd() & 1,
				.level = rnd() & 1,
				.assert = true,
			};
			struct lapic *src = lapic(rnd() % 12);
			int ret;

			if (rnd() % 16 == 0)
				move(lapic(rnd() % 12));
			if (msg.shorthand == SHORTHAND_SELF && src->mode == LAPIC_OFF)
				continue;
			want = expected(&msg, src);
			ret = lapic_deliver(&m.domain, m.map, src, &msg);
			got = irq_set();
			if (!ok(got == want, "dest %x logical %d sh %d x2 %d: got %x want %x", msg.dest,
				msg.logical, msg.shorthand, msg.x2apic_src, got, want))
				return;
			ok(ret == (want ? __builtin_popcount(want) : -1), "result %d", ret);
		}
		machine_free();
	}
}

/* FAULTS 3 and 7: ids and clusters far beyond anything that exists. */
static void check_dest_fuzz(void)
{
	u32 i;

	unit_case("any ICR value, sparse ids");
	machine_init(3, (const u32[]){ 0, 7, 4095 }, true);
	for (i = 0; i < 3; i++)
		to_x2apic(lapic(i));
	for (i = 0; i < 300000; i++) {
		u64 val = rnd64();

		if (rnd() & 1)
			val &= ~(u64)ICR_RESERVED;
		lapic_msr_write(lapic(i % 3), 0x830, val);
	}
	lapic_msr_write(lapic(0), 0x830, 0x40 | (u64)4095 << 32);
	ok(m.cpu[2].irqs > 0, "the last id");
	while (take(lapic(1)) >= 0)
		;
	m.cpu[1].irqs = 0;
	lapic_msr_write(lapic(2), 0x830, 0x40 | (u64)7 << 32);
	ok(m.cpu[1].irqs == 1, "still there");
	machine_free();
}

int main(void)
{
	check_xapic();
	check_x2apic();
	check_modes();
	check_lowest();
	check_map_fuzz();
	check_dest_fuzz();
	return unit_done();
}
