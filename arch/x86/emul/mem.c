// SPDX-License-Identifier: GPL-2.0-only
/*
 * Data transfers: segmentation, translation, fragments, and the log that lets an
 * instruction be re-executed after userspace has served one of its fragments.
 */
#include "internal.h"

#define PAGE_BYTES	4096u
#define PAGE_OFF(a)	((u32)((a) & (PAGE_BYTES - 1)))
#define FRAGS_MAX	5		/* 32 bytes over a page boundary */

enum { X_READ, X_WRITE, X_PIO_IN, X_PIO_OUT };

int emul_exc(struct emul_ctxt *c, u8 vector, bool has_error, u32 error)
{
	c->exc = (struct emul_exception){
		.vector = vector,
		.has_error = has_error,
		.error = error,
	};
	return EMUL_FAULT;
}

const struct emul_seg *emul_seg(struct emul_ctxt *c, enum emul_sreg s)
{
	if (!(c->seg_valid & (1u << s))) {
		c->ops->get_seg(c, s, &c->segs[s]);
		c->seg_valid |= 1u << s;
	}
	return &c->segs[s];
}

void emul_put_seg(struct emul_ctxt *c, enum emul_sreg s, const struct emul_seg *seg)
{
	c->segs[s] = *seg;
	c->seg_valid |= 1u << s;
	c->seg_dirty |= 1u << s;
}

bool emul_canonical(const struct emul_ctxt *c, u64 la)
{
	u32 sh = 64 - c->va_bits;

	return (u64)((s64)(la << sh) >> sh) == la;
}

bool emul_long_mode(struct emul_ctxt *c)
{
	u64 efer = 0;

	if (emul_is64(c))
		return true;
	if (!emul_is_prot(c) || c->ops->get_msr(c, MSR_EMUL_EFER, &efer))
		return false;
	return efer & EFER_EMUL_LMA;
}

static int seg_fault(struct emul_ctxt *c, enum emul_sreg s)
{
	return emul_exc(c, s == EMUL_SS ? VEC_SS : VEC_GP, true, 0);
}

/* Protected-mode rights of a data reference (SDM 3A 6.5). */
static bool seg_permits(const struct emul_seg *seg, bool write)
{
	bool code = seg->ar & 8;

	if (seg->ar & EMUL_AR_UNUSABLE)
		return false;
	/* Bit 1: writable for data, readable for code. */
	if (write)
		return !code && (seg->ar & 2);
	return !code || (seg->ar & 2);
}

static bool in_limit(const struct emul_seg *seg, u64 off, u32 size)
{
	u64 last = off + size - 1;

	/* Expand-down data: valid above the limit (SDM 3A 6.3). */
	if ((seg->ar & 0xc) == 0x4 && (seg->ar & EMUL_AR_S)) {
		u64 top = (seg->ar & EMUL_AR_DB) ? 0xffffffffu : 0xffffu;

		return off > seg->limit && last <= top;
	}
	return last <= seg->limit;
}

int emul_linear(struct emul_ctxt *c, enum emul_sreg s, u64 off, u32 size, bool write, u64 *la)
{
	const struct emul_seg *seg;

	if (emul_is64(c)) {
		*la = off;
		if (s == EMUL_FS || s == EMUL_GS)
			*la += emul_seg(c, s)->base;
		if (!emul_canonical(c, *la) || !emul_canonical(c, *la + size - 1))
			return seg_fault(c, s);
		return EMUL_OK;
	}
	seg = emul_seg(c, s);
	off &= 0xffffffffu;
	if (emul_is_prot(c) && !seg_permits(seg, write))
		return seg_fault(c, s);
	if (!in_limit(seg, off, size))
		return seg_fault(c, s);
	*la = (seg->base + off) & 0xffffffffu;
	return EMUL_OK;
}

int emul_translate(struct emul_ctxt *c, u64 la, u32 acc, u64 *gpa)
{
	u64 page = la - PAGE_OFF(la);
	u32 i;
	int ret;

	for (i = 0; i < ARRAY_SIZE(c->tlb); i++) {
		if (c->tlb[i].valid && c->tlb[i].la == page && c->tlb[i].acc == acc) {
			*gpa = c->tlb[i].gpa + PAGE_OFF(la);
			return EMUL_OK;
		}
	}
	ret = c->ops->translate(c, la, acc, gpa);
	if (ret)
		return ret;
	i = c->tlb_next++ % ARRAY_SIZE(c->tlb);
	c->tlb[i].la = page;
	c->tlb[i].gpa = *gpa - PAGE_OFF(la);
	c->tlb[i].acc = acc;
	c->tlb[i].valid = true;
	return EMUL_OK;
}

