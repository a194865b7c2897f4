/* SPDX-License-Identifier: GPL-2.0-only */
/* The fuzzer's bytes as a tape: read from front to back, zeros after its end. */
#ifndef FUZZ_INPUT_H
#define FUZZ_INPUT_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

struct input {
	const uint8_t *p, *end;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static inline uint64_t get(struct input *in, unsigned int bytes)
{
	uint64_t v = 0;

	while (bytes-- && in->p < in->end)
		v = v << 8 | *in->p++;
	return v;
}

static inline int more(const struct input *in)
{
	return in->p < in->end;
}

/* What must hold. A failure is a crash for the fuzzer, which keeps the input. */
#define must(cond)							\
do {									\
	if (!(cond)) {							\
		fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #cond); \
		abort();						\
	}								\
} while (0)

#endif
