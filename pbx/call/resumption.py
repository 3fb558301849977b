"""Calls from before a restart, whose sound the media engine has kept."""

from collections.abc import Callable, Collection
from functools import partial
from typing import TYPE_CHECKING

from pbx.call.facts import CallFacts
from pbx.call.journal import SEQUENCE_RESERVE, CallState, LegState
from pbx.call.leg import Leg, behave, keys_of
from pbx.call.party import Party, contact
from pbx.errors import PeerError
from pbx.media.conversion import Interpreter, as_it_is
from pbx.media.session import LegMedia, NoPortsLeft
from pbx.sdp.offer_answer import reject_all
from pbx.sip.dialog import Dialog
from pbx.sip.endpoint import Endpoint
from pbx.sip.flow import Address
from pbx.sip.invite_usage import Usage
from pbx.sip.octet_text import text_of
from pbx.sip.session_timer import SessionInterval
from pbx.sip.timers import TimerQueue

if TYPE_CHECKING:
    from pbx.call.exchange import Exchange


class Resumption:
    """Goes on with them.

    Args:
        exchange: whose calls they are from now on.
        endpoint: sends and matches for us.
        timers: the exchange's timers.
    """

    def __init__(self, exchange: "Exchange", endpoint: Endpoint, timers: TimerQueue) -> None:
        self._exchange = exchange
        self._endpoint = endpoint
        self._timers = timers

    def resume(self, facts: CallFacts, state: CallState, now: float) -> None:
        """Go on with an answered call whose sound the media engine has kept.

        Raises:
            NoPortsLeft, PeerError: the journal's state doesn't fit any more.
        """
        media: list[LegMedia] = []
        if state.callee is None and state.service is None:
            raise PeerError(400, "Nobody Called")
        coded = self._exchange.convertible if state.callee else lambda: ()
        hidden = state.callee is not None and state.callee.hidden
        shown = facts.dialed_number if hidden else facts.called_number
        caller = self._resumed("a", state.caller, shown, media, coded, now)
        if state.callee is None:
            assert state.service is not None
            self._exchange.new_conversation(
                facts, caller, state.service, again=True, heard=state.heard
            ).resume(now)
            return
        try:
            shown = caller.party.shown_number
            callee = self._resumed("b1", state.callee, shown, media, coded, now)
        except (NoPortsLeft, PeerError):
            caller.media.close()
            raise
        call = self._exchange.new_call(facts, caller, state.callee.media.told)
        self._exchange.add(call, callee)
        call.resume(callee, self._exchange.recordings.resumed(facts, state), now)

    def _resumed(
        self,
        name: str,
        state: LegState,
        shown: str,
        call: list[LegMedia],
        coded: Callable[[], Collection[str]],
        now: float,
    ) -> Leg:
        flow = state.flow.flow
        timeout_s = self._exchange.settings.media.timeout_s
        manner = self._exchange.outside.manner(state.line) if state.line else None
        media = LegMedia.resume(
            self._exchange.pool,
            state.media,
            call=call,
            timeout_s=timeout_s,
            keys=keys_of(manner),
            watched=self._exchange.watches_keys(manner),
        )
        dialog = Dialog.from_dict(state.dialog)
        dialog.local_seq += SEQUENCE_RESERVE
        ours = partial(contact, shown, secure=dialog.secure)
        usage = Usage.resumed(
            self._endpoint,
            self._timers,
            ours if manner is None else partial(manner.contact, secure=dialog.secure),
            flow,
            lambda offer: reject_all(offer, flow.local.host),
            dialog,
            owns_call_id=name != "a" if state.called is None else state.called,
            behind_nat=state.behind_nat,
            session=self._exchange.session if manner is None else manner.session,
            told=media.described,
        )
        if usage.session is not None and state.session_s:
            usage.session.resume(SessionInterval(state.session_s, state.refreshes), now)
        party = Party(state.number, text_of(state.name), state.hidden, state.line, state.poses)
        if manner is not None:
            behave(usage, manner)
            if state.seen is not None:
                # The line's server says it again only when DNS has told where it is
                manner.recall(Address(*state.seen), flow)
        if state.through is not None:
            # Where the line's outbound proxy is now, DNS may not have said yet
            usage.through = state.through.flow
        told = as_it_is if manner is None else manner.told
        leg = Leg(name, usage, media, Interpreter(media, coded, told), party, manner=manner)
        leg.forwarder = state.forwarder
        return leg
