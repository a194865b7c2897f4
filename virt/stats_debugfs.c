// SPDX-License-Identifier: GPL-2.0-only
/*
 * Statistics in debugfs: kvm/NAME sums over all VMs, kvm/PID-FD/NAME over one VM and its vCPUs,
 * kvm/PID-FD/vcpuN/ holds what belongs to one vCPU. Reading takes no lock of a VM: the removal of
 * a file waits for its readers, and that happens before what they read goes.
 */
#include <linux/debugfs.h>
#include <linux/memcontrol.h>
#include <linux/pid.h>
#include <linux/sched/mm.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/workqueue.h>
#include <keel/stats.h>
#include <keel/vcpu.h>
#include <keel/vm.h>
#include "virt/stats_table.h"

/* A VM that lives shorter gets no folder. */
#define SHOW_DELAY	(HZ / 4)

struct stats_file {
	struct vm		*vm;	/* NULL: all VMs */
	const struct stats_row	*row;
	bool			of_vcpu;
};

static struct dentry *kvm_dir;
static struct stats_file *global_files;
/* One at a time: they all want dir_lock, and the kernel's own queues are everybody's. */
static struct workqueue_struct *show_wq;
/* Two VMs may want the same name, when a VM outlives its fd. Also guards vcpu->debugfs. */
static DEFINE_MUTEX(dir_lock);

static u64 *counter(void *stats, const struct stats_row *row)
{
	return stats + row->offset;
}

static u64 sum_vm(struct vm *vm, const struct stats_file *f)
{
	struct vcpu *vcpu;
	unsigned int i;
	u64 sum = 0;

	if (!f->of_vcpu)
		return READ_ONCE(*counter(&vm->stats, f->row));
	vm_for_each_vcpu(vm, i, vcpu)
		sum += READ_ONCE(*counter(&vcpu->stats, f->row));
	return sum;
}

static void clear_vm(struct vm *vm, const struct stats_file *f)
{
	struct vcpu *vcpu;
	unsigned int i;

	if (!f->of_vcpu)
		WRITE_ONCE(*counter(&vm->stats, f->row), 0);
	else
		vm_for_each_vcpu(vm, i, vcpu)
			WRITE_ONCE(*counter(&vcpu->stats, f->row), 0);
}

static int stat_get(void *data, u64 *val)
{
	const struct stats_file *f = data;
	struct vm *vm;

	if (f->vm) {
		*val = sum_vm(f->vm, f);
		return 0;
	}
	*val = 0;
	mutex_lock(&vm_list_lock);
	list_for_each_entry(vm, &vm_list, link)
		*val += sum_vm(vm, f);
	mutex_unlock(&vm_list_lock);
	return 0;
}

/* Writing 0 starts a counter over. */
static int stat_clear(void *data, u64 val)
{
	const struct stats_file *f = data;
	struct vm *vm;

	if (val)
		return -EINVAL;
	if (f->vm) {
		clear_vm(f->vm, f);
		return 0;
	}
	mutex_lock(&vm_list_lock);
	list_for_each_entry(vm, &vm_list, link)
		clear_vm(vm, f);
	mutex_unlock(&vm_list_lock);
	return 0;
}

DEFINE_DEBUGFS_ATTRIBUTE(stat_rw_fops, stat_get, stat_clear, "%llu\n");
DEFINE_DEBUGFS_ATTRIBUTE(stat_ro_fops, stat_get, NULL, "%llu\n");

static struct stats_file *make_table(struct stats_file *f, const struct stats_table *t,
				     struct vm *vm, struct dentry *dir)
{
	unsigned int i;
	bool ro;

	for (i = 0; i < t->nr; i++) {
		const struct stats_row *row = &t->rows[i];

		if (row->size > 1)	/* histograms are for the stats fd */
			continue;
		f->vm = vm;
		f->row = row;
		f->of_vcpu = t == &vcpu_stats_table;
		ro = (row->flags & KVM_STATS_TYPE_MASK) == KVM_STATS_TYPE_INSTANT;
		debugfs_create_file_unsafe(row->name, ro ? 0444 : 0644, dir, f,
					   ro ? &stat_ro_fops : &stat_rw_fops);
		f++;
	}
	return f;
}

/* All files of @dir; the array they refer to, or NULL. */
static struct stats_file *make_files(struct vm *vm, struct dentry *dir, gfp_t gfp)
{
	unsigned int nr = vm_stats_table.nr + vcpu_stats_table.nr;
	struct stats_file *files = kcalloc(nr, sizeof(*files), gfp);

	if (files)
		make_table(make_table(files, &vm_stats_table, vm, dir), &vcpu_stats_table, vm,
			   dir);
	return files;
}

