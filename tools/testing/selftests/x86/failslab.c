// SPDX-License-Identifier: GPL-2.0-only
/*
 * Each allocation and each copy from or to userspace of whatever builds something fails once, by
 * the kernel's fault injection (/proc/thread-self/fail-nth): the call must say so with an
 * errno that fits, or do without; it must have changed nothing, so that the same call then
 * works; and what it took must be given back. Needs a kernel with fault injection, and root.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>
#include "kselftest_harness.h"
#include "testvm.h"

#define PAGE		4096ull
#define SIZE		(64 * PAGE)
#define MAX_NTH		3000
#define SUM		(SIZE / PAGE * (SIZE / PAGE - 1) / 2)

/* ---- fault injection ---- */

static void set_debugfs(const char *what, const char *name, const char *value)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "/sys/kernel/debug/%s/%s", what, name);
	fd = open(path, O_WRONLY);
	if (fd >= 0 && write(fd, value, strlen(value)) < 0)
		perror(path);
	if (fd >= 0)
		close(fd);
}

static int open_injection(void)
{
	static const char *const kinds[] = { "failslab", "fail_page_alloc", "fail_usercopy" };
	int i;

	for (i = 0; i < 3; i++) {
		set_debugfs(kinds[i], "verbose", "0");
		set_debugfs(kinds[i], "ignore-gfp-wait", "N");
		set_debugfs(kinds[i], "ignore-gfp-highmem", "N");
		set_debugfs(kinds[i], "min-order", "0");
	}
	return open("/proc/thread-self/fail-nth", O_RDWR);
}

/* From here on the @nth step of this thread that can fail does. */
static void inject(int fd, unsigned int nth)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%u", nth);

	if (pwrite(fd, text, len, 0) != len)
		abort();
}

/* No more; true if one has failed. Both calls here can be what fails. */
static bool injected(int fd)
{
	char text[16] = "";
	bool hit = pread(fd, text, sizeof(text) - 1, 0) > 0 && atoi(text) == 0;

	while (pwrite(fd, "0", 1, 0) != 1)
		;
	return hit;
}

/* ---- what is built ---- */

struct env {
	struct test_vm vm;
	struct test_vcpu *vcpu;
	int kvm, fd, fd2, made;
	uint8_t *mem;
	uint64_t bitmap[8];
	struct kvm_cpuid2 *cpuid;
	struct kvm_irq_routing *routing;
	void *buf;
};

static int region(struct env *e, uint64_t gpa, size_t size, unsigned int flags)
{
	return vm_set_region(&e->vm, SLOT_FREE, gpa, size, e->mem, flags);
}

static int create_vm(struct env *e)
{
	return e->made = ioctl(e->kvm, KVM_CREATE_VM, 0);
}

static int create_vcpu(struct env *e)
{
	return e->made = ioctl(e->vm.fd, KVM_CREATE_VCPU, 3);
}

/* Beyond what the table of APIC ids has room for: it grows. */
static int create_vcpu_far(struct env *e)
{
	return e->made = ioctl(e->vm.fd, KVM_CREATE_VCPU, 200);
}

static int enable_ring(struct env *e)
{
	struct kvm_enable_cap cap = { .cap = KVM_CAP_DIRTY_LOG_RING, .args = { 16 * PAGE } };

	return ioctl(e->vm.fd, KVM_ENABLE_CAP, &cap);
}

static int create_irqchip(struct env *e)
{
	return ioctl(e->vm.fd, KVM_CREATE_IRQCHIP, 0);
}

static int enable_split(struct env *e)
{
	struct kvm_enable_cap cap = { .cap = KVM_CAP_SPLIT_IRQCHIP, .args = { 24 } };

	return ioctl(e->vm.fd, KVM_ENABLE_CAP, &cap);
}

static int create_pit(struct env *e)
{
	struct kvm_pit_config config = { .flags = 0 };

	return ioctl(e->vm.fd, KVM_CREATE_PIT2, &config);
}

static int slot_create(struct env *e)
{
	return region(e, GPA_FREE, SIZE, 0);
}

static int slot_create_logged(struct env *e)
{
	return region(e, GPA_FREE, SIZE, KVM_MEM_LOG_DIRTY_PAGES);
}

static int slot_move(struct env *e)
{
	return region(e, GPA_FREE + SIZE / 2, SIZE, 0);
}

static int slot_delete(struct env *e)
{
	return region(e, GPA_FREE, 0, 0);
}

