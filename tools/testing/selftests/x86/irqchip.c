// SPDX-License-Identifier: GPL-2.0-only
/* In-kernel interrupt controllers: creation rules, delivery by every way, timers, IPIs, split EOI exits. */
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include "kselftest_harness.h"
#include "testvm.h"

#define LAPIC(reg)	(*(volatile uint32_t *)(0xfee00000ull + (reg)))
#define IOAPIC_SEL	(*(volatile uint32_t *)0xfec00000ull)
#define IOAPIC_WIN	(*(volatile uint32_t *)0xfec00010ull)

static volatile uint64_t count[256];
static volatile uint64_t stop;

static void eoi_handler(struct guest_frame *f)
{
	count[f->vector]++;
	LAPIC(0xb0) = 0;
}

static void plain_handler(struct guest_frame *f)
{
	count[f->vector]++;
}

static void pic_handler(struct guest_frame *f)
{
	count[f->vector]++;
	guest_outb(0x20, 0x20);
}

static void ioapic_write(unsigned int reg, uint32_t val)
{
	IOAPIC_SEL = reg;
	IOAPIC_WIN = val;
}

static uint32_t ioapic_read(unsigned int reg)
{
	IOAPIC_SEL = reg;
	return IOAPIC_WIN;
}

/* Time for what is pending to be taken. */
static void settle(void)
{
	int i;

	for (i = 0; i < 1000; i++)
		guest_pause();
}

static void reset_counts(void)
{
	memset((void *)count, 0, sizeof(count));
	memset(guest_handlers, 0, sizeof(guest_handlers));
	stop = 0;
}

static int irq_line(struct test_vm *vm, uint32_t gsi, uint32_t level)
{
	struct kvm_irq_level l = { .irq = gsi, .level = level };

	return ioctl(vm->fd, KVM_IRQ_LINE, &l);
}

FIXTURE(irqchip)
{
	struct test_vm vm;
	struct test_vcpu *vcpu;
};

FIXTURE_SETUP(irqchip)
{
	reset_counts();
	vm_create(&self->vm, TEST_IRQCHIP_FULL);
	self->vcpu = vcpu_create(&self->vm, 0);
}

FIXTURE_TEARDOWN(irqchip)
{
	vm_destroy(&self->vm);
}

TEST(creation_rules)
{
	struct kvm_enable_cap split = { .cap = KVM_CAP_SPLIT_IRQCHIP, .args = { 24 } };
	struct kvm_pit_config pit = {};
	struct test_vm vm;

	vm_create(&vm, TEST_IRQCHIP_NONE);
	EXPECT_EQ(0, ioctl(vm.fd, KVM_CREATE_IRQCHIP, 0));
	EXPECT_EQ(-1, ioctl(vm.fd, KVM_CREATE_IRQCHIP, 0));
	EXPECT_EQ(EEXIST, errno);
	EXPECT_EQ(0, ioctl(vm.fd, KVM_CREATE_PIT2, &pit));
	EXPECT_EQ(-1, ioctl(vm.fd, KVM_CREATE_PIT2, &pit));
	EXPECT_EQ(EEXIST, errno);
	EXPECT_EQ(-1, ioctl(vm.fd, KVM_ENABLE_CAP, &split));
	EXPECT_EQ(EEXIST, errno);
	vm_destroy(&vm);

	/* Before 6.2 KVM made a PIT that nothing could be connected to. */
	vm_create(&vm, TEST_IRQCHIP_NONE);
	if (ioctl(vm.fd, KVM_CREATE_PIT2, &pit))
		EXPECT_EQ(ENOENT, errno);
	vm_destroy(&vm);

	vm_create(&vm, TEST_IRQCHIP_NONE);
	vcpu_create(&vm, 0);
	EXPECT_EQ(-1, ioctl(vm.fd, KVM_CREATE_IRQCHIP, 0));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, irq_line(&vm, 0, 1));
	EXPECT_EQ(ENXIO, errno);
	vm_destroy(&vm);

	vm_create(&vm, TEST_IRQCHIP_NONE);
	split.args[0] = 4097;
	EXPECT_EQ(-1, ioctl(vm.fd, KVM_ENABLE_CAP, &split));
	EXPECT_EQ(EINVAL, errno);
	vm_destroy(&vm);
}

