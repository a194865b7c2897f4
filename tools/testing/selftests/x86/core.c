// SPDX-License-Identifier: GPL-2.0-only
/* The device, VMs and vCPUs as file descriptors: lifetimes, errors of the ioctls, mapping, KVM_RUN's ways back. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "kselftest_harness.h"
#include "testvm.h"

TEST(system_ioctls)
{
	int kvm = open("/dev/kvm", O_RDONLY | O_CLOEXEC);

	ASSERT_GE(kvm, 0);
	EXPECT_EQ(12, ioctl(kvm, KVM_GET_API_VERSION, 0));
	EXPECT_ERR(EINVAL, ioctl(kvm, KVM_GET_API_VERSION, 1));
	EXPECT_EQ(12288, ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0));
	EXPECT_ERR(EINVAL, ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 1));
	EXPECT_EQ(0, ioctl(kvm, KVM_CHECK_EXTENSION, 100000));
	EXPECT_EQ(0, ioctl(kvm, KVM_CHECK_EXTENSION, -1));
	EXPECT_ERR(EINVAL, ioctl(kvm, KVM_CREATE_VM, 1000));
	EXPECT_EQ(-1, ioctl(kvm, KVM_RUN, 0));
	close(kvm);
}

TEST(capability_values)
{
	static const struct { long cap; int val; } caps[] = {
		{ KVM_CAP_USER_MEMORY, 1 }, { KVM_CAP_DESTROY_MEMORY_REGION_WORKS, 1 },
		{ KVM_CAP_JOIN_MEMORY_REGIONS_WORKS, 1 }, { KVM_CAP_READONLY_MEM, 1 },
		{ KVM_CAP_SYNC_MMU, 1 }, { KVM_CAP_INTERNAL_ERROR_DATA, 1 },
		{ KVM_CAP_IMMEDIATE_EXIT, 1 }, { KVM_CAP_SIGNAL_MSI, 1 }, { KVM_CAP_IRQFD, 1 },
		{ KVM_CAP_IRQFD_RESAMPLE, 1 }, { KVM_CAP_IOEVENTFD, 1 },
		{ KVM_CAP_IOEVENTFD_NO_LENGTH, 1 }, { KVM_CAP_IOEVENTFD_ANY_LENGTH, 1 },
		{ KVM_CAP_COALESCED_MMIO, 2 }, { KVM_CAP_COALESCED_PIO, 1 },
		{ KVM_CAP_CHECK_EXTENSION_VM, 1 }, { KVM_CAP_ENABLE_CAP, 1 },
		{ KVM_CAP_ENABLE_CAP_VM, 1 }, { KVM_CAP_HALT_POLL, 1 },
		{ KVM_CAP_BINARY_STATS_FD, 1 }, { KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2, 3 },
		{ KVM_CAP_IRQ_ROUTING, 4096 },
	};
	int kvm = open_kvm(), vm = ioctl(kvm, KVM_CREATE_VM, 0);
	unsigned int i;

	for (i = 0; i < sizeof(caps) / sizeof(caps[0]); i++) {
		EXPECT_EQ(caps[i].val, ioctl(kvm, KVM_CHECK_EXTENSION, caps[i].cap))
			TH_LOG("capability %ld", caps[i].cap);
		EXPECT_EQ(caps[i].val, ioctl(vm, KVM_CHECK_EXTENSION, caps[i].cap))
			TH_LOG("capability %ld on the VM", caps[i].cap);
	}
	EXPECT_GE(ioctl(kvm, KVM_CHECK_EXTENSION, KVM_CAP_NR_MEMSLOTS), 32764);
	EXPECT_GE(ioctl(kvm, KVM_CHECK_EXTENSION, KVM_CAP_MAX_VCPUS), 1024);
	EXPECT_GE(ioctl(kvm, KVM_CHECK_EXTENSION, KVM_CAP_MAX_VCPU_ID), 4096);
	EXPECT_GE(ioctl(kvm, KVM_CHECK_EXTENSION, KVM_CAP_NR_VCPUS), 1);
	close(vm);
	close(kvm);
}

TEST(unknown_ioctls)
{
	struct test_vm vm;
	struct test_vcpu *vcpu;

	vm_create(&vm, TEST_IRQCHIP_NONE);
	vcpu = vcpu_create(&vm, 0);
	EXPECT_EQ(-1, ioctl(vm.fd, _IO(KVMIO, 0xfe), 0));
	EXPECT_EQ(ENOTTY, errno);
	EXPECT_EQ(-1, ioctl(vcpu->fd, _IO(KVMIO, 0xfe), 0));
	EXPECT_NE(0, errno);
	/* The number of a known one with another size. */
	EXPECT_EQ(-1, ioctl(vm.fd, _IOW(KVMIO, 0x46, char[200]), 0));
	EXPECT_EQ(ENOTTY, errno);
	vm_destroy(&vm);
}

