"""Sequence numbers once more: sets of extended numbers instead of bits (RFC 3550 A.1, A.3)."""

from dataclasses import dataclass, field

MAX_DROPOUT = 3000
MAX_MISORDER = 63


@dataclass
class SequenceTwin:
    """Loss and order of one stream, with every number kept."""

    ssrc: int = -1
    got: set[int] = field(default_factory=set)
    after_jump: int = -1
    before: int = 0
    reordered: int = 0

    @property
    def lost(self) -> int:
        here = max(self.got) - min(self.got) + 1 - len(self.got) if self.got else 0
        return self.before + here

    def start(self, ssrc: int, numbers: set[int]) -> None:
        self.before = self.lost
        self.ssrc, self.got, self.after_jump = ssrc, numbers, -1

    def packet(self, ssrc: int, sequence: int) -> None:
        if ssrc != self.ssrc:
            self.start(ssrc, {sequence})
            return
        newest = max(self.got)
        distance = (sequence - newest + 0x8000) % 0x10000 - 0x8000
        number = newest + distance
        if 0 < distance < MAX_DROPOUT:
            self.got.add(number)
            self.after_jump = -1
        elif -MAX_MISORDER < distance <= 0:
            self.reordered += number not in self.got
            self.got.add(number)
        elif sequence == self.after_jump:
            self.start(ssrc, {sequence, sequence - 1})
        else:
            self.after_jump = (sequence + 1) % 0x10000
