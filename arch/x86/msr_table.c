// SPDX-License-Identifier: GPL-2.0-only
/* Which MSRs a guest has, and how each is read and written (SDM 4; APM 2 appendix A). */
#include <linux/nospec.h>
#include <linux/stddef.h>
#include <asm/msr-index.h>
#include <asm/nospec-branch.h>
#include <uapi/asm/kvm_para.h>
#include "virt/compat/compat.h"
#include "virt/compat/compat_x86.h"
#include "arch/x86/x86.h"
#include "arch/x86/msr_table.h"

#define SPEC_IPRED_RRSBA	GENMASK_ULL(6, 3)
#define SPEC_PSFD		BIT_ULL(7)
#define SPEC_BHI_DIS_S		BIT_ULL(10)
#define PRED_SBPB		BIT_ULL(7)
#define HWCR_IGNORED		(BIT_ULL(3) | BIT_ULL(6) | BIT_ULL(8))	/* caches, FFDIS, MONITOR at CPL > 0 */
#define HWCR_KNOWN		(BIT_ULL(18) | BIT_ULL(24))	/* McStatusWrEn, TscFreqSel */
#define CPUID_FAULT		BIT_ULL(31)	/* PLATFORM_INFO: CPUID faulting exists */
#define CPUID_FAULT_ON		BIT_ULL(0)	/* MISC_FEATURES_ENABLES */

/* ---- generic ---- */

