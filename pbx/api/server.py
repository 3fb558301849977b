"""The control API's server: JSON lines over a Unix socket.

Each connection is one task of its own and answers its calls in their order, so a client that
stalls, vanishes or sends garbage holds up nobody but itself.
"""

import asyncio
import contextlib
import errno
import logging
import os
import socket
import stat
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import msgspec

from pbx.api.configuring import ConfiguringTarget
from pbx.api.examining import ExaminingTarget
from pbx.api.recordings import RecordingsTarget
from pbx.api.rooms import RoomsTarget
from pbx.api.schema import (
    LINE_LIMIT,
    Call,
    Changes,
    Failure,
    Health,
    LogLine,
    NewUser,
    Recording,
    Result,
    RunningCall,
    Status,
    User,
    Welcome,
)
from pbx.errors import CommandError, StartError
from pbx.locale import english, say

log = logging.getLogger(__name__)

PATH_LIMIT = 107
"""Octets in a Unix socket's path: `sun_path` of unix(7) less its closing NUL."""

CLIENTS_LIMIT = 64
"""Clients at a time: a client that leaks connections must not take the phones' file descriptors."""

WRITE_TIMEOUT_S = 10.0
"""How long a client may leave an answer unread; then it is cut off."""

SOCKET_MODE = 0o660
"""The group of the socket's folder may use the exchange, others not."""

UNREADABLE = frozenset({"bad-request", "line-too-long"})
"""Failures that no call is named in."""

EX_UNAVAILABLE = 69
EX_CANTCREAT = 73


class ControlTarget(Protocol):
    """What the control API controls.

    Every method may raise `CommandError`, which the client gets as code and sentence.
    """

    @property
    def configuring(self) -> ConfiguringTarget:
        """What changes lines, dial plan and rights."""
        ...

    @property
    def examining(self) -> ExaminingTarget:
        """What examines lines, and knows providers."""
        ...

    @property
    def recordings(self) -> RecordingsTarget:
        """What shows and removes the files of recorded calls."""
        ...

    @property
    def rooms(self) -> RoomsTarget:
        """What shows conference rooms, and rules in them."""
        ...

    def status(self) -> Status:
        """Return how the exchange is."""
        ...

    def users(self) -> list[User]:
        """Return all local users."""
        ...

    async def calls(self) -> list[RunningCall]:
        """Return the calls that have not ended."""
        ...

    def hangup(self, call_id: str) -> None:
        """End the call `call_id`."""
        ...

    async def record(self, call_id: str, *, stereo: bool) -> Recording:
        """Record a call from now on: both parties in one track, or in a track each."""
        ...

    def stop_recording(self, call_id: str) -> None:
        """End the recording of a call."""
        ...

    async def add_user(self, number: str, password: str | None, display_name: str) -> NewUser:
        """Make a user; without `password`, with a random one."""
        ...

    async def remove_user(self, number: str) -> None:
        """Remove a user and what it has registered."""
        ...

    async def set_password(self, number: str, password: str | None) -> NewUser:
        """Give a user another password; without `password`, a random one."""
        ...

    async def set_algorithm(self, number: str, algorithm: str) -> None:
        """Challenge a user with ``MD5`` or ``SHA-256`` from now on."""
        ...

    def welcome(self) -> Welcome:
        """Return what a person needs to register the first phones."""
        ...

    def health(self) -> Health:
        """Return how the exchange is, in a word, and what to look at."""
        ...

    def log(self, after: str) -> list[LogLine]:
        """Return the log's last lines, those after line `after` only."""
        ...

    async def watch(self, mark: str) -> Changes:
        """Wait until something has changed since `mark`, `schema.WATCH_S` at the most."""
        ...

    def note_hardware(self, kind: str, event: str, name: str, port: str) -> None:
        """Tell the log what happened to a piece of hardware."""
        ...


@dataclass(frozen=True, slots=True)
class _Method:
    """How one method is carried out, with the parameters that it must and may have."""

    carry_out: Callable[[dict[str, str]], object]
    required: frozenset[str] = frozenset()
    optional: frozenset[str] = frozenset()


