"""How a bench ends."""

from collections.abc import Callable

import pytest

from tests.bench import command_line


def interrupt() -> int:
    raise KeyboardInterrupt


def interrupt_and_fail() -> int:
    """What is measured has ended by the same Ctrl-C, so it can't be ended properly."""
    try:
        raise KeyboardInterrupt
    finally:
        raise ConnectionError("the exchange is gone")


@pytest.mark.parametrize(
    ("main", "code"),
    [(lambda: 0, 0), (lambda: 1, 1), (interrupt, 130), (interrupt_and_fail, 130)],
)
def test_its_exit_code(main: Callable[[], int], code: int) -> None:
    with pytest.raises(SystemExit) as left:
        command_line.leave(main)
    assert left.value.code == code


def test_a_fault_is_shown() -> None:
    with pytest.raises(ZeroDivisionError):
        command_line.leave(lambda: 1 // 0)


def test_arguments_of_other_benches_are_passed_over() -> None:
    wanted, _ = command_line.in_rounds("Relay.", [5], 3, 1.5).parse_known_args(
        ["--rounds", "7", "--listeners", "9"]
    )
    assert (wanted.calls, wanted.rounds, wanted.seconds) == ([5], 7, 1.5)
