// SPDX-License-Identifier: GPL-2.0-only
/*
 * The host's state after KVM_RUN is what it was before, whatever the guest did to the registers that the
 * hardware does not switch by itself.
 */
#include <errno.h>
#include <linux/hw_breakpoint.h>
#include <linux/perf_event.h>
#include <asm/ldt.h>
#include <asm/prctl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "kselftest_harness.h"
#include "testvm.h"

#define MSR_STAR		0xc0000081
#define MSR_LSTAR		0xc0000082
#define MSR_CSTAR		0xc0000083
#define MSR_SFMASK		0xc0000084
#define MSR_FS_BASE		0xc0000100
#define MSR_GS_BASE		0xc0000101
#define MSR_KERNEL_GS_BASE	0xc0000102
#define MSR_TSC_AUX		0xc0000103
#define MSR_SYSENTER_ESP	0x175
#define MSR_SYSENTER_EIP	0x176

FIXTURE(host_state)
{
	struct test_vm vm;
	struct test_vcpu *vcpu;
};

FIXTURE_SETUP(host_state)
{
	memset(guest_handlers, 0, sizeof(guest_handlers));
	vm_create(&self->vm, TEST_IRQCHIP_NONE);
	self->vcpu = vcpu_create(&self->vm, 0);
}

FIXTURE_TEARDOWN(host_state)
{
	vm_destroy(&self->vm);
}

static bool guest_has_tsc_aux;

/* Leaves nothing as it was, says so, and does it again for as long as it is run. */
static void guest_scribble(void)
{
	uint64_t n = 1;

	for (;;) {
		guest_wrmsr(MSR_FS_BASE, 0x1111000 * n);
		guest_wrmsr(MSR_GS_BASE, 0x2222000 * n);
		guest_wrmsr(MSR_KERNEL_GS_BASE, 0x3333000 * n);
		guest_wrmsr(MSR_STAR, 0x0023001000000000ull + n);
		guest_wrmsr(MSR_LSTAR, 0xffff800000000000ull + n);
		guest_wrmsr(MSR_CSTAR, 0xffff800000001000ull + n);
		guest_wrmsr(MSR_SFMASK, 0x700 + n);
		guest_wrmsr(MSR_SYSENTER_ESP, 0x4444000 * n);
		guest_wrmsr(MSR_SYSENTER_EIP, 0x5555000 * n);
		if (guest_has_tsc_aux)
			guest_wrmsr(MSR_TSC_AUX, 0x77777000 + n);
		__asm__ volatile("movl $0x10, %%eax; movl %%eax, %%ds; movl %%eax, %%es\n\t"
				 "movl %%eax, %%fs; movl %%eax, %%gs" : : : "rax");
		guest_sync(n++);
	}
}

static uint16_t sel_ds(void) { uint16_t s; __asm__ volatile("mov %%ds, %0" : "=r" (s)); return s; }
static uint16_t sel_es(void) { uint16_t s; __asm__ volatile("mov %%es, %0" : "=r" (s)); return s; }
static uint16_t sel_fs(void) { uint16_t s; __asm__ volatile("mov %%fs, %0" : "=r" (s)); return s; }
static uint16_t sel_gs(void) { uint16_t s; __asm__ volatile("mov %%gs, %0" : "=r" (s)); return s; }

static uint64_t base_of(int what)
{
	uint64_t v = 0;

	syscall(SYS_arch_prctl, what, &v);
	return v;
}

TEST_F(host_state, segments)
{
	uint16_t ds = sel_ds(), es = sel_es(), fs = sel_fs(), gs = sel_gs();
	static uint64_t word = 0x123456789;
	uint64_t fs_base, v;
	int i;

	ASSERT_EQ(0, syscall(SYS_arch_prctl, ARCH_SET_GS, &word));
	fs_base = base_of(ARCH_GET_FS);
	vcpu_start(self->vcpu, guest_scribble);
	for (i = 0; i < 20; i++) {
		vcpu_expect(self->vcpu, MSG_SYNC);
		EXPECT_EQ(ds, sel_ds());
		EXPECT_EQ(es, sel_es());
		EXPECT_EQ(fs, sel_fs());
		EXPECT_EQ(gs, sel_gs());
		EXPECT_EQ(fs_base, base_of(ARCH_GET_FS));
		EXPECT_EQ((uintptr_t)&word, base_of(ARCH_GET_GS));
		__asm__ volatile("movq %%gs:0, %0" : "=r" (v));
		EXPECT_EQ(word, v);
	}
	syscall(SYS_arch_prctl, ARCH_SET_GS, 0);
}

struct table_reg {
	uint16_t limit;
	uint64_t base;
} __attribute__((packed));

