"""The root made from Debian's packages alone: slow (its scripts are emulated), so it is kept.

A root is a tar under build/image/, named by the hash of all that goes into it; what is asked for
again isn't made again. The root with MariaDB is made from the one without.
"""

import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from builder.description import IMAGE, Description
from builder.sources import preferences, sources_list

# Raised by hand when the code below makes another root of the same description.
_EDITION = 1


def root_tar(description: Description, groups: tuple[str, ...], build: Path) -> Path:
    """Return the tar of the root with the packages of `groups`, making it if it isn't there.

    Args:
        description: what the image is made of.
        groups: names of package groups, base first.
        build: where roots and packages are kept.

    Raises:
        subprocess.CalledProcessError: a step failed; its words are on standard error.
    """
    inputs = _inputs(description, groups)
    if len(groups) == 1:
        (group,) = groups
        return kept_tar(
            f"root-{group}", inputs, build, lambda tar: _bootstrap(description, group, build, tar)
        )

    def add(tar: Path) -> None:
        with unpacked(root_tar(description, groups[:-1], build), build) as root:
            # Settings that its scripts already need: MariaDB as it is would ask for 8 TB of addresses,
            # for which the emulator takes more memory than this machine has.
            settings = IMAGE / f"files-{groups[-1]}/etc/mysql"
            shutil.copytree(settings, root / "etc/mysql", dirs_exist_ok=True)
            install(root, build, [*description.packages[groups[-1]]])
            pack(root, tar)

    return kept_tar(f"root-{'-'.join(groups)}", inputs, build, add)


def kept_tar(kind: str, inputs: object, build: Path, make: Callable[[Path], None]) -> Path:
    """Return the tar that was made from `inputs`, calling `make` with its path if it's not there.

    Args:
        kind: what it is; an older tar of the same kind is removed.
        inputs: all that it is made of, as JSON can write it.
    """
    digest = hashlib.sha256(json.dumps([_EDITION, inputs], sort_keys=True).encode()).hexdigest()
    tar = build / f"{kind}-{digest[:16]}.tar"
    if not tar.exists():
        build.mkdir(parents=True, exist_ok=True)
        part = build / f"{kind}.part.tar"
        make(part)
        for old in build.glob(f"{kind}-{'?' * 16}.tar"):
            old.unlink()
        part.replace(tar)
    return tar


def _inputs(description: Description, groups: tuple[str, ...]) -> object:
    return {
        "system": asdict(description.system),
        "packages": [sorted(description.packages[group]) for group in groups],
        "paths": [description.left_out, description.kept],
    }


def _bootstrap(description: Description, group: str, build: Path, tar: Path) -> None:
    """Run mmdebstrap into the file `tar`."""
    system = description.system
    debs = build / "debs"
    debs.mkdir(exist_ok=True)
    early = build / "early"
    _write_early(description, early)
    subprocess.run(
        [
            "mmdebstrap",
            "--mode=root",
            f"--architectures={system.architecture}",
            "--variant=apt",
            # qemu: the check doesn't know of a binfmt_misc of one's own. The rest: packages that
            # were fetched before are put in at the start, and apt would find nothing to fetch.
            "--skip=check/qemu,download/empty,essential/unlink",
            '--aptopt=APT::Install-Recommends "false"',
            "--dpkgopt=force-unsafe-io",
            "--dpkgopt=force-confold",
            f"--include={','.join(description.packages[group])}",
            f'--setup-hook=mkdir -p "$1/var/cache/apt/archives" && cp -a {early}/. "$1/"',
            f"--setup-hook=find {debs} -name '*.deb' -exec cp -t \"$1/var/cache/apt/archives\" {{}} +",
            f'--customize-hook=cp -n "$1"/var/cache/apt/archives/*.deb {debs}/',
            system.suite,
            str(tar),
            "-",
        ],
        input=sources_list(system).encode(),
        # The initial RAM disk is made when our part of it is there, not by every package.
        env=_environment({"INITRD": "No"}),
        check=True,
    )


