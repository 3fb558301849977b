"""What Asterisk does besides what every phone does, over each of its transports."""

import pytest

from tests.interop.asterisk import Asterisk
from tests.interop.conftest import ASTERISK_HZ, EARLY_HZ, KEYS, LINES, OTHER_HZ, THIRD_HZ, NewPhone
from tests.interop.devices import ENOUGH_S, AsteriskDevice, BaresipDevice, PjsuaDevice
from tests.interop.exchange import Exchange
from tests.interop.phones import Users

pytestmark = [pytest.mark.interop, pytest.mark.usefixtures("afresh")]


@pytest.fixture(params=LINES)
def line(request: pytest.FixtureRequest, asterisk: Asterisk) -> AsteriskDevice:
    """Return a line; the test is done by each transport."""
    return AsteriskDevice(asterisk, LINES[request.param] + KEYS["rfc4733"])


def _talk(line: AsteriskDevice, other: BaresipDevice) -> None:
    line.dial(other.number)
    line.wait_tone(OTHER_HZ)
    other.wait_tone(ASTERISK_HZ)


def test_who_calls_it_gives_up(
    exchange: Exchange, line: AsteriskDevice, other: BaresipDevice
) -> None:
    before = len(exchange.records())
    line.asterisk.incoming("ring")
    other.dial(line.number)
    call = line.call
    other.wait("CALL_RINGING")
    other.hang_up()
    call.wait_ended()
    exchange.wait_idle()
    (record,) = exchange.wait_records(before + 1)[before:]
    assert (record["called_number"], record["talk_time"]) == (line.number, "")


def test_it_is_heard_before_it_answers(
    exchange: Exchange, line: AsteriskDevice, other: BaresipDevice
) -> None:
    line.asterisk.incoming("early")
    other.dial(line.number)
    other.wait("CALL_PROGRESS")
    other.wait_tone(ASTERISK_HZ)
    assert not other.told("CALL_ESTABLISHED")
    line.call.go("talk")
    other.wait("CALL_ESTABLISHED")
    line.wait_tone(OTHER_HZ)
    other.hang_up()
    line.call.wait_ended()


def test_keys_by_info(line: AsteriskDevice, early: PjsuaDevice) -> None:
    """INFO comes as INFO, both ways, where who answers takes no telephone-events."""
    line = AsteriskDevice(line.asterisk, line.number[:-1] + KEYS["info"])
    line.dial(early.number)
    line.wait_tone(EARLY_HZ)
    early.answer()
    early.wait_tone(ASTERISK_HZ)
    line.press("15#")
    early.wait_keys("15#")
    early.press_by_info("79*")
    line.wait_keys("79*")
    line.hang_up()


def test_keys_as_tones(
    exchange: Exchange, line: AsteriskDevice, users: Users, new_phone: NewPhone
) -> None:
    """Both ways, where the exchange stands between tones and telephone-events."""
    line = AsteriskDevice(line.asterisk, line.number[:-1] + KEYS["inband"])
    phone = new_phone(users.caller, exchange.host, OTHER_HZ, codec="g722/16000/1", rate_hz=16000)
    other = BaresipDevice(phone)
    other.dial(line.number)
    line.wait_tone(OTHER_HZ)
    other.wait_tone(ASTERISK_HZ)
    line.press("15#")
    other.wait_keys("15#")
    line.asterisk.wait("UserEvent", UserEvent="KeysSent", Uniqueid=line.call.id)
    # Who dials is quiet: over another tone Asterisk finds none
    other.phone.command("mute")
    for number, key in enumerate("79*", 1):
        other.press(key)
        line.wait_keys("79*"[:number])
    line.hang_up()
    other.wait("CALL_CLOSED")


def test_hold(
    exchange: Exchange, line: AsteriskDevice, other: BaresipDevice, third: BaresipDevice
) -> None:
    """It connects two calls of its own; who holds one has it hold the other."""
    asterisk = line.asterisk
    calls = [asterisk.dial(line.number, phone.number) for phone in (other, third)]
    for call in calls:
        call.wait_talking()
    asterisk.ami.ask("Bridge", Channel1=calls[0].channel, Channel2=calls[1].channel)
    # It has told each by a re-INVITE whom it talks with: only packets count from there on
    other.wait_sound(THIRD_HZ)
    third.wait_sound(OTHER_HZ)
    third.hold()
    other.wait_silence(THIRD_HZ)
    third.resume()
    other.wait_sound(THIRD_HZ)
    third.wait_sound(OTHER_HZ)
    third.hang_up()
    # It goes on with the other one by itself
    calls[1].wait_ended()
    calls[0].hang_up()
    other.wait("CALL_CLOSED")


@pytest.mark.parametrize("method", ["invite", "update"])
def test_it_refreshes(
    exchange: Exchange, line: AsteriskDevice, other: BaresipDevice, method: str
) -> None:
    """RFC 3261 §14, RFC 3311: the sound goes on."""
    _talk(line, other)
    line.call.go("refresh", METHOD=method)
    heard = line.sound(OTHER_HZ)
    line.call.wait_heard(OTHER_HZ, heard + ENOUGH_S)
    other.wait_sound(ASTERISK_HZ)
    line.hang_up()
    other.wait("CALL_CLOSED")


def _are_connected(line: AsteriskDevice, third: BaresipDevice) -> None:
    """It records whom it hears: where numbers went back, Asterisk's recordings would be silent."""
    third.wait_tone(ASTERISK_HZ)
    line.wait_tone(THIRD_HZ)
    third.hang_up()
    line.call.wait_ended()


def test_it_is_transferred(
    exchange: Exchange, line: AsteriskDevice, other: BaresipDevice, third: BaresipDevice
) -> None:
    other.dial(line.number)
    line.wait_tone(OTHER_HZ)
    other.wait_tone(ASTERISK_HZ)
    other.transfer(f"sip:{third.number}@{exchange.host}")
    _are_connected(line, third)


def test_it_is_transferred_by_replaces(
    exchange: Exchange, line: AsteriskDevice, early: PjsuaDevice, third: BaresipDevice
) -> None:
    """Who transfers it has held it, and talked with the third one, before."""
    early.dial(line.number)
    line.wait_tone(EARLY_HZ)
    early.wait_tone(ASTERISK_HZ)
    early.hold()
    line.wait_silence(EARLY_HZ)
    early.dial(third.number)
    third.wait_tone(EARLY_HZ)
    early.join()
    _are_connected(line, third)
