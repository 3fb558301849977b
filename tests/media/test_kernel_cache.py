"""Compiled kernels on disk: what a power cut or another version leaves must not stop the engine."""

import pickle
import shutil
from pathlib import Path

import pytest

from pbx.media.engine import kernel_cache
from pbx.media.engine.kernel_cache import Condition, Seal, candidates, choose, source_stamp
from pbx.media.engine.loading import load_kernels
from tests.media.engine_process import Phone, running, stream


@pytest.fixture(scope="module")
def warm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the kernels that this machine uses; compiled now if there are none."""
    load_kernels({})
    folder = tmp_path_factory.mktemp("warm")
    for path in [
        Seal(kernel_cache.cache_folder()).path,
        *Seal(kernel_cache.cache_folder()).files(),
    ]:
        shutil.copy(path, folder)
    return folder


@pytest.fixture
def folder(warm: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(warm, tmp_path / "kernels"))


def largest(folder: Path) -> Path:
    return max(Seal(folder).files(), key=lambda path: path.stat().st_size)


class TestSeal:
    def test_intact(self, folder: Path) -> None:
        assert Seal(folder).condition() is Condition.INTACT
        assert len(Seal(folder).files()) == 14

    def test_nothing_there(self, tmp_path: Path) -> None:
        assert Seal(tmp_path).condition() is Condition.EMPTY
        assert Seal(tmp_path / "no such folder").condition() is Condition.EMPTY

    def test_files_without_seal(self, folder: Path) -> None:
        """The power went while they were written."""
        Seal(folder).path.unlink()
        assert Seal(folder).condition() is Condition.STALE

    def test_damage(self, folder: Path, warm: Path) -> None:
        victim = largest(folder)
        good = victim.read_bytes()
        for bad in (b"", good[: len(good) // 2], good[:4096] + bytes(512) + good[4608:]):
            victim.write_bytes(bad)
            assert Seal(folder).condition() is Condition.DAMAGED
        victim.unlink()
        assert Seal(folder).condition() is Condition.DAMAGED
        shutil.copy(warm / victim.name, folder)
        assert Seal(folder).condition() is Condition.INTACT
        (folder / victim.name.replace(".1.nbc", ".2.nbc")).write_bytes(b"more")
        assert Seal(folder).condition() is Condition.DAMAGED

    @pytest.mark.parametrize("text", [b"", b"\xff\xfe", b"\0" * 512])
    def test_damaged_seal(self, folder: Path, text: bytes) -> None:
        Seal(folder).path.write_bytes(text)
        assert Seal(folder).condition() in {Condition.DAMAGED, Condition.STALE}

    def test_other_sources(self, folder: Path) -> None:
        """A change in any source file counts, not only in the one that a kernel stands in."""
        seal = Seal(folder)
        lines = seal.path.read_text().splitlines()
        assert lines[0] == source_stamp()
        seal.path.write_text("\n".join(["0" * 64, *lines[1:]]))
        assert seal.condition() is Condition.STALE

    def test_clear(self, folder: Path) -> None:
        (folder / "another.txt").write_text("stays")
        Seal(folder).clear()
        assert [path.name for path in folder.iterdir()] == ["another.txt"]
        Seal(folder).clear()


class TestChoice:
    def test_order(self) -> None:
        assert candidates({"NUMBA_CACHE_DIR": "/a", "HOME": "/h"}) == [Path("/a")]
        tree, service, home = candidates({"CACHE_DIRECTORY": "/var/cache/x:/y", "HOME": "/h"})
        assert tree.name == "__pycache__"
        assert service == Path("/var/cache/x/kernels")
        assert home == Path("/h/.cache/minisipserver/kernels")
        assert candidates({"XDG_CACHE_HOME": "/c"})[1] == Path("/c/minisipserver/kernels")

    def test_an_intact_one_before_an_empty_one(self, folder: Path, tmp_path: Path) -> None:
        assert choose([tmp_path / "empty", folder]) == folder
        assert choose([tmp_path / "empty", tmp_path / "other"]) == tmp_path / "empty"

    def test_one_for_another_processor(
        self, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A disk has come from another board, and the package's folder is root's."""
        index = next(path for path in Seal(folder).files() if path.suffix == ".nbi")
        with index.open("rb") as file:
            version = pickle.load(file)
            stamp, kept = pickle.load(file)
        other = {
            (signature, ("aarch64-unknown-linux-gnu", "cortex-a53", "+neon"), rest): data
            for (signature, _, rest), data in kept.items()
        }
        index.write_bytes(pickle.dumps(version) + pickle.dumps((stamp, other)))
        Seal(folder).write()
        assert Seal(folder).condition() is Condition.INTACT
        # Where it can be written, what is missing is compiled there.
        assert choose([folder, tmp_path / "own"]) == folder
        is_writable = kernel_cache._writable
        monkeypatch.setattr(
            kernel_cache, "_writable", lambda one: one != folder and is_writable(one)
        )
        assert choose([folder, tmp_path / "own"]) == tmp_path / "own"

    def test_what_cannot_be_written(self, tmp_path: Path) -> None:
        read_only = Path("/proc/minisipserver")
        assert choose([read_only, tmp_path]) == tmp_path
        assert choose([read_only]) is None


def relays(folder: Path) -> str:
    """Start an engine, have it relay a packet; returns its log."""
    a, b = Phone(), Phone()
    try:
        with running(NUMBA_CACHE_DIR=str(folder)) as engine:
            link = engine.connect()
            one, two = link.ready.ports[:2]
            link.send(stream(one, two, a.address), stream(two, one, b.address))
            link.settle()
            packet = a.say(one)
            assert b.rtp.recv(4096) == packet
            return engine.log
    finally:
        a.close()
        b.close()


class TestStart:
    def test_intact(self, folder: Path) -> None:
        assert "compiling" not in relays(folder)

    def test_truncated(self, folder: Path) -> None:
        """It says so, makes them anew to the very byte, and the next start is warm again."""
        good = {path.name: path.read_bytes() for path in Seal(folder).files()}
        victim = largest(folder)
        victim.write_bytes(victim.read_bytes()[:1000])
        log = relays(folder)
        assert log.startswith("WARNING the compiled kernels in")
        assert Seal(folder).condition() is Condition.INTACT
        assert {path.name: path.read_bytes() for path in Seal(folder).files()} == good
        assert "compiling" not in relays(folder)

    def test_sealed_but_unreadable(self, folder: Path) -> None:
        """Whatever numba raises on a cache: the engine goes without one."""
        victim = largest(folder)
        victim.write_bytes(victim.read_bytes()[:1000])
        Seal(folder).write()
        assert Seal(folder).condition() is Condition.INTACT
        log = relays(folder)
        assert log.startswith("ERROR the compiled kernels cannot be loaded")
        assert "Traceback" not in log
