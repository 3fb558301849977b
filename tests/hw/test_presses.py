"""Presses of the button: times in, actions out."""

import itertools

import pytest

from hw.button import HOLD_S, SHORT_S, TABLE, Action, Input, Position, Presses

PRESS, TELL, SHUT = (Action.LIGHT,), (Action.DARK, Action.TELL), (Action.DARK, Action.SHUT_DOWN)


def test_every_cell_of_the_table_is_there() -> None:
    assert set(TABLE) == set(itertools.product(Position, Input))


@pytest.mark.parametrize(("position", "happened"), TABLE)
def test_only_a_press_or_a_hold_does_anything_big(position: Position, happened: Input) -> None:
    leads, actions = TABLE[position, happened]
    if Action.SHUT_DOWN in actions:
        assert (position, happened, leads) == (Position.DOWN, Input.HELD, Position.SHUTTING_DOWN)
    if Action.TELL in actions:
        assert (position, happened, leads) == (Position.DOWN, Input.SHORT, Position.UP)
    if leads is None:
        assert actions == ()


def test_a_short_press_tells() -> None:
    presses = Presses()
    assert presses.press(10.0) == PRESS
    assert presses.deadline == 10.0 + HOLD_S
    assert presses.release(10.2) == TELL
    assert presses.deadline is None


def test_bouncing_contacts_tell_once() -> None:
    presses = Presses()
    done: list[Action] = []
    for at in (0.000, 0.004, 0.009):
        done += presses.press(at)
        done += presses.release(at + 0.002)
    done += presses.press(0.015)
    done += presses.press(0.016)
    done += presses.release(0.3)
    done += presses.press(0.302)
    done += presses.release(0.305)
    assert done.count(Action.TELL) == 1
    assert done[-1] is Action.DARK


def test_held_shuts_down_while_still_held_and_only_once() -> None:
    presses = Presses()
    presses.press(0.0)
    assert presses.expire(HOLD_S - 0.1) == ()
    assert presses.expire(HOLD_S) == SHUT
    assert presses.expire(HOLD_S + 1) == ()
    assert presses.release(HOLD_S + 2) == ()
    assert presses.deadline is None


def test_held_while_the_loop_was_late() -> None:
    presses = Presses()
    presses.press(0.0)
    assert presses.release(HOLD_S + 0.5) == SHUT


def test_thinking_better_of_it_does_nothing() -> None:
    presses = Presses()
    presses.press(0.0)
    assert presses.release((SHORT_S + HOLD_S) / 2) == (Action.DARK,)


def test_nothing_works_while_shutting_down_until_that_has_failed() -> None:
    presses = Presses()
    presses.press(0.0)
    presses.expire(HOLD_S)
    presses.release(4.0)
    assert presses.press(5.0) == ()
    assert presses.deadline is None
    assert presses.release(5.2) == ()
    presses.failed()
    assert presses.press(6.0) == PRESS
    assert presses.release(6.2) == TELL


def test_still_held_when_the_shutdown_fails() -> None:
    presses = Presses()
    presses.press(0.0)
    presses.expire(HOLD_S)
    presses.failed()
    assert presses.release(9.0) == ()
    assert presses.press(10.0) == PRESS


def test_held_down_since_before_the_start() -> None:
    presses = Presses()
    assert presses.release(5.0) == ()
    assert presses.position is Position.UP
