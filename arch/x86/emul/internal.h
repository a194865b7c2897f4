/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of the emulator share: opcode rows, operand forms, and the
 * helpers that handlers are written with. Functions returning int return an
 * enum emul_result unless they say otherwise.
 */
#ifndef KEEL_EMUL_INTERNAL_H
#define KEEL_EMUL_INTERNAL_H

#include "emul.h"

/* RFLAGS */
#define FL_CF		0x00000001u
#define FL_FIXED	0x00000002u
#define FL_PF		0x00000004u
#define FL_AF		0x00000010u
#define FL_ZF		0x00000040u
#define FL_SF		0x00000080u
#define FL_TF		0x00000100u
#define FL_IF		0x00000200u
#define FL_DF		0x00000400u
#define FL_OF		0x00000800u
#define FL_IOPL		0x00003000u
#define FL_IOPL_SHIFT	12
#define FL_NT		0x00004000u
#define FL_RF		0x00010000u
#define FL_VM		0x00020000u
#define FL_AC		0x00040000u
#define FL_VIF		0x00080000u
#define FL_VIP		0x00100000u
#define FL_ID		0x00200000u
#define FL_STATUS	(FL_CF | FL_PF | FL_AF | FL_ZF | FL_SF | FL_OF)
#define FL_ALL		0x003f7fd7u	/* every defined bit, and the fixed one */

/* Exception vectors */
#define VEC_DE		0
#define VEC_DB		1
#define VEC_BP		3
#define VEC_OF		4
#define VEC_BR		5
#define VEC_UD		6
#define VEC_NM		7
#define VEC_MF		16
#define VEC_TS		10
#define VEC_NP		11
#define VEC_SS		12
#define VEC_GP		13
#define VEC_AC		17

#define CR0_PE		0x00000001u
#define CR0_MP		0x00000002u
#define CR0_EM		0x00000004u
#define CR0_TS		0x00000008u
#define CR0_AM		0x00040000u
#define CR4_VME		0x00000001u
#define CR4_PVI		0x00000002u
#define CR4_TSD		0x00000004u
#define CR4_DE		0x00000008u
#define CR4_PCE		0x00000100u
#define CR4_OSFXSR	0x00000200u
#define CR4_UMIP	0x00000800u
#define CR4_FSGSBASE	0x00010000u
#define CR4_PCIDE	0x00020000u
#define CR4_OSXSAVE	0x00040000u

#define MSR_EMUL_SYSENTER_CS	0x00000174u
#define MSR_EMUL_SYSENTER_ESP	0x00000175u
#define MSR_EMUL_SYSENTER_EIP	0x00000176u
#define MSR_EMUL_EFER		0xc0000080u
#define MSR_EMUL_STAR		0xc0000081u
#define MSR_EMUL_LSTAR		0xc0000082u
#define MSR_EMUL_CSTAR		0xc0000083u
#define MSR_EMUL_FMASK		0xc0000084u
#define MSR_EMUL_FS_BASE	0xc0000100u
#define MSR_EMUL_GS_BASE	0xc0000101u
#define MSR_EMUL_KERNEL_GS_BASE	0xc0000102u
#define MSR_EMUL_TSC_AUX	0xc0000103u
#define EFER_EMUL_SCE		0x001u
#define EFER_EMUL_LMA		0x400u
#define EFER_EMUL_FFXSR		0x4000u

/* When does RFLAGS.TF trap after this instruction? */
enum emul_step {
	STEP_OLD,	/* as it was before */
	STEP_NEVER,	/* INT n, MOV SS */
	STEP_NEW,	/* SYSCALL, SYSRET: as it is now (SDM 2B SYSCALL) */
};

/* Where an operand is. */
enum emul_operand {
	O_NONE,
	O_RM,		/* ModRM r/m at the operand size */
	O_RM8,		/* r/m as a byte whatever the operand size (MOVZX) */
	O_RM16,
	O_RM32,
	O_REG,		/* ModRM reg */
	O_ACC,		/* AL, AX, EAX, RAX */
	O_OPREG,	/* register in the opcode's low bits */
	O_IMM,
	O_ONE,
	O_CL,
	O_MOFFS,	/* memory at the offset in the instruction */
};

