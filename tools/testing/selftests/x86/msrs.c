// SPDX-License-Identifier: GPL-2.0-only
/* MSRs: the lists, reading and writing by the VMM, what the guest may write, the filter and the exits to userspace. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "kselftest_harness.h"
#include "testvm.h"

#define SYSENTER_CS	0x174
#define PAT		0x277
#define MTRR_DEF	0x2ff
#define EFER		0xc0000080
#define LSTAR		0xc0000082
#define KERNEL_GS_BASE	0xc0000102
#define NO_MSR		0x4b564dfe	/* in KVM's range, assigned to nothing */
#define BAD_ADDR	0x8000000000000000

FIXTURE(msrs)
{
	struct test_vm vm;
	struct test_vcpu *v;
};

FIXTURE_SETUP(msrs)
{
	vm_create(&self->vm, TEST_IRQCHIP_FULL);
	self->v = vcpu_create(&self->vm, 0);
}

FIXTURE_TEARDOWN(msrs)
{
	vm_destroy(&self->vm);
}

struct list { struct kvm_msr_list l; uint32_t index[1024]; };

static int msr_list(int kvm, unsigned long nr, struct list *l)
{
	l->l.nmsrs = 1024;
	return ioctl(kvm, nr, l);
}

static void check_list(struct __test_metadata *_metadata, int kvm, unsigned long nr)
{
	struct list l = {}, m = {};
	uint32_t i, j;

	l.l.nmsrs = 0;
	EXPECT_ERR(E2BIG, ioctl(kvm, nr, &l));
	ASSERT_GT(l.l.nmsrs, 0);
	ASSERT_LE(l.l.nmsrs, 256);
	m.l.nmsrs = l.l.nmsrs - 1;
	EXPECT_ERR(E2BIG, ioctl(kvm, nr, &m));
	EXPECT_EQ(l.l.nmsrs, m.l.nmsrs);
	memset(m.index, 0xee, sizeof(m.index));
	ASSERT_EQ(0, ioctl(kvm, nr, &m));		/* exactly enough */
	EXPECT_EQ(l.l.nmsrs, m.l.nmsrs);
	EXPECT_EQ(0xeeeeeeee, m.index[m.l.nmsrs]);
	ASSERT_EQ(0, msr_list(kvm, nr, &l));
	EXPECT_EQ(m.l.nmsrs, l.l.nmsrs);
	for (i = 0; i < l.l.nmsrs; i++)
		for (j = 0; j < i; j++)
			EXPECT_NE(l.index[i], l.index[j]);
}

TEST_F(msrs, lists)
{
	check_list(_metadata, self->vm.kvm, KVM_GET_MSR_INDEX_LIST);
	check_list(_metadata, self->vm.kvm, KVM_GET_MSR_FEATURE_INDEX_LIST);
}

/* What a VMM saves it must be able to restore. */
TEST_F(msrs, listed_ones_can_be_read_and_written)
{
	struct list l;
	uint64_t val;
	uint32_t i;

	ASSERT_EQ(0, msr_list(self->vm.kvm, KVM_GET_MSR_INDEX_LIST, &l));
	for (i = 0; i < l.l.nmsrs; i++) {
		EXPECT_EQ(1, get_msr(self->v->fd, l.index[i], &val))
			TH_LOG("read of %#x", l.index[i]);
		EXPECT_EQ(1, set_msr(self->v->fd, l.index[i], val))
			TH_LOG("write of %#lx to %#x", val, l.index[i]);
	}
}

TEST_F(msrs, features_on_the_system_fd)
{
	struct list l;
	uint64_t val;
	uint32_t i;

	ASSERT_EQ(0, msr_list(self->vm.kvm, KVM_GET_MSR_FEATURE_INDEX_LIST, &l));
	for (i = 0; i < l.l.nmsrs; i++)
		EXPECT_EQ(1, get_msr(self->vm.kvm, l.index[i], &val)) TH_LOG("%#x", l.index[i]);
	EXPECT_NE(1, get_msr(self->vm.kvm, NO_MSR, &val));
	EXPECT_NE(1, set_msr(self->vm.kvm, l.index[0], 0));
}

