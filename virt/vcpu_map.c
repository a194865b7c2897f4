// SPDX-License-Identifier: GPL-2.0-only
/*
 * The mapping of a vCPU fd: kvm_run, the port I/O page, the coalesced ring, the dirty ring.
 * Each page is mapped at its first touch, so they can be mapped apart.
 *
 * The fault handler runs under mmap_lock: it takes no lock of the VM.
 */
#include <linux/mm.h>
#include <keel/coalesced.h>
#include <keel/vm.h>
#include <keel/vcpu.h>
#include "virt/compat/compat.h"

static struct page *page_at(struct vcpu *vcpu, pgoff_t pgoff)
{
	switch (pgoff) {
	case 0:
		return vcpu->run_page;
	case KVM_PIO_PAGE_OFFSET:
		return vcpu->pio_page;
	case KVM_COALESCED_MMIO_PAGE_OFFSET:
		return coalesced_page(vcpu->vm);
	default:
		return dirty_ring_page(vcpu, pgoff);
	}
}

static vm_fault_t vcpu_fault(struct vm_fault *vmf)
{
	struct vcpu *vcpu = vmf->vma->vm_file->private_data;
	struct page *page = page_at(vcpu, vmf->pgoff);

	if (!page)
		return VM_FAULT_SIGBUS;
	get_page(page);
	vmf->page = page;
	return 0;
}

static const struct vm_operations_struct vcpu_vm_ops = {
	.fault = vcpu_fault,
};

int vcpu_mmap(struct file *filp, struct vm_area_struct *vma)
{
	/* The ring is data that both sides write. */
	if (dirty_ring_in_range(filp->private_data, vma->vm_pgoff, vma_pages(vma)) &&
	    (vma->vm_flags & (VM_SHARED | VM_EXEC)) != VM_SHARED)
		return -EINVAL;
	vma->vm_ops = &vcpu_vm_ops;
	return 0;
}
