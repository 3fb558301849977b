"""Phones whose sound ends in the engine: they talk in real time and keep what they hear."""

import contextlib
import struct
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pbx.media import codecs
from pbx.media.protocol import Stream, Voice
from tests.media.engine_process import Link, Phone, stream
from tests.media.kernels.coders import Decoder, Encoder, decoder, encoder
from tests.media.kernels.sound import Sound, sine, tone_level
from tests.media.levels_reader import Extended, read_extended

PEAK = 8000.0
LEVEL = -15.3
"""dBov of a sine of that peak."""

STEP_S = 0.01

PCMU, PCMA, G722, L16 = 0, 8, 9, 96
EVENTS = 101


@dataclass
class Packet:
    """One RTP packet that a phone has got."""

    payload_type: int
    marker: bool
    sequence: int
    timestamp: int
    ssrc: int
    payload: bytes
    ahead: Extended = field(default_factory=Extended)
    """What stands between the header and the payload."""


def parse(data: bytes, *, extended: bool = False) -> Packet:
    """Read a packet; a plain one has nothing between its header and its payload."""
    first, second, sequence, timestamp, ssrc = struct.unpack_from("!BBHII", data)
    assert first == 0x80 or (extended and first & 0xF0 == 0x90)
    ahead = read_extended(data) or Extended()
    payload = data[ahead.payload :]
    return Packet(second & 0x7F, second >= 0x80, sequence, timestamp, ssrc, payload, ahead)


