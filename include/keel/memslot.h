/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Memory slots: which guest frames are backed by which host addresses.
 *
 * Readers hold vm->srcu; writers hold vm->slots_lock. By gfn there is one
 * maple tree per address space (RCU mode); by hva one interval tree per
 * address space, read and changed under vm->mmu_lock, for the notifier.
 */
#ifndef KEEL_MEMSLOT_H
#define KEEL_MEMSLOT_H

#include <linux/interval_tree.h>
#include <linux/maple_tree.h>
#include <linux/nospec.h>
#include <linux/xarray.h>
#include <uapi/keel/kvm.h>
#include <keel/types.h>
#include <keel/ioctl.h>

#define KEEL_ADDRESS_SPACES	1	/* KVM_CAP_MULTI_ADDRESS_SPACE is 0: no SMM that sees another */
#define KEEL_MAX_SLOTS		32764	/* per address space */
#define KEEL_MAX_SLOT_PAGES	((1ul << 31) - 1)

struct vm;
struct vcpu;

/* [c] after publication, but for dirty_bitmap's bits. A change makes a new object. */
struct memslot {
	struct interval_tree_node hva_node;	/* vm->mmu_lock */
	gfn_t		base_gfn;
	unsigned long	npages;
	hva_t		hva;			/* userspace_addr */
	u32		flags;			/* KVM_MEM_* */
	u16		id;
	u8		as;
	unsigned long	*dirty_bitmap;		/* NULL if not logged, or by rings alone */
};

struct memslots {
	struct maple_tree	by_gfn;		/* SRCU readers */
	struct rb_root_cached	by_hva;		/* vm->mmu_lock */
	struct xarray		by_id;		/* slots_lock */
	/*
	 * Bumped by each change after by_gfn, before the grace period. Never 0, and never equal
	 * in two address spaces: by itself it tells whether a cached lookup is still good.
	 */
	u64			gen;
};

int memslots_init(struct vm *vm);
void memslots_destroy(struct vm *vm);

/*
 * memslot_set - KVM_SET_USER_MEMORY_REGION(2). Takes vm->slots_lock. 0 or
 * -EINVAL, -EEXIST (overlap), -ENOMEM; on error nothing has changed.
 */
int memslot_set(struct vm *vm, const struct kvm_userspace_memory_region2 *r);

/* No slot in any address space. slots_lock held. */
bool memslots_empty(struct vm *vm);

/* The slot of @gfn in address space @as, or NULL. Inside vm->srcu. */
struct memslot *memslot_find(struct vm *vm, unsigned int as, gfn_t gfn);
/* The same in the vCPU's current address space, through its one-entry cache. */
struct memslot *vcpu_memslot(struct vcpu *vcpu, gfn_t gfn);

/* What a lookup that starts now is worth: compare with the one of an earlier lookup. */
static inline u64 memslots_gen(const struct memslots *slots)
{
	/* The tree is read after it: pairs with the release in change_apply(). */
	return smp_load_acquire(&slots->gen);
}

/* @gfn is the guest's: a lookup found @s, speculation may come here without. */
static inline hva_t memslot_hva(const struct memslot *s, gfn_t gfn)
{
	return s->hva + (array_index_nospec(gfn - s->base_gfn, s->npages) << PAGE_SHIFT);
}

static inline bool memslot_readonly(const struct memslot *s)
{
	return s->flags & KVM_MEM_READONLY;
}

/* Its writes are logged: in its bitmap, or in the rings of the vCPUs. */
static inline bool memslot_logged(const struct memslot *s)
{
	return s->flags & KVM_MEM_LOG_DIRTY_PAGES;
}

/*
 * Mark @gfn of @slot dirty, if it is logged. Any context. @vcpu: the one whose thread this is, or
 * NULL: the one that is loaded here, if any.
 */
void memslot_mark_dirty(struct vm *vm, struct vcpu *vcpu, const struct memslot *slot, gfn_t gfn);

/* dirty_bitmap.c: -ENOMEM. @slot is not published yet. */
int dirty_bitmap_alloc(struct vm *vm, struct memslot *slot);
void dirty_bitmap_free(struct memslot *slot);
/* KVM_GET/CLEAR_DIRTY_LOG. They take slots_lock. -EINVAL, -ENOENT (not logged), -EFAULT, -ENXIO (rings). */
long dirty_log_get(struct ioctl_ctx *c);
long dirty_log_clear(struct ioctl_ctx *c);

extern const struct ioctl_table memslot_ioctls;	/* regions, GET/CLEAR_DIRTY_LOG */

#endif
