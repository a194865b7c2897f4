/* SPDX-License-Identifier: GPL-2.0-only */
/* A host NMI that VT-x took away by ending the guest with it. */
#ifndef KEEL_COMPAT_HOST_NMI_H
#define KEEL_COMPAT_HOST_NMI_H

/*
 * Run the host's NMI handler as if the NMI came now; its IRET unblocks NMIs. Interrupts off, on the
 * task's stack, noinstr: NMIs are blocked since the exit.
 */
void keel_host_nmi(void);

#endif
