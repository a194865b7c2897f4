// SPDX-License-Identifier: GPL-2.0-only
/* vCPUs: creation, their fd and its ioctls, loading and putting. */
#include <linux/anon_inodes.h>
#include <linux/compat.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/nospec.h>
#include <linux/percpu.h>
#include <linux/pid.h>
#include <linux/preempt.h>
#include <linux/sched/signal.h>
#include <linux/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/xarray.h>
#include <keel/arch.h>
#include <keel/ioctl.h>
#include <keel/vm.h>
#include <keel/vcpu.h>
#include "virt/compat/compat.h"
#include "virt/trace.h"

static DEFINE_PER_CPU(struct vcpu *, running_vcpu);
static struct ioctl_index vcpu_index;

struct vcpu *keel_running_vcpu(void)
{
	return this_cpu_read(running_vcpu);
}
KEEL_EXPORT(keel_running_vcpu);

struct vcpu *vm_vcpu_by_index(struct vm *vm, unsigned int index)
{
	unsigned int nr = atomic_read_acquire(&vm->nr_vcpus);

	if (index >= nr)
		return NULL;
	return xa_load(&vm->vcpus, array_index_nospec(index, nr));
}
KEEL_EXPORT(vm_vcpu_by_index);

struct vcpu *vm_vcpu_by_id(struct vm *vm, unsigned int id)
{
	if (id >= KEEL_MAX_VCPU_ID)
		return NULL;
	return xa_load(&vm->vcpus_by_id, array_index_nospec(id, KEEL_MAX_VCPU_ID));
}
KEEL_EXPORT(vm_vcpu_by_id);

/* --- loading: this thread's CPU holds the vCPU's state, through preemption too --- */

/* Preemption off. */
static void load_on(struct vcpu *vcpu, int cpu)
{
	__this_cpu_write(running_vcpu, vcpu);
	WRITE_ONCE(vcpu->cpu, cpu);
	arch_vcpu_load(vcpu, cpu);
}

static void unload(struct vcpu *vcpu)
{
	arch_vcpu_put(vcpu);
	WRITE_ONCE(vcpu->cpu, -1);
	__this_cpu_write(running_vcpu, NULL);
}

static void vcpu_sched_in(struct preempt_notifier *pn, int cpu)
{
	struct vcpu *vcpu = container_of(pn, struct vcpu, preempt);

	WRITE_ONCE(vcpu->preempted, false);
	WRITE_ONCE(vcpu->ready, false);
	arch_vcpu_sched_in(vcpu, cpu);
	load_on(vcpu, cpu);
}

static void vcpu_sched_out(struct preempt_notifier *pn, struct task_struct *next)
{
	struct vcpu *vcpu = container_of(pn, struct vcpu, preempt);

	/* It would go on if it could: the scheduler took the CPU away. */
	if (task_is_running(current)) {
		WRITE_ONCE(vcpu->preempted, true);
		WRITE_ONCE(vcpu->ready, true);
	}
	unload(vcpu);
}

static struct preempt_ops vcpu_preempt_ops = {
	.sched_in	= vcpu_sched_in,
	.sched_out	= vcpu_sched_out,
};

void vcpu_load(struct vcpu *vcpu)
{
	int cpu = get_cpu();

	preempt_notifier_register(&vcpu->preempt);
	load_on(vcpu, cpu);
	put_cpu();
}

void vcpu_put(struct vcpu *vcpu)
{
	preempt_disable();
	unload(vcpu);
	preempt_notifier_unregister(&vcpu->preempt);
	preempt_enable();
}

/* --- KVM_RUN --- */

/* Directed yield and debugfs want to know whose thread runs the vCPU. vcpu->mutex held. */
static noinline void note_thread(struct vcpu *vcpu)
{
	struct pid *new = get_task_pid(current, PIDTYPE_PID), *old;

	spin_lock(&vcpu->pid_lock);
	old = vcpu->pid;
	vcpu->pid = new;
	spin_unlock(&vcpu->pid_lock);
	put_pid(old);
}

static long vcpu_run(struct vcpu *vcpu, unsigned long arg)
{
	struct vm *vm = vcpu->vm;
	long ret;

	if (unlikely(vm->mm != current->mm || READ_ONCE(vm->dead)))
		return -EIO;
	if (unlikely(arg))
		return -EINVAL;
	if (mutex_lock_killable(&vcpu->mutex))
		return -EINTR;
	/* Only this mutex's holder writes it. */
	if (unlikely(vcpu->pid != task_pid(current)))
		note_thread(vcpu);
	vcpu_load(vcpu);
	ret = arch_vcpu_run(vcpu);
	vcpu_put(vcpu);
	trace_kvm_userspace_exit(vcpu->run->exit_reason, ret);
	mutex_unlock(&vcpu->mutex);
	return ret;
}

