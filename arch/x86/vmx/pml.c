// SPDX-License-Identifier: GPL-2.0-only
/*
 * Page-modification logging (SDM 3C 29.3.6): when a write sets the D bit of an EPT entry the CPU notes the
 * guest-physical address in a page, from its last entry down, and exits when that is full. The page is
 * emptied by every exit, with interrupts off: whoever makes a vCPU leave the guest and waits for it finds the
 * log complete.
 */
#include <linux/gfp.h>
#include "virt/compat/compat.h"
#include "arch/x86/vmx/vmx.h"

#define NR_ENTRIES	VMX_PML_ENTRIES

static_assert(NR_ENTRIES * sizeof(u64) == PAGE_SIZE);

int vmx_pml_alloc(struct vmx_vcpu *vmx)
{
	if (!vmx_caps.pml)
		return 0;
	vmx->pml = (void *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	return vmx->pml ? 0 : -ENOMEM;
}

void vmx_pml_free(struct vmx_vcpu *vmx)
{
	free_page((unsigned long)vmx->pml);
	vmx->pml = NULL;
}

/* The vCPU is loaded. */
void vmx_pml_init(struct vmx_vcpu *vmx)
{
	if (!vmx->pml)
		return;
	vmcs_write(PML_ADDRESS, virt_to_phys(vmx->pml));
	vmcs_write(GUEST_PML_INDEX, NR_ENTRIES - 1);
}

/* The index is that of the next entry, and out of range when there is none. */
void vmx_pml_empty(struct vmx_vcpu *vmx)
{
	u16 index = vmcs_read(GUEST_PML_INDEX);
	unsigned int first = index < NR_ENTRIES ? index + 1 : 0;

	if (first == NR_ENTRIES)
		return;
	keel_log_writes(&vmx->x, vmx->pml + first, NR_ENTRIES - first);
	vmcs_write(GUEST_PML_INDEX, NR_ENTRIES - 1);
}

/* The page is empty by now. The write that did not fit runs once more. */
verdict_t vmx_exit_pml_full(struct x86_vcpu *vcpu)
{
	vmx_reblock_nmis(to_vmx(vcpu), vcpu->exit.info1);
	return VERDICT_RESUME;
}
