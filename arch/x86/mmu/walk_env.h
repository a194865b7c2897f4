/* SPDX-License-Identifier: GPL-2.0-only */
/* Words of the guest walk: what is asked, what is answered, on what it depends. Pure. */
#ifndef KEEL_X86_MMU_WALK_ENV_H
#define KEEL_X86_MMU_WALK_ENV_H

#include <linux/types.h>

/* Access rights asked of a guest walk. */
enum {
	GW_WRITE	= 1 << 0,
	GW_USER		= 1 << 1,	/* at CPL 3 */
	GW_FETCH	= 1 << 2,
	GW_IMPLICIT	= 1 << 3,	/* by the CPU itself (GDT, TSS): SMAP ignores AC */
};

/* #PF error code bits (SDM 3 4.7). */
#define PFERR_P		(1u << 0)
#define PFERR_W		(1u << 1)
#define PFERR_U		(1u << 2)
#define PFERR_RSVD	(1u << 3)
#define PFERR_I		(1u << 4)
#define PFERR_PK	(1u << 5)

struct guest_walk_result {
	u64		gpa;		/* of the byte asked for */
	u64		page_size;	/* of the guest's mapping, bytes; 4 GiB without paging */
	u32		error_code;	/* of the #PF, when the walk returned 1 */
};

#define GW_MAX_LEVELS	5

/* The guest's state that a walk depends on. */
struct gw_env {
	void	*mem;		/* for gw_read() and gw_exchange() */
	void	*hint;		/* gw_read()'s: where it read last */
	u64	root;		/* gpa of the top table */
	const u64 *pdpte;	/* PAE: the top table, where the CPU keeps it in registers; or NULL */
	u64	rsvd_addr;	/* bits 51:MAXPHYADDR */
	int	levels;		/* 0 no paging, 2 32-bit, 3 PAE, 4, 5 */
	int	entry_size;	/* 4 or 8 */
	u32	pkru;
	bool	pse, gbpages, nxe, wp, smep, smap, ac, pke;

	/* gw_env_masks() computes the rest */
	int	index_bits;
	int	max_leaf;	/* highest level of a leaf */
	u64	rsvd_table[GW_MAX_LEVELS + 1];	/* by level: bits that must be 0 */
	u64	rsvd_leaf[GW_MAX_LEVELS + 1];
};

#endif
