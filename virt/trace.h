/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Tracepoints of the core. System, event and field names are those that perf kvm, trace-cmd and
 * scripts of the field look for. Arguments are plain values: a tracepoint never follows a pointer
 * into an object of somebody else, and never copies more bytes than the caller says are valid.
 */
#if !defined(KEEL_VIRT_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define KEEL_VIRT_TRACE_H

#include <linux/tracepoint.h>
#include <uapi/keel/kvm.h>

#undef TRACE_SYSTEM
#define TRACE_SYSTEM kvm

/* kvm_mmio's type */
#define KVM_TRACE_MMIO_READ_UNSATISFIED	0
#define KVM_TRACE_MMIO_READ		1
#define KVM_TRACE_MMIO_WRITE		2

#define keel_trace_exit_reasons						\
	{ KVM_EXIT_UNKNOWN,		"KVM_EXIT_UNKNOWN" },		\
	{ KVM_EXIT_EXCEPTION,		"KVM_EXIT_EXCEPTION" },		\
	{ KVM_EXIT_IO,			"KVM_EXIT_IO" },		\
	{ KVM_EXIT_HYPERCALL,		"KVM_EXIT_HYPERCALL" },		\
	{ KVM_EXIT_DEBUG,		"KVM_EXIT_DEBUG" },		\
	{ KVM_EXIT_HLT,			"KVM_EXIT_HLT" },		\
	{ KVM_EXIT_MMIO,		"KVM_EXIT_MMIO" },		\
	{ KVM_EXIT_IRQ_WINDOW_OPEN,	"KVM_EXIT_IRQ_WINDOW_OPEN" },	\
	{ KVM_EXIT_SHUTDOWN,		"KVM_EXIT_SHUTDOWN" },		\
	{ KVM_EXIT_FAIL_ENTRY,		"KVM_EXIT_FAIL_ENTRY" },	\
	{ KVM_EXIT_INTR,		"KVM_EXIT_INTR" },		\
	{ KVM_EXIT_SET_TPR,		"KVM_EXIT_SET_TPR" },		\
	{ KVM_EXIT_TPR_ACCESS,		"KVM_EXIT_TPR_ACCESS" },	\
	{ KVM_EXIT_NMI,			"KVM_EXIT_NMI" },		\
	{ KVM_EXIT_INTERNAL_ERROR,	"KVM_EXIT_INTERNAL_ERROR" },	\
	{ KVM_EXIT_WATCHDOG,		"KVM_EXIT_WATCHDOG" },		\
	{ KVM_EXIT_SYSTEM_EVENT,	"KVM_EXIT_SYSTEM_EVENT" },	\
	{ KVM_EXIT_IOAPIC_EOI,		"KVM_EXIT_IOAPIC_EOI" },	\
	{ KVM_EXIT_HYPERV,		"KVM_EXIT_HYPERV" },		\
	{ KVM_EXIT_X86_RDMSR,		"KVM_EXIT_X86_RDMSR" },		\
	{ KVM_EXIT_X86_WRMSR,		"KVM_EXIT_X86_WRMSR" },		\
	{ KVM_EXIT_DIRTY_RING_FULL,	"KVM_EXIT_DIRTY_RING_FULL" },	\
	{ KVM_EXIT_X86_BUS_LOCK,	"KVM_EXIT_X86_BUS_LOCK" },	\
	{ KVM_EXIT_XEN,			"KVM_EXIT_XEN" },		\
	{ KVM_EXIT_NOTIFY,		"KVM_EXIT_NOTIFY" },		\
	{ KVM_EXIT_MEMORY_FAULT,	"KVM_EXIT_MEMORY_FAULT" }

/* KVM_RUN returns: @errno 0 or negative, @reason is run->exit_reason. */
TRACE_EVENT(kvm_userspace_exit,
	TP_PROTO(__u32 reason, int errno),
	TP_ARGS(reason, errno),
	TP_STRUCT__entry(
		__field(__u32,	reason)
		__field(int,	errno)
	),
	TP_fast_assign(
		__entry->reason	= reason;
		__entry->errno	= errno;
	),
	TP_printk("reason %s (%d)",
		  __entry->errno < 0 ?
		  (__entry->errno == -EINTR ? "restart" : "error") :
		  __print_symbolic(__entry->reason, keel_trace_exit_reasons),
		  __entry->errno < 0 ? -__entry->errno : (int)__entry->reason)
);

/* A halt ended after @ns; @waited: it slept, otherwise it polled; @valid: the poll was worth it. */
TRACE_EVENT(kvm_vcpu_wakeup,
	TP_PROTO(__u64 ns, bool waited, bool valid),
	TP_ARGS(ns, waited, valid),
	TP_STRUCT__entry(
		__field(__u64,	ns)
		__field(bool,	waited)
		__field(bool,	valid)
	),
	TP_fast_assign(
		__entry->ns	= ns;
		__entry->waited	= waited;
		__entry->valid	= valid;
	),
	TP_printk("%s time %lld ns, polling %s", __entry->waited ? "wait" : "poll",
		  __entry->ns, __entry->valid ? "valid" : "invalid")
);

