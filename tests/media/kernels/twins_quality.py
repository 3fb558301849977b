"""The statistics of a stream once more, with every packet kept."""

from dataclasses import dataclass, field


@dataclass
class QualityTwin:
    clock: int = 8000
    got: dict[int, bool] = field(default_factory=dict)  # extended number: played
    settled: list[bool] = field(default_factory=list)
    newest: int | None = None
    ssrc: int = -1
    after_jump: int = -1
    expected_before: int = 0
    lost_before: int = 0
    reordered: int = 0
    duplicate: int = 0
    discarded: int = 0
    jitter_16: int = 0
    last: tuple[int, int] | None = None
    seconds: list[tuple[int, int]] = field(default_factory=list)
    second: tuple[int, int, int] | None = None
    first: int = 0

    @property
    def expected(self) -> int:
        here = max(self.got) - min(self.got) + 1 if self.got else 0
        return self.expected_before + here

    @property
    def lost(self) -> int:
        here = max(self.got) - min(self.got) + 1 - len(self.got) if self.got else 0
        return self.lost_before + here

    @property
    def missing(self) -> int:
        """What nobody has heard: lost, or too late."""
        return self.lost + self.discarded

    def start(self, ssrc: int, numbers: dict[int, bool]) -> None:
        self.expected_before, self.lost_before = self.expected, self.lost
        self.ssrc, self.got, self.after_jump, self.last = ssrc, numbers, -1, None
        self.newest, self.first = max(numbers), max(numbers)

    def end_second(self, now: int, shortest: int) -> None:
        if self.second is not None and now - self.second[0] >= shortest:
            _, expected, missing = self.second
            self.seconds.append((max(self.missing - missing, 0), self.expected - expected))
            self.second = now, self.expected, self.missing

    def end(self, now: int) -> None:
        """The call is over: half a second is enough to be compared with whole ones."""
        self.end_second(now, 10**9 // 2)

    def packet(self, ssrc: int, sequence: int, timestamp: int, in_time: bool, now: int) -> None:
        if self.second is None:
            self.second = now, 0, 0
        else:
            self.end_second(now, 10**9)
        if self.newest is None or ssrc != self.ssrc:
            self.start(ssrc, {sequence: in_time})
        else:
            distance = (sequence - self.newest + 0x8000) % 0x10000 - 0x8000
            number = self.newest + distance
            if number in self.got and distance > -64:
                self.duplicate += 1
                return
            if 0 < distance < 3000:
                for one in range(self.newest + 1, number + 1):
                    # Numbers from before the first packet are known only once one of them comes.
                    if one - 16 >= min(self.got):
                        self.settled.append(self.got.get(one - 16, False))
                self.got[number] = in_time
                self.newest = number
                self.after_jump = -1
            elif -64 < distance < 0:
                self.got[number] = in_time
                self.reordered += 1
            elif sequence == self.after_jump:
                self.start(ssrc, {sequence: in_time, sequence - 1: True})
            else:
                self.after_jump = (sequence + 1) % 0x10000
                return
        self.discarded += not in_time
        arrival = now * self.clock // 10**9
        if self.last is not None:
            if timestamp == self.last[1]:
                return
            change = (arrival - self.last[0]) - (timestamp - self.last[1])
            change = abs((change + 2**31) % 2**32 - 2**31)
            if change < self.clock:
                self.jitter_16 += change - ((self.jitter_16 + 8) >> 4)
        self.last = arrival, timestamp

    def bursts(self) -> list[list[bool]]:
        """Stretches that begin and end with a loss, with fewer than 16 packets in between."""
        losses = [n for n, played in enumerate(self.settled) if not played]
        groups: list[list[int]] = []
        for n in losses:
            if groups and n - groups[-1][-1] <= 16:
                groups[-1].append(n)
            else:
                groups.append([n])
        return [self.settled[group[0] : group[-1] + 1] for group in groups if len(group) > 1]

    def loss_runs(self) -> int:
        before = [True, *self.settled]
        return sum(a and not b for a, b in zip(before, self.settled, strict=False))
