/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The x86 instruction emulator: public interface.
 *
 * A pure library. It sees the guest only through struct emul_ops and the fields
 * of struct emul_ctxt, takes no lock, allocates nothing, uses no FPU, and builds
 * in the kernel and in userspace.
 *
 * How a vCPU uses it
 * ------------------
 *	emul_init(c);				(mode, cpl, regs... are set by the caller)
 *	ret = emul_decode(c, bytes, nr);	(bytes from decode assists, or NULL, 0)
 *	if (ret == EMUL_OK)
 *		ret = emul_execute(c);
 *
 * and acts on the result:
 *
 *	EMUL_OK			*c->regs holds the state after the instruction (for a REP
 *				string instruction cut short: RIP unchanged, see
 *				out.partial). Then apply c->out (see there).
 *	EMUL_FAULT		inject c->exc. RIP is the instruction's.
 *	EMUL_IO_NEEDED		c->io says what userspace must do. See below.
 *	EMUL_RETRY		nothing was done; enter the guest again at the same RIP.
 *	EMUL_UNHANDLEABLE	the CPU defines the instruction, we do not emulate it.
 *				Report c->insn.bytes[], c->insn.nr_bytes.
 *	EMUL_INTERCEPTED	ops->intercept() took the instruction over.
 *
 * Atomicity: *c->regs and the segment, control and other registers change only
 * when an instruction succeeds; it computes on a copy. Exceptions to this are
 * those of the architecture: REP string instructions commit every iteration, and
 * a task switch faults in the new task once it is committed. Multi-page stores
 * are translated whole before the first byte is written.
 *
 * Device accesses and userspace: re-execution with a transfer log
 * ----------------------------------------------------------------
 * Every data transfer of an instruction (RAM, device, port) is cut into fragments
 * that do not cross a page and have at most 8 bytes. Each fragment is an entry of
 * c->log, in program order, with its linear and physical address and its data.
 * When ops->read_phys() or so says EMUL_IO_NEEDED (nobody in the kernel serves this
 * address), emul_execute() returns with c->io describing just that fragment. The
 * caller leaves to userspace, later
 *	- for a read: copies the result to c->io.data (c->io.size * c->io.count bytes),
 *	- calls emul_io_done(c),
 *	- calls emul_execute(c) again, without emul_init() or emul_decode().
 * The instruction then runs from its start, on the decoded form that was kept: code
 * is not fetched again. Fragments that are done take their result from the log and
 * touch neither page tables, nor memory, nor devices again, so each device access
 * happens exactly once, whatever other vCPUs do to guest memory meanwhile.
 * RMW, page-crossing, wide (16, 32 bytes) and multi-access instructions need no
 * other mechanism. A string instruction drops the log at each committed iteration.
 * c->io.data points into *c or to c->io_buf, never to a stack.
 * If the vCPU's state is replaced while an access is pending (reset, state
 * restored), the caller drops the instruction with emul_init().
 * ops->intercept() is called at the first attempt only.
 */
#ifndef KEEL_EMUL_H
#define KEEL_EMUL_H

#include "port.h"

struct emul_ctxt;
struct emul_opcode;

#define EMUL_INSN_MAX	15	/* bytes; a longer instruction is #GP (SDM 2A 2.3.11) */

/* The result of every operation of the library and of every op of struct emul_ops. */
enum emul_result {
	EMUL_OK = 0,
	EMUL_FAULT,		/* c->exc is filled */
	EMUL_IO_NEEDED,		/* no device in the kernel serves this access */
	EMUL_RETRY,		/* the world changed under us; enter the guest again */
	EMUL_UNHANDLEABLE,	/* cannot be emulated */
	EMUL_INTERCEPTED,	/* the nested hypervisor takes the instruction */
};

/* Width of code and kind of address space. EMUL_PROT16/32 include compatibility mode. */
enum emul_mode {
	EMUL_REAL,		/* CR0.PE = 0 */
	EMUL_VM86,		/* RFLAGS.VM = 1 */
	EMUL_PROT16,		/* CS.D = 0 */
	EMUL_PROT32,		/* CS.D = 1 */
	EMUL_PROT64,		/* EFER.LMA and CS.L */
};

/* GPR indices: the hardware's encoding. */
enum {
	EMUL_RAX, EMUL_RCX, EMUL_RDX, EMUL_RBX, EMUL_RSP, EMUL_RBP, EMUL_RSI, EMUL_RDI,
	EMUL_R8, EMUL_R9, EMUL_R10, EMUL_R11, EMUL_R12, EMUL_R13, EMUL_R14, EMUL_R15,
	EMUL_NR_GPRS,
};

