// SPDX-License-Identifier: GPL-2.0-only
/*
 * Steal time (Documentation/virt/kvm/x86/msr.rst, MSR_KVM_STEAL_TIME): how long the
 * vCPU's thread was ready to run and did not.
 */
#include <linux/sched.h>
#include <linux/sched/stat.h>
#include <asm/kvm_para.h>
#include <keel/guest_mem.h>
#include "virt/compat/compat.h"
#include "arch/x86/x86.h"

#ifdef CONFIG_SCHED_INFO
static u64 run_delay(void)
{
	return current->sched_info.run_delay;
}

bool steal_supported(void)
{
	return sched_info_on();
}
#else
static u64 run_delay(void)
{
	return 0;
}

bool steal_supported(void)
{
	return false;
}
#endif

/* Preemption off. */
void steal_vcpu_load(struct x86_vcpu *vcpu)
{
	struct vcpu_pvclock *v = &vcpu->clock;

	if (likely(!(v->steal_msr & KVM_MSR_ENABLED)))
		return;
	/* Another thread has its own count; what it waited before belongs to no guest. */
	if (v->steal_task != current) {
		v->steal_task = current;
		v->steal_last = run_delay();
	}
	if (run_delay() != v->steal_last)
		vcpu_request(&vcpu->v, REQ_STEAL_UPDATE);
}

void pvclock_steal_update(struct x86_vcpu *vcpu)
{
	struct vcpu_pvclock *v = &vcpu->clock;
	gpa_t gpa = v->steal_msr & KVM_STEAL_VALID_BITS;
	struct vm *vm = vcpu->v.vm;
	struct kvm_steal_time st;
	u64 now = run_delay();

	if (!(v->steal_msr & KVM_MSR_ENABLED) ||
	    vm_read_guest(vm, 0, gpa, &st, sizeof(st)))
		return;
	st.version = (st.version & ~1u) + 1;
	if (vm_write_guest(vm, 0, gpa + offsetof(struct kvm_steal_time, version), &st.version,
			   sizeof(st.version)))
		return;
	smp_wmb();	/* odd before the data */
	st.steal += now - v->steal_last;
	v->steal_last = now;
	vm_write_guest(vm, 0, gpa + offsetof(struct kvm_steal_time, steal), &st.steal,
		       sizeof(st.steal));
	/* It runs. What another KVM may have left there would be believed for ever. */
	st.preempted = 0;
	vm_write_guest(vm, 0, gpa + offsetof(struct kvm_steal_time, preempted), &st.preempted,
		       sizeof(st.preempted));
	smp_wmb();	/* the data before even */
	st.version++;
	vm_write_guest(vm, 0, gpa + offsetof(struct kvm_steal_time, version), &st.version,
		       sizeof(st.version));
}

int pvclock_steal_write(struct x86_vcpu *vcpu, u64 val, bool host)
{
	if (!steal_supported() || (val & KVM_STEAL_RESERVED_MASK))
		return 1;
	vcpu->clock.steal_msr = val;
	vcpu->clock.steal_task = current;
	vcpu->clock.steal_last = run_delay();
	if (val & KVM_MSR_ENABLED)
		vcpu_request(&vcpu->v, REQ_STEAL_UPDATE);
	return 0;
}
