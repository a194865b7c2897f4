/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The interrupt controllers of a VM as the rest of arch/x86 uses them: which
 * are in the kernel, what is pending for a vCPU, INIT and SIPI.
 */
#ifndef KEEL_X86_IRQCHIP_H
#define KEEL_X86_IRQCHIP_H

#include <linux/hrtimer.h>
#include <linux/mutex.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>
#include <keel/types.h>
#include <keel/verdict.h>
#include <keel/io_bus.h>
#include <keel/irq_routing.h>
#include "lapic.h"
#include "ioapic.h"
#include "pic.h"
#include "pit.h"

struct x86_vm;
struct x86_vcpu;
struct ioctl_table;
struct ioctl_ctx;

/*
 * To so many vCPUs an interrupt may be offered one after the other with the host's interrupts off; to more of them
 * only by a thread.
 */
#define IRQCHIP_FEW_VCPUS	16

enum irqchip_mode { IRQCHIP_NONE, IRQCHIP_SPLIT, IRQCHIP_FULL };

/*
 * Lock order of the devices: pit.lock -> { pic.lock, ioapic.lock }. All are taken with interrupts
 * off: timers and irqfds raise interrupts in hard interrupt context. Acknowledge notifiers run
 * with none of them held.
 */
struct vm_pic {
	raw_spinlock_t	lock;
	struct pic	pic;		/* lock */
	bool		was_out;	/* lock: state of the output that the vCPUs know of */
	struct io_device dev;
};

struct vm_ioapic {
	raw_spinlock_t	lock;
	struct ioapic	io;		/* lock */
	u32		ack_pins;	/* lock: pins whose EOI somebody waits for */
	struct mutex	ack_mutex;	/* whoever computes ack_pins anew */
	struct hrtimer	hold_timer;
	struct work_struct release;	/* the timer's, where there are many vCPUs */
	struct io_device dev;
};

struct vm_pit {
	raw_spinlock_t	lock;
	struct pit	pit;		/* lock */
	struct hrtimer	timer;
	struct work_struct tick;	/* the timer's, where there are many vCPUs */
	struct irq_ack_notifier ack;
	struct io_device dev, speaker_dev;
	bool		exists;		/* release-stored when creation is complete */
};

/* The devices lie in the VM object: nothing to allocate, nothing to free too early. */
struct vm_irqchip {
	u8	mode;		/* enum irqchip_mode; release-stored when creation is complete */
	u32	bus_ns;		/* [c] of the local APICs' timers; 0: LAPIC_BUS_NS */
	u32	split_pins;	/* GSIs of the I/O APIC in userspace, from 0 */
	unsigned long split_level[4];	/* [x] vectors that these raise as levels */
	struct lapic_domain domain;
	struct mutex	grow_mutex;	/* replaces the map */
	spinlock_t	map_lock;	/* rewrites it, after grow_mutex */
	atomic_t	lint0_nmi;	/* local APICs whose LVT0 is an NMI: the PIT as watchdog */
	struct vm_pic	pic;
	struct vm_ioapic ioapic;
	struct vm_pit	pit;
};

enum { APIC_EVENT_INIT, APIC_EVENT_SIPI };

struct vcpu_apic {
	struct lapic	lapic;		/* without in-kernel APIC regs is NULL, base good */
	unsigned long	pending_events;	/* [x] APIC_EVENT_* */
	u8		sipi_vector;	/* [x] */
	bool		pv_eoi_armed;	/* [v] the guest may end the interrupt in memory */
	u8		eoi_vector;	/* [v] of REQ_IOAPIC_EOI_EXIT */
	u8		user_cr8;	/* [v] CR8 without an in-kernel APIC */
	s8		cr8_exits;	/* [v] what the vendor was told last, -1: nothing yet */
	int		timer_cpu;	/* [v] where the timer was started */
	u64		countdown_tsc;	/* [v] host TSC when the timer ends the guest; 0: the hrtimer's */
	u64		countdown_shift; /* [v] tsc_suspend_shift() of that */
	struct hrtimer	timer;
	gpa_t		vapic_addr;	/* [v] KVM_SET_VAPIC_ADDR: TPR in guest memory, or 0 */
	struct {			/* [v] */
		bool	on;		/* KVM_TPR_ACCESS_REPORTING */
		bool	write;
		u64	rip;
	} tpr_report;
};

bool irqchip_lapic_in_kernel(const struct x86_vm *vm);		/* split or full */
bool irqchip_has_pic_in_kernel(const struct x86_vm *vm);	/* full */

