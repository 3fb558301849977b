"""Digest access authentication, both sides (RFC 7616, RFC 2617, RFC 3261 §22.4)."""

import hashlib
import re
from collections.abc import Iterable
from typing import Final

import msgspec

from pbx.errors import MisuseError, PeerError
from pbx.sip.grammar import LWS, QUOTED, TOKEN, quote, unquote

ALGORITHMS: Final = ("MD5", "SHA-256")
"""What we can compute; each also in its ``-sess`` form (RFC 7616 §3.4.2)."""

# challenge, credentials = "Digest" LWS auth-param *( COMMA auth-param )
_SCHEME_RE = re.compile(rf"{LWS}*+({TOKEN})(?:{LWS}++(.*+))?", re.DOTALL)
# auth-param = token EQUAL ( token / quoted-string )
# Wider: what RFC 3261 §25.1 quotes is read unquoted too, and the other way round, since
# implementations disagree on qop, algorithm and stale.
_PARAM_RE = re.compile(rf'{LWS}*+({TOKEN}){LWS}*+={LWS}*+({QUOTED}|[^\s,"]++){LWS}*+(?:,|\Z)')
# nc-value = 8LHEX
_COUNT_RE = re.compile(r"[0-9A-Fa-f]{8}")


def _hash(algorithm: str, *parts: str) -> str:
    """H(): the hash of the parts, joined by colons, in hex (RFC 7616 §3.3)."""
    return _hash_bytes(algorithm, ":".join(parts).encode("utf-8", "surrogateescape"))


def _hash_bytes(algorithm: str, data: bytes) -> str:
    name = algorithm.upper().removesuffix("-SESS")
    if name == "MD5":
        return hashlib.md5(data, usedforsecurity=False).hexdigest()
    if name == "SHA-256":
        return hashlib.sha256(data).hexdigest()
    raise MisuseError(f"digest algorithm {algorithm}")


def is_supported(algorithm: str) -> bool:
    """Whether we can compute this algorithm, in any spelling."""
    return algorithm.upper().removesuffix("-SESS") in ALGORITHMS


def ha1(user: str, realm: str, password: str, algorithm: str) -> str:
    """H(A1), what is stored instead of the password (RFC 7616 §3.4.2)."""
    return _hash(algorithm, user, realm, password)


def response(
    ha1: str,
    method: str,
    uri: str,
    nonce: str,
    nc: str | None,
    cnonce: str | None,
    qop: str | None,
    algorithm: str,
    body: bytes = b"",
) -> str:
    """The request-digest in hex (RFC 7616 §3.4.1; without qop: RFC 2617 §3.2.2.1).

    Args:
        ha1: what `ha1` gives, also for a ``-sess`` algorithm.
        method: the request's method.
        uri: the uri parameter as it stands, not the Request-URI.
        nonce: the server's nonce.
        nc: eight hex digits; unused without qop.
        cnonce: the client's nonce; unused without qop, but for ``-sess``.
        qop: ``auth``, ``auth-int``, or None.
        algorithm: ``MD5`` or ``SHA-256``, perhaps with ``-sess``.
        body: what ``auth-int`` protects.
    """
    if algorithm.upper().endswith("-SESS"):
        ha1 = _hash(algorithm, ha1, nonce, cnonce or "")
    if qop is not None and qop.lower() == "auth-int":
        ha2 = _hash(algorithm, method, uri, _hash_bytes(algorithm, body))
    else:
        ha2 = _hash(algorithm, method, uri)
    if qop is None:
        return _hash(algorithm, ha1, nonce, ha2)
    return _hash(algorithm, ha1, nonce, nc or "", cnonce or "", qop, ha2)


