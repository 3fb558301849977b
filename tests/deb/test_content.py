"""What is in the package, and how it is made."""

import configparser
import csv
import hashlib
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile

from tests.deb import packages
from tests.deb.packages import PROJECT
from tests.deb.unit_root import ALONE, POST

pytestmark = pytest.mark.timeout(600)

PYTHON = "3.13"
SITE = f"opt/sipserver/venv/lib/python{PYTHON}/site-packages"

# ELF's e_machine.
MACHINES = {"amd64": 62, "arm64": 183}


class Contents:
    """A package, unpacked.

    Args:
        deb: the file.
        root: where it is unpacked.
    """

    def __init__(self, deb: Path, root: Path) -> None:
        self.deb = deb
        self.root = root
        subprocess.run(["dpkg-deb", "-R", str(deb), str(root)], check=True)
        command = ["dpkg-deb", "-c", str(deb)]
        listing = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        self.listing = [line.split(maxsplit=5) for line in listing.splitlines()]
        self.files = [p for p in sorted(root.rglob("*")) if p.is_file() and not p.is_symlink()]
        control = (root / "DEBIAN/control").read_text()
        parser = configparser.ConfigParser(interpolation=None, delimiters=":")
        parser.read_string("[control]\n" + control)
        self.control = parser["control"]

    def text(self, name: str) -> str:
        return (self.root / name).read_text("utf-8")


@pytest.fixture(
    scope="session", params=["amd64", pytest.param("arm64", marks=pytest.mark.deb_test)]
)
def contents(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Contents:
    deb = packages.built(request.param, PYTHON)
    return Contents(deb, tmp_path_factory.mktemp("content") / "root")


def needed_versions(library: Path) -> list[tuple[str, str]]:
    """Return name and version of each set of symbols that a library wants of others."""
    with library.open("rb") as file:
        section = ELFFile(file).get_section_by_name(".gnu.version_r")
        sets = section.iter_versions() if section is not None else ()
        found = [one.name for _, wanted in sets for one in wanted]
    return [(name, version) for name, _, version in (one.partition("_") for one in found)]


@pytest.mark.deb_test
def test_the_same_sources_make_the_same_bytes(tmp_path: Path) -> None:
    first = packages.built("arm64", PYTHON)
    second = packages.build("arm64", PYTHON, tmp_path)
    sums = [hashlib.sha256(deb.read_bytes()).hexdigest() for deb in (first, second)]
    assert sums[0] == sums[1]
    assert first.name == second.name


class TestFiles:
    def test_all_belong_to_root_and_nobody_else_can_write(self, contents: Contents) -> None:
        for mode, owner, *_, name in contents.listing:
            assert owner == "root/root", name
            allowed = {"drwxr-xr-x", "-rw-r--r--", "-rwxr-xr-x", "lrwxrwxrwx"}
            assert mode in allowed, (mode, name)

    def test_compiled_parts_are_for_the_architecture(self, contents: Contents) -> None:
        libraries = [path for path in contents.files if ".so" in path.suffixes]
        assert len(libraries) > 20
        for path in libraries:
            with path.open("rb") as file:
                head = file.read(20)
            machine = int.from_bytes(head[18:20], "little")
            assert (head[:4], machine) == (b"\x7fELF", MACHINES[contents.control["Architecture"]])

    def test_T6_1_compiled_parts_run_on_ubuntu_22_04(self, contents: Contents) -> None:
        """Versions of symbols that they need: glibc 2.35 is its C library, and GCC 12's is its C++."""
        newest = {"GLIBC": (2, 35), "GLIBCXX": (3, 4, 30), "CXXABI": (1, 3, 13)}
        needed = {
            (name, tuple(map(int, version.split("."))))
            for path in contents.files
            if ".so" in path.suffixes
            for name, version in needed_versions(path)
            if name in newest
        }
        assert ("GLIBC", (2, 17)) in needed
        assert not [one for one in needed if one[1] > newest[one[0]]]

    def test_nothing_tells_of_the_machine_that_built_it(self, contents: Contents) -> None:
        needles = {str(PROJECT).encode(), str(Path.home() / ".pyenv").encode(), b"/tmp/"}
        found = [
            (path, needle)
            for path in contents.files
            for needle in needles
            if path.suffix in {"", ".py", ".pyc", ".cfg", ".json", ".pth"}
            and needle in path.read_bytes()
            # A module may speak of /tmp/ in its own words.
            and not (needle == b"/tmp/" and path.suffix in {".py", ".pyc"})
        ]
        assert not found

    def test_each_file_that_a_package_of_others_lists_is_there(self, contents: Contents) -> None:
        """What isn't has the sums of what was made on the building machine, with its paths in it."""
        site = contents.root / SITE
        for record in site.glob("*.dist-info/RECORD"):
            with record.open(encoding="utf-8", newline="") as file:
                gone = [row[0] for row in csv.reader(file) if not (site / row[0]).exists()]
            assert not gone, record

    def test_no_tests_of_others_and_nothing_to_build_with(self, contents: Contents) -> None:
        site = contents.root / SITE
        for name in ("numba/tests", "numpy/_core/tests", "hatchling", "editables", "setuptools"):
            assert not (site / name).exists()
        assert (site / "numba/core").is_dir()

    def test_byte_code_needs_no_look_at_the_sources(self, contents: Contents) -> None:
        compiled = list((contents.root / SITE / "pbx").rglob("*.pyc"))
        if not compiled:
            # No Python of that version was at hand: the package then compiles when it is installed.
            assert "compileall" in contents.text("DEBIAN/postinst")
            return
        sources = list((contents.root / SITE / "pbx").rglob("*.py"))
        assert len(compiled) == len(sources)
        # PEP 552: bit 0 for "by hash", bit 1 unset for "don't look".
        assert {path.read_bytes()[4:8] for path in compiled} == {b"\x01\0\0\0"}

    def test_sums(self, contents: Contents) -> None:
        lines = contents.text("DEBIAN/md5sums").splitlines()
        sums = {name: digest for digest, _, name in (line.partition("  ") for line in lines)}
        files = [path for path in contents.files if "DEBIAN" not in path.parts]
        assert sums == {
            str(path.relative_to(contents.root)): hashlib.md5(path.read_bytes()).hexdigest()
            for path in files
        }


class TestPrograms:
    def test_each_command_is_a_launcher_and_a_link(self, contents: Contents) -> None:
        scripts = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]["scripts"]
        assert {"minisipserver-cli", "minisip", "minicdr", "minisipphone"} <= set(scripts)
        for name in scripts:
            launcher = contents.root / "opt/sipserver" / name
            assert launcher.stat().st_mode & 0o111
            assert launcher.read_text().startswith("#!/opt/sipserver/venv/bin/python -I\n")
            link = contents.root / "usr/bin" / name
            assert link.readlink() == Path("/opt/sipserver") / name

    def test_python_is_the_systems(self, contents: Contents) -> None:
        python = contents.root / "opt/sipserver/venv/bin/python"
        assert python.readlink() == Path(f"/usr/bin/python{PYTHON}")

    def test_nothing_else_has_a_first_line_that_leads_nowhere(self, contents: Contents) -> None:
        for path in contents.files:
            if path.stat().st_mode & 0o111 and path.read_bytes()[:2] == b"#!":
                interpreter = path.read_text("utf-8", "replace").splitlines()[0][2:].split()[0]
                assert interpreter in ("/bin/sh", "/opt/sipserver/venv/bin/python"), path