struct emul_regs {
	u64 gpr[EMUL_NR_GPRS];
	u64 rip;
	u64 rflags;
};

/* Segment registers: the hardware's encoding, then the two system segments. */
enum emul_sreg {
	EMUL_ES, EMUL_CS, EMUL_SS, EMUL_DS, EMUL_FS, EMUL_GS,
	EMUL_LDTR, EMUL_TR,
	EMUL_NR_SEGS,
};

/* Access rights: bits 8-23 of a descriptor's high word (SDM 3C 25.4.1 "AR bytes"). */
#define EMUL_AR_TYPE		0x000fu
#define EMUL_AR_S		0x0010u		/* code or data */
#define EMUL_AR_DPL_SHIFT	5
#define EMUL_AR_DPL		0x0060u
#define EMUL_AR_P		0x0080u
#define EMUL_AR_AVL		0x1000u
#define EMUL_AR_L		0x2000u
#define EMUL_AR_DB		0x4000u
#define EMUL_AR_G		0x8000u
#define EMUL_AR_UNUSABLE	0x10000u	/* null selector loaded */

struct emul_seg {
	u64 base;
	u32 limit;		/* in bytes, inclusive, G already applied */
	u32 ar;			/* EMUL_AR_* */
	u16 sel;
};

struct emul_dt {		/* GDTR, IDTR */
	u64 base;
	u16 limit;
};

/* An exception to inject. For #PF, cr2 is the linear address; for #DB, dr6 bits to set. */
struct emul_exception {
	u8 vector;
	bool has_error;
	u32 error;
	u64 cr2;
	u64 dr6;
	/* For the ops: a fault of stage 2, not the guest's. Not looked at by the library. */
	u64 gpa;
	bool nested;
};

/* Access rights asked of translate(). A data read has none of WRITE and FETCH. */
#define EMUL_ACC_WRITE		BIT(0)
#define EMUL_ACC_FETCH		BIT(1)
#define EMUL_ACC_USER		BIT(2)	/* at CPL 3; absent: supervisor */
#define EMUL_ACC_SYSTEM		BIT(3)	/* implicit supervisor: GDT, TSS... (SMAP ignores AC) */

/*
 * What the library needs of the guest. Every op may be called with interrupts on
 * only, may sleep, and returns an enum emul_result unless it says otherwise. EMUL_FAULT
 * from an op means that it has filled c->exc. "Optional" ops may be NULL.
 */
struct emul_ops {
	/*
	 * Guest-linear to guest-physical for the page that holds @la, with page table
	 * permission checks and A/D updates. *gpa is that of @la itself. EMUL_FAULT: #PF.
	 */
	int (*translate)(struct emul_ctxt *c, u64 la, u32 acc, u64 *gpa);
	/*
	 * @len bytes within one page. Data accesses have 1 to 8 bytes; those of
	 * 1, 2, 4, 8 bytes that are naturally aligned must be single-copy atomic on RAM.
	 * Up to a page is asked for code, FXSAVE areas, and when gpa_is_ram() said yes.
	 * EMUL_IO_NEEDED: neither RAM nor a device of the kernel (also: write to ROM).
	 */
	int (*read_phys)(struct emul_ctxt *c, u64 gpa, void *buf, u32 len);
	int (*write_phys)(struct emul_ctxt *c, u64 gpa, const void *buf, u32 len);
	/*
	 * Atomic compare and exchange on RAM, @len 1, 2, 4, 8 or 16, within one page.
	 * EMUL_RETRY: the memory did not hold *@old. EMUL_IO_NEEDED: not RAM (or
	 * not possible); the library goes on with a plain write_phys().
	 */
	int (*cmpxchg_phys)(struct emul_ctxt *c, u64 gpa, const void *old,
			    const void *new, u32 len);
	/* True when the page of @gpa can be read (or written) with one bulk copy. Optional. */
	bool (*gpa_is_ram)(struct emul_ctxt *c, u64 gpa, bool write);