class Challenge(msgspec.Struct, frozen=True):
    """What WWW-Authenticate and Proxy-Authenticate ask for (RFC 7616 §3.3).

    Args:
        realm: the protection space.
        nonce: the server's nonce.
        algorithm: as the server spells it; MD5 where it doesn't say.
        qop: the qualities of protection on offer; none in RFC 2069's way.
        opaque: to be sent back unchanged.
        stale: the nonce was too old, the password may be right.
    """

    realm: str
    nonce: str
    algorithm: str = "MD5"
    qop: tuple[str, ...] = ()
    opaque: str | None = None
    stale: bool = False

    def __str__(self) -> str:
        parts = [f"realm={quote(self.realm)}", f"nonce={quote(self.nonce)}"]
        if self.opaque is not None:
            parts.append(f"opaque={quote(self.opaque)}")
        if self.stale:
            parts.append("stale=true")
        parts.append(f"algorithm={self.algorithm}")
        if self.qop:
            # "a sender MUST only generate the quoted string syntax values for the following
            # parameters: realm, domain, nonce, opaque, and qop" (RFC 7616 §3.3)
            parts.append(f'qop="{",".join(self.qop)}"')
        return "Digest " + ", ".join(parts)


def challenge(
    realm: str, nonce: str, algorithm: str, *, stale: bool = False, opaque: str | None = None
) -> str:
    """The value of our WWW-Authenticate or Proxy-Authenticate: exactly one, with qop "auth".

    Two challenges in one response, as RFC 8760 wants, break baresip 1.0.0, JsSIP 3.13 and SIP.js
    0.21.
    """
    return str(Challenge(realm, nonce, algorithm, ("auth",), opaque, stale))


class Credentials(msgspec.Struct, frozen=True):
    """What Authorization and Proxy-Authorization say (RFC 7616 §3.4).

    Args:
        username: whose password it is.
        realm: the protection space.
        nonce: the server's nonce.
        uri: the resource that was asked for.
        response: the request-digest in hex.
        algorithm: MD5 where the client doesn't say.
        cnonce: the client's nonce.
        qop: ``auth`` or ``auth-int`` as the client spells it; None in RFC 2069's way.
        nc: how often the nonce has been used, eight hex digits.
        opaque: the server's, sent back.
    """

    username: str
    realm: str
    nonce: str
    uri: str
    response: str
    algorithm: str = "MD5"
    cnonce: str | None = None
    qop: str | None = None
    nc: str | None = None
    opaque: str | None = None

    def __str__(self) -> str:
        parts = [
            f"username={quote(self.username)}",
            f"realm={quote(self.realm)}",
            f"nonce={quote(self.nonce)}",
            f"uri={quote(self.uri)}",
            f"response={quote(self.response)}",
            f"algorithm={self.algorithm}",
        ]
        if self.cnonce is not None:
            parts.append(f"cnonce={quote(self.cnonce)}")
        if self.qop is not None:
            parts.append(f"qop={self.qop}")
        if self.nc is not None:
            parts.append(f"nc={self.nc}")
        if self.opaque is not None:
            parts.append(f"opaque={quote(self.opaque)}")
        return "Digest " + ", ".join(parts)


def _parse_digest(text: str) -> dict[str, str] | None:
    """The parameters, names in lower case, values unquoted; None for a scheme but Digest.

    Raises:
        PeerError: 400 where the text fits no rule or repeats a parameter.
    """
    match = _SCHEME_RE.fullmatch(text)
    if match is None:
        raise PeerError(400, "Bad authentication header field")
    if match[1].lower() != "digest":
        return None
    rest = match[2] or ""
    values: dict[str, str] = {}
    position = 0
    while position < len(rest):
        param = _PARAM_RE.match(rest, position)
        if param is None:
            raise PeerError(400, "Bad authentication parameter")
        name = param[1].lower()
        if name in values:
            raise PeerError(400, f"Repeated authentication parameter {name}")
        values[name] = unquote(param[2])
        position = param.end()
    return values


def _demand(values: dict[str, str], *names: str) -> None:
    for name in names:
        if name not in values:
            raise PeerError(400, f"Authentication parameter {name} missing")


def parse_credentials(text: str) -> Credentials:
    """Read an Authorization or Proxy-Authorization value.

    Raises:
        PeerError: 400 where the scheme isn't Digest, or the value fits no rule.
    """
    values = _parse_digest(text)
    if values is None:
        raise PeerError(400, "Authentication scheme isn't Digest")
    return _credentials(values)


