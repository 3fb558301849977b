"""The call-back service, sans-I/O: datagrams and times in, datagrams out; calls by `CallBacks`.

A REQUEST is answered by an ACK at once, and by a RESPONSE when both calls are over, which is sent
again until the application server says ACK, or it has been sent four times.
"""

import logging
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import cast

from pbx.call.call_back import CallBack, CallBacks, Wish
from pbx.call.cause import Cause
from pbx.callback.errors import BadRequest, Unreadable
from pbx.callback.message import Message, Result, parse_message
from pbx.callback.rare import Rare
from pbx.callback.request import id_of, wish_of
from pbx.config.callback import CallBackSettings
from pbx.sip.flow import Address
from pbx.sip.timers import TimerQueue

log = logging.getLogger(__name__)

AGAIN_S = (1.0, 2.0, 4.0)
"""After how long a RESPONSE is sent again, from the time before."""

KEPT_S = 64.0
"""How long a request that is over is remembered, for what comes again of it."""

UNNAMED_S = 5.0
"""For how long the same REQUEST without an id is the same request, if it isn't going on any more."""

MOST_KEPT = 500
"""Requests that are remembered, those that are over."""

MOST_WAITING = 1000
"""Datagrams that wait to be sent."""


@dataclass(slots=True)
class Counts:
    """What has come since the start.

    Args:
        foreign: datagrams from other addresses than the application server's.
        garbage: datagrams that are no messages.
        requests: REQUESTs that calls have been made for.
        refused: REQUESTs and CANCELs that were not carried out.
        repeated: REQUESTs that had been there before.
    """

    foreign: int = 0
    garbage: int = 0
    requests: int = 0
    refused: int = 0
    repeated: int = 0


@dataclass(slots=True, eq=False)
class _Request:
    """One that calls have been made for.

    Args:
        wish: what it asks for.
        named: it has come with an id.
        source: where it came from last.
        since: when it came first.
        back: what has become of it.
        response: the RESPONSE; empty while the calls go on.
        sent: how often that has been sent.
    """

    wish: Wish
    named: bool
    source: Address
    since: float
    back: CallBack
    response: bytes = b""
    sent: int = 0

    @property
    def key(self) -> tuple[str, str]:
        return self.source.host, self.wish.id


