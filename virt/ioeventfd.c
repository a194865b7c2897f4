// SPDX-License-Identifier: GPL-2.0-only
/*
 * ioeventfd: a guest's write to a port or address signals an eventfd, and the
 * guest goes on at once (api.rst 4.59).
 */
#include <linux/eventfd.h>
#include <linux/list.h>
#include <linux/slab.h>
#include <linux/srcu.h>
#include <linux/string.h>
#include <keel/eventfd.h>
#include <keel/ioctl.h>
#include <keel/vm.h>
#include <keel/vcpu.h>
#include "virt/compat/compat.h"

struct ioeventfd {
	struct list_head	link;		/* vm->eventfds.ioeventfds, slots_lock */
	struct io_device	dev;
	struct io_device	fast;		/* the same on BUS_FAST_MMIO, for len 0 */
	struct eventfd_ctx	*ctx;		/* reference held */
	u64			addr;
	u64			datamatch;
	u32			len;		/* 0: any */
	int			bus;
	bool			wildcard;	/* any value */
};

static int signal_it(struct ioeventfd *p)
{
	eventfd_signal(p->ctx);
	return 0;
}

static int ioeventfd_write(struct vcpu *vcpu, struct io_device *dev, gpa_t addr, int len,
			   const void *val)
{
	struct ioeventfd *p = container_of(dev, struct ioeventfd, dev);
	u64 data = 0;

	if (addr != p->addr)
		return -EOPNOTSUPP;
	if (!p->len)
		return signal_it(p);
	if (len != p->len)
		return -EOPNOTSUPP;
	/* Little endian, as the guest: a short value is its low bytes. */
	memcpy(&data, val, len);
	if (!p->wildcard && data != p->datamatch)
		return -EOPNOTSUPP;
	return signal_it(p);
}

static int fast_write(struct vcpu *vcpu, struct io_device *dev, gpa_t addr, int len,
		      const void *val)
{
	return signal_it(container_of(dev, struct ioeventfd, fast));
}

static void ioeventfd_free(struct ioeventfd *p)
{
	list_del(&p->link);
	eventfd_ctx_put(p->ctx);
	kfree(p);
}

static void ioeventfd_destroy(struct io_device *dev)
{
	ioeventfd_free(container_of(dev, struct ioeventfd, dev));
}

static const struct io_device_ops ioeventfd_ops = {
	.write		= ioeventfd_write,
	.destroy	= ioeventfd_destroy,
};

static const struct io_device_ops fast_ops = {
	.write		= fast_write,
};

static bool has_fast(const struct ioeventfd *p)
{
	return !p->len && p->bus == BUS_MMIO;
}

/* Is there a write that both would take? */
static bool overlap(const struct ioeventfd *a, const struct ioeventfd *b)
{
	if (a->bus != b->bus || a->addr != b->addr)
		return false;
	if (!a->len || !b->len)
		return true;
	return a->len == b->len && (a->wildcard || b->wildcard || a->datamatch == b->datamatch);
}

static bool same(const struct ioeventfd *a, const struct ioeventfd *b)
{
	return a->ctx == b->ctx && a->bus == b->bus && a->addr == b->addr && a->len == b->len &&
	       a->wildcard == b->wildcard && (a->wildcard || a->datamatch == b->datamatch);
}

static int check_args(const struct kvm_ioeventfd *args)
{
	switch (args->len) {
	case 0:
		if (args->flags & KVM_IOEVENTFD_FLAG_DATAMATCH)
			return -EINVAL;
		break;
	case 1:
	case 2:
	case 4:
	case 8:
		break;
	default:
		return -EINVAL;
	}
	if (args->addr + args->len < args->addr)
		return -EINVAL;
	/* The virtio-ccw bus is another architecture's. */
	if (args->flags & KVM_IOEVENTFD_FLAG_VIRTIO_CCW_NOTIFY)
		return -EINVAL;
	return args->flags & ~KVM_IOEVENTFD_VALID_FLAG_MASK ? -EINVAL : 0;
}

