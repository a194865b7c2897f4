// SPDX-License-Identifier: GPL-2.0-only
/* KVM_GET/SET_VCPU_EVENTS with their optional parts, and the registers that kvm_run carries. */
#include <errno.h>
#include <string.h>
#include "kselftest_harness.h"
#include "testvm.h"

FIXTURE(vcpu_events)
{
	struct test_vm vm;
	struct test_vcpu *v;
};

FIXTURE_SETUP(vcpu_events)
{
	memset(guest_handlers, 0, sizeof(guest_handlers));
	vm_create(&self->vm, TEST_IRQCHIP_NONE);
	self->v = vcpu_create(&self->vm, 0);
}

FIXTURE_TEARDOWN(vcpu_events)
{
	vm_destroy(&self->vm);
}

static void guest_nothing(void)
{
	for (;;)
		guest_sync(0);
}

#define BAD_EVENTS(field, val)							\
do {										\
	struct kvm_vcpu_events t_ = e;						\
	t_.field = (val);							\
	EXPECT_ERR(EINVAL, ioctl(self->v->fd, KVM_SET_VCPU_EVENTS, &t_));	\
} while (0)

TEST_F(vcpu_events, round_trip)
{
	struct kvm_vcpu_events e, b;
	int fd = self->v->fd;

	ASSERT_EQ(0, ioctl(fd, KVM_GET_VCPU_EVENTS, &e));
	ASSERT_EQ(0, ioctl(fd, KVM_SET_VCPU_EVENTS, &e));
	e.nmi.masked = 1;
	e.nmi.pending = 1;
	e.flags = KVM_VCPUEVENT_VALID_NMI_PENDING | KVM_VCPUEVENT_VALID_SHADOW;
	e.interrupt.shadow = KVM_X86_SHADOW_INT_STI;
	ASSERT_EQ(0, ioctl(fd, KVM_SET_VCPU_EVENTS, &e));
	ASSERT_EQ(0, ioctl(fd, KVM_GET_VCPU_EVENTS, &b));
	EXPECT_EQ(1, b.nmi.masked);
	EXPECT_EQ(1, b.nmi.pending);
	/* AMD-V has one shadow for both kinds. */
	EXPECT_NE(0, b.interrupt.shadow & KVM_X86_SHADOW_INT_STI);
	/* Without the flag, pending NMI and shadow stay as they are. */
	e.nmi.pending = 0;
	e.interrupt.shadow = 0;
	e.flags = 0;
	ASSERT_EQ(0, ioctl(fd, KVM_SET_VCPU_EVENTS, &e));
	ASSERT_EQ(0, ioctl(fd, KVM_GET_VCPU_EVENTS, &b));
	EXPECT_EQ(1, b.nmi.pending);
	EXPECT_NE(0, b.interrupt.shadow);

	BAD_EVENTS(flags, 1 << 30);
	BAD_EVENTS(flags, KVM_VCPUEVENT_VALID_PAYLOAD);		/* not enabled */
	BAD_EVENTS(flags, KVM_VCPUEVENT_VALID_TRIPLE_FAULT);
	e.exception.injected = 1;
	BAD_EVENTS(exception.nr, 32);
	BAD_EVENTS(exception.nr, 2);
}

TEST_F(vcpu_events, exception_payload)
{
	struct kvm_enable_cap cap = { .cap = KVM_CAP_EXCEPTION_PAYLOAD, .args = { 1 } };
	struct kvm_vcpu_events e, b;
	struct kvm_regs r;
	int fd = self->v->fd;

	ASSERT_EQ(0, ioctl(self->vm.fd, KVM_ENABLE_CAP, &cap));
	ASSERT_EQ(0, ioctl(fd, KVM_GET_VCPU_EVENTS, &e));
	e.flags = KVM_VCPUEVENT_VALID_PAYLOAD;
	e.exception.pending = 1;
	e.exception.nr = 14;
	e.exception.has_error_code = 1;
	e.exception.error_code = 2;
	e.exception_has_payload = 1;
	e.exception_payload = 0x123456;
	ASSERT_EQ(0, ioctl(fd, KVM_SET_VCPU_EVENTS, &e));
	ASSERT_EQ(0, ioctl(fd, KVM_GET_VCPU_EVENTS, &b));
	EXPECT_EQ(1, b.exception.pending);
	EXPECT_EQ(0, b.exception.injected);
	EXPECT_EQ(14, b.exception.nr);
	EXPECT_EQ(2, b.exception.error_code);
	EXPECT_EQ(1, b.exception_has_payload);
	EXPECT_EQ(0x123456, b.exception_payload);
	EXPECT_TRUE(b.flags & KVM_VCPUEVENT_VALID_PAYLOAD);
	/* Setting the registers drops a pending exception. */
	ASSERT_EQ(0, ioctl(fd, KVM_GET_REGS, &r));
	ASSERT_EQ(0, ioctl(fd, KVM_SET_REGS, &r));
	ASSERT_EQ(0, ioctl(fd, KVM_GET_VCPU_EVENTS, &b));
	EXPECT_EQ(0, b.exception.pending);
}

