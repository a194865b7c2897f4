// SPDX-License-Identifier: GPL-2.0-only
/* Ownership of EFER.SVME and of VMX operation, per CPU. See virt_ownership.h. */
#include <linux/percpu.h>
#include <linux/slab.h>
#include <asm/asm.h>
#include <asm/cpufeature.h>
#include <asm/io.h>
#include <asm/msr-index.h>
#include <asm/perf_event.h>
#include <asm/processor-flags.h>
#include <asm/reboot.h>
#include <asm/svm.h>
#include <asm/tlbflush.h>
#include <asm/vmx.h>
#include "virt/compat/compat.h"
#include "virt/compat/compat_x86.h"
#include "virt/compat/virt_ownership.h"

#ifdef HAVE_X86_VIRT_REF
#include <asm/virt.h>
#endif

static enum keel_virt_ext claimed_ext;
static bool claimed;
static void (*vendor_emergency)(void);
static DEFINE_PER_CPU(bool, cpu_owned);

bool keel_virt_cpu_in_use(enum keel_virt_ext ext)
{
	u64 efer;

	if (ext == KEEL_VIRT_VMX)
		return __read_cr4() & X86_CR4_VMXE;
	rdmsrq(MSR_EFER, efer);
	return efer & EFER_SVME;
}
KEEL_EXPORT(keel_virt_cpu_in_use);

#ifdef HAVE_X86_VIRT_REF

static int ext_feature(void)
{
	return claimed_ext == KEEL_VIRT_SVM ? X86_FEATURE_SVM : X86_FEATURE_VMX;
}

static int ext_prepare(void)
{
	return 0;
}

static void ext_unprepare(void)
{
}

static int ext_on(void)
{
	return x86_virt_get_ref(ext_feature());
}

/* The kernel lends the extension, the save area is ours. */
static void ext_off(void)
{
	if (claimed_ext == KEEL_VIRT_SVM)
		wrmsrq_safe(MSR_VM_HSAVE_PA, 0);
	x86_virt_put_ref(ext_feature());
}

/* The core takes the extension away itself; only the vendor's part is left. */
static void emergency_cb(void)
{
	if (vendor_emergency && __this_cpu_read(cpu_owned))
		vendor_emergency();
}

static void emergency_register(void)
{
	x86_virt_register_emergency_callback(emergency_cb);
}

static void emergency_unregister(void)
{
	x86_virt_unregister_emergency_callback(emergency_cb);
}

bool keel_virt_is_rebooting(void)
{
	return virt_rebooting;
}

void keel_virt_set_rebooting(void)
{
	virt_rebooting = true;
}

#else /* !HAVE_X86_VIRT_REF */

bool keel_virt_rebooting;
KEEL_EXPORT(keel_virt_rebooting);

bool keel_virt_is_rebooting(void)
{
	return READ_ONCE(keel_virt_rebooting);
}

void keel_virt_set_rebooting(void)
{
	WRITE_ONCE(keel_virt_rebooting, true);
}

/* A VMXON region per CPU: 4 KiB, aligned, begins with the revision (SDM 3C 24.11.5). */
static struct page * __percpu *vmxon_pages;

static void free_vmxon_pages(void)
{
	int cpu;

	if (!vmxon_pages)
		return;
	for_each_possible_cpu(cpu) {
		struct page *page = *per_cpu_ptr(vmxon_pages, cpu);

		if (page)
			__free_page(page);
	}
	free_percpu(vmxon_pages);
	vmxon_pages = NULL;
}

static int alloc_vmxon_pages(void)
{
	u64 basic;
	int cpu;

	rdmsrq(MSR_IA32_VMX_BASIC, basic);
	vmxon_pages = alloc_percpu(struct page *);
	if (!vmxon_pages)
		return -ENOMEM;
	for_each_possible_cpu(cpu) {
		struct page *page = alloc_pages_node(cpu_to_node(cpu), GFP_KERNEL | __GFP_ZERO, 0);

		if (!page) {
			free_vmxon_pages();
			return -ENOMEM;
		}
		*(u32 *)page_address(page) = basic & 0x7fffffff;	/* SDM 3D A.1 */
		*per_cpu_ptr(vmxon_pages, cpu) = page;
	}
	return 0;
}

static int ext_prepare(void)
{
	return claimed_ext == KEEL_VIRT_VMX ? alloc_vmxon_pages() : 0;
}

static void ext_unprepare(void)
{
	free_vmxon_pages();
}

static int svm_on(void)
{
	u64 efer;

	rdmsrq(MSR_EFER, efer);
	if (efer & EFER_SVME)
		return -EBUSY;
	/* Faults when the firmware has locked SVM off (VM_CR.SVMDIS, APM 2 15.4). */
	return wrmsrq_safe(MSR_EFER, efer | EFER_SVME) ? -EIO : 0;
}

