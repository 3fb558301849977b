"""Header field values: lists, addresses, Via, CSeq (RFC 3261 §7.3.1, §20)."""

import enum
import re
from collections.abc import Iterable
from typing import Final, Literal, TypeAlias

import msgspec

from pbx.errors import PeerError
from pbx.sip.grammar import (
    HOST,
    LIST_ELEMENT_RE,
    LWS,
    MAX_CSEQ,
    MAX_DELTA_SECONDS,
    PARAM_RE,
    QUOTED,
    TOKEN,
    host_of,
    is_host,
    parse_digits,
    quote,
    unquote,
)
from pbx.sip.header_name import canonical_name as canonical_name
from pbx.sip.plain import PLAIN_PARAMS_RE
from pbx.sip.uri import Params, Uri, drop_param, find_param, parse_port, parse_uri, replace_params


def split_list(text: str) -> list[str]:
    """Split at commas that stand neither in quotes nor in <> (RFC 3261 §7.3.1).

    Raises:
        PeerError: 400 where a quote or an angle bracket isn't closed.
    """
    if "," not in text:
        text = text.strip(" \t")
        return [text] if text else []
    if '"' not in text and "<" not in text:
        return [part.strip(" \t") for part in text.split(",")]
    parts = []
    start = 0
    while True:
        match = LIST_ELEMENT_RE.match(text, start)
        if match is None:
            raise PeerError(400, "Unbalanced quotes or brackets")
        parts.append(match[1].strip(" \t"))
        if not match[2]:
            return parts
        start = match.end()


def parse_params(text: str) -> Params:
    """Read ``;name=value;name`` (§25.1 ``*( SEMI generic-param )``); values stay quoted.

    Raises:
        PeerError: 400 on a bad or repeated parameter.
    """
    if PLAIN_PARAMS_RE.fullmatch(text) is not None:
        params = [_named(part) for part in text[1:].split(";")]
    else:
        params = []
        # Not findall(): it would go on behind a fault, and there cost quadratic time.
        for match in PARAM_RE.finditer(text):
            name, value = match.groups("")
            if not name:
                raise PeerError(400, "Bad header parameter")
            params.append((name, value))
    # "any given parameter-name MUST NOT appear more than once" (§7.3.1)
    if len(params) > 1 and len({name.lower() for name, _ in params}) < len(params):
        raise PeerError(400, "Repeated header parameter")
    return tuple(params)


def _named(part: str) -> tuple[str, str]:
    name, _, value = part.partition("=")
    return name, value


def format_params(params: Params) -> str:
    """The opposite of `parse_params`."""
    return "".join(f";{name}={value}" if value else f";{name}" for name, value in params)


def parse_delta_seconds(text: str) -> int:
    """Read delta-seconds; what is beyond 2**32-1 counts as 2**32-1 (RFC 4475 §3.1.2.4).

    Raises:
        PeerError: 400 where it is no number.
    """
    seconds = parse_digits(text.strip(" \t"), MAX_DELTA_SECONDS)
    if seconds is None:
        raise PeerError(400, "Bad number of seconds")
    return min(seconds, MAX_DELTA_SECONDS)


class NameAddr(msgspec.Struct, frozen=True):
    """An address with display name and header parameters: From, To, Contact, Route ... (§20.10).

    Args:
        display_name: unquoted; '' for none.
        uri: the URI, without the header parameters that may follow it.
        params: header parameters such as ``tag``; quoted values with their quotes.
    """

    display_name: str
    uri: Uri
    params: Params = ()

    def __str__(self) -> str:
        name = self.display_name and quote(self.display_name) + " "
        return f"{name}<{self.uri}>{format_params(self.params)}"

    def param(self, name: str) -> str | None:
        """A header parameter's value, unquoted; '' where it has none, None where it's missing."""
        value = find_param(self.params, name) if self.params else None
        return value and unquote(value)

    @property
    def tag(self) -> str | None:
        """The tag of From or To (§19.3); None where there is none."""
        return self.param("tag") or None

    def with_params(self, *changes: tuple[str, str], **named: str) -> "NameAddr":
        """The same with these header parameters set (values as they go on the wire)."""
        changed = replace_params(self.params, (*changes, *named.items()))
        return NameAddr(self.display_name, self.uri, changed)

    def without_param(self, name: str) -> "NameAddr":
        """The same without this header parameter."""
        return NameAddr(self.display_name, self.uri, drop_param(self.params, name))


# name-addr    = [ display-name ] LAQUOT addr-spec RAQUOT
# display-name = *(token LWS)/ quoted-string
# Wider: an unquoted name may hold what separates nothing here (UTF-8, brackets), as phones send.
_NAME_ADDR_RE = re.compile(
    rf'(?:({QUOTED})|([^"<>,;:@\x00-\x08\x0a-\x1f\x7f]*+)){LWS}*+<([^<>"\s]++)>{LWS}*+(;.*+)?',
    re.DOTALL,
)
# addr-spec without brackets: "If the URI contains a comma, question mark or semicolon, the URI
# MUST be enclosed in angle brackets" (§20); so what follows a semicolon is header parameters.
_ADDR_SPEC_RE = re.compile(rf'([^<>",;?\s]++){LWS}*+(;.*+)?', re.DOTALL)


