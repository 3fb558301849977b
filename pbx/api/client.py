"""Clients of the control API: a plain one for commands, an asyncio one for the console.

Both speak one call at a time on one connection.
"""

import asyncio
import itertools
import os
import socket
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec

from pbx.api.schema import (
    METHODS,
    Call,
    CallBack,
    Changes,
    Examination,
    Failure,
    Health,
    Line,
    LogLine,
    NewUser,
    Plan,
    Profile,
    Recording,
    Recordings,
    RemovedRecordings,
    ReplacedConfiguration,
    Room,
    RouteTest,
    RunningCall,
    Status,
    User,
    Welcome,
)
from pbx.errors import CommandError

__all__ = ["AsyncClient", "Client", "CommandError", "ExchangeUnreachable"]

ANSWER_LIMIT = 64 << 20
"""Octets in one answer: thousands of users with all their phones, and still an end to it."""

TIMEOUT_S = 10.0
"""How long the exchange may take to answer; a database that is away takes a while."""

CHUNK = 1 << 16


class ExchangeUnreachable(Exception):
    """The exchange does not answer.

    Args:
        key: what to tell the user: ``exchange-not-running``, ``exchange-forbidden`` (the socket is
            another group's), ``exchange-silent`` (no answer in time), ``exchange-gone`` (it closed
            the connection) or ``exchange-strange`` (what answers is no exchange).
        path: the socket that was tried.
    """

    def __init__(self, key: str, path: Path) -> None:
        super().__init__(f"{key}: {path}")
        self.key = key
        self.path = path


class _Answer(msgspec.Struct):
    """`Result` or `Failure`, as it comes; 0 is the id of an answer to no call in particular."""

    id: int
    result: msgspec.Raw = msgspec.Raw(b"")
    code: str = ""
    error: str = ""


