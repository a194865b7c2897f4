// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tracking: write protection for the dirty log, young bits for the host's reclaim.
 * Both go over existing leaves under mmu_lock held for write.
 */
#include <linux/sched.h>
#include "arch/x86/mmu/internal.h"

/*
 * Write-protect the leaf at @pos. A large one is removed instead: writes to it must come
 * back page by page. True: flush owed.
 */
static bool __protect_leaf(struct vm *vm, const struct s2_pos *pos, gfn_t gfn, unsigned int as)
{
	gfn_t first;

	if (!s2e_writable(pos->val))
		return false;
	if (pos->level == 1) {
		s2e_clear_bits(pos->entry, s2_fmt.write);
		return true;
	}
	first = gfn & ~(level_frames(pos->level) - 1);
	return s2_zap(vm, as, first, first + 1);
}

bool arch_mmu_protect_mask(struct vm *vm, const struct memslot *slot, gfn_t base,
			   unsigned long mask)
{
	const struct vm_mmu *mmu = vm_mmu(vm);
	u64 *root = s2_root(mmu, slot->as);
	struct s2_pos pos = { .level = 0 };
	gfn_t block = 0;
	bool flush = false;

	lockdep_assert_held_write(&vm->mmu_lock);
	if (!root)
		return false;
	for (; mask; mask &= mask - 1) {
		gfn_t gfn = base + __ffs(mask);

		/* The next bit is mostly in the same bottom table. */
		if (pos.level == 1 && gfn >> level_order(2) == block) {
			pos.entry += (long)level_index(gfn, 1) -
				     (long)(((unsigned long)pos.entry & ~PAGE_MASK) / sizeof(u64));
			pos.val = READ_ONCE(*pos.entry);
		} else {
			pos = s2_walk(mmu, root, gfn);
			block = gfn >> level_order(2);
		}
		if (!s2e_present(pos.val))
			continue;
		if (__protect_leaf(vm, &pos, gfn, slot->as))
			flush = true;
		if (pos.level != 1)
			pos.level = 0;
	}
	return flush;
}

/* Protect what one bottom table, or one larger entry, maps of [gfn, end); returns where to go on. */
static gfn_t __protect_block(struct vm *vm, u64 *root, unsigned int as, gfn_t gfn, gfn_t end,
			     bool *flush)
{
	struct s2_pos pos = s2_walk(vm_mmu(vm), root, gfn);
	gfn_t next = (gfn & ~(level_frames(pos.level) - 1)) + level_frames(pos.level);

	if (pos.level > 1) {
		if (s2e_present(pos.val))
			*flush |= __protect_leaf(vm, &pos, gfn, as);
		return next;
	}
	end = min(end, (gfn & ~(level_frames(2) - 1)) + level_frames(2));
	for (; gfn < end; gfn++, pos.entry++) {
		pos.val = READ_ONCE(*pos.entry);
		if (s2e_present(pos.val))
			*flush |= __protect_leaf(vm, &pos, gfn, as);
	}
	return end;
}

void s2_protect_slot(struct vm *vm, const struct memslot *slot)
{
	u64 *root = s2_root(vm_mmu(vm), slot->as);
	gfn_t gfn = slot->base_gfn, end = gfn + slot->npages;
	bool flush = false;

	if (!root)
		return;
	while (gfn < end) {
		gfn = __protect_block(vm, root, slot->as, gfn, end, &flush);
		if (!need_resched() && !rwlock_needbreak(&vm->mmu_lock))
			continue;
		/* Large pages may have been removed: nobody may see them gone unflushed. */
		if (flush)
			arch_flush_tlbs(vm);
		flush = false;
		cond_resched_rwlock_write(&vm->mmu_lock);
	}
	if (flush)
		arch_flush_tlbs(vm);
}

static bool __age_table(u64 *table, int level, gfn_t base, gfn_t start, gfn_t end, bool clear)
{
	gfn_t span = level_frames(level);
	unsigned int i = start > base ? (start - base) >> level_order(level) : 0;
	bool young = false;

	for (; i < S2_ENTRIES; i++) {
		gfn_t first = base + i * span;
		u64 e = READ_ONCE(table[i]);

		if (first >= end)
			break;
		if (!s2e_present(e))
			continue;
		if (!s2e_is_leaf(e, level)) {
			young |= __age_table(s2_table(e), level - 1, first, start, end, clear);
		} else if (e & s2_fmt.accessed) {
			young = true;
			if (clear)
				s2e_clear_bits(&table[i], s2_fmt.accessed);
		}
		if (young && !clear)
			return true;
	}
	return young;
}

bool arch_mmu_age(struct vm *vm, unsigned int as, gfn_t start, gfn_t end, bool clear)
{
	struct vm_mmu *mmu = vm_mmu(vm);
	u64 *root = s2_root(mmu, as);
	bool mapped;

	lockdep_assert_held_write(&vm->mmu_lock);
	if (!root)
		return false;
	if (s2_fmt.accessed)
		return __age_table(root, mmu->levels, 0, start, end, clear);
	/* Hardware without A bits: what is mapped was used since it was last removed. */
	if (!clear)
		return s2e_present(s2_walk(mmu, root, start).val);
	mapped = s2_zap(vm, as, start, end);
	if (mapped)
		arch_flush_tlbs(vm);
	return mapped;
}
