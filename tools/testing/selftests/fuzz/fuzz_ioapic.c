// SPDX-License-Identifier: GPL-2.0-only
/*
 * The I/O APIC with local APICs behind it: every register and pin in any order, EOIs, storms,
 * states that userspace sets. No level that can be delivered may be forgotten.
 */
#include "unit/irqchip/machine.h"
#include "input.h"

#define NR	4

static bool told;	/* sources and line agree: no state was set from outside */

static void check(void)
{
	u32 pin, index, sel = m.io.regsel;

	must(!(m.io.line >> IOAPIC_PINS) && !(m.io.held >> IOAPIC_PINS) && sel < 256);
	must(!(m.io.acked >> IOAPIC_PINS) && !(m.io.unmasked >> IOAPIC_PINS) && m.io.id < 16);
	for (pin = 0; pin < IOAPIC_PINS; pin++) {
		u64 e = m.io.rte[pin];

		must(!(e & ~(0xff00000000000000ull | 0x1ffffull)));
		must(!(e & RTE_REMOTE_IRR) || (e & RTE_LEVEL));
		must(m.io.streak[pin] < IOAPIC_STORM_EOIS);
		if (told)
			must(!!m.io.sources[pin] == (m.io.line >> pin & 1));
	}
	/* Reading has no effects and no holes (CVE-2013-1798). */
	for (index = 0; index < 256; index += 17) {
		ioapic_write(&m.io, 0, index);
		ioapic_read(&m.io, 16);
	}
	ioapic_write(&m.io, 0, sel);
}

/* What the owner does after each call. */
static void settle(void)
{
	u32 acked = m.io.acked;

	m.io.acked = m.io.unmasked = 0;
	m.io.changed = false;
	ioapic_redeliver(&m.io, acked);
}

/* A CPU takes what is pending and ends it. */
static void serve(struct cpu *c)
{
	c->eois = 0;
	if (take(&c->a) >= 0 && c->eois) {
		ioapic_eoi(&m.io, c->eoi_vector);
		settle();
	}
}

/* The device never falls silent, and the guest ends each interrupt at once: that ends in a pause. */
static void storm(unsigned int pin)
{
	u32 i;

	ioapic_write(&m.io, 0, 0x11 + 2 * pin);
	ioapic_write(&m.io, 16, 0);
	ioapic_write(&m.io, 0, 0x10 + 2 * pin);
	ioapic_write(&m.io, 16, 0x31 | RTE_LEVEL);
	ioapic_set_irq(&m.io, pin, 1, true, false);
	for (i = 0; i <= IOAPIC_STORM_EOIS && !(m.io.held & BIT(pin)); i++) {
		ioapic_eoi(&m.io, 0x31);
		settle();
	}
	must(m.io.held & BIT(pin));
	while (ioapic_release(&m.io))
		;
	must(!m.io.held);
	ioapic_set_irq(&m.io, pin, 1, false, false);
}

static void state(struct input *in)
{
	struct kvm_ioapic_state s, t;
	u32 i, n = get(in, 1) % 16;

	ioapic_get_state(&m.io, &s);
	for (i = 0; i < n; i++)
		((u8 *)&s)[get(in, 1) % sizeof(s)] = get(in, 1);
	ioapic_set_state(&m.io, &s);
	ioapic_get_state(&m.io, &t);
	must(t.base_address == s.base_address && t.ioregsel == (s.ioregsel & 0xff));
	told = false;
}

/* A pin's entry that can deliver, with any bits around it. */
static void program(struct input *in, unsigned int pin)
{
	ioapic_write(&m.io, 0, 0x11 + 2 * (pin % IOAPIC_PINS));
	ioapic_write(&m.io, 16, get(in, 1) << 24);
	ioapic_write(&m.io, 0, 0x10 + 2 * (pin % IOAPIC_PINS));
	ioapic_write(&m.io, 16, get(in, 3));
	settle();
}

static void one(struct input *in, u8 op)
{
	unsigned long map[4] = {};
	u32 pin = get(in, 1), n;
	int ret;

	switch (op >> 4) {
	case 0 ... 3:
		ret = ioapic_set_irq(&m.io, pin, op & 3, op & 4, op & 8);
		must(ret >= -1 && ret <= NR && (pin < IOAPIC_PINS || ret == -1));
		break;
	case 4 ... 6:
		program(in, pin);
		break;
	case 7 ... 9:
		serve(&m.cpu[op % NR]);
		break;
	case 10:
		ioapic_write(&m.io, pin, get(in, 4));
		ioapic_read(&m.io, get(in, 4));
		settle();
		break;
	case 11:
		ioapic_eoi(&m.io, pin);
		settle();
		break;
	case 12:
		m.io.version = op & 1 ? 0x20 : 0x11;
		while (ioapic_release(&m.io))
			;
		break;
	case 13:
		state(in);
		break;
	case 14:
		x1_write(lapic(op % NR), (pin & 0x3f) << 4, get(in, 4));
		ioapic_edge_vectors(&m.io, get(in, 4), map);
		break;
	default:
		if (op == 0xff && pin < IOAPIC_PINS)
			storm(pin);
		for (n = 0; n < pin % 32; n++)
			ioapic_eoi(&m.io, op);
		settle();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, data + size };

	machine_init(NR, NULL, true);
	told = true;
	while (more(&in)) {
		one(&in, get(&in, 1));
		check();
	}
	machine_free();
	return 0;
}