void emul_log_reset(struct emul_ctxt *c)
{
	c->log_nr = 0;
	c->log_pos = 0;
}

/* Leaves to the caller's caller: fragment @e must be served by userspace. */
static int need_io(struct emul_ctxt *c, struct emul_xfer *e, void *data, u32 size, u32 count)
{
	if (e < c->log || e >= c->log + EMUL_LOG_MAX)
		return EMUL_UNHANDLEABLE;	/* the log was full: cannot continue it */
	c->log_wait = e - c->log;
	c->io = (struct emul_io){
		.pio = e->kind == X_PIO_IN || e->kind == X_PIO_OUT,
		.write = e->kind == X_WRITE || e->kind == X_PIO_OUT,
		.size = size,
		.count = count,
		.addr = e->gpa,
		.data = data,
	};
	if (c->io.pio)
		c->io.addr = e->la;
	return EMUL_IO_NEEDED;
}

void emul_io_done(struct emul_ctxt *c)
{
	if (c->resumed && c->log_wait < c->log_nr)
		c->log[c->log_wait].done = true;
}

static u32 cut(u64 la, u32 left)
{
	u32 n = PAGE_BYTES - PAGE_OFF(la);

	if (n > 8)
		n = 8;
	return n < left ? n : left;
}

/* Is the log at its present position the record of this very transfer? */
static bool log_matches(const struct emul_ctxt *c, u8 kind, u64 la, u32 len, u32 nr)
{
	u32 i, n;

	if (c->log_pos + nr > c->log_nr)
		return false;
	for (i = 0; i < nr; i++, la += n, len -= n) {
		const struct emul_xfer *e = &c->log[c->log_pos + i];

		n = cut(la, len);
		if (e->kind != kind || e->la != la || e->len != n)
			return false;
	}
	return true;
}

/* New entries at @e for a transfer, each translated before any is carried out. */
static int log_fill(struct emul_ctxt *c, struct emul_xfer *e, u8 kind, u64 la, const void *buf,
		    u32 len, u32 acc)
{
	u32 off, n;
	int ret;

	for (off = 0; off < len; off += n, e++) {
		u64 a = la + off;

		n = cut(a, len - off);
		*e = (struct emul_xfer){ .kind = kind, .la = a, .len = n, .count = 1 };
		if (!emul_is64(c) && !(acc & EMUL_ACC_SYSTEM))
			a &= 0xffffffffu;
		ret = emul_translate(c, a, acc, &e->gpa);
		if (ret)
			return ret;
		if (kind == X_WRITE)
			memcpy(&e->data, (const u8 *)buf + off, n);
	}
	return EMUL_OK;
}

static int do_fragment(struct emul_ctxt *c, struct emul_xfer *e)
{
	int ret;

	if (e->done)
		return EMUL_OK;
	if (e->kind == X_READ)
		ret = c->ops->read_phys(c, e->gpa, &e->data, e->len);
	else
		ret = c->ops->write_phys(c, e->gpa, &e->data, e->len);
	if (ret == EMUL_IO_NEEDED)
		return need_io(c, e, &e->data, e->len, 1);
	if (ret == EMUL_OK)
		e->done = true;
	return ret;
}

/*
 * Tries the whole transfer of @nr fragments as one atomic operation. EMUL_OK also
 * when that cannot be: the fragments are not done then, and are written plainly.
 */
static int cmpxchg_once(struct emul_ctxt *c, struct emul_xfer *e, u32 nr, const void *old,
		       const void *new, u32 len)
{
	u32 i;
	int ret;

	if (PAGE_OFF(e->la) + len > PAGE_BYTES)
		return EMUL_OK;
	for (i = 0; i < nr; i++)
		if (e[i].done)
			return EMUL_OK;
	ret = c->ops->cmpxchg_phys(c, e->gpa, old, new, len);
	if (ret == EMUL_IO_NEEDED)
		return EMUL_OK;
	for (i = 0; i < nr && ret == EMUL_OK; i++)
		e[i].done = true;
	return ret;
}

static u32 count_fragments(u64 la, u32 len)
{
	u32 nr = 0, n;

	if (likely(len <= 8 && PAGE_OFF(la) + len <= PAGE_BYTES))
		return 1;
	for (; len; len -= n, la += n, nr++)
		n = cut(la, len);
	return nr;
}

