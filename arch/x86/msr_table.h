/* SPDX-License-Identifier: GPL-2.0-only */
/* The rows of the MSR table; for msr*.c only. */
#ifndef KEEL_X86_MSR_TABLE_H
#define KEEL_X86_MSR_TABLE_H

#include <linux/types.h>

struct x86_vcpu;

/*
 * MSRs @first to @last. get and set: 0, or 1: the guest gets #GP. A NULL get reads as 0, a NULL set
 * ignores the value; msr_no_get and msr_no_set refuse. @host: for userspace.
 */
struct msr_row {
	u32	first, last;
	int	(*get)(struct x86_vcpu *vcpu, const struct msr_row *row, u32 index, u64 *val,
		       bool host);
	int	(*set)(struct x86_vcpu *vcpu, const struct msr_row *row, u32 index, u64 val,
		       bool host);
	bool	(*listed)(void);	/* is it in KVM_GET_MSR_INDEX_LIST? NULL: no */
	u16	field;			/* msr_field_*: offset in struct vcpu_msrs */
	u64	writable;		/* msr_field_set: the other bits must be 0 */
};

extern const struct msr_row msr_table[];	/* sorted by first, no overlap */
extern const unsigned int msr_table_size;

const struct msr_row *msr_find(u32 index);

/* KVM_GET_MSR_FEATURE_INDEX_LIST: MSRs that tell what the host offers. 0, or 1: not one of them. */
int msr_feature_get(u32 index, u64 *val);
u64 msr_arch_capabilities(void);
u64 msr_de_cfg_supported(void);
extern const u32 msr_features[];
extern const unsigned int msr_features_count;

#endif
