// SPDX-License-Identifier: GPL-2.0-only
/* The dirty log as a ring per vCPU, alone and with the bitmap behind it. */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "kselftest_harness.h"
#include "testvm.h"

#define PAGE		4096ull
#define PAGES		2048ull
/* More than one exit may need: 64, and the 512 of a page-modification log. */
#define ENTRIES		1024u
#define RING_BYTES	(ENTRIES * sizeof(struct kvm_dirty_gfn))
#define RING_OFFSET	(KVM_DIRTY_LOG_PAGE_OFFSET * PAGE)

static volatile uint64_t from, count, step = 1;

static void guest_write(void)
{
	for (;;) {
		uint64_t i;

		for (i = 0; i < count; i++)
			++*(volatile uint64_t *)(GPA_FREE + (from + i * step) * PAGE);
		guest_sync(i);
	}
}

static int enable(struct test_vm *vm, uint32_t cap, uint64_t arg)
{
	struct kvm_enable_cap c = { .cap = cap, .args = { arg } };

	return ioctl(vm->fd, KVM_ENABLE_CAP, &c);
}

FIXTURE(ring)
{
	struct test_vm vm;
	struct test_vcpu *v[2];
	struct kvm_dirty_gfn *ring[2];
	uint32_t next[2];
	uint8_t *mem;
};

FIXTURE_SETUP(ring)
{
	vm_create(&self->vm, TEST_IRQCHIP_NONE);
	if (!kvm_cap(self->vm.fd, KVM_CAP_DIRTY_LOG_RING))
		SKIP(return, "no dirty ring");
	self->mem = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			 -1, 0);
	ASSERT_NE(MAP_FAILED, self->mem);
}

FIXTURE_TEARDOWN(ring)
{
	vm_destroy(&self->vm);
	if (self->mem)
		munmap(self->mem, PAGES * PAGE);
}

static void open_ring(struct __test_metadata *_metadata, FIXTURE_DATA(ring) *self, int i)
{
	self->v[i] = vcpu_create(&self->vm, i);
	self->ring[i] = mmap(NULL, RING_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED,
			     self->v[i]->fd, RING_OFFSET);
	ASSERT_NE(MAP_FAILED, self->ring[i]);
	vcpu_start(self->v[i], guest_write);
}

static void start(struct __test_metadata *_metadata, FIXTURE_DATA(ring) *self, uint32_t flags)
{
	ASSERT_EQ(0, enable(&self->vm, KVM_CAP_DIRTY_LOG_RING, RING_BYTES));
	open_ring(_metadata, self, 0);
	ASSERT_EQ(0, vm_set_region(&self->vm, SLOT_FREE, GPA_FREE, PAGES * PAGE, self->mem, flags));
}

/* Take the entries of vCPU @i; the frames' numbers go to @seen (a count per page). */
static int harvest(FIXTURE_DATA(ring) *self, int i, uint8_t *seen)
{
	int n = 0;

	for (;; n++) {
		struct kvm_dirty_gfn *e = &self->ring[i][self->next[i] % ENTRIES];

		if (__atomic_load_n(&e->flags, __ATOMIC_ACQUIRE) != KVM_DIRTY_GFN_F_DIRTY)
			return n;
		if (e->slot != SLOT_FREE || e->offset >= PAGES)
			return -1;
		if (seen)
			seen[e->offset]++;
		__atomic_store_n(&e->flags, KVM_DIRTY_GFN_F_RESET, __ATOMIC_RELEASE);
		self->next[i]++;
	}
}

static void write_pages(struct test_vcpu *v, uint64_t first, uint64_t n)
{
	from = first;
	count = n;
	vcpu_expect(v, MSG_SYNC);
}

#define RESET()	ioctl(self->vm.fd, KVM_RESET_DIRTY_RINGS, 0)

TEST_F(ring, enable)
{
	EXPECT_EQ(65536 * 16, kvm_cap(self->vm.fd, KVM_CAP_DIRTY_LOG_RING));
	EXPECT_EQ(65536 * 16, kvm_cap(self->vm.fd, KVM_CAP_DIRTY_LOG_RING_ACQ_REL));
	EXPECT_ERR(EINVAL, RESET());
	EXPECT_ERR(EINVAL, enable(&self->vm, KVM_CAP_DIRTY_LOG_RING, 0));
	EXPECT_ERR(EINVAL, enable(&self->vm, KVM_CAP_DIRTY_LOG_RING, PAGE + 16));
	EXPECT_ERR(EINVAL, enable(&self->vm, KVM_CAP_DIRTY_LOG_RING, 512));
	EXPECT_ERR(E2BIG, enable(&self->vm, KVM_CAP_DIRTY_LOG_RING, 2 << 20));
	ASSERT_EQ(0, enable(&self->vm, KVM_CAP_DIRTY_LOG_RING_ACQ_REL, RING_BYTES));
	EXPECT_ERR(EINVAL, enable(&self->vm, KVM_CAP_DIRTY_LOG_RING, RING_BYTES));
	EXPECT_EQ(0, RESET());
}

