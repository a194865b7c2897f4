// SPDX-License-Identifier: GPL-2.0-only
/* The table of tests, and what they share. */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "ktest.h"

#define MAX_THREADS 512

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
} tests[] = {
	{ "burn", test_burn },
	{ "fpu", test_fpu },
	{ "signals", test_signals },
	{ "warp", test_warp },
	{ "time", test_time },
	{ "fetch", test_fetch },
	{ "sleep", test_sleep },
	{ "pit", test_pit },
	{ "rtc", test_rtc },
	{ "ticks", test_ticks },
	{ "work", test_work },
	{ "fill", test_fill },
	{ "verify", test_verify },
};

int verdict(int code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
	return code;
}

uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ull + ts.tv_nsec;
}

int cpu_count(void)
{
	return sysconf(_SC_NPROCESSORS_ONLN);
}

void pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

struct start {
	void *(*fn)(void *arg);
	long index;
};

static void *thread(void *arg)
{
	struct start *s = arg;

	pin(s->index % cpu_count());
	return s->fn((void *)s->index);
}

int run_threads(int n, void *(*fn)(void *))
{
	static struct start starts[MAX_THREADS];
	pthread_t ids[MAX_THREADS];
	int i, started = 0, err = 0;

	for (i = 0; i < n && i < MAX_THREADS && !err; i++) {
		starts[i] = (struct start){ fn, i };
		err = pthread_create(&ids[i], NULL, thread, &starts[i]);
		started += !err;
	}
	for (i = 0; i < started; i++)
		pthread_join(ids[i], NULL);
	return err;
}

int main(int argc, char **argv)
{
	for (size_t i = 0; argc > 1 && i < sizeof(tests) / sizeof(*tests); i++)
		if (!strcmp(argv[1], tests[i].name))
			return tests[i].run(argc - 1, argv + 1);
	return verdict(KT_FAIL, "no such test");
}
