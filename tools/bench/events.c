// SPDX-License-Identifier: GPL-2.0-only
/* eventfds in and out, interrupts from userspace, between vCPUs and from the timer. */
#include <pthread.h>
#include <sys/eventfd.h>
#include "bench.h"

#define GSI		25
#define ACK		(GPA_MMIO + 0x100)
#define MSI_ADDR	0xfee00000u

static void signal_fd(int fd)
{
	uint64_t one = 1;

	if (write(fd, &one, sizeof(one)) != sizeof(one))
		bench_fail("write of an eventfd");
}

static void wait_fd(int fd)
{
	uint64_t val;

	if (read(fd, &val, sizeof(val)) != sizeof(val))
		bench_fail("read of an eventfd");
}

static int ioeventfd(struct test_vm *vm, uint64_t addr, uint32_t len, uint32_t flags)
{
	struct kvm_ioeventfd io = { .addr = addr, .len = len, .flags = flags };

	io.fd = eventfd(0, EFD_CLOEXEC);
	must(ioctl(vm->fd, KVM_IOEVENTFD, &io));
	return io.fd;
}

static void msi_route(struct test_vm *vm)
{
	struct {
		struct kvm_irq_routing r;
		struct kvm_irq_routing_entry e;
	} b = {
		.r.nr = 1,
		.e = { .gsi = GSI, .type = KVM_IRQ_ROUTING_MSI,
		       .u.msi = { .address_lo = MSI_ADDR, .data = VEC } },
	};

	must(ioctl(vm->fd, KVM_SET_GSI_ROUTING, &b));
}

static int irqfd(struct test_vm *vm)
{
	struct kvm_irqfd i = { .gsi = GSI };

	i.fd = eventfd(0, EFD_CLOEXEC);
	must(ioctl(vm->fd, KVM_IRQFD, &i));
	return i.fd;
}

/* ---- guest to host: ioeventfd ---- */

GUEST_LOOP(signal_mmio, mmio_write(GPA_MMIO, 1))
GUEST_LOOP(signal_pio, guest_outb(0x80, 1))

static void signalled(const struct path *p, uint64_t addr, uint32_t len, uint32_t flags)
{
	struct test_vm vm;
	struct test_vcpu *v;
	int fd;

	vm_create(&vm, TEST_IRQCHIP_FULL);
	v = vcpu_create(&vm, 0);
	fd = ioeventfd(&vm, addr, len, flags);
	vcpu_start(v, p->guest);
	vcpu_expect(v, MSG_DONE);
	bench_report(p, bench_n);
	close(fd);
	vm_destroy(&vm);
}

static void ioeventfd_mmio(const struct path *p)
{
	signalled(p, GPA_MMIO, 4, 0);
}

static void ioeventfd_any_length(const struct path *p)
{
	signalled(p, GPA_MMIO, 0, 0);
}

static void ioeventfd_pio(const struct path *p)
{
	signalled(p, 0x80, 1, KVM_IOEVENTFD_FLAG_PIO);
}

/* ---- host to guest, the vCPU's own thread raises it: no sleep ---- */

/* Each interrupt leads to one exit. */
static void irq_then_out(struct guest_frame *f)
{
	mmio_write(LAPIC_EOI, 0);
	guest_outb(0x80, 0);
}

/* Without an APIC in the kernel nothing ends the interrupt. */
static void irq_nothing(struct guest_frame *f)
{
}

static void guest_spin(void)
{
	lapic_enable();
	guest_sti();
	guest_outb(0x80, 0);
	for (;;)
		guest_pause();
}

static void guest_out_loop(void)
{
	guest_sti();
	for (;;)
		guest_outb(0x80, 0);
}

