# SPDX-License-Identifier: GPL-2.0-only
"""Collect TAP as it comes, and count what was planned but never reported.

What a producer said before a failure is kept, for the end of the run: often nothing
else of it is seen.
"""

import re
import threading
import time

MOST = 60       # lines kept of what was said before a failure
RESULT = re.compile(rb'^(ok|not ok)\b\s*\d*\s*-?\s*(.*)$')


class Suite:
    """One producer of TAP.  feed() takes raw output; close() adds what is missing."""

    def __init__(self, name, log, report, planned=()):
        self.name, self.log, self.report = name, log, report
        self.planned = list(planned)
        self.passed, self.failed, self.skipped = [], [], []
        self.rest = b''
        self.said, self.why = [], []    # since the last result; of each failure

    def feed(self, data):
        self.log.write(data)
        self.log.flush()
        *lines, self.rest = (self.rest + data).split(b'\n')
        for line in lines:
            m = RESULT.match(line.rstrip(b'\r'))
            if m:
                self.add(m.group(1) == b'ok', m.group(2).decode(errors='replace').strip())
                self.said.clear()
            else:
                self.said = self.said[1 - MOST:] + [line.decode(errors='replace').rstrip()]

    def add(self, good, text):
        name, _, directive = text.partition('#')
        name = name.strip()
        if good and directive.strip().upper().startswith('SKIP'):
            self.skipped.append(name)
            word = 'skip'
        else:
            (self.passed if good else self.failed).append(name)
            if not good:
                self.why.append((f'{self.name}: {text}', list(self.said)))
            word = 'ok' if good else 'FAIL'
        self.report(word, f'{self.name}: {text}')

    def seen(self):
        return len(self.passed) + len(self.failed) + len(self.skipped)

    def close(self, error=None):
        """error: why the producer did not end well, or None."""
        if self.rest:
            self.feed(b'\n')
        done = set(self.passed + self.failed + self.skipped)
        for name in self.planned:
            if name not in done:
                self.add(False, f'{name} # did not run to its end')
        if error and not self.failed:
            self.add(False, error)
        if not self.seen():
            self.add(False, 'no result at all')


class Progress:
    """One line per result on the terminal, from any thread."""

    def __init__(self, verbose):
        self.start, self.lock, self.verbose = time.monotonic(), threading.Lock(), verbose
        self.count = {'ok': 0, 'FAIL': 0, 'skip': 0}

    def say(self, text):
        t = int(time.monotonic() - self.start)
        with self.lock:
            print(f'[{t // 60:3d}:{t % 60:02d}] {text}', flush=True)

    def report(self, word, text):
        self.count[word] += 1
        if word == 'FAIL' or self.verbose:
            self.say(f'{word:4} {text}')
