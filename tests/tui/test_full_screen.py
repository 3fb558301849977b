"""What a person does on the screens, and what the exchange does behind them."""

import asyncio
import datetime
from functools import partial
from pathlib import Path

import pytest
from msgspec import structs
from textual.widgets import Input

from pbx.api.schema import Problem, Sound
from pbx.api.server import ControlServer
from tests.tui.office import DISK_FULL, NO_ENGINE, NOON, OF_TOMORROW, Office, call
from tests.tui.stage import console
from tui.screens.home import gathered


@pytest.fixture
def socket(doors: ControlServer, folder: Path) -> Path:
    return folder / "control.sock"


class TestHome:
    async def test_changes_show_by_themselves(self, socket: Path, office: Office) -> None:
        async with console(socket) as stage:
            await stage.until("● ready")
            assert "R E A D Y" in stage.text
            assert "Everything is in order." in stage.text
            office.trouble(NO_ENGINE)
            await stage.until("✗ service failed")
            assert "The media engine does not run" in stage.text
            assert "It is started again by itself" in stage.text
            office.trouble()
            await stage.until("● ready")

    async def test_the_worst_comes_first_and_each_has_its_remedy(
        self, socket: Path, office: Office
    ) -> None:
        office.trouble(NO_ENGINE, DISK_FULL)
        async with console(socket) as stage:
            await stage.until("The disk is 96% full.")
            lines = stage.text.splitlines()
            first = next(n for n, line in enumerate(lines) if "✗  The media engine" in line)
            assert "started again" in lines[first + 1]
            assert "◐  The disk" in lines[first + 2]
            assert "Delete old call records" in lines[first + 3]

    async def test_a_problem_of_another_version_shows_its_name(
        self, socket: Path, office: Office
    ) -> None:
        lacking = Problem(slug="disk-full", severity="attention", values={})
        office.trouble(OF_TOMORROW, lacking)
        async with console(socket) as stage:
            await stage.until("flux-low")
            assert "disk-full" in stage.text

    async def test_time_goes_on_between_answers(self, socket: Path) -> None:
        moment = NOON
        async with console(socket, now=lambda: moment) as stage:
            await stage.until("26:03:04")
            moment += datetime.timedelta(seconds=3)
            await stage.until("26:03:07")

    def test_addresses_are_gathered(self) -> None:
        everywhere = ["udp 192.0.2.1:5060", "udp [::1]:5060", "tcp 192.0.2.1:5060"]
        assert gathered(everywhere) == ["192.0.2.1:5060 (udp, tcp)"]
        assert gathered(["udp 127.0.0.1:5060"]) == ["127.0.0.1:5060 (udp)"]


