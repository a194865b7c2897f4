// SPDX-License-Identifier: GPL-2.0-only
/*
 * The opcode tables (SDM 2D app. A, APM 3 app. A). A missing row is an opcode that no
 * CPU defines: #UD. U is one that CPUs define and we do not emulate.
 */
#include "internal.h"

#define I(f, fl, d, s)	{ .fn = (f), .flags = (fl), .dst = (d), .src = (s) }
#define H(f, fl)	{ .fn = (f), .flags = (fl) }	/* handler does it all */
#define T(kind, t)	{ .table = (t), .flags = T_##kind }
#define U		{ .flags = F_UNIMPL }
#define UV		{ .flags = F_UNIMPL | F_VEX }

/* op r/m, r; op r, r/m; op acc, imm: bytes and words of each */
#define ALU6(f, rmw)					\
	I(f, F_BYTE | (rmw), O_RM, O_REG),		\
	I(f, rmw, O_RM, O_REG),				\
	I(f, F_BYTE | ((rmw) & F_NOWRITE), O_REG, O_RM),	\
	I(f, (rmw) & F_NOWRITE, O_REG, O_RM),		\
	I(f, F_BYTE | ((rmw) & F_NOWRITE), O_ACC, O_IMM),	\
	I(f, (rmw) & F_NOWRITE, O_ACC, O_IMM)

#define GRP1(name, b)					\
static const struct emul_opcode name[8] = {		\
	I(em_add, (b) | F_LOCK, O_RM, O_IMM),		\
	I(em_or, (b) | F_LOCK, O_RM, O_IMM),		\
	I(em_adc, (b) | F_LOCK, O_RM, O_IMM),		\
	I(em_sbb, (b) | F_LOCK, O_RM, O_IMM),		\
	I(em_and, (b) | F_LOCK, O_RM, O_IMM),		\
	I(em_sub, (b) | F_LOCK, O_RM, O_IMM),		\
	I(em_xor, (b) | F_LOCK, O_RM, O_IMM),		\
	I(em_cmp, (b) | F_NOWRITE, O_RM, O_IMM),	\
}
GRP1(grp1b, F_BYTE);
GRP1(grp1v, 0);

/* Row 6 is an alias of SHL. */
#define GRP2(name, b, count)				\
static const struct emul_opcode name[8] = {		\
	I(em_rol, b, O_RM, count), I(em_ror, b, O_RM, count),	\
	I(em_rcl, b, O_RM, count), I(em_rcr, b, O_RM, count),	\
	I(em_shl, b, O_RM, count), I(em_shr, b, O_RM, count),	\
	I(em_shl, b, O_RM, count), I(em_sar, b, O_RM, count),	\
}
GRP2(grp2bi, F_BYTE, O_IMM);
GRP2(grp2vi, 0, O_IMM);
GRP2(grp2b1, F_BYTE, O_ONE);
GRP2(grp2v1, 0, O_ONE);
GRP2(grp2bc, F_BYTE, O_CL);
GRP2(grp2vc, 0, O_CL);

#define GRP3(name, b)					\
static const struct emul_opcode name[8] = {		\
	I(em_test, (b) | F_NOWRITE, O_RM, O_IMM),	\
	I(em_test, (b) | F_NOWRITE, O_RM, O_IMM),	\
	I(em_not, (b) | F_LOCK, O_RM, O_NONE),		\
	I(em_neg, (b) | F_LOCK, O_RM, O_NONE),		\
	I(em_mul, (b) | F_NOWRITE, O_RM, O_NONE),	\
	I(em_imul, (b) | F_NOWRITE, O_RM, O_NONE),	\
	I(em_div, (b) | F_NOWRITE, O_RM, O_NONE),	\
	I(em_idiv, (b) | F_NOWRITE, O_RM, O_NONE),	\
}
GRP3(grp3b, F_BYTE);
GRP3(grp3v, 0);

