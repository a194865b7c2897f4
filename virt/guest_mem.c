// SPDX-License-Identifier: GPL-2.0-only
/*
 * The kernel's access to guest memory: through the slots to the VMM's addresses, and
 * there as any copy to or from userspace. The VM belongs to current->mm.
 */
#include <linux/minmax.h>
#include <linux/uaccess.h>
#include <keel/arch.h>
#include <keel/guest_mem.h>
#include <keel/vcpu.h>
#include <keel/vm.h>

/* One access: in the vCPU's current address space, or without vCPU in @as. */
struct access {
	struct vm	*vm;
	struct vcpu	*vcpu;
	unsigned int	as;
};

static struct memslot *find_slot(const struct access *a, gfn_t gfn)
{
	return a->vcpu ? vcpu_memslot(a->vcpu, gfn) : memslot_find(a->vm, a->as, gfn);
}

static hva_t gpa_hva(const struct memslot *slot, gpa_t gpa)
{
	return memslot_hva(slot, gpa_to_gfn(gpa)) + (gpa & ~PAGE_MASK);
}

/* Bytes from @gpa to the end of @slot, at most @len. Slots are contiguous in both spaces. */
static size_t slot_chunk(const struct memslot *slot, gpa_t gpa, size_t len)
{
	return min_t(u64, len, gfn_to_gpa(slot->base_gfn + slot->npages) - gpa);
}

/*
 * Naturally aligned accesses of 1 to 8 bytes are one memory access each, as the
 * guest's own would be. The addresses were checked when the slot was made.
 */
#define COPY_ONE(type, from)							\
({										\
	type val;								\
	int err = __get_user(val, (type __user *)(from));			\
	if (!err)								\
		memcpy(buf, &val, sizeof(val));					\
	err;									\
})

/* Instruction bytes and the like: no worth in setting up a copy. */
static int copy_in_small(void *buf, hva_t from, size_t len)
{
	int err = 0;

	for (; len >= 8 && !err; buf += 8, from += 8, len -= 8)
		err = COPY_ONE(u64, from);
	if (len & 4 && !err) {
		err = COPY_ONE(u32, from);
		buf += 4;
		from += 4;
	}
	if (len & 2 && !err) {
		err = COPY_ONE(u16, from);
		buf += 2;
		from += 2;
	}
	if (len & 1 && !err)
		err = COPY_ONE(u8, from);
	return err;
}

static int copy_in(void *buf, hva_t from, size_t len)
{
	if (!(from & (len - 1))) {
		switch (len) {
		case 1:
			return COPY_ONE(u8, from);
		case 2:
			return COPY_ONE(u16, from);
		case 4:
			return COPY_ONE(u32, from);
		case 8:
			return COPY_ONE(u64, from);
		}
	}
	if (len <= 16)
		return copy_in_small(buf, from, len);
	return __copy_from_user(buf, (void __user *)from, len) ? -EFAULT : 0;
}

#define COPY_ONE_OUT(type, to)							\
({										\
	type val;								\
	memcpy(&val, buf, sizeof(val));						\
	__put_user(val, (type __user *)(to));					\
})

static int copy_out(hva_t to, const void *buf, size_t len)
{
	if (!(to & (len - 1))) {
		switch (len) {
		case 1:
			return COPY_ONE_OUT(u8, to);
		case 2:
			return COPY_ONE_OUT(u16, to);
		case 4:
			return COPY_ONE_OUT(u32, to);
		case 8:
			return COPY_ONE_OUT(u64, to);
		}
	}
	return __copy_to_user((void __user *)to, buf, len) ? -EFAULT : 0;
}

static int read_guest(const struct access *a, gpa_t gpa, void *buf, size_t len)
{
	while (len) {
		struct memslot *slot = find_slot(a, gpa_to_gfn(gpa));
		size_t n;

		if (!slot)
			return -ENXIO;
		n = slot_chunk(slot, gpa, len);
		if (copy_in(buf, gpa_hva(slot, gpa), n))
			return -EFAULT;
		gpa += n;
		buf += n;
		len -= n;
	}
	return 0;
}

static void mark_range_dirty(const struct access *a, const struct memslot *slot, gpa_t gpa,
			     size_t len)
{
	gfn_t gfn;

	if (!memslot_logged(slot))
		return;
	for (gfn = gpa_to_gfn(gpa); gfn <= gpa_to_gfn(gpa + len - 1); gfn++)
		memslot_mark_dirty(a->vm, a->vcpu, slot, gfn);
}

