// SPDX-License-Identifier: GPL-2.0-only
/* Local APIC registers: what each may be read and written as, modes, reset, save and restore. */
#include "lapic.h"

static_assert(sizeof(struct kvm_lapic_state) == LAPIC_REGS_SIZE);

enum {
	R_X1 = 1 << 0,		/* readable by MMIO in xAPIC mode */
	W_X1 = 1 << 1,
	R_X2 = 1 << 2,		/* readable by MSR in x2APIC mode; #GP otherwise */
	W_X2 = 1 << 3,
	R_ALL = R_X1 | R_X2,
	W_ALL = W_X1 | W_X2,
};

/* One register, by offset / 16. */
struct lapic_reg {
	u8	access;
	u32	writable;	/* bits that a write changes */
	u32	ignored;	/* read-only bits that a write may hold; the rest is #GP by MSR */
};

#define LVT_COMMON	(LVT_VECTOR | LVT_MASKED)
#define LVT_MODE_BITS	0x700u
#define LVT_LINT	(LVT_COMMON | LVT_MODE_BITS | LVT_POLARITY | LVT_LEVEL)

/* SDM 3 tables 11-1 and 11-6. */
static const struct lapic_reg lapic_regs[LAPIC_REGS_SIZE / 16] = {
	[LAPIC_ID / 16]		 = { R_ALL | W_X1, 0xff000000, 0 },
	[LAPIC_VERSION / 16]	 = { R_ALL, 0, 0 },
	[LAPIC_TPR / 16]	 = { R_ALL | W_ALL, 0xff, 0 },
	[LAPIC_APR / 16]	 = { R_X1, 0, 0 },
	[LAPIC_PPR / 16]	 = { R_ALL, 0, 0 },
	[LAPIC_EOI / 16]	 = { R_X1 | W_ALL, 0, 0 },
	[LAPIC_RRD / 16]	 = { R_X1, 0, 0 },
	[LAPIC_LDR / 16]	 = { R_ALL | W_X1, 0xff000000, 0 },
	[LAPIC_DFR / 16]	 = { R_X1 | W_X1, 0xf0000000, 0 },
	[LAPIC_SVR / 16]	 = { R_ALL | W_ALL, 0x3ff | SVR_EOI_SUPPRESS, 0 },
	/* ISR, TMR and IRR, 8 registers each, lie behind each other. */
	[LAPIC_ISR / 16 ... LAPIC_IRR / 16 + 7] = { R_ALL, 0, 0 },
	[LAPIC_ESR / 16]	 = { R_ALL | W_ALL, 0, 0 },
	[LAPIC_LVT_CMCI / 16]	 = { R_ALL | W_ALL, LVT_COMMON | LVT_MODE_BITS, LVT_PENDING },
	/* By MSR it has its own function. */
	[LAPIC_ICR / 16]	 = { R_ALL | W_ALL, (u32)~ICR_BUSY, 0 },
	[LAPIC_ICR2 / 16]	 = { R_X1 | W_X1, 0xff000000, 0 },
	[LAPIC_LVT_TIMER / 16]	 = { R_ALL | W_ALL, LVT_COMMON | 3 << 17, LVT_PENDING },
	[LAPIC_LVT_THERMAL / 16] = { R_ALL | W_ALL, LVT_COMMON | LVT_MODE_BITS, LVT_PENDING },
	[LAPIC_LVT_PC / 16]	 = { R_ALL | W_ALL, LVT_COMMON | LVT_MODE_BITS, LVT_PENDING },
	[LAPIC_LVT0 / 16]	 = { R_ALL | W_ALL, LVT_LINT, LVT_PENDING | LVT_REMOTE_IRR },
	[LAPIC_LVT1 / 16]	 = { R_ALL | W_ALL, LVT_LINT, LVT_PENDING | LVT_REMOTE_IRR },
	[LAPIC_LVT_ERROR / 16]	 = { R_ALL | W_ALL, LVT_COMMON, LVT_PENDING },
	[LAPIC_TMICT / 16]	 = { R_ALL | W_ALL, 0xffffffff, 0 },
	[LAPIC_TMCCT / 16]	 = { R_ALL, 0, 0 },
	[LAPIC_TDCR / 16]	 = { R_ALL | W_ALL, 0xb, 0 },
	[LAPIC_SELF_IPI / 16]	 = { W_X2, 0xff, 0 },
};

