// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a vCPU asks of its interrupt controllers while it runs: pending
 * interrupts, registers by MMIO and MSR, CR8; and the ioctls of its local APIC.
 */
#include <linux/mm.h>
#include <linux/string.h>
#include <asm/kvm_para.h>
#include <keel/guest_mem.h>
#include <keel/ioctl.h>
#include "virt/compat/compat.h"
#include "arch/x86/x86.h"
#include "arch/x86/trace.h"

#define MSR_TSC_DEADLINE	0x6e0
#define MSR_X2APIC_FIRST	LAPIC_X2APIC_MSR
#define MSR_X2APIC_LAST		(LAPIC_X2APIC_MSR + 0xff)
#define MSR_X2APIC(reg)		(LAPIC_X2APIC_MSR + (reg) / 16)

#define APIC_PAGE_SIZE		0x1000

/* ---- interrupts ---- */

static bool extint_pending(struct x86_vcpu *vcpu)
{
	const struct lapic *a = &vcpu->apic.lapic;
	const struct vm_irqchip *chip = &vcpu_vm(vcpu)->irqchip;

	if (likely(!READ_ONCE(a->extint_ok) && !READ_ONCE(a->extint_msg)))
		return false;
	return chip->mode == IRQCHIP_FULL && READ_ONCE(chip->pic.pic.out);
}

bool irqchip_irq_pending(struct x86_vcpu *vcpu)
{
	const struct lapic *a = &vcpu->apic.lapic;

	if (unlikely(!a->regs))
		return false;
	return lapic_pending(a) >= 0 || extint_pending(vcpu);
}

/* The CPU's own deliveries are nobody's business. */
bool irqchip_irq_to_inject(struct x86_vcpu *vcpu)
{
	return vcpu->apic.lapic.hw ? extint_pending(vcpu) : irqchip_irq_pending(vcpu);
}

int irqchip_irq_ack(struct x86_vcpu *vcpu)
{
	struct lapic *a = &vcpu->apic.lapic;

	if (unlikely(!a->regs))
		return -1;
	/* ExtINT goes past priorities, so it goes first. */
	if (unlikely(extint_pending(vcpu))) {
		WRITE_ONCE(a->extint_msg, false);
		return pic_dev_ack(vcpu_vm(vcpu));
	}
	return a->hw ? -1 : lapic_ack(a);
}

bool irqchip_takes_user_irq(struct x86_vcpu *vcpu)
{
	enum irqchip_mode mode = vcpu_vm(vcpu)->irqchip.mode;

	return mode == IRQCHIP_NONE || (mode == IRQCHIP_SPLIT && READ_ONCE(vcpu->apic.lapic.extint_ok));
}

bool irqchip_ready_for_user_irq(struct x86_vcpu *vcpu)
{
	/* With the PIC in the kernel nobody may call KVM_INTERRUPT, so nobody has to wait. */
	if (vcpu_vm(vcpu)->irqchip.mode == IRQCHIP_FULL)
		return true;
	return irqchip_takes_user_irq(vcpu) && event_ready_for_user_irq(vcpu);
}

/* Held back by the TPR alone? Then the guest's next change of CR8 is of interest. */
static bool cr8_of_interest(const struct lapic *a)
{
	int irr = a->hw ? -1 : lapic_highest_irr(a);

	return irr >= 0 && (irr & 0xf0) <= (lapic_get(a, LAPIC_TPR) & 0xf0);
}

/*
 * The TPR of patched 32-bit guests lies in memory, where they read and write
 * it without an exit: byte 0 TPR, byte 1 class in service, byte 3 highest
 * request. They exit by themselves when a lower TPR lets that request
 * through. If the memory is taken away they lose their TPR, not more.
 */
void irqchip_vapic_read(struct x86_vcpu *vcpu)
{
	u32 data;

	vcpu->ev.check = true;
	if (!vcpu_read_guest(&vcpu->v, vcpu->apic.vapic_addr, &data, sizeof(data)))
		lapic_set_tpr(&vcpu->apic.lapic, data);
}

