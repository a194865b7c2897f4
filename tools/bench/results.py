# SPDX-License-Identifier: GPL-2.0-only
"""Figures of tools/bench: read what a run printed, compare, print, keep."""

import json
import os
import re
import statistics

# What dear instructions cost beyond one plain instruction, in such instructions. Cycles are taken
# as instructions of a core that does one a cycle.
WEIGHTS = {
    'vmrun': (1300, 'EPYC, VMRUN to #VMEXIT with VMSAVE/VMLOAD of the SEV-ES path: 1344-1376 cycles, '
                    'LKML 2020-12-15, "KVM: SVM: use vmsave/vmload for saving/restoring additional host state"'),
    'vmload': (30, 'same thread: 20-30 cycles against FS/GS base by hand'),
    'vmsave': (30, 'taken to be as VMLOAD'),
    'lock': (17, 'AMD Jaguar: atomic CMPXCHG 17 cycles, LLVM X86ScheduleBtVer2'),
    'gif': (20, 'estimate: microcoded'),
    'vmread': (20, 'estimate: microcoded'),
    'vmwrite': (20, 'estimate: microcoded'),
    'rdmsr': (50, 'estimate: microcoded'),
    'wrmsr': (150, 'estimate: microcoded, most serialise'),
    'wrcr': (150, 'estimate: serialising; CR3 and CR4 drop translations'),
    'dr': (100, 'estimate: serialising'),
    'flush': (150, 'estimate: INVLPG, INVLPGA, without the misses that follow'),
    'xcr': (60, 'estimate: XSETBV, WRPKRU'),
    'xstate': (60, 'estimate: XSAVE and XRSTOR of SSE and AVX'),
    'seg': (40, 'estimate: LTR, LLDT, LGDT, LIDT'),
    'syscall': (40, 'estimate: SYSCALL or SYSRET'),
    'iret': (60, 'estimate'),
}

# How much two runs of one side may differ, percent.
REPEAT = {'straight': 0.5, 'allocates': 2.0, 'sleeps': 2.0, 'bytes': 2.0}

# Keel to stock at most, by path.
USER = ('out-user', 'in-user', 'outs-user', 'ins-user', 'mmio-write-user', 'mmio-read-user',
        'coalesced-mmio', 'sync-regs')
EVENT = ('ioeventfd', 'irqfd', 'signal-msi', 'irq-line', 'kvm-interrupt', 'ipi', 'timer', 'self-ipi')
STATE = ('get-', 'set-', 'translate', 'check-extension')
MEMORY = ('first-touch', 'populate', 'dirty', 'redirty', 'unmap', 'zap', 'slot', 'teardown')
LIFE = ('create-to-first-exit', 'vm-destroy', 'vm-create', 'vcpu-create', 'first-run')


def target(path):
    if path.startswith('bytes-per'):
        return 0.5
    if path == 'guest-boot':
        return 0.95
    for names, t in ((USER, 0.6), (EVENT, 0.6), (STATE, 0.8), (LIFE, 0.4)):
        if path.startswith(names):
            return t
    if path.startswith(MEMORY):
        return 0.7
    return 0.5


class Side:
    """One run of one KVM: figures by path, kinds, state, exits of a guest's boot."""

    def __init__(self, name):
        self.name, self.rows, self.weighted, self.all = name, {}, {}, {}
        self.state, self.exits, self.kinds = {}, {}, {}

    def add(self, path, kind, plain, weighted):
        """
        One measurement of several. Of instructions the least counts: what else the host does now and then
        only adds some. Bytes come and go with whole pages: their median.
        """
        self.all.setdefault(path, []).append((plain, weighted))
        pick = statistics.median if kind == 'bytes' else min
        self.rows[path] = pick(p for p, _ in self.all[path])
        self.weighted[path] = pick(w for _, w in self.all[path])
        self.kinds[path] = kind


def row_figures(words, classes, lines):
    """Instructions of one operation: by the plugin's next line, or without plugin the ticks in the row."""
    n, ticks = int(words[3]), int(words[4])
    if not classes:
        return {'total': ticks / n}
    figures = dict(zip(classes, (int(w) / n for w in next(lines, '').split())))
    if len(figures) != len(classes):
        raise SystemExit(f'bench: the plugin has no counts for {words[1]}')
    return figures


def parse(text, counted):
    """
    What bench printed, and the plugin's lines if there is one: the floor's counts, a list of sides,
    notes.
    """
    lines = counted.split('\n')
    classes = lines[0].split()
    lines = iter(lines[1:])
    sides, floor, notes = [], None, []
    for words in (line.split() for line in text.splitlines()):
        if not words:
            continue
        if words[0] == 'note':
            notes.append(' '.join(words[1:]))
        elif words[0] == 'side':
            sides.append(Side(words[1]))
        elif words[0] == 'state':
            sides[-1].state[words[1]] = ' '.join(words[2:])
        elif words[0] == 'exits':
            sides[-1].exits[words[1]] = int(words[2])
        elif words[0] == 'value':
            sides[-1].add(words[1], 'bytes', int(words[2]), int(words[2]))
        elif words[0] == 'row':
            path, kind = words[1], words[2]
            figures = row_figures(words, classes, lines)
            weighted = figures['total'] + sum(figures.get(c, 0) * w for c, (w, _) in WEIGHTS.items())
            if path == 'floor':
                floor = (figures['total'], weighted)
                continue
            sides[-1].add(path, kind, figures['total'], weighted)
    return floor, sides, notes


def differences(a, b):
    """State that is not the same on both sides."""
    same = ({'N', '0', 'never'},)
    return [f'{k}: {a[k]} and {b[k]}' for k in sorted(a.keys() & b.keys())
            if a[k] != b[k] and not any({a[k], b[k]} <= s for s in same)]


