// SPDX-License-Identifier: GPL-2.0-only
/*
 * The ioctl dispatcher: looks a command up in an index of rows, and does for
 * its handler what the row asks: copies the argument, takes the locks.
 */
#include <linux/compat.h>
#include <linux/kernel.h>
#include <linux/printk.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/srcu.h>
#include <linux/string.h>
#include <linux/uaccess.h>
#include <keel/arch.h>
#include <keel/ioctl.h>
#include <keel/vm.h>
#include <keel/vcpu.h>

/* Arguments up to this size need no allocation: the frequent ones, KVM_GET_LAPIC's the largest. */
#define STACK_ARG_SIZE	1024

/* Up to this size words one by one are cheaper than setting up a copy. */
#define WORDS_SIZE	1024

static unsigned int slot_of(unsigned int cmd)
{
	return _IOC_NR(cmd) % ARRAY_SIZE(((struct ioctl_index *)0)->slot);
}

const struct ioctl_row *ioctl_find(const struct ioctl_index *idx, unsigned int cmd)
{
	unsigned int i = slot_of(cmd);

	/* Ends: ioctl_index_add() leaves a slot free. */
	while (idx->slot[i]) {
		if (idx->slot[i]->cmd == cmd)
			return idx->slot[i];
		i = (i + 1) % ARRAY_SIZE(idx->slot);
	}
	return NULL;
}

static int add_row(struct ioctl_index *idx, const struct ioctl_row *row)
{
	unsigned int i = slot_of(row->cmd);

	if (ioctl_find(idx, row->cmd)) {
		pr_err("kvm: two handlers for ioctl 0x%x\n", row->cmd);
		return -EEXIST;
	}
	if (idx->nr >= ARRAY_SIZE(idx->slot) - 1)
		return -ENOSPC;
	while (idx->slot[i])
		i = (i + 1) % ARRAY_SIZE(idx->slot);
	idx->slot[i] = row;
	idx->nr++;
	return 0;
}

int ioctl_index_add(struct ioctl_index *idx, const struct ioctl_table *const *tables)
{
	unsigned int i;
	int ret;

	for (; *tables; tables++) {
		for (i = 0; i < (*tables)->nr; i++) {
			ret = add_row(idx, &(*tables)->rows[i]);
			if (ret)
				return ret;
		}
	}
	return 0;
}

#define IOC_VCPU_ANY	(IOC_VCPU | IOC_VCPU_NOLOAD | IOC_VCPU_STATE)

static __always_inline long call_srcu_row(const struct ioctl_row *row, struct ioctl_ctx *c)
{
	long ret;
	int idx;

	if (!(row->flags & IOC_SRCU))
		return row->fn(c);
	idx = srcu_read_lock(&c->vm->srcu);
	ret = row->fn(c);
	srcu_read_unlock(&c->vm->srcu, idx);
	return ret;
}

static __always_inline long call_vcpu_row(const struct ioctl_row *row, struct ioctl_ctx *c)
{
	struct vcpu *vcpu = c->vcpu;
	bool load;
	long ret;

	if (!(row->flags & IOC_VCPU_ANY))
		return call_srcu_row(row, c);

	/* The owner may stay in the guest for as long as it likes: the waiter must be killable. */
	if (mutex_lock_killable(&vcpu->mutex))
		return -EINTR;
	load = row->flags & IOC_VCPU || (row->flags & IOC_VCPU_STATE && arch_state_needs_load);
	if (load)
		vcpu_load(vcpu);
	ret = call_srcu_row(row, c);
	if (load)
		vcpu_put(vcpu);
	mutex_unlock(&vcpu->mutex);
	return ret;
}

static __always_inline long call_row(const struct ioctl_row *row, struct ioctl_ctx *c)
{
	long ret;

	if (!(row->flags & (IOC_VM_LOCK | IOC_VCPU_ANY | IOC_SRCU)))
		return row->fn(c);
	if (!(row->flags & IOC_VM_LOCK))
		return call_vcpu_row(row, c);
	mutex_lock(&c->vm->lock);
	ret = call_vcpu_row(row, c);
	mutex_unlock(&c->vm->lock);
	return ret;
}

static bool copies_in(const struct ioctl_row *row)
{
	return (row->flags & IOC_INPUT) || (_IOC_DIR(row->cmd) & _IOC_WRITE);
}