/* A pending exception wins over an injected one, only it has a payload, and a vector counts only with either. */
TEST_F(vcpu_events, pending_and_injected)
{
	struct kvm_enable_cap cap = { .cap = KVM_CAP_EXCEPTION_PAYLOAD, .args = { 1 } };
	struct kvm_vcpu_events e, b;
	unsigned int flag, nr, i;
	int fd = self->v->fd;

	ASSERT_EQ(0, ioctl(self->vm.fd, KVM_ENABLE_CAP, &cap));
	ASSERT_EQ(0, ioctl(fd, KVM_GET_VCPU_EVENTS, &e));
	e.exception.has_error_code = 1;
	e.exception.error_code = 2;
	e.exception_has_payload = 1;
	e.exception_payload = 0x123456;
	for (i = 0; i < 16; i++) {
		e.exception.injected = i & 1;
		e.exception.pending = i >> 1 & 1;
		flag = i >> 2 & 1;
		nr = i & 8 ? 32 : 14;
		e.flags = flag ? KVM_VCPUEVENT_VALID_PAYLOAD : 0;
		e.exception.nr = nr;
		if (nr == 32 && (e.exception.injected || (flag && e.exception.pending))) {
			EXPECT_ERR(EINVAL, ioctl(fd, KVM_SET_VCPU_EVENTS, &e));
			continue;
		}
		ASSERT_EQ(0, ioctl(fd, KVM_SET_VCPU_EVENTS, &e)) TH_LOG("%u", i);
		ASSERT_EQ(0, ioctl(fd, KVM_GET_VCPU_EVENTS, &b));
		EXPECT_EQ(flag && e.exception.pending, b.exception.pending) TH_LOG("%u", i);
		EXPECT_EQ(e.exception.injected && !b.exception.pending, b.exception.injected)
			TH_LOG("%u", i);
		EXPECT_EQ(b.exception.pending, b.exception_has_payload) TH_LOG("%u", i);
		EXPECT_EQ(nr, b.exception.nr);
		EXPECT_EQ(1, b.exception.has_error_code);
		EXPECT_EQ(2, b.exception.error_code);
		EXPECT_EQ(0x123456, b.exception_payload);
		EXPECT_TRUE(b.flags & KVM_VCPUEVENT_VALID_PAYLOAD);
	}
}

static volatile uint64_t order[4], nr_order;

static void on_event(struct guest_frame *f)
{
	if (nr_order < 4)
		order[nr_order++] = f->vector;
	/* Exits, for a KVM that gives the interrupt only then. */
	guest_outb(0x80, 0);
}

static void guest_two_events(void)
{
	guest_handlers[6] = on_event;
	guest_handlers[0x40] = on_event;
	guest_sti();
	guest_sync(0);
	guest_sync(nr_order);
	guest_done();
}

