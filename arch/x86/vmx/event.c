// SPDX-License-Identifier: GPL-2.0-only
/*
 * Events on their way into the guest: injection by the entry, deliveries that an exit cut
 * short, windows, NMI blocking, which the CPU keeps for the guest, and intercepted exceptions.
 */
#include <asm/cpu.h>
#include <asm/cpufeature.h>
#include <asm/processor-flags.h>
#include <asm/trapnr.h>
#include "virt/compat/compat.h"
#include "arch/x86/vmx/vmx.h"

#define DB_CAUSES	0x600fu		/* BS, BD, B3-B0 of the exit qualification */
#define EPT_VIOLATION_ALLOWED	(7u << 3)	/* what the entry allowed: nothing if there was none */

/* #DF, #TS, #NP, #SS, #GP, #PF, #AC push an error code (SDM 3A table 6-1). */
#define HAS_ERROR	(BIT(8) | BIT(10) | BIT(11) | BIT(12) | BIT(13) | BIT(14) | BIT(17))
#define ERROR_BITS	0x7fffu		/* an entry takes no others (SDM 3C 27.2.1.3) */

/* ---- injection ---- */

static u32 inj_type(const struct x86_event *ev)
{
	switch (ev->type) {
	case EVT_NMI:
		return INTR_TYPE_NMI_INTR;
	case EVT_INTERRUPT:
		return INTR_TYPE_EXT_INTR;
	case EVT_SOFT_INT:
		return INTR_TYPE_SOFT_INTR;
	default:
		/* Vectors 3 and 4 are what INT3 and INTO raise. */
		if (ev->type == EVT_SOFT_EXCEPTION || ev->vector == X86_TRAP_BP ||
		    ev->vector == X86_TRAP_OF)
			return INTR_TYPE_SOFT_EXCEPTION;
		return INTR_TYPE_HARD_EXCEPTION;
	}
}

/*
 * A software event goes in with RIP at its instruction and the length of that, which is pushed on top. RIP is
 * behind it already if the length is known; otherwise there are no prefixes.
 */
static void inject_soft(struct vmx_vcpu *vmx, const struct x86_event *ev, u32 type)
{
	u32 len = ev->insn_len ?: type == INTR_TYPE_SOFT_INTR ? 2 : 1;

	vmcs_write(VM_ENTRY_INSTRUCTION_LEN, len);
	vmx->soft_len = ev->insn_len;
}

/* What was given and not entered with is taken back. */
static void take_back(struct vmx_vcpu *vmx)
{
	vmcs_write(VM_ENTRY_INTR_INFO_FIELD, 0);
	vmx->soft_len = 0;
	if (vmx->nmi_armed) {
		vmx->nmi_armed = false;
		vmx_set_intr_state(vmx, vmx_intr_state(vmx) | GUEST_INTR_STATE_NMI);
	}
}

void vmx_inject(struct x86_vcpu *vcpu, const struct x86_event *ev)
{
	struct vmx_vcpu *vmx = to_vmx(vcpu);
	u32 info, type;

	take_back(vmx);
	if (ev->type == EVT_NONE)
		return;
	type = inj_type(ev);
	info = INTR_INFO_VALID_MASK | type | ev->vector;
	if (type == INTR_TYPE_HARD_EXCEPTION && ev->has_error && ev->vector < 32 &&
	    HAS_ERROR & BIT(ev->vector)) {
		info |= INTR_INFO_DELIVER_CODE_MASK;
		vmcs_write(VM_ENTRY_EXCEPTION_ERROR_CODE, ev->error_code & ERROR_BITS);
	}
	if (unlikely(type == INTR_TYPE_SOFT_INTR || type == INTR_TYPE_SOFT_EXCEPTION))
		inject_soft(vmx, ev, type);
	if (unlikely(type == INTR_TYPE_NMI_INTR)) {
		/* The entry refuses an NMI when NMIs are blocked, and blocks them itself. */
		vmx_set_intr_state(vmx, vmx_intr_state(vmx) & ~GUEST_INTR_STATE_NMI);
		vmx->nmi_armed = true;
	}
	/* A guest that halted without an exit is awake now. */
	if (unlikely(vcpu_vm(vcpu)->disabled_exits & KVM_X86_DISABLE_EXITS_HLT))
		vmcs_write(GUEST_ACTIVITY_STATE, GUEST_ACTIVITY_ACTIVE);
	vmcs_write(VM_ENTRY_INTR_INFO_FIELD, info);
}

/* ---- windows ---- */

void vmx_irq_window(struct x86_vcpu *vcpu, bool on)
{
	struct vmx_vcpu *vmx = to_vmx(vcpu);

	vmx->irq_window = on;
	vmx_apply_controls(vmx);
}

/*
 * The NMI window may open in the shadow of STI, where no NMI is given: it would open again
 * and again. The end of that shadow is waited for first: one instruction. Without the monitor trap flag it is the
 * next time that the guest takes interrupts, which may be later.
 */
