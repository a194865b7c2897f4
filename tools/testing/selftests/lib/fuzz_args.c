// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include <sys/eventfd.h>
#include "fuzz_args.h"

#define FILL(name) \
	static void name(struct world *w, struct vm_objects *v, const struct call *c, int fd, \
			 struct rng *r, struct call_args *a)

/* Real mode: ports, strings of them, device memory, APIC, HLT, all round and round. */
__asm__(".text\n.globl fuzz_code, fuzz_code_end\n.code16\nfuzz_code:\n"
	"1: movw $0x9000, %ax; movw %ax, %ds; movw $0x300, %dx\n"
	"outb %al, %dx; inb %dx, %al; outw %ax, %dx; inl %dx, %eax\n"
	"movw $0x100, %si; movw $20, %cx; rep outsb\n"
	"pushw %cs; popw %es; movw $0x4000, %di; movw $9, %cx; rep insw\n"
	"movw $0xb000, %ax; movw %ax, %es; xorw %di, %di\n"
	"movl %eax, %es:(%di); movb %es:4(%di), %al; addw %ax, %es:8(%di)\n"
	"movw $7, %cx; rep stosw; movw $0x2e0, %dx; outw %ax, %dx\n"
	"inb $0x40, %al; outb %al, $0x43; inb $0x20, %al; movb $0x20, %al; outb %al, $0x20\n"
	"xorl %eax, %eax; cpuid; movl $0x10, %ecx; rdmsr; incw %cs:0x3000\n"
	"testb $7, %cs:0x3000; jnz 1b; sti; hlt; jmp 1b\n"
	"fuzz_code_end:\n.code64");
extern const char fuzz_code[], fuzz_code_end[];

/* ---- plain values ---- */

FILL(fill_nothing)
{
	a->arg = one_in(r, 10) ? odd_value(r) : 0;
}

FILL(fill_value)
{
	a->arg = one_in(r, 3) ? odd_value(r) : below(r, 300);
}

FILL(fill_noise)
{
	unsigned int i, n = _IOC_SIZE(c->cmd) / 4;

	for (i = 0; i < n && i < 1024; i++)
		((uint32_t *)a->buf)[i] = one_in(r, 3) ? odd_value(r) : below(r, 6);
}

/* What the kernel says, somewhat changed. */
FILL(fill_state)
{
	size_t size = _IOC_SIZE(c->cmd);

	if (ioctl(fd, c->get, a->buf))
		return;
	if (size > sizeof(a->buf))
		size = sizeof(a->buf);
	mutate(r, a->buf, size ? size : 4096, 3);
}

FILL(fill_tsc_khz)
{
	a->arg = one_in(r, 4) ? odd_value(r) : 500000 + below(r, 5000000);
}

FILL(fill_tss_addr)
{
	a->arg = one_in(r, 3) ? odd_value(r) : 0xfffbd000 + below(r, 4) * PAGE;
}

FILL(fill_address)
{
	a->buf[0] = one_in(r, 3) ? odd_value(r) : below(r, 1 << 20) * PAGE;
}

/* ---- memory ---- */

/* An address of the arena; never any other memory of this process. */
static uint64_t user_address(struct world *w, struct rng *r)
{
	if (one_in(r, 12))
		return odd_value(r) | 1ull << 63 | 1;
	return (uintptr_t)w->arena + below(r, ARENA / PAGE) * PAGE + (one_in(r, 30) ? 1 : 0);
}

FILL(fill_region)
{
	struct kvm_userspace_memory_region2 *m = (void *)a->buf;
	uint64_t room;

	m->slot = one_in(r, 10) ? odd_value(r) : below(r, below(r, 12) + 1);
	if (one_in(r, 12))
		m->slot |= 1 << 16;	/* of SMM */
	m->flags = one_in(r, 12) ? odd_value(r) : below(r, 4) & below(r, 4);
	if (one_in(r, 2))
		m->flags |= KVM_MEM_LOG_DIRTY_PAGES;
	m->guest_phys_addr = one_in(r, 10) ? odd_value(r) : (m->slot * 300 + below(r, 300)) * PAGE;
	if (!m->slot && !one_in(r, 4))
		m->guest_phys_addr = 0;
	m->userspace_addr = user_address(w, r);
	room = ((uintptr_t)w->arena + ARENA - m->userspace_addr) & ~(PAGE - 1);
	m->memory_size = one_in(r, 4) ? 0 : (1 + below(r, 256)) * PAGE;
	if (m->memory_size > room && room <= ARENA)
		m->memory_size = room;
	/* A bitmap of so much would be the host's memory, and the OOM killer no finding. */
	if (one_in(r, 10))
		m->memory_size = odd_value(r) & 0x3fffffffff;
	if (m->memory_size > 1 << 28)
		m->flags &= ~KVM_MEM_LOG_DIRTY_PAGES;
}

