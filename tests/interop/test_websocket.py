"""Calls of web pages' SIP stack, JsSIP, by WebSocket; its far ends are sipp and itself."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from pbx.config.data_folder import DataFolder
from tests.interop import scenario
from tests.interop.conftest import NewPhone
from tests.interop.devices import BaresipDevice
from tests.interop.exchange import Exchange
from tests.interop.jssip_phone import JsSipPhone
from tests.interop.phones import Phones, Users
from tests.interop.pjsua_talker import PjsuaTalker
from tests.interop.ports import Ports
from tests.interop.starting import Starting

pytestmark = pytest.mark.interop

NewPage = Callable[..., JsSipPhone]


@pytest.fixture
def new_page(tmp_path: Path, ports: Ports, closing: ExitStack) -> NewPage:
    """Return a function that starts a JsSIP phone, and waits until it is registered."""

    def start(exchange: Exchange, number: str, password: str, scheme: str = "ws") -> JsSipPhone:
        port = exchange.wss_port if scheme == "wss" else exchange.ws_port
        phone = JsSipPhone(
            tmp_path,
            url=f"{scheme}://127.0.0.1:{port}/",
            number=number,
            password=password,
            server="127.0.0.1",
            rtp_port=ports.block(2),
            trusts=exchange.certificate if scheme == "wss" else None,
        )
        closing.callback(phone.close)
        phone.wait("registered")
        return phone

    return start


@pytest.mark.parametrize("scheme", ["ws", "wss"])
def test_registers_and_unregisters(
    exchange: Exchange, users: Users, new_page: NewPage, scheme: str
) -> None:
    page = new_page(exchange, users.caller, users.password, scheme)
    (contact,) = exchange.users()[users.caller].contacts
    assert contact.source.startswith(f"{scheme} 127.0.0.1:")
    assert ".invalid;transport=ws" in contact.uri
    page.quit()
    exchange.wait_contacts(users.caller, 0)
    exchange.assert_sane()


@pytest.mark.parametrize("scheme", ["ws", "wss"])
class TestCalls:
    """Both ways, to a phone by UDP and to another page; either hangs up."""

    def test_page_calls_phone(self, phones: Phones, new_page: NewPage, scheme: str) -> None:
        callee = phones.callee(scenario.callee())
        page = new_page(phones.exchange, phones.users.caller, phones.users.password, scheme)
        page.say(f"call {phones.users.callee}")
        page.wait("ringing")
        page.wait("talking")
        page.wait(r"media \d+")
        page.say("hangup")
        page.wait("ended by local")
        callee.finish()
        phones.exchange.wait_idle()
        phones.exchange.assert_sane()

    def test_phone_calls_page(self, phones: Phones, new_page: NewPage, scheme: str) -> None:
        page = new_page(phones.exchange, phones.users.callee, phones.users.password, scheme)
        phones.caller(scenario.caller()).finish()
        page.wait(f"called by {phones.users.caller}")
        page.wait("talking")
        page.wait("ended by remote")
        phones.exchange.wait_idle()
        phones.exchange.assert_sane()

    def test_page_calls_page(
        self, exchange: Exchange, users: Users, new_page: NewPage, scheme: str
    ) -> None:
        callee = new_page(exchange, users.callee, users.password, "ws")
        caller = new_page(exchange, users.caller, users.password, scheme)
        caller.say(f"call {users.callee}")
        for page in (caller, callee):
            page.wait("talking")
        callee.say("hangup")
        caller.wait("ended by remote")
        exchange.wait_idle()
        exchange.assert_sane()


@pytest.fixture(params=["direct", "Kamailio"])
def page(
    request: pytest.FixtureRequest,
    exchange: Exchange,
    users: Users,
    edge_identity: DataFolder,
    tmp_path: Path,
    ports: Ports,
    closing: ExitStack,
) -> JsSipPhone:
    """Return the caller's page, whose WebSocket is the exchange's or that of a proxy before it."""
    where = f"127.0.0.1:{exchange.ws_port}"
    if request.param == "Kamailio":
        start = Starting(exchange, users.password, ports, closing, edge_identity)
        where = start.proxy(tmp_path / "proxy", "ws").outside
    phone = JsSipPhone(
        tmp_path,
        url=f"ws://{where}/",
        number=users.caller,
        password=users.password,
        server="127.0.0.1",
        rtp_port=ports.block(2),
    )
    closing.callback(phone.close)
    phone.wait("registered")
    return phone


OTHER_HZ, THIRD_HZ = 880.0, 1320.0


class TestWithPhones:
    """What a page does in calls with real phones; it has no sound itself, as node has no WebRTC."""

    @pytest.fixture
    def other(self, exchange: Exchange, users: Users, new_phone: NewPhone) -> BaresipDevice:
        """A phone that answers."""
        return BaresipDevice(new_phone(users.callee, exchange.host, OTHER_HZ))

    @pytest.fixture
    def third(self, exchange: Exchange, users: Users, new_phone: NewPhone) -> BaresipDevice:
        """Another one."""
        number = f"9{users.callee}"
        exchange.add_user(number, users.password)
        return BaresipDevice(new_phone(number, exchange.host, THIRD_HZ))

    @pytest.fixture(autouse=True)
    def afterwards(self, exchange: Exchange) -> Iterator[None]:
        """No call is left."""
        yield
        exchange.wait_idle()
        exchange.assert_sane()

    @staticmethod
    def _talks(page: JsSipPhone, other: BaresipDevice, count: int = 1) -> None:
        page.say(f"call {other.number}")
        page.wait("talking", count)
        other.wait("CALL_ESTABLISHED")

    def test_calls_both_ways(self, page: JsSipPhone, other: BaresipDevice) -> None:
        self._talks(page, other)
        page.say("hangup")
        other.wait("CALL_CLOSED")
        other.dial(page.number)
        page.wait(f"called by {other.number}")
        page.wait("talking", 2)
        other.hang_up()
        page.wait("ended by remote")

    def test_hold(self, page: JsSipPhone, other: BaresipDevice) -> None:
        """Both ways; each is a re-INVITE."""
        self._talks(page, other)
        page.say("hold")
        page.wait("held by local")
        page.say("resume")
        page.wait("resumed by local")
        other.hold()
        page.wait("held by remote")
        other.resume()
        page.wait("resumed by remote")
        page.say("hangup")
        other.wait("CALL_CLOSED")

    def test_keys_by_info(self, page: JsSipPhone, other: BaresipDevice) -> None:
        """A phone that has telephone-events gets them so."""
        self._talks(page, other)
        page.say("press 15#")
        other.wait_keys("15#")
        page.say("hangup")
        other.wait("CALL_CLOSED")

    def test_gives_up(
        self, exchange: Exchange, users: Users, page: JsSipPhone, new_phone: NewPhone
    ) -> None:
        slow = BaresipDevice(new_phone(users.callee, exchange.host, OTHER_HZ, answer="manual"))
        page.say(f"call {users.callee}")
        page.wait("ringing")
        slow.wait("CALL_INCOMING")
        page.say("hangup")
        slow.wait("CALL_CLOSED")
        page.wait("failed: Canceled")

    def test_early_media(
        self,
        exchange: Exchange,
        users: Users,
        page: JsSipPhone,
        tmp_path: Path,
        ports: Ports,
        closing: ExitStack,
    ) -> None:
        early = PjsuaTalker(
            tmp_path / "early",
            ports,
            number=users.callee,
            password=users.password,
            server=exchange.host,
            tone_hz=OTHER_HZ,
            patient=True,
        )
        closing.callback(early.close)
        page.say(f"call {users.callee}")
        page.wait(r"media \d+")
        assert "talking" not in page.program.said()
        early.answer(1)
        page.wait("talking")
        page.say("hangup")
        early.wait("state", "DISCONNECTED")

    def test_transfers(
        self, exchange: Exchange, page: JsSipPhone, other: BaresipDevice, third: BaresipDevice
    ) -> None:
        before = len(exchange.records())
        self._talks(page, other)
        page.say(f"transfer {third.number}")
        page.wait("transferred")
        third.wait_tone(OTHER_HZ)
        third.hang_up()
        assert exchange.wait_transferred(before)["transferredBy"] == page.number

    def test_transfers_attended(
        self, exchange: Exchange, page: JsSipPhone, other: BaresipDevice, third: BaresipDevice
    ) -> None:
        before = len(exchange.records())
        self._talks(page, other)
        page.say("hold")
        page.wait("held by local")
        self._talks(page, third, 2)
        page.say("join")
        page.wait("transferred")
        for phone, tone_hz in ((other, THIRD_HZ), (third, OTHER_HZ)):
            phone.wait_sound(tone_hz)
        third.hang_up()
        assert exchange.wait_transferred(before)["transferredBy"] == page.number


def test_wrong_password(
    exchange: Exchange, users: Users, tmp_path: Path, ports: Ports, closing: ExitStack
) -> None:
    phone = JsSipPhone(
        tmp_path,
        url=f"ws://127.0.0.1:{exchange.ws_port}/",
        number=users.caller,
        password="wrong",
        server="127.0.0.1",
        rtp_port=ports.block(2),
    )
    closing.callback(phone.close)
    phone.wait("registration failed: .+")
    assert exchange.users()[users.caller].contacts == []


def test_page_that_is_gone_costs_no_time(phones: Phones, new_page: NewPage) -> None:
    """A closed browser has no address that could be called: the call fails at once."""
    page = new_page(phones.exchange, phones.users.callee, phones.users.password)
    page.close()
    phones.caller(scenario.caller_refused(480)).finish()
    phones.exchange.wait_idle()
    phones.exchange.assert_sane()


def test_page_comes_back_after_a_restart(
    new_exchange: Callable[..., Exchange], new_page: NewPage
) -> None:
    own = new_exchange()
    own.add_user("110", "secret")
    page = new_page(own, "110", "secret")
    assert own.stop() == 0
    page.wait("disconnected")
    own.start()
    page.wait("registered", 2, within_s=40.0)
    own.assert_sane()
