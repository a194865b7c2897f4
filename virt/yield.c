// SPDX-License-Identifier: GPL-2.0-only
/*
 * Directed yield: a vCPU that spins for a lock gives its host CPU to another
 * vCPU of the VM that can run but does not, perhaps the holder of that lock.
 */
#include <linux/pid.h>
#include <linux/rcuwait.h>
#include <linux/sched.h>
#include <linux/sched/task.h>
#include <linux/spinlock.h>
#include <keel/arch.h>
#include <keel/vm.h>
#include <keel/vcpu.h>
#include "virt/compat/compat.h"

bool vcpu_yield_to(struct vcpu *target)
{
	struct task_struct *task;
	struct pid *pid;
	bool ok;

	spin_lock(&target->pid_lock);
	pid = get_pid(target->pid);
	spin_unlock(&target->pid_lock);

	task = get_pid_task(pid, PIDTYPE_PID);
	put_pid(pid);
	if (!task)
		return false;
	ok = yield_to(task, true) > 0;
	put_task_struct(task);
	return ok;
}

static bool good_target(struct vcpu *me, struct vcpu *target, bool in_kernel)
{
	if (target == me || !READ_ONCE(target->ready))
		return false;
	/* It spins itself: it is not the one who holds the lock. */
	if (READ_ONCE(target->in_spin_loop))
		return false;
	if (rcuwait_active(&target->wait) && !arch_vcpu_runnable(target))
		return false;
	return !in_kernel || !READ_ONCE(target->preempted) || arch_vcpu_in_kernel(target);
}

/* Round robin: each spinner starts after the one that was boosted last, so that all get a turn. */
void vcpu_spin_yield(struct vcpu *vcpu, bool in_kernel)
{
	struct vm *vm = vcpu->vm;
	unsigned int nr = atomic_read_acquire(&vm->nr_vcpus);
	unsigned int start = READ_ONCE(vm->last_boosted), i;
	struct vcpu *target;
	int tries = 3;		/* yield_to() takes run-queue locks */

	WRITE_ONCE(vcpu->in_spin_loop, true);
	for (i = 1; i <= nr && tries; i++) {
		target = vm_vcpu_by_index(vm, (start + i) % nr);
		if (!target || !good_target(vcpu, target, in_kernel))
			continue;
		if (vcpu_yield_to(target)) {
			WRITE_ONCE(vm->last_boosted, (start + i) % nr);
			break;
		}
		tries--;
	}
	WRITE_ONCE(vcpu->in_spin_loop, false);
}
