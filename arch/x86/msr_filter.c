// SPDX-License-Identifier: GPL-2.0-only
/* KVM_X86_SET_MSR_FILTER: which MSRs the guest may reach without userspace. */
#include <linux/compat.h>
#include <linux/nospec.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>
#include "virt/compat/compat.h"
#include "arch/x86/x86.h"

static bool in_x2apic(u32 index)
{
	return index >= 0x800 && index <= 0x8ff;
}

static bool filter_allows(const struct msr_filter *f, u32 index, u32 access)
{
	unsigned int i;

	for (i = 0; i < f->nr; i++) {
		const struct msr_filter_range *r = &f->range[i];
		u32 bit = index - r->base;

		if (index < r->base || bit >= r->nmsrs || !(r->flags & access))
			continue;
		return test_bit(array_index_nospec(bit, r->nmsrs), r->bitmap);
	}
	return f->default_allow;
}

bool msr_allowed(struct x86_vcpu *vcpu, u32 index, u32 access)
{
	struct vm *vm = vcpu->v.vm;
	const struct msr_filter *f;
	bool allowed = true;
	int idx;

	/* The APIC is the kernel's alone. */
	if (in_x2apic(index))
		return true;
	idx = srcu_read_lock(&vm->srcu);
	f = srcu_dereference(to_x86_vm(vm)->msr_filter.filter, &vm->srcu);
	if (f)
		allowed = filter_allows(f, index, access);
	srcu_read_unlock(&vm->srcu, idx);
	return allowed;
}
KEEL_EXPORT(msr_allowed);

static void filter_free(struct msr_filter *f)
{
	unsigned int i;

	if (!f)
		return;
	for (i = 0; i < f->nr; i++)
		kfree(f->range[i].bitmap);
	kfree(f);
}

void msr_filter_destroy(struct x86_vm *vm)
{
	filter_free(rcu_dereference_protected(vm->msr_filter.filter, true));
	RCU_INIT_POINTER(vm->msr_filter.filter, NULL);
}

static int copy_range(struct msr_filter *f, const struct kvm_msr_filter_range *u)
{
	size_t size = BITS_TO_LONGS((u64)u->nmsrs) * sizeof(long);
	struct msr_filter_range *r = &f->range[f->nr];
	unsigned long *bitmap;

	if (!u->nmsrs)
		return 0;
	if (!u->flags || (u->flags & ~KVM_MSR_FILTER_RANGE_VALID_MASK))
		return -EINVAL;
	if (size > KVM_MSR_FILTER_MAX_BITMAP_SIZE)
		return -EINVAL;
	bitmap = kmalloc(size, GFP_KERNEL_ACCOUNT);
	if (!bitmap)
		return -ENOMEM;
	if (copy_from_user(bitmap, u->bitmap, size)) {
		kfree(bitmap);
		return -EFAULT;
	}
	*r = (struct msr_filter_range){
		.base = u->base, .nmsrs = u->nmsrs, .flags = u->flags, .bitmap = bitmap,
	};
	f->nr++;
	return 0;
}

static struct msr_filter *filter_new(const struct kvm_msr_filter *u)
{
	struct msr_filter *f;
	unsigned int i;
	int ret = 0;

	if (u->flags & ~KVM_MSR_FILTER_VALID_MASK)
		return ERR_PTR(-EINVAL);
	f = kzalloc(sizeof(*f), GFP_KERNEL_ACCOUNT);
	if (!f)
		return ERR_PTR(-ENOMEM);
	f->default_allow = !(u->flags & KVM_MSR_FILTER_DEFAULT_DENY);
	for (i = 0; i < KVM_MSR_FILTER_MAX_RANGES && !ret; i++)
		ret = copy_range(f, &u->ranges[i]);
	/* A guest that may reach nothing at all cannot be meant. */
	if (!ret && !f->nr && !f->default_allow)
		ret = -EINVAL;
	if (ret) {
		filter_free(f);
		return ERR_PTR(ret);
	}
	return f;
}

static long use_filter(struct ioctl_ctx *c, const struct kvm_msr_filter *u)
{
	struct x86_vm *vm = to_x86_vm(c->vm);
	struct msr_filter *f = filter_new(u), *old;

	if (IS_ERR(f))
		return PTR_ERR(f);
	/* One that allows everything is none. */
	if (!f->nr) {
		filter_free(f);
		f = NULL;
	}
	mutex_lock(&c->vm->lock);
	old = rcu_replace_pointer(vm->msr_filter.filter, f, lockdep_is_held(&c->vm->lock));
	mutex_unlock(&c->vm->lock);
	if (old)
		synchronize_srcu(&c->vm->srcu);
	filter_free(old);
	vm_request_all(c->vm, REQ_MSR_FILTER, false);
	return 0;
}

static long set_msr_filter(struct ioctl_ctx *c)
{
	return use_filter(c, c->data);
}

#ifdef CONFIG_COMPAT
/* A 32-bit VMM's pointers are shorter, so the number of its ioctl is another one. */
struct compat_msr_filter {
	u32			flags;
	struct {
		u32		flags, nmsrs, base;
		compat_uptr_t	bitmap;
	} ranges[KVM_MSR_FILTER_MAX_RANGES];
};

#define COMPAT_SET_MSR_FILTER	_IOW(KVMIO, _IOC_NR(KVM_X86_SET_MSR_FILTER), struct compat_msr_filter)

static long compat_set_msr_filter(struct ioctl_ctx *c)
{
	const struct compat_msr_filter *from = c->data;
	struct kvm_msr_filter u = { .flags = from->flags };
	unsigned int i;

	for (i = 0; i < KVM_MSR_FILTER_MAX_RANGES; i++)
		u.ranges[i] = (struct kvm_msr_filter_range){
			.flags	= from->ranges[i].flags,
			.nmsrs	= from->ranges[i].nmsrs,
			.base	= from->ranges[i].base,
			.bitmap	= compat_ptr(from->ranges[i].bitmap),
		};
	return use_filter(c, &u);
}
#endif

static const struct ioctl_row msr_vm_compat_ioctls_rows[] = {
#ifdef CONFIG_COMPAT
	{ COMPAT_SET_MSR_FILTER,	0, compat_set_msr_filter },
#endif
};
IOCTL_TABLE(msr_vm_compat_ioctls);

static const struct ioctl_row msr_vm_ioctls_rows[] = {
	{ KVM_X86_SET_MSR_FILTER,	0, set_msr_filter },
};
IOCTL_TABLE(msr_vm_ioctls);
