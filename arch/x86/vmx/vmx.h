/* SPDX-License-Identifier: GPL-2.0-only */
/* VT-x: the vendor's objects and what its files offer each other. */
#ifndef KEEL_VMX_VMX_H
#define KEEL_VMX_VMX_H

#include <linux/percpu.h>
#include <asm/desc_defs.h>
#include <asm/io.h>
struct x86_vcpu;
void vmx_fetch(struct x86_vcpu *vcpu, u32 groups);
#define VENDOR_FETCH vmx_fetch

#include "arch/x86/x86.h"
#include "arch/x86/vmx/vmcs.h"
#include "arch/x86/vmx/vmenter.h"

#define DEBUG_BS	BIT(14)		/* GUEST_PENDING_DBG_EXCEPTIONS */
#define VMX_PML_ENTRIES	512	/* SDM 3C 25.6.15 */
#define VMX_TSC_FRAC_BITS	48	/* TSC multiplier (SDM 3C 26.6.5) */

/* A word of controls: what this CPU demands, and what it can (SDM 3D A.2). */
struct vmx_ctl {
	u32	must;
	u32	may;
};

/* What the capability MSRs offer, after module parameters. Set once by vmx_caps_init(). */
struct vmx_caps {
	u32	revision;
	/* The controls of every VMCS; what depends on the vCPU's state comes on top (controls.c). */
	u32	pin, cpu, cpu2, exit, entry;
	u32	cpu2_may;	/* secondary controls that exist and were not switched off */
	u64	cr0_fixed;	/* bits of CR0 that have to be 1 in a guest, without PE and PG */
	u64	cr4_fixed;
	u64	cr4_may;	/* and those that can be */
	u8	invept;		/* VMX_EPT_EXTENT_* to use */
	bool	invvpid_gva;	/* one address of one VPID */
	bool	ept_ad;
	bool	ept_5level;
	bool	ept_1g;
	bool	ept_exec_only;
	bool	tpr_shadow;
	bool	mtf;		/* monitor trap flag */
	bool	tsc_scaling;
	bool	ple;
	bool	timer;		/* the preemption timer */
	bool	pml;		/* page-modification logging */
	bool	apicv;		/* the CPU may keep the APIC's registers (apicv.c) */
	bool	posted;		/* and take requests of others while the guest runs (posted.c) */
	bool	perf;		/* performance counters that the host's perf may use */
	bool	perf_atomic;	/* entry and exit switch IA32_PERF_GLOBAL_CTRL */
	bool	tsc_aux;	/* RDTSCP or RDPID exists */
	bool	spec_ctrl;	/* MSR SPEC_CTRL exists */
	u64	spec_ctrl_bits;	/* and these bits of it */
};
extern struct vmx_caps vmx_caps;

/* What module parameters allow to use. */
struct vmx_wants {
	bool	ept, vpid, unrestricted, vnmi;		/* 0: refused, Keel cannot do without */
	bool	ept_ad, tpr_shadow, tsc_scaling, ple, timer, pml, apicv, posted;
};

/* 0; -EOPNOTSUPP (said in the log): this CPU or its firmware does not offer what Keel needs. */
int vmx_caps_init(const struct vmx_wants *w);
void vmx_caps_fill(struct vendor_caps *caps);

#define NR_HOST_MSRS	4	/* STAR, LSTAR, CSTAR, SFMASK: host.c */

/* Of each CPU. Touched on that CPU only, with preemption off. */
struct vmx_cpu {
	u64	tsc_aux;	/* the host's MSRs, never changed after boot */
	u64	msr[NR_HOST_MSRS];
	bool	on;		/* in VMX operation by us */
};
DECLARE_PER_CPU(struct vmx_cpu, vmx_cpu);

int vmx_cpu_enable(void);
void vmx_cpu_disable(void);

/* The host's state that an exit does not bring back, while the guest's is in its place (host.c). */
struct vmx_host {
	bool	saved;		/* and the guest's MSRs are loaded */
	bool	had_ldt;
	u16	fs_sel, gs_sel, ds_sel, es_sel;
	u64	fs_base, gs_base;	/* of user mode */
	u64	vmcs_fs_base;	/* what HOST_FS_BASE, HOST_CR3, HOST_CR4 are */
	u64	cr3, cr4;
	u64	debugctl;
	u64	msr[NR_HOST_MSRS];	/* what the CPU has now */
	struct desc_ptr gdt, idt;
};

