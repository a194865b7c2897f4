// SPDX-License-Identifier: GPL-2.0-only
/*
 * The VMX-preemption timer (SDM 3C 26.5.1, 27.7.4): it counts down while the guest runs, once each time
 * that one bit of the TSC changes, and exits at 0. It takes the place of a host timer whose
 * interrupt would do nothing but end the guest.
 */
#include <linux/math64.h>
#include <asm/msr-index.h>
#include <asm/processor.h>
#include "virt/compat/compat.h"
#include "virt/compat/compat_x86.h"
#include "arch/x86/vmx/vmx.h"

/* IA32_VMX_MISC bits 4:0: the bit of the TSC that it counts (SDM 3D A.6). */
#define MISC_TIMER_BIT	0x1f

static u8 tsc_bit __ro_after_init;

/*
 * Errata of the first CPUs that have it (AAJ, AAK, AAP, AAX, AAZ of the specification updates of the Core
 * i7-900, the Xeon 5500, 3400 and 7500, and the 32-nm Core i5): it does not count at the rate of the MSR.
 */
static bool counts_wrongly(void)
{
	if (boot_cpu_data.x86 != 6)
		return false;
	switch (boot_cpu_data.x86_model) {
	case 0x1a:
	case 0x1e:
	case 0x1f:
	case 0x25:
	case 0x2e:
		return true;
	default:
		return false;
	}
}

bool __init vmx_timer_usable(u32 pin_may)
{
	u64 misc;

	if (!(pin_may & PIN_BASED_VMX_PREEMPTION_TIMER) || counts_wrongly())
		return false;
	rdmsrq(MSR_IA32_VMX_MISC, misc);
	tsc_bit = misc & MISC_TIMER_BIT;
	return true;
}

/* Takes effect with the next entry. */
void vmx_set_timer(struct x86_vcpu *vcpu, u64 tsc)
{
	to_vmx(vcpu)->timer_tsc = tsc;
}

/* Before each entry, interrupts off. */
void vmx_timer_prepare(struct vmx_vcpu *vmx)
{
	u64 now, left;

	if (!vmx->timer_tsc) {
		vmx_set_ctl(vmx, VC_PIN, vmx->pin_base);
		return;
	}
	/* It stops at the first change of the bit at or behind the wanted time, not before that. */
	now = rdtsc() >> tsc_bit;
	left = (vmx->timer_tsc - 1) >> tsc_bit;
	left = left >= now ? left - now + 1 : 0;
	/* Farther than it can count: an exit on the way does no harm. */
	vmcs_write(VMX_PREEMPTION_TIMER_VALUE, min_t(u64, left, U32_MAX));
	vmx_set_ctl(vmx, VC_PIN, vmx->pin_base | PIN_BASED_VMX_PREEMPTION_TIMER);
}
