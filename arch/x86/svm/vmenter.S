/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The way into a guest and back (APM 2 15.5, 15.6).
 *
 * VMRUN and #VMEXIT switch CS, DS, ES, SS, GDTR, IDTR, CR0, CR3, CR4, EFER, RFLAGS, RIP, RSP and
 * RAX. FS, GS, TR, LDTR, KERNEL_GS_BASE and the SYSCALL and SYSENTER MSRs are switched by VMLOAD
 * and VMSAVE. Between VMLOAD of the guest and VMLOAD of the host, GS and TR are
 * the guest's: no per-CPU variable, no exception. GIF is clear all the way, so
 * that no interrupt, NMI or machine check can come either (APM 2 15.17).
 */
#include <linux/linkage.h>
#include <asm/asm.h>
#include "virt/compat/compat_asm.h"
#include "arch/x86/entry.inc"
#include "arch/x86/svm/vmenter.h"

.section .noinstr.text, "ax"

/* int svm_vmrun(u64 *gpr (rdi), struct svm_entry *entry (rsi)) */
SYM_FUNC_START(svm_vmrun)
	KEEL_PUSH_CALLEE_SAVED
	push %rsi
	push %rdi

	/*
	 * The one instruction that can fault: once GIF is clear nobody takes SVM away
	 * from this CPU, so what follows cannot raise #UD.
	 */
1:	clgi
	_ASM_EXTABLE(1b, .Lno_svm)

	KEEL_GUEST_SPEC_CTRL %rsi off=ENTRY_SPEC

	mov ENTRY_VMCB(%rsi), %rax
	vmload %rax

	KEEL_LOAD_GUEST_GPRS %rdi
	mov G_RSI(%rdi), %rsi
	mov G_RDI(%rdi), %rdi

	KEEL_CLEAR_CPU_BUFFERS

	/*
	 * With V_INTR_MASKING the host's IF at VMRUN says whether physical
	 * interrupts end the guest (APM 2 15.21.1); GIF still holds them back here.
	 */
	sti
	vmrun %rax
	cli

	/* RAX is the host's again: the address of the VMCB. */
	vmsave %rax

	pop %rax
	KEEL_SAVE_GUEST_GPRS %rax

	pop %rsi
	mov ENTRY_HOST(%rsi), %rax
	vmload %rax

	KEEL_HOST_SPEC_CTRL %rsi off=ENTRY_SPEC
	KEEL_FILL_RSB %rax

	/* RBX, RBP, R12-R15 are popped. */
	KEEL_ZERO_GPRS

	KEEL_UNTRAIN_RET
	xor %eax, %eax

	/* NMIs and machine checks that waited are taken here, on the host's TR and GS. */
	stgi

.Lout:
	KEEL_POP_CALLEE_SAVED
	RET

.Lno_svm:
	add $16, %rsp
	mov $1, %eax
	jmp .Lout
SYM_FUNC_END(svm_vmrun)
