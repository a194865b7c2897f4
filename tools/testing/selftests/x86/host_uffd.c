// SPDX-License-Identifier: GPL-2.0-only
/*
 * Userfaultfd under a guest: pages that are missing, that are in a file and not mapped (minor), and that
 * are write-protected. The guest waits in KVM_RUN until the VMM has dealt with the page.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>
#include "kselftest_harness.h"
#include "hostmem.h"

#define PAGES	256ull
#define SIZE	(PAGES * PAGE)

FIXTURE(uffd)
{
	struct test_vm vm;
	struct test_vcpu *v;
	uint8_t *mem, *alias;	/* two mappings of one file where the fixture has a file */
	int fd;
};

FIXTURE_SETUP(uffd)
{
	vm_create(&self->vm, TEST_IRQCHIP_NONE);
	self->v = vcpu_create(&self->vm, 0);
	self->fd = -1;
	vcpu_start(self->v, hm_guest);
}

FIXTURE_TEARDOWN(uffd)
{
	vm_destroy(&self->vm);
	if (self->fd >= 0)
		close(self->fd);
}

static int open_uffd(uint64_t features)
{
	struct uffdio_api api = { .api = UFFD_API, .features = features };
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);

	if (fd >= 0 && ioctl(fd, UFFDIO_API, &api)) {
		close(fd);
		return -1;
	}
	return fd;
}

static int watch(int fd, void *mem, uint64_t mode)
{
	struct uffdio_register r = {
		.range = { .start = (uintptr_t)mem, .len = SIZE }, .mode = mode,
	};

	return ioctl(fd, UFFDIO_REGISTER, &r);
}

/* The VMM's thread: it is told of a page and deals with it. */
struct handler {
	int		fd;
	uint8_t		*mem;
	uint64_t	faults, writes, wrong;
	uint8_t		asked[PAGES];
	void		(*deal)(struct handler *h, uint64_t page);
	volatile bool	stop;
};

static void *handle(void *p)
{
	struct handler *h = p;
	struct pollfd pfd = { .fd = h->fd, .events = POLLIN };
	struct uffd_msg m;

	while (!h->stop) {
		uint64_t page;

		if (poll(&pfd, 1, 50) != 1 || read(h->fd, &m, sizeof(m)) != sizeof(m))
			continue;
		page = (m.arg.pagefault.address - (uintptr_t)h->mem) / PAGE;
		if (m.event != UFFD_EVENT_PAGEFAULT || page >= PAGES) {
			h->wrong++;
			continue;
		}
		h->faults++;
		h->asked[page]++;
		h->writes += !!(m.arg.pagefault.flags & UFFD_PAGEFAULT_FLAG_WRITE);
		h->deal(h, page);
	}
	return NULL;
}

static void deal_missing(struct handler *h, uint64_t page)
{
	static uint64_t data[PAGE / 8];
	struct uffdio_copy c = {
		.dst = (uintptr_t)h->mem + page * PAGE, .src = (uintptr_t)data, .len = PAGE,
	};

	hm_tag[page] = 0xc0de000000000000ull | page << 24;
	data[0] = hm_tag[page];
	if (ioctl(h->fd, UFFDIO_COPY, &c) && errno != EEXIST)
		h->wrong++;
}

static void deal_minor(struct handler *h, uint64_t page)
{
	struct uffdio_continue c = {
		.range = { .start = (uintptr_t)h->mem + page * PAGE, .len = PAGE },
	};

	if (ioctl(h->fd, UFFDIO_CONTINUE, &c) && errno != EEXIST)
		h->wrong++;
}

static int protect(int fd, uint8_t *at, uint64_t pages, bool on)
{
	struct uffdio_writeprotect w = {
		.range = { .start = (uintptr_t)at, .len = pages * PAGE },
		.mode = on ? UFFDIO_WRITEPROTECT_MODE_WP : 0,
	};

	return ioctl(fd, UFFDIO_WRITEPROTECT, &w);
}

static void deal_protected(struct handler *h, uint64_t page)
{
	/* The page as it was before the write: what a snapshot takes. */
	if (*(volatile uint64_t *)(h->mem + page * PAGE) != hm_tag[page] &&
	    *(volatile uint64_t *)(h->mem + page * PAGE) != hm_tag[page] - 1)
		h->wrong++;
	if (protect(h->fd, h->mem + page * PAGE, 1, false))
		h->wrong++;
}

#define START(h)	pthread_create(&thread, NULL, handle, h)
#define STOP(h)		do { (h)->stop = true; pthread_join(thread, NULL); } while (0)

