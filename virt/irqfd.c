// SPDX-License-Identifier: GPL-2.0-only
/*
 * irqfd: a signal on an eventfd raises an interrupt in the guest (api.rst 4.75).
 *
 * The life of an irqfd. KVM_IRQFD makes it, puts it on vm->eventfds.items and
 * hooks it into the eventfd's wait queue. It ends by deassigning, by the close
 * of the eventfd (EPOLLHUP, under the wait queue's lock) or with the VM fd:
 * that moves it to vm->eventfds.dying, under the list's lock. The VM's work, or
 * whoever waits for the end, unhooks it, waits for what it has under way, and frees it.
 */
#include <linux/eventfd.h>
#include <linux/file.h>
#include <linux/list.h>
#include <linux/poll.h>
#include <linux/seqlock.h>
#include <linux/slab.h>
#include <linux/wait.h>
#include <linux/workqueue.h>
#include <keel/arch.h>
#include <keel/eventfd.h>
#include <keel/ioctl.h>
#include <keel/vm.h>
#include <keel/vcpu.h>
#include "virt/compat/compat.h"
#include "virt/irqfd_resample.h"

struct irqfd {
	struct vm		*vm;		/* outlives the irqfd: release waits for its end */
	struct list_head	link;		/* eventfds.lock */
	bool			ending;		/* eventfds.lock: link is in, or was in, `dying` */
	struct eventfd_ctx	*ctx;		/* reference held */
	u32			gsi;
	struct irq_route	route;		/* sc; set is NULL unless the GSI has one entry */
	seqcount_spinlock_t	sc;		/* written under eventfds.lock */
	struct irqfd_resample	resample;	/* used if ctx is not NULL */
	wait_queue_entry_t	wait;
	poll_table		pt;
	struct work_struct	inject;
};

/* Two queues: a shutdown waits for its injection, so they must not compete for the same workers. */
static struct workqueue_struct *inject_wq, *shutdown_wq;

/* --- delivery --- */

static void inject_work(struct work_struct *work)
{
	struct irqfd *irqfd = container_of(work, struct irqfd, inject);

	if (irqfd->resample.ctx) {
		/* Stays up until the guest's EOI. */
		irq_set(irqfd->vm, KEEL_RESAMPLER_IRQ_SOURCE, irqfd->gsi, 1, false);
		return;
	}
	irq_set(irqfd->vm, KEEL_USERSPACE_IRQ_SOURCE, irqfd->gsi, 1, false);
	irq_set(irqfd->vm, KEEL_USERSPACE_IRQ_SOURCE, irqfd->gsi, 0, false);
}

static void read_route(struct irqfd *irqfd, struct irq_route *route)
{
	unsigned int seq;

	do {
		seq = read_seqcount_begin(&irqfd->sc);
		*route = irqfd->route;
	} while (read_seqcount_retry(&irqfd->sc, seq));
}

/* Interrupts off. False if it takes a context that may run for longer. */
static bool inject_atomic(struct irqfd *irqfd)
{
	struct irq_route route;

	if (irqfd->resample.ctx)
		return false;
	read_route(irqfd, &route);
	if (!route.set)
		return false;
	if (arch_irq_set_atomic(irqfd->vm, &route, KEEL_USERSPACE_IRQ_SOURCE, 1) == -EWOULDBLOCK)
		return false;
	/* An MSI has no level to take back. */
	return route.type == KVM_IRQ_ROUTING_MSI ||
	       arch_irq_set_atomic(irqfd->vm, &route, KEEL_USERSPACE_IRQ_SOURCE, 0) != -EWOULDBLOCK;
}

/* eventfds.lock held. Does nothing if somebody else was first. */
static void begin_shutdown(struct irqfd *irqfd)
{
	struct vm_eventfds *efds = &irqfd->vm->eventfds;

	if (irqfd->ending)
		return;
	irqfd->ending = true;
	list_move_tail(&irqfd->link, &efds->dying);
	efds->ending++;
	queue_work(shutdown_wq, &efds->shutdown);
}

static void irqfd_free(struct irqfd *irqfd)
{
	eventfd_ctx_put(irqfd->ctx);
	kfree(irqfd);
}

static void irqfd_end(struct irqfd *irqfd)
{
	u64 count;

	/* No wake-up runs after this one, so no new injection is queued. */
	eventfd_ctx_remove_wait_queue(irqfd->ctx, &irqfd->wait, &count);
	flush_work(&irqfd->inject);
	if (irqfd->resample.ctx)
		irqfd_resample_leave(irqfd->vm, &irqfd->resample);
	irqfd_free(irqfd);
}

static void end_irqfds(struct vm_eventfds *efds)
{
	struct irqfd *irqfd;

	spin_lock_irq(&efds->lock);
	while ((irqfd = list_first_entry_or_null(&efds->dying, struct irqfd, link))) {
		list_del(&irqfd->link);
		spin_unlock_irq(&efds->lock);
		irqfd_end(irqfd);
		spin_lock_irq(&efds->lock);
		if (!--efds->ending)
			wake_up_all(&efds->ended);
	}
	spin_unlock_irq(&efds->lock);
}

