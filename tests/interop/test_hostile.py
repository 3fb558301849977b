"""What no honest phone sends: the right answer or silence, and afterwards everything still works."""

import random
import socket
from collections.abc import Callable, Iterator

import msgspec
import pytest

from pbx.api.schema import Health
from pbx.registrar.guessing import MOST_OF_ACCOUNT
from tests.interop import scenario
from tests.interop.baresip import Baresip
from tests.interop.conftest import PASSWORD
from tests.interop.exchange import Exchange
from tests.interop.phones import Phones
from tests.interop.raw import RawPeer
from tests.interop.sipp import Load, Sipp, account
from tests.interop.waiting import until

pytestmark = pytest.mark.interop


TONE_HZ = 440.0
UDP_LIMIT = 65507
"""The most octets that one datagram of IPv4 can carry."""


@pytest.fixture(autouse=True)
def _still_works(phones: Phones) -> Iterator[None]:
    yield
    callee = phones.callee(scenario.callee(), name="afterwards-callee")
    phones.caller(scenario.caller(), name="afterwards", load=Load(talk_ms=200)).finish()
    callee.finish()
    phones.exchange.wait_idle()
    phones.exchange.assert_sane()


@pytest.fixture
def peer(phones: Phones) -> Iterator[RawPeer]:
    """Yield a peer that knows the caller's password."""
    raw = RawPeer(phones.exchange.port, phones.users.caller, phones.users.password)
    yield raw
    raw.close()


@pytest.mark.parametrize("user", ["", "no-such-user", "0"])
def test_a_wrong_password_or_user_never_registers(phones: Phones, user: str) -> None:
    """The same answer whether the user exists or not: nobody can find out who does."""
    who = account(phones.ports, user or phones.users.caller, "wrong", phones.exchange.host)
    sipp = Sipp("intruder", phones.folder, scenario.registration_refused(), who)
    phones.closing.callback(sipp.close)
    sipp.finish()
    registered = [u.number for u in phones.exchange.users().values() if u.contacts]
    assert who.user not in registered


def test_a_wrong_password_makes_no_call(phones: Phones) -> None:
    who = account(phones.ports, phones.users.caller, "wrong", phones.exchange.host)
    phones.caller(scenario.caller_rejected(), at=who).finish()
    assert phones.exchange.running_calls() == []


def test_guessing_comes_to_an_end_and_costs_nobody_else_anything(
    phones: Phones, new_phone: Callable[..., Baresip]
) -> None:
    """All at one address, as in an office behind a NAT: who guesses, and phones that know it."""
    exchange, number = phones.exchange, f"{phones.users.caller}9"
    exchange.add_user(number, PASSWORD)
    phone = new_phone(number, exchange.host, TONE_HZ)
    who = account(phones.ports, number, "wrong", exchange.host)
    load = Load(calls=MOST_OF_ACCOUNT)
    guesser = Sipp("guesser", phones.folder, scenario.registration_refused(), who, load=load)
    phones.closing.callback(guesser.close)
    guesser.finish()
    # Even the right one isn't looked at any more, from another port either
    who = account(phones.ports, number, PASSWORD, exchange.host)
    late = Sipp("late", phones.folder, scenario.registration_unheard(), who)
    phones.closing.callback(late.close)
    late.finish()
    stranger = Baresip(
        phones.folder / "stranger",
        phones.ports,
        number=number,
        password="wrong",
        server=exchange.host,
        tone_hz=TONE_HZ,
    )
    phones.closing.callback(stranger.close)
    until(
        "baresip is told why",
        lambda: "503 Too Many Wrong Passwords" in stranger.program.said(),
        why_not=stranger.why,
    )
    told = msgspec.json.decode(exchange.call("health"), type=Health).problems
    assert [one.values for one in told if one.slug == "password-guessing"] == [
        {"source": "127.0.0.1"}
    ]
    # The phone that is registered goes on; `_still_works` has others register from there
    phone.dial("*43")
    phone.wait_heard(TONE_HZ, 0.5)
    phone.hang_up()


def test_nobody_calls_in_anothers_name(phones: Phones) -> None:
    """The password of one user does not open another one's account."""
    raw = RawPeer(phones.exchange.port, phones.users.callee, "secret-of-nobody")
    phones.closing.callback(raw.close)
    answer = raw.ask("INVITE", f"sip:{phones.users.caller}@{raw.server}")
    assert answer
    assert answer.status in (403, 407)


