"""An exchange that is none: what the control API and HTTP control, in memory."""

import asyncio
from collections.abc import Callable

from pbx.api.configuring import ConfiguringTarget
from pbx.api.examining import ExaminingTarget
from pbx.api.noticeboard import Noticeboard
from pbx.api.provisioning import SipAccount
from pbx.api.recordings import RecordingsTarget
from pbx.api.rooms import RoomsTarget
from pbx.api.schema import (
    Changes,
    Contact,
    Health,
    LogLine,
    NewUser,
    Problem,
    Recording,
    RunningCall,
    Sound,
    Status,
    User,
    Welcome,
    WelcomeUser,
)
from pbx.errors import CommandError
from pbx.locale import english
from tests.api.fake_configuring import FakeConfiguring
from tests.api.fake_examining import FakeExamining
from tests.api.fake_recordings import FakeRecordings
from tests.api.fake_rooms import FakeRooms

PASSWORDS = {"100": "first-secret", "101": "second-secret", "102": "third-secret"}

EMERGENCY_NUMBER = "119"
"""The number that no user may have."""


class FakeExchange:
    """Three users, 100 registered and called 「前台」, and one call."""

    configuring: ConfiguringTarget
    examining: ExaminingTarget
    recordings: RecordingsTarget
    rooms: RoomsTarget

    def __init__(self) -> None:
        self.examined = FakeExamining()
        self.examining = self.examined
        self.configured = FakeConfiguring()
        self.configuring = self.configured
        self.record_files = FakeRecordings()
        self.recordings = self.record_files
        self.conferences = FakeRooms()
        self.rooms = self.conferences
        self.asked: list[str] = []
        self.passwords = dict(PASSWORDS)
        self.algorithms: dict[str, str] = {}
        self.names = {"100": "前台"}
        self.initial = dict(PASSWORDS)
        self.running = {"c1": ("100", "101")}
        self.user_agent = "Linphone/5.1"
        self.provisioning_url: Callable[[str], str] = lambda number: ""
        self.database_answers = asyncio.Event()
        self.database_answers.set()
        self.failure: Exception | None = None
        self.recorded: dict[str, bool] = {}
        self.status_values: dict[str, object] = {}
        self.problems: list[Problem] = []
        self.lines: list[LogLine] = []
        self.board = Noticeboard()
        self.hardware: list[tuple[str, str, str, str]] = []

    def _ask(self, method: str) -> None:
        self.asked.append(method)
        if self.failure is not None:
            raise self.failure

    def status(self) -> Status:
        self._ask("status")
        values = {
            "version": "0.1.0",
            "pid": 4711,
            "uptime_s": 93784.2,
            "addresses": ["udp 192.0.2.1:5060", "tcp 192.0.2.1:5060"],
            "database": "sqlite",
            "database_ok": True,
            "records_waiting": 0,
            "users": len(self.passwords),
            "users_registered": 1,
            "calls": len(self.running),
            "calls_total": 12,
            "engine_pid": 4712,
            "engine_restarts": 0,
            "streams_free": 500,
        }
        return Status(**{**values, **self.status_values})  # type: ignore[arg-type]

    def users(self) -> list[User]:
        self._ask("users")
        return [
            User(
                number=number,
                display_name=self.names.get(number, ""),
                state="talking" if number == "100" else "offline",
                contacts=[self._contact()] if number == "100" else [],
            )
            for number in sorted(self.passwords)
        ]

    def _contact(self) -> Contact:
        return Contact(
            uri="sip:100@192.0.2.7:5062",
            source="udp 192.0.2.7:5062",
            user_agent=self.user_agent,
            expires_s=598.4,
        )

    async def calls(self) -> list[RunningCall]:
        self._ask("calls")
        return [
            RunningCall(
                id=name,
                caller=caller,
                called=called,
                state="talking",
                since="2026-11-23T04:00:39+08:00",
                talk_s=61.5,
                codec="PCMA",
                called_codec="G722",
                recording=name in self.recorded,
                caller_sound=Sound(loss_percent=0.0, jitter_ms=1.2, mos=4.4),
                called_sound=Sound(loss_percent=3.5, jitter_ms=20.0, mos=3.75),
            )
            for name, (caller, called) in self.running.items()
        ]

    def hangup(self, call_id: str) -> None:
        self._ask("hangup")
        if self.running.pop(call_id, None) is None:
            raise CommandError("unknown-call", english("unknown-call"))

    async def record(self, call_id: str, *, stereo: bool) -> Recording:
        self._ask("record")
        if call_id not in self.running:
            raise CommandError("unknown-call", english("unknown-call"))
        if call_id in self.recorded:
            raise CommandError("recorded-already", english("recorded-already"))
        self.recorded[call_id] = stereo
        return Recording(file=f"/data/record/20261123/{call_id}.wav")

    def stop_recording(self, call_id: str) -> None:
        self._ask("stop_recording")
        if self.recorded.pop(call_id, None) is None:
            raise CommandError("not-recorded", english("not-recorded"))

    async def add_user(self, number: str, password: str | None, display_name: str) -> NewUser:
        self._ask("add_user")
        await self.database_answers.wait()
        if number in self.passwords:
            raise CommandError("user-exists", english("user-exists", number=number))
        if number == EMERGENCY_NUMBER:
            raise CommandError("emergency-reserved", english("emergency-reserved", number=number))
        if password is not None and len(password) < 4:
            raise CommandError("bad-password", english("bad-password", least=4, most=64))
        self.passwords[number] = password or "made-up"
        self.names[number] = display_name
        return NewUser(number=number, password=self.passwords[number])

    async def remove_user(self, number: str) -> None:
        self._ask("remove_user")
        if self.passwords.pop(number, None) is None:
            raise CommandError("unknown-user", english("unknown-user", number=number))
        self.initial.pop(number, None)

    async def set_password(self, number: str, password: str | None) -> NewUser:
        self._ask("set_password")
        if number not in self.passwords:
            raise CommandError("unknown-user", english("unknown-user", number=number))
        self.passwords[number] = password or "made-up"
        self.initial.pop(number, None)
        return NewUser(number=number, password=self.passwords[number])

    async def set_algorithm(self, number: str, algorithm: str) -> None:
        self._ask("set_algorithm")
        if number not in self.passwords:
            raise CommandError("unknown-user", english("unknown-user", number=number))
        self.algorithms[number] = algorithm

    def welcome(self) -> Welcome:
        self._ask("welcome")
        return Welcome(
            addresses=["tcp [2001:db8::1]:5060", "udp 127.0.0.1:5060", "udp 192.0.2.1:5060"],
            users=[
                WelcomeUser(
                    number=number, password=secret, provisioning_url=self.provisioning_url(number)
                )
                for number, secret in sorted(self.initial.items())
            ],
        )

    def initial_account(self, number: str) -> SipAccount | None:
        if number not in self.initial:
            return None
        return SipAccount(
            number=number,
            display_name=self.names.get(number, ""),
            password=self.initial[number],
            realm="minisipserver",
            sip_port=5060,
        )

    def health(self) -> Health:
        self._ask("health")
        state = self.problems[0].severity if self.problems else "ready"
        return Health(state=state, problems=list(self.problems))

    def log(self, after: str) -> list[LogLine]:
        self._ask("log")
        return [line for line in self.lines if line.number > int(after)]

    async def watch(self, mark: str) -> Changes:
        self._ask("watch")
        return await self.board.watch(mark)

    def note_hardware(self, kind: str, event: str, name: str, port: str) -> None:
        self._ask("note_hardware")
        self.hardware.append((kind, event, name, port))