static void shutdown_work(struct work_struct *work)
{
	end_irqfds(container_of(work, struct vm_eventfds, shutdown));
}

/*
 * Until none of the VM's irqfds is on its way out. By own hand, not through the queue: others' there may wait for a
 * guest that waits for its memory, which whoever backs it may hold back for ever.
 */
static void wait_for_shutdown(struct vm_eventfds *efds)
{
	end_irqfds(efds);
	spin_lock_irq(&efds->lock);
	wait_event_lock_irq(efds->ended, !efds->ending, efds->lock);
	spin_unlock_irq(&efds->lock);
}

/* Under the eventfd's lock with interrupts off. 1 when the signal was consumed. */
static int irqfd_wakeup(wait_queue_entry_t *wait, unsigned int mode, int sync, void *key)
{
	struct irqfd *irqfd = container_of(wait, struct irqfd, wait);
	struct vm_eventfds *efds = &irqfd->vm->eventfds;
	__poll_t events = key_to_poll(key);
	unsigned long flags;
	int ret = 0;
	u64 count;

	if (events & EPOLLIN) {
		eventfd_ctx_do_read(irqfd->ctx, &count);
		/* Another irqfd on the same eventfd may have been first. */
		if (count && !inject_atomic(irqfd))
			queue_work(inject_wq, &irqfd->inject);
		ret = 1;
	}
	if (events & EPOLLHUP) {
		spin_lock_irqsave(&efds->lock, flags);
		begin_shutdown(irqfd);
		spin_unlock_irqrestore(&efds->lock, flags);
	}
	return ret;
}

static void irqfd_poll_queue(struct file *file, wait_queue_head_t *wqh, poll_table *pt)
{
	struct irqfd *irqfd = container_of(pt, struct irqfd, pt);

	/* Before all others: it consumes the signal, and nobody else has to wake up (from 6.17 on that is asked for). */
	irqfd->wait.flags |= WQ_FLAG_EXCLUSIVE;
	add_wait_queue_priority(wqh, &irqfd->wait);
}

/* --- routing --- */

/* irq_lock and eventfds.lock held. */
static void update_route(struct irqfd *irqfd)
{
	struct irq_route routes[KEEL_IRQCHIPS];
	int n = irq_routing_of_gsi(irqfd->vm, irqfd->gsi, routes);

	write_seqcount_begin(&irqfd->sc);
	if (n == 1)
		irqfd->route = routes[0];
	else
		irqfd->route.set = NULL;
	write_seqcount_end(&irqfd->sc);
}

void irqfds_routing_update(struct vm *vm)
{
	struct irqfd *irqfd;

	spin_lock_irq(&vm->eventfds.lock);
	list_for_each_entry(irqfd, &vm->eventfds.items, link)
		update_route(irqfd);
	spin_unlock_irq(&vm->eventfds.lock);
}

/* --- the end --- */

void eventfds_release(struct vm *vm)
{
	struct irqfd *irqfd, *next;

	mutex_lock(&vm->eventfds.mutex);
	spin_lock_irq(&vm->eventfds.lock);
	list_for_each_entry_safe(irqfd, next, &vm->eventfds.items, link)
		begin_shutdown(irqfd);
	spin_unlock_irq(&vm->eventfds.lock);
	mutex_unlock(&vm->eventfds.mutex);
	/* Those whose eventfd was closed are among them. */
	wait_for_shutdown(&vm->eventfds);
	/* It may have found nothing left to do, and be about to let the lock go. */
	cancel_work_sync(&vm->eventfds.shutdown);
}

/* --- KVM_IRQFD --- */

static int irqfd_publish(struct vm *vm, struct irqfd *irqfd)
{
	struct irqfd *other;
	int ret = 0;

	/* The routing stands still until the irqfd is where a change of it finds it. */
	mutex_lock(&vm->irq_lock);
	spin_lock_irq(&vm->eventfds.lock);
	list_for_each_entry(other, &vm->eventfds.items, link)
		if (other->ctx == irqfd->ctx)
			ret = -EBUSY;
	if (!ret) {
		update_route(irqfd);
		list_add_tail(&irqfd->link, &vm->eventfds.items);
	}
	spin_unlock_irq(&vm->eventfds.lock);
	mutex_unlock(&vm->irq_lock);
	return ret;
}

static struct irqfd *irqfd_alloc(struct vm *vm, u32 gsi)
{
	struct irqfd *irqfd = kzalloc(sizeof(*irqfd), GFP_KERNEL_ACCOUNT);

	if (!irqfd)
		return NULL;
	irqfd->vm = vm;
	irqfd->gsi = gsi;
	INIT_LIST_HEAD(&irqfd->link);
	INIT_WORK(&irqfd->inject, inject_work);
	seqcount_spinlock_init(&irqfd->sc, &vm->eventfds.lock);
	init_waitqueue_func_entry(&irqfd->wait, irqfd_wakeup);
	init_poll_funcptr(&irqfd->pt, irqfd_poll_queue);
	return irqfd;
}

