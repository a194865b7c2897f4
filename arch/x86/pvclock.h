/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * kvmclock: guest time as a page of (TSC, nanoseconds, scale) per vCPU. One
 * master clock per VM while the host's clock source is the TSC and the vCPUs'
 * TSCs agree; the pages are then written once and are exact on all vCPUs.
 */
#ifndef KEEL_X86_PVCLOCK_H
#define KEEL_X86_PVCLOCK_H

#include <linux/mutex.h>
#include <linux/types.h>
#include <linux/workqueue.h>
#include <keel/types.h>
#include <uapi/keel/kvm.h>

struct task_struct;
struct x86_vm;
struct x86_vcpu;

struct vm_pvclock {
	struct mutex		lock;		/* innermost; no guest memory under it */
	bool			master;		/* the two below are valid for every vCPU */
	u64			master_ns;	/* host base clock ... */
	u64			master_tsc;	/* ... when the host's TSC was this */
	u64			master_gen;	/* generation of vm_tsc that it was made for ... */
	u64			master_shift;	/* ... and tsc_suspend_shift() */
	s64			offset;		/* guest clock = base clock + offset */
	gpa_t			wall;		/* last wall clock address, 0 if none */
	bool			active;		/* some vCPU has enabled its page */
	bool			old_msr;	/* the boot vCPU uses the MSRs 0x11/0x12 */
	struct delayed_work	resync;		/* rewrites pages without the master clock */
};

struct vcpu_pvclock {
	u64		msr;		/* [v] system time MSR as written; bit 0: enabled */
	gpa_t		gpa;		/* of the page, valid if enabled */
	bool		guest_stopped;	/* KVM_KVMCLOCK_CTRL: tell the guest once */
	int		last_cpu;
	u64		steal_msr;	/* [v] steal time MSR; bit 0: enabled */
	u64		steal_last;	/* run delay of steal_task already accounted, ns */
	struct task_struct *steal_task;	/* compared only */
};

int pvclock_module_init(void);
void pvclock_module_exit(void);
void pvclock_vm_init(struct x86_vm *vm);
void pvclock_vm_destroy(struct x86_vm *vm);	/* cancels the work; before the vCPUs go */
void pvclock_vcpu_reset(struct x86_vcpu *vcpu);

/* From arch_vcpu_load, preemption off: requests of clock and steal time, if they are due. */
void pvclock_vcpu_load(struct x86_vcpu *vcpu, int cpu);

/* Handlers of the requests of the same name; run loop, interrupts on. */
void pvclock_update(struct x86_vcpu *vcpu);		/* REQ_CLOCK_UPDATE */
void pvclock_master_update(struct x86_vm *vm);		/* REQ_MASTERCLOCK_UPDATE */
void pvclock_steal_update(struct x86_vcpu *vcpu);	/* REQ_STEAL_UPDATE */

/* This vCPU's TSC was moved, or it is new. Does not sleep. */
void pvclock_tsc_changed(struct x86_vcpu *vcpu);

/* steal.c */
bool steal_supported(void);
void steal_vcpu_load(struct x86_vcpu *vcpu);	/* preemption off */

/* MSRs; 0 or 1 (#GP). */
int pvclock_msr_write(struct x86_vcpu *vcpu, u64 val, bool old, bool host);
int pvclock_wall_write(struct x86_vcpu *vcpu, u64 gpa);
int pvclock_steal_write(struct x86_vcpu *vcpu, u64 val, bool host);

/* ioctls. */
void pvclock_get(struct x86_vm *vm, struct kvm_clock_data *d);
int pvclock_set(struct x86_vm *vm, const struct kvm_clock_data *d);
u32 pvclock_flags_supported(void);			/* value of KVM_CAP_ADJUST_CLOCK */
int pvclock_ctrl(struct x86_vcpu *vcpu);	/* KVM_KVMCLOCK_CTRL; -EINVAL if not enabled */

/* The VM's kvmclock, ns. */
u64 pvclock_now(struct x86_vm *vm);

#endif
