"""Who asks for PRACK and then refuses it is offered 100rel no more (RFC 3262): phones, and lines."""

import logging

from pbx.sip.invite_uac import Outgoing
from pbx.sip.invite_usage import Usage
from pbx.sip.message import Request
from pbx.sip.usage_events import PrackRefused, UsageEvent

log = logging.getLogger(__name__)

MOST = 1000
"""Contacts that are remembered."""


class WithoutPrack:
    """Remembers such contacts and lines, until the exchange is started anew."""

    def __init__(self) -> None:
        self._contacts: dict[str, float] = {}
        self._lines: dict[str, float] = {}

    @property
    def contacts(self) -> dict[str, float]:
        """Those contacts, and when each has done so last."""
        return dict(self._contacts)

    @property
    def lines(self) -> dict[str, float]:
        """The names of those lines, and when each has done so last."""
        return dict(self._lines)

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
            if line not in self._lines:
                log.warning(
                    "line %s asks for PRACK and refuses it: it isn't offered 100rel any more; "
                    "set its prack to off",
                    line,
                )
            self._lines[line] = now
            return
        uri = usage.transaction.request.uri
        if uri not in self._contacts:
            log.warning("%s asks for PRACK and refuses it: it isn't offered 100rel any more", uri)
        if len(self._contacts) >= MOST:
            self._contacts.pop(next(iter(self._contacts)))
        self._contacts[uri] = now

    def knows(self, invite: Request, line: str) -> bool:
        """Whether an INVITE goes to such a contact, or by such a line."""
        return line in self._lines if line else invite.uri in self._contacts
