/* SPDX-License-Identifier: GPL-2.0-only */
/* What came to the host and VT-x took away by ending the guest with it. */
#ifndef KEEL_COMPAT_HOST_EVENT_H
#define KEEL_COMPAT_HOST_EVENT_H

#include <linux/types.h>

/*
 * Run the host's NMI handler as if the NMI came now; its IRET unblocks NMIs. Interrupts off, on the
 * task's stack, noinstr: NMIs are blocked since the exit.
 */
void keel_host_nmi(void);

/* Run the host's handler of an interrupt that the exit has acknowledged, as if it came now. Interrupts off. */
void keel_host_interrupt(u8 vector);

#endif
