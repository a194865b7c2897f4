// SPDX-License-Identifier: GPL-2.0-only
/* The one place where the core's tracepoints are created. */
#include <linux/errno.h>
#include <linux/string.h>

#define CREATE_TRACE_POINTS
#include "virt/trace.h"
