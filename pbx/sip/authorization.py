"""A user agent client's answers to challenges (RFC 3261 §22.2, §22.3, RFC 7616 §3.4).

Credentials are remembered for as long as a Call-ID is in use: a call's, or that of all REGISTERs.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from pbx.errors import PeerError
from pbx.sip.digest import Challenge, answer_challenge, find_challenge, parse_challenge
from pbx.sip.fields import Header
from pbx.sip.message import Request, Response

CHALLENGES = frozenset({401, 407})
"""The statuses that ask for credentials."""

ROUNDS_LIMIT = 5
"""How often one request is sent again: some proxies in a row, each with a stale nonce."""

MOST_REMEMBERED = 256
"""Call-IDs whose challenges are remembered; the one that was quiet for longest gives way."""

_MOST_OPEN = 16
"""Requests of one Call-ID that may wait for an answer to their credentials."""

_MOST_SPACES = 8
"""Protection spaces of one Call-ID that are remembered: a server names as many realms as it likes."""

_ANSWERED_BY = {
    "WWW-Authenticate": "Authorization",
    "Proxy-Authenticate": "Proxy-Authorization",
}

_Space = tuple[str, str]
"""A protection space: the header field that carries credentials for it, and its realm (§22.1)."""


@dataclass(slots=True)
class _Session:
    """An authentication session with one protection space (RFC 7616 §3.6).

    Args:
        challenge: the last one of the space.
        cnonce: ours for that nonce; -sess algorithms want the first one for all of its uses.
        count: how often the nonce has been used.
    """

    challenge: Challenge
    cnonce: str
    count: int = 0


@dataclass(slots=True)
class _Tries:
    """What has become of one request: how often it went out again, and for whom it was answered.

    Args:
        server: who has asked last; another address of its knows nothing of what was answered there.
    """

    rounds: int = 0
    answered: dict[_Space, str] = field(default_factory=dict)
    server: str = ""


@dataclass(slots=True)
class _Conversation:
    """What is known of a Call-ID; `open` holds the requests that were sent again, by their CSeq."""

    sessions: dict[_Space, _Session] = field(default_factory=dict)
    open: OrderedDict[str, _Tries] = field(default_factory=OrderedDict)


class Authorizer:
    """Answers the challenges that requests of one account meet.

    Args:
        username: in credentials; may be a whole URI, as some carriers want it.
        password: may be empty (§22.1).
        tokens: fresh random strings.
    """

    def __init__(self, username: str, password: str, tokens: Callable[[], str]) -> None:
        self._username = username
        self._password = password
        self._tokens = tokens
        self._conversations: OrderedDict[str, _Conversation] = OrderedDict()

    def __repr__(self) -> str:
        # The password is nobody's business, not even a log's.
        return f"Authorizer({self._username!r})"

    def authorize(self, request: Request) -> None:
        """Put in credentials before anybody asks, for whom has asked under this Call-ID.

        "it should incorporate credentials for that realm in all subsequent requests that contain
        the same Call-ID" (§22.3); a nonce that has become too old costs one more round.
        """
        known = self._conversations.get(request.call_id)
        if known is not None:
            self._conversations.move_to_end(request.call_id)
            _without_credentials(request)
            for space, session in known.sessions.items():
                self._add(request, space, session)

    def answer(
        self, request: Request, response: Response, number: int = 0, *, server: str = ""
    ) -> Request | None:
        """Return the request once more, with credentials; its CSeq is the next one.

        Args:
            request: what was challenged, as sent. It is left as it is.
            number: the next CSeq number, where others have been used since; 0: they haven't.
            server: who asks; of a request that stays with one server it needn't be said.
            response: the 401 or 407. One may hold challenges of several proxies and servers, of
                both kinds, when a proxy has forked (§22.3).

        Returns:
            A new request without Via, to be sent to where the old one went, with the Request-URI,
            Call-ID, From, To and Route of the old one. None where the challenge can't be answered,
            or where our answer has been refused: the account or its password is wrong.
        """
        wanted = _challenges(response)
        known = self._conversations.setdefault(request.call_id, _Conversation())
        self._conversations.move_to_end(request.call_id)
        if len(self._conversations) > MOST_REMEMBERED:
            self._conversations.popitem(last=False)
        tries = known.open.pop(str(request.cseq), None) or _Tries()
        tries.rounds += 1
        if server != tries.server:
            tries.answered.clear()
            tries.server = server
        if not wanted or tries.rounds > ROUNDS_LIMIT or not _worth_it(wanted, tries):
            known.sessions.clear()
            return None
        for space, challenge in wanted.items():
            tries.answered[space] = challenge.nonce
            session = known.sessions.pop(space, None)
            if session is None or session.challenge.nonce != challenge.nonce:
                session = _Session(challenge, self._tokens())
            else:
                # The count goes on: "if the same nc value is seen twice, then the request is a
                # replay" (RFC 7616 §3.4)
                session.challenge = challenge
            known.sessions[space] = session
        for space in [*known.sessions][:-_MOST_SPACES]:
            del known.sessions[space]
        return self._again(request, known, number or request.cseq.number + 1, tries)

    def repeat(self, request: Request) -> Request:
        """Return a request with credentials once more: its connection has ended before an answer came.

        Args:
            request: what `answer` has returned, as sent. It is left as it is.
        """
        known = self._conversations.setdefault(request.call_id, _Conversation())
        # It is no other try: what the server has seen of it, if anything, is one
        tries = known.open.pop(str(request.cseq), None) or _Tries()
        return self._again(request, known, request.cseq.number + 1, tries)

    def _again(self, request: Request, known: _Conversation, number: int, tries: _Tries) -> Request:
        again = Request(request.method, request.uri, list(request.headers), request.body)
        again.remove("Via")
        _without_credentials(again)
        # "it MUST increment the CSeq header field value as it would normally when sending an
        # updated request" (§22.2)
        again.set("CSeq", f"{number} {request.method}")
        for space, session in known.sessions.items():
            self._add(again, space, session)
        known.open[str(again.cseq)] = tries
        if len(known.open) > _MOST_OPEN:
            known.open.popitem(last=False)
        return again

    def _add(self, request: Request, space: _Space, session: _Session) -> None:
        session.count += 1
        credentials = answer_challenge(
            session.challenge,
            request.method,
            request.uri,
            self._username,
            self._password,
            cnonce=session.cnonce,
            count=session.count,
            body=request.body,
        )
        request.add(space[0], str(credentials))


def credentials_in(request: Request) -> list[Header]:
    """Return the header fields with credentials.

    "UACs creating an ACK message will duplicate all of the Authorization and Proxy-Authorization
    header field values that appeared in the INVITE to which the ACK corresponds." (§22.1)
    """
    return [header for header in request.headers if header[0] in _ANSWERED_BY.values()]


def _without_credentials(request: Request) -> None:
    for name in _ANSWERED_BY.values():
        request.remove(name)


def _challenges(response: Response) -> dict[_Space, Challenge]:
    """What a response asks for: of each space the topmost challenge that we can answer (RFC 8760)."""
    found: dict[_Space, Challenge] = {}
    for asking, answering in _ANSWERED_BY.items():
        by_realm: dict[str, list[str]] = {}
        for text in response.values(asking):
            try:
                by_realm.setdefault(parse_challenge(text).realm, []).append(text)
            except PeerError:
                continue
        for realm, texts in by_realm.items():
            challenge = find_challenge(texts)
            if challenge is not None:
                found[answering, realm] = challenge
    return found


def _worth_it(wanted: dict[_Space, Challenge], tries: _Tries) -> bool:
    """Whether none of those who ask has refused our answer.

    "A UAC MUST NOT re-attempt requests with the credentials that have just been rejected (though
    the request may be retried if the nonce was stale)." (§22.1)
    """
    return all(
        space not in tries.answered
        or (challenge.stale and challenge.nonce != tries.answered[space])
        for space, challenge in wanted.items()
    )
