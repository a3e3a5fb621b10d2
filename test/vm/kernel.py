# SPDX-License-Identifier: GPL-2.0-or-later
"""Debian's kernel for the virtual machine: out of its package, never installed.

    /usr/bin/python3 test/vm/kernel.py      gets it, if it is not there yet

The package is downloaded and unpacked in part, so no boot loader or hook hears
of it. A folder of the cache, /var/cache/sennit-vm/RELEASE-VERSION, then holds

    vmlinux   unpacked: its own unpacker would take 2.5 s under emulation
    initrd    busybox, ./initramfs and the modules that mount the root
    modules   mounted in the guest as /lib/modules

One folder a kernel and a rename at the end: runs beside each other share it.
"""

import fcntl
import lzma
import os
import re
import shutil
import stat
import struct
import subprocess
import sys
import tarfile
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
CACHE = Path("/var/cache/sennit-vm")
UNUSED_S = 7 * 86400  # a folder that nobody used for so long goes
META_PACKAGE = "linux-image-amd64"  # not -cloud-, which has no 9p
# Of the modules, what networks, ciphers and the machine itself need.
MODULES = re.compile(r"\./lib/modules/[^/]+/(modules\.[^/]+|kernel/("
                     r"(net|crypto|lib|arch|drivers/(net/(vxlan/)?[^/]+\.ko|virtio/|"
                     r"char/virtio_console|char/hw_random/|block/virtio_blk)|"
                     r"fs/(9p|netfs|fscache|overlayfs|fuse)/).*))")
FIRST_MODULES = ("virtio_pci", "9pnet_virtio", "9p", "overlay", "virtio_console", "virtio-rng")


class NoKernel(RuntimeError):
    """Why there is none."""


@dataclass(frozen=True)
class Kernel:
    folder: Path

    @property
    def image(self) -> Path:
        return self.folder / "vmlinux"

    @property
    def initrd(self) -> Path:
        return self.folder / "initrd"

    @property
    def modules(self) -> Path:
        return self.folder / "lib/modules"


def _output(*argv: str) -> str:
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode != 0:
        raise NoKernel(f"{' '.join(argv)}: status {done.returncode}\n{done.stderr}")
    return done.stdout


def _package() -> tuple[str, str]:
    """The real package behind the meta package, and its version."""
    if META_PACKAGE not in _output("apt-cache", "pkgnames", META_PACKAGE).split():
        _output("apt-get", "-qq", "update")
    depends = _output("apt-cache", "depends", META_PACKAGE)
    name = re.search(r"Depends: (linux-image-\d\S*)", depends)
    if not name:
        raise NoKernel(f"apt knows no {META_PACKAGE}")
    version = re.search(r"Candidate: (\S+)", _output("apt-cache", "policy", name[1]))
    if not version or version[1] == "(none)":
        raise NoKernel(f"apt has no candidate for {name[1]}")
    return name[1], version[1]


# --- what is made of the package


def _unpack(package: Path, to: Path) -> Path:
    """The modules into `to`; the kernel's image is returned."""
    with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", str(package)],
                          stdout=subprocess.PIPE) as process, \
            tarfile.open(fileobj=process.stdout, mode="r|") as tar:
        for member in tar:
            if MODULES.fullmatch(member.name) or member.name.startswith("./boot/vmlinuz-"):
                tar.extract(member, to)
    image, = (to / "boot").glob("vmlinuz-*")
    return image


def _vmlinux(image: bytes) -> bytes:
    """The ELF image inside a bzImage (Documentation/arch/x86/boot.rst), else all of it."""
    offset, length = struct.unpack_from("<II", image, 0x248)
    begin = (image[0x1f1] + 1) * 512 + offset
    payload = image[begin:begin + length]
    if not payload.startswith(b"\xfd7zXZ"):
        return image
    return lzma.LZMADecompressor().decompress(payload)


