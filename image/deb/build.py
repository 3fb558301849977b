#!/usr/bin/env python3
"""Makes the Debian package, on any Debian machine, for either architecture, without root.

Called by `./build.sh deb`, which has the locked uv ready. Nothing of the target runs here: wheels are
unpacked, links written, and byte-code is the same for every architecture.
"""

import argparse
import csv
import fcntl
import gzip
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
PROJECT = HERE.parent.parent

ARCHITECTURES = {"amd64": "x86_64", "arm64": "aarch64"}
PYTHONS = ("3.11", "3.12", "3.13")
GLIBC = "2.35"
"""Ubuntu 22.04's, the oldest system that the package is for; wheels are chosen to run on it."""

UNUSED = ("numba/tests", "numba/*/tests", "llvmlite/tests", "numpy/**/tests", "numpy/_core/include")
"""Folders of a hundred modules that only their authors run."""

ON_DEMAND = {"minisipserver-update.service"}
"""Units that the package's scripts neither start nor stop: this one runs them."""

LGPIO = "/usr/lib/python3/dist-packages"
"""Where Debian's python3-lgpio is."""

EX_UNAVAILABLE = 69


def tell(english: str, chinese: str) -> None:
    """Write one sentence, in the language of the environment."""
    names = (os.environ.get(name) for name in ("LC_ALL", "LC_MESSAGES", "LANG"))
    chosen = chinese if next(filter(None, names), "").startswith("zh") else english
    sys.stderr.write(f"build.sh: {chosen}\n")


@dataclass(frozen=True)
class Package:
    """One package to be made.

    Args:
        arch: Debian's name of the architecture.
        python: the Python that it is for, such as ``3.13``.
        version: of the program.
        scripts: command and what it calls, as ``[project.scripts]`` has them.
        epoch: the time of everything in it, in seconds since 1970.
        root: the folder that becomes the package.
    """

    arch: str
    python: str
    version: str
    scripts: dict[str, str]
    epoch: int
    root: Path

    @property
    def machine(self) -> str:
        """The kernel's name of the architecture."""
        return ARCHITECTURES[self.arch]

    @property
    def full_version(self) -> str:
        """The version with the Python that it is for, so that a newer system's package is newer."""
        return f"{self.version}+py{self.python.replace('.', '')}"

    @property
    def name(self) -> str:
        """The file's name."""
        return f"minisipserver_{self.full_version}_{self.arch}.deb"

    @property
    def program(self) -> Path:
        """``/opt/sipserver``."""
        return self.root / "opt/sipserver"

    @property
    def site(self) -> Path:
        """Where Python's packages go."""
        return self.program / f"venv/lib/python{self.python}/site-packages"


# ------------------------------------------------------------------------------ /opt/sipserver


def fill(package: Package) -> None:
    """Put the locked wheels and our own into the virtual environment."""
    uv = [str(PROJECT / "build/uv/bin/uv"), "pip", "install", "-q", "--no-config", "--no-deps"]
    locked = ["--require-hashes", "-r", "requirements/run.txt", "--link-mode", "copy"]
    platform = f"{package.machine}-manylinux_{GLIBC.replace('.', '_')}"
    target = ["--no-build", "--python-version", package.python, "--python-platform", platform]
    excluded = ["--excludes", str(HERE / "excluded.txt")]
    run([*uv, *locked, *target, *excluded, "--target", str(package.site)])
    tools = PROJECT / "build/deb/tools"
    run([*uv, *locked, "--no-build", "--python", sys.executable, "--target", str(tools)])
    wheels = package.root.parent / "wheel"
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(wheels)]
    run(
        build,
        stdout=subprocess.DEVNULL,
        PYTHONPATH=str(tools),
        SOURCE_DATE_EPOCH=str(package.epoch),
    )
    (wheel,) = wheels.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(package.site)


