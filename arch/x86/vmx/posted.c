// SPDX-License-Identifier: GPL-2.0-only
/*
 * Posted interrupts (SDM 3C 30.6): while the guest runs the CPU itself moves requests of others from a
 * descriptor into IRR, when an interrupt by the notification vector comes; there is no exit. Written to the manual:
 * no emulator at hand offers them, and nobody has run this on hardware yet. Off unless asked for.
 *
 * The descriptor's requests are lapic.pir: everything that looks at IRR looks there too, and the vCPU's own thread
 * takes them when it takes lapic.posted, before each entry among others. Here is the rest: the control,
 * the notification, and ON.
 *
 * ON says that whoever set it cares for the requests that are there by then: it sends the notification if the guest
 * may be running, and others do not. No request is left behind. Each side writes, has a full barrier, and reads:
 *
 *	sender					vCPU, interrupts off
 *	request in PIR, then irr_words		mode = IN_GUEST
 *	full barrier: set ON			full barrier: may_enter()
 *	ON was clear: read mode			read ON; if set: clear it, full barrier
 *	notify if IN_GUEST			requests move to IRR; entry
 *
 * - A sender that finds ON clear, and a mode other than IN_GUEST, has set it before the store of IN_GUEST: this entry sees
 *   it. EXITING is as good: an interrupt that ends the guest is on its way, and ON is read again before the
 *   next entry.
 * - If it finds IN_GUEST it notifies. Until the entry interrupts are off: the notification waits, and is processed
 *   right behind it. After an exit the host takes it, for nothing, and ON is read before the next entry.
 * - A sender that finds ON set has put its request in PIR before ON was cleared, by the vCPU or by the CPU, which both
 *   take what is in PIR after that. Another sender may be between ON and its IPI: preemption is off there.
 * - A sleeper needs no ON: it looks at PIR itself, and is always woken.
 *
 * That ON stays set when the own thread takes the requests elsewhere is no harm: each entry clears it.
 */
#include <linux/bitops.h>
#include <linux/cpumask.h>
#include <linux/smp.h>
#include "virt/compat/compat.h"
#include "virt/compat/notify_ipi.h"
#include "arch/x86/vmx/vmx.h"

bool __init vmx_posted_usable(u32 pin_may, u32 exit_may)
{
	return KEEL_NOTIFY_VECTOR && pin_may & PIN_BASED_POSTED_INTR &&
	       exit_may & VM_EXIT_ACK_INTR_ON_EXIT;
}

/* The vCPU is loaded. */
void vmx_posted_init(struct vmx_vcpu *vmx)
{
	if (!vmx_caps.posted)
		return;
	vmcs_write(POSTED_INTR_NV, KEEL_NOTIFY_VECTOR);
	vmcs_write(POSTED_INTR_DESC_ADDR, virt_to_phys(&vmx->posted));
}

/*
 * Behind vmx_apicv_update(): an entry with the one and without the other fails (SDM 3C 27.2.1.1). The timer's bit comes
 * back before the next entry.
 */
void vmx_posted_update(struct vmx_vcpu *vmx)
{
	if (!vmx_caps.posted)
		return;
	vmx->pin_base = vmx_caps.pin | (vmx->apicv ? PIN_BASED_POSTED_INTR : 0);
	vmx_set_ctl(vmx, VC_PIN, vmx->pin_base);
}

/* Before keel_apic_to_hw() takes the requests. Interrupts off, mode is IN_GUEST since a full barrier. */
void vmx_posted_prepare(struct vmx_vcpu *vmx)
{
	if (!test_bit(VMX_POSTED_ON, &vmx->posted.control))
		return;
	clear_bit(VMX_POSTED_ON, &vmx->posted.control);
	smp_mb__after_atomic();	/* ON before PIR; a sender writes them the other way round */
}

void vmx_notify_posted(struct x86_vcpu *vcpu)
{
	int cpu, me = get_cpu();

	/* A full barrier in any case. */
	if (!test_and_set_bit(VMX_POSTED_ON, &to_vmx(vcpu)->posted.control) &&
	    READ_ONCE(vcpu->v.mode) == VCPU_IN_GUEST) {
		/* If it is elsewhere by now it has entered anew there, and has seen ON. On this CPU it is between two runs. */
		cpu = READ_ONCE(vcpu->v.cpu);
		if (cpu != me && (unsigned int)cpu < nr_cpu_ids && cpu_online(cpu))
			keel_notify_cpu(cpu);
	}
	put_cpu();
}
