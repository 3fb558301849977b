"""A line's Contact behind a router that translates addresses (RFC 3581)."""

import itertools
from collections.abc import Iterator

import pytest

from pbx.config.line import Line
from pbx.lines.public_address import seen_by
from pbx.lines.registration import CORRECTION_GAP_S
from pbx.sip.flow import Address
from pbx.sip.message import Request, Response
from tests.lines.carrier import (
    LINE,
    TRUNK,
    Carrier,
    Does,
    Machine,
    line,
    path,
    registrar,
    strict,
)

HOME = "192.168.1.5"
OUTSIDE = "203.0.113.7"

PRIVATE = f"<sip:100@{HOME}:5060>"


def public(port: int, host: str = OUTSIDE) -> str:
    return f"<sip:100@{host}:{port}>"


class Router:
    """A router, as the carrier behind it sees it: each answer tells where the request came from.

    Args:
        does: what the carrier answers.
        ports: of each request in turn.
    """

    def __init__(self, does: Does, ports: Iterator[int] | None = None) -> None:
        self.host = OUTSIDE
        self.does = does
        self.ports = itertools.repeat(40000) if ports is None else ports

    def __call__(self, carrier: Carrier, request: Request) -> Response | None:
        response = self.does(carrier, request)
        if response is not None:
            via = request.via.with_params(received=self.host, rport=str(next(self.ports)))
            response.remove("Via")
            response.prepend("Via", str(via))
        return response


def behind(does: Does, one: Line) -> tuple[Machine, Carrier]:
    machine = Machine(one, home=HOME)
    carrier = machine.carrier(does, one.server)
    machine.begin()
    return machine, carrier


def contacts(carrier: Carrier) -> list[list[str]]:
    """The Contacts of each REGISTER since the last time."""
    return [request.values("Contact") for request in carrier.all() if request.method == "REGISTER"]


class TestPrivate:
    def test_unless_it_is_asked_for(self) -> None:
        machine, carrier = behind(Router(strict()), LINE)
        assert contacts(carrier) == [[PRIVATE], [PRIVATE]]
        assert machine.state().public == f"{OUTSIDE}:40000"

    def test_without_a_router_there_is_nothing_to_tell(self) -> None:
        machine, _ = behind(registrar(), LINE)
        assert machine.state().public == ""


class TestLearned:
    def test_the_challenge_tells_it(self) -> None:
        machine, carrier = behind(Router(strict()), line(contact_address="learned"))
        assert contacts(carrier) == [[PRIVATE], [public(40000)]]
        machine.advance(1.0)
        assert contacts(carrier) == []
        assert machine.state().usable

    def test_without_a_challenge_it_registers_once_more(self) -> None:
        machine, carrier = behind(Router(registrar()), line(contact_address="learned"))
        assert contacts(carrier) == [[PRIVATE], [public(40000), f"{PRIVATE};expires=0"]]
        machine.advance(1.0)
        assert contacts(carrier) == []

    def test_a_refresh_says_the_same(self) -> None:
        machine, carrier = behind(Router(registrar()), line(contact_address="learned"))
        contacts(carrier)
        machine.advance(580.0)
        assert contacts(carrier) == [[public(40000)]]

    def test_a_carrier_that_tells_nothing(self) -> None:
        _, carrier = behind(registrar(), line(contact_address="learned"))
        assert contacts(carrier) == [[PRIVATE]]

    def test_a_router_with_another_port_each_time_is_no_loop(self) -> None:
        router = Router(registrar(), itertools.count(40000))
        options = {"contact_address": "learned", "keep_alive": "options", "keep_alive_s": 10.0}
        machine, carrier = behind(router, line(**options, expires_s=3600))
        assert contacts(carrier) == [[PRIVATE], [public(40000), f"{PRIVATE};expires=0"]]
        machine.advance(CORRECTION_GAP_S - 1)
        assert contacts(carrier) == []
        machine.advance(2 * CORRECTION_GAP_S)
        assert len(contacts(carrier)) == 2
        assert machine.state().usable

    def test_the_routers_new_address_is_registered_at_the_next_sign_of_life(self) -> None:
        router = Router(registrar())
        options = {"contact_address": "learned", "keep_alive": "options", "keep_alive_s": 30.0}
        machine, carrier = behind(router, line(**options, expires_s=3600))
        machine.advance(1000.0)
        contacts(carrier)
        router.host = "203.0.113.99"
        machine.advance(31.0)
        assert contacts(carrier) == [
            [public(40000, "203.0.113.99"), f"{public(40000)};expires=0"],
        ]

    def test_signing_off_takes_it_away(self) -> None:
        machine, carrier = behind(Router(registrar()), line(contact_address="learned"))
        contacts(carrier)
        machine.stop()
        assert contacts(carrier) == [[public(40000)]]

    def test_our_own_new_address_forgets_it(self) -> None:
        machine, carrier = behind(Router(registrar()), line(contact_address="learned"))
        contacts(carrier)
        machine.moves("192.168.1.6")
        moved = "<sip:100@192.168.1.6:5060>"
        assert contacts(carrier)[0] == [moved, f"{public(40000)};expires=0"]

    def test_by_a_connection(self) -> None:
        options = {"contact_address": "learned", "transport": "tcp"}
        machine, carrier = behind(Router(registrar()), line(**options))
        machine.advance(1.0)
        first, second = contacts(carrier)
        assert first == [f"<sip:100@{HOME}:5060;transport=tcp>"]
        assert second[0] == f"<sip:100@{OUTSIDE}:40000;transport=tcp>"
        assert [flow.connection for flow in machine.lines.flows] == [1]

    def test_the_option_is_set_later(self) -> None:
        machine, carrier = behind(Router(registrar()), LINE)
        assert contacts(carrier) == [[PRIVATE]]
        machine.configure(line(contact_address="learned"))
        assert contacts(carrier) == [[public(40000), f"{PRIVATE};expires=0"]]
        machine.configure(LINE)
        assert contacts(carrier) == [[PRIVATE, f"{public(40000)};expires=0"]]

    def test_a_trunk_learns_by_its_options(self) -> None:
        one = Line(name="peer", kind="sip-trunk", server=TRUNK.server, contact_address="learned")
        machine, carrier = behind(Router(registrar()), one)
        assert [each.get("Contact") for each in carrier.all()] == [f"<sip:peer@{HOME}:5060>"]
        machine.advance(31.0)
        assert [each.get("Contact") for each in carrier.all()] == [f"<sip:peer@{OUTSIDE}:40000>"]


