// SPDX-License-Identifier: GPL-2.0-only
/*
 * The statistics fd (KVM_GET_STATS_FD): a file with a header, an id string, the descriptors and
 * the data. The descriptors are constant; the data is the struct of counters itself, for both are
 * made from the same list.
 */
#include <linux/anon_inodes.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/stddef.h>
#include <linux/uaccess.h>
#include <keel/stats.h>
#include <keel/vcpu.h>
#include <keel/vm.h>
#include "virt/stats_table.h"

#define KIND_CUM	KVM_STATS_TYPE_CUMULATIVE
#define KIND_INST	KVM_STATS_TYPE_INSTANT
#define KIND_PEAK	KVM_STATS_TYPE_PEAK
#define KIND_HIST	KVM_STATS_TYPE_LOG_HIST

#define UNIT_NONE	(KVM_STATS_UNIT_NONE | KVM_STATS_BASE_POW10)
#define UNIT_NS		(KVM_STATS_UNIT_SECONDS | KVM_STATS_BASE_POW10)
#define UNIT_BOOL	(KVM_STATS_UNIT_BOOLEAN | KVM_STATS_BASE_POW10)

#define EXP_NONE	0
#define EXP_NS		(-9)
#define EXP_BOOL	0

#define ROW(type, kind, unit_, member, n)				\
	{								\
		.flags		= KIND_##kind | UNIT_##unit_,		\
		.exponent	= EXP_##unit_,				\
		.size		= n,					\
		.offset		= offsetof(struct type, member),	\
		.name		= #member,				\
	},

#define VM_ROW(kind, unit, member)		ROW(vm_stats, kind, unit, member, 1)
#define VM_HIST(kind, unit, member, n)		ROW(vm_stats, kind, unit, member, n)
#define VCPU_ROW(kind, unit, member)		ROW(vcpu_stats, kind, unit, member, 1)
#define VCPU_HIST(kind, unit, member, n)	ROW(vcpu_stats, kind, unit, member, n)

static const struct stats_row vm_rows[] = {
	VM_STATS_GENERIC(VM_ROW, VM_HIST)
	VM_STATS_ARCH(VM_ROW, VM_HIST)
};

static const struct stats_row vcpu_rows[] = {
	VCPU_STATS_GENERIC(VCPU_ROW, VCPU_HIST)
	VCPU_STATS_ARCH(VCPU_ROW, VCPU_HIST)
};

const struct stats_table vm_stats_table = {
	.rows		= vm_rows,
	.nr		= ARRAY_SIZE(vm_rows),
	.data_size	= sizeof(struct vm_stats),
};

const struct stats_table vcpu_stats_table = {
	.rows		= vcpu_rows,
	.nr		= ARRAY_SIZE(vcpu_rows),
	.data_size	= sizeof(struct vcpu_stats),
};

static_assert(offsetof(struct stats_row, flags) == offsetof(struct kvm_stats_desc, flags));
static_assert(offsetof(struct stats_row, exponent) == offsetof(struct kvm_stats_desc, exponent));
static_assert(offsetof(struct stats_row, size) == offsetof(struct kvm_stats_desc, size));
static_assert(offsetof(struct stats_row, offset) == offsetof(struct kvm_stats_desc, offset));
static_assert(offsetof(struct stats_row, name) == sizeof(struct kvm_stats_desc));

/* What one open stats file shows. */
struct stats_source {
	const struct stats_table	*table;
	const char			*id;	/* KEEL_STATS_NAME_SIZE bytes */
	const u64			*data;
};

/* A walk over the file's parts: the range of the read that is still to be copied. */
struct stats_reader {
	char __user	*to;
	size_t		left;
	loff_t		pos;	/* relative to the start of the current part */
	ssize_t		done;
};

/*
 * Copy what the read wants of the next part. Through the stack, for a slab object is not open to
 * copy_to_user() of a variable length. False: stop, done has the result.
 */
static bool read_part(struct stats_reader *rd, const void *part, size_t size)
{
	while (rd->pos < size && rd->left) {
		u64 chunk[16];
		size_t n = min3(size - (size_t)rd->pos, rd->left, sizeof(chunk));

		memcpy(chunk, part + rd->pos, n);
		if (copy_to_user(rd->to, chunk, n)) {
			if (!rd->done)
				rd->done = -EFAULT;
			return false;
		}
		rd->to += n;
		rd->pos += n;
		rd->left -= n;
		rd->done += n;
	}
	rd->pos -= size;
	return rd->left;
}

