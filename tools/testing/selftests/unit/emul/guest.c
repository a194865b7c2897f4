// SPDX-License-Identifier: GPL-2.0-only
#include <stdlib.h>
#include "guest.h"

/* Nothing that is not initialised may reach the guest. Checked under MemorySanitizer. */
#if defined(__clang__) && defined(KEEL_MSAN)
void __msan_check_mem_is_initialized(const volatile void *x, size_t size);
#define CHECK_INIT(p, n)	__msan_check_mem_is_initialized(p, n)
#else
#define CHECK_INIT(p, n)	((void)(p), (void)(n))
#endif

static struct guest *of(struct emul_ctxt *c)
{
	return c->priv;
}

static struct g_page *page_of(struct guest *g, u64 la)
{
	if (la >= G_WINDOW)
		la -= G_WINDOW;
	return la < G_RAM ? &g->pt[la >> 12] : NULL;
}

static int pf(struct emul_ctxt *c, u64 la, u32 err)
{
	c->exc = (struct emul_exception){
		.vector = 14, .has_error = true, .error = err, .cr2 = la,
	};
	return EMUL_FAULT;
}

static int op_translate(struct emul_ctxt *c, u64 la, u32 acc, u64 *gpa)
{
	struct guest *g = of(c);
	struct g_page *p = page_of(g, la);
	u32 err = (acc & EMUL_ACC_WRITE ? 2 : 0) | (acc & EMUL_ACC_USER ? 4 : 0) |
		  (acc & EMUL_ACC_FETCH ? 16 : 0);

	g->translations++;
	if (!p || !p->present)
		return pf(c, la, err);
	if (((acc & EMUL_ACC_WRITE) && !p->writable) || ((acc & EMUL_ACC_USER) && !p->user) ||
	    ((acc & EMUL_ACC_FETCH) && p->nx))
		return pf(c, la, err | 1);
	*gpa = p->gpa | (la & 4095);
	return EMUL_OK;
}

static bool in(u64 gpa, u64 base)
{
	return gpa >= base && gpa < base + 8192;
}

static void event(struct guest *g, struct g_event e)
{
	if (g->nr_ev < 4096)
		g->ev[g->nr_ev++] = e;
}

static u64 device_data(struct guest *g)
{
	return g->next_data++ * 0x0101010101010101ull;
}

static int op_read(struct emul_ctxt *c, u64 gpa, void *buf, u32 len)
{
	struct guest *g = of(c);
	u64 v;

	if ((gpa & 4095) + len > 4096)
		abort();
	if (gpa + len <= G_RAM) {
		memcpy(buf, g->ram + gpa, len);
		return EMUL_OK;
	}
	if (!in(gpa, MMIO_KERNEL) || len > 8)
		return EMUL_IO_NEEDED;
	v = device_data(g);
	memcpy(buf, &v, len);
	event(g, (struct g_event){ .kernel = true, .addr = gpa, .size = len, .data = v });
	return EMUL_OK;
}

static int op_write(struct emul_ctxt *c, u64 gpa, const void *buf, u32 len)
{
	struct guest *g = of(c);
	u64 v = 0;

	CHECK_INIT(buf, len);
	if ((gpa & 4095) + len > 4096)
		abort();
	if (gpa + len <= G_RAM) {
		memcpy(g->ram + gpa, buf, len);
		return EMUL_OK;
	}
	if (!in(gpa, MMIO_KERNEL) || len > 8)
		return EMUL_IO_NEEDED;
	memcpy(&v, buf, len);
	event(g, (struct g_event){ .write = true, .kernel = true, .addr = gpa, .size = len,
				   .data = v });
	return EMUL_OK;
}

static int op_cmpxchg(struct emul_ctxt *c, u64 gpa, const void *old, const void *new, u32 len)
{
	struct guest *g = of(c);

	if ((gpa & 4095) + len > 4096)
		abort();
	if (gpa + len > G_RAM)
		return EMUL_IO_NEEDED;
	CHECK_INIT(new, len);
	if (g->race || memcmp(g->ram + gpa, old, len))
		return EMUL_RETRY;
	memcpy(g->ram + gpa, new, len);
	return EMUL_OK;
}

