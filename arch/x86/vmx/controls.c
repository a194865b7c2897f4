// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the guest cannot do without an exit (SDM 3C 25.6), as a pure function of the
 * vCPU's state: vmx_update_intercepts() computes the slow-moving part, and vmx_apply_controls()
 * adds what changes from entry to entry.
 *
 * No I/O port is ever passed through. An MSR is if it is in the list below and the VM's filter
 * allows it; the bitmap is shared by all until a vCPU needs one that differs.
 */
#include <linux/bitops.h>
#include <linux/gfp.h>
#include <linux/srcu.h>
#include <linux/string.h>
#include <asm/msr-index.h>
#include <asm/processor-flags.h>
#include <asm/trapnr.h>
#include "virt/compat/compat.h"
#include "arch/x86/hypercall.h"
#include "arch/x86/vmx/vmx.h"

/* #AC and #DB always: their delivery can raise them again without end (CVE-2015-5307, -8104). */
#define ALWAYS_EXC	(BIT(X86_TRAP_DB) | BIT(X86_TRAP_AC) | BIT(X86_TRAP_MC))

/* Nothing of ours depends on these bits of CR4. */
#define CR4_GUEST	(X86_CR4_PVI | X86_CR4_TSD | X86_CR4_DE | X86_CR4_PGE | X86_CR4_PCE |	\
			 X86_CR4_OSFXSR | X86_CR4_OSXMMEXCPT)

static u8 *bitmap_default;	/* the list below, unfiltered, without SPEC_CTRL */
static u8 *bitmap_all;		/* every MSR exits: for want of memory */

/*
 * FS_BASE and GS_BASE are in the VMCS's segments, SYSENTER's in fields of their own, KERNEL_GS_BASE is read
 * back; reading the TSC adds the offset. Of the system-call MSRs writes exit: host.c has to know them.
 */
static const struct {
	u32	msr;
	bool	write;
} passthrough[] = {
	{ MSR_FS_BASE, true }, { MSR_GS_BASE, true }, { MSR_KERNEL_GS_BASE, true },
	{ MSR_IA32_SYSENTER_CS, true }, { MSR_IA32_SYSENTER_ESP, true },
	{ MSR_IA32_SYSENTER_EIP, true },
	{ MSR_STAR, false }, { MSR_LSTAR, false }, { MSR_CSTAR, false }, { MSR_SYSCALL_MASK, false },
	{ MSR_IA32_TSC, false },
};

/* Reads of low and high MSRs, then writes of them, a KiB each (SDM 3C 25.6.9). Others always exit. */
static void bitmap_pass(u8 *map, u32 msr, bool read, bool write)
{
	u32 index = msr & 0x1fff, base = msr == index ? 0 : 0x400;

	if (msr != index && msr != (0xc0000000 | index))
		return;
	if (read)
		map[base + index / 8] &= ~BIT(index % 8);
	if (write)
		map[base + 0x800 + index / 8] &= ~BIT(index % 8);
}

int vmx_bitmaps_alloc(void)
{
	int i;

	bitmap_default = (void *)__get_free_page(GFP_KERNEL);
	bitmap_all = (void *)__get_free_page(GFP_KERNEL);
	if (!bitmap_default || !bitmap_all) {
		vmx_bitmaps_free();
		return -ENOMEM;
	}
	memset(bitmap_all, 0xff, PAGE_SIZE);
	memset(bitmap_default, 0xff, PAGE_SIZE);
	for (i = 0; i < ARRAY_SIZE(passthrough); i++)
		bitmap_pass(bitmap_default, passthrough[i].msr, true, passthrough[i].write);
	return 0;
}

void vmx_bitmaps_free(void)
{
	free_page((unsigned long)bitmap_default);
	free_page((unsigned long)bitmap_all);
	bitmap_default = NULL;
	bitmap_all = NULL;
}

void vmx_msr_bitmap_free(struct vmx_vcpu *vmx)
{
	free_page((unsigned long)vmx->msr_bitmap);
	vmx->msr_bitmap = NULL;
}

static void pass_if_allowed(struct vmx_vcpu *vmx, u32 msr, bool read, bool write)
{
	bitmap_pass(vmx->msr_bitmap, msr,
		    read && msr_allowed(&vmx->x, msr, KVM_MSR_FILTER_READ),
		    write && msr_allowed(&vmx->x, msr, KVM_MSR_FILTER_WRITE));
}

static void build_bitmap(struct vmx_vcpu *vmx)
{
	const struct vcpu_msrs *m = &vmx->x.msr;
	bool spec = m->spec_pass && vmx_caps.spec_ctrl;
	int i, srcu;

	memset(vmx->msr_bitmap, 0xff, PAGE_SIZE);
	srcu = srcu_read_lock(&vmx->x.v.vm->srcu);
	for (i = 0; i < ARRAY_SIZE(passthrough); i++)
		pass_if_allowed(vmx, passthrough[i].msr, true, passthrough[i].write);
	pass_if_allowed(vmx, MSR_IA32_SPEC_CTRL, spec, spec);
	pass_if_allowed(vmx, MSR_IA32_PRED_CMD, false, m->ibpb_pass);
	if (vmx_apicv_wants_msrs(vmx))
		vmx_apicv_msrs(vmx, pass_if_allowed);
	srcu_read_unlock(&vmx->x.v.vm->srcu, srcu);
}

static void update_bitmap(struct vmx_vcpu *vmx)
{
	u8 *map = bitmap_default;

	if (unlikely(vmx_apicv_wants_msrs(vmx) || vmx->x.msr.spec_pass || vmx->x.msr.ibpb_pass ||
		     msr_filtered(&vmx->x))) {
		if (!vmx->msr_bitmap)
			vmx->msr_bitmap = (void *)__get_free_page(GFP_KERNEL_ACCOUNT);
		if (vmx->msr_bitmap)
			build_bitmap(vmx);
		map = vmx->msr_bitmap ?: bitmap_all;
	}
	vmcs_write(MSR_BITMAP, virt_to_phys(map));
}

