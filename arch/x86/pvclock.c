// SPDX-License-Identifier: GPL-2.0-only
/*
 * kvmclock. The base clock is the host's raw monotonic clock plus the time
 * spent in suspend: it runs at the nominal rate of the TSC, as the guest's
 * extrapolation does. The guest's clock is the base clock plus vm->clock.offset.
 *
 * Pages are written by each vCPU's own thread. A change that all vCPUs must see at
 * once is made under clock.lock with every vCPU out of the guest and a
 * REQ_CLOCK_UPDATE pending on it, so that none runs with an old page.
 */
#include <linux/irq_work.h>
#include <linux/ktime.h>
#include <linux/math64.h>
#include <linux/pvclock_gtod.h>
#include <linux/timekeeper_internal.h>
#include <asm/kvm_para.h>
#include <asm/pvclock-abi.h>
#include <asm/vdso/clocksource.h>
#include <keel/guest_mem.h>
#include "virt/compat/compat.h"
#include "arch/x86/x86.h"

/* Without the master clock pages age with the difference between TSC and clock source. */
#define RESYNC_PERIOD	HZ

static bool host_clock_is_tsc;

/* ---- host time ---- */

struct time_pair {
	u64	ns, tsc;
};

static u64 base_ns(void)
{
	return ktime_to_ns(ktime_get_raw()) + ktime_to_ns(ktime_mono_to_any(0, TK_OFFS_BOOT));
}

/* The same moment on both clocks: the tightest of a few readings. */
static struct time_pair read_pair(void)
{
	struct time_pair best = {};
	u64 width = U64_MAX;
	unsigned long flags;
	int i;

	local_irq_save(flags);
	for (i = 0; i < 4; i++) {
		u64 before = rdtsc_ordered(), ns = base_ns(), after = rdtsc_ordered();

		if (after - before >= width)
			continue;
		width = after - before;
		best = (struct time_pair){ .ns = ns, .tsc = before + width / 2 };
	}
	local_irq_restore(flags);
	return best;
}

/* The scale of the pvclock ABI: ns = ((ticks << shift) * mul) >> 32; negative: shifted right. */
static void scale_for(u32 khz, u32 *mul, s8 *shift)
{
	u64 hz = (u64)max(khz, 1u) * 1000;

	*shift = 0;
	while (hz > 2ull * NSEC_PER_SEC) {
		hz >>= 1;
		(*shift)--;
	}
	while (hz <= NSEC_PER_SEC) {
		hz <<= 1;
		(*shift)++;
	}
	*mul = div64_u64((u64)NSEC_PER_SEC << 32, hz);
}

static u64 ticks_to_ns(u64 ticks, u32 mul, s8 shift)
{
	return mul_u64_u32_shr(shift < 0 ? ticks >> -shift : ticks << shift, mul, 32);
}

/* The master clock at @tsc, by the arithmetic that guests use. clock.lock held. */
static u64 master_at(struct vm_pvclock *c, u64 tsc)
{
	u32 mul;
	s8 shift;

	scale_for(tsc_khz, &mul, &shift);
	return c->master_ns + ticks_to_ns(tsc - c->master_tsc, mul, shift);
}

/* clock.lock held. */
static u64 base_now(struct vm_pvclock *c)
{
	return c->master ? master_at(c, rdtsc_ordered()) : base_ns();
}

u64 pvclock_now(struct x86_vm *vm)
{
	u64 ns;

	mutex_lock(&vm->clock.lock);
	ns = base_now(&vm->clock) + vm->clock.offset;
	mutex_unlock(&vm->clock.lock);
	return ns;
}

/* ---- the master clock ---- */

static bool master_possible(struct x86_vm *vm, u64 *gen)
{
	return tsc_vm_synced(vm, gen) && READ_ONCE(host_clock_is_tsc) && !vm->clock.old_msr;
}

/* A new pair, not behind what guests could read from the old one. clock.lock held. */
static void take_master_pair(struct vm_pvclock *c)
{
	struct time_pair now = read_pair();

	/* Behind a suspend the TSC has nothing to do with what it was. */
	if (c->master && c->master_shift == tsc_suspend_shift() && now.tsc >= c->master_tsc)
		now.ns = max(now.ns, master_at(c, now.tsc));
	c->master_ns = now.ns;
	c->master_tsc = now.tsc;
}

static void arm_resync(struct vm_pvclock *c)
{
	if (c->active && !c->master)
		schedule_delayed_work(&c->resync, RESYNC_PERIOD);
}

/* clock.lock held. */
static void update_master(struct x86_vm *vm, bool force)
{
	struct vm_pvclock *c = &vm->clock;
	u64 gen, shift = tsc_suspend_shift();
	bool master = master_possible(vm, &gen);

	if (!force && master == c->master &&
	    (!master || (gen == c->master_gen && shift == c->master_shift)))
		return;
	vm_request_all(&vm->vm, REQ_CLOCK_UPDATE, true);
	take_master_pair(c);
	c->master = master;
	c->master_gen = gen;
	c->master_shift = shift;
	arm_resync(c);
}

