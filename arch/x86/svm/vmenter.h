/* SPDX-License-Identifier: GPL-2.0-only */
/* What C and vmenter.S share. */
#ifndef KEEL_SVM_VMENTER_H
#define KEEL_SVM_VMENTER_H

/* Offsets into struct svm_entry, checked in run.c. */
#define ENTRY_VMCB		0
#define ENTRY_HOST		8
#define ENTRY_GUEST_SPEC	16
#define ENTRY_HOST_SPEC		24
#define ENTRY_SPEC_SWITCH	32
#define ENTRY_SPEC_SAVE		33

#ifndef __ASSEMBLY__
#include <linux/types.h>

struct svm_entry {
	u64	vmcb_pa;
	u64	host_pa;	/* this CPU's VMSAVE area of the host */
	u64	guest_spec;	/* MSR SPEC_CTRL to run the guest with, and after the exit its new value */
	u64	host_spec;
	u8	spec_switch;	/* software switches the MSR */
	u8	spec_save;	/* the guest may write it without an exit */
};

/*
 * svm_vmrun - run the guest until it exits. Interrupts off. @gpr: NR_GPRS
 * registers; RAX and RSP are not touched, they live in the VMCB. 0; 1: the CPU has no
 * SVM any more, nothing happened.
 */
int svm_vmrun(u64 *gpr, struct svm_entry *entry);
#endif

#endif
