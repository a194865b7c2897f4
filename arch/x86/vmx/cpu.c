// SPDX-License-Identifier: GPL-2.0-only
/* VMX operation of each physical CPU. */
#include <asm/msr-index.h>
#include "virt/compat/compat.h"
#include "virt/compat/compat_x86.h"
#include "virt/compat/virt_ownership.h"
#include "arch/x86/vmx/vmx.h"

DEFINE_PER_CPU(struct vmx_cpu, vmx_cpu);

int vmx_cpu_enable(void)
{
	struct vmx_cpu *c = this_cpu_ptr(&vmx_cpu);
	int ret = keel_virt_cpu_get();

	if (ret)
		return ret;
	if (vmx_caps.tsc_aux)
		rdmsrq(MSR_TSC_AUX, c->tsc_aux);
	vmx_host_msrs_init(c);
	/* What the TLB holds of an earlier time is unknown. */
	vmx_tlb_flush_cpu();
	c->on = true;
	return 0;
}

void vmx_cpu_disable(void)
{
	vmcs_clear_all();
	this_cpu_write(vmx_cpu.on, false);
	keel_virt_cpu_put();
}
