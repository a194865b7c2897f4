/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * struct kvm_run, the page that a vCPU shares with userspace, and the exit reasons it carries.
 * Include <uapi/keel/kvm.h>, not this file.
 *
 * Userspace may write to all of it at any time. The kernel reads each input once, into a variable
 * of its own, before it is checked.
 */
#ifndef _UAPI_KEEL_KVM_RUN_H
#define _UAPI_KEEL_KVM_RUN_H

#include <linux/types.h>
#include "kvm_x86.h"

#define KVM_EXIT_UNKNOWN		0
#define KVM_EXIT_EXCEPTION		1
#define KVM_EXIT_IO			2
#define KVM_EXIT_HYPERCALL		3
#define KVM_EXIT_DEBUG			4
#define KVM_EXIT_HLT			5
#define KVM_EXIT_MMIO			6
#define KVM_EXIT_IRQ_WINDOW_OPEN	7
#define KVM_EXIT_SHUTDOWN		8
#define KVM_EXIT_FAIL_ENTRY		9
#define KVM_EXIT_INTR			10
#define KVM_EXIT_SET_TPR		11
#define KVM_EXIT_TPR_ACCESS		12
#define KVM_EXIT_NMI			16
#define KVM_EXIT_INTERNAL_ERROR		17
#define KVM_EXIT_WATCHDOG		21
#define KVM_EXIT_SYSTEM_EVENT		24
#define KVM_EXIT_IOAPIC_EOI		26
#define KVM_EXIT_HYPERV			27
#define KVM_EXIT_X86_RDMSR		29
#define KVM_EXIT_X86_WRMSR		30
#define KVM_EXIT_DIRTY_RING_FULL	31
#define KVM_EXIT_AP_RESET_HOLD		32
#define KVM_EXIT_X86_BUS_LOCK		33
#define KVM_EXIT_XEN			34
#define KVM_EXIT_NOTIFY			37
#define KVM_EXIT_MEMORY_FAULT		39

/* kvm_run.internal.suberror */
#define KVM_INTERNAL_ERROR_EMULATION			1
#define KVM_INTERNAL_ERROR_SIMUL_EX			2
#define KVM_INTERNAL_ERROR_DELIVERY_EV			3
#define KVM_INTERNAL_ERROR_UNEXPECTED_EXIT_REASON	4

/* kvm_run.emulation_failure.flags */
#define KVM_INTERNAL_ERROR_EMULATION_FLAG_INSTRUCTION_BYTES	(1ULL << 0)

/* kvm_run.io.direction */
#define KVM_EXIT_IO_IN	0
#define KVM_EXIT_IO_OUT	1

/* kvm_run.system_event.type */
#define KVM_SYSTEM_EVENT_SHUTDOWN	1
#define KVM_SYSTEM_EVENT_RESET		2
#define KVM_SYSTEM_EVENT_CRASH		3
#define KVM_SYSTEM_EVENT_WAKEUP		4
#define KVM_SYSTEM_EVENT_SUSPEND	5
#define KVM_SYSTEM_EVENT_SEV_TERM	6

/* kvm_run.msr.reason; also the argument of KVM_CAP_X86_USER_SPACE_MSR */
#define KVM_MSR_EXIT_REASON_INVAL	(1 << 0)
#define KVM_MSR_EXIT_REASON_UNKNOWN	(1 << 1)
#define KVM_MSR_EXIT_REASON_FILTER	(1 << 2)
#define KVM_MSR_EXIT_REASON_VALID_MASK \
	(KVM_MSR_EXIT_REASON_INVAL | KVM_MSR_EXIT_REASON_UNKNOWN | KVM_MSR_EXIT_REASON_FILTER)

/* kvm_run.notify.flags, kvm_run.memory_fault.flags */
#define KVM_NOTIFY_CONTEXT_INVALID	(1 << 0)
#define KVM_MEMORY_EXIT_FLAG_PRIVATE	(1ULL << 3)

/* kvm_hyperv_exit.type, kvm_xen_exit.type */
#define KVM_EXIT_HYPERV_SYNIC	1
#define KVM_EXIT_HYPERV_HCALL	2
#define KVM_EXIT_HYPERV_SYNDBG	3
#define KVM_EXIT_XEN_HCALL	1

