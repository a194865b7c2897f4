// SPDX-License-Identifier: GPL-2.0-only
/*
 * Control registers and EFER as the guest writes them: the architectural checks
 * (SDM 3 2.5, 4.1; APM 2 3.1), and what a change brings about.
 */
#include <linux/string.h>
#include <asm/msr-index.h>
#include <asm/processor-flags.h>
#include <keel/guest_mem.h>
#include "virt/compat/compat.h"
#include "arch/x86/x86.h"

#define CR0_KNOWN	(X86_CR0_PE | X86_CR0_MP | X86_CR0_EM | X86_CR0_TS | X86_CR0_ET |	\
			 X86_CR0_NE | X86_CR0_WP | X86_CR0_AM | X86_CR0_NW | X86_CR0_CD |	\
			 X86_CR0_PG)

/* Changes that make cached translations wrong (SDM 3 4.10.4.1). */
#define CR0_FLUSH	X86_CR0_PG
#define CR4_FLUSH	(X86_CR4_PGE | X86_CR4_PSE | X86_CR4_PAE | X86_CR4_SMEP |	\
			 X86_CR4_SMAP | X86_CR4_LA57 | X86_CR4_PCIDE | X86_CR4_PKE)

/* Changes that no intercept depends on, and that guests make often. */
#define CR0_QUIET	(X86_CR0_TS | X86_CR0_MP | X86_CR0_EM | X86_CR0_AM | X86_CR0_NE)
#define CR4_QUIET	(X86_CR4_PGE | X86_CR4_PCE | X86_CR4_TSD)
#define EFER_QUIET	(EFER_SCE | EFER_NX | EFER_FFXSR)

#define CR3_NOFLUSH	BIT_ULL(63)

void cr_state_changed(struct x86_vcpu *vcpu, u64 old_cr0, u64 old_cr4, u64 old_efer)
{
	const struct x86_regs *r = st_read(vcpu, ST_CR | ST_EFER);
	u64 cr0 = r->cr0 ^ old_cr0, cr4 = r->cr4 ^ old_cr4, efer = r->efer ^ old_efer;

	if (cr4 & (X86_CR4_OSXSAVE | X86_CR4_PKE))
		xstate_changed(vcpu);
	if ((cr0 & CR0_FLUSH) || (cr4 & CR4_FLUSH) || (efer & EFER_NX))
		vendor_call(flush_tlb)(vcpu);
	if ((cr0 & ~CR0_QUIET) || (cr4 & ~CR4_QUIET) || (efer & ~(u64)EFER_QUIET))
		vendor_call(update_intercepts)(vcpu);
}

/* PAE paging: the four entries that CR3 points to have to be good (SDM 3 4.4.1). */
bool cr_load_pdptes(struct x86_vcpu *vcpu, u64 cr3)
{
	u64 rsvd = vcpu->cpuid.rsvd_gpa | GENMASK_ULL(8, 5) | GENMASK_ULL(2, 1), pdpte[4];
	int i;

	if (vcpu_read_guest(&vcpu->v, (u32)cr3 & ~0x1full, pdpte, sizeof(pdpte)))
		return false;
	for (i = 0; i < 4; i++) {
		if ((pdpte[i] & 1) && (pdpte[i] & rsvd))
			return false;
	}
	if (keel_vendor.caps.pdpte_registers)
		memcpy(st_overwrite(vcpu, ST_PDPTE)->pdpte, pdpte, sizeof(pdpte));
	return true;
}

static bool cr0_consistent(u64 cr0)
{
	if (cr0 >> 32)
		return false;
	if ((cr0 & X86_CR0_NW) && !(cr0 & X86_CR0_CD))
		return false;
	return !(cr0 & X86_CR0_PG) || (cr0 & X86_CR0_PE);
}

/* CR0.PG goes from 0 to 1. @efer gets LMA. */
static bool paging_on_valid(struct x86_vcpu *vcpu, u64 *efer)
{
	const struct x86_regs *r = st_read(vcpu, ST_CR | ST_CR3 | ST_EFER | ST_SEG);

	if (r->efer & EFER_LME) {
		if (!(r->cr4 & X86_CR4_PAE) || (r->seg[S_CS].attr & SEG_L))
			return false;
		if (keel_vendor.caps.long_mode_wants_tss32 && !(r->seg[S_TR].attr & SEG_TSS32))
			return false;
		*efer |= EFER_LMA;
		return true;
	}
	return !(r->cr4 & X86_CR4_PAE) || cr_load_pdptes(vcpu, r->cr3);
}

static bool paging_off_valid(struct x86_vcpu *vcpu, u64 *efer)
{
	if (is_64bit_code(vcpu) || (st_read(vcpu, ST_CR)->cr4 & X86_CR4_PCIDE))
		return false;
	*efer &= ~(u64)EFER_LMA;
	return true;
}

int keel_set_cr0(struct x86_vcpu *vcpu, u64 val)
{
	struct x86_regs *r = st_write(vcpu, ST_CR);
	u64 old_cr0 = r->cr0, old_efer = st_read(vcpu, ST_EFER)->efer, efer = old_efer;

	if (!cr0_consistent(val))
		return 1;
	val = (val & CR0_KNOWN) | X86_CR0_ET;
	if ((val & ~old_cr0) & X86_CR0_PG) {
		if (!paging_on_valid(vcpu, &efer))
			return 1;
	} else if ((old_cr0 & ~val) & X86_CR0_PG) {
		if (!paging_off_valid(vcpu, &efer))
			return 1;
	} else if ((val & X86_CR0_PG) && !(efer & EFER_LMA) && (r->cr4 & X86_CR4_PAE) &&
		   ((val ^ old_cr0) & (X86_CR0_CD | X86_CR0_NW))) {
		if (!cr_load_pdptes(vcpu, st_read(vcpu, ST_CR3)->cr3))
			return 1;
	}
	if (efer != old_efer)
		st_write(vcpu, ST_EFER)->efer = efer;
	r->cr0 = val;
	cr_state_changed(vcpu, old_cr0, r->cr4, old_efer);
	return 0;
}

