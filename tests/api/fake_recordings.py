"""Recordings that are nowhere but in a test's memory."""

from pbx.api.schema import RecordedCall, Recordings, RemovedRecordings
from pbx.errors import CommandError
from pbx.locale import english


def recorded(file: str, caller: str, called: str, *, running: bool = False) -> RecordedCall:
    """Return a recording of a minute and a second, 2 MB."""
    day, time = file[:8], file[9:15]
    return RecordedCall(
        file=file,
        begun=f"{day[:4]}-{day[4:6]}-{day[6:]}T{time[:2]}:{time[2:4]}:{time[4:]}",
        seconds=61.4,
        octets=2_000_000,
        caller=caller,
        called=called,
        call="9f3c",
        running=running,
    )


class FakeRecordings:
    """Three recordings, the newest of which runs."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, str]] = []
        self.files = [
            recorded("20261130/183000_100_101_9f3c.wav", "100", "101", running=True),
            recorded("20261130/080000_100_*43_9f3c.wav", "100", "*43"),
            recorded("20261101/120000_102_100_9f3c.wav", "102", "100"),
        ]

    async def listed(self, day: str, number: str, most: str) -> Recordings:
        self.asked.append((day, number, most))
        found = [one for one in self.files if one.file.startswith(day)]
        found = [one for one in found if number in ("", one.caller, one.called)]
        return Recordings(
            folder="/data/record",
            total=len(found),
            octets=2_000_000 * len(found),
            files=found[: int(most) if most else None],
        )

    async def remove(self, file: str) -> RemovedRecordings:
        if file not in [one.file for one in self.files]:
            raise CommandError("unknown-recording", english("unknown-recording"))
        return self._keep([one for one in self.files if one.file != file])

    async def remove_before(self, day: str) -> RemovedRecordings:
        return self._keep([one for one in self.files if one.file >= day])

    def _keep(self, kept: list[RecordedCall]) -> RemovedRecordings:
        gone = len(self.files) - len(kept)
        self.files = kept
        return RemovedRecordings(count=gone, octets=2_000_000 * gone)