/* The register at @offset as the current mode allows it, or NULL. */
static const struct lapic_reg *reg_lookup(const struct lapic *a, u32 offset, u8 access)
{
	const struct lapic_reg *r;

	if (offset >= LAPIC_REGS_SIZE || (offset & 15))
		return NULL;
	r = &lapic_regs[array_index_nospec(offset / 16, ARRAY_SIZE(lapic_regs))];
	if (!(r->access & access))
		return NULL;
	if (offset == LAPIC_LVT_CMCI && a->nr_lvt < 7)
		return NULL;
	return r;
}

static u32 writable_bits(const struct lapic *a, u32 offset, const struct lapic_reg *r)
{
	if (offset == LAPIC_SVR && !a->eoi_suppress_offered)
		return r->writable & ~SVR_EOI_SUPPRESS;
	if (offset == LAPIC_LVT_TIMER && !a->tsc_deadline_offered)
		return r->writable & ~BIT(18);
	return r->writable;
}

static bool is_lvt(u32 offset)
{
	return offset == LAPIC_LVT_CMCI || (offset >= LAPIC_LVT_TIMER && offset <= LAPIC_LVT_ERROR);
}

void lapic_set_version(struct lapic *a)
{
	/* Version 0x14: an integrated APIC (SDM 3 11.4.8). */
	lapic_put(a, LAPIC_VERSION, 0x14 | (u32)(a->nr_lvt - 1) << 16 |
		  (a->eoi_suppress_offered ? VERSION_EOI_SUPPRESS : 0));
}

static u32 read_reg(struct lapic *a, u32 offset)
{
	switch (offset) {
	case LAPIC_TMCCT:
		return lapic_timer_tmcct(a);
	case LAPIC_EOI:
		return 0;
	default:
		return lapic_get(a, offset);
	}
}

static void set_sw_enabled(struct lapic *a)
{
	WRITE_ONCE(a->sw_enabled, a->mode != LAPIC_OFF && (lapic_get(a, LAPIC_SVR) & SVR_ENABLED));
}

static void write_svr(struct lapic *a, u32 val)
{
	u32 lvt;

	lapic_put(a, LAPIC_SVR, val);
	set_sw_enabled(a);
	if (val & SVR_ENABLED)
		return;
	/* SDM 3 11.4.7.2: software disable masks every LVT and keeps them masked. */
	for (lvt = LAPIC_LVT_TIMER; lvt <= LAPIC_LVT_ERROR; lvt += 16)
		lapic_put(a, lvt, lapic_get(a, lvt) | LVT_MASKED);
	lapic_put(a, LAPIC_LVT_CMCI, lapic_get(a, LAPIC_LVT_CMCI) | LVT_MASKED);
	lapic_update_lint0(a);
}

static void write_lvt(struct lapic *a, u32 offset, u32 val)
{
	if (!(lapic_get(a, LAPIC_SVR) & SVR_ENABLED))
		val |= LVT_MASKED;
	lapic_put(a, offset, val);
	if (offset == LAPIC_LVT_TIMER)
		lapic_timer_write_lvt(a);
	else if (offset == LAPIC_LVT0)
		lapic_update_lint0(a);
}

/* Ids are part of the map; a write that changes nothing costs nothing. */
static void write_id(struct lapic *a, u32 offset, u32 val)
{
	if (offset == LAPIC_DFR)
		val |= 0x0fffffff;
	if (lapic_get(a, offset) == val)
		return;
	lapic_put(a, offset, val);
	lapic_out_moved(a);
}