FILL(fill_dirty_log)
{
	struct kvm_dirty_log *d = (void *)a->buf;

	d->slot = one_in(r, 10) ? odd_value(r) : below(r, below(r, 12) + 1);
	d->dirty_bitmap = a->buf + 64;
}

FILL(fill_clear_dirty_log)
{
	struct kvm_clear_dirty_log *d = (void *)a->buf;

	d->slot = one_in(r, 10) ? odd_value(r) : below(r, below(r, 12) + 1);
	d->first_page = one_in(r, 8) ? odd_value(r) : below(r, 2) * 64;
	d->num_pages = one_in(r, 8) ? odd_value(r) : below(r, 200);
	d->dirty_bitmap = a->buf + 64;
	memset(a->buf + 64, 0xff, 4096);
}

FILL(fill_zone)
{
	struct kvm_coalesced_mmio_zone *z = (void *)a->buf;

	z->pio = below(r, 2);
	z->addr = z->pio ? 0x2e0 + below(r, 4) * 8 : 0xb0000 + below(r, 4) * 0x800;
	z->size = one_in(r, 6) ? odd_value(r) : 1 + below(r, 0x1000);
	mutate(r, z, sizeof(*z), 1);
}

/* ---- interrupts ---- */

FILL(fill_irq_level)
{
	struct kvm_irq_level *l = (void *)a->buf;

	l->irq = one_in(r, 8) ? odd_value(r) : below(r, 30);
	l->level = one_in(r, 8) ? odd_value(r) : below(r, 2);
}

FILL(fill_irqchip)
{
	struct kvm_irqchip *chip = (void *)a->buf;

	chip->chip_id = one_in(r, 10) ? odd_value(r) : below(r, 3);
	if (c->cmd != KVM_SET_IRQCHIP || ioctl(fd, KVM_GET_IRQCHIP, chip))
		return;
	mutate(r, &chip->chip, sizeof(chip->chip), 5);
}

FILL(fill_routing)
{
	struct kvm_irq_routing *t = (void *)a->buf;
	unsigned int i, n = below(r, 3) ? below(r, 40) : below(r, 300);

	t->nr = one_in(r, 30) ? odd_value(r) : n;
	t->flags = one_in(r, 30);
	for (i = 0; i < n; i++) {
		struct kvm_irq_routing_entry *e = &t->entries[i];

		e->gsi = one_in(r, 100) ? odd_value(r) : i;
		e->type = KVM_IRQ_ROUTING_MSI;
		if (i < 24 && v->irqchip == TEST_IRQCHIP_FULL && !one_in(r, 4)) {
			e->type = KVM_IRQ_ROUTING_IRQCHIP;
			e->u.irqchip.irqchip = one_in(r, 3) ? below(r, 4) : KVM_IRQCHIP_IOAPIC;
			e->u.irqchip.pin = one_in(r, 3) ? below(r, 25) : i;
			if (e->u.irqchip.irqchip < 2)
				e->u.irqchip.pin %= 8;
			continue;
		}
		e->u.msi.address_lo = 0xfee00000 | below(r, 5) << 12 | below(r, 4) << 2;
		e->u.msi.address_hi = one_in(r, 100) ? odd_value(r) : 0;
		e->u.msi.data = rnd(r) & 0xc7ff;
	}
	if (one_in(r, 20))
		mutate(r, t, sizeof(*t) + n * sizeof(t->entries[0]), 3);
}

FILL(fill_msi)
{
	struct kvm_msi *m = (void *)a->buf;

	m->address_lo = 0xfee00000 | below(r, 5) << 12 | below(r, 4) << 2;
	m->data = rnd(r) & 0xc7ff;
	mutate(r, m, sizeof(*m), 1);
}

static int any_event(struct world *w, struct rng *r)
{
	return one_in(r, 20) ? (int)odd_value(r) : w->event[below(r, FUZZ_EVENTS)];
}

