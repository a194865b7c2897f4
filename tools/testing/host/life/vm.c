// SPDX-License-Identifier: GPL-2.0-only
/*
 * A VM that keeps every CPU busy while the host under it sleeps, reboots or crashes, and says once a
 * second whether all of its vCPUs got on. Half of them never exit by themselves: what comes to their
 * CPU finds it in the guest. They watch their memory, their registers and their TSC.
 *
 * usage: vm VCPUS
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "testvm.h"

#define NR	4
#define WORDS	512

static volatile uint64_t rounds[NR];
static uint64_t left[NR][WORDS], right[NR][WORDS];
static volatile unsigned int failed;

/* One pass over memory that exists twice; the number of a vCPU's first complaint, or 0. */
static __attribute__((noinline)) int pass(unsigned int id, uint64_t seed)
{
	unsigned int i;

	for (i = 0; i < WORDS; i++) {
		if (left[id][i] != right[id][i])
			return 1;
		left[id][i] = right[id][i] = seed * (i + 1);
	}
	return 0;
}

static void work(unsigned int id, bool exits)
{
	uint64_t seed = 88172645463325252ull + id, tsc = guest_rdtsc(), now;

	for (;;) {
		seed ^= seed << 13;
		seed ^= seed >> 7;
		seed ^= seed << 17;
		if (pass(id, seed))
			guest_say(MSG_FAIL, 1);
		now = guest_rdtsc();
		if (now < tsc)
			guest_say(MSG_FAIL, 2);
		tsc = now;
		rounds[id]++;
		if (exits)
			guest_sync(id);
	}
}

static void vcpu0(void) { work(0, false); }
static void vcpu1(void) { work(1, true); }
static void vcpu2(void) { work(2, false); }
static void vcpu3(void) { work(3, true); }
static void (* const code[NR])(void) = { vcpu0, vcpu1, vcpu2, vcpu3 };

static void *run(void *p)
{
	struct test_vcpu *v = p;
	struct kvm_regs r;

	for (;;) {
		if (ioctl(v->fd, KVM_RUN, 0)) {
			if (errno == EINTR || errno == EAGAIN)
				continue;
			printf("LIFE: FAIL: vCPU %u: KVM_RUN: %s\n", v->id, strerror(errno));
			break;
		}
		ioctl(v->fd, KVM_GET_REGS, &r);
		if (v->run->exit_reason != KVM_EXIT_IO || r.rax != MSG_SYNC) {
			printf("LIFE: FAIL: vCPU %u: exit %u, complaint %llu\n", v->id,
			       v->run->exit_reason, (unsigned long long)r.rdi);
			break;
		}
	}
	fflush(stdout);
	failed = 1;
	return NULL;
}

int main(int argc, char **argv)
{
	unsigned int nr = argc > 1 ? atoi(argv[1]) : 2, i;
	uint64_t last[NR] = {};
	pthread_t thread;
	struct test_vm vm;

	if (nr < 1 || nr > NR)
		return 2;
	vm_create(&vm, TEST_IRQCHIP_NONE);
	for (i = 0; i < nr; i++)
		vcpu_start(vcpu_create(&vm, i), code[i]);
	for (i = 0; i < nr; i++)
		pthread_create(&thread, NULL, run, &vm.vcpu[i]);
	while (!failed) {
		bool all = true;

		sleep(1);
		for (i = 0; i < nr; i++)
			all &= rounds[i] != last[i];
		if (!all)
			continue;
		for (i = 0; i < nr; i++)
			last[i] = rounds[i];
		printf("LIFE: alive\n");
		fflush(stdout);
	}
	return 1;
}
