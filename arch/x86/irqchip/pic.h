/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Two 8259A interrupt controllers, master and slave, as register logic (Intel
 * 8259A datasheet; ELCR of the PIIX). No lock: the owner holds its own around
 * every call and looks at out and acked afterwards.
 */
#ifndef KEEL_IRQCHIP_PIC_H
#define KEEL_IRQCHIP_PIC_H

#include "port.h"
#include <uapi/keel/kvm.h>

#define PIC_PINS	16

struct pic_chip {
	struct kvm_pic_state s;
};

struct pic {
	struct pic_chip	chip[2];	/* master, slave */
	unsigned long	sources[PIC_PINS]; /* bit n: source n holds the pin up */
	bool		out;		/* the INTR output */
	u16		acked;		/* pins whose service ended since the owner looked */
	u16		unmasked;	/* pins that were unmasked since the owner looked */
};

void pic_init(struct pic *pic);
/* Any @source (0-63) moves @pin. >0 delivered, 0 coalesced, <0 masked. */
int pic_set_irq(struct pic *pic, unsigned int pin, unsigned int source, bool level);
/* The CPU's INTA cycles: the vector; a spurious one if there was no request. */
u8 pic_ack(struct pic *pic);
/* Ports 0x20, 0x21, 0xa0, 0xa1, 0x4d0, 0x4d1. */
u8 pic_read(struct pic *pic, u16 port);
void pic_write(struct pic *pic, u16 port, u8 val);
/* KVM_GET/SET_IRQCHIP; @chip 0 or 1. */
void pic_get_state(const struct pic *pic, unsigned int chip, struct kvm_pic_state *s);
void pic_set_state(struct pic *pic, unsigned int chip, const struct kvm_pic_state *s);
/* Is @pin masked, or its way through the master? */
bool pic_masked(const struct pic *pic, unsigned int pin);

#endif