static void vapic_write(struct x86_vcpu *vcpu)
{
	const struct lapic *a = &vcpu->apic.lapic;
	u32 isr = max(lapic_highest_isr(a), 0), irr = max(lapic_highest_irr(a), 0);
	u32 data = (lapic_get(a, LAPIC_TPR) & 0xff) | (isr & 0xf0) << 8 | irr << 24;

	vcpu_write_guest(&vcpu->v, vcpu->apic.vapic_addr, &data, sizeof(data));
}

void irqchip_update_cr8_intercept(struct x86_vcpu *vcpu)
{
	const struct lapic *a = &vcpu->apic.lapic;
	/* With the APIC in userspace the VMM follows every change. */
	s8 want = a->regs ? cr8_of_interest(a) : 1;

	if (unlikely(vcpu->apic.vapic_addr))
		vapic_write(vcpu);
	/* Where the CPU ends interrupts without an exit nothing is gained. */
	if (vcpu->msr.pv_eoi & KVM_MSR_ENABLED && !a->hw)
		__irqchip_pv_eoi_arm(vcpu);
	if (likely(vcpu->apic.cr8_exits == want))
		return;
	vcpu->apic.cr8_exits = want;
	vendor_call(cr8_intercept)(vcpu, want);
}

verdict_t irqchip_handle_requests(struct x86_vcpu *vcpu)
{
	struct kvm_run *run = vcpu->v.run;

	if (vcpu_take_request(&vcpu->v, REQ_SCAN_IOAPIC))
		WRITE_ONCE(vcpu->apic.lapic.eoi_stale, true);
	if (vcpu_take_request(&vcpu->v, REQ_IOAPIC_EOI_EXIT)) {
		run->exit_reason = KVM_EXIT_IOAPIC_EOI;
		run->eoi.vector = vcpu->apic.eoi_vector;
		return VERDICT_USER;
	}
	if (vcpu_take_request(&vcpu->v, REQ_TPR_ACCESS)) {
		run->exit_reason = KVM_EXIT_TPR_ACCESS;
		run->tpr_access.rip = vcpu->apic.tpr_report.rip;
		run->tpr_access.is_write = vcpu->apic.tpr_report.write;
		return VERDICT_USER;
	}
	return VERDICT_RESUME;
}

void irqchip_pmi(struct x86_vcpu *vcpu)
{
	struct lapic *a = &vcpu->apic.lapic;

	if (!a->regs || lapic_local_deliver(a, LAPIC_LVT_PC) < 0)
		return;
	lapic_put(a, LAPIC_LVT_PC, lapic_get(a, LAPIC_LVT_PC) | LVT_MASKED);
}

/* ---- CR8, APIC base ---- */

u8 irqchip_get_cr8(struct x86_vcpu *vcpu)
{
	const struct lapic *a = &vcpu->apic.lapic;

	return a->regs ? lapic_get(a, LAPIC_TPR) >> 4 & 15 : vcpu->apic.user_cr8;
}

void irqchip_set_cr8(struct x86_vcpu *vcpu, u8 cr8)
{
	struct lapic *a = &vcpu->apic.lapic;

	cr8 &= 15;
	if (!a->regs)
		vcpu->apic.user_cr8 = cr8;
	else if (irqchip_get_cr8(vcpu) != cr8)
		lapic_set_tpr(a, cr8 << 4);
}

u64 irqchip_apic_base(struct x86_vcpu *vcpu)
{
	return vcpu->apic.lapic.base;
}

int irqchip_set_apic_base(struct x86_vcpu *vcpu, u64 val, bool host)
{
	struct lapic *a = &vcpu->apic.lapic;
	/* SDM 3 figure 11-5: bits 7:0 and 9 are reserved. */
	u64 reserved = vcpu->cpuid.rsvd_gpa | 0x2ff;
	u64 old = a->base;

	if (!guest_has(vcpu, X86_FEATURE_X2APIC))
		reserved |= APIC_BASE_EXTD;
	if (!a->regs) {
		if (!lapic_base_ok(old, val, reserved, host))
			return 1;
		a->base = val;
	} else if (lapic_set_base(a, val, reserved, host)) {
		return 1;
	}
	if (old != val) {
		/* CPUID.1:EDX.APIC follows the enable bit; MSR intercepts the mode, the hardware's page the address. */
		cpuid_runtime_changed(&vcpu->cpuid);
		vcpu_request(&vcpu->v, REQ_INTERCEPTS);
	}
	return 0;
}

