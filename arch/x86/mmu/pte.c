// SPDX-License-Identifier: GPL-2.0-only
/*
 * The two formats of stage-2 entries.
 *
 * NPT (APM 2 15.25.5): the long-mode page table format, read as user accesses: U is
 * set in every entry, NX forbids fetches. Memory types: PAT entry 0 is WB; the
 * host's MTRRs make device memory uncached (APM 2 15.25.8).
 *
 * EPT (SDM 3 29.3.2): R, W, X in bits 0-2, memory type in bits 5:3 of leaves, "ignore
 * PAT" in bit 6. RAM is WB whatever the guest's PAT says; device memory is UC and leaves
 * the guest free to choose WC.
 */
#include "arch/x86/mmu/pte.h"

#define NPT_P		(1ull << 0)
#define NPT_W		(1ull << 1)
#define NPT_U		(1ull << 2)
#define NPT_A		(1ull << 5)
#define NPT_D		(1ull << 6)
#define NPT_NX		(1ull << 63)

#define EPT_R		(1ull << 0)
#define EPT_W		(1ull << 1)
#define EPT_X		(1ull << 2)
#define EPT_MT_WB	(6ull << 3)
#define EPT_MT_UC	(0ull << 3)
#define EPT_IPAT	(1ull << 6)
#define EPT_A		(1ull << 8)
#define EPT_D		(1ull << 9)

#define ADDR_51_12	0x000ffffffffff000ull

const struct s2e_format s2e_formats[NR_MMU_FMTS] = {
	[MMU_FMT_NPT] = {
		.present	= NPT_P,
		.table		= NPT_P | NPT_W | NPT_U | NPT_A,
		.leaf		= NPT_P | NPT_U,
		.write		= NPT_W,
		.nx		= NPT_NX,
		.accessed	= NPT_A,
		.dirty		= NPT_D,
		.addr		= ADDR_51_12,
	},
	[MMU_FMT_EPT] = {
		.present	= EPT_R | EPT_W | EPT_X,
		.table		= EPT_R | EPT_W | EPT_X,
		.leaf		= EPT_R,
		.write		= EPT_W,
		.exec		= EPT_X,
		.accessed	= EPT_A,
		.dirty		= EPT_D,
		.mem_ram	= EPT_MT_WB | EPT_IPAT,
		.mem_device	= EPT_MT_UC,
		.addr		= ADDR_51_12,
	},
};

struct s2e_format s2_fmt;

bool s2e_select(unsigned int fmt, bool ad, u64 encrypt)
{
	if (fmt >= NR_MMU_FMTS)
		return false;
	s2_fmt = s2e_formats[fmt];
	if (!ad) {
		s2_fmt.accessed = 0;
		s2_fmt.dirty = 0;
	}
	s2_fmt.addr &= ~encrypt;
	s2_fmt.table |= encrypt;
	s2_fmt.mem_ram |= encrypt;
	return true;
}

u64 s2e_make_leaf(u64 hpa, int level, struct s2e_rights r)
{
	u64 e = hpa | s2_fmt.leaf | (r.old ? 0 : s2_fmt.accessed);

	if (level > 1)
		e |= S2_PS;
	if (r.host_write)
		e |= S2_SW_HOST_W;
	/* D saves the hardware from setting it: the dirty log goes by W, unless the hardware keeps it. */
	if (r.write)
		e |= s2_fmt.write | (r.log ? 0 : s2_fmt.dirty);
	e |= r.exec ? s2_fmt.exec : s2_fmt.nx;
	e |= r.device ? s2_fmt.mem_device : s2_fmt.mem_ram;
	return e;
}
