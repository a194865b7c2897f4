// SPDX-License-Identifier: GPL-2.0-only
/*
 * SSE, AVX and MMX moves to and from memory, and the FXSAVE area. Arithmetic on
 * vectors is not emulated. The registers themselves are the caller's.
 */
#include "internal.h"

#define FXSAVE_BYTES	512u

static int check_simd(struct emul_ctxt *c)
{
	const struct emul_ops *o = c->ops;
	u64 cr0, cr4;

	if (!o->read_vec || !o->write_vec || !o->read_mmx || !o->write_mmx)
		return EMUL_UNHANDLEABLE;
	cr0 = o->get_cr(c, 0);
	cr4 = o->get_cr(c, 4);
	if (c->insn.vex) {
		/* x87 emulation (CR0.EM) does not matter to VEX (SDM 2A 2.7). */
		if (!emul_is_prot(c) || !(cr4 & CR4_OSXSAVE) || !o->get_xcr0 ||
		    (o->get_xcr0(c) & 6) != 6)
			return emul_ud(c);
	} else if ((cr0 & CR0_EM) || !(cr4 & CR4_OSFXSR)) {
		return emul_ud(c);
	}
	if (cr0 & CR0_TS)
		return emul_exc(c, VEC_NM, false, 0);
	return EMUL_OK;
}

/* What WAIT and MMX instructions meet of an earlier x87 instruction (SDM 1 8.7). */
static int check_mf(struct emul_ctxt *c)
{
	return c->ops->mf_pending && c->ops->mf_pending(c) ? emul_exc(c, VEC_MF, false, 0) : EMUL_OK;
}

static int check_mmx(struct emul_ctxt *c)
{
	u64 cr0;

	if (!c->ops->read_mmx || !c->ops->write_mmx)
		return EMUL_UNHANDLEABLE;
	cr0 = c->ops->get_cr(c, 0);
	if (cr0 & CR0_EM)
		return emul_ud(c);
	return cr0 & CR0_TS ? emul_exc(c, VEC_NM, false, 0) : check_mf(c);
}

/* VEX.vvvv of a two-operand form must be all ones. */
static bool bad_vvvv(const struct emul_ctxt *c)
{
	return c->insn.vex && c->insn.vex_v;
}

static u32 vec_bytes(const struct emul_ctxt *c)
{
	return c->insn.vex_l ? 32 : 16;
}

static int check_aligned(struct emul_ctxt *c, u32 bytes, bool write)
{
	u64 la;
	int ret;

	if (!c->insn.has_mem)
		return EMUL_OK;
	ret = emul_linear(c, c->insn.seg, c->ea, bytes, write, &la);
	if (!ret && (la & (bytes - 1)))
		return emul_gp0(c);
	return ret;
}

/* @n bytes of the r/m operand; the rest of buf is zero. */
static int read_vm(struct emul_ctxt *c, u8 buf[32], u32 n)
{
	memset(buf, 0, 32);
	if (c->insn.has_mem)
		return emul_read(c, c->insn.seg, c->ea, buf, n);
	c->ops->read_vec(c, c->insn.rm, buf);
	memset(buf + n, 0, 32 - n);
	return EMUL_OK;
}

static int load(struct emul_ctxt *c, bool aligned)
{
	u32 n = vec_bytes(c);
	u8 buf[32];
	int ret = check_simd(c);

	if (!ret && bad_vvvv(c))
		ret = emul_ud(c);
	if (!ret && aligned)
		ret = check_aligned(c, n, false);
	if (!ret)
		ret = read_vm(c, buf, n);
	if (!ret)
		c->ops->write_vec(c, c->insn.reg, buf, n, c->insn.vex);
	return ret;
}

static int store(struct emul_ctxt *c, bool aligned)
{
	u32 n = vec_bytes(c);
	u8 buf[32];
	int ret = check_simd(c);

	if (!ret && bad_vvvv(c))
		ret = emul_ud(c);
	if (!ret && aligned)
		ret = check_aligned(c, n, true);
	if (ret)
		return ret;
	c->ops->read_vec(c, c->insn.reg, buf);
	if (c->insn.has_mem)
		return emul_write(c, c->insn.seg, c->ea, buf, n);
	c->ops->write_vec(c, c->insn.rm, buf, n, c->insn.vex);
	return EMUL_OK;
}

int em_sse_load(struct emul_ctxt *c)
{
	return load(c, false);
}

