/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The kernel's access to guest memory, always through the slots. All take
 * vm->srcu themselves, may sleep, may cross pages and slots, mark what they
 * write as dirty, and return 0; -ENXIO: no slot, or a read-only one for a write,
 * so the access is MMIO; -EFAULT: the VMM's mapping refuses. A failing copy may have done a part.
 */
#ifndef KEEL_GUEST_MEM_H
#define KEEL_GUEST_MEM_H

#include <keel/types.h>

struct vm;
struct vcpu;

int vm_read_guest(struct vm *vm, unsigned int as, gpa_t gpa, void *buf, size_t len);
int vm_write_guest(struct vm *vm, unsigned int as, gpa_t gpa, const void *buf, size_t len);

/* In the vCPU's current address space. */
int vcpu_read_guest(struct vcpu *vcpu, gpa_t gpa, void *buf, size_t len);
int vcpu_write_guest(struct vcpu *vcpu, gpa_t gpa, const void *buf, size_t len);

/* Inside one page, without sleeping (page faults disabled): -EFAULT if it is not present now. */
int vcpu_read_guest_atomic(struct vcpu *vcpu, gpa_t gpa, void *buf, size_t len);

/*
 * Compare and exchange of @size 1, 2, 4, 8 or 16 bytes, within a cache line, 16 of them aligned. Returns 0
 * when exchanged, 1 when *@old differed (*@old is updated), -ENXIO or -EFAULT as above.
 */
int vcpu_cmpxchg_guest(struct vcpu *vcpu, gpa_t gpa, unsigned int size, void *old, const void *new);

/* Where the VMM has @gpa, or INVALID_HVA: no slot, or read-only and @write. Inside vm->srcu. */
hva_t vcpu_gpa_to_hva(struct vcpu *vcpu, gpa_t gpa, bool write);

/* True if @gpa lies in a slot: otherwise an access to it is MMIO. */
bool vcpu_gpa_is_ram(struct vcpu *vcpu, gpa_t gpa, bool write);

#endif
