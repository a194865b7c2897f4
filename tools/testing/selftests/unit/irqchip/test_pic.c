// SPDX-License-Identifier: GPL-2.0-only
/* 8259A pair: initialisation, priorities, EOI forms, special modes, cascade, ELCR, state. */
#include "unit.h"
#include "machine.h"

#define P (&m.pic)

static void setup(u8 icw4)
{
	machine_init(1, NULL, true);
	pic_write(P, 0x20, 0x11);
	pic_write(P, 0x21, 0x30);
	pic_write(P, 0x21, 0x04);
	pic_write(P, 0x21, icw4);
	pic_write(P, 0xa0, 0x11);
	pic_write(P, 0xa1, 0x38);
	pic_write(P, 0xa1, 0x02);
	pic_write(P, 0xa1, icw4);
}

static int irq(u32 pin, bool level)
{
	return pic_set_irq(P, pin, 0, level);
}

static int pulse(u32 pin)
{
	int ret = irq(pin, true);

	irq(pin, false);
	return ret;
}

static u16 acked(void)
{
	u16 v = P->acked;

	P->acked = 0;
	return v;
}

static void check_basics(void)
{
	unit_case("edge, EOI, cascade");
	setup(0x01);
	ok(!P->out, "quiet");
	ok(pulse(3) == 1 && P->out, "request");
	ok(pulse(3) == 0, "coalesced");
	ok(pic_ack(P) == 0x33 && !P->out, "vector");
	ok(pulse(4) == 1 && !P->out, "lower waits");
	ok(pulse(1) == 1 && P->out && pic_ack(P) == 0x31, "higher nests");
	acked();
	pic_write(P, 0x20, 0x20);
	ok(acked() == 1 << 1 && !P->out, "non-specific EOI ends the highest");
	pic_write(P, 0x20, 0x63);
	ok(acked() == 1 << 3 && P->out, "specific EOI");
	ok(pic_ack(P) == 0x34, "the one that waited");
	pic_write(P, 0x20, 0x20);
	ok(pulse(12) == 1 && P->out, "slave");
	ok(pic_ack(P) == 0x3c, "vector of the slave");
	pic_write(P, 0x20, 0x0b);
	pic_write(P, 0xa0, 0x0b);
	ok(pic_read(P, 0x20) == 1 << 2 && pic_read(P, 0xa0) == 1 << 4, "both in service");
	pic_write(P, 0xa0, 0x20);
	pic_write(P, 0x20, 0x20);
	ok(pic_read(P, 0x20) == 0 && pic_read(P, 0xa0) == 0, "both ended");
	ok(pic_ack(P) == 0x37, "spurious");
	ok(pic_read(P, 0x20) == 0, "leaves no trace");
	ok(irq(16, true) == -1 && pic_set_irq(P, 3, 64, true) == -1, "no such pin, no such source");
	machine_free();
}

static void check_masks(void)
{
	unit_case("mask");
	setup(0x01);
	pic_write(P, 0x21, 0xff);
	ok(pulse(0) == -1 && !P->out && pic_masked(P, 0), "masked");
	pic_write(P, 0x20, 0x0a);
	ok(pic_read(P, 0x20) == 1 && pic_read(P, 0x21) == 0xff, "IRR and IMR");
	pic_write(P, 0x21, 0xfe);
	ok(P->out && (P->unmasked & 1), "an edge is remembered");
	ok(pic_ack(P) == 0x30, "taken");
	ok(pic_masked(P, 9), "through the masked cascade");
	pic_write(P, 0x21, 0xfb);
	ok(!pic_masked(P, 9), "not");
	machine_free();
}

static void check_levels(void)
{
	unit_case("ELCR and level");
	setup(0x01);
	pic_write(P, 0x4d0, 0xff);
	pic_write(P, 0x4d1, 0xff);
	ok(pic_read(P, 0x4d0) == 0xf8 && pic_read(P, 0x4d1) == 0xde, "fixed lines stay edges");
	ok(irq(5, true) == 1 && P->out, "up");
	ok(pic_ack(P) == 0x35 && !P->out, "taken");
	pic_write(P, 0x20, 0x20);
	ok(P->out, "still up: again");
	irq(5, false);
	ok(!P->out, "down");
	pic_set_irq(P, 5, 0, true);
	pic_set_irq(P, 5, 1, true);
	pic_set_irq(P, 5, 0, false);
	ok(P->out, "held by the other source");
	pic_set_irq(P, 5, 1, false);
	ok(!P->out, "released");
	machine_free();
}

