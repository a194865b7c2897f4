// SPDX-License-Identifier: GPL-2.0-only
/*
 * ASIDs and TLB flushes (APM 2 15.16). Each CPU hands out its ASIDs in turn; when
 * they are used up a new generation starts with a flush of all. A vCPU keeps its
 * ASID while it stays on one CPU. Where the CPU cannot flush one ASID, the vCPU just takes
 * a new one: nothing can hit what was cached under the old.
 */
#include <linux/preempt.h>
#include <asm/asm.h>
#include "virt/compat/compat.h"
#include "arch/x86/svm/svm.h"

static void new_asid(struct svm_vcpu *svm, struct svm_cpu *cpu)
{
	struct svm_vmcb_control *c = &svm->vmcb->control;

	if (cpu->next_asid >= svm_caps.nr_asids) {
		cpu->asid_gen++;
		cpu->next_asid = 1;	/* 0 is the host */
		c->tlb_control = VMCB_TLB_FLUSH_ALL;
	}
	c->asid = cpu->next_asid++;
	svm->asid_gen = cpu->asid_gen;
	svm_touch(svm, CLEAN_ASID);
	mmu_tlb_fresh(&svm->x);
}

static void flush_asid(struct svm_vcpu *svm, struct svm_cpu *cpu)
{
	if (!svm_caps.flush_by_asid) {
		new_asid(svm, cpu);
		return;
	}
	svm->vmcb->control.tlb_control = VMCB_TLB_FLUSH_ASID;
	mmu_tlb_fresh(&svm->x);
}

/* Before each entry, interrupts off. */
void svm_asid_prepare(struct svm_vcpu *svm)
{
	struct svm_cpu *cpu = this_cpu_ptr(&svm_cpu);

	if (unlikely(svm->asid_gen != cpu->asid_gen))
		new_asid(svm, cpu);
	else if (unlikely(svm->flush))
		flush_asid(svm, cpu);
	svm->flush = false;
}

/*
 * The CPU refused the entry; the manual does not say whether it had flushed by then. What was to be
 * flushed is not used any more, and a new generation, on which all others on this CPU rely, begins again.
 */
void svm_asid_entry_failed(struct svm_vcpu *svm)
{
	struct svm_vmcb_control *c = &svm->vmcb->control;

	if (c->tlb_control == VMCB_TLB_FLUSH_ALL)
		this_cpu_write(svm_cpu.next_asid, svm_caps.nr_asids);
	svm->asid_gen = 0;
	c->tlb_control = VMCB_TLB_NOTHING;
}

void svm_flush_tlb(struct x86_vcpu *vcpu)
{
	to_svm(vcpu)->flush = true;
}

/* #UD when SVM was taken from this CPU for a reboot: then there is nothing to drop. */
static void svm_invlpga(gva_t gva, u32 asid)
{
	asm volatile("1: invlpga %%rax, %%ecx\n"
		     "2:\n"
		     _ASM_EXTABLE(1b, 2b)
		     : : "a" (gva), "c" (asid) : "memory");
}

/*
 * INVLPGA drops guest translations of one address (APM 2 15.16.2). Only this CPU can hold any: on a
 * move the vCPU gets a new ASID.
 */
void svm_flush_gva(struct x86_vcpu *vcpu, gva_t gva)
{
	struct svm_vcpu *svm = to_svm(vcpu);

	preempt_disable();
	if (svm->last_cpu == smp_processor_id() && svm->asid_gen &&
	    svm->asid_gen == this_cpu_read(svm_cpu.asid_gen))
		svm_invlpga(gva, svm->vmcb->control.asid);
	else
		svm->flush = true;	/* the next entry may be on the CPU that it was on before */
	preempt_enable();
}
