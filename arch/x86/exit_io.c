// SPDX-License-Identifier: GPL-2.0-only
/*
 * Port I/O exits: a device of the kernel, a coalesced zone, or userspace.
 * IN and OUT are finished here; string forms go through the emulator.
 */
#include <linux/string.h>
#include "virt/compat/compat.h"
#include "arch/x86/x86.h"
#include "arch/x86/trace.h"

/* Bytes 0..size-1 of RAX change; a 4-byte IN clears the upper half like any 32-bit write. */
static void set_rax(struct x86_vcpu *vcpu, u32 val, int size)
{
	u64 *rax = &vcpu->regs.gpr[R_RAX];

	if (size == 4)
		*rax = val;
	else if (size == 2)
		*rax = (*rax & ~0xffffull) | (u16)val;
	else
		*rax = (*rax & ~0xffull) | (u8)val;
}

/*
 * Userspace may replace the state while an access waits for it (a write to the reset port, say):
 * then the instruction that waits is not the one at RIP and nothing is left to complete.
 */
static bool state_replaced(struct x86_vcpu *vcpu)
{
	return linear_rip(vcpu) != vcpu->emul.rip;
}

static verdict_t complete_in(struct x86_vcpu *vcpu)
{
	int size = vcpu->emul.pio.size;
	u32 val = 0;

	if (state_replaced(vcpu))
		return VERDICT_RESUME;

	/* The page is shared with userspace: one copy, then use. */
	memcpy(&val, vcpu->v.pio_data, size);
	trace_kvm_pio(KVM_EXIT_IO_IN, vcpu->emul.pio.port, size, 1, &val);
	set_rax(vcpu, val, size);
	return exit_skip(vcpu);
}

static verdict_t complete_out(struct x86_vcpu *vcpu)
{
	if (state_replaced(vcpu))
		return VERDICT_RESUME;
	return exit_skip(vcpu);
}

/* kvm_run.io for @count elements that lie (or will lie) in the pio page. */
void exit_fill_io(struct x86_vcpu *vcpu, bool in, u16 port, u8 size, u32 count)
{
	struct kvm_run *run = vcpu->v.run;

	run->exit_reason = KVM_EXIT_IO;
	run->io.direction = in ? KVM_EXIT_IO_IN : KVM_EXIT_IO_OUT;
	run->io.size = size;
	run->io.port = port;
	run->io.count = count;
	run->io.data_offset = KVM_PIO_PAGE_OFFSET * PAGE_SIZE;
	vcpu->v.stats.io_exits++;
}

static verdict_t exit_in(struct x86_vcpu *vcpu, const struct x86_io *io)
{
	u32 val = 0;

	if (io_bus_read(&vcpu->v, BUS_PIO, io->port, io->size, &val) == 0) {
		trace_kvm_pio(KVM_EXIT_IO_IN, io->port, io->size, 1, &val);
		set_rax(vcpu, val, io->size);
		return exit_skip(vcpu);
	}
	memset(vcpu->v.pio_data, 0, io->size);
	vcpu->emul.pio.port = io->port;
	vcpu->emul.pio.size = io->size;
	vcpu->emul.rip = linear_rip(vcpu);
	vcpu->complete = complete_in;
	exit_fill_io(vcpu, true, io->port, io->size, 1);
	return VERDICT_USER;
}

static verdict_t exit_out(struct x86_vcpu *vcpu, const struct x86_io *io)
{
	u32 val = vcpu->regs.gpr[R_RAX];

	trace_kvm_pio(KVM_EXIT_IO_OUT, io->port, io->size, 1, &val);
	if (io_bus_write(&vcpu->v, BUS_PIO, io->port, io->size, &val) == 0)
		return exit_skip(vcpu);
	memcpy(vcpu->v.pio_data, &val, io->size);
	exit_fill_io(vcpu, false, io->port, io->size, 1);
	/* KVM_X86_QUIRK_OUT_7E_INC_RIP: at port 0x7e userspace sees RIP behind the OUT. */
	if (io->port == 0x7e &&
	    !(vcpu_vm(vcpu)->disabled_quirks & KVM_X86_QUIRK_OUT_7E_INC_RIP)) {
		verdict_t v = exit_skip(vcpu);

		return v == VERDICT_RESUME ? VERDICT_USER : v;
	}
	vcpu->emul.rip = linear_rip(vcpu);
	vcpu->complete = complete_out;
	return VERDICT_USER;
}

verdict_t keel_exit_io(struct x86_vcpu *vcpu, const struct x86_io *io)
{
	/* Permission was checked by the CPU before it exited (APM 2 15.10.1, SDM 3 26.1.1). */
	if (io->string || io->rep)
		return keel_exit_emulate(vcpu);
	vcpu->exit.next_rip = io->next_rip ?: vcpu->exit.next_rip;
	return io->in ? exit_in(vcpu, io) : exit_out(vcpu, io);
}
KEEL_EXPORT(keel_exit_io);
