"""The exchange: every running call, and which of them a SIP event belongs to."""

from collections import deque
from collections.abc import Callable, Collection, Iterable, Sequence
from functools import partial
from typing import cast

from pbx.call.call import Call, CallEnded, MediaCommands, Output
from pbx.call.cause import CallTag, Cause, by_server
from pbx.call.conversation import Conversation
from pbx.call.facts import CallFacts
from pbx.call.farewells import Farewells
from pbx.call.journal import SEQUENCE_RESERVE, CallState, LegState
from pbx.call.leg import Leg, Target
from pbx.call.services.directory import Services, SoundFiles
from pbx.config.settings import Settings
from pbx.errors import PeerError
from pbx.media import endpoint, protocol
from pbx.media.conversion import Interpreter
from pbx.media.session import LegMedia, NoPortsLeft, PortPool
from pbx.routing.services import ServiceNumber
from pbx.sdp.offer_answer import reject_all
from pbx.sip.dialog import Dialog
from pbx.sip.dialog_usage import usage_key
from pbx.sip.endpoint import DEFAULT_PORT, DEFAULT_TLS_PORT, Endpoint
from pbx.sip.events import Event, RequestReceived
from pbx.sip.flow import Flow
from pbx.sip.headers import NameAddr
from pbx.sip.inspection import SDP_TYPE, session_description
from pbx.sip.invite_uac import Outgoing
from pbx.sip.invite_uas import Incoming
from pbx.sip.invite_usage import Usage
from pbx.sip.message import Request, response_to
from pbx.sip.server_transaction import ServerTransaction
from pbx.sip.timers import T4, TRANSACTION_LIMIT_S, TimerQueue
from pbx.sip.uri import SipUri
from pbx.sip.usage_events import UsageEvent

PREPARED_PORTS = 32
"""Ports whose sockets are open before a call takes them: those of a few calls at once."""

LINGER_S = TRANSACTION_LIMIT_S + T4
"""How long an ended leg still answers the peer, and longer while an INVITE of ours is open."""


