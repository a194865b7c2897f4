// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <unistd.h>
#include "hostmem.h"

volatile uint64_t hm_tag[HM_PAGES];
volatile uint8_t hm_maybe[HM_PAGES];
volatile uint64_t hm_first, hm_count, hm_step = 1, hm_write;

void hm_guest(void)
{
	for (;;) {
		uint64_t i, page;

		for (i = 0, page = hm_first; i < hm_count; i++, page += hm_step) {
			volatile uint64_t *p = (void *)(GPA_FREE + page * PAGE);
			uint64_t val = *p;

			/* The page's number and what it says are in the message. */
			if (val != hm_tag[page] && !(hm_maybe[page] && !val))
				guest_say(MSG_FAIL, page);
			if (!hm_write)
				continue;
			*p = ++hm_tag[page];
			hm_maybe[page] = 0;
		}
		guest_sync(i);
	}
}

void hm_work(struct test_vcpu *vcpu, uint64_t first, uint64_t n, bool write)
{
	hm_first = first;
	hm_count = n;
	hm_write = write;
	vcpu_expect(vcpu, MSG_SYNC);
}

uint64_t hm_wrong(const uint8_t *mem, uint64_t first, uint64_t n)
{
	uint64_t page, bad = 0;

	for (page = first; page < first + n; page++) {
		uint64_t val = *(volatile uint64_t *)(mem + page * PAGE);

		bad += val != hm_tag[page] && !(hm_maybe[page] && !val);
	}
	return bad;
}

void hm_fill(uint8_t *mem, uint64_t first, uint64_t n)
{
	uint64_t page;

	for (page = first; page < first + n; page++) {
		hm_tag[page] = 0x5a17000000000000ull | page << 24;
		hm_maybe[page] = 0;
		*(volatile uint64_t *)(mem + page * PAGE) = hm_tag[page];
	}
}

uint8_t *hm_map(size_t size, bool large)
{
	uint8_t *area = mmap(NULL, size + LARGE, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	uint8_t *mem = (uint8_t *)(((uintptr_t)area + LARGE - 1) & ~(LARGE - 1));

	if (area == MAP_FAILED)
		return NULL;
	/* The test's area is a mapping of its own: nothing merges with what is cut off. */
	munmap(area, mem - area);
	munmap(mem + size, area + LARGE - mem);
	madvise(mem, size, large ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
	return mem;
}

int64_t kvm_stat(int kvm_fd, const char *name)
{
	int fd = ioctl(kvm_fd, KVM_GET_STATS_FD, 0);
	struct kvm_stats_header h;
	struct {
		struct kvm_stats_desc d;
		char name[64];
	} e;
	int64_t val = -1;
	uint32_t i;

	if (fd < 0 || pread(fd, &h, sizeof(h), 0) != sizeof(h))
		return -1;
	for (i = 0; i < h.num_desc && val < 0; i++) {
		size_t size = sizeof(e.d) + h.name_size;

		memset(&e, 0, sizeof(e));
		if (pread(fd, &e, size, h.desc_offset + i * size) != (ssize_t)size)
			break;
		if (!strcmp(e.d.name, name) &&
		    pread(fd, &val, sizeof(val), h.data_offset + e.d.offset) != sizeof(val))
			break;
	}
	close(fd);
	return val;
}

int host_write(const char *path, const char *val)
{
	int fd = open(path, O_WRONLY);
	ssize_t n;

	if (fd < 0)
		return -1;
	n = write(fd, val, strlen(val));
	close(fd);
	return n == (ssize_t)strlen(val) ? 0 : -1;
}

long host_read(const char *path)
{
	FILE *f = fopen(path, "r");
	long val = -1;

	if (f && fscanf(f, "%ld", &val) != 1)
		val = -1;
	if (f)
		fclose(f);
	return val;
}

long host_field(const char *path, const char *key)
{
	FILE *f = fopen(path, "r");
	size_t len = strlen(key);
	char line[256];
	long val = -1;

	while (f && val < 0 && fgets(line, sizeof(line), f)) {
		if (!strncmp(line, key, len) && (line[len] == ':' || line[len] == ' '))
			val = strtol(line + len + 1, NULL, 10);
	}
	if (f)
		fclose(f);
	return val;
}

long host_smaps(const void *start, const char *key)
{
	FILE *f = fopen("/proc/self/smaps", "r");
	size_t len = strlen(key);
	unsigned long from, to;
	bool inside = false;
	char line[256];
	long kib = -1;

	while (f && kib < 0 && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%lx-%lx ", &from, &to) == 2)
			inside = (unsigned long)start >= from && (unsigned long)start < to;
		else if (inside && !strncmp(line, key, len) && line[len] == ':')
			kib = strtol(line + len + 1, NULL, 10);
	}
	if (f)
		fclose(f);
	return kib;
}

static bool read_pagemap(const void *hva, uint64_t *e, uint64_t n)
{
	int fd = open("/proc/self/pagemap", O_RDONLY);
	ssize_t got = pread(fd, e, n * sizeof(*e), (uintptr_t)hva / PAGE * sizeof(*e));

	close(fd);
	return got == (ssize_t)(n * sizeof(*e));
}

uint64_t host_pagemap(const void *hva)
{
	uint64_t e;

	return read_pagemap(hva, &e, 1) ? e : 0;
}

uint64_t host_pages_with(const void *hva, uint64_t n, uint64_t bits)
{
	static uint64_t e[HM_PAGES];
	uint64_t i, sum = 0;

	if (n > HM_PAGES || !read_pagemap(hva, e, n))
		return 0;
	for (i = 0; i < n; i++)
		sum += !!(e[i] & bits);
	return sum;
}

#define ZRAM	"/dev/zram0"

bool host_swap_on(unsigned int mib)
{
	char cmd[256];

	/* A child that died may have left it on. */
	host_swap_off();
	snprintf(cmd, sizeof(cmd), "modprobe zram 2>/dev/null; [ -b " ZRAM " ] && "
		 "echo %uM > /sys/block/zram0/disksize && mkswap " ZRAM " > /dev/null", mib);
	return !system(cmd) && !swapon(ZRAM, 0);
}

void host_swap_off(void)
{
	swapoff(ZRAM);
	host_write("/sys/block/zram0/reset", "1");
}

static int group_join(const char *procs)
{
	char pid[32];

	snprintf(pid, sizeof(pid), "%d", getpid());
	return host_write(procs, pid);
}

bool host_group_enter(void)
{
	if (access("/sys/fs/cgroup/cgroup.procs", F_OK) &&
	    system("mount -t cgroup2 cgroup /sys/fs/cgroup"))
		return false;
	host_write("/sys/fs/cgroup/cgroup.subtree_control", "+memory");
	mkdir(HOST_GROUP, 0755);
	return !access(HOST_GROUP "/memory.stat", R_OK) && !group_join(HOST_GROUP "/cgroup.procs");
}

void host_group_leave(void)
{
	group_join("/sys/fs/cgroup/cgroup.procs");
	rmdir(HOST_GROUP);
}
