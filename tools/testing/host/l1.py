# SPDX-License-Identifier: GPL-2.0-only
"""Boot a test host (L1) in QEMU's TCG, run one job in it, judge how it went."""

import hashlib
import json
import os
import re
import select
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.realpath(__file__))
SRC = os.path.dirname(os.path.dirname(os.path.dirname(HERE)))
CACHE = os.environ.get('KEEL_CACHE') or os.path.expanduser('~/.cache/keel')
BUILD = os.environ.get('KEEL_OUT') or os.path.join(SRC, 'build')

L1_MODULES = 'virtio_pci virtio_console 9pnet_virtio 9p overlay virtio_net tun'

# Exit codes of our own; everything else is the job's.
RC_SETUP = 96     # L1 never came to run the job, or KVM did not load
RC_TIMEOUT = 97   # the job did not end in time
RC_DIED = 98      # L1 panicked, or the emulator ended without a result
RC_LOG = 99       # the job succeeded, but the kernel log holds a complaint

PANIC = re.compile(r'Kernel panic - not syncing|---\[ end Kernel panic')
BAD_LOG = re.compile(
    r'\bBUG:|\bWARNING:|\bOops\b|general protection fault|Kernel panic|'
    r'\bUBSAN:|\bKASAN:|INFO: rcu|INFO: task .* blocked|soft lockup|hard LOCKUP|'
    r'possible (circular|recursive) locking|suspicious RCU usage|'
    r'unable to handle|invalid opcode:|stack segment:|divide error:|'
    r'scheduling while atomic|sleeping function called|unchecked MSR access|'
    r'kmemleak: [0-9]|refcount_t:|list_(add|del) corruption|Bad page|bad page|'
    r'nobody cared|lockdep(?! checking is enabled)|DEBUG_LOCKS|ODEBUG')


def kernel_dir(series):
    """Folder of a kernel in the cache; fetches it when it is not there."""
    if os.path.isdir(os.path.join(series, 'boot')):
        return os.path.realpath(series)
    script = 'build-debug-kernel' if series == 'debug' else 'fetch-kernel'
    args = [] if series == 'debug' else [series]
    r = subprocess.run([os.path.join(SRC, 'scripts', script), '--cached', *args],
                       stdout=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL)
    if r.returncode:
        raise SystemExit(f'l1: no kernel {series}')
    return os.path.realpath(r.stdout.strip())


def initramfs(kdir, init, modules, files=(), unsigned=False):
    """A cached initramfs for this kernel; the key is all that goes into it."""
    env = dict(os.environ, UNSIGNED='1' if unsigned else '')
    key = hashlib.sha256()
    for path in [init, os.path.join(HERE, 'mkinitramfs'), shutil.which('busybox'),
                 *[f.split(':')[0] for f in files]]:
        with open(path, 'rb') as f:
            key.update(f.read())
    key.update(repr((kdir, modules, sorted(files), unsigned)).encode())
    name = f'{os.path.basename(init)}-{os.path.basename(kdir)}-{key.hexdigest()[:16]}.gz'
    out = os.path.join(CACHE, 'initramfs', name)
    if not os.path.exists(out):
        tmp = f'{out}.{os.getpid()}'
        subprocess.run([os.path.join(HERE, 'mkinitramfs'), kdir, tmp, init, modules, *files],
                       check=True, env=env)
        os.rename(tmp, out)
    return out


def log_complaints(text, allow=None):
    """Lines of a kernel log that no test may leave behind."""
    return [line for line in text.splitlines()
            if BAD_LOG.search(line) and not (allow and re.search(allow, line))]


# A test host is woken ten times a second: one that uses less CPU time than this in a minute will never end.
STILL_SECONDS, STILL_CPU = 60, 0.3

# CMPXCHG16B spoils flags there (Documentation/testing.rst, "Faults of the emulator").
NOT_EMULATED = '-cx16'


def qemu_command(version):
    """QEMU 7.2 is the system's, 10 is in the cache (scripts/fetch-qemu)."""
    if version == '7.2':
        return ['qemu-system-x86_64']
    base = os.path.join(CACHE, 'qemu/current/usr')
    return [f'{base}/bin/qemu-system-x86_64', '-L', f'{base}/share/qemu',
            '-L', f'{base}/share/seabios', '-L', '/usr/lib/ipxe/qemu']