/* --- the other ioctls --- */

/* KVM_SET_SIGNAL_MASK: the mask during KVM_RUN; NULL goes back to the thread's own. */
static long set_signal_mask(struct ioctl_ctx *c)
{
	struct kvm_signal_mask __user *user = c->uarg;
	struct vcpu *vcpu = c->vcpu;
	sigset_t set;
	u32 len;

	if (!user) {
		vcpu->sigset_active = false;
		return 0;
	}
	if (get_user(len, &user->len))
		return -EFAULT;
	/* A 32-bit VMM's set has the same size and, on a little-endian machine, the same layout. */
	if (len != sizeof(set))
		return -EINVAL;
	if (copy_from_user(&set, user->sigset, sizeof(set)))
		return -EFAULT;
	sigdelsetmask(&set, sigmask(SIGKILL) | sigmask(SIGSTOP));
	vcpu->sigset = set;
	vcpu->sigset_active = true;
	return 0;
}

static long vcpu_enable_cap(struct ioctl_ctx *c)
{
	return arch_vcpu_enable_cap(c->vcpu, c->data);
}

static long vcpu_stats(struct ioctl_ctx *c)
{
	return stats_vcpu_fd(c->vcpu);
}

static const struct ioctl_row vcpu_ioctls_rows[] = {
	{ KVM_SET_SIGNAL_MASK,	IOC_RAW | IOC_VCPU_NOLOAD,	set_signal_mask },
	{ KVM_ENABLE_CAP,	IOC_VCPU,			vcpu_enable_cap },
	{ KVM_GET_STATS_FD,	IOC_RAW,			vcpu_stats },
};
static IOCTL_TABLE(vcpu_ioctls);

static const struct ioctl_table *const virt_vcpu_ioctls[] = { &vcpu_ioctls, NULL };

static noinline long vcpu_ioctl_other(struct file *filp, unsigned int cmd, unsigned long arg)
{
	struct vcpu *vcpu = filp->private_data;
	struct ioctl_ctx c = { .vm = vcpu->vm, .vcpu = vcpu, .filp = filp };

	return ioctl_dispatch(&vcpu_index, &c, cmd, arg);
}

static long vcpu_ioctl(struct file *filp, unsigned int cmd, unsigned long arg)
{
	if (likely(cmd == KVM_RUN))
		return vcpu_run(filp->private_data, arg);
	return vcpu_ioctl_other(filp, cmd, arg);
}

static int vcpu_release(struct inode *inode, struct file *filp)
{
	struct vcpu *vcpu = filp->private_data;

	vm_put(vcpu->vm);
	return 0;
}

static const struct file_operations vcpu_fops = {
	.owner		= THIS_MODULE,
	.release	= vcpu_release,
	.unlocked_ioctl	= vcpu_ioctl,
	.compat_ioctl	= compat_ptr_ioctl,
	.mmap		= vcpu_mmap,
	.llseek		= noop_llseek,
};

int vcpu_module_init(void)
{
	int ret = ioctl_index_add(&vcpu_index, virt_vcpu_ioctls);

	return ret ?: ioctl_index_add(&vcpu_index, arch_vcpu_ioctls);
}

/* --- creation --- */

static void free_pages_of(struct vcpu *vcpu)
{
	if (vcpu->run_page)
		__free_page(vcpu->run_page);
	if (vcpu->pio_page)
		__free_page(vcpu->pio_page);
}

static int alloc_pages_of(struct vcpu *vcpu)
{
	BUILD_BUG_ON(sizeof(struct kvm_run) > PAGE_SIZE);

	vcpu->run_page = alloc_page(GFP_KERNEL_ACCOUNT | __GFP_ZERO);
	vcpu->pio_page = alloc_page(GFP_KERNEL_ACCOUNT | __GFP_ZERO);
	if (!vcpu->run_page || !vcpu->pio_page)
		return -ENOMEM;
	vcpu->run = page_address(vcpu->run_page);
	vcpu->pio_data = page_address(vcpu->pio_page);
	return 0;
}

static void vcpu_free(struct vcpu *vcpu)
{
	dirty_ring_free(vcpu);
	free_pages_of(vcpu);
	put_pid(vcpu->pid);
	arch_vcpu_free(vcpu);
}

void vcpu_destroy(struct vcpu *vcpu)
{
	arch_vcpu_destroy(vcpu);
	vcpu_free(vcpu);
}

