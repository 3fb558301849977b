"""Messages between the exchange and the media engine: length-prefixed MessagePack on a Unix socket.

The exchange allocates ports itself, from the list that `Ready` names, so that an INVITE is
answered without waiting for the engine. A *stream* is one media line of one leg: an even RTP
port, the odd RTCP port above it, and the peer's addresses. `Stream` is the whole truth about a
stream; sending it again changes it in place.

A *voice* is a stream whose sound ends in the engine: it is decoded, heard in a room by the other
voices, and gets back what the room hears. A *player* is a source of sound in a room or for a single
voice, a *recording* what one or two streams hear from their peers, in a file.
"""

import struct
from typing import Any

import msgspec

VERSION = 7
"""Raised when a message changes its meaning; both sides refuse another version."""

TAP_FORMATS = 4
"""Payload types of a `Tap` at the most."""

LEAST_GAIN_DB, MOST_GAIN_DB = -40.0, 18.0
"""What the gain of a `Voice` may be."""

MAX_FRAME = 4 << 20
"""Octets in one message; a longer one means that the other side is broken."""


class Address(msgspec.Struct, frozen=True, array_like=True):
    """An IP address, numeric, without brackets, and a UDP port."""

    host: str
    port: int


class Srtp(msgspec.Struct, frozen=True, array_like=True):
    """How the media of one peer is protected (RFC 3711); its keys are never shown.

    Args:
        suite: crypto suite of `a=crypto` (RFC 4568 §6.2, RFC 6188 §4, RFC 7714 §14.2); one of those
            that `Ready` names.
        sending: master key and, behind it, master salt of what is sent to the peer; empty as long
            as nobody knows it: nothing is sent.
        receiving: the same of what the peer sends; empty: nothing is taken.
    """

    suite: str
    sending: bytes = b""
    receiving: bytes = b""

    def __repr__(self) -> str:
        """Return what may stand in a log."""
        return f"Srtp(suite={self.suite!r})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        """Return the same for tracebacks in colour."""
        return [("suite", self.suite)]


class Hello(msgspec.Struct, frozen=True, tag="hello"):
    """The exchange greets the engine after each connect.

    Args:
        version: must equal the engine's own `VERSION`.
        grace_s: how long the engine goes on relaying after the exchange has gone.
    """

    version: int
    grace_s: float


class Stream(msgspec.Struct, frozen=True, tag="stream"):
    """Set, or change, one stream of a leg.

    Args:
        port: our even RTP port; the stream's name.
        sink: the port of the stream that what is received goes to; 0 drops it.
        local: our address towards this peer, numeric; packets leave from it.
        remote_rtp: where the peer wants RTP; None until its SDP is known.
        remote_rtcp: where the peer wants RTCP; None for `remote_rtp`'s port + 1 (or the RTP port
            itself when `rtcp_mux`).
        rtcp_mux: RTCP shares the RTP port (RFC 5761).
        send: False: no RTP is sent to this peer (it holds, or the line is inactive); RTCP is.
        latch: accept the peer's media from another address than its SDP says, and answer there
            (symmetric RTP, RFC 4961): the first source locks, and only a re-INVITE unlocks.
        timeout_s: report `Timeout` after so long without a packet; 0 never.
        generation: raised by the exchange when the peer's address may have changed; a higher
            one forgets the latched source.
        wait: keep what comes in the socket's queue: signalling doesn't know yet where it goes.
            Set again without it, the stream begins with what has come meanwhile, so that a
            caller that talks the moment it hears of the answer loses no word.
        event_type: payload type of telephone-event (RFC 4733) that the peer takes in what is passed
            on to it, for `SendDigits`; -1 none.
        event_clock: units of their duration in a second.
        clock: units in a second of the timestamps of the sound that comes, by its codec.
        srtp: what protects the media of this peer, RTP and RTCP; None: nothing does. Each leg of a
            call has its own. Said again with the same key, a direction goes on as it was; with
            another key it begins anew.
        opaque: what this peer is passed on goes as it comes, since it is protected from end to end
            (SRTP whose keys aren't ours), no sound, or no RTP at all. Else it is one stream whoever
            sends it: one SSRC, sequence numbers and timestamps that run on.
        datagrams: this peer sends no RTP (T.38 by UDPTL): a first packet latches whatever it holds.
        keys: tell by `Digit` of the keys that this peer presses, where they are passed on as
            telephone-events to a peer with an `event_type`.
    """

    port: int
    sink: int
    local: str
    remote_rtp: Address | None
    remote_rtcp: Address | None
    rtcp_mux: bool
    send: bool
    latch: bool
    timeout_s: float
    generation: int
    wait: bool = False
    event_type: int = -1
    event_clock: int = 8000
    clock: int = 8000
    srtp: Srtp | None = None
    opaque: bool = False
    datagrams: bool = False
    keys: bool = False


class Prepare(msgspec.Struct, frozen=True, tag="prepare"):
    """These ports come next: let packets wait in their sockets.

    A phone may talk sooner than `Stream` gets through to its packet thread; what it says then is
    in the socket when the stream begins.
    """

    ports: list[int]


class Release(msgspec.Struct, frozen=True, tag="release"):
    """End these streams; each is answered by `Released` with its last counts.

    A recording of one of them ends, too, when it has what still waits of all of them.
    """

    ports: list[int]


class Query(msgspec.Struct, frozen=True, tag="query"):
    """Ask for `Counts` of every running stream now.

    Args:
        streams: False for an answer without streams: a sign of life of the packet threads, which
            costs the engine's main thread no time that a new call would wait for.
    """

    streams: bool = True


class Voice(msgspec.Struct, frozen=True, tag="voice"):
    """Let the sound of a stream end in the engine, or change how; the stream must be set before.

    `Release` of the stream ends its voice, and what plays for it or records it.

    Args:
        port: the stream.
        codec: its number in `pbx.media.codecs`, of what comes and what goes.
        payload_type: of that codec.
        ptime_ms: how much goes into a packet to the peer, 10 to 60; what comes may be of any size.
        event_type: payload type of telephone-event (RFC 4733); -1 where the peer has none.
        event_clock: units of telephone-events' duration in a second; 0: the codec's.
        noise_type: payload type of comfort noise (RFC 3389); -1 likewise.
        told_type, told_event_type, told_noise_type: what the peer was told to send instead of these
            (RFC 3264 §5.1: each side has numbers of its own); -1 where it was told nothing else.
        room: whom it hears and who hears it; 0 nobody.
        partner: the stream of the one voice that it hears beside the room: the other party of a
            call whose codecs are converted; 0 nobody. As long as that is no voice, it is silent.
        speaks: False: the room doesn't hear it (muted, or it only listens).
        listens: False: it doesn't hear the room, but what is played for it alone.
        echo: it hears itself.
        gain_db: how much louder the others hear it, `LEAST_GAIN_DB` to `MOST_GAIN_DB`.
        inband: find DTMF digits in its sound, for a peer that sends no telephone-events.
        hides_keys: others don't hear what `inband` finds: they are told of it in another form.
        line: tell by `Line` of busy and congestion tone in its sound, and of silence.
        country: ISO 3166-1 alpha-2, whose tones these are; empty for those of E.180.
        metrics: send the peer VoIP metrics (RFC 3611 §4.7) with the reports on what it sends.
        rate: samples per second that Opus is decoded to and encoded from: 8000, 16000 or 48000; 0:
            the codec's.
        plays_hz: samples per second that the peer of Opus plays; 0: all.
        fec: the peer of Opus makes use of copies of lost packets in the next ones.
        bitrate: bits per second that the peer of Opus takes at the most, on average; 0: any.
        dtx: the peer of Opus would rather not be sent what is silence (RFC 7587 §3.1.3).
        level_in: number of the header extension (RFC 8285 §4.2) by which the peer says whether what
            it sends is voice (RFC 6464); 1 to 14, 0 for none.
        level_out: number of that by which it is told how loud each packet is; 0 for none.
        speakers_out: number of that by which it is told who speaks in its room, and how loud
            (RFC 6465); 0 for none.
    """

    port: int
    codec: int
    payload_type: int
    ptime_ms: int = 20
    event_type: int = -1
    noise_type: int = -1
    room: int = 0
    partner: int = 0
    speaks: bool = True
    listens: bool = True
    echo: bool = False
    gain_db: float = 0.0
    inband: bool = False
    metrics: bool = False
    event_clock: int = 0
    rate: int = 0
    plays_hz: int = 0
    fec: bool = False
    bitrate: int = 0
    dtx: bool = False
    told_type: int = -1
    told_event_type: int = -1
    told_noise_type: int = -1
    line: bool = False
    country: str = ""
    level_in: int = 0
    level_out: int = 0
    speakers_out: int = 0
    hides_keys: bool = False


class StopVoice(msgspec.Struct, frozen=True, tag="stop-voice"):
    """Let a voice be a stream again that is passed on as it comes; no fault where it is one.

    What plays for it ends.
    """

    port: int


class Play(msgspec.Struct, frozen=True, tag="play"):
    """Play a sound; answered by `Played` when it has ended, unless it goes on for ever.

    Args:
        player: a name that no other player has now; any positive number.
        port: the voice that hears it; or 0.
        room: the room whose listeners hear it; or 0.
        path: a WAV file of 16-bit or G.711 samples, of any usual rate; or empty.
        tone: a tone's name (`dial`, `ringback`, `busy` ... of `tone_plans`, or `music`, our own
            tune), or steps in the notation of `tones.toml`; or empty.
        country: ISO 3166-1 alpha-2, whose tone it is.
        level_db: of a tone, in dBm0; of a file, how much louder it gets.
        times: how often; 0 for ever.
    """

    player: int
    port: int = 0
    room: int = 0
    path: str = ""
    tone: str = ""
    country: str = ""
    level_db: float = 0.0
    times: int = 1


class StopPlaying(msgspec.Struct, frozen=True, tag="stop-playing"):
    """End a player now; answered by `Played`. One that has ended already is no fault."""

    player: int


class SendDigits(msgspec.Struct, frozen=True, tag="send-digits"):
    """Dial digits towards a peer: a voice's by telephone-events, or as tones where it has none.

    Where what the peer hears is passed on, they take the place of its partner's sound, if it takes
    telephone-events and the partner sends none itself. Digits come behind those that wait, 32 in
    all (16 of a stream that is passed on); what is over is left out.

    Args:
        port: the voice, or the stream.
        digits: of ``0123456789*#ABCD``, at most 32.
        on_ms, off_ms: length of each digit and of the pause behind it; 40 and 20 at least, 10000 and
            5000 at the most. That of the last digit may be told later by `EndDigit`.
    """

    port: int
    digits: str
    on_ms: int = 160
    off_ms: int = 90


class EndDigit(msgspec.Struct, frozen=True, tag="end-digit"):
    """Let the last digit of the last `SendDigits` for a voice last so long.

    Where it has lasted longer already it ends now, and one that is over is left alone; so is all where
    the stream is no voice.

    Args:
        port: the voice.
        on_ms: its length, 40 to 10000.
    """

    port: int
    on_ms: int


class Tap(msgspec.Struct, frozen=True, tag="tap"):
    """Tell what the payload types of a stream mean, so that it can be recorded as it is passed on.

    It holds until it is said anew, or the stream is released; a voice needs none.

    Args:
        port: the stream.
        formats: payload types, each with its codec's number in `pbx.media.codecs`; 1 to 4 of them.
            What comes of other types isn't recorded.
    """

    port: int
    formats: list[tuple[int, int]]


class Record(msgspec.Struct, frozen=True, tag="record"):
    """Write what peers say into a new WAV file; answered by `Recorded` at the end.

    Args:
        recording: a name that no other recording has now; any positive number.
        path: of the file, which must not exist; its folder is made.
        left: the port of a voice, or of a stream with a `Tap`; it may become the other meanwhile.
        right: the other party's port, which may be 0.
        stereo: a track for each, instead of both in one.
        kept: the file is to outlive a power cut, so it is brought to the disk while it grows.
    """

    recording: int
    path: str
    left: int
    right: int = 0
    stereo: bool = False
    kept: bool = True


class StopRecording(msgspec.Struct, frozen=True, tag="stop-recording"):
    """End a recording now. One that has ended already is no fault."""

    recording: int


Command = (
    Hello
    | Prepare
    | Stream
    | Release
    | Query
    | Voice
    | StopVoice
    | Play
    | StopPlaying
    | SendDigits
    | EndDigit
    | Tap
    | Record
    | StopRecording
)


class Ready(msgspec.Struct, frozen=True, tag="ready"):
    """The engine answers `Hello`.

    Args:
        version: the engine's `VERSION`.
        pid: its process id.
        ports: every even RTP port that it has bound, with its RTCP neighbour.
        streams: the ports of streams that run already (after the exchange restarted).
        ipv6: False where this machine has no IPv6.
        codecs: encoding names, as in `pbx.media.codecs`, of what a `Voice` can be: codecs that
            this engine codes and decodes here, and of comfort noise and telephone-event what it
            understands beside them.
        suites: the crypto suites that a `Stream` can be protected with, the best one first.
        recordings: names of those that go on, whoever wanted them.
    """

    version: int
    pid: int
    ports: list[int]
    streams: list[int]
    ipv6: bool
    codecs: list[str] = []
    suites: list[str] = []
    recordings: list[int] = []


class StreamCounts(msgspec.Struct, frozen=True, array_like=True):
    """What one stream has seen since it was set up; octets are UDP payload.

    `refused` came from a source that is not the peer, or is neither RTP nor RTCP where these are
    protected; `forged` came from it but under another key, or changed on its way, `replayed` for a
    second time (RFC 3711 §3.3): none of the three is passed on. `lost` and `reordered` follow from RTP
    sequence numbers (RFC 3550 A.3), `jitter_ms` is RFC 3550 §6.4.1 by arrival and the stream's
    `clock`, `unsent` could not be sent (no sink, no remote address, or the kernel refused).

    `worst_loss_percent` is what was lost of the worst second, by share. The last three are of what the peer
    is passed on from another one, by its last reports on that: `peer_loss_percent` (-1 unknown) lost
    from end to end, `peer_mos` its VoIP metrics' score (RFC 3611 §4.7.5; 0 unknown), `round_trip_ms`
    between it and here (-1 unknown). Of a voice, `VoiceCounts` says these.
    """

    port: int
    received: int
    received_octets: int
    sent: int
    sent_octets: int
    refused: int
    lost: int
    reordered: int
    unsent: int
    rtcp_received: int
    rtcp_sent: int
    jitter_ms: float
    source: Address | None
    forged: int = 0
    replayed: int = 0
    worst_loss_percent: float = 0.0
    round_trip_ms: float = -1.0
    peer_loss_percent: float = -1.0
    peer_mos: float = 0.0


class VoiceCounts(msgspec.Struct, frozen=True, array_like=True):
    """How one voice sounds, since it was set up.

    Args:
        port: its stream.
        level_dbov: of what its peer says now, 0 (loudest) to -127.
        delay_ms: how long packets wait in the jitter buffer now.
        concealed_ms: sound that never came and was made up.
        late: packets that came too late to be played.
        resyncs: times that the peer's time line, or ours, made a jump.
        loss_percent: lost and late packets of all.
        worst_loss_percent: the same in the worst second.
        round_trip_ms: by RTCP; -1 unknown.
        peer_loss_percent: of what we send, by the peer's last report; -1 unknown.
        mos: mean opinion score by the E-model (ITU-T G.107), 1 to 4.5; 0 as long as nothing came.
        peer_mos: that of what we send, by the peer's last VoIP metrics (RFC 3611 §4.7.5); 0 unknown.
        speaks: there is voice in what the peer says now.
        late_ticks: of the engine's ticks since then, how many were done more than 5 ms too late, or not
            at all: each may be a gap in what the peer hears.
    """

    port: int
    level_dbov: int
    delay_ms: float
    concealed_ms: float
    late: int
    resyncs: int
    loss_percent: float
    worst_loss_percent: float
    round_trip_ms: float
    peer_loss_percent: float
    mos: float
    peer_mos: float = 0.0
    speaks: bool = False
    late_ticks: int = 0


class Counts(msgspec.Struct, frozen=True, tag="counts"):
    """Every running stream's counts, and every voice's, at `Query`.

    Args:
        late_ticks: ticks of voices that were done more than 5 ms too late, or not at all, since the engine
            began.
        whole: False: the answer to a `Query` without streams.
    """

    streams: list[StreamCounts]
    voices: list[VoiceCounts] = []
    ticks: int = 0
    late_ticks: int = 0
    whole: bool = True


class Released(msgspec.Struct, frozen=True, tag="released"):
    """A stream has ended; its last counts, and its voice's if it had one."""

    counts: StreamCounts
    voice: VoiceCounts | None = None


