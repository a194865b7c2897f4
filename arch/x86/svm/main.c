// SPDX-License-Identifier: GPL-2.0-only
/* kvm-amd.ko: AMD-V as a vendor of Keel. */
#include <linux/init.h>
#include <linux/module.h>
#include <asm/cpu_device_id.h>
#include "virt/compat/compat.h"
#include "arch/x86/svm/svm.h"

/* Names and meanings are those that tools know from the kernel's own module. */
static bool npt = true;
module_param(npt, bool, 0444);
MODULE_PARM_DESC(npt, "Nested paging: always on, the module does not load with 0");

static bool avic;
module_param(avic, bool, 0444);
MODULE_PARM_DESC(avic, "Virtual interrupt controller: not used yet, always N");

static int nested;
module_param(nested, int, 0444);
MODULE_PARM_DESC(nested, "SVM for guests: not offered yet, always 0");

static int vgif = 1;
module_param(vgif, int, 0444);
MODULE_PARM_DESC(vgif, "Use the virtual global interrupt flag if the CPU has it");

static int nrips = 1;
module_param(nrips, int, 0444);
MODULE_PARM_DESC(nrips, "Use the next RIP that the CPU saves if it does");

unsigned short svm_ple_count = 3000;
module_param_named(pause_filter_count, svm_ple_count, ushort, 0444);
MODULE_PARM_DESC(pause_filter_count, "PAUSEs in a loop before an exit; 0: never");

unsigned short svm_ple_threshold = 128;
module_param_named(pause_filter_thresh, svm_ple_threshold, ushort, 0444);
MODULE_PARM_DESC(pause_filter_thresh, "Cycles between PAUSEs that count as one loop");

unsigned short svm_ple_grow = 2;
module_param_named(pause_filter_count_grow, svm_ple_grow, ushort, 0444);
MODULE_PARM_DESC(pause_filter_count_grow, "Factor for pause_filter_count after each such exit");

unsigned short svm_ple_shrink;
module_param_named(pause_filter_count_shrink, svm_ple_shrink, ushort, 0444);
MODULE_PARM_DESC(pause_filter_count_shrink, "Divisor for it when the vCPU is loaded; 0: start anew");

unsigned short svm_ple_max = USHRT_MAX;
module_param_named(pause_filter_count_max, svm_ple_max, ushort, 0444);
MODULE_PARM_DESC(pause_filter_count_max, "Limit of the growth");

bool svm_dump_invalid;
module_param_named(dump_invalid_vmcb, svm_dump_invalid, bool, 0644);
MODULE_PARM_DESC(dump_invalid_vmcb, "Log the control block that the CPU refused to run");

static struct vendor_ops svm_ops = {
	.name		= "AMD-V",
	.owner		= THIS_MODULE,
	.vm_size	= sizeof(struct svm_vm),
	.vcpu_size	= sizeof(struct svm_vcpu),
	.ext		= KEEL_VIRT_SVM,

#define X(op) .op = svm_##op,
	VENDOR_OPS(X)
#undef X
};

static int __init params_check(void)
{
	if (!npt) {
		pr_err("kvm_amd: Keel has no shadow paging: npt=0 is not possible\n");
		return -EINVAL;
	}
	if (avic)
		pr_info("kvm_amd: AVIC is not supported yet\n");
	if (nested)
		pr_info("kvm_amd: nested virtualisation is not supported yet\n");
	avic = false;
	nested = 0;
	return svm_caps_init(nrips, vgif);
}

static int __init svm_init(void)
{
	int ret = params_check();

	if (ret)
		return ret;
	vgif = svm_caps.vgif;
	nrips = svm_caps.nrips;
	if (!svm_caps.pause_filter)
		svm_ple_count = svm_ple_threshold = 0;
	svm_caps_fill(&svm_ops.caps);

	ret = svm_bitmaps_alloc();
	if (ret)
		return ret;
	ret = svm_cpus_alloc();
	if (ret)
		goto no_cpus;
	ret = keel_vendor_register(&svm_ops);
	if (ret)
		goto no_vendor;
	return 0;

no_vendor:
	svm_cpus_free();
no_cpus:
	svm_bitmaps_free();
	return ret;
}
module_init(svm_init);

static void __exit svm_exit(void)
{
	keel_vendor_unregister(&svm_ops);
	svm_cpus_free();
	svm_bitmaps_free();
}
module_exit(svm_exit);

static const struct x86_cpu_id svm_cpu_ids[] = {
	X86_MATCH_FEATURE(X86_FEATURE_SVM, NULL),
	{}
};
MODULE_DEVICE_TABLE(x86cpu, svm_cpu_ids);

MODULE_AUTHOR("Keel");
MODULE_DESCRIPTION("Keel: AMD-V");
MODULE_VERSION(KEEL_VERSION);
MODULE_LICENSE("GPL");
KEEL_IMPORT;
