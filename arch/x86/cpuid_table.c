// SPDX-License-Identifier: GPL-2.0-only
/*
 * The features that Keel virtualises, register by register: an allow-list.
 * What is not named here no guest is offered, on whatever CPU.
 */
#include "virt/compat/compat.h"
#include "arch/x86/x86.h"

#define F(name)		BIT(X86_FEATURE_##name & 31)

enum { EAX, EBX, ECX, EDX };

const struct cpuid_allow cpuid_allow_list[] = {
	{
		.word = CPUID_1_EDX, .function = 1, .reg = EDX,
		.host = CPUID_1_EDX_ALIASES | F(SEP) | F(CLFLUSH) | F(XMM) | F(XMM2) | F(SELFSNOOP),
	}, {
		/* TSC_DEADLINE comes with a capability, OSXSAVE follows CR4. */
		.word = CPUID_1_ECX, .function = 1, .reg = ECX,
		.host = F(XMM3) | F(PCLMULQDQ) | F(SSSE3) | F(FMA) | F(CX16) | F(PCID) |
			F(XMM4_1) | F(XMM4_2) | F(MOVBE) | F(POPCNT) | F(AES) | F(XSAVE) |
			F(AVX) | F(F16C) | F(RDRAND),
		.emulated = F(X2APIC),
	}, {
		.word = CPUID_8000_0001_EDX, .function = 0x80000001, .reg = EDX,
		.host = F(SYSCALL) | F(NX) | F(MMXEXT) | F(FXSR_OPT) | F(GBPAGES) | F(RDTSCP) |
			F(LM) | F(3DNOWEXT) | F(3DNOW),
		.raw = CPUID_1_EDX_ALIASES,
	}, {
		.word = CPUID_8000_0001_ECX, .function = 0x80000001, .reg = ECX,
		.host = F(LAHF_LM) | F(CMP_LEGACY) | F(CR8_LEGACY) | F(ABM) | F(SSE4A) |
			F(MISALIGNSSE) | F(3DNOWPREFETCH) | F(OSVW) | F(XOP) | F(FMA4) |
			F(TBM) | F(TOPOEXT),
	}, {
		.word = CPUID_7_0_EBX, .function = 7, .reg = EBX,
		.host = F(FSGSBASE) | F(BMI1) | F(HLE) | F(AVX2) | F(FDP_EXCPTN_ONLY) |
			F(SMEP) | F(BMI2) | F(ERMS) | F(INVPCID) | F(RTM) | F(ZERO_FCS_FDS) |
			F(AVX512F) | F(AVX512DQ) | F(RDSEED) | F(ADX) | F(SMAP) |
			F(AVX512IFMA) | F(CLFLUSHOPT) | F(CLWB) | F(AVX512CD) | F(SHA_NI) |
			F(AVX512BW) | F(AVX512VL),
		.emulated = F(TSC_ADJUST),
	}, {
		/* LA57 is the guest's own choice: its tables need not have the host's depth. */
		.word = CPUID_7_ECX, .function = 7, .reg = ECX,
		.host = F(AVX512VBMI) | F(PKU) | F(UMIP) | F(AVX512_VBMI2) | F(GFNI) | F(VAES) |
			F(VPCLMULQDQ) | F(AVX512_VNNI) | F(AVX512_BITALG) |
			F(AVX512_VPOPCNTDQ) | F(RDPID) | F(CLDEMOTE) | F(MOVDIRI) |
			F(MOVDIR64B),
		.raw = F(LA57),
	}, {
		.word = CPUID_7_EDX, .function = 7, .reg = EDX,
		.host = F(AVX512_4VNNIW) | F(AVX512_4FMAPS) | F(SPEC_CTRL) | F(SPEC_CTRL_SSBD) |
			F(INTEL_STIBP) | F(MD_CLEAR) | F(AVX512_VP2INTERSECT) | F(FSRM) |
			F(SERIALIZE) | F(TSXLDTRK) | F(AVX512_FP16) | F(FLUSH_L1D),
		.emulated = F(ARCH_CAPABILITIES),
	}, {
		/* AVX-VNNI, AVX512-BF16, CMPccXADD, FZRM, FSRS, FSRC, AVX-IFMA */
		.word = CPUID_7_1_EAX, .function = 7, .index = 1, .reg = EAX,
		.raw = BIT(4) | BIT(5) | BIT(7) | BIT(10) | BIT(11) | BIT(12) | BIT(23),
	}, {
		/* AVX-VNNI-INT8, AVX-NE-CONVERT, AVX-VNNI-INT16, PREFETCHI */
		.word = CPUID_W_7_1_EDX, .function = 7, .index = 1, .reg = EDX,
		.raw = BIT(4) | BIT(5) | BIT(10) | BIT(14),
	}, {
		/* PSFD, IPRED_CTRL, RRSBA_CTRL, DDPD_U, BHI_CTRL: bits of SPEC_CTRL; MCDT_NO */
		.word = CPUID_W_7_2_EDX, .function = 7, .index = 2, .reg = EDX,
		.raw = GENMASK(5, 0),
	}, {
		.word = CPUID_D_1_EAX, .function = 0xd, .index = 1, .reg = EAX,
		.host = F(XSAVEOPT) | F(XSAVEC) | F(XGETBV1) | F(XSAVES),
	}, {
		/* The virtual APIC timer never stops. */
		.word = CPUID_6_EAX, .function = 6, .reg = EAX,
		.emulated = F(ARAT),
	}, {
		.word = CPUID_8000_0008_EBX, .function = 0x80000008, .reg = EBX,
		.host = F(CLZERO) | F(XSAVEERPTR) | F(WBNOINVD) | F(AMD_IBPB) | F(AMD_IBRS) |
			F(AMD_SSBD) | F(AMD_SSB_NO) | F(AMD_STIBP) | F(AMD_STIBP_ALWAYS_ON),
		.raw = BIT(28) | BIT(30),	/* PSFD, IBPB_RET */
	}, {
		/*
		 * NoNestedDataBp, FsGsKernelGsBaseNonSerializing, LFenceAlwaysSerializing,
		 * VERW_CLEAR, NullSelectClearsBase, AutomaticIBRS, SBPB, IBPB_BRTYPE, SRSO_NO,
		 * SRSO_USER_KERNEL_NO. Emulated: the SMM_CTL MSR does not exist.
		 */
		.word = CPUID_8000_0021_EAX, .function = 0x80000021, .reg = EAX,
		.raw = BIT(0) | BIT(1) | BIT(2) | BIT(5) | BIT(6) | BIT(8) | BIT(27) | BIT(28) |
		       BIT(29) | BIT(30),
		.emulated = BIT(9),
	}, {
		/* TSA_SQ_NO, TSA_L1_NO */
		.word = CPUID_W_80000021_ECX, .function = 0x80000021, .reg = ECX,
		.raw = BIT(1) | BIT(2),
	},
};

const unsigned int cpuid_allow_count = ARRAY_SIZE(cpuid_allow_list);