	/*
	 * @count elements of @size bytes (1, 2, 4) from or to one port. @count exceeds
	 * 1 for string instructions only, and then @buf is c->io_buf.
	 * IOPL and I/O bitmap of the guest were checked. EMUL_IO_NEEDED: userspace.
	 */
	int (*pio_in)(struct emul_ctxt *c, u16 port, u32 size, void *buf, u32 count);
	int (*pio_out)(struct emul_ctxt *c, u16 port, u32 size, const void *buf, u32 count);

	/* Segments. set_seg() is called when an instruction commits; CPL follows SS.DPL. */
	void (*get_seg)(struct emul_ctxt *c, enum emul_sreg s, struct emul_seg *seg);
	void (*set_seg)(struct emul_ctxt *c, enum emul_sreg s, const struct emul_seg *seg);
	void (*get_gdt)(struct emul_ctxt *c, struct emul_dt *dt);
	void (*set_gdt)(struct emul_ctxt *c, const struct emul_dt *dt);
	void (*get_idt)(struct emul_ctxt *c, struct emul_dt *dt);
	void (*set_idt)(struct emul_ctxt *c, const struct emul_dt *dt);

	/*
	 * Control (0, 2, 3, 4, 8), debug (0-3, 6, 7) and model-specific registers. The set ops
	 * check reserved bits and fault with #GP(0). CPL, DR4/5 aliasing, DR7.GD
	 * were handled. MSR_EFER, STAR..., SYSENTER_*, FS/GS/KERNEL_GS_BASE,
	 * TSC_AUX come this way for SYSCALL, RDTSCP and the like.
	 */
	u64 (*get_cr)(struct emul_ctxt *c, int nr);
	int (*set_cr)(struct emul_ctxt *c, int nr, u64 val);
	u64 (*get_dr)(struct emul_ctxt *c, int nr);
	int (*set_dr)(struct emul_ctxt *c, int nr, u64 val);
	int (*get_msr)(struct emul_ctxt *c, u32 msr, u64 *val);
	int (*set_msr)(struct emul_ctxt *c, u32 msr, u64 val);
	u64 (*get_xcr0)(struct emul_ctxt *c);			/* optional: no AVX */
	int (*set_xcr)(struct emul_ctxt *c, u32 nr, u64 val);	/* optional: unhandleable */
	u64 (*rdtsc)(struct emul_ctxt *c);			/* as the guest reads it */
	int (*rdpmc)(struct emul_ctxt *c, u32 nr, u64 *val);	/* optional: unhandleable */
	/* In: *eax leaf, *ecx subleaf; out: all four. */
	void (*cpuid)(struct emul_ctxt *c, u32 *eax, u32 *ebx, u32 *ecx, u32 *edx);
	/* CPUID is #GP here, as the guest's kernel wants it for programs. Optional. */
	bool (*cpuid_faults)(struct emul_ctxt *c);
	int (*invlpg)(struct emul_ctxt *c, u64 la);
	int (*invpcid)(struct emul_ctxt *c, u64 type, u64 pcid, u64 la);  /* optional */
	void (*wbinvd)(struct emul_ctxt *c);			/* optional */

	/*
	 * Vector registers of the guest. read_vec: 32 bytes of ymm@nr (upper half zero
	 * without AVX). write_vec: @len 16 or 32; @zero_upper clears the bits above @len (VEX forms),
	 * else they stay. read_mmx/write_mmx: 8 bytes of mm@nr, and enter MMX mode (FTW, TOS).
	 * Optional as a group: without them SIMD is unhandleable.
	 */
	void (*read_vec)(struct emul_ctxt *c, int nr, u8 buf[32]);
	void (*write_vec)(struct emul_ctxt *c, int nr, const u8 *buf, u32 len, bool zero_upper);
	void (*read_mmx)(struct emul_ctxt *c, int nr, u64 *val);
	void (*write_mmx)(struct emul_ctxt *c, int nr, u64 val);
	/*
	 * An x87 exception waits for the next instruction that waits for it, as those above do (FSW.ES).
	 * Looked at before each of them, in the same attempt. Optional where nothing can wait.
	 */
	bool (*mf_pending)(struct emul_ctxt *c);
	/*
	 * The 512-byte FXSAVE image. fxsave fills all of it; fxrstor checks MXCSR (#GP)
	 * and, unless @sse, leaves the XMM registers. Optional.
	 */
	int (*fxsave)(struct emul_ctxt *c, u8 *area);
	int (*fxrstor)(struct emul_ctxt *c, const u8 *area, bool sse);

