/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Tracepoints of x86. As in virt/trace.h: the names are those that tools look for, the arguments
 * plain values, and no more bytes are copied than are valid.
 */
#if !defined(KEEL_X86_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define KEEL_X86_TRACE_H

#include <linux/tracepoint.h>
#include <asm/svm.h>
#include <asm/vmx.h>
#include <uapi/keel/kvm.h>

#undef TRACE_SYSTEM
#define TRACE_SYSTEM kvm

/* kvm_exit's isa: how exit_reason is to be read. */
#define KVM_ISA_VMX	1
#define KVM_ISA_SVM	2

#ifndef KEEL_TRACE_EVENT_VECTORS
#define KEEL_TRACE_EVENT_VECTORS					\
	{ DE_VECTOR, "#DE" }, { DB_VECTOR, "#DB" }, { BP_VECTOR, "#BP" },	\
	{ OF_VECTOR, "#OF" }, { BR_VECTOR, "#BR" }, { UD_VECTOR, "#UD" },	\
	{ NM_VECTOR, "#NM" }, { DF_VECTOR, "#DF" }, { TS_VECTOR, "#TS" },	\
	{ NP_VECTOR, "#NP" }, { SS_VECTOR, "#SS" }, { GP_VECTOR, "#GP" },	\
	{ PF_VECTOR, "#PF" }, { MF_VECTOR, "#MF" }, { AC_VECTOR, "#AC" },	\
	{ MC_VECTOR, "#MC" }, { XM_VECTOR, "#XM" }, { VE_VECTOR, "#VE" }

#define KEEL_TRACE_DELIVERY_MODES					\
	{ 0, "Fixed" }, { 1, "LowPrio" }, { 2, "SMI" }, { 3, "Res3" },	\
	{ 4, "NMI" }, { 5, "INIT" }, { 6, "SIPI" }, { 7, "ExtINT" }
#endif

/* ---- Entry and exit ---- */

/* @immediate_exit: an exit is forced right behind the entry, to come back for more events. */
TRACE_EVENT(kvm_entry,
	TP_PROTO(unsigned int vcpu_id, unsigned long rip, bool immediate_exit),
	TP_ARGS(vcpu_id, rip, immediate_exit),
	TP_STRUCT__entry(
		__field(unsigned int,	vcpu_id)
		__field(unsigned long,	rip)
		__field(bool,		immediate_exit)
	),
	TP_fast_assign(
		__entry->vcpu_id	= vcpu_id;
		__entry->rip		= rip;
		__entry->immediate_exit	= immediate_exit;
	),
	TP_printk("vcpu %u, rip 0x%lx%s", __entry->vcpu_id, __entry->rip,
		  __entry->immediate_exit ? " [immediate exit]" : "")
);

/* The hardware's own numbers, unprocessed. */
TRACE_EVENT(kvm_exit,
	TP_PROTO(unsigned int vcpu_id, u32 isa, unsigned int exit_reason, unsigned long rip,
		 u64 info1, u64 info2, u32 intr_info, u32 error_code),
	TP_ARGS(vcpu_id, isa, exit_reason, rip, info1, info2, intr_info, error_code),
	TP_STRUCT__entry(
		__field(unsigned int,	exit_reason)
		__field(unsigned long,	guest_rip)
		__field(u32,		isa)
		__field(u64,		info1)
		__field(u64,		info2)
		__field(u32,		intr_info)
		__field(u32,		error_code)
		__field(unsigned int,	vcpu_id)
	),
	TP_fast_assign(
		__entry->exit_reason	= exit_reason;
		__entry->guest_rip	= rip;
		__entry->isa		= isa;
		__entry->info1		= info1;
		__entry->info2		= info2;
		__entry->intr_info	= intr_info;
		__entry->error_code	= error_code;
		__entry->vcpu_id	= vcpu_id;
	),
	TP_printk("vcpu %u reason %s%s%s rip 0x%lx info1 0x%016llx info2 0x%016llx intr_info 0x%08x error_code 0x%08x",
		  __entry->vcpu_id,
		  __entry->isa == KVM_ISA_VMX ?
		  __print_symbolic(__entry->exit_reason & 0xffff, VMX_EXIT_REASONS) :
		  __print_symbolic(__entry->exit_reason, SVM_EXIT_REASONS),
		  __entry->isa == KVM_ISA_VMX && __entry->exit_reason & ~0xffff ? " " : "",
		  __entry->isa == KVM_ISA_VMX ?
		  __print_flags(__entry->exit_reason & ~0xffff, " ", VMX_EXIT_REASON_FLAGS) : "",
		  __entry->guest_rip, __entry->info1, __entry->info2,
		  __entry->intr_info, __entry->error_code)
);