void pvclock_master_update(struct x86_vm *vm)
{
	mutex_lock(&vm->clock.lock);
	update_master(vm, false);
	mutex_unlock(&vm->clock.lock);
}

void pvclock_tsc_changed(struct x86_vcpu *vcpu)
{
	vcpu_request(&vcpu->v, REQ_MASTERCLOCK_UPDATE);
	vcpu_request(&vcpu->v, REQ_CLOCK_UPDATE);
}

static void resync(struct work_struct *work)
{
	struct x86_vm *vm = container_of(to_delayed_work(work), struct x86_vm, clock.resync);

	mutex_lock(&vm->clock.lock);
	if (vm->clock.active && !vm->clock.master)
		vm_request_all(&vm->vm, REQ_CLOCK_UPDATE, false);
	arm_resync(&vm->clock);
	mutex_unlock(&vm->clock.lock);
}

/* ---- a vCPU's page ---- */

static void fill_page(struct x86_vcpu *vcpu, struct pvclock_vcpu_time_info *info)
{
	struct vm_pvclock *c = &vcpu_vm(vcpu)->clock;
	struct time_pair now;

	mutex_lock(&c->lock);
	if (c->master) {
		now = (struct time_pair){ .ns = c->master_ns, .tsc = c->master_tsc };
		info->flags = PVCLOCK_TSC_STABLE_BIT;
	} else {
		now = read_pair();
	}
	info->system_time = now.ns + c->offset;
	mutex_unlock(&c->lock);

	info->tsc_timestamp = guest_tsc(vcpu, now.tsc);
	scale_for(tsc_real_khz(vcpu), &info->tsc_to_system_mul, &info->tsc_shift);
}

/* The version is odd while the rest changes; the guest's other vCPUs may be reading. */
static void write_page(struct x86_vcpu *vcpu, struct pvclock_vcpu_time_info *info)
{
	struct vm *vm = vcpu->v.vm;
	gpa_t gpa = vcpu->clock.gpa;
	struct pvclock_vcpu_time_info old;

	if (vm_read_guest(vm, 0, gpa, &old, sizeof(old)))
		return;
	/* The guest clears this one itself. */
	info->flags |= old.flags & PVCLOCK_GUEST_STOPPED;
	if (vcpu->clock.guest_stopped) {
		info->flags |= PVCLOCK_GUEST_STOPPED;
		vcpu->clock.guest_stopped = false;
	}
	info->version = (old.version & ~1u) + 1;
	if (vm_write_guest(vm, 0, gpa, &info->version, sizeof(info->version)))
		return;
	smp_wmb();	/* odd before the data */
	vm_write_guest(vm, 0, gpa + sizeof(info->version), (u8 *)info + sizeof(info->version),
		       sizeof(*info) - sizeof(info->version));
	smp_wmb();	/* the data before even */
	info->version++;
	vm_write_guest(vm, 0, gpa, &info->version, sizeof(info->version));
}

void pvclock_update(struct x86_vcpu *vcpu)
{
	struct pvclock_vcpu_time_info info = {};

	if (!(vcpu->clock.msr & 1))
		return;
	vcpu->clock.last_cpu = raw_smp_processor_id();
	fill_page(vcpu, &info);
	write_page(vcpu, &info);
}

void pvclock_vcpu_load(struct x86_vcpu *vcpu, int cpu)
{
	struct vcpu_pvclock *v = &vcpu->clock;

	if ((v->msr & 1) && unlikely(cpu != v->last_cpu) &&
	    !READ_ONCE(vcpu_vm(vcpu)->clock.master))
		vcpu_request(&vcpu->v, REQ_CLOCK_UPDATE);
	steal_vcpu_load(vcpu);
}

void pvclock_vcpu_reset(struct x86_vcpu *vcpu)
{
	vcpu->clock.msr = 0;
	vcpu->clock.guest_stopped = false;
	vcpu->clock.steal_msr = 0;
}

/* ---- MSRs ---- */

int pvclock_msr_write(struct x86_vcpu *vcpu, u64 val, bool old, bool host)
{
	struct x86_vm *vm = vcpu_vm(vcpu);
	struct vm_pvclock *c = &vm->clock;

	if (vcpu->v.id == vm->boot_cpu_id && !host)
		WRITE_ONCE(c->old_msr, old);
	vcpu->clock.msr = val;
	vcpu->clock.gpa = val & ~1ull;
	if (!(val & 1))
		return 0;
	if (!READ_ONCE(c->active)) {
		mutex_lock(&c->lock);
		c->active = true;
		arm_resync(c);
		mutex_unlock(&c->lock);
	}
	vcpu_request(&vcpu->v, REQ_MASTERCLOCK_UPDATE);
	vcpu_request(&vcpu->v, REQ_CLOCK_UPDATE);
	return 0;
}

