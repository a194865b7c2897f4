# SPDX-License-Identifier: GPL-2.0-only
"""Named cases with guests, run one after another in L1, and reported as TAP."""

import re
import subprocess
import time

import guest
import l1


def note(text):
    print('# ' + text.replace('\n', '\n# '), flush=True)


def sh(command):
    subprocess.run(command, shell=True, check=True, stdout=subprocess.DEVNULL)


def complaints():
    text = subprocess.run('dmesg', stdout=subprocess.PIPE, text=True, check=False).stdout
    return l1.log_complaints(text)


def run(suite, names, describe, fn):
    """fn(name) for each of @names, then a look at the kernel log. The exit code."""
    bad = 0
    print(f'TAP version 13\n1..{len(names) + 1}', flush=True)
    for i, name in enumerate(names, 1):
        verdict, start = 'ok', time.monotonic()
        try:
            fn(name)
        except (guest.GuestError, OSError, subprocess.SubprocessError) as e:
            note(str(e))
            verdict = 'not ok'
        bad += verdict != 'ok'
        note(f'{name}: {time.monotonic() - start:.0f} s')
        print(f'{verdict} {i} - {suite}: {describe(name)}', flush=True)
    log = complaints()
    for c in log:
        note(re.sub(r'\s+', ' ', c))
    print(f'{"not ok" if log else "ok"} {len(names) + 1} - {suite}: kernel log is clean', flush=True)
    return 1 if bad or log else 0
