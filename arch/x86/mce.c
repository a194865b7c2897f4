// SPDX-License-Identifier: GPL-2.0-only
/* Machine-check registers and KVM_X86_SETUP_MCE, KVM_X86_SET_MCE (SDM 3 16; APM 2 9). */
#include <linux/nospec.h>
#include <asm/mce.h>
#include <asm/msr-index.h>
#include <asm/processor-flags.h>
#include "virt/compat/compat.h"
#include "arch/x86/x86.h"

enum { BANK_CTL, BANK_STATUS, BANK_ADDR, BANK_MISC, BANK_REGS };

#define MCG_BANKS(cap)		((cap) & MCG_BANKCNT_MASK)
#define HWCR_MCI_STATUS_WREN	BIT_ULL(18)
/* Some guests clear a bit of these in a control register that is otherwise all ones. */
#define CTL_MAYBE_CLEAR		(BIT_ULL(10) | BIT_ULL(0))

u64 mce_cap_supported(void)
{
	return MCG_CTL_P | MCG_SER_P;
}

/* The register of a bank that this vCPU has, or NULL. */
static u64 *bank_reg(struct x86_vcpu *vcpu, u32 index)
{
	u32 nr = MCG_BANKS(vcpu->msr.mcg_cap) * BANK_REGS, i = index - MSR_IA32_MC0_CTL;

	if (index < MSR_IA32_MC0_CTL || i >= nr)
		return NULL;
	return &vcpu->msr.mce[array_index_nospec(i, MCE_BANKS * BANK_REGS)];
}

int mce_get(struct x86_vcpu *vcpu, u32 index, u64 *val, bool host)
{
	u64 cap = vcpu->msr.mcg_cap, *reg;

	*val = 0;
	switch (index) {
	case MSR_IA32_P5_MC_ADDR:
	case MSR_IA32_P5_MC_TYPE:
		return 0;
	case MSR_IA32_MCG_CAP:
		*val = cap;
		return 0;
	case MSR_IA32_MCG_CTL:
		*val = vcpu->msr.mcg_ctl;
		return !(cap & MCG_CTL_P) && !host;
	case MSR_IA32_MCG_STATUS:
		*val = vcpu->msr.mcg_status;
		return 0;
	default:
		break;
	}
	reg = bank_reg(vcpu, index);
	if (!reg)
		return 1;
	*val = *reg;
	return 0;
}

static int bank_set(struct x86_vcpu *vcpu, u32 index, u64 val, bool host)
{
	u64 *reg = bank_reg(vcpu, index);

	if (!reg)
		return 1;
	switch ((index - MSR_IA32_MC0_CTL) % BANK_REGS) {
	case BANK_CTL:
		/* All or nothing: there are no single error sources to switch. */
		if (val && (val | CTL_MAYBE_CLEAR) != U64_MAX)
			return 1;
		break;
	case BANK_STATUS:
		/* The guest may only clear it, unless it has asked to test its handler. */
		if (val && !host && !(vcpu->msr.hwcr & HWCR_MCI_STATUS_WREN))
			return 1;
		break;
	default:
		break;
	}
	*reg = val;
	return 0;
}

int mce_set(struct x86_vcpu *vcpu, u32 index, u64 val, bool host)
{
	switch (index) {
	case MSR_IA32_P5_MC_ADDR:
	case MSR_IA32_P5_MC_TYPE:
		return 0;
	case MSR_IA32_MCG_CAP:
		return 1;
	case MSR_IA32_MCG_CTL:
		if (!(vcpu->msr.mcg_cap & MCG_CTL_P) && (val || !host))
			return 1;
		if (val && val != U64_MAX)
			return 1;
		vcpu->msr.mcg_ctl = val;
		return 0;
	case MSR_IA32_MCG_STATUS:
		vcpu->msr.mcg_status = val;
		return 0;
	default:
		return bank_set(vcpu, index, val, host);
	}
}

int vcpu_mce_setup(struct x86_vcpu *vcpu, u64 mcg_cap)
{
	u32 banks = MCG_BANKS(mcg_cap), i;

	if (!banks || banks > MCE_BANKS)
		return -EINVAL;
	if (mcg_cap & ~(mce_cap_supported() | 0xff | MCG_EXT_CNT_MASK))
		return -EINVAL;
	vcpu->msr.mcg_cap = mcg_cap;
	if (mcg_cap & MCG_CTL_P)
		vcpu->msr.mcg_ctl = U64_MAX;
	for (i = 0; i < banks; i++)
		vcpu->msr.mce[i * BANK_REGS + BANK_CTL] = U64_MAX;
	return 0;
}

static void report(u64 *bank, const struct kvm_x86_mce *m)
{
	u64 over = bank[BANK_STATUS] & MCI_STATUS_VAL ? MCI_STATUS_OVER : 0;

	bank[BANK_ADDR] = m->addr;
	bank[BANK_MISC] = m->misc;
	bank[BANK_STATUS] = m->status | over;
}

/* Uncorrected, but nothing is to be done: told by a CMCI, which nobody has here, and not by #MC (SDM 3B 16.6.3). */
static bool needs_no_action(const struct kvm_x86_mce *m)
{
	return !m->mcg_status && (m->status & MCI_STATUS_UC) &&
	       !(m->status & (MCI_STATUS_PCC | MCI_STATUS_S | MCI_STATUS_AR));
}

int vcpu_mce_inject(struct x86_vcpu *vcpu, const struct kvm_x86_mce *m)
{
	u64 cap = vcpu->msr.mcg_cap, *bank;

	if (m->bank >= MCG_BANKS(cap) || !(m->status & MCI_STATUS_VAL))
		return -EINVAL;
	bank = &vcpu->msr.mce[array_index_nospec(m->bank, MCE_BANKS) * BANK_REGS];

	if (needs_no_action(m)) {
		report(bank, m);
		return 0;
	}
	if (!(m->status & MCI_STATUS_UC)) {
		/* A corrected error never overwrites an uncorrected one. */
		if ((bank[BANK_STATUS] & MCI_STATUS_VAL) && (bank[BANK_STATUS] & MCI_STATUS_UC))
			bank[BANK_STATUS] |= MCI_STATUS_OVER;
		else
			report(bank, m);
		return 0;
	}
	/* Switched off by the guest: nothing is reported. */
	if ((cap & MCG_CTL_P) && vcpu->msr.mcg_ctl != U64_MAX)
		return 0;
	if (bank[BANK_CTL] != U64_MAX)
		return 0;
	if ((vcpu->msr.mcg_status & MCG_STATUS_MCIP) ||
	    !(st_read(vcpu, ST_CR)->cr4 & X86_CR4_MCE)) {
		vcpu->ev.triple_fault = vcpu->ev.check = true;
		return 0;
	}
	vcpu->msr.mcg_status = m->mcg_status;
	report(bank, m);
	keel_raise(vcpu, MC_VECTOR);
	return 0;
}
