// SPDX-License-Identifier: GPL-2.0-only
/*
 * From an address of the VMM to the host page behind it: by get_user_pages, or,
 * for the frames of a device mapping (VM_PFNMAP), by following the page table.
 * What is neither is never given to a guest.
 */
#include <linux/mm.h>
#include <linux/pgtable.h>
#include <linux/sched/signal.h>
#include <keel/pfn.h>
#include "virt/compat/compat.h"

/* mmap_lock is taken again this often before the guest is let back to try again. */
#define PFNMAP_TRIES	4

static bool page_got(struct page *page, bool writable, struct host_page *hp)
{
	hp->page = page;
	hp->pfn = page_to_pfn(page);
	hp->writable = writable;
	return true;
}

/* Without locks and without faults: what is mapped now, writable if it is. */
static bool host_page_fast(hva_t hva, struct host_page *hp)
{
	struct page *page;

	return get_user_page_fast_only(hva, FOLL_WRITE, &page) && page_got(page, true, hp);
}

static int host_page_pfnmap(hva_t hva, bool write, struct host_page *hp)
{
	struct vm_area_struct *vma;
	int err = -EAGAIN, tries;
	unsigned long pfn;
	bool writable;

	mmap_read_lock(current->mm);
	for (tries = 0; err == -EAGAIN && tries < PFNMAP_TRIES; tries++) {
		vma = vma_lookup(current->mm, hva);
		/* An entry of PROT_NONE counts as present: the area says what is allowed. */
		if (!vma || !(vma->vm_flags & VM_PFNMAP) ||
		    !(vma->vm_flags & (write ? VM_WRITE : VM_READ))) {
			err = -EFAULT;
			break;
		}
		err = keel_follow_pfnmap(vma, hva, write, &pfn, &writable);
	}
	mmap_read_unlock(current->mm);
	if (err)
		return err;
	hp->page = NULL;
	hp->pfn = pfn;
	hp->writable = writable;
	return 0;
}

/* Bring the page in. */
static int host_page_slow(hva_t hva, bool write, struct host_page *hp)
{
	struct page *page;
	long got;

	got = get_user_pages_unlocked(hva, 1, &page,
				      FOLL_HWPOISON | KEEL_FOLL_INTERRUPTIBLE | KEEL_FOLL_HONOR_NUMA_FAULT |
				      (write ? FOLL_WRITE : 0));
	if (got == 1) {
		page_got(page, write, hp);
		return 0;
	}
	if (got == -EHWPOISON)
		return -EHWPOISON;
	if (got == -EINTR || fatal_signal_pending(current))
		return -EINTR;
	if (got == -EAGAIN)
		return -EAGAIN;
	return host_page_pfnmap(hva, write, hp);
}

int hva_to_host_page(hva_t hva, bool write, struct host_page *hp)
{
	struct host_page now;
	int err;

	if (host_page_fast(hva, hp))
		return 0;
	err = host_page_slow(hva, write, hp);
	if (err || write || !hp->page)
		return err;
	/* Writable already? Then the guest's first write needs no fault of its own. */
	if (host_page_fast(hva, &now)) {
		put_page(hp->page);
		*hp = now;
	}
	return 0;
}

void host_page_dirty(struct page *page)
{
	/*
	 * The flag is enough: a page whose file counts dirty pages became dirty when the host made it
	 * writable, and losing that takes a write-protection, which the notifier has not seen so far.
	 */
	if (!PageDirty(page) && !PageReserved(page))
		SetPageDirty(page);
}

void host_page_put(struct host_page *hp)
{
	if (hp->page)
		put_page(hp->page);
	hp->page = NULL;
}

unsigned int host_map_order(struct mm_struct *mm, hva_t hva)
{
	unsigned int order = 0;
	unsigned long flags;
	pgd_t pgd;
	p4d_t p4d;
	pud_t pud;
	pmd_t pmd;

	/* Tables are freed after an IPI to all CPUs that use the mm: interrupts off keeps them. */
	local_irq_save(flags);
	pgd = READ_ONCE(*pgd_offset(mm, hva));
	if (pgd_none(pgd))
		goto out;
	p4d = READ_ONCE(*p4d_offset(&pgd, hva));
	if (p4d_none(p4d) || !p4d_present(p4d))
		goto out;
	pud = READ_ONCE(*pud_offset(&p4d, hva));
	if (pud_none(pud) || !pud_present(pud))
		goto out;
	if (pud_leaf(pud)) {
		order = PUD_SHIFT - PAGE_SHIFT;
		goto out;
	}
	pmd = READ_ONCE(*pmd_offset(&pud, hva));
	if (!pmd_none(pmd) && pmd_present(pmd) && pmd_leaf(pmd))
		order = PMD_SHIFT - PAGE_SHIFT;
out:
	local_irq_restore(flags);
	return order;
}
