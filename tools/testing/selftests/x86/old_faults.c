// SPDX-License-Identifier: GPL-2.0-only
/* Faults that KVM once had and that no other program looks for: Documentation/faults.rst. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>
#include "kselftest_harness.h"
#include "testvm.h"

#define PAGE		4096ul
#define TRACING		"/sys/kernel/tracing/"
#define SYSTEM_TIME	0x4b564d01

static void start(struct test_vm *vm, enum test_irqchip chip, void (*guest)(void))
{
	memset(guest_handlers, 0, sizeof(guest_handlers));
	vm_create(vm, chip);
	vcpu_start(vcpu_create(vm, 0), guest);
}

/* ---- the trace of a store shows that store and nothing behind it (CVE-2017-17741) ---- */

static void guest_short_stores(void)
{
	__asm__ volatile("movq $-1, %%rax; movb $0x5a, %%al; movb %%al, (%0)\n\t"
			 "movw $0x1234, %%ax; movw %%ax, 16(%0)\n\t"
			 "movl $0x89abcdef, 32(%0)\n\t"
			 "movq $-1, %%rax; xchgb %%al, 48(%0)" : : "r" (GPA_MMIO) : "rax", "memory");
	guest_done();
}

static bool write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_TRUNC);
	bool good = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	if (fd >= 0)
		close(fd);
	return good;
}

static unsigned int trace_values(uint64_t *val, unsigned int max)
{
	FILE *f = fopen(TRACING "trace", "r");
	unsigned int n = 0;
	char line[512], *p;

	while (f && n < max && fgets(line, sizeof(line), f)) {
		p = strstr(line, "mmio write");
		if (p && (p = strstr(p, " val ")))
			val[n++] = strtoull(p + 5, NULL, 16);
	}
	if (f)
		fclose(f);
	return n;
}

TEST(trace_of_short_stores)
{
	static const uint64_t want[] = { 0x5a, 0x1234, 0x89abcdef, 0xff };
	struct test_vm vm;
	uint64_t got[8] = {};
	unsigned int i, n;
	enum guest_msg m;

	if (access(TRACING "trace", F_OK))
		mount("tracefs", "/sys/kernel/tracing", "tracefs", 0, NULL);
	if (!write_file(TRACING "events/kvm/kvm_mmio/enable", "1"))
		SKIP(return, "no tracefs");
	write_file(TRACING "trace", "");
	start(&vm, TEST_IRQCHIP_NONE, guest_short_stores);
	while ((m = vcpu_run(&vm.vcpu[0], NULL)) == MSG_NONE)
		ASSERT_EQ(KVM_EXIT_MMIO, vm.vcpu[0].run->exit_reason);
	write_file(TRACING "events/kvm/kvm_mmio/enable", "0");
	EXPECT_EQ(MSG_DONE, m);
	n = trace_values(got, 8);
	ASSERT_EQ(4, n);
	for (i = 0; i < n; i++)
		EXPECT_EQ(want[i], got[i]);
	vm_destroy(&vm);
}

/* ---- no port is the host's (CVE-2017-1000407: 0x80 was) ---- */

#define PORT_STEP	7

static void guest_all_ports(void)
{
	uint32_t port;

	for (port = 0; port < 0x10000; port += port < 0x100 ? 1 : PORT_STEP) {
		if (port == GUEST_PORT)
			continue;
		guest_outb((uint16_t)port, 0);
		guest_inb((uint16_t)port);
	}
	guest_done();
}

TEST(no_port_is_the_hosts)
{
	struct kvm_run *run;
	struct test_vm vm;
	uint32_t port;
	int way;

	start(&vm, TEST_IRQCHIP_NONE, guest_all_ports);
	run = vm.vcpu[0].run;
	for (port = 0; port < 0x10000; port += port < 0x100 ? 1 : PORT_STEP) {
		if (port == GUEST_PORT)
			continue;
		for (way = 0; way < 2; way++) {
			ASSERT_EQ(MSG_NONE, vcpu_run(&vm.vcpu[0], NULL));
			ASSERT_EQ(KVM_EXIT_IO, run->exit_reason);
			ASSERT_EQ(port, run->io.port);
			ASSERT_EQ(way ? KVM_EXIT_IO_IN : KVM_EXIT_IO_OUT, run->io.direction);
		}
	}
	vcpu_expect(&vm.vcpu[0], MSG_DONE);
	vm_destroy(&vm);
}

/* ---- two vCPUs and the VMM load the PIT at once, its timer moves between them (CVE-2014-3611) ---- */

#define LOADS	1500