class Latched(msgspec.Struct, frozen=True, tag="latched"):
    """The first packet of a stream has come, from this source."""

    port: int
    source: Address


class Timeout(msgspec.Struct, frozen=True, tag="timeout"):
    """Nothing has come for the stream's `timeout_s`; said once until a packet comes again."""

    port: int


class Digit(msgspec.Struct, frozen=True, tag="digit"):
    """A peer has pressed a key; said as soon as it is heard.

    Args:
        port: the voice, or the stream that was to tell of its `keys`.
        digit: one of ``0123456789*#ABCD``, or ``!`` for a hook flash.
        inband: it was a tone in the sound, no telephone-event.
    """

    port: int
    digit: str
    inband: bool


class DigitEnded(msgspec.Struct, frozen=True, tag="digit-ended"):
    """The key that the last `Digit` of the voice told of has been let go.

    Args:
        port, digit: as in that.
        duration_ms: how long it was held down, as far as the peer has told, or was heard.
    """

    port: int
    digit: str
    duration_ms: int


class Line(msgspec.Struct, frozen=True, tag="line"):
    """What is on the line of a voice has changed; at first it is neither a tone nor silence.

    Args:
        port: the voice, whose `line` is watched.
        tone: ``busy`` or ``congestion``: so the peer's network says that nobody is there any more;
            empty: neither is heard.
        silent_ms: how long it has been silent so far; 0: it isn't, or not for long.
    """

    port: int
    tone: str
    silent_ms: int


