// SPDX-License-Identifier: GPL-2.0-only
/* Garbage that SRCU readers may still see: gathered, and freed with one grace period for many. */
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <keel/io_bus.h>
#include <keel/irq_routing.h>
#include <keel/retired.h>

#define GARBAGE_MAX	(128 << 10)

static_assert(offsetof(struct io_bus, retired) == 0);
static_assert(offsetof(struct irq_routing, retired) == 0);

static void free_all(struct list_head *list)
{
	struct retired *r, *next;

	list_for_each_entry_safe(r, next, list, link)
		kvfree(r);
}

void garbage_init(struct garbage *g, struct srcu_struct *srcu)
{
	g->srcu = srcu;
	spin_lock_init(&g->lock);
	INIT_LIST_HEAD(&g->list);
	g->bytes = 0;
}

void garbage_free(struct garbage *g)
{
	free_all(&g->list);
}

void retire(struct garbage *g, struct retired *r, size_t size)
{
	LIST_HEAD(full);

	spin_lock(&g->lock);
	list_add(&r->link, &g->list);
	g->bytes += size;
	if (g->bytes >= GARBAGE_MAX) {
		list_splice_init(&g->list, &full);
		g->bytes = 0;
	}
	spin_unlock(&g->lock);
	if (list_empty(&full))
		return;
	synchronize_srcu_expedited(g->srcu);
	free_all(&full);
}
