/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The formats of stage-2 entries. The page-table code knows neither NPT (APM 2 15.25)
 * nor EPT (SDM 3 29.3.2): it combines the masks of one descriptor, chosen
 * once at load time. Nothing here depends on the kernel but for the types, so
 * the codecs build in userspace as well.
 */
#ifndef KEEL_X86_MMU_PTE_H
#define KEEL_X86_MMU_PTE_H

#include <linux/types.h>

/* vendor_caps.stage2_format */
enum { MMU_FMT_NPT, MMU_FMT_EPT, NR_MMU_FMTS };

#define S2_ENTRIES	512
#define S2_MAX_LEVELS	5
#define S2_PS		(1ull << 7)		/* a leaf above level 1, in both formats */

/*
 * Software bit, ignored by both formats: the host's mapping was writable when
 * this entry was made, so a missing W is ours (dirty log) and may be given back.
 */
#define S2_SW_HOST_W	(1ull << 52)

/*
 * An absent mask is 0. A leaf is: leaf | (writable ? write : 0) | (exec ? exec : nx) |
 * (device ? mem_device : mem_ram) | (old ? 0 : accessed) | (writable && !log ? dirty : 0).
 */
struct s2e_format {
	u64	present;	/* any of these set: the hardware may use the entry */
	u64	table;		/* all bits of an entry that points to a table */
	u64	leaf;		/* bits of every leaf */
	u64	write;
	u64	exec;		/* set when fetches are allowed */
	u64	nx;		/* set when they are not */
	u64	accessed;	/* 0: the hardware keeps no A and D bits */
	u64	dirty;
	u64	mem_ram;	/* memory type of RAM */
	u64	mem_device;	/* and of everything else */
	u64	addr;		/* bits 51:12 in both, without the host's memory encryption bit */
};

extern const struct s2e_format s2e_formats[NR_MMU_FMTS];
/* The format in use, a copy: read-mostly and without an indirection. */
extern struct s2e_format s2_fmt;

/*
 * s2e_select - take @fmt into use. @ad: the hardware keeps A and D bits. @encrypt: address bit that
 * the host sets for its own RAM (APM 2 7.10), or 0. False for an unknown format.
 */
bool s2e_select(unsigned int fmt, bool ad, u64 encrypt);

static inline bool s2e_present(u64 e)
{
	return e & s2_fmt.present;
}

/* @e is present. Level 1 has leaves only. */
static inline bool s2e_is_leaf(u64 e, int level)
{
	return level == 1 || (e & S2_PS);
}

static inline bool s2e_writable(u64 e)
{
	return e & s2_fmt.write;
}

static inline bool s2e_executable(u64 e)
{
	return s2_fmt.exec ? e & s2_fmt.exec : !(e & s2_fmt.nx);
}

/* True also when the hardware does not tell. */
static inline bool s2e_young(u64 e)
{
	return !s2_fmt.accessed || (e & s2_fmt.accessed);
}

static inline u64 s2e_addr(u64 e)
{
	return e & s2_fmt.addr;
}

static inline u64 s2e_make_table(u64 hpa)
{
	return hpa | s2_fmt.table;
}

struct s2e_rights {
	bool	host_write;	/* the host's mapping allows writes */
	bool	write;		/* and so does this entry, now */
	bool	exec;
	bool	device;		/* not RAM: uncached unless the guest says otherwise */
	bool	log;		/* the hardware logs the first write, which sets D */
	bool	old;		/* not used yet: the hardware is to tell when it is */
};

u64 s2e_make_leaf(u64 hpa, int level, struct s2e_rights r);

/* log2 of the bytes that one entry of @level (1 = 4 KiB) maps. */
static inline unsigned int level_shift(int level)
{
	return 12 + 9 * (level - 1);
}

/* The same in frames. */
static inline unsigned int level_order(int level)
{
	return 9 * (level - 1);
}

static inline u64 level_frames(int level)
{
	return 1ull << level_order(level);
}

static inline unsigned int level_index(u64 gfn, int level)
{
	return (gfn >> level_order(level)) & (S2_ENTRIES - 1);
}

#endif
