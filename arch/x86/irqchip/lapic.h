/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The local APIC as register logic: state in a struct, output through the
 * lapic_out_*() functions that the surroundings provide. Nothing here takes a
 * lock, sleeps or allocates.
 *
 * Locking legend: [c] constant while the vCPU may run, [v] the vCPU's own thread or
 * its mutex, [x] atomic, written by any CPU, [t] the timer callback, or [v] after the
 * timer was cancelled.
 */
#ifndef KEEL_IRQCHIP_LAPIC_H
#define KEEL_IRQCHIP_LAPIC_H

#include "port.h"
#include "lapic_regs.h"
#include <uapi/keel/kvm.h>

enum lapic_mode { LAPIC_OFF, LAPIC_XAPIC, LAPIC_X2APIC };

#define LAPIC_BUS_NS		1u		/* of KVM's APIC: 1 GHz */
/* The longest count, by the largest divisor, stays far below what a clock holds. */
#define LAPIC_MAX_BUS_NS	(1u << 22)

struct lapic_timer {
	u64	deadline;	/* [t] next expiry in ns of lapic_in_now(), 0: not armed */
	u64	period;		/* [t] ns of a periodic timer, clamped; 0 otherwise */
	u64	tsc_deadline;	/* [t] IA32_TSC_DEADLINE */
	u8	mode;		/* [t] LVTT_* */
	u8	shift;		/* [t] log2 of the divisor */
};

struct lapic {
	u8		*regs;		/* [c] register page, 16 bytes a register; NULL: no APIC */
	unsigned long	irr_words;	/* [x] bit n: IRR register n, or posted or pir for it, may hold a bit */
	u64		posted[4];	/* [x] requests not yet in IRR (domain->posting) */
	/* [c] to 4 words [x]: others like them, that the CPU may take itself while the guest runs. Or NULL. */
	u64		*pir;
	unsigned long	isr_words;	/* [v] bit n: ISR register n holds a bit */
	u8		gate;		/* [v] PPR class that a vector must exceed; 0xff: off */
	u8		mode;		/* [v] enum lapic_mode, from base; read by any CPU */
	bool		sw_enabled;	/* [v] SVR bit 8 and not off; read by any CPU */
	bool		extint_ok;	/* [v] takes interrupts of the PIC; read by any CPU */
	bool		extint_msg;	/* [x] an ExtINT message arrived */
	bool		hw;		/* [v] the CPU delivers and ends interrupts while the guest runs; read by any CPU */
	bool		eoi_stale;	/* [x] TMR changed: the EOIs to report are to be computed anew */
	bool		lint0_nmi;	/* [v] LVT0 turns the PIT's line into NMIs */
	u32		id;		/* [c] x2APIC id */
	u64		base;		/* [v] IA32_APIC_BASE */
	struct lapic_timer timer;
	unsigned long	esr_pending;	/* [x] errors since the last write of ESR */
	struct lapic_domain *domain;	/* [c] */

	/* Configuration, [v]; the owner follows CPUID and capabilities. */
	u8		nr_lvt;		/* 6, or 7 with CMCI */
	bool		eoi_suppress_offered;	/* version bit 24, SVR bit 12 */
	bool		eoi_suppress_works;	/* and the EOI is in fact kept from the I/O APIC */
	bool		tsc_deadline_offered;
	u32		min_period_ns;	/* shortest period of a periodic timer */
	u32		bus_ns;		/* a tick of divisor 1; 1 to LAPIC_MAX_BUS_NS */
};

/* What all local APICs of a VM share. */
struct lapic_domain {
	struct lapic_map __rcu *map;
	bool		x2apic_format;	/* ids of messages and of KVM_GET_LAPIC have 32 bits */
	bool		broadcast_quirk; /* 0xff of I/O APIC or MSI reaches x2APICs as broadcast */
	u32		turn;		/* [x] round robin of lowest-priority delivery */
	/*
	 * [c] The CPU may change the register page while the guest runs, and not in steps that others could
	 * join in: requests of others wait in posted[] until the vCPU's own thread takes them, or in pir.
	 */
	bool		posting;
	unsigned long	edge_eoi[4];	/* [x] edge vectors whose EOI is reported too */
};

/*
 * Where messages go: ids to local APICs. Grown by the owner (a new map is
 * published through RCU) when a vCPU is added; rewritten in place, under the
 * owner's lock, when a guest changes ids. Readers that meet a rewrite ask every APIC.
 */
struct lapic_map {
	struct rcu_head	rcu;		/* the owner's */
	unsigned int	seq;		/* odd: being rewritten */
	u8		logical_kind;	/* enum lapic_logical */
	bool		phys_unique;	/* each physical id has one owner */
	u32		nr;		/* entries of all[] in use */
	u32		size;		/* entries of phys[], and room in all[] */
	struct lapic	*logical[64];	/* flat: 8 in use; cluster: 16 x 4 */
	struct lapic	**all;		/* behind phys[] */
	struct lapic	*phys[];	/* by physical id */
};