/*
 * STGI first: with GIF clear neither an NMI nor INIT would ever be taken again (APM 2 15.17). It
 * is #UD once SVME is clear, which an emergency on this CPU may have done a moment ago.
 */
static void svm_off(void)
{
	u64 efer;

	wrmsrq_safe(MSR_VM_HSAVE_PA, 0);
	rdmsrq(MSR_EFER, efer);
	if (!(efer & EFER_SVME))
		return;
	asm goto("1: stgi\n\t"
		 _ASM_EXTABLE(1b, %l[fault])
		 : : : "memory" : fault);
fault:
	wrmsrq(MSR_EFER, efer & ~EFER_SVME);
}

static int vmxon(u64 pa)
{
	asm goto("1: vmxon %[pa]\n\t"
		 "jbe %l[fault]\n\t"
		 _ASM_EXTABLE(1b, %l[fault])
		 : : [pa] "m" (pa) : "memory", "cc" : fault);
	return 0;
fault:
	return -EIO;
}

static int vmx_on(void)
{
	struct page *page = *this_cpu_ptr(vmxon_pages);

	if (__read_cr4() & X86_CR4_VMXE)
		return -EBUSY;
	intel_pt_handle_vmx(1);
	cr4_set_bits(X86_CR4_VMXE);
	if (!vmxon(page_to_phys(page)))
		return 0;
	cr4_clear_bits(X86_CR4_VMXE);
	intel_pt_handle_vmx(0);
	return -EIO;
}

/* Also from NMI context: an instruction that faults because it is off already is stepped over. */
static void vmx_off(void)
{
	if (!(__read_cr4() & X86_CR4_VMXE))
		return;
	asm goto("1: vmxoff\n\t"
		 _ASM_EXTABLE(1b, %l[fault])
		 : : : "memory", "cc" : fault);
fault:
	cr4_clear_bits(X86_CR4_VMXE);
	intel_pt_handle_vmx(0);
}

static int ext_on(void)
{
	return claimed_ext == KEEL_VIRT_SVM ? svm_on() : vmx_on();
}

static void ext_off(void)
{
	if (claimed_ext == KEEL_VIRT_SVM)
		svm_off();
	else
		vmx_off();
}

/*
 * The machine crashes or reboots; interrupts off, often in NMI context, on each CPU. Nothing may
 * be assumed of locks, and the CPU may have been anywhere, between CLGI and STGI too.
 */
static void __maybe_unused emergency_cb(void)
{
	keel_virt_set_rebooting();
	if (!__this_cpu_read(cpu_owned))
		return;
	if (vendor_emergency)
		vendor_emergency();
	ext_off();
	__this_cpu_write(cpu_owned, false);
}

#ifdef HAVE_EMERGENCY_VIRT_CALLBACK

static void emergency_register(void)
{
	cpu_emergency_register_virt_callback(emergency_cb);
}

static void emergency_unregister(void)
{
	cpu_emergency_unregister_virt_callback(emergency_cb);
}

#else

/* An older 6.1: kdump after a crash with VMs running may hang. Nothing to hook into. */
static void emergency_register(void)
{
}

static void emergency_unregister(void)
{
}

#endif

#endif /* HAVE_X86_VIRT_REF */

KEEL_EXPORT(keel_virt_is_rebooting);

int keel_virt_claim(enum keel_virt_ext ext, void (*emergency)(void))
{
	int r;

	if (claimed)
		return -EBUSY;
	claimed_ext = ext;
	vendor_emergency = emergency;
	r = ext_prepare();
	if (r)
		return r;
	emergency_register();
	claimed = true;
	return 0;
}
KEEL_EXPORT(keel_virt_claim);

void keel_virt_release(void)
{
	if (!claimed)
		return;
	emergency_unregister();		/* waits for callbacks that run */
	ext_unprepare();
	vendor_emergency = NULL;
	claimed = false;
}
KEEL_EXPORT(keel_virt_release);

int keel_virt_cpu_get(void)
{
	int r;

	lockdep_assert_irqs_disabled();
	if (__this_cpu_read(cpu_owned))
		return -EBUSY;
	r = ext_on();
	if (!r)
		__this_cpu_write(cpu_owned, true);
	return r;
}
KEEL_EXPORT(keel_virt_cpu_get);

void keel_virt_cpu_put(void)
{
	lockdep_assert_irqs_disabled();
	if (!__this_cpu_read(cpu_owned))
		return;
	__this_cpu_write(cpu_owned, false);
	ext_off();
}
KEEL_EXPORT(keel_virt_cpu_put);
