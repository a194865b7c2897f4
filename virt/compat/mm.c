// SPDX-License-Identifier: GPL-2.0-only
/* Host memory without struct pages. */
#include "virt/compat/compat.h"

#ifdef HAVE_FOLLOW_PFNMAP

static int follow_once(struct vm_area_struct *vma, unsigned long addr, unsigned long *pfn,
		       bool *writable)
{
	struct follow_pfnmap_args args = { .vma = vma, .address = addr };
	int r;

	r = follow_pfnmap_start(&args);
	if (r)
		return r;
	*pfn = args.pfn;
	*writable = args.writable;
	follow_pfnmap_end(&args);
	return 0;
}

#else

static int follow_once(struct vm_area_struct *vma, unsigned long addr, unsigned long *pfn,
		       bool *writable)
{
	spinlock_t *ptl;
	pte_t *ptep, pte;
	int r;

	r = follow_pte(vma->vm_mm, addr, &ptep, &ptl);
	if (r)
		return r;
	__acquire(ptl);	/* sparse cannot see it */
	pte = *ptep;
	*pfn = pte_pfn(pte);
	*writable = pte_write(pte);
	pte_unmap_unlock(ptep, ptl);
	return 0;
}

#endif

int keel_follow_pfnmap(struct vm_area_struct *vma, unsigned long addr, bool write,
		       unsigned long *pfn, bool *writable)
{
	unsigned long frame;
	bool w, unlocked = false;
	int r;

	r = follow_once(vma, addr, &frame, &w);
	if (r || (write && !w)) {
		/* Device mappings may be filled on demand: let their fault handler have a go. */
		r = fixup_user_fault(vma->vm_mm, addr, write ? FAULT_FLAG_WRITE : 0, &unlocked);
		if (unlocked)
			return -EAGAIN;
		if (r)
			return -EFAULT;
		r = follow_once(vma, addr, &frame, &w);
		if (r || (write && !w))
			return -EFAULT;
	}
	*pfn = frame;
	*writable = w;
	return 0;
}
