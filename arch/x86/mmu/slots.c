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
	/* Deleted or moved; or its log was ended, and large pages may come back. */
	if (!new || new->base_gfn != old->base_gfn || !memslot_logged(new)) {
		zap_slot(vm, old);
		return;
	}
	/* A log that starts with all bits set protects each page when its bit is cleared. */
	if (!vm_dirty_log_starts_full(vm))
		s2_protect_slot(vm, new);
}