def parse_name_addr(text: str) -> NameAddr:
    """Read name-addr or addr-spec with header parameters (§20.10, §20.20, §20.39).

    Raises:
        PeerError: 400 where it fits no rule.
    """
    match = _NAME_ADDR_RE.fullmatch(text)
    if match is not None:
        quoted, plain, uri, params = match.groups()
        name = unquote(quoted) if quoted else plain.rstrip(" \t")
    else:
        match = _ADDR_SPEC_RE.fullmatch(text)
        if match is None:
            raise PeerError(400, "Bad address")
        name = ""
        uri, params = match.groups()
    return NameAddr(name, parse_uri(uri), parse_params(params) if params else ())


class Star(enum.Enum):
    """The type of `STAR`."""

    STAR = "*"


STAR: Final = Star.STAR
"""``Contact: *``, which removes all bindings (RFC 3261 §10.2.2)."""

Contacts: TypeAlias = list[NameAddr] | Literal[Star.STAR]


def parse_contact_list(values: Iterable[str]) -> Contacts:
    """Read all Contact header fields of a message (§20.10).

    Raises:
        PeerError: 400 on a bad one, or where ``*`` doesn't stand alone.
    """
    texts = [text for value in values for text in split_list(value)]
    if "*" not in texts:
        return [parse_name_addr(text) for text in texts]
    if len(texts) > 1:
        raise PeerError(400, "Contact * must stand alone")
    return STAR


class Via(msgspec.Struct, frozen=True):
    """One hop of the way a request took (RFC 3261 §20.42).

    Args:
        transport: in upper case, such as ``UDP``.
        host: the sender's name or address, IPv6 without brackets.
        port: None where the sender didn't say (5060, or 5061 for TLS).
        params: ``branch``, ``received``, ``rport`` ...; '' for one without value.
        protocol: name and version; other than SIP/2.0 only in messages that get a 505.
    """

    transport: str
    host: str
    port: int | None = None
    params: Params = ()
    protocol: str = "SIP/2.0"

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port is None else f":{self.port}"
        return f"{self.protocol}/{self.transport} {host}{port}{format_params(self.params)}"

    def param(self, name: str) -> str | None:
        """A parameter's value, '' where it has none, None where it is missing."""
        value = find_param(self.params, name)
        return value and unquote(value)

    @property
    def branch(self) -> str | None:
        """The transaction's identifier (§8.1.1.7); None in requests of RFC 2543."""
        return self.param("branch") or None

    @property
    def received(self) -> str | None:
        """The address that the server saw (§18.2.1), IPv6 without brackets (RFC 5118 §4.5)."""
        value = self.param("received")
        return value and value.strip("[]")

    @property
    def rport(self) -> str | None:
        """The port that the server saw, '' where it was only asked for (RFC 3581 §3)."""
        return self.param("rport")

    def with_params(self, *changes: tuple[str, str], **named: str) -> "Via":
        """The same with these parameters set; '' for one without value."""
        changed = replace_params(self.params, (*changes, *named.items()))
        return msgspec.structs.replace(self, params=changed)


# via-parm      = sent-protocol LWS sent-by *( SEMI via-params )
# sent-protocol = protocol-name SLASH protocol-version SLASH transport
# sent-by       = host [ COLON port ]
_VIA_RE = re.compile(
    rf"({TOKEN}){LWS}*+/{LWS}*+({TOKEN}){LWS}*+/{LWS}*+({TOKEN}){LWS}++"
    rf"({HOST})(?:{LWS}*+:{LWS}*+([0-9]++))?{LWS}*+(;.*+)?",
    re.DOTALL,
)


def parse_via(text: str) -> Via:
    """Read one Via value (§20.42).

    Raises:
        PeerError: 400 where it fits no rule.
    """
    match = _VIA_RE.fullmatch(text)
    if match is None or not is_host(match[4]):
        raise PeerError(400, "Bad Via")
    name, version, transport, host, port, params = match.groups()
    return Via(
        transport.upper(),
        host_of(host),
        None if port is None else parse_port(port),
        parse_params(params) if params else (),
        f"{name.upper()}/{version}",
    )


class CSeq(msgspec.Struct, frozen=True):
    """Sequence number and method (RFC 3261 §20.16)."""

    number: int
    method: str

    def __str__(self) -> str:
        return f"{self.number} {self.method}"


# CSeq = "CSeq" HCOLON 1*DIGIT LWS Method
_CSEQ_RE = re.compile(rf"([0-9]++){LWS}++({TOKEN})")


def parse_cseq(text: str) -> CSeq:
    """Read a CSeq value (§20.16).

    Raises:
        PeerError: 400 where it fits no rule or the number isn't below 2**31.
    """
    match = _CSEQ_RE.fullmatch(text)
    if match is None:
        raise PeerError(400, "Bad CSeq")
    digits, method = match.groups()
    number = int(digits) if len(digits) < 10 else parse_digits(digits, MAX_CSEQ)
    if number is None or number > MAX_CSEQ:
        raise PeerError(400, "CSeq number out of range")
    return CSeq(number, method)
