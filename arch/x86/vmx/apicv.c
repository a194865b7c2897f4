// SPDX-License-Identifier: GPL-2.0-only
/*
 * APIC virtualisation (SDM 3C chapter 30): APIC-register virtualisation and virtual-interrupt delivery, and
 * with them the accesses of the register page or, in x2APIC mode, of its MSRs. The virtual-APIC page is the register
 * page itself. When it is not in use, the TPR shadow goes on with a page of its own.
 *
 * What is on depends on lapic.hw and the APIC's mode and nothing else: vmx_apicv_update(),
 * vmx_apicv_controls() and vmx_apicv_msrs() are called by vmx_update_intercepts() and compute all of it anew.
 */
#include "virt/compat/compat.h"
#include "arch/x86/vmx/vmx.h"

#define X2APIC_MSR(reg)		(LAPIC_X2APIC_MSR + (reg) / 16)

#define NEEDED	(SECONDARY_EXEC_APIC_REGISTER_VIRT | SECONDARY_EXEC_VIRTUAL_INTR_DELIVERY |	\
		 SECONDARY_EXEC_VIRTUALIZE_APIC_ACCESSES | SECONDARY_EXEC_VIRTUALIZE_X2APIC_MODE)

bool __init vmx_apicv_usable(const struct vmx_caps *c)
{
	return c->tpr_shadow && (c->cpu2_may & NEEDED) == NEEDED;
}

/* The vCPU is loaded. */
void vmx_apicv_init(struct vmx_vcpu *vmx)
{
	vmx->apicv = false;
	vmx->intr_status = 0;
	if (!vmx_caps.apicv)
		return;
	vmcs_write(GUEST_INTR_STATUS, 0);
	vmcs_write(APIC_ACCESS_ADDR, keel_apic_page(vcpu_vm(&vmx->x)));
}

/* Is the register page the CPU's from now on? */
void vmx_apicv_update(struct vmx_vcpu *vmx)
{
	bool on;

	if (!vmx_caps.apicv)
		return;
	on = keel_apic_hw(&vmx->x);
	if (on == vmx->apicv)
		return;
	vmx->apicv = on;
	vmcs_write(VIRTUAL_APIC_PAGE_ADDR, virt_to_phys(on ? vmx->x.apic.lapic.regs : vmx->vapic));
}

u32 vmx_apicv_controls(const struct vmx_vcpu *vmx)
{
	u32 c = SECONDARY_EXEC_APIC_REGISTER_VIRT | SECONDARY_EXEC_VIRTUAL_INTR_DELIVERY;

	if (!vmx->apicv)
		return 0;
	/* An entry with both fails (SDM 3C 27.2.1.1). */
	if (vmx->x.apic.lapic.mode == LAPIC_X2APIC)
		return c | SECONDARY_EXEC_VIRTUALIZE_X2APIC_MODE;
	return c | SECONDARY_EXEC_VIRTUALIZE_APIC_ACCESSES;
}

bool vmx_apicv_wants_msrs(const struct vmx_vcpu *vmx)
{
	return vmx->apicv && vmx->x.apic.lapic.mode == LAPIC_X2APIC;
}

/*
 * Reads come from the page: not of TMCCT, which nobody keeps there, and not of ICR, whose upper half lies
 * elsewhere. Writes of TPR, EOI and SELF_IPI are the CPU's. Every other MSR of the range exits.
 */
void vmx_apicv_msrs(struct vmx_vcpu *vmx, void (*pass)(struct vmx_vcpu *, u32, bool, bool))
{
	static const u16 reads[] = {
		LAPIC_ID, LAPIC_VERSION, LAPIC_PPR, LAPIC_LDR, LAPIC_SVR, LAPIC_ESR,
		LAPIC_LVT_TIMER, LAPIC_LVT_THERMAL, LAPIC_LVT_PC, LAPIC_LVT0, LAPIC_LVT1,
		LAPIC_LVT_ERROR, LAPIC_TMICT, LAPIC_TDCR,
	};
	u32 reg;
	int i;

	for (i = 0; i < ARRAY_SIZE(reads); i++)
		pass(vmx, X2APIC_MSR(reads[i]), true, false);
	/* ISR, TMR and IRR lie behind each other. */
	for (reg = LAPIC_ISR; reg < LAPIC_IRR + 8 * 16; reg += 16)
		pass(vmx, X2APIC_MSR(reg), true, false);
	pass(vmx, X2APIC_MSR(LAPIC_TPR), true, true);
	pass(vmx, X2APIC_MSR(LAPIC_EOI), false, true);
	pass(vmx, X2APIC_MSR(LAPIC_SELF_IPI), false, true);
}

static void set_eoi_exits(struct vmx_vcpu *vmx)
{
	u64 map[4];

	if (likely(!keel_apic_eoi_exits(&vmx->x, map)))
		return;
	vmcs_write(EOI_EXIT_BITMAP0, map[0]);
	vmcs_write(EOI_EXIT_BITMAP1, map[1]);
	vmcs_write(EOI_EXIT_BITMAP2, map[2]);
	vmcs_write(EOI_EXIT_BITMAP3, map[3]);
}

/* Before each entry while it is on, interrupts off. */
void vmx_apicv_prepare(struct vmx_vcpu *vmx)
{
	u16 status;

	if (vmx_caps.posted)
		vmx_posted_prepare(vmx);
	status = keel_apic_to_hw(&vmx->x);
	set_eoi_exits(vmx);
	if (vmx->intr_status == status)
		return;
	vmx->intr_status = status;
	vmcs_write(GUEST_INTR_STATUS, status);
}

/* After each exit while it is on, interrupts off. */
void vmx_apicv_exited(struct vmx_vcpu *vmx)
{
	u16 status = vmcs_read(GUEST_INTR_STATUS);

	keel_apic_from_hw(&vmx->x, status != vmx->intr_status || (u8)status);
	vmx->intr_status = status;
}

/* Both come when the access is done, with RIP behind it (SDM 3C 30.1.4, 30.4.3.3). */
verdict_t vmx_exit_eoi(struct x86_vcpu *vcpu)
{
	return keel_exit_apic_eoi(vcpu, vcpu->exit.info1);
}

verdict_t vmx_exit_apic_write(struct x86_vcpu *vcpu)
{
	return keel_exit_apic_write(vcpu, vcpu->exit.info1 & APIC_ACCESS_OFFSET);
}

/* An access that the CPU does not virtualise. The stage-2 handler finds no slot there and emulates it. */
verdict_t vmx_exit_apic_access(struct x86_vcpu *vcpu)
{
	u64 q = vcpu->exit.info1;
	struct x86_s2_fault f = {
		/* From 8 on by a guest-physical address: a walk of the guest's tables, or an event. */
		.table_walk = (q & APIC_ACCESS_TYPE) >= 8 << 12,
		.gpa	= APIC_BASE_DEFAULT | (q & APIC_ACCESS_OFFSET),
		.write	= (q & APIC_ACCESS_TYPE) == 1 << 12,
		.exec	= (q & APIC_ACCESS_TYPE) == 2 << 12,
		.present = true,
	};

	vcpu->exit.info2 = f.gpa;
	return keel_exit_apic_access(vcpu, &f);
}
