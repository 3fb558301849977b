"""“呼叫记录”, the post on call recording: T3.1 in mid-call, and T3.2 to T3.7, on the running exchange.

Phones that honour SDP can't send what these statements are about. sipp, or a phone of our own, says
20 ms and makes the call; the sound is sent in packets of any length (`talking`).
"""

import itertools
import re
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest

from tests.app.phone import Call
from tests.carriers.odd import seen
from tests.interop import scenario
from tests.interop.conftest import PASSWORD
from tests.interop.exchange import Exchange
from tests.interop.phones import Phones, Users
from tests.interop.ports import Ports
from tests.interop.sipp import Load, Sipp
from tests.interop.waiting import until
from tests.posts.talking import (
    RATE,
    Mouth,
    Recorded,
    TalkingPhone,
    assert_mixed,
    assert_said,
    likeness,
    speech,
    talk,
    through_a_bad_network,
)

pytestmark = [pytest.mark.interop, pytest.mark.timeout(180)]

SIZES_MS = (10, 20, 30, 40, 60)
REPOSITORY = Path(__file__).parents[2]

NewPhone = Callable[..., TalkingPhone]

_NUMBERS = itertools.count(3000)


@pytest.fixture(scope="module")
def exchange(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exchange]:
    """Yield an exchange that has room for all pairs at once."""
    with ExitStack() as stack:
        shared = Exchange(
            tmp_path_factory.mktemp("exchange"), stack.enter_context(Ports()), streams=64
        )
        stack.callback(shared.close)
        shared.start()
        yield shared
        shared.assert_sane()


@pytest.fixture
def new_user(exchange: Exchange) -> Callable[[], str]:
    """Return a function that adds a user, and returns the number."""

    def add() -> str:
        number = str(next(_NUMBERS))
        exchange.call("user.add", number=number, password=PASSWORD)
        return number

    return add


@pytest.fixture
def phones(
    exchange: Exchange,
    new_user: Callable[[], str],
    tmp_path: Path,
    ports: Ports,
    closing: ExitStack,
) -> Phones:
    """Return two users whose phones are sipp's."""
    users = Users(new_user(), new_user(), PASSWORD)
    return Phones(exchange, users, tmp_path, ports, closing)


@pytest.fixture
def new_talker(
    exchange: Exchange, new_user: Callable[[], str], closing: ExitStack
) -> Callable[..., TalkingPhone]:
    """Return a function that makes a phone of a user of its own (`ptime_ms`: its SDP's)."""

    def make(*, ptime_ms: int = 20, registered: bool = False) -> TalkingPhone:
        phone = TalkingPhone(exchange, new_user(), PASSWORD, ptime_ms=ptime_ms)
        closing.callback(phone.close)
        if registered:
            assert phone.register().status == 200
        return phone

    return make


Join = Callable[[], tuple[Call, Mouth, Mouth]]


@pytest.fixture
def join(new_talker: NewPhone, closing: ExitStack) -> Join:
    """Return a function that makes a call between two phones; it ends with the test."""

    def make() -> tuple[Call, Mouth, Mouth]:
        caller, callee = new_talker(), new_talker(registered=True)
        call = Call(caller, callee)
        closing.callback(call.hang_up)
        for phone, port in zip((caller, callee), call.ports, strict=True):
            phone.mouth.to = phone.exchange[0], port
        return call, caller.mouth, callee.mouth

    return make


def recorded(exchange: Exchange, *calls: Call, stereo: bool = True) -> list[Recorded]:
    """Have calls recorded from now on."""
    files = [Recorded(exchange, call.callee.number) for call in calls]
    for file in files:
        file.begin(stereo=stereo)
    for file in files:
        file.wait_running()
    return files


def sipp_mouth(sipp: Sipp, rtp: socket.socket) -> Mouth:
    """Return the mouth of a sipp, which has logged where its sound is to go."""

    def told() -> list[str]:
        return sipp.log.read_text().split()

    until(f"{sipp.name} is in a call", lambda: len(told()) >= 4, 30, why_not=sipp.why)
    mouth = Mouth(rtp)
    mouth.to = told()[2], int(told()[3])
    return mouth


KEYS = {"*": 3, "1": 4}
"""What begins a recording, and the numbers of the requests that tell of each key."""


