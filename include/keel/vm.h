/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A virtual machine: one per VM fd. Every fd handed out by a VM (vCPU,
 * device, stats) holds a reference; the VM dies with the last one.
 */
#ifndef KEEL_VM_H
#define KEEL_VM_H

#include <linux/atomic.h>
#include <linux/mutex.h>
#include <linux/refcount.h>
#include <linux/spinlock.h>
#include <linux/srcu.h>
#include <linux/xarray.h>
#include <linux/mm_types.h>
#include <uapi/keel/kvm.h>
#include <keel/types.h>
#include <keel/memslot.h>
#include <keel/notifier.h>
#include <keel/io_bus.h>
#include <keel/eventfd.h>
#include <keel/coalesced.h>
#include <keel/irq_routing.h>
#include <keel/stats.h>

#define KEEL_MAX_VCPUS		1024
#define KEEL_MAX_VCPU_ID	4096	/* ids are 0 .. this - 1 */

/*
 * Locking legend: [c] constant after creation, [l] vm->lock, [s] slots_lock for
 * writers + SRCU for readers, [m] mmu_lock, [x] atomic or the xarray's own
 * lock, [o] the object's own lock.
 */
struct vm {
	struct mm_struct	*mm;		/* [c] creator's mm, mmgrab()ed */
	refcount_t		users;		/* [x] */
	struct list_head	link;		/* VM list, vm_list_lock */
	unsigned long		type;		/* [c] argument of KVM_CREATE_VM */

	struct mutex		lock;		/* configuration; taken before vcpu->mutex */
	struct mutex		slots_lock;	/* slot changes */
	struct srcu_struct	srcu;		/* slots, buses: a reader may sleep, for memory that the VMM withholds */
	struct srcu_struct	irq_srcu;	/* routing, ack notifiers, resamplers: no reader sleeps */
	struct garbage		old_buses, old_routing;
	rwlock_t		mmu_lock;	/* read: install; write: zap */

	struct memslots		slots[KEEL_ADDRESS_SPACES];	/* [s] */
	struct vm_notifier	notifier;	/* [m] */

	struct xarray		vcpus;		/* [x] by index 0..nr-1; never shrinks while the VM lives */
	struct xarray		vcpus_by_id;	/* [x] zero entries while being created */
	atomic_t		nr_vcpus;	/* published after the vcpus entry */
	unsigned int		created_vcpus;	/* [l] includes those being created */
	unsigned int		max_vcpu_id;	/* [l] KVM_CAP_MAX_VCPU_ID, default KEEL_MAX_VCPU_ID */
	unsigned int		last_boosted;	/* [x] index, vcpu_spin_yield() */

	struct io_bus __rcu	*bus[KEEL_NR_BUSES];	/* [s] RCU pointer under srcu */
	struct vm_coalesced	coalesced;	/* [o] */
	struct vm_eventfds	eventfds;	/* [o] irqfds and ioeventfds */
	struct irq_routing __rcu *routing;	/* [s] under irq_lock for writers */
	struct mutex		irq_lock;	/* routing, ack notifiers; after slots_lock */
	struct hlist_head	ack_notifiers;	/* irq_lock; SRCU readers */

	unsigned int		halt_poll_max_ns;	/* KVM_CAP_HALT_POLL */
	bool			halt_poll_set;
	u64			manual_dirty_protect;	/* [s] KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2 flags */
	u32			dirty_ring_bytes;	/* [l] per vCPU, set once before the first; 0: none */
	bool			dirty_ring_with_bitmap;	/* [s] KVM_CAP_DIRTY_LOG_RING_WITH_BITMAP */
	bool			dead;		/* [x] the VM met an internal error */
	struct module		*vendor;	/* [c] reference held */
	struct vm_stats		stats;
	char			stats_id[48];
	struct stats_debugfs	debugfs;
};

/* Logged slots have a bitmap: always, but for dirty rings that are used alone. */
static inline bool vm_has_dirty_bitmaps(const struct vm *vm)
{
	return !READ_ONCE(vm->dirty_ring_bytes) || vm->dirty_ring_with_bitmap;
}

/* A log starts with all bits set, and nothing protected. With rings there is no bit to start with. */
static inline bool vm_dirty_log_starts_full(const struct vm *vm)
{
	return vm->manual_dirty_protect & KVM_DIRTY_LOG_INITIALLY_SET &&
	       !READ_ONCE(vm->dirty_ring_bytes);
}

/* Give up mmu_lock, held for write, after entries may have been removed. */
#define mmu_write_unlock(vm)				\
	do {						\
		arch_mmu_end_change(vm);		\
		write_unlock(&(vm)->mmu_lock);		\
	} while (0)

/* References. vm_get_safe() fails (false) when the VM is already dying. */
void vm_get(struct vm *vm);
bool vm_get_safe(struct vm *vm);
void vm_put(struct vm *vm);

/* KVM_CREATE_VM. Returns a new fd or -errno (EINVAL type, EBUSY no hardware, ENOMEM, EMFILE). */
long vm_create_fd(unsigned long type);
/* KVM_CHECK_EXTENSION on either fd (@vm NULL on the system fd); never negative. */
long keel_check_extension(struct vm *vm, long cap);
/* vm_mark_dead - no vCPU of this VM runs again; KVM_RUN gives -EIO. */
void vm_mark_dead(struct vm *vm);

/* Once, at module init: the ioctl rows. 0, or -errno for a mistake in the tables. */
int vm_module_init(void);

/* The VM behind a VM fd, or NULL; no reference taken. */
struct vm *vm_from_file(struct file *filp);

extern struct mutex vm_list_lock;
extern struct list_head vm_list;

#endif
