// SPDX-License-Identifier: GPL-2.0-only
/*
 * What guests may be offered on this host: KVM_GET_SUPPORTED_CPUID and KVM_GET_EMULATED_CPUID, from
 * the allow-list, the CPU's own CPUID and what the host's kernel has turned off.
 */
#include <linux/slab.h>
#include <asm/kvm_para.h>
#include "virt/compat/compat.h"
#include "virt/compat/compat_x86.h"
#include "arch/x86/x86.h"

#define MAX_BASIC_LEAF	0x1f
#define MAX_EXT_LEAF	0x80000021
#define MAX_SUBLEAVES	64

#define F(name)		BIT(X86_FEATURE_##name & 31)

/*
 * Asynchronous page faults without KVM_FEATURE_ASYNC_PF_INT are a permission that is never used:
 * msr.rst says that nothing is delivered unless it is by interrupt. Old VMMs ask for the bit.
 */
#define KVM_PV_FEATURES	(BIT(KVM_FEATURE_CLOCKSOURCE) | BIT(KVM_FEATURE_NOP_IO_DELAY) |	\
			 BIT(KVM_FEATURE_CLOCKSOURCE2) | BIT(KVM_FEATURE_ASYNC_PF) |	\
			 BIT(KVM_FEATURE_PV_EOI) | BIT(KVM_FEATURE_CLOCKSOURCE_STABLE_BIT))

static u32 raw_reg(u32 function, u32 index, u8 reg)
{
	u32 r[4] = {};
	u32 max = cpuid_eax(function & 0x80000000);

	if (function <= max)
		cpuid_count(function, index, &r[0], &r[1], &r[2], &r[3]);
	return r[reg & 3];
}

void cpuid_cap_set(unsigned int feature, bool on)
{
	u32 word = feature / 32, bit = BIT(feature & 31);

	if (word >= NR_KEEL_CPUID_WORDS)
		return;
	if (on)
		keel_cpu_caps[word] |= bit;
	else
		keel_cpu_caps[word] &= ~bit;
}
KEEL_EXPORT(cpuid_cap_set);

/* Speculation control in the common form, for guests that know only that (SDM 4 MSR 0x48). */
static void mirror_spec_ctrl(void)
{
	u32 amd = keel_cpu_caps[CPUID_8000_0008_EBX];

	if ((amd & F(AMD_IBPB)) && (amd & F(AMD_IBRS)))
		cpuid_cap_set(X86_FEATURE_SPEC_CTRL, true);
	if (amd & F(AMD_STIBP))
		cpuid_cap_set(X86_FEATURE_INTEL_STIBP, true);
	if (amd & F(AMD_SSBD))
		cpuid_cap_set(X86_FEATURE_SPEC_CTRL_SSBD, true);
}

/* A feature is worth nothing without what it needs. */
static void drop_dependents(void)
{
	u32 *caps = keel_cpu_caps;

	caps[CPUID_8000_0001_EDX] &= ~CPUID_1_EDX_ALIASES | caps[CPUID_1_EDX];
	if (!keel_cpu_has(X86_FEATURE_XSAVE))
		caps[CPUID_D_1_EAX] = 0;
	if (!(keel_xcr0_supported & XFEATURE_MASK_YMM)) {
		caps[CPUID_1_ECX] &= ~(F(AVX) | F(FMA) | F(F16C));
		caps[CPUID_7_0_EBX] &= ~F(AVX2);
		caps[CPUID_8000_0001_ECX] &= ~(F(XOP) | F(FMA4));
		caps[CPUID_7_ECX] &= ~(F(VAES) | F(VPCLMULQDQ));
	}
	if (!(keel_xcr0_supported & XFEATURE_MASK_AVX512)) {
		caps[CPUID_7_0_EBX] &= ~(F(AVX512F) | F(AVX512DQ) | F(AVX512IFMA) | F(AVX512CD) |
					 F(AVX512BW) | F(AVX512VL));
		caps[CPUID_7_ECX] &= ~(F(AVX512VBMI) | F(AVX512_VBMI2) | F(AVX512_VNNI) |
				       F(AVX512_BITALG) | F(AVX512_VPOPCNTDQ));
		caps[CPUID_7_EDX] &= ~(F(AVX512_4VNNIW) | F(AVX512_4FMAPS) |
				       F(AVX512_VP2INTERSECT) | F(AVX512_FP16));
		caps[CPUID_7_1_EAX] &= ~BIT(5);
	}
	if (!boot_cpu_has(X86_FEATURE_OSPKE) || !(keel_xcr0_supported & XFEATURE_MASK_PKRU))
		cpuid_cap_set(X86_FEATURE_PKU, false);
	if (!keel_cpu_has(X86_FEATURE_SPEC_CTRL))
		caps[CPUID_W_7_2_EDX] &= ~GENMASK(4, 0);
}

