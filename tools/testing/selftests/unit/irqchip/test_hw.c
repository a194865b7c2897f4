// SPDX-License-Identifier: GPL-2.0-only
/*
 * The register page while a CPU keeps it (SDM 3C 30.2): a model of that CPU delivers, ends and requests
 * interrupts in it; others post. What was requested is delivered once, by priority, and the register logic takes
 * over at any time.
 */
#include <stdlib.h>
#include <string.h>
#include "machine.h"
#include "unit.h"

static bool wanted[256], serving[256];	/* what the model of the guest expects */

static int top(const bool *set)
{
	int v;

	for (v = 255; v >= 0 && !set[v]; v--)
		;
	return v;
}

static void word_set(struct lapic *a, u32 reg, u8 v, bool on)
{
	u32 val = lapic_get(a, reg + (v >> 5) * 16);

	lapic_put(a, reg + (v >> 5) * 16, on ? val | 1u << (v & 31) : val & ~(1u << (v & 31)));
}

static int page_top(struct lapic *a, u32 reg)
{
	int n;

	for (n = 7; n >= 0; n--)
		if (lapic_get(a, reg + n * 16))
			return n * 32 + (int)__fls(lapic_get(a, reg + n * 16));
	return -1;
}

/* ---- the CPU (SDM 3C 30.1.3, 30.1.4, 30.2) ---- */

static int rvi, svi;
static u64 eoi_exits[4];	/* EOI-exit bitmap */

static void cpu_ppr(struct lapic *a)
{
	u8 tpr = lapic_get(a, LAPIC_TPR);

	lapic_put(a, LAPIC_PPR, (tpr & 0xf0) >= (svi & 0xf0) ? tpr : svi & 0xf0);
}

static void cpu_deliver(struct lapic *a)
{
	while ((rvi & 0xf0) > (int)(lapic_get(a, LAPIC_PPR) & 0xf0)) {
		word_set(a, LAPIC_IRR, rvi, false);
		word_set(a, LAPIC_ISR, rvi, true);
		ok(top(wanted) == rvi, "delivers %#x, expected %#x", rvi, top(wanted));
		wanted[rvi] = false;
		serving[rvi] = true;
		svi = rvi;
		lapic_put(a, LAPIC_PPR, svi & 0xf0);
		rvi = page_top(a, LAPIC_IRR);
		rvi = rvi < 0 ? 0 : rvi;
	}
}

static void cpu_eoi(struct lapic *a)
{
	if (!svi)
		return;
	ok(top(serving) == svi, "ends %#x, expected %#x", svi, top(serving));
	serving[svi] = false;
	word_set(a, LAPIC_ISR, svi, false);
	if (eoi_exits[svi / 64] >> (svi % 64) & 1)
		lapic_eoi_done(a, svi);
	else if (a->pir)
		ok(!lapic_vec_test(a, LAPIC_TMR, svi), "the EOI of %#x is missed", svi);
	svi = page_top(a, LAPIC_ISR);
	svi = svi < 0 ? 0 : svi;
	cpu_ppr(a);
}

/* The notification has come (SDM 3C 30.6). */
static void cpu_notified(struct lapic *a)
{
	u64 bits;
	int n;

	for (n = 0; a->pir && n < 4; n++) {
		bits = a->pir[n];
		a->pir[n] = 0;
		for (; bits; bits &= bits - 1) {
			int v = n * 64 + __builtin_ctzll(bits);

			word_set(a, LAPIC_IRR, v, true);
			rvi = v > rvi ? v : rvi;
		}
	}
}

static void cpu_self_ipi(struct lapic *a, u8 v)
{
	word_set(a, LAPIC_IRR, v, true);
	wanted[v] = true;
	rvi = v > rvi ? v : rvi;
}

/* ---- what hw_apic.c does ---- */

static int seen_rvi, seen_svi;

static void set_hw(struct lapic *a, bool on)
{
	if (a->hw == on)
		return;
	a->hw = on;
	lapic_recount(a);
	a->eoi_stale = true;
}

static void enter(struct lapic *a)
{
	int irr, isr;

	lapic_take_posted(a);
	irr = lapic_highest_taken(a);
	isr = lapic_highest_isr(a);
	rvi = seen_rvi = irr < 0 ? 0 : irr;
	svi = seen_svi = isr < 0 ? 0 : isr;
	cpu_ppr(a);
	if (!a->eoi_stale)
		return;
	a->eoi_stale = false;
	for (irr = 0; irr < 8; irr += 2)
		eoi_exits[irr / 2] = lapic_get(a, LAPIC_TMR + irr * 16) |
				     (u64)lapic_get(a, LAPIC_TMR + irr * 16 + 16) << 32;
}

