// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a guest could read of the host through faults of the CPU, removed before an entry: L1 data cache (L1TF,
 * Documentation/admin-guide/hw-vuln/l1tf.rst) and, where only MMIO is concerned, fill buffers. What goes for
 * every entry is in vmenter.S.
 */
#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/string.h>
#include <asm/cpufeature.h>
#include <asm/hardirq.h>
#include <asm/msr-index.h>
#include <asm/processor.h>
#include "virt/compat/compat.h"
#include "virt/compat/compat_x86.h"
#include "arch/x86/vmx/vmx.h"

#define L1D_ORDER	4	/* 64 KiB: larger than any L1 */
#define L1D_SIZE	(PAGE_SIZE << L1D_ORDER)

enum l1d_flush { L1D_NEVER, L1D_COND, L1D_ALWAYS };

static const char * const mode_names[] = { "never", "cond", "always" };
static char *param = "auto";
module_param_named(vmentry_l1d_flush, param, charp, 0444);
MODULE_PARM_DESC(vmentry_l1d_flush, "Flush L1D at entries: never, cond, always, auto");

static enum l1d_flush mode __ro_after_init;
static u8 *fill;	/* to read instead, where no command flushes */

/* By this CPU, which may be told that the hypervisor below does it. */
static bool flush_needed(void)
{
	u64 cap = 0;

	if (!boot_cpu_has_bug(X86_BUG_L1TF))
		return false;
	if (boot_cpu_has(X86_FEATURE_ARCH_CAPABILITIES))
		rdmsrq(MSR_IA32_ARCH_CAPABILITIES, cap);
	return !(cap & ARCH_CAP_SKIP_VMENTRY_L1DFLUSH);
}

static enum l1d_flush mode_of_host(void)
{
	switch (l1tf_mitigation) {
	case L1TF_MITIGATION_OFF:
		return L1D_NEVER;
	case L1TF_MITIGATION_FULL:
	case L1TF_MITIGATION_FULL_FORCE:
		return L1D_ALWAYS;
	default:
		return L1D_COND;
	}
}

/* For /sys/devices/system/cpu/vulnerabilities/l1tf. */
static void tell_kernel(bool needed)
{
	static const enum vmx_l1d_flush_state state[] = {
		VMENTER_L1D_FLUSH_NEVER, VMENTER_L1D_FLUSH_COND, VMENTER_L1D_FLUSH_ALWAYS,
	};

	l1tf_vmx_mitigation = needed ? state[mode] : VMENTER_L1D_FLUSH_NOT_REQUIRED;
}

int vmx_l1d_init(void)
{
	int i = match_string(mode_names, ARRAY_SIZE(mode_names), param);
	bool needed = flush_needed();

	mode = i >= 0 ? i : needed ? mode_of_host() : L1D_NEVER;
	if (mode != L1D_NEVER && !boot_cpu_has(X86_FEATURE_FLUSH_L1D)) {
		struct page *page = alloc_pages(GFP_KERNEL | __GFP_ZERO, L1D_ORDER);

		if (!page)
			return -ENOMEM;
		fill = page_address(page);
		/* Different pages of zeroes are one to the host's page merging, and to L1. */
		for (i = 0; i < 1 << L1D_ORDER; i++)
			memset(fill + i * PAGE_SIZE, i + 1, PAGE_SIZE);
	}
	tell_kernel(needed);
	return 0;
}

void vmx_l1d_exit(void)
{
	if (fill)
		free_pages((unsigned long)fill, L1D_ORDER);
	fill = NULL;
	l1tf_vmx_mitigation = VMENTER_L1D_FLUSH_AUTO;
}

/* Interrupts handled since the last flush leave data too: the kernel notes that. */
static bool flush_wanted(struct vmx_vcpu *vmx)
{
	bool dirty = vmx->l1d_dirty | kvm_get_cpu_l1tf_flush_l1d();

	vmx->l1d_dirty = false;
	kvm_clear_cpu_l1tf_flush_l1d();
	return dirty || mode == L1D_ALWAYS;
}

static void flush_l1d(void)
{
	unsigned int i;

	if (boot_cpu_has(X86_FEATURE_FLUSH_L1D)) {
		wrmsrq(MSR_IA32_FLUSH_CMD, L1D_FLUSH);
		return;
	}
	/* The pages' translations first, then each line. */
	for (i = 0; i < L1D_SIZE; i += PAGE_SIZE)
		(void)READ_ONCE(fill[i]);
	/* The loads below are not to be done before. */
	rmb();
	for (i = 0; i < L1D_SIZE; i += 64)
		(void)READ_ONCE(fill[i]);
	/* Nor those of the guest. */
	rmb();
}

/* Before each entry, interrupts off. */
void vmx_mitigate_entry(struct vmx_vcpu *vmx)
{
	if (mode != L1D_NEVER && flush_wanted(vmx))
		flush_l1d();
	else if (keel_mmio_stale_data())
		x86_clear_cpu_buffers();
}
