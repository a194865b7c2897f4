// SPDX-License-Identifier: GPL-2.0-only
/*
 * The generic side of VM exits: what a normalised exit means. Port I/O is in
 * exit_io.c, MMIO and everything that needs the instruction in emulate.c.
 */
#include <linux/bits.h>
#include <linux/sched.h>
#include <asm/msr-index.h>
#include <asm/processor-flags.h>
#include <keel/io_bus.h>
#include "virt/compat/compat.h"
#include "arch/x86/x86.h"
#include "arch/x86/hypercall.h"
#include "arch/x86/trace.h"

#define VEC_DB	1
#define VEC_BP	3
#define VEC_UD	6
#define VEC_AC	17
#define VEC_MC	18

/*
 * The instruction was completed by us: RIP moves behind it, the interrupt shadow
 * ends, and RFLAGS.TF traps (SDM 3 17.3.1.4, 6.8.3).
 */
static verdict_t finish_insn(struct x86_vcpu *vcpu, u64 rip)
{
	struct x86_regs *r = st_write(vcpu, ST_RIP | ST_RFLAGS | ST_SHADOW);
	bool tf = r->rflags & X86_EFLAGS_TF;

	r->rip = is_64bit_code(vcpu) ? rip : (u32)rip;
	r->rflags &= ~X86_EFLAGS_RF;
	if (r->int_shadow) {
		r->int_shadow = 0;
		vcpu->ev.check = true;
	}
	return unlikely(tf) ? debug_single_step_trap(vcpu) : VERDICT_RESUME;
}

/* False: the instruction's length cannot be found out. */
static bool rip_behind(struct x86_vcpu *vcpu, u64 *rip)
{
	const struct x86_regs *r = st_read(vcpu, ST_RIP);
	int len;

	if (vcpu->exit.next_rip) {
		*rip = vcpu->exit.next_rip;
		return true;
	}
	len = vcpu->exit.insn_len ?: emulate_insn_length(vcpu);
	*rip = r->rip + len;
	return len;
}

bool keel_skip_insn(struct x86_vcpu *vcpu, verdict_t *v)
{
	u64 rip;

	if (unlikely(!rip_behind(vcpu, &rip))) {
		*v = emulate_failed(vcpu);
		return false;
	}
	*v = finish_insn(vcpu, rip);
	return *v == VERDICT_RESUME;
}
KEEL_EXPORT(keel_skip_insn);

static verdict_t skip(struct x86_vcpu *vcpu)
{
	verdict_t v;

	keel_skip_insn(vcpu, &v);
	return v;
}

verdict_t keel_exit_cpuid(struct x86_vcpu *vcpu)
{
	u64 *gpr = vcpu->regs.gpr;
	u32 eax, ebx = 0, ecx, edx = 0;

	if (unlikely(cpuid_fault(vcpu))) {
		keel_raise_gp(vcpu);
		return VERDICT_RESUME;
	}
	eax = gpr[R_RAX];
	ecx = gpr[R_RCX];
	cpuid_emulate(vcpu, &eax, &ebx, &ecx, &edx);
	gpr[R_RAX] = eax;
	gpr[R_RBX] = ebx;
	gpr[R_RCX] = ecx;
	gpr[R_RDX] = edx;
	return skip(vcpu);
}
KEEL_EXPORT(keel_exit_cpuid);

verdict_t exit_halt(struct x86_vcpu *vcpu)
{
	vcpu->v.stats.halt_exits++;
	if (irqchip_lapic_in_kernel(vcpu_vm(vcpu))) {
		vcpu->mp_state = KVM_MP_STATE_HALTED;
		return VERDICT_RESUME;
	}
	vcpu->v.run->exit_reason = KVM_EXIT_HLT;
	return VERDICT_USER;
}

