/* SPDX-License-Identifier: GPL-2.0-only */
/* All ioctls of KVM as a table, each with a function that makes an argument which may well be right. */
#ifndef FUZZ_ARGS_H
#define FUZZ_ARGS_H

#include "testvm.h"
#include "fuzz.h"

#define PAGE		4096ul
#define ARENA		(1024 * PAGE)	/* all that the kernel is told to use as guest memory */
#define FUZZ_VMS	2
#define FUZZ_VCPUS	4
#define FUZZ_EVENTS	6
#define FUZZ_MAX_CALLS	160

/* Written by any thread without a lock: a descriptor that is stale is one more case. */
struct vm_objects {
	int	vm, irqchip;
	int	nr_vcpus, vcpu[FUZZ_VCPUS];
	void	*run[FUZZ_VCPUS];
};

struct world {
	int	kvm;
	uint8_t	*arena;
	int	event[FUZZ_EVENTS];
	bool	tcg;		/* keep to modes that a CPU can be in: QEMU's VMRUN hangs on others */
	struct vm_objects vm[FUZZ_VMS];
};

enum call_fd { ON_DEV, ON_VM, ON_VCPU };

struct call_args {
	unsigned long arg;
	uint64_t buf[4096];
};

struct call {
	const char	*name;
	unsigned long	cmd;
	enum call_fd	on;
	/* Fills a->buf, zeroed before, or a->arg, which points to it. @fd: the file that is called. */
	void		(*fill)(struct world *w, struct vm_objects *v, const struct call *c, int fd,
				struct rng *r, struct call_args *a);
	unsigned long	get;	/* fill_state: the ioctl that gives what can be set */
	bool		makes_fd;
	uint8_t		weight;
};

extern const struct call calls[];
extern const unsigned int nr_calls;

/* Everything but the VMs. */
struct world *world_new(struct rng *r);
const struct call *choose_call(struct rng *r);
/* The file that @c is for, or now and then another one. */
int call_fd(struct world *w, struct vm_objects *v, const struct call *c, struct rng *r);
void fill_args(struct world *w, struct vm_objects *v, const struct call *c, int fd, struct rng *r,
	       struct call_args *a);

#endif
