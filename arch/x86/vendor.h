/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The vendor contract: what AMD-V and VT-x each do in their own way. One
 * entry, one hardware mechanism; whatever both decide alike is decided by the
 * caller. Called through static calls: vendor_call(enter)(vcpu).
 *
 * Unless said otherwise an op runs in the vCPU's own thread with the vCPU loaded.
 */
#ifndef KEEL_X86_VENDOR_H
#define KEEL_X86_VENDOR_H

#include <linux/static_call.h>
#include <keel/verdict.h>
#include <keel/types.h>
#include "virt/compat/virt_ownership.h"
#include "arch/x86/event.h"

struct x86_vm;
struct x86_vcpu;
struct module;
struct kvm_run;

/* What the hardware offers, filled by the vendor before registration. */
struct vendor_caps {
	u32	trace_isa;		/* KVM_ISA_* of the kvm_exit tracepoint */
	bool	nrip;			/* exits carry the next RIP */
	bool	state_in_memory;	/* fetch and flush need no loaded vCPU */
	bool	tsc_scaling;
	u8	tsc_frac_bits;		/* fraction bits of the scaling ratio */
	u64	tsc_max_ratio;
	bool	guest_timer;		/* set_timer is there */
	bool	hw_apicv;
	bool	gif_virtual;
	bool	pdpte_registers;	/* PAE paging: the CPU keeps PDPTEs as registers (ST_PDPTE) */
	bool	long_mode_wants_tss32;	/* MOV to CR0 that begins long mode is #GP with a 16-bit TSS in TR */
	u8	stage2_levels;		/* depth of the stage-2 table: 4 or 5 */
	bool	stage2_1g;
	bool	stage2_exec_only;
	bool	stage2_ad;
	u8	stage2_format;		/* MMU_FMT_*, arch/x86/mmu/pte.h */
	u8	hypercall_op;		/* last byte of this vendor's hypercall instruction, HYPERCALL_* */
	bool	reads_zero;		/* CPUID leaves out of range read 0: how this vendor's guests are told */
	u16	dirty_log_batch;	/* pages that the hardware logs before it exits; 0: it does not */
};

struct vendor_ops {
	const char		*name;		/* "AMD-V", "VT-x" */
	struct module		*owner;
	size_t			vm_size;	/* object that begins with struct x86_vm */
	size_t			vcpu_size;	/* object that begins with struct x86_vcpu */
	struct vendor_caps	caps;
	enum keel_virt_ext	ext;		/* what cpu_enable takes; claimed by the registration */
	/* Any context, NMI too: what a CPU must do before the extension is taken from it. May be NULL. */
	void (*emergency)(void);

	/* On each CPU, interrupts off. 0, -EBUSY (somebody else owns the extension), -EIO. */
	int  (*cpu_enable)(void);
	void (*cpu_disable)(void);

	int  (*vm_init)(struct x86_vm *vm);
	void (*vm_destroy)(struct x86_vm *vm);
	int  (*vcpu_init)(struct x86_vcpu *vcpu);
	void (*vcpu_destroy)(struct x86_vcpu *vcpu);
	/* INIT (@init) or power-up: only what the neutral state does not hold; regs are all dirty. */
	void (*vcpu_reset)(struct x86_vcpu *vcpu, bool init);
	void (*load)(struct x86_vcpu *vcpu, int cpu);	/* preemption off */
	void (*put)(struct x86_vcpu *vcpu);		/* preemption off */

	/* Move state groups (ST_*) between vcpu->regs and the hardware block. */
	void (*fetch)(struct x86_vcpu *vcpu, u32 groups);
	void (*flush)(struct x86_vcpu *vcpu, u32 groups);

	/*
	 * enter: noinstr, interrupts off, GPRs in vcpu->regs. Runs the guest until it exits,
	 * restores the host. Before it prepare() (irqs off: dirty state is flushed already, TLB
	 * and ASID work, host state). After it, still irqs off, exited(): fills vcpu->exit and
	 * reports events cut short (keel_event_cut_short/delivered); may be called at most once per enter.
	 */
	/* prepare also loads the virtual TPR from keel_get_cr8(); exited reports a change with keel_set_cr8(). */
	void (*prepare)(struct x86_vcpu *vcpu);
	void (*enter)(struct x86_vcpu *vcpu);
	void (*exited)(struct x86_vcpu *vcpu);
	/* irqs off, instrumentation allowed: true when the exit was finished and the guest may be re-entered. */
	bool (*fast_exit)(struct x86_vcpu *vcpu);
	/* irqs off, before they are enabled: hand a physical interrupt or NMI that caused the exit to the host. */
	void (*host_events)(struct x86_vcpu *vcpu);
	/* irqs on: normalise the exit and call the generic handler (exit.h). */
	verdict_t (*handle_exit)(struct x86_vcpu *vcpu);

	/* Events. inject: one per entry; EVT_NONE takes back what was injected and not yet entered with. */
	void (*inject)(struct x86_vcpu *vcpu, const struct x86_event *ev);
	/* Exit as soon as an interrupt (NMI) could be taken; off again when false. */
	void (*irq_window)(struct x86_vcpu *vcpu, bool on);
	void (*nmi_window)(struct x86_vcpu *vcpu, bool on);
	bool (*nmi_masked)(struct x86_vcpu *vcpu);
	void (*set_nmi_masked)(struct x86_vcpu *vcpu, bool masked);

