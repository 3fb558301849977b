"""What can be seen of a running call's sound from outside, and what its record keeps: with the real engine."""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack

import pytest

from pbx.api.schema import RunningCall
from tests.app.daemon import Daemon, fci
from tests.app.phone import Call, Phone, media_port
from tests.interop.waiting import until
from tests.media.engine_process import Phone as Media
from tests.media.engine_process import rtp
from tests.media.rtcp_packets import Block, receiver_report, sender_report, voip_metrics

LOUD = (8 * b"\x90" + 8 * b"\x10") * 10
"""20 ms of a tone, PCMU."""

TALKS, LISTENS = 7, 9
"""SSRCs."""

NTP = 0x1111_2222_3333_4444


class SoundPhone(Phone):
    """A phone with a socket for RTCP, too."""

    def __init__(self, daemon: Daemon, number: str) -> None:
        super().__init__(daemon.port, number, daemon.passwords()[number])
        self.rtp.close()
        self.media = Media()
        self.rtp = self.media.rtp
        assert self.register().status == 200

    def close(self) -> None:
        super().close()
        self.media.close()

    def reports(self, port: int, data: bytes, to: "SoundPhone") -> None:
        """Send RTCP to the engine, which passes it on."""
        self.media.rtcp.sendto(data, ("127.0.0.1", port + 1))
        assert len(to.media.rtcp.recv(2048)) == len(data)


NewPhone = Callable[[str], SoundPhone]


@pytest.fixture
def new_sound_phone(shared: Daemon, closing: ExitStack) -> NewPhone:
    def make(number: str) -> SoundPhone:
        phone = SoundPhone(shared, number)
        closing.callback(phone.close)
        closing.callback(lambda: phone.register(0))
        return phone

    return make


def running(daemon: Daemon) -> RunningCall:
    with daemon.client() as client:
        (call,) = client.calls()
        return call


def says(phone: SoundPhone, port: int, numbers: Iterable[int]) -> None:
    for number in numbers:
        phone.rtp.sendto(rtp(number, LOUD, ssrc=TALKS), ("127.0.0.1", port))


def test_of_a_call_that_is_passed_on(shared: Daemon, new_sound_phone: NewPhone) -> None:
    caller, callee = new_sound_phone("100"), new_sound_phone("101")
    call = Call(caller, callee)
    first, second = call.ports
    # 40 are lost in one second, of 160 or fewer, and none in a later one; two have changed places
    says(caller, first, [*range(100), *range(140, 158), 159, 158])
    assert all(callee.rtp.recv(2048) for _ in range(120))
    caller.reports(first, sender_report(TALKS, NTP), callee)
    passed = time.monotonic()
    until("that second is over, and the way a long one", lambda: time.monotonic() - passed > 2)
    says(caller, first, range(160, 280))
    assert all(callee.rtp.recv(2048) for _ in range(120))
    block = Block(TALKS, 32, 40, 159, 0, NTP >> 16 & 0xFFFFFFFF, 0)
    answer = receiver_report(LISTENS, block) + voip_metrics(LISTENS, TALKS, 36)
    callee.reports(second, answer, caller)
    most_ms = 1000 * (time.monotonic() - passed)
    callee.rtp.sendto(rtp(1, LOUD, ssrc=LISTENS), ("127.0.0.1", second))
    caller.rtp.recv(2048)

    def told() -> RunningCall | None:
        one = running(shared)
        return one if one.caller_sound and one.called_sound else None

    now = until("both are heard", told)
    sound, other = now.caller_sound, now.called_sound
    assert sound is not None
    assert other is not None
    assert sound.loss_percent == 14.29
    assert 25.0 <= sound.worst_loss_percent <= 100.0
    assert sound.reordered == 1
    assert 1.0 < sound.mos < 3.6
    assert (sound.round_trip_ms, sound.heard_loss_percent, sound.heard_mos) == (None, None, 0.0)
    assert (other.loss_percent, other.worst_loss_percent, other.reordered) == (0.0, 0.0, 0)
    assert other.round_trip_ms is not None
    assert 1990 <= other.round_trip_ms <= most_ms + 10
    assert (other.heard_loss_percent, other.heard_mos) == (12.5, 3.6)
    # The phones' own buffers, and what is in the packets, are nothing that we know
    assert (sound.delay_ms, sound.level_dbov, sound.speaks) == (None, None, None)
    records = len(shared.records())
    call.hang_up()
    kept = fci(shared.wait_records(records + 1)[-1])
    assert kept["callerLoss"] == "14.29"
    assert float(kept["callerWorstLoss"]) == sound.worst_loss_percent
    assert kept["callerReordered"] == "1"
    assert float(kept["calledRoundTrip"]) == pytest.approx(other.round_trip_ms, abs=1)
    assert (kept["calledHeardLoss"], kept["calledHeardMos"]) == ("12.5", "3.6")
    assert "callerDelay" not in kept


class Speech:
    """A tone in real time, of which every tenth packet is lost, and once many behind each other."""

    def __init__(self, phone: SoundPhone, port: int) -> None:
        self._phone, self._port = phone, port
        self._numbers = self._due()
        self._begun = time.monotonic()

    def _due(self) -> Iterator[int]:
        number = 0
        while True:
            if number <= (time.monotonic() - self._begun) / 0.02:
                number += 1
                if number % 10 and not 60 <= number < 76:
                    yield number
            else:
                yield -1

    def go_on(self) -> None:
        """Send what is due."""
        while (number := next(self._numbers)) >= 0:
            says(self._phone, self._port, [number])


def test_of_one_that_is_served_here(shared: Daemon, new_sound_phone: NewPhone) -> None:
    phone = new_sound_phone("100")
    invite = phone.invite("*43")
    accepted = phone.response(invite)
    assert accepted.status == 200
    phone.acknowledge(invite, accepted)
    speech = Speech(phone, media_port(accepted.body))
    asked = time.monotonic()

    def told() -> RunningCall | None:
        nonlocal asked
        speech.go_on()
        if time.monotonic() - asked < 0.3:
            return None
        asked = time.monotonic()
        one = running(shared)
        sound = one.caller_sound
        worse = sound is not None and sound.worst_loss_percent > sound.loss_percent + 5
        return one if sound and sound.speaks and worse else None

    sound = until("one second is worse than others", told).caller_sound
    assert sound is not None
    # What a busy machine makes late is missing, too
    assert 5.0 <= sound.loss_percent < sound.worst_loss_percent <= 100.0
    assert 1.0 < sound.mos < 4.3
    assert sound.delay_ms is not None
    assert 0 < sound.delay_ms <= 300
    assert sound.jitter_ms >= 0
    assert sound.level_dbov is not None
    assert -15 < sound.level_dbov <= 0
    status = shared.status()
    assert status.engine_ticks >= 40
    assert 0 <= status.engine_late_ticks <= status.engine_ticks
    assert sound.late_ticks <= status.engine_late_ticks
    records = len(shared.records())
    with shared.client() as client:
        client.hangup(running(shared).id)
    phone.answer(phone.request("BYE"), 200)
    kept = fci(shared.wait_records(records + 1)[-1])
    assert float(kept["callerWorstLoss"]) >= sound.worst_loss_percent
    assert 0 < float(kept["callerDelay"]) <= 300
    assert "calledWorstLoss" not in kept


def test_a_call_that_has_just_begun_says_nothing_of_its_sound(
    shared: Daemon, new_sound_phone: NewPhone
) -> None:
    call = Call(new_sound_phone("100"), new_sound_phone("101"))
    now = running(shared)
    assert (now.caller_sound, now.called_sound) == (None, None)
    call.hang_up()
