// SPDX-License-Identifier: GPL-2.0-only
/*
 * Registers of x87, SSE and AVX keep their values across context switches and
 * VM exits: more threads than CPUs, each with a pattern of its own.
 */
#define _GNU_SOURCE
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "ktest.h"

static uint64_t end_ns;
static atomic_ulong rounds;
static atomic_ulong bad_sse, bad_avx, bad_x87, bad_mxcsr;
static int have_avx;

/* An exit to the VMM, or a switch to another thread, with the registers live. */
#define DISTURB "mov $24, %%eax\n\tsyscall\n\t"		/* sched_yield */

static void sse_round(const uint8_t *in, uint8_t *out)
{
	asm volatile("movdqu   (%0), %%xmm0\n\t"
		     "movdqu 16(%0), %%xmm1\n\t"
		     "movdqu 32(%0), %%xmm7\n\t"
		     "movdqu 48(%0), %%xmm8\n\t"
		     "movdqu 64(%0), %%xmm15\n\t"
		     DISTURB
		     "movdqu %%xmm0,   (%1)\n\t"
		     "movdqu %%xmm1, 16(%1)\n\t"
		     "movdqu %%xmm7, 32(%1)\n\t"
		     "movdqu %%xmm8, 48(%1)\n\t"
		     "movdqu %%xmm15, 64(%1)\n\t"
		     : : "r" (in), "r" (out)
		     : "rax", "rcx", "r11", "memory", "xmm0", "xmm1", "xmm7", "xmm8", "xmm15");
}

__attribute__((target("avx")))
static void avx_round(const uint8_t *in, uint8_t *out)
{
	asm volatile("vmovdqu   (%0), %%ymm0\n\t"
		     "vmovdqu 32(%0), %%ymm5\n\t"
		     "vmovdqu 64(%0), %%ymm10\n\t"
		     "vmovdqu 96(%0), %%ymm15\n\t"
		     DISTURB
		     "vmovdqu %%ymm0,   (%1)\n\t"
		     "vmovdqu %%ymm5, 32(%1)\n\t"
		     "vmovdqu %%ymm10, 64(%1)\n\t"
		     "vmovdqu %%ymm15, 96(%1)\n\t"
		     "vzeroupper\n\t"
		     : : "r" (in), "r" (out)
		     : "rax", "rcx", "r11", "memory", "xmm0", "xmm5", "xmm10", "xmm15");
}

static int x87_round(double seed)
{
	double out[3];

	asm volatile("fldl %3\n\t"
		     "fld1\n\t"
		     "fldpi\n\t"
		     DISTURB
		     "fstpl %0\n\t"
		     "fstpl %1\n\t"
		     "fstpl %2\n\t"
		     : "=m" (out[0]), "=m" (out[1]), "=m" (out[2])
		     : "m" (seed)
		     : "rax", "rcx", "r11", "memory");
	return out[0] == 3.14159265358979323846 && out[1] == 1.0 && out[2] == seed;
}

static void *worker(void *arg)
{
	long id = (long)arg;
	uint32_t mxcsr = 0x1f80 | (id & 3) << 13, seen;	/* rounding mode by thread */
	uint8_t in[128], out[128];

	asm volatile("ldmxcsr %0" : : "m" (mxcsr));
	for (unsigned int n = 0; now_ns() < end_ns; n++) {
		for (int i = 0; i < 128; i++)
			in[i] = id * 37 + n * 11 + i;
		memset(out, 0, sizeof(out));
		sse_round(in, out);
		bad_sse += !!memcmp(in, out, 80);
		if (have_avx) {
			avx_round(in, out);
			bad_avx += !!memcmp(in, out, 128);
		}
		bad_x87 += !x87_round(id + n * 0.25);
		asm volatile("stmxcsr %0" : "=m" (seen));
		bad_mxcsr += (seen & 0x6000) != (mxcsr & 0x6000);
		rounds++;
	}
	return NULL;
}

int test_fpu(int argc, char **argv)
{
	int seconds = argc > 1 ? atoi(argv[1]) : 2;

	have_avx = __builtin_cpu_supports("avx");
	end_ns = now_ns() + seconds * 1000000000ull;
	if (run_threads(cpu_count() * 3, worker))
		return verdict(KT_FAIL, "no threads");
	if (bad_sse || bad_avx || bad_x87 || bad_mxcsr)
		return verdict(KT_FAIL, "wrong values: sse %lu avx %lu x87 %lu mxcsr %lu",
			       bad_sse, bad_avx, bad_x87, bad_mxcsr);
	return verdict(KT_OK, "%lu rounds, x87 SSE%s", rounds, have_avx ? " AVX" : "");
}
