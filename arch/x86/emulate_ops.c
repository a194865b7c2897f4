// SPDX-License-Identifier: GPL-2.0-only
/* What the emulator sees of a vCPU: memory, ports, segments, control registers. */
#include <linux/string.h>
#include <asm/processor-flags.h>
#include "virt/compat/compat.h"
#include "virt/compat/guest_context.h"
#include <keel/guest_mem.h>
#include "arch/x86/x86.h"
#include "arch/x86/trace.h"
#include "virt/trace.h"

static struct x86_vcpu *vcpu_of(struct emul_ctxt *c)
{
	return c->priv;
}

static int gp0(struct emul_ctxt *c)
{
	c->exc = (struct emul_exception){ .vector = 13, .has_error = true };
	return EMUL_FAULT;
}

/* ---- memory ---- */

/*
 * An instruction with a ModRM memory operand makes at most one data access in each direction, so
 * direction and page offset tell the one that faulted. String instructions have no ModRM.
 */
static bool is_faulting_access(const struct x86_vcpu *vcpu, const struct emul_ctxt *c, u64 la,
			       u32 acc)
{
	const struct vcpu_emul *e = &vcpu->emul;

	return e->fault_gpa != INVALID_GPA && c->insn.has_mem &&
	       !(acc & (EMUL_ACC_FETCH | EMUL_ACC_SYSTEM)) &&
	       !!(acc & EMUL_ACC_WRITE) == e->fault_write &&
	       !((la ^ e->fault_gpa) & ~PAGE_MASK);
}

static int op_translate(struct emul_ctxt *c, u64 la, u32 acc, u64 *gpa)
{
	struct x86_vcpu *vcpu = vcpu_of(c);
	struct guest_walk_result r;
	u32 access = 0;

	if (is_faulting_access(vcpu, c, la, acc)) {
		*gpa = vcpu->emul.fault_gpa;
		return EMUL_OK;
	}
	if (acc & EMUL_ACC_WRITE)
		access |= GW_WRITE;
	if (acc & EMUL_ACC_FETCH)
		access |= GW_FETCH;
	if (acc & EMUL_ACC_USER)
		access |= GW_USER;
	if (acc & EMUL_ACC_SYSTEM)
		access |= GW_IMPLICIT;
	if (guest_walk(vcpu, la, access, &r)) {
		c->exc = (struct emul_exception){ .vector = 14, .has_error = true,
						  .error = r.error_code, .cr2 = la };
		return EMUL_FAULT;
	}
	*gpa = r.gpa;
	return EMUL_OK;
}

static int op_read_phys(struct emul_ctxt *c, u64 gpa, void *buf, u32 len)
{
	struct x86_vcpu *vcpu = vcpu_of(c);
	int ret;

	ret = vcpu_read_guest(&vcpu->v, gpa, buf, len);
	if (!ret)
		return EMUL_OK;
	if (ret != -ENXIO || len > 8)
		return EMUL_UNHANDLEABLE;
	if (irqchip_mmio_read(vcpu, gpa, len, buf) == 0 ||
	    io_bus_read(&vcpu->v, BUS_MMIO, gpa, len, buf) == 0) {
		trace_kvm_mmio(KVM_TRACE_MMIO_READ, len, gpa, buf);
		return EMUL_OK;
	}
	return EMUL_IO_NEEDED;
}

static int op_write_phys(struct emul_ctxt *c, u64 gpa, const void *buf, u32 len)
{
	struct x86_vcpu *vcpu = vcpu_of(c);
	int ret;

	ret = vcpu_write_guest(&vcpu->v, gpa, buf, len);
	if (!ret)
		return EMUL_OK;
	if (ret != -ENXIO || len > 8)
		return EMUL_UNHANDLEABLE;
	trace_kvm_mmio(KVM_TRACE_MMIO_WRITE, len, gpa, buf);
	if (irqchip_mmio_write(vcpu, gpa, len, buf) == 0 ||
	    io_bus_write(&vcpu->v, BUS_MMIO, gpa, len, buf) == 0 ||
	    emulate_post_write(vcpu, gpa, buf, len))
		return EMUL_OK;
	return EMUL_IO_NEEDED;
}

static int op_cmpxchg_phys(struct emul_ctxt *c, u64 gpa, const void *old, const void *new, u32 len)
{
	struct x86_vcpu *vcpu = vcpu_of(c);
	u8 expected[16];
	int ret;

	if (len > sizeof(expected))
		return EMUL_IO_NEEDED;
	memcpy(expected, old, len);
	ret = vcpu_cmpxchg_guest(&vcpu->v, gpa, len, expected, new);
	if (ret < 0)
		return EMUL_IO_NEEDED;
	return ret ? EMUL_RETRY : EMUL_OK;
}

