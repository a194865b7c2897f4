// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the (emulated) hardware itself costs: enter, exit, enter. A guest without nested paging, on the
 * kernel's own page tables, whose only code is VMMCALL. It runs while the module loads, with
 * interrupts off, and only on AMD-V; no KVM may be loaded.
 */
#include <linux/gfp.h>
#include <linux/init.h>
#include <linux/io.h>
#include <linux/module.h>
#include <asm/desc.h>
#include <asm/msr.h>
#include <asm/special_insns.h>
#include "mark.h"

#define ENTRIES		1000

/* APM 2 appendix B */
#define VMCB_INTERCEPT_3	0x0c	/* bit 24 HLT */
#define VMCB_INTERCEPT_4	0x10	/* bit 0 VMRUN, which must be set; bit 1 VMMCALL */
#define VMCB_ASID		0x58
#define VMCB_EXIT_CODE		0x70
#define VMCB_SAVE		0x400
#define SAVE_SEG(n)		(VMCB_SAVE + 16 * (n))	/* ES CS SS DS FS GS GDTR LDTR IDTR TR */
#define SAVE_EFER		(VMCB_SAVE + 0xd0)
#define SAVE_CR4		(VMCB_SAVE + 0x148)
#define SAVE_CR3		(VMCB_SAVE + 0x150)
#define SAVE_CR0		(VMCB_SAVE + 0x158)
#define SAVE_DR7		(VMCB_SAVE + 0x160)
#define SAVE_DR6		(VMCB_SAVE + 0x168)
#define SAVE_RFLAGS		(VMCB_SAVE + 0x170)
#define SAVE_RIP		(VMCB_SAVE + 0x178)
#define SAVE_PAT		(VMCB_SAVE + 0x268)

#define EXIT_VMMCALL		0x81
#define ATTR_CODE64		0x29b
#define ATTR_DATA		0xc93

static unsigned long ticks;
module_param(ticks, ulong, 0444);
MODULE_PARM_DESC(ticks, "TSC ticks of an entry and exit");

void floor_enter(u64 vmcb, u64 host);
extern const char floor_guest[];

static void set(void *vmcb, unsigned int at, u64 val)
{
	*(u64 *)(vmcb + at) = val;
}

static void set_seg(void *vmcb, int n, u16 sel, u16 attr)
{
	*(u16 *)(vmcb + SAVE_SEG(n)) = sel;
	*(u16 *)(vmcb + SAVE_SEG(n) + 2) = attr;
	*(u32 *)(vmcb + SAVE_SEG(n) + 4) = 0xffffffff;
}

/* The host's own state, but for where it runs. */
static void fill(void *vmcb)
{
	struct desc_ptr gdt, idt;
	u64 val;

	native_store_gdt(&gdt);
	store_idt(&idt);
	*(u32 *)(vmcb + VMCB_INTERCEPT_3) = 1u << 24;
	*(u32 *)(vmcb + VMCB_INTERCEPT_4) = 3;
	*(u32 *)(vmcb + VMCB_ASID) = 1;
	set_seg(vmcb, 0, 0, ATTR_DATA);
	set_seg(vmcb, 1, __KERNEL_CS, ATTR_CODE64);
	set_seg(vmcb, 2, __KERNEL_DS, ATTR_DATA);
	set_seg(vmcb, 3, 0, ATTR_DATA);
	set(vmcb, SAVE_SEG(6) + 8, gdt.address);
	*(u32 *)(vmcb + SAVE_SEG(6) + 4) = gdt.size;
	set(vmcb, SAVE_SEG(8) + 8, idt.address);
	*(u32 *)(vmcb + SAVE_SEG(8) + 4) = idt.size;
	rdmsrl(MSR_EFER, val);
	set(vmcb, SAVE_EFER, val);
	set(vmcb, SAVE_CR0, read_cr0());
	set(vmcb, SAVE_CR3, __read_cr3());
	set(vmcb, SAVE_CR4, __read_cr4());
	set(vmcb, SAVE_DR6, 0xffff0ff0);
	set(vmcb, SAVE_DR7, 0x400);
	set(vmcb, SAVE_RFLAGS, 2);
	set(vmcb, SAVE_RIP, (u64)floor_guest);
	rdmsrl(MSR_IA32_CR_PAT, val);
	set(vmcb, SAVE_PAT, val);
}

static int measure(void *vmcb, void *host)
{
	u64 vmcb_pa = virt_to_phys(vmcb), host_pa = virt_to_phys(host), begin;
	int i, ret = 0;

	asm volatile("vmsave %%rax" : : "a" (host_pa) : "memory");
	asm volatile("vmsave %%rax" : : "a" (vmcb_pa) : "memory");
	begin = rdtsc_ordered();
	mark(MARK_BEGIN);
	for (i = 0; i < ENTRIES; i++) {
		floor_enter(vmcb_pa, host_pa);
		if (*(u64 *)(vmcb + VMCB_EXIT_CODE) != EXIT_VMMCALL) {
			ret = -EIO;
			break;
		}
	}
	mark(MARK_END);
	ticks = (rdtsc_ordered() - begin) / ENTRIES;
	if (!ret)
		mark(MARK_ROW);
	return ret;
}

static int run(void **page)
{
	unsigned long flags;
	u64 efer, hsave;
	int ret;

	local_irq_save(flags);
	rdmsrl(MSR_EFER, efer);
	if (efer & EFER_SVME) {
		local_irq_restore(flags);
		return -EBUSY;
	}
	rdmsrl(MSR_VM_HSAVE_PA, hsave);
	wrmsrl(MSR_EFER, efer | EFER_SVME);
	wrmsrl(MSR_VM_HSAVE_PA, virt_to_phys(page[0]));
	fill(page[1]);
	ret = measure(page[1], page[2]);
	wrmsrl(MSR_VM_HSAVE_PA, hsave);
	wrmsrl(MSR_EFER, efer);
	local_irq_restore(flags);
	return ret;
}

static int __init floor_init(void)
{
	void *page[3] = {};
	int i, ret = -ENOMEM;

	if (!boot_cpu_has(X86_FEATURE_SVM))
		return -ENODEV;
	for (i = 0; i < ARRAY_SIZE(page); i++) {
		page[i] = (void *)get_zeroed_page(GFP_KERNEL);
		if (!page[i])
			goto out;
	}
	ret = run(page);
out:
	for (i = 0; i < ARRAY_SIZE(page); i++)
		free_page((unsigned long)page[i]);
	if (!ret)
		pr_info("keel_floor: %lu ticks an entry and exit\n", ticks);
	return ret;
}
module_init(floor_init);

static void __exit floor_exit(void)
{
}
module_exit(floor_exit);

MODULE_DESCRIPTION("The least that an entry and exit of a guest costs");
MODULE_LICENSE("GPL");
