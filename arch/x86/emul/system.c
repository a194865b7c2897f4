// SPDX-License-Identifier: GPL-2.0-only
/* Control, debug and model-specific registers; fast system calls; the rest of ring 0. */
#include "internal.h"

static u32 word_bytes(const struct emul_ctxt *c)
{
	return emul_is64(c) ? 8 : 4;
}

static bool cr_exists(const struct emul_ctxt *c)
{
	u8 n = c->insn.reg;

	return n == 0 || (n >= 2 && n <= 4) || (n == 8 && emul_is64(c));
}

int em_mov_from_cr(struct emul_ctxt *c)
{
	if (!cr_exists(c))
		return emul_ud(c);
	if (c->cpl)
		return emul_gp0(c);
	emul_set_reg(c, c->insn.rm, c->ops->get_cr(c, c->insn.reg), word_bytes(c));
	return EMUL_OK;
}

int em_mov_to_cr(struct emul_ctxt *c)
{
	if (!cr_exists(c))
		return emul_ud(c);
	if (c->cpl)
		return emul_gp0(c);
	return c->ops->set_cr(c, c->insn.reg, c->w.gpr[c->insn.rm] & emul_mask(word_bytes(c)));
}

#define DR7_GD		0x2000u
#define DR6_BD		0x2000u

/* The checks of both directions; *nr: the register after DR4 and DR5 were resolved. */
static int check_dr(struct emul_ctxt *c, u8 *nr)
{
	u8 n = c->insn.reg;

	if (n > 7)
		return emul_ud(c);
	if (n == 4 || n == 5) {
		if (c->ops->get_cr(c, 4) & CR4_DE)
			return emul_ud(c);
		n += 2;
	}
	if (c->cpl)
		return emul_gp0(c);
	*nr = n;
	if (c->ops->get_dr(c, 7) & DR7_GD) {
		emul_exc(c, VEC_DB, false, 0);
		c->exc.dr6 = DR6_BD;
		return EMUL_FAULT;
	}
	return EMUL_OK;
}

int em_mov_from_dr(struct emul_ctxt *c)
{
	u8 nr;
	int ret = check_dr(c, &nr);

	if (!ret)
		emul_set_reg(c, c->insn.rm, c->ops->get_dr(c, nr), word_bytes(c));
	return ret;
}

int em_mov_to_dr(struct emul_ctxt *c)
{
	u64 v = c->w.gpr[c->insn.rm] & emul_mask(word_bytes(c));
	u8 nr;
	int ret = check_dr(c, &nr);

	if (ret)
		return ret;
	if (nr >= 6 && v >> 32)
		return emul_gp0(c);
	return c->ops->set_dr(c, nr, v);
}

int em_clts(struct emul_ctxt *c)
{
	return c->ops->set_cr(c, 0, c->ops->get_cr(c, 0) & ~(u64)CR0_TS);
}

/* LMSW sets the low four bits of CR0 but cannot clear PE. */
int em_lmsw(struct emul_ctxt *c)
{
	u64 cr0 = c->ops->get_cr(c, 0);

	return c->ops->set_cr(c, 0, (cr0 & ~0xeull) | (c->src & 0xf));
}

int em_smsw(struct emul_ctxt *c)
{
	int ret = emul_check_umip(c);

	if (ret)
		return ret;
	return emul_write_rm(c, c->insn.has_mem ? 2 : c->insn.op_bytes, c->ops->get_cr(c, 0));
}

static void set_edx_eax(struct emul_ctxt *c, u64 v)
{
	c->w.gpr[EMUL_RAX] = (u32)v;
	c->w.gpr[EMUL_RDX] = v >> 32;
}

static u64 edx_eax(const struct emul_ctxt *c)
{
	return c->w.gpr[EMUL_RDX] << 32 | (u32)c->w.gpr[EMUL_RAX];
}

int em_rdmsr(struct emul_ctxt *c)
{
	u64 v = 0;
	int ret = c->ops->get_msr(c, c->w.gpr[EMUL_RCX], &v);

	if (!ret)
		set_edx_eax(c, v);
	return ret;
}

