/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The x86 part of the KVM ABI: the state of a vCPU and of the in-kernel interrupt controllers as
 * userspace reads and writes it. Include <uapi/keel/kvm.h>, not this file.
 *
 * Layouts are for the 64-bit ABI; the 32-bit one differs in kvm_msr_filter alone.
 */
#ifndef _UAPI_KEEL_KVM_X86_H
#define _UAPI_KEEL_KVM_X86_H

#ifdef __KERNEL__
/*
 * <asm/svm.h> includes the kernel's version of this file, which must not be seen. The generated
 * virt/compat/autoconf.h, included before anything else, keeps it out.
 */
#if defined(_ASM_X86_KVM_H) && !defined(KEEL_AUTOCONF_H)
#error "the kernel's <asm/kvm.h> was included"
#endif
#undef _ASM_X86_KVM_H
#define _ASM_X86_KVM_H
#endif

#include <linux/const.h>
#include <linux/stddef.h>
#include <linux/types.h>

/* Page offsets inside the mapping of a vCPU fd. */
#define KVM_PIO_PAGE_OFFSET		1
#define KVM_COALESCED_MMIO_PAGE_OFFSET	2
#define KVM_DIRTY_LOG_PAGE_OFFSET	64

/* Exception vectors. */
#define DE_VECTOR	0
#define DB_VECTOR	1
#define BP_VECTOR	3
#define OF_VECTOR	4
#define BR_VECTOR	5
#define UD_VECTOR	6
#define NM_VECTOR	7
#define DF_VECTOR	8
#define TS_VECTOR	10
#define NP_VECTOR	11
#define SS_VECTOR	12
#define GP_VECTOR	13
#define PF_VECTOR	14
#define MF_VECTOR	16
#define AC_VECTOR	17
#define MC_VECTOR	18
#define XM_VECTOR	19
#define VE_VECTOR	20

#define KVM_NR_INTERRUPTS	256

/* Argument of KVM_CREATE_VM. */
#define KVM_X86_DEFAULT_VM	0
#define KVM_X86_SW_PROTECTED_VM	1
#define KVM_X86_SEV_VM		2
#define KVM_X86_SEV_ES_VM	3
#define KVM_X86_SNP_VM		4

/* kvm_run.flags */
#define KVM_RUN_X86_SMM		(1 << 0)
#define KVM_RUN_X86_BUS_LOCK	(1 << 1)
#define KVM_RUN_X86_GUEST_MODE	(1 << 2)

/* ---- KVM_GET/SET_IRQCHIP ---- */

#define KVM_IRQCHIP_PIC_MASTER	0
#define KVM_IRQCHIP_PIC_SLAVE	1
#define KVM_IRQCHIP_IOAPIC	2
#define KVM_NR_IRQCHIPS		3

/* One 8259A. */
struct kvm_pic_state {
	__u8 last_irr;			/* line levels, for edge detection */
	__u8 irr;
	__u8 imr;
	__u8 isr;
	__u8 priority_add;		/* the line that has the highest priority */
	__u8 irq_base;			/* ICW2 */
	__u8 read_reg_select;
	__u8 poll;
	__u8 special_mask;
	__u8 init_state;
	__u8 auto_eoi;
	__u8 rotate_on_auto_eoi;
	__u8 special_fully_nested_mode;
	__u8 init4;			/* ICW4 is expected */
	__u8 elcr;			/* 1: level triggered */
	__u8 elcr_mask;			/* bits of elcr that can be written */
};

#define KVM_IOAPIC_NUM_PINS	24

struct kvm_ioapic_state {
	__u64 base_address;
	__u32 ioregsel;
	__u32 id;
	__u32 irr;
	__u32 pad;
	union {
		__u64 bits;
		struct {
			__u8 vector;
			__u8 delivery_mode:3;
			__u8 dest_mode:1;
			__u8 delivery_status:1;
			__u8 polarity:1;
			__u8 remote_irr:1;
			__u8 trig_mode:1;
			__u8 mask:1;
			__u8 reserve:7;
			__u8 reserved[4];
			__u8 dest_id;
		} fields;
	} redirtbl[KVM_IOAPIC_NUM_PINS];
};

/* ---- KVM_GET/SET_LAPIC: the xAPIC register page, 16 bytes per register ---- */

#define KVM_APIC_REG_SIZE	0x400

struct kvm_lapic_state {
	char regs[KVM_APIC_REG_SIZE];
};