class Client:
    """A connection to the exchange, for programs without an event loop; a context manager.

    Args:
        path: the control socket.
        timeout_s: how long to wait for each answer.

    Raises:
        ExchangeUnreachable: nobody listens there; likewise from every call when that ends.
    """

    def __init__(self, path: Path, *, timeout_s: float = TIMEOUT_S) -> None:
        self._path = path
        self._numbers = itertools.count(1)
        self._rest = b""
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(timeout_s)
        try:
            self._socket.connect(os.fspath(path))
        except OSError as error:
            self._socket.close()
            raise _unreachable(error, path) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the connection."""
        self._socket.close()

    def status(self) -> Status:
        """Return how the exchange is."""
        status: Status = self._call("status")
        return status

    def users(self) -> list[User]:
        """Return all local users."""
        users: list[User] = self._call("users")
        return users

    def calls(self) -> list[RunningCall]:
        """Return the calls that have not ended."""
        calls: list[RunningCall] = self._call("calls")
        return calls

    def hangup(self, call_id: str) -> None:
        """End a call."""
        self._call("hangup", call=call_id)

    def rooms(self) -> list[Room]:
        """Return the conference rooms with somebody in them."""
        rooms: list[Room] = self._call("rooms")
        return rooms

    def mute(self, room: str, member: str) -> None:
        """Let the others of a conference room hear a member no more.

        Args:
            member: its number, the id of its call, or ``all``.
        """
        self._call("room.mute", room=room, member=member)

    def unmute(self, room: str, member: str) -> None:
        """Let the others hear a member again; arguments as for `mute`."""
        self._call("room.unmute", room=room, member=member)

    def set_gain(self, room: str, member: str, gain_db: str) -> None:
        """Let the others hear a member so much louder than it speaks.

        Args:
            member: as for `mute`.
            gain_db: a number, as it was typed.
        """
        self._call("room.gain", room=room, member=member, gain_db=gain_db)

    def remove_member(self, room: str, member: str) -> None:
        """End a member's call; arguments as for `mute`."""
        self._call("room.remove", room=room, member=member)

    def record(self, call_id: str, *, stereo: bool = False) -> Recording:
        """Record a call from now on, both parties in one track or in a track each."""
        given = "yes" if stereo else "no"
        recording: Recording = self._call("record", call=call_id, stereo=given)
        return recording

    def stop_recording(self, call_id: str) -> None:
        """End the recording of a call."""
        self._call("record.stop", call=call_id)

    def recordings(self, *, day: str = "", number: str = "", most: int | None = None) -> Recordings:
        """Return the files of recorded calls, the newest first.

        Args:
            day: of that day only, ``YYYYMMDD`` or ``YYYY-MM-DD``.
            number: with this caller or called number only.
            most: how many.
        """
        limit = None if most is None else str(most)
        found: Recordings = self._call(
            "recordings", day=day or None, number=number or None, most=limit
        )
        return found

    def remove_recording(self, file: str) -> RemovedRecordings:
        """Remove a recording by its name within the folder."""
        removed: RemovedRecordings = self._call("recordings.remove", file=file)
        return removed

    def remove_recordings_before(self, day: str) -> RemovedRecordings:
        """Remove the recordings of all days before one, ``YYYYMMDD`` or ``YYYY-MM-DD``."""
        removed: RemovedRecordings = self._call("recordings.remove_before", day=day)
        return removed

    def add_user(self, number: str, password: str | None = None, display_name: str = "") -> NewUser:
        """Make a user; without `password`, with a random one."""
        user: NewUser = self._call(
            "user.add", number=number, password=password, display_name=display_name or None
        )
        return user

    def remove_user(self, number: str) -> None:
        """Remove a user."""
        self._call("user.remove", number=number)

    def set_password(self, number: str, password: str | None = None) -> NewUser:
        """Give a user another password; without `password`, a random one."""
        user: NewUser = self._call("user.password", number=number, password=password)
        return user

    def set_algorithm(self, number: str, algorithm: str) -> None:
        """Challenge a user with ``MD5`` or ``SHA-256`` from now on."""
        self._call("user.algorithm", number=number, algorithm=algorithm)

    def set_user(self, number: str, options: Mapping[str, object]) -> None:
        """Give a user other rights, by the names of `schema.User`."""
        self._call("user.set", number=number, options=_json(options))

    def lines(self) -> list[Line]:
        """Return all external lines and SIP trunks."""
        lines: list[Line] = self._call("lines")
        return lines

    def add_line(self, name: str, options: Mapping[str, object]) -> None:
        """Add a line with options by their names, ``kind``, ``server`` and ``password`` among them."""
        self._call("line.add", name=name, options=_json(options))

    def set_line(self, name: str, options: Mapping[str, object]) -> None:
        """Give a line other options."""
        self._call("line.set", name=name, options=_json(options))

    def remove_line(self, name: str) -> None:
        """Remove a line."""
        self._call("line.remove", name=name)

    def profiles(self) -> list[Profile]:
        """Return the provider profiles."""
        profiles: list[Profile] = self._call("line.profiles")
        return profiles

    def examine(self, line: str, number: str = "") -> Examination:
        """Let the doctor begin with a line; it calls `number` where one is given."""
        examination: Examination = self._call("doctor", name=line, number=number or None)
        return examination

    def more_of(self, examination: Examination) -> Examination:
        """Wait for more than an examination says; what is new comes after a while at the most."""
        seen = str(len(examination.findings))
        later: Examination = self._call("doctor.more", id=examination.id, after=seen)
        return later

    def stop_examination(self, examination: Examination) -> None:
        """End an examination."""
        self._call("doctor.stop", id=examination.id)

    def plan(self) -> Plan:
        """Return the dial plan."""
        plan: Plan = self._call("plan")
        return plan

    def export(self, *, secrets: bool = False) -> Plan:
        """Return the dial plan with the lines; their passwords only with `secrets`."""
        plan: Plan = self._call("plan.export", secrets="yes" if secrets else None)
        return plan

    def set_plan(self, tables: Mapping[str, object], version: int | None = None) -> None:
        """Give the dial plan other tables; with a version, unless there is a later one."""
        seen = None if version is None else str(version)
        self._call("plan.set", tables=_json(tables), version=seen)

    def configurations(self) -> list[ReplacedConfiguration]:
        """Return the configurations that gave way to another one, by number."""
        found: list[ReplacedConfiguration] = self._call("configurations")
        return found

    def restore_configuration(self, number: str) -> None:
        """Take one of them into use; the one that is in use now is kept instead."""
        self._call("configuration.restore", number=number)

    def discard_configuration(self, number: str) -> None:
        """Keep one of them no more."""
        self._call("configuration.discard", number=number)

    def callback(self) -> CallBack:
        """Return how the call-back service is."""
        callback: CallBack = self._call("callback")
        return callback

    def set_callback(self, options: Mapping[str, object]) -> None:
        """Give the call-back service other settings."""
        self._call("callback.set", options=_json(options))

    def route(self, caller: str, called: str, *, line: str = "", at: str = "") -> RouteTest:
        """Return where a number would lead, for a local user or for who calls by a line."""
        answer: RouteTest = self._call(
            "route", caller=caller, called=called, line=line or None, at=at or None
        )
        return answer

    def welcome(self) -> Welcome:
        """Return what a person needs to register the first phones."""
        welcome: Welcome = self._call("welcome")
        return welcome

    def health(self) -> Health:
        """Return how the exchange is, in a word, and what to look at."""
        health: Health = self._call("health")
        return health

    def log(self, after: int = 0) -> list[LogLine]:
        """Return the last lines of the log, those after line `after` only."""
        lines: list[LogLine] = self._call("log", after=str(after))
        return lines

    def watch(self, mark: str = "") -> Changes:
        """Wait until something has changed since `mark`, `schema.WATCH_S` at the most."""
        changes: Changes = self._call("watch", mark=mark or None)
        return changes

    def note_hardware(self, kind: str, event: str, name: str, port: str = "") -> None:
        """Tell the exchange's log what happened to a piece of hardware."""
        self._call("hardware.note", kind=kind, event=event, name=name, port=port or None)

    def _call(self, method: str, **params: str | None) -> Any:
        """Carry out one call; parameters that are None are left out.

        Raises:
            CommandError: the exchange refused.
            ExchangeUnreachable: it did not answer.
        """
        number = next(self._numbers)
        try:
            self._socket.sendall(_encode(number, method, params))
            line = self._read_line()
        except OSError as error:
            # What comes later would be taken for the answer to another call.
            self.close()
            raise _unreachable(error, self._path) from error
        return _decode(line, number, method, self._path)

    def _read_line(self) -> bytes:
        parts = [self._rest]
        size = len(self._rest)
        while b"\n" not in parts[-1]:
            part = self._socket.recv(CHUNK)
            size += len(part)
            if not part or size > ANSWER_LIMIT:
                raise ConnectionResetError
            parts.append(part)
        line, _, self._rest = b"".join(parts).partition(b"\n")
        return line


