// SPDX-License-Identifier: GPL-2.0-only
/*
 * The memory of page tables: a cache per vCPU, so that nothing is allocated under
 * mmu_lock, and the way out: cut out of the tree, flushed, freed.
 */
#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/vmstat.h>
#include "virt/compat/compat.h"
#include "arch/x86/mmu/internal.h"

/* Tables freed at once by whoever flushed, often under mmu_lock; the rest is left to work. */
#define FREE_AT_ONCE		32

u64 *table_alloc(void)
{
	struct page *page = alloc_page(GFP_KERNEL_ACCOUNT | __GFP_ZERO);

	if (!page)
		return NULL;
	set_page_private(page, 0);
	/* SecPageTables of /proc/meminfo, sec_pagetables of the VMM's cgroup. */
	mod_lruvec_page_state(page, NR_SECONDARY_PAGETABLE, 1);
	return page_address(page);
}

void table_free(u64 *table)
{
	set_page_private(virt_to_page(table), 0);
	mod_lruvec_page_state(virt_to_page(table), NR_SECONDARY_PAGETABLE, -1);
	free_page((unsigned long)table);
}

int table_cache_fill(struct x86_vcpu *vcpu, unsigned int nr)
{
	struct vcpu_mmu *m = &vcpu->mmu;

	while (m->nr_cached < nr) {
		u64 *table = table_alloc();

		if (!table)
			return -ENOMEM;
		m->cache[m->nr_cached++] = table;
	}
	return 0;
}

u64 *table_cache_take(struct x86_vcpu *vcpu)
{
	struct vcpu_mmu *m = &vcpu->mmu;

	return m->nr_cached ? m->cache[--m->nr_cached] : NULL;
}

void table_cache_give(struct x86_vcpu *vcpu, u64 *table)
{
	struct vcpu_mmu *m = &vcpu->mmu;

	m->cache[m->nr_cached++] = table;
}

static u64 *leaf_stat(struct vm *vm, int level)
{
	switch (level) {
	case 1:
		return &vm->stats.pages_4k;
	case 2:
		return &vm->stats.pages_2m;
	default:
		return &vm->stats.pages_1g;
	}
}

void table_count_leaf(struct vm *vm, u64 *entry, int level, int delta)
{
	page_private_add(entry, delta);
	vm_stat_add(leaf_stat(vm, level), delta);
}

void __table_unlink(struct vm_mmu *mmu, u64 *table, int level)
{
	page_private_add(table, (long)level << PRIVATE_LEVEL_SHIFT);
	spin_lock(&mmu->free_lock);
	list_add_tail(&virt_to_page(table)->lru, &mmu->unlinked);
	spin_unlock(&mmu->free_lock);
}

/*
 * Free @table of @level and what is below, at most *@budget tables. False if some are left: the
 * entries of those that went are cleared, so it can be gone on with.
 */
static bool free_subtree(struct vm *vm, u64 *table, int level, int *budget)
{
	unsigned int left = PRIVATE_TABLES(page_private(virt_to_page(table))), i;
	unsigned long leaves;

	for (i = 0; left && i < S2_ENTRIES; i++) {
		if (!s2e_present(table[i]) || s2e_is_leaf(table[i], level))
			continue;
		if (!free_subtree(vm, s2_table(table[i]), level - 1, budget))
			return false;
		table[i] = 0;
		table_count_table(&table[i], -1);
		left--;
	}
	if (*budget <= 0)
		return false;
	--*budget;
	leaves = PRIVATE_LEAVES(page_private(virt_to_page(table)));
	if (leaves)
		vm_stat_add(leaf_stat(vm, level), -(s64)leaves);
	flush_proof_tables(vm, -1);
	table_free(table);
	return true;
}

/* Free the subtrees on @list until it is empty or the budget is used up. */
static void free_list(struct vm *vm, struct list_head *list, int budget)
{
	while (!list_empty(list)) {
		struct page *page = list_first_entry(list, struct page, lru);
		int level = PRIVATE_LEVEL(page_private(page));

		list_del(&page->lru);
		if (!free_subtree(vm, page_address(page), level, &budget)) {
			list_add(&page->lru, list);
			return;
		}
	}
}

void tables_release(struct vm *vm, struct list_head *unlinked)
{
	struct vm_mmu *mmu = vm_mmu(vm);

	flush_proof_free(vm, unlinked);
	free_list(vm, unlinked, FREE_AT_ONCE);
	if (list_empty(unlinked))
		return;
	spin_lock(&mmu->free_lock);
	list_splice(unlinked, &mmu->flushed);
	spin_unlock(&mmu->free_lock);
	queue_work(system_dfl_wq, &mmu->free_work);
}

void tables_free_work(struct work_struct *work)
{
	struct vm_mmu *mmu = container_of(work, struct vm_mmu, free_work);
	struct x86_vm *vm = container_of(mmu, struct x86_vm, mmu);
	LIST_HEAD(list);

	spin_lock(&mmu->free_lock);
	list_splice_init(&mmu->flushed, &list);
	spin_unlock(&mmu->free_lock);
	while (!list_empty(&list)) {
		free_list(&vm->vm, &list, FREE_AT_ONCE * 16);
		cond_resched();
	}
}
