// SPDX-License-Identifier: GPL-2.0-only
/* Lifetimes of the x86 VM and vCPU, per-CPU enabling, and the architectural reset. */
#include <linux/module.h>
#include <linux/percpu.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <asm/processor-flags.h>
#include "virt/compat/compat.h"
#include "virt/compat/compat_x86.h"
#include "arch/x86/x86.h"
#include "arch/x86/state.h"
#include "arch/x86/trace.h"

bool arch_state_needs_load __read_mostly;

/* The vCPU that was loaded last on each CPU. */
static DEFINE_PER_CPU(struct x86_vcpu *, last_vcpu);

/* ---- module and vendor ---- */

int arch_module_init(void)
{
	int ret;

	xstate_module_init();
	tsc_module_init();
	ret = pvclock_module_init();
	if (ret)
		return ret;
	return 0;
}

void arch_module_exit(void)
{
	pvclock_module_exit();
}

/* Objects of the vendor's size: kmalloc() would round them up, and clear what it adds. */
static struct kmem_cache *vm_cache, *vcpu_cache;

/* Open to copies from and to userspace, as kmalloc()'s are. */
static struct kmem_cache *make_cache(const char *name, size_t size)
{
	return kmem_cache_create_usercopy(name, size, SMP_CACHE_BYTES, SLAB_ACCOUNT, 0, size,
					  NULL);
}

/* The vendor's capabilities are known: derive what the generic side may offer. */
int x86_vendor_setup(void)
{
	int ret = mmu_module_init();

	if (ret)
		return ret;
	vm_cache = make_cache("keel_vm", keel_vendor.vm_size);
	vcpu_cache = make_cache("keel_vcpu", keel_vendor.vcpu_size);
	if (!vm_cache || !vcpu_cache) {
		x86_vendor_teardown();
		return -ENOMEM;
	}
	cpuid_module_init();
	msr_module_init();
	arch_state_needs_load = !keel_vendor.caps.state_in_memory;
	return 0;
}

void x86_vendor_teardown(void)
{
	kmem_cache_destroy(vm_cache);
	kmem_cache_destroy(vcpu_cache);
	vm_cache = NULL;
	vcpu_cache = NULL;
}

int arch_cpu_enable(void)
{
	int ret = vendor_call(cpu_enable)();

	if (!ret)
		tsc_cpu_enabled();
	return ret;
}

void arch_cpu_disable(void)
{
	tsc_cpu_disabled();
	vendor_call(cpu_disable)();
}

/* ---- VMs ---- */

struct vm *arch_vm_alloc(void)
{
	struct x86_vm *vm = kmem_cache_zalloc(vm_cache, GFP_KERNEL_ACCOUNT);

	return vm ? &vm->vm : NULL;
}

void arch_vm_free(struct vm *vm)
{
	kmem_cache_free(vm_cache, to_x86_vm(vm));
}

int arch_vm_init(struct vm *v, unsigned long type)
{
	struct x86_vm *vm = to_x86_vm(v);
	int ret;

	if (type != KVM_X86_DEFAULT_VM)
		return -EINVAL;
	ret = mmu_vm_init(vm);
	if (ret)
		return ret;
	tsc_vm_init(vm);
	pvclock_vm_init(vm);
	irqchip_vm_init(vm);
	ret = vendor_call(vm_init)(vm);
	if (ret) {
		irqchip_vm_pre_destroy(vm);
		irqchip_vm_destroy(vm);
		pvclock_vm_destroy(vm);
		mmu_vm_destroy(vm);
	}
	return ret;
}

void arch_vm_pre_destroy(struct vm *v)
{
	struct x86_vm *vm = to_x86_vm(v);

	irqchip_vm_pre_destroy(vm);
	pvclock_vm_destroy(vm);
	mmu_vm_pre_destroy(vm);
}

void arch_vm_destroy(struct vm *v)
{
	struct x86_vm *vm = to_x86_vm(v);

	vendor_call(vm_destroy)(vm);
	irqchip_vm_destroy(vm);
	msr_filter_destroy(vm);
	mmu_vm_destroy(vm);
}

/* ---- vCPUs ---- */

struct vcpu *arch_vcpu_alloc(struct vm *vm)
{
	struct x86_vcpu *vcpu = kmem_cache_zalloc(vcpu_cache, GFP_KERNEL_ACCOUNT);

	return vcpu ? &vcpu->v : NULL;
}

