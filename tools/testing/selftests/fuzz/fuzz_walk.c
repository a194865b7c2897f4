// SPDX-License-Identifier: GPL-2.0-only
/*
 * The walk of guest page tables against a second one that is told level by level as the manuals'
 * tables have it (SDM 3 5.3 to 5.7): any tables, any mode, any rights, entries that change meanwhile.
 */
#include <stdbool.h>
#include <string.h>
#include "arch/x86/mmu/guest_paging.h"
#include "input.h"

#define MEM	0x8000u

static u8 mem[MEM], copy[MEM];
static u32 races, reads;

static inline bool gw_read(struct gw_env *env, u64 gpa, u64 *val)
{
	*val = 0;
	reads++;
	must(!(gpa & (env->entry_size - 1)));
	if (gpa > MEM - env->entry_size)
		return false;
	memcpy(val, mem + gpa, env->entry_size);
	return true;
}

static inline int gw_exchange(struct gw_env *env, u64 gpa, u64 old, u64 new)
{
	must(gpa <= MEM - env->entry_size);
	must((new & ~old & ~(GE_A | GE_D)) == 0 && !(old & ~new));
	if (races) {
		races--;
		return 1;
	}
	if (memcmp(mem + gpa, &old, env->entry_size))
		return 1;
	memcpy(mem + gpa, &new, env->entry_size);
	return 0;
}

/* ---- the second walk ---- */

struct ref {
	const struct gw_env *env;
	u64 gva, gpa, size, entries[6], where[6];
	u32 access, error;
	bool w, u, nx;
	int leaf;
};

static u32 code(const struct ref *r, u32 bits)
{
	bool fetches = r->env->smep || (r->env->nxe && r->env->levels != 2);

	return bits | (r->access & GW_WRITE ? 2 : 0) | (r->access & GW_USER ? 4 : 0) |
	       (r->access & GW_FETCH && fetches ? 16 : 0);
}

static u32 index_of(const struct ref *r, int level)
{
	if (r->env->levels == 2)
		return level == 2 ? r->gva >> 22 & 0x3ff : r->gva >> 12 & 0x3ff;
	switch (level) {
	case 5:
		return r->gva >> 48 & 0x1ff;
	case 4:
		return r->gva >> 39 & 0x1ff;
	case 3:		/* a PAE address has 32 bits, but gw_translate() is given them as they are */
		return r->gva >> 30 & 0x1ff;
	case 2:
		return r->gva >> 21 & 0x1ff;
	default:
		return r->gva >> 12 & 0x1ff;
	}
}

static bool is_leaf(const struct ref *r, int level, u64 e)
{
	if (level == 1)
		return true;
	if (!(e & 0x80))
		return false;
	if (r->env->levels == 2)
		return r->env->pse;
	return level == 2 || (level == 3 && r->env->levels > 3 && r->env->gbpages);
}

static bool reserved(const struct ref *r, int level, u64 e, bool leaf)
{
	const struct gw_env *env = r->env;

	if (env->levels == 2)		/* only 4 MiB pages: 21, and 20:13 beyond the width */
		return leaf && level == 2 &&
		       (e & 1u << 21 || ((e >> 13 & 0xff) << 32 & env->rsvd_addr));
	if (e & env->rsvd_addr)
		return true;
	if (e >> 63 && (!env->nxe || (env->levels == 3 && level == 3)))
		return true;
	if (env->levels == 3 && e & 0x7ff0000000000000ull)
		return true;
	if (env->levels == 3 && level == 3)
		return e & 0x1e6;
	if (leaf && level > 1)
		return e & (level == 2 ? 0x1fe000 : 0x3fffe000);
	return !leaf && level > 2 && e & 0x80;
}

/* False: a fault with r->error. */
static bool ref_descend(struct ref *r)
{
	u64 table = r->env->root, e;
	int level;

	r->w = r->u = true;
	r->nx = false;
	for (level = r->env->levels; level; level--) {
		u64 at = table + index_of(r, level) * r->env->entry_size;
		bool leaf;

		e = 0;
		if (at <= MEM - r->env->entry_size)
			memcpy(&e, copy + at, r->env->entry_size);
		if (!(e & 1)) {
			r->error = code(r, 0);
			return false;
		}
		leaf = is_leaf(r, level, e);
		if (reserved(r, level, e, leaf)) {
			r->error = code(r, 1 | 8);
			return false;
		}
		r->entries[level] = e;
		r->where[level] = at;
		if (r->env->levels != 3 || level != 3) {
			r->w &= e >> 1 & 1;
			r->u &= e >> 2 & 1;
			r->nx |= e >> 63;
		}
		if (leaf) {
			r->leaf = level;
			return true;
		}
		table = r->env->levels == 2 ? e & 0xfffff000 : e & 0xffffffffff000ull;
	}
	return false;
}

static bool ref_rights(const struct ref *r)
{
	const struct gw_env *env = r->env;
	bool user = r->access & GW_USER, write = r->access & GW_WRITE;

	if (r->access & GW_FETCH && (r->nx || (user && !r->u) || (!user && r->u && env->smep)))
		return false;
	if (user && (!r->u || (write && !r->w)))
		return false;
	if (!user && write && env->wp && !r->w)
		return false;
	if (!user && r->u && !(r->access & GW_FETCH) && env->smap)
		return env->ac && !(r->access & GW_IMPLICIT);
	return true;
}

