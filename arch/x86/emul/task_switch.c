// SPDX-License-Identifier: GPL-2.0-only
/*
 * Hardware task switches (SDM 3A 8.3, APM 2 12.3), which neither vendor's hardware does
 * in a guest. Legacy mode only: long mode has none.
 */
#include "internal.h"

#define SEL_NULL(sel)	(!((sel) & 0xfffc))
#define TSS_MAX		104u
#define DESC_BUSY	0x200u
#define DR7_LOCAL	0x155u	/* L0 to L3, LE */

/* The fields of a TSS, both widths. */
struct task {
	u32 cr3, eip, eflags, gpr[8];
	u16 seg[6];
	u16 ldt, link;
	bool trap;
};

struct tss {
	struct emul_desc desc;
	struct emul_seg seg;
	bool wide;		/* 32-bit */
	u8 img[TSS_MAX];
};

static u32 tss_bytes(const struct tss *t)
{
	return t->wide ? 104 : 44;
}

/* All of a TSS between memory and its image. Must be RAM. */
static int tss_io(struct emul_ctxt *c, struct tss *t, u32 from, u32 to, bool write)
{
	u32 n;
	int ret;

	for (; from < to; from += n) {
		n = min_t(u32, to - from, 32);
		if (write)
			ret = emul_sys_write(c, t->seg.base + from, t->img + from, n);
		else
			ret = emul_sys_read(c, t->seg.base + from, t->img + from, n);
		if (ret)
			return ret == EMUL_IO_NEEDED ? EMUL_UNHANDLEABLE : ret;
	}
	return EMUL_OK;
}

/* Page faults on a store to the old TSS must come before anything has changed. */
static int probe_write(struct emul_ctxt *c, const struct tss *t)
{
	const u32 acc = EMUL_ACC_SYSTEM | EMUL_ACC_WRITE;
	u64 gpa;
	int ret = emul_translate(c, t->seg.base, acc, &gpa);

	return ret ? ret : emul_translate(c, t->seg.base + tss_bytes(t) - 1, acc, &gpa);
}

static u32 get(const struct tss *t, u32 at, u32 n)
{
	u32 v = 0;

	memcpy(&v, t->img + at, n);
	return v;
}

static void put(struct tss *t, u32 at, u32 v, u32 n)
{
	memcpy(t->img + at, &v, n);
}

static void unpack(const struct tss *t, struct task *k)
{
	u32 i, w = t->wide ? 4 : 2;

	*k = (struct task){ 0 };
	k->link = get(t, 0, 2);
	k->eip = get(t, t->wide ? 0x20 : 0x0e, w);
	k->eflags = get(t, t->wide ? 0x24 : 0x10, w);
	for (i = 0; i < 8; i++)
		k->gpr[i] = get(t, (t->wide ? 0x28 : 0x12) + i * w, w) |
			    (t->wide ? 0 : 0xffff0000u);
	for (i = 0; i < (t->wide ? 6u : 4u); i++)
		k->seg[i] = get(t, (t->wide ? 0x48 : 0x22) + i * w, 2);
	k->ldt = get(t, t->wide ? 0x60 : 0x2a, 2);
	if (t->wide) {
		k->cr3 = get(t, 0x1c, 4);
		k->trap = get(t, 0x64, 2) & 1;
	}
}

/* The current state into the image of the outgoing TSS. */
static void pack(struct emul_ctxt *c, struct tss *t, u64 eflags)
{
	u32 i, w = t->wide ? 4 : 2;

	put(t, t->wide ? 0x20 : 0x0e, c->w.rip, w);
	put(t, t->wide ? 0x24 : 0x10, eflags, w);
	for (i = 0; i < 8; i++)
		put(t, (t->wide ? 0x28 : 0x12) + i * w, c->w.gpr[i], w);
	for (i = 0; i < (t->wide ? 6u : 4u); i++)
		put(t, (t->wide ? 0x48 : 0x22) + i * w, emul_seg(c, i)->sel, 2);
}

static u8 type_of(const struct emul_desc *d)
{
	return d->hi >> 8 & 15;
}

/*
 * Reads and checks the descriptor of the incoming TSS. Not privileges: the CPU has looked at those before it left the
 * guest (SDM 3C 26.4.2, APM 2 15.14.1), and behind a gate the TSS's own do not count.
 */
