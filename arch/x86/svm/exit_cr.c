// SPDX-License-Identifier: GPL-2.0-only
/*
 * Accesses to control and debug registers. With decode assists the CPU says which general
 * register is meant (APM 2 15.8.1, 15.8.2); without, and for CLTS, LMSW and SMSW, the
 * instruction is emulated.
 */
#include "virt/compat/compat.h"
#include "arch/x86/svm/svm.h"

static int mov_gpr(struct x86_vcpu *vcpu)
{
	if (!svm_caps.decode_assists)
		return -1;
	return MOV_INFO_GPR(vcpu->exit.info1);
}

static int mov_cr_gpr(struct x86_vcpu *vcpu)
{
	if (!(vcpu->exit.info1 & CR_INFO_MOV))
		return -1;
	return mov_gpr(vcpu);
}

verdict_t svm_exit_cr_write(struct x86_vcpu *vcpu)
{
	u32 reason = vcpu->exit.reason;
	int cr = reason == SVM_EXIT_CR0_SEL_WRITE ? 0 : reason - SVM_EXIT_WRITE_CR0;

	return keel_exit_cr_write(vcpu, cr, mov_cr_gpr(vcpu));
}

verdict_t svm_exit_cr_read(struct x86_vcpu *vcpu)
{
	return keel_exit_cr_read(vcpu, vcpu->exit.reason - SVM_EXIT_READ_CR0, mov_cr_gpr(vcpu));
}

verdict_t svm_exit_dr(struct x86_vcpu *vcpu)
{
	u32 reason = vcpu->exit.reason;
	bool write = reason >= SVM_EXIT_WRITE_DR0;

	return keel_exit_dr(vcpu, reason & 7, mov_gpr(vcpu), write);
}
