// SPDX-License-Identifier: GPL-2.0-only
/* The PIC pair as a device of a VM: lock, ports, its way to the CPU. */
#include <linux/string.h>
#include "virt/compat/compat.h"
#include "arch/x86/x86.h"
#include "arch/x86/trace.h"

#define PIC_PORTS	2

static const u16 pic_ports[] = { 0x20, 0xa0, 0x4d0 };

static struct vm_pic *pic_of(struct x86_vm *vm)
{
	return &vm->irqchip.pic;
}

/* Whoever takes the PIC's interrupts: the first in the order of creation, usually the BSP. */
static void kick_taker(struct x86_vm *vm)
{
	struct vcpu *v;
	unsigned int i;

	vm_for_each_vcpu(&vm->vm, i, v) {
		struct lapic *a = &to_x86(v)->apic.lapic;

		if (READ_ONCE(a->extint_ok) || READ_ONCE(a->extint_msg)) {
			irqchip_kick(to_x86(v));
			return;
		}
	}
}

/* What a change asks for, to be done with no lock held. */
struct pic_after {
	unsigned long	acked;
	bool		kick;
	bool		unmasked;
};

/* Lock held. */
static struct pic_after pic_collect(struct vm_pic *d)
{
	struct pic_after after = {
		.acked		= d->pic.acked,
		.kick		= d->pic.out && !d->was_out,
		.unmasked	= d->pic.unmasked & 1,
	};

	d->pic.acked = 0;
	d->pic.unmasked = 0;
	d->was_out = d->pic.out;
	return after;
}

static void pic_do(struct x86_vm *vm, struct pic_after after)
{
	unsigned int pin;

	if (after.kick)
		kick_taker(vm);
	if (unlikely(after.unmasked))
		pit_dev_unmasked(vm);
	if (!after.acked)
		return;
	for_each_set_bit(pin, &after.acked, PIC_PINS)
		irq_ack(&vm->vm, pin >> 3, pin & 7);
}

int pic_dev_set_irq(struct x86_vm *vm, unsigned int pin, int source, int level)
{
	struct vm_pic *d = pic_of(vm);
	struct pic_after after;
	unsigned long flags;
	int ret;

	raw_spin_lock_irqsave(&d->lock, flags);
	ret = pic_set_irq(&d->pic, pin, source, level);
	trace_kvm_pic_set_irq(pin >> 3, pin & 7, d->pic.chip[pin >> 3 & 1].s.elcr,
			      d->pic.chip[pin >> 3 & 1].s.imr, ret == 0);
	after = pic_collect(d);
	raw_spin_unlock_irqrestore(&d->lock, flags);
	pic_do(vm, after);
	return ret;
}

int pic_dev_ack(struct x86_vm *vm)
{
	struct vm_pic *d = pic_of(vm);
	struct pic_after after;
	unsigned long flags;
	int vector;

	if (READ_ONCE(vm->irqchip.mode) != IRQCHIP_FULL)
		return -1;
	raw_spin_lock_irqsave(&d->lock, flags);
	vector = pic_ack(&d->pic);
	after = pic_collect(d);
	raw_spin_unlock_irqrestore(&d->lock, flags);
	pic_do(vm, after);
	return vector;
}

static int pic_dev_read(struct vcpu *v, struct io_device *dev, gpa_t addr, int len, void *val)
{
	struct vm_pic *d = container_of(dev, struct vm_pic, dev);
	struct x86_vm *vm = to_x86_vm(v->vm);
	struct pic_after after;
	unsigned long flags;
	u8 *bytes = val;
	int i;

	raw_spin_lock_irqsave(&d->lock, flags);
	for (i = 0; i < len; i++)
		bytes[i] = pic_read(&d->pic, addr + i);
	after = pic_collect(d);
	raw_spin_unlock_irqrestore(&d->lock, flags);
	pic_do(vm, after);
	return 0;
}

static int pic_dev_write(struct vcpu *v, struct io_device *dev, gpa_t addr, int len,
			 const void *val)
{
	struct vm_pic *d = container_of(dev, struct vm_pic, dev);
	struct x86_vm *vm = to_x86_vm(v->vm);
	const u8 *bytes = val;
	struct pic_after after;
	unsigned long flags;
	int i;

	raw_spin_lock_irqsave(&d->lock, flags);
	for (i = 0; i < len; i++)
		pic_write(&d->pic, addr + i, bytes[i]);
	after = pic_collect(d);
	raw_spin_unlock_irqrestore(&d->lock, flags);
	pic_do(vm, after);
	return 0;
}

static const struct io_device_ops pic_dev_ops = {
	.read	= pic_dev_read,
	.write	= pic_dev_write,
};

void pic_dev_init(struct x86_vm *vm)
{
	struct vm_pic *d = pic_of(vm);

	raw_spin_lock_init(&d->lock);
	d->dev.ops = &pic_dev_ops;
}

int pic_dev_create(struct x86_vm *vm)
{
	struct vm_pic *d = pic_of(vm);
	unsigned int i;
	int ret = 0;

	pic_init(&d->pic);
	d->was_out = false;
	mutex_lock(&vm->vm.slots_lock);
	for (i = 0; i < ARRAY_SIZE(pic_ports) && !ret; i++)
		ret = io_bus_register(&vm->vm, BUS_PIO, pic_ports[i], PIC_PORTS, &d->dev);
	mutex_unlock(&vm->vm.slots_lock);
	if (ret)
		pic_dev_detach(vm);
	return ret;
}

/* Accesses under way end before the VM does; the device lies in the VM. */
void pic_dev_detach(struct x86_vm *vm)
{
	unsigned int i;

	mutex_lock(&vm->vm.slots_lock);
	for (i = 0; i < ARRAY_SIZE(pic_ports); i++)
		io_bus_detach(&vm->vm, BUS_PIO, &pic_of(vm)->dev);
	mutex_unlock(&vm->vm.slots_lock);
}

void pic_dev_get(struct x86_vm *vm, unsigned int chip, struct kvm_pic_state *s)
{
	struct vm_pic *d = pic_of(vm);
	unsigned long flags;

	raw_spin_lock_irqsave(&d->lock, flags);
	pic_get_state(&d->pic, chip, s);
	raw_spin_unlock_irqrestore(&d->lock, flags);
}

void pic_dev_set(struct x86_vm *vm, unsigned int chip, const struct kvm_pic_state *s)
{
	struct vm_pic *d = pic_of(vm);
	struct pic_after after;
	unsigned long flags;

	raw_spin_lock_irqsave(&d->lock, flags);
	pic_set_state(&d->pic, chip, s);
	/* Whatever the vCPUs knew, the state is another one. */
	d->was_out = false;
	after = pic_collect(d);
	raw_spin_unlock_irqrestore(&d->lock, flags);
	pic_do(vm, after);
}
