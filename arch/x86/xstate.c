// SPDX-License-Identifier: GPL-2.0-only
/*
 * FPU and extended state of a vCPU: its buffer, the switch of XCR0, XSS and
 * PKRU, and the ioctls that move it.
 */
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <asm/fpu/api.h>
#include <asm/fpu/xcr.h>
#include <asm/fpu/xstate.h>
#include <asm/processor-flags.h>
#include "virt/compat/compat.h"
#include "virt/compat/compat_x86.h"
#include "arch/x86/x86.h"

#define MXCSR_INIT	0x1f80
#define FCW_INIT	0x37f

/* AMX would need buffers that grow on demand: not offered. */
#define XCR0_OFFERED	(XFEATURE_MASK_FP | XFEATURE_MASK_SSE | XFEATURE_MASK_YMM |	\
			 XFEATURE_MASK_AVX512 | XFEATURE_MASK_PKRU)

u64 keel_host_xcr0;
u64 keel_host_xss;
u64 keel_xcr0_supported;

/* CPUID leaf 0xD of the host (SDM 1 13.2). */
static struct {
	u32	size, offset;
	bool	align64;
} component[63];

void xstate_module_init(void)
{
	u32 eax, ebx, ecx, edx, i;

	if (!boot_cpu_has(X86_FEATURE_OSXSAVE) || !boot_cpu_has(X86_FEATURE_XSAVE))
		return;
	keel_host_xcr0 = xgetbv(XCR_XFEATURE_ENABLED_MASK);
	keel_xcr0_supported = keel_host_xcr0 & XCR0_OFFERED;
	if (boot_cpu_has(X86_FEATURE_XSAVES))
		rdmsrq(MSR_IA32_XSS, keel_host_xss);
	for (i = 2; i < ARRAY_SIZE(component); i++) {
		cpuid_count(0xd, i, &eax, &ebx, &ecx, &edx);
		component[i].size = eax;
		component[i].offset = ebx;
		component[i].align64 = ecx & 2;
	}
}

u32 xstate_area_size(u64 mask, bool compacted)
{
	u32 size = XSAVE_HDR_OFFSET + XSAVE_HDR_SIZE, i;

	for (i = 2; i < ARRAY_SIZE(component); i++) {
		if (!(mask & BIT_ULL(i)))
			continue;
		if (!compacted) {
			size = max(size, component[i].offset + component[i].size);
			continue;
		}
		if (component[i].align64)
			size = ALIGN(size, 64);
		size += component[i].size;
	}
	return size;
}

unsigned int xstate_uabi_size(void)
{
	return max_t(u32, sizeof(struct kvm_xsave), xstate_area_size(keel_xcr0_supported, false));
}

int fpu_vcpu_init(struct x86_vcpu *vcpu)
{
	return fpu_alloc_guest_fpstate(&vcpu->fpu.guest) ? 0 : -ENOMEM;
}

void fpu_vcpu_free(struct x86_vcpu *vcpu)
{
	if (vcpu->fpu.guest.fpstate)
		fpu_free_guest_fpstate(&vcpu->fpu.guest);
}

void fpu_vcpu_reset(struct x86_vcpu *vcpu, bool init)
{
	/* INIT leaves all of it (SDM 3 table 9-1); at power-up the buffer is fresh. */
	if (init)
		return;
	vcpu->fpu.xcr0 = XFEATURE_MASK_FP;
	vcpu->fpu.xss = 0;
	vcpu->fpu.pkru = 0;
}

void fpu_load_guest(struct x86_vcpu *vcpu)
{
	fpu_swap_kvm_fpstate(&vcpu->fpu.guest, true);
	vcpu->fpu.in_use = true;
}

void fpu_put_guest(struct x86_vcpu *vcpu)
{
	vcpu->fpu.in_use = false;
	fpu_swap_kvm_fpstate(&vcpu->fpu.guest, false);
}

void xstate_changed(struct x86_vcpu *vcpu)
{
	struct vcpu_fpu *f = &vcpu->fpu;
	u64 cr4 = st_read(vcpu, ST_CR)->cr4;
	bool xsave = cr4 & X86_CR4_OSXSAVE;

	f->switches = 0;
	if (xsave && f->xcr0 != keel_host_xcr0)
		f->switches |= XSW_XCR0;
	if (xsave && f->xss != keel_host_xss && guest_has(vcpu, X86_FEATURE_XSAVES))
		f->switches |= XSW_XSS;
	if (boot_cpu_has(X86_FEATURE_OSPKE) &&
	    ((cr4 & X86_CR4_PKE) || (xsave && (f->xcr0 & XFEATURE_MASK_PKRU))))
		f->switches |= XSW_PKRU;
	cpuid_runtime_changed(&vcpu->cpuid);
}

