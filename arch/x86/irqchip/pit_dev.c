// SPDX-License-Identifier: GPL-2.0-only
/* The PIT as a device of a VM: lock, ports, timer, interrupts on GSI 0, and its ioctls. */
#include <linux/ktime.h>
#include <linux/string.h>
#include <linux/uaccess.h>
#include <keel/ioctl.h>
#include "virt/compat/compat.h"
#include "arch/x86/x86.h"

#define PIT_GSI		0
#define PIT_PORT	0x40
#define PIT_PORTS	4
#define SPEAKER_PORT	0x61

static struct x86_vm *vm_of(struct pit *pit)
{
	return container_of(pit, struct x86_vm, irqchip.pit.pit);
}

static bool pit_exists(struct x86_vm *vm)
{
	/* Pairs with the release in create_pit(). */
	return smp_load_acquire(&vm->irqchip.pit.exists);
}

/* ---- what the register logic asks for ---- */

u64 pit_in_now(struct pit *pit)
{
	return ktime_get_ns();
}

void pit_out_timer(struct pit *pit, u64 deadline_ns)
{
	struct hrtimer *timer = &vm_of(pit)->irqchip.pit.timer;

	/* No waiting for the callback here: it wants the lock that we hold. */
	if (deadline_ns)
		hrtimer_start(timer, ns_to_ktime(deadline_ns), HRTIMER_MODE_ABS_HARD);
	else
		hrtimer_try_to_cancel(timer);
}

/* The NMI watchdog of old: LINT0 of the local APICs set to NMI. */
static void lint0_nmis(struct x86_vm *vm)
{
	struct vcpu *v;
	unsigned int i;

	vm_for_each_vcpu(&vm->vm, i, v) {
		if (READ_ONCE(to_x86(v)->apic.lapic.lint0_nmi))
			lapic_local_deliver(&to_x86(v)->apic.lapic, LAPIC_LVT0);
	}
}

int pit_out_irq(struct pit *pit)
{
	struct x86_vm *vm = vm_of(pit);
	int ret = irq_set(&vm->vm, KEEL_PIT_IRQ_SOURCE, PIT_GSI, 1, false);

	irq_set(&vm->vm, KEEL_PIT_IRQ_SOURCE, PIT_GSI, 0, false);
	if (unlikely(atomic_read(&vm->irqchip.lint0_nmi)))
		lint0_nmis(vm);
	return ret;
}

static void tick(struct vm_pit *d)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&d->lock, flags);
	/* If there is to be another tick, this starts the timer. */
	pit_fire(&d->pit);
	raw_spin_unlock_irqrestore(&d->lock, flags);
}

static void tick_work(struct work_struct *work)
{
	tick(container_of(work, struct vm_pit, tick));
}

static enum hrtimer_restart timer_fired(struct hrtimer *timer)
{
	struct vm_pit *d = container_of(timer, struct vm_pit, timer);

	/*
	 * A tick may be every vCPU's (LVT0 as NMI, a broadcast): for many of them, and as often as a guest may
	 * ask for it, that is too much for an interrupt. What comes while a tick waits is counted with it.
	 */
	if (atomic_read(&vm_of(&d->pit)->vm.nr_vcpus) > IRQCHIP_FEW_VCPUS)
		queue_work(system_dfl_wq, &d->tick);
	else
		tick(d);
	return HRTIMER_NORESTART;
}

static void irq_acked(struct irq_ack_notifier *an)
{
	struct vm_pit *d = container_of(an, struct vm_pit, ack);
	unsigned long flags;

	raw_spin_lock_irqsave(&d->lock, flags);
	pit_acked(&d->pit);
	raw_spin_unlock_irqrestore(&d->lock, flags);
}

void pit_dev_unmasked(struct x86_vm *vm)
{
	struct vm_pit *d = &vm->irqchip.pit;
	unsigned long flags;

	if (!pit_exists(vm))
		return;
	raw_spin_lock_irqsave(&d->lock, flags);
	pit_reset_reinject(&d->pit);
	raw_spin_unlock_irqrestore(&d->lock, flags);
}

/* ---- ports ---- */

