"""The location service: which contacts each local user has (RFC 3261 §10.3)."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from email.utils import formatdate
from typing import cast

from pbx.config.settings import SipSettings
from pbx.errors import PeerError
from pbx.registrar.binding import Binding
from pbx.registrar.instances import (
    features_of,
    instance_of,
    is_first_hop,
    keeps_flow,
    left_behind,
    reg_id_of,
    replaced_by,
)
from pbx.registrar.standing import Standing
from pbx.sip.flow import Flow
from pbx.sip.headers import STAR, NameAddr, parse_delta_seconds, parse_name_addr
from pbx.sip.message import Request, Response, response_to
from pbx.sip.next_hop import behind_nat
from pbx.sip.secure import is_sips
from pbx.sip.source import source_of
from pbx.sip.timers import TimerQueue
from pbx.sip.uri import SipUri
from pbx.sip.warning import warning

FLOW_TIMERS_S = {"udp": 30, "tcp": 120, "tls": 120}
"""How long a flow may be silent before its phone counts as gone, by transport: what RFC 5626 §4.4
has phones do by themselves. Over WebSocket TCP's own probes serve, for browsers send nothing."""


class Bindings:
    """Every user's bindings, in memory.

    Args:
        limits: the bounds of a registration.
        epoch: when the clock of `now` was 0, in seconds since 1970; None where nobody knows.
    """

    def __init__(self, limits: SipSettings, epoch: Callable[[], float] | None = None) -> None:
        self.check: Callable[[Binding], None] = lambda binding: None
        """Raises PeerError, whose status is the answer, for a binding that isn't to be stored."""
        self._limits = limits
        self._epoch = epoch
        self._users: dict[str, list[Binding]] = {}
        # By sender: the users who have bindings there
        self._at: dict[str, set[str]] = {}
        self._changed: set[str] = set()
        self._lost: dict[str, float] = {}
        # By user: when the first of its bindings runs out
        self._timers = TimerQueue()

    @property
    def lost(self) -> dict[str, float]:
        """Users whose last binding ran out without being renewed or removed, and when."""
        return dict(self._lost)

    def of(self, number: str, now: float) -> list[Binding]:
        """Return a user's bindings that have not expired, the preferred first."""
        alive = [binding for binding in self._users.get(number, ()) if binding.expires > now]
        return sorted(alive, key=lambda binding: -float(binding.q or "1"))

    def flows(self, now: float) -> Iterator[Flow]:
        """Yield the paths of all users' bindings that have not expired."""
        for bindings in self._users.values():
            yield from (one.flow for one in bindings if one.expires > now)

    def has_source(self, flow: Flow) -> bool:
        """Whether a phone has registered from where a path comes: its address, or its network."""
        return source_of(flow.remote.host) in self._at

    def standing(self, number: str, flow: Flow, call_id: str, now: float) -> Standing:
        """Return how the sender of a request stands to a user.

        A phone of the user's has a path of its own; by one that other users' phones have, too,
        anybody may send. It is known by the Call-ID of its REGISTER as well, which it keeps (RFC
        3261 §10.2.4), also over a new connection or port, and nobody else has heard.

        Args:
            number: the user.
            flow: the path that the request has come by.
            call_id: the request's.
            now: the time.
        """
        source = source_of(flow.remote.host)
        own = [one for one in self.of(number, now) if _source(one) == source]
        if any(one.call_id == call_id for one in own):
            return Standing.PHONE

        def others() -> Iterator[Binding]:
            users = (user for user in self._at.get(source, ()) if user != number)
            found = (one for user in users for one in self.of(user, now))
            return (one for one in found if _source(one) == source)

        if any(flow.same_source(one.flow) for one in own) and not any(
            flow.same_source(one.flow) for one in others()
        ):
            return Standing.PHONE
        if own or any(one.path for one in others()):
            return Standing.NEIGHBOUR
        return Standing.STRANGER

    def restore(self, bindings: Iterable[Binding]) -> None:
        """Take bindings from before a restart."""
        for binding in bindings:
            self._store(binding.number, [*self._users.get(binding.number, ()), binding])

    def forget(self, number: str) -> None:
        """Drop a user's bindings: the user is gone, or has another password."""
        self._lost.pop(number, None)
        if number in self._users:
            self._store(number, [])
            self._changed.add(number)

    def disconnected(self, flow: Flow, now: float) -> None:
        """Go to the Contact from now on where a connection has ended; a kept flow ends with it.

        RFC 5626 §7: "the proxy MUST invalidate all the bindings in the target set that use that
        flow". Who keeps one notices, and registers anew; others may listen at their Contact.
        """
        for number, bindings in list(self._users.items()):
            left = [
                replace(old, flow=replace(flow, connection=0)) if old.flow == flow else old
                for old in bindings
                if not (old.flow == flow and flow.connection and old.reg_id and not old.path)
            ]
            if len(left) == len(bindings):
                self._users[number] = left
                continue
            self._put(number, left)
            if not left:
                self._lost[number] = now

    def handle_timer(self, now: float) -> None:
        """Drop what has run out."""
        for key in self._timers.pop_due(now):
            number = cast(str, key)
            alive = [one for one in self._users[number] if one.expires > now]
            self._put(number, alive)
            if not alive:
                self._lost[number] = now

    def next_timer(self) -> float | None:
        """When `handle_timer` has something to do; None for never."""
        return self._timers.next_timer()

    def _set_timer(self, number: str) -> None:
        first = min((one.expires for one in self._users.get(number, ())), default=None)
        if first is None:
            self._timers.cancel(number)
        else:
            self._timers.set(number, first)

    def take_changed(self) -> Iterator[tuple[str, list[Binding]]]:
        """Yield each user whose bindings changed since the last time, with all of them."""
        while self._changed:
            number = self._changed.pop()
            yield number, list(self._users.get(number, ()))

    def _put(self, number: str, bindings: list[Binding]) -> None:
        self._lost.pop(number, None)
        self._store(number, bindings)
        self._changed.add(number)

    def _store(self, number: str, bindings: list[Binding]) -> None:
        before = self._users.pop(number, [])
        if bindings:
            self._users[number] = bindings
        for source in {_source(one) for one in before}:
            self._at[source].discard(number)
            if not self._at[source]:
                del self._at[source]
        for source in map(_source, bindings):
            self._at.setdefault(source, set()).add(number)
        self._set_timer(number)

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
            response = response_to(request, error.status, error.reason, to_tag=tag)
            if error.status == 403:
                response.add("Warning", warning(error.reason, "", flow.local.host))
            return response
        if kept is not None:
            self._put(number, kept)
        response = response_to(request, 200, "OK", to_tag=tag)
        if self._epoch is not None:
            # §10.3 step 8; phones without a clock of their own take it for theirs (§20.17)
            response.add("Date", formatdate(self._epoch() + now, usegmt=True))
        for binding in self.of(number, now):
            left = max(round(binding.expires - now), 1)
            q = f";q={binding.q}" if binding.q else ""
            features = binding.features
            response.add("Contact", f"<{binding.uri}>{q}{features};expires={left}")
        for hop in path:
            # "The registrar copies the Path header field values into a Path header field in the
            # successful (200 class) REGISTER response." (RFC 3327 §5.3)
            response.add("Path", hop)
        if path:
            # RFC 3608 §6: how requests come here again, for a phone that is behind proxies
            response.add("Service-Route", _own_route(flow))
        if keeps_flow(request):
            # RFC 5626 §6: the flow counts, and is kept by CRLF (§4.4.1) or STUN (§4.4.2). In the
            # answer to any other phone of the user "the registrar MUST NOT include" it.
            response.add("Require", "outbound")
            if is_first_hop(request) and flow.transport in FLOW_TIMERS_S:
                # RFC 5626 §5.4: how often the phone is to show that its flow lives
                response.add("Flow-Timer", str(FLOW_TIMERS_S[flow.transport]))
        return response

    def _updated(
        self, request: Request, flow: Flow, number: str, path: tuple[str, ...], now: float
    ) -> list[Binding] | None:
        """The user's bindings after `request`; None for a query. Changes nothing itself.

        §10.3: "REGISTER requests MUST also be processed atomically": one bad contact changes
        nothing.
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
        lasting = [one for one in contacts if self._granted(one, request)]
        if len(lasting) > 1 and any(reg_id_of(one, request) for one in lasting):
            # RFC 5626 §6: one flow, one Contact; those that are removed don't count
            raise PeerError(400, "More Than One Contact For A Flow")
        for contact in contacts:
            if is_sips(contact.uri):
                _check_secure(request, flow, path)
            reg_id = reg_id_of(contact, request)
            for old in replaced_by(stored, contact, reg_id, request.call_id):
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
                instance=instance_of(contact),
                reg_id=reg_id,
                behind_nat=behind_nat(request, flow),
                features=features_of(contact),
            )
            if contact in lasting:
                self.check(model)
            current = self._with_contact(current, contact, request, model)
        while len(current) > most:
            leftover = left_behind(current, current[-1])
            if leftover is None:
                raise PeerError(403, "Too Many Contacts")
            current = [one for one in current if one is not leftover]
        return current

    def _with_contact(
        self, current: list[Binding], contact: NameAddr, request: Request, model: Binding
    ) -> list[Binding]:
        """`current` with `contact` added, changed or removed; `model` lacks its time and q."""
        expires_s = self._granted(contact, request)
        same = replaced_by(current, contact, model.reg_id, model.call_id)
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


def _source(binding: Binding) -> str:
    return source_of(binding.flow.remote.host)


def _check_order(binding: Binding, request: Request) -> None:
    """§10.3 step 7: with the same Call-ID, the CSeq must be higher than the stored one."""
    if binding.call_id == request.call_id and request.cseq.number <= binding.cseq:
        raise PeerError(400, "CSeq Out Of Order")


def _check_secure(request: Request, flow: Flow, path: Iterable[str]) -> None:
    """Check that a sips Contact may be taken (RFC 5630 §5.2).

    Raises:
        PeerError: 400 unless the Request-URI, every Contact and every Path are sips, and TLS is
            what the REGISTER came by.
    """
    contacts = request.contacts
    uris = [request.request_uri, *(parse_name_addr(hop).uri for hop in path)]
    uris += [] if contacts is STAR else [each.uri for each in contacts]
    if not flow.is_secure or not all(is_sips(uri) for uri in uris):
        raise PeerError(400, "A sips Contact Needs sips Throughout")


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


def _own_route(flow: Flow) -> str:
    """Our own address as a Route value."""
    params = (("transport", flow.transport), ("lr", "")) if flow.reliable else (("lr", ""),)
    return f"<{SipUri('sip', None, None, flow.local.host, flow.local.port, params)}>"


def _printable(text: str) -> str:
    """`text` without what would break a console or a database: control characters, stray octets."""
    return "".join(char for char in text if char.isprintable())


def _is_preference(text: str) -> bool:
    """True for a q-value, 0 to 1 (§25.1)."""
    try:
        return 0 <= float(text) <= 1
    except ValueError:
        return False
