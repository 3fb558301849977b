"""Who may do what: requests outside dialogs, authenticated and passed to whom they are for."""

import logging
from collections.abc import Callable

from pbx.call.cause import CallTag, by_server
from pbx.call.exchange import Exchange
from pbx.call.facts import CallFacts
from pbx.config.settings import ServiceSettings
from pbx.errors import PeerError
from pbx.registrar.authenticator import Account, Authenticator, Verdict
from pbx.registrar.bindings import Bindings
from pbx.routing.router import RouteKind, route
from pbx.routing.services import shown
from pbx.sip.endpoint import Endpoint
from pbx.sip.events import RequestReceived
from pbx.sip.headers import NameAddr
from pbx.sip.inspection import SDP_TYPE, inspect
from pbx.sip.message import Request, Response, response_to
from pbx.sip.server_transaction import ServerTransaction
from pbx.sip.uri import SipUri, TelUri
from pbx.store.snapshot import LocalUser, Snapshot

log = logging.getLogger(__name__)

SUPPORTED: tuple[str, ...] = ("path",)
"""Option tags that a Require header may name (RFC 3327)."""


def account_of(user: LocalUser | None) -> Account | None:
    """Return what authentication needs of a user; None for no user, or one who is switched off."""
    if user is None or not user.enabled:
        return None
    ha1 = user.ha1_sha256 if user.algorithm == "SHA-256" else user.ha1_md5
    return Account(user.number, user.algorithm, ha1)


