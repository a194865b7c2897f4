// SPDX-License-Identifier: GPL-2.0-only
/*
 * Drives /dev/kvm through the paths of bench.h's tables. Prints a line "row NAME KIND N TICKS" for each,
 * or "value NAME BYTES".
 *
 * bench [-n REPETITIONS] [-r RUNS] [PATH...]	the paths whose names begin so; all without
 * bench -m begin|end|row			one mark, for what runs outside this program
 * bench -l					list
 */
#include <errno.h>
#include "bench.h"

uint64_t bench_n = 1000;
unsigned int bench_runs = 1;
uint64_t bench_ticks, bench_start;
volatile uint64_t bench_irqs;

static const struct path *const tables[] = {
	exit_paths, user_paths, event_paths, state_paths, lifetime_paths, memory_paths,
};

static const char *const kinds[] = { "straight", "allocates", "sleeps", "bytes" };

void bench_fail(const char *what)
{
	fprintf(stderr, "bench: %s: %s\n", what, strerror(errno));
	exit(1);
}

void bench_report(const struct path *p, uint64_t n)
{
	mark(MARK_ROW);
	printf("row %s %s %lu %lu\n", p->name, kinds[p->kind], n, bench_ticks);
	fflush(stdout);
	bench_ticks = 0;
}

void bench_value(const struct path *p, uint64_t value)
{
	printf("value %s %lu\n", p->name, value);
	fflush(stdout);
}

void bench_irq(struct guest_frame *f)
{
	bench_irqs++;
	mmio_write(LAPIC_EOI, 0);
}

void kvm_irq_handler(void)
{
	guest_handlers[VEC] = bench_irq;
}

void lapic_enable(void)
{
	mmio_write(LAPIC + 0xf0, 0x1ff);
}

static bool wanted(const struct path *p, int nr, char **names)
{
	int i;

	for (i = 0; i < nr; i++)
		if (!strncmp(p->name, names[i], strlen(names[i])))
			return true;
	return !nr;
}

static int mark_only(const char *what)
{
	if (!strcmp(what, "begin"))
		mark(MARK_BEGIN);
	else if (!strcmp(what, "end"))
		mark(MARK_END);
	else
		mark(MARK_ROW);
	return 0;
}

int main(int argc, char **argv)
{
	unsigned int t, r;
	const struct path *p;
	bool list = false;
	int opt;

	while ((opt = getopt(argc, argv, "n:r:m:l")) != -1) {
		switch (opt) {
		case 'n':
			bench_n = strtoul(optarg, NULL, 0);
			break;
		case 'r':
			bench_runs = strtoul(optarg, NULL, 0);
			break;
		case 'm':
			return mark_only(optarg);
		case 'l':
			list = true;
			break;
		default:
			return 2;
		}
	}
	for (t = 0; t < sizeof(tables) / sizeof(tables[0]); t++) {
		for (p = tables[t]; p->name; p++) {
			if (!wanted(p, argc - optind, argv + optind))
				continue;
			for (r = 0; r < (p->repeats ? 1 : bench_runs) && !list; r++)
				p->measure(p);
			if (list)
				puts(p->name);
		}
	}
	return 0;
}
