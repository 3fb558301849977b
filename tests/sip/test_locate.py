"""Locating SIP servers: RFC 3263 §4, RFC 2782."""

from collections import Counter
from dataclasses import replace

import pytest

from pbx.sip.flow import Address, Flow
from pbx.sip.locate import MOST_PLACES, Answer, Kind, Naptr, Place, Question, Record, Srv, locate
from pbx.sip.locator import LEAST_TTL_S, MOST_OPEN, MOST_REMEMBERED, Locator
from pbx.sip.uri import SipUri, parse_uri

FLOW = Flow("udp", Address("192.0.2.1", 5060), Address("192.0.2.7", 40000))
SIX = Flow("udp", Address("2001:db8::1", 5060), Address("2001:db8::7", 40000))

Zone = dict[Question, tuple[Record, ...]]


def a(name: str) -> Question:
    return Question(Kind.A, name)


def srv(name: str) -> Question:
    return Question(Kind.SRV, name)


def naptr(name: str) -> Question:
    return Question(Kind.NAPTR, name)


def sip(text: str) -> SipUri:
    uri = parse_uri(text)
    assert isinstance(uri, SipUri)
    return uri


def found(
    uri: str, zone: Zone, flow: Flow = FLOW, pick: int = 0, *, tls: bool = False
) -> list[Place]:
    """The places, with all else unknown to DNS."""
    missing, places = locate(
        sip(uri),
        flow,
        lambda question: zone.get(question, ()),
        lambda most: min(pick, most),
        tls=tls,
    )
    assert missing == []
    return places


def at(transport: str, host: str, port: int) -> Place:
    return transport, Address(host, port)


class TestRfc3263Section4_1:
    """Selecting a transport protocol."""

    EXAMPLE: Zone = {
        naptr("example.com"): (
            Naptr(50, 50, "s", "SIPS+D2T", "_sips._tcp.example.com"),
            Naptr(90, 50, "s", "SIP+D2T", "_sip._tcp.example.com"),
            Naptr(100, 50, "s", "SIP+D2U", "_sip._udp.example.com"),
        ),
        srv("_sip._tcp.example.com"): (
            Srv(0, 1, 5060, "server1.example.com"),
            Srv(0, 2, 5060, "server2.example.com"),
        ),
        srv("_sip._udp.example.com"): (Srv(0, 0, 5070, "server3.example.com"),),
        a("server1.example.com"): ("192.0.2.11",),
        a("server2.example.com"): ("192.0.2.12",),
        a("server3.example.com"): ("192.0.2.13",),
    }

    def test_the_example(self) -> None:
        """TCP before UDP, as NAPTR wants it; TLS is no way for a sip URI here."""
        assert found("sip:a@example.com", self.EXAMPLE) == [
            at("tcp", "192.0.2.11", 5060),
            at("tcp", "192.0.2.12", 5060),
            at("udp", "192.0.2.13", 5070),
        ]

    def test_a_server_by_tls_where_nothing_else_answers(self) -> None:
        zone: Zone = {
            **self.EXAMPLE,
            srv("_sips._tcp.example.com"): (Srv(0, 0, 5061, "server4.example.com"),),
            a("server4.example.com"): ("192.0.2.14",),
        }
        assert found("sip:a@example.com", zone, tls=True) == [
            at("tcp", "192.0.2.11", 5060),
            at("tcp", "192.0.2.12", 5060),
            at("udp", "192.0.2.13", 5070),
            at("tls", "192.0.2.14", 5061),
        ]

    def test_a_server_by_tls_alone(self) -> None:
        zone: Zone = {
            naptr("h.example"): (Naptr(50, 50, "s", "sips+d2t", "_sips._tcp.h.example"),),
            srv("_sips._tcp.h.example"): (Srv(0, 0, 5443, "t.example"),),
            a("h.example"): ("192.0.2.9",),
            a("t.example"): ("192.0.2.2",),
        }
        assert found("sip:h.example", zone, tls=True) == [at("tls", "192.0.2.2", 5443)]
        # To a phone there is no such way
        assert found("sip:h.example", zone) == [at("udp", "192.0.2.9", 5060)]

    def test_a_server_by_tls_alone_without_naptr(self) -> None:
        zone: Zone = {
            srv("_sips._tcp.h.example"): (Srv(0, 0, 5443, "t.example"),),
            a("t.example"): ("192.0.2.2",),
        }
        assert found("sip:h.example", zone, tls=True) == [at("tls", "192.0.2.2", 5443)]

    def test_the_parameter_decides(self) -> None:
        assert found("sip:a@example.com;transport=udp", self.EXAMPLE) == [
            at("udp", "192.0.2.13", 5070)
        ]

    @pytest.mark.parametrize(("flags", "service"), [("u", "SIP+D2T"), ("s", "E2U+sip"), ("s", "")])
    def test_records_that_are_none_of_sips(self, flags: str, service: str) -> None:
        zone: Zone = {
            naptr("h.example"): (Naptr(1, 1, flags, service, "_sip._tcp.h.example"),),
            a("h.example"): ("192.0.2.9",),
        }
        assert found("sip:h.example", zone) == [at("udp", "192.0.2.9", 5060)]

    def test_without_naptr_each_transport_is_asked_for(self) -> None:
        zone: Zone = {
            srv("_sip._tcp.h.example"): (Srv(0, 0, 5080, "t.example"),),
            srv("_sip._udp.h.example"): (Srv(0, 0, 5070, "u.example"),),
            a("t.example"): ("192.0.2.2",),
            a("u.example"): ("192.0.2.3",),
        }
        assert found("sip:h.example", zone) == [
            at("udp", "192.0.2.3", 5070),
            at("tcp", "192.0.2.2", 5080),
        ]

    def test_a_port_wants_no_srv(self) -> None:
        zone = {**self.EXAMPLE, a("example.com"): ("192.0.2.99",)}
        assert found("sip:a@example.com:5090", zone) == [at("udp", "192.0.2.99", 5090)]

    def test_sips_is_for_tls(self) -> None:
        zone: Zone = {
            srv("_sips._tcp.h.example"): (Srv(0, 0, 5443, "t.example"),),
            a("t.example"): ("192.0.2.2",),
        }
        assert found("sips:h.example", zone) == [at("tls", "192.0.2.2", 5443)]


