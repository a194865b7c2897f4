// SPDX-License-Identifier: GPL-2.0-only
/* The CPUID table of a vCPU: setting it, what follows from it, and the instruction. */
#include <linux/nospec.h>
#include <linux/slab.h>
#include <asm/kvm_para.h>
#include <asm/msr-index.h>
#include <asm/processor-flags.h>
#include "virt/compat/compat.h"
#include "arch/x86/x86.h"

#define MAXPHYADDR_DEFAULT	36	/* of a CPU without leaf 0x80000008 (SDM 3 4.1.4) */

/* May be shown to the guest by userspace, though the offered table does not have them. */
#define SETTABLE_1_ECX	(BIT(X86_FEATURE_TSC_DEADLINE_TIMER & 31) | BIT(X86_FEATURE_MWAIT & 31))

u32 keel_cpu_caps[NR_KEEL_CPUID_WORDS];

/* What @row's register of the guest's CPUID holds, out of @e. */
static u32 entry_reg(const struct kvm_cpuid_entry2 *e, u8 reg)
{
	const u32 regs[] = { e->eax, e->ebx, e->ecx, e->edx };

	return regs[array_index_nospec(reg, ARRAY_SIZE(regs))];
}

static struct kvm_cpuid_entry2 *find(struct vcpu_cpuid *c, u32 function, u32 index)
{
	u32 range = function >> 31;
	unsigned int i = 0;

	if ((function & 0x7fffffff) < ARRAY_SIZE(c->first[0])) {
		i = c->first[range][array_index_nospec(function & 0x1f, ARRAY_SIZE(c->first[0]))];
		if (!i--)
			return NULL;
	}
	for (; i < c->nent; i++) {
		struct kvm_cpuid_entry2 *e = &c->entry[i];

		if (e->function == function &&
		    (!(e->flags & KVM_CPUID_FLAG_SIGNIFCANT_INDEX) || e->index == index))
			return e;
	}
	return NULL;
}

struct kvm_cpuid_entry2 *cpuid_find(struct x86_vcpu *vcpu, u32 function, u32 index)
{
	return find(&vcpu->cpuid, function, index);
}

static void index_entries(struct vcpu_cpuid *c)
{
	unsigned int i;

	memset(c->first, 0, sizeof(c->first));
	for (i = c->nent; i-- > 0;) {
		u32 f = c->entry[i].function;

		if ((f & 0x7fffffff) < ARRAY_SIZE(c->first[0]))
			c->first[f >> 31][f & 0x1f] = i + 1;
	}
}

static void set_bit_of(u32 *reg, u32 bit, bool on)
{
	*reg = on ? *reg | bit : *reg & ~bit;
}

static void update_xsave_sizes(struct x86_vcpu *vcpu, struct vcpu_cpuid *c)
{
	struct kvm_cpuid_entry2 *e = find(c, 0xd, 0);

	if (e)
		e->ebx = xstate_area_size(vcpu->fpu.xcr0, false);
	e = find(c, 0xd, 1);
	if (e && (e->eax & (BIT(X86_FEATURE_XSAVES & 31) | BIT(X86_FEATURE_XSAVEC & 31))))
		e->ebx = xstate_area_size(vcpu->fpu.xcr0 | vcpu->fpu.xss, true);
}

/* The lowest leaf that says KVM, or 0: they move up when a VMM puts Hyper-V's in front of them. */
static u32 find_kvm_base(const struct vcpu_cpuid *c)
{
	const struct kvm_cpuid_entry2 *e;
	u32 base = 0;

	for (e = c->entry; e < c->entry + c->nent; e++) {
		if ((e->function & 0xffff00ff) == 0x40000000 && e->ebx == KVM_SIGNATURE_EBX &&
		    e->ecx == KVM_SIGNATURE_ECX && e->edx == KVM_SIGNATURE_EDX &&
		    (!base || e->function < base))
			base = e->function;
	}
	return base;
}

static struct kvm_cpuid_entry2 *kvm_features_entry(struct vcpu_cpuid *c)
{
	return c->kvm_base ? find(c, c->kvm_base | (KVM_CPUID_FEATURES & 0xff), 0) : NULL;
}

