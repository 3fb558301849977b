"""From Debian's packages to our system: the program, the first boot, our files, users and units."""

import os
import shutil
import subprocess
from pathlib import Path

from builder import kernels
from builder.description import IMAGE, Description
from builder.root import in_root
from deb.build import same_python

# Services that need the internet at odd times, wear out the card, or keep the boot waiting.
_MASKED = [
    "apt-daily.timer",
    "apt-daily-upgrade.timer",
    "dpkg-db-backup.timer",
    "e2scrub_all.timer",
    "e2scrub_reap.service",
    "NetworkManager-wait-online.service",
    "systemd-networkd-wait-online.service",
    "systemd-firstboot.service",
    "systemd-hwdb-update.service",
    "ldconfig.service",
    "systemd-journal-catalog-update.service",
]
_ENABLED = [
    "minisip-first-boot.service",
    "minisip-host-keys.service",
    "minisip-grow.service",
    "minisip-report.service",
    "minisip-report.path",
    "ssh.service",
    "avahi-daemon.service",
    "NetworkManager.service",
]

# What the making of the root left, or what every box must make for itself.
_REMOVED = [
    "boot/initrd.img*",
    "boot/vmlinuz*",
    "initrd.img*",
    "vmlinuz*",
    "etc/apt/apt.conf.d/99mmdebstrap",
    "etc/dpkg/dpkg.cfg.d/99mmdebstrap",
    "etc/fake-hwclock.data",
    "etc/ssh/ssh_host_*",
    "etc/resolv.conf",
    "etc/*-",
    "var/lib/apt/lists/*",
    "var/lib/dbus/machine-id",
    "var/lib/dpkg/*-old",
    "var/lib/mysql/*",
    "var/lib/systemd/random-seed",
    "var/cache/*/*",
    "var/log/*",
    "run/*",
    "tmp/*",
    "root/.[a-z]*_history",
]


def install_program(root: Path, description: Description, deb: Path, compiled: Path) -> None:
    """Install our package `deb` in `root`, with its users, and kernels for every board's processor.

    Args:
        compiled: of `kernels.kernels_tar`.

    Raises:
        kernels.KernelsError: see `kernels.check`.
    """
    _users(root)
    kernels.put(compiled, root)
    inside = root / "var/cache" / deb.name
    shutil.copyfile(deb, inside)
    # The package's own script compiles for the processor that it runs on: here for nobody's.
    first = kernels.processor(*next(iter(description.kernels.items())))
    in_root(root, ["dpkg", "-i", f"/var/cache/{deb.name}"], first)
    inside.unlink()
    kernels.check(compiled, root, description.kernels)


def make_system(root: Path) -> None:
    """Turn `root`, which has Debian's packages and ours, into the system of the image."""
    _copy_tree(IMAGE / "files", root)
    if has_mariadb(root):
        _copy_tree(IMAGE / "files-mariadb", root)
    # Else programs that look there (chsh, FTP and mail servers) take its user for none of a person.
    in_root(root, ["add-shell", "/usr/bin/minisip-console"])
    _first_boot(root)
    _compile_python(root)
    _units(root)
    in_root(root, ["update-initramfs", "-c", "-k", "all"])
    _tidy(root)


def has_mariadb(root: Path) -> bool:
    """Tell whether MariaDB is installed in `root`."""
    return (root / "usr/sbin/mariadbd").exists()


def _users(root: Path) -> None:
    # Names of posts and manuals; the exchange's package leaves a user pi that is there alone.
    groups = "sudo,audio,video,dialout,plugdev,gpio"
    for group in ("minisip", "gpio"):
        in_root(root, ["groupadd", "--system", group])
    in_root(
        root, ["useradd", "-m", "-u", "1000", "-s", "/bin/bash", "-G", f"{groups},minisip", "pi"]
    )
    in_root(
        root,
        [
            "useradd",
            "-m",
            "-u",
            "1001",
            "-s",
            "/usr/bin/minisip-console",
            "-G",
            "minisip",
            "console",
        ],
    )


def _copy_tree(source: Path, target: Path) -> None:
    """Copy files with their execute bits, as root's."""
    for path in sorted(source.rglob("*")):
        copy = target / path.relative_to(source)
        if path.is_dir():
            copy.mkdir(exist_ok=True)
            continue
        copy.unlink(missing_ok=True)
        shutil.copyfile(path, copy)
        copy.chmod(0o755 if os.access(path, os.X_OK) else 0o644)


def _first_boot(root: Path) -> None:
    """Install the first boot's program and units as its README says."""
    source = IMAGE / "first_boot"
    program = root / "usr/lib/minisip/first_boot"
    skipped = shutil.ignore_patterns("units", "dispatcher", "__pycache__")
    shutil.copytree(source, program, ignore=skipped, copy_function=shutil.copyfile)
    _copy_tree(source / "units", root / "usr/lib/systemd/system")
    _copy_tree(source / "dispatcher", root / "usr/lib/NetworkManager/dispatcher.d")
    # The C library takes it for Chinese in UTF-8, and no program complains.
    (root / "usr/lib/locale/zh_CN.utf8").symlink_to("C.utf8")


def _compile_python(root: Path) -> None:
    """Compile every module now: the root is read-only later, and times of files are all the same."""
    flags = ["-m", "compileall", "-f", "-qq", "--invalidation-mode", "unchecked-hash"]
    folders = ["usr/lib/python3", "usr/lib/python3.13", "usr/lib/minisip"]
    native = same_python("3.13")
    if native is None:
        in_root(root, ["/usr/bin/python3", *flags, *(f"/{folder}" for folder in folders)])
        return
    inside = ["-s", str(root), "-p", "/", *(str(root / folder) for folder in folders)]
    # Debian's own tests of syntax errors don't compile.
    subprocess.run([native, "-I", *flags, *inside], check=False)


def _units(root: Path) -> None:
    enabled = [*_ENABLED, *(["minisip-database.service"] if has_mariadb(root) else [])]
    in_root(root, ["systemctl", "enable", *enabled])
    in_root(root, ["systemctl", "mask", *_MASKED])
    if has_mariadb(root):
        # The exchange wants it; on its own it would start before telephones work.
        in_root(root, ["systemctl", "disable", "mariadb.service"])


def _tidy(root: Path) -> None:
    for pattern in _REMOVED:
        for path in root.glob(pattern):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
    (root / "etc/machine-id").write_text("")
    (root / "data").mkdir()
    (root / "boot/firmware").mkdir(exist_ok=True)
    # Else the first boot rebuilds what is already right: newer than /usr means done.
    for name in ("etc", "var"):
        (root / name / ".updated").write_text("")
    # Without a clock that runs on, systemd begins at this file's time.
    (root / "usr/lib/clock-epoch").write_text("")
