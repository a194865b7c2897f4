// SPDX-License-Identifier: GPL-2.0-only
/*
 * Guest states legal and illegal, set by ioctl and entered: either the guest runs with exactly that
 * state, or the entry is reported as refused and nothing has changed. Never a third way.
 *
 * env: ENTRY_STATES	how many of each mode (default 1000)
 *      ENTRY_SEED	of the random numbers (default: always the same)
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include "kselftest_harness.h"
#include "testvm.h"

#define MEMORY		0x20000ul
#define CODE		0x8000	/* out %al, %dx; hlt */
#define TABLES		0x10000	/* long mode: identity map of the low 2 MiB */
#define PDPTES		0x14000	/* PAE paging */

static uint64_t seed;

static unsigned long number(const char *name, unsigned long otherwise)
{
	const char *val = getenv(name);

	return val ? strtoul(val, NULL, 0) : otherwise;
}

static uint64_t rnd(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

enum mode { REAL, PROTECTED, PAE, LONG };

FIXTURE(entry)
{
	int kvm, vm, vcpu;
	uint8_t *mem;
	struct kvm_run *run;
	struct kvm_sregs initial;
};

FIXTURE_VARIANT(entry)
{
	enum mode mode;
};

FIXTURE_VARIANT_ADD(entry, real) { .mode = REAL };
FIXTURE_VARIANT_ADD(entry, protected) { .mode = PROTECTED };
FIXTURE_VARIANT_ADD(entry, pae) { .mode = PAE };
FIXTURE_VARIANT_ADD(entry, long_mode) { .mode = LONG };

static void fill_memory(uint8_t *mem)
{
	uint64_t *t = (void *)(mem + TABLES), *p = (void *)(mem + PDPTES);

	/* Who goes astray halts. */
	memset(mem, 0xf4, TABLES);
	mem[CODE] = 0xee;
	mem[CODE + 1] = 0xf4;
	t[0] = (TABLES + 0x1000) | 3;
	t[512] = (TABLES + 0x2000) | 3;
	t[1024] = 0x83;
	p[0] = (TABLES + 0x2000) | 1;
}

FIXTURE_SETUP(entry)
{
	struct kvm_userspace_memory_region r = { .memory_size = MEMORY };

	seed = 0x9e3779b97f4a7c15 + variant->mode + (number("ENTRY_SEED", 0) << 8);
	self->kvm = open_kvm();
	self->vm = ioctl(self->kvm, KVM_CREATE_VM, 0);
	ASSERT_GE(self->vm, 0);
	self->mem = mmap(NULL, MEMORY, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	r.userspace_addr = (uintptr_t)self->mem;
	ASSERT_EQ(0, ioctl(self->vm, KVM_SET_USER_MEMORY_REGION, &r));
	fill_memory(self->mem);
	self->vcpu = ioctl(self->vm, KVM_CREATE_VCPU, 0);
	ASSERT_GE(self->vcpu, 0);
	ASSERT_EQ(0, ioctl(self->vcpu, KVM_SET_CPUID2, supported_cpuid(self->kvm)));
	self->run = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, self->vcpu, 0);
	ASSERT_EQ(0, ioctl(self->vcpu, KVM_GET_SREGS, &self->initial));
}

FIXTURE_TEARDOWN(entry)
{
	munmap(self->run, 4096);
	close(self->vcpu);
	close(self->vm);
	close(self->kvm);
	munmap(self->mem, MEMORY);
}

static void flat(struct kvm_segment *s, bool code, bool l)
{
	*s = (struct kvm_segment){
		.limit = 0xffffffff, .selector = code ? 8 : 16, .type = code ? 11 : 3, .present = 1,
		.s = 1, .g = 1, .db = !l, .l = code && l,
	};
}

/* A state in which the code at CODE runs. */
static void good_state(const struct kvm_sregs *initial, enum mode mode, struct kvm_sregs *s,
		       struct kvm_regs *r)
{
	*s = *initial;
	*r = (struct kvm_regs){ .rip = CODE, .rflags = 2, .rdx = 0x2f0, .rax = 0x55, .rsp = 0x7000 };
	s->cs.base = 0;
	s->cs.selector = 0;
	if (mode == REAL)
		return;
	flat(&s->cs, true, mode == LONG);
	flat(&s->ss, false, false);
	s->ds = s->es = s->fs = s->gs = s->ss;
	s->tr.selector = 24;
	s->tr.limit = 0x67;
	s->cr0 = (s->cr0 & ~0x60000000ull) | 1;
	if (mode == PROTECTED)
		return;
	s->cr0 |= 0x80000000;
	s->cr4 |= 0x20;
	s->cr3 = mode == PAE ? PDPTES : TABLES;
	if (mode == LONG)
		s->efer = 0x500;
}

/* Small or large, and canonical: AMD-V makes others so. */
static uint64_t address(void)
{
	return (int64_t)(rnd() << 16) >> (16 + rnd() % 48);
}

static void spoil_segment(struct kvm_segment *s)
{
	switch (rnd() % 10) {
	case 0:
		s->type = rnd() & 15;
		break;
	case 1:
		s->dpl = rnd() & 3;
		break;
	case 2:
		s->selector = rnd();
		break;
	case 3:
		s->limit = rnd() >> (rnd() % 64);
		break;
	case 4:
		s->base = address();
		break;
	case 5:
		s->g ^= 1;
		break;
	case 6:
		s->db ^= 1;
		break;
	case 7:
		s->present ^= 1;
		break;
	case 8:
		s->unusable ^= 1;
		break;
	default:
		s->s ^= 1;
	}
}

static void spoil(struct kvm_sregs *s, struct kvm_regs *r)
{
	struct kvm_segment *seg[] = { &s->cs, &s->ds, &s->es, &s->fs, &s->gs, &s->ss, &s->tr, &s->ldt };

	switch (rnd() % 12) {
	case 0:
		s->cr0 ^= 1ull << rnd() % 32;
		break;
	case 1:
		s->cr4 ^= 1ull << rnd() % 24;
		break;
	case 2:
		s->efer ^= 1ull << (rnd() & 1 ? 8 + rnd() % 7 : 0);
		break;
	case 3:
		r->rflags ^= 1ull << rnd() % 22;
		break;
	case 4:
		r->rip ^= 1ull << (20 + rnd() % 44);
		break;
	case 5:
		s->gdt.base = address();
		break;
	case 6:
		s->cr3 ^= 1ull << rnd() % 64;
		break;
	default:
		spoil_segment(seg[rnd() % 8]);
	}
}

/* QEMU's VMRUN loops for ever in modes that no CPU has, and knows of few of the checks. */
static void keep_mode(const struct kvm_sregs *good, struct kvm_sregs *s)
{
	s->cr0 = good->cr0;
	s->cr3 = good->cr3;
	s->cr4 = good->cr4;
	s->efer = good->efer;
}

/* Hardware sets the accessed bit, a TSS is busy, and G may follow from the limit. */
static bool same_segment(const struct kvm_segment *a, const struct kvm_segment *b)
{
	if (a->unusable || !a->present)
		return true;
	return a->base == b->base && a->limit == b->limit && a->selector == b->selector &&
	       (a->type | 3) == (b->type | 3) && a->present == b->present && a->s == b->s &&
	       a->l == b->l;
}

static bool same_segments(const struct kvm_sregs *a, const struct kvm_sregs *b)
{
	return same_segment(&a->cs, &b->cs) && same_segment(&a->ds, &b->ds) &&
	       same_segment(&a->es, &b->es) && same_segment(&a->fs, &b->fs) &&
	       same_segment(&a->gs, &b->gs) && same_segment(&a->ss, &b->ss) &&
	       same_segment(&a->ldt, &b->ldt);
}

static bool same_state(const struct kvm_sregs *a, const struct kvm_sregs *b)
{
	return a->cr0 == b->cr0 && a->cr2 == b->cr2 && a->cr3 == b->cr3 && a->cr4 == b->cr4 &&
	       a->efer == b->efer && a->cr8 == b->cr8 && a->gdt.base == b->gdt.base &&
	       a->gdt.limit == b->gdt.limit && a->idt.base == b->idt.base &&
	       a->idt.limit == b->idt.limit;
}

/* Long forms take their time. */
TEST_F_TIMEOUT(entry, runs_or_is_refused, 900)
{
	unsigned int i, j, n, states = number("ENTRY_STATES", 1000);
	unsigned int ran = 0, refused = 0, other = 0;
	struct kvm_sregs good, s, before, after;
	struct kvm_vcpu_events none = {};
	struct kvm_regs r, regs_before, regs_after;
	bool tcg = under_tcg();

	if (tcg && !on_keel())
		SKIP(return, "QEMU stores the host's state in a refused VMCB");
	for (i = 0; i < states; i++) {
		good_state(&self->initial, variant->mode, &good, &r);
		s = good;
		n = i ? rnd() % 3 : 0;
		for (j = 0; j < n; j++)
			spoil(&s, &r);
		if (tcg)
			keep_mode(&good, &s);
		ioctl(self->vcpu, KVM_SET_VCPU_EVENTS, &none);
		/* The emulator of an earlier state may be in the middle of a port access. */
		self->run->immediate_exit = 1;
		ioctl(self->vcpu, KVM_RUN, 0);
		self->run->immediate_exit = 0;
		if (ioctl(self->vcpu, KVM_SET_SREGS, &s)) {
			ASSERT_EQ(EINVAL, errno);
			continue;
		}
		ASSERT_EQ(0, ioctl(self->vcpu, KVM_SET_REGS, &r));
		ASSERT_EQ(0, ioctl(self->vcpu, KVM_GET_SREGS, &before));
		ASSERT_EQ(0, ioctl(self->vcpu, KVM_GET_REGS, &regs_before));
		ASSERT_EQ(0, ioctl(self->vcpu, KVM_RUN, 0)) { TH_LOG("state %u: %m", i); }
		ASSERT_EQ(0, ioctl(self->vcpu, KVM_GET_SREGS, &after));
		ASSERT_EQ(0, ioctl(self->vcpu, KVM_GET_REGS, &regs_after));
		/* Bochs makes CS a data segment whenever it comes into real mode. */
		if (variant->mode == REAL && !tcg && after.cs.type == 3)
			before.cs.type = 3;
		switch (self->run->exit_reason) {
		case KVM_EXIT_IO:
			/* RIP moves when userspace has answered. */
			EXPECT_TRUE(same_state(&before, &after)) { TH_LOG("state %u", i); }
			EXPECT_TRUE(same_segments(&before, &after)) { TH_LOG("state %u", i); }
			EXPECT_EQ(regs_before.rsp, regs_after.rsp) { TH_LOG("state %u", i); }
			ran++;
			break;
		case KVM_EXIT_FAIL_ENTRY:
			EXPECT_TRUE(same_state(&before, &after)) { TH_LOG("state %u", i); }
			EXPECT_TRUE(same_segments(&before, &after)) { TH_LOG("state %u", i); }
			EXPECT_EQ(0, memcmp(&regs_before, &regs_after, sizeof(r)));
			EXPECT_NE(0, self->run->fail_entry.hardware_entry_failure_reason);
			refused++;
			break;
		default:
			/* It ran, and elsewhere: a fault without a handler, a fetch from nowhere. */
			other++;
		}
		if (!i)
			ASSERT_EQ(KVM_EXIT_IO, self->run->exit_reason);
	}
	TH_LOG("%u ran, %u refused, %u went elsewhere", ran, refused, other);
}

TEST_HARNESS_MAIN
