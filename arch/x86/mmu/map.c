// SPDX-License-Identifier: GPL-2.0-only
/* Installing entries: what a fault does under the read side of mmu_lock. */
#include "arch/x86/mmu/internal.h"

/* Put a table under the absent *@pos; false if somebody else was faster. */
static bool link_table(struct x86_vcpu *vcpu, struct s2_pos *pos)
{
	u64 *table = table_cache_take(vcpu);

	/* One is kept as a rule; the caller sees to it when a new part of the tree wants more. */
	if (unlikely(!table))
		return false;
	pos->val = s2e_make_table(virt_to_phys(table));
	/* cmpxchg orders the zeroes of the table before the link. */
	if (cmpxchg64(pos->entry, 0, pos->val) == 0) {
		table_count_table(pos->entry, 1);
		flush_proof_tables(vcpu->v.vm, 1);
		return true;
	}
	table_cache_give(vcpu, table);
	return false;
}

static enum map_result set_leaf(struct x86_vcpu *vcpu, struct s2_pos *pos,
				const struct map_request *r)
{
	u64 hpa = (r->pfn & ~(level_frames(pos->level) - 1)) << 12;
	u64 leaf = s2e_make_leaf(hpa, pos->level, r->rights);

	/* The same page, and never less than was there: a TLB may know it as writable and as written to. */
	if (s2e_present(pos->val))
		leaf |= pos->val & (s2_fmt.write | s2_fmt.dirty | s2_fmt.accessed | S2_SW_HOST_W);
	if (cmpxchg64(pos->entry, pos->val, leaf) != pos->val)
		return MAP_RETRY;
	if (!s2e_present(pos->val))
		table_count_leaf(vcpu->v.vm, pos->entry, pos->level, 1);
	return MAP_DONE;
}

/* A leaf is there. Is it what the fault needs, or can it become that? */
static enum map_result meet_leaf(struct x86_vcpu *vcpu, struct s2_pos *pos,
				 struct map_request *r)
{
	if (leaf_pfn(pos->val, pos->level, r->gfn) != r->pfn)
		return MAP_CONFLICT;
	if ((!r->rights.write || s2e_writable(pos->val)) &&
	    (!r->rights.exec || s2e_executable(pos->val))) {
		r->level = pos->level;
		return MAP_SPURIOUS;
	}
	return pos->level == r->level ? set_leaf(vcpu, pos, r) : MAP_CONFLICT;
}

enum map_result s2_map(struct x86_vcpu *vcpu, u64 *root, struct map_request *r)
{
	const struct vm_mmu *mmu = vm_mmu(vcpu->v.vm);
	struct s2_pos pos = { .level = mmu->levels };
	u64 *table = root;

	for (;;) {
		pos.entry = &table[level_index(r->gfn, pos.level)];
		pos.val = READ_ONCE(*pos.entry);
		if (!s2e_present(pos.val)) {
			/* Below: a table made for a fetch was there already, and its holes stay small. */
			if (pos.level <= r->level) {
				r->level = pos.level;
				return set_leaf(vcpu, &pos, r);
			}
			/* Lost the race: what the winner put there is looked at again. */
			if (!link_table(vcpu, &pos))
				return MAP_RETRY;
			if (unlikely(r->split && pos.level == 2))
				nx_huge_split_done(vcpu->v.vm);
		} else if (s2e_is_leaf(pos.val, pos.level)) {
			return meet_leaf(vcpu, &pos, r);
		} else if (pos.level == r->level && r->merge) {
			return MAP_MERGE;
		}
		table = s2_table(pos.val);
		pos.level--;
	}
}

bool s2_make_writable(struct x86_vcpu *vcpu, u64 *root, const struct memslot *slot, gfn_t gfn)
{
	struct vm *vm = vcpu->v.vm;
	struct s2_pos pos = s2_walk(vm_mmu(vm), root, gfn);

	/* Of a large page, W comes back by mapping small ones. */
	if (!s2e_present(pos.val) || pos.level != 1 || !(pos.val & S2_SW_HOST_W))
		return false;
	if (!s2e_writable(pos.val)) {
		u64 val = pos.val | s2_fmt.write | s2_fmt.dirty | s2_fmt.accessed;

		if (cmpxchg64(pos.entry, pos.val, val) != pos.val)
			return false;
	}
	memslot_mark_dirty(vm, &vcpu->v, slot, gfn);
	return true;
}
