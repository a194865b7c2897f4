// SPDX-License-Identifier: GPL-2.0-only
/* ioeventfd, irqfd, GSI routing and coalesced I/O, with the errors that VMMs rely on. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include "kselftest_harness.h"
#include "testvm.h"

#define PORT	0x500

static uint64_t drain(int fd)
{
	uint64_t v = 0;

	return read(fd, &v, sizeof(v)) == sizeof(v) ? v : 0;
}

static int new_eventfd(void)
{
	return eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
}

/* --- ioeventfd --- */

static int ioeventfd(struct test_vm *vm, int fd, uint64_t addr, uint32_t len, uint32_t flags,
		     uint64_t match)
{
	struct kvm_ioeventfd e = {
		.fd = fd, .addr = addr, .len = len, .flags = flags, .datamatch = match,
	};

	return ioctl(vm->fd, KVM_IOEVENTFD, &e);
}

TEST(ioeventfd_errors)
{
	const uint32_t pio = KVM_IOEVENTFD_FLAG_PIO, match = KVM_IOEVENTFD_FLAG_DATAMATCH;
	const uint32_t del = KVM_IOEVENTFD_FLAG_DEASSIGN;
	int fd = new_eventfd(), fd2 = new_eventfd();
	struct test_vm vm;

	vm_create(&vm, TEST_IRQCHIP_NONE);
	EXPECT_ERR(EINVAL, ioeventfd(&vm, fd, PORT, 3, pio, 0));
	EXPECT_ERR(EINVAL, ioeventfd(&vm, fd, PORT, 16, pio, 0));
	EXPECT_ERR(EINVAL, ioeventfd(&vm, fd, PORT, 4, 1u << 31, 0));
	EXPECT_ERR(EINVAL, ioeventfd(&vm, fd, PORT, 0, pio | match, 0));
	EXPECT_ERR(EINVAL, ioeventfd(&vm, fd, -1ull, 4, 0, 0));
	EXPECT_ERR(EBADF, ioeventfd(&vm, 999, PORT, 4, pio, 0));
	EXPECT_ERR(EINVAL, ioeventfd(&vm, vm.fd, PORT, 4, pio, 0));

	EXPECT_EQ(0, ioeventfd(&vm, fd, PORT, 4, pio | match, 1));
	EXPECT_EQ(0, ioeventfd(&vm, fd, PORT, 4, pio | match, 2));
	EXPECT_ERR(EEXIST, ioeventfd(&vm, fd2, PORT, 4, pio | match, 1));
	EXPECT_ERR(EEXIST, ioeventfd(&vm, fd2, PORT, 4, pio, 0));
	EXPECT_ERR(EEXIST, ioeventfd(&vm, fd2, PORT, 0, pio, 0));
	EXPECT_EQ(0, ioeventfd(&vm, fd2, PORT, 2, pio, 0));
	/* The same number in the other space is another place. */
	EXPECT_EQ(0, ioeventfd(&vm, fd2, PORT, 4, 0, 0));

	EXPECT_ERR(ENOENT, ioeventfd(&vm, fd, PORT, 4, pio | del, 1));
	EXPECT_ERR(ENOENT, ioeventfd(&vm, fd2, PORT, 4, pio | match | del, 1));
	EXPECT_EQ(0, ioeventfd(&vm, fd, PORT, 4, pio | match | del, 1));
	EXPECT_ERR(ENOENT, ioeventfd(&vm, fd, PORT, 4, pio | match | del, 1));
	EXPECT_EQ(0, ioeventfd(&vm, fd, PORT, 4, pio | match, 1));
	vm_destroy(&vm);
	close(fd);
	close(fd2);
}

static void guest_ports(void)
{
	__asm__ volatile("outl %%eax, %%dx" : : "a" (0x12345678), "d" (PORT));
	guest_sync(1);
	__asm__ volatile("outl %%eax, %%dx" : : "a" (1), "d" (PORT));
	guest_sync(2);
	__asm__ volatile("outw %%ax, %%dx" : : "a" (0x5678), "d" (PORT));
	guest_sync(3);
	guest_done();
}

