// SPDX-License-Identifier: GPL-2.0-only
/*
 * State groups between the VMCB and vcpu->regs. What the guest sees and what
 * the hardware runs with differ in three places: CR0.CD and NW stay out of the VMCB,
 * the host's CR4.MCE and EFER.SVME are always in it.
 */
#include <linux/printk.h>
#include <linux/ratelimit.h>
#include <linux/string.h>
#include <asm/msr-index.h>
#include <asm/processor-flags.h>
#include <asm/tlbflush.h>
#include "virt/compat/compat.h"
#include "arch/x86/svm/svm.h"

/* Caching is the host's business: with NPT, CR0.CD in a guest would slow it down and nothing else. */
#define CR0_HIDDEN	(X86_CR0_CD | X86_CR0_NW)
#define DR7_EMPTY	0x400

static struct svm_vmcb_seg *vmcb_seg(struct svm_vmcb *vmcb, int seg)
{
	static const u16 place[NR_SEGS] = {
		[S_CS]	 = offsetof(struct svm_vmcb_save, cs),
		[S_DS]	 = offsetof(struct svm_vmcb_save, ds),
		[S_ES]	 = offsetof(struct svm_vmcb_save, es),
		[S_FS]	 = offsetof(struct svm_vmcb_save, fs),
		[S_GS]	 = offsetof(struct svm_vmcb_save, gs),
		[S_SS]	 = offsetof(struct svm_vmcb_save, ss),
		[S_TR]	 = offsetof(struct svm_vmcb_save, tr),
		[S_LDTR] = offsetof(struct svm_vmcb_save, ldtr),
	};

	return (void *)&vmcb->save + place[seg];
}

/*
 * The CPU keeps only those attributes that it needs itself (APM 2 15.5.1): G follows from the limit, TR is
 * busy, a loaded data segment is accessed, and SS.DPL is the CPL, which SYSRET may leave out of the
 * descriptor.
 */
static u16 clean_attr(int seg, u16 attr, u32 limit, u8 cpl)
{
	if (!(attr & SEG_P)) {
		if (seg == S_SS)
			attr = (attr & ~(SEG_DB | 3 << 5)) | cpl << 5;
		return attr;
	}
	if (limit > 0xfffff)
		attr |= SEG_G;
	switch (seg) {
	case S_TR:
		return attr | 2;
	case S_LDTR:
		return attr;
	case S_SS:
		return (attr & ~(3 << 5)) | cpl << 5 | 1;
	default:
		return attr | 1;
	}
}

static void fetch_seg(struct x86_regs *r, int seg, const struct svm_vmcb_seg *v)
{
	struct x86_seg *s = &r->seg[seg];

	s->base = v->base;
	s->limit = v->limit;
	s->selector = v->selector;
	s->attr = clean_attr(seg, v->attrib, v->limit, r->cpl);
	s->unusable = !(v->attrib & SEG_P);
}

/* Code segments need less cleaning than others. */
void svm_fetch_cs(struct svm_vcpu *svm)
{
	const struct svm_vmcb_seg *v = &svm->vmcb->save.cs;
	struct x86_seg *s = &svm->x.regs.seg[S_CS];
	u16 attr = v->attrib;

	svm->x.regs.cpl = svm->vmcb->save.cpl;
	s->base = v->base;
	s->limit = v->limit;
	s->selector = v->selector;
	s->attr = attr & SEG_P ? attr | (v->limit > 0xfffff ? SEG_G : 0) | 1 : attr;
	s->unusable = !(attr & SEG_P);
}

static void fetch_segs(struct x86_regs *r, struct svm_vmcb *vmcb)
{
	int i;

	r->cpl = vmcb->save.cpl;
	for (i = 0; i < NR_SEGS; i++)
		fetch_seg(r, i, vmcb_seg(vmcb, i));
}

static void flush_segs(struct svm_vmcb *vmcb, const struct x86_regs *r)
{
	int i;

	vmcb->save.cpl = r->cpl;
	for (i = 0; i < NR_SEGS; i++) {
		struct svm_vmcb_seg *v = vmcb_seg(vmcb, i);
		const struct x86_seg *s = &r->seg[i];

		v->base = s->base;
		v->limit = s->limit;
		v->selector = s->selector;
		v->attrib = s->unusable ? s->attr & ~SEG_P : s->attr;
	}
}

static void fetch_dt(struct x86_dt *dt, const struct svm_vmcb_seg *v)
{
	dt->base = v->base;
	dt->limit = v->limit;
}

