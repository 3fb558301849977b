"""The board: QEMU's virt machine with the card, started, unplugged and started again."""

import base64
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from boot_test.lan import BOX_MAC, TAP
from tests.interop.program import Program

# The kernels on the card are for the boards' processors; QEMU's cortex-a72 says that it can do more
# than a Pi 4 can, which would make them a miss. So the guest's programs are told what they run on.
_LIKE_A_PI4 = {
    "NUMBA_CPU_NAME": "cortex-a72",
    "NUMBA_CPU_FEATURES": "-aes,+crc,+fp-armv8,+neon,-rand,-sha2,-sve",
}

# Kept when the exchange is ready: how long the processors have worked since kernel start.
WORKED = "/run/worked-until-sip"
_DROP_IN = f"[Service]\nExecStartPost=+/bin/cp /proc/stat {WORKED}\n"
_KEEP_WORKED = (
    "systemd.set_credential_binary=systemd.unit-dropin.minisipserver.service~boot-test:"
    + base64.b64encode(_DROP_IN.encode()).decode()
)

_MIB = 1 << 20
_FAT_AT = "@@4M"


@dataclass(frozen=True, slots=True)
class Board:
    """What is emulated.

    Args:
        memory_mib: of the board.
        processors: how many.
        counted: time runs by instructions (one a nanosecond) and not by this machine's clock.
    """

    memory_mib: int = 512
    processors: int = 2
    counted: bool = False


class Card:
    """A card that the image has been written to.

    Args:
        image: the image, uncompressed.
        path: where the card is to be.
        size_mib: of the card; larger than the image, as cards are.
    """

    def __init__(self, image: Path, path: Path, size_mib: int) -> None:
        self.path = path
        path.unlink(missing_ok=True)
        subprocess.run(["cp", "--sparse=always", "--reflink=auto", image, path], check=True)
        with path.open("r+b") as file:
            file.truncate(size_mib * _MIB)

    def read(self, name: str, target: Path) -> None:
        """Copy a file from the boot partition."""
        target.unlink(missing_ok=True)
        self._mtools("mcopy", f"::{name}", str(target))

    def write(self, source: Path, name: str) -> None:
        """Copy a file to the boot partition, as a person does after writing the card."""
        self._mtools("mcopy", "-o", str(source), f"::{name}")

    def _mtools(self, program: str, *words: str) -> None:
        command = [program, "-i", f"{self.path}{_FAT_AT}", *words]
        subprocess.run(command, check=True, env={"MTOOLS_SKIP_CHECK": "1", "PATH": "/usr/bin:/bin"})


class Machine:
    """The box, with the card's own kernel and initial RAM disk.

    Args:
        card: its card.
        folder: for the serial log.
        board: what is emulated.
    """

    def __init__(self, card: Card, folder: Path, board: Board) -> None:
        self.folder = folder
        self.board = board
        self._card = card
        self._boots = 0
        self._program: Program | None = None
        for name in ("vmlinuz", "initrd.img", "cmdline.txt"):
            card.read(name, folder / name)

    @property
    def serial_log(self) -> Path:
        """What the serial console of the current boot says."""
        return self.folder / f"serial-{self._boots}.log"

    def power_on(self) -> float:
        """Start it; returns the time."""
        self._boots += 1
        self.serial_log.unlink(missing_ok=True)
        self._program = Program("qemu", self._command(), self.folder)
        return time.monotonic()

    def pull_the_plug(self) -> None:
        """End it between two instructions."""
        if self._program is not None:
            self._program.process.kill()
            self._program.process.wait(30)

    def running(self) -> bool:
        """Tell whether it is still there: QEMU may be ended by others, or end itself."""
        return self._program is not None and self._program.running

    def why(self) -> str:
        """Return the end of what was said on the serial console."""
        text = self.serial_log.read_text(errors="replace") if self.serial_log.exists() else ""
        said = self._program.last_words() if self._program else ""
        return f"--- serial console ({self.serial_log}):\n{text[-4000:]}\n{said}"

    def _command(self) -> list[str]:
        program = shutil.which("qemu-system-aarch64") or "qemu-system-aarch64"
        line = (self.folder / "cmdline.txt").read_text()
        # The boards' consoles would keep the kernel from finding this one.
        own = [word for word in line.split() if not word.startswith("console=")]
        told = [f"systemd.setenv={name}={value}" for name, value in _LIKE_A_PI4.items()]
        own += [
            "console=ttyAMA0",
            "loglevel=6",
            "systemd.show_status=1",
            "systemd.log_color=0",
            *told,
        ]
        if self.board.counted:
            own.append(_KEEP_WORKED)
        # An emulated disk may take its time; units must not give up on it, nor udev on a driver that
        # is being loaded: killed, it is never tried again. And an emulator that has to wait for this
        # machine's processors is no exchange that hangs.
        own += ["systemd.default_device_timeout_sec=900", "udev.event_timeout=1800"]
        own += ["systemd.service_watchdogs=no"]
        return [
            program,
            *("-M", "virt,gic-version=3", "-cpu", "cortex-a72", "-nodefaults", "-display", "none"),
            *("-smp", str(self.board.processors), "-m", str(self.board.memory_mib)),
            *(("-icount", "shift=0,sleep=off") if self.board.counted else ()),
            *("-kernel", str(self.folder / "vmlinuz"), "-initrd", str(self.folder / "initrd.img")),
            *("-append", " ".join(own), "-serial", f"file:{self.serial_log}"),
            *("-drive", f"if=none,id=card,format=raw,file={self._card.path}"),
            *("-device", "virtio-blk-pci,drive=card", "-device", "virtio-rng-pci"),
            *("-netdev", f"tap,id=lan,ifname={TAP},script=no,downscript=no"),
            *("-device", f"virtio-net-pci,netdev=lan,mac={BOX_MAC},romfile="),
        ]
