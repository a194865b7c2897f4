// SPDX-License-Identifier: GPL-2.0-only
/* KVM_CHECK_EXTENSION: what the core answers; the architecture knows the rest. */
#include <linux/cpumask.h>
#include <linux/minmax.h>
#include <keel/arch.h>
#include <keel/dirty_ring.h>
#include <keel/vm.h>
#include <uapi/keel/keel.h>

long keel_check_extension(struct vm *vm, long cap)
{
	switch (cap) {
	case KVM_CAP_USER_MEMORY:
	case KVM_CAP_USER_MEMORY2:
	case KVM_CAP_DESTROY_MEMORY_REGION_WORKS:
	case KVM_CAP_JOIN_MEMORY_REGIONS_WORKS:
	case KVM_CAP_READONLY_MEM:
	case KVM_CAP_SYNC_MMU:
	case KVM_CAP_INTERNAL_ERROR_DATA:
	case KVM_CAP_IMMEDIATE_EXIT:
	case KVM_CAP_SIGNAL_MSI:
	case KVM_CAP_IRQFD:
	case KVM_CAP_IRQFD_RESAMPLE:
	case KVM_CAP_IOEVENTFD:
	case KVM_CAP_IOEVENTFD_NO_LENGTH:
	case KVM_CAP_IOEVENTFD_ANY_LENGTH:
	case KVM_CAP_COALESCED_PIO:
	case KVM_CAP_CHECK_EXTENSION_VM:
	case KVM_CAP_ENABLE_CAP:
	case KVM_CAP_ENABLE_CAP_VM:
	case KVM_CAP_HALT_POLL:
	case KVM_CAP_BINARY_STATS_FD:
	case KVM_CAP_DIRTY_LOG_RING_WITH_BITMAP:
		return 1;
	case KVM_CAP_COALESCED_MMIO:
		return KVM_COALESCED_MMIO_PAGE_OFFSET;
	case KVM_CAP_NR_MEMSLOTS:
		return KEEL_MAX_SLOTS;
	case KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2:
		return KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE | KVM_DIRTY_LOG_INITIALLY_SET;
	case KVM_CAP_DIRTY_LOG_RING:
	case KVM_CAP_DIRTY_LOG_RING_ACQ_REL:
		return KEEL_DIRTY_RING_MAX_BYTES;
	case KVM_CAP_IRQ_ROUTING:
		return KEEL_MAX_GSIS;
	case KVM_CAP_NR_VCPUS:
		return min_t(long, num_online_cpus(), KEEL_MAX_VCPUS);
	case KVM_CAP_MAX_VCPUS:
		return KEEL_MAX_VCPUS;
	case KVM_CAP_MAX_VCPU_ID:
		return vm ? vm->max_vcpu_id : KEEL_MAX_VCPU_ID;
	case KEEL_CAP_PRESENT:
		return KEEL_ABI_VERSION;
	default:
		return arch_check_extension(vm, cap);
	}
}
