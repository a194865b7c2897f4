// SPDX-License-Identifier: GPL-2.0-only
/*
 * Stage-2 faults. The retry rule: sample the notifier's sequence, get the page with
 * no lock held, take mmu_lock, and install only if nothing was invalidated
 * meanwhile. vm->srcu is held from the lookup of the slot to the installation.
 */
#include <linux/sched/signal.h>
#include <keel/dawdle.h>
#include <keel/guest_mem.h>
#include <keel/pfn.h>
#include "arch/x86/mmu/internal.h"

/* KVM_RUN fails, and says for which page (KVM_EXIT_MEMORY_FAULT in the ABI). */
static verdict_t memory_fault(struct x86_vcpu *vcpu, gfn_t gfn)
{
	struct kvm_run *run = vcpu->v.run;

	run->exit_reason = KVM_EXIT_MEMORY_FAULT;
	run->memory_fault.flags = 0;
	run->memory_fault.gpa = gfn_to_gpa(gfn);
	run->memory_fault.size = PAGE_SIZE;
	return -EFAULT;
}

static verdict_t no_host_page(struct x86_vcpu *vcpu, gfn_t gfn, hva_t hva, int err)
{
	switch (err) {
	case -EAGAIN:
		return VERDICT_RESUME;
	case -EINTR:
		vcpu->v.run->exit_reason = KVM_EXIT_INTR;
		vcpu->v.stats.signal_exits++;
		return -EINTR;
	case -EHWPOISON:
		/* The VMM gets the SIGBUS that its own access would have given it. */
		send_sig_mceerr(BUS_MCEERR_AR, (void __user *)hva, PAGE_SHIFT, current);
		return VERDICT_RESUME;
	case -ENOMEM:
		return -ENOMEM;
	default:
		return memory_fault(vcpu, gfn);
	}
}

/* Not RAM: uncached, as far as the format says so. */
static bool pfn_is_device(const struct host_page *hp)
{
	return !hp->page && (!pfn_valid(hp->pfn) || PageReserved(pfn_to_page(hp->pfn)));
}

/* The host's part of the page that @r maps at @hva, for the retry rule. */
static bool page_is_stale(struct vm *vm, unsigned long seq, hva_t hva, int level)
{
	hva_t size = 1ul << level_shift(level);
	hva_t start = hva & ~(size - 1);

	return notifier_retry(vm, seq, start, start + size);
}

/* mmu_lock held, for read at least. */
static enum map_result map_unless_stale(struct x86_vcpu *vcpu, const struct memslot *slot,
					struct map_request *r, unsigned long seq)
{
	struct vm *vm = vcpu->v.vm;
	enum map_result done;

	if (page_is_stale(vm, seq, memslot_hva(slot, r->gfn), r->level))
		return MAP_RETRY;
	done = s2_map(vcpu, s2_root(vm_mmu(vm), slot->as), r);
	if (r->dirty && (done == MAP_DONE || done == MAP_SPURIOUS))
		host_page_dirty(r->dirty);
	if (done == MAP_DONE && memslot_logged(slot) && r->rights.write && !r->rights.log)
		memslot_mark_dirty(vm, &vcpu->v, slot, r->gfn);
	return done;
}

/*
 * Something else is mapped where @r's page belongs: away with it, and the guest faults again. But a large page that
 * stands in a fetch's way gives place to small ones at once: a page table in it that the fetch needs would
 * bring it back, and so on without end.
 */
static enum map_result resolve_conflict(struct x86_vcpu *vcpu, const struct memslot *slot,
					struct map_request *r, unsigned long seq)
{
	struct vm *vm = vcpu->v.vm;
	enum map_result done = MAP_CONFLICT;

	write_lock(&vm->mmu_lock);
	if (s2_zap(vm, slot->as, r->gfn, r->gfn + 1))
		arch_flush_tlbs(vm);
	if (r->split)
		done = map_unless_stale(vcpu, slot, r, seq);
	mmu_write_unlock(vm);
	return done;
}

/*
 * Small pages are, or were, where the host has a large one by now: a slot that went held a part of it, or the host's
 * page was small. They go, and at once the large one comes, for it is no less than they were.
 */
static enum map_result replace_table(struct x86_vcpu *vcpu, const struct memslot *slot,
				     struct map_request *r, unsigned long seq)
{
	struct vm *vm = vcpu->v.vm;
	gfn_t first = r->gfn & ~(level_frames(r->level) - 1);
	enum map_result done = MAP_RETRY;

	write_lock(&vm->mmu_lock);
	if (!page_is_stale(vm, seq, memslot_hva(slot, r->gfn), r->level)) {
		if (s2_zap(vm, slot->as, first, first + level_frames(r->level)))
			arch_flush_tlbs(vm);
		done = map_unless_stale(vcpu, slot, r, seq);
	}
	mmu_write_unlock(vm);
	return done;
}

static enum map_result install(struct x86_vcpu *vcpu, const struct memslot *slot,
			       struct map_request *r, unsigned long seq)
{
	struct vm *vm = vcpu->v.vm;
	enum map_result done;

	read_lock(&vm->mmu_lock);
	done = map_unless_stale(vcpu, slot, r, seq);
	read_unlock(&vm->mmu_lock);
	if (unlikely(done == MAP_CONFLICT))
		done = resolve_conflict(vcpu, slot, r, seq);
	else if (unlikely(done == MAP_MERGE))
		done = replace_table(vcpu, slot, r, seq);
	return done;
}

/*
 * With a table at hand, which is all that a fault wants as a rule. Where more of the tree is missing
 * each round adds one, and the page is still the one that was looked up if nothing was invalidated.
 */
static int install_with_tables(struct x86_vcpu *vcpu, const struct memslot *slot,
			       struct map_request *r, unsigned long seq, enum map_result *done)
{
	int rounds = 0, err;

