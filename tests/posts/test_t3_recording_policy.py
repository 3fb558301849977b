"""T3.1, T3.7: which calls are recorded, by themselves and by a code, and what their parties are told.

The phones are baresip, sipp and a phone that sounds keys; the far end of the trunk is sipp, or another
baresip, whose keys must mean nothing.
"""

import json
import re
import shutil
import threading
import wave
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from tests.carriers import steps
from tests.carriers.lines import add_line, wait_usable
from tests.carriers.odd import OddCarrier, seen
from tests.interop import net_phone, scenario
from tests.interop.baresip import Baresip
from tests.interop.conftest import PASSWORD
from tests.interop.conversation import two_phones
from tests.interop.devices import BaresipDevice
from tests.interop.exchange import Exchange, Record
from tests.interop.net_phone import NetPhone
from tests.interop.ports import Ports
from tests.interop.sipp import Account, Load, Sipp
from tests.interop.tones import LEVEL_DB, Recording, read_recording, write_tone
from tests.interop.waiting import until
from tests.media.kernels.sound import sine
from tests.media.keypad import dialled
from tests.posts.conftest import FIRST, SECOND

pytestmark = [pytest.mark.interop, pytest.mark.timeout(180)]

NewPhone = Callable[..., Baresip]

LOW_HZ, HIGH_HZ, ANNOUNCED_HZ, BEEP_HZ = 450.0, 850.0, 1250.0, 1400.0
TALK_S = 2.0
OUTSIDE = "030123"


@pytest.fixture(autouse=True)
def users(exchange: Exchange) -> Iterator[None]:
    """Have the users as they were, and no call, after the test."""
    yield
    for call in exchange.running_calls():
        exchange.call("hangup", call=call.id)
    for number in (FIRST, SECOND):
        give(exchange, number, record="off", record_by_code=True)
    exchange.wait_idle()
    exchange.assert_sane()


@pytest.fixture
def trunk(exchange: Exchange, closing: ExitStack) -> Callable[..., None]:
    """Return a function that adds a SIP trunk, until the test is over."""

    def add(server: str, **options: object) -> None:
        add_line(exchange, "peer", kind="sip-trunk", server=server, **options)
        closing.callback(lambda: exchange.call("line.remove", name="peer"))
        wait_usable(exchange, "peer")

    return add


def give(exchange: Exchange, number: str, **rights: object) -> None:
    exchange.call("user.set", number=number, options=json.dumps(rights))


def tracks(path: Path) -> list[Recording]:
    with wave.open(str(path), "rb") as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2")
        each = samples.reshape(-1, file.getnchannels()).T
        return [Recording(one.astype(np.float64) / 32767, file.getframerate()) for one in each]


def recorded(exchange: Exchange) -> list[bool]:
    return [call.recording for call in exchange.running_calls()]


def wait_recorded(exchange: Exchange, wanted: bool = True) -> None:
    until(f"recorded: {wanted}", lambda: recorded(exchange) == [wanted], why_not=exchange.why)


def running(exchange: Exchange) -> str:
    """Return the name of the only call, when there is one."""
    calls = until("a call", exchange.running_calls, why_not=exchange.why)
    assert len(calls) == 1
    return calls[0].id


def record_of(exchange: Exchange, call_id: str) -> Record:
    """Wait for the record of a call that ends."""

    def found() -> Record | None:
        ours = (one for one in exchange.records() if one["record_id"].startswith(call_id))
        return next(ours, None)

    return until("the call's record", found, 15, why_not=exchange.why)


def files_of(exchange: Exchange, call_id: str) -> list[Path]:
    """Wait for the record of a call that ends; return the files that it names, which are whole."""
    fci = record_of(exchange, call_id).fci
    named = [exchange.folder / "record" / one for one in fci.get("recording", "").split(",") if one]
    for path in named:
        until(f"{path} is there", path.exists, why_not=exchange.why)
        until(f"{path} is written", partial(_is_closed, exchange, path), why_not=exchange.why)
        assert tracks(path)[0].seconds > 0
    return named


