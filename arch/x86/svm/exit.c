// SPDX-License-Identifier: GPL-2.0-only
/*
 * An exit is a row: each turns the VMCB's report into the arguments of a generic handler. What is not in
 * the table was not asked for by any intercept (APM 2 appendix C).
 */
#include <linux/kernel.h>
#include <linux/nospec.h>
#include <linux/string.h>
#include <asm/msr-index.h>
#include "virt/compat/compat.h"
#include "virt/compat/virt_ownership.h"
#include "arch/x86/svm/svm.h"

typedef verdict_t (*exit_fn)(struct x86_vcpu *vcpu);

/* The host has dealt with it, or does so when interrupts come on. */
static verdict_t exit_nothing(struct x86_vcpu *vcpu)
{
	return VERDICT_RESUME;
}

static verdict_t exit_io(struct x86_vcpu *vcpu)
{
	u64 info = vcpu->exit.info1;
	struct x86_io io = {
		.port	 = IOIO_PORT(info),
		.size	 = IOIO_SIZE(info),
		.in	 = info & IOIO_IN,
		.string	 = info & IOIO_STRING,
		.rep	 = info & IOIO_REP,
		.next_rip = vcpu->exit.info2,
	};

	return keel_exit_io(vcpu, &io);
}

static verdict_t exit_npf(struct x86_vcpu *vcpu)
{
	u64 code = vcpu->exit.info1;
	struct x86_s2_fault f = {
		.gpa	    = vcpu->exit.info2,
		.present    = code & NPF_P,
		.write	    = code & NPF_W,
		.user	    = code & NPF_U,
		.reserved   = code & NPF_RSVD,
		.exec	    = code & NPF_I,
		.table_walk = code & NPF_TABLE,
	};

	return keel_exit_stage2(vcpu, &f);
}

/* With decode assists exit_info1 is the address (APM 2 15.8.3). INVLPG is not intercepted. */
static verdict_t exit_invlpg(struct x86_vcpu *vcpu)
{
	if (svm_caps.decode_assists)
		return keel_exit_invlpg(vcpu, vcpu->exit.info1);
	return keel_exit_emulate(vcpu);
}

static verdict_t exit_msr(struct x86_vcpu *vcpu)
{
	return vcpu->exit.info1 ? keel_exit_wrmsr(vcpu) : keel_exit_rdmsr(vcpu);
}

/* A lock holder may have been scheduled out; the longer that lasts the wider the window. */
static verdict_t exit_pause(struct x86_vcpu *vcpu)
{
	struct svm_vcpu *svm = to_svm(vcpu);
	struct svm_vmcb_control *c = &svm->vmcb->control;

	if (svm_ple_grow > 1 && c->pause_filter_count < svm_ple_max) {
		c->pause_filter_count = min_t(u32, c->pause_filter_count * (u32)svm_ple_grow,
					      svm_ple_max);
		svm_touch(svm, CLEAN_INTERCEPTS);
	}
	return keel_exit_pause(vcpu);
}

/* INT n, INT3 and INTO: RIP is at the instruction and the gate's DPL counts. */
static bool soft_event(u32 info)
{
	u8 vector = info & INJ_VECTOR;

	return (info & INJ_TYPE) == INJ_SOFT_INT ||
	       ((info & INJ_TYPE) == INJ_EXCEPTION && (vector == 3 || vector == 4));
}

/* APM 2 15.14.1. An event that went through a task gate is in exit_int_info. */
static verdict_t exit_task_switch(struct x86_vcpu *vcpu)
{
	u32 event = to_svm(vcpu)->vmcb->control.exit_int_info;
	u64 info2 = vcpu->exit.info2;
	struct x86_task_switch ts = {
		.selector = vcpu->exit.info1,
		.reason	= info2 & TS_IRET ? 1 : info2 & TS_JMP ? 2 : event & INJ_VALID ? 3 : 0,
		.soft	= soft_event(event),
		.nmi	= (event & INJ_TYPE) == INJ_NMI,
		.has_error = info2 & TS_HAS_ERROR,
		.err	= info2,
	};

	return keel_exit_task_switch(vcpu, &ts);
}

/* What the VMCB holds is undefined (APM 2 15.14.3), DR6 and what else is not among the groups included. */
static verdict_t exit_shutdown(struct x86_vcpu *vcpu)
{
	svm_set_dr6(vcpu, DR6_RESERVED);
	to_svm(vcpu)->vmcb->control.clean = 0;
	return keel_exit_shutdown_undefined(vcpu);
}

