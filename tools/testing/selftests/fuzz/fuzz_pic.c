// SPDX-License-Identifier: GPL-2.0-only
/*
 * The pair of 8259A: ports, pins and states in any order. Which pin is due is computed a second
 * time, pin by pin in the order of priority, as the datasheet tells it.
 */
#include "unit/irqchip/machine.h"
#include "input.h"

static int due(const struct pic *pic, int chip)
{
	const struct kvm_pic_state *s = &pic->chip[chip].s;
	int i;

	for (i = 0; i < 8; i++) {
		int pin = (i + s->priority_add) % 8;
		bool served = s->isr >> pin & 1;

		/* What is in service blocks itself and what is below, unless it is set aside. */
		if (s->special_mask && s->imr >> pin & 1)
			served = false;
		if (s->special_fully_nested_mode && !chip && pin == 2)
			served = false;
		if (served)
			return -1;
		if (s->irr >> pin & 1 && !(s->imr >> pin & 1))
			return pin;
	}
	return -1;
}

static void check(const struct pic *pic)
{
	int chip;

	must(pic->out == (due(pic, 0) >= 0));
	for (chip = 0; chip < 2; chip++) {
		const struct kvm_pic_state *s = &pic->chip[chip].s;

		must(s->priority_add < 8 && s->init_state < 4);
	}
}

static void acknowledge(struct pic *pic)
{
	const struct kvm_pic_state *a = &pic->chip[0].s, *b = &pic->chip[1].s;
	int pin = due(pic, 0), pin2 = due(pic, 1);
	u8 isr = a->isr, base = a->irq_base, base2 = b->irq_base;
	u8 vector = pic_ack(pic);

	if (pin < 0) {
		must(vector == (u8)(base + 7) && a->isr == isr);
		return;
	}
	must(vector == (u8)(pin != 2 ? base + pin : base2 + (pin2 < 0 ? 7 : pin2)));
	if (!a->auto_eoi)
		must(a->isr == (isr | 1 << pin));
}

static void read_port(struct pic *pic, u16 port)
{
	int chip = port == 0x4d0 || port == 0x4d1 ? port & 1 : port >> 7 & 1;
	struct kvm_pic_state s = pic->chip[chip].s;
	int pin = due(pic, chip);
	u8 val = pic_read(pic, port);

	if (port >= 0x4d0)
		must(val == s.elcr);
	else if (s.poll)
		must(val == (pin < 0 ? 7 : pin | 0x80) && !pic->chip[chip].s.poll);
	else
		must(val == (port & 1 ? s.imr : s.read_reg_select ? s.isr : s.irr));
}

static void state(struct pic *pic, struct input *in, u8 op)
{
	struct kvm_pic_state s, t;
	u32 i;

	pic_get_state(pic, op & 1, &s);
	for (i = 0; i < (op >> 1 & 7); i++)
		((u8 *)&s)[get(in, 1) % sizeof(s)] = get(in, 1);
	pic_set_state(pic, op & 1, &s);
	pic_get_state(pic, op & 1, &t);
	must(t.imr == s.imr && t.isr == s.isr && t.irq_base == s.irq_base);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const u16 ports[] = { 0x20, 0x21, 0xa0, 0xa1, 0x20, 0x21, 0x4d0, 0x4d1 };
	struct input in = { data, data + size };
	struct pic pic;
	int ret;
	u8 op, n;

	pic_init(&pic);
	while (more(&in)) {
		op = get(&in, 1);
		n = get(&in, 1);
		switch (op >> 5) {
		case 0 ... 2:
			pic_write(&pic, ports[op & 7], n);
			break;
		case 3:
			read_port(&pic, ports[op & 7]);
			break;
		case 4:
		case 5:
			ret = pic_set_irq(&pic, n & 0x1f, n >> 5, op & 1);
			must(ret >= -1 && ret <= 1 && ((n & 0x1f) < 16 || ret == -1));
			break;
		case 6:
			acknowledge(&pic);
			break;
		default:
			state(&pic, &in, op);
			pic_masked(&pic, n);
		}
		check(&pic);
	}
	return 0;
}
