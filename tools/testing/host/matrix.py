#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""The guests that are tested: axes, what goes together, and the pairwise table.

matrix.py --write	write guests.table anew
matrix.py --check	fail when guests.table misses a pair
matrix.py --full	print the full cross, for `make check-long`
"""

import itertools
import os
import random
import sys

HERE = os.path.dirname(os.path.realpath(__file__))
TABLE = os.path.join(HERE, 'guests.table')

AXES = {
    'host': ['6.1', '6.12'],                            # kernel of the test host
    'guest': ['6.1', '6.12'],                           # kernel of the guest
    'machine': ['pc', 'q35', 'microvm'],
    'irqchip': ['on', 'split', 'off'],
    'cpus': ['1', '2', '4'],
    'boot': ['kernel', 'disk'],                         # -kernel, or SeaBIOS and a boot loader
    'cpu': ['default', 'host', 'max', 'Westmere-v1,vme=off,cx16=off,enforce'],   # TCG has no VME
    'client': ['7.2', '10.0'],                          # QEMU with KVM
    'life': ['reboot', 'reset', 'pause', 'panic', 'clock'],
}
NAMES = list(AXES)


def valid(case):
    """False for what a VMM cannot do, with any KVM.  Axes may be missing."""
    get = case.get
    if get('machine') == 'microvm' and get('boot') == 'disk':
        return False            # qboot boots nothing but -kernel
    if get('irqchip') == 'off' and get('client') == '10.0':
        return False            # QEMU 10 wants an in-kernel APIC
    if get('irqchip') == 'off' and get('cpus', '1') != '1':
        return False            # QEMU's own APIC starts no second CPU under KVM: it spins,
        #                         holding its big lock, with the kernel's own KVM as well
    return True


def pairs(case):
    return {(a, case[a], b, case[b]) for a, b in itertools.combinations(NAMES, 2)}


# What every newcomer starts: always there, whatever the cover needs.
FIRST = [dict(zip(NAMES, [k, k, 'pc', 'on', '1', 'kernel', 'default', '7.2', 'clock']))
         for k in AXES['host']]


def full():
    """Every combination once; their lives take turns."""
    lives = itertools.cycle(AXES['life'])
    for values in itertools.product(*list(AXES.values())[:-1]):
        case = dict(zip(NAMES, values), life='')
        if valid(case):
            yield dict(case, life=next(lives))


def all_pairs():
    """Pairs that some valid case has."""
    todo = set()
    for a, b in itertools.combinations(NAMES, 2):
        for x, y in itertools.product(AXES[a], AXES[b]):
            if valid({a: x, b: y}):
                todo.add((a, x, b, y))
    return todo


def pairwise(seed):
    """A greedy cover: of some random cases, always the one with most new pairs."""
    rnd = random.Random(seed)
    todo, table = all_pairs(), list(FIRST)
    for case in FIRST:
        todo -= pairs(case)
    while todo:
        best, gain = None, 0
        for want in rnd.sample(sorted(todo), min(len(todo), 25)):
            for _ in range(12):
                case = {n: rnd.choice(v) for n, v in AXES.items()}
                case[want[0]], case[want[2]] = want[1], want[3]
                if valid(case) and len(pairs(case) & todo) > gain:
                    best, gain = case, len(pairs(case) & todo)
        if best:
            table.append(best)
            todo -= pairs(best)
    return table


def read_table(path=TABLE):
    cases = []
    with open(path) as f:
        for line in f:
            words = line.split()
            if words and not line.startswith('#'):
                cases.append(dict(zip(NAMES, words)))
    return cases


def name(case):
    """The name of a case's test."""
    return 'guest {guest} {machine} irqchip={irqchip} cpus={cpus} boot={boot} cpu={cpu} ' \
        'qemu{client} {life}'.format(**case)


def print_table(cases, out):
    cases = sorted(cases, key=lambda c: [AXES[n].index(c[n]) for n in NAMES])
    width = [max(len(n), *(len(v) for v in AXES[n])) + 2 for n in NAMES]
    print('# SPDX-License-Identifier: GPL-2.0-only', file=out)
    print('# Written by matrix.py --write: each pair of values of two axes is in some line.', file=out)
    print('#' + ''.join(n.ljust(w) for n, w in zip(NAMES, width)).rstrip(), file=out)
    for c in cases:
        print(' ' + ''.join(c[n].ljust(w) for n, w in zip(NAMES, width)).rstrip(), file=out)


def main():
    mode = sys.argv[1] if len(sys.argv) > 1 else '--check'
    if mode == '--write':
        table = min((pairwise(seed) for seed in range(60)), key=len)
        with open(TABLE, 'w') as f:
            print_table(table, f)
        return 0
    if mode == '--full':
        print_table(list(full()), sys.stdout)
        return 0
    cases = read_table()
    missing = all_pairs() - set().union(*(pairs(c) for c in cases))
    wrong = [c for c in cases if not valid(c)]
    for m in sorted(missing):
        print('guests.table: missing', *m)
    for c in wrong:
        print('guests.table: impossible', name(c))
    return 1 if missing or wrong else 0


if __name__ == '__main__':
    sys.exit(main())