FILL(fill_irqfd)
{
	struct kvm_irqfd *f = (void *)a->buf;

	f->fd = any_event(w, r);
	f->gsi = one_in(r, 8) ? odd_value(r) : below(r, 40);
	f->flags = one_in(r, 10) ? odd_value(r) : below(r, 4);
	f->resamplefd = any_event(w, r);
}

FILL(fill_ioeventfd)
{
	struct kvm_ioeventfd *f = (void *)a->buf;

	f->flags = one_in(r, 10) ? odd_value(r) : below(r, 8);
	f->addr = f->flags & KVM_IOEVENTFD_FLAG_PIO ? 0x300 + below(r, 2) : 0xb0000 + below(r, 3) * 4;
	f->len = one_in(r, 10) ? odd_value(r) : (uint32_t[]){ 0, 1, 2, 4, 8 }[below(r, 5)];
	f->datamatch = below(r, 3);
	f->fd = any_event(w, r);
}

FILL(fill_pit)
{
	struct kvm_pit_config *p = (void *)a->buf;

	p->flags = one_in(r, 6) ? odd_value(r) : below(r, 2);
}

/* ---- capabilities, devices ---- */

FILL(fill_vm_cap)
{
	static const struct { uint32_t cap; uint64_t arg; } some[] = {
		{ KVM_CAP_SPLIT_IRQCHIP, 24 }, { KVM_CAP_X2APIC_API, 3 },
		{ KVM_CAP_X86_DISABLE_EXITS, 7 }, { KVM_CAP_EXCEPTION_PAYLOAD, 1 },
		{ KVM_CAP_X86_USER_SPACE_MSR, 7 }, { KVM_CAP_MSR_PLATFORM_INFO, 1 },
		{ KVM_CAP_MAX_VCPU_ID, 8 }, { KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2, 3 },
		{ KVM_CAP_HALT_POLL, 200000 }, { KVM_CAP_DISABLE_QUIRKS2, 0xff },
		{ KVM_CAP_DISABLE_QUIRKS, 0xff }, { KVM_CAP_X86_TRIPLE_FAULT_EVENT, 1 },
		{ KVM_CAP_DIRTY_LOG_RING, PAGE }, { KVM_CAP_X86_BUS_LOCK_EXIT, 1 },
	};
	struct kvm_enable_cap *e = (void *)a->buf;
	unsigned int n = below(r, sizeof(some) / sizeof(some[0]));

	e->cap = one_in(r, 8) ? below(r, 260) : some[n].cap;
	e->args[0] = one_in(r, 6) ? odd_value(r) : rnd(r) & some[n].arg;
	if (one_in(r, 20))
		mutate(r, e, sizeof(*e), 2);
}

FILL(fill_vcpu_cap)
{
	struct kvm_enable_cap *e = (void *)a->buf;

	e->cap = one_in(r, 2) ? below(r, 260) : KVM_CAP_HYPERV_SYNIC + below(r, 100);
	e->args[0] = odd_value(r);
}

FILL(fill_attr)
{
	struct kvm_device_attr *d = (void *)a->buf;

	d->group = one_in(r, 6) ? odd_value(r) : 0;
	d->attr = one_in(r, 6) ? odd_value(r) : 0;
	d->addr = (uintptr_t)(a->buf + 64);
	a->buf[64] = odd_value(r);
}

/* ---- vCPUs ---- */

/* Modes that a CPU can be in, with code and tables that are in the arena. */
static void good_mode(struct kvm_sregs *s, struct rng *r)
{
	struct kvm_segment code = { .limit = 0xffffffff, .selector = 8, .type = 0xb, .present = 1,
				    .s = 1, .g = 1 };
	struct kvm_segment data = code;

	if (one_in(r, 2))
		return;		/* as after reset */
	data.selector = 16;
	data.type = 3;
	data.db = 1;
	s->cr0 = 0x11 | (one_in(r, 2) ? 0x10022 : 0);
	code.db = 1;
	if (one_in(r, 2)) {
		s->cr0 |= 0x80000000;
		s->cr3 = 0x20000;
		s->cr4 |= 0x220;
		s->efer |= 0xd00;
		code.l = 1;
		code.db = 0;
	}
	s->cs = code;
	s->ds = s->es = s->fs = s->gs = s->ss = data;
}

/* As the hostile selftest: what is left are bases, limits, selectors, CR2, CR3, CR8, bits of CR0. */
static void keep_mode(struct kvm_sregs *s)
{
	s->cr0 = (s->cr0 & 0x5002a) | 0x10;
	s->efer = 0;
	s->cr4 &= 0x7ff;
}

