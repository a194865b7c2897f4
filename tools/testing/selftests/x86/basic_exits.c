// SPDX-License-Identifier: GPL-2.0-only
/* The exits of the plainest guest: port I/O, MMIO, HLT, shutdown; and how KVM_RUN completes them. */
#include <string.h>
#include "kselftest_harness.h"
#include "testvm.h"

FIXTURE(exits)
{
	struct test_vm vm;
	struct test_vcpu *vcpu;
};

FIXTURE_SETUP(exits)
{
	vm_create(&self->vm, TEST_IRQCHIP_NONE);
	self->vcpu = vcpu_create(&self->vm, 0);
}

FIXTURE_TEARDOWN(exits)
{
	vm_destroy(&self->vm);
}

static void run(struct __test_metadata *_metadata, struct test_vcpu *v, uint32_t reason)
{
	ASSERT_EQ(0, ioctl(v->fd, KVM_RUN, 0));
	ASSERT_EQ(reason, v->run->exit_reason);
}

static uint64_t shared;

static void guest_messages(void)
{
	guest_sync(1);
	shared = 0x1234;
	guest_sync(2);
	guest_done();
}

TEST_F(exits, messages)
{
	vcpu_start(self->vcpu, guest_messages);
	EXPECT_EQ(1, vcpu_expect(self->vcpu, MSG_SYNC));
	EXPECT_EQ(2, vcpu_expect(self->vcpu, MSG_SYNC));
	EXPECT_EQ(0x1234, shared);
	vcpu_expect(self->vcpu, MSG_DONE);
}

static void guest_pio(void)
{
	uint32_t v;

	__asm__ volatile("outb %%al, $0x80" : : "a" (0xab));
	__asm__ volatile("outw %%ax, %%dx" : : "a" (0xbeef), "d" (0x1000));
	__asm__ volatile("movq $-1, %%rax; inb %%dx, %%al" : "=a" (v) : "d" (0x1001));
	guest_assert(v == 0xffffff5a);
	__asm__ volatile("inl %%dx, %%eax" : "=a" (v) : "d" (0x1002));
	guest_assert(v == 0x11223344);
	guest_done();
}

TEST_F(exits, port_io)
{
	struct kvm_run *run_ = self->vcpu->run;
	uint8_t *data = (uint8_t *)run_;
	uint32_t in = 0x11223344;

	vcpu_start(self->vcpu, guest_pio);
	run(_metadata, self->vcpu, KVM_EXIT_IO);
	EXPECT_EQ(KVM_EXIT_IO_OUT, run_->io.direction);
	EXPECT_EQ(1, run_->io.size);
	EXPECT_EQ(0x80, run_->io.port);
	EXPECT_EQ(1, run_->io.count);
	EXPECT_EQ(0xab, data[run_->io.data_offset]);

	run(_metadata, self->vcpu, KVM_EXIT_IO);
	EXPECT_EQ(2, run_->io.size);
	EXPECT_EQ(0xbeef, *(uint16_t *)(data + run_->io.data_offset));

	run(_metadata, self->vcpu, KVM_EXIT_IO);
	EXPECT_EQ(KVM_EXIT_IO_IN, run_->io.direction);
	EXPECT_EQ(0x1001, run_->io.port);
	data[run_->io.data_offset] = 0x5a;

	run(_metadata, self->vcpu, KVM_EXIT_IO);
	EXPECT_EQ(4, run_->io.size);
	memcpy(data + run_->io.data_offset, &in, 4);
	vcpu_expect(self->vcpu, MSG_DONE);
}

static uint8_t string_buf[16] = "0123456789abcdef";

static void guest_string_io(void)
{
	void *p = string_buf;
	uint64_t n = 16;

	__asm__ volatile("rep outsb" : "+S" (p), "+c" (n) : "d" (0x1000) : "memory");
	guest_assert(n == 0 && p == string_buf + 16);
	p = string_buf;
	n = 4;
	__asm__ volatile("rep insl" : "+D" (p), "+c" (n) : "d" (0x1004) : "memory");
	guest_assert(n == 0);
	guest_done();
}

/* However KVM cuts a string access into exits: all elements pass once, in order. */
TEST_F(exits, string_port_io)
{
	struct kvm_run *r = self->vcpu->run;
	uint8_t *data = (uint8_t *)r, out[16];
	unsigned int got = 0, in = 0, i;

	vcpu_start(self->vcpu, guest_string_io);
	while (got < 16) {
		run(_metadata, self->vcpu, KVM_EXIT_IO);
		ASSERT_EQ(0x1000, r->io.port);
		ASSERT_LE(got + r->io.count, 16);
		memcpy(out + got, data + r->io.data_offset, r->io.count);
		got += r->io.count;
	}
	EXPECT_EQ(0, memcmp(out, "0123456789abcdef", 16));
	while (in < 4) {
		run(_metadata, self->vcpu, KVM_EXIT_IO);
		ASSERT_EQ(0x1004, r->io.port);
		ASSERT_EQ(4, r->io.size);
		for (i = 0; i < r->io.count; i++, in++)
			((uint32_t *)(data + r->io.data_offset))[i] = 0x1000 + in;
	}
	vcpu_expect(self->vcpu, MSG_DONE);
	for (i = 0; i < 4; i++)
		EXPECT_EQ(0x1000 + i, ((uint32_t *)string_buf)[i]);
}

static void guest_mmio(void)
{
	volatile uint32_t *p = (void *)GPA_MMIO;
	volatile uint64_t *q = (void *)(GPA_MMIO + 0x100);

	p[0] = 0xdeadbeef;
	guest_assert(p[1] == 0x01020304);
	*q = 0x1122334455667788;
	guest_assert(*(volatile uint8_t *)(GPA_MMIO + 0x200) == 0x99);
	__asm__ volatile("orl $0x10, %0" : "+m" (p[4]));
	guest_done();
}

