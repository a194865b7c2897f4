/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The ioctl dispatcher: an ioctl is a row, and the row says what the
 * dispatcher does before it calls the handler.
 */
#ifndef KEEL_IOCTL_H
#define KEEL_IOCTL_H

#include <linux/types.h>
#include <linux/ioctl.h>

struct vm;
struct vcpu;
struct file;

/*
 * What a handler gets. @data is a kernel copy of the argument, _IOC_SIZE(cmd)
 * bytes: copied in for _IOC_WRITE, zeroed otherwise (but see IOC_FILLS), copied out after a
 * handler returned >= 0 for _IOC_READ. With IOC_RAW @data is NULL and the
 * handler uses @uarg (structures with a variable tail) or @arg (plain values).
 */
struct ioctl_ctx {
	struct vm	*vm;	/* NULL on the system fd */
	struct vcpu	*vcpu;	/* only on a vCPU fd */
	struct file	*filp;
	void		*data;
	unsigned long	arg;
	void __user	*uarg;
	unsigned int	cmd;
};

typedef long (*ioctl_fn)(struct ioctl_ctx *c);

/*
 * Order of what the dispatcher takes: vm->lock, vcpu->mutex, load, SRCU. It copies in before the
 * first and out after the last is given back.
 */
enum ioctl_flags {
	IOC_RAW		= 1 << 0,	/* no copying: the handler uses uarg/arg */
	IOC_NOARG	= 1 << 1,	/* implies RAW; -EINVAL unless arg == 0 */
	IOC_VM_LOCK	= 1 << 2,	/* vm->lock held around the handler */
	IOC_VCPU	= 1 << 3,	/* vcpu->mutex held (killable: -EINTR) and the vCPU loaded */
	IOC_VCPU_NOLOAD	= 1 << 4,	/* vcpu->mutex held, state not loaded */
	IOC_SRCU	= 1 << 5,	/* inside an SRCU reader of vm->srcu */
	IOC_OUT_ON_E2BIG = 1 << 6,	/* copy the result out on -E2BIG too (counts) */
	IOC_INPUT	= 1 << 7,	/* the argument is input only, whatever the direction in cmd says */
	IOC_FILLS	= 1 << 8,	/* the handler writes all of an output: not zeroed before */
	IOC_VCPU_STATE	= 1 << 9,	/* as IOC_VCPU, loaded only if registers need that */
};

struct ioctl_row {
	unsigned int	cmd;
	unsigned int	flags;
	ioctl_fn	fn;
};

/* A set of rows of one concept. Tables are static and const. */
struct ioctl_table {
	const struct ioctl_row	*rows;
	unsigned int		nr;
};

#define IOCTL_TABLE(name) \
	const struct ioctl_table name = { name##_rows, ARRAY_SIZE(name##_rows) }

/*
 * All rows of one kind of fd, found by number: open addressing from _IOC_NR(cmd), because a few
 * commands share a number. Filled once at module init, read only afterwards.
 */
struct ioctl_index {
	unsigned int		nr;
	const struct ioctl_row	*slot[256];
};

/*
 * ioctl_index_add - enter the rows of @tables (NULL-terminated). Module init only. -EEXIST if two
 * rows claim one command, -ENOSPC if the index is full: both are mistakes in the tables, and the
 * module does not load.
 */
int ioctl_index_add(struct ioctl_index *idx, const struct ioctl_table *const *tables);

/* The row of @cmd, or NULL. */
const struct ioctl_row *ioctl_find(const struct ioctl_index *idx, unsigned int cmd);

/*
 * ioctl_dispatch - find @cmd in @idx and run it. @c has vm, vcpu and filp set. -ENOTTY for an
 * unknown command, -EIO if the VM belongs to another mm or is dead, -EINTR if a fatal signal came
 * while waiting for the vCPU, -EFAULT for a bad pointer, else what the handler returns.
 */
long ioctl_dispatch(const struct ioctl_index *idx, struct ioctl_ctx *c, unsigned int cmd,
		    unsigned long arg);

#endif
