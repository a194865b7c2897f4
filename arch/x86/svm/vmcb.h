/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The virtual machine control block (APM 2 appendix B): its layout and the bits
 * in it. One page per vCPU, written by us between exits only.
 */
#ifndef KEEL_SVM_VMCB_H
#define KEEL_SVM_VMCB_H

#include <linux/build_bug.h>
#include <linux/bits.h>
#include <linux/stddef.h>
#include <linux/types.h>
#include <uapi/asm/svm.h>	/* SVM_EXIT_* */

/* Intercept words (APM 2 table B-1, 15.9). A bit's place: word, bit. */
enum { IC_CR, IC_DR, IC_EXC, IC_MISC1, IC_MISC2, IC_MISC3, NR_IC_WORDS };

#define IC_CR_READ(n)		BIT(n)
#define IC_CR_WRITE(n)		BIT(16 + (n))
#define IC_DR_ALL		0xffffffffu

/* IC_MISC1 */
#define IC_INTR			BIT(0)
#define IC_NMI			BIT(1)
#define IC_SMI			BIT(2)
#define IC_INIT			BIT(3)
#define IC_VINTR		BIT(4)
#define IC_CR0_SEL		BIT(5)
#define IC_RDPMC		BIT(15)
#define IC_CPUID		BIT(18)
#define IC_RSM			BIT(19)
#define IC_IRET			BIT(20)
#define IC_INVD			BIT(22)
#define IC_PAUSE		BIT(23)
#define IC_HLT			BIT(24)
#define IC_INVLPGA		BIT(26)
#define IC_IOIO			BIT(27)
#define IC_MSR			BIT(28)
#define IC_TASK_SWITCH		BIT(29)
#define IC_FERR_FREEZE		BIT(30)
#define IC_SHUTDOWN		BIT(31)

/* IC_MISC2 */
#define IC_VMRUN		BIT(0)
#define IC_VMMCALL		BIT(1)
#define IC_VMLOAD		BIT(2)
#define IC_VMSAVE		BIT(3)
#define IC_STGI			BIT(4)
#define IC_CLGI			BIT(5)
#define IC_SKINIT		BIT(6)
#define IC_RDTSCP		BIT(7)
#define IC_ICEBP		BIT(8)
#define IC_WBINVD		BIT(9)
#define IC_MONITOR		BIT(10)
#define IC_MWAIT		BIT(11)
#define IC_XSETBV		BIT(13)
#define IC_RDPRU		BIT(14)

/* IC_MISC3 */
#define IC_INVPCID		BIT(2)

/* tlb_control (APM 2 15.16.1) */
enum { VMCB_TLB_NOTHING = 0, VMCB_TLB_FLUSH_ALL = 1, VMCB_TLB_FLUSH_ASID = 3 };

/* int_ctl (APM 2 15.21) */
#define V_TPR			0x0fu
#define V_IRQ			BIT(8)
#define V_INTR_PRIO_MAX		(0xfu << 16)
#define V_IGN_TPR		BIT(20)
#define V_INTR_MASKING		BIT(24)

/* int_state */
#define INT_STATE_SHADOW	1ull

/* nested_ctl */
#define NESTED_CTL_NP		1ull

/* event_inj and exit_int_info (APM 2 15.20, 15.7.2) */
#define INJ_VECTOR		0xffu
#define INJ_TYPE		(7u << 8)
#define INJ_INTR		(0u << 8)
#define INJ_NMI			(2u << 8)
#define INJ_EXCEPTION		(3u << 8)
#define INJ_SOFT_INT		(4u << 8)
#define INJ_HAS_ERROR		BIT(11)
#define INJ_VALID		BIT(31)

/* clean (APM 2 15.15.3): a set bit says that the field group is as it was at the last exit. */
enum {
	CLEAN_INTERCEPTS = BIT(0),	/* intercepts, TSC offset, pause filter */
	CLEAN_PERM	= BIT(1),	/* IOPM and MSRPM addresses */
	CLEAN_ASID	= BIT(2),
	CLEAN_INTR	= BIT(3),	/* int_ctl, int_vector */
	CLEAN_NP	= BIT(4),	/* nested CR3, guest PAT */
	CLEAN_CR	= BIT(5),	/* CR0, CR3, CR4, EFER */
	CLEAN_DR	= BIT(6),	/* DR6, DR7 */
	CLEAN_DT	= BIT(7),	/* GDT, IDT */
	CLEAN_SEG	= BIT(8),	/* CS, DS, SS, ES, CPL */
	CLEAN_CR2	= BIT(9),
	CLEAN_ALL	= BIT(10) - 1,	/* the groups that we use */
};

/* exit_info1 of IOIO (APM 2 15.10.2) */
#define IOIO_IN			BIT(0)
#define IOIO_STRING		BIT(2)
#define IOIO_REP		BIT(3)
#define IOIO_SIZE(info)		(((info) >> 4) & 7)	/* 1, 2 or 4 */
#define IOIO_PORT(info)		((u16)((info) >> 16))

/* exit_info1 of NPF (APM 2 15.25.6) */
#define NPF_P			BIT_ULL(0)
#define NPF_W			BIT_ULL(1)
#define NPF_U			BIT_ULL(2)
#define NPF_RSVD		BIT_ULL(3)
#define NPF_I			BIT_ULL(4)
#define NPF_TABLE		BIT_ULL(33)	/* while walking the guest's tables */

