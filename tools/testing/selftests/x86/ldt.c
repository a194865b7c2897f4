// SPDX-License-Identifier: GPL-2.0-only
/* Local descriptor tables: the guest's, saved and loaded and on every CPU, and the VMM's around KVM_RUN. */
#define _GNU_SOURCE
#include <asm/ldt.h>
#include <asm/prctl.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "kselftest_harness.h"
#include "testvm.h"

#define SEL_LDT		0x38			/* vCPU 1's TSS in the library's table: there is no vCPU 1 */
#define SEL_LDT_2	0x48
#define LDT_ENTRY(n)	((n) << 3 | 4)		/* RPL 0 */

static uint64_t ldt[4] __attribute__((aligned(16))), ldt_2[4] __attribute__((aligned(16)));
static volatile uint64_t word[4] = { 0xd0d0, 0xe0e0, 0xf0f0, 0xa0a0 };

static uint64_t data_segment(const volatile void *base)
{
	uint64_t b = (uintptr_t)base;

	/* Writable, accessed, 32 bits, DPL 0, 4 KiB. */
	return 0x00409300000000ffull | (b & 0xffffff) << 16 | (b >> 24) << 56;
}

static void put_ldt(uint64_t *gdt, unsigned int sel, uint64_t *table)
{
	uint64_t b = (uintptr_t)table;

	gdt[sel / 8] = (4 * 8 - 1) | (b & 0xffffff) << 16 | 0x82ull << 40 | (b >> 24 & 0xff) << 56;
	gdt[sel / 8 + 1] = b >> 32;
}

#define GET_SEL(sreg)	({ uint16_t s_; __asm__ volatile("mov %%" sreg ", %0" : "=r" (s_)); s_; })
#define SET_SEL(sreg, v)	__asm__ volatile("mov %0, %%" sreg : : "r" ((uint32_t)(v)) : "memory")
#define AT_0(sreg) \
	({ uint64_t v_; __asm__ volatile("movq %%" sreg ":0, %0" : "=r" (v_)); v_; })

static uint16_t sldt(void)
{
	uint64_t s;

	__asm__ volatile("sldt %0" : "=r" (s));
	return s;
}

static void load_all(void)
{
	SET_SEL("ds", LDT_ENTRY(1));
	SET_SEL("es", LDT_ENTRY(2));
	SET_SEL("fs", LDT_ENTRY(1));
	SET_SEL("gs", LDT_ENTRY(2));
}

static void check_all(unsigned int i)
{
	guest_assert(GET_SEL("ds") == LDT_ENTRY(1) && GET_SEL("es") == LDT_ENTRY(2));
	guest_assert(GET_SEL("fs") == LDT_ENTRY(1) && GET_SEL("gs") == LDT_ENTRY(2));
	guest_assert(AT_0("fs") == word[i] && AT_0("gs") == word[i + 1]);
}

/* In turn with the one table and the other. After each exit the selectors stand, and can be loaded again. */
static void guest_ldt(void)
{
	unsigned int n;

	for (n = 0;; n++) {
		unsigned int sel = n & 1 ? SEL_LDT_2 : SEL_LDT, i = n & 1 ? 2 : 0;

		__asm__ volatile("lldt %w0" : : "r" (sel));
		load_all();
		check_all(i);
		guest_sync(n);
		guest_assert(sldt() == sel);
		check_all(i);
		load_all();
		check_all(i);
	}
}

FIXTURE(ldt)
{
	struct test_vm vm;
	struct test_vcpu *v;
};

FIXTURE_SETUP(ldt)
{
	struct kvm_sregs s;

	memset(guest_handlers, 0, sizeof(guest_handlers));
	vm_create(&self->vm, TEST_IRQCHIP_NONE);
	self->v = vcpu_create(&self->vm, 0);
	vcpu_start(self->v, guest_ldt);
	ioctl(self->v->fd, KVM_GET_SREGS, &s);
	put_ldt((uint64_t *)(uintptr_t)s.gdt.base, SEL_LDT, ldt);
	put_ldt((uint64_t *)(uintptr_t)s.gdt.base, SEL_LDT_2, ldt_2);
	ldt[1] = data_segment(&word[0]);
	ldt[2] = data_segment(&word[1]);
	ldt_2[1] = data_segment(&word[2]);
	ldt_2[2] = data_segment(&word[3]);
}

FIXTURE_TEARDOWN(ldt)
{
	vm_destroy(&self->vm);
}

TEST_F(ldt, through_sregs)
{
	struct kvm_sregs s, b;
	unsigned int n;

	for (n = 0; n < 6; n++) {
		EXPECT_EQ(n, vcpu_expect(self->v, MSG_SYNC));
		ASSERT_EQ(0, ioctl(self->v->fd, KVM_GET_SREGS, &s));
		EXPECT_EQ(n & 1 ? SEL_LDT_2 : SEL_LDT, s.ldt.selector);
		EXPECT_EQ((uintptr_t)(n & 1 ? ldt_2 : ldt), s.ldt.base);
		EXPECT_EQ(31, s.ldt.limit);
		EXPECT_EQ(2, s.ldt.type);
		EXPECT_EQ(1, s.ldt.present);
		EXPECT_EQ(0, s.ldt.unusable);
		EXPECT_EQ(LDT_ENTRY(1), s.ds.selector);
		EXPECT_EQ(LDT_ENTRY(2), s.es.selector);
		EXPECT_EQ((uintptr_t)&word[n & 1 ? 2 : 0], s.fs.base);
		EXPECT_EQ((uintptr_t)&word[n & 1 ? 3 : 1], s.gs.base);
		ASSERT_EQ(0, ioctl(self->v->fd, KVM_SET_SREGS, &s));
		ASSERT_EQ(0, ioctl(self->v->fd, KVM_GET_SREGS, &b));
		EXPECT_EQ(0, memcmp(&s, &b, sizeof(s)));
	}
}

