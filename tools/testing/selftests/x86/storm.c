// SPDX-License-Identifier: GPL-2.0-only
/*
 * Everything at once, for as long as is asked: vCPUs that write and check, while the host changes the
 * memory behind them in every way, slots come, go and move, the dirty log is read and cleared, and other VMs
 * are made and destroyed. No write may be lost, in the memory or in the log.
 *
 * storm [--seconds N]
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "hostmem.h"

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE	25
#endif

#define VCPUS		2
#define PAGES		1024ull
#define SIZE		(PAGES * PAGE)
#define ALIAS_SLOT	6
#define OTHER_VCPU	7		/* of the VMs that come and go: its stack is its own */

/* Three areas of the guest's, each a slot: what may happen to it, and whether its data may vanish. */
enum { ANON, SHARED, VANISH, AREAS };

static uint8_t *mem[AREAS];
static uint8_t *alias;		/* another mapping of SHARED, which is never taken away */
static int shared_fd, vanish_fd;
static struct test_vm vm;

#define AREA_GPA(a)	(GPA_FREE + (a) * 2 * SIZE)
#define ALIAS_GPA	AREA_GPA(AREAS)

/* ---- the guest: in the program's image, so both sides see it ---- */

static volatile bool stop;
static volatile uint64_t loops[VCPUS], seen_alias[VCPUS];
/* What vCPU @v has last written to its word of each page; 0: nothing, or it vanished. */
static volatile uint64_t last[VCPUS][AREAS][PAGES];

static uint64_t next(uint64_t *seed)
{
	*seed = *seed * 6364136223846793005ull + 1442695040888963407ull;
	return *seed >> 33;
}

static volatile uint64_t *word(uint64_t base, uint64_t page, int me)
{
	return (volatile uint64_t *)(base + page * PAGE) + 8 * me;
}

static void work(int me)
{
	uint64_t seed = me + 1;

	while (!stop) {
		uint64_t r = next(&seed), page = r % PAGES, area = r / PAGES % AREAS, val;
		volatile uint64_t *p = word(AREA_GPA(area), page, me);

		val = *p;
		if (val != last[me][area][page] && !(area == VANISH && !val))
			guest_say(MSG_FAIL, area << 56 | page << 40 | (val & 0xffffffff));
		val = last[me][area][page] + 1;
		last[me][area][page] = val;
		*p = val;
		/* The same page where a slot is now and then. */
		val = *word(ALIAS_GPA, page, me);
		if (val != ~0ull) {
			if (val != last[me][ANON][page])
				guest_say(MSG_FAIL, 0xaull << 60 | page << 40 | (val & 0xffffffff));
			seen_alias[me]++;
		}
		loops[me]++;
	}
	guest_done();
}

static void work0(void) { work(0); }
static void work1(void) { work(1); }

/* ---- the host's threads ---- */

static volatile uint64_t turns[8];
static volatile uint64_t failures;

#define fail(...)						\
do {								\
	printf("# storm: " __VA_ARGS__);			\
	printf("\n");						\
	__atomic_add_fetch(&failures, 1, __ATOMIC_RELAXED);	\
} while (0)

static void *run_vcpu(void *p)
{
	struct test_vcpu *v = p;
	struct kvm_regs r;

	for (;;) {
		if (ioctl(v->fd, KVM_RUN, 0)) {
			/* The page is not there just now; it comes back. */
			if (errno != EFAULT && errno != EINTR && errno != EAGAIN) {
				fail("vCPU %u: KVM_RUN: %s", v->id, strerror(errno));
				return NULL;
			}
			sched_yield();
			continue;
		}
		if (v->run->exit_reason == KVM_EXIT_MMIO && !v->run->mmio.is_write) {
			memset(v->run->mmio.data, 0xff, 8);
			continue;
		}
		ioctl(v->fd, KVM_GET_REGS, &r);
		if (v->run->exit_reason != KVM_EXIT_IO)
			fail("vCPU %u: exit %u", v->id, v->run->exit_reason);
		else if (r.rax != MSG_DONE)
			fail("vCPU %u found %#llx", v->id, r.rdi);
		return NULL;
	}
}

