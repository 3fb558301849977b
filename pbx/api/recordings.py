"""The files of recorded calls for the control API: listed, and removed."""

import asyncio
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Protocol

from pbx.api import schema
from pbx.errors import CommandError
from pbx.locale import english
from pbx.recorded.folder import RecordingFile, RecordingFolder
from pbx.recorded.name import day_named


class RecordingsTarget(Protocol):
    """The part of the control API that shows and removes recordings."""

    async def listed(self, day: str, number: str, most: str) -> schema.Recordings:
        """Return the recordings, the newest first."""
        ...

    async def remove(self, file: str) -> schema.RemovedRecordings:
        """Remove a recording."""
        ...

    async def remove_before(self, day: str) -> schema.RemovedRecordings:
        """Remove the recordings of all days before one."""
        ...


class RecordedCalls:
    """The `RecordingsTarget` on a folder; it is read and written in a thread.

    Args:
        folder: of the recordings.
        running: the names of those that go on, within the folder.
    """

    def __init__(self, folder: Path, running: Callable[[], frozenset[str]]) -> None:
        self._folder = RecordingFolder(folder)
        self._running = running

    async def listed(self, day: str, number: str, most: str) -> schema.Recordings:
        """Return the recordings, the newest first.

        Args:
            day: ``YYYYMMDD`` or ``YYYY-MM-DD``, of that day only; empty for all.
            number: with this caller or called number only; empty for all.
            most: how many; empty for all.

        Raises:
            CommandError: there is no such day, `most` is no number, or the folder can't be read.
        """
        only = _day(day) if day else ""
        if most and not (most.isascii() and most.isdigit()):
            raise _refused("bad-count")
        limit = int(most[:9]) if most else None
        return await asyncio.to_thread(self._list, only, number, limit, self._running())

    async def remove(self, file: str) -> schema.RemovedRecordings:
        """Remove a recording.

        Args:
            file: its name within the folder, ``YYYYMMDD/name.wav``.

        Raises:
            CommandError: there is none of that name, it goes on, or it can't be removed.
        """
        found = await asyncio.to_thread(self._folder.find, file)
        if found is None:
            raise _refused("unknown-recording")
        if file in self._running():
            raise _refused("recording-runs")
        return await asyncio.to_thread(self._remove, [found])

    async def remove_before(self, day: str) -> schema.RemovedRecordings:
        """Remove the recordings of all days before one; what goes on stays.

        Args:
            day: ``YYYYMMDD`` or ``YYYY-MM-DD``.

        Raises:
            CommandError: there is no such day, or one of them can't be removed.
        """
        end, running = _day(day), self._running()
        return await asyncio.to_thread(
            lambda: self._remove(
                file for file in self._files() if file.name < end and file.name not in running
            )
        )

    def _files(self, day: str = "") -> Iterator[RecordingFile]:
        """Yield the recordings, the newest first."""
        try:
            for each in [day] if day else reversed(self._folder.days()):
                yield from reversed(self._folder.files(each))
        except OSError as error:
            raise _refused("recordings-unreadable", why=error.strerror or error) from error

    def _list(
        self, day: str, number: str, most: int | None, running: frozenset[str]
    ) -> schema.Recordings:
        found = [
            file for file in self._files(day) if number in ("", file.told.caller, file.told.called)
        ]
        return schema.Recordings(
            folder=str(self._folder.path.absolute()),
            total=len(found),
            octets=sum(file.octets for file in found),
            files=[
                schema.RecordedCall(
                    file=file.name,
                    begun=file.told.begun.isoformat(),
                    seconds=round(self._folder.seconds(file.name), 1),
                    octets=file.octets,
                    caller=file.told.caller,
                    called=file.told.called,
                    call=file.told.call,
                    running=file.name in running,
                )
                for file in found[:most]
            ],
        )

    def _remove(self, files: Iterable[RecordingFile]) -> schema.RemovedRecordings:
        count = octets = 0
        for file in files:
            try:
                self._folder.remove(file.name)
            except OSError as error:
                why = error.strerror or error
                raise _refused("recording-stays", file=file.name, why=why) from error
            count += 1
            octets += file.octets
        return schema.RemovedRecordings(count=count, octets=octets)


def _day(text: str) -> str:
    day = day_named(text)
    if day is None:
        raise _refused("bad-day")
    return day


def _refused(code: str, **values: object) -> CommandError:
    return CommandError(code, english(code, **values))