TRACE_EVENT(kvm_page_fault,
	TP_PROTO(unsigned long rip, u64 fault_address, u64 error_code),
	TP_ARGS(rip, fault_address, error_code),
	TP_STRUCT__entry(
		__field(unsigned long,	guest_rip)
		__field(u64,		fault_address)
		__field(u64,		error_code)
	),
	TP_fast_assign(
		__entry->guest_rip	= rip;
		__entry->fault_address	= fault_address;
		__entry->error_code	= error_code;
	),
	TP_printk("rip 0x%lx address 0x%016llx error_code 0x%llx", __entry->guest_rip,
		  __entry->fault_address, __entry->error_code)
);

TRACE_EVENT(kvm_hypercall,
	TP_PROTO(unsigned long nr, unsigned long a0, unsigned long a1, unsigned long a2,
		 unsigned long a3),
	TP_ARGS(nr, a0, a1, a2, a3),
	TP_STRUCT__entry(
		__field(unsigned long,	nr)
		__field(unsigned long,	a0)
		__field(unsigned long,	a1)
		__field(unsigned long,	a2)
		__field(unsigned long,	a3)
	),
	TP_fast_assign(
		__entry->nr	= nr;
		__entry->a0	= a0;
		__entry->a1	= a1;
		__entry->a2	= a2;
		__entry->a3	= a3;
	),
	TP_printk("nr 0x%lx a0 0x%lx a1 0x%lx a2 0x%lx a3 0x%lx", __entry->nr, __entry->a0,
		  __entry->a1, __entry->a2, __entry->a3)
);

/* ---- I/O ---- */

/*
 * @rw: KVM_EXIT_IO_IN or _OUT, the same numbers as tools know. @data: @count items of @size bytes;
 * the first is shown. NULL while it is not known.
 */
TRACE_EVENT(kvm_pio,
	TP_PROTO(unsigned int rw, unsigned int port, unsigned int size, unsigned int count,
		 const void *data),
	TP_ARGS(rw, port, size, count, data),
	TP_STRUCT__entry(
		__field(unsigned int,	rw)
		__field(unsigned int,	port)
		__field(unsigned int,	size)
		__field(unsigned int,	count)
		__field(unsigned int,	val)
	),
	TP_fast_assign(
		__entry->rw	= rw;
		__entry->port	= port;
		__entry->size	= size;
		__entry->count	= count;
		__entry->val	= 0;
		if (data && count)
			memcpy(&__entry->val, data, min_t(u32, sizeof(__entry->val), size));
	),
	TP_printk("pio_%s at 0x%x size %d count %d val 0x%x %s",
		  __entry->rw ? "write" : "read", __entry->port, __entry->size,
		  __entry->count, __entry->val, __entry->count > 1 ? "(...)" : "")
);

/* A write that an ioeventfd of any length took without the instruction being decoded. */
TRACE_EVENT(kvm_fast_mmio,
	TP_PROTO(u64 gpa),
	TP_ARGS(gpa),
	TP_STRUCT__entry(
		__field(u64,	gpa)
	),
	TP_fast_assign(
		__entry->gpa	= gpa;
	),
	TP_printk("fast mmio at gpa 0x%llx", __entry->gpa)
);

/* @insn: @len bytes fetched, at most 15. */
TRACE_EVENT(kvm_emulate_insn,
	TP_PROTO(u64 rip, u32 csbase, u8 len, const u8 *insn, u8 flags, bool failed),
	TP_ARGS(rip, csbase, len, insn, flags, failed),
	TP_STRUCT__entry(
		__field(__u64,		rip)
		__field(__u32,		csbase)
		__field(__u8,		len)
		__array(__u8,		insn, 15)
		__field(__u8,		flags)
		__field(__u8,		failed)
	),
	TP_fast_assign(
		__entry->rip	= rip;
		__entry->csbase	= csbase;
		__entry->len	= min_t(u8, len, 15);
		memset(__entry->insn, 0, 15);
		if (insn)
			memcpy(__entry->insn, insn, __entry->len);
		__entry->flags	= flags;
		__entry->failed	= failed;
	),
	TP_printk("%x:%llx:%s (flags %x)%s", __entry->csbase, __entry->rip,
		  __print_hex(__entry->insn, __entry->len), __entry->flags,
		  __entry->failed ? " failed" : "")
);

