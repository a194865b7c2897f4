/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The dirty log as a ring per vCPU, shared with userspace: the vCPU's thread appends the pages
 * that it makes writable or writes, userspace harvests, KVM_RESET_DIRTY_RINGS protects again.
 */
#ifndef KEEL_DIRTY_RING_H
#define KEEL_DIRTY_RING_H

#include <linux/mm_types.h>
#include <uapi/keel/kvm.h>
#include <keel/types.h>
#include <keel/ioctl.h>

struct memslot;
struct vcpu;
struct vm;

#define KEEL_DIRTY_RING_MAX_ENTRIES	65536
#define KEEL_DIRTY_RING_MAX_BYTES	(KEEL_DIRTY_RING_MAX_ENTRIES * sizeof(struct kvm_dirty_gfn))
/* Left free when the vCPU stops for a full ring: what one exit and the ioctls after it may write. */
#define KEEL_DIRTY_RING_RESERVED	64

/* Pages remembered so that the kernel's writes to always the same page take one entry. */
#define KEEL_DIRTY_RING_RECENT		4

/*
 * Indices count on without wrapping to the ring's size; they are the kernel's own, nothing of them
 * is read from the shared pages. [c] constant, [v] vcpu->mutex or the thread in KVM_RUN.
 */
struct dirty_ring {
	struct kvm_dirty_gfn	*entries;	/* [c] shared with userspace; NULL without rings */
	u32			size;		/* [c] entries, a power of two */
	u32			soft_limit;	/* [c] so many used, and the vCPU stops */
	u32			next;		/* [v] where the next entry goes */
	u32			reset;		/* slots_lock: the oldest that is not given back */
	struct {				/* [v] */
		u64	offset;
		u64	gen;		/* of the slots: tells two slots of one number apart; 0: unused */
		u32	slot;
		u32	at;
	} recent[KEEL_DIRTY_RING_RECENT];
	u32			recent_next;	/* [v] */
};

/* KVM_ENABLE_CAP. They take vm->lock, and slots_lock inside. -EINVAL, -E2BIG. */
long dirty_ring_enable(struct vm *vm, const struct kvm_enable_cap *cap);
long dirty_ring_enable_bitmap(struct vm *vm, const struct kvm_enable_cap *cap);

/* A new vCPU's ring, if the VM has them. 0 or -ENOMEM. */
int dirty_ring_alloc(struct vcpu *vcpu);
void dirty_ring_free(struct vcpu *vcpu);
/* The page of the vCPU mapping at @pgoff, or NULL. Any context. */
struct page *dirty_ring_page(struct vcpu *vcpu, unsigned long pgoff);
/* Pages [@first, @first + @n) of the vCPU mapping have one of the ring. */
bool dirty_ring_in_range(struct vcpu *vcpu, unsigned long first, unsigned long n);

/*
 * dirty_ring_push - append a page of @slot; own thread. Sets REQ_DIRTY_RING_FULL at the soft
 * limit. False if there is no room at all.
 */
bool dirty_ring_push(struct vcpu *vcpu, const struct memslot *slot, gfn_t gfn);
/* Own thread. So full that the guest must not go on / that nothing more can be appended. */
bool dirty_ring_soft_full(const struct vcpu *vcpu);
bool dirty_ring_hard_full(const struct vcpu *vcpu);

extern const struct ioctl_table dirty_ring_ioctls;	/* KVM_RESET_DIRTY_RINGS */

#endif
