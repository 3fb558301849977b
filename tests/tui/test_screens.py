"""What every screen and dialog looks like, at three sizes, in both languages.

The pictures lie in ``screens/``. After a change that is meant:
``MINISIP_NEW_SCREENS=1 ./build.sh test tests/tui/test_screens.py``, and look at them in the diff.
"""

from pathlib import Path

import pytest

from pbx.api.server import ControlServer
from tests.tui.office import DATABASE_AWAY, DISK_FULL, NO_ENGINE, Office
from tests.tui.stage import SIZES, Stage, console

PICTURES = Path(__file__).with_name("screens")

QUESTION = (
    *("1", "0", "0", "enter"),
    *("9", "1", "1", "0", "enter", "enter"),
    *("2", "0", "2", "6", "minus", "1", "2", "minus", "2", "4", "T", "2", "0", "colon", "0", "0"),
    "enter",
)
"""Where does 100 get to with 9110 at a time?"""

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
    ("lines", ("escape", "5"), "12 ms"),
    ("lines-down", ("down",), "0:00:12"),
    ("switch-off", ("e",), "┏"),
    ("provider", ("escape", "a"), "VoIP.ms"),
    ("line-add", ("end", "enter"), "voip-ms"),
    ("line-add-wrong", ("ctrl+s",), "voip-ms"),
    ("line-change", ("escape", "up", "c"), "ims.example"),
    ("line-change-more", ("up", "up", "up"), "600"),
    ("line-remove", ("escape", "r"), "┏"),
    ("route", ("escape", "t"), "┏"),
    ("route-tested", QUESTION, "2026-12-24 20:00"),
    ("doctor-ask", ("escape", "d"), "┏"),
    ("doctor", ("enter",), "198.51.100.1"),
    ("help", ("escape", "question_mark"), "Esc"),
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
            await check(stage, "home", size, language)
            for name, keys, seen in WALK:
                await stage.press(*keys)
                await stage.until(seen)
                await check(stage, name, size, language)

    async def test_home_when_things_are_bad(
        self, doors: ControlServer, office: Office, size: tuple[int, int], language: str
    ) -> None:
        office.trouble(NO_ENGINE)
        office.status_values = {"engine_pid": 0}
        async with console(Path("control.sock"), size) as stage:
            await stage.until("✗")
            await check(stage, "home-failed", size, language)
            office.status_values = {}
            office.trouble()
            await stage.until("4712")
            await check(stage, "home-ready", size, language)
            await doors.stop()
            await stage.until("control.sock")
            await check(stage, "home-unreachable", size, language)


async def check(stage: Stage, name: str, size: tuple[int, int], language: str) -> None:
    """See that the screen is its picture, and that nothing is clipped."""
    picture = PICTURES / f"{name}-{size[0]}x{size[1]}-{language}.txt"
    await stage.is_picture(picture, stage.clipped)


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
