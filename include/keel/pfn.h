/* SPDX-License-Identifier: GPL-2.0-only */
/* From an address of the VMM to the host page behind it. */
#ifndef KEEL_PFN_H
#define KEEL_PFN_H

#include <keel/types.h>

struct mm_struct;
struct page;

struct host_page {
	hfn_t		pfn;
	struct page	*page;		/* referenced; NULL for VM_PFNMAP */
	bool		writable;
};

/*
 * hva_to_host_page - current->mm's page at @hva, brought in if need be. May
 * sleep; no spinlock held. The caller has sampled the invalidate sequence
 * first. 0, -EFAULT (no mapping, no right), -EHWPOISON, -EINTR (a signal while it waited for the
 * page; before 6.2 a fatal one), -EAGAIN (retry). On 0 release with host_page_put() after installing.
 */
int hva_to_host_page(hva_t hva, bool write, struct host_page *hp);
void host_page_put(struct host_page *hp);
/*
 * host_page_dirty - a guest may write to @page from now on. Under mmu_lock, with the retry rule's check
 * passed: the page of a file that was cleaned meanwhile must not be dirty behind its file's back.
 */
void host_page_dirty(struct page *page);

/*
 * host_map_order - order in 4K pages (0, 9, 18) of the host mapping at @hva as it is now. Walks
 * mm's page tables with interrupts off, which keeps them only on a CPU that uses the mm: call it in the
 * VMM's own threads, or under mmu_lock held for write with a leaf present there, which no zap of
 * that address has passed. A hint: use it only if notifier_retry() for the whole mapping says that
 * nothing changed since before the call.
 */
unsigned int host_map_order(struct mm_struct *mm, hva_t hva);

#endif
