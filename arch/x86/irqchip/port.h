/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The few names that the register logic of the interrupt controllers takes
 * from its surroundings. The same sources build into the kernel module and
 * into userspace test programs.
 */
#ifndef KEEL_IRQCHIP_PORT_H
#define KEEL_IRQCHIP_PORT_H

#ifdef __KERNEL__

#include <linux/atomic.h>
#include <linux/bitops.h>
#include <linux/build_bug.h>
#include <linux/compiler.h>
#include <linux/kernel.h>
#include <linux/math64.h>
#include <linux/minmax.h>
#include <linux/nospec.h>
#include <linux/string.h>
#include <linux/types.h>
#include <asm/barrier.h>

#else

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int32_t s32;
typedef int64_t s64;

#define BIT(n)			(1UL << (n))
#define BIT_ULL(n)		(1ULL << (n))
#define GENMASK(h, l)		(((~0UL) << (l)) & (~0UL >> (63 - (h))))
#define ARRAY_SIZE(a)		(sizeof(a) / sizeof((a)[0]))
#define likely(x)		__builtin_expect(!!(x), 1)
#define unlikely(x)		__builtin_expect(!!(x), 0)
#define fallthrough		__attribute__((__fallthrough__))
#define READ_ONCE(x)		__atomic_load_n(&(x), __ATOMIC_RELAXED)
#define WRITE_ONCE(x, v)	__atomic_store_n(&(x), (v), __ATOMIC_RELAXED)
#define smp_mb__after_atomic()	smp_mb()	/* a fence as well */
/* Fences of the compiler stand in for the kernel's barriers. */
#define smp_mb()		__atomic_thread_fence(__ATOMIC_SEQ_CST)
#define smp_rmb()		__atomic_thread_fence(__ATOMIC_ACQUIRE) /* as the kernel means it */
#define smp_wmb()		__atomic_thread_fence(__ATOMIC_RELEASE) /* likewise */
#define xchg(p, v)		__atomic_exchange_n(p, v, __ATOMIC_SEQ_CST)
#define array_index_nospec(i, n) ((i) < (n) ? (i) : 0)
#define min(a, b)		((a) < (b) ? (a) : (b))
#define max(a, b)		((a) > (b) ? (a) : (b))
#define min_t(t, a, b)		((t)(a) < (t)(b) ? (t)(a) : (t)(b))
#define max_t(t, a, b)		((t)(a) > (t)(b) ? (t)(a) : (t)(b))
#define container_of(p, t, m)	((t *)((char *)(p) - offsetof(t, m)))
#define static_assert(x)	_Static_assert(x, #x)
#define __rcu

struct rcu_head {
	void *opaque[2];
};

static inline unsigned long __fls(unsigned long w)
{
	return 63 - (unsigned long)__builtin_clzl(w);
}

static inline unsigned long __ffs(unsigned long w)
{
	return (unsigned long)__builtin_ctzl(w);
}

static inline void set_bit(long nr, unsigned long *p)
{
	__atomic_fetch_or(p + nr / 64, 1UL << (nr % 64), __ATOMIC_SEQ_CST);
}

static inline void clear_bit(long nr, unsigned long *p)
{
	__atomic_fetch_and(p + nr / 64, ~(1UL << (nr % 64)), __ATOMIC_SEQ_CST);
}

static inline bool test_and_set_bit(long nr, unsigned long *p)
{
	return __atomic_fetch_or(p + nr / 64, 1UL << (nr % 64), __ATOMIC_SEQ_CST) >> (nr % 64) & 1;
}

static inline bool test_bit(long nr, const unsigned long *p)
{
	return READ_ONCE(p[nr / 64]) >> (nr % 64) & 1;
}

static inline void __set_bit(long nr, unsigned long *p)
{
	p[nr / 64] |= 1UL << (nr % 64);
}

static inline void __clear_bit(long nr, unsigned long *p)
{
	p[nr / 64] &= ~(1UL << (nr % 64));
}

static inline u64 mul_u64_u64_div_u64(u64 a, u64 b, u64 c)
{
	return (u64)((__uint128_t)a * b / c);
}

static inline u64 div64_u64(u64 a, u64 b)
{
	return a / b;
}

#endif /* __KERNEL__ */
#endif /* KEEL_IRQCHIP_PORT_H */