class TestRfc3263Section4_2:
    """Determining port and IP address."""

    def test_no_srv_at_all(self) -> None:
        zone: Zone = {a("h.example"): ("192.0.2.9", "192.0.2.10")}
        assert found("sip:h.example", zone) == [
            at("udp", "192.0.2.9", 5060),
            at("udp", "192.0.2.10", 5060),
        ]
        assert found("sip:h.example;transport=tcp", zone)[0] == at("tcp", "192.0.2.9", 5060)

    def test_addresses_of_our_own_kind(self) -> None:
        zone: Zone = {
            a("h.example"): ("192.0.2.9",),
            Question(Kind.AAAA, "h.example"): ("2001:db8::9",),
        }
        assert found("sip:h.example", zone, SIX) == [at("udp", "2001:db8::9", 5060)]

    def test_maddr_is_where_it_goes(self) -> None:
        zone: Zone = {a("m.example"): ("192.0.2.9",)}
        assert found("sip:a@h.example;maddr=m.example", zone) == [at("udp", "192.0.2.9", 5060)]

    def test_a_service_that_is_decidedly_not_there(self) -> None:
        """RFC 2782: the target "."."""
        zone: Zone = {
            srv("_sip._udp.h.example"): (Srv(0, 0, 0, ""),),
            a("h.example"): ("192.0.2.9",),
        }
        assert found("sip:h.example;transport=udp", zone) == []

    def test_nobody_knows_the_name(self) -> None:
        assert found("sip:h.example", {}) == []

    def test_names_are_alike_in_any_case(self) -> None:
        assert found("sip:H.Example", {a("h.example"): ("192.0.2.9",)})

    def test_an_srv_target_that_is_an_address(self) -> None:
        """Forbidden, and found in the field."""
        zone: Zone = {srv("_sip._udp.h.example"): (Srv(0, 0, 5070, "192.0.2.5"),)}
        assert found("sip:h.example", zone) == [at("udp", "192.0.2.5", 5070)]

    def test_of_endless_addresses_some_are_tried(self) -> None:
        zone: Zone = {a("h.example"): tuple(f"192.0.2.{number}" for number in range(200))}
        assert len(found("sip:h.example", zone)) == MOST_PLACES

    def test_the_questions_in_their_order(self) -> None:
        zone: Zone = {}
        asked: list[list[Question]] = []
        for _ in range(3):
            missing, _ = locate(sip("sip:h.example"), FLOW, zone.get, lambda most: 0)
            asked.append(missing)
            zone.update(dict.fromkeys(missing, ()))
        assert asked[0] == [naptr("h.example"), *_services("h.example"), a("h.example")]
        assert asked[1:] == [[], []]


def _services(name: str) -> list[Question]:
    return [srv(f"_sip._udp.{name}"), srv(f"_sip._tcp.{name}")]


