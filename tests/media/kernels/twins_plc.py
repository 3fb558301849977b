"""The concealer once more, in plain Python: lists, slices and one formula per idea."""

from dataclasses import dataclass, field


def clamp(value: int) -> int:
    return min(max(value, -32768), 32767)


@dataclass
class ConcealerTwin:
    """What `kernels.plc` does at one rate."""

    rate: int
    history: list[int] = field(default_factory=list)
    cycle: list[int] = field(default_factory=list)
    phase: int = 0
    missing: int = 0

    def __post_init__(self) -> None:
        self.history = [0] * self.ms(35)

    def ms(self, milliseconds: float) -> int:
        return round(self.rate * milliseconds / 1000)

    def period(self) -> int:
        step = self.rate // 8000
        if step == 1:
            return lag_of(self.history, 160, range(20, 121))
        groups = range(0, len(self.history), step)
        rough = [sum(self.history[at : at + step]) // step for at in groups]
        near = step * lag_of(rough, 160, range(20, 121))
        first = max(near - step + 1, self.ms(2.5))
        last = min(near + step - 1, self.ms(15))
        return lag_of(self.history, self.ms(20), range(first, last + 1))

    def following(self) -> int:
        sample = self.cycle[self.phase]
        self.phase = (self.phase + 1) % len(self.cycle)
        slope = 2**20 // self.ms(50)
        gain = min(max((self.ms(60) - self.missing) * slope // 32, 0), 32768)
        self.missing += 1
        return sample * gain // 32768

    def conceal(self, samples: int) -> list[int]:
        error, overlap = 0, 1
        if self.missing == 0:
            period = self.period()
            overlap = period // 4
            self.cycle, self.phase = self.history[-period:], 0
            before = self.history[-period - overlap : -period] if overlap else []
            for index, older in enumerate(before):
                share = (index + 1) * (32768 // (overlap + 1))
                at = period - overlap + index
                self.cycle[at] = (self.cycle[at] * (32768 - share) + older * share) // 32768
            error = self.history[-1] - self.history[-period - 1]
        pcm = []
        for index in range(samples):
            share = 32768 - (index + 1) * (32768 // (overlap + 1)) if index < overlap else 0
            pcm.append(clamp(self.following() + error * share // 32768))
        self.remember(pcm)
        return pcm

    def heard(self, pcm: list[int]) -> list[int]:
        pcm = list(pcm)
        if self.missing and pcm:
            blend = min(self.ms(1.25), len(pcm))
            for index in range(blend):
                share = (index + 1) * (32768 // (blend + 1))
                pcm[index] = (pcm[index] * share + self.following() * (32768 - share)) // 32768
            self.missing = 0
        self.remember(pcm)
        return pcm

    def remember(self, pcm: list[int]) -> None:
        self.history = (self.history + pcm)[-len(self.history) :]


def lag_of(sound: list[int], span: int, lags: range) -> int:
    """Return the lag at which the end of `sound` is least unlike what was before."""
    late = sound[-span:]

    def difference(lag: int) -> int:
        early = sound[-span - lag : -lag]
        return sum(abs(one - other) for one, other in zip(late, early, strict=True))

    return min(lags, key=difference)
