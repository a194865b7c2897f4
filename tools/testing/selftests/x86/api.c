// SPDX-License-Identifier: GPL-2.0-only
/* The files behind /dev/kvm: versions, capabilities, identifiers, mappings, owners, lifetimes. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include "kselftest_harness.h"
#include "testvm.h"

#define PAGE	4096

FIXTURE(api)
{
	struct test_vm vm;
};

FIXTURE_SETUP(api)
{
	vm_create(&self->vm, TEST_IRQCHIP_NONE);
}

FIXTURE_TEARDOWN(api)
{
	vm_destroy(&self->vm);
}

TEST_F(api, version_and_mmap_size)
{
	int kvm = self->vm.kvm;

	EXPECT_EQ(12, ioctl(kvm, KVM_GET_API_VERSION, 0));
	EXPECT_ERR(EINVAL, ioctl(kvm, KVM_GET_API_VERSION, 1));
	EXPECT_EQ(3 * PAGE, ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0));
	EXPECT_ERR(EINVAL, ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 1));
}

TEST_F(api, unknown_ioctls)
{
	struct test_vcpu *v = vcpu_create(&self->vm, 0);

	/* Of the device and of vCPUs, KVM answers EINVAL to some and ENOTTY to others. */
	EXPECT_EQ(-1, ioctl(self->vm.kvm, _IO(KVMIO, 0xf7), 0));
	EXPECT_TRUE(errno == EINVAL || errno == ENOTTY);
	EXPECT_ERR(ENOTTY, ioctl(self->vm.fd, _IO(KVMIO, 0xf7), 0));
	EXPECT_EQ(-1, ioctl(v->fd, _IO(KVMIO, 0xf7), 0));
	EXPECT_TRUE(errno == EINVAL || errno == ENOTTY);
	/* A known number with another argument size or direction is another ioctl. */
	EXPECT_EQ(-1, ioctl(v->fd, _IO(KVMIO, 0x81), 0));
	EXPECT_EQ(-1, ioctl(v->fd, _IOW(KVMIO, 0x81, struct kvm_regs), &errno));
	/* Not for this kind of file. */
	EXPECT_EQ(-1, ioctl(self->vm.kvm, KVM_CREATE_VCPU, 0));
	EXPECT_EQ(-1, ioctl(self->vm.fd, KVM_CREATE_VM, 0));
	EXPECT_EQ(-1, ioctl(v->fd, KVM_CREATE_VCPU, 1));
	/* Another type byte. */
	EXPECT_ERR(ENOTTY, ioctl(self->vm.fd, _IO('T', 1), 0));
}

TEST_F(api, unknown_capabilities)
{
	EXPECT_EQ(0, kvm_cap(self->vm.kvm, 100000));
	EXPECT_EQ(0, kvm_cap(self->vm.kvm, -1));
	EXPECT_EQ(0, kvm_cap(self->vm.kvm, 0x100000000));	/* not 0, IRQCHIP */
	EXPECT_EQ(0, kvm_cap(self->vm.fd, 100000));
	EXPECT_EQ(0, kvm_cap(self->vm.fd, KVM_CAP_PCI_2_3));
	EXPECT_EQ(0, kvm_cap(self->vm.fd, KVM_CAP_IOMMU));
	EXPECT_ERR(EINVAL, ioctl(self->vm.fd, KVM_ENABLE_CAP,
				 &(struct kvm_enable_cap){ .cap = 100000 }));
	EXPECT_ERR(EINVAL, ioctl(self->vm.fd, KVM_ENABLE_CAP,
				 &(struct kvm_enable_cap){ .cap = KVM_CAP_SPLIT_IRQCHIP,
							   .flags = 1, .args = { 24 } }));
}

#define C(name) { KVM_CAP_##name, #name }

