/* SPDX-License-Identifier: GPL-2.0-only */
/* Garbage: objects that were replaced, but that readers inside vm->srcu may still see. */
#ifndef KEEL_RETIRED_H
#define KEEL_RETIRED_H

#include <linux/types.h>

struct vm;

/* The first member of such an object. */
struct retired {
	struct list_head	link;
};

/*
 * vm_retire - kvfree() an object later. @r is its first member, @size its bytes. Costs a list
 * entry, and a grace period for each 128 KiB of garbage. May sleep; not inside a reader.
 */
void vm_retire(struct vm *vm, struct retired *r, size_t size);

#endif
