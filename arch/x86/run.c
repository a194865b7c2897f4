// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM_RUN: requests, events, guest entry, exit, until a verdict says that userspace
 * is wanted. See Documentation/architecture.rst for the way of an exit.
 */
#include <linux/sched/signal.h>
#include <linux/uaccess.h>
#include <asm/fpu/api.h>
#include "virt/compat/compat.h"
#include "virt/compat/compat_x86.h"
#include "virt/compat/guest_context.h"
#include "virt/compat/virt_ownership.h"
#include <keel/hw_enable.h>
#include "arch/x86/x86.h"
#include "arch/x86/state.h"
#include "arch/x86/trace.h"

/* A pending #DF on top of #DF: the machine shuts down (SDM 3 6.15, "triple fault"). */
static verdict_t triple_fault(struct x86_vcpu *vcpu)
{
	vcpu->ev.triple_fault = false;
	return keel_exit_shutdown(vcpu);
}

static verdict_t handle_requests(struct x86_vcpu *vcpu)
{
	struct vcpu *v = &vcpu->v;

	if (vcpu_take_request(v, REQ_VM_DEAD))
		return -EIO;
	if (unlikely(vcpu_test_request(v, REQ_DIRTY_RING_FULL))) {
		/* The request stays until userspace has made room. */
		if (dirty_ring_soft_full(v)) {
			v->run->exit_reason = KVM_EXIT_DIRTY_RING_FULL;
			return VERDICT_USER;
		}
		vcpu_take_request(v, REQ_DIRTY_RING_FULL);
	}
	/* The stage-2 root before the flush: a new root needs one anyway. */
	if (vcpu_take_request(v, REQ_MMU_ROOT)) {
		int ret = mmu_load_root(vcpu);

		if (ret) {
			vcpu_request(v, REQ_MMU_ROOT);
			return ret;
		}
	}
	if (vcpu_take_request(v, REQ_TLB_FLUSH)) {
		v->stats.tlb_flush++;
		vendor_call(flush_tlb)(vcpu);
	}
	if (vcpu_take_request(v, REQ_MASTERCLOCK_UPDATE))
		pvclock_master_update(vcpu_vm(vcpu));
	if (vcpu_take_request(v, REQ_CLOCK_UPDATE))
		pvclock_update(vcpu);
	if (vcpu_take_request(v, REQ_STEAL_UPDATE))
		pvclock_steal_update(vcpu);
	if (vcpu_take_request(v, REQ_NMI))
		event_collect_nmis(vcpu);
	if (vcpu_take_request(v, REQ_INTERCEPTS))
		vendor_call(update_intercepts)(vcpu);
	if (vcpu_take_request(v, REQ_MSR_FILTER))
		vendor_call(update_intercepts)(vcpu);
	if (vcpu_take_request(v, REQ_EVENT))
		vcpu->ev.check = true;
	vcpu_take_request(v, REQ_LOG_SYNC);
	return irqchip_handle_requests(vcpu);
}

/* Outside noinstr nothing may come between the context switch and the entry. */
static noinstr void enter_guest_noinstr(struct x86_vcpu *vcpu)
{
	keel_guest_enter_irqoff();
	vendor_call(enter)(vcpu);
	keel_guest_exit_irqoff();
}

static void run_once(struct x86_vcpu *vcpu)
{
	u32 dirty = vcpu->dirty, known = vcpu->known;

	if (dirty) {
		vcpu->dirty = 0;
		vendor_call(flush)(vcpu, dirty);
	}
	vendor_call(prepare)(vcpu);
	flush_proof_enter(vcpu);
	enter_guest_noinstr(vcpu);
	vcpu->known = 0;
	vcpu->exit.next_rip = 0;
	vcpu->exit.insn_len = 0;
	vcpu->exit.event_cut_short = false;
	vendor_call(exited)(vcpu);
	flush_proof_exit(vcpu);
	/* A refused entry has changed nothing; what the vendor's block holds now is not to be trusted. */
	if (unlikely(vcpu->exit.entry_failed)) {
		vcpu->known |= known;
		vcpu->dirty |= known;
	}
}

static void trace_exit(struct x86_vcpu *vcpu)
{
	u64 reason, info1, info2;
	u32 intr, err;

	vendor_call(exit_info)(vcpu, &reason, &info1, &info2, &intr, &err);
	trace_kvm_exit(vcpu->v.id, keel_vendor.caps.trace_isa, reason, vcpu->regs.rip, info1,
		       info2, intr, err);
}

/* Interrupts off. True when the handler with interrupts on has nothing left to do. */
static bool run_guest(struct x86_vcpu *vcpu)
{
	bool finished;

	for (;;) {
		trace_kvm_entry(vcpu->v.id, vcpu->regs.rip, false);
		run_once(vcpu);
		vcpu->v.stats.exits++;
		if (trace_kvm_exit_enabled())
			trace_exit(vcpu);
		finished = vendor_call(fast_exit)(vcpu);
		if (!finished || vcpu->ev.check || vcpu_has_requests(&vcpu->v) ||
		    keel_xfer_work_pending())
			return finished;
	}
}

