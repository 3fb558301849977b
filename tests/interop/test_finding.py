"""Requests find their phones: through a proxy of two addresses, after restarts, above 1300 octets."""

import sqlite3
from collections.abc import Callable
from contextlib import ExitStack
from contextlib import closing as closing_database
from pathlib import Path

import pytest

from tests.interop import scenario
from tests.interop.baresip import Baresip
from tests.interop.edge_proxy import EdgeProxy
from tests.interop.exchange import Exchange, Record
from tests.interop.phones import Phones, Users
from tests.interop.pjsua_talker import PjsuaTalker
from tests.interop.ports import Ports
from tests.interop.sipp import Load, Sipp, account
from tests.interop.waiting import until, until_still
from tests.net.zone import NameServer, Zone

pytestmark = pytest.mark.interop

LOW_HZ, HIGH_HZ = 440.0, 880.0

NewPhone = Callable[..., Baresip]


@pytest.fixture
def proxy(exchange: Exchange, tmp_path: Path, ports: Ports, closing: ExitStack) -> EdgeProxy:
    proxy = EdgeProxy(tmp_path / "proxy", ports, exchange)
    closing.callback(proxy.close)
    return proxy


def _talk(caller: Baresip, callee: Baresip) -> None:
    marks = caller.mark, callee.mark
    caller.dial(callee.number)
    for phone, mark in zip((caller, callee), marks, strict=True):
        phone.wait_event("CALL_ESTABLISHED", after=mark)


def test_a_phone_behind_a_proxy_of_two_addresses(
    exchange: Exchange, users: Users, new_phone: NewPhone, proxy: EdgeProxy
) -> None:
    """RFC 3327, RFC 3261 §12.2.1.1: Path and Record-Route decide, not the packets' source."""
    far = new_phone(users.caller, proxy.outside, LOW_HZ)
    near = new_phone(users.callee, exchange.host, HIGH_HZ)
    (contact,) = exchange.users()[users.caller].contacts
    assert "127.0.0.5" in contact.source

    _talk(far, near)
    near.wait_heard(LOW_HZ, 1.0)
    far.wait_heard(HIGH_HZ, 1.0)
    # Our BYE to the caller, by its Record-Route
    mark = far.mark
    near.hang_up()
    far.wait_event("CALL_CLOSED", after=mark)
    exchange.wait_idle()

    # Our INVITE by its Path, our ACK and re-INVITE by the callee's Record-Route
    _talk(near, far)
    mark = far.mark
    before = far.packets_received()
    until("the callee hears", lambda: far.packets_received() > before + 50, why_not=far.why)
    near.command("hold")
    until_still("the held party hears nothing", far.packets_received)
    near.command("resume")
    held = far.packets_received()
    until("it hears again", lambda: far.packets_received() > held + 50, why_not=far.why)
    near.hang_up()
    far.wait_event("CALL_CLOSED", after=mark)
    exchange.wait_idle()
    records = exchange.wait_records(2, naming=users.caller)
    causes = [one.fci["cause"] for one in records]
    assert causes == ["16", "16"]
    exchange.assert_sane()


def test_a_phone_that_is_restarted_again_and_again(
    new_exchange: Callable[..., Exchange], new_phone: NewPhone
) -> None:
    """Each start of a softphone has another port; none gets 403, and a call finds the last one."""
    exchange = new_exchange(sip="max_contacts = 2")
    exchange.add_user("110", "secret")
    exchange.add_user("111", "secret")
    for _ in range(4):
        phone = new_phone("111", exchange.host, HIGH_HZ)
        phone.program.process.kill()
        phone.program.process.wait(5)
    last = new_phone("111", exchange.host, HIGH_HZ)
    assert len(exchange.users()["111"].contacts) <= 2
    caller = new_phone("110", exchange.host, LOW_HZ)
    _talk(caller, last)
    mark = last.mark
    caller.hang_up()
    last.wait_event("CALL_CLOSED", after=mark)
    exchange.wait_idle()
    exchange.assert_sane()


LONG = "".join(f"a=x-long-{number}:{'y' * 60}\n" for number in range(24))


def _long_call(phones: Phones) -> Record:
    """Let sipp call with an INVITE that no datagram has room for; return the call's record."""
    text = scenario.caller().replace("a=ptime:20\n", "a=ptime:20\n" + LONG)
    caller = phones.caller(text, load=Load(talk_ms=500))
    caller.finish()
    phones.exchange.wait_idle()
    (record,) = phones.exchange.wait_records(1, naming=phones.users.caller)
    assert record.fci["cause"] == "16"
    return record


