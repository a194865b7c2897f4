// SPDX-License-Identifier: GPL-2.0-only
/* Several vCPUs, and a VMM that changes things under them: translations, dirty log, CPUs, vCPUs that join. */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>
#include "kselftest_harness.h"
#include "testvm.h"

#define PAGE	4096ull
#define LAPIC(reg) (*(volatile uint32_t *)(0xfee00000ull + (reg)))
#define NR	4

static volatile bool stop;

FIXTURE(smp)
{
	struct test_vm vm;
	pthread_t threads[TEST_MAX_VCPUS];
	unsigned int nr;		/* threads that run */
};

FIXTURE_SETUP(smp)
{
	stop = false;
	memset(guest_handlers, 0, sizeof(guest_handlers));
	vm_create(&self->vm, TEST_IRQCHIP_FULL);
}

static void ignore(int sig)
{
}

/* Runs until the guest says that it is done, or until told to stop; what went wrong, or NULL. */
static void *run(void *p)
{
	struct test_vcpu *v = p;

	for (;;) {
		if (ioctl(v->fd, KVM_RUN, 0)) {
			if (errno != EINTR && errno != EAGAIN)
				return (void *)(uintptr_t)errno;
			if (stop)
				return NULL;
			continue;
		}
		if (v->run->exit_reason == KVM_EXIT_MMIO && !v->run->mmio.is_write) {
			memset(v->run->mmio.data, 0xff, 8);
			continue;
		}
		if (v->run->exit_reason == KVM_EXIT_IO && v->run->io.port == GUEST_PORT) {
			struct kvm_regs r;

			ioctl(v->fd, KVM_GET_REGS, &r);
			return r.rax == MSG_DONE ? NULL : (void *)(r.rdi + 10000);
		}
		return (void *)(uintptr_t)(1000 + v->run->exit_reason);
	}
}

static void start(FIXTURE_DATA(smp) *self, void (*fn)(void))
{
	struct kvm_mp_state mp = { KVM_MP_STATE_RUNNABLE };
	struct test_vcpu *v = vcpu_create(&self->vm, self->vm.nr_vcpus);

	signal(SIGUSR1, ignore);
	ioctl(v->fd, KVM_SET_MP_STATE, &mp);
	vcpu_start(v, fn);
	pthread_create(&self->threads[self->nr++], NULL, run, v);
}

static void *join(FIXTURE_DATA(smp) *self)
{
	void *ret, *bad = NULL;
	unsigned int i;

	for (i = 0; i < self->nr; i++) {
		pthread_join(self->threads[i], &ret);
		bad = bad ?: ret;
	}
	self->nr = 0;
	return bad;
}

/* Kicked until it is gone: a signal may hit between two runs. */
static void *stop_all(FIXTURE_DATA(smp) *self)
{
	unsigned int i;

	stop = true;
	for (i = 0; i < self->nr; i++)
		self->vm.vcpu[i].run->immediate_exit = 1;
	for (i = 0; i < self->nr; i++)
		pthread_kill(self->threads[i], SIGUSR1);
	return join(self);
}

FIXTURE_TEARDOWN(smp)
{
	if (self->nr)
		stop_all(self);
	vm_destroy(&self->vm);
}

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* True when @*p becomes @val within five seconds. */
static bool becomes(volatile uint64_t *p, uint64_t val)
{
	uint64_t end = now_ms() + 5000;

	while (*p != val && now_ms() < end)
		usleep(200);
	return *p == val;
}

/* ---- translations ---- */

static volatile uint64_t seen;

/*
 * Never leaves by itself: only a flush that reaches it shows it another page. Like all that spin here it does with
 * interrupts on, though none come: see flush.c.
 */
static void guest_watch(void)
{
	guest_sti();
	for (;;)
		seen = *(volatile uint64_t *)GPA_FREE;
}

static uint64_t *new_page(uint64_t val)
{
	uint64_t *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	*p = val;
	return p;
}

TEST_F(smp, remapped_under_a_spinning_vcpu)
{
	uint64_t *mem = vm_add_memory(&self->vm, SLOT_FREE, GPA_FREE, 16 * PAGE, 0), *page;
	unsigned int i;

	*mem = 1;
	start(self, guest_watch);
	ASSERT_TRUE(becomes(&seen, 1));
	for (i = 2; i < 30; i++) {
		page = new_page(i);
		ASSERT_EQ(mem, mremap(page, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, mem));
		ASSERT_TRUE(becomes(&seen, i));
		ASSERT_EQ(0, madvise(mem, PAGE, MADV_DONTNEED));
		ASSERT_TRUE(becomes(&seen, 0));
	}
	EXPECT_EQ(NULL, stop_all(self));
}

