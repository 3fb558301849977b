"""The console's screen of lines."""

import asyncio
from pathlib import Path

import msgspec
import pytest
from textual.widgets import Input

from pbx.api.schema import Examination
from pbx.api.server import ControlServer
from tests.tui.office import SILENT, Office
from tests.tui.stage import console


@pytest.fixture
def socket(doors: ControlServer, folder: Path) -> Path:
    return folder / "control.sock"


class TestLines:
    async def test_live(self, socket: Path, office: Office) -> None:
        async with console(socket) as stage:
            await stage.press("5")
            await stage.until("12 ms")
            assert "Lines  1 of 3 ready" in stage.text
            assert "● registered" in stage.text
            assert "2/4" in stage.text
            assert "✗ in trouble" in stage.text
            office.configured.states["peer"] = msgspec.structs.replace(
                SILENT, usable=True, phase="up", trouble="", rtt_ms=250.0
            )
            office.board.changed("lines")
            await stage.until("250 ms")
            assert "Lines  2 of 3 ready" in stage.text

    async def test_a_call_shows_on_its_line(self, socket: Path, office: Office) -> None:
        async with console(socket) as stage:
            await stage.press("5")
            await stage.until("2/4")
            office.configured.calls["ims"] = (0, 1)
            office.board.changed("calls")
            await stage.until("1/4")

    async def test_why_one_does_not_work(self, socket: Path, office: Office) -> None:
        async with console(socket) as stage:
            await stage.press("5")
            await stage.until("12 ms")
            await stage.press("down")
            await stage.until("Line peer: udp 192.0.2.9:5060 does not answer.")
            assert "Next try: in 0:00:12" in stage.text

    async def test_no_password_and_nothing_steers(self, socket: Path, office: Office) -> None:
        async with console(socket) as stage:
            await stage.press("5")
            await stage.until("12 ms")
            assert "总机 \ufffd[2Jevil" in stage.text
            assert "line-secret" not in stage.text

    async def test_off_after_a_question_and_on(self, socket: Path, office: Office) -> None:
        def enabled(name: str) -> bool:
            return office.configured.kept[name].enabled

        async with console(socket) as stage:
            await stage.press("5")
            await stage.until("12 ms")
            await stage.press("e")
            await stage.until("Switch the line ims off?")
            await stage.press("enter")
            await stage.until_not("Switch the line")
            assert enabled("ims")
            await stage.press("e")
            await stage.until("Switch the line ims off?")
            await stage.press("left", "enter")
            await stage.until("ims is used no more.")
            assert not enabled("ims")
            await stage.press("end", "e")
            await stage.until("spare is used again.")
            assert enabled("spare")

    async def test_one_that_is_gone_in_the_meantime(self, socket: Path, office: Office) -> None:
        async with console(socket) as stage:
            await stage.press("5")
            await stage.until("12 ms")
            del office.configured.kept["spare"]
            await stage.press("end", "down", "down", "e")
            await stage.until("There is no line spare.")

    async def test_none(self, socket: Path, office: Office) -> None:
        office.configured.kept = {}
        async with console(socket) as stage:
            await stage.press("5")
            await stage.until("There are no lines; a adds one.")
            await stage.press("e", "c", "r", "d", "enter")
            assert "?" not in stage.text.replace("? Help", "")

    async def test_filter(self, socket: Path) -> None:
        async with console(socket) as stage:
            await stage.press("5")
            await stage.until("12 ms")
            await stage.press("slash", *"TROUBLE")
            await stage.until_not("registered")
            assert "peer" in stage.text


