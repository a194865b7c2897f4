/* SPDX-License-Identifier: GPL-2.0-only */
/* Register state as userspace reads and writes it. Own thread or vcpu->mutex, vCPU loaded. */
#ifndef KEEL_X86_STATE_H
#define KEEL_X86_STATE_H

#include <linux/types.h>
#include <uapi/keel/kvm.h>

struct x86_vcpu;
struct ioctl_table;

void regs_get(struct x86_vcpu *vcpu, struct kvm_regs *r);
void regs_set(struct x86_vcpu *vcpu, const struct kvm_regs *r);
void sregs_get(struct x86_vcpu *vcpu, struct kvm_sregs *s);
/* 0, or -EINVAL with nothing changed. */
int sregs_set(struct x86_vcpu *vcpu, const struct kvm_sregs *s);

/*
 * KVM_CAP_SYNC_REGS. load: at the start of KVM_RUN, what kvm_dirty_regs names: 0 or -EINVAL for
 * unknown bits of either mask or a bad value. store: on every way out, what kvm_valid_regs named.
 */
int sync_regs_load(struct x86_vcpu *vcpu);
void sync_regs_store(struct x86_vcpu *vcpu);

/* Masks of KVM_X86_DISABLE_EXITS_* and KVM_X86_QUIRK_* that userspace may use. */
u32 x86_disable_exits_supported(void);
u32 x86_quirks_supported(void);

extern const struct ioctl_table state_vcpu_ioctls;

#endif
