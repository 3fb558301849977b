"""`image.toml`, checked and typed: what the image is made of."""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

IMAGE = Path(__file__).resolve().parent.parent
"""The folder image/ of the source tree."""


@dataclass(frozen=True, slots=True)
class System:
    """``[system]``: which Debian."""

    name: str
    architecture: str
    suite: str
    components: tuple[str, ...]
    kernel_suite: str
    kernel_packages: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Partitions:
    """``[partitions]``: the card's layout; sizes in MiB."""

    label_id: str
    firmware: int
    root: int
    data: int

    def uuid(self, number: int) -> str:
        """Return the PARTUUID of partition `number`."""
        return f"{self.label_id.removeprefix('0x')}-{number:02d}"


@dataclass(frozen=True, slots=True)
class Description:
    """The whole of ``image.toml``.

    Args:
        packages: Debian's packages; by group (base, mariadb).
        left_out, kept: patterns of paths that dpkg doesn't unpack, and exceptions.
        kernels: processors that the media engine is compiled for, and LLVM's features of each.
    """

    system: System
    partitions: Partitions
    packages: dict[str, tuple[str, ...]]
    left_out: tuple[str, ...]
    kept: tuple[str, ...]
    kernels: dict[str, str]


def read_description(path: Path = IMAGE / "image.toml") -> Description:
    """Return what the file at `path` says.

    Raises:
        ValueError: a table or a name in it is missing or unknown.
    """
    data: dict[str, Any] = tomllib.loads(path.read_text("utf-8"))
    try:
        return Description(
            system=System(**{name: _frozen(value) for name, value in data["system"].items()}),
            partitions=Partitions(**data["partitions"]),
            packages={name: tuple(value) for name, value in data["packages"].items()},
            left_out=tuple(data["left_out"]["paths"]),
            kept=tuple(data["left_out"]["except"]),
            kernels=data["kernels"],
        )
    except (KeyError, TypeError) as error:
        raise ValueError(f"{path}: {error}") from error


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
