// SPDX-License-Identifier: GPL-2.0-only
/* What a change of the memory slots means to the stage-2 tables. */
#include "arch/x86/mmu/internal.h"

int arch_memslot_prepare(struct vm *vm, const struct memslot *old, const struct memslot *new)
{
	if (new && new->base_gfn + new->npages > mmu_gfn_limit(vm_mmu(vm)))
		return -EINVAL;
	return 0;
}

static void zap_slot(struct vm *vm, const struct memslot *slot)
{
	write_lock(&vm->mmu_lock);
	if (s2_zap(vm, slot->as, slot->base_gfn, slot->base_gfn + slot->npages))
		arch_flush_tlbs(vm);
	mmu_write_unlock(vm);
}

void arch_memslot_commit(struct vm *vm, const struct memslot *old, const struct memslot *new)
{
	if (!old)
		return;
	if (!new || new->base_gfn != old->base_gfn) {
		zap_slot(vm, old);
	} else if (!memslot_logged(new)) {
		/* The log has ended. What stays small gets W back by a fault. */
		s2_merge_slot(vm, new);
	} else if (!vm_dirty_log_starts_full(vm)) {
		/* Protected first: the tables are made without W then. */
		s2_protect_slot(vm, new);
		arch_mmu_split(vm, new, new->base_gfn, new->base_gfn + new->npages);
	}
	/* A log that starts with all bits set protects and splits when a bit is cleared. */
}