class Played(msgspec.Struct, frozen=True, tag="played"):
    """A player has ended.

    Args:
        player: its name.
        failure: why nothing could be played, in words; empty: it has ended, or was stopped.
    """

    player: int
    failure: str = ""


class Recorded(msgspec.Struct, frozen=True, tag="recorded"):
    """A recording has ended; its file is whole.

    Args:
        recording: its name.
        seconds: how much is in the file.
        failure: why it ended before it was stopped, in the system's English words or such as `pbx.locale`
            has; empty otherwise.
    """

    recording: int
    seconds: float
    failure: str = ""


class Refused(msgspec.Struct, frozen=True, tag="refused"):
    """A command could not be carried out; the engine goes on."""

    reason: str


SoundReport = Digit | DigitEnded | Line | Played | Recorded
"""What the engine says of the sound that begins or ends in it."""

Report = Ready | Counts | Released | Latched | Timeout | SoundReport | Refused

_PREFIX = struct.Struct("!I")
_encoder = msgspec.msgpack.Encoder()


def frame(message: Command | Report) -> bytes:
    """Return `message` as it goes over the socket: four octets of length, then MessagePack."""
    body = _encoder.encode(message)
    return _PREFIX.pack(len(body)) + body


class Unframer:
    """Cuts a byte stream into messages of one direction.

    Args:
        kind: `Command` (in the engine) or `Report` (in the exchange).
    """

    def __init__(self, kind: object) -> None:
        self._decoder: msgspec.msgpack.Decoder[object] = msgspec.msgpack.Decoder(kind)
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[object]:
        """Return the messages that `data` completes.

        Raises:
            ValueError: the other side does not speak this protocol.
        """
        self._buffer += data
        messages: list[object] = []
        while len(self._buffer) >= _PREFIX.size:
            (length,) = _PREFIX.unpack_from(self._buffer)
            if length > MAX_FRAME:
                raise ValueError(f"a message of {length} octets")
            end = _PREFIX.size + length
            if len(self._buffer) < end:
                break
            try:
                messages.append(self._decoder.decode(self._buffer[_PREFIX.size : end]))
            except msgspec.DecodeError as error:
                raise ValueError(str(error)) from error
            del self._buffer[:end]
        return messages