def unsteady(runs):
    """Paths whose two runs differ by more than they may, and how."""
    first, second = runs[:2]
    out = {}
    for path, x in first.rows.items():
        if path not in second.rows:     # the guest boots once a side
            continue
        y = second.rows[path]
        off = abs(x - y) / max(x, y, 1) * 100
        if off > REPEAT[first.kinds[path]] and abs(x - y) > 8:
            out[path] = f'{first.name} {path}: {x:.0f} and {y:.0f}, {off:.1f} %'
    return out


def mean(runs, path, what='rows'):
    have = [getattr(r, what)[path] for r in runs if path in getattr(r, what)]
    return sum(have) / len(have)


def table(stock, keel):
    """Rows: path, stock, Keel, ratio, and the same weighted."""
    rows = []
    for path in (p for p in keel[0].rows if p in stock[0].rows):
        s, k = mean(stock, path), mean(keel, path)
        sw, kw = mean(stock, path, 'weighted'), mean(keel, path, 'weighted')
        rows.append({'path': path, 'stock': round(s), 'keel': round(k), 'ratio': round(k / s, 3) if s else 0,
                     'stock_w': round(sw), 'keel_w': round(kw), 'ratio_w': round(kw / sw, 3) if sw else 0,
                     'kind': keel[0].kinds[path]})
    return rows


def show(rows, floor):
    base = f'{floor[0]:.0f}' if floor else '-'
    print(f'{"path":24}{"stock":>11}{"Keel":>11}{"ratio":>7}{"target":>8}'
          f'{"weighted":>11}{"Keel":>11}{"ratio":>7}{"floor":>7}')
    for r in rows:
        t = target(r['path'])
        counted = r['kind'] not in ('bytes',)
        print(f'{r["path"]:24}{r["stock"]:>11}{r["keel"]:>11}{r["ratio"]:>7.2f}'
              f'{t:>7.2f}{"!" if r["ratio"] > t else " "}'
              + (f'{r["stock_w"]:>11}{r["keel_w"]:>11}{r["ratio_w"]:>7.2f}{base:>7}' if counted else ''))


def show_exits(stock, keel):
    """Exits of a guest's boot by reason; both sides number them as the hardware does."""
    s, k = stock.exits, keel.exits
    if not s or not k:
        return
    print(f'\n{"exits of a boot, reason":24}{"stock":>11}{"Keel":>11}{"ratio":>7}')
    for reason in sorted(s.keys() | k.keys(), key=int):
        a, b = s.get(reason, 0), k.get(reason, 0)
        print(f'{hex(int(reason)):24}{a:>11}{b:>11}{b / a if a else 0:>7.2f}')
    a, b = sum(s.values()), sum(k.values())
    print(f'{"all":24}{a:>11}{b:>11}{b / a:>7.2f}')


# JSON has no comments.
LICENSE = 'SPDX-License-Identifier: GPL-2.0-only'


def load(path):
    if not os.path.exists(path):
        return {}
    with open(path, encoding='ascii') as f:
        return json.load(f)


def save(path, rst, kernel, meta, floor, rows):
    """One kernel's figures, in the table that --check goes by and in the documentation."""
    data = {'license': LICENSE, **load(path)}
    data[kernel] = {'meta': meta, 'floor': floor and round(floor[0]),
                    'paths': {r['path']: [r['stock'], r['keel'], r['ratio'], r['ratio_w']]
                              for r in rows}}
    text = json.dumps(data, indent=1, sort_keys=False)
    text = re.sub(r'\[\s+([^][]*?)\s+\]', lambda m: '[' + re.sub(r'\s+', ' ', m[1]) + ']', text)
    with open(path, 'w', encoding='ascii') as f:
        f.write(text + '\n')
    write_rst(data, rst)


def write_rst(data, path):
    """The kept figures as performance.rst includes them."""
    kernels = [k for k in data if k != 'license']
    out = ['.. SPDX-License-Identifier: GPL-2.0-only', '',
           '.. Written by tools/bench/run --save, from tools/bench/table.json.', '']
    for k in kernels:
        m = data[k]['meta']
        out += [f'Linux {k}: {m["kernel"]}, {m["emulator"]}, {m["options"]}; Keel at {m["commit"]}; '
                f'floor {data[k]["floor"]}.', '']
    rule = '=' * 23 + '  ' + '  '.join(' '.join(('=' * 11, '=' * 11, '=====', '========')) for _ in kernels) \
        + '  ========'
    out += [rule.replace('= =', '=  =')]
    head = ''.join(f'  {k + " stock":>11}  {"Keel":>11}  ratio  weighted' for k in kernels)
    out += [f'{"path":23}{head}  target', rule.replace('= =', '=  =')]
    for p in dict.fromkeys(p for k in kernels for p in data[k]['paths']):
        line, above = f'{p:23}', False
        for k in kernels:
            s, o, r, w = data[k]['paths'].get(p, (None,) * 4)
            line += f'  {"-":>11}  {"-":>11}  {"-":>5}  {"-":>8}' if s is None else \
                f'  {s:>11}  {o:>11}  {r:>5.2f}  {w:>8.2f}'
            above |= r is not None and r > target(p)
        out.append(f'{line}  {target(p):.2f}{" !" if above else ""}')
    out += [rule.replace('= =', '=  ='), '']
    with open(path, 'w', encoding='ascii') as f:
        f.write('\n'.join(out))


def worse(old, rows, limit=1.02):
    """Rows whose ratio is more than 2 % above the kept one."""
    out = []
    for r in rows:
        was = old['paths'].get(r['path'])
        if was and r['ratio'] > was[2] * limit + 0.005:
            out.append(f'{r["path"]}: {was[2]:.3f} -> {r["ratio"]:.3f}')
    return out
