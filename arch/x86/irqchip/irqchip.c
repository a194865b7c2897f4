// SPDX-License-Identifier: GPL-2.0-only
/* Which interrupt controllers a VM has, their creation, and the ioctls of the chips. */
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <keel/ioctl.h>
#include "virt/compat/compat.h"
#include "arch/x86/x86.h"

/* Named as in KVM; for LAPIC and PIT. A guest gets no faster periodic timer than this. */
unsigned int keel_min_timer_period_us = 200;
module_param_named(min_timer_period_us, keel_min_timer_period_us, uint, 0644);
MODULE_PARM_DESC(min_timer_period_us, "Shortest period of a guest's periodic timers, in us");

bool irqchip_lapic_in_kernel(const struct x86_vm *vm)
{
	return READ_ONCE(vm->irqchip.mode) != IRQCHIP_NONE;
}

bool irqchip_has_pic_in_kernel(const struct x86_vm *vm)
{
	return READ_ONCE(vm->irqchip.mode) == IRQCHIP_FULL;
}

bool arch_irqchip_in_kernel(struct vm *vm)
{
	/* Pairs with the release at the end of a creation. */
	return smp_load_acquire(&to_x86_vm(vm)->irqchip.mode) != IRQCHIP_NONE;
}

bool arch_irqchip_full(struct vm *vm)
{
	/* Pairs with the release at the end of a creation. */
	return smp_load_acquire(&to_x86_vm(vm)->irqchip.mode) == IRQCHIP_FULL;
}

unsigned int arch_irqchip_ready(struct vm *vm)
{
	return arch_irqchip_in_kernel(vm);
}

/* ---- lifetime ---- */

void irqchip_vm_init(struct x86_vm *vm)
{
	struct vm_irqchip *chip = &vm->irqchip;

	chip->mode = IRQCHIP_NONE;
	chip->domain.broadcast_quirk = true;
	chip->domain.posting = keel_vendor.caps.hw_apicv;
	mutex_init(&chip->grow_mutex);
	spin_lock_init(&chip->map_lock);
	pic_dev_init(vm);
	ioapic_dev_init(vm);
	pit_dev_init(vm);
}

void irqchip_vm_pre_destroy(struct x86_vm *vm)
{
	/* The PIT first: its ticks go through the I/O APIC. */
	pit_dev_stop(vm);
	ioapic_dev_stop(vm);
}

void irqchip_vm_destroy(struct x86_vm *vm)
{
	/* No vCPU, no timer, no irqfd: nobody reads the map. */
	kvfree(rcu_dereference_protected(vm->irqchip.domain.map, true));
	RCU_INIT_POINTER(vm->irqchip.domain.map, NULL);
}

void irqchip_api_changed(struct x86_vm *vm)
{
	WRITE_ONCE(vm->irqchip.domain.x2apic_format, vm->x2apic_format);
	WRITE_ONCE(vm->irqchip.domain.broadcast_quirk, !vm->x2apic_broadcast_off);
}

/* GSI 0-15 to PIC and I/O APIC, 16-23 to the I/O APIC alone (api.rst, KVM_CREATE_IRQCHIP). */
static int default_routing(struct x86_vm *vm)
{
	const unsigned int nr = PIC_PINS + IOAPIC_PINS;
	struct kvm_irq_routing_entry *e;
	unsigned int gsi, n = 0;
	int ret;

	e = kcalloc(nr, sizeof(*e), GFP_KERNEL);
	if (!e)
		return -ENOMEM;
	for (gsi = 0; gsi < IOAPIC_PINS; gsi++) {
		e[n].gsi = gsi;
		e[n].type = KVM_IRQ_ROUTING_IRQCHIP;
		e[n].u.irqchip.irqchip = KVM_IRQCHIP_IOAPIC;
		e[n++].u.irqchip.pin = gsi;
		if (gsi >= PIC_PINS)
			continue;
		e[n].gsi = gsi;
		e[n].type = KVM_IRQ_ROUTING_IRQCHIP;
		e[n].u.irqchip.irqchip = gsi < 8 ? KVM_IRQCHIP_PIC_MASTER : KVM_IRQCHIP_PIC_SLAVE;
		e[n++].u.irqchip.pin = gsi & 7;
	}
	ret = irq_routing_set(&vm->vm, e, n);
	kfree(e);
	return ret;
}