/* ---- MSRs ---- */

static bool is_x2apic_msr(u32 index)
{
	return index >= MSR_X2APIC_FIRST && index <= MSR_X2APIC_LAST;
}

int irqchip_msr_read(struct x86_vcpu *vcpu, u32 index, u64 *val, bool host)
{
	struct lapic *a = &vcpu->apic.lapic;
	int ret;

	*val = 0;
	if (index == MSR_TSC_DEADLINE) {
		irqchip_timer_settle(vcpu);
		if (a->regs)
			*val = lapic_timer_get_deadline(a);
		return 0;
	}
	if (!a->regs || !is_x2apic_msr(index))
		return 1;
	ret = lapic_msr_read(a, index, val);
	trace_kvm_apic_read((index - LAPIC_X2APIC_MSR) << 4, *val);
	return ret;
}

int irqchip_msr_write(struct x86_vcpu *vcpu, u32 index, u64 val, bool host)
{
	struct lapic *a = &vcpu->apic.lapic;

	if (index == MSR_TSC_DEADLINE) {
		if (a->regs)
			lapic_timer_set_deadline(a, val);
		return 0;
	}
	if (!a->regs || !is_x2apic_msr(index))
		return 1;
	trace_kvm_apic_write((index - LAPIC_X2APIC_MSR) << 4, val);
	return lapic_msr_write(a, index, val);
}

/* An IPI to a few: what guests send all day. */
static bool simple_icr(u64 val)
{
	u32 low = val, dest = val >> 32;

	if ((low & ICR_RESERVED) || (low >> 8 & 7) != DM_FIXED || (low >> 18 & 3) > SHORTHAND_SELF)
		return false;
	return dest != X2APIC_BROADCAST;
}

bool irqchip_fast_msr_write(struct x86_vcpu *vcpu, u32 index, u64 val)
{
	struct lapic *a = &vcpu->apic.lapic;

	if (unlikely(!a->regs))
		return false;
	if (index == MSR_TSC_DEADLINE) {
		if (a->timer.mode != LVTT_DEADLINE || !a->tsc_deadline_offered)
			return false;
		lapic_timer_set_deadline(a, val);
		return true;
	}
	if (a->mode != LAPIC_X2APIC)
		return false;
	switch (index) {
	case MSR_X2APIC(LAPIC_ICR):
		if (!simple_icr(val))
			return false;
		break;
	case MSR_X2APIC(LAPIC_EOI):
		/* One that the guest has ended in memory comes before this one. Other values than 0 are #GP. */
		if (vcpu->apic.pv_eoi_armed || val || a->hw || !lapic_eoi_alone(a))
			return false;
		trace_kvm_apic_write(LAPIC_EOI, 0);
		return true;
	case MSR_X2APIC(LAPIC_SELF_IPI):
		break;
	default:
		return false;
	}
	/* #GP is for the slow path. */
	if (lapic_msr_write(a, index, val))
		return false;
	trace_kvm_apic_write((index - LAPIC_X2APIC_MSR) << 4, val);
	return true;
}

/* ---- the register page ---- */

/* 0: @offset of @gpa in the page; else as irqchip_mmio_read(), @hole: the answer is all ones. */
static int page_offset_of(struct x86_vcpu *vcpu, gpa_t gpa, int len, u32 *offset, bool *hole)
{
	const struct lapic *a = &vcpu->apic.lapic;
	u64 off = gpa - (a->base & APIC_BASE_ADDR);

	if (!a->regs || off >= APIC_PAGE_SIZE || off + len > APIC_PAGE_SIZE)
		return -EOPNOTSUPP;
	*offset = off;
	*hole = a->mode != LAPIC_XAPIC;
	/* api.rst, KVM_X86_QUIRK_LAPIC_MMIO_HOLE: the page is there in every mode. */
	if (*hole && vcpu_vm(vcpu)->disabled_quirks & KVM_X86_QUIRK_LAPIC_MMIO_HOLE)
		return -EOPNOTSUPP;
	return 0;
}

