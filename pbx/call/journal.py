"""An answered call as the journal keeps it, so that it goes on when the exchange has died.

The media engine relays for a grace time without the exchange; what comes back reads this and is
the user agent that both phones are in a dialog with.
"""

from typing import Any

import msgspec

from pbx.call.heard import ALIKE, Heard
from pbx.media.session import MediaState
from pbx.routing.services import ServiceNumber
from pbx.sip.flow import Address, Flow

SEQUENCE_RESERVE = 10_000
"""Added to our CSeq numbers: the keys, texts and refreshes of a long call have used some, and the
journal has seen none of them. A gap harms nobody (RFC 3261 §12.2.2)."""


class FlowState(msgspec.Struct, frozen=True):
    """A path to a phone. Connections end with the process, so their number is not kept."""

    transport: str
    local_host: str
    local_port: int
    remote_host: str
    remote_port: int
    name: str = ""

    @classmethod
    def of(cls, flow: Flow) -> "FlowState":
        """Return the state of `flow`."""
        local, remote = flow.local, flow.remote
        return cls(flow.transport, local.host, local.port, remote.host, remote.port, flow.name)

    @property
    def flow(self) -> Flow:
        """The path, to be connected anew where it needs a connection."""
        return Flow(
            self.transport,
            Address(self.local_host, self.local_port),
            Address(self.remote_host, self.remote_port),
            name=self.name,
        )


class LegState(msgspec.Struct, frozen=True):
    """One party of an answered call.

    Args:
        number: who it is.
        flow: the path to it.
        dialog: what `Dialog.to_dict` gave.
        media: its ports and descriptions.
        behind_nat: only its packets' source reaches it.
        name, hidden: as in `Party`; the name octet by octet.
        session_s, refreshes: its session timer's interval, 0 for none, and that we refresh it.
        line, poses: as in `Party`.
        forwarder: as in `Leg`.
        called: we have called it; None in the journal of an older version.
        through: as in `pbx.sip.dialog_usage.DialogUsage`.
        seen: how a line's server sees our end of the path, host and port; None where nobody knows.
    """

    number: str
    flow: FlowState
    dialog: dict[str, Any]
    media: MediaState
    behind_nat: bool = False
    name: str = ""
    hidden: bool = False
    session_s: int = 0
    refreshes: bool = False
    line: str = ""
    poses: bool = False
    forwarder: str = ""
    called: bool | None = None
    through: FlowState | None = None
    seen: tuple[str, int] | None = None


class CallState(msgspec.Struct, frozen=True):
    """The parties of an answered call.

    Args:
        caller: who called.
        callee: who answered; None where it was the exchange itself.
        service: what the exchange answered as; None where it was a phone.
        recording: the engine's name of the recording that runs; 0 for none.
        stereo: it has a track for each party.
        recorded_by: who has wanted it.
        heard: how the others of a conference room hear the caller.
    """

    caller: LegState
    callee: LegState | None = None
    service: ServiceNumber | None = None
    recording: int = 0
    stereo: bool = False
    recorded_by: str = ""
    heard: Heard = ALIKE

    @property
    def ports(self) -> set[int]:
        """The RTP ports that the call needs again."""
        legs = [self.caller, *([self.callee] if self.callee else [])]
        return {port for leg in legs for _, port in leg.media.ports}
