"""Phones that come back, and phones with several flows: RFC 5626 §4, §6."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbx.config.settings import SipSettings
from pbx.registrar.bindings import Bindings
from pbx.registrar.instances import targets
from pbx.registrar.rows import binding_of, row_of
from pbx.sip.flow import Address, Flow
from pbx.sip.headers import parse_name_addr
from pbx.sip.next_hop import Way
from tests.registrar.test_bindings import HOME, PHONE, Registrar

INSTANCE = '+sip.instance="<urn:uuid:00000000-0000-1000-8000-AABBCCDDEEFF>"'
OTHER = '+sip.instance="<urn:uuid:00000000-0000-1000-8000-000000000001>"'
OUTBOUND = (("Supported", "path, outbound"),)


def tcp(port: int, host: str = "192.0.2.7") -> Flow:
    return Flow("tcp", HOME, Address(host, port), connection=port)


@pytest.fixture
def registrar() -> Registrar:
    return Registrar(Bindings(SipSettings(max_contacts=3)))


class TestRfc5626Section6:
    """Instance and flow number tell bindings apart."""

    def test_the_same_flow_again_replaces_it(self, registrar: Registrar) -> None:
        for port in (40000, 40001):
            registrar.register(
                f"<sip:100@192.0.2.7:{port};transport=tcp>;{INSTANCE};reg-id=1",
                call_id=str(port),
                flow=tcp(port),
                headers=OUTBOUND,
            )
        (binding,) = registrar.bindings.of("100", 0)
        assert binding.flow == tcp(40001)
        assert binding.target.flow == tcp(40001)

    def test_another_flow_of_the_same_phone_is_another_binding(self, registrar: Registrar) -> None:
        for number in (1, 2):
            response = registrar.register(
                f"<sip:100@192.0.2.7;transport=tcp>;{INSTANCE};reg-id={number}",
                flow=tcp(40000 + number),
                headers=OUTBOUND,
            )
        assert response.all("Require") == ["outbound"]
        assert len(response.all("Contact")) == 2
        flows = [one.target.flow for one in registrar.bindings.of("100", 0)]
        assert flows == [tcp(40001), tcp(40002)]

    def test_a_flow_is_removed_by_its_number(self, registrar: Registrar) -> None:
        for number, expires in ((1, 60), (2, 60), (1, 0)):
            registrar.register(
                f"<sip:100@192.0.2.7;transport=tcp>;{INSTANCE};reg-id={number};expires={expires}",
                flow=tcp(40000 + number),
                headers=OUTBOUND,
            )
        assert [one.reg_id for one in registrar.bindings.of("100", 0)] == [2]

    def test_a_flow_is_the_way_to_the_phone_whatever_its_uri_says(
        self, registrar: Registrar
    ) -> None:
        registrar.register(
            f"<sip:100@10.0.0.9;transport=tcp>;{INSTANCE};reg-id=1",
            flow=tcp(40000),
            headers=OUTBOUND,
        )
        (binding,) = registrar.bindings.of("100", 0)
        assert binding.target.flow == tcp(40000)

    @pytest.mark.parametrize(
        ("contact", "headers"),
        [
            (f"{INSTANCE};reg-id=1", ()),
            ("reg-id=1", OUTBOUND),
            (
                f"{INSTANCE};reg-id=1",
                (
                    ("Via", "SIP/2.0/TCP 10.0.0.7;branch=z9hG4bKy"),
                    ("Path", "<sip:192.0.2.7;lr>"),
                ),
            ),
            (INSTANCE, (*OUTBOUND, ("Via", "SIP/2.0/TCP 10.0.0.7;branch=z9hG4bKy"))),
        ],
    )
    def test_no_flow_without_support_and_instance(
        self, registrar: Registrar, contact: str, headers: tuple[tuple[str, str], ...]
    ) -> None:
        response = registrar.register(
            f"<sip:100@192.0.2.7>;{contact}", flow=tcp(40000), headers=headers
        )
        assert response.status == 200
        assert response.get("Require") is None
        (binding,) = registrar.bindings.of("100", 0)
        assert binding.reg_id == 0

    @pytest.mark.parametrize("path", [(), (("Path", "<sip:192.0.2.7;lr>"),)])
    def test_a_first_hop_that_keeps_none(
        self, registrar: Registrar, path: tuple[tuple[str, str], ...]
    ) -> None:
        response = registrar.register(
            f"<sip:100@192.0.2.7>;{INSTANCE};reg-id=1",
            flow=tcp(40000),
            headers=(*OUTBOUND, ("Via", "SIP/2.0/TCP 10.0.0.7;branch=z9hG4bKy"), *path),
        )
        assert (response.status, response.reason) == (439, "First Hop Lacks Outbound Support")
        assert registrar.uris() == set()

    @pytest.mark.parametrize("agent", ["PJSUA v2.15.1 Linux", "app (pjsip)"])
    def test_pjsip_never_recovers_from_that(self, registrar: Registrar, agent: str) -> None:
        """It is registered without a flow."""
        response = registrar.register(
            f"<sip:100@192.0.2.7>;{INSTANCE};reg-id=1",
            flow=tcp(40000),
            headers=(
                *OUTBOUND,
                ("Via", "SIP/2.0/TCP 10.0.0.7;branch=z9hG4bKy"),
                ("User-Agent", agent),
            ),
        )
        assert response.status == 200
        assert response.get("Require") is None
        assert [one.reg_id for one in registrar.bindings.of("100", 0)] == [0]

    def test_what_is_told_of_a_flow_is_told_to_its_phone_alone(self, registrar: Registrar) -> None:
        registrar.register(
            f"<sip:100@192.0.2.7>;{INSTANCE};reg-id=1", flow=tcp(40000), headers=OUTBOUND
        )
        other = registrar.register("<sip:100@192.0.2.8>", call_id="other")
        assert other.get("Require") is None
        assert len(other.all("Contact")) == 2
        assert registrar.register(call_id="query").get("Require") is None
        removed = registrar.register(
            f"<sip:100@192.0.2.7>;{INSTANCE};reg-id=1;expires=0",
            flow=tcp(40000),
            headers=OUTBOUND,
        )
        assert removed.get("Require") == "outbound"

    def test_a_flow_behind_an_edge_proxy_that_keeps_it(self, registrar: Registrar) -> None:
        headers = (
            *OUTBOUND,
            ("Via", "SIP/2.0/TCP 10.0.0.7;branch=z9hG4bKy"),
            ("Path", "<sip:token@192.0.2.7;lr;ob>"),
        )
        registrar.register(
            f"<sip:100@10.0.0.7>;{INSTANCE};reg-id=1", flow=tcp(40000), headers=headers
        )
        (binding,) = registrar.bindings.of("100", 0)
        assert binding.reg_id == 1

    @pytest.mark.parametrize("reg_id", ["0", "x", "-1", "2147483648", ""])
    def test_a_flow_number_that_is_none(self, registrar: Registrar, reg_id: str) -> None:
        response = registrar.register(
            f"<sip:100@192.0.2.7>;{INSTANCE};reg-id={reg_id}", headers=OUTBOUND
        )
        assert response.status == 400
        assert registrar.uris() == set()

    def test_a_flow_ends_with_its_connection(self, registrar: Registrar) -> None:
        """§7: "the proxy MUST invalidate all the bindings in the target set that use that flow"."""
        for number in (1, 2):
            registrar.register(
                f"<sip:100@192.0.2.7;transport=tcp>;{INSTANCE};reg-id={number}",
                flow=tcp(40000 + number),
                headers=OUTBOUND,
            )
        registrar.bindings.disconnected(tcp(40001), 5)
        assert [one.reg_id for one in registrar.bindings.of("100", 5)] == [2]
        assert registrar.bindings.lost == {}
        registrar.bindings.disconnected(tcp(40002), 7)
        assert registrar.bindings.of("100", 7) == []
        assert registrar.bindings.lost == {"100": 7}

    def test_one_flow_has_one_contact(self, registrar: Registrar) -> None:
        response = registrar.register(
            f"<sip:100@192.0.2.7>;{INSTANCE};reg-id=1",
            "<sip:100@192.0.2.8>",
            headers=OUTBOUND,
        )
        assert response.status == 400
        assert registrar.uris() == set()

    def test_beside_it_others_may_be_removed(self, registrar: Registrar) -> None:
        registrar.register("<sip:100@192.0.2.8>")
        response = registrar.register(
            f"<sip:100@192.0.2.7>;{INSTANCE};reg-id=1",
            "<sip:100@192.0.2.8>;expires=0",
            headers=OUTBOUND,
        )
        assert response.status == 200
        assert registrar.uris() == {"sip:100@192.0.2.7"}

    def test_over_udp_too(self, registrar: Registrar) -> None:
        flow = Flow("udp", HOME, Address("203.0.113.9", 1024))
        response = registrar.register(
            f"<sip:100@10.0.0.7>;{INSTANCE};reg-id=1", headers=OUTBOUND, flow=flow
        )
        assert response.get("Require") == "outbound"
        (binding,) = registrar.bindings.of("100", 0)
        assert binding.target.flow == flow


class TestRfc5626Section5_4:
    """Flow-Timer: how often a phone is to show that its flow lives."""

    @pytest.mark.parametrize(
        ("transport", "seconds"), [("udp", "30"), ("tcp", "120"), ("tls", "120"), ("ws", None)]
    )
    def test_by_transport(self, registrar: Registrar, transport: str, seconds: str | None) -> None:
        flow = Flow(transport, HOME, Address("192.0.2.7", 40000), int(transport != "udp"))
        response = registrar.register(
            f"<sip:100@192.0.2.7>;{INSTANCE};reg-id=1", headers=OUTBOUND, flow=flow
        )
        assert response.get("Flow-Timer") == seconds

    def test_not_without_a_flow_nor_for_another_hops(self, registrar: Registrar) -> None:
        plain = registrar.register("<sip:100@192.0.2.7>", flow=tcp(40000))
        assert plain.get("Flow-Timer") is None
        headers = (
            *OUTBOUND,
            ("Via", "SIP/2.0/TCP 10.0.0.7;branch=z9hG4bKy"),
            ("Path", "<sip:token@192.0.2.7;lr;ob>"),
        )
        behind = registrar.register(
            f"<sip:100@10.0.0.7>;{INSTANCE};reg-id=1", flow=tcp(40000), headers=headers
        )
        assert behind.get("Require") == "outbound"
        assert behind.get("Flow-Timer") is None


class TestRestarts:
    """A phone that comes back from another port is the same phone."""

    def test_by_its_instance(self, registrar: Registrar) -> None:
        for start in range(12):
            response = registrar.register(
                f"<sip:100@192.0.2.7:{40000 + start}>;{INSTANCE}", call_id=str(start), cseq=1
            )
            assert response.status == 200
        assert registrar.uris() == {"sip:100@192.0.2.7:40011"}

    def test_another_instance_is_another_phone(self, registrar: Registrar) -> None:
        registrar.register(f"<sip:100@192.0.2.7:1>;{INSTANCE}", call_id="a")
        registrar.register(f"<sip:100@192.0.2.7:2>;{OTHER}", call_id="b")
        assert len(registrar.uris()) == 2

    def test_one_phone_may_name_two_addresses_at_once(self, registrar: Registrar) -> None:
        registrar.register(
            f"<sip:100@192.0.2.7>;{INSTANCE}, <sip:100@192.0.2.7;transport=tcp>;{INSTANCE}"
        )
        assert len(registrar.uris()) == 2

    def test_by_its_name_and_host_where_it_has_no_instance(self, registrar: Registrar) -> None:
        for start in range(12):
            response = registrar.register(
                f"<sip:100@192.0.2.7:{40000 + start}>",
                call_id=str(start),
                headers=(("User-Agent", "Softphone/1"),),
            )
            assert response.status == 200
        assert registrar.uris() == {f"sip:100@192.0.2.7:{port}" for port in range(40009, 40012)}

    def test_phones_on_other_hosts_keep_their_place(self, registrar: Registrar) -> None:
        for host in range(3):
            registrar.register(
                f"<sip:100@192.0.2.{host}>",
                call_id=str(host),
                flow=Flow("udp", HOME, Address(f"192.0.2.{host}", 5060)),
                headers=(("User-Agent", "Softphone/1"),),
            )
        refused = registrar.register(
            "<sip:100@192.0.2.9>",
            call_id="x",
            flow=Flow("udp", HOME, Address("192.0.2.9", 5060)),
            headers=(("User-Agent", "Softphone/1"),),
        )
        assert refused.status == 403
        assert len(registrar.uris()) == 3

    def test_what_one_request_names_is_no_leftover(self, registrar: Registrar) -> None:
        many = ", ".join(f"<sip:100@192.0.2.7:{port}>" for port in range(40000, 40004))
        assert registrar.register(many, headers=(("User-Agent", "S/1"),)).status == 403
        assert registrar.uris() == set()


class TestRfc3840Section6:
    """What a phone says of itself comes back to it."""

    def test_features_come_back(self, registrar: Registrar) -> None:
        features = f'{INSTANCE};audio;methods="INVITE,BYE";reg-id=1;+sip.rendering="yes"'
        response = registrar.register(f"<sip:100@192.0.2.7>;q=0.5;{features};expires=60")
        (contact,) = response.all("Contact")
        assert contact == f"<sip:100@192.0.2.7>;q=0.5;{features};expires=60"

    def test_a_gruu_that_the_phone_names_is_not_ours(self, registrar: Registrar) -> None:
        response = registrar.register('<sip:100@192.0.2.7>;pub-gruu="sip:100@x;gr=1";a=b')
        assert response.all("Contact") == ["<sip:100@192.0.2.7>;a=b;expires=3600"]

    def test_of_an_endless_list_the_instance_is_kept(self, registrar: Registrar) -> None:
        response = registrar.register(f"<sip:100@192.0.2.7>;x={'y' * 2000};{INSTANCE}")
        assert response.all("Contact") == [f"<sip:100@192.0.2.7>;{INSTANCE};expires=3600"]

    def test_an_endless_instance_is_none(self, registrar: Registrar) -> None:
        response = registrar.register(f'<sip:100@192.0.2.7>;+sip.instance="<{"y" * 2000}>"')
        assert response.all("Contact") == ["<sip:100@192.0.2.7>;expires=3600"]
        (binding,) = registrar.bindings.of("100", 0)
        assert binding.instance == ""

    def test_all_of_it_outlives_a_restart(self, registrar: Registrar) -> None:
        registrar.register(
            f"<sip:100@10.0.0.7>;{INSTANCE};reg-id=3;audio",
            headers=(*OUTBOUND, ("Path", "<sip:192.0.2.7;lr>")),
            flow=Flow("udp", HOME, Address("203.0.113.9", 1024)),
        )
        (binding,) = registrar.bindings.of("100", 0)
        assert (binding.instance, binding.reg_id) == (
            parse_name_addr(f"<sip:x>;{INSTANCE}").param("+sip.instance"),
            3,
        )
        assert binding.behind_nat
        assert binding_of(row_of(binding, 5.0), 5.0) == binding


class TestRfc3608Section6:
    """Service-Route: how requests from behind a proxy come here."""

    def test_it_names_us(self, registrar: Registrar) -> None:
        path = (("Path", "<sip:192.0.2.7;lr>"),)
        response = registrar.register("<sip:100@10.0.0.7>", headers=path)
        assert response.all("Service-Route") == ["<sip:192.0.2.1:5060;lr>"]
        response = registrar.register("<sip:100@10.0.0.7>", headers=path, flow=tcp(40000))
        assert response.all("Service-Route") == ["<sip:192.0.2.1:5060;transport=tcp;lr>"]

    def test_a_phone_without_proxies_needs_none(self, registrar: Registrar) -> None:
        assert registrar.register("<sip:100@192.0.2.7>").get("Service-Route") is None
        assert PHONE.local == HOME


class TestProperties:
    """Whatever stands behind a Contact, it is answered, and what is kept can be used and saved."""

    @given(st.lists(st.text(st.characters(max_codepoint=0x2FF), max_size=30), max_size=4))
    def test_any_parameters(self, params: list[str]) -> None:
        registrar = Registrar(Bindings(SipSettings(max_contacts=3)))
        contact = ";".join(["<sip:100@192.0.2.7>", INSTANCE, "reg-id=1", *params])
        response = registrar.register(contact, headers=OUTBOUND)
        assert response.status in (200, 400, 403, 423)
        bindings = registrar.bindings.of("100", 0)
        assert all(binding_of(row_of(one, 0.0), 0.0) == one for one in bindings)
        assert len(targets(bindings)) == len(bindings)
        for binding in bindings:
            assert len(binding.features) <= 1000
            assert binding.features.isprintable()
            again = Registrar(Bindings(SipSettings()))
            assert again.register(f"<{binding.uri}>{binding.features}").status in (200, 400)


class TestTargets:
    """RFC 5626 §7: a phone rings once."""

    def test_one_for_each_phone(self, registrar: Registrar) -> None:
        for number in (1, 2):
            registrar.register(
                f"<sip:100@192.0.2.7:{number};transport=tcp>;{INSTANCE};reg-id={number}",
                flow=tcp(40000 + number),
                headers=OUTBOUND,
            )
        registrar.register("<sip:100@192.0.2.8>", call_id="other")
        flows, other = targets(registrar.bindings.of("100", 0))
        assert (flows.uri, flows.flow) == ("sip:100@192.0.2.7:2;transport=tcp", tcp(40002))
        assert flows.ways == (Way("sip:100@192.0.2.7:1;transport=tcp", tcp(40001)),)
        assert (other.uri, other.ways) == ("sip:100@192.0.2.8", ())
