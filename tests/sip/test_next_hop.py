"""Where a request goes next: RFC 3261 §8.1.2, §12.2.1.1, and what NATs make of it."""

from dataclasses import replace
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbx.sip.flow import Address, Flow
from pbx.sip.locate import locate
from pbx.sip.message import Request
from pbx.sip.next_hop import behind_nat, first_hop, path_to
from pbx.sip.uri import parse_uri

HOME = Address("192.0.2.1", 5060)
UDP = Flow("udp", HOME, Address("192.0.2.7", 40000))
TCP = Flow("tcp", HOME, Address("192.0.2.7", 40000), connection=7)
TLS = Flow("tls", HOME, Address("192.0.2.7", 40000), connection=8)
NAMED = Flow("tls", HOME, Address("192.0.2.7", 5071), name="sip.telco.example")
"""To a server that we had a connection to."""


def sent_by(host: str) -> Request:
    return Request("OPTIONS", "sip:a@b", [("Via", f"SIP/2.0/UDP {host};branch=z9hG4bKx")])


class TestBehindNat:
    """What the top Via proves."""

    @pytest.mark.parametrize(
        ("host", "hidden"),
        [
            ("192.0.2.7", False),
            ("192.0.2.7:5070", False),
            ("10.0.0.7", True),
            ("phone.example", False),
            ("x7q.invalid", True),
            ("[2001:db8::7]", True),
        ],
    )
    def test_an_address_that_is_not_the_source(self, host: str, hidden: bool) -> None:
        assert behind_nat(sent_by(host), UDP) is hidden

    def test_an_ipv6_address_however_it_is_written(self) -> None:
        flow = Flow("udp", Address("2001:db8::1", 5060), Address("2001:db8::7", 5060))
        assert not behind_nat(sent_by("[2001:DB8:0:0::7]"), flow)


class TestRfc3261Section8_1_2:
    """The first Route decides, or else the Request-URI."""

    def test_first_hop(self) -> None:
        assert first_hop("sip:a@h", ()) == parse_uri("sip:a@h")
        assert first_hop("sip:a@h", ("<sip:p1;lr>", "<sip:p2;lr>")) == parse_uri("sip:p1;lr")

    @pytest.mark.parametrize(
        ("hop", "path"),
        [
            ("sip:a@192.0.2.7", Flow("udp", HOME, Address("192.0.2.7", 5060))),
            ("sip:a@192.0.2.7:5070", Flow("udp", HOME, Address("192.0.2.7", 5070))),
            ("sip:a@192.0.2.9:5070", Flow("udp", HOME, Address("192.0.2.9", 5070))),
            ("sip:p@192.0.2.9;lr", Flow("udp", HOME, Address("192.0.2.9", 5060))),
            ("sip:a@192.0.2.7;transport=tcp", Flow("tcp", HOME, Address("192.0.2.7", 5060))),
            ("sip:a@192.0.2.7;transport=TCP", Flow("tcp", HOME, Address("192.0.2.7", 5060))),
            ("sip:a@192.0.2.7;transport=sctp", Flow("udp", HOME, Address("192.0.2.7", 5060))),
            ("sip:a@192.0.2.7;transport=tls", Flow("tls", HOME, Address("192.0.2.7", 5061))),
            ("sips:a@192.0.2.7", Flow("tls", HOME, Address("192.0.2.7", 5061))),
            ("sip:a@name.example;maddr=192.0.2.8", Flow("udp", HOME, Address("192.0.2.8", 5060))),
            ("sip:a@name.example", UDP),
            ("sip:a@[2001:db8::7]", UDP),
            ("tel:+4930", UDP),
        ],
    )
    def test_by_udp(self, hop: str, path: Flow) -> None:
        assert path_to(parse_uri(hop), UDP, nat=False) == path

    @pytest.mark.parametrize(
        ("hop", "path"),
        [
            # RFC 5626 §5.3, whatever the port
            ("sip:a@192.0.2.7:5070;transport=tcp", TCP),
            ("sip:a@192.0.2.7:5070", TCP),
            ("sip:a@192.0.2.7;transport=udp", Flow("udp", HOME, Address("192.0.2.7", 5060))),
            ("sip:p@192.0.2.9;lr", Flow("tcp", HOME, Address("192.0.2.9", 5060))),
        ],
    )
    def test_with_a_connection(self, hop: str, path: Flow) -> None:
        assert path_to(parse_uri(hop), TCP, nat=False) == path

    @pytest.mark.parametrize("hop", ["sip:a@192.0.2.7;transport=udp", "sip:p@192.0.2.9;lr"])
    def test_tls_is_never_left(self, hop: str) -> None:
        assert path_to(parse_uri(hop), TLS, nat=False) == TLS
        lost = Flow("tls", HOME, TLS.remote)
        assert path_to(parse_uri(hop), lost, nat=False).transport == "tls"

    @pytest.mark.parametrize(
        ("hop", "path"),
        [
            ("sip:a@192.0.2.7:5071;transport=tls", NAMED),
            (
                "sip:p@192.0.2.7:5061;transport=TLS",
                replace(NAMED, remote=Address("192.0.2.7", 5061)),
            ),
            ("sips:p@192.0.2.7;lr", replace(NAMED, remote=Address("192.0.2.7", 5061))),
            # Where it listens by UDP
            ("sip:p@192.0.2.7:5060;lr", NAMED),
            ("sip:p@192.0.2.7;lr", NAMED),
            # Another one has to prove its own address
            ("sip:a@192.0.2.9;transport=tls", Flow("tls", HOME, Address("192.0.2.9", 5061))),
        ],
    )
    def test_a_tls_server_keeps_its_name(self, hop: str, path: Flow) -> None:
        assert path_to(parse_uri(hop), NAMED, nat=False) == path


