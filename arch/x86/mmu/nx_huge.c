// SPDX-License-Identifier: GPL-2.0-only
/*
 * Executable large pages. Some CPUs raise a machine check when a fetch hits two TLB entries of
 * different size for one address, which a guest can provoke at will ("iTLB multihit", Intel's
 * CVE-2018-12207). On those a large page is mapped without the right to execute; the first fetch
 * from it maps small pages instead. Now and then such tables are taken away again, for code
 * does not stay where it was. Only a VM that has any has this work.
 */
#include <linux/cpu.h>
#include <linux/moduleparam.h>
#include <linux/string.h>
#include <asm/processor.h>
#include "virt/compat/compat.h"
#include "arch/x86/mmu/internal.h"

bool s2_nx_huge __read_mostly;
static bool nx_given;	/* by the administrator: at load time, or later */

static unsigned int recovery_ratio = 60;
module_param_named(nx_huge_pages_recovery_ratio, recovery_ratio, uint, 0644);
MODULE_PARM_DESC(nx_huge_pages_recovery_ratio,
		 "1/this of the pages split for execution are taken back per period; 0: none");

static unsigned int recovery_period_ms;
module_param_named(nx_huge_pages_recovery_period_ms, recovery_period_ms, uint, 0644);
MODULE_PARM_DESC(nx_huge_pages_recovery_period_ms, "0: such that all are in an hour");

/* All of them at once, as often as the parameters make each go once. */
static unsigned long recovery_delay(void)
{
	u64 ms = (u64)READ_ONCE(recovery_period_ms) * READ_ONCE(recovery_ratio);

	return msecs_to_jiffies(ms ? min_t(u64, ms, UINT_MAX / 2) : 3600 * MSEC_PER_SEC);
}

void nx_huge_split_done(struct vm *vm)
{
	struct vm_mmu *mmu = vm_mmu(vm);

	vm_stat_add(&vm->stats.nx_lpage_splits, 1);
	if (READ_ONCE(recovery_ratio))
		queue_delayed_work(system_dfl_wq, &mmu->nx_work, recovery_delay());
}

static void recover(struct work_struct *work)
{
	struct vm_mmu *mmu = container_of(to_delayed_work(work), struct vm_mmu, nx_work);
	struct vm *vm = &container_of(mmu, struct x86_vm, mmu)->vm;
	struct memslot *slot;
	unsigned long id;
	unsigned int as;

	/* Whoever has it may wait for a page that nobody brings, and this queue is everybody's. */
	if (!mutex_trylock(&vm->slots_lock)) {
		queue_delayed_work(system_dfl_wq, &mmu->nx_work, HZ);
		return;
	}
	/* Splits that come from now on are counted anew. */
	atomic64_set((atomic64_t *)&vm->stats.nx_lpage_splits, 0);
	for (as = 0; as < KEEL_ADDRESS_SPACES; as++) {
		xa_for_each(&vm->slots[as].by_id, id, slot)
			s2_merge_slot(vm, slot);
	}
	mutex_unlock(&vm->slots_lock);
}

void nx_huge_vm_init(struct vm_mmu *mmu)
{
	INIT_DELAYED_WORK(&mmu->nx_work, recover);
}

void mmu_vm_pre_destroy(struct x86_vm *vm)
{
	cancel_delayed_work_sync(&vm->mmu.nx_work);
}

/* ---- the parameter ---- */

static bool wanted(const char *val, bool *on)
{
	if (sysfs_streq(val, "auto"))
		*on = boot_cpu_has_bug(X86_BUG_ITLB_MULTIHIT) && !cpu_mitigations_off();
	else if (sysfs_streq(val, "force"))
		*on = true;
	else if (sysfs_streq(val, "off") || sysfs_streq(val, "never"))
		*on = false;
	else
		return !kstrtobool(val, on);
	return true;
}

static int nx_set(const char *val, const struct kernel_param *kp)
{
	struct vm *vm;
	bool on;

	if (!wanted(val, &on))
		return -EINVAL;
	mutex_lock(&vm_list_lock);
	nx_given = true;
	if (on != s2_nx_huge) {
		WRITE_ONCE(s2_nx_huge, on);
		/* A fault that has read the old value retries: the sequence counts as for the host. */
		list_for_each_entry(vm, &vm_list, link)
			notifier_zap_all(vm);
	}
	mutex_unlock(&vm_list_lock);
	return 0;
}

static const struct kernel_param_ops nx_ops = {
	.set = nx_set,
	.get = param_get_bool,
};

module_param_cb(nx_huge_pages, &nx_ops, &s2_nx_huge, 0644);
MODULE_PARM_DESC(nx_huge_pages, "Large pages are not executable: auto (default), force, off");

void nx_huge_module_init(void)
{
	if (!nx_given)
		wanted("auto", &s2_nx_huge);
}
