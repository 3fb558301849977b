"""Phones whose sound crosses a bad network on its way to the exchange.

What the network does to each packet is reckoned beforehand, from a seed: a phone sends each packet
when the network would have delivered it. What comes back crosses none.
"""

import contextlib
import gc
import heapq
import itertools
import os
import select
import struct
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from pbx.media import codecs
from pbx.media.endpoint import formats_of
from pbx.media.engine.coder import OpusSettings
from pbx.sdp.description import parse_sdp
from pbx.sip.message import Request, Response
from tests.app import phone as sip
from tests.media.kernels.coders import decoder, encoder
from tests.media.kernels.networks import START_NS, Network, Packet
from tests.media.kernels.sound import Sound, rms

PTIME_S = 0.02
LOUD = 1000.0
"""RMS of sound that isn't silence."""

_HEADER = struct.Struct("!BBHII")
_DYNAMIC = 98
"""The payload type of a codec that has none of its own."""

_SSRC = itertools.count(0x1000)


@dataclass(frozen=True)
class Path:
    """What a network does to a stream.

    Args:
        network: loses, delays, doubles and reorders.
        calm_from_s: from then on it does nothing any more.
        outage_s: from when to when nothing gets through.
        clock_ppm: how much the phone's clock runs too fast.
    """

    network: Network = field(default_factory=Network)
    calm_from_s: float = 1e9
    outage_s: tuple[float, float] = (0.0, 0.0)
    clock_ppm: float = 0.0