static bool op_is_ram(struct emul_ctxt *c, u64 gpa, bool write)
{
	return gpa < G_RAM && !of(c)->no_ram_batch;
}

static int op_pio_in(struct emul_ctxt *c, u16 port, u32 size, void *buf, u32 count)
{
	struct guest *g = of(c);
	u64 v;

	if (port < PORT_KERNEL || port >= PORT_KERNEL + 0x20)
		return EMUL_IO_NEEDED;
	v = device_data(g);
	memset(buf, (u8)v, size * count);
	event(g, (struct g_event){ .pio = true, .kernel = true, .addr = port, .size = size,
				   .count = count, .data = v });
	return EMUL_OK;
}

static int op_pio_out(struct emul_ctxt *c, u16 port, u32 size, const void *buf, u32 count)
{
	struct guest *g = of(c);
	u64 v = 0;

	if (port < PORT_KERNEL || port >= PORT_KERNEL + 0x20)
		return EMUL_IO_NEEDED;
	memcpy(&v, buf, size);
	event(g, (struct g_event){ .pio = true, .write = true, .kernel = true, .addr = port,
				   .size = size, .count = count, .data = v });
	return EMUL_OK;
}

static void op_get_seg(struct emul_ctxt *c, enum emul_sreg s, struct emul_seg *seg)
{
	*seg = of(c)->seg[s];
}

static void op_set_seg(struct emul_ctxt *c, enum emul_sreg s, const struct emul_seg *seg)
{
	CHECK_INIT(&seg->base, sizeof(seg->base));
	CHECK_INIT(&seg->limit, sizeof(seg->limit) + sizeof(seg->ar) + sizeof(seg->sel));
	of(c)->seg[s] = *seg;
}

static void op_get_gdt(struct emul_ctxt *c, struct emul_dt *dt)
{
	*dt = of(c)->gdt;
}

static void op_set_gdt(struct emul_ctxt *c, const struct emul_dt *dt)
{
	of(c)->gdt = *dt;
}

static void op_get_idt(struct emul_ctxt *c, struct emul_dt *dt)
{
	*dt = of(c)->idt;
}

static void op_set_idt(struct emul_ctxt *c, const struct emul_dt *dt)
{
	of(c)->idt = *dt;
}

static u64 op_get_cr(struct emul_ctxt *c, int nr)
{
	return of(c)->cr[nr];
}

static int op_set_cr(struct emul_ctxt *c, int nr, u64 val)
{
	of(c)->cr[nr] = val;
	return EMUL_OK;
}

static u64 op_get_dr(struct emul_ctxt *c, int nr)
{
	return of(c)->dr[nr];
}

static int op_set_dr(struct emul_ctxt *c, int nr, u64 val)
{
	of(c)->dr[nr] = val;
	return EMUL_OK;
}

static u64 *msr(struct guest *g, u32 nr)
{
	switch (nr) {
	case 0xc0000080:
		return &g->efer;
	case 0xc0000081:
		return &g->star;
	case 0xc0000082:
		return &g->lstar;
	case 0xc0000083:
		return &g->cstar;
	case 0xc0000084:
		return &g->fmask;
	case 0xc0000102:
		return &g->kgs;
	case 0xc0000103:
		return &g->tsc_aux;
	case 0x174:
	case 0x175:
	case 0x176:
		return &g->sysenter[nr - 0x174];
	case 0x1234:
		return &g->other_msr;
	default:
		return NULL;
	}
}

static int op_get_msr(struct emul_ctxt *c, u32 nr, u64 *val)
{
	u64 *m = msr(of(c), nr);

	if (!m) {
		c->exc = (struct emul_exception){ .vector = 13, .has_error = true };
		return EMUL_FAULT;
	}
	*val = *m;
	return EMUL_OK;
}

static int op_set_msr(struct emul_ctxt *c, u32 nr, u64 val)
{
	u64 *m = msr(of(c), nr);

	if (!m) {
		c->exc = (struct emul_exception){ .vector = 13, .has_error = true };
		return EMUL_FAULT;
	}
	*m = val;
	return EMUL_OK;
}

static u64 op_get_xcr0(struct emul_ctxt *c)
{
	return of(c)->xcr0;
}

static u64 op_rdtsc(struct emul_ctxt *c)
{
	return 0x1122334455667788ull;
}

