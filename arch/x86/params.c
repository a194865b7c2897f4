// SPDX-License-Identifier: GPL-2.0-only
/*
 * Parameters that tools look for in /sys/module/kvm/parameters to learn what this
 * KVM can do. They tell; they cannot be changed.
 */
#include <linux/moduleparam.h>
#include <linux/types.h>
#include "virt/compat/compat.h"

static bool enable_pmu;
module_param(enable_pmu, bool, 0444);
MODULE_PARM_DESC(enable_pmu, "Guests are offered performance counters (no)");

static int force_emulation_prefix;
module_param(force_emulation_prefix, int, 0444);
MODULE_PARM_DESC(force_emulation_prefix, "A prefix makes an instruction be emulated (no)");

static bool enable_vmware_backdoor;
module_param(enable_vmware_backdoor, bool, 0444);
MODULE_PARM_DESC(enable_vmware_backdoor, "Guests may use VMware's I/O port in user mode (no)");

static bool tdp_mmu = true;
module_param(tdp_mmu, bool, 0444);
MODULE_PARM_DESC(tdp_mmu, "Stage-2 tables are walked by hardware (always)");
