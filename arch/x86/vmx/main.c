// SPDX-License-Identifier: GPL-2.0-only
/* kvm-intel.ko: VT-x as a vendor of Keel. */
#include <linux/init.h>
#include <linux/module.h>
#include <asm/cpu_device_id.h>
#include "virt/compat/compat.h"
#include "arch/x86/vmx/vmx.h"

/* Names and meanings are those that tools know from the kernel's own module. */
static struct vmx_wants want = {
	.ept = true, .vpid = true, .unrestricted = true, .vnmi = true, .ept_ad = true,
	.tpr_shadow = true, .tsc_scaling = true, .ple = true, .timer = true,
	.pml = true,
};

module_param_named(ept, want.ept, bool, 0444);
MODULE_PARM_DESC(ept, "Nested paging: always on, the module does not load with 0");
module_param_named(vpid, want.vpid, bool, 0444);
MODULE_PARM_DESC(vpid, "TLB tags: always on, the module does not load with 0");
module_param_named(unrestricted_guest, want.unrestricted, bool, 0444);
MODULE_PARM_DESC(unrestricted_guest, "Real mode in hardware: always on, the module does not load with 0");
module_param_named(vnmi, want.vnmi, bool, 0444);
MODULE_PARM_DESC(vnmi, "Virtual NMIs: always on, the module does not load with 0");
module_param_named(eptad, want.ept_ad, bool, 0444);
MODULE_PARM_DESC(eptad, "Accessed and dirty bits in EPT if the CPU has them");
module_param_named(flexpriority, want.tpr_shadow, bool, 0444);
MODULE_PARM_DESC(flexpriority, "CR8 without exits if the CPU can (TPR shadow)");
module_param_named(tsc_scaling, want.tsc_scaling, bool, 0444);
MODULE_PARM_DESC(tsc_scaling, "TSC scaling if the CPU has it");

module_param_named(preemption_timer, want.timer, bool, 0444);
MODULE_PARM_DESC(preemption_timer, "The CPU's countdown as the APIC timer while the guest runs");

module_param_named(pml, want.pml, bool, 0444);
MODULE_PARM_DESC(pml, "The dirty log by the CPU's page-modification logging; needs eptad");

module_param_named(enable_apicv, want.apicv, bool, 0444);
MODULE_PARM_DESC(enable_apicv, "The CPU keeps the guest's APIC registers and delivers its interrupts");

module_param_named(posted_interrupts, want.posted, bool, 0444);
MODULE_PARM_DESC(posted_interrupts, "For debugging, never run on hardware yet: the CPU takes interrupts of others without an exit; needs enable_apicv");

static int nested;
module_param(nested, int, 0444);
MODULE_PARM_DESC(nested, "VMX for guests: not offered yet, always 0");

unsigned int vmx_ple_gap = 128;
module_param_named(ple_gap, vmx_ple_gap, uint, 0444);
MODULE_PARM_DESC(ple_gap, "TSC ticks between PAUSEs that count as one loop; 0: never exit");

unsigned int vmx_ple_window = 4096;
module_param_named(ple_window, vmx_ple_window, uint, 0444);
MODULE_PARM_DESC(ple_window, "TSC ticks of a loop before an exit");

unsigned int vmx_ple_grow = 2;
module_param_named(ple_window_grow, vmx_ple_grow, uint, 0444);
MODULE_PARM_DESC(ple_window_grow, "Factor for ple_window after each such exit");

unsigned int vmx_ple_shrink;
module_param_named(ple_window_shrink, vmx_ple_shrink, uint, 0444);
MODULE_PARM_DESC(ple_window_shrink, "Divisor for it when the vCPU is loaded; 0: start anew");

unsigned int vmx_ple_max = UINT_MAX;
module_param_named(ple_window_max, vmx_ple_max, uint, 0444);
MODULE_PARM_DESC(ple_window_max, "Limit of the growth");

bool vmx_dump_invalid;
module_param_named(dump_invalid_vmcs, vmx_dump_invalid, bool, 0644);
MODULE_PARM_DESC(dump_invalid_vmcs, "Log the control structure that the CPU refused to run");

static struct vendor_ops vmx_ops = {
	.name		= "VT-x",
	.owner		= THIS_MODULE,
	.vm_size	= sizeof(struct vmx_vm),
	.vcpu_size	= sizeof(struct vmx_vcpu),
	.ext		= KEEL_VIRT_VMX,
	.emergency	= vmcs_clear_all_emergency,

#define X(op) .op = vmx_##op,
	VENDOR_OPS(X)
	VENDOR_OPT_OPS(X)
#undef X
};

static int __init params_check(void)
{
	int ret;

	if (nested)
		pr_info("kvm_intel: nested virtualisation is not supported yet\n");
	nested = 0;
	want.ple = vmx_ple_gap;
	ret = vmx_caps_init(&want);
	if (ret)
		return ret;
	want.ept_ad = vmx_caps.ept_ad;
	want.tpr_shadow = vmx_caps.tpr_shadow;
	want.tsc_scaling = vmx_caps.tsc_scaling;
	want.timer = vmx_caps.timer;
	want.pml = vmx_caps.pml;
	want.apicv = vmx_caps.apicv;
	want.posted = vmx_caps.posted;
	if (!vmx_caps.ple)
		vmx_ple_gap = 0;
	return 0;
}

static int __init vmx_init(void)
{
	int ret = params_check();

	if (ret)
		return ret;
	vmx_caps_fill(&vmx_ops.caps);
	vmcs_cpus_init();

	ret = vmx_bitmaps_alloc();
	if (ret)
		return ret;
	ret = vmx_l1d_init();
	if (ret)
		goto no_l1d;
	ret = keel_vendor_register(&vmx_ops);
	if (ret)
		goto no_vendor;
	return 0;

no_vendor:
	vmx_l1d_exit();
no_l1d:
	vmx_bitmaps_free();
	return ret;
}
module_init(vmx_init);

static void __exit vmx_exit(void)
{
	keel_vendor_unregister(&vmx_ops);
	vmx_l1d_exit();
	vmx_bitmaps_free();
}
module_exit(vmx_exit);

static const struct x86_cpu_id vmx_cpu_ids[] = {
	X86_MATCH_FEATURE(X86_FEATURE_VMX, NULL),
	{}
};
MODULE_DEVICE_TABLE(x86cpu, vmx_cpu_ids);

MODULE_AUTHOR("Keel");
MODULE_DESCRIPTION("Keel: VT-x");
MODULE_VERSION(KEEL_VERSION);
MODULE_LICENSE("GPL");
KEEL_IMPORT;
