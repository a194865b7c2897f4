/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Virtual machines for tests. The guest shares the test program's image: the
 * program is linked statically at a fixed low address, and that range is a
 * memory slot with gpa == hva, mapped in the guest at the same address. So guest
 * code is a C function, and guest and host see each other's global variables.
 *
 * Everything here ends the test program with a message when the host side fails
 * in a way that no test is about; what a test is about it asks for itself with ioctl().
 */
#ifndef TESTVM_H
#define TESTVM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <uapi/keel/kvm.h>

#define TEST_MAX_VCPUS	8
#define GUEST_STACK	16384

/* Guest-physical layout beside the program's image. */
#define GPA_TABLES	0xb0000000ull	/* page tables: identity map of the low 4 GiB in 2M pages */
#define GPA_FREE	0xc0000000ull	/* for the tests' own slots */
#define GPA_MMIO	0xd0000000ull	/* never a slot */

#define SLOT_IMAGE	0
#define SLOT_TABLES	1
#define SLOT_FREE	2

struct test_vcpu {
	int		fd;
	unsigned int	id;
	struct kvm_run	*run;
};

struct test_vm {
	int		kvm, fd;
	int		run_size;
	uint64_t	*tables;
	struct test_vcpu vcpu[TEST_MAX_VCPUS];
	unsigned int	nr_vcpus;
};

enum test_irqchip { TEST_IRQCHIP_NONE, TEST_IRQCHIP_SPLIT, TEST_IRQCHIP_FULL };

/* /dev/kvm open; KSFT_SKIP the program if there is none. */
int open_kvm(void);
/* A VM with the program's image and page tables. */
void vm_create(struct test_vm *vm, enum test_irqchip irqchip);
void vm_destroy(struct test_vm *vm);
/* Take away the slots that vm_create() made, and give them back: for what wants a VM without any. */
void vm_take_slots(struct test_vm *vm);
void vm_give_slots(struct test_vm *vm);
/* A vCPU with id @id, its kvm_run mapped and all of KVM_GET_SUPPORTED_CPUID set. */
struct test_vcpu *vcpu_create(struct test_vm *vm, unsigned int id);
/* 64-bit mode, interrupts off, at @fn with its own stack; IDT, GDT, TSS loaded. */
void vcpu_start(struct test_vcpu *vcpu, void (*fn)(void));
/* Real mode at CS:IP 0:@ip. */
void vcpu_start_real(struct test_vcpu *vcpu, uint16_t ip);
/* A code or data segment of 4 GiB from 0, at the CPL that @sel asks for; @bits: 16, 32 or 64. */
struct kvm_segment flat_segment(uint16_t sel, uint8_t type, unsigned int bits);
/* Memory for slot @slot at @gpa; returns its hva. @flags: KVM_MEM_*. */
void *vm_add_memory(struct test_vm *vm, unsigned int slot, uint64_t gpa, size_t size,
		    unsigned int flags);
int vm_set_region(struct test_vm *vm, unsigned int slot, uint64_t gpa, size_t size, void *hva,
		  unsigned int flags);
/* The offered CPUID table, in a static buffer. */
struct kvm_cpuid2 *supported_cpuid(int kvm);
/* A register of the offered CPUID: reg 0 eax .. 3 edx. */
uint32_t cpuid_reg(int kvm, uint32_t function, uint32_t index, int reg);
bool host_is_intel(void);
/* The KVM under test is Keel: for the few places where the kernel's own is known to differ from the manual. */
bool on_keel(void);
/* This test host is emulated by QEMU's TCG: for what that emulator cannot do with a nested guest. */
bool under_tcg(void);
int kvm_cap(int fd, long cap);
int64_t get_msr(int vcpu_fd, uint32_t index, uint64_t *val);	/* number read: 0 or 1 */
int64_t set_msr(int vcpu_fd, uint32_t index, uint64_t val);

#define EXPECT_ERR(err, call) \
	do { EXPECT_EQ(-1, call); EXPECT_EQ(err, errno); } while (0)
#define ASSERT_ERR(err, call) \
	do { ASSERT_EQ(-1, call); ASSERT_EQ(err, errno); } while (0)

