/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The virtual machine control structure: access to its fields and its life. Field numbers are those of
 * <asm/vmx.h> (SDM 3D appendix B). An access goes to the VMCS that is current on this CPU: one
 * that belongs to a loaded vCPU.
 *
 * Every VMX instruction may fault with #UD once VMX operation was taken from this CPU for a
 * reboot. It then reads 0 or does nothing, in silence; any other failure is a fault of ours and said
 * once.
 */
#ifndef KEEL_VMX_VMCS_H
#define KEEL_VMX_VMCS_H

#include <linux/build_bug.h>
#include <linux/list.h>
#include <linux/types.h>
#include <asm/asm.h>
#include <asm/vmx.h>

/* Its name is not the same in all kernels. */
#define VMX_XSAVES	VMCS_CONTROL_BIT(XSAVES)

/* A VMCS and where it is. @cpu and @link are changed on that CPU with interrupts off. */
struct vmx_vmcs {
	void			*page;
	u64			pa;
	int			cpu;	/* whose memory may hold parts of it, -1: cleared */
	struct list_head	link;	/* in that CPU's list, for who has to clear them all */
	u32			launched; /* bit 0; read by vmenter.S through struct vmx_entry */
};

void vmx_insn_failed(const char *insn, unsigned long arg);

/* Without a word about failures: for noinstr code. */
static __always_inline unsigned long vmcs_read_raw(unsigned long field, bool *ok)
{
	unsigned long val = 0;
	bool done = false;

	asm volatile("1: vmread %[field], %[val]\n\t"
		     "seta %[done]\n"
		     "2:\n\t"
		     _ASM_EXTABLE(1b, 2b)
		     : [val] "+r" (val), [done] "+q" (done)
		     : [field] "r" (field) : "cc");
	*ok = done;
	return val;
}

static __always_inline unsigned long vmcs_read(unsigned long field)
{
	bool ok;
	unsigned long val = vmcs_read_raw(field, &ok);

	if (unlikely(!ok))
		vmx_insn_failed("VMREAD", field);
	return val;
}

static __always_inline u32 vmcs_read32(unsigned long field)
{
	return vmcs_read(field);
}

static __always_inline void vmcs_write(unsigned long field, unsigned long val)
{
	asm goto("1: vmwrite %[val], %[field]\n\t"
		 "jbe %l[failed]\n\t"
		 _ASM_EXTABLE(1b, %l[failed])
		 : : [field] "r" (field), [val] "rm" (val) : "cc" : failed);
	return;
failed:
	vmx_insn_failed("VMWRITE", field);
}

static inline void vmcs_clear(u64 pa)
{
	asm goto("1: vmclear %[pa]\n\t"
		 "jbe %l[failed]\n\t"
		 _ASM_EXTABLE(1b, %l[failed])
		 : : [pa] "m" (pa) : "cc", "memory" : failed);
	return;
failed:
	vmx_insn_failed("VMCLEAR", pa);
}

static inline void vmcs_make_current(u64 pa)
{
	asm goto("1: vmptrld %[pa]\n\t"
		 "jbe %l[failed]\n\t"
		 _ASM_EXTABLE(1b, %l[failed])
		 : : [pa] "m" (pa) : "cc", "memory" : failed);
	return;
failed:
	vmx_insn_failed("VMPTRLD", pa);
}

/* Operands of INVEPT and INVVPID (SDM 3C 31.3). */
struct vmx_inv {
	u64	first;		/* EPTP, or VPID */
	u64	second;		/* 0, or linear address */
};

static inline void vmx_invept(unsigned long type, u64 eptp)
{
	struct vmx_inv op = { eptp, 0 };

	asm goto("1: invept %[op], %[type]\n\t"
		 "jbe %l[failed]\n\t"
		 _ASM_EXTABLE(1b, %l[failed])
		 : : [op] "m" (op), [type] "r" (type) : "cc", "memory" : failed);
	return;
failed:
	vmx_insn_failed("INVEPT", eptp);
}

static inline void vmx_invvpid(unsigned long type, u16 vpid, u64 gva)
{
	struct vmx_inv op = { vpid, gva };

	asm goto("1: invvpid %[op], %[type]\n\t"
		 "jbe %l[failed]\n\t"
		 _ASM_EXTABLE(1b, %l[failed])
		 : : [op] "m" (op), [type] "r" (type) : "cc", "memory" : failed);
	return;
failed:
	vmx_insn_failed("INVVPID", gva);
}

/* A page with the revision in it: 0 or -ENOMEM. Free: cleared on whatever CPU it is. May sleep. */
int vmcs_alloc(struct vmx_vmcs *vmcs);
void vmcs_free(struct vmx_vmcs *vmcs);
/* Make it current on this CPU, after clearing it where it was. Preemption off, interrupts on. */
void vmcs_load(struct vmx_vmcs *vmcs, int cpu);
/* Clear all that this CPU holds. Interrupts off; __emergency also in NMI context. */
void vmcs_clear_all(void);
void vmcs_clear_all_emergency(void);
void vmcs_cpus_init(void);

#endif
