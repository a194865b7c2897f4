// SPDX-License-Identifier: GPL-2.0-only
/* Local APIC: requests, service and priorities (SDM 3 11.8, APM 2 16.6). */
#include "lapic.h"

#define NR_VEC_WORDS	8

static u32 posted_word(const struct lapic *a, unsigned int n)
{
	u64 bits = READ_ONCE(a->posted[n / 2]);

	if (unlikely(a->pir))
		bits |= READ_ONCE(a->pir[n / 2]);
	return bits >> (n % 2 * 32);
}

/*
 * irr_words is a summary of IRR that may say too much, never too little: who
 * sets an IRR bit sets the summary bit after it; the vCPU's own thread, which
 * alone clears, looks at the word once more after it has cleared the summary bit.
 */
static __always_inline int highest_irr(const struct lapic *a, bool posted)
{
	unsigned long words = READ_ONCE(a->irr_words);

	while (words) {
		unsigned int n = __fls(words);
		u32 bits = lapic_get(a, LAPIC_IRR + n * 0x10) | (posted ? posted_word(a, n) : 0);

		if (likely(bits))
			return n * 32 + __fls(bits);
		words &= ~BIT(n);
	}
	return -1;
}

int lapic_highest_irr(const struct lapic *a)
{
	return highest_irr(a, true);
}

int lapic_highest_taken(const struct lapic *a)
{
	return highest_irr(a, false);
}

static bool word_in_use(const struct lapic *a, unsigned int n)
{
	return lapic_get(a, LAPIC_IRR + n * 0x10) || posted_word(a, n);
}

static void lapic_or(struct lapic *a, u32 reg, u32 bits)
{
	lapic_put(a, reg, lapic_get(a, reg) | bits);
}

static u64 take_word(u64 *word)
{
	/* A full barrier: what the sender has done before is seen by the guest's handler. */
	return READ_ONCE(*word) ? xchg(word, 0) : 0;
}

void lapic_take_posted(struct lapic *a)
{
	unsigned long words = READ_ONCE(a->irr_words);
	unsigned int n;
	u64 bits;

	for (; words; words &= words - 1) {
		n = __ffs(words) / 2;
		bits = take_word(&a->posted[n]);
		if (unlikely(a->pir))
			bits |= take_word(&a->pir[n]);
		if (!bits)
			continue;
		lapic_or(a, LAPIC_IRR + n * 0x20, bits);
		lapic_or(a, LAPIC_IRR + n * 0x20 + 0x10, bits >> 32);
	}
}

static void clear_irr(struct lapic *a, u8 vector)
{
	unsigned int n = vector >> 5;

	clear_bit(vector & 31, lapic_word(a, LAPIC_IRR, vector));
	if (word_in_use(a, n))
		return;
	clear_bit(n, &a->irr_words);
	smp_mb__after_atomic();	/* summary before word; pairs with lapic_accept_fixed() */
	if (word_in_use(a, n))
		set_bit(n, &a->irr_words);
}

int lapic_highest_isr(const struct lapic *a)
{
	unsigned long words = a->isr_words;
	unsigned int n;
	u32 bits;

	/* Where hardware ends interrupts the summary may name a word that is empty by now. */
	for (; words; words &= ~BIT(n)) {
		n = __fls(words);
		bits = lapic_get(a, LAPIC_ISR + n * 0x10);
		if (likely(bits))
			return n * 32 + __fls(bits);
	}
	return -1;
}

/* SDM 3 11.8.3.1: the higher class of TPR and the vector in service. */
void lapic_update_ppr(struct lapic *a)
{
	int isr = lapic_highest_isr(a);
	u8 tpr = lapic_get(a, LAPIC_TPR);
	u8 ppr = isr >= 0 && (isr & 0xf0) > (tpr & 0xf0) ? isr & 0xf0 : tpr;

	lapic_put(a, LAPIC_PPR, ppr);
	a->gate = a->mode == LAPIC_OFF ? 0xff : ppr & 0xf0;
	/* What the old priority held back may be due now, or be held back by the TPR, which has to be watched then. */
	if (unlikely(READ_ONCE(a->irr_words)) && lapic_highest_irr(a) >= 0)
		lapic_out_recheck(a);
}

void lapic_set_tpr(struct lapic *a, u8 tpr)
{
	if (lapic_get(a, LAPIC_TPR) == tpr)
		return;
	lapic_put(a, LAPIC_TPR, tpr);
	lapic_update_ppr(a);
}