static void report_tpr(struct x86_vcpu *vcpu, u32 offset, bool write)
{
	if (likely(!vcpu->apic.tpr_report.on || offset != LAPIC_TPR))
		return;
	vcpu->apic.tpr_report.rip = st_read(vcpu, ST_RIP)->rip;
	vcpu->apic.tpr_report.write = write;
	vcpu_request(&vcpu->v, REQ_TPR_ACCESS);
}

int irqchip_mmio_read(struct x86_vcpu *vcpu, gpa_t gpa, int len, void *val)
{
	u32 offset;
	bool hole;

	if (page_offset_of(vcpu, gpa, len, &offset, &hole))
		return -EOPNOTSUPP;
	if (hole) {
		memset(val, 0xff, len);
		return 0;
	}
	lapic_mmio_read(&vcpu->apic.lapic, offset, len, val);
	if (trace_kvm_apic_enabled()) {
		u64 data = 0;

		memcpy(&data, val, len);
		trace_kvm_apic_read(offset, data);
	}
	report_tpr(vcpu, offset, false);
	return 0;
}

int irqchip_mmio_write(struct x86_vcpu *vcpu, gpa_t gpa, int len, const void *val)
{
	u32 offset;
	bool hole;

	if (page_offset_of(vcpu, gpa, len, &offset, &hole))
		return -EOPNOTSUPP;
	if (hole)
		return 0;
	if (trace_kvm_apic_enabled()) {
		u64 data = 0;

		memcpy(&data, val, len);
		trace_kvm_apic_write(offset, data);
	}
	lapic_mmio_write(&vcpu->apic.lapic, offset, len, val);
	report_tpr(vcpu, offset, true);
	return 0;
}

/* ---- ioctls ---- */

static long vcpu_get_lapic(struct ioctl_ctx *c)
{
	struct lapic *a = &to_x86(c->vcpu)->apic.lapic;

	if (!a->regs)
		return -EINVAL;
	if (unlikely(to_x86(c->vcpu)->apic.vapic_addr))
		irqchip_vapic_read(to_x86(c->vcpu));
	/* A one-shot timer that ends meanwhile would be in neither: its interrupt not yet in IRR, TMCCT 0 already. */
	irqchip_timer_pause(to_x86(c->vcpu));
	lapic_get_state(a, c->data);
	irqchip_timer_resume(to_x86(c->vcpu));
	return 0;
}

static long vcpu_set_lapic(struct ioctl_ctx *c)
{
	struct lapic *a = &to_x86(c->vcpu)->apic.lapic;

	return a->regs ? lapic_set_state(a, c->data) : -EINVAL;
}

static long vcpu_tpr_access_reporting(struct ioctl_ctx *c)
{
	const struct kvm_tpr_access_ctl *ctl = c->data;

	if (ctl->flags)
		return -EINVAL;
	to_x86(c->vcpu)->apic.tpr_report.on = ctl->enabled;
	vcpu_request(c->vcpu, REQ_INTERCEPTS);
	return 0;
}

/* In guest memory, inside one page: later accesses go through the slots each time. */
static long vcpu_set_vapic_addr(struct ioctl_ctx *c)
{
	struct x86_vcpu *vcpu = to_x86(c->vcpu);
	u64 addr = ((const struct kvm_vapic_addr *)c->data)->vapic_addr;

	if (!vcpu->apic.lapic.regs)
		return -EINVAL;
	if (addr && (offset_in_page(addr) > PAGE_SIZE - sizeof(u32) ||
		     !vcpu_gpa_is_ram(&vcpu->v, addr, true)))
		return -EINVAL;
	vcpu->apic.vapic_addr = addr;
	vcpu_request(&vcpu->v, REQ_INTERCEPTS);
	return 0;
}

static const struct ioctl_row irqchip_vcpu_ioctls_rows[] = {
	{ KVM_GET_LAPIC,		IOC_VCPU_NOLOAD | IOC_FILLS, vcpu_get_lapic },
	{ KVM_SET_LAPIC,		IOC_VCPU,	vcpu_set_lapic },
	{ KVM_TPR_ACCESS_REPORTING,	IOC_VCPU,	vcpu_tpr_access_reporting },
	{ KVM_SET_VAPIC_ADDR,		IOC_VCPU,	vcpu_set_vapic_addr },
};
IOCTL_TABLE(irqchip_vcpu_ioctls);