static bool ref_key(const struct ref *r)
{
	const struct gw_env *env = r->env;
	u32 key = r->entries[r->leaf] >> 59 & 15;
	bool ad = env->pkru >> 2 * key & 1, wd = env->pkru >> (2 * key + 1) & 1;

	if (!env->pke || !r->u || r->access & GW_FETCH)
		return true;
	return !ad && !(wd && r->access & GW_WRITE && (r->access & GW_USER || env->wp));
}

static void ref_result(struct ref *r)
{
	u64 e = r->entries[r->leaf];
	bool old = r->env->levels == 2;
	int shift = old ? (r->leaf == 2 ? 22 : 12) : 12 + 9 * (r->leaf - 1);

	r->size = 1ull << shift;
	r->gpa = (e & (old ? 0xffffffffull : 0xfffffffffffffull)) >> shift << shift;
	if (old && r->leaf == 2)
		r->gpa |= (e >> 13 & 0xff) << 32;
	r->gpa |= r->gva & (r->size - 1);
}

/* A and D as a CPU leaves them. */
static void ref_mark(const struct ref *r)
{
	int level;

	for (level = r->env->levels; level >= r->leaf; level--) {
		u64 e = r->entries[level] | 0x20;

		if (r->env->levels == 3 && level == 3)
			continue;
		if (level == r->leaf && r->access & GW_WRITE)
			e |= 0x40;
		/* Tables that share memory: the entry may have been marked at another level. */
		e |= copy[r->where[level]] & 0x60;
		memcpy(copy + r->where[level], &e, r->env->entry_size);
	}
}

/* ---- */

static void make_env(struct gw_env *env, struct input *in)
{
	static const u8 widths[] = { 36, 39, 40, 46, 48, 52 };
	u16 f = get(in, 2);
	u8 width = widths[get(in, 1) % sizeof(widths)];

	memset(env, 0, sizeof(*env));
	env->levels = (int[]){ 2, 3, 4, 5 }[f & 3];
	env->entry_size = env->levels == 2 ? 4 : 8;
	env->pse = f & 4;
	env->gbpages = f & 8;
	env->nxe = f & 16;
	env->wp = f & 32;
	env->smep = f & 64;
	env->smap = f & 128;
	env->ac = f & 256;
	env->pke = env->levels > 3 && f & 512;
	env->pkru = get(in, 4);
	env->rsvd_addr = ((1ull << 52) - 1) & ~((1ull << width) - 1);
	env->root = (get(in, 1) % 9) << 12 | (env->levels == 3 ? get(in, 1) << 5 & 0xfe0 : 0);
	gw_env_masks(env);
}

/* Entries that lead somewhere, and some bits that do not belong there. */
static void make_tables(const struct gw_env *env, struct input *in, u64 *gva)
{
	u32 n = get(in, 1) % 24, k, flip;

	memset(mem, 0, sizeof(mem));
	for (k = 0; k < n; k++) {
		u32 at = (get(in, 1) % 8) << 12 | (get(in, 1) & 7) * env->entry_size;
		u64 e = (get(in, 1) % 9) << 12 | get(in, 2);

		if (env->levels == 3 && at >> 12 == env->root >> 12 && e & 0x100)
			e &= 0xfff019;
		e |= get(in, 1) & 1 ? 7 : 0;
		flip = get(in, 1);
		if (flip & 0x40)
			e ^= 1ull << (flip & 0x3f);
		memcpy(mem + at, &e, env->entry_size);
	}
	/* Small indices at every level meet them. */
	*gva = get(in, 2) & 0xfff;
	for (k = 0; k < 5; k++)
		*gva |= (u64)(get(in, 1) & 7) << (12 + (env->levels == 2 ? 10 : 9) * k);
	if (env->levels < 4)
		*gva &= 0xffffffff;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, data + size };
	struct guest_walk_result res;
	struct gw_env env;
	struct ref r = { .env = &env };
	bool fault, debug, raced;
	int k, ret;

	make_env(&env, &in);
	make_tables(&env, &in, &r.gva);
	for (k = 0; k < 6; k++) {
		r.access = get(&in, 1) & 15;
		debug = r.access == 15 && !(get(&in, 1) & 1);
		if (r.access & GW_FETCH)
			r.access &= ~GW_WRITE;
		races = get(&in, 1) % 8 ? 0 : get(&in, 1);
		raced = races;
		memcpy(copy, mem, MEM);
		memset(r.where, 0xff, sizeof(r.where));
		fault = !ref_descend(&r);
		/* Marked as the entry of another table, a PDPTE of PAE holds reserved bits. */
		if (env.levels == 3 && r.where[3] < MEM &&
		    (r.where[1] == r.where[3] || r.where[2] == r.where[3]))
			continue;
		if (!fault && !debug && !ref_rights(&r)) {
			fault = true;
			r.error = code(&r, 1);
		} else if (!fault && !debug && !ref_key(&r)) {
			fault = true;
			r.error = code(&r, 1 | 32);
		}
		reads = 0;
		ret = gw_translate(&env, r.gva, r.access, debug, &res);
		must(reads <= GW_TRIES * 5);
		must(ret == fault);
		if (fault) {
			must(res.error_code == r.error);
		} else {
			ref_result(&r);
			must(res.gpa == r.gpa && res.page_size == r.size);
			if (!debug)
				ref_mark(&r);
		}
		/* Others' changes may keep the walker from marking, but nothing else. */
		if (!raced)
			must(!memcmp(mem, copy, MEM));
		r.gva ^= (u64)get(&in, 2) << (get(&in, 1) % 48);
		if (env.levels < 4)
			r.gva &= 0xffffffff;
	}
	return 0;
}