/* What to do for one opcode. A row of zeros is an opcode that the CPU does not define. */
struct emul_opcode {
	union {
		int (*fn)(struct emul_ctxt *c);
		const struct emul_opcode *table;	/* T_* */
	};
	u32 flags;
	u8 dst, src;		/* enum emul_operand */
};

/* The row leads to another table, chosen by ... */
#define T_REG		BIT(0)		/* ModRM reg: 8 rows */
#define T_MOD		BIT(1)		/* memory or register form: 2 rows */
#define T_RM		BIT(2)		/* ModRM rm: 8 rows */
#define T_PREFIX	BIT(3)		/* none, 66, F3, F2: 4 rows */
#define T_ANY		(T_REG | T_MOD | T_RM | T_PREFIX)
/* How the row's instruction behaves. */
#define F_BYTE		BIT(4)		/* operands are bytes */
#define F_NO64		BIT(5)		/* #UD in 64-bit mode */
#define F_ONLY64	BIT(6)		/* #UD outside 64-bit mode */
#define F_PROT		BIT(7)		/* #UD in real and virtual-8086 mode */
#define F_CPL0		BIT(8)		/* #GP(0) unless CPL 0 */
#define F_LOCK		BIT(9)		/* LOCK allowed with a memory destination */
#define F_MOV		BIT(10)		/* destination is not read */
#define F_NOWRITE	BIT(11)		/* destination is not written */
#define F_STACK		BIT(12)		/* 64-bit operands by default in 64-bit mode */
#define F_NEAR		BIT(13)		/* 64-bit operands always in 64-bit mode */
#define F_MEM		BIT(14)		/* #UD for a register form */
#define F_BITOFF	BIT(15)		/* BT family: register bit offset moves the address */
#define F_UNIMPL	BIT(16)		/* the CPU defines it; we do not emulate it */
#define F_WORD		BIT(17)		/* operands are 16 bits wide */
#define F_VEX		BIT(18)		/* exists with a VEX prefix also (or only: F_VEXONLY) */
#define F_VEXONLY	BIT(19)
#define F_XCHG		BIT(20)		/* memory form is locked without a prefix */
#define F_PORT		BIT(21)		/* port I/O: the handler calls the intercept hook */

extern const struct emul_opcode emul_map_1b[256];
extern const struct emul_opcode emul_map_0f[256];
extern const struct emul_opcode emul_movsxd;	/* 63h in 64-bit mode; ARPL elsewhere */
const struct emul_opcode *emul_row_0f38(u8 opcode);
const struct emul_opcode *emul_row_0f3a(u8 opcode);

/* length.c: the shape of each opcode. */
#define L_MODRM		0x80u
#define L_NO64		0x40u
#define L_KIND		0x0fu
enum {
	L_NONE, L_IB, L_IW, L_IZ,	/* IZ: 2 or 4 bytes by operand size */
	L_IV,				/* 2, 4 or 8 */
	L_MOFFS,			/* by address size */
	L_FAR,				/* offset (IZ), then selector */
	L_ENTER,			/* imm16, imm8 */
	L_GRP3B, L_GRP3V,		/* IB / IZ for reg 0 and 1 */
	L_JZ,				/* branch: 2 or 4, 4 in 64-bit mode */
	L_PREFIX, L_BAD,
};
extern const u8 emul_len_1b[256];
extern const u8 emul_len_0f[256];

/* mem.c */
int emul_exc(struct emul_ctxt *c, u8 vector, bool has_error, u32 error);
static inline int emul_gp0(struct emul_ctxt *c)
{
	return emul_exc(c, VEC_GP, true, 0);
}

static inline int emul_ud(struct emul_ctxt *c)
{
	return emul_exc(c, VEC_UD, false, 0);
}