static const struct emul_opcode grp4[8] = {
	I(em_inc, F_BYTE | F_LOCK, O_RM, O_NONE),
	I(em_dec, F_BYTE | F_LOCK, O_RM, O_NONE),
};

static const struct emul_opcode grp5[8] = {
	I(em_inc, F_LOCK, O_RM, O_NONE),
	I(em_dec, F_LOCK, O_RM, O_NONE),
	I(em_call_rm, F_NEAR, O_NONE, O_RM),
	H(em_call_far_m, F_MEM),
	I(em_jmp_rm, F_NEAR, O_NONE, O_RM),
	H(em_jmp_far_m, F_MEM),
	I(em_push, F_STACK, O_NONE, O_RM),
};

static const struct emul_opcode grp1a[8] = { H(em_pop_rm, F_STACK) };
/* Not to CS, and there are six: #UD before the operand is looked at. */
#define SREG_LOAD	I(em_mov_to_sreg, 0, O_NONE, O_RM16)
static const struct emul_opcode grp_sreg[8] = {
	SREG_LOAD, [2] = SREG_LOAD, SREG_LOAD, SREG_LOAD, SREG_LOAD,
};

static const struct emul_opcode grp11b[8] = { I(em_mov, F_BYTE | F_MOV, O_RM, O_IMM) };
static const struct emul_opcode grp11v[8] = { I(em_mov, F_MOV, O_RM, O_IMM) };

const struct emul_opcode emul_movsxd = I(em_movsx32, F_MOV, O_REG, O_RM32);