/* The polling window of a vCPU changed, in ns. */
TRACE_EVENT(kvm_halt_poll_ns,
	TP_PROTO(bool grow, unsigned int vcpu_id, unsigned int new, unsigned int old),
	TP_ARGS(grow, vcpu_id, new, old),
	TP_STRUCT__entry(
		__field(bool,		grow)
		__field(unsigned int,	vcpu_id)
		__field(unsigned int,	new)
		__field(unsigned int,	old)
	),
	TP_fast_assign(
		__entry->grow		= grow;
		__entry->vcpu_id	= vcpu_id;
		__entry->new		= new;
		__entry->old		= old;
	),
	TP_printk("vcpu %u: halt_poll_ns %u (%s %u)", __entry->vcpu_id, __entry->new,
		  __entry->grow ? "grow" : "shrink", __entry->old)
);
#define trace_kvm_halt_poll_ns_grow(vcpu_id, new, old)		\
	trace_kvm_halt_poll_ns(true, vcpu_id, new, old)
#define trace_kvm_halt_poll_ns_shrink(vcpu_id, new, old)	\
	trace_kvm_halt_poll_ns(false, vcpu_id, new, old)

TRACE_EVENT(kvm_set_irq,
	TP_PROTO(unsigned int gsi, int level, int irq_source_id),
	TP_ARGS(gsi, level, irq_source_id),
	TP_STRUCT__entry(
		__field(unsigned int,	gsi)
		__field(int,		level)
		__field(int,		irq_source_id)
	),
	TP_fast_assign(
		__entry->gsi		= gsi;
		__entry->level		= level;
		__entry->irq_source_id	= irq_source_id;
	),
	TP_printk("gsi %u level %d source %d", __entry->gsi, __entry->level,
		  __entry->irq_source_id)
);

#define keel_trace_irqchips					\
	{ KVM_IRQCHIP_PIC_MASTER,	"PIC master" },		\
	{ KVM_IRQCHIP_PIC_SLAVE,	"PIC slave" },		\
	{ KVM_IRQCHIP_IOAPIC,		"IOAPIC" }

TRACE_EVENT(kvm_ack_irq,
	TP_PROTO(unsigned int irqchip, unsigned int pin),
	TP_ARGS(irqchip, pin),
	TP_STRUCT__entry(
		__field(unsigned int,	irqchip)
		__field(unsigned int,	pin)
	),
	TP_fast_assign(
		__entry->irqchip	= irqchip;
		__entry->pin		= pin;
	),
	TP_printk("irqchip %s pin %u",
		  __print_symbolic(__entry->irqchip, keel_trace_irqchips), __entry->pin)
);

#define keel_trace_mmio_types						\
	{ KVM_TRACE_MMIO_READ_UNSATISFIED,	"unsatisfied-read" },	\
	{ KVM_TRACE_MMIO_READ,			"read" },		\
	{ KVM_TRACE_MMIO_WRITE,			"write" }

/* @val: @len bytes, or NULL while they are not known; the first 8 are shown. */
TRACE_EVENT(kvm_mmio,
	TP_PROTO(int type, int len, u64 gpa, const void *val),
	TP_ARGS(type, len, gpa, val),
	TP_STRUCT__entry(
		__field(u32,	type)
		__field(u32,	len)
		__field(u64,	gpa)
		__field(u64,	val)
	),
	TP_fast_assign(
		__entry->type	= type;
		__entry->len	= len;
		__entry->gpa	= gpa;
		__entry->val	= 0;
		if (val && len > 0)
			memcpy(&__entry->val, val, min_t(u32, sizeof(__entry->val), len));
	),
	TP_printk("mmio %s len %u gpa 0x%llx val 0x%llx",
		  __print_symbolic(__entry->type, keel_trace_mmio_types),
		  __entry->len, __entry->gpa, __entry->val)
);

TRACE_EVENT(kvm_fpu,
	TP_PROTO(int load),
	TP_ARGS(load),
	TP_STRUCT__entry(
		__field(u32,	load)
	),
	TP_fast_assign(
		__entry->load	= load;
	),
	TP_printk("%s", __entry->load ? "load" : "unload")
);

/* What the host does to the VMM's mappings. */
TRACE_EVENT(kvm_unmap_hva_range,
	TP_PROTO(unsigned long start, unsigned long end),
	TP_ARGS(start, end),
	TP_STRUCT__entry(
		__field(unsigned long,	start)
		__field(unsigned long,	end)
	),
	TP_fast_assign(
		__entry->start	= start;
		__entry->end	= end;
	),
	TP_printk("mmu notifier unmap range: %#016lx -- %#016lx", __entry->start, __entry->end)
);

TRACE_EVENT(kvm_age_hva,
	TP_PROTO(unsigned long start, unsigned long end),
	TP_ARGS(start, end),
	TP_STRUCT__entry(
		__field(unsigned long,	start)
		__field(unsigned long,	end)
	),
	TP_fast_assign(
		__entry->start	= start;
		__entry->end	= end;
	),
	TP_printk("mmu notifier age hva: %#016lx -- %#016lx", __entry->start, __entry->end)
);

TRACE_EVENT(kvm_test_age_hva,
	TP_PROTO(unsigned long hva),
	TP_ARGS(hva),
	TP_STRUCT__entry(
		__field(unsigned long,	hva)
	),
	TP_fast_assign(
		__entry->hva	= hva;
	),
	TP_printk("mmu notifier test age hva: %#016lx", __entry->hva)
);

#endif

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH virt
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace

/* Outside the guard: this is read several times. */
#include <trace/define_trace.h>
