/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A toy machine around the emulator: 1 MiB of RAM, a page table that is an array,
 * a device page that userspace serves and one that "the kernel" serves, ports.
 */
#ifndef KEEL_UNIT_GUEST_H
#define KEEL_UNIT_GUEST_H

#include "arch/x86/emul/emul.h"

#define G_PAGES		256u
#define G_RAM		(G_PAGES << 12)
#define G_WINDOW	0xffff800000000000ull	/* high half alias of the same pages */

#define MMIO_USER	0xfee00000ull	/* gpa of two pages, served by userspace */
#define MMIO_KERNEL	0xfed00000ull	/* two pages, served in the kernel */
#define PORT_KERNEL	0x40		/* 0x40-0x5f in the kernel; others: userspace */

struct g_page {
	u64 gpa;		/* page aligned */
	bool present, writable, user, nx;
};

struct g_event {		/* one device access as the device saw it */
	bool write, pio, kernel;
	u64 addr;
	u32 size, count;
	u64 data;
};

struct guest {
	u8 ram[G_RAM];
	struct g_page pt[G_PAGES];
	struct emul_ctxt c;
	struct emul_regs regs;
	struct emul_seg seg[EMUL_NR_SEGS];
	struct emul_dt gdt, idt;
	u64 cr[16], dr[8], xcr0;
	u64 efer, star, lstar, cstar, fmask, sysenter[3], kgs, tsc_aux, other_msr;
	u8 vec[16][32];
	u64 mmx[8];
	bool mf;		/* an x87 exception waits */
	bool cpuid_faults;
	struct g_event ev[4096];
	u32 nr_ev;
	u64 next_data;		/* what devices answer; counts up */
	u32 exits;		/* to userspace */
	u32 translations;
	bool yield, race;	/* race: cmpxchg always fails */
	bool no_ram_batch;
	bool denied;		/* the intercept hook takes everything */
	void (*on_exit)(struct guest *g);	/* at each exit to userspace */
	u8 io_buf[4096];
};

struct guest *guest_new(void);
void guest_free(struct guest *g);
/* Everything to a fixed state: flat segments for @mode, CPL @cpl, code at 0x1000. */
void guest_reset(struct guest *g, enum emul_mode mode, u8 cpl);
/* Puts @n bytes of code at RIP and runs it with its userspace exits. */
int guest_run(struct guest *g, const void *code, u32 n);
int guest_go(struct guest *g);		/* code is there already */
void guest_put(struct guest *g, u64 la, const void *data, u32 n);
void guest_get(struct guest *g, u64 la, void *data, u32 n);
u64 guest_ld(struct guest *g, u64 la, u32 n);
void guest_st(struct guest *g, u64 la, u64 v, u32 n);
/* Maps @la's page to @gpa. */
void guest_map(struct guest *g, u64 la, u64 gpa);

#define CODE		0x1000u
#define STACK		0x8000u
#define DATA		0x10000u

#endif /* KEEL_UNIT_GUEST_H */
