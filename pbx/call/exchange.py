"""The exchange: every running call, and which of them a SIP event belongs to."""

from collections import deque
from collections.abc import Callable, Collection, Sequence
from functools import partial
from typing import cast

from pbx.call.any_call import AnyCall
from pbx.call.call import LINGER_S, Call
from pbx.call.call_back import CallBacks
from pbx.call.capacity import Capacity
from pbx.call.cause import CallTag, Cause, by_hang_up, by_server, unusable
from pbx.call.click_to_dial import ClickToDial
from pbx.call.conversation import Conversation
from pbx.call.dial_out import DialOut
from pbx.call.events import Ended, Moved, TransferAsked
from pbx.call.facts import CallFacts
from pbx.call.farewells import Farewells
from pbx.call.heard import ALIKE, Heard
from pbx.call.invitation import Asking
from pbx.call.invitations import Invitations
from pbx.call.journal import CallState
from pbx.call.leg import Leg, behave, keys_of
from pbx.call.manner import Manner
from pbx.call.outputs import CallEnded, MediaCommands, Output
from pbx.call.outside import NoLines, Outside
from pbx.call.party import Party, contact
from pbx.call.reach import Reach, Reached, nowhere
from pbx.call.recording import RECORDED_PTIME_MS, Recording
from pbx.call.recordings import Recordings
from pbx.call.replacement import Replacements
from pbx.call.resumption import Resumption
from pbx.call.retarget import Retargets
from pbx.call.services.directory import Services, SoundFiles
from pbx.call.summons import Summons
from pbx.call.transfer import Transferred
from pbx.call.transfers import Transfers
from pbx.call.ways import Ways
from pbx.call.without_prack import WithoutPrack
from pbx.config.settings import Settings
from pbx.errors import PeerError
from pbx.media import endpoint, protocol
from pbx.media.conversion import Interpreter, as_it_is
from pbx.media.session import LegMedia, PortPool
from pbx.routing.services import ServiceNumber
from pbx.sdp.offer_answer import reject_all
from pbx.sip.crossing import FROM_OUTSIDE, REQUEST, crossing
from pbx.sip.dialog_usage import usage_key
from pbx.sip.endpoint import Endpoint
from pbx.sip.events import Event, RequestReceived
from pbx.sip.flow import Flow
from pbx.sip.history import answering
from pbx.sip.inspection import session_description
from pbx.sip.invite_uas import Incoming
from pbx.sip.invite_usage import Usage
from pbx.sip.lone_referral import LoneReferral
from pbx.sip.message import Request, response_to
from pbx.sip.replaces import Replaces
from pbx.sip.secure import is_sips
from pbx.sip.server_transaction import ServerTransaction
from pbx.sip.session_timer import SessionPolicy
from pbx.sip.timers import T4, TimerQueue
from pbx.sip.usage_events import UsageEvent