/* One data transfer of up to 32 bytes at a linear address. @old: atomically, see above. */
static int transfer(struct emul_ctxt *c, u8 kind, u64 la, void *buf, u32 len, u32 acc,
		    const void *old)
{
	u32 nr = count_fragments(la, len), i, off = 0;
	struct emul_xfer tmp[FRAGS_MAX], *e = &c->log[c->log_pos];
	int ret;

	if (nr > FRAGS_MAX)
		return EMUL_UNHANDLEABLE;
	if (!log_matches(c, kind, la, len, nr)) {
		/* First time here. (Or the caller changed registers meanwhile: start anew.) */
		c->log_nr = c->log_pos;
		if (c->log_pos + nr > EMUL_LOG_MAX) {
			/* From here on nothing is logged, so nothing can go to userspace. */
			c->log_pos = EMUL_LOG_MAX;
			c->log_nr = EMUL_LOG_MAX;
			e = tmp;
		}
		ret = log_fill(c, e, kind, la, buf, len, acc);
		if (ret)
			return ret;
		if (e != tmp)
			c->log_nr += nr;
	}
	if (old) {
		ret = cmpxchg_once(c, e, nr, old, buf, len);
		if (ret)
			return ret;
	}
	for (i = 0; i < nr; i++) {
		ret = do_fragment(c, &e[i]);
		if (ret)
			return ret;
		if (kind == X_READ)
			memcpy((u8 *)buf + off, &e[i].data, e[i].len);
		off += e[i].len;
	}
	if (e != tmp)
		c->log_pos += nr;
	return EMUL_OK;
}

static u32 user_acc(const struct emul_ctxt *c)
{
	return c->cpl == 3 ? EMUL_ACC_USER : 0;
}

/* Alignment checking of CPL 3 (SDM 3A 7.15, #AC). */
static int check_align(struct emul_ctxt *c, u64 la, u32 len)
{
	if (likely(c->cpl != 3 || !(c->w.rflags & FL_AC) || !(la & (len - 1)) ||
		   (len & (len - 1)) || len > 8))
		return EMUL_OK;
	if (!(c->ops->get_cr(c, 0) & CR0_AM))
		return EMUL_OK;
	return emul_exc(c, VEC_AC, true, 0);
}

static int data(struct emul_ctxt *c, u8 kind, enum emul_sreg s, u64 off, void *buf, u32 len,
		bool write, const void *old)
{
	u64 la;
	int ret;

	ret = emul_linear(c, s, off, len, write, &la);
	if (!ret)
		ret = check_align(c, la, len);
	if (ret)
		return ret;
	return transfer(c, kind, la, buf, len, user_acc(c) | (write ? EMUL_ACC_WRITE : 0), old);
}

int emul_read(struct emul_ctxt *c, enum emul_sreg s, u64 off, void *buf, u32 len)
{
	return data(c, X_READ, s, off, buf, len, false, NULL);
}

int emul_read_rmw(struct emul_ctxt *c, enum emul_sreg s, u64 off, void *buf, u32 len)
{
	return data(c, X_READ, s, off, buf, len, true, NULL);
}

int emul_write(struct emul_ctxt *c, enum emul_sreg s, u64 off, const void *buf, u32 len)
{
	return data(c, X_WRITE, s, off, (void *)buf, len, true, NULL);
}

int emul_write_locked(struct emul_ctxt *c, enum emul_sreg s, u64 off, const void *old,
		      const void *new, u32 len)
{
	return data(c, X_WRITE, s, off, (void *)new, len, true, old);
}

int emul_probe(struct emul_ctxt *c, enum emul_sreg s, u64 off, bool write)
{
	u64 la, gpa;
	int ret;

	ret = emul_linear(c, s, off, 1, write, &la);
	if (ret)
		return ret;
	return emul_translate(c, la, user_acc(c) | (write ? EMUL_ACC_WRITE : 0), &gpa);
}

int emul_sys_read(struct emul_ctxt *c, u64 la, void *buf, u32 len)
{
	return transfer(c, X_READ, la, buf, len, EMUL_ACC_SYSTEM, NULL);
}

int emul_sys_write(struct emul_ctxt *c, u64 la, const void *buf, u32 len)
{
	return transfer(c, X_WRITE, la, (void *)buf, len, EMUL_ACC_SYSTEM | EMUL_ACC_WRITE, NULL);
}

int emul_sys_cmpxchg(struct emul_ctxt *c, u64 la, u64 old, u64 new)
{
	return transfer(c, X_WRITE, la, &new, 8, EMUL_ACC_SYSTEM | EMUL_ACC_WRITE, &old);
}