/* vCPUs get their local APIC at creation, so the chips come first. vm->lock held. */
static long vm_create_irqchip(struct ioctl_ctx *c)
{
	struct x86_vm *vm = to_x86_vm(c->vm);
	int ret;

	if (vm->irqchip.mode != IRQCHIP_NONE)
		return -EEXIST;
	if (c->vm->created_vcpus)
		return -EINVAL;
	ret = pic_dev_create(vm);
	if (ret)
		return ret;
	ret = ioapic_dev_create(vm);
	if (ret)
		goto no_ioapic;
	ret = default_routing(vm);
	if (ret)
		goto no_routing;
	/* Pairs with the acquire of those who then use the chips. */
	smp_store_release(&vm->irqchip.mode, IRQCHIP_FULL);
	return 0;

no_routing:
	mutex_lock(&c->vm->slots_lock);
	io_bus_detach(c->vm, BUS_MMIO, &vm->irqchip.ioapic.dev);
	mutex_unlock(&c->vm->slots_lock);
no_ioapic:
	pic_dev_detach(vm);
	return ret;
}

int irqchip_create_split(struct x86_vm *vm, u32 nr_routes)
{
	if (nr_routes > KEEL_MAX_GSIS)
		return -EINVAL;
	if (vm->irqchip.mode != IRQCHIP_NONE || vm->vm.created_vcpus)
		return -EEXIST;
	vm->irqchip.split_pins = nr_routes;
	/* Pairs with the acquire of arch_irqchip_in_kernel(). */
	smp_store_release(&vm->irqchip.mode, IRQCHIP_SPLIT);
	return 0;
}

int irqchip_set_bus_ns(struct x86_vm *vm, u64 ns)
{
	if (!ns || ns > LAPIC_MAX_BUS_NS)
		return -EINVAL;
	if (vm->irqchip.mode == IRQCHIP_NONE)
		return -ENXIO;
	if (vm->vm.created_vcpus)
		return -EINVAL;
	vm->irqchip.bus_ns = ns;
	return 0;
}

/* ---- ioctls ---- */

static int get_chip(struct x86_vm *vm, struct kvm_irqchip *chip)
{
	u32 id = chip->chip_id;

	memset(&chip->chip, 0, sizeof(chip->chip));
	switch (id) {
	case KVM_IRQCHIP_PIC_MASTER:
	case KVM_IRQCHIP_PIC_SLAVE:
		pic_dev_get(vm, id, &chip->chip.pic);
		return 0;
	case KVM_IRQCHIP_IOAPIC:
		ioapic_dev_get(vm, &chip->chip.ioapic);
		return 0;
	default:
		return -EINVAL;
	}
}

static int set_chip(struct x86_vm *vm, const struct kvm_irqchip *chip)
{
	switch (chip->chip_id) {
	case KVM_IRQCHIP_PIC_MASTER:
	case KVM_IRQCHIP_PIC_SLAVE:
		pic_dev_set(vm, chip->chip_id, &chip->chip.pic);
		return 0;
	case KVM_IRQCHIP_IOAPIC:
		ioapic_dev_set(vm, &chip->chip.ioapic);
		return 0;
	default:
		return -EINVAL;
	}
}

static long vm_get_irqchip(struct ioctl_ctx *c)
{
	if (!arch_irqchip_full(c->vm))
		return -ENXIO;
	return get_chip(to_x86_vm(c->vm), c->data);
}

static long vm_set_irqchip(struct ioctl_ctx *c)
{
	return arch_irqchip_full(c->vm) ? set_chip(to_x86_vm(c->vm), c->data) : -ENXIO;
}

static long vm_irq_line(struct ioctl_ctx *c)
{
	struct kvm_irq_level *line = c->data;
	bool want_status = c->cmd == KVM_IRQ_LINE_STATUS;
	int ret;

	if (!arch_irqchip_in_kernel(c->vm))
		return -ENXIO;
	ret = irq_set(c->vm, KEEL_USERSPACE_IRQ_SOURCE, line->irq, line->level, want_status);
	if (want_status)
		line->status = ret;
	return 0;
}

static const struct ioctl_row irqchip_vm_ioctls_rows[] = {
	{ KVM_CREATE_IRQCHIP,	IOC_RAW | IOC_VM_LOCK,	vm_create_irqchip },
	{ KVM_GET_IRQCHIP,	0,			vm_get_irqchip },
	/* Its number says read, though it is written. */
	{ KVM_SET_IRQCHIP,	IOC_INPUT,		vm_set_irqchip },
	{ KVM_IRQ_LINE,		0,			vm_irq_line },
	{ KVM_IRQ_LINE_STATUS,	0,			vm_irq_line },
	{ KVM_SIGNAL_MSI,	0,			vm_signal_msi },
};
IOCTL_TABLE(irqchip_vm_ioctls);
