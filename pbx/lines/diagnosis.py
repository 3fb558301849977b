"""What a registration's messages tell: who has asked, who has answered, and what silence means."""

import ipaddress

from pbx.config.line import LEARNED, Line
from pbx.errors import PeerError
from pbx.lines.evidence import Evidence, Seen
from pbx.lines.finding import Finding, Mark, finding
from pbx.lines.public_address import seen_by
from pbx.lines.reach import UNREACHED
from pbx.lines.server import hop_of
from pbx.lines.state import LineState
from pbx.sip.digest import Challenge, find_challenge, parse_challenge
from pbx.sip.flow import Address, Flow
from pbx.sip.message import Response
from pbx.sip.numeric_host import numeric

_CHALLENGES = {401: "WWW-Authenticate", 407: "Proxy-Authenticate"}
_HEADERS = {
    "pai": "P-Asserted-Identity",
    "ppi": "P-Preferred-Identity",
    "rpid": "Remote-Party-ID",
}
_CREDENTIALS = ("Authorization", "Proxy-Authorization")


def registration(line: Line, state: LineState, evidence: Evidence, *, answers: bool) -> Finding:
    """Return what became of the REGISTER.

    Args:
        line: the line.
        state: how it is now.
        evidence: what went to and fro since the line was told to register.
        answers: the server has answered something else before.
    """
    sent, heard = evidence.sent("REGISTER"), _taken(evidence)
    if _granted(heard):
        return _registered(sent[-1].flow if sent else heard[-1][1], state, heard)
    if not sent:
        return _bad("register-not-sent", server=line.proxy or line.server)
    if not heard and state.trouble is not None and state.trouble.slug in UNREACHED:
        return _bad(UNREACHED[state.trouble.slug], **state.trouble.values)
    if not heard:
        return _silence(line, sent, evidence, answers=answers)
    response, flow = heard[-1]
    values = {"server": str(flow), "status": str(response.status), "reason": response.reason}
    if response.status in _CHALLENGES:
        return _bad("register-unproven", **values)
    if response.status == 403:
        proven = any(map(_proves, sent))
        slug = "register-forbidden-proven" if proven else "register-forbidden"
        return _bad(slug, account=account(line), **values)
    if response.status == 404:
        return _bad("register-unknown", account=account(line), **values)
    if response.status < 200:
        return _bad("register-trying", **values)
    if 500 <= response.status < 600 or response.status == 408:
        return _bad("register-unwell", **values)
    return _bad("register-refused", **values)


def _bad(slug: str, **values: object) -> Finding:
    return finding("register", Mark.BAD, slug, **values)


def _registered(asked: Flow, state: LineState, heard: list[tuple[Response, Flow]]) -> Finding:
    server = heard[-1][1]
    if server.remote.host != asked.remote.host:
        return finding("register", Mark.NOTE, "register-elsewhere", server=asked, other=server)
    return finding("register", Mark.GOOD, "register-good", server=state.server or server)


def _silence(line: Line, sent: list[Seen], evidence: Evidence, *, answers: bool) -> Finding:
    server, times = sent[-1].flow, len(sent)
    strays = [one for one in evidence.dropped if isinstance(one[2], Response)]
    if strays:
        return _bad("register-mangled", server=server, other=strays[-1][1])
    if answers:
        return _bad("register-ignored", server=server, times=times, account=account(line))
    return _bad("register-silent", server=server, times=times)


def authentication(line: Line, evidence: Evidence) -> Finding:
    """Return what became of the proof of who we are; arguments as for `registration`."""
    step, heard = "authentication", _taken(evidence)
    challenges = [response for response, _ in heard if response.status in _CHALLENGES]
    if not challenges:
        if _granted(heard):
            return finding(step, Mark.GOOD, "authentication-none", name=account(line))
        return finding(step, Mark.SKIPPED, "authentication-unreached")
    challenge = _challenge(challenges[-1])
    name = line.credentials_name
    if challenge is None:
        asked = _asked(challenges[-1])
        return finding(step, Mark.BAD, "authentication-algorithm", algorithm=asked)
    realm = challenge.realm
    if _granted(heard):
        values = {"name": name, "realm": realm, "algorithm": challenge.algorithm}
        return finding(step, Mark.GOOD, "authentication-good", **values)
    if not any(map(_proves, evidence.sent("REGISTER"))):
        return finding(step, Mark.SKIPPED, "authentication-unreached")
    last = heard[-1][0].status
    if last in _CHALLENGES:
        slug = "authentication-wrong" if line.password else "authentication-empty"
        return finding(step, Mark.BAD, slug, name=name, realm=realm)
    if last == 403 and "@" not in name:
        whole = account(line)
        return finding(step, Mark.BAD, "authentication-whole", name=name, realm=realm, whole=whole)
    if last == 403:
        return finding(step, Mark.BAD, "authentication-refused", name=name, realm=realm)
    return finding(step, Mark.NOTE, "authentication-unsaid", name=name, realm=realm)


