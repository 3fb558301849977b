"""The box: its files below a root folder, and the programs that change it.

Everything that the first boot does goes through here, so that a test gives another root folder and
another runner, and needs no rights.
"""

import contextlib
import os
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

PROGRAM_S = 120
"""Seconds that a program may take."""


@dataclass(frozen=True)
class Outcome:
    """How a program ended: exit code (127: it isn't there) and what it said."""

    code: int
    out: str = ""
    error: str = ""


Runner = Callable[[Sequence[str], str, float], Outcome]
"""Runs a program with arguments, standard input, and the seconds that it may take; no shell."""


def run_program(arguments: Sequence[str], text: str, patience_s: float) -> Outcome:
    """Run a program and return how it ended; nothing is raised."""
    try:
        done = subprocess.run(  # noqa: S603
            arguments, input=text.encode(), capture_output=True, timeout=patience_s, check=False
        )
    except FileNotFoundError:
        return Outcome(127, error=f"{arguments[0]}: not found")
    except (OSError, subprocess.TimeoutExpired) as error:
        return Outcome(1, error=str(error))
    return Outcome(
        done.returncode,
        done.stdout.decode("utf-8", "replace"),
        done.stderr.decode("utf-8", "replace"),
    )


@dataclass(frozen=True)
class Owner:
    """Who a file belongs to."""

    uid: int
    gid: int
    home: str


class Machine:
    """The box that is being set up.

    Args:
        root: where its file system begins; another folder than ``/`` for tests.
        boot: the FAT partition's folder.
        runner: runs programs.
    """

    def __init__(self, root: Path, boot: Path, runner: Runner = run_program) -> None:
        self.root = root
        self.boot = boot
        self._runner = runner

    def run(self, *arguments: str, text: str = "", patience_s: float = PROGRAM_S) -> Outcome:
        """Run a program; `text` is its standard input, `patience_s` the seconds it may take."""
        if self.root != Path("/") and self._runner is run_program:
            arguments = ("chroot", str(self.root), *arguments)
        return self._runner(arguments, text, patience_s)

    def path(self, name: str) -> Path:
        """Return where ``/etc/hostname`` really lies."""
        return self.root / name.lstrip("/")

    def read(self, name: str) -> str:
        """Return a file's text; empty where there is no such file."""
        try:
            return self.path(name).read_text("utf-8", "replace")
        except OSError:
            return ""

    def write(self, name: str, text: str, mode: int = 0o644, owner: Owner | None = None) -> None:
        """Write a file in one step, on the disk when this returns; unchanged text costs no write.

        Raises:
            OSError: it can't be written; the old one stands.
        """
        path = self.path(name)
        self.make_folder(str(Path(name).parent))
        with contextlib.suppress(OSError):
            if path.read_bytes() == text.encode() and path.stat().st_mode & 0o777 == mode:
                return
        fresh = path.with_name(f".{path.name}.new")
        fresh.unlink(missing_ok=True)
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(descriptor, mode)
            if owner and os.geteuid() == 0:
                os.fchown(descriptor, owner.uid, owner.gid)
            _fill(file, text.encode())
        fresh.replace(path)

    def make_folder(self, name: str, mode: int = 0o755, owner: Owner | None = None) -> None:
        """Make a folder, and those above it, where it is missing."""
        path = self.path(name)
        if path.is_dir():
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        path.mkdir(mode=mode)
        if owner and os.geteuid() == 0:
            os.chown(path, owner.uid, owner.gid)

    def remove(self, name: str) -> None:
        """Remove a file where it is."""
        self.path(name).unlink(missing_ok=True)

    def owner(self, login: str) -> Owner | None:
        """Return an account of the box; None where it has no such account."""
        for line in self.read("/etc/passwd").splitlines():
            fields = line.split(":")
            if len(fields) == 7 and fields[0] == login:
                return Owner(int(fields[2]), int(fields[3]), fields[5])
        return None

    def has_group(self, group: str) -> bool:
        """Tell whether the box has this group."""
        return any(line.split(":")[0] == group for line in self.read("/etc/group").splitlines())

    @contextlib.contextmanager
    def boot_writable(self) -> Iterator[None]:
        """Make the FAT partition writable for a moment; read-only again where it was.

        Raises:
            OSError: it can't be written to, or nothing is mounted there.
        """
        options = self._boot_options()
        if options is None:
            if self.root == Path("/"):
                raise FileNotFoundError(2, "the boot partition is not mounted")
            options = ()
        read_only = "ro" in options
        if read_only and self.run("mount", "-o", "remount,rw", str(self.boot)).code != 0:
            raise PermissionError(30, "the boot partition is read-only")
        try:
            yield
        finally:
            if read_only:
                self.run("mount", "-o", "remount,ro", str(self.boot))

    def _boot_options(self) -> tuple[str, ...] | None:
        options = None
        for line in self.read("/proc/self/mounts").splitlines():
            fields = line.split(" ")
            if len(fields) > 3 and fields[1] == str(self.boot):
                options = tuple(fields[3].split(","))
        return options


def replace_file(path: Path, octets: bytes) -> None:
    """Write a file on the FAT partition in one step, on the card when this returns.

    Raises:
        OSError: it can't be written; the old one stands.
    """
    fresh = path.with_suffix(".new")
    with fresh.open("wb") as file:
        _fill(file, octets)
    fresh.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def overwrite(path: Path, octets: bytes) -> None:
    """Put `octets` where a file's old ones are, so that no old one stays readable on the card.

    Raises:
        OSError: it can't be written.
    """
    with path.open("r+b") as file:
        _fill(file, octets + bytes(max(0, os.fstat(file.fileno()).st_size - len(octets))))
        file.truncate(len(octets))
        os.fsync(file.fileno())


def _fill(file: BinaryIO, octets: bytes) -> None:
    file.write(octets)
    file.flush()
    os.fsync(file.fileno())
