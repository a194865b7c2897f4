/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Instructions that exited before, remembered with all that was read to find them: page-table entries and
 * bytes. Guests exit at few places. When nothing of it has changed, neither the walk nor the decoding
 * is made again; everything is looked at each time, so nothing has to be told of changes.
 */
#ifndef KEEL_X86_INSN_NOTE_H
#define KEEL_X86_INSN_NOTE_H

#include "arch/x86/emul/emul.h"
#include "arch/x86/mmu/mmu.h"

struct x86_vcpu;

#define INSN_NOTES_BITS	2			/* places; two notes can be in each */
#define INSN_NOTES	(2 << INSN_NOTES_BITS)

struct insn_note {
	u64			rip;
	struct walk_note	walk;
	union {
		u8		bytes[16];
		u64		words[2];
	};
	u8			len;		/* 0: not yet asked */
	bool			decoded;	/* `insn` holds it, and the emulator knows it */
	struct emul_insn	insn;
};

/*
 * insn_note_at_rip - the note of the instruction at RIP, made now if there was none. NULL: outside 64-bit
 * code, too near to the end of a page, or the fetch faults; then the emulator finds out.
 * Own thread, interrupts on, may sleep. Good until the next call.
 */
struct insn_note *insn_note_at_rip(struct x86_vcpu *vcpu);

void insn_notes_init(struct x86_vcpu *vcpu);

#endif
