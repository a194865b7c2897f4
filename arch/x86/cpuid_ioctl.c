// SPDX-License-Identifier: GPL-2.0-only
/* The ioctls of CPUID (Documentation/virt/kvm/api.rst 4.20, 4.46, 4.47, 4.49, 4.88). */
#include <linux/slab.h>
#include <linux/uaccess.h>
#include "virt/compat/compat.h"
#include "arch/x86/x86.h"

typedef int (*fill_fn)(struct kvm_cpuid_entry2 *e, unsigned int room);

/* Callers offer more room than any CPU needs; this much is enough, as a rule. */
#define LIKELY_ENTRIES	100

/* Up to @room entries in memory of their own, for kvfree(); their number, -E2BIG or -ENOMEM. */
static int fill_table(fill_fn fill, unsigned int room, struct kvm_cpuid_entry2 **e)
{
	unsigned int some = min_t(unsigned int, room, LIKELY_ENTRIES);
	int ret;

	for (;;) {
		*e = kvcalloc(some, sizeof(**e), GFP_KERNEL_ACCOUNT);
		if (!*e)
			return -ENOMEM;
		ret = fill(*e, some);
		if (ret >= 0)
			return ret;
		kvfree(*e);
		if (ret != -E2BIG || some == room)
			return ret;
		some = room;
	}
}

static long list_table(struct ioctl_ctx *c, fill_fn fill)
{
	struct kvm_cpuid2 __user *u = c->uarg;
	struct kvm_cpuid_entry2 *e;
	struct kvm_cpuid2 head;
	long ret;

	if (copy_from_user(&head, u, sizeof(head)))
		return -EFAULT;
	if (!head.nent)
		return -E2BIG;
	head.nent = min_t(u32, head.nent, CPUID_MAX_ENTRIES);

	ret = fill_table(fill, head.nent, &e);
	if (ret < 0)
		return ret;
	head.nent = ret;
	ret = 0;
	if (copy_to_user(u->entries, e, array_size(head.nent, sizeof(*e))) ||
	    put_user(head.nent, &u->nent))
		ret = -EFAULT;
	kvfree(e);
	return ret;
}

static long get_supported(struct ioctl_ctx *c)
{
	return list_table(c, cpuid_supported);
}

static long get_emulated(struct ioctl_ctx *c)
{
	return list_table(c, cpuid_emulated);
}

static long set_cpuid2(struct ioctl_ctx *c)
{
	struct kvm_cpuid2 __user *u = c->uarg;
	struct kvm_cpuid_entry2 *e = NULL;
	struct kvm_cpuid2 head;
	long ret;

	if (copy_from_user(&head, u, sizeof(head)))
		return -EFAULT;
	if (head.nent > CPUID_MAX_ENTRIES)
		return -E2BIG;
	if (head.nent) {
		e = kvcalloc(head.nent, sizeof(*e), GFP_KERNEL_ACCOUNT);
		if (!e)
			return -ENOMEM;
		if (copy_from_user(e, u->entries, array_size(head.nent, sizeof(*e)))) {
			kvfree(e);
			return -EFAULT;
		}
	}
	ret = cpuid_set(to_x86(c->vcpu), e, head.nent);
	if (ret)
		kvfree(e);
	return ret;
}

/* The old form without sub-leaves. */
static long set_cpuid(struct ioctl_ctx *c)
{
	struct kvm_cpuid __user *u = c->uarg;
	struct kvm_cpuid_entry *old = NULL;
	struct kvm_cpuid_entry2 *e = NULL;
	struct kvm_cpuid head;
	long ret = 0;
	u32 i;

	if (copy_from_user(&head, u, sizeof(head)))
		return -EFAULT;
	if (head.nent > CPUID_MAX_ENTRIES)
		return -E2BIG;
	if (head.nent) {
		old = kvcalloc(head.nent, sizeof(*old), GFP_KERNEL);
		e = kvcalloc(head.nent, sizeof(*e), GFP_KERNEL_ACCOUNT);
		if (!old || !e)
			ret = -ENOMEM;
		else if (copy_from_user(old, u->entries, array_size(head.nent, sizeof(*old))))
			ret = -EFAULT;
	}
	for (i = 0; !ret && i < head.nent; i++) {
		e[i].function = old[i].function;
		e[i].eax = old[i].eax;
		e[i].ebx = old[i].ebx;
		e[i].ecx = old[i].ecx;
		e[i].edx = old[i].edx;
	}
	kvfree(old);
	if (!ret)
		ret = cpuid_set(to_x86(c->vcpu), e, head.nent);
	if (ret)
		kvfree(e);
	return ret;
}

static long get_cpuid2(struct ioctl_ctx *c)
{
	struct x86_vcpu *vcpu = to_x86(c->vcpu);
	struct kvm_cpuid2 __user *u = c->uarg;
	struct kvm_cpuid2 head;
	u32 have = vcpu->cpuid.nent;

	if (copy_from_user(&head, u, sizeof(head)))
		return -EFAULT;
	if (head.nent < have)
		return -E2BIG;
	cpuid_runtime_update(vcpu);
	if (have && copy_to_user(u->entries, vcpu->cpuid.entry,
				 array_size(have, sizeof(struct kvm_cpuid_entry2))))
		return -EFAULT;
	return put_user(have, &u->nent) ? -EFAULT : 0;
}

static const struct ioctl_row cpuid_dev_ioctls_rows[] = {
	{ KVM_GET_SUPPORTED_CPUID,	IOC_RAW, get_supported },
	{ KVM_GET_EMULATED_CPUID,	IOC_RAW, get_emulated },
};
IOCTL_TABLE(cpuid_dev_ioctls);

static const struct ioctl_row cpuid_vcpu_ioctls_rows[] = {
	{ KVM_SET_CPUID,	IOC_RAW | IOC_VCPU | IOC_SRCU, set_cpuid },
	{ KVM_SET_CPUID2,	IOC_RAW | IOC_VCPU | IOC_SRCU, set_cpuid2 },
	{ KVM_GET_CPUID2,	IOC_RAW | IOC_VCPU_STATE, get_cpuid2 },
};
IOCTL_TABLE(cpuid_vcpu_ioctls);
