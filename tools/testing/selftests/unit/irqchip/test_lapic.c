// SPDX-License-Identifier: GPL-2.0-only
/* Local APIC: priorities, EOI, registers, errors, save and restore. */
#include <stdlib.h>
#include "unit.h"
#include "machine.h"

static void check_priorities(void)
{
	struct lapic *a;

	unit_case("priorities: IRR, ISR, TPR, PPR");
	machine_init(1, NULL, true);
	a = lapic(0);
	ok(lapic_pending(a) == -1, "nothing");
	ok(lapic_accept_fixed(a, 0x41, false) == 1, "new");
	ok(lapic_accept_fixed(a, 0x41, false) == 0, "coalesced");
	ok(m.cpu[0].irqs == 1, "one kick, not %u", m.cpu[0].irqs);
	lapic_accept_fixed(a, 0x93, false);
	lapic_accept_fixed(a, 0x95, false);
	ok(lapic_pending(a) == 0x95, "highest first");
	ok(lapic_ack(a) == 0x95, "taken");
	ok(x1_read(a, LAPIC_PPR) == 0x90, "PPR %x", x1_read(a, LAPIC_PPR));
	ok(lapic_pending(a) == -1, "the same class waits");
	lapic_accept_fixed(a, 0xa0, false);
	ok(lapic_ack(a) == 0xa0, "a higher class nests");
	lapic_eoi(a);
	ok(lapic_pending(a) == -1, "back in class 9");
	lapic_eoi(a);
	ok(lapic_pending(a) == 0x93, "next of class 9");
	lapic_set_tpr(a, 0x90);
	ok(lapic_pending(a) == -1, "held by TPR");
	ok(x1_read(a, LAPIC_PPR) == 0x90, "PPR is TPR");
	m.cpu[0].rechecks = 0;
	lapic_set_tpr(a, 0x8f);
	ok(m.cpu[0].rechecks == 1, "a lower TPR asks for a look");
	ok(lapic_ack(a) == 0x93, "now");
	ok(x1_read(a, LAPIC_PPR) == 0x90, "class of the vector, low bits 0");
	lapic_eoi(a);
	ok(x1_read(a, LAPIC_PPR) == 0x8f, "TPR again");
	lapic_set_tpr(a, 0);
	ok(take(a) == 0x41 && take(a) == -1, "last");
	lapic_eoi(a);
	ok(m.cpu[0].eois == 0, "no EOI of edges is reported");
	machine_free();
}

/* All 256 vectors against a straightforward model. */
static void check_priority_model(void)
{
	bool irr[256] = {}, isr[256] = {};
	struct lapic *a;
	int n, i, v, want, busy, tpr = 0;

	unit_case("priorities against a model");
	machine_init(1, NULL, true);
	a = lapic(0);
	for (n = 0; n < 200000; n++) {
		v = rnd() & 255;
		switch (rnd() % 5) {
		case 0:
			if (lapic_accept_fixed(a, v, false) >= 0 && v >= 16)
				irr[v] = true;
			break;
		case 1:
			tpr = rnd() & 255;
			lapic_set_tpr(a, tpr);
			break;
		case 2:
			lapic_eoi(a);
			for (i = 255; i >= 0 && !isr[i]; i--)
				;
			if (i >= 0)
				isr[i] = false;
			break;
		default:
			for (want = 255; want >= 0 && !irr[want]; want--)
				;
			for (busy = 255; busy >= 0 && !isr[busy]; busy--)
				;
			if (want >= 0 && ((want & 0xf0) <= (tpr & 0xf0) ||
					  (busy >= 0 && (want & 0xf0) <= (busy & 0xf0))))
				want = -1;
			i = lapic_ack(a);
			if (!ok(i == want, "got %d want %d", i, want))
				return;
			if (want >= 0) {
				irr[want] = false;
				isr[want] = true;
			}
		}
	}
	machine_free();
}

