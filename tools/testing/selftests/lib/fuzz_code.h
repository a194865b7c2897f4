/* SPDX-License-Identifier: GPL-2.0-only */
/* Random guest programs: pieces of code of a fixed size, each followed by INT 81h. */
#ifndef FUZZ_CODE_H
#define FUZZ_CODE_H

#include <stdbool.h>
#include "fuzz.h"

#define PIECE_SIZE	64u
#define PIECE_END	0x81	/* vector of the interrupt that ends it */

/* Where a program finds what it is to disturb, as guest-physical addresses that are mapped there. */
#define AT_SCRATCH	0x5000u
#define AT_TABLES	0x10000u	/* page tables of all modes */
#define NR_TABLES	7u
#define AT_HOLE		0xa0000u	/* device memory */
#define AT_ROM		0xc0000u	/* a read-only slot */
#define AT_EDGE		0x200000u	/* memory ends here */
#define AT_GDT		0x2000u
#define AT_IDT		0x3000u		/* two of them, for 64 and 32 bits */

/* MSRs that KVM_GET_MSR_INDEX_LIST names; more are built in. */
struct fuzz_msrs {
	unsigned int nr;
	uint32_t index[256];
};

/* A piece for code of @bits: 16, 32 or 64. */
void fuzz_piece(struct rng *r, uint8_t piece[PIECE_SIZE], unsigned int bits,
		const struct fuzz_msrs *msrs);

#endif
