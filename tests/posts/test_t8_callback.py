"""“回呼”业务更新, the post on the call-back service: T8.1 to T8.8 on the running exchange.

Both parties are baresip or sipp; the application server is a socket, the README's example client, or
its line of shell.
"""

import os
import random
import re
import socket
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.carriers import steps
from tests.carriers.lines import add_line, wait_usable
from tests.carriers.odd import OddCarrier
from tests.interop import scenario
from tests.interop.baresip import Baresip
from tests.interop.conftest import PASSWORD
from tests.interop.exchange import Exchange, Record
from tests.interop.phones import Phones, Users
from tests.interop.ports import Ports
from tests.interop.waiting import until
from tests.posts.application_server import ApplicationServer
from tests.posts.conftest import FIRST, SECOND, choose

pytestmark = pytest.mark.interop

NewPhone = Callable[..., Baresip]
NewServer = Callable[..., ApplicationServer]

LOW_HZ, HIGH_HZ = 440.0, 880.0
USUAL_PORT = 5080
README = Path(__file__).parents[2] / "README.md"
README_ZH = README.with_name("README.zh.md")

FAR_END = steps.carrier(
    *steps.taken(),
    scenario.response("180 Ringing"),
    scenario.response("200 OK", sdp=True, retrans=True),
    scenario.expect("ACK"),
    # It is told of the second party's session
    *steps.taken(),
    steps.final("200 OK", sdp=True),
    scenario.expect("ACK"),
    scenario.expect("BYE"),
    scenario.answer_in_dialog(),
)
"""A carrier whose far end takes a call, and then its other party."""


def listening(port: int) -> list[str]:
    """The addresses, as /proc has them, on which UDP sockets are bound to a port."""
    lines = [
        line.split()[1]
        for table in ("udp", "udp6")
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]
    ]
    return [
        address
        for address, _, number in (one.partition(":") for one in lines)
        if int(number, 16) == port
    ]


def records(exchange: Exchange, before: int, count: int = 2) -> list[Record]:
    """Wait for the records of a call-back, the first call's first."""

    def found() -> list[Record] | None:
        made = exchange.records()[before:]
        return sorted(made, key=lambda one: one["setup_time"]) if len(made) >= count else None

    return until("the call-back leaves records", found, 15, why_not=exchange.why)


def talking(exchange: Exchange) -> bool:
    """Whether both calls of a call-back are answered."""
    return [call.state for call in exchange.running_calls()] == ["talking", "talking"]


def test_T8_1_by_default_udp_5080_and_only_this_machine(
    new_exchange: Callable[..., Exchange], closing: ExitStack
) -> None:
    exchange = new_exchange(callback=None)
    assert listening(USUAL_PORT) == ["0100007F"]
    server = ApplicationServer(USUAL_PORT)
    closing.callback(server.close)
    assert server.asks("CANCEL: id=nothing")["result"] == "5"
    assert "udp 127.0.0.1:5080, for 127.0.0.1; 0 going on" in exchange.minisip("status")
    assert "call-back" not in exchange.problems()


def test_T8_2_other_addresses_are_dropped_without_an_answer(
    exchange: Exchange, new_server: NewServer, server: ApplicationServer
) -> None:
    before = exchange.status().callback
    stranger = new_server("127.0.0.2")
    for data in (f"REQUEST: id=x,called1={FIRST},called2={SECOND}", "CANCEL: id=x", b"\x00" * 50):
        stranger.says(data)
    # What comes later is answered, so those before have been looked at
    assert server.asks("CANCEL: id=x") == {"id": "x", "result": "5", "reason": "unknown-id"}
    status = exchange.status().callback
    assert status is not None
    assert before is not None
    assert status.foreign == before.foreign + 3
    assert (status.requests, status.open) == (before.requests, 0)
    assert exchange.running_calls() == []
    assert stranger.next(0.2) is None


