/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The arch contract: everything that virt/ asks of the architecture. Each
 * says which locks are held by the caller and what may fail. The architecture
 * allocates vm and vcpu objects with its own around them.
 */
#ifndef KEEL_ARCH_H
#define KEEL_ARCH_H

#include <keel/types.h>
#include <keel/verdict.h>
#include <keel/ioctl.h>
#include <keel/memslot.h>
#include <uapi/keel/kvm.h>

struct vm;
struct vcpu;
struct irq_route;

/* --- module: called once by virt/main.c --- */
int arch_module_init(void);
void arch_module_exit(void);
/* A vendor is registered and KVM_CREATE_VM can work. */
bool arch_ready(void);
/* The vendor module: each VM pins it. NULL if there is none. */
struct module *arch_vendor_owner(void);

/* --- per CPU, on that CPU, interrupts off --- */
int arch_cpu_enable(void);
void arch_cpu_disable(void);

/*
 * --- VMs. arch_vm_alloc() returns a zeroed object; init does the arch part; pre_destroy, then
 * destroy unwind what a successful init did. A VM is created with no lock held. ---
 */
struct vm *arch_vm_alloc(void);
void arch_vm_free(struct vm *vm);
int arch_vm_init(struct vm *vm, unsigned long type);	/* -EINVAL for a type that is not offered; unwinds itself */
void arch_vm_pre_destroy(struct vm *vm);		/* timers cancelled, work flushed; vCPUs still there */
void arch_vm_destroy(struct vm *vm);			/* vCPUs gone, notifier unregistered */
long arch_check_extension(struct vm *vm, long cap);	/* caps that virt/ does not answer; 0 if unknown */
long arch_vm_enable_cap(struct vm *vm, const struct kvm_enable_cap *cap);	/* -EINVAL unknown; takes vm->lock itself */

/* --- vCPUs --- */
int arch_vcpu_precreate(struct vm *vm, unsigned int id);	/* vm->lock held */
struct vcpu *arch_vcpu_alloc(struct vm *vm);			/* zeroed, vendor-sized */
void arch_vcpu_free(struct vcpu *vcpu);
int arch_vcpu_init(struct vcpu *vcpu);			/* vcpu->vm, id, run set; no lock; unwinds itself */
void arch_vcpu_postcreate(struct vcpu *vcpu);		/* published; cannot fail */
void arch_vcpu_destroy(struct vcpu *vcpu);
void arch_vcpu_load(struct vcpu *vcpu, int cpu);	/* preemption off */
void arch_vcpu_put(struct vcpu *vcpu);			/* preemption off */
void arch_vcpu_sched_in(struct vcpu *vcpu, int cpu);
/* The registers can be reached only while the vCPU is loaded. Constant while there are vCPUs. */
extern bool arch_state_needs_load;

/*
 * KVM_RUN: vcpu->mutex held and the vCPU loaded; signal mask, exit_reason and
 * immediate_exit are arch's to follow (ABI: pending I/O is completed first).
 * 0 with vcpu->run filled, or -errno.
 */
long arch_vcpu_run(struct vcpu *vcpu);
/* Any thread: would KVM_RUN enter the guest now instead of halting? */
bool arch_vcpu_runnable(struct vcpu *vcpu);
bool arch_vcpu_has_pending_timer(struct vcpu *vcpu);
/* Any thread: runs guest code at CPL 0 (directed yield). */
bool arch_vcpu_in_kernel(struct vcpu *vcpu);
/* False if the vCPU halts in a way that must not poll. */
bool arch_vcpu_may_poll(struct vcpu *vcpu);
void arch_vcpu_blocking(struct vcpu *vcpu);
void arch_vcpu_unblocking(struct vcpu *vcpu);
unsigned int arch_vcpu_as(const struct vcpu *vcpu);
long arch_vcpu_enable_cap(struct vcpu *vcpu, const struct kvm_enable_cap *cap);

/* --- ioctl tables of the architecture, NULL-terminated --- */
extern const struct ioctl_table *const arch_dev_ioctls[];
extern const struct ioctl_table *const arch_vm_ioctls[];
extern const struct ioctl_table *const arch_vm_compat_ioctls[];	/* of 32-bit VMMs, where they differ */
extern const struct ioctl_table *const arch_vcpu_ioctls[];