/*
 * Posted-interrupt descriptor (SDM 3C table 30-1). Locked accesses only: the CPU that runs the guest changes it at any
 * time. What an IOMMU wants in it (SN, NV and NDST, bits 257 to 319) is 0: none posts here.
 */
struct vmx_posted_desc {
	u64		pir[4];		/* requests */
	unsigned long	control;	/* VMX_POSTED_ON */
	u64		unused[3];
} __aligned(64);
static_assert(sizeof(struct vmx_posted_desc) == 64);

#define VMX_POSTED_ON	0	/* bit of control: a notification is outstanding */

/* Controls that the VMCS holds, to write what changes and nothing else. */
enum { VC_PIN, VC_CPU, VC_CPU2, VC_EXIT, VC_ENTRY, VC_EXC, NR_VCS };

struct vmx_vcpu {
	struct x86_vcpu		x;	/* first */
	struct vmx_vmcs		vmcs;
	struct vmx_entry	entry;
	struct vmx_host		host;
	int			last_cpu;	/* that ran it; its TLB may hold translations */
	u16			vpid;		/* 0: none was left */
	bool			flush;		/* drop all translations before the next entry */
	u64			eptp;

	u32			ctl[NR_VCS];
	u32			pin_base;	/* VC_PIN without the timer's bit */
	u32			cpu_base;	/* slow-moving part of VC_CPU (controls.c) */
	bool			irq_window;
	bool			nmi_window;
	bool			nmi_after_sti;	/* the NMI window waits for the end of an STI shadow first */
	bool			cr8_wanted;
	u64			cr4_guest;	/* bits of CR4 that the guest changes without an exit */

	u64			cr2;		/* the guest's, while it is out of the register */
	u64			dr6;		/* to load while the debug registers are lent */
	u64			tsc_mult;
	u64			timer_tsc;	/* end the guest then (preempt_timer.c); 0: never */
	u64			pat;		/* in the VMCS */
	u64			perf_guest, perf_host;	/* in the VMCS: IA32_PERF_GLOBAL_CTRL, if perf_atomic */
	u8			*msr_bitmap;	/* own, or NULL: the shared default */
	bool			uses_tsc_aux;
	u64			tsc_aux;	/* in the MSR while host.saved */
	u64			kernel_gs_base;	/* the guest's, while host.saved is false */
	u64			msr[NR_HOST_MSRS]; /* the guest's STAR, LSTAR, CSTAR, SFMASK */
	bool			msrs_stale;	/* they are not loaded */

	u8			*vapic;		/* page: the virtual TPR at 0x80 (SDM 3C 30.1) */
	u8			tpr;		/* in it, as it was before the entry */
	bool			apicv;		/* the APIC's own page is in the VMCS instead */
	u16			intr_status;	/* GUEST_INTR_STATUS in the VMCS */
	struct vmx_posted_desc	posted;
	u64			*pml;		/* page of addresses written to (pml.c), or NULL */

	/* Of the last exit. */
	u32			exit_reason;	/* whole field, with the entry-failure bit */
	u32			exit_intr;	/* VM_EXIT_INTR_INFO of an exception or NMI */
	u32			vectoring;	/* IDT_VECTORING_INFO_FIELD */
	int			vmenter;	/* VMENTER_* */

	/* GUEST_INTERRUPTIBILITY_INFO: the cached value is the VMCS's if known. */
	u32			intr_state;
	bool			intr_state_known;
	bool			nmi_masked;	/* as others see it; the truth is in intr_state */
	bool			nmi_armed;	/* an NMI is being injected: the CPU sets the bit itself */
	u8			soft_len;	/* of a software event to inject: RIP goes back by it; 0: none */

	unsigned int		ple_window;
	bool			l1d_dirty;	/* the host's secrets may be in L1: flush it (mitigate.c) */
};

struct vmx_vm {
	struct x86_vm		x;	/* first */
};

static inline struct vmx_vcpu *to_vmx(struct x86_vcpu *vcpu)
{
	return container_of(vcpu, struct vmx_vcpu, x);
}