def _write_early(description: Description, folder: Path) -> None:
    """Lay out in `folder` the files that must be there before the first package is unpacked."""
    shutil.rmtree(folder, ignore_errors=True)
    rules = [f"path-exclude={path}" for path in description.left_out]
    rules += [f"path-include={path}" for path in description.kept]
    dpkg = folder / "etc/dpkg/dpkg.cfg.d/minisip"
    dpkg.parent.mkdir(parents=True)
    dpkg.write_text("\n".join(rules) + "\n")
    apt = folder / "etc/apt/preferences.d/minisip"
    apt.parent.mkdir(parents=True)
    apt.write_text(preferences(description.system))


@contextmanager
def unpacked(tar: Path, build: Path) -> Iterator[Path]:
    """Unpack `tar` into a folder under `build`, and remove the folder afterwards."""
    root = build / "root"
    _remove(root)
    root.mkdir()
    try:
        # Devices can't be made in a user namespace, and the kernel makes its own.
        words = ["tar", "-x", "--xattrs", "--exclude=./dev/*", "-f", str(tar), "-C", str(root)]
        subprocess.run(words, check=True)
        yield root
    finally:
        _remove(root)


def _remove(root: Path) -> None:
    """Remove a root, and nothing that might be mounted in it."""
    subprocess.run(["rm", "-rf", "--one-file-system", str(root)], check=True)


def pack(root: Path, tar: Path) -> None:
    """Write the folder `root` into `tar`."""
    words = [
        "tar",
        "-c",
        "--xattrs",
        "--sort=name",
        "--numeric-owner",
        "-f",
        str(tar),
        "-C",
        str(root),
    ]
    words += ["."]
    subprocess.run(words, check=True)


def install(root: Path, build: Path, packages: list[str]) -> None:
    """Install Debian packages in `root`: names, or paths below `root` of files."""
    debs = build / "debs"
    archives = root / "var/cache/apt/archives"
    subprocess.run(f"cp {debs}/*.deb {archives}/", shell=True, check=True)
    in_root(root, ["apt-get", "-q", "update"])
    in_root(
        root,
        ["apt-get", "-q", "-y", "--no-install-recommends", "install", *packages],
        {"DEBIAN_FRONTEND": "noninteractive"},
    )
    subprocess.run(f"cp -n {archives}/*.deb {debs}/", shell=True, check=True)
    for path in archives.glob("*.deb"):
        path.unlink()


# /proc and a /dev of a few devices, for one program: a mount namespace of its own takes them away
# with it, so nothing that is mounted can ever be in the way of who removes the root.
_INSIDE = """
root=$1
shift
mount -t proc proc "$root/proc"
mount -t tmpfs -o mode=755 dev "$root/dev"
mkdir "$root/dev/pts" "$root/dev/shm"
ln -s /proc/self/fd "$root/dev/fd"
for name in null zero full random urandom tty; do
  : >"$root/dev/$name"
  mount --bind "/dev/$name" "$root/dev/$name"
done
exec chroot "$root" "$@"
"""


def in_root(root: Path, words: list[str], environment: dict[str, str] | None = None) -> None:
    """Run a program inside `root`, with /proc and /dev, where no service may start."""
    policy = root / "usr/sbin/policy-rc.d"
    policy.write_text("#!/bin/sh\nexit 101\n")
    policy.chmod(0o755)
    try:
        inside = ["unshare", "--mount", "sh", "-ec", _INSIDE, "sh", str(root), *words]
        subprocess.run(inside, env=_environment(environment or {}), check=True)
    finally:
        policy.unlink()


def _environment(more: dict[str, str]) -> dict[str, str]:
    """Return the environment of programs in the root: nothing of this machine's is taken over."""
    kept = {name: os.environ[name] for name in ("SOURCE_DATE_EPOCH",) if name in os.environ}
    path = "/usr/sbin:/usr/bin:/sbin:/bin"
    return {"PATH": path, "HOME": "/root", "LC_ALL": "C.UTF-8", "TZ": "UTC", **kept, **more}
