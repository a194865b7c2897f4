// SPDX-License-Identifier: GPL-2.0-only
/* What this machine's VT-x offers, from the capability MSRs (SDM 3D appendix A), and the controls made of it. */
#include <linux/printk.h>
#include <asm/cpufeature.h>
#include <asm/msr-index.h>
#include <asm/perf_event.h>
#include <asm/processor-flags.h>
#include <asm/processor.h>
#include "virt/compat/compat.h"
#include "virt/compat/compat_x86.h"
#include "arch/x86/hypercall.h"
#include "arch/x86/mmu/pte.h"
#include "arch/x86/vmx/vmx.h"

struct vmx_caps vmx_caps __ro_after_init;

/* IA32_VMX_BASIC (A.1) */
#define BASIC_TRUE_CTLS		BIT_ULL(55)
#define BASIC_SIZE(basic)	((u32)((basic) >> 32) & 0x1fff)

/* IA32_VMX_EPT_VPID_CAP (A.10): the upper half is about VPIDs */
#define EPT_WALK_4		BIT_ULL(6)
#define EPT_WALK_5		BIT_ULL(7)
#define EPT_EXEC_ONLY		BIT_ULL(0)
#define EPT_WB			BIT_ULL(14)
#define EPT_2M			BIT_ULL(16)
#define EPT_1G			BIT_ULL(17)
#define EPT_INVEPT		BIT_ULL(20)
#define EPT_AD			BIT_ULL(21)
#define EPT_INVEPT_CONTEXT	BIT_ULL(25)
#define EPT_INVEPT_GLOBAL	BIT_ULL(26)
#define VPID_INVVPID		BIT_ULL(32)
#define VPID_INVVPID_GVA	BIT_ULL(40)

static struct vmx_ctl read_ctl(u32 msr)
{
	struct vmx_ctl c;
	u64 val;

	rdmsrq(msr, val);
	c.must = val;
	c.may = val >> 32;
	return c;
}

/* The word with @need and what of @want exists. False: @need does not. */
static bool choose(const struct vmx_ctl *c, u32 need, u32 want, u32 *word)
{
	*word = c->must | need | (want & c->may);
	return (need & c->may) == need;
}

static bool refuse(const char *what)
{
	pr_err("kvm_intel: %s, which Keel needs\n", what);
	return false;
}

static bool vmx_usable(void)
{
	u64 ctl;

	if (!boot_cpu_has(X86_FEATURE_VMX)) {
		/* The kernel takes the feature away when the firmware has locked it off. */
		if (cpuid_ecx(1) & BIT(5))
			pr_err("kvm_intel: VMX is disabled by the firmware; enable it in its setup\n");
		else
			pr_err("kvm_intel: this CPU has no VMX\n");
		return false;
	}
	if (!rdmsrq_safe(MSR_IA32_FEAT_CTL, &ctl) &&
	    (ctl & (FEAT_CTL_LOCKED | FEAT_CTL_VMX_ENABLED_OUTSIDE_SMX)) == FEAT_CTL_LOCKED) {
		pr_err("kvm_intel: VMX is disabled by the firmware; enable it in its setup\n");
		return false;
	}
	return true;
}

/* Does the host's perf have a PMU that it wants switched around guests? */
static bool __init perf_switches_global_ctrl(void)
{
	struct perf_guest_switch_msr *m;
	bool ret = false;
	int i, nr = 0;

	/*
	 * Errata of the first CPUs that have it (AAK155, AAP115, AAT100, BC86, BA97): the exit may clear the bits of the
	 * fixed counters.
	 */
	if (!boot_cpu_has(X86_FEATURE_ARCH_PERFMON) ||
	    (boot_cpu_data.x86 == 6 && boot_cpu_data.x86_model <= 0x2e))
		return false;
	preempt_disable();
	m = perf_guest_get_msrs(&nr, NULL);
	for (i = 0; i < nr; i++)
		ret |= m[i].msr == MSR_CORE_PERF_GLOBAL_CTRL;
	preempt_enable();
	return ret;
}