TEST(ioeventfd_port)
{
	const uint32_t pio = KVM_IOEVENTFD_FLAG_PIO;
	int fd = new_eventfd();
	struct test_vm vm;
	struct test_vcpu *vcpu;

	vm_create(&vm, TEST_IRQCHIP_NONE);
	vcpu = vcpu_create(&vm, 0);
	vcpu_start(vcpu, guest_ports);
	ASSERT_EQ(0, ioeventfd(&vm, fd, PORT, 4, pio | KVM_IOEVENTFD_FLAG_DATAMATCH, 0x12345678));
	EXPECT_EQ(1, vcpu_expect(vcpu, MSG_SYNC));
	EXPECT_EQ(1, drain(fd));
	/* Another value, and another size: userspace's. */
	EXPECT_EQ(0, ioctl(vcpu->fd, KVM_RUN, 0));
	EXPECT_EQ(KVM_EXIT_IO, vcpu->run->exit_reason);
	EXPECT_EQ(PORT, vcpu->run->io.port);
	EXPECT_EQ(2, vcpu_expect(vcpu, MSG_SYNC));
	EXPECT_EQ(0, ioctl(vcpu->fd, KVM_RUN, 0));
	EXPECT_EQ(KVM_EXIT_IO, vcpu->run->exit_reason);
	EXPECT_EQ(2, vcpu->run->io.size);
	EXPECT_EQ(0, drain(fd));
	EXPECT_EQ(3, vcpu_expect(vcpu, MSG_SYNC));
	vm_destroy(&vm);
	close(fd);
}

static void guest_mmio(void)
{
	*(volatile uint8_t *)GPA_MMIO = 1;
	*(volatile uint16_t *)GPA_MMIO = 2;
	*(volatile uint32_t *)GPA_MMIO = 3;
	*(volatile uint64_t *)GPA_MMIO = 4;
	guest_sync(1);
	*(volatile uint32_t *)(GPA_MMIO + 4) = 5;
	guest_sync(2);
	*(volatile uint32_t *)GPA_MMIO = 6;
	guest_sync(3);
	guest_done();
}

TEST(ioeventfd_mmio_any_length)
{
	int fd = new_eventfd();
	struct test_vm vm;
	struct test_vcpu *vcpu;

	vm_create(&vm, TEST_IRQCHIP_NONE);
	vcpu = vcpu_create(&vm, 0);
	vcpu_start(vcpu, guest_mmio);
	ASSERT_EQ(0, ioeventfd(&vm, fd, GPA_MMIO, 0, 0, 0));
	EXPECT_EQ(1, vcpu_expect(vcpu, MSG_SYNC));
	EXPECT_EQ(4, drain(fd));
	EXPECT_EQ(0, ioctl(vcpu->fd, KVM_RUN, 0));
	EXPECT_EQ(KVM_EXIT_MMIO, vcpu->run->exit_reason);
	EXPECT_EQ(GPA_MMIO + 4, vcpu->run->mmio.phys_addr);
	EXPECT_EQ(2, vcpu_expect(vcpu, MSG_SYNC));
	ASSERT_EQ(0, ioeventfd(&vm, fd, GPA_MMIO, 0, KVM_IOEVENTFD_FLAG_DEASSIGN, 0));
	EXPECT_EQ(0, ioctl(vcpu->fd, KVM_RUN, 0));
	EXPECT_EQ(KVM_EXIT_MMIO, vcpu->run->exit_reason);
	EXPECT_EQ(0, drain(fd));
	EXPECT_EQ(3, vcpu_expect(vcpu, MSG_SYNC));
	vm_destroy(&vm);
	close(fd);
}

/* More than fit on a bus of devices: a VMM with many queues needs that. */
TEST(ioeventfd_many)
{
	int fd = new_eventfd(), i;
	struct test_vm vm;

	vm_create(&vm, TEST_IRQCHIP_NONE);
	for (i = 0; i < 1500; i++)
		ASSERT_EQ(0, ioeventfd(&vm, fd, GPA_MMIO + 4 * i, 4, 0, 0)) TH_LOG("at %d", i);
	for (i = 0; i < 1500; i += 100)
		EXPECT_EQ(0, ioeventfd(&vm, fd, GPA_MMIO + 4 * i, 4, KVM_IOEVENTFD_FLAG_DEASSIGN,
				       0));
	vm_destroy(&vm);
	close(fd);
}

/* --- coalesced I/O --- */

