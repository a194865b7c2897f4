// SPDX-License-Identifier: GPL-2.0-only
/*
 * String instructions and port I/O. Each iteration is a unit: it commits to the
 * vCPU's registers and drops the transfer log before the next one starts, so a
 * fault, or userspace, in the middle finds RSI, RDI and RCX as the architecture has it.
 */
#include "internal.h"

#define PAGE_BYTES	4096u
#define ITERATIONS_MAX	256	/* per emul_execute(): then let the vCPU look around */

static u64 str_off(const struct emul_ctxt *c, u8 reg)
{
	return c->w.gpr[reg] & emul_mask(c->insn.ad_bytes);
}

static void advance(struct emul_ctxt *c, u8 reg, u32 count)
{
	s64 d = (s64)count * c->bytes;

	if (c->w.rflags & FL_DF)
		d = -d;
	emul_set_reg(c, reg, c->w.gpr[reg] + d, c->insn.ad_bytes);
}

/* One or more elements; @count: in 1, out how many were done. */
typedef int (*string_step)(struct emul_ctxt *c, u32 *count);

/*
 * @while_zf: REPE and REPNE (CMPS, SCAS) also end on ZF. Returns EMUL_OK with
 * out.partial when iterations are left for another time.
 */
static int repeat(struct emul_ctxt *c, string_step step, bool while_zf)
{
	u32 ad = c->insn.ad_bytes, n, left = ITERATIONS_MAX;
	u64 rcx;
	int ret;

	if (!c->insn.rep) {
		n = 1;
		return step(c, &n);
	}
	for (;;) {
		rcx = str_off(c, EMUL_RCX);
		if (!rcx)
			return EMUL_OK;
		n = 1;
		ret = step(c, &n);
		if (ret)
			return ret;
		rcx -= n;
		emul_set_reg(c, EMUL_RCX, rcx, ad);
		if (!rcx || (while_zf && !(c->w.rflags & FL_ZF) == (c->insn.rep == 0xf3)))
			return EMUL_OK;
		/* Commit. w.rip is the instruction's own until the end. */
		c->w.rip = c->regs->rip;
		*c->regs = c->w;
		emul_log_reset(c);
		c->resumed = false;
		if (!--left || (c->w.rflags & FL_TF) ||
		    (c->ops->should_yield && c->ops->should_yield(c))) {
			c->out.partial = true;
			return EMUL_OK;
		}
	}
}

static int step_movs(struct emul_ctxt *c, u32 *count)
{
	u64 v = 0;
	int ret = emul_read(c, c->insn.seg, str_off(c, EMUL_RSI), &v, c->bytes);

	if (!ret)
		ret = emul_write(c, EMUL_ES, str_off(c, EMUL_RDI), &v, c->bytes);
	if (ret)
		return ret;
	advance(c, EMUL_RSI, *count);
	advance(c, EMUL_RDI, *count);
	return EMUL_OK;
}

static int step_stos(struct emul_ctxt *c, u32 *count)
{
	int ret = emul_write(c, EMUL_ES, str_off(c, EMUL_RDI), &c->w.gpr[EMUL_RAX], c->bytes);

	if (!ret)
		advance(c, EMUL_RDI, *count);
	return ret;
}

static int step_lods(struct emul_ctxt *c, u32 *count)
{
	u64 v = 0;
	int ret = emul_read(c, c->insn.seg, str_off(c, EMUL_RSI), &v, c->bytes);

	if (ret)
		return ret;
	emul_set_reg(c, EMUL_RAX, v, c->bytes);
	advance(c, EMUL_RSI, *count);
	return EMUL_OK;
}

static int step_cmps(struct emul_ctxt *c, u32 *count)
{
	u64 a = 0, b = 0, f;
	int ret = emul_read(c, c->insn.seg, str_off(c, EMUL_RSI), &a, c->bytes);

	if (!ret)
		ret = emul_read(c, EMUL_ES, str_off(c, EMUL_RDI), &b, c->bytes);
	if (ret)
		return ret;
	emul_sub_flags(a, b, 0, c->bytes, &f);
	emul_set_status(c, f);
	advance(c, EMUL_RSI, *count);
	advance(c, EMUL_RDI, *count);
	return EMUL_OK;
}

