// SPDX-License-Identifier: GPL-2.0-only
/*
 * The buses: sorted arrays that readers search inside vm->srcu. A new device
 * publishes a new array; a device that goes is only blanked out in the array,
 * which needs no memory and so cannot fail.
 */
#include <linux/mm.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/srcu.h>
#include <keel/io_bus.h>
#include <keel/vm.h>
#include <keel/vcpu.h>
#include "virt/compat/compat.h"

#define MAX_DEVICES	1000
#define MAX_IOEVENTFDS	32768

/* A place on a bus fits into vcpu->bus_hint. */
static_assert(MAX_DEVICES + MAX_IOEVENTFDS <= U16_MAX);

static struct io_bus *bus_locked(struct vm *vm, int bus)
{
	return rcu_dereference_protected(vm->bus[bus], lockdep_is_held(&vm->slots_lock) ||
					 !refcount_read(&vm->users));
}

/* Devices on @bus that count against the same limit as @dev. */
static unsigned int count_like(const struct io_bus *bus, const struct io_device *dev)
{
	unsigned int i, n = 0;

	for (i = 0; i < bus->nr; i++)
		n += bus->range[i].dev && bus->range[i].dev->eventfd == dev->eventfd;
	return n;
}

/*
 * Of equal ranges the older one has to be asked first, and the search goes
 * from the back: so a new range goes before its equals.
 */
static bool goes_before(const struct io_range *a, const struct io_range *b)
{
	return a->addr != b->addr ? a->addr < b->addr : a->end >= b->end;
}

static void append(struct io_bus *bus, const struct io_range *r)
{
	u64 before = bus->nr ? bus->range[bus->nr - 1].max_end : 0;

	bus->range[bus->nr] = *r;
	bus->range[bus->nr].max_end = max(before, r->end);
	bus->nr++;
}

/* Copies what is left of @old into @new, @add in its place. */
static void merge(struct io_bus *new, const struct io_bus *old, const struct io_range *add)
{
	unsigned int i, nr = old ? old->nr : 0;
	bool added = false;

	for (i = 0; i < nr; i++) {
		if (!old->range[i].dev)
			continue;
		if (!added && goes_before(add, &old->range[i])) {
			append(new, add);
			added = true;
		}
		append(new, &old->range[i]);
	}
	if (!added)
		append(new, add);
}

int io_bus_register(struct vm *vm, int bus, gpa_t addr, u64 len, struct io_device *dev)
{
	struct io_range add = {
		.addr = addr, .end = addr + max_t(u64, len, 1), .dev = dev, .any_len = !len,
	};
	struct io_bus *old = bus_locked(vm, bus), *new;
	unsigned int nr = old ? old->nr : 0;

	if (add.end <= addr)
		return -EINVAL;
	if (old && count_like(old, dev) >= (dev->eventfd ? MAX_IOEVENTFDS : MAX_DEVICES))
		return -ENOSPC;
	new = kvzalloc(struct_size(new, range, nr + 1), GFP_KERNEL_ACCOUNT);
	if (!new)
		return -ENOMEM;
	merge(new, old, &add);
	rcu_assign_pointer(vm->bus[bus], new);
	if (old)
		retire(&vm->old_buses, &old->retired, struct_size(old, range, nr));
	return 0;
}

bool io_bus_detach(struct vm *vm, int bus, struct io_device *dev)
{
	struct io_bus *b = bus_locked(vm, bus);
	unsigned int i;

	for (i = 0; b && i < b->nr; i++) {
		if (b->range[i].dev == dev) {
			WRITE_ONCE(b->range[i].dev, NULL);
			return true;
		}
	}
	return false;
}

int io_bus_unregister(struct vm *vm, int bus, struct io_device *dev)
{
	if (!io_bus_detach(vm, bus, dev))
		return -ENOENT;
	synchronize_srcu_expedited(&vm->srcu);
	if (dev->ops->destroy)
		dev->ops->destroy(dev);
	return 0;
}

