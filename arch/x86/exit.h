/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Generic exit handlers. A vendor's exit row normalises the hardware's report
 * into the arguments here and returns what the handler returns.
 */
#ifndef KEEL_X86_EXIT_H
#define KEEL_X86_EXIT_H

#include <keel/types.h>
#include <keel/verdict.h>

struct x86_vcpu;
struct insn_note;

/* Filled by the vendor's exited(). */
struct x86_exit {
	u32	reason;		/* the hardware's code; 0xffffffff: entry failed */
	bool	entry_failed;
	u8	insn_len;	/* 0: unknown, ask next_rip or decode */
	u64	next_rip;	/* 0: unknown */
	u64	info1, info2;
	bool	event_cut_short;	/* this exit happened while delivering an event */
};

struct x86_io {
	u16	port;
	u8	size;		/* 1, 2, 4 */
	bool	in;
	bool	string;
	bool	rep;
	u64	next_rip;	/* 0: unknown */
};

/* Stage-2 fault, neutral form of NPF error code and EPT qualification. */
struct x86_s2_fault {
	gpa_t	gpa;
	bool	write, exec, present, user;
	bool	reserved;	/* a reserved bit was set in the entry: an MMIO marker or misconfiguration */
	bool	table_walk;	/* the access was to the guest's own page tables */
};

/* Hardware task switch. With reason 3 an event went through a task gate, which the rest is about. */
struct x86_task_switch {
	u16	selector;
	u8	reason;		/* 0 call, 1 iret, 2 jmp, 3 gate */
	bool	soft;		/* INT n, INT3, INTO, INT1: RIP is at the instruction */
	bool	nmi;
	bool	has_error;
	u32	err;
};

verdict_t keel_exit_cpuid(struct x86_vcpu *vcpu);
verdict_t keel_exit_hlt(struct x86_vcpu *vcpu);
verdict_t keel_exit_io(struct x86_vcpu *vcpu, const struct x86_io *io);
verdict_t keel_exit_rdmsr(struct x86_vcpu *vcpu);
verdict_t keel_exit_wrmsr(struct x86_vcpu *vcpu);
/* fast path, interrupts off: true if the WRMSR (x2APIC ICR, TSC deadline) was done completely, RIP advanced. */
bool keel_fast_wrmsr(struct x86_vcpu *vcpu);
/*
 * The countdown of set_timer() has ended: delivers the APIC timer's interrupt, or arms the countdown
 * anew if it came early. Interrupts off; from fast_exit.
 */
void keel_guest_timer(struct x86_vcpu *vcpu);
verdict_t keel_exit_stage2(struct x86_vcpu *vcpu, const struct x86_s2_fault *f);
/* An access of the APIC's registers that the CPU does not virtualise, with the same report. */
verdict_t keel_exit_apic_access(struct x86_vcpu *vcpu, const struct x86_s2_fault *f);
/* MOV CRn (@reg = GPR index), CLTS and LMSW are emulated from the instruction if @reg < 0. */
verdict_t keel_exit_cr_write(struct x86_vcpu *vcpu, int cr, int reg);
verdict_t keel_exit_cr_read(struct x86_vcpu *vcpu, int cr, int reg);
verdict_t keel_exit_dr(struct x86_vcpu *vcpu, int dr, int reg, bool write);
/* An intercepted exception; @payload: CR2 for #PF, DR6 bits for #DB. */
verdict_t keel_exit_exception(struct x86_vcpu *vcpu, u8 vector, bool has_error, u32 err, u64 payload);
verdict_t keel_exit_xsetbv(struct x86_vcpu *vcpu);
verdict_t keel_exit_rdpmc(struct x86_vcpu *vcpu);
verdict_t keel_exit_rdtsc(struct x86_vcpu *vcpu);
verdict_t keel_exit_rdtscp(struct x86_vcpu *vcpu);
verdict_t keel_exit_invlpg(struct x86_vcpu *vcpu, gva_t gva);
verdict_t keel_exit_wbinvd(struct x86_vcpu *vcpu);
verdict_t keel_exit_pause(struct x86_vcpu *vcpu);
verdict_t keel_exit_monitor(struct x86_vcpu *vcpu);	/* MONITOR and MWAIT */
verdict_t keel_exit_hypercall(struct x86_vcpu *vcpu);
verdict_t keel_exit_irq_window(struct x86_vcpu *vcpu);
verdict_t keel_exit_nmi_window(struct x86_vcpu *vcpu);
verdict_t keel_exit_shutdown(struct x86_vcpu *vcpu);	/* triple fault */
/* The same where the CPU leaves the guest's state undefined: an INIT gives it one. */
verdict_t keel_exit_shutdown_undefined(struct x86_vcpu *vcpu);
verdict_t keel_exit_init(struct x86_vcpu *vcpu);
verdict_t keel_exit_task_switch(struct x86_vcpu *vcpu, const struct x86_task_switch *ts);
verdict_t keel_exit_emulate(struct x86_vcpu *vcpu);	/* run one instruction in the emulator */
verdict_t keel_exit_ud(struct x86_vcpu *vcpu);		/* instruction not offered to the guest */
verdict_t keel_exit_unknown(struct x86_vcpu *vcpu);	/* KVM_EXIT_INTERNAL_ERROR, never a host message */
verdict_t keel_exit_entry_failed(struct x86_vcpu *vcpu, u64 hw_reason);

/* Shared by the files of arch/x86. */
verdict_t exit_skip(struct x86_vcpu *vcpu);
verdict_t exit_halt(struct x86_vcpu *vcpu);		/* HLT was executed, RIP is behind it */
verdict_t exit_cr8_write(struct x86_vcpu *vcpu, u64 val);
verdict_t exit_delivery_failed(struct x86_vcpu *vcpu);
/* A load or store for userspace; @data: what is stored. VERDICT_USER. */
verdict_t exit_fill_mmio(struct x86_vcpu *vcpu, gpa_t gpa, const void *data, u32 len, bool write);
/* The access of @f by a plain MOV: true if it was done, with *@v. @n: the instruction. */
bool exit_mmio(struct x86_vcpu *vcpu, const struct x86_s2_fault *f, const struct insn_note *n,
	       verdict_t *v);
void exit_fill_io(struct x86_vcpu *vcpu, bool in, u16 port, u8 size, u32 count);

/* Move RIP behind the current instruction (next_rip, insn_len or decoded), clear the interrupt shadow, honour TF. <0: could not decode (verdict in *v). */
bool keel_skip_insn(struct x86_vcpu *vcpu, verdict_t *v);

#endif