static bool copies_out(const struct ioctl_row *row, long ret)
{
	if ((row->flags & IOC_INPUT) || !(_IOC_DIR(row->cmd) & _IOC_READ))
		return false;
	return ret >= 0 || (ret == -E2BIG && (row->flags & IOC_OUT_ON_E2BIG));
}

/* @size: a multiple of 8. */
static bool words_in(u64 *to, const u64 __user *from, size_t size)
{
	if (!user_access_begin(from, size))
		return false;
	for (; size >= 4 * sizeof(*to); size -= 4 * sizeof(*to), to += 4, from += 4) {
		unsafe_get_user(to[0], from, fault);
		unsafe_get_user(to[1], from + 1, fault);
		unsafe_get_user(to[2], from + 2, fault);
		unsafe_get_user(to[3], from + 3, fault);
	}
	for (; size; size -= sizeof(*to))
		unsafe_get_user(*to++, from++, fault);
	user_access_end();
	return true;
fault:
	user_access_end();
	return false;
}

static bool words_out(u64 __user *to, const u64 *from, size_t size)
{
	if (!user_access_begin(to, size))
		return false;
	for (; size >= 4 * sizeof(*to); size -= 4 * sizeof(*to), to += 4, from += 4) {
		unsafe_put_user(from[0], to, fault);
		unsafe_put_user(from[1], to + 1, fault);
		unsafe_put_user(from[2], to + 2, fault);
		unsafe_put_user(from[3], to + 3, fault);
	}
	for (; size; size -= sizeof(*to))
		unsafe_put_user(*from++, to++, fault);
	user_access_end();
	return true;
fault:
	user_access_end();
	return false;
}

static bool copy_in(void *to, const void __user *from, size_t size)
{
	if (size == sizeof(u32))
		return !get_user(*(u32 *)to, (const u32 __user *)from);
	if (size % sizeof(u64) || size > WORDS_SIZE)
		return !copy_from_user(to, from, size);
	return words_in(to, from, size);
}

static bool copy_out(void __user *to, const void *from, size_t size)
{
	if (size == sizeof(u32))
		return !put_user(*(const u32 *)from, (u32 __user *)to);
	if (size % sizeof(u64) || size > WORDS_SIZE)
		return !copy_to_user(to, from, size);
	return words_out(to, from, size);
}

static long call_with_data(const struct ioctl_row *row, struct ioctl_ctx *c)
{
	size_t size = _IOC_SIZE(row->cmd);
	long ret;

	/* An output that the handler fills in part must not show what was here before. */
	if (copies_in(row)) {
		if (!copy_in(c->data, c->uarg, size))
			return -EFAULT;
	} else if (!(row->flags & IOC_FILLS)) {
		memset64(c->data, 0, DIV_ROUND_UP(size, sizeof(u64)));
	}

	ret = call_row(row, c);
	if (copies_out(row, ret) && !copy_out(c->uarg, c->data, size))
		return -EFAULT;
	return ret;
}

static noinline long call_small(const struct ioctl_row *row, struct ioctl_ctx *c)
{
	/* Kernels that clear what is on the stack would do so with all of it, each time. */
	u64 buf[STACK_ARG_SIZE / sizeof(u64)] __uninitialized;

	c->data = buf;
	return call_with_data(row, c);
}

static long call_big(const struct ioctl_row *row, struct ioctl_ctx *c)
{
	long ret;

	c->data = kmalloc(round_up(_IOC_SIZE(row->cmd), sizeof(u64)), GFP_KERNEL_ACCOUNT);
	if (!c->data)
		return -ENOMEM;
	ret = call_with_data(row, c);
	kfree(c->data);
	return ret;
}

long ioctl_dispatch(const struct ioctl_index *idx, struct ioctl_ctx *c, unsigned int cmd,
		    unsigned long arg)
{
	const struct ioctl_row *row;

	if (c->vm && (c->vm->mm != current->mm || READ_ONCE(c->vm->dead)))
		return -EIO;
	row = ioctl_find(idx, cmd);
	if (!row)
		return -ENOTTY;

	c->cmd = cmd;
	c->arg = arg;
	c->uarg = (void __user *)arg;
	c->data = NULL;
	if ((row->flags & IOC_NOARG) && arg)
		return -EINVAL;
	if ((row->flags & (IOC_RAW | IOC_NOARG)) || !_IOC_SIZE(cmd))
		return call_row(row, c);
	return _IOC_SIZE(cmd) <= STACK_ARG_SIZE ? call_small(row, c) : call_big(row, c);
}
