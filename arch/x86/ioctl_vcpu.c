// SPDX-License-Identifier: GPL-2.0-only
/* The x86 ioctls of a vCPU fd that are too small for a file of their own, and all tables. */
#include <linux/uaccess.h>
#include "virt/compat/compat.h"
#include "arch/x86/x86.h"
#include "arch/x86/state.h"

static long get_vcpu_events(struct ioctl_ctx *c)
{
	event_get(to_x86(c->vcpu), c->data);
	return 0;
}

static long set_vcpu_events(struct ioctl_ctx *c)
{
	return event_set(to_x86(c->vcpu), c->data);
}

static long get_mp_state(struct ioctl_ctx *c)
{
	struct x86_vcpu *vcpu = to_x86(c->vcpu);
	struct kvm_mp_state *s = c->data;

	/* INIT and SIPI that have arrived are part of the state. */
	if (unlikely(vcpu_test_request(&vcpu->v, REQ_APIC_INIT_SIPI))) {
		vcpu_load(&vcpu->v);
		irqchip_accept_init_sipi(vcpu);
		vcpu_put(&vcpu->v);
	}
	s->mp_state = vcpu->mp_state;
	return 0;
}

static long set_mp_state(struct ioctl_ctx *c)
{
	struct x86_vcpu *vcpu = to_x86(c->vcpu);
	u32 state = ((struct kvm_mp_state *)c->data)->mp_state;
	bool lapic = irqchip_lapic_in_kernel(vcpu_vm(vcpu));

	switch (state) {
	case KVM_MP_STATE_RUNNABLE:
		break;
	case KVM_MP_STATE_UNINITIALIZED:
	case KVM_MP_STATE_HALTED:
	case KVM_MP_STATE_INIT_RECEIVED:
	case KVM_MP_STATE_SIPI_RECEIVED:
		if (!lapic)
			return -EINVAL;
		break;
	default:
		return -EINVAL;
	}
	if (state == KVM_MP_STATE_SIPI_RECEIVED) {
		/* An old name for: waits after INIT, and the SIPI is there. */
		vcpu->mp_state = KVM_MP_STATE_INIT_RECEIVED;
		irqchip_pend_sipi(vcpu);
	} else {
		vcpu->mp_state = state;
	}
	vcpu->ev.check = true;
	return 0;
}

static long queue_nmi(struct ioctl_ctx *c)
{
	vcpu_queue_nmi(to_x86(c->vcpu));
	return 0;
}

/* An interrupt controller in userspace has a vector for the CPU. */
static long queue_interrupt(struct ioctl_ctx *c)
{
	struct x86_vcpu *vcpu = to_x86(c->vcpu);
	u32 vector = ((struct kvm_interrupt *)c->data)->irq;

	if (vector >= KVM_NR_INTERRUPTS)
		return -EINVAL;
	if (irqchip_has_pic_in_kernel(vcpu_vm(vcpu)))
		return -ENXIO;
	/* ExtINT beside an in-kernel local APIC: one at a time, and none in place of one of its own that was cut short. */
	if (irqchip_lapic_in_kernel(vcpu_vm(vcpu)) && vcpu->ev.irq.injected)
		return -EEXIST;
	event_queue_user_irq(vcpu, vector);
	return 0;
}

static long translate(struct ioctl_ctx *c)
{
	struct x86_vcpu *vcpu = to_x86(c->vcpu);
	struct kvm_translation *t = c->data;
	struct guest_walk_result r = {};
	u64 linear = t->linear_address;
	/* Outside long mode an address has 32 bits: the one that means "none" is no other's. */
	bool exists = linear <= U32_MAX || is_long_mode(vcpu);

	memset(t, 0, sizeof(*t));
	t->linear_address = linear;
	t->physical_address = INVALID_GPA;
	if (exists && !guest_walk_debug(vcpu, linear, &r)) {
		t->physical_address = r.gpa;
		t->valid = 1;
	}
	t->writeable = 1;
	return 0;
}

static long get_tsc_khz(struct ioctl_ctx *c)
{
	return to_x86(c->vcpu)->tsc.khz;
}

static long set_tsc_khz(struct ioctl_ctx *c)
{
	if (c->arg > U32_MAX)
		return -EINVAL;
	return tsc_set_khz(to_x86(c->vcpu), c->arg);
}

