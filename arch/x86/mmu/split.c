// SPDX-License-Identifier: GPL-2.0-only
/*
 * Large pages and the dirty log. When a log starts, or, with KVM_DIRTY_LOG_INITIALLY_SET, when its
 * bits are cleared, large leaves become tables of small ones, so that a guest's write costs one
 * protection fault and not a large page taken away. When the log ends, tables that a large page
 * could replace go, and the next access maps that page.
 *
 * Both go over a slot of any size: in small steps, giving mmu_lock up whenever somebody wants it.
 */
#include <linux/moduleparam.h>
#include <linux/sched.h>
#include "virt/compat/compat.h"
#include "arch/x86/mmu/internal.h"

static bool eager_page_split = true;
module_param(eager_page_split, bool, 0644);
MODULE_PARM_DESC(eager_page_split, "Split large pages when dirty logging starts (default yes)");

/* Tables allocated at a time, with no lock held. */
#define SPARE_TABLES	16

struct spare {
	u64		*table[SPARE_TABLES];
	unsigned int	nr;
};

static bool spare_fill(struct spare *s)
{
	while (s->nr < SPARE_TABLES) {
		s->table[s->nr] = table_alloc();
		if (!s->table[s->nr])
			break;
		s->nr++;
	}
	return s->nr;
}

static void spare_free(struct spare *s)
{
	while (s->nr)
		table_free(s->table[--s->nr]);
}

/* The entries of @table map what the leaf @val of @level maps. */
static void fill_table(u64 *table, u64 val, int level)
{
	u64 step = level_frames(level - 1) << 12;
	unsigned int i;

	if (level == 2)
		val &= ~S2_PS;
	for (i = 0; i < S2_ENTRIES; i++)
		table[i] = val + i * step;
}

/* False: the hardware changed the entry meanwhile; the table is still the caller's. */
static bool __split_leaf(struct vm *vm, const struct s2_pos *pos, u64 *table)
{
	u64 val = pos->val;

	/* What was protected for the log may be written to where the hardware logs small pages. */
	if (vm_mmu(vm)->hw_log && pos->level == 2 && !s2e_writable(val) && val & S2_SW_HOST_W)
		val = (val | s2_fmt.write) & ~s2_fmt.dirty;
	fill_table(table, val, pos->level);
	/* Orders the entries before the link. */
	if (cmpxchg64(pos->entry, pos->val, s2e_make_table(virt_to_phys(table))) != pos->val)
		return false;
	table_count_leaf(vm, pos->entry, pos->level, -1);
	table_count_table(pos->entry, 1);
	flush_proof_tables(vm, 1);
	table_count_leaf(vm, table, pos->level - 1, S2_ENTRIES);
	return true;
}

/* The first frame behind what the entry at @pos, or its bottom table, covers. */
static gfn_t next_block(const struct s2_pos *pos, gfn_t gfn)
{
	gfn_t block = level_frames(max(pos->level, 2));

	return (gfn & ~(block - 1)) + block;
}

/*
 * No flush: what a TLB may still hold of the large leaf translates as the small ones do, and
 * whoever takes rights away from those flushes.
 */
void arch_mmu_split(struct vm *vm, const struct memslot *slot, gfn_t start, gfn_t end)
{
	const struct vm_mmu *mmu = vm_mmu(vm);
	u64 *root = s2_root(mmu, slot->as);
	struct spare spare = {};
	gfn_t gfn = start;

	if (!root || !READ_ONCE(eager_page_split))
		return;
	write_lock(&vm->mmu_lock);
	while (gfn < end) {
		struct s2_pos pos = s2_walk(mmu, root, gfn);

		if (!s2e_present(pos.val) || pos.level == 1) {
			gfn = next_block(&pos, gfn);
		} else if (spare.nr) {
			if (__split_leaf(vm, &pos, spare.table[spare.nr - 1]))
				spare.nr--;
		} else {
			write_unlock(&vm->mmu_lock);
			/* Without memory the guest's writes split, as they come. */
			if (!spare_fill(&spare))
				return;
			write_lock(&vm->mmu_lock);
		}
		cond_resched_rwlock_write(&vm->mmu_lock);
	}
	write_unlock(&vm->mmu_lock);
	spare_free(&spare);
}

/* ---- and back ---- */

/* A leaf of the bottom table that holds @gfn: what is mapped there, and where. */
static bool any_leaf(const struct s2_pos *pos, gfn_t *gfn, hfn_t *pfn)
{
	u64 *table = (u64 *)((unsigned long)pos->entry & PAGE_MASK);
	unsigned int i;

	for (i = 0; i < S2_ENTRIES; i++) {
		u64 val = READ_ONCE(table[i]);

		if (!s2e_present(val))
			continue;
		*gfn = (*gfn & ~(gfn_t)(S2_ENTRIES - 1)) + i;
		*pfn = leaf_pfn(val, 1, *gfn);
		return true;
	}
	return false;
}

/*
 * Zap the table at @gfn if a larger page may be mapped there; returns where to go on. The host's
 * mapping may change under s2_map_level(): it decides about a zap only.
 */
static gfn_t __merge_block(struct vm *vm, u64 *root, const struct memslot *slot, gfn_t gfn,
			   bool *flush)
{
	struct s2_pos pos = s2_walk(vm_mmu(vm), root, gfn);
	gfn_t next = next_block(&pos, gfn), at = gfn;
	hfn_t pfn;
	int level;

	if (pos.level > 2)
		return next;
	if (pos.level == 2 && !s2e_present(pos.val))
		return next;
	if (pos.level == 2)
		pfn = leaf_pfn(pos.val, 2, at);
	else if (!any_leaf(&pos, &at, &pfn))
		return next;
	/* The slot's first frames may share a table with another slot's. */
	if (at < slot->base_gfn || at >= slot->base_gfn + slot->npages)
		return next;
	level = s2_map_level(vm, slot, at, pfn);
	if (level <= pos.level)
		return next;
	at &= ~(level_frames(level) - 1);
	*flush |= s2_zap(vm, slot->as, at, at + level_frames(level));
	return at + level_frames(level);
}

void s2_merge_slot(struct vm *vm, const struct memslot *slot)
{
	u64 *root = s2_root(vm_mmu(vm), slot->as);
	gfn_t gfn = slot->base_gfn, end = gfn + slot->npages;
	bool flush = false;

	if (!root)
		return;
	write_lock(&vm->mmu_lock);
	while (gfn < end) {
		gfn = __merge_block(vm, root, slot, gfn, &flush);
		if (!need_resched() && !rwlock_needbreak(&vm->mmu_lock))
			continue;
		/* What was removed is flushed before the lock is given up. */
		if (flush)
			arch_flush_tlbs(vm);
		flush = false;
		cond_resched_rwlock_write(&vm->mmu_lock);
	}
	if (flush)
		arch_flush_tlbs(vm);
	write_unlock(&vm->mmu_lock);
}
