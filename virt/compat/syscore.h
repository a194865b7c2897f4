/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Callbacks for suspend and resume of the system. They run on the only CPU left, with interrupts off.
 *
 * Write the callbacks with KEEL_SYSCORE_ARGS as parameter list, then
 * KEEL_DEFINE_SYSCORE(name, suspend, resume); and keel_(un)register_syscore(&name).
 */
#ifndef KEEL_COMPAT_SYSCORE_H
#define KEEL_COMPAT_SYSCORE_H

#include <linux/syscore_ops.h>
#include "virt/compat/autoconf.h"

#ifdef HAVE_SYSCORE

#define KEEL_SYSCORE_ARGS	void *data
#define KEEL_DEFINE_SYSCORE(name, suspend_fn, resume_fn)			\
	static const struct syscore_ops name##_ops = {			\
		.suspend	= suspend_fn,				\
		.resume		= resume_fn,				\
	};								\
	static struct syscore name = { .ops = &name##_ops }
#define keel_register_syscore(s)	register_syscore(s)
#define keel_unregister_syscore(s)	unregister_syscore(s)

#else

#define KEEL_SYSCORE_ARGS	void
#define KEEL_DEFINE_SYSCORE(name, suspend_fn, resume_fn)			\
	static struct syscore_ops name = {				\
		.suspend	= suspend_fn,				\
		.resume		= resume_fn,				\
	}
#define keel_register_syscore(s)	register_syscore_ops(s)
#define keel_unregister_syscore(s)	unregister_syscore_ops(s)

#endif

#endif
