// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the guest cannot do without an exit (APM 2 15.8-15.14), as a pure
 * function of the vCPU's state: svm_update_intercepts() computes the slow-moving part, and
 * svm_apply_intercepts() adds what changes from entry to entry.
 *
 * No I/O port is ever passed through: the permission map is all ones and shared by
 * all. An MSR is passed through if it is in the list below and the VM's filter
 * allows it; the bitmap is shared too until a vCPU needs one that differs.
 */
#include <linux/bitops.h>
#include <linux/gfp.h>
#include <linux/srcu.h>
#include <linux/string.h>
#include <asm/msr-index.h>
#include "virt/compat/compat.h"
#include "arch/x86/hypercall.h"
#include "arch/x86/svm/svm.h"

#define IOPM_SIZE	(3 * PAGE_SIZE)		/* APM 2 15.10.1 */
#define MSRPM_SIZE	(2 * PAGE_SIZE)		/* APM 2 15.11 */

/* #AC and #DB always: their delivery can raise them again without end (CVE-2015-5307, -8104). */
#define ALWAYS_EXC	(BIT(1) | BIT(17) | BIT(18))
#define VEC_BP		3
#define VEC_UD		6

static u8 *iopm;
static u8 *msrpm_default;	/* the list below, unfiltered, without SPEC_CTRL */
static u8 *msrpm_all;		/* every MSR exits: for want of memory */

/* VMLOAD and VMSAVE switch these; FS and GS base are in the segment's hidden part. */
static const u32 passthrough[] = {
	MSR_FS_BASE, MSR_GS_BASE, MSR_KERNEL_GS_BASE,
	MSR_STAR, MSR_LSTAR, MSR_CSTAR, MSR_SYSCALL_MASK,
	MSR_IA32_SYSENTER_CS, MSR_IA32_SYSENTER_ESP, MSR_IA32_SYSENTER_EIP,
};

u64 svm_iopm_pa(void)
{
	return svm_pa(iopm);
}

/*
 * Three ranges of 8K MSRs, two bits each: read, write (APM 2 15.11). Bit number of the read bit, or -1 for
 * an MSR outside: it always exits.
 */
static int msrpm_bit(u32 msr)
{
	static const u32 base[] = { 0, 0xc0000000, 0xc0010000 };
	int i;

	for (i = 0; i < ARRAY_SIZE(base); i++)
		if (msr - base[i] < 0x2000)
			return (i * 0x2000 + (msr - base[i])) * 2;
	return -1;
}

static void msrpm_pass(u8 *map, u32 msr, bool read, bool write)
{
	int bit = msrpm_bit(msr);

	if (bit < 0)
		return;
	if (read)
		map[bit / 8] &= ~BIT(bit % 8);
	if (write)
		map[bit / 8] &= ~BIT(bit % 8 + 1);
}

int svm_bitmaps_alloc(void)
{
	int i;

	iopm = alloc_pages_exact(IOPM_SIZE, GFP_KERNEL);
	msrpm_default = alloc_pages_exact(MSRPM_SIZE, GFP_KERNEL);
	msrpm_all = alloc_pages_exact(MSRPM_SIZE, GFP_KERNEL);
	if (!iopm || !msrpm_default || !msrpm_all) {
		svm_bitmaps_free();
		return -ENOMEM;
	}
	memset(iopm, 0xff, IOPM_SIZE);
	memset(msrpm_all, 0xff, MSRPM_SIZE);
	memset(msrpm_default, 0xff, MSRPM_SIZE);
	for (i = 0; i < ARRAY_SIZE(passthrough); i++)
		msrpm_pass(msrpm_default, passthrough[i], true, true);
	return 0;
}

void svm_bitmaps_free(void)
{
	if (iopm)
		free_pages_exact(iopm, IOPM_SIZE);
	if (msrpm_default)
		free_pages_exact(msrpm_default, MSRPM_SIZE);
	if (msrpm_all)
		free_pages_exact(msrpm_all, MSRPM_SIZE);
	iopm = NULL;
	msrpm_default = NULL;
	msrpm_all = NULL;
}

