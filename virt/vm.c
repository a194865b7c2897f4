// SPDX-License-Identifier: GPL-2.0-only
/* VMs: creation and teardown, their fd and its ioctls. */
#include <linux/anon_inodes.h>
#include <linux/compat.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/module.h>
#include <linux/rcupdate.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/srcu.h>
#include <linux/xarray.h>
#include <keel/arch.h>
#include <keel/hw_enable.h>
#include <keel/ioctl.h>
#include <keel/vm.h>
#include <keel/vcpu.h>
#include "virt/compat/compat.h"
#include "virt/core.h"

DEFINE_MUTEX(vm_list_lock);
LIST_HEAD(vm_list);

static struct ioctl_index vm_index;
static struct ioctl_index vm_compat_index;

/* --- references --- */

void vm_get(struct vm *vm)
{
	refcount_inc(&vm->users);
}

bool vm_get_safe(struct vm *vm)
{
	return refcount_inc_not_zero(&vm->users);
}

void vm_mark_dead(struct vm *vm)
{
	struct vcpu *vcpu;
	unsigned int i;

	WRITE_ONCE(vm->dead, true);
	vm_for_each_vcpu(vm, i, vcpu) {
		vcpu_request(vcpu, REQ_VM_DEAD);
		vcpu_kick(vcpu);
	}
}
KEEL_EXPORT(vm_mark_dead);

/* --- the end --- */

static void destroy_vcpus(struct vm *vm)
{
	struct vcpu *vcpu;
	unsigned int i;

	vm_for_each_vcpu(vm, i, vcpu)
		vcpu_destroy(vcpu);
	xa_destroy(&vm->vcpus_by_id);
	xa_destroy(&vm->vcpus);
}

/*
 * Nothing refers to the VM any more, no fd is left, no vCPU runs: first what
 * may still act on its own (timers, work, the host's notifier), then what
 * those acted on.
 */
static void vm_destroy(struct vm *vm)
{
	struct module *vendor = vm->vendor;

	mutex_lock(&vm_list_lock);
	list_del(&vm->link);
	mutex_unlock(&vm_list_lock);
	stats_vm_hide(vm);

	arch_vm_pre_destroy(vm);
	notifier_unregister(vm);
	destroy_vcpus(vm);
	io_bus_destroy(vm);
	arch_vm_destroy(vm);
	irq_routing_destroy(vm);
	memslots_destroy(vm);
	coalesced_destroy(vm);
	garbage_free(&vm->old_buses);
	garbage_free(&vm->old_routing);
	cleanup_srcu_struct(&vm->irq_srcu);
	cleanup_srcu_struct(&vm->srcu);
	hw_put();
	mmdrop(vm->mm);
	arch_vm_free(vm);
	module_put(vendor);
}

void vm_put(struct vm *vm)
{
	if (refcount_dec_and_test(&vm->users))
		vm_destroy(vm);
}

/* --- ioctls --- */

static long create_vcpu(struct ioctl_ctx *c)
{
	return vcpu_create_fd(c->vm, c->arg);
}

static long check_extension(struct ioctl_ctx *c)
{
	return keel_check_extension(c->vm, c->arg);
}

static long vm_stats_ioctl(struct ioctl_ctx *c)
{
	return stats_vm_fd(c->vm);
}

static long enable_halt_poll(struct vm *vm, const struct kvm_enable_cap *cap)
{
	if (cap->flags || cap->args[0] != (u32)cap->args[0])
		return -EINVAL;
	WRITE_ONCE(vm->halt_poll_max_ns, cap->args[0]);
	/* Whoever sees the flag sees the value: vcpu_halt() takes no lock. */
	smp_store_release(&vm->halt_poll_set, true);
	return 0;
}

static long enable_manual_protect(struct vm *vm, const struct kvm_enable_cap *cap)
{
	u64 allowed = KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE;

	/* Starting with all bits set makes sense only if userspace clears them. */
	if (cap->args[0] & KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE)
		allowed |= KVM_DIRTY_LOG_INITIALLY_SET;
	if (cap->flags || (cap->args[0] & ~allowed))
		return -EINVAL;
	mutex_lock(&vm->slots_lock);
	vm->manual_dirty_protect = cap->args[0];
	mutex_unlock(&vm->slots_lock);
	return 0;
}

