"""What a new owner reads first: addresses, passwords, QR codes, five lines."""

import asyncio
import signal
from pathlib import Path

import pytest
import segno

from pbx.api.server import ControlServer
from tests.api.fakes import PASSWORDS, FakeExchange
from tests.tui.program import CHINESE, ENGLISH, minisip, outcome, start
from tui.report import best_address, qr_code

URL = "http://192.0.2.1:8080/provision/{}.xml"
BLOCKS = "█▀▄"


@pytest.fixture
def _with_http(exchange: FakeExchange) -> None:
    exchange.provisioning_url = lambda number: URL.format(number * 8)


@pytest.mark.usefixtures("_with_http")
class TestWelcome:
    @pytest.mark.parametrize(
        ("locale", "lines"),
        [
            (
                ENGLISH,
                [
                    "To register two phones, enter in each:",
                    "  Server     192.0.2.1",
                    "  Transport  UDP",
                    "  User       100 in one, 101 in the other",
                    "  Password   first-secret for 100, second-secret for 101",
                    "  Then dial  101 from 100",
                ],
            ),
            (
                CHINESE,
                [
                    "注册两部话机，请在每部话机上填写：",
                    "  服务器    192.0.2.1",
                    "  传输方式  UDP",
                    "  用户      一部填 100，另一部填 101",
                    "  密码      100 用 first-secret，101 用 second-secret",
                    "  然后拨打  从 100 拨 101",
                ],
            ),
        ],
    )
    async def test_how_to_register_two_phones(
        self, server: Path, locale: str, lines: list[str]
    ) -> None:
        ran = await minisip(server, "welcome", locale=locale)
        assert (ran.code, ran.err) == (0, "")
        assert ran.out.splitlines()[-6:] == lines

    async def test_addresses_passwords_and_codes(self, server: Path) -> None:
        ran = await minisip(server, "welcome")
        assert "  tcp [2001:db8::1]:5060\n  udp 127.0.0.1:5060\n  udp 192.0.2.1:5060\n" in ran.out
        for number, password in (("100", "first"), ("101", "second"), ("102", "third")):
            url = URL.format(number * 8)
            assert f"User {number}, password {password}-secret\n" in ran.out
            assert f"{url}\n" in ran.out
            assert "\n".join(qr_code(url)) in ran.out

    async def test_a_terminal_without_blocks_gets_the_address_alone(self, server: Path) -> None:
        ran = await minisip(server, "welcome", PYTHONIOENCODING="latin-1")
        assert (ran.code, ran.err) == (0, "")
        assert URL.format("100" * 8) in ran.out
        assert not set(BLOCKS) & set(ran.out)

    async def test_one_user_left(self, server: Path, exchange: FakeExchange) -> None:
        exchange.initial = {"102": "third-secret"}
        ran = await minisip(server, "welcome")
        assert "User 102, password third-secret" in ran.out
        assert "To register two phones" not in ran.out

    async def test_nobody_left(self, server: Path, exchange: FakeExchange) -> None:
        exchange.initial = {}
        ran = await minisip(server, "welcome")
        assert "`minisip user password NUMBER` makes a new one." in ran.out


async def test_without_http(server: Path) -> None:
    ran = await minisip(server, "welcome")
    assert "User 100, password first-secret" in ran.out
    assert "http" not in ran.out
    assert not set(BLOCKS) & set(ran.out)


class TestWait:
    async def test_for_an_exchange_that_is_starting(
        self, folder: Path, exchange: FakeExchange
    ) -> None:
        path = folder / "s"
        knocked = asyncio.Event()

        def knock(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            knocked.set()
            writer.transport.abort()

        starting = await asyncio.start_unix_server(knock, path)
        process = await start("--socket", path, "welcome", "--wait", "50")
        await knocked.wait()
        starting.close()
        running = ControlServer(exchange, path)
        await running.start()
        ran = await outcome(process)
        await running.stop()
        assert (ran.code, ran.err) == (0, "")

    async def test_in_vain(self, folder: Path) -> None:
        ran = await minisip(folder / "s", "welcome", "--wait", "0.2")
        assert ran.code == 69
        assert ran.err == f"minisip: The exchange is not running (nothing answers on {folder}/s).\n"

    async def test_until_control_c(self, folder: Path) -> None:
        knocked = asyncio.Event()

        def knock(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            knocked.set()
            writer.transport.abort()

        starting = await asyncio.start_unix_server(knock, folder / "s")
        process = await start("--socket", folder / "s", "welcome", "--wait", "50")
        await knocked.wait()
        process.send_signal(signal.SIGINT)
        ran = await outcome(process)
        starting.close()
        assert (ran.code, ran.out, ran.err) == (130, "", "")


def test_the_code_is_drawn_light_on_dark_with_a_margin() -> None:
    url = URL.format("ab" * 16)
    # ▀: light above dark. Every module but those of the code itself is light.
    halves = {"█": (0, 0), "▀": (0, 1), "▄": (1, 0), " ": (1, 1)}
    pairs = [[halves[char] for char in line] for line in qr_code(url)]
    rows = [[pair[half] for pair in line] for line in pairs for half in (0, 1)]
    matrix = [list(row) for row in segno.make(url, error="l", micro=False).matrix_iter(border=2)]
    assert rows[: len(matrix)] == matrix
    assert not any(any(row) for row in rows[:2])
    assert max(map(len, qr_code(url))) <= 60


@pytest.mark.parametrize(
    ("addresses", "best"),
    [
        (["tcp 192.0.2.1:5060", "udp 192.0.2.1:5060"], ("UDP", "192.0.2.1")),
        (["udp 127.0.0.1:5060", "udp 192.0.2.1:5070"], ("UDP", "192.0.2.1:5070")),
        (["udp [2001:db8::1]:5060", "udp 192.0.2.1:5060"], ("UDP", "192.0.2.1")),
        (["udp [::1]:5060", "udp [2001:db8::1]:5060"], ("UDP", "[2001:db8::1]")),
        (["tcp 192.0.2.1:5060"], ("TCP", "192.0.2.1")),
        ([], ("", "")),
    ],
)
def test_best_address(addresses: list[str], best: tuple[str, str]) -> None:
    assert best_address(addresses) == best


async def test_colours_of_the_code_on_a_terminal(server: Path, exchange: FakeExchange) -> None:
    exchange.provisioning_url = URL.format
    ran = await minisip(server, "welcome", FORCE_COLOR="1", TERM="xterm-256color")
    assert ran.out.count("\x1b[97;40m") == sum(len(qr_code(URL.format(n))) for n in PASSWORDS)