/* exit_info1 of MOV CRn with decode assists (APM 2 15.8.1) */
#define CR_INFO_MOV		BIT_ULL(63)
#define MOV_INFO_GPR(info)	((info) & 0xf)

/* exit_info2 of a task switch (APM 2 15.14.1) */
#define TS_IRET			BIT_ULL(36)
#define TS_JMP			BIT_ULL(38)
#define TS_HAS_ERROR		BIT_ULL(44)

#define VMCB_EXIT_INVALID	0xffffffffu

struct svm_vmcb_control {
	u32	intercept[NR_IC_WORDS];	/* 000 */
	u8	rsvd_018[0x24];
	u16	pause_filter_threshold;	/* 03c */
	u16	pause_filter_count;	/* 03e */
	u64	iopm_base;		/* 040 */
	u64	msrpm_base;		/* 048 */
	u64	tsc_offset;		/* 050 */
	u32	asid;			/* 058 */
	u8	tlb_control;		/* 05c */
	u8	rsvd_05d[3];
	u32	int_ctl;		/* 060 */
	u32	int_vector;		/* 064 */
	u64	int_state;		/* 068 */
	u64	exit_code;		/* 070 */
	u64	exit_info1;		/* 078 */
	u64	exit_info2;		/* 080 */
	u32	exit_int_info;		/* 088 */
	u32	exit_int_error;		/* 08c */
	u64	nested_ctl;		/* 090 */
	u64	avic_bar;		/* 098 */
	u64	ghcb;			/* 0a0 */
	u32	event_inj;		/* 0a8 */
	u32	event_inj_error;	/* 0ac */
	u64	nested_cr3;		/* 0b0 */
	u64	virt_ext;		/* 0b8 */
	u32	clean;			/* 0c0 */
	u32	rsvd_0c4;
	u64	next_rip;		/* 0c8 */
	u8	insn_len;		/* 0d0: bytes fetched, with decode assists */
	u8	insn_bytes[15];
	u8	rsvd_0e0[0x320];
} __packed;

struct svm_vmcb_seg {
	u16	selector;
	u16	attrib;
	u32	limit;
	u64	base;
} __packed;

struct svm_vmcb_save {
	struct svm_vmcb_seg es, cs, ss, ds, fs, gs, gdtr, ldtr, idtr, tr;	/* 400 */
	u8	rsvd_0a0[0x2b];
	u8	cpl;			/* 4cb */
	u8	rsvd_0cc[4];
	u64	efer;			/* 4d0 */
	u8	rsvd_0d8[0x70];
	u64	cr4;			/* 548 */
	u64	cr3;
	u64	cr0;
	u64	dr7;			/* 560 */
	u64	dr6;
	u64	rflags;			/* 570 */
	u64	rip;
	u8	rsvd_180[0x58];
	u64	rsp;			/* 5d8 */
	u64	s_cet, ssp, isst_addr;
	u64	rax;			/* 5f8 */
	u64	star, lstar, cstar, sfmask;
	u64	kernel_gs_base;		/* 620 */
	u64	sysenter_cs, sysenter_esp, sysenter_eip;
	u64	cr2;			/* 640 */
	u8	rsvd_248[0x20];
	u64	g_pat;			/* 668 */
	u64	dbgctl;			/* 670 */
	u64	br_from, br_to, last_excp_from, last_excp_to;
	u8	rsvd_298[0x48];
	u64	spec_ctrl;		/* 6e0 */
	u8	rsvd_2e8[0x918];
} __packed;

struct svm_vmcb {
	struct svm_vmcb_control	control;
	struct svm_vmcb_save	save;
} __packed;

#define VMCB_AT(field, offset) static_assert(offsetof(struct svm_vmcb, field) == (offset))
VMCB_AT(control.pause_filter_threshold, 0x3c);
VMCB_AT(control.iopm_base, 0x40);
VMCB_AT(control.asid, 0x58);
VMCB_AT(control.int_ctl, 0x60);
VMCB_AT(control.exit_code, 0x70);
VMCB_AT(control.exit_int_info, 0x88);
VMCB_AT(control.nested_ctl, 0x90);
VMCB_AT(control.event_inj, 0xa8);
VMCB_AT(control.nested_cr3, 0xb0);
VMCB_AT(control.clean, 0xc0);
VMCB_AT(control.next_rip, 0xc8);
VMCB_AT(control.insn_bytes, 0xd1);
VMCB_AT(save.es, 0x400);
VMCB_AT(save.tr, 0x490);
VMCB_AT(save.cpl, 0x4cb);
VMCB_AT(save.efer, 0x4d0);
VMCB_AT(save.cr4, 0x548);
VMCB_AT(save.dr7, 0x560);
VMCB_AT(save.rip, 0x578);
VMCB_AT(save.rsp, 0x5d8);
VMCB_AT(save.rax, 0x5f8);
VMCB_AT(save.kernel_gs_base, 0x620);
VMCB_AT(save.cr2, 0x640);
VMCB_AT(save.g_pat, 0x668);
VMCB_AT(save.spec_ctrl, 0x6e0);
static_assert(sizeof(struct svm_vmcb) == 0x1000);

#endif
