/* SPDX-License-Identifier: GPL-2.0-only */
/* The x86 VM and vCPU objects. Each concept's part is defined in the concept's own header. */
#ifndef KEEL_X86_X86_H
#define KEEL_X86_X86_H

#include <keel/vm.h>
#include <keel/vcpu.h>
#include <keel/arch.h>
#include "arch/x86/regs.h"
#include "arch/x86/event.h"
#include "arch/x86/exit.h"
#include "arch/x86/vendor.h"
#include "arch/x86/cpuid.h"		/* struct vcpu_cpuid */
#include "arch/x86/msr.h"		/* struct vcpu_msrs, struct vm_msr_filter */
#include "arch/x86/xstate.h"		/* struct vcpu_fpu */
#include "arch/x86/tsc.h"		/* struct vcpu_tsc, struct vm_tsc */
#include "arch/x86/pvclock.h"		/* struct vcpu_pvclock, struct vm_pvclock */
#include "arch/x86/debug.h"		/* struct vcpu_debug */
#include "arch/x86/emulate.h"		/* struct vcpu_emul */
#include "arch/x86/insn_note.h"		/* struct insn_note */
#include "arch/x86/mmu/mmu.h"		/* struct vcpu_mmu, struct vm_mmu */
#include "arch/x86/irqchip/irqchip.h"	/* struct vm_irqchip, struct vcpu_apic */

/* x86 requests, from REQ_ARCH_BASE. */
enum {
	REQ_EVENT	= REQ_ARCH_BASE,	/* look at pending events */
	REQ_NMI,			/* ev.nmi.queued is not 0 */
	REQ_CLOCK_UPDATE,		/* write the kvmclock page */
	REQ_MASTERCLOCK_UPDATE,		/* the VM's master clock is to be recomputed */
	REQ_MMU_ROOT,			/* the root was replaced: load it again */
	REQ_SCAN_IOAPIC,		/* recompute EOI exits */
	REQ_IOAPIC_EOI_EXIT,		/* KVM_EXIT_IOAPIC_EOI is owed */
	REQ_APIC_INIT_SIPI,		/* apic.pending_events is not 0 */
	REQ_TPR_ACCESS,			/* KVM_EXIT_TPR_ACCESS is owed */
	REQ_INTERCEPTS,			/* call update_intercepts */
	REQ_MSR_FILTER,
	REQ_STEAL_UPDATE,
	REQ_LOG_SYNC,			/* an exit was wanted, nothing else */
};

struct x86_vm {
	struct vm		vm;		/* first */
	struct vm_mmu		mmu;
	struct vm_irqchip	irqchip;
	struct vm_tsc		tsc;
	struct vm_pvclock	clock;
	struct vm_msr_filter	msr_filter;

	/* KVM_ENABLE_CAP and one-off ioctls; vm->lock for writers, set before vCPUs run unless said */
	u64			disabled_quirks;
	u32			disabled_exits;		/* KVM_X86_DISABLE_EXITS_* */
	u32			user_msr_mask;		/* KVM_CAP_X86_USER_SPACE_MSR reasons */
	bool			exception_payload;
	bool			max_vcpu_id_set;
	bool			triple_fault_event;
	bool			exit_on_emul_failure;	/* at CPL 3 too */
	bool			x2apic_format;		/* KVM_X2APIC_API_USE_32BIT_IDS */
	bool			x2apic_broadcast_off;	/* KVM_X2APIC_API_DISABLE_BROADCAST_QUIRK */
	bool			bus_lock_exit;
	u64			tss_addr, identity_map_addr;
	u32			nr_mmu_pages;	/* KVM_SET_NR_MMU_PAGES, 0: never set */
	unsigned int		boot_cpu_id;
};

struct x86_vcpu {
	struct vcpu		v;		/* first */
	struct x86_regs		regs;
	u32			known, dirty;	/* ST_* groups; dirty implies known */
	struct x86_exit		exit;
	struct x86_events	ev;
	struct vcpu_cpuid	cpuid;
	struct vcpu_msrs	msr;
	struct vcpu_fpu		fpu;
	struct vcpu_tsc		tsc;
	struct vcpu_pvclock	clock;
	struct vcpu_debug	debug;
	struct vcpu_emul	emul;
	struct insn_note	insn_note[INSN_NOTES];
	u8			insn_note_next;	/* which of two gives way */
	struct vcpu_mmu		mmu;
	struct vcpu_apic	apic;
	u32			mp_state;	/* KVM_MP_STATE_* */
	bool			preempted_in_kernel;	/* CPL 0 when scheduled out, for directed yield */
	/*
	 * Set by whoever returns VERDICT_USER and has work left: called first at
	 * the next KVM_RUN, own thread. VERDICT_RESUME: go on; VERDICT_USER: exit again.
	 */
	verdict_t		(*complete)(struct x86_vcpu *vcpu);
};

static inline struct x86_vm *to_x86_vm(struct vm *vm)
{
	return container_of(vm, struct x86_vm, vm);
}

static inline struct x86_vcpu *to_x86(struct vcpu *vcpu)
{
	return container_of(vcpu, struct x86_vcpu, v);
}

