// SPDX-License-Identifier: GPL-2.0-only
/* IA32_APIC_BASE: every transition; x2APIC MSRs: what is #GP. */
#include "unit.h"
#include "machine.h"

#define RESERVED	(0x2ffull | ~0xfffffffffull)	/* 36 bits of address */

static u64 base_of(int state)
{
	static const u64 bits[] = { 0, APIC_BASE_EN, APIC_BASE_EN | APIC_BASE_EXTD, APIC_BASE_EXTD };

	return APIC_BASE_DEFAULT | APIC_BASE_BSP | bits[state];
}

/* SDM 3 figure 11-27: disabled, xAPIC, x2APIC, invalid. */
static void check_transitions(void)
{
	static const bool legal[4][4] = {
		{ true,  true,  false, false },
		{ true,  true,  true,  false },
		{ true,  false, true,  false },
	};
	int from, to, host;

	unit_case("IA32_APIC_BASE transitions");
	for (from = 0; from < 3; from++) {
		for (to = 0; to < 4; to++) {
			for (host = 0; host < 2; host++) {
				bool want = host ? to != 3 : legal[from][to];
				struct lapic *a;

				machine_init(1, (const u32[]){ 5 }, true);
				a = lapic(0);
				lapic_set_base(a, base_of(from), RESERVED, true);
				ok(a->base == base_of(from), "start");
				ok(!lapic_set_base(a, base_of(to), RESERVED, host) == want,
				   "%d to %d host %d", from, to, host);
				ok(a->base == base_of(want ? to : from), "base");
				ok(a->mode == (want ? to : from), "mode");
				machine_free();
			}
		}
	}
}

static void check_reserved(void)
{
	struct lapic *a;
	int bit;

	unit_case("IA32_APIC_BASE reserved bits");
	machine_init(1, NULL, true);
	a = lapic(0);
	for (bit = 0; bit < 64; bit++) {
		u64 val = base_of(1) ^ BIT_ULL(bit);
		bool bad = RESERVED & BIT_ULL(bit);

		if (bit == 8 || bit == 10 || bit == 11)
			continue;
		ok(lapic_set_base(a, val, RESERVED, false) == bad, "bit %d", bit);
		lapic_set_base(a, base_of(1), RESERVED, true);
	}
	ok(lapic_set_base(a, base_of(2), RESERVED | APIC_BASE_EXTD, true), "no x2APIC in CPUID");
	machine_free();
}

static void check_ids(void)
{
	struct lapic *a;

	unit_case("ids of the modes");
	machine_init(1, (const u32[]){ 0x57 }, true);
	a = lapic(0);
	x1_write(a, LAPIC_LDR, 0xff000000);
	ok(x1_read(a, LAPIC_ID) == 0x57u << 24, "xAPIC");
	to_x2apic(a);
	ok(lapic_get(a, LAPIC_ID) == 0x57, "x2APIC");
	ok(lapic_get(a, LAPIC_LDR) == (5u << 16 | 1 << 7), "LDR");
	lapic_set_base(a, base_of(0), RESERVED, false);
	ok(lapic_pending(a) == -1 && a->extint_ok, "off: the PIC alone");
	lapic_accept_fixed(a, 0x44, false);
	ok(lapic_pending(a) == -1, "off takes nothing");
	lapic_set_base(a, base_of(1), RESERVED, false);
	ok(x1_read(a, LAPIC_ID) == 0x57u << 24 && x1_read(a, LAPIC_LDR) == 0, "back in xAPIC");
	machine_free();
}

static void check_off_stops_timer(void)
{
	struct lapic *a;

	unit_case("an APIC that is switched off has no timer");
	machine_init(1, NULL, true);
	a = lapic(0);
	x1_write(a, LAPIC_LVT_TIMER, 0x20000 | 0x31);
	x1_write(a, LAPIC_TMICT, 1000000);
	ok(m.cpu[0].timer, "armed");
	lapic_set_base(a, base_of(0), RESERVED, false);
	ok(!m.cpu[0].timer && !lapic_timer_tmcct(a), "stopped");
	machine_free();
	machine_init(1, NULL, true);
	a = lapic(0);
	x1_write(a, LAPIC_LVT_TIMER, 2 << 17 | 0x31);
	lapic_timer_set_deadline(a, ~0ull);
	ok(m.cpu[0].timer, "armed");
	lapic_set_base(a, base_of(0), RESERVED, false);
	ok(!m.cpu[0].timer && !lapic_timer_get_deadline(a), "stopped");
	machine_free();
}