static void guest_coalesced(void)
{
	int i;

	*(volatile uint32_t *)(GPA_MMIO + 0x10) = 0x11223344;
	*(volatile uint8_t *)(GPA_MMIO + 0x7ff) = 0x55;
	__asm__ volatile("outw %%ax, %%dx" : : "a" (0x6677), "d" (PORT));
	guest_sync(1);
	/* Reaches over the end. */
	*(volatile uint32_t *)(GPA_MMIO + 0x7fe) = 0;
	guest_sync(2);
	for (i = 0; i < 1000; i++)
		*(volatile uint32_t *)(GPA_MMIO + 4) = i;
	guest_sync(3);
	guest_done();
}

TEST(coalesced)
{
	struct kvm_coalesced_mmio_zone zone = { .addr = GPA_MMIO, .size = 0x800 };
	struct kvm_coalesced_mmio_zone pio = { .addr = PORT, .size = 8, .pio = 1 };
	struct kvm_coalesced_mmio_ring *ring;
	struct kvm_coalesced_mmio *e;
	struct test_vm vm;
	struct test_vcpu *vcpu;
	uint32_t max, i;

	vm_create(&vm, TEST_IRQCHIP_NONE);
	vcpu = vcpu_create(&vm, 0);
	pio.pio = 2;
	EXPECT_ERR(EINVAL, ioctl(vm.fd, KVM_REGISTER_COALESCED_MMIO, &pio));
	pio.pio = 1;
	ASSERT_EQ(0, ioctl(vm.fd, KVM_REGISTER_COALESCED_MMIO, &pio));
	ASSERT_EQ(0, ioctl(vm.fd, KVM_REGISTER_COALESCED_MMIO, &zone));
	ring = (void *)((char *)vcpu->run + KVM_COALESCED_MMIO_PAGE_OFFSET * 4096);
	max = (4096 - sizeof(*ring)) / sizeof(*e);
	vcpu_start(vcpu, guest_coalesced);

	EXPECT_EQ(1, vcpu_expect(vcpu, MSG_SYNC));
	ASSERT_EQ(0, ring->first);
	ASSERT_EQ(3, ring->last);
	e = ring->coalesced_mmio;
	EXPECT_EQ(GPA_MMIO + 0x10, e[0].phys_addr);
	EXPECT_EQ(4, e[0].len);
	EXPECT_EQ(0, memcmp(e[0].data, "\x44\x33\x22\x11", 4));
	EXPECT_EQ(GPA_MMIO + 0x7ff, e[1].phys_addr);
	EXPECT_EQ(1, e[1].len);
	EXPECT_EQ(0, e[1].pio);
	EXPECT_EQ(PORT, e[2].phys_addr);
	EXPECT_EQ(2, e[2].len);
	EXPECT_EQ(1, e[2].pio);
	ring->first = 3;

	EXPECT_EQ(0, ioctl(vcpu->fd, KVM_RUN, 0));
	EXPECT_EQ(KVM_EXIT_MMIO, vcpu->run->exit_reason);
	EXPECT_EQ(3, ring->last);
	EXPECT_EQ(2, vcpu_expect(vcpu, MSG_SYNC));

	/* Then the ring is full, and the write itself comes out. Before 6.2 KVM took it for full too early. */
	EXPECT_EQ(0, ioctl(vcpu->fd, KVM_RUN, 0));
	EXPECT_EQ(KVM_EXIT_MMIO, vcpu->run->exit_reason);
	memcpy(&i, vcpu->run->mmio.data, 4);
	if (on_keel())
		EXPECT_EQ(max - 1, i);
	EXPECT_LT(i, max);
	EXPECT_EQ((3 + i) % max, ring->last);

	ASSERT_EQ(0, ioctl(vm.fd, KVM_UNREGISTER_COALESCED_MMIO, &zone));
	ring->first = ring->last;
	EXPECT_EQ(0, ioctl(vcpu->fd, KVM_RUN, 0));
	EXPECT_EQ(KVM_EXIT_MMIO, vcpu->run->exit_reason);
	EXPECT_EQ(ring->first, ring->last);
	vm_destroy(&vm);
}

/* --- routing --- */

#define MAX_ROUTES	4097

struct routes {
	struct kvm_irq_routing head;
	struct kvm_irq_routing_entry e[MAX_ROUTES];
};

