/* SPDX-License-Identifier: GPL-2.0-only */
/* Garbage: objects that were replaced, but that SRCU readers may still see. */
#ifndef KEEL_RETIRED_H
#define KEEL_RETIRED_H

#include <linux/types.h>
#include <linux/spinlock.h>
#include <linux/srcu.h>

/* The first member of such an object. */
struct retired {
	struct list_head	link;
};

/*
 * Objects with the same readers. What the readers of one kind wait for (memory that the VMM withholds, for the
 * buses) is nothing that the objects of another should wait for.
 */
struct garbage {
	struct srcu_struct	*srcu;	/* [c] its readers may still see them */
	spinlock_t		lock;
	struct list_head	list;	/* lock */
	size_t			bytes;	/* lock */
};

void garbage_init(struct garbage *g, struct srcu_struct *srcu);
/* No reader is left. */
void garbage_free(struct garbage *g);
/*
 * retire - kvfree() an object later. @r is its first member, @size its bytes. Costs a list
 * entry, and a grace period for each 128 KiB of garbage. May sleep; not inside a reader.
 */
void retire(struct garbage *g, struct retired *r, size_t size);

#endif
