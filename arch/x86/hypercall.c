// SPDX-License-Identifier: GPL-2.0-only
/* Hypercalls. None is needed for a paravirtual feature that Keel offers today, so all but the oldest are unknown. */
#include <linux/kvm_para.h>
#include "virt/compat/compat.h"
#include "arch/x86/x86.h"
#include "arch/x86/hypercall.h"
#include "arch/x86/trace.h"

static long do_hypercall(u64 nr)
{
	switch (nr) {
	case KVM_HC_VAPIC_POLL_IRQ:
		/* The exit alone has done it: pending interrupts were looked at. */
		return 0;
	default:
		return -KVM_ENOSYS;
	}
}

verdict_t hypercall(struct x86_vcpu *vcpu)
{
	u64 nr = gpr_mode(vcpu, R_RAX);
	long ret;

	trace_kvm_hypercall(nr, gpr_mode(vcpu, R_RBX), gpr_mode(vcpu, R_RCX),
			    gpr_mode(vcpu, R_RDX), gpr_mode(vcpu, R_RSI));
	ret = st_read(vcpu, ST_CS)->cpl ? -KVM_EPERM : do_hypercall(nr);
	gpr_set(vcpu, R_RAX, is_64bit_code(vcpu) ? (u64)ret : (u32)ret);
	return exit_skip(vcpu);
}