def test_T3_1_a_recording_from_the_middle_on_asks_for_20_ms_at_the_next_change(
    exchange: Exchange, phones: Phones
) -> None:
    """Both are sipp; the caller says 30 ms, the called phone 40, and both again at the change."""
    changed = scenario.in_dialog("INVITE", cseq=5, sdp=True)
    text = scenario.xml(
        *scenario.authorized_invite(),
        scenario.expect(180, optional=True),
        *scenario.answered(),
        *(
            step
            for key, cseq in KEYS.items()
            for step in (pressed(key, cseq), scenario.expect(200))
        ),
        changed.replace("o=sipp [pid] 1", "o=sipp [pid] 2"),
        scenario.expect(100, optional=True),
        scenario.expect(200),
        scenario.ack(cseq=5),
        *scenario.hung_up(),
    )
    agreed = scenario.response("200 OK", sdp=True, retrans=True, tagged=True)
    answering = scenario.xml(
        *scenario.callee_answers(),
        scenario.expect("INVITE"),
        agreed.replace("o=sipp [pid] 1", "o=sipp [pid] 2"),
        scenario.expect("ACK", action='<action><log message="agreed"/></action>'),
        *scenario.hung_up(),
    )
    load = Load(patient=True)
    callee = phones.callee(answering.replace("ptime:20", "ptime:40"), load=load)
    caller = phones.caller(text.replace("ptime:20", "ptime:30"), load=load)
    until("they have agreed", lambda: "agreed" in callee.log.read_text(), 30, why_not=callee.why)
    (call,) = [one for one in exchange.running_calls() if one.called == phones.users.callee]
    assert call.recording
    exchange.call("hangup", call=call.id)
    caller.finish()
    callee.finish()
    assert told_of_packets(callee, 0) == ["30", "20"]
    assert told_of_packets(caller, 200) == ["40", "20"]


def pressed(key: str, cseq: int) -> str:
    """Return the step that tells of a key by INFO."""
    bare = scenario.in_dialog("INFO", cseq=cseq, extra=["Content-Type: application/dtmf-relay"])
    body = f"Signal={key}\nDuration=160"
    return bare.replace("Content-Length: 0\n\n\n", f"Content-Length: [len]\n\n{body}\n")


def told_of_packets(sipp: Sipp, status: int) -> list[str]:
    """Return what packets a phone has been asked for, by INVITEs (0) or by the answers to its own."""
    told: dict[str, str] = {}
    for one in seen(sipp):
        message = one.message
        if not one.sent and (message.method, message.status) == ("INVITE", status):
            # One that came twice counts once
            told[message.get("cseq")] = ",".join(re.findall(r"a=ptime:(\d+)", message.body))
    return [*told.values()]


def test_T3_2_phones_that_say_20_ms_and_send_30_and_40(
    exchange: Exchange, phones: Phones, ports: Ports, closing: ExitStack
) -> None:
    """Both are sipp, whose SDP says ``a=ptime:20``."""
    first = ports.block(4)
    ends = [closing.enter_context(socket.socket(type=socket.SOCK_DGRAM)) for _ in range(2)]
    for own, port in zip(ends, (first, first + 2), strict=True):
        own.bind(("127.0.0.1", port))
    callee = phones.callee(scenario.callee(), load=Load(rtp_ports=[first + 2], patient=True))
    caller = phones.caller(
        scenario.caller_waiting_for_bye(), load=Load(rtp_ports=[first], patient=True)
    )
    one, other = sipp_mouth(caller, ends[0]), sipp_mouth(callee, ends[1])
    call = Recorded(exchange, phones.users.callee)
    call.begin(stereo=False)
    call.wait_running()

    left, right = speech([30], 4.0), speech([40], 4.0)
    talk((one, left), (other, right))
    (mixed,) = call.whole(left.sound, right.sound)
    exchange.call("hangup", call=call.id)
    caller.finish()
    callee.finish()

    begins = []
    for said in (left.sound, right.sound):
        last = len(said) - RATE
        begin, end = (likeness(part, mixed)[0] for part in (said[:RATE], said[last:]))
        assert end - begin == last, "the clock of the mix runs away from a party"
        begins.append(begin)
    # Every sample of both is there, and nothing else.
    length = max(begins) + len(left.sound)
    alone = np.zeros((2, length), np.int32)
    for track, begin, said in zip(alone, begins, (left.sound, right.sound), strict=True):
        track[begin : begin + len(said)] = said
    assert np.array_equal(mixed[:length], alone.sum(axis=0))


def test_T3_3_every_pair_of_packet_lengths(exchange: Exchange, join: Join) -> None:
    """10, 20, 30, 40 and 60 ms, each with each, all at once."""
    pairs = [(one, other) for one in SIZES_MS for other in SIZES_MS]
    calls = [join() for _ in pairs]
    files = recorded(exchange, *(call for call, _, _ in calls))
    said = [tuple(speech([size], 2.0) for size in pair) for pair in pairs]
    talk(
        *(
            spoken
            for (_, one, other), (left, right) in zip(calls, said, strict=True)
            for spoken in ((one, left), (other, right))
        )
    )
    for pair, file, (left, right) in zip(pairs, files, said, strict=True):
        tracks = file.whole(left.sound, right.sound)
        assert len(tracks) == 2, pair
        for party, track in zip((left, right), tracks, strict=True):
            assert_said(party.sound, track)