static int incoming(struct emul_ctxt *c, u16 sel, enum emul_task_reason why, struct tss *t)
{
	u8 vec = why == EMUL_TASK_IRET ? VEC_TS : VEC_GP, type;
	u32 err = sel & 0xfffc;
	int ret;

	if (SEL_NULL(sel) || (sel & 4))
		return emul_exc(c, vec, true, err);
	ret = emul_read_desc(c, sel, vec, &t->desc);
	if (ret)
		return ret;
	type = type_of(&t->desc);
	if ((t->desc.hi & 0x1000) || (type & 5) != 1)
		return emul_exc(c, vec, true, err);
	/* Busy when returned to, available otherwise: tasks are not reentrant. */
	if (!!(type & 2) != (why == EMUL_TASK_IRET))
		return emul_exc(c, vec, true, err);
	if (!(t->desc.hi & 0x8000))
		return emul_exc(c, VEC_NP, true, err);
	emul_desc_to_seg(&t->desc, sel, &t->seg);
	t->wide = type & 8;
	if (t->seg.limit < (t->wide ? 0x67 : 0x2b))
		return emul_exc(c, VEC_TS, true, err);
	return EMUL_OK;
}

static int set_busy(struct emul_ctxt *c, struct emul_desc *d, bool busy)
{
	u64 old = (u64)d->hi << 32 | d->lo;

	d->hi = busy ? d->hi | DESC_BUSY : d->hi & ~DESC_BUSY;
	return emul_sys_cmpxchg(c, d->la, old, (u64)d->hi << 32 | d->lo);
}

/* Saves the outgoing task and updates busy bits and link. The last steps of the old task. */
static int leave_task(struct emul_ctxt *c, enum emul_task_reason why, struct tss *old,
		      struct tss *new)
{
	u32 first = old->wide ? 0x20 : 0x0e, last = old->wide ? 0x60 : 0x2a;
	u64 fl = c->w.rflags & ~(u64)FL_RF;
	int ret = EMUL_OK;

	if (why == EMUL_TASK_IRET)
		fl &= ~(u64)FL_NT;
	else
		fl |= c->w.rflags & FL_RF;
	pack(c, old, fl);
	ret = tss_io(c, old, first, last, true);
	/* First what somebody else may be faster with: nothing has changed then that counts. */
	if (!ret && why != EMUL_TASK_IRET)
		ret = set_busy(c, &new->desc, true);
	if (!ret && why != EMUL_TASK_CALL && why != EMUL_TASK_GATE)
		ret = set_busy(c, &old->desc, false);
	if (!ret && (why == EMUL_TASK_CALL || why == EMUL_TASK_GATE)) {
		put(new, 0, old->seg.sel, 2);
		ret = tss_io(c, new, 0, 2, true);
	}
	return ret;
}

/* Segments of the new task: selectors first, so that a fault among them leaves them null. */
static void put_selectors(struct emul_ctxt *c, const struct task *k, u8 cpl)
{
	struct emul_seg seg;
	u32 s;

	for (s = EMUL_ES; s <= EMUL_GS; s++) {
		seg = (struct emul_seg){
			.sel = k->seg[s],
			.ar = EMUL_AR_UNUSABLE | (u32)cpl << EMUL_AR_DPL_SHIFT,
		};
		/* CS and SS have to be something to deliver a fault with. */
		if (s == EMUL_CS || s == EMUL_SS) {
			seg.limit = 0xffffffff;
			seg.ar = (s == EMUL_CS ? 0xb : 3) | EMUL_AR_S | EMUL_AR_P | EMUL_AR_DB |
				 EMUL_AR_G | (u32)cpl << EMUL_AR_DPL_SHIFT;
		}
		emul_put_seg(c, s, &seg);
	}
}

static int load_segments(struct emul_ctxt *c, const struct task *k, u8 cpl)
{
	static const u8 order[] = { EMUL_SS, EMUL_DS, EMUL_ES, EMUL_FS, EMUL_GS };
	struct emul_seg cs = { 0 };
	u32 i;
	int ret;

	ret = emul_load_ldt(c, k->ldt, VEC_TS);
	if (ret)
		return ret;
	if (k->eflags & FL_VM) {
		for (i = EMUL_ES; i <= EMUL_GS; i++)
			emul_load_real_seg(c, i, k->seg[i]);
		return EMUL_OK;
	}
	ret = emul_code_seg(c, k->seg[EMUL_CS], cpl, true, VEC_TS, &cs);
	if (ret)
		return ret;
	emul_put_seg(c, EMUL_CS, &cs);
	c->mode = (cs.ar & EMUL_AR_DB) ? EMUL_PROT32 : EMUL_PROT16;
	for (i = 0; i < ARRAY_SIZE(order); i++) {
		ret = emul_load_data_seg(c, order[i], k->seg[order[i]], cpl, VEC_TS);
		if (ret)
			return ret;
	}
	if (c->w.rip > cs.limit)
		return emul_gp0(c);
	return EMUL_OK;
}

