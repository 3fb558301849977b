"""Jobs in a thread of their own: in order, and never lost."""

import select
import threading
from collections.abc import Callable, Iterator

import pytest

from pbx.media.engine.background import Background
from tests.media.engine_process import until


@pytest.fixture
def background() -> Iterator[Background]:
    made = Background("test")
    yield made
    made.close()


def finished(background: Background, said: list[str], count: int) -> list[str]:
    """Go on, as the main thread does, until so much has been said."""

    def look() -> bool:
        if select.select([background.fd], [], [], 0)[0]:
            background.finish()
        return len(said) >= count

    until(look)
    return said


class TestJobs:
    def test_in_order_and_after_them_here(self, background: Background) -> None:
        said: list[str] = []
        here = threading.get_ident()

        def job(number: int) -> Callable[[], None]:
            assert threading.get_ident() != here
            return lambda: said.append(f"{number} {threading.get_ident() == here}")

        for number in range(50):
            background.submit(lambda number=number: job(number), said.append)  # type: ignore[misc]
        assert finished(background, said, 50) == [f"{number} True" for number in range(50)]

    def test_one_that_fails_says_why_and_others_go_on(self, background: Background) -> None:
        said: list[str] = []

        def fail() -> Callable[[], None]:
            raise OSError(28, "No space left on device")

        def fail_silently() -> Callable[[], None]:
            raise MemoryError

        background.submit(fail, lambda why: said.append(f"failed: {why}"))
        background.submit(fail_silently, lambda why: said.append(f"failed: {why}"))
        background.submit(lambda: lambda: said.append("done"), said.append)
        assert finished(background, said, 3) == [
            "failed: [Errno 28] No space left on device",
            "failed: MemoryError",
            "done",
        ]

    def test_nothing_to_finish(self, background: Background) -> None:
        background.finish()
        assert select.select([background.fd], [], [], 0)[0] == []

    def test_close_waits_for_what_has_been_given(self) -> None:
        background = Background("test")
        gate, written = threading.Event(), []

        def job() -> Callable[[], None]:
            gate.wait(10)
            written.append(1)
            return lambda: None

        background.submit(job, written.append)  # type: ignore[arg-type]
        background.submit(job, written.append)  # type: ignore[arg-type]
        gate.set()
        background.close()
        assert written == [1, 1]
