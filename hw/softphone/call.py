"""One call of the phone."""

from enum import Enum, auto

from hw.softphone.session import Agreed, Negotiation
from pbx.sip.invite_uac import Outgoing
from pbx.sip.invite_uas import Incoming


class CallState(Enum):
    """Where a call is in its life."""

    CALLING = auto()
    """We have dialled, and heard of nobody yet."""
    ALERTING = auto()
    """The other phone rings."""
    RINGING = auto()
    """We are called."""
    TALKING = auto()
    ENDED = auto()


class Call:
    """One call; changed by the user agent alone.

    Args:
        usage: its INVITE usage.
        peer: whom it is with, as SIP has it: number, or address.
        name: how the peer calls itself; empty where it doesn't say.
        incoming: the peer has called us.
    """

    def __init__(
        self,
        usage: Outgoing | Incoming,
        peer: str,
        name: str = "",
        *,
        incoming: bool = False,
    ) -> None:
        self.usage = usage
        self.peer = peer
        self.name = name
        self.incoming = incoming
        self.state = CallState.RINGING if incoming else CallState.CALLING
        self.negotiation: Negotiation | None = None

    @property
    def agreed(self) -> Agreed | None:
        """The sound that both sides have agreed on; None as long as they haven't."""
        return self.negotiation.agreed if self.negotiation is not None else None

    @property
    def held(self) -> bool:
        """The other side has put us on hold: it wants to hear nothing."""
        return self.agreed is not None and not self.agreed.sends

    @property
    def ended(self) -> bool:
        """It is over."""
        return self.state is CallState.ENDED