/*
 * eventfds.mutex held, so that nobody deassigns it half-made; @file is held, so
 * that the eventfd is not closed meanwhile. After both are let go it may end at
 * any time.
 */
static int irqfd_hook(struct vm *vm, struct irqfd *irqfd, struct file *file)
{
	int ret = irqfd_publish(vm, irqfd);

	if (ret)
		return ret;
	/* Hooks it in. Signalled already: that signal's wake-up is over, so it is ours to deliver. */
	if (vfs_poll(file, &irqfd->pt) & EPOLLIN)
		queue_work(inject_wq, &irqfd->inject);
	return 0;
}

static int irqfd_assign_file(struct vm *vm, const struct kvm_irqfd *args, struct file *file)
{
	struct irqfd *irqfd = irqfd_alloc(vm, args->gsi);
	int ret;

	if (!irqfd)
		return -ENOMEM;
	irqfd->ctx = eventfd_ctx_fileget(file);
	if (IS_ERR(irqfd->ctx)) {
		ret = PTR_ERR(irqfd->ctx);
		kfree(irqfd);
		return ret;
	}
	mutex_lock(&vm->eventfds.mutex);
	if (args->flags & KVM_IRQFD_FLAG_RESAMPLE) {
		ret = irqfd_resample_join(vm, &irqfd->resample, args->gsi, args->resamplefd);
		if (ret)
			goto err_free;
	}
	ret = irqfd_hook(vm, irqfd, file);
	if (ret)
		goto err_resample;
	mutex_unlock(&vm->eventfds.mutex);
	return 0;

err_resample:
	if (irqfd->resample.ctx)
		__irqfd_resample_leave(vm, &irqfd->resample);
err_free:
	mutex_unlock(&vm->eventfds.mutex);
	irqfd_free(irqfd);
	return ret;
}

static int irqfd_assign(struct vm *vm, const struct kvm_irqfd *args)
{
	bool resample = args->flags & KVM_IRQFD_FLAG_RESAMPLE;
	struct file *file;
	int ret;

	/* EOIs of level interrupts are seen here only if the IOAPIC is here. */
	if (resample ? !arch_irqchip_full(vm) : !arch_irqchip_in_kernel(vm))
		return -EINVAL;
	file = fget(args->fd);
	if (!file)
		return -EBADF;
	ret = irqfd_assign_file(vm, args, file);
	fput(file);
	return ret;
}

/* No such pair is no error. */
static int irqfd_deassign(struct vm *vm, const struct kvm_irqfd *args)
{
	struct eventfd_ctx *ctx = eventfd_ctx_fdget(args->fd);
	struct irqfd *irqfd, *next;

	if (IS_ERR(ctx))
		return PTR_ERR(ctx);
	mutex_lock(&vm->eventfds.mutex);
	spin_lock_irq(&vm->eventfds.lock);
	list_for_each_entry_safe(irqfd, next, &vm->eventfds.items, link)
		if (irqfd->ctx == ctx && irqfd->gsi == args->gsi)
			begin_shutdown(irqfd);
	spin_unlock_irq(&vm->eventfds.lock);
	mutex_unlock(&vm->eventfds.mutex);
	eventfd_ctx_put(ctx);
	/* No interrupt comes from it after the ioctl returned. */
	wait_for_shutdown(&vm->eventfds);
	return 0;
}

static long kvm_irqfd(struct ioctl_ctx *c)
{
	const struct kvm_irqfd *args = c->data;

	if (args->flags & ~(KVM_IRQFD_FLAG_DEASSIGN | KVM_IRQFD_FLAG_RESAMPLE))
		return -EINVAL;
	if (args->flags & KVM_IRQFD_FLAG_DEASSIGN)
		return irqfd_deassign(c->vm, args);
	return irqfd_assign(c->vm, args);
}

static const struct ioctl_row irqfd_ioctls_rows[] = {
	{ KVM_IRQFD, 0, kvm_irqfd },
};
IOCTL_TABLE(irqfd_ioctls);

void eventfds_init(struct vm *vm)
{
	struct vm_eventfds *efds = &vm->eventfds;

	mutex_init(&efds->mutex);
	spin_lock_init(&efds->lock);
	init_waitqueue_head(&efds->ended);
	INIT_LIST_HEAD(&efds->items);
	INIT_LIST_HEAD(&efds->dying);
	INIT_WORK(&efds->shutdown, shutdown_work);
	INIT_LIST_HEAD(&efds->resamplers);
	INIT_LIST_HEAD(&efds->ioeventfds);
}

int irqfd_module_init(void)
{
	inject_wq = alloc_workqueue("kvm-irqfd-inject", WQ_HIGHPRI | WQ_PERCPU, 0);
	shutdown_wq = alloc_workqueue("kvm-irqfd-shutdown", WQ_UNBOUND, 0);
	if (inject_wq && shutdown_wq)
		return 0;
	irqfd_module_exit();
	return -ENOMEM;
}

void irqfd_module_exit(void)
{
	if (shutdown_wq)
		destroy_workqueue(shutdown_wq);
	if (inject_wq)
		destroy_workqueue(inject_wq);
}