static bool cr3_valid(struct x86_vcpu *vcpu, u64 cr3, bool long_mode)
{
	return !long_mode || !(cr3 & vcpu->cpuid.cr3_rsvd);
}

int keel_set_cr3(struct x86_vcpu *vcpu, u64 val)
{
	const struct x86_regs *r = st_read(vcpu, ST_CR | ST_EFER);
	bool long_mode = is_long_mode(vcpu), noflush = false;

	if (long_mode && (r->cr4 & X86_CR4_PCIDE)) {
		noflush = val & CR3_NOFLUSH;
		val &= ~CR3_NOFLUSH;
	}
	if (!long_mode)
		val = (u32)val;
	if (!cr3_valid(vcpu, val, long_mode))
		return 1;
	if (is_paging(vcpu) && !long_mode && (r->cr4 & X86_CR4_PAE) && !cr_load_pdptes(vcpu, val))
		return 1;
	st_write(vcpu, ST_CR3)->cr3 = val;
	if (!noflush)
		vendor_call(flush_tlb)(vcpu);
	return 0;
}

static bool cr4_valid(struct x86_vcpu *vcpu, u64 cr4)
{
	return !(cr4 & vcpu->cpuid.cr4_rsvd) && vendor_call(cr4_valid)(vcpu, cr4);
}

int keel_set_cr4(struct x86_vcpu *vcpu, u64 val)
{
	struct x86_regs *r = st_write(vcpu, ST_CR);
	u64 old = r->cr4, on = val & ~old;
	bool long_mode = is_long_mode(vcpu);

	if (!cr4_valid(vcpu, val))
		return 1;
	if (long_mode) {
		if (!(val & X86_CR4_PAE) || ((val ^ old) & X86_CR4_LA57))
			return 1;
	} else if (is_paging(vcpu) && (val & X86_CR4_PAE) &&
		   ((val ^ old) & (X86_CR4_PAE | X86_CR4_PGE | X86_CR4_PSE | X86_CR4_SMEP))) {
		if (!cr_load_pdptes(vcpu, st_read(vcpu, ST_CR3)->cr3))
			return 1;
	}
	if ((on & X86_CR4_PCIDE) && (!long_mode || (st_read(vcpu, ST_CR3)->cr3 & 0xfff)))
		return 1;
	r->cr4 = val;
	cr_state_changed(vcpu, r->cr0, old, st_read(vcpu, ST_EFER)->efer);
	return 0;
}

int keel_set_cr8(struct x86_vcpu *vcpu, u64 val)
{
	if (val & ~0xfull)
		return 1;
	irqchip_set_cr8(vcpu, val);
	return 0;
}
KEEL_EXPORT(keel_set_cr8);

u64 keel_get_cr8(struct x86_vcpu *vcpu)
{
	return irqchip_get_cr8(vcpu);
}
KEEL_EXPORT(keel_get_cr8);

/* EFER bits that no guest on this host has. Userspace may set EFER before CPUID. */
static u64 efer_host_rsvd(void)
{
	u64 ok = EFER_SCE | EFER_LME | EFER_LMA;

	if (keel_cpu_has(X86_FEATURE_NX))
		ok |= EFER_NX;
	if (keel_cpu_has(X86_FEATURE_SVM))
		ok |= EFER_SVME;
	if (keel_cpu_has(X86_FEATURE_FXSR_OPT))
		ok |= EFER_FFXSR;
	if (keel_cpu_has(CAP_AUTOIBRS))
		ok |= EFER_AUTOMATIC_IBRS;
	return ~ok;
}

int keel_set_efer(struct x86_vcpu *vcpu, u64 val, bool host)
{
	struct x86_regs *r = st_write(vcpu, ST_EFER);
	u64 old = r->efer;

	if (val & (host ? efer_host_rsvd() : vcpu->cpuid.efer_rsvd))
		return 1;
	if (!host && is_paging(vcpu) && ((val ^ old) & EFER_LME))
		return 1;
	/* LMA follows LME and PG alone. */
	val = (val & ~(u64)EFER_LMA) | (old & EFER_LMA);
	if (val == old)
		return 0;
	r->efer = val;
	cr_state_changed(vcpu, st_read(vcpu, ST_CR)->cr0, r->cr4, old);
	return 0;
}

bool cr_valid(struct x86_vcpu *vcpu, u64 cr0, u64 cr3, u64 cr4, u64 efer)
{
	bool long_mode = (efer & EFER_LME) && (cr0 & X86_CR0_PG);

	if (!cr0_consistent(cr0) || !cr4_valid(vcpu, cr4) || (efer & efer_host_rsvd()))
		return false;
	if (!long_mode)
		return !(efer & EFER_LMA);
	if (!(cr4 & X86_CR4_PAE) || !(efer & EFER_LMA))
		return false;
	return cr3_valid(vcpu, cr3, true);
}