TEST_F(ring, not_after_the_first_vcpu)
{
	vcpu_create(&self->vm, 0);
	EXPECT_ERR(EINVAL, enable(&self->vm, KVM_CAP_DIRTY_LOG_RING, RING_BYTES));
	EXPECT_ERR(EINVAL, RESET());
}

TEST_F(ring, mapping)
{
	int fd;

	start(_metadata, self, KVM_MEM_LOG_DIRTY_PAGES);
	fd = self->v[0]->fd;
	EXPECT_EQ(MAP_FAILED, mmap(NULL, RING_BYTES, PROT_READ | PROT_EXEC, MAP_SHARED, fd,
				   RING_OFFSET));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(MAP_FAILED, mmap(NULL, RING_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd,
				   RING_OFFSET));
	EXPECT_EQ(EINVAL, errno);
}

TEST_F(ring, no_bitmap_with_a_ring)
{
	uint64_t bits[PAGES / 64];
	struct kvm_dirty_log log = { .slot = SLOT_FREE, .dirty_bitmap = bits };
	struct kvm_clear_dirty_log clear = { .slot = SLOT_FREE, .num_pages = 64,
					     .dirty_bitmap = bits };

	start(_metadata, self, KVM_MEM_LOG_DIRTY_PAGES);
	EXPECT_ERR(ENXIO, ioctl(self->vm.fd, KVM_GET_DIRTY_LOG, &log));
	EXPECT_ERR(ENXIO, ioctl(self->vm.fd, KVM_CLEAR_DIRTY_LOG, &clear));
}

TEST_F(ring, exact)
{
	uint8_t seen[PAGES] = {};
	int i;

	start(_metadata, self, 0);
	write_pages(self->v[0], 0, 10);		/* not logged yet */
	ASSERT_EQ(0, vm_set_region(&self->vm, SLOT_FREE, GPA_FREE, PAGES * PAGE, self->mem,
				   KVM_MEM_LOG_DIRTY_PAGES));
	EXPECT_EQ(0, harvest(self, 0, seen));
	write_pages(self->v[0], 5, 100);
	write_pages(self->v[0], 5, 100);	/* still writable: no second entry */
	EXPECT_EQ(100, harvest(self, 0, seen));
	for (i = 0; i < (int)PAGES; i++)
		ASSERT_EQ(i >= 5 && i < 105, seen[i]);
	write_pages(self->v[0], 5, 100);
	EXPECT_EQ(0, harvest(self, 0, seen));
	EXPECT_EQ(100, RESET());
	EXPECT_EQ(0, RESET());
	write_pages(self->v[0], 104, 2);
	EXPECT_EQ(2, harvest(self, 0, seen));
	EXPECT_EQ(2, seen[104]);
	EXPECT_EQ(1, seen[105]);
	/* Logging ends, and starts again. */
	ASSERT_EQ(0, vm_set_region(&self->vm, SLOT_FREE, GPA_FREE, PAGES * PAGE, self->mem, 0));
	write_pages(self->v[0], 200, 5);
	EXPECT_EQ(0, harvest(self, 0, seen));
	ASSERT_EQ(0, vm_set_region(&self->vm, SLOT_FREE, GPA_FREE, PAGES * PAGE, self->mem,
				   KVM_MEM_LOG_DIRTY_PAGES));
	write_pages(self->v[0], 200, 5);
	EXPECT_EQ(5, harvest(self, 0, seen));
}

/* The vCPU stops before the ring is full, and goes on when there is room. */
TEST_F(ring, full)
{
	uint8_t seen[PAGES] = {};
	int stops = 0, i, n;

	start(_metadata, self, KVM_MEM_LOG_DIRTY_PAGES);
	from = 0;
	count = PAGES;
	while (vcpu_run(self->v[0], NULL) != MSG_SYNC) {
		ASSERT_EQ(KVM_EXIT_DIRTY_RING_FULL, self->v[0]->run->exit_reason);
		/* And again as long as nobody makes room, also if it was harvested only. */
		ASSERT_EQ(MSG_NONE, vcpu_run(self->v[0], NULL));
		ASSERT_EQ(KVM_EXIT_DIRTY_RING_FULL, self->v[0]->run->exit_reason);
		n = harvest(self, 0, seen);
		ASSERT_LT(ENTRIES / 4, n);
		ASSERT_GT(ENTRIES, n);
		ASSERT_EQ(MSG_NONE, vcpu_run(self->v[0], NULL));
		ASSERT_EQ(n, RESET());
		stops++;
	}
	harvest(self, 0, seen);
	EXPECT_LE(PAGES / ENTRIES, stops);
	/* A page that was logged, and protected again before its write: twice. */
	for (i = 0; i < (int)PAGES; i++)
		ASSERT_LE(1, seen[i]);
}

