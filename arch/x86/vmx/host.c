// SPDX-License-Identifier: GPL-2.0-only
/*
 * The host's state around entries. An exit loads what the VMCS holds as host state (SDM 3C 28.5); the rest
 * is switched here, the guest's part late, before the first entry after a load, the host's in put():
 * KERNEL_GS_BASE, the system-call MSRs, TSC_AUX, selectors of user mode, LDT, the
 * limits of GDT, IDT and TSS.
 */
#include <linux/sched.h>
#include <asm/debugreg.h>
#include <asm/desc.h>
#include <asm/mmu_context.h>
#include <asm/msr-index.h>
#include <asm/segment.h>
#include <asm/special_insns.h>
#include <asm/tlbflush.h>
#include "virt/compat/compat.h"
#include "virt/compat/compat_x86.h"
#include "arch/x86/host_ldt.h"
#include "arch/x86/vmx/vmx.h"

static const u32 host_msr[NR_HOST_MSRS] = { MSR_STAR, MSR_LSTAR, MSR_CSTAR, MSR_SYSCALL_MASK };

void vmx_host_msrs_init(struct vmx_cpu *c)
{
	int i;

	for (i = 0; i < NR_HOST_MSRS; i++)
		rdmsrq(host_msr[i], c->msr[i]);
}

/* STAR and its kin as the guest has them from now on; loaded before the next entry. */
void vmx_set_syscall_msrs(struct vmx_vcpu *vmx, const struct x86_regs *r)
{
	vmx->msr[0] = r->star;
	vmx->msr[1] = r->lstar;
	vmx->msr[2] = r->cstar;
	vmx->msr[3] = (u32)r->sfmask;		/* the rest is reserved: it never reaches the CPU */
	vmx->msrs_stale = true;
}

/* What the VMCS says of every host the same; DS, ES, FS and GS are null after an exit. */
void vmx_host_init(struct vmx_vcpu *vmx)
{
	u64 val;

	vmcs_write(HOST_CR0, read_cr0() & ~X86_CR0_TS);
	vmcs_write(HOST_CS_SELECTOR, __KERNEL_CS);
	vmcs_write(HOST_SS_SELECTOR, __KERNEL_DS);
	vmcs_write(HOST_DS_SELECTOR, 0);
	vmcs_write(HOST_ES_SELECTOR, 0);
	vmcs_write(HOST_FS_SELECTOR, 0);
	vmcs_write(HOST_GS_SELECTOR, 0);
	vmcs_write(HOST_TR_SELECTOR, GDT_ENTRY_TSS * 8);
	vmcs_write(HOST_RIP, (unsigned long)vmx_vmexit);
	rdmsrq(MSR_IA32_CR_PAT, val);
	vmcs_write(HOST_IA32_PAT, val);
	rdmsrq(MSR_EFER, val);
	vmcs_write(HOST_IA32_EFER, val);
	/* 0 where the kernel takes no SYSENTER: an exit must not make it one that leads anywhere. */
	rdmsrq(MSR_IA32_SYSENTER_CS, val);
	vmcs_write(HOST_IA32_SYSENTER_CS, val);
	vmx->host.cr3 = 0;
	vmx->host.cr4 = 0;
	vmx->host.vmcs_fs_base = 0;
	vmcs_write(HOST_FS_BASE, 0);
}

static u64 tss_base(const struct desc_ptr *gdt)
{
	const struct ldttss_desc *d = (void *)(gdt->address + GDT_ENTRY_TSS * 8);

	return d->base0 | (u64)d->base1 << 16 | (u64)d->base2 << 24 | (u64)d->base3 << 32;
}

/* The vCPU came to this CPU. */
static void write_cpu_fields(struct vmx_vcpu *vmx)
{
	u64 val;

	native_store_gdt(&vmx->host.gdt);
	store_idt(&vmx->host.idt);
	vmcs_write(HOST_GDTR_BASE, vmx->host.gdt.address);
	vmcs_write(HOST_IDTR_BASE, vmx->host.idt.address);
	vmcs_write(HOST_TR_BASE, tss_base(&vmx->host.gdt));
	rdmsrq(MSR_GS_BASE, val);
	vmcs_write(HOST_GS_BASE, val);
	rdmsrq(MSR_IA32_SYSENTER_ESP, val);
	vmcs_write(HOST_IA32_SYSENTER_ESP, val);
	rdmsrq(MSR_IA32_SYSENTER_EIP, val);
	vmcs_write(HOST_IA32_SYSENTER_EIP, val);
}

/* host.msr is what the CPU has now. */
static void load_msrs(struct vmx_host *h, const u64 *val)
{
	int i;

	for (i = 0; i < NR_HOST_MSRS; i++) {
		if (h->msr[i] != val[i]) {
			h->msr[i] = val[i];
			wrmsrq(host_msr[i], val[i]);
		}
	}
}