static void change_anon(uint64_t *seed)
{
	uint64_t first = next(seed) % PAGES, n = 1 + next(seed) % 64;
	uint8_t *at = mem[ANON] + first * PAGE;
	int status;
	size_t len;
	pid_t pid;

	if (first + n > PAGES)
		n = PAGES - first;
	len = n * PAGE;
	switch (next(seed) % 8) {
	case 0:
		mprotect(at, len, PROT_READ);
		mprotect(at, len, PROT_READ | PROT_WRITE);
		break;
	case 1:
		mprotect(at, len, PROT_NONE);
		sched_yield();
		mprotect(at, len, PROT_READ | PROT_WRITE);
		break;
	case 2:
		madvise(at, len, MADV_COLD);
		break;
	case 3:
		madvise(at, len, MADV_PAGEOUT);
		break;
	case 4:
		madvise(mem[ANON], SIZE, next(seed) & 1 ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
		break;
	case 5:
		madvise(mem[ANON] + (next(seed) & 1) * LARGE, LARGE, MADV_COLLAPSE);
		break;
	case 6:
		madvise(at, len, next(seed) & 1 ? MADV_MERGEABLE : MADV_UNMERGEABLE);
		break;
	default:
		if (turns[0] % 16)
			break;
		pid = fork();
		if (!pid) {
			memset(at, 0xcc, len);
			_exit(0);
		}
		waitpid(pid, &status, 0);
	}
	turns[0]++;
}

static void change_shared(uint64_t *seed)
{
	uint64_t first = next(seed) % (PAGES - 64), n = 1 + next(seed) % 64;
	uint8_t *at = mem[SHARED] + first * PAGE;
	void *new;

	switch (next(seed) % 4) {
	case 0:
		madvise(at, n * PAGE, MADV_DONTNEED);	/* the file has it */
		break;
	case 1:
		/* Nothing for a moment. (A real hole might be filled by another thread.) */
		mmap(at, n * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
		mmap(at, n * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, shared_fd,
		     first * PAGE);
		break;
	case 2:
		new = mmap(NULL, n * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE,
			   shared_fd, first * PAGE);
		if (new == MAP_FAILED ||
		    mremap(new, n * PAGE, n * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, at) != at)
			fail("mremap: %s", strerror(errno));
		break;
	default:
		mprotect(at, n * PAGE, PROT_READ);
		mprotect(at, n * PAGE, PROT_READ | PROT_WRITE);
	}
	turns[1]++;
}

static void change_vanish(uint64_t *seed)
{
	uint64_t first = next(seed) % (PAGES - 64), n = 1 + next(seed) % 64;

	if (next(seed) & 1)
		fallocate(vanish_fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, first * PAGE,
			  n * PAGE);
	else
		madvise(mem[VANISH] + first * PAGE, n * PAGE, MADV_REMOVE);
	turns[2]++;
}

static void *change_memory(void *p)
{
	uint64_t seed = 42;

	while (!stop) {
		change_anon(&seed);
		change_shared(&seed);
		change_vanish(&seed);
		usleep(200);
	}
	return NULL;
}

static void set(unsigned int slot, uint64_t gpa, uint64_t size, void *hva, unsigned int flags)
{
	if (vm_set_region(&vm, slot, gpa, size, hva, flags))
		fail("slot %u: %s", slot, strerror(errno));
}

static void *change_slots(void *p)
{
	unsigned int vanish = SLOT_FREE + VANISH;
	uint8_t *half = mem[ANON] + SIZE / 2;

	while (!stop) {
		set(ALIAS_SLOT, ALIAS_GPA, SIZE, mem[ANON], 0);
		usleep(300);
		set(ALIAS_SLOT, ALIAS_GPA, SIZE, mem[ANON], KVM_MEM_LOG_DIRTY_PAGES);
		set(ALIAS_SLOT, ALIAS_GPA + SIZE, SIZE, mem[ANON], 0);
		set(ALIAS_SLOT, ALIAS_GPA, SIZE, mem[ANON], 0);
		usleep(300);
		set(vanish, AREA_GPA(VANISH), SIZE, mem[VANISH], KVM_MEM_LOG_DIRTY_PAGES);
		set(ALIAS_SLOT, 0, 0, mem[ANON], 0);
		set(ALIAS_SLOT, ALIAS_GPA + SIZE / 2, SIZE / 2, half, KVM_MEM_READONLY);
		usleep(300);
		set(vanish, AREA_GPA(VANISH), SIZE, mem[VANISH], 0);
		set(ALIAS_SLOT, 0, 0, half, KVM_MEM_READONLY);
		turns[3]++;
	}
	return NULL;
}

/* A migration: what the log names is copied. SHARED all the time, ANON once, in the end. */
static uint8_t *copy[2];

static uint64_t copy_pass(int area, const uint8_t *from)
{
	static uint64_t bits[PAGES / 64];
	struct kvm_dirty_log log = { .slot = SLOT_FREE + area, .dirty_bitmap = bits };
	struct kvm_clear_dirty_log clear = {
		.slot = SLOT_FREE + area, .num_pages = PAGES, .dirty_bitmap = bits,
	};
	uint64_t page, n = 0;

	if (ioctl(vm.fd, KVM_GET_DIRTY_LOG, &log) || ioctl(vm.fd, KVM_CLEAR_DIRTY_LOG, &clear))
		fail("dirty log of area %d: %s", area, strerror(errno));
	for (page = 0; page < PAGES; page++) {
		if (!(bits[page / 64] >> page % 64 & 1))
			continue;
		memcpy(copy[area] + page * PAGE, from + page * PAGE, PAGE);
		n++;
	}
	return n;
}

static void *copy_memory(void *p)
{
	while (!stop) {
		copy_pass(SHARED, alias);
		turns[4]++;
		usleep(1000);
	}
	return NULL;
}

static void must(bool ok, const char *what)
{
	if (ok)
		return;
	printf("# storm: %s: %s\nnot ok 1 - storm\n", what, strerror(errno));
	exit(1);
}

/* Where there is an APIC, all but the first wait for an INIT. */
static void runnable(struct test_vcpu *v)
{
	struct kvm_mp_state state = { .mp_state = KVM_MP_STATE_RUNNABLE };

	must(!ioctl(v->fd, KVM_SET_MP_STATE, &state), "KVM_SET_MP_STATE");
}

static void guest_once(void)
{
	guest_done();
}

static void *other_vms(void *p)
{
	static const enum test_irqchip kinds[] = { TEST_IRQCHIP_NONE, TEST_IRQCHIP_FULL,
						   TEST_IRQCHIP_SPLIT };
	struct test_vm other;

	while (!stop) {
		struct test_vcpu *v;

		vm_create(&other, kinds[turns[5] % 3]);
		v = vcpu_create(&other, OTHER_VCPU);
		if (kinds[turns[5] % 3] != TEST_IRQCHIP_NONE)
			runnable(v);
		vm_set_region(&other, SLOT_FREE, GPA_FREE, SIZE, mem[SHARED], 0);
		vcpu_start(v, guest_once);
		vcpu_expect(v, MSG_DONE);
		vm_destroy(&other);
		turns[5]++;
		usleep(1000);
	}
	return NULL;
}

/* ---- the whole ---- */

static int file(size_t size)
{
	int fd = memfd_create("storm", 0);

	must(fd >= 0 && !ftruncate(fd, size), "memfd");
	return fd;
}

static void set_up(void)
{
	struct kvm_enable_cap cap = { .cap = KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2, .args = { 1 } };
	int a;

	vm_create(&vm, TEST_IRQCHIP_FULL);
	must(!ioctl(vm.fd, KVM_ENABLE_CAP, &cap), "manual clear of the log");
	shared_fd = file(SIZE);
	vanish_fd = file(SIZE);
	mem[ANON] = hm_map(SIZE, true);
	mem[SHARED] = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, shared_fd, 0);
	mem[VANISH] = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, vanish_fd, 0);
	alias = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, shared_fd, 0);
	copy[ANON] = calloc(PAGES, PAGE);
	copy[SHARED] = calloc(PAGES, PAGE);
	for (a = 0; a < AREAS; a++) {
		must(mem[a] && mem[a] != MAP_FAILED, "memory");
		must(!vm_set_region(&vm, SLOT_FREE + a, AREA_GPA(a), SIZE, mem[a],
				    a == VANISH ? 0 : KVM_MEM_LOG_DIRTY_PAGES), "slot");
	}
}

