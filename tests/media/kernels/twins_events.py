"""Receiver and sender of telephone-events once more, with objects."""

from dataclasses import dataclass


@dataclass
class Tone:
    digit: int
    timestamp: int
    before: int = 0
    duration: int = 0
    is_open: bool = True


@dataclass
class ReceiverTwin:
    tone: Tone | None = None
    sequence: int = 0
    last_ns: int = 0
    ssrc: int = 0

    def packet(
        self, sequence: int, timestamp: int, marker: bool, payload: bytes, now: int, ssrc: int
    ) -> list[tuple[str, int, int]]:
        if len(payload) < 4:
            return []
        tone = self.tone
        anew = tone is None
        if tone is not None and ssrc != self.ssrc:
            if tone.is_open and now - self.last_ns < 150_000_000:
                return []
            anew = True
        elif tone is not None and (sequence - self.sequence - 1) % 65536 >= 0x7FFF:
            if now - self.last_ns < 10**9:
                return []
            anew = True
        self.sequence, self.last_ns, self.ssrc = sequence, now, ssrc
        digit, ends, duration = payload[0], payload[1] >= 0x80, int.from_bytes(payload[2:4], "big")
        happened: list[tuple[str, int, int]] = []
        next_segment = 0 if tone is None else (tone.timestamp + 65535) % 2**32
        if not anew and tone and tone.is_open and (digit, timestamp) == (tone.digit, next_segment):
            tone.before += 65535
            tone.timestamp = timestamp
        elif (
            tone is None
            or anew
            or (digit, timestamp) != (tone.digit, tone.timestamp)
            or (marker and not tone.is_open and duration < tone.duration - tone.before)
        ):
            if tone is not None and tone.is_open:
                happened.append(("ended", tone.digit, tone.duration))
            self.tone = tone = Tone(digit, timestamp)
            happened.append(("began", digit, 0))
        elif not tone.is_open:
            return []
        tone.duration = max(tone.duration, tone.before + duration)
        if ends and ("ended" not in [what for what, _, _ in happened]):
            tone.is_open = False
            happened.append(("ended", digit, tone.duration))
        return happened


def sent_packets(
    digit: int, volume: int, timestamp: int, whole: int, step: int
) -> list[tuple[int, bool, bytes]]:
    """Timestamp, marker and payload of each packet of a tone of known length."""
    durations: list[tuple[int, int]] = []
    passed, before = 0, 0
    while passed < whole:
        if passed - before == 65535:
            before = passed
        passed = min(passed + step, whole, before + 65535)
        durations.append((before, passed - before))
    result = [
        (
            (timestamp + start) % 2**32,
            number == 0,
            bytes([digit, volume]) + duration.to_bytes(2, "big"),
        )
        for number, (start, duration) in enumerate(durations)
    ]
    last_timestamp, marker, last = result[-1]
    ending = bytes([digit, volume | 0x80]) + last[2:]
    return [
        *result[:-1],
        (last_timestamp, marker, ending),
        (last_timestamp, False, ending),
        (last_timestamp, False, ending),
    ]
