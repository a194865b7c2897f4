// SPDX-License-Identifier: GPL-2.0-only
/* The codecs of stage-2 entries: what is put together can be read back, in both formats. */
#include "arch/x86/mmu/pte.h"
#include "tap.h"

static void common(const char *name, unsigned int fmt, bool ad, u64 encrypt)
{
	static const struct s2e_rights ro = { .exec = true }, rw = { .host_write = true, .write = true,
							     .exec = true },
				       wp = { .host_write = true, .exec = true },
				       nx = { .host_write = true, .write = true };
	u64 e;

	printf("# %s\n", name);
	CHECK(s2e_select(fmt, ad, encrypt), "format is known");
	CHECK(!s2e_present(0), "0 is absent");

	e = s2e_make_table(0x12345000);
	CHECK(s2e_present(e) && !s2e_is_leaf(e, 2) && s2e_addr(e) == 0x12345000, "table");

	e = s2e_make_leaf(0xabcdef000, 1, ro);
	CHECK(s2e_present(e) && s2e_is_leaf(e, 1) && !s2e_writable(e) && s2e_executable(e) &&
	      s2e_addr(e) == 0xabcdef000 && !(e & S2_SW_HOST_W), "read-only 4K leaf");
	e = s2e_make_leaf(0x40000000, 3, rw);
	CHECK(s2e_is_leaf(e, 3) && s2e_writable(e) && s2e_addr(e) == 0x40000000 &&
	      (e & S2_SW_HOST_W), "writable 1G leaf");
	e = s2e_make_leaf(0x200000, 2, wp);
	CHECK(!s2e_writable(e) && (e & S2_SW_HOST_W), "protected leaf keeps the host's right");
	e = s2e_make_leaf(0x1000, 1, nx);
	CHECK(!s2e_executable(e) && s2e_writable(e), "no fetches");
	e = s2e_make_leaf(0x1000, 1, rw);
	CHECK((e & s2_fmt.dirty) == s2_fmt.dirty, "a writable leaf is dirty, where D exists");
	e = s2e_make_leaf(0x1000, 1, (struct s2e_rights){ .host_write = true, .write = true,
							  .log = true });
	CHECK(s2e_writable(e) && !(e & s2_fmt.dirty), "unless the hardware is to log it");
	CHECK(s2e_young(s2e_make_leaf(0x1000, 1, ro)), "a new leaf is young");
	if (encrypt) {
		CHECK(s2e_make_leaf(0x1000, 1, ro) & encrypt, "RAM is encrypted");
		CHECK(!(s2e_make_leaf(0x1000, 1, (struct s2e_rights){ .device = true }) & encrypt),
		      "a device is not");
	}
}

int main(void)
{
	common("NPT", MMU_FMT_NPT, true, 0);
	CHECK((s2e_make_leaf(0x1000, 1, (struct s2e_rights){ .exec = true }) & 5) == 5,
	      "NPT entries are user entries");
	common("NPT with memory encryption", MMU_FMT_NPT, true, 1ull << 47);
	common("EPT", MMU_FMT_EPT, true, 0);
	CHECK((s2e_make_leaf(0x1000, 1, (struct s2e_rights){ .exec = true }) >> 3 & 15) == 14,
	      "EPT RAM is WB and ignores PAT");
	CHECK((s2e_make_leaf(0x1000, 1, (struct s2e_rights){ .device = true }) >> 3 & 15) == 0,
	      "EPT devices are UC and obey PAT");
	common("EPT without A/D", MMU_FMT_EPT, false, 0);
	CHECK(!(s2e_make_leaf(0x1000, 1, (struct s2e_rights){ .host_write = true, .write = true,
						      .exec = true }) & 0x300),
	      "no A, no D");
	CHECK(!s2e_select(NR_MMU_FMTS, true, 0), "unknown format");
	CHECK(level_shift(1) == 12 && level_shift(3) == 30 && level_frames(2) == 512 &&
	      level_index(0x12345, 1) == 0x145 && level_index(0x12345, 2) == 0x91, "levels");
	return tap_done();
}
