"""SIP, SIPS and tel URIs (RFC 3261 §19.1, RFC 3966)."""

import ipaddress
import re
from collections.abc import Iterable
from functools import lru_cache
from typing import TypeAlias

import msgspec

from pbx.errors import PeerError
from pbx.sip.grammar import HOST, host_of, is_host, parse_digits

Params: TypeAlias = tuple[tuple[str, str], ...]
"""Parameters in their order: name and value; the value is empty where there is none."""

# user       = 1*( unreserved / escaped / user-unreserved )
# unreserved = alphanum / "-" / "_" / "." / "!" / "~" / "*" / "'" / "(" / ")"
# '#' is no user character, yet Grandstream phones (with "Escape '#' as %23" off) and Cisco SPA
# send feature codes such as sip:*21*100#@pbx bare.
_UNRESERVED = r"A-Za-z0-9\-_.!~*'()"
_USER = rf"[{_UNRESERVED}%&=+$,;?/#]"
_PASSWORD = rf"[{_UNRESERVED}%&=+$,]"
# paramchar = param-unreserved / unreserved / escaped
_PARAM = rf"[{_UNRESERVED}%\[\]/:&+$]"
# hname, hvalue = *( hnv-unreserved / unreserved / escaped )
_HEADER = rf"[{_UNRESERVED}%\[\]/?:+$]"

# SIP-URI = "sip:" [ userinfo ] hostport uri-parameters [ headers ]
_SIP_RE = re.compile(
    r"([sS][iI][pP][sS]?):"
    rf"(?:({_USER}++)(?::({_PASSWORD}*+))?@)?"
    rf"({HOST})(?::([0-9]++))?"
    rf"((?:;{_PARAM}++(?:={_PARAM}*+)?)*+)"
    rf"(?:\?({_HEADER}++={_HEADER}*+(?:&{_HEADER}++={_HEADER}*+)*+))?"
)
# RFC 3966 §3: telephone-uri = "tel:" telephone-subscriber; phonedigit-hex and visual separators
_TEL_RE = re.compile(
    rf"[tT][eE][lL]:(\+?[0-9A-Fa-f*#\-.()]++)((?:;[A-Za-z0-9\-]++(?:={_PARAM}*+)?)*+)"
)
_VISUAL_RE = re.compile(r"[\-.()]")
# absoluteURI = scheme ":" ( hier-part / opaque-part )
_OTHER_RE = re.compile(r"([A-Za-z][A-Za-z0-9+\-.]*+):([!#-;=?-~]++)")
_ESCAPE_RE = re.compile(r"%([0-9A-Fa-f]{2})")
_BAD_ESCAPE_RE = re.compile(r"%(?![0-9A-Fa-f]{2})")

_SAFE = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.!~*'()")
_USER_SAFE = _SAFE | frozenset("&=+$,;?/")
_PASSWORD_SAFE = _SAFE | frozenset("&=+$,")
_PARAM_SAFE = _SAFE | frozenset("[]/:&+$")
_HEADER_SAFE = _SAFE | frozenset("[]/?:+$")

# RFC 3261 §19.1.4: these never match a URI that lacks them; all others are then ignored.
_DECISIVE_PARAMS = frozenset({"user", "ttl", "method", "maddr", "transport"})


def escape(text: str, safe: frozenset[str]) -> str:
    """Text with all but the safe characters as %HH of their UTF-8 bytes (§19.1.2)."""
    if safe.issuperset(text):
        return text
    return "".join(
        chr(byte) if chr(byte) in safe else f"%{byte:02X}"
        for byte in text.encode("utf-8", "surrogateescape")
    )


def unescape(text: str) -> str:
    """Text with its %HH taken back; bytes that are no UTF-8 become surrogates."""
    if "%" not in text:
        return text
    raw = text.encode("utf-8", "surrogateescape")
    first, *rest = raw.split(b"%")
    joined = first + b"".join(bytes((int(part[:2], 16),)) + part[2:] for part in rest)
    return joined.decode("utf-8", "surrogateescape")


def find_param(params: Params, name: str) -> str | None:
    """The value of the named parameter ('' where it has none), None if it isn't there."""
    for key, value in params:
        if key == name:
            return value
    name = name.lower()
    for key, value in params:
        if key.lower() == name:
            return value
    return None


