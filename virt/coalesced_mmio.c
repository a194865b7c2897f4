// SPDX-License-Identifier: GPL-2.0-only
/*
 * Coalesced MMIO and PIO: a write to a zone whose side effects can wait goes
 * into a ring that userspace empties at its next exit (api.rst 4.116).
 *
 * The ring page is mapped into userspace, which may write anything anywhere
 * at any time: each index is read once, into a variable, and checked.
 */
#include <linux/gfp.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/nospec.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <keel/ioctl.h>
#include <keel/vm.h>
#include <keel/vcpu.h>
#include "virt/compat/compat.h"

struct co_zone {
	struct io_device	dev;
	struct list_head	link;	/* vm->coalesced.zones */
	struct vm		*vm;
	gpa_t			addr;
	u64			size;
	bool			pio;
};

/* The entry to write next, or -1 if the ring is full or its indexes are nonsense. */
static int free_entry(const struct kvm_coalesced_mmio_ring *ring)
{
	u32 first = READ_ONCE(ring->first), last = READ_ONCE(ring->last);

	if (first >= KVM_COALESCED_MMIO_MAX || last >= KVM_COALESCED_MMIO_MAX)
		return -1;
	if ((last + 1) % KVM_COALESCED_MMIO_MAX == first)
		return -1;
	return array_index_nospec(last, KVM_COALESCED_MMIO_MAX);
}

static void put_entry(struct kvm_coalesced_mmio_ring *ring, int i, const struct co_zone *zone,
		      gpa_t addr, int len, const void *val)
{
	struct kvm_coalesced_mmio *e = &ring->coalesced_mmio[i];

	memset(e, 0, sizeof(*e));
	e->phys_addr = addr;
	e->len = len;
	e->pio = zone->pio;
	memcpy(e->data, val, len);
	/* The entry before the index that hands it over; pairs with userspace's reads. */
	smp_store_release(&ring->last, (i + 1) % (u32)KVM_COALESCED_MMIO_MAX);
}

/* A full ring is no error: the write goes to userspace on its own, after what is queued. */
static int zone_write(struct vcpu *vcpu, struct io_device *dev, gpa_t addr, int len,
		      const void *val)
{
	struct co_zone *zone = container_of(dev, struct co_zone, dev);
	struct vm_coalesced *co = &zone->vm->coalesced;
	struct kvm_coalesced_mmio_ring *ring = page_address(co->page);
	int i;

	if (len < 1 || len > sizeof(ring->coalesced_mmio[0].data))
		return -EOPNOTSUPP;
	spin_lock(&co->lock);
	i = free_entry(ring);
	if (i >= 0)
		put_entry(ring, i, zone, addr, len, val);
	spin_unlock(&co->lock);
	return i < 0 ? -EOPNOTSUPP : 0;
}

static void zone_destroy(struct io_device *dev)
{
	struct co_zone *zone = container_of(dev, struct co_zone, dev);

	list_del(&zone->link);
	kfree(zone);
}

static const struct io_device_ops zone_ops = {
	.write		= zone_write,
	.destroy	= zone_destroy,
};

struct page *coalesced_page(struct vm *vm)
{
	struct page *page = READ_ONCE(vm->coalesced.page), *old;

	if (page)
		return page;
	page = alloc_page(GFP_KERNEL_ACCOUNT | __GFP_ZERO);
	if (!page)
		return NULL;
	/* No lock: a fault on the mapping comes here under mmap_lock. */
	old = cmpxchg(&vm->coalesced.page, NULL, page);
	if (!old)
		return page;
	__free_page(page);
	return old;
}

void coalesced_init(struct vm *vm)
{
	spin_lock_init(&vm->coalesced.lock);
	INIT_LIST_HEAD(&vm->coalesced.zones);
}

/* The zones went with their bus. */
void coalesced_destroy(struct vm *vm)
{
	if (vm->coalesced.page)
		__free_page(vm->coalesced.page);
}

static int zone_bus(bool pio)
{
	return pio ? BUS_PIO : BUS_MMIO;
}

static long register_zone(struct ioctl_ctx *c)
{
	const struct kvm_coalesced_mmio_zone *uz = c->data;
	struct vm *vm = c->vm;
	struct co_zone *zone;
	int ret;

	if (uz->pio > 1 || !uz->size)
		return -EINVAL;
	if (!coalesced_page(vm))
		return -ENOMEM;
	zone = kzalloc(sizeof(*zone), GFP_KERNEL_ACCOUNT);
	if (!zone)
		return -ENOMEM;
	zone->dev.ops = &zone_ops;
	zone->vm = vm;
	zone->addr = uz->addr;
	zone->size = uz->size;
	zone->pio = uz->pio;

	mutex_lock(&vm->slots_lock);
	ret = io_bus_register(vm, zone_bus(zone->pio), zone->addr, zone->size, &zone->dev);
	if (!ret)
		list_add_tail(&zone->link, &vm->coalesced.zones);
	mutex_unlock(&vm->slots_lock);
	if (ret)
		kfree(zone);
	return ret;
}

/* Every zone that holds the whole of @uz. */
static bool zone_holds(const struct co_zone *zone, const struct kvm_coalesced_mmio_zone *uz)
{
	return zone->pio == uz->pio && uz->addr >= zone->addr &&
	       uz->addr - zone->addr <= zone->size &&
	       uz->size <= zone->size - (uz->addr - zone->addr);
}

static long unregister_zone(struct ioctl_ctx *c)
{
	const struct kvm_coalesced_mmio_zone *uz = c->data;
	struct co_zone *zone, *next;
	struct vm *vm = c->vm;
	LIST_HEAD(gone);

	if (uz->pio > 1)
		return -EINVAL;
	mutex_lock(&vm->slots_lock);
	list_for_each_entry_safe(zone, next, &vm->coalesced.zones, link) {
		if (!zone_holds(zone, uz))
			continue;
		io_bus_detach(vm, zone_bus(zone->pio), &zone->dev);
		list_move(&zone->link, &gone);
	}
	if (!list_empty(&gone))
		synchronize_srcu_expedited(&vm->srcu);
	list_for_each_entry_safe(zone, next, &gone, link)
		zone_destroy(&zone->dev);
	mutex_unlock(&vm->slots_lock);
	return 0;
}

static const struct ioctl_row coalesced_ioctls_rows[] = {
	{ KVM_REGISTER_COALESCED_MMIO,		0, register_zone },
	{ KVM_UNREGISTER_COALESCED_MMIO,	0, unregister_zone },
};
IOCTL_TABLE(coalesced_ioctls);