void vmx_nmi_window(struct x86_vcpu *vcpu, bool on)
{
	struct vmx_vcpu *vmx = to_vmx(vcpu);

	vmx->nmi_after_sti = on && vmx_intr_state(vmx) & GUEST_INTR_STATE_STI;
	vmx->nmi_window = on && !vmx->nmi_after_sti;
	vmx_apply_controls(vmx);
}

static void nmi_window_over(struct vmx_vcpu *vmx)
{
	vmx->nmi_after_sti = false;
	vmx->nmi_window = false;
	vmx_apply_controls(vmx);
}

verdict_t vmx_exit_irq_window(struct x86_vcpu *vcpu)
{
	struct vmx_vcpu *vmx = to_vmx(vcpu);

	if (unlikely(vmx->nmi_after_sti))
		nmi_window_over(vmx);
	return keel_exit_irq_window(vcpu);
}

verdict_t vmx_exit_nmi_window(struct x86_vcpu *vcpu)
{
	nmi_window_over(to_vmx(vcpu));
	return keel_exit_nmi_window(vcpu);
}

/* ---- NMI blocking ---- */

/* Others than the vCPU's own thread see what was known last. */
bool vmx_nmi_masked(struct x86_vcpu *vcpu)
{
	struct vmx_vcpu *vmx = to_vmx(vcpu);

	if (keel_running_vcpu() != &vcpu->v || vmx->nmi_armed)
		return READ_ONCE(vmx->nmi_masked);
	return vmx_intr_state(vmx) & GUEST_INTR_STATE_NMI;
}

void vmx_set_nmi_masked(struct x86_vcpu *vcpu, bool masked)
{
	struct vmx_vcpu *vmx = to_vmx(vcpu);
	u32 state = vmx_intr_state(vmx) & ~GUEST_INTR_STATE_NMI;

	/* What is set now holds, whatever was to be entered with. */
	vmx->nmi_armed = false;
	vmx_set_intr_state(vmx, state | (masked ? GUEST_INTR_STATE_NMI : 0));
	WRITE_ONCE(vmx->nmi_masked, masked);
}

/* It has unblocked NMIs and will run once more (SDM 3C 28.2.3); the two bits mean the same. */
void vmx_reblock_nmis(struct vmx_vcpu *vmx, u64 info)
{
	if (unlikely(info & INTR_INFO_UNBLOCK_NMI) && !(vmx->vectoring & VECTORING_INFO_VALID_MASK))
		vmx_set_nmi_masked(&vmx->x, true);
}

/* ---- after an exit ---- */

/* What IDT vectoring tells (SDM 3C 28.2.4). True if it was an event that has to be given again. */
static bool decode_cut_short(struct vmx_vcpu *vmx, struct x86_event *ev)
{
	u32 info = vmx->vectoring;

	*ev = (struct x86_event){ .vector = info & VECTORING_INFO_VECTOR_MASK };
	switch (info & VECTORING_INFO_TYPE_MASK) {
	case INTR_TYPE_EXT_INTR:
		ev->type = EVT_INTERRUPT;
		return true;
	case INTR_TYPE_NMI_INTR:
		ev->type = EVT_NMI;
		return true;
	case INTR_TYPE_HARD_EXCEPTION:
		ev->type = EVT_EXCEPTION;
		ev->has_error = info & VECTORING_INFO_DELIVER_CODE_MASK;
		if (ev->has_error)
			ev->error_code = vmcs_read32(IDT_VECTORING_ERROR_CODE);
		return true;
	default:
		/* RIP is at the instruction: it just runs again. */
		return false;
	}
}

void vmx_events_exited(struct vmx_vcpu *vmx)
{
	struct x86_vcpu *vcpu = &vmx->x;
	bool valid = vmx->vectoring & VECTORING_INFO_VALID_MASK;
	struct x86_event ev;

	vmx->nmi_armed = false;
	if (unlikely(valid) && decode_cut_short(vmx, &ev))
		keel_event_cut_short(vcpu, &ev);
	else if (vcpu->ev.armed)
		keel_event_delivered(vcpu);
	vcpu->exit.event_cut_short = valid;
}

void vmx_events_reset(struct vmx_vcpu *vmx)
{
	vmcs_write(VM_ENTRY_INTR_INFO_FIELD, 0);
	vmcs_write(GUEST_PENDING_DBG_EXCEPTIONS, 0);
	vmcs_write(GUEST_ACTIVITY_STATE, GUEST_ACTIVITY_ACTIVE);
	vmx_set_intr_state(vmx, 0);
	vmx->nmi_masked = false;
	vmx->nmi_armed = false;
	vmx->soft_len = 0;
	vmx->vectoring = 0;
}

/* ---- intercepted exceptions ---- */

/* INT1 is a trap: the instruction is over, and so is a shadow that it was in. */
static void behind_int1(struct x86_vcpu *vcpu)
{
	struct x86_regs *r = st_write(vcpu, ST_RIP | ST_RFLAGS | ST_SHADOW);
	u64 rip = r->rip + vmcs_read32(VM_EXIT_INSTRUCTION_LEN);

	r->rip = is_64bit_code(vcpu) ? rip : (u32)rip;
	r->rflags &= ~(u64)X86_EFLAGS_RF;
	r->int_shadow = 0;
	vcpu->ev.check = true;
}

