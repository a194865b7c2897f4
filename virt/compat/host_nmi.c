// SPDX-License-Identifier: GPL-2.0-only
/*
 * A host NMI that ended a guest. Kernels from 7.1 on have a function for it, which knows of FRED; older ones an
 * entry point that wants the frame of an interrupt on the stack (nmi_frame.S), and FRED one of its own.
 */
#include <linux/compiler.h>
#include <asm/cpufeature.h>
#include <asm/irq_vectors.h>
#include "virt/compat/compat.h"
#include "virt/compat/host_nmi.h"
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

#else

void keel_nmi_frame(void);	/* nmi_frame.S */

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

#endif
KEEL_EXPORT(keel_host_nmi);
