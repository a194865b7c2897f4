// SPDX-License-Identifier: GPL-2.0-only
/* Clocks: no step back across CPUs, no early wake-up. */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "ktest.h"

static pthread_spinlock_t lock;
static uint64_t end_ns, last_ns, reads, backwards, worst;

/* What one CPU has read under the lock, no other may later read less. */
static void *reader(void *arg)
{
	uint64_t t;

	(void)arg;
	do {
		pthread_spin_lock(&lock);
		t = now_ns();
		if (t < last_ns) {
			backwards++;
			if (last_ns - t > worst)
				worst = last_ns - t;
		} else {
			last_ns = t;
		}
		reads++;
		pthread_spin_unlock(&lock);
	} while (t < end_ns);
	return NULL;
}

int test_warp(int argc, char **argv)
{
	int seconds = argc > 1 ? atoi(argv[1]) : 2;

	pthread_spin_init(&lock, PTHREAD_PROCESS_PRIVATE);
	end_ns = now_ns() + seconds * 1000000000ull;
	if (run_threads(cpu_count(), reader))
		return verdict(KT_FAIL, "no threads");
	if (backwards)
		return verdict(KT_FAIL, "%lu of %lu reads went back, by up to %lu ns",
			       backwards, reads, worst);
	return verdict(KT_OK, "%lu reads on %d CPUs", reads, cpu_count());
}

int test_time(int argc, char **argv)
{
	int lines = argc > 1 ? atoi(argv[1]) : 1;
	char line[80];

	/* The asker takes the time before and after: the answer must be quick. */
	while (lines-- > 0 && fgets(line, sizeof(line), stdin)) {
		printf("KT: clock %lu\n", now_ns());
		fflush(stdout);
	}
	return KT_OK;
}

int test_sleep(int argc, char **argv)
{
	int seconds = argc > 1 ? atoi(argv[1]) : 2;
	uint64_t end = now_ns() + seconds * 1000000000ull, most = 0;
	unsigned int n = 0;

	while (now_ns() < end) {
		uint64_t want = 100000ull << (n % 10), start = now_ns(), took;
		struct timespec ts = { 0, want };

		clock_nanosleep(CLOCK_MONOTONIC, 0, &ts, NULL);
		took = now_ns() - start;
		if (took < want)
			return verdict(KT_FAIL, "slept %lu ns of %lu", took, want);
		if (took - want > most)
			most = took - want;
		n++;
	}
	/* Whole seconds late: a wake-up was lost and something else came by. */
	if (most > 5000000000ull)
		return verdict(KT_FAIL, "a sleep took %lu ms too long", most / 1000000);
	return verdict(KT_OK, "%u sleeps, at most %lu us late", n, most / 1000);
}