def _is_closed(exchange: Exchange, path: Path) -> bool:
    """Whether the media engine, which has made a file, is done with it."""
    for one in Path(f"/proc/{exchange.status().engine_pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # another one, closed meanwhile
            if one.samefile(path):
                return False
    return True


def talk(caller: Baresip, callee: Baresip) -> None:
    """Wait until each has heard the other's tone for some time more."""
    heard = caller.heard_s(HIGH_HZ), callee.heard_s(LOW_HZ)
    caller.wait_heard(HIGH_HZ, heard[0] + TALK_S)
    callee.wait_heard(LOW_HZ, heard[1] + TALK_S)


def call(caller: Baresip, callee: Baresip) -> None:
    caller.dial(callee.number)
    callee.wait_event("CALL_ESTABLISHED")
    caller.wait_event("CALL_ESTABLISHED")
    talk(caller, callee)


def beside(phone: Baresip, hertz: float) -> float:
    """For how long a phone has heard a tone, perhaps beside another one and softer than that."""
    return sum(
        0.02
        * np.count_nonzero(
            np.abs(read_recording(path).windows(hertz)) > 10 ** ((LEVEL_DB - 14) / 20)
        )
        for path in phone.recordings()
    )


def assert_both_are_heard(recording: Recording, *, at_least_s: float) -> None:
    """Both parties' tones are in one track, as loud as they were said."""
    for hertz in (LOW_HZ, HIGH_HZ):
        said = recording.talking(hertz)
        assert said.seconds >= at_least_s
        assert abs(said.level_db(hertz) - LEVEL_DB) < 1.5


# ---------------------------------------------------------------- by themselves


def test_T3_1_a_users_calls_are_recorded_from_the_answer_on(
    exchange: Exchange, new_phone: NewPhone
) -> None:
    give(exchange, SECOND, record="all")
    callee = new_phone(SECOND, exchange.host, HIGH_HZ)
    caller = new_phone(FIRST, exchange.host, LOW_HZ)
    call(caller, callee)
    assert recorded(exchange) == [True]
    name = running(exchange)
    assert "recorded" in exchange.minisip("calls")
    caller.hang_up()
    exchange.wait_idle()

    (path,) = files_of(exchange, name)
    assert re.fullmatch(rf"\d{{6}}_{FIRST}_{SECOND}_{name}\.wav", path.name)
    (whole,) = tracks(path)
    record = record_of(exchange, name)
    assert "recordingFailure" not in record.fci
    # From the answer to the end: what is missing is the way of the first packets and of the last
    assert abs(whole.seconds - record.talk_s) < 1.0
    assert_both_are_heard(whole, at_least_s=TALK_S)


@pytest.fixture
def over_a_trunk(
    exchange: Exchange,
    tmp_path: Path,
    ports: Ports,
    closing: ExitStack,
    trunk: Callable[..., None],
) -> Callable[[str], tuple[OddCarrier, str, list[str]]]:
    """Return a function that makes a call by a trunk with an option `record`, from packets of 30 ms to 40 ms.

    It returns the far end, the call's name, and of what packets the far end and the caller were told.
    """

    def make(record: str) -> tuple[OddCarrier, str, list[str]]:
        carrier = OddCarrier(
            tmp_path, ports, steps.FAR_END.replace("ptime:20", "ptime:40"), closing
        )
        trunk(carrier.host, record=record, destination=SECOND)
        own = Account(FIRST, PASSWORD, ports.one(), 0, exchange.host)
        own = Account(own.user, own.password, own.port, own.port, own.server)
        load = Load(talk_ms=1500, rtp_ports=(ports.block(4),), echo=True, traced=True)
        text = scenario.caller().replace("ptime:20", "ptime:30")
        caller = Sipp("caller", tmp_path, text, own, number=f"9{OUTSIDE}", load=load)
        closing.callback(caller.close)
        name = running(exchange)
        caller.finish()
        exchange.wait_idle()
        told = [carrier.got("INVITE").message.body]
        told += [
            one.message.body
            for one in seen(caller)
            if not one.sent and one.message.status == 200 and one.message.method == "INVITE"
        ]
        assert len(told) == 2
        return carrier, name, [",".join(re.findall(r"a=ptime:(\d+)", body)) for body in told]

    return make


def test_T3_1_a_trunks_calls_are_asked_for_20_ms_and_recorded(
    exchange: Exchange,
    new_phone: NewPhone,
    over_a_trunk: Callable[[str], tuple[OddCarrier, str, list[str]]],
) -> None:
    carrier, name, told = over_a_trunk("outgoing")
    # Neither party hears of what the other one has asked for
    assert told == ["20", "20"]
    (path,) = files_of(exchange, name)
    assert f"_{FIRST}_" in path.name

    # What comes in by it is none of those calls
    phone = new_phone(SECOND, exchange.host, LOW_HZ, answer="manual")
    calling = carrier.call(
        SECOND, steps.calling(), server=f"127.0.0.1:{exchange.port}", name="calling-in"
    )
    phone.wait_event("CALL_INCOMING")
    phone.command("accept")
    phone.wait_event("CALL_ESTABLISHED")
    assert recorded(exchange) == [False]
    calling.finish()


def test_T3_7_what_is_not_recorded_is_passed_on_as_it_is(
    exchange: Exchange, over_a_trunk: Callable[[str], tuple[OddCarrier, str, list[str]]]
) -> None:
    _, name, told = over_a_trunk("incoming")
    assert told == ["30", "40"]
    assert files_of(exchange, name) == []


# ---------------------------------------------------------------- by a code


def test_T3_1_a_user_records_by_keys_and_nobody_outside_does(
    exchange: Exchange,
    tmp_path: Path,
    ports: Ports,
    closing: ExitStack,
    new_phone: NewPhone,
    trunk: Callable[..., None],
) -> None:
    far = Baresip(
        tmp_path / "far",
        ports,
        number=OUTSIDE,
        password=PASSWORD,
        server=exchange.host,
        tone_hz=HIGH_HZ,
        register_s=0,
    )
    closing.callback(far.close)
    trunk(far.sip)
    phone = new_phone(FIRST, exchange.host, LOW_HZ)
    phone.dial(f"9{OUTSIDE}")
    far.wait_event("CALL_ESTABLISHED")
    phone.wait_event("CALL_ESTABLISHED")
    talk(phone, far)
    mine, theirs = BaresipDevice(phone), BaresipDevice(far)

    theirs.press("*1")
    until("the keys are heard", lambda: mine.keys() == "*1", why_not=phone.why)
    assert recorded(exchange) == [False]

    mine.press("*1")
    wait_recorded(exchange)
    # They reach the far end all the same, as all that are passed on
    until("the keys are heard", lambda: theirs.keys() == "*1", why_not=far.why)
    until("a beep", lambda: beside(phone, BEEP_HZ) > 0.1, why_not=phone.why)
    talk(phone, far)
    assert beside(far, BEEP_HZ) < 0.05

    theirs.press("*1")
    until("the keys are heard", lambda: mine.keys() == "*1*1", why_not=phone.why)
    assert recorded(exchange) == [True]
    mine.press("*1")
    wait_recorded(exchange, False)
    until("the keys are heard", lambda: theirs.keys() == "*1*1", why_not=far.why)
    name = running(exchange)
    phone.hang_up()
    exchange.wait_idle()
    # One file: if the far end's keys had begun or ended a recording, there would be two
    (path,) = files_of(exchange, name)
    (whole,) = tracks(path)
    assert_both_are_heard(whole, at_least_s=TALK_S - 0.5)


@pytest.mark.parametrize("form", ["info", "tones"])
def test_T3_1_by_keys_in_other_forms(
    exchange: Exchange, new_phone: NewPhone, closing: ExitStack, form: str
) -> None:
    """Tones are found where the sound is decoded: here, for a phone with another codec."""
    other = ("g722/16000/1", 16000) if form == "tones" else ("pcmu", 8000)
    new_phone(SECOND, exchange.host, HIGH_HZ, codec=other[0], rate_hz=other[1])
    caller = NetPhone(exchange.port, FIRST, PASSWORD)
    closing.callback(caller.close)
    tone = sine(round(LOW_HZ), 4 * caller.rate, caller.rate, peak=8000)
    if form == "tones":
        tone = np.concatenate([dialled("*1", caller.rate), tone])
    # So its coder is compiled before the call, whose other party's tone won't wait for that
    caller.deliveries(tone, net_phone.Path())
    caller.call(SECOND)
    talk = threading.Thread(
        target=net_phone.converse, args=([(caller, tone, net_phone.Path())], [])
    )
    talk.start()
    try:
        until("the caller talks", lambda: caller.sent, 60)
        for digit in "*1" if form == "info" else "":
            body = f"Signal={digit}\r\nDuration=160\r\n".encode()
            kind = ("Content-Type", "application/dtmf-relay")
            assert caller.within("INFO", kind, body=body).status == 200
        wait_recorded(exchange)
    finally:
        talk.join()
    name = running(exchange)
    caller.hang_up()
    exchange.wait_idle()
    (path,) = files_of(exchange, name)
    assert f"_{FIRST}_{SECOND}_" in path.name


def test_T3_1_a_user_who_may_not_record_by_the_code(
    exchange: Exchange, new_phone: NewPhone
) -> None:
    give(exchange, FIRST, record_by_code=False)
    callee = new_phone(SECOND, exchange.host, HIGH_HZ)
    caller = new_phone(FIRST, exchange.host, LOW_HZ)
    call(caller, callee)
    mine, other = BaresipDevice(caller), BaresipDevice(callee)
    mine.press("*1")
    until("the keys are heard", lambda: other.keys() == "*1", why_not=callee.why)
    assert recorded(exchange) == [False]
    other.press("*1")
    wait_recorded(exchange)
    talk(caller, callee)
    # Had the first code begun a recording, the second one would have ended it
    assert recorded(exchange) == [True]
    name = running(exchange)
    caller.hang_up()
    exchange.wait_idle()
    (path,) = files_of(exchange, name)
    (whole,) = tracks(path)
    assert_both_are_heard(whole, at_least_s=TALK_S - 0.5)


# ---------------------------------------------------------------- what goes wrong, what is said


def test_T3_1_a_call_that_cannot_be_recorded_goes_on(
    exchange: Exchange, new_phone: NewPhone, closing: ExitStack
) -> None:
    folder = exchange.folder / "record"
    kept = folder.with_name("record-kept")
    folder.rename(kept)
    folder.write_text("no folder")

    def put_back() -> None:
        folder.unlink()
        kept.rename(folder)

    closing.callback(put_back)
    give(exchange, FIRST, record="all")
    callee = new_phone(SECOND, exchange.host, HIGH_HZ)
    caller = new_phone(FIRST, exchange.host, LOW_HZ)
    call(caller, callee)
    assert recorded(exchange) == [False]
    assert "could not be recorded" in exchange.problems()
    name = running(exchange)
    caller.hang_up()
    assert files_of(exchange, name) == []
    assert record_of(exchange, name).fci["recordingFailure"]


@pytest.mark.parametrize("announce", ["announcement.wav", "tone"])
def test_T3_1_both_parties_hear_that_they_are_recorded(
    new_exchange: Callable[..., Exchange],
    new_phone: NewPhone,
    announce: str,
    tmp_path: Path,
) -> None:
    announcing = new_exchange(top=f'[recording]\nstereo = true\nannounce = "{announce}"')
    write_tone(tmp_path / "announcement.wav", ANNOUNCED_HZ, 1.5)
    shutil.copy(tmp_path / "announcement.wav", announcing.folder)
    own = announcing.passwords()
    give(announcing, "101", record="all")
    callee = new_phone("101", announcing.host, HIGH_HZ, password=own["101"])
    caller = new_phone("100", announcing.host, LOW_HZ, password=own["100"])
    hertz, seconds = (ANNOUNCED_HZ, 1.0) if announce != "tone" else (BEEP_HZ, 0.15)
    caller.dial("101")
    caller.wait_event("CALL_ESTABLISHED")
    for phone in (caller, callee):
        heard = partial(beside, phone, hertz)
        until(f"{phone.number} hears it", lambda one=heard: one() >= seconds, why_not=phone.why)  # type: ignore[misc]
    talk(caller, callee)
    name = running(announcing)
    caller.hang_up()
    announcing.wait_idle()
    (path,) = files_of(announcing, name)
    left, right = tracks(path)
    for track, said, other in ((left, LOW_HZ, HIGH_HZ), (right, HIGH_HZ, LOW_HZ)):
        assert track.talking(said).seconds >= TALK_S - 0.5
        assert track.talking(said).level_db(other) < LEVEL_DB - 30
        # What is said to them isn't what they have said
        assert track.level_db(hertz) < LEVEL_DB - 30
    announcing.assert_sane()


def test_T3_1_both_parties_hear_a_tone_where_the_announcement_cannot_be_played(
    new_exchange: Callable[..., Exchange], new_phone: NewPhone
) -> None:
    announcing = new_exchange(top='[recording]\nannounce = "announcement.wav"')
    path = announcing.folder / "announcement.wav"
    assert f"{path}, cannot be read: No such file or directory" in announcing.problems()
    path.write_bytes(b"ID3")
    until(
        "it is no WAV file",
        lambda: f"{path}, is no WAV file" in announcing.problems(),
        20,
        why_not=announcing.why,
    )
    give(announcing, "101", record="all")
    caller, callee = two_phones(announcing, new_phone)
    caller.dial("101")
    for phone in (caller, callee):
        heard = partial(beside, phone, BEEP_HZ)
        until(f"{phone.number} hears it", lambda one=heard: one() >= 0.15, why_not=phone.why)  # type: ignore[misc]
    assert recorded(announcing) == [True]
    write_tone(path, ANNOUNCED_HZ, 1.5)
    until(
        "it is mended",
        lambda: "announcement" not in announcing.problems(),
        20,
        why_not=announcing.problems,
    )
    caller.hang_up()
    announcing.wait_idle()
    announcing.assert_sane()
