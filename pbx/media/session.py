"""The media of calls as seen by signalling: ports, rewritten descriptions, streams to set.

A `LegMedia` belongs to one leg. What the other party said is put into our words by `describe`
before this leg's peer gets it; what the peer itself says goes in by `remote`; `bridge` joins two
legs and tells what the media engine must be told. Nothing here does I/O.
"""

import ipaddress
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import islice

import msgspec
from msgspec import structs

from pbx.errors import MisuseError, PeerError
from pbx.media.protocol import Address, Stream
from pbx.sdp.description import (
    MAX_PORT,
    Connection,
    Direction,
    Line,
    Media,
    Origin,
    SessionDescription,
    parse_sdp,
)
from pbx.sdp.offer_answer import effective_direction, normalise, refused, with_origin

_PATH_ATTRIBUTES = frozenset(
    {
        # RTCP goes to the port above ours, which needs no attribute (RFC 3605 §2.1).
        "rtcp",
        # ICE (RFC 8839 §5): candidates would lead media past us, and we check no connectivity.
        "candidate",
        "remote-candidates",
        "end-of-candidates",
        "ice-ufrag",
        "ice-pwd",
        "ice-options",
        "ice-lite",
        "ice-mismatch",
        "ice-pacing",
        # X-Lite 3, eyeBeam 1.5: candidates of their own, from before ICE.
        "alt",
        # Each media has a port of its own here, so none may hide behind another (RFC 8843 §6).
        "bundle-only",
    }
)

_OTHER_TRANSPORTS = frozenset({"TCP", "DCCP", "SCTP"})
"""First words of protocols that a UDP relay can't carry."""

PLAIN_RTP = frozenset({"RTP/AVP", "RTP/AVPF"})
"""What we speak: the others ask for keys."""

_KEYS = frozenset({"crypto", "fingerprint", "key-mgmt"})
"""Attributes of media that is encrypted, or may be (RFC 4568, RFC 8122, RFC 4567; RFC 8643)."""


class NoPortsLeft(Exception):
    """Every RTP port is in use: the call can't be anchored (503)."""


class PortPool:
    """The engine's even RTP ports that no stream uses.

    First in, first out: a port rests for as long as possible, so that late packets of its last
    call meet nobody.

    Args:
        ports: what the engine's `Ready` named.
    """

    def __init__(self, ports: Iterable[int]) -> None:
        self._ports = frozenset(ports)
        self._free = deque(sorted(self._ports))
        self._taken: set[int] = set()

    @property
    def free(self) -> int:
        """How many ports can be taken."""
        return len(self._free)

    def ahead(self, count: int) -> list[int]:
        """Return the next ports that `take` will give, `count` at the most."""
        return list(islice(self._free, count))

    def take(self) -> int:
        """Return a port that is the caller's until it is given back.

        Raises:
            NoPortsLeft: all are taken.
        """
        if not self._free:
            raise NoPortsLeft
        port = self._free.popleft()
        self._taken.add(port)
        return port

    def claim(self, port: int) -> None:
        """Take this very port: a call from before a restart has it.

        Raises:
            NoPortsLeft: the engine doesn't have it, or it is taken.
        """
        if port not in self._free:
            raise NoPortsLeft
        self._free.remove(port)
        self._taken.add(port)

    def give_back(self, port: int) -> None:
        """Let others take `port` again, if the engine still has it.

        Raises:
            MisuseError: it was not taken.
        """
        if port not in self._taken:
            raise MisuseError(f"port {port} was not taken")
        self._taken.remove(port)
        if port in self._ports:
            self._free.append(port)

    def replace(self, ports: Iterable[int]) -> None:
        """Take over the ports of a new engine; ports in use stay with their legs."""
        self._ports = frozenset(ports)
        self._free = deque(sorted(self._ports - self._taken))