enum lapic_logical {
	LOGICAL_NONE, LOGICAL_FLAT, LOGICAL_CLUSTER, LOGICAL_X2APIC, LOGICAL_MIXED
};

/* A message on the bus between APICs. */
struct apic_msg {
	u32	dest;
	u8	vector;
	u8	mode;		/* DM_* */
	u8	shorthand;	/* SHORTHAND_*, only from a local APIC */
	bool	logical;
	bool	level;		/* trigger mode */
	bool	assert;		/* level bit, for INIT */
	bool	x2apic_src;	/* sent by a local APIC in x2APIC mode: 0xff is an id */
};

/* ---- provided by the surroundings ---- */
/* IRR got a bit: kick. Any context. */
void lapic_out_irq(struct lapic *a, u8 vector, bool level);
/* pir got a bit: let the CPU take it, or wake. Any context. */
void lapic_out_posted(struct lapic *a, u8 vector);
void lapic_out_extint(struct lapic *a);		/* the PIC is to be asked: kick; any context */
void lapic_out_recheck(struct lapic *a);	/* an interrupt became deliverable; no kick [v] */
void lapic_out_lint0_nmi(struct lapic *a, bool on);	/* lint0_nmi changed [v] */
void lapic_out_nmi(struct lapic *a);
void lapic_out_init(struct lapic *a);
void lapic_out_sipi(struct lapic *a, u8 vector);
void lapic_out_eoi(struct lapic *a, u8 vector, bool level);	/* [v] */
/* Arm the timer at @deadline_ns, or 0: cancel it and wait for a running callback. [v] */
void lapic_out_timer(struct lapic *a, u64 deadline_ns);
/* Ids, logical ids or mode changed: lapic_map_rebuild() under the owner's lock. [v] */
void lapic_out_moved(struct lapic *a);
/* Send @m of @src through the VM's map: lapic_deliver() inside an RCU reader. */
int lapic_out_send(struct lapic *src, const struct apic_msg *m);
u64 lapic_in_now(struct lapic *a);		/* monotonic ns */
u64 lapic_in_tsc(struct lapic *a);		/* the guest's TSC now */
u64 lapic_in_tsc_to_ns(struct lapic *a, u64 ticks);	/* by the guest's TSC rate; saturates */

/* ---- lapic.c: registers ---- */
/* @regs: a zeroed page. The APIC is left as after power-up. */
void lapic_init(struct lapic *a, struct lapic_domain *domain, u8 *regs, u32 id);
/* INIT keeps base and id. @extint: LVT0 starts as ExtINT (KVM_X86_QUIRK_LINT0_REENABLED). */
void lapic_reset(struct lapic *a, bool init, bool bsp, bool extint);
/* IA32_APIC_BASE: may it change from @old to @val? @reserved: bits that CPUID does not allow. */
bool lapic_base_ok(u64 old, u64 val, u64 reserved, bool host);
/* 0, or 1: #GP. [v] */
int lapic_set_base(struct lapic *a, u64 val, u64 reserved, bool host);
/* Accesses of the register page; what the guest may not do is ignored or reported in ESR. [v] */
void lapic_mmio_read(struct lapic *a, u32 offset, unsigned int len, void *data);
void lapic_mmio_write(struct lapic *a, u32 offset, unsigned int len, const void *data);
/* x2APIC MSRs 0x800-0x8ff. 0, or 1: #GP. [v] */
int lapic_msr_read(struct lapic *a, u32 msr, u64 *val);
int lapic_msr_write(struct lapic *a, u32 msr, u64 val);
/* KVM_GET/SET_LAPIC. set: 0 or -EINVAL, nothing changed then. [v] */
/* Fills the registers only: the bytes between them are 0 already. */
void lapic_get_state(struct lapic *a, struct kvm_lapic_state *s);
int lapic_set_state(struct lapic *a, const struct kvm_lapic_state *s);
/* Recompute the version register after a change of the configuration. */
void lapic_set_version(struct lapic *a);

/* ---- lapic_irq.c: IRR, ISR, priorities ---- */
/* A vector for this APIC. >0 new, 0 already pending, -1 disabled by software. Any context. */
int lapic_accept_fixed(struct lapic *a, u8 vector, bool level);
/* Any message that is known to be for this APIC. As above; 0 for an SMI, too, which is lost; -1 if it makes no sense. */
int lapic_accept(struct lapic *a, const struct apic_msg *m);
/* The interrupt of a local source by its LVT. As lapic_accept(). */
int lapic_local_deliver(struct lapic *a, u32 lvt_reg);
void lapic_error(struct lapic *a, u32 esr_bit);
int lapic_highest_irr(const struct lapic *a);		/* vector or -1, whatever its priority */
int lapic_highest_taken(const struct lapic *a);		/* of those in IRR itself, none that waits to get there [v] */
int lapic_highest_isr(const struct lapic *a);		/* vector or -1 [v] */
int lapic_ack(struct lapic *a);				/* pending vector into service, or -1 */
void lapic_eoi(struct lapic *a);
/*
 * The EOI of an interrupt that nobody else waits for. False: somebody does, and nothing was done. Interrupts may
 * be off: whom an I/O APIC has to tell, and how many they are, is another matter.
 */