static struct routes routes;

static int set_routes(struct test_vm *vm, uint32_t nr)
{
	routes.head.nr = nr;
	return ioctl(vm->fd, KVM_SET_GSI_ROUTING, &routes);
}

static void route_msi(unsigned int i, uint32_t gsi, uint8_t vector)
{
	routes.e[i] = (struct kvm_irq_routing_entry){
		.gsi = gsi, .type = KVM_IRQ_ROUTING_MSI,
		.u.msi = { .address_lo = 0xfee00000, .data = vector },
	};
}

static void route_pin(unsigned int i, uint32_t gsi, uint32_t chip, uint32_t pin)
{
	routes.e[i] = (struct kvm_irq_routing_entry){
		.gsi = gsi, .type = KVM_IRQ_ROUTING_IRQCHIP, .u.irqchip = { chip, pin },
	};
}

TEST(routing_errors)
{
	struct test_vm vm;
	int i;

	vm_create(&vm, TEST_IRQCHIP_FULL);
	memset(&routes, 0, sizeof(routes));
	EXPECT_EQ(0, set_routes(&vm, 0));
	for (i = 0; i < MAX_ROUTES; i++)
		route_msi(i, i % 4096, 0x40);
	EXPECT_EQ(0, set_routes(&vm, 4096));
	EXPECT_ERR(EINVAL, set_routes(&vm, 4097));
	routes.head.flags = 1;
	EXPECT_ERR(EINVAL, set_routes(&vm, 1));
	routes.head.flags = 0;
	route_msi(0, 4096, 0x40);
	EXPECT_ERR(EINVAL, set_routes(&vm, 1));
	route_msi(0, 1, 0x40);
	routes.e[0].flags = 2;
	EXPECT_ERR(EINVAL, set_routes(&vm, 1));
	route_msi(0, 1, 0x40);
	route_msi(1, 1, 0x41);
	EXPECT_ERR(EINVAL, set_routes(&vm, 2));
	route_pin(1, 1, KVM_IRQCHIP_IOAPIC, 1);
	EXPECT_ERR(EINVAL, set_routes(&vm, 2));
	route_pin(0, 1, KVM_IRQCHIP_PIC_MASTER, 1);
	EXPECT_EQ(0, set_routes(&vm, 2));
	route_pin(1, 1, KVM_IRQCHIP_PIC_MASTER, 2);
	EXPECT_ERR(EINVAL, set_routes(&vm, 2));
	route_pin(0, 1, KVM_IRQCHIP_IOAPIC, 24);
	EXPECT_ERR(EINVAL, set_routes(&vm, 1));
	route_pin(0, 1, 3, 0);
	EXPECT_ERR(EINVAL, set_routes(&vm, 1));
	route_pin(0, 1, KVM_IRQCHIP_IOAPIC, 1);
	routes.e[0].flags = KVM_MSI_VALID_DEVID;
	EXPECT_ERR(EINVAL, set_routes(&vm, 1));
	vm_destroy(&vm);

	vm_create(&vm, TEST_IRQCHIP_NONE);
	route_pin(0, 1, KVM_IRQCHIP_IOAPIC, 1);
	EXPECT_ERR(EINVAL, set_routes(&vm, 1));
	vm_destroy(&vm);
}

/* --- irqfd --- */

static int irqfd(struct test_vm *vm, int fd, uint32_t gsi, uint32_t flags, int resample)
{
	struct kvm_irqfd e = { .fd = fd, .gsi = gsi, .flags = flags, .resamplefd = resample };

	return ioctl(vm->fd, KVM_IRQFD, &e);
}