static ssize_t stats_read(const struct stats_source *src, char __user *buf, size_t size,
			  loff_t *offset)
{
	const struct stats_table *t = src->table;
	struct stats_reader rd = { .to = buf, .left = size, .pos = *offset };
	struct kvm_stats_header header = {
		.name_size	= KEEL_STATS_NAME_SIZE,
		.num_desc	= t->nr,
		.id_offset	= sizeof(header),
		.desc_offset	= sizeof(header) + KEEL_STATS_NAME_SIZE,
		.data_offset	= sizeof(header) + KEEL_STATS_NAME_SIZE + t->nr * sizeof(*t->rows),
	};

	if (*offset < 0)
		return -EINVAL;
	if (*offset >= (loff_t)header.data_offset + t->data_size)
		return 0;
	if (read_part(&rd, &header, sizeof(header)) &&
	    read_part(&rd, src->id, KEEL_STATS_NAME_SIZE) &&
	    read_part(&rd, t->rows, t->nr * sizeof(*t->rows)))
		read_part(&rd, src->data, t->data_size);
	if (rd.done > 0)
		*offset += rd.done;
	return rd.done;
}

static ssize_t vm_stats_read(struct file *filp, char __user *buf, size_t size, loff_t *offset)
{
	struct vm *vm = filp->private_data;
	const struct stats_source src = {
		.table	= &vm_stats_table,
		.id	= vm->stats_id,
		.data	= (const u64 *)&vm->stats,
	};

	return stats_read(&src, buf, size, offset);
}

static ssize_t vcpu_stats_read(struct file *filp, char __user *buf, size_t size, loff_t *offset)
{
	struct vcpu *vcpu = filp->private_data;
	const struct stats_source src = {
		.table	= &vcpu_stats_table,
		.id	= vcpu->stats_id,
		.data	= (const u64 *)&vcpu->stats,
	};

	return stats_read(&src, buf, size, offset);
}

static int vm_stats_release(struct inode *inode, struct file *filp)
{
	vm_put(filp->private_data);
	return 0;
}

static int vcpu_stats_release(struct inode *inode, struct file *filp)
{
	struct vcpu *vcpu = filp->private_data;

	vm_put(vcpu->vm);
	return 0;
}

static const struct file_operations vm_stats_fops = {
	.owner		= THIS_MODULE,
	.read		= vm_stats_read,
	.release	= vm_stats_release,
	.llseek		= noop_llseek,
};

static const struct file_operations vcpu_stats_fops = {
	.owner		= THIS_MODULE,
	.read		= vcpu_stats_read,
	.release	= vcpu_stats_release,
	.llseek		= noop_llseek,
};

static long stats_fd(struct vm *vm, const char *name, const struct file_operations *fops,
		     void *data)
{
	struct file *filp;
	int fd;

	fd = get_unused_fd_flags(O_CLOEXEC);
	if (fd < 0)
		return fd;
	vm_get(vm);
	filp = anon_inode_getfile(name, fops, data, O_RDONLY);
	if (IS_ERR(filp)) {
		vm_put(vm);
		put_unused_fd(fd);
		return PTR_ERR(filp);
	}
	filp->f_mode |= FMODE_PREAD;
	fd_install(fd, filp);
	return fd;
}

long stats_vm_fd(struct vm *vm)
{
	return stats_fd(vm, "kvm-vm-stats", &vm_stats_fops, vm);
}

long stats_vcpu_fd(struct vcpu *vcpu)
{
	return stats_fd(vcpu->vm, "kvm-vcpu-stats", &vcpu_stats_fops, vcpu);
}

void stats_vm_name(struct vm *vm)
{
	static_assert(sizeof(vm->stats_id) == KEEL_STATS_NAME_SIZE);
	snprintf(vm->stats_id, sizeof(vm->stats_id), "kvm-%d", task_pid_nr(current));
}

void stats_vcpu_name(struct vcpu *vcpu)
{
	static_assert(sizeof(vcpu->stats_id) == KEEL_STATS_NAME_SIZE);
	snprintf(vcpu->stats_id, sizeof(vcpu->stats_id), "kvm-%d/vcpu-%u", task_pid_nr(current),
		 vcpu->id);
}
