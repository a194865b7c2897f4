// SPDX-License-Identifier: GPL-2.0-only
/*
 * VPIDs and TLB flushes (SDM 3C 29.4). With EPT all translations of a guest are tagged with its VPID and
 * its root, and INVEPT of the root drops them for every VPID. A vCPU keeps its VPID for life;
 * on a CPU that it comes to anew its root is flushed first: what was flushed elsewhere meanwhile may
 * be left there, and so may what an earlier owner of the VPID or of the root's page had.
 */
#include <linux/bitmap.h>
#include <linux/spinlock.h>
#include <asm/processor.h>
#include "virt/compat/compat.h"
#include "arch/x86/vmx/vmx.h"

#define NR_VPIDS	(1 << 16)

static DECLARE_BITMAP(vpids, NR_VPIDS);		/* vpid_lock; 0 is the host's */
static DEFINE_SPINLOCK(vpid_lock);

void vmx_vpid_get(struct vmx_vcpu *vmx)
{
	unsigned long vpid;

	spin_lock(&vpid_lock);
	vpid = find_next_zero_bit(vpids, NR_VPIDS, 1);
	if (vpid < NR_VPIDS)
		__set_bit(vpid, vpids);
	else
		vpid = 0;	/* without: each entry and exit flushes */
	spin_unlock(&vpid_lock);
	vmx->vpid = vpid;
}

void vmx_vpid_put(struct vmx_vcpu *vmx)
{
	if (!vmx->vpid)
		return;
	spin_lock(&vpid_lock);
	__clear_bit(vmx->vpid, vpids);
	spin_unlock(&vpid_lock);
	vmx->vpid = 0;
}

/* Before each entry, interrupts off. */
void vmx_tlb_prepare(struct vmx_vcpu *vmx)
{
	int cpu = smp_processor_id();

	if (likely(!vmx->flush && vmx->last_cpu == cpu))
		return;
	vmx->flush = false;
	vmx->last_cpu = cpu;
	mmu_tlb_drop(&vmx->x);
	vmx_invept(vmx_caps.invept, vmx->eptp);
}

/* VMX operation begins on this CPU: nothing that is cached is to be used. */
void vmx_tlb_flush_cpu(void)
{
	vmx_invept(VMX_EPT_EXTENT_GLOBAL, 0);
}

/* EPTP: SDM 3C 25.6.11. Another root has other translations, but they may have become stale meanwhile. */
void vmx_set_stage2_root(struct x86_vcpu *vcpu, hpa_t root, int levels)
{
	struct vmx_vcpu *vmx = to_vmx(vcpu);
	u64 eptp = root | VMX_EPTP_MT_WB | (u64)(levels - 1) << 3 |
		   (vmx_caps.ept_ad ? VMX_EPTP_AD_ENABLE_BIT : 0);

	if (vmx->eptp == eptp)
		return;
	vmx->eptp = eptp;
	vmcs_write(EPT_POINTER, eptp);
	vmx->flush = true;
}

void vmx_flush_tlb(struct x86_vcpu *vcpu)
{
	to_vmx(vcpu)->flush = true;
}

static bool canonical(gva_t gva)
{
	unsigned int shift = 64 - boot_cpu_data.x86_virt_bits;

	return (u64)((s64)(gva << shift) >> shift) == gva;
}

/* Only this CPU can hold any: on a move all is flushed. */
void vmx_flush_gva(struct x86_vcpu *vcpu, gva_t gva)
{
	struct vmx_vcpu *vmx = to_vmx(vcpu);

	preempt_disable();
	if (vmx->last_cpu == smp_processor_id() && vmx->vpid && vmx_caps.invvpid_gva && canonical(gva))
		vmx_invvpid(VMX_VPID_EXTENT_INDIVIDUAL_ADDR, vmx->vpid, gva);
	else
		vmx->flush = true;	/* the next entry may be on the CPU that it was on before */
	preempt_enable();
}
