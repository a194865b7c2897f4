// SPDX-License-Identifier: GPL-2.0-only
/* The I/O APIC as a device of a VM: lock, MMIO, EOI and what follows it. */
#include <linux/ktime.h>
#include <linux/string.h>
#include "virt/compat/compat.h"
#include "arch/x86/x86.h"
#include "arch/x86/trace.h"

#define HOLD_NS		(10 * NSEC_PER_MSEC)
/* Pins on which a PC has the PIT: by the ACPI override, or wired as in the ISA days. */
#define PIT_PINS	(BIT(0) | BIT(2))

static struct vm_ioapic *ioapic_of(struct x86_vm *vm)
{
	return &vm->irqchip.ioapic;
}

static struct x86_vm *vm_of(struct ioapic *io)
{
	return container_of(io, struct x86_vm, irqchip.ioapic.io);
}

/* ---- what the register logic asks for ---- */

int ioapic_out_deliver(struct ioapic *io, const struct apic_msg *m)
{
	return irqchip_deliver(vm_of(io), NULL, m);
}

bool ioapic_in_use(struct ioapic *io, const struct apic_msg *m)
{
	struct lapic_domain *domain = &vm_of(io)->irqchip.domain;
	struct lapic_map *map;
	bool ret;

	rcu_read_lock();
	map = rcu_dereference(domain->map);
	ret = map && lapic_dest_in_use(domain, map, m);
	rcu_read_unlock();
	return ret;
}

void ioapic_out_hold(struct ioapic *io)
{
	hrtimer_start(&vm_of(io)->irqchip.ioapic.hold_timer, ns_to_ktime(HOLD_NS),
		      HRTIMER_MODE_REL_HARD);
}

static void release_pins(struct vm_ioapic *d)
{
	unsigned long flags;
	int n = IOAPIC_PINS;
	bool more;

	do {
		raw_spin_lock_irqsave(&d->lock, flags);
		more = ioapic_release(&d->io);
		raw_spin_unlock_irqrestore(&d->lock, flags);
	} while (more && --n);
	/* Held anew meanwhile: then the timer was started anew, too. */
}

static void release_work(struct work_struct *work)
{
	release_pins(container_of(work, struct vm_ioapic, release));
}

static enum hrtimer_restart hold_over(struct hrtimer *timer)
{
	struct vm_ioapic *d = container_of(timer, struct vm_ioapic, hold_timer);

	/* By now each pin may be a broadcast. */
	if (atomic_read(&vm_of(&d->io)->vm.nr_vcpus) > IRQCHIP_FEW_VCPUS)
		queue_work(system_dfl_wq, &d->release);
	else
		release_pins(d);
	return HRTIMER_NORESTART;
}

/* Lock held. */
static void update_edge_vectors(struct x86_vm *vm)
{
	struct vm_ioapic *d = ioapic_of(vm);
	unsigned long map[4] = {};
	bool changed = false;
	int i;

	ioapic_edge_vectors(&d->io, d->ack_pins, map);
	for (i = 0; i < ARRAY_SIZE(map); i++) {
		changed |= vm->irqchip.domain.edge_eoi[i] != map[i];
		WRITE_ONCE(vm->irqchip.domain.edge_eoi[i], map[i]);
	}
	if (changed && vm->irqchip.domain.posting)
		vm_request_all(&vm->vm, REQ_SCAN_IOAPIC, false);
}

/* What a change asks for, to be done with no lock held. */
struct ioapic_after {
	unsigned long	acked;
	unsigned long	notify;
	bool		unmasked;
};

/* Lock held. */
static struct ioapic_after ioapic_collect(struct x86_vm *vm)
{
	struct vm_ioapic *d = ioapic_of(vm);
	struct ioapic_after after = {
		.acked		= d->io.acked,
		.notify		= d->io.acked & d->ack_pins,
		.unmasked	= d->io.unmasked & PIT_PINS,
	};

	d->io.acked = 0;
	d->io.unmasked = 0;
	if (d->io.changed) {
		d->io.changed = false;
		update_edge_vectors(vm);
	}
	/* The common case: nobody to tell, so the lock need not be dropped first. */
	if (after.acked && !after.notify)
		ioapic_redeliver(&d->io, after.acked);
	return after;
}

/* Tell whoever waits for EOIs, then let lines that are still up interrupt again. */
static void ioapic_do(struct x86_vm *vm, struct ioapic_after after)
{
	struct vm_ioapic *d = ioapic_of(vm);
	unsigned long flags;
	unsigned int pin;

	if (unlikely(after.unmasked))
		pit_dev_unmasked(vm);
	if (!after.notify)
		return;
	for_each_set_bit(pin, &after.notify, IOAPIC_PINS)
		irq_ack(&vm->vm, KVM_IRQCHIP_IOAPIC, pin);
	raw_spin_lock_irqsave(&d->lock, flags);
	ioapic_redeliver(&d->io, after.acked);
	raw_spin_unlock_irqrestore(&d->lock, flags);
}

