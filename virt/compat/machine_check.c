// SPDX-License-Identifier: GPL-2.0-only
/* A machine check that hit while a guest ran. */
#include <linux/string.h>
#include <asm/mce.h>
#include <asm/ptrace.h>
#include <asm/processor-flags.h>
#include <asm/segment.h>
#include "virt/compat/compat.h"
#include "virt/compat/compat_x86.h"

void keel_host_machine_check(void)
{
	struct pt_regs regs = { .cs = __USER_CS, .flags = X86_EFLAGS_IF };

	do_machine_check(&regs);
}
KEEL_EXPORT(keel_host_machine_check);
