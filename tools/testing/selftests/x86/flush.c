// SPDX-License-Identifier: GPL-2.0-only
/*
 * Translations that must be gone. A guest spins, without an exit of its own, on a page that the host
 * takes away, and must see the change as soon as the host goes on: on another CPU if there are two.
 * With a build of KEEL_DEBUG=1 the same program is what the flush proof looks at, and the races of the
 * retry rule are made wide.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "kselftest_harness.h"
#include "testvm.h"

#define PAGE		4096ull
#define LARGE		(2ull << 20)
#define SLOT_SIZE	(4ull << 20)
#define HOLE		0ull		/* what the guest reads where no slot is */

/* In the program's image, so the guest has them too. */
static volatile uint64_t now;		/* the round: what the page must say from now on */
static volatile uint64_t seen;		/* the last round that the guest has seen in the page */
static volatile uint64_t stop, late;	/* late: the round at which the guest read an old page */
static volatile uint64_t *watched;

FIXTURE(flush)
{
	struct test_vm vm;
	struct test_vcpu *vcpu;
	pthread_t thread;
	bool started;
	uint8_t *area, *mem;
};

FIXTURE_SETUP(flush)
{
	vm_create(&self->vm, TEST_IRQCHIP_NONE);
	self->vcpu = vcpu_create(&self->vm, 0);
	self->area = mmap(NULL, SLOT_SIZE + LARGE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->area);
	self->mem = (uint8_t *)(((uintptr_t)self->area + LARGE - 1) & ~(LARGE - 1));
	now = seen = stop = late = 0;
	watched = (void *)GPA_FREE;
}

/* vCPUs on the second CPU, if there is one, the host's work on the first. */
static void pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

static void *run_vcpu(void *p)
{
	struct test_vcpu *v = p;
	uint64_t arg;

	pin(sysconf(_SC_NPROCESSORS_ONLN) - 1);
	for (;;) {
		if (vcpu_run(v, &arg) != MSG_NONE)
			return NULL;
		if (v->run->exit_reason == KVM_EXIT_MMIO && !v->run->mmio.is_write)
			*(uint64_t *)v->run->mmio.data = HOLE;
		else if (v->run->exit_reason != KVM_EXIT_MMIO && v->run->exit_reason != KVM_EXIT_INTR)
			return (void *)1;
	}
}

static int vcpu_join(pthread_t thread)
{
	void *ret;

	stop = 1;
	pthread_join(thread, &ret);
	return ret ? -1 : 0;
}

FIXTURE_TEARDOWN(flush)
{
	vm_destroy(&self->vm);
	munmap(self->area, SLOT_SIZE + LARGE);
}

#define start_guest(fn)								\
	do {									\
		pin(0);								\
		vcpu_start(self->vcpu, fn);					\
		ASSERT_EQ(0, pthread_create(&self->thread, NULL, run_vcpu, self->vcpu)); \
	} while (0)

/* Rounds only rise. What was read after the round was told must not be older than it. */
/*
 * With interrupts on, though none come: Bochs leaves a guest that began without IF only by an exit of the
 * guest's own.
 */
static void guest_watch(void)
{
	guest_sti();
	while (!stop) {
		uint64_t told = now, val = *watched;

		if (val != HOLE)
			seen = val;
		if (val != HOLE && val < told) {
			late = told;
			guest_done();
		}
	}
	guest_done();
}

/* Until the guest has seen round @n, or has failed. */
static void wait_seen(uint64_t n)
{
	while (seen < n && !late)
		usleep(100);
}

/* A new page with the round's number where the old one was. */
static void replace_page(uint8_t *at, uint64_t n)
{
	uint64_t *new = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	*new = n;
	/* Atomic: whoever looks finds the old page or the new one. */
	if (mremap(new, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, at) != at)
		abort();
}

static void replace_rounds(uint8_t *at, int rounds)
{
	uint64_t n;

	for (n = now + 1, rounds += now; n <= rounds && !late; n++) {
		replace_page(at, n);
		now = n;
		wait_seen(n);
	}
}

TEST_F_TIMEOUT(flush, page_replaced, 200)
{
	vm_set_region(&self->vm, SLOT_FREE, GPA_FREE, SLOT_SIZE, self->mem, 0);
	start_guest(guest_watch);
	replace_rounds(self->mem, 50);
	ASSERT_EQ(0, vcpu_join(self->thread));
	EXPECT_EQ(0, late);
	EXPECT_EQ(50, seen);
}