class CallBackService:
    """Talks with the application server.

    Args:
        calls: makes the calls.
        settings: those in force.
        tokens: fresh random names.
        epoch: when the exchange's clock was 0, in seconds since 1970.
    """

    def __init__(
        self,
        calls: CallBacks,
        settings: Callable[[], CallBackSettings],
        tokens: Callable[[], str],
        epoch: Callable[[], float],
    ) -> None:
        self.counts = Counts()
        self._calls = calls
        self._settings = settings
        self._tokens = tokens
        self._epoch = epoch
        self._timers = TimerQueue()
        self._requests: dict[tuple[str, str], _Request] = {}
        self._over: OrderedDict[tuple[str, str], None] = OrderedDict()
        self._outbox: list[tuple[bytes, Address]] = []
        self._foreign = Rare(
            "call-back: dropped what %s sends, which is not the application server; %d since I last said so"
        )
        self._garbage = Rare(
            "call-back: dropped what %s sends, which is no message; %d since I last said so"
        )
        calls.over = self._ended

    @property
    def open(self) -> int:
        """How many call-backs go on."""
        return len(self._requests) - len(self._over)

    def to_send(self) -> list[tuple[bytes, Address]]:
        """Return the datagrams to send, and to whom, once."""
        outbox, self._outbox = self._outbox, []
        return outbox

    def receive(self, data: bytes, source: Address, now: float) -> None:
        """Take a datagram.

        Args:
            data: its octets.
            source: where it came from, as the kernel says.
            now: the time.
        """
        server = self._settings().application_server
        # Before anything is looked at: whoever else it is gets no answer and leaves no trace
        if server and source.host != str(ip_address(server)):
            self.counts.foreign += 1
            self._foreign.tell(log, source.host, now)
            return
        try:
            message = parse_message(data)
        except Unreadable:
            # An answer to who knows what might be answered, too
            self.counts.garbage += 1
            self._garbage.tell(log, source.host, now)
            return
        match message.method:
            case "REQUEST":
                self._requested(message, source, now)
            case "CANCEL":
                self._cancelled(message, source, now)
            case "ACK":
                self._acknowledged(message, source)
            case _:
                self.counts.garbage += 1
                self._garbage.tell(log, source.host, now)

    def next_timer(self) -> float | None:
        """When `handle_timer` is due; None for never."""
        return self._timers.next_timer()

    def handle_timer(self, now: float) -> None:
        """Send again what nobody has acknowledged, and forget what is long over."""
        for key in self._timers.pop_due(now):
            request, name = cast(tuple[_Request, str], key)
            if name == "forget":
                self._forget(request)
            else:
                self._respond(request, now)

    # ---------------------------------------------------------------- what comes in

    def _requested(self, message: Message, source: Address, now: float) -> None:
        settings = self._settings()
        try:
            wish = wish_of(message, settings)
        except BadRequest as error:
            self._refuse(message, source, Result.NOT_UNDERSTOOD, str(error))
            return
        known = self._known(wish, source, now)
        if known is not None:
            if replace(wish, id=known.wish.id) != known.wish:
                self._refuse(message, source, Result.OTHER_REQUEST, "id-in-use")
                return
            self.counts.repeated += 1
            # Where it waits for the answer
            known.source = source
            if known.back.over and not known.response:
                self._refuse_call(known)
            else:
                self._acknowledge(known.wish.id, source)
            return
        if self.open >= settings.most:
            self._refuse(message, source, Result.TOO_MANY, "too-many-requests")
            return
        named, wish = bool(wish.id), wish if wish.id else replace(wish, id=self._tokens())
        request = _Request(wish, named, source, now, self._calls.begin(wish, now))
        self._requests[request.key] = request
        if request.back.over:
            self._keep(request, now)
            self._refuse_call(request)
            return
        self.counts.requests += 1
        self._acknowledge(wish.id, source)

    def _refuse_call(self, request: _Request) -> None:
        self.counts.refused += 1
        why = _word(request.back.cause)
        told = {"id": request.wish.id, "result": f"{Result.NO_WAY:d}", "reason": why}
        self._send(Message("ACK", told).encode(), request.source)

    def _known(self, wish: Wish, source: Address, now: float) -> _Request | None:
        """The request that a REQUEST repeats; None for none."""
        if wish.id:
            return self._requests.get((source.host, wish.id))
        for one in self._requests.values():
            same = not one.named and one.source.host == source.host
            lately = not one.back.over or now - one.since < UNNAMED_S
            if same and lately and replace(wish, id=one.wish.id) == one.wish:
                return one
        return None

    def _cancelled(self, message: Message, source: Address, now: float) -> None:
        try:
            name = id_of(message)
        except BadRequest as error:
            self._refuse(message, source, Result.NOT_UNDERSTOOD, str(error))
            return
        if not name:
            self._refuse(message, source, Result.NOT_UNDERSTOOD, "no-id")
            return
        request = self._requests.get((source.host, name))
        if request is None:
            self._refuse(message, source, Result.UNKNOWN, "unknown-id")
            return
        request.source = source
        self._acknowledge(name, source)
        if not request.back.over:
            self._calls.cancel(request.back, now)

    def _acknowledged(self, message: Message, source: Address) -> None:
        """Send a RESPONSE no more."""
        request = self._requests.get((source.host, message.params.get("id", "")))
        if request is not None and request.response:
            self._timers.cancel((request, "again"))

    # ---------------------------------------------------------------- what is sent

    def _refuse(self, message: Message, source: Address, result: Result, why: str) -> None:
        self.counts.refused += 1
        try:
            name = id_of(message)
        except BadRequest:
            # It isn't said again
            name = ""
        params = {"id": name} if name else {}
        params |= {"result": f"{result:d}", "reason": why}
        self._send(Message("ACK", params).encode(), source)

    def _acknowledge(self, name: str, source: Address) -> None:
        self._send(Message("ACK", {"id": name, "result": "0"}).encode(), source)

    def _ended(self, back: CallBack, now: float) -> None:
        """Tell that a call-back is over."""
        request = next((one for one in self._requests.values() if one.back is back), None)
        if request is None:
            return
        request.response = Message("RESPONSE", self._outcome(back)).encode()
        self._respond(request, now)
        self._keep(request, now)

    def _keep(self, request: _Request, now: float) -> None:
        """Remember a request that is over."""
        self._over[request.key] = None
        self._timers.set((request, "forget"), now + KEPT_S)
        if len(self._over) > MOST_KEPT:
            self._forget(self._requests[next(iter(self._over))])

    def _respond(self, request: _Request, now: float) -> None:
        self._send(request.response, request.source)
        if request.sent < len(AGAIN_S):
            self._timers.set((request, "again"), now + AGAIN_S[request.sent])
        request.sent += 1

    def _send(self, data: bytes, to: Address) -> None:
        if len(self._outbox) < MOST_WAITING:
            self._outbox.append((data, to))

    def _forget(self, request: _Request) -> None:
        self._timers.cancel((request, "again"))
        self._timers.cancel((request, "forget"))
        self._over.pop(request.key, None)
        self._requests.pop(request.key, None)

    def _outcome(self, back: CallBack) -> dict[str, str]:
        first, second = back.first.facts, back.second
        end = first.release if first.release is not None else first.setup
        told = {"id": back.wish.id, "result": f"{_result(back):d}"}
        for name, facts in (("cause1", first), ("cause2", second)):
            if facts is not None and facts.cause is not None:
                told[name] = f"{facts.cause.q850}"
        answers = {"answer1": first.talk, "answer2": second.talk if second is not None else None}
        told["start"] = self._iso(first.setup)
        told |= {name: self._iso(when) for name, when in answers.items() if when is not None}
        told["end"] = self._iso(end)
        told["duration"] = _whole(end, answers["answer2"])
        told["duration1"] = _whole(end, answers["answer1"])
        told["releasedby"] = back.released_by
        told["reason"] = _word(back.cause)
        return told

    def _iso(self, when: float) -> str:
        local = datetime.fromtimestamp(self._epoch() + when, UTC).astimezone()
        return local.isoformat(timespec="milliseconds")


def _result(back: CallBack) -> Result:
    if back.talked:
        return Result.DONE
    if back.released_by == "as":
        return Result.CANCELLED
    return Result.FIRST_FAILED if back.second is None else Result.SECOND_FAILED


def _whole(end: float, since: float | None) -> str:
    return "0" if since is None else f"{int(max(end - since, 0.0))}"


def _word(cause: Cause | None) -> str:
    """A callTag's name as one word."""
    return "" if cause is None else cause.tag.name.lower().replace("_", "-")
