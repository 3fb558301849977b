"""What every screen and dialog looks like, at three sizes, in both languages.

The pictures lie in ``screens/``. After a change that is meant:
``MINISIP_NEW_SCREENS=1 ./build.sh test tests/tui/test_screens.py``, and look at them in the diff.
"""

import os
from pathlib import Path

import pytest

from pbx.api.server import ControlServer
from tests.tui.office import DATABASE_AWAY, DISK_FULL, NO_ENGINE, Office
from tests.tui.stage import SIZES, Stage, console

PICTURES = Path(__file__).with_name("screens")

WALK: tuple[tuple[str, tuple[str, ...], str], ...] = (
    ("calls", ("2",), "+4930123456"),
    ("hang-up", ("h",), "┏"),
    ("calls-filtered", ("escape", "slash", "5", "5", "5"), "555"),
    ("phones", ("escape", "3"), "Linphone"),
    ("phones-second", ("down",), "4711"),
    ("add", ("a",), "┏"),
    ("remove", ("escape", "d"), "┏"),
    ("welcome", ("escape", "w"), "first-secret"),
    ("log", ("escape", "4"), "MySQL"),
    ("log-paused", ("p", "l"), "○"),
    ("help", ("question_mark",), "Esc"),
)
"""Name of the picture, the keys that lead there from the one before, and what is seen then."""


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
class TestPictures:
    @pytest.fixture(autouse=True)
    def _here(self, monkeypatch: pytest.MonkeyPatch, folder: Path, language: str) -> None:
        monkeypatch.setenv("LC_ALL", {"en": "C.UTF-8", "zh": "zh_CN.UTF-8"}[language])
        # The path of the socket is on one of the pictures.
        monkeypatch.chdir(folder)

    async def test_every_screen(
        self, doors: ControlServer, office: Office, size: tuple[int, int], language: str
    ) -> None:
        office.trouble(DATABASE_AWAY, DISK_FULL)
        async with console(Path("control.sock"), size) as stage:
            await stage.until("96%")
            check(stage, "home", size, language)
            for name, keys, seen in WALK:
                await stage.press(*keys)
                await stage.until(seen)
                check(stage, name, size, language)

    async def test_home_when_things_are_bad(
        self, doors: ControlServer, office: Office, size: tuple[int, int], language: str
    ) -> None:
        office.trouble(NO_ENGINE)
        office.status_values = {"engine_pid": 0}
        async with console(Path("control.sock"), size) as stage:
            await stage.until("✗")
            check(stage, "home-failed", size, language)
            office.status_values = {}
            office.trouble()
            await stage.until("4712")
            check(stage, "home-ready", size, language)
            await doors.stop()
            await stage.until("control.sock")
            check(stage, "home-unreachable", size, language)


def check(stage: Stage, name: str, size: tuple[int, int], language: str) -> None:
    """Compare the screen with its picture, and see that nothing is clipped."""
    assert stage.clipped() == []
    picture = PICTURES / f"{name}-{size[0]}x{size[1]}-{language}.txt"
    text = stage.text + "\n"
    if os.environ.get("MINISIP_NEW_SCREENS"):
        PICTURES.mkdir(exist_ok=True)
        picture.write_text(text, "utf-8")
    assert text.splitlines() == picture.read_text("utf-8").splitlines()


def test_every_picture_is_of_a_screen() -> None:
    names = {name for name, _, _ in WALK} | {
        "home",
        "home-failed",
        "home-ready",
        "home-unreachable",
    }
    shown = {
        f"{name}-{columns}x{lines}-{language}.txt"
        for name in names
        for columns, lines in SIZES
        for language in ("en", "zh")
    }
    assert {path.name for path in PICTURES.iterdir()} == shown