static volatile uint8_t icw1;

static void guest_pic(void)
{
	guest_handlers[0x21] = pic_handler;
	/* ICW1-4: cascade, vectors 0x20 and 0x28; all masked but line 1. */
	guest_outb(0x20, 0x11);
	guest_outb(0x21, 0x20);
	guest_outb(0x21, 4);
	guest_outb(0x21, 1);
	guest_outb(0xa0, 0x11);
	guest_outb(0xa1, 0x28);
	guest_outb(0xa1, 2);
	guest_outb(0xa1, 1);
	guest_outb(0xa1, 0xff);
	guest_outb(0x21, 0xfd);
	LAPIC(0xf0) = 0x1ff;
	LAPIC(0x350) = 0x700;		/* LVT0: ExtINT */
	guest_sti();
	guest_sync(1);
	while (count[0x21] < 1)
		guest_pause();
	guest_sync(2);
	while (count[0x21] < 2)
		guest_hlt();
	guest_cli();
	guest_done();
}

TEST_F(irqchip, pic_through_lint0)
{
	vcpu_start(self->vcpu, guest_pic);
	vcpu_expect(self->vcpu, MSG_SYNC);
	EXPECT_EQ(0, irq_line(&self->vm, 1, 1));
	EXPECT_EQ(0, irq_line(&self->vm, 1, 0));
	vcpu_expect(self->vcpu, MSG_SYNC);
	EXPECT_EQ(0, irq_line(&self->vm, 1, 1));
	EXPECT_EQ(0, irq_line(&self->vm, 1, 0));
	vcpu_expect(self->vcpu, MSG_DONE);
	EXPECT_EQ(2, count[0x21]);
}

static void guest_pic_again(void)
{
	guest_outb(0x4d0, 0x20);		/* line 5: level */
	for (;;) {
		guest_outb(0x20, icw1);
		guest_outb(0x21, 0x20);
		guest_outb(0x21, 4);
		if (icw1 & 1)
			guest_outb(0x21, 1);
		guest_outb(0x21, 0xff);
		guest_sync(1);
	}
}

/* What the master has of lines 1 and 5: their requests, and above those the levels it has seen. */
static unsigned int pic_lines(struct test_vm *vm)
{
	struct kvm_irqchip chip = { .chip_id = KVM_IRQCHIP_PIC_MASTER };

	if (ioctl(vm->fd, KVM_GET_IRQCHIP, &chip))
		return ~0;
	return (chip.chip.pic.irr & 0x22) | (chip.chip.pic.last_irr & 0x22) << 8;
}

/* ICW1 resets the edge sense: the request of an edge is dropped, and a line that is up may rise again. */
TEST_F(irqchip, pic_initialised_with_lines_up)
{
	static const uint8_t with_and_without_icw4[] = { 0x11, 0x10 };
	unsigned int i;

	for (i = 0; i < 2; i++) {
		icw1 = with_and_without_icw4[i];
		vcpu_start(self->vcpu, guest_pic_again);
		vcpu_expect(self->vcpu, MSG_SYNC);
		EXPECT_EQ(0, pic_lines(&self->vm));
		EXPECT_EQ(0, irq_line(&self->vm, 1, 1));
		EXPECT_EQ(0, irq_line(&self->vm, 5, 1));
		EXPECT_EQ(0x2222, pic_lines(&self->vm));
		vcpu_expect(self->vcpu, MSG_SYNC);
		EXPECT_EQ(0x0020, pic_lines(&self->vm));
		EXPECT_EQ(0, irq_line(&self->vm, 1, 1));
		EXPECT_EQ(0x0222, pic_lines(&self->vm));
		EXPECT_EQ(0, irq_line(&self->vm, 5, 1));
		EXPECT_EQ(0x2222, pic_lines(&self->vm));
		EXPECT_EQ(0, irq_line(&self->vm, 1, 0));
		EXPECT_EQ(0, irq_line(&self->vm, 5, 0));
		EXPECT_EQ(0x0002, pic_lines(&self->vm));
		vcpu_expect(self->vcpu, MSG_SYNC);
		EXPECT_EQ(0, pic_lines(&self->vm));
	}
}