const struct emul_seg *emul_seg(struct emul_ctxt *c, enum emul_sreg s);
void emul_put_seg(struct emul_ctxt *c, enum emul_sreg s, const struct emul_seg *seg);
bool emul_canonical(const struct emul_ctxt *c, u64 la);
int emul_translate(struct emul_ctxt *c, u64 la, u32 acc, u64 *gpa);
/* Offset @off in segment @s to a linear address, with all segment checks for @size bytes. */
int emul_linear(struct emul_ctxt *c, enum emul_sreg s, u64 off, u32 size, bool write, u64 *la);
/* Data at seg:off. _rmw reads what will be written: asks for write access at once. */
int emul_read(struct emul_ctxt *c, enum emul_sreg s, u64 off, void *buf, u32 len);
int emul_read_rmw(struct emul_ctxt *c, enum emul_sreg s, u64 off, void *buf, u32 len);
int emul_write(struct emul_ctxt *c, enum emul_sreg s, u64 off, const void *buf, u32 len);
/* As emul_write(), but atomic on RAM: EMUL_RETRY when memory is not @old any more. */
int emul_write_locked(struct emul_ctxt *c, enum emul_sreg s, u64 off, const void *old,
		      const void *new, u32 len);
/* The fault that an access of one byte there would raise, without the access. */
int emul_probe(struct emul_ctxt *c, enum emul_sreg s, u64 off, bool write);
/* Implicit supervisor accesses to descriptor tables and TSSs, linear addresses. */
int emul_sys_read(struct emul_ctxt *c, u64 la, void *buf, u32 len);
int emul_sys_write(struct emul_ctxt *c, u64 la, const void *buf, u32 len);
int emul_sys_cmpxchg(struct emul_ctxt *c, u64 la, u64 old, u64 new);
/* One transfer of up to 512 bytes that must be RAM. */
int emul_bulk(struct emul_ctxt *c, enum emul_sreg s, u64 off, void *buf, u32 len, bool write);
/* Port transfer through the log. @gpa is kept in the entry for the caller. */
int emul_pio(struct emul_ctxt *c, bool in, u16 port, u32 size, void *buf, u32 count, u64 gpa);
/* The entry that a pio call would replay, or NULL. */
const struct emul_xfer *emul_pio_logged(struct emul_ctxt *c, bool in);
void emul_log_reset(struct emul_ctxt *c);
int emul_push(struct emul_ctxt *c, u64 val, u32 bytes);
int emul_pop(struct emul_ctxt *c, u64 *val, u32 bytes);
u64 emul_stack_mask(struct emul_ctxt *c);
void emul_add_sp(struct emul_ctxt *c, s64 delta);
/* May this task use @size bytes of ports from @port? #GP(0) if not (SDM 1 19.5). */
int emul_io_allowed(struct emul_ctxt *c, u16 port, u32 size);

/* operand.c */
u64 emul_ea(struct emul_ctxt *c);
int emul_run_operands(struct emul_ctxt *c, const struct emul_opcode *op);
u64 emul_next_rip(const struct emul_ctxt *c);
u64 emul_get_gpr(const struct emul_ctxt *c, u8 reg, u32 bytes);
void emul_set_gpr(struct emul_ctxt *c, u8 reg, u64 val, u32 bytes);
/* The plain register, no AH..BH aliasing. */
void emul_set_reg(struct emul_ctxt *c, u8 reg, u64 val, u32 bytes);
int emul_read_rm(struct emul_ctxt *c, u32 bytes, u64 *val);
int emul_write_rm(struct emul_ctxt *c, u32 bytes, u64 val);
/* Sets w.rip with the checks of a near branch. @bytes: operand size. */
int emul_branch(struct emul_ctxt *c, u64 rip, u32 bytes);

static inline u64 emul_mask(u32 bytes)
{
	return bytes >= 8 ? ~0ull : (1ull << (bytes * 8)) - 1;
}

static inline u64 emul_sext(u64 v, u32 bytes)
{
	u32 sh = 64 - bytes * 8;

	return (u64)((s64)(v << sh) >> sh);
}

