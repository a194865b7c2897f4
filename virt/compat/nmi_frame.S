/* SPDX-License-Identifier: GPL-2.0-only */
/* Call the host's NMI handler with the frame that an NMI would have pushed (SDM 3A 6.14.2). See host_nmi.c. */
#include <linux/linkage.h>
#include <asm/segment.h>
#include "virt/compat/compat_asm.h"

#ifndef HAVE_X86_ENTRY_FROM_KVM

#ifdef HAVE_NMI_KVM_VMX
#define HOST_NMI_ENTRY	asm_exc_nmi_kvm_vmx
#else
#define HOST_NMI_ENTRY	asm_exc_nmi_noist
#endif

.section .noinstr.text, "ax"

SYM_FUNC_START(keel_nmi_frame)
	push %rbp
	mov %rsp, %rbp
	/* The CPU aligns the stack before it pushes. */
	and $-16, %rsp
	push $__KERNEL_DS
	push %rbp
	pushf
	push $__KERNEL_CS
	call HOST_NMI_ENTRY
	/* IRET has put RSP back already, which objtool cannot know. */
	mov %rbp, %rsp
	pop %rbp
	RET
SYM_FUNC_END(keel_nmi_frame)

#endif