int pvclock_wall_write(struct x86_vcpu *vcpu, u64 gpa)
{
	struct x86_vm *vm = vcpu_vm(vcpu);
	struct pvclock_wall_clock wall = {};
	u64 ns;
	u32 nsec;

	WRITE_ONCE(vm->clock.wall, gpa);
	if (!gpa || vm_read_guest(&vm->vm, 0, gpa, &wall.version, sizeof(wall.version)))
		return 0;
	wall.version = (wall.version & ~1u) + 1;
	if (vm_write_guest(&vm->vm, 0, gpa, &wall.version, sizeof(wall.version)))
		return 0;
	/* The guest adds its kvmclock to this: the time at which that was 0. */
	ns = ktime_get_real_ns() - pvclock_now(vm);
	wall.sec = div_u64_rem(ns, NSEC_PER_SEC, &nsec);
	wall.nsec = nsec;
	smp_wmb();	/* odd before the data */
	vm_write_guest(&vm->vm, 0, gpa, &wall, sizeof(wall));
	smp_wmb();	/* the data before even */
	wall.version++;
	vm_write_guest(&vm->vm, 0, gpa, &wall.version, sizeof(wall.version));
	return 0;
}

/* ---- ioctls ---- */

u32 pvclock_flags_supported(void)
{
	return KVM_CLOCK_TSC_STABLE | KVM_CLOCK_REALTIME | KVM_CLOCK_HOST_TSC;
}

void pvclock_get(struct x86_vm *vm, struct kvm_clock_data *d)
{
	struct vm_pvclock *c = &vm->clock;
	unsigned long flags;

	mutex_lock(&c->lock);
	/* The pages may still wait for their vCPUs to run; the answer need not. */
	update_master(vm, false);
	if (c->master) {
		local_irq_save(flags);
		d->realtime = ktime_get_real_ns();
		d->host_tsc = rdtsc_ordered();
		local_irq_restore(flags);
		d->clock = master_at(c, d->host_tsc) + c->offset;
		d->flags = KVM_CLOCK_TSC_STABLE | KVM_CLOCK_REALTIME | KVM_CLOCK_HOST_TSC;
	} else {
		d->clock = base_ns() + c->offset;
	}
	mutex_unlock(&c->lock);
}

int pvclock_set(struct x86_vm *vm, const struct kvm_clock_data *d)
{
	struct vm_pvclock *c = &vm->clock;
	u64 clock = d->clock;

	/* Those that KVM_GET_CLOCK returns are accepted; only REALTIME means something here. */
	if (d->flags & ~pvclock_flags_supported())
		return -EINVAL;
	mutex_lock(&c->lock);
	update_master(vm, true);
	/* Behind the wait for all vCPUs. */
	if (d->flags & KVM_CLOCK_REALTIME) {
		u64 real = ktime_get_real_ns();

		if (real > d->realtime)
			clock += real - d->realtime;
	}
	c->offset = clock - (c->master ? c->master_ns : base_ns());
	mutex_unlock(&c->lock);
	return 0;
}

int pvclock_ctrl(struct x86_vcpu *vcpu)
{
	if (!(vcpu->clock.msr & 1))
		return -EINVAL;
	vcpu->clock.guest_stopped = true;
	vcpu_request(&vcpu->v, REQ_CLOCK_UPDATE);
	return 0;
}

/* ---- lifetimes, and changes of the host's clock source ---- */

void pvclock_vm_init(struct x86_vm *vm)
{
	struct vm_pvclock *c = &vm->clock;

	mutex_init(&c->lock);
	INIT_DELAYED_WORK(&c->resync, resync);
	/* The guest's clock starts at 0. */
	c->offset = -(s64)base_ns();
}

void pvclock_vm_destroy(struct x86_vm *vm)
{
	mutex_lock(&vm->clock.lock);
	vm->clock.active = false;
	mutex_unlock(&vm->clock.lock);
	cancel_delayed_work_sync(&vm->clock.resync);
}

static void clock_source_changed(struct work_struct *work)
{
	struct vm *vm;

	mutex_lock(&vm_list_lock);
	list_for_each_entry(vm, &vm_list, link)
		pvclock_master_update(to_x86_vm(vm));
	mutex_unlock(&vm_list_lock);
}
static DECLARE_WORK(clock_source_work, clock_source_changed);

/* Out of the timekeeper's lock, under which no work may be queued. */
static void queue_clock_source_work(struct irq_work *w)
{
	schedule_work(&clock_source_work);
}
static DEFINE_IRQ_WORK(clock_source_irq_work, queue_clock_source_work);

/* On every update of the host's time, the timekeeper locked: be quick, read no clock. */
static int gtod_notify(struct notifier_block *nb, unsigned long was_set, void *priv)
{
	const struct timekeeper *tk = priv;
	bool tsc = tk->tkr_mono.clock->vdso_clock_mode == VDSO_CLOCKMODE_TSC;

	if (unlikely(tsc != host_clock_is_tsc)) {
		WRITE_ONCE(host_clock_is_tsc, tsc);
		irq_work_queue(&clock_source_irq_work);
	}
	return 0;
}

static struct notifier_block gtod_nb = { .notifier_call = gtod_notify };

int pvclock_module_init(void)
{
	return pvclock_gtod_register_notifier(&gtod_nb);
}

void pvclock_module_exit(void)
{
	pvclock_gtod_unregister_notifier(&gtod_nb);
	irq_work_sync(&clock_source_irq_work);
	cancel_work_sync(&clock_source_work);
}