/* The summaries and the gate again, from whatever the registers hold now. */
void lapic_recount(struct lapic *a)
{
	unsigned long isr = 0;
	unsigned int n;

	WRITE_ONCE(a->irr_words, 0);
	smp_mb();	/* whoever found a summary bit still set has set its IRR bit before */
	for (n = 0; n < NR_VEC_WORDS; n++) {
		if (word_in_use(a, n))
			set_bit(n, &a->irr_words);
		if (lapic_get(a, LAPIC_ISR + n * 0x10))
			isr |= BIT(n);
	}
	a->isr_words = isr;
	lapic_update_ppr(a);
}

void lapic_update_lint0(struct lapic *a)
{
	u32 lvt0 = lapic_get(a, LAPIC_LVT0);
	bool on = a->mode != LAPIC_OFF && !(lvt0 & LVT_MASKED);
	bool nmi = on && LVT_MODE(lvt0) == DM_NMI;

	/* An APIC that is off leaves the CPU with its INTR pin: the PIC's (SDM 3 11.4.3). */
	WRITE_ONCE(a->extint_ok, a->mode == LAPIC_OFF || (on && LVT_MODE(lvt0) == DM_EXTINT));
	if (nmi != a->lint0_nmi) {
		a->lint0_nmi = nmi;
		lapic_out_lint0_nmi(a, nmi);
	}
	/* The PIC's line may be up already. */
	if (a->extint_ok)
		lapic_out_recheck(a);
}

static void set_tmr(struct lapic *a, u8 vector, bool level)
{
	unsigned long *word = lapic_word(a, LAPIC_TMR, vector);

	if (test_bit(vector & 31, word) == level)
		return;
	if (level)
		set_bit(vector & 31, word);
	else
		clear_bit(vector & 31, word);
	WRITE_ONCE(a->eoi_stale, true);
}

/*
 * May the CPU take the request while the guest runs? Not if its EOI is waited for: which EOIs exit is told to the CPU
 * before an entry, and the request has to come behind that.
 */
static bool for_pir(const struct lapic *a, u8 vector, bool level)
{
	return unlikely(a->pir) && READ_ONCE(a->hw) && !level && !test_bit(vector, a->domain->edge_eoi);
}

/* True: it waits already. */
static bool post(struct lapic *a, u8 vector, bool pir)
{
	unsigned long *posted = (unsigned long *)a->posted;

	/* What this request is about comes before the look: who is about to take the old one sees it. */
	smp_mb();
	if (lapic_vec_test(a, LAPIC_IRR, vector))
		return true;
	if (unlikely(pir))
		return test_bit(vector, posted) || test_and_set_bit(vector, (unsigned long *)a->pir);
	return test_and_set_bit(vector, posted);
}

int lapic_accept_fixed(struct lapic *a, u8 vector, bool level)
{
	bool was, pir = for_pir(a, vector, level);
	unsigned int n = vector >> 5;

	if (unlikely(!READ_ONCE(a->sw_enabled)))
		return -1;
	if (unlikely(vector < 16)) {
		lapic_error(a, ESR_RECV_VECTOR);
		return 0;
	}
	set_tmr(a, vector, level);
	if (a->domain->posting)
		was = post(a, vector, pir);
	else
		was = test_and_set_bit(vector & 31, lapic_word(a, LAPIC_IRR, vector));
	/* The atomic above is a full barrier: the word before the summary. */
	if (!test_bit(n, &a->irr_words))
		set_bit(n, &a->irr_words);
	if (was)
		return 0;	/* who set it kicks */
	if (unlikely(pir))
		lapic_out_posted(a, vector);
	else
		lapic_out_irq(a, vector, level);
	return 1;
}

static int accept_init(struct lapic *a, const struct apic_msg *m)
{
	/* A level de-assert only synchronises arbitration ids, which nobody has any more. */
	if (m->level && !m->assert)
		return 0;
	lapic_out_init(a);
	return 1;
}