FORBIDDEN = (
    "1 01",
    "10\x011",
    "10%00%0d%0aEvil:%20yes",
    "=cmd|'/C calc'!A0",
    "%3Dcmd%7C",
    '10"1',
    "<script>",
    "一零一",
    "10\udcff1",
    "1" * 300,
    "../../etc/passwd",
    "%",
    "%zz",
    "101;DROP TABLE users",
)


def test_forbidden_characters_are_refused(peer: RawPeer, phones: Phones) -> None:
    for number in FORBIDDEN:
        answer = peer.ask("INVITE", f"sip:{number}@{peer.server}")
        if answer is not None:
            assert answer.status in (400, 404, 414, 416, 484), (number, answer.text)
            assert "\nEvil: yes" not in answer.text
    for record in phones.exchange.records():
        assert None not in record.fields
        assert not any(value.startswith(("=", "@", "+")) for value in record.fields.values())


def test_an_invite_without_contact_is_a_bad_request(peer: RawPeer, phones: Phones) -> None:
    answer = peer.ask("INVITE", f"sip:{phones.users.callee}@{peer.server}", contact=False)
    assert answer
    assert answer.status == 400


def test_the_biggest_datagram(peer: RawPeer, phones: Phones) -> None:
    uri = f"sip:{phones.users.callee}@{peer.server}"
    bare = len(peer.request("OPTIONS", uri, "Subject: "))
    padding = "x" * (UDP_LIMIT - bare)
    one_header = peer.request("OPTIONS", uri, f"Subject: {padding}")
    many_headers = peer.request("OPTIONS", uri, *["X: y"] * 10000)[:UDP_LIMIT]
    body = peer.request("MESSAGE", uri, body="x" * (UDP_LIMIT - bare))[:UDP_LIMIT]
    for data in (b"\0" * UDP_LIMIT, b"A" * UDP_LIMIT, one_header, many_headers, body):
        peer.send(data)
        answer = peer.receive(1)
        assert answer is None or 200 <= answer.status < 600
    assert len(one_header) == UDP_LIMIT


def test_random_bytes(peer: RawPeer) -> None:
    numbers = random.Random(5060)
    for _ in range(3000):
        peer.send(numbers.randbytes(numbers.randrange(1500)))


def test_broken_requests(peer: RawPeer, phones: Phones) -> None:
    """Real messages with some octets changed, lost or doubled: the parser gets far into them."""
    numbers = random.Random(3261)
    methods = ("INVITE", "REGISTER", "OPTIONS", "BYE", "CANCEL", "ACK", "SUBSCRIBE", "NOTIFY")
    for _ in range(3000):
        uri = f"sip:{phones.users.callee}@{peer.server}"
        data = bytearray(peer.request(numbers.choice(methods), uri, "Expires: 60"))
        for _ in range(numbers.randrange(1, 6)):
            at = numbers.randrange(len(data))
            match numbers.randrange(3):
                case 0:
                    data[at] = numbers.randrange(256)
                case 1:
                    del data[at : at + numbers.randrange(1, 20)]
                case _:
                    data[at:at] = data[at : at + numbers.randrange(1, 20)]
            data = data or bytearray(b"x")
        peer.send(bytes(data))


def test_random_bytes_by_tcp(exchange: Exchange) -> None:
    numbers = random.Random(793)
    for _ in range(50):
        with socket.create_connection(("127.0.0.1", exchange.port), 5) as link:
            try:
                link.sendall(numbers.randbytes(numbers.randrange(1, 100_000)))
            except (BrokenPipeError, ConnectionResetError):
                # It hung up on us: that is right.
                continue


def test_a_message_without_end_by_tcp(exchange: Exchange) -> None:
    """Nobody may fill the exchange's memory: it hangs up."""
    with socket.create_connection(("127.0.0.1", exchange.port), 5) as link:
        link.settimeout(10)
        endless = b"OPTIONS sip:x SIP/2.0\r\n" + b"X: y\r\n" * 10_000_000
        with pytest.raises((BrokenPipeError, ConnectionResetError)):
            link.sendall(endless)