verdict_t keel_exit_hlt(struct x86_vcpu *vcpu)
{
	verdict_t v = skip(vcpu);

	/* A single-step exit to userspace comes first; the halt is entered all the same. */
	if (v == VERDICT_RESUME)
		return exit_halt(vcpu);
	if (v == VERDICT_USER && irqchip_lapic_in_kernel(vcpu_vm(vcpu)))
		exit_halt(vcpu);
	return v;
}
KEEL_EXPORT(keel_exit_hlt);

verdict_t keel_exit_rdmsr(struct x86_vcpu *vcpu)
{
	u32 index = vcpu->regs.gpr[R_RCX];
	u64 val;
	int ret = msr_guest_read(vcpu, index, &val);

	if (unlikely(ret))
		return msr_access_failed(vcpu, index, 0, false, ret);
	trace_kvm_msr(false, index, val, false);
	vcpu->regs.gpr[R_RAX] = (u32)val;
	vcpu->regs.gpr[R_RDX] = val >> 32;
	return skip(vcpu);
}
KEEL_EXPORT(keel_exit_rdmsr);

verdict_t keel_exit_wrmsr(struct x86_vcpu *vcpu)
{
	u32 index = vcpu->regs.gpr[R_RCX];
	u64 val = (u32)vcpu->regs.gpr[R_RAX] | vcpu->regs.gpr[R_RDX] << 32;
	int ret = msr_guest_write(vcpu, index, val);

	if (unlikely(ret))
		return msr_access_failed(vcpu, index, val, true, ret);
	trace_kvm_msr(true, index, val, false);
	if (unlikely(index == MSR_IA32_SPEC_CTRL || index == MSR_IA32_PRED_CMD))
		msr_spec_written(vcpu, index);
	return skip(vcpu);
}
KEEL_EXPORT(keel_exit_wrmsr);

verdict_t exit_skip(struct x86_vcpu *vcpu)
{
	return skip(vcpu);
}

bool keel_fast_wrmsr(struct x86_vcpu *vcpu)
{
	u32 index = vcpu->regs.gpr[R_RCX];
	u64 val = (u32)vcpu->regs.gpr[R_RAX] | vcpu->regs.gpr[R_RDX] << 32;
	verdict_t v;

	if (!(vcpu->exit.next_rip || vcpu->exit.insn_len) ||
	    st_read(vcpu, ST_RFLAGS)->rflags & X86_EFLAGS_TF)
		return false;
	if (!msr_fast_write(vcpu, index, val))
		return false;
	return keel_skip_insn(vcpu, &v);
}
KEEL_EXPORT(keel_fast_wrmsr);

/*
 * Hardware that does not tell which general register is meant: the MOV 0F @opcode of control or
 * debug register @nr at RIP may have been decoded before. -1: it was not, or it is another one.
 */
static int noted_gpr(struct x86_vcpu *vcpu, u8 opcode, int nr)
{
	const struct insn_note *n = insn_note_at_rip(vcpu);
	const struct emul_insn *i;

	if (!n || !n->decoded)
		return -1;
	i = &n->insn;
	if (i->map != EMUL_MAP_0F || i->opcode != opcode || i->reg != nr || i->lock || i->has_mem)
		return -1;
	vcpu->exit.insn_len = i->len;
	return i->rm;
}

/* Without an in-kernel APIC userspace wants to know of a lowered TPR (KVM_EXIT_SET_TPR). */
static verdict_t report_tpr(struct x86_vcpu *vcpu, u64 old, verdict_t v)
{
	if (v != VERDICT_RESUME || irqchip_lapic_in_kernel(vcpu_vm(vcpu)) || keel_get_cr8(vcpu) >= old)
		return v;
	vcpu->v.run->exit_reason = KVM_EXIT_SET_TPR;
	return VERDICT_USER;
}

/* Met for the first time: nobody has decoded it yet. */
static verdict_t emulate_cr8_write(struct x86_vcpu *vcpu)
{
	u64 old = keel_get_cr8(vcpu);

	return report_tpr(vcpu, old, keel_exit_emulate(vcpu));
}

