// SPDX-License-Identifier: GPL-2.0-only
/* VMs and vCPUs: made, run for the first time, destroyed; and the memory that they take. */
#include <glob.h>
#include "bench.h"

enum step { CREATE_VM, CREATE_VCPU, FIRST_RUN, DESTROY, NR_STEPS };

static void guest_once(void)
{
	for (;;)
		guest_outb(0x80, 0);
}

/* From nothing to the first exit and back to nothing; only @from to @to is counted. */
static void life(enum step from, enum step to)
{
	struct test_vcpu *v = NULL;
	struct test_vm vm;
	enum step s;

	for (s = 0; s < NR_STEPS; s++) {
		if (s == from)
			bench_begin();
		switch (s) {
		case CREATE_VM:
			vm_create(&vm, TEST_IRQCHIP_FULL);
			break;
		case CREATE_VCPU:
			v = vcpu_create(&vm, 0);
			break;
		case FIRST_RUN:
			vcpu_start(v, guest_once);
			must(ioctl(v->fd, KVM_RUN, 0));
			break;
		default:
			vm_destroy(&vm);
			break;
		}
		if (s == to)
			bench_end();
	}
}

static void lives(const struct path *p, enum step from, enum step to)
{
	uint64_t n = bench_n / 10 + 4, i;

	/* Both allocators and the emulator's caches are warm after a few. */
	for (i = 0; i < 8; i++)
		life(NR_STEPS, NR_STEPS);
	for (i = 0; i < n; i++)
		life(from, to);
	bench_report(p, n);
}

static void create_vm(const struct path *p)
{
	lives(p, CREATE_VM, CREATE_VM);
}

static void create_vcpu(const struct path *p)
{
	lives(p, CREATE_VCPU, CREATE_VCPU);
}

static void first_run(const struct path *p)
{
	lives(p, FIRST_RUN, FIRST_RUN);
}

static void create_to_exit(const struct path *p)
{
	lives(p, CREATE_VM, FIRST_RUN);
}

static void destroy(const struct path *p)
{
	lives(p, DESTROY, DESTROY);
}

static void whole(const struct path *p)
{
	lives(p, CREATE_VM, DESTROY);
}

/* ---- memory ---- */

#define VMS	128
#define VCPUS	4

static void poke(const char *file)
{
	FILE *f = fopen(file, "w");

	if (f) {
		fputs("1", f);
		fclose(f);
	}
}

/* Slabs that are empty give their pages back: objects come to lie in them or in new ones by chance. */
static void shrink_slabs(void)
{
	glob_t g;
	size_t i;

	if (glob("/sys/kernel/slab/*/shrink", 0, NULL, &g))
		return;
	for (i = 0; i < g.gl_pathc; i++)
		poke(g.gl_pathv[i]);
	globfree(&g);
}

/* Bytes that are neither free nor cache. */
static uint64_t used(void)
{
	uint64_t total = 0, free = 0, cached = 0, buffers = 0, kb;
	char line[128];
	FILE *f;

	/* Retired memory comes back behind a grace period; pages in per-CPU lists are not counted as free. */
	sleep(3);
	shrink_slabs();
	poke("/proc/sys/vm/compact_memory");
	poke("/proc/sys/vm/stat_refresh");
	f = fopen("/proc/meminfo", "r");
	if (!f)
		bench_fail("/proc/meminfo");
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "MemTotal: %lu", &kb) == 1)
			total = kb;
		else if (sscanf(line, "MemFree: %lu", &kb) == 1)
			free = kb;
		else if (sscanf(line, "Cached: %lu", &kb) == 1)
			cached = kb;
		else if (sscanf(line, "Buffers: %lu", &kb) == 1)
			buffers = kb;
	}
	fclose(f);
	return (total - free - cached - buffers) * 1024;
}

/* What userspace brings is the same for all and small beside it: page tables of its mappings. */
static void make_vms(struct test_vm *vms)
{
	int i;

	for (i = 0; i < VMS; i++)
		vm_create(&vms[i], TEST_IRQCHIP_FULL);
}

static void make_vcpus(struct test_vm *vms)
{
	int i, j;

	for (i = 0; i < VMS; i++) {
		for (j = 0; j < VCPUS; j++) {
			struct test_vcpu *v = vcpu_create(&vms[i], j);
			struct kvm_mp_state runnable = { .mp_state = KVM_MP_STATE_RUNNABLE };

			must(ioctl(v->fd, KVM_SET_MP_STATE, &runnable));
			vcpu_start(v, guest_once);
			must(ioctl(v->fd, KVM_RUN, 0));
		}
	}
}

static struct test_vm vms[VMS];

static void memory(const struct path *p)
{
	bool per_vcpu = !strcmp(p->name, "bytes-per-vcpu");
	uint64_t before, between, after;
	int i;

	before = used();
	make_vms(vms);
	between = used();
	if (per_vcpu) {
		make_vcpus(vms);
		after = used();
		bench_value(p, (after - between) / (VMS * VCPUS));
	} else {
		bench_value(p, (between - before) / VMS);
	}
	for (i = 0; i < VMS; i++)
		vm_destroy(&vms[i]);
}

const struct path lifetime_paths[] = {
	{ "vm-create", P_SLEEPS, create_vm },
	{ "vcpu-create", P_ALLOCATES, create_vcpu },
	{ "first-run", P_ALLOCATES, first_run },
	{ "create-to-first-exit", P_SLEEPS, create_to_exit },
	{ "vm-destroy", P_SLEEPS, destroy },
	{ "vm-create-run-destroy", P_SLEEPS, whole },
	{ "bytes-per-vm", P_BYTES, memory },
	{ "bytes-per-vcpu", P_BYTES, memory },
	{ }
};