def prune(package: Package) -> None:
    """Remove what nobody needs and what tells of the machine that built this."""
    site = package.site
    for pattern in UNUSED:
        for folder in sorted(site.glob(pattern)):
            shutil.rmtree(folder)
    # The commands of other packages, with this machine's Python in their first line.
    shutil.rmtree(site / "bin", ignore_errors=True)
    shutil.rmtree(site / "share", ignore_errors=True)
    for name in (".lock", ".gitignore"):
        (site / name).unlink(missing_ok=True)
    # Lists of files with their sums: what is gone had this machine's paths in it.
    for record in sorted(site.glob("*.dist-info/RECORD")):
        with record.open(encoding="utf-8", newline="") as file:
            rows = [row for row in csv.reader(file) if (site / row[0]).exists()]
        with record.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows(rows)
    strip = shutil.which(f"{package.machine}-linux-gnu-strip")
    if strip is None:
        missing = f"{package.machine}-linux-gnu-strip"
        debs = f"binutils-{package.machine.replace('_', '-')}-linux-gnu"
        tell(
            f"{missing} is not here (package {debs}): the package gets bigger.",
            f"缺少 {missing}（软件包 {debs}），生成的安装包会更大。",
        )
        return
    # auditwheel has moved the sections of numpy.libs' libraries, which strip does not survive.
    libraries = [path for path in site.rglob("*.so") if path.parent.name != "numpy.libs"]
    run([strip, "--strip-unneeded", *map(str, sorted(libraries))])


def compile_modules(package: Package) -> None:
    """Compile all modules, by a Python of the same minor version if there is one."""
    python = same_python(package.python)
    if python is None:
        tell(
            f"No Python {package.python} is here: its byte-code will be made when the package is installed.",
            f"本机没有 Python {package.python}，字节码将在安装时生成。",
        )
        return
    flags = ["--invalidation-mode", "unchecked-hash", "-s", str(package.root), "-p", "/"]
    # Folders are sorted, and no time is in a file: the same bytes each time, whatever the hash seed.
    run([python, "-I", "-m", "compileall", "-qq", *flags, str(package.site)], check=False)


def same_python(version: str) -> str | None:
    """Return a program that is Python `version`."""
    folders = [Path(folder) for folder in os.get_exec_path()]
    # pyenv's own command of that name works only after `pyenv global`.
    folders += sorted(Path("~/.pyenv/versions").expanduser().glob(f"{version}.*/bin"))
    asked = "import sys; print('%d.%d' % sys.version_info[:2])"
    for program in (folder / f"python{version}" for folder in folders):
        if program.exists():
            answer = subprocess.run([program, "-ISc", asked], capture_output=True, check=False)
            if answer.stdout.strip() == version.encode():
                return str(program)
    return None


def link(package: Package) -> None:
    """Make the environment's Python, the commands, and the links to Debian's own."""
    venv = package.program / "venv"
    (venv / "bin").mkdir()
    for name in ("python", "python3", f"python{package.python}"):
        (venv / "bin" / name).symlink_to(f"/usr/bin/python{package.python}")
    (venv / "pyvenv.cfg").write_text(
        f"home = /usr/bin\ninclude-system-site-packages = false\nversion = {package.python}\n"
    )
    # One of Debian's packages, not all of them: others would change what ours find.
    tag = f"cpython-{package.python.replace('.', '')}-{package.machine}-linux-gnu"
    for name in ("lgpio.py", f"_lgpio.{tag}.so"):
        (package.site / name).symlink_to(f"{LGPIO}/{name}")
    commands = package.root / "usr/bin"
    commands.mkdir(parents=True)
    for name, entry in sorted(package.scripts.items()):
        module, _, function = entry.partition(":")
        launcher = package.program / name
        launcher.write_text(
            "#!/opt/sipserver/venv/bin/python -I\n"
            f"import sys\n\nfrom {module} import {function}\n\nsys.exit({function}())\n"
        )
        launcher.chmod(0o755)
        (commands / name).symlink_to(f"/opt/sipserver/{name}")


# ------------------------------------------------------------------------------ the rest


def add_system_files(package: Package) -> None:
    """Add units, accounts, man pages and papers."""
    systemd, root = PROJECT / "systemd", package.root
    units = root / "usr/lib/systemd/system"
    for pattern in ("*.service", "*.path", "*.service.d/*.conf"):
        for unit in systemd.glob(pattern):
            copy(unit, units / unit.relative_to(systemd))
    for rules in systemd.glob("*.rules"):
        copy(rules, root / "usr/lib/udev/rules.d" / rules.name)
    for kind in ("sysusers", "tmpfiles"):
        if (systemd / f"{kind}.conf").exists():
            copy(systemd / f"{kind}.conf", root / f"usr/lib/{kind}.d/minisipserver.conf")
    for file in (systemd / "with-mariadb").iterdir():
        copy(file, root / "usr/share/minisipserver/with-mariadb" / file.name)
    for page in (HERE / "man").glob("*/*.[1-8]"):
        language = "" if page.parent.name == "en" else page.parent.name
        section = root / "usr/share/man" / language / f"man{page.suffix[1:]}"
        compress(page, section / f"{page.name}.gz")
    papers = root / "usr/share/doc/minisipserver"
    compress(PROJECT / "CHANGELOG.md", papers / "changelog.gz")
    (papers / "copyright").write_text(copyright_text(package), "utf-8")


