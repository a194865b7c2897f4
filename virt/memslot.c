// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory slots: lookup, and the one path by which they change.
 *
 * A change is prepared whole before anything is visible, so that -ENOMEM leaves no
 * trace. Then, in this order:
 *	the new slot gets into the tree by hva (the notifier finds it before any fault can),
 *	the tree by gfn gets the new slot, then loses the rest of the old one,
 *	the generation moves on, a grace period passes,
 *	the architecture drops what it mapped through the old slot,
 *	the old slot leaves the tree by hva and is freed.
 * Whoever faults a page in holds vm->srcu from the lookup to the installation of
 * the entry, so after the grace period nobody can map through the old slot.
 */
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <keel/arch.h>
#include <keel/vcpu.h>
#include <keel/vm.h>

#define SLOT_FLAGS	(KVM_MEM_LOG_DIRTY_PAGES | KVM_MEM_READONLY)

struct slot_change {
	struct vm	*vm;
	struct memslots	*slots;
	struct memslot	*old, *new;	/* NULL: creation, deletion */
};

static gfn_t slot_last(const struct memslot *s)
{
	return s->base_gfn + s->npages - 1;
}

int memslots_init(struct vm *vm)
{
	unsigned int as;

	for (as = 0; as < KEEL_ADDRESS_SPACES; as++) {
		struct memslots *slots = &vm->slots[as];

		/*
		 * Nodes of the allocating kind, though nobody looks for gaps: in a tree of the other
		 * kind Linux 6.1 takes the length that a node of 15 children keeps behind them for a
		 * 16th, when the tree is freed.
		 */
		mt_init_flags(&slots->by_gfn, MT_FLAGS_USE_RCU | MT_FLAGS_ALLOC_RANGE);
		slots->by_hva = RB_ROOT_CACHED;
		xa_init_flags(&slots->by_id, XA_FLAGS_ACCOUNT);
		slots->gen = KEEL_ADDRESS_SPACES + as;
	}
	return 0;
}

bool memslots_empty(struct vm *vm)
{
	unsigned int as;

	for (as = 0; as < KEEL_ADDRESS_SPACES; as++) {
		if (!xa_empty(&vm->slots[as].by_id))
			return false;
	}
	return true;
}

static void slot_free(struct memslot *s)
{
	if (!s)
		return;
	dirty_bitmap_free(s);
	kfree(s);
}

void memslots_destroy(struct vm *vm)
{
	struct memslot *s;
	unsigned long id;
	unsigned int as;

	for (as = 0; as < KEEL_ADDRESS_SPACES; as++) {
		struct memslots *slots = &vm->slots[as];

		xa_for_each(&slots->by_id, id, s)
			slot_free(s);
		xa_destroy(&slots->by_id);
		mtree_destroy(&slots->by_gfn);
		slots->by_hva = RB_ROOT_CACHED;
	}
}

struct memslot *memslot_find(struct vm *vm, unsigned int as, gfn_t gfn)
{
	return mtree_load(&vm->slots[as].by_gfn, gfn);
}

struct memslot *vcpu_memslot(struct vcpu *vcpu, gfn_t gfn)
{
	unsigned int as = arch_vcpu_as(vcpu), i;
	u64 gen = memslots_gen(&vcpu->vm->slots[as]);
	struct memslot *s;

	/* Slots of another generation may be freed memory: forget them unseen. */
	if (unlikely(vcpu->slot_cache.gen != gen)) {
		memset(vcpu->slot_cache.slot, 0, sizeof(vcpu->slot_cache.slot));
		vcpu->slot_cache.hole = ~(gfn_t)0;
		vcpu->slot_cache.gen = gen;
	}
	if (gfn == vcpu->slot_cache.hole)
		return NULL;
	for (i = 0; i < KEEL_SLOT_CACHE; i++) {
		s = vcpu->slot_cache.slot[i];
		if (s && gfn - s->base_gfn < s->npages)
			return s;
	}
	s = memslot_find(vcpu->vm, as, gfn);
	if (s)
		vcpu->slot_cache.slot[vcpu->slot_cache.next++ % KEEL_SLOT_CACHE] = s;
	else
		vcpu->slot_cache.hole = gfn;
	return s;
}