static int step_scas(struct emul_ctxt *c, u32 *count)
{
	u64 b = 0, f;
	int ret = emul_read(c, EMUL_ES, str_off(c, EMUL_RDI), &b, c->bytes);

	if (ret)
		return ret;
	emul_sub_flags(c->w.gpr[EMUL_RAX] & emul_mask(c->bytes), b, 0, c->bytes, &f);
	emul_set_status(c, f);
	advance(c, EMUL_RDI, *count);
	return EMUL_OK;
}

int em_movs(struct emul_ctxt *c)
{
	return repeat(c, step_movs, false);
}

int em_stos(struct emul_ctxt *c)
{
	return repeat(c, step_stos, false);
}

int em_lods(struct emul_ctxt *c)
{
	return repeat(c, step_lods, false);
}

int em_cmps(struct emul_ctxt *c)
{
	return repeat(c, step_cmps, true);
}

int em_scas(struct emul_ctxt *c)
{
	return repeat(c, step_scas, true);
}

/* There are no 64-bit ports: REX.W means nothing here. */
static u32 port_bytes(const struct emul_ctxt *c)
{
	return !(c->insn.opcode & 1) ? 1 : c->insn.op_bytes == 2 ? 2 : 4;
}

/*
 * Permission and intercept of a port instruction, at the first attempt. The log keeps
 * nothing of it: on re-execution it starts with the transfer itself.
 */
static int check_port(struct emul_ctxt *c, u16 port)
{
	int ret;

	if (c->resumed)
		return EMUL_OK;
	ret = emul_io_allowed(c, port, c->bytes);
	emul_log_reset(c);
	if (ret == EMUL_IO_NEEDED)	/* a TSS in device memory */
		return EMUL_UNHANDLEABLE;
	if (!ret && c->ops->intercept)
		ret = c->ops->intercept(c);
	return ret;
}

/*
 * How many elements to move with one port access: as many as lie in one page of RAM at
 * @la going up, fit the caller's buffer, and are wanted.
 */
static u32 batch(struct emul_ctxt *c, enum emul_sreg s, u64 off, bool write, u64 *gpa)
{
	u64 la, want = str_off(c, EMUL_RCX);
	u32 acc = (write ? EMUL_ACC_WRITE : 0) | (c->cpl == 3 ? EMUL_ACC_USER : 0);
	struct emul_exception keep = c->exc;

	if (!c->insn.rep || !c->io_buf || !c->ops->gpa_is_ram || (c->w.rflags & (FL_DF | FL_TF)))
		return 1;
	if (emul_linear(c, s, off, c->bytes, write, &la))
		goto single;
	want = min_t(u64, want, (PAGE_BYTES - (la & (PAGE_BYTES - 1))) / c->bytes);
	want = min_t(u64, want, c->io_buf_len / c->bytes);
	if (want < 2 || off + want * c->bytes - 1 > emul_mask(c->insn.ad_bytes))
		return 1;
	if (emul_linear(c, s, off, want * c->bytes, write, &la) ||
	    emul_translate(c, la, acc, gpa) || !c->ops->gpa_is_ram(c, *gpa, write))
		goto single;
	return want;
single:
	c->exc = keep;		/* a single element will find the fault again, in its order */
	return 1;
}

/* The batch of an attempt that already went to userspace is that of the log. */
static u32 logged_batch(struct emul_ctxt *c, bool in, u64 *gpa)
{
	const struct emul_xfer *e = emul_pio_logged(c, in);

	if (!e)
		return c->log_pos < c->log_nr ? 1 : 0;
	*gpa = e->gpa;
	return e->count;
}

/* Faults of the destination come before the port is read: a read cannot be undone. */
static int check_dest(struct emul_ctxt *c, u64 off)
{
	u64 la, gpa, last;
	u32 acc = EMUL_ACC_WRITE | (c->cpl == 3 ? EMUL_ACC_USER : 0);
	int ret = emul_linear(c, EMUL_ES, off, c->bytes, true, &la);

	if (!ret)
		ret = emul_translate(c, la, acc, &gpa);
	if (ret)
		return ret;
	last = la + c->bytes - 1;
	if (!emul_is64(c))
		last = (u32)last;
	return emul_translate(c, last, acc, &gpa);
}