/* The words that no capability decides but presence. */
static bool __init caps_controls(struct vmx_caps *c, const struct vmx_wants *w, bool true_ctls)
{
	struct vmx_ctl pin, cpu, exit, entry;

	pin = read_ctl(true_ctls ? MSR_IA32_VMX_TRUE_PINBASED_CTLS : MSR_IA32_VMX_PINBASED_CTLS);
	cpu = read_ctl(true_ctls ? MSR_IA32_VMX_TRUE_PROCBASED_CTLS : MSR_IA32_VMX_PROCBASED_CTLS);
	exit = read_ctl(true_ctls ? MSR_IA32_VMX_TRUE_EXIT_CTLS : MSR_IA32_VMX_EXIT_CTLS);
	entry = read_ctl(true_ctls ? MSR_IA32_VMX_TRUE_ENTRY_CTLS : MSR_IA32_VMX_ENTRY_CTLS);

	/*
	 * External interrupts are not acknowledged by the exit: they stay pending and the host takes
	 * them by its own IDT when it enables interrupts. Posted interrupts alone want it otherwise.
	 */
	if (!choose(&pin, PIN_BASED_EXT_INTR_MASK | PIN_BASED_NMI_EXITING | PIN_BASED_VIRTUAL_NMIS,
		    0, &c->pin))
		return refuse("this CPU has no virtual NMIs");
	c->timer = w->timer && vmx_timer_usable(pin.may);
	c->posted = w->posted && vmx_posted_usable(pin.may, exit.may);
	if (!choose(&cpu, CPU_BASED_USE_TSC_OFFSETTING | CPU_BASED_UNCOND_IO_EXITING |
		    CPU_BASED_USE_MSR_BITMAPS | CPU_BASED_RDPMC_EXITING |
		    CPU_BASED_ACTIVATE_SECONDARY_CONTROLS,
		    c->tpr_shadow ? CPU_BASED_TPR_SHADOW : 0, &c->cpu))
		return refuse("this CPU has no secondary VMX controls");
	c->tpr_shadow = c->cpu & CPU_BASED_TPR_SHADOW;
	c->mtf = cpu.may & CPU_BASED_MONITOR_TRAP_FLAG;
	if (c->cpu & (CPU_BASED_CR3_LOAD_EXITING | CPU_BASED_CR3_STORE_EXITING |
		      CPU_BASED_INVLPG_EXITING))
		return refuse("this CPU cannot run guests without exits for CR3");
	c->perf_atomic = exit.may & VM_EXIT_LOAD_IA32_PERF_GLOBAL_CTRL &&
			 entry.may & VM_ENTRY_LOAD_IA32_PERF_GLOBAL_CTRL && perf_switches_global_ctrl();
	if (!choose(&exit, VM_EXIT_HOST_ADDR_SPACE_SIZE | VM_EXIT_SAVE_DEBUG_CONTROLS |
		    VM_EXIT_SAVE_IA32_PAT | VM_EXIT_LOAD_IA32_PAT | VM_EXIT_SAVE_IA32_EFER |
		    VM_EXIT_LOAD_IA32_EFER,
		    VM_EXIT_PT_CONCEAL_PIP | (c->perf_atomic ? VM_EXIT_LOAD_IA32_PERF_GLOBAL_CTRL : 0),
		    &c->exit) ||
	    !choose(&entry, VM_ENTRY_LOAD_DEBUG_CONTROLS | VM_ENTRY_LOAD_IA32_PAT |
		    VM_ENTRY_LOAD_IA32_EFER,
		    VM_ENTRY_PT_CONCEAL_PIP | (c->perf_atomic ? VM_ENTRY_LOAD_IA32_PERF_GLOBAL_CTRL : 0),
		    &c->entry))
		return refuse("VMX of this CPU does not switch PAT and EFER");
	return true;
}

static bool caps_secondary(struct vmx_caps *c, const struct vmx_wants *w)
{
	struct vmx_ctl cpu2 = read_ctl(MSR_IA32_VMX_PROCBASED_CTLS2);

	if (!(cpu2.may & SECONDARY_EXEC_ENABLE_EPT))
		return refuse("this CPU has no EPT");
	if (!(cpu2.may & SECONDARY_EXEC_UNRESTRICTED_GUEST))
		return refuse("this CPU has no unrestricted guests");
	if (!(cpu2.may & SECONDARY_EXEC_ENABLE_VPID))
		return refuse("this CPU has no VPIDs");
	if (!w->tsc_scaling)
		cpu2.may &= ~SECONDARY_EXEC_TSC_SCALING;
	if (!w->ple)
		cpu2.may &= ~SECONDARY_EXEC_PAUSE_LOOP_EXITING;
	c->cpu2_may = cpu2.may;
	c->cpu2 = cpu2.must | SECONDARY_EXEC_ENABLE_EPT | SECONDARY_EXEC_UNRESTRICTED_GUEST;
	/* ENCLS of a guest would be the host's; it and concealment cost nothing. */
	c->cpu2 |= cpu2.may & (SECONDARY_EXEC_ENCLS_EXITING | SECONDARY_EXEC_PT_CONCEAL_VMX |
			       SECONDARY_EXEC_WBINVD_EXITING | SECONDARY_EXEC_TSC_SCALING);
	c->tsc_scaling = c->cpu2 & SECONDARY_EXEC_TSC_SCALING;
	c->ple = cpu2.may & SECONDARY_EXEC_PAUSE_LOOP_EXITING;
	return true;
}

static bool caps_ept(struct vmx_caps *c, const struct vmx_wants *w)
{
	u64 cap;

	rdmsrq(MSR_IA32_VMX_EPT_VPID_CAP, cap);
	if (!(cap & EPT_WALK_4) || !(cap & EPT_WB) || !(cap & EPT_2M))
		return refuse("EPT of this CPU lacks 4 levels, write-back tables or 2M pages");
	if (!(cap & EPT_INVEPT) || !(cap & EPT_INVEPT_GLOBAL))
		return refuse("this CPU has no INVEPT");
	c->invept = cap & EPT_INVEPT_CONTEXT ? VMX_EPT_EXTENT_CONTEXT : VMX_EPT_EXTENT_GLOBAL;
	c->invvpid_gva = cap & VPID_INVVPID && cap & VPID_INVVPID_GVA;
	c->ept_ad = w->ept_ad && cap & EPT_AD;
	c->ept_1g = cap & EPT_1G;
	c->ept_exec_only = cap & EPT_EXEC_ONLY;
	/* The CPU logs what sets a D bit. */
	c->pml = w->pml && c->ept_ad && c->cpu2_may & SECONDARY_EXEC_ENABLE_PML;
	/* More than 48 bits of address exist only where the CPU has them. */
	c->ept_5level = cap & EPT_WALK_5 && boot_cpu_data.x86_phys_bits > 48;
	return true;
}

