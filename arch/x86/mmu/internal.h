/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Between the files of mmu/: the tree of stage-2 tables.
 *
 * Who holds vm->mmu_lock for read may install: an absent entry becomes a leaf or a
 * table, a leaf gets more rights, all by cmpxchg. Who holds it for write may do anything. The
 * hardware sets A and D bits at any time. Nobody looks at the tables without the lock.
 */
#ifndef KEEL_X86_MMU_INTERNAL_H
#define KEEL_X86_MMU_INTERNAL_H

#include <linux/atomic.h>
#include <linux/io.h>
#include <linux/mm.h>
#include "arch/x86/mmu/pte.h"
#include "arch/x86/x86.h"

static inline struct vm_mmu *vm_mmu(struct vm *vm)
{
	return &to_x86_vm(vm)->mmu;
}

static inline u64 *s2_root(const struct vm_mmu *mmu, unsigned int as)
{
	return READ_ONCE(mmu->root[as]);
}

static inline u64 *s2_table(u64 entry)
{
	return phys_to_virt(s2e_addr(entry));
}

/* Where a walk for one frame ended: at a leaf or at an absent entry. */
struct s2_pos {
	u64	*entry;
	u64	val;
	int	level;
};

/* mmu_lock held. */
static inline struct s2_pos s2_walk(const struct vm_mmu *mmu, u64 *root, gfn_t gfn)
{
	struct s2_pos pos = { .level = mmu->levels };
	u64 *table = root;

	for (;;) {
		pos.entry = &table[level_index(gfn, pos.level)];
		pos.val = READ_ONCE(*pos.entry);
		if (!s2e_present(pos.val) || s2e_is_leaf(pos.val, pos.level))
			return pos;
		table = s2_table(pos.val);
		pos.level--;
	}
}

/* The frame of the host that leaf @e of @level maps at @gfn. */
static inline hfn_t leaf_pfn(u64 e, int level, gfn_t gfn)
{
	return (s2e_addr(e) >> 12) + (gfn & (level_frames(level) - 1));
}

static inline void s2e_clear_bits(u64 *entry, u64 bits)
{
	/* The hardware may be setting A or D. */
	atomic64_andnot(bits, (atomic64_t *)entry);
}

/*
 * ---- table.c: memory of tables ----
 *
 * A table's struct page is ours while the table lives: lru links what was cut out. private holds the
 * numbers of leaves and of tables in it, for the statistics and so that nobody looks for more
 * entries than there are; once cut out, the level; with KEEL_DEBUG=1 also the number of the
 * clearing (flush_proof.c). With mmu_lock held for write the numbers are exact.
 */
#define PRIVATE_TABLES_SHIFT	10
#define PRIVATE_LEVEL_SHIFT	20
#define PRIVATE_NUMBER_SHIFT	24
#define PRIVATE_LEAVES(private)	((private) & 0x3ff)
#define PRIVATE_TABLES(private)	(((private) >> PRIVATE_TABLES_SHIFT) & 0x3ff)
#define PRIVATE_LEVEL(private)	(((private) >> PRIVATE_LEVEL_SHIFT) & 0xf)

static inline void page_private_add(u64 *table, long delta)
{
	atomic_long_add(delta, (atomic_long_t *)&virt_to_page(table)->private);
}

/* A leaf came (1) or went (-1). */
void table_count_leaf(struct vm *vm, u64 *entry, int level, int delta);

/* The table that @entry refers to came (1) or went (-1). */
static inline void table_count_table(u64 *entry, int delta)
{
	page_private_add(entry, (long)delta * (1l << PRIVATE_TABLES_SHIFT));
}

/* Entries of @table that are present. mmu_lock held for write. */
static inline unsigned int table_entries(u64 *table)
{
	unsigned long private = page_private(virt_to_page(table));

	return PRIVATE_LEAVES(private) + PRIVATE_TABLES(private);
}

