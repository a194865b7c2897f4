// SPDX-License-Identifier: GPL-2.0-only
/*
 * Hypercalls. Those that go with a feature of CPUID 0x40000001 are not offered there. IPIs and wake-ups
 * are not served here either: they would have to work without an in-kernel APIC too.
 */
#include <asm/kvm_para.h>
#include <uapi/linux/kvm_para.h>
#include "virt/compat/compat.h"
#include "arch/x86/x86.h"
#include "arch/x86/hypercall.h"
#include "arch/x86/trace.h"

/* The guest waits for that vCPU. A hint, with nothing to tell. */
static u64 sched_yield(struct x86_vcpu *vcpu, u64 id)
{
	struct vcpu *target = id <= U32_MAX ? vm_vcpu_by_id(vcpu->v.vm, id) : NULL;

	if (target && target != &vcpu->v && READ_ONCE(target->preempted))
		vcpu_yield_to(target);
	return 0;
}

static u64 serve(struct x86_vcpu *vcpu, u64 nr, u64 a0)
{
	if (st_read(vcpu, ST_SEG)->cpl)
		return -KVM_EPERM;
	switch (nr) {
	case KVM_HC_VAPIC_POLL_IRQ:
		/* The exit was what the guest wanted. */
		return 0;
	case KVM_HC_SCHED_YIELD:
		if (!vcpu->msr.enforce_pv ||
		    vcpu->cpuid.kvm_features & BIT(KVM_FEATURE_PV_SCHED_YIELD))
			return sched_yield(vcpu, a0);
		break;
	}
	return -KVM_ENOSYS;
}

verdict_t hypercall(struct x86_vcpu *vcpu)
{
	const u64 *gpr = vcpu->regs.gpr;
	bool long_mode = is_64bit_code(vcpu);
	u64 mask = long_mode ? ~0ull : ~0u;
	u64 nr = gpr[R_RAX] & mask, a0 = gpr[R_RBX] & mask, a1 = gpr[R_RCX] & mask;
	u64 a2 = gpr[R_RDX] & mask, a3 = gpr[R_RSI] & mask;
	verdict_t v;

	trace_kvm_hypercall(nr, a0, a1, a2, a3);
	vcpu->regs.gpr[R_RAX] = serve(vcpu, nr, a0) & mask;
	keel_skip_insn(vcpu, &v);
	return v;
}

static bool fixes(struct x86_vcpu *vcpu)
{
	return !(READ_ONCE(vcpu_vm(vcpu)->disabled_quirks) & KVM_X86_QUIRK_FIX_HYPERCALL_INSN);
}

bool keel_hypercall_wants_ud(struct x86_vcpu *vcpu)
{
	return fixes(vcpu) || vcpu->cpuid.zero_out_of_range != keel_vendor.caps.reads_zero;
}
KEEL_EXPORT(keel_hypercall_wants_ud);

bool hypercall_undefined(struct x86_vcpu *vcpu, verdict_t *v)
{
	u32 access = st_read(vcpu, ST_CS)->cpl == 3 ? GW_USER : 0;
	u8 native = keel_vendor.caps.hypercall_op;
	gva_t rip = linear_rip(vcpu);
	struct virt_fault f;
	u8 insn[3];

	if (!fixes(vcpu) || vcpu_fetch_virt(vcpu, rip, insn, 3, access, &f) != 3 ||
	    insn[0] != 0x0f || insn[1] != 0x01)
		return false;
	if (insn[2] == native) {
		/* Another vCPU was quicker: the CPU does not raise #UD for this one. */
		*v = VERDICT_RESUME;
		return true;
	}
	if (insn[2] != HYPERCALL_VMCALL && insn[2] != HYPERCALL_VMMCALL)
		return false;
	/* One byte, with the rights of the guest: code that it cannot write stays, and exits again. */
	vcpu_write_virt(vcpu, rip + 2, &native, 1, access, &f);
	vcpu->exit.next_rip = 0;
	vcpu->exit.insn_len = sizeof(insn);
	*v = keel_exit_hypercall(vcpu);
	return true;
}
