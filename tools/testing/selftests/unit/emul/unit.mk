# SPDX-License-Identifier: GPL-2.0-only
units += emul
emul_tests := test_length test_alu test_fault test_io test_system test_task test_native test_step
emul_fuzzers := fuzz_emul
emul_srcs := $(patsubst $(top)/%,%,$(wildcard $(top)/arch/x86/emul/*.c)) \
	tools/testing/selftests/unit/emul/guest.c