static long vm_enable_cap(struct ioctl_ctx *c)
{
	const struct kvm_enable_cap *cap = c->data;

	switch (cap->cap) {
	case KVM_CAP_HALT_POLL:
		return enable_halt_poll(c->vm, cap);
	case KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2:
		return enable_manual_protect(c->vm, cap);
	case KVM_CAP_DIRTY_LOG_RING:
	case KVM_CAP_DIRTY_LOG_RING_ACQ_REL:
		return dirty_ring_enable(c->vm, cap);
	case KVM_CAP_DIRTY_LOG_RING_WITH_BITMAP:
		return dirty_ring_enable_bitmap(c->vm, cap);
	default:
		return arch_vm_enable_cap(c->vm, cap);
	}
}

static const struct ioctl_row vm_ioctls_rows[] = {
	{ KVM_CREATE_VCPU,	IOC_RAW,	create_vcpu },
	{ KVM_CHECK_EXTENSION,	IOC_RAW,	check_extension },
	{ KVM_ENABLE_CAP,	0,		vm_enable_cap },
	{ KVM_GET_STATS_FD,	IOC_RAW,	vm_stats_ioctl },
};
static IOCTL_TABLE(vm_ioctls);

static const struct ioctl_table *const virt_vm_ioctls[] = {
	&vm_ioctls,
	&memslot_ioctls,
	&dirty_ring_ioctls,
	&coalesced_ioctls,
	&irqfd_ioctls,
	&ioeventfd_ioctls,
	&irq_routing_ioctls,
	&device_ioctls,
	NULL
};

/* A 32-bit VMM fills only half of the union with a pointer in it: the rest is anything. */
static long compat_dirty_log(struct ioctl_ctx *c)
{
	struct kvm_dirty_log *log = c->data;

	log->dirty_bitmap = compat_ptr((compat_uptr_t)log->padding2);
	return ioctl_find(&vm_index, c->cmd)->fn(c);
}

static long compat_clear_dirty_log(struct ioctl_ctx *c)
{
	struct kvm_clear_dirty_log *log = c->data;

	log->dirty_bitmap = compat_ptr((compat_uptr_t)log->padding2);
	return ioctl_find(&vm_index, c->cmd)->fn(c);
}

static const struct ioctl_row vm_compat_rows[] = {
	{ KVM_GET_DIRTY_LOG,	0,	compat_dirty_log },
	{ KVM_CLEAR_DIRTY_LOG,	0,	compat_clear_dirty_log },
};
static IOCTL_TABLE(vm_compat);

static const struct ioctl_table *const vm_compat_ioctls[] = { &vm_compat, NULL };

/* --- the fd --- */

static long vm_ioctl(struct file *filp, unsigned int cmd, unsigned long arg)
{
	struct ioctl_ctx c = { .vm = filp->private_data, .filp = filp };

	return ioctl_dispatch(&vm_index, &c, cmd, arg);
}

static long vm_compat_ioctl(struct file *filp, unsigned int cmd, unsigned long arg)
{
	struct ioctl_ctx c = { .vm = filp->private_data, .filp = filp };
	bool differs = ioctl_find(&vm_compat_index, cmd);

	return ioctl_dispatch(differs ? &vm_compat_index : &vm_index, &c, cmd,
			      (unsigned long)compat_ptr(arg));
}

static int vm_release(struct inode *inode, struct file *filp)
{
	struct vm *vm = filp->private_data;

	/* They would keep raising interrupts for as long as some vCPU fd lives. */
	eventfds_release(vm);
	vm_put(vm);
	return 0;
}

static const struct file_operations vm_fops = {
	.owner		= THIS_MODULE,
	.release	= vm_release,
	.unlocked_ioctl	= vm_ioctl,
	.compat_ioctl	= vm_compat_ioctl,
	.llseek		= noop_llseek,
};