/* Bits of CPUID that mirror the state of the vCPU. */
static void update_runtime(struct x86_vcpu *vcpu, struct vcpu_cpuid *c)
{
	u64 cr4 = st_read(vcpu, ST_CR)->cr4;
	struct kvm_cpuid_entry2 *e = find(c, 1, 0);

	if (e) {
		if (e->ecx & BIT(X86_FEATURE_XSAVE & 31))
			set_bit_of(&e->ecx, BIT(X86_FEATURE_OSXSAVE & 31),
				   cr4 & X86_CR4_OSXSAVE);
		set_bit_of(&e->edx, BIT(X86_FEATURE_APIC & 31),
			   irqchip_apic_base(vcpu) & MSR_IA32_APICBASE_ENABLE);
		if (vcpu_vm(vcpu)->disabled_quirks & KVM_X86_QUIRK_MISC_ENABLE_NO_MWAIT)
			set_bit_of(&e->ecx, BIT(X86_FEATURE_MWAIT & 31),
				   vcpu->msr.misc_enable & MSR_IA32_MISC_ENABLE_MWAIT);
	}
	e = find(c, 7, 0);
	if (e && (e->ecx & BIT(X86_FEATURE_PKU & 31)))
		set_bit_of(&e->ecx, BIT(X86_FEATURE_OSPKE & 31), cr4 & X86_CR4_PKE);
	/* api.rst, KVM_CAP_X86_DISABLE_EXITS: who halts without an exit cannot be kicked awake. */
	e = kvm_features_entry(c);
	if (e && (vcpu_vm(vcpu)->disabled_exits & KVM_X86_DISABLE_EXITS_HLT))
		e->eax &= ~BIT(KVM_FEATURE_PV_UNHALT);
	update_xsave_sizes(vcpu, c);
	c->dirty = false;
}

void cpuid_runtime_update(struct x86_vcpu *vcpu)
{
	if (vcpu->cpuid.dirty)
		update_runtime(vcpu, &vcpu->cpuid);
}

static void derive_caps(struct vcpu_cpuid *c)
{
	unsigned int i;

	memset(c->caps, 0, sizeof(c->caps));
	for (i = 0; c->nent && i < cpuid_allow_count; i++) {
		const struct cpuid_allow *a = &cpuid_allow_list[i];
		struct kvm_cpuid_entry2 *e = find(c, a->function, a->index);
		u32 may = keel_cpu_caps[a->word];

		if (a->word == CPUID_1_ECX)
			may |= SETTABLE_1_ECX;
		if (e)
			c->caps[a->word] = entry_reg(e, a->reg) & may;
	}
	/* Words that the vendor adds are not in the list. */
	if (find(c, 0x8000000a, 0))
		c->caps[CPUID_8000_000A_EDX] = find(c, 0x8000000a, 0)->edx &
					       keel_cpu_caps[CPUID_8000_000A_EDX];
}

/* Before there is a CPUID table userspace may set what the host offers. */
static bool cr4_bit_offered(struct x86_vcpu *vcpu, unsigned int feature)
{
	return vcpu->cpuid.nent ? guest_has(vcpu, feature) : keel_cpu_has(feature);
}

static u64 cr4_reserved(struct x86_vcpu *vcpu)
{
	u64 ok = X86_CR4_VME | X86_CR4_PVI | X86_CR4_TSD | X86_CR4_DE | X86_CR4_PSE |
		 X86_CR4_PAE | X86_CR4_MCE | X86_CR4_PGE | X86_CR4_PCE | X86_CR4_OSFXSR |
		 X86_CR4_OSXMMEXCPT;

	if (cr4_bit_offered(vcpu, X86_FEATURE_XSAVE))
		ok |= X86_CR4_OSXSAVE;
	if (cr4_bit_offered(vcpu, X86_FEATURE_SMEP))
		ok |= X86_CR4_SMEP;
	if (cr4_bit_offered(vcpu, X86_FEATURE_SMAP))
		ok |= X86_CR4_SMAP;
	if (cr4_bit_offered(vcpu, X86_FEATURE_FSGSBASE))
		ok |= X86_CR4_FSGSBASE;
	if (cr4_bit_offered(vcpu, X86_FEATURE_PKU))
		ok |= X86_CR4_PKE;
	if (cr4_bit_offered(vcpu, X86_FEATURE_LA57))
		ok |= X86_CR4_LA57;
	if (cr4_bit_offered(vcpu, X86_FEATURE_UMIP))
		ok |= X86_CR4_UMIP;
	if (cr4_bit_offered(vcpu, X86_FEATURE_PCID))
		ok |= X86_CR4_PCIDE;
	if (cr4_bit_offered(vcpu, X86_FEATURE_VMX))
		ok |= X86_CR4_VMXE;
	return ~ok;
}