@dataclass(frozen=True, slots=True)
class PeerMedia:
    """What a leg's peer said of one media.

    Args:
        line: its ``m=`` line and what is below it.
        direction: what the peer does; without receiving while it holds.
        rtp: where it wants RTP; None where it holds by 0.0.0.0, or where we can't send to.
        rtcp: where it wants RTCP; None for the usual place.
        opaque: it is nothing whose numbers may be changed: not sound, or perhaps protected from end
            to end. Pictures may have several sources at once that belong together (repair streams,
            RFC 4588).
    """

    line: Media
    direction: Direction
    rtp: Address | None
    rtcp: Address | None
    opaque: bool


@dataclass(frozen=True, slots=True)
class Agreement:
    """Where a leg's offers and answers stand: to go back to when a re-INVITE fails.

    Args:
        sdp: the peer's last description, as it came.
        peer: its media.
        told: what we last told the peer.
        answered: the peer has said something since.
    """

    sdp: bytes = b""
    peer: tuple[PeerMedia, ...] = ()
    told: SessionDescription | None = None
    answered: bool = False


class MediaState(msgspec.Struct, frozen=True):
    """A leg's media as the journal keeps it over a crash of the exchange.

    Args:
        local_address, session_id, shown_address: as given to `LegMedia`.
        version: of the ``o=`` line that we sent last.
        ports: our RTP ports by the place of their media.
        generations: of the streams, by place.
        told, remote: the last descriptions, ours (with version 0) and the peer's.
    """

    local_address: str
    session_id: int
    version: int
    ports: list[tuple[int, int]]
    generations: list[tuple[int, int]]
    told: bytes
    remote: bytes
    shown_address: str = ""


@dataclass(frozen=True, slots=True)
class SoundFacts:
    """What is agreed on of a party's sound.

    Args:
        index: the place of its media; -1: it isn't known, as before the answer.
        clock, event_type, event_clock: as in `protocol.Stream`.
    """

    index: int = -1
    clock: int = 8000
    event_type: int = -1
    event_clock: int = 8000


class KeyForm(StrEnum):
    """How a party is told of the keys that the other one presses."""

    EVENTS = "rfc4733"
    """Telephone-events where the party takes them, or whatever else it understands."""

    INFO = "info"
    INBAND = "inband"
    """Tones in the sound."""