/* From here on every fault is the new task's. */
static int enter_task(struct emul_ctxt *c, const struct task *k, struct tss *new, bool nested)
{
	struct emul_seg tr = new->seg;
	u8 cpl = (k->eflags & FL_VM) ? 3 : k->seg[EMUL_CS] & 3;
	int i, ret;

	tr.ar |= 2;
	emul_put_seg(c, EMUL_TR, &tr);
	for (i = 0; i < 8; i++)
		c->w.gpr[i] = k->gpr[i];
	c->w.rip = k->eip;
	c->w.rflags = (k->eflags & FL_ALL) | FL_FIXED | (nested ? FL_NT : 0);
	c->cpl = cpl;
	c->mode = (k->eflags & FL_VM) ? EMUL_VM86 : EMUL_PROT32;
	put_selectors(c, k, cpl);
	/* Local breakpoints are the old task's (SDM 3B 18.2.4). */
	ret = c->ops->set_dr(c, 7, c->ops->get_dr(c, 7) & ~(u64)DR7_LOCAL);
	if (!ret)
		ret = c->ops->set_cr(c, 0, c->ops->get_cr(c, 0) | CR0_TS);
	if (!ret && new->wide && (c->ops->get_cr(c, 0) & 0x80000000u)) {
		ret = c->ops->set_cr(c, 3, k->cr3);
		memset(c->tlb, 0, sizeof(c->tlb));
	}
	/* There is no way back to retry from: try again here. */
	for (i = 0; i < 4 && !ret; i++) {
		ret = load_segments(c, k, cpl);
		if (ret != EMUL_RETRY)
			return ret;
		emul_log_reset(c);
		ret = EMUL_OK;
	}
	return ret ? ret : EMUL_UNHANDLEABLE;
}

static void commit(struct emul_ctxt *c)
{
	u32 s;

	*c->regs = c->w;
	for (s = 0; s < EMUL_NR_SEGS; s++) {
		if (c->seg_dirty & (1u << s))
			c->ops->set_seg(c, s, &c->segs[s]);
	}
	c->seg_dirty = 0;
}

/* Everything up to the commit point, with faults in the old task. */
static int prepare(struct emul_ctxt *c, u16 sel, enum emul_task_reason why, struct tss *old,
		   struct tss *new)
{
	int ret = incoming(c, sel, why, new);

	if (ret)
		return ret;
	old->seg = *emul_seg(c, EMUL_TR);
	old->wide = old->seg.ar & 8;
	if (old->seg.limit < (old->wide ? 0x67 : 0x2b))
		return emul_exc(c, VEC_TS, true, old->seg.sel & 0xfffc);
	ret = emul_read_desc(c, old->seg.sel, VEC_TS, &old->desc);
	if (!ret)
		ret = probe_write(c, old);
	if (!ret)
		ret = probe_write(c, new);
	if (!ret)
		ret = tss_io(c, old, 0, tss_bytes(old), false);
	if (!ret)
		ret = tss_io(c, new, 0, tss_bytes(new), false);
	return ret;
}

/* The error code of the event whose gate led here. A push that faults moves no stack pointer. */
static int push_error(struct emul_ctxt *c, u32 error, bool wide)
{
	u64 sp = c->w.gpr[EMUL_RSP];
	int ret = emul_push(c, error, wide ? 4 : 2);

	if (ret)
		c->w.gpr[EMUL_RSP] = sp;
	return ret;
}

/* The old task's part, anew where another CPU was faster with a descriptor. */
static int leave(struct emul_ctxt *c, u16 sel, enum emul_task_reason why, struct tss *old,
		 struct tss *new)
{
	int ret = EMUL_RETRY, i;

	for (i = 0; i < 4 && ret == EMUL_RETRY; i++) {
		emul_log_reset(c);
		ret = prepare(c, sel, why, old, new);
		if (!ret)
			ret = leave_task(c, why, old, new);
	}
	return ret == EMUL_RETRY ? EMUL_UNHANDLEABLE : ret;
}

int emul_task_switch(struct emul_ctxt *c, u16 sel, enum emul_task_reason reason, u64 fault_rip,
		     bool has_error, u32 error)
{
	bool nested = reason == EMUL_TASK_CALL || reason == EMUL_TASK_GATE;
	struct tss old = { 0 }, new = { 0 };
	struct task k;
	int ret;

	emul_init(c);
	c->w = *c->regs;
	ret = leave(c, sel, reason, &old, &new);
	if (ret) {
		c->seg_dirty = 0;
		emul_log_reset(c);
		if (ret == EMUL_FAULT)
			c->regs->rip = fault_rip;
		return ret == EMUL_IO_NEEDED ? EMUL_UNHANDLEABLE : ret;
	}
	unpack(&new, &k);
	ret = enter_task(c, &k, &new, nested);
	if (!ret && has_error)
		ret = push_error(c, error, new.wide);
	emul_log_reset(c);
	commit(c);
	/* DR6.BT: the debug trap bit of the new TSS (SDM 3B 18.3.1.5). */
	if (!ret && k.trap) {
		emul_exc(c, VEC_DB, false, 0);
		c->exc.dr6 = 0x8000;
		return EMUL_FAULT;
	}
	return ret == EMUL_IO_NEEDED ? EMUL_UNHANDLEABLE : ret;
}
