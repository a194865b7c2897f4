/* SPDX-License-Identifier: GPL-2.0-only */
/* Surroundings for the controllers: a clock, CPUs that count what reaches them, timers. */
#ifndef UNIT_IRQCHIP_MACHINE_H
#define UNIT_IRQCHIP_MACHINE_H

#include "arch/x86/irqchip/lapic.h"
#include "arch/x86/irqchip/ioapic.h"
#include "arch/x86/irqchip/pic.h"
#include "arch/x86/irqchip/pit.h"

#define MAX_CPUS	64
#define TSC_KHZ		3000000ull

struct cpu {
	struct lapic	a;		/* first */
	u8		*regs;
	u64		timer;		/* armed for, 0: not */
	u32		irqs, extints, rechecks, nmis, inits, sipis, eois, fires, arms, notes;
	u8		irq_vector, sipi_vector, eoi_vector;
	bool		irq_level, eoi_level;
};

struct machine {
	struct lapic_domain domain;
	struct lapic_map *map;
	struct cpu	cpu[MAX_CPUS];
	u32		nr;
	u64		now;
	s64		tsc_offset;
	int		lint0_nmis;
	struct ioapic	io;
	u32		holds, io_sent;
	struct pic	pic;
	struct pit	pit;
	u64		pit_timer;
	u32		pit_irqs, pit_arms;
	int		pit_irq_result;
};

extern struct machine m;

/* @nr local APICs with ids 0.. (or as given by @ids), enabled by software if @on. */
void machine_init(u32 nr, const u32 *ids, bool on);
void machine_free(void);
/* Time goes on to now + @ns, and timers fire when they are due. Returns the number of expiries. */
u32 machine_run(u64 ns);
/* Nothing runs for @ns; what is overdue then fires. */
u32 machine_pause(u64 ns);

static inline struct lapic *lapic(u32 n)
{
	return &m.cpu[n].a;
}

void x1_write(struct lapic *a, u32 reg, u32 val);
u32 x1_read(struct lapic *a, u32 reg);
/* Pending vector taken and ended: the vector, or -1. */
int take(struct lapic *a);
void to_x2apic(struct lapic *a);
u32 rnd(void);
u64 rnd64(void);
void rnd_seed(u64 seed);

#endif
