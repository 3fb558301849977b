"""Clean Debian systems to install into, made once by mmdebstrap and kept under build/."""

import hashlib
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.deb.packages import PROJECT

CACHE = PROJECT / "build/roots"

# What the package depends on, so that dpkg alone can install it; and what `minisip update` may use.
PACKAGES = (
    "libstdc++6,zlib1g,libportaudio2,libudev1,systemd,init-system-helpers,passwd,sudo,man-db,dbus"
)

# Whose programs a processor runs itself, by the kernel's name of it.
_NATIVE = {"x86_64": ("amd64", "i386"), "aarch64": ("arm64",)}

PROGRAMS = {
    "mmdebstrap": "mmdebstrap",
    "dpkg-deb": "dpkg",
    "unshare": "util-linux",
    "nsenter": "util-linux",
}


@dataclass(frozen=True)
class System:
    """A release of Debian on an architecture.

    Args:
        suite: its name.
        python: its Python.
        arch: Debian's name of the architecture.
        packages: what it has beside Debian's smallest system, with commas between; usually that
            Python and what our package depends on.
    """

    suite: str
    python: str
    arch: str
    packages: str = ""

    @property
    def name(self) -> str:
        """Suite and architecture."""
        return f"{self.suite}-{self.arch}"

    @property
    def native(self) -> bool:
        """Whether its programs run on this machine without emulation."""
        return self.arch in _NATIVE[os.uname().machine]

    def tar(self) -> Path:
        """Return the archive of the fresh system, made unless it is there."""
        _need(PROGRAMS)
        packages = self.packages or f"python{self.python},{PACKAGES}"
        digest = hashlib.sha256(f"{_MMDEBSTRAP}{packages}".encode()).hexdigest()[:12]
        kept = CACHE / f"{self.name}-{digest}.tar"
        if not kept.exists():
            CACHE.mkdir(parents=True, exist_ok=True)
            unfinished = kept.with_suffix(".part")
            command = [*_MMDEBSTRAP, f"--arch={self.arch}", f"--include={packages}"]
            with unfinished.open("wb") as file:
                done = emulated(
                    self, [*command, self.suite, "-", mirror()], stdout=file, stderr=subprocess.PIPE
                )
            assert done.returncode == 0, done.stderr.decode(errors="replace")[-3000:]
            unfinished.replace(kept)
        return kept

    def unpack(self, folder: Path) -> None:
        """Unpack the fresh system into `folder`."""
        folder.mkdir(parents=True)
        subprocess.run(
            ["tar", "-x", "--numeric-owner", "-f", str(self.tar()), "-C", str(folder)], check=True
        )


_MMDEBSTRAP = [
    "mmdebstrap",
    "--quiet",
    "--mode=root",
    "--variant=apt",
    "--skip=check/qemu",
    '--aptopt=APT::Install-Recommends "false"',
    "--dpkgopt=path-exclude=/usr/share/locale/*",
    "--dpkgopt=force-unsafe-io",
]


def _need(programs: dict[str, str]) -> None:
    missing = sorted(package for name, package in programs.items() if shutil.which(name) is None)
    if missing:
        pytest.fail(
            f"missing: {' '.join(missing)}; `./build.sh deb-test` installs Debian's packages",
            pytrace=False,
        )


def mirror() -> str:
    """Return the address that this machine's apt has its packages from."""
    command = ["apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages"]
    answer = subprocess.run(command, capture_output=True, text=True, check=True)
    return answer.stdout.splitlines()[0]


# newuidmap would want every id in /etc/subuid; root itself may map all of them.
_USER_SPACE = r"""
unshare --user sleep 60 </dev/null >/dev/null 2>&1 &
until [ "$(readlink /proc/$!/ns/user)" != "$(readlink /proc/self/ns/user)" ]; do sleep 0.05; done
echo "0 0 65536" >/proc/$!/uid_map
echo "0 0 65536" >/proc/$!/gid_map
exec nsenter "--user=/proc/$!/ns/user" -- "$@"
"""

_BINFMT = r"""
mount -t binfmt_misc binfmt_misc /proc/sys/fs/binfmt_misc
printf '%s' ':arm:M::\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00:\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff:'"$(command -v qemu-aarch64-static)"':FPO' \
  >/proc/sys/fs/binfmt_misc/register
exec "$@"
"""


def emulated(
    system: System, command: list[str], **more: object
) -> subprocess.CompletedProcess[bytes]:
    """Run a command where programs of `system` run, emulated if need be, in its own namespaces."""
    return subprocess.run(prefix(system) + command, check=False, **more)  # type: ignore[call-overload,no-any-return]


def prefix(system: System) -> list[str]:
    """Return what comes before a command that is to run with the programs of `system`.

    The emulator is registered for a user namespace of its own: the machine's own table of
    emulators stays as it is.
    """
    spaces = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
    if system.native:
        return spaces
    _need({"qemu-aarch64-static": "qemu-user-static"})
    return ["sh", "-ec", _USER_SPACE, "sh", *spaces, "sh", "-ec", _BINFMT, "sh"]
