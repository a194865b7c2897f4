// SPDX-License-Identifier: GPL-2.0-only
/*
 * The work of a guest that is moved from one VMM to another: memory that is written and checked, a
 * disk, a TCP connection, clocks and sleeps, all at once until /tmp/work.stop appears.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "ktest.h"

#define PAGE	4096u
#define WORDS	(PAGE / sizeof(uint64_t))
#define BLOCK	65536u
#define BLOCKS	64

enum { MEM0, MEM1, DISK, NET, NAP, WORKERS };
static const char *const names[WORKERS] = { "pages", "pages", "blocks", "echoes", "sleeps" };

static const char *disk_path, *peer_address;
static int peer_port;
static uint64_t *memory;
static uint32_t *rounds;		/* how often each page was written */
static unsigned long pages;
static atomic_ulong done[WORKERS];
static atomic_int failed;		/* worker + 1 of the first failure */
static char why[200];
static pthread_spinlock_t clock_lock;
static uint64_t clock_last;

/* Everybody does something before it stops. */
static int stopped(int worker)
{
	return atomic_load(&failed) || (done[worker] && !access("/tmp/work.stop", F_OK));
}

#define fail(worker, ...)						\
do {									\
	int none_ = 0;							\
	if (atomic_compare_exchange_strong(&failed, &none_, (worker) + 1))	\
		snprintf(why, sizeof(why), __VA_ARGS__);		\
} while (0)

/* No CPU may read less than another has read before. */
static void check_clock(int worker)
{
	uint64_t t;

	pthread_spin_lock(&clock_lock);
	t = now_ns();
	if (t < clock_last)
		fail(worker, "the clock went back by %lu ns", clock_last - t);
	clock_last = t;
	pthread_spin_unlock(&clock_lock);
}

static uint64_t pattern(unsigned long where, uint32_t round, unsigned int i)
{
	return (where * 0x9e3779b97f4a7c15ull ^ round * 0xc2b2ae3d27d4eb4full) + i;
}

static void work_memory(int me)
{
	uint64_t seed = me + 1;
	unsigned int i;

	while (done[me] % 64 || !stopped(me)) {
		unsigned long p, n = pages / 2;
		uint64_t *w;

		seed = seed * 6364136223846793005ull + 1442695040888963407ull;
		p = (seed >> 33) % n + me * n;
		w = memory + p * WORDS;
		for (i = 0; rounds[p] && i < WORDS; i++) {
			if (w[i] != pattern(p, rounds[p], i)) {
				fail(me, "page %lu word %u: %lx, not that of round %u", p, i, w[i],
				     rounds[p]);
				return;
			}
		}
		rounds[p]++;
		for (i = 0; i < WORDS; i++)
			w[i] = pattern(p, rounds[p], i);
		check_clock(me);
		done[me]++;
	}
}

/* Through to the disk and back, with nothing kept in the page cache. */
static void work_disk(void)
{
	int fd = open(disk_path, O_RDWR | O_DIRECT | O_SYNC);
	uint64_t *buf;
	unsigned int i, n, total = BLOCK / sizeof(*buf);

	if (fd < 0 || posix_memalign((void **)&buf, PAGE, BLOCK)) {
		fail(DISK, "cannot open %s", disk_path);
		return;
	}
	for (n = 0; !stopped(DISK); n++) {
		off_t at = (off_t)(n % BLOCKS) * BLOCK;

		for (i = 0; i < total; i++)
			buf[i] = pattern(at, n, i);
		if (pwrite(fd, buf, BLOCK, at) != BLOCK) {
			fail(DISK, "write of block %u", n);
			break;
		}
		memset(buf, 0, BLOCK);
		if (pread(fd, buf, BLOCK, at) != BLOCK) {
			fail(DISK, "read of block %u", n);
			break;
		}
		for (i = 0; i < total && buf[i] == pattern(at, n, i); i++)
			;
		if (i < total) {
			fail(DISK, "block %u differs", n);
			break;
		}
		done[DISK]++;
		usleep(20000);
	}
	free(buf);
	close(fd);
}

static int transfer(int s, void *buf, size_t len, int out)
{
	while (len) {
		ssize_t n = out ? write(s, buf, len) : read(s, buf, len);

		if (n <= 0)
			return -1;
		buf = (char *)buf + n;
		len -= n;
	}
	return 0;
}

/* One connection for the whole time: the peer sends back what it gets. */
static void work_net(void)
{
	static uint64_t out[512], in[512];
	unsigned int i;
	uint32_t n;
	int s;

	if (!peer_address)
		return;
	s = dial(peer_address, peer_port);
	if (s < 0) {
		fail(NET, "cannot connect to %s", peer_address);
		return;
	}
	for (n = 0; !stopped(NET); n++) {
		for (i = 0; i < 512; i++)
			out[i] = pattern(1, n, i);
		if (transfer(s, out, sizeof(out), 1) || transfer(s, in, sizeof(in), 0)) {
			fail(NET, "the connection broke at message %u", n);
			break;
		}
		if (memcmp(in, out, sizeof(in))) {
			fail(NET, "message %u differs", n);
			break;
		}
		done[NET]++;
		usleep(5000);
	}
	close(s);
}

/* A lost timer is a sleep without an end. */
static void work_sleep(void)
{
	while (!stopped(NAP)) {
		uint64_t start = now_ns();
		struct timespec ts = { 0, 3000000 };

		clock_nanosleep(CLOCK_MONOTONIC, 0, &ts, NULL);
		if (now_ns() - start < 3000000)
			fail(NAP, "woke up too early");
		done[NAP]++;
	}
}

static void *worker(void *arg)
{
	long me = (long)arg;

	switch (me) {
	case MEM0:
	case MEM1:
		work_memory(me);
		break;
	case DISK:
		work_disk();
		break;
	case NET:
		work_net();
		break;
	default:
		work_sleep();
	}
	return NULL;
}

int test_work(int argc, char **argv)
{
	char text[200];
	int i, at = 0;

	if (argc != 3 && argc != 5)
		return verdict(KT_FAIL, "usage: work MIB DISK [ADDRESS PORT]");
	pages = strtoul(argv[1], NULL, 0) * (1048576 / PAGE);
	disk_path = argv[2];
	if (argc == 5) {
		peer_address = argv[3];
		peer_port = atoi(argv[4]);
	}
	pthread_spin_init(&clock_lock, PTHREAD_PROCESS_PRIVATE);
	rounds = calloc(pages, sizeof(*rounds));
	memory = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (!rounds || memory == MAP_FAILED)
		return verdict(KT_FAIL, "no memory");
	if (run_threads(WORKERS, worker))
		return verdict(KT_FAIL, "no threads");
	if (failed)
		return verdict(KT_FAIL, "%s: %s", names[failed - 1], why);
	for (i = 0; i < WORKERS; i++) {
		if (!done[i] && (i != NET || peer_address))
			return verdict(KT_FAIL, "no %s", names[i]);
		at += snprintf(text + at, sizeof(text) - at, "%s%lu %s", i ? ", " : "", done[i],
			       names[i]);
	}
	return verdict(KT_OK, "%s", text);
}
