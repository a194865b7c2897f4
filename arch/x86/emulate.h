/* SPDX-License-Identifier: GPL-2.0-only */
/* The glue between a vCPU and the instruction emulator (emul/). */
#ifndef KEEL_X86_EMULATE_H
#define KEEL_X86_EMULATE_H

#include <keel/types.h>
#include <keel/verdict.h>
#include "arch/x86/emul/emul.h"

struct x86_vcpu;
struct insn_note;
struct x86_task_switch;

/*
 * A store to a device of userspace's. The instruction is completed first and userspace gets its
 * stores afterwards: so nothing has to be executed twice for them, and it sees RIP behind the
 * instruction, as it is used to.
 */
struct emul_posted {
	gpa_t	gpa;
	u64	data;
	u8	len;
};

/* Allocated with a vCPU's first emulated instruction. */
struct emul_state {
	struct emul_ctxt	c;
	struct emul_posted	posted[EMUL_LOG_MAX];
	u8			nr_posted, next_posted;
	bool			io_after;	/* c.io waits behind the stores */
	bool			trap_after;	/* so does a single step */
};

struct vcpu_emul {
	struct emul_state	*state;
	u64			rip;		/* linear, of the instruction that userspace completes */
	/*
	 * The stage-2 fault behind this emulation. The CPU has walked the guest's tables for it and
	 * found the access allowed, so the operand at the same page offset needs no second walk.
	 */
	gpa_t			fault_gpa;	/* INVALID_GPA: none */
	bool			fault_write;
	bool			after_ud;	/* the CPU took the instruction for undefined, and so may we */
	struct {				/* IN or OUT that exit_io.c has given to userspace */
		u16	port;
		u8	size;
	} pio;
	struct {				/* the load that exit_mmio.c has given to userspace */
		u8	reg, kind, size, op_bytes, insn_len;
	} mmio;
};

void emulate_vcpu_destroy(struct x86_vcpu *vcpu);

/*
 * emulate_insn - run the instruction at RIP. @n: its note, or NULL; then @bytes, @nr: known bytes or
 * NULL, 0. Own thread, interrupts on, vCPU loaded.
 */
verdict_t emulate_insn(struct x86_vcpu *vcpu, struct insn_note *n, const u8 *bytes, int nr);

/* The length of the instruction at RIP, for skipping; 0 if it cannot be fetched or decoded. */
int emulate_insn_length(struct x86_vcpu *vcpu);

/* KVM_EXIT_INTERNAL_ERROR with the instruction bytes; #UD in user mode: ring 3 must not be able to stop its VM. */
verdict_t emulate_failed(struct x86_vcpu *vcpu);

/*
 * Hardware task switch through a gate, a TSS descriptor or IRET with NT. RIP is where the old task goes on;
 * @fault_rip: where it is at a fault before the switch.
 */
verdict_t emulate_task_switch(struct x86_vcpu *vcpu, const struct x86_task_switch *ts, u64 fault_rip);

enum emul_mode emulate_mode(struct x86_vcpu *vcpu);

/* Queue a store for userspace; false if there is no room. */
bool emulate_post_write(struct x86_vcpu *vcpu, gpa_t gpa, const void *buf, u32 len);
bool emulate_writes_posted(const struct x86_vcpu *vcpu);
/* Between two iterations of a string instruction: something waits for the vCPU's loop. Own thread. */
bool emulate_loop_wanted(struct x86_vcpu *vcpu);

/* emulate_ops.c, emulate_fpu.c */
extern const struct emul_ops emulate_ops;
void emulate_read_vec(struct emul_ctxt *c, int nr, u8 buf[32]);
void emulate_write_vec(struct emul_ctxt *c, int nr, const u8 *buf, u32 len, bool zero_upper);
void emulate_read_mmx(struct emul_ctxt *c, int nr, u64 *val);
void emulate_write_mmx(struct emul_ctxt *c, int nr, u64 val);
bool emulate_mf_pending(struct emul_ctxt *c);
int emulate_fxsave(struct emul_ctxt *c, u8 *area);
int emulate_fxrstor(struct emul_ctxt *c, const u8 *area, bool sse);

#endif