verdict_t keel_exit_cr_write(struct x86_vcpu *vcpu, int cr, int reg)
{
	u64 val;
	int bad;

	if (reg < 0)
		reg = noted_gpr(vcpu, 0x22, cr);
	if (reg < 0)
		return cr == 8 ? emulate_cr8_write(vcpu) : keel_exit_emulate(vcpu);
	val = gpr_mode(vcpu, reg);
	trace_kvm_cr(1, cr, val);
	switch (cr) {
	case 0:
		bad = keel_set_cr0(vcpu, val);
		break;
	case 3:
		bad = keel_set_cr3(vcpu, val);
		break;
	case 4:
		bad = keel_set_cr4(vcpu, val);
		break;
	case 8:
		return exit_cr8_write(vcpu, val);
	default:
		keel_raise_ud(vcpu);
		return VERDICT_RESUME;
	}
	if (bad) {
		keel_raise_gp(vcpu);
		return VERDICT_RESUME;
	}
	return skip(vcpu);
}
KEEL_EXPORT(keel_exit_cr_write);

verdict_t exit_cr8_write(struct x86_vcpu *vcpu, u64 val)
{
	u64 old = keel_get_cr8(vcpu);
	verdict_t v;

	if (keel_set_cr8(vcpu, val)) {
		keel_raise_gp(vcpu);
		return VERDICT_RESUME;
	}
	v = skip(vcpu);
	vcpu->ev.check = true;
	return report_tpr(vcpu, old, v);
}

verdict_t keel_exit_cr_read(struct x86_vcpu *vcpu, int cr, int reg)
{
	const struct x86_regs *r;
	u64 val;

	if (reg < 0)
		reg = noted_gpr(vcpu, 0x20, cr);
	if (reg < 0)
		return keel_exit_emulate(vcpu);
	r = st_read(vcpu, ST_CR | ST_CR3);
	switch (cr) {
	case 0:
		val = r->cr0;
		break;
	case 2:
		val = r->cr2;
		break;
	case 3:
		val = r->cr3;
		break;
	case 4:
		val = r->cr4;
		break;
	case 8:
		val = keel_get_cr8(vcpu);
		break;
	default:
		keel_raise_ud(vcpu);
		return VERDICT_RESUME;
	}
	trace_kvm_cr(0, cr, val);
	gpr_set(vcpu, reg, is_64bit_code(vcpu) ? val : (u32)val);
	return skip(vcpu);
}
KEEL_EXPORT(keel_exit_cr_read);

verdict_t keel_exit_dr(struct x86_vcpu *vcpu, int dr, int reg, bool write)
{
	verdict_t v;

	if (debug_lend(vcpu))
		return VERDICT_RESUME;
	if (reg < 0)
		reg = noted_gpr(vcpu, write ? 0x23 : 0x21, dr);
	if (reg < 0)
		return keel_exit_emulate(vcpu);
	if (debug_check_dr_access(vcpu, dr, &v))
		return v;
	if (!write) {
		gpr_set(vcpu, reg, debug_get_dr(vcpu, dr));
		return skip(vcpu);
	}
	if (debug_set_dr(vcpu, dr, gpr_mode(vcpu, reg))) {
		keel_raise_gp(vcpu);
		return VERDICT_RESUME;
	}
	return skip(vcpu);
}
KEEL_EXPORT(keel_exit_dr);

/* A guest that takes itself for another vendor's CPU has instructions that this one lacks. */
static verdict_t undefined_insn(struct x86_vcpu *vcpu)
{
	verdict_t v;

	if (hypercall_undefined(vcpu, &v))
		return v;
	if (vcpu->cpuid.zero_out_of_range == keel_vendor.caps.reads_zero) {
		keel_raise_ud(vcpu);
		return VERDICT_RESUME;
	}
	vcpu->emul.after_ud = true;
	v = keel_exit_emulate(vcpu);
	vcpu->emul.after_ud = false;
	return v;
}

