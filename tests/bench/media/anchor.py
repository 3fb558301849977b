"""Our side of the bench: the exchange without SIP, which keeps a real engine and anchors calls in it.

    python -m tests.bench.media.anchor FOLDER FIRST_PORT LAST_PORT [MUSIC.WAV]

Calls are asked for by lines of text over UDP, as the harness asks its other relays. What the engine
is told of them comes from the exchange's own `LegMedia`, `Interpreter`, `Passage` and `Services`, and
goes to it through the exchange's own `Supervisor`, whose probes run as ever.

    P                                       P: it is ready
    A ADDRESS PORT ADDRESS PORT [CODEC CODEC]   two parties' call: where each of them sends to
    C ADDRESS PORT                          one who is in the one conference: where it sends to
    M ADDRESS PORT                          one who listens to music
    R                                       record every call of two parties from now on
    S                                       record no more: S as soon as all files are whole, or FAULT
                                            and what, where one isn't as long as what has come meanwhile,
                                            or has another sample than its phones have sent
    Q                                       TICKS LATE RECEIVED SENT UNSENT: what the engine has counted
"""

import asyncio
import itertools
import sys
import wave
from collections.abc import Callable
from pathlib import Path

import numpy as np

from pbx.call.outputs import MediaCommands, Output
from pbx.call.passage import Passage
from pbx.call.services.directory import Services, SoundFiles
from pbx.call.services.service import Service
from pbx.config.settings import MediaSettings, ServiceSettings
from pbx.media import endpoint, protocol
from pbx.media.conversion import Interpreter
from pbx.media.session import LegMedia, PortPool
from pbx.media.supervisor import Supervisor
from pbx.routing.services import ServiceNumber
from tests.bench.media import markers

CONTROL = ("127.0.0.1", 22333)
"""Where the harness asks."""

HOST = "127.0.0.1"

FAULT = "FAULT "
"""How an answer begins that says what has gone wrong."""

_FORMATS = {
    "pcmu": (0, "PCMU/8000"),
    "pcma": (8, "PCMA/8000"),
    "g722": (9, "G722/8000"),
    "opus": (107, "opus/48000/2"),
}
"""As the harness' phones have them."""

_PACKETS_S = 50
"""That a phone of the harness sends."""

_BLOCK_S = 0.5
"""Of a recording, which ends with a whole one or within it."""

MOST_PARTIES = 100
"""Of a conference; the exchange allows as many."""

Peer = tuple[str, int]


def phone_sdp(peer: Peer, codec: str) -> bytes:
    """Return what a phone of the harness says of its media."""
    number, meaning = _FORMATS[codec]
    lines = (
        "v=0",
        f"o=bench 1 1 IN IP4 {peer[0]}",
        "s=-",
        f"c=IN IP4 {peer[0]}",
        "t=0 0",
        f"m=audio {peer[1]} RTP/AVP {number}",
        f"a=rtpmap:{number} {meaning}",
        "a=ptime:20",
        "a=sendrecv",
    )
    return "".join(f"{line}\r\n" for line in lines).encode()