class LegMedia:
    """The media of one leg.

    Args:
        pool: where its ports come from.
        local_address: our own numeric address towards this peer.
        session_id: of our ``o=`` lines to this peer (RFC 8866 §5.2).
        shown_address: where the peer is told to send media: a router's public address before ours;
            empty for our own. The ``o=`` line keeps our own: it must stay as it is for the whole
            session (RFC 3264 §8), and nobody sends anything there.
        call: the media of every leg of its call; this one is added.
        latch: accept media from another source than the description says (symmetric RTP).
        timeout_s: report a peer that should send and is silent for so long; 0 never.
        keys: how its party is told of the other one's keys, and tells of its own.
        watched: we want to know of its party's keys, also where they are passed on.
    """

    def __init__(
        self,
        pool: PortPool,
        local_address: str,
        session_id: int,
        *,
        shown_address: str = "",
        call: list["LegMedia"] | None = None,
        latch: bool = True,
        timeout_s: float,
        keys: KeyForm = KeyForm.EVENTS,
        watched: bool = False,
    ) -> None:
        self.keys = keys
        self.watched = watched
        self._pool = pool
        self.call = [] if call is None else call
        self.call.append(self)
        self._local_address = local_address
        self._session_id = session_id
        self._shown_address = shown_address
        self._latch = latch
        self._timeout_s = timeout_s
        self._ports: dict[int, int] = {}
        self._generations: dict[int, int] = {}
        self._agreement = Agreement()
        self._host = ""
        self._version = 0
        self._last_told: SessionDescription | None = None
        self._sent: dict[int, Stream] = {}
        self.sound = SoundFacts()
        """What is agreed on of its sound."""
        self._released: list[int] = []

    @property
    def ports(self) -> list[int]:
        """The RTP ports of its media, in the media's order."""
        return [self._ports[index] for index in sorted(self._ports)]

    def port(self, index: int) -> int:
        """Return our RTP port for the media at this place; 0 where it has none."""
        return self._ports.get(index, 0)

    @property
    def sound_port(self) -> int:
        """Our RTP port of its first sound that the engine knows of; 0 for none."""
        ports = (
            self._ports.get(index, 0)
            for index, one in enumerate(self._agreement.peer)
            if one.line.kind == "audio"
        )
        return next((port for port in ports if port in self._sent), 0)

    @property
    def event_port(self) -> int:
        """The port by which its peer can be sent telephone-events that nobody sends; 0 for none."""
        return self.port(self.sound.index) if self.sound.event_type >= 0 else 0

    @property
    def last_remote(self) -> bytes:
        """What this leg's peer said last; empty while it has said nothing."""
        return self._agreement.sdp

    def describe(self, other: bytes) -> bytes:
        """Return the other party's description `other`, rewritten for this leg's peer.

        Media goes to our address and ports, and by no other way; all else is passed through,
        codecs and keys that we don't know included.

        Raises:
            PeerError: `other` is no session description.
            NoPortsLeft: there is no port for one of its media.
        """
        told = self._rewritten(
            normalise(parse_sdp(other), self._shown_address or self._local_address)
        )
        # RFC 3264 §8: 'the version in the origin field MUST increment by one from the previous
        # SDP' where it differs, and stays where it doesn't.
        if told != self._last_told:
            self._version += 1
            self._last_told = told
        if told != self._agreement.told:
            self._agreement = replace(self._agreement, told=told, answered=False)
        return with_origin(told, self._origin(self._version)).encode()

    def remote(self, sdp: bytes, host: str = "") -> None:
        """Take in what this leg's own peer said.

        Args:
            sdp: its description.
            host: whence it came, a numeric address; empty where nobody knows. From another one than
                before (the peer's router has got a new address) media may come from elsewhere, too,
                though the description says the same.

        Raises:
            PeerError: it is no session description, or names an address that is no single party's,
                or ports of this very call: its media would go round in the engine for ever.
        """
        description = parse_sdp(sdp)
        peer = tuple(
            _peer_media(description, one, self._local_address) for one in description.media
        )
        if any(self._is_ours(one.rtp) or self._is_ours(one.rtcp) for one in peer):
            raise PeerError(488, "Media Loop")
        moved = host != self._host and bool(host and self._host)
        self._host = host or self._host
        self._set(replace(self._agreement, sdp=sdp, peer=peer, answered=True), moved=moved)

    def _is_ours(self, address: Address | None) -> bool:
        """Return True where media sent to `address` would come back to this call."""
        if address is None:
            return False
        near = ipaddress.ip_address(address.host).is_loopback
        return any(
            (near or address.host == media._local_address) and address.port in (port, port + 1)
            for media in self.call
            for port in media._ports.values()
        )

    def reserve(self) -> None:
        """Take a port for each media that the peer offers, before it is answered.

        Raises:
            NoPortsLeft: there are not enough.
        """
        for index, peer in enumerate(self._agreement.peer):
            if peer.line.port and index not in self._ports and _relayed(peer.line):
                self._ports[index] = self._pool.take()

    def ready(self, other: "LegMedia | None", *, wait: bool) -> list[Stream]:
        """Return the streams of a call that is not answered yet.

        RFC 3264 §5.1: who offers 'MUST be prepared to receive media' at once. And a caller may
        talk the moment it hears of the answer, sooner than the engine does.

        Args:
            other: where what this peer sends goes; None for nowhere yet.
            wait: keep what it sends until `bridge`.
        """
        streams = []
        for index, port in sorted(self._ports.items()):
            sink = other._ports.get(index, 0) if other else 0
            stream = structs.replace(self._stream(index, sink, timed=False), wait=wait)
            self._sent[port] = stream
            streams.append(stream)
        return streams

    def anchor(self) -> list[Stream]:
        """Return the streams that the engine doesn't know yet: of a leg that is joined with nobody.

        As `bridge`, for a leg whose sound ends in the engine.
        """
        self._end_refused()
        return self._changes({}, timed=True)

    def checkpoint(self) -> Agreement:
        """Return where offers and answers stand, before a re-INVITE changes it."""
        return self._agreement

    def restore(self, agreement: Agreement) -> None:
        """Go back to `agreement`: the re-INVITE failed, and the session runs on as it was.

        RFC 3261 §14.1: 'the session parameters MUST remain unchanged, as if no re-INVITE had been
        issued'. Ports that only the failed offer had end with the next `bridge`.
        """
        self._set(agreement)

    def close(self) -> list[int]:
        """Give all ports back; return those that the engine must release."""
        released = [*self.take_released(), *self._sent]
        for port in self.ports:
            self._pool.give_back(port)
        self._ports.clear()
        self._sent.clear()
        return released

    @property
    def described(self) -> bytes:
        """What the peer was last told, as it was said; empty for nothing."""
        told = self._agreement.told
        return with_origin(told, self._origin(self._version)).encode() if told else b""

    def everything(self) -> list[Stream]:
        """Return all streams as last set: what a restarted engine must be told."""
        return list(self._sent.values())

    def state(self) -> MediaState:
        """Return what `resume` needs after the exchange has died and come back."""
        told = self._agreement.told
        return MediaState(
            local_address=self._local_address,
            session_id=self._session_id,
            version=self._version,
            ports=sorted(self._ports.items()),
            generations=sorted(self._generations.items()),
            told=told.encode() if told else b"",
            remote=self._agreement.sdp,
            shown_address=self._shown_address,
        )

    @classmethod
    def resume(
        cls,
        pool: PortPool,
        state: MediaState,
        *,
        call: list["LegMedia"] | None = None,
        timeout_s: float,
        keys: KeyForm = KeyForm.EVENTS,
        watched: bool = False,
    ) -> "LegMedia":
        """Return the media of a leg that ran before the exchange died.

        Raises:
            NoPortsLeft: one of its ports is not to be had any more.
            PeerError: the state holds no session description.
        """
        media = cls(
            pool,
            state.local_address,
            state.session_id,
            shown_address=state.shown_address,
            call=call,
            timeout_s=timeout_s,
            keys=keys,
            watched=watched,
        )
        told = parse_sdp(state.told)
        media._version = state.version
        media._last_told = told
        media._agreement = Agreement(told=told)
        media.remote(state.remote)
        try:
            for index, port in state.ports:
                pool.claim(port)
                media._ports[index] = port
        except NoPortsLeft:
            media.close()
            raise
        media._generations = dict(state.generations)
        return media

    def take_released(self) -> list[int]:
        """Return the ports of media that ended since the last call: the engine must release them.

        From now on others may take them, so the release must go to the engine at once.
        """
        released, self._released = self._released, []
        for port in released:
            self._pool.give_back(port)
        return released

    def _rewritten(self, theirs: SessionDescription) -> SessionDescription:
        """Return `theirs` with our origin (version 0) and our way for the media."""
        media = [self._own(index, one) for index, one in enumerate(theirs.media)]
        # RFC 3264 §8: 'the number of "m=" lines MUST NOT decrease'; §6: an answer has as many as
        # the offer. Old phones leave out what they refuse; this leg's peer gets it refused.
        told = self._agreement.told.media if self._agreement.told else ()
        known = [*told, *(one.line for one in self._agreement.peer[len(told) :])]
        media += [refused(one) for one in known[len(media) :]]
        lines = tuple(line for line in theirs.lines if not _is_path(line))
        return with_origin(SessionDescription(lines, tuple(media)), self._origin(0))

    def _own(self, index: int, theirs: Media) -> Media:
        if not _relayed(theirs):
            return refused(theirs)
        port = 0
        if theirs.port:
            if index not in self._ports:
                self._ports[index] = self._pool.take()
            port = self._ports[index]
        return replace(theirs.without(_is_path), port=port, port_count=1)

    def _origin(self, version: int) -> Origin:
        connection = Connection.to(self._local_address)
        return Origin("-", str(self._session_id), str(version), connection)

    def _set(self, agreement: Agreement, *, moved: bool = False) -> None:
        """Change the agreement; raise the generation of media that may now come from elsewhere."""
        before = dict(enumerate(self._agreement.peer))
        for index, peer in enumerate(agreement.peer):
            if moved or _may_move(before.get(index), peer):
                self._generations[index] = self._generations.get(index, 0) + 1
        self._agreement = agreement

    def _runs(self, index: int) -> bool:
        """Return True where neither we nor the peer refused or ended the media."""
        told, peer = self._agreement.told, self._agreement.peer
        if told is None or index >= len(told.media) or not told.media[index].port:
            return False
        if index < len(peer):
            return bool(peer[index].line.port) or not self._agreement.answered
        return not self._agreement.answered

    def _end_refused(self) -> None:
        for index in [index for index in self._ports if not self._runs(index)]:
            port = self._ports.pop(index)
            if self._sent.pop(port, None):
                self._released.append(port)
            else:
                self._pool.give_back(port)

    def _changes(self, sinks: Mapping[int, int], *, timed: bool) -> list[Stream]:
        """Return the streams that are not as the engine was last told."""
        changed = []
        for index, port in sorted(self._ports.items()):
            stream = self._stream(index, sinks.get(index, 0), timed=timed)
            if self._sent.get(port) != stream:
                self._sent[port] = stream
                changed.append(stream)
        return changed

    def _stream(self, index: int, sink: int, *, timed: bool) -> Stream:
        told = self._agreement.told
        peer = self._agreement.peer[index] if index < len(self._agreement.peer) else None
        # RFC 5761 §5.1.1: RTP and RTCP share a port only where both parties have said so.
        muxed = bool(peer and told and peer.line.rtcp_mux and told.media[index].rtcp_mux)
        facts = self.sound if self.sound.index == index else SoundFacts()
        return Stream(
            port=self._ports[index],
            sink=sink,
            local=self._local_address,
            remote_rtp=peer.rtp if peer else None,
            remote_rtcp=peer.rtcp if peer and not muxed else None,
            rtcp_mux=muxed,
            send=peer is None or peer.direction.receives,
            latch=self._latch,
            timeout_s=self._timeout_s if timed and self._expects(index) else 0,
            generation=self._generations.get(index, 0),
            event_type=facts.event_type,
            event_clock=facts.event_clock,
            clock=facts.clock,
            opaque=self._opaque(index),
            datagrams=peer is not None and "RTP/" not in peer.line.protocol.upper(),
            keys=self.watched and self.sound.index == index,
        )

    def _opaque(self, index: int) -> bool:
        """Return True for media whose numbers both parties want as they are, as far as that is known."""
        told, peer = self._agreement.told, self._agreement.peer
        said = [peer[index].opaque] if index < len(peer) else []
        if told is not None and index < len(told.media):
            said.append(not _numbered(told, told.media[index]))
        return bool(said) and all(said)

    def _expects(self, index: int) -> bool:
        """Return True where the peer's silence means that it is gone.

        Only sound both ways is expected: a party on hold may send music or nothing (Yealink and
        Linphone send nothing), a camera or a fax machine may pause.
        """
        told, peer = self._agreement.told, self._agreement.peer
        if told is None or index >= len(peer):
            return False
        one = peer[index]
        sound = one.line.kind == "audio" and one.line.port > 0
        agreed = told.direction(told.media[index]).receives
        return sound and agreed and one.direction is Direction.SENDRECV


