// SPDX-License-Identifier: GPL-2.0-only
/* Registers in and out: KVM_GET/SET_REGS, SREGS, SREGS2 and the synchronised registers. */
#include <linux/bitops.h>
#include <linux/string.h>
#include <asm/msr-index.h>
#include <asm/processor-flags.h>
#include <keel/guest_mem.h>
#include "virt/compat/compat.h"
#include "arch/x86/x86.h"
#include "arch/x86/state.h"

void regs_get(struct x86_vcpu *vcpu, struct kvm_regs *k)
{
	const struct x86_regs *r = st_read(vcpu, ST_RIP | ST_RSP | ST_RFLAGS);

	event_unwind_soft(vcpu);
	k->rax = r->gpr[R_RAX];
	k->rbx = r->gpr[R_RBX];
	k->rcx = r->gpr[R_RCX];
	k->rdx = r->gpr[R_RDX];
	k->rsi = r->gpr[R_RSI];
	k->rdi = r->gpr[R_RDI];
	k->rsp = r->gpr[R_RSP];
	k->rbp = r->gpr[R_RBP];
	k->r8 = r->gpr[R_R8];
	k->r9 = r->gpr[R_R9];
	k->r10 = r->gpr[R_R10];
	k->r11 = r->gpr[R_R11];
	k->r12 = r->gpr[R_R12];
	k->r13 = r->gpr[R_R13];
	k->r14 = r->gpr[R_R14];
	k->r15 = r->gpr[R_R15];
	k->rip = r->rip;
	k->rflags = debug_rflags(vcpu, r->rflags);
}

void regs_set(struct x86_vcpu *vcpu, const struct kvm_regs *k)
{
	struct x86_regs *r = st_overwrite(vcpu, ST_RIP | ST_RSP | ST_RFLAGS);

	r->gpr[R_RAX] = k->rax;
	r->gpr[R_RBX] = k->rbx;
	r->gpr[R_RCX] = k->rcx;
	r->gpr[R_RDX] = k->rdx;
	r->gpr[R_RSI] = k->rsi;
	r->gpr[R_RDI] = k->rdi;
	r->gpr[R_RSP] = k->rsp;
	r->gpr[R_RBP] = k->rbp;
	r->gpr[R_R8] = k->r8;
	r->gpr[R_R9] = k->r9;
	r->gpr[R_R10] = k->r10;
	r->gpr[R_R11] = k->r11;
	r->gpr[R_R12] = k->r12;
	r->gpr[R_R13] = k->r13;
	r->gpr[R_R14] = k->r14;
	r->gpr[R_R15] = k->r15;
	r->rip = k->rip;
	r->rflags = k->rflags | X86_EFLAGS_FIXED;

	/* What the old registers had raised does not belong to the new ones. */
	vcpu->ev.exc.pending = false;
	vcpu->ev.check = true;
}

static void segment_get(const struct x86_seg *s, struct kvm_segment *k)
{
	memset(k, 0, sizeof(*k));
	k->base = s->base;
	k->limit = s->limit;
	k->selector = s->selector;
	k->type = SEG_TYPE(s->attr);
	k->s = !!(s->attr & SEG_S);
	k->dpl = SEG_DPL(s->attr);
	k->present = !!(s->attr & SEG_P);
	k->avl = !!(s->attr & SEG_AVL);
	k->l = !!(s->attr & SEG_L);
	k->db = !!(s->attr & SEG_DB);
	k->g = !!(s->attr & SEG_G);
	k->unusable = s->unusable || !k->present;
}

static void segment_set(struct x86_seg *s, const struct kvm_segment *k)
{
	bool usable = k->present && !k->unusable;

	s->base = k->base;
	s->limit = k->limit;
	s->selector = k->selector;
	s->unusable = !usable;
	s->attr = (k->type & 0xf) | (k->s & 1) << 4 | (k->dpl & 3) << 5 | usable << 7 |
		  (k->avl & 1) << 8 | (k->l & 1) << 9 | (k->db & 1) << 10 | (k->g & 1) << 11;
}

