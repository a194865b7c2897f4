// SPDX-License-Identifier: GPL-2.0-only
/* Pages that the VMM's mapping does not give, and KVM_PRE_FAULT_MEMORY. */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "kselftest_harness.h"
#include "testvm.h"

#define PAGE	4096ull
#define PAGES	64

static volatile uint64_t access_gpa, access_write;

static void guest_access(void)
{
	for (;;) {
		volatile uint64_t *p = (void *)access_gpa;

		if (access_write)
			*p = 0x77;
		guest_sync(*p);
	}
}

FIXTURE(fault)
{
	struct test_vm vm;
	struct test_vcpu *v;
	uint8_t *mem;
};

FIXTURE_SETUP(fault)
{
	vm_create(&self->vm, TEST_IRQCHIP_NONE);
	self->v = vcpu_create(&self->vm, 0);
	self->mem = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			 -1, 0);
	ASSERT_NE(MAP_FAILED, self->mem);
	ASSERT_EQ(0, vm_set_region(&self->vm, SLOT_FREE, GPA_FREE, PAGES * PAGE, self->mem, 0));
	vcpu_start(self->v, guest_access);
}

FIXTURE_TEARDOWN(fault)
{
	vm_destroy(&self->vm);
	munmap(self->mem, PAGES * PAGE);
}

/* KVM_RUN fails, and where the capability says so, tells the page. */
#define EXPECT_FAULT(page, write)							\
do {											\
	access_gpa = GPA_FREE + (page) * PAGE + 8;					\
	access_write = write;								\
	EXPECT_ERR(EFAULT, ioctl(self->v->fd, KVM_RUN, 0));				\
	/* The kernel's own of 6.12 has the capability, and tells of private memory only. */ \
	if (on_keel()) {								\
		EXPECT_EQ(KVM_EXIT_MEMORY_FAULT, self->v->run->exit_reason);		\
		EXPECT_EQ(GPA_FREE + (page) * PAGE, self->v->run->memory_fault.gpa);	\
		EXPECT_EQ(PAGE, self->v->run->memory_fault.size);			\
		EXPECT_EQ(0, self->v->run->memory_fault.flags);				\
	}										\
} while (0)

TEST_F(fault, no_access)
{
	ASSERT_EQ(0, mprotect(self->mem + 3 * PAGE, PAGE, PROT_NONE));
	EXPECT_FAULT(3, true);
	EXPECT_FAULT(3, true);		/* the same again */
	ASSERT_EQ(0, mprotect(self->mem + 3 * PAGE, PAGE, PROT_READ | PROT_WRITE));
	EXPECT_EQ(0x77, vcpu_expect(self->v, MSG_SYNC));
	ASSERT_EQ(0, mprotect(self->mem + 3 * PAGE, PAGE, PROT_NONE));
	EXPECT_FAULT(3, false);
}