TEST(enable_cap_errors)
{
	struct kvm_enable_cap cap = { .cap = 100000 };
	struct test_vm vm;

	vm_create(&vm, TEST_IRQCHIP_NONE);
	EXPECT_ERR(EINVAL, ioctl(vm.fd, KVM_ENABLE_CAP, &cap));
	EXPECT_ERR(EFAULT, ioctl(vm.fd, KVM_ENABLE_CAP, 1));
	cap = (struct kvm_enable_cap){ .cap = KVM_CAP_HALT_POLL, .args = { 1ull << 32 } };
	EXPECT_ERR(EINVAL, ioctl(vm.fd, KVM_ENABLE_CAP, &cap));
	cap.args[0] = 50000;
	EXPECT_EQ(0, ioctl(vm.fd, KVM_ENABLE_CAP, &cap));
	cap.flags = 1;
	EXPECT_ERR(EINVAL, ioctl(vm.fd, KVM_ENABLE_CAP, &cap));
	cap = (struct kvm_enable_cap){ .cap = KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2, .args = { 2 } };
	EXPECT_ERR(EINVAL, ioctl(vm.fd, KVM_ENABLE_CAP, &cap));
	cap.args[0] = 4;
	EXPECT_ERR(EINVAL, ioctl(vm.fd, KVM_ENABLE_CAP, &cap));
	cap.args[0] = 3;
	EXPECT_EQ(0, ioctl(vm.fd, KVM_ENABLE_CAP, &cap));
	cap.args[0] = 0;
	EXPECT_EQ(0, ioctl(vm.fd, KVM_ENABLE_CAP, &cap));
	vm_destroy(&vm);
}

TEST(create_vcpu_errors)
{
	struct test_vm vm;
	int fd, flags;

	vm_create(&vm, TEST_IRQCHIP_NONE);
	EXPECT_ERR(EINVAL, ioctl(vm.fd, KVM_CREATE_VCPU, kvm_cap(vm.fd, KVM_CAP_MAX_VCPU_ID)));
	EXPECT_ERR(EINVAL, ioctl(vm.fd, KVM_CREATE_VCPU, -1));
	fd = ioctl(vm.fd, KVM_CREATE_VCPU, 7);
	ASSERT_GE(fd, 0);
	EXPECT_ERR(EEXIST, ioctl(vm.fd, KVM_CREATE_VCPU, 7));
	flags = fcntl(fd, F_GETFD);
	EXPECT_EQ(FD_CLOEXEC, flags & FD_CLOEXEC);
	flags = fcntl(vm.fd, F_GETFD);
	EXPECT_EQ(FD_CLOEXEC, flags & FD_CLOEXEC);
	close(fd);
	/* The id stays taken for as long as the VM lives. */
	EXPECT_ERR(EEXIST, ioctl(vm.fd, KVM_CREATE_VCPU, 7));
	vm_destroy(&vm);
}

/* A failed creation takes nothing: the same id works afterwards. */
TEST(create_vcpu_without_fds)
{
	struct rlimit old, none = { 3, 0 };
	enum test_irqchip chip;
	struct test_vm vm;

	ASSERT_EQ(0, getrlimit(RLIMIT_NOFILE, &old));
	none.rlim_max = old.rlim_max;
	for (chip = TEST_IRQCHIP_NONE; chip <= TEST_IRQCHIP_FULL; chip++) {
		vm_create(&vm, chip);
		ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &none));
		EXPECT_ERR(EMFILE, ioctl(vm.fd, KVM_CREATE_VCPU, 1));
		EXPECT_ERR(EMFILE, ioctl(vm.kvm, KVM_CREATE_VM, 0));
		ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &old));
		EXPECT_GE(ioctl(vm.fd, KVM_CREATE_VCPU, 1), 0);
		vm_destroy(&vm);
	}
}