/* The part that struct kvm_sregs and kvm_sregs2 begin with alike. */
static_assert(offsetof(struct kvm_sregs, interrupt_bitmap) == offsetof(struct kvm_sregs2, flags));

static void sregs_get_common(struct x86_vcpu *vcpu, struct kvm_sregs *k)
{
	const struct x86_regs *r = st_read(vcpu, ST_CR | ST_CR3 | ST_EFER | ST_SEG | ST_DT);

	event_unwind_soft(vcpu);
	segment_get(&r->seg[S_CS], &k->cs);
	segment_get(&r->seg[S_DS], &k->ds);
	segment_get(&r->seg[S_ES], &k->es);
	segment_get(&r->seg[S_FS], &k->fs);
	segment_get(&r->seg[S_GS], &k->gs);
	segment_get(&r->seg[S_SS], &k->ss);
	segment_get(&r->seg[S_TR], &k->tr);
	segment_get(&r->seg[S_LDTR], &k->ldt);
	k->gdt = (struct kvm_dtable){ .base = r->gdt.base, .limit = r->gdt.limit };
	k->idt = (struct kvm_dtable){ .base = r->idt.base, .limit = r->idt.limit };
	k->cr0 = r->cr0;
	k->cr2 = r->cr2;
	k->cr3 = r->cr3;
	k->cr4 = r->cr4;
	k->cr8 = keel_get_cr8(vcpu);
	k->efer = r->efer;
	k->apic_base = irqchip_apic_base(vcpu);
}

void sregs_get(struct x86_vcpu *vcpu, struct kvm_sregs *k)
{
	memset(k, 0, sizeof(*k));
	sregs_get_common(vcpu, k);
	if (vcpu->ev.irq.injected && !vcpu->ev.irq.soft)
		k->interrupt_bitmap[vcpu->ev.irq.vector / 64] |= BIT_ULL(vcpu->ev.irq.vector % 64);
}

static bool sregs_valid(struct x86_vcpu *vcpu, const struct kvm_sregs *k)
{
	if (!cr_valid(vcpu, k->cr0, k->cr3, k->cr4, k->efer))
		return false;
	/* 64-bit code exists in long mode only. */
	return (k->efer & EFER_LMA) || !k->cs.l;
}

/* VMMs that reset a halted boot CPU by its registers alone expect it to run. */
static void unhalt_after_reset(struct x86_vcpu *vcpu, const struct kvm_sregs *k)
{
	if (vcpu->v.id == vcpu_vm(vcpu)->boot_cpu_id && vcpu->regs.rip == 0xfff0 &&
	    k->cs.selector == 0xf000 && k->cs.base == 0xffff0000 && !(k->cr0 & X86_CR0_PE))
		vcpu->mp_state = KVM_MP_STATE_RUNNABLE;
}

static bool pae_paging(u64 cr0, u64 cr4, u64 efer)
{
	return (cr0 & X86_CR0_PG) && (cr4 & X86_CR4_PAE) && !(efer & EFER_LMA);
}

/* Userspace may load registers before memory: bad entries map nothing. */
static void load_pdptes(struct x86_vcpu *vcpu)
{
	const struct x86_regs *r = &vcpu->regs;

	if (keel_vendor.caps.pdpte_registers && pae_paging(r->cr0, r->cr4, r->efer) &&
	    !cr_load_pdptes(vcpu, r->cr3))
		memset(st_overwrite(vcpu, ST_PDPTE)->pdpte, 0, sizeof(r->pdpte));
}

