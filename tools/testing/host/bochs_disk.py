# SPDX-License-Identifier: GPL-2.0-only
"""Disks for Bochs: ISO images of files, and a kernel that starts without decompressing itself."""

import hashlib
import json
import lzma
import os
import shutil
import struct
import subprocess
import tempfile

import l1

SECTOR = 512
# boot.S knows these as well.
HEADER, INFO, MAP = 0x8000, 0x9000, 0xa000
INITRD = 0x8000000
MAX_CHUNKS = 300
CHUNK = 65536


def place(src, dest):
    """A file, link or folder under another name, without copying what can be linked."""
    os.makedirs(os.path.dirname(dest), exist_ok=True)
    if os.path.isdir(src) and not os.path.islink(src):
        os.makedirs(dest, exist_ok=True)
        for entry in os.listdir(src):
            if entry != '__pycache__':
                place(f'{src}/{entry}', f'{dest}/{entry}')
    elif os.path.islink(src):
        os.symlink(os.readlink(src), dest)
    else:
        try:
            os.link(src, dest)
        except OSError:     # another file system, or another's file
            shutil.copy(src, dest)


def make_iso(out, label, files):
    """An ISO of {path in it: file or folder of this machine}."""
    stage = tempfile.mkdtemp(prefix='stage-', dir=os.path.dirname(out))
    try:
        for dest, src in files.items():
            place(src, f'{stage}/{dest}')
        subprocess.run(['genisoimage', '-quiet', '-R', '-D', '-no-cache-inodes', '-iso-level', '3',
                        '-V', label, '-o', out, stage], check=True, stdin=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)
    finally:
        shutil.rmtree(stage, ignore_errors=True)


def lean_module(ko, folder):
    """
    A copy of a module without debug information and signature: to read the one and verify the
    other takes long in an emulator.
    """
    out = os.path.join(folder, os.path.basename(ko))
    os.makedirs(folder, exist_ok=True)
    with open(ko, 'rb') as f:
        data = f.read()
    with open(out, 'wb') as f:
        f.write(lzma.decompress(data) if ko.endswith('.xz') else data)
    subprocess.run(['strip', '--strip-debug', out], check=True)
    if ko.endswith('.xz'):
        with open(out, 'rb') as f:
            data = lzma.compress(f.read(), check=lzma.CHECK_CRC32, preset=0)
        with open(out, 'wb') as f:
            f.write(data)
    return out


# --- the kernel -----------------------------------------------------------

def vmlinux(path):
    """The ELF file in a bzImage (setup header: setup_sects, payload_offset, payload_length)."""
    with open(path, 'rb') as f:
        image = f.read()
    offset, length = struct.unpack_from('<II', image, 0x248)
    start = (image[0x1f1] + 1) * SECTOR + offset
    payload = image[start:start + length]
    if payload.startswith(b'\xfd7zXZ'):
        elf = lzma.LZMADecompressor().decompress(payload)
    elif payload.startswith(b'\x28\xb5\x2f\xfd'):
        # Its last four bytes are not of the stream: the size, for the boot code.
        elf = subprocess.run(['zstd', '-dcq', '-'], input=payload[:-4], stdout=subprocess.PIPE,
                             check=True).stdout
    else:
        raise SystemExit(f'bochs: {path} is compressed in an unknown way')
    if not elf.startswith(b'\x7fELF'):
        raise SystemExit(f'bochs: no kernel in {path}')
    return elf


def pvh_entry(elf, offset, size):
    """Note PHYS32_ENTRY (18) of Xen: where a PVH loader enters."""
    end = offset + size
    while offset < end:
        namesz, descsz, kind = struct.unpack_from('<III', elf, offset)
        desc = offset + 12 + (namesz + 3 & ~3)
        if kind == 18 and elf[offset + 12:offset + 15] == b'Xen':
            return int.from_bytes(elf[desc:desc + descsz], 'little')
        offset = desc + (descsz + 3 & ~3)
    raise SystemExit('bochs: the kernel has no PVH entry')


def chunks(elf):
    """Entry, end, and (address, bytes) of what is not zero in the kernel."""
    phoff, = struct.unpack_from('<Q', elf, 32)
    count, = struct.unpack_from('<H', elf, 56)
    entry, end, found = None, 0, []
    for i in range(count):
        kind, _, offset, _, paddr, size, _, _ = struct.unpack_from('<IIQQQQQQ', elf, phoff + 56 * i)
        if kind == 4:
            entry = pvh_entry(elf, offset, size)
        if kind != 1:
            continue
        end = max(end, paddr + size)
        for at in range(0, size, CHUNK):
            data = elf[offset + at:offset + min(at + CHUNK, size)]
            if not data.strip(b'\0'):
                continue
            if found and found[-1][0] + len(found[-1][1]) == paddr + at:
                found[-1][1].extend(data)
            else:
                found.append((paddr + at, bytearray(data)))
    if len(found) > MAX_CHUNKS:
        raise SystemExit('bochs: the kernel is in too many pieces')
    return entry, end, found


