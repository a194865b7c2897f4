// SPDX-License-Identifier: GPL-2.0-only
/*
 * A host NMI or interrupt that ended a guest. Kernels from 7.1 on have a function for it, which knows of FRED; older
 * ones entry points that want the frame of an interrupt on the stack (host_frame.S), and FRED one of its own.
 */
#include <linux/compiler.h>
#include <asm/cpufeature.h>
#include <asm/desc.h>
#include <asm/irq_vectors.h>
#include "virt/compat/compat.h"
#include "virt/compat/host_event.h"
#if defined(HAVE_X86_ENTRY_FROM_KVM)
#include <linux/entry-common.h>
#elif defined(CONFIG_X86_FRED)
#include <asm/fred.h>
#endif

#ifdef HAVE_X86_ENTRY_FROM_KVM

noinstr void keel_host_nmi(void)
{
	x86_entry_from_kvm(EVENT_TYPE_NMI, NMI_VECTOR);
}

void keel_host_interrupt(u8 vector)
{
	x86_entry_from_kvm(EVENT_TYPE_EXTINT, vector);
}

#else

/* host_frame.S */
void keel_nmi_frame(void);
void keel_interrupt_frame(unsigned long entry);

noinstr void keel_host_nmi(void)
{
#ifdef CONFIG_X86_FRED
	if (cpu_feature_enabled(X86_FEATURE_FRED)) {
		fred_entry_from_kvm(EVENT_TYPE_NMI, NMI_VECTOR);
		return;
	}
#endif
	keel_nmi_frame();
}

/* The handler has no name that a module could use: it is where the IDT says. */
void keel_host_interrupt(u8 vector)
{
	struct desc_ptr idt;

#ifdef CONFIG_X86_FRED
	if (cpu_feature_enabled(X86_FEATURE_FRED)) {
		fred_entry_from_kvm(EVENT_TYPE_EXTINT, vector);
		return;
	}
#endif
	store_idt(&idt);
	keel_interrupt_frame(gate_offset((const gate_desc *)idt.address + vector));
}

#endif
KEEL_EXPORT(keel_host_nmi);
KEEL_EXPORT(keel_host_interrupt);
