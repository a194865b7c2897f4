// SPDX-License-Identifier: GPL-2.0-only
/* The ioctls of MSRs: lists, and many at once (api.rst 4.3, 4.18, 4.19). */
#include <linux/slab.h>
#include <linux/uaccess.h>
#include "virt/compat/compat.h"
#include "arch/x86/x86.h"
#include "arch/x86/msr_table.h"

#define MAX_LISTED	256	/* what userspace libraries have room for */
#define MAX_AT_ONCE	256	/* KVM_GET/SET_MSRS take less than this */
#define FEW		32	/* that need no memory of their own */

#define MSR_TSC_DEADLINE	0x6e0

/* Filled when the vendor is known, constant afterwards. */
static u32 listed[MAX_LISTED];
static unsigned int nr_listed;

/* MSRs of which only the vendor knows whether they exist. */
static const u32 vendor_msrs[] = {
	0x3a,			/* IA32_FEATURE_CONTROL */
	0xc0010114,		/* VM_CR */
	0xc0010117,		/* VM_HSAVE_PA */
	0xc001011f,		/* VIRT_SPEC_CTRL */
	0xc0000104,		/* TSC_RATIO */
};

static void list_one(u32 index)
{
	if (nr_listed < MAX_LISTED)
		listed[nr_listed++] = index;
}

void msr_module_init(void)
{
	unsigned int i;
	u32 index;

	msr_table_init();
	nr_listed = 0;
	for (i = 0; i < msr_table_size; i++) {
		const struct msr_row *row = &msr_table[i];

		if (!row->listed || !row->listed())
			continue;
		for (index = row->first; index <= row->last; index++)
			list_one(index);
	}
	list_one(MSR_TSC_DEADLINE);
	for (i = 0; i < ARRAY_SIZE(vendor_msrs); i++) {
		if (vendor_call(has_msr)(vendor_msrs[i]))
			list_one(vendor_msrs[i]);
	}
}

static long copy_list(struct ioctl_ctx *c, const u32 *list, u32 nr)
{
	struct kvm_msr_list __user *u = c->uarg;
	u32 room;

	if (get_user(room, &u->nmsrs) || put_user(nr, &u->nmsrs))
		return -EFAULT;
	if (room < nr)
		return -E2BIG;
	return copy_to_user(u->indices, list, array_size(nr, sizeof(u32))) ? -EFAULT : 0;
}

static long get_index_list(struct ioctl_ctx *c)
{
	return copy_list(c, listed, nr_listed);
}

static long get_feature_list(struct ioctl_ctx *c)
{
	u32 list[8], nr = 0;
	unsigned int i;
	u64 val;

	for (i = 0; i < msr_features_count && nr < ARRAY_SIZE(list); i++) {
		if (!msr_feature_get(msr_features[i], &val))
			list[nr++] = msr_features[i];
	}
	return copy_list(c, list, nr);
}

typedef int (*msr_op)(struct x86_vcpu *vcpu, u32 index, u64 *val);

/* As many as go well, from the first; the number. */
static u32 do_entries(struct x86_vcpu *vcpu, struct kvm_msr_entry *e, u32 nr, msr_op op)
{
	u32 i;

	for (i = 0; i < nr; i++) {
		if (op(vcpu, e[i].index, &e[i].data))
			break;
	}
	return i;
}

static long do_msrs(struct ioctl_ctx *c, msr_op op, bool copy_back)
{
	struct x86_vcpu *vcpu = c->vcpu ? to_x86(c->vcpu) : NULL;
	struct kvm_msr_entry few[FEW] __uninitialized, *e = few;
	struct kvm_msrs __user *u = c->uarg;
	struct kvm_msrs head;
	size_t size;
	long ret;

	if (copy_from_user(&head, u, sizeof(head)))
		return -EFAULT;
	if (head.nmsrs >= MAX_AT_ONCE)
		return -E2BIG;
	size = array_size(head.nmsrs, sizeof(*e));
	if (head.nmsrs > FEW) {
		e = memdup_user(u->entries, size);
		if (IS_ERR(e))
			return PTR_ERR(e);
	} else if (copy_from_user(few, u->entries, size)) {
		return -EFAULT;
	}
	ret = do_entries(vcpu, e, head.nmsrs, op);
	if (copy_back && copy_to_user(u->entries, e, size))
		ret = -EFAULT;
	if (e != few)
		kfree(e);
	return ret;
}

static int op_read(struct x86_vcpu *vcpu, u32 index, u64 *val)
{
	return msr_read(vcpu, index, val, true);
}

static int op_write(struct x86_vcpu *vcpu, u32 index, u64 *val)
{
	return msr_write(vcpu, index, *val, true);
}

static int op_feature(struct x86_vcpu *vcpu, u32 index, u64 *val)
{
	return msr_feature_get(index, val);
}

static long get_msrs(struct ioctl_ctx *c)
{
	return do_msrs(c, op_read, true);
}

static long set_msrs(struct ioctl_ctx *c)
{
	return do_msrs(c, op_write, false);
}

static long get_feature_msrs(struct ioctl_ctx *c)
{
	return do_msrs(c, op_feature, true);
}

static const struct ioctl_row msr_dev_ioctls_rows[] = {
	{ KVM_GET_MSR_INDEX_LIST,		IOC_RAW, get_index_list },
	{ KVM_GET_MSR_FEATURE_INDEX_LIST,	IOC_RAW, get_feature_list },
	{ KVM_GET_MSRS,				IOC_RAW, get_feature_msrs },
};
IOCTL_TABLE(msr_dev_ioctls);

static const struct ioctl_row msr_vcpu_ioctls_rows[] = {
	{ KVM_GET_MSRS,	IOC_RAW | IOC_VCPU, get_msrs },
	{ KVM_SET_MSRS,	IOC_RAW | IOC_VCPU, set_msrs },
};
IOCTL_TABLE(msr_vcpu_ioctls);