/* The page is emptied, and the host writes to what is there then. */
TEST_F_TIMEOUT(flush, page_dropped, 200)
{
	uint64_t n;

	vm_set_region(&self->vm, SLOT_FREE, GPA_FREE, SLOT_SIZE, self->mem, 0);
	start_guest(guest_watch);
	for (n = 1; n <= 50 && !late; n++) {
		madvise(self->mem, PAGE, MADV_DONTNEED);
		*(volatile uint64_t *)self->mem = n;
		now = n;
		/* Empty for a moment: the guest may have seen 0, which it takes for a hole. */
		wait_seen(n);
	}
	ASSERT_EQ(0, vcpu_join(self->thread));
	EXPECT_EQ(0, late);
}

TEST_F_TIMEOUT(flush, slot_replaced, 200)
{
	uint64_t n;

	start_guest(guest_watch);
	for (n = 1; n <= 20 && !late; n++) {
		uint8_t *hva = self->mem + (n & 1) * LARGE;

		*(volatile uint64_t *)hva = n;
		vm_set_region(&self->vm, SLOT_FREE, GPA_FREE, LARGE, hva, 0);
		/* The slot before this one was deleted: HOLE, then the new one. */
		now = n;
		wait_seen(n);
		now = 0;
		vm_set_region(&self->vm, SLOT_FREE, GPA_FREE, 0, hva, 0);
	}
	ASSERT_EQ(0, vcpu_join(self->thread));
	EXPECT_EQ(0, late);
}

/* What a CPU holds of a vCPU that left it and comes back is as old as that. */
static void guest_report(void)
{
	for (;;)
		guest_sync(*watched);
}

TEST_F_TIMEOUT(flush, vcpu_moved, 200)
{
	int last = sysconf(_SC_NPROCESSORS_ONLN) - 1, n;

	vm_set_region(&self->vm, SLOT_FREE, GPA_FREE, SLOT_SIZE, self->mem, 0);
	vcpu_start(self->vcpu, guest_report);
	for (n = 1; n <= 40; n++) {
		/* Each value is read on both CPUs, and comes while the vCPU is on either. */
		replace_page(self->mem, n);
		EXPECT_EQ(n, vcpu_expect(self->vcpu, MSG_SYNC));
		pin(n % 3 ? last : 0);
		EXPECT_EQ(n, vcpu_expect(self->vcpu, MSG_SYNC));
	}
}

/* ---- the dirty log ---- */

static void guest_write(void)
{
	uint64_t n = 0;

	guest_sti();
	while (!stop)
		*watched = ++n;
	guest_done();
}

/* Bit of the watched page, the first. */
static int log_bit(struct test_vm *vm)
{
	static uint64_t bits[SLOT_SIZE / PAGE / 64];
	struct kvm_dirty_log log = { .slot = SLOT_FREE, .dirty_bitmap = bits };

	return ioctl(vm->fd, KVM_GET_DIRTY_LOG, &log) ? -1 : bits[0] & 1;
}

static int log_clear(struct test_vm *vm)
{
	uint64_t bits = 1;
	struct kvm_clear_dirty_log clear = {
		.slot = SLOT_FREE, .num_pages = 64, .dirty_bitmap = &bits,
	};

	return ioctl(vm->fd, KVM_CLEAR_DIRTY_LOG, &clear);
}

/* Wait for a write that comes after this moment. */
static void wait_write(volatile uint64_t *page)
{
	uint64_t n = *page;

	while (*page == n)
		sched_yield();
}

TEST_F_TIMEOUT(flush, log_started, 200)
{
	int i;

	for (i = 0; i < 10; i++) {
		stop = 0;
		vm_set_region(&self->vm, SLOT_FREE, GPA_FREE, SLOT_SIZE, self->mem, 0);
		start_guest(guest_write);
		wait_write((void *)self->mem);
		vm_set_region(&self->vm, SLOT_FREE, GPA_FREE, SLOT_SIZE, self->mem,
			      KVM_MEM_LOG_DIRTY_PAGES);
		wait_write((void *)self->mem);
		EXPECT_EQ(1, log_bit(&self->vm));
		ASSERT_EQ(0, vcpu_join(self->thread));
	}
}

TEST_F_TIMEOUT(flush, log_read, 200)
{
	int i;

	vm_set_region(&self->vm, SLOT_FREE, GPA_FREE, SLOT_SIZE, self->mem, KVM_MEM_LOG_DIRTY_PAGES);
	start_guest(guest_write);
	for (i = 0; i < 50; i++) {
		wait_write((void *)self->mem);
		EXPECT_EQ(1, log_bit(&self->vm));
	}
	ASSERT_EQ(0, vcpu_join(self->thread));
}