static int region_check(const struct kvm_userspace_memory_region2 *r)
{
	if (r->flags & ~SLOT_FLAGS)
		return -EINVAL;
	if (r->slot >> 16 >= KEEL_ADDRESS_SPACES || (r->slot & 0xffff) >= KEEL_MAX_SLOTS)
		return -EINVAL;
	if ((r->memory_size | r->guest_phys_addr | r->userspace_addr) & ~PAGE_MASK)
		return -EINVAL;
	if (r->memory_size >> PAGE_SHIFT > KEEL_MAX_SLOT_PAGES)
		return -EINVAL;
	if (r->guest_phys_addr + r->memory_size < r->guest_phys_addr)
		return -EINVAL;
	/* The notifier's ranges have no tags (LAM): a slot with one would be found by none of them. */
	if (r->userspace_addr != untagged_addr(r->userspace_addr))
		return -EINVAL;
	if (!access_ok((void __user *)(unsigned long)r->userspace_addr, r->memory_size))
		return -EINVAL;
	return 0;
}

static struct memslot *slot_build(const struct kvm_userspace_memory_region2 *r)
{
	struct memslot *s = kzalloc(sizeof(*s), GFP_KERNEL_ACCOUNT);

	if (!s)
		return NULL;
	s->base_gfn = gpa_to_gfn(r->guest_phys_addr);
	s->npages = r->memory_size >> PAGE_SHIFT;
	s->hva = r->userspace_addr;
	s->flags = r->flags;
	s->id = r->slot & 0xffff;
	s->as = r->slot >> 16;
	s->hva_node.start = s->hva;
	s->hva_node.last = s->hva + r->memory_size - 1;
	return s;
}

static void hva_link(struct vm *vm, struct memslot *s)
{
	write_lock(&vm->mmu_lock);
	interval_tree_insert(&s->hva_node, &vm->slots[s->as].by_hva);
	write_unlock(&vm->mmu_lock);
}

static void hva_unlink(struct vm *vm, struct memslot *s)
{
	write_lock(&vm->mmu_lock);
	interval_tree_remove(&s->hva_node, &vm->slots[s->as].by_hva);
	write_unlock(&vm->mmu_lock);
}

/* Something other than @self lies in @s's range. */
static bool slot_overlaps(struct memslots *slots, const struct memslot *s,
			  const struct memslot *self)
{
	unsigned long gfn = s->base_gfn, last = slot_last(s);
	struct memslot *found;

	/* @self is found at most once, so this ends after two finds. */
	while ((found = mt_find(&slots->by_gfn, &gfn, last))) {
		if (found != self)
			return true;
		if (slot_last(self) >= last)
			return false;
		gfn = slot_last(self) + 1;
	}
	return false;
}

/* The frames of @old that @new (same size, or NULL) does not cover: one range, or none. */
static bool slot_remainder(const struct memslot *old, const struct memslot *new,
			   gfn_t *first, gfn_t *last)
{
	*first = old->base_gfn;
	*last = slot_last(old);
	if (new && new->base_gfn > *first)
		*last = min(*last, new->base_gfn - 1);
	else if (new)
		*first = max(*first, slot_last(new) + 1);
	return *first <= *last;
}

static int publish_new(struct slot_change *c)
{
	struct memslot *new = c->new;
	int err;

	/* Replacing an entry of the xarray allocates nothing, so the way back is open. */
	err = xa_err(xa_store(&c->slots->by_id, new->id, new, GFP_KERNEL_ACCOUNT));
	if (err)
		return err;
	hva_link(c->vm, new);
	err = mtree_store_range(&c->slots->by_gfn, new->base_gfn, slot_last(new), new,
				GFP_KERNEL_ACCOUNT);
	if (!err)
		return 0;
	hva_unlink(c->vm, new);
	if (c->old)
		xa_store(&c->slots->by_id, c->old->id, c->old, GFP_KERNEL_ACCOUNT);
	else
		xa_erase(&c->slots->by_id, new->id);
	return err;
}

static int unpublish_old(struct slot_change *c)
{
	gfp_t gfp = GFP_KERNEL_ACCOUNT;
	gfn_t first, last;
	int err;

	if (!slot_remainder(c->old, c->new, &first, &last))
		return 0;
	/* A move has no way back here: its new half is in use. */
	if (c->new)
		gfp |= __GFP_NOFAIL;
	err = mtree_store_range(&c->slots->by_gfn, first, last, NULL, gfp);
	if (!err && !c->new)
		xa_erase(&c->slots->by_id, c->old->id);
	return err;
}

