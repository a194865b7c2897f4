/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The guest's register state in a neutral form, cached.
 *
 * General registers live in vcpu->regs.gpr and are loaded and saved by the
 * vendor's entry code itself. Everything else belongs to a state group: `known`
 * says that the cache holds the group's value, `dirty` that the hardware
 * block has to be told. Read through st_read(), change after st_write(); the
 * vendor's fetch() and flush() move whole groups. Raw register values only:
 * what the CPU mode makes of them is said in the accessor's name.
 */
#ifndef KEEL_X86_REGS_H
#define KEEL_X86_REGS_H

#include <linux/types.h>

enum {
	R_RAX, R_RCX, R_RDX, R_RBX, R_RSP, R_RBP, R_RSI, R_RDI,
	R_R8, R_R9, R_R10, R_R11, R_R12, R_R13, R_R14, R_R15, NR_GPRS,
};

/* Order of struct kvm_sregs; also the index into x86_regs.seg. */
enum { S_CS, S_DS, S_ES, S_FS, S_GS, S_SS, S_TR, S_LDTR, NR_SEGS };

/*
 * attr in the VMCB's packing (APM 2 15.5): bits 0-3 type, 4 S, 5-6 DPL, 7 P, 8 AVL,
 * 9 L, 10 D/B, 11 G. unusable: VT-x keeps it apart, AMD-V derives it as !P.
 */
struct x86_seg {
	u64	base;
	u32	limit;		/* expanded, in bytes */
	u16	selector;
	u16	attr;
	u8	unusable;
};

#define SEG_TYPE(a)	((a) & 0xf)
#define SEG_S		(1 << 4)
#define SEG_DPL(a)	(((a) >> 5) & 3)
#define SEG_P		(1 << 7)
#define SEG_AVL		(1 << 8)
#define SEG_TSS32	(1 << 3)	/* of TR: not a 16-bit TSS */
#define SEG_L		(1 << 9)
#define SEG_DB		(1 << 10)
#define SEG_G		(1 << 11)

struct x86_dt {
	u64	base;
	u16	limit;
};

struct x86_regs {
	u64	gpr[NR_GPRS];		/* RSP and RAX are in groups RSP and none: always known */
	u64	rip;
	u64	rflags;
	u64	cr0, cr2, cr3, cr4;	/* as the guest sees them; cr8 is the APIC's TPR */
	u64	pdpte[4];	/* PAE paging, with vendor_caps.pdpte_registers */
	u64	efer;
	struct x86_seg seg[NR_SEGS];
	struct x86_dt gdt, idt;
	u64	star, lstar, cstar, sfmask, kernel_gs_base;
	u64	sysenter_cs, sysenter_esp, sysenter_eip;
	u8	int_shadow;		/* SHADOW_* */
	u8	cpl;
};

/* As in struct kvm_vcpu_events. */
#define SHADOW_MOV_SS	KVM_X86_SHADOW_INT_MOV_SS
#define SHADOW_STI	KVM_X86_SHADOW_INT_STI

/* State groups. RAX..R15 but RSP are always known. */
enum {
	ST_RIP		= 1 << 0,
	ST_RSP		= 1 << 1,
	ST_RFLAGS	= 1 << 2,
	ST_CR		= 1 << 3,	/* cr0, cr2, cr4 */
	ST_CR3		= 1 << 4,
	ST_EFER		= 1 << 5,
	ST_SEG		= 1 << 6,	/* all eight segments and cpl */
	ST_DT		= 1 << 7,
	ST_SYSCALL	= 1 << 8,	/* star .. sysenter_eip */
	ST_SHADOW	= 1 << 9,	/* int_shadow */
	ST_ALL		= (1 << 10) - 1,
	/* Known with ST_SEG, or alone and cheaper for who only asks for the mode: seg[S_CS] and cpl. Never written. */
	ST_CS		= 1 << 10,
	/* pdpte, loaded when the architecture does (SDM 3 4.4.1). Unused where the CPU reads them anew each time. */
	ST_PDPTE	= 1 << 11,
};

#endif