int em_sse_store(struct emul_ctxt *c)
{
	return store(c, false);
}

int em_sse_load_a(struct emul_ctxt *c)
{
	return load(c, true);
}

int em_sse_store_a(struct emul_ctxt *c)
{
	return store(c, true);
}

/* The low @n bytes of the register, zeros above: MOVQ xmm, xmm/m64; MOVD from r/m. */
static int load_low(struct emul_ctxt *c, const u8 buf[32])
{
	c->ops->write_vec(c, c->insn.reg, buf, 16, c->insn.vex);
	return EMUL_OK;
}

static int check_scalar(struct emul_ctxt *c)
{
	int ret = check_simd(c);

	if (!ret && (bad_vvvv(c) || c->insn.vex_l))
		return emul_ud(c);
	return ret;
}

int em_movq_load(struct emul_ctxt *c)
{
	u8 buf[32];
	int ret = check_scalar(c);

	if (!ret)
		ret = read_vm(c, buf, 8);
	return ret ? ret : load_low(c, buf);
}

int em_movq_store(struct emul_ctxt *c)
{
	u8 buf[32];
	int ret = check_scalar(c);

	if (ret)
		return ret;
	c->ops->read_vec(c, c->insn.reg, buf);
	if (c->insn.has_mem)
		return emul_write(c, c->insn.seg, c->ea, buf, 8);
	memset(buf + 8, 0, 24);
	c->ops->write_vec(c, c->insn.rm, buf, 16, c->insn.vex);
	return EMUL_OK;
}

static u32 gpr_bytes(const struct emul_ctxt *c)
{
	return c->insn.op_bytes == 8 ? 8 : 4;
}

int em_movd_load(struct emul_ctxt *c)
{
	u8 buf[32] = { 0 };
	u64 v;
	int ret = check_scalar(c);

	if (!ret)
		ret = emul_read_rm(c, gpr_bytes(c), &v);
	if (ret)
		return ret;
	memcpy(buf, &v, 8);
	return load_low(c, buf);
}

int em_movd_store(struct emul_ctxt *c)
{
	u8 buf[32];
	u64 v;
	int ret = check_scalar(c);

	if (ret)
		return ret;
	c->ops->read_vec(c, c->insn.reg, buf);
	memcpy(&v, buf, 8);
	return emul_write_rm(c, gpr_bytes(c), v);
}

/*
 * MOVSS and MOVSD: from memory they clear the rest of the register, between registers
 * they keep it (VEX: take it from vvvv).
 */
static int scalar(struct emul_ctxt *c, u32 n, bool to_rm)
{
	u8 from = to_rm ? c->insn.reg : c->insn.rm, to = to_rm ? c->insn.rm : c->insn.reg;
	u8 buf[32] = { 0 }, rest[32];
	int ret = check_simd(c);

	if (ret)
		return ret;
	if (c->insn.has_mem && bad_vvvv(c))
		return emul_ud(c);
	if (c->insn.has_mem && to_rm) {
		c->ops->read_vec(c, from, buf);
		return emul_write(c, c->insn.seg, c->ea, buf, n);
	}
	if (c->insn.has_mem) {
		ret = emul_read(c, c->insn.seg, c->ea, buf, n);
		return ret ? ret : load_low(c, buf);
	}
	c->ops->read_vec(c, from, buf);
	c->ops->read_vec(c, c->insn.vex ? c->insn.vex_v : to, rest);
	memcpy(rest, buf, n);
	c->ops->write_vec(c, to, rest, 16, c->insn.vex);
	return EMUL_OK;
}

int em_movss_load(struct emul_ctxt *c)
{
	return scalar(c, 4, false);
}

int em_movss_store(struct emul_ctxt *c)
{
	return scalar(c, 4, true);
}

int em_movsd_load(struct emul_ctxt *c)
{
	return scalar(c, 8, false);
}

int em_movsd_store(struct emul_ctxt *c)
{
	return scalar(c, 8, true);
}

/* MOVLPS, MOVHPS, MOVLPD, MOVHPD: memory and one half (@at: 0 or 8) of a register. */
static int load_half(struct emul_ctxt *c, u32 at)
{
	u8 buf[32], half[8];
	int ret = check_simd(c);

	if (!ret && c->insn.vex_l)
		ret = emul_ud(c);
	if (!ret)
		ret = emul_read(c, c->insn.seg, c->ea, half, 8);
	if (ret)
		return ret;
	c->ops->read_vec(c, c->insn.vex ? c->insn.vex_v : c->insn.reg, buf);
	memcpy(buf + at, half, 8);
	c->ops->write_vec(c, c->insn.reg, buf, 16, c->insn.vex);
	return EMUL_OK;
}