/* Write a control word if it changes. The vCPU is loaded. */
void vmx_set_ctl(struct vmx_vcpu *vmx, int ctl, u32 val);

/* state.c, segment.c: state groups; vmx_fetch is above */
void vmx_flush(struct x86_vcpu *vcpu, u32 groups);
void vmx_fetch_cs(struct x86_regs *r);
void vmx_fetch_segs(struct x86_regs *r);
void vmx_flush_segs(const struct x86_regs *r);
u32 vmx_intr_state(struct vmx_vcpu *vmx);
void vmx_set_intr_state(struct vmx_vcpu *vmx, u32 val);

/* dump.c */
void vmx_dump(struct x86_vcpu *vcpu);

/* vcpu.c */
int vmx_vm_init(struct x86_vm *vm);
void vmx_vm_destroy(struct x86_vm *vm);
int vmx_vcpu_init(struct x86_vcpu *vcpu);
void vmx_vcpu_destroy(struct x86_vcpu *vcpu);
void vmx_vcpu_reset(struct x86_vcpu *vcpu, bool init);
void vmx_load(struct x86_vcpu *vcpu, int cpu);
void vmx_set_tsc(struct x86_vcpu *vcpu, u64 offset, u64 ratio);
void vmx_set_dr7(struct x86_vcpu *vcpu, u64 dr7);
void vmx_set_dr6(struct x86_vcpu *vcpu, u64 dr6);
void vmx_sync_debug_regs(struct x86_vcpu *vcpu);
bool vmx_cr4_valid(struct x86_vcpu *vcpu, u64 cr4);
void vmx_cpuid_changed(struct x86_vcpu *vcpu);

/* host.c */
void vmx_host_init(struct vmx_vcpu *vmx);	/* host fields that are the same on every CPU */
void vmx_host_enter(struct vmx_vcpu *vmx);	/* before each entry, interrupts off */
void vmx_put(struct x86_vcpu *vcpu);
u64 vmx_kernel_gs_base(struct vmx_vcpu *vmx);
void vmx_set_kernel_gs_base(struct vmx_vcpu *vmx, u64 val);
void vmx_set_syscall_msrs(struct vmx_vcpu *vmx, const struct x86_regs *r);
void vmx_host_msrs_init(struct vmx_cpu *c);

/* tlb.c */
void vmx_vpid_get(struct vmx_vcpu *vmx);
void vmx_vpid_put(struct vmx_vcpu *vmx);
void vmx_tlb_prepare(struct vmx_vcpu *vmx);
void vmx_tlb_flush_cpu(void);
void vmx_set_stage2_root(struct x86_vcpu *vcpu, hpa_t root, int levels);
void vmx_flush_tlb(struct x86_vcpu *vcpu);
void vmx_flush_gva(struct x86_vcpu *vcpu, gva_t gva);

/* run.c */
void vmx_prepare(struct x86_vcpu *vcpu);
void vmx_enter(struct x86_vcpu *vcpu);
void vmx_exited(struct x86_vcpu *vcpu);
bool vmx_fast_exit(struct x86_vcpu *vcpu);
void vmx_host_events(struct x86_vcpu *vcpu);

/* preempt_timer.c */
bool vmx_timer_usable(u32 pin_may);
void vmx_set_timer(struct x86_vcpu *vcpu, u64 tsc);
void vmx_timer_prepare(struct vmx_vcpu *vmx);

/* pml.c */
int vmx_pml_alloc(struct vmx_vcpu *vmx);	/* 0 or -ENOMEM */
void vmx_pml_free(struct vmx_vcpu *vmx);
void vmx_pml_init(struct vmx_vcpu *vmx);
void vmx_pml_empty(struct vmx_vcpu *vmx);	/* after each exit while it is on, interrupts off */
verdict_t vmx_exit_pml_full(struct x86_vcpu *vcpu);