static int msr_no_get(struct x86_vcpu *vcpu, const struct msr_row *row, u32 index, u64 *val,
		      bool host)
{
	return 1;
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

static u64 *field_of(struct x86_vcpu *vcpu, const struct msr_row *row)
{
	return (u64 *)((u8 *)&vcpu->msr + row->field);
}

static int field_get(struct x86_vcpu *vcpu, const struct msr_row *row, u32 index, u64 *val,
		     bool host)
{
	*val = *field_of(vcpu, row);
	return 0;
}

static int field_set(struct x86_vcpu *vcpu, const struct msr_row *row, u32 index, u64 val,
		     bool host)
{
	if (val & ~row->writable)
		return 1;
	*field_of(vcpu, row) = val;
	return 0;
}

static int field_host_set(struct x86_vcpu *vcpu, const struct msr_row *row, u32 index, u64 val,
			  bool host)
{
	return host ? field_set(vcpu, row, index, val, host) : 1;
}

static bool yes(void)
{
	return true;
}

/* Canonical for the widest linear addresses this guest may have (FS, GS bases do not follow CR4.LA57). */
static bool canonical(struct x86_vcpu *vcpu, u64 addr)
{
	unsigned int shift = 64 - vcpu->cpuid.vaddr_bits;

	return (u64)((s64)(addr << shift) >> shift) == addr;
}

/* ---- registers ---- */

static int tsc_get(struct x86_vcpu *vcpu, const struct msr_row *row, u32 index, u64 *val, bool host)
{
	*val = guest_tsc_now(vcpu);
	return 0;
}

static int tsc_set(struct x86_vcpu *vcpu, const struct msr_row *row, u32 index, u64 val, bool host)
{
	tsc_write(vcpu, val, host);
	return 0;
}

static int tsc_adjust_get(struct x86_vcpu *vcpu, const struct msr_row *row, u32 index, u64 *val,
			  bool host)
{
	*val = vcpu->tsc.adjust;
	return !host && !guest_has(vcpu, X86_FEATURE_TSC_ADJUST);
}

static int tsc_adjust_set(struct x86_vcpu *vcpu, const struct msr_row *row, u32 index, u64 val,
			  bool host)
{
	if (!host && !guest_has(vcpu, X86_FEATURE_TSC_ADJUST))
		return 1;
	tsc_adjust_write(vcpu, val, host);
	return 0;
}

static int apic_base_get(struct x86_vcpu *vcpu, const struct msr_row *row, u32 index, u64 *val,
			 bool host)
{
	*val = irqchip_apic_base(vcpu);
	return 0;
}

static int apic_base_set(struct x86_vcpu *vcpu, const struct msr_row *row, u32 index, u64 val,
			 bool host)
{
	return irqchip_set_apic_base(vcpu, val, host);
}

static int efer_get(struct x86_vcpu *vcpu, const struct msr_row *row, u32 index, u64 *val,
		    bool host)
{
	*val = st_read(vcpu, ST_EFER)->efer;
	return 0;
}

static int efer_set(struct x86_vcpu *vcpu, const struct msr_row *row, u32 index, u64 val, bool host)
{
	return keel_set_efer(vcpu, val, host);
}

static int syscall_get(struct x86_vcpu *vcpu, const struct msr_row *row, u32 index, u64 *val,
		       bool host)
{
	const struct x86_regs *r = st_read(vcpu, ST_SYSCALL);

	switch (index) {
	case MSR_IA32_SYSENTER_CS:
		*val = r->sysenter_cs;
		break;
	case MSR_IA32_SYSENTER_ESP:
		*val = r->sysenter_esp;
		break;
	case MSR_IA32_SYSENTER_EIP:
		*val = r->sysenter_eip;
		break;
	case MSR_STAR:
		*val = r->star;
		break;
	case MSR_LSTAR:
		*val = r->lstar;
		break;
	case MSR_CSTAR:
		*val = r->cstar;
		break;
	case MSR_SYSCALL_MASK:
		*val = r->sfmask;
		break;
	case MSR_KERNEL_GS_BASE:
		*val = r->kernel_gs_base;
		break;
	default:
		return 1;
	}
	return 0;
}

/* Hardware faults on non-canonical values when it loads them, in the host (FAULTS 18): refused here. */
static int syscall_set(struct x86_vcpu *vcpu, const struct msr_row *row, u32 index, u64 val,
		       bool host)
{
	struct x86_regs *r = st_write(vcpu, ST_SYSCALL);

	switch (index) {
	case MSR_IA32_SYSENTER_CS:
		r->sysenter_cs = val;
		return 0;
	case MSR_STAR:
		r->star = val;
		return 0;
	case MSR_SYSCALL_MASK:
		r->sfmask = val;
		return 0;
	default:
		break;
	}
	if (!canonical(vcpu, val))
		return 1;
	switch (index) {
	case MSR_IA32_SYSENTER_ESP:
		r->sysenter_esp = val;
		break;
	case MSR_IA32_SYSENTER_EIP:
		r->sysenter_eip = val;
		break;
	case MSR_LSTAR:
		r->lstar = val;
		break;
	case MSR_CSTAR:
		r->cstar = val;
		break;
	case MSR_KERNEL_GS_BASE:
		r->kernel_gs_base = val;
		break;
	default:
		return 1;
	}
	return 0;
}

static int seg_base_get(struct x86_vcpu *vcpu, const struct msr_row *row, u32 index, u64 *val,
			bool host)
{
	*val = st_read(vcpu, ST_SEG)->seg[index == MSR_FS_BASE ? S_FS : S_GS].base;
	return 0;
}

static int seg_base_set(struct x86_vcpu *vcpu, const struct msr_row *row, u32 index, u64 val,
			bool host)
{
	if (!canonical(vcpu, val))
		return 1;
	st_write(vcpu, ST_SEG)->seg[index == MSR_FS_BASE ? S_FS : S_GS].base = val;
	return 0;
}

static bool has_tsc_aux(void)
{
	return keel_cpu_has(X86_FEATURE_RDTSCP) || keel_cpu_has(X86_FEATURE_RDPID);
}

static int tsc_aux_set(struct x86_vcpu *vcpu, const struct msr_row *row, u32 index, u64 val,
		       bool host)
{
	if (!has_tsc_aux() || (!host && !guest_has(vcpu, X86_FEATURE_RDTSCP) &&
			       !guest_has(vcpu, X86_FEATURE_RDPID)))
		return 1;
	return field_set(vcpu, row, index, val, host);
}

static int pat_set(struct x86_vcpu *vcpu, const struct msr_row *row, u32 index, u64 val, bool host)
{
	if (!pat_valid(val))
		return 1;
	vcpu->msr.pat = val;
	return 0;
}

static int xss_get(struct x86_vcpu *vcpu, const struct msr_row *row, u32 index, u64 *val, bool host)
{
	*val = vcpu->fpu.xss;
	return !host && !guest_has(vcpu, X86_FEATURE_XSAVES);
}

static int xss_row_set(struct x86_vcpu *vcpu, const struct msr_row *row, u32 index, u64 val,
		       bool host)
{
	return xss_set(vcpu, val, host);
}

static bool has_xsaves(void)
{
	return keel_cpu_has(X86_FEATURE_XSAVES);
}

/* ---- speculation control ---- */

/* The bits of SPEC_CTRL that go with features, as @has() tells. */
#define spec_ctrl_bits(has)								\
	((has(X86_FEATURE_SPEC_CTRL) || has(X86_FEATURE_AMD_IBRS) ? SPEC_CTRL_IBRS : 0) |	\
	 (has(X86_FEATURE_SPEC_CTRL) || has(X86_FEATURE_INTEL_STIBP) ||			\
	  has(X86_FEATURE_AMD_STIBP) ? SPEC_CTRL_STIBP : 0) |				\
	 (has(X86_FEATURE_SPEC_CTRL_SSBD) || has(X86_FEATURE_AMD_SSBD) ?			\
	  SPEC_CTRL_SSBD : 0) |								\
	 (has(CPUID_8000_0008_EBX * 32 + 28) || has(CPUID_W_7_2_EDX * 32 + 0) ?		\
	  SPEC_PSFD : 0) |								\
	 (has(CPUID_W_7_2_EDX * 32 + 1) || has(CPUID_W_7_2_EDX * 32 + 2) ?		\
	  SPEC_IPRED_RRSBA : 0) |							\
	 (has(CPUID_W_7_2_EDX * 32 + 4) ? SPEC_BHI_DIS_S : 0))

static u64 spec_ctrl_guest_bits(struct x86_vcpu *vcpu)
{
#define HAS(f)	guest_has(vcpu, f)
	return spec_ctrl_bits(HAS);
#undef HAS
}

static u64 spec_ctrl_host_bits(void)
{
	return spec_ctrl_bits(keel_cpu_has);
}

static bool has_spec_ctrl(void)
{
	return spec_ctrl_host_bits();
}

static int spec_ctrl_get(struct x86_vcpu *vcpu, const struct msr_row *row, u32 index, u64 *val,
			 bool host)
{
	*val = vcpu->msr.spec_ctrl;
	return host ? !has_spec_ctrl() : !spec_ctrl_guest_bits(vcpu);
}

static int spec_ctrl_set(struct x86_vcpu *vcpu, const struct msr_row *row, u32 index, u64 val,
			 bool host)
{
	u64 may = host ? spec_ctrl_host_bits() : spec_ctrl_guest_bits(vcpu);

	if (!may || (val & ~may))
		return 1;
	vcpu->msr.spec_ctrl = val;
	return 0;
}

static int pred_cmd_set(struct x86_vcpu *vcpu, const struct msr_row *row, u32 index, u64 val,
			bool host)
{
	u64 may = 0;

	if (keel_cpu_has(X86_FEATURE_SPEC_CTRL) || keel_cpu_has(X86_FEATURE_AMD_IBPB)) {
		if (host || guest_has(vcpu, X86_FEATURE_SPEC_CTRL) ||
		    guest_has(vcpu, X86_FEATURE_AMD_IBPB))
			may |= PRED_CMD_IBPB;
	}
	if (keel_cpu_has(CPUID_8000_0021_EAX * 32 + 27) &&
	    (host || guest_has(vcpu, CPUID_8000_0021_EAX * 32 + 27)))
		may |= PRED_SBPB;
	if (!may || (val & ~may))
		return 1;
	if (val && !host)
		wrmsrq(MSR_IA32_PRED_CMD, val);
	return 0;
}

static int flush_cmd_set(struct x86_vcpu *vcpu, const struct msr_row *row, u32 index, u64 val,
			 bool host)
{
	if (!keel_cpu_has(X86_FEATURE_FLUSH_L1D) || (val & ~(u64)L1D_FLUSH) ||
	    (!host && !guest_has(vcpu, X86_FEATURE_FLUSH_L1D)))
		return 1;
	if (val && !host)
		wrmsrq(MSR_IA32_FLUSH_CMD, val);
	return 0;
}

static int arch_cap_get(struct x86_vcpu *vcpu, const struct msr_row *row, u32 index, u64 *val,
			bool host)
{
	*val = vcpu->msr.arch_capabilities;
	return !host && !guest_has(vcpu, X86_FEATURE_ARCH_CAPABILITIES);
}

/* ---- models and platforms ---- */

static int ucode_get(struct x86_vcpu *vcpu, const struct msr_row *row, u32 index, u64 *val,
		     bool host)
{
	*val = vcpu->msr.ucode_rev;
	return 0;
}

/* Guests write 0 here before they read the revision (SDM 3 10.11.7.1). */
static int ucode_set(struct x86_vcpu *vcpu, const struct msr_row *row, u32 index, u64 val,
		     bool host)
{
	if (host)
		vcpu->msr.ucode_rev = val;
	return 0;
}

static int platform_info_get(struct x86_vcpu *vcpu, const struct msr_row *row, u32 index, u64 *val,
			     bool host)
{
	*val = vcpu->msr.platform_info;
	return !host && vcpu_vm(vcpu)->msr_filter.no_platform_info;
}

static int platform_info_set(struct x86_vcpu *vcpu, const struct msr_row *row, u32 index, u64 val,
			     bool host)
{
	if (!host || (!(val & CPUID_FAULT) && (vcpu->msr.misc_features & CPUID_FAULT_ON)))
		return 1;
	vcpu->msr.platform_info = val;
	return 0;
}

static int misc_features_set(struct x86_vcpu *vcpu, const struct msr_row *row, u32 index, u64 val,
			     bool host)
{
	if (val & ~CPUID_FAULT_ON)
		return 1;
	if ((val & CPUID_FAULT_ON) && !(vcpu->msr.platform_info & CPUID_FAULT))
		return 1;
	vcpu->msr.misc_features = val;
	return 0;
}

static int misc_enable_set(struct x86_vcpu *vcpu, const struct msr_row *row, u32 index, u64 val,
			   bool host)
{
	vcpu->msr.misc_enable = val;
	cpuid_runtime_changed(&vcpu->cpuid);
	return 0;
}

static int perf_status_get(struct x86_vcpu *vcpu, const struct msr_row *row, u32 index, u64 *val,
			   bool host)
{
	*val = 4ull << 40 | 1000;	/* ratios of a CPU that never changes its speed */
	return 0;
}

static int ebc_frequency_get(struct x86_vcpu *vcpu, const struct msr_row *row, u32 index, u64 *val,
			     bool host)
{
	*val = 1 << 24;		/* a ratio that is not 0 */
	return 0;
}

static int fsb_freq_get(struct x86_vcpu *vcpu, const struct msr_row *row, u32 index, u64 *val,
			bool host)
{
	*val = 3;
	return 0;
}

static int hwcr_set(struct x86_vcpu *vcpu, const struct msr_row *row, u32 index, u64 val, bool host)
{
	return field_set(vcpu, row, index, val & ~HWCR_IGNORED, host);
}

static bool has_osvw(void)
{
	return keel_cpu_has(X86_FEATURE_OSVW);
}

static int osvw_get(struct x86_vcpu *vcpu, const struct msr_row *row, u32 index, u64 *val,
		    bool host)
{
	*val = *field_of(vcpu, row);
	return !host && !guest_has(vcpu, X86_FEATURE_OSVW);
}

u64 msr_de_cfg_supported(void)
{
	return boot_cpu_has(X86_FEATURE_LFENCE_RDTSC) ? MSR_AMD64_DE_CFG_LFENCE_SERIALIZE : 0;
}

static int de_cfg_set(struct x86_vcpu *vcpu, const struct msr_row *row, u32 index, u64 val,
		      bool host)
{
	if (val & ~msr_de_cfg_supported())
		return 1;
	vcpu->msr.de_cfg = val;
	return 0;
}

/* ---- paravirtual ---- */

static bool pv_allowed(struct x86_vcpu *vcpu, unsigned int feature, bool host)
{
	return host || !vcpu->msr.enforce_pv || (vcpu->cpuid.kvm_features & BIT(feature));
}

static bool is_old_clock_msr(u32 index)
{
	return index == MSR_KVM_WALL_CLOCK || index == MSR_KVM_SYSTEM_TIME;
}

static bool clock_allowed(struct x86_vcpu *vcpu, u32 index, bool host)
{
	return pv_allowed(vcpu, is_old_clock_msr(index) ? KVM_FEATURE_CLOCKSOURCE :
			  KVM_FEATURE_CLOCKSOURCE2, host);
}

static int wall_clock_get(struct x86_vcpu *vcpu, const struct msr_row *row, u32 index, u64 *val,
			  bool host)
{
	*val = READ_ONCE(vcpu_vm(vcpu)->clock.wall);
	return !clock_allowed(vcpu, index, host);
}

static int wall_clock_set(struct x86_vcpu *vcpu, const struct msr_row *row, u32 index, u64 val,
			  bool host)
{
	return clock_allowed(vcpu, index, host) ? pvclock_wall_write(vcpu, val) : 1;
}

static int system_time_get(struct x86_vcpu *vcpu, const struct msr_row *row, u32 index, u64 *val,
			   bool host)
{
	*val = vcpu->clock.msr;
	return !clock_allowed(vcpu, index, host);
}

static int system_time_set(struct x86_vcpu *vcpu, const struct msr_row *row, u32 index, u64 val,
			   bool host)
{
	if (!clock_allowed(vcpu, index, host))
		return 1;
	return pvclock_msr_write(vcpu, val, is_old_clock_msr(index), host);
}

static int steal_get(struct x86_vcpu *vcpu, const struct msr_row *row, u32 index, u64 *val,
		     bool host)
{
	*val = vcpu->clock.steal_msr;
	return !pv_allowed(vcpu, KVM_FEATURE_STEAL_TIME, host);
}

static int steal_set(struct x86_vcpu *vcpu, const struct msr_row *row, u32 index, u64 val,
		     bool host)
{
	if (!pv_allowed(vcpu, KVM_FEATURE_STEAL_TIME, host))
		return 1;
	return pvclock_steal_write(vcpu, val, host);
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

#define FIELD(name)	(offsetof(struct vcpu_msrs, name))
#define ONE(index)	.first = (index), .last = (index)
#define MSR_MISC_FEATURES	0x140
#define MSR_BBL_CR_CTL3		0x119
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
	{ ONE(MSR_IA32_TSC), .get = tsc_get, .set = tsc_set, .listed = yes },
	{ ONE(MSR_KVM_WALL_CLOCK), .get = wall_clock_get, .set = wall_clock_set, .listed = yes },
	{ ONE(MSR_KVM_SYSTEM_TIME), .get = system_time_get, .set = system_time_set,
	  .listed = yes },
	{ ONE(MSR_IA32_PLATFORM_ID), .set = msr_no_set },
	{ ONE(MSR_IA32_APICBASE), .get = apic_base_get, .set = apic_base_set },
	{ ONE(MSR_IA32_EBL_CR_POWERON) },
	{ ONE(MSR_EBC_FREQUENCY_ID), .get = ebc_frequency_get, .set = msr_no_set },
	{ ONE(MSR_IA32_TSC_ADJUST), .get = tsc_adjust_get, .set = tsc_adjust_set, .listed = yes },
	{ ONE(MSR_IA32_SPEC_CTRL), .get = spec_ctrl_get, .set = spec_ctrl_set,
	  .listed = has_spec_ctrl },
	{ ONE(MSR_IA32_PRED_CMD), .get = msr_no_get, .set = pred_cmd_set },
	{ ONE(MSR_IA32_UCODE_WRITE), .get = msr_no_get },
	{ ONE(MSR_IA32_UCODE_REV), .get = ucode_get, .set = ucode_set, .listed = yes },
	{ .first = MSR_IA32_PERFCTR0, .last = MSR_IA32_PERFCTR1 },
	{ ONE(MSR_FSB_FREQ), .get = fsb_freq_get, .set = msr_no_set },
	{ ONE(MSR_PLATFORM_INFO), .get = platform_info_get, .set = platform_info_set,
	  .listed = yes },
	{ ONE(MSR_MTRRcap), .get = mtrr_row_get, .set = host_set_ignored },
	{ ONE(MSR_IA32_ARCH_CAPABILITIES), .get = arch_cap_get, .set = field_host_set,
	  .field = FIELD(arch_capabilities), .writable = U64_MAX, .listed = yes },
	{ ONE(MSR_IA32_FLUSH_CMD), .get = msr_no_get, .set = flush_cmd_set },
	{ ONE(MSR_BBL_CR_CTL3), .set = msr_no_set },
	{ ONE(MSR_MISC_FEATURES), .get = field_get, .set = misc_features_set,
	  .field = FIELD(misc_features), .listed = yes },
	{ .first = MSR_IA32_SYSENTER_CS, .last = MSR_IA32_SYSENTER_EIP, .get = syscall_get,
	  .set = syscall_set, .listed = yes },
	{ ONE(MSR_IA32_MCG_CAP), .get = mce_row_get, .set = msr_no_set },
	{ .first = MSR_IA32_MCG_STATUS, .last = MSR_IA32_MCG_CTL, .get = mce_row_get,
	  .set = mce_row_set, .listed = yes },
	{ .first = MSR_P6_EVNTSEL0, .last = MSR_P6_EVNTSEL1 },
	{ ONE(MSR_IA32_PERF_STATUS), .get = perf_status_get, .set = msr_no_set },
	{ ONE(MSR_IA32_MISC_ENABLE), .get = field_get, .set = misc_enable_set,
	  .field = FIELD(misc_enable), .listed = yes },
	{ ONE(MSR_IA32_DEBUGCTLMSR), .get = field_get, .set = field_set, .field = FIELD(debugctl),
	  .writable = DEBUGCTLMSR_LBR | DEBUGCTLMSR_BTF },
	{ .first = 0x200, .last = 0x20f, .get = mtrr_row_get, .set = mtrr_row_set, .listed = yes },
	{ ONE(MSR_MTRRfix64K_00000), .get = mtrr_row_get, .set = mtrr_row_set, .listed = yes },
	{ .first = MSR_MTRRfix16K_80000, .last = MSR_MTRRfix16K_A0000, .get = mtrr_row_get,
	  .set = mtrr_row_set, .listed = yes },
	{ .first = MSR_MTRRfix4K_C0000, .last = MSR_MTRRfix4K_F8000, .get = mtrr_row_get,
	  .set = mtrr_row_set, .listed = yes },
	{ ONE(MSR_IA32_CR_PAT), .get = field_get, .set = pat_set, .field = FIELD(pat),
	  .listed = yes },
	{ .first = MSR_IA32_MC0_CTL2, .last = MSR_IA32_MCx_CTL2(MCE_BANKS) - 1,
	  .get = mce_row_get, .set = mce_row_set },
	{ ONE(MSR_MTRRdefType), .get = mtrr_row_get, .set = mtrr_row_set, .listed = yes },
	{ .first = MSR_IA32_MC0_CTL, .last = MSR_IA32_MCx_CTL(MCE_BANKS) - 1, .get = mce_row_get,
	  .set = mce_row_set },
	{ ONE(MSR_RAPL_POWER_UNIT), .set = msr_no_set },
	{ ONE(MSR_PKG_ENERGY_STATUS), .set = msr_no_set },
	{ ONE(MSR_DRAM_ENERGY_STATUS), .set = msr_no_set },
	{ ONE(MSR_PP0_ENERGY_STATUS), .set = msr_no_set },
	{ ONE(MSR_PP1_ENERGY_STATUS), .set = msr_no_set },
	{ ONE(MSR_IA32_XSS), .get = xss_get, .set = xss_row_set, .listed = has_xsaves },
	{ ONE(MSR_KVM_WALL_CLOCK_NEW), .get = wall_clock_get, .set = wall_clock_set,
	  .listed = yes },
	{ ONE(MSR_KVM_SYSTEM_TIME_NEW), .get = system_time_get, .set = system_time_set,
	  .listed = yes },
	{ ONE(MSR_KVM_STEAL_TIME), .get = steal_get, .set = steal_set, .listed = steal_supported },
	{ ONE(MSR_EFER), .get = efer_get, .set = efer_set },
	{ .first = MSR_STAR, .last = MSR_SYSCALL_MASK, .get = syscall_get, .set = syscall_set,
	  .listed = yes },
	{ .first = MSR_FS_BASE, .last = MSR_GS_BASE, .get = seg_base_get, .set = seg_base_set },
	{ ONE(MSR_KERNEL_GS_BASE), .get = syscall_get, .set = syscall_set, .listed = yes },
	{ ONE(MSR_TSC_AUX), .get = field_get, .set = tsc_aux_set, .field = FIELD(tsc_aux),
	  .writable = U32_MAX, .listed = has_tsc_aux },
	{ .first = MSR_K7_EVNTSEL0, .last = MSR_K7_PERFCTR3 },
	{ ONE(MSR_SYSCFG) },
	{ ONE(MSR_HWCR), .get = field_get, .set = hwcr_set, .field = FIELD(hwcr),
	  .writable = HWCR_KNOWN, .listed = yes },
	{ ONE(MSR_AMD64_NB_CFG) },
	{ ONE(MSR_AMD64_PATCH_LOADER), .get = msr_no_get },
	{ ONE(MSR_INT_PENDING), .set = msr_no_set },
	{ ONE(MSR_FAM10H_MMIO_CONF_BASE), .set = msr_no_set },
	{ .first = MSR_TSEG_ADDR, .last = MSR_TSEG_MASK, .set = msr_no_set },
	{ ONE(MSR_AMD64_OSVW_ID_LENGTH), .get = osvw_get, .set = field_host_set,
	  .field = FIELD(osvw_length), .writable = U64_MAX, .listed = has_osvw },
	{ ONE(MSR_AMD64_OSVW_STATUS), .get = osvw_get, .set = field_host_set,
	  .field = FIELD(osvw_status), .writable = U64_MAX, .listed = has_osvw },
	{ ONE(MSR_AMD64_DC_CFG) },
	{ ONE(MSR_AMD64_TW_CFG) },
	{ ONE(MSR_AMD64_DE_CFG), .get = field_get, .set = de_cfg_set, .field = FIELD(de_cfg) },
	{ ONE(MSR_AMD64_BU_CFG2) },
	{ ONE(MSR_EX_CFG) },
};

const unsigned int msr_table_size = ARRAY_SIZE(msr_table);

const struct msr_row *msr_find(u32 index)
{
	unsigned int low = 0, high = ARRAY_SIZE(msr_table);

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
