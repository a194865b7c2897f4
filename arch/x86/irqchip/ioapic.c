// SPDX-License-Identifier: GPL-2.0-only
/* I/O APIC. The polarity bit changes nothing (KVM_CAP_IOAPIC_POLARITY_IGNORED): up means active. */
#include "ioapic.h"

#define REG_ID		0x00
#define REG_VERSION	0x01
#define REG_ARB		0x02
#define REG_RTE		0x10

#define MMIO_SELECT	0x00
#define MMIO_WINDOW	0x10
#define MMIO_EOI	0x40

#define RTE_READ_ONLY	(RTE_PENDING | RTE_REMOTE_IRR)
/* Bits 63:56 and 16:0; in between nothing is implemented. */
#define RTE_IMPLEMENTED	(0xff00000000000000ull | 0x1ffffull)

static_assert(sizeof(struct kvm_ioapic_state) == 24 + 8 * IOAPIC_PINS);

void ioapic_init(struct ioapic *io)
{
	unsigned int pin;

	memset(io, 0, sizeof(*io));
	io->base = IOAPIC_DEFAULT_BASE;
	io->version = 0x11;
	for (pin = 0; pin < IOAPIC_PINS; pin++)
		io->rte[pin] = RTE_MASKED;
}

void ioapic_msg(u64 rte, struct apic_msg *m)
{
	u8 mode = RTE_MODE(rte);

	*m = (struct apic_msg){
		.dest		= RTE_DEST(rte),
		.vector		= RTE_VECTOR(rte),
		.mode		= mode,
		.logical	= rte & RTE_LOGICAL,
		/* The rest has no EOI: always an edge. */
		.level		= (rte & RTE_LEVEL) && mode <= DM_LOWEST,
		.assert		= true,
	};
}

/* The VMM's RTC emulation counts the ticks that the guest has not handled yet. */
static bool tick_is_refused(struct ioapic *io, unsigned int pin)
{
	u64 rte = io->rte[pin];
	struct apic_msg m;

	if (pin != IOAPIC_RTC_PIN || (rte & (RTE_LEVEL | RTE_MASKED)))
		return false;
	ioapic_msg(rte, &m);
	return ioapic_in_use(io, &m);
}

/* Send the message of @pin. As ioapic_set_irq(). */
static int deliver(struct ioapic *io, unsigned int pin)
{
	u64 rte = io->rte[pin];
	struct apic_msg m;
	int ret;

	if (rte & RTE_MASKED)
		return -1;
	ioapic_msg(rte, &m);
	ret = ioapic_out_deliver(io, &m);
	if (ret >= 0 && m.level)
		io->rte[pin] |= RTE_REMOTE_IRR;
	return ret;
}

static bool wants_service(const struct ioapic *io, unsigned int pin)
{
	u64 rte = io->rte[pin];

	return (io->line & BIT(pin)) && (rte & RTE_LEVEL) && !(rte & (RTE_MASKED | RTE_REMOTE_IRR));
}

int ioapic_set_irq(struct ioapic *io, unsigned int pin, unsigned int source, bool level,
		   bool status)
{
	bool was;

	if (pin >= IOAPIC_PINS || source >= 64)
		return -1;
	pin = array_index_nospec(pin, IOAPIC_PINS);
	/* It leaves no trace: the VMM raises the line once more without having lowered it. */
	if (level && status && tick_is_refused(io, pin))
		return 0;
	was = io->line & BIT(pin);
	if (level)
		__set_bit(source, &io->sources[pin]);
	else
		__clear_bit(source, &io->sources[pin]);
	if (!io->sources[pin]) {
		io->line &= ~BIT(pin);
		return 1;
	}
	io->line |= BIT(pin);
	if (!(io->rte[pin] & RTE_LEVEL)) {
		/* An edge on a masked pin is lost, as the datasheet has it. */
		return was ? 0 : deliver(io, pin);
	}
	if (io->rte[pin] & RTE_REMOTE_IRR || io->held & BIT(pin))
		return 0;
	return deliver(io, pin);
}

/* ---- end of interrupt ---- */

void ioapic_eoi(struct ioapic *io, u8 vector)
{
	unsigned int pin;

	for (pin = 0; pin < IOAPIC_PINS; pin++) {
		if (RTE_VECTOR(io->rte[pin]) != vector || RTE_MODE(io->rte[pin]) > DM_LOWEST)
			continue;
		io->rte[pin] &= ~RTE_REMOTE_IRR;
		io->acked |= BIT(pin);
	}
}

/*
 * The lines of @pins that are still up interrupt again. A guest that never
 * quiets its device would spend all its time here, and before it has a
 * driver it cannot: after many in a row let it run for a while.
 */
void ioapic_redeliver(struct ioapic *io, u32 pins)
{
	unsigned int pin;

	for (pin = 0; pin < IOAPIC_PINS; pin++) {
		if (!(pins & BIT(pin)))
			continue;
		if (!wants_service(io, pin)) {
			io->streak[pin] = 0;
		} else if (++io->streak[pin] < IOAPIC_STORM_EOIS) {
			deliver(io, pin);
		} else {
			io->streak[pin] = 0;
			io->held |= BIT(pin);
			ioapic_out_hold(io);
		}
	}
}

