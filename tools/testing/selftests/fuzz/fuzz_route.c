// SPDX-License-Identifier: GPL-2.0-only
/*
 * GSI routing: tables that userspace sets, valid or not, with memory or without, interrupts through
 * them, acknowledge notifiers. A list of the entries that are in force is the model.
 */
#include "shim.h"
#include "input.h"

#define MAX_ENTRIES	40
#define NOTIFIERS	4
#define MAX_CALLS	8

unsigned int fail_alloc;

static struct x86_vm *vm;
static struct kvm_irq_routing_entry now[MAX_ENTRIES];
static u32 nr_now;

/* What was raised: chip (3: an MSI), pin. */
static struct call {
	u32 chip, pin;
	struct apic_msg msg;
} calls[MAX_CALLS];
static u32 nr_calls, nr_delivered;

static struct note {
	struct irq_ack_notifier an;	/* first */
	bool on;
	u32 acked;
} notes[NOTIFIERS];

/* ---- surroundings ---- */

void retire(struct garbage *g, struct retired *r, size_t size)
{
	must(g->srcu == &vm->vm.irq_srcu && !g->srcu->readers);
	free(r);
}

bool arch_irqchip_in_kernel(struct vm *v)
{
	return vm->irqchip.mode != IRQCHIP_NONE;
}

void irqfds_routing_update(struct vm *v)
{
	must(v->irq_lock.held);
}

static void called(u32 chip, u32 pin)
{
	must(nr_calls < MAX_CALLS);
	calls[nr_calls++] = (struct call){ .chip = chip, .pin = pin };
}

int pic_dev_set_irq(struct x86_vm *v, unsigned int pin, int source, int level)
{
	must(pin < 16);
	called(pin / 8, pin % 8);
	return pin % 3 - 1;
}

int ioapic_dev_set_irq(struct x86_vm *v, unsigned int pin, int source, int level, bool status)
{
	must(pin < IOAPIC_PINS);
	called(KVM_IRQCHIP_IOAPIC, pin);
	return pin % 3 - 1;
}

void ioapic_dev_ack_pins_changed(struct x86_vm *v)
{
	must(!v->vm.irq_srcu.readers);
}

int lapic_deliver(struct lapic_domain *d, struct lapic_map *map, struct lapic *src,
		  const struct apic_msg *m)
{
	called(3, 0);
	calls[nr_calls - 1].msg = *m;
	nr_delivered++;
	return m->dest % 3 - 1;
}

bool lapic_asks_all(const struct lapic_map *map, const struct apic_msg *m)
{
	return m->dest % 5 == 0;
}

/* ---- the model ---- */

static bool entry_ok(const struct kvm_irq_routing_entry *e)
{
	switch (e->type) {
	case KVM_IRQ_ROUTING_IRQCHIP:
		return !e->flags && vm->irqchip.mode == IRQCHIP_FULL &&
		       e->u.irqchip.irqchip <= KVM_IRQCHIP_IOAPIC &&
		       e->u.irqchip.pin < (e->u.irqchip.irqchip == KVM_IRQCHIP_IOAPIC ? 24 : 8);
	case KVM_IRQ_ROUTING_MSI:
		return !(e->flags & ~KVM_MSI_VALID_DEVID) &&
		       (!vm->x2apic_format || !(e->u.msi.address_hi & 0xff));
	default:
		return false;
	}
}

static bool table_ok(const struct kvm_irq_routing_entry *e, u32 nr)
{
	u32 i, k;

	for (i = 0; i < nr; i++) {
		if (e[i].gsi >= KEEL_MAX_GSIS || !entry_ok(&e[i]))
			return false;
		for (k = 0; k < i; k++)
			if (e[k].gsi == e[i].gsi &&
			    (e[k].type != KVM_IRQ_ROUTING_IRQCHIP ||
			     e[i].type != KVM_IRQ_ROUTING_IRQCHIP ||
			     e[k].u.irqchip.irqchip == e[i].u.irqchip.irqchip))
				return false;
	}
	return true;
}

/* ---- actions ---- */

static u32 any_gsi(struct input *in)
{
	u8 b = get(in, 1);

	return b < 0xf0 ? b % 32 : b < 0xf8 ? KEEL_MAX_GSIS - 4 + b % 8 : get(in, 4);
}