int em_wrmsr(struct emul_ctxt *c)
{
	return c->ops->set_msr(c, c->w.gpr[EMUL_RCX], edx_eax(c));
}

int em_rdtsc(struct emul_ctxt *c)
{
	if (c->cpl && (c->ops->get_cr(c, 4) & CR4_TSD))
		return emul_gp0(c);
	set_edx_eax(c, c->ops->rdtsc(c));
	return EMUL_OK;
}

int em_rdtscp(struct emul_ctxt *c)
{
	u64 aux = 0;
	int ret = em_rdtsc(c);

	if (!ret)
		ret = c->ops->get_msr(c, MSR_EMUL_TSC_AUX, &aux);
	if (!ret)
		c->w.gpr[EMUL_RCX] = (u32)aux;
	return ret;
}

int em_rdpid(struct emul_ctxt *c)
{
	u64 aux = 0;
	int ret = c->ops->get_msr(c, MSR_EMUL_TSC_AUX, &aux);

	if (!ret)
		emul_set_reg(c, c->insn.rm, (u32)aux, word_bytes(c));
	return ret;
}

int em_rdpmc(struct emul_ctxt *c)
{
	u64 v = 0;
	int ret;

	if (c->cpl && !(c->ops->get_cr(c, 4) & CR4_PCE))
		return emul_gp0(c);
	if (!c->ops->rdpmc)
		return EMUL_UNHANDLEABLE;
	ret = c->ops->rdpmc(c, c->w.gpr[EMUL_RCX], &v);
	if (!ret)
		set_edx_eax(c, v);
	return ret;
}

int em_cpuid(struct emul_ctxt *c)
{
	u64 *g = c->w.gpr;
	u32 eax = g[EMUL_RAX], ebx = 0, ecx = g[EMUL_RCX], edx = 0;

	if (c->ops->cpuid_faults && c->ops->cpuid_faults(c))
		return emul_gp0(c);
	c->ops->cpuid(c, &eax, &ebx, &ecx, &edx);
	g[EMUL_RAX] = eax;
	g[EMUL_RBX] = ebx;
	g[EMUL_RCX] = ecx;
	g[EMUL_RDX] = edx;
	return EMUL_OK;
}

/* WBINVD, INVD and WBNOINVD: dropping caches unwritten would be a gift to no guest. */
int em_wbinvd(struct emul_ctxt *c)
{
	if (c->ops->wbinvd)
		c->ops->wbinvd(c);
	return EMUL_OK;
}

/* INVLPG of an address that cannot be is a NOP, not a fault (SDM 2A INVLPG). */
int em_invlpg(struct emul_ctxt *c)
{
	u64 la = c->ea;

	if (!emul_is64(c))
		la = (u32)(la + emul_seg(c, c->insn.seg)->base);
	else if (c->insn.seg == EMUL_FS || c->insn.seg == EMUL_GS)
		la += emul_seg(c, c->insn.seg)->base;
	return emul_canonical(c, la) ? c->ops->invlpg(c, la) : EMUL_OK;
}

int em_invpcid(struct emul_ctxt *c)
{
	u64 d[2] = { 0, 0 };
	int ret;

	if (!c->ops->invpcid)
		return EMUL_UNHANDLEABLE;
	ret = emul_read(c, c->insn.seg, c->ea, d, sizeof(d));
	if (ret)
		return ret;
	return c->ops->invpcid(c, emul_get_gpr(c, c->insn.reg, word_bytes(c)), d[0], d[1]);
}

/* The flat segments that SYSCALL and its kin load without looking at a descriptor. */
static void put_flat(struct emul_ctxt *c, enum emul_sreg s, u16 sel, u8 dpl, bool lng)
{
	struct emul_seg seg = {
		.sel = sel,
		.limit = 0xffffffff,
		.ar = EMUL_AR_G | EMUL_AR_P | EMUL_AR_S | (u32)dpl << EMUL_AR_DPL_SHIFT,
	};

	if (s == EMUL_CS)
		seg.ar |= 0xb | (lng ? EMUL_AR_L : EMUL_AR_DB);
	else
		seg.ar |= 0x3 | EMUL_AR_DB;
	emul_put_seg(c, s, &seg);
}