/* ---- Instructions that exit ---- */

TRACE_EVENT(kvm_cpuid,
	TP_PROTO(unsigned int function, unsigned int index, unsigned long rax, unsigned long rbx,
		 unsigned long rcx, unsigned long rdx, bool found, bool used_max_basic),
	TP_ARGS(function, index, rax, rbx, rcx, rdx, found, used_max_basic),
	TP_STRUCT__entry(
		__field(unsigned int,	function)
		__field(unsigned int,	index)
		__field(unsigned long,	rax)
		__field(unsigned long,	rbx)
		__field(unsigned long,	rcx)
		__field(unsigned long,	rdx)
		__field(bool,		found)
		__field(bool,		used_max_basic)
	),
	TP_fast_assign(
		__entry->function	= function;
		__entry->index		= index;
		__entry->rax		= rax;
		__entry->rbx		= rbx;
		__entry->rcx		= rcx;
		__entry->rdx		= rdx;
		__entry->found		= found;
		__entry->used_max_basic	= used_max_basic;
	),
	TP_printk("func %x idx %x rax %lx rbx %lx rcx %lx rdx %lx, cpuid entry %s%s",
		  __entry->function, __entry->index, __entry->rax, __entry->rbx,
		  __entry->rcx, __entry->rdx, __entry->found ? "found" : "not found",
		  __entry->used_max_basic ? ", used max basic" : "")
);

TRACE_EVENT(kvm_msr,
	TP_PROTO(unsigned int write, u32 ecx, u64 data, bool exception),
	TP_ARGS(write, ecx, data, exception),
	TP_STRUCT__entry(
		__field(unsigned int,	write)
		__field(u32,		ecx)
		__field(u64,		data)
		__field(u8,		exception)
	),
	TP_fast_assign(
		__entry->write		= write;
		__entry->ecx		= ecx;
		__entry->data		= data;
		__entry->exception	= exception;
	),
	TP_printk("msr_%s %x = 0x%llx%s", __entry->write ? "write" : "read",
		  __entry->ecx, __entry->data, __entry->exception ? " (#GP)" : "")
);
#define trace_kvm_msr_read(ecx, data)		trace_kvm_msr(0, ecx, data, false)
#define trace_kvm_msr_write(ecx, data)		trace_kvm_msr(1, ecx, data, false)
#define trace_kvm_msr_read_ex(ecx)		trace_kvm_msr(0, ecx, 0, true)
#define trace_kvm_msr_write_ex(ecx, data)	trace_kvm_msr(1, ecx, data, true)

TRACE_EVENT(kvm_cr,
	TP_PROTO(unsigned int rw, unsigned int cr, unsigned long val),
	TP_ARGS(rw, cr, val),
	TP_STRUCT__entry(
		__field(unsigned int,	rw)
		__field(unsigned int,	cr)
		__field(unsigned long,	val)
	),
	TP_fast_assign(
		__entry->rw	= rw;
		__entry->cr	= cr;
		__entry->val	= val;
	),
	TP_printk("cr_%s %x = 0x%lx", __entry->rw ? "write" : "read", __entry->cr, __entry->val)
);
#define trace_kvm_cr_read(cr, val)		trace_kvm_cr(0, cr, val)
#define trace_kvm_cr_write(cr, val)		trace_kvm_cr(1, cr, val)

/* ---- Events ---- */

TRACE_EVENT(kvm_inj_virq,
	TP_PROTO(unsigned int vector, bool soft, bool reinjected),
	TP_ARGS(vector, soft, reinjected),
	TP_STRUCT__entry(
		__field(unsigned int,	vector)
		__field(bool,		soft)
		__field(bool,		reinjected)
	),
	TP_fast_assign(
		__entry->vector		= vector;
		__entry->soft		= soft;
		__entry->reinjected	= reinjected;
	),
	TP_printk("%s 0x%x%s", __entry->soft ? "Soft/INTn" : "IRQ", __entry->vector,
		  __entry->reinjected ? " [reinjected]" : "")
);