void __xstate_load_guest(struct x86_vcpu *vcpu)
{
	struct vcpu_fpu *f = &vcpu->fpu;

	if (f->switches & XSW_XCR0)
		xsetbv(XCR_XFEATURE_ENABLED_MASK, f->xcr0);
	if (f->switches & XSW_XSS)
		wrmsrq(MSR_IA32_XSS, f->xss);
	if (f->switches & XSW_PKRU) {
		f->host_pkru = rdpkru();
		if (f->pkru != f->host_pkru)
			wrpkru(f->pkru);
	}
}

void __xstate_load_host(struct x86_vcpu *vcpu)
{
	struct vcpu_fpu *f = &vcpu->fpu;

	if (f->switches & XSW_PKRU) {
		f->pkru = rdpkru();
		if (f->pkru != f->host_pkru)
			wrpkru(f->host_pkru);
	}
	if (f->switches & XSW_XSS)
		wrmsrq(MSR_IA32_XSS, keel_host_xss);
	if (f->switches & XSW_XCR0)
		xsetbv(XCR_XFEATURE_ENABLED_MASK, keel_host_xcr0);
}

/* SDM 2B XSETBV: which combinations there are. */
static bool xcr0_valid(struct x86_vcpu *vcpu, u64 val)
{
	u64 avx512 = val & XFEATURE_MASK_AVX512;

	if (!(val & XFEATURE_MASK_FP))
		return false;
	if ((val & XFEATURE_MASK_YMM) && !(val & XFEATURE_MASK_SSE))
		return false;
	if (avx512 && (avx512 != XFEATURE_MASK_AVX512 || !(val & XFEATURE_MASK_YMM)))
		return false;
	return !(val & ~(vcpu->cpuid.xcr0_allowed | XFEATURE_MASK_FP));
}

int keel_set_xcr(struct x86_vcpu *vcpu, u32 index, u64 val)
{
	if (index != XCR_XFEATURE_ENABLED_MASK || !xcr0_valid(vcpu, val))
		return 1;
	vcpu->fpu.xcr0 = val;
	xstate_changed(vcpu);
	return 0;
}

int xss_set(struct x86_vcpu *vcpu, u64 val, bool host)
{
	if (!guest_has(vcpu, X86_FEATURE_XSAVES) && !(host && !val))
		return 1;
	if (val & ~vcpu->cpuid.xss_allowed)
		return 1;
	vcpu->fpu.xss = val;
	xstate_changed(vcpu);
	return 0;
}

/* ---- ioctls ---- */

/*
 * Straight from the buffer, which leaves out what is in its initial state (SDM 1 13.6, 13.11): that
 * is told by the header.
 */
static long get_fpu(struct ioctl_ctx *c)
{
	const struct fpstate *fps = to_x86(c->vcpu)->fpu.guest.fpstate;
	const struct fxregs_state *fx = &fps->regs.fxsave;
	u64 have = keel_host_xcr0 ? fps->regs.xsave.header.xfeatures : XFEATURE_MASK_FPSSE;
	struct kvm_fpu *fpu = c->data;

	fpu->fcw = FCW_INIT;
	fpu->mxcsr = have & (XFEATURE_MASK_SSE | XFEATURE_MASK_YMM) ? fx->mxcsr : MXCSR_INIT;
	if (have & XFEATURE_MASK_SSE)
		memcpy(fpu->xmm, fx->xmm_space, sizeof(fpu->xmm));
	if (!(have & XFEATURE_MASK_FP))
		return 0;
	memcpy(fpu->fpr, fx->st_space, sizeof(fpu->fpr));
	fpu->fcw = fx->cwd;
	fpu->fsw = fx->swd;
	fpu->ftwx = fx->twd;
	fpu->last_opcode = fx->fop;
	fpu->last_ip = fx->rip;
	fpu->last_dp = fx->rdp;
	return 0;
}

