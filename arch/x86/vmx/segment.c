// SPDX-License-Identifier: GPL-2.0-only
/*
 * Segments between the VMCS and vcpu->regs. Access rights have AVL, L, D/B and G four bits higher than
 * our form, and "unusable" in bit 16 (SDM 3C 25.4.1).
 */
#include "virt/compat/compat.h"
#include "arch/x86/vmx/vmx.h"

#define AR_LOW		0xffu	/* type, S, DPL, P: the same */
#define AR_HIGH		0xf00u	/* AVL, L, D/B, G in our form */
#define AR_UNUSABLE	BIT(16)

/* The fields of a segment are numbered alike: selector, limit, rights and base of ES, and 2 more for each next. */
static const u8 seg_nr[NR_SEGS] = {
	[S_ES] = 0, [S_CS] = 1, [S_SS] = 2, [S_DS] = 3, [S_FS] = 4, [S_GS] = 5, [S_LDTR] = 6,
	[S_TR] = 7,
};

#define SEG_FIELD(first, seg)	((first) + 2 * seg_nr[seg])

static u16 attr_from_ar(u32 ar)
{
	return (ar & AR_LOW) | (ar >> 4 & AR_HIGH);
}

static void fetch_seg(struct x86_regs *r, int seg)
{
	u32 ar = vmcs_read32(SEG_FIELD(GUEST_ES_AR_BYTES, seg));
	struct x86_seg *s = &r->seg[seg];

	s->selector = vmcs_read(SEG_FIELD(GUEST_ES_SELECTOR, seg));
	s->base = vmcs_read(SEG_FIELD(GUEST_ES_BASE, seg));
	s->limit = vmcs_read32(SEG_FIELD(GUEST_ES_LIMIT, seg));
	s->unusable = !!(ar & AR_UNUSABLE);
	s->attr = attr_from_ar(ar);
	/* What is left of an unusable segment's rights is not defined, but for SS.DPL. */
	if (s->unusable)
		s->attr &= ~SEG_P;
}

/* The CPL is SS.DPL, in every mode (SDM 3C 25.4.1). */
void vmx_fetch_cs(struct x86_regs *r)
{
	r->cpl = SEG_DPL(vmcs_read32(GUEST_SS_AR_BYTES));
	fetch_seg(r, S_CS);
}

void vmx_fetch_segs(struct x86_regs *r)
{
	int i;

	for (i = 0; i < NR_SEGS; i++)
		fetch_seg(r, i);
	r->cpl = SEG_DPL(r->seg[S_SS].attr);
}

/*
 * What an entry demands of a loaded segment and a descriptor need not say (SDM 3C 27.3.1.2): data and code are
 * accessed, a TSS is busy.
 */
static u16 loaded_attr(int seg, u16 attr)
{
	switch (seg) {
	case S_LDTR:
		return attr;
	case S_TR:
		return attr | 2;
	default:
		return attr | 1;
	}
}

static u32 ar_of(int seg, const struct x86_seg *s)
{
	u16 attr;

	if (s->unusable || !(s->attr & SEG_P))
		return AR_UNUSABLE | (s->attr & (3 << 5));
	attr = loaded_attr(seg, s->attr);
	return (attr & AR_LOW) | (attr & AR_HIGH) << 4;
}

void vmx_flush_segs(const struct x86_regs *r)
{
	int i;

	for (i = 0; i < NR_SEGS; i++) {
		const struct x86_seg *s = &r->seg[i];
		u32 ar = ar_of(i, s);

		/* CPL has one place to be, usable or not. */
		if (i == S_SS)
			ar = (ar & ~(3u << 5)) | (u32)r->cpl << 5;
		vmcs_write(SEG_FIELD(GUEST_ES_SELECTOR, i), s->selector);
		vmcs_write(SEG_FIELD(GUEST_ES_BASE, i), s->base);
		vmcs_write(SEG_FIELD(GUEST_ES_LIMIT, i), s->limit);
		vmcs_write(SEG_FIELD(GUEST_ES_AR_BYTES, i), ar);
	}
}