const struct emul_opcode emul_map_1b[256] = {
	[0x00] = ALU6(em_add, F_LOCK), H(em_push_sreg, 0), H(em_pop_sreg, 0),
	[0x08] = ALU6(em_or, F_LOCK), H(em_push_sreg, 0),
	[0x10] = ALU6(em_adc, F_LOCK), H(em_push_sreg, 0), H(em_pop_sreg, 0),
	[0x18] = ALU6(em_sbb, F_LOCK), H(em_push_sreg, 0), H(em_pop_sreg, 0),
	[0x20] = ALU6(em_and, F_LOCK),
	[0x27] = H(em_daa, 0),
	[0x28] = ALU6(em_sub, F_LOCK),
	[0x2f] = H(em_das, 0),
	[0x30] = ALU6(em_xor, F_LOCK),
	[0x37] = H(em_aaa, 0),
	[0x38] = ALU6(em_cmp, F_NOWRITE),
	[0x3f] = H(em_aas, 0),
	[0x40 ... 0x47] = I(em_inc, F_NO64, O_OPREG, O_NONE),
	[0x48 ... 0x4f] = I(em_dec, F_NO64, O_OPREG, O_NONE),
	[0x50 ... 0x57] = I(em_push, F_STACK, O_NONE, O_OPREG),
	[0x58 ... 0x5f] = I(em_pop, F_STACK | F_MOV, O_OPREG, O_NONE),
	[0x60] = H(em_pusha, 0), H(em_popa, 0), I(em_bound, F_MEM, O_NONE, O_REG),
	[0x63] = I(em_arpl, F_PROT | F_WORD, O_RM, O_REG),
	[0x68] = I(em_push, F_STACK, O_NONE, O_IMM), I(em_imul3, F_MOV, O_REG, O_RM),
	[0x6a] = I(em_push, F_STACK, O_NONE, O_IMM), I(em_imul3, F_MOV, O_REG, O_RM),
	[0x6c] = H(em_ins, F_PORT), H(em_ins, F_PORT), H(em_outs, F_PORT), H(em_outs, F_PORT),
	[0x70 ... 0x7f] = H(em_jcc, F_NEAR),
	[0x80] = T(REG, grp1b), T(REG, grp1v), T(REG, grp1b), T(REG, grp1v),
	[0x84] = I(em_test, F_BYTE | F_NOWRITE, O_RM, O_REG),
	I(em_test, F_NOWRITE, O_RM, O_REG),
	[0x86] = I(em_xchg, F_BYTE | F_LOCK | F_XCHG, O_RM, O_REG),
	I(em_xchg, F_LOCK | F_XCHG, O_RM, O_REG),
	[0x88] = I(em_mov, F_BYTE | F_MOV, O_RM, O_REG), I(em_mov, F_MOV, O_RM, O_REG),
	[0x8a] = I(em_mov, F_BYTE | F_MOV, O_REG, O_RM), I(em_mov, F_MOV, O_REG, O_RM),
	[0x8c] = H(em_mov_from_sreg, 0), I(em_lea, F_MOV | F_MEM, O_REG, O_NONE),
	[0x8e] = T(REG, grp_sreg), T(REG, grp1a),
	[0x90] = I(em_nop_xchg, 0, O_OPREG, O_ACC),
	[0x91 ... 0x97] = I(em_xchg, 0, O_OPREG, O_ACC),
	[0x98] = H(em_cbw, 0), H(em_cwd, 0), H(em_call_far, 0), H(em_fwait, 0),
	[0x9c] = H(em_pushf, F_STACK), H(em_popf, F_STACK), H(em_sahf, 0), H(em_lahf, 0),
	[0xa0] = I(em_mov, F_BYTE | F_MOV, O_ACC, O_MOFFS), I(em_mov, F_MOV, O_ACC, O_MOFFS),
	[0xa2] = I(em_mov, F_BYTE | F_MOV, O_MOFFS, O_ACC), I(em_mov, F_MOV, O_MOFFS, O_ACC),
	[0xa4] = H(em_movs, F_BYTE), H(em_movs, 0), H(em_cmps, F_BYTE), H(em_cmps, 0),
	[0xa8] = I(em_test, F_BYTE | F_NOWRITE, O_ACC, O_IMM),
	I(em_test, F_NOWRITE, O_ACC, O_IMM),
	[0xaa] = H(em_stos, F_BYTE), H(em_stos, 0), H(em_lods, F_BYTE), H(em_lods, 0),
	[0xae] = H(em_scas, F_BYTE), H(em_scas, 0),
	[0xb0 ... 0xb7] = I(em_mov, F_BYTE | F_MOV, O_OPREG, O_IMM),
	[0xb8 ... 0xbf] = I(em_mov, F_MOV, O_OPREG, O_IMM),
	[0xc0] = T(REG, grp2bi), T(REG, grp2vi), H(em_ret, F_NEAR), H(em_ret, F_NEAR),
	[0xc4] = H(em_lxs, F_MEM), H(em_lxs, F_MEM), T(REG, grp11b), T(REG, grp11v),
	[0xc8] = H(em_enter, F_STACK), H(em_leave, F_STACK), H(em_retf, 0), H(em_retf, 0),
	[0xcc] = H(em_int3, 0), H(em_int, 0), H(em_into, 0), H(em_iret, 0),
	[0xd0] = T(REG, grp2b1), T(REG, grp2v1), T(REG, grp2bc), T(REG, grp2vc),
	[0xd4] = H(em_aam, 0), H(em_aad, 0), H(em_salc, 0), H(em_xlat, 0),
	[0xd8 ... 0xdf] = U,
	[0xe0] = H(em_loop, F_NEAR), H(em_loop, F_NEAR), H(em_loop, F_NEAR), H(em_jcxz, F_NEAR),
	[0xe4] = H(em_in, F_PORT), H(em_in, F_PORT), H(em_out, F_PORT), H(em_out, F_PORT),
	[0xe8] = H(em_call_rel, F_NEAR), H(em_jmp_rel, F_NEAR), H(em_jmp_far, 0),
	[0xeb] = H(em_jmp_rel, F_NEAR),
	[0xec] = H(em_in, F_PORT), H(em_in, F_PORT), H(em_out, F_PORT), H(em_out, F_PORT),
	[0xf1] = H(em_int1, 0),
	[0xf4] = H(em_hlt, F_CPL0), H(em_cmc, 0), T(REG, grp3b), T(REG, grp3v),
	[0xf8] = H(em_clc, 0), H(em_stc, 0), H(em_cli, 0), H(em_sti, 0),
	[0xfc] = H(em_cld, 0), H(em_std, 0), T(REG, grp4), T(REG, grp5),
};