static u64 efer_reserved(struct x86_vcpu *vcpu)
{
	u64 ok = 0;

	if (guest_has(vcpu, X86_FEATURE_SYSCALL))
		ok |= EFER_SCE;
	if (guest_has(vcpu, X86_FEATURE_LM))
		ok |= EFER_LME | EFER_LMA;
	if (guest_has(vcpu, X86_FEATURE_NX))
		ok |= EFER_NX;
	if (guest_has(vcpu, X86_FEATURE_SVM))
		ok |= EFER_SVME;
	if (guest_has(vcpu, X86_FEATURE_FXSR_OPT))
		ok |= EFER_FFXSR;
	if (guest_has(vcpu, CAP_AUTOIBRS))
		ok |= EFER_AUTOMATIC_IBRS;
	return ~ok;
}

static void derive_address_sizes(struct vcpu_cpuid *c)
{
	struct kvm_cpuid_entry2 *e = find(c, 0x80000008, 0);
	u8 phys = e ? e->eax & 0xff : 0;

	c->maxphyaddr = phys ? min_t(u8, phys, 52) : MAXPHYADDR_DEFAULT;
	c->rsvd_gpa = ~0ull << c->maxphyaddr;
	c->cr3_rsvd = c->rsvd_gpa;
	c->vaddr_bits = c->caps[CPUID_7_ECX] & BIT(X86_FEATURE_LA57 & 31) ? 57 : 48;
}

static bool vendor_reads_zero(const struct kvm_cpuid_entry2 *e)
{
	/* AuthenticAMD and HygonGenuine: EBX alone tells them from the others. */
	return e && (e->ebx == 0x68747541 || e->ebx == 0x6f677948);
}

static void derive_ranges(struct vcpu_cpuid *c)
{
	struct kvm_cpuid_entry2 *e = find(c, 0, 0);

	c->max_basic = e ? e->eax : 0;
	c->zero_out_of_range = vendor_reads_zero(e);
	e = find(c, 0x80000000, 0);
	c->max_ext = e ? e->eax : 0;

	c->kvm_base = find_kvm_base(c);
	c->kvm_features = 0;
	e = kvm_features_entry(c);
	if (e)
		c->kvm_features = e->eax;
}

void cpuid_derive(struct x86_vcpu *vcpu)
{
	struct vcpu_cpuid *c = &vcpu->cpuid;
	struct kvm_cpuid_entry2 *e;

	derive_caps(c);
	derive_ranges(c);
	derive_address_sizes(c);
	c->cr4_rsvd = cr4_reserved(vcpu);
	c->efer_rsvd = efer_reserved(vcpu);

	e = find(c, 0xd, 0);
	c->xcr0_allowed = e && guest_has(vcpu, X86_FEATURE_XSAVE) ?
			  (e->eax | (u64)e->edx << 32) & keel_xcr0_supported : 0;
	c->xss_allowed = 0;
	c->dirty = true;
}

void cpuid_init(struct x86_vcpu *vcpu)
{
	cpuid_derive(vcpu);
}

void cpuid_destroy(struct x86_vcpu *vcpu)
{
	kvfree(vcpu->cpuid.entry);
	vcpu->cpuid.entry = NULL;
	vcpu->cpuid.nent = 0;
}

