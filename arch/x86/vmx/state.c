// SPDX-License-Identifier: GPL-2.0-only
/*
 * State groups between the VMCS and vcpu->regs. What the guest sees of CR0 and CR4 and what the
 * hardware runs with differ: CD and NW are not passed on, VMX wants NE and VMXE, the host's MCE stays
 * set. Bits that the guest may change without an exit are in the register, all others
 * in the read shadow (SDM 3C 25.6.6).
 */
#include <asm/msr-index.h>
#include <asm/processor-flags.h>
#include <asm/tlbflush.h>
#include "virt/compat/compat.h"
#include "arch/x86/vmx/vmx.h"

/* Nothing of ours depends on these. */
#define CR0_GUEST	(X86_CR0_TS | X86_CR0_MP | X86_CR0_EM | X86_CR0_AM | X86_CR0_WP)
/* Caching is the host's business: EPT gives guest memory its type. */
#define CR0_HIDDEN	(X86_CR0_CD | X86_CR0_NW)


u32 vmx_intr_state(struct vmx_vcpu *vmx)
{
	if (!vmx->intr_state_known) {
		vmx->intr_state = vmcs_read32(GUEST_INTERRUPTIBILITY_INFO);
		vmx->intr_state_known = true;
		WRITE_ONCE(vmx->nmi_masked, vmx->intr_state & GUEST_INTR_STATE_NMI);
	}
	return vmx->intr_state;
}

void vmx_set_intr_state(struct vmx_vcpu *vmx, u32 val)
{
	if (vmx_intr_state(vmx) == val)
		return;
	vmx->intr_state = val;
	vmcs_write(GUEST_INTERRUPTIBILITY_INFO, val);
}

static u8 fetch_shadow(struct vmx_vcpu *vmx)
{
	u32 state = vmx_intr_state(vmx);

	return (state & GUEST_INTR_STATE_STI ? SHADOW_STI : 0) |
	       (state & GUEST_INTR_STATE_MOV_SS ? SHADOW_MOV_SS : 0);
}

/*
 * At most one shadow, that of STI only with IF set; in a shadow a single-step trap that is due is pending
 * (SDM 3C 27.3.1.4, 27.3.1.5).
 */
static void flush_shadow(struct vmx_vcpu *vmx)
{
	const struct x86_regs *r = st_read(&vmx->x, ST_RFLAGS | ST_SHADOW);
	u32 state = vmx_intr_state(vmx) & ~(GUEST_INTR_STATE_STI | GUEST_INTR_STATE_MOV_SS);
	/* The trap of a debugger's step is not due before the instruction: no shadow, or it would have to be pending. */
	u8 shadow = debug_single_step(&vmx->x.debug) ? 0 : r->int_shadow;
	unsigned long pending;

	if (likely(!shadow && vmx_intr_state(vmx) == state))
		return;
	if (shadow & SHADOW_MOV_SS)
		state |= GUEST_INTR_STATE_MOV_SS;
	else if (shadow && r->rflags & X86_EFLAGS_IF)
		state |= GUEST_INTR_STATE_STI;
	vmx_set_intr_state(vmx, state);

	/* Who completed an instruction in a shadow has seen to its trap. */
	pending = vmcs_read(GUEST_PENDING_DBG_EXCEPTIONS) & ~DEBUG_BS;
	if (state & (GUEST_INTR_STATE_STI | GUEST_INTR_STATE_MOV_SS) && r->rflags & X86_EFLAGS_TF)
		pending |= DEBUG_BS;
	vmcs_write(GUEST_PENDING_DBG_EXCEPTIONS, pending);
}

static void fetch_cr(struct vmx_vcpu *vmx, struct x86_regs *r)
{
	r->cr0 = (vmcs_read(GUEST_CR0) & CR0_GUEST) | (vmcs_read(CR0_READ_SHADOW) & ~CR0_GUEST);
	r->cr2 = vmx->cr2;
	r->cr4 = (vmcs_read(GUEST_CR4) & vmx->cr4_guest) |
		 (vmcs_read(CR4_READ_SHADOW) & ~vmx->cr4_guest);
}

/*
 * A machine check in a guest without CR4.MCE would be a shutdown of the CPU instead of the host's
 * machine check (SDM 3B 16.3.2.5): the host's bit stays set.
 */
static void flush_cr(struct vmx_vcpu *vmx, const struct x86_regs *r)
{
	u64 forced = vmx_caps.cr4_fixed | (cr4_read_shadow() & X86_CR4_MCE);

	vmcs_write(GUEST_CR0, (r->cr0 & ~CR0_HIDDEN) | vmx_caps.cr0_fixed);
	vmcs_write(CR0_READ_SHADOW, r->cr0);
	vmcs_write(CR0_GUEST_HOST_MASK, ~CR0_GUEST);
	vmcs_write(GUEST_CR4, r->cr4 | forced);
	vmcs_write(CR4_READ_SHADOW, r->cr4);
	vmcs_write(CR4_GUEST_HOST_MASK, ~vmx->cr4_guest);
	vmx->cr2 = r->cr2;
}

static void flush_pdptes(const struct x86_regs *r)
{
	vmcs_write(GUEST_PDPTR0, r->pdpte[0]);
	vmcs_write(GUEST_PDPTR1, r->pdpte[1]);
	vmcs_write(GUEST_PDPTR2, r->pdpte[2]);
	vmcs_write(GUEST_PDPTR3, r->pdpte[3]);
}

