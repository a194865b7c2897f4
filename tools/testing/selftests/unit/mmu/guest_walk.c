// SPDX-License-Identifier: GPL-2.0-only
/* The walk of the guest's page tables in every paging mode, on a small memory. */
#include <string.h>
#include "arch/x86/mmu/guest_paging.h"
#include "tap.h"

#define MEM_SIZE	0x10000

static u8 mem[MEM_SIZE];
static int races;	/* exchanges that are to fail because another CPU was faster */

static inline bool gw_read(struct gw_env *env, u64 gpa, u64 *val)
{
	*val = 0;
	if (gpa > MEM_SIZE - env->entry_size)
		return false;
	memcpy(val, mem + gpa, env->entry_size);
	return true;
}

static inline int gw_exchange(struct gw_env *env, u64 gpa, u64 old, u64 new)
{
	if (races) {
		races--;
		return 1;
	}
	if (memcmp(mem + gpa, &old, env->entry_size))
		return 1;
	memcpy(mem + gpa, &new, env->entry_size);
	return 0;
}

static void put(u64 gpa, int size, u64 val)
{
	memcpy(mem + gpa, &val, size);
}

static u64 get(u64 gpa, int size)
{
	u64 val = 0;

	memcpy(&val, mem + gpa, size);
	return val;
}

static struct guest_walk_result res;

static int walk(struct gw_env *env, u64 gva, u32 access)
{
	memset(&res, 0xee, sizeof(res));
	if (env->levels)
		gw_env_masks(env);
	return gw_translate(env, gva, access, false, &res);
}

static bool maps(struct gw_env *env, u64 gva, u32 access, u64 gpa, u64 size)
{
	return walk(env, gva, access) == 0 && res.gpa == gpa && res.page_size == size;
}

static bool faults(struct gw_env *env, u64 gva, u32 access, u32 code)
{
	return walk(env, gva, access) == 1 && res.error_code == code;
}

#define PTE(a, flags)	((a) | GE_P | (flags))

static void no_paging(void)
{
	struct gw_env env = { 0 };

	CHECK(walk(&env, 0x123456789abcull, GW_WRITE) == 0 && res.gpa == 0x56789abc, "no paging");
}

static void two_levels(void)
{
	struct gw_env env = { .root = 0x1000, .levels = 2, .entry_size = 4, .pse = true, .wp = true,
			      .rsvd_addr = 0x000ffff000000000ull };	/* 36 bits */
	const u32 gva = 3 << 22 | 5 << 12 | 0x678;

	memset(mem, 0, sizeof(mem));
	put(0x1000 + 3 * 4, 4, PTE(0x2000, GE_W | GE_U));
	put(0x2000 + 5 * 4, 4, PTE(0x7654000, GE_U));
	put(0x1000 + 4 * 4, 4, PTE(0x00c00000, GE_W | GE_PS) | 5 << 13);

	CHECK(maps(&env, gva, GW_USER, 0x7654678, 4096), "32-bit: 4K");
	CHECK(get(0x1000 + 12, 4) & GE_A && get(0x2000 + 20, 4) & GE_A &&
	      !(get(0x2000 + 20, 4) & GE_D), "A in each entry, no D by a read");
	CHECK(faults(&env, gva, GW_WRITE | GW_USER, PFERR_P | PFERR_W | PFERR_U), "read-only");
	CHECK(faults(&env, gva, GW_WRITE, PFERR_P | PFERR_W), "read-only for the kernel, WP");
	env.wp = false;
	CHECK(maps(&env, gva, GW_WRITE, 0x7654678, 4096), "without WP the kernel writes");
	CHECK(get(0x2000 + 20, 4) & GE_D, "D by a write");
	CHECK(maps(&env, 4 << 22 | 0x123456, GW_WRITE, 0x500c00000ull | 0x123456, 4 << 20),
	      "PSE-36");
	CHECK(faults(&env, 4 << 22, GW_USER, PFERR_P | PFERR_U), "supervisor page");
	put(0x1000 + 4 * 4, 4, PTE(0x00c00000, GE_W | GE_PS) | 1 << 21);
	CHECK(faults(&env, 4 << 22, 0, PFERR_P | PFERR_RSVD), "bit 21 of a 4M page is reserved");
	put(0x1000 + 4 * 4, 4, PTE(0x00c00000, GE_W | GE_PS) | 0x10 << 13);
	CHECK(faults(&env, 4 << 22, 0, PFERR_P | PFERR_RSVD), "PSE-36 beyond MAXPHYADDR");
	CHECK(faults(&env, 9 << 22, GW_FETCH, 0), "absent; a fetch is not told apart without NX");
	env.pse = false;
	put(0x1000 + 4 * 4, 4, PTE(0x2000, GE_W | GE_PS));
	CHECK(maps(&env, 4 << 22 | 5 << 12, 0, 0x7654000, 4096), "PS is ignored without CR4.PSE");
}