bool lapic_eoi_alone(struct lapic *a);
void lapic_set_tpr(struct lapic *a, u8 tpr);
void lapic_update_ppr(struct lapic *a);
void lapic_recount(struct lapic *a);			/* caches from the registers */
/* The EOI of what is in service would be noticed by nobody. */
bool lapic_eoi_is_silent(const struct lapic *a);
bool lapic_vector_in_use(struct lapic *a, u8 vector);	/* in IRR or ISR; any context */
void lapic_update_lint0(struct lapic *a);			/* LVT0 or the mode changed */

/* Requests that wait in posted[] or pir move to IRR. [v] */
void lapic_take_posted(struct lapic *a);
/* The CPU has ended @vector itself: report it to whoever waits for that. [v] */
void lapic_eoi_done(struct lapic *a, u8 vector);
/* The guest has written register @offset of the page itself, in xAPIC mode: now it takes effect. [v] */
void lapic_wrote(struct lapic *a, u32 offset);

/* ---- lapic_ipi.c: the map and messages ---- */
size_t lapic_map_bytes(u32 size);
void lapic_map_init(struct lapic_map *map, u32 size);
/* Add to the list of all; @a->id < size, and no more than size in total. Then rebuild. */
void lapic_map_add(struct lapic_map *map, struct lapic *a);
void lapic_map_rebuild(struct lapic_map *map);
/* >0: number of APICs that took it, 0 coalesced, -1 nobody. @src: sender, or NULL. Any context. */
int lapic_deliver(struct lapic_domain *d, struct lapic_map *map, struct lapic *src,
		  const struct apic_msg *m);
/* Would lapic_deliver() ask every APIC of the VM? */
bool lapic_asks_all(const struct lapic_map *map, const struct apic_msg *m);
bool lapic_match(struct lapic_domain *d, struct lapic *a, const struct apic_msg *m);
/* Does any APIC that @m goes to still hold its vector in IRR or ISR? */
bool lapic_dest_in_use(struct lapic_domain *d, struct lapic_map *map, const struct apic_msg *m);
void lapic_write_icr(struct lapic *a, u32 low, u32 dest);
void lapic_self_ipi(struct lapic *a, u8 vector);
u32 lapic_x2apic_ldr(u32 id);

/* ---- lapic_timer.c ---- */
void lapic_timer_reset(struct lapic *a);
void lapic_timer_write_lvt(struct lapic *a);	/* LVTT changed: mode */
void lapic_timer_write_tmict(struct lapic *a, u32 count);
void lapic_timer_write_tdcr(struct lapic *a);
u32 lapic_timer_tmcct(struct lapic *a);
/* State was loaded: count on from register TMCCT. */
void lapic_timer_restore(struct lapic *a);
u64 lapic_timer_get_deadline(struct lapic *a);		/* IA32_TSC_DEADLINE */
void lapic_timer_set_deadline(struct lapic *a, u64 tsc);
/* The guest's TSC jumped or changed its rate: arm again. [v] */
void lapic_timer_tsc_changed(struct lapic *a);
/* The armed time came. Returns the next time to arm, 0: none. Called from the timer. [t] */
u64 lapic_timer_fire(struct lapic *a);

static inline u32 lapic_get(const struct lapic *a, u32 reg)
{
	return READ_ONCE(*(const u32 *)(a->regs + reg));
}

static inline void lapic_put(struct lapic *a, u32 reg, u32 val)
{
	WRITE_ONCE(*(u32 *)(a->regs + reg), val);
}

/* The word of a 256-bit register (IRR, ISR, TMR) that holds @vector. */
static inline unsigned long *lapic_word(const struct lapic *a, u32 reg, u8 vector)
{
	return (unsigned long *)(a->regs + reg + (vector >> 5) * 0x10);
}

static inline bool lapic_vec_test(const struct lapic *a, u32 reg, u8 vector)
{
	return test_bit(vector & 31, lapic_word(a, reg, vector));
}

/*
 * The interrupt that the CPU would take now if it had interrupts enabled:
 * vector, or -1. This is the check before every guest entry.
 */
static inline int lapic_pending(const struct lapic *a)
{
	int vec;

	if (likely(!READ_ONCE(a->irr_words)))
		return -1;
	vec = lapic_highest_irr(a);
	return (vec & 0xf0) > a->gate && vec >= 0 ? vec : -1;
}

#endif
