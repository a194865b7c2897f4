// SPDX-License-Identifier: GPL-2.0-only
/*
 * Hypercalls. Those that go with a feature of CPUID 0x40000001 are not offered
 * there and not served here: IPIs and wake-ups must work without an in-kernel APIC too.
 */
#include <uapi/linux/kvm_para.h>
#include "virt/compat/compat.h"
#include "arch/x86/x86.h"
#include "arch/x86/hypercall.h"
#include "arch/x86/trace.h"

verdict_t hypercall(struct x86_vcpu *vcpu)
{
	const u64 *gpr = vcpu->regs.gpr;
	bool long_mode = is_64bit_code(vcpu);
	u64 mask = long_mode ? ~0ull : ~0u, ret;
	u64 nr = gpr[R_RAX] & mask, a0 = gpr[R_RBX] & mask, a1 = gpr[R_RCX] & mask;
	u64 a2 = gpr[R_RDX] & mask, a3 = gpr[R_RSI] & mask;
	verdict_t v;

	trace_kvm_hypercall(nr, a0, a1, a2, a3);
	if (st_read(vcpu, ST_SEG)->cpl) {
		ret = -KVM_EPERM;
	} else if (nr == KVM_HC_VAPIC_POLL_IRQ) {
		/* The exit was what the guest wanted. */
		ret = 0;
	} else {
		ret = -KVM_ENOSYS;
	}
	vcpu->regs.gpr[R_RAX] = ret & mask;
	keel_skip_insn(vcpu, &v);
	return v;
}
