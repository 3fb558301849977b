"""The table of what a line does about its server: every cell is there, and its rules hold."""

import itertools

import pytest

from pbx.lines.link_table import IGNORE, TABLE, LinkAction, LinkInput
from pbx.lines.state import Phase

CELLS = list(itertools.product(Phase, LinkInput))

ENDINGS = {LinkAction.LOCATE, LinkAction.SEND, LinkAction.SEND_FAREWELL, LinkAction.END}


@pytest.mark.parametrize(("phase", "what"), CELLS)
def test_every_cell_is_there(phase: Phase, what: LinkInput) -> None:
    row = TABLE[phase, what]
    assert row is IGNORE or row.phase is not None
    # What leads to the next input comes last.
    assert not ENDINGS & set(row.actions[:-1])


def test_there_are_no_others() -> None:
    assert set(TABLE) == set(CELLS)


@pytest.mark.parametrize("what", LinkInput)
def test_what_is_off_only_begins_anew(what: LinkInput) -> None:
    row = TABLE[Phase.OFF, what]
    assert (row is not IGNORE) == (what is LinkInput.START)


@pytest.mark.parametrize("phase", [phase for phase in Phase if phase is not Phase.OFF])
def test_from_everywhere_there_is_a_way_to_the_end(phase: Phase) -> None:
    seen, reached = {phase}, [phase]
    while reached:
        here = reached.pop()
        for what in (LinkInput.STOP, LinkInput.LEAVE, LinkInput.FAILED, LinkInput.DUE):
            there = TABLE[here, what].phase
            if there is not None and there not in seen:
                seen.add(there)
                reached.append(there)
    assert Phase.OFF in seen


@pytest.mark.parametrize(("phase", "what"), CELLS)
def test_who_is_down_is_tried_again_and_nobody_else_waits(phase: Phase, what: LinkInput) -> None:
    row = TABLE[phase, what]
    goes_down = row.phase is Phase.DOWN
    assert (LinkAction.BACK_OFF in row.actions) == goes_down
    assert (LinkAction.HOLD in row.actions) == (row.phase is Phase.UP)
