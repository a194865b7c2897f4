// SPDX-License-Identifier: GPL-2.0-only
/* The instruction at RIP: is it the one that was there the last time? */
#include <linux/hash.h>
#include <linux/uaccess.h>
#include <keel/guest_mem.h>
#include "virt/compat/compat.h"
#include "arch/x86/x86.h"

/* The first of the two notes that may be of @rip. */
static struct insn_note *place(struct x86_vcpu *vcpu, u64 rip)
{
	return &vcpu->insn_note[2 * hash_64(rip, INSN_NOTES_BITS)];
}

static bool is_of(const struct insn_note *n, u64 rip, u32 access)
{
	return n->rip == rip && n->walk.access == access;
}

/* Inside vm->srcu. */
static bool unchanged(const struct insn_note *n)
{
	const struct walk_note *w = &n->walk;
	const typeof(w->entry[0]) *e = w->entry, *end = e + w->nr;
	u64 __user *code = (u64 __user *)w->page;
	bool same = false;
	u64 val;

	/*
	 * The addresses were checked when their slots were made. By pointer, not by index: the
	 * sanitizer of array bounds, on in some kernels, may not be called in here.
	 */
	__uaccess_begin();
	for (; e < end; e++) {
		unsafe_get_user(val, (u64 __user *)e->hva, out);
		if (val != e->val)
			goto out;
	}
	unsafe_get_user(val, code, out);
	if (val != n->words[0])
		goto out;
	unsafe_get_user(val, code + 1, out);
	same = val == n->words[1];
out:
	__uaccess_end();
	return same;
}

static bool holds(struct x86_vcpu *vcpu, const struct insn_note *n)
{
	struct srcu_struct *srcu = &vcpu->v.vm->srcu;
	bool same;
	int idx;

	idx = srcu_read_lock(srcu);
	same = guest_walk_same(vcpu, &n->walk) && unchanged(n);
	srcu_read_unlock(srcu, idx);
	return same;
}

static noinline struct insn_note *make(struct x86_vcpu *vcpu, struct insn_note *n, u64 rip,
				       u32 access)
{
	struct guest_walk_result r;

	n->len = 0;
	n->decoded = false;
	if (guest_walk_note(vcpu, rip, access, &r, &n->walk) || n->walk.access == NOTE_NONE)
		return NULL;
	if (vcpu_read_guest(&vcpu->v, r.gpa, n->bytes, sizeof(n->bytes))) {
		n->walk.access = NOTE_NONE;
		return NULL;
	}
	n->rip = rip;
	return n;
}

struct insn_note *insn_note_at_rip(struct x86_vcpu *vcpu)
{
	const struct x86_regs *r = st_read(vcpu, ST_RIP | ST_CS | ST_EFER);
	u32 access = GW_FETCH | (r->cpl == 3 ? GW_USER : 0);
	struct insn_note *n = place(vcpu, r->rip);

	if (!is_64bit_code(vcpu) || (r->rip & ~PAGE_MASK) > PAGE_SIZE - sizeof(n->bytes))
		return NULL;
	if (!is_of(n, r->rip, access)) {
		if (!is_of(n + 1, r->rip, access))
			/* Of the two the one that was made first goes. */
			return make(vcpu, n + (vcpu->insn_note_next++ & 1), r->rip, access);
		n++;
	}
	return likely(holds(vcpu, n)) ? n : make(vcpu, n, r->rip, access);
}

void insn_notes_init(struct x86_vcpu *vcpu)
{
	unsigned int i;

	for (i = 0; i < INSN_NOTES; i++)
		vcpu->insn_note[i].walk.access = NOTE_NONE;
}
