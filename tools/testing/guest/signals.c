// SPDX-License-Identifier: GPL-2.0-only
/* Signals: from faults, from timers, and from one thread to another. */
#define _GNU_SOURCE
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <unistd.h>

#include "ktest.h"

#define KILLS 200

static sigjmp_buf recover;
static volatile sig_atomic_t caught, alarms;
static atomic_int kills, stop;

static void on_fault(int sig)
{
	caught = sig;
	siglongjmp(recover, 1);
}

static void on_alarm(int sig)
{
	(void)sig;
	alarms++;
}

static void on_kill(int sig)
{
	(void)sig;
	kills++;
}

static void do_segv(void)
{
	void *p = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	*(volatile int *)p = 1;
}

static void do_div(void)
{
	asm volatile("xor %%edx, %%edx\n\tmov $1, %%eax\n\txor %%ecx, %%ecx\n\tdiv %%ecx"
		     : : : "eax", "ecx", "edx");
}

static void do_ud(void)
{
	asm volatile("ud2");
}

static void do_int3(void)
{
	asm volatile("int3");
}

static void do_gp(void)
{
	asm volatile("hlt");
}

static int fault(void (*fn)(void), int sig)
{
	caught = 0;
	signal(sig, on_fault);
	if (!sigsetjmp(recover, 1))
		fn();
	signal(sig, SIG_DFL);
	return caught == sig;
}

static void *receiver(void *arg)
{
	(void)arg;
	while (!stop)
		usleep(1000);
	return NULL;
}

int test_signals(int argc, char **argv)
{
	struct itimerval tick = { { 0, 10000 }, { 0, 10000 } }, off = { { 0, 0 }, { 0, 0 } };
	pthread_t thread;
	uint64_t start, end, took;

	(void)argc;
	(void)argv;
	if (!fault(do_segv, SIGSEGV) || !fault(do_div, SIGFPE) || !fault(do_ud, SIGILL) ||
	    !fault(do_int3, SIGTRAP) || !fault(do_gp, SIGSEGV))
		return verdict(KT_FAIL, "a fault gave no signal, or another one");

	signal(SIGALRM, on_alarm);
	setitimer(ITIMER_REAL, &tick, NULL);
	start = now_ns();
	/* On a loaded host alarms run together: wait for some, not for a time. */
	while (alarms < 20 && now_ns() - start < 30000000000ull)
		;
	setitimer(ITIMER_REAL, &off, NULL);
	took = (now_ns() - start) / 1000000;
	if (alarms < 20 || took < 180)
		return verdict(KT_FAIL, "%d alarms of 10 ms in %lu ms", (int)alarms, took);

	signal(SIGUSR1, on_kill);
	if (pthread_create(&thread, NULL, receiver, NULL))
		return verdict(KT_FAIL, "no thread");
	for (int i = 0; i < KILLS; i++) {
		int before = kills;

		pthread_kill(thread, SIGUSR1);
		end = now_ns() + 10000000000ull;
		while (kills == before && now_ns() < end)
			usleep(100);
		if (kills == before)
			break;
	}
	stop = 1;
	pthread_join(thread, NULL);
	if (kills != KILLS)
		return verdict(KT_FAIL, "%d of %d signals to a thread came", kills, KILLS);
	return verdict(KT_OK, "5 faults, 20 alarms in %lu ms, %d kills", took, kills);
}
