/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * In-kernel devices by address: one bus for ports, one for MMIO, one for
 * MMIO ioeventfds of any length ("fast MMIO": a write is known by its address
 * alone, so it needs no decoding). Readers hold vm->srcu, writers slots_lock.
 */
#ifndef KEEL_IO_BUS_H
#define KEEL_IO_BUS_H

#include <keel/retired.h>
#include <keel/types.h>

struct vm;
struct vcpu;
struct io_device;

enum { BUS_MMIO, BUS_PIO, BUS_FAST_MMIO, KEEL_NR_BUSES };

/*
 * 0: done. -EOPNOTSUPP: not mine, try the next device, then userspace. Called inside vm->srcu.
 */
struct io_device_ops {
	int  (*read)(struct vcpu *vcpu, struct io_device *dev, gpa_t addr, int len, void *val);
	int  (*write)(struct vcpu *vcpu, struct io_device *dev, gpa_t addr, int len, const void *val);
	/* The VM dies, or the device was unregistered. NULL: it belongs to somebody, as a second one of his. */
	void (*destroy)(struct io_device *dev);
};

struct io_device {
	const struct io_device_ops *ops;
	bool eventfd;		/* an ioeventfd: counts against its own, higher limit */
};

struct io_range {
	gpa_t			addr;
	u64			end;	/* first byte behind it */
	u64			max_end;	/* largest end of this and all ranges before it */
	struct io_device	*dev;	/* NULL: unregistered, gone at the next change */
	bool			any_len;	/* registered with len 0: an access of any length at addr */
};

/* Immutable but for dev, which unregistering sets to NULL. */
struct io_bus {
	struct retired		retired;
	unsigned int		nr;
	struct io_range		range[];	/* by addr, then the longer first */
};

/*
 * io_bus_register - caller holds slots_lock. @len 0: accesses of any length at @addr. Ranges may
 * overlap: the one that begins last is asked first. -EINVAL if the range wraps, -ENOSPC past 1000
 * devices (32768 ioeventfds), -ENOMEM.
 */
int io_bus_register(struct vm *vm, int bus, gpa_t addr, u64 len, struct io_device *dev);
/*
 * io_bus_detach - nobody finds @dev on @bus any more, but those inside vm->srcu may still use it.
 * Needs no memory. False if it was not there. Caller holds slots_lock.
 */
bool io_bus_detach(struct vm *vm, int bus, struct io_device *dev);
/*
 * io_bus_unregister - detach, wait for those inside vm->srcu, call its destroy operation. 0, or
 * -ENOENT if it was not there (it is not destroyed then). Caller holds slots_lock.
 */
int io_bus_unregister(struct vm *vm, int bus, struct io_device *dev);
/* The VM dies and no vCPU is left: destroys every device. */
void io_bus_destroy(struct vm *vm);

/*
 * The exit path; they take vm->srcu. 0 when a device took it, -EOPNOTSUPP when none did.
 * @len 1..8. The value of a read is exactly @len bytes. On BUS_FAST_MMIO @len 0 and @val NULL.
 */
int io_bus_read(struct vcpu *vcpu, int bus, gpa_t addr, int len, void *val);
int io_bus_write(struct vcpu *vcpu, int bus, gpa_t addr, int len, const void *val);

#endif