static void set_table(struct input *in)
{
	struct {
		struct kvm_irq_routing head;
		struct kvm_irq_routing_entry e[MAX_ENTRIES];
	} arg = { .head.nr = get(in, 1) % (MAX_ENTRIES + 1) };
	struct ioctl_ctx c = { .vm = &vm->vm, .uarg = &arg };
	bool fails = !(get(in, 1) % 8), valid;
	long ret;
	u32 i;

	for (i = 0; i < arg.head.nr; i++) {
		struct kvm_irq_routing_entry *e = &arg.e[i];
		u8 kind = get(in, 1);

		e->gsi = any_gsi(in);
		e->type = kind & 1 ? KVM_IRQ_ROUTING_MSI : KVM_IRQ_ROUTING_IRQCHIP;
		if (kind >= 0xf8)
			e->type = get(in, 1);
		e->flags = (kind >> 1 & 15) ? 0 : get(in, 1);
		if (e->type == KVM_IRQ_ROUTING_IRQCHIP) {
			e->u.irqchip.irqchip = get(in, 1) % 4 - (kind & 0x20 ? 1 : 0);
			e->u.irqchip.pin = kind & 0x40 ? get(in, 1) % 8 : get(in, 1) % 26;
		} else {
			e->u.msi.address_lo = get(in, 4);
			e->u.msi.address_hi = kind & 0x40 ? 0 : get(in, 4);
			e->u.msi.data = get(in, 2);
		}
	}
	valid = arch_irqchip_in_kernel(&vm->vm) && table_ok(arg.e, arg.head.nr);
	if (get(in, 1) == 0xff) {
		arg.head.flags = 1;
		valid = false;
	}
	fail_alloc = fails ? 1 + get(in, 1) % 2 : 0;
	ret = irq_routing_ioctls.rows[0].fn(&c);
	if (ret == -ENOMEM) {
		must(fails);
	} else {
		must(ret == (valid ? 0 : -EINVAL));
	}
	fail_alloc = 0;
	if (ret)
		return;
	memcpy(now, arg.e, sizeof(now));
	nr_now = arg.head.nr;
}

static const struct call *find_call(u32 chip, u32 pin)
{
	u32 i;

	for (i = 0; i < nr_calls; i++)
		if (calls[i].chip == chip && (chip == 3 || calls[i].pin == pin))
			return &calls[i];
	return NULL;
}

/* SDM 3 11.11, and the id's upper bits where the VMM asked for them. */
static void check_msg(const struct apic_msg *m, u32 lo, u32 hi, u32 data)
{
	u32 mode = data >> 8 & 7, dest = lo >> 12 & 0xff;

	if (vm->x2apic_format)
		dest |= hi & ~0xffu;
	must(m->dest == dest && m->vector == (data & 0xff) && m->logical == (lo >> 2 & 1));
	must(m->mode == (mode == 0 && lo & 8 ? 1 : mode));
	must(m->level == (mode <= 1 && data & 0x8000) && !m->shorthand);
}

static void raise(u32 gsi, int level)
{
	const struct call *c;
	u32 i, expected = 0;
	int best = -1, ret;

	nr_calls = 0;
	ret = irq_set(&vm->vm, KEEL_USERSPACE_IRQ_SOURCE, gsi, level, false);
	for (i = 0; i < nr_now; i++) {
		if (now[i].gsi != gsi)
			continue;
		if (now[i].type == KVM_IRQ_ROUTING_IRQCHIP) {
			must(find_call(now[i].u.irqchip.irqchip, now[i].u.irqchip.pin));
			expected++;
			continue;
		}
		c = find_call(3, 0);
		must(!c == !level);
		expected += level;
		if (c)
			check_msg(&c->msg, now[i].u.msi.address_lo, now[i].u.msi.address_hi,
				  now[i].u.msi.data);
	}
	must(expected == nr_calls);
	for (i = 0; i < nr_calls; i++) {
		int r = (int)((calls[i].chip == 3 ? calls[i].msg.dest :
			       calls[i].pin + (calls[i].chip == 1 ? 8 : 0)) % 3) - 1;

		if (r >= 0)
			best = (best < 0 ? 0 : best) + r;
	}
	must(ret == best);
}