/* Flags of KVM_CAP_X2APIC_API. */
#define KVM_X2APIC_API_USE_32BIT_IDS		(1ULL << 0)
#define KVM_X2APIC_API_DISABLE_BROADCAST_QUIRK	(1ULL << 1)

/* ---- KVM_CREATE_PIT2, KVM_GET/SET_PIT(2), KVM_REINJECT_CONTROL ---- */

#define KVM_PIT_SPEAKER_DUMMY	1	/* kvm_pit_config.flags: port 0x61 is served in the kernel */

struct kvm_pit_config {
	__u32 flags;
	__u32 pad[15];
};

struct kvm_pit_channel_state {
	__u32 count;			/* 1..65536 */
	__u16 latched_count;
	__u8  count_latched;
	__u8  status_latched;
	__u8  status;
	__u8  read_state;
	__u8  write_state;
	__u8  write_latch;
	__u8  rw_mode;
	__u8  mode;
	__u8  bcd;
	__u8  gate;
	__s64 count_load_time;		/* ns of the host's monotonic clock */
};

struct kvm_pit_state {
	struct kvm_pit_channel_state channels[3];
};

#define KVM_PIT_FLAGS_HPET_LEGACY	0x00000001
#define KVM_PIT_FLAGS_SPEAKER_DATA_ON	0x00000002

struct kvm_pit_state2 {
	struct kvm_pit_channel_state channels[3];
	__u32 flags;
	__u32 reserved[9];
};

struct kvm_reinject_control {
	__u8 pit_reinject;
	__u8 reserved[31];
};

/* ---- KVM_GET/SET_REGS, SREGS, SREGS2, FPU ---- */

struct kvm_regs {
	__u64 rax, rbx, rcx, rdx;
	__u64 rsi, rdi, rsp, rbp;
	__u64 r8,  r9,  r10, r11;
	__u64 r12, r13, r14, r15;
	__u64 rip, rflags;
};

struct kvm_segment {
	__u64 base;
	__u32 limit;			/* bytes, the G bit already applied */
	__u16 selector;
	__u8  type;
	__u8  present, dpl, db, s, l, g, avl;
	__u8  unusable;
	__u8  padding;
};

struct kvm_dtable {
	__u64 base;
	__u16 limit;
	__u16 padding[3];
};

struct kvm_sregs {
	struct kvm_segment cs, ds, es, fs, gs, ss;
	struct kvm_segment tr, ldt;
	struct kvm_dtable gdt, idt;
	__u64 cr0, cr2, cr3, cr4, cr8;
	__u64 efer;
	__u64 apic_base;
	/* At most one bit: an external interrupt that is injected but not delivered yet. */
	__u64 interrupt_bitmap[(KVM_NR_INTERRUPTS + 63) / 64];
};

#define KVM_SREGS2_FLAGS_PDPTRS_VALID	1

struct kvm_sregs2 {
	struct kvm_segment cs, ds, es, fs, gs, ss;
	struct kvm_segment tr, ldt;
	struct kvm_dtable gdt, idt;
	__u64 cr0, cr2, cr3, cr4, cr8;
	__u64 efer;
	__u64 apic_base;
	__u64 flags;
	__u64 pdptrs[4];
};

struct kvm_fpu {
	__u8  fpr[8][16];
	__u16 fcw;
	__u16 fsw;
	__u8  ftwx;			/* abridged, as FXSAVE writes it */
	__u8  pad1;
	__u16 last_opcode;
	__u64 last_ip;
	__u64 last_dp;
	__u8  xmm[16][16];
	__u32 mxcsr;
	__u32 pad2;
};

/*
 * KVM_GET/SET_XSAVE move 4096 bytes. KVM_GET_XSAVE2 moves what KVM_CHECK_EXTENSION(KVM_CAP_XSAVE2)
 * returns on the VM fd, and so does KVM_SET_XSAVE. The layout is CPUID leaf 0xD's of the host, not
 * compacted.
 */
struct kvm_xsave {
	__u32 region[1024];
	__u32 extra[];
};

#define KVM_MAX_XCRS	16

struct kvm_xcr {
	__u32 xcr;
	__u32 reserved;
	__u64 value;
};

struct kvm_xcrs {
	__u32 nr_xcrs;
	__u32 flags;
	struct kvm_xcr xcrs[KVM_MAX_XCRS];
	__u64 padding[16];
};

/* ---- MSRs ---- */

struct kvm_msr_entry {
	__u32 index;
	__u32 reserved;
	__u64 data;
};

