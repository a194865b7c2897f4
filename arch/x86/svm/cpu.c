// SPDX-License-Identifier: GPL-2.0-only
/* SVM of each physical CPU: turning it on and off, and the pages it needs. */
#include <linux/cpumask.h>
#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/topology.h>
#include <asm/msr-index.h>
#include <asm/perf_event.h>
#include "virt/compat/compat.h"
#include "virt/compat/compat_x86.h"
#include "virt/compat/virt_ownership.h"
#include "arch/x86/svm/svm.h"

DEFINE_PER_CPU(struct svm_cpu, svm_cpu);

void svm_cpus_free(void)
{
	int cpu;

	for_each_possible_cpu(cpu) {
		struct svm_cpu *c = per_cpu_ptr(&svm_cpu, cpu);

		if (c->hsave)
			__free_page(c->hsave);
		if (c->host)
			__free_page(c->host);
		c->hsave = NULL;
		c->host = NULL;
	}
}

int svm_cpus_alloc(void)
{
	int cpu;

	for_each_possible_cpu(cpu) {
		struct svm_cpu *c = per_cpu_ptr(&svm_cpu, cpu);
		int node = cpu_to_node(cpu);

		c->hsave = alloc_pages_node(node, GFP_KERNEL | __GFP_ZERO, 0);
		c->host = alloc_pages_node(node, GFP_KERNEL | __GFP_ZERO, 0);
		if (!c->hsave || !c->host) {
			svm_cpus_free();
			return -ENOMEM;
		}
		c->host_pa = svm_pa(page_address(c->host));
	}
	return 0;
}

int svm_cpu_enable(void)
{
	struct svm_cpu *c = this_cpu_ptr(&svm_cpu);
	int ret = keel_virt_cpu_get();

	if (ret)
		return ret;
	wrmsrq(MSR_VM_HSAVE_PA, svm_pa(page_address(c->hsave)));

	/* What the TLB holds of an earlier time is unknown: the first entry starts with a full flush. */
	c->asid_gen++;
	c->next_asid = svm_caps.nr_asids;
	if (svm_caps.tsc_ratio) {
		c->tsc_ratio = SVM_TSC_RATIO_ONE;
		wrmsrq(MSR_AMD64_TSC_RATIO, SVM_TSC_RATIO_ONE);
	}
	if (svm_caps.tsc_aux)
		rdmsrq(MSR_TSC_AUX, c->tsc_aux);
	keel_svm_mitigations(true);
	/* Host-only counters count with SVM on, and not before: perf keeps that bit from them. */
	amd_pmu_enable_virt();
	return 0;
}

void svm_cpu_disable(void)
{
	struct svm_cpu *c = this_cpu_ptr(&svm_cpu);

	amd_pmu_disable_virt();
	keel_svm_mitigations(false);
	if (svm_caps.tsc_ratio && c->tsc_ratio != SVM_TSC_RATIO_ONE) {
		c->tsc_ratio = SVM_TSC_RATIO_ONE;
		wrmsrq(MSR_AMD64_TSC_RATIO, SVM_TSC_RATIO_ONE);
	}
	keel_virt_cpu_put();
}