static u32 exception_bitmap(struct x86_vcpu *vcpu)
{
	u32 exc = ALWAYS_EXC;

	if (debug_wants_bp(&vcpu->debug))
		exc |= BIT(X86_TRAP_BP);
	/* Instructions that this CPU does not have: VMMCALL, SYSCALL outside 64-bit mode. */
	if (keel_hypercall_wants_ud(vcpu))
		exc |= BIT(X86_TRAP_UD);
	return exc;
}

static u32 cpu_controls(struct x86_vcpu *vcpu)
{
	u32 off = vcpu_vm(vcpu)->disabled_exits, c = vmx_caps.cpu;

	if (!(off & KVM_X86_DISABLE_EXITS_HLT))
		c |= CPU_BASED_HLT_EXITING;
	if (!(off & KVM_X86_DISABLE_EXITS_MWAIT))
		c |= CPU_BASED_MWAIT_EXITING | CPU_BASED_MONITOR_EXITING;
	if (!vcpu->debug.lent)
		c |= CPU_BASED_MOV_DR_EXITING;
	/* Without a virtual-APIC page CR8 would be the host's (CVE-2017-12154). */
	if (!vmx_caps.tpr_shadow)
		c |= CPU_BASED_CR8_LOAD_EXITING | CPU_BASED_CR8_STORE_EXITING;
	return c;
}

static u32 cpu2_controls(struct vmx_vcpu *vmx)
{
	struct x86_vcpu *vcpu = &vmx->x;
	u32 c = 0;

	if (vmx->vpid)
		c |= SECONDARY_EXEC_ENABLE_VPID;
	/* Of RDTSCP and RDPID alike; without it they are #UD. */
	if (guest_has(vcpu, X86_FEATURE_RDTSCP) || guest_has(vcpu, X86_FEATURE_RDPID))
		c |= SECONDARY_EXEC_ENABLE_RDTSCP;
	if (guest_has(vcpu, X86_FEATURE_INVPCID))
		c |= SECONDARY_EXEC_ENABLE_INVPCID;
	if (guest_has(vcpu, X86_FEATURE_XSAVES))
		c |= VMX_XSAVES;
	if (vmx_caps.ple && !(vcpu_vm(vcpu)->disabled_exits & KVM_X86_DISABLE_EXITS_PAUSE))
		c |= SECONDARY_EXEC_PAUSE_LOOP_EXITING;
	if (vmx->pml && READ_ONCE(vcpu_vm(vcpu)->mmu.hw_log))
		c |= SECONDARY_EXEC_ENABLE_PML;
	c |= vmx_apicv_controls(vmx);
	return vmx_caps.cpu2 | (c & vmx_caps.cpu2_may);
}

void vmx_set_ctl(struct vmx_vcpu *vmx, int ctl, u32 val)
{
	static const u16 field[NR_VCS] = {
		[VC_PIN]	= PIN_BASED_VM_EXEC_CONTROL,
		[VC_CPU]	= CPU_BASED_VM_EXEC_CONTROL,
		[VC_CPU2]	= SECONDARY_VM_EXEC_CONTROL,
		[VC_EXIT]	= VM_EXIT_CONTROLS,
		[VC_ENTRY]	= VM_ENTRY_CONTROLS,
		[VC_EXC]	= EXCEPTION_BITMAP,
	};

	if (vmx->ctl[ctl] == val)
		return;
	vmx->ctl[ctl] = val;
	vmcs_write(field[ctl], val);
}

void vmx_apply_controls(struct vmx_vcpu *vmx)
{
	u32 cpu = vmx->cpu_base;

	if (vmx->irq_window)
		cpu |= CPU_BASED_INTR_WINDOW_EXITING;
	if (vmx->nmi_after_sti)
		cpu |= vmx_caps.mtf ? CPU_BASED_MONITOR_TRAP_FLAG : CPU_BASED_INTR_WINDOW_EXITING;
	if (vmx->nmi_window)
		cpu |= CPU_BASED_NMI_WINDOW_EXITING;
	if (vmx->cr8_wanted)
		cpu |= CPU_BASED_CR8_LOAD_EXITING;
	vmx_set_ctl(vmx, VC_CPU, cpu);
}

void vmx_update_intercepts(struct x86_vcpu *vcpu)
{
	struct vmx_vcpu *vmx = to_vmx(vcpu);
	u64 cr4_guest = CR4_GUEST & ~vcpu->cpuid.cr4_rsvd;

	if (unlikely(cr4_guest != vmx->cr4_guest)) {
		st_write(vcpu, ST_CR);	/* read by the old mask, written by the new */
		vmx->cr4_guest = cr4_guest;
	}
	vmx_apicv_update(vmx);
	vmx_posted_update(vmx);
	vmx->cpu_base = cpu_controls(vcpu);
	vmx_apply_controls(vmx);
	vmx_set_ctl(vmx, VC_CPU2, cpu2_controls(vmx));
	vmx_set_ctl(vmx, VC_EXC, exception_bitmap(vcpu));
	update_bitmap(vmx);
	vmx->uses_tsc_aux = vmx->ctl[VC_CPU2] & SECONDARY_EXEC_ENABLE_RDTSCP;
}

void vmx_cr8_intercept(struct x86_vcpu *vcpu, bool on)
{
	struct vmx_vcpu *vmx = to_vmx(vcpu);

	vmx->cr8_wanted = on;
	vmx_apply_controls(vmx);
}
