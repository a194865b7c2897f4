/* SPDX-License-Identifier: GPL-2.0-only */
/* A virtual CPU: one per vCPU fd, run by whatever thread calls KVM_RUN. */
#ifndef KEEL_VCPU_H
#define KEEL_VCPU_H

#include <linux/mutex.h>
#include <linux/preempt.h>
#include <linux/rcuwait.h>
#include <linux/sched.h>
#include <linux/srcu.h>
#include <keel/vm.h>
#include <keel/request.h>
#include <keel/verdict.h>

/*
 * vcpu->mode, the handshake between a kick and a guest entry: the vCPU sets
 * IN_GUEST with interrupts off and then looks at requests once more; a kicker
 * sets the request, then reads mode and sends an IPI if it sees IN_GUEST.
 */
enum vcpu_mode {
	VCPU_OUTSIDE,
	VCPU_IN_GUEST,
	VCPU_EXITING,		/* kicked, the IPI is on its way */
};

/*
 * Locking legend: [c] constant after creation, [v] vcpu->mutex or the thread in
 * KVM_RUN, [x] atomic, [o] own lock.
 */
struct vcpu {
	struct vm		*vm;		/* [c] reference held */
	unsigned int		id;		/* [c] KVM_CREATE_VCPU argument, the APIC id on x86 */
	unsigned int		index;		/* [c] place in vm->vcpus */
	struct mutex		mutex;		/* one ioctl or KVM_RUN at a time */

	struct kvm_run		*run;		/* [c] page shared with userspace: never read twice */
	struct page		*run_page;
	struct page		*pio_page;
	void			*pio_data;	/* [c] page 1 of the mapping */

	unsigned long		requests;	/* [x] */
	int			mode;		/* [x] enum vcpu_mode */
	int			cpu;		/* [x] where it is loaded, -1 otherwise */
	bool			preempted;	/* [x] scheduled out while runnable */
	bool			ready;		/* [x] woken, not yet running again */
	struct preempt_notifier	preempt;
	struct rcuwait		wait;		/* a halted vCPU sleeps here */
	struct pid __rcu	*pid;		/* last thread in KVM_RUN */

	u64			halt_poll_ns;	/* [v] adaptive window */
	bool			valid_wakeup;
	bool			sigset_active;	/* [v] KVM_SET_SIGNAL_MASK */
	sigset_t		sigset;

	struct {				/* [v] last slot used, valid while gen matches */
		struct memslot	*slot;
		u64		gen;
	} slot_cache;

	struct vcpu_stats	stats;		/* [v] */
	char			stats_id[48];
	struct dentry		*debugfs;
};

/*
 * vm_for_each_vcpu - all published vCPUs. They stay until the VM dies, so any
 * context that holds a VM reference may walk them.
 */
#define vm_for_each_vcpu(vm, i, vcpu)						\
	for ((i) = 0; (i) < (unsigned int)atomic_read_acquire(&(vm)->nr_vcpus) &&	\
	     ((vcpu) = xa_load(&(vm)->vcpus, (i))); (i)++)

/* By index, bounds-checked against speculation; NULL if there is none. */
struct vcpu *vm_vcpu_by_index(struct vm *vm, unsigned int index);
/* By KVM_CREATE_VCPU id; O(1) when ids are dense. NULL if there is none. */
struct vcpu *vm_vcpu_by_id(struct vm *vm, unsigned int id);

/* KVM_CREATE_VCPU: new fd or -errno (EINVAL id, EEXIST). vm->lock NOT held. */
long vcpu_create_fd(struct vm *vm, unsigned long id);

/* Load on this CPU / put. Preemption notifier included; they nest with nothing. */
void vcpu_load(struct vcpu *vcpu);
void vcpu_put(struct vcpu *vcpu);

/*
 * vcpu_block - halt: poll adaptively, then sleep until arch_vcpu_runnable(), a
 * signal or REQ_UNBLOCK. Interrupts on, vCPU loaded, no SRCU held.
 */
void vcpu_halt(struct vcpu *vcpu);

/* The vCPU whose guest runs or whose exit is handled on this CPU, or NULL. */
struct vcpu *keel_running_vcpu(void);

static inline bool vcpu_has_requests(const struct vcpu *vcpu)
{
	return READ_ONCE(vcpu->requests);
}

static inline bool vcpu_test_request(const struct vcpu *vcpu, unsigned int req)
{
	return test_bit(req, &vcpu->requests);
}

/* The address space that this vCPU's memory accesses use now (SMM on x86). */
unsigned int arch_vcpu_as(const struct vcpu *vcpu);

#endif
