"""What the exchange runs on: told at the start, and refused where it can't run there."""

import platform
import sys
from dataclasses import dataclass

from pbx.errors import StartError
from pbx.locale import say

ARCHITECTURES = ("aarch64", "x86_64")
PYTHONS = ((3, 11), (3, 14))
"""From the first, up to but not including the second."""


@dataclass(frozen=True, slots=True)
class Machine:
    """A machine with its system, as this program sees it.

    Args:
        system: the kernel's name, such as ``Linux``.
        release: of the kernel.
        architecture: the kernel's name of it, such as ``aarch64``.
        bits: of this program: a 64-bit kernel runs systems of 32 bits, too.
        python: version of the Python that runs this, such as ``(3, 13)``.
        distribution: its name and version in words; empty where it doesn't say.
    """

    system: str
    release: str
    architecture: str
    bits: int
    python: tuple[int, int]
    distribution: str = ""

    def __str__(self) -> str:
        words = [self.distribution, f"{self.system} {self.release}"]
        words += [f"{self.architecture} ({self.bits} bits)", f"Python {_dotted(self.python)}"]
        return ", ".join(filter(None, words))

    def check(self) -> None:
        """Refuse it where the exchange can't run on it.

        Raises:
            StartError: with what is wrong and what is needed.
        """
        if self.system != "Linux":
            raise StartError(say("wrong-system", system=self.system), 69)
        if self.architecture not in ARCHITECTURES or self.bits != 64:
            values = {"machine": self.architecture, "bits": self.bits}
            raise StartError(say("wrong-architecture", **values), 69)
        if not PYTHONS[0] <= self.python < PYTHONS[1]:
            raise StartError(say("wrong-python", version=_dotted(self.python)), 69)


def this_machine() -> Machine:
    """Return the one that this program runs on."""
    kernel = platform.uname()
    return Machine(
        kernel.system,
        kernel.release,
        kernel.machine,
        64 if sys.maxsize > 1 << 32 else 32,
        sys.version_info[:2],
        _distribution(),
    )


def _distribution() -> str:
    try:
        told = platform.freedesktop_os_release()
    except OSError:  # no Linux, or one without os-release(5)
        return ""
    return told.get("PRETTY_NAME", "")


def _dotted(version: tuple[int, int]) -> str:
    return ".".join(map(str, version))
