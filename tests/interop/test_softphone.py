"""Our own softphone, with the exchange and with phones that others wrote."""

import asyncio
import signal
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.interop.baresip import Baresip
from tests.interop.conftest import PASSWORD
from tests.interop.exchange import Exchange
from tests.interop.jack import Jack
from tests.interop.phones import Users
from tests.interop.ports import Ports
from tests.interop.softphone import Softphone
from tests.interop.tones import LEVEL_DB, assert_pure_tone, read_recording, write_tone
from tests.interop.waiting import until, until_still
from tests.tui.terminal import terminal

pytestmark = pytest.mark.interop

LOW_HZ, HIGH_HZ = 440.0, 880.0
TALK_S = 3.0

NewPhone = Callable[..., Baresip]
NewSoftphone = Callable[..., Softphone]


@pytest.fixture
def new_softphone(tmp_path: Path, closing: ExitStack) -> NewSoftphone:
    """Return a function that starts `minisipphone` (arguments as `Softphone`)."""

    def start(*arguments: str, **more: object) -> Softphone:
        folder = tmp_path / f"softphone{len(list(tmp_path.iterdir()))}"
        phone = Softphone(folder, *arguments, **{"password": PASSWORD, **more})  # type: ignore[arg-type]
        closing.callback(phone.program.end)
        return phone

    return start


def account(user: str, server: str) -> tuple[str, ...]:
    return ("--server", server, "--user", user)


class TestWithTheExchange:
    @pytest.mark.parametrize(("codec", "law"), [("pcmu", "PCMU"), ("pcma", "PCMA")])
    @pytest.mark.parametrize("host", ["ipv4", "::1"])
    def test_it_calls_and_both_hear(
        self,
        exchange: Exchange,
        users: Users,
        new_phone: NewPhone,
        new_softphone: NewSoftphone,
        codec: str,
        law: str,
        host: str,
    ) -> None:
        where = exchange.host6 if host == "::1" else exchange.host
        callee = new_phone(users.callee, exchange.host, HIGH_HZ, codec=codec)
        caller = new_softphone(
            "call", users.callee, *account(users.caller, where), tone_hz=LOW_HZ, rate_hz=44100
        )
        caller.wait_said("connected")
        caller.wait_heard(HIGH_HZ, TALK_S)
        callee.wait_heard(LOW_HZ, TALK_S)
        (running,) = exchange.running_calls()
        assert (running.caller, running.called, running.state) == (
            users.caller,
            users.callee,
            "talking",
        )
        caller.program.signal(signal.SIGINT)
        callee.wait_event("CALL_CLOSED")
        assert caller.ended() == 130
        assert law in caller.wait_said("connected")
        assert_pure_tone(caller.recording(), HIGH_HZ, LOW_HZ, at_least_s=TALK_S)
        assert_pure_tone(callee.recording(), LOW_HZ, HIGH_HZ, at_least_s=TALK_S)
        exchange.wait_idle()

    def test_it_answers_and_the_caller_hangs_up(
        self,
        exchange: Exchange,
        users: Users,
        new_phone: NewPhone,
        new_softphone: NewSoftphone,
    ) -> None:
        callee = new_softphone("answer", *account(users.callee, exchange.host), tone_hz=HIGH_HZ)
        callee.wait_said("registered as")
        exchange.wait_contacts(users.callee)
        caller = new_phone(users.caller, exchange.host, LOW_HZ)
        caller.dial(users.callee)
        callee.wait_heard(LOW_HZ, TALK_S)
        caller.wait_heard(HIGH_HZ, TALK_S)
        caller.hang_up()
        assert callee.ended() == 0
        callee.wait_said(f"called by .*{users.caller}")
        callee.wait_said("ended: the other side has hung up")
        assert_pure_tone(callee.recording(), LOW_HZ, HIGH_HZ, at_least_s=TALK_S)
        assert_pure_tone(caller.recording(), HIGH_HZ, LOW_HZ, at_least_s=TALK_S)
        # It has left the server.
        exchange.wait_contacts(users.callee, 0)

    def test_it_hangs_up_after_the_time_that_it_was_given(
        self, exchange: Exchange, users: Users, new_phone: NewPhone, new_softphone: NewSoftphone
    ) -> None:
        callee = new_phone(users.callee, exchange.host, HIGH_HZ)
        caller = new_softphone(
            "call", users.callee, *account(users.caller, exchange.host), "--seconds", "1"
        )
        assert caller.ended() == 0
        callee.wait_event("CALL_CLOSED")
        assert caller.program.said().splitlines()[-1] == "ended: this side has hung up"

    def test_its_keys_arrive(
        self, exchange: Exchange, users: Users, new_phone: NewPhone, new_softphone: NewSoftphone
    ) -> None:
        callee = new_phone(users.callee, exchange.host, HIGH_HZ)
        new_softphone("call", users.callee, *account(users.caller, exchange.host), "--keys", "15#9")
        until(
            "baresip has seen the keys",
            lambda: len(callee.events("CALL_DTMF_END")) >= 4,
            why_not=callee.why,
        )
        assert "".join(e.param for e in callee.events("CALL_DTMF_START")) == "15#9"

    def test_being_held_silences_it_and_resume_brings_the_sound_back(
        self, exchange: Exchange, users: Users, new_phone: NewPhone, new_softphone: NewSoftphone
    ) -> None:
        baresip = new_phone(users.callee, exchange.host, HIGH_HZ)
        caller = new_softphone(
            "call", users.callee, *account(users.caller, exchange.host), tone_hz=LOW_HZ
        )
        baresip.wait_heard(LOW_HZ, 1)
        baresip.command("hold")
        caller.wait_said("on hold")
        until_still("baresip's packets", baresip.packets_received)
        packets = baresip.packets_received()
        baresip.command("resume")
        caller.wait_said("no longer on hold")
        until("baresip gets RTP again", lambda: baresip.packets_received() >= packets + 50)
        baresip.hang_up()
        assert caller.ended() == 0

    def test_two_of_them(
        self, exchange: Exchange, users: Users, new_softphone: NewSoftphone
    ) -> None:
        callee = new_softphone("answer", *account(users.callee, exchange.host), tone_hz=HIGH_HZ)
        callee.wait_said("registered as")
        caller = new_softphone(
            "call", users.callee, *account(users.caller, exchange.host), tone_hz=LOW_HZ
        )
        caller.wait_heard(HIGH_HZ, TALK_S)
        callee.wait_heard(LOW_HZ, TALK_S)
        callee.program.signal(signal.SIGTERM)
        assert caller.ended() == 0
        assert callee.ended() == 130
        assert_pure_tone(caller.recording(), HIGH_HZ, LOW_HZ, at_least_s=TALK_S)

    def test_the_echo_gives_it_its_own_voice(
        self, exchange: Exchange, users: Users, new_softphone: NewSoftphone
    ) -> None:
        caller = new_softphone("call", "*43", *account(users.caller, exchange.host), tone_hz=LOW_HZ)
        caller.wait_heard(LOW_HZ, TALK_S)
        caller.program.signal(signal.SIGINT)
        assert caller.ended() == 130