static bool op_cpuid_faults(struct emul_ctxt *c)
{
	return of(c)->cpuid_faults;
}

static void op_cpuid(struct emul_ctxt *c, u32 *eax, u32 *ebx, u32 *ecx, u32 *edx)
{
	u32 leaf = *eax;

	*eax = leaf + 1;
	*ebx = leaf == 7 ? 1u << 3 : 2;
	*ecx = leaf == 0x80000001 ? 1u << 5 : 3;
	*edx = 4;
}

static int op_invlpg(struct emul_ctxt *c, u64 la)
{
	event(of(c), (struct g_event){ .addr = la });
	return EMUL_OK;
}

static void op_read_vec(struct emul_ctxt *c, int nr, u8 buf[32])
{
	memcpy(buf, of(c)->vec[nr], 32);
}

static void op_write_vec(struct emul_ctxt *c, int nr, const u8 *buf, u32 len, bool zero_upper)
{
	memcpy(of(c)->vec[nr], buf, len);
	if (zero_upper)
		memset(of(c)->vec[nr] + len, 0, 32 - len);
}

static void op_read_mmx(struct emul_ctxt *c, int nr, u64 *val)
{
	*val = of(c)->mmx[nr];
}

static void op_write_mmx(struct emul_ctxt *c, int nr, u64 val)
{
	of(c)->mmx[nr] = val;
}

static bool op_mf_pending(struct emul_ctxt *c)
{
	return of(c)->mf;
}

static int op_fxsave(struct emul_ctxt *c, u8 *area)
{
	memset(area, 0x5a, 512);
	return EMUL_OK;
}

static int op_fxrstor(struct emul_ctxt *c, const u8 *area, bool sse)
{
	memcpy(of(c)->vec[0], area, 32);
	return EMUL_OK;
}

static int op_intercept(struct emul_ctxt *c)
{
	return of(c)->denied ? EMUL_INTERCEPTED : EMUL_OK;
}

static bool op_should_yield(struct emul_ctxt *c)
{
	return of(c)->yield;
}

static const struct emul_ops ops = {
	.translate = op_translate,
	.read_phys = op_read,
	.write_phys = op_write,
	.cmpxchg_phys = op_cmpxchg,
	.gpa_is_ram = op_is_ram,
	.pio_in = op_pio_in,
	.pio_out = op_pio_out,
	.get_seg = op_get_seg,
	.set_seg = op_set_seg,
	.get_gdt = op_get_gdt,
	.set_gdt = op_set_gdt,
	.get_idt = op_get_idt,
	.set_idt = op_set_idt,
	.get_cr = op_get_cr,
	.set_cr = op_set_cr,
	.get_dr = op_get_dr,
	.set_dr = op_set_dr,
	.get_msr = op_get_msr,
	.set_msr = op_set_msr,
	.get_xcr0 = op_get_xcr0,
	.rdtsc = op_rdtsc,
	.cpuid = op_cpuid,
	.cpuid_faults = op_cpuid_faults,
	.invlpg = op_invlpg,
	.read_vec = op_read_vec,
	.write_vec = op_write_vec,
	.read_mmx = op_read_mmx,
	.write_mmx = op_write_mmx,
	.mf_pending = op_mf_pending,
	.fxsave = op_fxsave,
	.fxrstor = op_fxrstor,
	.intercept = op_intercept,
	.should_yield = op_should_yield,
};

struct guest *guest_new(void)
{
	struct guest *g = calloc(1, sizeof(*g));

	if (!g)
		abort();
	return g;
}

void guest_free(struct guest *g)
{
	free(g);
}

static void reset_segs(struct guest *g, enum emul_mode mode, u8 cpl)
{
	u32 s, dpl = cpl << 5;

	for (s = 0; s < EMUL_NR_SEGS; s++) {
		g->seg[s] = (struct emul_seg){
			.sel = s == EMUL_CS ? 0x10 | cpl : 0x18 | cpl,
			.limit = 0xffffffff,
			.ar = 0x8093 | dpl | (mode >= EMUL_PROT32 ? EMUL_AR_DB : 0),
		};
		if (mode < EMUL_PROT16) {
			g->seg[s].sel = 0;
			g->seg[s].limit = 0xffff;
			g->seg[s].ar = mode == EMUL_VM86 ? 0xf3 : 0x93;
		}
	}
	if (mode >= EMUL_PROT16)
		g->seg[EMUL_CS].ar |= 8;
	if (mode == EMUL_PROT64)
		g->seg[EMUL_CS].ar = 0xa09b | dpl;
	g->seg[EMUL_LDTR] = (struct emul_seg){ .ar = EMUL_AR_UNUSABLE };
	g->seg[EMUL_TR] = (struct emul_seg){ .sel = 0x40, .base = 0x20000, .limit = 0x67,
					     .ar = 0x8b };
}

