// SPDX-License-Identifier: GPL-2.0-only
/*
 * The guest's TSC: offset and scale of each vCPU, and which vCPUs of a VM are
 * synchronised. Userspace and firmware write the same value to one TSC after
 * the other; writes that come close together mean the same counter.
 */
#include <linux/math64.h>
#include <linux/ktime.h>
#include <asm/tsc.h>
#include "virt/compat/compat.h"
#include "arch/x86/x86.h"

/* A frequency so close to the host's is not worth scaling (parts per million). */
#define TOLERANCE_PPM	250

/* Ticks that the host's TSC lost over suspends, in total; vCPUs make up for it when loaded. */
u64 tsc_backward_shift;
static u64 highest_tsc;
static DEFINE_RAW_SPINLOCK(suspend_lock);

u32 tsc_host_khz(void)
{
	return tsc_khz ?: 1000000;
}

void tsc_module_init(void)
{
	tsc_backward_shift = 0;
	highest_tsc = 0;
}

void tsc_cpu_disabled(void)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&suspend_lock, flags);
	highest_tsc = max(highest_tsc, rdtsc_ordered());
	raw_spin_unlock_irqrestore(&suspend_lock, flags);
}

/* The first CPU that comes back after a suspend finds its TSC restarted. */
void tsc_cpu_enabled(void)
{
	unsigned long flags;
	u64 now;

	raw_spin_lock_irqsave(&suspend_lock, flags);
	now = rdtsc_ordered();
	/*
	 * A millisecond: CPUs whose TSCs differ by a few ticks are not a suspend. Where they differ by any amount,
	 * nothing tells.
	 */
	if (!check_tsc_unstable() && highest_tsc > now && highest_tsc - now > tsc_host_khz()) {
		WRITE_ONCE(tsc_backward_shift, tsc_backward_shift + (highest_tsc - now));
		highest_tsc = now;
	}
	raw_spin_unlock_irqrestore(&suspend_lock, flags);
}

u64 keel_tsc_scale(u64 tsc, u64 ratio)
{
	return ratio ? mul_u64_u64_shr(tsc, ratio, keel_vendor.caps.tsc_frac_bits) : tsc;
}

u64 guest_tsc(struct x86_vcpu *vcpu, u64 host_tsc)
{
	return keel_tsc_scale(host_tsc, vcpu->tsc.ratio) + vcpu->tsc.offset;
}

u32 tsc_real_khz(struct x86_vcpu *vcpu)
{
	/* Not by the ratio, which is rounded down. */
	return vcpu->tsc.ratio ? vcpu->tsc.khz : tsc_host_khz();
}

u64 guest_tsc_to_ns(struct x86_vcpu *vcpu, u64 ticks)
{
	u32 khz = max(tsc_real_khz(vcpu), 1u);

	if (ticks / khz >= U64_MAX / NSEC_PER_MSEC - 1)
		return U64_MAX;
	return mul_u64_u64_div_u64(ticks, NSEC_PER_MSEC, khz);
}

static u64 offset_for(struct x86_vcpu *vcpu, u64 guest)
{
	return guest - keel_tsc_scale(rdtsc_ordered(), vcpu->tsc.ratio);
}

/* Ticks of the guest's TSC in @ns; wraps as the TSC does. */
static u64 ns_to_ticks(struct x86_vcpu *vcpu, u64 ns)
{
	u64 khz = tsc_real_khz(vcpu);

	return ns / NSEC_PER_MSEC * khz + ns % NSEC_PER_MSEC * khz / NSEC_PER_MSEC;
}

/* Own thread, vCPU loaded. */
static void apply(struct x86_vcpu *vcpu, u64 offset)
{
	vcpu->tsc.offset = offset;
	vendor_call(set_tsc)(vcpu, offset, vcpu->tsc.ratio);
}

