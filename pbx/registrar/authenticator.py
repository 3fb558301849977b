"""Digest authentication of local users (RFC 7616, RFC 2617, RFC 3261 §22)."""

import hashlib
import hmac
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from functools import partial

from pbx.errors import PeerError
from pbx.registrar.account import Account
from pbx.registrar.guessing import Guessing
from pbx.registrar.standing import Standing
from pbx.sip import digest
from pbx.sip.flow import Flow
from pbx.sip.message import Request
from pbx.sip.source import source_of
from pbx.sip.uri import SipUri, parse_uri

NONCE_LIFE_S = 300.0
"""How long a nonce may be used; a phone that comes later is told that it is stale."""

NONCES_REMEMBERED = 4096
"""Nonces whose counts are kept against replay; the oldest are declared stale."""

WINDOW = 64
"""Nonce counts that may arrive out of order, as UDP does it."""


NOBODY = Account("", "MD5", "")
"""A user that doesn't exist, to whom a password is as wrong as a wrong one."""


class Verdict(Enum):
    """How credentials were found."""

    GOOD = auto()
    MISSING = auto()
    STALE = auto()
    WRONG = auto()
    UNHEARD = auto()
    """They weren't looked at: too many were wrong before."""


@dataclass(slots=True)
class _Counts:
    """The nonce counts seen of one nonce: the highest, and a bit for each below it."""

    highest: int = 0
    seen: int = 0

    def fresh(self, count: int) -> bool:
        """Note `count`; False where it has been used, or is too old to tell."""
        if count > self.highest:
            # No further than the window is wide: a count may leap by 2**32
            ahead = min(count - self.highest, WINDOW)
            self.seen = ((self.seen << ahead) | 1) & ((1 << WINDOW) - 1)
            self.highest = count
            return True
        back = self.highest - count
        if count < 1 or back >= WINDOW or self.seen >> back & 1:
            return False
        self.seen |= 1 << back
        return True