static void caps_fixed_bits(struct vmx_caps *c)
{
	u64 val;

	rdmsrq(MSR_IA32_VMX_CR0_FIXED0, val);
	c->cr0_fixed = val & ~(u64)(X86_CR0_PE | X86_CR0_PG);	/* unrestricted guest */
	rdmsrq(MSR_IA32_VMX_CR4_FIXED0, c->cr4_fixed);
	rdmsrq(MSR_IA32_VMX_CR4_FIXED1, c->cr4_may);
}

static void caps_speculation(struct vmx_caps *c)
{
	u32 max, ebx, ecx, edx, edx2 = 0, unused;

	c->spec_ctrl = boot_cpu_has(X86_FEATURE_MSR_SPEC_CTRL);
	cpuid_count(7, 0, &max, &ebx, &ecx, &edx);
	if (max >= 2)
		cpuid_count(7, 2, &unused, &ebx, &ecx, &edx2);
	/* The CPU's own word: a bit that it lacks faults when an entry loads it (CPUID.7). */
	c->spec_ctrl_bits = (edx & BIT(26) ? SPEC_CTRL_IBRS : 0) |
			    (edx & BIT(27) ? SPEC_CTRL_STIBP : 0) |
			    (edx & BIT(31) ? SPEC_CTRL_SSBD : 0) |
			    (edx2 & BIT(0) ? BIT(7) : 0) |			/* PSFD */
			    (edx2 & BIT(1) ? GENMASK(4, 3) : 0) |		/* IPRED */
			    (edx2 & BIT(2) ? GENMASK(6, 5) : 0) |		/* RRSBA */
			    (edx2 & BIT(4) ? BIT(10) : 0);			/* BHI_DIS_S */
}

static bool params_possible(const struct vmx_wants *w)
{
	if (w->ept && w->vpid && w->unrestricted && w->vnmi)
		return true;
	pr_err("kvm_intel: Keel cannot do without EPT, VPID, unrestricted guest and virtual NMIs\n");
	return false;
}

int __init vmx_caps_init(const struct vmx_wants *w)
{
	struct vmx_caps *c = &vmx_caps;
	u64 basic;

	if (!params_possible(w))
		return -EINVAL;
	if (!vmx_usable())
		return -EOPNOTSUPP;
	rdmsrq(MSR_IA32_VMX_BASIC, basic);
	if (BASIC_SIZE(basic) > PAGE_SIZE) {
		pr_err("kvm_intel: the VMCS of this CPU has more than a page\n");
		return -EOPNOTSUPP;
	}
	c->revision = basic & GENMASK(30, 0);
	c->tpr_shadow = w->tpr_shadow;
	if (!caps_controls(c, w, basic & BASIC_TRUE_CTLS) || !caps_secondary(c, w) || !caps_ept(c, w))
		return -EOPNOTSUPP;
	c->apicv = w->apicv && vmx_apicv_usable(c);
	c->posted &= c->apicv;
	if (c->posted)
		c->exit |= VM_EXIT_ACK_INTR_ON_EXIT;
	caps_fixed_bits(c);
	c->perf = boot_cpu_has(X86_FEATURE_ARCH_PERFMON);
	c->tsc_aux = boot_cpu_has(X86_FEATURE_RDTSCP) || boot_cpu_has(X86_FEATURE_RDPID);
	caps_speculation(c);
	return 0;
}

void vmx_caps_fill(struct vendor_caps *caps)
{
	const struct vmx_caps *c = &vmx_caps;

	caps->trace_isa = 1;	/* KVM_ISA_VMX of trace.h */
	caps->nrip = false;
	caps->tsc_scaling = c->tsc_scaling;
	caps->tsc_frac_bits = VMX_TSC_FRAC_BITS;
	caps->tsc_max_ratio = ~0ull;
	caps->guest_timer = c->timer;
	caps->pdpte_registers = true;
	caps->long_mode_wants_tss32 = true;	/* SDM 2B, MOV to control registers */
	caps->stage2_levels = c->ept_5level ? 5 : 4;
	caps->stage2_1g = c->ept_1g;
	caps->stage2_exec_only = c->ept_exec_only;
	caps->stage2_ad = c->ept_ad;
	caps->stage2_format = MMU_FMT_EPT;
	caps->hw_apicv = c->apicv;
	caps->dirty_log_batch = c->pml ? VMX_PML_ENTRIES : 0;
	caps->hypercall_op = HYPERCALL_VMCALL;
}
