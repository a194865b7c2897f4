/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Entering and leaving a guest as the rest of the kernel sees it: time accounting, context
 * tracking and RCU, lockdep, and the work that is done before a task may leave the kernel
 * (Documentation/core-api/entry.rst).
 *
 * Order around a guest entry, all with interrupts off:
 *
 *	keel_xfer_prepare();
 *	if (keel_xfer_work_pending())
 *		-> interrupts on, keel_xfer_handle_work()
 *	keel_guest_timing_enter_irqoff();
 *	keel_guest_enter_irqoff();		noinstr from here ...
 *	the entry itself
 *	keel_guest_exit_irqoff();		... to here
 *	keel_take_interrupts();		on the guest's time, for tick based accounting
 *	keel_guest_timing_exit_irqoff();
 */
#ifndef KEEL_COMPAT_GUEST_CONTEXT_H
#define KEEL_COMPAT_GUEST_CONTEXT_H

#include <linux/context_tracking.h>
#include <linux/instrumentation.h>
#include <linux/irqflags.h>
#include <linux/lockdep.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/smp.h>
#include <linux/vtime.h>
#include "virt/compat/autoconf.h"

#ifdef HAVE_ENTRY_VIRT
#include <linux/entry-virt.h>
#else
#include <linux/entry-kvm.h>
#endif

#ifndef HAVE_RCU_VIRT_NOTE_VOID
#define rcu_virt_note_context_switch()	rcu_virt_note_context_switch(smp_processor_id())
#endif

/* Charge the time from here on to the guest. Interrupts off. */
static __always_inline void keel_guest_timing_enter_irqoff(void)
{
	instrumentation_begin();
	vtime_account_guest_enter();
	instrumentation_end();
}

/* Charge to the host again; after the interrupt that ended the guest was handled. */
static __always_inline void keel_guest_timing_exit_irqoff(void)
{
	instrumentation_begin();
	vtime_account_guest_exit();
	instrumentation_end();
}

/*
 * Let the host take the interrupts that wait, among them the one that ended the guest. CLI right
 * behind STI would be in its shadow, and nothing would be taken: one instruction has to be between.
 */
static __always_inline void keel_take_interrupts(void)
{
	local_irq_enable();
	asm volatile("nop" : : : "memory");
	local_irq_disable();
}

/*
 * The guest counts as a quiescent state, as user mode does. With context tracking off (no
 * nohz_full) RCU hears of it by a noted context switch instead, which costs a few instructions.
 */
static __always_inline void keel_guest_enter_irqoff(void)
{
	instrumentation_begin();
	trace_hardirqs_on_prepare();
	lockdep_hardirqs_on_prepare();
	instrumentation_end();

	if (!context_tracking_guest_enter()) {
		instrumentation_begin();
		rcu_virt_note_context_switch();
		instrumentation_end();
	}
	lockdep_hardirqs_on(CALLER_ADDR0);
}

static __always_inline void keel_guest_exit_irqoff(void)
{
	lockdep_hardirqs_off(CALLER_ADDR0);
	context_tracking_guest_exit();

	instrumentation_begin();
	trace_hardirqs_off_finish();
	instrumentation_end();
}

/* Once per entry, interrupts off, before the last keel_xfer_work_pending(). */
static inline void keel_xfer_prepare(void)
{
	xfer_to_guest_mode_prepare();
}

/*
 * Is there work to be done before the guest may run: a signal, a reschedule, task work? With
 * interrupts on the answer is a hint; with them off it holds until they are on again, because
 * whoever adds work sends an IPI.
 */
static inline bool keel_xfer_work_pending(void)
{
	return __xfer_to_guest_mode_work_pending();
}

/*
 * Do that work. Interrupts and preemption on, no SRCU or lock held. 0, or -EINTR: a signal is
 * pending and KVM_RUN has to return (the caller fills exit_reason).
 */
int keel_xfer_handle_work(void);

#endif