static void mmio(struct __test_metadata *_metadata, struct test_vcpu *v, uint64_t addr,
		 uint32_t len, bool write)
{
	run(_metadata, v, KVM_EXIT_MMIO);
	ASSERT_EQ(addr, v->run->mmio.phys_addr);
	ASSERT_EQ(len, v->run->mmio.len);
	ASSERT_EQ(write, v->run->mmio.is_write);
}

TEST_F(exits, mmio)
{
	struct test_vcpu *v = self->vcpu;
	uint32_t r = 0x01020304;

	vcpu_start(v, guest_mmio);
	mmio(_metadata, v, GPA_MMIO, 4, true);
	EXPECT_EQ(0xdeadbeef, *(uint32_t *)v->run->mmio.data);
	mmio(_metadata, v, GPA_MMIO + 4, 4, false);
	memcpy(v->run->mmio.data, &r, 4);
	mmio(_metadata, v, GPA_MMIO + 0x100, 8, true);
	EXPECT_EQ(0x1122334455667788, *(uint64_t *)v->run->mmio.data);
	mmio(_metadata, v, GPA_MMIO + 0x200, 1, false);
	v->run->mmio.data[0] = 0x99;
	/* A read-modify-write is one read and one write. */
	mmio(_metadata, v, GPA_MMIO + 0x10, 4, false);
	r = 0x1;
	memcpy(v->run->mmio.data, &r, 4);
	mmio(_metadata, v, GPA_MMIO + 0x10, 4, true);
	EXPECT_EQ(0x11, *(uint32_t *)v->run->mmio.data);
	vcpu_expect(v, MSG_DONE);
}

static void guest_halt(void)
{
	guest_hlt();
	guest_done();
}

TEST_F(exits, hlt_without_apic)
{
	struct kvm_regs before, after;

	vcpu_start(self->vcpu, guest_halt);
	ASSERT_EQ(0, ioctl(self->vcpu->fd, KVM_GET_REGS, &before));
	run(_metadata, self->vcpu, KVM_EXIT_HLT);
	ASSERT_EQ(0, ioctl(self->vcpu->fd, KVM_GET_REGS, &after));
	EXPECT_NE(before.rip, after.rip);
	vcpu_expect(self->vcpu, MSG_DONE);
}

static void guest_triple(void)
{
	struct { uint16_t limit; uint64_t base; } __attribute__((packed)) none = { 0, 0 };

	__asm__ volatile("lidt %0; ud2" : : "m" (none));
}

TEST_F(exits, triple_fault)
{
	struct kvm_vcpu_events e;
	struct kvm_regs r;

	vcpu_start(self->vcpu, guest_triple);
	run(_metadata, self->vcpu, KVM_EXIT_SHUTDOWN);
	/* Nothing of what led here waits to be delivered. */
	ASSERT_EQ(0, ioctl(self->vcpu->fd, KVM_GET_VCPU_EVENTS, &e));
	EXPECT_EQ(0, e.exception.injected | e.exception.pending | e.interrupt.injected | e.nmi.injected);
	if (host_is_intel())
		return;
	/* AMD-V leaves an undefined state behind: it is that of an INIT. */
	ASSERT_EQ(0, ioctl(self->vcpu->fd, KVM_GET_REGS, &r));
	EXPECT_EQ(0xfff0, r.rip);
	EXPECT_EQ(2, r.rflags);
}

/* Pending I/O is completed by a KVM_RUN that returns for immediate_exit. */
TEST_F(exits, immediate_exit_completes_io)
{
	struct test_vcpu *v = self->vcpu;
	struct kvm_regs r1, r2;

	vcpu_start(v, guest_pio);
	run(_metadata, v, KVM_EXIT_IO);
	ASSERT_EQ(0, ioctl(v->fd, KVM_GET_REGS, &r1));
	v->run->immediate_exit = 1;
	ASSERT_EQ(-1, ioctl(v->fd, KVM_RUN, 0));
	ASSERT_EQ(EINTR, errno);
	v->run->immediate_exit = 0;
	EXPECT_EQ(KVM_EXIT_IO, v->run->exit_reason);
	ASSERT_EQ(0, ioctl(v->fd, KVM_GET_REGS, &r2));
	EXPECT_EQ(r1.rip + 2, r2.rip);
	run(_metadata, v, KVM_EXIT_IO);
	EXPECT_EQ(0x1000, v->run->io.port);
}

static uint8_t real_code[] = { 0xb0, 0x42, 0xe6, 0x10, 0xf4 };	/* mov al,0x42; out 0x10,al; hlt */

TEST_F(exits, real_mode)
{
	uint8_t *mem = vm_add_memory(&self->vm, SLOT_FREE, 0, 0x10000, 0);

	memcpy(mem + 0x1000, real_code, sizeof(real_code));
	vcpu_start_real(self->vcpu, 0x1000);
	run(_metadata, self->vcpu, KVM_EXIT_IO);
	EXPECT_EQ(0x10, self->vcpu->run->io.port);
	EXPECT_EQ(0x42, *((uint8_t *)self->vcpu->run + self->vcpu->run->io.data_offset));
	run(_metadata, self->vcpu, KVM_EXIT_HLT);
}

TEST_F(exits, run_argument)
{
	ASSERT_EQ(-1, ioctl(self->vcpu->fd, KVM_RUN, 1));
	EXPECT_EQ(EINVAL, errno);
}

TEST_HARNESS_MAIN
