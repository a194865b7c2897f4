/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What virt/irq_routing.c and arch/x86/irqchip/route.c take from the kernel and from the rest of the
 * module. Every header that they include and that is not pure leads here (see Makefile). One
 * thread: locks only count, a grace period is over when no reader is inside.
 */
#ifndef FUZZ_SHIM_H
#define FUZZ_SHIM_H

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "arch/x86/irqchip/lapic.h"

#define __user
#define GFP_KERNEL_ACCOUNT	0
#define KEEL_EXPORT(sym)
#define lockdep_is_held(l)	((l)->held)
#define refcount_read(r)	(*(r))
#define rcu_read_lock()		do { } while (0)
#define rcu_read_unlock()	do { } while (0)
#define rcu_dereference(p)	(p)
#define srcu_dereference_check(p, srcu, c) (((srcu)->readers || (c)) ? (p) : (abort(), (p)))
#define rcu_assign_pointer(p, v) ((p) = (v))
#define struct_size(p, m, n)	(sizeof(*(p)) + sizeof((p)->m[0]) * (n))
#define array_size(n, s)	((size_t)(n) * (s))
#define trace_kvm_set_irq(...)	do { } while (0)
#define trace_kvm_ack_irq(...)	do { } while (0)
#define trace_kvm_msi_set_irq(...) do { } while (0)

#define IS_ERR(p)		((unsigned long)(p) >= -4095ul)
#define PTR_ERR(p)		((long)(p))
#define ERR_PTR(e)		((void *)(long)(e))

/* ---- lists ---- */
struct list_head {
	struct list_head *next, *prev;
};

struct hlist_node {
	struct hlist_node *next, **pprev;
};

struct hlist_head {
	struct hlist_node *first;
};

#define INIT_HLIST_HEAD(h)	((h)->first = NULL)
#define hlist_empty(h)		(!(h)->first)
#define hlist_entry_(p, t, m)	((p) ? container_of(p, t, m) : NULL)
#define hlist_for_each_entry(pos, head, member)				\
	for (pos = hlist_entry_((head)->first, __typeof__(*pos), member); pos; \
	     pos = hlist_entry_(pos->member.next, __typeof__(*pos), member))
#define hlist_for_each_entry_srcu(pos, head, member, cond)		\
	hlist_for_each_entry(pos, head, member)

static inline void hlist_add_head(struct hlist_node *n, struct hlist_head *h)
{
	n->next = h->first;
	if (n->next)
		n->next->pprev = &n->next;
	h->first = n;
	n->pprev = &h->first;
}

#define hlist_add_head_rcu	hlist_add_head

static inline void hlist_del_init_rcu(struct hlist_node *n)
{
	*n->pprev = n->next;
	if (n->next)
		n->next->pprev = n->pprev;
	n->next = NULL;
	n->pprev = NULL;
}

/* ---- locks ---- */
struct mutex {
	int held;
};

static inline void mutex_init(struct mutex *m)
{
	m->held = 0;
}

static inline void mutex_lock(struct mutex *m)
{
	if (m->held++)
		abort();
}

static inline void mutex_unlock(struct mutex *m)
{
	if (--m->held)
		abort();
}

typedef struct { } spinlock_t;
typedef struct { int counter; } atomic_t;
#define atomic_read(v)		((v)->counter)

struct srcu_struct {
	int readers;
};

#define srcu_read_lock_held(s)	((s)->readers > 0)

static inline int srcu_read_lock(struct srcu_struct *s)
{
	return s->readers++;
}

static inline void srcu_read_unlock(struct srcu_struct *s, int idx)
{
	if (--s->readers != idx)
		abort();
}

static inline void synchronize_srcu_expedited(struct srcu_struct *s)
{
	if (s->readers)
		abort();	/* it would wait for itself */
}

/* ---- memory: the n-th allocation from now fails, 0: none ---- */
extern unsigned int fail_alloc;

static inline void *kvzalloc(size_t size, int gfp)
{
	return fail_alloc && !--fail_alloc ? NULL : calloc(1, size);
}

#define kvmalloc		kvzalloc
#define kvfree			free

static inline unsigned long copy_from_user(void *to, const void *from, size_t n)
{
	if (!from)
		return n;
	memcpy(to, from, n);
	return 0;
}

/* ---- the module around ---- */
typedef u64 gpa_t;
struct vcpu;
struct file;
#include <keel/irq_routing.h>
#include <keel/ioctl.h>

struct vm {
	int			users;
	struct srcu_struct	irq_srcu;
	struct garbage		old_routing;
	atomic_t		nr_vcpus;
	struct mutex		irq_lock;
	struct irq_routing	*routing;
	struct hlist_head	ack_notifiers;
};

#define IRQCHIP_FEW_VCPUS	16

enum irqchip_mode { IRQCHIP_NONE, IRQCHIP_SPLIT, IRQCHIP_FULL };

struct x86_vm {
	struct vm	vm;
	bool		x2apic_format;
	struct {
		u8	mode;
		u32	split_pins;
		unsigned long split_level[4];
		struct lapic_domain domain;
	} irqchip;
};

#define IOAPIC_PINS		24
#define PIC_PINS		16

static inline struct x86_vm *to_x86_vm(struct vm *vm)
{
	return container_of(vm, struct x86_vm, vm);
}

bool arch_irqchip_in_kernel(struct vm *vm);
int arch_irq_route_init(struct vm *vm, struct irq_route *route,
			const struct kvm_irq_routing_entry *ue);
int arch_irq_set_atomic(struct vm *vm, const struct irq_route *route, int source, int level);
void arch_irq_routing_changed(struct vm *vm);
void arch_irq_ack_notifiers_changed(struct vm *vm);
void irqfds_routing_update(struct vm *vm);
int pic_dev_set_irq(struct x86_vm *vm, unsigned int pin, int source, int level);
int ioapic_dev_set_irq(struct x86_vm *vm, unsigned int pin, int source, int level, bool status);
void ioapic_dev_ack_pins_changed(struct x86_vm *vm);
int irqchip_deliver(struct x86_vm *vm, struct lapic *src, const struct apic_msg *m);
long vm_signal_msi(struct ioctl_ctx *c);

#endif