void cpuid_module_init(void)
{
	unsigned int i;

	memset(keel_cpu_caps, 0, sizeof(keel_cpu_caps));
	for (i = 0; i < cpuid_allow_count; i++) {
		const struct cpuid_allow *a = &cpuid_allow_list[i];
		u32 raw = raw_reg(a->function, a->index, a->reg);
		u32 kernel = a->word < NCAPINTS ? boot_cpu_data.x86_capability[a->word] : raw;

		keel_cpu_caps[a->word] = (a->host & raw & kernel) | (a->raw & raw) | a->emulated;
	}
	drop_dependents();
	mirror_spec_ctrl();
	/* Not vulnerable, even if the CPU is too old to say so. */
	if (!boot_cpu_has_bug(X86_BUG_SPEC_STORE_BYPASS))
		cpuid_cap_set(X86_FEATURE_AMD_SSB_NO, true);
	vendor_call(adjust_caps)();
}

/* ---- the table ---- */

struct table {
	struct kvm_cpuid_entry2	*e;
	unsigned int		nr, room;
};

/* The host's leaf as the next entry, or NULL if there is no room (counted all the same). */
static struct kvm_cpuid_entry2 *add(struct table *t, u32 function, u32 index, bool indexed)
{
	struct kvm_cpuid_entry2 *e;

	if (t->nr++ >= t->room)
		return NULL;
	e = &t->e[t->nr - 1];
	memset(e, 0, sizeof(*e));
	e->function = function;
	e->index = index;
	e->flags = indexed ? KVM_CPUID_FLAG_SIGNIFCANT_INDEX : 0;
	cpuid_count(function, index, &e->eax, &e->ebx, &e->ecx, &e->edx);
	return e;
}

static struct kvm_cpuid_entry2 *add_zero(struct table *t, u32 function, u32 index, bool indexed)
{
	struct kvm_cpuid_entry2 *e = add(t, function, index, indexed);

	if (e)
		e->eax = e->ebx = e->ecx = e->edx = 0;
	return e;
}

static void add_leaf_1(struct table *t)
{
	struct kvm_cpuid_entry2 *e = add(t, 1, 0, false);

	if (!e)
		return;
	e->ebx &= 0xffff;	/* no APIC id and no number of the host's threads */
	e->ecx = keel_cpu_caps[CPUID_1_ECX];
	e->edx = keel_cpu_caps[CPUID_1_EDX];
}

/* Cache descriptions: sub-leaves until one of type 0. */
static void add_caches(struct table *t, u32 function)
{
	u32 i;

	for (i = 0; i < MAX_SUBLEAVES; i++) {
		add(t, function, i, true);
		if (!(raw_reg(function, i, 0) & 0x1f))
			break;
	}
}

static void add_leaf_7(struct table *t)
{
	struct kvm_cpuid_entry2 *e = add_zero(t, 7, 0, true);
	u32 max = min(raw_reg(7, 0, 0), 2u);

	if (e) {
		e->eax = max;
		e->ebx = keel_cpu_caps[CPUID_7_0_EBX];
		e->ecx = keel_cpu_caps[CPUID_7_ECX];
		e->edx = keel_cpu_caps[CPUID_7_EDX];
	}
	if (max >= 1) {
		e = add_zero(t, 7, 1, true);
		if (e) {
			e->eax = keel_cpu_caps[CPUID_7_1_EAX];
			e->edx = keel_cpu_caps[CPUID_W_7_1_EDX];
		}
	}
	if (max >= 2) {
		e = add_zero(t, 7, 2, true);
		if (e)
			e->edx = keel_cpu_caps[CPUID_W_7_2_EDX];
	}
}

static void add_leaf_d(struct table *t)
{
	u64 xcr0 = keel_cpu_has(X86_FEATURE_XSAVE) ? keel_xcr0_supported : 0;
	struct kvm_cpuid_entry2 *e = add_zero(t, 0xd, 0, true);
	u32 i;

	if (e) {
		e->eax = xcr0;
		e->edx = xcr0 >> 32;
		e->ebx = e->ecx = xcr0 ? xstate_area_size(xcr0, false) : 0;
	}
	if (!xcr0)
		return;
	e = add_zero(t, 0xd, 1, true);
	if (e) {
		e->eax = keel_cpu_caps[CPUID_D_1_EAX];
		if (e->eax & (F(XSAVES) | F(XSAVEC)))
			e->ebx = xstate_area_size(xcr0, true);
	}
	for (i = 2; i < 63; i++) {
		if (!(xcr0 & BIT_ULL(i)))
			continue;
		e = add(t, 0xd, i, true);
		if (e)
			e->edx = 0;
	}
}

static void add_basic(struct table *t)
{
	u32 max = min_t(u32, cpuid_eax(0), MAX_BASIC_LEAF);
	struct kvm_cpuid_entry2 *e = add(t, 0, 0, false);

	if (e)
		e->eax = max_t(u32, max, 0xd);
	add_leaf_1(t);
	if (max >= 2)
		add(t, 2, 0, false);
	if (max >= 4)
		add_caches(t, 4);
	add_zero(t, 5, 0, false);
	e = add_zero(t, 6, 0, false);
	if (e)
		e->eax = keel_cpu_caps[CPUID_6_EAX];
	if (max >= 7)
		add_leaf_7(t);
	add_zero(t, 0xa, 0, false);
	/* Topology is the VMM's to describe: sub-leaf 0 alone means none. */
	add_zero(t, 0xb, 0, true);
	add_leaf_d(t);
	if (max >= 0x1f)
		add_zero(t, 0x1f, 0, true);
}

