// SPDX-License-Identifier: GPL-2.0-only
/* Keep every CPU busy with arithmetic whose result is known. */
#include <stdatomic.h>
#include <stdlib.h>

#include "ktest.h"

#define ROUNDS 20000
#define MAX_CPUS 64

static uint64_t end_ns;
static atomic_ulong blocks;
static atomic_ulong wrong;
static unsigned long per_cpu[MAX_CPUS];

/* xorshift64*: every bit of the result depends on every round before it. */
static uint64_t block(void)
{
	static volatile uint64_t seed = 88172645463325252ull;	/* or it is computed once */
	uint64_t x = seed;

	for (int i = 0; i < ROUNDS; i++) {
		x ^= x >> 12;
		x ^= x << 25;
		x ^= x >> 27;
		x *= 2685821657736338717ull;
	}
	return x;
}

static void *worker(void *arg)
{
	long cpu = (long)arg;
	uint64_t expect = block();

	while (now_ns() < end_ns) {
		if (block() != expect)
			wrong++;
		blocks++;
		per_cpu[cpu]++;
	}
	return NULL;
}

int test_burn(int argc, char **argv)
{
	int seconds = argc > 1 ? atoi(argv[1]) : 2;
	int n = cpu_count();

	if (n > MAX_CPUS)
		n = MAX_CPUS;
	end_ns = now_ns() + seconds * 1000000000ull;
	if (run_threads(n, worker))
		return verdict(KT_FAIL, "no threads");
	for (int i = 0; i < n; i++)
		if (!per_cpu[i])
			return verdict(KT_FAIL, "CPU %d did no work", i);
	if (wrong)
		return verdict(KT_FAIL, "%lu of %lu blocks wrong", wrong, blocks);
	return verdict(KT_OK, "%lu blocks on %d CPUs", blocks, n);
}