TRACE_EVENT(kvm_inj_exception,
	TP_PROTO(unsigned int exception, bool has_error, unsigned int error_code,
		 bool reinjected),
	TP_ARGS(exception, has_error, error_code, reinjected),
	TP_STRUCT__entry(
		__field(u8,	exception)
		__field(u8,	has_error)
		__field(u32,	error_code)
		__field(bool,	reinjected)
	),
	TP_fast_assign(
		__entry->exception	= exception;
		__entry->has_error	= has_error;
		__entry->error_code	= error_code;
		__entry->reinjected	= reinjected;
	),
	TP_printk("%s%s%x%s", __print_symbolic(__entry->exception, KEEL_TRACE_EVENT_VECTORS),
		  __entry->has_error ? " 0x" : " no error code, ",
		  __entry->has_error ? __entry->error_code : 0,
		  __entry->reinjected ? " [reinjected]" : "")
);

/* ---- Interrupt controllers ---- */

TRACE_EVENT(kvm_apic,
	TP_PROTO(unsigned int rw, unsigned int reg, u64 val),
	TP_ARGS(rw, reg, val),
	TP_STRUCT__entry(
		__field(unsigned int,	rw)
		__field(unsigned int,	reg)
		__field(u64,		val)
	),
	TP_fast_assign(
		__entry->rw	= rw;
		__entry->reg	= reg;
		__entry->val	= val;
	),
	TP_printk("apic_%s %#x = 0x%llx", __entry->rw ? "write" : "read",
		  __entry->reg, __entry->val)
);
#define trace_kvm_apic_read(reg, val)		trace_kvm_apic(0, reg, val)
#define trace_kvm_apic_write(reg, val)		trace_kvm_apic(1, reg, val)

TRACE_EVENT(kvm_apic_ipi,
	TP_PROTO(u32 icr_low, u32 dest_id),
	TP_ARGS(icr_low, dest_id),
	TP_STRUCT__entry(
		__field(u32,	icr_low)
		__field(u32,	dest_id)
	),
	TP_fast_assign(
		__entry->icr_low	= icr_low;
		__entry->dest_id	= dest_id;
	),
	TP_printk("dst %x vec %u (%s|%s|%s|%s)", __entry->dest_id, (u8)__entry->icr_low,
		  __print_symbolic(__entry->icr_low >> 8 & 7, KEEL_TRACE_DELIVERY_MODES),
		  __entry->icr_low & 1 << 11 ? "logical" : "physical",
		  __entry->icr_low & 1 << 14 ? "assert" : "de-assert",
		  __entry->icr_low & 1 << 15 ? "level" : "edge")
);

/* @dm: delivery mode as in the ICR (0..7), @tm: 1 level. */
TRACE_EVENT(kvm_apic_accept_irq,
	TP_PROTO(u32 apicid, u16 dm, u16 tm, u8 vec),
	TP_ARGS(apicid, dm, tm, vec),
	TP_STRUCT__entry(
		__field(u32,	apicid)
		__field(u16,	dm)
		__field(u16,	tm)
		__field(u8,	vec)
	),
	TP_fast_assign(
		__entry->apicid	= apicid;
		__entry->dm	= dm;
		__entry->tm	= tm;
		__entry->vec	= vec;
	),
	TP_printk("apicid %x vec %u (%s|%s)", __entry->apicid, __entry->vec,
		  __print_symbolic(__entry->dm & 7, KEEL_TRACE_DELIVERY_MODES),
		  __entry->tm ? "level" : "edge")
);

TRACE_EVENT(kvm_eoi,
	TP_PROTO(u32 apicid, int vector),
	TP_ARGS(apicid, vector),
	TP_STRUCT__entry(
		__field(u32,	apicid)
		__field(int,	vector)
	),
	TP_fast_assign(
		__entry->apicid	= apicid;
		__entry->vector	= vector;
	),
	TP_printk("apicid %x vector %d", __entry->apicid, __entry->vector)
);