TEST_F(msrs, number_processed)
{
	struct { struct kvm_msrs m; struct kvm_msr_entry e[256]; } b = {};
	int fd = self->v->fd;

	b.m.nmsrs = 3;
	b.e[0].index = SYSENTER_CS;
	b.e[0].data = 0x33;
	b.e[1].index = NO_MSR;
	b.e[2].index = SYSENTER_CS;
	b.e[2].data = 0x44;
	EXPECT_EQ(1, ioctl(fd, KVM_SET_MSRS, &b));
	b.e[0].data = 0;
	EXPECT_EQ(1, ioctl(fd, KVM_GET_MSRS, &b));
	EXPECT_EQ(0x33, b.e[0].data);
	EXPECT_EQ(0x44, b.e[2].data);
	b.m.nmsrs = 0;
	EXPECT_EQ(0, ioctl(fd, KVM_GET_MSRS, &b));
	b.m.nmsrs = 256;
	EXPECT_ERR(E2BIG, ioctl(fd, KVM_GET_MSRS, &b));
	EXPECT_ERR(E2BIG, ioctl(fd, KVM_SET_MSRS, &b));
	b.m.nmsrs = ~0u;
	EXPECT_ERR(E2BIG, ioctl(fd, KVM_GET_MSRS, &b));
}

static void qemu_needs(struct __test_metadata *_metadata, int fd, uint32_t index)
{
	uint64_t val;

	EXPECT_EQ(1, get_msr(fd, index, &val)) TH_LOG("read of %#x", index);
	EXPECT_EQ(1, set_msr(fd, index, val)) TH_LOG("write of %#x", index);
}

/* These QEMU reads and writes whatever the lists say, and aborts when it cannot. */
TEST_F(msrs, what_qemu_takes_for_granted)
{
	static const uint32_t list[] = {
		0x174, 0x175, 0x176, PAT, 0xc0000083, LSTAR, 0xc0000084, KERNEL_GS_BASE, 0xc0000081,
		0x10, MTRR_DEF, 0x250, 0x258, 0x259, 0x268, 0x269, 0x26a, 0x26b, 0x26c, 0x26d, 0x26e,
		0x26f, 0x17a, 0x17b,
	};
	uint64_t cap = 0;
	uint32_t i;

	ASSERT_EQ(0, ioctl(self->vm.kvm, KVM_X86_GET_MCE_CAP_SUPPORTED, &cap));
	EXPECT_TRUE(cap & 1ull << 8);		/* MCG_CTL_P */
	cap = (cap & ~0xffull) | 10;
	ASSERT_EQ(0, ioctl(self->v->fd, KVM_X86_SETUP_MCE, &cap));
	for (i = 0; i < sizeof(list) / sizeof(list[0]); i++)
		qemu_needs(_metadata, self->v->fd, list[i]);
	for (i = 0; i < 16; i++)
		qemu_needs(_metadata, self->v->fd, 0x200 + i);
	for (i = 0; i < 40; i++)
		qemu_needs(_metadata, self->v->fd, 0x400 + i);
}

TEST_F(msrs, setup_mce_errors)
{
	uint64_t cap = 0;

	EXPECT_ERR(EINVAL, ioctl(self->v->fd, KVM_X86_SETUP_MCE, &cap));	/* no bank */
	cap = 33;
	EXPECT_ERR(EINVAL, ioctl(self->v->fd, KVM_X86_SETUP_MCE, &cap));
	cap = 10 | 1ull << 50;
	EXPECT_ERR(EINVAL, ioctl(self->v->fd, KVM_X86_SETUP_MCE, &cap));
}

