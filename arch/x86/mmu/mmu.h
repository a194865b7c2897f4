/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Stage-2 page tables and the walk of the guest's own. One root per (VM, address
 * space), allocated when a vCPU first needs it and kept until the VM dies.
 * Documentation/mmu.rst has the states of an entry and the lock rules.
 */
#ifndef KEEL_X86_MMU_H
#define KEEL_X86_MMU_H

#include <linux/list.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>
#include <keel/types.h>
#include <keel/memslot.h>
#include <keel/verdict.h>
#include "arch/x86/mmu/flush_proof.h"
#include "arch/x86/mmu/walk_env.h"

struct vm;
struct vcpu;
struct x86_vm;
struct x86_vcpu;
struct x86_s2_fault;

struct vm_mmu {
	u64			*root[KEEL_ADDRESS_SPACES];	/* set once, by cmpxchg */
	int			levels;		/* [c] depth: 4 or 5 */
	bool			nx_huge_off;	/* [c] KVM_CAP_VM_DISABLE_NX_HUGE_PAGES */
	int			max_level;	/* [c] largest leaf: 1 (4K) to 3 (1G) */
	spinlock_t		free_lock;
	struct list_head	unlinked;	/* free_lock: cut out, not yet flushed */
	struct list_head	flushed;	/* free_lock: nobody can use them any more */
	bool			hw_log;		/* slots_lock: the CPU logs writes to pages without D */
	unsigned int		nr_logged;	/* slots_lock: slots with a dirty log */
	bool			moving;		/* slots_lock: leaves of a slot's old place may be at its new one */
	struct page		*apic_page;	/* set once: the APIC-access page, in no slot */
	bool			apic_page_off;	/* mmu_lock: it is not mapped, and will not be again */
	struct work_struct	free_work;	/* frees `flushed` when it is large */
#ifdef KEEL_DEBUG
	struct flush_vm		proof;
#endif
	struct delayed_work	nx_work;	/* queued while pages are split for execution */
};

/* Enough for one fault: a table for each level below the root. */
#define MMU_CACHE_TABLES	4

/*
 * What a walk has read, by userspace addresses, and what it went by. While all of that is as it was, the
 * same walk comes to the same page: it need not be made again.
 */
struct walk_note {
	u64		root, mode_gen, slots_gen;
	u32		access;		/* GW_*; NOTE_NONE: nothing noted */
	u8		as, nr;		/* address space; entries read */
	struct {
		hva_t	hva;
		u64	val;
	} entry[GW_MAX_LEVELS];
	hva_t		page;		/* of the byte asked for */
};

#define NOTE_NONE	(~0u)

struct vcpu_mmu {
	u64		*cache[MMU_CACHE_TABLES];	/* [v] zeroed tables */
	unsigned int	nr_cached;
	struct gw_env	gw;		/* [v] of the last guest walk, good while what follows is */
	u64		gw_cr0, gw_cr4, gw_efer, gw_rsvd_gpa;
	u64		gw_root_mask;	/* address bits of CR3 */
	u64		gw_mode_gen;	/* counts changes of gw */
#ifdef KEEL_DEBUG
	struct flush_vcpu proof;	/* [v]; others look at it */
#endif
};

/* Called when a vendor has registered: chooses the entry format. -EINVAL. */
int mmu_module_init(void);
/* Frames from here on can be in no slot: neither the host's addresses nor the tables reach them. */
gfn_t mmu_gfn_limit(const struct vm_mmu *mmu);

/*
 * The vendor, in prepare(): the entry that follows starts without any translation of this vCPU; or:
 * an instruction right after this call drops them all on this CPU.
 */
#ifdef KEEL_DEBUG
void mmu_tlb_fresh(struct x86_vcpu *vcpu);
void mmu_tlb_drop(struct x86_vcpu *vcpu);
#else
static inline void mmu_tlb_fresh(struct x86_vcpu *vcpu) { }
static inline void mmu_tlb_drop(struct x86_vcpu *vcpu) { }
#endif

int mmu_vm_init(struct x86_vm *vm);
/* No vCPU runs any more: ends work that would touch the tables. Sleeps. */
void mmu_vm_pre_destroy(struct x86_vm *vm);
/* No vCPU exists any more and the notifier is gone. */
void mmu_vm_destroy(struct x86_vm *vm);
int mmu_vcpu_init(struct x86_vcpu *vcpu);
void mmu_vcpu_destroy(struct x86_vcpu *vcpu);

