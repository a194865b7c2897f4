/* SPDX-License-Identifier: GPL-2.0-only */
/* GSI routing: which interrupt controller inputs or MSI a GSI stands for. */
#ifndef KEEL_IRQ_ROUTING_H
#define KEEL_IRQ_ROUTING_H

#include <linux/list.h>
#include <keel/retired.h>
#include <keel/types.h>
#include <uapi/keel/kvm.h>

struct vm;

#define KEEL_MAX_GSIS			4096
#define KEEL_IRQCHIPS			3	/* PIC master, PIC slave, IOAPIC */
#define KEEL_IRQCHIP_PINS		24
#define KEEL_USERSPACE_IRQ_SOURCE	0
#define KEEL_RESAMPLER_IRQ_SOURCE	1
#define KEEL_PIT_IRQ_SOURCE		2

struct msi_msg_raw {
	u32	address_lo, address_hi, data, flags, devid;
};

struct irq_route;
/*
 * Deliver @level of @route. >0 delivered to that many, 0 coalesced, <0 masked
 * or ignored. May be called with interrupts off.
 */
typedef int (*irq_set_fn)(struct vm *vm, const struct irq_route *route, int irq_source,
			  int level, bool line_status);

struct irq_route {
	u32		gsi;
	u32		type;		/* KVM_IRQ_ROUTING_* */
	irq_set_fn	set;		/* chosen by arch_irq_route_init() */
	union {
		struct { u32 irqchip, pin; } irqchip;
		struct msi_msg_raw msi;
	};
	struct hlist_node link;		/* all entries of one gsi */
};

/*
 * One immutable table; a change publishes a new one and frees the old after a grace period. No
 * table at all is an empty one.
 */
struct irq_routing {
	struct retired		retired;
	size_t			size;		/* of all of it, in bytes */
	int			chip[KEEL_IRQCHIPS][KEEL_IRQCHIP_PINS];	/* gsi of a pin, or -1 */
	u32			nr_gsis;
	struct hlist_head	map[];		/* by gsi; the entries lie behind it */
};

void irq_routing_init(struct vm *vm);
void irq_routing_destroy(struct vm *vm);
/*
 * irq_routing_set - replace the whole table; entries already copied from userspace. Takes
 * irq_lock; may sleep, not inside an SRCU reader. -EINVAL (nothing has changed), -ENOMEM.
 */
int irq_routing_set(struct vm *vm, const struct kvm_irq_routing_entry *e, unsigned int nr);
/* Copies up to KEEL_IRQCHIPS entries of @gsi out; number copied. Inside vm->irq_srcu, or irq_lock held. */
int irq_routing_of_gsi(struct vm *vm, u32 gsi, struct irq_route *out);

/*
 * irq_set - raise or lower @gsi from @irq_source; sum of the entries' answers as irq_set_fn, -1 for
 * a GSI that leads nowhere. Takes SRCU. Any context but NMI.
 */
int irq_set(struct vm *vm, int irq_source, u32 gsi, int level, bool line_status);

/*
 * The guest acknowledged (EOI) a pin: tell irqfd resamplers and the PIT. Inside SRCU, atomic
 * context allowed. An acked() may call irq_set() for its gsi: whoever calls irq_ack() holds no lock
 * that a set function takes.
 */
struct irq_ack_notifier {
	struct hlist_node	link;
	u32			gsi;
	void			(*acked)(struct irq_ack_notifier *an);
};
/* Both take irq_lock. After unregister has returned acked() does not run any more (it waits for SRCU). */
void irq_ack_register(struct vm *vm, struct irq_ack_notifier *an);
void irq_ack_unregister(struct vm *vm, struct irq_ack_notifier *an);
void irq_ack(struct vm *vm, unsigned int irqchip, unsigned int pin);
bool irq_has_ack_notifier(struct vm *vm, unsigned int irqchip, unsigned int pin);

extern const struct ioctl_table irq_routing_ioctls;	/* SET_GSI_ROUTING */

#endif