class Admission:
    """Takes every request outside a dialog.

    Args:
        endpoint, exchange, bindings, authenticator: where requests lead.
        tokens: fresh random names.
        snapshot: the configuration in force.
        services: the numbers that the exchange itself answers.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        exchange: Exchange,
        bindings: Bindings,
        authenticator: Authenticator,
        tokens: Callable[[], str],
        snapshot: Callable[[], Snapshot],
        services: ServiceSettings,
    ) -> None:
        self._endpoint = endpoint
        self._exchange = exchange
        self._bindings = bindings
        self._authenticator = authenticator
        self._tokens = tokens
        self._snapshot = snapshot
        self._services = services

    def receive(self, event: RequestReceived, now: float) -> None:
        """Answer a request without a To tag, or pass it on."""
        transaction, request = event.transaction, event.request
        if transaction is None:
            return
        refusal = inspect(request, self._endpoint.allow, SUPPORTED, self._tokens())
        if refusal is not None:
            self._endpoint.respond(transaction, refusal, now)
        elif request.method == "REGISTER":
            self._register(transaction, now)
        elif request.method == "INVITE":
            self._invite(transaction, now)
        elif request.method == "OPTIONS":
            self._endpoint.respond(transaction, self._options(request), now)
        else:
            # BYE and CANCEL belong to a dialog or a transaction that isn't there
            response = response_to(
                request, 481, "Call/Transaction Does Not Exist", to_tag=self._tokens()
            )
            self._endpoint.respond(transaction, response, now)

    def _options(self, request: Request) -> Response:
        """§11.2: what we can do; no authentication, for monitors ask it too."""
        response = response_to(request, 200, "OK", to_tag=self._tokens())
        response.add("Allow", ", ".join(self._endpoint.allow))
        response.add("Accept", SDP_TYPE)
        response.add("Supported", ", ".join(SUPPORTED))
        return response

    # ---------------------------------------------------------------- REGISTER

    def _register(self, transaction: ServerTransaction, now: float) -> None:
        request = transaction.request
        number = self._authenticated(transaction, proxy=False, now=now)
        if number is None:
            return
        if _number_of(request.to) != number:
            # §10.3 step 4: may this user change that address-of-record?
            log.warning("%s: %s may not register another number", transaction.flow, number)
            refusal = response_to(request, 403, "Not Your Number", to_tag=self._tokens())
            self._endpoint.respond(transaction, refusal, now)
            return
        before = len(self._bindings.of(number, now))
        response = self._bindings.register(request, transaction.flow, number, now, self._tokens())
        after = len(self._bindings.of(number, now))
        if after != before:
            log.info("%s: %s has %d phones now", transaction.flow, number, after)
        self._endpoint.respond(transaction, response, now)

    def _authenticated(
        self, transaction: ServerTransaction, *, proxy: bool, now: float
    ) -> str | None:
        """Return who sent the request; None after it has been challenged or refused."""
        request = transaction.request
        try:
            verdict, username = self._authenticator.check(request, proxy=proxy, now=now)
        except PeerError as error:
            refusal = response_to(request, error.status, error.reason, to_tag=self._tokens())
            self._endpoint.respond(transaction, refusal, now)
            return None
        if verdict is Verdict.GOOD:
            return username
        if verdict is Verdict.WRONG:
            log.warning("%s: wrong user name or password for %r", transaction.flow, username)
        asked = account_of(self._snapshot().users.get(_number_of(request.from_)))
        challenge = self._authenticator.challenge(
            asked.algorithm if asked is not None else "MD5",
            stale=verdict is Verdict.STALE,
            now=now,
        )
        status, reason, header = (
            (407, "Proxy Authentication Required", "Proxy-Authenticate")
            if proxy
            else (401, "Unauthorized", "WWW-Authenticate")
        )
        response = response_to(request, status, reason, to_tag=self._tokens())
        response.add(header, challenge)
        self._endpoint.respond(transaction, response, now)
        return None

    # ---------------------------------------------------------------- INVITE

    def _invite(self, transaction: ServerTransaction, now: float) -> None:
        request = transaction.request
        number = self._authenticated(transaction, proxy=True, now=now)
        if number is None:
            return
        if _number_of(request.from_) != number:
            log.warning("%s: %s may not call as another number", transaction.flow, number)
            refusal = response_to(request, 403, "Not Your Number", to_tag=self._tokens())
            self._endpoint.respond(transaction, refusal, now)
            return
        snapshot = self._snapshot()
        dialed = _dialed(request)
        facts = CallFacts(
            id=self._tokens(),
            call_id=request.call_id,
            caller_number=number,
            dialed_number=shown(self._services, dialed),
            setup=now,
            caller_addr=str(transaction.flow),
        )
        decision = route(snapshot, self._services, dialed)
        facts.called_number = decision.number
        facts.route = "; ".join(decision.explanation)
        if decision.service is not None:
            self._exchange.served(transaction, facts, decision.service, now)
            return
        targets = [binding.target for binding in self._bindings.of(decision.number, now)]
        if decision.kind is RouteKind.UNKNOWN:
            self._exchange.refuse(transaction, facts, by_server(CallTag.NO_ROUTE), now)
        elif not targets:
            self._exchange.refuse(transaction, facts, by_server(CallTag.NOT_REGISTERED), now)
        else:
            caller = _caller(snapshot.users[number], request)
            self._exchange.offered(transaction, facts, caller, targets, now)


def _number_of(party: NameAddr) -> str:
    """The user part of From or To, or a tel URI's number."""
    if isinstance(party.uri, SipUri):
        return party.uri.user or ""
    return party.uri.number if isinstance(party.uri, TelUri) else ""


def _dialed(request: Request) -> str:
    uri = request.request_uri
    if isinstance(uri, SipUri):
        # RFC 3261 §19.1.1: a telephone-subscriber's parameters stand within the user part
        number = (uri.user or "").partition(";")[0]
        if number.isprintable():
            return number
        # What an escape hides (a line break, an octet that is no UTF-8) must reach no log and no
        # record: it stays as it was written, which is ASCII.
        written = request.uri.partition(":")[2].partition("@")[0]
        return written.partition(":")[0]
    return uri.number if isinstance(uri, TelUri) else ""


def _caller(user: LocalUser, request: Request) -> NameAddr:
    """What callees see: the name that the exchange knows, else what the phone says."""
    name = user.display_name or request.from_.display_name
    return NameAddr(name, SipUri("sip", user.number, None, "invalid"), ())