/* apicv.c */
bool vmx_apicv_usable(const struct vmx_caps *c);
void vmx_apicv_init(struct vmx_vcpu *vmx);
void vmx_apicv_update(struct vmx_vcpu *vmx);
u32 vmx_apicv_controls(const struct vmx_vcpu *vmx);
bool vmx_apicv_wants_msrs(const struct vmx_vcpu *vmx);
/* @pass(vmx, msr, read, write): which MSRs need not exit. */
void vmx_apicv_msrs(struct vmx_vcpu *vmx, void (*pass)(struct vmx_vcpu *, u32, bool, bool));
void vmx_apicv_prepare(struct vmx_vcpu *vmx);
void vmx_apicv_exited(struct vmx_vcpu *vmx);
verdict_t vmx_exit_eoi(struct x86_vcpu *vcpu);
verdict_t vmx_exit_apic_write(struct x86_vcpu *vcpu);
verdict_t vmx_exit_apic_access(struct x86_vcpu *vcpu);

/* posted.c */
bool vmx_posted_usable(u32 pin_may, u32 exit_may);
void vmx_posted_init(struct vmx_vcpu *vmx);
void vmx_posted_update(struct vmx_vcpu *vmx);
void vmx_posted_prepare(struct vmx_vcpu *vmx);
void vmx_notify_posted(struct x86_vcpu *vcpu);

/* controls.c */
int vmx_bitmaps_alloc(void);
void vmx_bitmaps_free(void);
void vmx_update_intercepts(struct x86_vcpu *vcpu);
/* Put cpu_base and what comes on top of it (windows) into the VMCS. Any context of the vCPU's thread. */
void vmx_apply_controls(struct vmx_vcpu *vmx);
void vmx_cr8_intercept(struct x86_vcpu *vcpu, bool on);
void vmx_msr_bitmap_free(struct vmx_vcpu *vmx);

/* event.c */
void vmx_inject(struct x86_vcpu *vcpu, const struct x86_event *ev);
void vmx_irq_window(struct x86_vcpu *vcpu, bool on);
void vmx_nmi_window(struct x86_vcpu *vcpu, bool on);
bool vmx_nmi_masked(struct x86_vcpu *vcpu);
void vmx_set_nmi_masked(struct x86_vcpu *vcpu, bool masked);
void vmx_events_reset(struct vmx_vcpu *vmx);
void vmx_events_exited(struct vmx_vcpu *vmx);
/* A fault of IRET itself. @info: bit 12 of the interruption information or of the qualification. */
void vmx_reblock_nmis(struct vmx_vcpu *vmx, u64 info);
verdict_t vmx_exit_irq_window(struct x86_vcpu *vcpu);
verdict_t vmx_exit_nmi_window(struct x86_vcpu *vcpu);
verdict_t vmx_exit_exception(struct x86_vcpu *vcpu);
verdict_t vmx_exit_task_switch(struct x86_vcpu *vcpu);

/* exit.c, exit_cr.c, exit_mem.c */
#define EXIT_QUAL	1	/* the exit has a qualification */
#define EXIT_LEN	2	/* and an instruction length */
#define EXIT_EVENT	4	/* it can cut the delivery of an event short */
u8 vmx_exit_has(u32 reason);
verdict_t vmx_handle_exit(struct x86_vcpu *vcpu);
int vmx_insn_bytes(struct x86_vcpu *vcpu, u8 buf[15]);
void vmx_exit_info(struct x86_vcpu *vcpu, u64 *reason, u64 *info1, u64 *info2, u32 *intr,
		   u32 *err);
verdict_t vmx_exit_cr(struct x86_vcpu *vcpu);
verdict_t vmx_exit_dr(struct x86_vcpu *vcpu);
verdict_t vmx_exit_ept_violation(struct x86_vcpu *vcpu);
verdict_t vmx_exit_invlpg(struct x86_vcpu *vcpu);

/* msr.c */
int vmx_get_msr(struct x86_vcpu *vcpu, u32 index, u64 *val);
int vmx_set_msr(struct x86_vcpu *vcpu, u32 index, u64 val, bool host);
bool vmx_has_msr(u32 index);
int vmx_get_msr_feature(u32 index, u64 *val);
void vmx_adjust_caps(void);

/* mitigate.c */
int vmx_l1d_init(void);
void vmx_l1d_exit(void);
void vmx_mitigate_entry(struct vmx_vcpu *vmx);

/* main.c: module parameters that files of their own need */
extern unsigned int vmx_ple_gap, vmx_ple_window, vmx_ple_grow, vmx_ple_shrink, vmx_ple_max;
extern bool vmx_dump_invalid;

#endif