	/*
	 * Recompute every intercept, bitmap and control from state (CR0/CR4 of the guest, debug
	 * state, CPUID, APIC mode, MSR filter, ...). A pure function; called when any input changed.
	 */
	void (*update_intercepts)(struct x86_vcpu *vcpu);
	/* TPR: intercept CR8 writes only while a pending interrupt is held back by the TPR. */
	void (*cr8_intercept)(struct x86_vcpu *vcpu, bool on);
	/* CR0/CR4/EFER value the guest wants: does this hardware run it? (vendor-specific reserved bits) */
	bool (*cr4_valid)(struct x86_vcpu *vcpu, u64 cr4);

	/* Debug registers: load the guest's now (they are then live until put). */
	void (*set_dr7)(struct x86_vcpu *vcpu, u64 dr7);
	void (*set_dr6)(struct x86_vcpu *vcpu, u64 dr6);
	/* DR accesses of the guest stopped exiting: pick up the live values. */
	void (*sync_debug_regs)(struct x86_vcpu *vcpu);

	/* Stage 2. @root is the hpa of the top table; takes effect at next entry. */
	void (*set_stage2_root)(struct x86_vcpu *vcpu, hpa_t root, int levels);
	void (*flush_tlb)(struct x86_vcpu *vcpu);		/* all of this vCPU's translations */
	void (*flush_gva)(struct x86_vcpu *vcpu, gva_t gva);	/* INVLPG emulated */

	void (*set_tsc)(struct x86_vcpu *vcpu, u64 offset, u64 ratio);
	/*
	 * Optional. End the guest when the host's TSC has reached @tsc, 0: never; keel_guest_timer() then.
	 * Also without the vCPU loaded.
	 */
	void (*set_timer)(struct x86_vcpu *vcpu, u64 tsc);

	/*
	 * Optional. apic.lapic.pir, which the vendor has set in vcpu_init, got a bit: if the guest runs let its CPU take
	 * it. A full barrier comes before the look at that. Any context but NMI.
	 */
	void (*notify_posted)(struct x86_vcpu *vcpu);

	/* MSRs only this vendor knows. 0, 1 = no such MSR or bad value (#GP), -errno. */
	int  (*get_msr)(struct x86_vcpu *vcpu, u32 index, u64 *val);
	int  (*set_msr)(struct x86_vcpu *vcpu, u32 index, u64 val, bool host);
	/* MSR index offered in KVM_GET_MSR_INDEX_LIST / as feature MSR? */
	bool (*has_msr)(u32 index);
	int  (*get_msr_feature)(u32 index, u64 *val);

	/* The exit's instruction bytes, if the hardware gave them: count, or 0. */
	int  (*insn_bytes)(struct x86_vcpu *vcpu, u8 buf[15]);
	/* CPUID was set: anything of the vendor's that depends on it. */
	void (*cpuid_changed)(struct x86_vcpu *vcpu);
	/* Allow-list of CPUID features that the vendor adds or clears (nested, SVM leaf, ...). */
	void (*adjust_caps)(void);

	/* For tracepoints and dumps: raw exit reason, info1, info2, intr info, error code. */
	void (*exit_info)(struct x86_vcpu *vcpu, u64 *reason, u64 *info1, u64 *info2,
			  u32 *intr, u32 *err);
	void (*dump)(struct x86_vcpu *vcpu);
};

extern struct vendor_ops keel_vendor;	/* the registered vendor's, a copy */

#define VENDOR_OPS(X)								\
	X(cpu_enable) X(cpu_disable) X(vm_init) X(vm_destroy) X(vcpu_init)	\
	X(vcpu_destroy) X(vcpu_reset) X(load) X(put) X(fetch) X(flush)		\
	X(prepare) X(enter) X(exited) X(fast_exit) X(host_events) X(handle_exit)	\
	X(inject) X(irq_window) X(nmi_window) X(nmi_masked) X(set_nmi_masked)	\
	X(update_intercepts) X(cr8_intercept) X(cr4_valid) X(set_dr7) X(set_dr6)	\
	X(sync_debug_regs) X(set_stage2_root) X(flush_tlb) X(flush_gva) X(set_tsc)	\
	X(get_msr) X(set_msr) X(has_msr) X(get_msr_feature) X(insn_bytes)	\
	X(cpuid_changed) X(adjust_caps) X(exit_info) X(dump)

/* A vendor may leave these NULL: a call does nothing then. */
#define VENDOR_OPT_OPS(X) X(set_timer) X(notify_posted)

#define X(op) DECLARE_STATIC_CALL(keel_v_##op, *((struct vendor_ops *)0)->op);
VENDOR_OPS(X)
VENDOR_OPT_OPS(X)
#undef X

/* vendor_call(op)(args): every op of VENDOR_OPS is mandatory. */
#define vendor_call(op) static_call(keel_v_##op)
#define vendor_call_opt(op) static_call_cond(keel_v_##op)

/*
 * Called by a vendor module's init and exit. -EBUSY: another vendor is registered, or the extension is in use on a
 * CPU; -EINVAL: an op is missing; -ENOMEM; -EIO.
 */
int keel_vendor_register(const struct vendor_ops *ops);
void keel_vendor_unregister(const struct vendor_ops *ops);

/* init.c: what the generic side computes from the vendor's capabilities. */
int x86_vendor_setup(void);
void x86_vendor_teardown(void);

#endif
