"""What is known of a call: for its record, the journal and the console."""

from dataclasses import dataclass

from pbx.call.cause import Cause
from pbx.call.quality import Quality


@dataclass(slots=True)
class CallFacts:
    """One call from INVITE to release. Times are seconds of the exchange's monotonic clock.

    Args:
        id: our own name of the call, unique for ever.
        call_id: the caller's Call-ID.
        caller_number: who calls.
        dialed_number: what was dialled, without a password in it.
        called_number: who was reached, after routing.
        caller_addr, called_addr: ``udp 192.0.2.7:5060``; empty where no phone was reached.
        route: which rule decided, for people.
        codec: the first audio codec agreed on.
        called_codec: what the called phone speaks where the caller's `codec` is converted to it;
            else empty.
        recordings: the files that it was recorded to, each ``YYYYMMDD/name.wav``.
        recording_failure: why it, or the rest of it, wasn't recorded; empty where nothing went wrong.
        transferred_by: who has transferred the caller to where it calls; empty for nobody.
        caller_line, called_line: the external line or SIP trunk that the party is reached by; empty
            for a local user.
        caller_was_called, called_has_called: a transfer has made who was called the caller, or who has
            called the called party.
        emergency: it is an emergency call.
        max_duration_s: the longest talk that the dial plan allows; 0 for no limit of its own.
        quality: how the caller's and the called party's sound came here, when the call has ended.
    """

    id: str
    call_id: str
    caller_number: str
    dialed_number: str
    setup: float
    called_number: str = ""
    caller_addr: str = ""
    called_addr: str = ""
    route: str = ""
    codec: str = ""
    called_codec: str = ""
    recordings: tuple[str, ...] = ()
    recording_failure: str = ""
    transferred_by: str = ""
    caller_line: str = ""
    called_line: str = ""
    caller_was_called: bool = False
    called_has_called: bool = False
    emergency: bool = False
    max_duration_s: float = 0.0
    quality: tuple[Quality | None, Quality | None] = (None, None)
    alert: float | None = None
    talk: float | None = None
    release: float | None = None
    cause: Cause | None = None

    @property
    def codecs(self) -> tuple[str, str]:
        """What the caller and what the called party sends."""
        return self.codec, self.called_codec or self.codec

    @property
    def state(self) -> str:
        """``calling``, ``ringing``, ``talking`` or ``ended``."""
        if self.release is not None:
            return "ended"
        if self.talk is not None:
            return "talking"
        return "calling" if self.alert is None else "ringing"