static int sregs_set_common(struct x86_vcpu *vcpu, const struct kvm_sregs *k)
{
	u64 old_cr0, old_cr4, old_efer;
	struct x86_regs *r;

	if (!sregs_valid(vcpu, k) || irqchip_set_apic_base(vcpu, k->apic_base, true))
		return -EINVAL;

	r = st_write(vcpu, ST_CR | ST_CR3 | ST_EFER | ST_SEG | ST_DT);
	st_read(vcpu, ST_RIP);
	old_cr0 = r->cr0;
	old_cr4 = r->cr4;
	old_efer = r->efer;
	segment_set(&r->seg[S_CS], &k->cs);
	segment_set(&r->seg[S_DS], &k->ds);
	segment_set(&r->seg[S_ES], &k->es);
	segment_set(&r->seg[S_FS], &k->fs);
	segment_set(&r->seg[S_GS], &k->gs);
	segment_set(&r->seg[S_SS], &k->ss);
	segment_set(&r->seg[S_TR], &k->tr);
	segment_set(&r->seg[S_LDTR], &k->ldt);
	/* The hardware keeps CPL in SS.DPL (APM 2 15.5.1, SDM 3 25.4.1). */
	r->cpl = SEG_DPL(r->seg[S_SS].attr);
	r->gdt = (struct x86_dt){ .base = k->gdt.base, .limit = k->gdt.limit };
	r->idt = (struct x86_dt){ .base = k->idt.base, .limit = k->idt.limit };
	r->cr0 = k->cr0 | X86_CR0_ET;
	r->cr2 = k->cr2;
	r->cr3 = k->cr3;
	r->cr4 = k->cr4;
	r->efer = k->efer;
	keel_set_cr8(vcpu, k->cr8 & 0xf);
	cr_state_changed(vcpu, old_cr0, old_cr4, old_efer);
	load_pdptes(vcpu);
	cpuid_runtime_changed(&vcpu->cpuid);
	vendor_call(flush_tlb)(vcpu);
	unhalt_after_reset(vcpu, k);
	vcpu->ev.check = true;
	return 0;
}

int sregs_set(struct x86_vcpu *vcpu, const struct kvm_sregs *k)
{
	unsigned long vector;
	int ret = sregs_set_common(vcpu, k);

	if (ret)
		return ret;
	vector = find_first_bit((const unsigned long *)k->interrupt_bitmap, KVM_NR_INTERRUPTS);
	if (vector < KVM_NR_INTERRUPTS) {
		vcpu->ev.irq.injected = true;
		vcpu->ev.irq.queued = true;
		vcpu->ev.irq.soft = false;
		vcpu->ev.irq.vector = vector;
	}
	return 0;
}

static long get_regs(struct ioctl_ctx *c)
{
	regs_get(to_x86(c->vcpu), c->data);
	return 0;
}

static long set_regs(struct ioctl_ctx *c)
{
	regs_set(to_x86(c->vcpu), c->data);
	return 0;
}

static long get_sregs(struct ioctl_ctx *c)
{
	sregs_get(to_x86(c->vcpu), c->data);
	return 0;
}

static long set_sregs(struct ioctl_ctx *c)
{
	return sregs_set(to_x86(c->vcpu), c->data);
}

static long get_sregs2(struct ioctl_ctx *c)
{
	struct x86_vcpu *vcpu = to_x86(c->vcpu);
	struct kvm_sregs2 *k = c->data;
	struct kvm_sregs common = {};

	sregs_get_common(vcpu, &common);
	memcpy(k, &common, offsetof(struct kvm_sregs2, flags));
	if (!pae_paging(k->cr0, k->cr4, k->efer))
		return 0;
	if (keel_vendor.caps.pdpte_registers) {
		memcpy(k->pdptrs, st_read(vcpu, ST_PDPTE)->pdpte, sizeof(k->pdptrs));
		k->flags |= KVM_SREGS2_FLAGS_PDPTRS_VALID;
	} else if (!vcpu_read_guest(&vcpu->v, (u32)k->cr3 & ~0x1full, k->pdptrs,
				    sizeof(k->pdptrs))) {
		/* The CPU reads them from memory again each time: there is no other copy. */
		k->flags |= KVM_SREGS2_FLAGS_PDPTRS_VALID;
	}
	return 0;
}