/* On CPUs with UMIP the kernel makes the values up; then this shows nothing and harms nothing. */
TEST_F(host_state, descriptor_tables)
{
	struct table_reg gdt, idt, now;

	vcpu_start(self->vcpu, guest_scribble);
	__asm__ volatile("sgdt %0" : "=m" (gdt));
	__asm__ volatile("sidt %0" : "=m" (idt));
	vcpu_expect(self->vcpu, MSG_SYNC);
	__asm__ volatile("sgdt %0" : "=m" (now));
	EXPECT_EQ(gdt.limit, now.limit);
	__asm__ volatile("sidt %0" : "=m" (now));
	EXPECT_EQ(idt.limit, now.limit);
}

TEST_F(host_state, tsc_aux)
{
	uint32_t lo, hi, aux, cpu = 0, node = 0, cpu2 = 0;
	int i;

	if (!(cpuid_reg(self->vm.kvm, 0x80000001, 0, 3) & 1 << 27))
		SKIP(return, "no RDTSCP");
	guest_has_tsc_aux = true;
	vcpu_start(self->vcpu, guest_scribble);
	for (i = 0; i < 20; i++) {
		vcpu_expect(self->vcpu, MSG_SYNC);
		do {
			syscall(SYS_getcpu, &cpu, &node, NULL);
			__asm__ volatile("rdtscp" : "=a" (lo), "=d" (hi), "=c" (aux));
			syscall(SYS_getcpu, &cpu2, &node, NULL);
		} while (cpu != cpu2);
		EXPECT_EQ(node << 12 | cpu, aux);
	}
	guest_has_tsc_aux = false;
}

static sigjmp_buf tsc_jump;

static void on_segv(int sig)
{
	siglongjmp(tsc_jump, 1);
}

static bool rdtsc_faults(void)
{
	uint32_t lo, hi;

	if (sigsetjmp(tsc_jump, 1))
		return true;
	__asm__ volatile("rdtsc" : "=a" (lo), "=d" (hi));
	return false;
}

static void guest_tsc(void)
{
	for (;;)
		guest_sync(guest_rdtsc());
}

/* CR4.TSD is the thread's (CVE-2014-3690): switched on between two runs, seen by no guest. */
TEST_F(host_state, tsc_disabled_by_prctl)
{
	vcpu_start(self->vcpu, guest_tsc);
	vcpu_expect(self->vcpu, MSG_SYNC);
	signal(SIGSEGV, on_segv);
	ASSERT_EQ(0, prctl(PR_SET_TSC, PR_TSC_SIGSEGV));
	EXPECT_TRUE(rdtsc_faults());
	vcpu_expect(self->vcpu, MSG_SYNC);
	EXPECT_TRUE(rdtsc_faults());
	ASSERT_EQ(0, prctl(PR_SET_TSC, PR_TSC_ENABLE));
	vcpu_expect(self->vcpu, MSG_SYNC);
	EXPECT_FALSE(rdtsc_faults());
	signal(SIGSEGV, SIG_DFL);
}

static void guest_vectors(void)
{
	uint32_t mxcsr = 0x1fbf;
	uint16_t cw = 0x027f;
	uint64_t cr4;

	__asm__ volatile("movq %%cr4, %0" : "=r" (cr4));
	__asm__ volatile("movq %0, %%cr4" : : "r" (cr4 | 0x600));	/* OSFXSR, OSXMMEXCPT */
	for (;;) {
		__asm__ volatile("ldmxcsr %0; fldcw %1; pcmpeqd %%xmm0, %%xmm0\n\t"
				 "movdqa %%xmm0, %%xmm7; movdqa %%xmm0, %%xmm15"
				 : : "m" (mxcsr), "m" (cw));
		guest_sync(0);
	}
}