/* A GSI that no routing can have: the signal goes nowhere (CVE-2017-1000252). */
TEST(irqfd_of_no_gsi)
{
	static const uint32_t gsis[] = { 4095, 4096, 0x7fffffff, ~0u };
	struct { struct kvm_irq_routing r; struct kvm_irq_routing_entry e; } route = {
		.r.nr = 1, .e = { .gsi = 4095, .type = KVM_IRQ_ROUTING_MSI, .u.msi.address_lo = 0xfee00000 },
	};
	struct test_vm vm;
	uint64_t one = 1;
	unsigned int i;

	vm_create(&vm, TEST_IRQCHIP_FULL);
	vcpu_create(&vm, 0);
	for (i = 0; i < 4; i++) {
		int fd = new_eventfd();

		ASSERT_EQ(0, irqfd(&vm, fd, gsis[i], 0, 0));
		ASSERT_EQ(8, write(fd, &one, 8));
		ASSERT_EQ(0, ioctl(vm.fd, KVM_SET_GSI_ROUTING, &route));
		ASSERT_EQ(8, write(fd, &one, 8));
		ASSERT_EQ(0, irqfd(&vm, fd, gsis[i], KVM_IRQFD_FLAG_DEASSIGN, 0));
		close(fd);
	}
	vm_destroy(&vm);
}

TEST(irqfd_errors)
{
	int fd = new_eventfd(), fd2 = new_eventfd();
	struct test_vm vm;

	vm_create(&vm, TEST_IRQCHIP_NONE);
	EXPECT_ERR(EINVAL, irqfd(&vm, fd, 5, 0, 0));
	vm_destroy(&vm);

	vm_create(&vm, TEST_IRQCHIP_SPLIT);
	EXPECT_EQ(0, irqfd(&vm, fd, 5, 0, 0));
	EXPECT_ERR(EINVAL, irqfd(&vm, fd2, 5, KVM_IRQFD_FLAG_RESAMPLE, fd));
	vm_destroy(&vm);

	vm_create(&vm, TEST_IRQCHIP_FULL);
	EXPECT_ERR(EINVAL, irqfd(&vm, fd, 5, 1u << 31, 0));
	EXPECT_ERR(EBADF, irqfd(&vm, 999, 5, 0, 0));
	EXPECT_ERR(EINVAL, irqfd(&vm, vm.fd, 5, 0, 0));
	EXPECT_ERR(EBADF, irqfd(&vm, fd, 5, KVM_IRQFD_FLAG_RESAMPLE, 999));
	EXPECT_EQ(0, irqfd(&vm, fd, 5, 0, 0));
	EXPECT_ERR(EBUSY, irqfd(&vm, fd, 5, 0, 0));
	EXPECT_ERR(EBUSY, irqfd(&vm, fd, 6, 0, 0));
	EXPECT_EQ(0, irqfd(&vm, fd2, 5, 0, 0));
	EXPECT_EQ(0, irqfd(&vm, fd, 6, KVM_IRQFD_FLAG_DEASSIGN, 0));
	EXPECT_ERR(EBUSY, irqfd(&vm, fd, 5, 0, 0));
	EXPECT_EQ(0, irqfd(&vm, fd, 5, KVM_IRQFD_FLAG_DEASSIGN, 0));
	EXPECT_EQ(0, irqfd(&vm, fd, 5, KVM_IRQFD_FLAG_DEASSIGN, 0));
	EXPECT_EQ(0, irqfd(&vm, fd, 5, 0, 0));
	EXPECT_ERR(EBADF, irqfd(&vm, 999, 5, KVM_IRQFD_FLAG_DEASSIGN, 0));
	vm_destroy(&vm);
	close(fd);
	close(fd2);
}

static volatile uint64_t hits;

static void on_irq(struct guest_frame *f)
{
	hits++;
	*(volatile uint32_t *)0xfee000b0ull = 0;
}

static void enable_apic(void)
{
	*(volatile uint32_t *)0xfee000f0ull = 0x1ff;
}

/* Interrupts are only taken inside, so none is lost between a look and the halt. */
static void report_irqs(void)
{
	for (;;) {
		guest_sti_hlt();
		guest_cli();
		guest_sync(hits);
	}
}

static void guest_wait_irqs(void)
{
	enable_apic();
	guest_sync(0);
	report_irqs();
}

FIXTURE(msi)
{
	struct test_vm vm;
	struct test_vcpu *vcpu;
	int fd;
};

FIXTURE_SETUP(msi)
{
	hits = 0;
	memset(&routes, 0, sizeof(routes));
	guest_handlers[0x40] = on_irq;
	guest_handlers[0x41] = on_irq;
	self->fd = new_eventfd();
	vm_create(&self->vm, TEST_IRQCHIP_FULL);
	self->vcpu = vcpu_create(&self->vm, 0);
	route_msi(0, 100, 0x40);
	ASSERT_EQ(0, set_routes(&self->vm, 1));
	vcpu_start(self->vcpu, guest_wait_irqs);
	vcpu_expect(self->vcpu, MSG_SYNC);
}