struct kvm_hyperv_exit {
	__u32 type;
	__u32 pad1;
	union {
		struct {
			__u32 msr;
			__u32 pad2;
			__u64 control;
			__u64 evt_page;
			__u64 msg_page;
		} synic;
		struct {
			__u64 input;
			__u64 result;
			__u64 params[2];
		} hcall;
		struct {
			__u32 msr;
			__u32 pad2;
			__u64 control;
			__u64 status;
			__u64 send_page;
			__u64 recv_page;
			__u64 pending_page;
		} syndbg;
	} u;
};

struct kvm_xen_exit {
	__u32 type;
	union {
		struct {
			__u32 longmode;
			__u32 cpl;
			__u64 input;
			__u64 result;
			__u64 params[6];
		} hcall;
	} u;
};

#define SYNC_REGS_SIZE_BYTES	2048

struct kvm_run {
	/* In: read on entry of KVM_RUN. */
	__u8  request_interrupt_window;
	__u8  immediate_exit;
	__u8  padding1[6];

	/* Out: valid whenever KVM_RUN returns, with -EINTR too. */
	__u32 exit_reason;
	__u8  ready_for_interrupt_injection;
	__u8  if_flag;
	__u16 flags;			/* KVM_RUN_X86_* */

	/* In (without an in-kernel local APIC) and out. */
	__u64 cr8;
	__u64 apic_base;

	/* Which member is valid follows from exit_reason. */
	union {
		struct {
			__u64 hardware_exit_reason;
		} hw;					/* KVM_EXIT_UNKNOWN */
		struct {
			__u64 hardware_entry_failure_reason;
			__u32 cpu;
		} fail_entry;
		struct {
			__u32 exception;
			__u32 error_code;
		} ex;					/* KVM_EXIT_EXCEPTION */
		struct {
			__u8  direction;
			__u8  size;			/* bytes of one item: 1, 2 or 4 */
			__u16 port;
			__u32 count;			/* items */
			__u64 data_offset;		/* bytes from the start of kvm_run */
		} io;
		struct {
			struct kvm_debug_exit_arch arch;
		} debug;
		struct {
			__u64 phys_addr;
			__u8  data[8];
			__u32 len;
			__u8  is_write;
		} mmio;
		struct {
			__u64 nr;
			__u64 args[6];
			__u64 ret;
			union {
				__u32 longmode;
				__u64 flags;
			};
		} hypercall;
		struct {
			__u64 rip;
			__u32 is_write;
			__u32 pad;
		} tpr_access;
		struct {
			__u32 suberror;
			__u32 ndata;			/* valid items of data */
			__u64 data[16];
		} internal;
		/* The same bytes as internal, for KVM_INTERNAL_ERROR_EMULATION: ndata counts from flags. */
		struct {
			__u32 suberror;
			__u32 ndata;
			__u64 flags;
			union {
				struct {
					__u8 insn_size;
					__u8 insn_bytes[15];
				};
			};
		} emulation_failure;
		struct {
			__u32 type;
			__u32 ndata;
			union {
				__u64 flags;
				__u64 data[16];
			};
		} system_event;
		struct {
			__u8 vector;
		} eoi;					/* KVM_EXIT_IOAPIC_EOI */
		struct kvm_hyperv_exit hyperv;
		struct {
			__u8  error;			/* in: not 0 injects #GP */
			__u8  pad[7];
			__u32 reason;
			__u32 index;
			__u64 data;			/* out: WRMSR, in: RDMSR */
		} msr;					/* KVM_EXIT_X86_{RD,WR}MSR */
		struct kvm_xen_exit xen;
		struct {
			__u32 flags;
		} notify;
		struct {
			__u64 flags;
			__u64 gpa;
			__u64 size;
		} memory_fault;
		char padding[256];
	};

	/* KVM_SYNC_X86_*: which parts to store on exit, which to load on entry. */
	__u64 kvm_valid_regs;
	__u64 kvm_dirty_regs;
	union {
		struct kvm_sync_regs regs;
		char padding[SYNC_REGS_SIZE_BYTES];
	} s;
};

#endif
