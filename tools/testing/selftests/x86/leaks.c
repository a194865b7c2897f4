// SPDX-License-Identifier: GPL-2.0-only
/*
 * No byte of what KVM hands out comes from anywhere else: each ioctl that writes is called twice, on
 * new objects, after kernel memory and the caller's buffer were filled with another pattern. A kernel
 * that zeroes what it allocates hides such a fault: run it with init_on_alloc=0 too.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <poll.h>
#include <unistd.h>
#include "kselftest_harness.h"
#include "testvm.h"

#define BIG	16384
#define ROUNDS	8

enum where { DEVICE, VM, VCPU };

#define MAX_ASKS	32

static uint8_t outs[2][MAX_ASKS][BIG], out[2][BIG], junk[BIG];
static const uint8_t patterns[2] = { 0x55, 0xaa };

/* ---- other contents for the memory that the kernel takes next ---- */

/* Messages are accounted memory of any size that userspace fills. */
static void poison_heap(uint8_t pattern)
{
	static const size_t sizes[] = { 64, 96, 128, 192, 256, 512, 1024, 2048, 4096, 8192 };
	struct { long type; uint8_t text[8192]; } m = { .type = 1 };
	int q = msgget(IPC_PRIVATE, 0600), i, n;

	if (q < 0)
		return;
	memset(m.text, pattern, sizeof(m.text));
	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		size_t len = sizes[i] - 48;	/* the header is in front */

		for (n = 0; n < ROUNDS && !msgsnd(q, &m, len, IPC_NOWAIT); n++)
			;
		while (n--)
			msgrcv(q, &m, sizeof(m.text), 0, IPC_NOWAIT);
		memset(m.text, pattern, sizeof(m.text));
	}
	msgctl(q, IPC_RMID, NULL);
}

static void poison_stack(uint8_t pattern)
{
	struct pollfd fds[30];

	memset(fds, pattern | 0x80, sizeof(fds));	/* negative: ignored */
	poll(fds, 30, 0);
}

#define SET(cmd)	{ cmd, #cmd }
static const struct { unsigned long cmd; const char *name; } sets[] = {
	SET(KVM_SET_REGS), SET(KVM_SET_SREGS), SET(KVM_SET_SREGS2), SET(KVM_SET_FPU),
	SET(KVM_SET_LAPIC), SET(KVM_SET_MP_STATE), SET(KVM_SET_VCPU_EVENTS), SET(KVM_SET_DEBUGREGS),
	SET(KVM_SET_XSAVE), SET(KVM_SET_XCRS), SET(KVM_TRANSLATE), SET(KVM_SET_CLOCK),
	SET(KVM_SET_PIT2), SET(KVM_SET_IRQCHIP), SET(KVM_SET_PIT), SET(KVM_SET_GUEST_DEBUG),
};

/* The ioctl's own buffers: what another VM was told lies where the next result is made. */
static void poison_buffers(struct test_vm *other, uint8_t pattern)
{
	unsigned int i;

	for (i = 0; i < sizeof(sets) / sizeof(sets[0]); i++) {
		memset(junk, pattern, sizeof(junk));
		ioctl(other->vcpu[0].fd, sets[i].cmd, junk);
		memset(junk, pattern, sizeof(junk));
		ioctl(other->fd, sets[i].cmd, junk);
	}
}

/* ---- what is asked ---- */

#define CPUIDS(n)	(sizeof(struct kvm_cpuid2) + (n) * sizeof(struct kvm_cpuid_entry2))

/* Bytes [skip, skip_end) are of the time at which it is asked, or the caller's. */
struct ask {
	const char *name;
	unsigned long cmd;
	enum where where;
	size_t size, skip, skip_end;
	void (*prepare)(void *buf);
};

static struct test_vm *now;

static void irqchip_of(void *buf, uint32_t id)
{
	memset(buf, 0, sizeof(struct kvm_irqchip));	/* what the chip does not have stays the caller's */
	((struct kvm_irqchip *)buf)->chip_id = id;
}