static int write_guest(const struct access *a, gpa_t gpa, const void *buf, size_t len)
{
	while (len) {
		struct memslot *slot = find_slot(a, gpa_to_gfn(gpa));
		size_t n;
		int err;

		if (!slot || memslot_readonly(slot))
			return -ENXIO;
		n = slot_chunk(slot, gpa, len);
		err = copy_out(gpa_hva(slot, gpa), buf, n);
		/* A copy that failed may have written a part. */
		mark_range_dirty(a, slot, gpa, n);
		if (err)
			return -EFAULT;
		gpa += n;
		buf += n;
		len -= n;
	}
	return 0;
}

int vm_read_guest(struct vm *vm, unsigned int as, gpa_t gpa, void *buf, size_t len)
{
	struct access a = { .vm = vm, .as = as };
	int idx, err;

	if (current->mm != vm->mm)
		return -EFAULT;
	idx = srcu_read_lock(&vm->srcu);
	err = read_guest(&a, gpa, buf, len);
	srcu_read_unlock(&vm->srcu, idx);
	return err;
}

int vm_write_guest(struct vm *vm, unsigned int as, gpa_t gpa, const void *buf, size_t len)
{
	struct access a = { .vm = vm, .as = as };
	int idx, err;

	if (current->mm != vm->mm)
		return -EFAULT;
	idx = srcu_read_lock(&vm->srcu);
	err = write_guest(&a, gpa, buf, len);
	srcu_read_unlock(&vm->srcu, idx);
	return err;
}

int vcpu_read_guest(struct vcpu *vcpu, gpa_t gpa, void *buf, size_t len)
{
	struct access a = { .vm = vcpu->vm, .vcpu = vcpu };
	int idx, err;

	idx = srcu_read_lock(&vcpu->vm->srcu);
	err = read_guest(&a, gpa, buf, len);
	srcu_read_unlock(&vcpu->vm->srcu, idx);
	return err;
}

int vcpu_write_guest(struct vcpu *vcpu, gpa_t gpa, const void *buf, size_t len)
{
	struct access a = { .vm = vcpu->vm, .vcpu = vcpu };
	int idx, err;

	idx = srcu_read_lock(&vcpu->vm->srcu);
	err = write_guest(&a, gpa, buf, len);
	srcu_read_unlock(&vcpu->vm->srcu, idx);
	return err;
}

int vcpu_read_guest_atomic(struct vcpu *vcpu, gpa_t gpa, void *buf, size_t len)
{
	struct memslot *slot;
	int idx, err = -EFAULT;

	idx = srcu_read_lock(&vcpu->vm->srcu);
	slot = vcpu_memslot(vcpu, gpa_to_gfn(gpa));
	if (slot && (gpa & ~PAGE_MASK) + len <= PAGE_SIZE) {
		pagefault_disable();
		err = __copy_from_user_inatomic(buf, (void __user *)gpa_hva(slot, gpa), len) ?
		      -EFAULT : 0;
		pagefault_enable();
	}
	srcu_read_unlock(&vcpu->vm->srcu, idx);
	return err;
}

int vcpu_cmpxchg_guest(struct vcpu *vcpu, gpa_t gpa, unsigned int size, void *old, const void *new)
{
	struct memslot *slot;
	int idx, ret = -ENXIO;

	idx = srcu_read_lock(&vcpu->vm->srcu);
	slot = vcpu_memslot(vcpu, gpa_to_gfn(gpa));
	if (slot && !memslot_readonly(slot)) {
		ret = arch_user_cmpxchg((void __user *)gpa_hva(slot, gpa), size, old, new);
		if (!ret)
			memslot_mark_dirty(vcpu->vm, vcpu, slot, gpa_to_gfn(gpa));
	}
	srcu_read_unlock(&vcpu->vm->srcu, idx);
	return ret;
}

hva_t vcpu_gpa_to_hva(struct vcpu *vcpu, gpa_t gpa, bool write)
{
	struct memslot *slot = vcpu_memslot(vcpu, gpa_to_gfn(gpa));

	if (!slot || (write && memslot_readonly(slot)))
		return INVALID_HVA;
	return gpa_hva(slot, gpa);
}

bool vcpu_gpa_is_ram(struct vcpu *vcpu, gpa_t gpa, bool write)
{
	bool ram;
	int idx;

	idx = srcu_read_lock(&vcpu->vm->srcu);
	ram = vcpu_gpa_to_hva(vcpu, gpa, write) != INVALID_HVA;
	srcu_read_unlock(&vcpu->vm->srcu, idx);
	return ram;
}