struct vm *vm_from_file(struct file *filp)
{
	return filp->f_op == &vm_fops ? filp->private_data : NULL;
}

int vm_module_init(void)
{
	int ret = ioctl_index_add(&vm_index, virt_vm_ioctls);

	ret = ret ?: ioctl_index_add(&vm_index, arch_vm_ioctls);
	ret = ret ?: ioctl_index_add(&vm_compat_index, vm_compat_ioctls);
	return ret ?: ioctl_index_add(&vm_compat_index, arch_vm_compat_ioctls);
}

/* --- creation --- */

static void init_fields(struct vm *vm, unsigned long type)
{
	refcount_set(&vm->users, 1);
	vm->type = type;
	vm->max_vcpu_id = KEEL_MAX_VCPU_ID;
	mutex_init(&vm->lock);
	mutex_init(&vm->slots_lock);
	rwlock_init(&vm->mmu_lock);
	garbage_init(&vm->old_buses, &vm->srcu);
	garbage_init(&vm->old_routing, &vm->irq_srcu);
	xa_init_flags(&vm->vcpus, XA_FLAGS_ACCOUNT);
	xa_init_flags(&vm->vcpus_by_id, XA_FLAGS_ACCOUNT);
	coalesced_init(vm);
	eventfds_init(vm);
	irq_routing_init(vm);
	vm->mm = current->mm;
	mmgrab(vm->mm);
}

static int init_parts(struct vm *vm, unsigned long type)
{
	int ret = init_srcu_struct(&vm->srcu);

	if (ret)
		return ret;
	ret = init_srcu_struct(&vm->irq_srcu);
	if (ret)
		goto err_srcu;
	ret = memslots_init(vm);
	if (ret)
		goto err_irq_srcu;
	ret = hw_get();
	if (ret)
		goto err_slots;
	ret = arch_vm_init(vm, type);
	if (ret)
		goto err_hw;
	ret = notifier_register(vm);
	if (ret)
		goto err_arch;
	return 0;

err_arch:
	arch_vm_pre_destroy(vm);
	arch_vm_destroy(vm);
err_hw:
	hw_put();
err_slots:
	memslots_destroy(vm);
err_irq_srcu:
	cleanup_srcu_struct(&vm->irq_srcu);
err_srcu:
	cleanup_srcu_struct(&vm->srcu);
	return ret;
}

static struct vm *vm_new(unsigned long type)
{
	struct module *vendor = vendor_get();
	struct vm *vm;
	int ret;

	if (!vendor)
		return ERR_PTR(-ENODEV);
	vm = arch_vm_alloc();
	if (!vm) {
		module_put(vendor);
		return ERR_PTR(-ENOMEM);
	}
	init_fields(vm, type);
	vm->vendor = vendor;
	ret = init_parts(vm, type);
	if (ret) {
		mmdrop(vm->mm);
		arch_vm_free(vm);
		module_put(vendor);
		return ERR_PTR(ret);
	}
	stats_vm_name(vm);
	mutex_lock(&vm_list_lock);
	list_add_tail(&vm->link, &vm_list);
	mutex_unlock(&vm_list_lock);
	return vm;
}

long vm_create_fd(unsigned long type)
{
	int fd = get_unused_fd_flags(O_CLOEXEC), ret;
	struct file *file;
	struct vm *vm;

	if (fd < 0)
		return fd;
	vm = vm_new(type);
	if (IS_ERR(vm)) {
		ret = PTR_ERR(vm);
		goto err_fd;
	}
	/* The first reference is the file's. */
	file = anon_inode_getfile("kvm-vm", &vm_fops, vm, O_RDWR);
	if (IS_ERR(file)) {
		ret = PTR_ERR(file);
		goto err_vm;
	}
	stats_vm_show(vm, fd);
	fd_install(fd, file);
	return fd;

err_vm:
	vm_put(vm);
err_fd:
	put_unused_fd(fd);
	return ret;
}
