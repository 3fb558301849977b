"""What both sides of reliable provisional responses read and write (RFC 3262 §7)."""

from dataclasses import dataclass

from pbx.errors import PeerError
from pbx.sip.grammar import parse_digits
from pbx.sip.message import Message, Request, Response

OPTION = "100rel"
"""The option tag (§7.3)."""

_HIGHEST = 2**32 - 1
FIRST_RSEQ_LIMIT = 2**31 - 1
"""RSeq values begin below that (§3), so that they never wrap."""


@dataclass(frozen=True, slots=True)
class RAck:
    """Which response a PRACK acknowledges (§7.2)."""

    rseq: int
    cseq: int
    method: str


def rseq_of(response: Response) -> int | None:
    """The number of a response that wants a PRACK; None of any other (§4).

    One whose RSeq can't be read is an ordinary provisional response.
    """
    if not requires(response):
        return None
    return parse_digits((response.get("RSeq") or "").strip(), _HIGHEST) or None


def rack_of(prack: Request) -> RAck:
    """Return what a PRACK acknowledges.

    Raises:
        PeerError: 400 where RAck is missing or can't be read.
    """
    words = (prack.get("RAck") or "").split()
    if len(words) == 3:
        rseq, cseq = (parse_digits(word, _HIGHEST) for word in words[:2])
        if rseq is not None and cseq is not None:
            return RAck(rseq, cseq, words[2])
    raise PeerError(400, "Bad RAck")


def requires(message: Message) -> bool:
    """Whether a Require header names the option."""
    return _names(message.readable("Require"))


def supports(request: Request) -> bool:
    """Whether a UAC takes reliable provisional responses (§3)."""
    return _names(request.readable("Supported")) or requires(request)


def _names(options: list[str]) -> bool:
    return any(option.lower() == OPTION for option in options)