static long set_sregs2(struct ioctl_ctx *c)
{
	struct x86_vcpu *vcpu = to_x86(c->vcpu);
	const struct kvm_sregs2 *k = c->data;
	struct kvm_sregs common = {};
	int ret;

	if (k->flags & ~KVM_SREGS2_FLAGS_PDPTRS_VALID)
		return -EINVAL;
	if ((k->flags & KVM_SREGS2_FLAGS_PDPTRS_VALID) && !pae_paging(k->cr0, k->cr4, k->efer))
		return -EINVAL;
	memcpy(&common, k, offsetof(struct kvm_sregs2, flags));
	ret = sregs_set_common(vcpu, &common);
	if (!ret && (k->flags & KVM_SREGS2_FLAGS_PDPTRS_VALID) &&
	    keel_vendor.caps.pdpte_registers)
		memcpy(st_overwrite(vcpu, ST_PDPTE)->pdpte, k->pdptrs, sizeof(k->pdptrs));
	return ret;
}

static const struct ioctl_row state_vcpu_ioctls_rows[] = {
	{ KVM_GET_REGS,		IOC_VCPU_STATE | IOC_FILLS, get_regs },
	{ KVM_SET_REGS,		IOC_VCPU_STATE, set_regs },
	{ KVM_GET_SREGS,	IOC_VCPU_STATE | IOC_FILLS, get_sregs },
	{ KVM_SET_SREGS,	IOC_VCPU_STATE, set_sregs },
	{ KVM_GET_SREGS2,	IOC_VCPU_STATE, get_sregs2 },
	{ KVM_SET_SREGS2,	IOC_VCPU_STATE, set_sregs2 },
};
IOCTL_TABLE(state_vcpu_ioctls);

/* ---- KVM_CAP_SYNC_REGS ---- */

/* The page is shared: each structure is copied before it is looked at. */
int sync_regs_load(struct x86_vcpu *vcpu)
{
	struct kvm_run *run = vcpu->v.run;
	struct kvm_sync_regs *s = &run->s.regs;
	u64 dirty = READ_ONCE(run->kvm_dirty_regs);

	if ((READ_ONCE(run->kvm_valid_regs) | dirty) & ~KVM_SYNC_X86_VALID_FIELDS)
		return -EINVAL;
	if (dirty & KVM_SYNC_X86_REGS) {
		struct kvm_regs regs;

		memcpy(&regs, &s->regs, sizeof(regs));
		regs_set(vcpu, &regs);
		run->kvm_dirty_regs &= ~KVM_SYNC_X86_REGS;
	}
	if (dirty & KVM_SYNC_X86_SREGS) {
		struct kvm_sregs sregs;

		memcpy(&sregs, &s->sregs, sizeof(sregs));
		if (sregs_set(vcpu, &sregs))
			return -EINVAL;
		run->kvm_dirty_regs &= ~KVM_SYNC_X86_SREGS;
	}
	if (dirty & KVM_SYNC_X86_EVENTS) {
		struct kvm_vcpu_events events;

		memcpy(&events, &s->events, sizeof(events));
		if (event_set(vcpu, &events))
			return -EINVAL;
		run->kvm_dirty_regs &= ~KVM_SYNC_X86_EVENTS;
	}
	return 0;
}

void sync_regs_store(struct x86_vcpu *vcpu)
{
	struct kvm_run *run = vcpu->v.run;
	u64 valid = READ_ONCE(run->kvm_valid_regs);

	if (valid & KVM_SYNC_X86_REGS)
		regs_get(vcpu, &run->s.regs.regs);
	if (valid & KVM_SYNC_X86_SREGS)
		sregs_get(vcpu, &run->s.regs.sregs);
	if (valid & KVM_SYNC_X86_EVENTS)
		event_get(vcpu, &run->s.regs.events);
}