TEST_F(fault, hole)
{
	uint8_t *p = self->mem + 5 * PAGE;

	ASSERT_EQ(0, munmap(p, PAGE));
	EXPECT_FAULT(5, true);
	ASSERT_EQ(p, mmap(p, PAGE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
	EXPECT_EQ(0x77, vcpu_expect(self->v, MSG_SYNC));
	EXPECT_EQ(0x77, *(uint64_t *)(p + 8));
}

TEST_F(fault, host_mapping_is_read_only)
{
	uint8_t *p = self->mem + 7 * PAGE;

	*(uint64_t *)(p + 8) = 5;
	ASSERT_EQ(0, mprotect(p, PAGE, PROT_READ));
	access_gpa = GPA_FREE + 7 * PAGE + 8;
	access_write = false;
	EXPECT_EQ(5, vcpu_expect(self->v, MSG_SYNC));
	EXPECT_FAULT(7, true);
	EXPECT_EQ(5, *(uint64_t *)(p + 8));
	ASSERT_EQ(0, mprotect(p, PAGE, PROT_READ | PROT_WRITE));
	EXPECT_EQ(0x77, vcpu_expect(self->v, MSG_SYNC));
}

/* Beyond the end of a file: the host would raise SIGBUS. */
TEST_F(fault, end_of_file)
{
	uint8_t *p = self->mem + 9 * PAGE;
	int fd = memfd_create("short", 0);

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, ftruncate(fd, PAGE));
	ASSERT_EQ(p, mmap(p, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0));
	EXPECT_FAULT(10, true);
	ASSERT_EQ(0, ftruncate(fd, 2 * PAGE));
	EXPECT_EQ(0x77, vcpu_expect(self->v, MSG_SYNC));
	close(fd);
}

/* ---- KVM_PRE_FAULT_MEMORY ---- */

static int prefault(struct test_vcpu *v, struct kvm_pre_fault_memory *r)
{
	int ret;

	do {
		ret = ioctl(v->fd, KVM_PRE_FAULT_MEMORY, r);
	} while ((!ret && r->size) || (ret < 0 && errno == EINTR));
	return ret;
}

#define PREFAULT(from, pages)								\
	({ r = (struct kvm_pre_fault_memory){ .gpa = GPA_FREE + (from) * PAGE,		\
					      .size = (pages) * PAGE };			\
	   prefault(self->v, &r); })

TEST_F(fault, pre_fault)
{
	struct kvm_pre_fault_memory r = {};
	unsigned char core[PAGES];
	int i;

	if (!kvm_cap(self->vm.fd, KVM_CAP_PRE_FAULT_MEMORY))
		SKIP(return, "no KVM_PRE_FAULT_MEMORY");
	madvise(self->mem, PAGES * PAGE, MADV_NOHUGEPAGE);
	EXPECT_EQ(0, PREFAULT(0, 16));
	EXPECT_EQ(0, r.size);
	EXPECT_EQ(GPA_FREE + 16 * PAGE, r.gpa);
	ASSERT_EQ(0, mincore(self->mem, PAGES * PAGE, core));
	for (i = 0; i < 16; i++)
		EXPECT_EQ(1, core[i] & 1);
	EXPECT_EQ(0, core[20] & 1);

	/* The end of the slot: what there is, is mapped; the rest is told. */
	EXPECT_ERR(ENOENT, PREFAULT(PAGES - 2, 4));
	EXPECT_EQ(2 * PAGE, r.size);
	EXPECT_EQ(GPA_FREE + PAGES * PAGE, r.gpa);
	EXPECT_ERR(ENOENT, PREFAULT(PAGES, 1));
	EXPECT_EQ(PAGE, r.size);

	access_gpa = GPA_FREE + 2 * PAGE;
	access_write = true;
	EXPECT_EQ(0x77, vcpu_expect(self->v, MSG_SYNC));
	EXPECT_EQ(0x77, *(uint64_t *)(self->mem + 2 * PAGE));
}

TEST_F(fault, pre_fault_errors)
{
	struct kvm_pre_fault_memory r = { .gpa = GPA_FREE, .size = PAGE, .flags = 1 };

	if (!kvm_cap(self->vm.fd, KVM_CAP_PRE_FAULT_MEMORY))
		SKIP(return, "no KVM_PRE_FAULT_MEMORY");
	EXPECT_ERR(EINVAL, ioctl(self->v->fd, KVM_PRE_FAULT_MEMORY, &r));
	r = (struct kvm_pre_fault_memory){ .gpa = GPA_FREE };
	EXPECT_ERR(EINVAL, ioctl(self->v->fd, KVM_PRE_FAULT_MEMORY, &r));
	r = (struct kvm_pre_fault_memory){ .gpa = GPA_FREE + 1, .size = PAGE };
	EXPECT_ERR(EINVAL, ioctl(self->v->fd, KVM_PRE_FAULT_MEMORY, &r));
	r = (struct kvm_pre_fault_memory){ .gpa = GPA_FREE, .size = PAGE + 1 };
	EXPECT_ERR(EINVAL, ioctl(self->v->fd, KVM_PRE_FAULT_MEMORY, &r));
	r = (struct kvm_pre_fault_memory){ .gpa = -PAGE, .size = 2 * PAGE };
	EXPECT_ERR(EINVAL, ioctl(self->v->fd, KVM_PRE_FAULT_MEMORY, &r));
	EXPECT_ERR(EFAULT, ioctl(self->v->fd, KVM_PRE_FAULT_MEMORY, NULL));
	ASSERT_EQ(0, mprotect(self->mem + PAGE, PAGE, PROT_NONE));
	EXPECT_ERR(EFAULT, PREFAULT(0, 2));
	EXPECT_EQ(PAGE, r.size);
}

/* A page that was mapped ahead is logged when it is written, not before. */
TEST_F(fault, pre_fault_under_a_dirty_log)
{
	uint64_t bits = 0;
	struct kvm_dirty_log log = { .slot = SLOT_FREE, .dirty_bitmap = &bits };
	struct kvm_pre_fault_memory r;

	if (!kvm_cap(self->vm.fd, KVM_CAP_PRE_FAULT_MEMORY))
		SKIP(return, "no KVM_PRE_FAULT_MEMORY");
	ASSERT_EQ(0, vm_set_region(&self->vm, SLOT_FREE, GPA_FREE, PAGES * PAGE, self->mem,
				   KVM_MEM_LOG_DIRTY_PAGES));
	EXPECT_EQ(0, PREFAULT(0, PAGES));
	ASSERT_EQ(0, ioctl(self->vm.fd, KVM_GET_DIRTY_LOG, &log));
	EXPECT_EQ(0, bits);
	access_gpa = GPA_FREE + 11 * PAGE;
	access_write = true;
	EXPECT_EQ(0x77, vcpu_expect(self->v, MSG_SYNC));
	ASSERT_EQ(0, ioctl(self->vm.fd, KVM_GET_DIRTY_LOG, &log));
	EXPECT_EQ(1ull << 11, bits);
}

/* ---- KVM_SET_USER_MEMORY_REGION2 ---- */

TEST_F(fault, region2)
{
	struct kvm_userspace_memory_region2 r = {
		.slot = 3, .guest_phys_addr = GPA_FREE + PAGES * PAGE, .memory_size = PAGE,
		.userspace_addr = (uintptr_t)self->mem,
	};

	if (!kvm_cap(self->vm.fd, KVM_CAP_USER_MEMORY2))
		SKIP(return, "no KVM_SET_USER_MEMORY_REGION2");
	r.flags = KVM_MEM_GUEST_MEMFD;
	EXPECT_ERR(EINVAL, ioctl(self->vm.fd, KVM_SET_USER_MEMORY_REGION2, &r));
	r.flags = 0;
	ASSERT_EQ(0, ioctl(self->vm.fd, KVM_SET_USER_MEMORY_REGION2, &r));
	access_gpa = r.guest_phys_addr;
	access_write = true;
	EXPECT_EQ(0x77, vcpu_expect(self->v, MSG_SYNC));
	EXPECT_EQ(0x77, *(uint64_t *)self->mem);
	r.memory_size = 0;
	EXPECT_EQ(0, ioctl(self->vm.fd, KVM_SET_USER_MEMORY_REGION2, &r));
}

TEST_HARNESS_MAIN
