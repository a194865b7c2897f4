// SPDX-License-Identifier: GPL-2.0-only
/* Guest memory: pages that are touched for the first time, dirty logs, slots. Per page or per call. */
#include "bench.h"

#define PAGES	4096ull
#define BYTES	(PAGES * 4096)

static struct test_vm vm;
static struct test_vcpu *vcpu;
static uint8_t *mem;
static uint64_t bitmap[PAGES / 64];

static void touch(void)
{
	uint64_t i;

	for (i = 0; i < PAGES; i++)
		*(volatile uint8_t *)(GPA_FREE + i * 4096) = 1;
}

static void guest_touch_once(void)
{
	bench_begin();
	touch();
	bench_end();
	guest_done();
}

/* Untimed, then each time userspace is through with its part. */
static void guest_touch(void)
{
	for (;;) {
		touch();
		guest_say(MSG_DONE, 0);
	}
}

static void guest_retouch(void)
{
	touch();
	guest_say(MSG_DONE, 0);
	bench_begin();
	touch();
	bench_end();
	guest_done();
}

/* All of it there in the host, in pages of 4 KiB. */
static void open_vm(const struct path *p)
{
	vm_create(&vm, TEST_IRQCHIP_NONE);
	vcpu = vcpu_create(&vm, 0);
	mem = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	madvise(mem, BYTES, MADV_NOHUGEPAGE);
	memset(mem, 1, BYTES);
	must(vm_set_region(&vm, SLOT_FREE, GPA_FREE, BYTES, mem, 0));
	vcpu_start(vcpu, p->guest);
}

static void close_vm(const struct path *p, uint64_t n)
{
	bench_report(p, n);
	vm_destroy(&vm);
	munmap(mem, BYTES);
}

/* ---- larger memories, in large pages ---- */

#define LARGE		(2ull << 20)

static uint64_t touch_bytes, touch_step;

static void touch_range(void)
{
	uint64_t i;

	for (i = 0; i < touch_bytes; i += touch_step)
		*(volatile uint8_t *)(GPA_FREE + i) = 1;
}

static void guest_touch_range_once(void)
{
	bench_begin();
	touch_range();
	bench_end();
	guest_done();
}

static void guest_touch_range(void)
{
	for (;;) {
		touch_range();
		guest_say(MSG_DONE, 0);
	}
}

