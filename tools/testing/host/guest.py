# SPDX-License-Identifier: GPL-2.0-only
"""A guest (L2) under QEMU with KVM, seen from L1: its console, its monitor."""

import json
import os
import re
import select
import shutil
import socket
import subprocess
import tempfile
import time

import l1

READY = 'KT: ready'
LIMIT = int(os.environ.get('GUEST_LIMIT', '240'))      # seconds of silence, of most waits


# What ends a guest for good; the console shows the second.
STOPPED = re.compile(r'^KVM internal error|^KVM: entry failed|^error: kvm run failed', re.M)
PANIC = re.compile(r'Kernel panic - not syncing')


class GuestError(Exception):
    """The guest or its VMM did not do what the test waits for."""


class GuestDied(GuestError):
    """The guest panicked, or KVM gave it up. text: all that it said last."""

    def __init__(self, why, text):
        super().__init__(f'{why}: {text[-300:]!r}')
        self.text = text


def exit_trace(seconds, lines=400):
    """What KVM's tracepoints say for a while: the first lines of it."""
    base = '/sys/kernel/tracing'
    try:
        for name, value in (('trace', ''), ('events/kvm/enable', '1'), ('tracing_on', '1')):
            with open(f'{base}/{name}', 'w') as f:
                f.write(value)
        time.sleep(seconds)
        with open(f'{base}/tracing_on', 'w') as f:
            f.write('0')
        with open(f'{base}/trace') as f:
            text = [line.rstrip() for line, _ in zip(f, range(lines + 12))]
        with open(f'{base}/events/kvm/enable', 'w') as f:
            f.write('0')
        return '\n'.join(text)
    except OSError as e:
        return f'no trace: {e}'