class TestRefusals:
    def test_busy(self, exchange: Exchange, users: Users, new_softphone: NewSoftphone) -> None:
        callee = new_softphone("answer", *account(users.callee, exchange.host), tone_hz=HIGH_HZ)
        callee.wait_said("registered as")
        exchange.add_user(f"{users.caller}9", PASSWORD)
        first = new_softphone("call", users.callee, *account(users.caller, exchange.host))
        first.wait_said("connected")
        second = new_softphone("call", users.callee, *account(f"{users.caller}9", exchange.host))
        assert second.ended() == 1
        assert second.wait_said("not connected") == "not connected: busy (486)"
        first.program.signal(signal.SIGINT)
        assert callee.ended() == 0

    def test_no_such_number(
        self, exchange: Exchange, users: Users, new_softphone: NewSoftphone
    ) -> None:
        caller = new_softphone("call", "98765", *account(users.caller, exchange.host))
        assert caller.ended() == 1
        caller.wait_said("not connected: there is no such number")

    def test_giving_up_while_it_rings(
        self, exchange: Exchange, users: Users, new_phone: NewPhone, new_softphone: NewSoftphone
    ) -> None:
        callee = new_phone(users.callee, exchange.host, HIGH_HZ, answer="manual")
        caller = new_softphone("call", users.callee, *account(users.caller, exchange.host))
        caller.wait_said("the other phone rings")
        caller.program.signal(signal.SIGINT)
        assert caller.ended() == 130
        callee.wait_event("CALL_CLOSED")
        exchange.wait_idle()

    @pytest.mark.parametrize("what", ["call", "answer"])
    def test_a_wrong_password(
        self, exchange: Exchange, users: Users, new_softphone: NewSoftphone, what: str
    ) -> None:
        number = [users.callee] if what == "call" else []
        phone = new_softphone(
            what, *number, *account(users.caller, exchange.host), password="not-it"
        )
        assert phone.ended() == 77
        phone.wait_said("not (connected|registered): user name or password is wrong")

    @pytest.mark.parametrize("what", ["call", "answer"])
    @pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]"])
    def test_no_server_there(
        self, ports: Ports, new_softphone: NewSoftphone, what: str, host: str
    ) -> None:
        number = ["100"] if what == "call" else []
        phone = new_softphone(what, *number, *account("100", f"{host}:{ports.one()}"))
        assert phone.ended() == 69
        phone.wait_said("not (connected|registered): the server cannot be reached")

    def test_a_name_that_does_not_exist(self, new_softphone: NewSoftphone) -> None:
        phone = new_softphone("call", "100", *account("100", "no-such-host.invalid"))
        assert phone.ended() == 68
        phone.wait_said("minisipphone: There is no host no-such-host.invalid")