/* Entries may hold anything when they come back. */
TEST_F(ring, hostile_entries)
{
	uint32_t k;
	int i;

	/* Stock KVM takes back entries that it never gave: its ring may then be full for ever. */
	if (!on_keel())
		SKIP(return, "stock KVM believes the flags");
	start(_metadata, self, KVM_MEM_LOG_DIRTY_PAGES);
	for (i = 0; i < 50; i++) {
		write_pages(self->v[0], 0, 300);
		for (k = 0; k < ENTRIES; k++) {
			struct kvm_dirty_gfn *e = &self->ring[0][k];

			e->slot = (uint32_t[]){ SLOT_FREE, ~0u, 0x7fff, 5 << 16, 1 << 16 }[k % 5];
			e->offset = (uint64_t[]){ ~0ull, PAGES - 1, PAGES, 1ull << 63, 1ull << 31,
						  k * 64 + 63, (1ull << 52) - 1 }[k % 7];
			e->flags = KVM_DIRTY_GFN_F_RESET | (k & 1);
		}
		EXPECT_LE(RESET(), (int)ENTRIES);
		/* All was given back that was in use, and no more. */
		EXPECT_EQ(0, RESET());
	}
}

/* An entry of a slot that was larger comes back beside one of the slot as it is now: the latter is not forgotten. */
TEST_F(ring, beside_an_entry_beyond_the_slot)
{
	if (!on_keel())
		SKIP(return, "stock KVM drops both");
	start(_metadata, self, KVM_MEM_LOG_DIRTY_PAGES);
	write_pages(self->v[0], 40, 1);
	ASSERT_EQ(0, vm_set_region(&self->vm, SLOT_FREE, GPA_FREE, 0, self->mem, 0));
	ASSERT_EQ(0, vm_set_region(&self->vm, SLOT_FREE, GPA_FREE, 10 * PAGE, self->mem,
				   KVM_MEM_LOG_DIRTY_PAGES));
	write_pages(self->v[0], 5, 1);
	EXPECT_EQ(2, harvest(self, 0, NULL));
	EXPECT_EQ(2, RESET());
	write_pages(self->v[0], 5, 1);
	EXPECT_EQ(1, harvest(self, 0, NULL));
}

/* A VMM's ioctl writes guest memory: that is logged as well, where no vCPU ever ran. */
TEST_F(ring, kernel_writes)
{
	struct {
		struct kvm_msrs h;
		struct kvm_msr_entry e;
	} m = { .h.nmsrs = 1, .e = { .index = 0x4b564d00 } };	/* kvmclock's wall clock */
	uint8_t seen[PAGES] = {};
	int i;

	start(_metadata, self, KVM_MEM_LOG_DIRTY_PAGES);
	for (i = 0; i < 1000; i++) {
		m.e.data = GPA_FREE + (7 + i % 2) * PAGE;
		ASSERT_EQ(1, ioctl(self->v[0]->fd, KVM_SET_MSRS, &m));
		if (!on_keel())
			break;	/* stock's ring takes each write */
	}
	EXPECT_LE(1, harvest(self, 0, seen));
	EXPECT_LE(1, seen[7]);
	if (!on_keel())
		return;
	EXPECT_EQ(1, seen[7]);
	EXPECT_EQ(1, seen[8]);
	EXPECT_EQ(2, RESET());
	ASSERT_EQ(1, ioctl(self->v[0]->fd, KVM_SET_MSRS, &m));
	EXPECT_EQ(1, harvest(self, 0, seen));
	/* Another slot of that number is another page. */
	ASSERT_EQ(0, vm_set_region(&self->vm, SLOT_FREE, 0, 0, self->mem, 0));
	ASSERT_EQ(0, vm_set_region(&self->vm, SLOT_FREE, GPA_FREE, PAGES * PAGE, self->mem,
				   KVM_MEM_LOG_DIRTY_PAGES));
	ASSERT_EQ(1, ioctl(self->v[0]->fd, KVM_SET_MSRS, &m));
	EXPECT_EQ(1, harvest(self, 0, seen));
}

/* ---- two vCPUs that never stop, and a copy that must be the same in the end ---- */

static volatile uint64_t stop;

static void guest_count(int me)
{
	uint64_t seed = me + 1;

	while (!stop) {
		seed = seed * 6364136223846793005ull + 1442695040888963407ull;
		((volatile uint64_t *)(GPA_FREE + (seed >> 33) % PAGES * PAGE))[me]++;
	}
	guest_done();
}

static void count0(void) { guest_count(0); }
static void count1(void) { guest_count(1); }