static void raised(const struct path *p, void (*raise)(struct test_vm *vm, int fd), bool fd)
{
	struct test_vm vm;
	struct test_vcpu *v;
	int efd = -1;
	uint64_t i;

	guest_handlers[VEC] = irq_then_out;
	vm_create(&vm, TEST_IRQCHIP_FULL);
	v = vcpu_create(&vm, 0);
	msi_route(&vm);
	if (fd)
		efd = irqfd(&vm);
	vcpu_start(v, p->guest);
	must(ioctl(v->fd, KVM_RUN, 0));
	for (i = 0; i < bench_n + 16; i++) {
		if (i == 16)
			bench_begin();
		raise(&vm, efd);
		ioctl(v->fd, KVM_RUN, 0);
	}
	bench_end();
	bench_report(p, bench_n);
	if (fd)
		close(efd);
	vm_destroy(&vm);
}

static void raise_irqfd(struct test_vm *vm, int fd)
{
	signal_fd(fd);
}

static void raise_msi(struct test_vm *vm, int fd)
{
	struct kvm_msi msi = { .address_lo = MSI_ADDR, .data = VEC };

	must(ioctl(vm->fd, KVM_SIGNAL_MSI, &msi));
}

static void raise_line(struct test_vm *vm, int fd)
{
	struct kvm_irq_level l = { .irq = GSI, .level = 1 };

	must(ioctl(vm->fd, KVM_IRQ_LINE, &l));
}

static void irqfd_run(const struct path *p)
{
	raised(p, raise_irqfd, true);
}

static void signal_msi(const struct path *p)
{
	raised(p, raise_msi, false);
}

static void irq_line(const struct path *p)
{
	raised(p, raise_line, false);
}

/* The guest stands at an OUT with IF set: the interrupt comes behind it. */
static void user_interrupt(const struct path *p)
{
	struct kvm_interrupt irq = { .irq = VEC };
	struct test_vm vm;
	struct test_vcpu *v;
	uint64_t i;

	guest_handlers[VEC] = irq_nothing;
	vm_create(&vm, TEST_IRQCHIP_NONE);
	v = vcpu_create(&vm, 0);
	vcpu_start(v, p->guest);
	must(ioctl(v->fd, KVM_RUN, 0));
	for (i = 0; i < bench_n + 16; i++) {
		if (i == 16)
			bench_begin();
		must(ioctl(v->fd, KVM_INTERRUPT, &irq));
		ioctl(v->fd, KVM_RUN, 0);
	}
	bench_end();
	bench_report(p, bench_n);
	vm_destroy(&vm);
}

/* ---- a halted vCPU in a thread of its own ---- */

static void *run_thread(void *arg)
{
	struct test_vcpu *v = arg;

	while (ioctl(v->fd, KVM_RUN, 0) || v->run->exit_reason != KVM_EXIT_IO)
		;
	return NULL;
}

static void irq_ack(struct guest_frame *f)
{
	mmio_write(LAPIC_EOI, 0);
	mmio_write(ACK, 1);
}

static volatile uint64_t guest_left;

static void guest_halt(void)
{
	lapic_enable();
	mmio_write(ACK, 1);
	while (guest_left)
		guest_sti_hlt();
	guest_done();
}

/* Userspace signals, the halted vCPU wakes, its handler signals back. */
static void irqfd_halted(const struct path *p)
{
	struct test_vm vm;
	struct test_vcpu *v;
	pthread_t thread;
	int in, ack;
	uint64_t i;

	guest_handlers[VEC] = irq_ack;
	guest_left = 1;
	vm_create(&vm, TEST_IRQCHIP_FULL);
	v = vcpu_create(&vm, 0);
	msi_route(&vm);
	in = irqfd(&vm);
	ack = ioeventfd(&vm, ACK, 4, 0);
	vcpu_start(v, p->guest);
	pthread_create(&thread, NULL, run_thread, v);
	wait_fd(ack);
	for (i = 0; i < bench_n + 16; i++) {
		if (i == 16)
			bench_begin();
		signal_fd(in);
		wait_fd(ack);
	}
	bench_end();
	guest_left = 0;
	signal_fd(in);
	pthread_join(thread, NULL);
	bench_report(p, bench_n);
	close(in);
	close(ack);
	vm_destroy(&vm);
}

static volatile uint64_t turns;

/* vCPU 1 answers each interrupt with one to vCPU 0. */
static void irq_answer(struct guest_frame *f)
{
	mmio_write(LAPIC_EOI, 0);
	turns++;
}

