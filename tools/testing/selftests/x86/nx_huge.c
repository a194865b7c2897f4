// SPDX-License-Identifier: GPL-2.0-only
/*
 * Large pages that must not be executed (module parameter nx_huge_pages): a fetch from one maps small pages instead,
 * and that must last, with a page table that the fetch needs in the same large page too.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "kselftest_harness.h"
#include "testvm.h"

#define PARAM		"/sys/module/kvm/parameters/nx_huge_pages"
#define LARGE		0x200000ul
#define CODE		0x1000		/* in the large page, the top table at 0 */
#define COUNTER		0x2000

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE	25
#endif

FIXTURE(nx)
{
	struct test_vm vm;
	struct test_vcpu *v;
	uint8_t *map, *mem;
	char old;
};

static bool set_param(const char *val)
{
	int fd = open(PARAM, O_WRONLY);
	bool ok = fd >= 0 && write(fd, val, strlen(val)) == (ssize_t)strlen(val);

	close(fd);
	return ok;
}

static char get_param(void)
{
	char c = 0;
	int fd = open(PARAM, O_RDONLY);

	if (fd < 0 || read(fd, &c, 1) != 1)
		c = 0;
	close(fd);
	return c;
}

FIXTURE_SETUP(nx)
{
	self->old = get_param();
	vm_create(&self->vm, TEST_IRQCHIP_NONE);
	self->v = vcpu_create(&self->vm, 0);
	self->map = mmap(NULL, 2 * LARGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			 -1, 0);
	ASSERT_NE(MAP_FAILED, self->map);
	self->mem = (void *)(((uintptr_t)self->map + LARGE - 1) & ~(LARGE - 1));
}

FIXTURE_TEARDOWN(nx)
{
	if (self->old)
		set_param(self->old == 'Y' ? "1" : "0");
	vm_destroy(&self->vm);
	munmap(self->map, 2 * LARGE);
}

/* Counts in memory, then an exit, for ever. */
static const uint8_t code[] = {
	0xff, 0x05, 0xfa, 0x0f, 0x00, 0x00,	/* incl COUNTER(%rip) */
	0xba, 0xf0, 0x02, 0x00, 0x00,		/* mov $0x2f0, %edx */
	0xee,					/* out %al, %dx */
	0xeb, 0xf2,				/* jmp to the start */
};

static bool large_page(uint8_t *mem)
{
	madvise(mem, LARGE, MADV_HUGEPAGE);
	memset(mem, 0, LARGE);
	return !madvise(mem, LARGE, MADV_COLLAPSE);
}

TEST_F_TIMEOUT(nx, fetch_and_its_page_table, 120)
{
	volatile uint32_t *counter = (void *)(self->mem + COUNTER);
	struct kvm_sregs s;
	struct kvm_regs r;
	uint32_t i;

	if (!self->old || !set_param("force"))
		SKIP(return, "nx_huge_pages cannot be set");
	if (!large_page(self->mem))
		SKIP(return, "the host gives no large page");
	memcpy(self->mem, self->vm.tables, 4096);
	memcpy(self->mem + CODE, code, sizeof(code));
	ASSERT_EQ(0, vm_set_region(&self->vm, SLOT_FREE, GPA_FREE, LARGE, self->mem, 0));

	vcpu_start(self->v, (void (*)(void))(GPA_FREE + CODE));
	ASSERT_EQ(0, ioctl(self->v->fd, KVM_GET_SREGS, &s));
	s.cr3 = GPA_FREE;
	ASSERT_EQ(0, ioctl(self->v->fd, KVM_SET_SREGS, &s));
	for (i = 1; i <= 20; i++) {
		ASSERT_EQ(0, ioctl(self->v->fd, KVM_RUN, 0));
		ASSERT_EQ(KVM_EXIT_IO, self->v->run->exit_reason);
		ASSERT_EQ(i, *counter);
		/* Both zap all: large and executable, then not. */
		if (i % 4 == 0) {
			ASSERT_TRUE(set_param("off"));
			EXPECT_EQ('N', get_param());
		} else if (i % 4 == 2) {
			ASSERT_TRUE(set_param("force"));
			EXPECT_EQ('Y', get_param());
		}
	}
	ASSERT_EQ(0, ioctl(self->v->fd, KVM_GET_REGS, &r));
	EXPECT_LE(GPA_FREE + CODE, r.rip);
	EXPECT_GE(GPA_FREE + CODE + sizeof(code), r.rip);
}

TEST_HARNESS_MAIN