TEST_F(msrs, invalid_values_from_the_host)
{
	int fd = self->v->fd;
	uint64_t val;

	EXPECT_EQ(0, set_msr(fd, LSTAR, BAD_ADDR));
	EXPECT_EQ(0, set_msr(fd, KERNEL_GS_BASE, BAD_ADDR));
	EXPECT_EQ(0, set_msr(fd, PAT, 2));		/* a type that does not exist */
	EXPECT_EQ(0, set_msr(fd, MTRR_DEF, 2));
	EXPECT_EQ(0, set_msr(fd, MTRR_DEF, 1 << 9));
	EXPECT_EQ(0, set_msr(fd, NO_MSR, 0));
	EXPECT_EQ(1, get_msr(fd, PAT, &val));
	EXPECT_EQ(0x0007040600070406, val);
	EXPECT_EQ(1, get_msr(fd, MTRR_DEF, &val));
	EXPECT_EQ(0, val);
}

#define WRMSR(index, val)							\
	guest_try("wrmsr", : : "a" ((uint32_t)(val)), "d" ((uint32_t)((uint64_t)(val) >> 32)), \
		  "c" (index) : "r11", "memory")
#define RDMSR(index)								\
	guest_try("rdmsr", : : "c" (index) : "rax", "rdx", "r11", "memory")

static void guest_invalid(void)
{
	guest_assert(RDMSR(NO_MSR) == 13);
	guest_assert(WRMSR(NO_MSR, 0) == 13);
	guest_assert(guest_error == 0);
	guest_assert(WRMSR(PAT, 2) == 13);
	guest_assert(WRMSR(MTRR_DEF, 1 << 9) == 13);
	guest_assert(WRMSR(EFER, guest_rdmsr(EFER) | 1ull << 40) == 13);
	guest_assert(WRMSR(EFER, guest_rdmsr(EFER) & ~0x100ull) == 13);	/* LME with paging on */
	guest_assert(WRMSR(0x1b, 1ull << 62) == 13);		/* APIC_BASE */
	guest_assert(WRMSR(0x179, 0) == 13);			/* MCG_CAP: read-only */
	guest_assert(guest_rdmsr(PAT) == 0x0007040600070406);
	guest_done();
}

TEST_F(msrs, invalid_values_from_the_guest)
{
	vcpu_start(self->v, guest_invalid);
	vcpu_expect(self->v, MSG_DONE);
}

static void guest_not_canonical(void)
{
	guest_assert(WRMSR(LSTAR, BAD_ADDR) == 13);
	guest_assert(WRMSR(KERNEL_GS_BASE, BAD_ADDR) == 13);
	guest_assert(WRMSR(0xc0000100, BAD_ADDR) == 13);
	guest_done();
}

static bool is_mtrr(uint32_t index)
{
	return index < 0x210 || index == 0x250 || index == 0x258 || index == 0x259 ||
	       (index >= 0x268 && index < 0x270) || index == PAT || index == MTRR_DEF;
}

/* The machine check banks' MSRs that lie in between are there or not, as MCG_CAP says. */
static bool is_mc_ctl2(uint32_t index)
{
	return index >= 0x280 && index < 0x2a0;
}

static void guest_mtrrs(void)
{
	uint32_t i;

	for (i = 0x200; i < 0x300; i++)
		if (!is_mc_ctl2(i))
			guest_assert(RDMSR(i) == (is_mtrr(i) ? -1 : 13));
	guest_assert(WRMSR(0x2f8, 0) == 13);
	guest_done();
}

/* The range that MTRRs are in has holes (CVE-2016-3713). */
TEST_F(msrs, no_other_among_the_mtrrs)
{
	uint64_t val;
	uint32_t i;

	for (i = 0x200; i < 0x300; i++) {
		if (is_mc_ctl2(i))
			continue;
		EXPECT_EQ(is_mtrr(i), get_msr(self->v->fd, i, &val));
		if (!is_mtrr(i))
			EXPECT_EQ(0, set_msr(self->v->fd, i, 0));
	}
	vcpu_start(self->v, guest_mtrrs);
	vcpu_expect(self->v, MSG_DONE);
}

