// SPDX-License-Identifier: GPL-2.0-only
/* KVM_GET_VCPU_EVENTS and KVM_SET_VCPU_EVENTS (Documentation/virt/kvm/api.rst 4.31, 4.32). */
#include <linux/string.h>
#include "virt/compat/compat.h"
#include "arch/x86/x86.h"

static void get_exception(struct x86_vcpu *vcpu, struct kvm_vcpu_events *e)
{
	const struct x86_exception *x = &vcpu->ev.exc;

	/*
	 * Soft exceptions are left out: the instruction runs again. Without the payload
	 * capability a pending exception is shown as injected.
	 */
	if (x->soft)
		return;
	if (vcpu_vm(vcpu)->exception_payload) {
		e->exception.injected = x->injected;
		e->exception.pending = x->pending;
	} else {
		e->exception.injected = x->injected || x->pending;
		e->exception.pending = 0;
	}
	e->exception.nr = x->vector;
	e->exception.has_error_code = x->has_error;
	e->exception.error_code = x->error_code;
	e->exception_has_payload = x->has_payload;
	e->exception_payload = x->payload;
}

void event_get(struct x86_vcpu *vcpu, struct kvm_vcpu_events *e)
{
	struct x86_vm *vm = vcpu_vm(vcpu);

	memset(e, 0, sizeof(*e));
	event_unwind_soft(vcpu);
	/* Userspace that does not know payloads expects CR2 and DR6 to be written already. */
	if (!vm->exception_payload && vcpu->ev.exc.pending)
		event_apply_payload(vcpu);
	get_exception(vcpu, e);

	e->interrupt.injected = vcpu->ev.irq.injected && !vcpu->ev.irq.soft;
	e->interrupt.nr = vcpu->ev.irq.vector;
	e->interrupt.shadow = st_read(vcpu, ST_SHADOW)->int_shadow;

	event_collect_nmis(vcpu);
	e->nmi.injected = vcpu->ev.nmi.injected;
	e->nmi.pending = vcpu->ev.nmi.pending != 0;
	e->nmi.masked = vendor_call(nmi_masked)(vcpu);

	e->flags = KVM_VCPUEVENT_VALID_NMI_PENDING | KVM_VCPUEVENT_VALID_SHADOW;
	if (vm->exception_payload)
		e->flags |= KVM_VCPUEVENT_VALID_PAYLOAD;
	if (vm->triple_fault_event) {
		e->triple_fault.pending = vcpu->ev.triple_fault;
		e->flags |= KVM_VCPUEVENT_VALID_TRIPLE_FAULT;
	}
}

/* Without the flag the field means nothing. */
static bool exception_pending(const struct kvm_vcpu_events *e)
{
	return (e->flags & KVM_VCPUEVENT_VALID_PAYLOAD) && e->exception.pending;
}

static bool events_valid(struct x86_vcpu *vcpu, const struct kvm_vcpu_events *e)
{
	struct x86_vm *vm = vcpu_vm(vcpu);
	u32 known = KVM_VCPUEVENT_VALID_NMI_PENDING | KVM_VCPUEVENT_VALID_SIPI_VECTOR |
		    KVM_VCPUEVENT_VALID_SHADOW;

	if (vm->exception_payload)
		known |= KVM_VCPUEVENT_VALID_PAYLOAD;
	if (vm->triple_fault_event)
		known |= KVM_VCPUEVENT_VALID_TRIPLE_FAULT;
	if (e->flags & ~known)
		return false;
	if ((e->exception.injected || exception_pending(e)) &&
	    (e->exception.nr > 31 || e->exception.nr == 2))
		return false;
	if (e->flags & KVM_VCPUEVENT_VALID_SHADOW && e->interrupt.shadow & ~3)
		return false;
	return true;
}

static void set_exception(struct x86_vcpu *vcpu, const struct kvm_vcpu_events *e)
{
	bool pending = exception_pending(e);

	/* There is one at a time: who gives both means the one that is still to be delivered. */
	vcpu->ev.exc = (struct x86_exception){
		.injected = e->exception.injected && !pending,
		.pending = pending,
		.vector = e->exception.nr,
		.has_error = e->exception.has_error_code,
		.error_code = e->exception.error_code,
		.has_payload = pending && e->exception_has_payload,
		.payload = e->exception_payload,
	};
}

int event_set(struct x86_vcpu *vcpu, const struct kvm_vcpu_events *e)
{
	if (!events_valid(vcpu, e))
		return -EINVAL;

	set_exception(vcpu, e);
	vcpu->ev.irq.injected = e->interrupt.injected;
	vcpu->ev.irq.queued = e->interrupt.injected;
	vcpu->ev.irq.soft = e->interrupt.soft;
	vcpu->ev.irq.vector = e->interrupt.nr;
	if (e->flags & KVM_VCPUEVENT_VALID_SHADOW)
		st_write(vcpu, ST_SHADOW)->int_shadow = e->interrupt.shadow;

	vcpu->ev.nmi.injected = e->nmi.injected;
	if (e->flags & KVM_VCPUEVENT_VALID_NMI_PENDING) {
		vcpu->ev.nmi.pending = 0;
		atomic_set(&vcpu->ev.nmi.queued, e->nmi.pending ? 1 : 0);
		if (e->nmi.pending)
			vcpu_request(&vcpu->v, REQ_NMI);
	}
	vendor_call(set_nmi_masked)(vcpu, e->nmi.masked);

	if (e->flags & KVM_VCPUEVENT_VALID_SIPI_VECTOR)
		irqchip_set_sipi_vector(vcpu, e->sipi_vector);
	if (e->flags & KVM_VCPUEVENT_VALID_TRIPLE_FAULT)
		vcpu->ev.triple_fault = e->triple_fault.pending;
	vcpu->ev.check = true;
	return 0;
}