FILL(fill_sregs)
{
	struct kvm_sregs *s = (void *)a->buf;
	struct kvm_sregs good;

	if (ioctl(fd, c->get, s))
		return;
	if (one_in(r, 3)) {
		s->cr0 = 0x10;
		s->cr4 = s->efer = 0;
		s->cs.base = s->cs.selector = s->cs.l = s->cs.db = s->cs.g = 0;
		s->cs.limit = 0xffff;
		s->cs.type = 3;
		good_mode(s, r);
		if (!one_in(r, 3))
			return;
	}
	good = *s;
	mutate(r, s, _IOC_SIZE(c->cmd), 3);
	if (!w->tcg)
		return;
	/* Only what has no mode in it. */
	if (good.cr0 & 1) {
		s->cs = good.cs;
		s->ss = good.ss;
		s->cr0 = good.cr0;
		s->cr4 = good.cr4;
		s->efer = good.efer;
	} else {
		keep_mode(s);
	}
}

FILL(fill_regs)
{
	struct kvm_regs *g = (void *)a->buf;

	ioctl(fd, KVM_GET_REGS, g);
	g->rip = one_in(r, 3) ? g->rip : 0x1000;
	g->rflags = 2;
	if (one_in(r, 2))
		mutate(r, g, sizeof(*g), 3);
	if (w->tcg)
		g->rflags &= ~0x20000ull;
}

FILL(fill_msrs)
{
	static const uint32_t some[] = {
		0x10, 0x1b, 0x3a, 0x3b, 0x48, 0x49, 0x8b, 0xe7, 0xe8, 0xfe, 0x10a, 0x174, 0x175, 0x176,
		0x179, 0x17a, 0x17b, 0x186, 0x198, 0x1a0, 0x1d9, 0x200, 0x20f, 0x250, 0x258, 0x277,
		0x2ff, 0x309, 0x345, 0x38f, 0x400, 0x401, 0x403, 0x47f, 0x6e0, 0x800, 0x808, 0x80f,
		0x830, 0x838, 0x8ff, 0xda0, 0x4b564d00, 0x4b564d01, 0x4b564d02, 0x4b564d03,
		0x4b564d04, 0x4b564d05, 0x4b564d06, 0x4b564d07, 0x11, 0x12, 0x40000000, 0x40000001,
		0x40000073, 0xc0000080, 0xc0000081, 0xc0000082, 0xc0000083, 0xc0000084, 0xc0000100,
		0xc0000101, 0xc0000102, 0xc0000103, 0xc0000104, 0xc0010004, 0xc0010010, 0xc0010015,
		0xc001001f, 0xc0010058, 0xc0010114, 0xc0010117, 0xc001011f, 0xc0010140, 0xc0011029,
	};
	struct kvm_msrs *m = (void *)a->buf;
	unsigned int i;

	m->nmsrs = one_in(r, 20) ? odd_value(r) & 0xffff : below(r, 12);
	for (i = 0; i < 12; i++) {
		uint32_t index = some[below(r, sizeof(some) / sizeof(some[0]))];
		uint64_t val = odd_value(r);

		if (one_in(r, 6))
			index = one_in(r, 2) ? index + below(r, 16) : odd_value(r);
		/* Shared pages lie in the arena. */
		if (index == 0x11 || index == 0x12 || (index & ~0xffu) == 0x4b564d00)
			val = below(r, 70) * PAGE + (one_in(r, 3) ? PAGE - 8 : 0) + below(r, 4);
		if (w->tcg && index == 0xc0000080)
			val &= ~0x500ull;
		m->entries[i].index = index;
		m->entries[i].data = val;
	}
}

FILL(fill_msr_filter)
{
	struct kvm_msr_filter *f = (void *)a->buf;
	unsigned int i, n = below(r, 4);

	f->flags = one_in(r, 10) ? odd_value(r) : below(r, 2);
	for (i = 0; i < n; i++) {
		f->ranges[i].flags = one_in(r, 10) ? odd_value(r) : 1 + below(r, 3);
		f->ranges[i].nmsrs = one_in(r, 10) ? odd_value(r) : 1 + below(r, 256);
		f->ranges[i].base = one_in(r, 4) ? odd_value(r) : 0xc0000080;
		f->ranges[i].bitmap = (void *)(a->buf + 512);
	}
	a->buf[512 + below(r, 4)] = rnd(r);
}

