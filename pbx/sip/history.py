"""Where a call was meant to go before it was forwarded: History-Info (RFC 7044), Diversion (RFC 5806)."""

from collections.abc import Sequence

from pbx.errors import PeerError
from pbx.sip.fields import Message
from pbx.sip.grammar import quote
from pbx.sip.headers import NameAddr, parse_name_addr
from pbx.sip.identity import ANONYMOUS
from pbx.sip.message import Request
from pbx.sip.uri import SipUri, TelUri

_MOST_ENTRIES = 20
"""Of one call; who sends more gets the last ones passed on."""

_REASONS = frozenset(
    {
        "unknown",
        "user-busy",
        "no-answer",
        "unavailable",
        "unconditional",
        "time-of-day",
        "do-not-disturb",
        "deflection",
        "follow-me",
        "out-of-service",
        "away",
    }
)
"""Why a party forwards (RFC 5806 §4)."""

_PRIVACIES = frozenset({"full", "name", "uri", "off"})

_STATUS_REASONS = {480: "no-answer", 486: "user-busy", 408: "no-answer", 503: "unavailable"}


def diversions(message: Message) -> list[str]:
    """Return the Diversion values that can be read, the latest first (RFC 5806 §4)."""
    return _readable(message, "Diversion")


def _readable(message: Message, name: str) -> list[str]:
    try:
        values = message.all(name)
    except PeerError:
        return []
    good = []
    for value in values[:_MOST_ENTRIES]:
        try:
            parse_name_addr(value)
        except PeerError:
            continue
        good.append(value)
    return good


def diversion(
    address: SipUri, *, status: int, rang: bool, said: str = "", privacy: str = ""
) -> str:
    """Return the Diversion value of a party that has forwarded a call.

    Args:
        address: the party's.
        status: what its phone said: a 3xx, or another failure.
        rang: it had rung before that.
        said: the reason that its phone gives; counts where RFC 5806 §4 knows it.
        privacy: likewise, what of it isn't to be shown.
    """
    reason = _STATUS_REASONS.get(status, "no-answer" if rang else "unconditional")
    params = [("reason", said if said in _REASONS else reason), ("counter", "1")]
    if privacy in _PRIVACIES:
        params.append(("privacy", privacy))
    return str(NameAddr("", address, tuple(params)))


def wanted(request: Request) -> bool:
    """Whether responses to an INVITE tell of its history (RFC 7044 §9.4)."""
    options = [one.lower() for one in request.readable("Supported")]
    return "histinfo" in options or request.get("History-Info") is not None


def answering(request: Request, host: str) -> list[str]:
    """Return what responses to an INVITE say before it has gone anywhere; nothing if unwanted.

    §9.1: the entry of who has sent it is ours to make. What a phone says besides isn't believed.

    Args:
        request: the INVITE.
        host: ours, for a number without one (RFC 3261 §19.1.6).
    """
    uri = request.request_uri
    if isinstance(uri, TelUri):
        uri = SipUri("sip", uri.number, None, host)
    return received(uri) if isinstance(uri, SipUri) and wanted(request) else []


def received(uri: SipUri) -> list[str]:
    """Return the history of a request as it came, for this URI."""
    return [_entry(uri, index="1")]


def tried(uri: SipUri) -> list[str]:
    """Return the history of a call that rings where it was meant to (§10.4: nothing was changed)."""
    return [*received(uri), _entry(uri, index="1.1", np="1")]


def failed(history: Sequence[str], status: int, why: str) -> list[str]:
    """Return the history of a call whose last target has refused it (§10.2).

    Args:
        history: of the call so far.
        status: what was answered there.
        why: its reason phrase.

    Raises:
        PeerError: an entry can't be read.
    """
    last = parse_name_addr(history[-1])
    uri = last.uri
    if not isinstance(uri, SipUri):
        return list(history)
    text = quote(why if why.isprintable() else "")
    kept = tuple((name, value) for name, value in uri.headers if name.lower() != "reason")
    headers = (*kept, ("Reason", f"SIP;cause={status};text={text}"))
    told = SipUri(uri.scheme, uri.user, uri.password, uri.host, uri.port, uri.params, headers)
    return [*history[:-1], str(NameAddr(last.display_name, told, last.params))]


def forwarded(
    history: Sequence[str], before: SipUri, after: SipUri, *, status: int, why: str
) -> list[str]:
    """Return History-Info for a call that goes on to another party.

    Args:
        history: of the call so far; empty for none.
        before: the address that was tried.
        after: where it goes now.
        status, why: as for `failed`.

    Raises:
        PeerError: an entry can't be read.
    """
    entries = failed(history or tried(before), status, why)
    index = parse_name_addr(entries[-1]).param("index") or "1.1"
    # §10.3 rule 4: "the rightmost value of the hi-index MUST be incremented"
    level, dot, number = index.rpartition(".")
    following = f"{level}{dot}{int(number) + 1 if number.isdecimal() else 1}"
    return [*entries, _entry(after, index=following, mp=index)][-_MOST_ENTRIES:]


def concealed(history: Sequence[str]) -> list[str]:
    """Return a history whose last target isn't to be known (§10.1.2)."""
    last = parse_name_addr(history[-1])
    return [*history[:-1], str(NameAddr("", ANONYMOUS.uri, last.params))]


def _entry(uri: SipUri, **params: str) -> str:
    return str(NameAddr("", uri, tuple(params.items())))
