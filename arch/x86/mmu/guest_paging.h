/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The guest's own page tables, walked as the CPU does (SDM 3 chapter 5, APM 2 chapter 5). Pure:
 * the includer gives gw_read() and gw_exchange(), the kernel on guest memory, the unit test on an
 * array; both are inlined, for each emulated instruction walks here at least once.
 */
#ifndef KEEL_X86_MMU_GUEST_PAGING_H
#define KEEL_X86_MMU_GUEST_PAGING_H

#include "arch/x86/mmu/walk_env.h"

#define GE_P		(1ull << 0)
#define GE_W		(1ull << 1)
#define GE_U		(1ull << 2)
#define GE_A		(1ull << 5)
#define GE_D		(1ull << 6)
#define GE_PS		(1ull << 7)
#define GE_NX		(1ull << 63)

#define GE_ADDR		0x000ffffffffff000ull
#define GE_ADDR32	0xfffff000u

/* Walks that others' changes of the same entries may undo before the last one counts. */
#define GW_TRIES	4

/* What a walk has come to. */
struct gw_state {
	u64	gva;
	u32	access;
	int	level;			/* of `entry` */
	u64	entry;
	u64	all;			/* bits set in every entry: W, U, A */
	u64	any;			/* bits set in any entry: NX */
	struct {
		u64	gpa, val;
	} used[GW_MAX_LEVELS + 1];	/* by level */
};

/*
 * gw_read - read the entry of env->entry_size bytes at @gpa. False: there is no memory.
 * gw_exchange - replace @old by @new there. 0; 1: it was not @old; negative: not writable.
 */
static inline bool gw_read(struct gw_env *env, u64 gpa, u64 *val);
static inline int gw_exchange(struct gw_env *env, u64 gpa, u64 old, u64 new);

static inline unsigned int gw_shift(const struct gw_env *env, int level)
{
	return 12 + env->index_bits * (level - 1);
}

static inline bool gw_is_pae(const struct gw_env *env)
{
	return env->levels == 3;
}

/*
 * The constants of a paging mode, from levels, entry_size, rsvd_addr, pse, gbpages and nxe:
 * which entries are leaves and which of their bits are reserved (SDM 3 tables 5-4 to 5-20).
 */
static inline void gw_env_masks(struct gw_env *env)
{
	u64 high = env->rsvd_addr | (env->nxe ? 0 : GE_NX);
	int level;

	if (env->entry_size == 4) {
		env->index_bits = 10;
		env->max_leaf = env->pse ? 2 : 1;
		for (level = 1; level <= 2; level++)
			env->rsvd_table[level] = env->rsvd_leaf[level] = 0;
		/* A 4 MiB page: bits 20:13 are address bits 39:32 (PSE-36), bit 21 is reserved. */
		env->rsvd_leaf[2] = 1u << 21 | (u32)((env->rsvd_addr >> 32 & 0xff) << 13);
		return;
	}
	env->index_bits = 9;
	env->max_leaf = gw_is_pae(env) || !env->gbpages ? 2 : 3;
	if (gw_is_pae(env))
		high |= 0x7ff0000000000000ull;
	for (level = 1; level <= env->levels; level++) {
		env->rsvd_table[level] = high | (level > 2 ? GE_PS : 0);
		/* Address bits below the page's size, but for PAT in bit 12. */
		env->rsvd_leaf[level] = high;
		if (level > 1)
			env->rsvd_leaf[level] |= ((1ull << gw_shift(env, level)) - 1) & ~0x1fffull;
	}
	if (gw_is_pae(env))
		env->rsvd_table[3] = high | GE_NX | 0x1e6;
}

static inline u32 gw_error(const struct gw_env *env, u32 access, u32 code)
{
	if (access & GW_WRITE)
		code |= PFERR_W;
	if (access & GW_USER)
		code |= PFERR_U;
	/* Told only where fetches have rights of their own (SDM 3 5.7). */
	if ((access & GW_FETCH) && (env->smep || (env->nxe && env->entry_size == 8)))
		code |= PFERR_I;
	return code;
}

/* Protection keys (SDM 3 5.6.2): data accesses to user pages. */
static inline bool gw_key_allows(const struct gw_env *env, const struct gw_state *s)
{
	u32 bits = env->pkru >> ((s->entry >> 59 & 15) * 2);

	if ((s->access & GW_FETCH) || !(s->all & GE_U))
		return true;
	if (bits & 1)
		return false;
	return !(bits & 2) || !(s->access & GW_WRITE) || (!(s->access & GW_USER) && !env->wp);
}

/* Access rights (SDM 3 5.6.1). NX without NXE was refused as reserved. */
static inline bool gw_allows(const struct gw_env *env, const struct gw_state *s)
{
	bool user_page = s->all & GE_U;

	if ((s->access & GW_FETCH) && (s->any & GE_NX))
		return false;
	if (s->access & GW_USER)
		return user_page && (!(s->access & GW_WRITE) || (s->all & GE_W));
	if ((s->access & GW_WRITE) && env->wp && !(s->all & GE_W))
		return false;
	if (!user_page)
		return true;
	if (s->access & GW_FETCH)
		return !env->smep;
	return !env->smap || (env->ac && !(s->access & GW_IMPLICIT));
}