TEST_F_TIMEOUT(uffd, missing, 120)
{
	static struct handler h;
	pthread_t thread;
	uint64_t i;

	h = (struct handler){ .fd = open_uffd(0), .deal = deal_missing };
	if (h.fd < 0)
		SKIP(return, "no userfaultfd");
	h.mem = self->mem = hm_map(SIZE, false);
	ASSERT_EQ(0, watch(h.fd, h.mem, UFFDIO_REGISTER_MODE_MISSING));
	ASSERT_EQ(0, vm_set_region(&self->vm, SLOT_FREE, GPA_FREE, SIZE, h.mem, 0));
	ASSERT_EQ(0, START(&h));
	/* The handler sets what is expected before it lets the guest have the page. */
	hm_work(self->v, 0, PAGES, true);
	EXPECT_EQ(PAGES, h.faults);
	hm_work(self->v, 0, PAGES, true);
	EXPECT_EQ(PAGES, h.faults);
	/* Post-copy once more for what is dropped. */
	ASSERT_EQ(0, madvise(h.mem + 10 * PAGE, 20 * PAGE, MADV_DONTNEED));
	hm_work(self->v, 0, PAGES, true);
	EXPECT_EQ(PAGES + 20, h.faults);
	STOP(&h);
	EXPECT_EQ(0, h.wrong);
	for (i = 0; i < PAGES; i++)
		EXPECT_EQ(1 + (i >= 10 && i < 30), h.asked[i]);
	EXPECT_EQ(0, hm_wrong(h.mem, 0, PAGES));
	close(h.fd);
}

static void *signal_later(void *thread)
{
	usleep(100000);
	pthread_kill(*(pthread_t *)thread, SIGUSR1);
	return NULL;
}

static void on_usr1(int sig)
{
}

/* Nobody brings the page: a signal ends the wait for it all the same. */
TEST_F_TIMEOUT(uffd, signal_while_missing, 60)
{
	struct sigaction a = { .sa_handler = on_usr1 };
	struct handler h = { .fd = open_uffd(0) };
	pthread_t thread, own = pthread_self();
	unsigned int major, minor;
	struct utsname u;

	uname(&u);
	if (sscanf(u.release, "%u.%u", &major, &minor) != 2 || major < 6 || (major == 6 && minor < 2))
		SKIP(return, "Linux 6.1 waits for fatal signals only");
	if (h.fd < 0)
		SKIP(return, "no userfaultfd");
	sigaction(SIGUSR1, &a, NULL);
	h.mem = self->mem = hm_map(SIZE, false);
	ASSERT_EQ(0, watch(h.fd, h.mem, UFFDIO_REGISTER_MODE_MISSING));
	ASSERT_EQ(0, vm_set_region(&self->vm, SLOT_FREE, GPA_FREE, SIZE, h.mem, 0));
	hm_first = 0;
	hm_count = 1;
	ASSERT_EQ(0, pthread_create(&thread, NULL, signal_later, &own));
	EXPECT_ERR(EINTR, ioctl(self->v->fd, KVM_RUN, 0));
	pthread_join(thread, NULL);
	deal_missing(&h, 0);
	hm_work(self->v, 0, 1, true);
	EXPECT_EQ(0, h.wrong);
	close(h.fd);
}

TEST_F_TIMEOUT(uffd, minor, 120)
{
	static struct handler h;
	pthread_t thread;

	h = (struct handler){ .fd = open_uffd(UFFD_FEATURE_MINOR_SHMEM), .deal = deal_minor };
	if (h.fd < 0)
		SKIP(return, "no minor faults of shmem");
	self->fd = memfd_create("minor", 0);
	ASSERT_EQ(0, ftruncate(self->fd, SIZE));
	h.mem = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, self->fd, 0);
	self->alias = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, self->fd, 0);
	ASSERT_NE(MAP_FAILED, h.mem);
	ASSERT_NE(MAP_FAILED, self->alias);
	/* The pages are in the file, by the other mapping. */
	hm_fill(self->alias, 0, PAGES);
	ASSERT_EQ(0, watch(h.fd, h.mem, UFFDIO_REGISTER_MODE_MINOR));
	ASSERT_EQ(0, vm_set_region(&self->vm, SLOT_FREE, GPA_FREE, SIZE, h.mem, 0));
	ASSERT_EQ(0, START(&h));
	hm_work(self->v, 0, PAGES, true);
	EXPECT_EQ(PAGES, h.faults);
	hm_work(self->v, 0, PAGES, true);
	STOP(&h);
	EXPECT_EQ(PAGES, h.faults);
	EXPECT_EQ(0, h.wrong);
	EXPECT_EQ(0, hm_wrong(self->alias, 0, PAGES));
	close(h.fd);
}

