// SPDX-License-Identifier: GPL-2.0-only
/*
 * Requests and kicks: how others reach a vCPU that runs guest code or sleeps.
 *
 * A request must not be lost between a requester and a vCPU that is about to
 * enter the guest. Each side writes its own word, then reads the other's, with
 * a full barrier between, so at least one of them sees the other:
 *
 *	requester				vCPU, interrupts off
 *	set bit in requests			mode = IN_GUEST
 *	full barrier				full barrier
 *	read mode, IPI if IN_GUEST		read requests, give up if any
 *
 * An IPI that arrives with interrupts still off stays pending and ends the
 * guest right after the entry.
 */
#include <linux/atomic.h>
#include <linux/cpumask.h>
#include <linux/percpu.h>
#include <linux/rcuwait.h>
#include <linux/smp.h>
#include <trace/events/ipi.h>
#include <keel/vm.h>
#include <keel/vcpu.h>
#include "virt/compat/compat.h"

/* Scratch of vm_request_all(): used in task context with preemption off. */
static DEFINE_PER_CPU(cpumask_var_t, kick_mask);

void vcpu_request(struct vcpu *vcpu, unsigned int req)
{
	/* Orders what the caller wrote for the vCPU before the bit. */
	smp_mb__before_atomic();
	set_bit(req, &vcpu->requests);
	/* Orders the bit before a look at vcpu->mode; pairs with the store of it at the entry. */
	smp_mb__after_atomic();
}
KEEL_EXPORT(vcpu_request);

bool vcpu_wake(struct vcpu *vcpu)
{
	/* Has a full barrier between what the caller wrote and its look at the sleeper. */
	if (!rcuwait_wake_up(&vcpu->wait))
		return false;
	WRITE_ONCE(vcpu->ready, true);
	vcpu->stats.halt_wakeup++;
	return true;
}
KEEL_EXPORT(vcpu_wake);

void vcpu_kick(struct vcpu *vcpu)
{
	int cpu, me;

	if (vcpu_wake(vcpu))
		return;

	me = get_cpu();
	/* One IPI per entry is enough: whoever turns IN_GUEST into EXITING sends it. */
	if (cmpxchg(&vcpu->mode, VCPU_IN_GUEST, VCPU_EXITING) == VCPU_IN_GUEST) {
		/*
		 * If it has left and moved on meanwhile, it has looked at its
		 * requests again after ours was set: a stale CPU does no harm.
		 */
		cpu = READ_ONCE(vcpu->cpu);
		if (cpu != me && (unsigned int)cpu < nr_cpu_ids && cpu_online(cpu))
			smp_send_reschedule(cpu);
	}
	put_cpu();
}
KEEL_EXPORT(vcpu_kick);

static void nothing(void *unused)
{
}

/* The CPU to interrupt because @vcpu may be in guest mode on it, or -1. */
static int cpu_in_guest(struct vcpu *vcpu)
{
	int cpu;

	/* EXITING too: somebody else's IPI may not have arrived yet. */
	if (READ_ONCE(vcpu->mode) == VCPU_OUTSIDE)
		return -1;
	cpu = READ_ONCE(vcpu->cpu);
	return (unsigned int)cpu < nr_cpu_ids ? cpu : -1;
}

static bool request_and_wait(struct vm *vm, unsigned int req)
{
	int cpu, me = get_cpu();
	struct cpumask *mask = this_cpu_cpumask_var_ptr(kick_mask);
	struct vcpu *vcpu;
	bool any = false;
	unsigned int i;

	cpumask_clear(mask);
	vm_for_each_vcpu(vm, i, vcpu) {
		vcpu_request(vcpu, req);
		cpu = cpu_in_guest(vcpu);
		if (cpu >= 0 && cpu != me) {
			__cpumask_set_cpu(cpu, mask);
			any = true;
		}
	}
	/* The function runs after the guest has exited: an interrupt ends the guest. */
	if (any)
		smp_call_function_many(mask, nothing, NULL, true);
	put_cpu();
	return any;
}

bool vm_request_all(struct vm *vm, unsigned int req, bool wait)
{
	struct vcpu *vcpu;
	bool any = false;
	unsigned int i;
	int cpu, me;

	if (wait)
		return request_and_wait(vm, req);

	me = get_cpu();
	vm_for_each_vcpu(vm, i, vcpu) {
		vcpu_request(vcpu, req);
		if (cmpxchg(&vcpu->mode, VCPU_IN_GUEST, VCPU_EXITING) != VCPU_IN_GUEST)
			continue;
		cpu = READ_ONCE(vcpu->cpu);
		if (cpu == me || (unsigned int)cpu >= nr_cpu_ids || !cpu_online(cpu))
			continue;
		smp_send_reschedule(cpu);
		any = true;
	}
	put_cpu();
	return any;
}
KEEL_EXPORT(vm_request_all);

int request_module_init(void)
{
	unsigned int cpu;

	for_each_possible_cpu(cpu) {
		if (!zalloc_cpumask_var_node(&per_cpu(kick_mask, cpu), GFP_KERNEL,
					     cpu_to_node(cpu))) {
			request_module_exit();
			return -ENOMEM;
		}
	}
	return 0;
}

void request_module_exit(void)
{
	unsigned int cpu;

	for_each_possible_cpu(cpu)
		free_cpumask_var(per_cpu(kick_mask, cpu));
}