def _relayed(media: Media) -> bool:
    """Return True where a UDP relay can carry the media."""
    return media.protocol.partition("/")[0].upper() not in _OTHER_TRANSPORTS


def is_plain(description: SessionDescription, media: Media) -> bool:
    """Return True for RTP that nothing protects, and nothing may (RFC 8643: keys stand with it)."""
    return media.protocol.upper() in PLAIN_RTP and not any(
        media.attribute(name) is not None or description.attributes(name) for name in _KEYS
    )


def _numbered(description: SessionDescription, media: Media) -> bool:
    """Return True for sound that the engine may number anew."""
    return media.kind == "audio" and is_plain(description, media)


def bridge(a: LegMedia, b: LegMedia, *, timed: bool = True) -> list[Stream]:
    """Join two legs; return the streams that the engine doesn't know yet, or knows otherwise.

    Each media's sink is the other leg's media of the same place. Media that a party has refused or
    ended give their ports back: send `Release` for both legs' `take_released()` before the streams.
    Call it when an offer has been answered (by a provisional response, too), not while a re-INVITE
    is open.

    Args:
        a: one leg.
        b: the other leg; if it was to `wait`, what has come meanwhile finds `a` ready.
        timed: False before the call is answered, when a ringing phone may well be silent.
    """
    a._end_refused()
    b._end_refused()
    return [*a._changes(b._ports, timed=timed), *b._changes(a._ports, timed=timed)]


