/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The VM's mmu_notifier: what the host does to the VMM's mappings reaches the
 * stage-2 tables here. The retry rule: sample seq, get the page, take
 * mmu_lock, and install only if notifier_retry() says no.
 */
#ifndef KEEL_NOTIFIER_H
#define KEEL_NOTIFIER_H

#include <linux/mmu_notifier.h>
#include <keel/types.h>

struct vm;

struct vm_notifier {
	struct mmu_notifier	mn;
	unsigned long		seq;		/* bumped by each invalidate end, mmu_lock */
	long			in_progress;	/* starts not yet ended, mmu_lock */
	hva_t			start, end;	/* union of the ranges in progress, mmu_lock */
	bool			registered;
};

/* Takes mmap_lock of vm->mm for write. 0, -ENOMEM or -EINTR. */
int notifier_register(struct vm *vm);
/* When it returns no callback runs any more. Waits for those that do; sleeps. */
void notifier_unregister(struct vm *vm);

/* Everything is mapped anew, also what a fault is about to install. Takes mmu_lock. */
void notifier_zap_all(struct vm *vm);

/* Sample for the retry rule, with the barrier it needs. No lock. */
unsigned long notifier_seq(struct vm *vm);
/* True if a page got since @seq for [@start, @end) may be stale. mmu_lock held, read is enough. */
bool notifier_retry(struct vm *vm, unsigned long seq, hva_t start, hva_t end);

#endif
