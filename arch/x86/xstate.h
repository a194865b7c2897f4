/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * FPU and extended state. The guest's registers are swapped in once per
 * KVM_RUN; around each entry only what the hardware shares between host and
 * guest is switched: XCR0, XSS, PKRU, and only where they differ.
 */
#ifndef KEEL_X86_XSTATE_H
#define KEEL_X86_XSTATE_H

#include <linux/thread_info.h>
#include <linux/types.h>
#include <asm/fpu/api.h>
#include <uapi/keel/kvm.h>

struct x86_vcpu;
struct ioctl_table;

/* What xstate_load_guest() has to switch. */
#define XSW_XCR0	1
#define XSW_XSS		2
#define XSW_PKRU	4

struct vcpu_fpu {
	struct fpu_guest	guest;		/* the kernel's buffer of this guest's registers */
	u64			xcr0;
	u64			xss;
	u32			pkru;		/* while the guest is not entered */
	u32			host_pkru;
	u8			switches;	/* XSW_* */
	bool			in_use;		/* between fpu_load_guest and fpu_put_guest */
};

extern u64 keel_host_xcr0;		/* XCR0 of the host, the same on every CPU */
extern u64 keel_host_xss;
extern u64 keel_xcr0_supported;		/* components that may be offered to guests */

void xstate_module_init(void);

int fpu_vcpu_init(struct x86_vcpu *vcpu);	/* -ENOMEM */
void fpu_vcpu_free(struct x86_vcpu *vcpu);
/* INIT keeps x87 and SSE (SDM 3 table 9-1); power-up clears all. */
void fpu_vcpu_reset(struct x86_vcpu *vcpu, bool init);

/* KVM_RUN entry and exit: swap the thread's registers. Interrupts on, preemption allowed. */
void fpu_load_guest(struct x86_vcpu *vcpu);
void fpu_put_guest(struct x86_vcpu *vcpu);

/* XCR0, XSS, PKRU, CR4.OSXSAVE/PKE or CPUID changed: recompute `switches`. */
void xstate_changed(struct x86_vcpu *vcpu);

void __xstate_load_guest(struct x86_vcpu *vcpu);
void __xstate_load_host(struct x86_vcpu *vcpu);

/* Bring the thread's FPU registers back if the kernel has used the FPU. Interrupts off. */
static inline void fpu_ensure_loaded(void)
{
	if (unlikely(test_thread_flag(TIF_NEED_FPU_LOAD)))
		switch_fpu_return();
}

/*
 * Around each guest entry, interrupts off. load_guest also brings back the guest's registers if the
 * kernel used the FPU since. Cheap when nothing differs.
 */
#define xstate_load_guest(vcpu)						\
do {									\
	fpu_ensure_loaded();						\
	if (unlikely((vcpu)->fpu.switches))				\
		__xstate_load_guest(vcpu);				\
} while (0)

#define xstate_load_host(vcpu)						\
do {									\
	if (unlikely((vcpu)->fpu.switches))				\
		__xstate_load_host(vcpu);				\
} while (0)

/* Bytes of KVM_GET_XSAVE2: at least sizeof(struct kvm_xsave). */
unsigned int xstate_uabi_size(void);
/* CPUID.D: bytes of the area that holds @mask, @compacted as XSAVEC writes it. */
u32 xstate_area_size(u64 mask, bool compacted);

/* The registers in the uncompacted format of XSAVE; the vCPU is not in KVM_RUN. */
void xsave_get(struct x86_vcpu *vcpu, void *buf, unsigned int size);

/* IA32_XSS written: 0 or 1 (#GP). */
int xss_set(struct x86_vcpu *vcpu, u64 val, bool host);

extern const struct ioctl_table xstate_vcpu_ioctls;

#endif