static int log_get(struct env *e)
{
	struct kvm_dirty_log log = { .slot = SLOT_FREE, .dirty_bitmap = e->bitmap };

	return ioctl(e->vm.fd, KVM_GET_DIRTY_LOG, &log);
}

static int log_clear(struct env *e)
{
	struct kvm_clear_dirty_log clear = {
		.slot = SLOT_FREE, .num_pages = SIZE / PAGE, .dirty_bitmap = e->bitmap,
	};

	return ioctl(e->vm.fd, KVM_CLEAR_DIRTY_LOG, &clear);
}

static int pre_fault(struct env *e)
{
	struct kvm_pre_fault_memory range = { .gpa = GPA_FREE, .size = SIZE };

	return ioctl(e->vcpu->fd, KVM_PRE_FAULT_MEMORY, &range);
}

static int irqfd(struct env *e, unsigned int flags)
{
	struct kvm_irqfd irqfd = { .fd = e->fd, .gsi = 5, .flags = flags, .resamplefd = e->fd2 };

	return ioctl(e->vm.fd, KVM_IRQFD, &irqfd);
}

static int irqfd_assign(struct env *e)
{
	return irqfd(e, 0);
}

static int irqfd_resample(struct env *e)
{
	return irqfd(e, KVM_IRQFD_FLAG_RESAMPLE);
}

static int irqfd_deassign(struct env *e)
{
	return irqfd(e, KVM_IRQFD_FLAG_DEASSIGN);
}

static int ioeventfd(struct env *e, unsigned int flags)
{
	struct kvm_ioeventfd io = { .fd = e->fd, .addr = 0x500, .len = 4, .flags = flags };

	return ioctl(e->vm.fd, KVM_IOEVENTFD, &io);
}

static int ioeventfd_pio(struct env *e)
{
	return ioeventfd(e, KVM_IOEVENTFD_FLAG_PIO);
}

static int ioeventfd_mmio(struct env *e)
{
	return ioeventfd(e, KVM_IOEVENTFD_FLAG_DATAMATCH);
}

static int ioeventfd_deassign(struct env *e)
{
	return ioeventfd(e, KVM_IOEVENTFD_FLAG_PIO | KVM_IOEVENTFD_FLAG_DEASSIGN);
}

static int coalesced(struct env *e)
{
	struct kvm_coalesced_mmio_zone zone = { .addr = GPA_MMIO, .size = 64 };

	return ioctl(e->vm.fd, KVM_REGISTER_COALESCED_MMIO, &zone);
}

static int uncoalesced(struct env *e)
{
	struct kvm_coalesced_mmio_zone zone = { .addr = GPA_MMIO, .size = 64 };

	return ioctl(e->vm.fd, KVM_UNREGISTER_COALESCED_MMIO, &zone);
}

static int set_routing(struct env *e)
{
	return ioctl(e->vm.fd, KVM_SET_GSI_ROUTING, e->routing);
}

static int get_irqchip(struct env *e)
{
	return ioctl(e->vm.fd, KVM_GET_IRQCHIP, e->buf);
}

static int set_irqchip(struct env *e)
{
	return ioctl(e->vm.fd, KVM_SET_IRQCHIP, e->buf);
}

static int set_cpuid(struct env *e)
{
	return ioctl(e->vcpu->fd, KVM_SET_CPUID2, e->cpuid);
}

static int get_supported_cpuid(struct env *e)
{
	e->cpuid->nent = 256;
	return ioctl(e->vm.kvm, KVM_GET_SUPPORTED_CPUID, e->cpuid);
}

static int get_emulated_cpuid(struct env *e)
{
	e->cpuid->nent = 256;
	return ioctl(e->vm.kvm, KVM_GET_EMULATED_CPUID, e->cpuid);
}

static int get_cpuid(struct env *e)
{
	e->cpuid->nent = 256;
	return ioctl(e->vcpu->fd, KVM_GET_CPUID2, e->cpuid);
}

static int set_msr_filter(struct env *e)
{
	static uint8_t bits[8];
	struct kvm_msr_filter f = {
		.ranges[0] = {
			.flags = KVM_MSR_FILTER_READ, .nmsrs = 64, .base = 0xc0000080, .bitmap = bits,
		},
		.ranges[1] = {
			.flags = KVM_MSR_FILTER_WRITE, .nmsrs = 64, .base = 0x200, .bitmap = bits,
		},
	};

	return ioctl(e->vm.fd, KVM_X86_SET_MSR_FILTER, &f);
}