static int vcpu_pid_show(struct seq_file *m, void *unused)
{
	struct vcpu *vcpu = m->private;
	pid_t nr;

	spin_lock(&vcpu->pid_lock);
	nr = pid_nr(vcpu->pid);
	spin_unlock(&vcpu->pid_lock);
	seq_printf(m, "%d\n", nr);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(vcpu_pid);

/* One file for all: an inode per counter and vCPU would add up. */
static int vcpu_stats_show(struct seq_file *m, void *unused)
{
	struct vcpu *vcpu = m->private;
	unsigned int i;

	for (i = 0; i < vcpu_stats_table.nr; i++) {
		const struct stats_row *row = &vcpu_stats_table.rows[i];

		if (row->size == 1)
			seq_printf(m, "%s %llu\n", row->name,
				   READ_ONCE(*counter(&vcpu->stats, row)));
	}
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(vcpu_stats);

/* dir_lock held. */
static void make_vcpu_dir(struct vcpu *vcpu, struct dentry *parent)
{
	char name[16];

	if (vcpu->debugfs)
		return;
	snprintf(name, sizeof(name), "vcpu%u", vcpu->id);
	vcpu->debugfs = debugfs_create_dir(name, parent);
	if (IS_ERR(vcpu->debugfs)) {
		vcpu->debugfs = NULL;
		return;
	}
	debugfs_create_file("pid", 0444, vcpu->debugfs, vcpu, &vcpu_pid_fops);
	debugfs_create_file("stats", 0444, vcpu->debugfs, vcpu, &vcpu_stats_fops);
}

static void make_vm_dir(struct vm *vm)
{
	struct stats_debugfs *d = &vm->debugfs;
	struct dentry *dir;
	struct vcpu *vcpu;
	unsigned int i;
	char name[32];

	snprintf(name, sizeof(name), "%d-%d", d->pid, d->fd);
	/* Another VM of this process had the same fd and still lives: debugfs would complain. */
	dir = debugfs_lookup(name, kvm_dir);
	if (dir) {
		dput(dir);
		return;
	}
	dir = debugfs_create_dir(name, kvm_dir);
	if (IS_ERR(dir))
		return;
	d->dir = dir;
	smp_mb();	/* pairs with stats_vcpu_show() */
	d->files = make_files(vm, dir, GFP_KERNEL_ACCOUNT);
	vm_for_each_vcpu(vm, i, vcpu)
		make_vcpu_dir(vcpu, dir);
}

static void show_work(struct work_struct *work)
{
	struct vm *vm = container_of(to_delayed_work(work), struct vm, debugfs.work);
	struct mem_cgroup *memcg = get_mem_cgroup_from_mm(vm->mm), *old;

	/* What a worker allocates is nobody's otherwise. */
	old = set_active_memcg(memcg);
	mutex_lock(&dir_lock);
	make_vm_dir(vm);
	mutex_unlock(&dir_lock);
	set_active_memcg(old);
	mem_cgroup_put(memcg);
}

void stats_vm_show(struct vm *vm, int fd)
{
	if (IS_ERR_OR_NULL(kvm_dir) || !show_wq)
		return;
	vm->debugfs.pid = task_pid_nr(current);
	vm->debugfs.fd = fd;
	INIT_DELAYED_WORK(&vm->debugfs.work, show_work);
	queue_delayed_work(show_wq, &vm->debugfs.work, SHOW_DELAY);
}

void stats_vcpu_show(struct vcpu *vcpu)
{
	struct dentry *dir;

	smp_mb();	/* either the work sees this vCPU or we see its folder */
	if (!READ_ONCE(vcpu->vm->debugfs.dir))
		return;
	mutex_lock(&dir_lock);
	dir = vcpu->vm->debugfs.dir;
	if (dir)
		make_vcpu_dir(vcpu, dir);
	mutex_unlock(&dir_lock);
}

void stats_vm_hide(struct vm *vm)
{
	struct stats_debugfs *d = &vm->debugfs;

	if (!d->work.work.func)
		return;
	cancel_delayed_work_sync(&d->work);
	debugfs_remove(d->dir);
	kfree(d->files);
	d->dir = NULL;
	d->files = NULL;
}

void stats_init(void)
{
	show_wq = alloc_ordered_workqueue("kvm-stats", 0);
	kvm_dir = debugfs_create_dir("kvm", NULL);
	if (!IS_ERR(kvm_dir))
		global_files = make_files(NULL, kvm_dir, GFP_KERNEL);
}

void stats_exit(void)
{
	debugfs_remove(kvm_dir);
	kfree(global_files);
	if (show_wq)
		destroy_workqueue(show_wq);
}