/* The mode store is ordered before the last look at requests; see vcpu.h. */
static bool may_enter(struct x86_vcpu *vcpu)
{
	/* Pairs with the barrier between request and mode in vcpu_kick(). */
	smp_store_mb(vcpu->v.mode, VCPU_IN_GUEST);
	keel_xfer_prepare();
	return !vcpu_has_requests(&vcpu->v) && !keel_xfer_work_pending();
}

/* The guest may have ended its interrupt in memory: before anything looks at the APIC. */
static void sync_pv_eoi(struct x86_vcpu *vcpu)
{
	if (unlikely(vcpu->apic.pv_eoi_armed))
		__irqchip_pv_eoi_sync(vcpu);
}

static verdict_t enter_guest(struct x86_vcpu *vcpu)
{
	bool finished;

	if (unlikely(vcpu_has_requests(&vcpu->v))) {
		verdict_t v = handle_requests(vcpu);

		if (v != VERDICT_RESUME)
			return v;
	}
	if (unlikely(vcpu->apic.vapic_addr))
		irqchip_vapic_read(vcpu);
	if (vcpu->ev.check) {
		if (unlikely(vcpu->ev.triple_fault))
			return triple_fault(vcpu);
		event_inject(vcpu);
	}
	debug_prepare_entry(vcpu);

	preempt_disable();
	local_irq_disable();
	if (unlikely(!hw_this_cpu_on())) {
		local_irq_enable();
		preempt_enable();
		sync_pv_eoi(vcpu);
		return -EIO;
	}
	if (unlikely(!may_enter(vcpu))) {
		WRITE_ONCE(vcpu->v.mode, VCPU_OUTSIDE);
		local_irq_enable();
		preempt_enable();
		sync_pv_eoi(vcpu);
		/* What was given to the vendor is decided anew with what came in. */
		vcpu->ev.check = true;
		return VERDICT_RESUME;
	}

	xstate_load_guest(vcpu);
	debug_load_guest(vcpu);
	keel_guest_timing_enter_irqoff();

	finished = run_guest(vcpu);

	WRITE_ONCE(vcpu->v.mode, VCPU_OUTSIDE);
	debug_put_guest(vcpu);
	xstate_load_host(vcpu);
	keel_note_guest_ran();
	vendor_call(host_events)(vcpu);
	/* The interrupt that ended the guest is taken here, still on the guest's time. */
	keel_take_interrupts();
	keel_guest_timing_exit_irqoff();
	local_irq_enable();
	preempt_enable();
	sync_pv_eoi(vcpu);

	return finished ? VERDICT_RESUME : vendor_call(handle_exit)(vcpu);
}

/* Not runnable: halted, or an AP that waits for INIT and SIPI. */
static verdict_t wait_to_run(struct x86_vcpu *vcpu)
{
	/* Here, since not only HLT leads here: userspace may have set HALTED, and RFLAGS after that. */
	WRITE_ONCE(vcpu->ev.halt_if, st_read(vcpu, ST_RFLAGS)->rflags & X86_EFLAGS_IF);
	if (vcpu->apic.countdown_tsc)
		__irqchip_timer_to_host(vcpu);
	vcpu_halt(&vcpu->v);
	if (vcpu_test_request(&vcpu->v, REQ_VM_DEAD))
		return -EIO;
	if (irqchip_accept_init_sipi(vcpu) < 0)
		return -EINTR;
	/* Requests that wake (clock, TLB) are handled when the vCPU runs again. */
	if (vcpu->mp_state == KVM_MP_STATE_HALTED && event_pending(vcpu)) {
		vcpu->mp_state = KVM_MP_STATE_RUNNABLE;
		vcpu->ev.check = true;
	}
	return VERDICT_RESUME;
}

static bool wants_to_run(struct x86_vcpu *vcpu)
{
	return likely(vcpu->mp_state == KVM_MP_STATE_RUNNABLE) &&
	       !vcpu_test_request(&vcpu->v, REQ_APIC_INIT_SIPI);
}

static long signal_exit(struct x86_vcpu *vcpu)
{
	vcpu->v.run->exit_reason = KVM_EXIT_INTR;
	vcpu->v.stats.signal_exits++;
	return -EINTR;
}

/* The machine is about to stop: no fault of this VM that its VMM should report, and nothing to go round for. */
static long wait_for_reboot(struct x86_vcpu *vcpu)
{
	schedule_timeout_interruptible(HZ);
	return signal_exit(vcpu);
}

