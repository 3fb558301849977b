"""Who is in which call, for busy lamps: the dialog event package (RFC 4235)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from xml.sax.saxutils import quoteattr

from pbx.call.facts import CallFacts
from pbx.call.party import address_of
from pbx.sip.flow import Flow

LOCAL, REMOTE = "ringing", "calling"
"""The tags of a call that can be picked up, or taken over."""

MOST_TOLD = 100
"""Calls of one user that a document tells of, the newest: it has to fit into one NOTIFY."""

_NAMESPACE = "urn:ietf:params:xml:ns:dialog-info"

# RFC 4235 §3.7.1: what becomes of an INVITE, as its caller and as the called party has it. A phone
# that we have called and not heard of yet isn't told of: the lamp would light before it rings.
_CALLER_STATES = {"calling": "proceeding", "ringing": "early", "talking": "confirmed"}
_CALLED_STATES = {"ringing": "early", "talking": "confirmed"}


@dataclass(frozen=True, slots=True)
class Line:
    """A user's part in one call.

    Args:
        state: as RFC 4235 §3.7.1 calls it.
        direction: ``initiator`` for who calls, ``recipient`` for who is called (§4.1.1).
        call: names the call.
    """

    state: str
    direction: str
    call: str = ""

    def dialog_id(self, *, own: bool) -> str:
        """The attributes by which an INVITE's Replaces names the call (§4.1.1, RFC 3891).

        The phone's own dialog is nobody's business but its own: these tags mean the call,
        whichever phone of the user's has it.

        Args:
            own: it is told to the user; others may take a call only while it rings.
        """
        rings = self.state == "early" and self.direction == "recipient"
        if not (rings or (own and self.state == "confirmed")):
            return ""
        return f" call-id={quoteattr(self.call)} local-tag={quoteattr(LOCAL)} remote-tag={quoteattr(REMOTE)}"


class DialogInfo:
    """The calls of every user, and the documents that tell of them.

    A document has all of the user's calls each time (``state="full"``), so that a lost one does no
    harm. Who the other party is stays out of it: a lamp needs no more, and not everybody may know.

    Args:
        is_user: whether a number is a user's.
    """

    name = "dialog"
    kind = "application/dialog-info+xml"
    least_s = 1.0
    own_only = False

    def __init__(self, is_user: Callable[[str], bool]) -> None:
        self._is_user = is_user
        self._lines: dict[str, dict[str, Line]] = {}
        self._users_of: dict[str, set[str]] = {}

    def busy(self, number: str) -> bool:
        """Whether a user is in a call; one that rings doesn't count."""
        lines = self._lines.get(number, {}).values()
        return any(line.state == "confirmed" for line in lines)

    def call_changed(self, facts: CallFacts) -> list[str]:
        """Take the state of a call, its end too; return the users for whom it is another."""
        caller, called = _CALLER_STATES.get(facts.state, ""), _CALLED_STATES.get(facts.state, "")
        parts = [
            (facts.caller_number, facts.caller_line, "initiator", caller),
            (facts.called_number, facts.called_line, "recipient", called),
        ]
        # A number outside is nobody's here, though it may look so
        states = {
            (number, direction): state
            for number, line, direction, state in parts
            if state and not line and self._is_user(number)
        }
        there = {number for number, _ in states}
        # A call that has been transferred may have lost a party.
        concerned = there | self._users_of.pop(facts.id, set())
        if there:
            self._users_of[facts.id] = there
        return [number for number in sorted(concerned) if self._put(number, facts.id, states)]

    def _put(self, number: str, call: str, states: Mapping[tuple[str, str], str]) -> bool:
        before = self._lines.get(number, {})
        # What has ended is told of once, for phones that put a lamp out by that word alone.
        lines = {name: line for name, line in before.items() if line.state != "terminated"}
        for direction in ("initiator", "recipient"):
            name = f"{call}-{direction[0]}"
            state = states.get((number, direction), "")
            if state or name in lines:
                lines[name] = Line(state or "terminated", direction, call)
        if lines == before:
            return False
        self._lines[number] = lines
        return True

    def document(self, number: str, flow: Flow, version: int, *, own: bool) -> bytes:
        """Return what is known of a user's calls (§4.1).

        Args:
            number: the user.
            flow: the path to who is told.
            version: the number of the document in its subscription, from 0.
            own: it is for the user, who may take an answered call over by another phone, too.
        """
        entity = quoteattr(str(address_of(number, flow)))
        lines = list(self._lines.get(number, {}).items())[-MOST_TOLD:]
        dialogs = "".join(
            f'<dialog id={quoteattr(name)}{line.dialog_id(own=own)} direction="{line.direction}">'
            f"<state>{line.state}</state></dialog>\n"
            for name, line in lines
        )
        return (
            '<?xml version="1.0" encoding="UTF-8"?>\n'
            f'<dialog-info xmlns="{_NAMESPACE}" version="{version}" state="full" entity={entity}>\n'
            f"{dialogs}</dialog-info>\n"
        ).encode()
