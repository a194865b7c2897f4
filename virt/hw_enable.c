// SPDX-License-Identifier: GPL-2.0-only
/*
 * When the virtualisation extension is on, on which CPUs. By default it is on while there is a VM,
 * so that loading the module leaves the machine as it was.
 *
 * hw_users changes under cpus_read_lock and hw_lock, so a hotplug callback, which runs under the
 * write side, may read it without a lock; and so may suspend, when one CPU is left and no other
 * task runs. Each CPU turns itself on and off, with interrupts off.
 */
#include <linux/cpu.h>
#include <linux/cpuhotplug.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/reboot.h>
#include <linux/smp.h>
#include <keel/arch.h>
#include <keel/hw_enable.h>
#include "virt/compat/compat.h"
#include "virt/compat/syscore.h"
#include "virt/compat/virt_ownership.h"

static bool enable_virt_at_load;
module_param(enable_virt_at_load, bool, 0444);
MODULE_PARM_DESC(enable_virt_at_load,
		 "Turn the CPUs' virtualisation extension on at load, not with the first VM (default: N)");

static DEFINE_MUTEX(hw_lock);
static unsigned int hw_users;

DEFINE_PER_CPU(bool, hw_cpu_on);

/* On this CPU, interrupts off. */
static int cpu_on(void)
{
	int r;

	if (__this_cpu_read(hw_cpu_on))
		return 0;
	/* Here, too: hw_shutdown() may have turned this CPU off since the caller looked. */
	if (keel_virt_is_rebooting())
		return -EBUSY;
	r = arch_cpu_enable();
	if (!r)
		__this_cpu_write(hw_cpu_on, true);
	return r;
}

static void cpu_off(void *unused)
{
	if (!__this_cpu_read(hw_cpu_on))
		return;
	__this_cpu_write(hw_cpu_on, false);
	arch_cpu_disable();
}

static void cpu_on_ipi(void *failed)
{
	if (cpu_on())
		atomic_inc(failed);
}

int hw_get(void)
{
	atomic_t failed = ATOMIC_INIT(0);
	int r = 0;

	cpus_read_lock();
	mutex_lock(&hw_lock);
	if (keel_virt_is_rebooting()) {
		r = -EBUSY;
		goto out;
	}
	if (!hw_users) {
		on_each_cpu(cpu_on_ipi, &failed, 1);
		if (atomic_read(&failed)) {
			on_each_cpu(cpu_off, NULL, 1);
			r = -EBUSY;
			goto out;
		}
	}
	hw_users++;
out:
	mutex_unlock(&hw_lock);
	cpus_read_unlock();
	return r;
}

void hw_put(void)
{
	cpus_read_lock();
	mutex_lock(&hw_lock);
	if (!WARN_ON_ONCE(!hw_users) && !--hw_users)
		on_each_cpu(cpu_off, NULL, 1);
	mutex_unlock(&hw_lock);
	cpus_read_unlock();
}

int hw_vendor_added(void)
{
	return enable_virt_at_load ? hw_get() : 0;
}

void hw_vendor_removed(void)
{
	if (enable_virt_at_load)
		hw_put();
}

/*
 * A CPU comes up while VMs exist. Some kernels run this with interrupts off and cannot take no
 * for an answer; the CPU is then up without the extension, and vCPUs are refused on it.
 */
static int hw_cpu_starting(unsigned int cpu)
{
	unsigned long flags;
	int r = 0;

	local_irq_save(flags);
	if (hw_users)
		r = cpu_on();
	local_irq_restore(flags);
	if (r)
		pr_err("keel: virtualisation cannot be enabled on CPU %u (%d)\n", cpu, r);
	return r;
}

/* It goes down: no task is left on it. */
static int hw_cpu_dying(unsigned int cpu)
{
	unsigned long flags;

	local_irq_save(flags);
	cpu_off(NULL);
	local_irq_restore(flags);
	return 0;
}

/* The other CPUs are off by hotplug already; firmware may forget this one's state. */
static int hw_suspend(KEEL_SYSCORE_ARGS)
{
	cpu_off(NULL);
	return 0;
}

static void hw_resume(KEEL_SYSCORE_ARGS)
{
	if (hw_users && cpu_on())
		pr_err("keel: virtualisation cannot be enabled after resume\n");
}

/*
 * Reboot, power off and kexec: firmware and the next kernel expect the extension off, and INIT
 * would be lost on a CPU that has GIF clear or is in VMX operation. vCPUs may still run: whoever
 * finds the extension gone under it looks at keel_virt_is_rebooting().
 */
static int hw_shutdown(struct notifier_block *nb, unsigned long action, void *data)
{
	keel_virt_set_rebooting();
	on_each_cpu(cpu_off, NULL, 1);
	return NOTIFY_OK;
}

/* Not a syscore operation: kexec on 6.1 calls none. */
static struct notifier_block hw_reboot = { .notifier_call = hw_shutdown };
KEEL_DEFINE_SYSCORE(hw_syscore, hw_suspend, hw_resume);

int hw_init(void)
{
	int r;

	r = cpuhp_setup_state_nocalls(KEEL_CPUHP_STATE, "keel/cpu:online", hw_cpu_starting,
				      hw_cpu_dying);
	if (r)
		return r;
	r = register_reboot_notifier(&hw_reboot);
	if (r) {
		cpuhp_remove_state_nocalls(KEEL_CPUHP_STATE);
		return r;
	}
	keel_register_syscore(&hw_syscore);
	return 0;
}

void hw_exit(void)
{
	keel_unregister_syscore(&hw_syscore);
	unregister_reboot_notifier(&hw_reboot);
	cpuhp_remove_state_nocalls(KEEL_CPUHP_STATE);
}
