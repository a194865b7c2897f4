// SPDX-License-Identifier: GPL-2.0-only
/* KVM_PRE_FAULT_MEMORY: map what the guest will read, before it does. */
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include "arch/x86/mmu/internal.h"

/* Map the page of @gfn; the number of frames up to the end of what now maps it, or -errno. */
static long prefault_one(struct x86_vcpu *vcpu, gfn_t gfn)
{
	const struct s2_want w = { .gfn = gfn, .ahead = true };
	struct vm *vm = vcpu->v.vm;
	struct memslot *slot;
	int idx, level, err = -ENOENT;

	idx = srcu_read_lock(&vm->srcu);
	slot = vcpu_memslot(&vcpu->v, gfn);
	if (slot)
		err = s2_map_slot_page(vcpu, slot, &w, &level);
	srcu_read_unlock(&vm->srcu, idx);
	if (err)
		return err;
	return level_frames(level) - (gfn & (level_frames(level) - 1));
}

/* The same, again and again while the host changes the page under our hands. */
static long prefault_page(struct x86_vcpu *vcpu, gfn_t gfn)
{
	long n;

	do {
		if (signal_pending(current))
			return -EINTR;
		cond_resched();
		n = prefault_one(vcpu, gfn);
	} while (n == -EAGAIN);
	return n;
}

static bool range_ok(const struct kvm_pre_fault_memory *r)
{
	return !r->flags && r->size && PAGE_ALIGNED(r->gpa) && PAGE_ALIGNED(r->size) &&
	       r->gpa + r->size > r->gpa;
}

/* Success if one page is mapped at least; the argument then tells what is left to do. */
static long pre_fault_memory(struct ioctl_ctx *c)
{
	struct kvm_pre_fault_memory *r = c->data;
	struct x86_vcpu *vcpu = to_x86(c->vcpu);
	bool some = false;
	long n = 0;

	if (!range_ok(r))
		return -EINVAL;
	if (!s2_root_get(vm_mmu(c->vm), arch_vcpu_as(c->vcpu)))
		return -ENOMEM;
	while (r->size) {
		u64 bytes;

		n = prefault_page(vcpu, gpa_to_gfn(r->gpa));
		if (n < 0)
			break;
		bytes = min_t(u64, gfn_to_gpa(n), r->size);
		r->gpa += bytes;
		r->size -= bytes;
		some = true;
	}
	return some ? 0 : n;
}

static const struct ioctl_row mmu_vcpu_ioctls_rows[] = {
	{ KVM_PRE_FAULT_MEMORY, IOC_VCPU, pre_fault_memory },
};

IOCTL_TABLE(mmu_vcpu_ioctls);
