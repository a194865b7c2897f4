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

#define GW_MAX_LEVELS	5
/* Walks that others' changes of the same entries may undo before the last one counts. */
#define GW_TRIES	4

/* What a walk has come to. */
struct gw_state {
	u64	gva;
	u32	access;
	int	level;			/* of `entry` */
	u64	entry;
	u64	rights;			/* GE_W, GE_U: of all levels; GE_NX: of none */
	int	nr;			/* entries used */
	struct {
		u64	gpa, val;
		bool	has_a;		/* PAE PDPTEs have no A bit */
	} used[GW_MAX_LEVELS];
};

/*
 * gw_read - read the entry of env->entry_size bytes at @gpa. False: there is no memory.
 * gw_exchange - replace @old by @new there. 0; 1: it was not @old; negative: not writable.
 */
static inline bool gw_read(const struct gw_env *env, u64 gpa, u64 *val);
static inline int gw_exchange(const struct gw_env *env, u64 gpa, u64 old, u64 new);

static inline unsigned int gw_shift(const struct gw_env *env, int level)
{
	return env->entry_size == 4 ? 12 + 10 * (level - 1) : 12 + 9 * (level - 1);
}

static inline u64 gw_index(const struct gw_env *env, u64 gva, int level)
{
	return (gva >> gw_shift(env, level)) & (env->entry_size == 4 ? 1023 : 511);
}

static inline bool gw_is_pae(const struct gw_env *env)
{
	return env->levels == 3;
}

static inline bool gw_is_leaf(const struct gw_env *env, u64 e, int level)
{
	if (level == 1)
		return true;
	if (!(e & GE_PS))
		return false;
	if (env->entry_size == 4)
		return env->pse;
	return level == 2 || (level == 3 && !gw_is_pae(env) && env->gbpages);
}

/* Reserved bits of a 32-bit entry: only those of a 4 MiB page, PSE-36 (SDM 3 table 5-4). */
static inline u64 gw_reserved32(const struct gw_env *env, u64 e, int level)
{
	if (level == 1 || !gw_is_leaf(env, e, level))
		return 0;
	/* Bits 20:13 are address bits 39:32, bit 21 is reserved. */
	return e & (1u << 21 | (u32)((env->rsvd_addr >> 32 & 0xff) << 13));
}

static inline u64 gw_reserved(const struct gw_env *env, u64 e, int level)
{
	u64 mask;

	if (env->entry_size == 4)
		return gw_reserved32(env, e, level);
	mask = env->rsvd_addr;
	if (!env->nxe)
		mask |= GE_NX;
	if (gw_is_pae(env)) {
		mask |= 0x7ff0000000000000ull;
		if (level == 3)
			return e & (mask | GE_NX | 0x1e6);
	}
	if (gw_is_leaf(env, e, level)) {
		/* Address bits below the page's size, but for PAT in bit 12. */
		if (level > 1)
			mask |= ((1ull << gw_shift(env, level)) - 1) & ~0x1fffull;
	} else if (level > 2) {
		mask |= GE_PS;
	}
	return e & mask;
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

	if (!env->pke || (s->access & GW_FETCH) || !(s->rights & GE_U))
		return true;
	if (bits & 1)
		return false;
	return !(bits & 2) || !(s->access & GW_WRITE) || (!(s->access & GW_USER) && !env->wp);
}

/* Access rights (SDM 3 5.6.1). */
static inline bool gw_allows(const struct gw_env *env, const struct gw_state *s)
{
	bool user_page = s->rights & GE_U;

	if ((s->access & GW_FETCH) && !(s->rights & GE_NX))
		return false;
	if (s->access & GW_USER)
		return user_page && (!(s->access & GW_WRITE) || (s->rights & GE_W));
	if ((s->access & GW_WRITE) && env->wp && !(s->rights & GE_W))
		return false;
	if (!user_page)
		return true;
	if (s->access & GW_FETCH)
		return !env->smep;
	return !env->smap || (env->ac && !(s->access & GW_IMPLICIT));
}

/* Follow the entries down to a leaf. 0, or the error code of the #PF with bit 31 set. */
#define GW_FAULT	(1u << 31)
static inline u32 gw_descend(const struct gw_env *env, struct gw_state *s)
{
	u64 table = env->root;

	s->nr = 0;
	s->rights = GE_W | GE_U | GE_NX;
	for (s->level = env->levels; ; s->level--) {
		u64 gpa = table + gw_index(env, s->gva, s->level) * env->entry_size;
		bool pdpte = gw_is_pae(env) && s->level == 3;
		u64 e;

		if (!gw_read(env, gpa, &e) || !(e & GE_P))
			return GW_FAULT | gw_error(env, s->access, 0);
		if (gw_reserved(env, e, s->level))
			return GW_FAULT | gw_error(env, s->access, PFERR_P | PFERR_RSVD);
		s->entry = e;
		s->used[s->nr].gpa = gpa;
		s->used[s->nr].val = e;
		s->used[s->nr++].has_a = !pdpte;
		if (!pdpte)
			s->rights &= (e | ~(GE_W | GE_U)) & ~(env->nxe ? e & GE_NX : 0);
		if (gw_is_leaf(env, e, s->level))
			return 0;
		table = env->entry_size == 4 ? e & GE_ADDR32 : e & GE_ADDR;
	}
}

/* Set A, and D for writes, where they are missing. False: an entry changed, walk again. */
static inline bool gw_mark(const struct gw_env *env, struct gw_state *s)
{
	int i;

	for (i = 0; i < s->nr; i++) {
		u64 val = s->used[i].val;
		u64 new = val | GE_A;

		if (!s->used[i].has_a)
			continue;
		if (i == s->nr - 1 && (s->access & GW_WRITE))
			new |= GE_D;
		/* Tables in read-only memory stay as they are. */
		if (new != val && gw_exchange(env, s->used[i].gpa, val, new) > 0)
			return false;
	}
	return true;
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

/* gw_translate - 0 with gpa and page_size, or 1 with error_code. @debug: no rights, no A/D. */
static inline int gw_translate(const struct gw_env *env, u64 gva, u32 access, bool debug,
			       struct guest_walk_result *r)
{
	struct gw_state s = { .gva = gva, .access = access };
	int tries;
	u32 fault;

	if (!env->levels) {
		r->gpa = (u32)gva;
		r->page_size = 1ull << 32;
		return 0;
	}
	for (tries = 0; tries < GW_TRIES; tries++) {
		fault = gw_descend(env, &s);
		if (!fault && !debug) {
			if (!gw_allows(env, &s))
				fault = GW_FAULT | gw_error(env, access, PFERR_P);
			else if (!gw_key_allows(env, &s))
				fault = GW_FAULT | gw_error(env, access, PFERR_P | PFERR_PK);
		}
		if (fault) {
			r->error_code = fault & ~GW_FAULT;
			return 1;
		}
		if (debug || gw_mark(env, &s))
			break;
	}
	gw_result(env, &s, r);
	return 0;
}

#endif
