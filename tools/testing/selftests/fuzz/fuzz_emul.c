// SPDX-License-Identifier: GPL-2.0-only
/* Decoder and executor of the emulator: the unit tests' target, which also runs without libFuzzer. */
#include "unit/emul/fuzz_emul.c"
