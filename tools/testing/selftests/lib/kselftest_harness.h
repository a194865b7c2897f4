/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The kernel's kselftest harness, but for the time that a test may take: its
 * 30 seconds are few where the host is emulated and other tests run beside it.
 * A test that hangs is ended, and never fails for slowness alone.
 */
#include_next "kselftest_harness.h"

#undef TEST_TIMEOUT_DEFAULT
#define TEST_TIMEOUT_DEFAULT 240	/* seconds */