/* What the guest has written is what the host reads, and what the log led to be copied. */
static void check(void)
{
	uint64_t page, a;
	int v;

	copy_pass(ANON, mem[ANON]);
	copy_pass(SHARED, mem[SHARED]);
	for (a = 0; a < AREAS; a++) {
		for (v = 0; v < VCPUS; v++) {
			for (page = 0; page < PAGES; page++) {
				uint64_t val = *word((uintptr_t)mem[a], page, v);

				if (val != last[v][a][page] && !(a == VANISH && !val))
					fail("area %lu, page %lu, vCPU %d: %#lx, not %#lx", a, page,
					     v, val, last[v][a][page]);
			}
		}
	}
	if (memcmp(copy[SHARED], mem[SHARED], SIZE))
		fail("the copy by the log is not the memory");
	if (memcmp(copy[ANON], mem[ANON], SIZE))
		fail("the log has not named all pages");
	if (copy_pass(SHARED, alias) || copy_pass(ANON, mem[ANON]))
		fail("pages are dirty when nobody writes");
}

int main(int argc, char **argv)
{
	static const struct option options[] = { { "seconds", required_argument, NULL, 's' }, { } };
	void *(*const fn[])(void *) = { change_memory, change_slots, copy_memory, other_vms };
	void (*const guest[VCPUS])(void) = { work0, work1 };
	pthread_t vcpu[VCPUS], thread[4];
	unsigned int seconds = 30, i;
	struct test_vcpu *v;
	bool swap;
	int opt;

	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (opt != 's')
			return 2;
		seconds = strtoul(optarg, NULL, 0);
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("TAP version 13\n1..1\n");
	swap = host_swap_on(64);
	set_up();
	for (i = 0; i < VCPUS; i++) {
		v = vcpu_create(&vm, i);
		runnable(v);
		vcpu_start(v, guest[i]);
		pthread_create(&vcpu[i], NULL, run_vcpu, v);
	}
	for (i = 0; i < 4; i++)
		pthread_create(&thread[i], NULL, fn[i], NULL);
	for (i = 0; i < 10 * seconds && !failures; i++)
		usleep(100000);
	stop = true;
	for (i = 0; i < 4; i++)
		pthread_join(thread[i], NULL);
	for (i = 0; i < VCPUS; i++)
		pthread_join(vcpu[i], NULL);
	check();
	for (i = 0; i < 6; i++)
		if (!turns[i])
			fail("thread %u has done nothing", i);
	for (i = 0; i < VCPUS; i++)
		if (!loops[i] || !seen_alias[i])
			fail("vCPU %u has done nothing", i);
	printf("# %u s, swap %s; guest %lu %lu (alias %lu %lu), anonymous %lu, shared %lu, vanishing %lu, "
	       "slots %lu, log %lu, VMs %lu\n", seconds, swap ? "on" : "off", loops[0], loops[1],
	       seen_alias[0], seen_alias[1], turns[0], turns[1], turns[2], turns[3], turns[4], turns[5]);
	vm_destroy(&vm);
	if (swap)
		host_swap_off();
	printf("%s 1 - storm\n", failures ? "not ok" : "ok");
	return !!failures;
}
