/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a handler of a VM exit tells the run loop. A handler that returns
 * VERDICT_USER has filled vcpu->run; one that returns a negative errno makes
 * KVM_RUN fail with it.
 */
#ifndef KEEL_VERDICT_H
#define KEEL_VERDICT_H

typedef int verdict_t;

#define VERDICT_RESUME	0	/* enter the guest again */
#define VERDICT_USER	1	/* return 0 from KVM_RUN, kvm_run is filled */

#endif