static void *run_some(void *p)
{
	uint64_t last = 0;
	int i;

	for (i = 0; i < 5; i++)
		last = vcpu_expect(p, MSG_SYNC);
	return (void *)last;
}

TEST_F(ldt, other_threads_and_cpus)
{
	int cpus = sysconf(_SC_NPROCESSORS_ONLN), i;
	pthread_attr_t attr;
	pthread_t t;
	void *last;

	for (i = 0; i < 10; i++) {
		cpu_set_t set;

		CPU_ZERO(&set);
		CPU_SET(i % cpus, &set);
		pthread_attr_init(&attr);
		pthread_attr_setaffinity_np(&attr, sizeof(set), &set);
		ASSERT_EQ(0, pthread_create(&t, &attr, run_some, self->v));
		pthread_join(t, &last);
		EXPECT_EQ(5 * i + 4, (uintptr_t)last);
	}
}

/* --- the VMM's --- */

#define USER_ENTRY(n)	((n) << 3 | 7)

static uint64_t host_word[2] = { 0x1212121212121212, 0x3434343434343434 };

static int put_host_ldt(void)
{
	unsigned int i;

	for (i = 0; i < 2; i++) {
		struct user_desc d = {
			.entry_number = i + 1, .base_addr = (uintptr_t)&host_word[i], .limit = 0xfff,
			.seg_32bit = 1, .useable = 1,
		};

		if (syscall(SYS_modify_ldt, 0x11, &d, sizeof(d)))
			return -1;
	}
	return 0;
}

static struct after { long ret; uint64_t fs, gs; uint16_t sel[4]; } after;
static uint64_t own_fs, own_fd;
static uint32_t own_ds, own_es;

/*
 * KVM_RUN with selectors of the LDT in FS and GS, and in DS and ES. In one piece: FS is the C library's, and nothing
 * of it may be needed in between.
 */
static __attribute__((noinline)) void run_on_the_ldt(void)
{
	__asm__ volatile("movl %[own_ds], %%eax; movl %%eax, %%ds; movl %[own_es], %%eax; movl %%eax, %%es\n\t"
			 "movl $0xf, %%eax; movl %%eax, %%fs; movl $0x17, %%eax; movl %%eax, %%gs\n\t"
			 "movl %[ioctl], %%eax; movq %[fd], %%rdi; movl %[run], %%esi; xorl %%edx, %%edx\n\t"
			 "syscall; movq %%rax, %[ret]\n\t"
			 "movw %%ds, %[ds]; movw %%es, %[es]; movw %%fs, %[fs]; movw %%gs, %[gs]\n\t"
			 "movq %%fs:0, %%rax; movq %%rax, %[fsv]\n\t"
			 "movq %%gs:0, %%rax; movq %%rax, %[gsv]\n\t"
			 "xorl %%eax, %%eax; movl %%eax, %%ds; movl %%eax, %%es\n\t"
			 "movl %%eax, %%fs; movl %%eax, %%gs\n\t"
			 "movl %[prctl], %%eax; movl %[set_fs], %%edi; movq %[own_fs], %%rsi; syscall"
			 : [ret] "=m" (after.ret), [ds] "=m" (after.sel[0]), [es] "=m" (after.sel[1]),
			   [fs] "=m" (after.sel[2]), [gs] "=m" (after.sel[3]), [fsv] "=m" (after.fs),
			   [gsv] "=m" (after.gs)
			 : [ioctl] "i" (SYS_ioctl), [run] "i" (KVM_RUN), [prctl] "i" (SYS_arch_prctl),
			   [set_fs] "i" (ARCH_SET_FS), [fd] "m" (own_fd), [own_fs] "m" (own_fs),
			   [own_ds] "m" (own_ds), [own_es] "m" (own_es)
			 : "rax", "rcx", "rdx", "rsi", "rdi", "r11", "memory");
}

TEST_F(ldt, of_the_vmm)
{
	unsigned int n;

	if (put_host_ldt())
		SKIP(return, "no modify_ldt");
	ASSERT_EQ(0, syscall(SYS_arch_prctl, ARCH_GET_FS, &own_fs));
	own_fd = self->v->fd;
	/* A host whose DS or ES has a base never comes back from VMRUN there, with any KVM. */
	own_ds = under_tcg() ? 0 : USER_ENTRY(1);
	own_es = under_tcg() ? 0 : USER_ENTRY(2);
	for (n = 0; n < 20; n++) {
		run_on_the_ldt();
		ASSERT_EQ(0, after.ret);
		ASSERT_EQ(KVM_EXIT_IO, self->v->run->exit_reason);
		EXPECT_EQ(own_ds, after.sel[0]);
		EXPECT_EQ(own_es, after.sel[1]);
		EXPECT_EQ(USER_ENTRY(1), after.sel[2]);
		EXPECT_EQ(USER_ENTRY(2), after.sel[3]);
		EXPECT_EQ(host_word[0], after.fs);
		EXPECT_EQ(host_word[1], after.gs);
	}
	/* The guest has seen nothing of it: its own assertions hold. */
	EXPECT_EQ(20, vcpu_expect(self->v, MSG_SYNC));
}

TEST_HARNESS_MAIN