/* Follow the entries down to a leaf. 0, or the error code of the #PF with bit 31 set. */
#define GW_FAULT	(1u << 31)
static inline u32 gw_descend(struct gw_env *env, struct gw_state *s)
{
	unsigned int bits = env->index_bits, shift = gw_shift(env, env->levels);
	u64 table = env->root, addr = env->entry_size == 4 ? GE_ADDR32 : GE_ADDR;
	int level;

	s->all = ~0ull;
	s->any = 0;
	for (level = env->levels; ; level--, shift -= bits) {
		u64 gpa = table + (s->gva >> shift & ((1u << bits) - 1)) * env->entry_size;
		bool leaf;
		u64 e;

		if (env->pdpte && level == 3)
			e = env->pdpte[s->gva >> shift & 3];
		else if (!gw_read(env, gpa, &e))
			e = 0;
		if (!(e & GE_P))
			return GW_FAULT | gw_error(env, s->access, 0);
		leaf = level == 1 || (level <= env->max_leaf && (e & GE_PS));
		if (e & (leaf ? env->rsvd_leaf : env->rsvd_table)[level])
			return GW_FAULT | gw_error(env, s->access, PFERR_P | PFERR_RSVD);
		s->used[level].gpa = gpa;
		s->used[level].val = e;
		/* A PDPTE of PAE has neither rights nor an A bit. */
		if (level != 3 || !gw_is_pae(env)) {
			s->all &= e;
			s->any |= e;
		}
		if (leaf) {
			s->level = level;
			s->entry = e;
			return 0;
		}
		table = e & addr;
	}
}

/* Set A, and D for writes, where they are missing. False: an entry changed, walk again. */
static inline bool gw_mark(struct gw_env *env, const struct gw_state *s)
{
	int level = gw_is_pae(env) ? 2 : env->levels;

	for (; level >= s->level; level--) {
		u64 val = s->used[level].val, new = val | GE_A;

		if (level == s->level && (s->access & GW_WRITE))
			new |= GE_D;
		/* Tables in read-only memory stay as they are. */
		if (new != val && gw_exchange(env, s->used[level].gpa, val, new) > 0)
			return false;
	}
	return true;
}

static inline bool gw_is_marked(const struct gw_state *s)
{
	return (s->all & GE_A) && (!(s->access & GW_WRITE) || (s->entry & GE_D));
}

static inline void gw_result(const struct gw_env *env, const struct gw_state *s,
			     struct guest_walk_result *r)
{
	u64 size = 1ull << gw_shift(env, s->level);
	u64 base = env->entry_size == 4 ? s->entry & GE_ADDR32 : s->entry & GE_ADDR;

	base &= ~(size - 1);
	/* PSE-36: bits 39:32 of a 4 MiB page. */
	if (env->entry_size == 4 && s->level == 2)
		base |= (s->entry >> 13 & 0xff) << 32;
	r->page_size = size;
	r->gpa = base | (s->gva & (size - 1));
}

/* What the rights of all levels together say: 0, or the error code as above. */
static inline u32 gw_check(const struct gw_env *env, const struct gw_state *s)
{
	if (!gw_allows(env, s))
		return GW_FAULT | gw_error(env, s->access, PFERR_P);
	if (env->pke && !gw_key_allows(env, s))
		return GW_FAULT | gw_error(env, s->access, PFERR_P | PFERR_PK);
	return 0;
}

/*
 * gw_translate_state - 0 with gpa and page_size, or 1 with error_code. @debug: no rights, no A/D. @env:
 * complete, gw_env_masks() included, if it has levels; then @s is what the walk has seen.
 */
static inline int gw_translate_state(struct gw_env *env, u64 gva, u32 access, bool debug,
				     struct guest_walk_result *r, struct gw_state *s)
{
	int tries = 0;
	u32 fault;

	if (!env->levels) {
		r->gpa = (u32)gva;
		r->page_size = 1ull << 32;
		return 0;
	}
	s->gva = gva;
	s->access = access;
	do {
		fault = gw_descend(env, s);
		if (!fault && !debug)
			fault = gw_check(env, s);
		if (fault) {
			r->error_code = fault & ~GW_FAULT;
			return 1;
		}
	} while (!debug && !gw_is_marked(s) && !gw_mark(env, s) && ++tries < GW_TRIES);
	gw_result(env, s, r);
	return 0;
}

static inline int gw_translate(struct gw_env *env, u64 gva, u32 access, bool debug,
			       struct guest_walk_result *r)
{
	struct gw_state s;

	return gw_translate_state(env, gva, access, debug, r, &s);
}

#endif
