// SPDX-License-Identifier: GPL-2.0-only
/* The guest walk on a vCPU: its registers make the environment, its slots the memory. */
#include <linux/uaccess.h>
#include <asm/processor-flags.h>
#include <keel/guest_mem.h>
#include "arch/x86/x86.h"
#include "arch/x86/mmu/guest_paging.h"

#define EFER_NXE	(1ull << 11)
#define EFER_LMA_BIT	(1ull << 10)

/* What set_depth() and make_env() look at. */
#define GW_CR0		(X86_CR0_PG | X86_CR0_WP)
#define GW_CR4		(X86_CR4_PAE | X86_CR4_LA57 | X86_CR4_PSE | X86_CR4_SMEP |	\
			 X86_CR4_SMAP | X86_CR4_PKE)
#define GW_EFER		(EFER_NXE | EFER_LMA_BIT)

/* Inside vm->srcu. */
static inline bool gw_read(struct gw_env *env, u64 gpa, u64 *val)
{
	const struct memslot *slot = env->hint;
	gfn_t gfn = gpa_to_gfn(gpa);
	hva_t hva;
	u32 val32;

	/* All tables of a guest lie in one slot, as a rule. */
	if (!slot || gfn - slot->base_gfn >= slot->npages) {
		slot = vcpu_memslot(env->mem, gfn);
		if (unlikely(!slot))
			return false;
		env->hint = (void *)slot;
	}
	hva = memslot_hva(slot, gfn) + (gpa & ~PAGE_MASK);
	/* The address was checked when the slot was made, and is clamped to it under speculation. */
	__uaccess_begin();
	if (likely(env->entry_size == 8)) {
		unsafe_get_user(*val, (u64 __user *)hva, fault);
	} else {
		unsafe_get_user(val32, (u32 __user *)hva, fault);
		*val = val32;
	}
	__uaccess_end();
	return true;
fault:
	__uaccess_end();
	return false;
}

static inline int gw_exchange(struct gw_env *env, u64 gpa, u64 old, u64 new)
{
	/* Little-endian: the low four bytes of a 64-bit value are the 32-bit one. */
	return vcpu_cmpxchg_guest(env->mem, gpa, env->entry_size, &old, &new);
}

static void set_depth(struct vcpu_mmu *m, const struct x86_regs *r)
{
	struct gw_env *env = &m->gw;

	env->entry_size = 8;
	if (r->efer & EFER_LMA_BIT) {
		env->levels = r->cr4 & X86_CR4_LA57 ? 5 : 4;
		m->gw_root_mask = GE_ADDR;
	} else if (r->cr4 & X86_CR4_PAE) {
		env->levels = 3;
		m->gw_root_mask = 0xffffffe0;
	} else {
		env->levels = 2;
		env->entry_size = 4;
		m->gw_root_mask = GE_ADDR32;
	}
}

/* The mode changed since the last walk, or CPUID did. */
static noinline void make_env(struct x86_vcpu *vcpu, const struct x86_regs *r, bool gbpages)
{
	struct vcpu_mmu *m = &vcpu->mmu;
	struct gw_env *env = &m->gw;

	m->gw_mode_gen++;
	m->gw_cr0 = r->cr0 & GW_CR0;
	m->gw_cr4 = r->cr4 & GW_CR4;
	m->gw_efer = r->efer & GW_EFER;
	m->gw_rsvd_gpa = vcpu->cpuid.rsvd_gpa;
	env->gbpages = gbpages;
	env->mem = &vcpu->v;
	env->levels = 0;
	if (!(r->cr0 & X86_CR0_PG))
		return;
	set_depth(m, r);
	env->rsvd_addr = m->gw_rsvd_gpa & GE_ADDR;
	env->pse = r->cr4 & X86_CR4_PSE;
	env->nxe = r->efer & EFER_NXE;
	env->wp = r->cr0 & X86_CR0_WP;
	env->smep = r->cr4 & X86_CR4_SMEP;
	env->smap = r->cr4 & X86_CR4_SMAP;
	env->pke = env->levels >= 4 && (r->cr4 & X86_CR4_PKE);
	gw_env_masks(env);
}