class Guest:
    """One VM.  Every wait has a limit and ends early when the VMM ends."""

    def __init__(self, files, machine='pc', irqchip='on', cpus=1, boot='kernel', cpu='',
                 client='7.2', memory=320, append='', extra=(), logdir=None, name='guest',
                 stock=False, limit=LIMIT, kernel=None):
        self.files, self.machine, self.irqchip = files, machine, irqchip
        self.cpus, self.boot, self.cpu, self.client = cpus, boot, cpu, client
        self.memory, self.append, self.extra = memory, append, list(extra)
        self.stock, self.limit = stock, limit
        self.kernel = kernel or f'{files}/vmlinuz'
        self.dir = tempfile.mkdtemp(prefix='l2-', dir='/tmp')
        self.logpath = os.path.join(logdir or self.dir, f'{name}.log')
        self.log = open(self.logpath, 'ab', buffering=0)
        self.text = ''          # console output not looked at yet
        self.boots = 0
        self.may_panic = False
        self.proc = None
        self.events = []

    # --- command line -------------------------------------------------

    def binary(self):
        return l1.qemu_command(self.client)

    def cpu_option(self):
        cpu = self.cpu
        # Stock KVM 6.1 makes QEMU 7.2 abort without this (MSR 0x4b564d06).
        if self.irqchip == 'off' and self.stock:
            cpu = (cpu or 'qemu64') + ',kvm-asyncpf-int=off'
        # QEMU's own APIC has no x2APIC, which it adds to every model under KVM.
        if self.irqchip == 'off' and 'enforce' in cpu:
            cpu += ',x2apic=off'
        return ['-cpu', cpu] if cpu else []

    def command_line(self):
        f, mmio = self.files, self.machine == 'microvm'
        machine = f'{self.machine},kernel-irqchip={self.irqchip}'
        if mmio:
            # Its second IOAPIC is QEMU's own, and dead beside an in-kernel one.
            machine += ',rtc=on' + (',ioapic2=off' if self.irqchip == 'on' else '')
        bus = 'device' if mmio else 'pci'
        cmd = self.binary() + [
            '-M', machine, '-accel', 'kvm', *self.cpu_option(), '-smp', f'{self.cpus},sockets={self.cpus}',
            '-m', str(self.memory), '-display', 'none', '-no-user-config', '-nodefaults',
            '-chardev', f'stdio,id=ser,signal=off,logfile={self.dir}/raw', '-serial', 'chardev:ser',
            '-qmp', f'unix:{self.dir}/qmp,server=on,wait=off',
            '-drive', f'file={f}/data.img,format=raw,if=none,id=data,snapshot=on',
            '-netdev', 'user,id=net']
        if not mmio:
            cmd += ['-vga', 'std']
        if self.boot == 'kernel':
            cmd += ['-kernel', self.kernel, '-initrd', f'{f}/initrd', '-append',
                    'console=ttyS0 loglevel=5 panic=-1 '
                    # It has no reset register that Linux finds: firmware entered again, with
                    # CR4 as the kernel left it, mostly ends in a triple fault, else astray.
                    + ('reboot=t ' if mmio else '') + self.append]
        else:
            cmd += ['-drive', f'file={f}/boot.img,format=raw,if=none,id=boot,snapshot=on',
                    '-device', f'virtio-blk-{bus},drive=boot,bootindex=1']
        cmd += ['-device', f'virtio-blk-{bus},drive=data,bootindex=2',
                '-device', f'virtio-net-{bus},netdev=net,romfile=' if not mmio else
                f'virtio-net-{bus},netdev=net']
        return cmd + self.extra

    # --- life ---------------------------------------------------------

    def start(self):
        self.note('# ' + ' '.join(self.command_line()))
        self.proc = subprocess.Popen(self.command_line(), stdin=subprocess.PIPE,
                                     stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                     bufsize=0)
        return self

    def note(self, text):
        self.log.write(f'\n{text}\n'.encode())

    def kill(self):
        if self.proc:
            if self.proc.poll() is None:
                self.proc.kill()
            self.proc.wait()
            if not self.log.closed:
                self.pump(0)
        self.log.close()
        shutil.rmtree(self.dir, ignore_errors=True)

    def pump(self, seconds):
        """Take what the console has to say; False when the VMM has ended."""
        fd = self.proc.stdout.fileno()
        if not select.select([fd], [], [], seconds)[0]:
            return True
        data = os.read(fd, 65536)
        self.log.write(data)
        self.text += data.decode(errors='replace').replace('\r', '')
        return bool(data)

    def expect(self, pattern, limit=None, what=None):
        """Wait for a line that matches; returns the match and drops what is before."""
        limit = limit or self.limit
        end = time.monotonic() + limit
        rx = re.compile(pattern, re.M)
        while True:
            m = rx.search(self.text)
            if m and '\n' in self.text[m.end():]:
                self.seen = self.text[:m.start()]
                self.text = self.text[m.end():]
                return m
            self.check_alive()
            if time.monotonic() > end:
                raise GuestError(f'no "{what or pattern}" in {limit} s; ' + self.state())
            if not self.pump(1) and not rx.search(self.text):
                raise GuestError(f'VMM ended with {self.proc.wait()} before '
                                 f'"{what or pattern}"; last: {self.text[-300:]!r}')

    def check_alive(self):
        """A guest that has died is not waited for."""
        if STOPPED.search(self.text):
            self.drain()
            raise GuestDied('KVM gave the guest up', self.text)
        if not self.may_panic and PANIC.search(self.text):
            self.drain()
            raise GuestDied('the guest panicked', self.text)

    def drain(self):
        """The rest of what comes with a death: registers, or a trace."""
        end = time.monotonic() + 5
        while time.monotonic() < end and self.pump(1):
            pass

    def state(self):
        """Where a silent guest is: for the log all registers, for the caller the RIPs."""
        try:
            status = self.qmp('query-status')
            regs = self.hmp('info registers -a')
            self.note(f'# silent: {status}\n{regs}\n{self.hmp("info lapic")}\n'
                      f'# exits of the next half second:\n{exit_trace(0.5)}')
            rips = re.findall(r'[RE]IP=(\S+)', regs)
            return f'status {status.get("status")}, RIP {" ".join(rips)}, ' \
                f'console ends {self.text[-120:]!r}'
        except (OSError, GuestError, ValueError) as e:
            return f'monitor: {e}, console ends {self.text[-120:]!r}'

    # --- console ------------------------------------------------------

    def wait_ready(self, limit=None):
        m = self.expect(r'^KT: userland (.*)$', limit, 'userland')
        self.boots += 1
        self.expect('^' + READY, limit, 'ready')
        return m.group(1)

    def send(self, line):
        self.proc.stdin.write(line.encode() + b'\n')

    def run(self, line, limit=None):
        """Run one command in the guest: (status, text) of each verdict it prints."""
        self.send(line)
        self.expect('^' + READY, limit, f'end of {line}')
        found = re.findall(r'^KT: (ok|fail|skip) ([\w-]+): ?(.*)$', self.seen, re.M)
        if not found:
            raise GuestError(f'no verdict of "{line}": {self.seen[-200:]!r}')
        return [(status, text) for status, _, text in found]

    def check(self, line, limit=None):
        """run(), and a failed verdict is an error.  Returns the texts."""
        verdicts = self.run(line, limit)
        for status, text in verdicts:
            if status == 'fail':
                raise GuestError(f'{line}: {text}')
        return '; '.join(f'{line.split()[0]} {text}' if status == 'ok' else
                         f'{line.split()[0]} skipped ({text})' for status, text in verdicts)

    # --- monitor ------------------------------------------------------

    def qmp(self, execute, **arguments):
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(LIMIT)
        try:
            s.connect(f'{self.dir}/qmp')
            f = s.makefile('rw')
            f.readline()
            reply = {}
            for cmd in ({'execute': 'qmp_capabilities'},
                        {'execute': execute, 'arguments': arguments}):
                f.write(json.dumps(cmd) + '\n')
                f.flush()
                while True:
                    line = f.readline()
                    if not line:
                        raise GuestError(f'monitor closed during {execute}')
                    reply = json.loads(line)
                    if 'return' in reply or 'error' in reply:
                        break
                    self.events.append(reply.get('event'))
            if 'error' in reply:
                raise GuestError(f'{execute}: {reply["error"]["desc"]}')
            return reply['return']
        finally:
            s.close()

    def hmp(self, line):
        return self.qmp('human-monitor-command', **{'command-line': line})

    def wait_end(self, limit=None):
        """The VMM ends by itself, with code 0."""
        limit = limit or self.limit
        end = time.monotonic() + limit
        while self.pump(1):
            self.check_alive()
            if time.monotonic() > end:
                raise GuestError(f'VMM did not end in {limit} s; ' + self.state())
        rc = self.proc.wait(timeout=60)
        if rc:
            raise GuestError(f'VMM ended with {rc}: {self.text[-300:]!r}')