void ioapic_dev_eoi(struct x86_vm *vm, u8 vector)
{
	struct vm_ioapic *d = ioapic_of(vm);
	struct ioapic_after after;
	unsigned long flags;

	raw_spin_lock_irqsave(&d->lock, flags);
	ioapic_eoi(&d->io, vector);
	after = ioapic_collect(vm);
	raw_spin_unlock_irqrestore(&d->lock, flags);
	ioapic_do(vm, after);
}

int ioapic_dev_set_irq(struct x86_vm *vm, unsigned int pin, int source, int level, bool status)
{
	struct vm_ioapic *d = ioapic_of(vm);
	unsigned long flags;
	int ret;

	raw_spin_lock_irqsave(&d->lock, flags);
	ret = ioapic_set_irq(&d->io, pin, source, level, status);
	if (pin < IOAPIC_PINS)
		trace_kvm_ioapic_set_irq(d->io.rte[pin], pin, ret == 0);
	raw_spin_unlock_irqrestore(&d->lock, flags);
	return ret;
}

/* ---- MMIO ---- */

static int ioapic_dev_read(struct vcpu *v, struct io_device *dev, gpa_t addr, int len, void *val)
{
	struct vm_ioapic *d = container_of(dev, struct vm_ioapic, dev);
	unsigned long flags;
	u64 res = 0;

	raw_spin_lock_irqsave(&d->lock, flags);
	if (!(addr & 15))
		res = ioapic_read(&d->io, addr & (IOAPIC_MMIO_SIZE - 1));
	raw_spin_unlock_irqrestore(&d->lock, flags);
	memcpy(val, &res, len);
	return 0;
}

static int ioapic_dev_write(struct vcpu *v, struct io_device *dev, gpa_t addr, int len,
			    const void *val)
{
	struct vm_ioapic *d = container_of(dev, struct vm_ioapic, dev);
	struct x86_vm *vm = to_x86_vm(v->vm);
	struct ioapic_after after;
	unsigned long flags;
	u32 data = 0;

	memcpy(&data, val, min_t(int, len, sizeof(data)));
	if (addr & 15)
		return 0;
	raw_spin_lock_irqsave(&d->lock, flags);
	ioapic_write(&d->io, addr & (IOAPIC_MMIO_SIZE - 1), data);
	after = ioapic_collect(vm);
	raw_spin_unlock_irqrestore(&d->lock, flags);
	ioapic_do(vm, after);
	return 0;
}

static const struct io_device_ops ioapic_dev_ops = {
	.read	= ioapic_dev_read,
	.write	= ioapic_dev_write,
};

/* ---- lifetime and state ---- */

void ioapic_dev_init(struct x86_vm *vm)
{
	struct vm_ioapic *d = ioapic_of(vm);

	raw_spin_lock_init(&d->lock);
	mutex_init(&d->ack_mutex);
	hrtimer_setup(&d->hold_timer, hold_over, CLOCK_MONOTONIC, HRTIMER_MODE_REL_HARD);
	INIT_WORK(&d->release, release_work);
	d->dev.ops = &ioapic_dev_ops;
}

int ioapic_dev_create(struct x86_vm *vm)
{
	struct vm_ioapic *d = ioapic_of(vm);
	int ret;

	ioapic_init(&d->io);
	mutex_lock(&vm->vm.slots_lock);
	ret = io_bus_register(&vm->vm, BUS_MMIO, IOAPIC_DEFAULT_BASE, IOAPIC_MMIO_SIZE, &d->dev);
	mutex_unlock(&vm->vm.slots_lock);
	return ret;
}

void ioapic_dev_stop(struct x86_vm *vm)
{
	hrtimer_cancel(&ioapic_of(vm)->hold_timer);
	cancel_work_sync(&ioapic_of(vm)->release);
}

/* Each change of routing or notifiers is followed by a call: the last one sees them all. */
void ioapic_dev_ack_pins_changed(struct x86_vm *vm)
{
	struct vm_ioapic *d = ioapic_of(vm);
	unsigned long flags;
	unsigned int pin;
	u32 pins = 0;

	mutex_lock(&d->ack_mutex);
	for (pin = 0; pin < IOAPIC_PINS; pin++) {
		if (irq_has_ack_notifier(&vm->vm, KVM_IRQCHIP_IOAPIC, pin))
			pins |= BIT(pin);
	}
	raw_spin_lock_irqsave(&d->lock, flags);
	d->ack_pins = pins;
	update_edge_vectors(vm);
	raw_spin_unlock_irqrestore(&d->lock, flags);
	mutex_unlock(&d->ack_mutex);
}

void ioapic_dev_get(struct x86_vm *vm, struct kvm_ioapic_state *s)
{
	struct vm_ioapic *d = ioapic_of(vm);
	unsigned long flags;

	raw_spin_lock_irqsave(&d->lock, flags);
	ioapic_get_state(&d->io, s);
	raw_spin_unlock_irqrestore(&d->lock, flags);
}

void ioapic_dev_set(struct x86_vm *vm, const struct kvm_ioapic_state *s)
{
	struct vm_ioapic *d = ioapic_of(vm);
	struct ioapic_after after;
	unsigned long flags;

	raw_spin_lock_irqsave(&d->lock, flags);
	ioapic_set_state(&d->io, s);
	after = ioapic_collect(vm);
	raw_spin_unlock_irqrestore(&d->lock, flags);
	ioapic_do(vm, after);
}
