// SPDX-License-Identifier: GPL-2.0-only
/*
 * Runs a libFuzzer target without libFuzzer: a bounded number of random inputs, or the files
 * named on the command line (to reproduce a finding). The seed is fixed: a failure repeats.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int run_file(const char *name)
{
	static uint8_t buf[65536];
	FILE *f = fopen(name, "rb");
	size_t n;

	if (!f) {
		perror(name);
		return 1;
	}
	n = fread(buf, 1, sizeof(buf), f);
	fclose(f);
	LLVMFuzzerTestOneInput(buf, n);
	return 0;
}

int main(int argc, char **argv)
{
	const char *env = getenv("FUZZ_RUNS");
	long runs = env ? atol(env) : 300000, i;
	uint64_t x = 0x9e3779b97f4a7c15ull;
	uint8_t buf[128];
	size_t n, k;

	for (i = 1; i < argc; i++)
		if (run_file(argv[i]))
			return 1;
	if (argc > 1)
		return 0;
	for (i = 0; i < runs; i++) {
		for (k = 0; k < sizeof(buf); k++) {
			x ^= x << 13;
			x ^= x >> 7;
			x ^= x << 17;
			buf[k] = x >> 24;
		}
		n = x % (sizeof(buf) + 1);
		LLVMFuzzerTestOneInput(buf, n);
	}
	printf("ok 1 - %ld random inputs\n1..1\n", runs);
	return 0;
}
