// SPDX-License-Identifier: GPL-2.0-only
/*
 * The flush proof against a model of TLBs.
 *
 * A few vCPUs move between a few CPUs. Each CPU keeps, for each vCPU, what that one has translated
 * there: the generation of each page, 0 for none. A page is cleared, then released, by steps
 * that a random walk mixes with entries, accesses and exits. A walk that obeys the flush rule must
 * raise no complaint. One that leaves a step out must raise one no later than at the moment
 * when a vCPU in guest mode has in its TLB what was released.
 */
#include <stdlib.h>
#include <string.h>
#include "arch/x86/mmu/flush_model.h"
#include "tap.h"

#define CPUS	3
#define VCPUS	3
#define PAGES	4
#define STEPS	4000
#define WALKS	300

enum fault {
	NONE,
	NO_REQUEST,	/* no vCPU is told to flush */
	NO_WAIT,	/* released while vCPUs in guest mode go on */
	NO_FLUSH,	/* a request is taken, and forgotten */
	NO_MOVE_FLUSH,	/* a CPU that a vCPU comes back to is taken for fresh */
	FAILED_ENTRY,	/* the flush of an entry that failed is not made up for */
	NR_FAULTS
};

struct vcpu {
	struct flush_vcpu	proof;
	u64			clean[CPUS];
	u64			tlb[CPUS][PAGES];	/* generation of the page that is cached */
	int			cpu, last_cpu;		/* in guest mode there or -1; last entry */
	bool			request;
};

static struct flush_vm vm;
static struct vcpu vcpus[VCPUS];
static u64 page[PAGES];		/* generation that is mapped */
static u64 gone[PAGES];		/* generations below this one are released */
static enum fault fault;
static bool complained, stale;

static void reset(void)
{
	memset(&vm, 0, sizeof(vm));
	memset(vcpus, 0, sizeof(vcpus));
	for (int i = 0; i < PAGES; i++)
		page[i] = gone[i] = 1;
	for (int i = 0; i < VCPUS; i++) {
		vcpus[i].proof.clean = vcpus[i].clean;
		vcpus[i].proof.cpu = FLUSH_OUTSIDE;
		vcpus[i].cpu = -1;
		vcpus[i].last_cpu = -1;
	}
	complained = stale = false;
}

static void leave(struct vcpu *v)
{
	flush_model_exit(&v->proof, false);
	v->cpu = -1;
}

static void enter(struct vcpu *v, int cpu, bool fails)
{
	bool flush = v->request;

	v->request = false;
	if (fault == NO_FLUSH)
		flush = false;
	if (v->last_cpu != cpu && fault != NO_MOVE_FLUSH)
		flush = true;
	v->last_cpu = cpu;
	v->proof.fresh = flush;
	if (!flush_model_enter(&vm, &v->proof, cpu))
		complained = true;
	if (fails) {
		/* Nothing was flushed, nothing ran: the next entry has to flush. */
		flush_model_exit(&v->proof, true);
		v->request = flush && fault != FAILED_ENTRY;
		return;
	}
	if (flush)
		memset(v->tlb[cpu], 0, sizeof(v->tlb[cpu]));
	v->cpu = cpu;
}

/* The guest touches a page: from its TLB, or filled from the tables. */
static void touch(struct vcpu *v, int p)
{
	u64 *cached = &v->tlb[v->cpu][p];

	if (!*cached)
		*cached = page[p];
	if (*cached < gone[p])
		stale = true;
}

static void flush_all(void)
{
	for (int i = 0; i < VCPUS; i++) {
		if (fault != NO_REQUEST)
			vcpus[i].request = true;
		if (fault != NO_WAIT && vcpus[i].cpu >= 0)
			leave(&vcpus[i]);
	}
}

static void zap(int p)
{
	flush_model_clear(&vm);
	page[p]++;
	/* What the hardware does meanwhile is the walk's own business. */
	flush_all();
	flush_model_release(&vm.released, vm.last);
	for (int i = 0; i < VCPUS; i++)
		complained |= !flush_model_safe(&vcpus[i].proof, vm.last);
	gone[p] = page[p];
}

static bool cpu_is_free(int cpu)
{
	for (int i = 0; i < VCPUS; i++)
		if (vcpus[i].cpu == cpu)
			return false;
	return true;
}

static void step(void)
{
	struct vcpu *v = &vcpus[rand() % VCPUS];
	int cpu = rand() % CPUS;

	switch (rand() % 8) {
	case 0:
		zap(rand() % PAGES);
		break;
	case 1: case 2:
		if (v->cpu < 0 && cpu_is_free(cpu))
			enter(v, cpu, rand() % 8 == 0);
		break;
	case 3:
		if (v->cpu >= 0)
			leave(v);
		break;
	default:
		if (v->cpu >= 0)
			touch(v, rand() % PAGES);
	}
}

/* How many walks complained, had a stale access, and had one without a complaint before it. */
static void walk(int *complaints, int *stales, int *missed)
{
	*complaints = *stales = *missed = 0;
	for (int w = 0; w < WALKS; w++) {
		bool late = false;

		srand(w + 1);
		reset();
		for (int s = 0; s < STEPS && !stale; s++) {
			step();
			late = stale && !complained;
		}
		*complaints += complained;
		*stales += stale;
		*missed += late;
	}
}

int main(void)
{
	static const char *const names[NR_FAULTS] = {
		"all flushes", "no request", "no wait for guests", "request forgotten",
		"no flush after a move", "flush lost with a failed entry",
	};
	int complaints, stales, missed;
	char what[100];

	for (fault = NONE; fault < NR_FAULTS; fault++) {
		walk(&complaints, &stales, &missed);
		printf("# %s: %d walks, %d complain, %d use a released page\n", names[fault], WALKS,
		       complaints, stales);
		if (fault == NONE) {
			CHECK(!stales, "flush model: the model obeys the rule");
			CHECK(!complaints, "flush model: no complaint where the rule is obeyed");
			continue;
		}
		snprintf(what, sizeof(what), "flush model: %s: the model goes wrong", names[fault]);
		CHECK(stales > WALKS / 2, what);
		snprintf(what, sizeof(what), "flush model: %s: complains in time", names[fault]);
		CHECK(!missed, what);
	}
	return tap_done();
}