static bool op_gpa_is_ram(struct emul_ctxt *c, u64 gpa, bool write)
{
	return vcpu_gpa_is_ram(&vcpu_of(c)->v, gpa, write);
}

/* ---- ports ---- */

static int op_pio_in(struct emul_ctxt *c, u16 port, u32 size, void *buf, u32 count)
{
	struct x86_vcpu *vcpu = vcpu_of(c);
	u32 i;

	for (i = 0; i < count; i++)
		if (io_bus_read(&vcpu->v, BUS_PIO, port, size, buf + i * size))
			/* A device that serves the first element serves them all, but for a race with its removal. */
			return i ? EMUL_UNHANDLEABLE : EMUL_IO_NEEDED;
	trace_kvm_pio(KVM_EXIT_IO_IN, port, size, count, buf);
	return EMUL_OK;
}

static int op_pio_out(struct emul_ctxt *c, u16 port, u32 size, const void *buf, u32 count)
{
	struct x86_vcpu *vcpu = vcpu_of(c);
	u32 i;

	trace_kvm_pio(KVM_EXIT_IO_OUT, port, size, count, buf);
	for (i = 0; i < count; i++)
		if (io_bus_write(&vcpu->v, BUS_PIO, port, size, buf + i * size))
			return i ? EMUL_UNHANDLEABLE : EMUL_IO_NEEDED;
	return EMUL_OK;
}

/* ---- segments and descriptor tables ---- */

static const u8 seg_index[EMUL_NR_SEGS] = {
	[EMUL_ES] = S_ES, [EMUL_CS] = S_CS, [EMUL_SS] = S_SS, [EMUL_DS] = S_DS,
	[EMUL_FS] = S_FS, [EMUL_GS] = S_GS, [EMUL_LDTR] = S_LDTR, [EMUL_TR] = S_TR,
};

static void op_get_seg(struct emul_ctxt *c, enum emul_sreg s, struct emul_seg *seg)
{
	const struct x86_seg *x = &st_read(vcpu_of(c), ST_SEG)->seg[seg_index[s]];

	seg->base = x->base;
	seg->limit = x->limit;
	seg->sel = x->selector;
	seg->ar = (x->attr & 0xff) | (x->attr & 0xf00) << 4;
	if (x->unusable)
		seg->ar |= EMUL_AR_UNUSABLE;
}

static void op_set_seg(struct emul_ctxt *c, enum emul_sreg s, const struct emul_seg *seg)
{
	struct x86_vcpu *vcpu = vcpu_of(c);
	struct x86_regs *r = st_write(vcpu, ST_SEG);
	struct x86_seg *x = &r->seg[seg_index[s]];

	x->base = seg->base;
	x->limit = seg->limit;
	x->selector = seg->sel;
	x->attr = (seg->ar & 0xff) | (seg->ar >> 4 & 0xf00);
	x->unusable = !!(seg->ar & EMUL_AR_UNUSABLE);
	if (s == EMUL_SS)
		r->cpl = SEG_DPL(x->attr);
}

static void op_get_gdt(struct emul_ctxt *c, struct emul_dt *dt)
{
	const struct x86_dt *x = &st_read(vcpu_of(c), ST_DT)->gdt;

	dt->base = x->base;
	dt->limit = x->limit;
}

static void op_set_gdt(struct emul_ctxt *c, const struct emul_dt *dt)
{
	struct x86_dt *x = &st_write(vcpu_of(c), ST_DT)->gdt;

	x->base = dt->base;
	x->limit = dt->limit;
}

static void op_get_idt(struct emul_ctxt *c, struct emul_dt *dt)
{
	const struct x86_dt *x = &st_read(vcpu_of(c), ST_DT)->idt;

	dt->base = x->base;
	dt->limit = x->limit;
}

static void op_set_idt(struct emul_ctxt *c, const struct emul_dt *dt)
{
	struct x86_dt *x = &st_write(vcpu_of(c), ST_DT)->idt;

	x->base = dt->base;
	x->limit = dt->limit;
}

/* ---- control, debug and model-specific registers ---- */

static u64 op_get_cr(struct emul_ctxt *c, int nr)
{
	struct x86_vcpu *vcpu = vcpu_of(c);

	switch (nr) {
	case 0:
		return st_read(vcpu, ST_CR)->cr0;
	case 2:
		return st_read(vcpu, ST_CR)->cr2;
	case 3:
		return st_read(vcpu, ST_CR3)->cr3;
	case 4:
		return st_read(vcpu, ST_CR)->cr4;
	case 8:
		return keel_get_cr8(vcpu);
	default:
		return 0;
	}
}