FIXTURE_TEARDOWN(msi)
{
	vm_destroy(&self->vm);
	close(self->fd);
}

TEST_F(msi, delivers)
{
	uint64_t i;

	ASSERT_EQ(0, irqfd(&self->vm, self->fd, 100, 0, 0));
	for (i = 1; i < 20; i++) {
		eventfd_write(self->fd, 1);
		EXPECT_EQ(i, vcpu_expect(self->vcpu, MSG_SYNC));
		EXPECT_EQ(0, drain(self->fd));
	}
}

/* A broadcast, to few vCPUs and to many: those whose APIC is on take it. */
TEST_F(msi, broadcast)
{
	int i, fd;

	routes.e[0].u.msi.address_lo |= 0xff << 12;
	ASSERT_EQ(0, set_routes(&self->vm, 1));
	ASSERT_EQ(0, irqfd(&self->vm, self->fd, 100, 0, 0));
	eventfd_write(self->fd, 1);
	EXPECT_EQ(1, vcpu_expect(self->vcpu, MSG_SYNC));
	for (i = 1; i < 20; i++) {
		fd = ioctl(self->vm.fd, KVM_CREATE_VCPU, i);
		ASSERT_LE(0, fd);
		close(fd);
	}
	eventfd_write(self->fd, 1);
	EXPECT_EQ(2, vcpu_expect(self->vcpu, MSG_SYNC));
	/* And to one of many. */
	route_msi(0, 100, 0x41);
	ASSERT_EQ(0, set_routes(&self->vm, 1));
	eventfd_write(self->fd, 1);
	EXPECT_EQ(3, vcpu_expect(self->vcpu, MSG_SYNC));
}

TEST_F(msi, signalled_before_assign)
{
	eventfd_write(self->fd, 1);
	ASSERT_EQ(0, irqfd(&self->vm, self->fd, 100, 0, 0));
	EXPECT_EQ(1, vcpu_expect(self->vcpu, MSG_SYNC));
}

/* The irqfd follows the routing: to another vector, to nowhere, and back. */
TEST_F(msi, follows_routing)
{
	ASSERT_EQ(0, irqfd(&self->vm, self->fd, 100, 0, 0));
	route_msi(0, 100, 0x41);
	ASSERT_EQ(0, set_routes(&self->vm, 1));
	eventfd_write(self->fd, 1);
	EXPECT_EQ(1, vcpu_expect(self->vcpu, MSG_SYNC));
	ASSERT_EQ(0, set_routes(&self->vm, 0));
	eventfd_write(self->fd, 1);
	usleep(20000);
	ASSERT_EQ(0, set_routes(&self->vm, 1));
	eventfd_write(self->fd, 1);
	EXPECT_EQ(2, vcpu_expect(self->vcpu, MSG_SYNC));
}

/* The last close of an eventfd takes the irqfd away. */
TEST_F(msi, close_ends_it)
{
	int fd = new_eventfd();

	ASSERT_EQ(0, irqfd(&self->vm, fd, 100, 0, 0));
	close(fd);
	ASSERT_EQ(0, irqfd(&self->vm, self->fd, 100, 0, 0));
	eventfd_write(self->fd, 1);
	EXPECT_EQ(1, vcpu_expect(self->vcpu, MSG_SYNC));
}

TEST_F(msi, deassigned_is_silent)
{
	ASSERT_EQ(0, irqfd(&self->vm, self->fd, 100, 0, 0));
	ASSERT_EQ(0, irqfd(&self->vm, self->fd, 100, KVM_IRQFD_FLAG_DEASSIGN, 0));
	eventfd_write(self->fd, 1);
	EXPECT_EQ(1, drain(self->fd));
}

/* Assigning, deassigning, routing and signalling at the same time. */
static volatile int racing;

static void *signal_thread(void *arg)
{
	while (racing)
		eventfd_write(*(int *)arg, 1);
	return NULL;
}

