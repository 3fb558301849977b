"""The data partition over the rest of the card: a real partition table, and sfdisk itself."""

import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from first_boot.grow import grow
from first_boot.machine import Machine, Outcome

MIB = 2048
"""Sectors."""

TABLE = """label: dos
label-id: 0x6d736970
start={boot}, size={mib64}, type=c
start={root}, size={mib64}, type=83
start={data}, size={mib64}, type=83
""".format(boot=MIB, root=65 * MIB, data=129 * MIB, mib64=64 * MIB)


class Card:
    """A card as a file, and what sysfs says of it."""

    def __init__(self, folder: Path, sectors: int) -> None:
        self.file = folder / "card"
        self.calls: list[list[str]] = []
        with self.file.open("wb") as file:
            file.truncate(sectors * 512)
        subprocess.run(["sfdisk", "-q", self.file], input=TABLE.encode(), check=True)
        self.machine = Machine(folder, Path("/boot/firmware"), self._run)
        disk = folder / "sys/devices/platform/mmc_host/block/mmcblk0"
        for number, start in ((1, MIB), (2, 65 * MIB), (3, 129 * MIB)):
            partition = disk / f"mmcblk0p{number}"
            partition.mkdir(parents=True)
            for name, value in (("partition", number), ("start", start), ("size", 64 * MIB)):
                (partition / name).write_text(f"{value}\n")
        (disk / "size").write_text(f"{sectors}\n")
        (folder / "sys/dev/block").mkdir(parents=True)
        (folder / "sys/dev/block/179:1").symlink_to(disk / "mmcblk0p1")
        (folder / "proc/self").mkdir(parents=True)
        (folder / "proc/self/mountinfo").write_text(
            "22 1 0:20 / / ro - overlay overlay rw\n"
            "30 22 179:1 / /boot/firmware ro,relatime - vfat /dev/mmcblk0p1 ro\n"
        )
        self.sfdisk_fails = False

    def table(self) -> list[tuple[int, int]]:
        """Start and size of each partition, as sfdisk reads them."""
        out = subprocess.run(
            ["sfdisk", "-d", self.file], capture_output=True, text=True, check=True
        )
        rows = [
            line.partition(": ")[2].split(",")
            for line in out.stdout.splitlines()
            if "start=" in line
        ]
        return [(int(row[0].split("=")[1]), int(row[1].split("=")[1])) for row in rows]

    def _run(self, arguments: Sequence[str], text: str, _: float) -> Outcome:
        self.calls.append(list(arguments))
        if arguments[0] != "sfdisk":
            return Outcome(0)
        if self.sfdisk_fails:
            return Outcome(1, error="sfdisk: cannot open /dev/mmcblk0\n")
        words = [str(self.file) if word == "/dev/mmcblk0" else word for word in arguments]
        done = subprocess.run(words, input=text, capture_output=True, text=True, check=False)
        return Outcome(done.returncode, done.stdout, done.stderr)


def test_the_last_partition_takes_the_rest(tmp_path: Path) -> None:
    card = Card(tmp_path, 1024 * MIB)
    assert grow(card.machine) == []
    assert card.table() == [(MIB, 64 * MIB), (65 * MIB, 64 * MIB), (129 * MIB, 895 * MIB)]
    assert card.calls[1:] == [
        ["partx", "--update", "--nr", "3", "/dev/mmcblk0"],
        ["resize2fs", "/dev/mmcblk0p3"],
    ]


def test_a_full_card_is_not_touched(tmp_path: Path) -> None:
    card = Card(tmp_path, 200 * MIB)
    before = card.file.read_bytes()[:512]
    assert grow(card.machine) == []
    assert card.file.read_bytes()[:512] == before
    # the file system may still have to follow, after a power cut
    assert card.calls == [["resize2fs", "/dev/mmcblk0p3"]]


def test_what_fails_is_told_and_nothing_is_done_after_it(tmp_path: Path) -> None:
    card = Card(tmp_path, 1024 * MIB)
    card.sfdisk_fails = True
    (only,) = grow(card.machine)
    assert only.sentence("en") == "sfdisk failed: sfdisk: cannot open /dev/mmcblk0."
    assert [call[0] for call in card.calls] == ["sfdisk"]


@pytest.mark.parametrize("mounts", ["", "30 22 0:5 / /boot/firmware rw - tmpfs tmpfs rw\n"])
def test_a_boot_partition_that_is_none(tmp_path: Path, mounts: str) -> None:
    card = Card(tmp_path, 1024 * MIB)
    (tmp_path / "proc/self/mountinfo").write_text(mounts)
    (only,) = grow(card.machine)
    assert only.sentence("en") == "The data partition was not found and not grown."