static void save_host(struct vmx_vcpu *vmx)
{
	struct vmx_host *h = &vmx->host;

	if (vmx->last_cpu != smp_processor_id())
		write_cpu_fields(vmx);
	savesegment(fs, h->fs_sel);
	savesegment(gs, h->gs_sel);
	savesegment(ds, h->ds_sel);
	savesegment(es, h->es_sel);
	rdmsrq(MSR_FS_BASE, h->fs_base);
	rdmsrq(MSR_KERNEL_GS_BASE, h->gs_base);
	h->had_ldt = keel_task_has_ldt();
	if (h->fs_base != h->vmcs_fs_base) {
		h->vmcs_fs_base = h->fs_base;
		vmcs_write(HOST_FS_BASE, h->fs_base);
	}
	wrmsrq(MSR_KERNEL_GS_BASE, vmx->kernel_gs_base);
	vmx->tsc_aux = this_cpu_read(vmx_cpu.tsc_aux);
	memcpy(h->msr, this_cpu_ptr(&vmx_cpu)->msr, sizeof(h->msr));
	vmx->msrs_stale = true;
	h->saved = true;
}

/* CR3 and CR4 change under a task: a context switch, another thread's mprotect, prctl (CVE-2014-3690). */
void vmx_host_enter(struct vmx_vcpu *vmx)
{
	struct vmx_host *h = &vmx->host;
	unsigned long val;

	if (unlikely(!h->saved))
		save_host(vmx);
	if (unlikely(vmx->msrs_stale)) {
		load_msrs(h, vmx->msr);
		vmx->msrs_stale = false;
	}
	val = __get_current_cr3_fast();
	if (unlikely(val != h->cr3)) {
		h->cr3 = val;
		vmcs_write(HOST_CR3, val);
	}
	val = cr4_read_shadow();
	if (unlikely(val != h->cr4)) {
		h->cr4 = val;
		vmcs_write(HOST_CR4, val);
	}
	if (unlikely(vmx->tsc_aux != vmx->x.msr.tsc_aux) && vmx->uses_tsc_aux) {
		vmx->tsc_aux = vmx->x.msr.tsc_aux;
		wrmsrq(MSR_TSC_AUX, vmx->tsc_aux);
	}
	/* Each exit clears it, and perf changes it from interrupts: so each time. */
	rdmsrq(MSR_IA32_DEBUGCTLMSR, h->debugctl);
}

static void restore_selectors(const struct vmx_host *h)
{
	unsigned long flags;

	/* A selector that has become bad meanwhile loads null, as a return to user mode would. */
	local_irq_save(flags);
	if (unlikely(h->fs_sel)) {
		loadsegment(fs, h->fs_sel);
		wrmsrq(MSR_FS_BASE, h->fs_base);
	}
	if (unlikely(h->gs_sel))
		load_gs_index(h->gs_sel);
	if (unlikely(h->ds_sel | h->es_sel)) {
		loadsegment(ds, h->ds_sel);
		loadsegment(es, h->es_sel);
	}
	local_irq_restore(flags);
}

void vmx_put(struct x86_vcpu *vcpu)
{
	struct vmx_vcpu *vmx = to_vmx(vcpu);
	struct vmx_host *h = &vmx->host;

	if (!h->saved)
		return;
	rdmsrq(MSR_KERNEL_GS_BASE, vmx->kernel_gs_base);
	h->saved = false;
	/* Selectors may be of the LDT, and an exit leaves none (SDM 3C 28.5.2). */
	if (unlikely(h->had_ldt || keel_task_has_ldt()))
		keel_reload_ldt();
	restore_selectors(h);
	wrmsrq(MSR_KERNEL_GS_BASE, h->gs_base);
	load_msrs(h, this_cpu_ptr(&vmx_cpu)->msr);
	if (vmx->tsc_aux != this_cpu_read(vmx_cpu.tsc_aux))
		wrmsrq(MSR_TSC_AUX, this_cpu_read(vmx_cpu.tsc_aux));
	/* An exit leaves limits of 64K (SDM 3C 28.5.2; CVE-2018-10901), and the TSS without its I/O bitmap. */
	native_load_gdt(&h->gdt);
	native_load_idt(&h->idt);
	invalidate_tss_limit();
}

/* The guest's, which SWAPGS changes without an exit. Preemption may be on. */
u64 vmx_kernel_gs_base(struct vmx_vcpu *vmx)
{
	u64 val;

	preempt_disable();
	if (vmx->host.saved)
		rdmsrq(MSR_KERNEL_GS_BASE, vmx->kernel_gs_base);
	val = vmx->kernel_gs_base;
	preempt_enable();
	return val;
}

void vmx_set_kernel_gs_base(struct vmx_vcpu *vmx, u64 val)
{
	preempt_disable();
	if (vmx->host.saved)
		wrmsrq(MSR_KERNEL_GS_BASE, val);
	vmx->kernel_gs_base = val;
	preempt_enable();
}