/* Lifetimes, called by init.c in this order and backwards. */
void irqchip_vm_init(struct x86_vm *vm);
void irqchip_vm_pre_destroy(struct x86_vm *vm);		/* timers and work off; vCPUs still there */
void irqchip_vm_destroy(struct x86_vm *vm);
/* The local APIC if the VM has one; sets mp_state. -ENOMEM. */
int irqchip_vcpu_init(struct x86_vcpu *vcpu);
void irqchip_vcpu_postcreate(struct x86_vcpu *vcpu);
void irqchip_vcpu_destroy(struct x86_vcpu *vcpu);
void irqchip_vcpu_reset(struct x86_vcpu *vcpu, bool init);
void irqchip_vcpu_load(struct x86_vcpu *vcpu, int cpu);	/* preemption off: timers may move */
/* The guest's CPUID was set: TSC-deadline and x2APIC follow guest_has(). Own thread. */
void irqchip_cpuid_changed(struct x86_vcpu *vcpu);
/* The guest's TSC jumped or changed its rate: an armed deadline is computed anew. Own thread. */
void irqchip_tsc_changed(struct x86_vcpu *vcpu);

/* The countdown that ends the guest may have expired: deliver it before its state is read. Own thread. */
void irqchip_timer_settle(struct x86_vcpu *vcpu);
/* Between the two the timer stands still, and what has expired by then is in IRR: for who reads the registers. [v] */
void irqchip_timer_pause(struct x86_vcpu *vcpu);
void irqchip_timer_resume(struct x86_vcpu *vcpu);
/* countdown_tsc is not 0, and the vCPU is about to sleep: the hrtimer takes over. */
void __irqchip_timer_to_host(struct x86_vcpu *vcpu);

/* Run loop, own thread, interrupts on. */
/* REQ_IOAPIC_EOI_EXIT, REQ_TPR_ACCESS. */
verdict_t irqchip_handle_requests(struct x86_vcpu *vcpu);
/* REQ_APIC_INIT_SIPI: vcpu_reset() for INIT, vcpu_deliver_sipi() for SIPI, mp_state. 0. */
int irqchip_accept_init_sipi(struct x86_vcpu *vcpu);

/* Is an interrupt of the LAPIC (by PPR) or the PIC (by LVT0) waiting? Any thread. */
bool irqchip_irq_pending(struct x86_vcpu *vcpu);
/* The same, but for those that the CPU delivers by itself. Own thread. */
bool irqchip_irq_to_inject(struct x86_vcpu *vcpu);
/* Take it into service: vector, or -1. Own thread. */
int irqchip_irq_ack(struct x86_vcpu *vcpu);
/* KVM_INTERRUPT has a way into the guest, once it takes interrupts: no APIC of ours, or LVT0 lets ExtINT in. */
bool irqchip_takes_user_irq(struct x86_vcpu *vcpu);
/* KVM_INTERRUPT may be called now (kvm_run.ready_for_interrupt_injection). */
bool irqchip_ready_for_user_irq(struct x86_vcpu *vcpu);
/* A pending interrupt is held back by the TPR: CR8 writes must exit (vendor op cr8_intercept). */
void irqchip_update_cr8_intercept(struct x86_vcpu *vcpu);

/* vapic_addr is not 0: the guest may have changed its TPR there. Before events; may sleep. */
void irqchip_vapic_read(struct x86_vcpu *vcpu);

/*
 * pv_eoi.c. sync: after every exit, before anything looks at the APIC, if pv_eoi_armed; arm: when
 * events were decided and MSR_KVM_PV_EOI_EN is on. Both may sleep. set: the MSR, 0 or 1 (#GP).
 */
void __irqchip_pv_eoi_sync(struct x86_vcpu *vcpu);
void __irqchip_pv_eoi_arm(struct x86_vcpu *vcpu);
int irqchip_pv_eoi_set(struct x86_vcpu *vcpu, u64 val);

/* CR8 as the APIC's TPR, or the stored value without an in-kernel APIC: for cr.c. */
u8 irqchip_get_cr8(struct x86_vcpu *vcpu);
void irqchip_set_cr8(struct x86_vcpu *vcpu, u8 cr8);

u64 irqchip_apic_base(struct x86_vcpu *vcpu);
int irqchip_set_apic_base(struct x86_vcpu *vcpu, u64 val, bool host);	/* 0 or 1 (#GP) */
void irqchip_set_sipi_vector(struct x86_vcpu *vcpu, u8 vector);
/* KVM_SET_MP_STATE: SIPI_RECEIVED is INIT_RECEIVED with a SIPI pending. */
void irqchip_pend_sipi(struct x86_vcpu *vcpu);
/* INIT was held back (SMM); that is over. Own thread. */
void irqchip_unblock_init(struct x86_vcpu *vcpu);
/* The performance counters overflowed: LVT PC, which is masked then (SDM 3 11.5.1). Own thread. */
void irqchip_pmi(struct x86_vcpu *vcpu);

/*
 * x2APIC MSRs and TSC deadline: 0 or 1 (#GP). fast_msr_write: interrupts off; true if it was done
 * completely.
 */