def replace_params(params: Params, changes: Iterable[tuple[str, str]]) -> Params:
    """Params with each change made in its place, or appended."""
    result = list(params)
    for name, value in changes:
        for index, (key, _) in enumerate(result):
            if key.lower() == name.lower():
                result[index] = (key, value)
                break
        else:
            result.append((name, value))
    return tuple(result)


def drop_param(params: Params, name: str) -> Params:
    """Params without the named one."""
    return tuple((key, value) for key, value in params if key.lower() != name.lower())


class SipUri(msgspec.Struct, frozen=True):
    """A SIP or SIPS URI (RFC 3261 §19.1.1), its parts unescaped.

    Args:
        scheme: ``sip`` or ``sips``.
        user: the user part, None where there is none.
        password: as RFC 3261 still allows and nobody should send.
        host: name or address, IPv6 without brackets.
        port: None where the URI doesn't say.
        params: name and value in their order; '' for a parameter without value.
        headers: the header part (``?Subject=x``), name and value in their order.
    """

    scheme: str
    user: str | None
    password: str | None
    host: str
    port: int | None = None
    params: Params = ()
    headers: Params = ()

    def __str__(self) -> str:
        user = ""
        if self.user is not None:
            user = escape(self.user, _USER_SAFE) + "@"
            if self.password is not None:
                user = f"{user[:-1]}:{escape(self.password, _PASSWORD_SAFE)}@"
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port is None else f":{self.port}"
        text = f"{self.scheme}:{user}{host}{port}"
        if not (self.params or self.headers):
            return text
        parts = [text]
        for name, value in self.params:
            parts.append(";" + escape(name, _PARAM_SAFE))
            if value:
                parts.append("=" + escape(value, _PARAM_SAFE))
        for index, (name, value) in enumerate(self.headers):
            parts.append("&" if index else "?")
            parts.append(f"{escape(name, _HEADER_SAFE)}={escape(value, _HEADER_SAFE)}")
        return "".join(parts)

    def param(self, name: str) -> str | None:
        """The value of a URI parameter, '' where it has none, None where it is missing."""
        return find_param(self.params, name) if self.params else None

    def has_param(self, name: str) -> bool:
        """Whether the URI parameter is there, such as ``lr``."""
        return self.param(name) is not None

    def with_params(self, *changes: tuple[str, str], **named: str) -> "SipUri":
        """The URI with these parameters set; '' for one without value."""
        changed = replace_params(self.params, (*changes, *named.items()))
        return msgspec.structs.replace(self, params=changed)

    def without_param(self, name: str) -> "SipUri":
        """The URI without this parameter."""
        return msgspec.structs.replace(self, params=drop_param(self.params, name))

    def address_of_record(self) -> str:
        """``user@host``, host in lower case, as bindings are kept (RFC 3261 §10.3 step 5)."""
        host = self.host.lower()
        return host if self.user is None else f"{self.user}@{host}"


class TelUri(msgspec.Struct, frozen=True):
    """A telephone number (RFC 3966).

    Args:
        number: digits, ``*`` and ``#``, a leading ``+`` where it is global; no visual separators.
        params: such as ``phone-context`` and ``ext``.
    """

    number: str
    params: Params = ()

    def __str__(self) -> str:
        return f"tel:{self.number}" + "".join(
            f";{name}={escape(value, _PARAM_SAFE)}" if value else f";{name}"
            for name, value in self.params
        )

    def param(self, name: str) -> str | None:
        """The value of a parameter, '' where it has none, None where it is missing."""
        return find_param(self.params, name)


class OtherUri(msgspec.Struct, frozen=True):
    """A URI of a scheme that SIP doesn't define; 416 is for the TU to answer (§8.2.2.1)."""

    scheme: str
    rest: str

    def __str__(self) -> str:
        return f"{self.scheme}:{self.rest}"


Uri: TypeAlias = SipUri | TelUri | OtherUri


_REMEMBERED = 128
"""Octets of a URI that is remembered when it has been read: longer ones would fill the memory."""


