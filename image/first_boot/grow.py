"""Grows the data partition, and the file system in it, over the rest of the card."""

import os
from dataclasses import dataclass
from pathlib import Path

from first_boot.machine import Machine
from first_boot.notes import Note, note
from first_boot.place import run_or_note

SECTOR = 512
"""Octets in a sector, as sysfs counts whatever the disk's are."""

WORTHWHILE = 16 * 2**20 // SECTOR
"""Sectors: less than this at the card's end is left as it is."""


@dataclass(frozen=True)
class Partition:
    """The last partition of a disk.

    Args:
        free: sectors behind it.
    """

    disk: str
    name: str
    number: int
    free: int


def grow(machine: Machine) -> list[Note]:
    """Grow the data partition where there is room behind it; return what could not be done."""
    partition = last_partition(machine)
    if partition is None:
        return [note("grow-no-disk")]
    notes: list[Note] = []
    if partition.free >= WORTHWHILE:
        notes = _grow_partition(machine, partition)
    # Also where a power cut came between the partition and the file system: it finds nothing to do.
    return notes or run_or_note(machine, "resize2fs", f"/dev/{partition.name}")


def _grow_partition(machine: Machine, partition: Partition) -> list[Note]:
    disk, number = f"/dev/{partition.disk}", str(partition.number)
    # The disk is in use: sfdisk writes the table, partx tells the kernel of this one partition.
    return run_or_note(
        machine, "sfdisk", "--no-reread", "--no-tell-kernel", "-N", number, disk, text=", +\n"
    ) or run_or_note(machine, "partx", "--update", "--nr", number, disk)


def last_partition(machine: Machine) -> Partition | None:
    """Return the last partition of the disk that the boot partition is on."""
    boot = _boot_device(machine)
    if boot is None:
        return None
    device = machine.path(f"/sys/dev/block/{boot}")
    if not (device / "partition").is_file():
        return None
    disk = device.resolve().parent
    found = [path for path in disk.iterdir() if (path / "partition").is_file()]
    last = max(found, key=lambda path: _number(path / "start"))
    end = _number(last / "start") + _number(last / "size")
    free = _number(disk / "size") - end
    return Partition(disk.name, last.name, _number(last / "partition"), free)


def _boot_device(machine: Machine) -> str | None:
    """Return ``major:minor`` of what is mounted as the boot partition."""
    device = None
    for line in machine.read("/proc/self/mountinfo").splitlines():
        fields = line.split(" ")
        if len(fields) > 4 and fields[4] == os.fspath(machine.boot):
            device = fields[2]
    return device


def _number(path: Path) -> int:
    return int(path.read_text("ascii"))
