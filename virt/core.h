/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files of the core tell each other and nobody else. */
#ifndef KEEL_VIRT_CORE_H
#define KEEL_VIRT_CORE_H

struct module;
struct ioctl_table;

/* /dev/kvm. -EBUSY if somebody else has it. */
int dev_module_init(void);
void dev_module_exit(void);

/* vendor_get - a reference to the registered vendor's module, to be module_put(), or NULL. */
struct module *vendor_get(void);

extern const struct ioctl_table device_ioctls;	/* CREATE_DEVICE */

#endif