static int get_msrs(struct env *e)
{
	struct {
		struct kvm_msrs m;
		struct kvm_msr_entry e[2];
	} m = { .m.nmsrs = 2, .e = { { .index = 0xc0000080 }, { .index = 0x174 } } };
	int n = ioctl(e->vcpu->fd, KVM_GET_MSRS, &m);

	return n == 2 ? 0 : n < 0 ? -1 : -1000;
}

static int set_msrs(struct env *e)
{
	struct {
		struct kvm_msrs m;
		struct kvm_msr_entry e[2];
	} m = { .m.nmsrs = 2, .e = { { .index = 0x175 }, { .index = 0x174 } } };
	int n = ioctl(e->vcpu->fd, KVM_SET_MSRS, &m);

	return n == 2 ? 0 : n < 0 ? -1 : -1000;
}

static int get_xsave(struct env *e)
{
	return ioctl(e->vcpu->fd, KVM_GET_XSAVE, e->buf);
}

static int set_xsave(struct env *e)
{
	return ioctl(e->vcpu->fd, KVM_SET_XSAVE, e->buf);
}

static int get_lapic(struct env *e)
{
	return ioctl(e->vcpu->fd, KVM_GET_LAPIC, e->buf);
}

static int set_lapic(struct env *e)
{
	return ioctl(e->vcpu->fd, KVM_SET_LAPIC, e->buf);
}

static int vm_stats(struct env *e)
{
	return e->made = ioctl(e->vm.fd, KVM_GET_STATS_FD, 0);
}

static int vcpu_stats(struct env *e)
{
	return e->made = ioctl(e->vcpu->fd, KVM_GET_STATS_FD, 0);
}

static int set_sregs(struct env *e)
{
	return ioctl(e->vcpu->fd, KVM_SET_SREGS, e->buf);
}

/* ---- what has to be there before ---- */

static void get_sregs_before(struct env *e)
{
	ioctl(e->vcpu->fd, KVM_GET_SREGS, e->buf);
}

static void slot_before(struct env *e)
{
	slot_create(e);
}

static void logged_before(struct env *e)
{
	slot_create_logged(e);
}

static void manual_log_before(struct env *e)
{
	struct kvm_enable_cap cap = {
		.cap = KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2,
		.args = { KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE },
	};

	ioctl(e->vm.fd, KVM_ENABLE_CAP, &cap);
	memset(e->bitmap, 0xff, sizeof(e->bitmap));
	slot_create_logged(e);
}

static void ring_before(struct env *e)
{
	enable_ring(e);
}

static void get_irqchip_before(struct env *e)
{
	get_irqchip(e);
}

static void msi_route_before(struct env *e)
{
	e->routing->nr = 1;
	e->routing->entries[0] = (struct kvm_irq_routing_entry) {
		.gsi = 5, .type = KVM_IRQ_ROUTING_MSI,
		.u.msi = { .address_lo = 0xfee00000, .data = 0x30 },
	};
	set_routing(e);
}

static void irqfd_before(struct env *e)
{
	irqfd_assign(e);
}

static void ioeventfd_before(struct env *e)
{
	ioeventfd_pio(e);
}

static void coalesced_before(struct env *e)
{
	coalesced(e);
}

static void get_xsave_before(struct env *e)
{
	get_xsave(e);
}

static void get_lapic_before(struct env *e)
{
	get_lapic(e);
}

FIXTURE(fail)
{
	struct env e;
	int inject;
};

FIXTURE_VARIANT(fail)
{
	int (*make)(struct env *e);
	void (*before)(struct env *e);
	enum test_irqchip irqchip;
	bool vcpu;	/* one exists already */
};

#define BUILD(name, ...)							\
	FIXTURE_VARIANT_ADD(fail, name) { .make = name, __VA_ARGS__ }