def parse_uri(text: str) -> Uri:
    """Read a URI (RFC 3261 §19.1.1, RFC 3966 §3).

    The last ones are remembered: a phone's stand in each of its messages, and several times there.

    Raises:
        PeerError: 400 where it fits no rule.
    """
    return _read_short(text) if len(text) <= _REMEMBERED else _read(text)


@lru_cache(maxsize=4096)
def _read_short(text: str) -> Uri:
    return _read(text)


def _read(text: str) -> Uri:
    match = _SIP_RE.fullmatch(text)
    if match is None:
        return _parse_foreign(text)
    scheme, user, password, host, port_text, param_text, header_text = match.groups()
    if "%" in text:
        if _BAD_ESCAPE_RE.search(text):
            raise PeerError(400, "Bad escape in URI")
        user = user and unescape(user)
        password = password and unescape(password)
    if not is_host(host):
        raise PeerError(400, "Bad host in URI")
    return SipUri(
        scheme.lower(),
        user,
        password,
        host_of(host),
        None if port_text is None else parse_port(port_text),
        _split_params(param_text) if param_text else (),
        _split_headers(header_text) if header_text else (),
    )


def _parse_foreign(text: str) -> TelUri | OtherUri:
    match = _TEL_RE.fullmatch(text)
    if match is not None and not _BAD_ESCAPE_RE.search(text):
        number = _VISUAL_RE.sub("", match[1])
        if number.strip("+"):
            return TelUri(number, _split_params(match[2]))
    match = _OTHER_RE.fullmatch(text)
    if match is None or match[1].lower() in ("sip", "sips", "tel"):
        raise PeerError(400, "Bad URI")
    return OtherUri(match[1], match[2])


def parse_port(text: str) -> int:
    """Read a port; PeerError 400 beyond 65535."""
    port = parse_digits(text, 65_535)
    if port is None or port > 65_535:
        raise PeerError(400, "Bad port")
    return port


def _split_params(text: str) -> Params:
    """Split ``;a=b;c``, whose form is known to be right."""
    params = []
    names = set()
    for part in text.split(";")[1:]:
        name, _, value = part.partition("=")
        name = unescape(name)
        params.append((name, unescape(value)))
        names.add(name.lower())
    # "any given parameter-name MUST NOT appear more than once" (§19.1.1)
    if len(names) < len(params):
        raise PeerError(400, "Repeated URI parameter")
    return tuple(params)


def _split_headers(text: str) -> Params:
    pairs = (part.partition("=") for part in text.split("&"))
    return tuple((unescape(name), unescape(value)) for name, _, value in pairs)


def equivalent(a: Uri, b: Uri) -> bool:
    """Whether two URIs are equal by RFC 3261 §19.1.4, or RFC 3966 §4 for tel URIs."""
    if isinstance(a, SipUri) and isinstance(b, SipUri):
        return _equivalent_sip(a, b)
    if isinstance(a, TelUri) and isinstance(b, TelUri):
        return a.number.lower() == b.number.lower() and _folded(a.params) == _folded(b.params)
    if isinstance(a, OtherUri) and isinstance(b, OtherUri):
        return a.scheme.lower() == b.scheme.lower() and a.rest == b.rest
    return False


def _equivalent_sip(a: SipUri, b: SipUri) -> bool:
    # "Comparison of the userinfo of SIP and SIPS URIs is case-sensitive." (§19.1.4) A default port
    # isn't the same as none.
    if (a.scheme, a.user, a.password, a.port) != (b.scheme, b.user, b.password, b.port):
        return False
    if not _same_host(a.host, b.host) or _folded(a.headers) != _folded(b.headers):
        return False
    ours, theirs = _folded(a.params), _folded(b.params)
    # "Any uri-parameter appearing in both URIs must match"
    if any(theirs[name] != ours[name] for name in ours.keys() & theirs.keys()):
        return False
    return not _DECISIVE_PARAMS & (ours.keys() ^ theirs.keys())


def _same_host(a: str, b: str) -> bool:
    if ":" in a and ":" in b:
        # RFC 5954 §4.2: IPv6 addresses are compared by value, not by text
        return ipaddress.IPv6Address(a) == ipaddress.IPv6Address(b)
    return a.lower() == b.lower()


def _folded(params: Params) -> dict[str, str]:
    return {name.lower(): value.lower() for name, value in params}
