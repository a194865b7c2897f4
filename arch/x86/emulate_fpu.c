// SPDX-License-Identifier: GPL-2.0-only
/*
 * Vector and MMX registers for the emulator. During KVM_RUN the guest's are the
 * thread's own; with fpregs_lock() held and restored they are in the CPU.
 */
#include <linux/string.h>
#include <asm/asm.h>
#include <asm/fpu/api.h>
#include "virt/compat/compat.h"
#include "arch/x86/x86.h"

#define FSW_ES		(1u << 7)
#define AVX_MASK	(XFEATURE_MASK_SSE | XFEATURE_MASK_YMM)

static void regs_lock(void)
{
	fpregs_lock();
	fpu_ensure_loaded();
}

static bool has_avx(struct emul_ctxt *c)
{
	return (keel_host_xcr0 & AVX_MASK) == AVX_MASK;
}

#define FOR_16(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) \
	X(8) X(9) X(10) X(11) X(12) X(13) X(14) X(15)
#define FOR_8(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7)

static void read_xmm(int nr, u8 *buf)
{
	switch (nr) {
#define X(n) case n: asm volatile("movdqu %%xmm" #n ", %0" : "=m" (*(u8 (*)[16])buf)); break;
	FOR_16(X)
#undef X
	}
}

static void write_xmm(int nr, const u8 *buf)
{
	switch (nr) {
#define X(n) case n: asm volatile("movdqu %0, %%xmm" #n : : "m" (*(const u8 (*)[16])buf)); break;
	FOR_16(X)
#undef X
	}
}

static void read_ymm(int nr, u8 *buf)
{
	switch (nr) {
#define X(n) case n: asm volatile("vmovdqu %%ymm" #n ", %0" : "=m" (*(u8 (*)[32])buf)); break;
	FOR_16(X)
#undef X
	}
}

static void write_ymm(int nr, const u8 *buf)
{
	switch (nr) {
#define X(n) case n: asm volatile("vmovdqu %0, %%ymm" #n : : "m" (*(const u8 (*)[32])buf)); break;
	FOR_16(X)
#undef X
	}
}

void emulate_read_vec(struct emul_ctxt *c, int nr, u8 buf[32])
{
	memset(buf, 0, 32);
	regs_lock();
	if (has_avx(c))
		read_ymm(nr, buf);
	else
		read_xmm(nr, buf);
	fpregs_unlock();
}

void emulate_write_vec(struct emul_ctxt *c, int nr, const u8 *buf, u32 len, bool zero_upper)
{
	u8 full[32] = {};

	memcpy(full, buf, min_t(u32, len, sizeof(full)));
	regs_lock();
	/* The VEX form of a write clears everything above it, AVX-512's part too. */
	if (has_avx(c) && (len > 16 || zero_upper))
		write_ymm(nr, full);
	else
		write_xmm(nr, full);
	fpregs_unlock();
}

bool emulate_mf_pending(struct emul_ctxt *c)
{
	u16 fsw;

	regs_lock();
	asm volatile("fnstsw %0" : "=am" (fsw));
	fpregs_unlock();
	return fsw & FSW_ES;
}

/* emulate_mf_pending() was asked; were it not, an exception that waits would be the host's. */
void emulate_read_mmx(struct emul_ctxt *c, int nr, u64 *val)
{
	regs_lock();
	switch (nr) {
#define X(n) case n: asm volatile("1: movq %%mm" #n ", %0\n2:\n" _ASM_EXTABLE(1b, 2b) : "+m" (*val)); break;
	FOR_8(X)
#undef X
	}
	fpregs_unlock();
}

void emulate_write_mmx(struct emul_ctxt *c, int nr, u64 val)
{
	regs_lock();
	switch (nr) {
#define X(n) case n: asm volatile("1: movq %0, %%mm" #n "\n2:\n" _ASM_EXTABLE(1b, 2b) : : "m" (val)); break;
	FOR_8(X)
#undef X
	}
	fpregs_unlock();
}

int emulate_fxsave(struct emul_ctxt *c, u8 *area)
{
	struct fxregs_state state __aligned(16) = {};

	regs_lock();
	asm volatile("fxsave %0" : "=m" (state));
	fpregs_unlock();
	memcpy(area, &state, sizeof(state));
	return EMUL_OK;
}

int emulate_fxrstor(struct emul_ctxt *c, const u8 *area, bool sse)
{
	struct fxregs_state state __aligned(16), now __aligned(16);

	memcpy(&state, area, sizeof(state));
	regs_lock();
	asm volatile("fxsave %0" : "=m" (now));
	if (state.mxcsr & ~now.mxcsr_mask) {
		fpregs_unlock();
		c->exc = (struct emul_exception){ .vector = 13, .has_error = true };
		return EMUL_FAULT;
	}
	if (!sse)
		memcpy(state.xmm_space, now.xmm_space, sizeof(state.xmm_space));
	asm volatile("fxrstor %0" : : "m" (state));
	fpregs_unlock();
	return EMUL_OK;
}
