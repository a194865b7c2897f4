// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tracking: write protection for the dirty log, young bits for the host's reclaim.
 * Both go over existing leaves under mmu_lock held for write.
 */
#include <linux/sched.h>
#include <keel/request.h>
#include "virt/compat/compat.h"
#include "arch/x86/mmu/internal.h"

/*
 * Write-protect the leaf at @pos, or, where the hardware logs, take its D bit away. A large one stays
 * for reading: a write to it meets a leaf of another size than it wants, which removes it. True: flush
 * owed.
 */
static bool __protect_leaf(struct vm *vm, const struct s2_pos *pos)
{
	u64 bits = s2_fmt.write;

	if (!s2e_present(pos->val) || !s2e_writable(pos->val))
		return false;
	if (vm_mmu(vm)->hw_log && pos->level == 1) {
		bits = s2_fmt.dirty;
		if (!(pos->val & bits))
			return false;
	}
	s2e_clear_bits(pos->entry, bits);
	flush_proof_protected(vm);
	return true;
}

/* From one entry of a bottom table to that of @gfn in the same table. */
static void move_in_table(struct s2_pos *pos, gfn_t gfn)
{
	u64 *table = (u64 *)((unsigned long)pos->entry & PAGE_MASK);

	pos->entry = &table[level_index(gfn, 1)];
	pos->val = READ_ONCE(*pos->entry);
}

bool arch_mmu_protect_mask(struct vm *vm, const struct memslot *slot, gfn_t base,
			   unsigned long mask)
{
	const struct vm_mmu *mmu = vm_mmu(vm);
	u64 *root = s2_root(mmu, slot->as);
	struct s2_pos pos = { .level = 0 };
	gfn_t last = 0;
	bool flush = false;

	lockdep_assert_held_write(&vm->mmu_lock);
	if (!root)
		return false;
	for (; mask; mask &= mask - 1) {
		gfn_t gfn = base + __ffs(mask);

		/* The next bit is mostly in the same bottom table. */
		if (pos.level == 1 && (gfn ^ last) < level_frames(2))
			move_in_table(&pos, gfn);
		else
			pos = s2_walk(mmu, root, gfn);
		last = gfn;
		flush |= __protect_leaf(vm, &pos);
	}
	return flush;
}

void arch_dirty_log_sync(struct vm *vm)
{
	/* Every exit empties the hardware's log before it lets interrupts in. */
	if (vm_mmu(vm)->hw_log)
		vm_request_all(vm, REQ_LOG_SYNC, true);
}

void keel_log_writes(struct x86_vcpu *vcpu, const u64 *gpa, unsigned int nr)
{
	struct vm *vm = vcpu->v.vm;
	int idx = srcu_read_lock(&vm->srcu);

	for (; nr; nr--, gpa++) {
		struct memslot *slot = vcpu_memslot(&vcpu->v, gpa_to_gfn(*gpa));

		/* mmu_lock is not needed: D stays set until the bit was taken. */
		if (slot)
			memslot_mark_dirty(vm, &vcpu->v, slot, gpa_to_gfn(*gpa));
	}
	srcu_read_unlock(&vm->srcu, idx);
}
KEEL_EXPORT(keel_log_writes);

unsigned int arch_dirty_ring_reserved(void)
{
	return KEEL_DIRTY_RING_RESERVED + keel_vendor.caps.dirty_log_batch;
}

/* Protect what one bottom table or larger entry maps of [gfn, end); returns where to go on. */
static gfn_t __protect_block(struct vm *vm, u64 *root, gfn_t gfn, gfn_t end, bool *flush)
{
	struct s2_pos pos = s2_walk(vm_mmu(vm), root, gfn);
	gfn_t block = level_frames(max(pos.level, 2));
	gfn_t next = min(end, (gfn & ~(block - 1)) + block);

	*flush |= __protect_leaf(vm, &pos);
	if (pos.level > 1)
		return next;
	for (gfn++; gfn < next; gfn++) {
		move_in_table(&pos, gfn);
		*flush |= __protect_leaf(vm, &pos);
	}
	return next;
}

void s2_protect_slot(struct vm *vm, const struct memslot *slot)
{
	gfn_t gfn = slot->base_gfn, end = gfn + slot->npages;
	u64 *root = s2_root(vm_mmu(vm), slot->as);
	bool flush = false;

	write_lock(&vm->mmu_lock);
	while (root && gfn < end) {
		gfn = __protect_block(vm, root, gfn, end, &flush);
		cond_resched_rwlock_write(&vm->mmu_lock);
	}
	write_unlock(&vm->mmu_lock);
	/* Nothing was removed, so the flush may come late. */
	if (flush)
		arch_flush_tlbs(vm);
	arch_mmu_end_protect(vm);
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