@dataclass
class VoicePhone:
    """A phone, its engine port, and the codec that both speak."""

    phone: Phone
    link: Link
    port: int
    codec: int
    payload_type: int
    opened: contextlib.ExitStack
    ptime_ms: int = 20
    sequence: int = 1000
    timestamp: int = 5000
    ssrc: int = 99
    kind: int = -1
    """The payload type of what it sends, where that isn't the one it wants to be sent."""

    says: bytes = b""
    """A header extension of all that it sends."""

    extended: bool = False
    """It has agreed to header extensions in what it gets."""

    loses: frozenset[int] = frozenset()
    """Packets of a speech, counted from 0, that get lost on the way."""

    rests: frozenset[int] = frozenset()
    """Packets of a speech that it doesn't send on purpose: no number is missing."""

    held_up: dict[int, float] = field(default_factory=dict)
    """By how many seconds packets of a speech, counted from 0, are late, and so those behind them."""

    got: list[Packet] = field(default_factory=list)
    coder: Encoder = field(init=False)
    decoder: Decoder = field(init=False)
    _decoded: list[Sound] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.use(self.codec, self.payload_type)

    def use(self, codec: int, payload_type: int) -> None:
        """Speak and understand another codec from now on."""
        self.forget()
        self.codec, self.payload_type = codec, payload_type
        # The first use of all compiles them: not while the engine is talking.
        with encoder(codec) as first, decoder(codec) as other:
            other.decode(first.encode(self.quiet(0.02)))
        self.coder = self.opened.enter_context(encoder(codec))
        self.decoder = self.opened.enter_context(decoder(codec))

    @property
    def rate(self) -> int:
        return codecs.codec(self.codec).pcm_rate

    def stream(self, sink: int = 0, **changes: Any) -> Stream:
        """The phone's stream, whose sound goes nowhere but to the voice, or to the port `sink`."""
        return stream(self.port, sink, self.phone.address, **changes)

    def be(self, **changes: Any) -> None:
        """Set, or change, the voice; it is so when this returns."""
        settings: dict[str, Any] = {
            "codec": self.codec,
            "payload_type": self.payload_type,
            "event_type": EVENTS,
            "ptime_ms": self.ptime_ms,
        }
        self.link.send(Voice(self.port, **{**settings, **changes}))
        self.link.settle()

    def send(self, payload: bytes, *, payload_type: int = -1, marker: bool = False) -> None:
        own = self.payload_type if self.kind < 0 else self.kind
        kind = own if payload_type < 0 else payload_type
        header = struct.pack(
            "!BBHII",
            0x90 if self.says else 0x80,
            kind | (0x80 if marker else 0),
            self.sequence & 0xFFFF,
            self.timestamp & 0xFFFFFFFF,
            self.ssrc,
        )
        self.sequence += 1
        self.phone.rtp.sendto(header + self.says + payload, ("127.0.0.1", self.port))

    def receive(self) -> None:
        """Take in what has come."""
        self.phone.rtp.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                self.got.append(parse(self.phone.rtp.recv(4096), extended=self.extended))

    def sound(self) -> list[Packet]:
        return [one for one in self.got if one.payload_type == self.payload_type]

    def heard(self) -> Sound:
        """What has been heard so far, decoded."""
        fresh = self.sound()[len(self._decoded) :]
        self._decoded += [self.decoder.decode(one.payload) for one in fresh]
        return np.concatenate(self._decoded) if self._decoded else np.zeros(0, np.int16)

    def due(self, number: int) -> float:
        """When a packet of a speech comes to be sent, in seconds from its begin."""
        own = number * self.ptime_ms / 1000
        held = [
            at * self.ptime_ms / 1000 + late for at, late in self.held_up.items() if at <= number
        ]
        return max(own, *held, 0)

    def forget(self) -> None:
        """Begin to hear anew."""
        self.receive()
        self.got.clear()
        self._decoded.clear()

    def quiet(self, seconds: float) -> Sound:
        """Silence to say."""
        return np.zeros(int(self.rate * seconds), np.int16)

    def tone(self, hertz: float, seconds: float = 1.6, peak: float = PEAK) -> Sound:
        """A sine to say."""
        return sine(hertz, int(self.rate * seconds), self.rate, peak=peak)

    def hears(self, hertz: float, seconds: float = 0.8) -> float:
        """The level of a frequency in the end of what was heard, in dBov; multiples of 10 Hz.

        The median of tenths of a second: what a jitter buffer does to the time of a tone on a busy
        machine is heard in few of them.
        """
        levels = [tone_level(part, hertz, self.rate) for part in self.tenths(seconds)]
        return float(np.median(levels))

    def tenths(self, seconds: float) -> list[Sound]:
        """The end of what was heard, in pieces of a tenth of a second."""
        heard, count = self.heard(), round(10 * seconds)
        assert len(heard) >= count * self.rate // 10, "too little has been heard"
        return np.split(heard[-count * (self.rate // 10) :], count)


def converse(
    speeches: Sequence[tuple[VoicePhone, Sound]], meanwhile: Callable[[], object] = lambda: None
) -> None:
    """Let phones talk in real time, each until its own sound ends, and hear meanwhile.

    Args:
        speeches: the phones and what they say, at their rates.
        meanwhile: is called again and again as they talk.
    """
    packets = [
        (phone, phone.coder.frames(sound, phone.rate * phone.ptime_ms // 1000))
        for phone, sound in speeches
    ]
    sent = [0] * len(packets)
    begun = time.monotonic()
    while any(done < len(frames) for done, (_, frames) in zip(sent, packets, strict=True)):
        passed = time.monotonic() - begun
        for number, (phone, frames) in enumerate(packets):
            while sent[number] < len(frames) and phone.due(sent[number]) <= passed:
                payload = frames[sent[number]]
                if sent[number] in phone.loses:
                    phone.sequence += 1
                elif payload and sent[number] not in phone.rests:
                    phone.send(payload)
                units = codecs.codec(phone.codec).rtp_clock * phone.ptime_ms // 1000
                phone.timestamp += units
                sent[number] += 1
            phone.receive()
        meanwhile()
        time.sleep(STEP_S)
    for phone, _ in packets:
        phone.receive()


@contextlib.contextmanager
def voice_phone(
    link: Link, number: int, codec: int = codecs.PCMU, payload_type: int = PCMU, ptime_ms: int = 20
) -> Iterator[VoicePhone]:
    """A phone whose stream is set, not yet its voice; `number` picks the port."""
    phone = Phone()
    port = link.ready.ports[number]
    try:
        with contextlib.ExitStack() as opened:
            one = VoicePhone(phone, link, port, codec, payload_type, opened, ptime_ms)
            link.send(one.stream())
            yield one
    finally:
        phone.close()


@contextlib.contextmanager
def voice_phones(link: Link, *formats: tuple[int, int]) -> Iterator[list[VoicePhone]]:
    """Phones at the first ports: a codec and its payload type for each."""
    with contextlib.ExitStack() as stack:
        yield [
            stack.enter_context(voice_phone(link, number, codec, payload_type))
            for number, (codec, payload_type) in enumerate(formats)
        ]
        link.release(*link.ready.ports[: len(formats)])
