// SPDX-License-Identifier: GPL-2.0-only
/*
 * A VMM that means harm: every ioctl with every kind of bad argument in every state of a VM, shared
 * pages scribbled over while a guest runs, random register states entered. Nothing is expected of the
 * answers. What counts is that the host lives and that its log stays clean, which the runner checks.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>
#include "kselftest_harness.h"
#include "testvm.h"

#define PAGE	4096ul
#define MEMORY	(256 * PAGE)
#define FIRST_FD 60	/* ours are below; what ioctls return is above, and closed */

/* Memory of its own: the guest of testvm.h could write to this program. */
struct victim {
	int kvm, vm, vcpu;
	uint8_t *mem;
	struct kvm_run *run;
};

static uint64_t seed = 0x9e3779b97f4a7c15;

static uint64_t rnd(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

static void on_alarm(int sig)
{
}

/* A run that does not come back is called back every 10 ms. */
static void start_alarm(void)
{
	struct itimerval t = { { 0, 10000 }, { 0, 10000 } };
	struct sigaction a = { .sa_handler = on_alarm };

	sigaction(SIGALRM, &a, NULL);
	setitimer(ITIMER_REAL, &t, NULL);
}

static uint64_t now(void)	/* ms */
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Real mode: ports, strings of them, device memory, all round and round. */
__asm__(".text\n.globl io_code, io_code_end\n.code16\nio_code:\n"
	"1: movw $0x9000, %ax; movw %ax, %ds; movw $0x300, %dx\n"
	"outb %al, %dx; inb %dx, %al; outw %ax, %dx; inl %dx, %eax\n"
	"movw $0x100, %si; movw $20, %cx; rep outsb\n"
	"pushw %cs; popw %es; movw $0x4000, %di; movw $9, %cx; rep insw\n"
	"movw $0xb000, %ax; movw %ax, %es; xorw %di, %di\n"
	"movl %eax, %es:(%di); movb %es:4(%di), %al; addw %ax, %es:8(%di)\n"
	"movw $7, %cx; rep stosw; movw $0x2e0, %dx; outw %ax, %dx\n"
	"xorl %eax, %eax; cpuid; incw %cs:0x3000; jmp 1b\n"
	"io_code_end:\n.code64");
extern const char io_code[], io_code_end[];

static void victim_create(struct victim *v, enum test_irqchip irqchip, bool vcpu)
{
	struct kvm_enable_cap split = { .cap = KVM_CAP_SPLIT_IRQCHIP, .args = { 24 } };
	struct kvm_userspace_memory_region r = { .memory_size = 0xa0000 };

	memset(v, 0, sizeof(*v));
	v->kvm = open_kvm();
	v->vm = ioctl(v->kvm, KVM_CREATE_VM, 0);
	if (irqchip == TEST_IRQCHIP_FULL)
		ioctl(v->vm, KVM_CREATE_IRQCHIP, 0);
	if (irqchip == TEST_IRQCHIP_SPLIT)
		ioctl(v->vm, KVM_ENABLE_CAP, &split);
	v->mem = mmap(NULL, MEMORY, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	r.userspace_addr = (uintptr_t)v->mem;
	ioctl(v->vm, KVM_SET_USER_MEMORY_REGION, &r);
	v->vcpu = -1;
	if (!vcpu)
		return;
	v->vcpu = ioctl(v->vm, KVM_CREATE_VCPU, 0);
	v->run = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, v->vcpu, 0);
}

static void victim_destroy(struct victim *v)
{
	if (v->run)
		munmap(v->run, 3 * PAGE);
	close(v->vcpu);
	close(v->vm);
	close(v->kvm);
	munmap(v->mem, MEMORY);
	syscall(SYS_close_range, FIRST_FD, ~0u, 0);
}

/* Registers as after reset, but for CS:IP: 0:0x1000 with the code above. */
static void victim_reset(struct victim *v)
{
	static struct kvm_sregs initial;
	struct kvm_vcpu_events e = {};
	struct kvm_regs r = { .rip = 0x1000, .rflags = 2, .rsp = 0x7000 };
	struct kvm_mp_state mp = { KVM_MP_STATE_RUNNABLE };

	if (!initial.cr0) {
		ioctl(v->vcpu, KVM_GET_SREGS, &initial);
		initial.cs.base = initial.cs.selector = 0;
	}
	memcpy(v->mem + 0x1000, io_code, io_code_end - io_code);
	ioctl(v->vcpu, KVM_SET_SREGS, &initial);
	ioctl(v->vcpu, KVM_SET_REGS, &r);
	ioctl(v->vcpu, KVM_SET_VCPU_EVENTS, &e);
	ioctl(v->vcpu, KVM_SET_MP_STATE, &mp);
}

/* ---- every ioctl ---- */

static const unsigned long known[] = {
	KVM_GET_API_VERSION, KVM_CREATE_VM, KVM_GET_MSR_INDEX_LIST, KVM_CHECK_EXTENSION,
	KVM_GET_VCPU_MMAP_SIZE, KVM_GET_SUPPORTED_CPUID, KVM_GET_EMULATED_CPUID,
	KVM_GET_MSR_FEATURE_INDEX_LIST, KVM_CREATE_VCPU, KVM_GET_DIRTY_LOG, KVM_SET_NR_MMU_PAGES,
	KVM_GET_NR_MMU_PAGES, KVM_SET_USER_MEMORY_REGION, KVM_SET_TSS_ADDR,
	KVM_SET_IDENTITY_MAP_ADDR, KVM_SET_USER_MEMORY_REGION2, KVM_CREATE_IRQCHIP, KVM_IRQ_LINE,
	KVM_GET_IRQCHIP, KVM_SET_IRQCHIP, KVM_CREATE_PIT, KVM_GET_PIT, KVM_SET_PIT,
	KVM_IRQ_LINE_STATUS, KVM_REGISTER_COALESCED_MMIO, KVM_UNREGISTER_COALESCED_MMIO,
	KVM_SET_GSI_ROUTING, KVM_REINJECT_CONTROL, KVM_IRQFD, KVM_CREATE_PIT2,
	KVM_SET_BOOT_CPU_ID, KVM_IOEVENTFD, KVM_XEN_HVM_CONFIG, KVM_SET_CLOCK, KVM_GET_CLOCK,
	KVM_GET_PIT2, KVM_SET_PIT2, KVM_SET_TSC_KHZ, KVM_GET_TSC_KHZ, KVM_SIGNAL_MSI,
	KVM_SET_PMU_EVENT_FILTER, KVM_MEMORY_ENCRYPT_OP, KVM_MEMORY_ENCRYPT_REG_REGION,
	KVM_MEMORY_ENCRYPT_UNREG_REGION, KVM_HYPERV_EVENTFD, KVM_CLEAR_DIRTY_LOG,
	KVM_X86_SET_MSR_FILTER, KVM_RESET_DIRTY_RINGS, KVM_XEN_HVM_GET_ATTR, KVM_XEN_HVM_SET_ATTR,
	KVM_GET_STATS_FD, KVM_XEN_HVM_EVTCHN_SEND, KVM_SET_MEMORY_ATTRIBUTES,
	KVM_CREATE_GUEST_MEMFD, KVM_CREATE_DEVICE, KVM_SET_DEVICE_ATTR, KVM_GET_DEVICE_ATTR,
	KVM_HAS_DEVICE_ATTR, KVM_RUN, KVM_GET_REGS, KVM_SET_REGS, KVM_GET_SREGS, KVM_SET_SREGS,
	KVM_TRANSLATE, KVM_INTERRUPT, KVM_GET_MSRS, KVM_SET_MSRS, KVM_SET_CPUID,
	KVM_SET_SIGNAL_MASK, KVM_GET_FPU, KVM_SET_FPU, KVM_GET_LAPIC, KVM_SET_LAPIC,
	KVM_SET_CPUID2, KVM_GET_CPUID2, KVM_TPR_ACCESS_REPORTING, KVM_SET_VAPIC_ADDR,
	KVM_GET_MP_STATE, KVM_SET_MP_STATE, KVM_NMI, KVM_SET_GUEST_DEBUG, KVM_X86_SETUP_MCE,
	KVM_X86_GET_MCE_CAP_SUPPORTED, KVM_X86_SET_MCE, KVM_GET_VCPU_EVENTS, KVM_SET_VCPU_EVENTS,
	KVM_GET_DEBUGREGS, KVM_SET_DEBUGREGS, KVM_ENABLE_CAP, KVM_GET_XSAVE, KVM_SET_XSAVE,
	KVM_GET_XCRS, KVM_SET_XCRS, KVM_GET_ONE_REG, KVM_SET_ONE_REG, KVM_KVMCLOCK_CTRL,
	KVM_GET_REG_LIST, KVM_SMI, KVM_GET_NESTED_STATE, KVM_SET_NESTED_STATE,
	KVM_GET_SUPPORTED_HV_CPUID, KVM_XEN_VCPU_GET_ATTR, KVM_XEN_VCPU_SET_ATTR, KVM_GET_SREGS2,
	KVM_SET_SREGS2, KVM_GET_XSAVE2, KVM_PRE_FAULT_MEMORY,
};

#define NR_KNOWN	(sizeof(known) / sizeof(known[0]))

/* Two pages of which the second cannot be touched. */
static uint8_t *edge;

static void one_ioctl(int fd, unsigned long nr)
{
	static uint8_t buf[16 * 4096] __attribute__((aligned(4096)));
	size_t size = _IOC_SIZE(nr) ?: 8;
	unsigned int i, j;

	ioctl(fd, nr, NULL);
	ioctl(fd, nr, (void *)1ul);
	ioctl(fd, nr, (void *)-1ul);
	ioctl(fd, nr, (void *)0x8000000000000000ul);
	ioctl(fd, nr, (void *)0xffffffff81000000ul);
	ioctl(fd, nr, (void *)(rnd() & 0xffff));
	memset(edge, 0xff, PAGE);
	ioctl(fd, nr, edge + PAGE - 1);
	ioctl(fd, nr, edge + PAGE - (size < PAGE ? size : PAGE));
	memset(edge, 0, PAGE);
	ioctl(fd, nr, edge + PAGE - size / 2 % PAGE - 1);
	for (i = 0; i < 256; i += 85) {		/* 0, 0x55, 0xaa, 0xff */
		memset(buf, i, sizeof(buf));
		ioctl(fd, nr, buf + (i & 1));
	}
	/* Small numbers pass more checks than noise does. */
	for (i = 0; i < 12; i++) {
		memset(buf, 0, sizeof(buf));
		for (j = 0; j < size / 4 && j < 64; j++)
			((uint32_t *)buf)[j] = rnd() % 3 ? rnd() % 6 : rnd();
		ioctl(fd, nr, buf);
	}
}

static void all_ioctls(struct victim *v)
{
	struct rlimit fds = { 200, 200 };
	int files[] = { v->kvm, v->vm, v->vcpu }, i;
	unsigned int n;

	setrlimit(RLIMIT_NOFILE, &fds);
	edge = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	mprotect(edge + PAGE, PAGE, PROT_NONE);
	/* From here on the kernel hands out numbers that are known to be nobody's. */
	for (i = dup(v->kvm); i < FIRST_FD - 1 && i > 0; i = dup(v->kvm))
		;
	start_alarm();
	for (i = 0; i < 3; i++) {
		if (files[i] < 0)
			continue;
		for (n = 0; n < NR_KNOWN; n++) {
			if (v->vcpu >= 0 && i == 2 && known[n] != KVM_RUN)
				victim_reset(v);
			one_ioctl(files[i], known[n]);
			if (v->vcpu >= 0)
				ioctl(v->vcpu, KVM_RUN, 0);
			syscall(SYS_close_range, FIRST_FD, ~0u, 0);
		}
		for (n = 0; n < 256; n++) {
			ioctl(files[i], _IO(KVMIO, n), rnd());
			ioctl(files[i], _IOC(rnd() & 3, KVMIO, n, rnd() & 0x3fff), edge);
			syscall(SYS_close_range, FIRST_FD, ~0u, 0);
		}
	}
}

FIXTURE(ioctls)
{
	struct victim v;
};

FIXTURE_VARIANT(ioctls)
{
	enum test_irqchip irqchip;
	bool vcpu;
};

#define STATE(name, chip, has_vcpu) \
	FIXTURE_VARIANT_ADD(ioctls, name) { .irqchip = TEST_IRQCHIP_##chip, .vcpu = has_vcpu }

STATE(no_irqchip_no_vcpu, NONE, false);
STATE(no_irqchip, NONE, true);
STATE(split_no_vcpu, SPLIT, false);
STATE(split, SPLIT, true);
STATE(full_no_vcpu, FULL, false);
STATE(full, FULL, true);

FIXTURE_SETUP(ioctls)
{
	victim_create(&self->v, variant->irqchip, variant->vcpu);
	ASSERT_LT(self->v.vcpu, FIRST_FD);
}

FIXTURE_TEARDOWN(ioctls)
{
	victim_destroy(&self->v);
}

TEST_F(ioctls, every_one)
{
	all_ioctls(&self->v);
}

/* ---- scribbling ---- */

static volatile bool stop;

static void *scribble(void *p)
{
	volatile uint64_t *w = p;
	uint64_t i;

	while (!stop) {
		for (i = 0; i < 64; i++)
			w[rnd() % (PAGE / 8)] = rnd();			/* kvm_run */
		w[0] = rnd() % 4 ? 0 : rnd();				/* immediate_exit now and then */
		w[2 * PAGE / 8] = rnd();				/* first and last of the ring */
		w[2 * PAGE / 8] = rnd() & 0x7f0000007f;
		w[PAGE / 8 + rnd() % (PAGE / 8)] = rnd();
		((volatile struct kvm_run *)w)->kvm_dirty_regs = rnd() % 8 ? 0 : rnd() & 7;
		((volatile struct kvm_run *)w)->kvm_valid_regs = rnd() & 7;
	}
	return NULL;
}

TEST(scribbled_pages)
{
	struct kvm_coalesced_mmio_zone zones[] = {
		{ .addr = 0xb0000, .size = 0x1000 }, { .addr = 0x2e0, .size = 8, .pio = 1 },
	};
	uint64_t end = now() + 1500;
	struct victim v;
	unsigned int n = 0;
	pthread_t t;
	int ret;

	victim_create(&v, TEST_IRQCHIP_NONE, true);
	ASSERT_EQ(0, ioctl(v.vm, KVM_REGISTER_COALESCED_MMIO, &zones[0]));
	ASSERT_EQ(0, ioctl(v.vm, KVM_REGISTER_COALESCED_MMIO, &zones[1]));
	start_alarm();
	stop = false;
	pthread_create(&t, NULL, scribble, v.run);
	while (now() < end) {
		if (n++ % 16 == 0)
			victim_reset(&v);
		ioctl(v.vcpu, KVM_RUN, 0);
	}
	stop = true;
	pthread_join(t, NULL);
	/* And it still is a vCPU. */
	memset(v.run, 0, 3 * PAGE);
	v.run->immediate_exit = 1;
	ioctl(v.vcpu, KVM_RUN, 0);
	v.run->immediate_exit = 0;
	victim_reset(&v);
	v.mem[0x1000] = 0xf4;		/* HLT */
	/* The alarm still rings. */
	while ((ret = ioctl(v.vcpu, KVM_RUN, 0)) < 0 && errno == EINTR)
		;
	ASSERT_EQ(0, ret);
	EXPECT_EQ(KVM_EXIT_HLT, v.run->exit_reason);
	victim_destroy(&v);
}

/* ---- states that no CPU was ever in ---- */

static void spoil(struct kvm_sregs *s, struct kvm_regs *r)
{
	static const uint64_t odd[] = {
		0, ~0ull, 0x8000000000000000, 0xffff, 0xffffffff, 0x80000011, 1, 0x7fffffffffff,
	};
	uint64_t *words = (uint64_t *)s;
	unsigned int n = rnd() % 6, i;

	for (i = 0; i < n; i++)
		switch (rnd() % 6) {
		case 0:
			words[rnd() % (sizeof(*s) / 8)] = odd[rnd() % 8];
			break;
		case 1:
			words[rnd() % (sizeof(*s) / 8)] ^= 1ull << rnd() % 64;
			break;
		case 2:
			s->cr0 ^= 1ull << rnd() % 32;
			break;
		case 3:
			s->cr4 ^= 1ull << rnd() % 24;
			break;
		case 4:
			s->efer ^= 1ull << (rnd() & 1 ? 8 + rnd() % 7 : 0);
			break;
		default:
			((uint64_t *)r)[rnd() % 18] = odd[rnd() % 8];
		}
}

/*
 * QEMU's VMRUN refuses badly: it loops for ever in some modes that no CPU has, and otherwise stores the
 * host's state in the VMCB and clears int_ctl. Stock KVM enters that the next time and never comes back.
 */
static void keep_mode(struct kvm_sregs *s)
{
	s->cr0 = (s->cr0 & 0x5002a) | 0x10;
	s->efer = 0;
	s->cr4 &= 0x7ff;
}

static void enter_random_states(enum test_irqchip irqchip)
{
	struct kvm_vcpu_events e;
	uint64_t end = now() + 1500;
	struct kvm_sregs s;
	struct kvm_regs r;
	bool tcg = under_tcg();
	struct victim v;
	unsigned int i;

	victim_create(&v, irqchip, true);
	ioctl(v.vcpu, KVM_SET_CPUID2, supported_cpuid(v.kvm));
	start_alarm();
	while (now() < end) {
		victim_reset(&v);
		for (i = 0; i < 0x400; i += 8)
			*(uint64_t *)(v.mem + 0x1000 + i) = rnd();
		if (rnd() & 1)
			memcpy(v.mem + 0x1000, io_code, io_code_end - io_code);
		ioctl(v.vcpu, KVM_GET_SREGS, &s);
		ioctl(v.vcpu, KVM_GET_REGS, &r);
		spoil(&s, &r);
		if (tcg)
			keep_mode(&s);
		ioctl(v.vcpu, KVM_SET_SREGS, &s);
		ioctl(v.vcpu, KVM_SET_REGS, &r);
		if (rnd() % 4 == 0) {
			ioctl(v.vcpu, KVM_GET_VCPU_EVENTS, &e);
			((uint8_t *)&e)[rnd() % 40] = rnd();
			if (tcg && !on_keel())
				e.exception.nr %= 20;		/* VMRUN refuses 31 */
			ioctl(v.vcpu, KVM_SET_VCPU_EVENTS, &e);
		}
		for (i = 0; i < 4 && !ioctl(v.vcpu, KVM_RUN, 0); i++)
			if (v.run->exit_reason != KVM_EXIT_IO && v.run->exit_reason != KVM_EXIT_MMIO)
				break;
	}
	victim_destroy(&v);
}

TEST(random_states)
{
	enter_random_states(TEST_IRQCHIP_NONE);
}

TEST(random_states_with_irqchip)
{
	enter_random_states(TEST_IRQCHIP_FULL);
}

TEST_HARNESS_MAIN