/* slots_lock held. On error nothing has changed and c->new is the caller's to free. */
static int change_apply(struct slot_change *c)
{
	struct vm *vm = c->vm;
	int err;

	err = arch_memslot_prepare(vm, c->old, c->new);
	if (err)
		return err;
	if (c->new)
		err = publish_new(c);
	if (!err && c->old)
		err = unpublish_old(c);
	if (err)
		return err;

	/* Whoever reads the new generation finds the new tree: pairs with memslots_gen(). */
	smp_store_release(&c->slots->gen, c->slots->gen + KEEL_ADDRESS_SPACES);
	/* Nobody can have found a slot that did not exist: creation waits for nothing. */
	if (c->old)
		synchronize_srcu_expedited(&vm->srcu);
	arch_memslot_commit(vm, c->old, c->new);
	if (c->old) {
		hva_unlink(vm, c->old);
		/* A slot that moves takes its log along. */
		if (c->new && c->new->dirty_bitmap == c->old->dirty_bitmap)
			c->old->dirty_bitmap = NULL;
		slot_free(c->old);
	}
	return 0;
}

/* A slot is created or changed; @r->memory_size is not 0. */
static int slot_create_or_change(struct slot_change *c,
				 const struct kvm_userspace_memory_region2 *r)
{
	struct memslot *old = c->old, *new;
	int err = 0;

	if (old && (old->hva != r->userspace_addr || old->npages != r->memory_size >> PAGE_SHIFT ||
		    (old->flags ^ r->flags) & KVM_MEM_READONLY))
		return -EINVAL;
	if (old && old->base_gfn == gpa_to_gfn(r->guest_phys_addr) && old->flags == r->flags)
		return 0;
	new = slot_build(r);
	if (!new)
		return -ENOMEM;
	c->new = new;
	if ((!old || old->base_gfn != new->base_gfn) && slot_overlaps(c->slots, new, old))
		err = -EEXIST;
	else if (!memslot_logged(new) || !vm_has_dirty_bitmaps(c->vm))
		new->dirty_bitmap = NULL;
	else if (old && old->dirty_bitmap)
		new->dirty_bitmap = old->dirty_bitmap;
	else
		err = dirty_bitmap_alloc(c->vm, new);
	if (!err)
		err = change_apply(c);
	if (err) {
		if (old && new->dirty_bitmap == old->dirty_bitmap)
			new->dirty_bitmap = NULL;
		slot_free(new);
	}
	return err;
}

int memslot_set(struct vm *vm, const struct kvm_userspace_memory_region2 *r)
{
	struct slot_change c = { .vm = vm };
	unsigned int as;
	int err;

	err = region_check(r);
	if (err)
		return err;
	as = array_index_nospec(r->slot >> 16, KEEL_ADDRESS_SPACES);

	mutex_lock(&vm->slots_lock);
	c.slots = &vm->slots[as];
	c.old = xa_load(&c.slots->by_id, r->slot & 0xffff);
	if (r->memory_size)
		err = slot_create_or_change(&c, r);
	else if (c.old)
		err = change_apply(&c);
	else
		err = -EINVAL;
	mutex_unlock(&vm->slots_lock);
	return err;
}

static long set_region(struct ioctl_ctx *c)
{
	const struct kvm_userspace_memory_region *in = c->data;
	struct kvm_userspace_memory_region2 r = {
		.slot = in->slot,
		.flags = in->flags,
		.guest_phys_addr = in->guest_phys_addr,
		.memory_size = in->memory_size,
		.userspace_addr = in->userspace_addr,
	};

	return memslot_set(c->vm, &r);
}

static long set_region2(struct ioctl_ctx *c)
{
	return memslot_set(c->vm, c->data);
}

static const struct ioctl_row memslot_ioctls_rows[] = {
	{ KVM_SET_USER_MEMORY_REGION, 0, set_region },
	{ KVM_SET_USER_MEMORY_REGION2, 0, set_region2 },
	{ KVM_GET_DIRTY_LOG, 0, dirty_log_get },
	{ KVM_CLEAR_DIRTY_LOG, 0, dirty_log_clear },
};

IOCTL_TABLE(memslot_ioctls);
