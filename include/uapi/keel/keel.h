/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Keel's own extensions to the KVM ABI.
 *
 * There are none that change behaviour: an unmodified VMM must not be able to tell the difference.
 * Capability numbers from KEEL_CAP_BASE on never collide with KVM's, which are dense from 0, and a
 * kernel without Keel answers 0 for them, as it does for every number that it does not know.
 */
#ifndef _UAPI_KEEL_KEEL_H
#define _UAPI_KEEL_KEEL_H

#define KEEL_CAP_BASE		0x4b45454c	/* "KEEL" */

/* KVM_CHECK_EXTENSION: not 0 if Keel serves /dev/kvm; the value is the version of this interface. */
#define KEEL_CAP_PRESENT	(KEEL_CAP_BASE + 0)
#define KEEL_ABI_VERSION	1

#endif
