/* SPDX-License-Identifier: GPL-2.0-only */
/* x86 services of the kernel that differ between kernels. */
#ifndef KEEL_COMPAT_X86_H
#define KEEL_COMPAT_X86_H

#include <asm/cpufeature.h>
#include <asm/msr.h>
#include <asm/nospec-branch.h>
#include <asm/spec-ctrl.h>
#include "virt/compat/autoconf.h"

/* cpuid_eax(), cpuid_count() and the like. */
#ifdef HAVE_CPUID_API
#include <asm/cpuid/api.h>
#else
#include <asm/processor.h>
#endif

/* ---- MSRs: q for the 64-bit forms ---- */

#ifndef HAVE_RDMSRQ
#define rdmsrq(msr, val)		rdmsrl(msr, val)
#define wrmsrq(msr, val)		wrmsrl(msr, val)
#define rdmsrq_safe(msr, p)		rdmsrl_safe(msr, p)
#define wrmsrq_safe(msr, val)		wrmsrl_safe(msr, val)
#define native_rdmsrq(msr)		native_read_msr(msr)
#define native_wrmsrq(msr, val)		native_write_msr(msr, (u32)(val), (u32)((u64)(val) >> 32))
#endif

/* ---- Machine checks ---- */

/*
 * The exit was an intercepted machine check, which is consumed by that: call the host's handler. It sees it as
 * if it had come from user mode, so that it may end the VMM's process instead of the machine. Interrupts off.
 */
void keel_host_machine_check(void);

/* ---- Speculation ---- */

/*
 * The SSBD state of a guest that has the virtual MSR (APM 2 15.36.x: VIRT_SPEC_CTRL) or none at
 * all: AMD's SSBD may sit in LS_CFG, which the guest never sees. Interrupts off, around the
 * entry. The architectural SPEC_CTRL MSR is the vendor's to switch: the host's value at any time
 * is spec_ctrl_current().
 */
static __always_inline void keel_virt_ssbd_set_guest(u64 guest_virt_spec_ctrl)
{
	x86_spec_ctrl_set_guest(guest_virt_spec_ctrl);
}

static __always_inline void keel_virt_ssbd_restore_host(u64 guest_virt_spec_ctrl)
{
	x86_spec_ctrl_restore_host(guest_virt_spec_ctrl);
}

/*
 * SRSO on CPUs that can mitigate it for guests alone: predictions are reduced on a CPU
 * while it may run them. On that CPU, when SVM goes on and off.
 */
static inline void keel_svm_mitigations(bool on)
{
#ifdef MSR_ZEN4_BP_CFG_BP_SPEC_REDUCE_BIT
	if (!cpu_feature_enabled(X86_FEATURE_SRSO_BP_SPEC_REDUCE))
		return;
	if (on)
		msr_set_bit(MSR_ZEN4_BP_CFG, MSR_ZEN4_BP_CFG_BP_SPEC_REDUCE_BIT);
	else
		msr_clear_bit(MSR_ZEN4_BP_CFG, MSR_ZEN4_BP_CFG_BP_SPEC_REDUCE_BIT);
#endif
}

/*
 * This CPU leaks fill buffers through MMIO alone (MMIO stale data): the entry code's own VERW is not patched in for
 * that, so they are to be cleared before each entry to a guest. Kernels that know of a feature for it patch it in.
 */
static __always_inline bool keel_mmio_stale_data(void)
{
#ifdef HAVE_MMIO_STALE_DATA_CLEAR
	return static_branch_unlikely(&mmio_stale_data_clear);
#else
	return false;
#endif
}

/*
 * Branch predictions of a guest must not steer the VMM behind it (VMSCAPE): a flush is owed
 * before this CPU goes back to user mode. After each exit, interrupts off.
 */
static __always_inline void keel_note_guest_ran(void)
{
#if defined(HAVE_PREDICTOR_FLUSH_EXIT_TO_USER)
	this_cpu_write(x86_predictor_flush_exit_to_user, true);
#elif defined(HAVE_IBPB_EXIT_TO_USER)
	if (cpu_feature_enabled(X86_FEATURE_IBPB_EXIT_TO_USER))
		this_cpu_write(x86_ibpb_exit_to_user, true);
#endif
}

#endif
