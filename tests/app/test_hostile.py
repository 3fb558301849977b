"""Thousands of broken and hostile messages: the exchange answers rightly or stays silent, and lives."""

import random
import socket
from collections.abc import Iterator

import pytest

from tests.app.conftest import NewPhone
from tests.app.daemon import Daemon
from tests.app.phone import Phone

METHODS = ("INVITE", "ACK", "BYE", "CANCEL", "OPTIONS", "REGISTER", "SUBSCRIBE", "INFO", "X")

PIECES = (
    b"\r\n",
    b"\r\n\r\n",
    b"\0",
    b"%00",
    b"\xff\xfe",
    b"\x1b[2J",
    b"-1",
    b"99999999999999999999",
    b";lr",
    b"<",
    b'"',
    b"sip:",
    b"SIP/2.0",
    b",",
    b"\r\n ",
    b"Content-Length: 3\r\n",
    b"Via: SIP/2.0/TCP ::1;branch=\r\n",
    "\u202e".encode(),
)

BATCH = 100
"""Datagrams between two questions whether it still lives; so none is lost in a full queue."""


def _body(numbers: random.Random) -> bytes:
    return numbers.choice(
        (b"", b"v=0\r\n", b"v=0\r\no=- 1 1 IN IP4 ::\r\nm=audio -1 x 0\r\n", b"\0" * 40)
    )


def _request(phone: Phone, numbers: random.Random) -> bytes:
    method = numbers.choice(METHODS)
    more = [
        ("Content-Type", "application/sdp"),
        ("Authorization", 'Digest username="\x1b", realm="x", nonce="", uri="", response=""'),
        ("Require", "100rel"),
        ("Route", "<sip:127.0.0.1;lr>"),
        ("Expires", "-5"),
        ("Contact", "*"),
        ("Record-Route", "<sip:[::1]>,,<x"),
    ]
    request = phone.make(
        method,
        f"sip:{numbers.choice(('100', '101', '', '%00', '1@2'))}@{phone.server}",
        *numbers.sample(more, numbers.randrange(3)),
        body=_body(numbers),
    )
    return bytes(request.encode())


def _mutated(data: bytes, numbers: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(numbers.randrange(1, 6)):
        at = numbers.randrange(len(changed) + 1)
        match numbers.randrange(4):
            case 0:
                changed[at:at] = numbers.choice(PIECES)
            case 1:
                del changed[at : at + numbers.randrange(1, 30)]
            case 2:
                changed[at : at + 1] = bytes([numbers.randrange(256)])
            case _:
                other = numbers.randrange(len(changed) + 1)
                changed[at:at] = changed[other : other + 50]
    return bytes(changed)


def _hostile(phone: Phone, seed: int, count: int) -> Iterator[bytes]:
    numbers = random.Random(seed)
    for number in range(count):
        if number % 10 == 0:
            yield numbers.randbytes(numbers.randrange(0, 1500))
        else:
            yield _mutated(_request(phone, numbers), numbers)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
@pytest.mark.parametrize("seed", [2026, 5060])
def test_by_udp(shared: Daemon, new_phone: NewPhone, host: str, seed: int) -> None:
    attacker, honest = new_phone(shared, host=host), new_phone(shared, host=host)
    for number, data in enumerate(_hostile(attacker, seed, 2000)):
        attacker.send(data)
        if number % BATCH == 0:
            assert honest.options() == 200
    assert honest.options() == 200
    shared.assert_sane()


def test_by_tcp(shared: Daemon, new_phone: NewPhone) -> None:
    """Each broken connection is ended; the honest one isn't."""
    honest = new_phone(shared, transport="tcp")
    attacker = new_phone(shared)
    for number, data in enumerate(_hostile(attacker, 18, 600)):
        with socket.create_connection(("127.0.0.1", shared.port), 10) as end:
            try:
                end.sendall(data.replace(b"SIP/2.0/UDP", b"SIP/2.0/TCP") + data)
                end.shutdown(socket.SHUT_WR)
                while end.recv(65536):
                    pass
            except (ConnectionError, BrokenPipeError):
                # It hung up on us: that is right.
                continue
        if number % BATCH == 0:
            assert honest.options() == 200
    assert honest.options() == 200
    shared.assert_sane()


def test_answers_to_nothing(shared: Daemon, new_phone: NewPhone) -> None:
    """Responses that nobody waits for, broken ones among them."""
    attacker, honest = new_phone(shared), new_phone(shared)
    numbers = random.Random(17)
    for _ in range(500):
        request = attacker.make(numbers.choice(METHODS), f"sip:{attacker.server}")
        start = f"SIP/2.0 {numbers.randrange(1000)} \x1b[31m".encode()
        data = bytes(request.encode()).partition(b"\r\n")
        attacker.send(_mutated(start + data[1] + data[2], numbers))
    assert honest.options() == 200
    shared.assert_sane()


def test_it_holds_nothing_of_them(shared: Daemon) -> None:
    status = shared.status()
    assert status.calls == 0
    assert status.streams_free == 10