TRACE_EVENT(kvm_pv_eoi,
	TP_PROTO(u32 apicid, int vector),
	TP_ARGS(apicid, vector),
	TP_STRUCT__entry(
		__field(u32,	apicid)
		__field(int,	vector)
	),
	TP_fast_assign(
		__entry->apicid	= apicid;
		__entry->vector	= vector;
	),
	TP_printk("apicid %x vector %d", __entry->apicid, __entry->vector)
);

TRACE_EVENT(kvm_pic_set_irq,
	TP_PROTO(u8 chip, u8 pin, u8 elcr, u8 imr, bool coalesced),
	TP_ARGS(chip, pin, elcr, imr, coalesced),
	TP_STRUCT__entry(
		__field(u8,	chip)
		__field(u8,	pin)
		__field(u8,	elcr)
		__field(u8,	imr)
		__field(bool,	coalesced)
	),
	TP_fast_assign(
		__entry->chip		= chip;
		__entry->pin		= pin;
		__entry->elcr		= elcr;
		__entry->imr		= imr;
		__entry->coalesced	= coalesced;
	),
	TP_printk("chip %u pin %u (%s%s)%s", __entry->chip, __entry->pin,
		  __entry->elcr & 1 << (__entry->pin & 7) ? "level" : "edge",
		  __entry->imr & 1 << (__entry->pin & 7) ? "|masked" : "",
		  __entry->coalesced ? " (coalesced)" : "")
);

/* @e: the redirection entry's bits. */
TRACE_EVENT(kvm_ioapic_set_irq,
	TP_PROTO(u64 e, int pin, bool coalesced),
	TP_ARGS(e, pin, coalesced),
	TP_STRUCT__entry(
		__field(u64,	e)
		__field(int,	pin)
		__field(bool,	coalesced)
	),
	TP_fast_assign(
		__entry->e		= e;
		__entry->pin		= pin;
		__entry->coalesced	= coalesced;
	),
	TP_printk("pin %d dst %x vec %u (%s|%s|%s%s)%s", __entry->pin, (u8)(__entry->e >> 56),
		  (u8)__entry->e,
		  __print_symbolic(__entry->e >> 8 & 7, KEEL_TRACE_DELIVERY_MODES),
		  __entry->e & 1 << 11 ? "logical" : "physical",
		  __entry->e & 1 << 15 ? "level" : "edge",
		  __entry->e & 1 << 16 ? "|masked" : "",
		  __entry->coalesced ? " (coalesced)" : "")
);

TRACE_EVENT(kvm_msi_set_irq,
	TP_PROTO(u64 address, u64 data),
	TP_ARGS(address, data),
	TP_STRUCT__entry(
		__field(u64,	address)
		__field(u64,	data)
	),
	TP_fast_assign(
		__entry->address	= address;
		__entry->data		= data;
	),
	TP_printk("dst %llx vec %u (%s|%s|%s%s)",
		  (u64)(u8)(__entry->address >> 12) | (__entry->address >> 32 & 0xffffff00),
		  (u8)__entry->data,
		  __print_symbolic(__entry->data >> 8 & 7, KEEL_TRACE_DELIVERY_MODES),
		  __entry->address & 1 << 2 ? "logical" : "physical",
		  __entry->data & 1 << 15 ? "level" : "edge",
		  __entry->address & 1 << 3 ? "|rh" : "")
);

/* ---- Time ---- */

TRACE_EVENT(kvm_write_tsc_offset,
	TP_PROTO(unsigned int vcpu_id, u64 previous_tsc_offset, u64 next_tsc_offset),
	TP_ARGS(vcpu_id, previous_tsc_offset, next_tsc_offset),
	TP_STRUCT__entry(
		__field(unsigned int,	vcpu_id)
		__field(u64,		previous_tsc_offset)
		__field(u64,		next_tsc_offset)
	),
	TP_fast_assign(
		__entry->vcpu_id		= vcpu_id;
		__entry->previous_tsc_offset	= previous_tsc_offset;
		__entry->next_tsc_offset	= next_tsc_offset;
	),
	TP_printk("vcpu=%u prev=%llu next=%llu", __entry->vcpu_id,
		  __entry->previous_tsc_offset, __entry->next_tsc_offset)
);

