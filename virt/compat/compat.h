/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Kernel services whose interface differs between kernels, spelled as the newest kernel spells
 * them; what has no one spelling gets a keel_ name. configure.sh finds out what the kernel has.
 * Only virt/compat/ may look at HAVE_* or at a kernel's version.
 *
 * Other parts of the layer: guest_context.h (entering and leaving a guest), compat_x86.h (MSRs,
 * speculation control), compat_asm.h (mitigations in assembly), virt_ownership.h (EFER.SVME and
 * VMXON), syscore.h (suspend).
 */
#ifndef KEEL_COMPAT_H
#define KEEL_COMPAT_H

#include <linux/cpuhotplug.h>
#include <linux/eventfd.h>
#include <linux/export.h>
#include <linux/file.h>
#include <linux/hrtimer.h>
#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/module.h>
#include <linux/timer.h>
#include <linux/workqueue.h>
#include "virt/compat/autoconf.h"

/*
 * KEEL_EXPORT(sym) makes a symbol of kvm.ko known to the vendor modules, which say
 * KEEL_IMPORT; once. The namespace's name is KEEL on every kernel.
 */
#ifdef HAVE_STRING_NAMESPACE
#define KEEL_EXPORT(sym)	EXPORT_SYMBOL_NS_GPL(sym, "KEEL")
#define KEEL_IMPORT		MODULE_IMPORT_NS("KEEL")
#else
#define KEEL_EXPORT(sym)	EXPORT_SYMBOL_NS_GPL(sym, KEEL)
#define KEEL_IMPORT		MODULE_IMPORT_NS(KEEL)
#endif

/* ---- Work ---- */

#ifndef HAVE_SYSTEM_DFL_WQ
#define system_dfl_wq	system_unbound_wq
#endif

/* ---- Timers ---- */

#ifndef HAVE_HRTIMER_SETUP
static inline void hrtimer_setup(struct hrtimer *timer,
				 enum hrtimer_restart (*function)(struct hrtimer *),
				 clockid_t clock_id, enum hrtimer_mode mode)
{
	hrtimer_init(timer, clock_id, mode);
	timer->function = function;
}
#endif

#ifndef HAVE_TIMER_CONTAINER_OF
#define timer_container_of(var, callback_timer, timer_fieldname) \
	container_of(callback_timer, typeof(*(var)), timer_fieldname)
#endif

/* ---- Work ---- */

/* A queue bound to CPUs has to say so; it was what one got by saying nothing. */
#ifndef HAVE_WQ_PERCPU
#define WQ_PERCPU		0
#endif

/* ---- Files ---- */

#ifndef HAVE_EVENTFD_SIGNAL_1
/* Never sleeps; callable with interrupts off. */
#define eventfd_signal(ctx)	((void)(eventfd_signal)((ctx), 1))
#endif

#ifndef HAVE_FD_FILE
#define fd_file(f)		((f).file)
#endif

/* ---- Memory ---- */

#ifndef HAVE_VM_FLAGS_SET
/* mmap_lock held for write, as in an mmap file operation. */
static inline void vm_flags_set(struct vm_area_struct *vma, vm_flags_t flags)
{
	vma->vm_flags |= flags;
}
#endif

/* What the notifier's clear_flush_young, clear_young and test_young return. */
#ifdef HAVE_YOUNG_BOOL
typedef bool keel_young_t;
#else
typedef int keel_young_t;
#endif

/*
 * keel_follow_pfnmap - the frame behind @addr of a VM_IO or VM_PFNMAP area.
 * @write: the caller wants to write; a private copy is broken, a fault is taken if need be.
 * @pfn, @writable: set on success only.
 *
 * mmap_lock held for read; may sleep. The frame has no reference: use it under the notifier's
 * retry rule only. 0; -EFAULT: nothing is mapped there, or not writable; -EAGAIN: mmap_lock was
 * dropped and taken again, so @vma may be gone: look it up once more.
 */
int keel_follow_pfnmap(struct vm_area_struct *vma, unsigned long addr, bool write,
		       unsigned long *pfn, bool *writable);

/* Signals end the wait for a page that userspace brings. Without it, only fatal ones do. */
#ifdef HAVE_FOLL_INTERRUPTIBLE
#define KEEL_FOLL_INTERRUPTIBLE		FOLL_INTERRUPTIBLE
#else
#define KEEL_FOLL_INTERRUPTIBLE		0
#endif

/* Pages that a guest reads count for NUMA balancing. Before 6.5 that was not to be asked for. */
#ifdef HAVE_FOLL_HONOR_NUMA_FAULT
#define KEEL_FOLL_HONOR_NUMA_FAULT	FOLL_HONOR_NUMA_FAULT
#else
#define KEEL_FOLL_HONOR_NUMA_FAULT	0
#endif

/* ---- CPUs ---- */

/*
 * The hotplug state in which a CPU gets the virtualisation extension enabled. KVM's own: on the
 * way down it comes after all tasks have left the CPU. Before 6.6 its callbacks run with
 * interrupts off and must not fail; since then they may sleep.
 */
#ifdef HAVE_CPUHP_KVM_ONLINE
#define KEEL_CPUHP_STATE	CPUHP_AP_KVM_ONLINE
#else
#define KEEL_CPUHP_STATE	CPUHP_AP_KVM_STARTING
#endif

/* ---- Tracepoints ---- */

/* In TP_fast_assign, for a __string(item, src). */
#ifdef HAVE_ASSIGN_STR_1
#define keel_assign_str(item, src)	__assign_str(item)
#else
#define keel_assign_str(item, src)	__assign_str(item, src)
#endif

#endif
