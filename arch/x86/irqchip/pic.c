// SPDX-License-Identifier: GPL-2.0-only
/* 8259A pair. Values from userspace may be any: whatever is used as an index is masked. */
#include "pic.h"

#define CASCADE		2	/* the master's pin that the slave drives */

#define ICW1		BIT(4)
#define ICW1_IC4	BIT(0)
#define ICW1_SINGLE	BIT(1)
#define ICW4_AEOI	BIT(1)
#define ICW4_SFNM	BIT(4)
#define OCW3		BIT(3)
#define OCW3_POLL	BIT(2)
#define OCW3_RR		BIT(1)
#define OCW3_ESMM	BIT(6)

void pic_init(struct pic *pic)
{
	memset(pic, 0, sizeof(*pic));
	/* Lines 0, 1, 2, 8 and 13 are always edge-triggered on a PC. */
	pic->chip[0].s.elcr_mask = 0xf8;
	pic->chip[1].s.elcr_mask = 0xde;
}

/* The most urgent bit of @mask as a rank, 0 the highest; 8 if there is none. */
static unsigned int rank(const struct kvm_pic_state *s, u8 mask)
{
	unsigned int n = s->priority_add & 7;

	if (!mask)
		return 8;
	/* Rotate so that the highest-priority pin becomes bit 0. */
	return __ffs((mask >> n | mask << (8 - n)) & 0xff);
}

/* The pin that the chip asks the CPU for, or -1. */
static int pending_pin(const struct pic *pic, unsigned int chip)
{
	const struct kvm_pic_state *s = &pic->chip[chip].s;
	u8 isr = s->isr;
	unsigned int want, busy;

	want = rank(s, s->irr & ~s->imr);
	if (want == 8)
		return -1;
	if (s->special_mask)
		isr &= ~s->imr;
	/* Special fully nested: the slave may interrupt its own service. */
	if (s->special_fully_nested_mode && chip == 0)
		isr &= ~BIT(CASCADE);
	busy = rank(s, isr);
	return want < busy ? (int)((want + s->priority_add) & 7) : -1;
}

/* Returns what pic_set_irq() says of the request. */
static int set_pin(struct kvm_pic_state *s, unsigned int pin, bool level)
{
	u8 bit = BIT(pin);
	int ret = 1;

	if (s->elcr & bit) {
		if (level) {
			ret = !(s->irr & bit);
			s->irr |= bit;
			s->last_irr |= bit;
		} else {
			s->irr &= ~bit;
			s->last_irr &= ~bit;
		}
	} else if (level) {
		if (!(s->last_irr & bit)) {
			ret = !(s->irr & bit);
			s->irr |= bit;
		}
		s->last_irr |= bit;
	} else {
		s->last_irr &= ~bit;
	}
	return s->imr & bit ? -1 : ret;
}

/* Recompute the slave's line into the master and the master's into the CPU. */
static void update(struct pic *pic)
{
	if (pending_pin(pic, 1) >= 0) {
		/* A new request of the slave is a new edge for the master. */
		set_pin(&pic->chip[0].s, CASCADE, true);
		set_pin(&pic->chip[0].s, CASCADE, false);
	}
	pic->out = pending_pin(pic, 0) >= 0;
}

int pic_set_irq(struct pic *pic, unsigned int pin, unsigned int source, bool level)
{
	int ret;

	if (pin >= PIC_PINS || source >= 64)
		return -1;
	pin = array_index_nospec(pin, PIC_PINS);
	if (level)
		__set_bit(source, &pic->sources[pin]);
	else
		__clear_bit(source, &pic->sources[pin]);
	ret = set_pin(&pic->chip[pin >> 3].s, pin & 7, pic->sources[pin]);
	update(pic);
	return ret;
}

static void end_service(struct pic *pic, unsigned int chip, unsigned int pin)
{
	pic->chip[chip].s.isr &= ~BIT(pin);
	pic->acked |= BIT(chip * 8 + pin);
}

/* First INTA: the pin goes into service. */
static void take(struct pic *pic, unsigned int chip, unsigned int pin)
{
	struct kvm_pic_state *s = &pic->chip[chip].s;

	s->isr |= BIT(pin);
	/* A level-triggered request stays until its line falls. */
	if (!(s->elcr & BIT(pin)))
		s->irr &= ~BIT(pin);
	if (s->auto_eoi) {
		if (s->rotate_on_auto_eoi)
			s->priority_add = (pin + 1) & 7;
		end_service(pic, chip, pin);
	}
}

u8 pic_ack(struct pic *pic)
{
	int pin = pending_pin(pic, 0), pin2;
	u8 vector;

	if (pin < 0) {
		/* The request vanished: the master answers with its pin 7. */
		vector = pic->chip[0].s.irq_base + 7;
	} else if (pin != CASCADE) {
		take(pic, 0, pin);
		vector = pic->chip[0].s.irq_base + pin;
	} else {
		take(pic, 0, pin);
		pin2 = pending_pin(pic, 1);
		if (pin2 >= 0)
			take(pic, 1, pin2);
		else
			pin2 = 7;
		vector = pic->chip[1].s.irq_base + pin2;
	}
	update(pic);
	return vector;
}

/* ---- command words ---- */