int lapic_accept(struct lapic *a, const struct apic_msg *m)
{
	switch (m->mode) {
	case DM_FIXED:
	case DM_LOWEST:
		return lapic_accept_fixed(a, m->vector, m->level);
	case DM_SMI:
		/* There is no SMM (KVM_CAP_X86_SMM is 0): it is lost. */
		return 0;
	case DM_NMI:
		lapic_out_nmi(a);
		return 1;
	case DM_INIT:
		return accept_init(a, m);
	case DM_SIPI:
		lapic_out_sipi(a, m->vector);
		return 1;
	case DM_EXTINT:
		WRITE_ONCE(a->extint_msg, true);
		lapic_out_extint(a);
		return 1;
	default:
		return -1;
	}
}

int lapic_local_deliver(struct lapic *a, u32 lvt_reg)
{
	u32 lvt = lapic_get(a, lvt_reg);
	struct apic_msg m = {
		.vector	= lvt & LVT_VECTOR,
		.mode	= LVT_MODE(lvt),
		.assert	= true,
	};

	if (READ_ONCE(a->mode) == LAPIC_OFF || (lvt & LVT_MASKED))
		return -1;
	/* SDM 3 11.5.1: only these are valid in an LVT. Timer and error LVT have no mode field. */
	if (m.mode == DM_LOWEST || m.mode == DM_SIPI || m.mode == DM_RESERVED)
		return -1;
	return lapic_accept(a, &m);
}

/*
 * An error for ESR; the first since ESR was written last raises the error
 * interrupt (SDM 3 11.5.3). An illegal vector in the error LVT itself must not
 * come back here for ever: the bit that was set already ends it.
 */
void lapic_error(struct lapic *a, u32 esr_bit)
{
	if (!test_and_set_bit(__ffs(esr_bit), &a->esr_pending))
		lapic_local_deliver(a, LAPIC_LVT_ERROR);
}

int lapic_ack(struct lapic *a)
{
	int vec = lapic_pending(a);

	if (vec < 0)
		return -1;
	if (a->domain->posting)
		lapic_take_posted(a);
	clear_irr(a, vec);
	__set_bit(vec & 31, lapic_word(a, LAPIC_ISR, vec));
	a->isr_words |= BIT(vec >> 5);
	/* It was above the gate, so its class is the priority now. */
	lapic_put(a, LAPIC_PPR, vec & 0xf0);
	a->gate = vec & 0xf0;
	return vec;
}

/* Somebody beside the APIC waits for the EOI of @vec. */
static bool eoi_awaited(const struct lapic *a, u8 vec)
{
	return lapic_vec_test(a, LAPIC_TMR, vec) || test_bit(vec, a->domain->edge_eoi);
}

void lapic_eoi_done(struct lapic *a, u8 vec)
{
	bool level;

	if (likely(!eoi_awaited(a, vec)))
		return;
	level = lapic_vec_test(a, LAPIC_TMR, vec);
	if (level && a->eoi_suppress_works && (lapic_get(a, LAPIC_SVR) & SVR_EOI_SUPPRESS))
		return;
	lapic_out_eoi(a, vec, level);
}

static void end_service(struct lapic *a, int vec)
{
	__clear_bit(vec & 31, lapic_word(a, LAPIC_ISR, vec));
	if (!lapic_get(a, LAPIC_ISR + (vec >> 5) * 0x10))
		a->isr_words &= ~BIT(vec >> 5);
	lapic_update_ppr(a);
}

void lapic_eoi(struct lapic *a)
{
	int vec;

	/* The CPU may have changed ISR and come back to the same highest vector. */
	if (unlikely(a->hw))
		lapic_recount(a);
	vec = lapic_highest_isr(a);
	if (vec < 0)
		return;
	end_service(a, vec);
	lapic_eoi_done(a, vec);
}

bool lapic_eoi_alone(struct lapic *a)
{
	int vec = lapic_highest_isr(a);

	if (vec < 0)
		return true;
	if (eoi_awaited(a, vec))
		return false;
	end_service(a, vec);
	return true;
}

/* SDM 3 11.8.5: what an EOI can set in motion is a held-back request, or a message to an I/O APIC. */
bool lapic_eoi_is_silent(const struct lapic *a)
{
	int vec = lapic_highest_isr(a);

	return vec >= 0 && lapic_highest_irr(a) < 0 && !eoi_awaited(a, vec);
}

bool lapic_vector_in_use(struct lapic *a, u8 vector)
{
	return lapic_vec_test(a, LAPIC_IRR, vector) || lapic_vec_test(a, LAPIC_ISR, vector) ||
	       posted_word(a, vector >> 5) & BIT(vector & 31);
}