static void flush_dt(struct svm_vmcb_seg *v, const struct x86_dt *dt)
{
	v->base = dt->base;
	v->limit = dt->limit;
}

static void fetch_syscall(struct x86_regs *r, const struct svm_vmcb_save *s)
{
	r->star = s->star;
	r->lstar = s->lstar;
	r->cstar = s->cstar;
	r->sfmask = s->sfmask;
	r->kernel_gs_base = s->kernel_gs_base;
	r->sysenter_cs = s->sysenter_cs;
	r->sysenter_esp = s->sysenter_esp;
	r->sysenter_eip = s->sysenter_eip;
}

static void flush_syscall(struct svm_vmcb_save *s, const struct x86_regs *r)
{
	s->star = r->star;
	s->lstar = r->lstar;
	s->cstar = r->cstar;
	s->sfmask = r->sfmask;
	s->kernel_gs_base = r->kernel_gs_base;
	s->sysenter_cs = r->sysenter_cs;
	s->sysenter_esp = r->sysenter_esp;
	s->sysenter_eip = r->sysenter_eip;
}

void svm_fetch(struct x86_vcpu *vcpu, u32 groups)
{
	struct svm_vcpu *svm = to_svm(vcpu);
	struct svm_vmcb_save *s = &svm->vmcb->save;
	struct x86_regs *r = &vcpu->regs;

	if (groups & ST_CR) {
		r->cr0 = s->cr0 | svm->cr0_hidden;
		r->cr2 = s->cr2;
		r->cr4 = s->cr4 & ~svm->cr4_forced;
	}
	if (groups & ST_CR3)
		r->cr3 = s->cr3;
	/* Walks of the guest's tables ask for these two. */
	if (!(groups & ~(ST_CR | ST_CR3)))
		return;
	if (groups & ST_RIP)
		r->rip = s->rip;
	if (groups & ST_RSP)
		r->gpr[R_RSP] = s->rsp;
	if (groups & ST_RFLAGS)
		r->rflags = s->rflags;
	if (groups & ST_EFER)
		r->efer = s->efer & ~(u64)EFER_SVME;
	if (groups & ST_SEG)
		fetch_segs(r, svm->vmcb);
	else if (groups & ST_CS)
		svm_fetch_cs(svm);
	if (groups & ST_DT) {
		fetch_dt(&r->gdt, &s->gdtr);
		fetch_dt(&r->idt, &s->idtr);
	}
	if (groups & ST_SYSCALL)
		fetch_syscall(r, s);
	/* The VMCB does not tell MOV SS from STI (APM 2 15.21.5): the stronger one is safe. */
	if (groups & ST_SHADOW)
		r->int_shadow = svm->vmcb->control.int_state & INT_STATE_SHADOW ?
				SHADOW_STI | SHADOW_MOV_SS : 0;
}

/*
 * A machine check in a guest without CR4.MCE would be a shutdown of the CPU instead of the
 * host's machine check (APM 2 9.3.1): the host's bit stays set.
 */
static void flush_cr(struct svm_vcpu *svm, const struct x86_regs *r)
{
	struct svm_vmcb_save *s = &svm->vmcb->save;
	bool as_is = vcpu_vm(&svm->x)->disabled_quirks & KVM_X86_QUIRK_CD_NW_CLEARED;
	u64 hidden = as_is ? 0 : r->cr0 & CR0_HIDDEN;
	u64 forced = cr4_read_shadow() & X86_CR4_MCE & ~r->cr4;
	bool views_changed = !hidden != !svm->cr0_hidden || !forced != !svm->cr4_forced;

	s->cr0 = r->cr0 & ~hidden;
	s->cr2 = r->cr2;
	s->cr4 = r->cr4 | forced;
	svm->cr0_hidden = hidden;
	svm->cr4_forced = forced;
	svm_touch(svm, CLEAN_CR | CLEAN_CR2);
	if (views_changed)
		svm_apply_intercepts(svm);
}

