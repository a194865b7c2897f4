/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Statistics: plain counters in each VM and vCPU, read through the stats fd (KVM_GET_STATS_FD) and
 * debugfs. The lists below are the one place where a statistic is named: struct member, descriptor
 * and debugfs file all follow from its row. The names are KVM's, which tools know.
 *
 * A row is X(kind, unit, member) or, for a histogram, X(kind, unit, member, buckets).
 * Kinds: CUM (only grows), INST (a current value), PEAK, HIST (buckets of powers of two).
 * Units: NONE, NS, BOOL.
 *
 * A vCPU's counters are written by the thread that runs it and read by anyone: a torn or late
 * value is harmless. A VM's are written under mmu_lock or as atomics through vm_stat_add().
 */
#ifndef KEEL_STATS_H
#define KEEL_STATS_H

#include <linux/atomic.h>
#include <linux/log2.h>
#include <linux/types.h>
#include <linux/workqueue.h>
#include <keel/arch_stats.h>

struct dentry;
struct stats_file;
struct vcpu;
struct vm;

#define KEEL_STATS_NAME_SIZE	48
#define KEEL_HIST_BUCKETS	32

#define VM_STATS_GENERIC(X, XH)							\
	X(CUM,  NONE, remote_tlb_flush)						\
	X(CUM,  NONE, remote_tlb_flush_requests)

#define VCPU_STATS_GENERIC(X, XH)						\
	X(CUM,  NONE, halt_successful_poll)					\
	X(CUM,  NONE, halt_attempted_poll)					\
	X(CUM,  NONE, halt_poll_invalid)					\
	X(CUM,  NONE, halt_wakeup)						\
	X(CUM,  NS,   halt_poll_success_ns)					\
	X(CUM,  NS,   halt_poll_fail_ns)					\
	X(CUM,  NS,   halt_wait_ns)						\
	XH(HIST, NS,  halt_poll_success_hist, KEEL_HIST_BUCKETS)		\
	XH(HIST, NS,  halt_poll_fail_hist, KEEL_HIST_BUCKETS)			\
	XH(HIST, NS,  halt_wait_hist, KEEL_HIST_BUCKETS)			\
	X(INST, BOOL, blocking)

#define STATS_FIELD(kind, unit, member)			u64 member;
#define STATS_FIELD_HIST(kind, unit, member, n)		u64 member[n];

struct vm_stats {
	VM_STATS_GENERIC(STATS_FIELD, STATS_FIELD_HIST)
	VM_STATS_ARCH(STATS_FIELD, STATS_FIELD_HIST)
};

struct vcpu_stats {
	VCPU_STATS_GENERIC(STATS_FIELD, STATS_FIELD_HIST)
	VCPU_STATS_ARCH(STATS_FIELD, STATS_FIELD_HIST)
};

/* A counter of a VM that several vCPUs change at once. */
static inline void vm_stat_add(u64 *counter, s64 delta)
{
	atomic64_add(delta, (atomic64_t *)counter);
}

/* Count @val in a histogram: bucket 0 holds 0, bucket n holds 2^(n-1) .. 2^n - 1, the last the rest. */
static inline void stats_hist_add(u64 *hist, u64 val)
{
	unsigned int bucket = val ? ilog2(val) + 1 : 0;

	hist[bucket < KEEL_HIST_BUCKETS ? bucket : KEEL_HIST_BUCKETS - 1]++;
}

/*
 * A VM's debugfs folder, kvm/PID-FD. It is made a moment after the VM, in a work item: an inode per
 * statistic would be a large part of what a short-lived VM costs.
 */
struct stats_debugfs {
	struct delayed_work	work;
	struct dentry		*dir;
	struct stats_file	*files;
	int			pid, fd;
};

/* Once, at module init and exit: /sys/kernel/debug/kvm with the sums over all VMs. */
void stats_init(void);
void stats_exit(void);

/* Name for the stats fd's header, "kvm-PID" and "kvm-PID/vcpu-ID". At creation. */
void stats_vm_name(struct vm *vm);
void stats_vcpu_name(struct vcpu *vcpu);

/*
 * stats_vm_show - the VM got its fd @fd: its debugfs folder will appear, with vcpuN folders for the
 * vCPUs that there are by then. Cheap; called once. stats_vcpu_show - a vCPU came, maybe later
 * than that: after it was published. Failures are silent, as debugfs goes.
 */
void stats_vm_show(struct vm *vm, int fd);
void stats_vcpu_show(struct vcpu *vcpu);
/*
 * Takes the folder away and waits for its readers: before vCPUs are freed. May sleep; no lock
 * held. Harmless when stats_vm_show() was never called.
 */
void stats_vm_hide(struct vm *vm);

/* KVM_GET_STATS_FD: a new fd that holds a reference to the VM, or -errno. */
long stats_vm_fd(struct vm *vm);
long stats_vcpu_fd(struct vcpu *vcpu);

#endif