void arch_vcpu_free(struct vcpu *v)
{
	kmem_cache_free(vcpu_cache, to_x86(v));
}

int arch_vcpu_precreate(struct vm *vm, unsigned int id)
{
	return 0;
}

int arch_vcpu_init(struct vcpu *v)
{
	struct x86_vcpu *vcpu = to_x86(v);
	int ret;

	cpuid_init(vcpu);
	ret = fpu_vcpu_init(vcpu);
	if (ret)
		goto no_fpu;
	ret = msr_vcpu_init(vcpu);
	if (ret)
		goto no_msr;
	insn_notes_init(vcpu);
	ret = mmu_vcpu_init(vcpu);
	if (ret)
		goto no_mmu;
	ret = irqchip_vcpu_init(vcpu);
	if (ret)
		goto no_irqchip;
	tsc_vcpu_init(vcpu);
	ret = vendor_call(vcpu_init)(vcpu);
	if (ret)
		goto no_vendor;
	vcpu->emul.fault_gpa = INVALID_GPA;
	vcpu_request(v, REQ_MMU_ROOT);
	vcpu_request(v, REQ_INTERCEPTS);
	return 0;

no_vendor:
	irqchip_vcpu_destroy(vcpu);
no_irqchip:
	mmu_vcpu_destroy(vcpu);
no_mmu:
	msr_vcpu_destroy(vcpu);
no_msr:
	fpu_vcpu_free(vcpu);
no_fpu:
	cpuid_destroy(vcpu);
	return ret;
}

void arch_vcpu_postcreate(struct vcpu *v)
{
	struct x86_vcpu *vcpu = to_x86(v);

	vcpu_load(v);
	vcpu_reset(vcpu, false);
	tsc_vcpu_postcreate(vcpu);
	irqchip_vcpu_postcreate(vcpu);
	vcpu_put(v);
}

/* Another guest ran on this CPU: its branch predictions must not steer this one. */
static void separate_guests(struct x86_vcpu *vcpu)
{
	if (likely(this_cpu_read(last_vcpu) == vcpu))
		return;
	this_cpu_write(last_vcpu, vcpu);
	indirect_branch_prediction_barrier();
}

/* No CPU takes @vcpu for the one it ran last: the next may lie at its address. */
static void forget_last(struct x86_vcpu *vcpu)
{
	int cpu;

	for_each_possible_cpu(cpu)
		cmpxchg(per_cpu_ptr(&last_vcpu, cpu), vcpu, NULL);
}

void arch_vcpu_destroy(struct vcpu *v)
{
	struct x86_vcpu *vcpu = to_x86(v);

	vendor_call(vcpu_destroy)(vcpu);
	forget_last(vcpu);
	irqchip_vcpu_destroy(vcpu);
	emulate_vcpu_destroy(vcpu);
	mmu_vcpu_destroy(vcpu);
	msr_vcpu_destroy(vcpu);
	fpu_vcpu_free(vcpu);
	cpuid_destroy(vcpu);
}

void arch_vcpu_load(struct vcpu *v, int cpu)
{
	struct x86_vcpu *vcpu = to_x86(v);

	vendor_call(load)(vcpu, cpu);
	separate_guests(vcpu);
	/* Mostly it is the CPU of the last time, and nobody has anything to do. */
	if (unlikely(cpu != vcpu->tsc.last_cpu || tsc_suspend_shift() != vcpu->tsc.shift_seen))
		tsc_vcpu_load(vcpu, cpu);
	if (vcpu->clock.msr || vcpu->clock.steal_msr)
		pvclock_vcpu_load(vcpu, cpu);
	if (unlikely(cpu != vcpu->apic.timer_cpu))
		irqchip_vcpu_load(vcpu, cpu);
}

void arch_vcpu_put(struct vcpu *v)
{
	struct x86_vcpu *vcpu = to_x86(v);

	/* For directed yield; a scheduled-out vCPU's registers may lie in hardware of this CPU only. */
	if (v->preempted)
		WRITE_ONCE(vcpu->preempted_in_kernel, st_read(vcpu, ST_CS)->cpl == 0);
	tsc_vcpu_put(vcpu);
	vendor_call(put)(vcpu);
}

void arch_vcpu_sched_in(struct vcpu *v, int cpu)
{
}

bool arch_vcpu_has_pending_timer(struct vcpu *v)
{
	return false;
}

void arch_vcpu_blocking(struct vcpu *v)
{
}

void arch_vcpu_unblocking(struct vcpu *v)
{
}

/* ---- reset ---- */