class _Identity(msgspec.Struct):
    """As much of a call as its answer needs."""

    id: int = 0


class ControlServer:
    """Serves a `ControlTarget` to the clients of one Unix socket.

    Codes of its own failures: ``bad-request``, ``unknown-method``, ``unknown-parameter``,
    ``missing-parameter``, ``empty-parameter``, ``line-too-long``, ``too-many-clients``,
    ``internal``.

    Args:
        target: what carries out the calls.
        path: the socket's path.
        clients_limit: connections at a time.
        write_timeout_s: how long a client may leave an answer unread.
    """

    def __init__(
        self,
        target: ControlTarget,
        path: Path,
        *,
        clients_limit: int = CLIENTS_LIMIT,
        write_timeout_s: float = WRITE_TIMEOUT_S,
    ) -> None:
        self._path = path
        self._clients_limit = clients_limit
        self._write_timeout_s = write_timeout_s
        self._methods = _methods(target)
        self._clients: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self._inode = 0

    @property
    def clients(self) -> int:
        """How many clients are connected."""
        return len(self._clients)

    async def start(self) -> None:
        """Listen.

        A socket that a dead exchange left behind is replaced.

        Raises:
            StartError: another exchange answers on the path, or nothing can listen there.
        """
        listener = _listen(self._path)
        self._inode = self._path.stat().st_ino
        self._server = await asyncio.start_unix_server(
            self._connected, sock=listener, limit=LINE_LIMIT
        )

    async def stop(self) -> None:
        """Cut off every client and remove the socket."""
        if self._server is None:
            return
        self._server.close()
        clients = list(self._clients)
        for task in clients:
            task.cancel()
        await asyncio.gather(*clients, return_exceptions=True)
        await self._server.wait_closed()
        self._server = None
        # What another exchange has put there since is not ours to remove.
        with contextlib.suppress(OSError):
            if self._path.stat().st_ino == self._inode:
                self._path.unlink()

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._server is None or not self._server.is_serving():
            # It was accepted just as stop() ran.
            writer.transport.abort()
            return
        task = asyncio.get_running_loop().create_task(self._serve(reader, writer))
        self._clients.add(task)

        def gone(task: asyncio.Task[None]) -> None:
            self._clients.discard(task)
            # close() alone waits without end for a client that has stopped reading; and a task
            # that is cancelled before its first step closes nothing.
            writer.transport.abort()

        task.add_done_callback(gone)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one client until it leaves, breaks the rules or stops reading."""
        try:
            await self._converse(reader, writer)
            writer.close()
            async with asyncio.timeout(self._write_timeout_s):
                await writer.wait_closed()
        except OSError as error:
            log.debug("control client cut off: %r", error)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.clients > self._clients_limit:
            sentence = f"{self._clients_limit} clients are connected already"
            await self._answer(writer, Failure(0, "too-many-clients", sentence))
            return
        while (answer := await self._next_answer(reader)) is not None:
            await self._answer(writer, answer)
            if isinstance(answer, Failure) and answer.id == 0 and answer.code in UNREADABLE:
                # Nobody can tell any more where the next call begins.
                return

    async def _answer(self, writer: asyncio.StreamWriter, answer: Result | Failure) -> None:
        writer.write(msgspec.json.encode(answer) + b"\n")
        async with asyncio.timeout(self._write_timeout_s):
            await writer.drain()

    async def _next_answer(self, reader: asyncio.StreamReader) -> Result | Failure | None:
        """Read one call and carry it out; None when the client has left."""
        try:
            line = await reader.readuntil(b"\n")
        except asyncio.IncompleteReadError:
            return None
        except asyncio.LimitOverrunError:
            return Failure(0, "line-too-long", f"a call may have {LINE_LIMIT} octets at most")
        try:
            call = msgspec.json.decode(line, type=Call)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            return Failure(_identity(line), "bad-request", f"not a call: {error}")
        return await self._carry_out(call)

    async def _carry_out(self, call: Call) -> Result | Failure:
        failure = self._fault(call)
        if failure is not None:
            return failure
        try:
            result = self._methods[call.method].carry_out(call.params)
            if isinstance(result, Awaitable):
                result = await result
            return Result(call.id, msgspec.Raw(msgspec.json.encode(result)))
        except CommandError as error:
            return Failure(call.id, error.code, error.sentence)
        except Exception:
            log.exception("control call %r failed", call.method)
            return Failure(call.id, "internal", english("internal-error"))

    def _fault(self, call: Call) -> Failure | None:
        """Return what is wrong with a well-formed call before it is carried out."""
        method = self._methods.get(call.method)
        if method is None:
            return Failure(call.id, "unknown-method", f"no method {call.method!r}")
        for name, value in call.params.items():
            if name not in method.required | method.optional:
                sentence = f"{call.method} takes no parameter {name!r}"
                return Failure(call.id, "unknown-parameter", sentence)
            if not value and name != "display_name":
                return Failure(call.id, "empty-parameter", english("empty-parameter", name=name))
        for name in sorted(method.required - call.params.keys()):
            return Failure(call.id, "missing-parameter", f"{call.method} needs {name!r}")
        return None


def _methods(target: ControlTarget) -> dict[str, _Method]:
    number, password = frozenset({"number"}), frozenset({"password"})
    return {
        "status": _Method(lambda _: target.status()),
        "users": _Method(lambda _: target.users()),
        "calls": _Method(lambda _: target.calls()),
        "hangup": _Method(lambda given: target.hangup(given["call"]), frozenset({"call"})),
        "record": _Method(
            lambda given: target.record(given["call"], stereo=given.get("stereo") == "yes"),
            frozenset({"call"}),
            frozenset({"stereo"}),
        ),
        "record.stop": _Method(
            lambda given: target.stop_recording(given["call"]), frozenset({"call"})
        ),
        "user.add": _Method(
            lambda given: target.add_user(
                given["number"], given.get("password"), given.get("display_name", "")
            ),
            number,
            password | {"display_name"},
        ),
        "user.remove": _Method(lambda given: target.remove_user(given["number"]), number),
        "user.password": _Method(
            lambda given: target.set_password(given["number"], given.get("password")),
            number,
            password,
        ),
        "user.algorithm": _Method(
            lambda given: target.set_algorithm(given["number"], given["algorithm"]),
            number | {"algorithm"},
        ),
        **_configuring_methods(target.configuring),
        **_examining_methods(target.examining),
        **_recordings_methods(target.recordings),
        **_rooms_methods(target.rooms),
        "welcome": _Method(lambda _: target.welcome()),
        "health": _Method(lambda _: target.health()),
        "log": _Method(
            lambda given: target.log(given.get("after", "0")), optional=frozenset({"after"})
        ),
        "watch": _Method(
            lambda given: target.watch(given.get("mark", "")), optional=frozenset({"mark"})
        ),
        "hardware.note": _Method(
            lambda given: target.note_hardware(
                given["kind"], given["event"], given["name"], given.get("port", "")
            ),
            frozenset({"kind", "event", "name"}),
            frozenset({"port"}),
        ),
    }


def _configuring_methods(target: ConfiguringTarget) -> dict[str, _Method]:
    name, options = frozenset({"name"}), frozenset({"options"})
    return {
        "user.set": _Method(
            lambda given: target.set_user(given["number"], given["options"]),
            frozenset({"number"}) | options,
        ),
        "lines": _Method(lambda _: target.lines()),
        "line.add": _Method(
            lambda given: target.add_line(given["name"], given["options"]), name | options
        ),
        "line.set": _Method(
            lambda given: target.set_line(given["name"], given["options"]), name | options
        ),
        "line.remove": _Method(lambda given: target.remove_line(given["name"]), name),
        "plan": _Method(lambda _: target.plan()),
        "plan.export": _Method(
            lambda given: target.export(secrets=given.get("secrets") == "yes"),
            optional=frozenset({"secrets"}),
        ),
        "plan.set": _Method(
            lambda given: target.set_plan(given["tables"], given.get("version", "")),
            frozenset({"tables"}),
            frozenset({"version"}),
        ),
        "configurations": _Method(lambda _: target.configurations()),
        "configuration.restore": _Method(
            lambda given: target.restore_configuration(given["number"]), frozenset({"number"})
        ),
        "configuration.discard": _Method(
            lambda given: target.discard_configuration(given["number"]), frozenset({"number"})
        ),
        "callback": _Method(lambda _: target.callback()),
        "callback.set": _Method(lambda given: target.set_callback(given["options"]), options),
        "route": _Method(
            lambda given: target.route(
                given["caller"], given["called"], given.get("line", ""), given.get("at", "")
            ),
            frozenset({"caller", "called"}),
            frozenset({"line", "at"}),
        ),
    }


def _recordings_methods(target: RecordingsTarget) -> dict[str, _Method]:
    return {
        "recordings": _Method(
            lambda given: target.listed(
                given.get("day", ""), given.get("number", ""), given.get("most", "")
            ),
            optional=frozenset({"day", "number", "most"}),
        ),
        "recordings.remove": _Method(
            lambda given: target.remove(given["file"]), frozenset({"file"})
        ),
        "recordings.remove_before": _Method(
            lambda given: target.remove_before(given["day"]), frozenset({"day"})
        ),
    }


def _rooms_methods(target: RoomsTarget) -> dict[str, _Method]:
    who = frozenset({"room", "member"})
    return {
        "rooms": _Method(lambda _: target.listed()),
        "room.mute": _Method(
            lambda given: target.mute(given["room"], given["member"], muted=True), who
        ),
        "room.unmute": _Method(
            lambda given: target.mute(given["room"], given["member"], muted=False), who
        ),
        "room.gain": _Method(
            lambda given: target.set_gain(given["room"], given["member"], given["gain_db"]),
            who | {"gain_db"},
        ),
        "room.remove": _Method(lambda given: target.remove(given["room"], given["member"]), who),
    }


def _examining_methods(target: ExaminingTarget) -> dict[str, _Method]:
    own = frozenset({"id"})
    return {
        "line.profiles": _Method(lambda _: target.profiles()),
        "doctor": _Method(
            lambda given: target.examine(given["name"], given.get("number", "")),
            frozenset({"name"}),
            frozenset({"number"}),
        ),
        "doctor.more": _Method(
            lambda given: target.more(given["id"], given["after"]), own | {"after"}
        ),
        "doctor.stop": _Method(lambda given: target.stop(given["id"]), own),
    }


def _identity(line: bytes) -> int:
    """Return the id of a call that is JSON but no call; 0 where it is not even that."""
    try:
        return msgspec.json.decode(line, type=_Identity).id
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return 0


def _listen(path: Path) -> socket.socket:
    """Return a listening socket at `path`, readable and writable by owner and group."""
    if len(os.fsencode(path)) > PATH_LIMIT:
        sentence = say("control-socket-long", path=path, most=PATH_LIMIT)
        raise StartError(sentence, EX_CANTCREAT)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        _remove_stale(path)
        listener.bind(os.fspath(path))
        # Until listen() nobody can connect, so nobody slips in before the mode is right.
        path.chmod(SOCKET_MODE)
        listener.listen(CLIENTS_LIMIT)
        listener.setblocking(False)
    except OSError as error:
        listener.close()
        sentence = say("control-socket", path=path, why=error.strerror or error)
        raise StartError(sentence, EX_CANTCREAT) from error
    except StartError:
        listener.close()
        raise
    return listener


def _remove_stale(path: Path) -> None:
    """Remove the socket of an exchange that is dead.

    Raises:
        StartError: an exchange answers on it.
        OSError: something else is in the way.
    """
    try:
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
    except FileNotFoundError:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        # A live exchange that is too busy to accept must not hold us up.
        probe.setblocking(False)
        try:
            probe.connect(os.fspath(path))
        except ConnectionRefusedError:
            path.unlink(missing_ok=True)
            return
        except BlockingIOError:
            pass
    raise StartError(say("control-socket-in-use", path=path), EX_UNAVAILABLE)
