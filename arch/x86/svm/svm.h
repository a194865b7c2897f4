/* SPDX-License-Identifier: GPL-2.0-only */
/* AMD-V: the vendor's objects and what its files offer each other. */
#ifndef KEEL_SVM_SVM_H
#define KEEL_SVM_SVM_H

#include <linux/mem_encrypt.h>
#include <linux/percpu.h>
#include <asm/io.h>
#include "arch/x86/x86.h"
#include "arch/x86/svm/vmcb.h"
#include "arch/x86/svm/vmenter.h"

#define SVM_TSC_RATIO_ONE	(1ull << 32)	/* 8.32 fixed point (APM 2 15.30.5) */
#define SVM_TSC_RATIO_LIMIT	((1ull << 40) - 1)

/* What CPUID 8000_000A and its neighbours offer, after module parameters. Set once by svm_caps_init(). */
struct svm_caps {
	u32	nr_asids;	/* valid ASIDs are 1 .. this - 1 */
	u32	clean_mask;	/* CLEAN_ALL, or 0 without VMCB clean bits */
	bool	nrips;		/* next_rip is written by exits and read by software event injection */
	bool	decode_assists;
	bool	flush_by_asid;
	bool	pause_filter;
	bool	pause_threshold;
	bool	tsc_ratio;
	bool	vgif;
	bool	lbrv;
	bool	invpcid;	/* INVPCID, RDPRU, ... can be intercepted because they exist */
	bool	rdpru;
	bool	spec_ctrl;	/* MSR SPEC_CTRL exists */
	bool	v_spec_ctrl;	/* and the CPU switches it */
	bool	virt_ssbd;	/* SSBD sits in LS_CFG or VIRT_SPEC_CTRL: the kernel switches it */
	bool	tsc_aux;	/* RDTSCP or RDPID exists */
	u64	spec_ctrl_bits;	/* bits of SPEC_CTRL that this CPU has */
};
extern struct svm_caps svm_caps;

/* 0; -EOPNOTSUPP (said in the log): this CPU or its firmware offers no SVM with nested paging. */
int svm_caps_init(bool want_nrips, bool want_vgif);
void svm_caps_fill(struct vendor_caps *caps);

/* Of each CPU. Touched on that CPU only, with preemption off. */
struct svm_cpu {
	u64	asid_gen;	/* ASIDs of an older generation are stale; never 0 after enabling */
	u32	next_asid;
	u64	host_pa;	/* where VMSAVE keeps the host's state */
	u64	tsc_ratio;	/* in MSR TSC_RATIO now */
	u64	tsc_aux;	/* the host's MSR TSC_AUX, never changed after boot */
	struct page *hsave;	/* for VM_HSAVE_PA */
	struct page *host;	/* host_pa's */
};
DECLARE_PER_CPU(struct svm_cpu, svm_cpu);

int svm_cpus_alloc(void);
void svm_cpus_free(void);
int svm_cpu_enable(void);
void svm_cpu_disable(void);

/* The state of NMI blocking, which this hardware does not keep (event.c). All [v]. */
struct svm_nmi {
	bool	active;		/* one of the below but masked and guest_tf is set */
	bool	masked;
	bool	iret_seen;	/* IRET was intercepted and runs now: unmasked once RIP has moved */
	u64	iret_rip;
	bool	window;		/* exit when an NMI could be taken */
	bool	stepping;	/* TF is ours in this entry */
	bool	stepped;	/* and was in the last one */
	bool	guest_tf;	/* the guest's own TF while stepping */
	u64	step_rip;
};

/* A software interrupt or exception in this entry (event.c). */
struct svm_soft {
	bool	active;
	u8	vector;
	u64	start;		/* RIP of the instruction */
	u64	next;		/* and behind it */
};

struct svm_vcpu {
	struct x86_vcpu		x;	/* first */
	struct svm_vmcb		*vmcb;
	struct svm_entry	entry;

	/* Intercepts as computed from state; windows come on top (intercept.c). */
	u32			ic[NR_IC_WORDS];
	bool			irq_window;
	bool			cr8_wanted;
	u8			*msrpm;		/* own bitmap, or NULL: the shared default */
	u64			cr0_hidden;	/* CD and NW of the guest's CR0, not in the VMCB */
	u64			cr4_forced;	/* bits of the VMCB's CR4 that the guest has not set */

	u64			asid_gen;	/* 0: needs a new ASID */
	bool			flush;		/* translations of this ASID are to be dropped */
	int			last_cpu;
	bool			host_saved;	/* the host's state is in host_pa, MSRs are the guest's */
	bool			host_had_ldt;
	bool			no_svm;		/* the last entry found SVM taken away */
	u8			tpr;		/* V_TPR as it was before the entry */
	u64			tsc_ratio;
	bool			uses_tsc_aux;	/* the guest can read it */
	u64			tsc_aux;	/* in the MSR while host_saved */
	u64			virt_spec_ctrl;	/* guest's MSR VIRT_SPEC_CTRL */

	struct svm_nmi		nmi;
	struct svm_soft		soft;
};

struct svm_vm {
	struct x86_vm		x;	/* first */
};