int irqchip_msr_read(struct x86_vcpu *vcpu, u32 index, u64 *val, bool host);
int irqchip_msr_write(struct x86_vcpu *vcpu, u32 index, u64 val, bool host);
bool irqchip_fast_msr_write(struct x86_vcpu *vcpu, u32 index, u64 val);

/* The local APIC's page at the base the guest has set: 0, or -EOPNOTSUPP when @gpa is elsewhere. */
int irqchip_mmio_read(struct x86_vcpu *vcpu, gpa_t gpa, int len, void *val);
int irqchip_mmio_write(struct x86_vcpu *vcpu, gpa_t gpa, int len, const void *val);

/* KVM_CAP_X2APIC_API changed vm->x2apic_format or x2apic_broadcast_off. */
void irqchip_api_changed(struct x86_vm *vm);

/* KVM_CAP_SPLIT_IRQCHIP: -EEXIST, -EINVAL. vm->lock held. */
int irqchip_create_split(struct x86_vm *vm, u32 nr_routes);
/* ns of a tick of the APIC timers' bus. 0, -ENXIO without local APICs, -EINVAL: too long, too late. vm->lock. */
int irqchip_set_bus_ns(struct x86_vm *vm, u64 ns);

/*
 * hw_apic.c: the CPU keeps the register page while the guest runs. keel_apic_hw() decides whether it does
 * from now on, for update_intercepts. Own thread, interrupts on.
 */
bool keel_apic_hw(struct x86_vcpu *vcpu);
/* Before an entry, interrupts off: the highest vector requested, and in bits 15:8 that in service; 0: none. */
u16 keel_apic_to_hw(struct x86_vcpu *vcpu);
/*
 * After an exit, interrupts off. @changed: that number is not what it was, or something is requested, and
 * more may have been below it.
 */
void keel_apic_from_hw(struct x86_vcpu *vcpu, bool changed);
/* The vectors whose EOI is to exit, if they may have changed since the last call. Interrupts off. */
bool keel_apic_eoi_exits(struct x86_vcpu *vcpu, u64 map[4]);
/* The guest has ended @vector, or written the register at @offset, without help. */
verdict_t keel_exit_apic_eoi(struct x86_vcpu *vcpu, u8 vector);
verdict_t keel_exit_apic_write(struct x86_vcpu *vcpu, u32 offset);
/* Maps the VM's APIC-access page where @gfn is its place and the vCPU may use it. True: it is mapped. */
bool irqchip_map_access_page(struct x86_vcpu *vcpu, gfn_t gfn);
#define APIC_ACCESS_GFN		(APIC_BASE_DEFAULT >> 12)

extern const struct ioctl_table irqchip_vm_ioctls;
extern const struct ioctl_table irqchip_pit_ioctls;	/* of the VM too */
extern const struct ioctl_table irqchip_vcpu_ioctls;

/* ---- inside arch/x86/irqchip ---- */
void irqchip_timer_init(struct x86_vcpu *vcpu);
/* Wake and look at events: @vcpu has something to take. Any context. */
void irqchip_kick(struct x86_vcpu *vcpu);
int irqchip_deliver(struct x86_vm *vm, struct lapic *src, const struct apic_msg *m);
long vm_signal_msi(struct ioctl_ctx *c);	/* KVM_SIGNAL_MSI */

void pic_dev_init(struct x86_vm *vm);
int pic_dev_create(struct x86_vm *vm);		/* vm->lock held */
void pic_dev_detach(struct x86_vm *vm);		/* unwind a creation */
int pic_dev_set_irq(struct x86_vm *vm, unsigned int pin, int source, int level);
int pic_dev_ack(struct x86_vm *vm);		/* INTA: the vector, -1 without a PIC */
void pic_dev_get(struct x86_vm *vm, unsigned int chip, struct kvm_pic_state *s);
void pic_dev_set(struct x86_vm *vm, unsigned int chip, const struct kvm_pic_state *s);

void ioapic_dev_init(struct x86_vm *vm);
int ioapic_dev_create(struct x86_vm *vm);
void ioapic_dev_stop(struct x86_vm *vm);
int ioapic_dev_set_irq(struct x86_vm *vm, unsigned int pin, int source, int level, bool status);
void ioapic_dev_eoi(struct x86_vm *vm, u8 vector);
void ioapic_dev_ack_pins_changed(struct x86_vm *vm);
void ioapic_dev_get(struct x86_vm *vm, struct kvm_ioapic_state *s);
void ioapic_dev_set(struct x86_vm *vm, const struct kvm_ioapic_state *s);

void pit_dev_init(struct x86_vm *vm);
void pit_dev_stop(struct x86_vm *vm);
void pit_dev_unmasked(struct x86_vm *vm);	/* the guest unmasked the PIT's line */

extern unsigned int keel_min_timer_period_us;

#endif