static void guest_ioapic(void)
{
	guest_handlers[0x30] = eoi_handler;
	guest_handlers[0x31] = eoi_handler;
	LAPIC(0xf0) = 0x1ff;
	guest_outb(0x21, 0xff);			/* the default routes lead to the PIC too */
	guest_outb(0xa1, 0xff);
	guest_assert((ioapic_read(1) >> 16 & 0xff) == 23);
	ioapic_write(0x10 + 2 * 5, 0x30);		/* pin 5: edge */
	ioapic_write(0x11 + 2 * 5, 0);
	ioapic_write(0x10 + 2 * 10, 0x31 | 1 << 15);	/* pin 10: level */
	ioapic_write(0x11 + 2 * 10, 0);
	guest_sti();
	guest_sync(1);
	while (!count[0x30])
		guest_pause();
	guest_sync(2);
	while (count[0x31] < 3)
		guest_pause();
	guest_cli();
	guest_sync(3);
	guest_assert(count[0x30] == 1);
	guest_done();
}

TEST_F(irqchip, ioapic_edge_and_level)
{
	vcpu_start(self->vcpu, guest_ioapic);
	vcpu_expect(self->vcpu, MSG_SYNC);
	irq_line(&self->vm, 5, 1);
	vcpu_expect(self->vcpu, MSG_SYNC);
	/* A level that stays up is delivered again after each EOI. */
	irq_line(&self->vm, 10, 1);
	vcpu_expect(self->vcpu, MSG_SYNC);
	irq_line(&self->vm, 10, 0);
	irq_line(&self->vm, 5, 0);
	vcpu_expect(self->vcpu, MSG_DONE);
}

static void guest_timer(void)
{
	guest_handlers[0x40] = eoi_handler;
	LAPIC(0xf0) = 0x1ff;
	LAPIC(0x3e0) = 0xb;			/* divide by 1 */
	LAPIC(0x320) = 0x40;			/* one-shot */
	LAPIC(0x380) = 100000;
	guest_assert(LAPIC(0x390) <= 100000);
	while (!count[0x40])
		guest_sti_hlt();
	guest_cli();
	guest_assert(LAPIC(0x390) == 0);
	count[0x40] = 0;
	LAPIC(0x320) = 0x40 | 1 << 17;		/* periodic */
	LAPIC(0x380) = 300000;
	while (count[0x40] < 5)
		guest_sti_hlt();
	LAPIC(0x380) = 0;
	guest_cli();
	guest_sync(1);
	count[0x40] = 0;
	LAPIC(0x320) = 0x40 | 2 << 17;		/* TSC deadline */
	guest_wrmsr(0x6e0, guest_rdtsc() + 100000000);
	guest_assert(guest_rdmsr(0x6e0) != 0);
	while (!count[0x40])
		guest_sti_hlt();
	guest_cli();
	guest_assert(guest_rdmsr(0x6e0) == 0);
	/* A deadline in the past fires at once. */
	guest_wrmsr(0x6e0, 1);
	while (count[0x40] < 2)
		guest_sti_hlt();
	guest_done();
}

TEST_F(irqchip, lapic_timer_modes)
{
	struct kvm_cpuid2 *c = supported_cpuid(self->vm.kvm);
	unsigned int i;

	for (i = 0; i < c->nent; i++)
		if (c->entries[i].function == 1)
			c->entries[i].ecx |= 1 << 24;	/* TSC deadline: by the capability */
	ASSERT_EQ(1, kvm_cap(self->vm.kvm, KVM_CAP_TSC_DEADLINE_TIMER));
	ASSERT_EQ(0, ioctl(self->vcpu->fd, KVM_SET_CPUID2, c));
	vcpu_start(self->vcpu, guest_timer);
	vcpu_expect(self->vcpu, MSG_SYNC);
	vcpu_expect(self->vcpu, MSG_DONE);
}

