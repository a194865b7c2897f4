/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The way into a guest and back (SDM 3C 27, 28).
 *
 * VM entries and exits switch segments, GDTR, IDTR, TR, control registers but CR2 and CR8, EFER,
 * PAT, RFLAGS, RIP and RSP. An exit arrives at vmx_vmexit with the stack as it was at
 * the entry, which HOST_RSP in the VMCS says.
 */
#include <linux/linkage.h>
#include <asm/asm.h>
#include "virt/compat/compat_asm.h"
#include "arch/x86/entry.inc"
#include "arch/x86/vmx/vmenter.h"

#define STACK_GPR	0
#define STACK_ENTRY	8
#define STACK_RESULT	16

.section .noinstr.text, "ax"

/* int vmx_vmenter(u64 *gpr (rdi), struct vmx_entry *entry (rsi)) */
SYM_FUNC_START(vmx_vmenter)
	KEEL_PUSH_CALLEE_SAVED
	push $VMENTER_FAILED
	push %rsi
	push %rdi

	/* The stack is where it was at the last entry, most of the time. */
	cmp %rsp, ENTRY_RSP(%rsi)
	je 2f
	mov $FIELD_HOST_RSP, %eax
1:	vmwrite %rsp, %rax
	_ASM_EXTABLE(1b, .Lno_vmx)
	jbe .Lafter
	mov %rsp, ENTRY_RSP(%rsi)
2:
	KEEL_GUEST_SPEC_CTRL %rsi off=ENTRY_SPEC

	/* CF until the end: MOV leaves the flags alone, and VERW changes ZF only. */
	btl $0, ENTRY_LAUNCHED(%rsi)

	KEEL_LOAD_GUEST_GPRS %rdi
	mov G_RAX(%rdi), %rax
	mov G_RSI(%rdi), %rsi
	mov G_RDI(%rdi), %rdi

	KEEL_VMX_CLEAR_CPU_BUFFERS
	jnc .Llaunch

	/* The exit label below is reached with this very stack. */
	UNWIND_HINT_SAVE
3:	vmresume
	jmp .Lfailed
.Llaunch:
4:	vmlaunch
	jmp .Lfailed
	_ASM_EXTABLE(3b, .Lfault)
	_ASM_EXTABLE(4b, .Lfault)

SYM_INNER_LABEL_ALIGN(vmx_vmexit, SYM_L_GLOBAL)
	UNWIND_HINT_RESTORE
	ENDBR
	movq $VMENTER_EXITED, STACK_RESULT(%rsp)

	/* With the guest's registers; those of a refused entry are as they were. */
.Lfailed:
	push %rax
	mov 8+STACK_GPR(%rsp), %rax
	KEEL_SAVE_GUEST_GPRS %rax
	pop G_RAX(%rax)

.Lafter:
	mov STACK_ENTRY(%rsp), %rdi

	/* Both before the first RET: the guest has filled the predictor of returns. */
	KEEL_FILL_RSB %rax
	KEEL_HOST_SPEC_CTRL %rdi off=ENTRY_SPEC

	KEEL_ZERO_GPRS
	KEEL_CLEAR_BHB

	mov STACK_RESULT(%rsp), %eax
	add $24, %rsp
	KEEL_POP_CALLEE_SAVED
	RET

.Lfault:
	movq $VMENTER_NO_VMX, STACK_RESULT(%rsp)
	jmp .Lfailed

	/* The guest's registers and SPEC_CTRL are not loaded yet. */
.Lno_vmx:
	mov $VMENTER_NO_VMX, %eax
	add $24, %rsp
	KEEL_POP_CALLEE_SAVED
	RET
SYM_FUNC_END(vmx_vmenter)