/*
 * At least @nr tables in the vCPU's cache: MMU_CACHE_TABLES are enough for any fault. May sleep.
 * 0 or -ENOMEM.
 */
int table_cache_fill(struct x86_vcpu *vcpu, unsigned int nr);

/* A zeroed table from the cache, or NULL; give it back if it was not used. */
u64 *table_cache_take(struct x86_vcpu *vcpu);
void table_cache_give(struct x86_vcpu *vcpu, u64 *table);
u64 *table_alloc(void);
void table_free(u64 *table);
/* Cut out of the tree: freed, with all below it, by the next arch_flush_tlbs(). */
void __table_unlink(struct vm_mmu *mmu, u64 *table, int level);
/* Free what was unlinked and flushed, later if it is much. Any context that may not sleep. */
void tables_release(struct vm *vm, struct list_head *unlinked);
void tables_free_work(struct work_struct *work);

/* ---- map.c ---- */

enum map_result {
	MAP_DONE,
	MAP_SPURIOUS,		/* was there already */
	MAP_RETRY,		/* what was to be mapped, or where, changed meanwhile */
	MAP_CONFLICT,		/* something else is: zap the frame, then try again */
	MAP_MERGE,		/* a table is where the whole large page fits: zap that, then try again */
};

struct map_request {
	gfn_t			gfn;
	hfn_t			pfn;	/* of @gfn */
	int			level;	/* wanted; s2_map() stores that of the leaf, which may differ */
	struct s2e_rights	rights;
	bool			split;	/* small only because large ones must not be executed */
	bool			merge;	/* takes the place of a table, too */
	struct page		*dirty;	/* the guest may write to it once mapped; or NULL */
};

/* mmu_lock held, for read at least. MAP_RETRY with an empty cache: it had too few tables. */
enum map_result s2_map(struct x86_vcpu *vcpu, u64 *root, struct map_request *r);
/* The entry lacks only W, and only for the dirty log: give it back. mmu_lock held for read. */
bool s2_make_writable(struct x86_vcpu *vcpu, u64 *root, const struct memslot *slot, gfn_t gfn);

/* ---- fault.c ---- */

struct s2_want {
	gfn_t	gfn;
	bool	write;
	bool	exec;
	bool	ahead;		/* nobody has used the page yet */
};

/*
 * Map @w->gfn of @slot by the retry rule. Own thread, inside vm->srcu, no lock. 0, and *@level of
 * what maps it; -EAGAIN: something changed meanwhile; -ENOMEM; else as hva_to_host_page().
 */
int s2_map_slot_page(struct x86_vcpu *vcpu, const struct memslot *slot, const struct s2_want *w,
		     int *level);

/* ---- root.c ---- */

/* The root of an address space, made if there is none; NULL without memory. May sleep. */
u64 *s2_root_get(struct vm_mmu *mmu, unsigned int as);

/* ---- hugepage.c ---- */

/* Level at which @gfn of @slot may be mapped to @pfn: alignment and the host's mapping. No lock. */
int s2_map_level(struct vm *vm, const struct memslot *slot, gfn_t gfn, hfn_t pfn);

/* ---- nx_huge.c ---- */

/* Large pages must not be executed. Read after notifier_seq(): a change makes the fault retry. */
extern bool s2_nx_huge;
void nx_huge_module_init(void);
void nx_huge_vm_init(struct vm_mmu *mmu);
/* A table of small pages was made where a large page could be. mmu_lock held for read. */
void nx_huge_split_done(struct vm *vm);

/* ---- zap.c, track.c ---- */

/* mmu_lock held for write. True: flush owed. */
bool s2_zap(struct vm *vm, unsigned int as, gfn_t start, gfn_t end);
/* Make way for large pages where the host has them, and flush. Takes mmu_lock now and then; sleeps. */
void s2_merge_slot(struct vm *vm, const struct memslot *slot);
/* Write-protect a whole slot, and flush. Takes mmu_lock, gives it up now and then. */
void s2_protect_slot(struct vm *vm, const struct memslot *slot);

#endif
