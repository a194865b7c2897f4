// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fuzzer of the ioctl surface. A round is a process with some VMs and threads; each thread calls
 * whatever it likes, with arguments that mostly make sense, on objects that the others change. Half of
 * the rounds are killed in the middle. Nothing is expected of the answers: the host must live, its
 * log stay clean, and everything be gone afterwards, which the runner checks.
 *
 *	fuzz_ioctl [--seed N] [--cases N | --seconds N] [--threads N]
 *
 * The seed of each round is printed: --seed with it and --cases 1 plays that round again, exactly
 * if it had one thread.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include "fuzz_args.h"

#define ROUND_CALLS	600	/* of each thread */
#define MAX_THREADS	4

/* What the rounds add up, in memory that outlives them. */
static struct totals {
	uint64_t calls, done[FUZZ_MAX_CALLS], tried[FUZZ_MAX_CALLS];
} *totals;

static struct world *w;

struct worker {
	pthread_t thread;
	struct rng r;
	unsigned int calls;
	bool keeper;		/* replaces VMs */
};

/* ---- objects ---- */

static void add_vcpu(struct vm_objects *v, unsigned long id)
{
	int n = v->nr_vcpus, fd = ioctl(v->vm, KVM_CREATE_VCPU, id);
	void *run;

	if (fd < 0)
		return;
	if (n >= FUZZ_VCPUS) {
		close(fd);
		return;
	}
	run = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	v->run[n] = run == MAP_FAILED ? NULL : run;
	v->vcpu[n] = fd;
	v->nr_vcpus = n + 1;
}

static void give_cpuid(struct vm_objects *v, struct rng *r)
{
	int i;

	for (i = 0; i < v->nr_vcpus; i++)
		if (!one_in(r, 4))
			ioctl(v->vcpu[i], KVM_SET_CPUID2, supported_cpuid(w->kvm));
}

static void make_vm(struct vm_objects *v, struct rng *r)
{
	struct kvm_enable_cap split = { .cap = KVM_CAP_SPLIT_IRQCHIP, .args = { 24 } };
	struct kvm_userspace_memory_region m = {
		.memory_size = 64 * PAGE, .userspace_addr = (uintptr_t)w->arena,
	};
	struct kvm_pit_config pit = {};
	unsigned int i, n = below(r, FUZZ_VCPUS);

	v->vm = ioctl(w->kvm, KVM_CREATE_VM, 0);
	v->nr_vcpus = 0;
	v->irqchip = below(r, 3);
	if (v->irqchip == TEST_IRQCHIP_FULL)
		ioctl(v->vm, KVM_CREATE_IRQCHIP, 0);
	if (v->irqchip == TEST_IRQCHIP_SPLIT)
		ioctl(v->vm, KVM_ENABLE_CAP, &split);
	if (v->irqchip == TEST_IRQCHIP_FULL && one_in(r, 2))
		ioctl(v->vm, KVM_CREATE_PIT2, &pit);
	if (!one_in(r, 8))
		ioctl(v->vm, KVM_SET_USER_MEMORY_REGION, &m);
	for (i = 0; i < n; i++)
		add_vcpu(v, i);
	give_cpuid(v, r);
}