static void irqchip0(void *buf) { irqchip_of(buf, 0); }
static void irqchip1(void *buf) { irqchip_of(buf, 1); }
static void irqchip2(void *buf) { irqchip_of(buf, 2); }

static void cpuid_list(void *buf)
{
	((struct kvm_cpuid2 *)buf)->nent = 120;
}

/* api.rst: the padding of what is passed in must be zero. */
static void empty_cpuid_list(void *buf)
{
	memset(buf, 0, CPUIDS(120));
	cpuid_list(buf);
}

static void msr_list(void *buf)
{
	((struct kvm_msr_list *)buf)->nmsrs = 400;
}

static void address(void *buf)
{
	memset(buf, 0, sizeof(struct kvm_translation));
	((struct kvm_translation *)buf)->linear_address = GPA_TABLES;
}

static void some_msrs(void *buf)
{
	static const uint32_t index[] = { 0x1b, 0x174, 0x175, 0x277, 0x2ff, 0x200, 0xc0000080,
					  0xc0000081, 0xc0000082, 0xfe, 0x17a };
	struct kvm_msrs *m = buf;
	unsigned int i;

	m->nmsrs = sizeof(index) / sizeof(index[0]);
	m->pad = 0;
	for (i = 0; i < m->nmsrs; i++) {
		m->entries[i].index = index[i];
		m->entries[i].reserved = 0;
	}
}

static void gsi(void *buf)
{
	struct kvm_irq_level *l = buf;

	l->irq = 20;
	l->level = 0;
}