static const exit_fn exit_rows[] = {
	[SVM_EXIT_READ_CR0 ... SVM_EXIT_READ_CR8]	= svm_exit_cr_read,
	[SVM_EXIT_WRITE_CR0 ... SVM_EXIT_WRITE_CR8]	= svm_exit_cr_write,
	[SVM_EXIT_READ_DR0 ... SVM_EXIT_READ_DR7]	= svm_exit_dr,
	[SVM_EXIT_WRITE_DR0 ... SVM_EXIT_WRITE_DR7]	= svm_exit_dr,
	[SVM_EXIT_EXCP_BASE ... SVM_EXIT_LAST_EXCP]	= svm_exit_exception,
	[SVM_EXIT_INTR]		= exit_nothing,
	[SVM_EXIT_NMI]		= exit_nothing,
	[SVM_EXIT_SMI]		= exit_nothing,
	[SVM_EXIT_INIT]		= keel_exit_init,
	[SVM_EXIT_VINTR]	= svm_exit_vintr,
	[SVM_EXIT_CR0_SEL_WRITE] = svm_exit_cr_write,
	[SVM_EXIT_RDTSC]	= keel_exit_rdtsc,
	[SVM_EXIT_RDPMC]	= keel_exit_rdpmc,
	[SVM_EXIT_CPUID]	= keel_exit_cpuid,
	[SVM_EXIT_RSM]		= keel_exit_ud,		/* there is no system management mode */
	[SVM_EXIT_IRET]		= svm_exit_iret,
	[SVM_EXIT_INVD]		= keel_exit_wbinvd,
	[SVM_EXIT_PAUSE]	= exit_pause,
	[SVM_EXIT_HLT]		= keel_exit_hlt,
	[SVM_EXIT_INVLPG]	= exit_invlpg,
	[SVM_EXIT_INVLPGA]	= keel_exit_ud,
	[SVM_EXIT_IOIO]		= exit_io,
	[SVM_EXIT_MSR]		= exit_msr,
	[SVM_EXIT_TASK_SWITCH]	= exit_task_switch,
	[SVM_EXIT_FERR_FREEZE]	= exit_nothing,
	[SVM_EXIT_SHUTDOWN]	= exit_shutdown,
	[SVM_EXIT_VMRUN]	= keel_exit_ud,
	[SVM_EXIT_VMMCALL]	= keel_exit_hypercall,
	[SVM_EXIT_VMLOAD]	= keel_exit_ud,
	[SVM_EXIT_VMSAVE]	= keel_exit_ud,
	[SVM_EXIT_STGI]		= keel_exit_ud,
	[SVM_EXIT_CLGI]		= keel_exit_ud,
	[SVM_EXIT_SKINIT]	= keel_exit_ud,
	[SVM_EXIT_RDTSCP]	= keel_exit_ud,
	[SVM_EXIT_WBINVD]	= keel_exit_wbinvd,
	[SVM_EXIT_MONITOR]	= keel_exit_monitor,
	[SVM_EXIT_MWAIT]	= keel_exit_monitor,
	[SVM_EXIT_MWAIT_COND]	= keel_exit_monitor,
	[SVM_EXIT_XSETBV]	= keel_exit_xsetbv,
	[SVM_EXIT_RDPRU]	= keel_exit_ud,
	[SVM_EXIT_INVPCID]	= keel_exit_ud,
};

static verdict_t exit_entry_failed(struct x86_vcpu *vcpu)
{
	if (keel_virt_is_rebooting())
		return -EIO;
	return keel_exit_entry_failed(vcpu, to_svm(vcpu)->vmcb->control.exit_code);
}

verdict_t svm_handle_exit(struct x86_vcpu *vcpu)
{
	u32 reason = vcpu->exit.reason;
	exit_fn fn;

	/* The most frequent ones need no indirect call. */
	switch (reason) {
	case SVM_EXIT_NPF:
		return exit_npf(vcpu);
	case SVM_EXIT_MSR:
		return exit_msr(vcpu);
	case SVM_EXIT_IOIO:
		return exit_io(vcpu);
	case SVM_EXIT_HLT:
		return keel_exit_hlt(vcpu);
	case SVM_EXIT_CPUID:
		return keel_exit_cpuid(vcpu);
	case SVM_EXIT_INTR:
		return VERDICT_RESUME;
	}
	if (unlikely(vcpu->exit.entry_failed))
		return exit_entry_failed(vcpu);
	if (unlikely(reason >= ARRAY_SIZE(exit_rows)))
		return keel_exit_unknown(vcpu);
	fn = exit_rows[array_index_nospec(reason, ARRAY_SIZE(exit_rows))];
	return likely(fn) ? fn(vcpu) : keel_exit_unknown(vcpu);
}

/*
 * With decode assists a fault on data or an intercepted #PF leaves the bytes of its instruction (APM 2
 * 15.8.4). The count is 0 when the fetch itself failed, as some CPUs do under SMAP too.
 */
int svm_insn_bytes(struct x86_vcpu *vcpu, u8 buf[15])
{
	const struct svm_vmcb_control *c = &to_svm(vcpu)->vmcb->control;
	int n;

	if (!svm_caps.decode_assists || vcpu->exit.reason != SVM_EXIT_NPF)
		return 0;
	n = min_t(int, c->insn_len & 0xf, 15);
	memcpy(buf, c->insn_bytes, n);
	return n;
}

void svm_exit_info(struct x86_vcpu *vcpu, u64 *reason, u64 *info1, u64 *info2, u32 *intr,
		   u32 *err)
{
	const struct svm_vmcb_control *c = &to_svm(vcpu)->vmcb->control;

	*reason = c->exit_code;
	*info1 = c->exit_info1;
	*info2 = c->exit_info2;
	*intr = c->exit_int_info;
	*err = *intr & INJ_VALID && *intr & INJ_HAS_ERROR ? c->exit_int_error : 0;
}