/* Apart, so that svm_flush() needs no stack. */
static noinline void flush_rest(struct svm_vcpu *svm, u32 groups)
{
	struct svm_vmcb_save *s = &svm->vmcb->save;
	const struct x86_regs *r = &svm->x.regs;

	if (groups & ST_RSP)
		s->rsp = r->gpr[R_RSP];

	if (groups & ST_CR)
		flush_cr(svm, r);
	if (groups & ST_CR3) {
		s->cr3 = r->cr3;
		svm_touch(svm, CLEAN_CR);
	}
	if (groups & ST_EFER) {
		s->efer = r->efer | EFER_SVME;
		svm_touch(svm, CLEAN_CR);
	}
	if (groups & ST_SEG) {
		flush_segs(svm->vmcb, r);
		svm_touch(svm, CLEAN_SEG);
	}
	if (groups & ST_DT) {
		flush_dt(&s->gdtr, &r->gdt);
		flush_dt(&s->idtr, &r->idt);
		svm_touch(svm, CLEAN_DT);
	}
	if (groups & ST_SYSCALL)
		flush_syscall(s, r);
}

void svm_flush(struct x86_vcpu *vcpu, u32 groups)
{
	struct svm_vcpu *svm = to_svm(vcpu);
	struct svm_vmcb *vmcb = svm->vmcb;
	const struct x86_regs *r = &vcpu->regs;

	if (groups & ST_RIP)
		vmcb->save.rip = r->rip;
	if (groups & ST_RFLAGS)
		vmcb->save.rflags = r->rflags;
	if (groups & ST_SHADOW)
		vmcb->control.int_state = r->int_shadow ? INT_STATE_SHADOW : 0;
	/* More than a finished instruction leaves? */
	groups &= ~(ST_RIP | ST_RFLAGS | ST_SHADOW);
	if (unlikely(groups))
		flush_rest(svm, groups);
}

/* What stays as it is for the life of a vCPU. The page is zeroed. */
void svm_vmcb_init(struct svm_vcpu *svm)
{
	struct svm_vmcb *vmcb = svm->vmcb;

	vmcb->control.iopm_base = svm_iopm_pa();
	vmcb->control.nested_ctl = NESTED_CTL_NP;
	vmcb->control.int_ctl = V_INTR_MASKING;
	vmcb->save.dr6 = DR6_RESERVED;
	vmcb->save.dr7 = DR7_EMPTY;
	vmcb->save.efer = EFER_SVME;
}

static void dump_seg(const char *name, const struct svm_vmcb_seg *s)
{
	pr_info("kvm_amd: %-4s sel %04x attr %03x limit %08x base %016llx\n", name, s->selector,
		s->attrib, s->limit, s->base);
}

/* For debugging a refused entry; off unless the module parameter asks for it: a guest can cause it. */
void svm_dump(struct x86_vcpu *vcpu)
{
	static DEFINE_RATELIMIT_STATE(limit, DEFAULT_RATELIMIT_INTERVAL, 2);
	struct svm_vmcb *vmcb = to_svm(vcpu)->vmcb;
	const struct svm_vmcb_control *c = &vmcb->control;
	const struct svm_vmcb_save *s = &vmcb->save;

	if (!READ_ONCE(svm_dump_invalid) || !__ratelimit(&limit))
		return;
	pr_info("kvm_amd: exit %llx info %llx %llx int %08x %08x\n", c->exit_code, c->exit_info1,
		c->exit_info2, c->exit_int_info, c->exit_int_error);
	pr_info("kvm_amd: inj %08x %08x int_ctl %08x state %llx asid %u tlb %u clean %x\n",
		c->event_inj, c->event_inj_error, c->int_ctl, c->int_state, c->asid,
		c->tlb_control, c->clean);
	pr_info("kvm_amd: intercepts %08x %08x %08x %08x %08x %08x ncr3 %llx\n", c->intercept[0],
		c->intercept[1], c->intercept[2], c->intercept[3], c->intercept[4],
		c->intercept[5], c->nested_cr3);
	pr_info("kvm_amd: rip %llx rsp %llx rflags %llx rax %llx cpl %u\n", s->rip, s->rsp,
		s->rflags, s->rax, s->cpl);
	pr_info("kvm_amd: cr0 %llx cr2 %llx cr3 %llx cr4 %llx efer %llx pat %llx dr6 %llx dr7 %llx\n",
		s->cr0, s->cr2, s->cr3, s->cr4, s->efer, s->g_pat, s->dr6, s->dr7);
	dump_seg("cs", &s->cs);
	dump_seg("ds", &s->ds);
	dump_seg("es", &s->es);
	dump_seg("fs", &s->fs);
	dump_seg("gs", &s->gs);
	dump_seg("ss", &s->ss);
	dump_seg("tr", &s->tr);
	dump_seg("ldtr", &s->ldtr);
	dump_seg("gdtr", &s->gdtr);
	dump_seg("idtr", &s->idtr);
}