def emulator_command():
    """
    The emulator of a test host: QEMU 7.2 with its AMD-V mended (scripts/build-qemu) or, where that was
    not built, as the system has it.
    """
    mended = os.path.join(CACHE, 'qemu-mended/current/qemu-system-x86_64')
    if not os.path.exists(mended):
        return qemu_command('7.2')
    return [mended, '-L', '/usr/share/qemu', '-L', '/usr/share/seabios', '-L', '/usr/lib/ipxe/qemu']


class L1:
    """One test host.  run() boots it, runs the job and returns the exit code."""

    LOG = 'qemu.log'    # what the emulator itself says

    def __init__(self, kernel='6.1', kvm='stock', smp=1, cpu='max', memory=2048,
                 append='', timeout=1800, icount=False, kvm_opts='', vendor_opts='',
                 name='l1', build=None, qemu=None, qemu_args=(),
                 env=None, allow_log=None, reboot=False, interactive=False,
                 thread=None, out=None):
        self.kdir = kernel_dir(kernel)
        self.release = os.path.basename(self.kdir)
        self.kvm, self.smp, self.cpu, self.memory = kvm, smp, cpu, memory
        self.append, self.timeout, self.icount = append, timeout, icount
        self.kvm_opts, self.vendor_opts = kvm_opts, vendor_opts
        self.build = build or os.path.join(BUILD, self.release)
        self.env = dict(env or {})
        self.allow_log, self.reboot, self.interactive = allow_log, reboot, interactive
        self.thread = thread or ('single' if smp == 1 else 'multi')
        self.qemu = [qemu] if qemu else emulator_command()
        self.qemu_args = list(qemu_args)
        self.out = out or sys.stdout.buffer
        runs = os.path.join(BUILD, 'l1')
        os.makedirs(runs, exist_ok=True)
        self.dir = tempfile.mkdtemp(prefix=f'{name}-', dir=runs)
        self.share = os.path.join(self.dir, 'share')
        os.mkdir(self.share)
        self.verdict, self.complaints, self.seconds, self.proc = '', [], 0, None
        self.still = False

    def path(self, name):
        return os.path.join(self.dir, name)

    def read(self, name):
        try:
            with open(self.path(name), errors='replace') as f:
                return f.read()
        except OSError:
            return ''

    def write_job(self, command):
        env = {'KEEL_SRC': SRC, 'KEEL_KERNEL': self.kdir, 'KEEL_BUILD': self.build,
               'KEEL_CACHE': CACHE, 'KVM': self.kvm, 'KVM_OPTS': self.kvm_opts,
               'VENDOR_OPTS': self.vendor_opts, 'L1_SMP': str(self.smp),
               'RESULTS': '/run/keel', **self.env}
        lines = [f'export {k}={shlex.quote(v)}' for k, v in env.items()]
        lines += [f'cd {shlex.quote(SRC)}', '. tools/testing/host/l1-job', f'( {command}\n)',
                  'rc=$?', 'kvm_unload || [ $rc -ne 0 ] || rc=95',
                  'leak_check || [ $rc -ne 0 ] || rc=94', 'exit $rc']
        with open(os.path.join(self.share, 'job'), 'w') as f:
            f.write('\n'.join(lines) + '\n')
        if self.interactive:
            open(os.path.join(self.share, 'interactive'), 'w').close()

    def tsc_option(self):
        """
        The TSC of an emulated CPU is the build machine's. L1 would measure it against an emulated
        timer, and on a loaded machine find a fraction of it: then its seconds are short.
        """
        if self.icount:
            return ''
        with open('/proc/cpuinfo', encoding='ascii', errors='replace') as f:
            m = re.search(r'^bogomips\s*:\s*([0-9.]+)', f.read(), re.M)
        # Two loops of the delay loop are one tick where delays are done by the TSC.
        return f'tsc_early_khz={int(float(m[1]) * 500)} ' if m else ''

    def command_line(self):
        accel = 'tcg,thread=single' if self.icount else f'tcg,thread={self.thread}'
        initrd = initramfs(self.kdir, os.path.join(HERE, 'l1-init'), L1_MODULES)
        append = ('console=ttyS0 loglevel=5 panic=-1 oops=panic tsc=reliable '
                  'sysrq_always_enabled no_timer_check ' + self.tsc_option() + self.append)
        cmd = [*self.qemu, '-M', 'q35', '-accel', f'{accel},tb-size=512',
               '-cpu', f'{self.cpu},{NOT_EMULATED}', '-smp', str(self.smp),
               '-m', str(self.memory), '-nodefaults', '-display', 'none', '-no-user-config',
               '-kernel', f'{self.kdir}/boot/vmlinuz-{self.release}',
               '-initrd', initrd, '-append', append,
               '-chardev', 'socket,id=ser,path=serial.sock,server=on,wait=off,logfile=serial.log',
               '-serial', 'chardev:ser', '-qmp', 'unix:qmp.sock,server=on,wait=off',
               '-virtfs', 'local,path=/,mount_tag=hostroot,security_model=none,readonly=on,'
               'multidevs=remap',
               '-virtfs', 'local,path=share,mount_tag=results,security_model=none',
               '-chardev', f'stdio,id=out,signal={"off" if self.interactive else "on"}',
               '-device', 'virtio-serial']
        if self.interactive:
            cmd += ['-device', 'virtconsole,chardev=out']
        else:
            cmd += ['-device', 'virtserialport,chardev=out,name=keel.out']
        if not self.icount:
            cmd += ['-chardev', 'socket,id=beat,path=beat.sock,server=on,wait=off',
                    '-device', 'virtserialport,chardev=beat,name=keel.beat']
        if not self.reboot:
            cmd += ['-no-reboot']
        if self.icount:
            cmd += ['-icount', 'shift=0,sleep=off', '-seed', '1', '-rtc', 'base=2026-01-01,clock=vm']
        return cmd + self.qemu_args

    def qmp(self, *hmp, first=()):
        """Run human monitor commands, after the QMP commands @first; return their output."""
        fd = os.open(self.dir, os.O_PATH)
        try:
            s = socket.socket(socket.AF_UNIX)
            s.settimeout(20)
            s.connect(f'/proc/self/fd/{fd}/qmp.sock')   # sun_path is short
            f = s.makefile('rw')
            f.readline()
            text = ''
            for cmd in [{'execute': 'qmp_capabilities'}, *first] + [
                    {'execute': 'human-monitor-command', 'arguments': {'command-line': c}}
                    for c in hmp]:
                f.write(json.dumps(cmd) + '\n')
                f.flush()
                while True:
                    reply = json.loads(f.readline())
                    if 'return' in reply or 'error' in reply:
                        break
                if cmd['execute'] == 'human-monitor-command':
                    text += f'(qemu) {cmd["arguments"]["command-line"]}\n{reply.get("return", reply)}\n'
            s.close()
            return text
        except (OSError, ValueError) as e:
            return f'no answer from the monitor: {e}\n'
        finally:
            os.close(fd)

    def heartbeat(self):
        """
        The emulator loses an interrupt now and then: its helpers of VMRUN and #VMEXIT change the
        CPU's pending word without the lock under which a device sets its bit there. The APIC
        knows of the interrupt, the CPU does not, until the next one comes: L1 would sleep or run
        its guest until then, maybe for ever. So the next one comes soon.
        """
        fd = os.open(self.dir, os.O_PATH)
        s = socket.socket(socket.AF_UNIX)
        while self.proc.poll() is None:
            time.sleep(0.1)
            try:
                s.send(b'.', socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)
            except BlockingIOError:
                pass                            # L1 does not read yet
            except OSError:
                s.close()
                s = socket.socket(socket.AF_UNIX)
                try:
                    s.connect(f'/proc/self/fd/{fd}/beat.sock')
                except OSError:
                    pass
        s.close()
        os.close(fd)

    def sysrq(self, keys):
        """Press SysRq keys on L1's serial line."""
        fd = os.open(self.dir, os.O_PATH)
        try:
            s = socket.socket(socket.AF_UNIX)
            s.connect(f'/proc/self/fd/{fd}/serial.sock')
            for key in keys:
                self.qmp('chardev-send-break ser')
                time.sleep(1)
                s.send(key.encode())
                time.sleep(5)
            s.close()
        except OSError:
            pass
        finally:
            os.close(fd)

    def post_mortem(self):
        """What a hang leaves behind: registers, then L1's own view of itself."""
        with open(self.path('registers'), 'w') as f:
            f.write(self.qmp('info status', 'info cpus', 'info registers -a', 'info lapic'))
        self.sysrq('9lwm')

    def run(self, command, on_output=None):
        """Boot, run a shell command, return its exit code or one of RC_*."""
        self.write_job(command)
        start = time.monotonic()
        with open(self.path(self.LOG), 'wb') as err:
            self.proc = subprocess.Popen(
                self.command_line(), cwd=self.dir, stderr=err,
                # An input at its end would count as a closed port.
                stdin=None if self.interactive else subprocess.PIPE,
                stdout=None if self.interactive else subprocess.PIPE)
        if not self.icount:
            threading.Thread(target=self.heartbeat, daemon=True).start()
        timed_out = False
        try:
            if self.interactive:
                self.proc.wait()
            else:
                timed_out = not self.follow(start, on_output)
        finally:
            if self.proc.poll() is None:
                self.proc.send_signal(signal.SIGKILL)
            self.proc.wait()
        self.seconds = time.monotonic() - start
        return self.judge(timed_out)

    def follow(self, start, on_output):
        """Copy the job's output until the emulator ends; False on a timeout."""
        fd = self.proc.stdout.fileno()
        output = open(self.path('output'), 'wb')
        deadline = start + self.timeout
        panicked = None
        seen, used = start, 0.0
        while True:
            now = time.monotonic()
            if now > deadline:
                self.post_mortem()
                return False
            if not self.icount and now - seen > STILL_SECONDS:
                if self.cpu_seconds() - used < STILL_CPU:
                    self.still = True
                    self.post_mortem()
                    return True
                seen, used = now, self.cpu_seconds()
            if panicked is None and PANIC.search(self.read('serial.log')):
                panicked = now
            if panicked and now - panicked > 20:
                return True
            if not select.select([fd], [], [], 2)[0]:
                continue
            data = os.read(fd, 65536)
            if not data:
                break
            output.write(data)
            output.flush()
            self.out.write(data)
            self.out.flush()
            if on_output:
                on_output(data)
        try:
            self.proc.wait(60)
        except subprocess.TimeoutExpired:
            pass
        return True

    def cpu_seconds(self):
        """CPU time of the emulator: the only clock that a busy machine does not distort."""
        try:
            with open(f'/proc/{self.proc.pid}/stat', encoding='ascii', errors='replace') as f:
                fields = f.read().rsplit(')', 1)[1].split()
        except OSError:
            return 0
        return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')

    def judge(self, timed_out):
        rc = self.read('share/rc').strip()
        serial = self.read('serial.log')
        self.complaints = log_complaints(serial + self.read('share/dmesg'), self.allow_log)
        self.complaints = list(dict.fromkeys(self.complaints))
        if timed_out:
            self.verdict = f'timeout after {self.timeout} s'
            return RC_TIMEOUT
        if self.still:
            self.verdict = 'L1 stands still'
            return RC_DIED
        if not rc:
            self.verdict = 'L1 died' if 'job starts' in serial or self.complaints else \
                'L1 did not start the job'
            return RC_DIED if 'L1 died' == self.verdict else RC_SETUP
        if int(rc):
            self.verdict = f'job ended with {rc}'
            return int(rc)
        if self.complaints:
            self.verdict = 'complaints in the kernel log'
            return RC_LOG
        return 0

    def report(self, stream=sys.stderr):
        """Say what went wrong and where the logs are."""
        print(f'l1: {self.verdict or "ok"} ({self.seconds:.0f} s); logs in {self.dir}', file=stream)
        for line in self.complaints[:20]:
            print(f'l1: log: {line}', file=stream)
        if self.verdict and not self.verdict.startswith('job'):
            for line in self.read('serial.log').splitlines()[-30:]:
                print(f'l1: serial: {line}', file=stream)
            for line in self.read(self.LOG).splitlines()[-5:]:
                print(f'l1: emulator: {line}', file=stream)

    def discard(self):
        shutil.rmtree(self.dir, ignore_errors=True)