static long run_loop(struct x86_vcpu *vcpu)
{
	verdict_t v;

	for (;;) {
		v = wants_to_run(vcpu) ? enter_guest(vcpu) : wait_to_run(vcpu);
		if (unlikely(v == -EIO && keel_virt_is_rebooting()))
			return wait_for_reboot(vcpu);
		if (v != VERDICT_RESUME)
			return v;
		if (event_user_window_open(vcpu)) {
			vcpu->v.run->exit_reason = KVM_EXIT_IRQ_WINDOW_OPEN;
			vcpu->v.stats.request_irq_exits++;
			return VERDICT_USER;
		}
		/*
		 * Nothing that is saved after a signal knows that this exit is owed: it comes first. A vCPU that
		 * sleeps, after an INIT that came in between, takes no request.
		 */
		if (unlikely(vcpu_test_request(&vcpu->v, REQ_IOAPIC_EOI_EXIT)) && wants_to_run(vcpu))
			continue;
		if (keel_xfer_work_pending() && keel_xfer_handle_work())
			return signal_exit(vcpu);
	}
}

/* What userspace reads after every return, -EINTR included (ABI of struct kvm_run). */
static void fill_run(struct x86_vcpu *vcpu)
{
	struct kvm_run *run = vcpu->v.run;

	run->if_flag = !!(st_read(vcpu, ST_RFLAGS)->rflags & X86_EFLAGS_IF);
	run->cr8 = keel_get_cr8(vcpu);
	run->apic_base = irqchip_apic_base(vcpu);
	run->ready_for_interrupt_injection = irqchip_ready_for_user_irq(vcpu);
	run->flags = 0;
}

/* An AP before INIT and SIPI: sleep, and let userspace look at it once afterwards. */
static long run_uninitialized(struct x86_vcpu *vcpu)
{
	vcpu_halt(&vcpu->v);
	if (irqchip_accept_init_sipi(vcpu) < 0)
		return -EINTR;
	if (signal_pending(current))
		return signal_exit(vcpu);
	return -EAGAIN;
}

static long run_prepared(struct x86_vcpu *vcpu)
{
	struct kvm_run *run = vcpu->v.run;
	verdict_t v;

	if (unlikely(vcpu->mp_state == KVM_MP_STATE_UNINITIALIZED)) {
		if (READ_ONCE(run->immediate_exit))
			return -EINTR;
		return run_uninitialized(vcpu);
	}
	if (unlikely(run->kvm_valid_regs || run->kvm_dirty_regs)) {
		long ret = sync_regs_load(vcpu);

		if (ret)
			return ret;
	}
	if (!irqchip_lapic_in_kernel(vcpu_vm(vcpu)) && keel_set_cr8(vcpu, run->cr8))
		return -EINVAL;

	/* Pending I/O is completed before immediate_exit and signals are looked at. */
	if (vcpu->complete) {
		verdict_t (*complete)(struct x86_vcpu *) = vcpu->complete;

		vcpu->complete = NULL;
		v = complete(vcpu);
		if (v != VERDICT_RESUME)
			return v;
	}
	/* What the VMM saw last stays in kvm_run: it may look at that exit once more. */
	if (READ_ONCE(run->immediate_exit))
		return -EINTR;
	run->exit_reason = KVM_EXIT_UNKNOWN;
	vcpu->cpuid.ran = true;
	/* kvm_run is userspace's: the window may have become wanted since the last run. */
	if (unlikely(event_user_wants_window(vcpu)) && !vcpu->ev.irq_window)
		vcpu->ev.check = true;
	return run_loop(vcpu);
}

long arch_vcpu_run(struct vcpu *v)
{
	struct x86_vcpu *vcpu = to_x86(v);
	long ret;

	/*
	 * What the caller blocks ends the guest, and no more: real_blocked keeps whoever sends it from taking the
	 * default action at once, which may be the end of the process or nothing at all.
	 */
	if (v->sigset_active)
		sigprocmask(SIG_SETMASK, &v->sigset, &current->real_blocked);

	fpu_load_guest(vcpu);
	ret = run_prepared(vcpu);
	fpu_put_guest(vcpu);
	fill_run(vcpu);
	if (unlikely(v->run->kvm_valid_regs))
		sync_regs_store(vcpu);

	if (v->sigset_active) {
		sigprocmask(SIG_SETMASK, &current->real_blocked, NULL);
		sigemptyset(&current->real_blocked);
	}
	return ret == VERDICT_USER ? 0 : ret;
}

bool arch_vcpu_runnable(struct vcpu *v)
{
	struct x86_vcpu *vcpu = to_x86(v);

	if (vcpu_test_request(v, REQ_VM_DEAD) || vcpu_test_request(v, REQ_APIC_INIT_SIPI))
		return true;
	switch (READ_ONCE(vcpu->mp_state)) {
	case KVM_MP_STATE_RUNNABLE:
		return true;
	case KVM_MP_STATE_HALTED:
		return event_pending(vcpu);
	default:
		return false;
	}
}

bool arch_vcpu_in_kernel(struct vcpu *v)
{
	return READ_ONCE(to_x86(v)->preempted_in_kernel);
}

bool arch_vcpu_may_poll(struct vcpu *v)
{
	return READ_ONCE(to_x86(v)->mp_state) == KVM_MP_STATE_HALTED;
}

unsigned int arch_vcpu_as(const struct vcpu *v)
{
	return 0;
}