/* ---- what a guest tells the host ---- */
enum guest_msg { MSG_NONE, MSG_SYNC, MSG_DONE, MSG_FAIL };
#define GUEST_PORT	0x2f0

/* KVM_RUN until the guest says something or another exit comes: MSG_NONE then. */
enum guest_msg vcpu_run(struct test_vcpu *vcpu, uint64_t *arg);
/* What the last exit was about is done (an OUT, a load), and the guest goes no further: KVM_RUN with immediate_exit. */
void vcpu_complete(struct test_vcpu *vcpu);
/* vcpu_run(), and the test program ends if it is not @want. Returns the message's argument. */
uint64_t vcpu_expect(struct test_vcpu *vcpu, enum guest_msg want);

/* ---- in the guest ---- */
static inline void guest_say(enum guest_msg msg, uint64_t arg)
{
	__asm__ volatile("outl %%eax, %%dx" : : "a" (msg), "d" (GUEST_PORT), "D" (arg) : "memory");
}

#define guest_sync(x)	guest_say(MSG_SYNC, (uint64_t)(x))
#define guest_done()	do { guest_say(MSG_DONE, 0); } while (1)
#define guest_assert(c)	do { if (!(c)) guest_say(MSG_FAIL, __LINE__); } while (0)

struct guest_frame {
	uint64_t r15, r14, r13, r12, r11, r10, r9, r8;
	uint64_t rdi, rsi, rbp, rbx, rdx, rcx, rax;
	uint64_t vector, error;
	uint64_t rip, cs, rflags, rsp, ss;
};

typedef void (*guest_handler)(struct guest_frame *f);
extern guest_handler guest_handlers[256];

/*
 * Run @insn (a string); what it raised: the vector, or -1. The error code, CR2 and DR6 are in
 * guest_error, guest_cr2, guest_dr6. Registers: use operands of the surrounding asm.
 */
extern uint64_t guest_fixup, guest_error, guest_cr2;
extern int64_t guest_vector;
extern uint64_t guest_fault_rip;
#define guest_try(insn, ...)							\
({										\
	guest_vector = -1;							\
	__asm__ volatile("movabs $1f, %%r11\n\tmovq %%r11, guest_fixup\n\t"	\
			 insn "\n1:\tmovq $0, guest_fixup"			\
			 __VA_ARGS__);						\
	guest_vector;								\
})

static inline uint64_t guest_rdmsr(uint32_t index)
{
	uint32_t lo, hi;

	__asm__ volatile("rdmsr" : "=a" (lo), "=d" (hi) : "c" (index));
	return lo | (uint64_t)hi << 32;
}

static inline void guest_wrmsr(uint32_t index, uint64_t val)
{
	__asm__ volatile("wrmsr" : : "a" ((uint32_t)val), "d" ((uint32_t)(val >> 32)),
			 "c" (index) : "memory");
}

static inline void guest_cpuid(uint32_t *a, uint32_t *b, uint32_t *c, uint32_t *d)
{
	__asm__ volatile("cpuid" : "+a" (*a), "=b" (*b), "+c" (*c), "=d" (*d));
}

static inline uint64_t guest_rdtsc(void)
{
	uint32_t lo, hi;

	__asm__ volatile("lfence; rdtsc" : "=a" (lo), "=d" (hi));
	return lo | (uint64_t)hi << 32;
}

#define guest_outb(port, val) \
	__asm__ volatile("outb %b0, %w1" : : "a" (val), "d" (port) : "memory")
#define guest_inb(port) \
({ uint8_t v_; __asm__ volatile("inb %w1, %b0" : "=a" (v_) : "d" (port) : "memory"); v_; })

static inline void guest_cli(void) { __asm__ volatile("cli" : : : "memory"); }
static inline void guest_sti(void) { __asm__ volatile("sti" : : : "memory"); }
static inline void guest_hlt(void) { __asm__ volatile("hlt" : : : "memory"); }
static inline void guest_sti_hlt(void) { __asm__ volatile("sti; hlt" : : : "memory"); }
static inline void guest_pause(void) { __asm__ volatile("pause" : : : "memory"); }

#endif
