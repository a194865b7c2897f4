// SPDX-License-Identifier: GPL-2.0-only
/*
 * The local APIC's timer on the host: an hrtimer, or a countdown of the CPU that ends the guest and
 * counts only while that runs. The countdown is armed in the vCPU's own thread and looked at
 * there: after the exit that it causes, before a halt, which it would not end and the hrtimer
 * takes over, and when userspace asks for the timer's state. A vCPU that is not in the guest, and does not
 * halt, needs nobody to tell it: an expired countdown ends the next entry at once.
 */
#include <linux/ktime.h>
#include <linux/math64.h>
#include <asm/tsc.h>
#include "virt/compat/compat.h"
#include "arch/x86/x86.h"

/* Years: no product with a clock rate overflows. */
#define FAR_NS		BIT_ULL(60)

static struct x86_vcpu *vcpu_of(struct lapic *a)
{
	return container_of(a, struct x86_vcpu, apic.lapic);
}

static void start_hrtimer(struct vcpu_apic *apic, u64 deadline_ns)
{
	apic->timer_cpu = raw_smp_processor_id();
	hrtimer_start(&apic->timer, ns_to_ktime(deadline_ns), HRTIMER_MODE_ABS_PINNED_HARD);
}

/* A guest that sleeps without an exit may stop the clock that counts for it. */
static bool countdown_possible(struct x86_vcpu *vcpu)
{
	return keel_vendor.caps.guest_timer && !check_tsc_unstable() &&
	       !(vcpu_vm(vcpu)->disabled_exits & (KVM_X86_DISABLE_EXITS_MWAIT |
						  KVM_X86_DISABLE_EXITS_HLT |
						  KVM_X86_DISABLE_EXITS_CSTATE));
}

static void set_countdown(struct x86_vcpu *vcpu, u64 tsc)
{
	vcpu->apic.countdown_tsc = tsc;
	vendor_call_opt(set_timer)(vcpu, tsc);
}

static void arm_countdown(struct x86_vcpu *vcpu, u64 deadline_ns)
{
	/* First the TSC: whoever is interrupted between the two is early, and that is noticed. */
	u64 tsc = rdtsc(), now = lapic_in_now(&vcpu->apic.lapic), ns = 0;

	if (deadline_ns > now)
		ns = min_t(u64, deadline_ns - now, FAR_NS);
	vcpu->apic.timer_cpu = raw_smp_processor_id();
	vcpu->apic.countdown_shift = tsc_suspend_shift();
	set_countdown(vcpu, tsc + mul_u64_u64_div_u64(ns, tsc_host_khz(), NSEC_PER_MSEC) + 1);
}

void lapic_out_timer(struct lapic *a, u64 deadline_ns)
{
	struct x86_vcpu *vcpu = vcpu_of(a);

	if (vcpu->apic.countdown_tsc)
		set_countdown(vcpu, 0);
	/* Waits for a callback on another CPU, which never waits for us. */
	hrtimer_cancel(&vcpu->apic.timer);
	if (!deadline_ns)
		return;
	if (countdown_possible(vcpu))
		arm_countdown(vcpu, deadline_ns);
	else
		start_hrtimer(&vcpu->apic, deadline_ns);
}

/* Is it time? The clock decides, not the counter. */
static void look_at_countdown(struct x86_vcpu *vcpu)
{
	struct lapic *a = &vcpu->apic.lapic;
	u64 next = READ_ONCE(a->timer.deadline);

	set_countdown(vcpu, 0);
	if (next && lapic_in_now(a) >= next)
		next = lapic_timer_fire(a);
	if (next)
		arm_countdown(vcpu, next);
}

void keel_guest_timer(struct x86_vcpu *vcpu)
{
	if (vcpu->apic.countdown_tsc)
		look_at_countdown(vcpu);
}
KEEL_EXPORT(keel_guest_timer);

void irqchip_timer_settle(struct x86_vcpu *vcpu)
{
	if (vcpu->apic.countdown_tsc && rdtsc() >= vcpu->apic.countdown_tsc)
		look_at_countdown(vcpu);
}

void irqchip_timer_pause(struct x86_vcpu *vcpu)
{
	struct lapic *a = &vcpu->apic.lapic;
	u64 deadline;

	if (!READ_ONCE(a->timer.deadline))
		return;
	lapic_out_timer(a, 0);
	deadline = READ_ONCE(a->timer.deadline);
	if (deadline && lapic_in_now(a) >= deadline)
		lapic_timer_fire(a);
}

void irqchip_timer_resume(struct x86_vcpu *vcpu)
{
	u64 deadline = READ_ONCE(vcpu->apic.lapic.timer.deadline);

	if (deadline)
		lapic_out_timer(&vcpu->apic.lapic, deadline);
}

void __irqchip_timer_to_host(struct x86_vcpu *vcpu)
{
	u64 deadline = READ_ONCE(vcpu->apic.lapic.timer.deadline);

	set_countdown(vcpu, 0);
	if (deadline)
		start_hrtimer(&vcpu->apic, deadline);
}

static enum hrtimer_restart timer_fired(struct hrtimer *timer)
{
	struct vcpu_apic *apic = container_of(timer, struct vcpu_apic, timer);
	u64 next = lapic_timer_fire(&apic->lapic);

	if (!next)
		return HRTIMER_NORESTART;
	hrtimer_set_expires(timer, ns_to_ktime(next));
	return HRTIMER_RESTART;
}

void irqchip_timer_init(struct x86_vcpu *vcpu)
{
	vcpu->apic.timer_cpu = -1;
	hrtimer_setup(&vcpu->apic.timer, timer_fired, CLOCK_MONOTONIC, HRTIMER_MODE_ABS_PINNED_HARD);
}

/* The countdown goes by a TSC that may not be this CPU's, or has restarted over a suspend. */
static bool countdown_is_stale(const struct vcpu_apic *apic, int cpu)
{
	return apic->timer_cpu != cpu || apic->countdown_shift != tsc_suspend_shift();
}

/* The timer follows its vCPU: an expiry on another CPU would cost an IPI. */
void irqchip_vcpu_load(struct x86_vcpu *vcpu, int cpu)
{
	struct vcpu_apic *apic = &vcpu->apic;

	if (apic->countdown_tsc) {
		if (unlikely(countdown_is_stale(apic, cpu)))
			arm_countdown(vcpu, READ_ONCE(apic->lapic.timer.deadline));
		return;
	}
	if (likely(apic->timer_cpu == cpu) || !apic->lapic.regs)
		return;
	apic->timer_cpu = cpu;
	if (hrtimer_cancel(&apic->timer))
		hrtimer_start_expires(&apic->timer, HRTIMER_MODE_ABS_PINNED_HARD);
}
