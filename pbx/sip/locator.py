"""Names and their addresses as the endpoint knows them: asked once, remembered, in order."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from pbx.sip.flow import Flow
from pbx.sip.locate import Answer, Pick, Place, Question, Record, locate
from pbx.sip.next_hop import host_of

MOST_REMEMBERED = 1000
"""Answers that are kept; the oldest gives way."""

MOST_OPEN = 64
"""Questions that may be open. A peer's Contact makes us ask, and must not make us ask for ever."""

LEAST_TTL_S, LONGEST_TTL_S = 5.0, 3600.0
"""Bounds of how long an answer holds, whatever its records say."""


class Locator:
    """Turns paths with a name into paths with addresses.

    Args:
        pick: for the weights of SRV records.
    """

    def __init__(self, pick: Pick) -> None:
        self._pick = pick
        self._answers: dict[Question, tuple[tuple[Record, ...], float]] = {}
        self._open: set[Question] = set()
        self._new: list[Question] = []

    def find(self, flow: Flow, now: float, *, tls: bool = False) -> list[Flow] | None:
        """Return the paths that lead where `flow` is to lead, the best first.

        What the peer spoke from last stays first where it is among them (RFC 3263 §4: the same
        server for the whole of a dialog). Where DNS knows nothing, that path itself is left.

        Args:
            flow: the path, with the name.
            now: the time.
            tls: see `locate`.

        Returns:
            None while questions are open: ask again after `resolved`.
        """
        if flow.named is None:
            return [flow]
        itself = replace(flow, named=None)
        missing, places = locate(flow.named, flow, self._known(now), self._pick, tls=tls)
        if missing:
            fresh = [one for one in missing if one not in self._open]
            if len(self._open) + len(fresh) > MOST_OPEN:
                return [itself]
            self._open.update(fresh)
            self._new += fresh
            return None
        name = host_of(flow.named)
        paths = [_path(place, flow, name) for place in places]
        here = flow.remote
        paths.sort(key=lambda path: (path.remote != here, path.remote.host != here.host))
        return paths or [itself]

    def questions(self) -> list[Question]:
        """Return what DNS is to be asked; each question once, and each wants its answer."""
        new, self._new = self._new, []
        return new

    def resolved(self, question: Question, answer: Answer, now: float) -> None:
        """Take an answer; one without records means that there are none, or that nobody answers."""
        self._open.discard(question)
        if len(self._answers) >= MOST_REMEMBERED:
            del self._answers[next(iter(self._answers))]
        holds_s = min(max(answer.ttl_s, LEAST_TTL_S), LONGEST_TTL_S)
        self._answers.pop(question, None)
        self._answers[question] = answer.records, now + holds_s

    def _known(self, now: float) -> Callable[[Question], Sequence[Record] | None]:
        def known(question: Question) -> Sequence[Record] | None:
            records, until = self._answers.get(question, ((), now))
            return records if until > now else None

        return known


def _path(place: Place, flow: Flow, name: str) -> Flow:
    """The path to a place: by the connection that there is already, or a new one.

    RFC 5922 §4: by TLS a peer proves the name that the URI had, not one that DNS has told.
    """
    transport, remote = place
    if flow.connection and (transport, remote.host) == (flow.transport, flow.remote.host):
        return replace(flow, named=None)
    return Flow(transport, flow.local, remote, name=name if transport == "tls" else "")