/* 0F 00 */
static const struct emul_opcode grp6[8] = {
	H(em_sldt, F_PROT), H(em_str, F_PROT),
	I(em_lldt, F_PROT | F_CPL0, O_NONE, O_RM16), I(em_ltr, F_PROT | F_CPL0, O_NONE, O_RM16),
	I(em_verr, F_PROT, O_NONE, O_RM16), I(em_verw, F_PROT, O_NONE, O_RM16),
};

/* 0F 01 */
static const struct emul_opcode grp7_mem[8] = {
	H(em_sgdt, 0), H(em_sidt, 0), H(em_lgdt, F_CPL0), H(em_lidt, F_CPL0),
	H(em_smsw, 0), U, I(em_lmsw, F_CPL0, O_NONE, O_RM16), H(em_invlpg, F_CPL0),
};

static const struct emul_opcode grp7_r0[8] = { U, U, U, U, U, U };
static const struct emul_opcode grp7_r1[8] = { U, U, H(em_clac, 0), H(em_stac, 0), U, U, U, U };
static const struct emul_opcode grp7_r2[8] = {
	H(em_xgetbv, 0), H(em_xsetbv, 0), [4] = U, U, U, U
};
static const struct emul_opcode grp7_r3[8] = { [0 ... 7] = U };
static const struct emul_opcode grp7_r5[8] = { U, [2] = U, [6] = U, U };
static const struct emul_opcode grp7_r7[8] = {
	H(em_swapgs, F_ONLY64 | F_CPL0), H(em_rdtscp, 0), U, U, U, U, U, U
};

static const struct emul_opcode grp7_reg[8] = {
	T(RM, grp7_r0), T(RM, grp7_r1), T(RM, grp7_r2), T(RM, grp7_r3),
	H(em_smsw, 0), T(RM, grp7_r5), I(em_lmsw, F_CPL0, O_NONE, O_RM16), T(RM, grp7_r7),
};

static const struct emul_opcode grp7[2] = { T(REG, grp7_mem), T(REG, grp7_reg) };

/* 0F BA */
static const struct emul_opcode grp8[8] = {
	[4] = I(em_bt, F_NOWRITE, O_RM, O_IMM), I(em_bts, F_LOCK, O_RM, O_IMM),
	I(em_btr, F_LOCK, O_RM, O_IMM), I(em_btc, F_LOCK, O_RM, O_IMM),
};

/* 0F C7 */
static const struct emul_opcode grp9_mem[8] = {
	[1] = H(em_cmpxchg8b, F_LOCK | F_MEM), [3] = U, U, U, U, U
};
static const struct emul_opcode grp9_r7[4] = { U, U, H(em_rdpid, 0), {} };
static const struct emul_opcode grp9_reg[8] = { [6] = U, T(PREFIX, grp9_r7) };
static const struct emul_opcode grp9[2] = { T(REG, grp9_mem), T(REG, grp9_reg) };