BUILD(create_vm);
BUILD(create_vcpu);
FIXTURE_VARIANT_ADD(fail, create_vcpu_apic) {
	.make = create_vcpu, .irqchip = TEST_IRQCHIP_FULL,
};
FIXTURE_VARIANT_ADD(fail, create_vcpu_split) {
	.make = create_vcpu, .irqchip = TEST_IRQCHIP_SPLIT,
};
BUILD(create_vcpu_far, .vcpu = true, .irqchip = TEST_IRQCHIP_FULL);
BUILD(enable_ring);
FIXTURE_VARIANT_ADD(fail, create_vcpu_ring) {
	.make = create_vcpu, .before = ring_before,
};
BUILD(create_irqchip);
BUILD(enable_split);
BUILD(create_pit, .irqchip = TEST_IRQCHIP_FULL);
BUILD(slot_create);
BUILD(slot_create_logged);
FIXTURE_VARIANT_ADD(fail, slot_log_started) {
	.make = slot_create_logged, .before = slot_before,
};
BUILD(slot_move, .before = slot_before);
BUILD(slot_delete, .before = slot_before);
FIXTURE_VARIANT_ADD(fail, slot_log_stopped) {
	.make = slot_create, .before = logged_before,
};
BUILD(log_get, .before = logged_before);
BUILD(log_clear, .before = manual_log_before);
BUILD(pre_fault, .vcpu = true, .before = slot_before);
BUILD(irqfd_assign, .irqchip = TEST_IRQCHIP_FULL);
FIXTURE_VARIANT_ADD(fail, irqfd_msi) {
	.make = irqfd_assign, .irqchip = TEST_IRQCHIP_SPLIT, .before = msi_route_before,
};
BUILD(irqfd_resample, .irqchip = TEST_IRQCHIP_FULL);
BUILD(irqfd_deassign, .irqchip = TEST_IRQCHIP_FULL, .before = irqfd_before);
BUILD(ioeventfd_pio);
BUILD(ioeventfd_mmio);
BUILD(ioeventfd_deassign, .before = ioeventfd_before);
BUILD(coalesced);
BUILD(uncoalesced, .before = coalesced_before);
BUILD(set_routing, .irqchip = TEST_IRQCHIP_FULL);
BUILD(get_irqchip, .irqchip = TEST_IRQCHIP_FULL);
BUILD(set_irqchip, .irqchip = TEST_IRQCHIP_FULL, .before = get_irqchip_before);
BUILD(set_cpuid, .vcpu = true);
BUILD(get_cpuid, .vcpu = true);
BUILD(get_supported_cpuid);
BUILD(get_emulated_cpuid);
BUILD(set_msr_filter, .vcpu = true);
BUILD(get_msrs, .vcpu = true);
BUILD(set_msrs, .vcpu = true);
BUILD(get_xsave, .vcpu = true);
BUILD(set_xsave, .vcpu = true, .before = get_xsave_before);
BUILD(get_lapic, .vcpu = true, .irqchip = TEST_IRQCHIP_FULL);
BUILD(set_lapic, .vcpu = true, .irqchip = TEST_IRQCHIP_FULL, .before = get_lapic_before);
BUILD(set_sregs, .vcpu = true, .before = get_sregs_before);
BUILD(vm_stats);
BUILD(vcpu_stats, .vcpu = true);

FIXTURE_SETUP(fail)
{
	struct env *e = &self->e;
	int i;

	self->inject = open_injection();
	if (self->inject < 0)
		SKIP(return, "no fault injection in this kernel, or not root");
	e->kvm = open_kvm();
	e->mem = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, e->mem);
	memset(e->mem, 1, SIZE);
	e->buf = calloc(1, 8192);
	memset(e->buf, 0, 8192);
	e->cpuid = malloc(sizeof(*e->cpuid) + 256 * sizeof(struct kvm_cpuid_entry2));
	memcpy(e->cpuid, supported_cpuid(e->kvm), sizeof(*e->cpuid));
	memcpy(e->cpuid->entries, supported_cpuid(e->kvm)->entries,
	       e->cpuid->nent * sizeof(struct kvm_cpuid_entry2));
	e->routing = calloc(1, sizeof(*e->routing) + 16 * sizeof(e->routing->entries[0]));
	e->routing->nr = 16;
	for (i = 0; i < 16; i++) {
		e->routing->entries[i].gsi = i;
		e->routing->entries[i].type = KVM_IRQ_ROUTING_IRQCHIP;
		e->routing->entries[i].u.irqchip.irqchip = KVM_IRQCHIP_IOAPIC;
		e->routing->entries[i].u.irqchip.pin = i;
	}
}

FIXTURE_TEARDOWN(fail)
{
	close(self->inject);
}

static void build_env(struct env *e, enum test_irqchip irqchip, bool vcpu,
		      void (*before)(struct env *e))
{
	vm_create(&e->vm, irqchip);
	e->vcpu = vcpu ? vcpu_create(&e->vm, 0) : NULL;
	e->fd = eventfd(0, EFD_NONBLOCK);
	e->fd2 = eventfd(0, EFD_NONBLOCK);
	e->made = -1;
	if (before)
		before(e);
}

static void drop_env(struct env *e)
{
	if (e->made > 0)
		close(e->made);
	close(e->fd);
	close(e->fd2);
	vm_destroy(&e->vm);
}

static bool fits(int err)
{
	/* Copies that fail are -EFAULT; alloc_fd() says -EMFILE when its table cannot grow. */
	return err == ENOMEM || err == EFAULT || err == EMFILE || err == ENFILE;
}