static void leave(struct lapic *a)
{
	if (rvi != seen_rvi || svi != seen_svi || rvi)
		lapic_recount(a);
	else
		a->gate = lapic_get(a, LAPIC_PPR) & 0xf0;
	ok(lapic_highest_isr(a) == page_top(a, LAPIC_ISR), "in service");
	ok(lapic_highest_isr(a) == top(serving), "in service as the guest sees it");
	ok(lapic_highest_irr(a) == top(wanted),
	   "requested: %#x, expected %#x, in the page %#x, words %#lx", lapic_highest_irr(a),
	   top(wanted), page_top(a, LAPIC_IRR), a->irr_words);
}

/* True: the guest has to be left for it. */
static bool post(struct lapic *a)
{
	u8 v = 16 + rnd() % 240;
	bool was = wanted[v], level = rnd() & 1, direct;
	u32 irqs = m.cpu[0].irqs, notes = m.cpu[0].notes;
	int ret;

	/* With one vector for both, what waits decides; when the CPU may have it already nobody could. */
	if (was && a->pir)
		level = lapic_vec_test(a, LAPIC_TMR, v);
	direct = a->pir && a->hw && !level;
	/* What waits where the CPU may take it is no reason not to kick. */
	if (a->pir && !direct)
		was &= !(a->pir[v / 64] >> (v % 64) & 1);
	ret = lapic_accept_fixed(a, v, level);

	ok(ret == (was ? 0 : 1), "%#x: %d, waiting %d", v, ret, was);
	ok(m.cpu[0].irqs - irqs == (was || direct ? 0 : 1), "one kick for each that is new");
	ok(m.cpu[0].notes - notes == (was || !direct ? 0 : 1), "or one notification");
	wanted[v] = true;
	return !direct;
}

/* The guest runs: with interrupts on or off, and others go on posting. */
static void guest(struct lapic *a)
{
	unsigned int i, n = rnd() % 8;

	for (i = 0; i < n; i++) {
		switch (rnd() % 6) {
		case 0:
		case 1:
			cpu_eoi(a);
			break;
		case 2:
			cpu_self_ipi(a, 16 + rnd() % 240);
			break;
		case 3:
			lapic_put(a, LAPIC_TPR, rnd() % 4 ? 0 : rnd() & 0xff);
			cpu_ppr(a);
			break;
		case 4:
			/* Posted meanwhile: the kick ends the run before the CPU hears of it. */
			if (post(a)) {
				leave(a);
				enter(a);
			}
			break;
		default:
			/* Interrupts on. */
			cpu_notified(a);
			cpu_deliver(a);
		}
	}
}

/* The register logic at work between two runs. */
static void software(struct lapic *a)
{
	int v;

	switch (rnd() % 5) {
	case 0:
		v = lapic_ack(a);
		if (v < 0)
			break;
		ok(v == top(wanted), "acknowledged %#x, expected %#x", v, top(wanted));
		wanted[v] = false;
		serving[v] = true;
		break;
	case 1:
		v = top(serving);
		lapic_eoi(a);
		if (v >= 0)
			serving[v] = false;
		break;
	case 2:
		lapic_set_tpr(a, rnd() % 4 ? 0 : rnd() & 0xff);
		break;
	default:
		post(a);
	}
}

static void check_page(u64 *pir)
{
	unsigned int i;

	unit_case(pir ? "and takes posted requests: every EOI that somebody waits for exits" :
			"hardware keeps the register page: every request once, by priority");
	machine_init(1, NULL, true);
	m.domain.posting = true;
	lapic(0)->pir = pir;
	lapic(0)->eoi_stale = true;
	memset(wanted, 0, sizeof(wanted));
	memset(serving, 0, sizeof(serving));
	rnd_seed(5);
	for (i = 0; i < 200000; i++) {
		set_hw(lapic(0), rnd() % 8);
		software(lapic(0));
		set_hw(lapic(0), true);
		enter(lapic(0));
		guest(lapic(0));
		leave(lapic(0));
	}
	machine_free();
}

static void check_state(void)
{
	struct kvm_lapic_state s;
	struct lapic *a;

	unit_case("posted requests are in the state, and go with it");
	machine_init(1, NULL, true);
	m.domain.posting = true;
	a = lapic(0);
	lapic_accept_fixed(a, 0x41, true);
	ok(!lapic_vec_test(a, LAPIC_IRR, 0x41), "not in the page yet");
	ok(lapic_pending(a) == 0x41 && lapic_vector_in_use(a, 0x41), "but pending");
	ok(a->eoi_stale, "its EOI is to be reported");
	lapic_get_state(a, &s);
	ok(s.regs[LAPIC_IRR + 0x20] == 2, "in the state");
	ok(lapic_vec_test(a, LAPIC_IRR, 0x41), "and in the page");
	lapic_accept_fixed(a, 0x51, false);
	s.regs[LAPIC_IRR + 0x20] = 4;
	lapic_set_state(a, &s);
	ok(lapic_ack(a) == 0x42 && lapic_pending(a) < 0, "new state, new requests");
	lapic_accept_fixed(a, 0x61, false);
	lapic_reset(a, true, true, false);
	ok(lapic_highest_irr(a) < 0, "INIT drops them");
	machine_free();
}