/* 0F AE */
static const struct emul_opcode grp15_np[8] = {
	H(em_fxsave, 0), H(em_fxrstor, 0), U, U, U, U, U, H(em_clflush, 0)
};
static const struct emul_opcode grp15_66[8] = {
	[6] = H(em_clflush, 0), H(em_clflush, 0)	/* CLWB, CLFLUSHOPT */
};
static const struct emul_opcode grp15_f3[8] = { [4] = U, [6] = U };
static const struct emul_opcode grp15_mem[4] = {
	T(REG, grp15_np), T(REG, grp15_66), T(REG, grp15_f3),
};
static const struct emul_opcode grp15_fence[8] = {
	[5] = H(em_nop, 0), H(em_nop, 0), H(em_nop, 0)
};
static const struct emul_opcode grp15_wait[8] = { [6] = U };
static const struct emul_opcode grp15_base[8] = {
	[0 ... 3] = H(em_fsgsbase, F_ONLY64), U, U, U,
};
static const struct emul_opcode grp15_reg[4] = {
	T(REG, grp15_fence), T(REG, grp15_wait), T(REG, grp15_base), T(REG, grp15_wait),
};
static const struct emul_opcode grp15[2] = { T(PREFIX, grp15_mem), T(PREFIX, grp15_reg) };

/* Moves with the mandatory prefixes: none, 66, F3, F2 */
#define V	F_VEX
#define P4(name, np, p66, f3, f2) \
	static const struct emul_opcode name[4] = { np, p66, f3, f2 }
#define NIL	{}

P4(sse_10, H(em_sse_load, V), H(em_sse_load, V), H(em_movss_load, V), H(em_movsd_load, V));
P4(sse_11, H(em_sse_store, V), H(em_sse_store, V), H(em_movss_store, V),
	H(em_movsd_store, V));
P4(sse_12m, H(em_movlps_load, V), H(em_movlps_load, V), UV, UV);
P4(sse_12r, UV, NIL, UV, UV);		/* MOVHLPS */
P4(sse_13, H(em_movlps_store, V | F_MEM), H(em_movlps_store, V | F_MEM), NIL, NIL);
P4(sse_16m, H(em_movhps_load, V), H(em_movhps_load, V), UV, NIL);
P4(sse_16r, UV, NIL, UV, NIL);		/* MOVLHPS */
P4(sse_17, H(em_movhps_store, V | F_MEM), H(em_movhps_store, V | F_MEM), NIL, NIL);
P4(sse_28, H(em_sse_load_a, V), H(em_sse_load_a, V), NIL, NIL);
P4(sse_29, H(em_sse_store_a, V), H(em_sse_store_a, V), NIL, NIL);
P4(sse_2b, H(em_sse_store_a, V | F_MEM), H(em_sse_store_a, V | F_MEM), U, U);
P4(sse_6e, H(em_mmx_movd_load, 0), H(em_movd_load, V), NIL, NIL);
P4(sse_6f, H(em_mmx_load, 0), H(em_sse_load_a, V), H(em_sse_load, V), NIL);
P4(sse_7e, H(em_mmx_movd_store, 0), H(em_movd_store, V), H(em_movq_load, V), NIL);
P4(sse_7f, H(em_mmx_store, 0), H(em_sse_store_a, V), H(em_sse_store, V), NIL);
P4(sse_d6, NIL, H(em_movq_store, V), U, U);
P4(sse_e7, H(em_mmx_store, F_MEM), H(em_sse_store_a, V | F_MEM), UV, NIL);
P4(sse_f0, NIL, NIL, NIL, H(em_sse_load, V | F_MEM));
static const struct emul_opcode sse_12[2] = { T(PREFIX, sse_12m), T(PREFIX, sse_12r) };
static const struct emul_opcode sse_16[2] = { T(PREFIX, sse_16m), T(PREFIX, sse_16r) };

P4(op_c3, I(em_mov, F_MOV | F_MEM, O_RM, O_REG), NIL, NIL, NIL);	/* MOVNTI */
P4(op_b8, NIL, NIL, I(em_popcnt, F_MOV, O_REG, O_RM), NIL);
P4(op_bc, I(em_bsf, F_MOV, O_REG, O_RM), I(em_bsf, F_MOV, O_REG, O_RM),
	I(em_tzcnt, F_MOV, O_REG, O_RM), I(em_bsf, F_MOV, O_REG, O_RM));