static bool table_valid(struct vcpu_cpuid *c)
{
	struct kvm_cpuid_entry2 *e = find(c, 0x80000008, 0);
	u8 vaddr = e ? (e->eax >> 8) & 0xff : 0;

	return vaddr == 0 || vaddr == 48 || vaddr == 57;
}

static bool tables_equal(const struct vcpu_cpuid *a, const struct vcpu_cpuid *b)
{
	unsigned int i;

	if (a->nent != b->nent)
		return false;
	for (i = 0; i < a->nent; i++) {
		const struct kvm_cpuid_entry2 *x = &a->entry[i], *y = &b->entry[i];

		if (x->function != y->function || x->index != y->index || x->flags != y->flags ||
		    x->eax != y->eax || x->ebx != y->ebx || x->ecx != y->ecx || x->edx != y->edx)
			return false;
	}
	return true;
}

int cpuid_set(struct x86_vcpu *vcpu, struct kvm_cpuid_entry2 *e, unsigned int nent)
{
	struct vcpu_cpuid *c = &vcpu->cpuid;
	struct vcpu_cpuid *new = kzalloc(sizeof(*new), GFP_KERNEL_ACCOUNT);
	int ret = -EINVAL;

	if (!new)
		return -ENOMEM;
	new->entry = e;
	new->nent = nent;
	index_entries(new);
	if (!table_valid(new))
		goto out;
	if (c->ran) {
		cpuid_runtime_update(vcpu);
		new->kvm_base = find_kvm_base(new);
		update_runtime(vcpu, new);
		if (!tables_equal(c, new))
			goto out;
		kvfree(e);
		ret = 0;
		goto out;
	}
	kvfree(c->entry);
	c->entry = e;
	c->nent = nent;
	index_entries(c);
	cpuid_derive(vcpu);
	xstate_changed(vcpu);
	irqchip_cpuid_changed(vcpu);
	vendor_call(cpuid_changed)(vcpu);
	vendor_call(update_intercepts)(vcpu);
	ret = 0;
out:
	kfree(new);
	return ret;
}

bool cpuid_fault(struct x86_vcpu *vcpu)
{
	return unlikely(vcpu->msr.misc_features) && st_read(vcpu, ST_CS)->cpl > 0;
}

/*
 * A leaf that the table lacks. Some vendors' CPUs answer a leaf above the highest of its range
 * with the data of the highest basic leaf (SDM 2A CPUID); a gap inside a range reads zero.
 */
static struct kvm_cpuid_entry2 *out_of_range(struct vcpu_cpuid *c, u32 function, u32 index)
{
	struct kvm_cpuid_entry2 *class;

	if (c->zero_out_of_range)
		return NULL;
	if (function >= 0x40000000 && function <= 0x4fffffff)
		class = find(c, function & 0xffffff00, 0);
	else if (function >= 0x80000000)
		class = find(c, 0x80000000, 0);
	else
		class = find(c, 0, 0);
	if (class && function <= class->eax)
		return NULL;
	return find(c, c->max_basic, index);
}

bool cpuid_emulate(struct x86_vcpu *vcpu, u32 *eax, u32 *ebx, u32 *ecx, u32 *edx)
{
	struct vcpu_cpuid *c = &vcpu->cpuid;
	u32 function = *eax, index = *ecx;
	struct kvm_cpuid_entry2 *e, *topology;
	bool found;

	if (unlikely(c->dirty))
		update_runtime(vcpu, c);
	e = find(c, function, index);
	found = e;
	if (unlikely(!e) && c->nent)
		e = out_of_range(c, function, index);
	if (likely(e)) {
		*eax = e->eax;
		*ebx = e->ebx;
		*ecx = e->ecx;
		*edx = e->edx;
		return found;
	}
	*eax = *ebx = *ecx = *edx = 0;
	/* Sub-leaves past the last level of topology still tell the x2APIC id (SDM 2A CPUID). */
	if (function == 0xb || function == 0x1f) {
		topology = find(c, function, 1);
		if (topology) {
			*ecx = index & 0xff;
			*edx = topology->edx;
		}
	}
	return false;
}