static void write_reg(struct lapic *a, u32 offset, u32 val)
{
	switch (offset) {
	case LAPIC_TPR:
		lapic_set_tpr(a, val);
		break;
	case LAPIC_ID:
	case LAPIC_LDR:
	case LAPIC_DFR:
		write_id(a, offset, val);
		break;
	case LAPIC_SVR:
		write_svr(a, val);
		break;
	case LAPIC_ESR:
		/* SDM 3 11.5.3: the write latches what happened since the last one. */
		lapic_put(a, LAPIC_ESR, xchg(&a->esr_pending, 0));
		break;
	case LAPIC_ICR:
		lapic_put(a, LAPIC_ICR, val);
		lapic_write_icr(a, val, lapic_get(a, LAPIC_ICR2) >> 24);
		break;
	case LAPIC_TMICT:
		lapic_timer_write_tmict(a, val);
		break;
	case LAPIC_TDCR:
		lapic_put(a, LAPIC_TDCR, val);
		lapic_timer_write_tdcr(a);
		break;
	default:
		if (is_lvt(offset))
			write_lvt(a, offset, val);
		else
			lapic_put(a, offset, val);
	}
}

/* ---- xAPIC: the register page ---- */

void lapic_mmio_read(struct lapic *a, u32 offset, unsigned int len, void *data)
{
	u32 in_reg = offset & 15;
	u8 bytes[16] = {};
	u32 val = 0;

	memset(data, 0, len);
	if (reg_lookup(a, offset & ~15u, R_X1))
		val = read_reg(a, offset & ~15u);
	else
		lapic_error(a, ESR_REGISTER);
	/* Only the first 4 bytes of 16 are the register. */
	memcpy(bytes, &val, sizeof(val));
	if (in_reg + len <= sizeof(bytes))
		memcpy(data, bytes + in_reg, len);
}

void lapic_mmio_write(struct lapic *a, u32 offset, unsigned int len, const void *data)
{
	const struct lapic_reg *r;
	u32 val;

	/* SDM 3 11.4.1: registers are written as aligned doublewords; the rest is undefined. */
	if (len != 4 || (offset & 15))
		return;
	memcpy(&val, data, sizeof(val));
	if (likely(offset == LAPIC_EOI)) {
		lapic_eoi(a);
		return;
	}
	r = reg_lookup(a, offset, W_X1);
	if (r)
		write_reg(a, offset, val & writable_bits(a, offset, r));
	else if (!reg_lookup(a, offset, R_X1))
		lapic_error(a, ESR_REGISTER);
}

void lapic_wrote(struct lapic *a, u32 offset)
{
	const struct lapic_reg *r = reg_lookup(a, offset, W_X1);
	u32 val = lapic_get(a, offset);

	if (!r)
		return;
	val &= writable_bits(a, offset, r);
	switch (offset) {
	case LAPIC_EOI:
		break;
	case LAPIC_ID:
	case LAPIC_LDR:
	case LAPIC_DFR:
		/* The old value is gone: take it for another. */
		lapic_put(a, offset, ~val);
		write_id(a, offset, val);
		break;
	case LAPIC_TMICT:
		if (a->timer.mode == LVTT_DEADLINE)
			lapic_put(a, offset, 0);
		else
			write_reg(a, offset, val);
		break;
	default:
		write_reg(a, offset, val);
	}
}

/* ---- x2APIC: MSRs (SDM 3 11.12.1) ---- */

static u32 msr_offset(u32 msr)
{
	return (msr - LAPIC_X2APIC_MSR) << 4;
}

int lapic_msr_read(struct lapic *a, u32 msr, u64 *val)
{
	u32 offset = msr_offset(msr);

	*val = 0;
	if (a->mode != LAPIC_X2APIC || !reg_lookup(a, offset, R_X2))
		return 1;
	*val = read_reg(a, offset);
	if (offset == LAPIC_ICR)
		*val |= (u64)lapic_get(a, LAPIC_ICR2) << 32;
	return 0;
}