	do {
		err = vcpu->mmu.nr_cached ? 0 : table_cache_fill(vcpu, 1);
		if (err)
			return err;
		*done = install(vcpu, slot, r, seq);
	} while (*done == MAP_RETRY && !vcpu->mmu.nr_cached && ++rounds < MMU_CACHE_TABLES);

	if (*done == MAP_DONE)
		vcpu->v.stats.pf_fixed++;
	else
		vcpu->v.stats.pf_spurious++;
	return 0;
}

int s2_map_slot_page(struct x86_vcpu *vcpu, const struct memslot *slot, const struct s2_want *w,
		     int *level)
{
	struct vm *vm = vcpu->v.vm;
	struct map_request r = { .gfn = w->gfn };
	hva_t hva = memslot_hva(slot, w->gfn);
	struct host_page hp;
	enum map_result done = MAP_RETRY;
	unsigned long seq;
	bool can_write, nx, hw_log;
	int err;

	seq = notifier_seq(vm);
	err = hva_to_host_page(hva, w->write, &hp);
	if (unlikely(err))
		return err;

	can_write = hp.writable && !memslot_readonly(slot);
	r.pfn = hp.pfn;
	r.dirty = can_write ? hp.page : NULL;
	r.level = s2_map_level(vm, slot, w->gfn, hp.pfn);
	nx = r.level > 1 && READ_ONCE(s2_nx_huge) && !vm_mmu(vm)->nx_huge_off;
	if (nx && w->exec) {
		r.level = 1;
		r.split = true;
	}
	/* Where fetches have made tables, one that is there may be theirs. */
	r.merge = r.level > 1 && (!nx || !READ_ONCE(vm->stats.nx_lpage_splits));
	/*
	 * Without hardware that logs, the first access that maps a page of the dirty log makes it writable
	 * and marks it, a read too, as VMMs know it: most such pages are written to next. After the mark
	 * was taken only a write brings it back. What is mapped ahead was not accessed.
	 */
	hw_log = memslot_logged(slot) && !w->write && r.level == 1 &&
		 READ_ONCE(vm_mmu(vm)->hw_log);
	r.rights = (struct s2e_rights) {
		.host_write	= can_write,
		.write		= can_write && (!w->ahead || !memslot_logged(slot) || hw_log),
		.log		= hw_log,
		.exec		= !nx || w->exec,
		.device		= pfn_is_device(&hp),
		.old		= w->ahead,
	};
	dawdle(DAWDLE_FAULT);
	err = install_with_tables(vcpu, slot, &r, seq, &done);
	*level = r.level;
	host_page_put(&hp);
	if (err)
		return err;
	return done == MAP_DONE || done == MAP_SPURIOUS ? 0 : -EAGAIN;
}

static verdict_t map_page(struct x86_vcpu *vcpu, const struct memslot *slot, gfn_t gfn,
			  const struct x86_s2_fault *f)
{
	const struct s2_want w = { .gfn = gfn, .write = f->write, .exec = f->exec };
	int level, err = s2_map_slot_page(vcpu, slot, &w, &level);

	if (likely(!err))
		return VERDICT_RESUME;
	return no_host_page(vcpu, gfn, memslot_hva(slot, gfn), err);
}

/* A write to a present page: mostly the dirty log's doing, and then no page has to be looked up. */
static bool fast_write(struct x86_vcpu *vcpu, const struct memslot *slot, gfn_t gfn)
{
	struct vm *vm = vcpu->v.vm;
	bool done;

	read_lock(&vm->mmu_lock);
	done = s2_make_writable(vcpu, s2_root(vm_mmu(vm), slot->as), slot, gfn);
	read_unlock(&vm->mmu_lock);
	if (done)
		vcpu->v.stats.pf_fast++;
	return done;
}

/* Inside vm->srcu. */
static verdict_t fault_in_slot(struct x86_vcpu *vcpu, const struct memslot *slot, gfn_t gfn,
			       const struct x86_s2_fault *f)
{
	/* A page that cannot be logged does not become writable: let userspace make room. */
	if (unlikely(f->write && memslot_logged(slot) && dirty_ring_hard_full(&vcpu->v))) {
		vcpu_request(&vcpu->v, REQ_DIRTY_RING_FULL);
		return VERDICT_RESUME;
	}
	/*
	 * The tables of a vCPU's address space exist: it could not fault without. A slot that moves over a part of
	 * itself may find another frame's leaf there.
	 */
	if (f->present && f->write && !READ_ONCE(vm_mmu(vcpu->v.vm)->moving) && fast_write(vcpu, slot, gfn))
		return VERDICT_RESUME;
	return map_page(vcpu, slot, gfn, f);
}

verdict_t mmu_fault(struct x86_vcpu *vcpu, const struct x86_s2_fault *f, bool *emulate)
{
	struct vm *vm = vcpu->v.vm;
	gfn_t gfn = gpa_to_gfn(f->gpa);
	verdict_t v = VERDICT_RESUME;
	struct memslot *slot;
	int idx;

	idx = srcu_read_lock(&vm->srcu);
	slot = vcpu_memslot(&vcpu->v, gfn);
	if (unlikely(gfn == APIC_ACCESS_GFN && !slot && !f->exec && irqchip_map_access_page(vcpu, gfn))) {
		srcu_read_unlock(&vm->srcu, idx);
		return VERDICT_RESUME;
	}
	*emulate = !slot || (f->write && memslot_readonly(slot));
	if (!*emulate)
		v = fault_in_slot(vcpu, slot, gfn, f);
	srcu_read_unlock(&vm->srcu, idx);
	if (*emulate)
		vcpu->v.stats.pf_emulate++;
	return v;
}
