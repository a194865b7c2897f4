// SPDX-License-Identifier: GPL-2.0-only
/*
 * Paravirtual EOI (Documentation/virt/kvm/x86/msr.rst, MSR_KVM_PV_EOI_EN): a bit in guest memory says
 * that the interrupt in service can be ended by clearing the bit, which costs no exit. It is set
 * only when nobody would notice the EOI late, and taken back at the next exit: whatever looks at
 * the APIC outside the guest sees what a real EOI would have left.
 */
#include <asm/kvm_para.h>
#include <keel/guest_mem.h>
#include "virt/compat/compat.h"
#include "arch/x86/x86.h"
#include "arch/x86/trace.h"

#define PV_EOI_RESERVED	BIT_ULL(1)

static gpa_t word_of(const struct x86_vcpu *vcpu)
{
	return vcpu->msr.pv_eoi & ~(u64)KVM_MSR_ENABLED;
}

static bool read_word(struct x86_vcpu *vcpu, u8 *word)
{
	return !vm_read_guest(vcpu->v.vm, 0, word_of(vcpu), word, sizeof(*word));
}

static bool write_word(struct x86_vcpu *vcpu, u8 word)
{
	return !vm_write_guest(vcpu->v.vm, 0, word_of(vcpu), &word, sizeof(word));
}

void __irqchip_pv_eoi_arm(struct x86_vcpu *vcpu)
{
	u8 word;

	if (!lapic_eoi_is_silent(&vcpu->apic.lapic))
		return;
	if (read_word(vcpu, &word) && write_word(vcpu, word | KVM_PV_EOI_ENABLED))
		vcpu->apic.pv_eoi_armed = true;
}

void __irqchip_pv_eoi_sync(struct x86_vcpu *vcpu)
{
	struct lapic *a = &vcpu->apic.lapic;
	u8 word;

	vcpu->apic.pv_eoi_armed = false;
	if (!read_word(vcpu, &word))
		return;
	if (word & KVM_PV_EOI_ENABLED) {
		write_word(vcpu, word & ~KVM_PV_EOI_ENABLED);
		return;
	}
	trace_kvm_pv_eoi(a->id, lapic_highest_isr(a));
	lapic_eoi(a);
}

int irqchip_pv_eoi_set(struct x86_vcpu *vcpu, u64 val)
{
	if (val & PV_EOI_RESERVED)
		return 1;
	/* Where the local APIC is userspace's, the bit in guest memory is just never set. */
	if ((val & KVM_MSR_ENABLED) &&
	    !vcpu_gpa_is_ram(&vcpu->v, val & ~(u64)KVM_MSR_ENABLED, true))
		return 1;
	vcpu->msr.pv_eoi = val;
	return 0;
}
