"""How calls on a line to the telephone network look and behave, as far as call control must know."""

from typing import Protocol

from pbx.call.party import Party
from pbx.media.session import KeyForm
from pbx.sip.authorization import Authorizer
from pbx.sip.crossing import Headers
from pbx.sip.flow import Address, Flow
from pbx.sip.headers import NameAddr
from pbx.sip.session_timer import SessionPolicy


class Manner(Protocol):
    """One call's on one line; a call with a phone of ours has none."""

    @property
    def line(self) -> str:
        """The external line's or SIP trunk's name."""

    @property
    def to(self) -> str:
        """The value of To in an INVITE of ours, without tag."""

    def sender(self, party: Party, flow: Flow) -> NameAddr:
        """Return From of an INVITE of ours, without tag.

        Args:
            party: who calls.
            flow: the path that it goes by.
        """

    def contact(self, flow: Flow, *, secure: bool) -> str:
        """Return our Contact header value; arguments as for `pbx.call.party.contact`."""

    def seen(self, flow: Flow) -> Address | None:
        """Return how the line's server sees our end of a path; None where it hasn't said."""

    def recall(self, seen: Address, flow: Flow) -> None:
        """Take note of what `seen` said before a restart, until the server says it again."""

    def sound_address(self, flow: Flow) -> str:
        """Return the address for our session descriptions on this path; empty for our own."""

    def asserted(self, party: Party) -> Headers:
        """Return the header fields that tell the line who our party is, or that it hides."""

    @property
    def prack(self) -> str:
        """Reliable provisional responses (RFC 3262): ``off``, ``supported`` or ``required``."""

    @property
    def session(self) -> SessionPolicy | None:
        """What is wanted of session timers; None: they aren't spoken of."""

    @property
    def update(self) -> bool:
        """Whether UPDATE may be sent (RFC 3311)."""

    @property
    def through(self) -> Flow | None:
        """The path to the outbound proxy that requests within dialogs go to, too; None for none."""

    @property
    def authorizer(self) -> Authorizer | None:
        """Answers the challenges that our requests meet; None: there is nothing to answer with."""

    def told(self, sdp: bytes, asked: bytes) -> bytes:
        """Return a session description of our party as the line is to get it.

        Args:
            sdp: the description.
            asked: the line's offer that it answers; empty where it is an offer itself.
        """

    def heard(self, sdp: bytes) -> bytes:
        """Return a session description of the line's with what we take of it."""

    @property
    def keys(self) -> KeyForm:
        """How the line is told of keys, and tells of its own."""

    @property
    def no_answer_s(self) -> float:
        """How long a called party may ring; 0 for the system's own limit."""

    @property
    def max_duration_s(self) -> float:
        """How long a call may last; 0 for no limit of the line's own."""

    @property
    def precondition(self) -> str:
        """An INVITE of the line's that requires RFC 3312 is ``answer``-ed as met, or ``refuse``-d."""

    @property
    def may_refer(self) -> bool:
        """Whether a call's party on the line may transfer the other one, which is ours."""

    @property
    def diversion(self) -> bool:
        """Whether the line is told of forwarded calls by Diversion and History-Info."""

    @property
    def forwarding_news(self) -> bool:
        """Whether a caller is told by 181 with Call-Info that its call is forwarded."""
