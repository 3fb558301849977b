"""Our own softphone and sipp, with nobody between them: each step of a call as sipp demands it."""

import signal
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.interop import scenario
from tests.interop.ports import Ports
from tests.interop.sipp import Load, Sipp, account
from tests.interop.softphone import Softphone
from tests.interop.test_softphone import HIGH_HZ, LOW_HZ, NewSoftphone
from tests.interop.test_softphone import new_softphone as new_softphone
from tests.interop.tones import assert_pure_tone

pytestmark = pytest.mark.interop

HEARD_S = 1.0

NewSipp = Callable[..., Sipp]


@pytest.fixture
def new_sipp(tmp_path: Path, ports: Ports, closing: ExitStack) -> NewSipp:
    """Return a function that starts sipp with one call, which sends sound back as it was."""

    def start(name: str, text: str, server: str = "127.0.0.1:5060") -> Sipp:
        load = Load(talk_ms=2000, rtp_ports=(ports.block(4),), echo=True)
        who = account(ports, "200", "", server)
        sipp = Sipp(name, tmp_path, text, who, number="100", load=load)
        closing.callback(sipp.close)
        return sipp

    return start


def called_by(new_softphone: NewSoftphone, sipp: Sipp, *arguments: str) -> Softphone:
    """Return the softphone that calls sipp."""
    uri = f"sip:200@127.0.0.1:{sipp.port}"
    return new_softphone("call", uri, *arguments, tone_hz=LOW_HZ, password="")


class TestItCalls:
    def test_and_hears_its_own_voice(self, new_sipp: NewSipp, new_softphone: NewSoftphone) -> None:
        callee = new_sipp("callee", scenario.callee())
        caller = called_by(new_softphone, callee)
        caller.wait_said("connected")
        caller.wait_heard(LOW_HZ, HEARD_S)
        caller.program.signal(signal.SIGINT)
        assert caller.ended() == 130
        callee.finish()
        assert_pure_tone(caller.recording(), LOW_HZ, HIGH_HZ, at_least_s=HEARD_S)

    @pytest.mark.parametrize(
        ("status", "words"),
        [
            ("486 Busy Here", r"busy \(486\)"),
            ("404 Not Found", "there is no such number"),
            ("603 Decline", ".*"),
        ],
    )
    def test_who_refuses(
        self, new_sipp: NewSipp, new_softphone: NewSoftphone, status: str, words: str
    ) -> None:
        callee = new_sipp("callee", scenario.callee_refusing(status))
        caller = called_by(new_softphone, callee)
        assert caller.ended() == 1
        caller.wait_said(f"not connected: {words}")
        callee.finish()

    def test_and_gives_up_while_it_rings(
        self, new_sipp: NewSipp, new_softphone: NewSoftphone
    ) -> None:
        callee = new_sipp("callee", scenario.callee_cancelled())
        caller = called_by(new_softphone, callee)
        caller.wait_said("the other phone rings")
        caller.program.signal(signal.SIGINT)
        assert caller.ended() == 130
        callee.finish()


class TestItIsCalled:
    @pytest.mark.parametrize("late_offer", [False, True], ids=["offer", "late offer"])
    def test_and_hears_its_own_voice(
        self, new_sipp: NewSipp, new_softphone: NewSoftphone, ports: Ports, *, late_offer: bool
    ) -> None:
        where = f"127.0.0.1:{ports.one()}"
        callee = new_softphone("answer", "--direct", "--listen", where, tone_hz=LOW_HZ)
        callee.wait_said("waiting to be called")
        caller = new_sipp("caller", scenario.caller_of_a_phone(late_offer=late_offer), where)
        callee.wait_heard(LOW_HZ, HEARD_S)
        caller.finish()
        assert callee.ended() == 0
        callee.wait_said("ended: the other side has hung up")
        assert_pure_tone(callee.recording(), LOW_HZ, HIGH_HZ, at_least_s=HEARD_S)

    def test_by_two_at_once(
        self, new_sipp: NewSipp, new_softphone: NewSoftphone, ports: Ports
    ) -> None:
        """Whoever comes second hears that it is busy."""
        where = f"127.0.0.1:{ports.one()}"
        callee = new_softphone("answer", "--direct", "--listen", where, tone_hz=LOW_HZ)
        callee.wait_said("waiting to be called")
        first = new_sipp("first", scenario.caller_of_a_phone(), where)
        callee.wait_said("called by")
        second = new_sipp("second", scenario.caller_refused(486, authenticate=False), where)
        second.finish()
        first.finish()
        assert callee.ended() == 0
