/* SPDX-License-Identifier: GPL-2.0-only */
/* A virtual CPU: one per vCPU fd, run by whatever thread calls KVM_RUN. */
#ifndef KEEL_VCPU_H
#define KEEL_VCPU_H

#include <linux/mutex.h>
#include <linux/preempt.h>
#include <linux/rcuwait.h>
#include <linux/sched.h>
#include <linux/spinlock.h>
#include <linux/srcu.h>
#include <keel/dirty_ring.h>
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

struct file;
struct vm_area_struct;

#define KEEL_SLOT_CACHE	4	/* code, its page tables and what they work on lie in different slots */

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
	struct dirty_ring	dirty_ring;

	unsigned long		requests;	/* [x] */
	int			mode;		/* [x] enum vcpu_mode */
	int			cpu;		/* [x] where it is loaded, -1 otherwise */
	bool			preempted;	/* [x] scheduled out while runnable */
	bool			ready;		/* [x] woken, not yet running again */
	struct preempt_notifier	preempt;
	struct rcuwait		wait;		/* a halted vCPU sleeps here */
	spinlock_t		pid_lock;
	struct pid		*pid;		/* pid_lock: last thread in KVM_RUN, referenced */

	u64			halt_poll_ns;	/* [v] adaptive window */
	bool			valid_wakeup;	/* [x] the last halt ended in work for the guest */
	bool			in_spin_loop;	/* [x] in vcpu_spin_yield(): no target for others */
	bool			sigset_active;	/* [v] KVM_SET_SIGNAL_MASK */
	sigset_t		sigset;

	u16			bus_hint[KEEL_NR_BUSES];	/* [v] last place on each */
	struct {				/* [v] last slots used, valid while gen matches */
		u64		gen;
		gfn_t		hole;		/* in no slot: a device that is polled */
		struct memslot	*slot[KEEL_SLOT_CACHE];	/* NULL: unused */
		unsigned int	next;
	} slot_cache;

	struct vcpu_stats	stats;		/* [v] */
	char			stats_id[48];
	struct dentry		*debugfs;	/* stats.c */
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
/* By KVM_CREATE_VCPU id; NULL if there is none. */
struct vcpu *vm_vcpu_by_id(struct vm *vm, unsigned int id);

/* KVM_CREATE_VCPU: new fd or -errno (EINVAL id, EEXIST). vm->lock NOT held. */
long vcpu_create_fd(struct vm *vm, unsigned long id);

/* Load on this CPU / put. Preemption notifier included; they nest with nothing. */
void vcpu_load(struct vcpu *vcpu);
void vcpu_put(struct vcpu *vcpu);

/*
 * vcpu_halt - halt: poll adaptively, then sleep until arch_vcpu_runnable(), a signal or a pending
 * timer. Interrupts on, vCPU loaded, no SRCU held. arch_vcpu_runnable() and
 * arch_vcpu_has_pending_timer() are called in a sleeping state: they must not block.
 */
void vcpu_halt(struct vcpu *vcpu);

/* Give this CPU to the thread that runs @target. True if it worked. May sleep. */
bool vcpu_yield_to(struct vcpu *target);
/*
 * vcpu_spin_yield - @vcpu spins for a lock whose holder was preempted, it seems: run another vCPU
 * of the VM that is ready but not running, rather one in kernel mode if @in_kernel. Interrupts on,
 * no SRCU held.
 */
void vcpu_spin_yield(struct vcpu *vcpu, bool in_kernel);

/* Once, at module init: the ioctl rows. 0, or -errno for a mistake in the tables. */
int vcpu_module_init(void);
/* The VM dies: free a vCPU that vcpu_create_fd() published. */
void vcpu_destroy(struct vcpu *vcpu);
/* File operation of a vCPU fd. */
int vcpu_mmap(struct file *filp, struct vm_area_struct *vma);

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

/*
 * Own thread. What was written before the matching vcpu_request() is visible after this returned
 * true.
 */
static inline bool vcpu_take_request(struct vcpu *vcpu, unsigned int req)
{
	if (!test_bit(req, &vcpu->requests))
		return false;
	clear_bit(req, &vcpu->requests);
	/* Pairs with the barriers in vcpu_request(). */
	smp_mb__after_atomic();
	return true;
}

/* The address space that this vCPU's memory accesses use now (SMM on x86). */
unsigned int arch_vcpu_as(const struct vcpu *vcpu);

#endif