void svm_msrpm_free(struct svm_vcpu *svm)
{
	if (svm->msrpm)
		free_pages_exact(svm->msrpm, MSRPM_SIZE);
	svm->msrpm = NULL;
}

static void pass_if_allowed(struct svm_vcpu *svm, u32 msr, bool read, bool write)
{
	msrpm_pass(svm->msrpm, msr,
		   read && msr_allowed(&svm->x, msr, KVM_MSR_FILTER_READ),
		   write && msr_allowed(&svm->x, msr, KVM_MSR_FILTER_WRITE));
}

/* SPEC_CTRL is free once it was used: then the entry code switches it. */
static bool spec_ctrl_passes(struct svm_vcpu *svm)
{
	return svm->x.msr.spec_pass && svm_caps.spec_ctrl;
}

/* So is the barrier: a command, without state to switch. */
static bool pred_cmd_passes(struct svm_vcpu *svm)
{
	return svm->x.msr.ibpb_pass;
}

static void build_msrpm(struct svm_vcpu *svm)
{
	int i, srcu;

	memset(svm->msrpm, 0xff, MSRPM_SIZE);
	srcu = srcu_read_lock(&svm->x.v.vm->srcu);
	for (i = 0; i < ARRAY_SIZE(passthrough); i++)
		pass_if_allowed(svm, passthrough[i], true, true);
	pass_if_allowed(svm, MSR_IA32_SPEC_CTRL, spec_ctrl_passes(svm), spec_ctrl_passes(svm));
	pass_if_allowed(svm, MSR_IA32_PRED_CMD, false, pred_cmd_passes(svm));
	srcu_read_unlock(&svm->x.v.vm->srcu, srcu);
}

static void update_msrpm(struct svm_vcpu *svm)
{
	bool special = spec_ctrl_passes(svm) || pred_cmd_passes(svm) ||
		       rcu_access_pointer(vcpu_vm(&svm->x)->msr_filter.filter);
	u8 *map = msrpm_default;

	if (unlikely(special)) {
		if (!svm->msrpm)
			svm->msrpm = alloc_pages_exact(MSRPM_SIZE, GFP_KERNEL_ACCOUNT);
		if (svm->msrpm)
			build_msrpm(svm);
		map = svm->msrpm ?: msrpm_all;
	}
	svm->vmcb->control.msrpm_base = svm_pa(map);
	svm_touch(svm, CLEAN_PERM);
}

static u32 exception_intercepts(struct x86_vcpu *vcpu)
{
	u32 exc = ALWAYS_EXC;

	if (debug_wants_bp(&vcpu->debug))
		exc |= BIT(VEC_BP);
	/* Instructions that this CPU does not have: VMCALL, and SYSENTER in long mode (APM 3 SYSENTER). */
	if (keel_hypercall_wants_ud(vcpu))
		exc |= BIT(VEC_UD);
	return exc;
}

static u32 misc1_intercepts(struct x86_vcpu *vcpu)
{
	u32 off = vcpu_vm(vcpu)->disabled_exits;
	u32 ic = IC_INTR | IC_NMI | IC_SMI | IC_INIT | IC_RDPMC | IC_CPUID | IC_RSM | IC_INVD |
		 IC_INVLPGA | IC_IOIO | IC_MSR | IC_TASK_SWITCH | IC_FERR_FREEZE | IC_SHUTDOWN;

	if (!(off & KVM_X86_DISABLE_EXITS_HLT))
		ic |= IC_HLT;
	if (svm_caps.pause_filter && svm_ple_count && !(off & KVM_X86_DISABLE_EXITS_PAUSE))
		ic |= IC_PAUSE;
	return ic;
}