FILL(fill_cpuid)
{
	struct kvm_cpuid2 *t = (void *)a->buf;
	unsigned int n;

	t->nent = one_in(r, 20) ? odd_value(r) & 0xffff : 100;
	if (c->cmd == KVM_GET_CPUID2 || c->on == ON_DEV)
		return;
	t->nent = 100;
	if (c->cmd != KVM_SET_CPUID2 || ioctl(w->kvm, KVM_GET_SUPPORTED_CPUID, t))
		return;
	if (one_in(r, 2))
		return;
	n = t->nent < 100 ? t->nent : 0;
	mutate(r, t->entries, n * sizeof(t->entries[0]) + 1, 4);
	if (one_in(r, 10))
		t->nent = odd_value(r) & 0x1ff;
}

FILL(fill_interrupt)
{
	struct kvm_interrupt *i = (void *)a->buf;

	i->irq = one_in(r, 6) ? odd_value(r) : below(r, 256);
}

FILL(fill_debug)
{
	struct kvm_guest_debug *d = (void *)a->buf;

	d->control = one_in(r, 6) ? odd_value(r) : (below(r, 2) | below(r, 4) << 16 | below(r, 4) << 18);
	d->arch.debugreg[below(r, 4)] = 0x1000 + below(r, 64);
	d->arch.debugreg[7] = odd_value(r);
}

FILL(fill_signal_mask)
{
	struct kvm_signal_mask *m = (void *)a->buf;
	uint64_t set = 0;

	m->len = one_in(r, 6) ? odd_value(r) : 8;
	/* Never the alarm that brings KVM_RUN back. */
	memcpy(m->sigset, &set, sizeof(set));
}

FILL(fill_mce)
{
	struct kvm_x86_mce *m = (void *)a->buf;

	m->status = rnd(r);
	m->bank = one_in(r, 6) ? odd_value(r) : below(r, 10);
	m->mcg_status = below(r, 8);
}

FILL(fill_mcg)
{
	a->buf[0] = one_in(r, 3) ? odd_value(r) : 0x1000000 | below(r, 34);
}

FILL(fill_vcpu_id)
{
	a->arg = one_in(r, 4) ? odd_value(r) : below(r, 8);
}

FILL(fill_run)
{
	a->arg = one_in(r, 100) ? 1 : 0;
}