class TestWithoutAServer:
    def test_it_calls_a_phone_directly(
        self, ports: Ports, tmp_path: Path, closing: ExitStack, new_softphone: NewSoftphone
    ) -> None:
        callee = lonely(ports, tmp_path, closing)
        caller = new_softphone("call", f"sip:100@{callee.sip}", tone_hz=LOW_HZ)
        callee.wait_heard(LOW_HZ, TALK_S)
        caller.wait_heard(HIGH_HZ, TALK_S)
        callee.hang_up()
        assert caller.ended() == 0
        assert_pure_tone(caller.recording(), HIGH_HZ, LOW_HZ, at_least_s=TALK_S)
        assert_pure_tone(callee.recording(), LOW_HZ, HIGH_HZ, at_least_s=TALK_S)

    def test_a_phone_calls_it_directly(
        self, ports: Ports, tmp_path: Path, closing: ExitStack, new_softphone: NewSoftphone
    ) -> None:
        caller = lonely(ports, tmp_path, closing)
        callee = new_softphone(
            "answer", "--direct", "--listen", f"127.0.0.1:{ports.one()}", tone_hz=LOW_HZ
        )
        address = callee.wait_said("waiting to be called").rpartition(" ")[2]
        caller.dial(address)
        callee.wait_heard(HIGH_HZ, TALK_S)
        caller.wait_heard(LOW_HZ, TALK_S)
        caller.hang_up()
        assert callee.ended() == 0
        assert_pure_tone(caller.recording(), LOW_HZ, HIGH_HZ, at_least_s=TALK_S)
        assert_pure_tone(callee.recording(), HIGH_HZ, LOW_HZ, at_least_s=TALK_S)


def lonely(ports: Ports, folder: Path, closing: ExitStack) -> Baresip:
    """Return a baresip that no server knows."""
    phone = Baresip(
        folder / "lonely",
        ports,
        number="100",
        password="-",
        server=f"127.0.0.1:{ports.one()}",
        tone_hz=HIGH_HZ,
        register_s=0,
    )
    closing.callback(phone.close)
    return phone


class TestWithASoundCard:
    """A card of 48 kHz, whose loudspeaker stands before its microphone."""

    @pytest.fixture
    def jack(self, tmp_path: Path, closing: ExitStack) -> Jack:
        card = Jack(tmp_path / "jack")
        closing.callback(card.program.end)
        return card

    def test_what_the_loudspeaker_says_the_microphone_hears(
        self,
        ports: Ports,
        tmp_path: Path,
        closing: ExitStack,
        new_softphone: NewSoftphone,
        jack: Jack,
    ) -> None:
        other = lonely(ports, tmp_path, closing)
        phone = new_softphone("call", f"sip:100@{other.sip}", record=False, env=jack.env)
        phone.wait_said("connected")
        jack.turn_back()
        other.wait_heard(HIGH_HZ, TALK_S)
        other.hang_up()
        assert phone.ended() == 0
        heard = other.recording().talking(HIGH_HZ)
        # The dummy card's clock is the kernel's timer: what a busy machine makes of it may have
        # gaps, but the tone is this one, at its level.
        assert abs(heard.level_db(HIGH_HZ) - LEVEL_DB) < 2

    @pytest.mark.parametrize("file", ["microphone", "loudspeaker"])
    def test_a_file_on_one_side_and_the_card_on_the_other(
        self,
        ports: Ports,
        tmp_path: Path,
        closing: ExitStack,
        new_softphone: NewSoftphone,
        jack: Jack,
        file: str,
    ) -> None:
        other = lonely(ports, tmp_path, closing)
        phone = new_softphone(
            "call",
            f"sip:100@{other.sip}",
            tone_hz=LOW_HZ if file == "microphone" else 0,
            record=file == "loudspeaker",
            env=jack.env,
        )
        if file == "microphone":
            other.wait_heard(LOW_HZ, TALK_S)
        else:
            phone.wait_heard(HIGH_HZ, TALK_S)
        other.hang_up()
        assert phone.ended() == 0

    def test_a_card_that_goes_ends_no_call(
        self,
        ports: Ports,
        tmp_path: Path,
        closing: ExitStack,
        new_softphone: NewSoftphone,
        jack: Jack,
    ) -> None:
        other = lonely(ports, tmp_path, closing)
        phone = new_softphone("call", f"sip:100@{other.sip}", record=False, env=jack.env)
        phone.wait_said("connected")
        jack.turn_back()
        jack.program.end()
        phone.wait_said("minisipphone: The sound card has gone")
        packets = other.packets_received()
        until("baresip gets more RTP", lambda: other.packets_received() >= packets + 50)
        other.hang_up()
        assert phone.ended() == 0


