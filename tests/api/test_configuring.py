"""Lines, dial plan and rights over the control socket, into a real store."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import datetime
from pathlib import Path

import pytest

from pbx.api.client import AsyncClient, Client
from pbx.api.configuring import Configuring, new_line, settled, states_of
from pbx.api.server import ControlServer
from pbx.config.settings import Settings
from pbx.errors import CommandError
from pbx.lines.state import LineState, Phase, Trouble
from pbx.store.database import local_engine
from pbx.store.replaced import Replaced, keep
from pbx.store.repository import Store
from pbx.store.snapshot import LocalUser, Snapshot
from tests.api.fakes import FakeExchange
from tests.api.refusals import refused

IMS = {
    "kind": "external-line",
    "server": "ims.example",
    "user": "+861012345678",
    "password": "geheim12",
    "expires_s": "3600",
}


@pytest.fixture
async def store(folder: Path) -> AsyncIterator[Store]:
    (folder / "cdr").mkdir()
    kept = Store(folder, Settings(), asyncio.get_running_loop().call_soon_threadsafe)
    kept.open()
    yield kept
    kept.close()


@pytest.fixture
async def client(store: Store, folder: Path) -> AsyncIterator[AsyncClient]:
    exchange = FakeExchange()
    exchange.configuring = Configuring(store, Settings().services)
    server = ControlServer(exchange, folder / "s")
    await server.start()
    async with AsyncClient(folder / "s") as connected:
        yield connected
    await server.stop()


class TestLines:
    async def test_added_shown_changed_and_removed(self, client: AsyncClient, store: Store) -> None:
        assert await client.lines() == []
        await client.add_line("ims", IMS)
        (line,) = await client.lines()
        assert (line.name, line.kind, line.enabled) == ("ims", "external-line", True)
        assert (line.has_password, line.options["expires_s"]) == (True, 3600)
        assert line.chosen == ["server", "user", "expires_s"]
        assert store.snapshot.lines["ims"].password == "geheim12"
        await client.set_line("ims", {"enabled": "no", "password": "", "codecs": ["PCMA"]})
        (line,) = await client.lines()
        assert (line.enabled, line.has_password, line.options["codecs"]) == (False, False, ["PCMA"])
        await client.remove_line("ims")
        assert await client.lines() == []

    async def test_the_password_is_never_told(self, client: AsyncClient) -> None:
        await client.add_line("ims", IMS)
        assert "geheim12" not in str(await client.lines())
        assert "password" not in (await client.lines())[0].options

    async def test_how_they_are(self, store: Store, folder: Path) -> None:
        trouble = Trouble("silent", {"server": "udp 192.0.2.7:5060"})
        states = [
            LineState("off", Phase.OFF, registers=True, usable=False),
            LineState(
                "telco",
                Phase.UP,
                registers=True,
                usable=True,
                server="udp 192.0.2.7:5060",
                rtt_s=0.012,
                since=90.0,
                expires=700.0,
                next_try=95.0,
                last_incoming=40.0,
                identities=("sip:a@b",),
                public="203.0.113.7:40000",
            ),
            LineState("peer", Phase.DOWN, registers=False, usable=False, trouble=trouble),
        ]
        told = states_of(states, 100.0, {"telco": 70.0})
        telco = told["telco"]
        assert (telco.phase, telco.usable, telco.trouble, telco.identities) == (
            "up",
            True,
            "",
            ["sip:a@b"],
        )
        assert (telco.prack_refused_s, told["peer"].prack_refused_s) == (30.0, None)
        assert telco.public == "203.0.113.7:40000"
        assert (telco.since_s, telco.rtt_ms, telco.incoming_s) == (10.0, 12.0, 60.0)
        # What is overdue is due now.
        assert (telco.expires_s, telco.next_try_s) == (600.0, 0.0)
        assert (told["peer"].trouble, told["peer"].values) == ("silent", dict(trouble.values))
        assert (told["peer"].rtt_ms, told["peer"].incoming_s) == (None, None)
        assert told["off"].since_s == 0.0
        exchange = FakeExchange()
        exchange.configuring = Configuring(
            store, Settings().services, lambda: told, lambda name: (1, len(name))
        )
        server = ControlServer(exchange, folder / "s2")
        await server.start()
        async with AsyncClient(folder / "s2") as client:
            await client.add_line("telco", IMS)
            await client.add_line("ims", IMS)
            ims, line = await client.lines()
            assert (ims.state, line.state) == (None, telco)
            assert (line.incoming, line.outgoing) == (1, 5)
        await server.stop()

    async def test_refusals(self, client: AsyncClient) -> None:
        await client.add_line("ims", IMS)
        assert await refused(client.add_line("ims", IMS)) == "line-exists"
        assert await refused(client.add_line("two", {"kind": "sip-trunk"})) == "field-missing"
        assert await refused(client.set_line("none", {})) == "unknown-line"
        assert await refused(client.remove_line("none")) == "unknown-line"

    @pytest.mark.parametrize("text", ["", "x", "[]", "1", '"x"', "{" * 100_000, '{"a":'])
    async def test_what_is_no_object(self, store: Store, text: str) -> None:
        assert (
            await refused(Configuring(store, Settings().services).set_line("ims", text))
            == "bad-json"
        )


class TestPlan:
    async def test_shown_and_changed(self, client: AsyncClient) -> None:
        plan = await client.plan()
        assert (plan.version, plan.tables["basics"]["out_prefix"]) == (1, "9")
        assert plan.tables["routes"] == []
        await client.set_plan({"basics": {"out_prefix": "0"}, "holidays": [{"date": "10-01"}]})
        plan = await client.plan()
        assert (plan.version, plan.tables["basics"]["out_prefix"]) == (2, "0")
        assert plan.tables["holidays"] == [{"date": "10-01", "description": ""}]

    async def test_not_over_a_later_change(self, client: AsyncClient, store: Store) -> None:
        await client.set_plan({"holidays": []}, 1)
        assert await refused(client.set_plan({"holidays": []}, 1)) == "plan-changed"
        assert (
            await refused(Configuring(store, Settings().services).set_plan("{}", "x"))
            == "bad-version"
        )
        assert (
            await refused(Configuring(store, Settings().services).set_plan("{}", "9" * 30))
            == "bad-version"
        )


class TestRights:
    async def test_shown_and_changed(self, client: AsyncClient, store: Store) -> None:
        await client.set_user("100", {"call_level": "2", "most_calls": 1})
        assert store.snapshot.users["100"].call_level == 2
        assert await refused(client.set_user("199", {})) == "unknown-user"
        assert await refused(client.set_user("100", {"level": 1})) == "field-unknown"


class TestPlainClient:
    async def test_every_call(self, client: AsyncClient, folder: Path) -> None:
        def talk() -> tuple[list[str], str]:
            with Client(folder / "s") as plain:
                plain.add_line("ims", IMS)
                plain.set_line("ims", {"most": 2})
                names = [line.name for line in plain.lines()]
                plain.remove_line("ims")
                plain.set_plan({"basics": {"out_prefix": "0"}}, plain.plan().version)
                plain.set_user("100", {"call_level": 1})
                return names, plain.plan().tables["basics"]["out_prefix"]

        assert await asyncio.to_thread(talk) == (["ims"], "0")


class TestSettled:
    async def test_a_waiter_that_has_gone(self) -> None:
        late: list[Callable[[object], None]] = []
        waiting = asyncio.ensure_future(settled(late.append))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        late[0](None)


class TestRoute:
    async def test_it_is_what_the_configuration_says_now(self, client: AsyncClient) -> None:
        before = await client.route("100", "9013800138000")
        assert (before.kind, before.ways) == ("unknown", [])
        await client.add_line("peer", {"kind": "sip-trunk", "server": "192.0.2.1"})
        tables = {"incoming": [{"line": "peer", "did": "0106234", "destination": "102"}]}
        await client.set_plan(tables)
        after = await client.route("100", "9013800138000")
        assert [(way.line, way.called, way.caller) for way in after.ways] == [
            ("peer", "013800138000", "100")
        ]
        incoming = await client.route("0139", "01062340000", line="peer", at="12:00")
        assert (incoming.kind, incoming.number, incoming.caller) == ("local-user", "102", "0139")
        assert await refused(client.route("0139", "0106", line="gone")) == "unknown-line"

    async def test_by_the_other_client(
        self, client: AsyncClient, store: Store, folder: Path
    ) -> None:
        def ask() -> str:
            with Client(folder / "s") as waiting:
                return waiting.route("100", "101").kind

        assert await asyncio.to_thread(ask) == "local-user"


class TestReplaced:
    @pytest.fixture
    async def store(self, store: Store, folder: Path) -> AsyncIterator[Store]:
        """A store that keeps a configuration with the user 103 and the line ims."""
        store.close()
        one = Replaced.of(
            Snapshot.of(7, [LocalUser("103", "", "m", "s")], [new_line("ims", IMS)]), 1_790_000_000
        )
        engine = local_engine(folder / "minisip.db")
        with engine.begin() as connection:
            keep(connection, one)
        engine.dispose()
        again = Store(folder, Settings(), asyncio.get_running_loop().call_soon_threadsafe)
        again.open()
        yield again
        again.close()

    async def test_restored(self, client: AsyncClient, folder: Path, store: Store) -> None:
        def restore() -> None:
            with Client(folder / "s") as plain:
                (one,) = plain.configurations()
                assert (one.number, one.users, one.lines) == (1, ["103"], ["ims"])
                assert datetime.fromisoformat(one.replaced).timestamp() == 1_790_000_000
                plain.restore_configuration("1")
                (former,) = plain.configurations()
                assert (former.users, former.lines) == (["100", "101", "102"], [])
                plain.discard_configuration(str(former.number))
                assert plain.configurations() == []

        await asyncio.to_thread(restore)
        assert (*store.snapshot.users, *store.snapshot.lines) == ("103", "ims")
        assert store.snapshot.lines["ims"].password == "geheim12"

    @pytest.mark.parametrize("number", ["7", "-1", "x", "1.0", "\u0661", "9" * 5000])
    async def test_refusals(
        self, client: AsyncClient, folder: Path, store: Store, number: str
    ) -> None:
        def restore() -> str:
            with Client(folder / "s") as plain, pytest.raises(CommandError) as told:
                plain.restore_configuration(number)
            return told.value.code

        assert await asyncio.to_thread(restore) == "unknown-configuration"
        assert list(store.replaced) == [1]


class TestCallBack:
    async def test_shown_and_changed(self, client: AsyncClient, store: Store) -> None:
        usual = await client.callback()
        assert (usual.port, usual.application_server, usual.most) == (5080, "127.0.0.1", 20)
        await client.set_callback({"application_server": "192.0.2.9", "port": "0"})
        await client.set_callback({"call_level": 2})
        now = await client.callback()
        assert (now.port, now.application_server, now.call_level) == (0, "192.0.2.9", 2)
        # What nobody has chosen goes on being as the settings file says
        assert dict(store.snapshot.callback) == {
            "port": 0,
            "application_server": "192.0.2.9",
            "call_level": 2,
        }

    @pytest.mark.parametrize(
        ("options", "code"),
        [
            ({"port": 70000}, "field-range"),
            ({"port": "x"}, "field-whole"),
            ({"application_server": "localhost"}, "field-callback-address"),
            ({"caller": "alice"}, "field-digits"),
            ({"call_level": -1}, "field-range"),
            ({"most": 0}, "field-range"),
            ({"prefix": "9"}, "field-unknown"),
        ],
    )
    async def test_refusals(
        self, client: AsyncClient, store: Store, options: dict[str, object], code: str
    ) -> None:
        assert await refused(client.set_callback(options)) == code
        assert not store.snapshot.callback

    async def test_by_a_command(self, client: AsyncClient, folder: Path) -> None:
        def change() -> tuple[int, str]:
            with Client(folder / "s") as command:
                command.set_callback({"port": "5090"})
                return command.callback().port, command.callback().address

        assert await asyncio.to_thread(change) == (5090, "")