def _is_path(line: Line) -> bool:
    """Return True for an attribute that says by which way media goes: the way is ours."""
    if line.type != "a":
        return False
    name, _, value = line.value.partition(":")
    return name in _PATH_ATTRIBUTES or (name == "group" and value.split()[:1] == ["BUNDLE"])


def _peer_media(description: SessionDescription, media: Media, local: str) -> PeerMedia:
    direction = effective_direction(description, media)
    connection = description.connection(media)
    rtp = rtcp = None
    if media.port and connection:
        rtp = _address(connection, media.port, local)
    if rtp and media.rtcp:
        own = media.rtcp.connection
        rtcp = _address(own, media.rtcp.port, local) if own else None
        rtcp = rtcp or Address(rtp.host, media.rtcp.port)
    if rtp and rtp.port == MAX_PORT and not rtcp:
        rtcp = rtp  # There is no port above it.
    return PeerMedia(media, direction, rtp, rtcp, not _numbered(description, media))


def _address(connection: Connection, port: int, local: str) -> Address | None:
    """Return where to send to; None where we can't: held, a host name, the other IP version.

    Nor can we where it has a zone (RFC 4007 §11), whose name is one of the peer's own interfaces.

    Where it is None, the latch finds the peer by what it sends.

    Raises:
        PeerError: 488 for an address that many share: we would flood them.
    """
    host = connection.numeric
    if host is None:
        return None
    address = ipaddress.ip_address(host)
    if isinstance(address, ipaddress.IPv6Address):
        if address.scope_id is not None:
            return None
        # As a program with a socket for both writes an IPv4 address (RFC 4291 §2.5.5.2)
        address = address.ipv4_mapped or address
    if address.is_multicast or str(address) == "255.255.255.255":
        raise PeerError(488, "Multicast media is not served")
    if address.is_unspecified or address.version != ipaddress.ip_address(local).version:
        return None
    return Address(str(address), port)


def _may_move(before: PeerMedia | None, after: PeerMedia) -> bool:
    """Return True where the peer's media may come from another source than before.

    Its address changed; or it was switched on again: while it was silent, the mapping of a NAT
    in between may have ended (RFC 4787 §4.3).
    """
    if before is None:
        return True
    moved = after.rtp is not None and (after.rtp, after.rtcp) != (before.rtp, before.rtcp)
    on = Direction.of(
        sends=after.direction.sends and not before.direction.sends,
        receives=after.direction.receives and not before.direction.receives,
    )
    return moved or on is not Direction.INACTIVE
