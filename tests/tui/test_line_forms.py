"""The console's forms for lines: to add one, to change one, to remove one."""

import asyncio
import typing
from pathlib import Path

import pytest
from textual.widgets import Input

from pbx.api.server import ControlServer
from pbx.config import line
from pbx.config.line import Line
from pbx.lines.profile import profiles
from pbx.locale import catalogue
from tests.tui.office import Office
from tests.tui.stage import Stage, console
from tui.line_options import CHOICES, OFFERED
from tui.report import RIGHTS
from tui.widgets.choice import Choice


@pytest.fixture
def socket(doors: ControlServer, folder: Path) -> Path:
    return folder / "control.sock"


async def lines(stage: Stage) -> None:
    """Go to the lines."""
    await stage.press("5")
    await stage.until("12 ms")


async def provider(stage: Stage, name: str) -> None:
    """Choose a provider for a new line."""
    await stage.press("a")
    await stage.until("who is the provider?")
    await stage.press(*["down"] * list(profiles()).index(name), "enter")
    await stage.until(f"Add a line: {profiles()[name].title.en}")


class TestAdd:
    async def test_only_what_the_provider_asks_for(self, socket: Path, office: Office) -> None:
        async with console(socket) as stage:
            await lines(stage)
            await provider(stage, "sipgate")
            assert len(stage.app.screen.query("Input, Choice")) == 4
            await stage.press("tab")
            await stage.until("The SIP-ID, such as 1234567e0")
            await stage.type("1234567e0")
            await stage.press("enter", *"geheim12", "enter", *"100", "enter")
            await stage.until("sipgate is there.")
            assert "Numbers outside are dialled with 9 before them." in stage.text
            assert "geheim12" not in stage.text
            made = office.configured.kept["sipgate"]
            assert (made.profile, made.user, made.password, made.destination) == (
                *("sipgate", "1234567e0", "geheim12", "100"),
            )

    async def test_the_new_line_is_the_chosen_one(self, socket: Path, office: Office) -> None:
        async with console(socket) as stage:
            await lines(stage)
            await provider(stage, "minisipserver")
            await stage.type("office")
            await stage.press("enter", *"192.0.2.20", "ctrl+s")
            await stage.until("office is there.")
            await stage.until("1 of 4 ready")
            await stage.press("r")
            await stage.until("Remove the line office?")

    async def test_what_is_missing_is_said_where_it_is_missing(
        self, socket: Path, office: Office
    ) -> None:
        async with console(socket) as stage:
            await lines(stage)
            await provider(stage, "generic-line")
            await stage.press("ctrl+s")
            await stage.until("The profile generic-line needs 'Server'.")
            assert "The registrar or SIP server that the provider names" in stage.text
            await stage.type("sip.example")
            await stage.press("ctrl+s")
            await stage.until("The profile generic-line needs 'User'.")
            await stage.type("u")
            await stage.press("ctrl+s")
            await stage.until("generic-line is there.")
            assert office.configured.kept["generic-line"].server == "sip.example"

    async def test_a_name_that_is_taken_goes_on_counting(
        self, socket: Path, office: Office
    ) -> None:
        taken = Line(name="sipgate", kind="external-line", server="s", user="u")
        office.configured.kept["sipgate"] = taken
        async with console(socket) as stage:
            await lines(stage)
            await provider(stage, "sipgate")
            assert "sipgate-2" in stage.text
            await stage.type("sipgate")
            await stage.press("tab", "1", "tab", "1", "ctrl+s")
            await stage.until("There is a line sipgate already.")
            assert isinstance(stage.app.focused, Input)
            assert stage.app.focused.value == "sipgate"
            assert office.configured.kept["sipgate"] is taken

    async def test_save_twice_is_once(
        self, socket: Path, office: Office, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        answers, asked = asyncio.Event(), []
        add = office.configured.add_line

        async def slowly(name: str, options: str) -> None:
            asked.append(name)
            await answers.wait()
            await add(name, options)

        monkeypatch.setattr(office.configured, "add_line", slowly)
        async with console(socket) as stage:
            await lines(stage)
            await provider(stage, "minisipserver")
            await stage.press("tab", *"192.0.2.20", "ctrl+s", "ctrl+s")
            await stage.until("One moment ...")
            await stage.press("ctrl+s")
            answers.set()
            await stage.until("minisipserver is there.")
            assert asked == ["minisipserver"]

    async def test_calls_that_would_ring_at_nobody(self, socket: Path, office: Office) -> None:
        async with console(socket) as stage:
            await lines(stage)
            await provider(stage, "sipgate")
            await stage.press("tab", "1", "tab", "1", "tab", *"777", "ctrl+s")
            await stage.until("777 is nobody's number")
            assert "sipgate" not in office.configured.kept
            # Another one that is nobody's is not what was meant
            await stage.press("7", "ctrl+s")
            await stage.until("7777 is nobody's number")
            await stage.press("ctrl+s")
            await stage.until("sipgate is there.")
            assert office.configured.kept["sipgate"].destination == "7777"

    async def test_and_think_better_of_it(self, socket: Path, office: Office) -> None:
        before = dict(office.configured.kept)
        async with console(socket) as stage:
            await lines(stage)
            await stage.press("a")
            await stage.until("who is the provider?")
            await stage.press("escape")
            await stage.until_not("who is the provider?")
            await provider(stage, "sipgate")
            await stage.press("up", "enter")
            await stage.until_not("Add a line")
            assert office.configured.kept == before

    async def test_the_exchange_is_gone(
        self, doors: ControlServer, socket: Path, office: Office
    ) -> None:
        async with console(socket) as stage:
            await lines(stage)
            await provider(stage, "sipgate")
            await doors.stop()
            await stage.press("ctrl+s")
            await stage.until("The exchange is not running")
            await stage.press("escape")
            await stage.until_not("Add a line")
            await stage.press("a")
            await stage.until("The exchange is not running")


class TestChange:
    async def test_only_what_is_changed(self, socket: Path, office: Office) -> None:
        before = office.configured.kept["ims"]
        async with console(socket) as stage:
            await lines(stage)
            await stage.press("enter")
            await stage.until("Change the line ims")
            assert "the carrier's domain or the peer's address" in stage.text
            await stage.press("down", "down", *"192.0.2.5:5070", "enter")
            await stage.until("udp, tcp, tls, or empty for what DNS says")
            await stage.press("right", "right", "ctrl+s")
            await stage.until("ims is changed.")
        after = office.configured.kept["ims"]
        assert (after.proxy, after.transport) == ("192.0.2.5:5070", "tcp")
        # What has signs that no terminal should see is left as it was, too.
        assert (after.description, after.password) == (before.description, before.password)
        assert (after.most, after.prack) == (before.most, before.prack)

    async def test_a_password_is_typed_unseen_and_never_shown(
        self, socket: Path, office: Office
    ) -> None:
        async with console(socket) as stage:
            await lines(stage)
            await stage.press("c")
            await stage.until("there is one")
            assert "line-secret" not in stage.text
            await stage.press(*["down"] * OFFERED.index("password"))
            await stage.until("left empty it stays as it is")
            await stage.type("another")
            assert "another" not in stage.text
            await stage.press("ctrl+s")
            await stage.until("ims is changed.")
            assert office.configured.kept["ims"].password == "another"

    async def test_why_not_is_said_at_the_field(self, socket: Path, office: Office) -> None:
        async with console(socket) as stage:
            await lines(stage)
            await stage.press("c")
            await stage.until("Change the line ims")
            await stage.press(*["down"] * OFFERED.index("most_incoming"))
            await stage.until("calls from outside at once")
            await stage.press(*"many", "tab", "ctrl+s")
            await stage.until("Calls in, at most is 'many', but must be a whole number.")
            assert isinstance(stage.app.focused, Input)
            assert stage.app.focused.value == "many"
            await stage.press(*"12", "ctrl+s")
            await stage.until("ims is changed.")
            assert office.configured.kept["ims"].most_incoming == 12

    async def test_reliable_responses_off_and_a_number_as_a_telephones(
        self, socket: Path, office: Office
    ) -> None:
        async with console(socket) as stage:
            await lines(stage)
            await stage.press("c")
            await stage.until("Change the line ims")
            await stage.press(*["down"] * OFFERED.index("uri_form"), "space", "space")
            await stage.press(*["down"] * (OFFERED.index("prack") - OFFERED.index("uri_form")))
            await stage.press("left", "ctrl+s")
            await stage.until("ims is changed.")
            changed = office.configured.kept["ims"]
            assert (changed.uri_form, changed.prack) == ("phone", "off")

    async def test_calls_that_would_ring_at_nobody(self, socket: Path, office: Office) -> None:
        async with console(socket) as stage:
            await lines(stage)
            await stage.press("c")
            await stage.until("Change the line ims")
            await stage.press(*["down"] * OFFERED.index("destination"), *"777", "ctrl+s")
            await stage.until("777 is nobody's number")
            await stage.press("backspace", "backspace", "backspace", *"101", "ctrl+s")
            await stage.until("ims is changed.")
            assert office.configured.kept["ims"].destination == "101"

    async def test_nothing(self, socket: Path, office: Office) -> None:
        before = dict(office.configured.kept)
        async with console(socket) as stage:
            await lines(stage)
            await stage.press("c")
            await stage.until("Change the line ims")
            await stage.press("ctrl+s")
            await stage.until_not("Change the line ims")
            assert "is changed" not in stage.text
        assert office.configured.kept == before

    async def test_a_line_that_is_gone(self, socket: Path, office: Office) -> None:
        async with console(socket) as stage:
            await lines(stage)
            await stage.press("c")
            await stage.until("Change the line ims")
            del office.configured.kept["ims"]
            await stage.press(*"x", "ctrl+s")
            await stage.until("There is no line ims.")
            await stage.press("escape")
            await stage.until_not("Change the line ims")

    async def test_by_the_mouse(self, socket: Path, office: Office) -> None:
        async with console(socket, (120, 40)) as stage:
            await lines(stage)
            await stage.press("c")
            await stage.until("Change the line ims")
            await stage.click("Choice")
            await stage.click("#yes")
            await stage.until("ims is changed.")
            assert office.configured.kept["ims"].transport == "udp"

    async def test_small(self, socket: Path) -> None:
        async with console(socket, (60, 16)) as stage:
            await lines(stage)
            await stage.press("c")
            await stage.until("Change the line ims")
            await stage.press(*["down"] * OFFERED.index("prack"))
            await stage.until("< supported >")


class TestRemove:
    async def test_asks_first(self, socket: Path, office: Office) -> None:
        async with console(socket) as stage:
            await lines(stage)
            await stage.press("end", "r")
            await stage.until("Remove the line spare?")
            await stage.press("enter")
            await stage.until_not("Remove the line")
            assert "spare" in office.configured.kept
            await stage.press("delete")
            await stage.until("Remove the line spare?")
            await stage.press("left", "enter")
            await stage.until("spare is gone.")
            assert "spare" not in office.configured.kept

    async def test_one_that_is_gone(self, socket: Path, office: Office) -> None:
        async with console(socket) as stage:
            await lines(stage)
            await stage.press("r")
            await stage.until("Remove the line ims?")
            del office.configured.kept["ims"]
            await stage.press("left", "enter")
            await stage.until("There is no line ims.")


class TestOptions:
    """What the console offers is what the exchange knows."""

    @pytest.mark.parametrize(
        ("option", "known"),
        [
            ("transport", line.TRANSPORTS),
            ("uri_form", line.URI_FORMS),
            ("number_format", line.NUMBER_FORMATS),
            ("identity", line.IDENTITIES),
            ("prack", line.PRACK_CHOICES),
            ("dtmf", line.DTMF_CHOICES),
        ],
    )
    def test_the_choices(self, option: str, known: tuple[str, ...]) -> None:
        assert CHOICES[option] == known

    def test_they_are_options_of_lines(self) -> None:
        assert set(OFFERED) <= set(typing.get_type_hints(Line))
        assert set(CHOICES) <= set(OFFERED)

    def test_all_that_is_asked_for_has_a_name_for_people(self) -> None:
        asked = {ask.key for profile in profiles().values() for ask in profile.asks}
        for language in ("en", "zh"):
            words = catalogue(language, "tui.locale")
            named = {key.removeprefix("field-") for key in words if key.startswith("field-")}
            assert named == {"name", *OFFERED, *asked, *RIGHTS}

    async def test_a_value_of_tomorrow_is_kept(self) -> None:
        assert Choice(("", "udp"), "quic").value == "quic"
