// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory that a guest keeps: a file of its tmpfs, filled with a pattern of each page's own, and
 * compared with it later. The seed makes two guests' pages the same, or not.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ktest.h"

#define PAGE	4096u
#define WORDS	(PAGE / sizeof(uint64_t))

static uint64_t word(uint64_t seed, unsigned long page, unsigned int i)
{
	return (seed * 0x9e3779b97f4a7c15ull ^ page * 0xc2b2ae3d27d4eb4full) + i;
}

/* The file's memory, or NULL. */
static uint64_t *map_file(const char *path, unsigned long bytes, int create)
{
	int fd = open(path, create ? O_RDWR | O_CREAT : O_RDWR, 0600);
	void *p = MAP_FAILED;

	if (fd < 0)
		return NULL;
	/* Not sparse: a lack of space is an error here, not a signal later. */
	if (!create || !posix_fallocate(fd, 0, bytes))
		p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	return p == MAP_FAILED ? NULL : p;
}

int test_fill(int argc, char **argv)
{
	unsigned long page, pages, seed;
	uint64_t *w;
	unsigned int i;

	if (argc != 4)
		return verdict(KT_FAIL, "usage: fill FILE MIB SEED");
	pages = strtoul(argv[2], NULL, 0) * (1048576 / PAGE);
	seed = strtoul(argv[3], NULL, 0);
	w = map_file(argv[1], pages * PAGE, 1);
	if (!w)
		return verdict(KT_FAIL, "no %s MiB in %s", argv[2], argv[1]);
	for (page = 0; page < pages; page++, w += WORDS)
		for (i = 0; i < WORDS; i++)
			w[i] = word(seed, page, i);
	return verdict(KT_OK, "%lu pages", pages);
}

int test_verify(int argc, char **argv)
{
	unsigned long page, pages, seed;
	uint64_t *w;
	unsigned int i;

	if (argc != 4)
		return verdict(KT_FAIL, "usage: verify FILE MIB SEED");
	pages = strtoul(argv[2], NULL, 0) * (1048576 / PAGE);
	seed = strtoul(argv[3], NULL, 0);
	w = map_file(argv[1], pages * PAGE, 0);
	if (!w)
		return verdict(KT_FAIL, "no file %s", argv[1]);
	for (page = 0; page < pages; page++, w += WORDS)
		for (i = 0; i < WORDS; i++)
			if (w[i] != word(seed, page, i))
				return verdict(KT_FAIL, "page %lu word %u: %lx instead of %lx", page, i,
					       w[i], word(seed, page, i));
	return verdict(KT_OK, "%lu pages", pages);
}
