/* SPDX-License-Identifier: GPL-2.0-only */
/* irqfd (eventfd raises an interrupt) and ioeventfd (a guest write signals an eventfd). */
#ifndef KEEL_EVENTFD_H
#define KEEL_EVENTFD_H

#include <linux/list.h>
#include <linux/spinlock.h>
#include <linux/mutex.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

struct vm;

/* Lock order: mutex, then irq_lock, then the eventfd's own wait-queue lock, then lock. */
struct vm_eventfds {
	struct mutex		mutex;		/* assigning and deassigning irqfds, resamplers */
	spinlock_t		lock;		/* items; irq-safe */
	struct list_head	items;		/* lock: irqfds that are live */
	struct list_head	dying;		/* lock: those whose end nobody has taken up yet */
	unsigned int		ending;		/* lock: irqfds that are not live, and not yet gone */
	wait_queue_head_t	ended;		/* woken when that becomes 0 */
	struct work_struct	shutdown;	/* ends the dying */
	struct list_head	resamplers;	/* mutex */
	struct list_head	ioeventfds;	/* slots_lock */
};

void eventfds_init(struct vm *vm);
/*
 * Called when the VM fd goes, whatever other fds live on: detaches every irqfd from its eventfd and
 * waits until none of them does anything any more. The ioeventfds stay on their buses for the vCPUs
 * that may still run, and go with these.
 */
void eventfds_release(struct vm *vm);

/* The routing changed: every irqfd looks up its entry again. irq_lock held. */
void irqfds_routing_update(struct vm *vm);
int irqfd_module_init(void);
void irqfd_module_exit(void);

extern const struct ioctl_table irqfd_ioctls;		/* KVM_IRQFD */
extern const struct ioctl_table ioeventfd_ioctls;	/* KVM_IOEVENTFD */

#endif