class TestRfc2782:
    """Priority and weight."""

    ZONE: Zone = {
        srv("_sip._udp.h.example"): (
            Srv(2, 0, 5060, "backup.example"),
            Srv(1, 10, 5060, "small.example"),
            Srv(1, 30, 5060, "large.example"),
            Srv(1, 0, 5060, "never.example"),
        ),
        a("backup.example"): ("192.0.2.1",),
        a("small.example"): ("192.0.2.2",),
        a("large.example"): ("192.0.2.3",),
        a("never.example"): ("192.0.2.4",),
    }

    def order(self, pick: int) -> list[str]:
        places = found("sip:h.example;transport=udp", self.ZONE, pick=pick)
        return [address.host.rpartition(".")[2] for _, address in places]

    def test_the_lower_priority_is_the_last_resort(self) -> None:
        assert {self.order(pick)[-1] for pick in range(41)} == {"1"}

    def test_by_weight(self) -> None:
        first = Counter(self.order(pick)[0] for pick in range(41))
        assert first == {"4": 1, "2": 10, "3": 30}


class TestLocator:
    """What has been asked is remembered."""

    NAMED = replace(FLOW, named=sip("sip:a@h.example:5070"))
    THERE = Answer(("192.0.2.9",), 60)

    def test_a_path_without_a_name_needs_nobody(self) -> None:
        locator = Locator(lambda most: 0)
        assert locator.find(FLOW, 0) == [FLOW]
        assert locator.questions() == []

    def test_asked_once_and_remembered_for_its_time(self) -> None:
        locator = Locator(lambda most: 0)
        assert locator.find(self.NAMED, 0) is None
        assert locator.find(self.NAMED, 0) is None
        assert locator.questions() == [a("h.example")]
        locator.resolved(a("h.example"), self.THERE, 1)
        there = Flow("udp", FLOW.local, Address("192.0.2.9", 5070))
        assert locator.find(self.NAMED, 60.9) == [there]
        assert locator.find(self.NAMED, 61) is None
        assert locator.questions() == [a("h.example")]

    def test_no_answer_leaves_the_path_that_there_is(self) -> None:
        locator = Locator(lambda most: 0)
        locator.find(self.NAMED, 0)
        locator.resolved(a("h.example"), Answer((), 0), 0)
        (path,) = locator.find(self.NAMED, LEAST_TTL_S - 1) or []
        assert path == FLOW
        assert path.named is None

    def test_the_same_server_as_before(self) -> None:
        """RFC 3263 §4.3: stickiness."""
        locator = Locator(lambda most: 0)
        flow = replace(self.NAMED, remote=Address("192.0.2.10", 5070))
        locator.find(flow, 0)
        locator.resolved(a("h.example"), Answer(("192.0.2.9", "192.0.2.10"), 60), 0)
        paths = locator.find(flow, 0) or []
        assert [path.remote.host for path in paths] == ["192.0.2.10", "192.0.2.9"]

    def test_the_connection_that_there_is(self) -> None:
        locator = Locator(lambda most: 0)
        tcp = Flow("tcp", FLOW.local, Address("192.0.2.9", 40000), connection=3)
        named = replace(tcp, named=sip("sip:a@h.example:5070;transport=tcp"))
        locator.find(named, 0)
        locator.resolved(a("h.example"), self.THERE, 0)
        assert locator.find(named, 0) == [tcp]

    def test_by_tls_the_name_of_the_uri_is_to_be_proved(self) -> None:
        """RFC 5922 §4: whatever names DNS puts between."""
        locator = Locator(lambda most: 0)
        named = replace(FLOW, named=sip("sips:a@h.example"))
        locator.find(named, 0)
        service = Srv(0, 0, 5061, "t.example")
        locator.resolved(srv("_sips._tcp.h.example"), Answer((service,), 60), 0)
        locator.resolved(a("h.example"), Answer((), 60), 0)
        assert locator.find(named, 0) is None
        locator.resolved(a("t.example"), self.THERE, 0)
        (path,) = locator.find(named, 0) or []
        there = Address("192.0.2.9", 5061)
        assert path == Flow("tls", FLOW.local, there, name="h.example")

    def test_a_flood_of_names(self) -> None:
        locator = Locator(lambda most: 0)
        for number in range(2 * MOST_OPEN):
            found = locator.find(replace(FLOW, named=sip(f"sip:h{number}:5060")), 0)
            assert (found is None) == (number < MOST_OPEN)
        assert len(locator.questions()) == MOST_OPEN
        for number in range(MOST_REMEMBERED + 10):
            locator.resolved(a(f"x{number}"), self.THERE, 0)
        assert len(locator._answers) == MOST_REMEMBERED
