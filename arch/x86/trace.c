// SPDX-License-Identifier: GPL-2.0-only
/* The one place where x86's tracepoints are created. */
#include <linux/string.h>

#define CREATE_TRACE_POINTS
#include "arch/x86/trace.h"
