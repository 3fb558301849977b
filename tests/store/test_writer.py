"""The thread that waits, so that nobody else does."""

import threading
from collections.abc import Callable

import pytest

from pbx.errors import MisuseError
from pbx.store.writer import Writer


class Work:
    """A writer whose duty is written by the test."""

    def __init__(self, duty: Callable[[], float | None] = lambda: None) -> None:
        self.done: list[str] = []
        self.writer = Writer("store", duty)

    def job(self, text: str) -> Callable[[], None]:
        return lambda: self.done.append(text)


class TestWriter:
    def test_jobs_in_order_and_all_before_the_end(self) -> None:
        work = Work()
        work.writer.start()
        for number in range(100):
            assert work.writer.post(work.job(str(number)))
        work.writer.close()
        assert work.done == [str(number) for number in range(100)]

    def test_closed_or_never_started_it_takes_nothing(self) -> None:
        work = Work()
        assert not work.writer.post(work.job("early"))
        work.writer.close()
        work.writer.start()
        work.writer.close()
        assert not work.writer.post(work.job("late"))
        assert work.done == []

    def test_a_bug_in_a_job_stops_no_other(self, caplog: pytest.LogCaptureFixture) -> None:
        work = Work()
        work.writer.start()
        work.writer.post(lambda: [][0])
        work.writer.post(work.job("next"))
        work.writer.close()
        assert work.done == ["next"]
        assert "IndexError" in caplog.text

    def test_it_cannot_wait_for_itself(self) -> None:
        work = Work()
        caught: list[BaseException] = []

        def close() -> None:
            try:
                work.writer.close()
            except MisuseError as error:
                caught.append(error)

        work.writer.start()
        work.writer.post(close)
        work.writer.close()
        assert len(caught) == 1


class TestDuty:
    def test_it_is_done_first_and_after_the_jobs(self) -> None:
        times: list[int] = []
        work = Work(lambda: times.append(len(work.done)))
        work.writer.start()
        work.writer.post(work.job("a"))
        work.writer.close()
        assert times[0] == 0
        assert times[-1] == 1

    def test_again_at_once_while_there_is_more(self) -> None:
        enough = threading.Event()
        pieces = iter(range(10))

        def duty() -> float | None:
            if next(pieces, None) is None:
                enough.set()
                return None
            return 0.0

        work = Work(duty)
        work.writer.start()
        assert enough.wait(10)
        work.writer.close()

    def test_at_the_end_what_is_left_but_not_for_ever(self) -> None:
        count = 0
        closing = threading.Event()

        def duty() -> float | None:
            nonlocal count
            count += closing.is_set()
            return 0.0 if closing.is_set() else None

        work = Work(duty)
        work.writer.start()
        work.writer.post(closing.set)
        work.writer.close()
        assert 1 < count < 1000

    def test_a_bug_in_it_stops_no_job(self, caplog: pytest.LogCaptureFixture) -> None:
        work = Work(lambda: 1 / 0)
        work.writer.start()
        work.writer.post(work.job("a"))
        work.writer.close()
        assert work.done == ["a"]
        assert "ZeroDivisionError" in caplog.text