/* vm->tsc.lock held. @matched: @vcpu continues the current generation. */
static void join_generation(struct vm_tsc *t, struct vcpu_tsc *v, bool matched)
{
	if (!matched) {
		t->gen++;
		t->nr_matched = 0;
	}
	if (v->gen != t->gen) {
		v->gen = t->gen;
		t->nr_matched++;
	}
}

/* vm->tsc.lock held. The guest has moved this TSC on its own. */
static void leave_generation(struct vm_tsc *t, struct vcpu_tsc *v)
{
	if (v->gen == t->gen)
		t->nr_matched--;
	v->gen = 0;
}

static void record(struct x86_vcpu *vcpu, u64 offset, u64 val, u64 ns, bool matched)
{
	struct vm_tsc *t = &vcpu_vm(vcpu)->tsc;

	t->last_ns = ns;
	t->last_write = val;
	t->last_khz = vcpu->tsc.khz;
	t->last_offset = offset;
	join_generation(t, &vcpu->tsc, matched);
}

/* Is @val what the last one written would be by now, to about a second? vm->tsc.lock held. */
static bool continues_last(struct x86_vcpu *vcpu, u64 val, u64 elapsed)
{
	struct vm_tsc *t = &vcpu_vm(vcpu)->tsc;
	u64 expected = t->last_write + ns_to_ticks(vcpu, elapsed);
	s64 second = (s64)vcpu->tsc.khz * 1000;
	s64 diff = val - expected;

	return diff < second && diff > -second;
}

/* @user: userspace wrote @val; otherwise the vCPU was just created. */
static void synchronise(struct x86_vcpu *vcpu, u64 val, bool user)
{
	struct vm_tsc *t = &vcpu_vm(vcpu)->tsc;
	u64 ns, offset, elapsed;
	unsigned long flags;
	bool same = false, joins;

	raw_spin_lock_irqsave(&t->lock, flags);
	ns = ktime_get_boottime_ns();
	offset = offset_for(vcpu, val);
	elapsed = ns - t->last_ns;
	/* 0 is how a vCPU starts, at whatever time it is plugged in. */
	if (t->gen)
		same = val == 0 || (t->user_set && continues_last(vcpu, val, elapsed));
	same = same && t->last_khz == vcpu->tsc.khz;
	joins = same && !val;
	if (same) {
		if (!check_tsc_unstable()) {
			offset = t->last_offset;
		} else {
			val = (val ?: t->last_write) + ns_to_ticks(vcpu, elapsed);
			offset = offset_for(vcpu, val);
		}
	}
	if (user)
		t->user_set = true;
	/* 0 joins the others, and what was written for them goes on counting. */
	if (joins)
		join_generation(t, &vcpu->tsc, true);
	else
		record(vcpu, offset, val, ns, same);
	raw_spin_unlock_irqrestore(&t->lock, flags);

	apply(vcpu, offset);
	pvclock_tsc_changed(vcpu);
	irqchip_tsc_changed(vcpu);
}

/* The guest moves its TSC by @delta. */
static void adjust_by(struct x86_vcpu *vcpu, s64 delta)
{
	struct vm_tsc *t = &vcpu_vm(vcpu)->tsc;
	unsigned long flags;

	if (!delta)
		return;
	raw_spin_lock_irqsave(&t->lock, flags);
	leave_generation(t, &vcpu->tsc);
	/* Moved to where the others are: synchronised again. */
	if (vcpu->tsc.offset + delta == t->last_offset && t->last_khz == vcpu->tsc.khz)
		join_generation(t, &vcpu->tsc, true);
	raw_spin_unlock_irqrestore(&t->lock, flags);

	apply(vcpu, vcpu->tsc.offset + delta);
	pvclock_tsc_changed(vcpu);
	irqchip_tsc_changed(vcpu);
}