P4(op_bd, I(em_bsr, F_MOV, O_REG, O_RM), I(em_bsr, F_MOV, O_REG, O_RM),
	I(em_lzcnt, F_MOV, O_REG, O_RM), I(em_bsr, F_MOV, O_REG, O_RM));

const struct emul_opcode emul_map_0f[256] = {
	[0x00] = T(REG, grp6), T(MOD, grp7),
	[0x02] = I(em_lar, F_PROT | F_MOV, O_REG, O_RM16),
	I(em_lsl, F_PROT | F_MOV, O_REG, O_RM16),
	[0x05] = H(em_syscall, 0), H(em_clts, F_CPL0), H(em_sysret, 0),
	[0x08] = H(em_wbinvd, F_CPL0), H(em_wbinvd, F_CPL0),
	[0x0d] = H(em_nop, 0), U, U,
	[0x10] = T(PREFIX, sse_10), T(PREFIX, sse_11), T(MOD, sse_12), T(PREFIX, sse_13),
	[0x14] = U, U, T(MOD, sse_16), T(PREFIX, sse_17),
	[0x18 ... 0x1f] = H(em_nop, 0),
	[0x20] = H(em_mov_from_cr, 0), H(em_mov_from_dr, 0), H(em_mov_to_cr, 0),
	[0x23] = H(em_mov_to_dr, 0),
	[0x28] = T(PREFIX, sse_28), T(PREFIX, sse_29), U, T(PREFIX, sse_2b), U, U, U, U,
	[0x30] = H(em_wrmsr, F_CPL0), H(em_rdtsc, 0), H(em_rdmsr, F_CPL0), H(em_rdpmc, 0),
	[0x34] = H(em_sysenter, 0), H(em_sysexit, 0),
	[0x37] = U,
	[0x40 ... 0x4f] = I(em_cmov, 0, O_REG, O_RM),
	[0x50 ... 0x6d] = U,
	[0x6e] = T(PREFIX, sse_6e), T(PREFIX, sse_6f),
	[0x70 ... 0x79] = U,
	[0x7c] = U, U, T(PREFIX, sse_7e), T(PREFIX, sse_7f),
	[0x80 ... 0x8f] = H(em_jcc, F_NEAR),
	[0x90 ... 0x9f] = I(em_setcc, F_BYTE | F_MOV, O_RM, O_NONE),
	[0xa0] = H(em_push_sreg, F_STACK), H(em_pop_sreg, F_STACK), H(em_cpuid, 0),
	[0xa3] = I(em_bt, F_NOWRITE | F_BITOFF, O_RM, O_REG),
	[0xa4] = I(em_shld, 0, O_RM, O_REG), I(em_shld, 0, O_RM, O_REG),
	[0xa8] = H(em_push_sreg, F_STACK), H(em_pop_sreg, F_STACK), U,
	[0xab] = I(em_bts, F_LOCK | F_BITOFF, O_RM, O_REG),
	[0xac] = I(em_shrd, 0, O_RM, O_REG), I(em_shrd, 0, O_RM, O_REG),
	[0xae] = T(MOD, grp15), I(em_imul2, 0, O_REG, O_RM),
	[0xb0] = I(em_cmpxchg, F_BYTE | F_LOCK, O_RM, O_REG),
	I(em_cmpxchg, F_LOCK, O_RM, O_REG),
	[0xb2] = H(em_lxs, F_MEM), I(em_btr, F_LOCK | F_BITOFF, O_RM, O_REG),
	[0xb4] = H(em_lxs, F_MEM), H(em_lxs, F_MEM),
	[0xb6] = I(em_mov, F_MOV, O_REG, O_RM8), I(em_mov, F_MOV, O_REG, O_RM16),
	[0xb8] = T(PREFIX, op_b8),
	[0xba] = T(REG, grp8), I(em_btc, F_LOCK | F_BITOFF, O_RM, O_REG),
	[0xbc] = T(PREFIX, op_bc), T(PREFIX, op_bd),
	[0xbe] = I(em_movsx8, F_MOV, O_REG, O_RM8), I(em_movsx16, F_MOV, O_REG, O_RM16),
	[0xc0] = I(em_xadd, F_BYTE | F_LOCK, O_RM, O_REG), I(em_xadd, F_LOCK, O_RM, O_REG),
	[0xc2] = U, T(PREFIX, op_c3), U, U, U, T(MOD, grp9),
	[0xc8 ... 0xcf] = I(em_bswap, 0, O_OPREG, O_NONE),
	[0xd0 ... 0xd5] = U, T(PREFIX, sse_d6),
	[0xd7 ... 0xe6] = U, T(PREFIX, sse_e7),
	[0xe8 ... 0xef] = U, T(PREFIX, sse_f0),
	[0xf1 ... 0xfe] = U,
};

