"""Who may do what: requests outside dialogs, authenticated and passed to whom they are for."""

import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from math import ceil

from pbx.call.any_call import AnyCall
from pbx.call.cause import (
    ADDRESS_INCOMPLETE,
    OVER_OWN_LIMIT,
    PRECONDITION_FAILURE,
    TOO_MANY_HOPS,
    CallTag,
    Cause,
    by_server,
)
from pbx.call.dial_out import OWN_CALL
from pbx.call.exchange import Exchange
from pbx.call.facts import CallFacts
from pbx.call.leg import Target
from pbx.call.loops import comes_back
from pbx.call.outside import Guest
from pbx.call.party import Party
from pbx.call.reach import Reached, by_scheme
from pbx.config.settings import ServiceSettings
from pbx.errors import PeerError
from pbx.registrar.account import Account
from pbx.registrar.authenticator import Authenticator, Verdict
from pbx.registrar.bindings import Bindings
from pbx.registrar.phones import Phones
from pbx.routing.decision import RouteDecision, RouteKind
from pbx.routing.origin import Origin
from pbx.routing.router import route
from pbx.routing.services import shown
from pbx.sdp.precondition import OPTION as PRECONDITION
from pbx.sip.capabilities import Capabilities, dialog_method
from pbx.sip.endpoint import Endpoint
from pbx.sip.events import RequestReceived
from pbx.sip.flow import Flow
from pbx.sip.headers import STAR, NameAddr
from pbx.sip.identity import check_privacy, is_anonymous, is_hidden, preferred
from pbx.sip.inspection import inspect, inspect_method
from pbx.sip.message import Request, response_to
from pbx.sip.replaces import replaces_of
from pbx.sip.secure import is_sips, refuse_insecure
from pbx.sip.server_transaction import ServerTransaction
from pbx.sip.session_timer import inspect_session
from pbx.sip.uri import SipUri, TelUri
from pbx.store.snapshot import LocalUser, Snapshot

