// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which MSRs a guest has, and how each is read and written (SDM 4; APM 2 appendix A). The functions
 * of the rows are in msr_regs.c, msr_spec.c, msr_platform.c, msr_pv.c.
 */
#include <linux/nospec.h>
#include <linux/stddef.h>
#include <asm/msr-index.h>
#include <uapi/asm/kvm_para.h>
#include "virt/compat/compat.h"
#include "arch/x86/x86.h"
#include "arch/x86/msr_table.h"

static int msr_no_get(struct x86_vcpu *vcpu, const struct msr_row *row, u32 index, u64 *val,
		      bool host)
{
	return 1;
}

static int msr_value_get(struct x86_vcpu *vcpu, const struct msr_row *row, u32 index, u64 *val,
			 bool host)
{
	*val = row->value;
	return 0;
}

static int msr_no_set(struct x86_vcpu *vcpu, const struct msr_row *row, u32 index, u64 val,
		      bool host)
{
	return 1;
}

/* What userspace restores as it was read, and no guest can change. */
static int host_set_ignored(struct x86_vcpu *vcpu, const struct msr_row *row, u32 index, u64 val,
			    bool host)
{
	return !host;
}

u64 *msr_field(struct x86_vcpu *vcpu, const struct msr_row *row)
{
	return (u64 *)((u8 *)&vcpu->msr + row->field);
}

int msr_field_get(struct x86_vcpu *vcpu, const struct msr_row *row, u32 index, u64 *val, bool host)
{
	*val = *msr_field(vcpu, row);
	return 0;
}

int msr_field_set(struct x86_vcpu *vcpu, const struct msr_row *row, u32 index, u64 val, bool host)
{
	if (val & ~row->writable)
		return 1;
	*msr_field(vcpu, row) = val;
	return 0;
}

int msr_field_host_set(struct x86_vcpu *vcpu, const struct msr_row *row, u32 index, u64 val,
		       bool host)
{
	return host ? msr_field_set(vcpu, row, index, val, host) : 1;
}

static bool yes(void)
{
	return true;
}

/* ---- ranges that have a file of their own ---- */

static int mtrr_row_get(struct x86_vcpu *vcpu, const struct msr_row *row, u32 index, u64 *val,
			bool host)
{
	return mtrr_get(vcpu, index, val);
}

static int mtrr_row_set(struct x86_vcpu *vcpu, const struct msr_row *row, u32 index, u64 val,
			bool host)
{
	return mtrr_set(vcpu, index, val, host);
}

static int mce_row_get(struct x86_vcpu *vcpu, const struct msr_row *row, u32 index, u64 *val,
		       bool host)
{
	return mce_get(vcpu, index, val, host);
}

static int mce_row_set(struct x86_vcpu *vcpu, const struct msr_row *row, u32 index, u64 val,
		       bool host)
{
	return mce_set(vcpu, index, val, host);
}

/* ---- the table ---- */

#define HWCR_KNOWN		(BIT_ULL(18) | BIT_ULL(24))	/* McStatusWrEn, TscFreqSel */
#define FIELD(name)	(offsetof(struct vcpu_msrs, name))
#define ONE(index)	.first = (index), .last = (index)
#define MSR_MISC_FEATURES	0x140
#define MSR_HWCR		0xc0010015
#define MSR_SYSCFG		0xc0010010
#define MSR_INT_PENDING		0xc0010055
#define MSR_TSEG_ADDR		0xc0010112
#define MSR_TSEG_MASK		0xc0010113
#define MSR_EX_CFG		0xc001102c

/*
 * A row without get or set stands for a register that guests touch and that has no effect here: it
 * reads 0 and forgets what is written.
 */
