// SPDX-License-Identifier: GPL-2.0-only
/* The guest walk on a vCPU: its registers make the environment, its slots the memory. */
#include <linux/uaccess.h>
#include <asm/processor-flags.h>
#include <keel/guest_mem.h>
#include "arch/x86/x86.h"
#include "arch/x86/mmu/guest_paging.h"

#define EFER_NXE	(1ull << 11)
#define EFER_LMA_BIT	(1ull << 10)

/* Inside vm->srcu. The address was checked when the slot was made. */
static inline bool gw_read(const struct gw_env *env, u64 gpa, u64 *val)
{
	hva_t hva = vcpu_gpa_to_hva(env->mem, gpa, false);
	u32 val32;

	if (unlikely(hva == INVALID_HVA))
		return false;
	if (likely(env->entry_size == 8))
		return !__get_user(*val, (u64 __user *)hva);
	if (__get_user(val32, (u32 __user *)hva))
		return false;
	*val = val32;
	return true;
}

static inline int gw_exchange(const struct gw_env *env, u64 gpa, u64 old, u64 new)
{
	/* Little-endian: the low four bytes of a 64-bit value are the 32-bit one. */
	return vcpu_cmpxchg_guest(env->mem, gpa, env->entry_size, &old, &new);
}

static void set_depth(struct gw_env *env, const struct x86_regs *r)
{
	env->entry_size = 8;
	if (r->efer & EFER_LMA_BIT) {
		env->levels = r->cr4 & X86_CR4_LA57 ? 5 : 4;
		env->root = r->cr3 & GE_ADDR;
	} else if (r->cr4 & X86_CR4_PAE) {
		env->levels = 3;
		env->root = r->cr3 & 0xffffffe0;
	} else {
		env->levels = 2;
		env->entry_size = 4;
		env->root = r->cr3 & GE_ADDR32;
	}
}

static void make_env(struct x86_vcpu *vcpu, u32 access, struct gw_env *env)
{
	const struct x86_regs *r = st_read(vcpu, ST_CR | ST_CR3 | ST_EFER);

	env->mem = &vcpu->v;
	env->levels = 0;
	if (!(r->cr0 & X86_CR0_PG))
		return;
	set_depth(env, r);
	env->rsvd_addr = vcpu->cpuid.rsvd_gpa & GE_ADDR;
	env->pse = r->cr4 & X86_CR4_PSE;
	env->gbpages = guest_has(vcpu, X86_FEATURE_GBPAGES);
	env->nxe = r->efer & EFER_NXE;
	env->wp = r->cr0 & X86_CR0_WP;
	env->smep = r->cr4 & X86_CR4_SMEP;
	env->smap = r->cr4 & X86_CR4_SMAP;
	env->ac = env->smap && !(access & GW_USER) &&
		  (st_read(vcpu, ST_RFLAGS)->rflags & X86_EFLAGS_AC);
	env->pke = env->levels >= 4 && (r->cr4 & X86_CR4_PKE);
	env->pkru = vcpu->fpu.pkru;
}

static int walk(struct x86_vcpu *vcpu, gva_t gva, u32 access, bool debug,
		struct guest_walk_result *r)
{
	struct srcu_struct *srcu = &vcpu->v.vm->srcu;
	struct gw_env env;
	int idx, ret;

	make_env(vcpu, access, &env);
	if (!env.levels)
		return gw_translate(&env, gva, access, debug, r);
	idx = srcu_read_lock(srcu);
	ret = gw_translate(&env, gva, access, debug, r);
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

int guest_walk_debug(struct x86_vcpu *vcpu, gva_t gva, struct guest_walk_result *r)
{
	return walk(vcpu, gva, 0, true, r);
}