/* What QEMU 7.2 and 10.0 ask for by value, and what else is 1 in every KVM since Linux 6.1. */
static const struct { long cap; const char *name; } ones[] = {
	C(IRQCHIP), C(HLT), C(USER_MEMORY), C(SET_TSS_ADDR), C(VAPIC), C(EXT_CPUID),
	C(CLOCKSOURCE), C(PIT), C(NOP_IO_DELAY), C(MP_STATE), C(SYNC_MMU),
	C(DESTROY_MEMORY_REGION_WORKS), C(USER_NMI), C(SET_GUEST_DEBUG), C(REINJECT_CONTROL),
	C(IRQ_INJECT_STATUS), C(JOIN_MEMORY_REGIONS_WORKS), C(IRQFD), C(PIT2),
	C(SET_BOOT_CPU_ID), C(PIT_STATE2), C(IOEVENTFD), C(SET_IDENTITY_MAP_ADDR),
	C(INTERNAL_ERROR_DATA), C(VCPU_EVENTS), C(DEBUGREGS), C(X86_ROBUST_SINGLESTEP),
	C(ENABLE_CAP), C(XSAVE), C(XCRS), C(GET_TSC_KHZ), C(TSC_DEADLINE_TIMER),
	C(KVMCLOCK_CTRL), C(SIGNAL_MSI), C(READONLY_MEM), C(IRQFD_RESAMPLE),
	C(EXT_EMUL_CPUID), C(ENABLE_CAP_VM), C(IOEVENTFD_NO_LENGTH), C(CHECK_EXTENSION_VM),
	C(SPLIT_IRQCHIP), C(IOEVENTFD_ANY_LENGTH), C(VCPU_ATTRIBUTES), C(IMMEDIATE_EXIT),
	C(GET_MSR_FEATURES), C(COALESCED_PIO), C(EXCEPTION_PAYLOAD), C(HALT_POLL),
	C(X86_USER_SPACE_MSR), C(X86_MSR_FILTER), C(SREGS2), C(BINARY_STATS_FD),
	C(SYS_ATTRIBUTES), C(X86_TRIPLE_FAULT_EVENT),
};

TEST_F(api, boolean_capabilities)
{
	unsigned int i;

	/* crosvm compares with 1, not with 0. */
	for (i = 0; i < sizeof(ones) / sizeof(ones[0]); i++) {
		EXPECT_EQ(1, kvm_cap(self->vm.kvm, ones[i].cap))
			TH_LOG("KVM_CAP_%s on /dev/kvm", ones[i].name);
		EXPECT_EQ(1, kvm_cap(self->vm.fd, ones[i].cap))
			TH_LOG("KVM_CAP_%s on a VM", ones[i].name);
	}
}

TEST_F(api, capability_values)
{
	int kvm = self->vm.kvm, vm = self->vm.fd;
	int cpus = sysconf(_SC_NPROCESSORS_ONLN);

	EXPECT_EQ(KVM_COALESCED_MMIO_PAGE_OFFSET, kvm_cap(kvm, KVM_CAP_COALESCED_MMIO));
	EXPECT_EQ(4096, kvm_cap(kvm, KVM_CAP_IRQ_ROUTING));
	EXPECT_EQ(32764, kvm_cap(kvm, KVM_CAP_NR_MEMSLOTS));
	EXPECT_EQ(32, kvm_cap(kvm, KVM_CAP_MCE));
	/* The kernel's own has had more flags than these two since 7.0. */
	EXPECT_EQ(3, kvm_cap(kvm, KVM_CAP_X2APIC_API) & 3);
	EXPECT_EQ(KVM_SYNC_X86_VALID_FIELDS, kvm_cap(kvm, KVM_CAP_SYNC_REGS));
	EXPECT_EQ(3, kvm_cap(kvm, KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2));
	EXPECT_GE(kvm_cap(kvm, KVM_CAP_XSAVE2), 4096);
	/* rust-vmm: at least 4 recommended, unless the machine has fewer. */
	EXPECT_GE(kvm_cap(kvm, KVM_CAP_NR_VCPUS), cpus < 4 ? cpus : 4);
	EXPECT_GE(kvm_cap(kvm, KVM_CAP_MAX_VCPUS), kvm_cap(kvm, KVM_CAP_NR_VCPUS));
	EXPECT_GE(kvm_cap(kvm, KVM_CAP_MAX_VCPUS), 288);
	EXPECT_GE(kvm_cap(kvm, KVM_CAP_MAX_VCPU_ID), kvm_cap(kvm, KVM_CAP_MAX_VCPUS));
	EXPECT_TRUE(kvm_cap(vm, KVM_CAP_ADJUST_CLOCK) & KVM_CLOCK_TSC_STABLE);
	EXPECT_EQ(0, kvm_cap(kvm, KVM_CAP_X86_DISABLE_EXITS) & ~KVM_X86_DISABLE_VALID_EXITS);
	EXPECT_TRUE(kvm_cap(kvm, KVM_CAP_SET_GUEST_DEBUG2) & KVM_GUESTDBG_SINGLESTEP);
	/* SMM means a second address space, and the other way round. */
	EXPECT_EQ(kvm_cap(vm, KVM_CAP_X86_SMM) ? 2 : 1,
		  kvm_cap(vm, KVM_CAP_MULTI_ADDRESS_SPACE) ?: 1);
}

