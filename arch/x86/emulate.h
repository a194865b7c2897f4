/* SPDX-License-Identifier: GPL-2.0-only */
/* The glue between a vCPU and the instruction emulator (emul/). */
#ifndef KEEL_X86_EMULATE_H
#define KEEL_X86_EMULATE_H

#include <keel/types.h>
#include <keel/verdict.h>
#include "arch/x86/emul/emul.h"

struct x86_vcpu;

struct vcpu_emul {
	struct emul_ctxt	*ctxt;		/* allocated with the first emulated instruction */
	/*
	 * The stage-2 fault that brought us here: the first access to this linear page hits
	 * gpa, so the walk needs no repeating. Valid for one instruction.
	 */
	gpa_t			fault_gpa;
	bool			io_pending;	/* ctxt waits for userspace to finish ctxt->io */
	bool			write_fault;	/* the exit was for a write */
	u64			last_fail_rip;	/* guards against an endless retry without progress */
	u32			retries;
	/* A fragment of a port access handled without the emulator: see exit_io.c */
	struct {
		u16	port;
		u8	size;
	} pio;
};

void emulate_vcpu_destroy(struct x86_vcpu *vcpu);
/* Forget an instruction that waits for userspace (reset, state replaced). */
void emulate_drop(struct x86_vcpu *vcpu);

/*
 * emulate_insn - run the instruction at RIP. @bytes, @nr: known bytes or NULL, 0.
 * Own thread, interrupts on, vCPU loaded.
 */
verdict_t emulate_insn(struct x86_vcpu *vcpu, const u8 *bytes, int nr);

/* The length of the instruction at RIP, for skipping; 0 if it cannot be fetched or decoded. */
int emulate_insn_length(struct x86_vcpu *vcpu);

/* KVM_EXIT_INTERNAL_ERROR/EMULATION with the instruction bytes, or #UD in user mode: ring 3 must not be able to stop its VM. */
verdict_t emulate_failed(struct x86_vcpu *vcpu);

enum emul_mode emulate_mode(struct x86_vcpu *vcpu);

#endif
