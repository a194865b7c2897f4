// SPDX-License-Identifier: GPL-2.0-only
/* KVM_RUN and signals, beyond what core.c has: the ways in which VMMs stop a vCPU and start it again. */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "kselftest_harness.h"
#include "testvm.h"

#define MS	1000

static volatile int usr1, usr2;
static struct test_vcpu *stop_this;

static void on_usr1(int sig)
{
	usr1++;
	if (stop_this)
		stop_this->run->immediate_exit = 1;
}

static void on_usr2(int sig)
{
	usr2++;
}

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

FIXTURE(signals)
{
	struct test_vm vm;
	struct test_vcpu *v;
};

FIXTURE_VARIANT(signals)
{
	enum test_irqchip irqchip;
};

FIXTURE_VARIANT_ADD(signals, no_irqchip)
{
	.irqchip = TEST_IRQCHIP_NONE,
};

FIXTURE_VARIANT_ADD(signals, irqchip)
{
	.irqchip = TEST_IRQCHIP_FULL,
};

FIXTURE_SETUP(signals)
{
	struct sigaction a = { .sa_handler = on_usr1 }, b = { .sa_handler = on_usr2 };

	sigaction(SIGUSR1, &a, NULL);
	sigaction(SIGUSR2, &b, NULL);
	usr1 = usr2 = 0;
	stop_this = NULL;
	memset(guest_handlers, 0, sizeof(guest_handlers));
	vm_create(&self->vm, variant->irqchip);
	self->v = vcpu_create(&self->vm, 0);
}

FIXTURE_TEARDOWN(signals)
{
	vm_destroy(&self->vm);
}

struct sender {
	pthread_t thread, target;
	int sig, delay_us;
	volatile bool often;	/* until it is cleared */
};

static void *send(void *p)
{
	struct sender *s = p;

	do {
		usleep(s->delay_us);
		pthread_kill(s->target, s->sig);
	} while (s->often);
	return NULL;
}

static void send_later(struct sender *s, int sig, int delay_us)
{
	*s = (struct sender){ .target = pthread_self(), .sig = sig, .delay_us = delay_us };
	pthread_create(&s->thread, NULL, send, s);
}

/* For a thread that may be late. */
static void send_often(struct sender *s, int sig, int delay_us)
{
	*s = (struct sender){ .target = pthread_self(), .sig = sig, .delay_us = delay_us, .often = true };
	pthread_create(&s->thread, NULL, send, s);
}

static volatile uint64_t spins;

/* Interrupts on, though none come: see flush.c. */
static void guest_spin(void)
{
	guest_sti();
	for (;;)
		spins++;
}

static void guest_port(void)
{
	__asm__ volatile("outb %%al, %%dx" : : "a" (1), "d" (0x123));
	guest_sti();
	for (;;)
		spins++;
}

/* kvmtool looks at exit_reason after EINTR too: an old KVM_EXIT_IO would do the port write twice. */
TEST_F(signals, no_stale_exit_reason)
{
	struct sender s;

	vcpu_start(self->v, guest_port);
	ASSERT_EQ(0, ioctl(self->v->fd, KVM_RUN, 0));
	ASSERT_EQ(KVM_EXIT_IO, self->v->run->exit_reason);
	send_later(&s, SIGUSR1, 50 * MS);
	ASSERT_ERR(EINTR, ioctl(self->v->fd, KVM_RUN, 0));
	EXPECT_EQ(KVM_EXIT_INTR, self->v->run->exit_reason);
	EXPECT_EQ(1, usr1);
	pthread_join(s.thread, NULL);
}