@pytest.mark.parametrize("stereo", [True, False])
def test_T3_4_packets_change_their_length_in_mid_call(
    exchange: Exchange, join: Join, *, stereo: bool
) -> None:
    """By what is in them: SDP says 20 ms all the time."""
    call, one, other = join()
    (file,) = recorded(exchange, call, stereo=stereo)
    left = speech([20, 60, 10, 30, 40, 60, 60, 10], 2.0)
    right = speech([10] * 20 + [60] * 5 + [30, 20], 2.0)
    talk((one, left), (other, right))
    tracks = file.whole(left.sound, right.sound)
    if stereo:
        assert_said(left.sound, tracks[0])
        assert_said(right.sound, tracks[1])
        return
    assert_mixed(tracks[0], left.sound, right.sound)


def test_T3_5_loss_and_jitter_leave_silence_in_one_track_alone(
    exchange: Exchange, join: Join
) -> None:
    call, one, other = join()
    (file,) = recorded(exchange, call)
    said, right = speech([30], 2.1), speech([20], 2.1)
    left, wanted = through_a_bad_network(said, 30)
    talk((one, left), (other, right))
    heard, clean = file.whole(left.sound, right.sound)
    assert_said(wanted, heard)
    assert_said(right.sound, clean)


def test_T3_6_what_a_recorded_call_costs_is_told(tmp_path: Path) -> None:
    """The figures themselves are for a quiet machine: ``python tests/bench/recording_bench.py``."""
    bench = ["tests/bench/recording_bench.py", "--calls", "2", "--rounds", "1", "--seconds", "0.3"]
    done = subprocess.run(
        [sys.executable, *bench],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    told = [line for line in done.stdout.splitlines() if "of a core" in line]
    assert len(told) == 1, done.stdout
    assert told[0].startswith("a recorded call costs ")


def test_T3_7_without_a_recording_packets_pass_as_they_are(exchange: Exchange, join: Join) -> None:
    _, one, other = join()
    left, right = speech([10, 60, 30, 20, 40], 1.0), speech([40], 1.0)

    def all_has_come() -> bool:
        for mouth in (one, other):
            mouth.take_in()
        return (len(one.got), len(other.got)) == (len(right.packets), len(left.packets))

    talk((one, left), (other, right))
    until("every packet has come", all_has_come)
    for mouth, said in ((other, left), (one, right)):
        assert [packet[12:] for packet in mouth.got] == [one.data[12:] for one in said.packets]
        times = [int.from_bytes(packet[4:8], "big") for packet in mouth.got]
        sent = [int.from_bytes(one.data[4:8], "big") for one in said.packets]
        assert [at - times[0] for at in times] == sent


@pytest.mark.parametrize("number", ["*43", "*45", "*46", "*6*1"])
def test_T3_7_our_own_sound_comes_in_packets_of_the_length_asked_for(
    exchange: Exchange, new_talker: NewPhone, number: str
) -> None:
    """The echo, the milliwatt, music, a conference room; the phones send other lengths themselves."""
    phones = {size: new_talker(ptime_ms=size) for size in SIZES_MS}
    for size, phone in phones.items():
        invite = phone.invite(number)
        accepted = phone.response(invite)
        assert accepted.status == 200
        phone.acknowledge(invite, accepted)
        lines = accepted.body.decode().splitlines()
        assert f"a=ptime:{size}" in lines
        audio = next(line for line in lines if line.startswith("m=audio"))
        phone.mouth.to = phone.exchange[0], int(audio.split()[1])
    talk(
        *((phone.mouth, speech([30 if size != 30 else 20], 0.6)) for size, phone in phones.items())
    )

    def enough() -> bool:
        for phone in phones.values():
            phone.mouth.take_in()
        return all(len(phone.mouth.got) >= 5 for phone in phones.values())

    until("sound comes", enough)
    for size, phone in phones.items():
        assert set(phone.mouth.sizes_ms) == {size}
    for call in exchange.running_calls():
        exchange.call("hangup", call=call.id)
    for phone in phones.values():
        phone.answer(phone.request("BYE"), 200)


@pytest.mark.parametrize("size_ms", [10, 30, 40, 60])
def test_T3_7_our_own_sound_comes_to_sipp_in_packets_of_the_length_it_asks_for(
    exchange: Exchange, phones: Phones, ports: Ports, closing: ExitStack, size_ms: int
) -> None:
    """Music; the SDP is sipp's, and the packets come where it says."""
    port = ports.block(2)
    own = closing.enter_context(socket.socket(type=socket.SOCK_DGRAM))
    own.bind(("127.0.0.1", port))
    text = scenario.caller_waiting_for_bye().replace("ptime:20", f"ptime:{size_ms}")
    load = Load(rtp_ports=[port], patient=True)
    caller = phones.caller(text, number="*46", load=load)
    mouth = sipp_mouth(caller, own)

    def enough() -> bool:
        mouth.take_in()
        return len(mouth.got) >= 5

    until("sound comes", enough, why_not=caller.why)
    assert set(mouth.sizes_ms) == {size_ms}
    (call,) = [one for one in exchange.running_calls() if one.caller == phones.users.caller]
    exchange.call("hangup", call=call.id)
    caller.finish()