/* DR6 was not changed: the qualification has the causes (SDM 3C table 28-1). */
static verdict_t exit_db(struct x86_vcpu *vcpu, u32 info)
{
	if ((info & INTR_INFO_INTR_TYPE_MASK) == INTR_TYPE_PRIV_SW_EXCEPTION)
		behind_int1(vcpu);
	else if (st_read(vcpu, ST_RFLAGS)->rflags & X86_EFLAGS_TF &&
		 vmx_intr_state(to_vmx(vcpu)) & (GUEST_INTR_STATE_STI | GUEST_INTR_STATE_MOV_SS))
		/* The exit took the trap, and an entry in a shadow with TF set wants it pending (SDM 3C 27.3.1.5). */
		vmcs_write(GUEST_PENDING_DBG_EXCEPTIONS,
			   vmcs_read(GUEST_PENDING_DBG_EXCEPTIONS) | DEBUG_BS);
	return keel_exit_exception(vcpu, X86_TRAP_DB, false, 0, vcpu->exit.info1 & DB_CAUSES);
}

/*
 * The host has locks over two cache lines raise #AC, and a guest made one: a warning, or the end of
 * the VMM by SIGBUS. False: the guest checks its alignment itself.
 */
static bool host_split_lock(struct x86_vcpu *vcpu)
{
	const struct x86_regs *r;

	if (!boot_cpu_has(X86_FEATURE_SPLIT_LOCK_DETECT))
		return false;
	r = st_read(vcpu, ST_CR | ST_CS | ST_RFLAGS);
	if (r->cpl == 3 && r->cr0 & X86_CR0_AM && r->rflags & X86_EFLAGS_AC)
		return false;
	handle_guest_split_lock(r->rip);
	return true;
}

verdict_t vmx_exit_exception(struct x86_vcpu *vcpu)
{
	struct vmx_vcpu *vmx = to_vmx(vcpu);
	u32 info = vmx->exit_intr, err = 0;
	u8 vector = info & INTR_INFO_VECTOR_MASK;

	/* An NMI of the host, which has handled it. */
	if ((info & INTR_INFO_INTR_TYPE_MASK) == INTR_TYPE_NMI_INTR)
		return VERDICT_RESUME;
	if (vector != X86_TRAP_DF)
		vmx_reblock_nmis(vmx, info);
	if (vector == X86_TRAP_DB)
		return exit_db(vcpu, info);
	if (vector == X86_TRAP_AC && host_split_lock(vcpu))
		return VERDICT_RESUME;
	if (info & INTR_INFO_DELIVER_CODE_MASK)
		err = vmcs_read32(VM_EXIT_INTR_ERROR_CODE);
	return keel_exit_exception(vcpu, vector, info & INTR_INFO_DELIVER_CODE_MASK, err,
				   vector == X86_TRAP_PF ? vcpu->exit.info1 : 0);
}

/* EPT violation, qualification as in SDM 3C table 28-7. */
verdict_t vmx_exit_ept_violation(struct x86_vcpu *vcpu)
{
	u64 q = vcpu->exit.info1;
	struct x86_s2_fault f = {
		.gpa	    = vmcs_read(GUEST_PHYSICAL_ADDRESS),
		.write	    = q & EPT_VIOLATION_ACC_WRITE,
		.exec	    = q & EPT_VIOLATION_ACC_INSTR,
		.present    = q & EPT_VIOLATION_ALLOWED,
		.table_walk = (q & EPT_VIOLATION_GVA_IS_VALID) &&
			      !(q & EPT_VIOLATION_GVA_TRANSLATED),
	};

	vcpu->exit.info2 = f.gpa;
	vmx_reblock_nmis(to_vmx(vcpu), q);
	return keel_exit_stage2(vcpu, &f);
}

/* SDM 3C table 28-2. What went through a task gate is in the vectoring information. */
verdict_t vmx_exit_task_switch(struct x86_vcpu *vcpu)
{
	struct vmx_vcpu *vmx = to_vmx(vcpu);
	u32 event = vmx->vectoring, type = event & VECTORING_INFO_TYPE_MASK;
	struct x86_task_switch ts = {
		.selector = vcpu->exit.info1,
		.reason	  = vcpu->exit.info1 >> 30 & 3,
	};

	if (event & VECTORING_INFO_VALID_MASK) {
		ts.soft = type == INTR_TYPE_SOFT_INTR || type == INTR_TYPE_SOFT_EXCEPTION ||
			  type == INTR_TYPE_PRIV_SW_EXCEPTION;
		ts.nmi = type == INTR_TYPE_NMI_INTR;
		ts.has_error = event & VECTORING_INFO_DELIVER_CODE_MASK;
		if (ts.has_error)
			ts.err = vmcs_read32(IDT_VECTORING_ERROR_CODE);
	}
	return keel_exit_task_switch(vcpu, &ts);
}
