"""How a call looks and behaves on a line: the line's options, put into SIP."""

from dataclasses import dataclass

from pbx.call.party import Party, contact
from pbx.config.line import Line
from pbx.lines import descriptions
from pbx.lines.public_address import PublicAddress
from pbx.lines.request_uri import address, called
from pbx.media.session import KeyForm
from pbx.sdp.precondition import met
from pbx.sip.authorization import Authorizer
from pbx.sip.crossing import Headers
from pbx.sip.flow import Address, Flow
from pbx.sip.headers import NameAddr
from pbx.sip.identity import ANONYMOUS
from pbx.sip.session_timer import SessionPolicy


@dataclass(frozen=True, slots=True)
class LineManner:
    """One call's; see `pbx.call.manner.Manner`.

    Args:
        options: the line's.
        theirs: the other party's number in the line's format; for an incoming call the caller's.
        ours: our party's number as the line is told it; for an incoming call the called one.
        public: our address as the line's server sees it.
        authorizer: answers challenges.
        server: the path to the line's server, or to the outbound proxy before it.
        calls_us: it is an incoming call.
    """

    options: Line
    theirs: str
    ours: str
    public: PublicAddress
    authorizer: Authorizer | None = None
    server: Flow | None = None
    calls_us: bool = False

    @property
    def line(self) -> str:
        """The line's name."""
        return self.options.name

    @property
    def to(self) -> str:
        """To of an INVITE of ours."""
        return f"<{called(self.options, self.theirs)}>"

    def sender(self, party: Party, flow: Flow) -> NameAddr:
        """From of an INVITE of ours."""
        options = self.options
        if party.hidden and options.hide in ("privacy", "from"):
            return ANONYMOUS
        user = options.from_user or (options.user if options.registers else "number")
        if user == "number":
            user = self.ours
        if not user:
            return ANONYMOUS
        # A carrier knows its customer by the number; some refuse a name that isn't theirs
        return NameAddr("" if options.registers else party.name, address(options, user))

    def contact(self, flow: Flow, *, secure: bool) -> str:
        """The Contact that a carrier has registered, too."""
        shown = self.public.shown(self.options, flow)
        return contact(self.options.own_user, shown, secure=secure)

    def seen(self, flow: Flow) -> Address | None:
        """As the server has said in its answers."""
        return self.public.seen(flow)

    def recall(self, seen: Address, flow: Flow) -> None:
        """As it has said before a restart."""
        self.public.recall(seen, flow)

    def sound_address(self, flow: Flow) -> str:
        """As the line has it."""
        return self.public.of_sound(self.options, flow)

    def asserted(self, party: Party) -> Headers:
        """The identity header field that the line wants, and Privacy."""
        options = self.options
        hides = party.hidden and options.hide in ("privacy", "from")
        told: list[tuple[str, str]] = []
        poses = party.poses and self.ours == party.number
        if self.ours and not poses and not (hides and options.hide == "from"):
            told += self._identity(NameAddr("", address(options, self.ours)), hidden=hides)
        if hides and options.hide == "privacy":
            # RFC 3325 §9.3
            told.append(("Privacy", "id"))
        return tuple(told)

    def _identity(self, who: NameAddr, *, hidden: bool) -> list[tuple[str, str]]:
        match self.options.identity:
            case "pai":
                return [("P-Asserted-Identity", str(who))]
            case "ppi" if not self.calls_us:
                return [("P-Preferred-Identity", str(who))]
            case "rpid":
                side = "called" if self.calls_us else "calling"
                shown = "full" if hidden else "off"
                said = who.with_params(party=side, screen="yes", privacy=shown)
                return [("Remote-Party-ID", str(said))]
        return []

    @property
    def through(self) -> Flow | None:
        """The outbound proxy of a line that has one: its carrier's Contacts may lead nowhere."""
        return self.server if self.options.proxy else None

    @property
    def prack(self) -> str:
        """As the line has it."""
        return self.options.prack

    @property
    def session(self) -> SessionPolicy | None:
        """As the line has it; ``accept``: nothing is asked for."""
        options = self.options
        if options.session_timer == "off":
            return None
        asked_s = options.session_s if options.session_timer == "ask" else 0
        return SessionPolicy(asked_s, options.min_se_s)

    @property
    def update(self) -> bool:
        """As the line has it."""
        return self.options.update

    def told(self, sdp: bytes, asked: bytes) -> bytes:
        """See `descriptions.told`, and `precondition.met`."""
        said = descriptions.told(self.options, sdp)
        return met(said, asked) if asked and said else said

    @property
    def precondition(self) -> str:
        """As the line has it."""
        return self.options.precondition

    def heard(self, sdp: bytes) -> bytes:
        """See `descriptions.heard`."""
        return descriptions.heard(self.options, sdp)

    @property
    def keys(self) -> KeyForm:
        """As the line has it; ``auto``: by telephone-events where it takes them."""
        form = self.options.dtmf
        return KeyForm.EVENTS if form == "auto" else KeyForm(form)

    @property
    def no_answer_s(self) -> float:
        """As the line has it; an incoming call rings as long as any."""
        return 0.0 if self.calls_us else self.options.no_answer_s

    @property
    def max_duration_s(self) -> float:
        """As the line has it."""
        return self.options.max_duration_s

    @property
    def may_refer(self) -> bool:
        """Whether it is a trunk: another exchange of the same owner's, and no carrier."""
        return not self.options.registers

    @property
    def diversion(self) -> bool:
        """As the line has it."""
        return self.options.diversion

    @property
    def forwarding_news(self) -> bool:
        """As the line has it."""
        return self.options.forwarding_news


def hiding_prefix(line: Line, *, hidden: bool) -> str:
    """Return what is dialled before the number of a caller who isn't to be shown; mostly nothing."""
    return line.hide.removeprefix("prefix:") if hidden and line.hide.startswith("prefix:") else ""