static int check_syscall(struct emul_ctxt *c)
{
	u64 efer = 0;
	int ret;

	if (!emul_is_prot(c) || (!emul_is64(c) && !(c->model & EMUL_SYSCALL_LEGACY)))
		return emul_ud(c);
	ret = c->ops->get_msr(c, MSR_EMUL_EFER, &efer);
	if (!ret && !(efer & EFER_EMUL_SCE))
		return emul_ud(c);
	return ret;
}

int em_syscall(struct emul_ctxt *c)
{
	u64 star = 0, mask = 0, target = 0;
	bool lma = emul_long_mode(c);
	int ret = check_syscall(c);

	if (!ret)
		ret = c->ops->get_msr(c, MSR_EMUL_STAR, &star);
	if (ret)
		return ret;
	c->w.gpr[EMUL_RCX] = emul_next_rip(c);
	if (lma) {
		ret = c->ops->get_msr(c, emul_is64(c) ? MSR_EMUL_LSTAR : MSR_EMUL_CSTAR, &target);
		if (!ret)
			ret = c->ops->get_msr(c, MSR_EMUL_FMASK, &mask);
		if (ret)
			return ret;
		c->w.gpr[EMUL_R11] = c->w.rflags & ~(u64)FL_RF;
		c->w.rflags = (c->w.rflags & ~(mask | FL_RF)) | FL_FIXED;
	} else {
		target = (u32)star;
		c->w.rflags &= ~(u64)(FL_VM | FL_IF | FL_RF);
	}
	put_flat(c, EMUL_CS, star >> 32 & 0xfffc, 0, lma);
	put_flat(c, EMUL_SS, (star >> 32 & 0xfffc) + 8, 0, false);
	c->w.rip = target;
	c->rip_set = true;
	c->step = STEP_NEW;
	return EMUL_OK;
}

int em_sysret(struct emul_ctxt *c)
{
	bool to64 = c->insn.op_bytes == 8;
	u64 star = 0, rip = c->w.gpr[EMUL_RCX];
	u16 sel;
	int ret = check_syscall(c);

	if (!ret && c->cpl)
		ret = emul_gp0(c);
	if (!ret)
		ret = c->ops->get_msr(c, MSR_EMUL_STAR, &star);
	if (ret)
		return ret;
	/* A non-canonical RIP must fault here, at CPL 0, and not in the guest's user mode. */
	if (to64 && !emul_canonical(c, rip))
		return emul_gp0(c);
	sel = star >> 48;
	if (emul_long_mode(c)) {
		c->w.rflags = (c->w.gpr[EMUL_R11] & 0x3c7fd7) | FL_FIXED;
		c->keep_rf = true;
	} else {
		c->w.rflags |= FL_IF;
	}
	put_flat(c, EMUL_CS, (to64 ? sel + 16 : sel) | 3, 3, to64);
	put_flat(c, EMUL_SS, (sel + 8) | 3, 3, false);
	c->w.rip = to64 ? rip : (u32)rip;
	c->rip_set = true;
	c->step = STEP_NEW;
	return EMUL_OK;
}

/* An unset SYSENTER_CS must fault: loading its zero would hand out ring 0 code. */
static int sysenter_cs(struct emul_ctxt *c, u16 *sel)
{
	u64 v = 0;
	int ret;

	if (emul_long_mode(c) && !(c->model & EMUL_SYSENTER_LONG))
		return emul_ud(c);
	if (c->mode == EMUL_REAL)
		return emul_gp0(c);
	ret = c->ops->get_msr(c, MSR_EMUL_SYSENTER_CS, &v);
	if (ret)
		return ret;
	*sel = v & 0xfffc;
	return *sel ? EMUL_OK : emul_gp0(c);
}

int em_sysenter(struct emul_ctxt *c)
{
	bool lma = emul_long_mode(c);
	u64 rip = 0, rsp = 0;
	u16 sel;
	int ret = sysenter_cs(c, &sel);

	if (!ret)
		ret = c->ops->get_msr(c, MSR_EMUL_SYSENTER_EIP, &rip);
	if (!ret)
		ret = c->ops->get_msr(c, MSR_EMUL_SYSENTER_ESP, &rsp);
	if (ret)
		return ret;
	c->w.rflags &= ~(u64)(FL_VM | FL_IF);
	put_flat(c, EMUL_CS, sel, 0, lma);
	put_flat(c, EMUL_SS, sel + 8, 0, false);
	c->w.rip = lma ? rip : (u32)rip;
	c->rip_set = true;
	c->w.gpr[EMUL_RSP] = lma ? rsp : (u32)rsp;
	return EMUL_OK;
}

