// SPDX-License-Identifier: GPL-2.0-only
/*
 * Lives of VMCSs. A CPU may keep parts of a VMCS in itself until VMCLEAR (SDM 3C 25.11.1): before the VMCS is used on
 * another CPU, before its memory is freed and before the CPU leaves VMX operation. So each CPU has
 * a list of those that it may hold.
 */
#include <linux/gfp.h>
#include <linux/percpu.h>
#include <linux/printk.h>
#include <linux/smp.h>
#include "virt/compat/compat.h"
#include "virt/compat/virt_ownership.h"
#include "arch/x86/vmx/vmx.h"

/* Written on its CPU with interrupts off; read there in NMI context too (emergency). */
static DEFINE_PER_CPU(struct list_head, held);
static DEFINE_PER_CPU(struct vmx_vmcs *, current_vmcs);

void vmx_insn_failed(const char *insn, unsigned long arg)
{
	if (keel_virt_is_rebooting())
		return;
	pr_err_once("kvm_intel: %s failed, operand %lx\n", insn, arg);
}

void vmcs_cpus_init(void)
{
	int cpu;

	for_each_possible_cpu(cpu)
		INIT_LIST_HEAD(per_cpu_ptr(&held, cpu));
}

int vmcs_alloc(struct vmx_vmcs *vmcs)
{
	vmcs->page = (void *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	if (!vmcs->page)
		return -ENOMEM;
	*(u32 *)vmcs->page = vmx_caps.revision;
	vmcs->pa = virt_to_phys(vmcs->page);
	vmcs->cpu = -1;
	vmcs->launched = 0;
	INIT_LIST_HEAD(&vmcs->link);
	return 0;
}

/* On the CPU that holds it, interrupts off. */
static void clear_here(struct vmx_vmcs *vmcs)
{
	vmcs_clear(vmcs->pa);
	if (this_cpu_read(current_vmcs) == vmcs)
		this_cpu_write(current_vmcs, NULL);
	list_del_init(&vmcs->link);
	vmcs->launched = 0;
	/* Who sees -1 may load it elsewhere at once. */
	smp_store_release(&vmcs->cpu, -1);
}

static void clear_ipi(void *arg)
{
	struct vmx_vmcs *vmcs = arg;

	/* The CPU may have been taken offline and brought back meanwhile. */
	if (vmcs->cpu == smp_processor_id())
		clear_here(vmcs);
}

static void clear_anywhere(struct vmx_vmcs *vmcs)
{
	/* Pairs with the release in clear_here(). */
	int cpu = smp_load_acquire(&vmcs->cpu);

	/* Fails when the CPU is offline: then it has cleared all on its way down. */
	if (cpu >= 0)
		smp_call_function_single(cpu, clear_ipi, vmcs, 1);
}

void vmcs_free(struct vmx_vmcs *vmcs)
{
	if (!vmcs->page)
		return;
	clear_anywhere(vmcs);
	free_page((unsigned long)vmcs->page);
	vmcs->page = NULL;
}

void vmcs_load(struct vmx_vmcs *vmcs, int cpu)
{
	unsigned long flags;

	/* Only this thread gives it another CPU; a clear elsewhere is waited for below. */
	if (unlikely(READ_ONCE(vmcs->cpu) != cpu)) {
		clear_anywhere(vmcs);
		local_irq_save(flags);
		/* On a CPU that came up without VMX, or lost it, nothing can be held, and nobody would clear it. */
		if (!this_cpu_read(vmx_cpu.on)) {
			local_irq_restore(flags);
			return;
		}
		vmcs_clear(vmcs->pa);	/* fresh memory: its launch state is not defined yet */
		vmcs->cpu = cpu;
		list_add(&vmcs->link, this_cpu_ptr(&held));
		local_irq_restore(flags);
	}
	if (this_cpu_read(current_vmcs) != vmcs) {
		this_cpu_write(current_vmcs, vmcs);
		vmcs_make_current(vmcs->pa);
	}
}

void vmcs_clear_all(void)
{
	struct vmx_vmcs *vmcs, *next;

	list_for_each_entry_safe(vmcs, next, this_cpu_ptr(&held), link)
		clear_here(vmcs);
}

/*
 * The list may be in the middle of a change: a new entry is reached only when it is complete, and a
 * removed one still points on.
 */
void vmcs_clear_all_emergency(void)
{
	struct vmx_vmcs *vmcs;

	list_for_each_entry(vmcs, this_cpu_ptr(&held), link)
		vmcs_clear(vmcs->pa);
}