static void write_icw1(struct pic *pic, unsigned int chip, u8 val)
{
	struct kvm_pic_state *s = &pic->chip[chip].s;
	u8 edge_irr = s->irr & ~s->elcr;
	unsigned int pin;

	s->init4 = val & ICW1_IC4;
	s->imr = 0;
	s->special_mask = 0;
	s->read_reg_select = 0;
	if (!s->init4) {
		s->special_fully_nested_mode = 0;
		s->auto_eoi = 0;
	}
	s->rotate_on_auto_eoi = 0;
	s->priority_add = 0;
	s->poll = 0;
	s->init_state = 1;
	/* The edge sense circuit is reset: a line that was up is not known to be, and may rise. */
	s->irr &= s->elcr;
	s->last_irr = 0;
	for (pin = 0; pin < 8; pin++) {
		if ((s->isr | edge_irr) & BIT(pin))
			end_service(pic, chip, pin);
	}
	s->isr = 0;
}

static void write_ocw3(struct kvm_pic_state *s, u8 val)
{
	if (val & OCW3_POLL)
		s->poll = 1;
	if (val & OCW3_RR)
		s->read_reg_select = val & 1;
	if (val & OCW3_ESMM)
		s->special_mask = (val >> 5) & 1;
}

/* The pin of highest priority that is in service, or -1. */
static int serviced_pin(const struct kvm_pic_state *s)
{
	u8 isr = s->special_mask ? s->isr & ~s->imr : s->isr;
	unsigned int r = rank(s, isr);

	return r == 8 ? -1 : (int)((r + s->priority_add) & 7);
}

static void write_ocw2(struct pic *pic, unsigned int chip, u8 val)
{
	struct kvm_pic_state *s = &pic->chip[chip].s;
	int pin;

	switch (val >> 5) {
	case 0:		/* rotate on automatic EOI, off and on */
	case 4:
		s->rotate_on_auto_eoi = val >> 7;
		break;
	case 1:		/* end of interrupt, 5: and rotate */
	case 5:
		pin = serviced_pin(s);
		if (pin < 0)
			break;
		end_service(pic, chip, pin);
		if (val >> 5 == 5)
			s->priority_add = (pin + 1) & 7;
		break;
	case 3:		/* of a given pin, 7: and rotate */
	case 7:
		end_service(pic, chip, val & 7);
		if (val >> 5 == 7)
			s->priority_add = (val + 1) & 7;
		break;
	case 6:		/* set priority */
		s->priority_add = (val + 1) & 7;
		break;
	default:
		break;
	}
}

static void write_data(struct pic *pic, unsigned int chip, u8 val)
{
	struct kvm_pic_state *s = &pic->chip[chip].s;

	switch (s->init_state) {
	case 1:
		s->irq_base = val & 0xf8;
		s->init_state = 2;
		break;
	case 2:		/* ICW3: the cascade is wired as in every PC */
		s->init_state = s->init4 ? 3 : 0;
		break;
	case 3:
		s->special_fully_nested_mode = !!(val & ICW4_SFNM);
		s->auto_eoi = !!(val & ICW4_AEOI);
		s->init_state = 0;
		break;
	default:
		pic->unmasked |= (u16)(s->imr & ~val) << (chip * 8);
		s->imr = val;
	}
}

void pic_write(struct pic *pic, u16 port, u8 val)
{
	unsigned int chip = port == 0x4d0 || port == 0x4d1 ? port & 1 : port >> 7 & 1;
	struct kvm_pic_state *s = &pic->chip[chip].s;

	if (port == 0x4d0 || port == 0x4d1)
		s->elcr = val & s->elcr_mask;
	else if (port & 1)
		write_data(pic, chip, val);
	else if (val & ICW1)
		write_icw1(pic, chip, val);
	else if (val & OCW3)
		write_ocw3(s, val);
	else
		write_ocw2(pic, chip, val);
	update(pic);
}

/* The read after a poll command is an INTA: bit 7 says that there was a request. */
static u8 poll_read(struct pic *pic, unsigned int chip)
{
	int pin = pending_pin(pic, chip);

	pic->chip[chip].s.poll = 0;
	if (pin < 0) {
		update(pic);
		return 0x07;
	}
	take(pic, chip, pin);
	if (chip == 1)
		pic->chip[0].s.irr &= ~BIT(CASCADE);
	update(pic);
	return pin | 0x80;
}

u8 pic_read(struct pic *pic, u16 port)
{
	unsigned int chip = port == 0x4d0 || port == 0x4d1 ? port & 1 : port >> 7 & 1;
	const struct kvm_pic_state *s = &pic->chip[chip].s;

	if (port == 0x4d0 || port == 0x4d1)
		return s->elcr;
	if (s->poll)
		return poll_read(pic, chip);
	if (port & 1)
		return s->imr;
	return s->read_reg_select ? s->isr : s->irr;
}

/* ---- state ---- */

void pic_get_state(const struct pic *pic, unsigned int chip, struct kvm_pic_state *s)
{
	*s = pic->chip[chip & 1].s;
}

void pic_set_state(struct pic *pic, unsigned int chip, const struct kvm_pic_state *s)
{
	struct kvm_pic_state *d = &pic->chip[chip & 1].s;

	*d = *s;
	d->priority_add &= 7;
	d->init_state &= 3;
	update(pic);
}

bool pic_masked(const struct pic *pic, unsigned int pin)
{
	u8 imr = pic->chip[0].s.imr;

	pin &= 15;
	if (pin >= 8)
		return (imr & BIT(CASCADE)) || (pic->chip[1].s.imr & BIT(pin & 7));
	return imr & BIT(pin);
}