@dataclass(frozen=True)
class Wheel:
    """A Python package that is installed.

    Args:
        licence: as its author names it; empty if it isn't named.
        names: its files and folders in site-packages, sorted.
    """

    name: str
    version: str
    licence: str
    names: tuple[str, ...]


def wheels(site: Path) -> list[Wheel]:
    """Return the Python packages in the folder `site`, sorted."""
    return [_wheel(folder) for folder in sorted(site.glob("*.dist-info"))]


def _wheel(folder: Path) -> Wheel:
    head = (folder / "METADATA").read_text("utf-8").partition("\n\n")[0]
    fields = dict(re.findall(r"(?m)^(Name|Version|License-Expression|License): (.+)$", head))
    classifiers = re.findall(r"(?m)^Classifier: License :: (?:OSI Approved :: )?(.+)$", head)
    licence = fields.get("License-Expression") or fields.get("License") or ", ".join(classifiers)
    with (folder / "RECORD").open(encoding="utf-8", newline="") as file:
        names = {row[0].partition("/")[0] for row in csv.reader(file)}
    return Wheel(fields["Name"], fields["Version"], licence, tuple(sorted(names)))


def copyright_text(package: Package) -> str:
    """Return Debian's paper in its machine-readable form (DEP-5): our licence and those of others."""
    ours, folder = (PROJECT / "LICENSE").read_text("utf-8"), package.site.relative_to(package.root)
    (holder,) = re.findall(r"(?m)^Copyright \(c\) (.+)$", ours)
    body = ours.partition(holder)[2].strip().splitlines()
    paragraphs = [
        "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n"
        "Upstream-Name: miniSIPServer for Raspberry Pi\n",
        f"Files: *\nCopyright: {holder}\nLicense: Expat\n"
        + "".join(f" {line or '.'}\n" for line in body),
    ]
    for wheel in wheels(package.site):
        if wheel.name == "minisipserver":
            continue
        files = "\n".join(f" {folder}/{name}{_all_of(package, name)}" for name in wheel.names)
        papers = f"{folder}/{next(name for name in wheel.names if name.endswith('.dist-info'))}"
        paragraphs.append(
            f"Files:\n{files}\n"
            f"Copyright: the authors of {wheel.name} {wheel.version}\n"
            f"License: {wheel.licence or 'see-there'}\n"
            f" Authors and the licence's text are in /{papers}.\n"
        )
    return "\n".join(paragraphs)


def _all_of(package: Package, name: str) -> str:
    return "/*" if (package.site / name).is_dir() else ""


