/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the entry code of both vendors has in common: where the general registers are, and the
 * switch of MSR SPEC_CTRL where the hardware does not do it.
 */
#ifndef KEEL_X86_ENTRY_H
#define KEEL_X86_ENTRY_H

/* Offsets into struct entry_spec, checked where it is used. */
#define SPEC_GUEST		0
#define SPEC_HOST		8
#define SPEC_SWITCH		16
#define SPEC_SAVE		17

#ifdef __ASSEMBLY__

#include <asm/msr-index.h>

/* Order of enum R_RAX.. in regs.h. */
#define GPR(n) (8 * (n))
#define G_RAX GPR(0)
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

/* What a C caller wants back; nine words with the return address. */
.macro KEEL_PUSH_CALLEE_SAVED
	push %rbp
	push %r15
	push %r14
	push %r13
	push %r12
	push %rbx
.endm

.macro KEEL_POP_CALLEE_SAVED
	pop %rbx
	pop %r12
	pop %r13
	pop %r14
	pop %r15
	pop %rbp
.endm

/* \spec is the address of a struct entry_spec, offset \off. RAX, RCX and RDX are lost. */
.macro KEEL_GUEST_SPEC_CTRL spec:req off=0
	cmpb $0, SPEC_SWITCH+\off(\spec)
	je .Lguest_spec_\@
	mov SPEC_GUEST+\off(\spec), %rax
	cmp SPEC_HOST+\off(\spec), %rax
	je .Lguest_spec_\@
	mov $MSR_IA32_SPEC_CTRL, %ecx
	mov SPEC_GUEST+4+\off(\spec), %edx
	wrmsr
.Lguest_spec_\@:
.endm

.macro KEEL_HOST_SPEC_CTRL spec:req off=0
	cmpb $0, SPEC_SWITCH+\off(\spec)
	je .Lhost_spec_\@
	mov SPEC_GUEST+\off(\spec), %rax
	mov $MSR_IA32_SPEC_CTRL, %ecx
	cmpb $0, SPEC_SAVE+\off(\spec)
	je .Lsaved_spec_\@
	rdmsr
	shl $32, %rdx
	or %rdx, %rax
	mov %rax, SPEC_GUEST+\off(\spec)
.Lsaved_spec_\@:
	cmp SPEC_HOST+\off(\spec), %rax
	je .Lhost_spec_\@
	mov SPEC_HOST+\off(\spec), %eax
	mov SPEC_HOST+4+\off(\spec), %edx
	wrmsr
.Lhost_spec_\@:
.endm

/* All but RAX, RSI and RDI, from \gpr, which is one of these. */
.macro KEEL_LOAD_GUEST_GPRS gpr:req
	mov G_RCX(\gpr), %rcx
	mov G_RDX(\gpr), %rdx
	mov G_RBX(\gpr), %rbx
	mov G_RBP(\gpr), %rbp
	mov G_R8(\gpr), %r8
	mov G_R9(\gpr), %r9
	mov G_R10(\gpr), %r10
	mov G_R11(\gpr), %r11
	mov G_R12(\gpr), %r12
	mov G_R13(\gpr), %r13
	mov G_R14(\gpr), %r14
	mov G_R15(\gpr), %r15
.endm

/* All but RAX, to \gpr, which is RAX. */
.macro KEEL_SAVE_GUEST_GPRS gpr:req
	mov %rcx, G_RCX(\gpr)
	mov %rdx, G_RDX(\gpr)
	mov %rbx, G_RBX(\gpr)
	mov %rbp, G_RBP(\gpr)
	mov %rsi, G_RSI(\gpr)
	mov %rdi, G_RDI(\gpr)
	mov %r8, G_R8(\gpr)
	mov %r9, G_R9(\gpr)
	mov %r10, G_R10(\gpr)
	mov %r11, G_R11(\gpr)
	mov %r12, G_R12(\gpr)
	mov %r13, G_R13(\gpr)
	mov %r14, G_R14(\gpr)
	mov %r15, G_R15(\gpr)
.endm

/* Nothing of the guest's is left for speculation to use. */
.macro KEEL_ZERO_GPRS
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
.endm

#else /* !__ASSEMBLY__ */

#include <linux/build_bug.h>
#include <linux/stddef.h>
#include <linux/types.h>
#include "arch/x86/regs.h"

/* MSR SPEC_CTRL around an entry. */
struct entry_spec {
	u64	guest;	/* to run the guest with, and after the exit its new value */
	u64	host;
	u8	sw;	/* software switches the MSR */
	u8	save;	/* the guest may write it without an exit */
};

static_assert(offsetof(struct entry_spec, guest) == SPEC_GUEST);
static_assert(offsetof(struct entry_spec, host) == SPEC_HOST);
static_assert(offsetof(struct entry_spec, sw) == SPEC_SWITCH);
static_assert(offsetof(struct entry_spec, save) == SPEC_SAVE);
static_assert(R_RSP == 4 && R_RBP == 5 && R_RDI == 7 && R_R15 == 15);

#endif

#endif
