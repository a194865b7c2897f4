// SPDX-License-Identifier: GPL-2.0-only
/*
 * GSI routing. The table is immutable: whoever raises an interrupt reads it
 * inside vm->irq_srcu, and KVM_SET_GSI_ROUTING publishes another one. VMMs rewrite
 * it whenever a guest masks an MSI-X vector, so that is one allocation and one
 * pass, without waiting for a grace period.
 */
#include <linux/mm.h>
#include <linux/nospec.h>
#include <linux/rculist.h>
#include <linux/slab.h>
#include <linux/srcu.h>
#include <linux/string.h>
#include <linux/uaccess.h>
#include <keel/arch.h>
#include <keel/ioctl.h>
#include <keel/vm.h>
#include <keel/vcpu.h>
#include "virt/compat/compat.h"
#include "virt/trace.h"

/* Inside vm->irq_srcu or under irq_lock, and while the VM dies. */
static struct irq_routing *table_of(struct vm *vm)
{
	return srcu_dereference_check(vm->routing, &vm->irq_srcu, lockdep_is_held(&vm->irq_lock) ||
				      !refcount_read(&vm->users));
}

/* The entries of @gsi, or NULL if there cannot be any. */
static const struct hlist_head *routes_of(const struct irq_routing *table, u32 gsi)
{
	if (!table || gsi >= table->nr_gsis)
		return NULL;
	return &table->map[array_index_nospec(gsi, table->nr_gsis)];
}

int irq_routing_of_gsi(struct vm *vm, u32 gsi, struct irq_route *out)
{
	const struct hlist_head *routes = routes_of(table_of(vm), gsi);
	struct irq_route *route;
	int n = 0;

	if (!routes)
		return 0;
	hlist_for_each_entry(route, routes, link) {
		if (n == KEEL_IRQCHIPS)
			break;
		out[n++] = *route;
	}
	return n;
}

int irq_set(struct vm *vm, int irq_source, u32 gsi, int level, bool line_status)
{
	const struct hlist_head *routes;
	struct irq_route *route;
	int idx, r, sum = -1;

	trace_kvm_set_irq(gsi, level, irq_source);
	idx = srcu_read_lock(&vm->irq_srcu);
	routes = routes_of(table_of(vm), gsi);
	if (routes) {
		hlist_for_each_entry(route, routes, link) {
			r = route->set(vm, route, irq_source, level, line_status);
			if (r >= 0)
				sum = max(sum, 0) + r;
		}
	}
	srcu_read_unlock(&vm->irq_srcu, idx);
	return sum;
}
KEEL_EXPORT(irq_set);

/* The GSI that leads to a pin, or -1. Inside vm->irq_srcu. */
static int gsi_of_pin(struct vm *vm, unsigned int irqchip, unsigned int pin)
{
	const struct irq_routing *table = table_of(vm);

	if (!table || irqchip >= KEEL_IRQCHIPS || pin >= KEEL_IRQCHIP_PINS)
		return -1;
	irqchip = array_index_nospec(irqchip, KEEL_IRQCHIPS);
	return table->chip[irqchip][array_index_nospec(pin, KEEL_IRQCHIP_PINS)];
}

bool irq_has_ack_notifier(struct vm *vm, unsigned int irqchip, unsigned int pin)
{
	struct irq_ack_notifier *an;
	bool found = false;
	int idx, gsi;

	/* Whoever adds the first one has every pin looked at again. */
	if (hlist_empty(&vm->ack_notifiers))
		return false;
	idx = srcu_read_lock(&vm->irq_srcu);
	gsi = gsi_of_pin(vm, irqchip, pin);
	if (gsi >= 0)
		hlist_for_each_entry_srcu(an, &vm->ack_notifiers, link,
					  srcu_read_lock_held(&vm->irq_srcu))
			found |= an->gsi == gsi;
	srcu_read_unlock(&vm->irq_srcu, idx);
	return found;
}

void irq_ack(struct vm *vm, unsigned int irqchip, unsigned int pin)
{
	struct irq_ack_notifier *an;
	int idx, gsi;

	trace_kvm_ack_irq(irqchip, pin);
	idx = srcu_read_lock(&vm->irq_srcu);
	gsi = gsi_of_pin(vm, irqchip, pin);
	if (gsi >= 0)
		hlist_for_each_entry_srcu(an, &vm->ack_notifiers, link,
					  srcu_read_lock_held(&vm->irq_srcu))
			if (an->gsi == gsi)
				an->acked(an);
	srcu_read_unlock(&vm->irq_srcu, idx);
}

void irq_ack_register(struct vm *vm, struct irq_ack_notifier *an)
{
	mutex_lock(&vm->irq_lock);
	hlist_add_head_rcu(&an->link, &vm->ack_notifiers);
	mutex_unlock(&vm->irq_lock);
	/* IOAPIC pins with a notifier need an exit at EOI. */
	arch_irq_ack_notifiers_changed(vm);
}

void irq_ack_unregister(struct vm *vm, struct irq_ack_notifier *an)
{
	mutex_lock(&vm->irq_lock);
	hlist_del_init_rcu(&an->link);
	mutex_unlock(&vm->irq_lock);
	synchronize_srcu_expedited(&vm->irq_srcu);
	arch_irq_ack_notifiers_changed(vm);
}

/* --- KVM_SET_GSI_ROUTING --- */

