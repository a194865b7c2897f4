/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the entry code of both vendors has in common (entry.inc): the general registers, and the
 * switch of MSR SPEC_CTRL where the hardware does not do it.
 */
#ifndef KEEL_X86_ENTRY_H
#define KEEL_X86_ENTRY_H

/* Offsets into struct entry_spec, checked where it is used. */
#define SPEC_GUEST		0
#define SPEC_HOST		8
#define SPEC_SWITCH		16
#define SPEC_SAVE		17

#ifndef __ASSEMBLY__

#include <linux/build_bug.h>
#include <linux/stddef.h>
#include <linux/types.h>
#include "arch/x86/regs.h"

/* MSR SPEC_CTRL around an entry. */
struct entry_spec {
	u64	guest;	/* to run the guest with, and after the exit its new value */
	u64	host;
	u8	sw;	/* software switches the MSR */
	u8	save;	/* the guest may write it without an exit */
};

static_assert(offsetof(struct entry_spec, guest) == SPEC_GUEST);
static_assert(offsetof(struct entry_spec, host) == SPEC_HOST);
static_assert(offsetof(struct entry_spec, sw) == SPEC_SWITCH);
static_assert(offsetof(struct entry_spec, save) == SPEC_SAVE);
static_assert(R_RSP == 4 && R_RBP == 5 && R_RDI == 7 && R_R15 == 15);

#endif

#endif
