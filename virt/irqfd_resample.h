/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Resampling irqfds: a level-triggered line that irqfds raise, that the guest's EOI lowers, and
 * whose EOI signals their resample eventfds, so that a device that still wants service raises it
 * again.
 */
#ifndef KEEL_VIRT_IRQFD_RESAMPLE_H
#define KEEL_VIRT_IRQFD_RESAMPLE_H

#include <linux/list.h>
#include <linux/types.h>

struct eventfd_ctx;
struct irqfd_resampler;
struct vm;

/* An irqfd's part in it. */
struct irqfd_resample {
	struct irqfd_resampler	*resampler;
	struct eventfd_ctx	*ctx;		/* signalled at EOI; NULL: the irqfd does not resample */
	struct list_head	link;		/* resampler->members */
};

/* Join the resampler of @gsi. eventfds.mutex held. -EBADF, -EINVAL for @fd, -ENOMEM. */
int irqfd_resample_join(struct vm *vm, struct irqfd_resample *r, u32 gsi, int fd);
/* Leave it; the last one lowers the line. Sleeps. The second form has eventfds.mutex held. */
void irqfd_resample_leave(struct vm *vm, struct irqfd_resample *r);
void __irqfd_resample_leave(struct vm *vm, struct irqfd_resample *r);

#endif
