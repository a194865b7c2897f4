/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Builds with KEEL_DEBUG=1 can be told to sleep where a race is narrow, by the parameters
 * debug_fault_delay and debug_invalidate_delay of kvm.ko, in microseconds.
 */
#ifndef KEEL_DAWDLE_H
#define KEEL_DAWDLE_H

enum dawdle {
	DAWDLE_FAULT,		/* a page was found, and is not mapped yet */
	DAWDLE_INVALIDATE,	/* a range was zapped, and the host has not changed it yet */
	NR_DAWDLES
};

#ifdef KEEL_DEBUG
/* May sleep. */
void dawdle(enum dawdle where);
#else
static inline void dawdle(enum dawdle where) { }
#endif

#endif
