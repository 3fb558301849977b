"""The plain form that nearly every value has: one look tells that it can be read.

A message's values are checked as it comes and read on demand (RFC 3261 §25.1 is wide; reading costs
several times as much as looking). What fits here fits the full grammar, which `headers` and `uri`
read: whatever else a value may be, is for them to judge. Everything is narrower than the rules: no
escapes, no octets beyond ASCII, at most one parameter, since a second one may repeat the first.
"""

import re
from typing import Final

from pbx.sip.grammar import IPV4_RE, TOKEN

# A name's labels are apart by '.' or '-', and the last character is a letter: no address (§25.1
# hostname).
_NAME = r"[A-Za-z0-9]++(?:[.\-][A-Za-z0-9]++)*+(?<=[A-Za-z])"
_HOST_PORT = rf"(?:{_NAME}|{IPV4_RE.pattern}(?![A-Za-z0-9_.\-]))(?::[0-9]{{1,4}})?"
_PARAM = rf";{TOKEN}(?:={TOKEN})?"
_URI = (
    rf"sips?:(?:[A-Za-z0-9\-_.!~*'()+]++@)?{_HOST_PORT}"
    r"(?:;[A-Za-z0-9\-.]++(?:=[A-Za-z0-9\-.]++)?)?"
)

PLAIN_URI_RE: Final = re.compile(_URI)
"""A SIP or SIPS URI, which `parse_uri` reads, without header part."""

PLAIN_ADDRESS_RE: Final = re.compile(
    rf'(?:"[ !#-\[\]-~]*+" ?|[A-Za-z0-9 \-._]*+)<{_URI}>(?:{_PARAM})?'
)
"""One name-addr, which `parse_name_addr` reads; no comma parts it."""

PLAIN_VIA_RE: Final = re.compile(
    rf"SIP/2\.0/[A-Z]++ {_HOST_PORT}(?:;branch={TOKEN}(?:;rport(?:=[0-9]{{1,4}})?)?)?"
)
"""One Via value, which `parse_via` reads; no comma parts it."""

PLAIN_PARAMS_RE: Final = re.compile(rf"(?:;{TOKEN}(?:={TOKEN})?)++")
"""Header parameters without quotes and spaces, which may repeat each other."""
