// SPDX-License-Identifier: GPL-2.0-only
/* The local APIC as a part of a vCPU: lifetime, kicks, INIT, SIPI, its place in the map. */
#include <linux/gfp.h>
#include <linux/ktime.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/string.h>
#include "virt/compat/compat.h"
#include "arch/x86/x86.h"
#include "arch/x86/trace.h"

#define MAP_MIN_SIZE	16

static struct x86_vcpu *vcpu_of(struct lapic *a)
{
	return container_of(a, struct x86_vcpu, apic.lapic);
}

static bool is_bsp(struct x86_vcpu *vcpu)
{
	return vcpu->v.id == vcpu_vm(vcpu)->boot_cpu_id;
}

void irqchip_kick(struct x86_vcpu *vcpu)
{
	/* Raised by the vCPU's own thread, which looks at events before it enters again. */
	if (in_task() && keel_running_vcpu() == &vcpu->v) {
		vcpu->ev.check = true;
		return;
	}
	vcpu_request(&vcpu->v, REQ_EVENT);
	vcpu_kick(&vcpu->v);
}

/* ---- what the register logic asks for ---- */

void lapic_out_irq(struct lapic *a, u8 vector, bool level)
{
	trace_kvm_apic_accept_irq(a->id, DM_FIXED, level, vector);
	irqchip_kick(vcpu_of(a));
}

/*
 * The vendor's call is a full barrier between pir and the looks at the sleeper and at hw. If the CPU has ceased to
 * keep the registers no entry may take the request as it is: events are to be decided anew, as after a kick.
 */
void lapic_out_posted(struct lapic *a, u8 vector)
{
	struct x86_vcpu *vcpu = vcpu_of(a);

	trace_kvm_apic_accept_irq(a->id, DM_FIXED, false, vector);
	vendor_call_opt(notify_posted)(vcpu);
	if (likely(READ_ONCE(a->hw)))
		vcpu_wake(&vcpu->v);
	else
		irqchip_kick(vcpu);
}

void lapic_out_extint(struct lapic *a)
{
	irqchip_kick(vcpu_of(a));
}

void lapic_out_recheck(struct lapic *a)
{
	vcpu_of(a)->ev.check = true;
}

void lapic_out_lint0_nmi(struct lapic *a, bool on)
{
	atomic_add(on ? 1 : -1, &vcpu_vm(vcpu_of(a))->irqchip.lint0_nmi);
}

void lapic_out_nmi(struct lapic *a)
{
	vcpu_queue_nmi(vcpu_of(a));
}

static void apic_event(struct x86_vcpu *vcpu)
{
	vcpu_request(&vcpu->v, REQ_APIC_INIT_SIPI);
	vcpu_kick(&vcpu->v);
}

void lapic_out_init(struct lapic *a)
{
	struct x86_vcpu *vcpu = vcpu_of(a);

	/* A SIPI sent before this INIT means nothing any more. */
	clear_bit(APIC_EVENT_SIPI, &vcpu->apic.pending_events);
	set_bit(APIC_EVENT_INIT, &vcpu->apic.pending_events);
	apic_event(vcpu);
}

void lapic_out_sipi(struct lapic *a, u8 vector)
{
	struct x86_vcpu *vcpu = vcpu_of(a);

	WRITE_ONCE(vcpu->apic.sipi_vector, vector);
	smp_wmb();	/* vector before event */
	set_bit(APIC_EVENT_SIPI, &vcpu->apic.pending_events);
	apic_event(vcpu);
}

void lapic_out_eoi(struct lapic *a, u8 vector, bool level)
{
	struct x86_vcpu *vcpu = vcpu_of(a);
	struct x86_vm *vm = vcpu_vm(vcpu);

	trace_kvm_eoi(a->id, vector);
	if (vm->irqchip.mode == IRQCHIP_FULL) {
		ioapic_dev_eoi(vm, vector);
	} else if (level && test_bit(vector, vm->irqchip.split_level)) {
		vcpu->apic.eoi_vector = vector;
		vcpu_request(&vcpu->v, REQ_IOAPIC_EOI_EXIT);
	}
}

int lapic_out_send(struct lapic *src, const struct apic_msg *m)
{
	return irqchip_deliver(vcpu_vm(vcpu_of(src)), src, m);
}