/* --- stage 2 (arch/x86/mmu) --- */
/*
 * A slot changes from @old to @new (either may be NULL). prepare: before
 * publication, may fail with -ENOMEM, nothing visible changed. commit: after
 * the grace period, zaps or write-protects what @old mapped; sleeps, cannot fail.
 */
int arch_memslot_prepare(struct vm *vm, const struct memslot *old, const struct memslot *new);
void arch_memslot_commit(struct vm *vm, const struct memslot *old, const struct memslot *new);
/*
 * Remove translations of [start, end) gfns in address space @as. mmu_lock held
 * for write. May drop and retake it when @may_yield. Returns true if a TLB
 * flush is owed, which the caller does with arch_flush_tlbs() before the pages are released.
 */
bool arch_mmu_zap(struct vm *vm, unsigned int as, gfn_t start, gfn_t end, bool may_yield);
/* Young bits: clear (age) or look. mmu_lock held for write. True if one was young. */
bool arch_mmu_age(struct vm *vm, unsigned int as, gfn_t start, gfn_t end, bool clear);
/* Everything goes: the mm died. Takes mmu_lock. */
void arch_mmu_zap_all(struct vm *vm);
/* Write-protect the pages of @slot whose bits are set in @mask, page @base + bit. mmu_lock held for write. True: flush owed. */
bool arch_mmu_protect_mask(struct vm *vm, const struct memslot *slot, gfn_t base, unsigned long mask);
/*
 * Large pages of @slot in [@start, @end) become small ones, so that single pages can be protected.
 * A matter of speed: may do less than it was asked, or nothing. Takes mmu_lock; sleeps.
 */
void arch_mmu_split(struct vm *vm, const struct memslot *slot, gfn_t start, gfn_t end);
/*
 * Entries to keep free in a dirty ring when its vCPU stops: those that one more exit can need.
 * Hardware that logs by itself (PML) adds what its buffer holds.
 */
unsigned int arch_dirty_ring_reserved(void);
/*
 * What the hardware has logged of writes that vCPUs made so far is in the dirty log when this returns.
 * slots_lock held. Sleeps.
 */
void arch_dirty_log_sync(struct vm *vm);
/* Every CPU drops its translations of this VM; returns when they have. May be called under mmu_lock. */
void arch_flush_tlbs(struct vm *vm);
/*
 * KEEL_DEBUG=1 checks the flush rule where pages become free to go: before mmu_lock is released
 * that was held for write (mmu_write_unlock() below), and, slots_lock held, before userspace
 * learns which pages were written to.
 */
#ifdef KEEL_DEBUG
void arch_mmu_end_change(struct vm *vm);
void arch_mmu_end_protect(struct vm *vm);
#else
static inline void arch_mmu_end_change(struct vm *vm) { }
static inline void arch_mmu_end_protect(struct vm *vm) { }
#endif
/*
 * Compare and exchange of @size 1, 2, 4, 8 or 16 bytes, within a cache line, 16 of them aligned, at a user address of
 * current->mm. May sleep. 0 exchanged; 1 it differed, *@old is updated; -EFAULT; -EINVAL (size).
 */
int arch_user_cmpxchg(void __user *p, unsigned int size, void *old, const void *new);

/* --- interrupts --- */
bool arch_irqchip_in_kernel(struct vm *vm);		/* irqfd allowed */
bool arch_irqchip_full(struct vm *vm);			/* PIC and IOAPIC too */
unsigned int arch_irqchip_ready(struct vm *vm);
/*
 * Check a routing entry and choose its set function. gsi, type and the irqchip or msi part are
 * filled in already and in bounds. -EINVAL. No lock.
 */
int arch_irq_route_init(struct vm *vm, struct irq_route *route, const struct kvm_irq_routing_entry *ue);
/* Try without sleeping, interrupts off: as irq_set_fn, or -EWOULDBLOCK. */
int arch_irq_set_atomic(struct vm *vm, const struct irq_route *route, int irq_source, int level);
/* A new table was published: recompute EOI exits. irq_lock held. */
void arch_irq_routing_changed(struct vm *vm);
/* An ack notifier came or went: recompute EOI exits. No lock held. */
void arch_irq_ack_notifiers_changed(struct vm *vm);

#endif