	/*
	 * Before the instruction in c->insn has any effect, after its privilege checks, at
	 * the first attempt: EMUL_OK to go on, EMUL_INTERCEPTED to stop. For port
	 * instructions emul_io_operand() gives port, size, direction. Optional.
	 */
	int (*intercept)(struct emul_ctxt *c);
	/* True when a string loop should stop at this iteration (work pending). Optional. */
	bool (*should_yield)(struct emul_ctxt *c);
};

/* Opcode maps, as VEX.mmmmm counts them. */
enum emul_map { EMUL_MAP_1B, EMUL_MAP_0F, EMUL_MAP_0F38, EMUL_MAP_0F3A };

/* The decoded instruction. Valid after emul_decode(); the caller may inspect it. */
struct emul_insn {
	const struct emul_opcode *op;	/* the library's: what to do */
	u8 len;				/* bytes */
	u8 nr_bytes;			/* valid in bytes[]: what was fetched, >= len */
	u8 bytes[EMUL_INSN_MAX];
	u8 map;				/* enum emul_map */
	u8 opcode;			/* last opcode byte */
	u8 rep;				/* 0, 0xf2 or 0xf3: the last of them */
	u8 rex;				/* 0 or 0x40-0x4f */
	u8 seg;				/* enum emul_sreg of the memory operand, if any */
	u8 op_bytes;			/* operand size: 2, 4, 8 */
	u8 ad_bytes;			/* address size: 2, 4, 8 */
	bool seg_override;
	bool opsize;			/* 66h seen */
	bool lock;
	bool has_modrm;
	bool has_sib;
	u8 modrm, sib;			/* raw */
	u8 mod, reg, rm;		/* with REX/VEX extension in reg and rm */
	bool has_mem;			/* ModRM names memory: see ea */
	bool rip_rel;
	s64 disp;
	u64 imm, imm2;			/* sign-extended to the form's rules; imm2: far selector, ENTER */
	/* VEX. vex is 0, or 2 or 3: bytes of prefix. */
	u8 vex, vex_l, vex_v, vex_pp, vex_w;
};

/* What userspace has to do after EMUL_IO_NEEDED. */
struct emul_io {
	bool pio;		/* port I/O, else MMIO */
	bool write;
	u32 size;		/* bytes per element; MMIO 1-8 (any), PIO 1, 2, 4 */
	u32 count;		/* elements; 1 for MMIO */
	u64 addr;		/* gpa or port */
	void *data;		/* size * count bytes: take from here, or put here */
};

#define EMUL_LOG_MAX	24

/* One fragment of a transfer. Private to the library. */
struct emul_xfer {
	u64 la;			/* linear address or port */
	u64 gpa;
	u64 data;
	u16 count;
	u8 len;
	u8 kind;
	bool done;
};

/* What else an instruction did, for the caller to apply after EMUL_OK. */
enum emul_inject { EMUL_INJ_NONE, EMUL_INJ_SOFT_INT, EMUL_INJ_SOFT_EXC, EMUL_INJ_PRIV_EXC };
#define EMUL_SHADOW_MOV_SS	BIT(0)
#define EMUL_SHADOW_STI		BIT(1)

struct emul_out {
	u8 shadow;		/* EMUL_SHADOW_*: the new interrupt shadow; 0 clears it */
	bool partial;		/* REP string cut short: RIP unchanged, leave shadow alone */
	bool single_step;	/* RFLAGS.TF asks for a #DB trap (DR6.BS) now */
	bool halt;		/* HLT was executed */
	bool unmask_nmi;	/* IRET was executed */
	/*
	 * INT n (SOFT_INT), INT3 and INTO (SOFT_EXC), INT1 (PRIV_EXC): inject vector.
	 * RIP is already behind the instruction, c->insn.len is its length.
	 */
	u8 inject;		/* enum emul_inject */
	u8 vector;
};

/* How the guest's CPU model treats what CPU makers define differently. */
#define EMUL_SYSCALL_LEGACY	BIT(0)	/* SYSCALL/SYSRET exist outside 64-bit mode */
#define EMUL_SYSENTER_LONG	BIT(1)	/* SYSENTER/SYSEXIT exist in long mode */

