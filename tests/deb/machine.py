"""A machine for the package: a root, with systemd as its first process where it runs natively.

It has its own processes, mounts, host name and control groups, and the network of the tests, so that
phones reach its exchange on loopback.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

from tests.deb.roots import System, prefix
from tests.interop.waiting import until

BOOT_S = 60.0

_MOUNTS = r"""
mount --make-rprivate /
mount --bind "$1" "$1"
cd "$1"
mount -t proc proc proc
mount -t tmpfs -o mode=755 tmpfs run
mount -t tmpfs tmpfs tmp
mount -t tmpfs -o mode=755 tmpfs dev
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=666 devpts dev/pts
mount -t tmpfs tmpfs dev/shm
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
for name in null zero full random urandom tty; do
  : >"dev/$name"
  mount --bind "/dev/$name" "dev/$name"
done
"""

_BOOT = (
    _MOUNTS
    + r"""
mount -t sysfs -o ro sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
exec chroot . env -i container=tests PATH=/usr/sbin:/usr/bin LANG=C.UTF-8 \
  /usr/lib/systemd/systemd --system --unit=multi-user.target --show-status=0 --log-target=journal
"""
)

# In a user namespace of its own, with the network of another, no sysfs can be mounted.
_CHROOT = (
    _MOUNTS
    + 'mount --rbind /sys sys\nshift\nexec chroot . env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 "$@"\n'
)

# Nothing of these is there to be started, and a failed one would look like our fault.
MASKED = ("console-getty.service", "systemd-modules-load.service", "getty@.service")


def inside(system: System, root: Path, *command: str, language: str = "C.UTF-8") -> list[str]:
    """Return the command that runs `command` in a root in which nothing is running."""
    argv = [*prefix(system), "sh", "-ec", _CHROOT, "sh", str(root), "env", f"LC_ALL={language}"]
    return [*argv, *command]


def chroot(
    system: System, root: Path, *command: str, language: str = "C.UTF-8"
) -> subprocess.CompletedProcess[str]:
    """Run a command in a root in which nothing is running, to its end."""
    argv = inside(system, root, *command, language=language)
    return subprocess.run(argv, capture_output=True, text=True, check=False)


class Machine:
    """A running system; a context manager.

    Args:
        root: its root file system, which it changes.
    """

    def __init__(self, root: Path) -> None:
        for unit in MASKED:
            link = root / "etc/systemd/system" / unit
            if not link.is_symlink():
                link.symlink_to("/dev/null")
        self._groups = Path(tempfile.mkdtemp(prefix="minisip-cgroup-"))
        subprocess.run(["mount", "-t", "cgroup2", "cgroup2", str(self._groups)], check=True)
        self._group = self._groups / f"minisip-test-{os.getpid()}-{id(self)}"
        self._group.mkdir()
        spaces = ["unshare", "-m", "-p", "-f", "-u", "-i", "-C", "--kill-child"]
        join = 'echo $$ >"$0/cgroup.procs"; exec "$@"'
        boot = [*spaces, "sh", "-ec", _BOOT, "sh", str(root)]
        self._process = subprocess.Popen(
            ["sh", "-ec", join, str(self._group), *boot],
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            until("the machine has a first process", lambda: self._first() is not None, 10)
            self._wait_boot()
        except BaseException:
            self.close()
            raise

    def _first(self) -> int | None:
        pid = self._process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return int(children[0]) if children else None

    def _wait_boot(self) -> None:
        until(
            "the machine has started",
            lambda: (
                self.run("systemctl", "is-system-running").stdout.strip() in ("running", "degraded")
            ),
            BOOT_S,
            why_not=lambda: self.run("systemctl", "list-jobs").stdout + self.failed(),
        )

    def __enter__(self) -> "Machine":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Pull the plug; nothing where that is done."""
        if not self._groups.exists():
            return
        first = self._first() if self._process.poll() is None else None
        if first is not None:
            os.kill(first, signal.SIGKILL)
        self._process.kill()
        self._process.wait(20)
        until("its processes are gone", self._is_empty, 20)
        for folder in sorted(self._group.rglob("*/"), reverse=True):
            folder.rmdir()
        self._group.rmdir()
        subprocess.run(["umount", str(self._groups)], check=True)
        self._groups.rmdir()

    def _is_empty(self) -> bool:
        return "populated 0" in (self._group / "cgroup.events").read_text()

    @property
    def root(self) -> Path:
        """The file system as the machine itself sees it, with its /run."""
        return Path(f"/proc/{self._first()}/root")

    def run(self, *command: str, language: str = "C.UTF-8") -> subprocess.CompletedProcess[str]:
        """Run a command on the machine as root."""
        inside = ["nsenter", "-t", str(self._first()), "-m", "-p", "-u", "-i", "-C", "-r", "-w"]
        clean = ["env", "-i", "PATH=/usr/sbin:/usr/bin", f"LC_ALL={language}", "TERM=dumb"]
        return subprocess.run(
            [*inside, "--", *clean, *command],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )

    def done(self, *command: str) -> str:
        """Run a command that must go well; return what it prints."""
        ran = self.run(*command)
        assert ran.returncode == 0, f"{command}: {ran.stdout}{ran.stderr}"
        return ran.stdout

    def processes(self, word: str) -> list[str]:
        """Return the command lines that a word stands in, of all that runs on the machine."""
        lines = []
        for path in (self.root / "proc").glob("[0-9]*/cmdline"):
            with contextlib.suppress(OSError):  # it has ended meanwhile
                lines.append(path.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
        return [line for line in lines if word in line]

    def failed(self) -> str:
        """Return the units that have failed, and the exchange's journal."""
        units = self.run("systemctl", "--failed", "--no-legend", "--plain").stdout
        return units + self.journal("minisipserver")

    def journal(self, unit: str) -> str:
        """Return what a unit has logged."""
        return self.run("journalctl", "--no-pager", "-o", "cat", "-u", unit).stdout


def copy(source: Path, target: Path) -> Path:
    """Copy a root file system."""
    subprocess.run(["cp", "-a", "--reflink=auto", str(source), str(target)], check=True)
    return target


def remove(root: Path) -> None:
    """Remove one."""
    shutil.rmtree(root)
