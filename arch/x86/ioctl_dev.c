// SPDX-License-Identifier: GPL-2.0-only
/* The x86 ioctls of /dev/kvm, collected from their owners, and the system attributes. */
#include <linux/uaccess.h>
#include "virt/compat/compat.h"
#include "arch/x86/x86.h"

static long system_attr(const struct kvm_device_attr *a, u64 *val)
{
	if (a->flags || a->group != KVM_X86_GRP_SYSTEM || a->attr != KVM_X86_XCOMP_GUEST_SUPP)
		return -ENXIO;
	*val = keel_xcr0_supported;
	return 0;
}

static long has_attr(struct ioctl_ctx *c)
{
	u64 val;

	return system_attr(c->data, &val);
}

static long get_attr(struct ioctl_ctx *c)
{
	const struct kvm_device_attr *a = c->data;
	u64 val;
	long ret = system_attr(a, &val);

	if (ret)
		return ret;
	return put_user(val, (u64 __user *)a->addr) ? -EFAULT : 0;
}

static long get_mce_cap(struct ioctl_ctx *c)
{
	*(u64 *)c->data = mce_cap_supported();
	return 0;
}

static const struct ioctl_row system_ioctls_rows[] = {
	{ KVM_HAS_DEVICE_ATTR,			0, has_attr },
	{ KVM_GET_DEVICE_ATTR,			0, get_attr },
	{ KVM_X86_GET_MCE_CAP_SUPPORTED,	0, get_mce_cap },
};
static IOCTL_TABLE(system_ioctls);

const struct ioctl_table *const arch_dev_ioctls[] = {
	&system_ioctls,
	&cpuid_dev_ioctls,
	&msr_dev_ioctls,
	NULL,
};
