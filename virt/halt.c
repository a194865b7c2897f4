// SPDX-License-Identifier: GPL-2.0-only
/*
 * A halted vCPU: poll a while for the wake-up, then sleep. The window adapts
 * to how long halts last (Documentation/virt/kvm/halt-polling.rst).
 */
#include <linux/ktime.h>
#include <linux/math64.h>
#include <linux/minmax.h>
#include <linux/module.h>
#include <linux/rcuwait.h>
#include <linux/sched/signal.h>
#include <linux/sched/stat.h>
#include <keel/arch.h>
#include <keel/vm.h>
#include <keel/vcpu.h>
#include "virt/compat/compat.h"
#include "virt/trace.h"

/* Longest polling window in ns; 0 turns polling off. A VM may have its own (KVM_CAP_HALT_POLL). */
static unsigned int halt_poll_ns = 200000;
module_param(halt_poll_ns, uint, 0644);
MODULE_PARM_DESC(halt_poll_ns, "Longest time to poll for a wake-up of a halted vCPU, in ns");

/* The window is multiplied by this to grow; 0: it never grows. */
static unsigned int halt_poll_ns_grow = 2;
module_param(halt_poll_ns_grow, uint, 0644);
MODULE_PARM_DESC(halt_poll_ns_grow, "Factor by which the polling window grows");

/* What a window of 0 grows to, in ns. */
static unsigned int halt_poll_ns_grow_start = 10000;
module_param(halt_poll_ns_grow_start, uint, 0644);
MODULE_PARM_DESC(halt_poll_ns_grow_start, "First polling window, in ns");

/* The window is divided by this to shrink; 0: it becomes 0. */
static unsigned int halt_poll_ns_shrink;
module_param(halt_poll_ns_shrink, uint, 0644);
MODULE_PARM_DESC(halt_poll_ns_shrink, "Divisor by which the polling window shrinks, 0 for at once");

static u64 window_max(const struct vm *vm)
{
	/* Pairs with the ioctl's release: the flag says that the value is the VM's own. */
	if (smp_load_acquire(&vm->halt_poll_set))
		return READ_ONCE(vm->halt_poll_max_ns);
	return READ_ONCE(halt_poll_ns);
}

static u64 window_grown(u64 window)
{
	unsigned int grow = READ_ONCE(halt_poll_ns_grow);

	if (!grow)
		return window;
	return max_t(u64, window * grow, READ_ONCE(halt_poll_ns_grow_start));
}

static u64 window_shrunk(u64 window)
{
	unsigned int shrink = READ_ONCE(halt_poll_ns_shrink);

	window = shrink ? div_u64(window, shrink) : 0;
	return window < READ_ONCE(halt_poll_ns_grow_start) ? 0 : window;
}

/*
 * @ns is how long the halt lasted. A little longer than the window: the next
 * one may be caught by a larger window. Longer than any window: polling was
 * in vain and will be again. Within it: just right.
 */
static void adapt_window(struct vcpu *vcpu, u64 ns, u64 max)
{
	u64 old = vcpu->halt_poll_ns, new = old;

	if (!max)
		new = 0;
	else if (!READ_ONCE(vcpu->valid_wakeup))
		new = window_shrunk(old);
	else if (ns > max)
		new = window_shrunk(old);
	else if (ns > old && old < max)
		new = window_grown(old);
	new = min(new, max);
	if (new == old)
		return;
	vcpu->halt_poll_ns = new;
	trace_kvm_halt_poll_ns(new > old, vcpu->id, new, old);
}

/* Something ended the halt. Called in a sleeping state: nothing here may block. */
static bool halt_ended(struct vcpu *vcpu)
{
	if (arch_vcpu_runnable(vcpu) || arch_vcpu_has_pending_timer(vcpu)) {
		WRITE_ONCE(vcpu->valid_wakeup, true);
		return true;
	}
	WRITE_ONCE(vcpu->valid_wakeup, false);
	return signal_pending(current);
}

/* True if the halt ended while polling. Anybody else who wants this CPU gets it. */
static bool poll(struct vcpu *vcpu, ktime_t start, u64 window)
{
	ktime_t stop = ktime_add_ns(start, window), now;
	bool ended;

	vcpu->stats.halt_attempted_poll++;
	do {
		ended = halt_ended(vcpu);
		now = ktime_get();
		if (ended)
			break;
		cpu_relax();
	} while (ktime_before(now, stop) && single_task_running() && !need_resched());

	if (ended) {
		vcpu->stats.halt_successful_poll++;
		if (!READ_ONCE(vcpu->valid_wakeup))
			vcpu->stats.halt_poll_invalid++;
		vcpu->stats.halt_poll_success_ns += ktime_to_ns(ktime_sub(now, start));
		stats_hist_add(vcpu->stats.halt_poll_success_hist,
			       ktime_to_ns(ktime_sub(now, start)));
	} else {
		vcpu->stats.halt_poll_fail_ns += ktime_to_ns(ktime_sub(now, start));
		stats_hist_add(vcpu->stats.halt_poll_fail_hist,
			       ktime_to_ns(ktime_sub(now, start)));
	}
	return ended;
}

static void sleep(struct vcpu *vcpu)
{
	ktime_t start = ktime_get();
	bool slept = false;
	u64 ns;

	vcpu->stats.blocking = 1;
	arch_vcpu_blocking(vcpu);
	prepare_to_rcuwait(&vcpu->wait);
	for (;;) {
		/* The barrier pairs with vcpu_wake()'s: one side sees the other. */
		set_current_state(TASK_INTERRUPTIBLE);
		if (halt_ended(vcpu))
			break;
		slept = true;
		schedule();
	}
	finish_rcuwait(&vcpu->wait);
	arch_vcpu_unblocking(vcpu);
	vcpu->stats.blocking = 0;

	if (slept) {
		ns = ktime_to_ns(ktime_sub(ktime_get(), start));
		vcpu->stats.halt_wait_ns += ns;
		stats_hist_add(vcpu->stats.halt_wait_hist, ns);
	}
}

void vcpu_halt(struct vcpu *vcpu)
{
	bool may_poll = arch_vcpu_may_poll(vcpu);
	u64 max = window_max(vcpu->vm), ns;
	ktime_t start = ktime_get();
	bool waited;

	waited = !(may_poll && vcpu->halt_poll_ns &&
		   poll(vcpu, start, min(vcpu->halt_poll_ns, max)));
	if (waited)
		sleep(vcpu);

	ns = ktime_to_ns(ktime_sub(ktime_get(), start));
	if (may_poll)
		adapt_window(vcpu, ns, max);
	trace_kvm_vcpu_wakeup(ns, waited, READ_ONCE(vcpu->valid_wakeup));
}