static struct gw_env *current_env(struct x86_vcpu *vcpu, u32 access)
{
	const struct x86_regs *r = st_read(vcpu, ST_CR | ST_CR3 | ST_EFER);
	bool gbpages = guest_has(vcpu, X86_FEATURE_GBPAGES);
	struct vcpu_mmu *m = &vcpu->mmu;
	struct gw_env *env = &m->gw;

	if (unlikely(!env->mem || (((r->cr0 ^ m->gw_cr0) & GW_CR0) |
				   ((r->cr4 ^ m->gw_cr4) & GW_CR4) |
				   ((r->efer ^ m->gw_efer) & GW_EFER) |
				   (vcpu->cpuid.rsvd_gpa ^ m->gw_rsvd_gpa)) ||
		     gbpages != env->gbpages))
		make_env(vcpu, r, gbpages);
	env->hint = NULL;
	env->root = r->cr3 & m->gw_root_mask;
	env->pdpte = unlikely(env->levels == 3) && keel_vendor.caps.pdpte_registers ?
		     st_read(vcpu, ST_PDPTE)->pdpte : NULL;
	if (env->smap && !(access & GW_USER))
		env->ac = st_read(vcpu, ST_RFLAGS)->rflags & X86_EFLAGS_AC;
	if (env->pke)
		env->pkru = vcpu->fpu.pkru;
	return env;
}

static int walk(struct x86_vcpu *vcpu, gva_t gva, u32 access, bool debug,
		struct guest_walk_result *r)
{
	struct srcu_struct *srcu = &vcpu->v.vm->srcu;
	struct gw_env *env = current_env(vcpu, access);
	int idx, ret;

	idx = srcu_read_lock(srcu);
	ret = gw_translate(env, gva, access, debug, r);
	srcu_read_unlock(srcu, idx);
	return ret;
}

int guest_walk(struct x86_vcpu *vcpu, gva_t gva, u32 access, struct guest_walk_result *r)
{
	int ret = walk(vcpu, gva, access, false, r);

	if (ret)
		vcpu->v.stats.pf_guest++;
	return ret;
}

bool guest_walk_same(struct x86_vcpu *vcpu, const struct walk_note *n)
{
	const struct gw_env *env = current_env(vcpu, n->access);

	return n->root == env->root && n->mode_gen == vcpu->mmu.gw_mode_gen &&
	       n->as == arch_vcpu_as(&vcpu->v) &&
	       n->slots_gen == memslots_gen(&vcpu->v.vm->slots[n->as]);
}

/* The addresses behind a walk that has set all A bits it had to. False: some are not in a slot. */
static bool note_entries(struct x86_vcpu *vcpu, const struct gw_env *env, const struct gw_state *s,
			 struct walk_note *n)
{
	int level;

	n->nr = 0;
	if (!env->levels)
		return true;
	if (env->entry_size != 8 || env->pdpte || !gw_is_marked(s))
		return false;
	for (level = env->levels; level >= s->level; level--) {
		n->entry[n->nr].hva = vcpu_gpa_to_hva(&vcpu->v, s->used[level].gpa, false);
		n->entry[n->nr].val = s->used[level].val;
		if (n->entry[n->nr++].hva == INVALID_HVA)
			return false;
	}
	return true;
}

int guest_walk_note(struct x86_vcpu *vcpu, gva_t gva, u32 access, struct guest_walk_result *r,
		    struct walk_note *n)
{
	struct gw_env *env = current_env(vcpu, access);
	struct vm *vm = vcpu->v.vm;
	struct gw_state s;
	int idx, ret;

	idx = srcu_read_lock(&vm->srcu);
	n->access = NOTE_NONE;
	n->as = arch_vcpu_as(&vcpu->v);
	/* Before the walk: slots that change meanwhile make the note worthless. */
	n->slots_gen = memslots_gen(&vm->slots[n->as]);
	n->root = env->root;
	n->mode_gen = vcpu->mmu.gw_mode_gen;
	ret = gw_translate_state(env, gva, access, false, r, &s);
	if (!ret && note_entries(vcpu, env, &s, n)) {
		n->page = vcpu_gpa_to_hva(&vcpu->v, r->gpa, false);
		if (n->page != INVALID_HVA)
			n->access = access;
	}
	srcu_read_unlock(&vm->srcu, idx);
	return ret;
}

int guest_walk_debug(struct x86_vcpu *vcpu, gva_t gva, struct guest_walk_result *r)
{
	return walk(vcpu, gva, 0, true, r);
}