TEST_F_TIMEOUT(fail, each, 600)
{
	struct env *e = &self->e;
	unsigned int nth, refused = 0, withstood = 0;
	bool hit = true;

	for (nth = 1; hit && nth < MAX_NTH; nth++) {
		int ret, err;

		build_env(e, variant->irqchip, variant->vcpu, variant->before);
		inject(self->inject, nth);
		ret = variant->make(e);
		err = errno;
		hit = injected(self->inject);
		if (ret < 0) {
			EXPECT_TRUE(hit);
			EXPECT_TRUE(fits(err))
				TH_LOG("step %u fails with errno %d", nth, err);
			/* Nothing is half done: the same call works now. */
			ret = variant->make(e);
			EXPECT_LE(0, ret)
				TH_LOG("after step %u failed: errno %d", nth, errno);
			refused++;
		} else {
			withstood += hit;
		}
		drop_env(e);
	}
	EXPECT_FALSE(hit);
	TH_LOG("%u steps can fail: %u refuse, %u do without", nth - 2, refused, withstood);
}

/* ---- a guest whose memory is hard to get ---- */

static void guest_work(void)
{
	uint64_t i, sum = 0;

	for (i = 0; i < SIZE / PAGE; i++)
		*(volatile uint64_t *)(GPA_FREE + i * PAGE) = i;
	for (i = 0; i < SIZE / PAGE; i++)
		sum += *(volatile uint64_t *)(GPA_FREE + i * PAGE);
	guest_sync(sum);
	guest_done();
}

/* The emulator's state is made when it is first needed; nothing of this leaves the kernel. */
static void guest_emulated(void)
{
	int i;

	for (i = 0; i < 4; i++)
		*(volatile uint32_t *)(GPA_MMIO + 4 * i) = i;
	guest_sync(SUM);
	guest_done();
}

static void filter_before(struct env *e)
{
	set_msr_filter(e);
	slot_create(e);
}

FIXTURE(run)
{
	struct env e;
	int inject;
};

FIXTURE_VARIANT(run)
{
	void (*code)(void);
	void (*before)(struct env *e);
};

FIXTURE_VARIANT_ADD(run, memory) {
	.code = guest_work, .before = slot_before,
};
FIXTURE_VARIANT_ADD(run, emulated) {
	.code = guest_emulated, .before = coalesced_before,
};
/* The bitmap of MSRs becomes the vCPU's own. */
FIXTURE_VARIANT_ADD(run, filtered) {
	.code = guest_work, .before = filter_before,
};

FIXTURE_SETUP(run)
{
	self->inject = open_injection();
	if (self->inject < 0)
		SKIP(return, "no fault injection in this kernel, or not root");
	memset(&self->e, 0, sizeof(self->e));
	self->e.mem = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->e.mem);
}

FIXTURE_TEARDOWN(run)
{
	close(self->inject);
}

/* KVM_RUN may fail at each step of the way to a page; tried again, the guest goes on. */
TEST_F_TIMEOUT(run, each, 600)
{
	struct env *e = &self->e;
	unsigned int nth, refused = 0;
	bool hit = true;

	for (nth = 1; hit && nth < MAX_NTH; nth += nth < 60 ? 1 : 17) {
		int ret, err;

		madvise(e->mem, SIZE, MADV_DONTNEED);
		build_env(e, TEST_IRQCHIP_NONE, true, variant->before);
		vcpu_start(e->vcpu, variant->code);
		inject(self->inject, nth);
		ret = ioctl(e->vcpu->fd, KVM_RUN, 0);
		err = errno;
		hit = injected(self->inject);
		if (ret < 0) {
			EXPECT_TRUE(hit);
			EXPECT_TRUE(fits(err) || err == EINTR)
				TH_LOG("step %u fails with errno %d", nth, err);
			refused++;
			EXPECT_EQ(SUM, vcpu_expect(e->vcpu, MSG_SYNC));
		} else {
			struct kvm_regs regs;

			/* The message's exit came already. */
			ASSERT_EQ(KVM_EXIT_IO, e->vcpu->run->exit_reason);
			ASSERT_EQ(0, ioctl(e->vcpu->fd, KVM_GET_REGS, &regs));
			EXPECT_EQ(SUM, regs.rdi);
		}
		vcpu_expect(e->vcpu, MSG_DONE);
		drop_env(e);
	}
	EXPECT_FALSE(hit);
	TH_LOG("%u steps can fail, %u refuse", nth, refused);
}

TEST_HARNESS_MAIN