static void guest_answer(void)
{
	lapic_enable();
	while (guest_left) {
		__asm__ volatile("nop");
		guest_sti_hlt();
		guest_cli();
		mmio_write(LAPIC_ICR2, 0);
		mmio_write(LAPIC_ICR, VEC);
	}
	guest_done();
}

static void ask(void)
{
	guest_cli();
	mmio_write(LAPIC_ICR2, 1u << 24);
	mmio_write(LAPIC_ICR, VEC);
	__asm__ volatile("nop");	/* see op_hlt_pending() */
	guest_sti_hlt();
}

/* Two IPIs, each to a halted vCPU: one operation. */
static void guest_ask(void)
{
	uint64_t i;

	lapic_enable();
	for (i = 0; i < bench_n + 16; i++) {
		if (i == 16)
			bench_begin();
		ask();
	}
	bench_end();
	guest_left = 0;
	mmio_write(LAPIC_ICR2, 1u << 24);
	mmio_write(LAPIC_ICR, VEC);
	guest_done();
}

static void ipi_halted(const struct path *p)
{
	struct kvm_mp_state runnable = { .mp_state = KVM_MP_STATE_RUNNABLE };
	struct test_vm vm;
	struct test_vcpu *v0, *v1;
	pthread_t thread;

	guest_handlers[VEC] = irq_answer;
	guest_left = 1;
	vm_create(&vm, TEST_IRQCHIP_FULL);
	v0 = vcpu_create(&vm, 0);
	v1 = vcpu_create(&vm, 1);
	must(ioctl(v1->fd, KVM_SET_MP_STATE, &runnable));
	vcpu_start(v1, guest_answer);
	vcpu_start(v0, p->guest);
	pthread_create(&thread, NULL, run_thread, v1);
	/* Time for vCPU 1 to halt. */
	usleep(10000);
	vcpu_expect(v0, MSG_DONE);
	pthread_join(thread, NULL);
	bench_report(p, 2 * bench_n);
	vm_destroy(&vm);
}

/* ---- the local APIC's timer ---- */

static void op_timer(void)
{
	guest_cli();
	mmio_write(LAPIC + 0x380, 20000);
	__asm__ volatile("nop");	/* see op_hlt_pending() */
	guest_sti_hlt();
}

GUEST_LOOP(timer_loop, op_timer())

static void guest_timer(void)
{
	lapic_enable();
	mmio_write(LAPIC + 0x3e0, 0xb);		/* divide by 1 */
	mmio_write(LAPIC + 0x320, VEC);		/* one shot */
	timer_loop();
}

static void timer(const struct path *p)
{
	struct test_vm vm;
	struct test_vcpu *v;

	kvm_irq_handler();
	vm_create(&vm, TEST_IRQCHIP_FULL);
	v = vcpu_create(&vm, 0);
	vcpu_start(v, p->guest);
	vcpu_expect(v, MSG_DONE);
	bench_report(p, bench_n);
	vm_destroy(&vm);
}

const struct path event_paths[] = {
	{ "ioeventfd-mmio", P_STRAIGHT, ioeventfd_mmio, signal_mmio },
	{ "ioeventfd-any-len", P_STRAIGHT, ioeventfd_any_length, signal_mmio },
	{ "ioeventfd-pio", P_STRAIGHT, ioeventfd_pio, signal_pio },
	{ "irqfd-run", P_STRAIGHT, irqfd_run, guest_spin },
	{ "signal-msi-run", P_STRAIGHT, signal_msi, guest_spin },
	{ "irq-line-run", P_STRAIGHT, irq_line, guest_spin },
	{ "kvm-interrupt-run", P_STRAIGHT, user_interrupt, guest_out_loop },
	{ "irqfd-to-halted", P_SLEEPS, irqfd_halted, guest_halt },
	{ "ipi-to-halted", P_SLEEPS, ipi_halted, guest_ask },
	{ "timer", P_SLEEPS, timer, guest_timer },
	{ }
};
