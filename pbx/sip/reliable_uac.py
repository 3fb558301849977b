"""The UAC side of reliable provisional responses: PRACK (RFC 3262 §4)."""

from typing import TYPE_CHECKING

from pbx.sip.client_transaction import ClientTransaction
from pbx.sip.dialog import Dialog
from pbx.sip.events import ResponseReceived, TransportFailed
from pbx.sip.inspection import session_description
from pbx.sip.message import Request, Response
from pbx.sip.reliable import OPTION, rseq_of
from pbx.sip.usage_events import PrackRefused, UsageEvent
from pbx.sip.usage_part import Outcome, UsagePart

if TYPE_CHECKING:
    from pbx.sip.invite_uac import Outgoing

_REFUSED = frozenset({405, 501})
"""What a peer says that asks for PRACK and doesn't know it (some carriers' gateways)."""


class Pracks(UsagePart):
    """Acknowledges each reliable provisional response once, in its order.

    Args:
        usage: whose INVITE it is.
    """

    def __init__(self, usage: "Outgoing") -> None:
        self._usage = usage
        self._offered = self._late = False
        # The last number by the callee's tag: each early dialog counts by itself (§4)
        self._last: dict[str, int] = {}
        self._open: set[ClientTransaction] = set()
        # Reliable responses with an offer, whose PRACK waits for our answer, by the callee's tag
        self._owed: dict[str, tuple[Response, Dialog]] = {}
        self.agreed: dict[str, None] = {}
        """Tags of callees with whom offer and answer are complete, the latest one last."""

    def dress(self, request: Request) -> None:
        """Offer it in the INVITE (§4)."""
        if request.method != "INVITE" or request.to.tag is not None:
            return
        self._offered, self._late = True, not session_description(request)
        options = request.all("Supported")
        if OPTION not in options:
            request.set("Supported", ", ".join([*options, OPTION]))

    def acknowledge(self, response: Response, dialog: Dialog | None, now: float) -> bool:
        """Send the PRACK to a provisional response that wants one, or keep it for `answer`.

        Args:
            response: a 1xx above 100.
            dialog: its early dialog; None where it has none.

        Returns:
            False for one that has come before, or before its turn: it is to be ignored (§4).
        """
        rseq = rseq_of(response)
        if rseq is None or dialog is None or not self._offered:
            return True
        last = self._last.get(dialog.remote_tag)
        if last is not None and rseq != last + 1:
            # It is neither acknowledged nor looked at
            return False
        tag = dialog.remote_tag
        self._last[tag] = rseq
        if session_description(response) and tag not in self.agreed:
            if self._late:
                # §5: it carries the offer, and the PRACK the answer
                self._owed[tag] = response, dialog
                return True
            self.agreed[tag] = None
        self._send(response, dialog, b"", now)
        return True

    def owes(self, tag: str) -> bool:
        """Whether a callee's offer waits for `answer`."""
        return tag in self._owed

    def answer(self, tag: str, body: bytes, now: float) -> None:
        """Answer a callee's offer (§5)."""
        if tag in self._owed:
            response, dialog = self._owed.pop(tag)
            self.agreed[tag] = None
            self._usage.settle(dialog.id, body, session_description(response))
            self._send(response, dialog, body, now)

    @property
    def waiting(self) -> bool:
        """Whether a PRACK waits for its answer."""
        return bool(self._open)

    @property
    def latest(self) -> str:
        """The tag of the callee with whom a session was agreed on last; empty for none, or while a
        PRACK is open."""
        return "" if self._open else next(reversed(self.agreed), "")

    def _send(self, response: Response, dialog: Dialog, body: bytes, now: float) -> None:
        prack = self._usage.build("PRACK", body, dialog)
        prack.add("RAck", f"{rseq_of(response)} {response.cseq.number} INVITE")
        self._open.add(self._usage.send_in(dialog, prack, now))

    def outcome(self, event: Outcome, now: float) -> list[UsageEvent] | None:
        """Take the answer to a PRACK; whatever it is, the call goes on."""
        if event.transaction not in self._open:
            return None
        if isinstance(event, ResponseReceived) and event.response.status < 200:
            return []
        transaction = event.transaction
        self._open = {one for one in self._open if one is not transaction}
        if isinstance(event, TransportFailed):
            self._usage.path_lost(event.transaction, now)
        self._usage.keys.go_on(now)
        refused = isinstance(event, ResponseReceived) and event.response.status in _REFUSED
        return [PrackRefused()] if refused else []
