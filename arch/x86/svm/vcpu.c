// SPDX-License-Identifier: GPL-2.0-only
/* Lifetimes of the vendor's part of VM and vCPU, and loading on a CPU. */
#include <linux/gfp.h>
#include <linux/mm.h>
#include <asm/trapnr.h>
#include <asm/processor-flags.h>
#include "virt/compat/compat.h"
#include "virt/compat/compat_x86.h"
#include "arch/x86/svm/svm.h"

int svm_vm_init(struct x86_vm *vm)
{
	return 0;
}

void svm_vm_destroy(struct x86_vm *vm)
{
}

int svm_vcpu_init(struct x86_vcpu *vcpu)
{
	struct svm_vcpu *svm = to_svm(vcpu);

	svm->vmcb = (void *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	if (!svm->vmcb)
		return -ENOMEM;
	svm->entry.vmcb_pa = svm_pa(svm->vmcb);
	svm->entry.spec.sw = svm_caps.spec_ctrl && !svm_caps.v_spec_ctrl;
	svm->last_cpu = -1;
	svm->tsc_ratio = SVM_TSC_RATIO_ONE;
	svm_vmcb_init(svm);
	if (svm_caps.pause_filter) {
		svm->vmcb->control.pause_filter_count = svm_ple_count;
		svm->vmcb->control.pause_filter_threshold =
			svm_caps.pause_threshold ? svm_ple_threshold : 0;
	}
	return 0;
}

void svm_vcpu_destroy(struct x86_vcpu *vcpu)
{
	struct svm_vcpu *svm = to_svm(vcpu);

	svm_msrpm_free(svm);
	free_page((unsigned long)svm->vmcb);
}

void svm_vcpu_reset(struct x86_vcpu *vcpu, bool init)
{
	struct svm_vcpu *svm = to_svm(vcpu);

	svm_events_reset(svm);
	if (!init)
		svm->virt_spec_ctrl = 0;
	svm->vmcb->control.clean = 0;
}

/* Everything is switched late, in prepare. */
void svm_load(struct x86_vcpu *vcpu, int cpu)
{
}

void svm_set_stage2_root(struct x86_vcpu *vcpu, hpa_t root, int levels)
{
	struct svm_vcpu *svm = to_svm(vcpu);

	if (svm->vmcb->control.nested_cr3 == root)
		return;
	svm->vmcb->control.nested_cr3 = root;
	svm_touch(svm, CLEAN_NP);
	/* Translations are tagged with the ASID alone, not with the table they came from. */
	svm->flush = true;
}

void svm_set_tsc(struct x86_vcpu *vcpu, u64 offset, u64 ratio)
{
	struct svm_vcpu *svm = to_svm(vcpu);

	svm->vmcb->control.tsc_offset = offset;
	svm_touch(svm, CLEAN_INTERCEPTS);
	ratio = ratio ?: SVM_TSC_RATIO_ONE;
	if (svm->tsc_ratio == ratio)
		return;
	svm->tsc_ratio = ratio;
	/* The MSR follows at the next entry. */
	preempt_disable();
	svm_put(vcpu);
	preempt_enable();
}

void svm_set_dr7(struct x86_vcpu *vcpu, u64 dr7)
{
	struct svm_vcpu *svm = to_svm(vcpu);

	svm->vmcb->save.dr7 = dr7;
	svm_touch(svm, CLEAN_DR);
}

/*
 * But for when it is lent, the guest's DR6 is not in the hardware: accesses exit, and each #DB is
 * intercepted and reports its causes in a register that was clean before.
 */
void svm_set_dr6(struct x86_vcpu *vcpu, u64 dr6)
{
	struct svm_vcpu *svm = to_svm(vcpu);

	svm->vmcb->save.dr6 = dr6;
	svm_touch(svm, CLEAN_DR);
}

/* While they are lent to the guest, its DR6 is: with a #DB the causes of it are among the bits. */
void svm_sync_debug_regs(struct x86_vcpu *vcpu)
{
	struct svm_vmcb_save *s = &to_svm(vcpu)->vmcb->save;

	vcpu->debug.dr6 = s->dr6;
	vcpu->debug.dr7 = s->dr7;
	set_debugreg(DR6_RESERVED, 6);
	if (vcpu->exit.reason != SVM_EXIT_EXCP_BASE + X86_TRAP_DB)
		svm_set_dr6(vcpu, DR6_RESERVED);
}

/* VMXE is the other vendor's, and an #GP here (APM 2 3.1.3). */
bool svm_cr4_valid(struct x86_vcpu *vcpu, u64 cr4)
{
	return !(cr4 & X86_CR4_VMXE);
}

/* Nothing but intercepts depends on CPUID, and those the caller recomputes. */
void svm_cpuid_changed(struct x86_vcpu *vcpu)
{
}
