// SPDX-License-Identifier: GPL-2.0-only
/* How large a page may be mapped. */
#include <keel/pfn.h>
#include "arch/x86/mmu/internal.h"

/* The page of @level around @gfn lies within the slot, and frame and page are aligned alike. */
static bool level_fits(const struct memslot *slot, gfn_t gfn, hfn_t pfn, int level)
{
	u64 mask = level_frames(level) - 1;
	gfn_t first = gfn & ~mask;

	return first >= slot->base_gfn && first + mask < slot->base_gfn + slot->npages &&
	       (gfn & mask) == (pfn & mask);
}

int s2_map_level(struct vm *vm, const struct memslot *slot, gfn_t gfn, hfn_t pfn)
{
	int level = vm_mmu(vm)->max_level, host;

	/* The dirty log wants each page on its own. */
	if (memslot_logged(slot))
		return 1;
	while (level > 1 && !level_fits(slot, gfn, pfn, level))
		level--;
	if (level == 1)
		return 1;
	host = host_map_order(vm->mm, memslot_hva(slot, gfn)) / 9 + 1;
	return min(level, host);
}
