// SPDX-License-Identifier: GPL-2.0-only
/*
 * The dirty log as a bitmap: one bit per page of a slot.
 *
 * A bit is set by whoever makes a page writable (under mmu_lock, together with the
 * entry) or writes for the guest. Reading the log clears bits and write-protects
 * their pages under mmu_lock held for write, so no write falls between the two.
 */
#include <linux/bitmap.h>
#include <linux/mm.h>
#include <linux/uaccess.h>
#include <keel/arch.h>
#include <keel/vcpu.h>
#include <keel/vm.h>

/* Words handled under one hold of mmu_lock; also the size of the copy on the stack. */
#define LOG_CHUNK	32

static unsigned long bitmap_words(const struct memslot *slot)
{
	/* KVM_GET_DIRTY_LOG speaks of 64-bit words. */
	return DIV_ROUND_UP(slot->npages, 64);
}

int dirty_bitmap_alloc(struct vm *vm, struct memslot *slot)
{
	slot->dirty_bitmap = kvcalloc(bitmap_words(slot), sizeof(u64), GFP_KERNEL_ACCOUNT);
	if (!slot->dirty_bitmap)
		return -ENOMEM;
	if (vm_dirty_log_starts_full(vm))
		bitmap_set(slot->dirty_bitmap, 0, slot->npages);
	return 0;
}

void dirty_bitmap_free(struct memslot *slot)
{
	kvfree(slot->dirty_bitmap);
	slot->dirty_bitmap = NULL;
}

void memslot_mark_dirty(struct vm *vm, struct vcpu *vcpu, const struct memslot *slot, gfn_t gfn)
{
	unsigned long bit = gfn - slot->base_gfn;

	if (!memslot_logged(slot))
		return;
	if (unlikely(vm->dirty_ring_bytes)) {
		if (!vcpu)
			vcpu = keel_running_vcpu();
		if (vcpu && vcpu->vm == vm && dirty_ring_push(vcpu, slot, gfn))
			return;
	}
	/* Locked, also where it is set already: who clears it meanwhile must see the write that it stands for. */
	if (slot->dirty_bitmap)
		set_bit(bit, slot->dirty_bitmap);
}

/* slots_lock held. The logged slot of an ioctl's slot number, or ERR_PTR. */
static struct memslot *logged_slot(struct vm *vm, u32 number)
{
	u32 as = number >> 16, id = number & 0xffff;
	struct memslot *slot;

	if (!vm_has_dirty_bitmaps(vm))
		return ERR_PTR(-ENXIO);
	if (as >= KEEL_ADDRESS_SPACES || id >= KEEL_MAX_SLOTS)
		return ERR_PTR(-EINVAL);
	as = array_index_nospec(as, KEEL_ADDRESS_SPACES);
	slot = xa_load(&vm->slots[as].by_id, id);
	return slot && slot->dirty_bitmap ? slot : ERR_PTR(-ENOENT);
}

/* Move the log of @nr words from word @first on into @out; true if a TLB flush is owed. */
static bool log_take(struct vm *vm, struct memslot *slot, unsigned long first,
		     unsigned int nr, u64 *out)
{
	bool flush = false;
	unsigned int i;

	write_lock(&vm->mmu_lock);
	for (i = 0; i < nr; i++) {
		out[i] = 0;
		if (!READ_ONCE(slot->dirty_bitmap[first + i]))
			continue;
		out[i] = xchg(&slot->dirty_bitmap[first + i], 0);
		flush |= arch_mmu_protect_mask(vm, slot, slot->base_gfn + (first + i) * 64,
					       out[i]);
	}
	write_unlock(&vm->mmu_lock);
	return flush;
}

/* The copy to userspace failed: what was taken is dirty again. */
static void log_give_back(struct memslot *slot, unsigned long first, unsigned int nr,
			  const u64 *words)
{
	unsigned int i;

	for (i = 0; i < nr; i++)
		atomic_long_or(words[i], (atomic_long_t *)&slot->dirty_bitmap[first + i]);
}