static int msr_write_icr(struct lapic *a, u64 val)
{
	if ((u32)val & ICR_RESERVED)
		return 1;
	val &= ~(u64)ICR_BUSY;
	lapic_put(a, LAPIC_ICR, val);
	lapic_put(a, LAPIC_ICR2, val >> 32);
	lapic_write_icr(a, val, val >> 32);
	return 0;
}

int lapic_msr_write(struct lapic *a, u32 msr, u64 val)
{
	u32 offset = msr_offset(msr), bits;
	const struct lapic_reg *r;

	if (a->mode != LAPIC_X2APIC)
		return 1;
	if (offset == LAPIC_ICR)
		return msr_write_icr(a, val);
	r = reg_lookup(a, offset, W_X2);
	if (!r)
		return 1;
	bits = writable_bits(a, offset, r);
	if (val & ~(u64)(bits | r->ignored))
		return 1;
	if (offset == LAPIC_EOI)
		lapic_eoi(a);
	else if (offset == LAPIC_SELF_IPI)
		lapic_self_ipi(a, val);
	else
		write_reg(a, offset, val & bits);
	return 0;
}

/* ---- modes and reset ---- */

static u8 base_mode(u64 base)
{
	if (!(base & APIC_BASE_EN))
		return LAPIC_OFF;
	return base & APIC_BASE_EXTD ? LAPIC_X2APIC : LAPIC_XAPIC;
}

/* SDM 3 figure 11-27: which change of mode a guest may make. */
static bool mode_change_ok(u8 from, u8 to)
{
	if (to == LAPIC_X2APIC)
		return from != LAPIC_OFF;
	if (to == LAPIC_XAPIC)
		return from != LAPIC_X2APIC;
	return true;
}

static void set_ids(struct lapic *a, u8 old)
{
	if (a->mode == LAPIC_X2APIC) {
		lapic_put(a, LAPIC_ID, a->id);
		lapic_put(a, LAPIC_LDR, lapic_x2apic_ldr(a->id));
	} else if (a->mode == LAPIC_XAPIC) {
		lapic_put(a, LAPIC_ID, a->id << 24);
		if (old != LAPIC_XAPIC) {
			lapic_put(a, LAPIC_LDR, 0);
			lapic_put(a, LAPIC_DFR, 0xffffffff);
		}
	}
}

static void enter_mode(struct lapic *a, u8 mode)
{
	u8 old = a->mode;

	WRITE_ONCE(a->mode, mode);
	if (mode == LAPIC_OFF) {
		lapic_put(a, LAPIC_TMICT, 0);
		lapic_timer_reset(a);
	}
	set_ids(a, old);
	set_sw_enabled(a);
	lapic_update_lint0(a);
	lapic_update_ppr(a);
	lapic_out_moved(a);
}

bool lapic_base_ok(u64 old, u64 val, u64 reserved, bool host)
{
	u8 mode = base_mode(val);

	if ((val & reserved) || (mode == LAPIC_OFF && (val & APIC_BASE_EXTD)))
		return false;
	return host || mode_change_ok(base_mode(old), mode);
}

int lapic_set_base(struct lapic *a, u64 val, u64 reserved, bool host)
{
	if (!lapic_base_ok(a->base, val, reserved, host))
		return 1;
	a->base = val;
	if (base_mode(val) != a->mode)
		enter_mode(a, base_mode(val));
	return 0;
}

