"""“呼叫记录”, the post on call recording: T3.2 to T3.5 and T3.7 with sipp's packets.

Both phones are sipp's. In calls that are recorded by themselves they speak from the moment on that the
call is answered: what they say first has to be in the recording, too.
"""

import itertools
import json
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests.interop import scenario
from tests.interop.conftest import PASSWORD
from tests.interop.exchange import Exchange
from tests.interop.phones import Phones, Users
from tests.interop.ports import Ports
from tests.interop.sipp import Load
from tests.interop.waiting import until
from tests.media.kernels.sound import Sound
from tests.posts.played import called, calling, may_play, write_capture
from tests.posts.talking import (
    Mouth,
    Speech,
    assert_mixed,
    assert_said,
    recorded_by_itself,
    speech,
    through_a_bad_network,
)

pytestmark = [
    pytest.mark.interop,
    pytest.mark.timeout(180),
    pytest.mark.skipif(not may_play(), reason="sipp plays packets by a raw socket: root"),
]

SIZES_MS = (10, 20, 30, 40, 60)
_PORTS = 4
"""sipp's of a call: RTP and RTCP, and the same for pictures."""

_NUMBERS = itertools.count(4000)


@dataclass(frozen=True, slots=True)
class Talk:
    """What the parties of a call have said, which is to be in the recording, and its tracks."""

    left: Sound
    right: Sound
    tracks: list[Sound]

    def assert_recorded(self) -> None:
        """Assert that every sample is there, and in its place."""
        if len(self.tracks) == 1:
            assert_mixed(self.tracks[0], self.left, self.right)
            return
        assert len(self.tracks) == 2
        assert_said(self.left, self.tracks[0])
        assert_said(self.right, self.tracks[1])


Record = Callable[[Sequence[Speech], Sequence[Speech]], list[Talk]]


@pytest.fixture(scope="module", params=["stereo", "mixed"])
def exchange(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Exchange]:
    """Yield an exchange that has room for all pairs at once, and records each party apart, or both in one."""
    stereo = "true" if request.param == "stereo" else "false"
    with ExitStack() as stack:
        shared = Exchange(
            tmp_path_factory.mktemp("exchange"),
            stack.enter_context(Ports()),
            streams=64,
            top=f"[recording]\nstereo = {stereo}",
        )
        stack.callback(shared.close)
        shared.start()
        yield shared
        shared.assert_sane()


@pytest.fixture
def record(exchange: Exchange, tmp_path: Path, ports: Ports, closing: ExitStack) -> Record:
    """Return a function that has each of some callers call each of some phones, all at once.

    It takes what the callers say and what those say who are called, and returns what was said in each
    call and the tracks of its recording.
    """

    def user(**rights: str) -> str:
        number = str(next(_NUMBERS))
        exchange.call("user.add", number=number, password=PASSWORD)
        exchange.call("user.set", number=number, options=json.dumps(rights))
        return number

    def phones(caller: str, callee: str) -> Phones:
        return Phones(exchange, Users(caller, callee, PASSWORD), tmp_path, ports, closing)

    def load(calls: int) -> Load:
        return Load(calls=calls, media_port=ports.block(_PORTS * calls), patient=True)

    def make(callers: Sequence[Speech], callees: Sequence[Speech]) -> list[Talk]:
        sipps, calls = [], []
        for right in callees:
            callee = user(record="all")
            text = called(write_capture(tmp_path / f"{callee}.pcap", right))
            sipps.append(
                phones("", callee).callee(text, name=f"callee-{callee}", load=load(len(callers)))
            )
            calls += [(user(), callee, left, right) for left in callers]
        for caller, callee, left, _ in calls:
            text = calling(write_capture(tmp_path / f"{caller}.pcap", left))
            sipps.append(phones(caller, callee).caller(text, name=f"caller-{caller}", load=load(1)))
        made = []
        for caller, callee, left, right in calls:
            file = recorded_by_itself(exchange, caller, callee)
            made.append(Talk(left.sound, right.sound, file.whole(left.sound, right.sound)))
        for call in exchange.running_calls():
            exchange.call("hangup", call=call.id)
        for sipp in sipps:
            sipp.finish()
        return made

    return make


def test_T3_2_phones_that_say_20_ms_and_send_30_and_40(record: Record) -> None:
    (call,) = record([speech([30], 4.0)], [speech([40], 4.0)])
    call.assert_recorded()


def test_T3_3_every_pair_of_packet_lengths(record: Record) -> None:
    """10, 20, 30, 40 and 60 ms, each with each, all at once."""
    calls = record(*([speech([size], 2.0) for size in SIZES_MS] for _ in range(2)))
    assert len(calls) == len(SIZES_MS) ** 2
    for call in calls:
        call.assert_recorded()


def test_T3_4_packets_change_their_length_in_mid_call(record: Record) -> None:
    left = speech([20, 60, 10, 30, 40, 60, 60, 10], 2.0)
    right = speech([10] * 20 + [60] * 5 + [30, 20], 2.0)
    (call,) = record([left], [right])
    call.assert_recorded()


def test_T3_5_loss_and_jitter_leave_silence_with_one_party_alone(record: Record) -> None:
    said, right = speech([30], 2.1), speech([20], 2.1)
    left, heard = through_a_bad_network(said, 30)
    (call,) = record([left], [right])
    replace(call, left=heard).assert_recorded()


def test_T3_7_without_a_recording_packets_pass_as_they_are(
    exchange: Exchange, tmp_path: Path, ports: Ports, closing: ExitStack
) -> None:
    """The caller plays packets of every length; they come where the called sipp's SDP says."""
    said = speech([10, 60, 30, 20, 40], 1.0)
    one, other = str(next(_NUMBERS)), str(next(_NUMBERS))
    for number in (one, other):
        exchange.call("user.add", number=number, password=PASSWORD)
    phones = Phones(exchange, Users(one, other, PASSWORD), tmp_path, ports, closing)
    port = ports.block(2)
    mouth = Mouth(closing.enter_context(socket.socket(type=socket.SOCK_DGRAM)))
    mouth.rtp.bind(("127.0.0.1", port))
    callee = phones.callee(scenario.callee(), load=Load(rtp_ports=[port], patient=True))
    text = calling(write_capture(tmp_path / "said.pcap", said))
    load = Load(media_port=ports.block(_PORTS), patient=True)
    caller = phones.caller(text, load=load)

    def all_has_come() -> bool:
        mouth.take_in()
        return len(mouth.got) == len(said.packets)

    until("every packet has come", all_has_come, why_not=caller.why)
    assert [packet[12:] for packet in mouth.got] == [one.data[12:] for one in said.packets]
    (call,) = exchange.running_calls()
    exchange.call("hangup", call=call.id)
    for sipp in (caller, callee):
        sipp.finish()
