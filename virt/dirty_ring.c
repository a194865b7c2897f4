// SPDX-License-Identifier: GPL-2.0-only
/*
 * The dirty log as a ring per vCPU. A page enters the ring of the vCPU that dirties it, in that
 * vCPU's thread, under the hold of mmu_lock that makes the page writable; or, for a write of the
 * kernel's, after the write. Userspace reads entries and marks them; KVM_RESET_DIRTY_RINGS
 * write-protects the pages of marked entries and gives the entries back.
 *
 * Userspace may write anything into the ring at any time. The kernel believes nothing of
 * it but the RESET flag of entries between its own two indices, and which page to protect: a
 * wrong one costs that VM a fault, or its own log.
 */
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/vmalloc.h>
#include <keel/arch.h>
#include <keel/dirty_ring.h>
#include <keel/vcpu.h>
#include <keel/vm.h>

/* Entries looked at between two chances to be rescheduled. */
#define RESET_BATCH	256

/* ---- the capabilities ---- */

static long check_bytes(u64 bytes)
{
	if (!is_power_of_2(bytes) || bytes < PAGE_SIZE)
		return -EINVAL;
	if (bytes < arch_dirty_ring_reserved() * sizeof(struct kvm_dirty_gfn))
		return -EINVAL;
	return bytes > KEEL_DIRTY_RING_MAX_BYTES ? -E2BIG : 0;
}

long dirty_ring_enable(struct vm *vm, const struct kvm_enable_cap *cap)
{
	long err;

	if (cap->flags)
		return -EINVAL;
	err = check_bytes(cap->args[0]);
	if (err)
		return err;
	mutex_lock(&vm->lock);
	/* A vCPU's ring comes with the vCPU; and the size is set once. */
	if (vm->created_vcpus || vm->dirty_ring_bytes)
		err = -EINVAL;
	else
		WRITE_ONCE(vm->dirty_ring_bytes, cap->args[0]);
	mutex_unlock(&vm->lock);
	return err;
}

long dirty_ring_enable_bitmap(struct vm *vm, const struct kvm_enable_cap *cap)
{
	long err = -EINVAL;

	if (cap->flags)
		return -EINVAL;
	mutex_lock(&vm->lock);
	mutex_lock(&vm->slots_lock);
	/* A slot that exists has no bitmap. */
	if (vm->dirty_ring_bytes && memslots_empty(vm)) {
		vm->dirty_ring_with_bitmap = true;
		err = 0;
	}
	mutex_unlock(&vm->slots_lock);
	mutex_unlock(&vm->lock);
	return err;
}

/* ---- life ---- */

int dirty_ring_alloc(struct vcpu *vcpu)
{
	unsigned long bytes = READ_ONCE(vcpu->vm->dirty_ring_bytes);
	struct dirty_ring *ring = &vcpu->dirty_ring;

	if (!bytes)
		return 0;
	ring->entries = __vmalloc(bytes, GFP_KERNEL_ACCOUNT | __GFP_ZERO);
	if (!ring->entries)
		return -ENOMEM;
	ring->size = bytes / sizeof(*ring->entries);
	ring->soft_limit = ring->size - arch_dirty_ring_reserved();
	return 0;
}

void dirty_ring_free(struct vcpu *vcpu)
{
	vfree(vcpu->dirty_ring.entries);
	vcpu->dirty_ring.entries = NULL;
}

static unsigned long ring_pages(const struct dirty_ring *ring)
{
	return ring->size * sizeof(*ring->entries) / PAGE_SIZE;
}

bool dirty_ring_in_range(struct vcpu *vcpu, unsigned long first, unsigned long n)
{
	unsigned long pages = ring_pages(&vcpu->dirty_ring);

	return pages && first < KVM_DIRTY_LOG_PAGE_OFFSET + pages &&
	       first + n > KVM_DIRTY_LOG_PAGE_OFFSET;
}

struct page *dirty_ring_page(struct vcpu *vcpu, unsigned long pgoff)
{
	unsigned long i = pgoff - KVM_DIRTY_LOG_PAGE_OFFSET;

	if (pgoff < KVM_DIRTY_LOG_PAGE_OFFSET || i >= ring_pages(&vcpu->dirty_ring))
		return NULL;
	return vmalloc_to_page((void *)vcpu->dirty_ring.entries + i * PAGE_SIZE);
}

/* ---- the vCPU's side ---- */

static u32 ring_used(const struct dirty_ring *ring)
{
	return ring->next - READ_ONCE(ring->reset);
}

bool dirty_ring_soft_full(const struct vcpu *vcpu)
{
	return ring_used(&vcpu->dirty_ring) >= vcpu->dirty_ring.soft_limit;
}

bool dirty_ring_hard_full(const struct vcpu *vcpu)
{
	return vcpu->dirty_ring.entries && ring_used(&vcpu->dirty_ring) >= vcpu->dirty_ring.size;
}

/* The page has an entry that is not given back yet: userspace will copy the page after that. */
static bool in_ring(struct dirty_ring *ring, u64 gen, u32 slot, u64 offset)
{
	u32 reset, i;

	/* The write to the page comes before this look; pairs with the barrier in reset_ring(). */
	smp_mb();
	reset = READ_ONCE(ring->reset);
	for (i = 0; i < KEEL_DIRTY_RING_RECENT; i++) {
		if (ring->recent[i].offset == offset && ring->recent[i].slot == slot &&
		    ring->recent[i].gen == gen && ring->recent[i].at - reset < ring->next - reset)
			return true;
	}
	return false;
}