static long log_get_clear(struct vm *vm, struct memslot *slot, u64 __user *to)
{
	unsigned long words = bitmap_words(slot), first;
	bool flush = false;
	long err = 0;

	for (first = 0; first < words && !err; first += LOG_CHUNK) {
		unsigned int nr = min_t(unsigned long, words - first, LOG_CHUNK);
		u64 chunk[LOG_CHUNK];

		flush |= log_take(vm, slot, first, nr, chunk);
		if (copy_to_user(to + first, chunk, nr * sizeof(u64))) {
			log_give_back(slot, first, nr, chunk);
			err = -EFAULT;
		}
		cond_resched();
	}
	/* Userspace reads the pages after this, so the last stale write is in its copy. */
	if (flush)
		arch_flush_tlbs(vm);
	arch_mmu_end_protect(vm);
	return err;
}

long dirty_log_get(struct ioctl_ctx *c)
{
	const struct kvm_dirty_log *log = c->data;
	struct vm *vm = c->vm;
	struct memslot *slot;
	long err;

	mutex_lock(&vm->slots_lock);
	slot = logged_slot(vm, log->slot);
	if (!IS_ERR(slot))
		arch_dirty_log_sync(vm);
	if (IS_ERR(slot))
		err = PTR_ERR(slot);
	else if (!vm->manual_dirty_protect)
		err = log_get_clear(vm, slot, log->dirty_bitmap);
	else
		err = copy_to_user(log->dirty_bitmap, slot->dirty_bitmap,
				   bitmap_words(slot) * sizeof(u64)) ? -EFAULT : 0;
	mutex_unlock(&vm->slots_lock);
	return err;
}

/* Clear the bits of @masks from word @first on, protecting the pages of those that were set. */
static bool log_clear_chunk(struct vm *vm, struct memslot *slot, unsigned long first,
			    unsigned int nr, const u64 *masks)
{
	bool flush = false;
	unsigned int i;

	write_lock(&vm->mmu_lock);
	for (i = 0; i < nr; i++) {
		atomic_long_t *word = (atomic_long_t *)&slot->dirty_bitmap[first + i];
		u64 mask = masks[i];

		if (!mask)
			continue;
		mask &= atomic_long_fetch_andnot(mask, word);
		if (mask)
			flush |= arch_mmu_protect_mask(vm, slot,
						       slot->base_gfn + (first + i) * 64, mask);
	}
	write_unlock(&vm->mmu_lock);
	return flush;
}

/* A log that started with all bits set has split nothing yet. */
static void split_chunk(struct vm *vm, struct memslot *slot, unsigned long first, unsigned int nr)
{
	gfn_t start = slot->base_gfn + first * 64;

	if (vm_dirty_log_starts_full(vm))
		arch_mmu_split(vm, slot, start,
			       min_t(gfn_t, start + nr * 64ull, slot->base_gfn + slot->npages));
}

static long log_clear(struct vm *vm, struct memslot *slot, const struct kvm_clear_dirty_log *log)
{
	unsigned long words = DIV_ROUND_UP(log->num_pages, 64), done;
	const u64 __user *from = log->dirty_bitmap;
	bool flush = false;
	long err = 0;

	for (done = 0; done < words; done += LOG_CHUNK) {
		unsigned int nr = min_t(unsigned long, words - done, LOG_CHUNK);
		u64 chunk[LOG_CHUNK];

		if (copy_from_user(chunk, from + done, nr * sizeof(u64))) {
			err = -EFAULT;
			break;
		}
		/* The last word of the slot has bits of no page. */
		if (done + nr == words && log->num_pages % 64)
			chunk[nr - 1] &= (1ull << (log->num_pages % 64)) - 1;
		split_chunk(vm, slot, log->first_page / 64 + done, nr);
		flush |= log_clear_chunk(vm, slot, log->first_page / 64 + done, nr, chunk);
		cond_resched();
	}
	if (flush)
		arch_flush_tlbs(vm);
	arch_mmu_end_protect(vm);
	return err;
}

long dirty_log_clear(struct ioctl_ctx *c)
{
	const struct kvm_clear_dirty_log *log = c->data;
	struct vm *vm = c->vm;
	struct memslot *slot;
	long err = -EINVAL;

	mutex_lock(&vm->slots_lock);
	slot = logged_slot(vm, log->slot);
	if (IS_ERR(slot))
		err = PTR_ERR(slot);
	else if (!(log->first_page % 64) && log->first_page <= slot->npages &&
		 log->num_pages <= slot->npages - log->first_page &&
		 (!(log->num_pages % 64) || log->num_pages == slot->npages - log->first_page))
		err = log_clear(vm, slot, log);
	mutex_unlock(&vm->slots_lock);
	return err;
}
