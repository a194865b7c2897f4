/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Requests to a vCPU: a bit set by anyone, handled by the vCPU's own thread
 * before the next guest entry. A request that must reach a vCPU that runs
 * guest code is followed by vcpu_kick().
 */
#ifndef KEEL_REQUEST_H
#define KEEL_REQUEST_H

#include <linux/bitops.h>
#include <linux/types.h>

struct vm;
struct vcpu;

/* Bits 0-15 belong to virt/, 16-63 to the architecture (arch/x86/x86.h). */
enum {
	REQ_TLB_FLUSH	= 0,	/* drop this vCPU's stage-2 translations */
	REQ_VM_DEAD	= 1,	/* KVM_RUN returns -EIO */
	REQ_DIRTY_RING_FULL = 2,
	REQ_ARCH_BASE	= 16,
};

/*
 * vcpu_request - set a request. A full barrier follows, so that a kick after it cannot read the
 * vCPU's mode too early. Any context. To be taken with vcpu_take_request() (vcpu.h).
 */
void vcpu_request(struct vcpu *vcpu, unsigned int req);

/*
 * vcpu_kick - make a vCPU in guest mode exit, or a halted one wake up. Any
 * context but NMI, interrupts on or off. No effect on one that is in userspace.
 */
void vcpu_kick(struct vcpu *vcpu);
/* Only wake it if it is halted. True if it was. The same contexts. */
bool vcpu_wake(struct vcpu *vcpu);

/*
 * vm_request_all - set @req on every vCPU and interrupt those in guest mode; halted ones sleep on.
 * With @wait it returns only when each vCPU that was in guest mode has left it (it then handles
 * @req before it enters again); @wait needs interrupts on and task context, and works under
 * mmu_lock. Returns true if at least one vCPU had to be interrupted.
 */
bool vm_request_all(struct vm *vm, unsigned int req, bool wait);

int request_module_init(void);
void request_module_exit(void);

#endif
