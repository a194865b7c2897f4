// SPDX-License-Identifier: GPL-2.0-only
/* The old timers: PIT, RTC, and each CPU's tick. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ktest.h"

#define PIT_HZ 1193182
#define MAX_CPUS 64

/*
 * Ports through /dev/port: the kernel's own IN and OUT.  (QEMU's emulation of
 * SVM refuses those of user mode, although the I/O bitmap of the TSS allows
 * them: it takes a busy TSS for no TSS.)
 */
static int ports;

static uint8_t inb(uint16_t port)
{
	uint8_t v = 0xff;

	return pread(ports, &v, 1, port) == 1 ? v : 0xff;
}

static void outb(uint8_t v, uint16_t port)
{
	if (pwrite(ports, &v, 1, port) != 1)
		perror("/dev/port");
}

/* Channel 2 counts 65535 down in mode 0, its output shows in port 61h bit 5. */
int test_pit(int argc, char **argv)
{
	uint64_t start, took, want = 65535ull * 1000000000ull / PIT_HZ;
	uint8_t p61;

	(void)argc;
	(void)argv;
	ports = open("/dev/port", O_RDWR);
	if (ports < 0)
		return verdict(KT_SKIP, "no access to I/O ports");
	p61 = inb(0x61);
	outb((p61 & ~2) | 1, 0x61);		/* gate on, speaker off */
	outb(0xb0, 0x43);
	outb(0xff, 0x42);
	start = now_ns();
	outb(0xff, 0x42);
	while (!(inb(0x61) & 0x20) && now_ns() - start < 5000000000ull)
		;
	took = now_ns() - start;
	outb(p61, 0x61);
	if (took < want * 9 / 10 || took > want + 1000000000ull)
		return verdict(KT_FAIL, "%lu us for a count of %lu us", took / 1000, want / 1000);
	return verdict(KT_OK, "%lu us for a count of %lu us", took / 1000, want / 1000);
}

static long rtc_seconds(void)
{
	FILE *f = fopen("/sys/class/rtc/rtc0/since_epoch", "r");
	long s = -1;

	if (!f)
		return -1;
	if (fscanf(f, "%ld", &s) != 1)
		s = -1;
	fclose(f);
	return s;
}

int test_rtc(int argc, char **argv)
{
	int seconds = argc > 1 ? atoi(argv[1]) : 3;
	uint64_t start = now_ns(), took;
	long from = rtc_seconds(), to;

	if (from < 0)
		return verdict(KT_SKIP, "no RTC");
	sleep(seconds);
	to = rtc_seconds();
	took = (now_ns() - start) / 1000000000ull;
	if (to - from < (long)took - 2 || to - from > (long)took + 5)
		return verdict(KT_FAIL, "%ld s passed in %lu s", to - from, took);
	return verdict(KT_OK, "%ld s passed in %lu s, now %ld", to - from, took, to);
}

static int read_ticks(unsigned long *ticks)
{
	char line[4096];
	FILE *f = fopen("/proc/interrupts", "r");
	int n = -1;

	while (f && fgets(line, sizeof(line), f)) {
		char *p = strstr(line, "LOC:");

		if (!p)
			continue;
		p += 4;
		for (n = 0; n < MAX_CPUS; n++) {
			char *end;

			ticks[n] = strtoul(p, &end, 10);
			if (end == p)
				break;
			p = end;
		}
	}
	if (f)
		fclose(f);
	return n;
}

static void *spin(void *arg)
{
	uint64_t end = now_ns() + 2000000000ull;

	(void)arg;
	while (now_ns() < end)
		;
	return NULL;
}

/* A busy CPU takes a timer interrupt HZ times a second. */
int test_ticks(int argc, char **argv)
{
	unsigned long before[MAX_CPUS], after[MAX_CPUS], least = -1ul;
	int n = read_ticks(before), i;

	(void)argc;
	(void)argv;
	if (n <= 0)
		return verdict(KT_SKIP, "no local timer");
	if (run_threads(cpu_count(), spin) || read_ticks(after) != n)
		return verdict(KT_FAIL, "no threads");
	for (i = 0; i < n; i++) {
		if (after[i] - before[i] < least)
			least = after[i] - before[i];
	}
	if (least < 5)
		return verdict(KT_FAIL, "a CPU took %lu ticks in two seconds", least);
	return verdict(KT_OK, "at least %lu ticks on each of %d CPUs", least, n);
}
