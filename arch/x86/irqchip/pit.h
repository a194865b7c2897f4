/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The 8254 timer (Intel 8254 datasheet) and port 0x61, as register logic.
 * No lock: the owner holds its own around every call. Counters are never
 * stored: they follow from the time at which the count was loaded.
 */
#ifndef KEEL_IRQCHIP_PIT_H
#define KEEL_IRQCHIP_PIT_H

#include "port.h"
#include <uapi/keel/kvm.h>

#define PIT_HZ		1193182u
/* Lost ticks beyond this many are not made up for. */
#define PIT_MAX_PENDING	((u32)BIT(20))
/* In struct kvm_pit_channel_state: no control word and no count came since reset. */
#define PIT_MODE_NONE	0xff

struct pit_channel {
	struct kvm_pit_channel_state s;	/* count: 1 to 65536, in binary also with BCD */
	bool	unprogrammed;		/* since reset: it does not count; mode is then 3 */
	bool	null_count;		/* a control word came, no count since */
	bool	stopped;		/* by the gate, in modes 0 and 4 */
	u64	stopped_ns;		/* then: time that had run */
};

struct pit {
	struct pit_channel ch[3];
	u32	flags;			/* KVM_PIT_FLAGS_* */
	bool	speaker_on;		/* port 0x61 bit 1 */
	u32	min_period_ns;
	u64	deadline;		/* next tick of channel 0, 0: none */
	u64	period;			/* 0: one-shot */

	/* Lost ticks: each waits until the guest has handled the one before. */
	bool	reinject;
	bool	waiting;		/* for an EOI */
	u32	pending;		/* ticks that are owed */
};

/* ---- provided by the surroundings, called under the owner's lock ---- */
u64 pit_in_now(struct pit *pit);
/* pit_fire() at @deadline_ns; 0: no more. Need not wait: pit_fire() ignores an early call. */
void pit_out_timer(struct pit *pit, u64 deadline_ns);
/* An edge on the line of channel 0: >0 delivered, 0 coalesced, <0 masked. */
int pit_out_irq(struct pit *pit);

void pit_init(struct pit *pit);
u8 pit_read(struct pit *pit, u16 port);			/* 0x40-0x43 */
void pit_write(struct pit *pit, u16 port, u8 val);
u8 pit_speaker_read(struct pit *pit);			/* 0x61 */
void pit_speaker_write(struct pit *pit, u8 val);
/* The timer ran. Arms the next one itself. */
void pit_fire(struct pit *pit);
/* The guest ended the service of channel 0's interrupt. */
void pit_acked(struct pit *pit);
/* What was owed is forgiven: the line was unmasked, or the policy changed. */
void pit_reset_reinject(struct pit *pit);
void pit_get_state(struct pit *pit, struct kvm_pit_state2 *s);
/* Any values are fine. */
void pit_set_state(struct pit *pit, const struct kvm_pit_state2 *s);

#endif
