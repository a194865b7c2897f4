/* SPDX-License-Identifier: GPL-2.0-only */
/* What C and vmenter.S share. */
#ifndef KEEL_VMX_VMENTER_H
#define KEEL_VMX_VMENTER_H

#include "arch/x86/entry.h"

/* Offsets into struct vmx_entry, checked in run.c. */
#define ENTRY_RSP		0
#define ENTRY_SPEC		8
#define ENTRY_LAUNCHED		32

/* What vmx_vmenter() returns. */
#define VMENTER_EXITED		0
#define VMENTER_FAILED		1	/* VMfail: the CPU says why in VM_INSTRUCTION_ERROR */
#define VMENTER_NO_VMX		2	/* this CPU is not in VMX operation any more */

#define FIELD_HOST_RSP		0x6c14	/* HOST_RSP of <asm/vmx.h>, an enum */

#ifndef __ASSEMBLY__

struct vmx_entry {
	u64			host_rsp;	/* what the VMCS has as HOST_RSP */
	struct entry_spec	spec;
	u32			launched;	/* bit 0: VMRESUME instead of VMLAUNCH */
};

/*
 * vmx_vmenter - run the guest of the current VMCS until it exits. Interrupts off. @gpr: NR_GPRS
 * registers; RSP is in the VMCS. VMENTER_*; but for VMENTER_EXITED nothing happened.
 */
int vmx_vmenter(u64 *gpr, struct vmx_entry *entry);
/* Where the CPU goes on at an exit. */
void vmx_vmexit(void);
#endif

#endif