class TestTheScreen:
    """`minisipphone` alone, in a terminal, with the exchange."""

    async def test_it_calls_and_is_called(
        self, exchange: Exchange, users: Users, new_phone: NewPhone, tmp_path: Path
    ) -> None:
        write_tone(tmp_path / "tone.wav", LOW_HZ, 60.0)
        files = ("--play", str(tmp_path / "tone.wav"), "--record", str(tmp_path / "heard.wav"))
        other = new_phone(users.callee, exchange.host, HIGH_HZ)
        async with terminal(
            "hw.softphone.cli",
            *account(users.caller, exchange.host),
            *files,
            socket=tmp_path / "no.sock",
            env={"MINISIPPHONE_PASSWORD": PASSWORD},
            prompt=True,
        ) as screen:
            await screen.until("● registered")
            screen.type(users.callee.encode() + b"\r")
            await screen.until("TALKING")
            await asyncio.to_thread(other.wait_heard, LOW_HZ, TALK_S)
            screen.type(b"7")
            await asyncio.to_thread(other.wait_event, "CALL_DTMF_END")
            assert other.events("CALL_DTMF_START")[0].param == "7"
            screen.forget()
            screen.type(b"h")
            await asyncio.to_thread(other.wait_event, "CALL_CLOSED")
            await screen.until("READY")
            mark = other.mark
            await asyncio.to_thread(other.dial, users.caller)
            await screen.until("YOU ARE CALLED")
            screen.type(b"a")
            await asyncio.to_thread(other.wait_event, "CALL_ESTABLISHED", after=mark)
            await screen.until("TALKING")
            screen.type(b"q")
            await asyncio.to_thread(other.wait_event, "CALL_CLOSED", after=mark)
            assert await screen.ended() == 0
        exchange.wait_contacts(users.caller, 0)
        # Of the first call: the second one follows in the same file.
        first = read_recording(tmp_path / "heard.wav").talking(HIGH_HZ).part(0, 2.5)
        assert_pure_tone(first, HIGH_HZ, LOW_HZ, at_least_s=2.0)

    async def test_a_server_that_does_not_exist_is_told_on_the_plain_screen(
        self, tmp_path: Path
    ) -> None:
        write_tone(tmp_path / "tone.wav", LOW_HZ, 1.0)
        async with terminal(
            "hw.softphone.cli",
            *account("100", "no-such-host.invalid"),
            *("--play", str(tmp_path / "tone.wav"), "--record", str(tmp_path / "heard.wav")),
            socket=tmp_path / "no.sock",
            env={"MINISIPPHONE_PASSWORD": PASSWORD},
        ) as screen:
            assert await screen.ended() == 68
            assert "There is no host no-such-host.invalid" in screen.text

    async def test_setup_asks_and_the_next_call_knows(
        self, exchange: Exchange, users: Users, tmp_path: Path
    ) -> None:
        async with terminal("hw.softphone.cli", "setup", socket=tmp_path / "no.sock") as asked:
            for question, answer in (
                ("Server", exchange.host),
                ("User", users.caller),
                ("Password", PASSWORD),
            ):
                await asked.until(question)
                asked.type(answer.encode() + b"\n")
            await asked.until("Kept in")
            assert await asked.ended() == 0
            assert PASSWORD not in asked.text
        kept = tmp_path / ".config/minisipphone.toml"
        assert kept.stat().st_mode & 0o077 == 0
        async with terminal(
            "hw.softphone.cli",
            *("call", "*45", "--seconds", "0", "--record", str(tmp_path / "heard.wav")),
            socket=tmp_path / "no.sock",
        ) as call:
            await call.until("connected")
            assert await call.ended() == 0


def test_without_a_terminal_there_is_no_screen(new_softphone: NewSoftphone) -> None:
    phone = new_softphone()
    assert phone.ended() == 64
    phone.wait_said("minisipphone: The phone's screen needs a terminal")


def test_it_speaks_chinese(new_softphone: NewSoftphone) -> None:
    phone = new_softphone("call", "--help", env={"LC_ALL": "zh_CN.UTF-8"})
    assert phone.ended() == 0
    assert "代替话筒的 WAV 文件" in phone.program.said()
    phone = new_softphone("call", "a b", *account("100", "x"), env={"LC_ALL": "zh_CN.UTF-8"})
    assert phone.ended() == 2
    phone.wait_said("minisipphone: .*不是可以呼叫的号码")
