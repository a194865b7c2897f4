// SPDX-License-Identifier: GPL-2.0-only
/* Hypercalls: what Keel offers in CPUID 0x40000001, and the few that need no feature. */
#include <linux/bitops.h>
#include <uapi/linux/kvm_para.h>
#include "virt/compat/compat.h"
#include "arch/x86/x86.h"
#include "arch/x86/hypercall.h"
#include "arch/x86/trace.h"

#define ICR_NOT_FOR_HYPERCALL	(GENMASK(19, 18) | BIT(11))	/* SDM 3 11.6.1 */

/* One IPI to up to 128 APIC ids from @base on; number of vCPUs that took it (hypercalls.rst 6). */
static u64 send_ipi(struct x86_vcpu *vcpu, u64 low, u64 high, u32 base, u32 icr)
{
	struct apic_msg m = {
		.vector = icr,
		.mode = LVT_MODE(icr),
		.assert = true,
		.x2apic_src = true,	/* ids, never a broadcast */
	};
	unsigned long map[2] = { low, high };
	u64 sent = 0;
	unsigned int i;

	if (!vcpu->apic.lapic.regs)
		return -KVM_ENOSYS;
	/* Neither a shorthand nor a logical destination makes sense here. */
	if ((icr & ICR_NOT_FOR_HYPERCALL) || (m.mode != DM_FIXED && m.mode != DM_NMI))
		return -KVM_EINVAL;
	for_each_set_bit(i, map, 128) {
		m.dest = base + i;
		if (irqchip_deliver(vcpu_vm(vcpu), &vcpu->apic.lapic, &m) > 0)
			sent++;
	}
	return sent;
}

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
	} else if (nr == KVM_HC_SEND_IPI &&
		   (vcpu->cpuid.kvm_features & BIT(KVM_FEATURE_PV_SEND_IPI))) {
		ret = send_ipi(vcpu, a0, a1, a2, a3);
	} else {
		ret = -KVM_ENOSYS;
	}
	vcpu->regs.gpr[R_RAX] = ret & mask;
	keel_skip_insn(vcpu, &v);
	return v;
}
