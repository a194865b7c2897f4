// SPDX-License-Identifier: GPL-2.0-only
/* kvm.ko comes and goes. */
#include <linux/module.h>
#include <linux/preempt.h>
#include <linux/printk.h>
#include <keel/arch.h>
#include <keel/eventfd.h>
#include <keel/hw_enable.h>
#include <keel/request.h>
#include <keel/stats.h>
#include <keel/vcpu.h>
#include <keel/vm.h>
#include "virt/compat/compat.h"
#include "virt/core.h"

#ifndef KEEL_VERSION
#define KEEL_VERSION "unknown"
#endif

static int init_stats(void)
{
	stats_init();
	return 0;
}

struct part {
	int	(*init)(void);
	void	(*exit)(void);
};

/* Each may use those above it. The device comes last: from then on others call us. */
static const struct part parts[] = {
	{ request_module_init,	request_module_exit },
	{ irqfd_module_init,	irqfd_module_exit },
	{ init_stats,		stats_exit },
	{ hw_init,		hw_exit },
	{ arch_module_init,	arch_module_exit },
	{ vcpu_module_init,	NULL },
	{ vm_module_init,	NULL },
	{ dev_module_init,	dev_module_exit },
};

static void exit_parts(unsigned int nr)
{
	while (nr--)
		if (parts[nr].exit)
			parts[nr].exit();
}

static int init_parts(void)
{
	unsigned int i;
	int ret;

	for (i = 0; i < ARRAY_SIZE(parts); i++) {
		ret = parts[i].init();
		if (ret) {
			exit_parts(i);
			return ret;
		}
	}
	return 0;
}

static int __init keel_init(void)
{
	int ret;

	/* Once for all VMs: turning the scheduler's hook on and off patches code on all CPUs. */
	preempt_notifier_inc();
	ret = init_parts();
	if (ret) {
		preempt_notifier_dec();
		return ret;
	}
	pr_info("kvm: Keel " KEEL_VERSION " serves /dev/kvm\n");
	return 0;
}

static void __exit keel_exit(void)
{
	exit_parts(ARRAY_SIZE(parts));
	preempt_notifier_dec();
	/* Callbacks that are still queued are code of this module. */
	rcu_barrier();
}

module_init(keel_init);
module_exit(keel_exit);

MODULE_DESCRIPTION("Keel: a KVM-compatible hypervisor, the core");
MODULE_AUTHOR("The Keel authors");
MODULE_LICENSE("GPL");
MODULE_VERSION("Keel " KEEL_VERSION);
