/* SPDX-License-Identifier: GPL-2.0-only */
/* Hypercalls of KVM's paravirtual interface (Documentation/virt/kvm/x86/hypercalls.rst). */
#ifndef KEEL_X86_HYPERCALL_H
#define KEEL_X86_HYPERCALL_H

#include <keel/verdict.h>

struct x86_vcpu;

/* VMCALL or VMMCALL was executed. The instruction is completed; RAX holds the result. */
verdict_t hypercall(struct x86_vcpu *vcpu);

#endif