TEST(another_mm)
{
	struct test_vm vm;
	struct test_vcpu *vcpu;
	int status;
	pid_t pid;

	vm_create(&vm, TEST_IRQCHIP_NONE);
	vcpu = vcpu_create(&vm, 0);
	pid = fork();
	ASSERT_GE(pid, 0);
	if (!pid) {
		struct kvm_regs regs;

		_exit(!(ioctl(vm.fd, KVM_CREATE_VCPU, 1) == -1 && errno == EIO &&
			ioctl(vcpu->fd, KVM_GET_REGS, &regs) == -1 && errno == EIO &&
			ioctl(vcpu->fd, KVM_RUN, 0) == -1 && errno == EIO));
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	vm_destroy(&vm);
}

static void guest_hello(void)
{
	guest_sync(1);
	guest_sync(2);
	guest_done();
}

/* A vCPU keeps its VM alive, whatever else is closed. */
TEST(vcpu_outlives_vm_fd)
{
	struct test_vm vm;
	struct test_vcpu *vcpu;

	vm_create(&vm, TEST_IRQCHIP_NONE);
	vcpu = vcpu_create(&vm, 0);
	vcpu_start(vcpu, guest_hello);
	EXPECT_EQ(1, vcpu_expect(vcpu, MSG_SYNC));
	close(vm.fd);
	close(vm.kvm);
	EXPECT_EQ(2, vcpu_expect(vcpu, MSG_SYNC));
	vm.fd = vm.kvm = -1;
	munmap(vcpu->run, vm.run_size);
	close(vcpu->fd);
}

TEST(run_argument)
{
	struct test_vm vm;
	struct test_vcpu *vcpu;

	vm_create(&vm, TEST_IRQCHIP_NONE);
	vcpu = vcpu_create(&vm, 0);
	vcpu_start(vcpu, guest_hello);
	EXPECT_ERR(EINVAL, ioctl(vcpu->fd, KVM_RUN, 1));
	EXPECT_EQ(1, vcpu_expect(vcpu, MSG_SYNC));
	vm_destroy(&vm);
}

/* Each page can be mapped apart; behind the last there is nothing. */
TEST(map_pages)
{
	struct test_vm vm;
	struct test_vcpu *vcpu;
	volatile uint8_t *page;
	int i, status;
	pid_t pid;

	vm_create(&vm, TEST_IRQCHIP_NONE);
	vcpu = vcpu_create(&vm, 0);
	for (i = 0; i < 3; i++) {
		page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu->fd, i * 4096);
		ASSERT_NE(MAP_FAILED, (void *)page);
		page[8] = i;
		EXPECT_EQ(i, ((uint8_t *)vcpu->run)[i * 4096 + 8]);
		munmap((void *)page, 4096);
	}
	pid = fork();
	ASSERT_GE(pid, 0);
	if (!pid) {
		page = mmap(NULL, 4096, PROT_READ, MAP_SHARED, vcpu->fd, 3 * 4096);
		if (page == MAP_FAILED)
			_exit(0);
		signal(SIGBUS, SIG_DFL);
		_exit(page[0]);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_TRUE((WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS) ||
		    (WIFEXITED(status) && WEXITSTATUS(status) == 0));
	vm_destroy(&vm);
}

/* --- signals --- */

static volatile sig_atomic_t signals;

static void on_signal(int sig)
{
	signals++;
}

static void guest_spin(void)
{
	for (;;)
		guest_pause();
}

static void guest_in(void)
{
	uint8_t v = guest_inb(0x99);

	guest_sync(v);
	guest_done();
}

TEST(immediate_exit)
{
	struct test_vm vm;
	struct test_vcpu *vcpu;

	vm_create(&vm, TEST_IRQCHIP_NONE);
	vcpu = vcpu_create(&vm, 0);
	vcpu_start(vcpu, guest_hello);
	vcpu->run->immediate_exit = 1;
	EXPECT_ERR(EINTR, ioctl(vcpu->fd, KVM_RUN, 0));
	EXPECT_EQ(1, vcpu->run->immediate_exit);
	vcpu->run->immediate_exit = 0;
	EXPECT_EQ(1, vcpu_expect(vcpu, MSG_SYNC));
	vm_destroy(&vm);
}

/* What userspace answered is taken before KVM_RUN comes back for immediate_exit. */
TEST(immediate_exit_completes_io)
{
	struct test_vm vm;
	struct test_vcpu *vcpu;
	struct kvm_regs regs;
	uint64_t rip;

	vm_create(&vm, TEST_IRQCHIP_NONE);
	vcpu = vcpu_create(&vm, 0);
	vcpu_start(vcpu, guest_in);
	ASSERT_EQ(0, ioctl(vcpu->fd, KVM_RUN, 0));
	ASSERT_EQ(KVM_EXIT_IO, vcpu->run->exit_reason);
	ASSERT_EQ(0x99, vcpu->run->io.port);
	ASSERT_EQ(0, ioctl(vcpu->fd, KVM_GET_REGS, &regs));
	rip = regs.rip;
	*((uint8_t *)vcpu->run + vcpu->run->io.data_offset) = 0x5a;
	vcpu->run->immediate_exit = 1;
	EXPECT_ERR(EINTR, ioctl(vcpu->fd, KVM_RUN, 0));
	ASSERT_EQ(0, ioctl(vcpu->fd, KVM_GET_REGS, &regs));
	EXPECT_EQ(0x5a, regs.rax & 0xff);
	EXPECT_GT(regs.rip, rip);
	vcpu->run->immediate_exit = 0;
	EXPECT_EQ(0x5a, vcpu_expect(vcpu, MSG_SYNC));
	vm_destroy(&vm);
}

struct kicker {
	pthread_t target;
	int delay_us;
};

static void *kick_thread(void *arg)
{
	struct kicker *k = arg;

	usleep(k->delay_us);
	pthread_kill(k->target, SIGUSR1);
	return NULL;
}

TEST(signal_ends_run)
{
	struct kicker k = { .target = pthread_self(), .delay_us = 100000 };
	struct sigaction sa = { .sa_handler = on_signal };
	struct test_vm vm;
	struct test_vcpu *vcpu;
	pthread_t thread;

	signals = 0;
	sigaction(SIGUSR1, &sa, NULL);
	vm_create(&vm, TEST_IRQCHIP_NONE);
	vcpu = vcpu_create(&vm, 0);
	vcpu_start(vcpu, guest_spin);
	ASSERT_EQ(0, pthread_create(&thread, NULL, kick_thread, &k));
	EXPECT_ERR(EINTR, ioctl(vcpu->fd, KVM_RUN, 0));
	EXPECT_EQ(KVM_EXIT_INTR, vcpu->run->exit_reason);
	EXPECT_EQ(1, signals);
	pthread_join(thread, NULL);
	vm_destroy(&vm);
}

static int set_mask(int fd, const void *set, uint32_t len)
{
	struct { struct kvm_signal_mask head; uint64_t set; } __attribute__((packed)) m = {
		.head.len = len,
	};

	if (set)
		memcpy(&m.set, set, 8);
	return ioctl(fd, KVM_SET_SIGNAL_MASK, set ? &m : NULL);
}

/* Blocked outside, unblocked inside: KVM_RUN comes back, and the signal is still pending. */
TEST(signal_mask)
{
	struct timespec now = {};
	struct test_vm vm;
	struct test_vcpu *vcpu;
	uint64_t none = 0;
	sigset_t set;

	vm_create(&vm, TEST_IRQCHIP_NONE);
	vcpu = vcpu_create(&vm, 0);
	vcpu_start(vcpu, guest_spin);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	sigprocmask(SIG_BLOCK, &set, NULL);
	EXPECT_ERR(EINVAL, set_mask(vcpu->fd, &none, 4));
	EXPECT_ERR(EINVAL, set_mask(vcpu->fd, &none, 16));
	EXPECT_EQ(0, set_mask(vcpu->fd, &none, 8));
	raise(SIGUSR2);
	EXPECT_ERR(EINTR, ioctl(vcpu->fd, KVM_RUN, 0));
	EXPECT_EQ(SIGUSR2, sigtimedwait(&set, NULL, &now));
	EXPECT_EQ(0, set_mask(vcpu->fd, NULL, 0));
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	vm_destroy(&vm);
}

struct later {
	pthread_t target;
	int sig;
};

static void *send_to_a_guest(void *arg)
{
	struct later *l = arg;

	usleep(50000);
	pthread_kill(l->target, l->sig);
	return NULL;
}

/* The same while the guest runs, for signals whose default action is the end of the process, and nothing at all. */
TEST(signal_mask_and_default_actions)
{
	static const int sigs[] = { SIGTERM, SIGURG };
	struct timespec now = {};
	struct test_vcpu *vcpu;
	struct test_vm vm;
	uint64_t none = 0;
	pthread_t thread;
	sigset_t set;
	int i;

	vm_create(&vm, TEST_IRQCHIP_NONE);
	vcpu = vcpu_create(&vm, 0);
	vcpu_start(vcpu, guest_spin);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGURG);
	sigprocmask(SIG_BLOCK, &set, NULL);
	ASSERT_EQ(0, set_mask(vcpu->fd, &none, 8));
	for (i = 0; i < 2; i++) {
		struct later l = { pthread_self(), sigs[i] };

		ASSERT_EQ(0, pthread_create(&thread, NULL, send_to_a_guest, &l));
		EXPECT_ERR(EINTR, ioctl(vcpu->fd, KVM_RUN, 0));
		pthread_join(thread, NULL);
		EXPECT_EQ(sigs[i], sigtimedwait(&set, NULL, &now));
	}
	vm_destroy(&vm);
}