def test_T8_3_without_an_address_anybody_is_heard_and_people_are_warned(
    exchange: Exchange, new_server: NewServer, server: ApplicationServer
) -> None:
    said = exchange.minisip("callback", "set", "application_server=")
    assert "ANYBODY" in said
    assert "takes orders from anybody" in exchange.problems()
    assert "ANYBODY" in exchange.minisip("status")
    assert "anybody who can reach the call-back service" in exchange.log()
    stranger = new_server("127.0.0.2")
    assert stranger.asks("CANCEL: id=x")["result"] == "5"
    choose(exchange, application_server="127.0.0.1")
    assert "takes orders from anybody" not in exchange.problems()
    # A fresh one, to whom nothing can be on its way
    stranger = new_server("127.0.0.2")
    stranger.says("CANCEL: id=x")
    # What comes later is answered, so that one has been looked at
    assert server.asks("CANCEL: id=x")["result"] == "5"
    assert stranger.next(0.2) is None


def test_T8_4_port_0_opens_nothing(
    exchange: Exchange, callback_port: int, server: ApplicationServer
) -> None:
    assert listening(callback_port) == ["0100007F"]
    assert "off" in exchange.minisip("callback", "set", "port=0")
    assert listening(callback_port) == []
    # The kernel itself says that nobody is there
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as knocking:
        knocking.connect(("127.0.0.1", callback_port))
        knocking.settimeout(5)
        knocking.send(b"CANCEL: id=x")
        with pytest.raises(ConnectionRefusedError):
            knocking.recv(100)
    choose(exchange, port=callback_port)
    assert server.asks("CANCEL: id=x")["result"] == "5"


def test_T8_5_numbers_as_given_one_outside_and_one_local(
    exchange: Exchange,
    server: ApplicationServer,
    new_phone: NewPhone,
    ports: Ports,
    folder: Path,
    closing: ExitStack,
) -> None:
    """The out-group prefix stands in the request, and nothing is put before a number."""
    carrier = OddCarrier(folder, ports, FAR_END, closing)
    add_line(exchange, "peer", kind="sip-trunk", server=carrier.host)
    closing.callback(lambda: exchange.call("line.remove", name="peer"))
    wait_usable(exchange, "peer")
    before = len(exchange.records())
    phone = new_phone(SECOND, exchange.host, LOW_HZ)
    # Without the prefix, it is a local number, and nobody's
    refused = server.asks(f"REQUEST: id=local,called1=030123456,called2={SECOND}")
    assert (refused["result"], refused["reason"]) == ("4", "no-route")
    asked = f"REQUEST: id=both,called1=9030123456,called2={SECOND},caller1={FIRST}"
    assert server.asks(asked)["result"] == "0"
    assert carrier.got("INVITE").message.start == f"INVITE sip:030123456@{carrier.host} SIP/2.0"
    phone.wait_event("CALL_ESTABLISHED")
    # The carrier's far end sends back what it hears: there and back again
    until("sound comes back", lambda: (phone.try_packets_received() or 0) > 50)
    phone.hang_up()
    told = server.response("both")
    assert (told["result"], told["releasedby"]) == ("0", "callee")
    exchange.wait_idle()
    _, first, second = records(exchange, before, 3)
    assert (first["cdr_type"], first["dialed_number"]) == ("OO", "9030123456")
    assert first["route"].endswith("by line peer")
    assert (second["caller_number"].strip("'"), second["called_number"]) == ("030123456", SECOND)


