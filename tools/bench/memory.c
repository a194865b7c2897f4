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
	{ }
};
