"""The INVITEs of calls that begin: to one phone, or to all that a number leads to."""

from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import TYPE_CHECKING

from pbx.call.call import Call
from pbx.call.invitation import Asking, invitation, our_contact
from pbx.call.leg import Leg, Target, behave
from pbx.call.party import Party
from pbx.call.recording import RECORDED_PTIME_MS
from pbx.call.summons import Summons
from pbx.media import endpoint
from pbx.media.conversion import Interpreter, as_it_is
from pbx.media.session import LegMedia, NoPortsLeft
from pbx.sdp.offer_answer import reject_all
from pbx.sip.endpoint import Endpoint
from pbx.sip.flow import Flow
from pbx.sip.invite_uac import Outgoing
from pbx.sip.message import Request
from pbx.sip.secure import is_sips
from pbx.sip.timers import TimerQueue

if TYPE_CHECKING:
    from pbx.call.exchange import Exchange


class Invitations:
    """Sends them.

    Args:
        exchange: whose calls they are of.
        endpoint: sends and matches for us.
        timers: the exchange's timers.
        tokens: fresh random names.
    """

    def __init__(
        self,
        exchange: "Exchange",
        endpoint: Endpoint,
        timers: TimerQueue,
        tokens: Callable[[], str],
    ) -> None:
        self._exchange = exchange
        self._endpoint = endpoint
        self._timers = timers
        self._tokens = tokens

    def summoned(
        self, summons: Summons, asking: Asking, targets: Iterable[Target], now: float
    ) -> list[Leg]:
        """Send INVITEs that offer a session of our own; arguments as for `Ways.ring`."""
        exchange = self._exchange
        branches: list[Leg] = []
        with suppress(NoPortsLeft):
            for place, target in enumerate(targets, start=1 + summons.places):
                own = endpoint.description(b"", exchange.coded, target.flow.local.host)
                leg = self.branch(f"b{place}", asking, target, own, [], now, plain=True)
                branches.append(leg)
                exchange.add(summons, leg)
        return branches

    def branches(
        self, call: Call, asking: Asking, targets: Iterable[Target], now: float
    ) -> list[Leg]:
        """Send INVITEs for a call, as many as there are ports for; arguments as for `Ways.ring`."""
        branches: list[Leg] = []
        targets = list(targets)
        # RFC 3262 §5: without an offer it is the phone that makes one, and the caller has to answer
        # before it is answered; for several phones at once it couldn't
        alone = len(targets) == 1 and call.caller.takes_early_offer
        with suppress(NoPortsLeft):
            call.caller.media.reserve()
            for place, target in enumerate(targets, start=1 + len(call.asked)):
                together = call.caller.media.call
                ptime_ms = 0
                if self._exchange.recordings.expected(call, _party(target)):
                    ptime_ms = RECORDED_PTIME_MS
                    call.caller.pace(ptime_ms)
                leg = self.branch(
                    f"b{place}",
                    asking,
                    target,
                    call.offer,
                    together,
                    now,
                    late_answer=alone,
                    ptime_ms=ptime_ms,
                )
                leg.forwarder = asking.forwarder
                branches.append(leg)
                call.asked[leg] = asking
                self._exchange.add(call, leg)
        return branches

    def branch(
        self,
        name: str,
        asking: Asking,
        target: Target,
        sdp: bytes,
        together: list[LegMedia],
        now: float,
        *,
        plain: bool = False,
        late_answer: bool = False,
        ptime_ms: int = 0,
    ) -> Leg:
        """Send an INVITE to a phone; `sdp` is what it is offered, `together` of the call's media.

        Without an offer the phone's own gets its answer before the call's: `late_answer`. What it is
        told of packets' length is `ptime_ms`, 0: what the caller says.

        Raises:
            NoPortsLeft: nothing has been sent.
        """
        manner = target.manner
        media = self._exchange.leg_media(target.flow, together, manner)
        told = as_it_is if manner is None else manner.told
        interpreter = Interpreter(media, self._exchange.convertible, told)
        interpreter.ptime_ms = ptime_ms
        try:
            offer = interpreter.offer(sdp, plain=plain) if sdp else b""
        except NoPortsLeft:
            media.close()
            raise
        tag, call_id = self._tokens(), self._tokens()
        request = invitation(asking, target, offer, tag=tag, call_id=call_id)
        reliable = bool(sdp) or late_answer
        usage = self._call_out(request, our_contact(asking, target), target, now, reliable=reliable)
        offered = bool(request.body)
        return Leg(name, usage, media, interpreter, _party(target), offered=offered, manner=manner)

    def _call_out(
        self,
        request: Request,
        ours: Callable[[Flow], str],
        target: Target,
        now: float,
        *,
        reliable: bool,
    ) -> Outgoing:
        """Send the INVITE for one phone; `ours` makes our Contact."""
        exchange, manner = self._exchange, target.manner
        wanted = exchange.settings.calls.prack if manner is None else manner.prack != "off"
        line = "" if manner is None else manner.line
        usage = Outgoing(
            self._endpoint,
            self._timers,
            ours,
            lambda offer: reject_all(offer, target.flow.local.host),
            request,
            target.flow,
            now,
            behind_nat=target.behind_nat,
            ways=() if is_sips(request.request_uri) else target.ways,
            session=exchange.session if manner is None else manner.session,
            reliable=reliable and wanted and not exchange.without_prack.knows(request, line),
        )
        if manner is not None:
            behave(usage, manner)
        return usage


def _party(target: Target) -> Party:
    line = "" if target.manner is None else target.manner.line
    return Party(target.number, target.name, line=line)
