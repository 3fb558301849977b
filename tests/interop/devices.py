"""Phones of several makes behind one face: what each of them is asked to do in every test."""

import time
from abc import ABC, abstractmethod
from typing import Any
from urllib.parse import quote

from tests.interop.asterisk import Asterisk, AsteriskCall
from tests.interop.baresip import Baresip
from tests.interop.linphone import Linphone
from tests.interop.pjsua_talker import PjsuaTalker
from tests.interop.tones import heard_seconds
from tests.interop.waiting import until, until_still

ENOUGH_S = 0.5
"""Of a tone, to say that a phone hears it."""

_PACKETS = 25
"""In that time."""


class Device(ABC):
    """A registered phone that answers by itself; it has one call, two where it transfers."""

    number: str

    @abstractmethod
    def begin(self) -> None:
        """Forget what earlier calls have brought."""

    @abstractmethod
    def dial(self, number: str) -> None:
        """Call a number of the exchange."""

    @abstractmethod
    def hang_up(self) -> None:
        """End the call, or give it up."""

    @abstractmethod
    def sound(self, tone_hz: float) -> float:
        """Return what grows by `enough` while it hears the tone for `ENOUGH_S`, or any sound."""

    enough = ENOUGH_S

    def tone_s(self, tone_hz: float) -> float:
        """Return for how long it has heard the tone since `begin`, in a call without re-INVITEs."""
        return self.sound(tone_hz)

    @abstractmethod
    def press(self, keys: str) -> None:
        """Send keys as telephone-events."""

    @abstractmethod
    def keys(self) -> str:
        """Return the keys that have come."""

    @abstractmethod
    def transfer(self, uri: str) -> None:
        """Transfer the other party to somebody that it hasn't called."""

    @abstractmethod
    def why(self) -> str:
        """Return what the program has to say."""

    def wait_tone(self, tone_hz: float) -> None:
        """Wait until it has heard the tone for `ENOUGH_S`, in a call without re-INVITEs."""
        until(
            f"{self.number} hears {tone_hz:g} Hz",
            lambda: self.tone_s(tone_hz) >= ENOUGH_S,
            why_not=self.why,
        )

    def wait_sound(self, tone_hz: float) -> None:
        """Wait until it hears the tone, from now on."""
        before = self.sound(tone_hz)
        until(
            f"{self.number} hears {tone_hz:g} Hz",
            lambda: self.sound(tone_hz) >= before + self.enough,
            why_not=self.why,
        )

    def wait_silence(self, tone_hz: float) -> None:
        """Wait until it doesn't hear the tone any more."""
        until_still(f"what {self.number} hears", lambda: self.sound(tone_hz))

    def wait_keys(self, keys: str) -> None:
        """Wait until these keys have come, each once."""
        until(
            f"{self.number} gets the keys {keys}",
            lambda: self.keys() == keys,
            why_not=lambda: f"it got {self.keys()}\n{self.why()}",
        )


class HoldingDevice(Device):
    """One that can hold its call."""

    @abstractmethod
    def hold(self) -> None:
        """Hold the call."""

    @abstractmethod
    def resume(self) -> None:
        """Take the call up again."""


class BaresipDevice(HoldingDevice):
    """baresip, which records nothing more after a re-INVITE: packets are counted instead."""

    enough = _PACKETS

    def __init__(self, phone: Baresip) -> None:
        self.phone = phone
        self.number = phone.number
        self.begin()

    def begin(self) -> None:
        self._mark = self.phone.mark
        self._packets = self._last = 0
        self._begun_ns = time.time_ns()

    def tone_s(self, tone_hz: float) -> float:
        # A call within the same second has the same file again
        files = self.phone.recordings()
        new = [path for path in files if path.stat().st_mtime_ns > self._begun_ns]
        return sum(heard_seconds(path, tone_hz) for path in new)

    def wait(self, kind: str) -> None:
        """Wait for an event of baresip's, from the last `begin` on."""
        self.phone.wait_event(kind, after=self._mark)

    def told(self, kind: str) -> bool:
        """Whether it has told of such an event, from the last `begin` on."""
        return bool(self.phone.events(kind, self._mark))

    def dial(self, number: str) -> None:
        self.phone.dial(number)

    def hang_up(self) -> None:
        self.phone.hang_up()

    def sound(self, tone_hz: float) -> float:
        count = self.phone.try_packets_received()
        if count is None:
            return self._packets
        # It counts anew when its stream is
        self._packets += count - self._last if count >= self._last else count
        self._last = count
        return self._packets

    def hold(self) -> None:
        self.phone.command("hold")

    def resume(self) -> None:
        self.phone.command("resume")

    def press(self, keys: str) -> None:
        for key in keys:
            self.phone.command("sndcode", key)

    def keys(self) -> str:
        return "".join(event.param for event in self.phone.events("CALL_DTMF_START", self._mark))

    def transfer(self, uri: str) -> None:
        self.phone.command("transfer", uri)

    def why(self) -> str:
        return self.phone.why()


