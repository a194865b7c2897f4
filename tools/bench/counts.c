// SPDX-License-Identifier: GPL-2.0-only
/*
 * A plugin for QEMU's TCG: executed instructions between the marks of mark.h, all of them and
 * those that are dear on hardware. One CPU, thread=single.
 *
 * -plugin libcounts.so,out=FILE[,blocks=FILE]
 *
 * FILE gets "total class class ..." for each row, and first a line with the names. blocks gets
 * "address count" for each code block that ran between the marks of a row, and a line "row" after each row.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "mark.h"
#include "plugin.h"

__attribute__((visibility("default"))) int qemu_plugin_version = 1;

enum class {
	C_TOTAL, C_VMRUN, C_VMLOAD, C_VMSAVE, C_GIF, C_VMREAD, C_VMWRITE, C_RDMSR, C_WRMSR,
	C_WRCR, C_DR, C_FLUSH, C_XCR, C_XSTATE, C_LOCK, C_SEG, C_SYSCALL, C_IRET, C_NR
};

static const char *const class_names[C_NR] = {
	"total", "vmrun", "vmload", "vmsave", "gif", "vmread", "vmwrite", "rdmsr", "wrmsr",
	"wrcr", "dr", "flush", "xcr", "xstate", "lock", "seg", "syscall", "iret",
};

static uint64_t count[C_NR], begin[C_NR], row[C_NR];
static FILE *out, *blocks_out;

/* ---- code blocks, for profiles ---- */

#define BUCKETS	65536

struct block {
	struct block *next;
	uint64_t vaddr, insns, count, begin, sum;
};

static struct block *table[BUCKETS];

static struct block *block(uint64_t vaddr, uint64_t insns)
{
	struct block **b = &table[(vaddr ^ vaddr >> 16) % BUCKETS];

	for (; *b; b = &(*b)->next)
		if ((*b)->vaddr == vaddr && (*b)->insns == insns)
			return *b;
	*b = calloc(1, sizeof(**b));
	if (!*b)
		abort();
	(*b)->vaddr = vaddr;
	(*b)->insns = insns;
	return *b;
}

static void each_block(bool end)
{
	struct block *b;
	int i;

	for (i = 0; blocks_out && i < BUCKETS; i++) {
		for (b = table[i]; b; b = b->next) {
			if (end)
				b->sum += b->count - b->begin;
			b->begin = b->count;
		}
	}
}

static void write_blocks(void)
{
	struct block *b;
	int i;

	for (i = 0; i < BUCKETS; i++) {
		for (b = table[i]; b; b = b->next) {
			if (b->sum)
				fprintf(blocks_out, "%" PRIx64 " %" PRIu64 "\n", b->vaddr, b->sum);
			b->sum = 0;
		}
	}
	fputs("row\n", blocks_out);
	fflush(blocks_out);
}

/* ---- marks ---- */

static void mark_begin(unsigned int vcpu, void *data)
{
	memcpy(begin, count, sizeof(begin));
	each_block(false);
}

static void mark_end(unsigned int vcpu, void *data)
{
	int i;

	for (i = 0; i < C_NR; i++)
		row[i] += count[i] - begin[i];
	each_block(true);
}

static void mark_row(unsigned int vcpu, void *data)
{
	int i;

	for (i = 0; i < C_NR; i++)
		fprintf(out, "%" PRIu64 "%c", row[i], i == C_NR - 1 ? '\n' : ' ');
	fflush(out);
	memset(row, 0, sizeof(row));
	if (blocks_out)
		write_blocks();
}

static void find_mark(struct qemu_plugin_insn *insn, const uint8_t *b, size_t n)
{
	uint32_t disp;

	if (n != 7 || b[0] != 0x0f || b[1] != 0x1f || b[2] != 0x80)
		return;
	memcpy(&disp, b + 3, 4);
	if (disp == MARK_BEGIN)
		qemu_plugin_register_vcpu_insn_exec_cb(insn, mark_begin, QEMU_PLUGIN_CB_NO_REGS, NULL);
	else if (disp == MARK_END)
		qemu_plugin_register_vcpu_insn_exec_cb(insn, mark_end, QEMU_PLUGIN_CB_NO_REGS, NULL);
	else if (disp == MARK_ROW)
		qemu_plugin_register_vcpu_insn_exec_cb(insn, mark_row, QEMU_PLUGIN_CB_NO_REGS, NULL);
}

/* ---- instructions by their bytes (APM 3, SDM 2) ---- */