static void pae(void)
{
	struct gw_env env = { .root = 0x1020, .levels = 3, .entry_size = 8, .nxe = true,
			      .rsvd_addr = 0x000ffff000000000ull };
	const u64 gva = 2ull << 30 | 7 << 21 | 9 << 12 | 0xabc;

	memset(mem, 0, sizeof(mem));
	put(0x1020 + 2 * 8, 8, PTE(0x2000, 0));
	put(0x2000 + 7 * 8, 8, PTE(0x3000, GE_W | GE_U));
	put(0x3000 + 9 * 8, 8, PTE(0x912345000ull, GE_W | GE_U));
	put(0x2000 + 8 * 8, 8, PTE(0x400000, GE_W | GE_U | GE_PS) | GE_NX);

	CHECK(maps(&env, gva, GW_WRITE | GW_USER, 0x912345abc, 4096), "PAE: 4K, rights not of PDPTE");
	CHECK(!(get(0x1020 + 16, 8) & GE_A), "a PDPTE has no A");
	CHECK(get(0x3000 + 72, 8) & GE_D, "D");
	CHECK(maps(&env, 2ull << 30 | 8 << 21 | 0x12345, GW_USER, 0x412345, 2 << 20), "2M");
	CHECK(faults(&env, 2ull << 30 | 8 << 21, GW_FETCH | GW_USER, PFERR_P | PFERR_U | PFERR_I),
	      "NX");
	env.nxe = false;
	CHECK(faults(&env, 2ull << 30 | 8 << 21, 0, PFERR_P | PFERR_RSVD), "NX without NXE");
	env.nxe = true;
	put(0x3000 + 9 * 8, 8, PTE(0x12345000, GE_W) | 1ull << 52);
	CHECK(faults(&env, gva, 0, PFERR_P | PFERR_RSVD), "bits 62:52 are reserved");
	put(0x1020 + 2 * 8, 8, PTE(0x2000, GE_W));
	CHECK(faults(&env, gva, 0, PFERR_P | PFERR_RSVD), "PDPTE bit 1 is reserved");
}

static void long_mode_tables(int levels, u64 *gva)
{
	u64 table = 0x1000;
	int level;

	memset(mem, 0, sizeof(mem));
	*gva = 0;
	for (level = levels; level > 1; level--, table += 0x1000) {
		put(table + (level + 1) * 8, 8, PTE(table + 0x1000, GE_W | GE_U));
		*gva |= (u64)(level + 1) << (12 + 9 * (level - 1));
	}
	put(table + 2 * 8, 8, PTE(0x123456000ull, GE_W | GE_U));
	*gva |= 2 << 12 | 0xfed;
}

