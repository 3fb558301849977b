"""A box to set up: a root folder, a FAT partition, and the programs that a real one has.

The programs that change accounts do here to the root folder's files what they do to the system's;
`minisipserver-cli` is the real one.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from first_boot.apply import apply
from first_boot.machine import Machine, Outcome
from first_boot.state import State

SAMPLES = Path(__file__).parent / "samples"

PASSWD = """root:x:0:0:root:/root:/bin/bash
www-data:x:33:33:www-data:/var/www:/usr/sbin/nologin
console:x:900:900::/home/console:/usr/bin/minisip-console
pi:x:{uid}:{gid}::/home/pi:/bin/bash
"""
SHADOW = "root:*:20000:0:99999:7:::\npi:!:20000:0:99999:7:::\n"
GROUPS = "root:x:0:\nsudo:x:27:\nminisip:x:990:\ngpio:x:991:\npi:x:1000:\n"

Program = Callable[[Sequence[str], str], Outcome]


def hashed(password: str) -> str:
    """What stands in shadow for a password."""
    return f"$y$j9T$salt${hashlib.sha256(password.encode()).hexdigest()}"


class Box:
    """The box under test.

    Attributes:
        calls: the programs that were run, in their order, with what they were given to read.
        failing: programs that end with an error.
        links: what ``ip -json address`` tells.
        answers: what ``minisip`` tells, by command; without any, the exchange doesn't answer.
    """

    def __init__(self, folder: Path) -> None:
        self.root = folder / "root"
        self.boot = folder / "boot"
        self.calls: list[tuple[list[str], str]] = []
        self.failing: set[str] = set()
        self.links: list[dict[str, Any]] = []
        self.answers: dict[str, Any] = {}
        self.boot.mkdir()
        self.put("/etc/passwd", PASSWD.format(uid=os.getuid() or 1000, gid=os.getgid() or 1000))
        self.put("/etc/shadow", SHADOW)
        self.put("/etc/group", GROUPS)
        self.put("/etc/hostname", "minisip\n")
        self.put("/etc/hosts", "127.0.0.1\tlocalhost\n127.0.1.1\tminisip\n")
        self.put("/etc/machine-id", "")
        for zone in ("Europe/Berlin", "Asia/Shanghai"):
            self.put(f"/usr/share/zoneinfo/{zone}", "TZif2")
        for locale in ("C.utf8", "zh_CN.utf8"):
            self.put(f"/usr/lib/locale/{locale}/LC_CTYPE", "")
        self.put("/home/pi/.profile", "")
        self.machine = Machine(self.root, self.boot, self._run)

    # -- files

    def put(self, name: str, text: str) -> None:
        """Make a file of the box."""
        path = self.root / name.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")

    def text(self, name: str) -> str:
        """A file of the box."""
        return (self.root / name.lstrip("/")).read_text("utf-8")

    def mode(self, name: str) -> int:
        """Who may do what with a file of the box."""
        return (self.root / name.lstrip("/")).stat().st_mode & 0o777

    def has(self, name: str) -> bool:
        """Whether the box has a file."""
        return (self.root / name.lstrip("/")).exists()

    def write(self, name: str, text: str) -> None:
        """Write a file to the FAT partition, as a person does."""
        (self.boot / name).write_bytes(text.encode())

    def sample(self, *names: str) -> None:
        """Put Imager's files on the FAT partition."""
        for name in names:
            shutil.copy(SAMPLES / name, self.boot / name)

    def on_card(self, name: str) -> str:
        """A file of the FAT partition."""
        return (self.boot / name).read_bytes().decode()

    # -- boots

    def start(self) -> State | None:
        """Boot the box, as far as the files on the card count."""
        return apply(self.machine)

    def first_start(self, preset: str = "") -> State:
        """Boot for the first time, with this minisip.toml."""
        self.write("minisip.toml", preset)
        state = self.start()
        assert state is not None
        return state

    # -- programs

    def ran(self, program: str) -> list[list[str]]:
        """The arguments of each run of a program."""
        return [call[1:] for call, _ in self.calls if call[0] == program]

    def password_of(self, name: str) -> str:
        """What stands in shadow."""
        rows = (line.split(":") for line in self.text("/etc/shadow").splitlines())
        return next(row[1] for row in rows if row[0] == name)

    def _run(self, arguments: Sequence[str], text: str, patience_s: float) -> Outcome:
        assert patience_s > 0
        assert all("\0" not in argument for argument in arguments)
        self.calls.append((list(arguments), text))
        if arguments[0] in self.failing:
            return Outcome(1, error=f"{arguments[0]}: something is wrong\n")
        programs: dict[str, Program] = {
            "useradd": self._useradd,
            "chpasswd": self._chpasswd,
            "runuser": self._runuser,
            "ip": lambda _words, _text: Outcome(0, json.dumps(self.links)),
        }
        program = programs.get(arguments[0])
        return program(arguments[1:], text) if program else Outcome(0)

    def _useradd(self, arguments: Sequence[str], _: str) -> Outcome:
        name = arguments[-1]
        uid, gid = os.getuid() or 1001, os.getgid() or 1001
        self.put(
            "/etc/passwd",
            f"{self.text('/etc/passwd')}{name}:x:{uid}:{gid}::/home/{name}:/bin/bash\n",
        )
        self.put("/etc/shadow", f"{self.text('/etc/shadow')}{name}:!:20000:0:99999:7:::\n")
        (self.root / "home" / name).mkdir(parents=True)
        return Outcome(0)

    def _chpasswd(self, arguments: Sequence[str], text: str) -> Outcome:
        for line in text.splitlines():
            name, _, password = line.partition(":")
            wanted = password if "-e" in arguments else hashed(password)
            rows = [row.split(":") for row in self.text("/etc/shadow").splitlines()]
            if name not in {row[0] for row in rows}:
                return Outcome(1, error=f"chpasswd: line 1: user '{name}' does not exist\n")
            lines = [
                ":".join([row[0], wanted, *row[2:]] if row[0] == name else row) for row in rows
            ]
            self.put("/etc/shadow", "\n".join(lines) + "\n")
        return Outcome(0)

    def _runuser(self, arguments: Sequence[str], _: str) -> Outcome:
        assert arguments[:3] == ("-u", "pi", "--")
        command = list(arguments[3:])
        if command[0] == "env":
            assert command[2] == "/usr/bin/minisipserver-cli"
            done = subprocess.run(
                [sys.executable, "-m", "pbx", *command[3:]],
                env={**os.environ, "LC_ALL": command[1].removeprefix("LC_ALL=")},
                capture_output=True,
                text=True,
                check=False,
            )
            return Outcome(done.returncode, done.stdout, done.stderr)
        assert command[0] == "/usr/bin/minisip"
        if command[1] not in self.answers:
            return Outcome(69, error="minisip: the exchange does not run\n")
        return Outcome(0, json.dumps(self.answers[command[1]]))


def sentences(state: State | None) -> list[str]:
    """What the report says was not as expected, in English."""
    assert state is not None
    return [one.sentence("en") for one in state.notes]