static void fetch_pdptes(struct x86_regs *r)
{
	r->pdpte[0] = vmcs_read(GUEST_PDPTR0);
	r->pdpte[1] = vmcs_read(GUEST_PDPTR1);
	r->pdpte[2] = vmcs_read(GUEST_PDPTR2);
	r->pdpte[3] = vmcs_read(GUEST_PDPTR3);
}

static void flush_efer(struct vmx_vcpu *vmx, u64 efer)
{
	u32 entry = vmx->ctl[VC_ENTRY] & ~VM_ENTRY_IA32E_MODE;

	vmcs_write(GUEST_IA32_EFER, efer);
	vmx_set_ctl(vmx, VC_ENTRY, entry | (efer & EFER_LMA ? VM_ENTRY_IA32E_MODE : 0));
}

static void fetch_dt(struct x86_regs *r)
{
	r->gdt.base = vmcs_read(GUEST_GDTR_BASE);
	r->gdt.limit = vmcs_read32(GUEST_GDTR_LIMIT);
	r->idt.base = vmcs_read(GUEST_IDTR_BASE);
	r->idt.limit = vmcs_read32(GUEST_IDTR_LIMIT);
}

static void flush_dt(const struct x86_regs *r)
{
	vmcs_write(GUEST_GDTR_BASE, r->gdt.base);
	vmcs_write(GUEST_GDTR_LIMIT, r->gdt.limit);
	vmcs_write(GUEST_IDTR_BASE, r->idt.base);
	vmcs_write(GUEST_IDTR_LIMIT, r->idt.limit);
}

/* STAR, LSTAR, CSTAR and SFMASK: writes exit, so regs has them at all times. */
static void fetch_syscall(struct vmx_vcpu *vmx, struct x86_regs *r)
{
	r->sysenter_cs = vmcs_read32(GUEST_SYSENTER_CS);
	r->sysenter_esp = vmcs_read(GUEST_SYSENTER_ESP);
	r->sysenter_eip = vmcs_read(GUEST_SYSENTER_EIP);
	r->kernel_gs_base = vmx_kernel_gs_base(vmx);
}

static void flush_syscall(struct vmx_vcpu *vmx, const struct x86_regs *r)
{
	vmcs_write(GUEST_SYSENTER_CS, (u32)r->sysenter_cs);
	vmcs_write(GUEST_SYSENTER_ESP, r->sysenter_esp);
	vmcs_write(GUEST_SYSENTER_EIP, r->sysenter_eip);
	vmx_set_kernel_gs_base(vmx, r->kernel_gs_base);
	vmx_set_syscall_msrs(vmx, r);
}

void vmx_fetch(struct x86_vcpu *vcpu, u32 groups)
{
	struct vmx_vcpu *vmx = to_vmx(vcpu);
	struct x86_regs *r = &vcpu->regs;

	if (groups & ST_RFLAGS)
		r->rflags = vmcs_read(GUEST_RFLAGS);
	if (groups & ST_SHADOW)
		r->int_shadow = fetch_shadow(vmx);
	if (groups & ST_SEG)
		vmx_fetch_segs(r);
	else if (groups & ST_CS)
		vmx_fetch_cs(r);
	if (likely(!(groups & ~(ST_RFLAGS | ST_SHADOW | ST_SEG | ST_CS))))
		return;
	if (groups & ST_RIP)
		r->rip = vmcs_read(GUEST_RIP);
	if (groups & ST_RSP)
		r->gpr[R_RSP] = vmcs_read(GUEST_RSP);
	if (groups & ST_CR)
		fetch_cr(vmx, r);
	if (groups & ST_CR3)
		r->cr3 = vmcs_read(GUEST_CR3);
	if (groups & ST_EFER)
		r->efer = vmcs_read(GUEST_IA32_EFER);
	if (groups & ST_DT)
		fetch_dt(r);
	if (groups & ST_SYSCALL)
		fetch_syscall(vmx, r);
	if (groups & ST_PDPTE)
		fetch_pdptes(r);
}

void vmx_flush(struct x86_vcpu *vcpu, u32 groups)
{
	struct vmx_vcpu *vmx = to_vmx(vcpu);
	const struct x86_regs *r = &vcpu->regs;

	if (groups & ST_RIP)
		vmcs_write(GUEST_RIP, r->rip);
	if (groups & ST_RSP)
		vmcs_write(GUEST_RSP, r->gpr[R_RSP]);
	if (groups & ST_RFLAGS)
		vmcs_write(GUEST_RFLAGS, r->rflags);
	if (groups & (ST_SHADOW | ST_RFLAGS))
		flush_shadow(vmx);
	/* Halted without an exit: who is given another place to go on at, or flags, is awake. */
	if (unlikely(vcpu_vm(vcpu)->disabled_exits & KVM_X86_DISABLE_EXITS_HLT) &&
	    groups & (ST_RIP | ST_RFLAGS))
		vmcs_write(GUEST_ACTIVITY_STATE, GUEST_ACTIVITY_ACTIVE);
	if (likely(!(groups & ~(ST_RIP | ST_RSP | ST_RFLAGS | ST_SHADOW))))
		return;
	if (groups & ST_CR)
		flush_cr(vmx, r);
	if (groups & ST_CR3)
		vmcs_write(GUEST_CR3, r->cr3);
	if (groups & ST_EFER)
		flush_efer(vmx, r->efer);
	if (groups & ST_SEG)
		vmx_flush_segs(r);
	if (groups & ST_DT)
		flush_dt(r);
	if (groups & ST_SYSCALL)
		flush_syscall(vmx, r);
	if (groups & ST_PDPTE)
		flush_pdptes(r);
}
