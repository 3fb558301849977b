"""Who watches what: every subscription to an event package (RFC 6665 §4.2)."""

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol, cast

import msgspec

from pbx.call.journal import FlowState
from pbx.call.party import contact
from pbx.config.settings import SipSettings
from pbx.errors import PeerError
from pbx.sip.dialog import Dialog, dialog_id_of
from pbx.sip.dialog_usage import usage_key
from pbx.sip.endpoint import Endpoint
from pbx.sip.event_package import EventName, accepts, event_of
from pbx.sip.events import (
    Event,
    RequestReceived,
    ResponseReceived,
    TransactionTimedOut,
    TransportFailed,
)
from pbx.sip.flow import Flow
from pbx.sip.headers import parse_delta_seconds
from pbx.sip.message import Request, Response, response_to
from pbx.sip.refer import REFER_PACKAGE
from pbx.sip.server_transaction import ServerTransaction
from pbx.sip.subscription import Subscription
from pbx.sip.timers import TimerQueue

log = logging.getLogger(__name__)

MOST = 500
"""Subscriptions of one user, of all phones together."""

ALIKE = 4
"""How many subscriptions to the same thing one phone may have. baresip 1.0 makes a new one, and
forgets the old one, each time that one ends."""

SPREAD_S = 0.02
"""How far apart subscriptions are told of the state after a restart."""

SEQUENCE_RESERVE = 16
"""Added to our CSeq numbers and versions then: so many may have been used since they were kept."""


class Package(Protocol):
    """An event package: a kind of state that can be watched.

    Attributes:
        name: as in Event.
        kind: the Content-Type of its documents.
        least_s: how far apart a subscription is told of changes, seconds.
        own_only: True where nobody may watch another user's.
    """

    name: str
    kind: str
    least_s: float
    own_only: bool

    def document(self, number: str, flow: Flow, version: int, *, own: bool) -> bytes:
        """Return the state of a user, as the document of this number in its subscription.

        Args:
            own: it is for the user.
        """


@dataclass(slots=True, eq=False)
class _Watcher:
    """A subscription, whose it is, and what it is to.

    Args:
        subscriber, resource: numbers of users.
        told: the document that was sent last, but for its number.
        saved: the subscription's CSeq when it was last kept.
    """

    subscription: Subscription
    package: Package
    subscriber: str
    resource: str
    told: bytes = b""
    saved: int = 0

    def document(self, version: int) -> bytes:
        """Return the state as the subscriber is told it."""
        own = self.subscriber == self.resource
        return self.package.document(self.resource, self.subscription.flow, version, own=own)

    @property
    def name(self) -> str:
        """What it is kept under: our own tag, which no other has."""
        return self.subscription.key[1]


class _Kept(msgspec.Struct, frozen=True):
    """A subscription as it is kept over a restart."""

    dialog: dict[str, object]
    flow: FlowState
    event: str
    event_id: str
    subscriber: str
    resource: str
    version: int
    expires_wall_s: float
    behind_nat: bool


