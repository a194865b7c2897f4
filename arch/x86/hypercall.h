/* SPDX-License-Identifier: GPL-2.0-only */
/* Hypercalls of KVM's paravirtual interface (Documentation/virt/kvm/x86/hypercalls.rst). */
#ifndef KEEL_X86_HYPERCALL_H
#define KEEL_X86_HYPERCALL_H

#include <keel/verdict.h>

struct x86_vcpu;

/* Both begin with 0F 01 (SDM 3C 31.3, APM 3 VMMCALL). */
#define HYPERCALL_VMCALL	0xc1
#define HYPERCALL_VMMCALL	0xd9

/* #UD has to exit: instructions of another vendor's CPU are served (hypercall_undefined()). */
bool keel_hypercall_wants_ud(struct x86_vcpu *vcpu);

/*
 * hypercall_undefined - RIP is at an instruction that raised #UD. True if it is the other vendor's
 * hypercall, which was replaced by this one's where the guest may write there, and was served.
 * KVM_X86_QUIRK_FIX_HYPERCALL_INSN, off: false.
 */
bool hypercall_undefined(struct x86_vcpu *vcpu, verdict_t *v);

/* VMCALL or VMMCALL was executed. The instruction is completed; RAX holds the result. */
verdict_t hypercall(struct x86_vcpu *vcpu);

#endif