static inline struct svm_vcpu *to_svm(struct x86_vcpu *vcpu)
{
	return container_of(vcpu, struct svm_vcpu, x);
}

/* The address by which the CPU knows memory of ours: with host memory encryption it says so (APM 2 7.10). */
static inline u64 svm_pa(const void *p)
{
	return __sme_set(virt_to_phys((void *)p));
}

/* Tell the CPU that a group of VMCB fields was changed by software (APM 2 15.15). */
static inline void svm_touch(struct svm_vcpu *svm, u32 groups)
{
	svm->vmcb->control.clean &= ~groups;
}

/* vmcb.c: state groups */
void svm_fetch(struct x86_vcpu *vcpu, u32 groups);
void svm_flush(struct x86_vcpu *vcpu, u32 groups);
void svm_fetch_cs(struct svm_vcpu *svm);
void svm_vmcb_init(struct svm_vcpu *svm);
void svm_dump(struct x86_vcpu *vcpu);

/* vcpu.c */
int svm_vm_init(struct x86_vm *vm);
void svm_vm_destroy(struct x86_vm *vm);
int svm_vcpu_init(struct x86_vcpu *vcpu);
void svm_vcpu_destroy(struct x86_vcpu *vcpu);
void svm_vcpu_reset(struct x86_vcpu *vcpu, bool init);
void svm_load(struct x86_vcpu *vcpu, int cpu);
void svm_put(struct x86_vcpu *vcpu);
void svm_set_stage2_root(struct x86_vcpu *vcpu, hpa_t root, int levels);
void svm_set_tsc(struct x86_vcpu *vcpu, u64 offset, u64 ratio);
void svm_set_dr7(struct x86_vcpu *vcpu, u64 dr7);
void svm_set_dr6(struct x86_vcpu *vcpu, u64 dr6);
void svm_sync_debug_regs(struct x86_vcpu *vcpu);
bool svm_cr4_valid(struct x86_vcpu *vcpu, u64 cr4);
void svm_cpuid_changed(struct x86_vcpu *vcpu);

/* tlb.c */
void svm_asid_prepare(struct svm_vcpu *svm);
void svm_asid_entry_failed(struct svm_vcpu *svm);
void svm_flush_tlb(struct x86_vcpu *vcpu);
void svm_flush_gva(struct x86_vcpu *vcpu, gva_t gva);

/* run.c */
void svm_prepare(struct x86_vcpu *vcpu);
void svm_enter(struct x86_vcpu *vcpu);
void svm_exited(struct x86_vcpu *vcpu);
bool svm_fast_exit(struct x86_vcpu *vcpu);
void svm_host_events(struct x86_vcpu *vcpu);

/* intercept.c */
int svm_bitmaps_alloc(void);
void svm_bitmaps_free(void);
void svm_update_intercepts(struct x86_vcpu *vcpu);
/* Put ic[] and what comes on top of it (windows, CR views) into the VMCB. Any context of the vCPU's thread. */
void svm_apply_intercepts(struct svm_vcpu *svm);
void svm_cr8_intercept(struct x86_vcpu *vcpu, bool on);
void svm_msrpm_free(struct svm_vcpu *svm);
u64 svm_iopm_pa(void);

/* event.c */
void svm_inject(struct x86_vcpu *vcpu, const struct x86_event *ev);
void svm_irq_window(struct x86_vcpu *vcpu, bool on);
void svm_nmi_window(struct x86_vcpu *vcpu, bool on);
bool svm_nmi_masked(struct x86_vcpu *vcpu);
void svm_set_nmi_masked(struct x86_vcpu *vcpu, bool masked);
void svm_events_reset(struct svm_vcpu *svm);
/* Before an entry with nmi.window or soft.active; after an exit with any of nmi, soft or an interrupted event. */
void svm_events_prepare(struct svm_vcpu *svm);
void svm_events_exited(struct svm_vcpu *svm);
verdict_t svm_exit_iret(struct x86_vcpu *vcpu);
verdict_t svm_exit_vintr(struct x86_vcpu *vcpu);
verdict_t svm_exit_exception(struct x86_vcpu *vcpu);

/* exit.c, exit_cr.c */
verdict_t svm_handle_exit(struct x86_vcpu *vcpu);
int svm_insn_bytes(struct x86_vcpu *vcpu, u8 buf[15]);
void svm_exit_info(struct x86_vcpu *vcpu, u64 *reason, u64 *info1, u64 *info2, u32 *intr,
		   u32 *err);
verdict_t svm_exit_cr_write(struct x86_vcpu *vcpu);
verdict_t svm_exit_cr_read(struct x86_vcpu *vcpu);
verdict_t svm_exit_dr(struct x86_vcpu *vcpu);

/* msr.c */
int svm_get_msr(struct x86_vcpu *vcpu, u32 index, u64 *val);
int svm_set_msr(struct x86_vcpu *vcpu, u32 index, u64 val, bool host);
bool svm_has_msr(u32 index);
int svm_get_msr_feature(u32 index, u64 *val);
void svm_adjust_caps(void);

/* main.c: module parameters that files of their own need */
extern unsigned short svm_ple_count, svm_ple_threshold, svm_ple_grow, svm_ple_shrink, svm_ple_max;
extern bool svm_dump_invalid;

#endif