/* An exception that came out of an interrupt's delivery comes first; the interrupt is not lost. */
TEST_F(vcpu_events, exception_before_interrupt)
{
	struct kvm_enable_cap cap = { .cap = KVM_CAP_EXCEPTION_PAYLOAD, .args = { 1 } };
	struct kvm_vcpu_events e;
	int fd = self->v->fd;
	uint64_t seen = 0;

	ASSERT_EQ(0, ioctl(self->vm.fd, KVM_ENABLE_CAP, &cap));
	nr_order = 0;
	vcpu_start(self->v, guest_two_events);
	vcpu_expect(self->v, MSG_SYNC);
	vcpu_complete(self->v);
	ASSERT_EQ(0, ioctl(fd, KVM_GET_VCPU_EVENTS, &e));
	e.flags = KVM_VCPUEVENT_VALID_PAYLOAD;
	e.exception.pending = 1;
	e.exception.nr = 6;
	e.interrupt.injected = 1;
	e.interrupt.nr = 0x40;
	ASSERT_EQ(0, ioctl(fd, KVM_SET_VCPU_EVENTS, &e));
	while (vcpu_run(self->v, &seen) == MSG_NONE)
		ASSERT_EQ(KVM_EXIT_IO, self->v->run->exit_reason);
	EXPECT_EQ(6, order[0]);
	/* Stock KVM forgets the interrupt with the entry that delivers the exception. */
	if (on_keel()) {
		EXPECT_EQ(2, seen);
		EXPECT_EQ(0x40, order[1]);
	}
}

static volatile uint64_t nmis;

static void on_nmi(struct guest_frame *f)
{
	nmis++;
}

static void guest_sti_cli(void)
{
	uint64_t i, end;

	guest_handlers[2] = on_nmi;
	guest_sync(0);
	guest_cli();
	end = guest_rdtsc() + 100000000;
	for (i = 0; i < 100000 && !nmis && guest_rdtsc() < end; i++)
		;
	guest_sync(nmis);
	guest_done();
}

/* STI holds an NMI back for one instruction, also if that is CLI. */
TEST_F(vcpu_events, nmi_between_sti_and_cli)
{
	struct kvm_vcpu_events e;
	struct kvm_regs r;
	int fd = self->v->fd;

	if (!on_keel() && host_is_intel())
		SKIP(return, "with stock KVM on VT-x this NMI does not come; why is not known");
	nmis = 0;
	vcpu_start(self->v, guest_sti_cli);
	vcpu_expect(self->v, MSG_SYNC);
	vcpu_complete(self->v);
	ASSERT_EQ(0, ioctl(fd, KVM_GET_REGS, &r));
	r.rflags |= 0x200;
	ASSERT_EQ(0, ioctl(fd, KVM_SET_REGS, &r));
	ASSERT_EQ(0, ioctl(fd, KVM_GET_VCPU_EVENTS, &e));
	e.flags = KVM_VCPUEVENT_VALID_SHADOW | KVM_VCPUEVENT_VALID_NMI_PENDING;
	e.interrupt.shadow = KVM_X86_SHADOW_INT_STI;
	e.nmi.pending = 1;
	ASSERT_EQ(0, ioctl(fd, KVM_SET_VCPU_EVENTS, &e));
	EXPECT_EQ(1, vcpu_expect(self->v, MSG_SYNC));
	vcpu_expect(self->v, MSG_DONE);
}

/* Nothing between the OUT and the load. */
static void guest_load(void)
{
	__asm__ volatile("outl %%eax, %%dx; movq (%%rbx), %%rcx"
			 : : "a" (MSG_SYNC), "d" (GUEST_PORT), "D" (0ull), "b" (GPA_MMIO) : "rcx", "memory");
	guest_done();
}

/* Which instruction is in the way, in the words of the interface: it stays so until the next one is over. */
TEST_F(vcpu_events, shadow_of_mov_ss)
{
	struct kvm_vcpu_events e;
	int fd = self->v->fd;

	if (!host_is_intel())
		SKIP(return, "AMD's CPUs keep one bit for both");
	vcpu_start(self->v, guest_load);
	vcpu_expect(self->v, MSG_SYNC);
	vcpu_complete(self->v);
	ASSERT_EQ(0, ioctl(fd, KVM_GET_VCPU_EVENTS, &e));
	e.flags = KVM_VCPUEVENT_VALID_SHADOW;
	/* With IF clear STI cannot be it: taken for that, the shadow would be dropped. */
	e.interrupt.shadow = KVM_X86_SHADOW_INT_MOV_SS;
	ASSERT_EQ(0, ioctl(fd, KVM_SET_VCPU_EVENTS, &e));
	ASSERT_EQ(MSG_NONE, vcpu_run(self->v, NULL));
	ASSERT_EQ(KVM_EXIT_MMIO, self->v->run->exit_reason);
	ASSERT_EQ(0, ioctl(fd, KVM_GET_VCPU_EVENTS, &e));
	EXPECT_EQ(KVM_X86_SHADOW_INT_MOV_SS, e.interrupt.shadow);
	vcpu_expect(self->v, MSG_DONE);
	ASSERT_EQ(0, ioctl(fd, KVM_GET_VCPU_EVENTS, &e));
	EXPECT_EQ(0, e.interrupt.shadow);
}