def guest_kernel(kdir):
    """A cached ELF file of the kernel without long runs of zeros, for a VMM that knows PVH."""
    with open(os.path.realpath(__file__), 'rb') as f:
        key = hashlib.sha256(f.read()).hexdigest()[:16]
    release = os.path.basename(kdir)
    out = os.path.join(l1.CACHE, 'bochs', f'vmlinux-{release}-{key}')
    if os.path.exists(out):
        return out
    entry, end, found = chunks(vmlinux(f'{kdir}/boot/vmlinuz-{release}'))
    note = struct.pack('<III4sI', 4, 4, 18, b'Xen', entry)
    found.insert(0, (0, note))
    at = 64 + 56 * len(found)
    # ELF-64, little-endian, executable, x86-64; then a program header for each piece.
    head = struct.pack('<4sBBBB8xHHIQQQIHHHHHH', b'\x7fELF', 2, 1, 1, 0, 2, 62, 1, entry, 64, 0, 0,
                       64, 56, len(found), 0, 0, 0)
    for n, (address, data) in enumerate(found):
        kind, size = 4, len(data)
        if data is not note:
            # Up to the next, zeros: a guest that reboots finds them again.
            kind, size = 1, (found + [(end, b'')])[n + 1][0] - address
        head += struct.pack('<IIQQQQQQ', kind, 7, at, address, address, len(data), size, 4)
        at += len(data)
    os.makedirs(os.path.dirname(out), exist_ok=True)
    with open(f'{out}.{os.getpid()}', 'wb') as f:
        f.write(head + b''.join(data for _, data in found))
    os.rename(f'{out}.{os.getpid()}', out)
    return out


def boot_sector(folder):
    base = os.path.join(folder, 'boot')
    subprocess.run(['gcc-12', '-m32', '-c', '-o', f'{base}.o', os.path.join(l1.HERE, 'boot.S')],
                   check=True)
    subprocess.run(['ld', '-m', 'elf_i386', '-Ttext', '0x7c00', '--oformat', 'binary',
                    '-o', f'{base}.bin', f'{base}.o'], check=True)
    with open(f'{base}.bin', 'rb') as f:
        return f.read()


def kernel_disk(kdir, initrd):
    """A cached disk with boot sector, kernel and initrd; and what header() needs to know of it."""
    release = os.path.basename(kdir)
    key = hashlib.sha256(initrd.encode())
    for path in (os.path.realpath(__file__), os.path.join(l1.HERE, 'boot.S')):
        with open(path, 'rb') as f:
            key.update(f.read())
    out = os.path.join(l1.CACHE, 'bochs', f'kernel-{release}-{key.hexdigest()[:16]}')
    if not os.path.exists(out):
        tmp = tempfile.mkdtemp(prefix='kernel-', dir=os.path.dirname(out))
        os.chmod(tmp, 0o755)
        # Memory is zero at power-on, and this host never boots twice.
        entry, _, found = chunks(vmlinux(f'{kdir}/boot/vmlinuz-{release}'))
        with open(initrd, 'rb') as f:
            ramdisk = f.read()
        table = []
        with open(f'{tmp}/disk', 'wb') as f:
            f.write(boot_sector(tmp))
            for address, data in found + [(INITRD, ramdisk)]:
                sectors = (len(data) + SECTOR - 1) // SECTOR
                table.append((f.tell() // SECTOR, sectors, address))
                f.write(data.ljust(sectors * SECTOR, b'\0'))
        with open(f'{tmp}/table', 'w', encoding='ascii') as f:
            json.dump({'entry': entry, 'table': table, 'initrd': len(ramdisk)}, f)
        os.rename(tmp, out)
    with open(f'{out}/table', encoding='ascii') as f:
        return f'{out}/disk', json.load(f)


def write_header(iso, kernel, command_line):
    """What boot.S reads from the first sectors of the second disk, which an ISO leaves free."""
    head = struct.pack('<II', kernel['entry'], 0)
    for row in kernel['table']:
        head += struct.pack('<III', *row)
    head = (head + bytes(12)).ljust(INFO - HEADER, b'\0')
    modules, text = INFO + 64, INFO + 128
    # struct hvm_start_info, version 1; struct hvm_modlist_entry.
    info = struct.pack('<IIIIQQQQII', 0x336ec578, 1, 0, 1, modules, text, 0, MAP, 0, 0)
    info = info.ljust(64, b'\0') + struct.pack('<QQQQ', INITRD, kernel['initrd'], 0, 0)
    info = info.ljust(128, b'\0') + command_line.encode() + b'\0'
    assert len(info) <= MAP - INFO
    with open(iso, 'r+b') as f:
        f.seek(SECTOR)
        f.write(head + info.ljust(MAP - INFO, b'\0'))
