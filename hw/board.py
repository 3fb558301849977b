"""The board: which model it is, and whether it suffers."""

import contextlib
import shutil
import subprocess
from pathlib import Path

HOT_C = 80.0
"""At this temperature a Raspberry Pi begins to slow down."""

COOL_C = 75.0
"""Below it a hot board counts as cool again."""

VCGENCMD_S = 5.0

ONE_USB_SOUND = ("Raspberry Pi 4 ", "Raspberry Pi 400")
"""Models whose USB controller (VL805) serves one USB sound adapter reliably, not two."""

_THROTTLED = Path("sys/devices/platform/soc/soc:firmware/get_throttled")
_HOT = "too hot"

# The firmware's bits: now, and at some time since power-on sixteen places higher.
_BITS = (
    (0, "under-voltage"),
    (1, "slowed down by the firmware"),
    (2, "slowed down by the firmware"),
    (3, _HOT),
)


class Board:
    """The board that this program runs on.

    Args:
        root: where the system's files are; another folder for tests.
    """

    def __init__(self, root: Path = Path("/")) -> None:
        self._root = root
        self._told: frozenset[str] = frozenset()
        self._hot = False

    @property
    def model(self) -> str:
        """Its name, such as ``Raspberry Pi 4 Model B Rev 1.4``; empty where it has none."""
        return self._read("proc/device-tree/model").rstrip("\0").strip()

    @property
    def temperature_c(self) -> float | None:
        """The processor's temperature; None where nobody knows."""
        try:
            return int(self._read("sys/class/thermal/thermal_zone0/temp")) / 1000
        except ValueError:
            return None

    def news(self) -> list[str]:
        """Return what it suffers from that it didn't when this was last asked. May take seconds."""
        found = self._ailments()
        new = found - self._told
        self._told = found
        return sorted(new)

    def _ailments(self) -> frozenset[str]:
        found = throttled(self._throttled()) | self._low_voltage()
        temperature_c = self.temperature_c
        if temperature_c is not None:
            self._hot = temperature_c >= (COOL_C if self._hot else HOT_C)
        return found | {_HOT} if self._hot else found

    def _throttled(self) -> str:
        """What the firmware says, by the kernel of Raspberry Pi OS or by its command."""
        text = self._read(str(_THROTTLED))
        if text or shutil.which("vcgencmd") is None:
            return text
        with contextlib.suppress(OSError, subprocess.SubprocessError):
            answer = subprocess.run(
                ["vcgencmd", "get_throttled"], capture_output=True, text=True, timeout=VCGENCMD_S
            )
            return answer.stdout.strip().removeprefix("throttled=")
        return ""

    def _low_voltage(self) -> frozenset[str]:
        """What Debian's kernel says, which has no other word of the firmware."""
        for monitor in sorted((self._root / "sys/class/hwmon").glob("hwmon*")):
            folder = str(monitor.relative_to(self._root))
            if self._read(f"{folder}/name").strip() == "rpi_volt":
                alarm = self._read(f"{folder}/in0_lcrit_alarm").strip()
                return frozenset({"under-voltage"} if alarm == "1" else ())
        return frozenset()

    def _read(self, path: str) -> str:
        try:
            return (self._root / path).read_text(errors="replace")
        except OSError:
            return ""


def throttled(text: str) -> frozenset[str]:
    """Return what the firmware's ``get_throttled`` (hexadecimal) complains of, now or since boot."""
    try:
        bits = int(text, 16)
    except ValueError:
        return frozenset()
    return frozenset(word for bit, word in _BITS if bits >> bit & 0x1_0001)


def too_many_usb_sound(model: str, adapters: int) -> bool:
    """Whether that many USB sound adapters are more than the board serves."""
    return adapters > 1 and model.startswith(ONE_USB_SOUND)