class Authenticator:
    """Challenges and checks requests. Nonces carry their own time and signature.

    Args:
        realm: the protection space.
        secret: signs nonces; new at each start, so that older nonces become stale.
        account: finds a user's account by user name, None for none.
        standing: how who sends by a path, with a Call-ID, stands to a user at a time.
    """

    def __init__(
        self,
        realm: str,
        secret: bytes,
        account: Callable[[str], Account | None],
        standing: Callable[[str, Flow, str, float], Standing],
    ) -> None:
        self.realm = realm
        self._secret = secret
        self._account = account
        self._standing = standing
        self.guessing = Guessing()
        self._counts: OrderedDict[str, _Counts] = OrderedDict()
        self._serial = 0
        self._forgotten = 0

    def check(
        self, request: Request, flow: Flow, *, proxy: bool, now: float
    ) -> tuple[Verdict, str]:
        """Return how the request's credentials are, and the user that they prove.

        Args:
            request: what has come.
            flow: the path that it has come by. A nonce is good for the source alone that it was
                given to: nobody can have others' answers counted, or his own as others'.
            proxy: look at Proxy-Authorization (after 407) instead of Authorization (401).

        Raises:
            PeerError: the credentials can't be read, or are for another URI.
        """
        name = "Proxy-Authorization" if proxy else "Authorization"
        credentials = digest.find_credentials(request.all(name), self.realm)
        if credentials is None:
            return Verdict.MISSING, ""
        # A user that doesn't exist is answered as a wrong password is: numbers can't be probed.
        account = self._account(credentials.username) or NOBODY
        if self.wait_s(credentials.username, flow, request.call_id, now):
            return Verdict.UNHEARD, credentials.username
        if credentials.algorithm.upper() != account.algorithm:
            return self._wrong(credentials, account, flow, now), credentials.username
        # RFC 7616 §3.4.6: the digest must be for the resource that was asked for
        if not _same_resource(credentials.uri, request.uri):
            raise PeerError(400, "Credentials For Another URI")
        if credentials.qop not in (None, "auth"):
            raise PeerError(400, "Unsupported Quality Of Protection")
        expected = digest.response(
            account.ha1,
            request.method,
            credentials.uri,
            credentials.nonce,
            credentials.nc,
            credentials.cnonce,
            credentials.qop,
            account.algorithm,
        )
        given = credentials.response.lower().encode("utf-8", "replace")
        if not account.ha1 or not hmac.compare_digest(expected.encode(), given):
            return self._wrong(credentials, account, flow, now), credentials.username
        if not self._issued(credentials.nonce, flow, now) or not self._unused(credentials):
            return Verdict.STALE, account.number
        return Verdict.GOOD, account.number

    def wait_s(self, username: str, flow: Flow, call_id: str, now: float) -> float:
        """Return for how many seconds more credentials aren't looked at; 0 where they are.

        Args:
            username: whose they say they are.
            flow: the path that they have come by.
            call_id: the Call-ID that they have come with.
        """
        account = self._account(username) or NOBODY
        standing = partial(self._standing, account.number, flow, call_id, now)
        return self.guessing.wait_s(username, account, flow, standing, now)

    def _wrong(
        self, credentials: digest.Credentials, account: Account, flow: Flow, now: float
    ) -> Verdict:
        if not self._issued(credentials.nonce, flow, now):
            return Verdict.STALE
        self.guessing.missed(credentials.username, account, flow, now)
        return Verdict.WRONG

    def challenge(self, algorithm: str, flow: Flow, *, stale: bool, now: float) -> str:
        """Return the value of WWW-Authenticate or Proxy-Authenticate, with a new nonce.

        Args:
            algorithm: by which it is to be answered.
            flow: the path that the answer goes by.
            stale: the nonce was too old, or not ours; the password may be right.
        """
        self._serial += 1
        stamp = f"{int(now * 1000):x}.{self._serial:x}"
        return digest.challenge(
            self.realm, f"{stamp}.{self._signature(stamp, flow)}", algorithm, stale=stale
        )

    def _signature(self, stamp: str, flow: Flow) -> str:
        octets = f"{stamp} {source_of(flow.remote.host)}".encode("utf-8", "surrogateescape")
        return hmac.new(self._secret, octets, hashlib.sha256).hexdigest()[:24]

    def _issued(self, nonce: str, flow: Flow, now: float) -> bool:
        """True for a nonce that we gave to this source and that is not too old."""
        stamp, _, signature = nonce.rpartition(".")
        if not hmac.compare_digest(
            self._signature(stamp, flow).encode(), signature.encode("utf-8", "replace")
        ):
            return False
        made = int(stamp.partition(".")[0], 16) / 1000
        return now - made <= NONCE_LIFE_S

    def _unused(self, credentials: digest.Credentials) -> bool:
        """True the first time a nonce count is used (RFC 7616 §5.4); without a count, once."""
        counts = self._counts.get(credentials.nonce)
        if counts is None:
            if _serial(credentials.nonce) <= self._forgotten:
                return False
            counts = self._counts[credentials.nonce] = _Counts()
            if len(self._counts) > NONCES_REMEMBERED:
                dropped, _ = self._counts.popitem(last=False)
                self._forgotten = max(self._forgotten, _serial(dropped))
        return counts.fresh(int(credentials.nc or "1", 16))


def _serial(nonce: str) -> int:
    """The running number in a nonce that we made."""
    return int(nonce.split(".")[1], 16)


def _same_resource(credential_uri: str, request_uri: str) -> bool:
    """True where both name the same user at the same host.

    Parameters are not compared: several phones leave them out of ``uri``.
    """
    if credential_uri == request_uri:
        return True
    one, other = parse_uri(credential_uri), parse_uri(request_uri)
    if not isinstance(one, SipUri) or not isinstance(other, SipUri):
        return False
    ports = one.port, other.port
    return (one.user, one.host.lower()) == (other.user, other.host.lower()) and (
        ports[0] == ports[1] or None in ports
    )
