/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How the measured programs tell the counting plugin where a path begins and ends: NOPs
 * that no compiler makes (0f 1f 80 disp32). They do nothing anywhere else.
 */
#ifndef BENCH_MARK_H
#define BENCH_MARK_H

#define MARK_BEGIN	0x4b450001	/* count from here */
#define MARK_END	0x4b450002	/* to here; more may follow for the same row */
#define MARK_ROW	0x4b450003	/* the row is complete */

#define MARK_STR_(x)	#x
#define MARK_STR(x)	MARK_STR_(x)
#define mark(x)		__asm__ volatile("nopl " MARK_STR(x) "(%%rax)" : : : "memory")

#endif