static struct vcpu *vcpu_new(struct vm *vm, unsigned int id)
{
	struct vcpu *vcpu = arch_vcpu_alloc(vm);
	int ret;

	if (!vcpu)
		return ERR_PTR(-ENOMEM);
	vcpu->vm = vm;
	vcpu->id = id;
	vcpu->cpu = -1;
	mutex_init(&vcpu->mutex);
	spin_lock_init(&vcpu->pid_lock);
	rcuwait_init(&vcpu->wait);
	preempt_notifier_init(&vcpu->preempt, &vcpu_preempt_ops);
	stats_vcpu_name(vcpu);
	ret = alloc_pages_of(vcpu);
	if (!ret)
		ret = dirty_ring_alloc(vcpu);
	if (!ret)
		ret = arch_vcpu_init(vcpu);
	if (ret) {
		vcpu_free(vcpu);
		return ERR_PTR(ret);
	}
	return vcpu;
}

/*
 * Claim @id, and memory for a place in vm->vcpus, so that two creators cannot get the same id and
 * publishing cannot fail. Places 0 .. created_vcpus - 1 always have their memory.
 */
static int __reserve(struct vm *vm, unsigned int id)
{
	int ret;

	if (id >= vm->max_vcpu_id || vm->created_vcpus >= KEEL_MAX_VCPUS)
		return -EINVAL;
	ret = arch_vcpu_precreate(vm, id);
	if (ret)
		return ret;
	ret = xa_reserve(&vm->vcpus, vm->created_vcpus, GFP_KERNEL_ACCOUNT);
	if (ret)
		return ret;
	/* A zero entry: lookups find nothing, a second insertion fails. */
	ret = xa_insert(&vm->vcpus_by_id, id, NULL, GFP_KERNEL_ACCOUNT);
	if (ret)
		return ret == -EBUSY ? -EEXIST : ret;
	vm->created_vcpus++;
	return 0;
}

static int reserve_id(struct vm *vm, unsigned int id)
{
	int ret;

	mutex_lock(&vm->lock);
	ret = __reserve(vm, id);
	mutex_unlock(&vm->lock);
	return ret;
}

static void release_id(struct vm *vm, unsigned int id)
{
	mutex_lock(&vm->lock);
	xa_erase(&vm->vcpus_by_id, id);
	vm->created_vcpus--;
	mutex_unlock(&vm->lock);
}

/* Cannot fail, and what is published stays. The entry comes before the count that bounds readers. */
static void publish(struct vm *vm, struct vcpu *vcpu)
{
	mutex_lock(&vm->lock);
	vcpu->index = atomic_read(&vm->nr_vcpus);
	xa_store(&vm->vcpus, vcpu->index, vcpu, GFP_KERNEL_ACCOUNT);
	xa_store(&vm->vcpus_by_id, vcpu->id, vcpu, GFP_KERNEL_ACCOUNT);
	atomic_set_release(&vm->nr_vcpus, vcpu->index + 1);
	mutex_unlock(&vm->lock);
}

/* The file holds a reference to the VM. The last thing of a creation that can fail. */
static struct file *make_file(struct vm *vm, struct vcpu *vcpu)
{
	char name[sizeof("kvm-vcpu:") + 10];
	struct file *file;

	snprintf(name, sizeof(name), "kvm-vcpu:%u", vcpu->id);
	vm_get(vm);
	file = anon_inode_getfile(name, &vcpu_fops, vcpu, O_RDWR);
	if (IS_ERR(file))
		vm_put(vm);
	return file;
}

long vcpu_create_fd(struct vm *vm, unsigned long id)
{
	struct vcpu *vcpu;
	struct file *file;
	int fd, ret;

	if (id >= KEEL_MAX_VCPU_ID)
		return -EINVAL;
	ret = reserve_id(vm, id);
	if (ret)
		return ret;
	vcpu = vcpu_new(vm, id);
	if (IS_ERR(vcpu)) {
		ret = PTR_ERR(vcpu);
		goto err_id;
	}
	fd = get_unused_fd_flags(O_CLOEXEC);
	if (fd < 0) {
		ret = fd;
		goto err_vcpu;
	}
	file = make_file(vm, vcpu);
	if (IS_ERR(file)) {
		ret = PTR_ERR(file);
		goto err_fd;
	}

	publish(vm, vcpu);
	mutex_lock(&vcpu->mutex);
	arch_vcpu_postcreate(vcpu);
	mutex_unlock(&vcpu->mutex);
	stats_vcpu_show(vcpu);
	fd_install(fd, file);
	return fd;

err_fd:
	put_unused_fd(fd);
err_vcpu:
	vcpu_destroy(vcpu);
err_id:
	release_id(vm, id);
	return ret;
}
