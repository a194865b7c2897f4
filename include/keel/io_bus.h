/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * In-kernel devices by address: one bus for ports, one for MMIO, one for
 * MMIO ioeventfds of any length ("fast MMIO"). Readers hold vm->srcu, writers slots_lock.
 */
#ifndef KEEL_IO_BUS_H
#define KEEL_IO_BUS_H

#include <keel/types.h>

struct vm;
struct vcpu;
struct io_device;

enum { BUS_MMIO, BUS_PIO, BUS_FAST_MMIO, KEEL_NR_BUSES };

/* 0: done. -EOPNOTSUPP: not mine, try the next device, then userspace. */
struct io_device_ops {
	int  (*read)(struct vcpu *vcpu, struct io_device *dev, gpa_t addr, int len, void *val);
	int  (*write)(struct vcpu *vcpu, struct io_device *dev, gpa_t addr, int len, const void *val);
	void (*destroy)(struct io_device *dev);		/* the VM dies, or the device was unregistered */
};

struct io_device {
	const struct io_device_ops *ops;
};

struct io_range {
	gpa_t			addr;
	int			len;
	struct io_device	*dev;
};

struct io_bus {
	struct rcu_head		rcu;
	unsigned int		nr;
	unsigned int		nr_ioeventfds;
	struct io_range		range[];	/* sorted by addr, then len */
};

/* Both take the caller's slots_lock. -ENOSPC past 1000 devices, -ENOMEM. Unregister cannot fail for want of memory. */
int io_bus_register(struct vm *vm, int bus, gpa_t addr, int len, struct io_device *dev);
int io_bus_unregister(struct vm *vm, int bus, struct io_device *dev);
void io_bus_destroy(struct vm *vm);

/*
 * The exit path; they take vm->srcu. 0 when a device took it, -EOPNOTSUPP when none did.
 * @len 1..8. The value of a read is exactly @len bytes.
 */
int io_bus_read(struct vcpu *vcpu, int bus, gpa_t addr, int len, void *val);
int io_bus_write(struct vcpu *vcpu, int bus, gpa_t addr, int len, const void *val);

#endif
