"""The ABNF of RFC 3261 §25.1 as regular expressions, and the limits of what is read.

Each expression stands under the rule that it implements. Every repetition that could be walked
twice is possessive, so that no input costs more than linear time.
"""

import ipaddress
import re

MAX_MESSAGE_BYTES = 65_535
"""The largest datagram that UDP can carry; a stream gets no more, so that no connection can make
the exchange buffer without end (RFC 3261 §18.1.1 asks for 65,535 bytes at least)."""

MAX_HEADERS = 256
"""Header lines per message. The longest torture message has 42; each line costs a list entry."""

MAX_CSEQ = 2**31 - 1
"""RFC 3261 §8.1.1.5: the sequence number MUST be less than 2**31."""

MAX_DELTA_SECONDS = 2**32 - 1
"""RFC 3261 §20.19: the value is between 0 and (2**32)-1 seconds."""

# token = 1*(alphanum / "-" / "." / "!" / "%" / "*" / "_" / "+" / "`" / "'" / "~" )
TOKEN = r"[A-Za-z0-9\-.!%*_+`'~]++"

# quoted-string = SWS DQUOTE *(qdtext / quoted-pair ) DQUOTE
# qdtext        = LWS / %x21 / %x23-5B / %x5D-7E / UTF8-NONASCII
# quoted-pair   = "\" (%x00-09 / %x0B-0C / %x0E-7F)
# Bytes that are no UTF-8 arrive as surrogates and are let through: phones send Latin-1 names.
QUOTED = (
    r'"(?:[\t\x20\x21\x23-\x5b\x5d-\x7e\x80-\U0010ffff]++'
    r'|\\[\x00-\x09\x0b\x0c\x0e-\x7f])*+"'
)

# gen-value = token / host / quoted-string
# Wider than the rule: any visible character that separates nothing. RFC 5118 §4.5 wants an
# IPv6 address accepted with and without brackets, and base64 with '=' occurs in tokens' place.
# An empty value is taken for a missing one.
PARAM_VALUE = r'(?:[^\x00-\x20\x7f;,"<>]*+|' + QUOTED + ")"

# LWS, after the lines have been unfolded (RFC 3261 §7.3.1)
LWS = r"[ \t]"

TOKEN_RE = re.compile(TOKEN)

# *( SEMI generic-param ), one at a time; the last alternative catches what is none of them.
PARAM_RE = re.compile(
    rf"{LWS}*+;{LWS}*+({TOKEN})(?:{LWS}*+={LWS}*+({PARAM_VALUE}))?{LWS}*+(?=;|\Z)|.", re.DOTALL
)

# One element of a comma-separated list: commas in quotes and in <> separate nothing.
LIST_ELEMENT_RE = re.compile(rf"((?:{QUOTED}|<[^<>]*+>|[^\",<>]++)*+)(,|\Z)", re.DOTALL)

# IPv4address = 1*3DIGIT "." 1*3DIGIT "." 1*3DIGIT "." 1*3DIGIT
# Narrower: RFC 3986's dec-octet. A leading zero is octal to some systems and decimal to others.
_OCTET = r"(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
IPV4_RE = re.compile(rf"{_OCTET}(?:\.{_OCTET}){{3}}")

# hostname = *( domainlabel "." ) toplabel [ "." ]
# Wider: '_' in a label and a digit first in the top label, as Docker and phones name themselves.
# is_host() checks what the pattern leaves open.
HOST = r"(?:\[[0-9A-Fa-f:.]++\]|[A-Za-z0-9_][A-Za-z0-9_.\-]*+)"
HOST_RE = re.compile(HOST)

_THREE_COLONS_RE = re.compile(r":::(?=[0-9]+\.[0-9.]+\Z)")
_PAIR_RE = re.compile(r"\\(.)", re.DOTALL)
_UNQUOTABLE_RE = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]+")


def is_token(text: str) -> bool:
    """Whether text is a token (§25.1), as methods and option tags are."""
    return TOKEN_RE.fullmatch(text) is not None


def is_host(text: str) -> bool:
    """Whether text, already matched by `HOST`, is a host name or an address (§25.1 ``host``)."""
    if text[0] == "[":
        return is_ipv6(text[1:-1])
    name = text[:-1] if text[-1] == "." else text
    if name[-1] in "0123456789" and name.rpartition(".")[2].isdigit():
        # toplabel isn't all digits, so this must be an IPv4address
        return IPV4_RE.fullmatch(text) is not None
    return not (name[-1] in "-." or ".." in name or "-." in name or ".-" in name)


def host_of(text: str) -> str:
    """The host that text, for which `is_host` is true, names: no brackets, no third colon."""
    return _THREE_COLONS_RE.sub("::", text[1:-1]) if text[0] == "[" else text


def is_ipv6(text: str) -> bool:
    """Whether text is an IPv6 address without brackets (RFC 4291).

    RFC 5118 §4.10: the grammar of RFC 3261, which RFC 5954 has corrected, puts a third colon before
    an IPv4 address; that form is taken, too.
    """
    try:
        ipaddress.IPv6Address(_THREE_COLONS_RE.sub("::", text))
    except ValueError:
        return False
    return "%" not in text


def quote(text: str) -> str:
    """Text as quoted-string; control characters, which none may hold bare, become a space."""
    text = _UNQUOTABLE_RE.sub(" ", text)
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def unquote(text: str) -> str:
    """The content of a quoted-string, or text itself where it isn't one."""
    if len(text) < 2 or text[0] != '"':
        return text
    text = text[1:-1]
    return _PAIR_RE.sub(r"\1", text) if "\\" in text else text


def parse_digits(text: str, highest: int) -> int | None:
    """The value of 1*DIGIT, ``highest + 1`` where it is greater than highest, None if no digits.

    ``int()`` alone would take other alphabets' digits and underscores, and refuse long numbers.
    """
    if not (text.isascii() and text.isdigit()):
        return None
    if len(text) > 20:
        text = text.lstrip("0")[:20] or "0"
    return min(int(text), highest + 1)