struct runner {
	struct test_vcpu *v;
	uint64_t bad;
};

static void *run(void *p)
{
	struct runner *r = p;

	for (;;) {
		enum guest_msg m = vcpu_run(r->v, NULL);

		if (m == MSG_DONE)
			return NULL;
		if (m != MSG_NONE || r->v->run->exit_reason != KVM_EXIT_DIRTY_RING_FULL) {
			r->bad = 1 + r->v->run->exit_reason;
			return NULL;
		}
		usleep(1000);
	}
}

static int pass(FIXTURE_DATA(ring) *self, uint8_t *copy)
{
	uint8_t seen[PAGES] = {};
	int a = harvest(self, 0, seen), b = harvest(self, 1, seen), n = 0;
	uint64_t i;

	if (a < 0 || b < 0 || RESET() != a + b)
		return -1;
	for (i = 0; i < PAGES; i++) {
		if (!seen[i])
			continue;
		memcpy(copy + i * PAGE, self->mem + i * PAGE, PAGE);
		n++;
	}
	return n;
}

TEST_F_TIMEOUT(ring, migration, 300)
{
	uint8_t *copy = calloc(PAGES, PAGE);
	struct runner r[2] = {};
	pthread_t t[2];
	int i;

	start(_metadata, self, KVM_MEM_LOG_DIRTY_PAGES);
	open_ring(_metadata, self, 1);
	stop = 0;
	for (i = 0; i < 2; i++) {
		vcpu_start(self->v[i], i ? count1 : count0);
		r[i].v = self->v[i];
		ASSERT_EQ(0, pthread_create(&t[i], NULL, run, &r[i]));
	}
	for (i = 0; i < 200; i++) {
		ASSERT_LE(0, pass(self, copy));
		usleep(2000);
	}
	stop = 1;
	/* They may have to wait for room once more. */
	for (i = 0; i < 2; i++) {
		while (pthread_tryjoin_np(t[i], NULL)) {
			ASSERT_LE(0, pass(self, copy));
			usleep(1000);
		}
		EXPECT_EQ(0, r[i].bad);
	}
	ASSERT_LE(0, pass(self, copy));
	EXPECT_EQ(0, memcmp(copy, self->mem, PAGES * PAGE));
	free(copy);
}

/* ---- ring and bitmap together ---- */

TEST_F(ring, with_bitmap_order)
{
	if (!kvm_cap(self->vm.fd, KVM_CAP_DIRTY_LOG_RING_WITH_BITMAP))
		SKIP(return, "no ring with bitmap");
	/* Not before the ring; not once there are slots: vm_create() has made some. */
	EXPECT_ERR(EINVAL, enable(&self->vm, KVM_CAP_DIRTY_LOG_RING_WITH_BITMAP, 0));
	ASSERT_EQ(0, enable(&self->vm, KVM_CAP_DIRTY_LOG_RING_ACQ_REL, RING_BYTES));
	EXPECT_ERR(EINVAL, enable(&self->vm, KVM_CAP_DIRTY_LOG_RING_WITH_BITMAP, 0));
}

TEST_F(ring, with_bitmap)
{
	uint64_t bits[PAGES / 64];
	struct kvm_dirty_log log = { .slot = SLOT_FREE, .dirty_bitmap = bits };
	uint8_t seen[PAGES] = {};
	uint64_t i;

	if (!kvm_cap(self->vm.fd, KVM_CAP_DIRTY_LOG_RING_WITH_BITMAP))
		SKIP(return, "no ring with bitmap");
	vm_take_slots(&self->vm);
	ASSERT_EQ(0, enable(&self->vm, KVM_CAP_DIRTY_LOG_RING_ACQ_REL, RING_BYTES));
	EXPECT_EQ(0, enable(&self->vm, KVM_CAP_DIRTY_LOG_RING_WITH_BITMAP, 0));
	vm_give_slots(&self->vm);
	open_ring(_metadata, self, 0);
	ASSERT_EQ(0, vm_set_region(&self->vm, SLOT_FREE, GPA_FREE, PAGES * PAGE, self->mem,
				   KVM_MEM_LOG_DIRTY_PAGES));
	write_pages(self->v[0], 3, 4);
	/* What a vCPU writes is in its ring; the bitmap is for what has no ring. */
	EXPECT_EQ(4, harvest(self, 0, seen));
	memset(bits, 0xff, sizeof(bits));
	EXPECT_EQ(0, ioctl(self->vm.fd, KVM_GET_DIRTY_LOG, &log));
	for (i = 0; i < PAGES / 64; i++)
		EXPECT_EQ(0, bits[i]);
	log.slot = SLOT_TABLES;
	EXPECT_ERR(ENOENT, ioctl(self->vm.fd, KVM_GET_DIRTY_LOG, &log));
}

TEST_HARNESS_MAIN