TEST_F_TIMEOUT(uffd, write_protect, 120)
{
	static struct handler h;
	pthread_t thread;
	int round;

	h = (struct handler){ .fd = open_uffd(UFFD_FEATURE_PAGEFAULT_FLAG_WP),
			      .deal = deal_protected };
	if (h.fd < 0)
		SKIP(return, "no write protection by userfaultfd");
	h.mem = self->mem = hm_map(SIZE, false);
	hm_fill(h.mem, 0, PAGES);
	ASSERT_EQ(0, watch(h.fd, h.mem, UFFDIO_REGISTER_MODE_WP));
	ASSERT_EQ(0, vm_set_region(&self->vm, SLOT_FREE, GPA_FREE, SIZE, h.mem, 0));
	hm_work(self->v, 0, PAGES, true);
	ASSERT_EQ(0, START(&h));
	for (round = 0; round < 3; round++) {
		ASSERT_EQ(0, protect(h.fd, h.mem, PAGES, true));
		h.faults = h.writes = 0;
		/* Reading asks nobody; each first write does. */
		hm_work(self->v, 0, PAGES, false);
		EXPECT_EQ(0, h.faults);
		hm_work(self->v, 0, PAGES / 2, true);
		EXPECT_EQ(PAGES / 2, h.faults);
		EXPECT_EQ(PAGES / 2, h.writes);
		hm_work(self->v, 0, PAGES / 2, true);
		EXPECT_EQ(PAGES / 2, h.faults);
		hm_work(self->v, 0, PAGES, true);
		EXPECT_EQ(PAGES, h.faults);
	}
	STOP(&h);
	EXPECT_EQ(0, h.wrong);
	EXPECT_EQ(0, hm_wrong(h.mem, 0, PAGES));
	close(h.fd);
}

/* --- the VM is closed, or the process ends, while somebody waits for a page that nobody brings --- */

#define MSR_WALL_CLOCK	0x4b564d00
#define FAR_AWAY	(1ull << 39)		/* the second entry of the PML4 */

enum waits { BY_GUEST, BY_WALL_CLOCK, BY_TRANSLATE };

FIXTURE(closing)
{
	struct test_vm vm;
	struct test_vcpu *v;
	uint8_t *mem;
	int uffd, line, told, msi;
};

FIXTURE_VARIANT(closing)
{
	enum waits by;
};

FIXTURE_VARIANT_ADD(closing, access_of_the_guest) { BY_GUEST };
FIXTURE_VARIANT_ADD(closing, store_by_kvm) { BY_WALL_CLOCK };
FIXTURE_VARIANT_ADD(closing, table_read_by_an_ioctl) { BY_TRANSLATE };

static void guest_reads_page(void)
{
	guest_sync(*(volatile uint64_t *)GPA_FREE);
}

static void guest_asks_the_time(void)
{
	guest_wrmsr(MSR_WALL_CLOCK, GPA_FREE);
	guest_sync(0);
}

/* Everything that a close has to take leave of: both kinds of irqfd, and the chips they are on. */
static bool build_closing(FIXTURE_DATA(closing) *self, enum waits by)
{
	struct kvm_irqfd msi = { .gsi = 5 }, line = { .gsi = 20, .flags = KVM_IRQFD_FLAG_RESAMPLE };

	vm_create(&self->vm, TEST_IRQCHIP_FULL);
	self->v = vcpu_create(&self->vm, 0);
	vcpu_start(self->v, by == BY_WALL_CLOCK ? guest_asks_the_time : guest_reads_page);
	self->mem = hm_map(SIZE, false);
	if (watch(self->uffd, self->mem, UFFDIO_REGISTER_MODE_MISSING) ||
	    vm_set_region(&self->vm, SLOT_FREE, GPA_FREE, SIZE, self->mem, 0))
		return false;
	self->vm.tables[1] = GPA_FREE | 3;
	msi.fd = self->msi = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	line.fd = self->line = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	line.resamplefd = self->told = eventfd(0, EFD_CLOEXEC);
	return !ioctl(self->vm.fd, KVM_IRQFD, &msi) && !ioctl(self->vm.fd, KVM_IRQFD, &line);
}

FIXTURE_SETUP(closing)
{
	self->vm.fd = -1;
}

FIXTURE_TEARDOWN(closing)
{
}

struct waiter {
	FIXTURE_DATA(closing) *self;
	enum waits by;
	volatile bool done;
	volatile int ret;
};