static void long_mode(int levels)
{
	struct gw_env env = { .root = 0x1000, .levels = levels, .entry_size = 8, .nxe = true,
			      .wp = true, .gbpages = true, .rsvd_addr = 0x000fff0000000000ull };
	u64 gva, pte, pdpt = 0x1000 * (levels - 2);

	long_mode_tables(levels, &gva);
	pte = 0x1000 * levels + 2 * 8;
	CHECK(maps(&env, gva, GW_WRITE | GW_USER, 0x123456fed, 4096), "4K");
	CHECK(maps(&env, gva, GW_FETCH | GW_USER, 0x123456fed, 4096), "fetch");

	put(0x1000 + (levels + 1) * 8, 8, PTE(0x2000, GE_U));
	CHECK(faults(&env, gva, GW_WRITE | GW_USER, PFERR_P | PFERR_W | PFERR_U),
	      "W is taken away at the top");
	put(0x1000 + (levels + 1) * 8, 8, PTE(0x2000, GE_W | GE_U) | GE_NX);
	CHECK(faults(&env, gva, GW_FETCH, PFERR_P | PFERR_I), "NX at the top");
	put(0x1000 + (levels + 1) * 8, 8, PTE(0x2000, GE_W | GE_U | GE_PS));
	CHECK(faults(&env, gva, 0, PFERR_P | PFERR_RSVD), "PS at the top is reserved");
	put(0x1000 + (levels + 1) * 8, 8, PTE(0x2000, GE_W | GE_U));

	env.smep = true;
	CHECK(faults(&env, gva, GW_FETCH, PFERR_P | PFERR_I), "SMEP");
	env.smap = true;
	CHECK(faults(&env, gva, 0, PFERR_P), "SMAP");
	env.ac = true;
	CHECK(walk(&env, gva, 0) == 0, "AC lifts SMAP");
	CHECK(faults(&env, gva, GW_IMPLICIT, PFERR_P), "but not for implicit accesses");
	CHECK(walk(&env, gva, GW_USER) == 0, "user accesses go on");
	env.smep = env.smap = env.ac = false;

	env.pke = true;
	put(pte, 8, PTE(0x123456000ull, GE_W | GE_U) | 5ull << 59);
	env.pkru = 1u << 10;
	CHECK(faults(&env, gva, 0, PFERR_P | PFERR_PK), "protection key: no access");
	CHECK(walk(&env, gva, GW_FETCH | GW_USER) == 0, "keys do not rule fetches");
	env.pkru = 2u << 10;
	CHECK(walk(&env, gva, GW_USER) == 0, "write disable lets reads pass");
	CHECK(faults(&env, gva, GW_WRITE | GW_USER, PFERR_P | PFERR_W | PFERR_U | PFERR_PK),
	      "and stops writes");
	CHECK(faults(&env, gva, GW_WRITE, PFERR_P | PFERR_W | PFERR_PK), "of the kernel with WP");
	env.wp = false;
	CHECK(walk(&env, gva, GW_WRITE) == 0, "not without");
	env.wp = true;
	env.pke = false;

	put(pte, 8, PTE(0x123456000ull, GE_W | GE_U) | 1ull << 41);
	CHECK(faults(&env, gva, 0, PFERR_P | PFERR_RSVD), "address beyond MAXPHYADDR");
	put(pte, 8, 0);
	CHECK(faults(&env, gva, GW_WRITE | GW_FETCH | GW_USER, PFERR_W | PFERR_U | PFERR_I), "absent");
	put(pte, 8, PTE(0x123456000ull, GE_W | GE_U));

	races = 1;
	CHECK(walk(&env, gva, 0) == 0 && get(pte, 8) & GE_A, "an entry that changed is walked again");
	races = 1000;
	put(pte, 8, PTE(0x123456000ull, GE_W | GE_U));
	CHECK(walk(&env, gva, 0) == 0 && races > 900, "but not for ever");
	races = 0;

	put(pdpt + 4 * 8, 8, PTE(0x40000000, GE_W | GE_U | GE_PS));
	CHECK(maps(&env, gva, GW_WRITE, 0x40000000 | (gva & 0x3fffffff), 1 << 30), "1G");
	env.gbpages = false;
	CHECK(faults(&env, gva, 0, PFERR_P | PFERR_RSVD), "1G where CPUID has none");
	put(pdpt + 4 * 8, 8, PTE(0x40002000, GE_W | GE_U | GE_PS));
	env.gbpages = true;
	CHECK(faults(&env, gva, 0, PFERR_P | PFERR_RSVD), "address bits below the page");
	put(pdpt + 4 * 8, 8, PTE(0xf0000000, GE_W | GE_U));
	CHECK(faults(&env, gva, GW_WRITE, PFERR_W), "a table in no memory");
	CHECK(gw_translate(&env, gva, 0, true, &res) == 1, "nor for a debugger");
}

int main(void)
{
	no_paging();
	two_levels();
	pae();
	printf("# four levels\n");
	long_mode(4);
	printf("# five levels\n");
	long_mode(5);
	return tap_done();
}