static inline bool emul_is64(const struct emul_ctxt *c)
{
	return c->mode == EMUL_PROT64;
}

static inline bool emul_is_prot(const struct emul_ctxt *c)
{
	return c->mode >= EMUL_PROT16;
}

static inline u32 emul_iopl(const struct emul_ctxt *c)
{
	return (c->w.rflags & FL_IOPL) >> FL_IOPL_SHIFT;
}

bool emul_long_mode(struct emul_ctxt *c);	/* EFER.LMA */

/* alu.c */
bool emul_cond(u64 rflags, u8 cc);
void emul_set_status(struct emul_ctxt *c, u64 flags);
u64 emul_add_flags(u64 a, u64 b, u64 cin, u32 bytes, u64 *flags);
u64 emul_sub_flags(u64 a, u64 b, u64 bin, u32 bytes, u64 *flags);

/* segment.c */
struct emul_desc {
	u32 lo, hi;		/* as in the table */
	u32 hi2;		/* upper base of a 16-byte descriptor */
	u64 la;			/* where it was read */
};
#define DESC_BYTES	8
int emul_read_desc(struct emul_ctxt *c, u16 sel, u8 vector, struct emul_desc *d);
void emul_desc_to_seg(const struct emul_desc *d, u16 sel, struct emul_seg *seg);
int emul_desc_accessed(struct emul_ctxt *c, struct emul_desc *d);
/* Loads ES, SS, DS, FS or GS as MOV does; @vector for bad selectors (#GP, or #TS). */
int emul_load_data_seg(struct emul_ctxt *c, enum emul_sreg s, u16 sel, u8 cpl, u8 vector);
int emul_code_seg(struct emul_ctxt *c, u16 sel, u8 level, bool is_ret, u8 vector,
		  struct emul_seg *seg);
int emul_check_umip(struct emul_ctxt *c);
int emul_load_ldt(struct emul_ctxt *c, u16 sel, u8 vector);
void emul_load_real_seg(struct emul_ctxt *c, enum emul_sreg s, u16 sel);

#define HANDLER(name)	int name(struct emul_ctxt *c)