static void *wait_for_page(void *p)
{
	struct waiter *w = p;
	struct kvm_translation t = { .linear_address = FAR_AWAY };

	if (w->by == BY_TRANSLATE)
		w->ret = ioctl(w->self->v->fd, KVM_TRANSLATE, &t);
	else
		w->ret = ioctl(w->self->v->fd, KVM_RUN, 0);
	w->done = true;
	return NULL;
}

/* The thread waits when userfaultfd says so. */
static bool page_is_wanted(int uffd)
{
	struct pollfd pfd = { .fd = uffd, .events = POLLIN };
	struct uffd_msg m;

	return poll(&pfd, 1, 60000) == 1 && read(uffd, &m, sizeof(m)) == sizeof(m) &&
	       m.event == UFFD_EVENT_PAGEFAULT;
}

static int set_many_routes(int fd)
{
	static struct {
		struct kvm_irq_routing r;
		struct kvm_irq_routing_entry e[1024];
	} routes;
	unsigned int i;

	routes.r.nr = 1024;
	for (i = 0; i < 1024; i++)
		routes.e[i] = (struct kvm_irq_routing_entry){
			.gsi = i, .type = KVM_IRQ_ROUTING_MSI, .u.msi.address_lo = 0xfee00000,
		};
	return ioctl(fd, KVM_SET_GSI_ROUTING, &routes);
}

/* The close comes back at once. What would wait for the reader, waits for ever: the test is ended then. */
TEST_F_TIMEOUT(closing, while_a_thread_waits, 120)
{
	static uint64_t zeros[PAGE / 8];
	struct waiter w = { .self = self, .by = variant->by };
	struct uffdio_copy c = { .src = (uintptr_t)zeros, .len = PAGE };
	struct kvm_irqfd bad = { .gsi = 5 };
	pthread_t thread;
	eventfd_t left;
	int i;

	self->uffd = open_uffd(0);
	if (self->uffd < 0)
		SKIP(return, "no userfaultfd");
	ASSERT_TRUE(build_closing(self, variant->by));
	ASSERT_EQ(0, pthread_create(&thread, NULL, wait_for_page, &w));
	ASSERT_TRUE(page_is_wanted(self->uffd));
	/* Irqfds come and go meanwhile, too. */
	bad.fd = self->msi;
	bad.flags = KVM_IRQFD_FLAG_DEASSIGN;
	EXPECT_EQ(0, ioctl(self->vm.fd, KVM_IRQFD, &bad));
	bad.flags = 0;
	EXPECT_EQ(0, ioctl(self->vm.fd, KVM_IRQFD, &bad));
	/* And routes, however many: an old table waits for its own readers only. */
	for (i = 0; i < 20; i++)
		EXPECT_EQ(0, set_many_routes(self->vm.fd));
	EXPECT_EQ(0, close(self->vm.fd));
	EXPECT_FALSE(w.done);
	/* The irqfds went with the file: what is written to them now stays there. */
	eventfd_write(self->msi, 1);
	eventfd_write(self->line, 1);
	EXPECT_EQ(0, eventfd_read(self->msi, &left));
	EXPECT_EQ(0, eventfd_read(self->line, &left));
	c.dst = (uintptr_t)self->mem;
	ASSERT_EQ(0, ioctl(self->uffd, UFFDIO_COPY, &c));
	pthread_join(thread, NULL);
	EXPECT_EQ(0, w.ret);
	close(self->v->fd);
}

/* A process with such a thread ends: the thread's wait is one that a fatal signal ends. */
TEST_F_TIMEOUT(closing, exit_while_a_thread_waits, 120)
{
	struct waiter w = { .self = self, .by = variant->by };
	pthread_t thread;
	int status, i;
	pid_t pid;

	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		self->uffd = open_uffd(0);
		if (self->uffd < 0)
			_exit(4);
		if (!build_closing(self, variant->by))
			_exit(3);
		if (pthread_create(&thread, NULL, wait_for_page, &w) ||
		    !page_is_wanted(self->uffd))
			_exit(1);
		_exit(w.done ? 2 : 0);
	}
	for (i = 0; i < 900; i++) {
		if (waitpid(pid, &status, WNOHANG) == pid)
			break;
		usleep(100000);
	}
	ASSERT_NE(900, i);
	ASSERT_TRUE(WIFEXITED(status));
	if (WEXITSTATUS(status) == 4)
		SKIP(return, "no userfaultfd");
	EXPECT_EQ(0, WEXITSTATUS(status));
}

TEST_HARNESS_MAIN