/* MXCSR is not taken: VMMs that leave it 0 would unmask all SIMD exceptions. */
static long set_fpu(struct ioctl_ctx *c)
{
	struct fpstate *fps = to_x86(c->vcpu)->fpu.guest.fpstate;
	struct fxregs_state *fx = &fps->regs.fxsave;
	const struct kvm_fpu *fpu = c->data;

	if (keel_host_xcr0) {
		struct xstate_header *header = &fps->regs.xsave.header;

		if (!(header->xfeatures & XFEATURE_MASK_SSE))
			fx->mxcsr = MXCSR_INIT;
		header->xfeatures |= XFEATURE_MASK_FPSSE;
	}
	memcpy(fx->st_space, fpu->fpr, sizeof(fpu->fpr));
	fx->cwd = fpu->fcw;
	fx->swd = fpu->fsw;
	fx->twd = fpu->ftwx;
	fx->fop = fpu->last_opcode;
	fx->rip = fpu->last_ip;
	fx->rdp = fpu->last_dp;
	memcpy(fx->xmm_space, fpu->xmm, sizeof(fpu->xmm));
	return 0;
}

void xsave_get(struct x86_vcpu *vcpu, void *buf, unsigned int size)
{
	fpu_copy_guest_fpstate_to_uabi(&vcpu->fpu.guest, buf, size,
				       vcpu->cpuid.xcr0_allowed | XFEATURE_MASK_FPSSE,
				       vcpu->fpu.pkru);
}

static long copy_xsave_out(struct ioctl_ctx *c, unsigned int size)
{
	void *buf = kvzalloc(size, GFP_KERNEL);
	long ret = 0;

	if (!buf)
		return -ENOMEM;
	xsave_get(to_x86(c->vcpu), buf, size);
	if (copy_to_user(c->uarg, buf, size))
		ret = -EFAULT;
	kvfree(buf);
	return ret;
}

static long get_xsave(struct ioctl_ctx *c)
{
	if (xstate_uabi_size() > sizeof(struct kvm_xsave))
		return -EINVAL;
	return copy_xsave_out(c, sizeof(struct kvm_xsave));
}

static long get_xsave2(struct ioctl_ctx *c)
{
	return copy_xsave_out(c, xstate_uabi_size());
}

static long set_xsave(struct ioctl_ctx *c)
{
	struct x86_vcpu *vcpu = to_x86(c->vcpu);
	unsigned int size = xstate_uabi_size();
	/* The kernel's copy may look at as much as its own format has. */
	void *buf = kvzalloc(max(size, vcpu->fpu.guest.uabi_size), GFP_KERNEL);
	long ret;

	if (!buf)
		return -ENOMEM;
	if (copy_from_user(buf, c->uarg, size))
		ret = -EFAULT;
	else
		ret = fpu_copy_uabi_to_guest_fpstate(&vcpu->fpu.guest, buf, keel_xcr0_supported,
						     &vcpu->fpu.pkru);
	kvfree(buf);
	return ret;
}

static long get_xcrs(struct ioctl_ctx *c)
{
	struct kvm_xcrs *x = c->data;

	if (!keel_host_xcr0)
		return -EINVAL;
	x->nr_xcrs = 1;
	x->xcrs[0].value = to_x86(c->vcpu)->fpu.xcr0;
	return 0;
}

static long set_xcrs(struct ioctl_ctx *c)
{
	const struct kvm_xcrs *x = c->data;
	u32 i;

	if (!keel_host_xcr0 || x->nr_xcrs > KVM_MAX_XCRS || x->flags)
		return -EINVAL;
	for (i = 0; i < x->nr_xcrs; i++) {
		if (x->xcrs[i].xcr != XCR_XFEATURE_ENABLED_MASK)
			continue;
		return keel_set_xcr(to_x86(c->vcpu), 0, x->xcrs[i].value) ? -EINVAL : 0;
	}
	return 0;
}

static const struct ioctl_row xstate_vcpu_ioctls_rows[] = {
	{ KVM_GET_FPU,		IOC_VCPU_NOLOAD, get_fpu },
	{ KVM_SET_FPU,		IOC_VCPU_NOLOAD, set_fpu },
	{ KVM_GET_XSAVE,	IOC_VCPU_NOLOAD | IOC_RAW, get_xsave },
	{ KVM_GET_XSAVE2,	IOC_VCPU_NOLOAD | IOC_RAW, get_xsave2 },
	{ KVM_SET_XSAVE,	IOC_VCPU_NOLOAD | IOC_RAW, set_xsave },
	{ KVM_GET_XCRS,		IOC_VCPU_NOLOAD, get_xcrs },
	{ KVM_SET_XCRS,		IOC_VCPU_STATE, set_xcrs },
};
IOCTL_TABLE(xstate_vcpu_ioctls);
