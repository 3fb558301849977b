"""The location service: which contacts each local user has (RFC 3261 §10.3)."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import msgspec

from pbx.call.leg import Target
from pbx.config.settings import SipSettings
from pbx.errors import PeerError
from pbx.sip.endpoint import DEFAULT_PORT
from pbx.sip.flow import Address, Flow
from pbx.sip.headers import STAR, NameAddr, parse_delta_seconds, parse_name_addr
from pbx.sip.message import Request, Response, response_to
from pbx.sip.uri import SipUri, equivalent, parse_uri


@dataclass(frozen=True, slots=True)
class Binding:
    """One contact of a user.

    Args:
        number: the user.
        uri: the contact's URI, as registered.
        flow: the path that the REGISTER came by.
        call_id, cseq: of the REGISTER, to tell old ones from new.
        expires: when it ends, on the clock of `now`.
        path: Route values that reach the contact (RFC 3327).
        user_agent: what the phone calls itself.
        q: the contact's preference, 0 to 1, as text; empty for none.
    """

    number: str
    uri: str
    flow: Flow
    call_id: str
    cseq: int
    expires: float
    path: tuple[str, ...] = ()
    user_agent: str = ""
    q: str = ""

    @property
    def target(self) -> Target:
        """Where a request for this contact goes.

        A live connection is used again (RFC 5626 §5.3). Over UDP the contact's own address is
        right, unless the phone sits behind a NAT: then only the packet's source reaches it.
        """
        flow = self.flow
        contact = parse_uri(self.uri)
        if not isinstance(contact, SipUri):
            return Target(self.number, self.uri, flow, self.path)
        direct = not self.path and not flow.connection and contact.host == flow.remote.host
        if direct:
            flow = replace(flow, remote=Address(contact.host, contact.port or DEFAULT_PORT))
        # §19.1.1: header components are not allowed in a Request-URI
        uri = str(msgspec.structs.replace(contact, headers=()))
        return Target(self.number, uri, flow, self.path)


class Bindings:
    """Every user's bindings, in memory.

    Args:
        limits: the bounds of a registration.
    """

    def __init__(self, limits: SipSettings) -> None:
        self._limits = limits
        self._users: dict[str, list[Binding]] = {}
        self._changed: set[str] = set()
        self._lost: dict[str, float] = {}

    @property
    def lost(self) -> dict[str, float]:
        """Users whose last binding ran out without being renewed or removed, and when."""
        return dict(self._lost)

    def of(self, number: str, now: float) -> list[Binding]:
        """Return a user's bindings that have not expired, the preferred first."""
        alive = [binding for binding in self._users.get(number, ()) if binding.expires > now]
        return sorted(alive, key=lambda binding: -float(binding.q or "1"))

    def restore(self, bindings: Iterable[Binding]) -> None:
        """Take bindings from before a restart."""
        for binding in bindings:
            self._users.setdefault(binding.number, []).append(binding)

    def forget(self, number: str) -> None:
        """Drop a user's bindings: the user is gone, or has another password."""
        self._lost.pop(number, None)
        if self._users.pop(number, None):
            self._changed.add(number)

    def disconnected(self, flow: Flow) -> None:
        """Go to the Contact from now on where a connection has ended (RFC 5626 §5.3)."""
        for number, bindings in self._users.items():
            self._users[number] = [
                replace(old, flow=replace(flow, connection=0)) if old.flow == flow else old
                for old in bindings
            ]

    def expire(self, now: float) -> None:
        """Drop what has run out."""
        for number, bindings in list(self._users.items()):
            alive = [binding for binding in bindings if binding.expires > now]
            if len(alive) < len(bindings):
                self._put(number, alive)
                if not alive:
                    self._lost[number] = now

    def next_expiry(self) -> float | None:
        """When `expire` has something to do; None for never."""
        return min(
            (binding.expires for bindings in self._users.values() for binding in bindings),
            default=None,
        )

    def take_changed(self) -> Iterator[tuple[str, list[Binding]]]:
        """Yield each user whose bindings changed since the last time, with all of them."""
        while self._changed:
            number = self._changed.pop()
            yield number, list(self._users.get(number, ()))

    def _put(self, number: str, bindings: list[Binding]) -> None:
        self._lost.pop(number, None)
        if bindings:
            self._users[number] = bindings
        else:
            self._users.pop(number, None)
        self._changed.add(number)

    def register(self, request: Request, flow: Flow, number: str, now: float, tag: str) -> Response:
        """Carry out an authenticated REGISTER and return its answer.

        Args:
            number: the user whose bindings change.
            tag: the response's To tag.
        """
        try:
            path = _path(request)
            kept = self._updated(request, flow, number, path, now)
        except _IntervalTooBrief:
            # §10.3 step 7: 423 with the least that is granted
            response = response_to(request, 423, "Interval Too Brief", to_tag=tag)
            response.add("Min-Expires", str(self._limits.min_expires_s))
            return response
        except PeerError as error:
            return response_to(request, error.status, error.reason, to_tag=tag)
        if kept is not None:
            self._put(number, kept)
        response = response_to(request, 200, "OK", to_tag=tag)
        for binding in self.of(number, now):
            left = max(round(binding.expires - now), 1)
            q = f";q={binding.q}" if binding.q else ""
            response.add("Contact", f"<{binding.uri}>{q};expires={left}")
        for hop in path:
            response.add("Path", hop)
        return response

    def _updated(
        self, request: Request, flow: Flow, number: str, path: tuple[str, ...], now: float
    ) -> list[Binding] | None:
        """The user's bindings after `request`; None for a query. Changes nothing itself.

        §10.3: "the registrar MUST process them atomically": one bad contact changes nothing.
        """
        contacts = request.contacts
        current = self.of(number, now)
        if contacts is STAR:
            if request.get("Expires") is None or self._asked(request.get("Expires")) != 0:
                raise PeerError(400, "Contact * Needs Expires 0")
            for binding in current:
                _check_order(binding, request)
            return []
        if not contacts:
            return None
        stored, most = current, self._limits.max_contacts
        # Before they are compared, too, each with each: one message has room for thousands
        if len(contacts) > len(current) + most:
            raise PeerError(403, "Too Many Contacts")
        for contact in contacts:
            if isinstance(contact.uri, SipUri) and contact.uri.scheme == "sips":
                # RFC 5630 §5.4: only where the Request-URI and each Path are sips too, which we
                # refuse; such a phone would get sip requests from us, and not know of it
                raise PeerError(400, "A sips Contact Needs A sips Request-URI")
            for old in _same_contact(stored, contact):
                _check_order(old, request)
            model = Binding(
                number,
                str(contact.uri),
                flow,
                request.call_id,
                request.cseq.number,
                now,
                path,
                _printable(request.get("User-Agent") or ""),
            )
            current = self._with_contact(current, contact, request, model)
        if len(current) > most:
            raise PeerError(403, "Too Many Contacts")
        return current

    def _with_contact(
        self, current: list[Binding], contact: NameAddr, request: Request, model: Binding
    ) -> list[Binding]:
        """`current` with `contact` added, changed or removed; `model` lacks its time and q."""
        expires_s = self._granted(contact, request)
        same = _same_contact(current, contact)
        others = [old for old in current if old not in same]
        if expires_s == 0:
            return others
        q = contact.param("q")
        preference = q if q is not None and _is_preference(q) else ""
        return [*others, replace(model, expires=model.expires + expires_s, q=preference)]

    def _granted(self, contact: NameAddr, request: Request) -> int:
        """How many seconds the contact is kept (§10.2.1.1, §10.3 step 7)."""
        own = contact.param("expires")
        asked = self._asked(own if own is not None else request.get("Expires"))
        if asked == 0:
            return 0
        if asked < self._limits.min_expires_s:
            raise _IntervalTooBrief(423, "Interval Too Brief")
        return min(asked, self._limits.max_expires_s)

    def _asked(self, text: str | None) -> int:
        if text is None:
            return self._limits.default_expires_s
        try:
            return parse_delta_seconds(text)
        except PeerError:
            # §20.10: a malformed value is to be taken as 3600
            return self._limits.default_expires_s