TEST_F(smp, slot_deleted_under_a_spinning_vcpu)
{
	uint64_t *mem = vm_add_memory(&self->vm, SLOT_FREE, GPA_FREE, 16 * PAGE, 0);
	unsigned int i;

	*mem = 77;
	start(self, guest_watch);
	ASSERT_TRUE(becomes(&seen, 77));
	for (i = 0; i < 10; i++) {
		ASSERT_EQ(0, vm_set_region(&self->vm, SLOT_FREE, GPA_FREE, 0, mem, 0));
		ASSERT_TRUE(becomes(&seen, ~0ull));
		ASSERT_EQ(0, vm_set_region(&self->vm, SLOT_FREE, GPA_FREE, 16 * PAGE, mem, 0));
		ASSERT_TRUE(becomes(&seen, 77));
	}
	EXPECT_EQ(NULL, stop_all(self));
}

/* A copy-on-write page that the VMM takes from the guest by fork(), again and again. */
TEST_F(smp, fork_under_a_spinning_vcpu)
{
	uint64_t *mem = vm_add_memory(&self->vm, SLOT_FREE, GPA_FREE, 16 * PAGE, 0);
	unsigned int i;
	pid_t pid;

	*mem = 5;
	start(self, guest_watch);
	ASSERT_TRUE(becomes(&seen, 5));
	for (i = 6; i < 12; i++) {
		pid = fork();
		ASSERT_LE(0, pid);
		if (!pid) {
			usleep(10000);
			_exit(0);
		}
		*mem = i;		/* a new page for us, and so for the guest */
		ASSERT_TRUE(becomes(&seen, i));
		ASSERT_EQ(pid, waitpid(pid, NULL, 0));
	}
	EXPECT_EQ(NULL, stop_all(self));
}

static volatile uint64_t my_id, writes[NR];

static void guest_dirty(void)
{
	uint64_t me = __atomic_fetch_add(&my_id, 1, __ATOMIC_SEQ_CST), i = 0;

	guest_sti();
	for (;; i++) {
		*(volatile uint64_t *)(GPA_FREE + (me + NR * (i % 16)) * PAGE) = i;
		writes[me]++;
	}
}

/* Dirty bits of several writers: whoever wrote since the last look is in the log. */
TEST_F(smp, dirty_log_of_several_writers)
{
	uint64_t bits = 0, before[NR], all;
	struct kvm_dirty_log log = { .slot = SLOT_FREE, .dirty_bitmap = &bits };
	unsigned int i, n;

	vm_add_memory(&self->vm, SLOT_FREE, GPA_FREE, 64 * PAGE, KVM_MEM_LOG_DIRTY_PAGES);
	my_id = 0;
	memset((void *)writes, 0, sizeof(writes));
	for (i = 0; i < 2; i++)
		start(self, guest_dirty);
	for (n = 0; n < 20; n++) {
		for (i = 0; i < 2; i++)
			before[i] = writes[i];
		ASSERT_EQ(0, ioctl(self->vm.fd, KVM_GET_DIRTY_LOG, &log));
		for (i = 0; i < 2; i++)
			before[i] = writes[i];
		for (i = 0; i < 2; i++)
			for (all = now_ms() + 3000; writes[i] < before[i] + 40 && now_ms() < all;)
				usleep(500);
		ASSERT_EQ(0, ioctl(self->vm.fd, KVM_GET_DIRTY_LOG, &log));
		EXPECT_EQ(0x3333333333333333, bits);
	}
	EXPECT_EQ(NULL, stop_all(self));
}

/* ---- the vCPUs among themselves ---- */

static volatile uint64_t counter, ready, ipis[TEST_MAX_VCPUS], lock;

static void guest_add(void)
{
	int i;

	__atomic_fetch_add(&ready, 1, __ATOMIC_SEQ_CST);
	while (ready < NR)
		guest_pause();
	for (i = 0; i < 20000; i++) {
		__atomic_fetch_add(&counter, 1, __ATOMIC_SEQ_CST);
		/* A spinlock, and a port that exits while it is held. */
		if (i % 1000 == 0) {
			while (__atomic_exchange_n(&lock, 1, __ATOMIC_ACQUIRE))
				guest_pause();
			guest_cpuid(&(uint32_t){ 0 }, &(uint32_t){ 0 }, &(uint32_t){ 0 },
				    &(uint32_t){ 0 });
			__atomic_store_n(&lock, 0, __ATOMIC_RELEASE);
		}
	}
	guest_done();
}