/* alu.c */
HANDLER(em_add); HANDLER(em_or); HANDLER(em_adc); HANDLER(em_sbb); HANDLER(em_and);
HANDLER(em_sub); HANDLER(em_xor); HANDLER(em_cmp); HANDLER(em_test); HANDLER(em_inc);
HANDLER(em_dec); HANDLER(em_not); HANDLER(em_neg); HANDLER(em_mul); HANDLER(em_imul);
HANDLER(em_imul3); HANDLER(em_imul2); HANDLER(em_div); HANDLER(em_idiv);
HANDLER(em_bswap); HANDLER(em_movbe); HANDLER(em_cbw); HANDLER(em_cwd);
HANDLER(em_aaa); HANDLER(em_aas); HANDLER(em_daa); HANDLER(em_das); HANDLER(em_aam);
HANDLER(em_aad); HANDLER(em_xadd); HANDLER(em_cmpxchg); HANDLER(em_cmpxchg8b);
/* shift.c */
HANDLER(em_rol); HANDLER(em_ror); HANDLER(em_rcl); HANDLER(em_rcr); HANDLER(em_shl);
HANDLER(em_shr); HANDLER(em_sar); HANDLER(em_shld); HANDLER(em_shrd);
HANDLER(em_bt); HANDLER(em_bts); HANDLER(em_btr); HANDLER(em_btc);
HANDLER(em_bsf); HANDLER(em_bsr); HANDLER(em_tzcnt); HANDLER(em_lzcnt); HANDLER(em_popcnt);
/* move.c */
HANDLER(em_mov); HANDLER(em_movsx8); HANDLER(em_movsx16); HANDLER(em_movsx32);
HANDLER(em_xchg); HANDLER(em_nop); HANDLER(em_clflush); HANDLER(em_nop_xchg); HANDLER(em_lea);
HANDLER(em_push); HANDLER(em_pop);
HANDLER(em_pusha); HANDLER(em_popa); HANDLER(em_pushf); HANDLER(em_popf);
HANDLER(em_enter); HANDLER(em_leave); HANDLER(em_xlat); HANDLER(em_lahf); HANDLER(em_sahf);
HANDLER(em_pop_rm);
/* control.c */
HANDLER(em_jcc); HANDLER(em_jmp_rel); HANDLER(em_jmp_rm); HANDLER(em_call_rel);
HANDLER(em_call_rm); HANDLER(em_ret); HANDLER(em_loop); HANDLER(em_jcxz);
HANDLER(em_setcc); HANDLER(em_cmov); HANDLER(em_int); HANDLER(em_int3); HANDLER(em_into);
HANDLER(em_int1); HANDLER(em_bound); HANDLER(em_ud); HANDLER(em_hlt);
HANDLER(em_clc); HANDLER(em_stc); HANDLER(em_cmc); HANDLER(em_cld); HANDLER(em_std);
HANDLER(em_cli); HANDLER(em_sti); HANDLER(em_salc);
/* far.c */
HANDLER(em_jmp_far); HANDLER(em_call_far); HANDLER(em_jmp_far_m); HANDLER(em_call_far_m);
HANDLER(em_retf); HANDLER(em_iret);
/* segment.c */
HANDLER(em_mov_from_sreg); HANDLER(em_mov_to_sreg); HANDLER(em_push_sreg);
HANDLER(em_pop_sreg); HANDLER(em_lxs); HANDLER(em_arpl); HANDLER(em_lar); HANDLER(em_lsl);
HANDLER(em_verr); HANDLER(em_verw); HANDLER(em_sldt); HANDLER(em_str); HANDLER(em_lldt);
HANDLER(em_ltr); HANDLER(em_sgdt); HANDLER(em_sidt); HANDLER(em_lgdt); HANDLER(em_lidt);
/* system.c */
HANDLER(em_mov_from_cr); HANDLER(em_mov_to_cr); HANDLER(em_mov_from_dr);
HANDLER(em_mov_to_dr); HANDLER(em_clts); HANDLER(em_lmsw); HANDLER(em_smsw);
HANDLER(em_rdmsr); HANDLER(em_wrmsr); HANDLER(em_rdtsc); HANDLER(em_rdtscp);
HANDLER(em_rdpmc); HANDLER(em_cpuid); HANDLER(em_wbinvd); HANDLER(em_invlpg);
HANDLER(em_invpcid); HANDLER(em_syscall); HANDLER(em_sysret); HANDLER(em_sysenter);
HANDLER(em_sysexit); HANDLER(em_swapgs); HANDLER(em_rdpid); HANDLER(em_fsgsbase);
HANDLER(em_xgetbv); HANDLER(em_xsetbv); HANDLER(em_clac); HANDLER(em_stac);
/* string.c */
HANDLER(em_movs); HANDLER(em_stos); HANDLER(em_lods); HANDLER(em_cmps); HANDLER(em_scas);
HANDLER(em_ins); HANDLER(em_outs); HANDLER(em_in); HANDLER(em_out);
/* simd.c */
HANDLER(em_sse_load); HANDLER(em_sse_store); HANDLER(em_sse_load_a); HANDLER(em_sse_store_a);
HANDLER(em_movq_load); HANDLER(em_movq_store); HANDLER(em_movd_load); HANDLER(em_movd_store);
HANDLER(em_movss_load); HANDLER(em_movss_store); HANDLER(em_movsd_load);
HANDLER(em_movsd_store); HANDLER(em_movlps_load); HANDLER(em_movhps_load);
HANDLER(em_movlps_store); HANDLER(em_movhps_store); HANDLER(em_mmx_load);
HANDLER(em_mmx_store); HANDLER(em_mmx_movd_load); HANDLER(em_mmx_movd_store);
HANDLER(em_fxsave); HANDLER(em_fxrstor); HANDLER(em_fwait);

#undef HANDLER

#endif /* KEEL_EMUL_INTERNAL_H */
