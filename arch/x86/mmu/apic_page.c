// SPDX-License-Identifier: GPL-2.0-only
/*
 * The APIC-access page (SDM 3C 30.4): a page of the VM's own, in no slot, mapped at the usual place of the
 * local APIC's registers so that the CPU knows an access by its address. Nothing is ever in it. It is freed
 * when the tables are gone.
 */
#include <linux/gfp.h>
#include "virt/compat/compat.h"
#include "arch/x86/mmu/internal.h"

int mmu_apic_page_alloc(struct x86_vm *vm)
{
	struct vm_mmu *mmu = &vm->mmu;
	struct page *page;

	if (!vm->irqchip.domain.posting || READ_ONCE(mmu->apic_page))
		return 0;
	page = alloc_page(GFP_KERNEL_ACCOUNT | __GFP_ZERO);
	if (!page)
		return -ENOMEM;
	/* vCPUs may be created side by side. */
	if (cmpxchg(&mmu->apic_page, NULL, page))
		__free_page(page);
	return 0;
}

void mmu_apic_page_free(struct vm_mmu *mmu)
{
	if (mmu->apic_page)
		__free_page(mmu->apic_page);
	mmu->apic_page = NULL;
}

hpa_t keel_apic_page(struct x86_vm *vm)
{
	return vm->mmu.apic_page ? page_to_phys(vm->mmu.apic_page) : 0;
}
KEEL_EXPORT(keel_apic_page);

bool mmu_apic_page_map(struct x86_vcpu *vcpu, gfn_t gfn)
{
	struct vm *vm = vcpu->v.vm;
	struct vm_mmu *mmu = vm_mmu(vm);
	struct map_request r = {
		.gfn = gfn, .level = 1,
		.rights = { .write = true },
	};
	enum map_result done = MAP_RETRY;

	if (!mmu->apic_page || READ_ONCE(mmu->apic_page_off) ||
	    table_cache_fill(vcpu, MMU_CACHE_TABLES))
		return false;
	r.pfn = page_to_pfn(mmu->apic_page);
	read_lock(&vm->mmu_lock);
	/* Read under the lock: whoever sets it zaps afterwards. */
	if (!READ_ONCE(mmu->apic_page_off))
		done = s2_map(vcpu, s2_root(mmu, arch_vcpu_as(&vcpu->v)), &r);
	read_unlock(&vm->mmu_lock);
	return done == MAP_DONE || done == MAP_SPURIOUS;
}

void mmu_apic_page_off(struct x86_vm *x)
{
	struct vm *vm = &x->vm;
	bool flush = false;
	unsigned int as;

	if (READ_ONCE(x->mmu.apic_page_off))
		return;
	write_lock(&vm->mmu_lock);
	WRITE_ONCE(x->mmu.apic_page_off, true);
	for (as = 0; as < KEEL_ADDRESS_SPACES; as++)
		flush |= s2_zap(vm, as, APIC_ACCESS_GFN, APIC_ACCESS_GFN + 1);
	if (flush)
		arch_flush_tlbs(vm);
	mmu_write_unlock(vm);
}
