// SPDX-License-Identifier: GPL-2.0-only
/*
 * The mmu_notifier of a VM: what the host takes from the VMM's address space is
 * taken from the guest's before the host goes on.
 *
 * Every invalidate counts, whether it touches a slot or not: a start and its end
 * then count alike even if a slot came or went between them. Zapping cuts whole
 * subtrees out of the stage-2 tables, so it is short and never has to yield;
 * ranges that must not block are no special case.
 */
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <keel/arch.h>
#include <keel/dawdle.h>
#include <keel/notifier.h>
#include <keel/vm.h>
#include "virt/compat/compat.h"
#include "virt/trace.h"

static struct vm *mn_vm(struct mmu_notifier *mn)
{
	return container_of(mn, struct vm, notifier.mn);
}

struct gfn_range {
	gfn_t	start, end;
};

/* The frames of @slot that lie in [start, end) of the VMM's addresses, which overlap. */
static struct gfn_range slot_gfns(const struct memslot *slot, hva_t start, hva_t end)
{
	hva_t first = max(start, slot->hva) - slot->hva;
	hva_t last = min(end - 1, slot->hva_node.last) - slot->hva;

	return (struct gfn_range) {
		slot->base_gfn + (first >> PAGE_SHIFT),
		slot->base_gfn + (last >> PAGE_SHIFT) + 1,
	};
}

typedef bool (*gfn_range_fn)(struct vm *vm, unsigned int as, gfn_t start, gfn_t end);

/* @fn for each part of a slot in [start, end); true if it ever was. mmu_lock held for write. */
static bool __for_hvas(struct vm *vm, hva_t start, hva_t end, gfn_range_fn fn)
{
	struct interval_tree_node *node;
	bool ret = false;
	unsigned int as;

	if (start >= end)
		return false;
	for (as = 0; as < KEEL_ADDRESS_SPACES; as++) {
		struct rb_root_cached *tree = &vm->slots[as].by_hva;

		for (node = interval_tree_iter_first(tree, start, end - 1); node;
		     node = interval_tree_iter_next(node, start, end - 1)) {
			struct memslot *slot = container_of(node, struct memslot, hva_node);
			struct gfn_range r = slot_gfns(slot, start, end);

			ret |= fn(vm, as, r.start, r.end);
		}
	}
	return ret;
}

static bool __zap(struct vm *vm, unsigned int as, gfn_t start, gfn_t end)
{
	return arch_mmu_zap(vm, as, start, end, false);
}

/* No flush: a young bit that a TLB keeps from being set again costs the host a guess. */
static bool __age(struct vm *vm, unsigned int as, gfn_t start, gfn_t end)
{
	return arch_mmu_age(vm, as, start, end, true);
}

static bool __test_age(struct vm *vm, unsigned int as, gfn_t start, gfn_t end)
{
	return arch_mmu_age(vm, as, start, end, false);
}

static void __invalidate_begin(struct vm_notifier *n, hva_t start, hva_t end)
{
	if (!n->in_progress++) {
		n->start = start;
		n->end = end;
		return;
	}
	/* One range stands for all in progress: too wide costs a retry, not a fault. */
	n->start = min(n->start, start);
	n->end = max(n->end, end);
}

static int mn_invalidate_start(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	struct vm *vm = mn_vm(mn);

	trace_kvm_unmap_hva_range(range->start, range->end);
	write_lock(&vm->mmu_lock);
	__invalidate_begin(&vm->notifier, range->start, range->end);
	/*
	 * The flush is under the lock: another invalidate of the same page finds the entry
	 * gone, and must not let the page go while a TLB still has it.
	 */
	if (__for_hvas(vm, range->start, range->end, __zap))
		arch_flush_tlbs(vm);
	mmu_write_unlock(vm);
	if (mmu_notifier_range_blockable(range))
		dawdle(DAWDLE_INVALIDATE);
	return 0;
}

static void mn_invalidate_end(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	struct vm *vm = mn_vm(mn);

	write_lock(&vm->mmu_lock);
	vm->notifier.seq++;
	vm->notifier.in_progress--;
	write_unlock(&vm->mmu_lock);
}

static bool age_hvas(struct vm *vm, hva_t start, hva_t end, gfn_range_fn fn)
{
	bool young;

	write_lock(&vm->mmu_lock);
	young = __for_hvas(vm, start, end, fn);
	mmu_write_unlock(vm);
	return young;
}

static keel_young_t mn_clear_young(struct mmu_notifier *mn, struct mm_struct *mm,
				   unsigned long start, unsigned long end)
{
	trace_kvm_age_hva(start, end);
	return age_hvas(mn_vm(mn), start, end, __age);
}

static keel_young_t mn_test_young(struct mmu_notifier *mn, struct mm_struct *mm,
				  unsigned long addr)
{
	trace_kvm_test_age_hva(addr);
	return age_hvas(mn_vm(mn), addr, addr + 1, __test_age);
}

/* The mm dies, or the notifier is unregistered: nothing of it may be mapped any longer. */
static void mn_release(struct mmu_notifier *mn, struct mm_struct *mm)
{
	arch_mmu_zap_all(mn_vm(mn));
}

void notifier_zap_all(struct vm *vm)
{
	write_lock(&vm->mmu_lock);
	vm->notifier.seq++;
	write_unlock(&vm->mmu_lock);
	arch_mmu_zap_all(vm);
}

static const struct mmu_notifier_ops mn_ops = {
	.invalidate_range_start	= mn_invalidate_start,
	.invalidate_range_end	= mn_invalidate_end,
	.clear_flush_young	= mn_clear_young,
	.clear_young		= mn_clear_young,
	.test_young		= mn_test_young,
	.release		= mn_release,
};

int notifier_register(struct vm *vm)
{
	int err;

	vm->notifier.mn.ops = &mn_ops;
	err = mmu_notifier_register(&vm->notifier.mn, vm->mm);
	vm->notifier.registered = !err;
	return err;
}

void notifier_unregister(struct vm *vm)
{
	if (!vm->notifier.registered)
		return;
	mmu_notifier_unregister(&vm->notifier.mn, vm->mm);
	vm->notifier.registered = false;
}

unsigned long notifier_seq(struct vm *vm)
{
	unsigned long seq = READ_ONCE(vm->notifier.seq);

	/* The page is looked up after this; pairs with the unlock in mn_invalidate_end(). */
	smp_rmb();
	return seq;
}

bool notifier_retry(struct vm *vm, unsigned long seq, hva_t start, hva_t end)
{
	const struct vm_notifier *n = &vm->notifier;

	lockdep_assert_held(&vm->mmu_lock);
	if (n->in_progress && start < n->end && end > n->start)
		return true;
	return n->seq != seq;
}
