"""Guessing of passwords: who answers challenges wrongly again and again isn't listened to for a while.

What is refused is the guessing. A phone with an old password in an office behind one NAT costs the
other phones there nothing: each account has a count of its own, and who is registered goes on.
"""

import logging
from collections.abc import Callable

from pbx.locale import say
from pbx.misses import Misses
from pbx.registrar.account import Account
from pbx.registrar.standing import Standing
from pbx.sip.flow import Flow
from pbx.sip.source import NETWORK_BITS, source_of

log = logging.getLogger(__name__)

WINDOW_S = 600.0
"""Within this time wrong answers are counted, and after it they are forgotten."""

MOST_OF_ACCOUNT = 10
"""Wrong answers from one source for one account."""

MOST_ACCOUNTS = 20
"""Accounts for which one source has given wrong answers."""

_LONGEST_NAME = 64
"""Characters of a user name that is counted: it is as long as its sender likes."""


class Guessing:
    """Counts the wrong answers to our challenges."""

    def __init__(self) -> None:
        self._answers = Misses(MOST_OF_ACCOUNT, WINDOW_S)
        self._accounts = Misses(MOST_ACCOUNTS, WINDOW_S)

    def missed(self, username: str, account: Account, flow: Flow, now: float) -> None:
        """Count a wrong answer to a challenge that was given to that very source."""
        source, name = source_of(flow.remote.host), username[:_LONGEST_NAME]
        count = self._answers.add((source, name, account.ha1), now)
        if count == MOST_OF_ACCOUNT:
            log.warning("%s", say("guessing-account", source=_shown(source), user=_plain(name)))
        if count == 1 and self._accounts.add(source, now) == MOST_ACCOUNTS:
            log.warning("%s", say("guessing-source", source=_shown(source)))

    def wait_s(
        self,
        username: str,
        account: Account,
        flow: Flow,
        standing: Callable[[], Standing],
        now: float,
    ) -> float:
        """Return for how many seconds more an answer isn't looked at; 0 where it is.

        Another password of the account begins anew.

        Args:
            username: whose password the answer claims to know.
            account: that user's; an empty one where there is none.
            flow: the path that it has come by.
            standing: how its sender stands to that user. A phone's are all looked at; a neighbour's
                whatever is guessed of other users.
            now: the time.
        """
        source = source_of(flow.remote.host)
        own = self._answers.wait_s((source, username[:_LONGEST_NAME], account.ha1), now)
        shared = self._accounts.wait_s(source, now)
        if not own and not shared:
            return 0.0
        match standing():
            case Standing.PHONE:
                return 0.0
            case Standing.NEIGHBOUR:
                return own
            case Standing.STRANGER:
                return max(own, shared)

    def sources(self, now: float) -> list[str]:
        """Return the sources of which some answers aren't looked at."""
        of_accounts = [str(who[0]) for who in self._answers.too_many(now) if isinstance(who, tuple)]
        return sorted(map(_shown, {*of_accounts, *map(str, self._accounts.too_many(now))}))


def _shown(source: str) -> str:
    """A source for people: by IPv6 it is a network."""
    return f"{source}/{NETWORK_BITS}" if ":" in source else source


def _plain(name: str) -> str:
    return "".join(char if char.isprintable() else "?" for char in name)
