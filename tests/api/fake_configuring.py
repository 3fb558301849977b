"""Lines and a dial plan in memory, with no database behind them."""

import json

import msgspec

from pbx.api import schema
from pbx.api.configuring import describe, exported, new_line
from pbx.api.route_test import explain_route
from pbx.config import fields
from pbx.config.callback import CallBackSettings, in_force
from pbx.config.dial_plan import DialPlan
from pbx.config.emergency_numbers import numbers_of
from pbx.config.line import Line
from pbx.config.refusal import command_error
from pbx.config.settings import ServiceSettings
from pbx.config.user_rights import UserRights
from pbx.store.snapshot import LocalUser, Snapshot


class FakeConfiguring:
    """Changes are checked no further than that they can be read."""

    def __init__(self) -> None:
        self.kept: dict[str, Line] = {}
        self.states: dict[str, schema.LineState] = {}
        self.calls: dict[str, tuple[int, int]] = {}
        self.dial_plan = DialPlan()
        self.version = 1
        self.call_back = CallBackSettings()
        self.rights: dict[str, UserRights] = {}
        self.replaced: dict[str, schema.ReplacedConfiguration] = {}
        self.restored: list[str] = []

    def lines(self) -> list[schema.Line]:
        return [
            describe(line, self.states.get(name), self.calls.get(name, (0, 0)))
            for name, line in sorted(self.kept.items())
        ]

    async def add_line(self, name: str, options: str) -> None:
        if name in self.kept:
            raise command_error("line-exists", name=name)
        self.kept[name] = new_line(name, json.loads(options))

    async def set_line(self, name: str, options: str) -> None:
        if name not in self.kept:
            raise command_error("unknown-line", name=name)
        self.kept[name] = fields.changed(self.kept[name], json.loads(options))

    async def remove_line(self, name: str) -> None:
        if self.kept.pop(name, None) is None:
            raise command_error("unknown-line", name=name)

    def plan(self) -> schema.Plan:
        return schema.Plan(version=self.version, tables=msgspec.to_builtins(self.dial_plan))

    def export(self, *, secrets: bool) -> schema.Plan:
        lines = [exported(line, secrets=secrets) for _, line in sorted(self.kept.items())]
        return schema.Plan(version=self.version, tables={"lines": lines, **self.plan().tables})

    async def set_plan(self, tables: str, version: str) -> None:
        if version and int(version) != self.version:
            raise command_error("plan-changed")
        given = json.loads(tables)
        if "lines" in given:
            rows = [
                {"password": getattr(self.kept.get(row["name"]), "password", ""), **row}
                for row in given.pop("lines")
            ]
            self.kept = {row["name"]: fields.build(Line, row) for row in rows}
        basics = given.get("basics", {})
        if "country" in basics:
            basics.setdefault("emergency_numbers", numbers_of(basics["country"].upper()))
        self.dial_plan = msgspec.structs.replace(self.dial_plan, **given)
        self.version += 1

    async def set_user(self, number: str, options: str) -> None:
        before = self.rights.get(number, UserRights())
        self.rights[number] = fields.changed(before, json.loads(options))

    def configurations(self) -> list[schema.ReplacedConfiguration]:
        return list(self.replaced.values())

    async def restore_configuration(self, number: str) -> None:
        await self.discard_configuration(number)
        self.restored.append(number)

    async def discard_configuration(self, number: str) -> None:
        if self.replaced.pop(number, None) is None:
            raise command_error("unknown-configuration", number=number)

    def callback(self) -> schema.CallBack:
        return schema.CallBack(**msgspec.structs.asdict(self.call_back))

    async def set_callback(self, options: str) -> None:
        self.call_back = in_force(self.call_back, json.loads(options))

    def route(self, caller: str, called: str, line: str, at: str) -> schema.RouteTest:
        snapshot = Snapshot.of(
            1,
            [LocalUser("100", "", "m", "s"), LocalUser("101", "", "m", "s")],
            self.kept.values(),
            self.dial_plan,
        )
        return explain_route(snapshot, ServiceSettings(), caller, called, line=line, at=at)