/* Devices that others own go with their owners: forget them while all are still there. */
static void forget_owned(struct io_bus *b)
{
	unsigned int i;

	for (i = 0; i < b->nr; i++)
		if (b->range[i].dev && !b->range[i].dev->ops->destroy)
			b->range[i].dev = NULL;
}

static void destroy_devices(struct io_bus *b)
{
	struct io_device *dev;
	unsigned int i;

	for (i = 0; i < b->nr; i++) {
		dev = b->range[i].dev;
		if (dev)
			dev->ops->destroy(dev);
	}
}

void io_bus_destroy(struct vm *vm)
{
	struct io_bus *b;
	int bus;

	for (bus = 0; bus < KEEL_NR_BUSES; bus++) {
		b = bus_locked(vm, bus);
		if (b)
			forget_owned(b);
	}
	for (bus = 0; bus < KEEL_NR_BUSES; bus++) {
		b = bus_locked(vm, bus);
		if (!b)
			continue;
		RCU_INIT_POINTER(vm->bus[bus], NULL);
		destroy_devices(b);
		kvfree(b);
	}
}

/* Do exactly @n ranges begin at @addr or before? */
static bool is_ranges_up_to(const struct io_bus *bus, unsigned int n, gpa_t addr)
{
	return n <= bus->nr && (!n || bus->range[n - 1].addr <= addr) &&
	       (n == bus->nr || bus->range[n].addr > addr);
}

/* Number of ranges that begin at @addr or before. */
static unsigned int ranges_up_to(const struct io_bus *bus, gpa_t addr)
{
	unsigned int lo = 0, hi = bus->nr, mid;

	while (lo < hi) {
		mid = (lo + hi) / 2;
		if (bus->range[mid].addr <= addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static bool covers(const struct io_range *r, gpa_t addr, int len)
{
	if (r->any_len)
		return r->addr == addr;
	return len && r->end - 1 >= addr + len - 1 && addr + len - 1 >= addr;
}

/*
 * Ask every device whose range holds the access, the innermost first, until
 * one takes it. max_end ends the search as soon as no earlier range reaches
 * @addr: one or two steps but for nested ranges.
 */
static int bus_access(struct vcpu *vcpu, const struct io_bus *bus, u16 *hint, gpa_t addr, int len,
		      void *in, const void *out)
{
	unsigned int i = *hint;
	struct io_device *dev;
	int ret;

	if (unlikely(!is_ranges_up_to(bus, i, addr))) {
		i = ranges_up_to(bus, addr);
		*hint = i;
	}
	while (i-- && bus->range[i].max_end > addr) {
		dev = READ_ONCE(bus->range[i].dev);
		if (!dev || !covers(&bus->range[i], addr, len))
			continue;
		if (in)
			ret = dev->ops->read ? dev->ops->read(vcpu, dev, addr, len, in) : -EOPNOTSUPP;
		else
			ret = dev->ops->write ? dev->ops->write(vcpu, dev, addr, len, out) : -EOPNOTSUPP;
		if (!ret)
			return 0;
	}
	return -EOPNOTSUPP;
}

static int io_bus_access(struct vcpu *vcpu, int bus, gpa_t addr, int len, void *in,
			 const void *out)
{
	struct vm *vm = vcpu->vm;
	const struct io_bus *b;
	int idx, ret = -EOPNOTSUPP;

	/* Most VMs have nothing on some bus: do not pay for the SRCU section. */
	if (!rcu_access_pointer(vm->bus[bus]))
		return ret;
	idx = srcu_read_lock(&vm->srcu);
	b = srcu_dereference(vm->bus[bus], &vm->srcu);
	if (b)
		ret = bus_access(vcpu, b, &vcpu->bus_hint[bus], addr, len, in, out);
	srcu_read_unlock(&vm->srcu, idx);
	return ret;
}

int io_bus_read(struct vcpu *vcpu, int bus, gpa_t addr, int len, void *val)
{
	return io_bus_access(vcpu, bus, addr, len, val, NULL);
}

int io_bus_write(struct vcpu *vcpu, int bus, gpa_t addr, int len, const void *val)
{
	return io_bus_access(vcpu, bus, addr, len, NULL, val);
}
KEEL_EXPORT(io_bus_write);
