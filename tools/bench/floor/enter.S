/* SPDX-License-Identifier: GPL-2.0-only */
/* The least that can be done around VMRUN, and the guest that does nothing but exit. */
#include <linux/linkage.h>

.text

/* void floor_enter(u64 vmcb_pa (rdi), u64 host_pa (rsi)) */
SYM_FUNC_START(floor_enter)
	push %rbx
	push %rbp
	push %r12
	push %r13
	push %r14
	push %r15
	push %rsi
	mov %rdi, %rax
	clgi
	vmload %rax
	vmrun %rax
	vmsave %rax
	pop %rax
	vmload %rax
	stgi
	pop %r15
	pop %r14
	pop %r13
	pop %r12
	pop %rbp
	pop %rbx
	RET
SYM_FUNC_END(floor_enter)

SYM_FUNC_START(floor_guest)
1:	vmmcall
	jmp 1b
SYM_FUNC_END(floor_guest)

.section .note.GNU-stack, "", @progbits