def find_credentials(texts: Iterable[str], realm: str) -> Credentials | None:
    """The first Digest credentials for the realm; those of other schemes and realms don't count.

    Args:
        texts: all values of Authorization or Proxy-Authorization.
        realm: ours.

    Raises:
        PeerError: 400 where a value fits no rule.
    """
    for text in texts:
        # RFC 4475 §3.3.7: unknown schemes are as good as none, and get a challenge
        values = _parse_digest(text)
        if values is not None and values.get("realm") == realm:
            return _credentials(values)
    return None


def _credentials(values: dict[str, str]) -> Credentials:
    _demand(values, "username", "realm", "nonce", "uri", "response")
    if "qop" in values:
        # "This MUST be specified if a qop directive is sent (see above), and MUST NOT be specified
        # if the server did not send a qop directive": of cnonce and of nc (RFC 2617 §3.2.2)
        _demand(values, "nc", "cnonce")
        if not _COUNT_RE.fullmatch(values["nc"]):
            raise PeerError(400, "Bad nonce count")
    counted = "qop" in values
    return Credentials(
        values["username"],
        values["realm"],
        values["nonce"],
        values["uri"],
        values["response"],
        values.get("algorithm", "MD5"),
        values.get("cnonce"),
        values.get("qop"),
        # without qop a count isn't signed, and says nothing
        values["nc"] if counted else None,
        values.get("opaque"),
    )


def parse_challenge(text: str) -> Challenge:
    """Read a WWW-Authenticate or Proxy-Authenticate value.

    Raises:
        PeerError: 400 where the scheme isn't Digest, or the value fits no rule.
    """
    values = _parse_digest(text)
    if values is None:
        raise PeerError(400, "Authentication scheme isn't Digest")
    _demand(values, "realm", "nonce")
    return Challenge(
        values["realm"],
        values["nonce"],
        values.get("algorithm", "MD5"),
        tuple(part.strip() for part in values.get("qop", "").split(",") if part.strip()),
        values.get("opaque"),
        values.get("stale", "").lower() == "true",
    )


def find_challenge(texts: Iterable[str]) -> Challenge | None:
    """The topmost challenge that we can answer (RFC 8760 §2.4); faulty ones don't count."""
    for text in texts:
        try:
            found = parse_challenge(text)
        except PeerError:
            continue
        if is_supported(found.algorithm) and (not found.qop or _choose_qop(found) is not None):
            return found
    return None


def _choose_qop(challenge: Challenge) -> str | None:
    for wanted in ("auth", "auth-int"):
        if wanted in (offered.lower() for offered in challenge.qop):
            return wanted
    return None


def answer_challenge(
    challenge: Challenge,
    method: str,
    uri: str,
    username: str,
    password: str,
    *,
    cnonce: str,
    count: int = 1,
    body: bytes = b"",
) -> Credentials:
    """The credentials that answer a challenge (RFC 3261 §22.2, RFC 7616 §3.4).

    Args:
        challenge: what `find_challenge` gave.
        method: the request's method.
        uri: the Request-URI.
        username: the account's name.
        password: the account's password.
        cnonce: a fresh token.
        count: which use of this nonce it is, from 1.
        body: the request's body, for ``auth-int``.
    """
    qop = _choose_qop(challenge)
    session = challenge.algorithm.upper().endswith("-SESS")
    nc = None if qop is None else f"{count:08x}"
    digest = response(
        ha1(username, challenge.realm, password, challenge.algorithm),
        method,
        uri,
        challenge.nonce,
        nc,
        cnonce,
        qop,
        challenge.algorithm,
        body,
    )
    return Credentials(
        username,
        challenge.realm,
        challenge.nonce,
        uri,
        digest,
        challenge.algorithm,
        cnonce if qop is not None or session else None,
        qop,
        nc,
        challenge.opaque,
    )