def test_T8_6_first_the_one_then_the_other_then_both(
    exchange: Exchange, server: ApplicationServer, new_phone: NewPhone
) -> None:
    before = len(exchange.records())
    alice = new_phone(FIRST, exchange.host, LOW_HZ, answer="manual")
    bob = new_phone(SECOND, exchange.host, HIGH_HZ, answer="manual")
    asked = f"REQUEST: id=1,called1={FIRST},called2={SECOND},caller1=5551"
    assert server.asks(asked) == {"id": "1", "result": "0"}
    incoming = alice.wait_event("CALL_INCOMING")
    assert "5551" in incoming.param
    assert bob.events("CALL_INCOMING") == []
    # The same once more is no other call
    assert server.asks(asked)["result"] == "0"
    alice.command("accept")
    incoming = bob.wait_event("CALL_INCOMING")
    assert FIRST in incoming.param
    assert len(exchange.running_calls()) == 2
    bob.command("accept")
    bob.wait_heard(LOW_HZ, 1.0)
    heard = alice.packets_received()
    until("the first party hears the second", lambda: alice.packets_received() > heard + 50)
    bob.hang_up()
    alice.wait_event("CALL_CLOSED")
    told = server.response("1")
    assert (told["result"], told["cause1"], told["cause2"]) == ("0", "16", "16")
    assert told["releasedby"] == "callee"
    assert int(told["duration1"]) >= int(told["duration"]) >= 1
    exchange.wait_idle()
    first, second = records(exchange, before)
    assert (first["caller_number"], first["called_number"]) == ("5551", FIRST)
    assert (second["caller_number"], second["called_number"]) == (FIRST, SECOND)
    assert (first.fci["callTag"], second.fci["callTag"]) == ("102", "202")
    assert first["route"].startswith("call-back 1, first call")
    assert second["route"].startswith("call-back 1, second call")


def test_T8_6_the_second_party_is_busy(
    exchange: Exchange,
    server: ApplicationServer,
    new_phone: NewPhone,
    ports: Ports,
    folder: Path,
    closing: ExitStack,
) -> None:
    before = len(exchange.records())
    alice = new_phone(FIRST, exchange.host, LOW_HZ)
    phones = Phones(exchange, Users(FIRST, SECOND, PASSWORD), folder, ports, closing)
    bob = phones.callee(scenario.callee_refusing("486 Busy Here"))
    assert server.asks(f"REQUEST: id=2,called1={FIRST},called2={SECOND}")["result"] == "0"
    told = server.response("2")
    assert (told["result"], told["cause2"], told["reason"]) == ("12", "17", "callee-rejected")
    alice.wait_event("CALL_CLOSED")
    bob.finish()
    exchange.wait_idle()
    first, second = records(exchange, before)
    assert (first.fci["cause"], second.fci["cause"]) == ("17", "17")
    assert (first.fci["callTag"], second.fci["callTag"]) == ("102", "201")


def test_T8_6_the_application_server_gives_it_up(
    exchange: Exchange, server: ApplicationServer, new_phone: NewPhone
) -> None:
    alice = new_phone(FIRST, exchange.host, LOW_HZ)
    bob = new_phone(SECOND, exchange.host, HIGH_HZ)
    assert server.asks(f"REQUEST: id=3,called1={FIRST},called2={SECOND}")["result"] == "0"
    bob.wait_event("CALL_ESTABLISHED")
    until("both talk", lambda: talking(exchange), 15, why_not=exchange.why)
    assert server.asks("CANCEL: id=3")["result"] == "0"
    for phone in (alice, bob):
        phone.wait_event("CALL_CLOSED")
    told = server.response("3")
    assert (told["result"], told["releasedby"], told["reason"]) == ("0", "as", "application-server")


def test_T8_7_another_port_without_a_restart(
    exchange: Exchange,
    new_server: NewServer,
    server: ApplicationServer,
    new_phone: NewPhone,
    callback_port: int,
    ports: Ports,
) -> None:
    """What miniSIPServer needs a restart for; a call-back that goes on hears nothing of it."""
    pid, other = exchange.pid, ports.one()
    alice = new_phone(FIRST, exchange.host, LOW_HZ, answer="manual")
    assert server.asks(f"REQUEST: id=4,called1={FIRST},called2={SECOND}")["result"] == "0"
    alice.wait_event("CALL_INCOMING")
    choose(exchange, port=other)
    assert (listening(callback_port), listening(other)) == ([], ["0100007F"])
    assert new_server(port=other).asks("CANCEL: id=x")["result"] == "5"
    assert exchange.pid == pid
    alice.hang_up()
    told = server.response("4")
    assert (told["result"], told["releasedby"]) == ("11", "caller")


