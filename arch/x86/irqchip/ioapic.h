/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The I/O APIC as register logic (Intel 82093AA datasheet; the EOI register of
 * version 0x20). No lock: the owner holds its own around every call, and
 * afterwards looks at acked and unmasked.
 */
#ifndef KEEL_IRQCHIP_IOAPIC_H
#define KEEL_IRQCHIP_IOAPIC_H

#include "port.h"
#include "lapic.h"
#include <uapi/keel/kvm.h>

#define IOAPIC_PINS		KVM_IOAPIC_NUM_PINS
#define IOAPIC_DEFAULT_BASE	0xfec00000ull
#define IOAPIC_MMIO_SIZE	0x100
#define IOAPIC_RTC_PIN		8
/* So many EOIs in a row with the line still up, then the next delivery waits. */
#define IOAPIC_STORM_EOIS	10000

#define RTE_VECTOR(e)		((u8)(e))
#define RTE_MODE(e)		((e) >> 8 & 7)
#define RTE_LOGICAL		BIT_ULL(11)
#define RTE_PENDING		BIT_ULL(12)	/* delivery status, read-only */
#define RTE_REMOTE_IRR		BIT_ULL(14)	/* read-only */
#define RTE_LEVEL		BIT_ULL(15)
#define RTE_MASKED		BIT_ULL(16)
#define RTE_DEST(e)		((u32)((e) >> 56))

struct ioapic {
	u64		base;
	u32		regsel;
	u32		id;
	u8		version;		/* 0x11, or 0x20: with EOI register */
	u32		line;			/* pins that are up */
	u32		held;			/* pins that wait for ioapic_release() */
	u32		acked;			/* pins that got an EOI since the owner looked */
	u32		unmasked;		/* pins that were unmasked since the owner looked */
	bool		changed;		/* an entry changed since the owner looked */
	u64		rte[IOAPIC_PINS];
	unsigned long	sources[IOAPIC_PINS];	/* bit n: source n holds the pin up */
	u16		streak[IOAPIC_PINS];	/* EOIs in a row with the line up */
};

/* ---- provided by the surroundings, called under the owner's lock ---- */
/* As lapic_deliver(). */
int ioapic_out_deliver(struct ioapic *io, const struct apic_msg *m);
/* Does a destination still have the vector requested or in service? */
bool ioapic_in_use(struct ioapic *io, const struct apic_msg *m);
/* Call ioapic_release(), until none is held, in about 10 ms. */
void ioapic_out_hold(struct ioapic *io);

void ioapic_init(struct ioapic *io);
/*
 * Any @source (0-63) moves @pin. >0 delivered, 0 coalesced, <0 masked or nobody there.
 * @status: the caller wants to know whether the guest has seen the last RTC interrupt.
 */
int ioapic_set_irq(struct ioapic *io, unsigned int pin, unsigned int source, bool level,
		   bool status);
u32 ioapic_read(struct ioapic *io, u32 offset);
void ioapic_write(struct ioapic *io, u32 offset, u32 val);
/* An APIC broadcast the end of @vector: fills acked. Then, after the notifiers of these: */
void ioapic_eoi(struct ioapic *io, u8 vector);
void ioapic_redeliver(struct ioapic *io, u32 pins);
/* One of the held pins goes on; true while there are more. */
bool ioapic_release(struct ioapic *io);
void ioapic_get_state(const struct ioapic *io, struct kvm_ioapic_state *s);
void ioapic_set_state(struct ioapic *io, const struct kvm_ioapic_state *s);
/* Set the vectors of edge-triggered entries of @pins in a 256-bit map. */
void ioapic_edge_vectors(const struct ioapic *io, u32 pins, unsigned long *map);
void ioapic_msg(u64 rte, struct apic_msg *m);

#endif