class TestNats:
    """What can't be reached gives way to where the packets come from."""

    def test_a_phone_behind_a_nat(self) -> None:
        assert path_to(parse_uri("sip:a@198.51.100.9"), UDP, nat=True) == UDP

    def test_a_phone_behind_a_nat_that_knows_its_outer_address(self) -> None:
        hop = parse_uri("sip:a@192.0.2.7:40000")
        assert path_to(hop, UDP, nat=True) == UDP

    @pytest.mark.parametrize("host", ["10.0.0.7", "100.64.0.7", "127.0.0.1", "0.0.0.0"])
    def test_an_address_that_means_nothing_in_the_internet(self, host: str) -> None:
        flow = Flow("udp", HOME, Address("8.8.4.4", 40000))
        assert path_to(parse_uri(f"sip:a@{host}"), flow, nat=False) == flow

    def test_loopback_means_the_phone_itself(self) -> None:
        assert path_to(parse_uri("sip:a@127.0.0.1"), UDP, nat=False) == UDP

    def test_names_are_for_dns(self) -> None:
        hop = parse_uri("sip:a@phone.example")
        path = path_to(hop, UDP, nat=False)
        assert path == UDP
        assert path.named == hop

    @pytest.mark.parametrize(
        ("host", "nat"), [("phone.example", True), ("x7.invalid", False), ("X7.INVALID", False)]
    )
    def test_names_that_lead_nowhere(self, host: str, nat: bool) -> None:
        path = path_to(parse_uri(f"sip:a@{host}"), UDP, nat=nat)
        assert path == UDP
        assert path.named is None
        assert path.only_way


_PARTS = st.sampled_from(
    ["192.0.2.7", "10.0.0.9", "h.example", "[2001:db8::7]", "224.0.0.1", "0.0.0.0", "x.invalid"]
)
_PARAMS = st.lists(
    st.sampled_from(
        [
            ";transport=tcp",
            ";transport=",
            ";transport=x%20y",
            ";maddr=192.0.2.9",
            ";maddr=",
            ";maddr=%20..%00",
            ";maddr=[fe80::1]",
            ";lr",
            ";ob",
        ]
    ),
    max_size=4,
    unique_by=lambda param: param.partition("=")[0],
)


class TestProperties:
    """Whatever a peer names, a request has a path."""

    @given(
        scheme=st.sampled_from(["sip", "sips", "SIP"]),
        host=_PARTS,
        port=st.sampled_from(["", ":0", ":5060", ":65535"]),
        params=_PARAMS,
        flow=st.sampled_from([UDP, TCP, TLS]),
        nat=st.booleans(),
    )
    def test_there_is_a_path(
        self, scheme: str, host: str, port: str, params: list[str], flow: Flow, nat: bool
    ) -> None:
        hop = parse_uri(f"{scheme}:a@{host}{port}{''.join(params)}")
        path = path_to(hop, flow, nat=nat)
        assert 0 < path.remote.port < 65536
        ip_address(path.remote.host)
        if path.named is not None:
            missing, places = locate(path.named, path, lambda question: (), lambda most: 0)
            assert not missing
            assert not places