/* An ioctl on a running vCPU waits, and a fatal signal ends the waiter. */
static void *run_thread(void *arg)
{
	struct test_vcpu *vcpu = arg;

	while (ioctl(vcpu->fd, KVM_RUN, 0) == 0)
		;
	return NULL;
}

TEST(ioctl_waits_for_run)
{
	struct sigaction sa = { .sa_handler = on_signal };
	struct test_vm vm;
	struct test_vcpu *vcpu;
	struct kvm_regs regs;
	struct kicker k;
	pthread_t runner, thread;

	sigaction(SIGUSR1, &sa, NULL);
	vm_create(&vm, TEST_IRQCHIP_NONE);
	vcpu = vcpu_create(&vm, 0);
	vcpu_start(vcpu, guest_spin);
	ASSERT_EQ(0, pthread_create(&runner, NULL, run_thread, vcpu));
	usleep(50000);
	k = (struct kicker){ .target = runner, .delay_us = 100000 };
	ASSERT_EQ(0, pthread_create(&thread, NULL, kick_thread, &k));
	EXPECT_EQ(0, ioctl(vcpu->fd, KVM_GET_REGS, &regs));
	pthread_join(runner, NULL);
	pthread_join(thread, NULL);
	vm_destroy(&vm);
}

/* kvm_run belongs to userspace too: whatever it writes there harms only itself. */
static volatile int scribbling;