bool ioapic_release(struct ioapic *io)
{
	unsigned int pin;

	if (!io->held)
		return false;
	pin = __ffs(io->held);
	io->held &= ~BIT(pin);
	if (wants_service(io, pin))
		deliver(io, pin);
	return io->held;
}

/* ---- registers ---- */

static void write_rte(struct ioapic *io, unsigned int pin, bool high, u32 val)
{
	u64 old = io->rte[pin], new;

	if (high)
		new = (u64)val << 32 | (u32)old;
	else
		new = (old & ~0xffffffffull) | (val & ~(u32)RTE_READ_ONLY) | (old & RTE_READ_ONLY);
	new &= RTE_IMPLEMENTED;
	/* Remote IRR means nothing for an edge: guests without EOI register clear it so. */
	if (!(new & RTE_LEVEL))
		new &= ~RTE_REMOTE_IRR;
	if (new == old)
		return;
	io->rte[pin] = new;
	io->changed = true;
	if (old & ~new & RTE_MASKED)
		io->unmasked |= BIT(pin);
	/* The EOI of an edge under way will not be found under the new vector. */
	if (!(old & RTE_LEVEL) && RTE_VECTOR(old) != RTE_VECTOR(new))
		io->acked |= BIT(pin);
	if (!high && !(io->held & BIT(pin)) && wants_service(io, pin))
		deliver(io, pin);
}

static u32 read_window(const struct ioapic *io)
{
	u32 pin = (io->regsel - REG_RTE) / 2;

	switch (io->regsel) {
	case REG_ID:
	case REG_ARB:
		return (io->id & 0xf) << 24;
	case REG_VERSION:
		return io->version | (IOAPIC_PINS - 1) << 16;
	}
	if (io->regsel < REG_RTE || pin >= IOAPIC_PINS)
		return ~0u;
	pin = array_index_nospec(pin, IOAPIC_PINS);
	return io->regsel & 1 ? io->rte[pin] >> 32 : io->rte[pin];
}

static void write_window(struct ioapic *io, u32 val)
{
	u32 pin = (io->regsel - REG_RTE) / 2;

	if (io->regsel == REG_ID)
		io->id = val >> 24 & 0xf;
	if (io->regsel < REG_RTE || pin >= IOAPIC_PINS)
		return;
	write_rte(io, array_index_nospec(pin, IOAPIC_PINS), io->regsel & 1, val);
}

u32 ioapic_read(struct ioapic *io, u32 offset)
{
	switch (offset) {
	case MMIO_SELECT:
		return io->regsel;
	case MMIO_WINDOW:
		return read_window(io);
	default:
		return 0;
	}
}

void ioapic_write(struct ioapic *io, u32 offset, u32 val)
{
	switch (offset) {
	case MMIO_SELECT:
		io->regsel = val & 0xff;
		break;
	case MMIO_WINDOW:
		write_window(io, val);
		break;
	case MMIO_EOI:
		if (io->version >= 0x20)
			ioapic_eoi(io, val);
		break;
	}
}

/* ---- state ---- */

void ioapic_get_state(const struct ioapic *io, struct kvm_ioapic_state *s)
{
	unsigned int pin;

	memset(s, 0, sizeof(*s));
	s->base_address = io->base;
	s->ioregsel = io->regsel;
	s->id = io->id;
	for (pin = 0; pin < IOAPIC_PINS; pin++) {
		s->redirtbl[pin].bits = io->rte[pin];
		/* An edge is delivered or lost at once: only levels are ever pending. */
		if ((io->line & BIT(pin)) && (io->rte[pin] & RTE_LEVEL))
			s->irr |= BIT(pin);
	}
}

void ioapic_set_state(struct ioapic *io, const struct kvm_ioapic_state *s)
{
	unsigned int pin;

	io->base = s->base_address;
	io->regsel = s->ioregsel & 0xff;
	io->id = s->id & 0xf;
	io->line = s->irr & (BIT(IOAPIC_PINS) - 1);
	io->held = 0;
	io->changed = true;
	for (pin = 0; pin < IOAPIC_PINS; pin++) {
		io->rte[pin] = s->redirtbl[pin].bits & RTE_IMPLEMENTED;
		if (!(io->rte[pin] & RTE_LEVEL))
			io->rte[pin] &= ~RTE_REMOTE_IRR;
		io->streak[pin] = 0;
	}
	for (pin = 0; pin < IOAPIC_PINS; pin++) {
		if (!(io->line & BIT(pin)))
			continue;
		/* An edge that was pending where the state was taken. */
		if (!(io->rte[pin] & RTE_LEVEL))
			deliver(io, pin);
		else if (wants_service(io, pin))
			deliver(io, pin);
	}
}

void ioapic_edge_vectors(const struct ioapic *io, u32 pins, unsigned long *map)
{
	unsigned int pin;

	for (pin = 0; pin < IOAPIC_PINS; pin++) {
		u64 rte = io->rte[pin];

		if ((pins & BIT(pin)) && !(rte & RTE_LEVEL) && RTE_MODE(rte) <= DM_LOWEST)
			__set_bit(RTE_VECTOR(rte), map);
	}
}