const struct msr_row msr_table[] = {
	{ .first = 0, .last = 1, .get = mce_row_get, .set = mce_row_set },	/* P5 */
	{ ONE(MSR_IA32_TSC), .get = msr_tsc_get, .set = msr_tsc_set, .listed = yes },
	{ ONE(MSR_KVM_WALL_CLOCK), .get = msr_wall_clock_get, .set = msr_wall_clock_set,
	  .listed = yes },
	{ ONE(MSR_KVM_SYSTEM_TIME), .get = msr_system_time_get, .set = msr_system_time_set,
	  .listed = yes },
	{ ONE(MSR_IA32_PLATFORM_ID), .set = msr_no_set },
	{ ONE(MSR_IA32_APICBASE), .get = msr_apic_base_get, .set = msr_apic_base_set },
	{ ONE(MSR_IA32_EBL_CR_POWERON) },
	{ ONE(MSR_EBC_FREQUENCY_ID), .get = msr_value_get, .set = msr_no_set,
	  .value = 1 << 24 },		/* a ratio that is not 0 */
	{ ONE(MSR_SMI_COUNT), .get = msr_field_get, .set = msr_field_host_set,
	  .field = FIELD(smi_count), .writable = U64_MAX, .listed = yes },
	{ ONE(MSR_IA32_TSC_ADJUST), .get = msr_tsc_adjust_get, .set = msr_tsc_adjust_set,
	  .listed = yes },
	{ ONE(MSR_IA32_SPEC_CTRL), .get = msr_spec_ctrl_get, .set = msr_spec_ctrl_set,
	  .listed = msr_has_spec_ctrl },
	{ ONE(MSR_IA32_PRED_CMD), .get = msr_no_get, .set = msr_pred_cmd_set },
	{ ONE(MSR_IA32_UCODE_WRITE), .get = msr_no_get },
	{ ONE(MSR_IA32_UCODE_REV), .get = msr_ucode_get, .set = msr_ucode_set, .listed = yes },
	{ .first = MSR_IA32_PERFCTR0, .last = MSR_IA32_PERFCTR1 },
	{ ONE(MSR_FSB_FREQ), .get = msr_value_get, .set = msr_no_set, .value = 3 },
	{ ONE(MSR_PLATFORM_INFO), .get = msr_platform_info_get, .set = msr_platform_info_set,
	  .listed = yes },
	{ ONE(MSR_MTRRcap), .get = mtrr_row_get, .set = host_set_ignored },
	{ ONE(MSR_IA32_ARCH_CAPABILITIES), .get = msr_arch_cap_get, .set = msr_field_host_set,
	  .field = FIELD(arch_capabilities), .writable = U64_MAX, .listed = yes },
	{ ONE(MSR_IA32_FLUSH_CMD), .get = msr_no_get, .set = msr_flush_cmd_set },
	/*
	 * An L2 cache that is there and switched on. What is written is forgotten and not looked at:
	 * Windows XP sets a bit that is reserved.
	 */
	{ ONE(MSR_IA32_BBL_CR_CTL3), .get = msr_value_get, .value = 0xbe702111 },
	{ ONE(MSR_MISC_FEATURES), .get = msr_field_get, .set = msr_misc_features_set,
	  .field = FIELD(misc_features), .listed = yes },
	{ .first = MSR_IA32_SYSENTER_CS, .last = MSR_IA32_SYSENTER_EIP, .get = msr_syscall_get,
	  .set = msr_syscall_set, .listed = yes },
	{ ONE(MSR_IA32_MCG_CAP), .get = mce_row_get, .set = msr_no_set },
	{ .first = MSR_IA32_MCG_STATUS, .last = MSR_IA32_MCG_CTL, .get = mce_row_get,
	  .set = mce_row_set, .listed = yes },
	{ .first = MSR_P6_EVNTSEL0, .last = MSR_P6_EVNTSEL1 },
	{ ONE(MSR_IA32_PERF_STATUS), .get = msr_value_get, .set = msr_no_set,
	  .value = 4ull << 40 | 1000 },	/* ratios of a CPU that never changes its speed */
	{ ONE(MSR_IA32_PERF_CTL), .set = msr_no_set },
	{ ONE(MSR_IA32_MISC_ENABLE), .get = msr_field_get, .set = msr_misc_enable_set,
	  .field = FIELD(misc_enable), .listed = yes },
	{ ONE(MSR_IA32_DEBUGCTLMSR), .get = msr_field_get, .set = msr_field_set,
	  .field = FIELD(debugctl), .writable = DEBUGCTLMSR_LBR | DEBUGCTLMSR_BTF },
	{ ONE(MSR_IA32_POWER_CTL), .get = msr_field_get, .set = msr_field_set,
	  .field = FIELD(power_ctl), .writable = U64_MAX, .listed = yes },
	{ .first = 0x200, .last = 0x20f, .get = mtrr_row_get, .set = mtrr_row_set, .listed = yes },
	{ ONE(MSR_MTRRfix64K_00000), .get = mtrr_row_get, .set = mtrr_row_set, .listed = yes },
	{ .first = MSR_MTRRfix16K_80000, .last = MSR_MTRRfix16K_A0000, .get = mtrr_row_get,
	  .set = mtrr_row_set, .listed = yes },
	{ .first = MSR_MTRRfix4K_C0000, .last = MSR_MTRRfix4K_F8000, .get = mtrr_row_get,
	  .set = mtrr_row_set, .listed = yes },
	{ ONE(MSR_IA32_CR_PAT), .get = msr_field_get, .set = msr_pat_set, .field = FIELD(pat),
	  .listed = yes },
	{ .first = MSR_IA32_MC0_CTL2, .last = MSR_IA32_MCx_CTL2(MCE_BANKS) - 1,
	  .get = mce_row_get, .set = mce_row_set },
	{ ONE(MSR_MTRRdefType), .get = mtrr_row_get, .set = mtrr_row_set, .listed = yes },
	{ ONE(MSR_IA32_PERF_CAPABILITIES), .get = msr_perf_cap_get, .set = msr_perf_cap_set },
	{ .first = MSR_IA32_MC0_CTL, .last = MSR_IA32_MCx_CTL(MCE_BANKS) - 1, .get = mce_row_get,
	  .set = mce_row_set },
	{ ONE(MSR_RAPL_POWER_UNIT), .set = msr_no_set },
	{ ONE(MSR_PKG_ENERGY_STATUS), .set = msr_no_set },
	{ ONE(MSR_DRAM_ENERGY_STATUS), .set = msr_no_set },
	{ ONE(MSR_PP0_ENERGY_STATUS), .set = msr_no_set },
	{ ONE(MSR_PP1_ENERGY_STATUS), .set = msr_no_set },
	{ ONE(MSR_IA32_XSS), .get = msr_xss_get, .set = msr_xss_row_set, .listed = msr_has_xsaves },
	{ ONE(MSR_KVM_WALL_CLOCK_NEW), .get = msr_wall_clock_get, .set = msr_wall_clock_set,
	  .listed = yes },
	{ ONE(MSR_KVM_SYSTEM_TIME_NEW), .get = msr_system_time_get, .set = msr_system_time_set,
	  .listed = yes },
	{ ONE(MSR_KVM_ASYNC_PF_EN), .get = msr_async_pf_get, .set = msr_async_pf_set,
	  .field = FIELD(async_pf), .writable = ~GENMASK_ULL(5, 3), .listed = yes },
	{ ONE(MSR_KVM_STEAL_TIME), .get = msr_steal_get, .set = msr_steal_set,
	  .listed = steal_supported },
	{ ONE(MSR_KVM_PV_EOI_EN), .get = msr_pv_eoi_get, .set = msr_pv_eoi_set, .listed = yes },
	{ ONE(MSR_EFER), .get = msr_efer_get, .set = msr_efer_set },
	{ .first = MSR_STAR, .last = MSR_SYSCALL_MASK, .get = msr_syscall_get,
	  .set = msr_syscall_set, .listed = yes },
	{ .first = MSR_FS_BASE, .last = MSR_GS_BASE, .get = msr_seg_base_get,
	  .set = msr_seg_base_set },
	{ ONE(MSR_KERNEL_GS_BASE), .get = msr_syscall_get, .set = msr_syscall_set, .listed = yes },
	{ ONE(MSR_TSC_AUX), .get = msr_field_get, .set = msr_tsc_aux_set, .field = FIELD(tsc_aux),
	  .writable = U32_MAX, .listed = msr_has_tsc_aux },
	{ .first = MSR_K7_EVNTSEL0, .last = MSR_K7_PERFCTR3 },
	{ ONE(MSR_SYSCFG) },
	{ ONE(MSR_HWCR), .get = msr_field_get, .set = msr_hwcr_set, .field = FIELD(hwcr),
	  .writable = HWCR_KNOWN, .listed = yes },
	/* As firmware leaves it: Linux would warn of another value, and write this one. */
	{ ONE(MSR_K7_CLK_CTL), .get = msr_value_get, .value = 0x20000000 },
	{ ONE(MSR_AMD64_NB_CFG) },
	{ ONE(MSR_AMD64_PATCH_LOADER), .get = msr_no_get },
	{ ONE(MSR_INT_PENDING), .set = msr_no_set },
	{ ONE(MSR_FAM10H_MMIO_CONF_BASE), .set = msr_mmio_conf_set },
	{ .first = MSR_TSEG_ADDR, .last = MSR_TSEG_MASK, .set = msr_no_set },
	{ ONE(MSR_AMD64_OSVW_ID_LENGTH), .get = msr_osvw_get, .set = msr_field_host_set,
	  .field = FIELD(osvw_length), .writable = U64_MAX, .listed = msr_has_osvw },
	{ ONE(MSR_AMD64_OSVW_STATUS), .get = msr_osvw_get, .set = msr_field_host_set,
	  .field = FIELD(osvw_status), .writable = U64_MAX, .listed = msr_has_osvw },
	{ ONE(MSR_AMD64_DC_CFG) },
	{ ONE(MSR_AMD64_TW_CFG) },
	{ ONE(MSR_AMD64_DE_CFG), .get = msr_field_get, .set = msr_de_cfg_set,
	  .field = FIELD(de_cfg) },
	{ ONE(MSR_AMD64_BU_CFG2) },
	{ ONE(MSR_EX_CFG) },
};