static int pit_dev_read(struct vcpu *v, struct io_device *dev, gpa_t addr, int len, void *val)
{
	struct vm_pit *d = container_of(dev, struct vm_pit, dev);
	unsigned long flags;
	u8 *bytes = val;
	int i;

	raw_spin_lock_irqsave(&d->lock, flags);
	for (i = 0; i < len; i++)
		bytes[i] = pit_read(&d->pit, addr + i);
	raw_spin_unlock_irqrestore(&d->lock, flags);
	return 0;
}

static int pit_dev_write(struct vcpu *v, struct io_device *dev, gpa_t addr, int len,
			 const void *val)
{
	struct vm_pit *d = container_of(dev, struct vm_pit, dev);
	const u8 *bytes = val;
	unsigned long flags;
	int i;

	raw_spin_lock_irqsave(&d->lock, flags);
	for (i = 0; i < len; i++)
		pit_write(&d->pit, addr + i, bytes[i]);
	raw_spin_unlock_irqrestore(&d->lock, flags);
	return 0;
}

static const struct io_device_ops pit_dev_ops = {
	.read	= pit_dev_read,
	.write	= pit_dev_write,
};

static int speaker_read(struct vcpu *v, struct io_device *dev, gpa_t addr, int len, void *val)
{
	struct vm_pit *d = container_of(dev, struct vm_pit, speaker_dev);
	unsigned long flags;

	memset(val, 0, len);
	raw_spin_lock_irqsave(&d->lock, flags);
	*(u8 *)val = pit_speaker_read(&d->pit);
	raw_spin_unlock_irqrestore(&d->lock, flags);
	return 0;
}

static int speaker_write(struct vcpu *v, struct io_device *dev, gpa_t addr, int len,
			 const void *val)
{
	struct vm_pit *d = container_of(dev, struct vm_pit, speaker_dev);
	unsigned long flags;

	raw_spin_lock_irqsave(&d->lock, flags);
	pit_speaker_write(&d->pit, *(const u8 *)val);
	raw_spin_unlock_irqrestore(&d->lock, flags);
	return 0;
}

static const struct io_device_ops speaker_ops = {
	.read	= speaker_read,
	.write	= speaker_write,
};

/* ---- lifetime ---- */

void pit_dev_init(struct x86_vm *vm)
{
	struct vm_pit *d = &vm->irqchip.pit;

	raw_spin_lock_init(&d->lock);
	hrtimer_setup(&d->timer, timer_fired, CLOCK_MONOTONIC, HRTIMER_MODE_ABS_HARD);
	INIT_WORK(&d->tick, tick_work);
	d->ack.gsi = PIT_GSI;
	d->ack.acked = irq_acked;
	d->dev.ops = &pit_dev_ops;
	d->speaker_dev.ops = &speaker_ops;
}

void pit_dev_stop(struct x86_vm *vm)
{
	struct vm_pit *d = &vm->irqchip.pit;
	unsigned long flags;

	raw_spin_lock_irqsave(&d->lock, flags);
	d->pit.deadline = 0;
	raw_spin_unlock_irqrestore(&d->lock, flags);
	hrtimer_cancel(&d->timer);
	/* Without a deadline it starts no timer. */
	cancel_work_sync(&d->tick);
}

static int register_ports(struct x86_vm *vm, u32 flags)
{
	struct vm_pit *d = &vm->irqchip.pit;
	int ret;

	mutex_lock(&vm->vm.slots_lock);
	ret = io_bus_register(&vm->vm, BUS_PIO, PIT_PORT, PIT_PORTS, &d->dev);
	if (!ret && (flags & KVM_PIT_SPEAKER_DUMMY)) {
		ret = io_bus_register(&vm->vm, BUS_PIO, SPEAKER_PORT, 1, &d->speaker_dev);
		if (ret)
			io_bus_detach(&vm->vm, BUS_PIO, &d->dev);
	}
	mutex_unlock(&vm->vm.slots_lock);
	return ret;
}

/* vm->lock held. */
static long create_pit(struct x86_vm *vm, u32 flags)
{
	struct vm_pit *d = &vm->irqchip.pit;
	int ret;

	if (d->exists)
		return -EEXIST;
	if (!irqchip_has_pic_in_kernel(vm))
		return -ENOENT;
	pit_init(&d->pit);
	d->pit.min_period_ns = max(keel_min_timer_period_us, 1u) * NSEC_PER_USEC;
	ret = register_ports(vm, flags);
	if (ret)
		return ret;
	/* Pairs with the acquire in pit_exists(). */
	smp_store_release(&d->exists, true);
	irq_ack_register(&vm->vm, &d->ack);
	return 0;
}