static void drop_vm(struct vm_objects *v)
{
	int i, n = v->nr_vcpus;

	v->nr_vcpus = 0;
	for (i = 0; i < n; i++) {
		/* Another thread may be writing to it: memory of nobody takes its place. */
		if (v->run[i])
			mmap(v->run[i], 3 * PAGE, PROT_READ | PROT_WRITE,
			     MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		close(v->vcpu[i]);
	}
	close(v->vm);
}

/* ---- calls beside the ioctls ---- */

static void touch_memory(struct rng *r)
{
	uint8_t *p = w->arena + below(r, ARENA / PAGE) * PAGE;
	size_t len = (1 + below(r, 16)) * PAGE;

	if (p + len > w->arena + ARENA)
		len = w->arena + ARENA - p;
	switch (below(r, 7)) {
	case 0:
		madvise(p, len, MADV_DONTNEED);
		break;
	case 1:
		mprotect(p, len, PROT_READ);
		break;
	case 2:
		mprotect(p, len, PROT_NONE);
		break;
	case 3:
		madvise(p, len, MADV_HUGEPAGE);
		break;
	case 4:
		madvise(p, len, 21 /* MADV_PAGEOUT */);
		break;
	default:
		mmap(p, len, PROT_READ | PROT_WRITE,
		     MAP_FIXED | MAP_ANONYMOUS | (one_in(r, 2) ? MAP_SHARED : MAP_PRIVATE), -1, 0);
	}
}

static void scribble(struct vm_objects *v, struct rng *r)
{
	int n = below(r, FUZZ_VCPUS);
	volatile uint64_t *run = n < v->nr_vcpus ? (void *)v->run[n] : NULL;
	unsigned int i;

	if (!run)
		return;
	for (i = 0; i < 8; i++) {
		unsigned int at = below(r, 3 * PAGE / 8);

		/* Not the special registers in it: see fill_sregs(). */
		if (w->tcg && at < PAGE / 8 && at >= offsetof(struct kvm_run, kvm_valid_regs) / 8)
			at %= offsetof(struct kvm_run, kvm_valid_regs) / 8;
		run[at] = odd_value(r);
	}
	((volatile struct kvm_run *)run)->kvm_valid_regs = below(r, 8);
	((volatile struct kvm_run *)run)->kvm_dirty_regs = one_in(r, 8) ? KVM_SYNC_X86_REGS : 0;
}

/* Another process with the same files: every ioctl of a VM says -EIO there. */
static void borrow(struct vm_objects *v, struct rng *r)
{
	static __thread struct call_args a;
	pid_t pid = fork();
	int i;

	if (!pid) {
		alarm(5);
		for (i = 0; i < 4; i++) {
			const struct call *c = choose_call(r);

			int fd = call_fd(w, v, c, r);

			fill_args(w, v, c, fd, r, &a);
			ioctl(fd, c->cmd, a.arg);
		}
		_exit(0);
	}
	if (pid > 0)
		waitpid(pid, NULL, 0);
}

static void read_stats(struct vm_objects *v, struct rng *r)
{
	static __thread uint8_t buf[8192];
	int fd = ioctl(one_in(r, 2) ? v->vm : v->vcpu[0], KVM_GET_STATS_FD, NULL);

	if (fd < 0)
		return;
	pread(fd, buf, below(r, sizeof(buf)), odd_value(r) & 0x7fffffffffffffff);
	pread(fd, buf, sizeof(buf), 0);
	close(fd);
}

static void map_something(struct vm_objects *v, struct rng *r)
{
	int fd = one_in(r, 4) ? v->vm : v->vcpu[below(r, FUZZ_VCPUS)];
	size_t len = (1 + below(r, 6)) * PAGE;
	void *p = mmap(NULL, len, below(r, 8), one_in(r, 2) ? MAP_SHARED : MAP_PRIVATE, fd,
		       below(r, 80) * PAGE);

	if (p == MAP_FAILED)
		return;
	madvise(p, len, below(r, 26));
	munmap(p, len);
}

static void beside(struct worker *me, struct vm_objects *v)
{
	struct rng *r = &me->r;

	switch (below(r, 12)) {
	case 0 ... 2:
		touch_memory(r);
		break;
	case 3 ... 5:
		scribble(v, r);
		break;
	case 6:
		read_stats(v, r);
		break;
	case 7:
		map_something(v, r);
		break;
	case 8:
		if (one_in(r, 4))
			borrow(v, r);
		break;
	case 9:
		eventfd_write(w->event[below(r, FUZZ_EVENTS)], 1);
		break;
	case 10:
		add_vcpu(v, one_in(r, 8) ? odd_value(r) : below(r, 6));
		break;
	default:
		/* Only one thread replaces VMs: descriptors are anybody's game. */
		if (me->keeper && one_in(r, 4)) {
			drop_vm(v);
			make_vm(v, r);
		}
	}
}

/* ---- rounds ---- */

static void ioctl_once(struct vm_objects *v, struct rng *r)
{
	const struct call *c = choose_call(r);
	static __thread struct call_args a;
	unsigned int n = c - calls;
	int fd = call_fd(w, v, c, r), ret;

	fill_args(w, v, c, fd, r, &a);
	ret = ioctl(fd, c->cmd, a.arg);
	__atomic_fetch_add(&totals->tried[n], 1, __ATOMIC_RELAXED);
	if (ret < 0)
		return;
	__atomic_fetch_add(&totals->done[n], 1, __ATOMIC_RELAXED);
	if (c->makes_fd && ret > 2)
		close(ret);
}

static void *work(void *arg)
{
	struct worker *me = arg;
	unsigned int i;

	fuzz_kick_me(4);
	for (i = 0; i < me->calls; i++) {
		struct vm_objects *v = &w->vm[below(&me->r, FUZZ_VMS)];

		if (one_in(&me->r, 6))
			beside(me, v);
		else
			ioctl_once(v, &me->r);
		__atomic_fetch_add(&totals->calls, 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

static void round_child(uint64_t seed, unsigned int threads)
{
	static struct worker workers[MAX_THREADS];
	struct rlimit fds = { 200, 200 };
	struct rng r = { seed };
	unsigned int i;

	setrlimit(RLIMIT_NOFILE, &fds);
	w = world_new(&r);
	for (i = 0; i < FUZZ_VMS; i++)
		make_vm(&w->vm[i], &r);
	for (i = 0; i < threads; i++) {
		workers[i].r.s = seed * 31 + i + 1;
		workers[i].calls = ROUND_CALLS;
	}
	workers[0].keeper = true;
	for (i = 1; i < threads; i++)
		pthread_create(&workers[i].thread, NULL, work, &workers[i]);
	work(&workers[0]);
	for (i = 1; i < threads; i++)
		pthread_join(workers[i].thread, NULL);
	_exit(0);
}

/* False if the child ended as it should not. */
static bool round_run(uint64_t seed, unsigned int threads)
{
	struct rng r = { ~seed };
	uint64_t target = totals->calls + 20 + below(&r, threads * ROUND_CALLS);
	bool victim = one_in(&r, 2);
	int status = 0;
	pid_t pid = fork();

	if (!pid)
		round_child(seed, threads);
	if (pid < 0)
		return false;
	while (victim && !waitpid(pid, &status, WNOHANG)) {
		if (__atomic_load_n(&totals->calls, __ATOMIC_RELAXED) >= target)
			kill(pid, SIGKILL);
		usleep(500);
	}
	if (!victim)
		waitpid(pid, &status, 0);
	if (WIFEXITED(status) && !WEXITSTATUS(status))
		return true;
	if (victim && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
		return true;
	printf("# the process of seed %#llx ended with status %#x\n", (unsigned long long)seed,
	       status);
	return false;
}

/* Which calls came through: a fuzzer that is refused everything has tested little. */
static void report(void)
{
	uint64_t done = 0, tried = 0;
	unsigned int i;

	printf("# never succeeded:");
	for (i = 0; i < nr_calls; i++) {
		done += totals->done[i];
		tried += totals->tried[i];
		if (!totals->done[i])
			printf(" %s", calls[i].name + 4);
	}
	printf("\n# %llu of %llu ioctls succeeded\n", (unsigned long long)done,
	       (unsigned long long)tried);
}

int main(int argc, char **argv)
{
	struct fuzz_options o = { .seed = 1, .cases = 40 };
	uint64_t end, n = 0;
	bool good = true;

	fuzz_arguments(&o, argc, argv);
	close(open_kvm());
	setvbuf(stdout, NULL, _IOLBF, 0);
	totals = fuzz_shared(sizeof(*totals));
	end = fuzz_ms() + o.seconds * 1000ull;
	printf("TAP version 13\n1..1\n");
	while (good && (o.seconds ? fuzz_ms() < end : n < o.cases)) {
		/* One thread now and then: such a round repeats. */
		unsigned int threads = o.threads ? o.threads : 1 + (o.seed + n) % MAX_THREADS;

		printf("# seed %#llx, %u threads\n", (unsigned long long)(o.seed + n), threads);
		good = round_run(o.seed + n, threads < MAX_THREADS ? threads : MAX_THREADS);
		n++;
	}
	report();
	printf("%sok 1 - %llu rounds, %llu calls\n", good ? "" : "not ", (unsigned long long)n,
	       (unsigned long long)totals->calls);
	return !good;
}
