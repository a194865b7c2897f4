// SPDX-License-Identifier: GPL-2.0-only
/* Accesses to control and debug registers (SDM 3C tables 28-3, 28-4). CLTS and LMSW are emulated. */
#include "virt/compat/compat.h"
#include "arch/x86/vmx/vmx.h"

enum { CR_MOV_TO, CR_MOV_FROM, CR_CLTS, CR_LMSW };

verdict_t vmx_exit_cr(struct x86_vcpu *vcpu)
{
	u64 q = vcpu->exit.info1;
	int cr = q & 0xf, reg = q >> 8 & 0xf;

	switch (q >> 4 & 3) {
	case CR_MOV_TO:
		return keel_exit_cr_write(vcpu, cr, reg);
	case CR_MOV_FROM:
		return keel_exit_cr_read(vcpu, cr, reg);
	default:
		return keel_exit_cr_write(vcpu, 0, -1);
	}
}

verdict_t vmx_exit_dr(struct x86_vcpu *vcpu)
{
	u64 q = vcpu->exit.info1;

	return keel_exit_dr(vcpu, q & 7, q >> 8 & 0xf, !(q & BIT(4)));
}
