// SPDX-License-Identifier: GPL-2.0-only
/*
 * MOV between a register and device memory in 64-bit code: nearly all MMIO is that. Everything else
 * goes through the emulator (emulate.c).
 *
 * The CPU has made the access up to stage 2: rights, segments and canonical form were checked, and the
 * fault names the address. What is left is one transfer of up to 8 bytes inside a page.
 */
#include <linux/string.h>
#include <asm/processor-flags.h>
#include <keel/io_bus.h>
#include "virt/compat/compat.h"
#include "arch/x86/x86.h"
#include "arch/x86/trace.h"
#include "virt/trace.h"

enum { FROM_REG, FROM_IMM, TO_REG, TO_REG_ZX, TO_REG_SX };

struct mov {
	u8	kind;
	u8	size;		/* bytes in memory */
};

static bool mov_1b(const struct emul_insn *i, struct mov *m)
{
	m->size = i->opcode & 1 ? i->op_bytes : 1;
	switch (i->opcode) {
	case 0x88:
	case 0x89:
		m->kind = FROM_REG;
		return true;
	case 0x8a:
	case 0x8b:
		m->kind = TO_REG;
		return true;
	case 0xc6:
	case 0xc7:
		m->kind = FROM_IMM;
		return !(i->modrm >> 3 & 7);
	default:
		return false;
	}
}

static bool mov_0f(const struct emul_insn *i, struct mov *m)
{
	m->size = i->opcode & 1 ? 2 : 1;
	switch (i->opcode) {
	case 0xb6:
	case 0xb7:
		m->kind = TO_REG_ZX;
		return true;
	case 0xbe:
	case 0xbf:
		m->kind = TO_REG_SX;
		return true;
	default:
		return false;
	}
}

/* FS and GS would need their bases; AH to BH, prefixes that mean something else: not worth it. */
static bool is_mov(const struct emul_insn *i, struct mov *m)
{
	if (!i->has_mem || !i->has_modrm || i->lock || i->rep || i->vex || i->seg == EMUL_FS ||
	    i->seg == EMUL_GS)
		return false;
	if (i->map == EMUL_MAP_0F)
		return mov_0f(i, m);
	if (i->map != EMUL_MAP_1B || !mov_1b(i, m))
		return false;
	return m->size > 1 || i->rex || i->reg < 4 || m->kind == FROM_IMM;
}

static u64 mask_of(u8 size)
{
	return size == 8 ? ~0ull : (1ull << size * 8) - 1;
}

static void put_reg(struct x86_vcpu *vcpu, u8 reg, u8 kind, u8 size, u8 op_bytes, u64 val)
{
	u64 old = gpr_raw(vcpu, reg);

	if (kind == TO_REG)
		op_bytes = size;
	else if (kind == TO_REG_SX && val & 1ull << (size * 8 - 1))
		val |= ~mask_of(size);
	val &= mask_of(op_bytes);
	/* 32-bit results clear the upper half, smaller ones leave the rest. */
	gpr_set(vcpu, reg, op_bytes >= 4 ? val : (old & ~mask_of(op_bytes)) | val);
}

/* Userspace has answered. It may have replaced the state meanwhile: then nothing is left to complete. */
static verdict_t complete_read(struct x86_vcpu *vcpu)
{
	struct vcpu_emul *e = &vcpu->emul;
	u64 val = 0;

	if (linear_rip(vcpu) != e->rip)
		return VERDICT_RESUME;
	memcpy(&val, vcpu->v.run->mmio.data, e->mmio.size);
	put_reg(vcpu, e->mmio.reg, e->mmio.kind, e->mmio.size, e->mmio.op_bytes, val);
	vcpu->exit.next_rip = 0;
	vcpu->exit.insn_len = e->mmio.insn_len;
	return exit_skip(vcpu);
}

static verdict_t read(struct x86_vcpu *vcpu, const struct emul_insn *i, const struct mov *m, gpa_t gpa)
{
	u64 val = 0;

	if (irqchip_mmio_read(vcpu, gpa, m->size, &val) == 0 ||
	    io_bus_read(&vcpu->v, BUS_MMIO, gpa, m->size, &val) == 0) {
		trace_kvm_mmio(KVM_TRACE_MMIO_READ, m->size, gpa, &val);
		put_reg(vcpu, i->reg, m->kind, m->size, i->op_bytes, val);
		return exit_skip(vcpu);
	}
	vcpu->emul.mmio.reg = i->reg;
	vcpu->emul.mmio.kind = m->kind;
	vcpu->emul.mmio.size = m->size;
	vcpu->emul.mmio.op_bytes = i->op_bytes;
	vcpu->emul.mmio.insn_len = i->len;
	vcpu->emul.rip = linear_rip(vcpu);
	vcpu->complete = complete_read;
	return exit_fill_mmio(vcpu, gpa, NULL, m->size, false);
}

/* Userspace gets a store when the instruction is done: it sees RIP behind it (see emulate.h). */
static verdict_t write(struct x86_vcpu *vcpu, const struct emul_insn *i, const struct mov *m, gpa_t gpa)
{
	u64 val = m->kind == FROM_IMM ? i->imm : gpr_raw(vcpu, i->reg);
	verdict_t v;

	trace_kvm_mmio(KVM_TRACE_MMIO_WRITE, m->size, gpa, &val);
	if (irqchip_mmio_write(vcpu, gpa, m->size, &val) == 0 ||
	    io_bus_write(&vcpu->v, BUS_MMIO, gpa, m->size, &val) == 0)
		return exit_skip(vcpu);
	v = exit_skip(vcpu);
	return v == VERDICT_RESUME ? exit_fill_mmio(vcpu, gpa, &val, m->size, true) : v;
}

bool exit_mmio(struct x86_vcpu *vcpu, const struct x86_s2_fault *f, const struct insn_note *n,
	       verdict_t *v)
{
	const struct emul_insn *i = &n->insn;
	const struct x86_regs *r = st_read(vcpu, ST_RIP | ST_RFLAGS | ST_RSP);
	u32 offset = f->gpa & ~PAGE_MASK;
	struct mov m;

	if (!n->decoded || f->table_walk || f->exec || (r->rflags & X86_EFLAGS_TF) || !is_mov(i, &m) ||
	    f->write != (m.kind <= FROM_IMM))
		return false;
	/* A fault on the second page of an access that crosses is not at the operand's address. */
	if (((emul_insn_ea(i, r->gpr, r->rip + i->len) ^ offset) & ~PAGE_MASK) ||
	    offset + m.size > PAGE_SIZE)
		return false;
	vcpu->v.stats.insn_emulation++;
	vcpu->exit.next_rip = 0;
	vcpu->exit.insn_len = i->len;
	*v = f->write ? write(vcpu, i, &m, f->gpa) : read(vcpu, i, &m, f->gpa);
	return true;
}