/* @bytes at GPA_FREE, there in the host; the guest touches one byte in each @step. */
static void open_large(const struct path *p, uint64_t bytes, uint64_t step, int advice)
{
	uint8_t *area;

	vm_create(&vm, TEST_IRQCHIP_NONE);
	vcpu = vcpu_create(&vm, 0);
	touch_bytes = bytes;
	touch_step = step;
	area = mmap(NULL, bytes + LARGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	mem = (uint8_t *)(((uintptr_t)area + LARGE - 1) & ~(LARGE - 1));
	munmap(area, mem - area);
	munmap(mem + bytes, area + LARGE - mem);
	madvise(mem, bytes, advice);
	memset(mem, 1, bytes);
	must(vm_set_region(&vm, SLOT_FREE, GPA_FREE, bytes, mem, 0));
	vcpu_start(vcpu, p->guest);
}

static void close_large(const struct path *p, uint64_t n)
{
	bench_report(p, n);
	vm_destroy(&vm);
	munmap(mem, touch_bytes);
}

#define POPULATED	(64ull << 20)

static void populate_4k(const struct path *p)
{
	open_large(p, POPULATED, 4096, MADV_NOHUGEPAGE);
	vcpu_expect(vcpu, MSG_DONE);
	close_large(p, POPULATED / 4096);
}

static void populate_2m(const struct path *p)
{
	open_large(p, POPULATED, LARGE, MADV_HUGEPAGE);
	vcpu_expect(vcpu, MSG_DONE);
	close_large(p, POPULATED / LARGE);
}

/*
 * A guest of 1 GiB in small pages loses one, many times. The host has 128 MiB: 64 MiB that pages are taken
 * from, and 64 MiB that stand in 15 slots. (The last 64 MiB below 4 GiB are left to the platform.)
 */
#define PARTS	15

static void zap_one(const struct path *p)
{
	uint8_t *rest = mmap(NULL, POPULATED, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			     -1, 0);
	uint64_t i;
	unsigned int r;

	madvise(rest, POPULATED, MADV_NOHUGEPAGE);
	memset(rest, 1, POPULATED);
	open_large(p, POPULATED, 4096, MADV_NOHUGEPAGE);
	for (i = 1; i < PARTS; i++)
		must(vm_set_region(&vm, SLOT_FREE + i, GPA_FREE + i * POPULATED, POPULATED, rest, 0));
	touch_bytes = PARTS * POPULATED;
	vcpu_expect(vcpu, MSG_DONE);
	touch_bytes = POPULATED;
	/* Touching 1 GiB takes longest by far: once for all measurements, each with pages of its own. */
	for (r = 0; r < bench_runs; r++) {
		for (i = 0; i < 64; i++) {
			uint8_t *page = mem + (r * 64 + i) * 61 % (POPULATED / 4096) * 4096;

			bench_begin();
			must(madvise(page, 4096, MADV_DONTNEED));
			bench_end();
			*(volatile uint8_t *)page = 1;
		}
		bench_report(p, 64);
	}
	munmap(rest, POPULATED);
	vm_destroy(&vm);
	munmap(mem, touch_bytes);
}

static void teardown(const struct path *p)
{
	open_large(p, POPULATED, 4096, MADV_NOHUGEPAGE);
	vcpu_expect(vcpu, MSG_DONE);
	bench_begin();
	vm_destroy(&vm);
	bench_end();
	bench_report(p, 1);
	munmap(mem, touch_bytes);
}

static void set_log(bool on)
{
	must(vm_set_region(&vm, SLOT_FREE, GPA_FREE, BYTES, mem, on ? KVM_MEM_LOG_DIRTY_PAGES : 0));
}

static void get_log(void)
{
	struct kvm_dirty_log log = { .slot = SLOT_FREE, .dirty_bitmap = bitmap };

	must(ioctl(vm.fd, KVM_GET_DIRTY_LOG, &log));
}

static void first_touch(const struct path *p)
{
	open_vm(p);
	vcpu_expect(vcpu, MSG_DONE);
	close_vm(p, PAGES);
}

static void log_start(const struct path *p)
{
	open_vm(p);
	vcpu_expect(vcpu, MSG_DONE);
	bench_begin();
	set_log(true);
	bench_end();
	close_vm(p, PAGES);
}

static void redirty(const struct path *p)
{
	open_vm(p);
	vcpu_expect(vcpu, MSG_DONE);
	set_log(true);
	vcpu_expect(vcpu, MSG_DONE);
	close_vm(p, PAGES);
}

static void log_get(const struct path *p)
{
	open_vm(p);
	vcpu_expect(vcpu, MSG_DONE);
	set_log(true);
	vcpu_expect(vcpu, MSG_DONE);
	bench_begin();
	get_log();
	bench_end();
	close_vm(p, PAGES);
}

static void log_stop(const struct path *p)
{
	open_vm(p);
	vcpu_expect(vcpu, MSG_DONE);
	set_log(true);
	vcpu_expect(vcpu, MSG_DONE);
	bench_begin();
	set_log(false);
	bench_end();
	close_vm(p, PAGES);
}

static void log_clear(const struct path *p)
{
	struct kvm_enable_cap cap = { .cap = KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2, .args = { 1 } };
	struct kvm_clear_dirty_log clear = {
		.slot = SLOT_FREE, .num_pages = PAGES, .dirty_bitmap = bitmap,
	};

	open_vm(p);
	must(ioctl(vm.fd, KVM_ENABLE_CAP, &cap));
	vcpu_expect(vcpu, MSG_DONE);
	set_log(true);
	vcpu_expect(vcpu, MSG_DONE);
	get_log();
	bench_begin();
	must(ioctl(vm.fd, KVM_CLEAR_DIRTY_LOG, &clear));
	bench_end();
	close_vm(p, PAGES);
}

/* One page in 256 is dirty. */
static void guest_touch_few(void)
{
	for (;;) {
		uint64_t i;

		for (i = 0; i < PAGES; i += 256)
			*(volatile uint8_t *)(GPA_FREE + i * 4096) = 1;
		guest_say(MSG_DONE, 0);
	}
}

static void log_get_manual(const struct path *p)
{
	struct kvm_enable_cap cap = { .cap = KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2, .args = { 1 } };

	open_vm(p);
	must(ioctl(vm.fd, KVM_ENABLE_CAP, &cap));
	set_log(true);
	vcpu_expect(vcpu, MSG_DONE);
	bench_begin();
	get_log();
	bench_end();
	close_vm(p, PAGES);
}

/* ---- the ring ---- */

#define RING_ENTRIES	(2 * PAGES)

static void ring_reset(const struct path *p)
{
	struct kvm_enable_cap cap = {
		.cap = KVM_CAP_DIRTY_LOG_RING,
		.args = { RING_ENTRIES * sizeof(struct kvm_dirty_gfn) },
	};
	struct kvm_dirty_gfn *ring;
	uint64_t n = 0;

	vm_create(&vm, TEST_IRQCHIP_NONE);
	must(ioctl(vm.fd, KVM_ENABLE_CAP, &cap));
	vcpu = vcpu_create(&vm, 0);
	ring = mmap(NULL, cap.args[0], PROT_READ | PROT_WRITE, MAP_SHARED, vcpu->fd,
		    KVM_DIRTY_LOG_PAGE_OFFSET * 4096);
	mem = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	madvise(mem, BYTES, MADV_NOHUGEPAGE);
	memset(mem, 1, BYTES);
	must(vm_set_region(&vm, SLOT_FREE, GPA_FREE, BYTES, mem, KVM_MEM_LOG_DIRTY_PAGES));
	vcpu_start(vcpu, p->guest);
	vcpu_expect(vcpu, MSG_DONE);
	bench_begin();
	while (n < RING_ENTRIES && ring[n].flags == KVM_DIRTY_GFN_F_DIRTY)
		ring[n++].flags = KVM_DIRTY_GFN_F_RESET;
	must(ioctl(vm.fd, KVM_RESET_DIRTY_RINGS, 0));
	bench_end();
	munmap(ring, cap.args[0]);
	close_vm(p, n);
}

/* The host takes the pages away: the notifier's way. */
static void unmap_pages(const struct path *p)
{
	open_vm(p);
	vcpu_expect(vcpu, MSG_DONE);
	bench_begin();
	must(madvise(mem, BYTES, MADV_DONTNEED));
	bench_end();
	close_vm(p, PAGES);
}

/* A slot that is used goes and comes: all its pages are zapped. */
static void slot_delete(const struct path *p)
{
	open_vm(p);
	vcpu_expect(vcpu, MSG_DONE);
	bench_begin();
	must(vm_set_region(&vm, SLOT_FREE, GPA_FREE, 0, mem, 0));
	bench_end();
	close_vm(p, 1);
}

static void slot_move(const struct path *p)
{
	open_vm(p);
	vcpu_expect(vcpu, MSG_DONE);
	bench_begin();
	must(vm_set_region(&vm, SLOT_FREE, GPA_FREE + BYTES, BYTES, mem, 0));
	bench_end();
	close_vm(p, 1);
}

#define SLOTS	100

static void slot_add(const struct path *p)
{
	uint64_t i;

	open_vm(p);
	bench_begin();
	for (i = 0; i < SLOTS; i++)
		must(vm_set_region(&vm, 10 + i, GPA_FREE + BYTES + i * 8192, 4096, mem + i * 4096, 0));
	bench_end();
	close_vm(p, SLOTS);
}

/* One more slot beside @others, and away with it. */
static void slot_beside(const struct path *p, uint64_t others, bool add)
{
	uint64_t i, gpa = 1ull << 32;
	unsigned int r;

	vm_create(&vm, TEST_IRQCHIP_NONE);
	mem = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	for (i = 0; i < others; i++)
		must(vm_set_region(&vm, SLOT_FREE + i, gpa + i * 8192, 4096, mem, 0));
	/* Making the others takes longest by far: once for all measurements. */
	for (r = 0; r < bench_runs; r++) {
		for (i = 0; i < 16; i++) {
			uint64_t at = gpa + (others / 2 + i) * 8192 + 4096;

			if (add)
				bench_begin();
			must(vm_set_region(&vm, SLOT_FREE + others, at, 4096, mem, 0));
			if (add)
				bench_end();
			else
				bench_begin();
			must(vm_set_region(&vm, SLOT_FREE + others, at, 0, mem, 0));
			if (!add)
				bench_end();
		}
		bench_report(p, 16);
	}
	vm_destroy(&vm);
	munmap(mem, 4096);
}

#define SLOT_PATHS(n)								\
static void slot_add_##n(const struct path *p) { slot_beside(p, n, true); }	\
static void slot_delete_##n(const struct path *p) { slot_beside(p, n, false); }

SLOT_PATHS(1)
SLOT_PATHS(512)
SLOT_PATHS(32000)

const struct path memory_paths[] = {
	{ "first-touch-4k", P_ALLOCATES, first_touch, guest_touch_once },
	{ "dirty-log-start", P_SLEEPS, log_start, guest_touch },
	{ "redirty-4k", P_ALLOCATES, redirty, guest_retouch },
	{ "dirty-log-get", P_ALLOCATES, log_get, guest_touch },
	{ "dirty-log-clear", P_ALLOCATES, log_clear, guest_touch },
	{ "dirty-log-stop", P_SLEEPS, log_stop, guest_touch },
	{ "unmap-4k", P_ALLOCATES, unmap_pages, guest_touch },
	{ "slot-delete", P_SLEEPS, slot_delete, guest_touch },
	{ "slot-move", P_SLEEPS, slot_move, guest_touch },
	{ "slot-add", P_SLEEPS, slot_add, guest_touch },
	{ "populate-64m-4k", P_ALLOCATES, populate_4k, guest_touch_range_once },
	{ "populate-64m-2m", P_ALLOCATES, populate_2m, guest_touch_range_once },
	{ "dirty-log-get-sparse", P_ALLOCATES, log_get, guest_touch_few },
	{ "dirty-log-get-manual", P_ALLOCATES, log_get_manual, guest_touch },
	{ "dirty-log-clear-sparse", P_ALLOCATES, log_clear, guest_touch_few },
	{ "dirty-ring-reset", P_ALLOCATES, ring_reset, guest_touch },
	{ "zap-one-of-1g", P_ALLOCATES, zap_one, guest_touch_range, true },
	{ "teardown-64m", P_SLEEPS, teardown, guest_touch_range },
	{ "slot-add-1", P_SLEEPS, slot_add_1, NULL, true },
	{ "slot-add-512", P_SLEEPS, slot_add_512, NULL, true },
	{ "slot-add-32000", P_SLEEPS, slot_add_32000, NULL, true },
	{ "slot-delete-1", P_SLEEPS, slot_delete_1, NULL, true },
	{ "slot-delete-512", P_SLEEPS, slot_delete_512, NULL, true },
	{ "slot-delete-32000", P_SLEEPS, slot_delete_32000, NULL, true },
	{ }
};