TEST_F(msrs, not_canonical)
{
	if (under_tcg())
		SKIP(return, "QEMU's WRMSR checks no address, and these are not intercepted");
	vcpu_start(self->v, guest_not_canonical);
	vcpu_expect(self->v, MSG_DONE);
}

/* Which of the values below can be written: a bit for each. */
#define NOTHING	0
#define ZERO	1
#define ANY	7
static const uint64_t written[] = { 0, 1 << 19, ~0ull };

/* Those that say the same to every guest, whatever is written. */
static const struct { uint32_t index; bool absent; uint64_t val; uint8_t host, guest; } fixed[] = {
	{ 0x17, 0, 0, NOTHING, NOTHING },		/* IA32_PLATFORM_ID */
	{ 0x2c, 0, 1 << 24, NOTHING, NOTHING },		/* MSR_EBC_FREQUENCY_ID */
	{ 0x33, 1, 0, NOTHING, NOTHING },
	{ 0x34, 0, 0, ANY, NOTHING },			/* MSR_SMI_COUNT */
	{ 0xcd, 0, 3, NOTHING, NOTHING },		/* MSR_FSB_FREQ */
	{ 0x119, 1, 0, NOTHING, NOTHING },		/* P6: BBL_CR_CTL */
	{ 0x11e, 0, 0xbe702111, ANY, ANY },		/* BBL_CR_CTL3: Windows XP writes it */
	{ 0x198, 0, 0x400000003e8, NOTHING, NOTHING },	/* IA32_PERF_STATUS */
	{ 0x199, 0, 0, NOTHING, NOTHING },		/* IA32_PERF_CTL */
	{ 0x606, 0, 0, NOTHING, NOTHING },		/* MSR_RAPL_POWER_UNIT */
	{ 0x611, 0, 0, NOTHING, NOTHING },
	{ 0xc001001b, 0, 0x20000000, ANY, ANY },	/* K7's CLK_CTL */
	{ 0xc001001f, 0, 0, ANY, ANY },			/* NB_CFG */
	{ 0xc0010055, 0, 0, NOTHING, NOTHING },		/* interrupt pending */
	{ 0xc0010058, 0, 0, ZERO, ZERO },		/* MMIO configuration base */
	{ 0xc0010112, 0, 0, NOTHING, NOTHING },		/* SMM's TSeg */
	{ 0xc0011022, 0, 0, ANY, ANY },			/* DC_CFG */
};

#define NR_FIXED	(sizeof(fixed) / sizeof(fixed[0]))
static volatile uint64_t fixed_read[NR_FIXED], fixed_again[NR_FIXED];
static volatile uint8_t fixed_there[NR_FIXED], fixed_written[NR_FIXED];

static void guest_fixed(void)
{
	uint64_t i, k;

	for (i = 0; i < NR_FIXED; i++) {
		fixed_there[i] = RDMSR(fixed[i].index) == -1;
		if (fixed_there[i])
			fixed_read[i] = guest_rdmsr(fixed[i].index);
		for (k = 0; k < 3; k++)
			if (WRMSR(fixed[i].index, written[k]) == -1)
				fixed_written[i] |= 1 << k;
		if (fixed_there[i])
			fixed_again[i] = guest_rdmsr(fixed[i].index);
	}
	guest_done();
}

