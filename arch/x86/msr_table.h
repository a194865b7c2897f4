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
	u64	value;			/* msr_value_get: what it always reads */
};

/* Where a row's value is kept, for rows with a field. */
u64 *msr_field(struct x86_vcpu *vcpu, const struct msr_row *row);
int msr_field_get(struct x86_vcpu *vcpu, const struct msr_row *row, u32 index, u64 *val, bool host);
int msr_field_set(struct x86_vcpu *vcpu, const struct msr_row *row, u32 index, u64 val, bool host);
int msr_field_host_set(struct x86_vcpu *vcpu, const struct msr_row *row, u32 index, u64 val,
		       bool host);

#define MSR_GET(name)	int name(struct x86_vcpu *vcpu, const struct msr_row *row, u32 index,	\
				 u64 *val, bool host)
#define MSR_SET(name)	int name(struct x86_vcpu *vcpu, const struct msr_row *row, u32 index,	\
				 u64 val, bool host)
/* msr_regs.c */
MSR_GET(msr_tsc_get);
MSR_SET(msr_tsc_set);
MSR_GET(msr_tsc_adjust_get);
MSR_SET(msr_tsc_adjust_set);
MSR_GET(msr_apic_base_get);
MSR_SET(msr_apic_base_set);
MSR_GET(msr_efer_get);
MSR_SET(msr_efer_set);
MSR_GET(msr_syscall_get);
MSR_SET(msr_syscall_set);
MSR_GET(msr_seg_base_get);
MSR_SET(msr_seg_base_set);
bool msr_has_tsc_aux(void);
MSR_SET(msr_tsc_aux_set);
MSR_SET(msr_pat_set);
MSR_GET(msr_xss_get);
MSR_SET(msr_xss_row_set);
bool msr_has_xsaves(void);
/* msr_spec.c */
bool msr_has_spec_ctrl(void);
MSR_GET(msr_spec_ctrl_get);
MSR_SET(msr_spec_ctrl_set);
MSR_SET(msr_pred_cmd_set);
MSR_SET(msr_flush_cmd_set);
MSR_GET(msr_arch_cap_get);
/* msr_platform.c */
MSR_GET(msr_ucode_get);
MSR_SET(msr_ucode_set);
MSR_GET(msr_platform_info_get);
MSR_SET(msr_platform_info_set);
MSR_SET(msr_misc_features_set);
MSR_SET(msr_misc_enable_set);
MSR_GET(msr_perf_cap_get);
MSR_SET(msr_perf_cap_set);
MSR_SET(msr_mmio_conf_set);
MSR_SET(msr_hwcr_set);
bool msr_has_osvw(void);
MSR_GET(msr_osvw_get);
MSR_SET(msr_de_cfg_set);
/* msr_pv.c */
MSR_GET(msr_wall_clock_get);
MSR_SET(msr_wall_clock_set);
MSR_GET(msr_system_time_get);
MSR_SET(msr_system_time_set);
MSR_GET(msr_steal_get);
MSR_SET(msr_steal_set);
MSR_GET(msr_async_pf_get);
MSR_SET(msr_async_pf_set);
MSR_GET(msr_pv_eoi_get);
MSR_SET(msr_pv_eoi_set);

extern const struct msr_row msr_table[];	/* sorted by first, no overlap */
extern const unsigned int msr_table_size;

const struct msr_row *msr_find(u32 index);
/* Once, before the first msr_find(). */
void msr_table_init(void);

/* KVM_GET_MSR_FEATURE_INDEX_LIST: MSRs that tell what the host offers. 0, or 1: not one of them. */
int msr_feature_get(u32 index, u64 *val);
u64 msr_arch_capabilities(void);
u64 msr_de_cfg_supported(void);
extern const u32 msr_features[];
extern const unsigned int msr_features_count;

#endif
