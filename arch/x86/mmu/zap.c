// SPDX-License-Identifier: GPL-2.0-only
/*
 * Removing entries. A table whose whole span goes is cut out with all that is below
 * it, so a zap costs the edges of its range and no more. Nothing is released before
 * arch_flush_tlbs().
 */
#include <keel/request.h>
#include "arch/x86/mmu/internal.h"

static void __clear_entry(struct vm *vm, u64 *entry, int level)
{
	u64 old = xchg(entry, 0);

	if (s2e_is_leaf(old, level)) {
		flush_proof_cleared(vm, NULL);
		table_count_leaf(vm, entry, level, -1);
		return;
	}
	table_count_table(entry, -1);
	vm->stats.mmu_shadow_zapped++;
	flush_proof_cleared(vm, s2_table(old));
	__table_unlink(vm_mmu(vm), s2_table(old), level - 1);
}

/* @base: first frame of @table. Recursion is as deep as the tree: five. */
static bool __zap_table(struct vm *vm, u64 *table, int level, gfn_t base, gfn_t start, gfn_t end)
{
	gfn_t span = level_frames(level);
	unsigned int i = start > base ? (start - base) >> level_order(level) : 0;
	unsigned int left = table_entries(table);
	bool flush = false;

	for (; left && i < S2_ENTRIES; i++) {
		gfn_t first = base + i * span;
		u64 e = READ_ONCE(table[i]);

		if (first >= end)
			break;
		if (!s2e_present(e))
			continue;
		left--;
		/* A leaf that sticks out of the range goes whole: the rest faults in again. */
		if (s2e_is_leaf(e, level) || (first >= start && first + span <= end)) {
			__clear_entry(vm, &table[i], level);
			flush = true;
		} else {
			flush |= __zap_table(vm, s2_table(e), level - 1, first, start, end);
		}
	}
	return flush;
}

bool s2_zap(struct vm *vm, unsigned int as, gfn_t start, gfn_t end)
{
	struct vm_mmu *mmu = vm_mmu(vm);
	u64 *root = s2_root(mmu, as);

	lockdep_assert_held_write(&vm->mmu_lock);
	if (!root)
		return false;
	return __zap_table(vm, root, mmu->levels, 0, start, end);
}

bool arch_mmu_zap(struct vm *vm, unsigned int as, gfn_t start, gfn_t end, bool may_yield)
{
	/* Short enough never to yield. */
	return s2_zap(vm, as, start, end);
}

void arch_mmu_zap_all(struct vm *vm)
{
	bool flush = false;
	unsigned int as;

	write_lock(&vm->mmu_lock);
	for (as = 0; as < KEEL_ADDRESS_SPACES; as++)
		flush |= s2_zap(vm, as, 0, ~(gfn_t)0);
	if (flush)
		arch_flush_tlbs(vm);
	mmu_write_unlock(vm);
}

void arch_flush_tlbs(struct vm *vm)
{
	struct vm_mmu *mmu = vm_mmu(vm);
	u64 begun = flush_proof_begin(vm);
	LIST_HEAD(unlinked);

	/* Only what was cut out before this flush may go after it. */
	spin_lock(&mmu->free_lock);
	list_splice_init(&mmu->unlinked, &unlinked);
	spin_unlock(&mmu->free_lock);

	vm_stat_add(&vm->stats.remote_tlb_flush_requests, 1);
	if (vm_request_all(vm, REQ_TLB_FLUSH, true))
		vm_stat_add(&vm->stats.remote_tlb_flush, 1);
	flush_proof_done(vm, begun);
	if (!list_empty(&unlinked))
		tables_release(vm, &unlinked);
}