bool dirty_ring_push(struct vcpu *vcpu, const struct memslot *slot, gfn_t gfn)
{
	struct dirty_ring *ring = &vcpu->dirty_ring;
	u32 number = (u32)slot->as << 16 | slot->id, i;
	u64 gen = memslots_gen(&vcpu->vm->slots[slot->as]);
	u64 offset = gfn - slot->base_gfn;
	struct kvm_dirty_gfn *e;

	if (in_ring(ring, gen, number, offset))
		return true;
	if (ring_used(ring) >= ring->size)
		return false;
	e = &ring->entries[ring->next & (ring->size - 1)];
	WRITE_ONCE(e->slot, number);
	WRITE_ONCE(e->offset, offset);
	/* Userspace reads the rest once it has seen the flag. */
	smp_store_release(&e->flags, KVM_DIRTY_GFN_F_DIRTY);

	i = ring->recent_next++ % KEEL_DIRTY_RING_RECENT;
	ring->recent[i].slot = number;
	ring->recent[i].offset = offset;
	ring->recent[i].gen = gen;
	ring->recent[i].at = ring->next;
	WRITE_ONCE(ring->next, ring->next + 1);
	if (dirty_ring_soft_full(vcpu))
		vcpu_request(vcpu, REQ_DIRTY_RING_FULL);
	return true;
}

/* ---- KVM_RESET_DIRTY_RINGS ---- */

/* Neighbours are protected together: pages [offset, offset + 64) of a slot. */
struct reset_group {
	u32	slot;
	u64	offset;
	u64	mask;
};

/* slots_lock held. True: flush owed. */
static bool protect_group(struct vm *vm, struct reset_group *g)
{
	u32 as = g->slot >> 16, id = g->slot & 0xffff;
	u64 mask = g->mask;
	struct memslot *slot;
	bool flush;

	g->mask = 0;
	/* The entry was userspace's to change. */
	if (!mask || as >= KEEL_ADDRESS_SPACES || id >= KEEL_MAX_SLOTS)
		return false;
	as = array_index_nospec(as, KEEL_ADDRESS_SPACES);
	slot = xa_load(&vm->slots[as].by_id, id);
	if (!slot || !memslot_logged(slot) || g->offset >= slot->npages)
		return false;
	/* Beyond the slot, which may have been larger: what is left of the group counts all the same. */
	if (slot->npages - g->offset < 64)
		mask &= (1ull << (slot->npages - g->offset)) - 1;
	if (!mask)
		return false;
	write_lock(&vm->mmu_lock);
	flush = arch_mmu_protect_mask(vm, slot, slot->base_gfn + g->offset, mask);
	write_unlock(&vm->mmu_lock);
	return flush;
}

/* Take one harvested entry into the group; true: flush owed for the group before it. */
static bool add_to_group(struct vm *vm, struct reset_group *g, u32 slot, u64 offset)
{
	bool flush = false;

	if (!g->mask || g->slot != slot || offset - g->offset >= 64) {
		flush = protect_group(vm, g);
		g->slot = slot;
		g->offset = offset & ~63ull;
	}
	/* Beyond any slot: not even shifted to a frame number. */
	if (offset < KEEL_MAX_SLOT_PAGES)
		g->mask |= 1ull << (offset - g->offset);
	return flush;
}

/* Give back what userspace has marked, at most @max entries; their number. slots_lock held. */
static u32 reset_ring(struct vcpu *vcpu, struct reset_group *g, u32 max, bool *flush)
{
	struct dirty_ring *ring = &vcpu->dirty_ring;
	u32 n;

	for (n = 0; n < max && ring->reset != READ_ONCE(ring->next); n++) {
		struct kvm_dirty_gfn *e = &ring->entries[ring->reset & (ring->size - 1)];

		/* Userspace may have written the flag after other work on the entry. */
		if (!(smp_load_acquire(&e->flags) & KVM_DIRTY_GFN_F_RESET))
			break;
		*flush |= add_to_group(vcpu->vm, g, READ_ONCE(e->slot), READ_ONCE(e->offset));
		WRITE_ONCE(e->flags, 0);
		/* Free before the index says so: the vCPU may fill it at once. */
		smp_store_release(&ring->reset, ring->reset + 1);
	}
	/* Pairs with in_ring(): a write that found its entry still there is seen by userspace. */
	smp_mb();
	return n;
}

static u32 reset_vcpu(struct vcpu *vcpu, bool *flush)
{
	struct reset_group g = {};
	u32 done = 0, n;

	/* A vCPU that fills its ring as fast as it is emptied holds nobody up. */
	do {
		n = reset_ring(vcpu, &g, RESET_BATCH, flush);
		done += n;
		cond_resched();
	} while (n == RESET_BATCH && done < vcpu->dirty_ring.size &&
		 !fatal_signal_pending(current));
	*flush |= protect_group(vcpu->vm, &g);
	return done;
}

/* The number of entries that were given back. Their pages are protected when this returns. */
static long reset_rings(struct ioctl_ctx *c)
{
	struct vm *vm = c->vm;
	struct vcpu *vcpu;
	bool flush = false;
	long done = 0;
	unsigned int i;

	if (!READ_ONCE(vm->dirty_ring_bytes))
		return -EINVAL;
	mutex_lock(&vm->slots_lock);
	vm_for_each_vcpu(vm, i, vcpu)
		done += reset_vcpu(vcpu, &flush);
	if (flush)
		arch_flush_tlbs(vm);
	arch_mmu_end_protect(vm);
	mutex_unlock(&vm->slots_lock);
	return done;
}

static const struct ioctl_row dirty_ring_ioctls_rows[] = {
	{ KVM_RESET_DIRTY_RINGS, IOC_RAW, reset_rings },
};

IOCTL_TABLE(dirty_ring_ioctls);
