// SPDX-License-Identifier: GPL-2.0-only
/* What a change of the memory slots means to the stage-2 tables. */
#include <keel/request.h>
#include "arch/x86/mmu/internal.h"

static int logs(const struct memslot *slot)
{
	return slot && memslot_logged(slot);
}

/*
 * The hardware logs on every vCPU before the first slot is known as logged: from then on pages
 * may be writable without being in the log.
 */
static void hw_log_begin(struct vm *vm)
{
	if (vm_mmu(vm)->hw_log || !keel_vendor.caps.dirty_log_batch)
		return;
	WRITE_ONCE(vm_mmu(vm)->hw_log, true);
	vm_request_all(vm, REQ_INTERCEPTS, true);
}

/* A change of slots is complete. One that failed may have left the log on without a slot. */
static void hw_log_count(struct vm *vm, int delta)
{
	struct vm_mmu *mmu = vm_mmu(vm);

	mmu->nr_logged += delta;
	if (likely(mmu->nr_logged || !mmu->hw_log))
		return;
	WRITE_ONCE(mmu->hw_log, false);
	vm_request_all(vm, REQ_INTERCEPTS, false);
}

int arch_memslot_prepare(struct vm *vm, const struct memslot *old, const struct memslot *new)
{
	if (new && new->base_gfn + new->npages > mmu_gfn_limit(vm_mmu(vm)))
		return -EINVAL;
	if (logs(new))
		hw_log_begin(vm);
	/* If the change fails it stays so, which costs time only. */
	if (old && new && old->base_gfn != new->base_gfn)
		WRITE_ONCE(vm_mmu(vm)->moving, true);
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
	hw_log_count(vm, logs(new) - logs(old));
	/* A slot where the APIC's page is mapped is what the VMM wants there. */
	if (new && new->base_gfn <= APIC_ACCESS_GFN && APIC_ACCESS_GFN - new->base_gfn < new->npages)
		mmu_apic_page_off(to_x86_vm(vm));
	if (!old)
		return;
	if (!new || new->base_gfn != old->base_gfn) {
		zap_slot(vm, old);
		WRITE_ONCE(vm_mmu(vm)->moving, false);
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
