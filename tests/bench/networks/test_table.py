"""The verdict on what was found, and the networks, which are the same every time."""

import pytest

from tests.bench.networks.judging import Figures
from tests.bench.networks.programs import ASTERISK, ASTERISK_BUFFERED, CALL, OURS, PROGRAMS
from tests.bench.networks.roads import roads
from tests.bench.networks.table import Found, markdown
from tests.media.kernels.networks import Packet


def figures(mos: float, hole_ms: float = 0.0) -> Figures:
    return Figures(1.0, 1.0, 0.0, hole_ms, 50.0, mos, mos)


def found(ours: float, plain: float, buffered: float) -> Found:
    made = Found()
    for program, mos in zip(PROGRAMS, (ours, plain, buffered), strict=True):
        made.add(CALL, "clean", program, figures(mos))
    return made


class TestVerdict:
    @pytest.mark.parametrize(
        ("ours", "plain", "buffered", "good"),
        [
            (4.0, 3.0, 3.5, True),
            (4.0, 4.05, 3.5, True),
            (4.0, 3.0, 4.05, True),
            (4.0, 4.2, 3.0, False),
            (4.0, 3.0, 4.2, False),
        ],
    )
    def test_ours_beside_the_better_of_the_others(
        self, ours: float, plain: float, buffered: float, good: bool
    ) -> None:
        table = found(ours, plain, buffered)
        assert table.good is good
        assert ("WORSE" in markdown(table)) is not good

    def test_one_bad_network_is_enough(self) -> None:
        table = found(4.0, 3.0, 3.0)
        for program, mos in ((OURS, 3.0), (ASTERISK, 4.0), (ASTERISK_BUFFERED, 2.0)):
            table.add(CALL, "loss 3 %", program, figures(mos))
        assert not table.good

    def test_what_was_not_measured_is_not_good(self) -> None:
        table = Found()
        table.add(CALL, "clean", OURS, figures(4.4))
        assert not table.good
        assert "NOT MEASURED" in markdown(table)
        assert not Found().good

    def test_seeds_are_averaged_and_the_longest_hole_stays(self) -> None:
        table = found(4.0, 3.0, 3.0)
        table.add(CALL, "clean", OURS, figures(3.0, hole_ms=80.0))
        mean = table.means(CALL, "clean")[OURS]
        assert (mean.mos, mean.hole_ms) == (3.5, 80.0)


class TestRoads:
    def arrivals(self, seed: int) -> dict[str, list[Packet]]:
        said = [(n * 20_000_000, Packet(0, n, 160 * n, b"x")) for n in range(2000)]
        return {one.name: one.path.network.carry(iter(said)) for one in roads(seed, 1.0)}

    def test_the_same_from_the_same_seed(self) -> None:
        assert self.arrivals(100) == self.arrivals(100)
        assert self.arrivals(100) != self.arrivals(200)

    def test_what_they_lose(self) -> None:
        come = {name: len(packets) / 2000 for name, packets in self.arrivals(100).items()}
        assert come["clean"] == come["outage of 200 ms"] == come["jitter ±40 ms, reordered"] == 1
        assert come["loss 3 %"] == pytest.approx(0.97, abs=0.015)
        assert come["loss 5 % in bursts of 3"] == pytest.approx(0.95, abs=0.02)
        assert come["2 % doubled"] == pytest.approx(1.02, abs=0.012)
