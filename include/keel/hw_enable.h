/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The virtualisation extension of every CPU: on while there is a VM, and kept right through CPU
 * hotplug, suspend, shutdown and a crash.
 */
#ifndef KEEL_HW_ENABLE_H
#define KEEL_HW_ENABLE_H

#include <linux/percpu.h>
#include <linux/types.h>

/* Once, at module init and exit. 0 or -errno. */
int hw_init(void);
void hw_exit(void);

/*
 * hw_get - one more VM: the first turns the extension on, on all CPUs. May sleep; takes
 * cpus_read_lock, so no lock below it may be held. 0; -EBUSY: a CPU could not be turned on (it is
 * left as it was, and so are the others).
 */
int hw_get(void);
/* One VM less: the last turns it off. As hw_get(). */
void hw_put(void);

/* A vendor was registered: turn the CPUs on now if the module parameter asks for it. 0 or -EBUSY. */
int hw_vendor_added(void);
/* It goes: no VM is left. */
void hw_vendor_removed(void);

DECLARE_PER_CPU(bool, hw_cpu_on);

/*
 * Is it on here? Preemption off. False on a CPU that came up but refused, and on all after the
 * shutdown began: a vCPU must not be entered there.
 */
static inline bool hw_this_cpu_on(void)
{
	return __this_cpu_read(hw_cpu_on);
}

#endif
