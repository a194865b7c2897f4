# SPDX-License-Identifier: GPL-2.0-only
"""Boot a test host (L1) in Bochs: VT-x, or the AMD-V features that QEMU's TCG lacks.

Bochs has no virtio, so what the job needs is carried in on disks: an image of
the installed programs (cached), one with the tests, modules and the job (of
this run), and an empty one for a tar of the results. A fourth holds the kernel.
"""

import ctypes
import glob
import hashlib
import inspect
import os
import re
import shutil
import signal
import subprocess
import tarfile
import time

import bochs_disk
import l1

MODELS = {'bochs-intel': 'corei7_haswell_4770', 'bochs-amd': 'trinity_apu'}
# Selftests that Bochs 2.7 gets wrong, whatever KVM: Documentation/testing.rst.
FAULTS = {'bochs-intel': 'events:userspace_single_step emul_exits:string_in_single_steps '
                         'modes:tasks_in_single_steps',
          'bochs-amd': 'basic_exits:triple_fault emul_faults:string_instructions '
                       'events:guest_single_step events:userspace_single_step'}
# What Linux 6.12 says of the topology in its CPUID, in the first moments of the boot.
ALLOW_LOG = r'topology_common\.c:\d+ parse_legacy'
IPS = 200000000         # instructions that are a second to L1: the rate of its TSC

# Self-tests and certificates take Linux most of the time that it needs here to come up.
QUICK = 'cryptomgr.notests initcall_blacklist=load_system_certificate_list,crypto_kdf108_init,' \
    'init_blk_tracer,init_kprobe_trace'

L1_MODULES = 'ata_piix sd_mod isofs overlay'
# What scripts that run in L1 may call.
PACKAGES = ['bash', 'coreutils', 'grep', 'sed', 'mawk', 'findutils', 'util-linux', 'kmod', 'procps',
            'debianutils', 'tar', 'gzip', 'python3-minimal', 'python3.11-minimal',
            'libpython3.11-minimal', 'libpython3.11-stdlib', 'python3',
            'qemu-system-x86', 'qemu-system-data', 'seabios', 'ipxe-qemu']
UNNEEDED = re.compile(r'^/usr/(share/(doc|man|locale|info|lintian|icons|applications|bug|'
                      r'bash-completion|mime|pixmaps|metainfo)/|libexec/|lib/python3.*/__pycache__)|'
                      r'/(share/qemu/(edk2-(aarch64|arm|loongarch|riscv)|opensbi|skiboot|u-boot|'
                      r'hppa|s390|openbios|palcode|slof|petalogix)|'
                      r'usr/lib/ipxe/(?!qemu/efi-virtio).*efi)')

RESULTS_SIZE = 256 << 20


def output_of(*command, **options):
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                          check=False, stdin=subprocess.DEVNULL, **options).stdout


def is_elf(path):
    try:
        with open(path, 'rb') as f:
            return f.read(4) == b'\x7fELF'
    except OSError:
        return False


def libraries(binaries):
    """Shared objects that these need, under the names the loader looks for."""
    text = output_of('ldd', *binaries)
    return set(re.findall(r'(?:=> |^\s+)(/\S+) \(0x', text, re.M))


def base_files():
    """Files of PACKAGES and their libraries, by their real folders."""
    files = set()
    for line in output_of('dpkg', '-L', *PACKAGES).splitlines():
        if line.startswith('/') and not UNNEEDED.search(line) and os.path.isfile(line):
            files.add(line)
    elf = [f for f in files if ('/bin/' in f or '/sbin/' in f or '.so' in f) and is_elf(f)]
    files |= libraries(elf)
    files |= set(glob.glob('/etc/alternatives/*awk')) | {'/usr/bin/awk', '/bin/sh'}
    files |= set(glob.glob('/usr/lib/locale/C.utf8/**', recursive=True))
    files |= {'/etc/passwd', '/etc/group', '/etc/ld.so.cache', '/etc/nsswitch.conf'}
    tree = {os.path.join(os.path.realpath(os.path.dirname(f)), os.path.basename(f)) for f in files}
    tree |= {os.path.realpath(f) for f in tree}
    return {f: f for f in tree if os.path.isfile(f)}


def base_image():
    """The programs; made anew when a package of the list changes."""
    versions = output_of('dpkg-query', '-W', '-f', '${Package} ${Version}\n', *PACKAGES, 'libc6')
    how = ''.join(inspect.getsource(f) for f in (base_files, libraries, bochs_disk.make_iso))
    key = hashlib.sha256(f'{UNNEEDED.pattern} {how} {versions}'.encode()).hexdigest()[:16]
    out = os.path.join(l1.CACHE, 'bochs', f'base-{key}.iso')
    if not os.path.exists(out):
        os.makedirs(os.path.dirname(out), exist_ok=True)
        tmp = f'{out}.{os.getpid()}'
        bochs_disk.make_iso(tmp, 'KEELBASE', base_files())
        os.rename(tmp, out)
    return out


