/* SPDX-License-Identifier: GPL-2.0-only */
/* What C and vmenter.S share. */
#ifndef KEEL_SVM_VMENTER_H
#define KEEL_SVM_VMENTER_H

#include "arch/x86/entry.h"

/* Offsets into struct svm_entry, checked in run.c. */
#define ENTRY_VMCB		0
#define ENTRY_HOST		8
#define ENTRY_SPEC		16

#ifndef __ASSEMBLY__
struct svm_entry {
	u64	vmcb_pa;
	u64	host_pa;	/* this CPU's VMSAVE area of the host */
	struct entry_spec spec;
};

/*
 * svm_vmrun - run the guest until it exits. Interrupts off. @gpr: NR_GPRS
 * registers; RAX and RSP are not touched, they live in the VMCB. 0; 1: the CPU has no
 * SVM any more, nothing happened.
 */
int svm_vmrun(u64 *gpr, struct svm_entry *entry);
#endif

#endif