TEST_F(msrs, fixed_ones)
{
	uint64_t val, kept;
	uint32_t i, k;
	uint8_t host;

	vcpu_start(self->v, guest_fixed);
	vcpu_expect(self->v, MSG_DONE);
	for (i = 0; i < NR_FIXED; i++) {
		EXPECT_EQ(!fixed[i].absent, fixed_there[i]) TH_LOG("%#x", fixed[i].index);
		EXPECT_EQ(fixed[i].val, fixed_read[i]) TH_LOG("%#x", fixed[i].index);
		EXPECT_EQ(fixed[i].val, fixed_again[i]) TH_LOG("%#x", fixed[i].index);
		EXPECT_EQ(fixed[i].guest, fixed_written[i]) TH_LOG("%#x", fixed[i].index);
		val = 0;
		EXPECT_EQ(!fixed[i].absent, get_msr(self->v->fd, fixed[i].index, &val))
			TH_LOG("%#x", fixed[i].index);
		EXPECT_EQ(fixed[i].val, val) TH_LOG("%#x", fixed[i].index);
		host = 0;
		for (k = 0; k < 3; k++)
			if (set_msr(self->v->fd, fixed[i].index, written[k]) == 1)
				host |= 1 << k;
		EXPECT_EQ(fixed[i].host, host) TH_LOG("%#x", fixed[i].index);
		val = 0;
		get_msr(self->v->fd, fixed[i].index, &val);
		/* Only the VMM counts SMIs: the count of another host. */
		kept = fixed[i].index == 0x34 ? written[2] : fixed[i].val;
		EXPECT_EQ(kept, val) TH_LOG("%#x", fixed[i].index);
	}
}

static const struct { uint32_t index; uint64_t host, guest; } values[] = {
	{ SYSENTER_CS, 0x10, 0x18 }, { 0x175, 0x1000, 0xffff888000001000 },
	{ 0x176, 0x2000, 0x81000000 }, { 0xc0000081, 0x23001000000000, 0x1b000800000000 },
	{ LSTAR, 0xffffffff82000000, 0x401000 }, { 0xc0000083, 0x3000, 0x4000 },
	{ 0xc0000084, 0x700, 0x47700 }, { KERNEL_GS_BASE, 0x7fff0000, 0xffff800000000000 },
	{ PAT, 0x0606060606060606, 0x0007050100070406 }, { MTRR_DEF, 0xc06, 0xc00 },
	{ 0x200, 0x80000006, 0xc0000000 }, { 0x250, 0x0606060606060606, 0 },
	{ 0x3b, 0, 0x1000 }, { 0xc0000103, 3, 5 },
};

static volatile uint64_t cursor;

static void guest_values(void)
{
	for (;;) {
		uint32_t index = values[cursor].index;

		guest_assert(guest_rdmsr(index) == values[cursor].host);
		guest_wrmsr(index, values[cursor].guest);
		guest_assert(guest_rdmsr(index) == values[cursor].guest);
		guest_sync(index);
	}
}

/* What one side writes the other reads. */
TEST_F(msrs, seen_from_both_sides)
{
	bool tsc_aux = cpuid_reg(self->vm.kvm, 0x80000001, 0, 3) & 1 << 27;
	uint64_t val;

	vcpu_start(self->v, guest_values);
	for (cursor = 0; cursor < sizeof(values) / sizeof(values[0]); cursor++) {
		if (values[cursor].index == 0xc0000103 && !tsc_aux)
			continue;
		ASSERT_EQ(1, set_msr(self->v->fd, values[cursor].index, values[cursor].host));
		EXPECT_EQ(values[cursor].index, vcpu_expect(self->v, MSG_SYNC));
		ASSERT_EQ(1, get_msr(self->v->fd, values[cursor].index, &val));
		EXPECT_EQ(values[cursor].guest, val) TH_LOG("%#x", values[cursor].index);
	}
}

/* ---- exits to userspace, and the filter ---- */

static int user_msrs(struct test_vm *vm, uint64_t reasons)
{
	struct kvm_enable_cap cap = { .cap = KVM_CAP_X86_USER_SPACE_MSR, .args = { reasons } };

	return ioctl(vm->fd, KVM_ENABLE_CAP, &cap);
}

static void guest_user(void)
{
	guest_assert(guest_rdmsr(NO_MSR) == 0x1122334455667788);
	guest_wrmsr(NO_MSR, 0x99aabbccddeeff00);
	guest_assert(RDMSR(NO_MSR) == 13);
	guest_assert(WRMSR(PAT, 2) == 13);
	guest_done();
}