static u32 misc2_intercepts(struct x86_vcpu *vcpu)
{
	u32 ic = IC_VMRUN | IC_VMMCALL | IC_VMLOAD | IC_VMSAVE | IC_STGI | IC_CLGI | IC_SKINIT |
		 IC_WBINVD | IC_XSETBV;

	if (!(vcpu_vm(vcpu)->disabled_exits & KVM_X86_DISABLE_EXITS_MWAIT))
		ic |= IC_MONITOR | IC_MWAIT;
	if (!guest_has(vcpu, X86_FEATURE_RDTSCP))
		ic |= IC_RDTSCP;
	if (svm_caps.rdpru)
		ic |= IC_RDPRU;
	return ic;
}

static u32 misc3_intercepts(struct x86_vcpu *vcpu)
{
	return svm_caps.invpcid && !guest_has(vcpu, X86_FEATURE_INVPCID) ? IC_INVPCID : 0;
}

void svm_apply_intercepts(struct svm_vcpu *svm)
{
	struct svm_vmcb_control *c = &svm->vmcb->control;
	u32 cr = svm->ic[IC_CR], misc1 = svm->ic[IC_MISC1];

	/* The guest's view of a control register differs from the hardware's: neither may be seen. */
	if (unlikely(svm->cr0_hidden))
		cr |= IC_CR_READ(0) | IC_CR_WRITE(0);
	else
		misc1 |= IC_CR0_SEL;
	if (unlikely(svm->cr4_forced))
		cr |= IC_CR_READ(4);

	/*
	 * With a virtual interrupt pending, a lower TPR has to be seen at once, and
	 * QEMU's emulation aborts when it is written then.
	 */
	if (svm->irq_window || svm->cr8_wanted)
		cr |= IC_CR_WRITE(8);
	if (svm->irq_window)
		misc1 |= IC_VINTR;
	if (svm->nmi.masked && !svm->nmi.iret_seen)
		misc1 |= IC_IRET;

	if (c->intercept[IC_CR] != cr || c->intercept[IC_MISC1] != misc1) {
		c->intercept[IC_CR] = cr;
		c->intercept[IC_MISC1] = misc1;
		svm_touch(svm, CLEAN_INTERCEPTS);
	}
}

void svm_update_intercepts(struct x86_vcpu *vcpu)
{
	struct svm_vcpu *svm = to_svm(vcpu);
	struct svm_vmcb_control *c = &svm->vmcb->control;

	svm->ic[IC_CR] = IC_CR_WRITE(4);
	svm->ic[IC_DR] = vcpu->debug.lent ? 0 : IC_DR_ALL;
	svm->ic[IC_EXC] = exception_intercepts(vcpu);
	svm->ic[IC_MISC1] = misc1_intercepts(vcpu);
	svm->ic[IC_MISC2] = misc2_intercepts(vcpu);
	svm->ic[IC_MISC3] = misc3_intercepts(vcpu);

	c->intercept[IC_DR] = svm->ic[IC_DR];
	c->intercept[IC_EXC] = svm->ic[IC_EXC];
	c->intercept[IC_MISC2] = svm->ic[IC_MISC2];
	c->intercept[IC_MISC3] = svm->ic[IC_MISC3];
	svm_touch(svm, CLEAN_INTERCEPTS);
	svm_apply_intercepts(svm);
	update_msrpm(svm);
	/* RDPID cannot be intercepted: where the CPU has it, the guest reads the MSR. */
	svm->uses_tsc_aux = svm_caps.tsc_aux && (guest_has(vcpu, X86_FEATURE_RDTSCP) ||
						 boot_cpu_has(X86_FEATURE_RDPID));
}

void svm_cr8_intercept(struct x86_vcpu *vcpu, bool on)
{
	struct svm_vcpu *svm = to_svm(vcpu);

	if (svm->cr8_wanted == on)
		return;
	svm->cr8_wanted = on;
	svm_apply_intercepts(svm);
}
