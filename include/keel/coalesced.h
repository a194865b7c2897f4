/* SPDX-License-Identifier: GPL-2.0-only */
/* Coalesced MMIO and PIO: writes to registered zones are queued in a ring page for userspace. */
#ifndef KEEL_COALESCED_H
#define KEEL_COALESCED_H

#include <linux/list.h>
#include <linux/spinlock.h>
#include <keel/io_bus.h>

struct page;

struct vm_coalesced {
	/*
	 * One per VM, page 2 of every vCPU mapping: a struct kvm_coalesced_mmio_ring of which
	 * userspace can write every byte. NULL until first use, then constant.
	 */
	struct page		*page;
	spinlock_t		lock;	/* the ring's producer side */
	struct list_head	zones;	/* slots_lock */
};

void coalesced_init(struct vm *vm);
void coalesced_destroy(struct vm *vm);
/* The ring's page, made at the first call; NULL if there is no memory. May sleep; takes no lock. */
struct page *coalesced_page(struct vm *vm);
extern const struct ioctl_table coalesced_ioctls;

#endif
