// SPDX-License-Identifier: GPL-2.0-only
/* The work that is done before a task enters a guest. */
#include "virt/compat/compat.h"
#include "virt/compat/guest_context.h"

#ifdef HAVE_ENTRY_VIRT

int keel_xfer_handle_work(void)
{
	return xfer_to_guest_mode_handle_work();
}

#else

/*
 * These kernels' xfer_to_guest_mode_handle_work() reports a signal in the object that it is
 * given: it sets vcpu->run->exit_reason and counts in vcpu->stat, by the layout of their own
 * struct kvm_vcpu, which is not ours and not for us to know. The task work behind it cannot be
 * reached in another way. So signals are looked at first, here, and for one that arrives during
 * the call there is an object that bears those writes whatever the layout: every word of it is
 * the address of decoy_run, so "run" is found at any offset, and the counter hits some word that
 * nobody reads as a pointer. The kernel's object has about 10 KB.
 */
#define DECOY_WORDS	4096

static u64 decoy_run[64];
static u64 *decoy_vcpu[DECOY_WORDS] = { [0 ... DECOY_WORDS - 1] = decoy_run };

int keel_xfer_handle_work(void)
{
	if (signal_pending(current))
		return -EINTR;
	if (need_resched())
		schedule();
	if (!test_thread_flag(TIF_NOTIFY_RESUME))
		return signal_pending(current) ? -EINTR : 0;
	return xfer_to_guest_mode_handle_work((struct kvm_vcpu *)decoy_vcpu);
}

#endif
