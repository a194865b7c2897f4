/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The flush rule, asserted while the modules run: a build with KEEL_DEBUG=1 warns when a page or
 * a table is released that a vCPU may still reach. Without it all of this is nothing.
 */
#ifndef KEEL_X86_FLUSH_PROOF_H
#define KEEL_X86_FLUSH_PROOF_H

#include "arch/x86/mmu/flush_model.h"

struct vm;
struct x86_vcpu;
struct list_head;

#ifdef KEEL_DEBUG

/* A present entry was cleared; its subtree's @table, if it had one, is cut out. mmu_lock: write. */
void flush_proof_cleared(struct vm *vm, u64 *table);
/* A W was taken away. mmu_lock held for write. */
void flush_proof_protected(struct vm *vm);
/* Around a flush of all vCPUs: what the first returns is given to the second. */
u64 flush_proof_begin(struct vm *vm);
void flush_proof_done(struct vm *vm, u64 begun);
/* The tables on @unlinked, cut out and flushed, may be freed from now on. */
void flush_proof_free(struct vm *vm, const struct list_head *unlinked);
/* Tables that are linked in, with those that wait to be freed; none may be left when the VM dies. */
void flush_proof_tables(struct vm *vm, int delta);
void flush_proof_end(struct vm *vm);

int flush_proof_vcpu_init(struct x86_vcpu *vcpu);
void flush_proof_vcpu_destroy(struct x86_vcpu *vcpu);
/* Right before and after the vendor's enter(). */
void flush_proof_enter(struct x86_vcpu *vcpu);
void flush_proof_exit(struct x86_vcpu *vcpu);

#else

static inline void flush_proof_cleared(struct vm *vm, u64 *table) { }
static inline void flush_proof_protected(struct vm *vm) { }
static inline u64 flush_proof_begin(struct vm *vm) { return 0; }
static inline void flush_proof_done(struct vm *vm, u64 begun) { }
static inline void flush_proof_free(struct vm *vm, const struct list_head *unlinked) { }
static inline void flush_proof_tables(struct vm *vm, int delta) { }
static inline void flush_proof_end(struct vm *vm) { }
static inline int flush_proof_vcpu_init(struct x86_vcpu *vcpu) { return 0; }
static inline void flush_proof_vcpu_destroy(struct x86_vcpu *vcpu) { }
static inline void flush_proof_enter(struct x86_vcpu *vcpu) { }
static inline void flush_proof_exit(struct x86_vcpu *vcpu) { }

#endif
#endif