TEST_F(smp, atomics)
{
	int i;

	counter = ready = lock = 0;
	for (i = 0; i < NR; i++)
		start(self, guest_add);
	EXPECT_EQ(NULL, join(self));
	EXPECT_EQ(NR * 20000, counter);
}

static void on_ipi(struct guest_frame *f)
{
	ipis[LAPIC(0x20) >> 24]++;
	LAPIC(0xb0) = 0;
}

#define ROUNDS	200

static void guest_ipis(void)
{
	unsigned int me = LAPIC(0x20) >> 24, i, j;

	guest_handlers[0x60] = on_ipi;
	LAPIC(0xf0) = 0x1ff;
	__atomic_fetch_add(&ready, 1, __ATOMIC_SEQ_CST);
	while (ready < NR)
		guest_pause();
	guest_sti();
	for (i = 1; i <= ROUNDS; i++) {
		if (!me) {
			LAPIC(0x300) = 0xc0060;			/* all but self */
			for (j = 1; j < NR; j++)
				while (ipis[j] < i)
					guest_pause();
		} else {
			while (ipis[me] < i) {
				guest_cli();
				if (ipis[me] < i)
					guest_sti_hlt();
				guest_sti();
			}
		}
	}
	guest_cli();
	guest_done();
}

TEST_F(smp, broadcast_to_halted_vcpus)
{
	int i;

	ready = 0;
	memset((void *)ipis, 0, sizeof(ipis));
	for (i = 0; i < NR; i++)
		start(self, guest_ipis);
	EXPECT_EQ(NULL, join(self));
	EXPECT_EQ(0, ipis[0]);
	for (i = 1; i < NR; i++)
		EXPECT_EQ(ROUNDS, ipis[i]);
}

/* ---- the VMM's side ---- */

static volatile uint64_t beats[TEST_MAX_VCPUS];

static void guest_beat(void)
{
	uint64_t me = __atomic_fetch_add(&my_id, 1, __ATOMIC_SEQ_CST);

	guest_sti();
	for (;;)
		beats[me]++;
}

/* vCPUs join while others run, and each can be stopped and asked. */
TEST_F(smp, vcpus_join_running_ones)
{
	struct kvm_regs r;
	unsigned int i;

	my_id = 0;
	memset((void *)beats, 0, sizeof(beats));
	for (i = 0; i < TEST_MAX_VCPUS; i++) {
		start(self, guest_beat);
		while (!beats[i])
			usleep(500);
	}
	EXPECT_EQ(NULL, stop_all(self));
	for (i = 0; i < TEST_MAX_VCPUS; i++) {
		ASSERT_EQ(0, ioctl(self->vm.vcpu[i].fd, KVM_GET_REGS, &r));
		EXPECT_NE(0, r.rip);
	}
}

static volatile uint64_t backwards, mixed;

/* Time, and registers that the host must not lose, on whatever CPU this happens to be. */
static void guest_migrate(void)
{
	uint64_t last = guest_rdtsc(), t, x[2] = { 0x123456789abcdef0, 0x0fedcba987654321 }, y[2];

	__asm__ volatile("movdqu %0, %%xmm7; fldpi" : : "m" (x));
	guest_sti();
	for (;;) {
		t = guest_rdtsc();
		if (t < last)
			backwards++;
		last = t;
		__asm__ volatile("movdqu %%xmm7, %0" : "=m" (y));
		if (x[0] != y[0] || x[1] != y[1])
			mixed++;
		seen = t;
	}
}

TEST_F(smp, migrates_between_cpus)
{
	int cpus = sysconf(_SC_NPROCESSORS_ONLN), i;
	cpu_set_t set;

	if (cpus < 2)
		SKIP(return, "one CPU");
	backwards = mixed = 0;
	start(self, guest_migrate);
	for (i = 0; i < 200; i++) {
		CPU_ZERO(&set);
		CPU_SET(i % cpus, &set);
		ASSERT_EQ(0, pthread_setaffinity_np(self->threads[0], sizeof(set), &set));
		usleep(5000);
	}
	EXPECT_EQ(NULL, stop_all(self));
	EXPECT_EQ(0, backwards);
	EXPECT_EQ(0, mixed);
}

TEST_HARNESS_MAIN