TEST_F(host_state, vector_registers)
{
	uint64_t in[2] = { 0x0123456789abcdef, 0xfedcba9876543210 }, x0[2], x7[2], x15[2];
	uint32_t mxcsr = 0x1fa0, mxcsr2 = 0;
	uint16_t cw = 0x037f, cw2 = 0;
	long ret;
	int i;

	vcpu_start(self->vcpu, guest_vectors);
	for (i = 0; i < 20; i++) {
		__asm__ volatile("ldmxcsr %[m]; fldcw %[c]\n\t"
				 "movdqu %[in], %%xmm0; movdqu %[in], %%xmm7; movdqu %[in], %%xmm15\n\t"
				 "syscall\n\t"
				 "movdqu %%xmm0, %[x0]; movdqu %%xmm7, %[x7]; movdqu %%xmm15, %[x15]\n\t"
				 "stmxcsr %[m2]; fnstcw %[c2]"
				 : "=a" (ret), [x0] "=m" (x0), [x7] "=m" (x7), [x15] "=m" (x15),
				   [m2] "=m" (mxcsr2), [c2] "=m" (cw2)
				 : "a" (SYS_ioctl), "D" (self->vcpu->fd), "S" (KVM_RUN), "d" (0),
				   [in] "m" (in), [m] "m" (mxcsr), [c] "m" (cw)
				 : "rcx", "r11", "memory");
		ASSERT_EQ(0, ret);
		ASSERT_EQ(KVM_EXIT_IO, self->vcpu->run->exit_reason);
		EXPECT_EQ(0, memcmp(in, x0, 16));
		EXPECT_EQ(0, memcmp(in, x7, 16));
		EXPECT_EQ(0, memcmp(in, x15, 16));
		EXPECT_EQ(mxcsr, mxcsr2);
		EXPECT_EQ(cw, cw2);
	}
	mxcsr = 0x1f80;
	__asm__ volatile("ldmxcsr %0" : : "m" (mxcsr));
}

static volatile uint64_t watched;

/* A breakpoint that perf has set for this thread counts before and after a guest has run. */
TEST_F(host_state, breakpoints)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_BREAKPOINT, .size = sizeof(attr), .bp_type = HW_BREAKPOINT_W,
		.bp_addr = (uintptr_t)&watched, .bp_len = HW_BREAKPOINT_LEN_8, .sample_period = 1,
		.exclude_kernel = 1, .exclude_hv = 1,
	};
	int fd = syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0), i;
	uint64_t count = 0;

	if (fd < 0)
		SKIP(return, "no breakpoints from perf");
	vcpu_start(self->vcpu, guest_scribble);
	for (i = 1; i <= 10; i++) {
		vcpu_expect(self->vcpu, MSG_SYNC);
		watched = i;
		ASSERT_EQ(sizeof(count), read(fd, &count, sizeof(count)));
		EXPECT_EQ(i, count);
	}
	close(fd);
}

static uint64_t ldt_word[2] = { 0xa0a0a0a0, 0xb1b1b1b1 };
static volatile int ldt_now;
static volatile bool ldt_stop;

static int write_ldt(int which)
{
	struct user_desc d = {
		.entry_number = 0, .base_addr = (uintptr_t)&ldt_word[which], .limit = 0xfff,
		.seg_32bit = 1, .contents = 0, .useable = 1,
	};

	return syscall(SYS_modify_ldt, 0x11, &d, sizeof(d));
}

static void *ldt_writer(void *unused)
{
	while (!ldt_stop) {
		write_ldt(!ldt_now);
		ldt_now = !ldt_now;
	}
	return NULL;
}

static uint64_t read_by_ldt(void)
{
	uint64_t v;

	__asm__ volatile("movl $7, %%eax; movl %%eax, %%gs; movq %%gs:0, %0\n\t"
			 "xorl %%eax, %%eax; movl %%eax, %%gs" : "=r" (v) : : "rax");
	return v;
}

static void guest_spin(void)
{
	for (;;) {
		uint64_t t = guest_rdtsc();

		while (guest_rdtsc() - t < 200000)
			guest_pause();
		guest_sync(0);
	}
}

/*
 * A thread replaces the LDT, and the table it lies in is freed, while another one is in the guest: what
 * VMLOAD brings back after each exit is then a descriptor of freed memory. Needs two CPUs to show.
 */
TEST_F(host_state, ldt_changed_meanwhile)
{
	pthread_t thread;
	int i, round;

	if (!on_keel() && !host_is_intel())
		SKIP(return, "the kernel's own KVM goes on with the old LDT");
	if (write_ldt(0))
		SKIP(return, "no modify_ldt");
	EXPECT_EQ(ldt_word[0], read_by_ldt());
	vcpu_start(self->vcpu, guest_spin);
	for (round = 0; round < 10; round++) {
		ldt_stop = false;
		ASSERT_EQ(0, pthread_create(&thread, NULL, ldt_writer, NULL));
		for (i = 0; i < 20; i++) {
			uint64_t v;

			vcpu_expect(self->vcpu, MSG_SYNC);
			v = read_by_ldt();
			EXPECT_TRUE(v == ldt_word[0] || v == ldt_word[1]);
		}
		ldt_stop = true;
		pthread_join(thread, NULL);
		EXPECT_EQ(ldt_word[ldt_now], read_by_ldt());
		vcpu_expect(self->vcpu, MSG_SYNC);
		EXPECT_EQ(ldt_word[ldt_now], read_by_ldt());
	}
}

TEST_HARNESS_MAIN
