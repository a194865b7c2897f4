// SPDX-License-Identifier: GPL-2.0-only
/* I/O APIC: register window, edge and level, EOI, reconfiguration, storms, the RTC. */
#include "unit.h"
#include "machine.h"

static void rte(u32 pin, u64 val)
{
	ioapic_write(&m.io, 0, 0x11 + pin * 2);
	ioapic_write(&m.io, 0x10, val >> 32);
	ioapic_write(&m.io, 0, 0x10 + pin * 2);
	ioapic_write(&m.io, 0x10, val);
}

static u64 rte_read(u32 pin)
{
	u64 val;

	ioapic_write(&m.io, 0, 0x11 + pin * 2);
	val = (u64)ioapic_read(&m.io, 0x10) << 32;
	ioapic_write(&m.io, 0, 0x10 + pin * 2);
	return val | ioapic_read(&m.io, 0x10);
}

/* The owner's part of an EOI. */
static u32 eoi(u8 vector)
{
	u32 acked;

	ioapic_eoi(&m.io, vector);
	acked = m.io.acked;
	m.io.acked = 0;
	ioapic_redeliver(&m.io, acked);
	return acked;
}

static int line(u32 pin, bool level)
{
	return ioapic_set_irq(&m.io, pin, 0, level, false);
}

static void check_window(void)
{
	u32 sel, off;

	unit_case("all 256 IOREGSEL values, all offsets");
	machine_init(1, NULL, true);
	for (sel = 0; sel < 0x400; sel++) {
		ioapic_write(&m.io, 0, sel);
		ok(ioapic_read(&m.io, 0) == (sel & 0xff), "select");
		ioapic_write(&m.io, 0x10, rnd() | 0x10000);
		ioapic_read(&m.io, 0x10);
		ioapic_write(&m.io, 0, 1);
		ok(ioapic_read(&m.io, 0x10) == 0x170011, "version");
		for (off = 0; off < 0x100; off += 0x10) {
			ioapic_read(&m.io, off);
			ioapic_write(&m.io, off, rnd() | 0x10000);
		}
	}
	ioapic_write(&m.io, 0, 0x40);
	ok(ioapic_read(&m.io, 0x10) == ~0u, "behind the last entry");
	ioapic_write(&m.io, 0, 0);
	ioapic_write(&m.io, 0x10, 0x0f000000);
	ok(ioapic_read(&m.io, 0x10) == 0x0f000000, "id");
	machine_free();
}

static void check_edge(void)
{
	unit_case("edge");
	machine_init(1, NULL, true);
	rte(4, 0x34);
	ok(line(4, true) == 1 && m.io_sent == 1, "sent");
	ok(line(4, true) == 0 && m.io_sent == 1, "no edge");
	line(4, false);
	ok(line(4, true) == 0 && m.io_sent == 2, "pending in IRR: coalesced");
	line(4, false);
	ok(take(lapic(0)) == 0x34 && m.cpu[0].eois == 0, "no EOI for it");
	rte(4, 0x34 | RTE_MASKED);
	ok(line(4, true) == -1, "masked");
	rte(4, 0x34);
	ok(lapic_pending(lapic(0)) < 0, "an edge on a masked pin is lost");
	line(4, false);
	ok(line(4, true) == 1, "the next is not");
	ok(line(24, true) == -1 && line(~0u, true) == -1, "no such pin");
	machine_free();
}