class _IntervalTooBrief(PeerError):
    """A contact asks for less time than the registrar grants."""


def _check_order(binding: Binding, request: Request) -> None:
    """§10.3 step 7: with the same Call-ID, the CSeq must be higher than the stored one."""
    if binding.call_id == request.call_id and request.cseq.number <= binding.cseq:
        raise PeerError(400, "CSeq Out Of Order")


def _same_contact(bindings: Iterable[Binding], contact: NameAddr) -> list[Binding]:
    """The bindings of the same contact (§10.3 step 7, §19.1.4)."""
    return [old for old in bindings if equivalent(parse_uri(old.uri), contact.uri)]


def _path(request: Request) -> tuple[str, ...]:
    """The Path values (RFC 3327), to be Route values later.

    Raises:
        PeerError: 400 where one is no address, or nothing that could be kept.
    """
    path = tuple(request.all("Path"))
    for hop in path:
        parse_name_addr(hop)
        if not hop.isprintable():
            raise PeerError(400, "Bad Path")
    return path


def _printable(text: str) -> str:
    """`text` without what would break a console or a database: control characters, stray octets."""
    return "".join(char for char in text if char.isprintable())


def _is_preference(text: str) -> bool:
    """True for a q-value, 0 to 1 (§25.1)."""
    try:
        return 0 <= float(text) <= 1
    except ValueError:
        return False
