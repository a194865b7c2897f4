// SPDX-License-Identifier: GPL-2.0-only
/* All controllers of a small VM at once: the input is a list of accesses and events. */
#include <stdlib.h>
#include "machine.h"

struct input {
	const u8 *p, *end;
};

static u64 get(struct input *in, unsigned int bytes)
{
	u64 v = 0;

	while (bytes-- && in->p < in->end)
		v = v << 8 | *in->p++;
	return v;
}

static void ioapic_settle(void)
{
	u32 acked = m.io.acked;

	m.io.acked = 0;
	m.io.unmasked = 0;
	if (acked & 5)
		pit_acked(&m.pit);
	ioapic_redeliver(&m.io, acked);
}

static void guest(struct input *in, struct lapic *a)
{
	u64 val;
	u8 buf[8];
	u32 off, len;

	switch (get(in, 1) % 8) {
	case 0:
		off = get(in, 1) << 4;
		val = get(in, 4);
		lapic_mmio_write(a, off & 0xfff, 4, &val);
		break;
	case 1:
		off = get(in, 2) & 0xfff;
		len = 1 << get(in, 1) % 4;
		lapic_mmio_read(a, off, len, buf);
		break;
	case 2:
		off = get(in, 1);
		lapic_msr_write(a, 0x800 + off, get(in, 8));
		break;
	case 3:
		lapic_msr_read(a, 0x800 + get(in, 1), &val);
		break;
	case 4:
		lapic_set_base(a, APIC_BASE_DEFAULT | get(in, 2), 0x2ff, get(in, 1) & 1);
		break;
	case 5:
		lapic_timer_set_deadline(a, get(in, 8));
		break;
	case 6:
		lapic_set_tpr(a, get(in, 1));
		break;
	default:
		if (take(a) >= 0 && m.cpu[0].eois) {
			ioapic_eoi(&m.io, m.cpu[0].eoi_vector);
			ioapic_settle();
		}
	}
}

static void chips(struct input *in)
{
	static const u16 ports[] = { 0x20, 0x21, 0xa0, 0xa1, 0x4d0, 0x4d1 };

	switch (get(in, 1) % 8) {
	case 0:
		pic_write(&m.pic, ports[get(in, 1) % 6], get(in, 1));
		break;
	case 1:
		pic_read(&m.pic, ports[get(in, 1) % 6]);
		break;
	case 2:
		ioapic_write(&m.io, get(in, 1) & 0xf0, get(in, 4));
		ioapic_settle();
		break;
	case 3:
		pit_write(&m.pit, 0x40 + get(in, 1) % 4, get(in, 1));
		break;
	case 4:
		pit_read(&m.pit, 0x40 + get(in, 1) % 4);
		break;
	case 5:
		pit_speaker_write(&m.pit, get(in, 1));
		pit_speaker_read(&m.pit);
		break;
	case 6:
		pic_ack(&m.pic);
		break;
	default:
		ioapic_set_irq(&m.io, get(in, 1), get(in, 1), get(in, 1) & 1, get(in, 1) & 1);
		pic_set_irq(&m.pic, get(in, 1), get(in, 1), get(in, 1) & 1);
	}
}

static void state(struct input *in)
{
	union {
		struct kvm_lapic_state lapic;
		struct kvm_ioapic_state ioapic;
		struct kvm_pic_state pic;
		struct kvm_pit_state2 pit;
	} s;
	u32 i, n = get(in, 1);
	struct lapic *a = lapic(n & 3);

	switch (n >> 2 & 3) {
	case 0:
		lapic_get_state(a, &s.lapic);
		for (i = 0; i < 8; i++)
			s.lapic.regs[get(in, 2) & 0x3ff] = get(in, 1);
		lapic_set_state(a, &s.lapic);
		break;
	case 1:
		ioapic_get_state(&m.io, &s.ioapic);
		for (i = 0; i < 8; i++)
			((u8 *)&s)[get(in, 1) % sizeof(s.ioapic)] = get(in, 1);
		ioapic_set_state(&m.io, &s.ioapic);
		break;
	case 2:
		for (i = 0; i < sizeof(s.pic); i++)
			((u8 *)&s)[i] = get(in, 1);
		pic_set_state(&m.pic, n >> 4 & 1, &s.pic);
		break;
	default:
		pit_get_state(&m.pit, &s.pit);
		for (i = 0; i < 8; i++)
			((u8 *)&s)[get(in, 1) % sizeof(s.pit)] = get(in, 1);
		pit_set_state(&m.pit, &s.pit);
	}
}

static void check(void)
{
	u32 i, w;

	for (i = 0; i < m.nr; i++) {
		struct lapic *a = lapic(i);

		for (w = 0; w < 8; w++) {
			if (lapic_get(a, LAPIC_IRR + w * 16) && !(a->irr_words & BIT(w)))
				abort();
			if (!!lapic_get(a, LAPIC_ISR + w * 16) != !!(a->isr_words & BIT(w)))
				abort();
		}
		if (m.cpu[i].timer >> 63 || lapic_timer_tmcct(a) > lapic_get(a, LAPIC_TMICT))
			abort();
	}
	for (i = 0; i < IOAPIC_PINS; i++) {
		if ((m.io.rte[i] & RTE_REMOTE_IRR) && !(m.io.rte[i] & RTE_LEVEL))
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, data + size };

	machine_init(4, NULL, true);
	while (in.p < in.end) {
		u8 what = get(&in, 1);
		u64 ns;

		switch (what >> 4 & 7) {
		case 0 ... 3:
			guest(&in, lapic(what & 3));
			break;
		case 4:
		case 5:
			chips(&in);
			break;
		case 6:
			state(&in);
			break;
		default:
			ns = get(&in, 5);
			/* At most 6 callbacks of a clamped timer in each 200 us, and a few one-shots. */
			if (machine_run(ns % 2000000) > 200)
				abort();
			if (machine_pause(ns << 8) > 16)
				abort();
		}
		check();
	}
	machine_free();
	return 0;
}
