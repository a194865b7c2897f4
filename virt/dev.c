// SPDX-License-Identifier: GPL-2.0-only
/* /dev/kvm: the device and the system ioctls. */
#include <linux/compat.h>
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/printk.h>
#include <linux/rcupdate.h>
#include <keel/arch.h>
#include <keel/ioctl.h>
#include <keel/vm.h>
#include <uapi/keel/keel.h>
#include "virt/core.h"

/* kvm_run, the port I/O page and the coalesced ring. */
#define VCPU_MMAP_SIZE	(3 * PAGE_SIZE)

static struct ioctl_index dev_index;

struct module *vendor_get(void)
{
	struct module *owner;

	/*
	 * A module that leaves waits for RCU before its memory goes: the pointer is good until here. One
	 * whose init fails goes in spite of references, so it is not taken before it is ready.
	 */
	rcu_read_lock();
	owner = arch_ready() ? arch_vendor_owner() : NULL;
	if (owner && !try_module_get(owner))
		owner = NULL;
	rcu_read_unlock();
	if (owner && !arch_ready()) {
		module_put(owner);
		owner = NULL;
	}
	return owner;
}

static long get_api_version(struct ioctl_ctx *c)
{
	return KVM_API_VERSION;
}

static long create_vm(struct ioctl_ctx *c)
{
	return vm_create_fd(c->arg);
}

static long check_extension(struct ioctl_ctx *c)
{
	return keel_check_extension(NULL, c->arg);
}

static long get_vcpu_mmap_size(struct ioctl_ctx *c)
{
	return VCPU_MMAP_SIZE;
}

static const struct ioctl_row dev_ioctls_rows[] = {
	{ KVM_GET_API_VERSION,		IOC_NOARG,	get_api_version },
	{ KVM_CREATE_VM,		IOC_RAW,	create_vm },
	{ KVM_CHECK_EXTENSION,		IOC_RAW,	check_extension },
	{ KVM_GET_VCPU_MMAP_SIZE,	IOC_NOARG,	get_vcpu_mmap_size },
};
static IOCTL_TABLE(dev_ioctls);

static const struct ioctl_table *const virt_dev_ioctls[] = { &dev_ioctls, NULL };

/* System ioctls call the vendor: its module stays while the device is open. */
static int dev_open(struct inode *inode, struct file *filp)
{
	struct module *vendor = vendor_get();

	if (!vendor)
		return -ENODEV;
	filp->private_data = vendor;
	return 0;
}

static int dev_release(struct inode *inode, struct file *filp)
{
	module_put(filp->private_data);
	return 0;
}

static long dev_ioctl(struct file *filp, unsigned int cmd, unsigned long arg)
{
	struct ioctl_ctx c = { .filp = filp };

	return ioctl_dispatch(&dev_index, &c, cmd, arg);
}

/* Opening for reading is enough for everything: libvirt does no more. */
static const struct file_operations dev_fops = {
	.owner		= THIS_MODULE,
	.open		= dev_open,
	.release	= dev_release,
	.unlocked_ioctl	= dev_ioctl,
	.compat_ioctl	= compat_ptr_ioctl,
	.llseek		= noop_llseek,
};

static struct miscdevice kvm_dev = {
	.minor	= KVM_MINOR,
	.name	= "kvm",
	.fops	= &dev_fops,
};

int dev_module_init(void)
{
	int ret = ioctl_index_add(&dev_index, virt_dev_ioctls);

	ret = ret ?: ioctl_index_add(&dev_index, arch_dev_ioctls);
	if (ret)
		return ret;
	ret = misc_register(&kvm_dev);
	if (ret == -EBUSY)
		pr_err("kvm: Keel: the kernel's own KVM has /dev/kvm: unload it first (rmmod kvm_intel kvm_amd kvm), or boot a kernel that does not have it built in\n");
	return ret;
}

void dev_module_exit(void)
{
	misc_deregister(&kvm_dev);
}

MODULE_ALIAS_MISCDEV(KVM_MINOR);
MODULE_ALIAS("devname:kvm");
