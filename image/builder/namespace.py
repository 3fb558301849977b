"""A namespace of its own for the build: nothing that it mounts outlives it, and programs for ARM run.

The kernel keeps a binfmt_misc for each user namespace (Linux 6.7 and later); in it the emulator is
registered for this build alone, and the machine stays as it was.
"""

import os
import platform
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

_MARK = "MINISIP_BUILD_NAMESPACE"
_BINFMT = Path("/proc/sys/fs/binfmt_misc")

# ELF, 64 bits, little endian, executable or shared object, machine 183.
_MAGIC = "7f454c460201010000000000000000000200b700"
_MASK = "ffffffffffffff00fffffffffffffffffeffffff"

# The inner unshare dies with this process, and all in its PID namespace with it.
_INNER = [
    "setpriv",
    "--pdeathsig=KILL",
    "unshare",
    "--mount",
    "--pid",
    "--fork",
    "--kill-child",
    "--mount-proc",
]


class NoEmulatorError(Exception):
    """Programs for ARM can't be run on this machine."""


def inside() -> bool:
    """Tell whether this process is in a build's namespace already."""
    return _MARK in os.environ


def run_inside(program: list[str], environment: Mapping[str, str]) -> int:
    """Run `program` in a new namespace and return its exit code; what it prints goes to standard error.

    Args:
        program: words; it calls `register_emulator` first.
        environment: for it, beside what this process has.
    """
    root = os.getuid() == 0
    # A user who isn't root has the ids of /etc/subuid, through newuidmap.
    id_map = [] if root else ["--map-root-user", "--map-auto"]
    script = 'echo; read -r _; exec "$@" >&2 </dev/null'
    words = ["unshare", "--user", *id_map, "sh", "-c", script, "sh", *_INNER, *program]
    with subprocess.Popen(
        words,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, **environment, _MARK: "1"},
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdout.readline()
        if root:  # every id is itself: files belong to whom they belong
            for name in ("uid_map", "gid_map"):
                Path(f"/proc/{process.pid}/{name}").write_text("0 0 65536\n", "ascii")
        process.stdin.write(b"\n")
        process.stdin.close()
        return process.wait()


def register_emulator() -> None:
    """Make programs for ARM run, in this namespace only.

    Raises:
        NoEmulatorError: no emulator is installed, or the kernel can't be told of it.
    """
    if platform.machine() != "aarch64":
        _register()


def emulator() -> str | None:
    """Return the path of a static user-mode emulator for 64-bit ARM."""
    return shutil.which("qemu-aarch64-static") or shutil.which("qemu-aarch64")


def _register() -> None:
    program = emulator()
    if program is None:
        raise NoEmulatorError("qemu-aarch64-static is not installed (package qemu-user-static)")
    mounted = subprocess.run(
        ["mount", "-t", "binfmt_misc", "none", str(_BINFMT)], capture_output=True, check=False
    )
    if mounted.returncode == 0:
        # F: the kernel opens the emulator now, so that it's found from inside any root;
        # P: programs see the name that they were called by; O: they may be unreadable.
        rule = f":minisip:M::{_escaped(_MAGIC)}:{_escaped(_MASK)}:{program}:FPO"
        (_BINFMT / "register").write_bytes(rule.encode("ascii"))
    elif not any(_BINFMT.glob("qemu-aarch64*")):
        raise NoEmulatorError(
            "this kernel has no binfmt_misc of one's own (Linux 6.7 brings it), and the machine's "
            "knows no qemu-aarch64: install qemu-user-static and binfmt-support"
        )


def _escaped(digits: str) -> str:
    return "".join(f"\\x{digits[i : i + 2]}" for i in range(0, len(digits), 2))