log = logging.getLogger(__name__)


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
        wall: local time, with its offset: what time conditions go by.
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
        wall: Callable[[], datetime],
    ) -> None:
        self._endpoint = endpoint
        self._exchange = exchange
        self._bindings = bindings
        self.phones = Phones(
            endpoint, bindings, lambda host, source: exchange.outside.line_at(host, source)
        )
        self._authenticator = authenticator
        self._tokens = tokens
        self._snapshot = snapshot
        self._services = services
        self._wall = wall
        exchange.reach = self.reach
        exchange.prove = self._of_a_call
        exchange.over_limit = self._over_own_limit
        endpoint.make_room_for(self._knows)
        endpoint.barred = self._bars
        self._served: dict[str, Callable[[ServerTransaction, float], None]] = {
            "REGISTER": self._register,
            "INVITE": self._invite,
            "OPTIONS": self._options,
            "REFER": self._refer,
        }

    def serve(self, method: str, serve: Callable[[ServerTransaction, float], None]) -> None:
        """Have requests of this method, once inspected, taken by `serve`, which answers them."""
        self._served[method] = serve

    def _knows(self, flow: Flow) -> bool:
        """Whether a path is from where a phone has registered, or of a line's peer."""
        return self._bindings.has_source(flow) or self._is_of_a_line(flow)

    def _bars(self, host: str, flow: Flow) -> bool:
        """Whether a peer's name must not lead to a host: a line's server or peer.

        What a line itself names does, but where a phone lives at the same address.
        """
        if not self._exchange.outside.line_at(host, flow.remote.host):
            return False
        return self._bindings.has_source(flow) or not self._is_of_a_line(flow)

    def _is_of_a_line(self, flow: Flow) -> bool:
        return any(self._exchange.outside.speaks_for(line, flow) for line in self._snapshot().lines)

    def guessing(self, now: float) -> list[str]:
        """Return the addresses of those who have guessed passwords too often."""
        return self._authenticator.guessing.sources(now)

    def receive(self, event: RequestReceived, now: float) -> None:
        """Answer a request that is of no dialog that we know, or pass it on."""
        transaction, request = event.transaction, event.request
        if transaction is None:
            return
        serves, tag = self._endpoint.serves, transaction.stateless_tag
        refusal = inspect_method(request, serves, tag)
        serve = self._served.get(request.method)
        if refusal is None and (serve is None or _of_a_dialog(request)):
            # §12.2.2; BYE and others belong to a dialog, CANCEL to a transaction, that isn't there
            refusal = response_to(request, 481, "Call/Transaction Does Not Exist", to_tag=tag)
        refusal = refusal or inspect(request, self._serves(transaction, now), tag)
        refusal = refusal or refuse_insecure(request, transaction.flow, tag)
        refusal = refusal or inspect_session(request, self._exchange.session, tag)
        if refusal is not None:
            self._endpoint.respond_once(transaction, refusal, now)
        elif serve is not None:
            serve(transaction, now)

    def _serves(self, transaction: ServerTransaction, now: float) -> Capabilities:
        """What we can do for who has sent a request: a line may require preconditions (RFC 3312)."""
        serves = self._endpoint.serves
        if not _requires_precondition(transaction.request):
            return serves
        guest = self._guest(transaction, now)
        return serves if guest is None else replace(serves, options=(*serves.options, PRECONDITION))

    def _options(self, transaction: ServerTransaction, now: float) -> None:
        """Tell what we can do (§11.2).

        §11: "If the OPTIONS is addressed to a proxy server, the Request-URI is set without a user
        part": such a question is for us, and no authentication is needed, for monitors ask it too.
        For any other "the response code chosen MUST be the same that would have been chosen had the
        request been an INVITE" (§11.2): nobody finds out who has a number here without a password,
        but a phone that has registered by this path has shown it.
        """
        request, serves = transaction.request, self._endpoint.serves
        dialed, cause, respond = dialed_number(request), None, self._endpoint.respond_once
        if dialed:
            number = number_of(request.from_)
            known = any(each.flow == transaction.flow for each in self._bindings.of(number, now))
            if not known:
                if self.authenticated(transaction, proxy=True, now=now) is None:
                    return
                # Credentials are good for one time
                respond = self._endpoint.respond
            cause = _refusal(request, self._reach_by(request, dialed, Party(number), now))
        status, reason = (cause.status, cause.reason) if cause else (200, "OK")
        response = response_to(request, status, reason, to_tag=transaction.stateless_tag)
        response.add("Allow", ", ".join(serves.allow))
        response.add("Accept", ", ".join(serves.bodies))
        # §11.2: "Allow, Accept, Accept-Encoding, Accept-Language, and Supported header fields
        # SHOULD be present in a 200 (OK) response"
        response.add("Accept-Encoding", "identity")
        response.add("Accept-Language", "en")
        response.add("Supported", ", ".join(serves.options))
        response.add("Allow-Events", ", ".join(serves.events))
        respond(transaction, response, now)

    # ---------------------------------------------------------------- REGISTER

    def _register(self, transaction: ServerTransaction, now: float) -> None:
        request = transaction.request
        number = self.authenticated(transaction, proxy=False, now=now)
        if number is None:
            return
        if number_of(request.to) != number:
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

    def proven(
        self, number: str, transaction: ServerTransaction, now: float, *, proxy: bool
    ) -> bool:
        """Whether a user has sent a request within a dialog: by a phone's path, or with the password.

        False after it has been challenged or refused.

        Args:
            number: the user whose dialog it is.
            proxy: challenge as for a request to another user.
        """
        flow = transaction.flow
        if any(flow.same_source(each.flow) for each in self._bindings.of(number, now)):
            return True
        sender = self.authenticated(transaction, proxy=proxy, now=now, account=number)
        if sender is None or sender == number:
            return sender is not None
        log.warning("%s: %s may not take part in a call of %s", flow, sender, number)
        refusal = response_to(transaction.request, 403, "Not Your Call", to_tag=None)
        self._endpoint.respond(transaction, refusal, now)
        return False

    def _of_a_call(self, party: Party, transaction: ServerTransaction, now: float) -> bool:
        """Whether a party of a call has sent a request within it, by another path than before."""
        if not party.line:
            return self.proven(party.number, transaction, now, proxy=True)
        flow = transaction.flow
        if self._exchange.outside.speaks_for(party.line, flow):
            return True
        log.warning("%s: not the peer of line %s", flow, party.line)
        refusal = response_to(transaction.request, 403, "Not Your Call", to_tag=None)
        self._endpoint.respond_once(transaction, refusal, now)
        return False

    def authenticated(
        self, transaction: ServerTransaction, *, proxy: bool, now: float, account: str = ""
    ) -> str | None:
        """Return who sent the request; None after it has been challenged or refused.

        Args:
            proxy: challenge by 407 instead of 401.
            account: the user that it should be of, where that is known.
        """
        request, flow = transaction.request, transaction.flow
        try:
            verdict, username = self._authenticator.check(request, flow, proxy=proxy, now=now)
        except PeerError as error:
            tag = transaction.stateless_tag
            refusal = response_to(request, error.status, error.reason, to_tag=tag)
            self._endpoint.respond_once(transaction, refusal, now)
            return None
        if verdict is Verdict.GOOD:
            self._endpoint.introduce(transaction)
            return username
        if verdict is Verdict.WRONG:
            log.warning("%s: wrong user name or password for %r", flow, username)
        if verdict is Verdict.UNHEARD:
            # No 403: who gets that doesn't try again, and there may be an honest phone behind it
            tag = transaction.stateless_tag
            response = response_to(request, 503, "Too Many Wrong Passwords", to_tag=tag)
            wait_s = self._authenticator.wait_s(username, flow, request.call_id, now)
            response.add("Retry-After", str(ceil(wait_s)))
            self._endpoint.respond_once(transaction, response, now)
            return None
        asked = account_of(self._snapshot().users.get(account or _claimed(request)))
        challenge = self._authenticator.challenge(
            asked.algorithm if asked is not None else "MD5",
            flow,
            stale=verdict is Verdict.STALE,
            now=now,
        )
        status, reason, header = (
            (407, "Proxy Authentication Required", "Proxy-Authenticate")
            if proxy
            else (401, "Unauthorized", "WWW-Authenticate")
        )
        response = response_to(request, status, reason, to_tag=transaction.stateless_tag)
        response.add(header, challenge)
        self._endpoint.respond_once(transaction, response, now)
        return None

    def identified(self, transaction: ServerTransaction, now: float) -> Party | None:
        """Return who sent a request to another user, as that one is shown it.

        None after it has been challenged or refused.
        """
        request = transaction.request
        number = self.authenticated(transaction, proxy=True, now=now)
        if number is None:
            return None
        try:
            check_privacy(request)
            # Who is logged in counts; From may say that the sender wants not to be shown (RFC 3323)
            if not is_anonymous(request.from_) and number_of(request.from_) != number:
                log.warning("%s: %s may not be another number", transaction.flow, number)
                raise PeerError(403, "Not Your Number")
        except PeerError as error:
            refusal = response_to(request, error.status, error.reason, to_tag=self._tokens())
            self._endpoint.respond(transaction, refusal, now)
            return None
        return _caller(self._snapshot().users[number], request)

    # ---------------------------------------------------------------- INVITE

    def _invite(self, transaction: ServerTransaction, now: float) -> None:
        request = transaction.request
        guest = self._guest(transaction, now)
        caller = guest.party if guest is not None else self.identified(transaction, now)
        if caller is None:
            return
        try:
            replaces = replaces_of(request)
            if guest is not None and replaces is not None:
                # What is said of dialogs of ours, nobody outside has a right to
                raise PeerError(403, "Not Your Call")
        except PeerError as error:
            refusal = response_to(request, error.status, error.reason, to_tag=self._tokens())
            self._endpoint.respond(transaction, refusal, now)
            return
        dialed = guest.dialed if guest is not None else dialed_number(request)
        reached = self._reach_by(request, dialed, caller, now)
        facts = CallFacts(
            id=self._tokens(),
            call_id=request.call_id,
            caller_number=caller.number or "anonymous",
            dialed_number=reached.dialed,
            setup=now,
            called_number=reached.number,
            caller_addr=str(transaction.flow),
            route=reached.route,
            caller_line=caller.line,
            emergency=reached.emergency,
        )
        cause = self._without_room(caller, guest, reached) or _refusal(request, reached)
        manner = guest.manner if guest is not None else None
        if manner is not None and manner.precondition == "refuse":
            cause = PRECONDITION_FAILURE if _requires_precondition(request) else cause
        if guest is not None and reached.caller:
            caller = replace(caller, number=reached.caller)
            facts.caller_number = reached.caller
        caller = replace(caller, poses=self._poses(caller))
        if replaces is not None:
            self._exchange.replacements.asked(transaction, facts, caller, replaces, now)
        elif cause is not None:
            self._exchange.refuse(transaction, facts, cause, now)
        elif reached.service is not None:
            facts.max_duration_s = reached.max_duration_s
            self._exchange.served(transaction, facts, reached.service, now, manner)
        else:
            self._exchange.offered(transaction, facts, caller, reached, now, manner)

    def _guest(self, transaction: ServerTransaction, now: float) -> Guest | None:
        """Who calls by a line; None for a user of ours, or somebody who has to prove it."""
        request, flow = transaction.request, transaction.flow
        number = number_of(request.from_)
        if any(each.flow.same_source(flow) for each in self._bindings.of(number, now)):
            # A phone that lives at a peer's address
            return None
        return self._exchange.outside.guest(request, flow, now)

    def _poses(self, caller: Party) -> bool:
        """Whether who calls by an external line does so with a local user's number.

        A trunk's peer is another exchange of the same owner, which may say who its callers are.
        """
        snapshot = self._snapshot()
        line = snapshot.lines.get(caller.line)
        return line is not None and line.registers and caller.number in snapshot.users

    def _without_room(self, caller: Party, guest: Guest | None, reached: Reached) -> Cause | None:
        """Why a caller may have no more calls at the moment; None where it may."""
        capacity = self._exchange.capacity
        if reached.emergency:
            return None
        if guest is not None:
            most, incoming = guest.most, guest.most_incoming
            free = capacity.takes_incoming(caller.line, most=most, most_incoming=incoming)
            return None if free else by_server(CallTag.LINE_FULL)
        return self._over_own_limit(caller.number)

    def _over_own_limit(self, number: str, leaving: AnyCall | None = None) -> Cause | None:
        """Why a local user may make no more calls, `leaving` another one; None where it may."""
        user = self._snapshot().users.get(number)
        if user is None:
            # Removed meanwhile
            return OVER_OWN_LIMIT
        free = self._exchange.capacity.user_may_call(
            number, most=user.most_calls, most_outgoing=user.most_outgoing, leaving=leaving
        )
        return None if free else OVER_OWN_LIMIT

    def _refer(self, transaction: ServerTransaction, now: float) -> None:
        """Take a REFER outside of calls: a call is to be made in its sender's name."""
        sender = self.identified(transaction, now)
        if sender is not None:
            full = self._over_own_limit(sender.number)
            self._exchange.click_to_dial.asked(transaction, sender, now, full)

    def _reach_by(self, request: Request, dialed: str, by: Party, now: float) -> Reached:
        """Return where a request for a number leads, by the ways that its scheme allows."""
        return by_scheme(self.reach(dialed, by, now), secure=is_sips(request.request_uri))

    def reach(self, dialed: str, by: Party, now: float) -> Reached:
        """Return where a number leads now; see `pbx.call.reach.Reach`."""
        if by.line and (own := self._exchange.dial_out.expected(by, dialed)) is not None:
            return Reached(dialed, dialed, OWN_CALL, service=own)
        snapshot = self._snapshot()
        origin = Origin(by.number, _in_whose_name(snapshot, by), by.line)
        decision = route(snapshot, self._services, dialed, origin, self._wall())
        reached = Reached(
            shown(self._services, dialed),
            decision.number,
            decision.recorded,
            service=decision.service,
            emergency=decision.emergency,
            max_duration_s=decision.max_duration_s,
            caller=decision.caller,
        )
        match decision.kind:
            case RouteKind.LOCAL_USER:
                return self._to_user(reached, now)
            case RouteKind.OUTSIDE:
                return self._to_outside(reached, decision, by, now)
            case RouteKind.INCOMPLETE:
                return replace(reached, refusal=ADDRESS_INCOMPLETE)
            case RouteKind.REFUSED:
                return replace(reached, refusal=by_server(CallTag.NO_RIGHT))
            case RouteKind.NO_LINE:
                return replace(reached, refusal=by_server(CallTag.NO_LINE))
            case RouteKind.UNKNOWN:
                return replace(reached, refusal=by_server(CallTag.NO_ROUTE))
        return reached

    def _to_user(self, reached: Reached, now: float) -> Reached:
        user = self._snapshot().users[reached.number]
        found = self.phones.of(user.number, now)
        refusal = None
        if not self._exchange.capacity.user_may_be_called(user.number, most=user.most_calls):
            refusal = by_server(CallTag.USER_FULL)
        elif not found.targets:
            refusal = by_server(CallTag.NOT_REGISTERED)
        steps = [reached.route, found.why] if found.why else [reached.route]
        phones = tuple(replace(one, name=user.display_name) for one in found.targets)
        return replace(reached, route="; ".join(steps), targets=phones, refusal=refusal)

    def _to_outside(
        self, reached: Reached, decision: RouteDecision, by: Party, now: float
    ) -> Reached:
        """Return the lines that a number outside is reached by, those first that work."""
        outside = self._exchange.outside
        if by.line and comes_back(self._exchange.calls.values(), by, decision.number):
            return replace(reached, refusal=by_server(CallTag.LOOP))
        working: list[tuple[Target, ...]] = []
        doubtful: list[tuple[Target, ...]] = []
        steps = [reached.route]
        # Nothing is dialled before an emergency number
        hidden = by.hidden and not decision.emergency
        for way in decision.ways:
            trouble = outside.trouble(way.line)
            target = outside.target(way, decision.number, hidden=hidden, now=now)
            if target is not None and not trouble:
                working.append((target,))
            else:
                steps.append(f"line {way.line} can't be used: {trouble or 'no address is known'}")
                if target is not None and decision.emergency:
                    # Nobody knows for certain before it has been tried
                    doubtful.append((target,))
        first, *others = [*working, *doubtful] or [()]
        return replace(
            reached,
            route="; ".join(steps),
            targets=first,
            otherwise=tuple(others),
            refusal=None if first else by_server(CallTag.NO_LINE),
        )


