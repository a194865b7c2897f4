/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * TAP for the unit tests. ok() is one check; passing ones are counted and not printed,
 * unit_case() names a group of them and prints one line. End main() with unit_done().
 */
#ifndef KEEL_UNIT_H
#define KEEL_UNIT_H

#include <stdbool.h>
#include <stdio.h>

#define UNIT_SKIP	4	/* exit code */

static int unit_cases, unit_bad_cases, unit_checks, unit_bad;
static const char *unit_name;

static inline void unit_end_case(void)
{
	if (!unit_name)
		return;
	unit_cases++;
	if (unit_bad)
		unit_bad_cases++;
	printf("%sok %d - %s (%d checks)\n", unit_bad ? "not " : "", unit_cases, unit_name,
	       unit_checks);
	unit_name = NULL;
}

static inline void unit_case(const char *name)
{
	unit_end_case();
	unit_name = name;
	unit_checks = 0;
	unit_bad = 0;
}

#define ok(cond, ...)							\
	({								\
		bool ok_ = (cond);					\
		unit_checks++;						\
		if (!ok_) {						\
			unit_bad++;					\
			if (unit_bad <= 10) {				\
				printf("# %s:%d: %s: ", __FILE__, __LINE__, #cond); \
				printf(__VA_ARGS__);			\
				printf("\n");				\
			}						\
		}							\
		ok_;							\
	})

static inline int unit_done(void)
{
	unit_end_case();
	printf("1..%d\n", unit_cases);
	return unit_bad_cases ? 1 : 0;
}

#endif /* KEEL_UNIT_H */
