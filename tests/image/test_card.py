"""The card is made without root: partitions, FAT and ext4 in a file, the same bytes each time."""

import hashlib
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from builder.card import fill_firmware, make_card
from builder.description import IMAGE, Partitions, read_description

EPOCH = 1_700_000_000
LAYOUT = Partitions("0x6d736970", firmware=192, root=16, data=64)


def _firmware(folder: Path) -> Path:
    debian = folder / "debian"
    (debian / "overlays").mkdir(parents=True)
    for name in ("start4.elf", "fixup4.dat", "bcm2711-rpi-4-b.dtb", "overlays/some.dtbo"):
        (debian / name).write_text(name)
    for name in ("vmlinuz-7.1-arm64", "initrd.img-7.1-arm64", "config.txt", "cmdline.txt"):
        (debian / name).write_text(f"Debian's {name}")
    fill_firmware(debian, folder / "firmware")
    return folder / "firmware"


def _root(folder: Path) -> Path:
    root = folder / "root"
    (root / "etc").mkdir(parents=True)
    (root / "etc/hostname").write_text("minisip\n")
    (root / "etc/localtime").symlink_to("/usr/share/zoneinfo/UTC")
    return root


def _make(folder: Path) -> Path:
    folder.mkdir()
    image = folder / "card.img"
    make_card(LAYOUT, _firmware(folder), _root(folder), image, EPOCH)
    return image


@pytest.fixture
def card(tmp_path: Path) -> Path:
    return _make(tmp_path / "one")


def test_two_cards_from_the_same_are_equal_to_the_byte(card: Path, tmp_path: Path) -> None:
    sums = [hashlib.sha256(path.read_bytes()).digest() for path in (card, _make(tmp_path / "two"))]
    assert sums[0] == sums[1]


def test_partitions_lie_where_fstab_and_the_kernel_look(card: Path) -> None:
    words = [
        shutil.which("sfdisk", path="/usr/sbin:/sbin:/usr/bin") or "sfdisk",
        "--json",
        str(card),
    ]
    told = json.loads(subprocess.run(words, capture_output=True, check=True).stdout)
    table = told["partitiontable"]
    assert (table["label"], table["id"]) == ("dos", LAYOUT.label_id)
    mib = [(row["start"] // 2048, row["size"] // 2048, row["type"]) for row in table["partitions"]]
    assert mib == [(4, 192, "c"), (196, 16, "83"), (212, 64, "83")]


def test_the_boot_partition_has_ours_in_place_of_debians_settings(
    card: Path, tmp_path: Path
) -> None:
    for name in ("config.txt", "cmdline.txt", "minisip.toml", "vmlinuz", "initrd.img"):
        subprocess.run(["mcopy", "-i", f"{card}@@4M", f"::{name}", tmp_path], check=True)
    for name in ("config.txt", "cmdline.txt", "minisip.toml"):
        assert (tmp_path / name).read_bytes() == (IMAGE / "boot" / name).read_bytes()
    assert (tmp_path / "vmlinuz").read_text() == "Debian's vmlinuz-7.1-arm64"


def test_the_boot_partition_has_its_files_in_the_order_of_their_names(tmp_path: Path) -> None:
    firmware = _firmware(tmp_path)
    names = [f"{number * 7919 % 64:02d}.dtbo" for number in range(64)]
    for name in names:
        (firmware / "overlays" / name).write_text(name)
    image = tmp_path / "card.img"
    make_card(LAYOUT, firmware, _root(tmp_path), image, EPOCH)
    words = ["mdir", "-b", "-i", f"{image}@@4M", "::overlays"]
    listed = subprocess.run(words, capture_output=True, text=True, check=True).stdout.split()
    assert listed == [f"::/overlays/{name}" for name in sorted([*names, "some.dtbo"])]


def test_the_root_has_the_tree_and_belongs_to_root(card: Path) -> None:
    words = [
        shutil.which("debugfs", path="/usr/sbin:/sbin") or "debugfs",
        f"{card}?offset={196 << 20}",
    ]
    told = [
        subprocess.run(
            [*words, "-R", f"{asked} /etc/hostname"], capture_output=True, text=True, check=True
        ).stdout
        for asked in ("cat", "stat")
    ]
    assert told[0] == "minisip\n"
    for kind in ("mtime", "ctime", "atime", "crtime"):
        assert f"{kind}: 0x6553f100" in told[1]


def test_kernel_and_fstab_name_the_partitions_of_the_description() -> None:
    layout = read_description().partitions
    line = (IMAGE / "boot/cmdline.txt").read_text()
    assert f"root=PARTUUID={layout.uuid(2)} ro " in line
    fstab = (IMAGE / "files/etc/fstab").read_text()
    assert re.findall(r"(?m)^PARTUUID=(\S+)\s+(\S+)", fstab) == [
        (layout.uuid(2), "/"),
        (layout.uuid(1), "/boot/firmware"),
    ]
    # A slow card may take its time: without this partition the first boot knows nothing of its wishes.
    assert "device-timeout" not in fstab
    assert (
        f"PARTUUID={layout.uuid(2)}\n" in (IMAGE / "files/etc/default/raspi-firmware").read_text()
    )