class LinphoneDevice(HoldingDevice):
    """linphonec."""

    def __init__(self, phone: Linphone) -> None:
        self.phone = phone
        self.number = phone.number
        self.begin()

    def begin(self) -> None:
        self.phone.record_anew()
        self._said = len(self.phone.program.said())

    def dial(self, number: str) -> None:
        self.phone.dial(number)

    def hang_up(self) -> None:
        self.phone.hang_up()

    def sound(self, tone_hz: float) -> float:
        return self.phone.heard_s(tone_hz)

    def hold(self) -> None:
        self.phone.command("pause")

    def resume(self) -> None:
        self.phone.command("resume")

    def press(self, keys: str) -> None:
        self.phone.command(keys)

    def keys(self) -> str:
        return "".join(self.phone.keys(self._said))

    def transfer(self, uri: str) -> None:
        self.phone.command(f"transfer {uri}")

    def join(self) -> None:
        """Transfer the party of its first call to that of its second."""
        first, second = sorted(self.phone.calls())[-2:]
        self.phone.command(f"transfer {first} --to-call {second}")

    def why(self) -> str:
        return self.phone.program.last_words()


class PjsuaDevice(HoldingDevice):
    """pjsua2, also behind a proxy."""

    def __init__(self, phone: PjsuaTalker) -> None:
        self.phone = phone
        self.number = phone.number
        self.begin()

    @property
    def call(self) -> int:
        """The number of its newest call."""
        begun = [one["value"] for one in self.phone.happenings() if one["what"] in _BEGUN]
        return max(begun, default=0)

    def begin(self) -> None:
        self._done = self.call

    def dial(self, number: str) -> None:
        before = self.call
        self.phone.dial(number)
        until("pjsua dials", lambda: self.call > before, why_not=self.why)

    def hang_up(self) -> None:
        self.phone.command(do="hangup", call=self.call)

    def sound(self, tone_hz: float) -> float:
        return self.phone.heard_s(self.call, tone_hz) if self.call > self._done else 0.0

    def hold(self) -> None:
        self.phone.command(do="hold", call=self.call)

    def resume(self) -> None:
        self.phone.command(do="resume", call=self.call)

    def press(self, keys: str) -> None:
        self.phone.command(do="press", call=self.call, keys=keys, info=False)

    def press_by_info(self, keys: str) -> None:
        """Send keys by INFO."""
        self.phone.command(do="press", call=self.call, keys=keys, info=True)

    def keys(self) -> str:
        told = [one for one in self.phone.happenings() if one["what"] == "key"]
        return "".join(one["value"] for one in told if one["call"] == self.call)

    def transfer(self, uri: str) -> None:
        self.phone.command(do="transfer", call=self.call, uri=uri)

    def join(self) -> None:
        """Transfer the party of its first call to that of its second."""
        self.phone.command(do="join", call=self.call - 1, **{"with": self.call})

    def answer(self) -> None:
        """Answer its newest call, which has been ringing."""

        def answered() -> bool:
            return any(one["value"] == "CONFIRMED" for one in self.since())

        self.phone.answer(self.call)
        until("pjsua has answered", answered, why_not=self.why)

    def since(self) -> list[dict[str, Any]]:
        """Return what it has told of its newest call."""
        return [one for one in self.phone.happenings() if one.get("call") == self.call]

    def why(self) -> str:
        return self.phone.program.last_words()


class AsteriskDevice(Device):
    """One line of Asterisk's. It holds nothing by itself."""

    def __init__(self, asterisk: Asterisk, number: str) -> None:
        self.asterisk = asterisk
        self.number = number
        asterisk.incoming("talk")
        self.begin()

    def begin(self) -> None:
        self._calls: list[AsteriskCall] = []

    @property
    def call(self) -> AsteriskCall:
        """Its newest call; where it has made none, the next one that comes."""
        if not self._calls:
            self._calls.append(self.asterisk.called(self.number))
        return self._calls[-1]

    def dial(self, number: str) -> None:
        self._calls.append(self.asterisk.dial(self.number, number))

    def hang_up(self) -> None:
        self.call.hang_up()

    def sound(self, tone_hz: float) -> float:
        return self.call.heard_s(tone_hz)

    def press(self, keys: str) -> None:
        self.call.press(keys)

    def keys(self) -> str:
        return self.call.keys()

    def transfer(self, uri: str) -> None:
        assert self.call.transfer(uri)["Status"] == "SUCCESS"

    def join(self) -> None:
        """Transfer the party of its first call to that of its second."""
        first, second = self._calls
        replaces = quote(second.replacing(), safe="")
        # Asterisk writes into Refer-To what it is given: a URI with ? has to stand in <> there
        uri = f"<sip:{second.number}@{self.asterisk.exchange.host}?Replaces={replaces}>"
        assert first.transfer(uri)["Status"] == "SUCCESS"

    def why(self) -> str:
        return self.asterisk.why()


_BEGUN = ("dialled", "incoming")
