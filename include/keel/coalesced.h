/* SPDX-License-Identifier: GPL-2.0-only */
/* Coalesced MMIO and PIO: writes to registered zones are queued in a ring page for userspace. */
#ifndef KEEL_COALESCED_H
#define KEEL_COALESCED_H

#include <linux/list.h>
#include <linux/spinlock.h>
#include <keel/io_bus.h>

struct page;
struct kvm_coalesced_mmio_ring;

struct vm_coalesced {
	struct page			*page;	/* one per VM, page 2 of every vCPU mapping; NULL until first use */
	struct kvm_coalesced_mmio_ring	*ring;	/* userspace writes `first`: never trust a field */
	spinlock_t			lock;	/* the ring's producer side */
	struct list_head		zones;	/* slots_lock */
};

int coalesced_init(struct vm *vm);
void coalesced_destroy(struct vm *vm);
extern const struct ioctl_table coalesced_ioctls;

#endif