verdict_t keel_exit_exception(struct x86_vcpu *vcpu, u8 vector, bool has_error, u32 err,
			      u64 payload)
{
	switch (vector) {
	case VEC_DB:
	case VEC_BP:
		return debug_exception(vcpu, vector, payload);
	case VEC_UD:
		return undefined_insn(vcpu);
	case VEC_MC:
		/* The host's handler has run; the guest sees nothing of it. */
		return VERDICT_RESUME;
	default:
		break;
	}
	if (vector == 14)
		keel_raise_pf(vcpu, err, payload);
	else if (has_error)
		keel_raise_err(vcpu, vector, err);
	else
		keel_raise(vcpu, vector);
	return VERDICT_RESUME;
}
KEEL_EXPORT(keel_exit_exception);

verdict_t keel_exit_xsetbv(struct x86_vcpu *vcpu)
{
	u64 val = (u32)vcpu->regs.gpr[R_RAX] | vcpu->regs.gpr[R_RDX] << 32;

	if (st_read(vcpu, ST_CS)->cpl || keel_set_xcr(vcpu, vcpu->regs.gpr[R_RCX], val)) {
		keel_raise_gp(vcpu);
		return VERDICT_RESUME;
	}
	return skip(vcpu);
}
KEEL_EXPORT(keel_exit_xsetbv);

verdict_t keel_exit_rdpmc(struct x86_vcpu *vcpu)
{
	u64 val;

	if (pmu_rdpmc(vcpu, vcpu->regs.gpr[R_RCX], &val)) {
		keel_raise_gp(vcpu);
		return VERDICT_RESUME;
	}
	vcpu->regs.gpr[R_RAX] = (u32)val;
	vcpu->regs.gpr[R_RDX] = val >> 32;
	return skip(vcpu);
}
KEEL_EXPORT(keel_exit_rdpmc);

verdict_t keel_exit_rdtscp(struct x86_vcpu *vcpu)
{
	vcpu->regs.gpr[R_RCX] = (u32)vcpu->msr.tsc_aux;
	return keel_exit_rdtsc(vcpu);
}
KEEL_EXPORT(keel_exit_rdtscp);

verdict_t keel_exit_rdtsc(struct x86_vcpu *vcpu)
{
	u64 val = guest_tsc(vcpu, rdtsc_ordered());

	vcpu->regs.gpr[R_RAX] = (u32)val;
	vcpu->regs.gpr[R_RDX] = val >> 32;
	return skip(vcpu);
}
KEEL_EXPORT(keel_exit_rdtsc);

verdict_t keel_exit_invlpg(struct x86_vcpu *vcpu, gva_t gva)
{
	vendor_call(flush_gva)(vcpu, gva);
	return skip(vcpu);
}
KEEL_EXPORT(keel_exit_invlpg);

/* Guest memory is coherent: without assigned devices there is nothing to write back. */
verdict_t keel_exit_wbinvd(struct x86_vcpu *vcpu)
{
	return skip(vcpu);
}
KEEL_EXPORT(keel_exit_wbinvd);

verdict_t keel_exit_pause(struct x86_vcpu *vcpu)
{
	verdict_t v = skip(vcpu);

	vcpu_spin_yield(&vcpu->v, st_read(vcpu, ST_CS)->cpl == 0);
	return v;
}
KEEL_EXPORT(keel_exit_pause);

/* MONITOR and MWAIT: offered to no guest unless their exits are disabled; then they do not exit. */
verdict_t keel_exit_monitor(struct x86_vcpu *vcpu)
{
	if (!(vcpu_vm(vcpu)->disabled_quirks & KVM_X86_QUIRK_MWAIT_NEVER_UD_FAULTS) ||
	    guest_has(vcpu, X86_FEATURE_MWAIT))
		return skip(vcpu);
	keel_raise_ud(vcpu);
	return VERDICT_RESUME;
}
KEEL_EXPORT(keel_exit_monitor);

