// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM_CREATE_DEVICE. No kind of device is offered yet, so every type is
 * unknown and KVM_CAP_DEVICE_CTRL says 0; the interrupt controllers have
 * ioctls of their own on x86.
 */
#include <keel/ioctl.h>
#include <keel/vm.h>
#include "virt/core.h"

static long create_device(struct ioctl_ctx *c)
{
	return -ENODEV;
}

static const struct ioctl_row device_ioctls_rows[] = {
	{ KVM_CREATE_DEVICE, 0, create_device },
};
IOCTL_TABLE(device_ioctls);