TEST_F_TIMEOUT(flush, log_cleared, 200)
{
	struct kvm_enable_cap cap = {
		.cap = KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2,
		.args[0] = KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE,
	};
	int i;

	ASSERT_EQ(0, ioctl(self->vm.fd, KVM_ENABLE_CAP, &cap));
	vm_set_region(&self->vm, SLOT_FREE, GPA_FREE, SLOT_SIZE, self->mem, KVM_MEM_LOG_DIRTY_PAGES);
	start_guest(guest_write);
	wait_write((void *)self->mem);
	for (i = 0; i < 50; i++) {
		ASSERT_EQ(0, log_clear(&self->vm));
		wait_write((void *)self->mem);
		EXPECT_EQ(1, log_bit(&self->vm));
	}
	ASSERT_EQ(0, vcpu_join(self->thread));
}

/* Large pages that a log splits: one that is written to is removed for a small one. */
static void guest_write_pages(void)
{
	uint64_t i;

	for (i = 0; i < SLOT_SIZE / PAGE; i++)
		*(volatile uint64_t *)(GPA_FREE + i * PAGE) = i + 1;
	guest_sync(0);
	for (i = 0; i < SLOT_SIZE / PAGE; i++)
		*(volatile uint64_t *)(GPA_FREE + i * PAGE) = i + 2;
	guest_done();
}

TEST_F_TIMEOUT(flush, large_pages_split, 200)
{
	uint64_t i;

	madvise(self->mem, SLOT_SIZE, MADV_HUGEPAGE);
	memset(self->mem, 1, SLOT_SIZE);
	vm_set_region(&self->vm, SLOT_FREE, GPA_FREE, SLOT_SIZE, self->mem, 0);
	vcpu_start(self->vcpu, guest_write_pages);
	vcpu_expect(self->vcpu, MSG_SYNC);
	vm_set_region(&self->vm, SLOT_FREE, GPA_FREE, SLOT_SIZE, self->mem, KVM_MEM_LOG_DIRTY_PAGES);
	vcpu_expect(self->vcpu, MSG_DONE);
	EXPECT_EQ(1, log_bit(&self->vm));
	for (i = 0; i < SLOT_SIZE / PAGE; i++)
		ASSERT_EQ(i + 2, *(uint64_t *)(self->mem + i * PAGE));
}

/* ---- the retry rule, with its races made wide ---- */

static bool set_delay(const char *name, const char *us)
{
	char path[100];
	bool ok;
	int fd;

	snprintf(path, sizeof(path), "/sys/module/kvm/parameters/%s", name);
	fd = open(path, O_WRONLY);
	if (fd < 0)
		return false;
	ok = write(fd, us, strlen(us)) > 0;
	close(fd);
	return ok;
}

static void race_rounds(struct __test_metadata *_metadata, FIXTURE_DATA(flush) *self,
			const char *delay)
{
	if (!set_delay(delay, "3000"))
		SKIP(return, "needs a build with KEEL_DEBUG=1");
	vm_set_region(&self->vm, SLOT_FREE, GPA_FREE, SLOT_SIZE, self->mem, 0);
	start_guest(guest_watch);
	replace_rounds(self->mem, 15);
	set_delay(delay, "0");
	ASSERT_EQ(0, vcpu_join(self->thread));
	EXPECT_EQ(0, late);
}

/* The page that a fault has found goes before it is mapped. */
TEST_F_TIMEOUT(flush, slow_fault, 200)
{
	uint64_t n;

	if (!set_delay("debug_fault_delay", "3000"))
		SKIP(return, "needs a build with KEEL_DEBUG=1");
	vm_set_region(&self->vm, SLOT_FREE, GPA_FREE, SLOT_SIZE, self->mem, 0);
	start_guest(guest_watch);
	for (n = 2; n <= 60 && !late; n += 2) {
		/* The first makes the guest fault; the second comes in the middle of that. */
		replace_page(self->mem, n - 1);
		usleep(1500);
		replace_page(self->mem, n);
		now = n;
		wait_seen(n);
	}
	set_delay("debug_fault_delay", "0");
	ASSERT_EQ(0, vcpu_join(self->thread));
	EXPECT_EQ(0, late);
}

/* A fault finds a page that the host is about to take. */
TEST_F_TIMEOUT(flush, slow_invalidation, 200)
{
	race_rounds(_metadata, self, "debug_invalidate_delay");
}

TEST_HARNESS_MAIN
