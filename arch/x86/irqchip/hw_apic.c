// SPDX-License-Identifier: GPL-2.0-only
/*
 * The local APIC while the CPU keeps its registers: it delivers what is in IRR, ends what is in ISR and
 * keeps TPR and PPR, all in the register page and without an exit. Nobody else may touch those registers
 * then: requests of others wait in lapic.posted, a kick makes the vCPU exit, and its next entry takes them. Or they
 * wait in lapic.pir, if the vendor has one: then the CPU takes them without an exit, or the next entry does. After
 * an exit the page is as the register logic wants it, and what that has counted is counted anew.
 */
#include "virt/compat/compat.h"
#include "arch/x86/x86.h"
#include "arch/x86/trace.h"

/*
 * The one place that decides, from the vCPU's state alone. With the APIC off, or its TPR in guest memory, or
 * interrupts held back by a debugger, what the CPU would do by itself is wrong.
 */
static bool hw_possible(struct x86_vcpu *vcpu)
{
	const struct lapic *a = &vcpu->apic.lapic;

	return a->regs && a->domain->posting && a->mode != LAPIC_OFF && !vcpu->apic.vapic_addr &&
	       !(vcpu->debug.control & KVM_GUESTDBG_BLOCKIRQ);
}

/* Accesses of the page at its usual place are the CPU's; nobody wants to hear of them. */
static bool page_possible(struct x86_vcpu *vcpu)
{
	const struct lapic *a = &vcpu->apic.lapic;

	return a->hw && a->mode == LAPIC_XAPIC && (a->base & APIC_BASE_ADDR) == APIC_BASE_DEFAULT &&
	       !vcpu->apic.tpr_report.on;
}

bool keel_apic_hw(struct x86_vcpu *vcpu)
{
	struct lapic *a = &vcpu->apic.lapic;
	bool hw = hw_possible(vcpu);

	if (hw != a->hw) {
		WRITE_ONCE(a->hw, hw);
		/* Has a full barrier between hw and the looks at pir that follow; pairs with lapic_out_posted(). */
		lapic_recount(a);
		WRITE_ONCE(a->eoi_stale, true);
		/* Windows and CR8 exits are decided anew. */
		vcpu->ev.check = true;
	}
	/* All vCPUs share the tables that map the page, so one that may not use it ends it for all. */
	if (a->regs && a->domain->posting && !page_possible(vcpu))
		mmu_apic_page_off(vcpu_vm(vcpu));
	return hw;
}
KEEL_EXPORT(keel_apic_hw);

bool irqchip_map_access_page(struct x86_vcpu *vcpu, gfn_t gfn)
{
	return gfn == APIC_ACCESS_GFN && page_possible(vcpu) && mmu_apic_page_map(vcpu, gfn);
}

u16 keel_apic_to_hw(struct x86_vcpu *vcpu)
{
	struct lapic *a = &vcpu->apic.lapic;
	int irr, isr;

	lapic_take_posted(a);
	/* What has come since is not in the page: told of it now, the CPU would deliver it twice. */
	irr = lapic_highest_taken(a);
	isr = lapic_highest_isr(a);
	return max(irr, 0) | max(isr, 0) << 8;
}
KEEL_EXPORT(keel_apic_to_hw);

void keel_apic_from_hw(struct x86_vcpu *vcpu, bool changed)
{
	struct lapic *a = &vcpu->apic.lapic;

	if (changed)
		lapic_recount(a);
	else
		a->gate = lapic_get(a, LAPIC_PPR) & 0xf0;
}
KEEL_EXPORT(keel_apic_from_hw);

bool keel_apic_eoi_exits(struct x86_vcpu *vcpu, u64 map[4])
{
	struct lapic *a = &vcpu->apic.lapic;
	unsigned int i;

	if (likely(!READ_ONCE(a->eoi_stale)))
		return false;
	WRITE_ONCE(a->eoi_stale, false);
	smp_mb();	/* a change that this look misses sets the flag again, and its request is not taken yet */
	for (i = 0; i < 4; i++) {
		map[i] = lapic_get(a, LAPIC_TMR + i * 0x20) |
			 (u64)lapic_get(a, LAPIC_TMR + i * 0x20 + 0x10) << 32;
		map[i] |= READ_ONCE(a->domain->edge_eoi[i]);
	}
	return true;
}
KEEL_EXPORT(keel_apic_eoi_exits);

verdict_t keel_exit_apic_eoi(struct x86_vcpu *vcpu, u8 vector)
{
	lapic_eoi_done(&vcpu->apic.lapic, vector);
	return VERDICT_RESUME;
}
KEEL_EXPORT(keel_exit_apic_eoi);

verdict_t keel_exit_apic_write(struct x86_vcpu *vcpu, u32 offset)
{
	struct lapic *a = &vcpu->apic.lapic;

	offset &= 0xff0;
	trace_kvm_apic_write(offset, lapic_get(a, offset));
	lapic_wrote(a, offset);
	return VERDICT_RESUME;
}
KEEL_EXPORT(keel_exit_apic_write);