static void expect_msr(struct __test_metadata *_metadata, struct test_vcpu *v, uint32_t exit,
		       uint32_t index, uint32_t reason)
{
	ASSERT_EQ(0, ioctl(v->fd, KVM_RUN, 0));
	ASSERT_EQ(exit, v->run->exit_reason);
	ASSERT_EQ(index, v->run->msr.index);
	EXPECT_EQ(reason, v->run->msr.reason);
	EXPECT_EQ(0, v->run->msr.error);
}

TEST_F(msrs, unknown_ones_to_userspace)
{
	struct test_vcpu *v = self->v;

	EXPECT_ERR(EINVAL, user_msrs(&self->vm, 1 << 10));
	ASSERT_EQ(0, user_msrs(&self->vm, KVM_MSR_EXIT_REASON_UNKNOWN | KVM_MSR_EXIT_REASON_INVAL));
	vcpu_start(v, guest_user);
	expect_msr(_metadata, v, KVM_EXIT_X86_RDMSR, NO_MSR, KVM_MSR_EXIT_REASON_UNKNOWN);
	v->run->msr.data = 0x1122334455667788;
	expect_msr(_metadata, v, KVM_EXIT_X86_WRMSR, NO_MSR, KVM_MSR_EXIT_REASON_UNKNOWN);
	EXPECT_EQ(0x99aabbccddeeff00, v->run->msr.data);
	expect_msr(_metadata, v, KVM_EXIT_X86_RDMSR, NO_MSR, KVM_MSR_EXIT_REASON_UNKNOWN);
	v->run->msr.error = 1;
	expect_msr(_metadata, v, KVM_EXIT_X86_WRMSR, PAT, KVM_MSR_EXIT_REASON_INVAL);
	EXPECT_EQ(2, v->run->msr.data);
	v->run->msr.error = 1;
	vcpu_expect(v, MSG_DONE);
}

static void guest_filtered(void)
{
	guest_assert(RDMSR(SYSENTER_CS) == 13);
	guest_assert(WRMSR(SYSENTER_CS, 8) == -1);
	guest_assert(WRMSR(LSTAR, 0x1000) == 13);
	guest_assert(RDMSR(LSTAR) == -1);
	guest_sync(1);
	guest_assert(guest_rdmsr(SYSENTER_CS) == 0x77);
	guest_wrmsr(LSTAR, 0x2000);
	guest_sync(2);
	guest_assert(RDMSR(SYSENTER_CS) == -1);
	guest_assert(WRMSR(LSTAR, 0x3000) == -1);
	guest_done();
}

TEST_F(msrs, filter)
{
	uint8_t none[8] = {};
	struct kvm_msr_filter f = {
		.ranges = {
			{ KVM_MSR_FILTER_READ, 8, SYSENTER_CS, none },
			{ KVM_MSR_FILTER_WRITE, 1, LSTAR, none },
		},
	};
	struct test_vcpu *v = self->v;
	uint64_t val;

	ASSERT_EQ(0, ioctl(self->vm.fd, KVM_X86_SET_MSR_FILTER, &f));
	vcpu_start(v, guest_filtered);
	EXPECT_EQ(1, vcpu_expect(v, MSG_SYNC));
	/* The VMM's own accesses are not filtered. */
	EXPECT_EQ(1, get_msr(v->fd, SYSENTER_CS, &val));
	EXPECT_EQ(8, val);
	ASSERT_EQ(0, user_msrs(&self->vm, KVM_MSR_EXIT_REASON_FILTER));
	expect_msr(_metadata, v, KVM_EXIT_X86_RDMSR, SYSENTER_CS, KVM_MSR_EXIT_REASON_FILTER);
	v->run->msr.data = 0x77;
	expect_msr(_metadata, v, KVM_EXIT_X86_WRMSR, LSTAR, KVM_MSR_EXIT_REASON_FILTER);
	EXPECT_EQ(0x2000, v->run->msr.data);
	EXPECT_EQ(2, vcpu_expect(v, MSG_SYNC));
	memset(&f, 0, sizeof(f));
	ASSERT_EQ(0, ioctl(self->vm.fd, KVM_X86_SET_MSR_FILTER, &f));
	vcpu_expect(v, MSG_DONE);
	EXPECT_EQ(1, get_msr(v->fd, LSTAR, &val));
	EXPECT_EQ(0x3000, val);
}