u64 lapic_in_now(struct lapic *a)
{
	return ktime_get_ns();
}

u64 lapic_in_tsc(struct lapic *a)
{
	return guest_tsc_now(vcpu_of(a));
}

u64 lapic_in_tsc_to_ns(struct lapic *a, u64 ticks)
{
	return guest_tsc_to_ns(vcpu_of(a), ticks);
}

void irqchip_tsc_changed(struct x86_vcpu *vcpu)
{
	if (vcpu->apic.lapic.regs)
		lapic_timer_tsc_changed(&vcpu->apic.lapic);
}

/* ---- the map of all local APICs ---- */

static void publish_map(struct vm_irqchip *chip, struct lapic_map *new,
			const struct lapic_map *old)
{
	u32 i;

	spin_lock(&chip->map_lock);
	for (i = 0; old && i < old->nr; i++)
		lapic_map_add(new, old->all[i]);
	lapic_map_rebuild(new);
	rcu_assign_pointer(chip->domain.map, new);
	spin_unlock(&chip->map_lock);
}

/* Make room for @id. Doubling, so that few vCPUs pay for it. */
static int grow_map(struct vm_irqchip *chip, u32 id)
{
	u32 size = max_t(u32, roundup_pow_of_two(id + 1), MAP_MIN_SIZE);
	struct lapic_map *old, *new;
	int ret = 0;

	mutex_lock(&chip->grow_mutex);
	old = rcu_dereference_protected(chip->domain.map, lockdep_is_held(&chip->grow_mutex));
	if (old && id < old->size)
		goto out;
	ret = -ENOMEM;
	new = kvzalloc(lapic_map_bytes(size), GFP_KERNEL_ACCOUNT);
	if (!new)
		goto out;
	lapic_map_init(new, size);
	publish_map(chip, new, old);
	if (old)
		kvfree_rcu(old, rcu);
	ret = 0;
out:
	mutex_unlock(&chip->grow_mutex);
	return ret;
}

void lapic_out_moved(struct lapic *a)
{
	struct vm_irqchip *chip = &vcpu_vm(vcpu_of(a))->irqchip;
	struct lapic_map *map;

	spin_lock(&chip->map_lock);
	map = rcu_dereference_protected(chip->domain.map, lockdep_is_held(&chip->map_lock));
	if (map)
		lapic_map_rebuild(map);
	spin_unlock(&chip->map_lock);
}

void irqchip_vcpu_postcreate(struct x86_vcpu *vcpu)
{
	struct vm_irqchip *chip = &vcpu_vm(vcpu)->irqchip;
	struct lapic_map *map;

	if (!vcpu->apic.lapic.regs)
		return;
	spin_lock(&chip->map_lock);
	map = rcu_dereference_protected(chip->domain.map, lockdep_is_held(&chip->map_lock));
	lapic_map_add(map, &vcpu->apic.lapic);
	lapic_map_rebuild(map);
	spin_unlock(&chip->map_lock);
}

/* ---- lifetime ---- */

