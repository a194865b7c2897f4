// SPDX-License-Identifier: GPL-2.0-only
/* Lifetimes of the vendor's part of VM and vCPU, and loading on a CPU. */
#include <linux/gfp.h>
#include <linux/mm.h>
#include <asm/debugreg.h>
#include <asm/processor-flags.h>
#include <asm/trapnr.h>
#include "virt/compat/compat.h"
#include "virt/compat/compat_x86.h"
#include "arch/x86/vmx/vmx.h"

#define DR7_EMPTY	0x400

int vmx_vm_init(struct x86_vm *vm)
{
	return 0;
}

void vmx_vm_destroy(struct x86_vm *vm)
{
}

int vmx_vcpu_init(struct x86_vcpu *vcpu)
{
	struct vmx_vcpu *vmx = to_vmx(vcpu);
	int ret = vmcs_alloc(&vmx->vmcs);

	if (ret)
		return ret;
	if (vmx_caps.tpr_shadow) {
		vmx->vapic = (void *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
		if (!vmx->vapic) {
			vmcs_free(&vmx->vmcs);
			return -ENOMEM;
		}
	}
	if (vmx_pml_alloc(vmx)) {
		free_page((unsigned long)vmx->vapic);
		vmcs_free(&vmx->vmcs);
		return -ENOMEM;
	}
	if (vmx_caps.posted)
		vcpu->apic.lapic.pir = vmx->posted.pir;
	vmx_vpid_get(vmx);
	vmx->entry.spec.sw = vmx_caps.spec_ctrl;
	vmx->last_cpu = -1;
	vmx->dr6 = DR6_RESERVED;
	vmx->tsc_mult = 1ull << VMX_TSC_FRAC_BITS;
	vmx->ple_window = vmx_ple_window;
	return 0;
}

void vmx_vcpu_destroy(struct x86_vcpu *vcpu)
{
	struct vmx_vcpu *vmx = to_vmx(vcpu);

	vmcs_free(&vmx->vmcs);
	vmx_vpid_put(vmx);
	vmx_msr_bitmap_free(vmx);
	free_page((unsigned long)vmx->vapic);
	vmx_pml_free(vmx);
}

/* What stays as it is for the life of a vCPU, and controls that nothing else sets. The vCPU is loaded. */
static void vmcs_init(struct vmx_vcpu *vmx)
{
	memset(vmx->ctl, 0xff, sizeof(vmx->ctl));
	vmx->pin_base = vmx_caps.pin;
	vmx_set_ctl(vmx, VC_PIN, vmx->pin_base);
	vmx_set_ctl(vmx, VC_EXIT, vmx_caps.exit);
	vmx_set_ctl(vmx, VC_ENTRY, vmx_caps.entry);
	vmcs_write(PAGE_FAULT_ERROR_CODE_MASK, 0);
	vmcs_write(PAGE_FAULT_ERROR_CODE_MATCH, 0);
	vmcs_write(CR3_TARGET_COUNT, 0);
	vmcs_write(VM_EXIT_MSR_STORE_COUNT, 0);
	vmcs_write(VM_EXIT_MSR_LOAD_COUNT, 0);
	vmcs_write(VM_ENTRY_MSR_LOAD_COUNT, 0);
	vmcs_write(VMCS_LINK_POINTER, ~0ul);
	vmcs_write(VIRTUAL_PROCESSOR_ID, vmx->vpid);
	if (vmx_caps.tpr_shadow) {
		vmcs_write(VIRTUAL_APIC_PAGE_ADDR, virt_to_phys(vmx->vapic));
		vmcs_write(TPR_THRESHOLD, 0);
	}
	if (vmx_caps.cpu2_may & VMX_XSAVES)
		vmcs_write(XSS_EXIT_BITMAP, 0);
	if (vmx_caps.cpu2 & SECONDARY_EXEC_ENCLS_EXITING)
		vmcs_write(ENCLS_EXITING_BITMAP, ~0ul);
	if (vmx_caps.ple) {
		vmcs_write(PLE_GAP, vmx_ple_gap);
		vmcs_write(PLE_WINDOW, vmx->ple_window);
	}
	if (vmx_caps.tsc_scaling)
		vmcs_write(TSC_MULTIPLIER, vmx->tsc_mult);
	vmx_pml_init(vmx);
	vmx_apicv_init(vmx);
	vmx_posted_init(vmx);
	vmcs_write(TSC_OFFSET, 0);
	vmcs_write(GUEST_IA32_DEBUGCTL, 0);
	vmcs_write(GUEST_DR7, DR7_EMPTY);
	if (vmx_caps.perf_atomic) {
		vmcs_write(GUEST_IA32_PERF_GLOBAL_CTRL, 0);
		vmcs_write(HOST_IA32_PERF_GLOBAL_CTRL, 0);
	}
	vmx_host_init(vmx);
}

void vmx_vcpu_reset(struct x86_vcpu *vcpu, bool init)
{
	struct vmx_vcpu *vmx = to_vmx(vcpu);

	if (!init)
		vmcs_init(vmx);
	vmx_events_reset(vmx);
}

/* The vCPU was off the CPU: what pause exits have grown starts anew, or shrinks. */
static void shrink_ple_window(struct vmx_vcpu *vmx)
{
	unsigned int window = vmx_ple_shrink ? vmx->ple_window / vmx_ple_shrink : 0;

	vmx->ple_window = max(window, vmx_ple_window);
	vmcs_write(PLE_WINDOW, vmx->ple_window);
}

void vmx_load(struct x86_vcpu *vcpu, int cpu)
{
	struct vmx_vcpu *vmx = to_vmx(vcpu);

	vmcs_load(&vmx->vmcs, cpu);
	vmx->l1d_dirty = true;
	if (unlikely(vmx->ple_window > vmx_ple_window))
		shrink_ple_window(vmx);
}

void vmx_set_tsc(struct x86_vcpu *vcpu, u64 offset, u64 ratio)
{
	struct vmx_vcpu *vmx = to_vmx(vcpu);

	vmcs_write(TSC_OFFSET, offset);
	ratio = ratio ?: 1ull << VMX_TSC_FRAC_BITS;
	if (vmx->tsc_mult == ratio)
		return;
	vmx->tsc_mult = ratio;
	vmcs_write(TSC_MULTIPLIER, ratio);
}

void vmx_set_dr7(struct x86_vcpu *vcpu, u64 dr7)
{
	vmcs_write(GUEST_DR7, dr7);
}

/* DR6 is in no VMCS: the register holds the guest's only while it is lent. */
void vmx_set_dr6(struct x86_vcpu *vcpu, u64 dr6)
{
	to_vmx(vcpu)->dr6 = dr6;
}

/* The guest had them since the last entry; interrupts off. The host wants its DR6 clean. */
void vmx_sync_debug_regs(struct x86_vcpu *vcpu)
{
	vcpu->debug.dr6 = to_vmx(vcpu)->dr6;
	set_debugreg(DR6_RESERVED, 6);
	vcpu->debug.dr7 = vmcs_read(GUEST_DR7);
}

/* Bits that VMX cannot run with; VMXE is set behind the guest's back and not for it (SDM 3C 24.8). */
bool vmx_cr4_valid(struct x86_vcpu *vcpu, u64 cr4)
{
	return !(cr4 & X86_CR4_VMXE) && !(cr4 & ~vmx_caps.cr4_may);
}

/* Nothing but controls depends on CPUID, and those the caller recomputes. */
void vmx_cpuid_changed(struct x86_vcpu *vcpu)
{
}
