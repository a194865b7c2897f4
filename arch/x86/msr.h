/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Model-specific registers: a table of rows (msr_table.c) behind two
 * functions, the userspace filter in front of them, and the exits to userspace.
 */
#ifndef KEEL_X86_MSR_H
#define KEEL_X86_MSR_H

#include <linux/types.h>
#include <keel/verdict.h>
#include <uapi/keel/kvm.h>

struct x86_vm;
struct x86_vcpu;
struct ioctl_table;

#define MCE_BANKS		32	/* KVM_CAP_MCE */
#define MTRR_VARIABLE		8
#define MTRR_FIXED		11

/* What a vCPU stores for MSRs that no other part owns. All [v]. */
struct vcpu_msrs {
	u64	pat;
	u64	misc_enable;
	u64	misc_features;		/* 0x140: CPUID faulting */
	u64	platform_info;
	u64	arch_capabilities;
	u64	power_ctl;		/* kept for the guest, without effect */
	u64	ucode_rev;
	u64	smi_count;
	u64	hwcr;
	u64	tsc_aux;		/* the guest's value; the vendor loads it */
	u64	spec_ctrl;		/* same */
	bool	spec_pass;		/* the guest uses SPEC_CTRL: no more exits for it if the vendor can */
	bool	ibpb_pass;		/* and PRED_CMD */
	u64	de_cfg;
	u64	debugctl;
	u64	mtrr_def_type;
	u64	mtrr_fixed[MTRR_FIXED];
	u64	mtrr_var[MTRR_VARIABLE * 2];
	u64	mcg_cap;		/* from KVM_X86_SETUP_MCE */
	u64	mcg_status, mcg_ctl;
	u64	*mce;			/* MCE_BANKS * 4: CTL, STATUS, ADDR, MISC of each bank */
	u64	osvw_length, osvw_status;
	u64	async_pf;		/* MSR_KVM_ASYNC_PF_EN: kept, nothing is delivered */
	u64	pv_eoi;			/* MSR_KVM_PV_EOI_EN */
	u64	exit_rip;		/* of the instruction that went to userspace */
	bool	enforce_pv;		/* KVM_CAP_ENFORCE_PV_FEATURE_CPUID */
};

/* One published filter; immutable. A change makes a new one, freed after an SRCU grace period. */
struct msr_filter {
	bool	default_allow;
	u8	nr;
	struct msr_filter_range {
		u32		base, nmsrs, flags;
		unsigned long	*bitmap;
	} range[KVM_MSR_FILTER_MAX_RANGES];
};

struct vm_msr_filter {
	struct msr_filter __rcu	*filter;	/* vm->srcu; writers vm->lock. NULL: none */
	bool	no_platform_info;	/* KVM_CAP_MSR_PLATFORM_INFO: the guest may not read 0xce */
};

/*
 * msr_read/msr_write - @host: for userspace, which may do more than the guest. 0; 1: bad value or
 * no access, the guest gets #GP; MSR_UNKNOWN: nobody knows the index. They never see the filter.
 * Own thread.
 */
#define MSR_UNKNOWN	2
#define MSR_FILTERED	3
int msr_read(struct x86_vcpu *vcpu, u32 index, u64 *val, bool host);
int msr_write(struct x86_vcpu *vcpu, u32 index, u64 val, bool host);

/* RDMSR, WRMSR of the guest, through the filter: the same, or MSR_FILTERED. */
int msr_guest_read(struct x86_vcpu *vcpu, u32 index, u64 *val);
int msr_guest_write(struct x86_vcpu *vcpu, u32 index, u64 val);
/*
 * What follows a result @ret other than 0: an exit to userspace that completes the instruction
 * later, or #GP.
 */
verdict_t msr_access_failed(struct x86_vcpu *vcpu, u32 index, u64 val, bool write, int ret);
/* With interrupts off: true if the write was done completely (x2APIC ICR, TSC deadline). */
bool msr_fast_write(struct x86_vcpu *vcpu, u32 index, u64 val);

/* The guest has written SPEC_CTRL or PRED_CMD by an exit. */
void msr_spec_written(struct x86_vcpu *vcpu, u32 index);

/* Is there a filter at all? A look for the hot paths. */
#define msr_filtered(vcpu)	(rcu_access_pointer(vcpu_vm(vcpu)->msr_filter.filter) != NULL)
/* May the guest do this access itself? Vendors ask it for their bitmaps. Takes vm->srcu. */
bool msr_allowed(struct x86_vcpu *vcpu, u32 index, u32 access);	/* KVM_MSR_FILTER_READ or _WRITE */

int msr_vcpu_init(struct x86_vcpu *vcpu);		/* -ENOMEM */
void msr_vcpu_destroy(struct x86_vcpu *vcpu);
void msr_vcpu_reset(struct x86_vcpu *vcpu, bool init);
void msr_filter_destroy(struct x86_vm *vm);
void msr_module_init(void);		/* which MSRs exist on this host */

extern const struct ioctl_table msr_dev_ioctls;		/* index lists, feature MSRs */
extern const struct ioctl_table msr_vm_ioctls;		/* KVM_X86_SET_MSR_FILTER */
extern const struct ioctl_table msr_vm_compat_ioctls;	/* the same of a 32-bit VMM */
extern const struct ioctl_table msr_vcpu_ioctls;	/* KVM_GET/SET_MSRS */

/* mtrr.c, mce.c: owners of whole ranges. 0, 1 (#GP). */
int mtrr_get(struct x86_vcpu *vcpu, u32 index, u64 *val);
int mtrr_set(struct x86_vcpu *vcpu, u32 index, u64 val, bool host);
bool mtrr_type_valid(u64 type);
bool pat_valid(u64 pat);
int mce_get(struct x86_vcpu *vcpu, u32 index, u64 *val, bool host);
int mce_set(struct x86_vcpu *vcpu, u32 index, u64 val, bool host);
/* KVM_X86_SETUP_MCE, KVM_X86_SET_MCE: 0 or -EINVAL. */
int vcpu_mce_setup(struct x86_vcpu *vcpu, u64 mcg_cap);
int vcpu_mce_inject(struct x86_vcpu *vcpu, const struct kvm_x86_mce *mce);
u64 mce_cap_supported(void);
/* pmu.c */
/* RDPMC: 0 or 1 (#GP). */
int pmu_rdpmc(struct x86_vcpu *vcpu, u32 index, u64 *val);

#endif