void tsc_write(struct x86_vcpu *vcpu, u64 val, bool host)
{
	s64 delta;

	if (host) {
		synchronise(vcpu, val, true);
		return;
	}
	/* SDM 3 17.17.3: a write of the TSC shows in IA32_TSC_ADJUST. */
	delta = offset_for(vcpu, val) - vcpu->tsc.offset;
	vcpu->tsc.adjust += delta;
	adjust_by(vcpu, delta);
}

void tsc_adjust_write(struct x86_vcpu *vcpu, u64 val, bool host)
{
	s64 delta = val - vcpu->tsc.adjust;

	vcpu->tsc.adjust = val;
	/* Userspace restores the TSC itself; this is only the register. */
	if (!host)
		adjust_by(vcpu, delta);
}

void tsc_set_offset(struct x86_vcpu *vcpu, u64 offset)
{
	struct vm_tsc *t = &vcpu_vm(vcpu)->tsc;
	unsigned long flags;
	bool same;

	raw_spin_lock_irqsave(&t->lock, flags);
	same = t->gen && t->last_khz == vcpu->tsc.khz && t->last_offset == offset;
	t->user_set = true;
	record(vcpu, offset, keel_tsc_scale(rdtsc_ordered(), vcpu->tsc.ratio) + offset,
	       ktime_get_boottime_ns(), same);
	raw_spin_unlock_irqrestore(&t->lock, flags);

	apply(vcpu, offset);
	pvclock_tsc_changed(vcpu);
	irqchip_tsc_changed(vcpu);
}

bool tsc_vm_synced(struct x86_vm *vm, u64 *gen)
{
	unsigned long flags;
	bool synced;

	raw_spin_lock_irqsave(&vm->tsc.lock, flags);
	synced = vm->tsc.nr_matched &&
		 vm->tsc.nr_matched == (u32)atomic_read(&vm->vm.nr_vcpus);
	*gen = vm->tsc.gen;
	raw_spin_unlock_irqrestore(&vm->tsc.lock, flags);
	return synced;
}

/* ---- frequency ---- */

/* The scale for @khz: 0 with *@ratio, or -EINVAL if the hardware cannot. */
static int ratio_for(u32 khz, u64 *ratio)
{
	u32 host = tsc_host_khz(), low = host - div_u64((u64)host * TOLERANCE_PPM, 1000000),
	    high = host + div_u64((u64)host * TOLERANCE_PPM, 1000000);
	const struct vendor_caps *caps = &keel_vendor.caps;

	*ratio = 0;
	if (khz >= low && khz <= high)
		return 0;
	if (!caps->tsc_scaling || !khz)
		return -EINVAL;
	if (khz / host >= caps->tsc_max_ratio >> caps->tsc_frac_bits)
		return -EINVAL;
	*ratio = mul_u64_u64_div_u64(1ull << caps->tsc_frac_bits, khz, host);
	return *ratio && *ratio < caps->tsc_max_ratio ? 0 : -EINVAL;
}

int tsc_vm_set_khz(struct x86_vm *vm, u32 khz)
{
	u64 ratio;

	khz = khz ?: tsc_host_khz();
	if (ratio_for(khz, &ratio))
		return -EINVAL;
	WRITE_ONCE(vm->tsc.khz, khz);
	return 0;
}

int tsc_set_khz(struct x86_vcpu *vcpu, u32 khz)
{
	u64 ratio, now = rdtsc_ordered(), guest = guest_tsc(vcpu, now);
	struct vm_tsc *t = &vcpu_vm(vcpu)->tsc;
	unsigned long flags;

	khz = khz ?: tsc_host_khz();
	if (ratio_for(khz, &ratio))
		return -EINVAL;
	if (khz == vcpu->tsc.khz && ratio == vcpu->tsc.ratio)
		return 0;
	vcpu->tsc.khz = khz;
	vcpu->tsc.ratio = ratio;
	if (!vcpu->cpuid.ran && !READ_ONCE(t->user_set)) {
		/* Nothing has run, nothing was set: start together with the others at this rate. */
		synchronise(vcpu, 0, false);
		return 0;
	}
	/* The count goes on from where it is, at the new rate. */
	raw_spin_lock_irqsave(&t->lock, flags);
	leave_generation(t, &vcpu->tsc);
	raw_spin_unlock_irqrestore(&t->lock, flags);
	apply(vcpu, guest - keel_tsc_scale(now, ratio));
	pvclock_tsc_changed(vcpu);
	irqchip_tsc_changed(vcpu);
	return 0;
}