class TestExchangeThatComesAndGoes:
    async def test_it_is_told_and_found_again(self, doors: ControlServer, socket: Path) -> None:
        async with console(socket) as stage:
            await stage.until("● ready")
            await doors.stop()
            await stage.until("○ exchange not reachable")
            await stage.until("The exchange is not running")
            assert "3 registered" not in stage.text
            await stage.press("2")
            assert "The exchange is not running" in stage.text
            await doors.start()
            await stage.until("+4930123456")
            assert "● ready" in stage.text

    async def test_it_may_start_later_than_the_console(
        self, doors: ControlServer, socket: Path
    ) -> None:
        await doors.stop()
        async with console(socket) as stage:
            await stage.until("○ exchange not reachable")
            await doors.start()
            await stage.until("● ready")

    async def test_something_else_answers(self, folder: Path) -> None:
        def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"220 mail.example ESMTP\n")
            writer.close()

        other = await asyncio.start_unix_server(greet, folder / "mail")
        async with console(folder / "mail") as stage:
            await stage.until("is not this exchange")
        other.close()

    async def test_an_exchange_without_these_words(
        self, socket: Path, office: Office, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        office.failure = RuntimeError("no")
        async with console(socket) as stage:
            await stage.until("○ exchange not reachable")
            assert "The exchange failed to do this" in stage.text
            office.failure = None
            await stage.until("● ready")

    async def test_what_is_asked_of_one_that_is_gone(
        self, doors: ControlServer, socket: Path
    ) -> None:
        async with console(socket) as stage:
            await stage.press("3")
            await stage.until("Linphone")
            await stage.press("p")
            await stage.until("another password")
            await doors.stop()
            await stage.press("left", "enter")
            await stage.until_not("another password")
            await stage.until("The exchange is not running")


class TestCalls:
    async def test_live(self, socket: Path, office: Office) -> None:
        moment = NOON
        async with console(socket, now=lambda: moment) as stage:
            await stage.press("2")
            await stage.until("0:02:41")
            office.calls_now.append(call("c3", "777", "888", "calling", NOON.isoformat(), 0.0))
            office.board.changed("calls")
            await stage.until("◐ calling")
            moment += datetime.timedelta(seconds=9)
            await stage.until("0:00:09")
            assert "0:02:50" in stage.text
            office.calls_now.clear()
            office.board.changed("calls")
            await stage.until("There are no calls.")

    async def test_time_goes_on_whatever_else_happens(self, socket: Path, office: Office) -> None:
        moment = NOON
        async with console(socket, now=lambda: moment) as stage:
            await stage.press("2")
            await stage.until("0:02:30")
            await stage.press("4")
            await stage.until("phone of 100 registered")
            moment += datetime.timedelta(seconds=20)
            office.calls_now[0] = structs.replace(office.calls_now[0], talk_s=170.0)
            office.say("info", "the weather is fine")
            await stage.until("the weather is fine")
            await stage.press("2")
            await stage.until("0:02:50")

    async def test_the_sound_of_a_call_goes_on_where_nothing_else_happens(
        self, socket: Path, office: Office, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(office.board, "watch", partial(office.board.watch, longest_s=0.2))
        async with console(socket) as stage:
            await stage.press("2")
            await stage.until("0:02:30")
            assert "MOS" not in stage.text
            for mos in (4.4, 2.1):
                sound = Sound(loss_percent=0.0, jitter_ms=1.0, mos=mos)
                office.calls_now[0] = structs.replace(office.calls_now[0], caller_sound=sound)
                await stage.until(f"MOS: {mos}/-")

    async def test_hang_up_asks_first(self, socket: Path, office: Office) -> None:
        async with console(socket) as stage:
            await stage.press("2")
            await stage.until("0791 555")
            await stage.press("down", "h")
            await stage.until("End the call from 0791 555 to 101?")
            await stage.press("enter")
            await stage.until_not("End the call")
            await stage.press("h")
            await stage.until("End the call")
            await stage.press("escape")
            await stage.until_not("End the call")
            assert len(office.calls_now) == 2
            await stage.press("h")
            await stage.until("End the call")
            await stage.press("left", "enter")
            await stage.until("The call from 0791 555 to 101 has been ended.")
            assert [one.id for one in office.calls_now] == ["c1"]

    async def test_mute_in_a_conference_room(self, socket: Path, office: Office) -> None:
        office.calls_now[0] = structs.replace(office.calls_now[0], called="*6*1", room="1")
        async with console(socket) as stage:
            await stage.press("2")
            await stage.until("Room: 1")
            await stage.press("m")
            await stage.until("Conference room 1: 100 muted.")
            office.calls_now[0] = structs.replace(office.calls_now[0], muted=True)
            office.board.changed("calls")
            await stage.until("Room: 1  muted")
            await stage.press("m")
            await stage.until("Conference room 1: 100 no longer muted.")
            assert office.conferences.asked == [("mute", "1", "c1"), ("unmute", "1", "c1")]

    async def test_nobody_is_muted_in_a_call_between_two(
        self, socket: Path, office: Office
    ) -> None:
        async with console(socket) as stage:
            await stage.press("2")
            await stage.until("0791 555")
            await stage.press("m")
            await stage.until("this call is not in one")
            assert not office.conferences.asked

    async def test_the_call_that_was_asked_about_is_ended_and_no_other(
        self, socket: Path, office: Office
    ) -> None:
        async with console(socket) as stage:
            await stage.press("2")
            await stage.until("0791 555")
            await stage.press("h")
            await stage.until("End the call from 100")
            office.calls_now.pop(0)
            office.board.changed("calls")
            await stage.until_not("0:02:41")
            await stage.press("left", "enter")
            await stage.until("There is no such call.")
            assert [one.id for one in office.calls_now] == ["c2"]

    async def test_the_cursor_stays_on_its_call(self, socket: Path, office: Office) -> None:
        async with console(socket) as stage:
            await stage.press("2")
            await stage.until("0791 555")
            await stage.press("down")
            office.calls_now.insert(0, call("c0", "777", "888", "calling", NOON.isoformat(), 0.0))
            office.board.changed("calls")
            await stage.until("777")
            await stage.press("h")
            await stage.until("End the call from 0791 555")

    async def test_hang_up_without_calls(self, socket: Path, office: Office) -> None:
        office.calls_now.clear()
        async with console(socket) as stage:
            await stage.press("2")
            await stage.until("There are no calls.")
            await stage.press("h")
            assert "End the call" not in stage.text

    async def test_a_moment_that_is_none(self, socket: Path, office: Office) -> None:
        office.calls_now = [call("c1", "1", "2", "paused", "yesterday", 0.0)]
        async with console(socket) as stage:
            await stage.press("2")
            await stage.until("○ paused")
            assert "yesterday" in stage.text


class TestPhones:
    async def test_add(self, socket: Path, office: Office) -> None:
        async with console(socket) as stage:
            await stage.press("3")
            await stage.until("Linphone")
            await stage.press("a")
            await stage.until("Add a user")
            await stage.press("enter", "enter", "enter")
            await stage.until("The number is missing.")
            await stage.type("100")
            await stage.press("enter", "enter", "enter")
            await stage.until("There is a user 100 already.")
            stage.app.screen.query_one("#number", Input).value = "119"
            await stage.press("enter")
            await stage.until("119 is an emergency number")
            stage.app.screen.query_one("#number", Input).value = "103"
            stage.app.screen.query_one("#name", Input).value = "李明"
            stage.app.screen.query_one("#password", Input).focus()
            await stage.press("enter")
            await stage.until("User 103 is there")
            assert "made-up" in stage.text
            assert "█▀" in stage.text
            assert "The password is shown only now" in stage.text
            await stage.press("enter")
            await stage.until("李明")
            assert "made-up" not in stage.text
            assert office.passwords["103"] == "made-up"

    async def test_add_and_think_better_of_it(self, socket: Path, office: Office) -> None:
        async with console(socket) as stage:
            await stage.press("3", "a")
            await stage.until("Add a user")
            await stage.type("103")
            await stage.press("escape")
            await stage.until_not("Add a user")
            assert "103" not in office.passwords

    async def test_a_slow_database_stops_nothing(self, socket: Path, office: Office) -> None:
        office.database_answers.clear()
        async with console(socket) as stage:
            await stage.press("3", "a")
            await stage.until("Add a user")
            await stage.type("103")
            await stage.press("enter", "enter", "enter")
            await stage.until("One moment ...")
            office.trouble(NO_ENGINE)
            await stage.until("✗ service failed")
            office.database_answers.set()
            await stage.until("made-up")

    async def test_remove_asks_first(self, socket: Path, office: Office) -> None:
        async with console(socket) as stage:
            await stage.press("3")
            await stage.until("102")
            await stage.press("end", "d")
            await stage.until("Remove user 102?")
            await stage.press("enter")
            await stage.until_not("Remove user")
            assert "102" in office.passwords
            await stage.press("d")
            await stage.until("Remove user")
            await stage.press("left", "enter")
            await stage.until("User 102 is gone.")
            assert "102" not in office.passwords

    async def test_new_password(self, socket: Path, office: Office) -> None:
        async with console(socket) as stage:
            await stage.press("3")
            await stage.until("Linphone")
            await stage.press("down", "down", "p")
            await stage.until("Give user 101 another password?")
            await stage.press("left", "enter")
            await stage.until("New password of user 101")
            assert "made-up" in stage.text
            assert office.passwords["101"] == "made-up"

    async def test_without_http_there_is_no_code(self, socket: Path, office: Office) -> None:
        office.provisioning_url = lambda number: ""
        async with console(socket) as stage:
            await stage.press("3", "w")
            await stage.until("first-secret")
            assert "█" not in stage.text
            assert "Linphone sets itself up" not in stage.text

    async def test_first_passwords(self, socket: Path, office: Office) -> None:
        async with console(socket) as stage:
            await stage.press("3", "w")
            await stage.until("first-secret")
            before = stage.text
            await stage.press("down")
            await stage.until("second-secret")
            assert "192.0.2.1 (UDP)" in stage.text
            assert stage.text.count("█") != before.count("█")
            await stage.press("escape")
            await stage.until_not("second-secret")
            office.initial.clear()
            await stage.press("w")
            await stage.until("Every user has a password of its own already")

    async def test_what_a_phone_says_steers_nothing(self, socket: Path, office: Office) -> None:
        async with console(socket, (120, 40)) as stage:
            await stage.press("3")
            await stage.until("Linphone")
            await stage.press("down", "down")
            await stage.until("\ufffd[2Jevil\ufffd31m[bold]:smile:[/bold][@click=app.quit]x[/]")
            assert "\x1b" not in stage.text

    async def test_filter(self, socket: Path) -> None:
        async with console(socket) as stage:
            await stage.press("3")
            await stage.until("Linphone")
            await stage.press("slash")
            await stage.type("YEALINK")
            await stage.until_not("Linphone")
            assert "Yealink" in stage.text
            await stage.press("enter", "p")
            await stage.until("Give user 101 another password?")
            await stage.press("escape", "escape")
            await stage.until("Linphone")
            assert stage.app.current_mode == "phones"


class TestLog:
    async def test_live_with_levels_and_filter(self, socket: Path, office: Office) -> None:
        async with console(socket) as stage:
            await stage.press("4")
            await stage.until("phone of 100 registered")
            office.say("error", "out of ports")
            await stage.until("✗ error    out of ports")
            await stage.press("l")
            await stage.until_not("phone of 100 registered")
            assert "warnings and errors" in stage.text
            office.say("info", "not seen")
            office.say("strange", "seen [bold]as it is")
            await stage.until("seen [bold]as it is")
            assert "not seen" not in stage.text
            await stage.press("l", "l", "slash")
            await stage.type("PORTS")
            await stage.until_not("registered")
            assert "out of ports" in stage.text

    async def test_pause(self, socket: Path, office: Office) -> None:
        async with console(socket) as stage:
            await stage.press("4")
            await stage.until("registered")
            await stage.press("p")
            office.say("info", "first of two")
            office.say("info", "second of two")
            await stage.until("paused, 2 more lines wait")
            assert "of two" not in stage.text
            await stage.press("p")
            await stage.until("second of two")
            assert stage.text.index("first of two") < stage.text.index("second of two")
            assert "● live" in stage.text

    async def test_lines_are_seen_once_whatever_screen_was_seen(
        self, socket: Path, office: Office
    ) -> None:
        async with console(socket) as stage:
            await stage.press("4")
            await stage.until("registered")
            await stage.press("2")
            office.say("info", "while away")
            await stage.press("4")
            await stage.until("while away")
            assert stage.text.count("while away") == 1
            assert stage.text.count("registered") == 1

    async def test_what_it_said_before_it_was_gone_stays(
        self, doors: ControlServer, socket: Path, office: Office
    ) -> None:
        async with console(socket) as stage:
            await stage.press("4")
            await stage.until("registered")
            await doors.stop()
            await stage.until("The exchange is not running")
            assert "registered" in stage.text
            office.lines.clear()
            office.say("info", "started again")
            office.status_values = {"pid": 4800}
            await doors.start()
            await stage.until("started again")
            assert stage.text.count("registered") == 1

    async def test_the_same_exchange_repeats_nothing(
        self, doors: ControlServer, socket: Path, office: Office
    ) -> None:
        async with console(socket) as stage:
            await stage.press("4")
            await stage.until("registered")
            await doors.stop()
            await stage.until("The exchange is not running")
            office.say("info", "meanwhile")
            await doors.start()
            await stage.until("meanwhile")
            assert stage.text.count("registered") == 1


class TestKeys:
    async def test_everywhere(self, socket: Path) -> None:
        async with console(socket) as stage:
            for key, mode in zip("2341", ("calls", "phones", "log", "home"), strict=True):
                await stage.press(key)
                assert stage.app.current_mode == mode
            await stage.press("3", "escape")
            assert stage.app.current_mode == "home"
            await stage.press("question_mark")
            await stage.until("leave the console; the exchange goes on")
            await stage.press("2")
            assert stage.app.current_mode == "home"
            await stage.press("escape")
            await stage.until_not("leave the console")
            await stage.press("q")
            assert not stage.app.is_running

    async def test_names_of_screens_can_be_clicked(self, socket: Path) -> None:
        async with console(socket) as stage:
            await stage.until("ready")
            await stage.click("#tab-phones")
            assert stage.app.current_mode == "phones"

    @pytest.mark.parametrize("key", ["ctrl+p", "ctrl+z", "ctrl+backslash", "f12"])
    async def test_no_way_out(self, socket: Path, key: str) -> None:
        async with console(socket) as stage:
            await stage.until("ready")
            await stage.until("Quit")  # the last line is drawn after all others
            before = stage.text
            await stage.press(key)
            await stage.until(lambda: stage.text == before)
            assert stage.app.is_running

    async def test_ctrl_c_says_how_to_leave(self, socket: Path) -> None:
        async with console(socket) as stage:
            await stage.until("ready")
            await stage.press("ctrl+c")
            await stage.until("q leaves the console.")

    async def test_a_smaller_window(self, socket: Path) -> None:
        async with console(socket, (120, 40)) as stage:
            await stage.press("4")
            await stage.until("registered")
            await stage.resize(70, 20)
            await stage.until(lambda: len(stage.text.splitlines()) == 20)
            await stage.until(lambda: stage.text.count("registered") == 1)
            await stage.press("3")
            await stage.until("Linphone")
            await stage.until(lambda: stage.clipped() == [])
            await stage.press("down")
            await stage.resize(200, 50)
            await stage.until("Yealink SIP-T31P 124.86.0.40")
            await stage.press("p")
            await stage.until("Give user 101 another password?")