/* KVM_GET/SET_MSRS return how many entries were processed. */
struct kvm_msrs {
	__u32 nmsrs;
	__u32 pad;
	struct kvm_msr_entry entries[];
};

/* KVM_GET_MSR_INDEX_LIST, KVM_GET_MSR_FEATURE_INDEX_LIST: in: room, out: count. */
struct kvm_msr_list {
	__u32 nmsrs;
	__u32 indices[];
};

#define KVM_MSR_FILTER_MAX_BITMAP_SIZE	0x600	/* bytes */
#define KVM_MSR_FILTER_MAX_RANGES	16

#define KVM_MSR_FILTER_READ		(1 << 0)
#define KVM_MSR_FILTER_WRITE		(1 << 1)
#define KVM_MSR_FILTER_RANGE_VALID_MASK	(KVM_MSR_FILTER_READ | KVM_MSR_FILTER_WRITE)

struct kvm_msr_filter_range {
	__u32 flags;
	__u32 nmsrs;			/* bits in bitmap */
	__u32 base;			/* the MSR of bit 0 */
	__u8 __user *bitmap;		/* 1 allows the accesses named in flags */
};

#define KVM_MSR_FILTER_DEFAULT_ALLOW	(0 << 0)
#define KVM_MSR_FILTER_DEFAULT_DENY	(1 << 0)
#define KVM_MSR_FILTER_VALID_MASK	(KVM_MSR_FILTER_DEFAULT_DENY)

struct kvm_msr_filter {
	__u32 flags;
	struct kvm_msr_filter_range ranges[KVM_MSR_FILTER_MAX_RANGES];
};

/* ---- CPUID ---- */

struct kvm_cpuid_entry {
	__u32 function;
	__u32 eax;
	__u32 ebx;
	__u32 ecx;
	__u32 edx;
	__u32 padding;
};

struct kvm_cpuid {
	__u32 nent;
	__u32 padding;
	struct kvm_cpuid_entry entries[];
};

#define KVM_CPUID_FLAG_SIGNIFCANT_INDEX	(1 << 0)	/* spelled so in the ABI */
#define KVM_CPUID_FLAG_STATEFUL_FUNC	(1 << 1)
#define KVM_CPUID_FLAG_STATE_READ_NEXT	(1 << 2)

struct kvm_cpuid_entry2 {
	__u32 function;
	__u32 index;
	__u32 flags;
	__u32 eax;
	__u32 ebx;
	__u32 ecx;
	__u32 edx;
	__u32 padding[3];
};

struct kvm_cpuid2 {
	__u32 nent;
	__u32 padding;
	struct kvm_cpuid_entry2 entries[];
};

/* ---- Debugging: KVM_SET_GUEST_DEBUG, KVM_GET/SET_DEBUGREGS ---- */

#define KVM_GUESTDBG_USE_SW_BP	0x00010000
#define KVM_GUESTDBG_USE_HW_BP	0x00020000
#define KVM_GUESTDBG_INJECT_DB	0x00040000
#define KVM_GUESTDBG_INJECT_BP	0x00080000
#define KVM_GUESTDBG_BLOCKIRQ	0x00100000

struct kvm_guest_debug_arch {
	__u64 debugreg[8];
};

struct kvm_debug_exit_arch {
	__u32 exception;
	__u32 pad;
	__u64 pc;
	__u64 dr6;
	__u64 dr7;
};

struct kvm_debugregs {
	__u64 db[4];
	__u64 dr6;
	__u64 dr7;
	__u64 flags;
	__u64 reserved[9];
};

/* ---- KVM_GET/SET_VCPU_EVENTS ---- */

/* kvm_vcpu_events.flags: which of the optional fields are meant. */
#define KVM_VCPUEVENT_VALID_NMI_PENDING		0x00000001
#define KVM_VCPUEVENT_VALID_SIPI_VECTOR		0x00000002
#define KVM_VCPUEVENT_VALID_SHADOW		0x00000004
#define KVM_VCPUEVENT_VALID_SMM			0x00000008
#define KVM_VCPUEVENT_VALID_PAYLOAD		0x00000010
#define KVM_VCPUEVENT_VALID_TRIPLE_FAULT	0x00000020

/* kvm_vcpu_events.interrupt.shadow */
#define KVM_X86_SHADOW_INT_MOV_SS	0x01
#define KVM_X86_SHADOW_INT_STI		0x02