def test_a_large_invite_goes_by_tcp(
    exchange: Exchange, users: Users, new_phone: NewPhone, phones: Phones
) -> None:
    """RFC 3261 §18.1.1; baresip registers by UDP and listens for TCP on the same port."""
    callee = new_phone(users.callee, exchange.host, HIGH_HZ)
    record = _long_call(phones)
    assert record["called_addr"] == f"tcp {callee.sip}"
    exchange.assert_sane()


def test_a_large_invite_to_a_phone_without_tcp(phones: Phones) -> None:
    """Refused by TCP, it goes by UDP after all, in fragments; sipp takes nothing else here."""
    callee = phones.callee(scenario.callee())
    record = _long_call(phones)
    callee.finish()
    assert record["called_addr"].startswith("udp ")
    phones.exchange.assert_sane()


def test_a_phone_with_a_name_whose_first_server_is_dead(
    new_exchange: Callable[..., Exchange],
    phones_of: Callable[[Exchange], Phones],
    ports: Ports,
    closing: ExitStack,
) -> None:
    """RFC 3263: SRV records lead to it; what is dead costs no call."""
    zone = Zone()
    name_server = NameServer(zone)
    closing.callback(name_server.close)
    exchange = new_exchange(sip=f'name_servers = ["127.0.0.1:{name_server.port}"]')
    phones = phones_of(exchange)
    who = account(ports, phones.users.callee, phones.users.password, exchange.host)
    dead = ports.one()
    zone.records["_sip._udp.phones.example", "SRV"] = [
        f"10 0 {dead} a.phones.example.",
        f"20 0 {who.port} b.phones.example.",
    ]
    zone.records["phones.example", "TXT"] = ["x"]
    zone.records["a.phones.example", "A"] = ["127.0.0.1"]
    zone.records["b.phones.example", "A"] = ["127.0.0.1"]

    def by_name(text: str) -> str:
        return text.replace("[local_ip]:[contact_port];transport=[transport]", "phones.example")

    registration = Sipp("register", phones.folder, by_name(scenario.registration()), who)
    closing.callback(registration.close)
    registration.finish()
    (contact,) = exchange.users()[phones.users.callee].contacts
    assert contact.uri.endswith("@phones.example")
    callee = phones.callee(by_name(scenario.callee()), at=who)
    caller = phones.caller(scenario.caller(), load=Load(talk_ms=500))
    caller.finish()
    callee.finish()
    exchange.wait_idle()
    (record,) = exchange.wait_records(1)
    assert record.fci["cause"] == "16"
    assert record["called_addr"] == f"udp 127.0.0.1:{who.port}"
    exchange.assert_sane()


def _kept_flows(exchange: Exchange, number: str) -> list[int]:
    """The flow numbers of a user's registrations in the database."""
    with closing_database(sqlite3.connect(exchange.folder / "minisip.db")) as database:
        query = "SELECT reg_id FROM binding WHERE number = ? AND instance <> ''"
        return [flow for (flow,) in database.execute(query, (number,))]


def test_the_flow_of_a_phone_that_has_been_restarted(
    exchange: Exchange,
    users: Users,
    new_phone: NewPhone,
    tmp_path: Path,
    ports: Ports,
    closing: ExitStack,
) -> None:
    """RFC 5626: PJSIP names instance and flow; a new flow replaces the old one, and is used."""
    for start in range(2):
        phone = PjsuaTalker(
            tmp_path / f"pjsua{start}",
            ports,
            number=users.callee,
            password=users.password,
            server=exchange.host,
            tone_hz=HIGH_HZ,
            transport="tcp",
        )
        closing.callback(phone.close)
        if start == 0:
            phone.program.process.kill()
            phone.program.process.wait(5)
    flows = until("the registration is kept", lambda: _kept_flows(exchange, users.callee))
    assert flows == [1]
    (contact,) = exchange.users()[users.callee].contacts
    assert contact.source.startswith("tcp ")
    caller = new_phone(users.caller, exchange.host, LOW_HZ)
    caller.dial(users.callee)
    phone.wait_heard(1, LOW_HZ, 1.0)
    caller.hang_up()
    exchange.wait_idle()
    exchange.assert_sane()