/* The guest has written the page; the register logic looks afterwards. */
static void wrote(struct lapic *a, u32 reg, u32 val)
{
	lapic_put(a, reg, val);
	lapic_wrote(a, reg);
}

static void check_wrote(void)
{
	static const u32 regs[] = {
		LAPIC_ID, LAPIC_LDR, LAPIC_DFR, LAPIC_SVR, LAPIC_ESR, LAPIC_ICR, LAPIC_ICR2,
		LAPIC_LVT_TIMER, LAPIC_LVT_THERMAL, LAPIC_LVT_PC, LAPIC_LVT0, LAPIC_LVT1,
		LAPIC_LVT_ERROR, LAPIC_TMICT, LAPIC_TDCR,
	};
	struct kvm_lapic_state s, t;
	unsigned int i, k;

	unit_case("a register written in the page is as one written by MMIO");
	machine_init(2, NULL, true);
	m.domain.posting = true;
	rnd_seed(7);
	for (i = 0; i < 2; i++)
		x1_write(lapic(i), LAPIC_LVT0, 0x10000);
	for (i = 0; i < 20000; i++) {
		u32 reg = regs[rnd() % ARRAY_SIZE(regs)], val = rnd() & rnd();

		if (i % 50 == 0)
			val |= 0x100;
		x1_write(lapic(0), reg, val);
		wrote(lapic(1), reg, val);
		while (take(lapic(0)) >= 0)
			;
		while (take(lapic(1)) >= 0)
			;
		lapic_get_state(lapic(0), &s);
		lapic_get_state(lapic(1), &t);
		/* Each is itself, and sends to others. */
		for (k = 0; k < LAPIC_REGS_SIZE; k += 16)
			if (k != LAPIC_ID && k != LAPIC_TMCCT && k != LAPIC_ESR &&
			    !(k >= LAPIC_ISR && k < LAPIC_ESR))
				ok(*(u32 *)(s.regs + k) == *(u32 *)(t.regs + k),
				   "register %#x after %#x to %#x", k, val, reg);
		ok(m.cpu[0].a.timer.mode == m.cpu[1].a.timer.mode &&
		   m.cpu[0].a.sw_enabled == m.cpu[1].a.sw_enabled &&
		   m.cpu[0].a.extint_ok == m.cpu[1].a.extint_ok, "what follows from them");
	}
	machine_free();
}

/* Where they wait, and that everybody who looks at IRR sees them. */
static void check_pir(void)
{
	struct kvm_lapic_state s;
	u64 pir[4] = {};
	struct lapic *a;

	unit_case("requests that the CPU may take itself");
	machine_init(1, NULL, true);
	m.domain.posting = true;
	a = lapic(0);
	a->pir = pir;
	lapic_accept_fixed(a, 0x41, false);
	ok(!pir[1] && m.cpu[0].irqs == 1, "none while the CPU does not keep the registers");
	a->hw = true;
	ok(lapic_accept_fixed(a, 0x51, false) == 1 && pir[1] == 1ull << 17, "an edge");
	ok(m.cpu[0].irqs == 1 && m.cpu[0].notes == 1, "a notification and no kick");
	ok(!lapic_accept_fixed(a, 0x51, false) && !lapic_accept_fixed(a, 0x41, false) &&
	   m.cpu[0].notes == 1, "once");
	ok(lapic_accept_fixed(a, 0x61, true) == 1 && pir[1] == 1ull << 17 && m.cpu[0].irqs == 2,
	   "no level");
	m.domain.edge_eoi[1] = 1ull << 49;
	ok(lapic_accept_fixed(a, 0x71, false) == 1 && pir[1] == 1ull << 17 && m.cpu[0].irqs == 3,
	   "no edge whose EOI is waited for");
	lapic_accept_fixed(a, 0xf1, false);
	ok(lapic_pending(a) == 0xf1 && lapic_vector_in_use(a, 0xf1), "pending");
	ok(lapic_highest_taken(a) < 0, "but not in the page yet");
	lapic_get_state(a, &s);
	ok(s.regs[LAPIC_IRR + 0x72] == 2 && !pir[3] && !pir[1], "in the state");
	ok(lapic_highest_taken(a) == 0xf1, "and in the page");
	lapic_accept_fixed(a, 0x81, false);
	lapic_reset(a, true, true, false);
	ok(lapic_highest_irr(a) < 0 && !pir[2], "INIT drops them");
	machine_free();
}

int main(void)
{
	u64 pir[4] = {};

	check_page(NULL);
	check_page(pir);
	check_pir();
	check_state();
	check_wrote();
	return unit_done();
}