struct kvm_vcpu_events {
	struct {
		__u8  injected;
		__u8  nr;
		__u8  has_error_code;
		__u8  pending;
		__u32 error_code;
	} exception;
	struct {
		__u8  injected;
		__u8  nr;
		__u8  soft;
		__u8  shadow;
	} interrupt;
	struct {
		__u8  injected;
		__u8  pending;
		__u8  masked;
		__u8  pad;
	} nmi;
	__u32 sipi_vector;
	__u32 flags;
	struct {
		__u8  smm;
		__u8  pending;
		__u8  smm_inside_nmi;
		__u8  latched_init;
	} smi;
	struct {
		__u8  pending;
	} triple_fault;
	__u8  reserved[26];
	__u8  exception_has_payload;
	__u64 exception_payload;
};

/* ---- Synchronised registers in kvm_run (KVM_CAP_SYNC_REGS) ---- */

#define KVM_SYNC_X86_REGS	(1UL << 0)
#define KVM_SYNC_X86_SREGS	(1UL << 1)
#define KVM_SYNC_X86_EVENTS	(1UL << 2)
#define KVM_SYNC_X86_VALID_FIELDS \
	(KVM_SYNC_X86_REGS | KVM_SYNC_X86_SREGS | KVM_SYNC_X86_EVENTS)

/* Shared with userspace, which may write to it at any time: copy, check the copy, use the copy. */
struct kvm_sync_regs {
	struct kvm_regs regs;
	struct kvm_sregs sregs;
	struct kvm_vcpu_events events;
};

/* ---- Quirks: KVM_CAP_DISABLE_QUIRKS, KVM_CAP_DISABLE_QUIRKS2 ---- */

#define KVM_X86_QUIRK_LINT0_REENABLED		(1 << 0)
#define KVM_X86_QUIRK_CD_NW_CLEARED		(1 << 1)
#define KVM_X86_QUIRK_LAPIC_MMIO_HOLE		(1 << 2)
#define KVM_X86_QUIRK_OUT_7E_INC_RIP		(1 << 3)
#define KVM_X86_QUIRK_MISC_ENABLE_NO_MWAIT	(1 << 4)
#define KVM_X86_QUIRK_FIX_HYPERCALL_INSN	(1 << 5)
#define KVM_X86_QUIRK_MWAIT_NEVER_UD_FAULTS	(1 << 6)
#define KVM_X86_QUIRK_SLOT_ZAP_ALL		(1 << 7)
#define KVM_X86_QUIRK_STUFF_FEATURE_MSRS	(1 << 8)
#define KVM_X86_QUIRK_IGNORE_GUEST_PAT		(1 << 9)
#define KVM_X86_QUIRK_VMCS12_ALLOW_FREEZE_IN_SMM (1 << 10)

/* KVM_CAP_X86_DISABLE_EXITS */
#define KVM_X86_DISABLE_EXITS_MWAIT	(1 << 0)
#define KVM_X86_DISABLE_EXITS_HLT	(1 << 1)
#define KVM_X86_DISABLE_EXITS_PAUSE	(1 << 2)
#define KVM_X86_DISABLE_EXITS_CSTATE	(1 << 3)
#define KVM_X86_DISABLE_VALID_EXITS \
	(KVM_X86_DISABLE_EXITS_MWAIT | KVM_X86_DISABLE_EXITS_HLT | \
	 KVM_X86_DISABLE_EXITS_PAUSE | KVM_X86_DISABLE_EXITS_CSTATE)

/* KVM_CAP_X86_NOTIFY_VMEXIT, KVM_CAP_X86_BUS_LOCK_EXIT */
#define KVM_X86_NOTIFY_VMEXIT_ENABLED	(1ULL << 0)
#define KVM_X86_NOTIFY_VMEXIT_USER	(1ULL << 1)
#define KVM_BUS_LOCK_DETECTION_OFF	(1 << 0)
#define KVM_BUS_LOCK_DETECTION_EXIT	(1 << 1)

/* ---- Nested state ---- */

#define KVM_STATE_NESTED_FORMAT_VMX	0
#define KVM_STATE_NESTED_FORMAT_SVM	1

#define KVM_STATE_NESTED_GUEST_MODE	0x00000001
#define KVM_STATE_NESTED_RUN_PENDING	0x00000002
#define KVM_STATE_NESTED_EVMCS		0x00000004
#define KVM_STATE_NESTED_MTF_PENDING	0x00000008
#define KVM_STATE_NESTED_GIF_SET	0x00000100

#define KVM_STATE_NESTED_SMM_GUEST_MODE	0x00000001
#define KVM_STATE_NESTED_SMM_VMXON	0x00000002

