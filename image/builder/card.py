"""The card: three partitions in a file, without loop devices or mounts, the same bytes each time."""

import os
import shutil
import subprocess
from pathlib import Path

from builder.description import IMAGE, Partitions

_MIB = 1 << 20
_ROOT_INODE, _FIRST_INODE = 2, 11  # of ext4; those between are its own
_FIRST_MIB = 4  # cards are erased in blocks of this size
_FAT_ID = "6d736970"
_ROOT_UUID = "6d736970-0000-4000-8000-000000000002"
_DATA_UUID = "6d736970-0000-4000-8000-000000000003"

# Of what the Pi's firmware needs to start: the boards' own and the small ones.
_NEEDED = ["bootcode.bin", "start*.elf", "fixup*.dat", "*.dtb", "overlays"]


def fill_firmware(firmware: Path, folder: Path) -> None:
    """Lay out in `folder` what the FAT partition holds.

    Args:
        firmware: the folder /boot/firmware as Debian's packages have filled it.
    """
    folder.mkdir(parents=True)
    for pattern in _NEEDED:
        for path in sorted(firmware.glob(pattern)):
            shutil.move(path, folder / path.name)
    for name in ("vmlinuz", "initrd.img"):
        (found,) = firmware.glob(f"{name}-*")
        shutil.move(found, folder / name)
    for path in sorted((IMAGE / "boot").iterdir()):
        shutil.copyfile(path, folder / path.name)


def make_card(layout: Partitions, firmware: Path, root: Path, image: Path, epoch: int) -> None:
    """Write the file `image` from the folders `firmware` and `root`.

    Args:
        epoch: the time of everything in it, in seconds since 1970.
    """
    _set_times(firmware, epoch)
    _set_times(root, epoch)
    sizes = [layout.firmware, layout.root, layout.data]
    starts = [_FIRST_MIB + sum(sizes[:number]) for number in range(3)]
    image.unlink(missing_ok=True)
    with image.open("wb") as file:
        file.truncate((_FIRST_MIB + sum(sizes)) * _MIB)
    _partition_table(layout, starts, sizes, image)
    _fat(firmware, image, starts[0], sizes[0], epoch)
    _ext4(image, starts[1], sizes[1], _ROOT_UUID, "minisip-root", epoch, root)
    # Empty: the initial RAM disk lays it out. Few inodes, for it grows to the card's size.
    _ext4(image, starts[2], sizes[2], _DATA_UUID, "minisip-data", epoch, None)


def _set_times(folder: Path, epoch: int) -> None:
    for path in [folder, *folder.rglob("*")]:
        os.utime(path, (epoch, epoch), follow_symlinks=False)


def _partition_table(layout: Partitions, starts: list[int], sizes: list[int], image: Path) -> None:
    kinds = ["c", "83", "83"]
    lines = [
        f"start={start}MiB, size={size}MiB, type={kind}{', bootable' if kind == 'c' else ''}"
        for start, size, kind in zip(starts, sizes, kinds, strict=True)
    ]
    script = "\n".join(["label: dos", f"label-id: {layout.label_id}", *lines, ""])
    words = ["sfdisk", "--quiet", "--no-reread", "--no-tell-kernel", str(image)]
    subprocess.run(words, input=script.encode(), check=True)


def _fat(folder: Path, image: Path, start: int, size: int, epoch: int) -> None:
    environment = {
        **os.environ,
        "SOURCE_DATE_EPOCH": str(epoch),
        "TZ": "UTC",
        "MTOOLS_SKIP_CHECK": "1",
    }
    sectors = ["--offset", str(start * _MIB // 512), str(image), str(size * 1024)]
    # Clusters of 2 KiB: it would choose by the size of the file, too few for FAT32 to be one.
    names = ["-F", "32", "-s", "4", "-n", "MINISIP", "-i", _FAT_ID]
    make = ["mkfs.vfat", "--invariant", *names, *sectors]
    # It warns, rightly, that the file goes on behind the partition.
    subprocess.run(make, check=True, capture_output=True, env=environment)
    # Folder by folder: mcopy alone takes a folder's files as this machine's file system has them.
    at = ["-i", f"{image}@@{start}M"]
    for source in [folder, *sorted(path for path in folder.rglob("*") if path.is_dir())]:
        inside = f"::{source.relative_to(folder)}"
        if source != folder:
            subprocess.run(["mmd", *at, inside], check=True, env=environment)
        files = [str(path) for path in sorted(source.iterdir()) if path.is_file()]
        subprocess.run(["mcopy", "-m", *at, *files, inside], check=True, env=environment)


def _ext4(
    image: Path, start: int, size: int, uuid: str, label: str, epoch: int, root: Path | None
) -> None:
    extended = f"offset={start * _MIB},hash_seed={uuid},root_owner=0:0,lazy_itable_init=0,lazy_journal_init=0"
    words = ["mke2fs", "-q", "-F", "-t", "ext4", "-b", "4096", "-U", uuid, "-L", label]
    words += ["-O", "^metadata_csum_seed,^orphan_file", "-m", "1"]
    if root is None:
        words += ["-i", "32768", "-J", "size=16"]
    else:
        words += ["-d", str(root)]
    environment = {**os.environ, "SOURCE_DATE_EPOCH": str(epoch), "E2FSPROGS_FAKE_TIME": str(epoch)}
    subprocess.run([*words, "-E", extended, str(image), f"{size}M"], check=True, env=environment)
    if root is not None:
        _set_change_times(image, start, epoch, environment)


def _set_change_times(image: Path, start: int, epoch: int, environment: dict[str, str]) -> None:
    """Set each inode's time of change, which mke2fs takes over from files where nobody can set it."""
    with image.open("rb") as file:
        file.seek(start * _MIB + 1024)
        superblock = file.read(1024)
    # s_inodes_count and s_free_inodes_count; mke2fs takes inodes one after the other.
    inodes = int.from_bytes(superblock[0:4], "little")
    used = inodes - int.from_bytes(superblock[16:20], "little")
    words = ["debugfs", "-w", "-f", "-", f"{image}?offset={start * _MIB}"]
    numbers = [_ROOT_INODE, *range(_FIRST_INODE, used + 1)]
    script = "".join(f"set_inode_field <{number}> ctime @{epoch}\n" for number in numbers)
    subprocess.run(words, input=script, text=True, check=True, capture_output=True, env=environment)