/* What the mask blocks does not end KVM_RUN, and comes when it ended for another reason. */
TEST_F(signals, blocked_inside)
{
	struct { struct kvm_signal_mask m; uint64_t set; } __attribute__((packed)) mask = {
		.m.len = 8, .set = 1ull << (SIGUSR1 - 1),
	};
	struct sender a, b;
	uint64_t t;

	ASSERT_EQ(0, ioctl(self->v->fd, KVM_SET_SIGNAL_MASK, &mask));
	vcpu_start(self->v, guest_spin);
	t = now_ms();
	send_later(&a, SIGUSR1, 30 * MS);
	send_later(&b, SIGUSR2, 150 * MS);
	ASSERT_ERR(EINTR, ioctl(self->v->fd, KVM_RUN, 0));
	EXPECT_GE(now_ms() - t, 140);
	EXPECT_EQ(1, usr1);
	EXPECT_EQ(1, usr2);
	pthread_join(a.thread, NULL);
	pthread_join(b.thread, NULL);
	ASSERT_EQ(0, ioctl(self->v->fd, KVM_SET_SIGNAL_MASK, NULL));
}

/* QEMU's way: the handler sets immediate_exit, so a signal just before KVM_RUN is not lost. */
TEST_F(signals, handler_sets_immediate_exit)
{
	stop_this = self->v;
	vcpu_start(self->v, guest_spin);
	raise(SIGUSR1);
	ASSERT_ERR(EINTR, ioctl(self->v->fd, KVM_RUN, 0));
	EXPECT_EQ(1, self->v->run->immediate_exit);		/* the kernel leaves it alone */
	ASSERT_ERR(EINTR, ioctl(self->v->fd, KVM_RUN, 0));
	self->v->run->immediate_exit = 0;
}

static void guest_count(void)
{
	uint64_t n;

	for (n = 1;; n++)
		guest_sync(n);
}

static void *run_ten(void *p)
{
	uint64_t last = 0;
	int i;

	for (i = 0; i < 10; i++)
		last = vcpu_expect(p, MSG_SYNC);
	return (void *)last;
}

TEST_F(signals, threads_take_turns)
{
	pthread_t t;
	uint64_t i;
	void *last;

	vcpu_start(self->v, guest_count);
	for (i = 1; i <= 5; i++) {
		ASSERT_EQ(0, pthread_create(&t, NULL, run_ten, self->v));
		pthread_join(t, &last);
		EXPECT_EQ(i * 20 - 10, (uintptr_t)last);
		EXPECT_EQ(i * 20, (uintptr_t)run_ten(self->v));
	}
}

static volatile uint64_t irqs;

static void on_irq(struct guest_frame *f)
{
	irqs++;
	*(volatile uint32_t *)0xfee000b0ull = 0;
}

static void guest_halt(void)
{
	guest_handlers[0x40] = on_irq;
	*(volatile uint32_t *)0xfee000f0ull = 0x1ff;
	for (;;) {
		guest_sti_hlt();
		guest_cli();
		guest_sync(irqs);
	}
}

/* A halted vCPU that is interrupted for userspace's sake is still halted afterwards. */
TEST_F(signals, halted)
{
	struct kvm_msi msi = { .address_lo = 0xfee00000, .data = 0x40 };
	struct kvm_mp_state mp;
	struct sender s;
	int i;

	if (variant->irqchip == TEST_IRQCHIP_NONE)
		SKIP(return, "HLT goes to userspace");
	irqs = 0;
	vcpu_start(self->v, guest_halt);
	for (i = 0; i < 3; i++) {
		send_later(&s, SIGUSR1, 30 * MS);
		ASSERT_ERR(EINTR, ioctl(self->v->fd, KVM_RUN, 0));
		EXPECT_EQ(KVM_EXIT_INTR, self->v->run->exit_reason);
		pthread_join(s.thread, NULL);
		ASSERT_EQ(0, ioctl(self->v->fd, KVM_GET_MP_STATE, &mp));
		EXPECT_EQ(KVM_MP_STATE_HALTED, mp.mp_state);
	}
	EXPECT_EQ(0, irqs);
	EXPECT_LT(0, ioctl(self->vm.fd, KVM_SIGNAL_MSI, &msi));
	EXPECT_EQ(1, vcpu_expect(self->v, MSG_SYNC));
}

static void guest_awake(void)
{
	guest_handlers[0x40] = on_irq;
	*(volatile uint32_t *)0xfee000f0ull = 0x1ff;
	guest_sti();
	for (;;)
		guest_sync(irqs);
}