static int op_set_cr(struct emul_ctxt *c, int nr, u64 val)
{
	struct x86_vcpu *vcpu = vcpu_of(c);
	int bad = 0;

	switch (nr) {
	case 0:
		bad = keel_set_cr0(vcpu, val);
		break;
	case 2:
		st_write(vcpu, ST_CR)->cr2 = val;
		break;
	case 3:
		bad = keel_set_cr3(vcpu, val);
		break;
	case 4:
		bad = keel_set_cr4(vcpu, val);
		break;
	case 8:
		bad = keel_set_cr8(vcpu, val);
		break;
	default:
		return EMUL_UNHANDLEABLE;
	}
	return bad ? gp0(c) : EMUL_OK;
}

static u64 op_get_dr(struct emul_ctxt *c, int nr)
{
	return debug_get_dr(vcpu_of(c), nr);
}

static int op_set_dr(struct emul_ctxt *c, int nr, u64 val)
{
	return debug_set_dr(vcpu_of(c), nr, val) ? gp0(c) : EMUL_OK;
}

static int op_get_msr(struct emul_ctxt *c, u32 msr, u64 *val)
{
	return msr_guest_read(vcpu_of(c), msr, val) ? gp0(c) : EMUL_OK;
}

static int op_set_msr(struct emul_ctxt *c, u32 msr, u64 val)
{
	return msr_guest_write(vcpu_of(c), msr, val) ? gp0(c) : EMUL_OK;
}

static u64 op_get_xcr0(struct emul_ctxt *c)
{
	return vcpu_of(c)->fpu.xcr0;
}

static int op_set_xcr(struct emul_ctxt *c, u32 nr, u64 val)
{
	return keel_set_xcr(vcpu_of(c), nr, val) ? gp0(c) : EMUL_OK;
}

static u64 op_rdtsc(struct emul_ctxt *c)
{
	return guest_tsc_now(vcpu_of(c));
}

static int op_rdpmc(struct emul_ctxt *c, u32 nr, u64 *val)
{
	return pmu_rdpmc(vcpu_of(c), nr, val) ? gp0(c) : EMUL_OK;
}

static void op_cpuid(struct emul_ctxt *c, u32 *eax, u32 *ebx, u32 *ecx, u32 *edx)
{
	cpuid_emulate(vcpu_of(c), eax, ebx, ecx, edx);
}

static bool op_cpuid_faults(struct emul_ctxt *c)
{
	return cpuid_fault(vcpu_of(c));
}

static int op_invlpg(struct emul_ctxt *c, u64 la)
{
	vendor_call(flush_gva)(vcpu_of(c), la);
	return EMUL_OK;
}

/* Every type drops at least what was asked for (SDM 2A INVPCID). */
static int op_invpcid(struct emul_ctxt *c, u64 type, u64 pcid, u64 la)
{
	if (type > 3)
		return gp0(c);
	vendor_call(flush_tlb)(vcpu_of(c));
	return EMUL_OK;
}

static void op_wbinvd(struct emul_ctxt *c)
{
}

static bool op_should_yield(struct emul_ctxt *c)
{
	struct x86_vcpu *vcpu = vcpu_of(c);

	return emulate_writes_posted(vcpu) || emulate_loop_wanted(vcpu);
}

const struct emul_ops emulate_ops = {
	.translate	= op_translate,
	.read_phys	= op_read_phys,
	.write_phys	= op_write_phys,
	.cmpxchg_phys	= op_cmpxchg_phys,
	.gpa_is_ram	= op_gpa_is_ram,
	.pio_in		= op_pio_in,
	.pio_out	= op_pio_out,
	.get_seg	= op_get_seg,
	.set_seg	= op_set_seg,
	.get_gdt	= op_get_gdt,
	.set_gdt	= op_set_gdt,
	.get_idt	= op_get_idt,
	.set_idt	= op_set_idt,
	.get_cr		= op_get_cr,
	.set_cr		= op_set_cr,
	.get_dr		= op_get_dr,
	.set_dr		= op_set_dr,
	.get_msr	= op_get_msr,
	.set_msr	= op_set_msr,
	.get_xcr0	= op_get_xcr0,
	.set_xcr	= op_set_xcr,
	.rdtsc		= op_rdtsc,
	.rdpmc		= op_rdpmc,
	.cpuid		= op_cpuid,
	.cpuid_faults	= op_cpuid_faults,
	.invlpg		= op_invlpg,
	.invpcid	= op_invpcid,
	.wbinvd		= op_wbinvd,
	.read_vec	= emulate_read_vec,
	.write_vec	= emulate_write_vec,
	.read_mmx	= emulate_read_mmx,
	.write_mmx	= emulate_write_mmx,
	.mf_pending	= emulate_mf_pending,
	.fxsave		= emulate_fxsave,
	.fxrstor	= emulate_fxrstor,
	.should_yield	= op_should_yield,
};
