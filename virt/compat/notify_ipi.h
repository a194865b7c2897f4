/* SPDX-License-Identifier: GPL-2.0-only */
/* The interrupt between CPUs that says "look at the descriptor of posted interrupts". */
#ifndef KEEL_COMPAT_NOTIFY_IPI_H
#define KEEL_COMPAT_NOTIFY_IPI_H

#include <linux/cpumask.h>
#include <asm/apic.h>
#include <asm/irq_vectors.h>
#include "virt/compat/autoconf.h"

/* The host's own vector for it: its handler does nothing but the EOI. 0: this kernel was built without. */
#if defined(POSTED_INTR_VECTOR) && IS_ENABLED(CONFIG_KVM)
#define KEEL_NOTIFY_VECTOR	POSTED_INTR_VECTOR
#else
#define KEEL_NOTIFY_VECTOR	0
#endif

/* Any context, preemption off, @cpu online. */
static inline void keel_notify_cpu(int cpu)
{
#ifdef HAVE_APIC_CALLS
	__apic_send_IPI_mask(cpumask_of(cpu), KEEL_NOTIFY_VECTOR);
#else
	apic->send_IPI_mask(cpumask_of(cpu), KEEL_NOTIFY_VECTOR);
#endif
}

#endif
