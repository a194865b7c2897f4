/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A path is a row: how to bring a VM to it, and what runs N times. What is counted lies between
 * bench_begin() and bench_end(), by the emulator's plugin (mark.h) and in TSC ticks.
 */
#ifndef BENCH_H
#define BENCH_H

#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "mark.h"
#include "testvm.h"

/* How well a path repeats: the runner's limits. */
enum path_kind {
	P_STRAIGHT,	/* 0.5 % */
	P_ALLOCATES,	/* 2 % */
	P_SLEEPS,	/* 2 %; the clock skips idle time, only executed instructions count */
	P_BYTES,	/* the figure is bytes, not instructions */
};

struct path {
	const char *name;
	enum path_kind kind;
	void (*measure)(const struct path *p);
	void (*guest)(void);
	bool repeats;			/* measure() takes all bench_runs measurements */
};

extern unsigned int bench_runs;		/* measurements of each path */
extern uint64_t bench_n;		/* repetitions */
extern uint64_t bench_ticks, bench_start;

/* In the guest or in the host: it shares this program's memory. */
static inline void bench_begin(void)
{
	bench_start = guest_rdtsc();
	mark(MARK_BEGIN);
}

static inline void bench_end(void)
{
	mark(MARK_END);
	bench_ticks += guest_rdtsc() - bench_start;
}

/* Ends the row: @n operations were counted. */
void bench_report(const struct path *p, uint64_t n);
/* A figure that was not counted: bytes. */
void bench_value(const struct path *p, uint64_t value);

/* Ends the program: nothing measured after a failure is worth anything. */
void bench_fail(const char *what) __attribute__((noreturn));
/* An ioctl that has to succeed. */
#define must(call)							\
do {									\
	if ((call) < 0)							\
		bench_fail(#call);					\
} while (0)

/*
 * Warm up, then @body N times, then MSG_DONE. Aligned: an instruction across the end of a page would be
 * emulated the long way, by both KVMs.
 */
#define GUEST_LOOP(fn, body)						\
static void __attribute__((aligned(512))) fn(void)			\
{									\
	uint64_t i;							\
									\
	for (i = 0; i < 16; i++) {					\
		body;							\
	}								\
	bench_begin();							\
	for (i = 0; i < bench_n; i++) {					\
		body;							\
	}								\
	bench_end();							\
	guest_done();							\
}

static inline void mmio_write(uint64_t gpa, uint32_t val)
{
	*(volatile uint32_t *)gpa = val;
}

static inline uint32_t mmio_read(uint64_t gpa)
{
	return *(volatile uint32_t *)gpa;
}

#define LAPIC		0xfee00000ull
#define LAPIC_EOI	(LAPIC + 0xb0)
#define LAPIC_ICR	(LAPIC + 0x300)
#define LAPIC_ICR2	(LAPIC + 0x310)
#define IOAPIC		0xfec00000ull
#define VEC		0x41		/* of all interrupts here */

extern volatile uint64_t bench_irqs;	/* taken by the guest */
void bench_irq(struct guest_frame *f);	/* handler: counts and ends the interrupt */
void lapic_enable(void);		/* in the guest */
void kvm_irq_handler(void);		/* installs it for VEC */

extern const struct path exit_paths[], user_paths[], event_paths[], state_paths[],
			 lifetime_paths[], memory_paths[];

#endif