static void *route_thread(void *arg)
{
	struct test_vm *vm = arg;
	unsigned int i = 0;

	while (racing) {
		route_msi(0, 100, 0x40 + (i & 1));
		if (i & 2)
			route_pin(0, 100, KVM_IRQCHIP_IOAPIC, 20);
		set_routes(vm, i++ % 3 ? 1 : 0);
	}
	return NULL;
}

TEST_F(msi, races)
{
	pthread_t a, b;
	int i;

	racing = 1;
	ASSERT_EQ(0, pthread_create(&a, NULL, signal_thread, &self->fd));
	ASSERT_EQ(0, pthread_create(&b, NULL, route_thread, &self->vm));
	for (i = 0; i < 200; i++) {
		EXPECT_EQ(0, irqfd(&self->vm, self->fd, 100, 0, 0));
		EXPECT_EQ(0, irqfd(&self->vm, self->fd, 100, KVM_IRQFD_FLAG_DEASSIGN, 0));
	}
	racing = 0;
	pthread_join(a, NULL);
	pthread_join(b, NULL);
}

/* A level-triggered pin: raised by the irqfd, lowered at EOI, which signals the other eventfd. */
static void ioapic_write(unsigned int reg, uint32_t val)
{
	*(volatile uint32_t *)0xfec00000ull = reg;
	*(volatile uint32_t *)0xfec00010ull = val;
}

static void guest_level(void)
{
	enable_apic();
	ioapic_write(0x10 + 2 * 20 + 1, 0);
	ioapic_write(0x10 + 2 * 20, 0x40 | 1 << 15);
	guest_sync(0);
	report_irqs();
}

TEST(irqfd_resample)
{
	int fd = new_eventfd(), resample = new_eventfd(), fd2 = new_eventfd();
	int resample2 = new_eventfd();
	struct test_vm vm;
	struct test_vcpu *vcpu;
	uint64_t i;

	hits = 0;
	guest_handlers[0x40] = on_irq;
	vm_create(&vm, TEST_IRQCHIP_FULL);
	vcpu = vcpu_create(&vm, 0);
	vcpu_start(vcpu, guest_level);
	vcpu_expect(vcpu, MSG_SYNC);
	ASSERT_EQ(0, irqfd(&vm, fd, 20, KVM_IRQFD_FLAG_RESAMPLE, resample));
	ASSERT_EQ(0, irqfd(&vm, fd2, 20, KVM_IRQFD_FLAG_RESAMPLE, resample2));
	for (i = 1; i < 5; i++) {
		EXPECT_EQ(0, drain(resample));
		eventfd_write(i & 1 ? fd : fd2, 1);
		EXPECT_EQ(i, vcpu_expect(vcpu, MSG_SYNC));
		EXPECT_EQ(1, drain(resample));
		EXPECT_EQ(1, drain(resample2));
	}
	ASSERT_EQ(0, irqfd(&vm, fd, 20, KVM_IRQFD_FLAG_DEASSIGN, 0));
	eventfd_write(fd2, 1);
	EXPECT_EQ(i, vcpu_expect(vcpu, MSG_SYNC));
	EXPECT_EQ(0, drain(resample));
	EXPECT_EQ(1, drain(resample2));
	vm_destroy(&vm);
	close(fd);
	close(fd2);
	close(resample);
	close(resample2);
}

/* When the VM fd goes, its irqfds are let go, even if a vCPU fd keeps the VM; ioeventfds stay. */
TEST(vm_fd_releases_irqfds)
{
	int fd = new_eventfd(), kick = new_eventfd();
	struct test_vm vm;
	struct test_vcpu *vcpu;

	vm_create(&vm, TEST_IRQCHIP_FULL);
	vcpu = vcpu_create(&vm, 0);
	ASSERT_EQ(0, irqfd(&vm, fd, 5, 0, 0));
	ASSERT_EQ(0, ioeventfd(&vm, kick, PORT, 4, KVM_IOEVENTFD_FLAG_PIO, 0));
	vcpu_start(vcpu, guest_ports);
	close(vm.fd);
	eventfd_write(fd, 1);
	EXPECT_EQ(1, drain(fd));
	EXPECT_EQ(1, vcpu_expect(vcpu, MSG_SYNC));
	EXPECT_EQ(1, drain(kick));
	vm.fd = -1;
	close(vcpu->fd);
	close(vm.kvm);
	close(fd);
	close(kick);
}

TEST_HARNESS_MAIN
