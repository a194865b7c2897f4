/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The guest's time-stamp counter: host TSC, scaled if its frequency differs
 * and the hardware can, plus an offset per vCPU.
 */
#ifndef KEEL_X86_TSC_H
#define KEEL_X86_TSC_H

#include <linux/spinlock.h>
#include <linux/types.h>
#include <asm/tsc.h>

struct x86_vm;
struct x86_vcpu;

struct vm_tsc {
	raw_spinlock_t	lock;		/* below, and the matching count of vm_pvclock */
	u32		khz;		/* of new vCPUs; KVM_SET_TSC_KHZ on the VM */
	u32		last_khz;
	u64		last_ns;	/* host time of the last TSC write by userspace or guest */
	u64		last_write;	/* and its value */
	u64		last_offset;
	u64		gen;		/* bumped when a write starts a new set of vCPUs */
	u32		nr_matched;	/* vCPUs of this generation */
	bool		user_set;	/* a vCPU's TSC was written by userspace */
};

struct vcpu_tsc {
	u64	offset;			/* [v] guest = scaled host + offset */
	u64	ratio;			/* [v] fixed point by vendor caps; 0: unscaled */
	u32	khz;			/* [v] */
	s64	adjust;			/* [v] IA32_TSC_ADJUST */
	u64	gen;			/* vm->tsc.lock; counted in nr_matched if it is the VM's */
	u64	last_host;		/* [v] host TSC when last put, 0 before */
	u64	shift_seen;		/* [v] how much of tsc_backward_shift is in offset */
	int	last_cpu;
};

void tsc_module_init(void);
void tsc_vm_init(struct x86_vm *vm);
void tsc_vcpu_init(struct x86_vcpu *vcpu);
/* The vCPU is published: its TSC starts at 0, synchronised with those created at the same time. */
void tsc_vcpu_postcreate(struct x86_vcpu *vcpu);

/* From arch_vcpu_load/put, preemption off. Keep the guest's TSC monotonic over CPUs that differ. */
void tsc_vcpu_load(struct x86_vcpu *vcpu, int cpu);
void tsc_vcpu_put(struct x86_vcpu *vcpu);
/* From arch_cpu_enable/disable, interrupts off: notices a TSC that restarted over a suspend. */
void tsc_cpu_enabled(void);
void tsc_cpu_disabled(void);
/* Changes when the host's TSC has restarted: what was computed from it is void. */
extern u64 tsc_backward_shift;
static inline u64 tsc_suspend_shift(void)
{
	return READ_ONCE(tsc_backward_shift);
}

/* What the guest would read when the host's TSC is @host_tsc. */
u64 guest_tsc(struct x86_vcpu *vcpu, u64 host_tsc);
static inline u64 guest_tsc_now(struct x86_vcpu *vcpu)
{
	return guest_tsc(vcpu, rdtsc());
}

/* Guest ticks to nanoseconds of the host, saturating; for the TSC-deadline timer. */
u64 guest_tsc_to_ns(struct x86_vcpu *vcpu, u64 ticks);
/* The rate at which the guest's TSC really counts; tsc.khz is what userspace asked for. */
u32 tsc_real_khz(struct x86_vcpu *vcpu);
u64 keel_tsc_scale(u64 tsc, u64 ratio);
u32 tsc_host_khz(void);

/* MSRs. */
void tsc_write(struct x86_vcpu *vcpu, u64 val, bool host);	/* IA32_TSC */
void tsc_adjust_write(struct x86_vcpu *vcpu, u64 val, bool host);

/* KVM_SET_TSC_KHZ: 0 or -EINVAL (not to be had on this hardware). */
int tsc_set_khz(struct x86_vcpu *vcpu, u32 khz);
int tsc_vm_set_khz(struct x86_vm *vm, u32 khz);
/* KVM_VCPU_TSC_OFFSET. */
void tsc_set_offset(struct x86_vcpu *vcpu, u64 offset);

/* All TSCs of the VM are one counter, @gen names which. Takes vm->tsc.lock. */
bool tsc_vm_synced(struct x86_vm *vm, u64 *gen);

#endif
