// SPDX-License-Identifier: GPL-2.0-only
/* What this machine's AMD-V offers (APM 2 15.4, APM 3 E.4.9). */
#include <linux/cpu.h>
#include <linux/printk.h>
#include <asm/cpufeature.h>
#include <asm/processor.h>
#include "virt/compat/compat.h"
#include "virt/compat/compat_x86.h"
#include "arch/x86/mmu/pte.h"
#include "arch/x86/hypercall.h"
#include "arch/x86/svm/svm.h"

#define SVM_LEAF	0x8000000a
#define VM_CR_SVMDIS	BIT(4)

struct svm_caps svm_caps __ro_after_init;

static bool svm_usable(void)
{
	u64 vm_cr;

	if (!boot_cpu_has(X86_FEATURE_SVM)) {
		pr_err("kvm_amd: this CPU has no SVM\n");
		return false;
	}
	if (!rdmsrq_safe(MSR_VM_CR, &vm_cr) && vm_cr & VM_CR_SVMDIS) {
		pr_err("kvm_amd: SVM is disabled by the firmware; enable it in its setup\n");
		return false;
	}
	if (!boot_cpu_has(X86_FEATURE_NPT)) {
		pr_err("kvm_amd: this CPU has no nested paging, which Keel needs\n");
		return false;
	}
	return true;
}

static void caps_speculation(struct svm_caps *c)
{
	u32 ebx;

	c->spec_ctrl = boot_cpu_has(X86_FEATURE_MSR_SPEC_CTRL);
	c->v_spec_ctrl = c->spec_ctrl && boot_cpu_has(X86_FEATURE_V_SPEC_CTRL);
	c->virt_ssbd = boot_cpu_has(X86_FEATURE_LS_CFG_SSBD) ||
		       boot_cpu_has(X86_FEATURE_VIRT_SSBD);
	/* The CPU's own word: a bit that it lacks faults when an entry loads it. APM 3 E.4.7. */
	ebx = cpuid_ebx(0x80000008);
	c->spec_ctrl_bits = (ebx & BIT(14) ? SPEC_CTRL_IBRS : 0) |
			    (ebx & BIT(15) ? SPEC_CTRL_STIBP : 0) |
			    (ebx & BIT(24) ? SPEC_CTRL_SSBD : 0) |
			    (ebx & BIT(28) ? BIT(7) : 0);	/* PSFD */
}

int svm_caps_init(bool want_nrips, bool want_vgif)
{
	struct svm_caps *c = &svm_caps;
	u32 eax, ebx, ecx, edx;

	if (!svm_usable())
		return -EOPNOTSUPP;
	cpuid(SVM_LEAF, &eax, &ebx, &ecx, &edx);
	if (ebx < 2) {
		pr_err("kvm_amd: this CPU offers no ASIDs\n");
		return -EOPNOTSUPP;
	}
	c->nr_asids = ebx;
	c->clean_mask = boot_cpu_has(X86_FEATURE_VMCBCLEAN) ? CLEAN_ALL : 0;
	c->nrips = want_nrips && boot_cpu_has(X86_FEATURE_NRIPS);
	c->decode_assists = boot_cpu_has(X86_FEATURE_DECODEASSISTS);
	c->flush_by_asid = boot_cpu_has(X86_FEATURE_FLUSHBYASID);
	c->pause_filter = boot_cpu_has(X86_FEATURE_PAUSEFILTER);
	c->pause_threshold = c->pause_filter && boot_cpu_has(X86_FEATURE_PFTHRESHOLD);
	c->tsc_ratio = boot_cpu_has(X86_FEATURE_TSCRATEMSR);
	c->vgif = want_vgif && boot_cpu_has(X86_FEATURE_VGIF);
	c->lbrv = boot_cpu_has(X86_FEATURE_LBRV);
	c->invpcid = boot_cpu_has(X86_FEATURE_INVPCID);
	c->rdpru = boot_cpu_has(X86_FEATURE_RDPRU);
	c->tsc_aux = boot_cpu_has(X86_FEATURE_RDTSCP) || boot_cpu_has(X86_FEATURE_RDPID);
	caps_speculation(c);
	return 0;
}

void svm_caps_fill(struct vendor_caps *caps)
{
	const struct svm_caps *c = &svm_caps;

	caps->trace_isa = 2;	/* KVM_ISA_SVM of trace.h */
	caps->nrip = c->nrips;
	caps->state_in_memory = true;
	caps->tsc_scaling = c->tsc_ratio;
	caps->tsc_frac_bits = 32;
	caps->tsc_max_ratio = SVM_TSC_RATIO_LIMIT;
	caps->gif_virtual = c->vgif;
	/* The nested table is walked in the mode of the host's own paging (APM 2 15.25.3). */
	caps->stage2_levels = __read_cr4() & X86_CR4_LA57 ? 5 : 4;
	caps->stage2_1g = boot_cpu_has(X86_FEATURE_GBPAGES);
	caps->stage2_exec_only = false;
	caps->stage2_ad = true;
	caps->stage2_format = MMU_FMT_NPT;
	caps->hypercall_op = HYPERCALL_VMMCALL;
	caps->reads_zero = true;
}