TEST_F(api, create_vm)
{
	int vm;

	EXPECT_ERR(EINVAL, ioctl(self->vm.kvm, KVM_CREATE_VM, 99));
	vm = ioctl(self->vm.kvm, KVM_CREATE_VM, 0);
	ASSERT_GE(vm, 0);
	EXPECT_EQ(FD_CLOEXEC, fcntl(vm, F_GETFD));
	close(vm);
}

/* libvirt opens the device read-only. */
TEST_F(api, read_only_device)
{
	int kvm = open("/dev/kvm", O_RDONLY), vm, vcpu;

	ASSERT_GE(kvm, 0);
	vm = ioctl(kvm, KVM_CREATE_VM, 0);
	ASSERT_GE(vm, 0);
	vcpu = ioctl(vm, KVM_CREATE_VCPU, 0);
	ASSERT_GE(vcpu, 0);
	EXPECT_EQ(FD_CLOEXEC, fcntl(vcpu, F_GETFD));
	close(vcpu);
	close(vm);
	close(kvm);
}

TEST_F(api, vcpu_ids)
{
	int max = kvm_cap(self->vm.kvm, KVM_CAP_MAX_VCPU_ID), a, b;

	a = ioctl(self->vm.fd, KVM_CREATE_VCPU, 3);
	ASSERT_GE(a, 0);
	EXPECT_ERR(EEXIST, ioctl(self->vm.fd, KVM_CREATE_VCPU, 3));
	EXPECT_ERR(EINVAL, ioctl(self->vm.fd, KVM_CREATE_VCPU, (long)max));
	EXPECT_ERR(EINVAL, ioctl(self->vm.fd, KVM_CREATE_VCPU, -1L));
	b = ioctl(self->vm.fd, KVM_CREATE_VCPU, (long)max - 1);
	EXPECT_GE(b, 0);
	close(b);
	close(a);
	/* The vCPU belongs to the VM: its number is taken even when its file is closed. */
	EXPECT_ERR(EEXIST, ioctl(self->vm.fd, KVM_CREATE_VCPU, 3));
}

static void guest_out_in(void)
{
	uint8_t v;

	__asm__ volatile("outb %b0, %w1" : : "a" (0x5a), "d" (0x300));
	__asm__ volatile("inb %w1, %b0" : "=a" (v) : "d" (0x301));
	guest_assert(v == 0xa5);
	guest_done();
}

/* Each page of the vCPU mapping can be mapped by itself, in any order. */
TEST_F(api, vcpu_mapping)
{
	struct test_vcpu *v = vcpu_create(&self->vm, 0);
	uint8_t *pio, *ring, *whole = (uint8_t *)v->run;
	struct kvm_run *run;

	ring = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, v->fd, 2 * PAGE);
	pio = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, v->fd, PAGE);
	run = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, v->fd, 0);
	ASSERT_NE(MAP_FAILED, ring);
	ASSERT_NE(MAP_FAILED, pio);
	ASSERT_NE(MAP_FAILED, run);

	vcpu_start(v, guest_out_in);
	ASSERT_EQ(MSG_NONE, vcpu_run(v, NULL));
	EXPECT_EQ(KVM_EXIT_IO, run->exit_reason);
	EXPECT_EQ(0x300, run->io.port);
	ASSERT_GE(run->io.data_offset, PAGE);
	ASSERT_LT(run->io.data_offset, 2 * PAGE);
	EXPECT_EQ(0x5a, pio[run->io.data_offset - PAGE]);
	ASSERT_EQ(MSG_NONE, vcpu_run(v, NULL));
	EXPECT_EQ(0x301, run->io.port);
	pio[run->io.data_offset - PAGE] = 0xa5;
	vcpu_expect(v, MSG_DONE);

	EXPECT_EQ(0, memcmp(ring, whole + 2 * PAGE, PAGE));
	ring[PAGE - 1] = 0x77;
	EXPECT_EQ(0x77, whole[3 * PAGE - 1]);
	ring[PAGE - 1] = 0;
	munmap(run, PAGE);
	munmap(pio, PAGE);
	munmap(ring, PAGE);
}

/* The ring of coalesced writes is one for the VM; what is private to a vCPU is not shared. */
TEST_F(api, mappings_of_two_vcpus)
{
	struct test_vcpu *a = vcpu_create(&self->vm, 0), *b = vcpu_create(&self->vm, 1);
	uint8_t *pa = (uint8_t *)a->run, *pb = (uint8_t *)b->run;

	pa[3 * PAGE - 1] = 0x42;
	EXPECT_EQ(0x42, pb[3 * PAGE - 1]);
	pa[2 * PAGE - 1] = 0x43;
	EXPECT_EQ(0, pb[2 * PAGE - 1]);
	pa[3 * PAGE - 1] = 0;
}

