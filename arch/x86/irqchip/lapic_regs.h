/* SPDX-License-Identifier: GPL-2.0-only */
/* Registers of the local APIC: offsets in the register page, SDM 3 11.4 and 11.12, APM 2 16.3. */
#ifndef KEEL_IRQCHIP_LAPIC_REGS_H
#define KEEL_IRQCHIP_LAPIC_REGS_H

#define LAPIC_ID		0x020
#define LAPIC_VERSION		0x030
#define LAPIC_TPR		0x080
#define LAPIC_APR		0x090
#define LAPIC_PPR		0x0a0
#define LAPIC_EOI		0x0b0
#define LAPIC_RRD		0x0c0
#define LAPIC_LDR		0x0d0
#define LAPIC_DFR		0x0e0
#define LAPIC_SVR		0x0f0
#define LAPIC_ISR		0x100		/* 8 registers of 32 vectors each */
#define LAPIC_TMR		0x180
#define LAPIC_IRR		0x200
#define LAPIC_ESR		0x280
#define LAPIC_LVT_CMCI		0x2f0
#define LAPIC_ICR		0x300
#define LAPIC_ICR2		0x310
#define LAPIC_LVT_TIMER		0x320
#define LAPIC_LVT_THERMAL	0x330
#define LAPIC_LVT_PC		0x340
#define LAPIC_LVT0		0x350
#define LAPIC_LVT1		0x360
#define LAPIC_LVT_ERROR		0x370
#define LAPIC_TMICT		0x380
#define LAPIC_TMCCT		0x390
#define LAPIC_TDCR		0x3e0
#define LAPIC_SELF_IPI		0x3f0

#define LAPIC_REGS_SIZE		0x400		/* struct kvm_lapic_state */

#define LAPIC_X2APIC_MSR	0x800		/* MSR of offset 0; one MSR per 16 bytes */

#define SVR_ENABLED		BIT(8)
#define SVR_FOCUS_OFF		BIT(9)
#define SVR_EOI_SUPPRESS	BIT(12)
#define VERSION_EOI_SUPPRESS	BIT(24)

#define LVT_VECTOR		0xffu
#define LVT_MODE(v)		((v) >> 8 & 7)
#define LVT_PENDING		BIT(12)		/* delivery status, read-only */
#define LVT_POLARITY		BIT(13)
#define LVT_REMOTE_IRR		BIT(14)		/* read-only */
#define LVT_LEVEL		BIT(15)
#define LVT_MASKED		BIT(16)

/* Delivery modes: LVTs, ICR, I/O APIC entries, MSI data. */
enum {
	DM_FIXED	= 0,
	DM_LOWEST	= 1,
	DM_SMI		= 2,
	DM_RESERVED	= 3,
	DM_NMI		= 4,
	DM_INIT		= 5,
	DM_SIPI		= 6,
	DM_EXTINT	= 7,
};

/* Timer modes: LVT timer bits 18:17. */
enum {
	LVTT_ONESHOT	= 0,
	LVTT_PERIODIC	= 1,
	LVTT_DEADLINE	= 2,
};

#define ICR_BUSY		BIT(12)
#define ICR_LEVEL_ASSERT	BIT(14)
#define ICR_TRIGGER_LEVEL	BIT(15)
#define ICR_LOGICAL		BIT(11)
#define ICR_RESERVED		(BIT(13) | BIT(16) | BIT(17) | GENMASK(31, 20))

enum { SHORTHAND_NONE, SHORTHAND_SELF, SHORTHAND_ALL, SHORTHAND_OTHERS };

#define ESR_SEND_VECTOR		BIT(5)
#define ESR_RECV_VECTOR		BIT(6)
#define ESR_REGISTER		BIT(7)

#define DFR_FLAT		0xfu		/* bits 31:28 */
#define DFR_CLUSTER		0x0u

#define XAPIC_BROADCAST		0xffu
#define X2APIC_BROADCAST	0xffffffffu

/* IA32_APIC_BASE (MSR 0x1b) */
#define APIC_BASE_BSP		BIT_ULL(8)
#define APIC_BASE_EXTD		BIT_ULL(10)
#define APIC_BASE_EN		BIT_ULL(11)
#define APIC_BASE_ADDR		0x000ffffffffff000ull
#define APIC_BASE_DEFAULT	0xfee00000ull

#endif
