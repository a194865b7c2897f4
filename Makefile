# SPDX-License-Identifier: GPL-2.0-only
#
# Keel.  `make help` lists what can be done.

KDIR ?= /lib/modules/$(shell uname -r)/build
HOST ?= emulated
KERNEL ?= 6.12
KVM ?= keel
TEST := tools/testing/host
# Minutes after which check and check-debug end themselves.
budget := $(if $(BUDGET),--budget $(BUDGET))

all: modules

help:
	@echo 'make                 build the modules for the running kernel; KDIR=headers for another'
	@echo 'make load|unload     load or unload them on this machine (as root)'
	@echo 'make run             boot a Linux guest on Keel in an emulated test host'
	@echo 'make shell           a shell in such a test host, with the modules loaded'
	@echo 'make check           all tests, ends itself after 80 minutes; V=1 names each'
	@echo 'make check-debug     once more in a debug kernel (KASAN, lockdep, ...)'
	@echo 'make coverage        lines of the modules that the fuzzers reach, in the debug kernel;'
	@echo "                     PROGRAMS='\"fuzz_guest --seconds 600\" api' for other selftests"
	@echo 'make check-long      with the full cross of guests: many hours'
	@echo "make check-upstream  the kernel's own KVM selftests and rust's kvm-ioctls, on both KVMs"
	@echo 'make bench           instructions per operation, beside the kernel'"'"'s own KVM, about 15 minutes'
	@echo 'make bench-check     the same, and compare with the ratios kept in tools/bench/table.json'
	@echo 'make check-7.x       the build and the selftests on the newest kernel of Debian 13 (root)'
	@echo 'make lint            warnings, style, license lines, imports'
	@echo 'make clean           remove build/ (the cache in ~/.cache/keel stays)'
	@echo
	@echo 'run, shell, check:   KERNEL=6.1|6.12 of the test host, KVM=keel|stock'
	@echo 'run, check:          HOST=bochs-intel|bochs-amd for VT-x, or more of AMD-V, in Bochs: slow'
	@echo 'check:               HOST=local uses this machine, with Keel loaded; ONLY=text of job names'

modules:
	@if [ ! -e "$(KDIR)/Makefile" ]; then \
		echo "no kernel headers in $(KDIR): install linux-headers-$$(uname -r), or give KDIR=," \
			"or try 'make run', which needs neither" >&2; exit 1; fi
	@scripts/build "$(KDIR)"

load:
	@scripts/load

unload:
	@scripts/unload

deps:
	@scripts/install-deps
	@scripts/fetch-kernel 6.1 > /dev/null
	@scripts/fetch-kernel 6.12 > /dev/null

# What runs for longer than a boot needs the emulator that does not spoil guests: four minutes, once.
hosts: deps
	@scripts/build-qemu > /dev/null

run: deps
	@$(TEST)/demo --host $(HOST) --kernel $(KERNEL) --kvm $(KVM)

shell: hosts
	@$(TEST)/run-l1 --kernel $(KERNEL) --kvm $(KVM) --shell --timeout 100000

# All that check and its relatives need before they start.
prepare: hosts
	@scripts/fetch-qemu > /dev/null
	@scripts/fetch-linux-tools > /dev/null

check: prepare
	@$(TEST)/check --kvm $(KVM) --host $(HOST) $(budget) $(if $(V),-v) $(foreach o,$(ONLY),--only '$(o)')

check-long: prepare
	@$(TEST)/check --long --kvm $(KVM) --host $(HOST) $(if $(V),-v)

check-upstream: hosts
	@scripts/fetch-qemu > /dev/null || :
	@scripts/fetch-kvm-selftests > /dev/null
	@scripts/fetch-kvm-ioctls > /dev/null || :
	@$(TEST)/check-upstream $(if $(WRITE),--write) $(ONLY)

bench: hosts
	@tools/bench/run $(if $(filter local,$(HOST)),--host local)

bench-check: hosts
	@tools/bench/run --check

check-7.x: hosts
	@scripts/fetch-linux-tools > /dev/null
	@scripts/trixie --make > /dev/null
	@scripts/fetch-kernel 7.x > /dev/null
	@$(TEST)/check --newest --kvm $(KVM) $(if $(V),-v) $(foreach o,$(ONLY),--only '$(o)')

check-debug: prepare
	@scripts/build-debug-kernel > /dev/null
	@$(TEST)/check --debug $(budget) $(if $(LONG),--long) $(if $(V),-v) $(foreach o,$(ONLY),--only '$(o)')

coverage: hosts
	@scripts/build-debug-kernel > /dev/null
	@$(TEST)/run-coverage $(PROGRAMS)

lint: deps
	@scripts/lint

clean:
	rm -rf build

.PHONY: all help modules load unload deps hosts prepare run shell check check-long check-debug check-upstream \
	check-7.x coverage bench bench-check lint clean
