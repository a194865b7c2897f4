/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The flush rule as arithmetic (Documentation/mmu.rst), for builds with KEEL_DEBUG=1.
 *
 * Each present entry that is cleared, and each W that is taken away, gets a number of its VM. A
 * vCPU notes, for each CPU, the last number that was given when it last entered there without any
 * old translation: what has a higher number it may still hold there. An entry may be released,
 * the page or the table behind it given away, when no vCPU in guest mode may hold it, and from
 * then on no vCPU may enter where it may hold it.
 *
 * Pure code: unit/mmu/flush_model.c runs it against a model of TLBs.
 */
#ifndef KEEL_X86_FLUSH_MODEL_H
#define KEEL_X86_FLUSH_MODEL_H

#include <linux/types.h>
#include <linux/compiler.h>
#include <asm/barrier.h>

struct flush_vm {
	u64	last;		/* the last number given; mmu_lock held for write */
	u64	flushed;	/* up to here a flush of all was done since */
	u64	released;	/* up to here pages and tables may be gone */
	u64	protected;	/* the last number given to a W; slots_lock */
	u64	reported;	/* up to here the log says what was written; slots_lock */
	bool	zapped;		/* entries were cleared since mmu_lock was taken */
	long	tables;		/* that exist; atomic */
};

struct flush_vcpu {
	u64	*clean;		/* by CPU: the last number at its last entry without translations */
	u64	before;		/* clean[cpu] before this entry, should it fail */
	int	cpu;		/* in guest mode there, or FLUSH_OUTSIDE */
	bool	fresh;		/* the coming entry starts without translations */
};

#define FLUSH_OUTSIDE	(-1)

static inline void flush_model_clear(struct flush_vm *vm)
{
	WRITE_ONCE(vm->last, vm->last + 1);
}

/* What @vcpu holds on @cpu is about to be dropped by an instruction. Interrupts off. */
static inline void flush_model_drop(const struct flush_vm *vm, struct flush_vcpu *vcpu, int cpu)
{
	WRITE_ONCE(vcpu->clean[cpu], READ_ONCE(vm->last));
}

/* Interrupts off, nothing but the guest follows. False: it could use what is released. */
static inline bool flush_model_enter(const struct flush_vm *vm, struct flush_vcpu *vcpu, int cpu)
{
	vcpu->before = vcpu->clean[cpu];
	if (vcpu->fresh)
		WRITE_ONCE(vcpu->clean[cpu], READ_ONCE(vm->last));
	WRITE_ONCE(vcpu->cpu, cpu);
	/* Pairs with the one in flush_model_release(): one of both sees the other. */
	smp_mb();
	return vcpu->clean[cpu] >= READ_ONCE(vm->released) &&
	       vcpu->clean[cpu] >= READ_ONCE(vm->reported);
}

/* @failed: the CPU refused the entry, and has perhaps not flushed. */
static inline void flush_model_exit(struct flush_vcpu *vcpu, bool failed)
{
	if (failed)
		vcpu->clean[vcpu->cpu] = vcpu->before;
	vcpu->fresh = false;
	WRITE_ONCE(vcpu->cpu, FLUSH_OUTSIDE);
}

/* Does @vcpu, if it is in guest mode, hold nothing that was cleared up to @number? */
static inline bool flush_model_safe(const struct flush_vcpu *vcpu, u64 number)
{
	int cpu = READ_ONCE(vcpu->cpu);

	return cpu == FLUSH_OUTSIDE || READ_ONCE(vcpu->clean[cpu]) >= number;
}

/* @mark (released or reported) rises to @number; flush_model_safe() of each vCPU is to follow. */
static inline void flush_model_release(u64 *mark, u64 number)
{
	if (READ_ONCE(*mark) < number)
		WRITE_ONCE(*mark, number);
	/* Pairs with the one in flush_model_enter(). */
	smp_mb();
}

#endif
