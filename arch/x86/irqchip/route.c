// SPDX-License-Identifier: GPL-2.0-only
/* What a GSI route does on x86: a pin of the PIC or the I/O APIC, or an MSI. */
#include <linux/string.h>
#include <keel/ioctl.h>
#include "virt/compat/compat.h"
#include "arch/x86/x86.h"
#include "arch/x86/trace.h"

int irqchip_deliver(struct x86_vm *vm, struct lapic *src, const struct apic_msg *m)
{
	struct lapic_domain *domain = &vm->irqchip.domain;
	struct lapic_map *map;
	int ret = -1;

	rcu_read_lock();
	map = rcu_dereference(domain->map);
	if (likely(map))
		ret = lapic_deliver(domain, map, src, m);
	rcu_read_unlock();
	return ret;
}

/* ---- MSI (SDM 3 11.11) ---- */

/* With 32-bit ids, bits 31:8 of the id lie in address_hi, whose low byte must be 0. */
static bool msi_valid(const struct x86_vm *vm, const struct msi_msg_raw *msi)
{
	return !vm->x2apic_format || !(msi->address_hi & 0xff);
}

static void msi_decode(const struct x86_vm *vm, const struct msi_msg_raw *msi,
		       struct apic_msg *m)
{
	u8 mode = msi->data >> 8 & 7;
	bool hint = msi->address_lo & BIT(3);

	*m = (struct apic_msg){
		.dest		= msi->address_lo >> 12 & 0xff,
		.vector		= msi->data,
		/* The redirection hint lets the chipset choose one of several. */
		.mode		= hint && mode == DM_FIXED ? DM_LOWEST : mode,
		.logical	= msi->address_lo & BIT(2),
		.level		= (msi->data & BIT(15)) && mode <= DM_LOWEST,
		.assert		= true,
	};
	if (vm->x2apic_format)
		m->dest |= msi->address_hi & 0xffffff00;
}

static int msi_send(struct x86_vm *vm, const struct msi_msg_raw *msi)
{
	struct apic_msg m;

	trace_kvm_msi_set_irq((u64)msi->address_hi << 32 | msi->address_lo, msi->data);
	if (!msi_valid(vm, msi))
		return -EINVAL;
	msi_decode(vm, msi, &m);
	return irqchip_deliver(vm, NULL, &m);
}

static int set_msi(struct vm *vm, const struct irq_route *route, int source, int level,
		   bool status)
{
	return level ? msi_send(to_x86_vm(vm), &route->msi) : -1;
}

long vm_signal_msi(struct ioctl_ctx *c)
{
	const struct kvm_msi *msi = c->data;
	struct msi_msg_raw raw = {
		.address_lo	= msi->address_lo,
		.address_hi	= msi->address_hi,
		.data		= msi->data,
	};
	int ret;

	if (!arch_irqchip_in_kernel(c->vm) || msi->flags)
		return -EINVAL;
	ret = msi_send(to_x86_vm(c->vm), &raw);
	/* Nobody there, or software-disabled: the guest does not take it (api.rst: 0). */
	return ret == -1 ? 0 : ret;
}

/* ---- pins ---- */

static int set_pic(struct vm *vm, const struct irq_route *route, int source, int level, bool status)
{
	return pic_dev_set_irq(to_x86_vm(vm), route->irqchip.irqchip * 8 + route->irqchip.pin,
			       source, level);
}

static int set_ioapic(struct vm *vm, const struct irq_route *route, int source, int level,
		      bool status)
{
	return ioapic_dev_set_irq(to_x86_vm(vm), route->irqchip.pin, source, level, status);
}

static int init_pin(struct x86_vm *vm, struct irq_route *route)
{
	/* Routes of the full set are installed before the mode says so. */
	if (READ_ONCE(vm->irqchip.mode) == IRQCHIP_SPLIT)
		return -EINVAL;
	if (route->irqchip.irqchip == KVM_IRQCHIP_IOAPIC) {
		if (route->irqchip.pin >= IOAPIC_PINS)
			return -EINVAL;
		route->set = set_ioapic;
		return 0;
	}
	if (route->irqchip.pin >= PIC_PINS / 2)
		return -EINVAL;
	route->set = set_pic;
	return 0;
}

/*
 * Split: an EOI is reported for vectors that an I/O APIC pin in userspace raises as a level. Known before anybody
 * can raise it. A vector stays in the map when its route goes, or never comes: what is in service still has
 * to be reported, and TMR keeps edges out.
 */
static void note_level(struct x86_vm *vm, const struct irq_route *route)
{
	if (READ_ONCE(vm->irqchip.mode) == IRQCHIP_SPLIT && route->gsi < vm->irqchip.split_pins &&
	    route->msi.data & BIT(15))
		set_bit(route->msi.data & 0xff, vm->irqchip.split_level);
}

int arch_irq_route_init(struct vm *v, struct irq_route *route,
			const struct kvm_irq_routing_entry *ue)
{
	struct x86_vm *vm = to_x86_vm(v);

	switch (route->type) {
	case KVM_IRQ_ROUTING_IRQCHIP:
		return init_pin(vm, route);
	case KVM_IRQ_ROUTING_MSI:
		if (!msi_valid(vm, &route->msi))
			return -EINVAL;
		route->set = set_msi;
		note_level(vm, route);
		return 0;
	default:
		return -EINVAL;
	}
}

/* May it be that all local APICs are asked? Of a pin the message is not known here. */
static bool asks_all(struct x86_vm *vm, const struct irq_route *route)
{
	struct lapic_map *map;
	struct apic_msg m;
	bool all = true;

	if (route->type != KVM_IRQ_ROUTING_MSI)
		return true;
	msi_decode(vm, &route->msi, &m);
	rcu_read_lock();
	map = rcu_dereference(vm->irqchip.domain.map);
	if (map)
		all = lapic_asks_all(map, &m);
	rcu_read_unlock();
	return all;
}

int arch_irq_set_atomic(struct vm *v, const struct irq_route *route, int source, int level)
{
	/* Not all of many vCPUs under the eventfd's lock. */
	if (atomic_read(&v->nr_vcpus) > IRQCHIP_FEW_VCPUS && asks_all(to_x86_vm(v), route))
		return -EWOULDBLOCK;
	return route->set(v, route, source, level, false);
}

void arch_irq_routing_changed(struct vm *v)
{
	struct x86_vm *vm = to_x86_vm(v);

	if (READ_ONCE(vm->irqchip.mode) == IRQCHIP_FULL)
		ioapic_dev_ack_pins_changed(vm);
}

void arch_irq_ack_notifiers_changed(struct vm *v)
{
	ioapic_dev_ack_pins_changed(to_x86_vm(v));
}