class AsyncClient:
    """A connection to the exchange on an event loop; an asynchronous context manager.

    Calls that are made at the same time are carried out one after the other.

    Args:
        path: the control socket.
        timeout_s: how long to wait for each answer.
    """

    def __init__(self, path: Path, *, timeout_s: float = TIMEOUT_S) -> None:
        self._path = path
        self._timeout_s = timeout_s
        self._numbers = itertools.count(1)
        self._turn = asyncio.Lock()
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def __aenter__(self) -> Self:
        await self.connect()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    async def connect(self) -> None:
        """Connect, also anew after the exchange was gone.

        Raises:
            ExchangeUnreachable: nobody listens there.
        """
        self.close()
        try:
            async with asyncio.timeout(self._timeout_s):
                self._streams = await asyncio.open_unix_connection(self._path, limit=ANSWER_LIMIT)
        except OSError as error:
            raise _unreachable(error, self._path) from error

    def close(self) -> None:
        """End the connection."""
        if self._streams is not None:
            self._streams[1].transport.abort()
            self._streams = None

    async def status(self) -> Status:
        """Return how the exchange is."""
        status: Status = await self._call("status")
        return status

    async def users(self) -> list[User]:
        """Return all local users."""
        users: list[User] = await self._call("users")
        return users

    async def calls(self) -> list[RunningCall]:
        """Return the calls that have not ended."""
        calls: list[RunningCall] = await self._call("calls")
        return calls

    async def hangup(self, call_id: str) -> None:
        """End a call."""
        await self._call("hangup", call=call_id)

    async def mute(self, room: str, member: str) -> None:
        """Let the others of a conference room hear a member no more; arguments as for `Client.mute`."""
        await self._call("room.mute", room=room, member=member)

    async def unmute(self, room: str, member: str) -> None:
        """Let the others hear a member again; arguments as for `Client.mute`."""
        await self._call("room.unmute", room=room, member=member)

    async def add_user(
        self, number: str, password: str | None = None, display_name: str = ""
    ) -> NewUser:
        """Make a user; without `password`, with a random one."""
        user: NewUser = await self._call(
            "user.add", number=number, password=password, display_name=display_name or None
        )
        return user

    async def remove_user(self, number: str) -> None:
        """Remove a user."""
        await self._call("user.remove", number=number)

    async def set_password(self, number: str, password: str | None = None) -> NewUser:
        """Give a user another password; without `password`, a random one."""
        user: NewUser = await self._call("user.password", number=number, password=password)
        return user

    async def set_algorithm(self, number: str, algorithm: str) -> None:
        """Challenge a user with ``MD5`` or ``SHA-256`` from now on."""
        await self._call("user.algorithm", number=number, algorithm=algorithm)

    async def set_user(self, number: str, options: Mapping[str, object]) -> None:
        """Give a user other rights, by the names of `schema.User`."""
        await self._call("user.set", number=number, options=_json(options))

    async def lines(self) -> list[Line]:
        """Return all external lines and SIP trunks."""
        lines: list[Line] = await self._call("lines")
        return lines

    async def add_line(self, name: str, options: Mapping[str, object]) -> None:
        """Add a line with options by their names, ``kind``, ``server`` and ``password`` among them."""
        await self._call("line.add", name=name, options=_json(options))

    async def set_line(self, name: str, options: Mapping[str, object]) -> None:
        """Give a line other options."""
        await self._call("line.set", name=name, options=_json(options))

    async def remove_line(self, name: str) -> None:
        """Remove a line."""
        await self._call("line.remove", name=name)

    async def profiles(self) -> list[Profile]:
        """Return the provider profiles."""
        profiles: list[Profile] = await self._call("line.profiles")
        return profiles

    async def examine(self, line: str, number: str = "") -> Examination:
        """Let the doctor begin with a line; it calls `number` where one is given."""
        examination: Examination = await self._call("doctor", name=line, number=number or None)
        return examination

    async def more_of(self, examination: Examination) -> Examination:
        """Wait for more than an examination says; what is new comes after a while at the most."""
        seen = str(len(examination.findings))
        later: Examination = await self._call("doctor.more", id=examination.id, after=seen)
        return later

    async def stop_examination(self, examination: Examination) -> None:
        """End an examination."""
        await self._call("doctor.stop", id=examination.id)

    async def plan(self) -> Plan:
        """Return the dial plan."""
        plan: Plan = await self._call("plan")
        return plan

    async def set_plan(self, tables: Mapping[str, object], version: int | None = None) -> None:
        """Give the dial plan other tables; with a version, unless there is a later one."""
        seen = None if version is None else str(version)
        await self._call("plan.set", tables=_json(tables), version=seen)

    async def callback(self) -> CallBack:
        """Return how the call-back service is."""
        callback: CallBack = await self._call("callback")
        return callback

    async def set_callback(self, options: Mapping[str, object]) -> None:
        """Give the call-back service other settings."""
        await self._call("callback.set", options=_json(options))

    async def route(self, caller: str, called: str, *, line: str = "", at: str = "") -> RouteTest:
        """Return where a number would lead, for a local user or for who calls by a line."""
        answer: RouteTest = await self._call(
            "route", caller=caller, called=called, line=line or None, at=at or None
        )
        return answer

    async def welcome(self) -> Welcome:
        """Return what a person needs to register the first phones."""
        welcome: Welcome = await self._call("welcome")
        return welcome

    async def health(self) -> Health:
        """Return how the exchange is, in a word, and what to look at."""
        health: Health = await self._call("health")
        return health

    async def log(self, after: int = 0) -> list[LogLine]:
        """Return the last lines of the log, those after line `after` only."""
        lines: list[LogLine] = await self._call("log", after=str(after))
        return lines

    async def watch(self, mark: str = "") -> Changes:
        """Wait until something has changed since `mark`, `schema.WATCH_S` at the most."""
        changes: Changes = await self._call("watch", mark=mark or None)
        return changes

    async def note_hardware(self, kind: str, event: str, name: str, port: str = "") -> None:
        """Tell the exchange's log what happened to a piece of hardware."""
        await self._call("hardware.note", kind=kind, event=event, name=name, port=port or None)

    async def _call(self, method: str, **params: str | None) -> Any:
        """Carry out one call; see `Client._call`."""
        async with self._turn:
            if self._streams is None:
                raise ExchangeUnreachable("exchange-gone", self._path)
            reader, writer = self._streams
            number = next(self._numbers)
            try:
                async with asyncio.timeout(self._timeout_s):
                    writer.write(_encode(number, method, params))
                    await writer.drain()
                    line = await reader.readuntil(b"\n")
            except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
                self.close()
                raise _unreachable(error, self._path) from error
            except asyncio.CancelledError:
                # The answer is still to come and would be taken for the next call's.
                self.close()
                raise
        return _decode(line, number, method, self._path)