#define KVM_STATE_NESTED_VMX_VMCS_SIZE	0x1000
#define KVM_STATE_NESTED_SVM_VMCB_SIZE	0x1000

#define KVM_STATE_VMX_PREEMPTION_TIMER_DEADLINE	0x00000001

struct kvm_vmx_nested_state_data {
	__u8 vmcs12[KVM_STATE_NESTED_VMX_VMCS_SIZE];
	__u8 shadow_vmcs12[KVM_STATE_NESTED_VMX_VMCS_SIZE];
};

struct kvm_vmx_nested_state_hdr {
	__u64 vmxon_pa;
	__u64 vmcs12_pa;
	struct {
		__u16 flags;
	} smm;
	__u16 pad;
	__u32 flags;
	__u64 preemption_timer_deadline;
};

struct kvm_svm_nested_state_data {
	__u8 vmcb12[KVM_STATE_NESTED_SVM_VMCB_SIZE];
};

struct kvm_svm_nested_state_hdr {
	__u64 vmcb_pa;
};

struct kvm_nested_state {
	__u16 flags;
	__u16 format;			/* KVM_STATE_NESTED_FORMAT_* */
	__u32 size;			/* of the whole, data included */
	union {
		struct kvm_vmx_nested_state_hdr vmx;
		struct kvm_svm_nested_state_hdr svm;
		__u8 pad[120];
	} hdr;
	/* Size 0, so that it does not change the number of the ioctl. */
	union {
		__DECLARE_FLEX_ARRAY(struct kvm_vmx_nested_state_data, vmx);
		__DECLARE_FLEX_ARRAY(struct kvm_svm_nested_state_data, svm);
	} data;
};

/* ---- PMU ---- */

#define KVM_PMU_CAP_DISABLE	(1 << 0)
#define KVM_PMU_EVENT_ALLOW	0
#define KVM_PMU_EVENT_DENY	1

#define KVM_PMU_EVENT_FLAG_MASKED_EVENTS	_BITUL(0)
#define KVM_PMU_EVENT_FLAGS_VALID_MASK		(KVM_PMU_EVENT_FLAG_MASKED_EVENTS)

struct kvm_pmu_event_filter {
	__u32 action;
	__u32 nevents;
	__u32 fixed_counter_bitmap;
	__u32 flags;
	__u32 pad[4];
	__u64 events[];
};

/* A masked event: select 7:0 and 35:32, umask match 15:8, exclude 55, umask mask 63:56. */
#define KVM_PMU_ENCODE_MASKED_ENTRY(event_select, mask, match, exclude) \
	(((event_select) & 0xFFULL) | (((event_select) & 0xF00ULL) << 24) | \
	 (((mask) & 0xFFULL) << 56) | (((match) & 0xFFULL) << 8) | \
	 ((__u64)(!!(exclude)) << 55))
#define KVM_PMU_MASKED_ENTRY_EVENT_SELECT	0x0000000f000000ffULL
#define KVM_PMU_MASKED_ENTRY_UMASK_MASK		0xff00000000000000ULL
#define KVM_PMU_MASKED_ENTRY_UMASK_MATCH	0x000000000000ff00ULL
#define KVM_PMU_MASKED_ENTRY_EXCLUDE		_BITULL(55)
#define KVM_PMU_MASKED_ENTRY_UMASK_MASK_SHIFT	(56)

/* ---- Machine checks, attributes, hypercalls, Hyper-V ---- */

struct kvm_x86_mce {
	__u64 status;
	__u64 addr;
	__u64 misc;
	__u64 mcg_status;
	__u8  bank;
	__u8  pad1[7];
	__u64 pad2[3];
};

/* Groups and attributes of KVM_{HAS,GET}_DEVICE_ATTR on the system fd. */
#define KVM_X86_GRP_SYSTEM		0
#define KVM_X86_XCOMP_GUEST_SUPP	0
#define KVM_X86_GRP_SEV			1
#define KVM_X86_SEV_VMSA_FEATURES	0

/* The same on a vCPU fd. */
#define KVM_VCPU_TSC_CTRL	0
#define KVM_VCPU_TSC_OFFSET	0

#define KVM_EXIT_HYPERCALL_LONG_MODE	_BITULL(0)

#define KVM_HYPERV_CONN_ID_MASK		0x00ffffff
#define KVM_HYPERV_EVENTFD_DEASSIGN	(1 << 0)

struct kvm_hyperv_eventfd {
	__u32 conn_id;
	__s32 fd;
	__u32 flags;
	__u32 padding[3];
};

#endif