int em_sysexit(struct emul_ctxt *c)
{
	bool to64 = c->insn.op_bytes == 8;
	u64 rip = c->w.gpr[EMUL_RDX], rsp = c->w.gpr[EMUL_RCX];
	u16 sel;
	int ret = sysenter_cs(c, &sel);

	if (!ret && (c->cpl || !emul_is_prot(c)))
		ret = emul_gp0(c);
	if (!ret && to64 && (!emul_canonical(c, rip) || !emul_canonical(c, rsp)))
		ret = emul_gp0(c);
	if (ret)
		return ret;
	sel += to64 ? 32 : 16;
	put_flat(c, EMUL_CS, sel | 3, 3, to64);
	put_flat(c, EMUL_SS, (sel + 8) | 3, 3, false);
	c->w.rip = to64 ? rip : (u32)rip;
	c->rip_set = true;
	c->w.gpr[EMUL_RSP] = to64 ? rsp : (u32)rsp;
	return EMUL_OK;
}

int em_swapgs(struct emul_ctxt *c)
{
	struct emul_seg gs = *emul_seg(c, EMUL_GS);
	u64 v = 0;
	int ret = c->ops->get_msr(c, MSR_EMUL_KERNEL_GS_BASE, &v);

	if (!ret)
		ret = c->ops->set_msr(c, MSR_EMUL_KERNEL_GS_BASE, gs.base);
	if (ret)
		return ret;
	gs.base = v;
	emul_put_seg(c, EMUL_GS, &gs);
	return EMUL_OK;
}

/* RDFSBASE, RDGSBASE, WRFSBASE, WRGSBASE: 0F AE /0-3 */
int em_fsgsbase(struct emul_ctxt *c)
{
	enum emul_sreg s = (c->insn.modrm & 8) ? EMUL_GS : EMUL_FS;
	struct emul_seg seg = *emul_seg(c, s);
	u32 n = c->insn.op_bytes == 8 ? 8 : 4;

	if (!(c->ops->get_cr(c, 4) & CR4_FSGSBASE))
		return emul_ud(c);
	if (!(c->insn.modrm & 0x10)) {
		emul_set_reg(c, c->insn.rm, seg.base, n);
		return EMUL_OK;
	}
	seg.base = c->w.gpr[c->insn.rm] & emul_mask(n);
	if (!emul_canonical(c, seg.base))
		return emul_gp0(c);
	emul_put_seg(c, s, &seg);
	return EMUL_OK;
}

int em_xgetbv(struct emul_ctxt *c)
{
	if (!(c->ops->get_cr(c, 4) & CR4_OSXSAVE) || !c->ops->get_xcr0)
		return emul_ud(c);
	if ((u32)c->w.gpr[EMUL_RCX])
		return emul_gp0(c);
	set_edx_eax(c, c->ops->get_xcr0(c));
	return EMUL_OK;
}

int em_xsetbv(struct emul_ctxt *c)
{
	if (!(c->ops->get_cr(c, 4) & CR4_OSXSAVE))
		return emul_ud(c);
	if (c->cpl)
		return emul_gp0(c);
	if (!c->ops->set_xcr)
		return EMUL_UNHANDLEABLE;
	return c->ops->set_xcr(c, c->w.gpr[EMUL_RCX], edx_eax(c));
}

int em_clac(struct emul_ctxt *c)
{
	if (c->cpl || c->mode == EMUL_VM86)
		return emul_ud(c);
	c->w.rflags &= ~(u64)FL_AC;
	return EMUL_OK;
}

int em_stac(struct emul_ctxt *c)
{
	if (c->cpl || c->mode == EMUL_VM86)
		return emul_ud(c);
	c->w.rflags |= FL_AC;
	return EMUL_OK;
}
