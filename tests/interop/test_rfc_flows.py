"""The call flows of RFC 3665 and RFC 5359 on the running exchange, between plain phones on sockets.

Each figure is played on a clean path and, several times, on bad ones: all of them at once, some
beginning every second, on one exchange. The tests look at what has come of each.
"""

import asyncio
import itertools
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from pbx.call.cause import CallTag
from tests.interop.conftest import PASSWORD
from tests.interop.exchange import Exchange, Record
from tests.interop.flow_player import Play
from tests.interop.lossy import Weather
from tests.interop.ports import Ports
from tests.interop.waiting import until
from tests.scenarios.flows import FLOWS

pytestmark = [pytest.mark.interop, pytest.mark.timeout(240)]

WEATHER = {
    "clean": Weather(),
    "lost": Weather(lost=0.07),
    "doubled": Weather(twice=0.4),
    "reordered": Weather(late=0.2),
    "all three": Weather(lost=0.06, twice=0.15, late=0.12),
}
ROUNDS = 3
EVERY_S = 0.05
"""A figure begins so often."""

_FIRST_NUMBER = 30000
_Plays = dict[tuple[str, str], Play]


def _plays(exchange: Exchange) -> _Plays:
    plays: _Plays = {}
    for number, (kind, title) in enumerate(itertools.product(WEATHER, FLOWS)):
        flow = FLOWS[title]
        plays[kind, title] = Play(
            title,
            flow.figure,
            exchange.host,
            str(_FIRST_NUMBER + number),
            PASSWORD,
            weather=WEATHER[kind],
            seed=kind,
            unregistered=flow.unregistered,
            natted=flow.natted,
            # Whom nobody answers takes 32 s
            rounds=1 if kind == "clean" or " 3.10 " in title else ROUNDS,
        )
    return plays


async def _perform(plays: list[Play], exchange: Exchange) -> None:
    """Play all of them, and wait until no call is left."""

    async def begin(play: Play, after_s: float) -> None:
        await asyncio.sleep(after_s)
        await play.run()

    # The longest begins.
    plays = sorted(plays, key=lambda play: "3.10" not in play.title)
    await asyncio.gather(*(begin(play, EVERY_S * n) for n, play in enumerate(plays)))
    end = asyncio.get_running_loop().time() + 40
    while (await asyncio.to_thread(exchange.status)).calls:
        if asyncio.get_running_loop().time() > end:
            break
        await asyncio.sleep(0.05)
    for play in plays:
        play.ended()


@pytest.fixture(scope="module")
def exchange(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exchange]:
    """Yield an exchange for all figures at once."""
    with ExitStack() as stack:
        own = Exchange(tmp_path_factory.mktemp("flows"), stack.enter_context(Ports()), streams=600)
        stack.callback(own.close)
        own.start()
        yield own


@pytest.fixture(scope="module")
def played(exchange: Exchange) -> _Plays:
    """Return all performances, each ended."""
    plays = _plays(exchange)
    for play in plays.values():
        for number in play.numbers:
            exchange.call("user.add", number=number, password=PASSWORD)
    asyncio.run(_perform([*plays.values()], exchange))
    return plays


@pytest.fixture(scope="module")
def records(exchange: Exchange, played: _Plays) -> dict[str, list[Record]]:
    """Return the call records of each performance, by the prefix of its numbers."""
    expected = sum(len(play.records) for play in played.values())
    if not any(play.failure for play in played.values()):
        until("the call records", lambda: len(exchange.records()) >= expected)
    found: dict[str, list[Record]] = {}
    for record in exchange.records():
        found.setdefault(record["caller_number"][:5], []).append(record)
    return found


@pytest.mark.parametrize("title", FLOWS)
@pytest.mark.parametrize("kind", WEATHER)
def test_flow(kind: str, title: str, played: _Plays, records: dict[str, list[Record]]) -> None:
    play = played[kind, title]
    assert not play.failure, play.failure
    of_it = records.get(play.prefix, [])
    assert bool(of_it) == (not title.startswith("RFC 3665 2."))
    if play.records:
        causes = [(record.fci["callTag"], record.fci["cause"]) for record in of_it]
        assert causes == [(str(CallTag[tag].value), cause) for tag, cause in play.records]


def test_nothing_is_left(exchange: Exchange, played: _Plays) -> None:
    exchange.wait_idle()
    assert exchange.status().streams_free == 600
    exchange.assert_sane()