verdict_t keel_exit_irq_window(struct x86_vcpu *vcpu)
{
	vcpu->ev.check = true;
	vcpu->v.stats.irq_window_exits++;
	return VERDICT_RESUME;
}
KEEL_EXPORT(keel_exit_irq_window);

verdict_t keel_exit_nmi_window(struct x86_vcpu *vcpu)
{
	vcpu->ev.check = true;
	vcpu->v.stats.nmi_window_exits++;
	return VERDICT_RESUME;
}
KEEL_EXPORT(keel_exit_nmi_window);

verdict_t keel_exit_shutdown(struct x86_vcpu *vcpu)
{
	vcpu->v.run->exit_reason = KVM_EXIT_SHUTDOWN;
	return VERDICT_USER;
}
KEEL_EXPORT(keel_exit_shutdown);

verdict_t keel_exit_shutdown_undefined(struct x86_vcpu *vcpu)
{
	/* What an INIT keeps of CR0 has to be something. */
	st_write(vcpu, ST_CR)->cr0 = X86_CR0_ET | X86_CR0_NW | X86_CR0_CD;
	vcpu_reset(vcpu, true);
	return keel_exit_shutdown(vcpu);
}
KEEL_EXPORT(keel_exit_shutdown_undefined);

/* INIT reaches a guest through its virtual APIC only. */
verdict_t keel_exit_init(struct x86_vcpu *vcpu)
{
	return VERDICT_RESUME;
}
KEEL_EXPORT(keel_exit_init);

verdict_t keel_exit_ud(struct x86_vcpu *vcpu)
{
	keel_raise_ud(vcpu);
	return VERDICT_RESUME;
}
KEEL_EXPORT(keel_exit_ud);

static verdict_t internal_error(struct x86_vcpu *vcpu, u32 suberror, const u64 *data, u32 n)
{
	struct kvm_run *run = vcpu->v.run;
	u32 i;

	run->exit_reason = KVM_EXIT_INTERNAL_ERROR;
	run->internal.suberror = suberror;
	for (i = 0; i < n; i++)
		run->internal.data[i] = data[i];
	run->internal.ndata = n;
	return VERDICT_USER;
}

verdict_t keel_exit_unknown(struct x86_vcpu *vcpu)
{
	u64 data[] = { vcpu->exit.reason, raw_smp_processor_id() };

	return internal_error(vcpu, KVM_INTERNAL_ERROR_UNEXPECTED_EXIT_REASON, data, 2);
}
KEEL_EXPORT(keel_exit_unknown);

/* An exit while an event was being delivered that no handler can resolve. */
verdict_t exit_delivery_failed(struct x86_vcpu *vcpu)
{
	u64 data[] = { vcpu->exit.reason, vcpu->exit.info1, vcpu->exit.info2,
		       raw_smp_processor_id() };

	return internal_error(vcpu, KVM_INTERNAL_ERROR_DELIVERY_EV, data, 4);
}

verdict_t keel_exit_entry_failed(struct x86_vcpu *vcpu, u64 hw_reason)
{
	struct kvm_run *run = vcpu->v.run;

	run->exit_reason = KVM_EXIT_FAIL_ENTRY;
	run->fail_entry.hardware_entry_failure_reason = hw_reason;
	run->fail_entry.cpu = raw_smp_processor_id();
	vendor_call(dump)(vcpu);
	return VERDICT_USER;
}
KEEL_EXPORT(keel_exit_entry_failed);