class TestDoctor:
    async def test_findings_appear_as_they_are_found(self, socket: Path, office: Office) -> None:
        async with console(socket) as stage:
            await stage.press("5")
            await stage.until("12 ms")
            await stage.press("d")
            await stage.until("Doctor: ims")
            assert office.examined.asked == []
            await stage.press("enter")
            await stage.until("Something is wrong")
            assert "✗ wrong     Registration" in stage.text
            assert office.examined.asked == [("ims", "")]
            await stage.press("enter")
            await stage.until_not("Examining ims")
            assert office.examined.stopped == []

    async def test_who_leaves_ends_it(self, socket: Path, office: Office) -> None:
        office.examined.endless = True
        async with console(socket) as stage:
            await stage.press("5")
            await stage.until("12 ms")
            await stage.press("d", "enter")
            await stage.until("Password")
            await stage.press("escape")
            await stage.until(lambda: office.examined.stopped == ["1"])

    async def test_who_leaves_before_the_exchange_answers_ends_it(
        self, socket: Path, office: Office, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        office.examined.endless = True
        examine, answers = office.examined.examine, asyncio.Event()

        async def slow(line: str, number: str) -> Examination:
            begun = examine(line, number)
            await answers.wait()
            return begun

        monkeypatch.setattr(office.examined, "examine", slow)
        async with console(socket) as stage:
            await stage.press("5")
            await stage.until("12 ms")
            await stage.press("d", "enter")
            await stage.until(lambda: office.examined.asked == [("ims", "")])
            await stage.press("escape")
            await stage.until_not("Doctor: ims")
            answers.set()
            await stage.until(lambda: office.examined.stopped == ["1"])

    async def test_a_line_that_is_gone(self, socket: Path, office: Office) -> None:
        async with console(socket) as stage:
            await stage.press("5")
            await stage.until("12 ms")
            await stage.press("end", "d", "enter")
            await stage.until("There is no line spare.")

    async def test_a_number_is_called_as_well(self, socket: Path, office: Office) -> None:
        async with console(socket) as stage:
            await stage.press("5")
            await stage.until("12 ms")
            await stage.press("d", *"5551", "enter")
            await stage.until("Something is wrong")
            await stage.press("left", "enter")
            await stage.until(lambda: len(office.examined.asked) == 2)
            assert office.examined.asked == [("ims", "5551")] * 2

    async def test_one_examination_at_a_time(self, socket: Path, office: Office) -> None:
        office.examined.endless = True
        async with console(socket) as stage:
            await stage.press("5")
            await stage.until("12 ms")
            await stage.press("d", "enter")
            await stage.until("Password")
            await stage.press("left", "enter")
            assert office.examined.asked == [("ims", "")]


class TestHome:
    async def test_how_many_are_ready(self, socket: Path, office: Office) -> None:
        async with console(socket) as stage:
            await stage.until("1 of 3 ready")
            office.configured.kept = {}
            office.board.changed("lines")
            await stage.until_not("1 of 3 ready")


class TestRouteTest:
    """Key t: where a number would lead, without a call."""

    async def test_step_by_step(self, socket: Path, office: Office) -> None:
        async with console(socket) as stage:
            await stage.press("5")
            await stage.until("12 ms")
            await stage.press("t", "1", "0", "0", "enter", "1", "0", "1", "enter", "enter", "enter")
            await stage.until("1. local user 101")
            assert "It rings at user 101." in stage.text

    async def test_again_and_again_by_the_button(self, socket: Path, office: Office) -> None:
        async with console(socket, (120, 40)) as stage:
            await stage.press("5")
            await stage.until("12 ms")
            await stage.press("t", "tab", "7", "7", "7")
            await stage.click("#yes")
            await stage.until("Who calls, and which number?")
            await stage.type("999")
            await stage.click("#yes")
            await stage.until("There is no user 999.")
            stage.app.screen.query_one("#caller", Input).value = "100"
            await stage.press("tab")
            await stage.click("#yes")
            await stage.until("It leads nowhere.")
            assert "999" not in stage.text
            await stage.press("enter")
            await stage.until("It leads nowhere.")
            await stage.click("#no")
            await stage.until_not("It leads nowhere.")

    async def test_without_a_number(self, socket: Path, office: Office) -> None:
        async with console(socket) as stage:
            await stage.press("5")
            await stage.until("12 ms")
            await stage.press("t", "1", "0", "0", "enter", "enter", "enter", "enter")
            await stage.until("Who calls, and which number?")


class TestNarrow:
    async def test_the_state_has_room(self, doors: ControlServer, folder: Path) -> None:
        async with console(folder / "control.sock", (60, 16)) as stage:
            await stage.press("5")
            await stage.until("● regis")
            assert " 1  2  3  4  5 Lines " in stage.text
            await doors.stop()
            await stage.until("exchange not reachable")
            await stage.resize(80, 24)
            await stage.until(" 1 Home  2 Calls  3 Phones  4 Log  5 Lines ")
