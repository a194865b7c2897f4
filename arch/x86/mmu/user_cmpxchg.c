// SPDX-License-Identifier: GPL-2.0-only
/*
 * Compare and exchange on the VMM's memory. By user address, so that it obeys the
 * VMM's own page tables, whatever is mapped there, and needs no page reference.
 */
#include <linux/string.h>
#include <linux/uaccess.h>
#include <asm/asm.h>
#include <keel/arch.h>

#define CMPXCHG_USER(type)						\
({									\
	type oldv, newv;						\
	int ret;							\
	memcpy(&oldv, old, sizeof(oldv));				\
	memcpy(&newv, new, sizeof(newv));				\
	ret = __try_cmpxchg_user((type __user *)p, &oldv, newv, fault_##type); \
	if (ret > 0)							\
		memcpy(old, &oldv, sizeof(oldv));			\
	ret;								\
})

/* CMPXCHG16B (SDM 2A): RDX:RAX against memory, RCX:RBX into it. Every CPU with SVM or VMX has it. */
static int cmpxchg16_user(void __user *p, void *old, const void *new)
{
	u64 o[2], n[2];
	int err = -EFAULT;
	bool done = false;

	memcpy(o, old, sizeof(o));
	memcpy(n, new, sizeof(n));
	__uaccess_begin_nospec();
	asm volatile("1: lock cmpxchg16b %[mem]\n\t"
		     "setz %[done]\n\t"
		     "xorl %[err], %[err]\n"
		     "2:\n"
		     _ASM_EXTABLE_UA(1b, 2b)
		     : [done] "+q" (done), [err] "+r" (err), "+a" (o[0]), "+d" (o[1])
		     : [mem] "m" (*(u8 (__force *)[16])p), "b" (n[0]), "c" (n[1])
		     : "memory", "cc");
	__uaccess_end();
	if (err)
		return err;
	if (done)
		return 0;
	memcpy(old, o, sizeof(o));
	return 1;
}

int arch_user_cmpxchg(void __user *p, unsigned int size, void *old, const void *new)
{
	unsigned long at = (unsigned long)p;

	/* Within a cache line the CPU needs no alignment; what leaves it would lock the host's bus. */
	if (size == 16 ? at & 15 : (at & (SMP_CACHE_BYTES - 1)) + size > SMP_CACHE_BYTES)
		return -EFAULT;
	switch (size) {
	case 1:
		return CMPXCHG_USER(u8);
	case 2:
		return CMPXCHG_USER(u16);
	case 4:
		return CMPXCHG_USER(u32);
	case 8:
		return CMPXCHG_USER(u64);
	case 16:
		return cmpxchg16_user(p, old, new);
	default:
		return -EINVAL;
	}
}