#define ASK(num, whose, type, ...) \
	{ .name = #num, .cmd = num, .where = whose, .size = sizeof(type), ##__VA_ARGS__ }
#define ASK_LIST(num, whose, bytes, fn) \
	{ .name = #num, .cmd = num, .where = whose, .size = bytes, .prepare = fn }
#define CLOCK(f)	offsetof(struct kvm_clock_data, f)

static const struct ask asks[] = {
	ASK(KVM_GET_REGS, VCPU, struct kvm_regs),
	ASK(KVM_GET_SREGS, VCPU, struct kvm_sregs),
	ASK(KVM_GET_SREGS2, VCPU, struct kvm_sregs2),
	ASK(KVM_GET_FPU, VCPU, struct kvm_fpu),
	ASK(KVM_GET_LAPIC, VCPU, struct kvm_lapic_state),
	ASK(KVM_GET_MP_STATE, VCPU, struct kvm_mp_state),
	ASK(KVM_GET_VCPU_EVENTS, VCPU, struct kvm_vcpu_events),
	ASK(KVM_GET_DEBUGREGS, VCPU, struct kvm_debugregs),
	ASK(KVM_GET_XSAVE, VCPU, struct kvm_xsave),
	ASK(KVM_GET_XSAVE2, VCPU, struct kvm_xsave),
	ASK(KVM_GET_XCRS, VCPU, struct kvm_xcrs),
	ASK(KVM_TRANSLATE, VCPU, struct kvm_translation, .prepare = address),
	ASK_LIST(KVM_GET_MSRS, VCPU, sizeof(struct kvm_msrs) + 11 * 16, some_msrs),
	ASK_LIST(KVM_GET_CPUID2, VCPU, CPUIDS(120), cpuid_list),
	ASK_LIST(KVM_GET_SUPPORTED_CPUID, DEVICE, CPUIDS(120), cpuid_list),
	ASK_LIST(KVM_GET_EMULATED_CPUID, DEVICE, CPUIDS(120), empty_cpuid_list),
	ASK_LIST(KVM_GET_MSR_INDEX_LIST, DEVICE, 4 * 401, msr_list),
	ASK_LIST(KVM_GET_MSR_FEATURE_INDEX_LIST, DEVICE, 4 * 401, msr_list),
	ASK(KVM_X86_GET_MCE_CAP_SUPPORTED, DEVICE, uint64_t),
	ASK(KVM_GET_IRQCHIP, VM, struct kvm_irqchip, .prepare = irqchip0),
	ASK(KVM_GET_IRQCHIP, VM, struct kvm_irqchip, .prepare = irqchip1),
	ASK(KVM_GET_IRQCHIP, VM, struct kvm_irqchip, .prepare = irqchip2),
	ASK(KVM_GET_PIT2, VM, struct kvm_pit_state2),
	ASK(KVM_IRQ_LINE_STATUS, VM, struct kvm_irq_level, .prepare = gsi),
	/* clock; realtime and host_tsc, if the flags have them */
	ASK(KVM_GET_CLOCK, VM, struct kvm_clock_data, .skip = CLOCK(clock),
	    .skip_end = CLOCK(pad)),
};

static int fd_of(const struct ask *a)
{
	return a->where == DEVICE ? now->kvm : a->where == VM ? now->fd : now->vcpu[0].fd;
}

/* Elements that the caller's buffer has room for and the result does not are the caller's. */
static size_t length(const struct ask *a, const void *buf)
{
	/* Before 6.12 stock KVM writes what it has, and leaves the count as it was. */
	if (a->cmd == KVM_GET_CPUID2 && !on_keel())
		return 8;
	if (a->prepare == cpuid_list || a->prepare == empty_cpuid_list)
		return CPUIDS(((const struct kvm_cpuid2 *)buf)->nent);
	if (a->prepare == msr_list)
		return 4 + 4 * ((const struct kvm_msr_list *)buf)->nmsrs;
	return a->size;
}

static void blank(const struct ask *a, uint8_t *buf)
{
	if (a->skip_end)
		memset(buf + a->skip, 0, a->skip_end - a->skip);
	/* Times at which a count was loaded, and the caller's word in front of a list. */
	if (a->cmd == KVM_GET_PIT2) {
		struct kvm_pit_state2 *s = (void *)buf;
		int i;

		for (i = 0; i < 3; i++)
			s->channels[i].count_load_time = 0;
	}
	if (a->prepare == cpuid_list)
		((struct kvm_cpuid2 *)buf)->padding = 0;
	if (a->cmd == KVM_GET_CPUID2 || a->cmd == KVM_GET_SUPPORTED_CPUID) {
		struct kvm_cpuid2 *c = (void *)buf;
		uint32_t i;

		/* The APIC id and what else is of the CPU that happens to ask. */
		for (i = 0; i < c->nent && i < 120; i++) {
			if (c->entries[i].function == 1)
				c->entries[i].ebx &= 0xffffff;
			if (c->entries[i].function == 0xb || c->entries[i].function == 0x1f)
				c->entries[i].edx = 0;
			if (c->entries[i].function == 0x8000001e)
				c->entries[i].eax = c->entries[i].ebx = c->entries[i].ecx = 0;
		}
	}
}

#define NR_ASKS	(sizeof(asks) / sizeof(asks[0]))
_Static_assert(NR_ASKS <= MAX_ASKS, "outs");

/* Index of the first ioctl that failed, or -1. */
static int ask_all(uint8_t pattern, uint8_t buf[][BIG])
{
	struct kvm_pit_config pit = {};
	struct test_vm vm, other;
	int i, failed = -1;

	vm_create(&other, TEST_IRQCHIP_FULL);
	ioctl(other.fd, KVM_CREATE_PIT2, &pit);
	vcpu_create(&other, 0);
	poison_heap(pattern);
	poison_stack(pattern);
	vm_create(&vm, TEST_IRQCHIP_FULL);
	ioctl(vm.fd, KVM_CREATE_PIT2, &pit);
	vcpu_create(&vm, 0);
	now = &vm;
	for (i = 0; i < NR_ASKS; i++) {
		memset(buf[i], pattern, BIG);
		if (asks[i].prepare)
			asks[i].prepare(buf[i]);
		poison_heap(pattern);
		poison_buffers(&other, pattern);
		if (ioctl(fd_of(&asks[i]), asks[i].cmd, buf[i]) < 0 && failed < 0)
			failed = i;
	}
	vm_destroy(&vm);
	vm_destroy(&other);
	return failed;
}

static void compare(struct __test_metadata *_metadata, const struct ask *a, uint8_t *x, uint8_t *y)
{
	size_t n, len;

	blank(a, x);
	blank(a, y);
	len = length(a, x);
	ASSERT_EQ(len, length(a, y)) TH_LOG("%s", a->name);
	ASSERT_LE(len, BIG);
	for (n = 0; n < len && x[n] == y[n]; n++)
		;
	EXPECT_EQ(len, n) TH_LOG("%s: byte %zu is 0x%x or 0x%x", a->name, n, x[n], y[n]);
	/* Not a byte behind the end. */
	for (n = a->size; n < BIG && x[n] == patterns[0] && y[n] == patterns[1]; n++)
		;
	EXPECT_EQ(BIG, n) TH_LOG("%s writes behind its end", a->name);
}

TEST(of_each_ioctl)
{
	unsigned int i;

	for (i = 0; i < 2; i++) {
		int failed = ask_all(patterns[i], outs[i]);

		ASSERT_EQ(-1, failed) TH_LOG("%s", asks[failed].name);
	}
	for (i = 0; i < NR_ASKS; i++)
		compare(_metadata, &asks[i], outs[0][i], outs[1][i]);
}

static void guest_exits(void)
{
	uint8_t in;

	__asm__ volatile("inb %w1, %b0" : "=a" (in) : "d" (0x301));
	*(volatile uint8_t *)GPA_MMIO = in;
	*(volatile uint32_t *)(GPA_MMIO + 4);
	guest_done();
}

/* What userspace maps: each page, after each exit. */
TEST(of_the_mapping)
{
	static uint8_t seen[2][3][3 * 4096];
	struct kvm_pit_config pit = {};
	struct test_vm vm;
	int i, n;

	for (i = 0; i < 2; i++) {
		poison_heap(patterns[i]);
		vm_create(&vm, TEST_IRQCHIP_FULL);
		ioctl(vm.fd, KVM_CREATE_PIT2, &pit);
		vcpu_create(&vm, 0);
		poison_heap(patterns[i]);
		vm.vcpu[0].run->kvm_valid_regs = KVM_SYNC_X86_VALID_FIELDS;
		vcpu_start(&vm.vcpu[0], guest_exits);
		for (n = 0; n < 3; n++) {
			do {
				errno = 0;
			} while (ioctl(vm.vcpu[0].fd, KVM_RUN, 0) && errno == EINTR);
			EXPECT_EQ(0, errno);
			memcpy(seen[i][n], vm.vcpu[0].run, sizeof(seen[i][n]));
		}
		vm_destroy(&vm);
	}
	for (n = 0; n < 3; n++)
		for (i = 0; i < sizeof(seen[0][n]); i++)
			EXPECT_EQ(seen[0][n][i], seen[1][n][i]) TH_LOG("exit %d, byte 0x%x", n, i);
}

/* What follows the header of the statistics: names and descriptors, without values. */
TEST(of_statistics)
{
	struct kvm_stats_header h;
	struct test_vm vm;
	size_t len = 0;
	int i, fd;

	for (i = 0; i < 2; i++) {
		poison_heap(patterns[i]);
		vm_create(&vm, TEST_IRQCHIP_NONE);
		vcpu_create(&vm, 0);
		poison_heap(patterns[i]);
		fd = ioctl(vm.vcpu[0].fd, KVM_GET_STATS_FD, 0);
		ASSERT_GE(fd, 0);
		ASSERT_EQ(sizeof(h), pread(fd, &h, sizeof(h), 0));
		len = h.data_offset;
		ASSERT_LE(len, BIG);
		memset(out[i], patterns[i], BIG);
		ASSERT_EQ(len, pread(fd, out[i], len, 0));
		/* The id names the process and the file: "kvm-1234/vcpu-0". */
		memset(out[i] + h.id_offset, 0, h.name_size);
		close(fd);
		vm_destroy(&vm);
	}
	for (i = 0; i < len; i++)
		EXPECT_EQ(out[0][i], out[1][i]) TH_LOG("byte %d", i);
}

TEST_HARNESS_MAIN
