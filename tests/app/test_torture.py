"""The torture messages of RFC 4475 and RFC 5118 against the running exchange, by UDP and by TCP."""

import itertools
import re
import socket
from collections.abc import Iterator

import pytest

from tests.app.conftest import NewPhone
from tests.app.daemon import Daemon
from tests.interop.ports import Ports
from tests.torture.expected import EXPECTED
from tests.torture.messages import NAMES, octets

WITHIN_S = 10.0
PING = b"\r\n".join(
    (
        b"OPTIONS sip:127.0.0.1 SIP/2.0",
        b"Via: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bK%(name)s;rport",
        b"Max-Forwards: 70",
        b"From: <sip:ping@127.0.0.1>;tag=ping",
        b"To: <sip:127.0.0.1>",
        b"Call-ID: %(name)s",
        b"CSeq: 1 OPTIONS",
        b"Content-Length: 0",
        b"",
        b"",
    )
)
_BRANCH_RE = re.compile(rb"branch=z9hG4bK[^;\s]+")
_NAMES = itertools.count(1)


@pytest.fixture(scope="module", params=["udp", "tcp"])
def transport(request: pytest.FixtureRequest) -> str:
    """How the messages come."""
    return str(request.param)


@pytest.fixture(scope="module")
def daemon(ports_of_file: Ports, transport: str) -> Iterator[Daemon]:
    """An exchange for one transport, which has outlived it all without a complaint.

    One for both would take the second copy of a message for its repetition, and be right.
    """
    daemon = Daemon(ports_of_file)
    try:
        daemon.start()
        yield daemon
        assert daemon.running
        assert "Traceback" not in daemon.log
    finally:
        daemon.close()


def _status(data: bytes) -> int:
    match = re.match(rb"SIP/2\.0 ([1-6][0-9][0-9]) ", data)
    assert match is not None, data
    return int(match[1])


def _sent_by_port(data: bytes) -> int:
    """Where an element of the first Via listens (RFC 3261 §18.2.2)."""
    match = re.search(rb"\n(?:v|via)[^\n]*?[\w.\]]:([0-9]+)[;\s]", data, re.IGNORECASE)
    return int(match[1]) if match else 5060


def _unlike_others(name: str) -> bytes:
    """The message; with a branch of its own where the RFCs use one for two requests."""
    data = octets(name)
    for other in NAMES[: NAMES.index(name)]:
        shared = set(_BRANCH_RE.findall(data)) & set(_BRANCH_RE.findall(octets(other)))
        for branch in shared:
            data = data.replace(branch, branch + b"-" + name.encode())
    return data


def _by_udp(daemon: Daemon, data: bytes, host: str) -> list[int]:
    """What comes back to an address of the message's own, where its Via says that it listens."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.bind((host, _sent_by_port(data)))
        peer.settimeout(WITHIN_S)
        peer.sendto(data, ("127.0.0.1", daemon.port))
        # Datagrams are taken in their order: what comes before the answer to this one is all.
        peer.sendto(PING % {b"name": b"ping%d" % next(_NAMES)}, ("127.0.0.1", daemon.port))
        answers: list[bytes] = []
        while b"\r\nCall-ID: ping" not in (answer := peer.recv(65_535)):
            answers.append(answer)
        assert _status(answer) == 200
    # An INVITE's failure is repeated until its ACK comes.
    return [_status(answer) for answer in dict.fromkeys(answers)]


def _by_tcp(daemon: Daemon, data: bytes) -> list[int]:
    with socket.create_connection(("127.0.0.1", daemon.port), WITHIN_S) as peer:
        peer.sendall(data)
        peer.shutdown(socket.SHUT_WR)
        stream = b""
        while piece := peer.recv(65_535):
            stream += piece
    answers = re.split(rb"(?<=\r\n\r\n)(?=SIP/)", stream) if stream else []
    return [_status(answer) for answer in answers]


@pytest.mark.parametrize("name", NAMES)
def test_it_is_answered_as_its_rfc_wants(daemon: Daemon, transport: str, name: str) -> None:
    if transport == "udp":
        statuses = _by_udp(daemon, _unlike_others(name), f"127.44.75.{NAMES.index(name) + 1}")
    else:
        statuses = _by_tcp(daemon, octets(name))
    assert statuses == EXPECTED[name].over(transport), EXPECTED[name].why


def test_phones_are_served_afterwards(daemon: Daemon, new_phone: NewPhone) -> None:
    alice, bob = new_phone(daemon, "100"), new_phone(daemon, "101")
    request = alice.make("OPTIONS", f"sip:{bob.number}@{alice.server}")
    assert alice.ask(request).status == 200
