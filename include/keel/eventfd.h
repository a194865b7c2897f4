/* SPDX-License-Identifier: GPL-2.0-only */
/* irqfd (eventfd raises an interrupt) and ioeventfd (a guest write signals an eventfd). */
#ifndef KEEL_EVENTFD_H
#define KEEL_EVENTFD_H

#include <linux/list.h>
#include <linux/spinlock.h>
#include <linux/mutex.h>

struct vm;

struct vm_eventfds {
	spinlock_t		lock;		/* items; irq-safe */
	struct list_head	items;		/* irqfds */
	struct mutex		resampler_lock;
	struct list_head	resamplers;
	struct list_head	ioeventfds;	/* slots_lock */
};

void eventfds_init(struct vm *vm);
/* Called when the VM fd goes: detaches every irqfd from its eventfd and every ioeventfd from its bus. */
void eventfds_release(struct vm *vm);
/* The routing changed: every irqfd looks up its entry again. irq_lock held. */
void irqfds_routing_update(struct vm *vm);
int irqfd_module_init(void);
void irqfd_module_exit(void);

extern const struct ioctl_table eventfd_ioctls;	/* KVM_IRQFD, KVM_IOEVENTFD */

#endif
