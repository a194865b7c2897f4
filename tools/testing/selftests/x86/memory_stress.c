// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory under pressure: the host takes pages away, write-protects, forks, moves and splits while
 * vCPUs work on them; a live migration by the dirty log. What is checked is always the data.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include "kselftest_harness.h"
#include "hostmem.h"

#define VCPUS		2
#define SIZE		(8ull << 20)
#define PAGES		(SIZE / PAGE)
#define ROUNDS		60

static volatile uint64_t stop, loops[VCPUS];

FIXTURE(stress)
{
	struct test_vm vm;
	struct test_vcpu *vcpu[VCPUS];
	uint8_t *area, *mem;	/* mem: large-page aligned */
	pthread_t thread[VCPUS];
};

FIXTURE_SETUP(stress)
{
	int i;

	vm_create(&self->vm, TEST_IRQCHIP_NONE);
	for (i = 0; i < VCPUS; i++)
		self->vcpu[i] = vcpu_create(&self->vm, i);
	self->area = mmap(NULL, SIZE + LARGE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->area);
	self->mem = (uint8_t *)(((uintptr_t)self->area + LARGE - 1) & ~(LARGE - 1));
	madvise(self->mem, SIZE, MADV_HUGEPAGE);
	stop = 0;
	memset((void *)loops, 0, sizeof(loops));
}

FIXTURE_TEARDOWN(stress)
{
	vm_destroy(&self->vm);
	munmap(self->area, SIZE + LARGE);
}

static void *run_to_end(void *p)
{
	struct test_vcpu *v = p;
	uint64_t arg = 0;
	enum guest_msg m = vcpu_run(v, &arg);

	return m == MSG_DONE ? NULL : (void *)(uintptr_t)(m == MSG_FAIL ? arg :
							   1000 + v->run->exit_reason);
}

/*
 * None come; but Bochs leaves a guest that began with interrupts off only by an exit of the guest's
 * own.
 */
static void interrupts_on(struct test_vcpu *v)
{
	struct kvm_regs r;

	ioctl(v->fd, KVM_GET_REGS, &r);
	r.rflags |= 0x200;
	ioctl(v->fd, KVM_SET_REGS, &r);
}

static void start(struct __test_metadata *_metadata, FIXTURE_DATA(stress) *self,
		  void (*fn[VCPUS])(void))
{
	int i;

	for (i = 0; i < VCPUS; i++) {
		vcpu_start(self->vcpu[i], fn[i]);
		interrupts_on(self->vcpu[i]);
		ASSERT_EQ(0, pthread_create(&self->thread[i], NULL, run_to_end, self->vcpu[i]));
	}
}

static void finish(struct __test_metadata *_metadata, FIXTURE_DATA(stress) *self)
{
	void *ret;
	int i;

	stop = 1;
	for (i = 0; i < VCPUS; i++) {
		pthread_join(self->thread[i], &ret);
		/* A guest's failed assertion: its line. */
		EXPECT_EQ(0, (uintptr_t)ret);
		EXPECT_GT(loops[i], 0);
	}
}

static uint64_t next(uint64_t *seed)
{
	*seed = *seed * 6364136223846793005ull + 1442695040888963407ull;
	return *seed >> 33;
}

/* ---- the host's mappings change ---- */

#define WORD(page, i)	(((volatile uint64_t *)(GPA_FREE + (page) * PAGE))[i])
#define TAG(page, i)	(0x5a17000000000000ull | (page) << 8 | (i))

/* Each vCPU owns one word of each page: it holds its tag, or 0 when the page was dropped. */
static void touch_pages(int me, bool may_vanish)
{
	uint64_t seed = me + 1;

	while (!stop) {
		uint64_t page = next(&seed) % PAGES, v = WORD(page, me);

		guest_assert(v == TAG(page, me) || (v == 0 && may_vanish));
		WORD(page, me) = TAG(page, me);
		loops[me]++;
	}
	guest_done();
}

static void vanish0(void) { touch_pages(0, true); }
static void vanish1(void) { touch_pages(1, true); }