def test_T8_7_what_was_chosen_holds_after_a_restart(
    new_exchange: Callable[..., Exchange], ports: Ports
) -> None:
    port, other = ports.one(), ports.one()
    exchange = new_exchange(callback=port)
    choose(exchange, port=other)
    assert exchange.stop() == 0
    exchange.start()
    assert (listening(port), listening(other)) == ([], ["0100007F"])


def test_T8_7_a_port_that_is_taken(
    exchange: Exchange, server: ApplicationServer, ports: Ports
) -> None:
    """Calls go on, and a person is told."""
    taken = ports.one()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", taken))
        assert f"no port {taken}" in exchange.minisip("callback", "set", f"port={taken}")
        assert f"cannot listen on UDP port {taken}" in exchange.problems()
    # As soon as it is free, it is had
    until("the port is open", lambda: listening(taken) == ["0100007F"], 20)


def test_T8_8_garbage_changes_nothing(exchange: Exchange, server: ApplicationServer) -> None:
    dice = random.Random(8)
    said = len(exchange.log().splitlines())
    for count in range(3000):
        server.says(dice.randbytes(dice.randrange(1, 200)))
        if count % 100 == 0:
            server.says(dice.randbytes(60_000))
            # No faster than it is read
            assert server.asks("CANCEL: id=x")["result"] == "5"
    status = exchange.status().callback
    assert status is not None
    # As much as the kernel had room for
    assert status.garbage > 1000
    assert status.open == 0
    assert len(exchange.log().splitlines()) < said + 10
    exchange.assert_sane()


def code_block(path: Path, begins: str) -> str:
    """Return the README's block of code that has this in it."""
    blocks = re.findall(r"```\w*\n(.*?)```", path.read_text("utf-8"), re.DOTALL)
    found: str
    (found,) = [block for block in blocks if begins in block]
    return found


@pytest.mark.parametrize("readme", [README, README_ZH])
def test_the_readme_s_client_in_python(
    exchange: Exchange,
    server: ApplicationServer,
    new_phone: NewPhone,
    callback_port: int,
    folder: Path,
    readme: Path,
) -> None:
    new_phone(FIRST, exchange.host, LOW_HZ)
    bob = new_phone(SECOND, exchange.host, HIGH_HZ)
    text = code_block(readme, "import socket")
    program = folder / "call_back.py"
    program.write_text(text.replace("5080", str(callback_port)), "utf-8")
    argv = [sys.executable, str(program), FIRST, SECOND]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as client:
        bob.wait_event("CALL_ESTABLISHED")
        bob.hang_up()
        printed, _ = client.communicate(timeout=30)
    assert client.returncode == 0
    assert "result=0" in printed
    assert "releasedby=callee" in printed


@pytest.mark.parametrize("readme", [README, README_ZH])
def test_the_readme_s_line_of_shell(
    exchange: Exchange,
    server: ApplicationServer,
    new_phone: NewPhone,
    callback_port: int,
    readme: Path,
) -> None:
    # Not the same request once more
    first, second = (FIRST, SECOND) if readme is README else (SECOND, FIRST)
    phone = new_phone(first, exchange.host, LOW_HZ, answer="manual")
    line = code_block(readme, "/dev/udp/").replace("called1=100", f"called1={first}")
    # The port last: it may have any digits in it
    line = line.replace("101", second).replace("5080", str(callback_port))
    done = subprocess.run(
        ["bash", "-c", line],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        env={**os.environ, "LC_ALL": "C"},
    )
    assert re.search(r"ACK: id=\w+,result=0", done.stdout), done
    phone.wait_event("CALL_INCOMING")
