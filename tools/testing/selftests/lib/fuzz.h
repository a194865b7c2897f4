/* SPDX-License-Identifier: GPL-2.0-only */
/* What the fuzzing selftests share: numbers that repeat, odd values, options, rounds in children. */
#ifndef FUZZ_H
#define FUZZ_H

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct rng {
	uint64_t s;
};

static inline uint64_t rnd(struct rng *r)
{
	uint64_t z = r->s += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

static inline uint32_t below(struct rng *r, uint32_t n)
{
	return rnd(r) % n;
}

static inline int one_in(struct rng *r, uint32_t n)
{
	return !below(r, n);
}

/* Numbers at which checks turn over, small ones, powers of two, anything. */
static inline uint64_t odd_value(struct rng *r)
{
	static const uint64_t odd[] = {
		0, 1, 2, 3, 4, 7, 8, 15, 16, 23, 24, 31, 32, 63, 64, 0x7f, 0x80, 0xff, 0x100, 0xfff,
		0x1000, 0x1001, 0x7fff, 0xffff, 0x10000, 0x7fffffff, 0x80000000, 0xfffffffe,
		0xffffffff, 0x100000000, 0xfee00000, 0xfec00000, 0x7fffffffffff, 0x800000000000,
		0xffff800000000000, 0xffffffff81000000, 0x7fffffffffffffff, 0x8000000000000000,
		0xfffffffffffff000, ~0ull - 1, ~0ull,
	};

	switch (below(r, 4)) {
	case 0:
		return odd[below(r, sizeof(odd) / sizeof(odd[0]))];
	case 1:
		return below(r, 8);
	case 2:
		return (1ull << below(r, 64)) - below(r, 2);
	default:
		return rnd(r) >> below(r, 64);
	}
}

/* Changes up to @max places of a structure that made sense. */
static inline void mutate(struct rng *r, void *p, size_t size, unsigned int max)
{
	unsigned int n = below(r, max + 1);
	uint64_t v;
	size_t at;

	while (n--) {
		v = odd_value(r);
		switch (below(r, 4)) {
		case 0:
			((uint8_t *)p)[below(r, size)] ^= 1 << below(r, 8);
			break;
		case 1:
			((uint8_t *)p)[below(r, size)] = v;
			break;
		default:
			at = below(r, size) & ~3ul;
			memcpy((uint8_t *)p + at, &v, size - at < 4 ? size - at :
			       size - at < 8 || at & 4 ? 4 : 8);
		}
	}
}

struct fuzz_options {
	uint64_t seed;
	uint64_t cases;		/* calls, or guests */
	uint32_t seconds;	/* if not 0: instead of cases */
	uint32_t threads;
};

static inline void fuzz_arguments(struct fuzz_options *o, int argc, char **argv)
{
	int i;

	for (i = 1; i + 1 < argc; i += 2) {
		uint64_t v = strtoull(argv[i + 1], NULL, 0);

		if (!strcmp(argv[i], "--seed"))
			o->seed = v;
		else if (!strcmp(argv[i], "--cases"))
			o->cases = v;
		else if (!strcmp(argv[i], "--seconds"))
			o->seconds = v;
		else if (!strcmp(argv[i], "--threads"))
			o->threads = v;
		else
			break;
	}
	if (i == argc)
		return;
	fprintf(stderr, "usage: %s [--seed N] [--cases N | --seconds N] [--threads N]\n", argv[0]);
	exit(2);
}

static inline uint64_t fuzz_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Memory that parent and children share. */
static inline void *fuzz_shared(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		exit(1);
	return p;
}

static inline void fuzz_on_alarm(int sig)
{
}

/* SIGALRM for the calling thread every @ms: KVM_RUN comes back. It ends with the thread's process. */
static inline timer_t fuzz_kick_me(unsigned int ms)
{
	struct sigevent e = { .sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGALRM };
	struct itimerspec t = { { 0, ms * 1000000 }, { 0, ms * 1000000 } };
	struct sigaction a = { .sa_handler = fuzz_on_alarm };
	timer_t id;

	e._sigev_un._tid = syscall(SYS_gettid);
	sigaction(SIGALRM, &a, NULL);
	if (timer_create(CLOCK_MONOTONIC, &e, &id))
		exit(1);
	timer_settime(id, 0, &t, NULL);
	return id;
}

#endif
