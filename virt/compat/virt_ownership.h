/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Who owns the virtualisation extension of a CPU: EFER.SVME, or CR4.VMXE and VMX operation. Taken
 * and given back per CPU; taken away by force when the machine crashes or reboots, for an INIT
 * or a kexec'd kernel would not survive a CPU in VMX operation or with GIF clear.
 *
 * From 7.1 on the kernel itself owns them and lends them out; before, they are set here.
 */
#ifndef KEEL_VIRT_OWNERSHIP_H
#define KEEL_VIRT_OWNERSHIP_H

#include <linux/types.h>
#include "virt/compat/autoconf.h"

enum keel_virt_ext {
	KEEL_VIRT_SVM,
	KEEL_VIRT_VMX,
};

/*
 * keel_virt_claim - say which extension this machine's vendor module uses, before the first
 * keel_virt_cpu_get(). One claim at a time. @emergency (may be NULL) is called on each CPU, from
 * NMI context too, before the extension is taken away from it: it may only touch the CPU (VT-x:
 * VMCLEAR what is loaded). May sleep. 0, -EBUSY, -ENOMEM.
 */
int keel_virt_claim(enum keel_virt_ext ext, void (*emergency)(void));
/* Undo; no CPU holds the extension any more. May sleep. */
void keel_virt_release(void);

/*
 * Take the extension on this CPU; interrupts off. 0; -EBUSY: it is in use by somebody else;
 * -EIO: the CPU refuses. The caller sets VM_HSAVE_PA afterwards.
 */
int keel_virt_cpu_get(void);
/* Give it back; interrupts off. Harmless when it was taken away already. */
void keel_virt_cpu_put(void);

/* Has somebody (another hypervisor) the extension on this CPU? Asked before it is claimed. */
bool keel_virt_cpu_in_use(enum keel_virt_ext ext);

/*
 * True once the extension is being taken away for good: an entry that faults with #UD is then
 * expected and is to be ended quietly. The machine does not come back from it.
 */
bool keel_virt_is_rebooting(void);
/* Called before the extension is taken from running vCPUs at shutdown. */
void keel_virt_set_rebooting(void);

/* The flag itself, for exception fixups in assembly: a byte, not 0 when rebooting. */
#ifdef HAVE_X86_VIRT_REF
#define KEEL_VIRT_REBOOTING	virt_rebooting
#else
#define KEEL_VIRT_REBOOTING	keel_virt_rebooting
extern bool keel_virt_rebooting;
#endif

#endif