void guest_reset(struct guest *g, enum emul_mode mode, u8 cpl)
{
	u32 i;

	memset(g, 0, sizeof(*g));
	for (i = 0; i < G_PAGES; i++)
		g->pt[i] = (struct g_page){ (u64)i << 12, true, true, true, false };
	g->c.ops = &ops;
	g->c.priv = g;
	g->c.regs = &g->regs;
	g->c.mode = mode;
	g->c.cpl = mode == EMUL_VM86 ? 3 : cpl;
	g->c.va_bits = 48;
	g->c.model = EMUL_SYSCALL_LEGACY | EMUL_SYSENTER_LONG;
	g->c.io_buf = g->io_buf;
	g->c.io_buf_len = sizeof(g->io_buf);
	g->regs.rip = CODE;
	g->regs.rflags = mode == EMUL_VM86 ? 0x20002 : 2;
	g->regs.gpr[EMUL_RSP] = STACK;
	g->gdt = (struct emul_dt){ .base = 0x30000, .limit = 0xfff };
	g->idt = (struct emul_dt){ .base = 0x31000, .limit = 0xfff };
	g->cr[0] = mode == EMUL_REAL ? 0x10 : 0x80000011;
	g->cr[4] = 0x40200;		/* OSFXSR, OSXSAVE */
	g->xcr0 = 7;
	g->efer = mode == EMUL_PROT64 ? 0xd01 : 1;
	g->next_data = 1;
	reset_segs(g, mode, g->c.cpl);
}

void guest_map(struct guest *g, u64 la, u64 gpa)
{
	page_of(g, la)->gpa = gpa & ~4095ull;
}

void guest_put(struct guest *g, u64 la, const void *data, u32 n)
{
	memcpy(g->ram + (la >= G_WINDOW ? la - G_WINDOW : la), data, n);
}

void guest_get(struct guest *g, u64 la, void *data, u32 n)
{
	memcpy(data, g->ram + (la >= G_WINDOW ? la - G_WINDOW : la), n);
}

u64 guest_ld(struct guest *g, u64 la, u32 n)
{
	u64 v = 0;

	guest_get(g, la, &v, n);
	return v;
}

void guest_st(struct guest *g, u64 la, u64 v, u32 n)
{
	guest_put(g, la, &v, n);
}

/* What a VMM does with an exit. */
static void userspace(struct guest *g)
{
	struct emul_io *io = &g->c.io;
	u64 v = 0;

	g->exits++;
	if (io->write) {
		CHECK_INIT(io->data, io->size * io->count);
		memcpy(&v, io->data, io->size);
	} else {
		v = device_data(g);
		if (io->count > 1)
			memset(io->data, (u8)v, io->size * io->count);
		else
			memcpy(io->data, &v, io->size);
	}
	event(g, (struct g_event){ .write = io->write, .pio = io->pio, .addr = io->addr,
				   .size = io->size, .count = io->count, .data = v });
	if (g->on_exit)
		g->on_exit(g);
}

int guest_go(struct guest *g)
{
	int ret, n;

	emul_init(&g->c);
	ret = emul_decode(&g->c, NULL, 0);
	if (ret)
		return ret;
	for (n = 0; n < 4096; n++) {
		ret = emul_execute(&g->c);
		if (ret != EMUL_IO_NEEDED)
			break;
		userspace(g);
		emul_io_done(&g->c);
	}
	return ret;
}

int guest_run(struct guest *g, const void *code, u32 n)
{
	u64 la = g->regs.rip;

	if (g->c.mode != EMUL_PROT64)
		la = (u32)(la + g->seg[EMUL_CS].base);
	guest_put(g, la, code, n);
	return guest_go(g);
}
