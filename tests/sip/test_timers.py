import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbx.sip.timers import T1, T4, Timer, TimerQueue, timer_duration


class TestRfc3261Table4:
    @pytest.mark.parametrize(
        ("timer", "unreliable_s", "reliable_s"),
        [
            (Timer.A, T1, None),
            (Timer.B, 64 * T1, 64 * T1),
            (Timer.D, 32.0, 0.0),
            (Timer.E, T1, None),
            (Timer.F, 64 * T1, 64 * T1),
            (Timer.G, T1, None),
            (Timer.H, 64 * T1, 64 * T1),
            (Timer.I, T4, 0.0),
            (Timer.J, 64 * T1, 0.0),
            (Timer.K, T4, 0.0),
            # RFC 6026 §7: whatever the transport
            (Timer.L, 64 * T1, 64 * T1),
            (Timer.M, 64 * T1, 64 * T1),
            # §9.1
            (Timer.CANCELLED, 64 * T1, 64 * T1),
        ],
    )
    def test_first_value(self, timer: Timer, unreliable_s: float, reliable_s: float | None) -> None:
        assert timer_duration(timer, reliable=False) == unreliable_s
        assert timer_duration(timer, reliable=True) == reliable_s

    def test_every_timer_has_a_value(self) -> None:
        for timer in Timer:
            assert timer_duration(timer, reliable=False) is not None

    @pytest.mark.parametrize(
        ("timer", "intervals_s"),
        [
            (Timer.A, [0.5, 1, 2, 4, 8, 16]),
            (Timer.E, [0.5, 1, 2, 4, 4, 4]),
            (Timer.G, [0.5, 1, 2, 4, 4, 4]),
        ],
    )
    def test_retransmission_doubles(self, timer: Timer, intervals_s: list[float]) -> None:
        last_s, seen = 0.0, []
        for _ in intervals_s:
            duration_s = timer_duration(timer, reliable=False, last_s=last_s)
            assert duration_s is not None
            seen.append(duration_s)
            last_s = duration_s
        assert seen == intervals_s


class TestTimerQueue:
    def test_fires_in_order_and_once(self) -> None:
        queue = TimerQueue()
        for key, when in (("c", 3.0), ("a", 1.0), ("b", 2.0), ("late", 9.0)):
            queue.set(key, when)
        assert queue.next_timer() == 1.0
        assert list(queue.pop_due(0.5)) == []
        assert list(queue.pop_due(3.0)) == ["a", "b", "c"]
        assert list(queue.pop_due(3.0)) == []
        assert len(queue) == 1
        assert "late" in queue
        assert queue.next_timer() == 9.0

    def test_same_time_in_the_order_of_setting(self) -> None:
        queue = TimerQueue()
        keys = [object() for _ in range(5)]
        for key in keys:
            queue.set(key, 1.0)
        assert list(queue.pop_due(1.0)) == keys

    def test_setting_again_moves(self) -> None:
        queue = TimerQueue()
        queue.set("a", 1.0)
        queue.set("a", 5.0)
        assert list(queue.pop_due(2.0)) == []
        assert queue.next_timer() == 5.0
        queue.set("a", 3.0)
        assert queue.next_timer() == 3.0

    def test_cancelled_does_not_fire(self) -> None:
        queue = TimerQueue()
        queue.set("a", 1.0)
        queue.cancel("a")
        queue.cancel("never set")
        assert "a" not in queue
        assert queue.next_timer() is None
        assert list(queue.pop_due(9.0)) == []

    def test_what_one_timer_does_to_the_others_counts(self) -> None:
        queue = TimerQueue()
        for name in ("first", "cancelled by it", "moved by it"):
            queue.set(name, 1.0)
        fired: list[object] = []
        for key in queue.pop_due(2.0):
            fired.append(key)
            if key == "first":
                queue.cancel("cancelled by it")
                queue.set("moved by it", 3.0)
                queue.set("set by it", 2.0)
        assert fired == ["first", "set by it"]
        assert queue.next_timer() == 3.0

    def test_cancelled_timers_do_not_pile_up(self) -> None:
        queue = TimerQueue()
        queue.set("stays", 7.0)
        for number in range(10_000):
            queue.set(number, 32.0)
            queue.cancel(number)
        assert len(queue._heap) < 200
        assert list(queue.pop_due(40.0)) == ["stays"]

    @given(
        st.lists(
            st.tuples(st.integers(0, 9), st.one_of(st.none(), st.integers(0, 50))), max_size=300
        )
    )
    def test_like_a_plain_dictionary(self, steps: list[tuple[int, int | None]]) -> None:
        queue, plain = TimerQueue(), dict[int, int]()
        for key, when in steps:
            if when is None:
                queue.cancel(key)
                plain.pop(key, None)
            else:
                queue.set(key, when)
                plain[key] = when
            assert queue.next_timer() == min(plain.values(), default=None)
        fired = list(queue.pop_due(25))
        assert sorted(plain[key] for key in plain if plain[key] <= 25) == [
            plain[key] for key in fired if isinstance(key, int)
        ]