@pytest.mark.parametrize(
    ("option", "contact"),
    [
        ("203.0.113.7", public(5060)),
        ("203.0.113.7:5066", public(5066)),
        ("office.example", "<sip:100@office.example:5060>"),
        ("[2001:db8::7]:5066", "<sip:100@[2001:db8::7]:5066>"),
    ],
)
def test_a_fixed_address(option: str, contact: str) -> None:
    machine, carrier = behind(Router(strict()), line(contact_address=option))
    machine.advance(1.0)
    assert contacts(carrier) == [[contact], [contact]]


class TestSeenBy:
    @pytest.mark.parametrize(
        ("params", "seen"),
        [
            ({"received": OUTSIDE, "rport": "40000"}, Address(OUTSIDE, 40000)),
            ({"rport": "40000"}, Address(HOME, 40000)),
            ({"received": OUTSIDE}, Address(OUTSIDE, 5060)),
            ({"received": "[2001:db8::1]", "rport": "1"}, Address("2001:db8::1", 1)),
            ({"rport": ""}, None),
            ({}, None),
            ({"received": "evil.example", "rport": "5060"}, None),
            ({"received": "0.0.0.0", "rport": "5060"}, None),
            ({"received": "224.0.0.1", "rport": "5060"}, None),
            ({"received": OUTSIDE, "rport": "0"}, None),
            ({"received": OUTSIDE, "rport": "65536"}, None),
            ({"received": OUTSIDE, "rport": "9" * 5000}, None),
            ({"received": OUTSIDE, "rport": "²"}, None),
        ],
    )
    def test_nothing_is_believed_that_cannot_be(
        self, params: dict[str, str], seen: Address | None
    ) -> None:
        text = "".join(
            f";{name}={value}" if value else f";{name}" for name, value in params.items()
        )
        via = f"SIP/2.0/UDP {HOME}:5060;branch=z9hG4bK1{text}"
        assert seen_by(Response(200, "OK", [("Via", via)])) == seen


class TestSound:
    @pytest.mark.parametrize(
        ("option", "address"),
        [("", ""), ("learned", OUTSIDE), ("198.51.100.77", "198.51.100.77"), ("2001:db8::7", "")],
    )
    def test_what_the_option_says(self, option: str, address: str) -> None:
        """An address of another kind than the path's is of no use there."""
        one = line(sdp_address=option)
        machine, _ = behind(Router(registrar()), one)
        assert machine.lines.public("telco").of_sound(one, path(machine).flow) == address

    def test_nothing_learned_is_nothing_changed(self) -> None:
        one = line(sdp_address="learned")
        machine, _ = behind(registrar(), one)
        assert machine.lines.public("telco").of_sound(one, path(machine).flow) == ""