static void guest_tiny_period(void)
{
	uint64_t t;

	guest_handlers[0x40] = eoi_handler;
	LAPIC(0xf0) = 0x1ff;
	LAPIC(0x3e0) = 0xb;
	LAPIC(0x320) = 0x40 | 1 << 17;
	LAPIC(0x380) = 1;			/* 1 ns */
	t = guest_rdtsc();
	guest_sti();
	/* Longer if all of that time went by while somebody else had the CPU. */
	while (guest_rdtsc() - t < 20000000 ||
	       (!count[0x40] && guest_rdtsc() - t < 20000000000))
		guest_pause();
	guest_cli();
	guest_sync(guest_rdtsc() - t);
}

/* A period of 1 ns costs the host no storm: the interrupts come no faster than the clamp of 200 us. */
TEST_F(irqchip, tiny_timer_period)
{
	int khz = ioctl(self->vcpu->fd, KVM_GET_TSC_KHZ, 0);
	uint64_t ticks;

	ASSERT_GT(khz, 0);
	vcpu_start(self->vcpu, guest_tiny_period);
	ticks = vcpu_expect(self->vcpu, MSG_SYNC);
	EXPECT_GT(count[0x40], 0);
	EXPECT_LE(count[0x40], ticks * 1000000 / khz / 200000 * 2 + 20);
}

static void guest_self_ipi(void)
{
	guest_handlers[0x50] = eoi_handler;
	guest_handlers[0x51] = eoi_handler;
	LAPIC(0xf0) = 0x1ff;
	LAPIC(0x310) = 0;
	LAPIC(0x300) = 0x50;			/* physical, to id 0 */
	LAPIC(0x300) = 0x51 | 1 << 18;		/* self */
	guest_assert(count[0x50] == 0);
	guest_sti();
	settle();
	guest_cli();
	guest_assert(count[0x50] == 1 && count[0x51] == 1);
	/* The TPR holds back its class and those below. */
	LAPIC(0x80) = 0x50;
	LAPIC(0x300) = 0x51 | 1 << 18;
	guest_sti();
	settle();
	guest_assert(count[0x51] == 1);
	__asm__ volatile("mov %0, %%cr8" : : "r" (4ull));
	settle();
	guest_cli();
	guest_assert(count[0x51] == 2);
	guest_assert(LAPIC(0x80) == 0x40);
	guest_done();
}

TEST_F(irqchip, self_ipi_and_tpr)
{
	vcpu_start(self->vcpu, guest_self_ipi);
	vcpu_expect(self->vcpu, MSG_DONE);
}

static void guest_smi(void)
{
	LAPIC(0xf0) = 0x1ff;
	LAPIC(0x300) = 2 << 8 | 1 << 18;		/* to itself */
	settle();
	guest_sync(1);
	guest_sync(2);
	guest_done();
}

/* Where there is no SMM an SMI is lost, and with it nothing else: the vCPU runs on. */
TEST_F(irqchip, smi_without_smm)
{
	struct kvm_msi msi = { .address_lo = 0xfee00000, .data = 2 << 8 };

	if (ioctl(self->vm.fd, KVM_CHECK_EXTENSION, KVM_CAP_X86_SMM))
		SKIP(return, "this KVM has SMM");
	vcpu_start(self->vcpu, guest_smi);
	vcpu_expect(self->vcpu, MSG_SYNC);
	EXPECT_EQ(ioctl(self->vm.fd, KVM_SIGNAL_MSI, &msi), 0);
	vcpu_expect(self->vcpu, MSG_SYNC);
	vcpu_expect(self->vcpu, MSG_DONE);
}