TEST_F_TIMEOUT(stress, pages_are_taken_away, 300)
{
	void (*fn[VCPUS])(void) = { vanish0, vanish1 };
	uint64_t seed = 42;
	uint8_t *other;
	int i;

	ASSERT_EQ(0, vm_set_region(&self->vm, SLOT_FREE, GPA_FREE, SIZE, self->mem, 0));
	start(_metadata, self, fn);
	for (i = 0; i < ROUNDS; i++) {
		uint64_t page = next(&seed) % PAGES;
		uint64_t len = 1 + next(&seed) % (i % 8 ? 16 : PAGES);

		if (page + len > PAGES)
			len = PAGES - page;
		madvise(self->mem + page * PAGE, len * PAGE, MADV_DONTNEED);
		/* Whoever still uses one of the dropped pages meets this. */
		other = mmap(NULL, 16 * PAGE, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
		ASSERT_NE(MAP_FAILED, other);
		memset(other, 0xd5, 16 * PAGE);
		munmap(other, 16 * PAGE);
		if (i % 16 == 0)
			madvise(self->mem, SIZE, i % 32 ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
	}
	finish(_metadata, self);
}

static void keep0(void) { touch_pages(0, false); }
static void keep1(void) { touch_pages(1, false); }

/* Copy on write and protection: the guest's writes stay in the VMM's own memory. */
TEST_F_TIMEOUT(stress, forks_and_protection, 300)
{
	void (*fn[VCPUS])(void) = { keep0, keep1 };
	uint64_t page, *w, seed = 7;
	int i, status;
	pid_t pid;

	for (page = 0; page < PAGES; page++) {
		w = (uint64_t *)(self->mem + page * PAGE);
		w[0] = TAG(page, 0);
		w[1] = TAG(page, 1);
	}
	ASSERT_EQ(0, vm_set_region(&self->vm, SLOT_FREE, GPA_FREE, SIZE, self->mem, 0));
	start(_metadata, self, fn);
	for (i = 0; i < ROUNDS / 6; i++) {
		pid = fork();
		ASSERT_LE(0, pid);
		if (!pid) {
			/* The child's copy: nothing of this may be seen by the guest. */
			for (page = 0; page < PAGES; page += 3)
				memset(self->mem + page * PAGE, 0xcc, 64);
			_exit(0);
		}
		page = next(&seed) % (PAGES - 64);
		mprotect(self->mem + page * PAGE, 64 * PAGE, PROT_READ | PROT_WRITE | PROT_EXEC);
		mprotect(self->mem + page * PAGE, 64 * PAGE, PROT_READ | PROT_WRITE);
		waitpid(pid, &status, 0);
	}
	finish(_metadata, self);
	for (page = 0; page < PAGES; page++) {
		w = (uint64_t *)(self->mem + page * PAGE);
		ASSERT_EQ(TAG(page, 0), w[0]);
		ASSERT_EQ(TAG(page, 1), w[1]);
	}
}

/* ---- large pages ---- */

static void write_all(void)
{
	uint64_t page;

	for (;;) {
		for (page = 0; page < PAGES; page++)
			WORD(page, 0)++;
		guest_sync(0);
	}
}

TEST_F_TIMEOUT(stress, large_pages, 300)
{
	struct test_vcpu *v = self->vcpu[0];

	memset(self->mem, 1, SIZE);
	if (host_smaps(self->mem, "AnonHugePages") < (long)(SIZE / 1024))
		SKIP(return, "the host gives no large pages");
	ASSERT_EQ(0, vm_set_region(&self->vm, SLOT_FREE, GPA_FREE, SIZE, self->mem, 0));
	vcpu_start(v, write_all);
	vcpu_expect(v, MSG_SYNC);
	EXPECT_LE((int64_t)(SIZE / LARGE), kvm_stat(self->vm.fd, "pages_2m"));

	/* The dirty log splits them, before a vCPU has to; its end brings them back. */
	ASSERT_EQ(0, vm_set_region(&self->vm, SLOT_FREE, GPA_FREE, SIZE, self->mem,
				   KVM_MEM_LOG_DIRTY_PAGES));
	if (on_keel())
		EXPECT_LE((int64_t)PAGES, kvm_stat(self->vm.fd, "pages_4k"));
	vcpu_expect(v, MSG_SYNC);
	EXPECT_LE((int64_t)PAGES, kvm_stat(self->vm.fd, "pages_4k"));
	ASSERT_EQ(0, vm_set_region(&self->vm, SLOT_FREE, GPA_FREE, SIZE, self->mem, 0));
	vcpu_expect(v, MSG_SYNC);
	EXPECT_GT((int64_t)PAGES, kvm_stat(self->vm.fd, "pages_4k"));
	EXPECT_LE((int64_t)(SIZE / LARGE), kvm_stat(self->vm.fd, "pages_2m"));
	ASSERT_EQ(0, vm_set_region(&self->vm, SLOT_FREE, 0, 0, self->mem, 0));
	EXPECT_GT((int64_t)(SIZE / LARGE), kvm_stat(self->vm.fd, "pages_2m"));
}

/* All bits set at the start: split, and protected, is what userspace clears. */
TEST_F_TIMEOUT(stress, large_pages_split_by_clearing, 300)
{
	struct kvm_enable_cap cap = { .cap = KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2,
				      .args = { KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE |
						KVM_DIRTY_LOG_INITIALLY_SET } };
	static uint64_t bits[PAGES / 64], got[PAGES / 64];
	struct kvm_dirty_log log = { .slot = SLOT_FREE, .dirty_bitmap = got };
	struct kvm_clear_dirty_log clear = { .slot = SLOT_FREE, .first_page = LARGE / PAGE,
					     .num_pages = LARGE / PAGE, .dirty_bitmap = bits };
	int64_t small, large;
	unsigned int i;

	memset(self->mem, 1, SIZE);
	if (host_smaps(self->mem, "AnonHugePages") < (long)(SIZE / 1024))
		SKIP(return, "the host gives no large pages");
	ASSERT_EQ(0, ioctl(self->vm.fd, KVM_ENABLE_CAP, &cap));
	ASSERT_EQ(0, vm_set_region(&self->vm, SLOT_FREE, GPA_FREE, SIZE, self->mem, 0));
	vcpu_start(self->vcpu[0], write_all);
	vcpu_expect(self->vcpu[0], MSG_SYNC);
	large = kvm_stat(self->vm.fd, "pages_2m");
	small = kvm_stat(self->vm.fd, "pages_4k");
	ASSERT_EQ(0, vm_set_region(&self->vm, SLOT_FREE, GPA_FREE, SIZE, self->mem,
				   KVM_MEM_LOG_DIRTY_PAGES));
	if (on_keel())
		EXPECT_EQ(large, kvm_stat(self->vm.fd, "pages_2m"));
	/* Every third page of the second large page. */
	for (i = 0; i < LARGE / PAGE; i += 3)
		bits[i / 64] |= 1ull << i % 64;
	ASSERT_EQ(0, ioctl(self->vm.fd, KVM_CLEAR_DIRTY_LOG, &clear));
	if (on_keel()) {
		EXPECT_EQ(large - 1, kvm_stat(self->vm.fd, "pages_2m"));
		EXPECT_EQ(small + (int64_t)(LARGE / PAGE), kvm_stat(self->vm.fd, "pages_4k"));
	}
	ASSERT_EQ(0, ioctl(self->vm.fd, KVM_GET_DIRTY_LOG, &log));
	for (i = 0; i < PAGES; i++) {
		bool cleared = i >= LARGE / PAGE && i < 2 * LARGE / PAGE &&
			       (i - LARGE / PAGE) % 3 == 0;

		ASSERT_EQ(!cleared, got[i / 64] >> i % 64 & 1);
	}
	vcpu_expect(self->vcpu[0], MSG_SYNC);
	ASSERT_EQ(0, ioctl(self->vm.fd, KVM_GET_DIRTY_LOG, &log));
	for (i = 0; i < PAGES / 64; i++)
		ASSERT_EQ(~0ull, got[i]);
	/* The end of the log: the small pages that no large one can replace go on being used. */
	ASSERT_EQ(0, vm_set_region(&self->vm, SLOT_FREE, GPA_FREE, SIZE, self->mem, 0));
	vcpu_expect(self->vcpu[0], MSG_SYNC);
	if (on_keel())
		EXPECT_EQ(large, kvm_stat(self->vm.fd, "pages_2m"));
}

/* ---- live migration ---- */

static void count_pages(int me)
{
	uint64_t seed = me + 99;

	while (!stop) {
		WORD(next(&seed) % PAGES, me)++;
		loops[me]++;
	}
	guest_done();
}

static void count0(void) { count_pages(0); }
static void count1(void) { count_pages(1); }

static uint64_t bitmap[PAGES / 64];

/* One pass: get the log (and clear it by hand), copy what is dirty; number of pages. */
static int migrate_pass(struct __test_metadata *_metadata, FIXTURE_DATA(stress) *self,
			uint8_t *copy, bool manual)
{
	struct kvm_dirty_log log = { .slot = SLOT_FREE, .dirty_bitmap = bitmap };
	struct kvm_clear_dirty_log clear = { .slot = SLOT_FREE, .num_pages = PAGES,
					     .dirty_bitmap = bitmap };
	uint64_t page;
	int n = 0;

	EXPECT_EQ(0, ioctl(self->vm.fd, KVM_GET_DIRTY_LOG, &log));
	if (manual)
		EXPECT_EQ(0, ioctl(self->vm.fd, KVM_CLEAR_DIRTY_LOG, &clear));
	for (page = 0; page < PAGES; page++) {
		if (!(bitmap[page / 64] >> page % 64 & 1))
			continue;
		memcpy(copy + page * PAGE, self->mem + page * PAGE, PAGE);
		n++;
	}
	return n;
}

static void migrate(struct __test_metadata *_metadata, FIXTURE_DATA(stress) *self, bool manual)
{
	void (*fn[VCPUS])(void) = { count0, count1 };
	uint8_t *copy = calloc(PAGES, PAGE);
	int i, n, max = 0;

	memset(self->mem, 0, SIZE);
	ASSERT_EQ(0, vm_set_region(&self->vm, SLOT_FREE, GPA_FREE, SIZE, self->mem, 0));
	start(_metadata, self, fn);
	usleep(200000);
	ASSERT_EQ(0, vm_set_region(&self->vm, SLOT_FREE, GPA_FREE, SIZE, self->mem,
				   KVM_MEM_LOG_DIRTY_PAGES));
	memcpy(copy, self->mem, SIZE);
	for (i = 0; i < ROUNDS / 2; i++) {
		n = migrate_pass(_metadata, self, copy, manual);
		max = n > max ? n : max;
	}
	finish(_metadata, self);
	migrate_pass(_metadata, self, copy, manual);
	EXPECT_GT(max, 0);
	EXPECT_EQ(0, memcmp(copy, self->mem, SIZE));
	/* Nothing writes any more. */
	EXPECT_EQ(0, migrate_pass(_metadata, self, copy, manual));
	free(copy);
}

TEST_F_TIMEOUT(stress, migration, 300)
{
	migrate(_metadata, self, false);
}

TEST_F_TIMEOUT(stress, migration_with_manual_clear, 300)
{
	struct kvm_enable_cap cap = { .cap = KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2,
				      .args = { KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE } };

	ASSERT_EQ(0, ioctl(self->vm.fd, KVM_ENABLE_CAP, &cap));
	migrate(_metadata, self, true);
}

TEST_F_TIMEOUT(stress, migration_initially_set, 300)
{
	struct kvm_enable_cap cap = { .cap = KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2,
				      .args = { KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE |
						KVM_DIRTY_LOG_INITIALLY_SET } };

	ASSERT_EQ(0, ioctl(self->vm.fd, KVM_ENABLE_CAP, &cap));
	migrate(_metadata, self, true);
}

TEST_HARNESS_MAIN
