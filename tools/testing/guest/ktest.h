/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The guest's work: one static program with a table of tests, run by init.
 * Each returns one of the codes below and has printed one line that says why.
 */
#ifndef KTEST_H
#define KTEST_H

#include <stdint.h>

enum { KT_OK = 0, KT_FAIL = 1, KT_SKIP = 2 };

int test_burn(int argc, char **argv);		/* SECONDS: all CPUs, results compared */
int test_fpu(int argc, char **argv);		/* SECONDS: x87, SSE, AVX across switches */
int test_signals(int argc, char **argv);	/* faults, timers, kills between threads */
int test_warp(int argc, char **argv);		/* SECONDS: clocks never step back across CPUs */
int test_time(int argc, char **argv);		/* CLOCK_MONOTONIC in ns for each line read */
int test_fetch(int argc, char **argv);		/* ADDRESS PORT FILE: by HTTP */
int test_sleep(int argc, char **argv);		/* SECONDS: many short sleeps, none too short */
int test_pit(int argc, char **argv);		/* channel 2 of the PIT counts at its rate */
int test_rtc(int argc, char **argv);		/* SECONDS: the RTC advances with the clock */
int test_ticks(int argc, char **argv);		/* each CPU takes timer interrupts */

int test_work(int argc, char **argv);		/* MIB DISK [ADDRESS PORT]: until /tmp/work.stop */

int test_fill(int argc, char **argv);		/* FILE MIB SEED: a pattern in each page */
int test_verify(int argc, char **argv);		/* FILE MIB SEED: it is still there */

/* A TCP connection with limits of time, or -1. */
int dial(const char *address, int port);

/* Print the verdict's line and return it. */
int verdict(int code, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Nanoseconds of CLOCK_MONOTONIC. */
uint64_t now_ns(void);

/* Run fn(arg = index) in n threads, thread i on CPU i % CPUs; all are joined. */
int run_threads(int n, void *(*fn)(void *));

int cpu_count(void);
void pin(int cpu);

#endif
