// SPDX-License-Identifier: GPL-2.0-only
/* For debugging a refused entry; off unless the module parameter asks for it: a guest can cause it. */
#include <linux/printk.h>
#include <linux/ratelimit.h>
#include "virt/compat/compat.h"
#include "arch/x86/vmx/vmx.h"

static void dump_seg(const char *name, int nr)
{
	pr_info("kvm_intel: %-4s sel %04lx attr %05x limit %08x base %016lx\n", name,
		vmcs_read(GUEST_ES_SELECTOR + 2 * nr), vmcs_read32(GUEST_ES_AR_BYTES + 2 * nr),
		vmcs_read32(GUEST_ES_LIMIT + 2 * nr), vmcs_read(GUEST_ES_BASE + 2 * nr));
}

static void dump_segs(void)
{
	static const char * const name[] = { "es", "cs", "ss", "ds", "fs", "gs", "ldtr", "tr" };
	int i;

	for (i = 0; i < ARRAY_SIZE(name); i++)
		dump_seg(name[i], i);
	pr_info("kvm_intel: gdtr limit %04x base %016lx idtr limit %04x base %016lx\n",
		vmcs_read32(GUEST_GDTR_LIMIT), vmcs_read(GUEST_GDTR_BASE),
		vmcs_read32(GUEST_IDTR_LIMIT), vmcs_read(GUEST_IDTR_BASE));
}

static void dump_guest(void)
{
	pr_info("kvm_intel: rip %lx rsp %lx rflags %lx activity %u blocking %x pending %lx\n",
		vmcs_read(GUEST_RIP), vmcs_read(GUEST_RSP), vmcs_read(GUEST_RFLAGS),
		vmcs_read32(GUEST_ACTIVITY_STATE), vmcs_read32(GUEST_INTERRUPTIBILITY_INFO),
		vmcs_read(GUEST_PENDING_DBG_EXCEPTIONS));
	pr_info("kvm_intel: cr0 %lx/%lx cr3 %lx cr4 %lx/%lx efer %lx pat %lx dr7 %lx debugctl %lx\n",
		vmcs_read(GUEST_CR0), vmcs_read(CR0_READ_SHADOW), vmcs_read(GUEST_CR3),
		vmcs_read(GUEST_CR4), vmcs_read(CR4_READ_SHADOW), vmcs_read(GUEST_IA32_EFER),
		vmcs_read(GUEST_IA32_PAT), vmcs_read(GUEST_DR7), vmcs_read(GUEST_IA32_DEBUGCTL));
	pr_info("kvm_intel: pdpte %lx %lx %lx %lx\n", vmcs_read(GUEST_PDPTR0),
		vmcs_read(GUEST_PDPTR1), vmcs_read(GUEST_PDPTR2), vmcs_read(GUEST_PDPTR3));
	dump_segs();
}

static void dump_host(void)
{
	pr_info("kvm_intel: host cr0 %lx cr3 %lx cr4 %lx efer %lx pat %lx rip %lx rsp %lx\n",
		vmcs_read(HOST_CR0), vmcs_read(HOST_CR3), vmcs_read(HOST_CR4),
		vmcs_read(HOST_IA32_EFER), vmcs_read(HOST_IA32_PAT), vmcs_read(HOST_RIP),
		vmcs_read(HOST_RSP));
	pr_info("kvm_intel: host cs %lx ss %lx tr %lx\n", vmcs_read(HOST_CS_SELECTOR),
		vmcs_read(HOST_SS_SELECTOR), vmcs_read(HOST_TR_SELECTOR));
}

static void dump_controls(void)
{
	pr_info("kvm_intel: pin %08x cpu %08x cpu2 %08x exit %08x entry %08x exc %08x\n",
		vmcs_read32(PIN_BASED_VM_EXEC_CONTROL), vmcs_read32(CPU_BASED_VM_EXEC_CONTROL),
		vmcs_read32(SECONDARY_VM_EXEC_CONTROL), vmcs_read32(VM_EXIT_CONTROLS),
		vmcs_read32(VM_ENTRY_CONTROLS), vmcs_read32(EXCEPTION_BITMAP));
	pr_info("kvm_intel: inject %08x error %08x len %u vpid %lx eptp %lx tsc offset %lx\n",
		vmcs_read32(VM_ENTRY_INTR_INFO_FIELD), vmcs_read32(VM_ENTRY_EXCEPTION_ERROR_CODE),
		vmcs_read32(VM_ENTRY_INSTRUCTION_LEN), vmcs_read(VIRTUAL_PROCESSOR_ID),
		vmcs_read(EPT_POINTER), vmcs_read(TSC_OFFSET));
}

void vmx_dump(struct x86_vcpu *vcpu)
{
	static DEFINE_RATELIMIT_STATE(limit, DEFAULT_RATELIMIT_INTERVAL, 2);
	struct vmx_vcpu *vmx = to_vmx(vcpu);

	if (!READ_ONCE(vmx_dump_invalid) || !__ratelimit(&limit))
		return;
	if (vmx->vmenter == VMENTER_FAILED)
		pr_info("kvm_intel: entry failed with error %u\n",
			vmcs_read32(VM_INSTRUCTION_ERROR));
	else
		pr_info("kvm_intel: entry failed with reason %08x qualification %lx\n",
			vmx->exit_reason, vmcs_read(EXIT_QUALIFICATION));
	dump_guest();
	dump_controls();
	dump_host();
}
