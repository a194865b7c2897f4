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
#include <asm/msr-index.h>
#include "virt/compat/compat_asm.h"
#include "arch/x86/svm/vmenter.h"

/* Order of enum R_RAX.. in regs.h. */
#define GPR(n) (8 * (n))
#define G_RCX GPR(1)
#define G_RDX GPR(2)
#define G_RBX GPR(3)
#define G_RBP GPR(5)
#define G_RSI GPR(6)
#define G_RDI GPR(7)
#define G_R8 GPR(8)
#define G_R9 GPR(9)
#define G_R10 GPR(10)
#define G_R11 GPR(11)
#define G_R12 GPR(12)
#define G_R13 GPR(13)
#define G_R14 GPR(14)
#define G_R15 GPR(15)

.section .noinstr.text, "ax"

/* int svm_vmrun(u64 *gpr (rdi), struct svm_entry *entry (rsi)) */
SYM_FUNC_START(svm_vmrun)
	push %rbp
	push %r15
	push %r14
	push %r13
	push %r12
	push %rbx
	push %rsi
	push %rdi

	/*
	 * The one instruction that can fault: once GIF is clear nobody takes SVM away
	 * from this CPU, so what follows cannot raise #UD.
	 */
1:	clgi
	_ASM_EXTABLE(1b, .Lno_svm)

	cmpb $0, ENTRY_SPEC_SWITCH(%rsi)
	je 2f
	mov ENTRY_GUEST_SPEC(%rsi), %rax
	cmp ENTRY_HOST_SPEC(%rsi), %rax
	je 2f
	mov $MSR_IA32_SPEC_CTRL, %ecx
	mov ENTRY_GUEST_SPEC + 4(%rsi), %edx
	wrmsr
2:
	mov ENTRY_VMCB(%rsi), %rax
	vmload %rax

	mov G_RCX(%rdi), %rcx
	mov G_RDX(%rdi), %rdx
	mov G_RBX(%rdi), %rbx
	mov G_RBP(%rdi), %rbp
	mov G_RSI(%rdi), %rsi
	mov G_R8(%rdi), %r8
	mov G_R9(%rdi), %r9
	mov G_R10(%rdi), %r10
	mov G_R11(%rdi), %r11
	mov G_R12(%rdi), %r12
	mov G_R13(%rdi), %r13
	mov G_R14(%rdi), %r14
	mov G_R15(%rdi), %r15
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
	mov %rcx, G_RCX(%rax)
	mov %rdx, G_RDX(%rax)
	mov %rbx, G_RBX(%rax)
	mov %rbp, G_RBP(%rax)
	mov %rsi, G_RSI(%rax)
	mov %rdi, G_RDI(%rax)
	mov %r8, G_R8(%rax)
	mov %r9, G_R9(%rax)
	mov %r10, G_R10(%rax)
	mov %r11, G_R11(%rax)
	mov %r12, G_R12(%rax)
	mov %r13, G_R13(%rax)
	mov %r14, G_R14(%rax)
	mov %r15, G_R15(%rax)

	pop %rsi
	mov ENTRY_HOST(%rsi), %rax
	vmload %rax

	cmpb $0, ENTRY_SPEC_SWITCH(%rsi)
	je 5f
	mov ENTRY_GUEST_SPEC(%rsi), %rax
	mov $MSR_IA32_SPEC_CTRL, %ecx
	cmpb $0, ENTRY_SPEC_SAVE(%rsi)
	je 4f
	rdmsr
	shl $32, %rdx
	or %rdx, %rax
	mov %rax, ENTRY_GUEST_SPEC(%rsi)
4:	cmp ENTRY_HOST_SPEC(%rsi), %rax
	je 5f
	mov ENTRY_HOST_SPEC(%rsi), %eax
	mov ENTRY_HOST_SPEC + 4(%rsi), %edx
	wrmsr
5:
	KEEL_FILL_RSB %rax

	/* Nothing of the guest's is left for speculation to use. RBX, RBP, R12-R15 are popped. */
	xor %eax, %eax
	xor %ecx, %ecx
	xor %edx, %edx
	xor %ebx, %ebx
	xor %ebp, %ebp
	xor %esi, %esi
	xor %edi, %edi
	xor %r8d, %r8d
	xor %r9d, %r9d
	xor %r10d, %r10d
	xor %r11d, %r11d
	xor %r12d, %r12d
	xor %r13d, %r13d
	xor %r14d, %r14d
	xor %r15d, %r15d

	KEEL_UNTRAIN_RET
	xor %eax, %eax

	/* NMIs and machine checks that waited are taken here, on the host's TR and GS. */
	stgi

.Lout:
	pop %rbx
	pop %r12
	pop %r13
	pop %r14
	pop %r15
	pop %rbp
	RET

.Lno_svm:
	add $16, %rsp
	mov $1, %eax
	jmp .Lout
SYM_FUNC_END(svm_vmrun)