/* HALTED as it comes with a saved state: by ioctl, on a vCPU that has not executed HLT, RFLAGS before or after it. */
TEST_F(signals, set_to_halted)
{
	struct kvm_msi msi = { .address_lo = 0xfee00000, .data = 0x40 };
	struct kvm_mp_state halted = { KVM_MP_STATE_HALTED }, mp;
	struct kvm_regs r;
	struct sender s;

	if (variant->irqchip == TEST_IRQCHIP_NONE)
		SKIP(return, "HLT goes to userspace");
	irqs = 0;
	vcpu_start(self->v, guest_awake);
	EXPECT_EQ(0, vcpu_expect(self->v, MSG_SYNC));
	vcpu_complete(self->v);
	ASSERT_EQ(0, ioctl(self->v->fd, KVM_SET_MP_STATE, &halted));
	send_later(&s, SIGUSR1, 30 * MS);
	ASSERT_ERR(EINTR, ioctl(self->v->fd, KVM_RUN, 0));
	pthread_join(s.thread, NULL);
	EXPECT_LT(0, ioctl(self->vm.fd, KVM_SIGNAL_MSI, &msi));
	EXPECT_EQ(1, vcpu_expect(self->v, MSG_SYNC));

	/* With interrupts off it sleeps on. */
	vcpu_complete(self->v);
	ASSERT_EQ(0, ioctl(self->v->fd, KVM_SET_MP_STATE, &halted));
	ASSERT_EQ(0, ioctl(self->v->fd, KVM_GET_REGS, &r));
	r.rflags &= ~0x200ull;
	ASSERT_EQ(0, ioctl(self->v->fd, KVM_SET_REGS, &r));
	EXPECT_LE(0, ioctl(self->vm.fd, KVM_SIGNAL_MSI, &msi));
	send_later(&s, SIGUSR1, 30 * MS);
	ASSERT_ERR(EINTR, ioctl(self->v->fd, KVM_RUN, 0));
	pthread_join(s.thread, NULL);
	ASSERT_EQ(0, ioctl(self->v->fd, KVM_GET_MP_STATE, &mp));
	EXPECT_EQ(KVM_MP_STATE_HALTED, mp.mp_state);
	r.rflags |= 0x200;
	ASSERT_EQ(0, ioctl(self->v->fd, KVM_SET_REGS, &r));
	vcpu_expect(self->v, MSG_SYNC);
}

/* An application processor that nobody has started. */
TEST_F(signals, uninitialized)
{
	struct test_vcpu *ap;
	struct kvm_mp_state mp;
	struct sender s;

	if (variant->irqchip == TEST_IRQCHIP_NONE)
		SKIP(return, "every vCPU is runnable");
	ap = vcpu_create(&self->vm, 1);
	send_later(&s, SIGUSR1, 30 * MS);
	ASSERT_ERR(EINTR, ioctl(ap->fd, KVM_RUN, 0));
	pthread_join(s.thread, NULL);
	ASSERT_EQ(0, ioctl(ap->fd, KVM_GET_MP_STATE, &mp));
	EXPECT_EQ(KVM_MP_STATE_UNINITIALIZED, mp.mp_state);
}

static void kill_a_runner(struct __test_metadata *_metadata, void (*guest)(void),
			  enum test_irqchip irqchip)
{
	int status, i;
	pid_t pid;

	for (i = 0; i < 3; i++) {
		pid = fork();
		ASSERT_LE(0, pid);
		if (!pid) {
			struct test_vm vm;

			vm_create(&vm, irqchip);
			vcpu_start(vcpu_create(&vm, 0), guest);
			for (;;)
				ioctl(vm.vcpu[0].fd, KVM_RUN, 0);
		}
		usleep(60 * MS);
		kill(pid, SIGKILL);
		ASSERT_EQ(pid, waitpid(pid, &status, 0));
		EXPECT_TRUE(WIFSIGNALED(status));
	}
}

TEST_F(signals, killed_while_running)
{
	kill_a_runner(_metadata, guest_spin, variant->irqchip);
	if (variant->irqchip != TEST_IRQCHIP_NONE)
		kill_a_runner(_metadata, guest_halt, variant->irqchip);
}