static void add_leaf_80000008(struct table *t)
{
	struct kvm_cpuid_entry2 *e = add(t, 0x80000008, 0, false);
	u32 phys, virt, guest_phys;

	if (!e)
		return;
	phys = e->eax & 0xff;
	virt = max_t(u32, (e->eax >> 8) & 0xff, 48);
	/* What the stage-2 tables can map. */
	guest_phys = min_t(u32, phys, keel_vendor.caps.stage2_levels == 5 ? 52 : 48);
	e->eax = phys | virt << 8 | guest_phys << 16;
	e->ebx = keel_cpu_caps[CPUID_8000_0008_EBX];
	e->ecx = 0;
	e->edx = 0;
}

static void add_topology_ext(struct table *t, u32 max)
{
	if (!keel_cpu_has(X86_FEATURE_TOPOEXT))
		return;
	if (max >= 0x8000001d)
		add_caches(t, 0x8000001d);
	if (max >= 0x8000001e)
		add_zero(t, 0x8000001e, 0, false);
}

static void add_leaf_80000021(struct table *t)
{
	struct kvm_cpuid_entry2 *e = add_zero(t, 0x80000021, 0, false);

	if (!e)
		return;
	e->eax = keel_cpu_caps[CPUID_8000_0021_EAX];
	e->ecx = keel_cpu_caps[CPUID_W_80000021_ECX];
	/* Known to the kernel even where this leaf does not exist. */
	if (boot_cpu_has(X86_FEATURE_LFENCE_RDTSC))
		e->eax |= BIT(2);
	if (!boot_cpu_has_bug(X86_BUG_NULL_SEG))
		e->eax |= BIT(6);
}

static void add_ext(struct table *t)
{
	u32 host = cpuid_eax(0x80000000), max = min_t(u32, host, MAX_EXT_LEAF);
	struct kvm_cpuid_entry2 *e = add(t, 0x80000000, 0, false);
	u32 f;

	if (host >= 0x8000001d)
		max = MAX_EXT_LEAF;
	if (e)
		e->eax = max;
	e = add(t, 0x80000001, 0, false);
	if (e) {
		e->ebx &= ~GENMASK(27, 16);
		e->ecx = keel_cpu_caps[CPUID_8000_0001_ECX];
		e->edx = keel_cpu_caps[CPUID_8000_0001_EDX];
	}
	for (f = 0x80000002; f <= min_t(u32, host, 0x80000006); f++) {
		e = add(t, f, 0, false);
		if (e && f == 0x80000006)
			e->edx &= ~GENMASK(17, 16);
	}
	if (host >= 0x80000007) {
		e = add_zero(t, 0x80000007, 0, false);
		if (e && boot_cpu_has(X86_FEATURE_CONSTANT_TSC))
			e->edx = boot_cpu_data.x86_power & BIT(8);	/* invariant TSC */
	}
	if (host >= 0x80000008)
		add_leaf_80000008(t);
	if (host >= 0x8000000a) {
		e = add_zero(t, 0x8000000a, 0, false);
		if (e && keel_cpu_has(X86_FEATURE_SVM)) {
			e->eax = 1;
			e->ebx = 8;
			e->edx = keel_cpu_caps[CPUID_8000_000A_EDX];
		}
	}
	if (host >= 0x80000019) {
		e = add(t, 0x80000019, 0, false);
		if (e)
			e->ecx = e->edx = 0;
	}
	add_topology_ext(t, host);
	if (max >= 0x80000021)
		add_leaf_80000021(t);
}

static void add_kvm(struct table *t)
{
	struct kvm_cpuid_entry2 *e = add_zero(t, KVM_CPUID_SIGNATURE, 0, false);

	if (e) {
		e->eax = KVM_CPUID_FEATURES;
		e->ebx = KVM_SIGNATURE_EBX;
		e->ecx = KVM_SIGNATURE_ECX;
		e->edx = KVM_SIGNATURE_EDX;
	}
	e = add_zero(t, KVM_CPUID_FEATURES, 0, false);
	if (e)
		e->eax = KVM_PV_FEATURES |
			 (steal_supported() ? BIT(KVM_FEATURE_STEAL_TIME) : 0);
}

int cpuid_supported(struct kvm_cpuid_entry2 *e, unsigned int room)
{
	struct table t = { .e = e, .room = room };

	add_basic(&t);
	add_ext(&t);
	add_kvm(&t);
	return t.nr > room ? -E2BIG : (int)t.nr;
}

int cpuid_emulated(struct kvm_cpuid_entry2 *e, unsigned int room)
{
	struct table t = { .e = e, .room = room };
	struct kvm_cpuid_entry2 *x;

	x = add_zero(&t, 0, 0, false);
	if (x)
		x->eax = 7;
	x = add_zero(&t, 1, 0, false);
	if (x)
		x->ecx = F(MOVBE);
	add_zero(&t, 7, 0, true);
	return t.nr > room ? -E2BIG : (int)t.nr;
}
