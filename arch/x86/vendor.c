// SPDX-License-Identifier: GPL-2.0-only
/* The registered vendor: static calls to its operations. */
#include <linux/module.h>
#include <linux/mutex.h>
#include "virt/compat/compat.h"
#include <keel/hw_enable.h>
#include "arch/x86/x86.h"

#define X(op) DEFINE_STATIC_CALL_NULL(keel_v_##op, *((struct vendor_ops *)0)->op);
VENDOR_OPS(X)
VENDOR_OPT_OPS(X)
#undef X

struct vendor_ops keel_vendor;
static DEFINE_MUTEX(vendor_lock);

/* All of VENDOR_OPS are mandatory. */
static bool ops_complete(const struct vendor_ops *ops)
{
	bool missing = false;

#define X(op) missing |= !ops->op;
	VENDOR_OPS(X)
#undef X
	return !missing && ops->vm_size >= sizeof(struct x86_vm) &&
	       ops->vcpu_size >= sizeof(struct x86_vcpu);
}

static void update_calls(const struct vendor_ops *ops)
{
#define X(op) static_call_update(keel_v_##op, ops->op);
	VENDOR_OPS(X)
	VENDOR_OPT_OPS(X)
#undef X
}

static void forget(void)
{
	static const struct vendor_ops none;

	keel_vendor = none;
	update_calls(&none);
	keel_virt_release();
}

static int install(const struct vendor_ops *ops)
{
	int ret;

	if (keel_virt_cpu_in_use(ops->ext)) {
		pr_err("kvm: another hypervisor uses %s on this machine: unload it first\n",
		       ops->name);
		return -EBUSY;
	}
	ret = keel_virt_claim(ops->ext, ops->emergency);
	if (ret)
		return ret;
	keel_vendor = *ops;
	keel_vendor.name = NULL;
	update_calls(ops);
	ret = x86_vendor_setup();
	if (ret)
		goto no_setup;
	ret = hw_vendor_added();
	if (ret)
		goto no_hw;
	return 0;

no_hw:
	x86_vendor_teardown();
no_setup:
	forget();
	return ret;
}

int keel_vendor_register(const struct vendor_ops *ops)
{
	int ret;

	if (!ops_complete(ops))
		return -EINVAL;

	mutex_lock(&vendor_lock);
	if (keel_vendor.name) {
		pr_err("kvm: %s is already registered\n", keel_vendor.name);
		ret = -EBUSY;
	} else {
		ret = install(ops);
		if (!ret)
			/* Pairs with arch_ready(): who sees the name sees all that was set up. */
			smp_store_release(&keel_vendor.name, ops->name);
	}
	mutex_unlock(&vendor_lock);
	return ret;
}
KEEL_EXPORT(keel_vendor_register);

/*
 * Every VM pins the vendor's module, so none exists when its exit calls this;
 * KVM_CREATE_VM checks arch_ready() after it took that reference.
 */
void keel_vendor_unregister(const struct vendor_ops *ops)
{
	mutex_lock(&vendor_lock);
	if (keel_vendor.owner == ops->owner) {
		hw_vendor_removed();
		x86_vendor_teardown();
		forget();
	}
	mutex_unlock(&vendor_lock);
}
KEEL_EXPORT(keel_vendor_unregister);

bool arch_ready(void)
{
	/* Pairs with the release in keel_vendor_register(). */
	return smp_load_acquire(&keel_vendor.name);
}

struct module *arch_vendor_owner(void)
{
	return READ_ONCE(keel_vendor.owner);
}