static void guest_load_pit(void)
{
	unsigned int i;

	for (i = 0; i < LOADS; i++) {
		guest_outb(0x43, (i & 3) << 6 | 0x30 | (i & 0xe));	/* counter, both bytes, mode */
		guest_outb(0x40 + (i & 3) % 3, (uint8_t)i);
		guest_outb(0x40 + (i & 3) % 3, (uint8_t)(i & 1));
		if (i % 16 == 0)
			guest_inb(0x40);
	}
	guest_done();
}

static void *run_to_done(void *v)
{
	vcpu_expect(v, MSG_DONE);
	return NULL;
}

TEST(pit_of_two_vcpus)
{
	struct kvm_pit_config config = {};
	struct kvm_reinject_control off = {};
	struct kvm_pit_state2 s;
	pthread_t thread[2];
	struct test_vm vm;
	unsigned int i;

	start(&vm, TEST_IRQCHIP_FULL, guest_load_pit);
	ASSERT_EQ(0, ioctl(vm.fd, KVM_CREATE_PIT2, &config));
	vcpu_start(vcpu_create(&vm, 1), guest_load_pit);
	ASSERT_EQ(0, ioctl(vm.vcpu[1].fd, KVM_SET_MP_STATE,
			   &(struct kvm_mp_state){ KVM_MP_STATE_RUNNABLE }));
	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, pthread_create(&thread[i], NULL, run_to_done, &vm.vcpu[i]));
	for (i = 0; i < 200; i++) {
		ASSERT_EQ(0, ioctl(vm.fd, KVM_GET_PIT2, &s));
		EXPECT_EQ(0, ioctl(vm.fd, KVM_SET_PIT2, &s));
		off.pit_reinject = i & 1;
		EXPECT_EQ(0, ioctl(vm.fd, KVM_REINJECT_CONTROL, &off));
		usleep(100);
	}
	for (i = 0; i < 2; i++)
		pthread_join(thread[i], NULL);
	/* What was loaded last is what is there. */
	EXPECT_EQ(0, ioctl(vm.fd, KVM_GET_PIT2, &s));
	for (i = 0; i < 3; i++)
		EXPECT_GE(0x10000, s.channels[i].count);
	vm_destroy(&vm);
}

/* ---- kvmclock's page at any address (CVE-2013-1796) ---- */

static volatile uint64_t clock_at;

static void guest_clock_there(void)
{
	for (;;) {
		guest_try("wrmsr", : : "c" (SYSTEM_TIME), "a" ((uint32_t)clock_at | 1),
			  "d" ((uint32_t)(clock_at >> 32)) : "r11", "memory");
		guest_sync(guest_vector);
		/* Off again: nothing is written there any more. */
		guest_wrmsr(SYSTEM_TIME, 0);
		guest_sync(0);
	}
}

/*
 * Two slots that are neighbours in the guest, and strangers in the host: between their
 * memory lie pages that nobody may write to.
 */
TEST(clock_page_anywhere)
{
	static const uint64_t at[] = {
		0, 1, 2, 3, 4, 7, 31, PAGE - 33, PAGE - 32, PAGE - 31, PAGE - 16, PAGE - 8, PAGE - 4,
		PAGE - 2, 2 * PAGE - 32, 2 * PAGE - 31, 2 * PAGE - 16, 2 * PAGE - 1, 2 * PAGE,
		-(uint64_t)GPA_FREE + 4, ~0ull - GPA_FREE - 30, ~0ull - GPA_FREE, 1ull << 40, 1ull << 62,
	};
	struct test_vm vm;
	uint8_t *host, *page[2];
	unsigned int i, j, k;

	if (!on_keel())
		SKIP(return, "KVM of Linux 6.1 writes once more to where the clock was before");
	start(&vm, TEST_IRQCHIP_NONE, guest_clock_there);
	host = mmap(NULL, 5 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, host);
	for (i = 0; i < 2; i++) {
		page[i] = host + (3 - 2 * i) * PAGE;
		ASSERT_EQ(0, mprotect(page[i], PAGE, PROT_READ | PROT_WRITE));
		ASSERT_EQ(0, vm_set_region(&vm, SLOT_FREE + i, GPA_FREE + i * PAGE, PAGE, page[i], 0));
	}
	for (i = 0; i < sizeof(at) / sizeof(at[0]); i++) {
		clock_at = GPA_FREE + at[i];
		memset(page[0], 0xcc, PAGE);
		memset(page[1], 0xcc, PAGE);
		vcpu_expect(&vm.vcpu[0], MSG_SYNC);
		vcpu_expect(&vm.vcpu[0], MSG_SYNC);
		/* Written is at most the structure. */
		for (j = 0; j < 2; j++)
			for (k = 0; k < PAGE; k++)
				if (j * PAGE + k - (at[i] & ~1ull) >= 32)
					ASSERT_EQ(0xcc, page[j][k]) TH_LOG("at %#lx: %u %#x", at[i], j, k);
	}
	vm_destroy(&vm);
	munmap(host, 5 * PAGE);
}