def _in_whose_name(snapshot: Snapshot, by: Party) -> LocalUser | None:
    """The local user whose rights a call has; None for a party outside."""
    user = None if by.line else snapshot.users.get(by.number)
    if by.call_level is not None:
        # With another's number as its caller's, it is shown as that one is
        known = user or LocalUser(by.number, by.name, "", "")
        return replace(known, enabled=True, call_level=by.call_level)
    # Who is switched off has no rights outside, though a phone of it may still forward
    return user if user is not None and user.enabled else None


def _refusal(request: Request, reached: Reached) -> Cause | None:
    """Why a call to a number is refused at once; None where it goes on."""
    if reached.refusal is None and reached.service is None and request.max_forwards == 0:
        # A B2BUA takes part in loop protection as a proxy does; who is the end needs no hop.
        return TOO_MANY_HOPS
    return reached.refusal


def _requires_precondition(request: Request) -> bool:
    return any(one.lower() == PRECONDITION for one in request.readable("Require"))


def _of_a_dialog(request: Request) -> bool:
    return request.to.tag is not None and dialog_method(request.method)


def number_of(party: NameAddr) -> str:
    """The user part of From or To, or a tel URI's number."""
    if isinstance(party.uri, SipUri):
        return party.uri.user or ""
    return party.uri.number if isinstance(party.uri, TelUri) else ""


def dialed_number(request: Request) -> str:
    """The number that the Request-URI names; empty where it names none."""
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


def _claimed(request: Request) -> str:
    """Whose account a request without credentials is probably of."""
    if not is_anonymous(request.from_):
        return number_of(request.from_)
    wanted = preferred(request)
    contacts = request.contacts
    if wanted is None and contacts is not STAR and contacts:
        wanted = contacts[0]
    return number_of(wanted) if wanted is not None else ""


def _caller(user: LocalUser, request: Request) -> Party:
    """What others see: the name that the exchange knows, else what the phone says."""
    anonymous = is_anonymous(request.from_)
    said = preferred(request) if anonymous else request.from_
    name = user.display_name or (said.display_name if said is not None else "")
    return Party(user.number, name, anonymous or is_hidden(request))