/* ---- lifetimes ---- */

void tsc_vm_init(struct x86_vm *vm)
{
	raw_spin_lock_init(&vm->tsc.lock);
	vm->tsc.khz = tsc_host_khz();
}

void tsc_vcpu_init(struct x86_vcpu *vcpu)
{
	vcpu->tsc.khz = READ_ONCE(vcpu_vm(vcpu)->tsc.khz);
	ratio_for(vcpu->tsc.khz, &vcpu->tsc.ratio);
	vcpu->tsc.shift_seen = READ_ONCE(tsc_backward_shift);
	vcpu->tsc.last_cpu = -1;
}

void tsc_vcpu_postcreate(struct x86_vcpu *vcpu)
{
	synchronise(vcpu, 0, false);
}

static void make_up(struct x86_vcpu *vcpu, u64 ticks)
{
	apply(vcpu, vcpu->tsc.offset + keel_tsc_scale(ticks, vcpu->tsc.ratio));
	vcpu_request(&vcpu->v, REQ_MASTERCLOCK_UPDATE);
	vcpu_request(&vcpu->v, REQ_CLOCK_UPDATE);
}

/* All vCPUs make up for a suspend by the same number of ticks: they stay synchronised. */
static void make_up_suspend(struct x86_vcpu *vcpu, u64 shift)
{
	struct vm_tsc *t = &vcpu_vm(vcpu)->tsc;
	u64 ticks = shift - vcpu->tsc.shift_seen;
	unsigned long flags;

	vcpu->tsc.shift_seen = shift;
	vcpu->tsc.last_host = 0;
	make_up(vcpu, ticks);
	raw_spin_lock_irqsave(&t->lock, flags);
	if (vcpu->tsc.gen == t->gen)
		t->last_offset = vcpu->tsc.offset;
	raw_spin_unlock_irqrestore(&t->lock, flags);
	/* A deadline was armed, or put off, by the TSC as it was; a countdown is looked at when this CPU is a new one. */
	irqchip_tsc_changed(vcpu);
	vcpu->apic.timer_cpu = -1;
}

static void make_up_lag(struct x86_vcpu *vcpu, u64 ticks)
{
	struct vm_tsc *t = &vcpu_vm(vcpu)->tsc;
	unsigned long flags;

	raw_spin_lock_irqsave(&t->lock, flags);
	leave_generation(t, &vcpu->tsc);
	raw_spin_unlock_irqrestore(&t->lock, flags);
	make_up(vcpu, ticks);
}

void tsc_vcpu_load(struct x86_vcpu *vcpu, int cpu)
{
	struct vcpu_tsc *v = &vcpu->tsc;
	u64 shift = READ_ONCE(tsc_backward_shift), now;

	if (unlikely(shift != v->shift_seen))
		make_up_suspend(vcpu, shift);
	if (likely(cpu == v->last_cpu) || !v->last_host)
		return;
	/* On to a CPU whose TSC lags behind: the guest must not see time go back. */
	now = rdtsc_ordered();
	if (unlikely((s64)(now - v->last_host) < 0))
		make_up_lag(vcpu, v->last_host - now);
}

void tsc_vcpu_put(struct x86_vcpu *vcpu)
{
	vcpu->tsc.last_host = rdtsc_ordered();
	vcpu->tsc.last_cpu = raw_smp_processor_id();
}
