# SPDX-License-Identifier: GPL-2.0-only
units += irqchip
irqchip_tests := test_lapic test_modes test_timer test_ipi test_ioapic test_pic test_pit test_hw
irqchip_fuzzers := fuzz_irqchip
irqchip_srcs := $(addprefix arch/x86/irqchip/,lapic.c lapic_irq.c lapic_ipi.c lapic_timer.c \
	ioapic.c pic.c pit.c) tools/testing/selftests/unit/irqchip/machine.c