void lapic_reset(struct lapic *a, bool init, bool bsp, bool extint)
{
	u32 reg, id = lapic_get(a, LAPIC_ID);

	/* First the timer: its callback reads the registers. */
	lapic_out_timer(a, 0);
	lapic_take_posted(a);
	WRITE_ONCE(a->eoi_stale, true);
	if (!init)
		a->base = APIC_BASE_DEFAULT | APIC_BASE_EN | (bsp ? APIC_BASE_BSP : 0);
	WRITE_ONCE(a->mode, base_mode(a->base));
	for (reg = 0; reg < LAPIC_REGS_SIZE; reg += 16)
		lapic_put(a, reg, 0);
	lapic_put(a, LAPIC_DFR, 0xffffffff);
	lapic_put(a, LAPIC_SVR, 0xff);
	lapic_put(a, LAPIC_LVT_CMCI, LVT_MASKED);
	for (reg = LAPIC_LVT_TIMER; reg <= LAPIC_LVT_ERROR; reg += 16)
		lapic_put(a, reg, LVT_MASKED);
	if (extint)
		lapic_put(a, LAPIC_LVT0, DM_EXTINT << 8);
	lapic_set_version(a);
	set_ids(a, a->mode);
	/* SDM 3 11.4.7.3: INIT leaves an id that software wrote alone. */
	if (init && a->mode == LAPIC_XAPIC)
		lapic_put(a, LAPIC_ID, id);
	WRITE_ONCE(a->esr_pending, 0);
	WRITE_ONCE(a->extint_msg, false);
	lapic_timer_reset(a);
	set_sw_enabled(a);
	lapic_update_lint0(a);
	lapic_recount(a);
	lapic_out_moved(a);
}

void lapic_init(struct lapic *a, struct lapic_domain *domain, u8 *regs, u32 id)
{
	memset(a, 0, sizeof(*a));
	a->domain = domain;
	a->regs = regs;
	a->id = id;
	a->nr_lvt = 6;
	a->mode = LAPIC_XAPIC;
	a->base = APIC_BASE_DEFAULT | APIC_BASE_EN;
	lapic_put(a, LAPIC_ID, id << 24);
	a->gate = 0xff;
}

/* ---- KVM_GET_LAPIC, KVM_SET_LAPIC ---- */

static u32 state_get(const struct kvm_lapic_state *s, u32 reg)
{
	u32 val;

	memcpy(&val, s->regs + reg, sizeof(val));
	return val;
}

static void state_put(struct kvm_lapic_state *s, u32 reg, u32 val)
{
	memcpy(s->regs + reg, &val, sizeof(val));
}

void lapic_get_state(struct lapic *a, struct kvm_lapic_state *s)
{
	u32 reg;

	lapic_take_posted(a);
	/* Each register with the 12 bytes behind it. */
	for (reg = 0; reg < LAPIC_REGS_SIZE; reg += 16) {
		const u64 slot[2] = { lapic_get(a, reg) };

		memcpy(s->regs + reg, slot, sizeof(slot));
	}
	state_put(s, LAPIC_TMCCT, lapic_timer_tmcct(a));
	/* api.rst, KVM_GET_LAPIC: without the 32-bit format the id stays in bits 31:24. */
	if (a->mode == LAPIC_X2APIC && !a->domain->x2apic_format)
		state_put(s, LAPIC_ID, a->id << 24);
}

int lapic_set_state(struct lapic *a, const struct kvm_lapic_state *s)
{
	bool x2apic = a->mode == LAPIC_X2APIC;
	u32 reg;

	/* An x2APIC id cannot be changed. */
	if (x2apic && a->domain->x2apic_format && state_get(s, LAPIC_ID) != a->id)
		return -22;	/* EINVAL */
	lapic_out_timer(a, 0);
	lapic_take_posted(a);
	WRITE_ONCE(a->eoi_stale, true);
	for (reg = 0; reg < LAPIC_REGS_SIZE; reg += 16)
		lapic_put(a, reg, state_get(s, reg));
	if (x2apic)
		set_ids(a, LAPIC_X2APIC);
	lapic_set_version(a);
	WRITE_ONCE(a->esr_pending, 0);
	set_sw_enabled(a);
	lapic_update_lint0(a);
	lapic_recount(a);
	lapic_timer_restore(a);
	lapic_out_moved(a);
	lapic_out_recheck(a);
	return 0;
}