#define SET(on_, name_, get_, fill_, weight_)					\
	{ .name = #name_, .cmd = name_, .on = on_, .fill = fill_, .get = get_, .weight = weight_ }
#define CALL(on_, name_, fill_, weight_)					\
	{ .name = #name_, .cmd = name_, .on = on_, .fill = fill_, .weight = weight_ }
#define MAKES(on_, name_, fill_, weight_)					\
	{ .name = #name_, .cmd = name_, .on = on_, .fill = fill_, .makes_fd = true, \
	  .weight = weight_ }

const struct call calls[] = {
	CALL(ON_DEV, KVM_GET_API_VERSION, fill_nothing, 1),
	MAKES(ON_DEV, KVM_CREATE_VM, fill_nothing, 2),
	CALL(ON_DEV, KVM_GET_MSR_INDEX_LIST, fill_noise, 1),
	CALL(ON_DEV, KVM_GET_MSR_FEATURE_INDEX_LIST, fill_noise, 1),
	CALL(ON_DEV, KVM_CHECK_EXTENSION, fill_value, 1),
	CALL(ON_DEV, KVM_GET_VCPU_MMAP_SIZE, fill_nothing, 1),
	CALL(ON_DEV, KVM_GET_SUPPORTED_CPUID, fill_cpuid, 1),
	CALL(ON_DEV, KVM_GET_EMULATED_CPUID, fill_cpuid, 1),
	CALL(ON_DEV, KVM_GET_SUPPORTED_HV_CPUID, fill_cpuid, 1),
	CALL(ON_DEV, KVM_X86_GET_MCE_CAP_SUPPORTED, fill_noise, 1),
	CALL(ON_DEV, KVM_GET_MSRS, fill_msrs, 1),
	CALL(ON_DEV, KVM_HAS_DEVICE_ATTR, fill_attr, 1),
	CALL(ON_DEV, KVM_GET_DEVICE_ATTR, fill_attr, 1),

	CALL(ON_VM, KVM_CHECK_EXTENSION, fill_value, 1),
	MAKES(ON_VM, KVM_CREATE_VCPU, fill_vcpu_id, 2),
	CALL(ON_VM, KVM_SET_USER_MEMORY_REGION, fill_region, 20),
	CALL(ON_VM, KVM_SET_USER_MEMORY_REGION2, fill_region, 4),
	CALL(ON_VM, KVM_GET_DIRTY_LOG, fill_dirty_log, 6),
	CALL(ON_VM, KVM_CLEAR_DIRTY_LOG, fill_clear_dirty_log, 6),
	CALL(ON_VM, KVM_SET_NR_MMU_PAGES, fill_value, 1),
	CALL(ON_VM, KVM_GET_NR_MMU_PAGES, fill_nothing, 1),
	CALL(ON_VM, KVM_SET_TSS_ADDR, fill_tss_addr, 1),
	CALL(ON_VM, KVM_SET_IDENTITY_MAP_ADDR, fill_address, 1),
	CALL(ON_VM, KVM_CREATE_IRQCHIP, fill_nothing, 2),
	CALL(ON_VM, KVM_IRQ_LINE, fill_irq_level, 8),
	CALL(ON_VM, KVM_IRQ_LINE_STATUS, fill_irq_level, 8),
	CALL(ON_VM, KVM_GET_IRQCHIP, fill_irqchip, 2),
	CALL(ON_VM, KVM_SET_IRQCHIP, fill_irqchip, 6),
	CALL(ON_VM, KVM_CREATE_PIT, fill_nothing, 1),
	CALL(ON_VM, KVM_CREATE_PIT2, fill_pit, 2),
	CALL(ON_VM, KVM_GET_PIT, fill_noise, 1),
	SET(ON_VM, KVM_SET_PIT, KVM_GET_PIT, fill_state, 3),
	CALL(ON_VM, KVM_GET_PIT2, fill_noise, 1),
	SET(ON_VM, KVM_SET_PIT2, KVM_GET_PIT2, fill_state, 4),
	CALL(ON_VM, KVM_REINJECT_CONTROL, fill_noise, 2),
	CALL(ON_VM, KVM_REGISTER_COALESCED_MMIO, fill_zone, 4),
	CALL(ON_VM, KVM_UNREGISTER_COALESCED_MMIO, fill_zone, 4),
	CALL(ON_VM, KVM_SET_GSI_ROUTING, fill_routing, 10),
	CALL(ON_VM, KVM_SIGNAL_MSI, fill_msi, 6),
	CALL(ON_VM, KVM_IRQFD, fill_irqfd, 14),
	CALL(ON_VM, KVM_IOEVENTFD, fill_ioeventfd, 10),
	CALL(ON_VM, KVM_SET_BOOT_CPU_ID, fill_value, 1),
	CALL(ON_VM, KVM_GET_CLOCK, fill_noise, 1),
	SET(ON_VM, KVM_SET_CLOCK, KVM_GET_CLOCK, fill_state, 2),
	CALL(ON_VM, KVM_SET_TSC_KHZ, fill_tsc_khz, 1),
	CALL(ON_VM, KVM_GET_TSC_KHZ, fill_nothing, 1),
	CALL(ON_VM, KVM_ENABLE_CAP, fill_vm_cap, 8),
	CALL(ON_VM, KVM_X86_SET_MSR_FILTER, fill_msr_filter, 3),
	MAKES(ON_VM, KVM_GET_STATS_FD, fill_nothing, 1),
	MAKES(ON_VM, KVM_CREATE_DEVICE, fill_noise, 1),
	MAKES(ON_VM, KVM_CREATE_GUEST_MEMFD, fill_noise, 1),
	CALL(ON_VM, KVM_SET_MEMORY_ATTRIBUTES, fill_noise, 1),
	CALL(ON_VM, KVM_RESET_DIRTY_RINGS, fill_nothing, 1),
	CALL(ON_VM, KVM_SET_PMU_EVENT_FILTER, fill_noise, 1),
	CALL(ON_VM, KVM_XEN_HVM_CONFIG, fill_noise, 1),
	CALL(ON_VM, KVM_XEN_HVM_GET_ATTR, fill_noise, 1),
	CALL(ON_VM, KVM_XEN_HVM_SET_ATTR, fill_noise, 1),
	CALL(ON_VM, KVM_XEN_HVM_EVTCHN_SEND, fill_noise, 1),
	CALL(ON_VM, KVM_HYPERV_EVENTFD, fill_noise, 1),
	CALL(ON_VM, KVM_MEMORY_ENCRYPT_OP, fill_noise, 1),
	CALL(ON_VM, KVM_MEMORY_ENCRYPT_REG_REGION, fill_noise, 1),
	CALL(ON_VM, KVM_MEMORY_ENCRYPT_UNREG_REGION, fill_noise, 1),
	CALL(ON_VM, KVM_HAS_DEVICE_ATTR, fill_attr, 1),
	CALL(ON_VM, KVM_SET_DEVICE_ATTR, fill_attr, 1),

	CALL(ON_VCPU, KVM_RUN, fill_run, 60),
	CALL(ON_VCPU, KVM_GET_REGS, fill_noise, 1),
	CALL(ON_VCPU, KVM_SET_REGS, fill_regs, 10),
	CALL(ON_VCPU, KVM_GET_SREGS, fill_noise, 1),
	SET(ON_VCPU, KVM_SET_SREGS, KVM_GET_SREGS, fill_sregs, 10),
	CALL(ON_VCPU, KVM_GET_SREGS2, fill_noise, 1),
	SET(ON_VCPU, KVM_SET_SREGS2, KVM_GET_SREGS2, fill_sregs, 4),
	CALL(ON_VCPU, KVM_TRANSLATE, fill_address, 2),
	CALL(ON_VCPU, KVM_INTERRUPT, fill_interrupt, 4),
	CALL(ON_VCPU, KVM_NMI, fill_nothing, 3),
	CALL(ON_VCPU, KVM_SMI, fill_nothing, 2),
	CALL(ON_VCPU, KVM_GET_MSRS, fill_msrs, 4),
	CALL(ON_VCPU, KVM_SET_MSRS, fill_msrs, 10),
	CALL(ON_VCPU, KVM_SET_CPUID, fill_cpuid, 1),
	CALL(ON_VCPU, KVM_SET_CPUID2, fill_cpuid, 5),
	CALL(ON_VCPU, KVM_GET_CPUID2, fill_cpuid, 1),
	CALL(ON_VCPU, KVM_SET_SIGNAL_MASK, fill_signal_mask, 2),
	CALL(ON_VCPU, KVM_GET_FPU, fill_noise, 1),
	SET(ON_VCPU, KVM_SET_FPU, KVM_GET_FPU, fill_state, 3),
	CALL(ON_VCPU, KVM_GET_XSAVE, fill_noise, 1),
	SET(ON_VCPU, KVM_SET_XSAVE, KVM_GET_XSAVE, fill_state, 4),
	CALL(ON_VCPU, KVM_GET_XSAVE2, fill_noise, 1),
	CALL(ON_VCPU, KVM_GET_XCRS, fill_noise, 1),
	SET(ON_VCPU, KVM_SET_XCRS, KVM_GET_XCRS, fill_state, 3),
	CALL(ON_VCPU, KVM_GET_LAPIC, fill_noise, 1),
	SET(ON_VCPU, KVM_SET_LAPIC, KVM_GET_LAPIC, fill_state, 8),
	CALL(ON_VCPU, KVM_TPR_ACCESS_REPORTING, fill_noise, 1),
	CALL(ON_VCPU, KVM_SET_VAPIC_ADDR, fill_address, 2),
	CALL(ON_VCPU, KVM_GET_MP_STATE, fill_noise, 1),
	CALL(ON_VCPU, KVM_SET_MP_STATE, fill_noise, 6),
	CALL(ON_VCPU, KVM_SET_GUEST_DEBUG, fill_debug, 4),
	CALL(ON_VCPU, KVM_X86_SETUP_MCE, fill_mcg, 2),
	CALL(ON_VCPU, KVM_X86_SET_MCE, fill_mce, 3),
	CALL(ON_VCPU, KVM_GET_VCPU_EVENTS, fill_noise, 1),
	SET(ON_VCPU, KVM_SET_VCPU_EVENTS, KVM_GET_VCPU_EVENTS, fill_state, 8),
	CALL(ON_VCPU, KVM_GET_DEBUGREGS, fill_noise, 1),
	SET(ON_VCPU, KVM_SET_DEBUGREGS, KVM_GET_DEBUGREGS, fill_state, 3),
	CALL(ON_VCPU, KVM_ENABLE_CAP, fill_vcpu_cap, 2),
	CALL(ON_VCPU, KVM_GET_ONE_REG, fill_noise, 1),
	CALL(ON_VCPU, KVM_SET_ONE_REG, fill_noise, 1),
	CALL(ON_VCPU, KVM_GET_REG_LIST, fill_noise, 1),
	CALL(ON_VCPU, KVM_KVMCLOCK_CTRL, fill_nothing, 2),
	CALL(ON_VCPU, KVM_GET_TSC_KHZ, fill_nothing, 1),
	CALL(ON_VCPU, KVM_SET_TSC_KHZ, fill_tsc_khz, 2),
	CALL(ON_VCPU, KVM_GET_NESTED_STATE, fill_noise, 1),
	CALL(ON_VCPU, KVM_SET_NESTED_STATE, fill_noise, 1),
	CALL(ON_VCPU, KVM_XEN_VCPU_GET_ATTR, fill_noise, 1),
	CALL(ON_VCPU, KVM_XEN_VCPU_SET_ATTR, fill_noise, 1),
	CALL(ON_VCPU, KVM_PRE_FAULT_MEMORY, fill_noise, 1),
	MAKES(ON_VCPU, KVM_GET_STATS_FD, fill_nothing, 1),
	CALL(ON_VCPU, KVM_HAS_DEVICE_ATTR, fill_attr, 1),
	CALL(ON_VCPU, KVM_GET_DEVICE_ATTR, fill_attr, 1),
	CALL(ON_VCPU, KVM_SET_DEVICE_ATTR, fill_attr, 2),
};

const unsigned int nr_calls = sizeof(calls) / sizeof(calls[0]);
_Static_assert(sizeof(calls) / sizeof(calls[0]) <= FUZZ_MAX_CALLS, "FUZZ_MAX_CALLS");

const struct call *choose_call(struct rng *r)
{
	static unsigned int total;
	unsigned int i, at;

	if (!total) {
		for (i = at = 0; i < nr_calls; i++)
			at += calls[i].weight;
		total = at;
	}
	at = below(r, total);
	for (i = 0; at >= calls[i].weight; i++)
		at -= calls[i].weight;
	return &calls[i];
}

int call_fd(struct world *w, struct vm_objects *v, const struct call *c, struct rng *r)
{
	enum call_fd on = one_in(r, 60) ? below(r, 3) : c->on;

	switch (on) {
	case ON_DEV:
		return w->kvm;
	case ON_VM:
		return v->vm;
	default:
		return v->vcpu[below(r, v->nr_vcpus > 0 ? v->nr_vcpus : 1)];
	}
}

/* Pointers that lead nowhere, or end too early. */
static unsigned long bad_pointer(struct world *w, struct rng *r)
{
	switch (below(r, 4)) {
	case 0:
		return 0;
	case 1:
		return below(r, 4096);
	case 2:
		return (uintptr_t)w->arena + ARENA - 1 - below(r, 64);
	default:
		return 0x800000000000 | rnd(r);
	}
}

void fill_args(struct world *w, struct vm_objects *v, const struct call *c, int fd, struct rng *r,
	       struct call_args *a)
{
	memset(a->buf, 0, sizeof(a->buf));
	a->arg = (uintptr_t)a->buf;
	c->fill(w, v, c, fd, r, a);
	if (a->arg == (uintptr_t)a->buf && one_in(r, 50))
		a->arg = bad_pointer(w, r);
}

/* Tables of long mode at 0x20000: the low 2 MiB, so that guests find their code again. */
static void fill_arena(uint8_t *p)
{
	uint64_t *t = (uint64_t *)(p + 0x20000);

	memcpy(p + 0x1000, fuzz_code, fuzz_code_end - fuzz_code);
	t[0] = 0x21007;
	t[512] = 0x22007;
	t[1024] = 0x87;
	t[1025] = 0xfec00087;
	t[1026] = 0xfee00087;
}

struct world *world_new(struct rng *r)
{
	struct world *w = calloc(1, sizeof(*w));
	unsigned int i;

	w->kvm = open_kvm();
	w->tcg = under_tcg();
	/* A hole follows: what begins in the arena may end nowhere. */
	w->arena = mmap(NULL, ARENA + PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	mmap(w->arena, ARENA, PROT_READ | PROT_WRITE,
	     MAP_FIXED | MAP_ANONYMOUS | (one_in(r, 2) ? MAP_SHARED : MAP_PRIVATE), -1, 0);
	fill_arena(w->arena);
	for (i = 0; i < FUZZ_EVENTS; i++)
		w->event[i] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	for (i = 0; i < FUZZ_VMS; i++)
		memset(w->vm[i].vcpu, 0xff, sizeof(w->vm[i].vcpu));
	return w;
}
