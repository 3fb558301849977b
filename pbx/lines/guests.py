"""Whose INVITE has come in by a line: which line, which number was called, and who calls."""

import re
from collections.abc import Callable, Container, Iterable, Mapping

from pbx.config.line import Line, host_part
from pbx.errors import PeerError
from pbx.sip.flow import Flow
from pbx.sip.headers import NameAddr, parse_name_addr
from pbx.sip.identity import is_anonymous, is_hidden
from pbx.sip.message import Request
from pbx.sip.uri import SipUri, TelUri, Uri

_NUMBER = re.compile(r"\+?[0-9*#]{1,32}\Z")
_SEPARATORS = re.compile(r"[\s\-.()/]")

_FIELDS: Mapping[str, str] = {
    "to": "To",
    "from": "From",
    "p-called-party-id": "P-Called-Party-ID",
    "p-asserted-identity": "P-Asserted-Identity",
    "p-preferred-identity": "P-Preferred-Identity",
    "remote-party-id": "Remote-Party-ID",
    "diversion": "Diversion",
    "history-info": "History-Info",
}
"""The header fields of `pbx.config.line.SOURCES`."""


def line_of(
    request: Request,
    flow: Flow,
    lines: Iterable[Line],
    users: Container[str],
    speaks_for: Callable[[str, Flow], bool],
    server: Callable[[str], Flow | None],
) -> Line | None:
    """Return the line that an INVITE has come by; None for none.

    A carrier with several accounts of ours sends the calls of all from one address: what they are
    told apart by is the Contact that each has registered, then the account that To names.

    Args:
        request: the INVITE.
        flow: the path that it has come by.
        lines: those in use.
        users: the numbers of local users, who may live at a peer's address, too.
        speaks_for: whether what comes by a path is to be taken for a line's.
        server: the path to a line's server.
    """
    candidates = [line for line in lines if speaks_for(line.name, flow)]
    exact = any((way := server(one.name)) and way.remote == flow.remote for one in candidates)
    if not candidates or (not exact and _is_a_phone(request, flow, users, candidates)):
        return None
    asked, to = user_of(request.request_uri), user_of(request.to.uri)

    def fits(line: Line) -> tuple[bool, bool, bool, bool]:
        way = server(line.name)
        # A peer that has named its port is told from another one on the same machine
        exact = way is not None and flow.remote == way.remote
        ours = line.registers and asked == line.own_user
        return not ours, not exact, not (line.user and to == line.user), line.registers

    return min(candidates, key=fits)


def _is_a_phone(request: Request, flow: Flow, users: Container[str], peers: Iterable[Line]) -> bool:
    """Whether a request is of a user at a peer's address, from another port than the peer's.

    Who shows credentials is one, for a peer is never asked for any; and so is who says that it is a
    user of ours, whatever it takes for our domain. At the peer's own host it is one of the peer's,
    whose numbers may be like ours.
    """
    if request.get("Proxy-Authorization") is not None or request.get("Authorization") is not None:
        return True
    uri = request.from_.uri
    if isinstance(uri, SipUri):
        theirs = {flow.remote.host, *(host_part(line.server).strip("[]") for line in peers)}
        if uri.host.lower() in theirs - {flow.local.host}:
            return False
    return user_of(uri) in users


def called_number(request: Request, line: Line) -> str:
    """Return the number that was called, from the first of `Line.did_from` that has one.

    A Request-URI with our own Contact names the line, not the number, unless nothing else does.
    """
    itself = ""
    for source in line.did_from:
        for text in _numbers(request, source):
            if not _NUMBER.match(text):
                continue
            if source == "request-uri" and line.registers and text == line.own_user:
                itself = itself or text
                continue
            return text
    if itself:
        return itself
    account = line.user.partition("@")[0]
    # A call that is to go to one place anyway needs no number
    return account if _NUMBER.match(account) else line.destination or line.owner


def caller_of(request: Request, line: Line) -> tuple[str, str, bool]:
    """Return the caller's number and name, and whether the called party isn't to know them.

    The number comes from the first of `Line.caller_from` that has one; it is empty where none has.
    """
    hidden = is_hidden(request) or is_anonymous(request.from_)
    for source in line.caller_from:
        for one in _addresses(request, source):
            number = user_of(one.uri)
            if number and number.isprintable() and not is_anonymous(one):
                return number, one.display_name or request.from_.display_name, hidden
        for text in _bare(request, source):
            return text, "", hidden
    return "", "", True


def user_of(uri: Uri) -> str:
    """Return the number, or the name, that an address names; empty where it names none."""
    if isinstance(uri, TelUri):
        return uri.number
    if isinstance(uri, SipUri):
        # RFC 3261 §19.1.1: a telephone-subscriber's parameters stand within the user part
        text = (uri.user or "").partition(";")[0]
        plain = _SEPARATORS.sub("", text)
        return plain if _NUMBER.match(plain) else text
    return ""


def _numbers(request: Request, source: str) -> list[str]:
    return [*(user_of(one.uri) for one in _addresses(request, source)), *_bare(request, source)]


def _addresses(request: Request, source: str) -> list[NameAddr]:
    """The addresses that a source holds; of several header fields the one that says most of it."""
    if source == "request-uri":
        return [NameAddr("", request.request_uri)]
    name = _FIELDS.get(source) or source.partition(":")[2]
    found = []
    for value in request.readable(name):
        try:
            found.append(parse_name_addr(value))
        except PeerError:
            continue
    # RFC 7044: the last entry is where the call goes now; all others name the latest one first
    return found[::-1] if source == "history-info" else found


def _bare(request: Request, source: str) -> list[str]:
    """What a header field of the carrier's own says, where that is a mere number."""
    if not source.startswith("header:"):
        return []
    texts = (_SEPARATORS.sub("", one) for one in request.readable(source.partition(":")[2]))
    return [text for text in texts if _NUMBER.match(text)]
