"""What a guest boots: Debian's kernel, and an initial file system with our programs in it.

    kernel = get_kernel(cache)
    write_initramfs(path, kernel, modules=["nvme"], programs=["/usr/sbin/nvme"], files={...})

The kernel comes from Debian's package, unpacked into a cache and not installed. The file system
is an archive in the cpio format "newc", which takes no tool and no right to write.
"""

import os
import re
import shutil
import stat
import subprocess
import tempfile
from dataclasses import dataclass


class ImageError(Exception):
    """What could not be made, and why, in one line."""


def output_of(command, **options):
    try:
        return subprocess.run(command, check=True, text=True, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        said = (getattr(error, "stderr", "") or str(error)).strip().splitlines()
        raise ImageError(f"{' '.join(command)}: {said[-1] if said else error}") from error


# ---- The kernel ----

@dataclass(frozen=True)
class Kernel:
    folder: str  # of what the package holds

    @property
    def release(self):
        return os.listdir(f"{self.folder}/lib/modules")[0]

    @property
    def bzimage(self):
        return f"{self.folder}/boot/vmlinuz-{self.release}"

    @property
    def modules(self):
        return f"{self.folder}/lib/modules/{self.release}"


def get_kernel(cache):
    """Debian's newest kernel for amd64; from `cache` if it was unpacked there before."""
    try:
        package = _newest_package()
    except ImageError:  # no lists of packages yet
        output_of(_as_root(["apt-get", "-q", "update"]))
        package = _newest_package()
    kernel = Kernel(os.path.join(cache, package))
    if not os.path.isdir(kernel.folder):
        os.makedirs(cache, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as folder:
            _unpack(package, folder)
            # Only whole kernels have their final name.
            os.rename(os.path.join(folder, "unpacked"), kernel.folder)
    return kernel


def _newest_package():
    said = output_of(["apt-cache", "depends", "linux-image-amd64"])
    match = re.search(r"^\s*Depends: (linux-image-\S+)$", said, re.MULTILINE)
    if not match:
        raise ImageError("apt-cache knows no package linux-image-amd64")
    return match[1]


def _as_root(command):
    return command if os.geteuid() == 0 else ["sudo", *command]


def _unpack(package, folder):
    command = ["apt-get", "-q", "-o", "APT::Sandbox::User=root", "download", package]
    try:
        output_of(command, cwd=folder)
    except ImageError:  # the lists may be older than the archive
        output_of(_as_root(["apt-get", "-q", "update"]))
        output_of(command, cwd=folder)
    archive = next(name for name in os.listdir(folder) if name.endswith(".deb"))
    unpacked = os.path.join(folder, "unpacked")
    output_of(["dpkg", "-x", os.path.join(folder, archive), unpacked])
    shutil.rmtree(os.path.join(unpacked, "usr"))


def module_name(path):
    return os.path.basename(path).removesuffix(".ko").replace("-", "_")


def module_dependencies(module):
    """The names of the modules that a module, the bytes of its file, says it needs."""
    said = re.search(rb"\0depends=([^\0]*)\0", module)
    return [name for name in (said[1].decode().split(",") if said else []) if name]


def select_modules(files, names):
    """[(name, path)] of the modules `names` and all that they need, these first; `files` maps
    each module's name to its path. What a module needs may be built in, and in no file."""
    selected = {}

    def select(name):
        if name not in files or name in selected:
            return
        with open(files[name], "rb") as file:
            needed = module_dependencies(file.read())
        for other in needed:
            select(other.replace("-", "_"))
        selected[name] = files[name]

    for name in names:
        if name.replace("-", "_") not in files:
            raise ImageError(f"the kernel has no module {name}")
        select(name.replace("-", "_"))
    return list(selected.items())


# ---- The file system ----

def libraries(program):
    """{name: path} of the shared libraries that `program` loads."""
    if not os.access(program, os.X_OK):
        raise ImageError(f"{program} is not there, or is no program")
    try:
        lines = output_of(["ldd", program]).splitlines()
    except ImageError as error:
        if "not a dynamic executable" in str(error):
            return {}
        raise
    found = {}
    for line in lines:
        if match := re.match(r"\s*(?:(\S+) => )?(/\S+) \(0x", line):
            found[match[1] or match[2]] = match[2]
        elif "not found" in line:
            raise ImageError(f"{program} needs a library that is not there: {line.strip()}")
    return found


def cpio_entry(name, mode, content=b"", inode=0):
    """One member of an archive in the format newc."""
    encoded = name.encode() + b"\0"
    fields = (inode, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(encoded), 0)
    head = b"070701" + b"".join(b"%08x" % field for field in fields) + encoded
    return _padded(head) + _padded(content)


def _padded(data):
    return data + b"\0" * (-len(data) % 4)


def write_archive(path, files):
    """Writes {name in the guest: (mode, bytes)} with the folders that hold them."""
    folders = set()
    for name in files:
        while "/" in name:
            name = name.rsplit("/", 1)[0]
            folders.add(name)
    with open(path, "wb") as archive:
        number = 0
        for name in sorted(folders):
            number += 1
            archive.write(cpio_entry(name, stat.S_IFDIR | 0o755, inode=number))
        for name, (mode, content) in sorted(files.items()):
            number += 1
            archive.write(cpio_entry(name, mode, content, number))
        archive.write(cpio_entry("TRAILER!!!", 0))


def _read(path):
    with open(path, "rb") as file:
        return file.read()


def write_initramfs(path, kernel, modules, programs, scripts):
    """Programs go to /bin, libraries to /lib and to the loader's place, modules to /modules in
    the order in which /modules/order names them, scripts (paths) to the root."""
    executable = stat.S_IFREG | 0o755
    files = {f"bin/{os.path.basename(program)}": (executable, _read(program))
             for program in programs}
    for program in programs:
        for name, source in libraries(program).items():
            place = name.lstrip("/") if "/" in name else f"lib/{name}"
            files[place] = (executable, _read(source))
    files["bin/sh"] = (stat.S_IFLNK | 0o777, b"busybox")
    known = {module_name(name): os.path.join(folder, name)
             for folder, _, names in os.walk(kernel.modules) for name in names
             if name.endswith(".ko")}
    chosen = select_modules(known, modules)
    for name, source in chosen:
        files[f"modules/{name}.ko"] = (stat.S_IFREG | 0o644, _read(source))
    files["modules/order"] = (stat.S_IFREG | 0o644,
                              "".join(f"{name}\n" for name, _ in chosen).encode())
    for script in scripts:
        files[os.path.basename(script)] = (executable, _read(script))
    for folder in ("dev", "proc", "sys", "tmp"):
        files[f"{folder}/.keep"] = (stat.S_IFREG | 0o644, b"")
    write_archive(path, files)