int emul_bulk(struct emul_ctxt *c, enum emul_sreg s, u64 off, void *buf, u32 len, bool write)
{
	u32 acc = user_acc(c) | (write ? EMUL_ACC_WRITE : 0);
	u64 la, gpa[2] = { 0, 0 };
	u32 first;
	int ret;

	ret = emul_linear(c, s, off, len, write, &la);
	if (ret)
		return ret;
	first = min_t(u32, len, PAGE_BYTES - PAGE_OFF(la));
	ret = emul_translate(c, la, acc, &gpa[0]);
	if (!ret && first < len)
		ret = emul_translate(c, emul_is64(c) ? la + first : (u32)(la + first), acc,
				     &gpa[1]);
	if (ret)
		return ret;
	if (write)
		ret = c->ops->write_phys(c, gpa[0], buf, first);
	else
		ret = c->ops->read_phys(c, gpa[0], buf, first);
	if (!ret && first < len) {
		if (write)
			ret = c->ops->write_phys(c, gpa[1], (u8 *)buf + first, len - first);
		else
			ret = c->ops->read_phys(c, gpa[1], (u8 *)buf + first, len - first);
	}
	return ret == EMUL_IO_NEEDED ? EMUL_UNHANDLEABLE : ret;
}

const struct emul_xfer *emul_pio_logged(struct emul_ctxt *c, bool in)
{
	const struct emul_xfer *e = &c->log[c->log_pos];

	if (c->log_pos >= c->log_nr || e->kind != (in ? X_PIO_IN : X_PIO_OUT))
		return NULL;
	return e;
}

int emul_pio(struct emul_ctxt *c, bool in, u16 port, u32 size, void *buf, u32 count, u64 gpa)
{
	const u8 kind = in ? X_PIO_IN : X_PIO_OUT;
	struct emul_xfer *e = &c->log[c->log_pos];
	void *data;
	int ret = EMUL_OK;

	if (c->log_pos >= EMUL_LOG_MAX)
		return EMUL_UNHANDLEABLE;
	if (c->log_pos >= c->log_nr || e->kind != kind || e->la != port || e->len != size ||
	    e->count != count) {
		c->log_nr = c->log_pos + 1;
		*e = (struct emul_xfer){
			.kind = kind, .la = port, .len = size, .count = count, .gpa = gpa,
		};
		if (!in && count == 1)
			memcpy(&e->data, buf, size);
	}
	data = count == 1 ? (void *)&e->data : c->io_buf;
	if (!e->done) {
		if (in)
			ret = c->ops->pio_in(c, port, size, data, count);
		else
			ret = c->ops->pio_out(c, port, size, data, count);
		if (ret == EMUL_IO_NEEDED)
			return need_io(c, e, data, size, count);
		if (ret)
			return ret;
		e->done = true;
	}
	if (in && count == 1)
		memcpy(buf, &e->data, size);
	c->log_pos++;
	return EMUL_OK;
}

u64 emul_stack_mask(struct emul_ctxt *c)
{
	if (emul_is64(c))
		return ~0ull;
	return (emul_seg(c, EMUL_SS)->ar & EMUL_AR_DB) ? 0xffffffffu : 0xffffu;
}

void emul_add_sp(struct emul_ctxt *c, s64 delta)
{
	u64 m = emul_stack_mask(c), sp = c->w.gpr[EMUL_RSP];

	c->w.gpr[EMUL_RSP] = (sp & ~m) | ((sp + delta) & m);
}

int emul_push(struct emul_ctxt *c, u64 val, u32 bytes)
{
	emul_add_sp(c, -(s64)bytes);
	return emul_write(c, EMUL_SS, c->w.gpr[EMUL_RSP] & emul_stack_mask(c), &val, bytes);
}

int emul_pop(struct emul_ctxt *c, u64 *val, u32 bytes)
{
	int ret;

	*val = 0;
	ret = emul_read(c, EMUL_SS, c->w.gpr[EMUL_RSP] & emul_stack_mask(c), val, bytes);
	if (!ret)
		emul_add_sp(c, bytes);
	return ret;
}

int emul_io_allowed(struct emul_ctxt *c, u16 port, u32 size)
{
	const struct emul_seg *tr;
	u16 map = 0, bits = 0;
	int ret;

	if (c->mode == EMUL_REAL || (c->mode != EMUL_VM86 && c->cpl <= emul_iopl(c)))
		return EMUL_OK;
	tr = emul_seg(c, EMUL_TR);
	/* A 16-bit TSS (type 1, 3) has no bitmap. */
	if (!(tr->ar & EMUL_AR_P) || (tr->ar & EMUL_AR_UNUSABLE) || !(tr->ar & 8) ||
	    tr->limit < 103)
		return emul_gp0(c);
	ret = emul_sys_read(c, tr->base + 102, &map, 2);
	if (ret)
		return ret;
	/* Two bytes are always read: a port range may straddle a byte (SDM 1 19.5.2). */
	if ((u32)map + port / 8 + 1 > tr->limit)
		return emul_gp0(c);
	ret = emul_sys_read(c, tr->base + map + port / 8, &bits, 2);
	if (ret)
		return ret;
	if ((bits >> (port & 7)) & ((1u << size) - 1))
		return emul_gp0(c);
	return EMUL_OK;
}