static void check_level(void)
{
	unit_case("level, remote IRR, EOI");
	machine_init(1, NULL, true);
	rte(10, 0x3a | RTE_LEVEL);
	ok(line(10, true) == 1 && (rte_read(10) & RTE_REMOTE_IRR), "sent");
	ok(line(10, true) == 0 && m.io_sent == 1, "once");
	ok(take(lapic(0)) == 0x3a && m.cpu[0].eois == 1, "EOI is broadcast");
	ok(eoi(0x3a) == 1u << 10 && m.io_sent == 2, "still up: again");
	take(lapic(0));
	line(10, false);
	eoi(0x3a);
	ok(m.io_sent == 2 && !(rte_read(10) & RTE_REMOTE_IRR), "down: not");
	rte(10, 0x3a | RTE_LEVEL | RTE_MASKED);
	ok(line(10, true) == -1, "masked");
	rte(10, 0x3a | RTE_LEVEL);
	ok(m.io_sent == 3, "unmasked with the line up");
	ok(m.io.unmasked & 1u << 10, "and the owner is told");
	rte(10, RTE_REMOTE_IRR | RTE_PENDING | 0x3a | RTE_LEVEL);
	line(10, false);
	take(lapic(0));
	eoi(0x3a);
	rte(10, RTE_REMOTE_IRR | 0x3b | RTE_LEVEL);
	ok(!(rte_read(10) & (RTE_REMOTE_IRR | RTE_PENDING)), "read-only bits");
	/* Two sources share a line. */
	ioapic_set_irq(&m.io, 10, 0, true, false);
	ioapic_set_irq(&m.io, 10, 1, true, false);
	ioapic_set_irq(&m.io, 10, 0, false, false);
	take(lapic(0));
	m.io_sent = 0;
	eoi(0x3b);
	ok(m.io_sent == 1, "the other one holds it up");
	machine_free();
}

/* FAULTS 4: level to edge and back with an interrupt under way. */
static void check_reconfigure(void)
{
	u32 i, n;

	unit_case("entries reconfigured under way");
	machine_init(1, NULL, true);
	rte(5, 0x45 | RTE_LEVEL);
	line(5, true);
	rte(5, 0x45 | RTE_MASKED);
	ok(!(rte_read(5) & RTE_REMOTE_IRR), "edge clears remote IRR");
	rte(5, 0x45 | RTE_LEVEL);
	ok(rte_read(5) & RTE_REMOTE_IRR, "level with the line up: sent again");
	/* Vector changed between request and EOI of an edge that somebody waits for. */
	rte(2, 0x50);
	line(2, true);
	m.io.acked = 0;
	rte(2, 0x51);
	ok(m.io.acked & 1u << 2, "counts as acknowledged");
	m.io.acked = 0;
	for (i = 0; i < 200000; i++) {
		u32 pin = rnd() % 26;

		switch (rnd() % 6) {
		case 0:
			if (pin < 24)
				rte(pin, rnd64());
			break;
		case 1:
			if (pin < 24)
				rte(pin, (rnd() & 0x1ffff) | (u64)(rnd() & 1) << 56);
			break;
		case 2:
			ioapic_set_irq(&m.io, pin, rnd() % 70, rnd() & 1, rnd() & 1);
			break;
		case 3:
			eoi(rnd());
			break;
		case 4:
			for (n = 0; n < 300 && take(lapic(0)) >= 0; n++)
				eoi(m.cpu[0].eoi_vector);
			break;
		default:
			m.io.acked = 0;
			m.io.unmasked = 0;
			if (m.io.held)
				while (ioapic_release(&m.io))
					;
		}
		if (pin < 24)
			ok(!(m.io.rte[pin] & RTE_REMOTE_IRR) || (m.io.rte[pin] & RTE_LEVEL),
			   "remote IRR only with level");
	}
	machine_free();
}

static void check_storm(void)
{
	u32 i, sent;

	unit_case("a line that nobody quiets");
	machine_init(1, NULL, true);
	rte(11, 0x3b | RTE_LEVEL);
	line(11, true);
	for (i = 0; i < 3 * IOAPIC_STORM_EOIS && !m.holds; i++) {
		take(lapic(0));
		eoi(0x3b);
	}
	ok(m.holds == 1 && i <= IOAPIC_STORM_EOIS, "held after %u", i);
	sent = m.io_sent;
	line(11, true);
	rte(11, 0x3b | RTE_LEVEL | RTE_MASKED);
	rte(11, 0x3b | RTE_LEVEL);
	ok(m.io_sent == sent, "nothing until the delay is over");
	while (ioapic_release(&m.io))
		;
	ok(m.io_sent == sent + 1, "then once");
	while (ioapic_release(&m.io))
		;
	ok(m.io_sent == sent + 1, "and no more");
	/* A driver that works now and then is no storm. */
	for (i = 0; i < 3 * IOAPIC_STORM_EOIS; i++) {
		take(lapic(0));
		if (i % 5000 == 0)
			line(11, false);
		eoi(0x3b);
		line(11, true);
	}
	ok(m.holds == 1, "%u", m.holds);
	machine_free();
}