static int store_half(struct emul_ctxt *c, u32 at)
{
	u8 buf[32];
	int ret = check_scalar(c);

	if (ret)
		return ret;
	c->ops->read_vec(c, c->insn.reg, buf);
	return emul_write(c, c->insn.seg, c->ea, buf + at, 8);
}

int em_movlps_load(struct emul_ctxt *c)
{
	return load_half(c, 0);
}

int em_movhps_load(struct emul_ctxt *c)
{
	return load_half(c, 8);
}

int em_movlps_store(struct emul_ctxt *c)
{
	return store_half(c, 0);
}

int em_movhps_store(struct emul_ctxt *c)
{
	return store_half(c, 8);
}

int em_mmx_load(struct emul_ctxt *c)
{
	u64 v = 0;
	int ret = check_mmx(c);

	if (ret)
		return ret;
	if (c->insn.has_mem)
		ret = emul_read(c, c->insn.seg, c->ea, &v, 8);
	else
		c->ops->read_mmx(c, c->insn.rm & 7, &v);
	if (!ret)
		c->ops->write_mmx(c, c->insn.reg & 7, v);
	return ret;
}

int em_mmx_store(struct emul_ctxt *c)
{
	u64 v = 0;
	int ret = check_mmx(c);

	if (ret)
		return ret;
	c->ops->read_mmx(c, c->insn.reg & 7, &v);
	if (c->insn.has_mem)
		return emul_write(c, c->insn.seg, c->ea, &v, 8);
	c->ops->write_mmx(c, c->insn.rm & 7, v);
	return EMUL_OK;
}

int em_mmx_movd_load(struct emul_ctxt *c)
{
	u64 v = 0;
	int ret = check_mmx(c);

	if (!ret)
		ret = emul_read_rm(c, gpr_bytes(c), &v);
	if (!ret)
		c->ops->write_mmx(c, c->insn.reg & 7, v);
	return ret;
}

int em_mmx_movd_store(struct emul_ctxt *c)
{
	u64 v = 0;
	int ret = check_mmx(c);

	if (ret)
		return ret;
	c->ops->read_mmx(c, c->insn.reg & 7, &v);
	return emul_write_rm(c, gpr_bytes(c), v);
}

static int check_fxsr(struct emul_ctxt *c, bool write)
{
	u64 cr0 = c->ops->get_cr(c, 0);

	if (!c->ops->fxsave || !c->ops->fxrstor)
		return EMUL_UNHANDLEABLE;
	if (cr0 & (CR0_TS | CR0_EM))
		return emul_exc(c, VEC_NM, false, 0);
	return check_aligned(c, 16, write);
}

/* Bytes of the area that the CPU touches: 8 or 16 XMM registers, or none (SDM 1 10.5.1). */
static u32 fx_bytes(struct emul_ctxt *c)
{
	if (!(c->ops->get_cr(c, 4) & CR4_OSFXSR))
		return 160;
	return emul_is64(c) ? 416 : 288;
}

int em_fxsave(struct emul_ctxt *c)
{
	u8 area[FXSAVE_BYTES] = { 0 };
	int ret = check_fxsr(c, true);

	if (!ret)
		ret = c->ops->fxsave(c, area);
	if (!ret)
		ret = emul_bulk(c, c->insn.seg, c->ea, area, fx_bytes(c), true);
	return ret;
}

/* What is not in memory for this mode stays as it is. */
int em_fxrstor(struct emul_ctxt *c)
{
	u8 area[FXSAVE_BYTES] = { 0 };
	int ret = check_fxsr(c, false);

	if (!ret)
		ret = c->ops->fxsave(c, area);
	if (!ret)
		ret = emul_bulk(c, c->insn.seg, c->ea, area, fx_bytes(c), false);
	if (!ret)
		ret = c->ops->fxrstor(c, area, c->ops->get_cr(c, 4) & CR4_OSFXSR);
	return ret;
}

int em_fwait(struct emul_ctxt *c)
{
	u64 cr0 = c->ops->get_cr(c, 0);

	if ((cr0 & CR0_MP) && (cr0 & CR0_TS))
		return emul_exc(c, VEC_NM, false, 0);
	return check_mf(c);
}