def end_with_parent():
    """In the child: Bochs reads no input whose end could tell it that nobody waits any more."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)      # PR_SET_PDEATHSIG


class Bochs(l1.L1):
    """One test host.  Its timeout: seconds of the emulator's CPU time without a sign of life."""

    LOG = 'emulator.log'

    def __init__(self, host='bochs-intel', model=None, debug=False, files=(), memory=1024,
                 **options):
        allow = '|'.join(filter(None, [ALLOW_LOG, options.pop('allow_log', None)]))
        super().__init__(memory=memory, allow_log=allow, **options)
        self.env.setdefault('SELFTEST_EXCLUDE', FAULTS[host])
        self.model = model or MODELS[host]
        self.debug, self.files = debug, list(files)
        if self.interactive:
            raise SystemExit('bochs: no interactive shell')

    # --- what goes in -------------------------------------------------

    def modules(self):
        """Modules of the kernel's own KVM, and what modprobe needs to find them: where to, from."""
        base = f'{self.kdir}/lib/modules/{self.release}'
        paths = {p: p for p in glob.glob(f'{base}/modules.*')}
        for m in ('kvm-intel', 'kvm-amd', 'irqbypass'):
            for line in output_of('modprobe', '-d', self.kdir, '-S', self.release, '--show-depends',
                                  m).splitlines():
                if line.startswith('insmod'):
                    path = os.path.realpath(line.split()[1])
                    paths[path] = bochs_disk.lean_module(path, self.path('stock'))
        return paths

    def named_files(self, command):
        """Files that the job's words and environment name go along."""
        words = re.split(r'[\s\'";|&<>(),=]+', command) + self.files
        for value in self.env.values():
            words += re.split(r'[\s:,]+', value)
        for word in words:
            word = word.split('$')[0]
            path = os.path.normpath(os.path.join(l1.SRC, word))
            if word and os.path.exists(path) and path not in (l1.SRC, l1.BUILD, l1.CACHE) and \
               path.startswith((l1.SRC + '/', l1.BUILD + '/', l1.CACHE + '/', *self.files)):
                yield path

    def run_image(self, command):
        paths = {p: p for p in self.named_files(command)} | self.modules()
        for folder in ('tools/testing/host', 'tools/testing/guest', 'tools/bench'):
            if os.path.isdir(f'{l1.SRC}/{folder}'):
                paths[f'{l1.SRC}/{folder}'] = f'{l1.SRC}/{folder}'
        if self.kvm != 'stock':
            for ko in glob.glob(f'{self.build}/*.ko'):
                paths[ko] = bochs_disk.lean_module(ko, self.path('keel'))
        paths[self.path('share/job')] = self.path('share/job')
        # A file below a folder that goes anyway would be there twice.
        folders = tuple(p + '/' for p in paths if os.path.isdir(p) and not os.path.islink(p))
        bochs_disk.make_iso(self.path('run.iso'), 'KEELRUN', 
                            {d: s for d, s in paths.items() if not d.startswith(folders)})
        for folder in ('stock', 'keel'):
            shutil.rmtree(self.path(folder), ignore_errors=True)

    def kernel_disk(self):
        """The disk to boot from, which is the same for all runs, and this run's command line."""
        initrd = l1.initramfs(self.kdir, os.path.join(l1.HERE, 'l1-init'), L1_MODULES,
                              unsigned=True)
        disk, kernel = bochs_disk.kernel_disk(self.kdir, initrd)
        append = (f'console=ttyS0 loglevel=5 panic=0 oops=panic tsc=reliable no_timer_check '
                  f'tsc_early_khz={IPS // 1000} {QUICK} keel.job={self.path("share/job")} '
                  f'{self.append}')
        bochs_disk.write_header(self.path('run.iso'), kernel, append)
        return disk

    def write_config(self):
        with open(self.path('results.img'), 'wb') as f:
            f.truncate(RESULTS_SIZE)
        # Bochs locks a disk by a file beside it: several runs may share these.
        os.symlink(base_image(), self.path('base.iso'))
        os.symlink(self.kernel_disk(), self.path('boot.disk'))
        disks = [('ata0-master', 'boot.disk'), ('ata0-slave', 'run.iso'),
                 ('ata1-master', 'base.iso'), ('ata1-slave', 'results.img')]
        config = ['display_library: sdl2', 'config_interface: textconfig',
                  'romimage: file=/usr/share/bochs/BIOS-bochs-latest',
                  'vgaromimage: file=/usr/share/vgabios/vgabios.bin',
                  'vga: extension=none, update_freq=1', f'megs: {self.memory}',
                  f'cpu: model={self.model}, count={self.smp}, ips={IPS}, reset_on_triple_fault=0, '
                  'ignore_bad_msrs=1', 'clock: sync=none, time0=1767225600',
                  'com1: enabled=1, mode=file, dev=serial.log',
                  'com2: enabled=1, mode=file, dev=output',
                  'ata0: enabled=1, ioaddr1=0x1f0, ioaddr2=0x3f0, irq=14',
                  'ata1: enabled=1, ioaddr1=0x170, ioaddr2=0x370, irq=15',
                  *[f'{where}: type=disk, path={path}, mode=flat' for where, path in disks],
                  'boot: disk', 'log: bochs.log', 'panic: action=fatal', 'error: action=report',
                  'info: action=report', 'debug: action=ignore' if not self.debug else
                  'debug: action=ignore, CPU0=report', 'mouse: enabled=0', 'speaker: enabled=0',
                  'port_e9_hack: enabled=0']
        with open(self.path('bochsrc'), 'w') as f:
            f.write('\n'.join(config) + '\n')
        with open(self.path('rc'), 'w') as f:
            f.write('c\n')

    # --- life ---------------------------------------------------------

    def run(self, command, on_output=None):
        """Boot, run a shell command, return its exit code or one of RC_*."""
        self.write_job(command)
        self.run_image(command)
        self.write_config()
        start = time.monotonic()
        with open(self.path(self.LOG), 'wb') as err:
            self.proc = subprocess.Popen(
                ['bochs', '-q', '-f', 'bochsrc', '-rc', 'rc'], cwd=self.dir, stdout=err, stderr=err,
                stdin=subprocess.PIPE, start_new_session=True, preexec_fn=end_with_parent,
                env=dict(os.environ, SDL_VIDEODRIVER='dummy', SDL_AUDIODRIVER='dummy'))
        timed_out = False
        try:
            timed_out = not self.follow(start, on_output)
        finally:
            if self.proc.poll() is None:
                os.killpg(self.proc.pid, signal.SIGKILL)
            self.proc.wait()
        self.collect()
        self.seconds = time.monotonic() - start
        return self.judge(timed_out)

    def follow(self, start, on_output):
        """Copy the job's output until the emulator ends; False when nothing moves any more."""
        output, seen, alive, panicked = None, (), 0, None
        idle = time.monotonic()
        while True:
            ended = self.proc.poll() is not None
            if output is None and os.path.exists(self.path('output')):
                output = open(self.path('output'), 'rb')
            data = output.read() if output else b''
            if data:
                self.out.write(data)
                self.out.flush()
                if on_output:
                    on_output(data)
            if ended:
                return True
            used = self.cpu_seconds()
            serial = self.read('serial.log')
            now = (len(serial), output.tell() if output else 0)
            if now != seen:
                seen, alive, idle = now, used, time.monotonic()
            if panicked is None and l1.PANIC.search(serial):
                panicked = used
            if panicked is not None and used - panicked > 10:
                return True
            if used - alive > self.timeout or used > 4 * self.timeout or \
               time.monotonic() - idle > 20 * self.timeout:
                self.post_mortem()
                return False
            time.sleep(0.3)

    def debugger(self, *commands):
        """Break into the emulator's debugger and ask it."""
        try:
            os.kill(self.proc.pid, signal.SIGINT)
            self.proc.stdin.write(('\n'.join(commands) + '\n').encode())
            self.proc.stdin.flush()
            self.proc.wait(30)
        except (OSError, subprocess.TimeoutExpired):
            pass

    def post_mortem(self):
        """What a hang leaves behind: each CPU's registers, at several moments."""
        before = len(self.read(self.LOG))
        ask = []
        for cpu in range(self.smp):
            ask += [f'set $cpu={cpu}', 'r', 'sreg', 'creg', 'info cpu', 'u /5']
        steps = ['s 5000', 'r'] * 5
        self.debugger(*ask, *steps, 'q')
        with open(self.path('registers'), 'w') as f:
            f.write(self.read(self.LOG)[before:])

    def collect(self):
        """The results that L1 left: a tar on its last disk."""
        try:
            with tarfile.open(self.path('results.img')) as tar:
                tar.extractall(self.share, [m for m in tar if m.isreg() or m.isdir()])
        except (tarfile.TarError, OSError):
            pass
        for name in ('results.img', 'run.iso', 'base.iso', 'boot.disk'):
            for path in (self.path(name), self.path(f'{name}.lock')):
                if os.path.lexists(path):
                    os.unlink(path)


def create(host='qemu', **options):
    """A test host of this kind: qemu, bochs-intel or bochs-amd."""
    return l1.L1(**options) if host == 'qemu' else Bochs(host, **options)