static void check_rtc(void)
{
	unit_case("RTC: a tick that was not handled coalesces the next");
	machine_init(2, NULL, true);
	rte(8, 0x38);
	ok(ioapic_set_irq(&m.io, 8, 0, true, true) == 1, "sent");
	ioapic_set_irq(&m.io, 8, 0, false, true);
	ok(ioapic_set_irq(&m.io, 8, 0, true, true) == 0, "in IRR");
	ioapic_set_irq(&m.io, 8, 0, false, true);
	lapic_ack(lapic(0));
	ok(ioapic_set_irq(&m.io, 8, 0, true, true) == 0, "in service");
	ioapic_set_irq(&m.io, 8, 0, false, true);
	lapic_eoi(lapic(0));
	ok(ioapic_set_irq(&m.io, 8, 0, true, true) == 1, "handled");
	ioapic_set_irq(&m.io, 8, 0, false, true);
	lapic_ack(lapic(0));
	ok(ioapic_set_irq(&m.io, 8, 0, true, true) == 0, "in service once more");
	lapic_eoi(lapic(0));
	ok(ioapic_set_irq(&m.io, 8, 0, true, true) == 1, "raised again without having been lowered");
	ioapic_set_irq(&m.io, 8, 0, false, true);
	lapic_ack(lapic(0));
	ok(ioapic_set_irq(&m.io, 8, 0, true, false) == 1, "only those who ask are told");
	machine_free();
}

static void check_state(void)
{
	struct kvm_ioapic_state s, t;
	u32 i, k;

	unit_case("KVM_GET_IRQCHIP and KVM_SET_IRQCHIP");
	machine_init(1, NULL, true);
	rte(9, 0x39 | RTE_LEVEL);
	rte(3, 0x33);
	line(9, true);
	line(3, true);
	ioapic_get_state(&m.io, &s);
	ok(s.irr == 1u << 9 && s.base_address == 0xfec00000, "levels are pending, edges are not");
	ioapic_set_state(&m.io, &s);
	ioapic_get_state(&m.io, &t);
	ok(!memcmp(&s, &t, sizeof(s)), "the same");
	ok(m.io_sent == 2, "remote IRR is set: not sent again");
	s.redirtbl[9].bits &= ~RTE_REMOTE_IRR;
	s.irr |= 1u << 3;
	ioapic_set_state(&m.io, &s);
	ok(m.io_sent == 4, "pending ones are sent");
	for (i = 0; i < 5000; i++) {
		for (k = 0; k < sizeof(s); k++)
			((u8 *)&s)[k] = rnd();
		ioapic_set_state(&m.io, &s);
		ioapic_get_state(&m.io, &t);
		eoi(rnd());
		ioapic_read(&m.io, 0x10);
		ioapic_write(&m.io, 0x10, rnd());
	}
	ok(true, "random states");
	machine_free();
}

static void check_eoi_register(void)
{
	unit_case("EOI register: version 0x20 only");
	machine_init(1, NULL, true);
	rte(7, 0x47 | RTE_LEVEL);
	line(7, true);
	ioapic_write(&m.io, 0x40, 0x47);
	ok(rte_read(7) & RTE_REMOTE_IRR, "version 0x11 has none");
	m.io.version = 0x20;
	ioapic_write(&m.io, 0x40, 0x47);
	ok(!(rte_read(7) & RTE_REMOTE_IRR) && m.io.acked == 1u << 7, "ended");
	machine_free();
}

static void check_edge_vectors(void)
{
	unsigned long map[4] = {};

	unit_case("vectors of edges that somebody waits for");
	machine_init(1, NULL, true);
	rte(2, 0x30);
	rte(3, 0xff);
	rte(4, 0x55 | RTE_LEVEL);
	rte(5, 0x66 | DM_NMI << 8);
	ioapic_edge_vectors(&m.io, 1 << 2 | 1 << 3 | 1 << 4 | 1 << 5, map);
	ok(map[0] == 1ull << 0x30 && map[1] == 0 && map[2] == 0 && map[3] == 1ull << 63, "map");
	machine_free();
}

int main(void)
{
	check_window();
	check_edge();
	check_level();
	check_reconfigure();
	check_storm();
	check_rtc();
	check_state();
	check_eoi_register();
	check_edge_vectors();
	return unit_done();
}