/*
 * mmu_load_root - give the vendor the root of the vCPU's current address space: at REQ_MMU_ROOT,
 * which is to be set on entry to and exit from SMM. Own thread, may sleep. 0 or -ENOMEM.
 */
int mmu_load_root(struct x86_vcpu *vcpu);

/*
 * apic_page.c. alloc: 0 or -ENOMEM. map: own thread, inside vm->srcu, where no slot is; false: it may not
 * be. off: own thread or slots_lock, takes mmu_lock, sleeps not; for ever.
 */
int mmu_apic_page_alloc(struct x86_vm *vm);
void mmu_apic_page_free(struct vm_mmu *mmu);
bool mmu_apic_page_map(struct x86_vcpu *vcpu, gfn_t gfn);
void mmu_apic_page_off(struct x86_vm *vm);
hpa_t keel_apic_page(struct x86_vm *vm);	/* 0: there is none */

/*
 * keel_log_writes - the guest has written to the pages of these @nr addresses, as the hardware tells.
 * Own thread, interrupts off, before anything could change the vCPU's address space.
 */
void keel_log_writes(struct x86_vcpu *vcpu, const u64 *gpa, unsigned int nr);

/*
 * mmu_fault - resolve a stage-2 fault. Own thread, interrupts on; takes vm->srcu.
 * VERDICT_RESUME with *@emulate false: enter the guest again. *@emulate true: the
 * address belongs to no slot or the write to a read-only one; emulate the
 * instruction. -EFAULT: the VMM's mapping does not give the page, KVM_EXIT_MEMORY_FAULT
 * is filled in. -EINTR: a fatal signal. -ENOMEM.
 */
verdict_t mmu_fault(struct x86_vcpu *vcpu, const struct x86_s2_fault *f, bool *emulate);

/* KVM_PRE_FAULT_MEMORY (prefault.c): its row. */
extern const struct ioctl_table mmu_vcpu_ioctls;

/*
 * guest_walk - translate @gva by the guest's own tables as the CPU would, setting
 * A and D bits. Own thread, may sleep, takes vm->srcu. 0 with gpa and page_size, or 1
 * with error_code. The caller has done segmentation and canonical checks.
 */
int guest_walk(struct x86_vcpu *vcpu, gva_t gva, u32 access, struct guest_walk_result *r);
/*
 * guest_walk_note - the same, and @n for guest_walk_holds(), or NOTE_NONE in it. Entries of 8 bytes only;
 * @access GW_FETCH, with or without GW_USER.
 */
int guest_walk_note(struct x86_vcpu *vcpu, gva_t gva, u32 access, struct guest_walk_result *r,
		    struct walk_note *n);
/*
 * Would the walk of @n be made in the same mode, from the same root, through the same slots? Inside
 * vm->srcu, which keeps the addresses in it. The caller compares the entries.
 */
bool guest_walk_same(struct x86_vcpu *vcpu, const struct walk_note *n);
/* The same without A/D updates and rights checks, for KVM_TRANSLATE and debuggers. */
int guest_walk_debug(struct x86_vcpu *vcpu, gva_t gva, struct guest_walk_result *r);

struct virt_fault {
	u32	error_code;
	gva_t	addr;		/* first byte that faulted, for CR2 */
};

/*
 * Access by guest virtual address, across pages (virt_access.c). 0; 1: #PF, *@f filled;
 * -EFAULT: the translation points to no RAM. A write translates all pages before it changes the first byte.
 * @len at most a page. @access: GW_* without GW_WRITE.
 */
int vcpu_read_virt(struct x86_vcpu *vcpu, gva_t gva, void *buf, size_t len, u32 access,
		   struct virt_fault *f);
int vcpu_write_virt(struct x86_vcpu *vcpu, gva_t gva, const void *buf, size_t len, u32 access,
		    struct virt_fault *f);
/*
 * Instruction bytes at @gva: reads what it can up to @len, stops at the end of the first page
 * if the second does not translate. Number of bytes; 0: *@f filled (error_code) ; -EFAULT as above.
 */
int vcpu_fetch_virt(struct x86_vcpu *vcpu, gva_t gva, void *buf, size_t len, u32 access,
		    struct virt_fault *f);

#endif