def identity(line: Line, state: LineState) -> list[Finding]:
    """Return who the carrier says that we are (RFC 7315 §4.1), and as whom calls go out."""
    step = "identity"
    if not state.usable:
        return [finding(step, Mark.SKIPPED, "identity-unknown")]
    found = []
    if state.identities:
        told = ", ".join(state.identities)
        found.append(finding(step, Mark.GOOD, "identity-told", identities=told))
    sender = line.from_user or (line.user if line.registers else "number")
    number = line.caller_number if sender == "number" else sender
    header = _HEADERS.get(line.identity, "")
    if not number:
        return [*found, finding(step, Mark.GOOD, "identity-callers")]
    shown = f"{number}@{line.from_domain or line.account_domain}"
    told_of_it = any(_user(one) == number for one in state.identities)
    if state.identities and not told_of_it:
        return [*found, finding(step, Mark.NOTE, "identity-another", shown=shown)]
    if header:
        caller = line.caller_number or "*"
        own = finding(step, Mark.GOOD, "identity-both", shown=shown, header=header, caller=caller)
        return [*found, own]
    return [*found, finding(step, Mark.GOOD, "identity-own", shown=shown)]


def _user(identity: str) -> str:
    """The user part, or the number, of an address as text."""
    return identity.partition(":")[2].partition("@")[0].partition(";")[0]


def translation(evidence: Evidence, answer: tuple[Response, Flow] | None) -> Address | None:
    """Return our address as the server sees it where a NAT lies between; else None."""
    heard = [*([answer] if answer else []), *_taken(evidence)]
    for response, flow in reversed(heard):
        seen, own = seen_by(response), flow.local
        if seen is not None and seen.host != own.host:
            return seen
    return None


def translated(line: Line, seen: Address, path: Flow) -> Finding:
    """Return what a NAT means for a line; whether its Contact says where calls reach it.

    Args:
        line: the line.
        seen: our address as the server sees it.
        path: to the server.
    """
    values = {"seen": seen, "own": path.local, "seconds": round(line.keep_alive_s)}
    fixed = hop_of(line.contact_address, "")
    if not line.contact_address or fixed is None:
        return finding("identity", Mark.NOTE, "identity-translated", **values)
    learned = line.contact_address == LEARNED
    values["told"] = seen if learned else line.contact_address
    host = numeric(fixed.host.strip("[]"))
    wrong = not learned and host is not None and host != numeric(seen.host)
    slug = "identity-translated-wrong" if wrong else "identity-translated-told"
    return finding("identity", Mark.BAD if wrong else Mark.NOTE, slug, **values)


def is_private(host: str) -> bool:
    """Whether an address is good for a local network only; a name is not."""
    try:
        return ipaddress.ip_address(host).is_private
    except ValueError:
        return False


def account(line: Line) -> str:
    """Return the account's address, without a scheme."""
    return f"{line.user}@{line.account_domain}"


def _taken(evidence: Evidence) -> list[tuple[Response, Flow]]:
    """The answers to our REGISTERs that the endpoint could use."""
    unheard = {id(message) for _, _, message in evidence.dropped}
    return [one for one in evidence.answers("REGISTER") if id(one[0]) not in unheard]


def _granted(heard: list[tuple[Response, Flow]]) -> bool:
    return bool(heard) and 200 <= heard[-1][0].status < 300


def _proves(seen: Seen) -> bool:
    return any(seen.message.get(name) for name in _CREDENTIALS)


def _challenge(response: Response) -> Challenge | None:
    return find_challenge(response.values(_CHALLENGES[response.status]))


def _asked(response: Response) -> str:
    """The algorithms of challenges that we can't answer."""
    found = []
    for text in response.values(_CHALLENGES[response.status]):
        try:
            found.append(parse_challenge(text).algorithm)
        except PeerError:
            found.append(text.partition(" ")[0])
    return ", ".join(found) or "?"
