"""Who the phone is, and at which server."""

from dataclasses import dataclass

from pbx.sip.digest import answer_challenge, find_challenge, parse_credentials
from pbx.sip.message import Request, Response
from pbx.sip.uri import SipUri


@dataclass(frozen=True, slots=True)
class Account:
    """A user of a server.

    Args:
        user: the number, which is the user name too.
        password: for digest authentication; empty for a phone without a server.
        host: the server's name or address as a person writes it, IPv6 without brackets.
        port: the server's UDP port; None: 5060.
    """

    user: str
    password: str
    host: str
    port: int | None = None

    @property
    def domain(self) -> str:
        """The server's own URI: what a REGISTER goes to."""
        return str(SipUri("sip", None, None, self.host, self.port))

    def address_of(self, number: str) -> str:
        """Return the URI of a number at this server."""
        return str(SipUri("sip", number, None, self.host, self.port))

    @property
    def address(self) -> str:
        """Our own address-of-record."""
        return self.address_of(self.user)

    def authorized(self, request: Request, response: Response, cnonce: str) -> Request | None:
        """Return the request once more, with credentials (RFC 3261 §22.2, §22.3).

        Args:
            request: what was challenged, as sent.
            response: the 401 or 407.
            cnonce: a fresh token.

        Returns:
            None where there is no challenge that we can answer, or where it was answered already:
            then the password is wrong.
        """
        asked, answer = _HEADERS[response.status]
        challenge = find_challenge(response.all(asked))
        if challenge is None or not self.password:
            return None
        others = []
        for value in request.all(answer):
            given = parse_credentials(value)
            if given.realm != challenge.realm:
                others.append((answer, value))
            elif not challenge.stale or given.nonce == challenge.nonce:
                return None
        again = Request(request.method, request.uri, _without(request, answer), request.body)
        # "the UAC [...] MUST increment the CSeq header field value" (§22.2)
        again.set("CSeq", f"{request.cseq.number + 1} {request.method}")
        credentials = answer_challenge(
            challenge,
            request.method,
            request.uri,
            self.user,
            self.password,
            cnonce=cnonce,
            body=request.body,
        )
        for name, value in (*others, (answer, str(credentials))):
            again.add(name, value)
        return again


_HEADERS = {
    401: ("WWW-Authenticate", "Authorization"),
    407: ("Proxy-Authenticate", "Proxy-Authorization"),
}

CHALLENGES = frozenset(_HEADERS)
"""The statuses that ask for credentials."""


def _without(request: Request, name: str) -> list[tuple[str, str]]:
    return [header for header in request.headers if header[0] not in (name, "Via")]