static void *scribble_thread(void *arg)
{
	struct test_vcpu *vcpu = arg;
	volatile uint64_t *p = (uint64_t *)vcpu->run;
	uint64_t x = 88172645463325252ull;
	unsigned int i;

	while (scribbling) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		/* Not immediate_exit's word, or nothing would run. */
		i = 2 + x % (3 * 4096 / 8 - 2);
		p[i] = x;
	}
	return NULL;
}

static void guest_io_loop(void)
{
	for (;;) {
		guest_inb(0x99);
		guest_outb(0x99, 1);
		*(volatile uint32_t *)GPA_MMIO = *(volatile uint32_t *)(GPA_MMIO + 8);
	}
}

TEST(scribbled_kvm_run)
{
	struct kvm_coalesced_mmio_zone zone = { .addr = GPA_MMIO, .size = 4096 };
	struct test_vm vm;
	struct test_vcpu *vcpu;
	pthread_t thread;
	int i;

	vm_create(&vm, TEST_IRQCHIP_NONE);
	vcpu = vcpu_create(&vm, 0);
	ASSERT_EQ(0, ioctl(vm.fd, KVM_REGISTER_COALESCED_MMIO, &zone));
	vcpu_start(vcpu, guest_io_loop);
	scribbling = 1;
	ASSERT_EQ(0, pthread_create(&thread, NULL, scribble_thread, vcpu));
	for (i = 0; i < 3000; i++)
		ioctl(vcpu->fd, KVM_RUN, 0);
	scribbling = 0;
	pthread_join(thread, NULL);
	vm_destroy(&vm);
}

/* Creating, using and closing in a circle leaves nothing behind that would stop it. */
TEST(create_destroy)
{
	struct test_vm vm;
	int i;

	for (i = 0; i < 50; i++) {
		vm_create(&vm, i % 3);
		vcpu_create(&vm, 0);
		vcpu_create(&vm, 1);
		vm_destroy(&vm);
	}
}

TEST_HARNESS_MAIN