/* MSR n: 1 readable, 2 writable (with 0). */
static int expected(u32 n)
{
	switch (n) {
	case 0x02: case 0x03: case 0x0a: case 0x0d: case 0x39:
		return 1;
	case 0x0b: case 0x3f:
		return 2;
	case 0x08: case 0x0f: case 0x28: case 0x30: case 0x38: case 0x3e:
	case 0x32: case 0x33: case 0x34: case 0x35: case 0x36: case 0x37:
		return 3;
	default:
		return n >= 0x10 && n < 0x28 ? 1 : 0;
	}
}

static void check_msr_access(void)
{
	struct lapic *a;
	u32 n;
	u64 v;

	unit_case("x2APIC MSRs: which exist");
	machine_init(1, NULL, true);
	a = lapic(0);
	for (n = 0; n < 0x100; n++)
		ok(lapic_msr_read(a, 0x800 + n, &v) && lapic_msr_write(a, 0x800 + n, 0),
		   "#GP in xAPIC mode: %x", n);
	to_x2apic(a);
	for (n = 0; n < 0x100; n++) {
		/* Vector 0 to oneself is an error for ESR, not #GP. */
		ok((lapic_msr_read(a, 0x800 + n, &v) == 0) == (expected(n) & 1), "read %x", n);
		ok((lapic_msr_write(a, 0x800 + n, 0) == 0) == expected(n) >> 1, "write %x", n);
	}
	a->nr_lvt = 7;
	ok(!lapic_msr_read(a, 0x82f, &v) && !lapic_msr_write(a, 0x82f, 0x10000), "CMCI if offered");
	machine_free();
}

static void check_msr_reserved(void)
{
	static const struct { u32 msr; u64 writable; } regs[] = {
		{ 0x808, 0xff }, { 0x80b, 0 }, { 0x80f, 0x3ff }, { 0x828, 0 },
		{ 0x830, 0xffffffff000cdfffull }, { 0x832, 0x710ff }, { 0x835, 0x1f7ff },
		{ 0x837, 0x110ff }, { 0x838, 0xffffffff }, { 0x83e, 0xb }, { 0x83f, 0xff },
	};
	struct lapic *a;
	u32 i;
	int bit;

	unit_case("x2APIC MSRs: reserved bits are #GP");
	machine_init(1, NULL, true);
	a = lapic(0);
	to_x2apic(a);
	for (i = 0; i < ARRAY_SIZE(regs); i++) {
		for (bit = 0; bit < 64; bit++)
			ok(!lapic_msr_write(a, regs[i].msr, BIT_ULL(bit)) ==
			   !!(regs[i].writable & BIT_ULL(bit)), "%x bit %d", regs[i].msr, bit);
	}
	machine_free();
}

static void check_reset(void)
{
	struct lapic *a;

	unit_case("INIT and power-up");
	machine_init(2, NULL, true);
	a = lapic(1);
	lapic_accept_fixed(a, 0x55, true);
	x1_write(a, LAPIC_LVT_TIMER, 0x20031);
	x1_write(a, LAPIC_TMICT, 123456);
	x1_write(a, LAPIC_ID, 0x77000000);
	lapic_reset(a, true, false, false);
	ok(x1_read(a, LAPIC_ID) == 0x77000000, "INIT keeps the id");
	ok(!m.cpu[1].timer && lapic_pending(a) == -1 && !a->sw_enabled, "reset");
	ok(x1_read(a, LAPIC_LVT0) == LVT_MASKED && x1_read(a, LAPIC_DFR) == ~0u, "registers");
	to_x2apic(a);
	lapic_reset(a, true, false, false);
	ok(a->mode == LAPIC_X2APIC && lapic_get(a, LAPIC_ID) == 1, "INIT keeps x2APIC mode");
	lapic_reset(a, false, false, false);
	ok(a->mode == LAPIC_XAPIC && x1_read(a, LAPIC_ID) == 0x01000000, "power-up does not");
	machine_free();
}

int main(void)
{
	check_transitions();
	check_reserved();
	check_ids();
	check_off_stops_timer();
	check_msr_access();
	check_msr_reserved();
	check_reset();
	return unit_done();
}