/* Stopped and continued: an ended KVM_RUN at most. */
TEST_F(signals, stopped_and_continued)
{
	int status;
	pid_t pid = fork();

	ASSERT_LE(0, pid);
	if (!pid) {
		vm_create(&self->vm, variant->irqchip);
		vcpu_start(vcpu_create(&self->vm, 0), guest_spin);
		alarm(20);
		while (spins < 200000000)
			if (ioctl(self->vm.vcpu[0].fd, KVM_RUN, 0) && errno != EINTR)
				_exit(1);
		_exit(0);
	}
	usleep(50 * MS);
	kill(pid, SIGSTOP);
	ASSERT_EQ(pid, waitpid(pid, &status, WUNTRACED));
	EXPECT_TRUE(WIFSTOPPED(status));
	kill(pid, SIGCONT);
	usleep(50 * MS);
	kill(pid, SIGKILL);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_TRUE(WIFSIGNALED(status));
}

/* --- in the middle of a string instruction on a port --- */

#define STRING_PORT	0x123
#define STRING_LEN	10000ull

static uint8_t string_src[STRING_LEN], string_dst[STRING_LEN];
static uint8_t string_out[2 * STRING_LEN];

static void guest_strings(void)
{
	uint64_t n = STRING_LEN;
	void *p = string_src;

	__asm__ volatile("cld; rep outsb" : "+c" (n), "+S" (p) : "d" (STRING_PORT) : "memory");
	guest_sync(n);
	n = STRING_LEN;
	p = string_dst;
	__asm__ volatile("rep insb" : "+c" (n), "+D" (p) : "d" (STRING_PORT) : "memory");
	guest_sync(n);
}

/* KVM_RUN comes back before the guest goes on, and what was answered is taken. */
static bool stop_at_once(struct test_vcpu *v, bool by_signal)
{
	bool stopped;
	sigset_t usr;

	if (by_signal)
		raise(SIGUSR1);		/* blocked, but for KVM_RUN */
	else
		v->run->immediate_exit = 1;
	stopped = ioctl(v->fd, KVM_RUN, 0) == -1 && errno == EINTR;
	v->run->immediate_exit = 0;
	if (!by_signal)
		return stopped;
	/* It ended KVM_RUN and still waits. */
	sigemptyset(&usr);
	sigaddset(&usr, SIGUSR1);
	return stopped && sigwaitinfo(&usr, NULL) == SIGUSR1;
}

static uint8_t string_value(uint64_t i)
{
	return i * 7 + (i >> 8);
}

/* Stopped behind each piece: every byte goes over the port once, and in order. */
TEST_F(signals, stopped_in_strings)
{
	struct { struct kvm_signal_mask m; uint64_t set; } __attribute__((packed)) mask = { .m.len = 8 };
	struct kvm_run *run = self->v->run;
	uint64_t out = 0, in = 0, last = STRING_LEN, i;
	struct kvm_regs r;
	sigset_t usr;
	int round = 0;

	sigemptyset(&usr);
	sigaddset(&usr, SIGUSR1);
	pthread_sigmask(SIG_BLOCK, &usr, NULL);
	ASSERT_EQ(0, ioctl(self->v->fd, KVM_SET_SIGNAL_MASK, &mask));
	for (i = 0; i < STRING_LEN; i++)
		string_src[i] = string_value(i);
	vcpu_start(self->v, guest_strings);
	for (;; round++) {
		uint8_t *data = (uint8_t *)run + run->io.data_offset;

		if (ioctl(self->v->fd, KVM_RUN, 0)) {
			ASSERT_EQ(EINTR, errno);
			continue;
		}
		ASSERT_EQ(KVM_EXIT_IO, run->exit_reason);
		data = (uint8_t *)run + run->io.data_offset;
		if (run->io.port == GUEST_PORT) {
			ASSERT_EQ(0, ioctl(self->v->fd, KVM_GET_REGS, &r));
			ASSERT_EQ(MSG_SYNC, r.rax);
			EXPECT_EQ(0, r.rdi);
			last = STRING_LEN;
			if (in)
				break;
			continue;
		}
		ASSERT_EQ(STRING_PORT, run->io.port);
		ASSERT_EQ(1, run->io.size);
		if (run->io.direction == KVM_EXIT_IO_OUT) {
			ASSERT_GE(sizeof(string_out), out + run->io.count);
			memcpy(string_out + out, data, run->io.count);
			out += run->io.count;
		} else {
			ASSERT_GE(STRING_LEN, in + run->io.count);
			for (i = 0; i < run->io.count; i++)
				data[i] = string_value(in + i + 1);
			in += run->io.count;
		}
		ASSERT_TRUE(stop_at_once(self->v, round & 1));
		/* The guest's registers say how far it is. */
		ASSERT_EQ(0, ioctl(self->v->fd, KVM_GET_REGS, &r));
		EXPECT_EQ(STRING_LEN - (in ? in : out), r.rcx);
		EXPECT_GT(last, r.rcx);
		last = r.rcx;
	}
	EXPECT_LT(4, round);
	EXPECT_EQ(STRING_LEN, out);
	EXPECT_EQ(STRING_LEN, in);
	EXPECT_EQ(0, memcmp(string_src, string_out, STRING_LEN));
	for (i = 0; i < STRING_LEN; i++)
		if (string_dst[i] != string_value(i + 1))
			break;
	EXPECT_EQ(STRING_LEN, i);
}