static void set_seg(struct x86_seg *s, u16 selector, u64 base, u32 limit, u16 attr)
{
	*s = (struct x86_seg){ .base = base, .limit = limit, .selector = selector, .attr = attr };
}

/* EDX after reset: family, model, stepping. 0x600 while no CPUID was set. */
static u32 cpu_signature(struct x86_vcpu *vcpu)
{
	struct kvm_cpuid_entry2 *e = cpuid_find(vcpu, 1, 0);

	return e ? e->eax : 0x600;
}

/* SDM 3 table 9-1 and APM 2 table 14-1: the same registers, but for what INIT keeps. */
static void reset_regs(struct x86_vcpu *vcpu, bool init)
{
	struct x86_regs *r = st_overwrite(vcpu, ST_ALL);
	/* INIT keeps CD and NW (SDM 3 9.1.1); power-up sets them. */
	u64 cd_nw = init ? r->cr0 & (X86_CR0_CD | X86_CR0_NW) : X86_CR0_CD | X86_CR0_NW;
	int i;

	memset(r->gpr, 0, sizeof(r->gpr));
	r->gpr[R_RDX] = cpu_signature(vcpu);
	r->rip = 0xfff0;
	r->rflags = X86_EFLAGS_FIXED;
	r->cr0 = X86_CR0_ET | cd_nw;
	r->cr2 = 0;
	r->cr3 = 0;
	r->cr4 = 0;
	r->efer = 0;
	for (i = 0; i < NR_SEGS; i++)
		set_seg(&r->seg[i], 0, 0, 0xffff, SEG_P | SEG_S | 3);
	set_seg(&r->seg[S_CS], 0xf000, 0xffff0000, 0xffff, SEG_P | SEG_S | 0xb);
	set_seg(&r->seg[S_TR], 0, 0, 0xffff, SEG_P | 0xb);
	set_seg(&r->seg[S_LDTR], 0, 0, 0xffff, SEG_P | 2);
	r->gdt = (struct x86_dt){ .limit = 0xffff };
	r->idt = (struct x86_dt){ .limit = 0xffff };
	r->int_shadow = 0;
	r->cpl = 0;
	if (!init) {
		r->star = 0;
		r->lstar = 0;
		r->cstar = 0;
		r->sfmask = 0;
		r->kernel_gs_base = 0;
		r->sysenter_cs = 0;
		r->sysenter_esp = 0;
		r->sysenter_eip = 0;
	}
}

void vcpu_reset(struct x86_vcpu *vcpu, bool init)
{
	u64 old_cr0, old_cr4, old_efer;

	if (init)
		st_read(vcpu, ST_ALL);
	old_cr0 = vcpu->regs.cr0;
	old_cr4 = vcpu->regs.cr4;
	old_efer = vcpu->regs.efer;

	vcpu->complete = NULL;
	memset(&vcpu->ev.exc, 0, sizeof(vcpu->ev.exc));
	memset(&vcpu->ev.irq, 0, sizeof(vcpu->ev.irq));
	vcpu->ev.nmi.injected = false;
	vcpu->ev.nmi.pending = 0;
	atomic_set(&vcpu->ev.nmi.queued, 0);
	vcpu->ev.triple_fault = false;
	vcpu->ev.check = true;
	/* An event given to the hardware and not yet entered with goes too. */
	vcpu->ev.armed = true;

	irqchip_vcpu_reset(vcpu, init);
	pvclock_vcpu_reset(vcpu);
	debug_vcpu_reset(vcpu);
	msr_vcpu_reset(vcpu, init);
	fpu_vcpu_reset(vcpu, init);
	reset_regs(vcpu, init);
	vendor_call(vcpu_reset)(vcpu, init);
	vendor_call(set_nmi_masked)(vcpu, false);
	cr_state_changed(vcpu, old_cr0, old_cr4, old_efer);
	vendor_call(update_intercepts)(vcpu);
	/* INIT drops all translations (SDM 3 4.10.4.1). */
	vcpu_request(&vcpu->v, REQ_TLB_FLUSH);
}

/* SDM 3 8.4.3: the AP starts in real mode at the page that the vector names. */
void vcpu_deliver_sipi(struct x86_vcpu *vcpu, u8 vector)
{
	struct x86_regs *r = st_write(vcpu, ST_SEG | ST_RIP);

	r->seg[S_CS].selector = vector << 8;
	r->seg[S_CS].base = (u64)vector << 12;
	r->rip = 0;
}