/* ---- memory without struct page (CVE-2021-22543) ---- */

#define ROM_AT	0xf0000		/* of the host: not memory of the kernel's */

static volatile uint64_t seen;

static void guest_look_at_rom(void)
{
	for (;;) {
		seen = *(volatile uint64_t *)(GPA_FREE + 0xfff0);
		guest_sync(0);
	}
}

static void guest_write_to_rom(void)
{
	*(volatile uint64_t *)(GPA_FREE + 0xfff0) = 0;
	guest_done();
}

static int run_once(struct test_vcpu *v)
{
	int ret;

	do {
		ret = ioctl(v->fd, KVM_RUN, 0);
	} while (ret && (errno == EINTR || errno == EAGAIN));
	return ret ? errno : 0;
}

TEST(memory_without_pages)
{
	int mem = open("/dev/mem", O_RDONLY);
	uint64_t *rom, before;
	struct test_vm vm;
	int err;

	if (mem < 0)
		SKIP(return, "no /dev/mem");
	rom = mmap(NULL, 0x10000, PROT_READ, MAP_SHARED, mem, ROM_AT);
	close(mem);
	if (rom == MAP_FAILED)
		SKIP(return, "the firmware cannot be mapped");
	before = rom[0xfff0 / 8];
	start(&vm, TEST_IRQCHIP_NONE, guest_look_at_rom);
	ASSERT_EQ(0, vm_set_region(&vm, SLOT_FREE, GPA_FREE, 0x10000, rom, 0));
	vcpu_expect(&vm.vcpu[0], MSG_SYNC);
	EXPECT_EQ(before, seen);
	/* The mapping is read-only: so it is for the guest. */
	vcpu_start(&vm.vcpu[0], guest_write_to_rom);
	err = run_once(&vm.vcpu[0]);
	if (err || vm.vcpu[0].run->exit_reason != KVM_EXIT_MMIO)
		EXPECT_EQ(EFAULT, err);
	EXPECT_EQ(before, rom[0xfff0 / 8]);
	/* The VM outlives the mapping; nothing of it stays. */
	vcpu_start(&vm.vcpu[0], guest_look_at_rom);
	ASSERT_EQ(0, munmap(rom, 0x10000));
	seen = 0;
	EXPECT_EQ(EFAULT, run_once(&vm.vcpu[0]));
	EXPECT_EQ(0, seen);
	vm_destroy(&vm);
}

/* ---- a file that is closed before its ioctl has returned (CVE-2016-10150, CVE-2019-6974) ---- */

#define FIRST_FD	20
#define NR_FDS		12

static volatile bool stop;

static void *close_all(void *p)
{
	unsigned int i;

	while (!stop)
		for (i = 0; i < NR_FDS; i++)
			close(FIRST_FD + i);
	return NULL;
}

static void make_files(int kvm)
{
	struct kvm_create_device dev = { .type = KVM_DEV_TYPE_VFIO };
	int vm = ioctl(kvm, KVM_CREATE_VM, 0), i, fd;

	for (i = 0; i < 4; i++) {
		fd = ioctl(vm, KVM_CREATE_VCPU, (long)i);
		ioctl(fd, KVM_GET_STATS_FD, NULL);
		ioctl(vm, KVM_GET_STATS_FD, NULL);
		ioctl(vm, KVM_CREATE_DEVICE, &dev);
		close(dev.fd);
	}
}

/* What is left must be usable all the same, and the host's log clean. */
TEST(closed_before_returned)
{
	pthread_t thread;
	unsigned int i;
	int kvm = open_kvm(), vm;

	/* What ioctls return is FIRST_FD and up. */
	for (i = kvm; i < FIRST_FD; i++)
		if (fcntl(i, F_GETFD) < 0)
			dup2(kvm, i);
	stop = false;
	ASSERT_EQ(0, pthread_create(&thread, NULL, close_all, NULL));
	for (i = 0; i < 400; i++)
		make_files(kvm);
	stop = true;
	pthread_join(thread, NULL);
	vm = ioctl(kvm, KVM_CREATE_VM, 0);
	ASSERT_LE(0, vm);
	EXPECT_LE(0, ioctl(vm, KVM_CREATE_VCPU, 0));
}

TEST_HARNESS_MAIN
