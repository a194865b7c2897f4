/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Address types. gva: guest virtual, gpa: guest physical, hva: address in the
 * VMM's mm, hpa: host physical; g/h + fn: the same in units of 4 KiB frames.
 */
#ifndef KEEL_TYPES_H
#define KEEL_TYPES_H

#include <linux/types.h>

typedef unsigned long	gva_t;
typedef u64		gpa_t;
typedef u64		gfn_t;
typedef unsigned long	hva_t;
typedef u64		hpa_t;
typedef u64		hfn_t;

#define INVALID_GPA	(~(gpa_t)0)
#define INVALID_HPA	(~(hpa_t)0)
#define INVALID_HVA	(~(hva_t)0)

static inline gfn_t gpa_to_gfn(gpa_t gpa)
{
	return gpa >> 12;
}

static inline gpa_t gfn_to_gpa(gfn_t gfn)
{
	return gfn << 12;
}

#endif