def _json(values: Mapping[str, object]) -> str:
    return msgspec.json.encode(values).decode()


def _encode(number: int, method: str, params: dict[str, str | None]) -> bytes:
    given = {name: value for name, value in params.items() if value is not None}
    return msgspec.json.encode(Call(number, method, given)) + b"\n"


def _decode(line: bytes, number: int, method: str, path: Path) -> Any:
    """Return the answer in `line` to call `number` as the type that its method promises."""
    try:
        answer = msgspec.json.decode(line, type=_Answer)
        if answer.code and answer.id in (0, number):
            failure = Failure(answer.id, answer.code, answer.error)
            raise CommandError(failure.code, failure.error)
        if answer.id != number:
            raise ExchangeUnreachable("exchange-strange", path)
        return msgspec.json.decode(answer.result, type=METHODS[method])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ExchangeUnreachable("exchange-strange", path) from error


def _unreachable(error: Exception, path: Path) -> ExchangeUnreachable:
    """Say which way the exchange can't be reached."""
    if isinstance(error, TimeoutError | BlockingIOError):
        key = "exchange-silent"
    elif isinstance(error, PermissionError):
        key = "exchange-forbidden"
    elif isinstance(error, ConnectionRefusedError | FileNotFoundError | NotADirectoryError):
        key = "exchange-not-running"
    elif isinstance(error, OSError) and not isinstance(error, ConnectionError):
        # A path that is too long, a name in it that can't be: nothing runs there.
        key = "exchange-not-running"
    else:
        key = "exchange-gone"
    return ExchangeUnreachable(key, path)