/* RCX may have been made smaller than the batch while that was with userspace; it is not 0. */
static u32 still_wanted(const struct emul_ctxt *c, u32 n)
{
	return c->insn.rep ? min_t(u64, n, str_off(c, EMUL_RCX)) : n;
}

static int step_ins(struct emul_ctxt *c, u32 *count)
{
	u64 off = str_off(c, EMUL_RDI), v = 0, gpa = 0;
	u16 port = c->w.gpr[EMUL_RDX];
	u32 n = logged_batch(c, true, &gpa);
	int ret = EMUL_OK;
	bool many;

	if (!n) {
		n = batch(c, EMUL_ES, off, true, &gpa);
		if (n == 1)
			ret = check_dest(c, off);
		if (ret)
			return ret;
	}
	ret = emul_pio(c, true, port, c->bytes, &v, n, gpa);
	if (ret)
		return ret;
	many = n > 1;
	n = still_wanted(c, n);
	if (!many)
		ret = emul_write(c, EMUL_ES, off, &v, c->bytes);
	else
		ret = c->ops->write_phys(c, gpa, c->io_buf, n * c->bytes);
	if (ret)
		return ret == EMUL_IO_NEEDED && many ? EMUL_UNHANDLEABLE : ret;
	advance(c, EMUL_RDI, n);
	*count = n;
	return EMUL_OK;
}

static int step_outs(struct emul_ctxt *c, u32 *count)
{
	u64 off = str_off(c, EMUL_RSI), v = 0, gpa = 0;
	u16 port = c->w.gpr[EMUL_RDX];
	u32 n = logged_batch(c, false, &gpa);
	int ret = EMUL_OK;

	if (!n) {
		n = batch(c, c->insn.seg, off, false, &gpa);
		if (n > 1)
			ret = c->ops->read_phys(c, gpa, c->io_buf, n * c->bytes);
		if (ret)
			return ret == EMUL_IO_NEEDED ? EMUL_UNHANDLEABLE : ret;
	}
	if (n == 1)
		ret = emul_read(c, c->insn.seg, off, &v, c->bytes);
	if (!ret)
		ret = emul_pio(c, false, port, c->bytes, &v, n, gpa);
	if (ret)
		return ret;
	n = still_wanted(c, n);
	advance(c, EMUL_RSI, n);
	*count = n;
	return EMUL_OK;
}

int em_ins(struct emul_ctxt *c)
{
	int ret;

	c->bytes = port_bytes(c);
	ret = check_port(c, c->w.gpr[EMUL_RDX]);
	return ret ? ret : repeat(c, step_ins, false);
}

int em_outs(struct emul_ctxt *c)
{
	int ret;

	c->bytes = port_bytes(c);
	ret = check_port(c, c->w.gpr[EMUL_RDX]);
	return ret ? ret : repeat(c, step_outs, false);
}

/* E4-E7 name the port, EC-EF take it from DX. */
static u16 in_out_port(const struct emul_ctxt *c)
{
	return (c->insn.opcode & 8) ? c->w.gpr[EMUL_RDX] : (u8)c->insn.imm;
}

int em_in(struct emul_ctxt *c)
{
	u16 port = in_out_port(c);
	u64 v = 0;
	int ret;

	c->bytes = port_bytes(c);
	ret = check_port(c, port);
	if (!ret)
		ret = emul_pio(c, true, port, c->bytes, &v, 1, 0);
	if (!ret)
		emul_set_reg(c, EMUL_RAX, v, c->bytes);
	return ret;
}

int em_out(struct emul_ctxt *c)
{
	u16 port = in_out_port(c);
	int ret;

	c->bytes = port_bytes(c);
	ret = check_port(c, port);
	if (!ret)
		ret = emul_pio(c, false, port, c->bytes, &c->w.gpr[EMUL_RAX], 1, 0);
	return ret;
}