int irqchip_vcpu_init(struct x86_vcpu *vcpu)
{
	struct vm_irqchip *chip = &vcpu_vm(vcpu)->irqchip;
	struct vcpu_apic *apic = &vcpu->apic;
	void *regs;
	int ret;

	apic->cr8_exits = -1;
	irqchip_timer_init(vcpu);
	vcpu->mp_state = KVM_MP_STATE_RUNNABLE;
	if (chip->mode == IRQCHIP_NONE)
		return 0;

	ret = grow_map(chip, vcpu->v.id);
	if (ret)
		return ret;
	/* A whole page: hardware that virtualises the APIC wants its physical address. */
	regs = (void *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	if (!regs)
		return -ENOMEM;
	lapic_init(&apic->lapic, &chip->domain, regs, vcpu->v.id);
	ret = mmu_apic_page_alloc(vcpu_vm(vcpu));
	if (ret) {
		free_page((unsigned long)regs);
		apic->lapic.regs = NULL;
		return ret;
	}
	apic->lapic.min_period_ns = min_t(u64, U32_MAX, (u64)max(keel_min_timer_period_us, 1u) *
					  NSEC_PER_USEC);
	apic->lapic.bus_ns = chip->bus_ns ?: LAPIC_BUS_NS;
	if (!is_bsp(vcpu))
		vcpu->mp_state = KVM_MP_STATE_UNINITIALIZED;
	return 0;
}

void irqchip_vcpu_destroy(struct x86_vcpu *vcpu)
{
	hrtimer_cancel(&vcpu->apic.timer);
	free_page((unsigned long)vcpu->apic.lapic.regs);
	vcpu->apic.lapic.regs = NULL;
}

void irqchip_vcpu_reset(struct x86_vcpu *vcpu, bool init)
{
	struct lapic *a = &vcpu->apic.lapic;
	bool bsp = is_bsp(vcpu);

	vcpu->apic.user_cr8 = 0;
	vcpu->apic.pv_eoi_armed = false;
	if (a->regs)
		lapic_reset(a, init, bsp, bsp && !(vcpu_vm(vcpu)->disabled_quirks &
						   KVM_X86_QUIRK_LINT0_REENABLED));
	else if (!init)
		a->base = APIC_BASE_DEFAULT | APIC_BASE_EN | (bsp ? APIC_BASE_BSP : 0);
	cpuid_runtime_changed(&vcpu->cpuid);
}

void irqchip_cpuid_changed(struct x86_vcpu *vcpu)
{
	struct lapic *a = &vcpu->apic.lapic;

	if (!a->regs)
		return;
	a->tsc_deadline_offered = guest_has(vcpu, X86_FEATURE_TSC_DEADLINE_TIMER);
	/*
	 * The in-kernel I/O APIC is of version 0x11, which has no EOI register: its guests may not
	 * suppress the broadcast. One in userspace may be of any version: the bit is offered but
	 * the EOI is reported all the same, as on KVM.
	 */
	a->eoi_suppress_offered = guest_has(vcpu, X86_FEATURE_X2APIC) &&
				  vcpu_vm(vcpu)->irqchip.mode == IRQCHIP_SPLIT;
	lapic_set_version(a);
	/* The timer mode in LVTT may have come to exist, or ceased to. */
	lapic_timer_write_lvt(a);
}

/* ---- INIT and SIPI (SDM 3 8.4) ---- */

static void accept_init(struct x86_vcpu *vcpu)
{
	vcpu_reset(vcpu, true);
	vcpu->mp_state = is_bsp(vcpu) ? KVM_MP_STATE_RUNNABLE : KVM_MP_STATE_INIT_RECEIVED;
}

static void accept_sipi(struct x86_vcpu *vcpu)
{
	/* Only a CPU that waits for it takes it; the second one of the usual two is ignored. */
	if (vcpu->mp_state != KVM_MP_STATE_INIT_RECEIVED)
		return;
	smp_rmb();	/* event before vector */
	vcpu_deliver_sipi(vcpu, READ_ONCE(vcpu->apic.sipi_vector));
	vcpu->mp_state = KVM_MP_STATE_RUNNABLE;
}

int irqchip_accept_init_sipi(struct x86_vcpu *vcpu)
{
	unsigned long *events = &vcpu->apic.pending_events;

	if (!vcpu_take_request(&vcpu->v, REQ_APIC_INIT_SIPI))
		return 0;
	if (test_and_clear_bit(APIC_EVENT_INIT, events))
		accept_init(vcpu);
	if (!test_bit(APIC_EVENT_SIPI, events))
		return 0;
	/* It was sent behind an INIT. If both came just now, that goes first: the next turn. */
	if (test_bit(APIC_EVENT_INIT, events))
		vcpu_request(&vcpu->v, REQ_APIC_INIT_SIPI);
	else if (test_and_clear_bit(APIC_EVENT_SIPI, events))
		accept_sipi(vcpu);
	return 0;
}

void irqchip_unblock_init(struct x86_vcpu *vcpu)
{
	if (vcpu->apic.pending_events)
		vcpu_request(&vcpu->v, REQ_APIC_INIT_SIPI);
}

void irqchip_set_sipi_vector(struct x86_vcpu *vcpu, u8 vector)
{
	WRITE_ONCE(vcpu->apic.sipi_vector, vector);
}

void irqchip_pend_sipi(struct x86_vcpu *vcpu)
{
	set_bit(APIC_EVENT_SIPI, &vcpu->apic.pending_events);
	vcpu_request(&vcpu->v, REQ_APIC_INIT_SIPI);
}
