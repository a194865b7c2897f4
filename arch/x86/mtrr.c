// SPDX-License-Identifier: GPL-2.0-only
/*
 * MTRRs and PAT types. The MTRRs are only kept: with stage-2 translation the memory type comes from
 * the host's mapping and the guest's PAT (APM 2 15.25.8, SDM 3 29.3.7).
 */
#include <linux/nospec.h>
#include <asm/msr-index.h>
#include <asm/mtrr.h>
#include "virt/compat/compat.h"
#include "arch/x86/x86.h"

/* MTRRcap: 8 variable ranges, fixed ranges, write combining. */
#define MTRRCAP		(MTRR_VARIABLE | BIT_ULL(8) | BIT_ULL(10))

#define DEF_TYPE_KNOWN	0xcffull	/* type, FE, E */
#define VAR_FIRST	0x200
#define VAR_LAST	(VAR_FIRST + MTRR_VARIABLE * 2 - 1)

bool mtrr_type_valid(u64 type)
{
	/* UC, WC, WT, WP, WB (SDM 3 12.11.2.1) */
	return type < 8 && (BIT(type) & 0x73);
}

bool pat_valid(u64 pat)
{
	int i;

	/* The MTRRs' and UC- (SDM 3 12.12.2). */
	for (i = 0; i < 8; i++, pat >>= 8) {
		u8 type = pat;

		if (type != 7 && !mtrr_type_valid(type))
			return false;
	}
	return true;
}

static int fixed_index(u32 index)
{
	switch (index) {
	case MSR_MTRRfix64K_00000:
		return 0;
	case MSR_MTRRfix16K_80000:
	case MSR_MTRRfix16K_A0000:
		return 1 + index - MSR_MTRRfix16K_80000;
	case MSR_MTRRfix4K_C0000 ... MSR_MTRRfix4K_F8000:
		return 3 + index - MSR_MTRRfix4K_C0000;
	default:
		return -1;
	}
}

/* Where the value is kept, or NULL. */
static u64 *slot(struct x86_vcpu *vcpu, u32 index)
{
	int i = fixed_index(index);

	if (i >= 0)
		return &vcpu->msr.mtrr_fixed[array_index_nospec(i, MTRR_FIXED)];
	if (index >= VAR_FIRST && index <= VAR_LAST)
		return &vcpu->msr.mtrr_var[array_index_nospec(index - VAR_FIRST,
							      MTRR_VARIABLE * 2)];
	return index == MSR_MTRRdefType ? &vcpu->msr.mtrr_def_type : NULL;
}

int mtrr_get(struct x86_vcpu *vcpu, u32 index, u64 *val)
{
	u64 *s = slot(vcpu, index);

	if (index == MSR_MTRRcap)
		*val = MTRRCAP;
	else if (s)
		*val = *s;
	else
		return 1;
	return 0;
}

static bool fixed_valid(u64 val)
{
	int i;

	for (i = 0; i < 8; i++, val >>= 8) {
		if (!mtrr_type_valid(val & 0xff))
			return false;
	}
	return true;
}

static bool value_valid(struct x86_vcpu *vcpu, u32 index, u64 val)
{
	if (index == MSR_MTRRdefType)
		return !(val & ~DEF_TYPE_KNOWN) && mtrr_type_valid(val & 0xff);
	if (index > VAR_LAST)
		return fixed_valid(val);
	if (val & vcpu->cpuid.rsvd_gpa)
		return false;
	/* Odd ones are masks: bit 11 is V. */
	if (index & 1)
		return !(val & GENMASK_ULL(10, 0));
	return !(val & GENMASK_ULL(11, 8)) && mtrr_type_valid(val & 0xff);
}

int mtrr_set(struct x86_vcpu *vcpu, u32 index, u64 val, bool host)
{
	u64 *s = slot(vcpu, index);

	if (!s || !value_valid(vcpu, index, val))
		return 1;
	*s = val;
	return 0;
}