def add_control(package: Package) -> None:
    """Write DEBIAN/: what dpkg wants to know and to run."""
    folder = package.root / "DEBIAN"
    systemd = PROJECT / "systemd"
    enabled = [
        path.name for path in sorted(systemd.glob("*.service")) if "[Install]" in path.read_text()
    ]
    started = [unit for unit in enabled if unit not in ON_DEMAND]
    files = sorted(
        path for path in package.root.rglob("*") if path.is_file() and not path.is_symlink()
    )
    words = {
        "VERSION": package.full_version,
        "ARCH": package.arch,
        "PYTHON": package.python,
        "GLIBC": GLIBC,
        "ENABLED": " ".join(enabled),
        "STARTED": " ".join(started),
        "STOPPED": " ".join([*started, *(path.name for path in sorted(systemd.glob("*.path")))]),
        "SIZE": str(sum(path.stat().st_size for path in files) // 1024),
    }
    folder.mkdir()
    for name in ("control", "preinst", "postinst", "prerm", "postrm"):
        text = re.sub("@([A-Z]+)@", lambda word: words[word[1]], (HERE / name).read_text())
        (folder / name).write_text(text)
        (folder / name).chmod(0o644 if name == "control" else 0o755)
    sums = (f"{md5(path)}  {path.relative_to(package.root)}\n" for path in files)
    (folder / "md5sums").write_text("".join(sums))


def pack(package: Package, out: Path, level: int) -> Path:
    """Make the file: times and modes are the same each time, and dpkg-deb sorts."""
    for path in [package.root, *package.root.rglob("*")]:
        if not path.is_symlink():
            # Some modules of others can be run, by a Python that isn't there.
            program = path.stat().st_mode & 0o100 and package.site not in path.parents
            path.chmod(0o755 if path.is_dir() or program else 0o644)
        os.utime(path, (package.epoch, package.epoch), follow_symlinks=False)
    out.mkdir(parents=True, exist_ok=True)
    # xz: the dpkg of Debian 12 and earlier knows no better one that Ubuntu's knows too.
    flags = ["--root-owner-group", *(["-Zxz", f"-z{level}"] if level else ["-Znone"])]
    target = out / package.name
    unfinished = target.with_suffix(".part")
    command = ["dpkg-deb", *flags, "--build", str(package.root), str(unfinished)]
    run(command, stdout=subprocess.DEVNULL, SOURCE_DATE_EPOCH=str(package.epoch))
    return unfinished.replace(target)


# ------------------------------------------------------------------------------ small things


def run(
    command: list[str], *, check: bool = True, stdout: int | None = None, **environment: str
) -> None:
    """Run a program with `environment` added to ours; its failure is ours, in its own words."""
    fixed = {"PYTHONHASHSEED": "0", "LC_ALL": "C.UTF-8", "PYTHONDONTWRITEBYTECODE": "1"}
    subprocess.run(
        command, check=check, cwd=PROJECT, stdout=stdout, env=os.environ | fixed | environment
    )


def copy(source: Path, target: Path) -> None:
    """Copy a file, making the folder."""
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)


def compress(source: Path, target: Path) -> None:
    """Compress a file so that it has no time in it."""
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(gzip.compress(source.read_bytes(), 9, mtime=0))


def md5(path: Path) -> str:
    """Return what `dpkg --verify` compares with."""
    return hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()


def last_commit() -> int:
    """Return the time of the last commit; of the change log where there is no git."""
    command = ["git", "log", "-1", "--format=%ct"]
    answer = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    return int(answer.stdout.strip() or (PROJECT / "CHANGELOG.md").stat().st_mtime)


def arguments() -> argparse.Namespace:
    """Read the command line."""
    here = {name: arch for arch, name in ARCHITECTURES.items()}.get(os.uname().machine)
    parser = argparse.ArgumentParser(prog="./build.sh deb")
    parser.add_argument("--arch", choices=ARCHITECTURES, default=here)
    parser.add_argument("--python", choices=PYTHONS, default="3.13", help="3.13 is Debian 13's")
    parser.add_argument("--out", type=Path, default=PROJECT / "dist", help="folder; dist/")
    parser.add_argument(
        "--level", type=int, choices=range(10), default=6, help="of compression; 0: none"
    )
    return parser.parse_args()


def main() -> int:
    """Make one package and say where it is."""
    asked = arguments()
    base = PROJECT / f"build/deb/{asked.arch}-{asked.python}"
    base.parent.mkdir(parents=True, exist_ok=True)
    # One at a time: two would empty each other's folder, and a `./build.sh` that is killed may leave
    # this program running.
    with base.with_name(f"{base.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return make(asked, base)


def make(asked: argparse.Namespace, base: Path) -> int:
    """Make the package in the folder `base`; returns the exit code."""
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text("utf-8"))["project"]
    shutil.rmtree(base, ignore_errors=True)
    package = Package(
        arch=asked.arch,
        python=asked.python,
        version=project["version"],
        scripts=project["scripts"],
        epoch=int(os.environ.get("SOURCE_DATE_EPOCH") or last_commit()),
        root=base / "root",
    )
    package.root.mkdir(parents=True)
    try:
        for step in (fill, prune, compile_modules, link, add_system_files, add_control):
            step(package)
        made = pack(package, asked.out, asked.level)
    except subprocess.CalledProcessError as error:
        tell(
            f"The package was not made: {Path(error.cmd[0]).name} failed, its words are above.",
            f"未能生成安装包：{Path(error.cmd[0]).name} 出错，原因见上文。",
        )
        return EX_UNAVAILABLE
    size = made.stat().st_size / 1e6
    tell(
        f"Made {made}, {size:.0f} MB, for Python {asked.python} on {asked.arch}.",
        f"已生成 {made}（{size:.0f} MB），适用于 {asked.arch} 上的 Python {asked.python}。",
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
