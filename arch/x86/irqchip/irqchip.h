/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The interrupt controllers of a VM as the rest of arch/x86 uses them: which
 * are in the kernel, what is pending for a vCPU, INIT and SIPI.
 */
#ifndef KEEL_X86_IRQCHIP_H
#define KEEL_X86_IRQCHIP_H

#include <keel/types.h>
#include <keel/verdict.h>
#include "lapic.h"

struct x86_vm;
struct x86_vcpu;

enum irqchip_mode { IRQCHIP_NONE, IRQCHIP_SPLIT, IRQCHIP_FULL };

struct vm_irqchip {
	u8	mode;		/* enum irqchip_mode; release-stored when creation is complete */
};

struct vcpu_apic {
	struct lapic	lapic;		/* lapic.regs is NULL without an in-kernel APIC */
};

bool irqchip_lapic_in_kernel(const struct x86_vm *vm);		/* split or full */
bool irqchip_has_pic_in_kernel(const struct x86_vm *vm);	/* full */

/* Lifetimes, called by init.c in this order and backwards. */
void irqchip_vm_init(struct x86_vm *vm);
void irqchip_vm_pre_destroy(struct x86_vm *vm);		/* timers and work off; vCPUs still there */
void irqchip_vm_destroy(struct x86_vm *vm);
int irqchip_vcpu_init(struct x86_vcpu *vcpu);		/* local APIC if the VM has one; sets mp_state */
void irqchip_vcpu_postcreate(struct x86_vcpu *vcpu);
void irqchip_vcpu_destroy(struct x86_vcpu *vcpu);
void irqchip_vcpu_reset(struct x86_vcpu *vcpu, bool init);
void irqchip_vcpu_load(struct x86_vcpu *vcpu, int cpu);	/* preemption off: timers may move */
/* The guest's CPUID was set: TSC-deadline and x2APIC follow guest_has(). Own thread. */
void irqchip_cpuid_changed(struct x86_vcpu *vcpu);
/* The guest's TSC jumped or changed its rate: an armed TSC deadline is computed anew. Own thread. */
void irqchip_tsc_changed(struct x86_vcpu *vcpu);

/* Run loop, own thread, interrupts on. */
verdict_t irqchip_handle_requests(struct x86_vcpu *vcpu);	/* SCAN_IOAPIC, IOAPIC_EOI_EXIT, PIT_TIMER, ... */
/* REQ_APIC_INIT_SIPI: do the INIT (vcpu_reset()) and SIPI (vcpu_deliver_sipi()), set mp_state. 0. */
int irqchip_accept_init_sipi(struct x86_vcpu *vcpu);

/* Is an interrupt (LAPIC by PPR, PIC through LVT0 or without LAPIC, split ExtINT) waiting? Few instructions; any thread. */
bool irqchip_irq_pending(struct x86_vcpu *vcpu);
/* Take it into service: vector, or -1. Own thread. */
int irqchip_irq_ack(struct x86_vcpu *vcpu);
/* KVM_INTERRUPT may be called now (kvm_run.ready_for_interrupt_injection). */
bool irqchip_ready_for_user_irq(struct x86_vcpu *vcpu);
/* A pending interrupt is held back by the TPR: CR8 writes must exit (vendor op cr8_intercept). */
void irqchip_update_cr8_intercept(struct x86_vcpu *vcpu);

/* CR8 as the APIC's TPR, or the stored value without an in-kernel APIC: cr.c's keel_get/set_cr8() use these. */
u8 irqchip_get_cr8(struct x86_vcpu *vcpu);
void irqchip_set_cr8(struct x86_vcpu *vcpu, u8 cr8);

u64 irqchip_apic_base(struct x86_vcpu *vcpu);
int irqchip_set_apic_base(struct x86_vcpu *vcpu, u64 val, bool host);	/* 0 or 1 (#GP) */
void irqchip_set_sipi_vector(struct x86_vcpu *vcpu, u8 vector);

/* x2APIC MSRs and TSC deadline: 0 or 1 (#GP). fast_msr_write: interrupts off; true if it was done completely. */
int irqchip_msr_read(struct x86_vcpu *vcpu, u32 index, u64 *val, bool host);
int irqchip_msr_write(struct x86_vcpu *vcpu, u32 index, u64 val, bool host);
bool irqchip_fast_msr_write(struct x86_vcpu *vcpu, u32 index, u64 val);

/* The local APIC's page at the base the guest has set: 0, or -EOPNOTSUPP when @gpa is elsewhere. */
int irqchip_mmio_read(struct x86_vcpu *vcpu, gpa_t gpa, int len, void *val);
int irqchip_mmio_write(struct x86_vcpu *vcpu, gpa_t gpa, int len, const void *val);

/* KVM_CAP_SPLIT_IRQCHIP: -EEXIST, -EINVAL. vm->lock held. */
int irqchip_create_split(struct x86_vm *vm, u32 nr_routes);

extern const struct ioctl_table irqchip_vm_ioctls;
extern const struct ioctl_table irqchip_vcpu_ioctls;

#endif