static void guest_reads_mtrr(void)
{
	guest_rdmsr(MTRR_DEF);
	guest_done();
}

/* A 32-bit VMM's ioctl: shorter pointers, and therefore another number. */
struct filter32 {
	uint32_t flags;
	struct { uint32_t flags, nmsrs, base, bitmap; } ranges[KVM_MSR_FILTER_MAX_RANGES];
};

static long ioctl32(int fd, uint32_t cmd, void *arg)
{
	long ret;

	__asm__ volatile("int $0x80" : "=a" (ret) : "a" (54), "b" ((long)fd), "c" ((long)cmd),
			 "d" ((uint32_t)(uintptr_t)arg) : "memory", "r8", "r9", "r10", "r11");
	return (int)ret;
}

TEST_F(msrs, filter_of_a_32_bit_vmm)
{
	static struct filter32 f;	/* below 4 GiB, as all of this program */
	static uint8_t none[1];
	const uint32_t cmd = _IOW(KVMIO, 0xc6, struct filter32);
	struct kvm_enable_cap cap = { .cap = KVM_CAP_X86_USER_SPACE_MSR,
				      .args = { KVM_MSR_EXIT_REASON_FILTER } };

	/* The kernel without them answers INT 80h by a signal. */
	if (access("/proc/sys/abi/vsyscall32", F_OK))
		SKIP(return, "no 32-bit system calls");
	ASSERT_EQ(KVM_API_VERSION, ioctl32(self->vm.kvm, KVM_GET_API_VERSION, NULL));
	ASSERT_EQ(0, ioctl(self->vm.fd, KVM_ENABLE_CAP, &cap));
	memset(&f, 0, sizeof(f));
	f.ranges[0].flags = KVM_MSR_FILTER_READ;
	f.ranges[0].nmsrs = 1;
	f.ranges[0].base = MTRR_DEF;
	f.ranges[0].bitmap = (uint32_t)(uintptr_t)none;
	ASSERT_EQ(0, ioctl32(self->vm.fd, cmd, &f));
	vcpu_start(self->v, guest_reads_mtrr);
	ASSERT_EQ(MSG_NONE, vcpu_run(self->v, NULL));
	EXPECT_EQ(KVM_EXIT_X86_RDMSR, self->v->run->exit_reason);
	EXPECT_EQ(MTRR_DEF, self->v->run->msr.index);
	f.ranges[0].flags = 1 << 5;
	EXPECT_EQ(-EINVAL, ioctl32(self->vm.fd, cmd, &f));
}

