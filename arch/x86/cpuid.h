/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * CPUID: what the guest sees, and everything that follows from it. A feature
 * is named by the kernel's X86_FEATURE_* number; only the words that mirror a
 * CPUID register can be asked for (the kernel's own synthetic words cannot).
 */
#ifndef KEEL_X86_CPUID_H
#define KEEL_X86_CPUID_H

#include <linux/bits.h>
#include <linux/build_bug.h>
#include <linux/types.h>
#include <asm/cpufeature.h>
#include <uapi/keel/kvm.h>

struct x86_vcpu;
struct x86_vm;
struct ioctl_table;

#define CPUID_MAX_ENTRIES	256	/* of KVM_SET_CPUID2 */

/* Words beyond the kernel's, for registers that it does not keep as a word of its own. */
enum {
	CPUID_W_7_1_EDX = NCAPINTS,
	CPUID_W_7_2_EDX,
	CPUID_W_80000021_ECX,
	NR_KEEL_CPUID_WORDS,
};

/* Guest physical and virtual address limits that go with the table. */
struct vcpu_cpuid {
	struct kvm_cpuid_entry2	*entry;		/* nent of them in userspace's order, or NULL */
	u16			nent;
	bool			ran;		/* KVM_RUN was called: the table is frozen */
	bool			zero_out_of_range;	/* leaves past the last read 0 */
	bool			dirty;		/* runtime bits are to be recomputed */
	u8			maxphyaddr;	/* bits */
	u8			vaddr_bits;	/* 48 or 57 */
	u32			max_basic;	/* highest leaf of each range */
	u32			max_ext;
	u32			kvm_base;	/* leaf with KVM's signature, 0 if none */
	u32			kvm_features;	/* KVM_FEATURE_* bits offered to this guest */
	u64			rsvd_gpa;	/* address bits above maxphyaddr */
	u64			cr3_rsvd;	/* reserved bits of CR3 in long mode, 63 apart */
	u64			cr4_rsvd;	/* reserved bits of CR4 */
	u64			efer_rsvd;
	u64			xcr0_allowed;	/* state components the guest may enable */
	u64			xss_allowed;
	u32			caps[NR_KEEL_CPUID_WORDS];
	/* 1 + place of the first entry of leaves 0-0x1f, 0x80000000-0x8000001f; 0: none */
	u16			first[2][0x20];
};

/* Leaf 0x80000001 EDX repeats these bits of leaf 1 EDX on some CPUs (APM 3 E.4.2). */
#define CPUID_1_EDX_ALIASES	0x0183f3ffu

/* "KVMKVMKVM\0\0\0" */
#define KVM_SIGNATURE_EBX	0x4b4d564b
#define KVM_SIGNATURE_ECX	0x564b4d56
#define KVM_SIGNATURE_EDX	0x4d

/* Not named by all kernels. */
#define CAP_AUTOIBRS		(CPUID_8000_0021_EAX * 32 + 8)
#define EFER_AUTOMATIC_IBRS	BIT_ULL(21)

#define cpuid_word_real(w) \
	((w) != CPUID_8086_0001_EDX && (w) != CPUID_LNX_1 && (w) != CPUID_LNX_2 && \
	 (w) != CPUID_LNX_3 && (w) != CPUID_LNX_4 && (w) != CPUID_LNX_5)

/* Does the guest's CPUID show this feature? One load and test. */
#define guest_has(vcpu, feature)							\
({											\
	BUILD_BUG_ON(!cpuid_word_real((feature) / 32));					\
	!!((vcpu)->cpuid.caps[(feature) / 32] & BIT((feature) & 31));			\
})

/* Can Keel offer this feature on this host? The same words as guest_has(). */
extern u32 keel_cpu_caps[NR_KEEL_CPUID_WORDS];
#define keel_cpu_has(feature)								\
({											\
	BUILD_BUG_ON(!cpuid_word_real((feature) / 32));					\
	!!(keel_cpu_caps[(feature) / 32] & BIT((feature) & 31));			\
})

/* For the vendor's adjust_caps(): offer (if @on) or take back one feature. */
void cpuid_cap_set(unsigned int feature, bool on);

/* Once, after the vendor's caps are known; calls its adjust_caps(). */
void cpuid_module_init(void);

/* A new vCPU has an empty table: nothing is offered, maxphyaddr 36. */
void cpuid_init(struct x86_vcpu *vcpu);
void cpuid_destroy(struct x86_vcpu *vcpu);

/*
 * The CPUID instruction: @eax and @ecx in, all four out. True if the leaf was
 * in the table; false if another leaf's or zeros were given, as the guest's vendor has it
 * (APM 3 appendix E, SDM 2A CPUID). Own thread.
 */
bool cpuid_emulate(struct x86_vcpu *vcpu, u32 *eax, u32 *ebx, u32 *ecx, u32 *edx);

/* The entry of @function and @index (ignored where it has no meaning), or NULL. Own thread. */
struct kvm_cpuid_entry2 *cpuid_find(struct x86_vcpu *vcpu, u32 function, u32 index);

/* An input of the runtime bits changed: CR4.OSXSAVE/PKE, XCR0, XSS, APIC base, MISC_ENABLE. */
static inline void cpuid_runtime_changed(struct vcpu_cpuid *c)
{
	c->dirty = true;
}

/* True if CPUID faulting (MISC_FEATURES_ENABLES bit 0) makes CPUID #GP at this CPL. */
bool cpuid_fault(struct x86_vcpu *vcpu);

/*
 * KVM_SET_CPUID2. @e: kvcalloc()ed copy of @nent entries, owned by the callee on success. 0 or
 * -EINVAL: a value that cannot be, or another table than before after the vCPU ran.
 */
int cpuid_set(struct x86_vcpu *vcpu, struct kvm_cpuid_entry2 *e, unsigned int nent);
/* Take the runtime bits up to date, before the table is read out. */
void cpuid_runtime_update(struct x86_vcpu *vcpu);
/* Derived values depend on the VM's configuration too: compute them again. */
void cpuid_derive(struct x86_vcpu *vcpu);

/* The table offered to userspace, up to @room entries; count, or -E2BIG. */
int cpuid_supported(struct kvm_cpuid_entry2 *e, unsigned int room);
/* What Keel emulates though the CPU does not have it. */
int cpuid_emulated(struct kvm_cpuid_entry2 *e, unsigned int room);

extern const struct ioctl_table cpuid_dev_ioctls;
extern const struct ioctl_table cpuid_vcpu_ioctls;

/* cpuid_table.c: which bits of which register may be offered. */
struct cpuid_allow {
	u8	word;		/* index into caps */
	u8	reg;		/* 0 eax .. 3 edx */
	u32	function, index;
	u32	host;		/* offered if CPU and kernel of the host have them */
	u32	raw;		/* offered if the CPU has them, whatever its kernel thinks */
	u32	emulated;	/* offered on every host */
};
extern const struct cpuid_allow cpuid_allow_list[];
extern const unsigned int cpuid_allow_count;

#endif