static void check_eoi_broadcast(void)
{
	struct lapic *a;

	unit_case("EOI of level-triggered vectors, suppression");
	machine_init(1, NULL, true);
	a = lapic(0);
	lapic_accept_fixed(a, 0x50, true);
	ok(take(a) == 0x50 && m.cpu[0].eois == 1 && m.cpu[0].eoi_level, "level: reported");
	lapic_accept_fixed(a, 0x50, false);
	ok(take(a) == 0x50 && m.cpu[0].eois == 1, "the same vector as an edge: not");
	__set_bit(0x51, m.domain.edge_eoi);
	lapic_accept_fixed(a, 0x51, false);
	ok(take(a) == 0x51 && m.cpu[0].eois == 2 && !m.cpu[0].eoi_level, "an edge that is waited for");
	x1_write(a, LAPIC_SVR, 0x11ff);
	ok(x1_read(a, LAPIC_SVR) == 0x1ff, "suppression is not offered");
	a->eoi_suppress_offered = true;
	lapic_set_version(a);
	ok(x1_read(a, LAPIC_VERSION) & VERSION_EOI_SUPPRESS, "offered");
	x1_write(a, LAPIC_SVR, 0x11ff);
	lapic_accept_fixed(a, 0x50, true);
	ok(take(a) == 0x50 && m.cpu[0].eois == 3, "offered, but reported all the same");
	a->eoi_suppress_works = true;
	lapic_accept_fixed(a, 0x50, true);
	ok(take(a) == 0x50 && m.cpu[0].eois == 3, "suppressed");
	machine_free();
}

static void check_disabled(void)
{
	struct lapic *a;

	unit_case("software disable");
	machine_init(1, NULL, false);
	a = lapic(0);
	ok(x1_read(a, LAPIC_SVR) == 0xff, "reset value");
	ok(lapic_accept_fixed(a, 0x40, false) == -1, "refused");
	ok(a->extint_ok, "virtual wire at reset");
	x1_write(a, LAPIC_LVT_TIMER, 0x30);
	ok(x1_read(a, LAPIC_LVT_TIMER) == (0x30 | LVT_MASKED), "LVTs stay masked");
	x1_write(a, LAPIC_SVR, 0x1ff);
	x1_write(a, LAPIC_LVT_TIMER, 0x30);
	ok(x1_read(a, LAPIC_LVT_TIMER) == 0x30, "unmasked");
	lapic_accept_fixed(a, 0x40, false);
	x1_write(a, LAPIC_LVT0, DM_NMI << 8);
	ok(m.lint0_nmis == 1 && !a->extint_ok, "LVT0 as NMI");
	x1_write(a, LAPIC_SVR, 0xff);
	ok(m.lint0_nmis == 0 && (x1_read(a, LAPIC_LVT0) & LVT_MASKED), "masked");
	ok(lapic_pending(a) == 0x40, "what is in IRR stays");
	machine_free();
}

static void check_lvt_delivery(void)
{
	struct lapic *a;
	u32 mode;

	unit_case("LVT delivery modes");
	machine_init(1, NULL, true);
	a = lapic(0);
	for (mode = 0; mode < 8; mode++) {
		struct cpu old = m.cpu[0];
		int ret;

		x1_write(a, LAPIC_LVT1, mode << 8 | 0x60);
		ret = lapic_local_deliver(a, LAPIC_LVT1);
		switch (mode) {
		case DM_FIXED:
			ok(ret == 1 && take(a) == 0x60, "fixed");
			break;
		case DM_SMI:
			ok(ret == 0, "SMI: lost");
			break;
		case DM_NMI:
			ok(m.cpu[0].nmis == old.nmis + 1, "NMI");
			break;
		case DM_INIT:
			ok(m.cpu[0].inits == old.inits + 1, "INIT");
			break;
		case DM_EXTINT:
			ok(m.cpu[0].extints == old.extints + 1, "ExtINT");
			break;
		default:
			ok(ret == -1, "mode %u is not valid", mode);
		}
		x1_write(a, LAPIC_LVT1, mode << 8 | 0x60 | LVT_MASKED);
		ok(lapic_local_deliver(a, LAPIC_LVT1) == -1, "masked");
	}
	machine_free();
}

static void check_errors(void)
{
	struct lapic *a;

	unit_case("ESR");
	machine_init(2, NULL, true);
	a = lapic(0);
	x1_write(a, LAPIC_LVT_ERROR, 0xfe);
	x1_write(a, LAPIC_ICR2, 1 << 24);
	x1_write(a, LAPIC_ICR, 0x0f);
	ok(x1_read(a, LAPIC_ESR) == 0, "not before it is written");
	ok(lapic_pending(a) == 0xfe, "error interrupt");
	x1_write(a, LAPIC_ESR, 0);
	ok(x1_read(a, LAPIC_ESR) == ESR_SEND_VECTOR, "send illegal vector");
	ok(m.cpu[1].irqs == 0, "not sent");
	x1_write(a, LAPIC_ESR, 0);
	ok(x1_read(a, LAPIC_ESR) == 0, "cleared");
	take(a);
	lapic_accept_fixed(a, 3, false);
	x1_write(a, LAPIC_ESR, 0);
	ok(x1_read(a, LAPIC_ESR) == ESR_RECV_VECTOR, "received illegal vector");
	x1_read(a, 0x3f0);
	x1_write(a, LAPIC_ESR, 0);
	ok(x1_read(a, LAPIC_ESR) == ESR_REGISTER, "illegal register");
	/* The error LVT itself with an illegal vector: it ends. */
	x1_write(a, LAPIC_LVT_ERROR, 0x03);
	x1_write(a, LAPIC_ICR, 0x0f);
	x1_write(a, LAPIC_ESR, 0);
	ok(x1_read(a, LAPIC_ESR) == (ESR_SEND_VECTOR | ESR_RECV_VECTOR), "both");
	machine_free();
}

