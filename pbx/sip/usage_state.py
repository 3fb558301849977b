"""What state an INVITE usage is in (RFC 3261 §13, §15)."""

from dataclasses import dataclass
from enum import Enum, auto

from pbx.sip.message import Response
from pbx.sip.server_transaction import ServerTransaction
from pbx.sip.timers import T1


class State(Enum):
    """Where a usage is in its life."""

    INVITED = auto()
    """UAS: no final response sent."""
    ANSWERED = auto()
    """UAS: 2xx sent, ACK not seen."""
    CALLING = auto()
    """UAC: no final response received."""
    CONFIRMED = auto()
    ENDED = auto()


@dataclass(slots=True)
class Unacknowledged:
    """Our 2xx, which is repeated until its ACK comes (§13.3.1.4)."""

    transaction: ServerTransaction
    response: Response
    deadline: float
    late: bool
    """It carries our offer, and its ACK the answer."""
    interval_s: float = T1
