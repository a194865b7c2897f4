// SPDX-License-Identifier: GPL-2.0-only
/* Life of the tables: the format, one root per (VM, address space), the vCPU's part. */
#include <linux/mem_encrypt.h>
#include <asm/processor.h>
#include "arch/x86/mmu/internal.h"

int mmu_module_init(void)
{
	const struct vendor_caps *caps = &keel_vendor.caps;

	nx_huge_module_init();
	return s2e_select(caps->stage2_format, caps->stage2_ad, sme_me_mask) ? 0 : -EINVAL;
}

gfn_t mmu_gfn_limit(const struct vm_mmu *mmu)
{
	unsigned int bits = min_t(unsigned int, level_shift(mmu->levels + 1),
				  boot_cpu_data.x86_phys_bits);

	return 1ull << (bits - 12);
}

int mmu_vm_init(struct x86_vm *vm)
{
	struct vm_mmu *mmu = &vm->mmu;
	const struct vendor_caps *caps = &keel_vendor.caps;

	mmu->levels = clamp_t(int, caps->stage2_levels, 4, S2_MAX_LEVELS);
	mmu->max_level = caps->stage2_1g ? 3 : 2;
	spin_lock_init(&mmu->free_lock);
	INIT_LIST_HEAD(&mmu->unlinked);
	INIT_LIST_HEAD(&mmu->flushed);
	nx_huge_vm_init(mmu);
	INIT_WORK(&mmu->free_work, tables_free_work);
	return 0;
}

void mmu_vm_destroy(struct x86_vm *vm)
{
	struct vm_mmu *mmu = &vm->mmu;
	unsigned int as;

	/* No vCPU is left: this flushes nothing, and frees all but the roots. */
	arch_mmu_zap_all(&vm->vm);
	flush_work(&mmu->free_work);
	for (as = 0; as < KEEL_ADDRESS_SPACES; as++) {
		if (mmu->root[as])
			table_free(mmu->root[as]);
		mmu->root[as] = NULL;
	}
	mmu_apic_page_free(mmu);
	flush_proof_end(&vm->vm);
}

int mmu_vcpu_init(struct x86_vcpu *vcpu)
{
	vcpu_request(&vcpu->v, REQ_MMU_ROOT);
	return flush_proof_vcpu_init(vcpu);
}

void mmu_vcpu_destroy(struct x86_vcpu *vcpu)
{
	u64 *table;

	while ((table = table_cache_take(vcpu)))
		table_free(table);
	flush_proof_vcpu_destroy(vcpu);
}

u64 *s2_root_get(struct vm_mmu *mmu, unsigned int as)
{
	u64 *root = s2_root(mmu, as), *theirs;

	if (root)
		return root;
	root = table_alloc();
	if (!root)
		return NULL;
	theirs = cmpxchg(&mmu->root[as], NULL, root);
	if (!theirs)
		return root;
	table_free(root);
	return theirs;
}

int mmu_load_root(struct x86_vcpu *vcpu)
{
	struct vm_mmu *mmu = vm_mmu(vcpu->v.vm);
	u64 *root = s2_root_get(mmu, arch_vcpu_as(&vcpu->v));

	if (!root)
		return -ENOMEM;
	vendor_call(set_stage2_root)(vcpu, __sme_set(virt_to_phys(root)), mmu->levels);
	return 0;
}