/* A GSI is one MSI, or inputs of different chips. */
static bool may_share(const struct hlist_head *routes, const struct irq_route *new)
{
	const struct irq_route *route;

	hlist_for_each_entry(route, routes, link) {
		if (route->type != KVM_IRQ_ROUTING_IRQCHIP ||
		    new->type != KVM_IRQ_ROUTING_IRQCHIP ||
		    route->irqchip.irqchip == new->irqchip.irqchip)
			return false;
	}
	return true;
}

static int fill_route(struct irq_route *route, const struct kvm_irq_routing_entry *e)
{
	u32 valid = e->type == KVM_IRQ_ROUTING_MSI ? KVM_MSI_VALID_DEVID : 0;

	if (e->flags & ~valid)
		return -EINVAL;
	route->gsi = e->gsi;
	route->type = e->type;
	switch (e->type) {
	case KVM_IRQ_ROUTING_IRQCHIP:
		if (e->u.irqchip.irqchip >= KEEL_IRQCHIPS || e->u.irqchip.pin >= KEEL_IRQCHIP_PINS)
			return -EINVAL;
		route->irqchip.irqchip = e->u.irqchip.irqchip;
		route->irqchip.pin = e->u.irqchip.pin;
		return 0;
	case KVM_IRQ_ROUTING_MSI:
		route->msi.address_lo = e->u.msi.address_lo;
		route->msi.address_hi = e->u.msi.address_hi;
		route->msi.data = e->u.msi.data;
		route->msi.flags = e->flags;
		route->msi.devid = e->u.msi.devid;
		return 0;
	default:
		return 0;	/* arch_irq_route_init() knows it, or refuses */
	}
}

static int add_route(struct vm *vm, struct irq_routing *table, struct irq_route *route,
		     const struct kvm_irq_routing_entry *e)
{
	int ret = fill_route(route, e);

	if (ret)
		return ret;
	if (!may_share(&table->map[route->gsi], route))
		return -EINVAL;
	ret = arch_irq_route_init(vm, route, e);
	if (ret)
		return ret;
	hlist_add_head(&route->link, &table->map[route->gsi]);
	if (route->type == KVM_IRQ_ROUTING_IRQCHIP)
		table->chip[route->irqchip.irqchip][route->irqchip.pin] = route->gsi;
	return 0;
}

static struct irq_routing *alloc_table(u32 nr_gsis, unsigned int nr)
{
	struct irq_routing *table;
	size_t size = struct_size(table, map, nr_gsis) + nr * sizeof(struct irq_route);

	table = kvzalloc(size, GFP_KERNEL_ACCOUNT);
	if (!table)
		return NULL;
	table->size = size;
	table->nr_gsis = nr_gsis;
	memset(table->chip, 0xff, sizeof(table->chip));
	return table;
}

/* NULL for no entries at all. */
static struct irq_routing *build_table(struct vm *vm, const struct kvm_irq_routing_entry *e,
				       unsigned int nr)
{
	struct irq_routing *table;
	struct irq_route *route;
	u32 nr_gsis = 0;
	unsigned int i;
	int ret;

	for (i = 0; i < nr; i++) {
		if (e[i].gsi >= KEEL_MAX_GSIS)
			return ERR_PTR(-EINVAL);
		nr_gsis = max(nr_gsis, e[i].gsi + 1);
	}
	if (!nr)
		return NULL;
	table = alloc_table(nr_gsis, nr);
	if (!table)
		return ERR_PTR(-ENOMEM);
	route = (struct irq_route *)&table->map[nr_gsis];
	for (i = 0; i < nr; i++) {
		ret = add_route(vm, table, &route[i], &e[i]);
		if (ret) {
			kvfree(table);
			return ERR_PTR(ret);
		}
	}
	return table;
}

int irq_routing_set(struct vm *vm, const struct kvm_irq_routing_entry *e, unsigned int nr)
{
	struct irq_routing *new = build_table(vm, e, nr), *old;

	if (IS_ERR(new))
		return PTR_ERR(new);

	mutex_lock(&vm->irq_lock);
	old = table_of(vm);
	rcu_assign_pointer(vm->routing, new);
	irqfds_routing_update(vm);
	arch_irq_routing_changed(vm);
	mutex_unlock(&vm->irq_lock);

	if (old)
		retire(&vm->old_routing, &old->retired, old->size);
	return 0;
}

void irq_routing_init(struct vm *vm)
{
	mutex_init(&vm->irq_lock);
	INIT_HLIST_HEAD(&vm->ack_notifiers);
}

void irq_routing_destroy(struct vm *vm)
{
	kvfree(table_of(vm));
}

static long set_gsi_routing(struct ioctl_ctx *c)
{
	struct kvm_irq_routing __user *user = c->uarg;
	struct kvm_irq_routing_entry *entries = NULL;
	struct kvm_irq_routing head;
	size_t size;
	long ret;

	if (copy_from_user(&head, user, sizeof(head)))
		return -EFAULT;
	if (!arch_irqchip_in_kernel(c->vm) || head.nr > KEEL_MAX_GSIS || head.flags)
		return -EINVAL;
	if (head.nr) {
		size = array_size(head.nr, sizeof(*entries));
		entries = kvmalloc(size, GFP_KERNEL_ACCOUNT);
		if (!entries)
			return -ENOMEM;
		ret = -EFAULT;
		if (copy_from_user(entries, user->entries, size))
			goto out;
	}
	ret = irq_routing_set(c->vm, entries, head.nr);
out:
	kvfree(entries);
	return ret;
}

static const struct ioctl_row irq_routing_ioctls_rows[] = {
	{ KVM_SET_GSI_ROUTING, IOC_RAW, set_gsi_routing },
};
IOCTL_TABLE(irq_routing_ioctls);