/* A page behind the end: no memory is there. */
TEST_F(api, mapping_too_long)
{
	struct test_vcpu *v = vcpu_create(&self->vm, 0);
	pid_t pid = fork();
	int status;

	ASSERT_GE(pid, 0);
	if (!pid) {
		volatile uint8_t *p;

		signal(SIGBUS, SIG_DFL);
		p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, v->fd, 3 * PAGE);
		if (p == MAP_FAILED)
			_exit(1);
		_exit(p[0] ? 2 : 3);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_TRUE((WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS) ||
		    (WIFEXITED(status) && WEXITSTATUS(status) == 1));
}

static int try_in_child(int vm, int vcpu)
{
	struct kvm_regs regs;

	if (ioctl(vm, KVM_CREATE_VCPU, 7) != -1 || errno != EIO)
		return 1;
	if (ioctl(vm, KVM_CHECK_EXTENSION, KVM_CAP_IRQCHIP) != -1 || errno != EIO)
		return 2;
	if (ioctl(vcpu, KVM_GET_REGS, &regs) != -1 || errno != EIO)
		return 3;
	if (ioctl(vcpu, KVM_RUN, 0) != -1 || errno != EIO)
		return 4;
	return 0;
}

TEST_F(api, another_process)
{
	struct test_vcpu *v = vcpu_create(&self->vm, 0);
	pid_t pid = fork();
	int status;

	ASSERT_GE(pid, 0);
	if (!pid)
		_exit(try_in_child(self->vm.fd, v->fd));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_TRUE(WIFEXITED(status));
	EXPECT_EQ(0, WEXITSTATUS(status));
	EXPECT_EQ(1, kvm_cap(self->vm.fd, KVM_CAP_IRQCHIP));
}

static volatile uint64_t seen;

static void guest_mark(void)
{
	seen++;
	guest_sync(seen);
	guest_done();
}

/* A vCPU keeps its VM, with memory and all. */
TEST_F(api, vm_outlives_its_file)
{
	struct test_vcpu *v = vcpu_create(&self->vm, 0);

	seen = 0;
	vcpu_start(v, guest_mark);
	close(self->vm.fd);
	close(self->vm.kvm);
	EXPECT_EQ(1, vcpu_expect(v, MSG_SYNC));
	vcpu_expect(v, MSG_DONE);
	self->vm.fd = self->vm.kvm = -1;
}

/* The mapping keeps what it shows, also when all files are closed. */
TEST_F(api, mapping_outlives_its_file)
{
	int vm = ioctl(self->vm.kvm, KVM_CREATE_VM, 0), vcpu;
	uint8_t *p;

	ASSERT_GE(vm, 0);
	vcpu = ioctl(vm, KVM_CREATE_VCPU, 0);
	ASSERT_GE(vcpu, 0);
	p = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0);
	ASSERT_NE(MAP_FAILED, p);
	close(vcpu);
	close(vm);
	memset(p, 0x11, 3 * PAGE);
	EXPECT_EQ(0x11, p[3 * PAGE - 1]);
	EXPECT_EQ(0, munmap(p, 3 * PAGE));
}

TEST_F(api, tss_and_identity_map)
{
	uint64_t addr = 0xfeffc000;

	EXPECT_EQ(0, ioctl(self->vm.fd, KVM_SET_TSS_ADDR, 0xfffbd000ul));
	EXPECT_ERR(EINVAL, ioctl(self->vm.fd, KVM_SET_TSS_ADDR, 0xffffe000ul));
	EXPECT_EQ(0, ioctl(self->vm.fd, KVM_SET_IDENTITY_MAP_ADDR, &addr));
	vcpu_create(&self->vm, 0);
	EXPECT_ERR(EINVAL, ioctl(self->vm.fd, KVM_SET_IDENTITY_MAP_ADDR, &addr));
}

TEST_F(api, boot_cpu_id)
{
	EXPECT_EQ(0, ioctl(self->vm.fd, KVM_SET_BOOT_CPU_ID, 1));
	vcpu_create(&self->vm, 0);
	EXPECT_ERR(EBUSY, ioctl(self->vm.fd, KVM_SET_BOOT_CPU_ID, 0));
}

TEST_HARNESS_MAIN