class NetPhone(sip.Phone):
    """A phone of one codec on raw sockets.

    Args:
        port, number, password: as for `tests.app.phone.Phone`.
        codec: its number in `pbx.media.codecs`.
        events: it says that it has telephone-events.
    """

    first_sequence = 65000
    """Of what it says: the numbers begin anew in the talk."""

    fmtp = ""
    """What it says of its codec in ``a=fmtp``."""

    takes_numbers = False
    """It numbers its codec as an offer does that it answers (RFC 3264 §6.1), not by itself."""

    opus: OpusSettings | None = None
    """How it encodes Opus."""

    def __init__(
        self,
        port: int,
        number: str,
        password: str,
        codec: int = codecs.PCMU,
        *,
        events: bool = False,
    ) -> None:
        self.events = events
        super().__init__(port, number, password)
        self.codec = codec
        known = codecs.codec(codec)
        self.payload_type = _DYNAMIC if known.payload_type is None else known.payload_type
        channels = f"/{known.channels}" if known.channels > 1 else ""
        self._name = f"{known.name}/{known.rtp_clock}{channels}"
        self.rtp.setblocking(False)
        self.media_port = 0
        self.sent: list[tuple[float, Packet]] = []
        """When each packet was given to the exchange."""
        self.got: list[tuple[float, Packet]] = []
        self._cseqs = itertools.count(3)
        self.spoken = 0
        """Packets said, whatever became of them."""
        self._invite: Request | None = None
        self._accepted: Response | None = None

    @property
    def rate(self) -> int:
        return codecs.codec(self.codec).pcm_rate

    @property
    def address(self) -> str:
        """What records call it."""
        host, port = self._socket.getsockname()
        return f"{host}:{port}"

    @property
    def sdp(self) -> bytes:
        host, port = self.rtp.getsockname()
        explained = f"a=fmtp:{self.payload_type} {self.fmtp}\r\n" if self.fmtp else ""
        return (
            f"v=0\r\no=- 1 1 IN IP4 {host}\r\ns=-\r\nc=IN IP4 {host}\r\nt=0 0\r\n"
            f"m=audio {port} RTP/AVP {self.payload_type}{' 101' if self.events else ''}\r\n"
            f"a=rtpmap:{self.payload_type} {self._name}\r\n"
            f"{explained}"
            f"{'a=rtpmap:101 telephone-event/8000' if self.events else 'a=sendrecv'}\r\n"
        ).encode()

    def call(
        self,
        number: str,
        callee: "NetPhone | None" = None,
        *,
        before_it_answers: Sound | None = None,
    ) -> None:
        """Call a service, or a phone.

        Args:
            number: whom to call.
            callee: the phone that is to answer; one that isn't given answers by itself.
            before_it_answers: what it has said by then, all at once.
        """
        invite = self.invite(number)
        if callee is not None:
            callee.pick_up(before_it_answers)
        self._accepted = self._confirmed(invite)
        self._invite = invite

    def pick_up(self, before_it_answers: Sound | None = None) -> None:
        """Answer an offer that comes, whether of a new call or in one."""
        offered = self.request("INVITE")
        self.media_port = _media_port(offered.body)
        if self.takes_numbers:
            formats = formats_of(parse_sdp(offered.body).media[0])
            self.payload_type = next(
                one.payload_type for one in formats if one.codec.number == self.codec
            )
        if before_it_answers is not None:
            for when, packet in self.deliveries(before_it_answers, Path()):
                _send(self, packet)
                self.sent.append((when, packet))
        self.answer(offered, 200, "OK", self.sdp)

    def offer_anew(self, callee: "NetPhone") -> None:
        """Send a re-INVITE, which the other party answers."""
        invite = self._begin("INVITE", ("Content-Type", "application/sdp"), body=self.sdp)
        callee.pick_up()
        self._confirmed(invite)

    def _confirmed(self, invite: Request) -> Response:
        accepted = self.response(invite)
        assert accepted.status == 200, accepted.start_line()
        self.acknowledge(invite, accepted)
        self.media_port = _media_port(accepted.body)
        return accepted

    def within(self, method: str, *more: tuple[str, str], body: bytes = b"") -> Response:
        """Send a request in the call; return its answer."""
        return self.response(self._begin(method, *more, body=body))

    def _begin(self, method: str, *more: tuple[str, str], body: bytes = b"") -> Request:
        assert self._invite is not None
        assert self._accepted is not None
        request = Request(
            method,
            (self._accepted.get("Contact") or "").strip("<>"),
            [
                ("Via", self.via()),
                ("Max-Forwards", "70"),
                ("From", self._invite.get("From") or ""),
                ("To", self._accepted.get("To") or ""),
                ("Call-ID", self._invite.call_id),
                ("CSeq", f"{next(self._cseqs)} {method}"),
                *more,
            ],
            body,
        )
        self.send(request.encode())
        return request

    def hang_up(self) -> None:
        assert self.within("BYE").status == 200

    # ---------------------------------------------------------------- sound

    def deliveries(self, sound: Sound, path: Path) -> list[tuple[float, Packet]]:
        """Return when each packet gets to the exchange, in seconds from the beginning."""
        with encoder(self.codec, self.opus) as coder:
            payloads = coder.frames(sound, self.rate // 50)
        self.spoken = len(payloads)
        units = codecs.codec(self.codec).rtp_clock // 50
        ssrc = next(_SSRC)

        def said() -> Iterator[tuple[int, Packet]]:
            for number, payload in enumerate(payloads):
                sent = START_NS + round(number * PTIME_S * 1e9 / (1 + path.clock_ppm * 1e-6))
                yield (
                    sent,
                    Packet(
                        sent,
                        (self.first_sequence + number) & 0xFFFF,
                        units * number,
                        payload,
                        int(number == 0),
                        self.payload_type,
                        ssrc,
                    ),
                )

        first, last = (int(one / PTIME_S) for one in path.outage_s)
        bad = round(min(path.calm_from_s, 1e6) / PTIME_S)
        whole = [one for number, one in enumerate(said()) if not first <= number < last]
        carried = [
            *path.network.carry(one for one in whole if one[1].timestamp < bad * units),
            *Network().carry(one for one in whole if one[1].timestamp >= bad * units),
        ]
        return [((one.arrival_ns - START_NS) / 1e9, one) for one in carried]

    def take_in(self, now: float) -> None:
        """Keep what has come."""
        with contextlib.suppress(BlockingIOError):
            while True:
                data = self.rtp.recv(4096)
                first, second, sequence, timestamp, ssrc = _HEADER.unpack_from(data)
                assert first == 0x80
                packet = Packet(0, sequence, timestamp, data[12:], second >> 7, second & 0x7F, ssrc)
                self.got.append((now, packet))

    def sound(self, since: float) -> Sound:
        """All that it has heard since a moment, decoded in the order of its sequence."""
        with decoder(self.codec) as coder:
            got = [one for when, one in self.got if when >= since]
            first = got[0].sequence
            got.sort(key=lambda one: (one.sequence - first) & 0xFFFF)
            return np.concatenate([coder.decode(one.payload) for one in got])

    def onset_s(self, after_s: float) -> float:
        """When sound was there again that has been silent, the first time after this moment."""
        silent = False
        with decoder(self.codec) as coder:
            for when, one in self.got:
                level = rms(coder.decode(one.payload))
                if silent and when > after_s and level > LOUD:
                    return when
                # A packet may have the end of the one and the beginning of the other: neither.
                silent = (silent or level < LOUD / 4) and level <= LOUD
        raise AssertionError(f"no sound after {after_s}")


def converse(speeches: Sequence[tuple[NetPhone, Sound, Path]], hearers: Sequence[NetPhone]) -> None:
    """Let phones talk in real time.

    Args:
        speeches: the phones, what they say, and the paths that it takes.
        hearers: those who only hear.
    """
    due = [
        (when, next(_SSRC), phone, packet)
        for phone, sound, path in speeches
        for when, packet in phone.deliveries(sound, path)
    ]
    heapq.heapify(due)
    with punctual():
        _converse(due, [*(phone for phone, _, _ in speeches), *hearers])


@contextlib.contextmanager
def punctual() -> Iterator[None]:
    """Be no later than a phone is, however busy the machine, where we may."""
    before = os.sched_getscheduler(0), os.sched_getparam(0)
    gc.disable()
    with contextlib.suppress(PermissionError):
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    try:
        yield
    finally:
        os.sched_setscheduler(0, *before)
        gc.enable()


def _converse(due: list[tuple[float, int, NetPhone, Packet]], everybody: list[NetPhone]) -> None:
    phones = {one.rtp.fileno(): one for one in everybody}
    begun = time.monotonic() + 0.1
    end = max(one[0] for one in due) + 0.5
    while (now := time.monotonic() - begun) < end:
        while due and due[0][0] <= now:
            _, _, phone, packet = heapq.heappop(due)
            _send(phone, packet)
            phone.sent.append((time.monotonic(), packet))
        wait = (min(due[0][0], end) if due else end) - (time.monotonic() - begun)
        ready, _, _ = select.select(list(phones), [], [], max(wait, 0))
        for one in ready:
            phones[one].take_in(time.monotonic())


def _send(phone: NetPhone, packet: Packet) -> None:
    header = _HEADER.pack(
        0x80,
        packet.payload_type | packet.marker << 7,
        packet.sequence,
        packet.timestamp & 0xFFFFFFFF,
        packet.ssrc,
    )
    phone.rtp.sendto(header + packet.payload, ("127.0.0.1", phone.media_port))


def _media_port(sdp: bytes) -> int:
    line = next(one for one in sdp.decode().splitlines() if one.startswith("m=audio"))
    return int(line.split()[1])


def jitter_of(sent: Sequence[tuple[float, Packet]], clock: int) -> float:
    """The jitter of what was given to the exchange, in ms (RFC 3550 A.8)."""
    jitter, before = 0.0, None
    for when, packet in sent:
        transit = when - packet.timestamp / clock
        if before is not None:
            jitter += (abs(transit - before) - jitter) / 16
        before = transit
    return 1000 * jitter