static void check_special(void)
{
	unit_case("AEOI, rotation, special mask, special fully nested, poll");
	setup(0x03);
	pulse(2 + 4);
	ok(pic_ack(P) == 0x36 && acked() == 1 << 6, "automatic EOI");
	pic_write(P, 0x20, 0x80);
	pulse(3);
	pic_ack(P);
	pulse(3);
	pulse(4);
	ok(pic_ack(P) == 0x34, "rotated: 4 is first now");
	machine_free();

	setup(0x01);
	pic_write(P, 0x20, 0xc0 | 5);
	pulse(0);
	pulse(6);
	ok(pic_ack(P) == 0x36, "set priority: 6 first");
	pic_write(P, 0x20, 0xa0);
	pulse(7);
	ok(pic_ack(P) == 0x37, "rotate on EOI: 7 first");
	machine_free();

	setup(0x01);
	pulse(1);
	pic_ack(P);
	pulse(6);
	ok(!P->out, "6 waits behind 1");
	pic_write(P, 0x21, 0x02);
	pic_write(P, 0x20, 0x68);
	ok(P->out && pic_ack(P) == 0x36, "special mask: 1 is masked, so 6 goes");
	machine_free();

	setup(0x11);
	pulse(12);
	ok(pic_ack(P) == 0x3c, "slave");
	pulse(10);
	ok(P->out && pic_ack(P) == 0x3a, "a higher one of the same slave nests");
	machine_free();

	setup(0x01);
	pulse(4);
	pic_write(P, 0x20, 0x0c);
	ok(pic_read(P, 0x20) == 0x84, "poll takes it");
	ok(!P->out, "in service");
	pic_write(P, 0x20, 0x0c);
	ok(pic_read(P, 0x20) == 0x07, "nothing");
	machine_free();
}

static void check_init_sequences(void)
{
	u32 icw1, step, v;

	unit_case("initialisation sequences cut short, and all ICW1 values");
	for (icw1 = 0x10; icw1 < 0x100; icw1 = (icw1 + 1) | 0x10) {
		for (step = 0; step < 5; step++) {
			setup(0x01);
			pulse(3);
			pic_ack(P);
			pic_write(P, 0x20, icw1);
			ok(P->chip[0].s.isr == 0 && P->chip[0].s.imr == 0, "reset");
			ok(P->acked & 1 << 3, "what was in service is ended");
			for (v = 0; v < step; v++)
				pic_write(P, 0x21, rnd());
			pulse(rnd() & 15);
			pic_ack(P);
			pic_write(P, 0x20, 0x20);
			machine_free();
		}
	}
	setup(0x01);
	pic_write(P, 0x4d0, 0x20);
	irq(3, true);
	irq(5, true);
	pic_write(P, 0x20, 0x11);
	ok(P->chip[0].s.irr == 1 << 5, "the request of a level stays, that of an edge does not");
	ok(P->chip[0].s.last_irr == 0, "the levels that were seen are forgotten");
	ok(irq(3, true) == 1 && P->chip[0].s.irr == (1 << 3 | 1 << 5), "a line that was up rises");
	machine_free();
	setup(0x01);
	pic_write(P, 0x20, 0x10);
	pic_write(P, 0x21, 0x47);
	pic_write(P, 0x21, 0x04);
	pic_write(P, 0x21, 0xaa);
	ok(pic_read(P, 0x21) == 0xaa, "without ICW4 the third is the mask");
	ok(P->chip[0].s.irq_base == 0x40, "low bits of the base are not kept");
	machine_free();
}

static void check_fuzz(void)
{
	static const u16 ports[] = { 0x20, 0x21, 0xa0, 0xa1, 0x4d0, 0x4d1 };
	struct kvm_pic_state s;
	u32 i, k;

	unit_case("random ports, lines, states");
	setup(0x01);
	for (i = 0; i < 500000; i++) {
		switch (rnd() % 6) {
		case 0:
			pic_write(P, ports[rnd() % 6], rnd());
			break;
		case 1:
			pic_read(P, ports[rnd() % 6]);
			break;
		case 2:
			pic_set_irq(P, rnd() % 18, rnd() % 66, rnd() & 1);
			break;
		case 3:
			pic_ack(P);
			break;
		case 4:
			if (rnd() % 16)
				break;
			for (k = 0; k < sizeof(s); k++)
				((u8 *)&s)[k] = rnd();
			pic_set_state(P, rnd() & 1, &s);
			break;
		default:
			pic_get_state(P, rnd() & 1, &s);
			acked();
		}
	}
	ok(true, "done");
	machine_free();
}

int main(void)
{
	check_basics();
	check_masks();
	check_levels();
	check_special();
	check_init_sequences();
	check_fuzz();
	return unit_done();
}