def _modules_in_order(root: Path, release: str) -> list[Path]:
    """FIRST_MODULES with all they stand on, each after its own."""
    found: list[Path] = []
    for name in FIRST_MODULES:
        for line in _output("modprobe", "-d", str(root), "-S", release, "--show-depends",
                            name).splitlines():
            kind, _, path = line.partition(" ")
            if kind == "insmod" and Path(path.strip()) not in found:
                found.append(Path(path.strip()))
    return found


class _Cpio:
    """An archive as the kernel unpacks it (initramfs buffer format, "newc")."""

    def __init__(self) -> None:
        self._data = bytearray()
        self._number = 0

    def add(self, name: str, mode: int, content: bytes = b"") -> None:
        self._number += 1
        fields = (self._number, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(name) + 1, 0)
        self._data += b"070701" + b"".join(b"%08x" % field for field in fields)
        for part in (name.encode() + b"\0", content):
            self._data += part
            self._data += b"\0" * (-len(self._data) % 4)

    def bytes(self) -> bytes:
        self.add("TRAILER!!!", 0)
        return bytes(self._data)


def _initrd(root: Path, release: str) -> bytes:
    archive = _Cpio()
    for folder in ("bin", "dev", "proc", "sys", "modules", "low", "up", "new"):
        archive.add(folder, stat.S_IFDIR | 0o755)
    archive.add("bin/busybox", stat.S_IFREG | 0o755, Path("/bin/busybox").read_bytes())
    archive.add("init", stat.S_IFREG | 0o755, (HERE / "initramfs").read_bytes())
    names = []
    for number, path in enumerate(_modules_in_order(root, release)):
        names.append(f"modules/{number:02}-{path.name}")
        archive.add(names[-1], stat.S_IFREG | 0o644, path.read_bytes())
    return archive.bytes()


def _make(package: str, folder: Path) -> None:
    release = package.removeprefix("linux-image-")
    with tempfile.TemporaryDirectory(dir=CACHE) as name:
        work = Path(name)
        work.chmod(0o755)
        print(f"vm: getting {package}", file=sys.stderr, flush=True)
        subprocess.run(["apt-get", "-qq", "-o", "APT::Sandbox::User=root", "download",
                        package], cwd=work, check=True,
                       stdin=subprocess.DEVNULL, stdout=sys.stderr)
        deb, = work.glob("*.deb")
        root = work / "kernel"
        root.mkdir()
        image = _unpack(deb, root)
        _output("depmod", "-b", str(root), release)
        (root / "vmlinux").write_bytes(_vmlinux(image.read_bytes()))
        (root / "initrd").write_bytes(_initrd(root, release))
        root.rename(folder)


def _fingerprint() -> str:
    """Of what the folder is made by: another script makes another folder."""
    import hashlib
    parts = b"".join((HERE / name).read_bytes() for name in ("kernel.py", "initramfs"))
    return hashlib.sha256(parts).hexdigest()[:8]


def _remove_unused() -> None:
    for folder in CACHE.glob("*-amd64-*"):
        if time.time() - folder.stat().st_mtime > UNUSED_S:
            shutil.rmtree(folder)


def get() -> Kernel:
    """From the cache, else made now (5 s and a download of 70 MB)."""
    try:
        package, version = _package()
        CACHE.mkdir(parents=True, exist_ok=True)
        folder = CACHE / f"{package.removeprefix('linux-image-')}-{version}-{_fingerprint()}"
        with (CACHE / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            _remove_unused()
            if not folder.exists():
                _make(package, folder)
            os.utime(folder)
    except (OSError, ValueError, subprocess.SubprocessError, lzma.LZMAError) as e:
        raise NoKernel(f"{type(e).__name__}: {e}") from e
    return Kernel(folder)


if __name__ == "__main__":
    try:
        get()
    except NoKernel as e:
        sys.exit(f"vm: no kernel: {e}")
