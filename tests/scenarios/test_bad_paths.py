"""The call flows of RFC 3665 and RFC 5359 over networks that lose, double and reorder datagrams."""

import asyncio
from functools import partial

import pytest

from tests.call.office import HOME, Office
from tests.interop.flow_player import Play
from tests.interop.lossy import Weather
from tests.scenarios.flows import FLOWS
from tests.scenarios.virtual import OfficePhone, run

WEATHER = {
    "clean": Weather(),
    "lost": Weather(lost=0.2),
    "doubled": Weather(twice=0.5),
    "reordered": Weather(late=0.5),
    "all three": Weather(lost=0.1, twice=0.2, late=0.3),
}
SEEDS = (0, 1, 2, 4)
"""By 3 the first five challenges to one INVITE are lost, and then the INVITE twice: no client lives
through that."""


def play(title: str, kind: str, seed: int) -> None:
    office = Office()
    flow = FLOWS[title]
    one = Play(
        title,
        flow.figure,
        str(HOME),
        "10",
        "",
        weather=WEATHER[kind],
        seed=f"{kind} {seed}",
        unregistered=flow.unregistered,
        natted=flow.natted,
        new_phone=partial(OfficePhone, office),
    )

    async def perform() -> None:
        await one.run()
        # Until the last repetition has been answered.
        await asyncio.sleep(40)
        one.ended()

    run(office, perform())
    assert not one.failure, one.failure
    ended = [facts.cause for facts in office.ended if facts.cause is not None]
    if one.records:
        assert [(cause.tag.name, str(cause.q850)) for cause in ended] == one.records
    office.advance(700)
    office.assert_empty()


@pytest.mark.parametrize("kind", WEATHER)
@pytest.mark.parametrize("title", FLOWS)
def test_flow(title: str, kind: str) -> None:
    for seed in SEEDS if kind != "clean" else SEEDS[:1]:
        play(title, kind, seed)