static enum class group_0f01(uint8_t modrm)
{
	switch (modrm) {
	case 0xd8:
	case 0xc2:		/* VMLAUNCH */
	case 0xc3:		/* VMRESUME */
		return C_VMRUN;
	case 0xda:
		return C_VMLOAD;
	case 0xdb:
		return C_VMSAVE;
	case 0xdc:
	case 0xdd:
		return C_GIF;
	case 0xdf:		/* INVLPGA */
		return C_FLUSH;
	case 0xd1:		/* XSETBV */
	case 0xef:		/* WRPKRU */
		return C_XCR;
	}
	if (modrm >= 0xc0)
		return C_TOTAL;
	switch (modrm >> 3 & 7) {
	case 2:			/* LGDT, LIDT */
	case 3:
		return C_SEG;
	case 7:			/* INVLPG */
		return C_FLUSH;
	}
	return C_TOTAL;
}

static enum class opcode_0f(const uint8_t *b, size_t n)
{
	uint8_t modrm = n > 2 ? b[2] : 0, reg = modrm >> 3 & 7;

	switch (b[1]) {
	case 0x00:		/* LLDT, LTR */
		return reg == 2 || reg == 3 ? C_SEG : C_TOTAL;
	case 0x01:
		return group_0f01(modrm);
	case 0x05:
	case 0x07:
		return C_SYSCALL;
	case 0x22:
		return C_WRCR;
	case 0x21:
	case 0x23:
		return C_DR;
	case 0x30:
		return C_WRMSR;
	case 0x32:
		return C_RDMSR;
	case 0x78:
		return C_VMREAD;
	case 0x79:
		return C_VMWRITE;
	case 0xae:		/* FXSAVE, FXRSTOR, XSAVE, XRSTOR, XSAVEOPT */
		return modrm < 0xc0 && reg != 2 && reg != 3 && reg != 7 ? C_XSTATE : C_TOTAL;
	case 0xc7:		/* XRSTORS, XSAVEC, XSAVES */
		return modrm < 0xc0 && reg >= 3 && reg <= 5 ? C_XSTATE : C_TOTAL;
	}
	return C_TOTAL;
}

static enum class classify(const uint8_t *b, size_t n)
{
	bool lock = false;

	while (n > 1 && (b[0] == 0xf0 || b[0] == 0xf2 || b[0] == 0xf3 || b[0] == 0x66 ||
			 b[0] == 0x65 || b[0] == 0x3e || b[0] == 0x2e || (b[0] & 0xf0) == 0x40)) {
		lock |= b[0] == 0xf0;
		b++;
		n--;
	}
	if (lock)
		return C_LOCK;
	if (n > 1 && (b[0] == 0x86 || b[0] == 0x87) && b[1] < 0xc0)
		return C_LOCK;		/* XCHG with memory locks by itself */
	if (b[0] == 0xcf)
		return C_IRET;
	return n > 1 && b[0] == 0x0f ? opcode_0f(b, n) : C_TOTAL;
}

static void translated(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
	size_t n = qemu_plugin_tb_n_insns(tb), i;

	for (i = 0; i < n; i++) {
		struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
		const uint8_t *bytes = qemu_plugin_insn_data(insn);
		size_t size = qemu_plugin_insn_size(insn);
		enum class c = classify(bytes, size);

		find_mark(insn, bytes, size);
		if (c != C_TOTAL)
			qemu_plugin_register_vcpu_insn_exec_inline(insn, QEMU_PLUGIN_INLINE_ADD_U64,
								   &count[c], 1);
	}
	qemu_plugin_register_vcpu_tb_exec_inline(tb, QEMU_PLUGIN_INLINE_ADD_U64, &count[C_TOTAL], n);
	if (blocks_out)
		qemu_plugin_register_vcpu_tb_exec_inline(tb, QEMU_PLUGIN_INLINE_ADD_U64,
				&block(qemu_plugin_tb_vaddr(tb), n)->count, n);
}

__attribute__((visibility("default")))
int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info, int argc, char **argv)
{
	int i;

	for (i = 0; i < argc; i++) {
		if (!strncmp(argv[i], "out=", 4))
			out = fopen(argv[i] + 4, "w");
		else if (!strncmp(argv[i], "blocks=", 7))
			blocks_out = fopen(argv[i] + 7, "w");
	}
	if (!out)
		return -1;
	for (i = 0; i < C_NR; i++)
		fprintf(out, "%s%c", class_names[i], i == C_NR - 1 ? '\n' : ' ');
	qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
	return 0;
}
