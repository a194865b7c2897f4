/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Mitigations around a guest entry, in assembly. Each is a macro that emits nothing on a CPU or
 * kernel that does not need it. Place them as said; all but the first need the host's stack.
 *
 *	KEEL_CLEAR_CPU_BUFFERS		last before VMRUN; ZF is lost (VERW: MDS, TSA, RFDS, MMIO)
 *	KEEL_VMX_CLEAR_CPU_BUFFERS	the same before VMLAUNCH and VMRESUME
 *	VMRUN
 *	KEEL_FILL_RSB reg		first after it, before any RET; @reg is lost
 *	KEEL_UNTRAIN_RET		next, before any RET; RAX, RCX, RDX are lost (IBPB on exit)
 *	KEEL_CLEAR_BHB			before the first indirect branch; all caller-saved may be lost
 *
 * Guest values have to be out of RAX, RCX, RDX before KEEL_UNTRAIN_RET.
 */
#ifndef KEEL_COMPAT_ASM_H
#define KEEL_COMPAT_ASM_H

#ifdef __ASSEMBLY__

#include <linux/linkage.h>
#include <linux/stringify.h>
#include <asm/alternative.h>
#include <asm/asm.h>
#include <asm/cpufeatures.h>
#include <asm/nospec-branch.h>
#include <asm/unwind_hints.h>
#include "virt/compat/autoconf.h"

.macro KEEL_CLEAR_CPU_BUFFERS
#if defined(VM_CLEAR_CPU_BUFFERS)
	VM_CLEAR_CPU_BUFFERS
#elif defined(VERW) && defined(X86_FEATURE_CLEAR_CPU_BUF_VM)
	ALTERNATIVE "", __stringify(VERW), X86_FEATURE_CLEAR_CPU_BUF_VM
#elif defined(CLEAR_CPU_BUFFERS)
	CLEAR_CPU_BUFFERS
#endif
.endm

/* Where a kernel knows of one feature for both, this is that; else VT-x needs what a return to user mode needs. */
.macro KEEL_VMX_CLEAR_CPU_BUFFERS
#if defined(VM_CLEAR_CPU_BUFFERS) && defined(CLEAR_CPU_BUFFERS)
	CLEAR_CPU_BUFFERS
#else
	KEEL_CLEAR_CPU_BUFFERS
#endif
.endm

.macro KEEL_FILL_RSB reg:req
	FILL_RETURN_BUFFER \reg, RSB_CLEAR_LOOPS, X86_FEATURE_RSB_VMEXIT, X86_FEATURE_RSB_VMEXIT_LITE
.endm

.macro KEEL_UNTRAIN_RET
#ifdef UNTRAIN_RET_VM
	UNTRAIN_RET_VM
#else
	UNTRAIN_RET
	ALTERNATIVE "", "call entry_ibpb", X86_FEATURE_IBPB_ON_VMEXIT
#endif
.endm

.macro KEEL_CLEAR_BHB
	CLEAR_BRANCH_HISTORY_VMEXIT
.endm

#endif /* __ASSEMBLY__ */

#endif