PREPARED_PORTS = 32
"""Ports whose sockets are open before a call takes them: those of a few calls at once."""


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
        self.settings = settings
        self.without_prack = WithoutPrack()
        limits = settings.calls
        self.session = SessionPolicy(int(limits.session_s), int(limits.min_se_s))
        self._timers = TimerQueue()
        self._outputs: deque[Output] = deque()
        self._by_key: dict[tuple[str, str], Leg] = {}
        self._by_invite: dict[ServerTransaction, Leg] = {}
        self._owners: dict[Leg, AnyCall] = {}
        self._media_sessions = 0
        self.coded: Sequence[str] = ()
        self._farewells = Farewells(self._timers)
        self.transfers = Transfers(self, self._timers, self._emit)
        self.click_to_dial = ClickToDial(self, endpoint, self._timers, self._emit)
        self.call_backs = CallBacks(self, self._timers, self._emit)
        self._retargets = Retargets(self)
        self.dial_out = DialOut(self, self._timers, self._emit)
        self.replacements = Replacements(self, self._timers, self._emit)
        self.invitations = Invitations(self, endpoint, self._timers, tokens)
        self._resumption = Resumption(self, endpoint, self._timers)
        self.ways = Ways(self, self._timers)
        self.token = tokens
        self.reach: Reach = nowhere
        """Where numbers lead; set by whom they are registered with."""
        self.outside: Outside = NoLines()
        """The external lines and SIP trunks; set by whom they are known to."""
        self.prove: Callable[[Party, ServerTransaction, float], bool] | None = None
        """Whether a request within a call is this party's, which may move the dialog; see `Usage`."""
        self.over_limit: Callable[[str, AnyCall | None], Cause | None] = lambda *_: None
        """Why a local user may make no more calls now, but for one that it leaves; set by whom the
        users are known to."""
        self.services = Services(settings.services, files, tokens(), self._outputs.append)
        self.pool = PortPool([])
        self.calls: dict[str, AnyCall] = {}
        self.capacity = Capacity(self.calls)
        self.recordings = Recordings(
            self.calls,
            self.services.names,
            files.record,
            settings.recording,
            files.announcement,
        )
        self.calls_total = 0

    # ---------------------------------------------------------------- a new call

    def refuse(self, invite: ServerTransaction, facts: CallFacts, cause: Cause, now: float) -> None:
        """Answer an INVITE that leads nowhere, and leave its record."""
        self.calls_total += 1
        response = response_to(invite.request, cause.status, cause.reason, to_tag=self._tokens())
        response.add("Reason", cause.header)
        for name, value in cause.headers:
            response.add(name, value)
        for value in answering(invite.request, invite.flow.local.host):
            response.add("History-Info", value)
        self._endpoint.respond(invite, response, now)
        facts.cause = cause
        facts.release = now
        self._outputs.append(CallEnded(facts))

    def offered(
        self,
        invite: ServerTransaction,
        facts: CallFacts,
        caller: Party,
        reached: Reached,
        now: float,
        manner: Manner | None = None,
    ) -> None:
        """Take an INVITE of a known caller and ring whom it leads to.

        Args:
            facts: the call's facts as far as routing knows them.
            caller: who calls, as callees are shown it.
            reached: where the number leads: to phones, or outside.
            manner: of the line that the caller is reached by; None for a local user.
        """
        request = invite.request
        offer = _offer(request, manner)
        try:
            leg = self._caller(invite, facts, offer, self.convertible, caller, now, manner)
        except PeerError as error:
            self._refuse_unusable(invite, facts, error, now)
            return
        call = self.new_call(facts, leg, leg.media.last_remote)
        self._by_invite[invite] = leg
        names = REQUEST if manner is None else FROM_OUTSIDE
        headers = crossing(request, names, hidden=caller.hidden)
        hops = max((request.max_forwards or 70) - 1, 0)
        secure = is_sips(request.request_uri)
        asking = Asking(caller, headers, hops, secure=secure)
        self.ways.ring(call, asking, reached, now)

    def served(
        self,
        invite: ServerTransaction,
        facts: CallFacts,
        dialed: ServiceNumber,
        now: float,
        manner: Manner | None = None,
    ) -> None:
        """Take an INVITE of a known caller and answer it ourselves, as the service `dialed`."""
        refusal = self.unserved(dialed)
        if refusal is not None:
            self.refuse(invite, facts, refusal, now)
            return
        offer = _offer(invite.request, manner)
        party = Party(facts.caller_number, line=facts.caller_line)
        try:
            own = endpoint.description(offer, self.coded, invite.flow.local.host)
            leg = self._caller(invite, facts, offer, lambda: (), party, now, manner)
        except PeerError as error:
            self._refuse_unusable(invite, facts, error, now)
            return
        conversation = self.new_conversation(facts, leg, dialed)
        self._by_invite[invite] = leg
        conversation.answer(own, now, offering=not offer)
        self.prepare_ports()

    def convertible(self) -> Sequence[str]:
        """What the engine may convert calls between phones to: encoding names."""
        return self.coded if self.settings.media.convert else ()

    def _caller(
        self,
        invite: ServerTransaction,
        facts: CallFacts,
        offer: bytes,
        coded: Callable[[], Collection[str]],
        party: Party,
        now: float,
        manner: Manner | None = None,
    ) -> Leg:
        """Return the leg of who has sent `invite`; what is said to it is converted to `coded`.

        Raises:
            PeerError: it can't be used.
        """
        media = self.leg_media(invite.flow, [], manner)
        interpreter = Interpreter(media, coded, as_it_is if manner is None else manner.told)
        if offer:
            media.remote(interpreter.heard(offer), invite.flow.remote.host)
        secure = is_sips(invite.request.request_uri)
        # As it was dialled: who it is forwarded to may not want to be known
        ours = partial(contact, facts.called_number, secure=secure)
        usage = Incoming(
            self._endpoint,
            self._timers,
            ours if manner is None else partial(manner.contact, secure=secure),
            lambda offer: reject_all(offer, invite.flow.local.host),
            invite,
            self._tokens,
            now,
            session=self.session if manner is None else manner.session,
            reliable=self.settings.calls.prack if manner is None else manner.prack != "off",
        )
        if manner is not None:
            behave(usage, manner)
        return Leg("a", usage, media, interpreter, party, manner=manner)

    def _refuse_unusable(
        self, invite: ServerTransaction, facts: CallFacts, error: PeerError, now: float
    ) -> None:
        self.refuse(invite, facts, unusable(error.status, error.reason), now)

    def prepare_ports(self) -> None:
        """Let the engine open the sockets of the next calls."""
        prepare = protocol.Prepare(self.pool.ahead(PREPARED_PORTS))
        self._outputs.append(MediaCommands([prepare]))

    # ---------------------------------------------------------------- transfers

    def call_of(self, leg: Leg) -> AnyCall:
        """Return the call that a leg is of."""
        return self._owners[leg]

    def replaced(self, replaces: Replaces) -> Leg | None:
        """Return the leg whose dialog is named, seen from the peer (RFC 3891 §3); None for none."""
        leg = self._by_key.get(usage_key(replaces.call_id, replaces.to_tag))
        if leg is None or not leg.usage.has_peer(replaces.from_tag):
            return None
        return leg

    def incoming(
        self, invite: ServerTransaction, facts: CallFacts, party: Party, now: float
    ) -> Leg:
        """Return the leg of a phone that has called in to take part in a call of others.

        Args:
            facts: of that call.

        Raises:
            PeerError: its INVITE can't be used.
        """
        offer = session_description(invite.request)
        leg = self._caller(invite, facts, offer, self.convertible, party, now)
        self._by_invite[invite] = leg
        return leg

    def join(self, leg: Leg, call: Call) -> None:
        """Let a leg of `incoming` take part in a call that rings."""
        leg.name = f"b{len(call.asked) + 1}"
        # Neither may be sent to a port of this very call
        call.caller.media.call.append(leg.media)
        leg.media.call = call.caller.media.call
        self.add(call, leg)
        if self.recordings.expected(call, leg.party):
            call.pace()
            leg.pace(RECORDED_PTIME_MS)

    def forget_leg(self, leg: Leg) -> None:
        """Take back what `incoming` and `join` have done."""
        self._owners.pop(leg, None)
        self.ways.forget(leg)
        self._by_key.pop(leg.usage.key, None)
        if isinstance(leg.usage, Incoming):
            del self._by_invite[leg.usage.transaction]

    def unserved(self, dialed: ServiceNumber) -> Cause | None:
        """Return why a service can't be had now; None where it can."""
        # Without an engine there is nobody to code; an ordinary call finds no ports then
        return self.services.refusal(dialed) if self.coded else by_server(CallTag.LIMIT)

    def serve(
        self, facts: CallFacts, kept: Leg, before: Call, dialed: ServiceNumber, now: float
    ) -> None:
        """Let a party go on with a service, which can be had, instead of the call `before`."""
        leaving = before.partner(kept) or before.caller
        conversation = self.new_conversation(facts, kept, dialed)
        before.hand_over([kept], self.transferred(before, leaving), now)
        conversation.take_over(now)

    def adopt(self, call: Transferred, now: float) -> None:
        """Make the caller of a call that a transfer has made a party of it."""
        before, kept = call.before, call.caller
        if isinstance(before, Summons):
            self.click_to_dial.leave(before, kept, now)
            self._owners[kept] = call
            return
        leaving = before.partner(kept) or before.caller
        self.take_over(before, [kept], call, self.transferred(before, leaving), now)

    def take_over(
        self, old: Call, legs: Collection[Leg], new: Call, cause: Cause, now: float
    ) -> None:
        """Let legs of a call go on in another one, and its recording; what is left of it ends."""
        self.recordings.go_on(old, new)
        for leg in legs:
            self._owners[leg] = new
        old.hand_over(legs, cause, now)

    def transferred(self, call: Call, leaving: Leg) -> Cause:
        """Return why a call ends that `leaving` has transferred the other party out of."""
        by_caller = leaving is call.caller
        return by_hang_up(
            CallTag.CALLER_TRANSFERRED if by_caller else CallTag.CALLEE_TRANSFERRED, []
        )

    # ---------------------------------------------------------------- calls that begin

    def resume(self, facts: CallFacts, state: CallState, now: float) -> None:
        """Go on with an answered call from before a restart.

        Raises:
            NoPortsLeft, PeerError: the journal's state doesn't fit any more.
        """
        self._resumption.resume(facts, state, now)

    def new_call(self, facts: CallFacts, caller: Leg, offer: bytes) -> Call:
        """Take up a call whose phones are still to be rung."""
        limits = self.settings.calls
        call = Call(
            facts,
            caller,
            offer,
            self._timers,
            self._emit,
            lambda: self.coded,
            no_answer_s=limits.no_answer_s,
            max_duration_s=limits.max_duration_s,
        )
        self.keep(call, caller)
        return call

    def new_conversation(
        self,
        facts: CallFacts,
        leg: Leg,
        dialed: ServiceNumber,
        *,
        again: bool = False,
        heard: Heard = ALIKE,
    ) -> Conversation:
        """Begin a call with a service.

        Args:
            again: it has begun before a restart.
            heard: how the others have heard the party until then.
        """
        service = self.services.new(dialed, again=again)
        service.heard = heard
        conversation = Conversation(
            facts,
            leg,
            dialed,
            service,
            lambda: self.coded,
            self._timers,
            self._emit,
            country=self.settings.media.country,
            max_duration_s=self.settings.calls.max_duration_s,
        )
        self.keep(conversation, leg)
        return conversation

    def keep(self, call: AnyCall, leg: Leg) -> None:
        """Take up a call that has begun, with a leg that is new."""
        self.calls[call.facts.id] = call
        if isinstance(call, Call):
            self.recordings.attend(call)
        self.calls_total += 1
        self.add(call, leg)

    def add(self, call: AnyCall, leg: Leg) -> None:
        """Let a leg be of a call: what it says goes there."""
        self._owners[leg] = call
        self._by_key[leg.usage.key] = leg
        if self.prove is not None:
            leg.usage.prove = partial(self.prove, leg.party)

    def leg_media(self, flow: Flow, call: list[LegMedia], manner: Manner | None) -> LegMedia:
        """Return a leg's media, that has no port yet, beside those of its call."""
        self._media_sessions += 1
        return LegMedia(
            self.pool,
            flow.local.host,
            self._media_sessions,
            shown_address="" if manner is None else manner.sound_address(flow),
            call=call,
            timeout_s=self.settings.media.timeout_s,
            keys=keys_of(manner),
            watched=self.watches_keys(manner),
        )

    def watches_keys(self, manner: Manner | None) -> bool:
        """Return whether we want to know of the keys that a party presses: of our users' phones."""
        return manner is None and bool(self.settings.recording.code)

    # ---------------------------------------------------------------- what comes in

    def disconnected(self, flow: Flow) -> None:
        """Take note that a connection has ended: calls go on by their parties' Contacts."""
        for leg in self._owners:
            leg.usage.disconnected(flow)
        self.click_to_dial.disconnected(flow)

    def owns(self, event: Event) -> bool:
        """Whether the event is of a running call, or of one that has just ended."""
        return self._leg_of(event) is not None or self.click_to_dial.owns(event)

    def handle(self, event: Event, now: float) -> None:
        """Take an endpoint event of a running call; others are ignored."""
        leg = self._leg_of(event)
        if leg is not None:
            self._take(leg, leg.usage.receive(event, now), now)
        elif self.click_to_dial.owns(event):
            self.click_to_dial.handle(event, now)

    def _take(self, leg: Leg, events: list[UsageEvent], now: float) -> None:
        call = self._owners[leg]
        self.without_prack.learn(leg.usage, leg.party.line, events, now)
        for event in leg.receive(events, now):
            match event:
                case TransferAsked():
                    self.transfers.asked(leg, event.referral, now)
                case Moved():
                    self._retargets.moved(leg, event, now)
                case Ended() if self.ways.ended(leg, event.cause, now):
                    pass
                case _:
                    call.receive(leg, event, now)

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
            owner, name = cast(tuple[AnyCall | Usage | Farewells | LoneReferral | Ways, str], key)
            if isinstance(owner, Farewells):
                owner.give_up(name)
            elif isinstance(owner, Ways):
                owner.timer_fired(name, now)
            elif isinstance(owner, LoneReferral):
                self.click_to_dial.timer_fired(owner, now)
            elif isinstance(owner, AnyCall):
                if name == "forget":
                    self._forget(owner, now)
                    continue
                owner.timer_fired(name, now)
            else:
                leg = self._by_key.get(owner.key)
                if leg is not None:
                    self._take(leg, owner.timer_fired(name, now), now)

    def _emit(self, output: Output) -> None:
        """Publish what a call says; its end only when the quality of its sound is known."""
        if isinstance(output, CallEnded):
            self._forget_later(output.facts)
            publish = partial(self._outputs.append, output)
            self._farewells.wait(output.facts, output.ports, publish)
            self.call_backs.ended(output.facts)
        else:
            self._outputs.append(output)

    @property
    def saying_farewell(self) -> int:
        """How many calls that have ended are still to be published."""
        return len(self._farewells)

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
        self.coded = tuple(ready.codecs)
        between = [call for call in self.calls.values() if isinstance(call, Call)]
        cut = self._take_recordings(between, ready)
        with_phones = [one for one in self.calls.values() if not isinstance(one, Conversation)]
        streams = [
            stream for one in with_phones for leg in one.legs for stream in leg.media.everything()
        ]
        wanted = {stream.port for stream in streams}
        stray = [port for port in ready.streams if port not in wanted]
        if stray:
            self._outputs.append(MediaCommands([protocol.Release(stray)]))
        if streams:
            sound = [command for one in between for command in one.passage.everything()]
            self._outputs.append(MediaCommands([*streams, *sound]))
        for one, recording in cut:
            self.recordings.begin_again(one, recording)
        begun = {one for one, _ in cut}
        for one in between:
            if one not in begun:
                one.recorder.go_on()
        for call in list(self.calls.values()):
            if isinstance(call, Conversation):
                call.engine_ready(now)
        self.prepare_ports()

    def _take_recordings(
        self, calls: list[Call], ready: protocol.Ready
    ) -> list[tuple[Call, Recording]]:
        """Go on with the recordings of calls; others are nobody's any more.

        Returns:
            Those that an engine before was writing when it died, and their calls.
        """
        running = [(one, one.recorder.running) for one in calls]
        cut = [
            (one, recording)
            for one, recording in running
            if not one.passage.keep_recording(ready.recordings, ready.streams) and recording
        ]
        wanted = {one.passage.recording for one in calls}
        stray = [name for name in ready.recordings if name not in wanted]
        if stray:
            self._outputs.append(MediaCommands([protocol.StopRecording(name) for name in stray]))
        return cut

    def reported(self, report: protocol.SoundReport, now: float) -> None:
        """Take what the engine says of a call's sound."""
        for call in self.calls.values():
            if call.reported(report, now):
                return
        if isinstance(report, protocol.Recorded):
            self.services.left_over(report)

    def stream_timed_out(self, port: int, now: float) -> None:
        """End the call whose party has sent no media for too long."""
        for call in self.calls.values():
            if any(port in leg.media.ports for leg in call.legs):
                call.end(by_server(CallTag.MEDIA_TIMEOUT), now)
                return

    def hang_up(self, call_id: str, now: float) -> bool:
        """End a call for the administrator; False where no such call runs."""
        call = self.calls.get(call_id)
        if call is None:
            return False
        call.end(by_server(CallTag.ADMINISTRATOR), now)
        return True

    def stop(self, now: float) -> None:
        """End every call: the exchange is going down."""
        for call in list(self.calls.values()):
            call.end(by_server(CallTag.SERVER_STOPPED), now)

    def settle(self) -> None:
        """Publish what waits for the engine: there is no more time."""
        self._farewells.give_all_up()

    def _forget_later(self, facts: CallFacts) -> None:
        """Keep the legs of a call that has ended while something may still come for them."""
        call = self.calls.pop(facts.id, None)
        if call is not None and facts.release is not None:
            self._timers.set((call, "forget"), facts.release + LINGER_S)

    def _forget(self, call: AnyCall, now: float) -> None:
        if not all(leg.usage.settled for leg in call.legs):
            self._timers.set((call, "forget"), now + T4)
            return
        for leg in call.legs:
            self.forget_leg(leg)


def _offer(invite: Request, manner: Manner | None) -> bytes:
    """The description that an INVITE offers, as far as it counts."""
    offer = session_description(invite)
    return offer if manner is None or not offer else manner.heard(offer)