static void fill(struct ioeventfd *p, const struct kvm_ioeventfd *args, struct eventfd_ctx *ctx)
{
	INIT_LIST_HEAD(&p->link);
	p->dev.ops = &ioeventfd_ops;
	p->dev.eventfd = true;
	p->fast.ops = &fast_ops;
	p->fast.eventfd = true;
	p->ctx = ctx;
	p->addr = args->addr;
	p->len = args->len;
	p->bus = args->flags & KVM_IOEVENTFD_FLAG_PIO ? BUS_PIO : BUS_MMIO;
	p->wildcard = !(args->flags & KVM_IOEVENTFD_FLAG_DATAMATCH);
	p->datamatch = p->wildcard ? 0 : args->datamatch;
}

static int register_buses(struct vm *vm, struct ioeventfd *p)
{
	int ret;

	if (has_fast(p)) {
		ret = io_bus_register(vm, BUS_FAST_MMIO, p->addr, 0, &p->fast);
		if (ret)
			return ret;
	}
	ret = io_bus_register(vm, p->bus, p->addr, p->len, &p->dev);
	if (ret && has_fast(p))
		io_bus_unregister(vm, BUS_FAST_MMIO, &p->fast);
	return ret;
}

static int add(struct vm *vm, struct ioeventfd *p)
{
	struct ioeventfd *other;
	int ret;

	list_for_each_entry(other, &vm->eventfds.ioeventfds, link)
		if (overlap(p, other))
			return -EEXIST;
	ret = register_buses(vm, p);
	if (!ret)
		list_add_tail(&p->link, &vm->eventfds.ioeventfds);
	return ret;
}

static int assign(struct vm *vm, const struct kvm_ioeventfd *args, struct eventfd_ctx *ctx)
{
	struct ioeventfd *p = kzalloc(sizeof(*p), GFP_KERNEL_ACCOUNT);
	int ret = -ENOMEM;

	if (!p) {
		eventfd_ctx_put(ctx);
		return ret;
	}
	fill(p, args, ctx);
	mutex_lock(&vm->slots_lock);
	ret = add(vm, p);
	if (ret)
		ioeventfd_free(p);
	mutex_unlock(&vm->slots_lock);
	return ret;
}

static void detach(struct vm *vm, struct ioeventfd *p)
{
	io_bus_detach(vm, p->bus, &p->dev);
	if (has_fast(p))
		io_bus_detach(vm, BUS_FAST_MMIO, &p->fast);
}

static int deassign(struct vm *vm, const struct kvm_ioeventfd *args, struct eventfd_ctx *ctx)
{
	struct ioeventfd key = {}, *p;
	int ret = -ENOENT;

	fill(&key, args, ctx);
	mutex_lock(&vm->slots_lock);
	list_for_each_entry(p, &vm->eventfds.ioeventfds, link) {
		if (!same(&key, p))
			continue;
		detach(vm, p);
		/* A write that found it before has signalled when the ioctl returns. */
		synchronize_srcu_expedited(&vm->srcu);
		ioeventfd_free(p);
		ret = 0;
		break;
	}
	mutex_unlock(&vm->slots_lock);
	eventfd_ctx_put(ctx);
	return ret;
}

static long kvm_ioeventfd(struct ioctl_ctx *c)
{
	const struct kvm_ioeventfd *args = c->data;
	struct eventfd_ctx *ctx;
	int ret;

	/* What is to be removed is only looked up: there is nothing to check. */
	if (!(args->flags & KVM_IOEVENTFD_FLAG_DEASSIGN)) {
		ret = check_args(args);
		if (ret)
			return ret;
	}
	ctx = eventfd_ctx_fdget(args->fd);
	if (IS_ERR(ctx))
		return PTR_ERR(ctx);
	if (args->flags & KVM_IOEVENTFD_FLAG_DEASSIGN)
		return deassign(c->vm, args, ctx);
	return assign(c->vm, args, ctx);
}

static const struct ioctl_row ioeventfd_ioctls_rows[] = {
	{ KVM_IOEVENTFD, 0, kvm_ioeventfd },
};
IOCTL_TABLE(ioeventfd_ioctls);
