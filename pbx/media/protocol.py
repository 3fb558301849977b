"""Messages between the exchange and the media engine: length-prefixed MessagePack on a Unix socket.

The exchange allocates ports itself, from the list that `Ready` names, so that an INVITE is
answered without waiting for the engine. A *stream* is one media line of one leg: an even RTP
port, the odd RTCP port above it, and the peer's addresses. `Stream` is the whole truth about a
stream; sending it again changes it in place.
"""

import struct

import msgspec

VERSION = 1
"""Raised when a message changes its meaning; both sides refuse another version."""

MAX_FRAME = 4 << 20
"""Octets in one message; a longer one means that the other side is broken."""


class Address(msgspec.Struct, frozen=True, array_like=True):
    """An IP address, numeric, without brackets, and a UDP port."""

    host: str
    port: int


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
        send: False: nothing is sent to this peer (it holds, or the line is inactive).
        latch: accept the peer's media from another address than its SDP says, and answer there
            (symmetric RTP, RFC 4961): the first source locks, and only a re-INVITE unlocks.
        timeout_s: report `Timeout` after so long without a packet; 0 never.
        generation: raised by the exchange when the peer's address may have changed; a higher
            one forgets the latched source.
        wait: keep what comes in the socket's queue: signalling doesn't know yet where it goes.
            Set again without it, the stream begins with what has come meanwhile, so that a
            caller that talks the moment it hears of the answer loses no word.
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


class Prepare(msgspec.Struct, frozen=True, tag="prepare"):
    """These ports come next: let packets wait in their sockets.

    A phone may talk sooner than `Stream` gets through to the packet thread; what it says then is
    in the socket when the stream begins.
    """

    ports: list[int]


class Release(msgspec.Struct, frozen=True, tag="release"):
    """End these streams; each is answered by `Released` with its last counts."""

    ports: list[int]


class Query(msgspec.Struct, frozen=True, tag="query"):
    """Ask for `Counts` of every running stream now.

    Args:
        streams: False for an answer without streams: a sign of life of the packet thread, which
            costs the engine's main thread no time that a new call would wait for.
    """

    streams: bool = True


Command = Hello | Prepare | Stream | Release | Query


class Ready(msgspec.Struct, frozen=True, tag="ready"):
    """The engine answers `Hello`.

    Args:
        version: the engine's `VERSION`.
        pid: its process id.
        ports: every even RTP port that it has bound, with its RTCP neighbour.
        streams: the ports of streams that run already (after the exchange restarted).
        ipv6: False where this machine has no IPv6.
    """

    version: int
    pid: int
    ports: list[int]
    streams: list[int]
    ipv6: bool


class StreamCounts(msgspec.Struct, frozen=True, array_like=True):
    """What one stream has seen since it was set up; octets are UDP payload.

    `refused` came from a source that is not the peer, `lost` and `reordered` follow from RTP
    sequence numbers (RFC 3550 A.3), `jitter_ms` is RFC 3550 §6.4.1 by arrival at an assumed clock of
    8 kHz, `unsent` could not be sent (no sink, no remote address, or the kernel refused).
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


class Counts(msgspec.Struct, frozen=True, tag="counts"):
    """Every running stream's counts, at `Query`."""

    streams: list[StreamCounts]


class Released(msgspec.Struct, frozen=True, tag="released"):
    """A stream has ended; its last counts."""

    counts: StreamCounts


class Latched(msgspec.Struct, frozen=True, tag="latched"):
    """The first packet of a stream has come, from this source."""

    port: int
    source: Address


class Timeout(msgspec.Struct, frozen=True, tag="timeout"):
    """Nothing has come for the stream's `timeout_s`; said once until a packet comes again."""

    port: int


class Refused(msgspec.Struct, frozen=True, tag="refused"):
    """A command could not be carried out; the engine goes on."""

    reason: str


Report = Ready | Counts | Released | Latched | Timeout | Refused

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