TEST_F(msrs, filter_errors)
{
	uint8_t bits[KVM_MSR_FILTER_MAX_BITMAP_SIZE + 8] = {};
	struct kvm_msr_filter f = { .flags = 1 << 5 };
	int fd = self->vm.fd;

	EXPECT_ERR(EINVAL, ioctl(fd, KVM_X86_SET_MSR_FILTER, &f));
	f.flags = KVM_MSR_FILTER_DEFAULT_DENY;		/* would deny everything */
	EXPECT_ERR(EINVAL, ioctl(fd, KVM_X86_SET_MSR_FILTER, &f));
	f.ranges[0] = (struct kvm_msr_filter_range){ KVM_MSR_FILTER_READ, 8, LSTAR, bits };
	EXPECT_EQ(0, ioctl(fd, KVM_X86_SET_MSR_FILTER, &f));
	f.ranges[0].flags = 1 << 4;
	EXPECT_ERR(EINVAL, ioctl(fd, KVM_X86_SET_MSR_FILTER, &f));
	f.ranges[0].flags = KVM_MSR_FILTER_READ;
	f.ranges[0].nmsrs = KVM_MSR_FILTER_MAX_BITMAP_SIZE * 8 + 64;
	EXPECT_ERR(EINVAL, ioctl(fd, KVM_X86_SET_MSR_FILTER, &f));
	f.ranges[0].nmsrs = 8;
	f.ranges[0].bitmap = (void *)16;
	EXPECT_ERR(EFAULT, ioctl(fd, KVM_X86_SET_MSR_FILTER, &f));
}

/* --- TSC_AUX --- */

#define MSR_TSC_AUX	0xc0000103

static volatile bool has_rdpid;

static uint32_t by_rdtscp(void)
{
	uint32_t lo, hi, aux;

	__asm__ volatile("rdtscp" : "=a" (lo), "=d" (hi), "=c" (aux));
	return aux;
}

static uint64_t by_rdpid(void)
{
	uint64_t aux;

	__asm__ volatile(".byte 0xf3, 0x0f, 0xc7, 0xf8" : "=a" (aux));	/* rdpid %rax */
	return aux;
}

static void guest_tsc_aux(void)
{
	uint32_t n = 0;

	for (;;) {
		uint32_t aux = by_rdtscp();

		guest_assert(guest_rdmsr(MSR_TSC_AUX) == aux);
		guest_assert(!has_rdpid || by_rdpid() == aux);
		guest_sync(aux);
		n++;
		guest_wrmsr(MSR_TSC_AUX, 0x80005600 + n);
		guest_assert(by_rdtscp() == 0x80005600 + n);
		guest_assert(!has_rdpid || by_rdpid() == 0x80005600 + n);
	}
}

/* Two vCPUs of one thread: each has its own, set from either side; the host's is in between. */
TEST_F(msrs, tsc_aux)
{
	struct test_vcpu *v[2] = { self->v, vcpu_create(&self->vm, 1) };
	struct kvm_mp_state runnable = { KVM_MP_STATE_RUNNABLE };
	uint64_t val, i;

	if (!(cpuid_reg(self->vm.kvm, 0x80000001, 0, 3) & 1 << 27))
		SKIP(return, "no RDTSCP");
	has_rdpid = cpuid_reg(self->vm.kvm, 7, 0, 2) & 1 << 22;
	for (i = 0; i < 2; i++) {
		vcpu_start(v[i], guest_tsc_aux);
		ASSERT_EQ(0, ioctl(v[i]->fd, KVM_SET_MP_STATE, &runnable));
		ASSERT_EQ(1, set_msr(v[i]->fd, MSR_TSC_AUX, 0x1234 + i));
		EXPECT_EQ(0x1234 + i, vcpu_expect(v[i], MSG_SYNC));
	}
	for (i = 1; i <= 6; i++) {
		uint64_t want = 0x80005600 + (i + 1) / 2;

		EXPECT_EQ(want, vcpu_expect(v[(i + 1) & 1], MSG_SYNC));
		ASSERT_EQ(1, get_msr(v[(i + 1) & 1]->fd, MSR_TSC_AUX, &val));
		EXPECT_EQ(want, val);
	}
	/* Between two runs. */
	ASSERT_EQ(1, set_msr(v[1]->fd, MSR_TSC_AUX, 0xffffffff));
	ASSERT_EQ(1, get_msr(v[1]->fd, MSR_TSC_AUX, &val));
	EXPECT_EQ(0xffffffff, val);
	ASSERT_EQ(1, get_msr(v[0]->fd, MSR_TSC_AUX, &val));
	EXPECT_EQ(0x80005603, val);
}

TEST_HARNESS_MAIN
