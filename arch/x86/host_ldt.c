// SPDX-License-Identifier: GPL-2.0-only
/* The LDT of the VMM's process; another thread of it may change it at any time. */
#include <linux/irqflags.h>
#include <linux/sched.h>
#include <asm/desc.h>
#include <asm/mmu_context.h>
#include "virt/compat/compat.h"
#include "arch/x86/host_ldt.h"

#ifdef CONFIG_MODIFY_LDT_SYSCALL
bool keel_task_has_ldt(void)
{
	return current->mm && READ_ONCE(current->mm->context.ldt);
}
#else
bool keel_task_has_ldt(void)
{
	return false;
}
#endif
KEEL_EXPORT(keel_task_has_ldt);

/* What an entry saved of LDTR may be a descriptor whose table is freed by now. */
void keel_reload_ldt(void)
{
	unsigned long flags;
	u16 sel;

	local_irq_save(flags);
	sel = keel_task_has_ldt() ? GDT_ENTRY_LDT * 8 : 0;
	asm volatile("lldt %0" : : "r" (sel));
	local_irq_restore(flags);
}
KEEL_EXPORT(keel_reload_ldt);