class Anchor:
    """Calls in one engine.

    Args:
        folder: for the engine's socket and recordings.
        settings: of the engine.
        music: the file that is played.
    """

    def __init__(self, folder: Path, settings: MediaSettings, music: str) -> None:
        self._settings = settings
        self._folder = folder
        self._codecs: list[str] = []
        self._pool = PortPool(())
        self._sessions = itertools.count(1)
        self._passages: list[Passage] = []
        self._callers: list[int] = []
        self._phones: dict[int, tuple[int, int]] = {}
        self._files: dict[int, Path] = {}
        self._before: dict[int, int] = {}
        self._after: dict[int, int] = {}
        self._services: list[Service] = []
        self._recording = 0
        self._whole: Callable[[str], None] | None = None
        self._counted: Callable[[protocol.Counts], None] | None = None
        files = SoundFiles(lambda: [music] if music else [], str(folder), str(folder))
        self._directory = Services(
            ServiceSettings(conference_parties=MOST_PARTIES), files, "0", self._emitted
        )
        self.supervisor = Supervisor(
            folder / "media.sock",
            settings,
            on_ready=self._ready,
            on_report=self._report,
            on_lost=lambda: sys.exit("the media engine is gone"),
        )

    def relay(self, a: Peer, b: Peer, codecs: tuple[str, str]) -> tuple[int, int]:
        """Anchor a call of two phones; returns the ports that they send to."""
        caller, callee = self._leg(), None
        offer = phone_sdp(a, codecs[0])
        caller.remote(offer)
        callee = self._leg(caller.call)
        Interpreter(callee, self._coded).offer(offer)
        caller.reserve()
        answer = phone_sdp(b, codecs[1])
        callee.remote(answer)
        Interpreter(caller, self._coded).answer(answer)
        passage = Passage(self._tell, self._coded)
        passage.connect(caller, callee, timed=True)
        self._passages.append(passage)
        self._callers.append(caller.sound_port)
        self._phones[caller.sound_port] = a[1], b[1]
        return caller.sound_port, callee.sound_port

    def serve(self, peer: Peer, dialled: ServiceNumber) -> int:
        """Connect a phone with a service; returns the port that it sends to."""
        leg = self._leg()
        offer = phone_sdp(peer, "pcmu")
        leg.remote(offer)
        leg.describe(endpoint.answer(offer, self._codecs, HOST))
        self._tell([*leg.anchor()])
        agreed = endpoint.agreed(leg.checkpoint())
        assert agreed is not None, "a phone that has PCMU has been refused"
        service = self._directory.new(dialled)
        self._services.append(service)
        voice = protocol.Voice(
            port=leg.port(agreed.index),
            codec=agreed.codec,
            payload_type=agreed.payload_type,
            ptime_ms=agreed.ptime_ms,
            event_type=agreed.event_type,
            noise_type=agreed.noise_type,
            room=service.mode.room,
            inband=service.mode.keys and agreed.event_type < 0,
        )
        service.sound.set(voice)
        service.begin(self._now())
        return voice.port

    def record(self) -> None:
        """Record all calls, each into a file of its own."""
        for passage, port in zip(self._passages, self._callers, strict=True):
            name = next(self._directory.names)
            self._files[port] = self._folder / f"call-{name}.wav"
            self._recording += passage.record(name, str(self._files[port]), stereo=False)
        self.count(lambda counts: self._before.update(_received(counts)))

    def stop_recording(self, whole: Callable[[str], None]) -> None:
        """End all recordings; `whole` is called when their files are complete, with what is wrong in one."""
        self._whole = whole
        self.count(lambda counts: self._after.update(_received(counts)))
        for passage in self._passages:
            passage.stop_recording()
        self._recorded()

    def count(self, counted: Callable[[protocol.Counts], None]) -> None:
        """Have the engine count; `counted` is called with what it says."""
        self._counted = counted
        self._tell([protocol.Query()])

    # ------------------------------------------------------------------------------------------

    def _leg(self, call: list[LegMedia] | None = None) -> LegMedia:
        return LegMedia(
            self._pool, HOST, next(self._sessions), call=call, timeout_s=self._settings.timeout_s
        )

    def _coded(self) -> list[str]:
        return self._codecs

    def _now(self) -> float:
        return asyncio.get_running_loop().time()

    def _tell(self, commands: list[protocol.Command]) -> None:
        self.supervisor.send(commands)

    def _emitted(self, output: Output) -> None:
        if isinstance(output, MediaCommands):
            self._tell(output.commands)

    def _ready(self, ready: protocol.Ready) -> None:
        self._pool = PortPool(ready.ports)
        self._codecs = ready.codecs

    def _report(self, report: protocol.Report) -> None:
        match report:
            case protocol.Refused():
                sys.exit(f"the media engine refused: {report.reason}")
            case protocol.Counts() if report.whole and self._counted:
                counted, self._counted = self._counted, None
                counted(report)
            case protocol.Recorded():
                if report.failure:
                    sys.exit(f"a recording has failed: {report.failure}")
                self._recording -= 1
                self._recorded()
            case protocol.Played():
                for service in self._services:
                    if service.sound.takes(report):
                        service.played(report.player, report.failure, self._now())

    def _recorded(self) -> None:
        if not self._recording and self._whole:
            whole, self._whole = self._whole, None
            said = {port: self._after[port] - self._before[port] for port in self._files}
            whole(fault([(file, said[at], self._phones[at]) for at, file in self._files.items()]))
            for file in self._files.values():
                file.unlink()
            self._files.clear()


