/* SPDX-License-Identifier: GPL-2.0-only */
/* The tables of statistics as the stats fd and debugfs share them. */
#ifndef KEEL_VIRT_STATS_TABLE_H
#define KEEL_VIRT_STATS_TABLE_H

#include <linux/types.h>
#include <keel/stats.h>
#include <uapi/keel/kvm.h>

/* A struct kvm_stats_desc with its name behind it, as userspace reads it. */
struct stats_row {
	__u32	flags;
	__s16	exponent;
	__u16	size;			/* items; more than 1 is a histogram */
	__u32	offset;			/* of the counter in its struct, in bytes */
	__u32	bucket_size;
	char	name[KEEL_STATS_NAME_SIZE];
};

struct stats_table {
	const struct stats_row	*rows;
	unsigned int		nr;
	size_t			data_size;
};

extern const struct stats_table vm_stats_table;
extern const struct stats_table vcpu_stats_table;

#endif