/* @host_clock: VDSO_CLOCKMODE_* of the host's clock source. */
TRACE_EVENT(kvm_update_master_clock,
	TP_PROTO(bool use_master_clock, unsigned int host_clock, bool offset_matched),
	TP_ARGS(use_master_clock, host_clock, offset_matched),
	TP_STRUCT__entry(
		__field(bool,		use_master_clock)
		__field(unsigned int,	host_clock)
		__field(bool,		offset_matched)
	),
	TP_fast_assign(
		__entry->use_master_clock	= use_master_clock;
		__entry->host_clock		= host_clock;
		__entry->offset_matched		= offset_matched;
	),
	TP_printk("masterclock %d hostclock %u offsetmatched %u", __entry->use_master_clock,
		  __entry->host_clock, __entry->offset_matched)
);

TRACE_EVENT(kvm_track_tsc,
	TP_PROTO(unsigned int vcpu_id, unsigned int nr_matched, unsigned int online_vcpus,
		 bool use_master_clock, unsigned int host_clock),
	TP_ARGS(vcpu_id, nr_matched, online_vcpus, use_master_clock, host_clock),
	TP_STRUCT__entry(
		__field(unsigned int,	vcpu_id)
		__field(unsigned int,	nr_vcpus_matched_tsc)
		__field(unsigned int,	online_vcpus)
		__field(bool,		use_master_clock)
		__field(unsigned int,	host_clock)
	),
	TP_fast_assign(
		__entry->vcpu_id		= vcpu_id;
		__entry->nr_vcpus_matched_tsc	= nr_matched;
		__entry->online_vcpus		= online_vcpus;
		__entry->use_master_clock	= use_master_clock;
		__entry->host_clock		= host_clock;
	),
	TP_printk("vcpu_id %u masterclock %u nr_matched %u online %u hostclock %u",
		  __entry->vcpu_id, __entry->use_master_clock, __entry->nr_vcpus_matched_tsc,
		  __entry->online_vcpus, __entry->host_clock)
);

/* The fields of the guest's time page as written. */
TRACE_EVENT(kvm_pvclock_update,
	TP_PROTO(unsigned int vcpu_id, u32 version, u64 tsc_timestamp, u64 system_time,
		 u32 tsc_to_system_mul, s8 tsc_shift, u8 flags),
	TP_ARGS(vcpu_id, version, tsc_timestamp, system_time, tsc_to_system_mul, tsc_shift,
		flags),
	TP_STRUCT__entry(
		__field(unsigned int,	vcpu_id)
		__field(__u32,		version)
		__field(__u64,		tsc_timestamp)
		__field(__u64,		system_time)
		__field(__u32,		tsc_to_system_mul)
		__field(__s8,		tsc_shift)
		__field(__u8,		flags)
	),
	TP_fast_assign(
		__entry->vcpu_id		= vcpu_id;
		__entry->version		= version;
		__entry->tsc_timestamp		= tsc_timestamp;
		__entry->system_time		= system_time;
		__entry->tsc_to_system_mul	= tsc_to_system_mul;
		__entry->tsc_shift		= tsc_shift;
		__entry->flags			= flags;
	),
	TP_printk("vcpu_id %u, pvclock { version %u, tsc_timestamp 0x%llx, system_time 0x%llx, tsc_to_system_mul 0x%x, tsc_shift %d, flags 0x%x }",
		  __entry->vcpu_id, __entry->version, __entry->tsc_timestamp,
		  __entry->system_time, __entry->tsc_to_system_mul, __entry->tsc_shift,
		  __entry->flags)
);

TRACE_EVENT(kvm_smm_transition,
	TP_PROTO(unsigned int vcpu_id, u64 smbase, bool entering),
	TP_ARGS(vcpu_id, smbase, entering),
	TP_STRUCT__entry(
		__field(unsigned int,	vcpu_id)
		__field(u64,		smbase)
		__field(bool,		entering)
	),
	TP_fast_assign(
		__entry->vcpu_id	= vcpu_id;
		__entry->smbase		= smbase;
		__entry->entering	= entering;
	),
	TP_printk("vcpu %u: %s SMM, smbase 0x%llx", __entry->vcpu_id,
		  __entry->entering ? "entering" : "leaving", __entry->smbase)
);

#endif

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH arch/x86
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace

/* Outside the guard: this is read several times. */
#include <trace/define_trace.h>
