// SPDX-License-Identifier: GPL-2.0-only
/* Level-triggered irqfds that share a GSI: one ack notifier for all of them. */
#include <linux/eventfd.h>
#include <linux/rculist.h>
#include <linux/slab.h>
#include <linux/srcu.h>
#include <keel/eventfd.h>
#include <keel/irq_routing.h>
#include <keel/vm.h>
#include "virt/compat/compat.h"
#include "virt/irqfd_resample.h"

struct irqfd_resampler {
	struct vm		*vm;
	struct list_head	link;		/* eventfds.resamplers, eventfds.mutex */
	struct list_head	members;	/* eventfds.mutex for writers, vm->irq_srcu for readers */
	struct irq_ack_notifier	notifier;
};

/* The guest's EOI, inside vm->irq_srcu: lower the line, then let the devices have another look. */
static void resampler_acked(struct irq_ack_notifier *an)
{
	struct irqfd_resampler *res = container_of(an, struct irqfd_resampler, notifier);
	struct irqfd_resample *r;

	irq_set(res->vm, KEEL_RESAMPLER_IRQ_SOURCE, an->gsi, 0, false);
	list_for_each_entry_srcu(r, &res->members, link, srcu_read_lock_held(&res->vm->irq_srcu))
		eventfd_signal(r->ctx);
}

static struct irqfd_resampler *resampler_find(struct vm *vm, u32 gsi)
{
	struct irqfd_resampler *res;

	list_for_each_entry(res, &vm->eventfds.resamplers, link)
		if (res->notifier.gsi == gsi)
			return res;
	return NULL;
}

static struct irqfd_resampler *resampler_new(struct vm *vm, u32 gsi)
{
	struct irqfd_resampler *res = kzalloc(sizeof(*res), GFP_KERNEL_ACCOUNT);

	if (!res)
		return NULL;
	res->vm = vm;
	INIT_LIST_HEAD(&res->members);
	res->notifier.gsi = gsi;
	res->notifier.acked = resampler_acked;
	list_add(&res->link, &vm->eventfds.resamplers);
	irq_ack_register(vm, &res->notifier);
	return res;
}

int irqfd_resample_join(struct vm *vm, struct irqfd_resample *r, u32 gsi, int fd)
{
	struct eventfd_ctx *ctx = eventfd_ctx_fdget(fd);
	struct irqfd_resampler *res;

	if (IS_ERR(ctx))
		return PTR_ERR(ctx);
	res = resampler_find(vm, gsi) ?: resampler_new(vm, gsi);
	if (!res) {
		eventfd_ctx_put(ctx);
		return -ENOMEM;
	}
	r->resampler = res;
	r->ctx = ctx;
	list_add_rcu(&r->link, &res->members);
	return 0;
}

void __irqfd_resample_leave(struct vm *vm, struct irqfd_resample *r)
{
	struct irqfd_resampler *res = r->resampler;

	list_del_rcu(&r->link);
	if (list_empty(&res->members)) {
		list_del(&res->link);
		/* Waits for SRCU: nobody looks at the members any more either. */
		irq_ack_unregister(vm, &res->notifier);
		irq_set(vm, KEEL_RESAMPLER_IRQ_SOURCE, res->notifier.gsi, 0, false);
		kfree(res);
	} else {
		synchronize_srcu_expedited(&vm->irq_srcu);
	}
	eventfd_ctx_put(r->ctx);
	r->ctx = NULL;
}

void irqfd_resample_leave(struct vm *vm, struct irqfd_resample *r)
{
	mutex_lock(&vm->eventfds.mutex);
	__irqfd_resample_leave(vm, r);
	mutex_unlock(&vm->eventfds.mutex);
}
