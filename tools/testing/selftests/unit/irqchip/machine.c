// SPDX-License-Identifier: GPL-2.0-only
#include <stdlib.h>
#include "machine.h"

struct machine m;

static u64 seed = 0x9e3779b97f4a7c15ull;

void rnd_seed(u64 s)
{
	seed = s ? s : 1;
}

u64 rnd64(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

u32 rnd(void)
{
	return rnd64() >> 24;
}

static struct cpu *cpu_of(struct lapic *a)
{
	return container_of(a, struct cpu, a);
}

/* ---- local APIC ---- */

void lapic_out_irq(struct lapic *a, u8 vector, bool level)
{
	cpu_of(a)->irqs++;
	cpu_of(a)->irq_vector = vector;
	cpu_of(a)->irq_level = level;
}

void lapic_out_posted(struct lapic *a, u8 vector)
{
	cpu_of(a)->notes++;
}

void lapic_out_extint(struct lapic *a)
{
	cpu_of(a)->extints++;
}

void lapic_out_recheck(struct lapic *a)
{
	cpu_of(a)->rechecks++;
}

void lapic_out_lint0_nmi(struct lapic *a, bool on)
{
	m.lint0_nmis += on ? 1 : -1;
}

void lapic_out_nmi(struct lapic *a)
{
	cpu_of(a)->nmis++;
}

void lapic_out_init(struct lapic *a)
{
	cpu_of(a)->inits++;
}

void lapic_out_sipi(struct lapic *a, u8 vector)
{
	cpu_of(a)->sipis++;
	cpu_of(a)->sipi_vector = vector;
}

void lapic_out_eoi(struct lapic *a, u8 vector, bool level)
{
	cpu_of(a)->eois++;
	cpu_of(a)->eoi_vector = vector;
	cpu_of(a)->eoi_level = level;
}

void lapic_out_timer(struct lapic *a, u64 deadline_ns)
{
	cpu_of(a)->timer = deadline_ns;
	cpu_of(a)->arms += !!deadline_ns;
}

void lapic_out_moved(struct lapic *a)
{
	if (m.map)
		lapic_map_rebuild(m.map);
}

int lapic_out_send(struct lapic *src, const struct apic_msg *msg)
{
	return lapic_deliver(&m.domain, m.map, src, msg);
}

u64 lapic_in_now(struct lapic *a)
{
	return m.now;
}

u64 lapic_in_tsc(struct lapic *a)
{
	return m.now * (TSC_KHZ / 1000) / 1000 + m.tsc_offset;
}

u64 lapic_in_tsc_to_ns(struct lapic *a, u64 ticks)
{
	unsigned __int128 ns = (unsigned __int128)ticks * 1000000 / TSC_KHZ;

	return ns > ~0ull ? ~0ull : (u64)ns;
}

/* ---- I/O APIC ---- */

int ioapic_out_deliver(struct ioapic *io, const struct apic_msg *msg)
{
	m.io_sent++;
	return lapic_deliver(&m.domain, m.map, NULL, msg);
}

bool ioapic_in_use(struct ioapic *io, const struct apic_msg *msg)
{
	return lapic_dest_in_use(&m.domain, m.map, msg);
}

void ioapic_out_hold(struct ioapic *io)
{
	m.holds++;
}

/* ---- PIT ---- */

u64 pit_in_now(struct pit *pit)
{
	return m.now;
}

void pit_out_timer(struct pit *pit, u64 deadline_ns)
{
	m.pit_timer = deadline_ns;
	m.pit_arms++;
}

int pit_out_irq(struct pit *pit)
{
	m.pit_irqs++;
	return m.pit_irq_result;
}

/* ---- the machine ---- */

void machine_init(u32 nr, const u32 *ids, bool on)
{
	u32 i, size = 16;

	memset(&m, 0, sizeof(m));
	m.now = 1000000;
	m.nr = nr;
	m.pit_irq_result = 1;
	m.domain.broadcast_quirk = true;
	for (i = 0; i < nr; i++) {
		u32 id = ids ? ids[i] : i;

		while (id >= size)
			size *= 2;
	}
	m.map = malloc(lapic_map_bytes(size));
	lapic_map_init(m.map, size);
	for (i = 0; i < nr; i++) {
		struct cpu *c = &m.cpu[i];

		c->regs = aligned_alloc(4096, 4096);
		memset(c->regs, 0, 4096);
		lapic_init(&c->a, &m.domain, c->regs, ids ? ids[i] : i);
		c->a.tsc_deadline_offered = true;
		c->a.min_period_ns = 200000;
		c->a.bus_ns = LAPIC_BUS_NS;
		lapic_reset(&c->a, false, i == 0, i == 0);
		lapic_map_add(m.map, &c->a);
		if (on)
			x1_write(&c->a, LAPIC_SVR, 0x1ff);
	}
	lapic_map_rebuild(m.map);
	ioapic_init(&m.io);
	pic_init(&m.pic);
	pit_init(&m.pit);
	m.pit.min_period_ns = 200000;
}

void machine_free(void)
{
	u32 i;

	for (i = 0; i < m.nr; i++)
		free(m.cpu[i].regs);
	free(m.map);
	memset(&m, 0, sizeof(m));
}

/* Fires the earliest timer that is due at @until; false if there is none. */
static bool fire_one(u64 until)
{
	struct cpu *c = NULL;
	u32 i;

	for (i = 0; i < m.nr; i++) {
		if (m.cpu[i].timer && m.cpu[i].timer <= until && (!c || m.cpu[i].timer < c->timer))
			c = &m.cpu[i];
	}
	if (m.pit_timer && m.pit_timer <= until && (!c || m.pit_timer < c->timer)) {
		m.now = max(m.now, m.pit_timer);
		m.pit_timer = 0;
		pit_fire(&m.pit);
		return true;
	}
	if (!c)
		return false;
	m.now = max(m.now, c->timer);
	c->timer = 0;
	c->fires++;
	c->timer = lapic_timer_fire(&c->a);
	return true;
}

u32 machine_run(u64 ns)
{
	u64 until = m.now + ns;
	u32 n = 0;

	while (n < 10000000 && fire_one(until))
		n++;
	m.now = until;
	return n;
}

u32 machine_pause(u64 ns)
{
	m.now += ns;
	return machine_run(0);
}

void x1_write(struct lapic *a, u32 reg, u32 val)
{
	lapic_mmio_write(a, reg, 4, &val);
}

u32 x1_read(struct lapic *a, u32 reg)
{
	u32 val;

	lapic_mmio_read(a, reg, 4, &val);
	return val;
}

int take(struct lapic *a)
{
	int vec = lapic_ack(a);

	if (vec >= 0)
		lapic_eoi(a);
	return vec;
}

void to_x2apic(struct lapic *a)
{
	lapic_set_base(a, a->base | APIC_BASE_EXTD | APIC_BASE_EN, 0, true);
}