static long kvmclock_ctrl(struct ioctl_ctx *c)
{
	return pvclock_ctrl(to_x86(c->vcpu));
}

static long setup_mce(struct ioctl_ctx *c)
{
	return vcpu_mce_setup(to_x86(c->vcpu), *(u64 *)c->data);
}

static long set_mce(struct ioctl_ctx *c)
{
	return vcpu_mce_inject(to_x86(c->vcpu), c->data);
}

/* ---- attributes ---- */

static long check_attr(const struct kvm_device_attr *a)
{
	return a->group == KVM_VCPU_TSC_CTRL && a->attr == KVM_VCPU_TSC_OFFSET ? 0 : -ENXIO;
}

static long has_attr(struct ioctl_ctx *c)
{
	return check_attr(c->data);
}

static long get_attr(struct ioctl_ctx *c)
{
	const struct kvm_device_attr *a = c->data;
	long ret = check_attr(a);

	if (ret)
		return ret;
	return put_user(to_x86(c->vcpu)->tsc.offset, (u64 __user *)a->addr) ? -EFAULT : 0;
}

static long set_attr(struct ioctl_ctx *c)
{
	const struct kvm_device_attr *a = c->data;
	long ret = check_attr(a);
	u64 offset;

	if (ret)
		return ret;
	if (get_user(offset, (u64 __user *)a->addr))
		return -EFAULT;
	tsc_set_offset(to_x86(c->vcpu), offset);
	return 0;
}

static const struct ioctl_row vcpu_state_ioctls_rows[] = {
	{ KVM_GET_VCPU_EVENTS,	IOC_VCPU_STATE | IOC_FILLS, get_vcpu_events },
	{ KVM_SET_VCPU_EVENTS,	IOC_VCPU_STATE, set_vcpu_events },
	{ KVM_GET_MP_STATE,	IOC_VCPU_NOLOAD | IOC_FILLS, get_mp_state },
	{ KVM_SET_MP_STATE,	IOC_VCPU_NOLOAD, set_mp_state },
	{ KVM_NMI,		IOC_VCPU_NOLOAD | IOC_RAW, queue_nmi },
	{ KVM_INTERRUPT,	IOC_VCPU_STATE, queue_interrupt },
	{ KVM_TRANSLATE,	IOC_VCPU_STATE, translate },
	{ KVM_GET_TSC_KHZ,	IOC_VCPU | IOC_RAW, get_tsc_khz },
	{ KVM_SET_TSC_KHZ,	IOC_VCPU | IOC_RAW, set_tsc_khz },
	{ KVM_KVMCLOCK_CTRL,	IOC_VCPU | IOC_RAW, kvmclock_ctrl },
	{ KVM_X86_SETUP_MCE,	IOC_VCPU, setup_mce },
	{ KVM_X86_SET_MCE,	IOC_VCPU, set_mce },
	{ KVM_HAS_DEVICE_ATTR,	IOC_VCPU_NOLOAD, has_attr },
	{ KVM_GET_DEVICE_ATTR,	IOC_VCPU, get_attr },
	{ KVM_SET_DEVICE_ATTR,	IOC_VCPU, set_attr },
};
IOCTL_TABLE(vcpu_state_ioctls);

const struct ioctl_table *const arch_vcpu_ioctls[] = {
	&vcpu_state_ioctls,
	&state_vcpu_ioctls,
	&msr_vcpu_ioctls,
	&cpuid_vcpu_ioctls,
	&xstate_vcpu_ioctls,
	&debug_vcpu_ioctls,
	&irqchip_vcpu_ioctls,
	&mmu_vcpu_ioctls,
	NULL,
};

/* KVM_ENABLE_CAP on a vCPU fd. vcpu->mutex held. */
long arch_vcpu_enable_cap(struct vcpu *v, const struct kvm_enable_cap *cap)
{
	struct x86_vcpu *vcpu = to_x86(v);

	if (cap->flags)
		return -EINVAL;
	switch (cap->cap) {
	case KVM_CAP_ENFORCE_PV_FEATURE_CPUID:
		vcpu->msr.enforce_pv = cap->args[0];
		return 0;
	default:
		return -EINVAL;
	}
}
