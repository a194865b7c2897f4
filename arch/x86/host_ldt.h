/* SPDX-License-Identifier: GPL-2.0-only */
/* The LDT of the VMM's process, which no exit brings back. */
#ifndef KEEL_X86_HOST_LDT_H
#define KEEL_X86_HOST_LDT_H

#include <linux/types.h>

/* Interrupts or preemption off: the answer is good until this task is scheduled out. */
bool keel_task_has_ldt(void);
/* Load LDTR from the GDT, which has the current LDT of this task, or none. */
void keel_reload_ldt(void);

#endif