/* 0F 38 and 0F 3A: mostly vector arithmetic. The few rows, then which else exist. */
P4(op_38_2a, NIL, H(em_sse_load_a, V | F_MEM), NIL, NIL);		/* MOVNTDQA */
P4(op_38_82, NIL, H(em_invpcid, F_MEM | F_CPL0), NIL, NIL);
P4(op_38_f0, I(em_movbe, F_MOV | F_MEM, O_REG, O_RM), I(em_movbe, F_MOV | F_MEM, O_REG, O_RM),
	NIL, U);
P4(op_38_f1, I(em_movbe, F_MOV | F_MEM, O_RM, O_REG), I(em_movbe, F_MOV | F_MEM, O_RM, O_REG),
	NIL, U);
P4(op_38_f9, I(em_mov, F_MOV | F_MEM, O_RM, O_REG), NIL, NIL, NIL);	/* MOVDIRI */

static const struct emul_opcode row_2a = T(PREFIX, op_38_2a);
static const struct emul_opcode row_82 = T(PREFIX, op_38_82);
static const struct emul_opcode row_f0 = T(PREFIX, op_38_f0);
static const struct emul_opcode row_f1 = T(PREFIX, op_38_f1);
static const struct emul_opcode row_f9 = T(PREFIX, op_38_f9);
static const struct emul_opcode row_unimpl = U;

/* One bit per opcode that some CPU defines without VEX. */
static const u32 defined_0f38[8] = {
	0x70b10fff,	/* 00-0b 10 14 15 17 1c-1e */
	0xffbf0f3f,	/* 20-25 28-2b 30-35 37-3f */
	0x00000003,	/* 40 41 */
	0x00000000,
	0x00000007,	/* 80-82 */
	0x00000000,
	0xf900bf00,	/* c8-cd cf, d8 db-df */
	0x03630000,	/* f0 f1 f5 f6 f8 f9 */
};

static const u32 defined_0f3a[8] = {
	0x00f0ff00,	/* 08-0f 14-17 */
	0x00000007,	/* 20-22 */
	0x00000017,	/* 40-42 44 */
	0x0000000f,	/* 60-63 */
	0x00000000,
	0x00000000,
	0x8000d000,	/* cc ce cf df */
	0x00000000,
};

static const struct emul_opcode *row_if(const u32 *map, u8 opcode)
{
	u32 word = array_index_nospec(opcode >> 5, 8);

	return map[word] >> (opcode & 31) & 1 ? &row_unimpl : NULL;
}

const struct emul_opcode *emul_row_0f38(u8 opcode)
{
	switch (opcode) {
	case 0x2a:
		return &row_2a;
	case 0x82:
		return &row_82;
	case 0xf0:
		return &row_f0;
	case 0xf1:
		return &row_f1;
	case 0xf9:
		return &row_f9;
	default:
		return row_if(defined_0f38, opcode);
	}
}

const struct emul_opcode *emul_row_0f3a(u8 opcode)
{
	return row_if(defined_0f3a, opcode);
}
