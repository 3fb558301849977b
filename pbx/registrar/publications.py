"""What users say of their own presence: the event state compositor of RFC 3903."""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from xml.etree.ElementTree import Element

import msgspec

from pbx.config.settings import SipSettings
from pbx.errors import PeerError
from pbx.registrar import pidf
from pbx.sip.body import media_type
from pbx.sip.endpoint import Endpoint
from pbx.sip.event_package import event_of
from pbx.sip.headers import parse_delta_seconds
from pbx.sip.message import Request, Response, response_to
from pbx.sip.server_transaction import ServerTransaction

log = logging.getLogger(__name__)

MOST = 10
"""Publications of one user: of each phone one."""

MOST_TOGETHER = 2 * pidf.MAX_BYTES
"""Octets, as published, of what is told of one user: a NOTIFY has to fit into one datagram for
phones that take no TCP (RFC 3903 §6: how publications are put together is the compositor's policy)."""


class _Kept(msgspec.Struct, frozen=True):
    """A publication as it is kept over a restart."""

    number: str
    tag: str
    body: bytes
    expires_wall_s: float


@dataclass(frozen=True, slots=True)
class _Publication:
    """What one phone has published.

    Args:
        tag: its entity-tag: another after each request (§6).
        body: as it was published.
        parts: what it says.
        expires: when it ends.
    """

    tag: str
    body: bytes
    parts: list[Element]
    expires: float


class Publications:
    """Takes PUBLISH requests; sans-I/O.

    Args:
        endpoint: sends for us.
        tokens: fresh random names.
        limits: the bounds of a publication's time are those of a registration's.
        epoch: when the clock of `now` was 0, in seconds since 1970.
        keep: keeps a publication's octets under its name over a restart; None drops it.
        changed: told of each user who has published something else.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        tokens: Callable[[], str],
        limits: SipSettings,
        epoch: Callable[[], float],
        keep: Callable[[str, bytes | None], None],
        changed: Callable[[str], None],
    ) -> None:
        self._endpoint = endpoint
        self._tokens = tokens
        self._limits = limits
        self._epoch = epoch
        self._keep = keep
        self._changed = changed
        self._users: dict[str, dict[str, _Publication]] = {}

    def of(self, number: str) -> list[Element]:
        """Return what a user has published, of all phones together.

        What has been published last comes first into the room that a document has; what doesn't
        fit any more is left out until something else ends.
        """
        chosen: list[_Publication] = []
        room = MOST_TOGETHER
        for one in reversed(self._users.get(number, {}).values()):
            room -= len(one.body)
            if room < 0:
                break
            chosen.insert(0, one)
        return [part for one in chosen for part in one.parts]

    def publish(self, transaction: ServerTransaction, number: str, now: float) -> None:
        """Carry out an authenticated PUBLISH and answer it (§6).

        Args:
            number: who has sent it, of whom it is.
        """
        request = transaction.request
        try:
            response = self._published(request, number, now)
        except _IntervalTooBrief:
            response = self._refusal(request, 423, "Interval Too Brief")
            response.add("Min-Expires", str(self._limits.min_expires_s))
        except PeerError as error:
            response = self._refusal(request, error.status, error.reason)
            if error.status == 489:
                response.add("Allow-Events", "presence")
            elif error.status == 415:
                response.add("Accept", pidf.KIND)
        self._endpoint.respond(transaction, response, now)

    def _refusal(self, request: Request, status: int, reason: str) -> Response:
        return response_to(request, status, reason, to_tag=self._tokens())

    def _published(self, request: Request, number: str, now: float) -> Response:
        event = event_of(request)
        if event is None or event.package != "presence":
            raise PeerError(489, "Bad Event")
        mine = self._users.get(number, {})
        asked = request.get("SIP-If-Match")
        old = mine.get(asked) if asked is not None else None
        if asked is not None and (old is None or old.expires <= now):
            # §6 step 3
            raise PeerError(412, "Conditional Request Failed")
        expires_s = self._asked_s(request)
        if request.body:
            kind = media_type(request.get("Content-Type") or "")
            if kind != pidf.KIND or (request.get("Content-Encoding") or "identity") != "identity":
                raise PeerError(415, "Unsupported Media Type")
            body, parts = request.body, pidf.read(request.body)
        elif old is not None:
            body, parts = old.body, old.parts
        else:
            # §4.2: the first one has a body
            raise PeerError(400, "Nothing Published")
        if old is None and len(mine) >= MOST:
            raise PeerError(403, "Too Many Publications")
        fresh = _Publication(self._tokens(), body, parts, now + expires_s)
        if old is not None:
            self._drop(number, old)
        if expires_s:
            self._put(number, fresh)
        if old is None or request.body or not expires_s:
            self._changed(number)
        response = response_to(request, 200, "OK", to_tag=self._tokens())
        response.add("SIP-ETag", fresh.tag)
        response.add("Expires", str(expires_s))
        return response

    def _asked_s(self, request: Request) -> int:
        text = request.get("Expires")
        asked = self._limits.default_expires_s if text is None else parse_delta_seconds(text)
        if 0 < asked < self._limits.min_expires_s:
            raise _IntervalTooBrief(423, "Interval Too Brief")
        return min(asked, self._limits.max_expires_s)

    def _put(self, number: str, one: _Publication) -> None:
        self._users.setdefault(number, {})[one.tag] = one
        kept = _Kept(number, one.tag, one.body, one.expires + self._epoch())
        self._keep(one.tag, msgspec.json.encode(kept))

    def _drop(self, number: str, one: _Publication) -> None:
        mine = self._users[number]
        del mine[one.tag]
        if not mine:
            del self._users[number]
        self._keep(one.tag, None)

    def forget(self, number: str) -> None:
        """Drop what a user has published who is gone, or has another password."""
        for one in list(self._users.get(number, {}).values()):
            self._drop(number, one)
        self._changed(number)

    def restore(self, kept: Iterable[bytes]) -> None:
        """Take the publications from before a restart."""
        for octets in kept:
            try:
                one = msgspec.json.decode(octets, type=_Kept)
                parts = pidf.read(one.body)
            except (msgspec.DecodeError, PeerError) as error:
                log.error("a publication can't go on: %s", error)
                continue
            until = one.expires_wall_s - self._epoch()
            fresh = _Publication(one.tag, one.body, parts, until)
            self._users.setdefault(one.number, {})[one.tag] = fresh

    def next_timer(self) -> float | None:
        """When `handle_timer` is due; None for never."""
        times = (one.expires for mine in self._users.values() for one in mine.values())
        return min(times, default=None)

    def handle_timer(self, now: float) -> None:
        """Drop what has run out (§6.1)."""
        for number, mine in list(self._users.items()):
            over = [one for one in mine.values() if one.expires <= now]
            for one in over:
                self._drop(number, one)
            if over:
                self._changed(number)


class _IntervalTooBrief(PeerError):
    """Less time is asked for than is granted."""