const unsigned int msr_table_size = ARRAY_SIZE(msr_table);

/* The row that msr_find() looks at first, by a hash of the index. */
static u8 first_look[256] __read_mostly;

static_assert(ARRAY_SIZE(msr_table) <= 256);

/* Tells apart those that guests use most: IA32 0-0x3ff, KVM's, AMD's 0xc0000080 and 0xc0000100. */
static u8 hash_of(u32 index)
{
	return index ^ index >> 5 ^ index >> 16;
}

void msr_table_init(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(msr_table); i++) {
		u32 index = msr_table[i].first;

		/* Of the long ranges, which are for initialisation, the beginning is enough. */
		for (; index <= msr_table[i].last && index < msr_table[i].first + 4; index++) {
			if (!first_look[hash_of(index)])
				first_look[hash_of(index)] = i;
		}
	}
}

const struct msr_row *msr_find(u32 index)
{
	unsigned int low = 0, high = ARRAY_SIZE(msr_table);
	const struct msr_row *row = &msr_table[first_look[hash_of(index)]];

	if (likely(index >= row->first && index <= row->last))
		return row;
	while (low < high) {
		unsigned int mid = (low + high) / 2;

		if (index > msr_table[mid].last)
			low = mid + 1;
		else if (index < msr_table[mid].first)
			high = mid;
		else
			return &msr_table[array_index_nospec(mid, ARRAY_SIZE(msr_table))];
	}
	return NULL;
}