class Control(asyncio.DatagramProtocol):
    """Takes the harness' lines.

    Args:
        anchor: what does what they say.
    """

    def __init__(self, anchor: Anchor) -> None:
        self._anchor = anchor
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
        self._transport = transport

    def datagram_received(self, data: bytes, asker: Peer) -> None:
        def say(answer: str) -> None:
            assert self._transport is not None
            self._transport.sendto(answer.encode(), asker)

        match data.decode().split():
            case ["P"]:
                say("P")
            case ["A", host, port, other, other_port, *codecs]:
                a, b = codecs or ("pcmu", "pcmu")
                one, two = self._anchor.relay((host, int(port)), (other, int(other_port)), (a, b))
                say(f"{one} {two}")
            case ["C", host, port]:
                room = ServiceNumber("conference", "8001", room="8001")
                say(str(self._anchor.serve((host, int(port)), room)))
            case ["M", host, port]:
                music = ServiceNumber("music", "6000")
                say(str(self._anchor.serve((host, int(port)), music)))
            case ["R"]:
                self._anchor.record()
                say("R")
            case ["S"]:
                self._anchor.stop_recording(lambda fault: say(f"{FAULT}{fault}" if fault else "S"))
            case ["Q"]:
                self._anchor.count(lambda counts: say(_in_numbers(counts)))


def fault(recordings: list[tuple[Path, int, tuple[int, int]]]) -> str:
    """Return what is wrong with one of the files; empty where nothing is.

    Args:
        recordings: each file, how many packets one of its phones has sent meanwhile, and the ports of both.
    """
    judged = 0
    for file, packets, phones in recordings:
        with wave.open(str(file), "rb") as reader:
            rate, samples = reader.getframerate(), reader.getnframes()
            sound = np.frombuffer(reader.readframes(samples), "<i2")
        said = packets * rate // _PACKETS_S
        if abs(samples - said) > _BLOCK_S * rate:
            return f"a recording has {samples} samples, and its call {said}"
        if not sound.any():
            return "a recording is silent"
        found = markers.fault(sound, phones, round(_BLOCK_S * rate))
        if found:
            return f"a recording isn't what was said: {found}"
        judged += found is not None
    return "" if judged else "in all recordings both phones' packets fall together"


def _received(counts: protocol.Counts) -> dict[int, int]:
    """Return how many packets have come so far, by port."""
    return {one.port: one.received for one in counts.streams}


def _in_numbers(counts: protocol.Counts) -> str:
    streams = counts.streams
    sums = (
        sum(one.received for one in streams),
        sum(one.sent for one in streams),
        sum(one.unsent for one in streams),
    )
    return " ".join(map(str, (counts.ticks, counts.late_ticks, *sums)))


async def main(folder: Path, first_port: int, last_port: int, music: str) -> None:
    """Run until the end comes by a signal."""
    settings = MediaSettings(first_port=first_port, last_port=last_port, grace_s=0)
    anchor = Anchor(folder, settings, music)
    await anchor.supervisor.start()
    loop = asyncio.get_running_loop()
    await loop.create_datagram_endpoint(lambda: Control(anchor), local_addr=CONTROL)
    await asyncio.Event().wait()


if __name__ == "__main__":
    words = sys.argv[1:]
    asyncio.run(
        main(Path(words[0]), int(words[1]), int(words[2]), words[3] if len(words) > 3 else "")
    )