#define ENDLESS		(1ull << 39)		/* 512 GiB of the guest's addresses, one large page */
#define ENDLESS_COUNT	(1ull << 32)

static void guest_endless_string(void)
{
	uint64_t n = ENDLESS_COUNT;
	void *p = (void *)ENDLESS;

	/* The first PIC's mask: a port that the kernel serves by itself. */
	__asm__ volatile("cld; rep outsb" : "+c" (n), "+S" (p) : "d" (0x21) : "memory");
	guest_sync(0);
}

static void map_endless(struct test_vm *vm)
{
	uint64_t *t = vm->tables;
	unsigned int i;

	t[1] = (GPA_TABLES + 8 * 4096) | 3;
	for (i = 0; i < 512; i++) {
		t[8 * 512 + i] = (GPA_TABLES + 9 * 4096) | 3;
		t[9 * 512 + i] = GPA_FREE | 0x83;
	}
	vm_add_memory(vm, SLOT_FREE, GPA_FREE, 2 << 20, 0);
}

/* A string that never leaves the kernel, and would take hours: a signal ends KVM_RUN, and it goes on after it. */
TEST_F(signals, endless_string)
{
	struct kvm_regs r = {};
	uint64_t last = ENDLESS_COUNT, t;
	struct sender s;
	int i;

	if (variant->irqchip == TEST_IRQCHIP_NONE)
		SKIP(return, "every port goes to userspace");
	map_endless(&self->vm);
	vcpu_start(self->v, guest_endless_string);
	for (i = 0; i < 4; i++) {
		t = now_ms();
		send_often(&s, SIGUSR1, 100 * MS);
		ASSERT_ERR(EINTR, ioctl(self->v->fd, KVM_RUN, 0));
		s.often = false;
		EXPECT_GE(now_ms() - t, 90);
		EXPECT_LT(now_ms() - t, 20000);
		EXPECT_EQ(KVM_EXIT_INTR, self->v->run->exit_reason);
		pthread_join(s.thread, NULL);
		ASSERT_EQ(0, ioctl(self->v->fd, KVM_GET_REGS, &r));
		EXPECT_GE(last, r.rcx);
		EXPECT_LT(0, r.rcx);
		EXPECT_EQ(ENDLESS + ENDLESS_COUNT, r.rsi + r.rcx);
		last = r.rcx;
	}
	EXPECT_LE(4, usr1);
	EXPECT_GT(ENDLESS_COUNT, last);
	/* Its instruction, still. */
	r.rcx = 1;
	ASSERT_EQ(0, ioctl(self->v->fd, KVM_SET_REGS, &r));
	vcpu_expect(self->v, MSG_SYNC);
}

TEST_HARNESS_MAIN