static void guest_held(void)
{
	guest_handlers[0x60] = eoi_handler;
	guest_handlers[2] = plain_handler;
	LAPIC(0xf0) = 0x1ff;
	guest_sti();
	for (;;)
		guest_sync(count[0x60] << 8 | count[2]);
}

/* KVM_GUESTDBG_BLOCKIRQ: no interrupt and no NMI while a debugger holds them back, and the guest goes on. */
TEST_F(irqchip, held_back_by_a_debugger)
{
	struct kvm_guest_debug dbg = { .control = KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_BLOCKIRQ };
	struct kvm_msi msi = { .address_lo = 0xfee00000, .data = 0x60 };
	struct test_vcpu *v = self->vcpu;

	if (!(kvm_cap(self->vm.kvm, KVM_CAP_SET_GUEST_DEBUG2) & KVM_GUESTDBG_BLOCKIRQ))
		SKIP(return, "not offered");
	vcpu_start(v, guest_held);
	EXPECT_EQ(0, vcpu_expect(v, MSG_SYNC));
	ASSERT_EQ(0, ioctl(v->fd, KVM_SET_GUEST_DEBUG, &dbg));
	ASSERT_EQ(1, ioctl(self->vm.fd, KVM_SIGNAL_MSI, &msi));
	ASSERT_EQ(0, ioctl(v->fd, KVM_NMI, 0));
	EXPECT_EQ(0, vcpu_expect(v, MSG_SYNC));
	EXPECT_EQ(0, vcpu_expect(v, MSG_SYNC));
	dbg.control = 0;
	ASSERT_EQ(0, ioctl(v->fd, KVM_SET_GUEST_DEBUG, &dbg));
	vcpu_expect(v, MSG_SYNC);
	EXPECT_EQ(0x101, vcpu_expect(v, MSG_SYNC));
}

static void guest_msi(void)
{
	guest_handlers[0x60] = eoi_handler;
	LAPIC(0xf0) = 0x1ff;
	guest_sti();
	guest_sync(1);
	while (!count[0x60])
		guest_hlt();
	guest_sync(2);
	while (count[0x60] < 2)
		guest_hlt();
	guest_cli();
	guest_done();
}

TEST_F(irqchip, msi_and_irqfd)
{
	struct kvm_msi msi = { .address_lo = 0xfee00000, .data = 0x60 };
	struct { struct kvm_irq_routing r; struct kvm_irq_routing_entry e; } route = {
		.r.nr = 1, .e = { .gsi = 40, .type = KVM_IRQ_ROUTING_MSI,
				  .u.msi = { .address_lo = 0xfee00000, .data = 0x60 } },
	};
	int efd = eventfd(0, EFD_CLOEXEC);
	struct kvm_irqfd fd = { .fd = efd, .gsi = 40 };
	uint64_t one = 1;

	vcpu_start(self->vcpu, guest_msi);
	vcpu_expect(self->vcpu, MSG_SYNC);
	EXPECT_GT(ioctl(self->vm.fd, KVM_SIGNAL_MSI, &msi), 0);
	vcpu_expect(self->vcpu, MSG_SYNC);
	ASSERT_EQ(0, ioctl(self->vm.fd, KVM_SET_GSI_ROUTING, &route));
	ASSERT_EQ(0, ioctl(self->vm.fd, KVM_IRQFD, &fd));
	EXPECT_EQ(-1, ioctl(self->vm.fd, KVM_IRQFD, &fd));
	EXPECT_EQ(EBUSY, errno);
	ASSERT_EQ(8, write(efd, &one, 8));
	vcpu_expect(self->vcpu, MSG_DONE);
	fd.flags = KVM_IRQFD_FLAG_DEASSIGN;
	EXPECT_EQ(0, ioctl(self->vm.fd, KVM_IRQFD, &fd));
	EXPECT_EQ(0, ioctl(self->vm.fd, KVM_IRQFD, &fd));
	fd.flags = 0;
	fd.fd = -1;
	EXPECT_EQ(-1, ioctl(self->vm.fd, KVM_IRQFD, &fd));
	EXPECT_EQ(EBADF, errno);
	close(efd);
}

