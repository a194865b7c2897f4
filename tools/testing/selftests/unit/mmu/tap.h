/* SPDX-License-Identifier: GPL-2.0-only */
/* Checks that count themselves and print TAP. */
#ifndef UNIT_TAP_H
#define UNIT_TAP_H

#include <stdbool.h>
#include <stdio.h>

static int tap_nr, tap_failed;

static inline void tap_check(bool ok, const char *what, const char *file, int line)
{
	tap_nr++;
	if (ok) {
		printf("ok %d %s\n", tap_nr, what);
		return;
	}
	tap_failed++;
	printf("not ok %d %s # %s:%d\n", tap_nr, what, file, line);
}

#define CHECK(cond, what)	tap_check(cond, what, __FILE__, __LINE__)

static inline int tap_done(void)
{
	printf("1..%d\n", tap_nr);
	return tap_failed ? 1 : 0;
}

#endif