/* The same without sleeping, as an irqfd does. */
static void raise_atomic(u32 gsi, int level)
{
	struct irq_route routes[KEEL_IRQCHIPS];
	int n, i, idx, r;

	idx = srcu_read_lock(&vm->vm.irq_srcu);
	n = irq_routing_of_gsi(&vm->vm, gsi, routes);
	must(n <= KEEL_IRQCHIPS);
	for (i = 0; i < n; i++) {
		must(routes[i].gsi == gsi);
		nr_calls = 0;
		r = arch_irq_set_atomic(&vm->vm, &routes[i], 0, level);
		if (r == -EWOULDBLOCK)
			must(!nr_calls && vm->vm.nr_vcpus.counter > IRQCHIP_FEW_VCPUS);
	}
	srcu_read_unlock(&vm->vm.irq_srcu, idx);
}

static void signal_msi(struct input *in)
{
	struct kvm_msi msi = {
		.address_lo = get(in, 4), .address_hi = get(in, 4), .data = get(in, 2),
		.flags = get(in, 1) == 0xff,
	};
	struct ioctl_ctx c = { .vm = &vm->vm, .data = &msi };
	long ret;

	nr_calls = 0;
	ret = vm_signal_msi(&c);
	if (vm->irqchip.mode == IRQCHIP_NONE || msi.flags ||
	    (vm->x2apic_format && msi.address_hi & 0xff)) {
		must(ret == -EINVAL && !nr_calls);
		return;
	}
	must(ret >= 0);
	/* Without a map nobody is asked. */
	if (nr_calls)
		check_msg(&calls[0].msg, msi.address_lo, msi.address_hi, msi.data);
}

/* ---- notifiers ---- */

static void acked(struct irq_ack_notifier *an)
{
	container_of(an, struct note, an)->acked++;
}

static void notifier(struct note *n, u32 gsi)
{
	if (n->on)
		irq_ack_unregister(&vm->vm, &n->an);
	n->on = !n->on;
	if (!n->on)
		return;
	n->an.gsi = gsi;
	n->an.acked = acked;
	irq_ack_register(&vm->vm, &n->an);
}

static void acknowledge(u32 chip, u32 pin)
{
	s64 gsi = -1;
	bool any = false;
	u32 i;

	for (i = 0; i < nr_now; i++)
		if (now[i].type == KVM_IRQ_ROUTING_IRQCHIP && now[i].u.irqchip.irqchip == chip &&
		    now[i].u.irqchip.pin == pin)
			gsi = now[i].gsi;	/* the last one holds */
	for (i = 0; i < NOTIFIERS; i++)
		notes[i].acked = 0;
	irq_ack(&vm->vm, chip, pin);
	for (i = 0; i < NOTIFIERS; i++) {
		must(notes[i].acked == (notes[i].on && notes[i].an.gsi == gsi));
		any |= notes[i].acked;
	}
	must(irq_has_ack_notifier(&vm->vm, chip, pin) == any);
}

static void one(struct input *in, u8 op)
{
	switch (op >> 5) {
	case 0:
		set_table(in);
		break;
	case 1:
	case 2:
		raise(any_gsi(in), op & 1);
		break;
	case 3:
		raise_atomic(any_gsi(in), op & 1);
		break;
	case 4:
		signal_msi(in);
		break;
	case 5:
		notifier(&notes[op % NOTIFIERS], any_gsi(in));
		break;
	case 6:
		acknowledge(op % 4, get(in, 1) % 28);
		break;
	default:
		if (op == 0xff)
			acknowledge(get(in, 4), get(in, 4));
		raise(any_gsi(in), 1);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, data + size };
	static struct lapic_map map;
	u8 conf = get(&in, 1);
	u32 i;

	vm = calloc(1, sizeof(*vm));
	vm->vm.users = 1;
	vm->irqchip.mode = conf % 3;
	vm->irqchip.split_pins = conf & 4 ? 24 : 4096;
	vm->x2apic_format = conf & 8;
	vm->irqchip.domain.map = &map;
	vm->vm.nr_vcpus.counter = conf & 16 ? 100 : 1;
	vm->vm.old_routing.srcu = &vm->vm.irq_srcu;
	irq_routing_init(&vm->vm);
	nr_now = 0;
	memset(notes, 0, sizeof(notes));
	while (more(&in))
		one(&in, get(&in, 1));
	for (i = 0; i < NOTIFIERS; i++)
		if (notes[i].on)
			notifier(&notes[i], 0);
	vm->vm.users = 0;
	irq_routing_destroy(&vm->vm);
	free(vm);
	return 0;
}