class TestControl:
    def test_what_it_is_for(self, contents: Contents) -> None:
        version = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]["version"]
        assert contents.control["Package"] == "minisipserver"
        assert contents.control["Version"] == f"{version}+py313"
        assert contents.control["Depends"].startswith(f"python{PYTHON}, libc6 (>= 2.35)")
        assert f"{version}+py313_{contents.control['Architecture']}" in contents.deb.name
        size = sum(path.stat().st_size for path in contents.files) // 1024
        assert abs(int(contents.control["Installed-Size"]) - size) < size // 50

    def test_scripts_have_no_gap_and_are_clean(self, contents: Contents) -> None:
        assert shutil.which("sh")
        for name in ("preinst", "postinst", "prerm", "postrm"):
            text = contents.text(f"DEBIAN/{name}")
            assert not re.search("@[A-Z]+@", text)
            assert "set -e" in text
            done = subprocess.run(["sh", "-n"], input=text, text=True, check=False)
            assert done.returncode == 0

    def test_no_settings_that_dpkg_would_ask_about(self, contents: Contents) -> None:
        assert not (contents.root / "DEBIAN/conffiles").exists()
        assert not (contents.root / "etc").exists()


class TestPapers:
    def test_every_package_of_others_is_named_with_its_licence(self, contents: Contents) -> None:
        text = contents.text("usr/share/doc/minisipserver/copyright")
        head, ours, *others = (
            dict(re.findall(r"(?m)^([A-Z][A-Za-z-]*):((?:.*)(?:\n .*)*)", paragraph))
            for paragraph in text.split("\n\n")
        )
        assert "copyright-format/1.0" in head["Format"]
        assert ours["Files"] == " *"
        assert ours["License"].startswith(" Expat\n Permission is hereby granted, free of charge")
        assert all(paper["License"].split()[0] != "see-there" for paper in others)
        named = {
            (name.strip(), paper["Copyright"])
            for paper in others
            for name in paper["Files"].splitlines()
        }
        for folder in (contents.root / SITE).glob("*.dist-info"):
            if folder.name.startswith("minisipserver-"):
                continue
            version = folder.name.removesuffix(".dist-info").partition("-")[2]
            (holder,) = [who for name, who in named if name == f"{SITE}/{folder.name}/*"]
            assert holder.endswith(f" {version}"), folder.name

    @pytest.mark.parametrize("page", ["minisip", "minicdr", "minisipphone", "minisipserver-cli"])
    def test_man_pages_in_both_languages(self, contents: Contents, page: str) -> None:
        for folder in ("man1", "zh_CN/man1"):
            assert (contents.root / f"usr/share/man/{folder}/{page}.1.gz").exists()


class TestUnits:
    def test_the_units_text_is_the_vendors(self, contents: Contents) -> None:
        units = "usr/lib/systemd/system"
        assert contents.text(f"{units}/minisipserver.service") == ALONE
        drop_ins = contents.root / units / "minisipserver.service.d"
        for path in drop_ins.iterdir():
            assert path.read_text().startswith("# "), f"{path.name} does not say why"

    def test_the_form_with_mariadb(self, contents: Contents) -> None:
        folder = "usr/share/minisipserver/with-mariadb"
        assert contents.text(f"{folder}/minisipserver.service") == POST
        drop_in = contents.text(f"{folder}/40-mariadb.conf")
        assert "Wants=mariadb.service" in drop_in
        assert "\nRequires=" not in drop_in
