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
	REQ_UNBLOCK	= 1,	/* leave halt, look again */
	REQ_VM_DEAD	= 2,	/* KVM_RUN returns -EIO */
	REQ_DIRTY_RING_FULL = 3,
	REQ_ARCH_BASE	= 16,
};

void vcpu_request(struct vcpu *vcpu, unsigned int req);
bool vcpu_take_request(struct vcpu *vcpu, unsigned int req);

/*
 * vcpu_kick - make a vCPU in guest mode exit, or a halted one wake up. Any
 * context, interrupts on or off. No effect on one that is in userspace.
 */
void vcpu_kick(struct vcpu *vcpu);
void vcpu_wake(struct vcpu *vcpu);

/*
 * vm_request_all - set @req on every vCPU and kick those in guest mode. With
 * @wait it returns only when each vCPU that was in guest mode has left it (it
 * then handles @req before it enters again). @wait needs interrupts on.
 * Returns true if at least one vCPU had to be interrupted.
 */
bool vm_request_all(struct vm *vm, unsigned int req, bool wait);

#endif
