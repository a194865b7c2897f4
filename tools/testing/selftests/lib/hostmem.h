/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Guest memory that the host plays with. One area of pages, each of which says in its first word
 * what the test expects there (hm_tag); the guest checks pages, writes new values and keeps the
 * account. Statistics of the VM, and the host's knobs of memory management.
 */
#ifndef HOSTMEM_H
#define HOSTMEM_H

#include "testvm.h"

#define PAGE		4096ull
#define LARGE		(2ull << 20)
#define HM_PAGES	2048ull			/* at most, 8 MiB */
#define HM_SIZE		(HM_PAGES * PAGE)

/* In the program's image, so the guest has them too. */
extern volatile uint64_t hm_tag[HM_PAGES];	/* what the page's first word must be */
extern volatile uint8_t hm_maybe[HM_PAGES];	/* 0 is right as well, until it is written */
extern volatile uint64_t hm_first, hm_count, hm_step, hm_write;

/* The guest: checks the pages that are set above, writes them if told so, says MSG_SYNC. */
void hm_guest(void);

/* Let @vcpu, which runs hm_guest(), go over @n pages from @first on. */
void hm_work(struct test_vcpu *vcpu, uint64_t first, uint64_t n, bool write);
/* The same from the host's side; the number of pages that do not say what they should. */
uint64_t hm_wrong(const uint8_t *mem, uint64_t first, uint64_t n);
/* Give the pages of @mem values, each its own. */
void hm_fill(uint8_t *mem, uint64_t first, uint64_t n);

/* Anonymous memory of @size, aligned for large pages, with MADV_NOHUGEPAGE unless @large. */
uint8_t *hm_map(size_t size, bool large);

/* A statistic of a VM's or vCPU's fd by its name, or -1. */
int64_t kvm_stat(int fd, const char *name);

/* Write a file of sysfs or procfs; 0 or -1. */
int host_write(const char *path, const char *val);
/* The first number in one, or -1. */
long host_read(const char *path);
/* A line "@key: N ..." of @path (or "key N"), or -1. */
long host_field(const char *path, const char *key);
/* What smaps says of the mapping at @start, in KiB. */
long host_smaps(const void *start, const char *key);
/* The entry of pagemap; 0 without. */
uint64_t host_pagemap(const void *hva);
/* How many of @n pages (HM_PAGES at most) have one of @bits in their entry. */
uint64_t host_pages_with(const void *hva, uint64_t n, uint64_t bits);
#define PM_PRESENT	(1ull << 63)
#define PM_SWAPPED	(1ull << 62)
#define PM_PFN(e)	((e) & ((1ull << 55) - 1))

/* Swap space on a zram of @mib; false if the host has none to offer. */
bool host_swap_on(unsigned int mib);
void host_swap_off(void);

/* This process into a cgroup of its own, and out of it; false without cgroups that count memory. */
#define HOST_GROUP	"/sys/fs/cgroup/keel-test"
bool host_group_enter(void);
void host_group_leave(void);

#endif