/* An access where no memory is. */
static verdict_t device_access(struct x86_vcpu *vcpu, const struct x86_s2_fault *f)
{
	struct insn_note *n;
	verdict_t v;

	/* A device access while an event is pushed: the stack or a descriptor lies in MMIO. */
	if (unlikely(vcpu->exit.event_cut_short))
		return exit_delivery_failed(vcpu);
	if (f->write && !f->exec && io_bus_write(&vcpu->v, BUS_FAST_MMIO, f->gpa, 0, NULL) == 0) {
		trace_kvm_fast_mmio(f->gpa);
		return skip(vcpu);
	}
	vcpu->v.stats.mmio_exits++;
	n = insn_note_at_rip(vcpu);
	if (n && exit_mmio(vcpu, f, n, &v))
		return v;
	/* A fault on the guest's page tables says nothing about the operand. */
	vcpu->emul.fault_gpa = f->table_walk || f->exec ? INVALID_GPA : f->gpa;
	vcpu->emul.fault_write = f->write;
	v = n ? emulate_insn(vcpu, n, NULL, 0) : keel_exit_emulate(vcpu);
	vcpu->emul.fault_gpa = INVALID_GPA;
	return v;
}

verdict_t keel_exit_stage2(struct x86_vcpu *vcpu, const struct x86_s2_fault *f)
{
	bool emulate = false;
	verdict_t v;

	vcpu->v.stats.pf_taken++;
	trace_kvm_page_fault(st_read(vcpu, ST_RIP)->rip, f->gpa, f->write | f->exec << 4);
	v = mmu_fault(vcpu, f, &emulate);
	return likely(!emulate) ? v : device_access(vcpu, f);
}
KEEL_EXPORT(keel_exit_stage2);

verdict_t keel_exit_apic_access(struct x86_vcpu *vcpu, const struct x86_s2_fault *f)
{
	return device_access(vcpu, f);
}
KEEL_EXPORT(keel_exit_apic_access);

verdict_t keel_exit_emulate(struct x86_vcpu *vcpu)
{
	u8 bytes[15];
	int nr = vendor_call(insn_bytes)(vcpu, bytes);
	struct insn_note *n = nr ? NULL : insn_note_at_rip(vcpu);

	return emulate_insn(vcpu, n, nr ? bytes : NULL, nr);
}
KEEL_EXPORT(keel_exit_emulate);

verdict_t keel_exit_hypercall(struct x86_vcpu *vcpu)
{
	vcpu->v.stats.hypercalls++;
	return hypercall(vcpu);
}
KEEL_EXPORT(keel_exit_hypercall);

/* The switch of an instruction: the old task goes on behind it. */
static verdict_t task_switch_insn(struct x86_vcpu *vcpu, const struct x86_task_switch *ts)
{
	u64 old = st_read(vcpu, ST_RIP)->rip, rip;
	struct x86_regs *r;
	verdict_t v;

	if (!rip_behind(vcpu, &rip))
		return emulate_failed(vcpu);
	r = st_write(vcpu, ST_RIP | ST_RFLAGS | ST_SHADOW);
	r->rip = (u32)rip;
	r->int_shadow = 0;
	r->rflags = debug_rflags(vcpu, r->rflags) & ~(u64)X86_EFLAGS_RF;
	v = emulate_task_switch(vcpu, ts, old);
	/* Userspace's step has ended before the new task's first instruction. */
	if (v == VERDICT_RESUME && !vcpu->ev.exc.pending && debug_single_step(&vcpu->debug))
		return debug_single_step_trap(vcpu);
	return v;
}

verdict_t keel_exit_task_switch(struct x86_vcpu *vcpu, const struct x86_task_switch *ts)
{
	if (ts->reason != 3 || ts->soft)
		return task_switch_insn(vcpu, ts);
	/* The switch delivers the event of a gate. */
	keel_event_delivered(vcpu);
	if (ts->nmi)
		vendor_call(set_nmi_masked)(vcpu, true);
	return emulate_task_switch(vcpu, ts, st_read(vcpu, ST_RIP)->rip);
}
KEEL_EXPORT(keel_exit_task_switch);