TEST_F(irqchip, routing_errors)
{
	struct { struct kvm_irq_routing r; struct kvm_irq_routing_entry e[2]; } t = {};

	t.r.nr = 0;
	EXPECT_EQ(0, ioctl(self->vm.fd, KVM_SET_GSI_ROUTING, &t));
	t.r.nr = 1;
	t.e[0].type = 99;
	EXPECT_EQ(-1, ioctl(self->vm.fd, KVM_SET_GSI_ROUTING, &t));
	EXPECT_EQ(EINVAL, errno);
	t.e[0].type = KVM_IRQ_ROUTING_IRQCHIP;
	t.e[0].u.irqchip.irqchip = KVM_IRQCHIP_IOAPIC;
	t.e[0].u.irqchip.pin = 24;
	EXPECT_EQ(-1, ioctl(self->vm.fd, KVM_SET_GSI_ROUTING, &t));
	EXPECT_EQ(EINVAL, errno);
	t.e[0].u.irqchip.pin = 3;
	t.e[0].gsi = 4096;
	EXPECT_EQ(-1, ioctl(self->vm.fd, KVM_SET_GSI_ROUTING, &t));
	EXPECT_EQ(EINVAL, errno);
	t.e[0].gsi = 3;
	t.r.flags = 1;
	EXPECT_EQ(-1, ioctl(self->vm.fd, KVM_SET_GSI_ROUTING, &t));
	EXPECT_EQ(EINVAL, errno);
	t.r.flags = 0;
	EXPECT_EQ(0, ioctl(self->vm.fd, KVM_SET_GSI_ROUTING, &t));
}

/* ---- two vCPUs ---- */

static volatile uint64_t ap_up, ap_id;

static void guest_ap(void)
{
	ap_id = LAPIC(0x20) >> 24;
	LAPIC(0xf0) = 0x1ff;
	ap_up = 1;
	for (;;)
		guest_sti_hlt();
}

static void guest_bsp(void)
{
	guest_handlers[0x70] = eoi_handler;
	LAPIC(0xf0) = 0x1ff;
	while (!ap_up)
		guest_pause();
	guest_assert(ap_id == 1);
	LAPIC(0x310) = 1u << 24;
	LAPIC(0x300) = 0x70;
	while (!count[0x70])
		guest_pause();
	guest_done();
}

static void *run_until_stop(void *p)
{
	struct test_vcpu *v = p;

	while (!stop)
		ioctl(v->fd, KVM_RUN, 0);
	return NULL;
}

static void ignore(int sig)
{
}

static void join(pthread_t t, struct test_vcpu *v)
{
	stop = 1;
	v->run->immediate_exit = 1;
	pthread_kill(t, SIGUSR1);
	pthread_join(t, NULL);
}

TEST_F(irqchip, ipi_to_halted_vcpu)
{
	struct test_vcpu *ap = vcpu_create(&self->vm, 1);
	struct kvm_mp_state mp;
	pthread_t t;

	signal(SIGUSR1, ignore);
	ap_up = 0;
	ASSERT_EQ(0, ioctl(ap->fd, KVM_GET_MP_STATE, &mp));
	EXPECT_EQ(KVM_MP_STATE_UNINITIALIZED, mp.mp_state);
	mp.mp_state = KVM_MP_STATE_RUNNABLE;
	ASSERT_EQ(0, ioctl(ap->fd, KVM_SET_MP_STATE, &mp));
	vcpu_start(ap, guest_ap);
	vcpu_start(self->vcpu, guest_bsp);
	pthread_create(&t, NULL, run_until_stop, ap);
	vcpu_expect(self->vcpu, MSG_DONE);
	join(t, ap);
	EXPECT_EQ(1, count[0x70]);
}

static uint8_t ap_code[] = { 0xb8, 0x34, 0x12, 0xa3, 0x00, 0x20, 0xf4 };	/* mov ax,0x1234; mov [0x2000],ax; hlt */