TEST_F(vcpu_events, triple_fault_event)
{
	struct kvm_enable_cap cap = { .cap = KVM_CAP_X86_TRIPLE_FAULT_EVENT, .args = { 1 } };
	struct kvm_vcpu_events e;
	int fd = self->v->fd;

	ASSERT_EQ(0, ioctl(self->vm.fd, KVM_ENABLE_CAP, &cap));
	vcpu_start(self->v, guest_nothing);
	ASSERT_EQ(0, ioctl(fd, KVM_GET_VCPU_EVENTS, &e));
	EXPECT_TRUE(e.flags & KVM_VCPUEVENT_VALID_TRIPLE_FAULT);
	EXPECT_EQ(0, e.triple_fault.pending);
	e.triple_fault.pending = 1;
	ASSERT_EQ(0, ioctl(fd, KVM_SET_VCPU_EVENTS, &e));
	ASSERT_EQ(0, ioctl(fd, KVM_GET_VCPU_EVENTS, &e));
	EXPECT_EQ(1, e.triple_fault.pending);
	ASSERT_EQ(0, ioctl(fd, KVM_RUN, 0));
	EXPECT_EQ(KVM_EXIT_SHUTDOWN, self->v->run->exit_reason);
}

#define MC1_STATUS	0x405

static void say_machine_check(struct guest_frame *f)
{
	guest_sync(18);
}

/* KVM_X86_SET_MCE: noted, delivered, or the end of a guest that is not prepared for it. */
TEST_F(vcpu_events, machine_checks)
{
	struct kvm_enable_cap cap = { .cap = KVM_CAP_X86_TRIPLE_FAULT_EVENT, .args = { 1 } };
	struct kvm_x86_mce m = { .status = 1ull << 63, .bank = 1 };
	uint64_t mcg = 0, val = 0;
	struct kvm_vcpu_events e;
	struct kvm_sregs s;
	int fd = self->v->fd;

	ASSERT_EQ(0, ioctl(self->vm.kvm, KVM_X86_GET_MCE_CAP_SUPPORTED, &mcg));
	ASSERT_EQ(0, ioctl(self->vm.fd, KVM_ENABLE_CAP, &cap));
	mcg = (mcg & 1 << 8) | 10;			/* MCG_CTL_P, ten banks */
	ASSERT_EQ(0, ioctl(fd, KVM_X86_SETUP_MCE, &mcg));
	guest_handlers[18] = say_machine_check;
	vcpu_start(self->v, guest_nothing);
	ASSERT_EQ(0, ioctl(fd, KVM_GET_SREGS, &s));
	s.cr4 &= ~(1ull << 6);
	ASSERT_EQ(0, ioctl(fd, KVM_SET_SREGS, &s));

	ASSERT_EQ(0, ioctl(fd, KVM_X86_SET_MCE, &m));	/* corrected: noted */
	ASSERT_EQ(1, get_msr(fd, MC1_STATUS, &val));
	EXPECT_EQ(m.status, val);
	EXPECT_EQ(0, vcpu_expect(self->v, MSG_SYNC));

	m.status |= 1ull << 61;				/* not corrected, but no action is needed */
	ASSERT_EQ(0, ioctl(fd, KVM_X86_SET_MCE, &m));
	EXPECT_EQ(0, vcpu_expect(self->v, MSG_SYNC));

	m.status |= 1ull << 57;				/* the context is corrupt, and CR4.MCE is off */
	ASSERT_EQ(0, ioctl(fd, KVM_X86_SET_MCE, &m));
	ASSERT_EQ(0, ioctl(fd, KVM_GET_VCPU_EVENTS, &e));
	EXPECT_EQ(1, e.triple_fault.pending);
	e.triple_fault.pending = 0;
	ASSERT_EQ(0, ioctl(fd, KVM_SET_VCPU_EVENTS, &e));
	EXPECT_EQ(0, vcpu_expect(self->v, MSG_SYNC));

	ASSERT_EQ(0, ioctl(fd, KVM_GET_SREGS, &s));
	s.cr4 |= 1ull << 6;
	ASSERT_EQ(0, ioctl(fd, KVM_SET_SREGS, &s));
	m.mcg_status = 1 << 2;				/* MCIP */
	ASSERT_EQ(0, ioctl(fd, KVM_X86_SET_MCE, &m));
	EXPECT_EQ(18, vcpu_expect(self->v, MSG_SYNC));

	ASSERT_EQ(0, ioctl(fd, KVM_X86_SET_MCE, &m));	/* while one is in progress */
	ASSERT_EQ(MSG_NONE, vcpu_run(self->v, NULL));
	EXPECT_EQ(KVM_EXIT_SHUTDOWN, self->v->run->exit_reason);
}

