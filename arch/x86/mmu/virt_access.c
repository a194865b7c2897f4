// SPDX-License-Identifier: GPL-2.0-only
/* Access to the guest's memory by its virtual addresses. */
#include <keel/guest_mem.h>
#include "arch/x86/x86.h"

/* A range of at most a page lies in at most two pages. */
struct virt_span {
	gpa_t	gpa[2];
	size_t	len[2];
};

static int span_walk(struct x86_vcpu *vcpu, gva_t gva, u32 access, gpa_t *gpa,
		     struct virt_fault *f)
{
	struct guest_walk_result r;

	if (!guest_walk(vcpu, gva, access, &r)) {
		*gpa = r.gpa;
		return 0;
	}
	f->error_code = r.error_code;
	f->addr = gva;
	return 1;
}

/* Outside 64-bit code linear addresses have 32 bits and wrap. */
static gva_t gva_wrap(struct x86_vcpu *vcpu, gva_t gva)
{
	return is_64bit_code(vcpu) ? gva : (u32)gva;
}

static int span_make(struct x86_vcpu *vcpu, gva_t gva, size_t len, u32 access,
		     struct virt_span *s, struct virt_fault *f)
{
	int ret;

	if (len > PAGE_SIZE)
		return -EFAULT;
	s->len[0] = min_t(size_t, len, PAGE_SIZE - (gva & ~PAGE_MASK));
	s->len[1] = len - s->len[0];
	ret = span_walk(vcpu, gva, access, &s->gpa[0], f);
	if (!ret && s->len[1])
		ret = span_walk(vcpu, gva_wrap(vcpu, gva + s->len[0]), access, &s->gpa[1], f);
	return ret;
}

int vcpu_read_virt(struct x86_vcpu *vcpu, gva_t gva, void *buf, size_t len, u32 access,
		   struct virt_fault *f)
{
	struct virt_span s;
	int ret = span_make(vcpu, gva, len, access, &s, f);

	if (!ret)
		ret = vcpu_read_guest(&vcpu->v, s.gpa[0], buf, s.len[0]);
	if (!ret && s.len[1])
		ret = vcpu_read_guest(&vcpu->v, s.gpa[1], buf + s.len[0], s.len[1]);
	return ret;
}

int vcpu_write_virt(struct x86_vcpu *vcpu, gva_t gva, const void *buf, size_t len, u32 access,
		    struct virt_fault *f)
{
	struct virt_span s;
	int ret = span_make(vcpu, gva, len, access | GW_WRITE, &s, f);

	if (!ret)
		ret = vcpu_write_guest(&vcpu->v, s.gpa[0], buf, s.len[0]);
	if (!ret && s.len[1])
		ret = vcpu_write_guest(&vcpu->v, s.gpa[1], buf + s.len[0], s.len[1]);
	return ret;
}

int vcpu_fetch_virt(struct x86_vcpu *vcpu, gva_t gva, void *buf, size_t len, u32 access,
		    struct virt_fault *f)
{
	size_t first = min_t(size_t, len, PAGE_SIZE - (gva & ~PAGE_MASK));
	struct virt_fault second;
	gpa_t gpa;

	if (span_walk(vcpu, gva, access | GW_FETCH, &gpa, f))
		return 0;
	if (vcpu_read_guest(&vcpu->v, gpa, buf, first))
		return -EFAULT;
	if (len == first)
		return first;
	/* The instruction may end before the second page: whether that faults is told by need. */
	if (span_walk(vcpu, gva_wrap(vcpu, gva + first), access | GW_FETCH, &gpa, &second) ||
	    vcpu_read_guest(&vcpu->v, gpa, buf + first, len - first))
		return first;
	return len;
}
