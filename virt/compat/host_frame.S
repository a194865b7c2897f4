/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Call a handler of the host with the frame that an NMI or an interrupt would have pushed (SDM 3A 6.14.2). See
 * host_event.c.
 */
#include <linux/linkage.h>
#include <asm/segment.h>
#include "virt/compat/compat_asm.h"

#ifndef HAVE_X86_ENTRY_FROM_KVM

#ifdef HAVE_NMI_KVM_VMX
#define HOST_NMI_ENTRY	asm_exc_nmi_kvm_vmx
#else
#define HOST_NMI_ENTRY	asm_exc_nmi_noist
#endif

/* All but RIP, which the call pushes. */
.macro FRAME_BEGIN
	push %rbp
	mov %rsp, %rbp
	/* The CPU aligns the stack before it pushes. */
	and $-16, %rsp
	push $__KERNEL_DS
	push %rbp
	pushf
	push $__KERNEL_CS
.endm

.macro FRAME_END
	/* IRET has put RSP back already, which objtool cannot know. */
	mov %rbp, %rsp
	pop %rbp
	RET
.endm

.section .noinstr.text, "ax"

SYM_FUNC_START(keel_nmi_frame)
	FRAME_BEGIN
	call HOST_NMI_ENTRY
	FRAME_END
SYM_FUNC_END(keel_nmi_frame)

.text

/* void keel_interrupt_frame(unsigned long entry (rdi)). The frame has IF clear: so it is still behind IRET. */
SYM_FUNC_START(keel_interrupt_frame)
	mov %rdi, %rax
	FRAME_BEGIN
	CALL_NOSPEC rax
	FRAME_END
SYM_FUNC_END(keel_interrupt_frame)

#endif