class Exchange:
    """Call control, sans-I/O: events in, endpoint calls and outputs out.

    Args:
        endpoint: the SIP endpoint that this exchange is the user of.
        tokens: fresh random names, hexadecimal.
        settings: time limits are read from it at each call.
        files: of the services.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        tokens: Callable[[], str],
        settings: Settings,
        files: SoundFiles,
    ) -> None:
        self._endpoint = endpoint
        self._tokens = tokens
        self._settings = settings
        self._timers = TimerQueue()
        self._outputs: deque[Output] = deque()
        self._by_key: dict[tuple[str, str], Leg] = {}
        self._by_invite: dict[ServerTransaction, Leg] = {}
        self._owners: dict[Leg, Call | Conversation] = {}
        self._media_sessions = 0
        self._record_folder = files.record
        self._coded: Sequence[str] = ()
        self._farewells = Farewells(self._timers)
        self.services = Services(settings.services, files, tokens(), self._outputs.append)
        self.pool = PortPool([])
        self.calls: dict[str, Call | Conversation] = {}
        self.calls_total = 0

    # ---------------------------------------------------------------- a new call

    def refuse(self, invite: ServerTransaction, facts: CallFacts, cause: Cause, now: float) -> None:
        """Answer an INVITE that leads nowhere, and leave its record."""
        self.calls_total += 1
        response = response_to(invite.request, cause.status, cause.reason, to_tag=self._tokens())
        response.add("Reason", cause.header)
        self._endpoint.respond(invite, response, now)
        facts.cause = cause
        facts.release = now
        self._outputs.append(CallEnded(facts))

    def offered(
        self,
        invite: ServerTransaction,
        facts: CallFacts,
        caller: NameAddr,
        targets: Iterable[Target],
        now: float,
    ) -> None:
        """Take an INVITE of a known caller and ring `targets`.

        Args:
            facts: the call's facts as far as routing knows them.
            caller: what callees see as From: the display name and the number as user part.
            targets: the phones to ring, at least one.
        """
        offer = session_description(invite.request)
        try:
            leg = self._caller(invite, facts, offer, self._convertible, now)
        except PeerError as error:
            self._refuse_unusable(invite, facts, error, now)
            return
        call = self._new_call(facts, leg, offer)
        self._by_invite[invite] = leg
        self._ring(call, invite.request, caller, targets, now)
        self._prepare_ports()

    def served(
        self, invite: ServerTransaction, facts: CallFacts, dialed: ServiceNumber, now: float
    ) -> None:
        """Take an INVITE of a known caller and answer it ourselves, as the service `dialed`."""
        # Without an engine there is nobody to code; an ordinary call finds no ports then
        refusal = self.services.refusal(dialed) if self._coded else by_server(CallTag.LIMIT)
        if refusal is not None:
            self.refuse(invite, facts, refusal, now)
            return
        offer = session_description(invite.request)
        try:
            own = endpoint.description(offer, self._coded, invite.flow.local.host)
            leg = self._caller(invite, facts, offer, lambda: (), now)
        except PeerError as error:
            self._refuse_unusable(invite, facts, error, now)
            return
        conversation = self._new_conversation(facts, leg, dialed)
        self._by_invite[invite] = leg
        conversation.answer(own, now, offering=not offer)
        if conversation.ended:
            self._forget_later(conversation, now)
        self._prepare_ports()

    def _convertible(self) -> Sequence[str]:
        """What the engine may convert calls between phones to: encoding names."""
        return self._coded if self._settings.media.convert else ()

    def _caller(
        self,
        invite: ServerTransaction,
        facts: CallFacts,
        offer: bytes,
        coded: Callable[[], Collection[str]],
        now: float,
    ) -> Leg:
        """Return the leg of who has sent `invite`; what is said to it is converted to `coded`.

        Raises:
            PeerError: it can't be used.
        """
        media = self._leg_media(invite.flow, [])
        if offer:
            media.remote(offer)
        usage = Incoming(
            self._endpoint,
            self._timers,
            lambda flow: contact(facts.called_number, flow),
            lambda offer: reject_all(offer, invite.flow.local.host),
            invite,
            self._tokens,
            now,
        )
        return Leg("a", usage, media, Interpreter(media, coded), facts.caller_number)

    def _refuse_unusable(
        self, invite: ServerTransaction, facts: CallFacts, error: PeerError, now: float
    ) -> None:
        cause = Cause(CallTag.REQUEST_UNUSABLE, 79, error.status, error.reason)
        self.refuse(invite, facts, cause, now)

    def _prepare_ports(self) -> None:
        prepare = protocol.Prepare(self.pool.ahead(PREPARED_PORTS))
        self._outputs.append(MediaCommands([prepare]))

    def _ring(
        self, call: Call, invite: Request, caller: NameAddr, targets: Iterable[Target], now: float
    ) -> None:
        branches: list[Leg] = []
        for number, target in enumerate(targets, start=1):
            media = self._leg_media(target.flow, call.caller.media.call)
            try:
                call.caller.media.reserve()
                interpreter = Interpreter(media, self._convertible)
                offer = interpreter.offer(call.offer) if call.offer else b""
            except NoPortsLeft:
                media.close()
                break
            request = self._invitation(call, invite, caller, target, offer)
            leg = self._call_out(request, call.facts.caller_number, target, now)
            branches.append(
                Leg(
                    f"b{number}",
                    leg,
                    media,
                    interpreter,
                    target.number,
                    offered=bool(request.body),
                )
            )
            self._add(call, branches[-1])
        if branches:
            call.ring(branches, now)
        else:
            self._end(call, by_server(CallTag.LIMIT), now)

    def _invitation(
        self, call: Call, invite: Request, caller: NameAddr, target: Target, offer: bytes
    ) -> Request:
        """The INVITE for one phone."""
        number = call.facts.caller_number
        identity = NameAddr(
            caller.display_name, address_of(number, target.flow), (("tag", self._tokens()),)
        )
        request = Request(
            "INVITE",
            target.uri,
            [
                *(("Route", route) for route in target.route),
                ("Max-Forwards", str(max((invite.max_forwards or 70) - 1, 0))),
                ("From", str(identity)),
                ("To", f"<{address_of(target.number, target.flow)}>"),
                ("Call-ID", self._tokens()),
                ("CSeq", "1 INVITE"),
                ("Contact", contact(number, target.flow)),
            ],
        )
        if offer:
            request.add("Content-Type", SDP_TYPE)
            request.body = offer
        return request

    def _call_out(self, request: Request, number: str, target: Target, now: float) -> Outgoing:
        """Send the INVITE for one phone; `number` is who calls."""
        return Outgoing(
            self._endpoint,
            self._timers,
            lambda flow: contact(number, flow),
            lambda offer: reject_all(offer, target.flow.local.host),
            request,
            target.flow,
            now,
        )

    # ---------------------------------------------------------------- a call from before a restart

    def resume(self, facts: CallFacts, state: CallState, now: float) -> None:
        """Go on with an answered call whose sound the media engine has kept.

        Raises:
            NoPortsLeft, PeerError: the journal's state doesn't fit any more.
        """
        media: list[LegMedia] = []
        if state.callee is None and state.service is None:
            raise PeerError(400, "Nobody Called")
        coded = self._convertible if state.callee else lambda: ()
        caller = self._resumed("a", state.caller, facts.called_number, media, coded)
        if state.callee is None:
            assert state.service is not None
            self._new_conversation(facts, caller, state.service, again=True).resume(now)
            return
        try:
            callee = self._resumed("b1", state.callee, facts.caller_number, media, coded)
        except (NoPortsLeft, PeerError):
            caller.media.close()
            raise
        call = self._new_call(facts, caller, state.callee.media.told)
        self._add(call, callee)
        call.resume(callee, state.recording, now)

    def _resumed(
        self,
        name: str,
        state: LegState,
        shown: str,
        call: list[LegMedia],
        coded: Callable[[], Collection[str]],
    ) -> Leg:
        flow = state.flow.flow
        timeout_s = self._settings.media.timeout_s
        media = LegMedia.resume(self.pool, state.media, call=call, timeout_s=timeout_s)
        dialog = Dialog.from_dict(state.dialog)
        dialog.local_seq += SEQUENCE_RESERVE
        usage = Usage.resumed(
            self._endpoint,
            self._timers,
            lambda flow: contact(shown, flow),
            flow,
            lambda offer: reject_all(offer, flow.local.host),
            dialog,
        )
        return Leg(name, usage, media, Interpreter(media, coded), state.number)

    def _new_call(self, facts: CallFacts, caller: Leg, offer: bytes) -> Call:
        limits = self._settings.calls
        call = Call(
            facts,
            caller,
            offer,
            self._timers,
            self._emit,
            lambda: self._coded,
            no_answer_s=limits.no_answer_s,
            max_duration_s=limits.max_duration_s,
        )
        self._keep(call, caller)
        return call

    def _new_conversation(
        self, facts: CallFacts, leg: Leg, dialed: ServiceNumber, *, again: bool = False
    ) -> Conversation:
        conversation = Conversation(
            facts,
            leg,
            dialed,
            self.services.new(dialed, again=again),
            lambda: self._coded,
            self._timers,
            self._emit,
            max_duration_s=self._settings.calls.max_duration_s,
        )
        self._keep(conversation, leg)
        return conversation

    def _keep(self, call: Call | Conversation, caller: Leg) -> None:
        self.calls[call.facts.id] = call
        self.calls_total += 1
        self._add(call, caller)

    def _add(self, call: Call | Conversation, leg: Leg) -> None:
        self._owners[leg] = call
        self._by_key[leg.usage.key] = leg

    def _leg_media(self, flow: Flow, call: list[LegMedia]) -> LegMedia:
        self._media_sessions += 1
        return LegMedia(
            self.pool,
            flow.local.host,
            self._media_sessions,
            call=call,
            timeout_s=self._settings.media.timeout_s,
        )

    # ---------------------------------------------------------------- what comes in

    def handle(self, event: Event, now: float) -> None:
        """Take an endpoint event of a running call; others are answered 481 or ignored."""
        leg = self._leg_of(event)
        if leg is None:
            if isinstance(event, RequestReceived) and event.transaction is not None:
                response = response_to(
                    event.request, 481, "Call/Transaction Does Not Exist", to_tag=None
                )
                self._endpoint.respond(event.transaction, response, now)
            return
        self._take(leg, leg.usage.receive(event, now), now)

    def _take(self, leg: Leg, events: list[UsageEvent], now: float) -> None:
        call = self._owners[leg]
        was_over = call.ended
        for event in leg.receive(events, now):
            call.receive(leg, event, now)
        if call.ended and not was_over:
            self._forget_later(call, now)

    def _leg_of(self, event: Event) -> Leg | None:
        """The leg whose own tag stands in the event's request."""
        if isinstance(event, RequestReceived):
            return self._by_key.get(usage_key(event.request.call_id, event.request.to.tag))
        transaction = event.transaction
        request = transaction.request
        if isinstance(transaction, ServerTransaction):
            leg = self._by_invite.get(transaction)
            return leg or self._by_key.get(usage_key(request.call_id, request.to.tag))
        return self._by_key.get(usage_key(request.call_id, request.from_.tag))

    def next_timer(self) -> float | None:
        """When `handle_timer` is due; None for never."""
        return self._timers.next_timer()

    def handle_timer(self, now: float) -> None:
        """Run what is due: 2xx retransmissions, time limits."""
        for key in self._timers.pop_due(now):
            owner, name = cast(tuple[Call | Conversation | Usage | Farewells, str], key)
            if isinstance(owner, Farewells):
                owner.give_up(name)
            elif isinstance(owner, Call | Conversation):
                if name == "forget":
                    self._forget(owner, now)
                    continue
                owner.timer_fired(name, now)
                if owner.ended:
                    self._forget_later(owner, now)
            else:
                leg = self._by_key.get(owner.key)
                if leg is not None:
                    self._take(leg, owner.timer_fired(name, now), now)

    def _emit(self, output: Output) -> None:
        """Publish what a call says; its end only when the quality of its sound is known."""
        if isinstance(output, CallEnded):
            publish = partial(self._outputs.append, output)
            self._farewells.wait(output.facts, output.ports, publish)
        else:
            self._outputs.append(output)

    @property
    def saying_farewell(self) -> bool:
        """Whether calls that have ended are still to be published."""
        return len(self._farewells) > 0

    def released(self, report: protocol.Released) -> None:
        """Take the last counts of a stream."""
        self._farewells.released(report)

    def next_output(self) -> Output | None:
        """The next thing to do outside call control, oldest first."""
        return self._outputs.popleft() if self._outputs else None

    # ---------------------------------------------------------------- engine and administrator

    def engine_ready(self, ready: protocol.Ready, now: float) -> None:
        """Take a new engine's ports and set up every running call in it again.

        Calls between phones go on as they are in an engine that has outlived the last exchange.
        Services begin anew: whatever still plays in it goes by names that nobody knows any more.
        """
        self.pool.replace(ready.ports)
        self._coded = tuple(ready.codecs)
        between = [call for call in self.calls.values() if isinstance(call, Call)]
        self._take_recordings(between, ready.recordings)
        streams = [
            stream for one in between for leg in one.legs for stream in leg.media.everything()
        ]
        wanted = {stream.port for stream in streams}
        stray = [port for port in ready.streams if port not in wanted]
        if stray:
            self._outputs.append(MediaCommands([protocol.Release(stray)]))
        if streams:
            sound = [command for one in between for command in one.passage.everything()]
            self._outputs.append(MediaCommands([*streams, *sound]))
        for call in list(self.calls.values()):
            if isinstance(call, Conversation):
                call.engine_ready(now)
        self._prepare_ports()

    def _take_recordings(self, calls: list[Call], going_on: list[int]) -> None:
        """Go on with the recordings of calls; others are nobody's any more."""
        for one in calls:
            one.passage.keep_recording(going_on)
        wanted = {one.passage.recording for one in calls}
        stray = [name for name in going_on if name not in wanted]
        if stray:
            self._outputs.append(MediaCommands([protocol.StopRecording(name) for name in stray]))

    def reported(self, report: protocol.SoundReport, now: float) -> None:
        """Take what the engine says of a call's sound."""
        for call in self.calls.values():
            if call.reported(report, now):
                if call.ended:
                    self._forget_later(call, now)
                return
        if isinstance(report, protocol.Recorded):
            self.services.left_over(report)

    def stream_timed_out(self, port: int, now: float) -> None:
        """End the call whose party has sent no media for too long."""
        for call in self.calls.values():
            if any(port in leg.media.ports for leg in call.legs):
                self._end(call, by_server(CallTag.MEDIA_TIMEOUT), now)
                return

    def hang_up(self, call_id: str, now: float) -> bool:
        """End a call for the administrator; False where no such call runs."""
        call = self.calls.get(call_id)
        if call is None:
            return False
        self._end(call, by_server(CallTag.ADMINISTRATOR), now)
        return True

    def record(self, call_id: str, file: str, *, stereo: bool) -> str:
        """Record a call between two phones from now on, for the administrator.

        Args:
            call_id: the call.
            file: the new file, ``YYYYMMDD/name.wav``; its folder is there.
            stereo: a track for each party.

        Returns:
            Why that is impossible, as a sentence's key; empty where it has begun.
        """
        call = self.calls.get(call_id)
        if call is None:
            return "unknown-call"
        if not isinstance(call, Call):
            return "not-recordable"
        if call.recording:
            return "recorded-already"
        path = f"{self._record_folder}/{file}"
        begun = call.record(next(self.services.names), path, file, stereo=stereo)
        return "" if begun else "not-recordable"

    def stop_recording(self, call_id: str) -> str:
        """End the recording of a call; returns why that is impossible, as `record` does."""
        call = self.calls.get(call_id)
        if call is None:
            return "unknown-call"
        if not isinstance(call, Call) or not call.recording:
            return "not-recorded"
        call.stop_recording()
        return ""

    def stop(self, now: float) -> None:
        """End every call: the exchange is going down."""
        for call in list(self.calls.values()):
            self._end(call, by_server(CallTag.SERVER_STOPPED), now)

    def settle(self) -> None:
        """Publish what waits for the engine: there is no more time."""
        self._farewells.give_all_up()

    def _end(self, call: Call | Conversation, cause: Cause, now: float) -> None:
        call.end(cause, now)
        self._forget_later(call, now)

    def _forget_later(self, call: Call | Conversation, now: float) -> None:
        self.calls.pop(call.facts.id, None)
        self._timers.set((call, "forget"), now + LINGER_S)

    def _forget(self, call: Call | Conversation, now: float) -> None:
        if not all(leg.usage.settled for leg in call.legs):
            self._timers.set((call, "forget"), now + T4)
            return
        for leg in call.legs:
            del self._owners[leg]
            del self._by_key[leg.usage.key]
            if isinstance(leg.usage, Incoming):
                del self._by_invite[leg.usage.transaction]


def address_of(number: str, flow: Flow) -> SipUri:
    """Return the address of `number` as a phone can call it back: From and To (§8.1.1.3)."""
    port = flow.local.port
    usual = DEFAULT_TLS_PORT if flow.transport == "tls" else DEFAULT_PORT
    return SipUri("sip", number, None, flow.local.host, None if port == usual else port)


def contact(number: str, flow: Flow) -> str:
    """Return our Contact header value towards `flow` (RFC 3261 §8.1.1.8)."""
    local = flow.local
    params = (("transport", flow.transport),) if flow.transport != "udp" else ()
    return f"<{SipUri('sip', number, None, local.host, local.port, params)}>"
