/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The few names that the emulator takes from its surroundings. The same
 * sources build into the kernel module and into userspace test programs.
 */
#ifndef KEEL_EMUL_PORT_H
#define KEEL_EMUL_PORT_H

#ifdef __KERNEL__

#include <linux/types.h>
#include <linux/string.h>
#include <linux/kernel.h>
#include <linux/bits.h>
#include <linux/compiler.h>
#include <linux/nospec.h>

#else

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int8_t s8;
typedef int16_t s16;
typedef int32_t s32;
typedef int64_t s64;

#define BIT(n)			(1UL << (n))
#define BIT_ULL(n)		(1ULL << (n))
#define ARRAY_SIZE(a)		(sizeof(a) / sizeof((a)[0]))
#define likely(x)		__builtin_expect(!!(x), 1)
#define unlikely(x)		__builtin_expect(!!(x), 0)
#define fallthrough		__attribute__((__fallthrough__))
#define array_index_nospec(i, n) ((i) < (n) ? (i) : 0)
#define min_t(t, a, b)		((t)(a) < (t)(b) ? (t)(a) : (t)(b))

#endif /* __KERNEL__ */
#endif /* KEEL_EMUL_PORT_H */