class Watchers:
    """Takes SUBSCRIBEs, and sends NOTIFYs as the state changes; sans-I/O.

    Args:
        endpoint: sends and matches for us.
        tokens: fresh random names.
        limits: the bounds of a subscription's time are those of a registration's.
        packages: what can be watched.
        epoch: when the clock of `now` was 0, in seconds since 1970.
        keep: keeps a subscription's octets under its name over a restart; None drops it.
        prove: whether a request is this user's, though it comes by another path than the
            subscription's; False where it has been answered.
        may_watch: whether a user is told of another one's state.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        tokens: Callable[[], str],
        limits: SipSettings,
        packages: Iterable[Package],
        epoch: Callable[[], float],
        keep: Callable[[str, bytes | None], None],
        prove: Callable[[str, ServerTransaction, float], bool],
        may_watch: Callable[[str, str], bool],
    ) -> None:
        self._may_watch = may_watch
        self._prove = prove
        self._endpoint = endpoint
        self._tokens = tokens
        self._limits = limits
        self._packages: Mapping[str, Package] = {one.name: one for one in packages}
        self._epoch = epoch
        self._keep = keep
        self._timers = TimerQueue()
        self._watchers: dict[tuple[str, str], _Watcher] = {}
        self._of: dict[tuple[str, str], list[_Watcher]] = {}

    @property
    def packages(self) -> tuple[str, ...]:
        """What can be watched, as Allow-Events says it."""
        return tuple(self._packages)

    # ---------------------------------------------------------------- a new subscription

    def refusal(self, request: Request, tag: str) -> Response | None:
        """Return why a SUBSCRIBE can't be served, whoever sends it; None where it can.

        Args:
            tag: the refusal's To tag.
        """
        try:
            event = event_of(request)
            package = self._packages.get(event.package) if event is not None else None
            if event is not None and event.package == REFER_PACKAGE:
                # RFC 3515 §2.4.4: a REFER alone can create one
                raise PeerError(403, "Only By REFER")
            if package is None:
                # §7.2.1, §8.3.2: 489 with what would be served
                response = response_to(request, 489, "Bad Event", to_tag=tag)
                response.add("Allow-Events", ", ".join(self.packages))
                return response
            wanted = request.all("Accept")
            if wanted and not accepts(wanted, package.kind):
                return response_to(request, 406, "Not Acceptable", to_tag=tag)
            self._asked_s(request)
        except _IntervalTooBrief:
            response = response_to(request, 423, "Interval Too Brief", to_tag=tag)
            response.add("Min-Expires", str(self._limits.min_expires_s))
            return response
        except PeerError as error:
            return response_to(request, error.status, error.reason, to_tag=tag)
        return None

    def subscribe(
        self, transaction: ServerTransaction, subscriber: str, resource: str, now: float
    ) -> None:
        """Begin a subscription, for a SUBSCRIBE that `refusal` has nothing against.

        Args:
            transaction: the SUBSCRIBE's.
            subscriber: who has sent it.
            resource: the number of the user whose state is wanted.
        """
        request, tag = transaction.request, self._tokens()
        event = event_of(request)
        assert event is not None
        package = self._packages[event.package]
        try:
            if package.own_only and subscriber != resource:
                raise PeerError(403, "Not Your Number")
            if not self._may_watch(subscriber, resource):
                raise PeerError(403, "Not Yours To Watch")
            self._make_room(request, subscriber, resource, event)
            dialog = Dialog.uas(request, tag)
            expires_s = self._asked_s(request)
        except PeerError as error:
            refusal = response_to(request, error.status, error.reason, to_tag=tag)
            self._endpoint.respond(transaction, refusal, now)
            return
        dialog.confirm()
        watcher = self._watcher(dialog, transaction.flow, event, subscriber, resource)
        watcher.subscription.accept(transaction, expires_s, now)
        self._note(watcher)

    def _watcher(
        self,
        dialog: Dialog,
        flow: Flow,
        event: EventName,
        subscriber: str,
        resource: str,
        version: int = 0,
    ) -> _Watcher:
        package = self._packages[event.package]

        def document(subscription: Subscription) -> bytes:
            watcher.told = watcher.document(0)
            return watcher.document(subscription.version)

        subscription = Subscription(
            self._endpoint,
            self._timers,
            lambda flow: contact(resource, flow, secure=dialog.secure),
            flow,
            dialog,
            event,
            package.kind,
            document,
            package.least_s,
            version,
        )
        watcher = _Watcher(subscription, package, subscriber, resource)
        self._watchers[subscription.key] = watcher
        self._of.setdefault((package.name, resource), []).append(watcher)
        return watcher

    def _make_room(
        self, request: Request, subscriber: str, resource: str, event: EventName
    ) -> None:
        """Forget the oldest subscription of a phone that has too many to the same thing.

        It isn't told: it may have forgotten them, or else learns it at its next refresh.

        Raises:
            PeerError: 403: the user has too many in all.
        """
        mine = [one for one in self._watchers.values() if one.subscriber == subscriber]
        target = Dialog.uas(request, "").remote_target
        alike = [
            one
            for one in mine
            if (one.resource, one.subscription.event) == (resource, event)
            and one.subscription.remote_target == target
        ]
        if len(alike) >= ALIKE:
            self._forget(alike[0])
        elif len(mine) >= MOST:
            raise PeerError(403, "Too Many Subscriptions")

    def _asked_s(self, request: Request) -> int:
        """How long the subscription is to last (§4.2.1.1)."""
        text = request.get("Expires")
        asked = self._limits.default_expires_s if text is None else parse_delta_seconds(text)
        if 0 < asked < self._limits.min_expires_s:
            raise _IntervalTooBrief(423, "Interval Too Brief")
        return min(asked, self._limits.max_expires_s)

    # ---------------------------------------------------------------- what comes in

    def owns(self, event: Event) -> bool:
        """Whether the event belongs to a subscription."""
        return self._watcher_of(event) is not None

    def _watcher_of(self, event: Event) -> _Watcher | None:
        if isinstance(event, RequestReceived):
            request = event.request
            return self._watchers.get(usage_key(request.call_id, request.to.tag))
        if isinstance(event, ResponseReceived | TransactionTimedOut | TransportFailed):
            request = event.transaction.request
            return self._watchers.get(usage_key(request.call_id, request.from_.tag))
        return None

    def handle(self, event: Event, now: float) -> None:
        """Take an event that `owns` is true for."""
        watcher = self._watcher_of(event)
        assert watcher is not None
        subscription = watcher.subscription
        if not isinstance(event, RequestReceived):
            subscription.receive(event, now)
        elif event.transaction is not None:
            self._refresh(watcher, event.transaction, now)
        self._note(watcher)

    def _refresh(self, watcher: _Watcher, transaction: ServerTransaction, now: float) -> None:
        """§4.2.1.4: a SUBSCRIBE within the dialog; anything else has no business there."""
        request, subscription = transaction.request, watcher.subscription
        refusal = None
        dialog = subscription.dialog
        if dialog is None or dialog_id_of(request) != dialog.id:
            # RFC 3261 §12.2.2: the dialog is found by both tags
            refusal = response_to(request, 481, "Subscription Does Not Exist", to_tag=None)
        elif request.method != "SUBSCRIBE":
            refusal = response_to(request, 405, "Method Not Allowed", to_tag=None)
            refusal.add("Allow", "SUBSCRIBE")
        else:
            refusal = self.refusal(request, "")
        if refusal is not None:
            self._endpoint.respond(transaction, refusal, now)
            return
        known = transaction.flow.same_source(subscription.flow)
        if not known and not self._prove(watcher.subscriber, transaction, now):
            return
        try:
            if event_of(request) != subscription.event:
                # §4.5.2: a dialog has one subscription
                raise PeerError(481, "Subscription Does Not Exist")
            subscription.check(request)
        except PeerError as error:
            subscription.refuse(transaction, error, now)
            return
        subscription.accept(transaction, self._asked_s(request), now)
        watcher.saved = 0

    # ---------------------------------------------------------------- what changes

    def changed(self, package: str, resource: str, now: float) -> None:
        """Tell those who watch this state of a user, where it is another than they know."""
        for watcher in list(self._of.get((package, resource), ())):
            subscription = watcher.subscription
            document = watcher.document(0)
            if document != watcher.told:
                subscription.changed(now)
                self._note(watcher)

    def disconnected(self, flow: Flow) -> None:
        """Go to the Contact from now on where a connection has ended."""
        for watcher in self._watchers.values():
            watcher.subscription.disconnected(flow)

    def removed(self, number: str, now: float) -> None:
        """End what a user watches who is gone, and what watches it."""
        for watcher in list(self._watchers.values()):
            if number in (watcher.subscriber, watcher.resource):
                watcher.subscription.end("noresource", now)
                self._note(watcher)

    def expelled(self, number: str, now: float) -> None:
        """End what a user watches who must log in anew: with another password, or not at all.

        §4.1.3: a phone that knows the password subscribes again at once.
        """
        for watcher in list(self._watchers.values()):
            if watcher.subscriber == number:
                watcher.subscription.end("deactivated", now)
                self._note(watcher)

    # ---------------------------------------------------------------- time

    def next_timer(self) -> float | None:
        """When `handle_timer` is due; None for never."""
        return self._timers.next_timer()

    def handle_timer(self, now: float) -> None:
        """Send what is due, and end what has run out."""
        for key in self._timers.pop_due(now):
            subscription, name = cast(tuple[Subscription, str], key)
            watcher = self._watchers.get(subscription.key)
            if watcher is not None:
                subscription.timer_fired(name, now)
                self._note(watcher)

    # ---------------------------------------------------------------- over a restart

    def _note(self, watcher: _Watcher) -> None:
        """Keep a subscription as it is now, or forget it where it is over."""
        subscription = watcher.subscription
        if subscription.over:
            self._forget(watcher)
            return
        dialog = subscription.dialog
        assert dialog is not None
        # Not each NOTIFY is worth a write: after a restart the numbers go on beyond the reserve.
        if watcher.saved and dialog.local_seq - watcher.saved < SEQUENCE_RESERVE // 2:
            return
        watcher.saved = dialog.local_seq
        kept = _Kept(
            dialog.to_dict(),
            FlowState.of(subscription.flow),
            subscription.event.package,
            subscription.event.id,
            watcher.subscriber,
            watcher.resource,
            subscription.version,
            subscription.expires + self._epoch(),
            subscription.behind_nat,
        )
        self._keep(watcher.name, msgspec.json.encode(kept))

    def restore(self, kept: Iterable[bytes], now: float) -> None:
        """Take the subscriptions from before a restart, and tell them of the state now."""
        for octets in kept:
            try:
                self._restore(msgspec.json.decode(octets, type=_Kept), now)
            except (msgspec.DecodeError, PeerError, TypeError, KeyError) as error:
                # Another version wrote it.
                log.error("a subscription can't go on: %s", error)

    def _restore(self, kept: _Kept, now: float) -> None:
        dialog = Dialog.from_dict(kept.dialog)
        dialog.local_seq += SEQUENCE_RESERVE
        watcher = self._watcher(
            dialog,
            kept.flow.flow,
            EventName(kept.event, kept.event_id),
            kept.subscriber,
            kept.resource,
            kept.version + SEQUENCE_RESERVE,
        )
        until = kept.expires_wall_s - self._epoch()
        watcher.subscription.last(max(until, now), nat=kept.behind_nat)
        watcher.subscription.tell_at(now + SPREAD_S * len(self._watchers))
        if not self._may_watch(kept.subscriber, kept.resource):
            watcher.subscription.end("rejected", now)
        self._note(watcher)

    def _forget(self, watcher: _Watcher) -> None:
        watcher.subscription.forget()
        if self._watchers.pop(watcher.subscription.key, None) is not None:
            key = watcher.package.name, watcher.resource
            self._of[key].remove(watcher)
            if not self._of[key]:
                del self._of[key]
            self._keep(watcher.name, None)


class _IntervalTooBrief(PeerError):
    """Less time is asked for than is granted."""