static inline struct x86_vm *vcpu_vm(const struct x86_vcpu *vcpu)
{
	return to_x86_vm(vcpu->v.vm);
}

/* The static call is not exported: a vendor module that reads groups itself names its function here. */
#ifndef VENDOR_FETCH
#define VENDOR_FETCH vendor_call(fetch)
#endif

/* The cached registers with @groups filled in, for reading. */
static inline const struct x86_regs *st_read(struct x86_vcpu *vcpu, u32 groups)
{
	u32 missing = (groups & ST_SEG ? groups | ST_CS : groups) & ~vcpu->known;

	if (missing) {
		VENDOR_FETCH(vcpu, missing);
		vcpu->known |= missing;
	}
	return &vcpu->regs;
}

/* The same for changing: the groups will be flushed before the next entry. */
static inline struct x86_regs *st_write(struct x86_vcpu *vcpu, u32 groups)
{
	st_read(vcpu, groups);
	vcpu->dirty |= groups;
	barrier();	/* as below */
	return &vcpu->regs;
}

/* Everything is about to be overwritten: no fetch needed. */
static inline struct x86_regs *st_overwrite(struct x86_vcpu *vcpu, u32 groups)
{
	vcpu->known |= groups & ST_SEG ? groups | ST_CS : groups;
	vcpu->dirty |= groups;
	/* The caller's stores come after it: arch_vcpu_put() of a preempted thread fetches a CS that is not known. */
	barrier();
	return &vcpu->regs;
}

static inline bool is_protmode(struct x86_vcpu *vcpu)
{
	return st_read(vcpu, ST_CR)->cr0 & 1;
}

static inline bool is_paging(struct x86_vcpu *vcpu)
{
	return st_read(vcpu, ST_CR)->cr0 & (1ul << 31);
}

static inline bool is_long_mode(struct x86_vcpu *vcpu)
{
	return st_read(vcpu, ST_EFER)->efer & (1ul << 10);	/* EFER.LMA */
}

/* Runs 64-bit code: long mode and CS.L. */
static inline bool is_64bit_code(struct x86_vcpu *vcpu)
{
	return is_long_mode(vcpu) && (st_read(vcpu, ST_CS)->seg[S_CS].attr & SEG_L);
}

/* A general register as the current mode sees it: 64 bits in 64-bit code, else the low 32. */
static inline u64 gpr_mode(struct x86_vcpu *vcpu, int reg)
{
	u64 v = reg == R_RSP ? st_read(vcpu, ST_RSP)->gpr[R_RSP] : vcpu->regs.gpr[reg];

	return is_64bit_code(vcpu) ? v : (u32)v;
}

static inline u64 gpr_raw(struct x86_vcpu *vcpu, int reg)
{
	return reg == R_RSP ? st_read(vcpu, ST_RSP)->gpr[R_RSP] : vcpu->regs.gpr[reg];
}

static inline void gpr_set(struct x86_vcpu *vcpu, int reg, u64 val)
{
	if (reg == R_RSP)
		st_overwrite(vcpu, ST_RSP);
	vcpu->regs.gpr[reg] = val;
}

/* Linear RIP: CS base added outside 64-bit code. */
static inline u64 linear_rip(struct x86_vcpu *vcpu)
{
	const struct x86_regs *r = st_read(vcpu, ST_RIP | ST_CS | ST_EFER);

	if (is_64bit_code(vcpu))
		return r->rip;
	return (u32)(r->rip + r->seg[S_CS].base);
}

/* cr.c: guest-visible control registers. 0, or 1: the guest gets #GP. Recompute mode, intercepts, MMU. */
int keel_set_cr0(struct x86_vcpu *vcpu, u64 val);
int keel_set_cr3(struct x86_vcpu *vcpu, u64 val);
int keel_set_cr4(struct x86_vcpu *vcpu, u64 val);
int keel_set_cr8(struct x86_vcpu *vcpu, u64 val);
u64 keel_get_cr8(struct x86_vcpu *vcpu);
int keel_set_efer(struct x86_vcpu *vcpu, u64 val, bool host);
int keel_set_xcr(struct x86_vcpu *vcpu, u32 index, u64 val);
/* Called after sregs or SMM put whole values in place, already validated. */
void cr_state_changed(struct x86_vcpu *vcpu, u64 old_cr0, u64 old_cr4, u64 old_efer);
bool cr_valid(struct x86_vcpu *vcpu, u64 cr0, u64 cr3, u64 cr4, u64 efer);
/*
 * PAE paging begins or CR3 was loaded under it: the four entries become registers if the CPU has
 * such. False: one is bad, or CR3 points to no RAM; nothing is loaded then. May sleep.
 */
bool cr_load_pdptes(struct x86_vcpu *vcpu, u64 cr3);

/* init.c */
void vcpu_reset(struct x86_vcpu *vcpu, bool init);	/* architectural reset (SDM 3 9.1) */
void vcpu_deliver_sipi(struct x86_vcpu *vcpu, u8 vector);

extern const struct ioctl_table vm_state_ioctls;	/* ioctl_vm.c */
extern const struct ioctl_table vcpu_state_ioctls;	/* ioctl_vcpu.c */

#endif
