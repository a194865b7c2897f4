// SPDX-License-Identifier: GPL-2.0-only
/*
 * Prints the numbers and layouts of one KVM ABI header: "GROUP NAME VALUES" per line. Built twice,
 * with -DKEEL for ours and without for the kernel's.
 */
#include <stddef.h>
#include <stdio.h>

#define PAGE_SIZE 4096

#ifdef KEEL
#include <uapi/keel/kvm.h>
#else
#include <linux/kvm.h>
#endif

/* Prints nothing for a number that this header does not have: the comparison then fails. */
#define N(name)	printf("numbers %s %#llx\n", #name, (unsigned long long)(name))
#define S(type)		printf("%s sizeof %zu\n", group(#type), sizeof(type));
#define F(type, m)	printf("%s %s %zu %zu\n", group(#type), #m, offsetof(type, m), \
			       sizeof(((type *)NULL)->m));
#define V(type, m)	printf("%s %s %zu\n", group(#type), #m, offsetof(type, m));

/* "struct x" -> "x" */
static inline const char *group(const char *type)
{
	return type + sizeof("struct");
}

static void dump_numbers(void)
{
#include "numbers.h"
}

static void dump_structs(void)
{
#ifndef KVM_CAP_X86_GUEST_MODE
	printf("old - -\n");
#else
#include "fields.h"
#endif
}

int main(void)
{
	dump_numbers();
	dump_structs();
	return 0;
}