/* ---- ioctls ---- */

static long vm_create_pit(struct ioctl_ctx *c)
{
	return create_pit(to_x86_vm(c->vm), 0);
}

static long vm_create_pit2(struct ioctl_ctx *c)
{
	const struct kvm_pit_config *config = c->data;

	return create_pit(to_x86_vm(c->vm), config->flags);
}

static int get_state(struct x86_vm *vm, struct kvm_pit_state2 *s)
{
	struct vm_pit *d = &vm->irqchip.pit;
	unsigned long flags;

	if (!pit_exists(vm))
		return -ENXIO;
	raw_spin_lock_irqsave(&d->lock, flags);
	pit_get_state(&d->pit, s);
	raw_spin_unlock_irqrestore(&d->lock, flags);
	return 0;
}

static int set_state(struct x86_vm *vm, const struct kvm_pit_state2 *s)
{
	struct vm_pit *d = &vm->irqchip.pit;
	unsigned long flags;

	if (!pit_exists(vm))
		return -ENXIO;
	raw_spin_lock_irqsave(&d->lock, flags);
	pit_set_state(&d->pit, s);
	raw_spin_unlock_irqrestore(&d->lock, flags);
	return 0;
}

static long vm_get_pit2(struct ioctl_ctx *c)
{
	return get_state(to_x86_vm(c->vm), c->data);
}

static long vm_set_pit2(struct ioctl_ctx *c)
{
	return set_state(to_x86_vm(c->vm), c->data);
}

/* The older form has no flags: they stay as they are. */
static long vm_get_pit(struct ioctl_ctx *c)
{
	struct kvm_pit_state *old = c->data;
	struct kvm_pit_state2 s;
	int ret = get_state(to_x86_vm(c->vm), &s);

	if (!ret)
		memcpy(old->channels, s.channels, sizeof(old->channels));
	return ret;
}

/* Its number says read, though it is written. */
static long vm_set_pit(struct ioctl_ctx *c)
{
	struct kvm_pit_state old;
	struct kvm_pit_state2 s;
	int ret;

	if (copy_from_user(&old, c->uarg, sizeof(old)))
		return -EFAULT;
	ret = get_state(to_x86_vm(c->vm), &s);
	if (ret)
		return ret;
	memcpy(s.channels, old.channels, sizeof(s.channels));
	return set_state(to_x86_vm(c->vm), &s);
}

static long vm_reinject_control(struct ioctl_ctx *c)
{
	struct x86_vm *vm = to_x86_vm(c->vm);
	struct vm_pit *d = &vm->irqchip.pit;
	struct kvm_reinject_control control;
	unsigned long flags;

	if (copy_from_user(&control, c->uarg, sizeof(control)))
		return -EFAULT;
	if (!pit_exists(vm))
		return -ENXIO;
	raw_spin_lock_irqsave(&d->lock, flags);
	if (d->pit.reinject != !!control.pit_reinject) {
		d->pit.reinject = control.pit_reinject;
		pit_reset_reinject(&d->pit);
	}
	raw_spin_unlock_irqrestore(&d->lock, flags);
	return 0;
}

static const struct ioctl_row irqchip_pit_ioctls_rows[] = {
	{ KVM_CREATE_PIT,	IOC_RAW | IOC_VM_LOCK,	vm_create_pit },
	{ KVM_CREATE_PIT2,	IOC_VM_LOCK,		vm_create_pit2 },
	{ KVM_GET_PIT,		0,			vm_get_pit },
	{ KVM_SET_PIT,		IOC_RAW,		vm_set_pit },
	{ KVM_GET_PIT2,		0,			vm_get_pit2 },
	{ KVM_SET_PIT2,		0,			vm_set_pit2 },
	{ KVM_REINJECT_CONTROL,	IOC_RAW,		vm_reinject_control },
};
IOCTL_TABLE(irqchip_pit_ioctls);
