// SPDX-License-Identifier: GPL-2.0-only
/* KEEL_DEBUG=1: sleeping in the middle of races. */
#ifdef KEEL_DEBUG

#include <linux/delay.h>
#include <linux/moduleparam.h>
#include <keel/dawdle.h>

static unsigned int delays[NR_DAWDLES];

module_param_named(debug_fault_delay, delays[DAWDLE_FAULT], uint, 0644);
MODULE_PARM_DESC(debug_fault_delay, "Microseconds between finding and mapping a page");
module_param_named(debug_invalidate_delay, delays[DAWDLE_INVALIDATE], uint, 0644);
MODULE_PARM_DESC(debug_invalidate_delay, "Microseconds that an invalidation waits after its start");

void dawdle(enum dawdle where)
{
	unsigned int us = READ_ONCE(delays[where]);

	if (us)
		usleep_range(us, us + us / 4 + 1);
}

#endif