struct emul_ctxt {
	/* Set by the caller before emul_init() or emul_task_switch(). */
	const struct emul_ops *ops;
	void *priv;			/* the caller's */
	struct emul_regs *regs;		/* the vCPU's: read at each attempt, written on commit */
	u8 mode;			/* enum emul_mode; a task switch changes it */
	u8 cpl;				/* follows SS.DPL when an instruction commits */
	u8 va_bits;			/* 48, or 57 with CR4.LA57 */
	u8 model;			/* EMUL_SYSCALL_LEGACY... */
	/*
	 * Room for batches of INS/OUTS, lives as long as *c; may be mapped by userspace: the
	 * library treats the content as opaque and copies each byte once. NULL, 0: no batches.
	 */
	void *io_buf;
	u32 io_buf_len;

	/* Results. */
	struct emul_insn insn;
	struct emul_exception exc;	/* EMUL_FAULT */
	struct emul_io io;		/* EMUL_IO_NEEDED */
	struct emul_out out;		/* EMUL_OK */

	/* Private to the library from here. */
	struct emul_regs w;		/* the working copy */
	struct emul_seg segs[EMUL_NR_SEGS];
	u16 seg_valid, seg_dirty;	/* masks over segs[] */
	bool resumed;			/* not the first attempt */
	bool rip_set;			/* the handler has set w.rip */
	bool keep_rf;			/* ... and RFLAGS.RF */
	u8 step;			/* which RFLAGS.TF counts: enum emul_step */
	u8 log_nr, log_pos, log_wait;
	struct emul_xfer log[EMUL_LOG_MAX];
	struct {
		u64 la, gpa;		/* page addresses */
		u32 acc;
		bool valid;
	} tlb[2];			/* translations of this instruction */
	u8 tlb_next;
	/* Operands of the instruction under way. */
	u64 ea;				/* effective address (offset) of the memory operand */
	u64 dst, src;			/* values, zero-extended */
	u64 dst_orig;
	u8 bytes;			/* operand size of this form */
	bool no_writeback;
};

/* Drops everything about an earlier instruction. Fields set by the caller stay. */
void emul_init(struct emul_ctxt *c);

/*
 * Fetches and decodes the instruction at c->regs->rip into c->insn. @bytes: @nr bytes known to be
 * there (decode assists), the rest is fetched when needed; NULL, 0: all is fetched.
 * EMUL_FAULT: #PF, #GP (limit, 15 bytes), #UD (no such opcode, or not in this mode).
 * EMUL_UNHANDLEABLE: c->insn.len is valid, c->insn.op is NULL.
 */
int emul_decode(struct emul_ctxt *c, const u8 *bytes, u32 nr);

/* Executes what emul_decode() decoded. May be called again after emul_io_done(). */
int emul_execute(struct emul_ctxt *c);

/* The access in c->io is done; a read's result is at c->io.data. */
void emul_io_done(struct emul_ctxt *c);

/*
 * The length in bytes of the instruction at @bytes, without looking at what it does:
 * for skipping an intercepted instruction where hardware does not tell the next RIP.
 * All encodings up to EVEX and XOP. 0: @nr (up to 15) bytes are not enough, or over
 * 15; < 0: no such opcode. Pure; fast.
 */
int emul_insn_length(const u8 *bytes, u32 nr, enum emul_mode mode);

/* The offset in its segment of the memory operand of @i, with the registers before it ran. */
u64 emul_insn_ea(const struct emul_insn *i, const u64 *gpr, u64 next_rip);

/* True for IN, OUT, INS, OUTS, with *port, *size (bytes), *in. After emul_decode(). */
bool emul_io_operand(const struct emul_ctxt *c, u16 *port, u32 *size, bool *in);

/* Why a task switch happens (SDM 3A 8.3, APM 2 12.3). */
enum emul_task_reason { EMUL_TASK_CALL, EMUL_TASK_IRET, EMUL_TASK_JMP, EMUL_TASK_GATE };

/*
 * Switches to the task of TSS selector @sel: saves the old task, loads the new, links
 * them. The CPU has checked privileges. c->regs->rip must be what the old task shall resume at, and
 * @fault_rip is what it is at a fault before that: of an instruction, where it begins.
 * @has_error: push @error on the new stack. Calls emul_init().
 * EMUL_OK or EMUL_FAULT leave registers and segments set as the architecture demands:
 * a fault before the commit point leaves the old task, one after it is the new task's.
 * Guest memory of the TSSs must be RAM: else EMUL_UNHANDLEABLE.
 */
int emul_task_switch(struct emul_ctxt *c, u16 sel, enum emul_task_reason reason, u64 fault_rip,
		     bool has_error, u32 error);

#endif /* KEEL_EMUL_H */