/* Every offset, every width: nothing out of the page, nothing surprising. */
static void check_mmio_sweep(void)
{
	static const u8 widths[] = { 1, 2, 4, 8 };
	u8 buf[8];
	u32 off, w;

	unit_case("MMIO: all offsets and widths");
	machine_init(1, NULL, true);
	for (off = 0; off < 0x1000; off++) {
		for (w = 0; w < 4; w++) {
			memset(buf, 0xa5, sizeof(buf));
			lapic_mmio_read(lapic(0), off, widths[w], buf);
			if (off == LAPIC_VERSION && widths[w] == 4)
				ok(buf[0] == 0x14 && buf[2] == 5, "version");
			if ((off & 15) >= 4 && widths[w] <= 4 && (off & 15) + widths[w] <= 16)
				ok(!buf[0], "hole at %x", off);
			memset(buf, rnd(), sizeof(buf));
			lapic_mmio_write(lapic(0), off, widths[w], buf);
		}
	}
	machine_free();
}

static void check_save_restore(void)
{
	struct kvm_lapic_state s = {}, t = {};
	struct lapic *a, *b;
	int i;

	unit_case("KVM_GET_LAPIC and KVM_SET_LAPIC");
	machine_init(2, NULL, true);
	a = lapic(0);
	b = lapic(1);
	x1_write(a, LAPIC_LDR, 0x04000000);
	x1_write(a, LAPIC_LVT_TIMER, 0x20000 | 0x31);
	x1_write(a, LAPIC_TDCR, 0xb);
	x1_write(a, LAPIC_TMICT, 10000000);
	machine_run(3000000);
	lapic_accept_fixed(a, 0x77, true);
	lapic_accept_fixed(a, 0x99, false);
	lapic_ack(a);
	lapic_get_state(a, &s);
	ok(*(u32 *)(s.regs + LAPIC_TMCCT) == 7000000, "TMCCT %u", *(u32 *)(s.regs + LAPIC_TMCCT));
	machine_run(50000000);
	ok(lapic_set_state(b, &s) == 0, "set");
	lapic_get_state(b, &t);
	ok(!memcmp(&s, &t, sizeof(s)), "what was set is read back");
	ok(lapic_pending(b) == -1 && (lapic_eoi(b), lapic_pending(b)) == 0x77, "IRR and ISR");
	ok(m.cpu[1].timer == m.now + 7000000, "goes on where it was");
	/* Any bytes at all. */
	for (i = 0; i < 2000; i++) {
		u32 k;

		for (k = 0; k < sizeof(s.regs); k++)
			s.regs[k] = rnd();
		lapic_set_state(b, &s);
		machine_run(1000000);
		while (take(b) >= 0)
			;
		lapic_get_state(b, &t);
	}
	ok(true, "random states");
	/* x2APIC: the id cannot be changed. */
	machine_free();
	machine_init(1, (const u32[]){ 0x123 }, true);
	a = lapic(0);
	to_x2apic(a);
	lapic_get_state(a, &s);
	ok(*(u32 *)(s.regs + LAPIC_ID) == 0x123u << 24, "8-bit form");
	m.domain.x2apic_format = true;
	lapic_get_state(a, &s);
	ok(*(u32 *)(s.regs + LAPIC_ID) == 0x123, "32-bit form");
	ok(lapic_set_state(a, &s) == 0, "same id");
	*(u32 *)(s.regs + LAPIC_ID) = 0x124;
	ok(lapic_set_state(a, &s) == -22, "another id");
	*(u32 *)(s.regs + LAPIC_ID) = 0x123;
	*(u32 *)(s.regs + LAPIC_LDR) = 0x666;
	lapic_set_state(a, &s);
	ok(lapic_get(a, LAPIC_LDR) == lapic_x2apic_ldr(0x123), "the logical id follows from the id");
	machine_free();
}

int main(void)
{
	check_priorities();
	check_priority_model();
	check_eoi_broadcast();
	check_disabled();
	check_lvt_delivery();
	check_errors();
	check_mmio_sweep();
	check_save_restore();
	return unit_done();
}