static void guest_startup_ap(void)
{
	LAPIC(0xf0) = 0x1ff;
	LAPIC(0x310) = 1u << 24;
	LAPIC(0x300) = 0x4500;			/* INIT */
	LAPIC(0x310) = 1u << 24;
	LAPIC(0x300) = 0x4600 | 0x08;		/* SIPI at 0x8000 */
	while (*(volatile uint16_t *)0xb8002000ull != 0x1234)
		guest_pause();
	guest_done();
}

TEST_F(irqchip, init_sipi)
{
	struct test_vcpu *ap = vcpu_create(&self->vm, 1);
	uint8_t *low = vm_add_memory(&self->vm, SLOT_FREE, 0, 0x10000, 0);
	struct kvm_userspace_memory_region alias = {
		.slot = SLOT_FREE + 1, .guest_phys_addr = 0xb8000000ull, .memory_size = 0x10000,
		.userspace_addr = (uintptr_t)low,
	};
	pthread_t t;

	signal(SIGUSR1, ignore);
	ASSERT_EQ(0, ioctl(self->vm.fd, KVM_SET_USER_MEMORY_REGION, &alias));
	memcpy(low + 0x8000, ap_code, sizeof(ap_code));
	vcpu_start(self->vcpu, guest_startup_ap);
	pthread_create(&t, NULL, run_until_stop, ap);
	vcpu_expect(self->vcpu, MSG_DONE);
	join(t, ap);
}

/* ---- split ---- */

static void guest_level_msi(void)
{
	guest_handlers[0x62] = eoi_handler;
	LAPIC(0xf0) = 0x1ff;
	guest_sti();
	guest_sync(1);
	while (!count[0x62])
		guest_pause();
	guest_done();
}

TEST(split_eoi_exit)
{
	struct { struct kvm_irq_routing r; struct kvm_irq_routing_entry e; } route = {
		.r.nr = 1, .e = { .gsi = 5, .type = KVM_IRQ_ROUTING_MSI,
				  .u.msi = { .address_lo = 0xfee00000, .data = 0x8062 } },
	};
	struct kvm_msi msi = { .address_lo = 0xfee00000, .data = 0xc062 };
	struct test_vcpu *v;
	struct test_vm vm;

	reset_counts();
	vm_create(&vm, TEST_IRQCHIP_SPLIT);
	v = vcpu_create(&vm, 0);
	ASSERT_EQ(0, ioctl(vm.fd, KVM_SET_GSI_ROUTING, &route));
	vcpu_start(v, guest_level_msi);
	vcpu_expect(v, MSG_SYNC);
	EXPECT_GT(ioctl(vm.fd, KVM_SIGNAL_MSI, &msi), 0);
	ASSERT_EQ(MSG_NONE, vcpu_run(v, NULL));
	EXPECT_EQ(KVM_EXIT_IOAPIC_EOI, v->run->exit_reason);
	EXPECT_EQ(0x62, v->run->eoi.vector);
	vcpu_expect(v, MSG_DONE);
	vm_destroy(&vm);
}

static volatile uint64_t spins;

static void guest_spins(void)
{
	LAPIC(0xf0) = 0x1ff;
	LAPIC(0x350) = 0x10000;		/* LVT0 lets nothing in */
	guest_sync(0);
	guest_sti();
	for (spins = 0; spins < 1000; spins++)
		;
	guest_done();
}

/* Userspace's interrupt has no way in: the guest goes on, and no window opens. */
TEST(split_window_behind_a_masked_lint0)
{
	struct test_vcpu *v;
	struct test_vm vm;

	reset_counts();
	vm_create(&vm, TEST_IRQCHIP_SPLIT);
	v = vcpu_create(&vm, 0);
	vcpu_start(v, guest_spins);
	vcpu_expect(v, MSG_SYNC);
	v->run->request_interrupt_window = 1;
	vcpu_expect(v, MSG_DONE);
	EXPECT_EQ(0, v->run->ready_for_interrupt_injection);
	vm_destroy(&vm);
}

TEST_HARNESS_MAIN
