/* SPDX-License-Identifier: GPL-2.0-only */
/* The statistics that x86 adds to the tables of <keel/stats.h>, which explains the rows. */
#ifndef KEEL_ARCH_STATS_H
#define KEEL_ARCH_STATS_H

#define VM_STATS_ARCH(X, XH)							\
	X(CUM,  NONE, mmu_shadow_zapped)	/* page-table pages zapped */	\
	X(CUM,  NONE, mmu_pte_write)						\
	X(CUM,  NONE, mmu_pde_zapped)						\
	X(CUM,  NONE, mmu_flooded)						\
	X(CUM,  NONE, mmu_recycled)						\
	X(CUM,  NONE, mmu_cache_miss)						\
	X(INST, NONE, mmu_unsync)						\
	X(INST, NONE, pages_4k)			/* mapped in stage 2 now */	\
	X(INST, NONE, pages_2m)							\
	X(INST, NONE, pages_1g)							\
	X(INST, NONE, nx_lpage_splits)						\
	X(PEAK, NONE, max_mmu_rmap_size)					\
	X(PEAK, NONE, max_mmu_page_hash_collisions)

#define VCPU_STATS_ARCH(X, XH)							\
	X(CUM,  NONE, pf_taken)							\
	X(CUM,  NONE, pf_fixed)							\
	X(CUM,  NONE, pf_emulate)						\
	X(CUM,  NONE, pf_spurious)						\
	X(CUM,  NONE, pf_fast)							\
	X(CUM,  NONE, pf_mmio_spte_created)					\
	X(CUM,  NONE, pf_guest)							\
	X(CUM,  NONE, tlb_flush)						\
	X(CUM,  NONE, invlpg)							\
	X(CUM,  NONE, exits)							\
	X(CUM,  NONE, io_exits)							\
	X(CUM,  NONE, mmio_exits)						\
	X(CUM,  NONE, signal_exits)						\
	X(CUM,  NONE, irq_window_exits)						\
	X(CUM,  NONE, nmi_window_exits)						\
	X(CUM,  NONE, l1d_flush)						\
	X(CUM,  NONE, halt_exits)						\
	X(CUM,  NONE, request_irq_exits)					\
	X(CUM,  NONE, irq_exits)						\
	X(CUM,  NONE, host_state_reload)					\
	X(CUM,  NONE, fpu_reload)						\
	X(CUM,  NONE, insn_emulation)						\
	X(CUM,  NONE, insn_emulation_fail)					\
	X(CUM,  NONE, hypercalls)						\
	X(CUM,  NONE, irq_injections)						\
	X(CUM,  NONE, nmi_injections)						\
	X(CUM,  NONE, req_event)						\
	X(CUM,  NONE, nested_run)						\
	X(CUM,  NONE, directed_yield_attempted)					\
	X(CUM,  NONE, directed_yield_successful)				\
	X(CUM,  NONE, preemption_reported)					\
	X(CUM,  NONE, preemption_other)						\
	X(INST, BOOL, guest_mode)						\
	X(CUM,  NONE, notify_window_exits)

#endif
