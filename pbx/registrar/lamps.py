"""Lamps and texts, put together: MESSAGE, SUBSCRIBE and PUBLISH, and what the exchange tells of."""

from collections.abc import Callable
from functools import partial

from pbx.call.facts import CallFacts
from pbx.config.settings import Settings
from pbx.registrar.admission import Admission, dialed_number
from pbx.registrar.bindings import Bindings
from pbx.registrar.dialog_info import DialogInfo
from pbx.registrar.message_relay import MessageRelay
from pbx.registrar.message_waiting import MessageWaiting
from pbx.registrar.presence import Presence
from pbx.registrar.publications import Publications
from pbx.registrar.watchers import Watchers
from pbx.sip.dispatch import Owner, Ticking
from pbx.sip.endpoint import Endpoint
from pbx.sip.flow import Flow
from pbx.sip.message import response_to
from pbx.sip.server_transaction import ServerTransaction
from pbx.store.snapshot import Snapshot

KINDS = ("message", "subscription", "publication")
"""What is kept over a restart, as the store calls it."""


class Lamps:
    """Takes the requests that are about texts and lamps, and hears what changes; sans-I/O.

    Args:
        endpoint: sends and matches for us.
        admission: passes the requests on, and knows who sends them.
        bindings: where users are.
        tokens: fresh random names.
        snapshot: the configuration in force.
        settings: the settings in force.
        epoch: when the clock of `now` was 0, in seconds since 1970.
        keep: keeps octets over a restart, by kind and name; None drops them.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        admission: Admission,
        bindings: Bindings,
        tokens: Callable[[], str],
        snapshot: Callable[[], Snapshot],
        settings: Settings,
        epoch: Callable[[], float],
        keep: Callable[[str, str, bytes | None], None],
    ) -> None:
        self._endpoint = endpoint
        self._admission = admission
        self._tokens = tokens
        self._snapshot = snapshot
        self._seen = snapshot()
        self._changed: dict[tuple[str, str], None] = {}
        self._now = 0.0

        def keeping(kind: str) -> Callable[[str, bytes | None], None]:
            return lambda name, value: keep(kind, name, value)

        self._relay = MessageRelay(
            endpoint,
            bindings,
            admission.phones,
            tokens,
            settings.messages,
            epoch,
            keeping("message"),
        )
        self._calls = DialogInfo(lambda number: number in snapshot().users)
        self._publications = Publications(
            endpoint,
            tokens,
            settings.sip,
            epoch,
            keeping("publication"),
            lambda number: self._note("presence", number),
        )
        presence = Presence(
            lambda number: bool(bindings.of(number, self._now)),
            self._calls.busy,
            self._publications,
        )
        self._watchers = Watchers(
            endpoint,
            tokens,
            settings.sip,
            (self._calls, presence, MessageWaiting(self._relay.kept)),
            epoch,
            keeping("subscription"),
            partial(admission.proven, proxy=False),
            settings.lamps.may_watch,
        )
        admission.serve("MESSAGE", self._message)
        admission.serve("SUBSCRIBE", self._subscribe)
        admission.serve("PUBLISH", self._publish)

    @property
    def owners(self) -> list[Owner]:
        """Whose events are not the calls'."""
        return [self._relay, self._watchers]

    @property
    def ticking(self) -> list[Ticking]:
        """Who waits for a time."""
        return [self._relay, self._watchers, self._publications]

    # ---------------------------------------------------------------- requests

    def _message(self, transaction: ServerTransaction, now: float) -> None:
        sender = self._admission.identified(transaction, now)
        if sender is None:
            return
        request = transaction.request
        recipient = dialed_number(request)
        if recipient not in self._snapshot().users:
            self._refuse(transaction, 404, "Not Found", now)
        elif request.max_forwards == 0:
            # We would send it on (RFC 3261 §16.3)
            self._refuse(transaction, 483, "Too Many Hops", now)
        else:
            self._relay.receive(transaction, sender, recipient, now)

    def _subscribe(self, transaction: ServerTransaction, now: float) -> None:
        request = transaction.request
        refusal = self._watchers.refusal(request, transaction.stateless_tag)
        if refusal is not None:
            # Nobody knows yet who has sent it
            self._endpoint.respond_once(transaction, refusal, now)
            return
        subscriber = self._admission.authenticated(transaction, proxy=False, now=now)
        if subscriber is None:
            return
        # Phones that ask for their own messages may name the server alone.
        resource = dialed_number(request) or subscriber
        if resource not in self._snapshot().users:
            self._refuse(transaction, 404, "Not Found", now)
            return
        self._now = now
        self._watchers.subscribe(transaction, subscriber, resource, now)

    def _publish(self, transaction: ServerTransaction, now: float) -> None:
        publisher = self._admission.authenticated(transaction, proxy=False, now=now)
        if publisher is None:
            return
        if dialed_number(transaction.request) != publisher:
            self._refuse(transaction, 403, "Not Your Number", now)
            return
        self._now = now
        self._publications.publish(transaction, publisher, now)

    def _refuse(self, transaction: ServerTransaction, status: int, reason: str, now: float) -> None:
        response = response_to(transaction.request, status, reason, to_tag=self._tokens())
        self._endpoint.respond(transaction, response, now)

    # ---------------------------------------------------------------- what changes

    def _note(self, package: str, number: str) -> None:
        """Have `settle` tell of it: a call's own messages come first, however many watch it."""
        self._changed[package, number] = None

    def call_changed(self, facts: CallFacts) -> None:
        """Take note of a call's state, its end too."""
        for number in self._calls.call_changed(facts):
            self._note("dialog", number)
            self._note("presence", number)

    def located(self, number: str, now: float) -> None:
        """Take note that a user's phones have registered, or are gone."""
        self._relay.registered(number, now)
        self._note("presence", number)

    def disconnected(self, flow: Flow) -> None:
        """Take note that a connection has ended."""
        self._watchers.disconnected(flow)

    def settle(self, now: float) -> None:
        """Tell of what has changed since the last time, and of users who have gone."""
        self._now = now
        if self._seen is not self._snapshot():
            before, self._seen = self._seen, self._snapshot()
            for number, user in before.users.items():
                there = self._seen.users.get(number)
                if there is None:
                    self._relay.forget(number, now)
                    self._watchers.removed(number, now)
                if there is None or not there.enabled or there.ha1_md5 != user.ha1_md5:
                    self._watchers.expelled(number, now)
                    self._publications.forget(number)
        for number in self._relay.take_changed():
            self._note("message-summary", number)
        while self._changed:
            package, number = next(iter(self._changed))
            del self._changed[package, number]
            self._watchers.changed(package, number, now)

    def restore(self, kept: Callable[[str], list[bytes]], now: float) -> None:
        """Take what was kept before a restart.

        Args:
            kept: all of a kind, as `keep` got them.
        """
        self._now = now
        self._publications.restore(kept("publication"))
        self._watchers.restore(kept("subscription"), now)
        self._relay.restore(kept("message"), now)
