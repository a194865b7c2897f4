// SPDX-License-Identifier: GPL-2.0-only
/*
 * KEEL_DEBUG=1: the flush rule is asserted at every release of a page or table and at every guest
 * entry. flush_model.h says how; a complaint is a warning that begins with "flush rule".
 */
#ifdef KEEL_DEBUG

#include <linux/slab.h>
#include <keel/vcpu.h>
#include "virt/compat/compat.h"
#include "arch/x86/mmu/internal.h"

static struct flush_vm *proof(struct vm *vm)
{
	return &vm_mmu(vm)->proof;
}

static void release(struct vm *vm, u64 *mark, u64 number, const char *what)
{
	struct vcpu *vcpu;
	unsigned int i;

	WARN_ONCE(READ_ONCE(proof(vm)->flushed) < number, "flush rule: no flush before %s", what);
	flush_model_release(mark, number);
	vm_for_each_vcpu(vm, i, vcpu)
		WARN_ONCE(!flush_model_safe(&to_x86(vcpu)->mmu.proof, number),
			  "flush rule: a vCPU may still use %s", what);
}

void flush_proof_cleared(struct vm *vm, u64 *table)
{
	lockdep_assert_held_write(&vm->mmu_lock);
	flush_model_clear(proof(vm));
	proof(vm)->zapped = true;
	if (table)
		page_private_add(table, proof(vm)->last << PRIVATE_NUMBER_SHIFT);
}

void flush_proof_protected(struct vm *vm)
{
	lockdep_assert_held_write(&vm->mmu_lock);
	flush_model_clear(proof(vm));
	proof(vm)->protected = proof(vm)->last;
}

u64 flush_proof_begin(struct vm *vm)
{
	return READ_ONCE(proof(vm)->last);
}

void flush_proof_done(struct vm *vm, u64 begun)
{
	u64 *flushed = &proof(vm)->flushed, old = READ_ONCE(*flushed), seen;

	/* Two may end at once: the higher number stays. */
	for (; old < begun; old = seen) {
		seen = cmpxchg64(flushed, old, begun);
		if (seen == old)
			return;
	}
}

void arch_mmu_end_change(struct vm *vm)
{
	lockdep_assert_held_write(&vm->mmu_lock);
	if (!proof(vm)->zapped)
		return;
	proof(vm)->zapped = false;
	release(vm, &proof(vm)->released, proof(vm)->last, "a page");
}

void arch_mmu_end_protect(struct vm *vm)
{
	release(vm, &proof(vm)->reported, READ_ONCE(proof(vm)->protected), "a W");
}

void flush_proof_free(struct vm *vm, const struct list_head *unlinked)
{
	struct page *page;
	u64 number = 0;

	list_for_each_entry(page, unlinked, lru)
		number = max_t(u64, number, page_private(page) >> PRIVATE_NUMBER_SHIFT);
	release(vm, &proof(vm)->released, number, "a table");
}

void flush_proof_tables(struct vm *vm, int delta)
{
	atomic_long_add(delta, (atomic_long_t *)&proof(vm)->tables);
}

void flush_proof_end(struct vm *vm)
{
	WARN_ONCE(proof(vm)->tables, "flush rule: %ld tables are never freed", proof(vm)->tables);
}

int flush_proof_vcpu_init(struct x86_vcpu *vcpu)
{
	struct flush_vcpu *p = &vcpu->mmu.proof;

	p->cpu = FLUSH_OUTSIDE;
	p->clean = kcalloc(nr_cpu_ids, sizeof(u64), GFP_KERNEL_ACCOUNT);
	return p->clean ? 0 : -ENOMEM;
}

void flush_proof_vcpu_destroy(struct x86_vcpu *vcpu)
{
	kfree(vcpu->mmu.proof.clean);
}

void mmu_tlb_fresh(struct x86_vcpu *vcpu)
{
	vcpu->mmu.proof.fresh = true;
}
KEEL_EXPORT(mmu_tlb_fresh);

void mmu_tlb_drop(struct x86_vcpu *vcpu)
{
	flush_model_drop(proof(vcpu->v.vm), &vcpu->mmu.proof, smp_processor_id());
}
KEEL_EXPORT(mmu_tlb_drop);

void flush_proof_enter(struct x86_vcpu *vcpu)
{
	WARN_ONCE(!flush_model_enter(proof(vcpu->v.vm), &vcpu->mmu.proof, smp_processor_id()),
		  "flush rule: entry with old translations");
}

void flush_proof_exit(struct x86_vcpu *vcpu)
{
	flush_model_exit(&vcpu->mmu.proof, vcpu->exit.entry_failed);
}

#endif
