"""Who asks for PRACK and then refuses it is offered 100rel no more (RFC 3262): phones, and lines."""

import logging
from collections.abc import Callable, Iterable, Mapping

import msgspec

from pbx.config.line import Line
from pbx.sip.invite_uac import Outgoing
from pbx.sip.invite_usage import Usage
from pbx.sip.message import Request
from pbx.sip.usage_events import PrackRefused, UsageEvent

log = logging.getLogger(__name__)

MOST = 1000
"""Contacts that are remembered."""

KEPT_AS = "prack-line"
"""The kind under which lines are kept over a restart."""


class _Refusal(msgspec.Struct, frozen=True):
    """A line's refusal as it is kept over a restart.

    Args:
        line: its name.
        carrier: whose refusal it is: a line that leads elsewhere now is as good as new.
        when: since 1970, seconds.
    """

    line: str
    carrier: list[str]
    when: float


class WithoutPrack:
    """Remembers such contacts until the exchange is started anew, and such lines for good.

    A phone's Contact is another one before long, and nobody could have it tried again.

    Args:
        keep: keeps octets over a restart, by kind and name; None drops them.
        epoch: when the exchange's clock was 0, in seconds since 1970.
        lines: the lines' options in force, by name.
        kept: what `keep` was given of `KEPT_AS`.
    """

    def __init__(
        self,
        keep: Callable[[str, str, bytes | None], None] = lambda kind, name, value: None,
        epoch: Callable[[], float] = lambda: 0.0,
        lines: Callable[[], Mapping[str, Line]] = dict,
        kept: Iterable[bytes] = (),
    ) -> None:
        self._keep = keep
        self._epoch = epoch
        self._options = lines
        self._contacts: dict[str, float] = {}
        self._lines: dict[str, _Refusal] = {}
        for octets in kept:
            try:
                one = msgspec.json.decode(octets, type=_Refusal)
            except msgspec.DecodeError as error:
                log.error("a line's refusal of PRACK can't be read: %s", error)
                continue
            self._lines[one.line] = one
            if not self._stands(one.line):
                self.forget(one.line)

    @property
    def contacts(self) -> dict[str, float]:
        """Those contacts, and when each has done so last."""
        return dict(self._contacts)

    @property
    def lines(self) -> dict[str, float]:
        """The names of those lines, and when each has done so last, by the exchange's clock."""
        begun = self._epoch()
        return {name: one.when - begun for name, one in self._lines.items() if self._stands(name)}

    def learn(self, usage: Usage, line: str, events: list[UsageEvent], now: float) -> None:
        """Take note of what a called party has said.

        Args:
            usage: of its leg.
            line: by which it was called; empty for a phone of ours.
            events: what has been heard.
            now: the time.
        """
        if not isinstance(usage, Outgoing) or PrackRefused() not in events:
            return
        if line:
            if not self._stands(line):
                log.warning(
                    "line %s asks for PRACK and refuses it: it isn't offered 100rel any more; "
                    "set its prack to off",
                    line,
                )
            one = _Refusal(line, self._carrier(line), now + self._epoch())
            self._lines[line] = one
            self._keep(KEPT_AS, line, msgspec.json.encode(one))
            return
        uri = usage.transaction.request.uri
        if uri not in self._contacts:
            log.warning("%s asks for PRACK and refuses it: it isn't offered 100rel any more", uri)
        if len(self._contacts) >= MOST:
            self._contacts.pop(next(iter(self._contacts)))
        self._contacts[uri] = now

    def knows(self, invite: Request, line: str) -> bool:
        """Whether an INVITE goes to such a contact, or by such a line."""
        return self._stands(line) if line else invite.uri in self._contacts

    def forget(self, line: str) -> None:
        """Have a line tried again: its owner says that it is another one now."""
        if self._lines.pop(line, None) is not None:
            self._keep(KEPT_AS, line, None)

    def _stands(self, line: str) -> bool:
        one = self._lines.get(line)
        return one is not None and one.carrier == self._carrier(line)

    def _carrier(self, line: str) -> list[str]:
        options = self._options().get(line)
        return [] if options is None else [options.server, options.proxy, options.account_domain]