static volatile uint64_t rbx_seen;

static void guest_rbx(void)
{
	for (;;) {
		uint64_t rbx;

		__asm__ volatile("movl $1, %%eax; outl %%eax, %%dx"
				 : "=b" (rbx) : "d" (GUEST_PORT), "b" (1ull) : "rax", "memory");
		rbx_seen = rbx;
	}
}

TEST_F(vcpu_events, sync_regs)
{
	struct kvm_run *run = self->v->run;
	struct kvm_vcpu_events e;
	struct kvm_sregs s;
	struct kvm_regs r;
	int fd = self->v->fd;

	vcpu_start(self->v, guest_rbx);
	run->kvm_valid_regs = 1 << 9;
	EXPECT_ERR(EINVAL, ioctl(fd, KVM_RUN, 0));
	run->kvm_valid_regs = 0;
	run->kvm_dirty_regs = 1 << 9;
	EXPECT_ERR(EINVAL, ioctl(fd, KVM_RUN, 0));
	run->kvm_dirty_regs = 0;
	run->kvm_valid_regs = KVM_SYNC_X86_VALID_FIELDS;
	/* Stock KVM writes only the fields that have a value: not the padding, not an empty bitmap. */
	memset(&run->s, on_keel() ? 0xcc : 0, sizeof(run->s));
	ASSERT_EQ(0, ioctl(fd, KVM_RUN, 0));
	ASSERT_EQ(0, ioctl(fd, KVM_GET_REGS, &r));
	ASSERT_EQ(0, ioctl(fd, KVM_GET_SREGS, &s));
	ASSERT_EQ(0, ioctl(fd, KVM_GET_VCPU_EVENTS, &e));
	EXPECT_EQ(0, memcmp(&r, &run->s.regs.regs, sizeof(r)));
	EXPECT_EQ(0, memcmp(&s, &run->s.regs.sregs, sizeof(s)));
	EXPECT_EQ(0, memcmp(&e, &run->s.regs.events, sizeof(e)));

	run->s.regs.regs.rbx = 0xbabe;
	run->s.regs.sregs.cr2 = 0xcafe000;
	run->kvm_dirty_regs = KVM_SYNC_X86_REGS | KVM_SYNC_X86_SREGS;
	ASSERT_EQ(0, ioctl(fd, KVM_RUN, 0));
	EXPECT_EQ(0xbabe, rbx_seen);
	EXPECT_EQ(0, run->kvm_dirty_regs);
	ASSERT_EQ(0, ioctl(fd, KVM_GET_SREGS, &s));
	EXPECT_EQ(0xcafe000, s.cr2);
	/* What cannot be loaded fails the run, and is not loaded. */
	run->s.regs.sregs.cr4 |= 1ull << 31;
	run->kvm_dirty_regs = KVM_SYNC_X86_SREGS;
	EXPECT_ERR(EINVAL, ioctl(fd, KVM_RUN, 0));
}

TEST_HARNESS_MAIN
